//! Histories of a resource, a type, everything: R4 http.html#history, rules H15 to H17, H43, H72, H73.
use crate::harness::actor::link;
use crate::harness::hidden::{delete, label};
use crate::harness::server::{GENERAL_PRACTITIONER, World};
use crate::harness::{Actor, CHILD, PAT_TROIS, Report, on_both};
use dmp_fhir::policy::permit::label;
use serde_json::{Value, json};

fn observation(patient: &str, value: i64) -> Value {
    json!({"resourceType": "Observation", "status": "final", "code": {"coding": [{"system": "http://loinc.org", "code": "2160-0"}]},
        "subject": {"reference": format!("Patient/{patient}")}, "effectiveDateTime": "2026-03-01",
        "valueQuantity": {"value": value, "unit": "umol/L"}})
}

fn create(actor: &Actor, patient: &str, value: i64) -> String {
    actor.post("Observation", &observation(patient, value)).expect(201)["id"].as_str().unwrap().to_owned()
}

/// Method, url, status, version of each entry.
fn entries(bundle: &Value) -> Vec<(String, String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let entries = bundle["entry"].as_array().into_iter().flatten();
    let of_one = |entry: &Value| {
        let (request, response) = (&entry["request"], &entry["response"]);
        (text(&request["method"]), text(&request["url"]), text(&response["status"]), text(&response["etag"]))
    };
    entries.map(of_one).collect()
}

fn total(bundle: &Value) -> i64 {
    bundle["total"].as_i64().unwrap()
}

/// A record of the practitioner with one Observation of his, created, labelled nothing (a second version), deleted.
fn written(world: &World) -> (String, String) {
    let patient = world.open_record_for_practitioner(&PAT_TROIS).patient;
    let id = create(&world.general_practitioner(), &patient, 80);
    label(world, "Observation", &id, 0, &[&format!("rpps:{GENERAL_PRACTITIONER}")]);
    (patient, id)
}

#[test]
fn the_history_of_a_resource_has_its_versions_newest_first_with_requests_and_responses() {
    on_both(|world| {
        let (_, id) = written(world);
        delete(world, "Observation", &id);
        let doctor = world.general_practitioner();
        let bundle = doctor.read(&format!("Observation/{id}/_history"));
        assert_eq!((&bundle["type"], total(&bundle)), (&json!("history"), 3));
        let row = |method: &str, url: String, status: &str, etag: &str| (method.into(), url, status.into(), etag.into());
        let own = format!("Observation/{id}");
        let expected = [
            row("DELETE", own.clone(), "204", "W/\"3\""),
            row("PUT", own.clone(), "200", "W/\"2\""),
            row("POST", "Observation".into(), "201", "W/\"1\""),
        ];
        assert_eq!(entries(&bundle), expected);
        assert_eq!(bundle["entry"][0]["resource"], Value::Null, "a deletion has no resource (H43, H72)");
        assert_eq!(bundle["entry"][1]["resource"]["id"], id.as_str());
        for entry in bundle["entry"].as_array().unwrap() {
            assert_eq!(entry["fullUrl"], format!("{}/{own}", doctor.base));
            assert!(entry["response"]["lastModified"].as_str().unwrap().ends_with('Z'));
        }
        assert_eq!(link(&bundle, "self").unwrap(), format!("{}/{own}/_history", doctor.base));
    });
}

#[test]
fn a_version_is_read_a_deletion_is_gone_and_what_never_was_is_not_found() {
    on_both(|world| {
        let (_, id) = written(world);
        delete(world, "Observation", &id);
        let doctor = world.general_practitioner();
        let version = |number: u32| doctor.get(&format!("Observation/{id}/_history/{number}"));
        assert_eq!(version(1).expect(200)["id"], id.as_str(), "H15");
        version(3).refuses(410, "deleted", None);
        version(4).refuses(404, "not-found", None);
        world.stranger().get(&format!("Observation/{id}/_history/3")).refuses(403, "forbidden", None);
    });
}

#[test]
fn of_the_trace_no_history_is_kept() {
    on_both(|world| {
        let (patient, _) = written(world);
        let own = world.patient(&PAT_TROIS);
        let event = own.search(&format!("AuditEvent?patient={patient}"))[0]["id"].as_str().unwrap().to_owned();
        own.get(&format!("AuditEvent/{event}/_history")).refuses(404, "not-found", None);
        own.get("AuditEvent/_history").refuses(404, "not-found", None);
    });
}

#[test]
fn a_type_and_the_system_are_those_of_my_records() {
    on_both(|world| {
        let (patient, id) = written(world);
        let other = world.open_record(&CHILD).patient;
        create(&world.hospital_system(), &other, 70);
        let doctor = world.general_practitioner();
        let bundle = doctor.read("Observation/_history");
        assert_eq!((entries(&bundle).len(), total(&bundle)), (2, 2), "another person's record does not authorise me");
        let system = doctor.read("_history");
        let urls: Vec<String> = entries(&system).into_iter().map(|entry| entry.1).collect();
        assert!(urls.contains(&"Patient".to_owned()) && urls.contains(&format!("Observation/{id}")), "{urls:?}");
        assert_eq!(total(&system), i64::try_from(urls.len()).unwrap());
        let own = world.patient(&PAT_TROIS).read("Observation/_history");
        assert_eq!(total(&own), 2, "a patient: his own record");
        assert_eq!(total(&world.stranger().read("_history")), 0);
        assert_eq!(entries(&doctor.read(&format!("Patient/{patient}/_history"))).len(), 1, "of the Patient alone");
    });
}

#[test]
fn hidden_versions_do_not_appear_nor_count() {
    on_both(|world| {
        let patient = world.open_record_for_practitioner(&PAT_TROIS).patient;
        let system = world.hospital_system();
        let ids: Vec<String> = (1..=4).map(|value| create(&system, &patient, value)).collect();
        let laboratory = "finess:120459876";
        for (id, labels) in [(&ids[0], label::MASQUE_PS), (&ids[1], label::WITHDRAWN), (&ids[2], label::INVISIBLE_PATIENT)] {
            label(world, "Observation", id, labels, &[laboratory]);
        }
        let totals = |actor: &Actor| total(&actor.read("Observation/_history"));
        assert_eq!(totals(&world.general_practitioner()), 3, "masked and withdrawn ones are not for him");
        assert_eq!(totals(&world.patient(&PAT_TROIS)), 3, "the invisible and the withdrawn one are not for him");
        let doctor = world.general_practitioner();
        doctor.get(&format!("Observation/{}/_history", ids[0])).refuses(404, "not-found", None);
        assert_eq!(
            doctor.get(&format!("Observation/{}/_history", ids[0])).text(),
            doctor.get("Observation/unknown/_history").text()
        );
        // He sees nothing of the record but what he deposited.
        assert_eq!(system.get(&format!("Observation/{}/_history", ids[3])).status, 200);
        assert_eq!(system.get(&format!("Observation/{}/_history", ids[1])).status, 200, "that it is gone, to its author");
        let foreign = create(&doctor, &patient, 9);
        assert_eq!(system.get(&format!("Observation/{foreign}/_history")).status, 403);
    });
}

#[test]
fn pages_since_at_and_count() {
    on_both(|world| {
        let patient = world.open_record_for_practitioner(&PAT_TROIS).patient;
        let doctor = world.general_practitioner();
        let ids: Vec<String> = (1..=5).map(|value| create(&doctor, &patient, value)).collect();
        let mut seen = Vec::new();
        for page in doctor.pages("Observation/_history?_count=2") {
            assert_eq!(total(&page), 5);
            seen.extend(
                page["entry"].as_array().unwrap().iter().map(|entry| entry["resource"]["id"].as_str().unwrap().to_owned()),
            );
            // Written while the pages are read: not of this history.
            create(&doctor, &patient, 99);
        }
        assert_eq!(seen, ids.iter().rev().cloned().collect::<Vec<_>>());
        let third = doctor.read(&format!("Observation/{}", ids[2]))["meta"]["lastUpdated"].as_str().unwrap().to_owned();
        let since = doctor.read(&format!("Observation/_history?_since={third}&_count=100"));
        assert_eq!(entries(&since).len(), usize::try_from(total(&since)).unwrap());
        assert!(since.to_string().contains(&ids[2]) && !since.to_string().contains(&ids[1]), "at the instant or later");
        let at = doctor.read(&format!("Observation/_history?_at={third}"));
        assert_eq!(total(&at), 3, "those that were there at that instant");
        assert_eq!(total(&doctor.read("Observation/_history?_at=lt2020")), 0);
        assert_eq!(
            total(&doctor.read("Observation/_history?_at=ge2020&_summary=count")),
            total(&doctor.read("Observation/_history"))
        );
        let part = doctor.read(&format!("Observation/{}/_history?_elements=status", ids[0]));
        assert_eq!(part["entry"][0]["resource"]["valueQuantity"], Value::Null);
        for query in
            ["_since=2026&_since=2025", "_count=1&_count=2", "_at=2026&_at=2025", "_since=yesterday", "code=2160-0", "_at=ne2026"]
        {
            doctor.get(&format!("Observation/_history?{query}")).refuses(400, "", None);
        }
    });
}

#[test]
fn it_is_traced_in_each_record_that_contributed() {
    on_both(|world| {
        let (patient, id) = written(world);
        let doctor = world.general_practitioner();
        let traced = || {
            let events = world.patient(&PAT_TROIS).search(&format!("AuditEvent?patient={patient}"));
            events.iter().filter(|event| event["agent"].to_string().contains(GENERAL_PRACTITIONER)).count()
        };
        let before = traced();
        doctor.read("Observation/_history");
        assert_eq!(traced(), before + 1);
        doctor.read(&format!("Observation/{id}/_history"));
        assert_eq!(traced(), before + 2);
        doctor.read("Condition/_history");
        assert_eq!(traced(), before + 2, "nothing of this record");
    });
}

#[test]
fn a_document_and_its_replacement_are_versions() {
    on_both(|world| {
        world.open_record_for_practitioner(&PAT_TROIS);
        let report = |version| Report::of(&PAT_TROIS, 1).version(version).result("2160-0", "80", "umol/L", "20260301");
        let first = report(1).deposit().filed_by(&world.hospital_system());
        report(2).deposit().filed_by(&world.hospital_system());
        let bundle = world.general_practitioner().read(&format!("DocumentReference/{}/_history", first["id"].as_str().unwrap()));
        let states: Vec<&str> =
            bundle["entry"].as_array().unwrap().iter().map(|entry| entry["resource"]["status"].as_str().unwrap()).collect();
        assert_eq!(states, ["superseded", "current"]);
    });
}
