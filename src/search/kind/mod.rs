//! One file for each type of search parameter: how its values read, which index rows an element gets, which predicate
//! a value becomes, and whether an element matches. <https://hl7.org/fhir/R4/search.html#ptypes>
pub(super) mod composite;
pub(super) mod date;
pub(super) mod number;
pub(super) mod quantity;
pub(super) mod reference;
pub(super) mod special;
pub(super) mod string;
pub(super) mod token;
pub(super) mod uri;

use super::keyer::Keyer;
use super::plan::{IndexRows, Key, Predicate, RangeTest};
use super::query::ParseContext;
use super::registry::{Component, Kind, Parameter, Shape};
use super::terminology::Concepts;
use crate::fhir::path::Found;
use crate::fhir::{Resource, ResourceType};
use crate::ids::{Pid, Rid};
use jiff::tz::TimeZone;
use std::sync::Arc;

/// Where a reference as it is written (`Type/id`, or a URL) leads on this server.
pub type Local<'a> = &'a dyn Fn(&str) -> Option<(Pid, Rid)>;

/// What reading a body needs: where its references lead, of which record it is, the zone of its dates.
#[derive(Clone, Copy)]
pub(super) struct Reading<'a> {
    pub(super) local: Local<'a>,
    pub(super) pid: Pid,
    pub(super) time_zone: &'a TimeZone,
}

/// A suffix of a parameter's name. <https://hl7.org/fhir/R4/search.html#modifiers>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Modifier {
    None,
    Exact,
    Contains,
    Text,
    Not,
    In,
    NotIn,
    OfType,
    Identifier,
    Type(ResourceType),
    Above,
    Below,
}

impl Modifier {
    /// The modifier of this name, where the type of parameter has it (`:missing` is read before).
    pub(super) fn parse(name: &str, shape: &Shape) -> Option<Self> {
        match (name, shape.kind) {
            ("exact", Kind::String) => Some(Self::Exact),
            ("contains", Kind::String) => Some(Self::Contains),
            ("text", Kind::Token) => Some(Self::Text),
            ("not", Kind::Token) => Some(Self::Not),
            ("of-type", Kind::Token) => Some(Self::OfType),
            ("in", Kind::Token) => Some(Self::In),
            ("not-in", Kind::Token) => Some(Self::NotIn),
            ("below", Kind::Token) => Some(Self::Below),
            ("above", Kind::Token) if shape.system != Some(token::MIME) => Some(Self::Above),
            ("identifier", Kind::Reference) => Some(Self::Identifier),
            ("above", Kind::Uri) => Some(Self::Above),
            ("below", Kind::Uri) => Some(Self::Below),
            (name, Kind::Reference) => ResourceType::parse(name).map(Self::Type),
            _ => None,
        }
    }

    /// Whether what is looked for is what does not match.
    pub(super) fn is_negative(self) -> bool {
        matches!(self, Self::Not | Self::NotIn)
    }
}

/// A value of a query, read.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Token(token::TokenValue),
    Concepts(Arc<Concepts>),
    OfType(token::OfType),
    String(string::StringValue),
    /// A date or number: any of these tests.
    Range(Vec<RangeTest>),
    Quantity(quantity::QuantityValue),
    Reference(reference::ReferenceValue),
    Uri(String),
    Composite(Vec<Value>),
}

impl Value {
    /// Reads a value, still escaped; `None` for one that the type of the parameter does not allow.
    pub(super) fn parse(
        shape: &Shape,
        components: &[Component],
        modifier: Modifier,
        text: &str,
        context: &ParseContext<'_>,
    ) -> Option<Self> {
        match shape.kind {
            Kind::Token if modifier == Modifier::OfType => token::OfType::parse(text).map(Self::OfType),
            Kind::Token if modifier == Modifier::Text => string::StringValue::parse(text).map(Self::String),
            Kind::Token => token::TokenValue::parse(text).map(Self::Token),
            Kind::String => string::StringValue::parse(text).map(Self::String),
            Kind::Date => date::parse(text, context).map(Self::Range),
            Kind::Number => number::parse(text).map(Self::Range),
            Kind::Quantity => quantity::QuantityValue::parse(text).map(Self::Quantity),
            Kind::Reference if modifier == Modifier::Identifier => token::TokenValue::parse(text).map(Self::Token),
            Kind::Reference => reference::ReferenceValue::parse(text, shape, modifier, context).map(Self::Reference),
            Kind::Uri => unescape(text).map(Self::Uri),
            Kind::Composite => composite::parse(text, components, context).map(Self::Composite),
            Kind::Special => None,
        }
    }

    /// What the tables can say of this value, on rows that stand under these numbers.
    pub(super) fn plan(&self, rows: Rows<'_>, modifier: Modifier, context: &ParseContext<'_>) -> Node {
        let keyer = context.keyer;
        match self {
            Self::Token(value) if modifier == Modifier::Identifier => reference::plan_identifier(value, rows, keyer),
            Self::Token(_) if modifier == Modifier::Below => Node::narrowing(everything()),
            Self::Token(value) => value.plan(rows, keyer),
            Self::Concepts(concepts) => token::plan_concepts(concepts, rows, keyer),
            Self::OfType(value) => value.plan(rows, keyer),
            Self::String(_) if rows.shape.kind == Kind::Token => Node::narrowing(everything()),
            Self::String(value) => value.plan(rows, modifier, keyer),
            Self::Range(tests) => Node::any(rows.keys(|number| keyer.range(number)).map(|key| Node::range(key, tests))),
            Self::Quantity(value) => value.plan(rows, keyer),
            Self::Reference(value) => value.plan(rows, context),
            Self::Uri(value) => uri::plan(value, rows, modifier, keyer),
            Self::Composite(values) => composite::plan(values, rows, context),
        }
    }

    /// Whether an element that the parameter's path found matches.
    pub(super) fn matches(
        &self,
        shape: &Shape,
        components: &[Component],
        modifier: Modifier,
        found: Found<'_>,
        resource: &Resource,
        reading: &Reading<'_>,
    ) -> bool {
        match self {
            Self::Token(value) if modifier == Modifier::Identifier => reference::matches_identifier(value, found),
            Self::Token(value) if modifier == Modifier::Below => value.is_above(found),
            Self::Token(value) => value.matches(found, shape.system),
            Self::Concepts(concepts) => token::codes(found).iter().any(|coded| concepts.has(coded, shape.system)),
            Self::OfType(value) => value.matches(found),
            Self::String(value) if shape.kind == Kind::Token => token::texts(found).iter().any(|text| value.begins(text)),
            Self::String(value) => value.matches(found, modifier, shape.is_family),
            Self::Range(tests) => match shape.kind {
                Kind::Date => date::interval(found, reading.time_zone),
                _ => number::interval(found),
            }
            .is_some_and(|(lo, hi)| tests.iter().any(|test| test.holds(lo, hi))),
            Self::Quantity(value) => quantity::measures(found).iter().any(|measure| value.matches(measure)),
            Self::Reference(value) => value.matches(found, reading),
            Self::Uri(value) => uri::matches(value, found, modifier),
            Self::Composite(values) => composite::matches(values, components, found, resource, reading),
        }
    }
}

/// Which rows a value is looked for in.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    pub(super) numbers: &'a [u16],
    pub(super) shape: &'a Shape,
    /// Whether `text` rows are there.
    pub(super) is_text: bool,
}

impl<'a> Rows<'a> {
    pub(super) fn of(parameter: &'a Parameter) -> Self {
        Self { numbers: &parameter.stored, shape: &parameter.shape, is_text: parameter.is_text() }
    }
    pub(super) fn keys<'b>(self, key: impl Fn(u16) -> Key + 'b) -> impl Iterator<Item = Key> + 'b
    where
        'a: 'b,
    {
        self.numbers.iter().map(move |number| key(*number))
    }
}

/// Adds the index rows of one element.
pub(super) fn rows(
    parameter: &Parameter,
    found: Found<'_>,
    resource: &Resource,
    keyer: &Keyer,
    reading: &Reading<'_>,
    out: &mut IndexRows,
) {
    let number = parameter.number;
    match parameter.shape.kind {
        Kind::Token => token::rows(number, found, keyer, out),
        Kind::String => string::rows(number, found, parameter.shape.is_family, keyer, out),
        Kind::Date => {
            out.ranges.extend(date::interval(found, reading.time_zone).map(|(lo, hi)| (keyer.range(number), lo, hi)));
        }
        Kind::Number => out.ranges.extend(number::interval(found).map(|(lo, hi)| (keyer.range(number), lo, hi))),
        Kind::Quantity => quantity::rows(number, found, keyer, out),
        Kind::Reference => reference::rows(number, found, keyer, reading, out),
        Kind::Uri => uri::rows(number, found, keyer, out),
        Kind::Composite => composite::rows(parameter, found, resource, keyer, out),
        Kind::Special => {}
    }
}

/// A predicate, and whether it decides alone.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub(super) predicate: Predicate,
    pub(super) exact: bool,
}

/// Holds for every resource.
pub(super) fn everything() -> Predicate {
    Predicate::All(Vec::new())
}

/// Holds for none.
pub(super) fn nothing() -> Predicate {
    Predicate::Any(Vec::new())
}

impl Node {
    pub(super) fn exact(predicate: Predicate) -> Self {
        Self { predicate, exact: true }
    }
    pub(super) fn narrowing(predicate: Predicate) -> Self {
        Self { predicate, exact: false }
    }
    pub(super) fn tokens(keys: impl Iterator<Item = Key>) -> Self {
        Self::exact(Predicate::Tokens(keys.collect()))
    }
    pub(super) fn range(key: Key, tests: &[RangeTest]) -> Self {
        Self::exact(Predicate::Range(key, tests.to_vec()))
    }

    /// At least one of these, with equal kinds of predicate made one.
    pub(super) fn any(nodes: impl Iterator<Item = Self>) -> Self {
        let (mut exact, mut parts) = (true, Vec::new());
        for node in nodes {
            exact &= node.exact;
            match node.predicate {
                Predicate::Any(inner) => inner.into_iter().for_each(|one| join(&mut parts, one)),
                other => join(&mut parts, other),
            }
        }
        let predicate = match (parts.contains(&everything()), parts.len()) {
            (true, _) => everything(),
            (false, 1) => parts.pop().unwrap_or_else(nothing),
            (false, _) => Predicate::Any(parts),
        };
        Self { predicate, exact }
    }

    /// All of these.
    pub(super) fn all(nodes: impl Iterator<Item = Self>) -> Self {
        let (mut exact, mut parts) = (true, Vec::new());
        for node in nodes {
            exact &= node.exact;
            match node.predicate {
                Predicate::All(inner) => parts.extend(inner),
                other => parts.push(other),
            }
        }
        let predicate = if parts.len() == 1 { parts.pop().unwrap_or_else(everything) } else { Predicate::All(parts) };
        Self { predicate, exact }
    }

    /// The contrary: of a superset nothing is known.
    pub(super) fn not(self) -> Self {
        if self.exact { Self::exact(Predicate::Not(Box::new(self.predicate))) } else { Self::narrowing(everything()) }
    }
}

fn join(parts: &mut Vec<Predicate>, more: Predicate) {
    for part in parts.iter_mut() {
        match (part, &more) {
            (Predicate::Tokens(have), Predicate::Tokens(keys)) => return have.extend(keys),
            (Predicate::Range(key, have), Predicate::Range(other, tests)) if key == other => return have.extend(tests),
            (Predicate::Text(key, have), Predicate::Text(other, prefixes)) if key == other => {
                return have.extend(prefixes.iter().cloned());
            }
            (Predicate::Places(have), Predicate::Places(places)) => return have.extend(places),
            (Predicate::Updated(have), Predicate::Updated(tests)) => return have.extend(tests),
            _ => {}
        }
    }
    parts.push(more);
}

/// Splits at a character that no backslash escapes. <https://hl7.org/fhir/R4/search.html#escaping>
pub(super) fn split(text: &str, at: char) -> Vec<&str> {
    let (mut parts, mut start, mut escaped) = (Vec::new(), 0, false);
    for (index, character) in text.char_indices() {
        if character == at && !escaped {
            parts.extend(text.get(start..index));
            start = index + at.len_utf8();
        }
        escaped = character == '\\' && !escaped;
    }
    parts.extend(text.get(start..));
    parts
}

/// Takes the backslashes off `\,`, `\$`, `\|`, `\\`; `None` where nothing is left.
pub(super) fn unescape(text: &str) -> Option<String> {
    let (mut out, mut characters) = (String::with_capacity(text.len()), text.chars().peekable());
    while let Some(character) = characters.next() {
        match characters.peek() {
            Some(next @ (',' | '$' | '|' | '\\')) if character == '\\' => {
                out.push(*next);
                characters.next();
            }
            _ => out.push(character),
        }
    }
    (!out.is_empty()).then_some(out)
}

/// Comparison in front of a number, date or quantity. <https://hl7.org/fhir/R4/search.html#prefix>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Prefix {
    Equal,
    NotEqual,
    Greater,
    Less,
    GreaterOrEqual,
    LessOrEqual,
    StartsAfter,
    EndsBefore,
    Approximately,
}

impl Prefix {
    /// The prefix and what follows it.
    pub(super) fn split(text: &str) -> (Self, &str) {
        let (prefix, rest) = (text.get(..2), text.get(2..).unwrap_or_default());
        match prefix {
            Some("eq") => (Self::Equal, rest),
            Some("ne") => (Self::NotEqual, rest),
            Some("gt") => (Self::Greater, rest),
            Some("lt") => (Self::Less, rest),
            Some("ge") => (Self::GreaterOrEqual, rest),
            Some("le") => (Self::LessOrEqual, rest),
            Some("sa") => (Self::StartsAfter, rest),
            Some("eb") => (Self::EndsBefore, rest),
            Some("ap") => (Self::Approximately, rest),
            _ => (Self::Equal, text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_characters_do_not_separate() {
        assert_eq!(split(r"a\,b,c\\,d", ','), [r"a\,b", r"c\\", "d"]);
        assert_eq!(split("", ','), [""]);
        assert_eq!(unescape(r"a\,b\$c\|d\\e\x").as_deref(), Some(r"a,b$c|d\e\x"));
        assert_eq!(unescape(""), None);
    }

    #[test]
    fn the_contrary_of_a_superset_is_decided_on_bodies() {
        assert_eq!(Node::narrowing(Predicate::Tokens(vec![Key(1)])).not(), Node::narrowing(everything()));
    }

    #[test]
    fn alternatives_of_one_key_become_one_predicate() {
        let node = Node::any([Key(1), Key(2)].map(|key| Node::tokens([key].into_iter())).into_iter());
        assert_eq!(node, Node::exact(Predicate::Tokens(vec![Key(1), Key(2)])));
    }
}
