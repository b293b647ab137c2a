//! FR-Acte (3.62) and FR-Transfert-du-patient (3.28) that were done -> Procedure (C8-12).
use super::super::codes::concept;
use super::super::context::{Context, reference, resource, set};
use super::super::datatypes::{absent, identifiers, when};
use super::entry::{self, is_denied};
use super::observation::comments;
use super::problem::is_absent_code;
use super::status;
use crate::cda::Element;
use serde_json::{Value, json};

const METHOD: &str = "http://hl7.org/fhir/StructureDefinition/procedure-method";

/// Act (FR-Acte, 1.2.250.1.213.1.1.3.62, EVN; FR-Transfert-du-patient, 3.28; imaging acts 3.153, 3.165) -> Procedure
///
/// id, code -> identifier, code;  statusCode -> status (C4);  negationInd=true -> not-done, but an absent-unknown code (R3)
/// effectiveTime -> `performed[x]`;  targetSiteCode, approachSiteCode -> bodySite;  methodCode -> extension procedure-method
/// RSON 3.36 -> reasonReference, reasonCode;  performer -> performer.actor;  author -> recorder;  3.32 -> note
/// participant LOC -> location;  RESP and other people -> performer, function = the code of the role  participant DST, RCV -> a Location that the extension `destination` names
pub(super) fn procedure(context: &mut Context<'_>, element: Element<'_>) -> Option<String> {
    let url = context.url(&element.path());
    let code = element.child("code");
    let denied = is_denied(element) && !code.is_some_and(is_absent_code);
    let status = if denied { Some("not-done") } else { status::procedure(status::code(element)) };
    let Some(status) = status else { return super::status_not_mapped(context, element) };
    let mut out = resource("Procedure");
    let mut extensions = Vec::new();
    for method in element.children_named("methodCode") {
        extensions.extend(concept(context, method).map(|method| json!({"url": METHOD, "valueCodeableConcept": method})));
    }
    let destination = format!("{}/StructureDefinition/destination", crate::fhir::CANONICAL);
    let (mut location, mut others) = (None, Vec::new());
    for participant in element.children_named("participant") {
        match participant.stated("typeCode") {
            Some("LOC") if location.is_none() => location = entry::place(context, participant),
            Some("DST" | "RCV" | "ORG") => {
                let place = entry::place(context, participant);
                extensions.extend(place.map(|url| json!({"url": destination, "valueReference": reference(&url)})));
            }
            Some(_) | None => {
                let function = participant.at("participantRole/code").and_then(|code| concept(context, code));
                let Some(who) = super::super::participants::participant_in(context, participant) else { continue };
                let mut performer = crate::fhir::Resource::new();
                set(&mut performer, "function", function);
                set(&mut performer, "actor", who.reference());
                others.push(Value::Object(performer));
            }
        }
    }
    set(&mut out, "extension", Value::Array(extensions));
    set(&mut out, "identifier", Value::Array(identifiers(context, element)));
    set(&mut out, "status", json!(status));
    set(&mut out, "code", code.and_then(|code| concept(context, code)).unwrap_or_else(|| absent("NI")));
    set(&mut out, "subject", Context::subject());
    if let Some(time) = element.child("effectiveTime").and_then(|time| when(context, time)) {
        time.write(&mut out, "performed");
    }
    let author = entry::author(context, element);
    set(&mut out, "recorder", author.person());
    let mut performers = entry::actors(context, element);
    if let Some(performers) = performers.as_array_mut() {
        performers.extend(others);
    }
    set(&mut out, "performer", performers);
    set(&mut out, "location", location.as_deref().map(reference));
    entry::reasons(context, element, &url, &mut out);
    let mut sites = Vec::new();
    for site in element.children().filter(|child| child.is("targetSiteCode") || child.is("approachSiteCode")) {
        sites.extend(concept(context, site));
    }
    set(&mut out, "bodySite", Value::Array(sites));
    set(&mut out, "note", Value::Array(comments(context, element, &url)));
    context.add(element.path(), out);
    let read = ["id", "code", "text", "effectiveTime", "targetSiteCode", "approachSiteCode", "methodCode"];
    entry::claim(context, element, &url, &read);
    super::list_rest(context, element);
    Some(url)
}
