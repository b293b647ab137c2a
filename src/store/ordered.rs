//! Searches whose order only bodies give (`_sort` by a token, reference or uri): in one record, all matches in memory.
use super::facts;
use super::order::Order;
use super::page::{self, Page, PageRequest, Position};
use super::resource::{COLUMNS, Columns, Row, Stored, stored};
use super::search::{BATCH, Hit, Search};
use super::select::{self, Reader};
use super::unit::{Access, Scope, Unit};
use crate::fhir::Problem;
use crate::fhir::outcome::IssueKind;
use crate::ids::{Pid, Rid};
use crate::search::Plan;
use std::cmp::Ordering;

/// Most matches that are ordered in memory.
const MATCHES: usize = 20_000;

/// As [`super::resource_search`], in the order of `compare`, then by number; `plan.sort` is not looked at.
///
/// # Errors
/// `ParameterUnknown` over several records; `TooCostly` for more than 20,000 matches; as `resource_search` else.
pub fn resource_search_ordered(
    unit: &Unit,
    access: &Access,
    plan: &Plan,
    page: &PageRequest,
    recheck: &mut dyn FnMut(&Stored) -> bool,
    compare: &mut dyn FnMut(&Stored, &Stored) -> Ordering,
) -> Result<Page, Problem> {
    let Some(pid) = record(access)? else {
        return Ok(Page { resources: Vec::new(), total: page.total.then_some(0), next: None });
    };
    let search = Search { unit, access, plan, order: Order::of(&[])?, reader: Reader::new(unit, access) };
    let about = search.about();
    let position = page.cursor.as_ref().map(|cursor| page::open(unit, &about, cursor)).transpose()?;
    let snapshot = match &position {
        Some(position) => position.snapshot,
        None => facts::last_updated(unit, pid)?.unwrap_or(0),
    };
    let mut hits = all(&search, snapshot, recheck)?;
    if position.is_some() {
        hits.extend(search.changed(snapshot, recheck)?);
    }
    let mut order = |a: &Stored, b: &Stored| compare(a, b).then(a.rid.cmp(&b.rid));
    hits.sort_by(|a, b| order(&a.stored, &b.stored));
    let total = match &position {
        Some(position) => position.total,
        None => page.total.then(|| u64::try_from(hits.len()).unwrap_or(u64::MAX)),
    };
    if let Some(position) = &position {
        let last = last_given(&search, position)?;
        hits.retain(|hit| order(&hit.stored, &last).is_gt());
    }
    let more = hits.len() > page.count;
    hits.truncate(page.count);
    let next = match hits.last() {
        Some(last) if more => {
            Some(page::seal(unit, &about, &Position { snapshot, total, keys: Vec::new(), place: last.place() })?)
        }
        Some(_) | None => None,
    };
    Ok(Page { resources: hits.into_iter().map(|hit| hit.stored).collect(), total, next })
}

/// The one record; none where it is known to be none.
fn record(access: &Access) -> Result<Option<Pid>, Problem> {
    match access.scope() {
        Scope::Cohort => Err(Problem::new(IssueKind::ParameterUnknown, "Sorting by this parameter needs one record")),
        Scope::Record(..) | Scope::Own(_) | Scope::Directory | Scope::Patient(_) => Ok(access.pid()),
    }
}

/// Every match that has not changed since the snapshot.
fn all(search: &Search<'_>, snapshot: i64, recheck: &mut dyn FnMut(&Stored) -> bool) -> Result<Vec<Hit>, Problem> {
    let mut hits: Vec<Hit> = Vec::new();
    let mut after = None;
    loop {
        search.unit.check_deadline()?;
        let found = search.batch(Some(snapshot), after.as_ref(), BATCH)?;
        let last_batch = found.len() < BATCH;
        after = found.last().map(|hit| (hit.keys.clone(), hit.stored.rid.0));
        hits.extend(found.into_iter().filter(|hit| !search.plan.recheck || recheck(&hit.stored)));
        if hits.len() > MATCHES {
            return Err(Problem::new(IssueKind::TooCostly, "More than 20,000 matches to sort; add a criterion"));
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
