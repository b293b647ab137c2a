//! Searches: in one record in the order of its index, over several records from bounded candidates.
use super::error::StoreError;
use super::order::{Order, OrderColumns};
use super::page::{self, Page, PageRequest, Position, SortValue};
use super::resource::{COLUMNS, Columns, Row, Stored, stored};
use super::select::{self, Reader};
use super::sql::Sql;
use super::unit::{Access, Scope, Unit, internal};
use super::{body, cohort, explain, facts, predicate, rows};
use crate::clock::Millis;
use crate::fhir::outcome::IssueKind;
use crate::fhir::{Problem, ResourceType};
use crate::ids::{Pid, Rid};
use crate::search::{IndexRows, Key, Plan, Predicate};
use diesel::sql_types::{BigInt, Binary, Double, Integer};
use std::cell::RefCell;

/// Most resources that have changed since a snapshot and are looked at for a later page.
pub(super) const CHANGED_MAX: i64 = 20_000;
/// Rows that one statement reads where bodies decide.
pub(super) const BATCH: usize = 500;
/// Most matches that are held in memory.
pub(super) const MATCHES: usize = 20_000;
/// Rows up to which the candidates for the driver of a statement are compared.
const DRIVER_ROWS: i64 = 64;

/// The columns of a resource before its body.
const COLUMNS_BEFORE_BODY: &str = "r.pid, r.rid, r.type, r.version, r.updated, r.labels, ";

/// Places in a chunk of [`resource_places`] and [`resource_referring`].
const PLACES: usize = 1000;

/// A match with what orders it.
#[derive(Debug, Clone)]
pub(super) struct Hit {
    pub(super) stored: Stored,
    pub(super) keys: Vec<SortValue>,
}

impl Hit {
    pub(super) fn place(&self) -> (i64, i64) {
        (self.stored.pid.0, self.stored.rid.0)
    }
}

/// What a search reads with: its parts never change while it runs.
pub(super) struct Search<'a> {
    pub(super) unit: &'a Unit,
    pub(super) access: &'a Access,
    pub(super) plan: &'a Plan,
    pub(super) order: Order,
    pub(super) reader: Reader<'a>,
    /// Where the plans of its statements are told.
    pub(super) told: Option<&'a RefCell<Vec<String>>>,
}

/// Resources of the access's scope that fulfil the plan, in its order.
///
/// `recheck` decides on bodies where the plan says that its predicates are a superset. Pages neither lose nor repeat a
/// resource when others write meanwhile: a resource that changed since the first page counts as it was then.
///
/// # Errors
/// `TooCostly` over several records without an exact predicate that bounds the candidates to 20,000; `ParameterInvalid`
/// for a cursor of another search; `Timeout`.
pub fn resource_search(
    unit: &Unit,
    access: &Access,
    plan: &Plan,
    page: &PageRequest,
    recheck: &mut dyn FnMut(&Stored) -> bool,
) -> Result<Page, Problem> {
    demand_resolved(plan)?;
    let search = Search { unit, access, plan, order: Order::of(&plan.sort)?, reader: Reader::new(unit, access), told: None };
    let about = search.about(page);
    let position = page.cursor.as_ref().map(|cursor| page::open(unit, &about, cursor)).transpose()?;
    if position.as_ref().is_some_and(|position| !search.order.accepts(&position.keys)) {
        return Err(Problem::new(IssueKind::ParameterInvalid, "The page link is not one of this search"));
    }
    let (snapshot, mut hits, total) = match access.scope() {
        Scope::Cohort => cohort::search(&search, page, position.as_ref(), recheck)?,
        Scope::Record(..) | Scope::Own(_) | Scope::Directory | Scope::Patient(_) => {
            search.in_one_record(page, position.as_ref(), recheck)?
        }
    };
    let more = hits.len() > page.count;
    hits.truncate(page.count);
    let next = match hits.last() {
        Some(last) if more => {
            let position = Position { snapshot, total, keys: last.keys.clone(), place: last.place() };
            Some(page::seal(unit, &about, &position)?)
        }
        Some(_) | None => None,
    };
    Ok(Page { resources: hits.into_iter().map(|hit| hit.stored).collect(), total, next })
}

/// A plan of which a part was not looked for would find nothing: a fault of this server, never an empty answer.
pub(super) fn demand_resolved(plan: &Plan) -> Result<(), Problem> {
    if plan.is_resolved() { Ok(()) } else { Err(internal("A plan was searched before what stands behind it")) }
}

impl Search<'_> {
    /// What a cursor is sealed about: this query of this caller in this place.
    pub(super) fn about(&self, page: &PageRequest) -> Vec<u8> {
        let (place, who) = (self.access.place(), self.access.who());
        let about = match &page.query {
            Some(query) => format!("{place} {who} {} {query}", self.plan.resource_type),
            None => format!("{place} {who} {:?}", self.plan),
        };
        openssl::sha::sha256(about.as_bytes()).to_vec()
    }

    /// One record, or the directory: the index gives the order, and the page ends the reading.
    pub(super) fn in_one_record(
        &self,
        page: &PageRequest,
        position: Option<&Position>,
        recheck: &mut dyn FnMut(&Stored) -> bool,
    ) -> Result<(i64, Vec<Hit>, Option<u64>), Problem> {
        let Some(pid) = self.access.pid() else { return Ok((0, Vec::new(), page.total.then_some(0))) };
        let snapshot = match position {
            Some(position) => position.snapshot,
            None => facts::last_updated(self.unit, pid)?.unwrap_or(0),
        };
        let want = page.count.saturating_add(1);
        let counting = page.total && position.is_none();
        let mut total = position.and_then(|position| position.total);
        let exhaust = counting && self.plan.recheck;
        let (mut hits, matched) = self.index_hits(position, want, exhaust, recheck)?;
        if exhaust || (counting && hits.len() < want) {
            total = Some(matched);
        } else if counting {
            total = Some(self.count()?);
        }
        if let Some(position) = position {
            let changed = self.changed(snapshot, recheck)?;
            let after = |hit: &Hit| self.order.compare((&hit.keys, hit.place()), (&position.keys, position.place)).is_gt();
            hits.extend(changed.into_iter().filter(after));
            hits.sort_by(|a, b| self.order.compare((&a.keys, a.place()), (&b.keys, b.place())));
            hits.truncate(want);
        }
        Ok((snapshot, hits, total))
    }

    /// The first `want` matches after the position, and with `exhaust` the number of all.
    fn index_hits(
        &self,
        position: Option<&Position>,
        want: usize,
        exhaust: bool,
        recheck: &mut dyn FnMut(&Stored) -> bool,
    ) -> Result<(Vec<Hit>, u64), Problem> {
        let mut hits: Vec<Hit> = Vec::new();
        let mut matched = 0_u64;
        let mut after = position.map(|position| (position.keys.clone(), position.place.1));
        let batch = if self.plan.recheck { BATCH.max(want.min(2 * BATCH)) } else { want };
        loop {
            self.unit.check_deadline()?;
            let found = self.batch(position.map(|position| position.snapshot), after.as_ref(), batch)?;
            let last_batch = found.len() < batch;
            after = found.last().map(|hit| (hit.keys.clone(), hit.stored.rid.0));
            for hit in found {
                if !self.plan.recheck || recheck(&hit.stored) {
                    matched = matched.saturating_add(1);
                    if hits.len() < want {
                        hits.push(hit);
                    }
                }
            }
            if last_batch || (hits.len() >= want && !exhaust) {
                return Ok((hits, matched));
            }
        }
    }

    /// The next rows of the index, in order.
    pub(super) fn batch(
        &self,
        snapshot: Option<i64>,
        after: Option<&(Vec<SortValue>, i64)>,
        limit: usize,
    ) -> Result<Vec<Hit>, Problem> {
        if !self.order.is_oldest_first() {
            return self.load(&self.batch_sql(snapshot, after, limit, None));
        }
        let mut found = Vec::new();
        let without = after.filter(|(keys, _)| Order::is_without_date(keys));
        if without.is_none() {
            found = self.load(&self.batch_sql(snapshot, after, limit, Some(true)))?;
        }
        if found.len() < limit {
            // The dated ones are at their end.
            let rest = limit - found.len();
            let after = without.map(|(_, rid)| (Vec::new(), *rid));
            found.extend(self.load(&self.batch_sql(snapshot, after.as_ref(), rest, Some(false)))?);
        }
        Ok(found)
    }

    /// With `dated`, only what has a clinical date, or only what has none.
    fn batch_sql(&self, snapshot: Option<i64>, after: Option<&(Vec<SortValue>, i64)>, limit: usize, dated: Option<bool>) -> Sql {
        let mut sql = self.unit.sql("SELECT ");
        let columns = self.source(&mut sql, true);
        if let Some(dated) = dated {
            sql.push(" AND ").push(columns.ts).push(if dated { " > " } else { " = " }).integer(IndexRows::NO_DATE);
        }
        // The first page is of the snapshot itself; a later one leaves out what has changed since. An expression, not the
        // column: the index of `updated` must not take the place of the one that has the order.
        if let Some(snapshot) = snapshot {
            sql.push(" AND (r.updated + 0) <= ").integer(snapshot);
        }
        match after {
            Some((_, rid)) if dated == Some(false) => {
                sql.push(" AND ").push(columns.rid).push(" > ").integer(*rid);
            }
            Some((keys, rid)) => self.order.after(&mut sql, keys, *rid, &columns),
            None => {}
        }
        self.order.order_by(&mut sql, &columns);
        sql.push(" LIMIT ").integer(i64::try_from(limit).unwrap_or(i64::MAX));
        sql
    }

    /// Writes columns, source, scope and plan. A token with one key drives: its index has the order of the page.
    fn source(&self, sql: &mut Sql, columns: bool) -> OrderColumns {
        if columns {
            self.hit_columns(sql, true);
        } else {
            sql.push("COUNT(*)");
        }
        let driver = self.reader.scope.pid().and_then(|pid| Some((self.driver(pid)?, pid)));
        let order = match driver {
            Some(((_, key), pid)) => {
                select::from(sql, "token AS d", "r");
                sql.push(" WHERE d.pid = ").integer(pid.0).push(" AND d.key = ").integer(key.0);
                sql.push(" AND r.pid = d.pid AND r.rid = d.rid AND ");
                OrderColumns { ts: "d.ts", rid: "d.rid" }
            }
            None => {
                select::from(sql, "", "r");
                sql.push(" WHERE ");
                OrderColumns { ts: "r.ts", rid: "r.rid" }
            }
        };
        self.reader.visible(sql, "r");
        predicate::plan_but(sql, &self.reader, "r", self.plan, 0, driver.map(|((number, _), _)| number));
        order
    }

    /// The single-key token that the fewest rows of the record have: what every resource of the record has (its patient)
    /// is the worst one, a code or an identifier the best.
    fn driver(&self, pid: Pid) -> Option<(usize, Key)> {
        let candidates = self.plan.predicates.iter().enumerate().filter_map(|(number, predicate)| match predicate {
            Predicate::Tokens(keys) => keys.first().filter(|_| keys.len() == 1).map(|key| (number, *key)),
            _ => None,
        });
        let candidates: Vec<(usize, Key)> = candidates.collect();
        if candidates.len() < 2 {
            return candidates.first().copied();
        }
        let rows = |key: Key| {
            let mut sql = self.unit.sql("SELECT COUNT(*) FROM (SELECT 1 FROM token AS t WHERE t.pid = ");
            sql.integer(pid.0).push(" AND t.key = ").integer(key.0).push(" LIMIT ").integer(DRIVER_ROWS).push(") AS few");
            // A count that fails is no reason to fail: any driver gives the same answer.
            self.unit.run(|connection| sql.first::<BigInt, i64>(connection)).ok().flatten().unwrap_or(DRIVER_ROWS)
        };
        candidates.into_iter().min_by_key(|(_, key)| rows(*key))
    }

    /// Columns of a [`Hit`], with an empty body where none is wanted: then it is neither read nor unpacked.
    pub(super) fn hit_columns(&self, sql: &mut Sql, bodies: bool) {
        if bodies {
            sql.push(COLUMNS);
        } else {
            sql.push(COLUMNS_BEFORE_BODY).bytes(Vec::new());
        }
        sql.push(", r.ts");
        self.order.columns(sql, "r");
    }

    /// Tells the plan of a statement, where it is asked for.
    pub(super) fn tell(&self, sql: &Sql) -> Result<(), Problem> {
        if let Some(told) = self.told {
            told.borrow_mut().push(explain::plan_of(self.unit, sql)?);
        }
        Ok(())
    }

    pub(super) fn load(&self, sql: &Sql) -> Result<Vec<Hit>, Problem> {
        self.tell(sql)?;
        type HitColumns = (Columns, BigInt, Double, Double);
        type HitRow = (Row, i64, f64, f64);
        let rows = self.unit.run(|connection| sql.load::<HitColumns, HitRow>(connection))?;
        let hit = |(row, ts, first, second): HitRow| -> Result<Hit, StoreError> {
            let keys = self.order.values(ts, row.4, [first, second]);
            Ok(Hit { stored: stored(row)?, keys })
        };
        Ok(rows.into_iter().map(hit).collect::<Result<_, _>>()?)
    }

    fn count(&self) -> Result<u64, Problem> {
        let mut sql = self.unit.sql("SELECT ");
        self.source(&mut sql, false);
        let count = self.unit.run(|connection| sql.first::<BigInt, i64>(connection))?;
        Ok(count.and_then(|count| u64::try_from(count).ok()).unwrap_or(0))
    }

    /// What of the scope has changed since the snapshot, as it was then, where it matched then.
    pub(super) fn changed(&self, snapshot: i64, recheck: &mut dyn FnMut(&Stored) -> bool) -> Result<Vec<Hit>, Problem> {
        let mut sql = self.unit.sql("");
        if matches!(self.access.scope(), Scope::Cohort) {
            sql.push("WITH g AS MATERIALIZED (");
            self.reader.records(&mut sql);
            sql.push(") SELECT r.pid, r.rid, r.labels");
            select::from(&mut sql, "g", "r");
            sql.push(" WHERE r.pid = g.pid AND ");
        } else {
            sql.push("SELECT r.pid, r.rid, r.labels");
            select::from(&mut sql, "", "r");
            sql.push(" WHERE ");
        }
        self.reader.visible(&mut sql, "r");
        sql.push(" AND r.updated > ").integer(snapshot).push(" AND r.version > 1 AND r.type = ");
        sql.integer(i64::from(self.plan.resource_type.number())).push(" LIMIT ").integer(CHANGED_MAX + 1);
        let places = self.unit.run(|connection| sql.load::<(BigInt, BigInt, Integer), (i64, i64, i32)>(connection))?;
        if i64::try_from(places.len()).unwrap_or(i64::MAX) > CHANGED_MAX {
            return Err(Problem::new(IssueKind::TooCostly, "Too much has changed since the first page; search again"));
        }
        let mut hits = Vec::new();
        for (pid, rid, labels) in places {
            self.unit.check_deadline()?;
            if let Some((mut hit, rows)) = self.version_at(pid, rid, snapshot)? {
                // Labels of now: what has been hidden since stays hidden, and shows its present labels.
                hit.stored.labels = labels;
                if self.held(&hit, &rows)? && (!self.plan.recheck || recheck(&hit.stored)) {
                    hits.push(hit);
                }
            }
        }
        Ok(hits)
    }

    /// The version that was the present one at the snapshot; none where there was none yet.
    pub(super) fn version_at(&self, pid: i64, rid: i64, snapshot: i64) -> Result<Option<(Hit, IndexRows)>, Problem> {
        let mut sql = self.unit.sql("SELECT version, updated, body, rows FROM history WHERE pid = ");
        sql.integer(pid).push(" AND rid = ").integer(rid).push(" AND updated <= ").integer(snapshot);
        sql.push(" ORDER BY version DESC LIMIT 1");
        type Columns = (BigInt, BigInt, Binary, Binary);
        let row = self.unit.run(|connection| sql.first::<Columns, (i64, i64, Vec<u8>, Vec<u8>)>(connection))?;
        let Some((version, updated, packed, rows)) = row else { return Ok(None) };
        // It was deleted then, and has come back since.
        if packed.is_empty() {
            return Ok(None);
        }
        let rows = rows::from_bytes(&rows).ok_or(StoreError::Damaged("index rows in history"))?;
        let stored = Stored {
            pid: Pid(pid),
            rid: Rid(rid),
            resource_type: self.plan.resource_type,
            version,
            updated: Millis(updated),
            body: body::unpack(&packed)?,
            labels: 0,
        };
        Ok(Some((Hit { keys: self.order.values_of(&rows, updated), stored }, rows)))
    }

    /// Whether a superseded version fulfils the predicates; links are those of now.
    fn held(&self, hit: &Hit, rows: &IndexRows) -> Result<bool, Problem> {
        let place = (hit.stored.pid, hit.stored.rid);
        let mut present = |predicate: &Predicate| self.holds_now(place, self.plan.resource_type, predicate);
        for predicate in &self.plan.predicates {
            if !predicate::holds(predicate, rows, place, hit.stored.updated.0, &mut present)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn holds_now(&self, place: (Pid, Rid), resource_type: ResourceType, predicate: &Predicate) -> Result<bool, Problem> {
        let plan = Plan { resource_type, predicates: vec![predicate.clone()], recheck: false, sort: Vec::new() };
        let mut sql = self.unit.sql("SELECT r.rid");
        select::from(&mut sql, "", "r");
        sql.push(" WHERE r.pid = ").integer(place.0.0).push(" AND r.rid = ").integer(place.1.0).push(" AND ");
        self.reader.visible(&mut sql, "r");
        predicate::plan(&mut sql, &self.reader, "r", &plan, 0);
        Ok(self.unit.run(|connection| sql.first::<BigInt, i64>(connection))?.is_some())
    }
}

/// The resources at these places that the access sees (`_include`), in the order of their places. Places of the directory
/// are looked up there: every caller reads it.
///
/// # Errors
/// Where the database fails.
pub fn resource_places(unit: &Unit, access: &Access, places: &[(Pid, Rid)]) -> Result<Vec<Stored>, Problem> {
    let reader = Reader::new(unit, access);
    let (directory, records): (Vec<_>, Vec<_>) = places.iter().copied().partition(|(pid, _)| *pid == Pid::DIRECTORY);
    let mut found = places_of(unit, &reader, &records)?;
    found.extend(places_of(unit, &reader.of_directory(), &directory)?);
    found.sort_by_key(|one| (one.pid, one.rid));
    found.dedup_by_key(|one| (one.pid, one.rid));
    Ok(found)
}

fn places_of(unit: &Unit, reader: &Reader<'_>, places: &[(Pid, Rid)]) -> Result<Vec<Stored>, Problem> {
    let mut found = Vec::new();
    for chunk in places.chunks(PLACES) {
        unit.check_deadline()?;
        let pairs: Vec<(i64, i64)> = chunk.iter().map(|(pid, rid)| (pid.0, rid.0)).collect();
        let mut sql = unit.sql("WITH p AS MATERIALIZED (SELECT a, b FROM ");
        sql.pairs(&pairs, "q").push(") SELECT ").push(COLUMNS);
        select::from(&mut sql, "p", "r");
        sql.push(" WHERE r.pid = p.a AND r.rid = p.b AND ");
        reader.visible(&mut sql, "r");
        let rows = unit.run(|connection| sql.load::<Columns, Row>(connection))?;
        found.extend(rows.into_iter().map(stored).collect::<Result<Vec<_>, _>>()?);
    }
    Ok(found)
}

/// The resources that the access sees, that fulfil the plan, and that refer by this parameter to one of these places in
/// their own record (`_revinclude`), at most `limit`.
///
/// # Errors
/// Where the database fails.
pub fn resource_referring(
    unit: &Unit,
    access: &Access,
    base: Key,
    plan: &Plan,
    places: &[(Pid, Rid)],
    limit: usize,
) -> Result<Vec<Stored>, Problem> {
    let mut found: Vec<Stored> = Vec::new();
    for chunk in places.chunks(PLACES) {
        unit.check_deadline()?;
        let pairs: Vec<(i64, i64)> = chunk.iter().map(|(pid, rid)| (pid.0, base.0.saturating_add(rid.0))).collect();
        let mut sql = unit.sql("WITH p AS MATERIALIZED (SELECT a, b FROM ");
        sql.pairs(&pairs, "q").push("), d AS MATERIALIZED (SELECT DISTINCT t.pid, t.rid FROM p CROSS JOIN token AS t");
        sql.push(" WHERE t.pid = p.a AND t.key = p.b) SELECT ").push(COLUMNS);
        select::from(&mut sql, "d", "r");
        sql.push(" WHERE r.pid = d.pid AND r.rid = d.rid AND ");
        let reader = Reader::new(unit, access);
        reader.visible(&mut sql, "r");
        predicate::plan(&mut sql, &reader, "r", plan, 0);
        sql.push(" ORDER BY r.pid, r.rid LIMIT ").integer(i64::try_from(limit).unwrap_or(i64::MAX));
        let rows = unit.run(|connection| sql.load::<Columns, Row>(connection))?;
        found.extend(rows.into_iter().map(stored).collect::<Result<Vec<_>, _>>()?);
    }
    found.sort_by_key(|one| (one.pid, one.rid));
    found.dedup_by_key(|one| (one.pid, one.rid));
    found.truncate(limit);
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::super::{Settings, Store};
    use super::*;
    use crate::audit::Outcome;
    use crate::auth::{Caller, Professional, PurposeOfUse};
    use crate::fhir::Interaction;
    use crate::fhir::identifier::Rpps;
    use crate::fhir::interaction::{SearchPlace, Target};
    use crate::policy;
    use crate::search::RangeTest;
    use diesel::sql_types::Text;

    /// Plans of a statement on an empty SQLite, one line for each step.
    fn plan_of(predicates: Vec<Predicate>, cohort: bool, explain: impl FnOnce(&Search<'_>) -> Sql + Send + 'static) -> String {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&Settings::new(format!("sqlite:{}", folder.path().join("dmp.sqlite").display()))).unwrap();
        let (send, receive) = std::sync::mpsc::channel();
        let job = move |unit: &Unit| {
            let professional = Professional {
                rpps: Rpps::new("10000000001").unwrap(),
                name: String::new(),
                profession: "10".into(),
                structure: None,
                purpose: PurposeOfUse::Normal,
            };
            let resource_type = ResourceType::parse("Observation").unwrap();
            let interaction = if cohort {
                Interaction::Search { resource_type, place: SearchPlace::Cohort, parameters: Default::default() }
            } else {
                Interaction::Read(Target { resource_type, place: Some((Pid::DIRECTORY, Rid(1))), alias: None })
            };
            let permit = policy::decide(&Caller::Professional(professional), &interaction, None, unit.now()).unwrap();
            let access = unit.open(permit).unwrap();
            let plan = Plan { resource_type, predicates, recheck: false, sort: Vec::new() };
            let search = Search {
                unit,
                access: &access,
                plan: &plan,
                order: Order::of(&[]).unwrap(),
                reader: Reader::new(unit, &access),
                told: None,
            };
            let sql = explain(&search).explained("EXPLAIN QUERY PLAN ");
            type Columns = (BigInt, BigInt, BigInt, Text);
            let rows = unit.run(|connection| sql.load::<Columns, (i64, i64, i64, String)>(connection)).unwrap();
            send.send(rows.into_iter().map(|row| row.3).collect::<Vec<_>>().join("\n")).unwrap();
            Outcome::problem(&Problem::new(IssueKind::Information, "explained"), Vec::new())
        };
        drop(tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(store.read(job)));
        receive.recv().unwrap()
    }

    fn page(search: &Search<'_>) -> Sql {
        search.batch_sql(Some(9), Some(&(vec![SortValue::Integer(5)], 6)), 20, None)
    }

    #[test]
    fn code_newest_first_walks_one_range_of_the_token_index_and_sorts_nothing() {
        let plan = plan_of(vec![Predicate::Tokens(vec![Key(1)]), Predicate::Tokens(vec![Key(2), Key(3)])], false, page);
        assert!(plan.contains("SEARCH d USING PRIMARY KEY (pid=? AND key=? AND (ts,rid)<(?,?))"), "{plan}");
        assert!(plan.contains("SEARCH r USING PRIMARY KEY (pid=? AND rid=?)"), "{plan}");
        assert!(plan.contains("SEARCH t EXISTS USING PRIMARY KEY (pid=? AND key=? AND ts=? AND rid=?)"), "{plan}");
        assert!(!plan.contains("ORDER BY"), "{plan}");
    }

    #[test]
    fn a_type_newest_first_walks_the_type_index_and_sorts_nothing() {
        let test = Predicate::Range(Key(5), vec![RangeTest::HiAbove(1.0)]);
        let plan = plan_of(vec![test], false, page);
        assert!(plan.contains("SEARCH r USING INDEX resource_type (pid=? AND type=? AND (ts,rid)<(?,?))"), "{plan}");
        assert!(plan.contains("SEARCH t EXISTS USING PRIMARY KEY (pid=? AND key=? AND ts=? AND rid=?)"), "{plan}");
        assert!(!plan.contains("ORDER BY"), "{plan}");
    }

    #[test]
    fn a_repeated_result_is_known_by_its_tag_before_anything_else_is_read() {
        let plan = Plan {
            resource_type: ResourceType::parse("Observation").unwrap(),
            predicates: Vec::new(),
            recheck: false,
            sort: Vec::new(),
        };
        let repeat = crate::search::Repeat { tag: Key(-9), repeated: Key(1 << 50), original: Key(1 << 51), plan };
        let repeats = Predicate::Not(Box::new(Predicate::Repeats(Box::new(repeat))));
        let plan = plan_of(vec![Predicate::Tokens(vec![Key(1)]), repeats], true, |search| {
            cohort::slice_sql(search, &[(1, 2)], 9, false)
        });
        let steps: Vec<&str> =
            plan.lines().filter(|step| ["g1", "t1", "o1", "r1"].iter().any(|name| step.contains(name))).collect();
        assert!(steps[0].contains("SEARCH g1 USING PRIMARY KEY (pid=? AND key=? AND ts=? AND rid=?)"), "{plan}");
        assert!(steps[2].contains("SEARCH o1 USING COVERING INDEX token_key (key=? AND ts=? AND pid=?)"), "{plan}");
        assert!(steps[3].contains("SEARCH r1 USING PRIMARY KEY (pid=? AND rid=?)"), "{plan}");
    }

    #[test]
    fn candidates_of_several_records_are_read_by_their_places() {
        let plan = plan_of(vec![Predicate::Tokens(vec![Key(1)])], true, |search| cohort::slice_sql(search, &[(1, 2)], 9, false));
        assert!(plan.contains("SEARCH r USING PRIMARY KEY (pid=? AND rid=?)"), "{plan}");
        assert!(plan.contains("SEARCH g EXISTS USING INDEX access_pid (pid=? AND caller=?"), "{plan}");
    }
}
