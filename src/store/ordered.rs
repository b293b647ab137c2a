//! Searches whose order only bodies give (`_sort` by a token, string, reference or uri): all matches are ordered in memory.
use super::cohort;
use super::facts;
use super::order::Order;
use super::page::{self, Page, PageRequest, Position};
use super::resource::{COLUMNS, Columns, Row, Stored, stored};
use super::search::{BATCH, Hit, MATCHES, Search, demand_resolved};
use super::select::{self, Reader};
use super::unit::{Access, Scope, Unit};
use crate::fhir::Problem;
use crate::fhir::outcome::IssueKind;
use crate::ids::{Pid, Rid};
use crate::search::Plan;
use std::cmp::Ordering;
use std::collections::HashMap;

/// As [`super::resource_search`], in the order of the keys that `keys_of` reads in bodies, by `compare`, then by place;
/// `plan.sort` is not looked at.
///
/// # Errors
/// `TooCostly` for more than 20,000 matches; as `resource_search` else.
pub fn resource_search_ordered<K>(
    unit: &Unit,
    access: &Access,
    plan: &Plan,
    page: &PageRequest,
    recheck: &mut dyn FnMut(&Stored) -> bool,
    keys_of: &mut dyn FnMut(&Stored) -> K,
    compare: &dyn Fn(&K, &K) -> Ordering,
) -> Result<Page, Problem> {
    demand_resolved(plan)?;
    let search = Search { unit, access, plan, order: Order::of(&[])?, reader: Reader::new(unit, access), told: None };
    let about = search.about(page);
    let position = page.cursor.as_ref().map(|cursor| page::open(unit, &about, cursor)).transpose()?;
    let Some(snapshot) = snapshot(&search, position.as_ref())? else {
        return Ok(Page { resources: Vec::new(), total: page.total.then_some(0), next: None });
    };
    let mut hits = all(&search, snapshot, recheck, keys_of)?;
    let mut bodies = HashMap::new();
    if position.is_some() || matches!(access.scope(), Scope::Cohort) {
        for hit in search.changed(snapshot, recheck)? {
            bodies.insert(hit.place(), hit.clone());
            hits.push((keys_of(&hit.stored), hit));
        }
    }
    let order = |a: &(K, Hit), b: &(K, Hit)| compare(&a.0, &b.0).then_with(|| a.1.place().cmp(&b.1.place()));
    hits.sort_by(order);
    let total = match &position {
        Some(position) => position.total,
        None => page.total.then(|| u64::try_from(hits.len()).unwrap_or(u64::MAX)),
    };
    if let Some(position) = &position {
        let last = last_given(&search, position)?;
        let last = (keys_of(&last), Hit { stored: last, keys: Vec::new() });
        hits.retain(|hit| order(hit, &last).is_gt());
    }
    let more = hits.len() > page.count;
    hits.truncate(page.count);
    let mut hits: Vec<Hit> = hits.into_iter().map(|(_, hit)| hit).collect();
    cohort::fill(&search, &mut hits, &bodies)?;
    let next = match hits.last() {
        Some(last) if more => {
            Some(page::seal(unit, &about, &Position { snapshot, total, keys: Vec::new(), place: last.place() })?)
        }
        Some(_) | None => None,
    };
    Ok(Page { resources: hits.into_iter().map(|hit| hit.stored).collect(), total, next })
}

/// When the first page was read; none where there is no record to read.
fn snapshot(search: &Search<'_>, position: Option<&Position>) -> Result<Option<i64>, Problem> {
    if let Some(position) = position {
        return Ok(Some(position.snapshot));
    }
    match (search.access.scope(), search.access.pid()) {
        (Scope::Cohort, _) => Ok(Some(search.unit.horizon())),
        (_, Some(pid)) => Ok(Some(facts::last_updated(search.unit, pid)?.unwrap_or(0))),
        (_, None) => Ok(None),
    }
}

fn too_many() -> Problem {
    Problem::new(IssueKind::TooCostly, "More than 20,000 matches to sort; add a criterion")
}

/// Every match that has not changed since the snapshot, with its keys and without its body.
fn all<K>(
    search: &Search<'_>,
    snapshot: i64,
    recheck: &mut dyn FnMut(&Stored) -> bool,
    keys_of: &mut dyn FnMut(&Stored) -> K,
) -> Result<Vec<(K, Hit)>, Problem> {
    let mut hits: Vec<(K, Hit)> = Vec::new();
    let mut keep = |hit: Hit| {
        if !search.plan.recheck || recheck(&hit.stored) {
            hits.push((keys_of(&hit.stored), cohort::without_body(hit)));
        }
        hits.len()
    };
    if matches!(search.access.scope(), Scope::Cohort) {
        cohort::matches(search, snapshot, true, &mut |hit| {
            keep(hit);
        })?;
        return Ok(hits);
    }
    let mut after = None;
    loop {
        search.unit.check_deadline()?;
        let found = search.batch(Some(snapshot), after.as_ref(), BATCH)?;
        let last_batch = found.len() < BATCH;
        after = found.last().map(|hit| (hit.keys.clone(), hit.stored.rid.0));
        if found.into_iter().map(&mut keep).any(|kept| kept > MATCHES) {
            return Err(too_many());
        }
        if last_batch {
            return Ok(hits);
        }
    }
}

/// The last resource of the page before, as it was: it may have been hidden since, so it is looked for without masks, and
/// serves to compare only.
fn last_given(search: &Search<'_>, position: &Position) -> Result<Stored, Problem> {
    let (pid, rid) = position.place;
    let mut sql = select::whole(search.unit, Pid(pid), Rid(rid), COLUMNS);
    sql.push(" AND r.updated <= ").integer(position.snapshot);
    if let Some(row) = search.unit.run(|connection| sql.first::<Columns, Row>(connection))? {
        return Ok(stored(row)?);
    }
    let then = search.version_at(pid, rid, position.snapshot)?;
    then.map(|(hit, _)| hit.stored)
        .ok_or_else(|| Problem::new(IssueKind::ParameterInvalid, "The page link is not one of this search"))
}
