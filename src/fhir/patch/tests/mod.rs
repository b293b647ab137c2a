//! Rules of the three forms, one by one, and the cases of HL7 where they are at hand.
mod fhirpath;
mod hl7;
mod json_patch;
mod limits;
mod xml_patch;

use super::Patch;
use crate::fhir::{Problem, Resource, ResourceType};
use serde_json::Value;

fn resource(value: Value) -> Resource {
    match value {
        Value::Object(resource) => resource,
        other => panic!("not an object: {other}"),
    }
}

fn apply(patch: &Patch, to: Value) -> Result<Value, Problem> {
    let to = resource(to);
    let resource_type = ResourceType::parse(to["resourceType"].as_str().unwrap()).unwrap();
    patch.apply(resource_type, &to).map(Value::Object)
}

/// Status and text of a refusal.
fn refusal(result: Result<Value, Problem>) -> (u16, String) {
    let problem = result.unwrap_err();
    (problem.status(), problem.to_string())
}
