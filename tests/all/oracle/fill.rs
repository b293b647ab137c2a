//! Writes the random resources: three records and a directory.
use super::data::{Maker, TREE};
use super::dice::Dice;
use super::pool::{Entry, Pool};
use crate::harness::people::Person;
use crate::harness::server::GENERAL_PRACTITIONER;
use crate::harness::{CHILD, PAT_TROIS, World};
use crate::store::writer;
use dmp_fhir::audit::{Body, Outcome};
use dmp_fhir::fhir::identifier::Rpps;
use dmp_fhir::ids::{Pid, Rid};
use dmp_fhir::policy::permit::label;
use dmp_fhir::search::{ExtractContext, extract};
use dmp_fhir::store::{NewResource, resource_put};
use serde_json::{Value, json};
use std::sync::Arc;

/// The person of the record that does not authorise the practitioner.
const NESSI: Person = Person { ins: "277076322082910", family: "NESSI", given: "RUTH", birth_date: "1977-07-14", ..PAT_TROIS };

/// Order of making: what comes first can be referred to.
const ORDER: [(&str, usize); 14] = [
    ("Condition", 6),
    ("Encounter", 8),
    ("Condition", 6),
    ("Encounter", 4),
    ("MedicationRequest", 9),
    ("Immunization", 8),
    ("Procedure", 5),
    ("Observation", 14),
    ("Procedure", 5),
    ("Observation", 14),
    ("DiagnosticReport", 10),
    ("AllergyIntolerance", 8),
    ("RiskAssessment", 9),
    ("List", 6),
];
const DIRECTORY: [(&str, usize); 4] = [("Organization", 9), ("Practitioner", 10), ("Location", 7), ("ValueSet", 12)];

/// Fills the server with three records, two of which authorise the practitioner, and a directory; answers what the
/// practitioner may see.
pub(super) fn fill(world: &World, dice: &mut Dice) -> Pool {
    let directory = directory(world, dice);
    let mut entries: Vec<Entry> = directory.iter().map(|body| Entry { record: None, body: body.clone() }).collect();
    for (index, person) in [PAT_TROIS, CHILD, NESSI].iter().enumerate() {
        let authorises = index < 2;
        let record = if authorises { world.open_record_for_practitioner(person) } else { world.open_record(person) };
        let seen = fill_record(world, dice, &record.patient, &directory);
        if authorises {
            let patient = world.general_practitioner().read(&format!("Patient/{}", record.patient));
            entries.extend(std::iter::once(patient).chain(seen).map(|body| Entry { record: Some(record.patient.clone()), body }));
        }
    }
    Pool::new(world.general_practitioner().base, entries)
}

fn tree() -> Value {
    json!({"resourceType": "CodeSystem", "url": TREE, "status": "active", "content": "complete", "hierarchyMeaning": "is-a", "concept": [
        {"code": "a", "concept": [{"code": "a1", "concept": [{"code": "a11"}]}, {"code": "a2"}]}, {"code": "b"}]})
}

/// The codes of [`TREE`] above and below this one, with it.
pub(super) fn in_tree(code: &str, below: bool) -> Vec<&'static str> {
    const ALL: [&str; 5] = ["a", "a1", "a11", "a2", "b"];
    // Each of these is written below the beginnings of its name.
    ALL.into_iter().filter(|other| if below { other.starts_with(code) } else { code.starts_with(other) }).collect()
}

fn directory(world: &World, dice: &mut Dice) -> Vec<Value> {
    let registrar = world.directory_system();
    let mut maker = Maker { dice, made: Vec::new(), patient: None };
    let mut all = vec![registrar.post("CodeSystem", &tree()).expect(201)];
    for (name, count) in DIRECTORY {
        for _ in 0..count {
            let mut resource = maker.resource(name);
            // A label that is not enforced is refused.
            if let Some(meta) = resource.get_mut("meta").and_then(Value::as_object_mut) {
                meta.remove("security");
                if meta.is_empty() {
                    resource.as_object_mut().unwrap().remove("meta");
                }
            }
            let made = registrar.post(name, &resource).expect(201);
            maker.made.push((name.to_owned(), made["id"].as_str().unwrap().to_owned()));
            all.push(made);
        }
    }
    all
}

/// Writes a record's resources as the server, some of them masked; answers those that the practitioner may see.
fn fill_record(world: &World, dice: &mut Dice, patient: &str, directory: &[Value]) -> Vec<Value> {
    let server = Arc::clone(world.server());
    let (_, pid, _) = server.resolve(&format!("Patient/{patient}")).unwrap();
    let named = |body: &Value| (body["resourceType"].as_str().unwrap().to_owned(), body["id"].as_str().unwrap().to_owned());
    let mut maker = Maker { dice, made: directory.iter().map(named).collect(), patient: Some(patient.to_owned()) };
    let mut all: Vec<(Value, i32, bool)> = Vec::new();
    let mut number = 0;
    for (name, count) in ORDER {
        for _ in 0..count {
            number += 1;
            let mut body = maker.resource(name);
            let id = server.id(pid, Rid(number));
            body["id"] = id.clone().into();
            maker.made.push((name.to_owned(), id));
            let labels = if maker.dice.chance(12) { *maker.dice.pick(&[label::MASQUE_PS, label::WITHDRAWN]) } else { 0 };
            let own = maker.dice.chance(30);
            all.push((body, labels, own));
        }
    }
    // In five writes, so that times of change differ.
    for chunk in all.chunks_mut(30) {
        let updated = put(world, pid, chunk);
        chunk.iter_mut().zip(updated).for_each(|((body, ..), updated)| *body = updated);
    }
    let seen = all.into_iter().filter(|(_, labels, own)| *labels == 0 || (*labels == label::MASQUE_PS && *own));
    seen.map(|(body, ..)| body).collect()
}

/// Writes them with their labels; answers them as they are stored.
fn put(world: &World, pid: Pid, resources: &[(Value, i32, bool)]) -> Vec<Value> {
    let server = Arc::clone(world.server());
    let (sender, receiver) = std::sync::mpsc::channel();
    let resources = resources.to_vec();
    let store = server.store.clone();
    let job = move |unit: &dmp_fhir::store::Unit| -> Result<Vec<Value>, dmp_fhir::fhir::Problem> {
        let access = writer(unit, pid)?;
        let updated = unit.updated(&access)?.instant();
        let mut new = Vec::new();
        let mut stored = Vec::new();
        for (body, labels, own) in &resources {
            let mut body = body.clone();
            body["meta"]["versionId"] = "1".into();
            body["meta"]["lastUpdated"] = updated.clone().into();
            stored.push(body.clone());
            let resource_type = crate::store::kind(body["resourceType"].as_str().unwrap());
            let (_, rid) = server.place(&format!("{resource_type}/{}", body["id"].as_str().unwrap())).unwrap();
            let local = |reference: &str| server.place(reference);
            let context = ExtractContext { keyer: &server.keyer, local: &local, pid, time_zone: &server.time_zone };
            let rows = extract(resource_type, body.as_object().unwrap(), &context);
            let authors = if *own { vec![Rpps::new(GENERAL_PRACTITIONER).unwrap().who()] } else { Vec::new() };
            let body = body.to_string().into_bytes();
            new.push(NewResource {
                rid,
                resource_type,
                version: 1,
                body,
                rows,
                labels: *labels,
                class: None,
                origin: None,
                authors,
            });
        }
        resource_put(unit, &access, &new)?;
        Ok(stored)
    };
    crate::store::wait(store.write(move |unit| match job(unit) {
        Ok(stored) => {
            sender.send(stored).unwrap();
            Outcome::new(200, Body::Empty, Vec::new())
        }
        Err(problem) => Outcome::problem(&problem, Vec::new()),
    }));
    receiver.recv().expect("written")
}
