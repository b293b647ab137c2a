//! FR-Signes-vitaux (3.49, 3.50) -> Observations of R4's vital-signs profiles (C8-30).
//!
//! Every validator judges an Observation with these LOINC codes by the profile of the code, whatever its category says.
use super::super::context::{Context, set};
use super::super::datatypes::{When, identifiers, pq};
use super::super::issue::IssueCode;
use super::entry;
use super::observation::{Parts, observation, parts, single};
use super::panel::category;
use super::status;
use crate::cda::{Element, template};
use crate::fhir::Resource;
use serde_json::{Number, Value, json};

const LOINC: &str = "http://loinc.org";
const LOINC_OID: &str = "2.16.840.1.113883.6.1";
const PANEL: &str = "85353-1";
const PRESSURE: &str = "85354-9";
const SYSTOLIC: &str = "8480-6";
const DIASTOLIC: &str = "8462-4";
/// Head circumference, and that by tape measure: validators judge both by the profile of the first, which wants its code.
const HEAD: &str = "9843-4";
const HEAD_BY_TAPE: &str = "8287-5";
const PQ_TRANSLATION: &str = "http://hl7.org/fhir/StructureDefinition/iso21090-PQ-translation";
/// Members of one organizer; real ones have some tens.
const MEMBERS: usize = 1_000;
/// Halves of blood pressures of one organizer that are paired: each is compared with each.
const PRESSURES: usize = 64;

/// LOINC code -> the UCUM codes that its profile takes (R4, required).
const UNITS: [(&str, &[&str]); 11] = [
    ("9279-1", &["/min"]),
    ("8867-4", &["/min"]),
    ("2708-6", &["%"]),
    ("8310-5", &["Cel", "[degF]"]),
    ("8302-2", &["cm", "[in_i]"]),
    (HEAD, &["cm", "[in_i]"]),
    (HEAD_BY_TAPE, &["cm", "[in_i]"]),
    ("29463-7", &["g", "kg", "[lb_av]"]),
    ("39156-5", &["kg/m2"]),
    (SYSTOLIC, &["mm[Hg]"]),
    (DIASTOLIC, &["mm[Hg]"]),
];

/// What `finish` does to the resource that was made.
#[derive(Default)]
pub(super) struct Fit {
    centimetres: bool,
    absent: bool,
}

fn loinc(element: Element<'_>) -> Option<&str> {
    let code = element.child("code").filter(|code| code.stated("codeSystem") == Some(LOINC_OID))?;
    code.stated("code")
}

fn units(code: &str) -> Option<&'static [&'static str]> {
    UNITS.iter().find(|(known, _)| *known == code).map(|(_, units)| *units)
}

fn is_to_the_day(effective: Option<&When>) -> bool {
    match effective {
        Some(When::DateTime(time)) => time.len() >= 10,
        Some(When::Period(Some(low), _)) => low.len() >= 10,
        Some(When::Period(None, _)) | None => false,
    }
}

/// Makes an observation fit the profile that its LOINC code implies, or not be judged by it.
///
/// to the day and in a unit of the profile -> category vital-signs;  8302-2 in m -> cm, see `finish`
/// 8287-5 -> also coded 9843-4, what it is a kind of
/// otherwise -> its LOINC coding keeps the OID as system, no category, an issue
pub(super) fn fit(context: &mut Context<'_>, element: Element<'_>, parts: &mut Parts) -> Fit {
    let Some(code) = loinc(element) else { return Fit::default() };
    let Some(units) = units(code) else { return Fit::default() };
    let value = element.child("value");
    let stated = value.and_then(|value| value.stated("unit"));
    let metres = code == "8302-2" && stated == Some("m");
    let number = value.is_some_and(|value| value.stated("value").is_some() && value.xsi_type() == Some("PQ"));
    let fits = !number || metres || stated.is_some_and(|unit| units.contains(&unit));
    let typed = number || value.is_none_or(|value| value.stated("nullFlavor").is_some());
    // Each half of a blood pressure is an error alone, also without category.
    let half = code == SYSTOLIC || code == DIASTOLIC;
    let denied = entry::is_denied(element);
    if is_to_the_day(parts.effective.as_ref()) && fits && typed && !half && !denied {
        let vital = category("vital-signs");
        if !parts.categories.contains(&vital) {
            parts.categories.insert(0, vital);
        }
        let codings = parts.code.as_mut().and_then(|code| code.get_mut("coding")).and_then(Value::as_array_mut);
        if code == HEAD_BY_TAPE
            && let Some(codings) = codings
        {
            codings.push(json!({"system": LOINC, "code": HEAD}));
        }
        return Fit { centimetres: metres && number, absent: value.is_none() };
    }
    context.issue(IssueCode::VitalSignUnfit, element);
    parts.categories.retain(|known| *known != category("vital-signs"));
    let codings = parts.code.as_mut().and_then(|code| code.get_mut("coding")).and_then(Value::as_array_mut);
    for coding in codings.into_iter().flatten() {
        if coding.get("system") == Some(&json!(LOINC))
            && let Some(coding) = coding.as_object_mut()
        {
            coding.insert("system".into(), json!(format!("urn:oid:{LOINC_OID}")));
        }
    }
    Fit::default()
}

/// A height of metres in centimetres, with what was stated beside it; a value that is not there is unknown.
pub(super) fn finish(context: &mut Context<'_>, element: Element<'_>, url: &str, fit: Fit) {
    let Some(entry) = context.entry_mut(url) else { return };
    if fit.absent {
        super::super::context::set(&mut entry.resource, "dataAbsentReason", super::super::codes::data_absent_reason("UNK"));
    }
    if !fit.centimetres {
        return;
    }
    let stated = entry.resource.get("valueQuantity").cloned();
    let metres = stated.as_ref().and_then(|stated| stated.get("value")).map(Value::to_string);
    let (Some(stated), Some(centimetres)) = (stated, metres.and_then(|metres| hundredfold(&metres))) else { return };
    let converted = json!({"extension": [{"url": PQ_TRANSLATION, "valueQuantity": stated}], "value": centimetres,
        "unit": "cm", "system": "http://unitsofmeasure.org", "code": "cm"});
    entry.resource.insert("valueQuantity".into(), converted);
    context.issue(IssueCode::VitalSignConverted, element);
}

/// A decimal times one hundred: the point two digits on, nothing rounded.
fn hundredfold(text: &str) -> Option<Number> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let padded = format!("{fraction:0<2}");
    let (moved, rest) = padded.split_at_checked(2)?;
    let point = if rest.is_empty() { "" } else { "." };
    super::super::datatypes::decimal(&format!("{whole}{moved}{point}{rest}"))
}

/// Vital signs (FR-Signes-vitaux, 1.2.250.1.213.1.1.3.49, organizer) -> a panel (category vital-signs, hasMember) and its members
///
/// observation 3.50 -> an Observation each;  8480-6 and 8462-4 of one time -> one Observation 85354-9 with two components
/// effectiveTime, else the day that all members share -> `effective[x]`; no such day: no panel
/// negationInd=true on the organizer: which members are denied is not certain, listed
pub(super) fn vital_signs(context: &mut Context<'_>, element: Element<'_>) -> Vec<String> {
    if entry::is_denied(element) {
        return super::status_not_mapped(context, element).into_iter().collect();
    }
    let mut made = Vec::new();
    let mut pressures: Vec<Element<'_>> = Vec::new();
    let found: Vec<Element<'_>> = entry::below(element)
        .map(|(_, child)| child)
        .filter(|child| super::is_only(*child, template::VITAL_SIGN) || super::is_only(*child, template::SIMPLE_OBSERVATION))
        .take(MEMBERS)
        .collect();
    for member in found {
        if let Some(reason) = entry::refused(context, member) {
            context.list(member, reason);
        } else if pressures.len() < PRESSURES && matches!(loinc(member), Some(SYSTOLIC | DIASTOLIC)) {
            pressures.push(member);
        } else {
            made.extend(single(context, member, Some(element), Vec::new()));
        }
    }
    made.extend(blood_pressures(context, element, &pressures));
    let mut parts = parts(context, element, None);
    if !is_to_the_day(parts.effective.as_ref()) {
        parts.effective = common_time(context, &made);
    }
    if loinc(element) == Some(PANEL) && (parts.effective.is_none() || made.is_empty()) {
        context.issue(IssueCode::VitalSignUnfit, element);
        super::list_rest(context, element);
        return made;
    }
    parts.categories = vec![category("vital-signs")];
    // The panel's profile wants members of this category only.
    parts.members = made.iter().filter(|url| is_vital(context, url)).cloned().collect();
    if loinc(element) == Some(PANEL) && parts.members.is_empty() {
        context.issue(IssueCode::VitalSignUnfit, element);
        super::list_rest(context, element);
        return made;
    }
    let panel = observation(context, element, parts);
    super::list_rest(context, element);
    panel.into_iter().chain(made).collect()
}

fn is_vital(context: &mut Context<'_>, url: &str) -> bool {
    let categories = context.entry_mut(url).and_then(|entry| entry.resource.get("category").cloned());
    categories.as_ref().and_then(Value::as_array).is_some_and(|categories| categories.contains(&category("vital-signs")))
}

/// The one time that every member has.
fn common_time(context: &mut Context<'_>, made: &[String]) -> Option<When> {
    let mut times = made.iter().map(|url| {
        let entry = context.entry_mut(url)?;
        Some(entry.resource.get("effectiveDateTime")?.as_str()?.to_owned())
    });
    let first = times.next()??;
    times.all(|time| time.as_deref() == Some(first.as_str())).then_some(When::DateTime(first))
}

/// An observation that stands alone in its section; half a blood pressure becomes a whole one with its other half unknown.
///
/// template 3.52 -> category social-history;  3.25 -> survey
pub(super) fn observation_entry(context: &mut Context<'_>, element: Element<'_>) -> Vec<String> {
    if matches!(loinc(element), Some(SYSTOLIC | DIASTOLIC)) {
        return blood_pressure(context, element, None, None);
    }
    let categories = if element.has_template(template::SOCIAL_HISTORY) {
        vec![category("social-history")]
    } else if element.has_template(template::ASSESSMENT) {
        vec![category("survey")]
    } else {
        Vec::new()
    };
    single(context, element, None, categories).into_iter().collect()
}

/// The halves of one time and status together, each other one alone, its second half unknown.
fn blood_pressures(context: &mut Context<'_>, organizer: Element<'_>, halves: &[Element<'_>]) -> Vec<String> {
    let mut out = Vec::new();
    let mut used = vec![false; halves.len()];
    for (index, half) in halves.iter().enumerate() {
        if used.get(index).copied().unwrap_or(true) {
            continue;
        }
        let of_one = |other: &Element<'_>| {
            loinc(*other) != loinc(*half) && same_time(*other, *half) && status::code(*other) == status::code(*half)
        };
        let other = halves
            .iter()
            .enumerate()
            .skip(index.saturating_add(1))
            .find(|(at, other)| used.get(*at) == Some(&false) && of_one(other));
        if let Some((at, _)) = other
            && let Some(used) = used.get_mut(at)
        {
            *used = true;
        }
        out.extend(blood_pressure(context, *half, other.map(|(_, other)| *other), Some(organizer)));
    }
    out
}

fn same_time(one: Element<'_>, other: Element<'_>) -> bool {
    let time = |element: Element<'_>| {
        let time = element.child("effectiveTime");
        let bound = |name| time.and_then(|time| time.child(name)).and_then(|bound| bound.stated("value")).map(str::to_owned);
        (time.and_then(|time| time.stated("value")).map(str::to_owned), bound("low"), bound("high"))
    };
    time(one) == time(other)
}

/// observation 8480-6, 8462-4 -> Observation 85354-9, a component each; the half that is not there: dataAbsentReason unknown
///
/// Not to the day, in another unit or without number: each is an observation by itself, not judged (see `fit`).
pub(super) fn blood_pressure(
    context: &mut Context<'_>,
    one: Element<'_>,
    other: Option<Element<'_>>,
    organizer: Option<Element<'_>>,
) -> Vec<String> {
    let halves: Vec<Element<'_>> = std::iter::once(one).chain(other).collect();
    let parts = parts(context, one, organizer);
    let is_usable = |half: &Element<'_>| {
        let value = half.child("value");
        let unit = value.is_some_and(|value| value.xsi_type() == Some("PQ") && value.stated("unit") == Some("mm[Hg]"));
        let number = value.and_then(|value| value.stated("value")).and_then(super::super::datatypes::decimal).is_some();
        unit && number && !entry::is_denied(*half)
    };
    let status = status::observation(status::code(one), true);
    let (Some(status), true, true) = (status, is_to_the_day(parts.effective.as_ref()), halves.iter().all(is_usable)) else {
        return halves.into_iter().filter_map(|half| single(context, half, organizer, Vec::new())).collect();
    };
    let url = context.url(&one.path());
    let mut out = super::super::context::resource("Observation");
    let mut ids = Vec::new();
    for half in &halves {
        for id in identifiers(context, *half) {
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
    }
    set(&mut out, "identifier", Value::Array(ids));
    set(&mut out, "status", json!(status));
    set(&mut out, "category", json!([category("vital-signs")]));
    set(&mut out, "code", json!({"coding": [{"system": LOINC, "code": PRESSURE}]}));
    set(&mut out, "subject", Context::subject());
    if let Some(effective) = &parts.effective {
        effective.write(&mut out, "effective");
    }
    set(&mut out, "issued", context.issued.as_ref().map(|time| json!(time)));
    set(&mut out, "performer", Value::Array(parts.performers));
    let mut notes = parts.notes;
    if let Some(other) = other {
        notes.extend(super::observation::comments(context, other, &url));
    }
    set(&mut out, "note", Value::Array(notes));
    let components = [SYSTOLIC, DIASTOLIC].map(|code| {
        let half = halves.iter().find(|half| loinc(**half) == Some(code)).copied();
        component(context, code, half)
    });
    set(&mut out, "component", json!(components));
    context.add(one.path(), out);
    for half in halves {
        entry::claim(context, half, &url, &["id", "code", "text", "effectiveTime", "value", "interpretationCode"]);
        super::list_rest(context, half);
    }
    vec![url]
}

fn component(context: &mut Context<'_>, code: &str, half: Option<Element<'_>>) -> Value {
    let concept = half.and_then(|half| half.child("code")).and_then(|code| super::super::codes::concept(context, code));
    let mut out = Resource::new();
    set(&mut out, "code", concept.unwrap_or_else(|| json!({"coding": [{"system": LOINC, "code": code}]})));
    match half.and_then(|half| half.child("value")).and_then(|value| pq(context, value, None)) {
        Some(quantity) => set(&mut out, "valueQuantity", quantity),
        None => set(&mut out, "dataAbsentReason", super::super::codes::data_absent_reason("UNK")),
    }
    let mut meanings = Vec::new();
    for meaning in half.into_iter().flat_map(|half| half.children_named("interpretationCode")) {
        meanings.extend(super::super::codes::concept(context, meaning));
    }
    set(&mut out, "interpretation", Value::Array(meanings));
    Value::Object(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metres_become_centimetres_without_rounding() {
        for (metres, centimetres) in
            [("1.60", "160"), ("1.6", "160"), ("2", "200"), ("1.625", "162.5"), ("0.5", "50"), ("-1.5", "-150")]
        {
            assert_eq!(hundredfold(metres).map(|number| number.to_string()).as_deref(), Some(centimetres), "{metres}");
        }
        assert_eq!(hundredfold("1.6e1"), None);
    }
}
