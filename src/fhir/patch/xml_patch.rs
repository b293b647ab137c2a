//! XML Patch (RFC 5261) on the XML form of a resource. <https://www.rfc-editor.org/rfc/rfc5261>
//!
//! Elements must come to stand in the order of their definition, as everywhere in XML: `pos="after"` places them. White
//! space between elements says nothing, so that `ws` has nothing to remove.
use super::selector::{Place, Selector};
use super::xml_tree::{self, XmlAttribute, XmlElement, XmlNode};
use super::{Budget, OPERATIONS_MAX, failed_at, malformed, too_large};
use crate::fhir::xml::{self, DEPTH_MAX};
use crate::fhir::{IssueKind, Problem, Resource};

/// One operation, its attributes read.
pub(super) struct Operation {
    kind: Kind,
    selector: Selector,
    content: XmlElement,
}

enum Kind {
    Add(Position),
    AddAttribute(String),
    /// A prefix declared says nothing: the tree has its namespaces resolved.
    AddNamespace,
    Replace,
    Remove,
}

#[derive(Clone, Copy)]
enum Position {
    Append,
    Prepend,
    Before,
    After,
}

/// Reads the operations of a patch document, whatever its root is called.
///
/// # Errors
/// `Malformed` for what is no XML Patch; `PatchFailed` for a selector that is not read here; `TooLarge` above a limit.
pub(super) fn operations(patch: &[u8]) -> Result<Vec<Operation>, Problem> {
    let document = xml_tree::parse(patch)?;
    let root = document.elements().next().ok_or_else(|| malformed("The XML Patch has no element"))?;
    let elements: Vec<&XmlElement> = root.elements().collect();
    if elements.is_empty() {
        return Err(malformed("The XML Patch has no operation"));
    }
    if elements.len() > OPERATIONS_MAX {
        return Err(too_large("operations"));
    }
    elements.iter().enumerate().map(|(at, element)| operation(at, root, element)).collect()
}

fn operation(at: usize, root: &XmlElement, element: &XmlElement) -> Result<Operation, Problem> {
    let fault = |what: &str| malformed(format!("Operation {}: {what}", at + 1));
    let sel = element.attribute("sel").ok_or_else(|| fault("sel is absent"))?;
    let scope: Vec<_> = root.declared.iter().chain(&element.declared).cloned().collect();
    let selector =
        Selector::compile(sel, &scope).ok_or_else(|| failed_at(at, "the selector is not an XPath that is read here"))?;
    if element.attribute("ws").is_some_and(|ws| !matches!(ws, "before" | "after" | "both")) {
        return Err(fault("ws is none of before, after, both"));
    }
    let kind = match element.name.as_str() {
        "add" => match (element.attribute("type"), element.attribute("pos")) {
            (None, None) => Kind::Add(Position::Append),
            (None, Some("prepend")) => Kind::Add(Position::Prepend),
            (None, Some("before")) => Kind::Add(Position::Before),
            (None, Some("after")) => Kind::Add(Position::After),
            (None, Some(_)) => return Err(fault("pos is none of prepend, before, after")),
            (Some(_), Some(_)) => return Err(fault("pos and type do not stand together")),
            (Some(kind), None) => match kind.strip_prefix('@').or_else(|| kind.strip_prefix("attribute::")) {
                Some(name) if is_name(name) => Kind::AddAttribute(name.to_owned()),
                None if kind.starts_with("namespace::") => Kind::AddNamespace,
                _ => return Err(fault("type names neither an attribute nor a namespace")),
            },
        },
        "replace" => Kind::Replace,
        "remove" => Kind::Remove,
        _ => return Err(fault("none of add, replace, remove")),
    };
    Ok(Operation { kind, selector, content: element.clone() })
}

fn is_name(name: &str) -> bool {
    let bare = name.strip_prefix("xml:").unwrap_or(name);
    bare.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && bare.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
}

/// Applies a patch to any XML document.
///
/// # Errors
/// `PatchFailed` for the first operation that cannot be applied.
pub(super) fn apply(patch: &[u8], document: &mut XmlElement) -> Result<(), Problem> {
    let mut budget = Budget::new();
    for (at, operation) in operations(patch)?.into_iter().enumerate() {
        let places = operation.selector.evaluate(document);
        let place = match places.as_slice() {
            [place] if place.len() >= DEPTH_MAX => return Err(too_large("depth")),
            [place] => place.clone(),
            [] => return Err(failed_at(at, "the selector matches nothing")),
            _ => return Err(failed_at(at, "the selector matches several nodes")),
        };
        budget.spend(xml_tree::write(&operation.content).len())?;
        run(document, operation, &place).map_err(|what| failed_at(at, what))?;
    }
    Ok(())
}

/// The same on a resource, by its XML form.
pub(super) fn apply_to_resource(patch: &[u8], resource: &Resource) -> Result<Resource, Problem> {
    let json = serde_json::to_vec(resource)
        .map_err(|_error| Problem::new(IssueKind::Internal, "A stored resource cannot be written as JSON"))?;
    let mut document = xml_tree::parse(&xml::write(&json)?)?;
    apply(patch, &mut document)?;
    xml::read_unchecked(xml_tree::write(&document).as_bytes())
}

const NOTHING: &str = "the selector matches nothing";

fn run(document: &mut XmlElement, operation: Operation, place: &Place) -> Result<(), &'static str> {
    let (last, parents) = place.split_last().ok_or(NOTHING)?;
    let (is_root, last) = (parents.is_empty(), *last);
    let parent = element_mut(document, parents).ok_or(NOTHING)?;
    if let Some(name) = &operation.selector.attribute {
        let Some(XmlNode::Element(element)) = parent.children.get_mut(last) else { return Err(NOTHING) };
        return change_attribute(element, name, &operation);
    }
    match operation.kind {
        Kind::AddNamespace => Ok(()),
        Kind::AddAttribute(name) => {
            let Some(XmlNode::Element(element)) = parent.children.get_mut(last) else {
                return Err("an attribute is added to an element only");
            };
            if element.attribute(&name).is_some() {
                return Err("the attribute is there already");
            }
            let value = xml_tree::unescaped(&plain_text(&operation.content)?);
            element.attributes.push(XmlAttribute { name, value });
            Ok(())
        }
        Kind::Add(position @ (Position::Append | Position::Prepend)) => {
            let Some(XmlNode::Element(element)) = parent.children.get_mut(last) else {
                return Err("nodes are added into an element only");
            };
            let at = if matches!(position, Position::Prepend) { 0 } else { element.children.len() };
            element.children.splice(at..at, operation.content.children);
            element.merge_texts();
            Ok(())
        }
        Kind::Add(position @ (Position::Before | Position::After)) => {
            if is_root {
                return Err("nothing stands beside the root element");
            }
            let at = if matches!(position, Position::Before) { last } else { last + 1 };
            parent.children.splice(at..at, operation.content.children);
            parent.merge_texts();
            Ok(())
        }
        Kind::Replace => {
            let old = parent.children.get_mut(last).ok_or(NOTHING)?;
            let new = replacement(old, operation.content)?;
            *old = new;
            parent.merge_texts();
            Ok(())
        }
        Kind::Remove if is_root => Err("the root element is not removed"),
        Kind::Remove => {
            parent.children.remove(last);
            parent.merge_texts();
            Ok(())
        }
    }
}

fn element_mut<'a>(document: &'a mut XmlElement, place: &[usize]) -> Option<&'a mut XmlElement> {
    place.iter().try_fold(document, |element, index| match element.children.get_mut(*index)? {
        XmlNode::Element(element) => Some(element),
        XmlNode::Text(_) | XmlNode::Comment(_) => None,
    })
}

fn change_attribute(element: &mut XmlElement, name: &str, operation: &Operation) -> Result<(), &'static str> {
    match operation.kind {
        Kind::Remove => {
            element.attributes.retain(|attribute| attribute.name != name);
            Ok(())
        }
        Kind::Replace => {
            let value = xml_tree::unescaped(&plain_text(&operation.content)?);
            let attribute = element.attributes.iter_mut().find(|attribute| attribute.name == name).ok_or(NOTHING)?;
            attribute.value = value;
            Ok(())
        }
        Kind::Add(_) | Kind::AddAttribute(_) | Kind::AddNamespace => Err("nothing is added to an attribute"),
    }
}

fn plain_text(content: &XmlElement) -> Result<String, &'static str> {
    if content.children.iter().any(|child| !matches!(child, XmlNode::Text(_))) {
        return Err("an attribute's value is text only");
    }
    Ok(content.text())
}

/// One node of the same kind; white space around an element or a comment is not meant.
fn replacement(old: &XmlNode, content: XmlElement) -> Result<XmlNode, &'static str> {
    const OTHER: &str = "a node is replaced by one node of its kind";
    if matches!(old, XmlNode::Text(_)) {
        return if content.children.iter().all(|child| matches!(child, XmlNode::Text(_))) {
            Ok(XmlNode::Text(content.text()))
        } else {
            Err(OTHER)
        };
    }
    if !content.text().trim().is_empty() {
        return Err(OTHER);
    }
    let mut nodes = content.children.into_iter().filter(|child| !matches!(child, XmlNode::Text(_)));
    match (old, nodes.next(), nodes.next()) {
        (XmlNode::Element(_), Some(new @ XmlNode::Element(_)), None) => Ok(new),
        (XmlNode::Comment(_), Some(new @ XmlNode::Comment(_)), None) => Ok(new),
        _ => Err(OTHER),
    }
}
