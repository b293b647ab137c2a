//! Observation/$lastn: R4 observation-operation-lastn.
use crate::harness::actor::resources;
use crate::harness::hidden::{delete, label};
use crate::harness::{Actor, CHILD, PAT_TROIS, on_both};
use dmp_fhir::policy::permit::label;
use serde_json::{Value, json};

fn observation(patient: &str, codes: &[&str], day: &str, value: i64) -> Value {
    let codings: Vec<Value> = codes.iter().map(|code| json!({"system": "http://loinc.org", "code": code})).collect();
    json!({"resourceType": "Observation", "status": "final", "code": {"coding": codings},
        "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "laboratory"}]}],
        "subject": {"reference": format!("Patient/{patient}")}, "effectiveDateTime": day,
        "valueQuantity": {"value": value, "unit": "umol/L"}})
}

fn create(actor: &Actor, body: &Value) -> String {
    actor.post("Observation", body).expect(201)["id"].as_str().unwrap().to_owned()
}

fn values(bundle: &Value) -> Vec<i64> {
    resources(bundle).iter().map(|one| one["valueQuantity"]["value"].as_i64().unwrap()).collect()
}

#[test]
fn it_gives_the_last_of_each_code_or_the_last_n_newest_first() {
    on_both(|world| {
        let patient = world.open_record_for_practitioner(&PAT_TROIS).patient;
        let doctor = world.general_practitioner();
        for (codes, day, value) in [
            (&["2160-0"][..], "2026-01-01", 1),
            (&["2160-0"], "2026-03-01", 3),
            (&["2160-0"], "2026-02-01", 2),
            (&["718-7"], "2026-01-15", 10),
            (&["718-7"], "2025-01-15", 9),
            // Of one group by the coding between them.
            (&["2951-2"], "2026-01-05", 20),
            (&["2951-2", "2947-0"], "2026-01-06", 21),
            (&["2947-0"], "2026-01-07", 22),
        ] {
            create(&doctor, &observation(&patient, codes, day, value));
        }
        let last = |query: &str| doctor.read(&format!("Observation/$lastn?{query}"));
        let bundle = last(&format!("patient={patient}&category=laboratory"));
        assert_eq!((values(&bundle), &bundle["total"], &bundle["type"]), (vec![3, 10, 22], &json!(3), &json!("searchset")));
        assert_eq!(values(&last(&format!("patient={patient}&category=laboratory&max=2"))), [3, 2, 10, 9, 22, 21]);
        assert_eq!(values(&last(&format!("subject=Patient/{patient}&code=http://loinc.org|2160-0&max=100"))), [3, 2, 1]);
        assert_eq!(
            values(&last(&format!("patient={patient}&category=laboratory&date=lt2026-02-15"))),
            [2, 10, 22],
            "filters first"
        );
        assert_eq!(values(&last(&format!("patient.identifier={}&code=718-7", PAT_TROIS.token()))), [10]);
        let posted = json!({"resourceType": "Parameters", "parameter": [{"name": "patient", "valueString": patient},
            {"name": "category", "valueString": "laboratory"}, {"name": "max", "valueInteger": 1}]});
        assert_eq!(values(&doctor.post("Observation/$lastn", &posted).expect(200)), [3, 10, 22]);
    });
}

#[test]
fn what_is_hidden_is_not_the_last() {
    on_both(|world| {
        let patient = world.open_record_for_practitioner(&PAT_TROIS).patient;
        let other = world.open_record(&CHILD).patient;
        let system = world.hospital_system();
        create(&system, &observation(&other, &["2160-0"], "2026-09-01", 99));
        let ids: Vec<String> = (1..=5)
            .map(|month| create(&system, &observation(&patient, &["2160-0"], &format!("2026-0{month}-01"), month)))
            .collect();
        for (id, labels) in [(&ids[4], label::MASQUE_PS), (&ids[3], label::WITHDRAWN), (&ids[1], label::INVISIBLE_PATIENT)] {
            label(world, "Observation", id, labels, &["finess:120459876"]);
        }
        delete(world, "Observation", &ids[2]);
        let query = format!("Observation/$lastn?patient={patient}&code=2160-0&max=9");
        assert_eq!(values(&world.general_practitioner().read(&query)), [2, 1]);
        assert_eq!(values(&world.patient(&PAT_TROIS).read(&query)), [5, 1]);
        assert_eq!(values(&system.read(&query)), [5, 2, 1], "what he deposited himself, not what he withdrew or deleted");
        world.stranger().get(&query).refuses(403, "forbidden", None);
        world.patient(&CHILD).get(&query).refuses(403, "forbidden", None);
    });
}

#[test]
fn what_the_operation_requires_is_required() {
    on_both(|world| {
        let patient = world.open_record_for_practitioner(&PAT_TROIS).patient;
        let doctor = world.general_practitioner();
        for query in [
            format!("patient={patient}"),
            "code=2160-0".to_owned(),
            format!("patient={patient}&code=2160-0&max=0"),
            format!("patient={patient}&code=2160-0&max=1&max=2"),
            format!("patient={patient}&code=2160-0&_sort=date"),
            format!("patient={patient}&code=2160-0&unknown=1"),
        ] {
            doctor.get(&format!("Observation/$lastn?{query}")).refuses(400, "", None);
        }
    });
}
