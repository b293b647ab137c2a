//! Numbers, with the precision in which the value is written. <https://hl7.org/fhir/R4/search.html#number>
//!
//! A number of a resource is the interval [v, next float8 after v): it holds v alone.
use super::{Prefix, unescape};
use crate::fhir::path::{Element, Found};
use crate::search::decimal::Decimal;
use crate::search::plan::RangeTest;

/// A value as tests, any of which is enough.
pub(in crate::search) fn parse(text: &str) -> Option<Vec<RangeTest>> {
    let text = unescape(text)?;
    let (prefix, number) = Prefix::split(&text);
    tests(prefix, &Decimal::parse(number)?, |decimal| Some(decimal.value()))
}

/// The tests of a prefix; `measure` puts the bounds into the unit of the rows.
pub(super) fn tests(prefix: Prefix, value: &Decimal, measure: impl Fn(&Decimal) -> Option<f64>) -> Option<Vec<RangeTest>> {
    let exact = measure(value)?;
    let (below, above) = value.implied();
    let (lo, hi) = (measure(&below)?, measure(&above)?);
    // gt, lt, ge, le, sa and eb ignore the precision of the value.
    Some(vec![match prefix {
        Prefix::Equal => RangeTest::Within(lo, hi.max(exact.next_up())),
        Prefix::NotEqual => RangeTest::NotWithin(lo, hi.max(exact.next_up())),
        Prefix::Greater => RangeTest::HiAbove(exact.next_up()),
        Prefix::GreaterOrEqual => RangeTest::HiAbove(exact),
        Prefix::Less => RangeTest::LoBelow(exact),
        Prefix::LessOrEqual => RangeTest::LoBelow(exact.next_up()),
        Prefix::StartsAfter => RangeTest::LoAtLeast(exact.next_up()),
        Prefix::EndsBefore => RangeTest::HiAtMost(exact),
        Prefix::Approximately => {
            let (below, above) = value.about();
            RangeTest::Overlaps(measure(&below)?.min(lo), measure(&above)?.next_up().max(hi))
        }
    }])
}

/// The interval of a number.
pub(in crate::search) fn interval(found: Found<'_>) -> Option<(f64, f64)> {
    let Element::Primitive(serde_json::Value::Number(number)) = found.element else { return None };
    let value = Decimal::parse(&number.to_string())?.value();
    Some((value, value.next_up()))
}
