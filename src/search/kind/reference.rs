//! References: to resources of this server by their place, to others as they are written, logical ones by identifier.
//! <https://hl7.org/fhir/R4/search.html#reference>
//!
//! Exact, `:identifier=system|value` too (where no `resolve() is` filters it); other `:identifier` is decided on bodies.
use super::token::{Coded, System, TokenValue};
use super::{Modifier, Node, Reading, Rows, everything, nothing, unescape, uri};
use crate::fhir::path::{Element, Found, type_in_url};
use crate::fhir::{Resource, ResourceType};
use crate::ids::{Pid, Rid};
use crate::search::keyer::Keyer;
use crate::search::plan::{IndexRows, Predicate};
use crate::search::query::ParseContext;
use crate::search::registry::Shape;
use serde_json::Value;

/// A reference of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::search) struct ReferenceValue {
    /// Where it leads on this server; an id without a type may be one of several types.
    places: Vec<(Pid, Rid)>,
    /// How a resource may have written it where it leads nowhere here.
    literals: Vec<String>,
}

impl ReferenceValue {
    pub(super) fn parse(text: &str, shape: &Shape, modifier: Modifier, context: &ParseContext<'_>) -> Option<Self> {
        let text = unescape(text)?;
        let bare = without_version(&text);
        let wanted = match modifier {
            Modifier::Type(wanted) => Some(wanted),
            _ => shape.only,
        };
        let fits = |stated: ResourceType| wanted.is_none_or(|wanted| wanted == stated);
        if bare.contains(':') {
            let stated = type_in_url(bare).and_then(ResourceType::parse);
            let places: Vec<_> = stated.and_then(|_| (context.local)(bare)).into_iter().collect();
            let literals = if places.is_empty() { vec![bare.to_owned()] } else { Vec::new() };
            return Some(if stated.is_none_or(fits) { Self { places, literals } } else { Self::never() });
        }
        let types: Vec<ResourceType> = match bare.split_once('/') {
            Some((name, id)) if is_id(id) => vec![ResourceType::parse(name)?],
            None if is_id(bare) => match wanted {
                Some(wanted) => vec![wanted],
                None if shape.targets.is_empty() => ResourceType::all().collect(),
                None => shape.targets.clone(),
            },
            _ => return None,
        };
        let id = bare.rsplit('/').next().unwrap_or_default();
        let types = types.into_iter().filter(|stated| fits(*stated));
        Some(Self::of_id(types, id, context))
    }

    fn of_id(types: impl Iterator<Item = ResourceType>, id: &str, context: &ParseContext<'_>) -> Self {
        let (mut places, mut literals) = (Vec::new(), Vec::new());
        for stated in types {
            let literal = format!("{stated}/{id}");
            match (context.local)(&literal) {
                Some(place) => places.push(place),
                None => literals.push(literal),
            }
        }
        places.sort_unstable();
        places.dedup();
        if !places.is_empty() {
            literals.clear();
        }
        Self { places, literals }
    }

    fn never() -> Self {
        Self { places: Vec::new(), literals: Vec::new() }
    }

    pub(super) fn plan(&self, rows: Rows<'_>, context: &ParseContext<'_>) -> Node {
        if self.places.is_empty() {
            let keys = self.literals.iter().flat_map(|literal| rows.keys(move |number| context.keyer.uri(number, literal)));
            return Node::tokens(keys);
        }
        Node::any(self.places.iter().map(|place| Self::plan_place(*place, rows, context)))
    }

    fn plan_place((pid, rid): (Pid, Rid), rows: Rows<'_>, context: &ParseContext<'_>) -> Node {
        let in_directory = pid == Pid::DIRECTORY && context.pid != Some(pid);
        let node = Node::tokens(rows.keys(|number| Keyer::reference(number, in_directory, rid)));
        match context.pid {
            _ if pid == Pid::DIRECTORY => node,
            Some(own) if own == pid => node,
            // A row says only the rid: the same rid in this record is another resource.
            Some(_) => Node::exact(nothing()),
            None => Node::all([Node::exact(Predicate::Within(vec![pid])), node].into_iter()),
        }
    }

    pub(super) fn matches(&self, found: Found<'_>, reading: &Reading<'_>) -> bool {
        let Some(text) = written(found) else { return false };
        match here(text, reading) {
            Some(place) => self.places.contains(&place),
            None => uri::forms(text).any(|form| self.literals.iter().any(|literal| literal == form)),
        }
    }
}

/// `Type/id` of `Type/id/_history/version`.
fn without_version(reference: &str) -> &str {
    reference.split("/_history/").next().unwrap_or(reference)
}

/// Whether a text is a FHIR id.
pub(in crate::search) fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.')
}

/// A reference as it is written, without its version; `None` for contained ones and for those by identifier only.
pub(in crate::search) fn written(found: Found<'_>) -> Option<&str> {
    let text = match found.element {
        Element::Object(_) => found.element.child("reference"),
        Element::Primitive(value) => value.as_str(),
    };
    text.filter(|text| !text.starts_with('#') && !text.is_empty()).map(without_version)
}

/// Its place, in the same record or in the directory.
pub(in crate::search) fn here(text: &str, reading: &Reading<'_>) -> Option<(Pid, Rid)> {
    (reading.local)(text).filter(|(pid, _)| *pid == reading.pid || *pid == Pid::DIRECTORY)
}

fn identifier(found: Found<'_>) -> Option<&Resource> {
    found.element.object()?.get("identifier").and_then(Value::as_object)
}

pub(in crate::search) fn plan_identifier(value: &TokenValue, rows: Rows<'_>, keyer: &Keyer) -> Node {
    match value {
        TokenValue::SystemAndCode(system, code) => {
            let node = Node::tokens(rows.keys(|number| keyer.identifier(number, system, code)));
            Node { exact: rows.shape.only.is_none(), ..node }
        }
        TokenValue::Code(_) | TokenValue::CodeWithoutSystem(_) | TokenValue::System(_) => Node::narrowing(everything()),
    }
}

pub(in crate::search) fn matches_identifier(value: &TokenValue, found: Found<'_>) -> bool {
    let Some(identifier) = identifier(found) else { return false };
    let text = |name: &str| identifier.get(name).and_then(Value::as_str);
    let system = text("system").map_or(System::Absent, System::Uri);
    value.fits(&Coded { system, code: text("value").unwrap_or_default() }, None)
}

pub(super) fn rows(number: u16, found: Found<'_>, keyer: &Keyer, reading: &Reading<'_>, out: &mut IndexRows) {
    if let Some(text) = written(found) {
        match here(text, reading) {
            Some((pid, rid)) => out.tokens.push(Keyer::reference(number, pid != reading.pid, rid)),
            None => out.tokens.extend(uri::forms(text).map(|form| keyer.uri(number, form))),
        }
    }
    if let Some(identifier) = identifier(found)
        && let (Some(system), Some(value)) = (identifier.get("system"), identifier.get("value"))
        && let (Some(system), Some(value)) = (system.as_str(), value.as_str())
    {
        out.tokens.push(keyer.identifier(number, system, value));
    }
}
