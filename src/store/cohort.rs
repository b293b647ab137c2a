//! Searches over several records: candidates from one exact predicate, in slices, each with its record's own mask.
use super::page::{PageRequest, Position};
use super::predicate;
use super::resource::Stored;
use super::search::{Hit, Search};
use super::select;
use super::sql::Sql;
use crate::fhir::Problem;
use crate::fhir::outcome::IssueKind;
use crate::ids::{Pid, Rid};
use crate::search::{Keyer, Plan, Predicate};
use diesel::sql_types::BigInt;
use std::collections::{BTreeSet, HashMap};

/// Most candidates of a search over several records.
const CANDIDATES: usize = 20_000;
/// Candidates between two looks at the deadline.
const SLICE: usize = 5_000;

/// Matches of one page and one more, the snapshot and the total.
pub(super) fn search(
    search: &Search<'_>,
    page: &PageRequest,
    position: Option<&Position>,
    recheck: &mut dyn FnMut(&Stored) -> bool,
) -> Result<(i64, Vec<Hit>, Option<u64>), Problem> {
    let snapshot = position.map_or_else(|| search.unit.horizon(), |position| position.snapshot);
    let candidates = candidates(search)?;
    let mut hits = Vec::new();
    for slice in candidates.chunks(SLICE) {
        search.unit.check_deadline()?;
        for mut hit in search.load(&slice_sql(search, slice, snapshot))? {
            if !search.plan.recheck || recheck(&hit.stored) {
                // Up to 20,000 matches are ordered: only those of the page have bodies.
                hit.stored.body = Vec::new();
                hits.push(hit);
            }
        }
    }
    // What a write in flight or later has changed, as it was.
    let changed = search.changed(snapshot, recheck)?;
    let bodies: HashMap<(i64, i64), Hit> = changed.iter().map(|hit| (hit.place(), hit.clone())).collect();
    hits.extend(changed);
    hits.sort_by(|a, b| search.order.compare((&a.keys, a.place()), (&b.keys, b.place())));
    let total = match position {
        Some(position) => position.total,
        None => page.total.then(|| u64::try_from(hits.len()).unwrap_or(u64::MAX)),
    };
    if let Some(position) = position {
        hits.retain(|hit| search.order.compare((&hit.keys, hit.place()), (&position.keys, position.place)).is_gt());
    }
    hits.truncate(page.count.saturating_add(1));
    fill(search, &mut hits, &bodies)?;
    Ok((snapshot, hits, total))
}

/// Puts the bodies back into the matches of the page.
fn fill(search: &Search<'_>, hits: &mut [Hit], changed: &HashMap<(i64, i64), Hit>) -> Result<(), Problem> {
    let wanted: Vec<(Pid, Rid)> =
        hits.iter().filter(|hit| !changed.contains_key(&hit.place())).map(|hit| (hit.stored.pid, hit.stored.rid)).collect();
    let found = super::search::resource_places(search.unit, search.access, &wanted)?;
    let found: HashMap<(Pid, Rid), Stored> = found.into_iter().map(|stored| ((stored.pid, stored.rid), stored)).collect();
    for hit in hits {
        if let Some(stored) = found.get(&(hit.stored.pid, hit.stored.rid)) {
            hit.stored = stored.clone();
        }
    }
    Ok(())
}

/// Candidates of a slice that match by the tables, with their bodies only where these decide.
pub(super) fn slice_sql(search: &Search<'_>, slice: &[(i64, i64)], snapshot: i64) -> Sql {
    let mut sql = search.unit.sql("WITH p AS MATERIALIZED (SELECT a, b FROM ");
    sql.pairs(slice, "q").push(") SELECT ");
    search.hit_columns(&mut sql, search.plan.recheck);
    select::from(&mut sql, "p", "r");
    sql.push(" WHERE r.pid = p.a AND r.rid = p.b AND r.updated <= ").integer(snapshot).push(" AND ");
    search.reader.visible(&mut sql, "r");
    predicate::plan(&mut sql, &search.reader, "r", search.plan, 0);
    sql
}

/// A predicate that can bound a search: on the resource itself, or on one of its record that a link leads to.
struct Bound<'a> {
    predicate: &'a Predicate,
    direct: bool,
}

fn bounds<'a>(predicates: &'a [Predicate], direct: bool, out: &mut Vec<Bound<'a>>) {
    for predicate in predicates {
        match predicate {
            Predicate::Tokens(_) | Predicate::Range(..) | Predicate::Text(..) => out.push(Bound { predicate, direct }),
            Predicate::Places(_) if direct => out.push(Bound { predicate, direct }),
            Predicate::All(list) => bounds(list, direct, out),
            // What a link into the directory finds there says nothing of the records.
            Predicate::Linked(base, _) if Keyer::is_directory_base(*base) => {}
            Predicate::Linked(_, plan) | Predicate::LinkedFrom(_, plan) => bounds(&plan.predicates, false, out),
            // A change, a choice, a repetition or a negation bounds nothing.
            Predicate::Places(_) | Predicate::Updated(_) | Predicate::Any(_) | Predicate::Repeats(_) | Predicate::Not(_) => {}
        }
    }
}

fn too_costly() -> Problem {
    Problem::new(
        IssueKind::TooCostly,
        "Over several records, one exact criterion must leave at most 20,000 candidates; add one or name the patient",
    )
}

/// Writes `table AS t WHERE <condition on t>`; false for places, which are their own candidates.
fn index_condition(sql: &mut Sql, predicate: &Predicate, from: &str) -> bool {
    match predicate {
        Predicate::Tokens(keys) => {
            sql.push(format!("{from}token AS t WHERE t.key"));
            predicate::keys_condition(sql, keys);
        }
        Predicate::Range(key, tests) => {
            sql.push(format!("{from}\"range\" AS t WHERE t.key = ")).integer(key.0).push(" AND ");
            predicate::range_tests(sql, tests, "t.lo", "t.hi");
        }
        Predicate::Text(key, prefixes) => {
            sql.push(format!("{from}\"text\" AS t WHERE t.key = ")).integer(key.0).push(" AND ");
            predicate::text_tests(sql, prefixes);
        }
        Predicate::Places(_)
        | Predicate::Updated(_)
        | Predicate::Linked(..)
        | Predicate::LinkedFrom(..)
        | Predicate::Repeats(_)
        | Predicate::All(_)
        | Predicate::Any(_)
        | Predicate::Not(_) => return false,
    }
    true
}

/// Places that may match, at most 20,000, all in records of the caller.
///
/// The cheaper way is taken: from the rows of the most selective key, or from the caller's records. Whether a search is
/// too costly is decided on the caller's own records, so it tells nothing of others.
fn candidates(search: &Search<'_>) -> Result<Vec<(i64, i64)>, Problem> {
    let mut found = Vec::new();
    bounds(&search.plan.predicates, true, &mut found);
    let mut best: Option<(usize, &Bound<'_>)> = None;
    for bound in &found {
        let rows = match bound.predicate {
            Predicate::Places(places) => places.len(),
            _ => rows_of_key(search, bound.predicate)?,
        };
        if best.as_ref().is_none_or(|(least, _)| rows < *least) {
            best = Some((rows, bound));
        }
    }
    let Some((rows, bound)) = best else { return patients(search) };
    if let Predicate::Places(places) = bound.predicate {
        let places: BTreeSet<(i64, i64)> = places.iter().map(|(pid, rid)| (pid.0, rid.0)).collect();
        return if places.len() > CANDIDATES { Err(too_costly()) } else { Ok(places.into_iter().collect()) };
    }
    let by_key = rows <= CANDIDATES;
    if bound.direct {
        let mut sql = search.unit.sql("WITH g AS MATERIALIZED (");
        own_rows(search, &mut sql, bound.predicate, "t.pid, t.rid", by_key);
        sql.push(") SELECT pid, rid FROM g LIMIT ").integer(limit());
        return load(search, &sql);
    }
    in_records(search, bound.predicate, by_key)
}

/// Without a bound, the Patients of the caller's records: one of each, so that a professional lists his patients.
fn patients(search: &Search<'_>) -> Result<Vec<(i64, i64)>, Problem> {
    if search.plan.resource_type.name() != "Patient" {
        return Err(too_costly());
    }
    let mut sql = search.unit.sql("SELECT o.pid, ");
    sql.integer(Rid::PATIENT.0).push(" FROM (");
    search.reader.records(&mut sql);
    sql.push(") AS o LIMIT ").integer(limit());
    load(search, &sql)
}

/// Candidates in the records where a linked resource has the index row.
fn in_records(search: &Search<'_>, predicate: &Predicate, by_key: bool) -> Result<Vec<(i64, i64)>, Problem> {
    let mut sql = search.unit.sql("WITH g AS MATERIALIZED (");
    own_rows(search, &mut sql, predicate, "t.pid", by_key);
    sql.push(") SELECT pid, pid FROM g LIMIT ").integer(limit());
    // Counted before they are used: a list that was cut short would give a partial answer.
    let records = load(search, &sql)?;
    let mut sql = search.unit.sql("WITH g AS MATERIALIZED (SELECT a FROM ");
    sql.pairs(&records, "q").push(") SELECT r.pid, r.rid");
    select::from(&mut sql, "g", "r");
    sql.push(" WHERE r.pid = g.a AND ");
    search.reader.visible(&mut sql, "r");
    let any = Plan { resource_type: search.plan.resource_type, predicates: Vec::new(), recheck: false, sort: Vec::new() };
    predicate::plan(&mut sql, &search.reader, "r", &any, 0);
    sql.push(" LIMIT ").integer(limit());
    load(search, &sql)
}

/// Writes `SELECT DISTINCT columns` of the index rows of a predicate in the caller's records, key first or record first.
fn own_rows(search: &Search<'_>, sql: &mut Sql, predicate: &Predicate, columns: &'static str, by_key: bool) {
    if by_key {
        sql.push("SELECT DISTINCT ").push(columns).push(" FROM ");
        index_condition(sql, predicate, "");
        sql.push(" AND t.pid IN (");
        search.reader.records(sql);
        sql.push(")");
    } else {
        sql.push("SELECT DISTINCT ").push(columns).push(" FROM (");
        search.reader.records(sql);
        sql.push(") AS o CROSS JOIN ");
        index_condition(sql, predicate, "");
        sql.push(" AND t.pid = o.pid");
    }
}

fn limit() -> i64 {
    i64::try_from(CANDIDATES).unwrap_or(i64::MAX).saturating_add(1)
}

fn load(search: &Search<'_>, sql: &Sql) -> Result<Vec<(i64, i64)>, Problem> {
    let places = search.unit.run(|connection| sql.load::<(BigInt, BigInt), (i64, i64)>(connection))?;
    if places.len() > CANDIDATES { Err(too_costly()) } else { Ok(places) }
}

/// Index rows of a predicate in all records, counted up to one more than the limit.
fn rows_of_key(search: &Search<'_>, predicate: &Predicate) -> Result<usize, Problem> {
    let mut sql = search.unit.sql("SELECT COUNT(*) FROM (SELECT 1 AS one FROM ");
    index_condition(&mut sql, predicate, "");
    sql.push(" LIMIT ").integer(limit()).push(") AS c");
    let count = search.unit.run(|connection| sql.first::<BigInt, i64>(connection))?;
    Ok(count.and_then(|count| usize::try_from(count).ok()).unwrap_or(usize::MAX))
}
