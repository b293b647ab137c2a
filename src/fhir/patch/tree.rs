//! A resource as a tree of elements: each item of a list is a node of its own, and a primitive has its value, id and
//! extensions together, as in FHIRPath. JSON comes back as it was but for what a patch changes.
use crate::fhir::Resource;
use crate::fhir::elements::{self, ElementDefinition, Kind, TypeDefinition};
use crate::fhir::json::DEPTH_MAX;
use serde_json::{Map, Value};

/// An element (or a resource), with what stands in it.
#[derive(Clone)]
pub(super) struct Node {
    /// Name in JSON: `valueQuantity`.
    pub(super) name: String,
    /// Its type.
    pub(super) definition: &'static TypeDefinition,
    /// Whether JSON writes it as an item of an array.
    repeats: bool,
    /// The value of a primitive.
    pub(super) value: Option<Value>,
    /// Elements in document order; siblings of one name stand together.
    pub(super) children: Vec<Node>,
}

/// Why a value does not make an element.
pub(super) const MISFIT: &str = "the value does not fit the element";

impl Node {
    /// `None` for what is no resource that the check accepts.
    pub(super) fn of_resource(resource: &Resource) -> Option<Self> {
        Self::resource("", false, &Value::Object(resource.clone()), DEPTH_MAX)
    }

    fn resource(name: &str, repeats: bool, value: &Value, depth: usize) -> Option<Self> {
        let definition = elements::resource(value.get("resourceType")?.as_str()?)?;
        let children = children(definition, value.as_object()?, depth.checked_sub(1)?)?;
        Some(Self { name: name.to_owned(), definition, repeats, value: None, children })
    }

    /// An element of this name in a parent of this type; `beside` is what JSON writes under `_name`.
    pub(super) fn of_value(
        parent: &'static TypeDefinition,
        name: &str,
        value: Option<&Value>,
        beside: Option<&Value>,
    ) -> Option<Self> {
        let (element, used) = parent.element(name)?;
        item(name, element, used.definition(), value, beside, DEPTH_MAX)
    }

    /// An element of this name without anything in it yet.
    pub(super) fn empty(parent: &'static TypeDefinition, name: &str) -> Option<Self> {
        let (element, used) = parent.element(name)?;
        let definition = used.definition();
        Some(Self { name: name.to_owned(), definition, repeats: element.is_array(), value: None, children: Vec::new() })
    }

    /// Whether nothing stands in it: FHIR has no empty elements.
    pub(super) fn is_empty(&self) -> bool {
        self.value.is_none() && self.children.is_empty() && self.definition.kind != Kind::Resource
    }

    /// The type whose elements stand in it: those of `Element` in a primitive.
    pub(super) fn content(&self) -> &'static TypeDefinition {
        match self.definition.kind {
            Kind::Primitive(_) => elements::find("Element").unwrap_or(self.definition),
            Kind::Complex | Kind::Resource | Kind::AnyResource => self.definition,
        }
    }

    /// Whether its definition lets it stand more than once.
    pub(super) fn repeats(&self) -> bool {
        self.repeats
    }

    /// Puts a child where JSON would: after its last sibling of the same name, else at the end.
    pub(super) fn append(&mut self, child: Node) {
        let after = self.children.iter().rposition(|other| other.name == child.name);
        match after {
            Some(last) => self.children.insert(last + 1, child),
            None => self.children.push(child),
        }
    }

    /// Whether a child is a primitive or an element of this name, whatever its type (`value` finds `valueQuantity`).
    pub(super) fn is_named(&self, child: &Node, name: &str) -> bool {
        child.name == name
            || self.content().element(&child.name).is_some_and(|(element, _)| element.choice && element.name == name)
    }

    /// As a JSON resource; elements that a patch emptied are gone.
    pub(super) fn into_resource(mut self) -> Resource {
        self.prune();
        self.object()
    }

    fn prune(&mut self) {
        for child in &mut self.children {
            child.prune();
        }
        self.children.retain(|child| !child.is_empty());
    }

    fn object(&self) -> Resource {
        let mut object = Map::new();
        if self.definition.kind == Kind::Resource {
            object.insert("resourceType".to_owned(), self.definition.name.into());
        }
        let mut rest = self.children.as_slice();
        while let Some(first) = rest.first() {
            let count = rest.iter().take_while(|child| child.name == first.name).count();
            let (siblings, others) = rest.split_at(count);
            self.write(&mut object, first, siblings);
            rest = others;
        }
        object
    }

    fn write(&self, object: &mut Resource, first: &Node, siblings: &[Node]) {
        let name = &first.name;
        if first.definition.primitive().is_none() {
            let items: Vec<Value> = siblings.iter().map(|child| Value::Object(child.object())).collect();
            object.insert(name.clone(), listed(first.repeats, items));
            return;
        }
        let values: Vec<Value> = siblings.iter().map(|child| child.value.clone().unwrap_or_default()).collect();
        let beside: Vec<Value> = siblings
            .iter()
            .map(|child| if child.children.is_empty() { Value::Null } else { Value::Object(child.object()) })
            .collect();
        if values.iter().any(|value| !value.is_null()) {
            object.insert(name.clone(), listed(first.repeats, values));
        }
        if beside.iter().any(|value| !value.is_null()) {
            object.insert(format!("_{name}"), listed(first.repeats, beside));
        }
    }
}

/// Two siblings where one may stand become an array, which the check of the result refuses at its place.
fn listed(repeats: bool, mut items: Vec<Value>) -> Value {
    match items.pop() {
        Some(only) if !repeats && items.is_empty() => only,
        Some(last) => {
            items.push(last);
            Value::Array(items)
        }
        None => Value::Null,
    }
}

fn children(definition: &'static TypeDefinition, object: &Resource, depth: usize) -> Option<Vec<Node>> {
    let mut all = Vec::new();
    for key in object.keys() {
        if key == "resourceType" && definition.kind == Kind::Resource {
            continue;
        }
        let name = key.strip_prefix('_').unwrap_or(key);
        if name != key && object.contains_key(name) {
            continue;
        }
        let (element, used) = definition.element(name)?;
        let (value, beside) = (object.get(name), object.get(&format!("_{name}")));
        let used = used.definition();
        if !element.is_array() {
            all.push(item(name, element, used, value, beside, depth)?);
            continue;
        }
        let list = |value: Option<&'_ Value>| value.map_or(Some(0), |value| value.as_array().map(Vec::len));
        for index in 0..list(value)?.max(list(beside)?) {
            let at = |value: Option<&Value>| value.and_then(|value| value.get(index)).cloned();
            all.push(item(name, element, used, at(value).as_ref(), at(beside).as_ref(), depth)?);
        }
    }
    Some(all)
}

fn item(
    name: &str,
    element: &'static ElementDefinition,
    definition: &'static TypeDefinition,
    value: Option<&Value>,
    beside: Option<&Value>,
    depth: usize,
) -> Option<Node> {
    let repeats = element.is_array();
    let node = |value, children| Node { name: name.to_owned(), definition, repeats, value, children };
    match definition.kind {
        Kind::AnyResource => Node::resource(name, repeats, value?, depth),
        Kind::Complex | Kind::Resource => Some(node(None, children(definition, value?.as_object()?, depth.checked_sub(1)?)?)),
        Kind::Primitive(_) => {
            let inner = match beside {
                None | Some(Value::Null) => Vec::new(),
                Some(Value::Object(object)) => children(elements::find("Element")?, object, depth.checked_sub(1)?)?,
                Some(_) => return None,
            };
            let value = match value {
                None | Some(Value::Null) => None,
                Some(Value::Array(_) | Value::Object(_)) => return None,
                Some(value) => Some(value.clone()),
            };
            Some(node(value, inner))
        }
    }
}
