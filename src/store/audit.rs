//! Reading the trace: both places where it is written, as one, newest first.
use super::backend::{self, Dialect};
use super::error::StoreError;
use super::select;
use super::sql::Sql;
use super::trace::{self, COLUMNS, Columns, Row};
use super::unit::{Access, Scope, Unit, WholeRecord};
use crate::audit::{Action, Event, EventOutcome};
use crate::clock::Millis;
use crate::fhir::Problem;
use crate::ids::{Pid, Rid};
use crate::policy::permit::label;
use diesel::sql_types::BigInt;
use std::collections::HashSet;

/// After which row a page of the trace goes on: its time and its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditCursor {
    /// `at` of the last event given.
    pub at: Millis,
    /// Its number.
    pub id: Rid,
}

/// Longest time between an event and its row, in milliseconds: bounds the look-up by number.
const LAG: i64 = 10 * 60 * 1000;
/// Milliseconds of 2020-01-01, where numbers of events begin.
const EPOCH_2020: i64 = 1_577_836_800_000;

/// Whose trace this access may read: that of one record or of the directory.
fn record(access: &Access) -> Option<Pid> {
    match access.scope() {
        Scope::Record(pid, _) => Some(*pid),
        Scope::Directory => Some(Pid::DIRECTORY),
        // What one deposited oneself, cohorts and existence give no right to see who looked at a record.
        Scope::Own(_) | Scope::Cohort | Scope::Patient(_) => None,
    }
}

/// The events of the access's record with `from <= at < to`, newest first, at most `limit`, with the number under which
/// each is read again.
///
/// # Errors
/// Where the database fails.
pub fn audit_search(
    unit: &Unit,
    access: &Access,
    from: Option<Millis>,
    to: Option<Millis>,
    limit: usize,
    cursor: Option<AuditCursor>,
) -> Result<Vec<(Rid, Event)>, Problem> {
    let Some(pid) = record(access) else { return Ok(Vec::new()) };
    let limit_rows = i64::try_from(limit).unwrap_or(i64::MAX);
    let select = |sql: &mut Sql, table: &'static str| {
        sql.push("SELECT ").push(COLUMNS).push(" FROM ").push(table).push(" WHERE pid = ").integer(pid.0);
        sql.push(" AND at >= ").integer(from.map_or(i64::MIN, |from| from.0));
        sql.push(" AND at < ").integer(to.map_or(i64::MAX, |to| to.0));
        let (at, seq) = cursor.map_or((i64::MAX, i64::MAX), |cursor| (cursor.at.0, cursor.id.0));
        sql.push(" AND (at, seq) < (").integer(at).push(", ").integer(seq);
        sql.push(") ORDER BY at DESC, seq DESC LIMIT ").integer(limit_rows);
    };
    let mut events = load(unit, select)?;
    events.sort_by_key(|(seq, event)| std::cmp::Reverse((event.at, *seq)));
    events.truncate(limit);
    Ok(events)
}

/// One event of the access's record by its number.
///
/// # Errors
/// Where the database fails.
pub fn audit_read(unit: &Unit, access: &Access, id: Rid) -> Result<Option<Event>, Problem> {
    let Some(pid) = record(access) else { return Ok(None) };
    let drawn = (id.0 >> 8).saturating_add(EPOCH_2020);
    let select = |sql: &mut Sql, table: &'static str| {
        sql.push("SELECT ").push(COLUMNS).push(" FROM ").push(table).push(" WHERE pid = ").integer(pid.0);
        sql.push(" AND at >= ").integer(drawn.saturating_sub(LAG)).push(" AND at <= ").integer(drawn);
        sql.push(" AND seq = ").integer(id.0);
    };
    Ok(load(unit, select)?.into_iter().next().map(|(_, event)| event))
}

/// Runs a statement over each place of the trace.
fn load(unit: &Unit, select: impl Fn(&mut Sql, &'static str)) -> Result<Vec<(Rid, Event)>, Problem> {
    let tables: &[&'static str] = match unit.dialect() {
        Dialect::Sqlite if unit.is_snapshot() => &["main.audit", "trace.audit"],
        // The writer of SQLite has the trace of reads in another file, which it does not open.
        Dialect::Sqlite | Dialect::Postgresql => &["audit"],
    };
    let mut events = Vec::new();
    for table in tables {
        let mut sql = unit.sql("");
        select(&mut sql, table);
        for row in unit.run(|connection| sql.load::<Columns, Row>(connection))? {
            let (seq, event) = trace::event(row).ok_or(StoreError::Damaged("a row of audit"))?;
            events.push((Rid(seq), event));
        }
    }
    Ok(events)
}

/// Whether the patient has opened one of these resources of his record.
///
/// # Errors
/// Where the database fails.
pub fn audit_opened(unit: &Unit, record: &WholeRecord, rids: &[Rid]) -> Result<bool, Problem> {
    let pid = record.access().writable(unit)?;
    let read = |sql: &mut Sql, table: &'static str| {
        sql.push("SELECT seq FROM ").push(table).push(" WHERE pid = ").integer(pid.0);
        sql.push(" AND kind = 'patient' AND action = ").integer(Action::Read.number().into());
        sql.push(" AND outcome = ").integer(EventOutcome::Success.number().into());
        sql.push(" AND rid").in_list(rids.iter().map(|rid| rid.0)).push(" LIMIT 1");
    };
    match unit.dialect() {
        Dialect::Postgresql => {
            let mut sql = unit.sql("");
            read(&mut sql, "audit");
            Ok(unit.run(|connection| sql.first::<BigInt, i64>(connection))?.is_some())
        }
        Dialect::Sqlite => {
            // The writer does not open the trace of reads; a reader does. What was answered is in it already.
            let mut connection = backend::begin(&unit.shared().readers, "BEGIN")?;
            let mut found = Ok(false);
            for table in ["main.audit", "trace.audit"] {
                let mut sql = unit.sql("");
                read(&mut sql, table);
                match sql.first::<BigInt, i64>(&mut connection.connection) {
                    Ok(None) => {}
                    Ok(Some(_)) => found = Ok(true),
                    Err(error) => found = Err(error),
                }
            }
            connection.batch("ROLLBACK")?;
            Ok(found?)
        }
    }
}

/// Which of these resources the trace does not name to this reader: what is hidden from him leaves no trace that he sees
/// (BR-33, BR-36). What was withdrawn stays in it.
///
/// # Errors
/// Where the database fails.
pub fn audit_hidden(unit: &Unit, access: &Access, rids: &[Rid]) -> Result<HashSet<Rid>, Problem> {
    let Scope::Record(pid, masks) = access.scope() else { return Ok(HashSet::new()) };
    let mut sql = select::whole_record(unit, *pid, "r.rid");
    sql.push(" AND (r.labels & ").integer(i64::from(masks.hard & !label::WITHDRAWN)).push(") <> 0");
    sql.push(" AND r.rid").in_list(rids.iter().map(|rid| rid.0));
    let rows = unit.run(|connection| sql.load::<BigInt, i64>(connection))?;
    Ok(rows.into_iter().map(Rid).collect())
}
