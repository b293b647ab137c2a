//! What a query leaves out unless it names it, at every level; and parts of resources.
use super::{NOW, RECORD, World, resource_type};
use crate::fhir::interaction::Parameters;
use crate::ids::Pid;
use crate::search::{Key, ParseContext, Plan, Predicate, Query, parse, subset};
use serde_json::{Value, json};

const SUPERSEDED: &str = "https://dmp-fhir.example/fhir/CodeSystem/data-state";
const PREVIOUS: &str = "https://dmp-fhir.example/fhir/CodeSystem/translation-tag";

fn query(world: &World, text: &str, pid: Option<Pid>) -> Query {
    let (name, parameters) = text.split_once('?').unwrap();
    let parameters = parameters.split('&').filter_map(|part| part.split_once('='));
    let parameters = Parameters(parameters.map(|(name, value)| (name.to_owned(), value.to_owned())).collect());
    let local = |name: &str| world.place(name);
    let context = ParseContext {
        keyer: &world.keyer,
        local: &local,
        time_zone: &world.zone,
        lenient: false,
        now: NOW,
        pid,
        library: &crate::search::NoLibrary,
        everything: false,
    };
    parse(resource_type(name), &parameters, &context).unwrap()
}

/// Types of the levels of a plan that leave out what was replaced.
fn levels(plan: &Plan, superseded: &[Key], out: &mut Vec<String>) {
    fn walk(predicate: &Predicate, of: &Plan, superseded: &[Key], out: &mut Vec<String>) {
        match predicate {
            Predicate::Not(inner) if matches!(&**inner, Predicate::Tokens(keys) if keys.iter().any(|key| superseded.contains(key))) =>
            {
                out.push(of.resource_type.to_string());
            }
            Predicate::Linked(_, plan) | Predicate::LinkedFrom(_, plan) => levels(plan, superseded, out),
            Predicate::All(list) | Predicate::Any(list) => list.iter().for_each(|one| walk(one, of, superseded, out)),
            _ => {}
        }
    }
    plan.predicates.iter().for_each(|predicate| walk(predicate, plan, superseded, out));
}

#[test]
fn every_level_leaves_out_what_was_replaced_unless_it_names_tag_or_id() {
    let world = World::new(Vec::new());
    let tag = crate::search::registry().parameter(resource_type("Observation"), "_tag").unwrap().number;
    let keys = [world.keyer.token(tag, Some(SUPERSEDED), "superseded")];
    for (text, expected) in [
        ("Observation?code=1-8", vec!["Observation"]),
        ("Observation?_tag=x", vec![]),
        ("Observation?_tag:not=x", vec![]),
        ("Observation?_id=a", vec![]),
        ("Patient?_has:Observation:patient:code=1-8", vec!["Observation"]),
        ("Patient?_has:Observation:patient:_tag=x", vec![]),
        ("Patient?_id=p&_has:Observation:patient:code=1-8", vec!["Observation"]),
        ("Specimen?_has:Observation:specimen:_has:DiagnosticReport:result:_id=r", vec!["Observation", "Specimen"]),
        (
            "Specimen?_has:Observation:specimen:_has:DiagnosticReport:result:status=final",
            vec!["DiagnosticReport", "Observation", "Specimen"],
        ),
        ("DiagnosticReport?result._id=a", vec!["DiagnosticReport"]),
        ("DiagnosticReport?result.code=1-8", vec!["Observation", "DiagnosticReport"]),
        ("DocumentReference?status=superseded", vec![]),
        ("Provenance?target:Observation.code=1-8", vec!["Observation"]),
        ("Observation?performer:Practitioner.family=a", vec!["Observation"]),
    ] {
        for pid in [Some(RECORD), None] {
            let mut found = Vec::new();
            levels(&query(&world, text, pid).plan, &keys, &mut found);
            found.dedup();
            assert_eq!(found, expected, "{text}");
        }
    }
}

fn observation(id: &str, extra: Value) -> Value {
    let mut body = json!({"resourceType": "Observation", "id": id, "status": "final", "effectiveDateTime": "2026-03-02T08:00:00+01:00",
        "subject": {"reference": "Patient/p"},
        "code": {"coding": [{"system": "urn:local", "code": "A"}, {"system": "http://loinc.org", "code": "4548-4"}]}});
    body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    body
}

fn repeated(id: &str, extra: Value) -> Value {
    let mut body = observation(id, extra);
    body["meta"] = json!({"tag": [{"system": PREVIOUS, "code": "reported-previous"}]});
    body
}

/// Ids that a recall finds.
fn recall(bodies: Vec<Value>) -> Vec<String> {
    let world = World::new(bodies);
    let query = query(&world, "Observation?code=4548-4", None);
    let observations = world.stored.iter().filter(|stored| stored.resource_type.name() == "Observation");
    let found = observations.filter(|stored| query.plan.predicates.iter().all(|predicate| world.holds(predicate, stored)));
    found.map(|stored| stored.body["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_repeated_result_leaves_a_recall_only_for_a_current_original_of_its_code_and_time() {
    let original = || observation("o", json!({}));
    let as_utc = json!({"effectiveDateTime": "2026-03-02T07:00:00Z", "code": {"coding": [{"system": "http://loinc.org", "code": "4548-4"}]}});
    assert_eq!(recall(vec![original(), repeated("r", json!({}))]), ["o"]);
    assert_eq!(recall(vec![original(), repeated("r", as_utc)]), ["o"], "the same instant and code, otherwise written");
    assert_eq!(recall(vec![repeated("r", json!({}))]), ["r"]);
    assert_eq!(recall(vec![repeated("r", json!({})), repeated("s", json!({}))]), ["r", "s"], "neither is an original");
    for other in [
        json!({"effectiveDateTime": "2026-03-02T08:00:01+01:00"}),
        json!({"effectiveDateTime": "2026-03-02"}),
        json!({"effectiveDateTime": null}),
        json!({"code": {"coding": [{"system": "http://loinc.org", "code": "4548-4"}], "text": "x"}, "status": "entered-in-error"}),
    ] {
        let found = recall(vec![observation("o", other.clone()), repeated("r", json!({}))]);
        assert_eq!(found, ["o", "r"], "{other}");
    }
    let day = observation("o", json!({"effectiveDateTime": "2026-03-02"}));
    let midnight = repeated("r", json!({"effectiveDateTime": "2026-03-02T00:00:00+01:00"}));
    assert_eq!(recall(vec![day, midnight]), ["o", "r"], "a day and its first second are two times");
    let mut replaced = original();
    replaced["meta"] = json!({"tag": [{"system": SUPERSEDED, "code": "superseded"}]});
    assert_eq!(recall(vec![replaced, repeated("r", json!({}))]), ["r"], "what was replaced is no original");
}

#[test]
fn a_search_in_one_record_shows_what_a_report_repeats() {
    let world = World::new(Vec::new());
    let repeats = |query: &Query| format!("{:?}", query.plan).contains("Repeats");
    assert!(!repeats(&query(&world, "Observation?code=1-8", Some(RECORD))));
    assert!(repeats(&query(&world, "Observation?code=1-8", None)));
    assert!(repeats(&query(&world, "Patient?_has:Observation:patient:code=1-8", Some(RECORD))));
    assert!(!repeats(&query(&world, "Observation?_tag=reported-previous", None)));
}

#[test]
fn a_part_keeps_mandatory_elements_modifiers_and_digits() {
    let world = World::new(Vec::new());
    let Value::Object(body) = json!({"resourceType": "Patient", "id": "p", "language": "fr", "text": {"status": "empty", "div": "x"},
        "active": true, "name": [{"family": "Durand"}], "birthDate": "1970", "_birthDate": {"extension": []},
        "deceasedBoolean": false, "gender": "male"})
    else {
        panic!("an object")
    };
    let part = |text: &str| {
        let part = subset(&query(&world, text, Some(RECORD)), &body);
        part.map(|part| part.keys().map(String::as_str).map(str::to_owned).collect::<Vec<_>>().join(" "))
    };
    assert_eq!(part("Patient?_elements=birthDate").unwrap(), "resourceType id active birthDate _birthDate deceasedBoolean meta");
    assert_eq!(part("Patient?_summary=text").unwrap(), "resourceType id text active deceasedBoolean meta");
    let data = "resourceType id language active name birthDate _birthDate deceasedBoolean gender meta";
    assert_eq!(part("Patient?_summary=data").unwrap(), data);
    assert_eq!(part("Patient?_summary=false"), None);
    assert_eq!(part("Patient?_count=1"), None);
}
