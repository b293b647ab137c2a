//! Dates: the interval of the value against that of the resource. <https://hl7.org/fhir/R4/search.html#date>
use super::{Prefix, unescape};
use crate::fhir::datetime::{self, Interval};
use crate::fhir::path::{Element, Found};
use crate::search::plan::RangeTest;
use crate::search::query::ParseContext;
use jiff::tz::TimeZone;

/// A value as tests on [lo, hi) in milliseconds, any of which is enough (R4 3.1.1.4.5).
pub(in crate::search) fn parse(text: &str, context: &ParseContext<'_>) -> Option<Vec<RangeTest>> {
    let text = unescape(text)?;
    let (prefix, date) = Prefix::split(&text);
    let value = datetime::parse(date, context.time_zone)?;
    let (lo, hi) = (float(value.lo), float(value.hi));
    Some(match prefix {
        Prefix::Equal => vec![RangeTest::Within(lo, hi)],
        Prefix::NotEqual => vec![RangeTest::NotWithin(lo, hi)],
        // "The range above the search value overlaps with the range of the target".
        Prefix::Greater => vec![RangeTest::HiAbove(hi)],
        Prefix::Less => vec![RangeTest::LoBelow(lo)],
        // Or "the search value fully contains the target": what starts inside either ends inside or reaches above.
        Prefix::GreaterOrEqual => vec![RangeTest::HiAbove(hi), RangeTest::LoAtLeast(lo)],
        Prefix::LessOrEqual => vec![RangeTest::LoBelow(lo), RangeTest::HiAtMost(hi)],
        Prefix::StartsAfter => vec![RangeTest::LoAtLeast(hi)],
        Prefix::EndsBefore => vec![RangeTest::HiAtMost(lo)],
        Prefix::Approximately => {
            // "10 % of the gap between now and the date".
            let gap = value.lo.abs_diff(context.now.0) / 10;
            let gap = i64::try_from(gap).unwrap_or(0);
            vec![RangeTest::Overlaps(float(value.lo.saturating_sub(gap)), float(value.hi.saturating_add(gap)))]
        }
    })
}

/// The interval of a date, dateTime, instant, Period or Timing.
pub(in crate::search) fn interval(found: Found<'_>, zone: &TimeZone) -> Option<(f64, f64)> {
    whole(found, zone).map(|interval| (float(interval.lo), float(interval.hi)))
}

/// The same in milliseconds.
pub(in crate::search) fn whole(found: Found<'_>, zone: &TimeZone) -> Option<Interval> {
    match found.element {
        Element::Primitive(value) => datetime::parse(value.as_str()?, zone),
        Element::Object(object) if object.contains_key("start") || object.contains_key("end") => datetime::period(object, zone),
        Element::Object(object) => datetime::timing(object, zone),
    }
}

/// Milliseconds as the tables hold them; exact, because every date is below 2^53.
#[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "dates of years 1 to 9999 are below 2^53 milliseconds")]
pub(in crate::search) fn float(millis: i64) -> f64 {
    millis as f64
}
