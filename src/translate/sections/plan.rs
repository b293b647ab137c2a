//! What is planned (R1): FR-Demande-d-examen-ou-de-suivi (3.27) and FR-Acte (3.62) -> ServiceRequest or Goal (C8-37).
use super::super::codes::{concept, entry_code};
use super::super::context::{Context, resource, set};
use super::super::datatypes::{When, absent, date_time, identifiers, pq, when};
use super::super::header::Header;
use super::super::participants::{Kind, Participant};
use super::entry::{self, is_denied};
use super::observation::comments;
use super::status;
use crate::cda::Element;
use crate::fhir::Resource;
use serde_json::{Value, json};

const READ: [&str; 8] = ["id", "code", "text", "effectiveTime", "value", "targetSiteCode", "author", "informant"];

/// Planned examination or act (3.27 INT, RQO; 3.62 INT, RQO; EVN active in the care plan) -> ServiceRequest
///
/// intent `plan`;  statusCode -> status (C4);  code -> code;  effectiveTime -> `occurrence[x]`;  targetSiteCode -> bodySite
/// priorityCode R, UR, A, S -> priority routine, urgent, asap, stat; any other: listed
/// value of text -> note, coded -> orderDetail;  RSON -> reason;  author, else the document's -> requester;  performer
/// negationInd=true -> doNotPerform
pub(super) fn service_request(context: &mut Context<'_>, header: &Header, element: Element<'_>) -> Option<String> {
    let url = context.url(&element.path());
    let Some(status) = status::service_request(status::code(element)) else { return super::status_not_mapped(context, element) };
    let mut out = resource("ServiceRequest");
    set(&mut out, "identifier", Value::Array(identifiers(context, element)));
    set(&mut out, "status", json!(status));
    set(&mut out, "intent", json!("plan"));
    let priority = priority(context, element, &url);
    set(&mut out, "priority", priority.map(|code| json!(code)));
    set(&mut out, "doNotPerform", is_denied(element).then_some(json!(true)));
    let code = element.child("code").and_then(|code| concept(context, code));
    set(&mut out, "code", code.unwrap_or_else(|| absent("NI")));
    let mut notes = comments(context, element, &url);
    detail(context, element, &mut out, &mut notes);
    set(&mut out, "subject", Context::subject());
    if let Some(time) = element.child("effectiveTime").and_then(|time| when(context, time)) {
        time.write(&mut out, "occurrence");
    }
    let author = entry::author(context, element);
    set(&mut out, "authoredOn", author.time.as_ref().map(|time| json!(time)));
    let of_document = || header.authors.iter().find(|who| who.kind != Kind::Device).map(Participant::reference);
    set(&mut out, "requester", author.person().or_else(of_document));
    let performers = entry::performers(context, element);
    set(&mut out, "performer", Value::Array(performers.iter().map(Participant::reference).collect()));
    entry::reasons(context, element, &url, &mut out);
    let site = element.child("targetSiteCode").and_then(|code| concept(context, code));
    set(&mut out, "bodySite", site.map(|site| json!([site])));
    set(&mut out, "note", Value::Array(notes));
    context.add(element.path(), out);
    entry::claim(context, element, &url, &READ);
    super::list_rest(context, element);
    Some(url)
}

/// A text value says what is asked in words; a coded one is a detail of the order.
fn detail(context: &mut Context<'_>, element: Element<'_>, out: &mut Resource, notes: &mut Vec<Value>) {
    let Some(value) = element.child("value") else { return };
    match value.xsi_type() {
        Some("ST" | "ED") => {
            let text = entry::stated_text(context, value);
            notes.extend(text.map(|text| json!({"text": text})));
        }
        Some("CD" | "CE" | "CV" | "CO" | "CS") => {
            let concept = concept(context, value).filter(|concept| concept.get("extension").is_none());
            set(out, "orderDetail", concept.map(|concept| json!([concept])));
        }
        Some(_) | None => super::observation::not_translated(context, value),
    }
}

/// priorityCode -> request-priority; the codes without a place there are listed.
fn priority(context: &mut Context<'_>, element: Element<'_>, url: &str) -> Option<&'static str> {
    let code = element.child("priorityCode")?;
    let Some(priority) = entry_code("request-priority", code.stated("code")) else {
        let reason = if code.stated("code").is_none() {
            super::super::account::Reason::NotApplicable
        } else {
            super::super::account::Reason::ElementNotMapped
        };
        context.list(code, reason);
        return None;
    };
    context.claim_tree(code, url);
    Some(priority)
}

/// Goal (FR-Demande-d-examen-ou-de-suivi, 1.2.250.1.213.1.1.3.27, GOL) -> Goal
///
/// code -> description, target.measure;  value -> `target.detail[x]` (wants a measure, gol-1);  effectiveTime -> target.dueDate
/// statusCode -> lifecycleStatus (C4; absent: listed);  author -> expressedBy;  3.32 -> note;  negationInd: listed
pub(super) fn goal(context: &mut Context<'_>, element: Element<'_>) -> Option<String> {
    let url = context.url(&element.path());
    let status = if is_denied(element) { None } else { status::goal(status::code(element)) };
    let Some(status) = status else { return super::status_not_mapped(context, element) };
    let mut out = resource("Goal");
    set(&mut out, "identifier", Value::Array(identifiers(context, element)));
    set(&mut out, "lifecycleStatus", json!(status));
    let code = element.child("code").and_then(|code| concept(context, code));
    set(&mut out, "description", code.clone().unwrap_or_else(|| absent("NI")));
    set(&mut out, "subject", Context::subject());
    let mut target = Resource::new();
    let measured = code.is_some();
    set(&mut target, "measure", code);
    if let Some(value) = element.child("value") {
        match goal_detail(context, value) {
            Some((name, detail)) if measured => set(&mut target, name, detail),
            Some(_) | None => super::observation::not_translated(context, value),
        }
    }
    let due = match element.child("effectiveTime").and_then(|time| when(context, time)) {
        Some(When::DateTime(time) | When::Period(_, Some(time))) => time.get(..time.len().min(10)).map(str::to_owned),
        Some(When::Period(_, None)) | None => None,
    };
    set(&mut target, "dueDate", due.map(|date| json!(date)));
    if target.len() > usize::from(target.contains_key("measure")) {
        set(&mut out, "target", json!([target]));
    }
    let author = entry::author(context, element);
    set(&mut out, "expressedBy", author.person());
    set(&mut out, "note", Value::Array(comments(context, element, &url)));
    context.add(element.path(), out);
    entry::claim(context, element, &url, &READ);
    super::list_rest(context, element);
    Some(url)
}

fn goal_detail(context: &mut Context<'_>, value: Element<'_>) -> Option<(&'static str, Value)> {
    match value.xsi_type()? {
        "PQ" | "REAL" | "INT" => pq(context, value, None).map(|quantity| ("detailQuantity", quantity)),
        "IVL_PQ" => match super::dosage::amount(context, value)? {
            super::dosage::Amount::Quantity(quantity) => Some(("detailQuantity", quantity)),
            super::dosage::Amount::Range(range) => Some(("detailRange", range)),
        },
        "CD" | "CE" | "CV" | "CO" | "CS" => concept(context, value).map(|concept| ("detailCodeableConcept", concept)),
        "ST" | "ED" => entry::stated_text(context, value).map(|text| ("detailString", json!(text))),
        "TS" => date_time(context, value).map(|time| ("detailString", json!(time))),
        "BL" => match value.stated("value") {
            Some("true") => Some(("detailBoolean", json!(true))),
            Some("false") => Some(("detailBoolean", json!(false))),
            Some(_) | None => None,
        },
        _other => None,
    }
}
