//! Searches of the store on both databases: predicates, order, pages under concurrent writes, several records.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failure of a helper is a failure of its test"
)]
use crate::store::{Bench, ins, kind, observation, on_both, professional, reader, searcher};
use dmp_fhir::auth::Caller;
use dmp_fhir::fhir::Problem;
use dmp_fhir::fhir::interaction::{RecordName, SearchPlace};
use dmp_fhir::fhir::outcome::IssueKind;
use dmp_fhir::ids::{Pid, Rid};
use dmp_fhir::policy::permit::label;
use dmp_fhir::search::{IndexRows, Key, Plan, Predicate, RangeTest, Sort};
use dmp_fhir::store::{
    Cursor, NewResource, Page, PageRequest, Stored, resource_places, resource_referring, resource_search, resource_search_ordered,
};

pub(crate) fn plan(predicates: Vec<Predicate>) -> Plan {
    Plan { resource_type: kind("Observation"), predicates, recheck: false, sort: Vec::new() }
}
pub(crate) fn token(key: i64) -> Predicate {
    Predicate::Tokens(vec![Key(key)])
}
pub(crate) fn rids(page: &Page) -> Vec<i64> {
    page.resources.iter().map(|stored| stored.rid.0).collect()
}
pub(crate) fn first(count: usize) -> PageRequest {
    PageRequest { count, total: true, cursor: None, query: None }
}
pub(crate) fn next(page: &Page, count: usize) -> PageRequest {
    PageRequest { count, total: true, cursor: page.next.clone(), query: None }
}

/// One search in one record.
fn search_as(bench: &Bench, caller: Caller, pid: Pid, plan: &Plan, page: PageRequest) -> Result<Page, Problem> {
    let plan = plan.clone();
    bench.read(move |unit| {
        let access = searcher(unit, &caller, SearchPlace::Record(RecordName::Pid(pid)), plan.resource_type.name())?;
        resource_search(unit, &access, &plan, &page, &mut |_| true)
    })
}
fn search(bench: &Bench, pid: Pid, plan: &Plan, page: PageRequest) -> Page {
    search_as(bench, professional("martin"), pid, plan, page).unwrap()
}
/// One search over the caller's records.
pub(crate) fn cohort_as(bench: &Bench, caller: Caller, plan: &Plan, page: PageRequest) -> Result<Page, Problem> {
    let plan = plan.clone();
    bench.read(move |unit| {
        let access = searcher(unit, &caller, SearchPlace::Cohort, plan.resource_type.name())?;
        resource_search(unit, &access, &plan, &page, &mut |_| true)
    })
}
pub(crate) fn cohort(bench: &Bench, plan: &Plan, page: PageRequest) -> Page {
    cohort_as(bench, professional("martin"), plan, page).unwrap()
}

#[test]
fn the_newest_come_first_page_after_page_with_the_exact_total() {
    on_both(|bench| {
        let pid = bench.record(&ins(1), &["martin"]);
        let new = (1..=7).map(|n| observation(Rid(n), n * 10, if n == 4 { &[8] } else { &[7] })).collect();
        bench.put(pid, new);
        let page = search(bench, pid, &plan(vec![token(7)]), first(4));
        assert_eq!((rids(&page), page.total), (vec![7, 6, 5, 3], Some(6)), "{}", bench.name);
        let page = search(bench, pid, &plan(vec![token(7)]), next(&page, 4));
        assert_eq!((rids(&page), page.total, page.next), (vec![2, 1], Some(6), None), "{}", bench.name);
        let none = search(bench, pid, &plan(vec![token(7)]), first(0));
        assert_eq!((rids(&none), none.total, none.next), (vec![], Some(6), None), "_summary=count");
    });
}

#[test]
fn resources_without_a_date_come_last_and_equal_dates_are_told_apart_by_number() {
    on_both(|bench| {
        let pid = bench.record(&ins(1), &["martin"]);
        let new = [(1, 5), (2, IndexRows::NO_DATE), (3, 5), (4, 9)].map(|(rid, ts)| observation(Rid(rid), ts, &[]));
        bench.put(pid, new.to_vec());
        let mut seen = Vec::new();
        let mut request = first(1);
        loop {
            let page = search(bench, pid, &plan(vec![]), request);
            seen.extend(rids(&page));
            if page.next.is_none() {
                break;
            }
            request = next(&page, 1);
        }
        assert_eq!(seen, [4, 3, 1, 2], "{}", bench.name);
    });
}

fn with_ranges(rid: i64, ts: i64, ranges: &[(i64, f64, f64)], texts: &[(i64, &str)]) -> NewResource {
    let mut new = observation(Rid(rid), ts, &[]);
    new.rows.ranges = ranges.iter().map(|(key, lo, hi)| (Key(*key), *lo, *hi)).collect();
    new.rows.texts = texts.iter().map(|(key, text)| (Key(*key), (*text).to_owned())).collect();
    new
}

#[test]
fn intervals_compare_as_the_prefixes_of_r4_say() {
    on_both(|bench| {
        let pid = bench.record(&ins(1), &["martin"]);
        // 1: [0, 10), 2: [5, 15), 3: [10, 20)
        bench.put(
            pid,
            vec![
                with_ranges(1, 1, &[(5, 0.0, 10.0)], &[]),
                with_ranges(2, 2, &[(5, 5.0, 15.0)], &[]),
                with_ranges(3, 3, &[(5, 10.0, 20.0), (6, 0.0, f64::INFINITY)], &[]),
            ],
        );
        for (test, expected) in [
            (RangeTest::Within(0.0, 15.0), vec![2, 1]),
            (RangeTest::NotWithin(0.0, 15.0), vec![3]),
            (RangeTest::HiAbove(15.0), vec![3]),
            (RangeTest::LoBelow(10.0), vec![2, 1]),
            (RangeTest::LoAtLeast(10.0), vec![3]),
            (RangeTest::HiAtMost(15.0), vec![2, 1]),
            (RangeTest::Overlaps(10.0, 12.0), vec![3, 2]),
        ] {
            let page = search(bench, pid, &plan(vec![Predicate::Range(Key(5), vec![test])]), first(10));
            assert_eq!(rids(&page), expected, "{} {test:?}", bench.name);
        }
        let open_end = Predicate::Range(Key(6), vec![RangeTest::HiAbove(1e300)]);
        assert_eq!(rids(&search(bench, pid, &plan(vec![open_end]), first(10))), [3], "{}", bench.name);
    });
}

#[test]
fn a_prefix_is_compared_bytewise_also_with_accents_and_wildcards_in_it() {
    on_both(|bench| {
        let pid = bench.record(&ins(1), &["martin"]);
        bench.put(
            pid,
            vec![
                with_ranges(1, 1, &[], &[(5, "dupont")]),
                with_ranges(2, 2, &[], &[(5, "dup%nt")]),
                with_ranges(3, 3, &[], &[(5, "éluard"), (6, "dupont")]),
                with_ranges(4, 4, &[], &[(5, "dup\u{10FFFF}"), (5, "nul\0")]),
            ],
        );
        for (prefix, expected) in
            [("dup", vec![4, 2, 1]), ("dup%", vec![2]), ("é", vec![3]), ("z", vec![]), ("", vec![4, 3, 2, 1]), ("nul", vec![4])]
        {
            let page = search(bench, pid, &plan(vec![Predicate::Text(Key(5), vec![prefix.into()])]), first(10));
            assert_eq!(rids(&page), expected, "{} {prefix:?}", bench.name);
        }
    });
}

#[test]
fn sort_by_value_puts_those_without_last_in_both_directions() {
    on_both(|bench| {
        let pid = bench.record(&ins(1), &["martin"]);
        bench.put(
            pid,
            vec![
                with_ranges(1, 1, &[(5, 3.0, 4.0)], &[]),
                with_ranges(2, 2, &[], &[]),
                with_ranges(3, 3, &[(5, 1.0, 9.0)], &[]),
                with_ranges(4, 4, &[(5, 1.0, 2.0)], &[]),
            ],
        );
        for (sort, expected) in [
            (vec![Sort::Range { key: Key(5), descending: false }], [3, 4, 1, 2]),
            (vec![Sort::Range { key: Key(5), descending: true }], [3, 1, 4, 2]),
            (vec![Sort::ClinicalDate { descending: false }], [1, 2, 3, 4]),
            (vec![Sort::Range { key: Key(5), descending: false }, Sort::ClinicalDate { descending: true }], [4, 3, 1, 2]),
            (vec![Sort::Updated { descending: true }, Sort::ClinicalDate { descending: false }], [1, 2, 3, 4]),
        ] {
            let plan = Plan { sort, ..plan(vec![]) };
            let mut seen = Vec::new();
            let mut page = search(bench, pid, &plan, first(1));
            seen.extend(rids(&page));
            while page.next.is_some() {
                page = search(bench, pid, &plan, next(&page, 1));
                seen.extend(rids(&page));
            }
            assert_eq!(seen, expected, "{} {:?}", bench.name, plan.sort);
        }
    });
}

// ---- random plans against an oracle that uses no code of the store

struct Dice(u64);
impl Dice {
    fn throw(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
    fn number(&mut self) -> f64 {
        f64::from(u32::try_from(self.throw(12)).unwrap())
    }
    fn resource(&mut self, rid: i64) -> NewResource {
        let mut new = observation(Rid(rid), i64::try_from(self.throw(6)).unwrap(), &[]);
        new.rows.tokens = (0..self.throw(4)).map(|_| Key(i64::try_from(self.throw(5)).unwrap())).collect();
        for _ in 0..self.throw(3) {
            let lo = self.number();
            new.rows.ranges.push((Key(50 + i64::try_from(self.throw(2)).unwrap()), lo, lo + 1.0 + self.number()));
        }
        for _ in 0..self.throw(2) {
            new.rows.texts.push((Key(60), ["a", "ab", "abc", "b"][usize::try_from(self.throw(4)).unwrap()].into()));
        }
        new
    }
    fn test(&mut self) -> RangeTest {
        let (a, b) = (self.number(), self.number() + 3.0);
        match self.throw(7) {
            0 => RangeTest::Within(a, a + b),
            1 => RangeTest::NotWithin(a, a + b),
            2 => RangeTest::HiAbove(a),
            3 => RangeTest::LoBelow(a),
            4 => RangeTest::LoAtLeast(a),
            5 => RangeTest::HiAtMost(a),
            _ => RangeTest::Overlaps(a, a + b),
        }
    }
    fn predicate(&mut self, depth: u64, pid: Pid) -> Predicate {
        match self.throw(if depth == 0 { 5 } else { 8 }) {
            0 | 1 => Predicate::Tokens((0..=self.throw(2)).map(|_| Key(i64::try_from(self.throw(5)).unwrap())).collect()),
            2 => Predicate::Range(
                Key(50 + i64::try_from(self.throw(2)).unwrap()),
                (0..=self.throw(2)).map(|_| self.test()).collect(),
            ),
            3 => Predicate::Text(Key(60), vec![["a", "ab", "b", "c"][usize::try_from(self.throw(4)).unwrap()].into()]),
            4 => Predicate::Places((0..self.throw(9)).map(|_| (pid, Rid(i64::try_from(self.throw(40)).unwrap()))).collect()),
            5 => Predicate::All((0..self.throw(3)).map(|_| self.predicate(depth - 1, pid)).collect()),
            6 => Predicate::Any((0..self.throw(3)).map(|_| self.predicate(depth - 1, pid)).collect()),
            _ => Predicate::Not(Box::new(self.predicate(depth - 1, pid))),
        }
    }
}

fn oracle(predicate: &Predicate, new: &NewResource, pid: Pid) -> bool {
    match predicate {
        Predicate::Tokens(keys) => keys.iter().any(|key| new.rows.tokens.contains(key)),
        Predicate::Range(key, tests) => new.rows.ranges.iter().filter(|range| range.0 == *key).any(|(_, lo, hi)| {
            tests.iter().any(|test| match *test {
                RangeTest::Within(a, b) => a <= *lo && *hi <= b,
                RangeTest::NotWithin(a, b) => !(a <= *lo && *hi <= b),
                RangeTest::HiAbove(a) => *hi > a,
                RangeTest::LoBelow(a) => *lo < a,
                RangeTest::LoAtLeast(a) => *lo >= a,
                RangeTest::HiAtMost(a) => *hi <= a,
                RangeTest::Overlaps(a, b) => *lo < b && *hi > a,
            })
        }),
        Predicate::Text(key, starts) => {
            new.rows.texts.iter().any(|(of, text)| of == key && starts.iter().any(|start| text.starts_with(start)))
        }
        Predicate::Places(places) => places.contains(&(pid, new.rid)),
        Predicate::Within(records) => records.contains(&pid),
        Predicate::All(list) => list.iter().all(|inner| oracle(inner, new, pid)),
        Predicate::Any(list) => list.iter().any(|inner| oracle(inner, new, pid)),
        Predicate::Not(inner) => !oracle(inner, new, pid),
        Predicate::Updated(_)
        | Predicate::Linked(..)
        | Predicate::LinkedFrom(..)
        | Predicate::Repeats(_)
        | Predicate::Behind(_) => panic!("not thrown"),
    }
}

#[test]
fn random_plans_find_what_an_oracle_finds_and_the_same_after_everything_has_changed() {
    on_both(|bench| {
        let pid = bench.record(&ins(1), &["martin"]);
        let mut dice = Dice(7);
        let before: Vec<NewResource> = (0..40).map(|rid| dice.resource(rid)).collect();
        bench.put(pid, before.clone());
        let mut pages = Vec::new();
        let (mut hits, mut misses) = (0, 0);
        for _ in 0..150 {
            let plan = plan((0..=dice.throw(2)).map(|_| dice.predicate(2, pid)).collect());
            let mut expected: Vec<&NewResource> =
                before.iter().filter(|new| plan.predicates.iter().all(|one| oracle(one, new, pid))).collect();
            expected.sort_by_key(|new| std::cmp::Reverse((new.rows.ts, new.rid)));
            let expected: Vec<i64> = expected.iter().map(|new| new.rid.0).collect();
            let page = search(bench, pid, &plan, first(3));
            assert_eq!(page.total, Some(u64::try_from(expected.len()).unwrap()), "{} {plan:?}", bench.name);
            assert_eq!(rids(&page), expected[..expected.len().min(3)], "{} {plan:?}", bench.name);
            hits += expected.len();
            misses += 40 - expected.len();
            pages.push((plan, page, expected));
        }
        assert!(hits * 10 > misses && misses * 10 > hits, "{hits} hits, {misses} misses: the plans decide nothing");
        // Every resource changes, and new ones come: the later pages go on as if nothing had happened.
        bench.put(pid, (0..60).map(|rid| dice.resource(rid)).collect());
        for (plan, page, expected) in pages {
            let mut seen = rids(&page);
            let mut last = page;
            while last.next.is_some() {
                last = search(bench, pid, &plan, next(&last, 4));
                seen.extend(rids(&last));
            }
            assert_eq!(seen, expected, "{} {plan:?}", bench.name);
        }
    });
}

#[test]
fn what_is_withdrawn_between_two_pages_is_gone_from_the_second() {
    on_both(|bench| {
        let pid = bench.record(&ins(1), &["martin"]);
        bench.put(pid, (1..=4).map(|n| observation(Rid(n), n, &[7])).collect());
        let page = search(bench, pid, &plan(vec![token(7)]), first(1));
        let mut withdrawn = observation(Rid(2), 2, &[7]);
        withdrawn.labels = label::WITHDRAWN;
        bench.put(pid, vec![withdrawn]);
        assert_eq!(rids(&search(bench, pid, &plan(vec![token(7)]), next(&page, 9))), [3, 1], "{}", bench.name);
    });
}

#[test]
fn where_predicates_are_a_superset_bodies_decide_also_the_total() {
    on_both(|bench| {
        let pid = bench.record(&ins(1), &["martin"]);
        // More than one batch of bodies.
        for chunk in 0..3 {
            bench.put(pid, (0..400).map(|n| observation(Rid(chunk * 400 + n), chunk * 400 + n, &[7])).collect());
        }
        let page = bench
            .read(move |unit| {
                let access = searcher(unit, &professional("martin"), SearchPlace::Record(RecordName::Pid(pid)), "Observation")?;
                let plan = Plan { recheck: true, ..plan(vec![token(7)]) };
                let mut even = |stored: &Stored| stored.rid.0 % 2 == 0 && stored.body.starts_with(b"{\"resourceType\"");
                resource_search(unit, &access, &plan, &first(3), &mut even)
            })
            .unwrap();
        assert_eq!((rids(&page), page.total), (vec![1198, 1196, 1194], Some(600)), "{}", bench.name);
    });
}

#[test]
fn a_cursor_serves_only_its_own_search_and_caller() {
    on_both(|bench| {
        let (one, other) = (bench.record(&ins(1), &["martin", "durand"]), bench.record(&ins(2), &["martin"]));
        for pid in [one, other] {
            bench.put(pid, (1..=3).map(|n| observation(Rid(n), n, &[7])).collect());
        }
        let page = search(bench, one, &plan(vec![token(7)]), first(1));
        let text = page.next.clone().unwrap().as_text().to_owned();
        let with = |text: &str| PageRequest { count: 1, total: false, cursor: Some(Cursor::from_text(text)), query: None };
        let kind_of = |result: Result<Page, Problem>| result.map(|page| rids(&page)).map_err(|problem| problem.kind());
        let refused = Err(IssueKind::ParameterInvalid);
        let martin = || professional("martin");
        assert_eq!(kind_of(search_as(bench, martin(), one, &plan(vec![token(7)]), with(&text))), Ok(vec![2]), "{}", bench.name);
        assert_eq!(kind_of(search_as(bench, martin(), one, &plan(vec![token(8)]), with(&text))), refused);
        assert_eq!(kind_of(search_as(bench, martin(), other, &plan(vec![token(7)]), with(&text))), refused);
        assert_eq!(kind_of(search_as(bench, professional("durand"), one, &plan(vec![token(7)]), with(&text))), refused);
        for forged in ["", "AAAA", "é", text.get(1..).unwrap_or_default(), &format!("{text}A"), &"A".repeat(5000)] {
            assert_eq!(kind_of(search_as(bench, martin(), one, &plan(vec![token(7)]), with(forged))), refused, "{forged}");
        }
    });
}

#[test]
fn a_chain_finds_through_references_and_never_through_a_hidden_resource() {
    const BASE: i64 = 3 << 49;
    on_both(|bench| {
        let pid = bench.record(&ins(1), &["martin"]);
        let report = |rid: i64, to: i64| NewResource {
            resource_type: kind("DiagnosticReport"),
            ..observation(Rid(rid), rid, &[BASE + to])
        };
        let mut hidden = observation(Rid(2), 2, &[7]);
        hidden.labels = label::MASQUE_PS;
        bench.put(
            pid,
            vec![observation(Rid(1), 1, &[7]), hidden, observation(Rid(3), 3, &[8]), report(11, 1), report(12, 2), report(13, 3)],
        );
        let inner = Box::new(plan(vec![token(7)]));
        let chain = Plan { resource_type: kind("DiagnosticReport"), ..plan(vec![Predicate::Linked(Key(BASE), inner)]) };
        assert_eq!(rids(&search(bench, pid, &chain, first(9))), [11], "{}", bench.name);
        assert_eq!(rids(&cohort(bench, &chain, first(9))), [11], "{} cohort", bench.name);
        let has = |rid: i64| {
            let reports =
                Plan { resource_type: kind("DiagnosticReport"), ..plan(vec![Predicate::Places(vec![(pid, Rid(rid))])]) };
            plan(vec![Predicate::LinkedFrom(Key(BASE), Box::new(reports))])
        };
        assert_eq!(rids(&search(bench, pid, &has(11), first(9))), [1], "{}", bench.name);
        assert_eq!(rids(&search(bench, pid, &has(12), first(9))), Vec::<i64>::new(), "{}", bench.name);
        let not = plan(vec![token(7), Predicate::Not(Box::new(has(11).predicates.remove(0)))]);
        assert_eq!(rids(&search(bench, pid, &not, first(9))), Vec::<i64>::new(), "{}", bench.name);
    });
}

#[test]
fn includes_give_only_what_the_access_sees() {
    const BASE: i64 = 4 << 49;
    on_both(|bench| {
        let (pid, closed) = (bench.record(&ins(1), &["martin"]), bench.record(&ins(2), &[]));
        let mut hidden = observation(Rid(2), 2, &[BASE + 1]);
        hidden.labels = label::MASQUE_PS;
        bench.put(
            pid,
            vec![observation(Rid(1), 1, &[]), hidden, observation(Rid(3), 3, &[BASE + 1]), observation(Rid(4), 4, &[BASE + 3])],
        );
        bench.put(closed, vec![observation(Rid(1), 1, &[]), observation(Rid(3), 3, &[BASE + 1])]);
        let places = vec![(pid, Rid(1)), (pid, Rid(2)), (closed, Rid(1)), (pid, Rid(99))];
        let (included, referring) = bench
            .read(move |unit| {
                let access = reader(unit, &professional("martin"), pid, "Observation")?;
                let included = resource_places(unit, &access, &places)?;
                let referring = resource_referring(unit, &access, Key(BASE), &plan(vec![]), &places, 100)?;
                Ok((included, referring))
            })
            .unwrap();
        let place = |stored: &Stored| (stored.pid, stored.rid.0);
        assert_eq!(included.iter().map(place).collect::<Vec<_>>(), [(pid, 1)], "{}", bench.name);
        assert_eq!(referring.iter().map(place).collect::<Vec<_>>(), [(pid, 3)], "{}", bench.name);
    });
}

#[test]
fn an_order_that_only_bodies_give_holds_over_pages_also_when_everything_changes() {
    on_both(|bench| {
        let pid = bench.record(&ins(1), &["martin"]);
        // By the last digit of the number, which only this test's comparison knows.
        bench.put(pid, [13, 21, 32, 41, 52, 60].map(|rid| observation(Rid(rid), rid, &[7])).to_vec());
        let ordered = |page: PageRequest| {
            bench
                .read(move |unit| {
                    let access =
                        searcher(unit, &professional("martin"), SearchPlace::Record(RecordName::Pid(pid)), "Observation")?;
                    let mut digit = |stored: &Stored| stored.rid.0 % 10;
                    let plan = plan(vec![token(7)]);
                    resource_search_ordered(unit, &access, &plan, &page, &mut |_| true, &mut digit, &i64::cmp)
                })
                .unwrap()
        };
        let page = ordered(first(2));
        assert_eq!((rids(&page), page.total), (vec![60, 21], Some(6)), "{}", bench.name);
        // The last one given is withdrawn, one changes so that it matches no more, one is new.
        let mut withdrawn = observation(Rid(21), 21, &[7]);
        withdrawn.labels = label::WITHDRAWN;
        bench.put(pid, vec![withdrawn, observation(Rid(32), 32, &[8]), observation(Rid(71), 71, &[7])]);
        let page = ordered(next(&page, 2));
        assert_eq!((rids(&page), page.total), (vec![41, 32], Some(6)), "{}", bench.name);
        let page = ordered(next(&page, 9));
        assert_eq!((rids(&page), page.next), (vec![52, 13], None), "{}", bench.name);
    });
}

#[test]
fn last_updated_is_compared_as_it_was_when_the_search_began() {
    on_both(|bench| {
        let pid = bench.record(&ins(1), &["martin"]);
        bench.put(pid, vec![observation(Rid(1), 1, &[7])]);
        bench.put(pid, vec![observation(Rid(2), 2, &[7]), observation(Rid(3), 3, &[7])]);
        let updated = |rid| bench.get(professional("martin"), pid, "Observation", Rid(rid)).unwrap().updated.0;
        let two = updated(2);
        assert!(two > updated(1), "the second write is later");
        let at = value_of;
        for (test, expected) in [
            (RangeTest::Within(at(two), at(two + 1)), vec![3, 2]),
            (RangeTest::LoBelow(at(two)), vec![1]),
            (RangeTest::HiAbove(at(two)), vec![3, 2]),
            (RangeTest::HiAbove(at(two + 1)), vec![]),
        ] {
            let page = search(bench, pid, &plan(vec![Predicate::Updated(vec![test])]), first(10));
            assert_eq!(rids(&page), expected, "{} {test:?}", bench.name);
        }
        let before = plan(vec![Predicate::Updated(vec![RangeTest::LoBelow(at(two + 1))])]);
        let page = search(bench, pid, &before, first(1));
        bench.put(pid, vec![observation(Rid(2), 2, &[7])]);
        assert_eq!(rids(&search(bench, pid, &before, next(&page, 9))), [2, 1], "{}: changed since", bench.name);
    });
}

/// Milliseconds as a search value.
fn value_of(millis: i64) -> f64 {
    f64::from(u32::try_from(millis / 1_000_000).unwrap()) * 1e6 + f64::from(u32::try_from(millis % 1_000_000).unwrap())
}
