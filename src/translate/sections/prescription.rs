//! What is prescribed or planned: FR-Traitement-prescrit (3.83), FR-Traitement (3.42) and FR-Vaccin-recommande (3.47) in
//! mood INT -> MedicationRequest; FR-Dispositif-medical (3.20) in mood INT -> DeviceRequest (C10, R1).
use super::super::codes::concept;
use super::super::context::{Context, reference, resource, set};
use super::super::datatypes::{When, absent, identifier, identifiers, pq, when};
use super::super::header::Header;
use super::super::issue::IssueCode;
use super::super::participants::{Kind, Participant};
use super::super::timing::is_before_document;
use super::dispensation::notes;
use super::dosage::{Whole, dosages};
use super::entry::{self, Author, is_denied};
use super::status;
use super::treatment::{instruction, medication};
use crate::cda::{Element, template};
use crate::fhir::Resource;
use serde_json::{Value, json};

const READ: [&str; 14] = [
    "id",
    "code",
    "text",
    "effectiveTime",
    "routeCode",
    "approachSiteCode",
    "doseQuantity",
    "rateQuantity",
    "maxDoseQuantity",
    "precondition",
    "author",
    "informant",
    "repeatNumber",
    "performer",
];

/// Prescribed or planned treatment -> MedicationRequest
///
/// section 57828-6 -> intent order, else plan;  status by C4: completed and active by period, cancelled, aborted -> stopped
/// consumable -> medicationCodeableConcept, supportingInformation the Medication of its details
/// author, else the document's -> requester, authoredOn;  document id -> groupIdentifier
/// posology -> dosageInstruction;  3.33 -> patientInstruction;  3.34 -> note;  3.86 quantity, repeatNumber -> dispenseRequest
/// 3.87 code -> substitution.allowedCodeableConcept;  simple observations -> supportingInformation
/// 3.47 code -> note (its text);  negationInd=true -> doNotPerform
pub(super) fn medication_request(context: &mut Context<'_>, header: &Header, element: Element<'_>) -> Option<String> {
    let url = context.url(&element.path());
    let product = medication(context, element, &url);
    let whole = Whole { patient_instruction: instruction(context, element, &url), bounded: true };
    let (dosages, times) = dosages(context, element, &url, &whole);
    let end = match &times.whole {
        Some(When::Period(_, high)) => high.clone(),
        Some(When::DateTime(_)) | None => None,
    };
    let ended = end.is_some_and(|end| is_before_document(context, &end));
    let Some(status) = status::medication_request(status::code(element), ended) else {
        return super::status_not_mapped(context, element);
    };
    let mut out = resource("MedicationRequest");
    set(&mut out, "identifier", Value::Array(identifiers(context, element)));
    set(&mut out, "status", json!(status));
    set(&mut out, "intent", json!(intent(context, element)));
    set(&mut out, "doNotPerform", is_denied(element).then_some(json!(true)));
    set(&mut out, "medicationCodeableConcept", product.concept);
    set(&mut out, "subject", Context::subject());
    let mut supporting: Vec<Value> = product.medication.iter().map(|url| reference(url)).collect();
    supporting.extend(entry::flags(context, element));
    set(&mut out, "supportingInformation", Value::Array(supporting));
    let author = entry::author(context, element);
    requested(context, header, &author, &mut out);
    entry::reasons(context, element, &url, &mut out);
    group(context, &mut out);
    let mut notes = notes(context, element, &url);
    if element.has_template(template::RECOMMENDED_VACCINE) {
        let kind = element.child("code").and_then(|code| concept(context, code));
        let kind = kind.and_then(|kind| kind.get("text").cloned());
        notes.extend(kind.map(|text| json!({"text": text})));
    }
    set(&mut out, "note", Value::Array(notes));
    set(&mut out, "dosageInstruction", Value::Array(dosages));
    let dispense = dispense_request(context, element, &url);
    set(&mut out, "dispenseRequest", dispense);
    set(&mut out, "substitution", substitution(context, element, &url));
    context.add(element.path(), out);
    entry::claim(context, element, &url, &READ);
    super::list_rest(context, element);
    Some(url)
}

/// `order` in a section of prescriptions, else `plan` (R1).
fn intent(context: &mut Context<'_>, element: Element<'_>) -> &'static str {
    let section = element.section();
    let devices = section.is_some_and(|section| section.has_template(template::DEVICE_PRESCRIPTIONS));
    if devices || context.section_of(element).code == Some("57828-6") { "order" } else { "plan" }
}

/// author, else the first author of the document -> requester;  author/time, else the document's time -> authoredOn
fn requested(context: &mut Context<'_>, header: &Header, author: &Author, out: &mut Resource) {
    let time = author.time.clone().or_else(|| {
        let time = context.document.root().child("effectiveTime")?;
        super::super::datatypes::date_time(context, time)
    });
    set(out, "authoredOn", time.map(|time| json!(time)));
    let of_document = || header.authors.iter().find(|who| who.kind != Kind::Device).map(Participant::reference);
    set(out, "requester", author.person().or_else(of_document));
}

/// id of the document -> groupIdentifier: its lines were ordered together.
fn group(context: &Context<'_>, out: &mut Resource) {
    set(out, "groupIdentifier", context.header.id.as_ref().and_then(identifier));
}

/// repeatNumber -> numberOfRepeatsAllowed (0 is a value);  supply 3.86 quantity -> quantity
fn dispense_request(context: &mut Context<'_>, element: Element<'_>, url: &str) -> Option<Value> {
    let mut out = Resource::new();
    if let Some(number) = element.child("repeatNumber") {
        let stated = number.stated("value").or_else(|| number.child("high").and_then(|high| high.stated("value")));
        match stated.map(str::parse::<u32>) {
            Some(Ok(number)) => set(&mut out, "numberOfRepeatsAllowed", json!(number)),
            Some(Err(_)) => context.issue(IssueCode::NumberUnreadable, number),
            None => {}
        }
    }
    if let Some(supply) = entry::part(element, template::SUPPLY_QUANTITY) {
        context.claim_tree(supply, url);
        let quantity = supply.child("quantity").and_then(|quantity| pq(context, quantity, None));
        set(&mut out, "quantity", quantity);
    }
    (!out.is_empty()).then_some(Value::Object(out))
}

/// act 3.87 code -> allowedCodeableConcept;  its originalText -> reason.text (C10-7)
fn substitution(context: &mut Context<'_>, element: Element<'_>, url: &str) -> Option<Value> {
    let act = entry::part(element, template::SUBSTITUTION)?;
    context.claim_tree(act, url);
    let code = act.child("code")?;
    let mut allowed = concept(context, code)?;
    let reason = code.child("originalText").and_then(|text| entry::stated_text(context, text));
    if reason.is_some()
        && let Some(display) = code.stated("displayName")
        && let Some(members) = allowed.as_object_mut()
    {
        members.insert("text".into(), json!(display));
    }
    let mut out = Resource::new();
    set(&mut out, "allowedCodeableConcept", allowed);
    set(&mut out, "reason", reason.map(|text| json!({"text": text})));
    Some(Value::Object(out))
}

/// Prescribed or planned device (FR-Dispositif-medical, 1.2.250.1.213.1.1.3.20, INT) -> DeviceRequest (C10-11)
///
/// participant DEV playingDevice/code -> codeCodeableConcept;  effectiveTime -> `occurrence[x]`
/// quantity, repeatNumber, expectedUseTime width -> parameter;  simple observations -> supportingInfo
/// section template 2.222 -> intent order, else plan;  status by period;  negationInd=true: no place, listed
pub(super) fn device_request(context: &mut Context<'_>, header: &Header, element: Element<'_>) -> Option<String> {
    let url = context.url(&element.path());
    if is_denied(element) {
        return super::status_not_mapped(context, element);
    }
    let time = element.child("effectiveTime").and_then(|time| when(context, time));
    let end = match &time {
        Some(When::Period(_, high)) => high.clone(),
        Some(When::DateTime(_)) | None => None,
    };
    let ended = end.is_some_and(|end| is_before_document(context, &end));
    let Some(status) = status::device_request(status::code(element), ended) else {
        return super::status_not_mapped(context, element);
    };
    let mut out = resource("DeviceRequest");
    set(&mut out, "identifier", Value::Array(identifiers(context, element)));
    group(context, &mut out);
    set(&mut out, "status", json!(status));
    set(&mut out, "intent", json!(intent(context, element)));
    let device = super::device::device_participant(element);
    let code = device.and_then(|device| device.at("participantRole/playingDevice/code")).and_then(|code| concept(context, code));
    set(&mut out, "codeCodeableConcept", code.unwrap_or_else(|| absent("NI")));
    set(&mut out, "parameter", parameters(context, element));
    set(&mut out, "subject", Context::subject());
    if let Some(time) = &time {
        time.write(&mut out, "occurrence");
    }
    let author = entry::author(context, element);
    requested(context, header, &author, &mut out);
    entry::reasons(context, element, &url, &mut out);
    set(&mut out, "supportingInfo", Value::Array(entry::flags(context, element)));
    set(&mut out, "note", Value::Array(notes(context, element, &url)));
    context.add(element.path(), out);
    entry::claim(context, element, &url, &READ);
    if let Some(device) = device {
        context.claim_tree(device, &url);
    }
    for child in element.children().filter(|child| matches!(child.name(), "quantity" | "expectedUseTime")) {
        context.claim_tree(child, &url);
    }
    super::list_rest(context, element);
    Some(url)
}

fn parameters(context: &mut Context<'_>, element: Element<'_>) -> Value {
    let mut out = Vec::new();
    let width = element.child("expectedUseTime").map(|time| time.child("width").unwrap_or(time));
    let stated =
        [("quantity", element.child("quantity")), ("repeatNumber", element.child("repeatNumber")), ("expectedUseTime", width)];
    for (name, place) in stated {
        let quantity = place.and_then(|place| pq(context, place, None));
        out.extend(quantity.map(|quantity| json!({"code": {"text": name}, "valueQuantity": quantity})));
    }
    Value::Array(out)
}
