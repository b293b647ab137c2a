//! Datatypes of CDA as datatypes of FHIR (C4).
use super::context::Context;
use super::issue::IssueCode;
use crate::cda::{Element, Id};
use crate::fhir::Resource;
use serde_json::{Map, Number, Value, json};
use std::collections::HashMap;
use std::sync::LazyLock;

/// Extension that says why a value is absent.
pub(super) const DATA_ABSENT: &str = "http://hl7.org/fhir/StructureDefinition/data-absent-reason";
/// Extension with the same quantity in another unit.
const PQ_TRANSLATION: &str = "http://hl7.org/fhir/StructureDefinition/iso21090-PQ-translation";
const UCUM: &str = "http://unitsofmeasure.org";
const EDQM: &str = "http://standardterms.edqm.eu";

/// II -> Identifier.
///
/// root OID + extension  -> system `urn:oid:root`, value
/// root UUID + extension -> system `urn:uuid:root` in lower case, value
/// root alone            -> system `urn:ietf:rfc:3986`, value its URI
/// root of another kind  -> value alone
pub(super) fn identifier(id: &Id) -> Option<Value> {
    match (id.root_uri(), id.extension.as_deref()) {
        (Some(system), Some(value)) => Some(json!({"system": system, "value": value})),
        (Some(uri), None) => Some(json!({"system": "urn:ietf:rfc:3986", "value": uri})),
        (None, Some(value)) => Some(json!({"value": value})),
        (None, None) if !id.root.is_empty() => Some(json!({"value": id.root})),
        (None, None) => None,
    }
}

/// Identifiers of an element that is no person: those of persons and structures are left out (R9).
pub(super) fn identifiers(context: &mut Context<'_>, element: Element<'_>) -> Vec<Value> {
    let mut out = Vec::new();
    for child in element.children_named("id") {
        let Some(id) = child.as_id() else { continue };
        if id.root.starts_with("1.2.250.1.71.4.2.") {
            context.issue(IssueCode::IdentifierOfPerson, child);
            continue;
        }
        out.extend(identifier(&id));
    }
    out
}

/// How precise a time is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    Exact,
    Truncated,
}

/// TS -> date or dateTime of the stated precision.
///
/// 4, 6, 8 digits -> date of that precision; 12 or 14 with a zone -> dateTime; without a usable zone -> the day.
fn timestamp(text: &str) -> Option<(String, Reading)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (clock, zone) = text.split_at_checked(end)?;
    let (digits, fraction) = clock.split_once('.').map_or((clock, ""), |(digits, fraction)| (digits, fraction));
    let number = |range: std::ops::Range<usize>| digits.get(range)?.parse::<i16>().ok();
    let year = digits.get(..4)?;
    match digits.len() {
        4 => return Some((year.to_owned(), Reading::Exact)),
        6 | 8 | 10 | 12 | 14 => {}
        _other => return None,
    }
    let month = i8::try_from(number(4..6)?).ok()?;
    let day = if digits.len() == 6 { 1 } else { i8::try_from(number(6..8)?).ok()? };
    jiff::civil::Date::new(number(0..4)?, month, day).ok()?;
    if digits.len() == 6 {
        return Some((format!("{year}-{month:02}"), Reading::Exact));
    }
    let date = format!("{year}-{month:02}-{day:02}");
    if digits.len() == 8 {
        return Some((date, Reading::Exact));
    }
    let (hour, minute) = (number(8..10)?, if digits.len() > 10 { number(10..12)? } else { 0 });
    let second = if digits.len() == 14 { number(12..14)? } else { 0 };
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    match zone_of(zone) {
        Some(zone) if digits.len() >= 12 => {
            let fraction = if fraction.is_empty() { String::new() } else { format!(".{fraction}") };
            Some((format!("{date}T{hour:02}:{minute:02}:{second:02}{fraction}{zone}"), Reading::Exact))
        }
        Some(_) | None => Some((date, Reading::Truncated)),
    }
}

fn zone_of(zone: &str) -> Option<String> {
    if zone == "Z" {
        return Some("Z".to_owned());
    }
    let sign = zone.get(..1).filter(|sign| matches!(*sign, "+" | "-"))?;
    let digits = zone.get(1..).filter(|digits| digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    let (hours, minutes) = (digits.get(..2)?, digits.get(2..)?);
    (hours.parse::<u8>().ok()? <= 14 && minutes.parse::<u8>().ok()? <= 59).then(|| format!("{sign}{hours}:{minutes}"))
}

/// A TS element -> dateTime; `None` where it states none.
pub(super) fn date_time(context: &mut Context<'_>, element: Element<'_>) -> Option<String> {
    let text = element.stated("value")?;
    match timestamp(text) {
        Some((time, Reading::Exact)) => Some(time),
        Some((time, Reading::Truncated)) => {
            context.issue(IssueCode::DateTruncated, element);
            Some(time)
        }
        None => {
            context.issue(IssueCode::DateUnreadable, element);
            None
        }
    }
}

/// A TS element -> instant; absent where it has no time with a zone.
pub(super) fn instant(context: &mut Context<'_>, element: Element<'_>) -> Option<String> {
    date_time(context, element).filter(|time| time.contains('T'))
}

/// When something was: `effective[x]`, `performed[x]`, `collected[x]` in their two forms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum When {
    /// One time.
    DateTime(String),
    /// From, to.
    Period(Option<String>, Option<String>),
}

impl When {
    /// Writes it as `<name>DateTime` or `<name>Period`.
    pub(super) fn write(&self, resource: &mut Resource, name: &str) {
        match self {
            Self::DateTime(time) => resource.insert(format!("{name}DateTime"), json!(time)),
            Self::Period(..) => resource.insert(format!("{name}Period"), self.period()),
        };
    }
    /// As a Period.
    pub(super) fn period(&self) -> Value {
        let (start, end) = match self {
            Self::DateTime(time) => (Some(time), None),
            Self::Period(start, end) => (start.as_ref(), end.as_ref()),
        };
        let mut out = Map::new();
        if let Some(start) = start {
            out.insert("start".into(), json!(start));
        }
        if let Some(end) = end {
            out.insert("end".into(), json!(end));
        }
        Value::Object(out)
    }
}

/// TS or IVL_TS -> dateTime or Period; `None` where it states no time (nullFlavor on both bounds too).
///
/// low and width -> an end, computed;  center -> no time, an issue;  an end before the start: no time, an issue
pub(super) fn when(context: &mut Context<'_>, element: Element<'_>) -> Option<When> {
    if let Some(time) = date_time(context, element) {
        return Some(When::DateTime(time));
    }
    let mut bound = |name| element.child(name).and_then(|bound| date_time(context, bound));
    let (low, mut high) = (bound("low"), bound("high"));
    if let (Some(low), None, Some(width)) = (&low, &high, element.child("width")) {
        high = super::timing::end_of_width(context, low, width);
    }
    if low.is_none()
        && high.is_none()
        && let Some(center) = element.child("center").filter(|center| center.stated("value").is_some())
    {
        // The middle of an interval is no time at which something was.
        context.issue(IssueCode::ValueNotTranslated, center);
    }
    match (low, high) {
        (None, None) => None,
        (Some(low), Some(high)) if !is_in_order(&low, &high) => {
            context.issue(IssueCode::PeriodBackwards, element);
            None
        }
        (low, high) => Some(When::Period(low, high)),
    }
}

/// Whether a period may start and end so (per-1).
fn is_in_order(low: &str, high: &str) -> bool {
    let zone = crate::fhir::datetime::paris();
    let read = |text| crate::fhir::datetime::parse(text, &zone);
    read(low).zip(read(high)).is_none_or(|(low, high)| low.lo < high.hi)
}

/// As [`when`], but an end alone is the time itself: collections and validations.
pub(super) fn when_done(context: &mut Context<'_>, element: Element<'_>) -> Option<When> {
    match when(context, element)? {
        When::Period(None, Some(high)) => Some(When::DateTime(high)),
        other @ (When::DateTime(_) | When::Period(..)) => Some(other),
    }
}

/// A real number of CDA with its digits as they are; `None` for what is no number.
pub(super) fn decimal(text: &str) -> Option<Number> {
    let text = text.trim();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let exponent = digits.find(['e', 'E']).unwrap_or(digits.len());
    let (mantissa, exponent) = digits.split_at_checked(exponent)?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    let point = if fraction.is_empty() { "" } else { "." };
    serde_json::from_str(&format!("{sign}{whole}{point}{fraction}{exponent}")).ok()
}

static UNITS: LazyLock<HashMap<&'static str, Option<&'static str>>> = LazyLock::new(|| {
    let rows = super::codes::rows(include_str!("../../schema/units.tsv"));
    rows.filter_map(|mut row| Some((row.next()?, row.next().filter(|code| *code != "-")))).collect()
});

/// Bytes of a unit that may be a code; UCUM compares an unknown one with every unit that it has.
pub(super) const UNIT: usize = 64;

/// The code of a stated unit: EDQM for eight digits, otherwise UCUM where that is valid and means the same.
fn unit_code(unit: &str) -> Option<(&'static str, String)> {
    if unit.len() == 8 && unit.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some((EDQM, unit.to_owned()));
    }
    if let Some(meant) = UNITS.get(unit) {
        return meant.map(|code| (UCUM, code.to_owned()));
    }
    // UCUM is ASCII; the crate would also take what it can guess.
    (unit.len() <= UNIT && unit.is_ascii() && octofhir_ucum::validate(unit).is_ok()).then(|| (UCUM, unit.to_owned()))
}

fn quantity(context: &mut Context<'_>, value: Number, comparator: Option<&str>, unit: Option<&str>) -> Map<String, Value> {
    let mut out = Map::new();
    out.insert("value".into(), Value::Number(value));
    if let Some(comparator) = comparator {
        out.insert("comparator".into(), json!(comparator));
    }
    if let Some(unit) = unit {
        out.insert("unit".into(), json!(unit));
        if let Some((system, code)) = context.unit_code(unit, unit_code) {
            out.insert("system".into(), json!(system));
            out.insert("code".into(), json!(code));
        }
    }
    out
}

/// PQ, or a bound of IVL_PQ -> Quantity; `translation` (value, unit in @code) -> extension iso21090-PQ-translation.
///
/// The unit is kept as written; its code is written only where it is a valid and right UCUM or EDQM code.
pub(super) fn pq(context: &mut Context<'_>, element: Element<'_>, comparator: Option<&str>) -> Option<Value> {
    let text = element.stated("value")?;
    let Some(value) = decimal(text) else {
        context.issue(IssueCode::NumberUnreadable, element);
        return None;
    };
    let unit = element.stated("unit").or_else(|| element.stated("code"));
    let mut out = Map::new();
    let mut translations = Vec::new();
    for translation in element.children_named("translation").take(super::codes::TRANSLATIONS) {
        let Some(value) = translation.stated("value").and_then(decimal) else { continue };
        let unit = translation.stated("code").or_else(|| translation.stated("unit"));
        translations.push(json!({"url": PQ_TRANSLATION, "valueQuantity": quantity(context, value, None, unit)}));
    }
    if !translations.is_empty() {
        out.insert("extension".into(), Value::Array(translations));
    }
    out.extend(quantity(context, value, comparator, unit));
    Some(Value::Object(out))
}

/// An interval of quantities.
pub(super) enum Interval {
    /// Both bounds.
    Range(Value),
    /// One bound, with its comparator.
    Quantity(Value),
}

/// The bounds of an IVL_PQ that state a value.
pub(super) fn bounds(element: Element<'_>) -> (Option<Element<'_>>, Option<Element<'_>>) {
    let bound = |name| element.child(name).filter(|bound: &Element<'_>| bound.stated("value").is_some());
    (bound("low"), bound("high"))
}

/// Whether an IVL_PQ says its bounds by center or width: no bound that it lacks is open then.
pub(super) fn has_center_or_width(element: Element<'_>) -> bool {
    element.child("center").is_some() || element.child("width").is_some()
}

/// IVL_PQ -> both bounds Range; one bound Quantity with comparator (`>=` `<=`, exclusive `>` `<`; inclusive by default).
///
/// A bound that is stated and unreadable, center or width: nothing, since a bound that is not there would be open.
pub(super) fn ivl_pq(context: &mut Context<'_>, element: Element<'_>) -> Option<Interval> {
    if has_center_or_width(element) {
        return None;
    }
    match bounds(element) {
        (Some(low), Some(high)) => {
            let exclusive = is_exclusive(low) || is_exclusive(high);
            let (low, high) = (pq(context, low, None), pq(context, high, None));
            let (low, high) = (low?, high?);
            if is_upside_down(&low, &high) {
                return None;
            }
            let range = json!({"low": low, "high": high});
            if exclusive {
                context.issue(IssueCode::BoundExclusive, element);
            }
            Some(Interval::Range(range))
        }
        (Some(low), None) => pq(context, low, Some(if is_exclusive(low) { ">" } else { ">=" })).map(Interval::Quantity),
        (None, Some(high)) => pq(context, high, Some(if is_exclusive(high) { "<" } else { "<=" })).map(Interval::Quantity),
        (None, None) => pq(context, element, None).map(Interval::Quantity),
    }
}

/// Whether the low bound is above the high one in the same unit (rng-2): then it is no range, and neither bound can be trusted.
pub(super) fn is_upside_down(low: &Value, high: &Value) -> bool {
    let number = |bound: &Value| bound.get("value").and_then(Value::as_f64);
    let same_unit = ["system", "code", "unit"].iter().all(|name| low.get(name) == high.get(name));
    same_unit && number(low).zip(number(high)).is_some_and(|(low, high)| low > high)
}

/// Whether a bound says that its own value is outside.
pub(super) fn is_exclusive(bound: Element<'_>) -> bool {
    bound.stated("inclusive") == Some("false")
}

/// RTO -> Ratio; `None` where a side is empty.
pub(super) fn ratio(context: &mut Context<'_>, element: Element<'_>) -> Option<Value> {
    let numerator = element.child("numerator").and_then(|side| pq(context, side, None))?;
    let denominator = element.child("denominator").and_then(|side| pq(context, side, None))?;
    Some(json!({"numerator": numerator, "denominator": denominator}))
}

/// nullFlavor -> code of data-absent-reason; OTHER flavours than the listed say no more than `unknown`.
pub(super) fn absent_reason(null_flavor: &str) -> &'static str {
    match null_flavor {
        "ASKU" => "asked-unknown",
        "NA" => "not-applicable",
        "NASK" => "not-asked",
        "NAV" => "temp-unknown",
        "MSK" => "masked",
        "NINF" => "negative-infinity",
        "PINF" => "positive-infinity",
        _other => "unknown",
    }
}

/// The data-absent-reason extension as an object that stands for the absent element.
pub(super) fn absent(null_flavor: &str) -> Value {
    json!({"extension": [{"url": DATA_ABSENT, "valueCode": absent_reason(null_flavor)}]})
}

/// AD -> Address.
///
/// houseNumber streetNameType streetName -> first line; streetAddressLine, unitID, additionalLocator, postBox -> lines
/// city, postalCode, state, country      -> the same; county -> district
pub(super) fn address(element: Element<'_>) -> Option<Value> {
    if let Some(flavor) = element.stated("nullFlavor") {
        return Some(absent(flavor));
    }
    let part = |name: &str| element.child(name).map(Element::text).filter(|text| !text.is_empty());
    let street: Vec<String> = ["houseNumber", "streetNameType", "streetName"].into_iter().filter_map(part).collect();
    let mut lines: Vec<String> = element.children_named("streetAddressLine").map(Element::text).collect();
    if !street.is_empty() {
        lines.insert(0, street.join(" "));
    }
    lines.extend(["unitID", "additionalLocator", "postBox"].into_iter().filter_map(part));
    lines.retain(|line| !line.is_empty());
    let mut out = Map::new();
    match element.stated("use") {
        Some("H" | "HP" | "HV") => out.insert("use".into(), json!("home")),
        Some("WP" | "DIR" | "PUB") => out.insert("use".into(), json!("work")),
        Some("TMP") => out.insert("use".into(), json!("temp")),
        Some("BAD") => out.insert("use".into(), json!("old")),
        Some(_) | None => None,
    };
    if !lines.is_empty() {
        out.insert("line".into(), json!(lines));
    }
    for (cda, fhir) in
        [("city", "city"), ("county", "district"), ("state", "state"), ("postalCode", "postalCode"), ("country", "country")]
    {
        if let Some(text) = part(cda) {
            out.insert(fhir.into(), json!(text));
        }
    }
    if out.keys().all(|key| key == "use") {
        let text = element.text();
        if text.is_empty() {
            return None;
        }
        out.insert("text".into(), json!(text));
    }
    Some(Value::Object(out))
}

/// TEL -> ContactPoint.
pub(super) fn telecom(element: Element<'_>) -> Option<Value> {
    let Some(text) = element.stated("value") else { return element.stated("nullFlavor").map(absent) };
    let (system, value) = match text.split_once(':') {
        Some(("tel", value)) => ("phone", value),
        Some(("fax", value)) => ("fax", value),
        Some(("mailto", value)) => ("email", value),
        Some(("http" | "https" | "ftp", _)) => ("url", text),
        Some(_) | None => ("other", text),
    };
    if value.trim().is_empty() {
        return None;
    }
    let mut out = Map::new();
    out.insert("system".into(), json!(system));
    out.insert("value".into(), json!(value.trim()));
    match element.stated("use") {
        Some("H" | "HP" | "HV") => out.insert("use".into(), json!("home")),
        Some("WP" | "DIR" | "PUB") => out.insert("use".into(), json!("work")),
        Some("MC") => out.insert("use".into(), json!("mobile")),
        Some("TMP") => out.insert("use".into(), json!("temp")),
        Some("BAD") => out.insert("use".into(), json!("old")),
        Some(_) | None => None,
    };
    Some(Value::Object(out))
}

/// PN -> HumanNames: BR is the birth name (official), CL the used one (usual); one CDA `name` may hold both.
pub(super) fn human_names(element: Element<'_>) -> Vec<Value> {
    let part =
        |name: &str| -> Vec<String> { element.children_named(name).map(Element::text).filter(|text| !text.is_empty()).collect() };
    let (prefix, suffix) = (part("prefix"), part("suffix"));
    let mut out = Vec::new();
    let named = |family: Option<&String>, given: Vec<&String>, name_use: Option<&str>| {
        let mut name = Map::new();
        if let Some(name_use) = name_use {
            name.insert("use".into(), json!(name_use));
        }
        if let Some(family) = family {
            name.insert("family".into(), json!(family));
        }
        for (key, parts) in [("given", given), ("prefix", prefix.iter().collect()), ("suffix", suffix.iter().collect())] {
            if !parts.is_empty() {
                name.insert(key.into(), json!(parts));
            }
        }
        (family.is_some() || name.contains_key("given")).then(|| Value::Object(name))
    };
    let qualified = |name: &str, qualifier: Option<&str>| -> Option<String> {
        element
            .children_named(name)
            .find(|part| part.stated("qualifier") == qualifier)
            .map(Element::text)
            .filter(|text| !text.is_empty())
    };
    let birth = (qualified("family", Some("BR")), qualified("given", Some("BR")));
    let used = (qualified("family", Some("CL")), qualified("given", Some("CL")));
    if birth.0.is_some() || birth.1.is_some() {
        let given = birth.1.clone().or_else(|| qualified("given", None));
        out.extend(named(birth.0.as_ref(), given.iter().collect(), Some("official")));
    }
    if used.0.is_some() || used.1.is_some() {
        out.extend(named(used.0.as_ref(), used.1.iter().collect(), Some("usual")));
    }
    if out.is_empty() {
        let family = part("family");
        let given = part("given");
        out.extend(named(family.first(), given.iter().collect(), None));
        let text = element.text();
        if out.is_empty() && !text.is_empty() {
            out.push(json!({"text": text}));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ts(text: &str) -> Option<String> {
        timestamp(text).map(|(time, _)| time)
    }

    #[test]
    fn a_time_keeps_the_precision_that_it_states() {
        assert_eq!(ts("1975").as_deref(), Some("1975"));
        assert_eq!(ts("197503").as_deref(), Some("1975-03"));
        assert_eq!(ts("19750328").as_deref(), Some("1975-03-28"));
        assert_eq!(ts("202401041120+0100").as_deref(), Some("2024-01-04T11:20:00+01:00"));
        assert_eq!(ts("20240104112033+0100").as_deref(), Some("2024-01-04T11:20:33+01:00"));
        assert_eq!(ts("20240104112033.250-0500").as_deref(), Some("2024-01-04T11:20:33.250-05:00"));
    }

    #[test]
    fn a_time_without_a_usable_zone_is_kept_to_the_day() {
        assert_eq!(timestamp("20231224100000"), Some(("2023-12-24".to_owned(), Reading::Truncated)));
        assert_eq!(timestamp("20240106113623+100"), Some(("2024-01-06".to_owned(), Reading::Truncated)));
    }

    #[test]
    fn what_is_no_date_is_no_date() {
        for text in ["", "20241301", "20230229", "2024010425", "202401042560+0100", "hier", "20240104115", "é2024"] {
            assert_eq!(ts(text), None, "{text}");
        }
    }

    #[test]
    fn a_number_keeps_its_digits() {
        for (text, expected) in
            [("75.0", "75.0"), ("1.950", "1.950"), (".5", "0.5"), ("5.", "5"), ("+5", "5"), ("-0.50", "-0.50"), ("007", "7")]
        {
            assert_eq!(decimal(text).map(|number| number.to_string()).as_deref(), Some(expected), "{text}");
        }
        for text in ["", "-", ".", "1,5", "<5", "INF", "1e", "0x1"] {
            assert_eq!(decimal(text), None, "{text}");
        }
    }

    #[test]
    fn a_unit_has_a_code_only_where_the_code_means_the_unit() {
        let code = |unit| unit_code(unit).map(|(system, code)| format!("{system}|{code}"));
        for unit in ["m[IU]/L", "/mL", "%", "{ratio}", "{tablet}", "{pack}/a", "ug/mL", "g/L", "mmol/L", "umol/L"] {
            assert_eq!(code(unit), Some(format!("{UCUM}|{unit}")));
        }
        assert_eq!(code("G/L"), Some(format!("{UCUM}|10*9/L")));
        assert_eq!(code("UI/L"), Some(format!("{UCUM}|[IU]/L")));
        assert_eq!(code("30009000"), Some(format!("{EDQM}|30009000")));
        let long = "mmol/L.".repeat(10_000);
        for unit in ["semaines", "mmol / L", "G", "mcg", "cp", &long] {
            assert_eq!(code(unit), None, "{unit}");
        }
    }

    #[test]
    fn every_unit_of_the_table_leads_to_valid_ucum() {
        for (unit, code) in UNITS.iter() {
            assert!(code.is_none_or(|code| octofhir_ucum::validate(code).is_ok()), "{unit}");
        }
    }
}
