//! Quantities: as they are written, and in the canonical unit of UCUM. <https://hl7.org/fhir/R4/search.html#quantity>
//!
//! `5.4` and `5.4|system|code` are exact, in UCUM across units of one dimension; `5.4||unit` is decided on bodies. A
//! measured `< 5` is the interval below 5. Translations of a CDA value (`iso21090-PQ-translation`) count as its values.
use super::{Node, Prefix, Rows, number, split, unescape};
use crate::fhir::Resource;
use crate::fhir::path::Found;
use crate::search::decimal::Decimal;
use crate::search::keyer::Keyer;
use crate::search::plan::{IndexRows, Key, RangeTest};
use octofhir_ucum::{CanonicalUnit, Number};
use serde_json::Value;

/// UCUM as a code system.
pub(in crate::search) const UCUM: &str = "http://unitsofmeasure.org";
const TRANSLATION: &str = "http://hl7.org/fhir/StructureDefinition/iso21090-PQ-translation";
const CURRENCY: &str = "urn:iso:std:iso:4217";

/// Unit of a value in a query.
#[derive(Debug, Clone, PartialEq)]
enum Unit {
    /// `5.4`: whatever the unit.
    Every,
    /// `5.4|system|code`, as it is written.
    Coded(String, String),
    /// `5.4|http://unitsofmeasure.org|mg/dL`, in its canonical unit.
    Canonical(String),
    /// `5.4||mg/dL`: code or unit.
    Text(String),
}

/// A quantity of a query.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::search) struct QuantityValue {
    unit: Unit,
    tests: Vec<RangeTest>,
}

impl QuantityValue {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (prefix, rest) = Prefix::split(text);
        let parts = split(rest, '|');
        let value = Decimal::parse(&unescape(parts.first()?)?)?;
        let raw = || number::tests(prefix, &value, |decimal| Some(decimal.value()));
        match parts[..] {
            [_] | [_, "", ""] => Some(Self { unit: Unit::Every, tests: raw()? }),
            [_, "", unit] => Some(Self { unit: Unit::Text(unescape(unit)?), tests: raw()? }),
            [_, system, code] => {
                let (system, code) = (unescape(system)?, unescape(code)?);
                if let Some(canonical) = Canonical::of(&system, &code)
                    && let Some(tests) = number::tests(prefix, &value, |decimal| canonical.measure(decimal))
                {
                    return Some(Self { unit: Unit::Canonical(canonical.name()), tests });
                }
                Some(Self { unit: Unit::Coded(system, code), tests: raw()? })
            }
            _ => None,
        }
    }

    fn key(&self, number: u16, keyer: &Keyer) -> Key {
        match &self.unit {
            Unit::Every | Unit::Text(_) => keyer.range(number),
            Unit::Coded(system, code) => keyer.unit(number, system, code),
            Unit::Canonical(unit) => keyer.canonical_unit(number, unit),
        }
    }

    pub(super) fn plan(&self, rows: Rows<'_>, keyer: &Keyer) -> Node {
        let node = Node::any(rows.keys(|number| self.key(number, keyer)).map(|key| Node::range(key, &self.tests)));
        Node { exact: self.is_exact(), ..node }
    }

    /// On the rows of a composite: below the key of its first part.
    pub(super) fn plan_below(&self, number: u16, first: Key, keyer: &Keyer) -> Node {
        let node = Node::range(keyer.composite(number, first, self.key(number, keyer)), &self.tests);
        Node { exact: self.is_exact(), ..node }
    }

    fn is_exact(&self) -> bool {
        !matches!(self.unit, Unit::Text(_))
    }

    pub(super) fn matches(&self, measure: &Measure<'_>) -> bool {
        let holds = |(lo, hi): (f64, f64)| self.tests.iter().any(|test| test.holds(lo, hi));
        match &self.unit {
            Unit::Every => holds(measure.raw),
            Unit::Text(unit) => (measure.code == Some(unit) || measure.unit == Some(unit)) && holds(measure.raw),
            Unit::Coded(system, code) => {
                measure.system == Some(system) && measure.code == Some(code) && measure.canonical.is_none() && holds(measure.raw)
            }
            Unit::Canonical(unit) => measure.canonical.as_ref().is_some_and(|(name, bounds)| name == unit && holds(*bounds)),
        }
    }
}

/// A unit of UCUM as a linear function into its canonical unit.
struct Canonical {
    unit: CanonicalUnit,
    amount: bool,
}

impl Canonical {
    fn of(system: &str, code: &str) -> Option<Self> {
        if system != UCUM || code.len() > 100 {
            return None;
        }
        let unit = octofhir_ucum::get_canonical_units(code).ok()?;
        // To UCUM a mole is a number, so that mmol/L would compare with cells per litre; nobody means that.
        let amount = ["mol", "eq", "osm"].iter().any(|atom| code.contains(atom));
        Some(Self { unit, amount })
    }
    fn name(&self) -> String {
        format!("{}{}", self.unit.unit, if self.amount { ";mol" } else { "" })
    }
    fn measure(&self, decimal: &Decimal) -> Option<f64> {
        let value = Number::parse(decimal.text())?;
        let value = value.checked_mul(self.unit.factor)?.checked_add(self.unit.offset)?.to_f64();
        (value.abs() < 1e300).then_some(value)
    }
}

/// A quantity of a resource.
#[derive(Debug)]
pub(in crate::search) struct Measure<'a> {
    raw: (f64, f64),
    system: Option<&'a str>,
    code: Option<&'a str>,
    unit: Option<&'a str>,
    canonical: Option<(String, (f64, f64))>,
}

impl Measure<'_> {
    /// The interval of its number, whatever the unit.
    pub(in crate::search) fn raw(&self) -> (f64, f64) {
        self.raw
    }
}

/// The quantities of an element: Quantity with its translations, Money, Range.
pub(in crate::search) fn measures(found: Found<'_>) -> Vec<Measure<'_>> {
    let Some(object) = found.element.object() else { return Vec::new() };
    if object.contains_key("low") || object.contains_key("high") {
        return range(object).into_iter().collect();
    }
    let extensions = object.get("extension").and_then(Value::as_array).into_iter().flatten();
    let translations = extensions
        .filter(|extension| extension.get("url").and_then(Value::as_str) == Some(TRANSLATION))
        .filter_map(|extension| extension.get("valueQuantity")?.as_object());
    std::iter::once(object).chain(translations).filter_map(quantity).collect()
}

fn decimal(quantity: &Resource) -> Option<Decimal> {
    match quantity.get("value")? {
        Value::Number(number) => Decimal::parse(&number.to_string()),
        Value::Null | Value::Bool(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn quantity(object: &Resource) -> Option<Measure<'_>> {
    let value = decimal(object)?;
    let comparator = object.get("comparator").and_then(Value::as_str);
    measure(object, Some((&value, comparator)), None)
}

fn range(object: &Resource) -> Option<Measure<'_>> {
    let (low, high) = (object.get("low").and_then(Value::as_object), object.get("high").and_then(Value::as_object));
    let (from, to) = (low.and_then(decimal), high.and_then(decimal));
    measure(low.or(high)?, from.as_ref().map(|from| (from, Some(">="))), to.as_ref())
}

/// From a value with its comparator, or up to a value.
fn measure<'a>(object: &'a Resource, value: Option<(&Decimal, Option<&str>)>, to: Option<&Decimal>) -> Option<Measure<'a>> {
    let text = |name: &str| object.get(name).and_then(Value::as_str);
    let (system, code) = match text("currency") {
        Some(currency) => (Some(CURRENCY), Some(currency)),
        None => (text("system"), text("code")),
    };
    let bounds = |measure: &dyn Fn(&Decimal) -> Option<f64>| -> Option<(f64, f64)> {
        let (lo, hi) = match value {
            Some((value, comparator)) => compared(measure(value)?, comparator),
            None => (f64::MIN, f64::MAX),
        };
        Some((lo, to.map_or(Some(hi), |to| measure(to).map(f64::next_up))?))
    };
    let canonical = system.zip(code).and_then(|(system, code)| Canonical::of(system, code));
    let canonical = canonical.and_then(|unit| Some((unit.name(), bounds(&|decimal| unit.measure(decimal))?)));
    let raw = bounds(&|decimal| Some(decimal.value()))?;
    Some(Measure { raw, system, code, unit: text("unit"), canonical })
}

fn compared(value: f64, comparator: Option<&str>) -> (f64, f64) {
    match comparator {
        Some("<") => (f64::MIN, value),
        Some("<=") => (f64::MIN, value.next_up()),
        Some(">") => (value.next_up(), f64::MAX),
        Some(">=") => (value, f64::MAX),
        _ => (value, value.next_up()),
    }
}

/// Keys of a quantity without the number of a composite around it: whatever the unit, and in its unit.
pub(super) fn keyed(number: u16, measure: &Measure<'_>, keyer: &Keyer) -> Vec<(Key, f64, f64)> {
    let (lo, hi) = measure.raw;
    let mut keys = vec![(keyer.range(number), lo, hi)];
    match (&measure.canonical, measure.system.zip(measure.code)) {
        (Some((unit, (lo, hi))), _) => keys.push((keyer.canonical_unit(number, unit), *lo, *hi)),
        (None, Some((system, code))) => keys.push((keyer.unit(number, system, code), lo, hi)),
        (None, None) => {}
    }
    keys
}

pub(super) fn rows(number: u16, found: Found<'_>, keyer: &Keyer, out: &mut IndexRows) {
    for measure in measures(found) {
        out.ranges.extend(keyed(number, &measure, keyer));
    }
}
