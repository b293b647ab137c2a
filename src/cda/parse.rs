//! Bytes to [`Document`].
use super::tree::{Builder, Document};
use super::{Limits, ParseError, encoding, scan};

/// Reads a CDA document, also one that is wrapped in a stylesheet ("auto-présentable", BR-46), which is never run.
///
/// # Errors
/// What [`ParseError`] lists: bytes that are no XML, no CDA, or beyond [`Limits`].
pub fn parse(bytes: &[u8]) -> Result<Document, ParseError> {
    let limits = Limits::default();
    if bytes.len() > limits.bytes {
        return Err(ParseError::TooLong { limit: limits.bytes });
    }
    let text = encoding::decode(bytes)?;
    scan::scan(&text, &limits)?;
    let options = roxmltree::ParsingOptions { nodes_limit: node_limit(&limits), ..Default::default() };
    let tree = roxmltree::Document::parse_with_options(&text, options).map_err(|error| {
        let position = error.pos();
        ParseError::NotWellFormed { line: position.row, column: position.col }
    })?;
    let top = tree.root_element();
    let root = tree
        .descendants()
        .find(|node| node.has_tag_name(("urn:hl7-org:v3", "ClinicalDocument")))
        .ok_or(ParseError::NotCda)?;
    let document = Builder::build(root, root != top);
    if document.root().child("id").is_none_or(|id| id.attribute("root").unwrap_or("").trim().is_empty()) {
        return Err(ParseError::NoId);
    }
    Ok(document)
}

fn node_limit(limits: &Limits) -> u32 {
    u32::try_from(limits.nodes).unwrap_or(u32::MAX)
}
