//! Several named patients, and the order of searches over several records.
use crate::harness::people::{Kind, Person};
use crate::harness::server::{STRANGER, World};
use crate::harness::{CHILD, PAT_TROIS, Report, on_both};
use serde_json::Value;
use std::collections::BTreeSet;

const THIRD: Person = Person { ins: "277076322082910", family: "NESSI", given: "RUTH", birth_date: "1977-07-14", ..PAT_TROIS };

/// Three records of the practitioner; the first authorises the stranger too.
fn filed(world: &World) -> [String; 3] {
    let people = [(&PAT_TROIS, 1, "8.4", "20260301"), (&CHILD, 2, "9.1", "20260303"), (&THIRD, 3, "7.9", "20260302")];
    let patients = people.map(|(person, number, value, date)| {
        let patient = world.open_record_for_practitioner(person).patient;
        let report = Report::of(person, number).result("4548-4", value, "%", date).result("3016-3", "1", "m[IU]/L", date);
        report.deposit().filed_by(&world.hospital_system());
        patient
    });
    world.consents(&PAT_TROIS, Kind::Autorisation, STRANGER).expect(201);
    patients
}

fn values(found: &[Value]) -> Vec<String> {
    found.iter().map(|found| found["valueQuantity"]["value"].to_string()).collect()
}

fn subjects(found: &[Value]) -> BTreeSet<String> {
    found.iter().map(|found| found["subject"]["reference"].as_str().unwrap().trim_start_matches("Patient/").to_owned()).collect()
}

#[test]
fn several_named_patients_are_those_of_them_that_authorise_the_caller() {
    on_both(|world| {
        let [first, second, third] = filed(world);
        let doctor = world.general_practitioner();
        assert_eq!(values(&doctor.search(&format!("Observation?patient={first},{third}&code=4548-4"))), ["7.9", "8.4"]);
        for name in ["patient", "subject", "subject:Patient"] {
            let found = doctor.search(&format!("Observation?{name}={second},{first}"));
            assert_eq!(subjects(&found), BTreeSet::from([first.clone(), second.clone()]), "{name}, without any other bound");
        }
        let named = format!("Observation?patient={first},{second},{third}&code=4548-4");
        assert_eq!(values(&world.stranger().search(&named)), ["8.4"], "the records named that do not authorise him are left out");
        let with_total = world.stranger().read(&format!("{named}&_total=accurate"));
        assert_eq!(with_total["total"], 1);
        assert!(world.stranger().search(&format!("Observation?patient={second},{third}&code=4548-4")).is_empty());
        let unknown = format!("Observation?patient={second},Patient/unknown&code=4548-4");
        assert!(world.stranger().search(&unknown).is_empty(), "a hidden record is as one that is not here");
        let both = doctor.search(&format!("Observation?patient={first},{second}&patient={second},{third}&code=4548-4"));
        assert_eq!(values(&both), ["9.1"]);
        let people = doctor.search(&format!("Patient?_id={first},{third}"));
        assert_eq!(people.len(), 2);
        assert_eq!(world.stranger().search(&format!("Patient?_id={first},{third}")).len(), 1);
    });
}

#[test]
fn pages_over_several_named_patients_neither_lose_nor_repeat() {
    on_both(|world| {
        let [first, second, _] = filed(world);
        let found = world.general_practitioner().search(&format!("Observation?patient={first},{second}&_count=1"));
        let ids: BTreeSet<&str> = found.iter().map(|found| found["id"].as_str().unwrap()).collect();
        let all = world.general_practitioner().search(&format!("Observation?patient={first},{second}"));
        assert_eq!((ids.len(), found.len()), (all.len(), all.len()));
    });
}

#[test]
fn several_records_are_sorted_by_any_key_and_page_by_page() {
    on_both(|world| {
        filed(world);
        let doctor = world.general_practitioner();
        let sorted = |sort: &str| values(&doctor.search(&format!("Observation?code=4548-4&_count=1&_sort={sort}")));
        assert_eq!(sorted("value-quantity"), ["7.9", "8.4", "9.1"]);
        assert_eq!(sorted("-value-quantity"), ["9.1", "8.4", "7.9"]);
        assert_eq!(sorted("date"), ["8.4", "7.9", "9.1"]);
        assert_eq!(sorted("status,-date"), ["9.1", "7.9", "8.4"]);
        assert_eq!(sorted("code,-value-quantity,date"), ["9.1", "8.4", "7.9"]);
        let names = |sort: &str| -> Vec<String> {
            let found = doctor.search(&format!("Patient?_count=1&_sort={sort}"));
            found.iter().map(|found| found["name"][0]["given"][0].as_str().unwrap().to_lowercase()).collect()
        };
        let mut expected = [PAT_TROIS.given, CHILD.given, THIRD.given].map(str::to_lowercase);
        expected.sort_unstable();
        assert_eq!(names("given"), expected);
        expected.reverse();
        assert_eq!(names("-given"), expected);
    });
}

#[test]
fn what_has_no_value_comes_last_in_both_directions() {
    on_both(|world| {
        let [first, ..] = filed(world);
        let body = serde_json::json!({"resourceType": "Observation", "status": "final", "code": {"text": "no value"},
            "subject": {"reference": format!("Patient/{first}")}});
        world.hospital_system().post("Observation", &body).expect(201);
        let doctor = world.general_practitioner();
        for sort in ["value-quantity", "-value-quantity", "date", "-date", "date,code", "-date,code"] {
            for query in [format!("patient={first}"), format!("patient={first},{first}")] {
                for count in [1, 50] {
                    let found = doctor.search(&format!("Observation?{query}&_sort={sort}&_count={count}"));
                    let last = found.last().unwrap();
                    let value = if sort.contains("date") { &last["effectiveDateTime"] } else { &last["valueQuantity"] };
                    assert!(value.is_null(), "{query} {sort} {count}: {last}");
                }
            }
        }
    });
}
