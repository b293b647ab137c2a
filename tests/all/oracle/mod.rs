//! Random resources, random queries: what the server answers, on both databases, against an oracle that is written from
//! the standard and uses no code of `src/search` or `src/store`. <https://hl7.org/fhir/R4/search.html>
//!
//! `DMP_FHIR_TEST_CASES` sets the number of queries, `DMP_FHIR_TEST_SEED` another seed. A failure prints a query with as few
//! conditions as still fail, what is missing and what is too much.
mod answer;
mod ask;
mod data;
mod dice;
mod fill;
mod links;
mod near;
mod notes;
mod parameters;
mod pool;
mod query;
mod values;

use crate::harness::{World, on_both};
use answer::check;
use ask::{Asker, FEATURES};
use dice::Dice;
use pool::{Place, Pool};
use query::{Condition, Query};
use std::collections::BTreeMap;
use std::sync::Mutex;

const CASES: u64 = 2_000;
const SEED: u64 = 20_261_124;
/// Queries asked of the same resources.
const CASES_OF_ONE_WORLD: u64 = 1_000;
/// Queries under way at once.
const CLIENTS: u64 = 4;
/// Failures after which the rest is not asked.
const FAILURES_MAX: usize = 40;

#[expect(clippy::disallowed_methods, reason = "settings of the test, not of the server")]
fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// What has been asked so far.
#[derive(Default)]
struct Tally {
    cases: u64,
    decided: u64,
    features: BTreeMap<&'static str, u64>,
    failures: Vec<String>,
}

#[test]
fn random_queries_answer_what_the_standard_says() {
    let (cases, seed) = (setting("DMP_FHIR_TEST_CASES", CASES), setting("DMP_FHIR_TEST_SEED", SEED));
    println!("{cases} cases, seed {seed}");
    let tally = Mutex::new(Tally::default());
    let mut first = 0;
    while first < cases {
        let many = CASES_OF_ONE_WORLD.min(cases - first);
        on_both(|world| run(world, seed, first..first + many, &tally));
        first += many;
    }
    report(&tally.into_inner().unwrap());
}

/// Fills one world and asks the cases of these numbers.
fn run(world: &World, seed: u64, cases: std::ops::Range<u64>, tally: &Mutex<Tally>) {
    let pool = fill::fill(world, &mut Dice::of_case(seed, u64::MAX - cases.start));
    let patients: Vec<String> = pool.of("Patient", &Place::Cohort).map(|entry| entry.id().to_owned()).collect();
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (pool, patients, cases) = (&pool, &patients, cases.clone());
            scope.spawn(move || {
                for case in cases.filter(|case| case % CLIENTS == client) {
                    one(world, pool, patients, seed, case, tally);
                }
            });
        }
    });
}

fn one(world: &World, pool: &Pool, patients: &[String], seed: u64, case: u64, tally: &Mutex<Tally>) {
    if tally.lock().unwrap().failures.len() >= FAILURES_MAX {
        return;
    }
    let feature = FEATURES[usize::try_from(case).unwrap() % FEATURES.len()];
    let mut dice = Dice::of_case(seed, case);
    let asked = (0..200).find_map(|_| {
        let mut asker = Asker { dice: &mut dice, pool, patients, features: Default::default() };
        let query = asker.query(feature)?;
        Some((query, asker.features))
    });
    let (query, mut features) = asked.unwrap_or_else(|| panic!("no query has the feature {feature}"));
    let caller = world.general_practitioner();
    let found = check(&caller, pool, &query);
    let failure = found.as_ref().err().map(|_| {
        let (query, difference) = shrunk(query.clone(), &|query| check(&caller, pool, query).err());
        format!("case {case} ({feature}) of seed {seed}: {}\n  in {:?}\n  {difference}", query.readable(), query.place.unwrap())
    });
    let mut tally = tally.lock().unwrap();
    tally.failures.extend(failure);
    if let Ok(found) = found {
        tally.cases += 1;
        if found.hits > 0 && found.non_hits > 0 {
            tally.decided += 1;
        }
        if found.pages > 1 {
            features.insert("pages");
        }
    }
    for feature in features {
        *tally.features.entry(feature).or_default() += 1;
    }
}

/// The query with as little in it as still fails, and how it does.
fn shrunk(mut query: Query, fails: &dyn Fn(&Query) -> Option<String>) -> (Query, String) {
    let mut difference = fails(&query).unwrap_or_else(|| "only once: the answer has changed".to_owned());
    'again: loop {
        for smaller in smaller(&query) {
            if let Some(found) = fails(&smaller) {
                (query, difference) = (smaller, found);
                continue 'again;
            }
        }
        return (query, difference);
    }
}

/// The query with one thing less, in every way.
fn smaller(query: &Query) -> Vec<Query> {
    let mut all = Vec::new();
    // The first condition names the record, or bounds a search over several.
    let kept = usize::from(query.place != Some(Place::Directory));
    for index in kept..query.conditions.len() {
        let mut less = query.clone();
        less.conditions.remove(index);
        all.push(less);
        if let Condition::Values(_, _, given) = &query.conditions[index] {
            for one in (0..given.len()).filter(|_| given.len() > 1) {
                let mut less = query.clone();
                if let Condition::Values(_, _, given) = &mut less.conditions[index] {
                    given.remove(one);
                }
                all.push(less);
            }
        }
    }
    for index in 0..query.includes.len() {
        let mut less = query.clone();
        less.includes.remove(index);
        all.push(less);
    }
    for index in 0..query.sort.len() {
        let mut less = query.clone();
        less.sort.remove(index);
        all.push(less);
    }
    let without = |has: bool, change: &dyn Fn(&mut Query)| {
        let mut less = query.clone();
        change(&mut less);
        has.then_some(less)
    };
    all.extend(without(query.count.is_some(), &|query| query.count = None));
    all.extend(without(query.total.is_some(), &|query| query.total = None));
    all.extend(without(query.summary.is_some(), &|query| query.summary = None));
    all.extend(without(!query.elements.is_empty(), &|query| query.elements.clear()));
    all
}

fn report(tally: &Tally) {
    for failure in &tally.failures {
        println!("{failure}\n");
    }
    let share = |count: u64| {
        format!(
            "{:.1} %",
            100.0 * f64::from(u32::try_from(count).unwrap()) / f64::from(u32::try_from(tally.cases.max(1)).unwrap())
        )
    };
    println!("{} queries answered, {} with hits and non-hits ({})", tally.cases, tally.decided, share(tally.decided));
    for feature in FEATURES {
        println!("{feature:24} {}", share(tally.features.get(feature).copied().unwrap_or(0)));
    }
    assert!(tally.failures.is_empty(), "{} queries answered otherwise than the standard says", tally.failures.len());
    assert!(tally.decided * 10 >= tally.cases * 3, "too few queries have hits and non-hits");
    for feature in FEATURES {
        let count = tally.features.get(feature).copied().unwrap_or(0);
        assert!(count * 100 >= tally.cases, "{feature} stands in {} of the queries", share(count));
    }
}
