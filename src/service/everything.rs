//! Everything of a record. <https://hl7.org/fhir/R4/patient-operation-everything.html>
//!
//! # Decisions
//! - The Patient first, then what a search of each type would find in the record, newest first: data of replaced documents
//!   are left out as there, masked, invisible and withdrawn resources too; the trace is not of it.
//! - `start` and `end` are of the own clinical date of a type; types that have none come whatever these say, an undated
//!   resource of a type that has one does not. `_since` is of lastUpdated. The Patient comes whatever they say.
//! - What a page refers to in the directory comes with that page (`include`) and is not counted.
//! - Who may not read the Patient gets nothing, also where he deposited something there.
use super::Context;
use super::read::not_found;
use super::search::{asked as parsed, events, link_to, query_string, take_cursor};
use super::search_all::{found_all, types};
use crate::audit::{Body, Outcome};
use crate::fhir::bundle::{self, SearchMode, SearchSet};
use crate::fhir::interaction::{Parameters, Target};
use crate::fhir::resource_type::Home;
use crate::fhir::{IssueKind, Problem, ResourceType, datetime, reference};
use crate::ids::{Pid, Rid};
use crate::search::{COUNT_DEFAULT, COUNT_MAX, Predicate, Query, RangeTest};
use crate::store::{self, Access, PageRequest, Stored};
use serde_json::Value;
use std::collections::{BTreeSet, HashSet};

/// `GET Patient/[id]/$everything`, or POST with Parameters.
///
/// # Errors
/// 404 (403 without authorisation) where the Patient may not be read; 400 for a parameter that the operation does not have.
pub(super) fn everything(
    context: &Context<'_>,
    access: &Access,
    target: &Target,
    parameters: &Parameters,
) -> Result<Outcome, Problem> {
    let patient_type = super::known_type("Patient")?;
    let Some((_, Rid::PATIENT)) = target.place else { return Err(not_found(access)) };
    let patient = store::resource_read(context.unit, access, patient_type, Rid::PATIENT)?.ok_or_else(|| not_found(access))?;
    let (cursor, parameters) = take_cursor(parameters);
    let asked = Asked::parse(context, &parameters)?;
    let with_patient = asked.types.contains(&patient_type);
    let others: Vec<ResourceType> = asked.types.iter().copied().filter(|resource_type| *resource_type != patient_type).collect();
    let queries =
        others.iter().map(|resource_type| asked.query(context, access, *resource_type)).collect::<Result<Vec<_>, _>>()?;
    let first = cursor.is_none() && with_patient;
    // The Patient takes one place of the first page; a page has room for one more than him.
    let count = if first { asked.count.max(2) - 1 } else { asked.count.max(1) };
    let request =
        PageRequest { count, total: true, cursor, query: Some(format!("$everything?{}", query_string(asked.honoured.iter()))) };
    let page = found_all(context, access, &queries, &request)?;
    let mut matches: Vec<Stored> = if first { vec![patient] } else { Vec::new() };
    matches.extend(page.resources);
    let included = directory(context, access, &matches, &asked)?;
    let base = context.server.base();
    let path = format!("{}/$everything", context.server.reference(patient_type, matches_pid(access), Rid::PATIENT));
    let entries = matches.iter().map(|stored| (stored, SearchMode::Match));
    let entries = entries.chain(included.iter().map(|stored| (stored, SearchMode::Include)));
    let entries = entries.map(|(stored, mode)| Ok((context.full_url(stored)?, &stored.body, mode)));
    let entries = entries.collect::<Result<Vec<_>, Problem>>()?;
    let bytes = bundle::searchset(SearchSet {
        self_link: &link_to(base, &path, &asked.honoured, None),
        next_link: page.next.as_ref().map(|cursor| link_to(base, &path, &asked.honoured, Some(cursor.as_text()))).as_deref(),
        total: page.total.map(|total| total.saturating_add(u64::from(with_patient))),
        entries,
        outcome: None,
    });
    let events = events(context, access, Some(patient_type), matches.iter().chain(&included));
    Ok(Outcome::new(200, Body::Fhir(bytes), events))
}

fn matches_pid(access: &Access) -> Pid {
    access.pid().unwrap_or(Pid::DIRECTORY)
}

/// The parameters of the operation, read.
struct Asked {
    types: Vec<ResourceType>,
    named: bool,
    since: Option<i64>,
    start: Option<String>,
    end: Option<String>,
    count: usize,
    honoured: Vec<(String, String)>,
}

impl Asked {
    fn parse(context: &Context<'_>, parameters: &Parameters) -> Result<Self, Problem> {
        let named = parameters.get("_type").is_some();
        let (of_compartment, rest) = types(parameters)?;
        let everywhere = || ResourceType::all().filter(|one| matches!(one.home(), Home::Record | Home::Either));
        let types = if named { of_compartment } else { everywhere().filter(|one| one.name() != "AuditEvent").collect() };
        let count = usize::try_from(COUNT_DEFAULT).unwrap_or(usize::MAX);
        let mut asked = Self { types, named, since: None, start: None, end: None, count, honoured: Vec::new() };
        let mut seen = HashSet::new();
        for (name, value) in &rest.0 {
            let wrong = || Problem::new(IssueKind::ParameterInvalid, format!("The value of `{name}` is not allowed"));
            let interval = || datetime::parse(value, &context.server.time_zone).ok_or_else(wrong);
            match name.as_str() {
                "_format" | "_pretty" => continue,
                "_since" => asked.since = Some(interval()?.lo),
                "start" => asked.start = interval().map(|_| Some(value.clone()))?,
                "end" => asked.end = interval().map(|_| Some(value.clone()))?,
                "_count" => {
                    let count = value.parse::<u32>().ok().ok_or_else(wrong)?.min(COUNT_MAX);
                    asked.count = usize::try_from(count).unwrap_or(usize::MAX);
                }
                _ if context.request.lenient => continue,
                _ => {
                    let text = "$everything has start, end, _since, _type and _count, and no other parameter";
                    return Err(Problem::new(IssueKind::ParameterUnknown, text));
                }
            }
            if !seen.insert(name.as_str()) {
                return Err(Problem::new(IssueKind::ParameterInvalid, format!("`{name}` stands more than once")));
            }
        }
        let honoured = ["_type", "start", "end", "_since", "_count"];
        asked.honoured = parameters.0.iter().filter(|(name, _)| honoured.contains(&name.as_str())).cloned().collect();
        Ok(asked)
    }

    /// The search of one type.
    fn query(&self, context: &Context<'_>, access: &Access, resource_type: ResourceType) -> Result<Query, Problem> {
        let mut parameters = Vec::new();
        if let Some(date) = resource_type.clinical_date() {
            let bounds = [("ge", &self.start), ("le", &self.end)];
            let bounds = bounds.into_iter().filter_map(|(prefix, bound)| Some((prefix, bound.as_ref()?)));
            parameters.extend(bounds.map(|(prefix, bound)| (date.to_owned(), format!("{prefix}{bound}"))));
        }
        let mut query = parsed(context, access, resource_type, &Parameters(parameters))?;
        if let Some(since) = self.since {
            query.plan.predicates.push(Predicate::Updated(vec![RangeTest::LoAtLeast(millis(since))]));
        }
        Ok(query)
    }
}

#[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "milliseconds of a date are exact as a float8")]
fn millis(value: i64) -> f64 {
    value as f64
}

/// What these resources refer to in the directory.
fn directory(context: &Context<'_>, access: &Access, from: &[Stored], asked: &Asked) -> Result<Vec<Stored>, Problem> {
    let mut places = BTreeSet::new();
    for stored in from {
        reference::references(&stored.resource()?, &mut |_path, object| {
            let literal = object.get("reference").and_then(Value::as_str);
            let place = literal.and_then(|literal| context.place(literal));
            places.extend(place.filter(|(pid, _)| *pid == Pid::DIRECTORY));
        });
    }
    let places: Vec<(Pid, Rid)> = places.into_iter().collect();
    let most = context.server.includes_max;
    if places.len() > most {
        let text = format!("The page refers to more than {most} resources of the directory: ask for a smaller _count");
        return Err(Problem::new(IssueKind::TooCostly, text));
    }
    let mut found = store::resource_places(context.unit, access, &places)?;
    found.retain(|stored| !asked.named || asked.types.contains(&stored.resource_type));
    Ok(found)
}
