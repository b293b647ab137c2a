//! FR-Vaccination (3.45) -> Immunization (C9).
use super::super::account::Reason;
use super::super::codes::concept;
use super::super::context::{Context, reference, resource, set};
use super::super::datatypes::{absent, date_time, identifiers, pq};
use super::super::participants::{self, Kind};
use super::observation::{Parts, comments, observation};
use super::problem::reasons;
use super::specimen::relations;
use super::status;
use crate::cda::{Element, template};
use crate::fhir::Resource;
use serde_json::{Value, json};

/// Immunization (FR-Vaccination, 1.2.250.1.213.1.1.3.45) -> Immunization
///
/// @negationInd=true -> status `not-done` (statusReason from 3.36);  else statusCode by C4, none fits: listed
/// consumable .../manufacturedMaterial/code, translation, name, lotNumberText -> vaccineCode, lotNumber
/// effectiveTime -> `occurrence[x]` (absent: data-absent-reason);  routeCode, approachSiteCode, doseQuantity -> the same
/// code INITIMMUNIZ, BOOSTER... -> protocolApplied.series;  3.82 rank -> `protocolApplied.doseNumber[x]`
/// CAUS 3.37 -> an Observation, reaction.detail;  3.32 -> note;  performer -> performer (AP);  author/time -> recorded
/// REFR supply 3.44 EVN -> a MedicationDispense of the vaccine;  author, informant -> agents of the Provenance
pub(super) fn immunization(context: &mut Context<'_>, element: Element<'_>) -> Vec<String> {
    let url = context.url(&element.path());
    let material = element.at("consumable/manufacturedProduct/manufacturedMaterial");
    let absent_code = material.and_then(|material| material.child("code")).is_some_and(super::problem::is_absent_code)
        || says_none_known(element).is_some();
    let denied = super::entry::is_denied(element) && !absent_code;
    let status = if denied { Some("not-done") } else { status::immunization(status::code(element)) };
    let Some(status) = status else {
        return super::status_not_mapped(context, element).into_iter().collect();
    };
    let mut out = resource("Immunization");
    set(&mut out, "identifier", Value::Array(identifiers(context, element)));
    set(&mut out, "status", json!(status));
    let reason = reasons(element).find_map(|reason| reason.child("code"));
    if denied {
        let reason = reason.and_then(|code| concept(context, code));
        set(&mut out, "statusReason", reason);
    }
    vaccine(context, element, &mut out);
    set(&mut out, "patient", Context::subject());
    let time = element.child("effectiveTime");
    let when =
        time.and_then(|time| date_time(context, time).or_else(|| time.child("low").and_then(|low| date_time(context, low))));
    match when {
        Some(when) => set(&mut out, "occurrenceDateTime", json!(when)),
        None => set(&mut out, "_occurrenceString", absent(time.and_then(|time| time.stated("nullFlavor")).unwrap_or("NI"))),
    }
    let author = element.child("author");
    let recorded = author.and_then(|author| author.child("time")).and_then(|time| date_time(context, time));
    set(&mut out, "recorded", recorded.map(|time| json!(time)));
    for (cda, fhir) in [("approachSiteCode", "site"), ("routeCode", "route")] {
        let code = element.child(cda).and_then(|code| concept(context, code));
        set(&mut out, fhir, code);
    }
    let dose = element.child("doseQuantity").and_then(|dose| pq(context, dose, None));
    set(&mut out, "doseQuantity", dose);
    performers(context, element, &mut out);
    set(&mut out, "note", Value::Array(comments(context, element, &url)));
    if !denied {
        let reason = reason.and_then(|code| concept(context, code));
        set(&mut out, "reasonCode", reason.map(|reason| json!([reason])));
    }
    reactions(context, element, &mut out);
    protocol(element, &mut out);
    for (name, kind) in [("author", "author"), ("informant", "informant")] {
        for person in element.children_named(name) {
            let who = participants::participant_in(context, person);
            context.agents.extend(who.map(|who| (kind, who.url)));
        }
    }
    context.add(element.path(), out);
    let mut made = super::dispensation::deliveries(context, element);
    claim(context, element, &url);
    made.insert(0, url);
    made
}

/// Everything that the function reads; other templates below stay for the account.
fn claim(context: &mut Context<'_>, element: Element<'_>, url: &str) {
    context.claim(element, url);
    for child in element.children() {
        let read = matches!(
            child.name(),
            "id" | "code"
                | "text"
                | "effectiveTime"
                | "routeCode"
                | "approachSiteCode"
                | "doseQuantity"
                | "consumable"
                | "author"
                | "informant"
                | "performer"
        );
        if read {
            context.claim_tree(child, url);
        }
    }
    for relation in relations(element) {
        for child in relation.children() {
            if child.has_template(template::IMMUNIZATION_RANK) || child.has_template(template::INTERNAL_REFERENCE) {
                context.claim_tree(child, url);
            }
        }
    }
    super::list_rest(context, element);
}

/// The code of an act that names no vaccine and says that none, or nothing, is known (R3).
fn says_none_known(element: Element<'_>) -> Option<Element<'_>> {
    let material = element.at("consumable/manufacturedProduct/manufacturedMaterial");
    let code = material.and_then(|material| material.child("code"));
    let named = code.is_some_and(|code| code.stated("code").is_some() || code.children().next().is_some())
        || material.and_then(|material| material.child("name")).is_some_and(|name| !name.text().is_empty());
    element.child("code").filter(|code| !named && super::problem::is_absent_code(*code))
}

fn vaccine(context: &mut Context<'_>, element: Element<'_>, out: &mut Resource) {
    let material = element.at("consumable/manufacturedProduct/manufacturedMaterial");
    let mut code = material.and_then(|material| material.child("code")).and_then(|code| concept(context, code));
    let name = material.and_then(|material| material.child("name")).map(Element::text).filter(|name| !name.is_empty());
    if let Some(name) = name {
        let concept = code.get_or_insert_with(|| json!({}));
        if let Some(concept) = concept.as_object_mut() {
            concept.remove("extension");
            concept.insert("text".into(), json!(name));
        }
    }
    if let Some(stated) = says_none_known(element) {
        code = concept(context, stated).or(code);
    }
    set(out, "vaccineCode", code.unwrap_or_else(|| absent("NI")));
    let lot = material.and_then(|material| material.child("lotNumberText")).map(Element::text).filter(|lot| !lot.is_empty());
    set(out, "lotNumber", lot.map(|lot| json!(lot)));
}

fn performers(context: &mut Context<'_>, element: Element<'_>, out: &mut Resource) {
    let mut performers = Vec::new();
    for performer in element.children_named("performer") {
        let who = participants::participant_in(context, performer).filter(|who| who.kind == Kind::Professional);
        let function = json!({"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0443", "code": "AP"}]});
        performers.extend(who.map(|who| json!({"function": function, "actor": who.reference()})));
    }
    set(out, "performer", Value::Array(performers));
}

/// entryRelationship CAUS observation 3.37 -> Observation and reaction (C9-9)
fn reactions(context: &mut Context<'_>, element: Element<'_>, out: &mut Resource) {
    let mut reactions = Vec::new();
    let caused = relations(element).filter(|relation| relation.stated("typeCode") == Some("CAUS"));
    for reaction in caused.filter_map(|relation| relation.child("observation")) {
        let other = (!reaction.has_template(template::PROBLEM)).then_some(Reason::KindNotTranslatedYet);
        let denied = super::entry::is_denied(reaction).then_some(Reason::StatusNotMapped);
        if let Some(reason) = other.or_else(|| super::entry::refused(context, reaction)).or(denied) {
            context.list(reaction, reason);
            continue;
        }
        let code = reaction.child("code").and_then(|code| concept(context, code));
        let effective = reaction.child("effectiveTime").and_then(|time| super::super::datatypes::when(context, time));
        let reaction_url = context.url(&reaction.path());
        let notes = comments(context, reaction, &reaction_url);
        let start = effective.as_ref().and_then(|when| match when {
            super::super::datatypes::When::DateTime(time) => Some(time.clone()),
            super::super::datatypes::When::Period(low, _) => low.clone(),
        });
        let parts = Parts { code, effective, notes, ..Parts::default() };
        let Some(detail) = observation(context, reaction, parts) else { continue };
        let mut one = Resource::new();
        set(&mut one, "date", start.map(|time| json!(time)));
        set(&mut one, "detail", reference(&detail));
        reactions.push(Value::Object(one));
    }
    set(out, "reaction", Value::Array(reactions));
}

/// code -> series, 3.82 -> dose number: `protocolApplied` needs one, absent without a rank.
fn protocol(element: Element<'_>, out: &mut Resource) {
    let rank = relations(element)
        .flat_map(Element::children)
        .find(|child| child.has_template(template::IMMUNIZATION_RANK))
        .and_then(|rank| rank.child("value"))
        .and_then(|value| value.stated("value"))
        .and_then(|value| value.parse::<u32>().ok())
        .filter(|rank| *rank >= 1);
    let code = element.child("code");
    let series = code.and_then(|code| code.stated("displayName").or_else(|| code.stated("code")));
    if code.is_some_and(super::problem::is_absent_code) || (rank.is_none() && series.is_none()) {
        return;
    }
    let mut protocol = Resource::new();
    set(&mut protocol, "series", series.map(|series| json!(series)));
    match rank {
        Some(rank) => set(&mut protocol, "doseNumberPositiveInt", json!(rank)),
        None => set(&mut protocol, "_doseNumberString", absent("UNK")),
    }
    set(out, "protocolApplied", json!([protocol]));
}
