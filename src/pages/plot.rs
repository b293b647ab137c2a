//! Trend of one analysis as inline SVG: no script, no style attribute, a text alternative.
use super::result::ResultRow;
use jiff::civil::Date;
use maud::{Markup, html};

const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 190.0;
const LEFT: f64 = 52.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 30.0;

/// A plot of the rows that have a point in the unit of the newest one; `None` below two of them.
pub(super) fn plot(name: &str, rows: &[&ResultRow<'_>], anchor: &str) -> Option<Markup> {
    let unit = &rows.iter().find(|row| row.point.is_some())?.unit;
    let mut points: Vec<(Date, f64, &str, &ResultRow<'_>)> = rows
        .iter()
        .filter(|row| row.unit == *unit)
        .filter_map(|row| {
            let (day, value) = row.point?;
            Some((day, value, row.marks.first().map_or("", |mark| mark.class), *row))
        })
        .collect();
    points.sort_by_key(|point| point.0);
    let (first, last) = (points.first()?, points.last()?);
    if points.len() < 2 || first.0 == last.0 {
        return None;
    }
    let bounds = rows.iter().filter(|row| row.unit == *unit).map(|row| row.bounds).find(|bounds| *bounds != (None, None));
    let (low, high) = bounds.unwrap_or((None, None));
    let scale = Scale::new(first.0, last.0, points.iter().map(|point| point.1).chain(low).chain(high));
    let line: Vec<String> =
        points.iter().map(|(day, value, ..)| format!("{:.1},{:.1}", scale.x(*day), scale.y(*value))).collect();
    let band = (scale.y(high.unwrap_or(scale.max)), scale.y(low.unwrap_or(scale.min)));
    let title = format!("{anchor}-title");
    Some(html! {
        svg.plot viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-labelledby=(title) {
            title id=(title) {
                (name) ", " (points.len()) " valeurs du " (french(first.0)) " au " (french(last.0)) ", en " (unit)
            }
            @if bounds.is_some() {
                rect.band x=(LEFT) y=(round(band.0)) width=(WIDTH - LEFT - RIGHT) height=(round((band.1 - band.0).max(0.0))) {}
            }
            @for tick in scale.ticks() {
                line.grid x1=(LEFT) x2=(WIDTH - RIGHT) y1=(round(scale.y(tick))) y2=(round(scale.y(tick))) {}
                text x=(LEFT - 8.0) y=(round(scale.y(tick) + 4.0)) text-anchor="end" { (scale.label(tick)) }
            }
            line.axis x1=(LEFT) x2=(WIDTH - RIGHT) y1=(HEIGHT - BOTTOM) y2=(HEIGHT - BOTTOM) {}
            @for (day, anchor) in scale.days() {
                line.axis x1=(round(scale.x(day))) x2=(round(scale.x(day))) y1=(HEIGHT - BOTTOM) y2=(HEIGHT - BOTTOM + 5.0) {}
                text x=(round(scale.x(day))) y=(HEIGHT - BOTTOM + 19.0) text-anchor=(anchor) { (day.strftime("%m/%Y").to_string()) }
            }
            polyline.line points=(line.join(" ")) {}
            @for (day, value, class, row) in &points {
                circle class=(format!("point {class}")) cx=(round(scale.x(*day))) cy=(round(scale.y(*value))) r="4.5" {
                    title { (french(*day)) " : " (row.value.as_deref().unwrap_or_default()) " " (row.unit) }
                }
            }
        }
    })
}

fn french(day: Date) -> String {
    day.strftime("%d/%m/%Y").to_string()
}

fn round(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

struct Scale {
    first: Date,
    span: f64,
    min: f64,
    max: f64,
    step: f64,
}

impl Scale {
    fn new(first: Date, last: Date, values: impl Iterator<Item = f64>) -> Self {
        let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
        let step = nice((high - low).max(high.abs() * 0.02).max(1e-6) / 3.0);
        let (min, max) = ((low / step - 0.15).floor() * step, (high / step + 0.15).ceil() * step);
        Self { first, span: days(first, last).max(1.0), min, max, step }
    }
    fn x(&self, day: Date) -> f64 {
        LEFT + 12.0 + (WIDTH - LEFT - RIGHT - 24.0) * days(self.first, day) / self.span
    }
    fn y(&self, value: f64) -> f64 {
        HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (value - self.min) / (self.max - self.min)
    }
    fn ticks(&self) -> Vec<f64> {
        let mut ticks = vec![self.min];
        while let Some(next) = ticks.last().map(|last| last + self.step).filter(|next| *next <= self.max + self.step * 0.01) {
            // Bounded: a step is at least a third of the distance, so this is a defence only.
            if ticks.len() > 8 {
                break;
            }
            ticks.push(next);
        }
        ticks
    }
    fn label(&self, tick: f64) -> String {
        let decimals = if self.step >= 1.0 {
            0
        } else if self.step >= 0.1 {
            1
        } else if self.step >= 0.01 {
            2
        } else {
            4
        };
        format!("{tick:.decimals$}").replace('.', ",")
    }
    /// Four days from the first to the last, and how their labels are aligned.
    fn days(&self) -> Vec<(Date, &'static str)> {
        let parts = if self.span < 90.0 { [0.0, 1.0].as_slice() } else { [0.0, 1.0 / 3.0, 2.0 / 3.0, 1.0].as_slice() };
        let at = |part: f64| {
            let hours = (self.span * part).round() * 24.0;
            self.first
                .checked_add(jiff::SignedDuration::try_from_secs_f64(hours * 3600.0).unwrap_or_default())
                .unwrap_or(self.first)
        };
        parts
            .iter()
            .map(|part| {
                (
                    at(*part),
                    if *part == 0.0 {
                        "start"
                    } else if *part == 1.0 {
                        "end"
                    } else {
                        "middle"
                    },
                )
            })
            .collect()
    }
}

fn days(from: Date, to: Date) -> f64 {
    from.until(to).map_or(0.0, |span| f64::from(span.get_days()))
}

/// 1, 2 or 5 times a power of ten, at least this.
fn nice(raw: f64) -> f64 {
    let power = 10_f64.powf(raw.log10().floor());
    let factor = raw / power;
    power
        * if factor <= 1.0 {
            1.0
        } else if factor <= 2.0 {
            2.0
        } else if factor <= 5.0 {
            5.0
        } else {
            10.0
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_one_two_or_five() {
        assert_eq!(nice(0.8), 1.0);
        assert_eq!(nice(1.3), 2.0);
        assert!((nice(0.03) - 0.05).abs() < 1e-12);
        assert_eq!(nice(70.0), 100.0);
    }

    #[test]
    fn the_scale_holds_every_value() {
        let day = |text: &str| text.parse::<Date>().unwrap();
        let scale = Scale::new(day("2024-01-01"), day("2026-01-01"), [6.1, 8.9, 4.0].into_iter());
        assert!(scale.min <= 4.0 && scale.max >= 8.9);
        assert!(scale.y(8.9) >= TOP && scale.y(4.0) <= HEIGHT - BOTTOM);
        assert!(scale.ticks().len() <= 8);
    }
}
