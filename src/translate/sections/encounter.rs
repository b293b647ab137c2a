//! FR-Rencontre (3.58) -> Encounter (C4, C8-37).
use super::super::account::Reason;
use super::super::codes::{codings, concept};
use super::super::context::{Context, resource, set};
use super::super::datatypes::{absent, identifiers, when};
use super::super::participants::{self, Kind};
use super::entry::{self, is_denied};
use super::status;
use crate::cda::Element;
use serde_json::{Value, json};

/// Encounter (FR-Rencontre, 1.2.250.1.213.1.1.3.58) -> Encounter
///
/// mood ARQ, INT -> planned;  EVN -> statusCode by C4, none -> unknown;  nullFlavor NA on the entry: none was, listed
/// id, code -> identifier, class;  code/qualifier/value -> type;  effectiveTime -> period
/// priorityCode -> priority;  performer -> participant.individual;  participant LOC -> location;  RSON -> reasonCode
/// negationInd, and 3.32: no place in an Encounter, listed
pub(super) fn encounter(context: &mut Context<'_>, element: Element<'_>, planned: bool) -> Vec<String> {
    let url = context.url(&element.path());
    if element.stated("nullFlavor").is_some() {
        context.list(element, Reason::NotApplicable);
        return Vec::new();
    }
    let code = status::code(element);
    let status = match (is_denied(element), planned) {
        (true, _) => None,
        (false, true) => status::encounter_planned(code),
        (false, false) => status::encounter(code),
    };
    let Some(status) = status else { return super::status_not_mapped(context, element).into_iter().collect() };
    let mut out = resource("Encounter");
    set(&mut out, "identifier", Value::Array(identifiers(context, element)));
    set(&mut out, "status", json!(status));
    let code = element.child("code");
    let class = code.and_then(|code| codings(context, code).into_iter().next());
    let flavor = code.and_then(|code| code.stated("nullFlavor")).unwrap_or("NI");
    set(&mut out, "class", class.unwrap_or_else(|| absent(flavor)));
    let mut kinds = Vec::new();
    for qualifier in code.into_iter().flat_map(|code| code.children_named("qualifier")) {
        kinds.extend(qualifier.child("value").and_then(|value| concept(context, value)));
    }
    set(&mut out, "type", Value::Array(kinds));
    let priority = element.child("priorityCode").and_then(|code| concept(context, code));
    set(&mut out, "priority", priority);
    set(&mut out, "subject", Context::subject());
    let mut people = Vec::new();
    for who in entry::performers(context, element) {
        if who.kind == Kind::Professional || who.kind == Kind::RelatedPerson {
            people.push(json!({"individual": who.reference()}));
        }
    }
    let mut locations = Vec::new();
    for participant in element.children_named("participant") {
        if participant.stated("typeCode") == Some("LOC") {
            locations.extend(entry::place(context, participant).map(|url| json!({"location": {"reference": url}})));
        } else {
            let who = participants::participant_in(context, participant);
            let who = who.filter(|who| who.kind == Kind::Professional || who.kind == Kind::RelatedPerson);
            people.extend(who.map(|who| json!({"individual": who.reference()})));
        }
    }
    set(&mut out, "participant", Value::Array(people));
    let period = element.child("effectiveTime").and_then(|time| when(context, time));
    set(&mut out, "period", period.map(|period| period.period()));
    entry::reasons(context, element, &url, &mut out);
    set(&mut out, "location", Value::Array(locations));
    let notes = super::observation::comments(context, element, &url);
    set(&mut out, "extension", Value::Array(notes.into_iter().map(note).collect()));
    entry::author(context, element);
    context.add(element.path(), out);
    entry::claim(context, element, &url, &["id", "code", "text", "effectiveTime", "priorityCode"]);
    super::list_rest(context, element);
    vec![url]
}

/// A comment: Encounter has no note in R4; the R5 element as an extension does not resolve, `event-` ones are of events.
fn note(note: Value) -> Value {
    json!({"url": format!("{}/StructureDefinition/note", crate::fhir::CANONICAL), "valueAnnotation": note})
}
