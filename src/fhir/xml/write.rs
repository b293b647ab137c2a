//! A stored resource as XML, by the element table.
use super::{Element, FHIR_NAMESPACE, Node, element};
use crate::fhir::elements::{self, Kind, Primitive as Type, TypeDefinition};
use crate::fhir::{IssueKind, Problem, json};
use fhirbolt::element::Primitive;

/// Writes a resource that was checked when it came in.
///
/// # Errors
/// `NotAcceptable` for a string with a character that XML does not have; `Internal` for bytes that are no checked resource.
pub fn write(json: &[u8]) -> Result<Vec<u8>, Problem> {
    document(json, false)
}

/// The same with line breaks and indentation between elements, for `_pretty=true`; narratives stay as they are.
///
/// # Errors
/// As [`write()`].
pub fn write_pretty(json: &[u8]) -> Result<Vec<u8>, Problem> {
    document(json, true)
}

/// The text so far, and how deep the next element stands.
struct Out {
    text: String,
    pretty: bool,
    depth: usize,
}

impl Out {
    fn extend<'a>(&mut self, parts: impl IntoIterator<Item = &'a str>) {
        self.text.extend(parts);
    }
    fn line(&mut self) {
        if self.pretty {
            self.text.push('\n');
            self.text.extend(std::iter::repeat_n("  ", self.depth));
        }
    }
}

fn document(json: &[u8], pretty: bool) -> Result<Vec<u8>, Problem> {
    let element = element::of_resource(&json::parse_unchecked(json)?).ok_or_else(defect)?;
    let mut out = Out { text: String::with_capacity(json.len() * 2), pretty, depth: 0 };
    out.extend(["<?xml version=\"1.0\" encoding=\"UTF-8\"?>"]);
    out.line();
    write_resource(&mut out, &element, true)?;
    Ok(out.text.into_bytes())
}

fn defect() -> Problem {
    Problem::new(IssueKind::Internal, "A stored resource cannot be written as XML")
}

fn write_resource(out: &mut Out, element: &Element, is_root: bool) -> Result<(), Problem> {
    let Some(Node::Primitive(Primitive::String(name))) = element.get("resourceType") else { return Err(defect()) };
    let definition = elements::resource(name).ok_or_else(defect)?;
    out.extend(["<", name]);
    if is_root {
        out.extend([" xmlns=\"", FHIR_NAMESPACE, "\""]);
    }
    write_children(out, definition, element, name)
}

/// Everything from the attributes' end of an open tag to its closing tag.
fn write_children(out: &mut Out, definition: &'static TypeDefinition, element: &Element, tag: &str) -> Result<(), Problem> {
    let mut children = Vec::with_capacity(element.len());
    for (name, value) in element.iter() {
        let is_plain = matches!(value, Node::Primitive(_));
        if is_plain && matches!(name.as_str(), "id" | "url" | "value") {
            continue;
        }
        match definition.position(name) {
            Some(position) => children.push((position, name, value)),
            None if name == "resourceType" && definition.kind == Kind::Resource => {}
            None => return Err(defect()),
        }
    }
    if children.is_empty() {
        out.extend(["/>"]);
        return Ok(());
    }
    children.sort_by_key(|(position, ..)| *position);
    out.extend([">"]);
    out.depth += 1;
    for (_, name, value) in children {
        let (_, used) = definition.element(name).ok_or_else(defect)?;
        match value {
            Node::Sequence(items) => {
                for item in items {
                    write_value(out, used.definition(), name, item)?;
                }
            }
            Node::Element(item) => write_value(out, used.definition(), name, item)?,
            Node::Primitive(_) => return Err(defect()),
        }
    }
    out.depth -= 1;
    out.line();
    out.extend(["</", tag, ">"]);
    Ok(())
}

fn write_value(out: &mut Out, definition: &'static TypeDefinition, tag: &str, element: &Element) -> Result<(), Problem> {
    out.line();
    if definition.kind == Kind::Primitive(Type::Xhtml) {
        return match element.get("value") {
            Some(Node::Primitive(Primitive::String(div))) => {
                characters(div)?;
                out.extend([div.as_str()]);
                Ok(())
            }
            _ => Err(defect()),
        };
    }
    out.extend(["<", tag]);
    for name in ["id", "url", "value"] {
        if let Some(Node::Primitive(primitive)) = element.get(name) {
            write_attribute(out, name, primitive)?;
        }
    }
    match definition.kind {
        Kind::AnyResource => {
            out.extend([">"]);
            out.depth += 1;
            out.line();
            write_resource(out, element, false)?;
            out.depth -= 1;
            out.line();
            out.extend(["</", tag, ">"]);
            Ok(())
        }
        Kind::Primitive(_) => write_children(out, elements::find("Element").ok_or_else(defect)?, element, tag),
        Kind::Complex | Kind::Resource => write_children(out, definition, element, tag),
    }
}

fn write_attribute(out: &mut Out, name: &str, value: &Primitive) -> Result<(), Problem> {
    out.extend([" ", name, "=\""]);
    match value {
        Primitive::Bool(value) => out.extend([if *value { "true" } else { "false" }]),
        Primitive::Integer(value) => out.extend([value.to_string().as_str()]),
        Primitive::Integer64(value) => out.extend([value.to_string().as_str()]),
        Primitive::Decimal(digits) => out.extend([digits.as_str()]),
        Primitive::String(text) => escape(&mut out.text, text)?,
    }
    out.extend(["\""]);
    Ok(())
}

/// Line breaks and tabs as character references: a reader turns raw ones into spaces.
fn escape(out: &mut String, text: &str) -> Result<(), Problem> {
    characters(text)?;
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' => out.push_str("&#9;"),
            '\n' => out.push_str("&#10;"),
            '\r' => out.push_str("&#13;"),
            other => out.push(other),
        }
    }
    Ok(())
}

/// XML has no U+FFFE, U+FFFF nor other control characters, also not as references.
fn characters(text: &str) -> Result<(), Problem> {
    let bad = |c: char| matches!(c, '\u{FFFE}' | '\u{FFFF}') || (c < ' ' && !matches!(c, '\t' | '\n' | '\r'));
    if text.contains(bad) {
        return Err(Problem::new(IssueKind::NotAcceptable, "A string has a character that XML does not have; ask for JSON"));
    }
    Ok(())
}
