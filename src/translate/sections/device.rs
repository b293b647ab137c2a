//! FR-Dispositif-medical (3.20) that the patient has or was given -> Device, DeviceUseStatement (C8-32).
use super::super::codes::concept;
use super::super::context::{Context, reference, resource, set};
use super::super::datatypes::{When, identifiers, when};
use super::super::issue::IssueCode;
use super::super::timing::is_before_document;
use super::entry::{self, is_denied};
use super::observation::comments;
use super::{product, status};
use crate::cda::Element;

use serde_json::{Value, json};

/// The participant that is the device.
pub(super) fn device_participant(element: Element<'_>) -> Option<Element<'_>> {
    element.children_named("participant").find(|participant| {
        participant.stated("typeCode").is_none_or(|kind| matches!(kind, "DEV" | "PRD"))
            && participant.child("participantRole").is_some()
    })
}

/// Device (FR-Dispositif-medical, 1.2.250.1.213.1.1.3.20, supply EVN) -> Device and DeviceUseStatement
///
/// participant DEV id -> Device.identifier, udiCarrier;  playingDevice/code -> Device.type;  names -> deviceName
/// no participant but a product -> Device.type from the product
/// effectiveTime -> `timing[x]`;  status: none is stated, high before the document -> completed, else active
/// author -> source, recordedOn;  targetSiteCode -> bodySite;  RSON -> reason;  3.32 -> note;  negationInd: listed
pub(super) fn device_use(context: &mut Context<'_>, element: Element<'_>) -> Vec<String> {
    let url = context.url(&element.path());
    let time = element.child("effectiveTime").and_then(|time| when(context, time));
    let end = match &time {
        Some(When::Period(_, high)) => high.clone(),
        Some(When::DateTime(_)) | None => None,
    };
    let ended = end.is_some_and(|end| is_before_document(context, &end));
    // No status of a use says that it was denied.
    let status = if is_denied(element) { None } else { status::device_use(status::code(element), ended) };
    let Some(status) = status else {
        return super::status_not_mapped(context, element).into_iter().collect();
    };
    let device = device(context, element);
    let mut out = resource("DeviceUseStatement");
    set(&mut out, "identifier", Value::Array(identifiers(context, element)));
    set(&mut out, "status", json!(status));
    set(&mut out, "subject", Context::subject());
    if let Some(time) = &time {
        time.write(&mut out, "timing");
    }
    let author = entry::author(context, element);
    set(&mut out, "recordedOn", author.time.as_ref().map(|time| json!(time)));
    set(&mut out, "source", author.person());
    set(&mut out, "device", reference(&device));
    entry::reasons(context, element, &url, &mut out);
    let site = element.child("targetSiteCode").and_then(|code| concept(context, code));
    set(&mut out, "bodySite", site);
    set(&mut out, "note", Value::Array(comments(context, element, &url)));
    if let Some(quantity) =
        element.child("quantity").filter(|quantity| quantity.stated("value").is_some_and(|value| value != "1"))
    {
        context.issue(IssueCode::ValueNotTranslated, quantity);
    }
    for performer in element.children_named("performer").take(super::super::context::PARTICIPANTS) {
        let who = super::super::participants::participant_in(context, performer);
        context.agents.extend(who.map(|who| ("performer", who.url)));
    }
    context.add(element.path(), out);
    entry::claim(context, element, &url, &["id", "code", "text", "effectiveTime", "targetSiteCode"]);
    super::list_rest(context, element);
    vec![url, device]
}

fn device(context: &mut Context<'_>, element: Element<'_>) -> String {
    let participant = device_participant(element);
    let role = participant.and_then(|participant| participant.child("participantRole"));
    let mut out = resource("Device");
    let (identifiers, carriers) = super::super::participants::device_identifiers(role);
    set(&mut out, "identifier", Value::Array(identifiers));
    set(&mut out, "udiCarrier", Value::Array(carriers));
    let playing = role.and_then(|role| role.child("playingDevice").or_else(|| role.child("playingEntity")));
    let text = |name: &str| playing.and_then(|device| device.child(name)).map(Element::text).filter(|text| !text.is_empty());
    let names = [("softwareName", "user-friendly-name"), ("manufacturerModelName", "model-name"), ("name", "user-friendly-name")];
    let names = names.into_iter().filter_map(|(element, kind)| text(element).map(|name| json!({"name": name, "type": kind})));
    set(&mut out, "deviceName", Value::Array(names.collect()));
    let path = role.map_or_else(|| format!("{}#Device", element.path()), Element::path);
    let url = context.url(&path);
    let kind = match playing.and_then(|device| device.child("code")) {
        Some(code) => concept(context, code),
        None if role.is_none() => Some(product::product(context, element.child("product"), &url).concept),
        None => None,
    };
    set(&mut out, "type", kind);
    set(&mut out, "patient", Context::subject());
    context.add(path, out);
    if let Some(participant) = participant {
        context.claim_tree(participant, &url);
    }
    url
}
