//! A document as a tree that can be changed: names, attribute values and text as they are written.
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

/// An element.
#[derive(Clone)]
pub(crate) struct Element {
    /// With its prefix.
    pub(crate) name: String,
    /// Names with their prefix, values escaped.
    pub(crate) attributes: Vec<(String, String)>,
    /// In order.
    pub(crate) children: Vec<Node>,
}

/// What an element holds.
#[derive(Clone)]
pub(crate) enum Node {
    /// An element.
    Element(Element),
    /// Text, escaped.
    Text(String),
}

impl Element {
    fn of(start: &BytesStart<'_>) -> Self {
        let attribute = |attribute: Result<quick_xml::events::attributes::Attribute<'_>, _>| {
            let attribute = attribute.unwrap();
            (text(attribute.key.as_ref().as_bytes()), text(attribute.value.as_bytes()))
        };
        Self {
            name: text(start.name().as_ref().as_bytes()),
            attributes: start.attributes().map(attribute).collect(),
            children: Vec::new(),
        }
    }
    /// Without its prefix.
    pub(crate) fn local(&self) -> &str {
        self.name.rsplit(':').next().unwrap_or("")
    }
    /// Value of an attribute.
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
    /// Sets an attribute.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        match self.attributes.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => value.clone_into(known),
            None => self.attributes.push((name.to_owned(), value.to_owned())),
        }
    }
    /// Child elements.
    pub(crate) fn elements(&self) -> impl Iterator<Item = &Element> {
        self.children.iter().filter_map(|child| match child {
            Node::Element(element) => Some(element),
            Node::Text(_) => None,
        })
    }
    /// Calls `see` with itself and each element below: its number in document order, and whether it is at or below an entry.
    pub(crate) fn visit<'a>(&'a self, see: &mut impl FnMut(usize, bool, &'a Element)) {
        fn walk<'a>(element: &'a Element, next: &mut usize, inside: bool, see: &mut impl FnMut(usize, bool, &'a Element)) {
            let inside = inside || element.local() == "entry";
            see(*next, inside, element);
            *next += 1;
            for child in element.elements() {
                walk(child, next, inside, see);
            }
        }
        walk(self, &mut 0, false, see);
    }
    /// The element with this number.
    pub(crate) fn nth(&mut self, number: usize) -> Option<&mut Element> {
        fn walk<'a>(element: &'a mut Element, left: &mut usize) -> Option<&'a mut Element> {
            if *left == 0 {
                return Some(element);
            }
            *left -= 1;
            for child in &mut element.children {
                if let Node::Element(child) = child
                    && let Some(found) = walk(child, left)
                {
                    return Some(found);
                }
            }
            None
        }
        let mut left = number;
        walk(self, &mut left)
    }
    /// As XML.
    pub(crate) fn write(&self, out: &mut String) {
        out.push('<');
        out.push_str(&self.name);
        for (name, value) in &self.attributes {
            out.extend([" ", name, "=\"", &value.replace('"', "&quot;"), "\""]);
        }
        out.push('>');
        for child in &self.children {
            match child {
                Node::Element(child) => child.write(out),
                Node::Text(text) => out.push_str(text),
            }
        }
        out.extend(["</", &self.name, ">"]);
    }
    /// As a document.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        self.write(&mut out);
        out.into_bytes()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Reads well-formed XML; comments and instructions are left out.
pub(crate) fn parse(document: &str) -> Element {
    let mut reader = Reader::from_str(document);
    let mut open = vec![Element { name: String::new(), attributes: Vec::new(), children: Vec::new() }];
    loop {
        let piece = match reader.read_event().unwrap() {
            Event::Start(start) => {
                open.push(Element::of(&start));
                continue;
            }
            Event::Empty(start) => Node::Element(Element::of(&start)),
            Event::End(_) => Node::Element(open.pop().unwrap()),
            Event::Text(piece) => Node::Text(text(piece.as_bytes())),
            Event::CData(piece) => Node::Text(format!("<![CDATA[{}]]>", text(piece.as_bytes()))),
            Event::GeneralRef(name) => Node::Text(format!("&{};", text(name.as_bytes()))),
            Event::Eof => break,
            Event::Comment(_) | Event::PI(_) | Event::Decl(_) | Event::DocType(_) => continue,
        };
        open.last_mut().unwrap().children.push(piece);
    }
    let top = open.pop().unwrap();
    top.elements().next().unwrap().clone()
}
