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
/// Resources of one type that a record is taken to have, where a link bounds the records only.
const OF_RECORD: usize = 100;
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
    let mut hits = Vec::new();
    matches(search, snapshot, search.plan.recheck, &mut |hit| {
        if !search.plan.recheck || recheck(&hit.stored) {
            hits.push(without_body(hit));
        }
    })?;
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

/// Gives every candidate that matches by the tables and has not changed since the snapshot, with its body where asked.
pub(super) fn matches(search: &Search<'_>, snapshot: i64, bodies: bool, give: &mut dyn FnMut(Hit)) -> Result<(), Problem> {
    for slice in candidates(search)?.chunks(SLICE) {
        search.unit.check_deadline()?;
        search.load(&slice_sql(search, slice, snapshot, bodies))?.into_iter().for_each(&mut *give);
    }
    Ok(())
}

/// Up to 20,000 matches are ordered: only those of the page have bodies.
pub(super) fn without_body(mut hit: Hit) -> Hit {
    hit.stored.body = Vec::new();
    hit
}

/// Puts the bodies back into the matches of the page.
pub(super) fn fill(search: &Search<'_>, hits: &mut [Hit], changed: &HashMap<(i64, i64), Hit>) -> Result<(), Problem> {
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

/// Candidates of a slice that match by the tables.
pub(super) fn slice_sql(search: &Search<'_>, slice: &[(i64, i64)], snapshot: i64, bodies: bool) -> Sql {
    let mut sql = search.unit.sql("WITH p AS MATERIALIZED (SELECT a, b FROM ");
    sql.pairs(slice, "q").push(") SELECT ");
    search.hit_columns(&mut sql, bodies);
    select::from(&mut sql, "p", "r");
    sql.push(" WHERE r.pid = p.a AND r.rid = p.b AND r.updated <= ").integer(snapshot).push(" AND ");
    search.reader.visible(&mut sql, "r");
    predicate::plan(&mut sql, &search.reader, "r", search.plan, 0);
    sql
}

/// What can bound a search.
enum Bound<'a> {
    /// Index rows of the resources themselves.
    Index(&'a Predicate),
    /// These resources.
    Places(&'a [(Pid, Rid)]),
    /// Everything of the type in these records.
    Records(&'a [Pid]),
    /// Everything of the type in the records where a linked resource is one of these; the best of them counts.
    Linked(Vec<Bound<'a>>),
    /// One of these, each with its own bounds.
    Any(Vec<Vec<Bound<'a>>>),
}

fn bounds(predicates: &[Predicate]) -> Vec<Bound<'_>> {
    let mut out = Vec::new();
    for predicate in predicates {
        match predicate {
            Predicate::Tokens(_) | Predicate::Range(..) | Predicate::Text(..) => out.push(Bound::Index(predicate)),
            Predicate::Places(places) => out.push(Bound::Places(places)),
            Predicate::Within(records) => out.push(Bound::Records(records)),
            Predicate::Behind(behind) => out.extend(behind.places.as_ref().map(|places| Bound::Places(places))),
            Predicate::All(list) => out.extend(bounds(list)),
            Predicate::Any(list) => {
                let parts: Vec<_> = list.iter().map(|part| bounds(std::slice::from_ref(part))).collect();
                if parts.iter().all(|part| !part.is_empty()) {
                    out.push(Bound::Any(parts));
                }
            }
            // What a link into the directory finds there says nothing of the records.
            Predicate::Linked(base, _) if Keyer::is_directory_base(*base) => {}
            Predicate::Linked(_, plan) | Predicate::LinkedFrom(_, plan) => {
                let linked = bounds(&plan.predicates);
                if !linked.is_empty() {
                    out.push(Bound::Linked(linked));
                }
            }
            // A change, a repetition or a negation bounds nothing.
            Predicate::Updated(_) | Predicate::Repeats(_) | Predicate::Not(_) => {}
        }
    }
    out
}

/// The records that the query names itself (`patient=a,b`).
fn named(bound: &Bound<'_>) -> Option<BTreeSet<i64>> {
    match bound {
        Bound::Records(records) => Some(records.iter().map(|pid| pid.0).collect()),
        Bound::Any(parts) => {
            let parts = parts.iter().map(|part| part.iter().find_map(named));
            let parts: Option<Vec<BTreeSet<i64>>> = parts.collect();
            parts.map(|parts| parts.into_iter().flatten().collect())
        }
        Bound::Index(_) | Bound::Places(_) | Bound::Linked(_) => None,
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
        | Predicate::Within(_)
        | Predicate::Behind(_)
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

/// The records of a search: those that authorise the caller, and of these the ones that the query names.
struct Within<'a> {
    search: &'a Search<'a>,
    named: Option<BTreeSet<i64>>,
}

/// Places that may match, at most 20,000, all in records of the caller.
///
/// The cheaper way is taken: from the rows of the most selective key, or from the caller's records. Whether a search is
/// too costly is decided on the caller's own records, so it tells nothing of others.
fn candidates(search: &Search<'_>) -> Result<Vec<(i64, i64)>, Problem> {
    let all = bounds(&search.plan.predicates);
    let named = all.iter().filter_map(self::named).reduce(|a, b| a.intersection(&b).copied().collect());
    let rest: Vec<&Bound<'_>> = all.iter().filter(|bound| self::named(bound).is_none()).collect();
    let within = Within { search, named };
    if let Some((_, bound)) = within.best(&rest)? {
        let places = within.places(bound)?;
        return if places.len() > CANDIDATES { Err(too_costly()) } else { Ok(places.into_iter().collect()) };
    }
    match &within.named {
        Some(records) => within.of_type(&records.iter().map(|pid| (*pid, *pid)).collect::<Vec<_>>()),
        None => within.patients(),
    }
}

impl Within<'_> {
    /// Writes `SELECT DISTINCT pid` of the records.
    fn records(&self, sql: &mut Sql) {
        self.search.reader.records(sql);
        if let Some(named) = &self.named {
            sql.push(" AND g.pid");
            sql.in_list(named.iter().copied());
        }
    }

    /// The bound with the fewest rows, and their number.
    fn best<'b, 'c>(&self, bounds: &[&'b Bound<'c>]) -> Result<Option<(usize, &'b Bound<'c>)>, Problem> {
        let mut best: Option<(usize, &Bound<'_>)> = None;
        for bound in bounds {
            let rows = self.rows(bound)?;
            if best.as_ref().is_none_or(|(least, _)| rows < *least) {
                best = Some((rows, bound));
            }
        }
        Ok(best)
    }

    fn best_of<'b, 'c>(&self, bounds: &'b [Bound<'c>]) -> Result<Option<(usize, &'b Bound<'c>)>, Problem> {
        self.best(&bounds.iter().collect::<Vec<_>>())
    }

    fn rows(&self, bound: &Bound<'_>) -> Result<usize, Problem> {
        match bound {
            Bound::Index(predicate) => rows_of_key(self.search, predicate),
            Bound::Places(places) => Ok(places.len()),
            // What else bounds it bounds it better.
            Bound::Records(_) => Ok(usize::MAX),
            Bound::Linked(linked) => Ok(self.best_of(linked)?.map_or(usize::MAX, |(rows, _)| rows.saturating_mul(OF_RECORD))),
            Bound::Any(parts) => {
                let mut sum = 0_usize;
                for part in parts {
                    sum = sum.saturating_add(self.best_of(part)?.map_or(usize::MAX, |(rows, _)| rows));
                }
                Ok(sum)
            }
        }
    }

    fn places(&self, bound: &Bound<'_>) -> Result<BTreeSet<(i64, i64)>, Problem> {
        match bound {
            Bound::Index(predicate) => {
                let mut sql = self.search.unit.sql("WITH g AS MATERIALIZED (");
                self.own_rows(&mut sql, predicate, "t.pid, t.rid")?;
                sql.push(") SELECT pid, rid FROM g LIMIT ").integer(limit());
                Ok(load(self.search, &sql)?.into_iter().collect())
            }
            Bound::Places(places) => Ok(places.iter().map(|(pid, rid)| (pid.0, rid.0)).collect()),
            Bound::Records(records) => {
                let records: Vec<_> = records.iter().map(|pid| (pid.0, pid.0)).collect();
                Ok(self.of_type(&records)?.into_iter().collect())
            }
            Bound::Linked(linked) => {
                // Counted before they are used: a list that was cut short would give a partial answer.
                let records: Vec<_> = match self.best_of(linked)? {
                    Some((_, bound)) => self.records_of(bound)?.into_iter().map(|pid| (pid, pid)).collect(),
                    None => Vec::new(),
                };
                Ok(self.of_type(&records)?.into_iter().collect())
            }
            Bound::Any(parts) => {
                let mut places = BTreeSet::new();
                for part in parts {
                    if let Some((_, bound)) = self.best_of(part)? {
                        places.extend(self.places(bound)?);
                    }
                }
                Ok(places)
            }
        }
    }

    /// The records in which something fulfils a bound.
    fn records_of(&self, bound: &Bound<'_>) -> Result<BTreeSet<i64>, Problem> {
        match bound {
            Bound::Index(predicate) => {
                let mut sql = self.search.unit.sql("WITH g AS MATERIALIZED (");
                self.own_rows(&mut sql, predicate, "t.pid")?;
                sql.push(") SELECT pid, pid FROM g LIMIT ").integer(limit());
                Ok(load(self.search, &sql)?.into_iter().map(|(pid, _)| pid).collect())
            }
            Bound::Places(places) => Ok(places.iter().map(|(pid, _)| pid.0).collect()),
            Bound::Records(records) => Ok(records.iter().map(|pid| pid.0).collect()),
            Bound::Linked(linked) => match self.best_of(linked)? {
                Some((_, bound)) => self.records_of(bound),
                None => Ok(BTreeSet::new()),
            },
            Bound::Any(parts) => {
                let mut records = BTreeSet::new();
                for part in parts {
                    if let Some((_, bound)) = self.best_of(part)? {
                        records.extend(self.records_of(bound)?);
                    }
                }
                Ok(records)
            }
        }
    }

    /// Everything of the type in these records that the caller sees.
    fn of_type(&self, records: &[(i64, i64)]) -> Result<Vec<(i64, i64)>, Problem> {
        let search = self.search;
        let mut sql = search.unit.sql("WITH g AS MATERIALIZED (SELECT a FROM ");
        sql.pairs(records, "q").push(") SELECT r.pid, r.rid");
        select::from(&mut sql, "g", "r");
        sql.push(" WHERE r.pid = g.a AND ");
        search.reader.visible(&mut sql, "r");
        let any = Plan { resource_type: search.plan.resource_type, predicates: Vec::new(), recheck: false, sort: Vec::new() };
        predicate::plan(&mut sql, &search.reader, "r", &any, 0);
        sql.push(" LIMIT ").integer(limit());
        load(search, &sql)
    }

    /// Without a bound, the Patients of the caller's records: one of each, so that a professional lists his patients.
    fn patients(&self) -> Result<Vec<(i64, i64)>, Problem> {
        if self.search.plan.resource_type.name() != "Patient" {
            return Err(too_costly());
        }
        let mut sql = self.search.unit.sql("SELECT o.pid, ");
        sql.integer(Rid::PATIENT.0).push(" FROM (");
        self.records(&mut sql);
        sql.push(") AS o LIMIT ").integer(limit());
        load(self.search, &sql)
    }

    /// Writes `SELECT DISTINCT columns` of the index rows of a predicate in the records, key first or record first.
    fn own_rows(&self, sql: &mut Sql, predicate: &Predicate, columns: &'static str) -> Result<(), Problem> {
        if self.named.is_none() && rows_of_key(self.search, predicate)? <= CANDIDATES {
            sql.push("SELECT DISTINCT ").push(columns).push(" FROM ");
            index_condition(sql, predicate, "");
            // An expression, not the column: few rows have the key, so they are read first, and never each record for it.
            sql.push(" AND (t.pid + 0) IN (");
            self.records(sql);
            sql.push(")");
        } else {
            sql.push("SELECT DISTINCT ").push(columns).push(" FROM (");
            self.records(sql);
            sql.push(") AS o CROSS JOIN ");
            index_condition(sql, predicate, "");
            sql.push(" AND t.pid = o.pid");
        }
        Ok(())
    }
}

fn limit() -> i64 {
    i64::try_from(CANDIDATES).unwrap_or(i64::MAX).saturating_add(1)
}

fn load(search: &Search<'_>, sql: &Sql) -> Result<Vec<(i64, i64)>, Problem> {
    search.tell(sql)?;
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
