//! URIs, compared as they are written. <https://hl7.org/fhir/R4/search.html#uri>
//!
//! Exact; `:above` and `:below` are decided on bodies, by whole segments of the path: `http://a/b` is above `http://a/b/c`
//! and not above `http://a/bc`. R4 gives them to URLs only, so a URN is above and below itself alone.
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
        Modifier::Above => is_below(value, uri),
        Modifier::Below => is_below(uri, value),
        _ => forms(uri).any(|form| form == value),
    }
}

/// Whether a URI is this one or below it. A version of a canonical is no part of its path.
fn is_below(uri: &str, above: &str) -> bool {
    let (bare, bare_above) = (uri.split('|').next().unwrap_or(uri), above.split('|').next().unwrap_or(above));
    let below = |uri: &str| uri.strip_prefix(bare_above).is_some_and(|rest| bare_above.ends_with('/') || rest.starts_with('/'));
    uri == above || bare == bare_above || (!above.starts_with("urn:") && below(bare))
}

/// A canonical is found with and without its version.
pub(super) fn forms(uri: &str) -> impl Iterator<Item = &str> {
    let bare = uri.split_once('|').map(|(bare, _)| bare);
    std::iter::once(uri).chain(bare)
}

pub(super) fn rows(number: u16, found: Found<'_>, keyer: &Keyer, out: &mut IndexRows) {
    out.tokens.extend(found.element.text().into_iter().flat_map(forms).map(|form| keyer.uri(number, form)));
}
