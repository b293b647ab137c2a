//! FR-Antecedents-familiaux (3.59, with 3.51) -> FamilyMemberHistory (C8-29).
use super::super::account::Reason;
use super::super::codes::{concept, entry_code};
use super::super::context::{Context, resource, set};
use super::super::datatypes::{When, absent, human_names, identifiers, when};
use super::super::issue::IssueCode;
use super::entry::{self, is_denied};
use super::observation::comments;
use super::problem::is_absent_code;
use super::status;
use crate::cda::{Element, template};
use crate::fhir::Resource;
use serde_json::{Value, json};

/// Family history (FR-Antecedents-familiaux, 1.2.250.1.213.1.1.3.59, organizer) -> FamilyMemberHistory
///
/// statusCode -> status (C4; absent: listed);  relatedSubject/code -> relationship;  administrativeGenderCode M, F -> sex
/// subject/name -> name, birthTime -> bornDate;  observation 3.51 -> condition: value -> code, effectiveTime -> `onset[x]`
/// 3.32 -> condition.note;  a denied 3.51 -> a note, no condition (R4);  an absent-unknown code -> condition.code (R3)
pub(super) fn family_history(context: &mut Context<'_>, element: Element<'_>) -> Option<String> {
    let url = context.url(&element.path());
    let status = if is_denied(element) { None } else { status::family(status::code(element)) };
    let Some(status) = status else { return super::status_not_mapped(context, element) };
    let subject = element.child("subject");
    let related = subject.and_then(|subject| subject.child("relatedSubject"));
    let person = related.and_then(|related| related.child("subject"));
    let (conditions, notes) = conditions(context, element, &url);
    let mut out = resource("FamilyMemberHistory");
    set(&mut out, "identifier", Value::Array(identifiers(context, element)));
    set(&mut out, "status", json!(status));
    set(&mut out, "patient", Context::subject());
    let time = element.child("effectiveTime").and_then(|time| when(context, time));
    let date = match time {
        Some(When::DateTime(time) | When::Period(Some(time), _)) => Some(time),
        Some(When::Period(None, _)) | None => None,
    };
    set(&mut out, "date", date.map(|time| json!(time)));
    let name = person.and_then(|person| person.child("name")).map(human_names).unwrap_or_default();
    set(&mut out, "name", name.first().and_then(name_text).map(|name| json!(name)));
    let relationship = related.and_then(|related| related.child("code"));
    let relationship = relationship.and_then(|code| concept(context, code));
    set(&mut out, "relationship", relationship.unwrap_or_else(|| absent("NI")));
    sex(context, person, &mut out);
    let born = person.and_then(|person| person.child("birthTime"));
    let born = born.and_then(|born| super::super::datatypes::date_time(context, born));
    set(&mut out, "bornDate", born.map(|date| json!(date.get(..10).unwrap_or(&date))));
    let mut all = comments(context, element, &url);
    all.extend(notes);
    set(&mut out, "note", Value::Array(all));
    set(&mut out, "condition", Value::Array(conditions));
    entry::author(context, element);
    context.add(element.path(), out);
    entry::claim(context, element, &url, &["id", "code", "effectiveTime", "subject"]);
    super::list_rest(context, element);
    Some(url)
}

fn name_text(name: &Value) -> Option<String> {
    let mut parts: Vec<&str> =
        name.get("given").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    parts.extend(name.get("family").and_then(Value::as_str));
    let text = parts.join(" ");
    (!text.is_empty()).then_some(text).or_else(|| name.get("text").and_then(Value::as_str).map(str::to_owned))
}

/// administrativeGenderCode -> sex: M and F are codes of R4's administrative-gender; any other keeps its own coding.
fn sex(context: &mut Context<'_>, person: Option<Element<'_>>, out: &mut Resource) {
    let Some(code) = person.and_then(|person| person.child("administrativeGenderCode")) else { return };
    let gender = entry_code("gender", code.stated("code"));
    let system = "http://hl7.org/fhir/administrative-gender";
    let sex = match gender {
        Some(gender) => Some(json!({"coding": [{"system": system, "code": gender}]})),
        None => concept(context, code),
    };
    set(out, "sex", sex);
}

/// observation 3.51 -> condition, or a note where it is denied.
fn conditions(context: &mut Context<'_>, element: Element<'_>, url: &str) -> (Vec<Value>, Vec<Value>) {
    let (mut conditions, mut notes) = (Vec::new(), Vec::new());
    let observations: Vec<Element<'_>> =
        entry::below(element).map(|(_, child)| child).filter(|child| super::is_only(*child, template::FAMILY_PROBLEM)).collect();
    for observation in observations {
        // Its subject is the relative, whom the organizer names.
        let planned = (observation.stated("moodCode") != Some("EVN")).then_some(Reason::MoodNotTranslated);
        if let Some(reason) = planned.or_else(|| entry::unsaid(observation)) {
            context.list(observation, reason);
            continue;
        }
        let value = observation.child("value");
        let said = value.and_then(|value| concept(context, value));
        let absent_code = value.is_some_and(is_absent_code);
        if is_denied(observation) && !absent_code {
            let text = said.as_ref().and_then(|code| code.get("text").or_else(|| code.pointer("/coding/0/display"))?.as_str());
            notes.extend(text.map(|text| json!({"text": format!("Absence de : {text}")})));
            context.issue(IssueCode::DeniedAsNote, observation);
        } else {
            conditions.push(condition(context, observation, said, url));
        }
        entry::claim(context, observation, url, &["id", "code", "text", "effectiveTime", "value"]);
        entry::author(context, observation);
        super::list_rest(context, observation);
    }
    (conditions, notes)
}

fn condition(context: &mut Context<'_>, observation: Element<'_>, code: Option<Value>, url: &str) -> Value {
    let mut out = Resource::new();
    set(&mut out, "code", code.unwrap_or_else(|| absent("NI")));
    match observation.child("effectiveTime").and_then(|time| when(context, time)) {
        Some(When::DateTime(time) | When::Period(Some(time), None)) => set(&mut out, "onsetString", json!(time)),
        Some(period @ When::Period(..)) => set(&mut out, "onsetPeriod", period.period()),
        None => {}
    }
    set(&mut out, "note", Value::Array(comments(context, observation, url)));
    Value::Object(out)
}
