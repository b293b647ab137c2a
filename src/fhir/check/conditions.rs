//! The invariants that need more than the presence of members, each under its key in R4.
use super::Object;
use super::invariants::has;
use crate::fhir::elements::TypeDefinition;
use crate::fhir::reference;
use serde_json::Value;
use std::collections::HashSet;

fn text<'a>(object: &'a Object, name: &str) -> Option<&'a str> {
    object.get(name).and_then(Value::as_str)
}

fn codings<'a>(object: &'a Object, name: &str) -> impl Iterator<Item = (Option<&'a str>, Option<&'a str>)> {
    let codings = object.get(name).and_then(|concept| concept.get("coding")?.as_array());
    codings
        .into_iter()
        .flatten()
        .map(|coding| (coding.get("system").and_then(Value::as_str), coding.get("code").and_then(Value::as_str)))
}

fn in_error(object: &Object, system: &str) -> bool {
    codings(object, "verificationStatus").any(|coding| coding == (Some(system), Some("entered-in-error")))
}

const AIT: &str = "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification";
const CON: &str = "http://terminology.hl7.org/CodeSystem/condition-ver-status";
const CLINICAL: &str = "http://terminology.hl7.org/CodeSystem/condition-clinical";
const UCUM: &str = "http://unitsofmeasure.org";

pub(super) fn ait_1(_: &TypeDefinition, object: &Object) -> bool {
    in_error(object, AIT) || object.contains_key("clinicalStatus")
}
pub(super) fn ait_2(_: &TypeDefinition, object: &Object) -> bool {
    !in_error(object, AIT) || !object.contains_key("clinicalStatus")
}
pub(super) fn app_2(definition: &TypeDefinition, object: &Object) -> bool {
    has(definition, object, "start") == has(definition, object, "end")
}
pub(super) fn con_4(definition: &TypeDefinition, object: &Object) -> bool {
    let ended = |code: &str| matches!(code, "resolved" | "remission" | "inactive");
    !has(definition, object, "abatement")
        || codings(object, "clinicalStatus").any(|(system, code)| system == Some(CLINICAL) && code.is_some_and(ended))
}
pub(super) fn con_5(_: &TypeDefinition, object: &Object) -> bool {
    !in_error(object, CON) || !object.contains_key("clinicalStatus")
}
pub(super) fn value_needs_code(_: &TypeDefinition, object: &Object) -> bool {
    (object.contains_key("code") || !object.contains_key("value")) && text(object, "system").is_none_or(|system| system == UCUM)
}
pub(super) fn drt_1(definition: &TypeDefinition, object: &Object) -> bool {
    !object.contains_key("code") || (text(object, "system") == Some(UCUM) && has(definition, object, "value"))
}
pub(super) fn grp_1(_: &TypeDefinition, object: &Object) -> bool {
    !object.contains_key("member") || object.get("actual") == Some(&Value::Bool(true))
}
pub(super) fn lnk_1(_: &TypeDefinition, object: &Object) -> bool {
    object.get("item").and_then(Value::as_array).is_none_or(|items| items.len() > 1)
}
pub(super) fn mdd_1(_: &TypeDefinition, object: &Object) -> bool {
    not_after(text(object, "whenPrepared"), text(object, "whenHandedOver"))
}
pub(super) fn obs_7(definition: &TypeDefinition, object: &Object) -> bool {
    let own: HashSet<_> = coding_keys(object).collect();
    let components = object.get("component").and_then(Value::as_array).into_iter().flatten();
    let mut codes = components.filter_map(Value::as_object).flat_map(coding_keys);
    !has(definition, object, "value") || !codes.any(|coding| own.contains(&coding))
}
/// The codings of `code`, as what two of them must share to be the same.
fn coding_keys(object: &Object) -> impl Iterator<Item = [Option<&str>; 4]> {
    let codings = object.get("code").and_then(|code| code.get("coding")?.as_array());
    let key = |coding| ["system", "version", "code", "display"].map(|name| Value::get(coding, name).and_then(Value::as_str));
    codings.into_iter().flatten().map(key)
}
fn is_home(object: &Object, name: &str) -> bool {
    let items = object.get(name).and_then(Value::as_array).into_iter().flatten();
    items.into_iter().any(|item| item.get("use").and_then(Value::as_str) == Some("home"))
}
pub(super) fn org_2(_: &TypeDefinition, object: &Object) -> bool {
    !is_home(object, "address")
}
pub(super) fn org_3(_: &TypeDefinition, object: &Object) -> bool {
    !is_home(object, "telecom")
}
pub(super) fn inv_1(definition: &TypeDefinition, object: &Object) -> bool {
    ["value", "resource", "part"].into_iter().filter(|name| has(definition, object, name)).count() == 1
}
pub(super) fn per_1(_: &TypeDefinition, object: &Object) -> bool {
    not_after(text(object, "start"), text(object, "end"))
}
pub(super) fn rat_1(_: &TypeDefinition, object: &Object) -> bool {
    let (numerator, denominator) = (object.contains_key("numerator"), object.contains_key("denominator"));
    numerator == denominator && (numerator || object.contains_key("extension"))
}
pub(super) fn task_inv_1(_: &TypeDefinition, object: &Object) -> bool {
    not_after(text(object, "authoredOn"), text(object, "lastModified"))
}
fn is_negative(object: &Object, name: &str) -> bool {
    matches!(object.get(name), Some(Value::Number(number)) if number.as_f64().is_some_and(|number| number < 0.0))
}
pub(super) fn tim_4(_: &TypeDefinition, object: &Object) -> bool {
    !is_negative(object, "duration")
}
pub(super) fn tim_5(_: &TypeDefinition, object: &Object) -> bool {
    !is_negative(object, "period")
}
pub(super) fn tim_9(_: &TypeDefinition, object: &Object) -> bool {
    let meals = |code: &Value| matches!(code.as_str(), Some("C" | "CM" | "CD" | "CV"));
    let when = object.get("when").and_then(Value::as_array);
    !object.contains_key("offset") || when.is_some_and(|when| !when.iter().any(meals))
}

/// Whether the first is not certainly after the second: what precision or a missing zone leaves open is accepted.
fn not_after(first: Option<&str>, second: Option<&str>) -> bool {
    let (Some(first), Some(second)) = (first, second) else { return true };
    if let (Ok(first), Ok(second)) = (first.parse::<jiff::Timestamp>(), second.parse::<jiff::Timestamp>()) {
        return first <= second;
    }
    let day = |text: &str| text.get(..10).and_then(|day| day.parse::<jiff::civil::Date>().ok());
    if first.contains('T') != second.contains('T')
        && let (Some(first), Some(second)) = (day(first), day(second))
    {
        // The zone of the one is unknown: a day's difference decides nothing.
        return first <= second.saturating_add(jiff::Span::new().days(1));
    }
    let length = first.len().min(second.len()).min(10);
    first.get(..length) <= second.get(..length)
}

fn items<'a>(object: &'a Object, name: &str) -> impl Iterator<Item = &'a Object> {
    object.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object)
}
fn number(value: Option<&Value>) -> Option<f64> {
    value.and_then(Value::as_f64)
}
pub(super) fn age_1(definition: &TypeDefinition, object: &Object) -> bool {
    value_needs_code(definition, object) && number(object.get("value")).is_none_or(|value| value > 0.0)
}
pub(super) fn app_3(definition: &TypeDefinition, object: &Object) -> bool {
    (has(definition, object, "start") && has(definition, object, "end"))
        || matches!(text(object, "status"), Some("proposed" | "cancelled" | "waitlist"))
}
pub(super) fn app_4(_: &TypeDefinition, object: &Object) -> bool {
    !object.contains_key("cancelationReason") || matches!(text(object, "status"), Some("no-show" | "cancelled"))
}
pub(super) fn cmd_1(_: &TypeDefinition, object: &Object) -> bool {
    object.contains_key("comment") || !matches!(text(object, "equivalence"), Some("narrower" | "inexact"))
}
pub(super) fn cmd_2(_: &TypeDefinition, object: &Object) -> bool {
    text(object, "mode") != Some("fixed") || object.contains_key("code")
}
pub(super) fn cmd_3(_: &TypeDefinition, object: &Object) -> bool {
    text(object, "mode") != Some("other-map") || object.contains_key("url")
}
pub(super) fn cnt_3(_: &TypeDefinition, object: &Object) -> bool {
    let value = object.get("value");
    (object.contains_key("code") || value.is_none())
        && text(object, "system").is_none_or(|system| system == UCUM)
        && text(object, "code").is_none_or(|code| code == "1")
        && !matches!(value, Some(Value::Number(number)) if number.to_string().contains('.'))
}
pub(super) fn csd_1(_: &TypeDefinition, object: &Object) -> bool {
    fn each<'a>(concepts: &'a Object, seen: &mut HashSet<&'a str>) -> bool {
        items(concepts, "concept")
            .all(|concept| text(concept, "code").is_none_or(|code| seen.insert(code)) && each(concept, seen))
    }
    each(object, &mut HashSet::new())
}
/// Where the reference does not say its type, it may be a Practitioner.
pub(super) fn ctm_1(_: &TypeDefinition, object: &Object) -> bool {
    let member = object.get("member");
    let member_type = member.and_then(|member| reference::named_type(member.get("reference")?.as_str()?));
    !object.contains_key("onBehalfOf") || member_type.is_none_or(|named| named.name() == "Practitioner")
}
pub(super) fn lst_2(_: &TypeDefinition, object: &Object) -> bool {
    text(object, "mode") == Some("changes") || !items(object, "entry").any(|entry| entry.contains_key("deleted"))
}
pub(super) fn lst_3(_: &TypeDefinition, object: &Object) -> bool {
    text(object, "mode") == Some("working") || !items(object, "entry").any(|entry| entry.contains_key("date"))
}
pub(super) fn mrp_1(_: &TypeDefinition, object: &Object) -> bool {
    text(object, "type") != Some("data-collection") || !object.contains_key("group")
}
pub(super) fn msq_3(_: &TypeDefinition, object: &Object) -> bool {
    object.get("coordinateSystem").and_then(Value::as_i64).is_none_or(|system| matches!(system, 0 | 1))
}
pub(super) fn msq_5(definition: &TypeDefinition, object: &Object) -> bool {
    has(definition, object, "chromosome") == has(definition, object, "genomeBuild")
}
pub(super) fn msq_6(definition: &TypeDefinition, object: &Object) -> bool {
    let names = ["genomeBuild", "referenceSeqId", "referenceSeqPointer", "referenceSeqString"];
    names.into_iter().filter(|name| has(definition, object, name)).count() == 1
}
pub(super) fn nsd_1(_: &TypeDefinition, object: &Object) -> bool {
    text(object, "kind") != Some("root") || !items(object, "uniqueId").any(|id| text(id, "type") == Some("uuid"))
}
pub(super) fn nsd_2(_: &TypeDefinition, object: &Object) -> bool {
    let mut seen = HashSet::new();
    let preferred = |id: &&Object| id.get("preferred") == Some(&Value::Bool(true));
    items(object, "uniqueId").filter(preferred).all(|id| seen.insert(text(id, "type")))
}
pub(super) fn ras_1(_: &TypeDefinition, object: &Object) -> bool {
    let percent = |end: &Value| {
        let member = |name| end.get(name).and_then(Value::as_str);
        member("code") == Some("%") && member("system") == Some(UCUM)
    };
    let range = object.get("probabilityRange");
    ["low", "high"].into_iter().all(|name| range.and_then(|range| range.get(name)).is_none_or(percent))
}
pub(super) fn ras_2(_: &TypeDefinition, object: &Object) -> bool {
    number(object.get("probabilityDecimal")).is_none_or(|probability| probability <= 100.0)
}
/// Ends in different units are not compared.
pub(super) fn rng_2(_: &TypeDefinition, object: &Object) -> bool {
    let member = |end: &str, name: &str| object.get(end).and_then(|end| end.get(name));
    let comparable = ["system", "code", "unit"].into_iter().all(|name| member("low", name) == member("high", name));
    match (number(member("low", "value")), number(member("high", "value"))) {
        (Some(low), Some(high)) if comparable => low <= high,
        _ => true,
    }
}
pub(super) fn trd_3(definition: &TypeDefinition, object: &Object) -> bool {
    let needed = match text(object, "type") {
        Some("named-event") => "name",
        Some("periodic") => "timing",
        Some(kind) if kind.starts_with("data-") => "data",
        Some(_) | None => return true,
    };
    has(definition, object, needed)
}
pub(super) fn vsd_9(_: &TypeDefinition, object: &Object) -> bool {
    object.contains_key("code") || object.get("abstract") == Some(&Value::Bool(true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_refused_only_when_the_start_is_certainly_later() {
        let good = [
            ("2024", "2024-01-01"),
            ("2024-06-01", "2024"),
            ("2024-01-02T00:30:00+01:00", "2024-01-01"),
            ("2024-01-01T10:00:00+02:00", "2024-01-01T09:00:00Z"),
            ("2024-01-01", "2024-01-01"),
        ];
        let bad = [
            ("2024-02-01", "2024-01-01"),
            ("2025", "2024-12"),
            ("2024-01-01T10:00:00Z", "2024-01-01T11:00:00+02:00"),
            ("2024-01-03T00:30:00+01:00", "2024-01-01"),
        ];
        for (start, end) in good {
            assert!(not_after(Some(start), Some(end)), "{start} {end}");
        }
        for (start, end) in bad {
            assert!(!not_after(Some(start), Some(end)), "{start} {end}");
        }
    }
}
