//! Each interaction leaves a trace that is durable before its answer leaves; its person reads it (BR-27, DESIGN section 3).
use crate::harness::people::Kind;
use crate::harness::server::{GENERAL_PRACTITIONER, STRANGER, World};
use crate::harness::{PAT_TROIS, Report, day, on_both};
use serde_json::{Value, json};

fn filed(world: &World) -> (String, String) {
    let record = world.open_record_for_practitioner(&PAT_TROIS);
    let report = Report::of(&PAT_TROIS, 1).result("3016-3", "2.1", "m[IU]/L", "20260401");
    let document = report.deposit().filed_by(&world.hospital_system());
    (record.patient, document["id"].as_str().unwrap().to_owned())
}

/// The person's own trace since yesterday, newest first.
fn events(world: &World, patient: &str) -> Vec<Value> {
    world.patient(&PAT_TROIS).search(&format!("AuditEvent?patient={patient}&date=ge{}&_sort=-date", day(-1)))
}

/// Who did it: the national numbers that an event names.
fn agents(event: &Value) -> Vec<String> {
    let agents = event["agent"].as_array().unwrap();
    agents.iter().filter_map(|agent| agent["who"]["identifier"]["value"].as_str().map(str::to_owned)).collect()
}

#[test]
fn every_interaction_leaves_one_row() {
    on_both(|world| {
        let (patient, document) = filed(world);
        let doctor = world.general_practitioner();
        let steps = [
            (format!("Patient?identifier={}", PAT_TROIS.token()), 200),
            (format!("Patient/{patient}"), 200),
            (format!("DocumentReference/{document}"), 200),
            (format!("DocumentReference/{document}/_history/1"), 200),
            (format!("DocumentReference/{document}/$translation"), 200),
            (format!("Observation?patient={patient}&code=3016-3"), 200),
            ("Observation/00000000-0000-4000-8000-000000000000".to_owned(), 404),
        ];
        for (path, status) in steps {
            let before = world.trace_rows();
            assert_eq!(doctor.get(&path).status, status, "{path}");
            assert_eq!(world.trace_rows(), before + 1, "{path}");
        }
    });
}

#[test]
fn what_names_nobody_leaves_none() {
    on_both(|world| {
        let before = world.trace_rows();
        assert_eq!(world.bearer(None).get("metadata").status, 200);
        assert_eq!(world.bearer(None).get("Patient/1").status, 401);
        assert_eq!(world.bearer(Some("no.token.here")).get("Patient/1").status, 401);
        assert_eq!(world.trace_rows(), before);
    });
}

#[test]
fn the_patient_reads_who_looked_at_his_record_and_when() {
    on_both(|world| {
        let (patient, document) = filed(world);
        assert_eq!(world.general_practitioner().get(&format!("DocumentReference/{document}")).status, 200);
        let found = events(world, &patient);
        let read = found.iter().find(|event| event["action"] == "R" && agents(event).contains(&GENERAL_PRACTITIONER.to_owned()));
        let read = read.unwrap_or_else(|| panic!("no read by the doctor: {found:#?}"));
        assert_eq!(read["resourceType"], "AuditEvent");
        assert_eq!(read["outcome"], "0");
        assert!(read["recorded"].as_str().unwrap().starts_with(&day(0)[..8]), "{read}");
        let whats: Vec<_> = read["entity"].as_array().unwrap().iter().map(|entity| entity["what"]["reference"].clone()).collect();
        assert!(whats.contains(&json!(format!("Patient/{patient}"))), "{whats:?}");
        assert!(whats.contains(&json!(format!("DocumentReference/{document}"))), "{whats:?}");
    });
}

#[test]
fn a_search_is_traced_with_its_query() {
    on_both(|world| {
        let (patient, _) = filed(world);
        world.general_practitioner().read(&format!("Observation?patient={patient}&code=3016-3"));
        let found = events(world, &patient);
        let query = found.iter().filter(|event| event["action"] == "E").find_map(|event| {
            let entities = event["entity"].as_array()?;
            entities.iter().find_map(|entity| entity["query"].as_str().map(str::to_owned))
        });
        let query = query.unwrap_or_else(|| panic!("no query: {found:#?}"));
        let text = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, query).unwrap();
        assert!(String::from_utf8(text).unwrap().contains("code=3016-3"));
    });
}

#[test]
fn a_deposit_and_a_consent_are_in_the_trace() {
    on_both(|world| {
        let (patient, _) = filed(world);
        let found = events(world, &patient);
        assert!(found.iter().filter(|event| event["action"] == "C").count() >= 3, "opening, consent, deposit: {found:#?}");
    });
}

#[test]
fn a_refusal_is_traced_in_the_record() {
    on_both(|world| {
        let (patient, document) = filed(world);
        assert_eq!(world.stranger().get(&format!("DocumentReference/{document}")).status, 403);
        let found = events(world, &patient);
        let refused = found.iter().find(|event| event["outcome"] == "4").unwrap_or_else(|| panic!("no refusal: {found:#?}"));
        assert!(agents(refused).contains(&STRANGER.to_owned()), "{refused}");
        assert!(refused["meta"]["profile"].is_null(), "BALP fixes outcome 0: {refused}");
    });
}

#[test]
fn the_trace_is_the_patients_own() {
    on_both(|world| {
        let (patient, _) = filed(world);
        for actor in [world.general_practitioner(), world.stranger(), world.hospital_system()] {
            assert_eq!(actor.get(&format!("AuditEvent?patient={patient}")).status, 403);
        }
        assert!(events(world, &patient).iter().any(|event| event["resourceType"] == "AuditEvent"));
    });
}

#[test]
fn the_trace_is_found_by_date() {
    on_both(|world| {
        let (patient, _) = filed(world);
        let own = world.patient(&PAT_TROIS);
        assert!(own.search(&format!("AuditEvent?patient={patient}&date=lt{}", day(-1))).is_empty());
        assert!(!own.search(&format!("AuditEvent?patient={patient}&date=ge{}&date=le{}", day(-1), day(1))).is_empty());
    });
}

#[test]
fn without_a_trace_no_data_goes_out() {
    on_both(|world| {
        let (patient, document) = filed(world);
        world.break_trace();
        let doctor = world.general_practitioner();
        for path in [format!("DocumentReference/{document}"), format!("Observation?patient={patient}")] {
            let answer = doctor.get(&path);
            answer.refuses(503, "transient", None);
            assert!(!answer.text().contains("3016-3"));
        }
        let before = world.counts();
        let denied = world.consents(&PAT_TROIS, Kind::Autorisation, STRANGER);
        assert_eq!(denied.status, 503, "{}", denied.text());
        assert_eq!(world.counts(), before, "a write without its trace is no write");
    });
}
