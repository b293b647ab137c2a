//! An XML document that can be changed: elements with their namespaces resolved, texts as they are written.
use super::{malformed, too_large};
use crate::fhir::Problem;
use crate::fhir::xml::{ATTRIBUTES_MAX, DEPTH_MAX, NODES_MAX};
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::{Namespace, PrefixDeclaration, ResolveResult};
use quick_xml::{NsReader, XmlVersion};

const XML_NAMESPACE: &str = "http://www.w3.org/XML/1998/namespace";
const XSI_NAMESPACE: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// What stands in an element.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum XmlNode {
    Element(XmlElement),
    /// Escaped, as it is written.
    Text(String),
    Comment(String),
}

/// An element; the document itself is one without a name.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct XmlElement {
    /// Empty for none.
    pub(super) namespace: String,
    /// Without prefix.
    pub(super) name: String,
    pub(super) attributes: Vec<XmlAttribute>,
    pub(super) children: Vec<XmlNode>,
    /// Prefixes that it declares, with their namespaces; an empty prefix for the default.
    pub(super) declared: Vec<(String, String)>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct XmlAttribute {
    /// With the prefix `xml` where it has one: no other is known.
    pub(super) name: String,
    pub(super) value: String,
}

impl XmlElement {
    /// The text in it, escaped as it is written; comments left out.
    pub(super) fn text(&self) -> String {
        self.children
            .iter()
            .filter_map(|child| match child {
                XmlNode::Text(text) => Some(text.as_str()),
                XmlNode::Element(_) | XmlNode::Comment(_) => None,
            })
            .collect()
    }

    /// Its elements.
    pub(super) fn elements(&self) -> impl Iterator<Item = &XmlElement> {
        self.children.iter().filter_map(|child| match child {
            XmlNode::Element(element) => Some(element),
            XmlNode::Text(_) | XmlNode::Comment(_) => None,
        })
    }

    /// The value of an attribute, its references resolved.
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|attribute| attribute.name == name).map(|attribute| attribute.value.as_str())
    }

    /// Makes one text of neighbours, as a reader of the written form would.
    pub(super) fn merge_texts(&mut self) {
        let mut merged: Vec<XmlNode> = Vec::with_capacity(self.children.len());
        for child in self.children.drain(..) {
            match (merged.last_mut(), child) {
                (Some(XmlNode::Text(before)), XmlNode::Text(text)) => before.push_str(&text),
                (_, child) => merged.push(child),
            }
        }
        self.children = merged;
    }
}

/// Reads a document; the element that comes back has the root as a child.
///
/// # Errors
/// `Malformed` for what is not well-formed, has a DTD or an unknown entity; `TooLarge` above a limit.
pub(super) fn parse(bytes: &[u8]) -> Result<XmlElement, Problem> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|error| malformed(format!("Not UTF-8 at byte {}", error.valid_up_to())))?;
    let mut reader = NsReader::from_str(text);
    reader.config_mut().check_comments = true;
    let mut open = vec![XmlElement::default()];
    for _ in 0..NODES_MAX {
        let (namespace, event) = match reader.read_resolved_event() {
            Ok((ResolveResult::Bound(Namespace(namespace)), event)) => (namespace.to_owned(), event),
            Ok((ResolveResult::Unbound, event)) => (String::new(), event),
            Ok((ResolveResult::Unknown(_), _)) => return Err(malformed("A prefix without a namespace")),
            Err(_error) => return Err(malformed("Not well-formed XML")),
        };
        match event {
            Event::Start(start) => {
                open.push(element(&reader, &start, namespace)?);
                if open.len() > DEPTH_MAX + 1 {
                    return Err(too_large("depth"));
                }
            }
            Event::Empty(start) => {
                let element = element(&reader, &start, namespace)?;
                push(&mut open, XmlNode::Element(element))?;
            }
            Event::End(_) => {
                let mut closed = open.pop().unwrap_or_default();
                closed.merge_texts();
                push(&mut open, XmlNode::Element(closed))?;
            }
            Event::Eof => return document(open),
            Event::Text(text) => push(&mut open, XmlNode::Text(text.to_string()))?,
            Event::CData(text) => push(&mut open, XmlNode::Text(escaped(&text)))?,
            Event::GeneralRef(reference) => {
                let known = matches!(&*reference, "lt" | "gt" | "amp" | "quot" | "apos");
                if !known && !matches!(reference.resolve_char_ref(), Ok(Some(_))) {
                    return Err(malformed("An entity that XML does not have"));
                }
                push(&mut open, XmlNode::Text(format!("&{};", &*reference)))?;
            }
            Event::Comment(comment) => push(&mut open, XmlNode::Comment(comment.to_string()))?,
            Event::DocType(_) => return Err(malformed("A document type definition is not accepted")),
            Event::Decl(_) | Event::PI(_) => {}
        }
    }
    Err(too_large("XML nodes"))
}

fn push(open: &mut [XmlElement], node: XmlNode) -> Result<(), Problem> {
    let parent = open.last_mut().ok_or_else(|| malformed("Not well-formed XML"))?;
    parent.children.push(node);
    Ok(())
}

/// One root, and nothing but white space and comments beside it.
fn document(open: Vec<XmlElement>) -> Result<XmlElement, Problem> {
    let mut open = open.into_iter();
    let (Some(mut document), None) = (open.next(), open.next()) else {
        return Err(malformed("The XML text ends too early"));
    };
    if !document.text().trim().is_empty() || document.elements().count() != 1 {
        return Err(malformed("Not one root element"));
    }
    document.children.retain(|child| !matches!(child, XmlNode::Text(_)));
    Ok(document)
}

fn element(reader: &NsReader<&[u8]>, start: &BytesStart<'_>, namespace: String) -> Result<XmlElement, Problem> {
    let mut element = XmlElement { namespace, name: start.local_name().as_ref().to_owned(), ..XmlElement::default() };
    for (index, attribute) in start.attributes().enumerate() {
        if index >= ATTRIBUTES_MAX {
            return Err(too_large("attributes"));
        }
        let attribute = attribute.map_err(|_error| malformed("Not well-formed XML"))?;
        if attribute.value.contains('<') {
            return Err(malformed("Not well-formed XML"));
        }
        let value = attribute.normalized_value(XmlVersion::Explicit1_0);
        let value = value.map_err(|_error| malformed("An entity that XML does not have"))?.into_owned();
        match attribute.key.as_namespace_binding() {
            Some(PrefixDeclaration::Default) => element.declared.push((String::new(), value)),
            Some(PrefixDeclaration::Named(prefix)) => element.declared.push((prefix.to_owned(), value)),
            None => {
                let (namespace, name) = reader.resolver().resolve_attribute(attribute.key);
                let name = match namespace {
                    ResolveResult::Unbound => name.as_ref().to_owned(),
                    ResolveResult::Bound(Namespace(XML_NAMESPACE)) => format!("xml:{}", name.as_ref()),
                    ResolveResult::Bound(Namespace(XSI_NAMESPACE)) => continue,
                    ResolveResult::Bound(_) | ResolveResult::Unknown(_) => {
                        return Err(malformed("An attribute of a namespace that is not known here"));
                    }
                };
                element.attributes.push(XmlAttribute { name, value });
            }
        }
    }
    Ok(element)
}

/// The document as text; prefixes are gone, every change of namespace is declared.
pub(super) fn write(document: &XmlElement) -> String {
    let mut out = String::new();
    for child in &document.children {
        write_node(&mut out, child, "");
    }
    out
}

fn write_node(out: &mut String, node: &XmlNode, default: &str) {
    match node {
        XmlNode::Text(text) => out.push_str(text),
        XmlNode::Comment(comment) => out.extend(["<!--", comment, "-->"]),
        XmlNode::Element(element) => {
            out.extend(["<", &element.name]);
            if element.namespace != default {
                out.extend([" xmlns=\"", &escaped(&element.namespace), "\""]);
            }
            for attribute in &element.attributes {
                out.extend([" ", &attribute.name, "=\"", &escaped(&attribute.value), "\""]);
            }
            if element.children.is_empty() {
                out.push_str("/>");
                return;
            }
            out.push('>');
            for child in &element.children {
                write_node(out, child, &element.namespace);
            }
            out.extend(["</", &element.name, ">"]);
        }
    }
}

/// White space in attributes as references, which a reader would turn into spaces.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
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
    out
}

/// The text that an escaped one stands for. Only what [`parse`] accepted comes here, so each reference is known.
pub(super) fn unescaped(text: &str) -> String {
    quick_xml::escape::unescape(text).map_or_else(|_error| text.to_owned(), std::borrow::Cow::into_owned)
}
