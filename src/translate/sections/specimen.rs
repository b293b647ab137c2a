//! Specimens: FR-Prelevement (3.77) with its reception (3.107), and the isolate of FR-Isolat-microbiologique (3.79).
use super::super::codes::concept;
use super::super::context::{Context, PARTICIPANTS, reference, resource, set};
use super::super::datatypes::{date_time, identifiers, when_done};
use super::super::header::Header;
use super::super::participants::{self, Kind};
use crate::cda::{Element, template};
use serde_json::{Value, json};

/// Whether the procedure takes a specimen.
pub(super) fn is_collection(procedure: Element<'_>) -> bool {
    super::has_any(procedure, &[template::SPECIMEN, "1.3.6.1.4.1.19376.1.3.1.2"])
}

/// Collection (FR-Prelevement, 1.2.250.1.213.1.1.3.77) -> Specimen (C7-18)
///
/// participant PRD participantRole/id, playingEntity/code -> identifier (R9), type
/// code -> collection.method;  targetSiteCode -> collection.bodySite
/// effectiveTime -> `collection.collected[x]`; `high` alone is the time
/// performer, else the header's PRF with function PRELV -> collection.collector
/// act 3.107 effectiveTime -> receivedTime
/// `header`: of the report that the specimen was taken for; none for one of a previous result
pub(super) fn collection(context: &mut Context<'_>, header: Option<&Header>, procedure: Element<'_>) -> String {
    let path = procedure.path();
    let url = context.url(&path);
    let role = procedure
        .children_named("participant")
        .find(|participant| participant.stated("typeCode") == Some("PRD"))
        .and_then(|participant| participant.child("participantRole"));
    let mut out = resource("Specimen");
    let mut ids = role.map(|role| identifiers(context, role)).unwrap_or_default();
    ids.extend(identifiers(context, procedure));
    set(&mut out, "identifier", Value::Array(ids));
    let kind = role.and_then(|role| role.at("playingEntity/code")).and_then(|code| concept(context, code));
    set(&mut out, "type", kind);
    set(&mut out, "subject", Context::subject());
    let received = relations(procedure)
        .filter_map(|relation| relation.child("act"))
        .find(|act| super::has_any(*act, &[template::SPECIMEN_RECEIVED, "1.3.6.1.4.1.19376.1.3.1.3"]));
    let time = received
        .and_then(|act| act.child("effectiveTime"))
        .and_then(|time| date_time(context, time).or_else(|| time.child("high").and_then(|high| date_time(context, high))));
    set(&mut out, "receivedTime", time.map(|time| json!(time)));
    set(&mut out, "request", header.map(|header| super::super::context::references(&header.orders)));
    let collector = procedure.child("performer").and_then(|performer| participants::participant_in(context, performer));
    let collector = collector.or_else(|| header?.sampler.clone()).filter(|who| who.kind == Kind::Professional);
    let mut taken = crate::fhir::Resource::new();
    set(&mut taken, "collector", collector.map(|who| who.reference()));
    if let Some(time) = procedure.child("effectiveTime").and_then(|time| when_done(context, time)) {
        time.write(&mut taken, "collected");
    }
    let method = procedure.child("code").and_then(|code| concept(context, code));
    set(&mut taken, "method", method);
    let site = procedure.child("targetSiteCode").and_then(|code| concept(context, code));
    set(&mut taken, "bodySite", site);
    if !taken.is_empty() {
        set(&mut out, "collection", Value::Object(taken));
    }
    let notes = super::observation::comments(context, procedure, &url);
    set(&mut out, "note", Value::Array(notes));
    context.add(path, out);
    context.claim_tree(procedure, &url);
    url
}

/// organizer CLUSTER specimen/specimenRole -> Specimen of the isolate (C7-5)
///
/// specimenPlayingEntity/code -> type (the organism);  specimenRole/id -> identifier;  parent = the 3.77 specimen
pub(super) fn isolate(context: &mut Context<'_>, specimen: Element<'_>, parent: Option<&str>) -> Option<(String, Option<Value>)> {
    let role = specimen.child("specimenRole")?;
    let organism = role.at("specimenPlayingEntity/code").and_then(|code| concept(context, code));
    let mut out = resource("Specimen");
    set(&mut out, "identifier", Value::Array(identifiers(context, role)));
    set(&mut out, "type", organism.clone());
    set(&mut out, "subject", Context::subject());
    set(&mut out, "parent", parent.map(|parent| json!([reference(parent)])));
    let url = context.add(specimen.path(), out);
    context.claim_tree(specimen, &url);
    Some((url, organism))
}

/// participant CSM of class ADTV -> Specimen.container.additiveCodeableConcept (C7-20b)
pub(super) fn additive(context: &mut Context<'_>, participant: Element<'_>, specimen: &str) {
    let role = participant.child("participantRole");
    let code = role.and_then(|role| role.at("playingDevice/code").or_else(|| role.at("playingEntity/code")));
    let Some(additive) = code.and_then(|code| concept(context, code)) else { return };
    if let Some(entry) = context.entry_mut(specimen) {
        let containers = entry.resource.entry("container").or_insert_with(|| json!([]));
        let container = json!({"additiveCodeableConcept": additive});
        if let Some(containers) = containers.as_array_mut()
            && containers.len() < PARTICIPANTS
            && !containers.contains(&container)
        {
            containers.push(container);
        }
    }
    context.claim_tree(participant, specimen);
}

/// entryRelationship and component children.
pub(super) fn relations(element: Element<'_>) -> impl Iterator<Item = Element<'_>> {
    element.children().filter(|child| child.is("entryRelationship") || child.is("component"))
}
