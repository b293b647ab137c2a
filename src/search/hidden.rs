//! What a query leaves out unless it asks for it by name: data of a replaced document, and results that a report repeats.
//!
//! A fixed condition of every level of a plan (root, chain, `_has`), so that there is no door by which it comes back.
use super::keyer::{Keyer, ORIGINAL, REPEATED};
use super::kind::{date, token};
use super::plan::{IndexRows, Key, Plan, Predicate, Repeat};
use super::query::ParseContext;
use super::registry::registry;
use crate::fhir::{CANONICAL, Resource, ResourceType};
use jiff::tz::TimeZone;
use serde_json::Value;

/// Tag of data whose document has a newer version.
const SUPERSEDED: (&str, &str) = ("data-state", "superseded");
/// Tag of a result that a report repeats from an earlier one (C7-22).
const REPORTED_PREVIOUS: (&str, &str) = ("translation-tag", "reported-previous");

/// Types that no version replaces: a document says by its status that it was replaced, a Provenance tells of what was,
/// participants are of the record and not of one document, and a Patient is the record.
const NEVER_SUPERSEDED: [&str; 10] = [
    "AuditEvent",
    "Device",
    "DocumentReference",
    "Location",
    "Organization",
    "Patient",
    "Practitioner",
    "PractitionerRole",
    "Provenance",
    "RelatedPerson",
];

fn tag(resource_type: ResourceType, keyer: &Keyer, (system, code): (&str, &str)) -> Option<Key> {
    let number = registry().parameter(resource_type, "_tag")?.number;
    Some(keyer.token(number, Some(&format!("{CANONICAL}/CodeSystem/{system}")), code))
}

fn has_tag(resource: &Resource, (system, code): (&str, &str)) -> bool {
    let tags = resource.get("meta").and_then(|meta| meta.get("tag")).and_then(Value::as_array);
    let text = |tag: &Value, name: &str, expected: &str| tag.get(name).and_then(Value::as_str) == Some(expected);
    let system = format!("{CANONICAL}/CodeSystem/{system}");
    tags.into_iter().flatten().any(|tag| text(tag, "code", code) && text(tag, "system", &system))
}

/// Whether a body is of data that a newer version of their document replaced.
#[must_use]
pub fn is_superseded(resource: &Resource) -> bool {
    has_tag(resource, SUPERSEDED)
}

/// Whether what hangs on a resource may be superseded because it is so itself: such data, or a document that was replaced.
#[must_use]
pub fn brings_superseded(resource: &Resource) -> bool {
    let text = |name: &str| resource.get(name).and_then(Value::as_str);
    is_superseded(resource) || (text("resourceType") == Some("DocumentReference") && text("status") == Some("superseded"))
}

/// The condition that leaves out data of replaced documents; `None` for types that have none.
#[must_use]
pub fn not_superseded(resource_type: ResourceType, keyer: &Keyer) -> Option<Predicate> {
    if NEVER_SUPERSEDED.contains(&resource_type.name()) {
        return None;
    }
    Some(not(tag(resource_type, keyer, SUPERSEDED)?))
}

/// The condition that leaves out a repeated result where the record has it itself, with this code and this time: current,
/// not repeated, not entered in error. One whose original is not here stays.
fn not_repeated(resource_type: ResourceType, keyer: &Keyer) -> Option<Predicate> {
    if resource_type.name() != "Observation" {
        return None;
    }
    let status = registry().parameter(resource_type, "status")?.number;
    let originals = [not_superseded(resource_type, keyer)?, not(keyer.code(status, "entered-in-error"))];
    let plan = Plan { resource_type, predicates: originals.to_vec(), recheck: false, sort: Vec::new() };
    let repeat = Repeat {
        tag: tag(resource_type, keyer, REPORTED_PREVIOUS)?,
        repeated: Keyer::reference_base(REPEATED, false),
        original: Keyer::reference_base(ORIGINAL, false),
        plan,
    };
    Some(Predicate::Not(Box::new(Predicate::Repeats(Box::new(repeat)))))
}

/// What a level of a query leaves out.
pub(super) fn of_level(resource_type: ResourceType, context: &ParseContext<'_>, repeated: bool) -> Vec<Predicate> {
    if context.everything {
        return Vec::new();
    }
    let repeated = if repeated { not_repeated(resource_type, context.keyer) } else { None };
    not_superseded(resource_type, context.keyer).into_iter().chain(repeated).collect()
}

fn not(key: Key) -> Predicate {
    Predicate::Not(Box::new(Predicate::Tokens(vec![key])))
}

const LOINC: &str = "http://loinc.org";

/// The row by which a repeated result finds its original, where code and time are known: of the LOINC code, else of the
/// first, so that an Observation has one such row and not one for each of its codings.
pub(super) fn rows(resource_type: ResourceType, resource: &Resource, keyer: &Keyer, zone: &TimeZone, out: &mut IndexRows) {
    if resource_type.name() != "Observation" {
        return;
    }
    let found = |code: &str| registry().parameter(resource_type, code).map(|parameter| (parameter.number, &parameter.path));
    let (Some((number, codes)), Some((_, dates))) = (found("code"), found("date")) else { return };
    let interval = dates.evaluate(resource).into_iter().find_map(|found| date::whole(found, zone));
    let Some(interval) = interval else { return };
    let base = if has_tag(resource, REPORTED_PREVIOUS) { REPEATED } else { ORIGINAL };
    let codings = codes.evaluate(resource).into_iter().flat_map(token::codes).filter_map(|coded| match coded.system {
        token::System::Uri(system) => Some((system, coded.code)),
        token::System::Implied | token::System::Absent | token::System::Contact(_) => None,
    });
    // The minimum is the first of equals.
    if let Some((system, code)) = codings.min_by_key(|(system, _)| *system != LOINC) {
        let code = keyer.token(number, Some(system), code);
        out.tokens.push(keyer.statement(base, code, (interval.lo, interval.hi)));
    }
}
