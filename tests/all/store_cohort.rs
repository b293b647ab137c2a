//! Searches over several records on both databases: which records, bounds, pages while others write.
#![expect(clippy::unwrap_used, reason = "a failure of a helper is a failure of its test")]
use crate::store::{Bench, ins, observation, on_both, professional, rpps, writer};
use crate::store_search::{cohort, cohort_as, first, next, plan, rids, token};
use dmp_fhir::auth::Caller;
use dmp_fhir::clock::Millis;
use dmp_fhir::fhir::identifier::Finess;
use dmp_fhir::fhir::outcome::IssueKind;
use dmp_fhir::ids::{Pid, Rid};
use dmp_fhir::policy::permit::label;
use dmp_fhir::policy::{Actor, Authorisation, Facts, RecordState};
use dmp_fhir::search::{Key, Predicate, RangeTest};
use dmp_fhir::store::{facts_write, resource_put};

fn authorise(bench: &Bench, pid: Pid, number: u32, change: impl FnOnce(&mut Facts)) {
    let mut facts = crate::store::facts(pid, &ins(number), &[rpps("martin")]);
    change(&mut facts);
    bench.write(move |unit| facts_write(unit, &writer(unit, pid)?, &facts)).unwrap();
}

#[test]
fn a_search_without_a_patient_runs_over_the_records_that_authorise_the_caller_now_each_with_its_mask() {
    on_both(|bench| {
        let pids: Vec<Pid> = (1..=7).map(|number| bench.record(&ins(number), &["martin"])).collect();
        for (number, pid) in pids.iter().enumerate() {
            let n = i64::try_from(number).unwrap();
            let mut masked = observation(Rid(2), 100 + n, &[7]);
            masked.labels = label::MASQUE_PS;
            let mut withdrawn = observation(Rid(3), 200 + n, &[7]);
            withdrawn.labels = label::WITHDRAWN;
            bench.put(*pid, vec![observation(Rid(1), n, &[7]), masked, withdrawn]);
        }
        let past = Millis(dmp_fhir::clock::now().0 - 1);
        let future = Millis(dmp_fhir::clock::now().0 + 3_600_000);
        let of = |from, until| vec![Authorisation { actor: Actor::Professional(rpps("martin")), from, until }];
        authorise(bench, pids[1], 2, |facts| facts.authorisations = of(Millis(0), Some(past)));
        authorise(bench, pids[2], 3, |facts| facts.authorisations = of(future, None));
        authorise(bench, pids[3], 4, |facts| facts.blocked = vec![Actor::Professional(rpps("martin"))]);
        authorise(bench, pids[4], 5, |facts| facts.state = RecordState::Closed);
        authorise(bench, pids[5], 6, |facts| facts.treating = vec![rpps("martin")]);
        authorise(bench, pids[6], 7, |facts| facts.authorisations = Vec::new());
        let page = cohort(bench, &plan(vec![token(7)]), first(10));
        let found: Vec<(Pid, i64)> = page.resources.iter().map(|stored| (stored.pid, stored.rid.0)).collect();
        assert_eq!(found, [(pids[5], 2), (pids[5], 1), (pids[0], 1)], "{}", bench.name);
        assert_eq!(page.total, Some(3));
        assert!(page.resources.iter().all(|stored| !stored.body.is_empty()));
        let stranger = cohort_as(bench, professional("stranger"), &plan(vec![token(7)]), first(10)).unwrap();
        assert_eq!((rids(&stranger), stranger.total), (vec![], Some(0)), "{}", bench.name);
    });
}

#[test]
fn a_professional_whose_structure_is_blocked_does_not_find_the_record_among_his() {
    on_both(|bench| {
        let pids: Vec<Pid> = (1..=2).map(|number| bench.record(&ins(number), &["martin"])).collect();
        for pid in &pids {
            bench.put(*pid, vec![observation(Rid(1), 1, &[7])]);
        }
        let structure = Finess::new("750000001").unwrap();
        let blocked = Actor::Structure(structure.clone());
        authorise(bench, pids[0], 1, |facts| facts.blocked = vec![blocked]);
        let Caller::Professional(mut martin) = professional("martin") else { panic!("no professional") };
        let found = |caller| {
            let page = cohort_as(bench, caller, &plan(vec![token(7)]), first(10)).unwrap();
            page.resources.iter().map(|stored| stored.pid).collect::<Vec<_>>()
        };
        assert_eq!(found(Caller::Professional(martin.clone())).len(), 2, "{}", bench.name);
        martin.structure = Some(structure);
        assert_eq!(found(Caller::Professional(martin)), [pids[1]], "{}", bench.name);
    });
}

#[test]
fn pages_over_several_records_go_on_as_they_began_while_others_write() {
    on_both(|bench| {
        let pids: Vec<Pid> = (1..=3).map(|number| bench.record(&ins(number), &["martin"])).collect();
        for (number, pid) in (0..).zip(&pids) {
            bench.put(*pid, (1..=4).map(|n| observation(Rid(n), n * 10 + number, &[7])).collect());
        }
        let plan = plan(vec![token(7)]);
        let whole: Vec<(Pid, i64)> = cohort(bench, &plan, first(100)).resources.iter().map(|one| (one.pid, one.rid.0)).collect();
        assert_eq!(whole.len(), 12, "{}", bench.name);
        let mut page = cohort(bench, &plan, first(2));
        let mut seen: Vec<(Pid, i64)> = page.resources.iter().map(|one| (one.pid, one.rid.0)).collect();
        let mut round = 0;
        while page.next.is_some() {
            round += 1;
            // One changes so that it matches no more or would stand elsewhere, one is new.
            bench.put(pids[round % 3], vec![observation(Rid(1), 1000, &[8]), observation(Rid(2), 2000, &[7])]);
            bench.put(pids[round % 3], vec![observation(Rid(100 + i64::try_from(round).unwrap()), 15, &[7])]);
            page = cohort(bench, &plan, next(&page, 2));
            assert_eq!(page.total, Some(12));
            seen.extend(page.resources.iter().map(|one| (one.pid, one.rid.0)));
        }
        assert_eq!(seen, whole, "{}", bench.name);
    });
}

#[test]
fn over_several_records_a_criterion_must_bound_the_search() {
    on_both(|bench| {
        let pid = bench.record(&ins(1), &["martin"]);
        bench.put(pid, vec![observation(Rid(1), 1, &[7])]);
        let unbounded = [
            vec![],
            vec![Predicate::Not(Box::new(token(7)))],
            vec![Predicate::Updated(vec![RangeTest::HiAbove(0.0)])],
            vec![Predicate::Any(vec![token(7), Predicate::Not(Box::new(token(8)))])],
        ];
        for predicates in unbounded {
            let result = cohort_as(bench, professional("martin"), &plan(predicates.clone()), first(10));
            assert_eq!(result.unwrap_err().kind(), IssueKind::TooCostly, "{} {predicates:?}", bench.name);
        }
        for predicates in [
            vec![Predicate::Range(Key(5), vec![RangeTest::HiAbove(0.0)]), token(7)],
            vec![Predicate::All(vec![token(7)])],
            vec![Predicate::Any(vec![token(7), token(8)])],
            vec![Predicate::Places(vec![(pid, Rid(1))])],
        ] {
            assert!(
                cohort_as(bench, professional("martin"), &plan(predicates.clone()), first(10)).is_ok(),
                "{} {predicates:?}",
                bench.name
            );
        }
    });
}

#[test]
fn more_than_twenty_thousand_candidates_are_refused_and_those_of_strangers_do_not_count() {
    on_both(|bench| {
        let (own, foreign) = (bench.record(&ins(1), &["martin"]), bench.record(&ins(2), &["durand"]));
        for chunk in 0..21 {
            bench.put(foreign, (0..1000).map(|n| observation(Rid(chunk * 1000 + n), n, &[7])).collect());
        }
        bench.put(own, vec![observation(Rid(1), 1, &[7])]);
        let page = cohort(bench, &plan(vec![token(7)]), first(10));
        assert_eq!((rids(&page), page.total), (vec![1], Some(1)), "{}: read from the caller's records", bench.name);
        let refused = cohort_as(bench, professional("durand"), &plan(vec![token(7)]), first(10));
        assert_eq!(refused.unwrap_err().kind(), IssueKind::TooCostly, "{}: never a partial answer", bench.name);
    });
}

#[test]
fn what_a_write_in_flight_brings_is_in_no_page_of_a_search_that_began_before_it_ended() {
    on_both(|bench| {
        let (one, other) = (bench.record(&ins(1), &["martin"]), bench.record(&ins(2), &["martin"]));
        bench.put(one, vec![observation(Rid(10), 10, &[7]), observation(Rid(1), 1, &[7])]);
        let (started, wait_started) = std::sync::mpsc::channel();
        let (finish, wait_finish) = std::sync::mpsc::channel::<()>();
        let mut page = None;
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let wait_finish = std::sync::Mutex::new(wait_finish);
                bench.write(move |unit| {
                    let access = writer(unit, other)?;
                    resource_put(unit, &access, &[observation(Rid(5), 5, &[7])])?;
                    started.send(()).unwrap();
                    wait_finish.lock().unwrap().recv().unwrap();
                    Ok(())
                })
            });
            wait_started.recv().unwrap();
            // Later than the write began, as its `updated` says.
            std::thread::sleep(std::time::Duration::from_millis(5));
            page = Some(cohort(bench, &plan(vec![token(7)]), first(1)));
            finish.send(()).unwrap();
        });
        let page = page.unwrap();
        assert_eq!((rids(&page), page.total), (vec![10], Some(2)), "{}", bench.name);
        assert_eq!(rids(&cohort(bench, &plan(vec![token(7)]), next(&page, 9))), [1], "{}", bench.name);
        assert_eq!(rids(&cohort(bench, &plan(vec![token(7)]), first(9))), [10, 5, 1], "{}", bench.name);
    });
}
