//! Parts of resources: `_summary` and `_elements`. <https://hl7.org/fhir/R4/search.html#summary>
//!
//! Mandatory elements are always given, and those that change the meaning of the rest (`isModifier` of R4). What is cut is tagged SUBSETTED.
use super::query::{Query, Summary};
use crate::fhir::elements::{self, ElementDefinition, TypeDefinition};
use crate::fhir::{Resource, ResourceType};
use serde_json::{Value, json};

/// Whether a resource of this type has an element of this name, choices without their type or with it.
pub(super) fn has_element(resource_type: ResourceType, name: &str) -> bool {
    elements::resource(resource_type.name()).is_some_and(|definition| {
        definition.element(name).is_some() || definition.elements.iter().any(|element| element.name == name)
    })
}

/// The part of a match that the query asks for; `None` where it asks for whole resources.
#[must_use]
pub fn subset(query: &Query, resource: &Resource) -> Option<Resource> {
    part(query.summary, &query.elements, resource)
}

/// The part of a resource that `_summary` or `_elements` asks for; `None` where they ask for all of it.
#[must_use]
pub fn part(summary: Summary, elements: &[String], resource: &Resource) -> Option<Resource> {
    let named =
        |element: &ElementDefinition, json_name: &str| elements.iter().any(|name| name == element.name || name == json_name);
    let keep: &dyn Fn(&ElementDefinition, &str) -> bool = match summary {
        Summary::Text => &|element, _| element.name == "text",
        Summary::Data => &|element, _| element.name != "text",
        Summary::True => &|element, _| element.summary,
        Summary::False if !elements.is_empty() => &named,
        Summary::False | Summary::Count => return None,
    };
    let name = resource.get("resourceType").and_then(Value::as_str).unwrap_or_default();
    let definition = elements::resource(name)?;
    let kept = |json_name: &str| {
        // `_birthDate` goes with `birthDate`.
        let bare = json_name.strip_prefix('_').unwrap_or(json_name);
        let Some((element, _)) = definition.element(bare) else { return bare == "resourceType" };
        element.min > 0 || element.modifier || matches!(bare, "id" | "meta") || keep(element, bare)
    };
    let mut out: Resource =
        resource.iter().filter(|(name, _)| kept(name)).map(|(name, value)| (name.clone(), value.clone())).collect();
    if summary == Summary::True {
        for (name, value) in &mut out {
            if let Some((_, used)) = definition.element(name) {
                summarise(used.definition(), value);
            }
        }
    }
    // What is kept stays valid: it may refer to what the resource contains.
    if let Some(contained) = resource.get("contained").filter(|_| out.values().any(refers_inside)) {
        out.insert("contained".to_owned(), contained.clone());
    }
    tag(&mut out);
    Some(out)
}

/// Leaves what an element's own elements have in the summary, what is mandatory, what changes the meaning, and ids and
/// extensions, whole, which may stand for a value. Bodies are at most 64 deep, so this ends.
fn summarise(definition: &TypeDefinition, value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| summarise(definition, item)),
        // R4 marks nothing of an extension as summary; without its value it would break ext-1.
        Value::Object(object) if definition.kind == elements::Kind::Complex && definition.name != "Extension" => {
            object.retain(|name, _| {
                let bare = name.strip_prefix('_').unwrap_or(name);
                let kept = |element: &ElementDefinition| element.summary || element.min > 0 || element.modifier;
                matches!(bare, "id" | "extension") || definition.element(bare).is_none_or(|(element, _)| kept(element))
            });
            for (name, value) in object {
                if let Some((_, used)) = definition.element(name) {
                    summarise(used.definition(), value);
                }
            }
        }
        Value::Object(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Whether a reference to a contained resource stands in it.
fn refers_inside(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(refers_inside),
        Value::Object(object) => object.iter().any(|(name, value)| match value {
            Value::String(text) => name == "reference" && text.starts_with('#'),
            other => refers_inside(other),
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
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
