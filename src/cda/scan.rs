//! The first look at a document: bounds on everything, before a tree is built (roxmltree is quadratic in attributes).
use super::ParseError;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

/// Bounds of one document.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of the whole document.
    pub bytes: usize,
    /// Nested elements.
    pub depth: usize,
    /// Elements, attributes and pieces of text together.
    pub nodes: usize,
    /// Attributes of one element, namespace declarations included.
    pub attributes: usize,
    /// Bytes of one piece of text: the embedded files in base64.
    pub text: usize,
    /// Bytes of the name of an element.
    pub name: usize,
    /// Bytes of all attributes of one element.
    pub attribute_text: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 64 << 20, depth: 64, nodes: 1_000_000, attributes: 256, text: 48 << 20, name: 64, attribute_text: 16 << 10 }
    }
}

struct Scan<'a> {
    limits: &'a Limits,
    nodes: usize,
    position: u64,
}

impl Scan<'_> {
    fn check(&self, what: &'static str, count: usize, limit: usize) -> Result<(), ParseError> {
        if count > limit { Err(ParseError::Limit { what, limit, position: self.position }) } else { Ok(()) }
    }

    fn count(&mut self, nodes: usize) -> Result<(), ParseError> {
        self.nodes = self.nodes.saturating_add(nodes);
        self.check("nodes", self.nodes, self.limits.nodes)
    }

    fn element(&mut self, start: &BytesStart<'_>, depth: usize) -> Result<(), ParseError> {
        self.check("nested elements", depth, self.limits.depth)?;
        self.check("bytes of a name", start.name().as_ref().len(), self.limits.name)?;
        // Every attribute has an `=`; a value may have more, so this bound is reached a little early at most, never late.
        let attributes = start.attributes_raw().bytes().filter(|byte| *byte == b'=').count();
        if attributes > self.limits.attributes {
            let exact = start.attributes().with_checks(false).take(self.limits.attributes.saturating_add(1)).count();
            self.check("attributes of one element", exact, self.limits.attributes)?;
        }
        // The root of a document declares its namespaces and its stylesheet's, which are long.
        self.check("bytes of attributes", start.attributes_raw().len(), self.limits.attribute_text)?;
        self.count(attributes.saturating_add(1))
    }
}

/// Reads the text once, keeping nothing; the first breach of a bound ends it.
pub(super) fn scan(text: &str, limits: &Limits) -> Result<(), ParseError> {
    let mut reader = Reader::from_str(text);
    let mut scan = Scan { limits, nodes: 0, position: 0 };
    let mut depth = 0_usize;
    loop {
        let event = reader.read_event();
        scan.position = reader.buffer_position();
        let position = scan.position;
        match event {
            Ok(Event::Start(start)) => {
                depth = depth.saturating_add(1);
                scan.element(&start, depth)?;
            }
            Ok(Event::Empty(start)) => scan.element(&start, depth.saturating_add(1))?,
            Ok(Event::End(_)) => depth = depth.saturating_sub(1),
            Ok(Event::Text(piece)) => {
                scan.check("bytes of text", piece.len(), limits.text)?;
                scan.count(1)?;
            }
            Ok(Event::CData(piece)) => {
                scan.check("bytes of text", piece.len(), limits.text)?;
                scan.count(1)?;
            }
            Ok(Event::GeneralRef(name)) => {
                let name: &str = &name;
                if !name.starts_with('#') && !matches!(name, "lt" | "gt" | "amp" | "quot" | "apos") {
                    return Err(ParseError::Entity { position });
                }
                scan.count(1)?;
            }
            Ok(Event::DocType(_)) => return Err(ParseError::Doctype { position }),
            Ok(Event::Comment(_) | Event::PI(_)) => scan.count(1)?,
            Ok(Event::Decl(_)) => {}
            Ok(Event::Eof) => return Ok(()),
            Err(_) => return Err(not_well_formed(text, position)),
        }
    }
}

fn not_well_formed(text: &str, position: u64) -> ParseError {
    let end = usize::try_from(position).unwrap_or(usize::MAX).min(text.len());
    let before = text.as_bytes().get(..end).unwrap_or(&[]);
    let line = before.iter().filter(|byte| **byte == b'\n').count().saturating_add(1);
    let column = before.iter().rev().take_while(|byte| **byte != b'\n').count().saturating_add(1);
    ParseError::NotWellFormed { line: u32::try_from(line).unwrap_or(u32::MAX), column: u32::try_from(column).unwrap_or(u32::MAX) }
}
