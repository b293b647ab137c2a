//! Parts of resources: `_summary` and `_elements`. <https://hl7.org/fhir/R4/search.html#summary>
//!
//! Mandatory elements are always given, and those that change the meaning of the rest. What is cut is tagged SUBSETTED.
use super::query::{Query, Summary};
use crate::fhir::elements::{self, ElementDefinition};
use crate::fhir::{Resource, ResourceType};
use serde_json::{Value, json};

/// Elements without which the rest could be taken for something else: the modifier elements of R4 at the root of the types
/// that clients may write or that documents bring. <https://hl7.org/fhir/R4/conformance-rules.html#isModifier>
const MODIFIERS: [&str; 10] = [
    "active",
    "clinicalStatus",
    "deceased",
    "doNotPerform",
    "implicitRules",
    "isSubpotent",
    "link",
    "modifierExtension",
    "status",
    "verificationStatus",
];

/// Whether a resource of this type has an element of this name, choices without their type or with it.
pub(super) fn has_element(resource_type: ResourceType, name: &str) -> bool {
    elements::resource(resource_type.name()).is_some_and(|definition| {
        definition.element(name).is_some() || definition.elements.iter().any(|element| element.name == name)
    })
}

/// The part of a match that the query asks for; `None` where it asks for whole resources.
#[must_use]
pub fn subset(query: &Query, resource: &Resource) -> Option<Resource> {
    let named = |element: &ElementDefinition, json_name: &str| {
        query.elements.iter().any(|name| name == element.name || name == json_name)
    };
    let keep: &dyn Fn(&ElementDefinition, &str) -> bool = match query.summary {
        Summary::Text => &|element, _| element.name == "text",
        Summary::Data => &|element, _| element.name != "text",
        Summary::False if !query.elements.is_empty() => &named,
        Summary::False | Summary::True | Summary::Count => return None,
    };
    let name = resource.get("resourceType").and_then(Value::as_str).unwrap_or_default();
    let definition = elements::resource(name)?;
    let kept = |json_name: &str| {
        // `_birthDate` goes with `birthDate`.
        let bare = json_name.strip_prefix('_').unwrap_or(json_name);
        let Some((element, _)) = definition.element(bare) else { return bare == "resourceType" };
        let always = element.min > 0 || matches!(bare, "id" | "meta");
        always || MODIFIERS.contains(&element.name) || keep(element, bare)
    };
    let mut out: Resource =
        resource.iter().filter(|(name, _)| kept(name)).map(|(name, value)| (name.clone(), value.clone())).collect();
    tag(&mut out);
    Some(out)
}

/// Says that this is not the whole resource, so that no client writes it back.
fn tag(resource: &mut Resource) {
    let meta = resource.entry("meta").or_insert_with(|| json!({}));
    let Some(meta) = meta.as_object_mut() else { return };
    let tags = meta.entry("tag").or_insert_with(|| json!([]));
    if let Some(tags) = tags.as_array_mut() {
        tags.push(json!({"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED"}));
    }
}
