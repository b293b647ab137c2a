//! A JSON resource as fhirbolt's `Element` and back, by the element table.
//!
//! Not with fhirbolt's own JSON writer, which changes the digits of an exponent (`1E+2` to `1e+2`); nor with its reader: it
//! loses `id` beside `_id`, refuses `_active` beside a boolean, needs resourceType first in every contained resource, and
//! takes `ExampleScenario.instance.resourceType` for the type of a resource.
use super::{Element, Node};
use crate::fhir::elements::{self, Kind, TypeDefinition};
use fhirbolt::element::Primitive;
use serde_json::{Map, Number, Value};

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

/// The resource as JSON; `None` for a value that JSON cannot hold.
pub(super) fn to_resource(element: &Element) -> Option<Map<String, Value>> {
    let Some(Node::Primitive(Primitive::String(name))) = element.get("resourceType") else { return None };
    to_object(elements::resource(name)?, element)
}

fn to_object(definition: &'static TypeDefinition, element: &Element) -> Option<Map<String, Value>> {
    let mut object = Map::new();
    for (name, node) in element.iter() {
        let used = definition.element(name).map(|(_, used)| used.definition());
        let Some(used) = used.filter(|_| !matches!(node, Node::Primitive(_))) else {
            let Node::Primitive(primitive) = node else { return None };
            object.insert(name.clone(), to_value(primitive)?);
            continue;
        };
        let items = match node {
            Node::Sequence(items) => items.as_slice(),
            Node::Element(item) => std::slice::from_ref(item),
            Node::Primitive(_) => continue,
        };
        let is_array = matches!(node, Node::Sequence(_));
        if used.primitive().is_none() {
            let objects = items.iter().map(|item| Some(Value::Object(to_inner(used, item)?))).collect::<Option<Vec<_>>>()?;
            put(&mut object, name.clone(), objects, is_array);
            continue;
        }
        let values = items.iter().map(|item| match item.get("value") {
            Some(Node::Primitive(primitive)) => to_value(primitive),
            Some(Node::Element(_) | Node::Sequence(_)) => None,
            None => Some(Value::Null),
        });
        let values = values.collect::<Option<Vec<_>>>()?;
        let beside = items.iter().map(to_beside).collect::<Option<Vec<_>>>()?;
        put(&mut object, name.clone(), values, is_array);
        put(&mut object, format!("_{name}"), beside, is_array);
    }
    Some(object)
}

fn to_inner(used: &'static TypeDefinition, element: &Element) -> Option<Map<String, Value>> {
    match used.kind {
        // One that was none is an object without members, which the check names.
        Kind::AnyResource if element.is_empty() => Some(Map::new()),
        Kind::AnyResource => to_resource(element),
        Kind::Complex | Kind::Resource | Kind::Primitive(_) => to_object(used, element),
    }
}

/// Id and extensions of a primitive; null where there are none.
fn to_beside(element: &Element) -> Option<Value> {
    let mut beside = to_object(elements::find("Element")?, element)?;
    beside.shift_remove("value");
    Some(if beside.is_empty() { Value::Null } else { Value::Object(beside) })
}

/// One member, or none where every item is null.
fn put(object: &mut Map<String, Value>, name: String, mut items: Vec<Value>, is_array: bool) {
    if items.iter().all(Value::is_null) {
        return;
    }
    let value = if is_array { Value::Array(items) } else { items.pop().unwrap_or_default() };
    object.insert(name, value);
}

fn to_value(primitive: &Primitive) -> Option<Value> {
    Some(match primitive {
        Primitive::Bool(value) => Value::Bool(*value),
        Primitive::Integer(value) => Value::from(*value),
        Primitive::Integer64(value) => Value::from(*value),
        // The digits as they stand: the reader has judged them.
        Primitive::Decimal(digits) => Value::Number(Number::from_string_unchecked(digits.clone())),
        Primitive::String(text) => Value::String(text.clone()),
    })
}
