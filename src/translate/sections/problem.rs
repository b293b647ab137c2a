//! FR-Probleme (3.37) -> Condition (C8).
use super::super::codes::{concept, differs_from_text, entry_code};
use super::super::context::{Context, reference, resource, set};
use super::super::datatypes::{date_time, identifiers};
use super::super::issue::IssueCode;
use super::super::participants::{self, Kind};
use super::entry::{part, part_code};
use super::observation::comments;
use super::specimen::relations;
use super::status;
use crate::cda::{Element, template};
use serde_json::{Value, json};

const CLINICAL: &str = "http://terminology.hl7.org/CodeSystem/condition-clinical";
const VERIFICATION: &str = "http://terminology.hl7.org/CodeSystem/condition-ver-status";
use template::{CERTAINTY, CLINICAL_STAGE, PROBLEM_STATUS, SEVERITY};

/// Concern (FR-Groupe-de-problemes 3.39, FR-Liste-des-allergies 3.40) -> no resource: what its relations hold is (C8-1)
///
/// observation 3.37 -> Condition;  3.41 -> AllergyIntolerance;  id -> the name that reasons use (C8-26)
/// The act's own time and status are the concern's, not the problem's (R8): not copied.
/// negationInd=true on the act: which of its problems are denied is not certain, listed
pub(super) fn concern(context: &mut Context<'_>, act: Element<'_>) -> Vec<String> {
    if super::entry::is_denied(act) {
        return super::status_not_mapped(context, act).into_iter().collect();
    }
    let children: Vec<Element<'_>> = super::entry::below(act).map(|(_, child)| child).collect();
    let mut made = Vec::new();
    for child in children {
        let Some(function) = concern_child(child) else {
            if super::is_entry(child) {
                context.list(child, super::super::account::Reason::KindNotTranslatedYet);
            }
            continue;
        };
        match super::entry::refused(context, child) {
            Some(reason) => context.list(child, reason),
            None => made.extend(function(context, child)),
        }
    }
    for child in act.children().filter(|child| matches!(child.name(), "code" | "effectiveTime")) {
        for part in child.subtree().filter(|part| part.stated("nullFlavor").is_some()) {
            context.list(part, super::super::account::Reason::NotApplicable);
        }
    }
    made
}

type EntryFunction = fn(&mut Context<'_>, Element<'_>) -> Option<String>;

fn concern_child(child: Element<'_>) -> Option<EntryFunction> {
    if !child.is("observation") {
        None
    } else if super::is_only(child, template::PROBLEM) {
        Some(problem)
    } else if super::is_only(child, template::ALLERGY) {
        Some(super::allergy::allergy)
    } else {
        None
    }
}

/// The ids of an element, roots in lower case, as they are compared.
pub(in super::super) fn lower_case_ids(element: Element<'_>) -> Vec<crate::cda::Id> {
    let lower = |id: crate::cda::Id| crate::cda::Id { root: id.root.to_ascii_lowercase(), extension: id.extension };
    element.ids().into_iter().map(lower).collect()
}

/// The problems that become Conditions and that a reason may name: stated, of the patient, not denied; with their ids and those of their act.
pub(in super::super) fn problems(document: &crate::cda::Document) -> Vec<(Vec<crate::cda::Id>, Element<'_>)> {
    let is_problem = |element: &Element<'_>| {
        element.is("observation")
            && element.stated("moodCode") == Some("EVN")
            && !super::entry::is_denied(*element)
            && super::entry::unsaid(*element).is_none()
            && super::is_only(*element, template::PROBLEM)
            && status::code(*element) != Some("nullified")
    };
    let mut out = Vec::new();
    for problem in document.root().subtree().filter(is_problem) {
        let Some(around) = problem.parent() else { continue };
        let act = around
            .parent()
            .filter(|act| act.is("act") && act.has_template(template::PROBLEM_CONCERN) && super::entry::unsaid(*act).is_none());
        if !around.is("entry") && act.is_none() {
            continue;
        }
        let mut ids = lower_case_ids(problem);
        ids.extend(act.into_iter().flat_map(lower_case_ids));
        out.push((ids, problem));
    }
    out
}

/// Problem (FR-Probleme, 1.2.250.1.213.1.1.3.37) -> Condition
///
/// code -> category;  value -> code;  effectiveTime low, high -> onset, abatement (C8-5)
/// 3.30 by code, else high -> resolved, else section 11450-4 active, 11348-0 resolved, else absent -> clinicalStatus (C8-6)
/// 3.171 by code -> verificationStatus;  negationInd=true -> refuted, no clinicalStatus (R4)
/// absent-unknown code -> clinicalStatus active, no verificationStatus, negation ignored (R3)
/// 3.29 -> severity;  3.31 -> stage.summary;  3.32 -> note;  author -> recorder, recordedDate
pub(super) fn problem(context: &mut Context<'_>, element: Element<'_>) -> Option<String> {
    let url = context.url(&element.path());
    let value = element.child("value");
    let time = element.child("effectiveTime");
    let onset =
        time.and_then(|time| date_time(context, time).or_else(|| time.child("low").and_then(|low| date_time(context, low))));
    let end = time.and_then(|time| time.child("high")).and_then(|high| date_time(context, high));
    let absent_code = value.is_some_and(is_absent_code);
    let denied = super::entry::is_denied(element) && !absent_code;
    let section = context.section_of(element).code;
    let clinical = clinical_status(element, section, end.is_some(), absent_code, denied);
    let verification = verification_status(element, absent_code, denied);
    // What is an error has no clinical status (con-5), and what is refuted is not active.
    let clinical = clinical.filter(|_| !matches!(verification, Some("entered-in-error" | "refuted")));
    let mut out = resource("Condition");
    set(&mut out, "identifier", Value::Array(identifiers(context, element)));
    set(&mut out, "clinicalStatus", clinical.map(|code| json!({"coding": [{"system": CLINICAL, "code": code}]})));
    set(&mut out, "verificationStatus", verification.map(|code| json!({"coding": [{"system": VERIFICATION, "code": code}]})));
    let category = element.child("code").and_then(|code| concept(context, code));
    set(&mut out, "category", category.map(|category| json!([category])));
    let severity = part(element, SEVERITY).and_then(|part| part.child("value")).and_then(|code| concept(context, code));
    set(&mut out, "severity", severity);
    let code = value.and_then(|value| concept(context, value));
    set(&mut out, "code", code);
    set(&mut out, "subject", Context::subject());
    set(&mut out, "onsetDateTime", onset.map(|time| json!(time)));
    let mut notes = comments(context, element, &url);
    if let Some(end) = end {
        if matches!(clinical, Some("inactive" | "resolved" | "remission")) {
            set(&mut out, "abatementDateTime", json!(end));
        } else {
            context.issue(IssueCode::AbatementUncertain, element);
            notes.push(json!({"text": format!("Fin : {end}")}));
        }
    }
    author(context, element, &mut out);
    let stage = part(element, CLINICAL_STAGE).and_then(|part| part.child("value")).and_then(|code| concept(context, code));
    set(&mut out, "stage", stage.map(|stage| json!([{"summary": stage}])));
    set(&mut out, "note", Value::Array(notes));
    if let Some(value) = value.filter(|_| !out.contains_key("code")) {
        super::observation::not_translated(context, value);
    }
    context.add(element.path(), out);
    for child in
        element.children().filter(|child| matches!(child.name(), "id" | "code" | "text" | "effectiveTime" | "value" | "author"))
    {
        if child.is("value") && context.claim_of(child).is_some() {
            continue;
        }
        context.claim_tree(child, &url);
    }
    if verification.is_none()
        && !absent_code
        && let Some(value) = part(element, CERTAINTY).and_then(|part| part.child("value"))
    {
        // A code that its value set does not have (C8-8).
        context.list(value, super::super::account::Reason::StatusNotMapped);
    }
    for template in [PROBLEM_STATUS, CERTAINTY, SEVERITY, CLINICAL_STAGE] {
        if let Some(part) = part(element, template) {
            context.claim_tree(part, &url);
        }
    }
    context.claim(element, &url);
    // Causes and consequences are observations of their own.
    super::entry::flags(context, element);
    super::list_rest(context, element);
    if value.is_some_and(|value| differs_from_text(context, value)) {
        context.tag(&url, "text-differs");
    }
    Some(url)
}

/// Whether the code says that there is none, or that nothing is known (R3).
pub(super) fn is_absent_code(value: Element<'_>) -> bool {
    let of_system = value.stated("codeSystem") == Some("2.16.840.1.113883.5.1150.1");
    value
        .stated("code")
        .is_some_and(|code| code.starts_with("no-") && (of_system || code.starts_with("no-known-") || code.ends_with("-info")))
}

fn clinical_status(
    element: Element<'_>,
    section: Option<&str>,
    ended: bool,
    absent_code: bool,
    denied: bool,
) -> Option<&'static str> {
    if absent_code {
        return Some("active");
    }
    if denied || status::code(element) == Some("nullified") {
        return None;
    }
    if let Some(code) = entry_code("condition-clinical", part_code(element, PROBLEM_STATUS)) {
        return Some(code);
    }
    if ended {
        return Some("resolved");
    }
    match section {
        Some("11450-4") => Some("active"),
        Some("11348-0") => Some("resolved"),
        Some(_) | None => None,
    }
}

fn verification_status(element: Element<'_>, absent_code: bool, denied: bool) -> Option<&'static str> {
    if status::code(element) == Some("nullified") {
        return Some("entered-in-error");
    }
    if absent_code {
        return None;
    }
    if denied {
        return Some("refuted");
    }
    entry_code("condition-verification", part_code(element, CERTAINTY))
}

fn author(context: &mut Context<'_>, element: Element<'_>, out: &mut crate::fhir::Resource) {
    let Some(author) = element.child("author") else { return };
    let time = author.child("time").and_then(|time| date_time(context, time));
    set(out, "recordedDate", time.map(|time| json!(time)));
    let who = participants::participant_in(context, author).filter(|who| who.kind != Kind::Device);
    set(out, "recorder", who.map(|who| reference(&who.url)));
}

/// The relations that only say where a fact is explained: internal references (3.36).
pub(super) fn reasons(element: Element<'_>) -> impl Iterator<Item = Element<'_>> {
    relations(element)
        .filter(|relation| relation.stated("typeCode") == Some("RSON"))
        .flat_map(Element::children)
        .filter(|child| child.has_template(template::INTERNAL_REFERENCE))
}
