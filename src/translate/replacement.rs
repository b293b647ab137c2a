//! A corrected document: its data say which earlier data they replace (BR-42, C10).
use super::Entry;
use serde_json::{Value, json};
use std::collections::HashMap;

/// What makes two entries of two versions the same statement: type, place and code.
fn identity(entry: &Entry) -> Option<(&str, &str, String)> {
    let kind = entry.resource.get("resourceType")?.as_str()?;
    extension(kind)?;
    let code = entry.resource.get("code").map(Value::to_string)?;
    Some((kind, entry.entry_path.as_str(), code))
}

fn extension(resource_type: &str) -> Option<&'static str> {
    match resource_type {
        "Observation" => Some("http://hl7.org/fhir/StructureDefinition/observation-replaces"),
        "DiagnosticReport" => Some("http://hl7.org/fhir/StructureDefinition/diagnosticReport-replaces"),
        _other => None,
    }
}

/// Adds to each Observation and DiagnosticReport the one of the same code and path in the version before.
///
/// `previous` is the translation of the replaced document; `reference` gives the reference under which one of its entries is
/// stored, and nothing for one that is not.
pub fn mark_replacements(entries: &mut [Entry], previous: &[Entry], mut reference: impl FnMut(&Entry) -> Option<String>) {
    let before: HashMap<_, _> = previous.iter().filter_map(|entry| Some((identity(entry)?, entry))).collect();
    for entry in entries {
        let Some((url, target)) = identity(entry).and_then(|own| {
            let target = reference(before.get(&own)?)?;
            Some((extension(own.0)?, target))
        }) else {
            continue;
        };
        let extensions = entry.resource.entry("extension").or_insert_with(|| json!([]));
        if let Some(extensions) = extensions.as_array_mut() {
            extensions.push(json!({"url": url, "valueReference": {"reference": target}}));
        }
    }
}
