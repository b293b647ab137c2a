//! One resource of each accepted type and one answer of each interaction pass HL7's validator (tests/validator/run).
use crate::examples::{adapt, authorise, package};
use crate::harness::server::on_sqlite;
use crate::harness::{Actor, Answer, PAT_TROIS, Report};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

/// Answers as they are sent, one a line.
#[derive(Default)]
struct Answers(String);

impl Answers {
    /// Keeps the body of the answer; it must have this status.
    #[track_caller]
    fn keep(&mut self, answer: Answer, status: u16) -> Value {
        assert_eq!(answer.status, status, "{}", answer.text());
        // Line breaks inside JSON stand between its tokens only.
        self.0.push_str(&answer.text().replace(['\r', '\n'], " "));
        self.0.push('\n');
        answer.json()
    }

    /// The validator finds no error. Its warnings about the official examples are theirs; those about what the server makes
    /// are judged by the test of the samples.
    fn judge(&self) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("answers.ndjson");
        std::fs::write(&file, &self.0).unwrap();
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/validator/run");
        let output = Command::new(script).arg("--errors").arg(&file).output().unwrap();
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        println!("{said}");
        assert!(output.status.success(), "{said}");
    }
}

/// One instance of each accepted type, as a client sends it.
fn instances(patient: &str) -> Option<Vec<Value>> {
    let folder = package::folder()?;
    let names = include_str!("../validator/examples.txt").lines().filter(|line| !line.starts_with('#'));
    let own = include_str!("../validator/instances.ndjson").lines().map(|line| serde_json::from_str(line).unwrap());
    Some(names.map(|name| package::read(folder, name)).chain(own).map(|example| adapt::about(example, patient)).collect())
}

#[test]
#[ignore = "takes minutes and needs the validator: .ci/full runs it"]
fn each_type_and_each_interaction_passes_the_official_validator() {
    on_sqlite(|world| {
        let record = world.open_record_for_practitioner(&PAT_TROIS);
        let system = world.directory_system();
        authorise(&system, &record.patient);
        let mut answers = Answers::default();
        let Some(instances) = instances(&record.patient) else { return };
        // The record, its Consents and its documents are asked below.
        let mut types = BTreeSet::from(["Patient".to_owned(), "Consent".to_owned(), "DocumentReference".to_owned()]);
        for instance in &instances {
            let resource_type = instance["resourceType"].as_str().unwrap();
            answers.keep(system.post(resource_type, instance), 201);
            types.insert(resource_type.to_owned());
        }
        let rows = include_str!("../../schema/resources.tsv").lines().filter_map(|line| line.split('\t').nth(1));
        let accepted = rows.filter(|name| adapt::is_accepted(name)).map(str::to_owned);
        assert_eq!(accepted.collect::<BTreeSet<_>>().difference(&types).collect::<Vec<_>>(), Vec::<&String>::new());

        documents(&mut answers, &system, &world.general_practitioner(), &record.patient);
        interactions(&mut answers, &system, &record.patient);
        bundles(&mut answers, &system, &record.patient);
        refusals(&mut answers, &system, &world.stranger(), &record.patient);
        answers.keep(world.stranger().get(&format!("Patient?identifier={}", PAT_TROIS.token())), 200);
        answers.keep(world.patient(&PAT_TROIS).get("AuditEvent?_count=500"), 200);
        answers.judge();
    });
}

/// What is written here with each request.
fn observation(patient: &str, value: &str) -> Value {
    json!({
        "resourceType": "Observation", "status": "final",
        "text": {"status": "generated", "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\">HbA1c</div>"},
        "code": {"coding": [{"system": "http://loinc.org", "code": "4548-4"}]},
        "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "laboratory"}]}],
        "subject": {"reference": format!("Patient/{patient}")}, "performer": [{"display": "Laboratoire"}],
        "effectiveDateTime": "2026-03-02", "valueString": value,
    })
}

/// A document with its translation, as searchsets, a document Bundle, Parameters, and the operations over a record.
fn documents(answers: &mut Answers, system: &Actor, doctor: &Actor, patient: &str) {
    let report = Report::of(&PAT_TROIS, 1).result("4548-4", "8.4", "%", "20260302");
    let document = answers.keep(report.deposit().by(system), 201);
    let id = document["id"].as_str().unwrap();
    let composition = doctor.search(&format!("Composition?patient=Patient/{patient}")).remove(0);
    for path in [
        format!("DocumentReference/{id}"),
        format!("DocumentReference/{id}/$translation"),
        format!("Composition/{}/$document", composition["id"].as_str().unwrap()),
        format!("Patient/{patient}"),
        format!("Patient/{patient}/$everything?_count=500"),
        format!("Consent?patient=Patient/{patient}"),
        format!("DocumentReference/$docref?patient=Patient/{patient}"),
        format!("Observation/$lastn?patient=Patient/{patient}&category=laboratory"),
        format!("Observation?patient=Patient/{patient}&_include=*&_revinclude=Provenance:target"),
    ] {
        answers.keep(doctor.get(&path), 200);
    }
    let lenient = [("Prefer", "handling=lenient")];
    let path = format!("Observation?patient=Patient/{patient}&unknown=1");
    answers.keep(doctor.send("GET", &path, &lenient, Vec::new()), 200);
}

/// Each interaction on one resource and on a type.
fn interactions(answers: &mut Answers, system: &Actor, patient: &str) {
    let created = answers.keep(system.post("Observation", &observation(patient, "a")), 201);
    let path = format!("Observation/{}", created["id"].as_str().unwrap());
    answers.keep(system.get(&path), 200);
    answers.keep(system.get(&format!("{path}/_history/1")), 200);
    let mut changed = created;
    changed["valueString"] = "b".into();
    answers.keep(system.put(&path, &changed), 200);
    answers.keep(system.patch(&path, &json!([{"op": "replace", "path": "/valueString", "value": "c"}])), 200);
    let outcome = [("Prefer", "return=OperationOutcome"), ("Content-Type", "application/fhir+json")];
    answers.keep(system.send("PUT", &path, &outcome, changed.to_string().into_bytes()), 200);
    answers.keep(system.send("POST", "Observation", &outcome, observation(patient, "d").to_string().into_bytes()), 201);
    assert_eq!(system.delete(&path).status, 204);
    for path in [format!("{path}/_history"), "Observation/_history".into(), "_history?_count=500".into(), "metadata".into()] {
        answers.keep(system.get(&path), 200);
    }
    for more in
        ["_summary=true", "_summary=text", "_summary=data", "_summary=count", "_elements=status", "_count=0", "_sort=-date"]
    {
        answers.keep(system.get(&format!("Observation?patient=Patient/{patient}&{more}")), 200);
    }
    answers.keep(system.get(&format!("?_type=Observation,Condition&patient=Patient/{patient}")), 200);
    answers.keep(system.get(&format!("Patient/{patient}/Observation")), 200);
    answers.keep(system.get(&path), 410);
}

/// The answers to a batch with successes and failures, and to a transaction.
fn bundles(answers: &mut Answers, system: &Actor, patient: &str) {
    let post = || json!({"resource": observation(patient, "e"), "request": {"method": "POST", "url": "Observation"}});
    let get = |url: &str| json!({"request": {"method": "GET", "url": url}});
    let search = format!("Observation?patient=Patient/{patient}&_count=1");
    let bundle = |kind: &str, entry: Value| json!({"resourceType": "Bundle", "type": kind, "entry": entry});
    answers
        .keep(system.post("", &bundle("batch", json!([post(), get(&search), get("Observation/absent"), get("metadata")]))), 200);
    answers.keep(system.post("", &bundle("transaction", json!([post(), get(&search)]))), 200);
}

/// An OperationOutcome of each kind of refusal.
fn refusals(answers: &mut Answers, system: &Actor, stranger: &Actor, patient: &str) {
    answers.keep(system.get("Observation/absent"), 404);
    answers.keep(system.get("Nonsense/1"), 404);
    answers.keep(system.get("Observation?unknown=1"), 400);
    answers.keep(system.post("Observation", &json!({"resourceType": "Observation", "status": "wrong", "other": 1})), 422);
    answers.keep(stranger.get(&format!("Observation?patient=Patient/{patient}")), 403);
    answers.keep(system.send("POST", "Observation", &[("Content-Type", "text/plain")], b"x".to_vec()), 415);
}
