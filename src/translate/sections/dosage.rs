//! Posology of a substanceAdministration -> Dosage (C8-20 to 24, C10-3, C10-4).
use super::super::codes::concept;
use super::super::context::{Context, set};
use super::super::datatypes::{is_upside_down, pq, ratio};
use super::super::issue::IssueCode;
use super::super::timing::{Schedule, original_texts, schedule};
use super::entry::{stated_text, text};
use crate::cda::{Element, template};
use crate::fhir::Resource;
use serde_json::{Value, json};

/// Dosage steps of one posology; real ones have some.
const STEPS: usize = 100;

/// An amount: one quantity or a range.
pub(super) enum Amount {
    Quantity(Value),
    Range(Value),
}

impl Amount {
    /// Writes it as `<name>Quantity` or `<name>Range`.
    fn write(self, out: &mut Resource, name: &str) {
        match self {
            Self::Quantity(quantity) => out.insert(format!("{name}Quantity"), quantity),
            Self::Range(range) => out.insert(format!("{name}Range"), range),
        };
    }
}

/// doseQuantity, rateQuantity -> value, or low = high -> Quantity;  low, high -> Range
pub(super) fn amount(context: &mut Context<'_>, element: Element<'_>) -> Option<Amount> {
    if element.stated("value").is_some() {
        return pq(context, element, None).map(Amount::Quantity);
    }
    let mut bound = |name| element.child(name).and_then(|bound| pq(context, bound, None));
    let (low, high) = (bound("low"), bound("high"));
    match (low, high) {
        (None, None) => {
            if element.child("center").is_some() || element.child("width").is_some() {
                context.issue(IssueCode::ValueNotTranslated, element);
            }
            None
        }
        (Some(low), Some(high)) if low == high => Some(Amount::Quantity(low)),
        (Some(low), Some(high)) if is_upside_down(&low, &high) => {
            context.issue(IssueCode::ValueNotTranslated, element);
            None
        }
        (low, high) => {
            let mut range = Resource::new();
            set(&mut range, "low", low);
            set(&mut range, "high", high);
            Some(Amount::Range(Value::Object(range)))
        }
    }
}

/// What the steps take from the whole, and what stands beside them.
#[derive(Default)]
pub(super) struct Whole {
    /// 3.33: instructions for the patient.
    pub(super) patient_instruction: Option<String>,
    /// Whether the act's IVL_TS is the bounds of the Timing (a statement has it as its period).
    pub(super) bounded: bool,
}

/// substanceAdministration -> dosage or dosageInstruction
///
/// 3.42.1, 3.83.1 below with sequenceNumber -> one each; then that of the act itself is not emitted
/// route, site, maxDose of the act where the step has none
pub(super) fn dosages(context: &mut Context<'_>, element: Element<'_>, url: &str, whole: &Whole) -> (Vec<Value>, Schedule) {
    let own = schedule(context, element);
    let steps: Vec<(Element<'_>, Element<'_>)> =
        super::entry::below(element).filter(|(_, child)| is_step(*child)).take(STEPS).collect();
    let mut out = Vec::new();
    for (relation, step) in &steps {
        let sequence = relation
            .child("sequenceNumber")
            .and_then(|number| number.stated("value"))
            .and_then(|value| value.parse::<u32>().ok());
        let times = schedule(context, *step);
        out.extend(dosage(context, *step, Some(element), sequence, &times, &Whole { bounded: true, ..copy(whole) }));
        super::entry::claim(context, *step, url, &READ);
        if let Some(consumable) = step.child("consumable") {
            context.list(consumable, super::super::account::Reason::NotApplicable);
        }
    }
    if steps.is_empty() {
        out.extend(dosage(context, element, None, None, &own, whole));
    }
    (out, own)
}

/// The children that the posology reads.
pub(super) const READ: [&str; 9] = [
    "id",
    "text",
    "effectiveTime",
    "routeCode",
    "approachSiteCode",
    "doseQuantity",
    "rateQuantity",
    "maxDoseQuantity",
    "precondition",
];

fn copy(whole: &Whole) -> Whole {
    Whole { patient_instruction: whole.patient_instruction.clone(), bounded: whole.bounded }
}

/// Whether it is a step of a posology (R2): a part of the act above it whatever its mood.
pub(super) fn is_step(child: Element<'_>) -> bool {
    child.is("substanceAdministration") && super::has_any(child, &[template::TREATMENT_STEP, template::PRESCRIPTION_STEP])
}

fn dosage(
    context: &mut Context<'_>,
    element: Element<'_>,
    around: Option<Element<'_>>,
    sequence: Option<u32>,
    times: &Schedule,
    whole: &Whole,
) -> Option<Value> {
    let mut out = Resource::new();
    set(&mut out, "sequence", sequence.map(|number| json!(number)));
    set(&mut out, "text", texts(context, element, times).map(|text| json!(text)));
    let instruction = whole.patient_instruction.as_ref();
    set(&mut out, "patientInstruction", instruction.map(|text| json!(text)));
    let timing = times.timing(whole.bounded);
    set(&mut out, "timing", timing);
    let condition = own_or_around(element, around, "precondition")
        .and_then(|precondition| precondition.at("criterion/text"))
        .and_then(|text| stated_text(context, text));
    set(&mut out, "asNeededCodeableConcept", condition.map(|text| json!({"text": text})));
    for (cda, fhir) in [("approachSiteCode", "site"), ("routeCode", "route")] {
        let code = own_or_around(element, around, cda).and_then(|code| concept(context, code));
        set(&mut out, fhir, code);
    }
    let mut amounts = Resource::new();
    for (cda, fhir) in [("doseQuantity", "dose"), ("rateQuantity", "rate")] {
        if let Some(amount) = element.child(cda).and_then(|amount| self::amount(context, amount)) {
            amount.write(&mut amounts, fhir);
        }
    }
    if !amounts.is_empty() {
        set(&mut out, "doseAndRate", json!([amounts]));
    }
    let maximum = own_or_around(element, around, "maxDoseQuantity").and_then(|maximum| ratio(context, maximum));
    set(&mut out, "maxDosePerPeriod", maximum);
    (!out.is_empty()).then_some(Value::Object(out))
}

fn own_or_around<'d>(element: Element<'d>, around: Option<Element<'d>>, name: &str) -> Option<Element<'d>> {
    let states = |holder: Element<'d>| {
        holder.child(name).filter(|child| child.stated("nullFlavor").is_none() || child.child("originalText").is_some())
    };
    states(element).or_else(|| around.and_then(states)).or_else(|| element.child(name))
}

/// text, and the attested texts of frequency, dose and rate that have no number -> text, each once
pub(super) fn texts(context: &mut Context<'_>, element: Element<'_>, times: &Schedule) -> Option<String> {
    let mut out: Vec<String> = text(context, element).into_iter().collect();
    let mut more = times.texts.clone();
    for amount in ["doseQuantity", "rateQuantity"].into_iter().filter_map(|name| element.child(name)) {
        more.extend(original_texts(context, amount));
    }
    for text in more {
        if text != "-" && !out.contains(&text) {
            out.push(text);
        }
    }
    (!out.is_empty()).then(|| out.join(" ; "))
}
