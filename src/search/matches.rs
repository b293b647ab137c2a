//! The pure matcher: whether a body fulfils a query, and how bodies are ordered. It never looks at index rows.
use super::criterion::clinical_date;
use super::kind::{Local, Reading, date, number, quantity, reference, string, token};
use super::plan::Predicate;
use super::query::Query;
use super::registry::{Kind, Parameter};
use super::text::normal;
use crate::fhir::path::Found;
use crate::fhir::{Resource, ResourceType};
use crate::ids::Pid;
use jiff::tz::TimeZone;
use std::cmp::Ordering;

/// What matching a body needs.
#[derive(Clone, Copy)]
pub struct MatchContext<'a> {
    /// Where a reference leads on this server.
    pub local: Local<'a>,
    /// Record of the body, or the directory.
    pub pid: Pid,
    /// Zone of dates without one.
    pub time_zone: &'a TimeZone,
    /// Decides chains and `_has`, which need other resources, and [`Predicate::Behind`]. Candidates that the tables gave
    /// fulfil links already; what stands behind a `_filter` ([`Query::behind_bodies`]) is decided here alone.
    pub linked: Option<&'a dyn Fn(&Predicate) -> bool>,
}

impl<'a> MatchContext<'a> {
    fn reading(&self) -> Reading<'a> {
        Reading { local: self.local, pid: self.pid, time_zone: self.time_zone }
    }
}

/// Whether a body fulfils every condition of the query.
#[must_use]
pub fn matches(query: &Query, resource_type: ResourceType, resource: &Resource, context: &MatchContext<'_>) -> bool {
    let reading = context.reading();
    let linked = |predicate: &Predicate| context.linked.is_none_or(|linked| linked(predicate));
    resource_type == query.resource_type && query.criteria.iter().all(|criterion| criterion.matches(resource, &reading, &linked))
}

/// Order of two bodies by every key of `_sort`; without `_sort`, clinical date, newest first.
///
/// Ascending compares the smallest value of each, descending the greatest; what has none comes last.
#[must_use]
pub fn compare(query: &Query, a: &Resource, b: &Resource, context: &MatchContext<'_>) -> Ordering {
    sort_keys(query, a, context).compare(&sort_keys(query, b, context))
}

/// What orders a body: read once, where many are compared.
#[must_use]
pub fn sort_keys(query: &Query, resource: &Resource, context: &MatchContext<'_>) -> SortKeys {
    let reading = context.reading();
    let clinical =
        || clinical_date(query.resource_type, resource, context.time_zone).map(|date| SortKey::Number(date::float(date)));
    if query.sort.is_empty() {
        return SortKeys(vec![(clinical(), true)]);
    }
    let keys = query.sort.iter().map(|(parameter, descending)| {
        let is_clinical = query.resource_type.clinical_date() == Some(parameter.code);
        let key = if is_clinical { clinical() } else { sort_key(parameter, resource, *descending, &reading) };
        (key, *descending)
    });
    SortKeys(keys.collect())
}

/// The values of one body for the keys of a `_sort`, and whether each descends.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SortKeys(Vec<(Option<SortKey>, bool)>);

impl SortKeys {
    /// Order of two bodies of one search; what has no value comes last.
    #[must_use]
    pub fn compare(&self, other: &Self) -> Ordering {
        let keys = self.0.iter().zip(&other.0).map(|((a, descending), (b, _))| match (a, b) {
            (Some(a), Some(b)) if *descending => b.cmp(a),
            (Some(a), Some(b)) => a.cmp(b),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => Ordering::Equal,
        });
        keys.fold(Ordering::Equal, Ordering::then)
    }
}

#[derive(Debug, Clone, PartialEq)]
enum SortKey {
    Number(f64),
    Text(String),
}

impl SortKey {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => a.total_cmp(b),
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (Self::Number(_), Self::Text(_)) => Ordering::Less,
            (Self::Text(_), Self::Number(_)) => Ordering::Greater,
        }
    }
}

fn sort_key(parameter: &Parameter, resource: &Resource, descending: bool, reading: &Reading<'_>) -> Option<SortKey> {
    let keys = parameter.path.evaluate(resource).into_iter().flat_map(|found| keys(parameter.kind(), found, descending, reading));
    if descending { keys.max_by(SortKey::cmp) } else { keys.min_by(SortKey::cmp) }
}

fn keys(kind: Kind, found: Found<'_>, descending: bool, reading: &Reading<'_>) -> Vec<SortKey> {
    let end = |(lo, hi): (f64, f64)| SortKey::Number(if descending { hi } else { lo });
    match kind {
        Kind::Date => date::interval(found, reading.time_zone).map(end).into_iter().collect(),
        Kind::Number => number::interval(found).map(end).into_iter().collect(),
        Kind::Quantity => quantity::measures(found).iter().map(|measure| end(measure.raw())).collect(),
        Kind::String => string::texts(found).into_iter().map(|text| SortKey::Text(normal(text))).collect(),
        Kind::Token => {
            let codes = token::codes(found);
            codes.iter().map(|coded| SortKey::Text(coded.code.to_lowercase())).collect()
        }
        Kind::Reference | Kind::Uri => reference::written(found).map(|text| SortKey::Text(text.to_owned())).into_iter().collect(),
        Kind::Composite | Kind::Special => Vec::new(),
    }
}
