//! FR-Traitement-dispense (3.204) and the delivery of a treatment (3.44) -> MedicationDispense (C10).
use super::super::codes::concept;
use super::super::context::{Context, reference, resource, set};
use super::super::datatypes::{When, identifier, identifiers, pq, when};
use super::super::participants;
use super::dosage::{self, Whole, dosages};
use super::entry::{self, is_denied};
use super::observation::comments;
use super::product::product;
use super::status;
use super::treatment::{instruction, medication};
use crate::cda::{Element, template};
use crate::fhir::Resource;
use serde_json::{Value, json};

const READ: [&str; 8] = ["id", "code", "text", "effectiveTime", "quantity", "author", "informant", "performer"];

/// The instruction of a dispenser, 3.207, and of a fulfilment, 3.34 -> a note.
pub(super) fn notes(context: &mut Context<'_>, element: Element<'_>, url: &str) -> Vec<Value> {
    let acts: Vec<Element<'_>> = entry::below(element)
        .map(|(_, child)| child)
        .filter(|act| super::has_any(*act, &[template::FULFILLMENT_INSTRUCTION, template::DISPENSER_NOTE]))
        .collect();
    let mut out = Vec::new();
    for act in acts {
        context.claim_tree(act, url);
        out.extend(entry::text(context, act).map(|text| json!({"text": text})));
    }
    out.extend(comments(context, element, url));
    out
}

/// low of the first service event with a time (C10): when a dispensation was, that has no time of its own.
fn service_time(context: &mut Context<'_>) -> Option<String> {
    let events = context.document.root().children_named("documentationOf");
    let time = events.filter_map(|event| event.at("serviceEvent/effectiveTime")).next()?;
    moment(context, time)
}

fn moment(context: &mut Context<'_>, time: Element<'_>) -> Option<String> {
    match when(context, time)? {
        When::DateTime(time) => Some(time),
        When::Period(low, high) => low.or(high),
    }
}

/// Dispensed treatment (FR-Traitement-dispense, 1.2.250.1.213.1.1.3.204, supply EVN) -> MedicationDispense
///
/// id, quantity -> identifier, quantity;  product -> medicationCodeableConcept (C8-25);  statusCode by C4, none -> unknown
/// effectiveTime, else low of the first service event -> whenHandedOver;  performer -> performer.actor
/// 3.90 id -> authorizingPrescription.identifier;  3.42 below -> dosageInstruction;  3.33 -> its patientInstruction
/// 3.207 -> note;  3.206 code -> substitution.type, wasSubstituted
pub(super) fn dispensation(context: &mut Context<'_>, element: Element<'_>) -> Option<String> {
    let url = context.url(&element.path());
    // No status of a dispense says that it was denied.
    if is_denied(element) {
        return super::status_not_mapped(context, element);
    }
    let Some(status) = status::event(status::code(element)) else { return super::status_not_mapped(context, element) };
    let product = product(context, element.child("product"), &url);
    let mut out = resource("MedicationDispense");
    set(&mut out, "identifier", Value::Array(identifiers(context, element)));
    set(&mut out, "status", json!(status));
    set(&mut out, "medicationCodeableConcept", product.concept);
    set(&mut out, "subject", Context::subject());
    let mut supporting: Vec<Value> = product.medication.iter().map(|url| reference(url)).collect();
    supporting.extend(entry::flags(context, element));
    set(&mut out, "supportingInformation", Value::Array(supporting));
    set(&mut out, "performer", entry::actors(context, element));
    entry::author(context, element);
    set(&mut out, "authorizingPrescription", prescriptions(context, element, &url));
    let quantity = element.child("quantity").and_then(|quantity| pq(context, quantity, None));
    set(&mut out, "quantity", quantity);
    let time = element.child("effectiveTime").and_then(|time| moment(context, time)).or_else(|| service_time(context));
    set(&mut out, "whenHandedOver", time.map(|time| json!(time)));
    set(&mut out, "note", Value::Array(notes(context, element, &url)));
    let posology = posology(context, element, &url);
    set(&mut out, "dosageInstruction", posology);
    set(&mut out, "substitution", substitution(context, element, &url));
    context.add(element.path(), out);
    entry::claim(context, element, &url, &READ);
    super::list_rest(context, element);
    Some(url)
}

/// substanceAdministration 3.90 (a prescription line) id -> identifier; the line is another document's.
fn prescriptions(context: &mut Context<'_>, element: Element<'_>, url: &str) -> Value {
    let lines: Vec<Element<'_>> =
        entry::below(element).map(|(_, child)| child).filter(|line| line.has_template(template::PRESCRIPTION_LINE)).collect();
    let mut out = Vec::new();
    for line in lines {
        entry::claim(context, line, url, &["id", "code", "reference", "consumable"]);
        entry::author(context, line);
        let id = line.ids().first().and_then(identifier);
        out.extend(id.map(|id| json!({"identifier": id})));
    }
    Value::Array(out)
}

/// substanceAdministration 3.42 below a dispense, a part of it whatever its mood (R2) -> dosageInstruction
fn posology(context: &mut Context<'_>, element: Element<'_>, url: &str) -> Value {
    let patient_instruction = instruction(context, element, url);
    let posologies: Vec<Element<'_>> = entry::below(element)
        .map(|(_, child)| child)
        .filter(|child| child.is("substanceAdministration") && super::is_only(*child, template::TREATMENT))
        .collect();
    let mut out = Vec::new();
    for posology in posologies {
        let whole = Whole { patient_instruction: patient_instruction.clone(), bounded: true };
        out.extend(dosages(context, posology, url, &whole).0);
        entry::claim(context, posology, url, &dosage::READ);
        if let Some(consumable) = posology.child("consumable") {
            // The product is the dispense's own.
            context.list(consumable, super::super::account::Reason::NotApplicable);
        }
    }
    if out.is_empty()
        && let Some(instruction) = patient_instruction
    {
        out.push(json!({"patientInstruction": instruction}));
    }
    Value::Array(out)
}

/// act 3.206 code -> substitution: its presence says that another product was given.
fn substitution(context: &mut Context<'_>, element: Element<'_>, url: &str) -> Option<Value> {
    let act = entry::part(element, template::SUBSTITUTION_DONE)?;
    context.claim_tree(act, url);
    let mut out = Resource::new();
    set(&mut out, "wasSubstituted", json!(!is_denied(act)));
    let kind = act.child("code").and_then(|code| concept(context, code));
    set(&mut out, "type", kind);
    Some(Value::Object(out))
}

/// Every delivery 3.44 below a treatment or a vaccination; one that is planned, or of somebody else, is listed.
pub(super) fn deliveries(context: &mut Context<'_>, act: Element<'_>) -> Vec<String> {
    let supplies: Vec<Element<'_>> = entry::below(act)
        .map(|(_, child)| child)
        .filter(|child| child.is("supply") && child.has_template(template::DELIVERY))
        .collect();
    let mut made = Vec::new();
    for supply in supplies {
        match entry::refused(context, supply) {
            Some(reason) => context.list(supply, reason),
            None => made.extend(delivery(context, act, supply)),
        }
    }
    made
}

/// Delivery (FR-Dispensation, 1.2.250.1.213.1.1.3.44, supply EVN below a treatment 3.42 or a vaccination 3.45)
/// -> MedicationDispense
///
/// product of the act above -> medicationCodeableConcept;  id, quantity -> identifier, quantity
/// effectiveTime, else performer/time -> whenHandedOver;  performer -> performer.actor;  author -> an agent
fn delivery(context: &mut Context<'_>, act: Element<'_>, supply: Element<'_>) -> Option<String> {
    let url = context.url(&supply.path());
    if is_denied(supply) {
        return super::status_not_mapped(context, supply);
    }
    let Some(status) = status::event(status::code(supply)) else { return super::status_not_mapped(context, supply) };
    // A statement of the same act has made the Medication already; its place is the same.
    let known = act.at("consumable/manufacturedProduct/manufacturedMaterial").map(|material| context.url(&material.path()));
    let known = known.filter(|url| context.entry_mut(url).is_some());
    let made = act_was_translated(context, act);
    let product = if known.is_some() { None } else { Some(medication(context, act, &url)) };
    let concept = match &product {
        Some(product) => product.concept.clone(),
        None => known
            .as_ref()
            .and_then(|url| context.entry_mut(url))
            .and_then(|entry| entry.resource.get("code").cloned())
            .unwrap_or_else(|| super::super::datatypes::absent("NI")),
    };
    let details = known.or_else(|| product.and_then(|product| product.medication));
    let mut out = resource("MedicationDispense");
    set(&mut out, "identifier", Value::Array(identifiers(context, supply)));
    set(&mut out, "status", json!(status));
    set(&mut out, "medicationCodeableConcept", concept);
    set(&mut out, "subject", Context::subject());
    let mut supporting: Vec<Value> = details.iter().map(|url| reference(url)).collect();
    if !made {
        supporting.extend(entry::flags(context, act));
    }
    set(&mut out, "supportingInformation", Value::Array(supporting));
    set(&mut out, "performer", entry::actors(context, supply));
    entry::author(context, supply);
    let quantity = supply.child("quantity").and_then(|quantity| pq(context, quantity, None));
    set(&mut out, "quantity", quantity);
    let time = supply.child("effectiveTime").or_else(|| supply.at("performer/time"));
    let time = time.and_then(|time| moment(context, time));
    set(&mut out, "whenHandedOver", time.map(|time| json!(time)));
    set(&mut out, "note", Value::Array(notes(context, supply, &url)));
    context.add(supply.path(), out);
    entry::claim(context, supply, &url, &READ);
    super::list_rest(context, supply);
    if !made {
        entry::claim(context, act, &url, &["id", "code", "text", "effectiveTime", "consumable"]);
        for performer in act.children_named("performer") {
            participants::participant_in(context, performer);
        }
    }
    Some(url)
}

/// Whether the act above the delivery is a resource of its own.
fn act_was_translated(context: &mut Context<'_>, act: Element<'_>) -> bool {
    let url = context.url(&act.path());
    context.entry_mut(&url).is_some()
}
