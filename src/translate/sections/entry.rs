//! What entries of every template have: people, reasons, parts, attested text, flags.
use super::super::account::Reason;
use super::super::codes::{concept, resolved_text};
use super::super::context::{Context, PARTICIPANTS, reference, set};
use super::super::datatypes::date_time;
use super::super::participants::{self, Kind, Participant};
use super::has_any;
use super::specimen::relations;
use crate::cda::{Element, template};
use crate::fhir::Resource;
use serde_json::{Value, json};

/// Who wrote an entry, and when.
#[derive(Default)]
pub(super) struct Author {
    pub(super) who: Option<Participant>,
    pub(super) time: Option<String>,
}

impl Author {
    /// The person; a device records nothing itself.
    pub(super) fn person(&self) -> Option<Value> {
        self.who.as_ref().filter(|who| who.kind != Kind::Device).map(Participant::reference)
    }
}

/// author (the first) -> who, time; every author and informant -> agents of the Provenance.
pub(super) fn author(context: &mut Context<'_>, element: Element<'_>) -> Author {
    let mut out = Author::default();
    for (name, kind) in [("author", "author"), ("informant", "informant")] {
        for person in element.children_named(name).take(PARTICIPANTS) {
            let who = participants::participant_in(context, person);
            context.agents.extend(who.as_ref().map(|who| (kind, who.url.clone())));
            if name == "author" && out.who.is_none() && out.time.is_none() {
                out.time = person.child("time").and_then(|time| date_time(context, time));
                out.who = who;
            }
        }
    }
    out
}

/// performer -> who.
pub(super) fn performers(context: &mut Context<'_>, element: Element<'_>) -> Vec<Participant> {
    let performers: Vec<Element<'_>> = element.children_named("performer").take(PARTICIPANTS).collect();
    let mut out: Vec<Participant> = Vec::new();
    for performer in performers {
        if let Some(who) = participants::participant_in(context, performer).filter(|who| !out.contains(who)) {
            out.push(who);
        }
    }
    out
}

/// performer -> `performer[].actor`.
pub(super) fn actors(context: &mut Context<'_>, element: Element<'_>) -> Value {
    let actors = performers(context, element);
    Value::Array(actors.iter().map(|who| json!({"actor": who.reference()})).collect())
}

/// Whether the entry is denied (R4); `false` is as if it were not there. `1` is the `true` of XML Schema.
pub(super) fn is_denied(element: Element<'_>) -> bool {
    matches!(element.stated("negationInd"), Some("true" | "1"))
}

/// Why an entry states nothing that a resource could say, whatever its template.
///
/// @nullFlavor: the act has no information, unless its code says so itself (no-medication-info, R3)
/// @negationInd of no boolean: neither there nor denied can be said;  true of what only holds entries: no member is stated (R4)
pub(super) fn unsaid(element: Element<'_>) -> Option<Reason> {
    // A value that names something is what the act says, whatever its code.
    let value = || element.child("value").filter(|value| value.stated("code").is_some());
    let says_none = || value().or_else(|| element.child("code")).is_some_and(super::problem::is_absent_code);
    if element.stated("nullFlavor").is_some() && !says_none() {
        return Some(Reason::NotApplicable);
    }
    let holds = element.is("organizer")
        || element.is("observationMedia")
        || super::specimen::is_collection(element)
        || has_any(element, &[template::PROBLEM_CONCERN, template::ALLERGY_CONCERN]);
    match element.stated("negationInd") {
        None | Some("false" | "0") => None,
        Some("true" | "1") => holds.then_some(Reason::StatusNotMapped),
        Some(_) => Some(Reason::StatusNotMapped),
    }
}

/// text -> its resolved text; `-` says nothing (C10-8).
pub(super) fn text(context: &mut Context<'_>, element: Element<'_>) -> Option<String> {
    element.child("text").and_then(|text| stated_text(context, text))
}

/// The resolved text of an ED; `-` says nothing.
pub(super) fn stated_text(context: &mut Context<'_>, text: Element<'_>) -> Option<String> {
    // A reference without value names nothing, and dangles nowhere.
    if text.child("reference").is_some_and(|reference| reference.stated("value").is_none()) {
        return None;
    }
    resolved_text(context, text).filter(|text| text != "-")
}

/// The children with these names are said by that resource.
pub(super) fn claim(context: &mut Context<'_>, element: Element<'_>, url: &str, names: &[&str]) {
    context.claim(element, url);
    for child in element.children().filter(|child| names.contains(&child.name())) {
        if context.claim_of(child).is_none() {
            context.claim_tree(child, url);
        }
    }
}

/// What stands below the relations of an entry, with the relation; a denied relation relates nothing.
pub(super) fn below(element: Element<'_>) -> impl Iterator<Item = (Element<'_>, Element<'_>)> {
    relations(element)
        .filter(|relation| !is_denied(*relation))
        .flat_map(|relation| relation.children().map(move |child| (relation, child)))
}

/// A part of the entry by its template; one that is denied or has no information says nothing of the entry.
pub(super) fn part<'d>(element: Element<'d>, template: &str) -> Option<Element<'d>> {
    below(element)
        .map(|(_, child)| child)
        .find(|child| child.has_template(template) && !is_denied(*child) && unsaid(*child).is_none())
}

/// The code of the value of a part.
pub(super) fn part_code<'d>(element: Element<'d>, template: &str) -> Option<&'d str> {
    part(element, template).and_then(|part| part.child("value")).and_then(|value| value.stated("code"))
}

/// The value of a part as a concept.
pub(super) fn part_concept(context: &mut Context<'_>, element: Element<'_>, template: &str) -> Option<Value> {
    part(element, template).and_then(|part| part.child("value")).and_then(|code| concept(context, code))
}

/// RSON act 3.36 (id, code) -> reasonReference where exactly one Condition of the document has that id, its own or its
/// act's, and that code; otherwise reasonCode (C8-26)
pub(super) fn reasons(context: &mut Context<'_>, element: Element<'_>, url: &str, out: &mut Resource) {
    let (mut codes, mut references) = (Vec::new(), Vec::new());
    let acts: Vec<Element<'_>> = super::problem::reasons(element).take(PARTICIPANTS).collect();
    for act in acts {
        context.claim_tree(act, url);
        match context.problem_of(act) {
            Some(condition) => {
                references.push(reference(&condition));
                let code = act.child("code").and_then(|code| concept(context, code));
                context.reason(url, condition, code);
            }
            None => codes.extend(act.child("code").and_then(|code| concept(context, code))),
        }
    }
    set(out, "reasonCode", Value::Array(codes));
    set(out, "reasonReference", Value::Array(references));
}

/// Simple observations below an entry (3.48 and narrower) -> an Observation each; the entry points to them (C10-10)
pub(super) fn flags(context: &mut Context<'_>, element: Element<'_>) -> Vec<Value> {
    let found: Vec<Element<'_>> = below(element)
        .map(|(_, child)| child)
        .filter(|child| child.is("observation") && super::is_only(*child, template::SIMPLE_OBSERVATION))
        .collect();
    let mut out = Vec::new();
    for flag in found {
        if let Some(reason) = refused(context, flag) {
            context.list(flag, reason);
        } else {
            out.extend(super::observation::simple_observation(context, flag).map(|url| reference(&url)));
        }
    }
    out
}

/// What decides before the template of a node below an entry.
pub(super) fn refused(context: &Context<'_>, element: Element<'_>) -> Option<Reason> {
    if context.is_full() {
        return Some(Reason::LimitReached);
    }
    if element.stated("moodCode") != Some("EVN") {
        return Some(Reason::MoodNotTranslated);
    }
    if context.is_about_another(element) {
        return Some(Reason::SubjectNotPatient);
    }
    unsaid(element)
}

/// participantRole of a place (LOC, DST, RCV) -> Location
///
/// id, code, addr, telecom -> identifier, type, address, telecom;  playingEntity/name -> name
pub(super) fn place(context: &mut Context<'_>, participant: Element<'_>) -> Option<String> {
    let role = participant.child("participantRole")?;
    let mut out = super::super::context::resource("Location");
    let ids = role.ids().iter().filter_map(super::super::datatypes::identifier).collect();
    set(&mut out, "identifier", Value::Array(ids));
    let name = role.at("playingEntity/name").map(Element::text).filter(|name| !name.is_empty());
    set(&mut out, "name", name.map(|name| json!(name)));
    let kind = role.child("code").and_then(|code| concept(context, code)).filter(|kind| kind.get("extension").is_none());
    set(&mut out, "type", kind.map(|kind| json!([kind])));
    set(&mut out, "telecom", Value::Array(role.children_named("telecom").filter_map(super::super::datatypes::telecom).collect()));
    let address = role.child("addr").filter(|addr| addr.stated("nullFlavor").is_none());
    set(&mut out, "address", address.and_then(super::super::datatypes::address));
    if out.len() <= 1 {
        return None;
    }
    let url = context.add(role.path(), out);
    context.claim_tree(participant, &url);
    Some(url)
}
