//! Syntax of primitive values, as R4's regular expressions give it. <https://hl7.org/fhir/R4/datatypes.html#primitive>
use crate::fhir::IssueKind;
use crate::fhir::elements::Primitive;
use crate::fhir::xml::xhtml;
use serde_json::Value;

/// Greatest length of a string, in bytes: 1 MB. <https://hl7.org/fhir/R4/datatypes.html#string>
const STRING_MAX: usize = 1024 * 1024;

type Fault = (IssueKind, &'static str);

/// Judges a JSON value of this primitive type.
///
/// # Errors
/// `StructureInvalid` for the wrong JSON type, `ValueInvalid` for the wrong syntax.
pub fn check(kind: Primitive, value: &Value) -> Result<(), Fault> {
    match (kind, value) {
        (Primitive::Boolean, Value::Bool(_)) => Ok(()),
        (Primitive::Boolean, _) => Err((IssueKind::StructureInvalid, "Must be true or false")),
        (Primitive::Decimal | Primitive::Integer | Primitive::UnsignedInt | Primitive::PositiveInt, Value::Number(number)) => {
            numeric(kind, number.as_str())
        }
        (Primitive::Decimal | Primitive::Integer | Primitive::UnsignedInt | Primitive::PositiveInt, _) => {
            Err((IssueKind::StructureInvalid, "Must be a number"))
        }
        (_, Value::String(text)) => string(kind, text),
        (_, _) => Err((IssueKind::StructureInvalid, "Must be a string")),
    }
}

fn numeric(kind: Primitive, digits: &str) -> Result<(), Fault> {
    let least = match kind {
        Primitive::UnsignedInt => 0,
        Primitive::PositiveInt => 1,
        Primitive::Integer => i32::MIN,
        _ => return Ok(()),
    };
    match digits.parse::<i32>() {
        Ok(number) if number >= least && digits != "-0" => Ok(()),
        _ => Err((IssueKind::ValueInvalid, "Not an integer of the permitted range")),
    }
}

fn string(kind: Primitive, text: &str) -> Result<(), Fault> {
    let fault = |message| Err((IssueKind::ValueInvalid, message));
    if text.is_empty() {
        return Err((IssueKind::StructureInvalid, "A string has no character"));
    }
    if text.len() > STRING_MAX && !matches!(kind, Primitive::Base64Binary | Primitive::Xhtml) {
        return fault("Longer than 1 MB");
    }
    if text.bytes().any(|byte| byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r')) {
        return fault("Has a control character");
    }
    let no_space = !text.contains(|c: char| c.is_ascii_whitespace());
    match kind {
        Primitive::Base64Binary if !is_base64(text) => fault("Not base64"),
        Primitive::Canonical | Primitive::Uri | Primitive::Url if !no_space => fault("A URI has no white space"),
        Primitive::Code if !is_code(text) => fault("A code has no white space at its ends and single spaces inside"),
        Primitive::Date if !is_date(text) => fault("Not a date (YYYY, YYYY-MM or YYYY-MM-DD)"),
        Primitive::DateTime if !is_date_time(text) => {
            fault("Not a dateTime (YYYY, YYYY-MM, YYYY-MM-DD or YYYY-MM-DDThh:mm:ss with a zone)")
        }
        Primitive::Instant if !is_instant(text) => fault("Not an instant (YYYY-MM-DDThh:mm:ss with a zone)"),
        Primitive::Time if !is_time(text) => fault("Not a time (hh:mm:ss)"),
        Primitive::Id if !is_id(text) => fault("Not an id (1 to 64 of A-Z a-z 0-9 - .)"),
        Primitive::Oid if !is_oid(text) => fault("Not an oid (urn:oid:...)"),
        Primitive::Uuid if !is_uuid(text) => fault("Not a uuid (urn:uuid:..., lower case)"),
        Primitive::Xhtml => xhtml::check(text).map_err(|message| (IssueKind::ValueInvalid, message)),
        _ => Ok(()),
    }
}

/// `[A-Za-z0-9\-\.]{1,64}`
#[must_use]
pub fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
}

/// `[^\s]+(\s[^\s]+)*`
#[must_use]
pub fn is_code(text: &str) -> bool {
    text.split(|c: char| c.is_ascii_whitespace()).all(|word| !word.is_empty())
}

/// `urn:oid:[0-2](\.(0|[1-9][0-9]*))+`
#[must_use]
pub fn is_oid(text: &str) -> bool {
    let Some(mut arcs) = text.strip_prefix("urn:oid:").map(|oid| oid.split('.')) else { return false };
    let first = arcs.next().is_some_and(|arc| matches!(arc, "0" | "1" | "2"));
    let mut more = 0;
    let well_formed = arcs.all(|arc| {
        more += 1;
        arc == "0" || (!arc.is_empty() && !arc.starts_with('0') && arc.bytes().all(|byte| byte.is_ascii_digit()))
    });
    first && well_formed && more > 0
}

/// `urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`
#[must_use]
pub fn is_uuid(text: &str) -> bool {
    let Some(uuid) = text.strip_prefix("urn:uuid:") else { return false };
    let lengths = [8, 4, 4, 4, 12];
    let hexadecimal = |part: &str| part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    uuid.split('-').count() == lengths.len()
        && uuid.split('-').zip(lengths).all(|(part, length)| part.len() == length && hexadecimal(part))
}

/// Groups of four of the alphabet, padded at the end, with white space anywhere.
#[must_use]
pub fn is_base64(text: &str) -> bool {
    let mut count = 0_usize;
    let mut padding = 0_usize;
    for byte in text.bytes() {
        match byte {
            b'=' => padding += 1,
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' if padding == 0 => {}
            b' ' | b'\t' | b'\n' | b'\r' => continue,
            _ => return false,
        }
        count += 1;
    }
    count > 0 && count.is_multiple_of(4) && padding <= 2
}

/// Digits of exactly this length, as a number.
fn digits(text: Option<&str>, length: usize) -> Option<u32> {
    let text = text.filter(|text| text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit()))?;
    text.parse().ok()
}

/// A year, a month or a day that exists.
#[must_use]
pub fn is_date(text: &str) -> bool {
    let mut parts = text.split('-');
    let Some(year) = digits(parts.next(), 4).filter(|year| *year > 0) else { return false };
    let (month, day, more) = (parts.next(), parts.next(), parts.next());
    if more.is_some() {
        return false;
    }
    let Some(month) = month else { return true };
    let Some(month) = digits(Some(month), 2).filter(|month| (1..=12).contains(month)) else { return false };
    let Some(day) = day else { return true };
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let length = match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => 31,
    };
    digits(Some(day), 2).is_some_and(|day| (1..=length).contains(&day))
}

/// `hh:mm:ss`, with 60 for a leap second and any fraction.
#[must_use]
pub fn is_time(text: &str) -> bool {
    let (whole, fraction) = text.split_once('.').map_or((text, None), |(whole, fraction)| (whole, Some(fraction)));
    let mut parts = whole.split(':');
    let within = |part: Option<&str>, most: u32| digits(part, 2).is_some_and(|number| number <= most);
    within(parts.next(), 23)
        && within(parts.next(), 59)
        && within(parts.next(), 60)
        && parts.next().is_none()
        && fraction.is_none_or(|fraction| !fraction.is_empty() && fraction.bytes().all(|byte| byte.is_ascii_digit()))
}

/// `Z`, or an offset of 14 hours at most.
fn is_zone(text: &str) -> bool {
    let Some(offset) = text.strip_prefix(['+', '-']) else { return text == "Z" };
    let Some((hours, minutes)) = offset.split_once(':') else { return false };
    match (digits(Some(hours), 2), digits(Some(minutes), 2)) {
        (Some(hours), Some(minutes)) => (hours <= 13 && minutes <= 59) || (hours == 14 && minutes == 0),
        _ => false,
    }
}

/// A whole date, a time and a zone.
#[must_use]
pub fn is_instant(text: &str) -> bool {
    let Some((date, rest)) = text.split_once('T') else { return false };
    let Some(zone) = rest.find(['Z', '+', '-']) else { return false };
    let (Some(time), Some(zone)) = (rest.get(..zone), rest.get(zone..)) else { return false };
    date.len() == 10 && is_date(date) && is_time(time) && is_zone(zone)
}

/// A date, or an instant.
#[must_use]
pub fn is_date_time(text: &str) -> bool {
    is_date(text) || is_instant(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_all(matcher: fn(&str) -> bool, good: &[&str], bad: &[&str]) {
        for text in good {
            assert!(matcher(text), "{text:?} is good");
        }
        for text in bad {
            assert!(!matcher(text), "{text:?} is bad");
        }
    }

    #[test]
    fn dates_are_years_months_or_days_that_exist() {
        check_all(
            is_date,
            &["2024", "2024-02", "2024-02-29", "2000-02-29", "0001-01-01", "1999-12-31"],
            &[
                "",
                "24",
                "0000",
                "2023-02-29",
                "1900-02-29",
                "2024-13",
                "2024-00",
                "2024-4-1",
                "2024-04-31",
                "2024-01-01-01",
                "20240101",
                "2024-01-01T",
            ],
        );
    }

    #[test]
    fn date_times_with_a_time_have_seconds_and_a_zone() {
        check_all(
            is_date_time,
            &["2024", "2024-01-01", "2024-01-01T10:00:00Z", "2024-01-01T23:59:60.123456789+14:00", "2024-01-01T00:00:00-13:59"],
            &[
                "2024-01-01T10:00",
                "2024-01-01T10:00Z",
                "2024-01-01T10:00:00",
                "2024-01T10:00:00Z",
                "2024-01-01T24:00:00Z",
                "2024-01-01T10:00:00+14:01",
                "2024-01-01T10:00:00.Z",
                "2024-01-01 10:00:00Z",
                "2024-01-01T10:00:00z",
            ],
        );
        check_all(is_instant, &["2024-01-01T10:00:00.1Z"], &["2024-01-01", "2024", "2024-01-01T10:00:00"]);
        check_all(is_time, &["00:00:00", "23:59:60", "10:00:00.5"], &["10:00", "24:00:00", "10:00:00Z", "10:60:00", "10:00:00."]);
    }

    #[test]
    fn names_have_the_characters_of_their_type() {
        check_all(is_id, &["a", "A-1.b", &"a".repeat(64)], &["", "a b", "a_b", "é", &"a".repeat(65)]);
        check_all(is_code, &["a", "a b", "<="], &[" a", "a ", "a  b", ""]);
        check_all(
            is_oid,
            &["urn:oid:1.2.250.1.213", "urn:oid:0.0"],
            &["1.2", "urn:oid:3.1", "urn:oid:1", "urn:oid:1.02", "urn:oid:1..2"],
        );
        check_all(
            is_uuid,
            &["urn:uuid:b3f1a6a0-6f49-4a28-8b9c-7f8f9c7f0b11"],
            &[
                "urn:uuid:B3F1A6A0-6f49-4a28-8b9c-7f8f9c7f0b11",
                "b3f1a6a0-6f49-4a28-8b9c-7f8f9c7f0b11",
                "urn:uuid:b3f1a6a06f494a288b9c7f8f9c7f0b11",
            ],
        );
    }

    #[test]
    fn base64_is_whole_groups_of_four() {
        check_all(is_base64, &["QQ==", "QUI=", "QUJD", "QU\nJD QUJD"], &["@@@@", "QQ=", "QQ", "Q===", "QQ==QQ==", "QUJ_", ""]);
    }

    #[test]
    fn integers_have_neither_fraction_nor_exponent_and_fit_32_bits() {
        let judge = |kind, text: &str| check(kind, &serde_json::from_str(text).unwrap()).is_ok();
        for text in ["0", "2147483647", "-2147483648"] {
            assert!(judge(Primitive::Integer, text), "{text}");
        }
        for text in ["1.5", "1.0", "1e2", "2147483648", "99999999999", "-0", "\"1\"", "true"] {
            assert!(!judge(Primitive::Integer, text), "{text}");
        }
        assert!(judge(Primitive::UnsignedInt, "0") && !judge(Primitive::UnsignedInt, "-1"));
        assert!(judge(Primitive::PositiveInt, "1") && !judge(Primitive::PositiveInt, "0"));
        assert!(judge(Primitive::Decimal, "1e-7") && judge(Primitive::Decimal, "123456789012345678901234567890.10"));
        assert!(!judge(Primitive::Decimal, "\"1.0\""));
    }
}
