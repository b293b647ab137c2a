//! Strings, by their beginning, without case and accents. <https://hl7.org/fhir/R4/search.html#string>
//!
//! Exact where a person searches (names, addresses, titles: `text` rows); `:exact`, `:contains` and every other string
//! are decided on bodies.
use super::{Modifier, Node, Rows, everything, unescape};
use crate::fhir::path::{Element, Found};
use crate::search::keyer::Keyer;
use crate::search::plan::{IndexRows, Predicate};
use crate::search::text::{INDEXED, indexed, normal};
use serde_json::Value;

/// Most words of a family name that are searched independently.
const WORDS: usize = 10;

/// A text of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::search) struct StringValue {
    text: String,
    normal: String,
}

impl StringValue {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = unescape(text)?;
        Some(Self { normal: normal(&text), text })
    }

    pub(super) fn plan(&self, rows: Rows<'_>, modifier: Modifier, keyer: &Keyer) -> Node {
        if !rows.is_text || modifier == Modifier::Contains {
            return Node::narrowing(everything());
        }
        let node = Node::any(
            rows.keys(|number| keyer.text(number)).map(|key| Node::exact(Predicate::Text(key, vec![indexed(&self.normal)]))),
        );
        let exact = modifier == Modifier::None && self.normal.chars().count() <= INDEXED;
        Node { exact, ..node }
    }

    pub(super) fn matches(&self, found: Found<'_>, modifier: Modifier, is_family: bool) -> bool {
        let any_word = |text: &&str| words(&normal(text)).take(WORDS).any(|word| word.starts_with(&self.normal));
        if modifier == Modifier::None && families(found, is_family).iter().any(any_word) {
            return true;
        }
        texts(found).iter().any(|text| match modifier {
            Modifier::Exact => *text == self.text,
            Modifier::Contains => normal(text).contains(&self.normal),
            _ => self.begins(text),
        })
    }

    /// Whether the text begins with this one.
    pub(super) fn begins(&self, text: &str) -> bool {
        normal(text).starts_with(&self.normal)
    }
}

/// Parts of HumanName, Address, and of other elements that have a text.
const PARTS: [&str; 14] = [
    "text",
    "family",
    "given",
    "prefix",
    "suffix",
    "line",
    "city",
    "district",
    "state",
    "postalCode",
    "country",
    "display",
    "title",
    "value",
];

/// The texts of an element, each by itself.
pub(in crate::search) fn texts(found: Found<'_>) -> Vec<&str> {
    match found.element {
        Element::Primitive(value) => value.as_str().into_iter().collect(),
        Element::Object(object) => PARTS
            .iter()
            .filter_map(|name| object.get(*name))
            .flat_map(|part| match part {
                Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
                one => one.as_str().into_iter().collect::<Vec<_>>(),
            })
            .collect(),
    }
}

/// Family names, each part of which is searched independently: `Quinones` finds `Carreno Quinones` (R4 3.1.1.4.8).
fn families(found: Found<'_>, is_family: bool) -> Vec<&str> {
    let text = if is_family { found.element.text() } else { found.element.child("family") };
    text.into_iter().collect()
}

/// A normal text from each of its words on.
fn words(normal: &str) -> impl Iterator<Item = &str> {
    let starts = std::iter::once(0).chain(normal.match_indices(' ').map(|(at, _)| at + 1));
    starts.filter_map(|start| normal.get(start..))
}

pub(super) fn rows(number: u16, found: Found<'_>, is_family: bool, keyer: &Keyer, out: &mut IndexRows) {
    let key = keyer.text(number);
    for family in families(found, is_family) {
        let family = normal(family);
        // Names have few words; a text of many is no name.
        out.texts.extend(words(&family).take(WORDS).map(|word| (key, indexed(word))));
    }
    out.texts.extend(texts(found).into_iter().map(|text| (key, indexed(&normal(text)))));
}
