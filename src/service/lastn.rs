//! The last results of each code. <https://hl7.org/fhir/R4/observation-operation-lastn.html>
//!
//! # Decisions
//! - `patient` or `subject`, and `category` or `code`, are required, as the operation says; every other search parameter
//!   filters before the last ones are taken.
//! - Observations are of one group where they share a coding (system and code), directly or over others; those without a
//!   coding where they have the same text; one without either is a group of its own.
//! - Groups stand in the order of their newest result, and each newest first; one without a date is the oldest.
//! - Data of replaced documents are left out and entered-in-error ones are not, as in searches.
use super::Context;
use super::include::includes;
use super::search::{asked, events, found, link_to, part};
use crate::audit::{Body, Outcome};
use crate::fhir::bundle::{self, SearchMode, SearchSet};
use crate::fhir::interaction::Parameters;
use crate::fhir::outcome::operation_outcome;
use crate::fhir::{IssueKind, Problem, Resource};
use crate::search::{Query, Summary};
use crate::store::{Access, PageRequest, Stored};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::HashMap;

/// Most Observations that are put into groups.
const CANDIDATES: usize = 20_000;
/// Read at a time.
const SLICE: usize = 1_000;
/// Most Observations of an answer, which has no pages.
const ANSWER: usize = 1_000;

/// `GET Observation/$lastn`, or POST with Parameters.
///
/// # Errors
/// 400 without patient, or without category or code, and for what a search would refuse; `too-costly` for more than 20,000
/// Observations to look at, or 1,000 to give.
pub(super) fn last_n(context: &Context<'_>, access: &Access, parameters: &Parameters) -> Result<Outcome, Problem> {
    let resource_type = super::known_type("Observation")?;
    let (max, rest) = max(parameters)?;
    super::search::check_person(context, resource_type, &rest)?;
    let query = asked(context, access, resource_type, &rest)?;
    let candidates = candidates(context, access, &query)?;
    if let (Some(denial), true) = (access.permit().otherwise(), candidates.is_empty()) {
        return Err(denial.problem.clone());
    }
    let chosen = last(candidates, max)?;
    if chosen.len() > ANSWER {
        return Err(Problem::new(IssueKind::TooCostly, "More than 1,000 results; add a criterion or lower max"));
    }
    let included = includes(context, access, &query, &chosen)?;
    let base = context.server.base();
    let max = parameters.0.iter().filter(|(name, _)| name == "max").cloned();
    let honoured: Vec<(String, String)> = max.chain(query.self_parameters.iter().cloned()).collect();
    let mut entries = Vec::with_capacity(chosen.len() + included.len());
    if query.summary != Summary::Count {
        for stored in &chosen {
            entries.push((context.full_url(stored)?, part(&query, stored)?, SearchMode::Match));
        }
        for stored in &included {
            entries.push((context.full_url(stored)?, Cow::from(&stored.body), SearchMode::Include));
        }
    }
    let bytes = bundle::searchset(SearchSet {
        self_link: &link_to(base, "Observation/$lastn", &honoured, None),
        next_link: None,
        total: u64::try_from(chosen.len()).ok(),
        entries,
        outcome: (!query.ignored.is_empty()).then(|| operation_outcome(query.ignored.iter())),
    });
    Ok(Outcome::new(200, Body::Fhir(bytes), events(context, access, Some(resource_type), chosen.iter().chain(&included))))
}

/// `max`, 1 without it, and the search parameters; what the operation requires is there.
fn max(parameters: &Parameters) -> Result<(usize, Parameters), Problem> {
    let invalid = |text: &str| Problem::new(IssueKind::ParameterInvalid, text);
    let mut max = None;
    let mut rest = Vec::new();
    for (name, value) in &parameters.0 {
        match name.as_str() {
            "max" => {
                let value = value.parse::<usize>().ok().filter(|value| *value > 0);
                let value = value.ok_or_else(|| invalid("`max` is a positive integer"))?;
                if max.replace(value).is_some() {
                    return Err(invalid("`max` stands more than once"));
                }
            }
            "_sort" | "_count" | "_total" | "_cursor" => {
                let text = "$lastn has an order of its own and no pages: without _sort, _count and _total";
                return Err(Problem::new(IssueKind::ParameterUnknown, text));
            }
            _ => rest.push((name.clone(), value.clone())),
        }
    }
    let has = |names: [&str; 2]| rest.iter().any(|(name, _)| names.contains(&name.split([':', '.']).next().unwrap_or_default()));
    if !has(["patient", "subject"]) {
        return Err(invalid("$lastn needs patient or subject"));
    }
    if !has(["category", "code"]) {
        return Err(invalid("$lastn needs category or code"));
    }
    Ok((max.unwrap_or(1), Parameters(rest)))
}

/// Every match, newest first.
fn candidates(context: &Context<'_>, access: &Access, query: &Query) -> Result<Vec<Stored>, Problem> {
    let mut all: Vec<Stored> = Vec::new();
    let mut cursor = None;
    loop {
        let request = PageRequest { count: SLICE, total: false, cursor, query: None };
        let page = found(context, access, query, &request)?;
        all.extend(page.resources);
        if all.len() > CANDIDATES {
            return Err(Problem::new(IssueKind::TooCostly, "More than 20,000 Observations to look at; add a criterion"));
        }
        match page.next {
            Some(next) => cursor = Some(next),
            None => return Ok(all),
        }
    }
}

/// The first `max` of each group, groups in the order of their first.
fn last(candidates: Vec<Stored>, max: usize) -> Result<Vec<Stored>, Problem> {
    let bodies = candidates.iter().map(Stored::resource).collect::<Result<Vec<_>, _>>()?;
    let mut order: Vec<usize> = Vec::new();
    let mut members: HashMap<usize, Vec<Stored>> = HashMap::new();
    for (stored, group) in candidates.into_iter().zip(groups(&bodies)) {
        let group_members = members.entry(group).or_insert_with(|| {
            order.push(group);
            Vec::new()
        });
        if group_members.len() < max {
            group_members.push(stored);
        }
    }
    Ok(order.into_iter().filter_map(|group| members.remove(&group)).flatten().collect())
}

/// The group of each Observation, by its code.
fn groups(bodies: &[Resource]) -> Vec<usize> {
    let mut parents: Vec<usize> = (0..bodies.len()).collect();
    let mut first_with: HashMap<(String, String), usize> = HashMap::new();
    for (number, body) in bodies.iter().enumerate() {
        for name in names(body) {
            let other = *first_with.entry(name).or_insert(number);
            let (a, b) = (root(&parents, number), root(&parents, other));
            if let Some(parent) = parents.get_mut(a.max(b)) {
                *parent = a.min(b);
            }
        }
    }
    (0..bodies.len()).map(|number| root(&parents, number)).collect()
}

fn root(parents: &[usize], mut number: usize) -> usize {
    // Every parent is smaller than its child, but for a root.
    while let Some(parent) = parents.get(number).filter(|parent| **parent != number) {
        number = *parent;
    }
    number
}

/// What tells the code of an Observation: its codings, or its text where it has none.
fn names(body: &Resource) -> Vec<(String, String)> {
    let code = body.get("code");
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let codings = code.and_then(|code| code.get("coding")).and_then(Value::as_array);
    let named = codings
        .into_iter()
        .flatten()
        .filter_map(|coding| Some((text(coding, "system").unwrap_or_default(), text(coding, "code")?)));
    let named: Vec<(String, String)> = named.collect();
    if !named.is_empty() {
        return named;
    }
    code.and_then(|code| text(code, "text")).map(|text| ("text".to_owned(), text)).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn body(code: Value) -> Resource {
        json!({"resourceType": "Observation", "code": code}).as_object().cloned().unwrap()
    }

    #[test]
    fn codings_are_one_group_over_others_and_texts_only_where_there_is_no_coding() {
        let coded = |codes: &[(&str, &str)]| {
            body(
                json!({"coding": codes.iter().map(|(system, code)| json!({"system": system, "code": code})).collect::<Vec<_>>(), "text": "same"}),
            )
        };
        let bodies = [
            coded(&[("a", "1")]),
            coded(&[("b", "2")]),
            body(json!({"text": "same"})),
            coded(&[("a", "1"), ("b", "2")]),
            coded(&[("b", "1")]),
            body(json!({"text": "same"})),
            body(json!({"extension": []})),
            body(json!({"extension": []})),
        ];
        assert_eq!(groups(&bodies), [0, 0, 2, 0, 4, 2, 6, 7]);
    }
}
