//! The CapabilityStatement says what the server does, and the server does what it says.
use crate::harness::{PAT_TROIS, encoded, on_both};
use serde_json::Value;
use std::collections::BTreeSet;

fn texts(values: &Value, member: &str) -> BTreeSet<String> {
    let values = values.as_array().into_iter().flatten();
    values.filter_map(|value| value[member].as_str().map(str::to_owned)).collect()
}

#[test]
fn anyone_reads_it_before_signing_in() {
    on_both(|world| {
        let statement = world.bearer(None).read("metadata");
        assert_eq!(statement["resourceType"], "CapabilityStatement");
        assert_eq!(statement["fhirVersion"], "4.0.1");
        assert_eq!(statement["kind"], "instance");
        let formats: BTreeSet<_> =
            statement["format"].as_array().unwrap().iter().map(|format| format.as_str().unwrap()).collect();
        assert!(
            formats.iter().any(|format| format.contains("json")) && formats.iter().any(|format| format.contains("xml")),
            "{formats:?}"
        );
    });
}

#[test]
fn it_names_the_types_that_this_server_answers_for() {
    on_both(|world| {
        let statement = world.bearer(None).read("metadata");
        let types = texts(&statement["rest"][0]["resource"], "type");
        let expected = [
            "Patient",
            "DocumentReference",
            "Consent",
            "Observation",
            "DiagnosticReport",
            "Specimen",
            "Media",
            "Binary",
            "Provenance",
            "AuditEvent",
            "Practitioner",
            "PractitionerRole",
            "Organization",
            "Device",
            "ServiceRequest",
            "Encounter",
            "Composition",
        ];
        for name in expected {
            assert!(types.contains(name), "{name} is missing: {types:?}");
        }
        for name in ["Task", "Subscription", "MessageHeader", "TestScript"] {
            assert!(!types.contains(name), "{name} is outside the purpose of this server");
            assert_eq!(world.hospital_system().get(&format!("{name}?_count=1")).status, 404, "{name}");
        }
    });
}

#[test]
fn every_search_parameter_that_it_names_is_answered() {
    on_both(|world| {
        let record = world.open_record_for_practitioner(&PAT_TROIS);
        let doctor = world.general_practitioner();
        let statement = doctor.read("metadata");
        let mut wrong = Vec::new();
        for resource in statement["rest"][0]["resource"].as_array().unwrap() {
            let name = resource["type"].as_str().unwrap();
            for parameter in resource["searchParam"].as_array().into_iter().flatten() {
                let code = parameter["name"].as_str().unwrap();
                let value = match parameter["type"].as_str().unwrap() {
                    _ if code == "_type" => name,
                    "date" => "2026-04-01",
                    "number" => "1",
                    "quantity" => "1",
                    "uri" => "urn:oid:1.2.3",
                    "reference" => "Patient/1",
                    "composite" | "special" => continue,
                    _ => "x",
                };
                let place = if texts(&resource["searchParam"], "name").contains("patient") && code != "patient" {
                    format!("patient={}&", record.patient)
                } else {
                    String::new()
                };
                let answer = doctor.get(&format!("{name}?{place}{code}={}", encoded(value)));
                let said = answer.text();
                let costly = answer.status == 400 && said.contains("too-costly");
                if ![200, 403].contains(&answer.status) && !costly {
                    wrong.push(format!("{name}?{code}: {} {said}", answer.status));
                }
            }
        }
        assert!(wrong.is_empty(), "{} are named and not answered:\n{}", wrong.len(), wrong.join("\n"));
    });
}

#[test]
fn it_names_the_operation_and_the_transaction() {
    on_both(|world| {
        let statement = world.bearer(None).read("metadata");
        let rest = &statement["rest"][0];
        assert!(texts(&rest["interaction"], "code").contains("transaction"));
        let documents =
            rest["resource"].as_array().unwrap().iter().find(|resource| resource["type"] == "DocumentReference").unwrap();
        assert!(texts(&documents["operation"], "name").contains("translation"), "{documents}");
        let interactions = texts(&documents["interaction"], "code");
        for code in ["read", "vread", "search-type", "create"] {
            assert!(interactions.contains(code), "{code}");
        }
        assert!(!interactions.contains("update"), "a document is replaced, never put");
    });
}
