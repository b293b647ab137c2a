//! Dates of FHIR as intervals of time: `2024-03` is the whole of March.
//!
//! Search, access rules and clinical dates compare these intervals, never the text. A date or time without a zone is of
//! the setting `time_zone`. <https://hl7.org/fhir/R4/search.html#date>
use super::Resource;
use crate::clock::Millis;
use jiff::civil;
use jiff::tz::TimeZone;
use serde_json::Value;
use std::sync::LazyLock;

/// From `lo` until just before `hi`, in milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    /// First millisecond.
    pub lo: i64,
    /// First millisecond after.
    pub hi: i64,
}

impl Interval {
    /// `lo` of a period without start: before every date, and exact as a float8.
    pub const FIRST: i64 = -8_000_000_000_000_000;
    /// `hi` of a period without end.
    pub const LAST: i64 = 8_000_000_000_000_000;
}

/// Europe/Paris, from the table compiled in (no zoneinfo of the machine is read for it).
#[must_use]
pub fn paris() -> TimeZone {
    static PARIS: LazyLock<TimeZone> = LazyLock::new(|| time_zone("Europe/Paris").unwrap_or(TimeZone::UTC));
    PARIS.clone()
}

/// The zone of this IANA name, from the table compiled in, so that the same text means the same time on every machine.
#[must_use]
pub fn time_zone(name: &str) -> Option<TimeZone> {
    jiff::tz::TimeZoneDatabase::bundled().get(name).ok()
}

/// Where a date, dateTime or instant starts and ends; `None` for what is none.
///
/// Minutes must be there where hours are; seconds need not. A blank before the offset is taken for the `+` that a URL
/// turns into a blank.
#[must_use]
pub fn parse(text: &str, zone: &TimeZone) -> Option<Interval> {
    if !text.is_ascii() || text.len() > 40 {
        return None;
    }
    match text.split_once('T') {
        None => day_interval(text, zone),
        Some((date, time)) => time_interval(date, time, zone),
    }
}

/// Where a Period starts and ends; open ends reach to [`Interval::FIRST`] and [`Interval::LAST`].
///
/// `None` where neither end is there, or one of them is no date.
#[must_use]
pub fn period(period: &Resource, zone: &TimeZone) -> Option<Interval> {
    let bound = |name: &str| period.get(name).and_then(Value::as_str).map(|text| parse(text, zone));
    match (bound("start"), bound("end")) {
        (None, None) | (Some(None), _) | (_, Some(None)) => None,
        (start, end) => Some(Interval {
            lo: start.flatten().map_or(Interval::FIRST, |start| start.lo),
            hi: end.flatten().map_or(Interval::LAST, |end| end.hi),
        }),
    }
}

/// Where a Timing starts and ends: its events and `repeat.bounds`.
#[must_use]
pub fn timing(timing: &Resource, zone: &TimeZone) -> Option<Interval> {
    let events = timing.get("event").and_then(Value::as_array).into_iter().flatten();
    let events = events.filter_map(|event| parse(event.as_str()?, zone));
    let bounds = timing.get("repeat").and_then(|repeat| repeat.get("boundsPeriod")).and_then(Value::as_object);
    let bounds = bounds.and_then(|bounds| period(bounds, zone));
    events.chain(bounds).reduce(|a, b| Interval { lo: a.lo.min(b.lo), hi: a.hi.max(b.hi) })
}

/// First millisecond after the day on which this date ends: `Consent.period.end` includes its day (BR-19).
///
/// For `2024-03` that is after the last day of March. `None` for what is no date.
#[must_use]
pub fn day_end(text: &str, zone: &TimeZone) -> Option<Millis> {
    let last = parse(text, zone)?.hi.checked_sub(1)?;
    let day = jiff::Timestamp::from_millisecond(last).ok()?.to_zoned(zone.clone()).date();
    start_of(day.tomorrow().ok()?.at(0, 0, 0, 0), zone).map(Millis)
}

fn start_of(time: civil::DateTime, zone: &TimeZone) -> Option<i64> {
    match zone.to_ambiguous_timestamp(time).compatible() {
        Ok(start) => Some(start.as_millisecond()),
        // 9999-12-31, which many write for "no end", is past the last timestamp that zones are known for.
        Err(_) => i64::try_from(time.duration_since(civil::date(1970, 1, 1).at(0, 0, 0, 0)).as_millis()).ok(),
    }
}

/// A number of exactly this many digits.
fn digits<T: std::str::FromStr>(text: &str, length: usize) -> Option<T> {
    (text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

fn day_interval(text: &str, zone: &TimeZone) -> Option<Interval> {
    let mut parts = text.split('-');
    let year: i16 = digits(parts.next()?, 4).filter(|year| *year > 0)?;
    let (month, day) = (parts.next(), parts.next());
    if parts.next().is_some() {
        return None;
    }
    let (first, after) = match (month, day) {
        (None, _) => (civil::Date::new(year, 1, 1).ok()?, (year < 9999).then(|| civil::Date::new(year + 1, 1, 1).ok())),
        (Some(month), None) => {
            let first = civil::Date::new(year, digits(month, 2)?, 1).ok()?;
            (first, Some(first.last_of_month().tomorrow().ok()))
        }
        (Some(month), Some(day)) => {
            let date = civil::Date::new(year, digits(month, 2)?, digits(day, 2)?).ok()?;
            (date, Some(date.tomorrow().ok()))
        }
    };
    let lo = start_of(first.at(0, 0, 0, 0), zone)?;
    // After the last day of 9999 there is no date.
    let hi = after.flatten().and_then(|after| start_of(after.at(0, 0, 0, 0), zone)).unwrap_or(Interval::LAST);
    Some(Interval { lo, hi })
}

fn time_interval(date: &str, time: &str, zone: &TimeZone) -> Option<Interval> {
    let (clock, offset) = split_offset(time)?;
    let mut parts = clock.split(':');
    let (hour, minute, second) = (digits::<i8>(parts.next()?, 2)?, digits::<i8>(parts.next()?, 2)?, parts.next());
    if parts.next().is_some() {
        return None;
    }
    let (second, millis, width) = match second {
        None => (0, 0, 60_000),
        Some(text) => seconds(text)?,
    };
    let mut day = date.split('-');
    let (year, month, dayn) = (digits::<i16>(day.next()?, 4)?, digits(day.next()?, 2)?, digits(day.next()?, 2)?);
    if day.next().is_some() || year == 0 {
        return None;
    }
    let local = civil::DateTime::new(year, month, dayn, hour, minute, second, 0).ok()?;
    let start = match offset {
        None => start_of(local, zone)?,
        Some(minutes) => start_of(local, &TimeZone::UTC)?.checked_sub(minutes * 60_000)?,
    };
    let lo = start + millis;
    Some(Interval { lo, hi: lo + width })
}

/// Clock time and its offset in minutes; `Some((_, None))` without zone.
fn split_offset(time: &str) -> Option<(&str, Option<i64>)> {
    if let Some(clock) = time.strip_suffix('Z') {
        return Some((clock, Some(0)));
    }
    let Some(at) = time.find(['+', '-', ' ']) else { return Some((time, None)) };
    let (clock, offset) = time.split_at_checked(at)?;
    let sign = if offset.starts_with('-') { -1 } else { 1 };
    let (hours, minutes) = offset.get(1..)?.split_once(':')?;
    let (hours, minutes): (i64, i64) = (digits(hours, 2)?, digits(minutes, 2)?);
    (hours <= 14 && minutes < 60).then_some((clock, Some(sign * (hours * 60 + minutes))))
}

/// Second, milliseconds and how wide the stated precision is.
fn seconds(text: &str) -> Option<(i8, i64, i64)> {
    let (whole, fraction) = text.split_once('.').map_or((text, None), |(whole, fraction)| (whole, Some(fraction)));
    let whole: i8 = digits(whole, 2)?;
    if whole > 60 {
        return None;
    }
    // A leap second has no place of its own in these milliseconds.
    let whole = whole.min(59);
    let Some(fraction) = fraction else { return Some((whole, 0, 1000)) };
    if fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let padded: String = fraction.chars().chain("000".chars()).take(3).collect();
    let width = match fraction.len() {
        1 => 100,
        2 => 10,
        _ => 1,
    };
    Some((whole, padded.parse().ok()?, width))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Interval of a text in Europe/Paris, both ends as instants in UTC.
    fn paris_interval(text: &str) -> Option<(String, String)> {
        parse(text, &paris()).map(|interval| (Millis(interval.lo).instant(), Millis(interval.hi).instant()))
    }
    fn check(text: &str, lo: &str, hi: &str) {
        assert_eq!(paris_interval(text), Some((lo.to_owned(), hi.to_owned())), "{text}");
    }

    #[test]
    fn a_partial_date_is_the_whole_of_its_year_month_or_day_in_paris() {
        check("2024", "2023-12-31T23:00:00.000Z", "2024-12-31T23:00:00.000Z");
        check("2024-03", "2024-02-29T23:00:00.000Z", "2024-03-31T22:00:00.000Z");
        check("2024-12", "2024-11-30T23:00:00.000Z", "2024-12-31T23:00:00.000Z");
        check("2024-07-14", "2024-07-13T22:00:00.000Z", "2024-07-14T22:00:00.000Z");
        check("2024-03-31", "2024-03-30T23:00:00.000Z", "2024-03-31T22:00:00.000Z");
    }

    #[test]
    fn a_time_is_as_wide_as_its_last_figure() {
        check("2024-07-14T10:30", "2024-07-14T08:30:00.000Z", "2024-07-14T08:31:00.000Z");
        check("2024-07-14T10:30:05", "2024-07-14T08:30:05.000Z", "2024-07-14T08:30:06.000Z");
        check("2024-07-14T10:30:05.1Z", "2024-07-14T10:30:05.100Z", "2024-07-14T10:30:05.200Z");
        check("2024-07-14T10:30:05.123Z", "2024-07-14T10:30:05.123Z", "2024-07-14T10:30:05.124Z");
        check("2024-07-14T10:30:05.123456Z", "2024-07-14T10:30:05.123Z", "2024-07-14T10:30:05.124Z");
    }

    #[test]
    fn an_offset_counts_and_a_blank_stands_for_plus() {
        check("2024-07-14T10:30:00+02:00", "2024-07-14T08:30:00.000Z", "2024-07-14T08:30:01.000Z");
        check("2024-07-14T10:30:00 02:00", "2024-07-14T08:30:00.000Z", "2024-07-14T08:30:01.000Z");
        check("2024-07-14T10:30:00-05:30", "2024-07-14T16:00:00.000Z", "2024-07-14T16:00:01.000Z");
    }

    #[test]
    fn the_hour_that_is_twice_is_the_first_and_the_hour_that_is_not_is_later() {
        check("2024-10-27T02:30:00", "2024-10-27T00:30:00.000Z", "2024-10-27T00:30:01.000Z");
        check("2024-03-31T02:30:00", "2024-03-31T01:30:00.000Z", "2024-03-31T01:30:01.000Z");
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "",
            "24",
            "0000",
            "2024-13",
            "2024-02-30",
            "2024-1-1",
            "23.May.2009",
            "2024-01-01T10",
            "2024-01-01T10Z",
            "2024-01-01T25:00",
            "2024-01T10:00",
            "2024-01-01T10:00:61",
            "2024-01-01T10:00:00.",
            "2024-01-01T10:00:00+2:00",
            "2024-01-01T24:00:00",
            "2024-01-01-01",
            "+024",
            "2024-01-01T10:00:00+15:00",
            "２０２４",
        ] {
            assert_eq!(parse(text, &paris()), None, "{text}");
        }
    }

    #[test]
    fn a_period_without_end_has_no_end() {
        let interval = |value: Value| period(value.as_object().unwrap(), &paris());
        let lo = parse("2024", &paris()).unwrap().lo;
        assert_eq!(interval(json!({"start": "2024"})), Some(Interval { lo, hi: Interval::LAST }));
        assert_eq!(interval(json!({"end": "2023"})), Some(Interval { lo: Interval::FIRST, hi: lo }));
        assert_eq!(interval(json!({})), None);
        assert_eq!(interval(json!({"start": "soon"})), None);
    }

    #[test]
    fn the_end_of_a_consent_includes_its_day_in_paris() {
        let end = |text: &str| day_end(text, &paris()).map(Millis::instant);
        assert_eq!(end("2024-07-14").as_deref(), Some("2024-07-14T22:00:00.000Z"));
        assert_eq!(end("2024-07-14T10:30:00+02:00").as_deref(), Some("2024-07-14T22:00:00.000Z"));
        assert_eq!(end("2024-07-14T23:30:00Z").as_deref(), Some("2024-07-15T22:00:00.000Z"));
        assert_eq!(end("2024-02").as_deref(), Some("2024-02-29T23:00:00.000Z"));
        assert_eq!(end("never"), None);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_an_interval_or_none(text in "[0-9]{1,4}(-[0-9]{2}(-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{0,9})?)?(Z|[-+ ][0-9]{2}:[0-9]{2})?)?)?)?") {
            if let Some(interval) = parse(&text, &paris()) {
                proptest::prop_assert!(Interval::FIRST < interval.lo && interval.lo < interval.hi && interval.hi <= Interval::LAST);
            }
        }
    }

    #[test]
    fn the_year_9999_has_an_end() {
        assert_eq!(parse("9999", &paris()).unwrap().hi, Interval::LAST);
        assert_eq!(parse("9999-12-31", &paris()).unwrap().hi, Interval::LAST);
    }
}
