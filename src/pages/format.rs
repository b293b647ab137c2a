//! How a French reader writes dates, numbers, units, names and codes.
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

/// Time of metropolitan France by its rule, so that no time zone data need be installed.
fn france() -> TimeZone {
    TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap_or(TimeZone::UTC)
}

/// `2026-03-14T07:15:00Z` as `14/03/2026 à 08:15`, `2026-03` as `03/2026`; what is no FHIR date stays as it is.
pub(super) fn date(text: &str) -> String {
    if let (true, Ok(time)) = (text.contains('T'), text.parse::<Timestamp>()) {
        return time.to_zoned(france()).strftime("%d/%m/%Y à %H:%M").to_string();
    }
    let parts: Vec<&str> = text.split('T').next().unwrap_or(text).split('-').collect();
    match parts.as_slice() {
        [year, month, day] => format!("{day}/{month}/{year}"),
        [year, month] => format!("{month}/{year}"),
        _ => text.to_owned(),
    }
}

/// A decimal as it stands in the resource, every digit kept, with a comma; long whole parts in groups of three.
pub(super) fn decimal(value: &Value) -> String {
    match value {
        Value::Number(number) => grouped(&number.to_string().replace('.', ",")),
        Value::String(text) => text.clone(),
        _ => String::new(),
    }
}

fn grouped(number: &str) -> String {
    let (whole, rest) = number.split_at(number.find(|character: char| !character.is_ascii_digit()).unwrap_or(number.len()));
    if whole.len() < 5 {
        return number.to_owned();
    }
    let mut out = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out + rest
}

/// Lower case without the accents of French, for alphabetical order.
pub(super) fn folded(text: &str) -> String {
    let plain = |character| match character {
        'à' | 'â' | 'ä' => 'a',
        'é' | 'è' | 'ê' | 'ë' => 'e',
        'î' | 'ï' => 'i',
        'ô' | 'ö' => 'o',
        'ù' | 'û' | 'ü' => 'u',
        'ç' => 'c',
        other => other,
    };
    text.to_lowercase().chars().map(plain).collect()
}

/// UCUM units that a reader knows under another spelling; any other stays as the document wrote it.
pub(super) fn unit(ucum: &str) -> String {
    match ucum {
        "umol/L" => "µmol/L",
        "ug/L" => "µg/L",
        "ug/mL" => "µg/mL",
        "m[IU]/L" => "mUI/L",
        "[IU]/L" => "UI/L",
        "10*12/L" => "10¹²/L",
        "10*9/L" => "10⁹/L",
        "10*6/uL" => "10⁶/µL",
        "10*3/uL" => "10³/µL",
        "mL/min/{1.73_m2}" => "mL/min/1,73 m²",
        "[CFU]/mL" => "UFC/mL",
        other => other,
    }
    .to_owned()
}

/// Text of a CodeableConcept: its text, else the first display, else the first code.
pub(super) fn concept(value: &Value) -> Option<String> {
    let first = |name: &str| value.get("coding")?.as_array()?.iter().find_map(|coding| coding.get(name)?.as_str());
    let text = value.get("text").and_then(Value::as_str).or_else(|| first("display")).or_else(|| first("code"))?;
    Some(text.to_owned())
}

/// `Hélène ESSAI-MARRONNIER` of a HumanName.
pub(super) fn human_name(name: &Value) -> Option<String> {
    if let Some(text) = name.get("text").and_then(Value::as_str) {
        return Some(text.to_owned());
    }
    let given = name.get("given").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let words: Vec<&str> = given.chain(name.get("family").and_then(Value::as_str)).collect();
    (!words.is_empty()).then(|| words.join(" "))
}

/// Resources of a searchset that match, not those included.
pub(super) fn matches(bundle: &Value) -> impl Iterator<Item = &Value> {
    let entries = bundle.get("entry").and_then(Value::as_array).into_iter().flatten();
    entries
        .filter(|entry| entry.pointer("/search/mode").and_then(Value::as_str).is_none_or(|mode| mode == "match"))
        .filter_map(|entry| entry.get("resource"))
}

/// Whether the server has more than this page of the searchset.
pub(super) fn has_more(bundle: &Value) -> bool {
    let links = bundle.get("link").and_then(Value::as_array).into_iter().flatten();
    links.filter_map(|link| link.get("relation")?.as_str()).any(|relation| relation == "next")
}

/// Text at a JSON pointer.
pub(super) fn text<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer).and_then(Value::as_str)
}

/// Items of an array member.
pub(super) fn items<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    value.get(name).and_then(Value::as_array).into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn dates_are_french_and_keep_their_precision() {
        assert_eq!(date("2026-03-14T07:15:00Z"), "14/03/2026 à 08:15");
        assert_eq!(date("2026-07-14T08:15:00+02:00"), "14/07/2026 à 08:15");
        assert_eq!(date("2026-03-14"), "14/03/2026");
        assert_eq!(date("2026-03"), "03/2026");
        assert_eq!(date("2026"), "2026");
    }

    #[test]
    fn every_digit_of_a_decimal_is_kept() {
        let value: Value = serde_json::from_str("1.950").unwrap();
        assert_eq!(decimal(&value), "1,950");
        assert_eq!(decimal(&json!(1_000_000)), "1\u{202f}000\u{202f}000");
        assert_eq!(decimal(&json!(-12345)), "-12345");
    }

    #[test]
    fn the_text_of_a_concept_comes_before_its_display_and_code() {
        assert_eq!(concept(&json!({"text": "t", "coding": [{"display": "d"}]})).unwrap(), "t");
        assert_eq!(concept(&json!({"coding": [{"code": "c"}]})).unwrap(), "c");
        assert_eq!(concept(&json!({})), None);
    }
}
