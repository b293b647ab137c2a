//! XML to a resource, by the element table; what is wrong is named at its FHIRPath.
use super::{
    ATTRIBUTES_MAX, DEPTH_MAX, Element, FHIR_NAMESPACE, NODES_MAX, Node, XHTML_NAMESPACE, XSI_NAMESPACE, element, xhtml,
};
use crate::fhir::elements::{self, ElementDefinition, Kind, Primitive as Type, TypeDefinition};
use crate::fhir::json::{self, is_number};
use crate::fhir::{Issue, IssueKind, Problem, Resource, check};
use fhirbolt::element::Primitive;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::{Namespace, ResolveResult};
use quick_xml::{NsReader, XmlVersion};

/// Reads a resource that came from outside as XML, with the same judgement as [`crate::fhir::json::parse`].
///
/// # Errors
/// `Malformed` (400) for what is not well-formed, has a DTD or exceeds a limit; the issues of the check (422).
pub fn read(bytes: &[u8]) -> Result<Resource, Problem> {
    let resource = read_unchecked(bytes)?;
    Problem::from_issues(check::check(&resource)).map_or(Ok(resource), Err)
}

/// The same by the element table only, for what is checked later: the result of a patch.
///
/// # Errors
/// As [`read`], but for the issues of the check.
pub fn read_unchecked(bytes: &[u8]) -> Result<Resource, Problem> {
    let (resource, issues) = read_located(bytes)?;
    Problem::from_issues(issues).map_or(Ok(resource), Err)
}

/// What can be read, with what cannot, each at its place; at most [`check::ISSUES_MAX`]. For a batch, where the fault of an
/// entry is its own.
///
/// # Errors
/// XML that is not well-formed, or beyond the bounds of size and depth; a root that is no resource.
pub fn read_located(bytes: &[u8]) -> Result<(Resource, Vec<Issue>), Problem> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes)
        .map_err(|error| Problem::new(IssueKind::Malformed, format!("Not UTF-8 at byte {}", error.valid_up_to())))?;
    let mut reader = Reader { text, xml: NsReader::from_str(text), nodes: 0, depth: 0, path: String::new(), issues: Vec::new() };
    let element = reader.document()?;
    match element::to_resource(&element) {
        Some(resource) if !json::is_within_depth(&resource) => {
            Err(Problem::new(IssueKind::Malformed, format!("Nested deeper than {DEPTH_MAX} in its JSON form")))
        }
        Some(resource) => Ok((resource, reader.issues)),
        None if !reader.issues.is_empty() => Err(Problem::from_issues(reader.issues)
            .unwrap_or_else(|| Problem::new(IssueKind::StructureInvalid, "The XML cannot be read"))),
        None => Err(Problem::new(IssueKind::StructureInvalid, "The XML has a value that JSON cannot hold")),
    }
}

struct Reader<'a> {
    text: &'a str,
    xml: NsReader<&'a [u8]>,
    nodes: usize,
    depth: usize,
    path: String,
    issues: Vec<Issue>,
}

/// A tag with its name and namespace resolved.
struct Tag<'a> {
    start: BytesStart<'a>,
    empty: bool,
    namespace: Known,
    /// Byte where the tag begins.
    at: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Known {
    Fhir,
    Xhtml,
    Other,
}

/// What stands next inside an element.
enum Next<'a> {
    Tag(Tag<'a>),
    End,
}

impl<'a> Reader<'a> {
    fn malformed(&self, what: &str) -> Problem {
        let at = usize::try_from(self.xml.buffer_position()).unwrap_or(usize::MAX);
        let line = self.text.get(..at).unwrap_or(self.text).matches('\n').count() + 1;
        Problem::new(IssueKind::Malformed, format!("{what} (line {line})"))
    }

    fn report(&mut self, kind: IssueKind, step: &str, diagnostics: &str) {
        if self.issues.len() < check::ISSUES_MAX {
            let expression = if step.is_empty() { self.path.clone() } else { format!("{}.{step}", self.path) };
            self.issues.push(Issue::at(kind, expression, diagnostics));
        }
    }

    fn document(&mut self) -> Result<Element, Problem> {
        let Next::Tag(tag) = self.next()? else { return Err(self.malformed("The document has no element")) };
        let resource = self.resource(&tag)?;
        match self.next()? {
            Next::End => Ok(resource),
            Next::Tag(_) => Err(self.malformed("A second root element")),
        }
    }

    /// The next tag or end; comments, processing instructions and white space between elements say nothing.
    fn next(&mut self) -> Result<Next<'a>, Problem> {
        loop {
            self.nodes += 1;
            if self.nodes > NODES_MAX {
                return Err(Problem::new(IssueKind::TooLarge, format!("More than {NODES_MAX} XML nodes")));
            }
            let at = usize::try_from(self.xml.buffer_position()).unwrap_or(usize::MAX);
            let (namespace, event) = match self.xml.read_resolved_event() {
                Ok((ResolveResult::Bound(Namespace(FHIR_NAMESPACE)), event)) => (Known::Fhir, event),
                Ok((ResolveResult::Bound(Namespace(XHTML_NAMESPACE)), event)) => (Known::Xhtml, event),
                Ok((_, event)) => (Known::Other, event),
                Err(_error) => return Err(self.malformed("Not well-formed XML")),
            };
            match event {
                Event::Start(start) => return Ok(Next::Tag(Tag { start, empty: false, namespace, at })),
                Event::Empty(start) => return Ok(Next::Tag(Tag { start, empty: true, namespace, at })),
                Event::End(_) => return Ok(Next::End),
                Event::Eof if self.depth == 0 => return Ok(Next::End),
                Event::Eof => return Err(self.malformed("The XML text ends too early")),
                Event::DocType(_) => return Err(self.malformed("A document type definition is not accepted")),
                Event::Decl(declaration) => self.declaration(declaration.encoding())?,
                Event::Text(text) if text.trim().is_empty() => {}
                Event::Text(_) | Event::CData(_) | Event::GeneralRef(_) if self.depth == 0 => {
                    return Err(self.malformed("Text outside the root element"));
                }
                Event::Text(_) | Event::CData(_) | Event::GeneralRef(_) => {
                    self.report(IssueKind::StructureInvalid, "", "Text between elements: values stand in the attribute value");
                }
                Event::Comment(_) | Event::PI(_) => {}
            }
        }
    }

    fn declaration<E>(&self, encoding: Option<Result<std::borrow::Cow<'_, str>, E>>) -> Result<(), Problem> {
        match encoding {
            None => Ok(()),
            Some(Ok(name)) if ["utf-8", "utf8", "us-ascii"].iter().any(|known| name.eq_ignore_ascii_case(known)) => Ok(()),
            Some(_) => Err(self.malformed("The encoding is not UTF-8")),
        }
    }

    fn resource(&mut self, tag: &Tag<'a>) -> Result<Element, Problem> {
        let name = tag.start.local_name();
        let Some(definition) = elements::resource(name.as_ref()).filter(|_| tag.namespace == Known::Fhir) else {
            if self.path.is_empty() {
                let fault = format!("The root element is not a resource of R4 in the namespace {FHIR_NAMESPACE}");
                return Err(Problem::new(IssueKind::StructureInvalid, fault));
            }
            self.report(IssueKind::StructureInvalid, "", "Not a resource of R4");
            self.skip(tag)?;
            return Ok(Element::new());
        };
        if self.path.is_empty() {
            self.path.push_str(definition.name);
        }
        let mut element = Element::new();
        element.insert("resourceType".to_owned(), Node::Primitive(Primitive::String(definition.name.to_owned())));
        self.attributes(tag, &[], &mut element)?;
        self.children(tag, definition, &mut element)?;
        Ok(element)
    }

    /// Attributes as plain strings; `xmlns` and `xsi:` ones say nothing.
    fn attributes(&mut self, tag: &Tag<'a>, permitted: &[&str], into: &mut Element) -> Result<(), Problem> {
        for (index, attribute) in tag.start.attributes().enumerate() {
            if index >= ATTRIBUTES_MAX {
                return Err(Problem::new(IssueKind::TooLarge, format!("More than {ATTRIBUTES_MAX} attributes of one element")));
            }
            let attribute = attribute.map_err(|_error| self.malformed("Not well-formed XML"))?;
            if attribute.key.as_namespace_binding().is_some() {
                continue;
            }
            let (namespace, name) = self.xml.resolver().resolve_attribute(attribute.key);
            match namespace {
                ResolveResult::Bound(Namespace(XSI_NAMESPACE)) => continue,
                ResolveResult::Unbound if permitted.contains(&name.as_ref()) => {}
                _ => {
                    let step = if is_plain(name.as_ref()) { name.as_ref() } else { "%unknown" };
                    self.report(IssueKind::StructureInvalid, step, "An attribute that may not stand here");
                    continue;
                }
            }
            if attribute.value.contains('<') {
                return Err(self.malformed("Not well-formed XML"));
            }
            let value = attribute.normalized_value(XmlVersion::Explicit1_0);
            let value = value.map_err(|_error| self.malformed("An entity that XML does not have"))?.into_owned();
            into.insert(name.as_ref().to_owned(), Node::Primitive(Primitive::String(value)));
        }
        Ok(())
    }

    fn children(&mut self, tag: &Tag<'a>, definition: &'static TypeDefinition, into: &mut Element) -> Result<(), Problem> {
        if tag.empty {
            return Ok(());
        }
        self.deeper()?;
        let mut last = 0;
        while let Next::Tag(child) = self.next()? {
            let name = child.start.local_name();
            let name = name.as_ref();
            let is_div = definition.name == "Narrative" && name == "div";
            let expected = if is_div { Known::Xhtml } else { Known::Fhir };
            let found = definition.element(name).zip(definition.position(name));
            let found = found.filter(|_| child.namespace == expected && !definition.is_attribute(name));
            let Some(((element, used), position)) = found else {
                let step = if is_plain(name) { name } else { "%unknown" };
                self.report(IssueKind::StructureInvalid, step, &format!("{} has no such element", definition.name));
                self.skip(&child)?;
                continue;
            };
            if position < last {
                self.report(IssueKind::StructureInvalid, element.name, "The elements are not in the order of the definition");
            }
            last = last.max(position);
            self.child(&child, name, element, used.definition(), into)?;
        }
        self.depth -= 1;
        Ok(())
    }

    fn child(
        &mut self,
        tag: &Tag<'a>,
        name: &str,
        element: &'static ElementDefinition,
        definition: &'static TypeDefinition,
        into: &mut Element,
    ) -> Result<(), Problem> {
        let length = self.path.len();
        self.path.push('.');
        self.path.push_str(element.name);
        if element.choice {
            self.path.push_str(&format!(".ofType({})", definition.name));
        }
        let earlier = match into.get(name) {
            Some(Node::Sequence(items)) => items.len(),
            Some(Node::Element(_) | Node::Primitive(_)) => 1,
            None => 0,
        };
        if element.is_array() {
            self.path.push_str(&format!("[{earlier}]"));
        } else if earlier > 0 {
            self.report(IssueKind::StructureInvalid, "", "Stands once at most");
        }
        let value = self.value(tag, definition)?;
        self.path.truncate(length);
        if !element.is_array() {
            into.insert(name.to_owned(), Node::Element(value));
        } else if let Some(Node::Sequence(items)) = into.get_mut(name) {
            items.push(value);
        } else {
            into.insert(name.to_owned(), Node::Sequence(vec![value]));
        }
        Ok(())
    }

    fn value(&mut self, tag: &Tag<'a>, definition: &'static TypeDefinition) -> Result<Element, Problem> {
        let mut element = Element::new();
        match definition.kind {
            Kind::Primitive(Type::Xhtml) => {
                let div = self.div(tag)?;
                element.insert("value".to_owned(), Node::Primitive(Primitive::String(div)));
            }
            Kind::Primitive(kind) => {
                self.attributes(tag, &["id", "value"], &mut element)?;
                if let Some(base) = elements::find("Element") {
                    self.children(tag, base, &mut element)?;
                }
                if element.is_empty() {
                    self.report(IssueKind::StructureInvalid, "", "An element without value, id or extension");
                }
                if let Some(value) = element.get_mut("value") {
                    retype(kind, value);
                }
            }
            Kind::AnyResource => {
                self.attributes(tag, &[], &mut element)?;
                element = self.inner_resource(tag)?;
            }
            Kind::Complex | Kind::Resource => {
                let permitted: &[&str] = if definition.name == "Extension" { &["id", "url"] } else { &["id"] };
                self.attributes(tag, permitted, &mut element)?;
                self.children(tag, definition, &mut element)?;
            }
        }
        Ok(element)
    }

    /// `<contained><Patient>...</Patient></contained>`
    fn inner_resource(&mut self, tag: &Tag<'a>) -> Result<Element, Problem> {
        if tag.empty {
            return Ok(Element::new());
        }
        self.deeper()?;
        let mut resource = None;
        while let Next::Tag(child) = self.next()? {
            let read = self.resource(&child)?;
            if resource.replace(read).is_some() {
                self.report(IssueKind::StructureInvalid, "", "Holds more than one resource");
            }
        }
        self.depth -= 1;
        Ok(resource.unwrap_or_default())
    }

    /// A div as it stands, white space and all; with its own prefixes resolved where it uses the document's.
    fn div(&mut self, tag: &Tag<'a>) -> Result<String, Problem> {
        let declares = tag.start.attributes().flatten().take(ATTRIBUTES_MAX).any(|attribute| attribute.key.as_ref() == "xmlns");
        if !tag.empty {
            self.xml.read_to_end(tag.start.name()).map_err(|_error| self.malformed("Not well-formed XML"))?;
        }
        let end = usize::try_from(self.xml.buffer_position()).unwrap_or(usize::MAX);
        let text = self.text.get(tag.at..end).unwrap_or("");
        if declares && tag.start.name().prefix().is_none() {
            return Ok(text.to_owned());
        }
        xhtml::without_prefixes(text).ok_or_else(|| self.malformed("Not well-formed XML"))
    }

    fn skip(&mut self, tag: &Tag<'a>) -> Result<(), Problem> {
        if !tag.empty {
            self.xml.read_to_end(tag.start.name()).map_err(|_error| self.malformed("Not well-formed XML"))?;
        }
        Ok(())
    }

    fn deeper(&mut self) -> Result<(), Problem> {
        self.depth += 1;
        if self.depth > DEPTH_MAX { Err(self.malformed(&format!("Nested deeper than {DEPTH_MAX}"))) } else { Ok(()) }
    }
}

/// Numbers and booleans get their JSON type; what is none stays text, which the check refuses at its place.
fn retype(kind: Type, value: &mut Node) {
    let Node::Primitive(Primitive::String(text)) = value else { return };
    let primitive = match kind {
        Type::Boolean if text == "true" => Primitive::Bool(true),
        Type::Boolean if text == "false" => Primitive::Bool(false),
        Type::Integer | Type::UnsignedInt | Type::PositiveInt
            if is_number(text.strip_prefix('+').unwrap_or(text)) && text != "-0" =>
        {
            let Ok(number) = text.parse() else { return };
            Primitive::Integer(number)
        }
        Type::Decimal if is_number(text) => Primitive::Decimal(std::mem::take(text)),
        _ => return,
    };
    *value = Node::Primitive(primitive);
}

fn is_plain(name: &str) -> bool {
    name.len() <= 64 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
