//! FR-Effet-indesirable (3.210) -> AdverseEvent (C8-31).
use super::super::codes::{concept, differs_from_text, entry_code};
use super::super::context::{Context, reference, resource, set};
use super::super::datatypes::{When, identifiers, when};
use super::allergy::severity;
use super::entry::{self, is_denied, part, part_concept};
use super::observation::comments;
use super::{problem, treatment};
use crate::cda::{Element, template};
use crate::fhir::Resource;
use serde_json::{Value, json};

const OUTCOME: &str = "http://terminology.hl7.org/CodeSystem/adverse-event-outcome";
const SEVERITY: &str = "http://terminology.hl7.org/CodeSystem/adverse-event-severity";

/// Adverse event (FR-Effet-indesirable, 1.2.250.1.213.1.1.3.210) -> AdverseEvent
///
/// actuality `actual`;  code, else value -> event;  effectiveTime low -> date;  MFST 3.37 -> resultingCondition (a Condition)
/// 3.42 below -> a MedicationStatement, suspectEntity.instance;  3.211 value -> suspectEntity.causality.assessment
/// 3.212 -> severity;  3.213 -> outcome (1352007006 resolved; any other: listed);  author -> recorder
/// 3.32 -> the note of the Condition;  negationInd: an AdverseEvent cannot say it, listed
pub(super) fn adverse_event(context: &mut Context<'_>, element: Element<'_>) -> Vec<String> {
    let url = context.url(&element.path());
    if is_denied(element) {
        return super::status_not_mapped(context, element).into_iter().collect();
    }
    let mut out = resource("AdverseEvent");
    set(&mut out, "identifier", identifiers(context, element).into_iter().next());
    set(&mut out, "actuality", json!("actual"));
    let stated = |context: &mut Context<'_>, name: &str| {
        let concept = element.child(name).and_then(|code| concept(context, code));
        concept.filter(|concept| concept.get("extension").is_none())
    };
    let event = stated(context, "code").or_else(|| stated(context, "value"));
    set(&mut out, "event", event);
    set(&mut out, "subject", Context::subject());
    let date = match element.child("effectiveTime").and_then(|time| when(context, time)) {
        Some(When::DateTime(time) | When::Period(Some(time), _)) => Some(time),
        Some(When::Period(None, _)) | None => None,
    };
    set(&mut out, "date", date.map(|date| json!(date)));
    let author = entry::author(context, element);
    set(&mut out, "recordedDate", author.time.as_ref().map(|time| json!(time)));
    let (conditions, mut made) = conditions(context, element);
    set(&mut out, "resultingCondition", Value::Array(conditions.iter().map(|url| reference(url)).collect()));
    let severity = severity(context, element, template::ADVERSE_EVENT_SEVERITY);
    set(&mut out, "severity", severity.map(|code| json!({"coding": [{"system": SEVERITY, "code": code}]})));
    let outcome = part(element, template::ADVERSE_EVENT_OUTCOME).and_then(|part| part.child("value"));
    let code = entry_code("adverse-event-outcome", outcome.and_then(|value| value.stated("code")));
    set(&mut out, "outcome", code.map(|code| json!({"coding": [{"system": OUTCOME, "code": code}]})));
    if let Some(value) = outcome.filter(|_| code.is_none()) {
        context.list(value, super::super::account::Reason::ElementNotMapped);
    }
    set(&mut out, "recorder", author.person());
    let suspects = suspects(context, element, &mut made);
    set(&mut out, "suspectEntity", suspects);
    context.add(element.path(), out);
    entry::claim(context, element, &url, &["id", "code", "text", "effectiveTime", "value"]);
    let mut differs = false;
    for template in [template::CAUSALITY, template::ADVERSE_EVENT_SEVERITY, template::ADVERSE_EVENT_OUTCOME] {
        if let Some(part) = part(element, template) {
            differs |= part.child("value").is_some_and(|value| differs_from_text(context, value));
            context.claim_tree(part, &url);
        }
    }
    if differs {
        context.tag(&url, "text-differs");
    }
    notes(context, element, &url, conditions.first());
    super::list_rest(context, element);
    made.insert(0, url);
    made
}

/// observation 3.37 under MFST -> Condition
fn conditions(context: &mut Context<'_>, element: Element<'_>) -> (Vec<String>, Vec<String>) {
    let problems: Vec<Element<'_>> = entry::below(element)
        .filter(|(relation, child)| relation.stated("typeCode") == Some("MFST") && child.has_template(template::PROBLEM))
        .map(|(_, child)| child)
        .collect();
    let mut out = Vec::new();
    for problem in problems {
        match entry::refused(context, problem) {
            Some(reason) => context.list(problem, reason),
            None => out.extend(problem::problem(context, problem)),
        }
    }
    (out.clone(), out)
}

fn suspects(context: &mut Context<'_>, element: Element<'_>, made: &mut Vec<String>) -> Value {
    let treatments: Vec<Element<'_>> = entry::below(element)
        .map(|(_, child)| child)
        .filter(|child| child.is("substanceAdministration") && super::is_only(*child, template::TREATMENT))
        .collect();
    let assessment = part_concept(context, element, template::CAUSALITY);
    let mut out = Vec::new();
    for treatment in treatments {
        if let Some(reason) = entry::refused(context, treatment) {
            context.list(treatment, reason);
            continue;
        }
        let Some(statement) = treatment::statement(context, treatment) else { continue };
        super::list_rest(context, treatment);
        let mut suspect = Resource::new();
        set(&mut suspect, "instance", reference(&statement));
        set(&mut suspect, "causality", assessment.as_ref().map(|assessment| json!([{"assessment": assessment}])));
        out.push(Value::Object(suspect));
        made.push(statement);
    }
    Value::Array(out)
}

/// comment 3.32 -> the note of the first Condition; without one it has no place.
fn notes(context: &mut Context<'_>, element: Element<'_>, url: &str, condition: Option<&String>) {
    let Some(condition) = condition else { return };
    let notes = comments(context, element, url);
    let Some(entry) = context.entry_mut(condition) else { return };
    let known = entry.resource.entry("note").or_insert_with(|| json!([]));
    if let Some(known) = known.as_array_mut() {
        known.extend(notes);
    }
    if entry.resource.get("note") == Some(&json!([])) {
        entry.resource.remove("note");
    }
}
