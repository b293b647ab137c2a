//! URIs, compared as they are written. <https://hl7.org/fhir/R4/search.html#uri>
//!
//! Exact; `:above` and `:below` are decided on bodies.
use super::{Modifier, Node, Rows, everything};
use crate::fhir::path::Found;
use crate::search::keyer::Keyer;
use crate::search::plan::IndexRows;

pub(super) fn plan(value: &str, rows: Rows<'_>, modifier: Modifier, keyer: &Keyer) -> Node {
    match modifier {
        Modifier::Above | Modifier::Below => Node::narrowing(everything()),
        _ => Node::tokens(rows.keys(|number| keyer.uri(number, value))),
    }
}

pub(super) fn matches(value: &str, found: Found<'_>, modifier: Modifier) -> bool {
    let Some(uri) = found.element.text() else { return false };
    match modifier {
        Modifier::Above => value.starts_with(uri),
        Modifier::Below => uri.starts_with(value),
        _ => forms(uri).any(|form| form == value),
    }
}

/// A canonical is found with and without its version.
pub(super) fn forms(uri: &str) -> impl Iterator<Item = &str> {
    let bare = uri.split_once('|').map(|(bare, _)| bare);
    std::iter::once(uri).chain(bare)
}

pub(super) fn rows(number: u16, found: Found<'_>, keyer: &Keyer, out: &mut IndexRows) {
    out.tokens.extend(found.element.text().into_iter().flat_map(forms).map(|form| keyer.uri(number, form)));
}
