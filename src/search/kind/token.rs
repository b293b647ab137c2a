//! Tokens: codes, identifiers, booleans. <https://hl7.org/fhir/R4/search.html#token>
//!
//! `system|code` and `code` are exact, and so are value sets and hierarchies of at most 1,000 codes; `system|`, `:text` and
//! `:of-type` are decided on bodies.
use super::{Node, Rows, everything, nothing, split, unescape};
use crate::fhir::Resource;
use crate::fhir::path::{Element, Found};
use crate::search::keyer::{Keyer, fold};
use crate::search::plan::IndexRows;
use crate::search::terminology::Concepts;
use serde_json::Value;

/// A token of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::search) enum TokenValue {
    /// `system|code`
    SystemAndCode(String, String),
    /// `|code`
    CodeWithoutSystem(String),
    /// `code`
    Code(String),
    /// `system|`
    System(String),
}

/// System of a code in a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::search) enum System<'a> {
    /// A plain code, boolean or text: the element implies it.
    Implied,
    /// Has none.
    Absent,
    /// This one.
    Uri(&'a str),
    /// `phone`, `email`...: a ContactPoint, found as `phone|value`, `|value` and `value`.
    Contact(&'a str),
}

/// A code of a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::search) struct Coded<'a> {
    pub(in crate::search) system: System<'a>,
    pub(in crate::search) code: &'a str,
}

impl TokenValue {
    pub(in crate::search) fn parse(text: &str) -> Option<Self> {
        match split(text, '|')[..] {
            [code] => unescape(code).map(Self::Code),
            ["", code] => unescape(code).map(Self::CodeWithoutSystem),
            [system, ""] => unescape(system).map(Self::System),
            [system, code] => Some(Self::SystemAndCode(unescape(system)?, unescape(code)?)),
            _ => None,
        }
    }

    pub(super) fn plan(&self, rows: Rows<'_>, keyer: &Keyer) -> Node {
        match self {
            // A plain code has no row with its system: its code says as much.
            Self::SystemAndCode(system, code) if rows.shape.system == Some(system) => {
                Node::tokens(rows.keys(|number| keyer.code(number, code)))
            }
            Self::SystemAndCode(system, code) => Node::tokens(rows.keys(|number| keyer.token(number, Some(system), code))),
            Self::CodeWithoutSystem(code) => Node::tokens(rows.keys(|number| keyer.token(number, None, code))),
            Self::Code(code) => Node::tokens(rows.keys(|number| keyer.code(number, code))),
            Self::System(_) => Node::narrowing(everything()),
        }
    }

    /// Whether an element has this token.
    pub(super) fn matches(&self, found: Found<'_>, implied: Option<&str>) -> bool {
        codes(found).iter().any(|coded| self.fits(coded, implied))
    }

    /// Whether a MIME type is this one with parameters, or of this kind (R4 3.1.1.4.10.1).
    pub(super) fn is_above(&self, found: Found<'_>) -> bool {
        let (Self::Code(code) | Self::SystemAndCode(_, code) | Self::CodeWithoutSystem(code)) = self else { return false };
        let code = fold(None, code);
        codes(found).iter().any(|coded| {
            let mime = fold(None, coded.code);
            mime.strip_prefix(&code).is_some_and(|rest| rest.is_empty() || rest.starts_with([';', '/', ' ']))
        })
    }

    /// Whether it is this code.
    pub(super) fn fits(&self, coded: &Coded<'_>, implied: Option<&str>) -> bool {
        let same = |code: &str, system: Option<&str>| fold(system, coded.code) == fold(system, code);
        match self {
            Self::Code(code) => !coded.code.is_empty() && same(code, None),
            Self::CodeWithoutSystem(code) => matches!(coded.system, System::Absent | System::Contact(_)) && same(code, None),
            Self::SystemAndCode(system, code) => match coded.system {
                System::Uri(uri) | System::Contact(uri) => uri == system && same(code, Some(system)),
                System::Implied => implied == Some(system) && same(code, None),
                System::Absent => false,
            },
            Self::System(system) => match coded.system {
                System::Uri(uri) | System::Contact(uri) => uri == system,
                System::Implied => implied == Some(system),
                System::Absent => false,
            },
        }
    }
}

/// Codes of a value set or a hierarchy: exact where they are few enough to be listed.
pub(super) fn plan_concepts(concepts: &Concepts, rows: Rows<'_>, keyer: &Keyer) -> Node {
    let Some(codes) = concepts.listed() else { return Node::narrowing(everything()) };
    let plan = |(system, code): &(String, String)| TokenValue::SystemAndCode(system.clone(), code.clone()).plan(rows, keyer);
    if codes.is_empty() { Node::exact(nothing()) } else { Node::any(codes.iter().map(plan)) }
}

/// `:of-type=type-system|type-code|value` of identifiers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::search) struct OfType {
    kind: TokenValue,
    value: String,
}

impl OfType {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let [system, code, value] = split(text, '|')[..] else { return None };
        let kind = TokenValue::SystemAndCode(unescape(system)?, unescape(code)?);
        Some(Self { kind, value: unescape(value)? })
    }
    pub(super) fn plan(&self, rows: Rows<'_>, keyer: &Keyer) -> Node {
        Node::narrowing(Node::tokens(rows.keys(|number| keyer.code(number, &self.value))).predicate)
    }
    pub(super) fn matches(&self, found: Found<'_>) -> bool {
        let Some(identifier) = found.element.object() else { return false };
        let same_value = found.element.child("value").is_some_and(|value| fold(None, value) == fold(None, &self.value));
        let kind = identifier.get("type").and_then(Value::as_object);
        let kind = kind.map(|kind| Found { element: Element::Object(kind), type_name: None });
        same_value && kind.is_some_and(|kind| self.kind.matches(kind, None))
    }
}

/// MIME types as a code system.
pub(in crate::search) const MIME: &str = "urn:ietf:bcp:13";

/// Systems of ContactPoint, by which it is told from an Identifier.
const CONTACT_SYSTEMS: [&str; 7] = ["phone", "fax", "email", "pager", "url", "sms", "other"];

/// The codes of an element: Coding, CodeableConcept, Identifier, ContactPoint, or a primitive.
pub(in crate::search) fn codes(found: Found<'_>) -> Vec<Coded<'_>> {
    let object = match found.element {
        Element::Object(object) => object,
        Element::Primitive(value) => return primitive(value).into_iter().collect(),
    };
    match object.get("coding").and_then(Value::as_array) {
        Some(codings) => codings.iter().filter_map(Value::as_object).filter_map(|coding| coded(coding, "code")).collect(),
        None if object.contains_key("value") => coded(object, "value").into_iter().collect(),
        None => coded(object, "code").into_iter().collect(),
    }
}

fn primitive(value: &Value) -> Option<Coded<'_>> {
    let code = match value {
        Value::String(text) => text,
        Value::Bool(true) => "true",
        Value::Bool(false) => "false",
        Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    Some(Coded { system: System::Implied, code })
}

fn coded<'a>(object: &'a Resource, code: &str) -> Option<Coded<'a>> {
    let code = object.get(code).and_then(Value::as_str).unwrap_or_default();
    let system = match object.get("system").and_then(Value::as_str) {
        Some(system) if CONTACT_SYSTEMS.contains(&system) => System::Contact(system),
        Some(system) => System::Uri(system),
        None => System::Absent,
    };
    (!code.is_empty() || matches!(system, System::Uri(_))).then_some(Coded { system, code })
}

/// The texts of a token: CodeableConcept.text, Coding.display, Identifier.type.text.
pub(super) fn texts(found: Found<'_>) -> Vec<&str> {
    let Some(object) = found.element.object() else { return Vec::new() };
    let codings = object.get("coding").and_then(Value::as_array).into_iter().flatten();
    let displays = codings.filter_map(|coding| coding.get("display").and_then(Value::as_str));
    let own = ["text", "display"].into_iter().filter_map(|name| object.get(name).and_then(Value::as_str));
    let of_type = object.get("type").and_then(|kind| kind.get("text")).and_then(Value::as_str);
    own.chain(displays).chain(of_type).collect()
}

/// Index rows: `system|code` or `|code`, and `code`.
pub(super) fn rows(number: u16, found: Found<'_>, keyer: &Keyer, out: &mut IndexRows) {
    for coded in codes(found).iter().filter(|coded| !coded.code.is_empty()) {
        out.tokens.push(keyer.code(number, coded.code));
        match coded.system {
            System::Uri(system) => out.tokens.push(keyer.token(number, Some(system), coded.code)),
            System::Absent => out.tokens.push(keyer.token(number, None, coded.code)),
            System::Contact(system) => {
                out.tokens.extend([keyer.token(number, Some(system), coded.code), keyer.token(number, None, coded.code)]);
            }
            System::Implied => {}
        }
    }
}
