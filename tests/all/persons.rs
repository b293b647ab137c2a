//! One resource is of one person, and what one person's trace says names no other (DESIGN section 3, BR-20, BR-27).
use crate::harness::people::{Kind, professional};
use crate::harness::server::{GENERAL_PRACTITIONER, opening};
use crate::harness::{CHILD, PAT_TROIS, day, on_both};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

#[test]
fn an_opening_brings_no_consent_of_another_person() {
    on_both(|world| {
        let mut bundle = opening(&PAT_TROIS);
        for entry in bundle["entry"].as_array_mut().unwrap() {
            if entry["resource"]["resourceType"] == "Consent" {
                entry["resource"]["patient"] = CHILD.logical_reference();
                entry["resource"]["performer"] = json!([CHILD.logical_reference()]);
            }
        }
        world.hospital_system().post("", &bundle).refuses(422, "business-rule", Some("Bundle.entry[1].resource.patient"));
        let found = world.hospital_system().read(&format!("Patient?identifier={}", PAT_TROIS.token()));
        assert_eq!(found["total"], 0, "nothing is opened");
    });
}

#[test]
fn a_reference_that_names_two_persons_is_of_none() {
    on_both(|world| {
        let record = world.open_record_for_practitioner(&PAT_TROIS);
        world.open_record(&CHILD);
        let both =
            json!({"reference": format!("Patient/{}", record.patient), "identifier": CHILD.logical_reference()["identifier"]});
        let observation = json!({"resourceType": "Observation", "status": "final", "subject": both,
            "code": {"coding": [{"system": "http://loinc.org", "code": "4548-4"}]}});
        world.hospital_system().post("Observation", &observation).refuses(422, "business-rule", None);
        let mut consent = PAT_TROIS.consent(Kind::Autorisation, Some(professional(GENERAL_PRACTITIONER)));
        consent["patient"] = both.clone();
        consent["performer"] = json!([both]);
        world.patient(&PAT_TROIS).post("Consent", &consent).refuses(422, "business-rule", Some("Consent.patient"));
    });
}

#[test]
fn the_patient_withdraws_a_professionals_consent_as_he_reads_it() {
    on_both(|world| {
        let record = world.open_record(&PAT_TROIS);
        let doctor = world.general_practitioner();
        let mut consent = PAT_TROIS.consent(Kind::Autorisation, Some(professional(GENERAL_PRACTITIONER)));
        consent["performer"] = json!([professional(GENERAL_PRACTITIONER)]);
        let written = doctor.post("Consent", &consent).expect(201);
        let path = format!("Consent/{}", written["id"].as_str().unwrap());
        assert_eq!(doctor.get(&format!("Patient/{}", record.patient)).status, 200);
        let patient = world.patient(&PAT_TROIS);
        let mut read = patient.read(&path);
        read["status"] = json!("inactive");
        patient.put(&path, &read).expect(200);
        assert_eq!(doctor.get(&format!("Patient/{}", record.patient)).status, 403);
    });
}

#[test]
fn nobody_is_made_to_declare_a_consent_that_he_did_not() {
    on_both(|world| {
        world.open_record(&PAT_TROIS);
        let patient = world.patient(&PAT_TROIS);
        let mut consent = world.consents(&PAT_TROIS, Kind::Autorisation, GENERAL_PRACTITIONER).expect(201);
        let path = format!("Consent/{}", consent["id"].as_str().unwrap());
        consent["performer"] = json!([professional(GENERAL_PRACTITIONER)]);
        patient.put(&path, &consent).refuses(422, "business-rule", Some("Consent.performer"));
    });
}

#[test]
fn the_trace_of_one_patient_does_not_name_another_of_the_same_search() {
    on_both(|world| {
        world.open_record_for_practitioner(&PAT_TROIS);
        world.open_record_for_practitioner(&CHILD);
        let both = format!("{},{}", PAT_TROIS.token(), CHILD.token());
        world.general_practitioner().get(&format!("Patient?identifier={both}&_count=5")).expect(200);
        let events =
            world.patient(&PAT_TROIS).search(&format!("AuditEvent?patient.identifier={}&date=ge{}", PAT_TROIS.token(), day(-1)));
        let queries = events.iter().flat_map(|event| event["entity"].as_array().cloned().unwrap_or_default());
        let queries: Vec<String> = queries
            .filter_map(|entity| {
                entity["query"].as_str().map(|query| String::from_utf8(STANDARD.decode(query).unwrap()).unwrap())
            })
            .collect();
        assert!(queries.iter().any(|query| query.contains("identifier=*")), "{queries:?}");
        let child = CHILD.token();
        let value = child.rsplit(['|', 'C']).next().unwrap();
        assert!(queries.iter().all(|query| !query.contains(value)), "{queries:?}");
    });
}

#[test]
fn what_the_form_of_a_search_asked_stands_in_the_trace() {
    on_both(|world| {
        let record = world.open_record_for_practitioner(&PAT_TROIS);
        let form = format!("patient={}&code=4548-4", record.patient);
        let headers = [("Content-Type", "application/x-www-form-urlencoded")];
        world.general_practitioner().send("POST", "Observation/_search", &headers, form.into_bytes()).expect(200);
        let events = world.patient(&PAT_TROIS).search(&format!("AuditEvent?patient={}&date=ge{}", record.patient, day(-1)));
        let asked = |event: &Value| {
            let query = event["entity"].as_array().into_iter().flatten().find_map(|entity| entity["query"].as_str());
            query.is_some_and(|query| String::from_utf8(STANDARD.decode(query).unwrap()).unwrap().contains("code=4548-4"))
        };
        assert!(events.iter().any(asked));
    });
}

#[test]
fn the_trace_is_not_searched_by_links_and_knows_when_it_was_written() {
    on_both(|world| {
        let record = world.open_record_for_practitioner(&PAT_TROIS);
        let patient = world.patient(&PAT_TROIS);
        let of = |query: &str| patient.get(&format!("AuditEvent?patient={}&{query}", record.patient));
        assert_eq!(of("agent:Practitioner.identifier=9").status, 400);
        assert!(of(&format!("_lastUpdated=ge{}", day(-1))).expect(200)["total"].as_u64().unwrap() > 0);
        assert_eq!(of(&format!("_lastUpdated=lt{}", day(-1))).expect(200)["total"], 0);
    });
}

#[test]
fn a_client_does_not_state_where_data_come_from_nor_their_state() {
    on_both(|world| {
        let record = world.open_record_for_practitioner(&PAT_TROIS);
        let tag = json!({"system": "https://dmp-fhir.example/fhir/CodeSystem/data-state", "code": "superseded"});
        let own = json!({"system": "urn:example", "code": "kept"});
        let observation = json!({"resourceType": "Observation", "status": "final",
            "meta": {"source": "urn:oid:1.2.3", "profile": ["http://example.org/p"], "tag": [tag, own.clone()]},
            "subject": {"reference": format!("Patient/{}", record.patient)},
            "code": {"coding": [{"system": "http://loinc.org", "code": "4548-4"}]}});
        let made = world.hospital_system().post("Observation", &observation).expect(201);
        assert_eq!(made["meta"]["tag"], json!([own]));
        assert!(made["meta"].get("source").is_none() && made["meta"].get("profile").is_none());
    });
}
