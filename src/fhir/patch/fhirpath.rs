//! FHIRPath Patch: operations as a Parameters resource. <https://hl7.org/fhir/R4/fhirpatch.html>
//!
//! A path leads to one element; that of `delete` also to none; that of `insert` and `move` to a list. An element that the operations leave empty goes: FHIR has no empty elements.
use super::expression::{Expression, Place, Visits};
use super::tree::{MISFIT, Node};
use super::{Budget, Fault, OPERATIONS_MAX, failed, failed_at, malformed, too_large};
use crate::fhir::elements::TypeDefinition;
use crate::fhir::json::DEPTH_MAX;
use crate::fhir::{IssueKind, Problem, Resource};
use serde_json::Value;

/// One operation, its parts read.
pub(super) struct Operation<'a> {
    path: Expression,
    kind: Kind<'a>,
}

enum Kind<'a> {
    Add { name: String, value: Given<'a> },
    Insert { index: usize, value: Given<'a> },
    Delete,
    Replace(Given<'a>),
    Move { source: usize, destination: usize },
}

/// The part `value`: `value[x]` under its JSON name, or parts that are the elements of a type without a name.
#[derive(Clone, Copy)]
struct Given<'a>(&'a Value);

/// Reads the operations of a Parameters resource that passed the check.
///
/// # Errors
/// `StructureInvalid` (422) for another resource; `Malformed` for what is no patch; `TooLarge` above a limit.
pub(super) fn operations(parameters: &Resource) -> Result<Vec<Operation<'_>>, Problem> {
    if parameters.get("resourceType").and_then(Value::as_str) != Some("Parameters") {
        return Err(Problem::new(IssueKind::StructureInvalid, "A FHIRPath Patch is a Parameters resource"));
    }
    let items = list(parameters.get("parameter"));
    if items.len() > OPERATIONS_MAX {
        return Err(too_large("operations"));
    }
    items.iter().enumerate().map(|(at, item)| operation(at, item)).collect()
}

fn list(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn operation(at: usize, item: &Value) -> Result<Operation<'_>, Problem> {
    let fault = |what: &str| malformed(format!("Operation {}: {what}", at + 1));
    if item.get("name").and_then(Value::as_str) != Some("operation") {
        return Err(fault("the parameter is not named operation"));
    }
    let mut parts: Vec<(&str, &Value)> = Vec::new();
    for part in list(item.get("part")) {
        let name = part.get("name").and_then(Value::as_str).unwrap_or("");
        if !matches!(name, "type" | "path" | "name" | "value" | "index" | "source" | "destination") {
            return Err(fault("a part that an operation does not have"));
        }
        if parts.iter().any(|(other, _)| *other == name) {
            return Err(fault("a part stands twice"));
        }
        parts.push((name, part));
    }
    let part = |name: &str| parts.iter().find(|(other, _)| *other == name).map(|(_, part)| *part);
    let text = |name: &str| {
        let part = part(name)?;
        ["valueCode", "valueString"].iter().find_map(|value| part.get(value)?.as_str())
    };
    let number = |name: &str| {
        let part = part(name)?;
        let value = ["valueInteger", "valueUnsignedInt", "valuePositiveInt"].iter().find_map(|value| part.get(value))?;
        value.as_u64().and_then(|number| usize::try_from(number).ok())
    };
    let value = || part("value").map(Given).ok_or_else(|| fault("value is absent"));
    let index = |name: &str| number(name).ok_or_else(|| fault(&format!("{name} is absent or not a number from 0 on")));
    let kind = match text("type") {
        Some("add") => {
            let name = text("name").ok_or_else(|| fault("name is absent"))?;
            Kind::Add { name: name.strip_suffix("[x]").unwrap_or(name).to_owned(), value: value()? }
        }
        Some("insert") => Kind::Insert { index: index("index")?, value: value()? },
        Some("delete") => Kind::Delete,
        Some("replace") => Kind::Replace(value()?),
        Some("move") => Kind::Move { source: index("source")?, destination: index("destination")? },
        Some(_) => return Err(fault("type is none of add, insert, delete, replace, move")),
        None => return Err(fault("type is absent")),
    };
    let path = text("path").ok_or_else(|| fault("path is absent"))?;
    let path = Expression::compile(path).ok_or_else(|| failed_at(at, "the path is not a FHIRPath that is read here"))?;
    Ok(Operation { path, kind })
}

/// Applies the operations in their order.
///
/// # Errors
/// `PatchFailed` for the first operation that cannot be applied.
pub(super) fn apply(parameters: &Resource, resource: &Resource) -> Result<Resource, Problem> {
    let mut tree = Node::of_resource(resource)
        .ok_or_else(|| Problem::new(IssueKind::Internal, "A stored resource cannot be read as a tree"))?;
    let (mut visits, mut budget) = (Visits::new(), Budget::new());
    for (at, operation) in operations(parameters)?.iter().enumerate() {
        run(&mut tree, operation, &mut visits, &mut budget).map_err(|fault| fault.at(at))?;
    }
    if tree.is_empty() {
        return Err(failed("The result is not a resource"));
    }
    Ok(tree.into_resource())
}

fn run(tree: &mut Node, operation: &Operation<'_>, visits: &mut Visits, budget: &mut Budget) -> Result<(), Fault> {
    let places = operation.path.evaluate(tree, visits)?;
    match &operation.kind {
        Kind::Add { name, value } => {
            let parent = at_mut(tree, &single(&places)?).ok_or(NOTHING)?;
            let node = value.node(parent.content(), name, budget)?;
            let element = parent.content().element(&node.name).ok_or(MISFIT)?.0;
            if !node.repeats() && parent.children.iter().any(|child| parent.is_named(child, element.name)) {
                return Err("the element is there already and does not repeat".into());
            }
            parent.append(node);
            Ok(())
        }
        Kind::Insert { index, value } => insert(tree, operation, &places, *index, *value, visits, budget),
        Kind::Delete => {
            if places.is_empty() {
                return Ok(());
            }
            let place = single(&places)?;
            let (last, parents) = place.split_last().ok_or("the whole resource is not deleted by a patch")?;
            // A parent that is left empty stays until the end: a later operation may fill it.
            at_mut(tree, parents).ok_or(NOTHING)?.children.remove(*last);
            Ok(())
        }
        Kind::Replace(value) => {
            let place = single(&places)?;
            let (last, parents) = place.split_last().ok_or("the whole resource is not replaced by a patch")?;
            let parent = at_mut(tree, parents).ok_or(NOTHING)?;
            let old = parent.children.get(*last).ok_or(NOTHING)?;
            let element = parent.content().element(&old.name).ok_or(MISFIT)?.0;
            let node = value.node(parent.content(), if element.choice { element.name } else { &old.name }, budget)?;
            *parent.children.get_mut(*last).ok_or(NOTHING)? = node;
            Ok(())
        }
        Kind::Move { source, destination } => {
            let list = siblings(&places)?;
            let (first, count) = whole_list(tree, &list).ok_or(NOT_A_LIST)?;
            if *source >= count || *destination >= count {
                return Err("an index is beyond the end of the list".into());
            }
            let parent = at_mut(tree, &list.parent).ok_or(NOTHING)?;
            let node = parent.children.remove(first + source);
            parent.children.insert(first + destination, node);
            Ok(())
        }
    }
}

const NOTHING: &str = "the path leads to nothing";
const NOT_A_LIST: &str = "the path does not lead to a whole list";

fn single(places: &[Place]) -> Result<Place, Fault> {
    match places {
        [place] if place.len() >= DEPTH_MAX => Err(too_large("depth").into()),
        [place] => Ok(place.clone()),
        [] => Err(NOTHING.into()),
        _ => Err("the path leads to several elements".into()),
    }
}

fn at_mut<'a>(tree: &'a mut Node, place: &[usize]) -> Option<&'a mut Node> {
    place.iter().try_fold(tree, |node, index| node.children.get_mut(*index))
}

fn at<'a>(tree: &'a Node, place: &[usize]) -> Option<&'a Node> {
    place.iter().try_fold(tree, |node, index| node.children.get(*index))
}

/// Items of one list.
struct Siblings {
    parent: Place,
    first: usize,
    count: usize,
}

fn siblings(places: &[Place]) -> Result<Siblings, Fault> {
    let (first, parent) = places.first().and_then(|place| place.split_last()).ok_or(NOTHING)?;
    let same = places.iter().zip(*first..).all(|(place, at)| place.split_last() == Some((&at, parent)));
    if !same {
        return Err(NOT_A_LIST.into());
    }
    Ok(Siblings { parent: parent.to_vec(), first: *first, count: places.len() })
}

/// Where the list begins and how long it is; `None` where the path left out some of its items, or where it is none.
fn whole_list(tree: &Node, list: &Siblings) -> Option<(usize, usize)> {
    let parent = at(tree, &list.parent)?;
    let name = &parent.children.get(list.first)?.name;
    let all = parent.children.iter().filter(|child| child.name == *name && child.repeats()).count();
    (all == list.count).then_some((list.first, all))
}

fn insert(
    tree: &mut Node,
    operation: &Operation<'_>,
    places: &[Place],
    index: usize,
    value: Given<'_>,
    visits: &mut Visits,
    budget: &mut Budget,
) -> Result<(), Fault> {
    const BEYOND: &str = "the index is beyond the end of the list";
    if places.is_empty() {
        // A list without items: its place is its name in the one element that has it.
        let (parent, name) = operation.path.split().ok_or(NOTHING)?;
        let place = single(&parent.evaluate(tree, visits)?)?;
        let parent = at_mut(tree, &place).ok_or(NOTHING)?;
        let node = value.node(parent.content(), name, budget)?;
        if !node.repeats() {
            return Err(NOT_A_LIST.into());
        }
        if index > 0 {
            return Err(BEYOND.into());
        }
        parent.append(node);
        return Ok(());
    }
    let list = siblings(places)?;
    let (first, count) = whole_list(tree, &list).ok_or(NOT_A_LIST)?;
    if index > count {
        return Err(BEYOND.into());
    }
    let parent = at_mut(tree, &list.parent).ok_or(NOTHING)?;
    let name = parent.children.get(first).ok_or(NOTHING)?.name.clone();
    let node = value.node(parent.content(), &name, budget)?;
    parent.children.insert(first + index, node);
    Ok(())
}

impl Given<'_> {
    /// The element of this name in a parent of this type, with this value.
    fn node(self, parent: &'static TypeDefinition, name: &str, budget: &mut Budget) -> Result<Node, Fault> {
        budget.spend(self.0.to_string().len())?;
        let node = build(parent, name, self.0, DEPTH_MAX)?;
        if node.is_empty() { Err("the value is empty".into()) } else { Ok(node) }
    }
}

/// `value[x]` of a part, with what stands beside a primitive.
fn stated(part: &Value) -> Option<(&str, Option<&Value>, Option<&Value>)> {
    let object = part.as_object()?;
    let key = object.keys().find(|key| key.trim_start_matches('_').starts_with("value"))?;
    let key = key.trim_start_matches('_');
    Some((key.strip_prefix("value")?, object.get(key), object.get(&format!("_{key}"))))
}

/// Parts build the elements of a type that has no name of its own, such as Patient.contact; a repeated part is an item.
fn build(parent: &'static TypeDefinition, name: &str, part: &Value, depth: usize) -> Result<Node, Fault> {
    let depth = depth.checked_sub(1).ok_or_else(|| too_large("depth"))?;
    if let Some((type_name, value, beside)) = stated(part) {
        let choice = format!("{name}{type_name}");
        let full = if parent.element(&choice).is_some_and(|(element, _)| element.choice) { &choice } else { name };
        if parent.element(full).is_none() {
            return Err("the element does not exist, or not with this type of value".into());
        }
        return Node::of_value(parent, full, value, beside).ok_or(MISFIT.into());
    }
    if let Some(resource) = part.get("resource") {
        return Node::of_value(parent, name, Some(resource), None).ok_or(MISFIT.into());
    }
    let mut node = Node::empty(parent, name).ok_or("the element does not exist")?;
    if node.definition.primitive().is_some() {
        return Err(MISFIT.into());
    }
    for part in list(part.get("part")) {
        let name = part.get("name").and_then(Value::as_str).unwrap_or("");
        let child = build(node.content(), name.strip_suffix("[x]").unwrap_or(name), part, depth)?;
        node.append(child);
    }
    Ok(node)
}
