//! Pages hold: nothing is lost or repeated, totals are counted after access, cursors are sealed.
use crate::harness::actor::{link, resources};
use crate::harness::server::World;
use crate::harness::{CHILD, PAT_TROIS, Report, on_both};
use serde_json::Value;
use std::collections::BTreeSet;

const RESULTS: usize = 25;

/// 25 results of one analysis, one a day of March 2026.
fn filed(world: &World) -> String {
    let patient = world.open_record_for_practitioner(&PAT_TROIS).patient;
    let mut report = Report::of(&PAT_TROIS, 1);
    for day in 1..=RESULTS {
        report = report.result("2160-0", &format!("{}", 60 + day), "umol/L", &format!("202603{day:02}080000+0100"));
    }
    report.deposit().filed_by(&world.hospital_system());
    patient
}

fn values(resources: &[Value]) -> Vec<i64> {
    resources.iter().map(|resource| resource["valueQuantity"]["value"].as_i64().unwrap()).collect()
}

#[test]
fn every_page_together_gives_each_resource_once_newest_first() {
    on_both(|world| {
        let patient = filed(world);
        let doctor = world.general_practitioner();
        for count in [1, 7, 24, 25, 26] {
            let pages = doctor.pages(&format!("Observation?patient={patient}&code=2160-0&_count={count}"));
            assert!(pages.iter().all(|page| resources(page).len() <= count));
            let all: Vec<_> = pages.iter().flat_map(resources).collect();
            assert_eq!(values(&all), (61..=85).rev().collect::<Vec<_>>(), "_count={count}");
        }
    });
}

#[test]
fn sort_orders_by_date_both_ways() {
    on_both(|world| {
        let patient = filed(world);
        let doctor = world.general_practitioner();
        let sorted =
            |sort: &str| values(&doctor.search(&format!("Observation?patient={patient}&code=2160-0&_count=10&_sort={sort}")));
        assert_eq!(sorted("date"), (61..=85).collect::<Vec<_>>());
        assert_eq!(sorted("-date"), (61..=85).rev().collect::<Vec<_>>());
    });
}

#[test]
fn the_total_is_exact_in_one_record_and_count_0_gives_it_alone() {
    on_both(|world| {
        let patient = filed(world);
        let doctor = world.general_practitioner();
        let page = doctor.read(&format!("Observation?patient={patient}&code=2160-0&_count=10"));
        assert_eq!(page["total"], 25);
        let total = doctor.read(&format!("Observation?patient={patient}&code=2160-0&_count=0"));
        assert_eq!((&total["total"], resources(&total).len()), (&Value::from(25), 0));
    });
}

#[test]
fn what_comes_while_one_pages_neither_hides_nor_repeats_anything() {
    on_both(|world| {
        let patient = filed(world);
        let doctor = world.general_practitioner();
        let mut page = doctor.read(&format!("Observation?patient={patient}&code=2160-0&_count=10"));
        let mut seen = values(&resources(&page));
        let newer =
            Report::of(&PAT_TROIS, 2).result("2160-0", "200", "umol/L", "20260331").result("2160-0", "201", "umol/L", "20260301");
        newer.deposit().filed_by(&world.hospital_system());
        while let Some(next) = link(&page, "next") {
            page = doctor.read(&next);
            seen.extend(values(&resources(&page)));
        }
        assert_eq!(seen, (61..=85).rev().collect::<Vec<_>>(), "later pages show the state of the first");
    });
}

#[test]
fn a_cursor_is_sealed_and_bound_to_the_right_to_read() {
    on_both(|world| {
        let patient = filed(world);
        let page = world.general_practitioner().read(&format!("Observation?patient={patient}&code=2160-0&_count=10"));
        let next = link(&page, "next").unwrap();
        assert!(!next.contains("2160-0") || !next.contains(PAT_TROIS.ins), "{next}");
        assert!([400, 403].contains(&world.stranger().get(&next).status), "a cursor is no right to read");
        let middle = next.len() - 6;
        let mut forged = next.clone().into_bytes();
        forged[middle] = if forged[middle] == b'A' { b'B' } else { b'A' };
        let answer = world.general_practitioner().get(&String::from_utf8(forged).unwrap());
        assert!([400, 404, 410].contains(&answer.status), "{}", answer.text());
    });
}

#[test]
fn links_say_the_query_as_it_was_understood() {
    on_both(|world| {
        let patient = filed(world);
        let doctor = world.general_practitioner();
        let page = doctor.read(&format!("Observation?patient={patient}&code=2160-0&_count=10"));
        let own = link(&page, "self").unwrap();
        assert!(own.starts_with(&format!("{}/Observation?", doctor.base)), "{own}");
        assert!(own.contains("code=2160-0"), "{own}");
        for entry in page["entry"].as_array().unwrap() {
            assert_eq!(entry["search"]["mode"], "match");
            let url = entry["fullUrl"].as_str().unwrap();
            assert_eq!(url, format!("{}/Observation/{}", doctor.base, entry["resource"]["id"].as_str().unwrap()));
        }
    });
}

#[test]
fn a_search_by_post_finds_the_same() {
    on_both(|world| {
        let patient = filed(world);
        let doctor = world.general_practitioner();
        let form = format!("patient={patient}&code=2160-0&date=ge2026-03-20").into_bytes();
        let headers = [("Content-Type", "application/x-www-form-urlencoded"), ("Accept", "application/fhir+json")];
        let posted = doctor.send("POST", "Observation/_search", &headers, form).expect(200);
        assert_eq!(values(&resources(&posted)), (80..=85).rev().collect::<Vec<_>>());
    });
}

#[test]
fn dates_are_compared_as_intervals() {
    on_both(|world| {
        let patient = filed(world);
        let doctor = world.general_practitioner();
        let count = |query: &str| doctor.search(&format!("Observation?patient={patient}&code=2160-0&{query}")).len();
        assert_eq!(count("date=2026-03"), 25);
        assert_eq!(count("date=2026-03-04"), 1);
        assert_eq!(count("date=ge2026-03-04&date=lt2026-03-07"), 3);
        assert_eq!(count("date=2025"), 0);
        assert_eq!(count("value-quantity=gt80"), 5);
        assert_eq!(count("value-quantity=ge80%7Chttp%3A%2F%2Funitsofmeasure.org%7Cumol%2FL"), 6);
        assert_eq!(count("status=final"), 25);
        assert_eq!(count("status=registered"), 0);
    });
}

#[test]
fn another_record_never_shows() {
    on_both(|world| {
        let patient = filed(world);
        world.open_record_for_practitioner(&CHILD);
        Report::of(&CHILD, 3).result("2160-0", "40", "umol/L", "20260315").deposit().filed_by(&world.hospital_system());
        let doctor = world.general_practitioner();
        let subjects: BTreeSet<_> = doctor
            .search(&format!("Observation?patient={patient}&code=2160-0&_count=5"))
            .iter()
            .map(|found| found["subject"]["reference"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(subjects, BTreeSet::from([format!("Patient/{patient}")]));
    });
}
