//! Deletion and histories of the store on both databases: what is shown, to whom, page after page.
#![expect(clippy::unwrap_used, reason = "a failure of a helper is a failure of its test")]
use crate::store::{Bench, facts, ins, kind, observation, on_both, professional, reader, rpps, searcher, writer};
use crate::store_search::{first, next};
use dmp_fhir::auth::Caller;
use dmp_fhir::clock::Millis;
use dmp_fhir::fhir::Problem;
use dmp_fhir::fhir::interaction::{RecordName, SearchPlace};
use dmp_fhir::fhir::outcome::IssueKind;
use dmp_fhir::ids::{Pid, Rid};
use dmp_fhir::policy::permit::label;
use dmp_fhir::store::{
    HistoryOf, HistoryRequest, NewResource, Page, PageRequest, facts_write, history_page, resource_delete, resource_put_versions,
    resource_read, resource_search, resource_version_read, resource_withdrawn,
};

fn delete(bench: &Bench, pid: Pid, rid: i64) -> Option<i64> {
    bench.write(move |unit| resource_delete(unit, &writer(unit, pid)?, kind("Observation"), Rid(rid))).unwrap()
}

fn request(of: HistoryOf, page: PageRequest) -> HistoryRequest {
    HistoryRequest { of, since: None, at: None, page }
}

fn instance(rid: i64) -> HistoryOf {
    HistoryOf::Instance(kind("Observation"), Rid(rid))
}

fn of_record(bench: &Bench, who: &str, pid: Pid, request: HistoryRequest) -> Page {
    let caller = professional(who);
    bench.read(move |unit| history_page(unit, &reader(unit, &caller, pid, "Observation")?, &request)).unwrap()
}

fn of_cohort(bench: &Bench, caller: Caller, request: HistoryRequest) -> Result<Page, Problem> {
    bench.read(move |unit| history_page(unit, &searcher(unit, &caller, SearchPlace::Cohort, "Observation")?, &request))
}

/// Number, version, and whether it is a deletion.
fn entries(page: &Page) -> Vec<(i64, i64, bool)> {
    page.resources.iter().map(|one| (one.rid.0, one.version, one.is_deletion())).collect()
}

#[test]
fn a_deleted_resource_is_gone_and_who_saw_it_may_be_told_so() {
    on_both(|bench| {
        let pid = bench.record(&ins(1), &["martin", "durand"]);
        let masked =
            NewResource { labels: label::MASQUE_PS, authors: vec![rpps("durand").who()], ..observation(Rid(2000), 1, &[7]) };
        bench.put(pid, vec![observation(Rid(1000), 1, &[7]), masked]);
        assert_eq!((delete(bench, pid, 1000), delete(bench, pid, 2000)), (Some(2), Some(2)), "{}", bench.name);
        assert_eq!((delete(bench, pid, 1000), delete(bench, pid, 3000)), (None, None), "twice, and what never was");
        let told = |who: &str, rid| {
            let caller = professional(who);
            bench
                .read(move |unit| {
                    let access = reader(unit, &caller, pid, "Observation")?;
                    let gone = resource_withdrawn(unit, &access, kind("Observation"), Rid(rid))?;
                    Ok((resource_read(unit, &access, kind("Observation"), Rid(rid))?.is_some(), gone))
                })
                .unwrap()
        };
        assert_eq!((told("martin", 1000), told("martin", 3000)), ((false, true), (false, false)), "{}", bench.name);
        assert_eq!((told("martin", 2000), told("durand", 2000)), ((false, false), (false, true)), "{}: masked", bench.name);
        assert_eq!(told("stranger", 1000), (false, false), "{}: deposited nothing", bench.name);
        let counts = bench.store.counts().unwrap();
        assert_eq!((counts["token"], counts["history"], counts["author"]), (0, 2, 1), "{}", bench.name);
    });
}

#[test]
fn a_version_that_is_a_deletion_is_gone_and_those_before_it_stay_readable() {
    on_both(|bench| {
        let pid = bench.record(&ins(1), &["martin"]);
        bench.put(pid, vec![observation(Rid(1000), 1, &[7])]);
        delete(bench, pid, 1000);
        bench.put(pid, vec![observation(Rid(1000), 3, &[7])]);
        let version = |version| {
            bench.read(move |unit| {
                let access = reader(unit, &professional("martin"), pid, "Observation")?;
                let read = resource_version_read(unit, &access, kind("Observation"), Rid(1000), version);
                Ok(read.map(|stored| stored.map(|stored| stored.version)).map_err(|problem| problem.kind()))
            })
        };
        let versions: Vec<_> = (1..=4).map(|number| version(number).unwrap()).collect();
        assert_eq!(versions, [Ok(Some(1)), Err(IssueKind::ResourceDeleted), Ok(Some(3)), Ok(None)], "{}", bench.name);
        delete(bench, pid, 1000);
        assert_eq!(version(4).unwrap(), Err(IssueKind::ResourceDeleted), "{}", bench.name);
        assert_eq!((version(3).unwrap(), version(5).unwrap()), (Ok(Some(3)), Ok(None)), "{}", bench.name);
    });
}

#[test]
fn what_was_deleted_comes_back_with_its_authors_and_what_its_author_withdrew_stays_withdrawn() {
    on_both(|bench| {
        let pid = bench.record(&ins(1), &["martin"]);
        let own = NewResource { authors: vec![rpps("martin").who()], ..observation(Rid(1000), 1, &[7]) };
        let withdrawn = NewResource { labels: label::WITHDRAWN, ..observation(Rid(2000), 1, &[7]) };
        bench.put(pid, vec![own, withdrawn]);
        delete(bench, pid, 1000);
        bench
            .write(move |unit| {
                let record = unit.open_rules(&writer(unit, pid)?)?;
                let again = NewResource { version: 3, ..observation(Rid(1000), 5, &[7]) };
                let other = NewResource { version: 2, ..observation(Rid(2000), 5, &[7]) };
                resource_put_versions(unit, &record, vec![again, other])
            })
            .unwrap();
        assert_eq!(bench.get(professional("martin"), pid, "Observation", Rid(1000)).map(|one| one.version), Some(3));
        assert_eq!(bench.get(professional("martin"), pid, "Observation", Rid(2000)), None, "{}", bench.name);
        assert_eq!(bench.store.counts().unwrap()["author"], 1, "{}", bench.name);
    });
}

#[test]
fn a_search_page_that_began_before_shows_neither_what_was_deleted_nor_a_deletion_that_was_undone() {
    on_both(|bench| {
        let pid = bench.record(&ins(1), &["martin"]);
        bench.put(pid, (1..=5).map(|n| observation(Rid(n), n, &[])).collect());
        delete(bench, pid, 2);
        let search = |page| {
            let plan = crate::store_search::plan(Vec::new());
            bench
                .read(move |unit| {
                    let caller = professional("martin");
                    let access = searcher(unit, &caller, SearchPlace::Record(RecordName::Pid(pid)), "Observation")?;
                    resource_search(unit, &access, &plan, &page, &mut |_| true)
                })
                .unwrap()
        };
        let page = search(first(1));
        assert_eq!((crate::store_search::rids(&page), page.total), (vec![5], Some(4)), "{}", bench.name);
        delete(bench, pid, 3);
        bench.put(pid, vec![observation(Rid(2), 2, &[])]);
        assert_eq!(crate::store_search::rids(&search(next(&page, 9))), [4, 1], "{}", bench.name);
        assert_eq!(crate::store_search::rids(&search(first(9))), [5, 4, 2, 1], "{}", bench.name);
    });
}

#[test]
fn a_deleted_resource_of_the_directory_is_gone_too() {
    use crate::store::{hospital, open};
    use dmp_fhir::fhir::{Interaction, Resource};
    on_both(|bench| {
        let write = |delete: bool| {
            bench
                .write(move |unit| {
                    let resource_type = kind("Organization");
                    let interaction = Interaction::Create { resource_type, record: None, body: Resource::new() };
                    let access = open(unit, &hospital(), &interaction)?;
                    if delete {
                        return resource_delete(unit, &access, resource_type, Rid(50));
                    }
                    let new = NewResource { resource_type, ..observation(Rid(50), 1, &[3]) };
                    dmp_fhir::store::resource_put(unit, &access, &[new]).map(|()| None)
                })
                .unwrap()
        };
        write(false);
        assert_eq!(write(true), Some(2), "{}", bench.name);
        assert_eq!(bench.get(professional("stranger"), Pid::DIRECTORY, "Organization", Rid(50)), None, "{}", bench.name);
        let page = bench
            .read(|unit| {
                let access = reader(unit, &professional("stranger"), Pid::DIRECTORY, "Organization")?;
                history_page(unit, &access, &request(HistoryOf::Type(kind("Organization")), first(9)))
            })
            .unwrap();
        assert_eq!((entries(&page), page.total), (vec![(50, 2, true), (50, 1, false)], Some(2)), "{}", bench.name);
    });
}

#[test]
fn a_history_has_every_version_newest_first_with_deletions() {
    on_both(|bench| {
        let pid = bench.record(&ins(1), &["martin"]);
        bench.put(pid, vec![observation(Rid(1000), 1, &[7]), observation(Rid(2000), 1, &[7])]);
        bench.put(pid, vec![observation(Rid(1000), 2, &[7])]);
        delete(bench, pid, 1000);
        bench.put(pid, vec![NewResource { resource_type: kind("Condition"), ..observation(Rid(3000), 1, &[]) }]);
        let history = |of| of_record(bench, "martin", pid, request(of, first(9)));
        let page = history(instance(1000));
        assert_eq!((entries(&page), page.total), (vec![(1000, 3, true), (1000, 2, false), (1000, 1, false)], Some(3)));
        assert!(page.resources.windows(2).all(|two| two[0].updated > two[1].updated), "{}", bench.name);
        let page = history(HistoryOf::Type(kind("Observation")));
        let expected = [(1000, 3, true), (1000, 2, false), (2000, 1, false), (1000, 1, false)];
        assert_eq!((entries(&page), page.total), (expected.to_vec(), Some(4)), "{}", bench.name);
        let page = history(HistoryOf::System);
        assert_eq!((entries(&page)[0], page.total), ((3000, 1, false), Some(5)), "{}", bench.name);
        let none = history(HistoryOf::Instance(kind("Condition"), Rid(1000)));
        assert_eq!((entries(&none), none.total), (vec![], Some(0)), "{}: of another type", bench.name);
    });
}

#[test]
fn versions_of_what_the_caller_may_not_see_now_are_in_no_history_and_no_total() {
    on_both(|bench| {
        let pid = bench.record(&ins(1), &["martin"]);
        let other = bench.record(&ins(2), &["durand"]);
        bench.put(other, vec![observation(Rid(9), 1, &[])]);
        bench.put(pid, (1..=4).map(|n| observation(Rid(n), 1, &[])).collect());
        let labelled = |rid, labels| NewResource { labels, ..observation(Rid(rid), 2, &[]) };
        // Seen before, hidden now; withdrawn with its body, as a document's data are.
        bench.put(pid, vec![labelled(1, label::MASQUE_PS), labelled(2, label::PATIENT_ONLY), labelled(3, label::WITHDRAWN)]);
        for of in [HistoryOf::System, HistoryOf::Type(kind("Observation"))] {
            let page = of_record(bench, "martin", pid, request(of, first(9)));
            assert_eq!((entries(&page), page.total), (vec![(4, 1, false)], Some(1)), "{} {of:?}", bench.name);
        }
        for rid in [1, 2, 3, 9] {
            let page = of_record(bench, "martin", pid, request(instance(rid), first(9)));
            assert_eq!((entries(&page), page.total), (vec![], Some(0)), "{} {rid}", bench.name);
        }
        // Without authorisation: what he deposited himself.
        let own = NewResource { authors: vec![rpps("stranger").who()], ..observation(Rid(5), 1, &[]) };
        bench.put(pid, vec![own]);
        let page = of_record(bench, "stranger", pid, request(HistoryOf::System, first(9)));
        assert_eq!((entries(&page), page.total), (vec![(5, 1, false)], Some(1)), "{}", bench.name);
        delete(bench, pid, 5);
        let page = of_record(bench, "stranger", pid, request(HistoryOf::System, first(9)));
        assert_eq!((entries(&page), page.total), (vec![(5, 2, true), (5, 1, false)], Some(2)), "{}", bench.name);
    });
}

#[test]
fn a_withdrawn_document_is_one_deletion_without_what_it_said() {
    on_both(|bench| {
        let pid = bench.record(&ins(1), &["martin"]);
        let document = |labels| NewResource { resource_type: kind("DocumentReference"), labels, ..observation(Rid(7), 1, &[]) };
        bench.put(pid, vec![document(0)]);
        bench.put(pid, vec![document(label::WITHDRAWN)]);
        let page = of_record(bench, "martin", pid, request(HistoryOf::System, first(9)));
        assert_eq!((entries(&page), page.total), (vec![(7, 2, true)], Some(1)), "{}", bench.name);
        let gone = bench.read(move |unit| {
            let access = reader(unit, &professional("martin"), pid, "DocumentReference")?;
            let read = |version| resource_version_read(unit, &access, kind("DocumentReference"), Rid(7), version);
            Ok([read(1), read(2)].map(|read| read.map_err(|problem| problem.kind())))
        });
        assert_eq!(gone.unwrap(), [Err(IssueKind::ResourceDeleted), Err(IssueKind::ResourceDeleted)], "{}", bench.name);
    });
}

#[test]
fn pages_of_a_history_neither_lose_nor_repeat_while_others_write() {
    on_both(|bench| {
        let pids: Vec<Pid> = (1..=2).map(|number| bench.record(&ins(number), &["martin"])).collect();
        for pid in &pids {
            bench.put(*pid, (1..=3).map(|n| observation(Rid(n), n, &[])).collect());
            bench.put(*pid, vec![observation(Rid(2), 9, &[])]);
            delete(bench, *pid, 3);
        }
        for cohort in [false, true] {
            let ask = |page| {
                let request = request(HistoryOf::Type(kind("Observation")), page);
                let page = match cohort {
                    true => of_cohort(bench, professional("martin"), request).unwrap(),
                    false => of_record(bench, "martin", pids[0], request),
                };
                let places: Vec<(Pid, i64, i64)> = page.resources.iter().map(|one| (one.pid, one.rid.0, one.version)).collect();
                (page, places)
            };
            let (whole, all) = ask(first(1000));
            assert_eq!(whole.total, u64::try_from(all.len()).ok(), "{}", bench.name);
            let (mut page, mut seen) = ask(first(1));
            while page.next.is_some() {
                for pid in &pids {
                    bench.put(*pid, vec![observation(Rid(1), 5, &[]), observation(Rid(2), 9, &[])]);
                }
                let (later, places) = ask(next(&page, 2));
                assert_eq!(later.total, whole.total, "{}", bench.name);
                seen.extend(places);
                page = later;
            }
            assert_eq!(seen, all, "{} cohort {cohort}", bench.name);
        }
    });
}

#[test]
fn since_is_of_writing_and_at_is_of_what_was_present_then() {
    on_both(|bench| {
        let pid = bench.record(&ins(1), &["martin"]);
        for ts in 1..=3 {
            bench.put(pid, vec![observation(Rid(1), ts, &[])]);
        }
        let all = of_record(bench, "martin", pid, request(instance(1), first(9)));
        let [third, second, first_time] = [0, 1, 2].map(|index| all.resources[index].updated);
        let versions = |since: Option<Millis>, at: Option<(Millis, Millis)>| {
            let page = of_record(bench, "martin", pid, HistoryRequest { of: instance(1), since, at, page: first(9) });
            assert_eq!(page.total, u64::try_from(page.resources.len()).ok());
            page.resources.iter().map(|one| one.version).collect::<Vec<_>>()
        };
        assert_eq!(versions(Some(second), None), [3, 2], "{}: at or after", bench.name);
        assert_eq!(versions(Some(Millis(third.0 + 1)), None), Vec::<i64>::new());
        assert_eq!(versions(None, Some((second, Millis(second.0 + 1)))), [2], "{}: at that instant", bench.name);
        assert_eq!(versions(None, Some((Millis(second.0 - 1), second))), [1], "{}: the end is outside", bench.name);
        assert_eq!(versions(None, Some((Millis(first_time.0 - 9), first_time))), Vec::<i64>::new(), "{}", bench.name);
        assert_eq!(versions(None, Some((Millis(third.0 + 9), Millis(third.0 + 10)))), [3], "{}: still", bench.name);
        assert_eq!(versions(Some(third), Some((first_time, second))), Vec::<i64>::new(), "{}: both", bench.name);
    });
}

#[test]
fn a_history_without_a_patient_is_of_the_records_that_authorise_the_caller_each_with_its_mask() {
    on_both(|bench| {
        let pids: Vec<Pid> = (1..=3).map(|number| bench.record(&ins(number), &["martin"])).collect();
        let foreign = bench.record(&ins(4), &["durand"]);
        for pid in pids.iter().chain([&foreign]) {
            let masked = NewResource { labels: label::MASQUE_PS, ..observation(Rid(2), 1, &[]) };
            bench.put(*pid, vec![observation(Rid(1), 1, &[]), masked]);
        }
        let change = |pid: Pid, number, change: fn(&mut dmp_fhir::policy::Facts)| {
            let mut facts = facts(pid, &ins(number), &[rpps("martin")]);
            change(&mut facts);
            bench.write(move |unit| facts_write(unit, &writer(unit, pid)?, &facts)).unwrap();
        };
        change(pids[1], 2, |facts| facts.treating = vec![rpps("martin")]);
        change(pids[2], 3, |facts| facts.authorisations = Vec::new());
        let page = of_cohort(bench, professional("martin"), request(HistoryOf::System, first(9))).unwrap();
        let found: Vec<(Pid, i64)> = page.resources.iter().map(|one| (one.pid, one.rid.0)).collect();
        assert_eq!((found, page.total), (vec![(pids[1], 2), (pids[1], 1), (pids[0], 1)], Some(3)), "{}", bench.name);
        let none = of_cohort(bench, professional("stranger"), request(HistoryOf::System, first(9))).unwrap();
        assert_eq!((none.resources.len(), none.total), (0, Some(0)), "{}", bench.name);
    });
}

#[test]
fn a_history_of_more_than_twenty_thousand_versions_is_refused_and_those_of_strangers_do_not_count() {
    on_both(|bench| {
        let (own, foreign) = (bench.record(&ins(1), &["martin"]), bench.record(&ins(2), &["durand"]));
        for chunk in 0..21 {
            bench.put(foreign, (0..1000).map(|n| observation(Rid(chunk * 1000 + n), n, &[])).collect());
        }
        bench.put(own, vec![observation(Rid(1), 1, &[])]);
        let of = || request(HistoryOf::Type(kind("Observation")), first(2));
        assert_eq!(of_cohort(bench, professional("martin"), of()).unwrap().total, Some(1), "{}", bench.name);
        assert_eq!(of_cohort(bench, professional("durand"), of()).unwrap_err().kind(), IssueKind::TooCostly, "{}", bench.name);
        let page = of_record(bench, "durand", foreign, of());
        assert_eq!((page.resources.len(), page.total), (2, Some(21_000)), "{}: in one record all are served", bench.name);
    });
}

#[test]
fn a_page_link_is_of_its_history_and_its_caller() {
    on_both(|bench| {
        let pid = bench.record(&ins(1), &["martin", "durand"]);
        bench.put(pid, (1..=3).map(|n| observation(Rid(n), n, &[])).collect());
        let page = of_record(bench, "martin", pid, request(HistoryOf::System, first(1)));
        let mut other = request(HistoryOf::Type(kind("Observation")), next(&page, 1));
        let refused = |caller: &str, request: HistoryRequest| {
            let caller = professional(caller);
            let result = bench.read(move |unit| history_page(unit, &reader(unit, &caller, pid, "Observation")?, &request));
            result.map(|page| entries(&page)).map_err(|problem| problem.kind())
        };
        assert_eq!(refused("martin", other.clone()), Err(IssueKind::ParameterInvalid), "{}", bench.name);
        other.of = HistoryOf::System;
        assert_eq!(refused("durand", other.clone()), Err(IssueKind::ParameterInvalid), "{}", bench.name);
        assert_eq!(refused("martin", other), Ok(vec![(2, 1, false)]), "{}", bench.name);
    });
}
