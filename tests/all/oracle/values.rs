//! Whether an element has a value of a query, from the words of <https://hl7.org/fhir/R4/search.html>.
use jiff::civil;
use jiff::tz::TimeZone;
use serde_json::Value;
use std::cmp::Ordering;
use std::sync::LazyLock;

/// Comparison in front of a value. <https://hl7.org/fhir/R4/search.html#prefix>
pub(super) const PREFIXES: [&str; 9] = ["eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"];

/// The prefix and the rest; no prefix is `eq`.
pub(super) fn prefixed(text: &str) -> (&str, &str) {
    match PREFIXES.iter().find(|prefix| text.starts_with(**prefix)) {
        Some(prefix) => (prefix, &text[2..]),
        None => ("eq", text),
    }
}

// ---- strings

/// Without case, accents and punctuation ("normalized by case and combining characters"; punctuation and white space are no
/// matter).
pub(super) fn normal(text: &str) -> String {
    let mut out = String::new();
    for character in text.chars() {
        let plain = match character {
            'é' | 'è' | 'ê' | 'É' | 'È' | 'Ê' | 'ë' => "e".into(),
            'à' | 'â' | 'À' => "a".into(),
            'ô' | 'Ô' => "o".into(),
            'î' | 'ï' => "i".into(),
            'œ' | 'Œ' => "oe".into(),
            other if other.is_ascii_alphanumeric() => other.to_ascii_lowercase().to_string(),
            _ => " ".to_owned(),
        };
        if plain != " " || !(out.is_empty() || out.ends_with(' ')) {
            out.push_str(&plain);
        }
    }
    out.trim_end().to_owned()
}

/// The texts that a string parameter looks at: of a HumanName or Address any of its string parts.
pub(super) fn texts(element: &Value) -> Vec<String> {
    let parts = ["text", "family", "given", "prefix", "suffix", "line", "city", "district", "state", "postalCode", "country"];
    match element {
        Value::String(text) => vec![text.clone()],
        Value::Object(_) => {
            let found = parts.iter().filter_map(|part| element.get(*part));
            found
                .flat_map(|part| part.as_array().cloned().unwrap_or_else(|| vec![part.clone()]))
                .filter_map(|it| it.as_str().map(str::to_owned))
                .collect()
        }
        _ => Vec::new(),
    }
}

/// `family` tells whether the element is a family name itself.
pub(super) fn string(element: &Value, modifier: &str, value: &str, family: bool) -> bool {
    let begins = |text: &String| normal(text).starts_with(&normal(value));
    match modifier {
        "exact" => texts(element).iter().any(|text| text == value),
        "contains" => texts(element).iter().any(|text| normal(text).contains(&normal(value))),
        _ => {
            // "Carreno Quinones" is searched by each of its parts.
            let family = if family { element.as_str() } else { element["family"].as_str() };
            let words = family.map(normal).unwrap_or_default();
            let from_word = words.match_indices(' ').any(|(at, _)| words[at + 1..].starts_with(&normal(value)));
            texts(element).iter().any(begins) || from_word
        }
    }
}

// ---- tokens

#[derive(Debug, Clone, PartialEq)]
pub(super) enum System {
    /// A plain code: what the element implies.
    Implied,
    None,
    Uri(String),
    /// Of a ContactPoint: `phone`... and nothing.
    Contact(String),
}

/// The codes of a Coding, CodeableConcept, Identifier, ContactPoint, code, string or boolean.
pub(super) fn codes(element: &Value) -> Vec<(System, String)> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    match element {
        Value::String(code) => vec![(System::Implied, code.clone())],
        Value::Bool(one) => vec![(System::Implied, one.to_string())],
        Value::Object(object) => {
            if let Some(codings) = element["coding"].as_array() {
                return codings.iter().flat_map(codes).collect();
            }
            let code = text(&element["code"]).or_else(|| text(&element["value"]));
            let system = match text(&element["system"]) {
                Some(system) if ["phone", "email"].contains(&system.as_str()) => System::Contact(system),
                Some(system) => System::Uri(system),
                None => System::None,
            };
            code.filter(|_| !object.is_empty()).map(|code| (system, code)).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

/// `[code]`, `[system]|[code]`, `|[code]`, `[system]|`; codes compare without case.
pub(super) fn token(element: &Value, system: Option<&str>, code: Option<&str>, implied: Option<&str>) -> bool {
    codes(element).iter().any(|(its, has)| {
        let same_code = code.is_none_or(|code| code.to_lowercase() == has.to_lowercase());
        let same_system = match (system, its) {
            (None, _) => true,
            (Some(""), System::None | System::Contact(_)) => true,
            (Some(""), System::Implied | System::Uri(_)) => false,
            (Some(system), System::Uri(its) | System::Contact(its)) => system == its,
            (Some(system), System::Implied) => Some(system) == implied,
            (Some(_), System::None) => false,
        };
        same_code && same_system
    })
}

/// `:text`: "CodeableConcept.text, Coding.display, or Identifier.type.text", as a string.
pub(super) fn token_text(element: &Value, value: &str) -> bool {
    let codings = element["coding"].as_array().into_iter().flatten();
    let all = codings.map(|coding| &coding["display"]).chain([&element["text"], &element["display"], &element["type"]["text"]]);
    all.filter_map(Value::as_str).any(|text| normal(text).starts_with(&normal(value)))
}

/// `:of-type=[system]|[code]|[value]` of an Identifier.
pub(super) fn of_type(element: &Value, system: &str, code: &str, value: &str) -> bool {
    element["value"].as_str().is_some_and(|has| has.to_lowercase() == value.to_lowercase())
        && token(&element["type"], Some(system), Some(code), None)
}

// ---- dates

/// [first, after) in milliseconds.
type Span = (i64, i64);
const FIRST: i64 = i64::MIN / 4;
const LAST: i64 = i64::MAX / 4;

fn paris() -> &'static TimeZone {
    static PARIS: LazyLock<TimeZone> = LazyLock::new(|| jiff::tz::TimeZoneDatabase::bundled().get("Europe/Paris").unwrap());
    &PARIS
}

fn start(day: civil::Date) -> i64 {
    day.to_zoned(paris().clone()).unwrap().timestamp().as_millisecond()
}

/// A date, dateTime or instant as wide as it is precise; without zone in Paris.
pub(super) fn span(text: &str) -> Span {
    let number = |part: &str| part.parse::<i16>().unwrap();
    let small = |part: &str| part.parse::<i8>().unwrap();
    let Some((date, time)) = text.split_once('T') else {
        let parts: Vec<&str> = text.split('-').collect();
        let (first, after) = match parts[..] {
            [year] => (civil::date(number(year), 1, 1), civil::date(number(year) + 1, 1, 1)),
            [year, month] => {
                let first = civil::date(number(year), small(month), 1);
                (first, first.last_of_month().tomorrow().unwrap())
            }
            [year, month, day] => {
                let day = civil::date(number(year), small(month), small(day));
                (day, day.tomorrow().unwrap())
            }
            _ => panic!("{text} is no date"),
        };
        return (start(first), start(after));
    };
    let (clock, offset) = match time.strip_suffix('Z') {
        Some(clock) => (clock, Some(0)),
        None => match time.rfind(['+', '-']) {
            Some(at) => {
                let (hours, minutes) = time[at + 1..].split_once(':').unwrap();
                let minutes = i64::from(number(hours)) * 60 + i64::from(number(minutes));
                (&time[..at], Some(if time[at..].starts_with('-') { -minutes } else { minutes }))
            }
            None => (time, None),
        },
    };
    let day: civil::Date = date.parse().unwrap();
    let (hour_minute, seconds) = if clock.len() > 5 { (&clock[..5], Some(&clock[6..])) } else { (clock, None) };
    let (hour, minute) = hour_minute.split_once(':').unwrap();
    let (second, fraction) = seconds.map_or((0, None), |text| match text.split_once('.') {
        Some((second, fraction)) => (small(second), Some(fraction)),
        None => (small(text), None),
    });
    let at = day.at(small(hour), small(minute), second, 0);
    let at = match offset {
        Some(minutes) => at.to_zoned(TimeZone::UTC).unwrap().timestamp().as_millisecond() - minutes * 60_000,
        None => at.to_zoned(paris().clone()).unwrap().timestamp().as_millisecond(),
    };
    match (seconds, fraction) {
        (None, _) => (at, at + 60_000),
        (Some(_), None) => (at, at + 1000),
        (Some(_), Some(fraction)) => {
            let milli: i64 = format!("{fraction:0<3}")[..3].parse().unwrap();
            let width = [1000, 100, 10, 1][fraction.len().min(3)];
            (at + milli, at + milli + width)
        }
    }
}

/// The span of an element: a date or a Period, open ends without end.
pub(super) fn element_span(element: &Value) -> Option<Span> {
    match element {
        Value::String(text) => Some(span(text)),
        Value::Object(_) => {
            let bound = |name: &str| element[name].as_str().map(span);
            Some((bound("start").map_or(FIRST, |span| span.0), bound("end").map_or(LAST, |span| span.1)))
        }
        _ => None,
    }
}

/// The prefixes, on "the range of the search value" and "the range of the target value".
pub(super) fn date(element: &Value, value: &str, now: i64) -> bool {
    let (prefix, text) = prefixed(value);
    let Some((first, after)) = element_span(element) else { return false };
    let (lo, hi) = span(text);
    let contained = lo <= first && after <= hi;
    let overlaps_above = after > hi;
    let overlaps_below = first < lo;
    match prefix {
        "eq" => contained,
        "ne" => !contained,
        "gt" => overlaps_above,
        "lt" => overlaps_below,
        "ge" => overlaps_above || contained,
        "le" => overlaps_below || contained,
        "sa" => first >= hi,
        "eb" => after <= lo,
        _ => {
            let gap = (now - lo).abs() / 10;
            first < hi + gap && after > lo - gap
        }
    }
}

// ---- numbers and quantities

/// An exact fraction, small enough for the figures of these tests.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ratio(i128, i128);

impl Ratio {
    fn times(self, other: Self) -> Self {
        Self(self.0 * other.0, self.1 * other.1)
    }
    fn plus(self, other: Self) -> Self {
        Self(self.0 * other.1 + other.0 * self.1, self.1 * other.1)
    }
    fn cmp(self, other: Self) -> Ordering {
        (self.0 * other.1).cmp(&(other.0 * self.1))
    }
    fn less(self, other: Self) -> bool {
        self.cmp(other).is_lt()
    }
    pub(super) fn as_f64(self) -> f64 {
        let text = |part: i128| part.to_string().parse::<f64>().unwrap();
        text(self.0) / text(self.1)
    }
}

/// A decimal, and half of its last figure.
fn decimal(text: &str) -> (Ratio, Ratio) {
    let (mantissa, exponent) =
        text.split_once(['e', 'E']).map_or((text, 0), |(mantissa, exponent)| (mantissa, exponent.parse::<i32>().unwrap()));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let figures: i128 = format!("{whole}{fraction}").parse().unwrap();
    let power = exponent - i32::try_from(fraction.len()).unwrap();
    let ten = |power: i32| 10_i128.pow(power.unsigned_abs());
    let scaled = |figures: i128, power: i32| if power < 0 { Ratio(figures, ten(power)) } else { Ratio(figures * ten(power), 1) };
    // The table of R4: 1e2 is [95, 105), so a bare exponent says a figure more than it writes.
    let half = if fraction.is_empty() && text.contains(['e', 'E']) { scaled(5, power - 2) } else { scaled(5, power - 1) };
    (scaled(figures, power), half)
}

/// What a number of a resource can be: itself, or all on one side of it.
#[derive(Debug, Clone, Copy)]
struct Target {
    at: Ratio,
    /// `<`, `<=`, `>`, `>=` or nothing.
    comparator: char,
    inclusive: bool,
}

impl Target {
    fn point(at: Ratio) -> Self {
        Self { at, comparator: '=', inclusive: true }
    }
    /// Whether some of it lies above a bound.
    fn above(self, bound: Ratio) -> bool {
        self.comparator == '>' || bound.less(self.at)
    }
    fn below(self, bound: Ratio) -> bool {
        self.comparator == '<' || self.at.less(bound)
    }
    fn has(self, value: Ratio) -> bool {
        match (self.comparator, self.at.cmp(value)) {
            (_, Ordering::Equal) => self.inclusive,
            ('<', order) => order.is_gt(),
            ('>', order) => order.is_lt(),
            _ => false,
        }
    }
    fn is_point(self) -> bool {
        self.comparator == '='
    }
    /// Whether all of it lies above.
    fn wholly_above(self, bound: Ratio) -> bool {
        self.comparator != '<'
            && (bound.less(self.at) || (self.comparator == '>' && !self.inclusive && self.at.cmp(bound).is_eq()))
    }
    fn wholly_below(self, bound: Ratio) -> bool {
        self.comparator != '>'
            && (self.at.less(bound) || (self.comparator == '<' && !self.inclusive && self.at.cmp(bound).is_eq()))
    }
}

/// `convert` puts the bounds of the query into the unit in which both compare.
fn compares(target: Target, prefix: &str, text: &str, convert: impl Fn(Ratio) -> Ratio) -> bool {
    let (exact, half) = decimal(text);
    let value = convert(exact);
    let (lo, hi) = (convert(exact.plus(half.times(Ratio(-1, 1)))), convert(exact.plus(half)));
    // "[99.5 ... 100.5)"
    let equal = target.is_point() && !target.at.less(lo) && target.at.less(hi);
    match prefix {
        "eq" => equal,
        "ne" => !equal,
        // "the implicit precision of the number is ignored"
        "gt" => target.above(value),
        "lt" => target.below(value),
        "ge" => target.above(value) || target.has(value),
        "le" => target.below(value) || target.has(value),
        "sa" => target.wholly_above(value),
        "eb" => target.wholly_below(value),
        _ => {
            // 10 % of the stated value, and what the value itself is.
            let (below, above) = (convert(exact.times(Ratio(9, 10))), convert(exact.times(Ratio(11, 10))));
            let low = if below.less(lo) { below } else { lo };
            let (high, closed) = if above.less(hi) { (hi, false) } else { (above, true) };
            let from = target.above(low) || target.has(low);
            let to = target.below(high) || (closed && target.has(high));
            from && to
        }
    }
}

fn number_of(value: &Value) -> Option<Ratio> {
    value.is_number().then(|| decimal(&value.to_string()).0)
}

pub(super) fn number(element: &Value, value: &str) -> bool {
    let (prefix, text) = prefixed(value);
    number_of(element).is_some_and(|at| compares(Target::point(at), prefix, text, |it| it))
}

const UCUM: &str = "http://unitsofmeasure.org";

/// Units that compare with each other: dimension, factor and offset into its base.
fn unit(code: &str) -> Option<(&'static str, Ratio, Ratio)> {
    let none = Ratio(0, 1);
    Some(match code {
        "g/L" => ("mass concentration", Ratio(1, 1), none),
        "mg/dL" => ("mass concentration", Ratio(1, 100), none),
        "ug/mL" | "mg/L" => ("mass concentration", Ratio(1, 1000), none),
        "m" => ("length", Ratio(1, 1), none),
        "cm" => ("length", Ratio(1, 100), none),
        "mm" => ("length", Ratio(1, 1000), none),
        "[in_i]" => ("length", Ratio(254, 10_000), none),
        "mmol/L" => ("amount concentration", Ratio(1, 1000), none),
        "umol/L" => ("amount concentration", Ratio(1, 1_000_000), none),
        "mol/L" => ("amount concentration", Ratio(1, 1), none),
        "kg" => ("mass", Ratio(1, 1), none),
        "g" => ("mass", Ratio(1, 1000), none),
        "[lb_av]" => ("mass", Ratio(45_359_237, 100_000_000), none),
        "K" => ("temperature", Ratio(1, 1), none),
        "Cel" => ("temperature", Ratio(1, 1), Ratio(27_315, 100)),
        "[degF]" => ("temperature", Ratio(5, 9), Ratio(45_967 * 5, 900)),
        "s" => ("time", Ratio(1, 1), none),
        "min" => ("time", Ratio(60, 1), none),
        "h" => ("time", Ratio(3600, 1), none),
        "d" => ("time", Ratio(86_400, 1), none),
        "a" => ("time", Ratio(31_557_600, 1), none),
        "mo" => ("time", Ratio(2_629_800, 1), none),
        "%" => ("fraction", Ratio(1, 100), none),
        _ => return None,
    })
}

/// Units of the same dimension as this one.
pub(super) fn alike(code: &str) -> Vec<&'static str> {
    const ALL: [&str; 20] = [
        "g/L", "mg/dL", "ug/mL", "mg/L", "m", "cm", "mm", "[in_i]", "mmol/L", "umol/L", "mol/L", "kg", "g", "[lb_av]", "K",
        "Cel", "[degF]", "min", "h", "%",
    ];
    let Some((dimension, ..)) = unit(code) else { return Vec::new() };
    ALL.into_iter().filter(|other| unit(other).is_some_and(|(of, ..)| of == dimension)).collect()
}

/// The number of a quantity in another unit of its dimension, as near as four figures come.
pub(super) fn converted(value: &Value, from: &str, to: &str) -> Option<f64> {
    let ((_, factor, offset), (_, to_factor, to_offset)) = (unit(from)?, unit(to)?);
    let base = number_of(value)?.times(factor).plus(offset);
    Some((base.as_f64() - to_offset.as_f64()) / to_factor.as_f64())
}

/// `[prefix][number]`, `[number]|[system]|[code]`, `[number]||[code]`.
pub(super) fn quantity(element: &Value, value: &str, system: Option<&str>, code: Option<&str>) -> bool {
    let (prefix, text) = prefixed(value);
    let Some(at) = number_of(&element["value"]) else { return false };
    let comparator = element["comparator"].as_str().unwrap_or("=");
    let target = |at: Ratio| Target { at, comparator: comparator.chars().next().unwrap(), inclusive: comparator.ends_with('=') };
    let (its_system, its_code) = (element["system"].as_str(), element["code"].as_str());
    let raw = || compares(target(at), prefix, text, |it| it);
    match (system.filter(|system| !system.is_empty()), code) {
        (_, None) => raw(),
        (None, Some(code)) => (its_code == Some(code) || element["unit"] == code) && raw(),
        (Some(UCUM), Some(code)) => {
            let (Some(UCUM), Some((dimension, factor, offset))) = (its_system, unit(code)) else { return false };
            let Some((its, its_factor, its_offset)) = its_code.and_then(unit) else { return false };
            let base = |it: Ratio| it.times(factor).plus(offset);
            its == dimension && compares(target(at.times(its_factor).plus(its_offset)), prefix, text, base)
        }
        (Some(system), Some(code)) => its_system == Some(system) && its_code == Some(code) && raw(),
    }
}

// ---- uri

pub(super) fn uri(element: &Value, modifier: &str, value: &str) -> bool {
    let Some(uri) = element.as_str() else { return false };
    match modifier {
        "below" => uri.starts_with(value),
        "above" => value.starts_with(uri),
        // A canonical is found with and without its version.
        _ => uri == value || uri.split_once('|').is_some_and(|(bare, _)| bare == value),
    }
}

// ---- order

/// When something was: where it starts, or just before its end where it has no start.
pub(super) fn start_of((first, after): Span) -> i64 {
    if first == FIRST { after - 1 } else { first }
}

/// Where a quantity starts and ends, whatever its unit.
pub(super) fn bounds(element: &Value) -> Option<(f64, f64)> {
    let at = element["value"].to_string().parse::<f64>().ok()?;
    Some(match element["comparator"].as_str() {
        Some("<") => (f64::MIN, at),
        Some("<=") => (f64::MIN, at.next_up()),
        Some(">") => (at.next_up(), f64::MAX),
        Some(">=") => (at, f64::MAX),
        _ => (at, at.next_up()),
    })
}
