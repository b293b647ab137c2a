//! Codes by value set and hierarchy, with what the directory holds: every caller reads it, and nothing of a record shows by it.
use crate::harness::actor::encoded;
use crate::harness::server::World;
use crate::harness::{PAT_TROIS, on_both};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const SYSTEM: &str = "https://terms.example/analytes";

fn analytes() -> Value {
    json!({"resourceType": "CodeSystem", "url": SYSTEM, "status": "active", "content": "complete", "concept": [
        {"code": "analyte", "concept": [{"code": "ion", "concept": [{"code": "sodium"}, {"code": "potassium"}]}, {"code": "protein"}]}]})
}

fn ions(version: &str, filter: Value) -> Value {
    json!({"resourceType": "ValueSet", "url": "https://terms.example/ions", "version": version, "status": "active",
        "compose": {"include": [{"system": SYSTEM, "filter": [filter]}]}})
}

/// A record with one result of each code, and one without.
fn filed(world: &World) -> String {
    let patient = world.open_record_for_practitioner(&PAT_TROIS).patient;
    for code in ["analyte", "ion", "sodium", "potassium", "protein"] {
        world
            .hospital_system()
            .post("Observation", &observation(&patient, json!({"coding": [{"system": SYSTEM, "code": code}]})))
            .expect(201);
    }
    world.hospital_system().post("Observation", &observation(&patient, json!({"text": "none"}))).expect(201);
    let directory = world.directory_system();
    directory.post("CodeSystem", &analytes()).expect(201);
    patient
}

fn observation(patient: &str, code: Value) -> Value {
    json!({"resourceType": "Observation", "status": "final", "code": code, "subject": {"reference": format!("Patient/{patient}")},
        "effectiveDateTime": "2026-05-01"})
}

fn codes(found: &[Value]) -> BTreeSet<String> {
    let code = |found: &Value| found["code"]["coding"][0]["code"].as_str().unwrap_or("none").to_owned();
    found.iter().map(code).collect()
}

fn set(codes: &[&str]) -> BTreeSet<String> {
    codes.iter().map(|code| (*code).to_owned()).collect()
}

#[test]
fn a_code_is_looked_for_in_a_value_set_of_the_directory_in_one_record_and_over_several() {
    on_both(|world| {
        let patient = filed(world);
        let is_ion = json!({"property": "concept", "op": "is-a", "value": "ion"});
        let created = world.directory_system().post("ValueSet", &ions("1", is_ion)).expect(201);
        let literal = format!("ValueSet/{}", created["id"].as_str().unwrap());
        let doctor = world.general_practitioner();
        for value_set in ["https://terms.example/ions", "https://terms.example/ions|1", &literal] {
            let value_set = encoded(value_set);
            let one = doctor.search(&format!("Observation?patient={patient}&code:in={value_set}"));
            assert_eq!(codes(&one), set(&["ion", "sodium", "potassium"]), "{value_set}");
            assert_eq!(codes(&doctor.search(&format!("Observation?code:in={value_set}"))), codes(&one), "{value_set}");
            let others = doctor.search(&format!("Observation?patient={patient}&code:not-in={value_set}"));
            assert_eq!(codes(&others), set(&["analyte", "protein", "none"]), "{value_set}");
            let person = doctor.search(&format!("Patient?_id={patient}&_has:Observation:patient:code:in={value_set}"));
            assert_eq!(person.len(), 1, "{value_set}");
            assert!(world.stranger().search(&format!("Observation?code:in={value_set}")).is_empty(), "{value_set}");
        }
    });
}

#[test]
fn of_two_versions_the_named_one_counts_and_else_the_last() {
    on_both(|world| {
        let patient = filed(world);
        let with = |operator: &str, value: &str| json!({"property": "concept", "op": operator, "value": value});
        world.directory_system().post("ValueSet", &ions("1", with("is-a", "ion"))).expect(201);
        world.directory_system().post("ValueSet", &ions("2", with("descendent-of", "ion"))).expect(201);
        let doctor = world.general_practitioner();
        let found = |version: &str| {
            let value_set = encoded(&format!("https://terms.example/ions{version}"));
            codes(&doctor.search(&format!("Observation?patient={patient}&code:in={value_set}")))
        };
        assert_eq!(found("|1"), set(&["ion", "sodium", "potassium"]));
        assert_eq!(found("|2"), set(&["sodium", "potassium"]));
        assert_eq!(found(""), set(&["sodium", "potassium"]));
        let path = format!("Observation?patient={patient}&code:in={}", encoded("https://terms.example/ions|3"));
        let refused = doctor.get(&path);
        refused.refuses(400, "", None);
        assert!(!refused.text().contains("terms.example"), "a refusal does not repeat values");
    });
}

#[test]
fn above_and_below_follow_the_code_system() {
    on_both(|world| {
        let patient = filed(world);
        let doctor = world.general_practitioner();
        let found = |modifier: &str, code: &str| {
            let value = encoded(&format!("{SYSTEM}|{code}"));
            codes(&doctor.search(&format!("Observation?patient={patient}&code:{modifier}={value}")))
        };
        assert_eq!(found("below", "ion"), set(&["ion", "sodium", "potassium"]));
        assert_eq!(found("above", "sodium"), set(&["analyte", "ion", "sodium"]));
        assert_eq!(found("below", "unheard-of"), set(&[]));
        for value in ["sodium", "https://terms.example/other|sodium"] {
            doctor.get(&format!("Observation?patient={patient}&code:below={}", encoded(value))).refuses(400, "", None);
        }
    });
}

#[test]
fn a_value_set_that_includes_others_or_itself() {
    on_both(|world| {
        let patient = filed(world);
        let directory = world.directory_system();
        directory.post("ValueSet", &ions("1", json!({"property": "concept", "op": "is-a", "value": "ion"}))).expect(201);
        let of = |name: &str, compose: Value| {
            let url = format!("https://terms.example/{name}");
            let body = json!({"resourceType": "ValueSet", "url": url, "status": "active", "compose": compose});
            directory.post("ValueSet", &body).expect(201);
        };
        let sodium = json!([{"system": SYSTEM, "concept": [{"code": "sodium"}]}]);
        of("but", json!({"include": [{"valueSet": ["https://terms.example/ions"]}], "exclude": sodium}));
        of("circle", json!({"include": [{"valueSet": ["https://terms.example/circle"]}]}));
        let doctor = world.general_practitioner();
        let but = doctor.search(&format!("Observation?patient={patient}&code:in={}", encoded("https://terms.example/but")));
        assert_eq!(codes(&but), set(&["ion", "potassium"]));
        let circle = format!("Observation?patient={patient}&code:in={}", encoded("https://terms.example/circle"));
        doctor.get(&circle).refuses(400, "", None);
    });
}
