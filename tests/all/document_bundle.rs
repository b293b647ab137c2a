//! `Composition/[id]/$document`. <https://hl7.org/fhir/R4/composition-operation-document.html>
use crate::harness::{PAT_TROIS, Report, on_both};
use serde_json::Value;
use std::collections::BTreeSet;

/// Every literal reference below a value.
fn references(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            into.extend(object.get("reference").and_then(Value::as_str).map(str::to_owned));
            object.values().for_each(|value| references(value, into));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, into)),
        _ => {}
    }
}

#[test]
fn the_document_is_a_bundle_that_begins_with_its_composition_and_holds_all_that_it_refers_to() {
    on_both(|world| {
        world.open_record_for_practitioner(&PAT_TROIS);
        let reader = world.general_practitioner();
        for number in [1, 2] {
            let report = Report::of(&PAT_TROIS, number).result("14749-6", "5.1", "mmol/L", "20260402083000+0200");
            report.deposit().filed_by(&world.hospital_system());
        }
        let compositions = reader.search(&format!("Composition?patient.identifier={}", PAT_TROIS.token()));
        assert_eq!(compositions.len(), 2);
        let id = compositions[0]["id"].as_str().unwrap();
        let bundle = reader.read(&format!("Composition/{id}/$document"));
        assert_eq!((&bundle["resourceType"], &bundle["type"]), (&"Bundle".into(), &"document".into()));
        // bdl-9 and bdl-10: a document has an identifier with a system and a value, and a date.
        assert_eq!(bundle["identifier"]["system"], "urn:ietf:rfc:3986");
        assert!(bundle["identifier"]["value"].as_str().unwrap().starts_with("urn:uuid:"));
        assert!(bundle["timestamp"].is_string());
        // bdl-11: the first resource is the Composition.
        let entries = bundle["entry"].as_array().unwrap();
        assert_eq!(entries[0]["resource"], compositions[0]);
        let (mut named, mut held) = (BTreeSet::new(), BTreeSet::new());
        for entry in entries {
            let resource = &entry["resource"];
            let name = format!("{}/{}", resource["resourceType"].as_str().unwrap(), resource["id"].as_str().unwrap());
            assert!(entry["fullUrl"].as_str().unwrap().ends_with(&format!("/fhir/{name}")), "{entry}");
            assert!(held.insert(name), "each resource once");
            references(resource, &mut named);
        }
        named.retain(|reference| !reference.starts_with('#'));
        assert_eq!(named.difference(&held).collect::<Vec<_>>(), Vec::<&String>::new());
        let types: BTreeSet<&str> = held.iter().map(|name| name.split('/').next().unwrap()).collect();
        assert!(types.is_superset(&["Composition", "Patient", "Observation", "Practitioner"].into()), "{types:?}");
        // The other document's Composition is not part of this one.
        assert_eq!(held.iter().filter(|name| name.starts_with("Composition/")).count(), 1);

        let again = reader.read(&format!("Composition/{id}/$document?persist=false"));
        assert_eq!(again["entry"], bundle["entry"]);
        assert_ne!(again["identifier"], bundle["identifier"], "each Bundle is a document of its own");
        reader.get(&format!("Composition/{id}/$document?persist=true")).refuses(405, "not-supported", None);
        reader.get(&format!("Composition/{id}/$document?x=1")).refuses(400, "", None);
        reader.send("POST", &format!("Composition/{id}/$document"), &[], Vec::new()).refuses(405, "not-supported", None);
    });
}

#[test]
fn a_composition_that_the_caller_may_not_read_is_no_document_either() {
    on_both(|world| {
        world.open_record_for_practitioner(&PAT_TROIS);
        let report = Report::of(&PAT_TROIS, 1).result("14749-6", "5.1", "mmol/L", "20260402083000+0200");
        report.deposit().filed_by(&world.hospital_system());
        let reader = world.general_practitioner();
        let compositions = reader.search(&format!("Composition?patient.identifier={}", PAT_TROIS.token()));
        let id = compositions[0]["id"].as_str().unwrap();
        let stranger = world.stranger();
        let read = stranger.get(&format!("Composition/{id}"));
        let document = stranger.get(&format!("Composition/{id}/$document"));
        assert_eq!((document.status, document.json()), (read.status, read.json()));
        let before = world.trace_rows();
        reader.read(&format!("Composition/{id}/$document"));
        assert_eq!(world.trace_rows(), before + 1);
    });
}
