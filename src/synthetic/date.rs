//! Dates of the synthetic data: civil times of France, computed, never read from a clock.
use jiff::ToSpan as _;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// The latest day on which anything of the synthetic data happens; the same in every run.
pub const LATEST: DateTime = DateTime::constant(2026, 11, 16, 0, 0, 0, 0);

/// Time of metropolitan France by its rule, so that no time zone data need be installed.
fn france() -> TimeZone {
    TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap_or(TimeZone::UTC)
}

/// This many days and minutes later.
pub(super) fn later(time: DateTime, days: u32, minutes: u32) -> DateTime {
    time.checked_add(i64::from(days).days().minutes(i64::from(minutes))).unwrap_or(time)
}

/// This many days earlier.
pub(super) fn earlier(time: DateTime, days: u32) -> DateTime {
    time.checked_sub(i64::from(days).days()).unwrap_or(time)
}

/// As HL7 V3 writes it: `20260314081500+0100`.
pub(super) fn hl7(time: DateTime) -> String {
    france().to_ambiguous_zoned(time).compatible().map(|zoned| zoned.strftime("%Y%m%d%H%M%S%z").to_string()).unwrap_or_default()
}

/// As FHIR writes it: `2026-03-14T08:15:00+01:00`.
pub(super) fn fhir(time: DateTime) -> String {
    france()
        .to_ambiguous_zoned(time)
        .compatible()
        .map(|zoned| zoned.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string())
        .unwrap_or_default()
}

/// From HL7 V3 with seconds and zone to FHIR; empty where it is not of that form.
pub(super) fn hl7_to_fhir(text: &str) -> String {
    jiff::Zoned::strptime("%Y%m%d%H%M%S%z", text)
        .map(|zoned| zoned.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string())
        .unwrap_or_default()
}

/// As a French reader writes it: `14/03/2026`.
pub(super) fn french(time: DateTime) -> String {
    time.strftime("%d/%m/%Y").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn winter_is_one_hour_ahead_of_utc_and_summer_two() {
        assert_eq!(hl7(DateTime::constant(2026, 3, 14, 8, 15, 0, 0)), "20260314081500+0100");
        assert_eq!(fhir(DateTime::constant(2026, 7, 14, 8, 15, 0, 0)), "2026-07-14T08:15:00+02:00");
    }

    #[test]
    fn a_time_of_the_document_becomes_a_time_of_the_resource() {
        assert_eq!(hl7_to_fhir("20260714081500+0200"), "2026-07-14T08:15:00+02:00");
        assert_eq!(hl7_to_fhir("2026"), "");
    }
}
