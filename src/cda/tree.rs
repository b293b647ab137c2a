//! The document as an owned tree: elements by number, names interned, all strings in one buffer.
use std::collections::HashMap;
use std::fmt;

/// Namespaces that CI-SIS documents use; the tree keeps no other name of a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Namespace {
    /// None: attributes of CDA.
    None,
    /// `urn:hl7-org:v3`.
    Cda,
    /// `urn:oid:1.3.6.1.4.1.19376.1.3.2`: laboratory extensions of IHE.
    Lab,
    /// `urn:ihe:pharm` and its variants.
    Pharm,
    /// `urn:hl7-org:sdtc`.
    Sdtc,
    /// `urn:dicom-org:ps3-20`.
    Dicom,
    /// XML Schema instance: `xsi:type`.
    Xsi,
    /// Any other.
    Other,
}

impl Namespace {
    fn of(uri: Option<&str>) -> Self {
        match uri {
            None | Some("") => Self::None,
            Some("urn:hl7-org:v3") => Self::Cda,
            Some("urn:oid:1.3.6.1.4.1.19376.1.3.2") => Self::Lab,
            Some("urn:hl7-org:sdtc") => Self::Sdtc,
            Some("urn:dicom-org:ps3-20") => Self::Dicom,
            Some("http://www.w3.org/2001/XMLSchema-instance") => Self::Xsi,
            Some(uri) if uri.starts_with("urn:ihe:pharm") => Self::Pharm,
            Some(_) => Self::Other,
        }
    }
    fn prefix(self) -> &'static str {
        match self {
            Self::None | Self::Cda => "",
            Self::Lab => "lab:",
            Self::Pharm => "pharm:",
            Self::Sdtc => "sdtc:",
            Self::Dicom => "ps3-20:",
            Self::Xsi => "xsi:",
            Self::Other => "other:",
        }
    }
}

#[derive(Clone, Copy)]
struct Span {
    start: u32,
    len: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Name {
    namespace: Namespace,
    local: u32,
}

struct Attribute {
    name: Name,
    value: Span,
}

enum Kind {
    Element { name: Name, first_attribute: u32, attributes: u32 },
    Text(Span),
}

struct Node {
    kind: Kind,
    /// Among the siblings of the same name, from 1.
    position: u32,
    parent: u32,
    first_child: u32,
    next_sibling: u32,
}

const NOWHERE: u32 = u32::MAX;

/// One parsed CDA document; owns its data. Prints without it.
pub struct Document {
    nodes: Vec<Node>,
    attributes: Vec<Attribute>,
    names: Vec<Box<str>>,
    strings: String,
    by_id: HashMap<Box<str>, u32>,
    self_presenting: bool,
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Document(..)")
    }
}

impl Document {
    /// The ClinicalDocument.
    #[must_use]
    pub fn root(&self) -> Element<'_> {
        Element { document: self, index: 0 }
    }
    /// Whether the CDA is wrapped in a stylesheet (BR-46).
    #[must_use]
    pub fn is_self_presenting(&self) -> bool {
        self.self_presenting
    }
    /// The element with this `ID`, in document order the first; narrative references name it as `#id`.
    #[must_use]
    pub fn by_id(&self, id: &str) -> Option<Element<'_>> {
        self.by_id.get(id).map(|index| Element { document: self, index: *index })
    }
    /// The element with this number.
    #[must_use]
    pub fn element(&self, number: u32) -> Option<Element<'_>> {
        matches!(self.node(number)?.kind, Kind::Element { .. }).then_some(Element { document: self, index: number })
    }
    fn node(&self, index: u32) -> Option<&Node> {
        self.nodes.get(usize::try_from(index).ok()?)
    }
    fn string(&self, span: Span) -> &str {
        let start = usize::try_from(span.start).unwrap_or(usize::MAX);
        let end = start.saturating_add(usize::try_from(span.len).unwrap_or(0));
        self.strings.get(start..end).unwrap_or("")
    }
    fn name(&self, name: Name) -> &str {
        usize::try_from(name.local).ok().and_then(|local| self.names.get(local)).map_or("", |name| name)
    }
}

/// One element of a document: a cheap handle.
#[derive(Clone, Copy)]
pub struct Element<'d> {
    document: &'d Document,
    index: u32,
}

impl PartialEq for Element<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.index == other.index && std::ptr::eq(self.document, other.document)
    }
}
impl Eq for Element<'_> {}

impl fmt::Debug for Element<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Element({})", self.path())
    }
}

/// A piece of mixed content.
#[derive(Debug, Clone, Copy)]
pub enum Content<'d> {
    /// Text.
    Text(&'d str),
    /// An element.
    Element(Element<'d>),
}

impl<'d> Element<'d> {
    fn own(self) -> Option<(Name, &'d [Attribute])> {
        let node = self.document.node(self.index)?;
        let Kind::Element { name, first_attribute, attributes } = &node.kind else { return None };
        let start = usize::try_from(*first_attribute).ok()?;
        let end = start.checked_add(usize::try_from(*attributes).ok()?)?;
        Some((*name, self.document.attributes.get(start..end)?))
    }
    /// Number of the element in document order, unique in its document.
    #[must_use]
    pub fn number(self) -> u32 {
        self.index
    }
    /// Local name.
    #[must_use]
    pub fn name(self) -> &'d str {
        self.own().map_or("", |(name, _)| self.document.name(name))
    }
    /// Namespace.
    #[must_use]
    pub fn namespace(self) -> Namespace {
        self.own().map_or(Namespace::Other, |(name, _)| name.namespace)
    }
    /// Whether it is this element of CDA.
    #[must_use]
    pub fn is(self, name: &str) -> bool {
        self.namespace() == Namespace::Cda && self.name() == name
    }
    fn attribute_in(self, namespace: Namespace, name: &str) -> Option<&'d str> {
        let (_, attributes) = self.own()?;
        let found = attributes
            .iter()
            .find(|attribute| attribute.name.namespace == namespace && self.document.name(attribute.name) == name)?;
        Some(self.document.string(found.value))
    }
    /// Value of an attribute without namespace.
    #[must_use]
    pub fn attribute(self, name: &str) -> Option<&'d str> {
        self.attribute_in(Namespace::None, name)
    }
    /// Value of an attribute, trimmed; `None` also where it is empty.
    #[must_use]
    pub fn stated(self, name: &str) -> Option<&'d str> {
        self.attribute(name).map(str::trim).filter(|value| !value.is_empty())
    }
    /// Local part of `xsi:type` (a QName: the prefix varies).
    #[must_use]
    pub fn xsi_type(self) -> Option<&'d str> {
        let name = self.attribute_in(Namespace::Xsi, "type")?.trim();
        Some(name.rsplit_once(':').map_or(name, |(_, local)| local))
    }
    /// Every attribute without namespace.
    pub fn attributes(self) -> impl Iterator<Item = (&'d str, &'d str)> {
        let document = self.document;
        self.own()
            .map(|(_, attributes)| attributes)
            .unwrap_or_default()
            .iter()
            .filter(|attribute| attribute.name.namespace == Namespace::None)
            .map(move |attribute| (document.name(attribute.name), document.string(attribute.value)))
    }
    /// Text and elements in order.
    pub fn content(self) -> impl Iterator<Item = Content<'d>> {
        let document = self.document;
        let mut next = document.node(self.index).map_or(NOWHERE, |node| node.first_child);
        std::iter::from_fn(move || {
            let index = next;
            let node = document.node(index)?;
            next = node.next_sibling;
            Some(match node.kind {
                Kind::Text(span) => Content::Text(document.string(span)),
                Kind::Element { .. } => Content::Element(Element { document, index }),
            })
        })
    }
    /// Child elements of every namespace.
    pub fn children(self) -> impl Iterator<Item = Element<'d>> {
        self.content().filter_map(|content| match content {
            Content::Element(element) => Some(element),
            Content::Text(_) => None,
        })
    }
    /// Child elements of CDA with this name.
    pub fn children_named<'n>(self, name: &'n str) -> impl Iterator<Item = Element<'d>> + use<'d, 'n> {
        self.children().filter(move |child| child.is(name))
    }
    /// The first child element of CDA with this name.
    #[must_use]
    pub fn child(self, name: &str) -> Option<Element<'d>> {
        self.children().find(|child| child.is(name))
    }
    /// The first child of any namespace with this local name (extensions such as `lab:statusCode`).
    #[must_use]
    pub fn child_of_any_namespace(self, name: &str) -> Option<Element<'d>> {
        self.children().find(|child| child.name() == name)
    }
    /// The first element down a path of CDA names, such as `assignedEntity/representedOrganization`.
    #[must_use]
    pub fn at(self, path: &str) -> Option<Element<'d>> {
        path.split('/').try_fold(self, Self::child)
    }
    /// The element around it; none for the ClinicalDocument.
    #[must_use]
    pub fn parent(self) -> Option<Element<'d>> {
        let parent = self.document.node(self.index)?.parent;
        (parent != NOWHERE).then_some(Element { document: self.document, index: parent })
    }
    /// The elements around it, the nearest first.
    pub fn ancestors(self) -> impl Iterator<Item = Element<'d>> {
        std::iter::successors(self.parent(), |element| element.parent())
    }
    /// Itself and everything below, in document order.
    pub fn subtree(self) -> impl Iterator<Item = Element<'d>> {
        let document = self.document;
        let end = self.end();
        (self.index..end).filter_map(move |index| {
            matches!(document.node(index)?.kind, Kind::Element { .. }).then_some(Element { document, index })
        })
    }
    /// Nodes at and below it: what reading it costs.
    #[must_use]
    pub fn size(self) -> usize {
        usize::try_from(self.end().saturating_sub(self.index)).unwrap_or(usize::MAX)
    }
    /// Number after the last node below; nodes are numbered in document order.
    fn end(self) -> u32 {
        let mut at = Some(self);
        while let Some(element) = at {
            let next = self.document.node(element.index).map_or(NOWHERE, |node| node.next_sibling);
            if next != NOWHERE {
                return next;
            }
            at = element.parent();
        }
        u32::try_from(self.document.nodes.len()).unwrap_or(NOWHERE)
    }
    /// All text below, white space folded to single spaces, trimmed; blocks and cells are words apart.
    #[must_use]
    pub fn text(self) -> String {
        let mut out = String::new();
        self.collect_text(&mut out, &mut false);
        out
    }
    fn collect_text(self, out: &mut String, space: &mut bool) {
        for piece in self.content() {
            match piece {
                Content::Text(text) => fold_into(text, out, space),
                Content::Element(child) => {
                    // All but inline marks separate what stands before and after them.
                    let apart = !matches!(child.name(), "content" | "sub" | "sup" | "linkHtml" | "footnoteRef");
                    *space |= apart;
                    child.collect_text(out, space);
                    *space |= apart;
                }
            }
        }
    }
    /// The text without any folding, for base64.
    #[must_use]
    pub fn raw_text(self) -> String {
        self.content()
            .filter_map(|content| match content {
                Content::Text(text) => Some(text),
                Content::Element(_) => None,
            })
            .collect()
    }
    /// Whether it claims this template.
    #[must_use]
    pub fn has_template(self, oid: &str) -> bool {
        self.templates().any(|root| root == oid)
    }
    /// Roots of its templates; where it names IHE templates alone, the CI-SIS one that is meant comes last.
    pub fn templates(self) -> impl Iterator<Item = &'d str> {
        let stated = self.stated_templates();
        let meant = super::template::meant(self.stated_templates());
        stated.chain(meant)
    }
    fn stated_templates(self) -> impl Iterator<Item = &'d str> + Clone {
        let document = self.document;
        let first = document.node(self.index).map_or(NOWHERE, |node| node.first_child);
        let children = std::iter::successors(Some(first), move |at| document.node(*at).map(|node| node.next_sibling));
        let elements = children.take_while(|at| *at != NOWHERE).map(move |index| Element { document, index });
        elements.filter(|child| child.is("templateId")).filter_map(|id| id.stated("root"))
    }
    /// The innermost section around it.
    #[must_use]
    pub fn section(self) -> Option<Element<'d>> {
        self.ancestors().find(|element| element.is("section"))
    }
    /// The absolute XPath, such as `/ClinicalDocument/component[1]/structuredBody[1]`.
    #[must_use]
    pub fn path(self) -> String {
        let mut steps: Vec<Self> = std::iter::once(self).chain(self.ancestors()).collect();
        let mut out = String::with_capacity(steps.len().saturating_mul(24));
        if let Some(root) = steps.pop() {
            out.push('/');
            out.push_str(root.name());
        }
        for step in steps.into_iter().rev() {
            let position = self.document.node(step.index).map_or(1, |node| node.position);
            out.extend(["/", step.namespace().prefix(), step.name(), "[", &position.to_string(), "]"]);
        }
        out
    }
    /// The document it belongs to.
    #[must_use]
    pub fn document(self) -> &'d Document {
        self.document
    }
}

fn fold_into(text: &str, out: &mut String, space: &mut bool) {
    for c in text.chars() {
        if c.is_whitespace() {
            *space = true;
        } else {
            if std::mem::take(space) && !out.is_empty() {
                out.push(' ');
            }
            out.push(c);
        }
    }
}

/// Copies a roxmltree subtree into a [`Document`].
#[derive(Default)]
pub(super) struct Builder {
    nodes: Vec<Node>,
    attributes: Vec<Attribute>,
    names: Vec<Box<str>>,
    known: HashMap<Box<str>, u32>,
    strings: String,
    by_id: HashMap<Box<str>, u32>,
}

impl Builder {
    /// The subtree of `root` as a document of its own.
    pub(super) fn build(root: roxmltree::Node<'_, '_>, self_presenting: bool) -> Document {
        let mut builder = Self::default();
        builder.element(root, NOWHERE, false);
        let Self { nodes, attributes, names, strings, by_id, .. } = builder;
        Document { nodes, attributes, names, strings, by_id, self_presenting }
    }

    fn span(&mut self, text: &str) -> Span {
        let start = u32::try_from(self.strings.len()).unwrap_or(NOWHERE);
        self.strings.push_str(text);
        Span { start, len: u32::try_from(text.len()).unwrap_or(0) }
    }

    fn name(&mut self, namespace: Option<&str>, local: &str) -> Name {
        let namespace = Namespace::of(namespace);
        if let Some(local) = self.known.get(local) {
            return Name { namespace, local: *local };
        }
        let number = u32::try_from(self.names.len()).unwrap_or(NOWHERE);
        self.names.push(local.into());
        self.known.insert(local.into(), number);
        Name { namespace, local: number }
    }

    fn push(&mut self, kind: Kind, parent: u32) -> u32 {
        let index = u32::try_from(self.nodes.len()).unwrap_or(NOWHERE);
        self.nodes.push(Node { kind, position: 1, parent, first_child: NOWHERE, next_sibling: NOWHERE });
        index
    }

    // Recursion is bounded by `Limits::depth`.
    fn element(&mut self, node: roxmltree::Node<'_, '_>, parent: u32, in_narrative: bool) -> u32 {
        let name = self.name(node.tag_name().namespace(), node.tag_name().name());
        let first_attribute = u32::try_from(self.attributes.len()).unwrap_or(NOWHERE);
        for attribute in node.attributes() {
            let name = self.name(attribute.namespace(), attribute.name());
            let value = self.span(attribute.value());
            self.attributes.push(Attribute { name, value });
        }
        let attributes = u32::try_from(node.attributes().len()).unwrap_or(0);
        let index = self.push(Kind::Element { name, first_attribute, attributes }, parent);
        if let Some(id) = node.attribute("ID") {
            self.by_id.entry(id.into()).or_insert(index);
        }
        let in_narrative = in_narrative || (node.tag_name().name() == "text" && parent_is_section(node));
        let mut last = NOWHERE;
        // By what a path writes: two namespaces without a prefix of their own are not told apart in it.
        let mut positions: HashMap<(&str, &str), u32> = HashMap::new();
        for child in node.children() {
            let number = if child.is_element() {
                let number = self.element(child, index, in_narrative);
                let prefix = Namespace::of(child.tag_name().namespace()).prefix();
                let seen = positions.entry((prefix, child.tag_name().name())).or_insert(0);
                *seen = seen.saturating_add(1);
                if let Some(node) = usize::try_from(number).ok().and_then(|number| self.nodes.get_mut(number)) {
                    node.position = *seen;
                }
                number
            } else {
                let text = child.text().filter(|_| child.is_text()).unwrap_or("");
                if text.is_empty() || (!in_narrative && text.trim().is_empty()) {
                    continue;
                }
                let span = self.span(text);
                self.push(Kind::Text(span), index)
            };
            let before = if last == NOWHERE { index } else { last };
            if let Some(before) = usize::try_from(before).ok().and_then(|before| self.nodes.get_mut(before)) {
                if last == NOWHERE { before.first_child = number } else { before.next_sibling = number }
            }
            last = number;
        }
        index
    }
}

fn parent_is_section(node: roxmltree::Node<'_, '_>) -> bool {
    node.parent_element().is_some_and(|parent| parent.tag_name().name() == "section")
}
