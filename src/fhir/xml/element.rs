//! A JSON resource as fhirbolt's `Element`, by the element table.
//!
//! Not with fhirbolt's own JSON reader: it loses `id` beside `_id`, refuses `_active` beside a boolean, needs resourceType
//! first in every contained resource, and takes `ExampleScenario.instance.resourceType` for the type of a resource.
use super::{Element, Node};
use crate::fhir::elements::{self, Kind, TypeDefinition};
use fhirbolt::element::Primitive;
use serde_json::{Map, Value};

/// `None` for what is no resource that the check accepts.
pub(super) fn of_resource(object: &Map<String, Value>) -> Option<Element> {
    let definition = elements::resource(object.get("resourceType")?.as_str()?)?;
    let mut element = Element::new();
    element.insert("resourceType".to_owned(), Node::Primitive(Primitive::String(definition.name.to_owned())));
    members(definition, object, &mut element)?;
    Some(element)
}

fn members(definition: &'static TypeDefinition, object: &Map<String, Value>, into: &mut Element) -> Option<()> {
    for (key, value) in object {
        if key == "resourceType" && definition.kind == Kind::Resource {
            continue;
        }
        let name = key.strip_prefix('_').unwrap_or(key);
        let (_, used) = definition.element(name)?;
        let used = used.definition();
        let node = if used.primitive().is_none() {
            complex(used, value)?
        } else if definition.is_attribute(name) {
            Node::Primitive(Primitive::String(value.as_str()?.to_owned()))
        } else if name == key || !object.contains_key(name) {
            primitives(object.get(name), object.get(&format!("_{name}")))?
        } else {
            continue;
        };
        into.insert(name.to_owned(), node);
    }
    Some(())
}

fn complex(definition: &'static TypeDefinition, value: &Value) -> Option<Node> {
    let item = |value: &Value| match definition.kind {
        Kind::AnyResource => of_resource(value.as_object()?),
        Kind::Complex | Kind::Resource | Kind::Primitive(_) => {
            let mut element = Element::new();
            members(definition, value.as_object()?, &mut element)?;
            Some(element)
        }
    };
    match value {
        Value::Array(items) => items.iter().map(item).collect::<Option<_>>().map(Node::Sequence),
        value => item(value).map(Node::Element),
    }
}

/// Values and what stands beside them, paired.
fn primitives(value: Option<&Value>, beside: Option<&Value>) -> Option<Node> {
    let items = |value: Option<&'_ Value>| value.and_then(Value::as_array).map_or(0, Vec::len);
    if !value.or(beside)?.is_array() {
        return primitive(value, beside).map(Node::Element);
    }
    let pair = |index: usize| {
        let item = |value: Option<&'_ Value>| value.and_then(|value| value.get(index)).cloned();
        primitive(item(value).as_ref(), item(beside).as_ref())
    };
    (0..items(value).max(items(beside))).map(pair).collect::<Option<_>>().map(Node::Sequence)
}

fn primitive(value: Option<&Value>, beside: Option<&Value>) -> Option<Element> {
    let mut element = Element::new();
    if let Some(Value::Object(object)) = beside {
        members(elements::find("Element")?, object, &mut element)?;
    }
    let primitive = match value {
        None | Some(Value::Null) => return Some(element),
        Some(Value::Bool(value)) => Primitive::Bool(*value),
        // Integers too: their digits are the value.
        Some(Value::Number(number)) => Primitive::Decimal(number.as_str().to_owned()),
        Some(Value::String(text)) => Primitive::String(text.clone()),
        Some(Value::Array(_) | Value::Object(_)) => return None,
    };
    element.insert("value".to_owned(), Node::Primitive(primitive));
    Some(element)
}
