//! Searches over several types at once: one order, one snapshot, one cursor.
use super::cohort;
use super::order::Order;
use super::page::{self, Page, PageRequest, Position, SortValue};
use super::resource::Stored;
use super::search::{Hit, Search};
use super::select::Reader;
use super::unit::{Access, Scope, Unit};
use crate::fhir::Problem;
use crate::fhir::outcome::IssueKind;
use crate::search::{Plan, Sort};

/// Resources of the access's scope that fulfil the plan of their type, all in the same order. `recheck` gets the number of the
/// plan with the resource.
///
/// # Errors
/// As [`super::resource_search`]; `ParameterUnknown` where the types have no order in common.
pub fn resource_search_all(
    unit: &Unit,
    access: &Access,
    plans: &[Plan],
    page: &PageRequest,
    recheck: &mut dyn FnMut(usize, &Stored) -> bool,
) -> Result<Page, Problem> {
    let Some(first) = plans.first() else {
        return Ok(Page { resources: Vec::new(), total: page.total.then_some(0), next: None });
    };
    if plans.iter().any(|plan| shape(&plan.sort) != shape(&first.sort)) {
        return Err(Problem::new(IssueKind::ParameterUnknown, "The types searched have no such order in common (_sort)"));
    }
    let order = Order::of(&first.sort)?;
    let types: Vec<&str> = plans.iter().map(|plan| plan.resource_type.name()).collect();
    let what = page.query.clone().unwrap_or_else(|| format!("{plans:?}"));
    let about = format!("all {} {} {types:?} {what}", access.place(), access.who());
    let about = openssl::sha::sha256(about.as_bytes());
    let position = page.cursor.as_ref().map(|cursor| page::open(unit, &about, cursor)).transpose()?;
    if position.as_ref().is_some_and(|position| !order.accepts(&position.keys)) {
        return Err(Problem::new(IssueKind::ParameterInvalid, "The page link is not one of this search"));
    }
    let mut snapshot = 0;
    let mut total = Some(0_u64);
    let mut hits: Vec<Hit> = Vec::new();
    for (number, plan) in plans.iter().enumerate() {
        let search = Search { unit, access, plan, order: Order::of(&plan.sort)?, reader: Reader::new(unit, access), told: None };
        let mut recheck = |stored: &Stored| recheck(number, stored);
        let (seen, found, counted) = match access.scope() {
            Scope::Cohort => cohort::search(&search, page, position.as_ref(), &mut recheck)?,
            Scope::Record(..) | Scope::Own(_) | Scope::Directory | Scope::Patient(_) => {
                search.in_one_record(page, position.as_ref(), &mut recheck)?
            }
        };
        snapshot = seen;
        total = total.zip(counted).map(|(total, counted)| total.saturating_add(counted));
        hits.extend(found);
    }
    // The total of the cursor is that of all types.
    if let Some(position) = &position {
        total = position.total;
    }
    hits.sort_by(|a, b| order.compare((&a.keys, a.place()), (&b.keys, b.place())));
    let more = hits.len() > page.count;
    hits.truncate(page.count);
    let next = match hits.last().filter(|_| more) {
        Some(last) => {
            Some(page::seal(unit, &about, &Position { snapshot, total, keys: last.keys.clone(), place: last.place() })?)
        }
        None => None,
    };
    Ok(Page { resources: hits.into_iter().map(|hit| hit.stored).collect(), total, next })
}

/// What makes two orders comparable: kinds and directions of their keys.
fn shape(sort: &[Sort]) -> Vec<(SortValue, bool)> {
    let of_one = |sort: &Sort| match sort {
        Sort::ClinicalDate { descending } | Sort::Updated { descending } => (SortValue::Integer(0), *descending),
        Sort::Range { descending, .. } | Sort::Body { descending, .. } => (SortValue::Number(0.0), *descending),
    };
    sort.iter().map(of_one).collect()
}
