//! FR-Allergie-ou-hypersensibilite (3.41, inside 3.40) -> AllergyIntolerance (C8-13 to 18).
use super::super::codes::{concept, entry_code};
use super::super::context::{Context, resource, set};
use super::super::datatypes::{When, identifiers, when};
use super::super::issue::IssueCode;
use super::entry::{self, is_denied, part, part_code};
use super::observation::comments;
use super::problem::is_absent_code;
use super::status;
use crate::cda::{Element, template};
use crate::fhir::Resource;
use serde_json::{Value, json};

const CLINICAL: &str = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical";
const VERIFICATION: &str = "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification";

/// Allergy (FR-Allergie-ou-hypersensibilite, 1.2.250.1.213.1.1.3.41) -> AllergyIntolerance
///
/// code -> type, category: by the code alone, others neither (issue)
/// participant CSM playingEntity/code, name -> code; none: value; both: value -> note;  absent-unknown code -> code (R3)
/// neither -> the kind is the code; and no 3.30 either: nothing is stated, listed
/// effectiveTime low -> onsetDateTime, low and high -> onsetPeriod
/// 3.30 by code -> clinicalStatus (none: active with an issue, ait-1);  3.171 -> verificationStatus;  3.172 -> criticality
/// negationInd=true -> refuted, inactive (R4);  nullified -> entered-in-error, no clinicalStatus (ait-2)
/// MFST 3.37 -> reaction: value -> manifestation, low -> onset, 3.29 -> severity;  3.32 -> note
pub(super) fn allergy(context: &mut Context<'_>, element: Element<'_>) -> Option<String> {
    let url = context.url(&element.path());
    let value = element.child("value");
    let kind = element.child("code");
    let absent_code = [value, kind].into_iter().flatten().find(|code| is_absent_code(*code));
    let is_named = absent_code.is_some() || names_substance(context, element);
    if !is_named && part(element, template::PROBLEM_STATUS).is_none() && !is_denied(element) {
        // "An allergy", to nothing and of no status: models write so where there is none. Active would be made up.
        context.list(element, super::super::account::Reason::NothingStated);
        return None;
    }
    let mut out = resource("AllergyIntolerance");
    set(&mut out, "identifier", Value::Array(identifiers(context, element)));
    statuses(context, element, absent_code.is_some(), &mut out);
    kinds(context, kind.filter(|kind| !is_absent_code(*kind)), &mut out);
    criticality(context, element, &url, &mut out);
    let mut notes = Vec::new();
    substance(context, element, absent_code, &mut out, &mut notes);
    if !out.contains_key("code") {
        let kind = kind.and_then(|kind| concept(context, kind));
        set(&mut out, "code", kind);
    }
    set(&mut out, "patient", Context::subject());
    match element.child("effectiveTime").and_then(|time| when(context, time)) {
        Some(When::DateTime(time) | When::Period(Some(time), None)) => set(&mut out, "onsetDateTime", json!(time)),
        Some(period @ When::Period(..)) => set(&mut out, "onsetPeriod", period.period()),
        None => {}
    }
    let author = entry::author(context, element);
    set(&mut out, "recordedDate", author.time.as_ref().map(|time| json!(time)));
    set(&mut out, "recorder", author.person());
    notes.extend(comments(context, element, &url));
    set(&mut out, "note", Value::Array(notes));
    set(&mut out, "reaction", reactions(context, element, &url));
    context.add(element.path(), out);
    entry::claim(context, element, &url, &["id", "code", "text", "effectiveTime", "value", "participant", "author", "informant"]);
    for template in [template::PROBLEM_STATUS, template::CERTAINTY] {
        if let Some(part) = part(element, template) {
            context.claim_tree(part, &url);
        }
    }
    super::list_rest(context, element);
    Some(url)
}

fn statuses(context: &mut Context<'_>, element: Element<'_>, absent_code: bool, out: &mut Resource) {
    let (clinical, verification) = if absent_code {
        (Some("active"), None)
    } else if status::code(element) == Some("nullified") {
        (None, Some("entered-in-error"))
    } else if is_denied(element) {
        (Some("inactive"), Some("refuted"))
    } else {
        let clinical = entry_code("allergy-clinical", part_code(element, template::PROBLEM_STATUS));
        if clinical.is_none() {
            context.issue(IssueCode::StatusFromSection, element);
        }
        let verification = entry_code("allergy-verification", part_code(element, template::CERTAINTY));
        if verification.is_none()
            && let Some(value) = part(element, template::CERTAINTY).and_then(|part| part.child("value"))
        {
            context.list(value, super::super::account::Reason::StatusNotMapped);
        }
        // An allergy that is an error has no clinical status (ait-2).
        (Some(clinical.unwrap_or("active")).filter(|_| verification != Some("entered-in-error")), verification)
    };
    set(out, "clinicalStatus", clinical.map(|code| json!({"coding": [{"system": CLINICAL, "code": code}]})));
    set(out, "verificationStatus", verification.map(|code| json!({"coding": [{"system": VERIFICATION, "code": code}]})));
}

/// SNOMED code of the kind -> type, category (C8-14); by code only, never by words.
fn kinds(context: &mut Context<'_>, kind: Option<Element<'_>>, out: &mut Resource) {
    let Some(kind) = kind else { return };
    let allergy_type = entry_code("allergy-type", kind.stated("code"));
    let category = entry_code("allergy-category", kind.stated("code"));
    if allergy_type.is_none() && kind.stated("code").is_some() {
        context.issue(IssueCode::ValueNotTranslated, kind);
        context.list(kind, super::super::account::Reason::ElementNotMapped);
    }
    set(out, "type", allergy_type.map(|code| json!(code)));
    set(out, "category", category.map(|code| json!([code])));
}

fn criticality(context: &mut Context<'_>, element: Element<'_>, url: &str, out: &mut Resource) {
    let Some(part) = part(element, template::CRITICALITY) else { return };
    let code = entry_code("criticality", part.child("value").and_then(|value| value.stated("code")));
    if code.is_none()
        && let Some(value) = part.child("value")
    {
        context.list(value, super::super::account::Reason::ElementNotMapped);
    }
    set(out, "criticality", code.map(|code| json!(code)));
    context.claim_tree(part, url);
}

/// Whether an agent or a value is named at all.
fn names_substance(context: &mut Context<'_>, element: Element<'_>) -> bool {
    let mut holders: Vec<Element<'_>> = element.children_named("value").collect();
    for participant in element.children_named("participant") {
        let entity = participant.at("participantRole/playingEntity");
        if entity.and_then(|entity| entity.child("name")).is_some_and(|name| !name.text().is_empty()) {
            return true;
        }
        holders.extend(entity.and_then(|entity| entity.child("code")));
    }
    holders.into_iter().any(|code| {
        let said = concept(context, code);
        said.is_some_and(|said| said.get("coding").is_some() || said.get("text").is_some())
    })
}

fn substance(
    context: &mut Context<'_>,
    element: Element<'_>,
    absent_code: Option<Element<'_>>,
    out: &mut Resource,
    notes: &mut Vec<Value>,
) {
    let entity = element
        .children_named("participant")
        .filter(|participant| participant.stated("typeCode") == Some("CSM"))
        .find_map(|participant| participant.at("participantRole/playingEntity"));
    let mut code = absent_code.or_else(|| entity.and_then(|entity| entity.child("code"))).and_then(|code| concept(context, code));
    let name = entity.and_then(|entity| entity.child("name")).map(Element::text).filter(|name| !name.is_empty());
    if let Some(name) = name
        && absent_code.is_none()
    {
        let members = code.get_or_insert_with(|| json!({}));
        if let Some(members) = members.as_object_mut().filter(|members| !members.contains_key("text")) {
            members.remove("extension");
            members.insert("text".into(), json!(name));
        }
    }
    let value = element.child("value").filter(|value| Some(*value) != absent_code);
    let value = value.and_then(|value| concept(context, value)).filter(|value| value.get("extension").is_none());
    match (code, value) {
        (Some(code), Some(value)) if code.get("extension").is_none() => {
            set(out, "code", code);
            let text =
                value.get("text").or_else(|| value.pointer("/coding/0/display")).or_else(|| value.pointer("/coding/0/code"));
            notes.extend(text.map(|text| json!({"text": text})));
        }
        (code, value) => set(out, "code", value.or(code)),
    }
}

/// observation 3.37 under MFST -> reaction; a denied or planned one is none (R1, R4): listed.
fn reactions(context: &mut Context<'_>, element: Element<'_>, url: &str) -> Value {
    let manifestations: Vec<Element<'_>> = entry::below(element)
        .filter(|(relation, child)| relation.stated("typeCode") == Some("MFST") && child.has_template(template::PROBLEM))
        .map(|(_, child)| child)
        .collect();
    let mut out = Vec::new();
    for manifestation in manifestations {
        if let Some(reason) = entry::refused(context, manifestation) {
            context.list(manifestation, reason);
            continue;
        }
        if is_denied(manifestation) {
            context.list(manifestation, super::super::account::Reason::ElementNotMapped);
            context.issue(IssueCode::ValueNotTranslated, manifestation);
            continue;
        }
        let value = manifestation.child("value").and_then(|value| concept(context, value));
        let mut one = Resource::new();
        set(&mut one, "manifestation", json!([value.unwrap_or_else(|| super::super::datatypes::absent("NI"))]));
        let onset = match manifestation.child("effectiveTime").and_then(|time| when(context, time)) {
            Some(When::DateTime(time) | When::Period(Some(time), _)) => Some(time),
            Some(When::Period(None, _)) | None => None,
        };
        set(&mut one, "onset", onset.map(|time| json!(time)));
        set(&mut one, "severity", severity(context, manifestation, template::SEVERITY).map(|code| json!(code)));
        set(&mut one, "note", Value::Array(comments(context, manifestation, url)));
        entry::claim(context, manifestation, url, &["id", "code", "text", "effectiveTime", "value"]);
        if let Some(part) = part(manifestation, template::SEVERITY) {
            context.claim_tree(part, url);
        }
        super::list_rest(context, manifestation);
        out.push(Value::Object(one));
    }
    Value::Array(out)
}

/// 3.29, 3.212 by code -> mild, moderate, severe; any other has no place (required binding): listed.
pub(super) fn severity(context: &mut Context<'_>, element: Element<'_>, template: &str) -> Option<&'static str> {
    let value = part(element, template)?.child("value")?;
    let severity = entry_code("severity", value.stated("code"));
    if severity.is_none() {
        context.list(value, super::super::account::Reason::ElementNotMapped);
    }
    severity
}
