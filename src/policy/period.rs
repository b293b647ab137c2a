//! Days of a Consent's period, in the civil time of Europe/Paris.
use crate::clock::Millis;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, ToSpan};
use std::sync::LazyLock;

/// Civil time in metropolitan France since 1996, as a POSIX rule: no time zone database is needed on the machine.
static PARIS: LazyLock<TimeZone> = LazyLock::new(|| TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap_or(TimeZone::UTC));

/// A bound of a period: the day in Paris, and the instant where one was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Day {
    day: Date,
    instant: Option<Millis>,
}

impl Day {
    /// From a FHIR date to the day, or a dateTime with its zone; years and months are too vague for a right of access.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.contains('T') {
            let instant: Timestamp = text.parse().ok()?;
            let day = instant.to_zoned(PARIS.clone()).date();
            return Some(Self { day, instant: Some(Millis(instant.as_millisecond())) });
        }
        // The length keeps out what jiff reads beside ISO dates, such as `20260101`.
        let day = if text.len() == 10 { text.parse().ok()? } else { return None };
        Some(Self { day, instant: None })
    }
}

/// From the first instant of `start` to the end of `end`'s day; `None` where that is empty or longer than one year.
pub(super) fn interval(start: &Day, end: &Day) -> Option<(Millis, Millis)> {
    let year: Span = 1.year();
    if end.day < start.day || end.day > start.day.checked_add(year).ok()? {
        return None;
    }
    let from = match start.instant {
        Some(instant) => instant,
        None => midnight(start.day)?,
    };
    let until = midnight(end.day.tomorrow().ok()?)?;
    Some((from, until))
}

fn midnight(day: Date) -> Option<Millis> {
    let time: DateTime = day.at(0, 0, 0, 0);
    Some(Millis(PARIS.to_zoned(time).ok()?.timestamp().as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(start: &str, end: &str, expected: Option<(&str, &str)>) {
        let found = Day::parse(start).zip(Day::parse(end)).and_then(|(start, end)| interval(&start, &end));
        let found = found.map(|(from, until)| (from.instant(), until.instant()));
        assert_eq!(found, expected.map(|(from, until)| (from.to_owned(), until.to_owned())), "{start}..{end}");
    }

    #[test]
    fn a_period_includes_its_last_day_in_paris_in_winter_and_in_summer() {
        check("2026-11-24", "2026-12-31", Some(("2026-11-23T23:00:00.000Z", "2026-12-31T23:00:00.000Z")));
        check("2026-07-14", "2026-07-14", Some(("2026-07-13T22:00:00.000Z", "2026-07-14T22:00:00.000Z")));
        // The clocks change on 2026-03-29 and on 2026-10-25.
        check("2026-03-29", "2026-03-29", Some(("2026-03-28T23:00:00.000Z", "2026-03-29T22:00:00.000Z")));
        check("2026-10-25", "2026-10-25", Some(("2026-10-24T22:00:00.000Z", "2026-10-25T23:00:00.000Z")));
    }

    #[test]
    fn an_instant_starts_where_it_says_and_its_day_in_paris_is_included_at_the_end() {
        check(
            "2026-11-24T10:00:00+01:00",
            "2026-11-24T23:30:00Z",
            Some(("2026-11-24T09:00:00.000Z", "2026-11-25T23:00:00.000Z")),
        );
    }

    #[test]
    fn a_period_is_at_most_one_year_and_not_backwards() {
        check("2026-11-24", "2027-11-24", Some(("2026-11-23T23:00:00.000Z", "2027-11-24T23:00:00.000Z")));
        check("2026-11-24", "2027-11-25", None);
        check("2026-11-24", "2026-11-23", None);
    }

    #[test]
    fn vague_and_other_dates_are_not_days() {
        for text in ["2026", "2026-11", "20261124", "2026-11-24T10:00:00", "2026-02-30", "", "24/11/2026"] {
            assert_eq!(Day::parse(text), None, "{text}");
        }
    }
}
