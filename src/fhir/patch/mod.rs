//! Patches of resources, pure. <https://hl7.org/fhir/R4/http.html#patch>
use super::{IssueKind, Problem, Resource, ResourceType};
use serde_json::Value;

/// What a PATCH changes, in one of the three languages of R4.
#[derive(Clone)]
pub enum Patch {
    /// JSON Patch (RFC 6902), `application/json-patch+json`.
    Json(Value),
    /// XML Patch (RFC 5261), `application/xml-patch+xml`.
    Xml(Vec<u8>),
    /// FHIRPath Patch: a Parameters resource. <https://hl7.org/fhir/R4/fhirpatch.html>
    FhirPath(Resource),
}

impl Patch {
    /// The resource after the patch; what comes out is checked by the caller like the body of an update.
    ///
    /// # Errors
    /// What the patch asks wrongly of this resource.
    pub fn apply(&self, _resource_type: ResourceType, _resource: &Resource) -> Result<Resource, Problem> {
        Err(Problem::new(IssueKind::NotSupported, "This server has no patch yet"))
    }
}
