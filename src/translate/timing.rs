//! When and how often: IVL_TS with a width, PIVL_TS, EIVL_TS, SXPR_TS as a Timing (C4).
use super::codes::{entry_code, resolved_text};
use super::context::{Context, set};
use super::datatypes::{When, date_time, decimal, when};
use super::issue::IssueCode;
use crate::cda::Element;
use crate::fhir::Resource;
use jiff::civil::{Date, DateTime};
use serde_json::{Value, json};

/// Times of one schedule that are read.
const TIMES: usize = 64;

/// IVL_TS low and width -> the end
///
/// low of a day, width in days or weeks -> low + width - 1 day (the end is a day of the interval);  else low + width
pub(super) fn end_of_width(context: &mut Context<'_>, low: &str, width: Element<'_>) -> Option<String> {
    let end = width.stated("value").and_then(|value| value.parse::<i32>().ok()).and_then(|value| {
        let unit = width.stated("unit")?;
        plus(low, value, unit)
    });
    if end.is_none() && width.stated("nullFlavor").is_none() {
        context.issue(IssueCode::ValueNotTranslated, width);
    }
    end
}

fn plus(low: &str, value: i32, unit: &str) -> Option<String> {
    let span = span(value, unit)?;
    let (clock, zone) = low.split_at_checked(19).unwrap_or((low, ""));
    if clock.len() == 10 {
        let day: Date = clock.parse().ok()?;
        let end = day.to_datetime(jiff::civil::Time::midnight()).checked_add(span).ok()?.date();
        let end = if matches!(unit, "d" | "wk") && value > 0 { end.yesterday().ok()? } else { end };
        return Some(end.to_string());
    }
    let time: DateTime = Some(clock).filter(|clock| clock.len() == 19)?.parse().ok()?;
    Some(format!("{}{zone}", time.checked_add(span).ok()?.strftime("%Y-%m-%dT%H:%M:%S")))
}

fn span(value: i32, unit: &str) -> Option<jiff::Span> {
    let (value, span) = (i64::from(value), jiff::Span::new());
    match unit {
        "s" => span.try_seconds(value),
        "min" => span.try_minutes(value),
        "h" => span.try_hours(value),
        "d" => span.try_days(value),
        "wk" => span.try_weeks(value),
        "mo" => span.try_months(value),
        "a" => span.try_years(value),
        _other => return None,
    }
    .ok()
}

/// The times of one act.
#[derive(Default)]
pub(super) struct Schedule {
    /// The whole: the IVL_TS of the act.
    pub(super) whole: Option<When>,
    /// Bounds of its own that a SXPR_TS states.
    own: Option<When>,
    repeat: Resource,
    whens: Vec<String>,
    /// Single times.
    events: Vec<String>,
    /// Attested texts, and what no Timing can say.
    pub(super) texts: Vec<String>,
}

impl Schedule {
    /// The Timing; `bounded`: the whole is its bounds, where no SXPR_TS has narrower ones.
    pub(super) fn timing(&self, bounded: bool) -> Option<Value> {
        let mut repeat = Resource::new();
        let bounds = self.own.as_ref().or_else(|| self.whole.as_ref().filter(|_| bounded));
        set(&mut repeat, "boundsPeriod", bounds.map(When::period));
        repeat.extend(self.repeat.clone());
        set(&mut repeat, "when", json!(self.whens));
        let mut out = Resource::new();
        set(&mut out, "event", json!(self.events));
        if !repeat.is_empty() {
            out.insert("repeat".into(), Value::Object(repeat));
        }
        (!out.is_empty()).then_some(Value::Object(out))
    }
    /// The first single time.
    pub(super) fn event(&self) -> Option<&String> {
        self.events.first()
    }
    /// Whether it says how often, and not only when.
    pub(super) fn is_repeated(&self) -> bool {
        !self.repeat.is_empty() || !self.whens.is_empty() || self.own.is_some()
    }
}

/// effectiveTime, several -> Schedule
///
/// IVL_TS  -> the whole, or the bounds inside a SXPR_TS;  TS -> event
/// PIVL_TS -> repeat frequency 1, period, periodUnit;  EIVL_TS -> repeat.when, offset
/// SXPR_TS -> each comp in its place;  anything else, and what repeats a second time -> an issue
pub(super) fn schedule(context: &mut Context<'_>, element: Element<'_>) -> Schedule {
    let mut out = Schedule::default();
    for time in element.children_named("effectiveTime").take(TIMES) {
        one(context, time, false, &mut out);
    }
    out
}

fn one(context: &mut Context<'_>, time: Element<'_>, inside: bool, out: &mut Schedule) {
    match time.xsi_type().unwrap_or("IVL_TS") {
        "SXPR_TS" => {
            for comp in time.children_named("comp").take(TIMES) {
                if comp.xsi_type() == Some("SXPR_TS") {
                    context.issue(IssueCode::ValueNotTranslated, comp);
                } else {
                    one(context, comp, true, out);
                }
            }
        }
        "PIVL_TS" => periodic(context, time, out),
        "EIVL_TS" => event(context, time, out),
        "IVL_TS" | "TS" => match when(context, time) {
            Some(When::DateTime(time)) => out.events.push(time),
            Some(period @ When::Period(..)) => {
                let place = if inside { &mut out.own } else { &mut out.whole };
                if place.is_none() {
                    *place = Some(period);
                } else {
                    context.issue(IssueCode::ValueNotTranslated, time);
                }
            }
            None => {}
        },
        _other => context.issue(IssueCode::ValueNotTranslated, time),
    }
}

/// PIVL_TS period -> frequency 1, period, periodUnit; its originalText -> texts.
fn periodic(context: &mut Context<'_>, time: Element<'_>, out: &mut Schedule) {
    let Some(period) = time.child("period") else { return };
    out.texts.extend(original_texts(context, period));
    let value = period.stated("value").and_then(decimal);
    let unit = entry_code("unit-of-time", period.stated("unit"));
    match (value, unit) {
        (Some(value), Some(unit)) if !out.repeat.contains_key("period") => {
            out.repeat.insert("frequency".into(), json!(1));
            out.repeat.insert("period".into(), Value::Number(value));
            out.repeat.insert("periodUnit".into(), json!(unit));
        }
        (None, _) if period.stated("nullFlavor").is_some() => {}
        (_, _) => context.issue(IssueCode::ValueNotTranslated, period),
    }
    if time.child("phase").is_some() {
        context.issue(IssueCode::ValueNotTranslated, time);
    }
}

/// EIVL_TS event -> when; offset in minutes, hours or days -> offset (minutes).
fn event(context: &mut Context<'_>, time: Element<'_>, out: &mut Schedule) {
    let Some(event) = time.child("event") else { return };
    let Some(code) = entry_code("event-timing", event.stated("code")) else {
        if event.stated("nullFlavor").is_none() {
            context.issue(IssueCode::ValueNotTranslated, event);
        }
        return;
    };
    if !out.whens.iter().any(|known| known == code) {
        out.whens.push(code.to_owned());
    }
    let Some(offset) = time.child("offset") else { return };
    let stated = offset.child("low").or_else(|| offset.child("width")).unwrap_or(offset);
    let minutes = stated.stated("value").and_then(|value| value.parse::<u32>().ok()).and_then(|value| {
        let factor = match stated.stated("unit") {
            Some("min") => 1,
            Some("h") => 60,
            Some("d") => 1_440,
            Some(_) | None => return None,
        };
        value.checked_mul(factor)
    });
    // Of a meal itself no time stands off (tim-9).
    match minutes.filter(|_| !matches!(code, "C" | "CM" | "CD" | "CV") && !out.repeat.contains_key("offset")) {
        Some(minutes) => set(&mut out.repeat, "offset", json!(minutes)),
        None => context.issue(IssueCode::ValueNotTranslated, offset),
    }
}

/// The resolved originalTexts of translations that have no number: they are texts of a posology.
pub(super) fn original_texts(context: &mut Context<'_>, element: Element<'_>) -> Vec<String> {
    let translations = element.subtree().filter(|part| part.is("translation") && part.stated("value").is_none());
    let texts: Vec<Element<'_>> = translations.filter_map(|translation| translation.child("originalText")).take(TIMES).collect();
    texts.into_iter().filter_map(|text| resolved_text(context, text)).collect()
}

/// Whether an end lies before the document's own time, as far as both are stated (decision 18).
pub(super) fn is_before_document(context: &mut Context<'_>, end: &str) -> bool {
    let time = context.document.root().child("effectiveTime");
    let Some(now) = time.and_then(|time| date_time(context, time)) else { return false };
    let (Some(end), Some(now)) = (end.get(..end.len().min(10)), now.get(..now.len().min(10))) else { return false };
    let shared = end.len().min(now.len());
    matches!((end.get(..shared), now.get(..shared)), (Some(end), Some(now)) if end < now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_day_of_a_width_in_days_is_inside() {
        assert_eq!(plus("2023-12-01", 2, "d").as_deref(), Some("2023-12-02"));
        assert_eq!(plus("2023-12-03", 4, "d").as_deref(), Some("2023-12-06"));
        assert_eq!(plus("2024-02-26", 1, "wk").as_deref(), Some("2024-03-03"));
        assert_eq!(plus("2023-12-01", 1, "mo").as_deref(), Some("2024-01-01"));
        assert_eq!(plus("2023-12-01T10:00:00+01:00", 36, "h").as_deref(), Some("2023-12-02T22:00:00+01:00"));
    }

    #[test]
    fn a_width_after_a_month_or_in_no_unit_of_time_has_no_end() {
        assert_eq!(plus("2023-12", 2, "d"), None);
        assert_eq!(plus("2023-12-01", 2, "j"), None);
        assert_eq!(plus("2023-12-01", i32::MAX, "d"), None);
    }
}
