//! FR-Traitement (3.42) that was or is taken or given -> MedicationStatement, MedicationAdministration (C8-19 to 27).
use super::super::codes::concept;
use super::super::context::{Context, reference, resource, set};
use super::super::datatypes::{When, absent, identifiers};
use super::super::issue::IssueCode;
use super::super::timing::{Schedule, is_before_document};
use super::dosage::{self, Amount, Whole, dosages};
use super::entry::{self, is_denied};
use super::observation::comments;
use super::product::{Product, product};
use super::status;
use super::{dispensation, problem};
use crate::cda::{Element, template};
use crate::fhir::Resource;
use serde_json::{Value, json};

const STATUS_CODE: &str = "StructureDefinition/cda-status-code";
/// What a function of this family reads of the act itself; the product is claimed where it is read.
const READ: [&str; 13] = [
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
    "performer",
];

/// Treatment in mood EVN -> what its section and its parts say
///
/// section 18610-6 (administered)       -> MedicationAdministration
/// with a delivery 3.44, no time or dose -> the MedicationDispense alone: nothing says that it was taken
/// else                                  -> MedicationStatement, and the MedicationDispense of its delivery
pub(super) fn treatment(context: &mut Context<'_>, element: Element<'_>) -> Vec<String> {
    if context.section_of(element).code == Some("18610-6") {
        return administration(context, element).into_iter().collect();
    }
    let delivered = entry::below(element).any(|(_, child)| {
        child.is("supply") && child.has_template(template::DELIVERY) && entry::refused(context, child).is_none()
    });
    let mut made = Vec::new();
    if !delivered || states_use(context, element) {
        made.extend(statement(context, element));
    }
    made.extend(dispensation::deliveries(context, element));
    super::list_rest(context, element);
    made
}

/// Whether the act says more than that the product was delivered: when, how often or how much it is taken.
fn states_use(context: &mut Context<'_>, element: Element<'_>) -> bool {
    let (times, amount) = (super::super::timing::schedule(context, element), element.child("doseQuantity"));
    let dose = amount.and_then(|amount| dosage::amount(context, amount)).is_some();
    times.whole.is_some() || times.event().is_some() || times.is_repeated() || dose || is_denied(element)
}

/// The product; one that only the act's own absent-unknown code names is that code (R3).
pub(super) fn medication(context: &mut Context<'_>, element: Element<'_>, url: &str) -> Product {
    let product = product(context, element.child("consumable"), url);
    let code = element.child("code").filter(|code| problem::is_absent_code(*code));
    match code.and_then(|code| concept(context, code)) {
        Some(concept) if !product.is_named() => Product { concept, medication: product.medication },
        Some(_) | None => product,
    }
}

/// Treatment (FR-Traitement, 1.2.250.1.213.1.1.3.42, EVN) -> MedicationStatement
///
/// id -> identifier;  consumable -> medicationCodeableConcept (C8-25), derivedFrom the Medication of its details
/// status (decision 18): aborted, cancelled -> stopped, suspended, held -> on-hold, nullified -> entered-in-error, else
///   high before the document -> completed, section 10160-0 or a stated time -> active, else unknown; denied -> not-taken
/// statusCode -> extension cda-status-code;  first IVL_TS -> effectivePeriod;  posology -> dosage
/// RSON -> reasonReference, reasonCode;  author -> informationSource, dateAsserted;  3.32 -> note
///
/// The caller lists what stands below and is not read.
pub(super) fn statement(context: &mut Context<'_>, element: Element<'_>) -> Option<String> {
    let url = context.url(&element.path());
    let product = medication(context, element, &url);
    let whole = Whole { patient_instruction: instruction(context, element, &url), bounded: false };
    let (dosages, times) = dosages(context, element, &url, &whole);
    let mut out = resource("MedicationStatement");
    let stated = status::code(element);
    let kept = stated.map(|code| json!([{"url": format!("{}/{STATUS_CODE}", crate::fhir::CANONICAL), "valueCode": code}]));
    set(&mut out, "extension", kept);
    set(&mut out, "identifier", Value::Array(identifiers(context, element)));
    let unknown = element.child("code").is_some_and(problem::is_absent_code);
    let status = match stated {
        Some("nullified") => "entered-in-error",
        Some(_) | None if unknown => "unknown",
        Some(_) | None if is_denied(element) => "not-taken",
        Some("aborted" | "cancelled") => "stopped",
        Some("suspended" | "held") => "on-hold",
        Some(_) | None => by_period(context, element, &times),
    };
    set(&mut out, "status", json!(status));
    set(&mut out, "medicationCodeableConcept", product.concept);
    set(&mut out, "subject", Context::subject());
    match (&times.whole, times.event()) {
        (Some(whole), _) => whole.write(&mut out, "effective"),
        (None, Some(time)) => set(&mut out, "effectiveDateTime", json!(time)),
        (None, None) => {}
    }
    let author = entry::author(context, element);
    set(&mut out, "dateAsserted", author.time.as_ref().map(|time| json!(time)));
    set(&mut out, "informationSource", author.person());
    let mut derived: Vec<Value> = product.medication.iter().map(|url| reference(url)).collect();
    derived.extend(entry::flags(context, element));
    set(&mut out, "derivedFrom", Value::Array(derived));
    entry::reasons(context, element, &url, &mut out);
    set(&mut out, "note", Value::Array(comments(context, element, &url)));
    set(&mut out, "dosage", Value::Array(dosages));
    context.add(element.path(), out);
    entry::claim(context, element, &url, &READ);
    Some(url)
}

/// completed, active or unknown, from section and period at the document's time (decision 18).
fn by_period(context: &mut Context<'_>, element: Element<'_>, times: &Schedule) -> &'static str {
    let (low, high) = match &times.whole {
        Some(When::Period(low, high)) => (low.as_ref(), high.as_ref()),
        Some(When::DateTime(time)) => (Some(time), None),
        None => (None, None),
    };
    if high.is_some_and(|end| is_before_document(context, end)) {
        return "completed";
    }
    let stated = low.is_some() || high.is_some();
    if context.section_of(element).code == Some("10160-0") || stated { "active" } else { "unknown" }
}

/// act 3.33 -> instructions for the patient.
pub(super) fn instruction(context: &mut Context<'_>, element: Element<'_>, url: &str) -> Option<String> {
    let act = entry::part(element, template::PATIENT_INSTRUCTION)?;
    context.claim_tree(act, url);
    entry::text(context, act)
}

/// Treatment (FR-Traitement, 3.42, EVN) in section 18610-6, and 3.151, 3.173 of imaging -> MedicationAdministration
///
/// status by C4; denied -> not-done;  IVL_TS or a single time -> `effective[x]` (absent: data-absent-reason)
/// doseQuantity, rateQuantity -> dosage.dose, dosage.rateQuantity (a range has no place: dosage.text and an issue)
/// routeCode, approachSiteCode, text -> dosage.route, site, text;  performer -> performer.actor;  3.32 -> note
pub(super) fn administration(context: &mut Context<'_>, element: Element<'_>) -> Option<String> {
    let url = context.url(&element.path());
    let Some(status) = (if is_denied(element) { Some("not-done") } else { status::event(status::code(element)) }) else {
        return super::status_not_mapped(context, element);
    };
    let product = medication(context, element, &url);
    let times = super::super::timing::schedule(context, element);
    let mut out = resource("MedicationAdministration");
    set(&mut out, "identifier", Value::Array(identifiers(context, element)));
    set(&mut out, "status", json!(status));
    set(&mut out, "medicationCodeableConcept", product.concept);
    set(&mut out, "subject", Context::subject());
    let mut supporting: Vec<Value> = product.medication.iter().map(|url| reference(url)).collect();
    supporting.extend(entry::flags(context, element));
    set(&mut out, "supportingInformation", Value::Array(supporting));
    match (times.event(), &times.whole) {
        (Some(time), _) => set(&mut out, "effectiveDateTime", json!(time)),
        (None, Some(whole)) => whole.write(&mut out, "effective"),
        (None, None) => {
            let flavor = element.child("effectiveTime").and_then(|time| time.stated("nullFlavor"));
            set(&mut out, "_effectiveDateTime", absent(flavor.unwrap_or("NI")));
        }
    }
    set(&mut out, "performer", entry::actors(context, element));
    entry::author(context, element);
    entry::reasons(context, element, &url, &mut out);
    set(&mut out, "note", Value::Array(comments(context, element, &url)));
    let given = given(context, element, &times);
    set(&mut out, "dosage", given);
    context.add(element.path(), out);
    entry::claim(context, element, &url, &READ);
    super::list_rest(context, element);
    Some(url)
}

fn given(context: &mut Context<'_>, element: Element<'_>, times: &Schedule) -> Option<Value> {
    let mut out = Resource::new();
    let text = dosage::texts(context, element, times);
    set(&mut out, "text", text.map(|text| json!(text)));
    for (cda, fhir) in [("approachSiteCode", "site"), ("routeCode", "route")] {
        let code = element.child(cda).and_then(|code| concept(context, code));
        set(&mut out, fhir, code);
    }
    for (cda, fhir) in [("doseQuantity", "dose"), ("rateQuantity", "rateQuantity")] {
        let Some(stated) = element.child(cda) else { continue };
        match dosage::amount(context, stated) {
            Some(Amount::Quantity(quantity)) => set(&mut out, fhir, quantity),
            Some(Amount::Range(_)) => context.issue(IssueCode::ValueNotTranslated, stated),
            None => {}
        }
    }
    if times.is_repeated() {
        // An administration is once: how often has no place beside the text.
        context.issue(IssueCode::ValueNotTranslated, element);
    }
    if out.is_empty() {
        return None;
    }
    // A dosage needs a dose or a rate (mad-1).
    if !out.contains_key("dose") && !out.contains_key("rateQuantity") {
        set(&mut out, "dose", absent(element.child("doseQuantity").and_then(|dose| dose.stated("nullFlavor")).unwrap_or("NI")));
    }
    Some(Value::Object(out))
}
