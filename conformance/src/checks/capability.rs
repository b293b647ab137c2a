//! What the server says that it does.
use crate::client::{Call, XML};
use crate::run::{Checked, Run, ensure, text};
use serde_json::Value;

pub(crate) fn version(run: &mut Run) -> Checked {
    let statement = run.expect(200, Call::get("metadata", None))?.json();
    ensure(text(&statement, "/resourceType") == "CapabilityStatement", "metadata is no CapabilityStatement")?;
    let version = text(&statement, "/fhirVersion");
    ensure(version == "4.0.1", format!("fhirVersion is {version:?}"))?;
    ensure(text(&statement, "/kind") == "instance", "kind is not instance")
}

pub(crate) fn formats(run: &mut Run) -> Checked {
    let statement = run.expect(200, Call::get("metadata", None))?.json();
    let formats: Vec<&str> =
        statement.get("format").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    for kind in ["json", "xml"] {
        ensure(formats.iter().any(|format| format.contains(kind)), format!("format does not state {kind}"))?;
    }
    let xml = run.expect(200, Call::get("metadata", None).accept(XML))?;
    ensure(xml.header("content-type").starts_with(XML), format!("asked for XML, got {:?}", xml.header("content-type")))?;
    ensure(xml.text().contains("<CapabilityStatement"), "the XML has no CapabilityStatement")?;
    let json = run.expect(200, Call::get("metadata?_format=json", None).accept("*/*"))?;
    ensure(json.header("content-type").starts_with("application/fhir+json"), "_format=json is not obeyed")
}

/// Types and the interactions that the main job needs of each.
const TYPES: &[(&str, &[&str])] = &[
    ("Patient", &["search-type", "read", "create"]),
    ("Consent", &["search-type", "read", "create", "update"]),
    ("DocumentReference", &["search-type", "read", "create"]),
    ("Binary", &["read"]),
    ("Observation", &["search-type", "read", "vread"]),
    ("DiagnosticReport", &["search-type", "read"]),
    ("Specimen", &["search-type", "read"]),
    ("Provenance", &["search-type", "read"]),
    ("AuditEvent", &["search-type", "read"]),
];

pub(crate) fn types(run: &mut Run) -> Checked {
    let statement = run.expect(200, Call::get("metadata", None))?.json();
    let resources: Vec<&Value> = statement.pointer("/rest/0/resource").and_then(Value::as_array).into_iter().flatten().collect();
    let mut missing = Vec::new();
    for (name, interactions) in TYPES {
        let Some(resource) = resources.iter().find(|resource| text(resource, "/type") == *name) else {
            missing.push((*name).to_owned());
            continue;
        };
        let stated: Vec<&str> = resource
            .get("interaction")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .map(|interaction| text(interaction, "/code"))
            .collect();
        missing.extend(interactions.iter().filter(|wanted| !stated.contains(wanted)).map(|wanted| format!("{name} {wanted}")));
    }
    ensure(missing.is_empty(), format!("not stated: {}", missing.join(", ")))
}
