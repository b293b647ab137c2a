//! Histories: every version of one resource, of a type or of everything, newest first.
//! <https://hl7.org/fhir/R4/http.html#history>
//!
//! Who may see the present version sees those before it; of what was deleted, who would see it otherwise. What its author
//! withdrew (decision 2) is one entry without body for a DocumentReference and nothing for its data. A version never
//! changes and keeps its time where another takes its place, so a page holds what was written up to the snapshot.
use super::facts;
use super::page::{self, Page, PageRequest, Position, SortValue};
use super::resource::{COLUMNS, Columns, Row, Stored, stored};
use super::select::{self, Reader};
use super::sql::Sql;
use super::unit::{Access, Scope, Unit};
use crate::clock::Millis;
use crate::fhir::outcome::IssueKind;
use crate::fhir::{Problem, ResourceType};
use crate::ids::{Pid, Rid};
use crate::policy::permit::label;
use diesel::sql_types::BigInt;

/// Most versions of a history over several records.
const CANDIDATES: u64 = 20_000;
/// Records that one statement of such a history reads.
const RECORDS: usize = 500;

/// Whose history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HistoryOf {
    /// One resource.
    Instance(ResourceType, Rid),
    /// Every resource of a type.
    Type(ResourceType),
    /// Every resource.
    System,
}

/// Which versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryRequest {
    /// Whose.
    pub of: HistoryOf,
    /// `_since`: those written at this instant or later.
    pub since: Option<Millis>,
    /// `_at`: those that were the present one at some time of this interval `[from, to)`.
    pub at: Option<(Millis, Millis)>,
    /// Which page; the total is always counted.
    pub page: PageRequest,
}

/// Versions of the access's scope, newest first, with their number; a deletion has no body.
///
/// # Errors
/// `TooCostly` for more than 20,000 versions over several records, counted in those of the caller; `ParameterInvalid` for a
/// cursor of another history; `Timeout`.
pub fn history_page(unit: &Unit, access: &Access, request: &HistoryRequest) -> Result<Page, Problem> {
    let about = format!("history {} {} {:?} {:?} {:?}", access.place(), access.who(), request.of, request.since, request.at);
    let about = openssl::sha::sha256(about.as_bytes());
    let position = request.page.cursor.as_ref().map(|cursor| page::open(unit, &about, cursor)).transpose()?;
    let after = position.as_ref().map(Key::of_position).transpose()?;
    let (snapshot, chunks) = match access.scope() {
        Scope::Cohort => {
            let snapshot = position.as_ref().map_or_else(|| unit.horizon(), |position| position.snapshot);
            (snapshot, records(unit, access)?.chunks(RECORDS).map(<[Pid]>::to_vec).collect::<Vec<_>>())
        }
        Scope::Record(pid, _) | Scope::Own(pid) => (snapshot_of(unit, *pid, position.as_ref())?, vec![vec![*pid]]),
        Scope::Directory => (snapshot_of(unit, Pid::DIRECTORY, position.as_ref())?, vec![vec![Pid::DIRECTORY]]),
        Scope::Patient(_) => return Ok(Page { resources: Vec::new(), total: Some(0), next: None }),
    };
    let history = History { unit, access, reader: Reader::new(unit, access), request, snapshot };
    let total = match position.as_ref().and_then(|position| position.total) {
        Some(total) => total,
        None => history.count(&chunks)?,
    };
    let mut versions = history.versions(&chunks, after.as_ref())?;
    let more = versions.len() > request.page.count;
    versions.truncate(request.page.count);
    let next = match versions.last().filter(|_| more) {
        Some(last) => Some(page::seal(unit, &about, &Key::of(last).position(snapshot, total))?),
        None => None,
    };
    Ok(Page { resources: versions, total: Some(total), next })
}

fn snapshot_of(unit: &Unit, pid: Pid, position: Option<&Position>) -> Result<i64, Problem> {
    match position {
        Some(position) => Ok(position.snapshot),
        None => Ok(facts::last_updated(unit, pid)?.unwrap_or(0)),
    }
}

/// The records that authorise the caller now.
fn records(unit: &Unit, access: &Access) -> Result<Vec<Pid>, Problem> {
    let mut sql = unit.sql("");
    Reader::new(unit, access).records(&mut sql);
    Ok(unit.run(|connection| sql.load::<BigInt, i64>(connection))?.into_iter().map(Pid).collect())
}

/// The place of a version in a history: all descending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    updated: i64,
    pid: i64,
    rid: i64,
    version: i64,
}

impl Key {
    fn of(stored: &Stored) -> Self {
        Self { updated: stored.updated.0, pid: stored.pid.0, rid: stored.rid.0, version: stored.version }
    }

    fn of_position(position: &Position) -> Result<Self, Problem> {
        match position.keys.as_slice() {
            [SortValue::Integer(updated), SortValue::Integer(version)] => {
                Ok(Self { updated: *updated, pid: position.place.0, rid: position.place.1, version: *version })
            }
            _ => Err(Problem::new(IssueKind::ParameterInvalid, "The page link is not one of this history")),
        }
    }

    fn position(&self, snapshot: i64, total: u64) -> Position {
        let keys = vec![SortValue::Integer(self.updated), SortValue::Integer(self.version)];
        Position { snapshot, total: Some(total), keys, place: (self.pid, self.rid) }
    }
}

/// Where versions lie.
#[derive(Debug, Clone, Copy)]
enum Table {
    /// The present ones.
    Present,
    /// The superseded ones.
    Superseded,
}

/// What a history reads with.
struct History<'a> {
    unit: &'a Unit,
    access: &'a Access,
    reader: Reader<'a>,
    request: &'a HistoryRequest,
    snapshot: i64,
}

impl History<'_> {
    fn count(&self, chunks: &[Vec<Pid>]) -> Result<u64, Problem> {
        let bounded = self.is_cohort();
        let mut total = 0_u64;
        for records in chunks {
            for table in [Table::Present, Table::Superseded] {
                let mut sql = self.begin(records);
                sql.push(if bounded { "SELECT COUNT(*) FROM (SELECT 1 AS one" } else { "SELECT COUNT(*)" });
                self.source(&mut sql, table, records, self.snapshot);
                if bounded {
                    sql.push(" LIMIT ").integer(i64::try_from(CANDIDATES).unwrap_or(i64::MAX).saturating_add(1)).push(") AS c");
                }
                let count = self.unit.run(|connection| sql.first::<BigInt, i64>(connection))?;
                total = total.saturating_add(count.and_then(|count| u64::try_from(count).ok()).unwrap_or(0));
                if bounded && total > CANDIDATES {
                    let text = "The history over several records has more than 20,000 versions; name the patient or _since";
                    return Err(Problem::new(IssueKind::TooCostly, text));
                }
            }
        }
        Ok(total)
    }

    /// The versions of a page and one more, in order.
    fn versions(&self, chunks: &[Vec<Pid>], after: Option<&Key>) -> Result<Vec<Stored>, Problem> {
        let want = self.request.page.count.saturating_add(1);
        let mut found: Vec<Stored> = Vec::new();
        for records in chunks {
            for table in [Table::Present, Table::Superseded] {
                let sql = self.page_sql(table, records, after, want);
                for row in self.unit.run(|connection| sql.load::<Columns, Row>(connection))? {
                    let mut version = stored(row)?;
                    // Withdrawn: that it is gone is told, not what it was.
                    if version.labels & label::WITHDRAWN != 0 {
                        version.body = Vec::new();
                    }
                    found.push(version);
                }
            }
            found.sort_by_key(|version| std::cmp::Reverse(Key::of(version)));
            found.truncate(want);
        }
        Ok(found)
    }

    fn is_cohort(&self) -> bool {
        matches!(self.access.scope(), Scope::Cohort)
    }

    /// A statement that, over several records, has these in the table `p`.
    fn begin(&self, records: &[Pid]) -> Sql {
        let mut sql = self.unit.sql("");
        if self.is_cohort() {
            let pairs: Vec<(i64, i64)> = records.iter().map(|pid| (pid.0, pid.0)).collect();
            sql.push("WITH p AS MATERIALIZED (SELECT a FROM ").pairs(&pairs, "q").push(") ");
        }
        sql
    }

    fn page_sql(&self, table: Table, records: &[Pid], after: Option<&Key>, want: usize) -> Sql {
        let mut sql = self.begin(records);
        sql.push("SELECT ").push(match table {
            Table::Present => COLUMNS,
            Table::Superseded => "h.pid, h.rid, h.type, h.version, h.updated, h.labels, h.body",
        });
        // The index is entered where the page begins.
        self.source(&mut sql, table, records, after.map_or(self.snapshot, |key| key.updated));
        let alias = alias(table);
        // In one record the index has this order. A present version that stands at the key is the last one given.
        let place = if self.is_cohort() { format!("{alias}.pid, {alias}.rid") } else { format!("{alias}.rid") };
        let place = match table {
            Table::Present => place,
            Table::Superseded => format!("{place}, h.version"),
        };
        if let Some(key) = after {
            sql.push(format!(" AND ({alias}.updated, {place}) < (")).integer(key.updated).push(", ");
            if self.is_cohort() {
                sql.integer(key.pid).push(", ");
            }
            sql.integer(key.rid);
            if matches!(table, Table::Superseded) {
                sql.push(", ").integer(key.version);
            }
            sql.push(")");
        }
        let descending = place.replace(',', " DESC,");
        sql.push(format!(" ORDER BY {alias}.updated DESC, {descending} DESC"));
        sql.push(" LIMIT ").integer(i64::try_from(want).unwrap_or(i64::MAX));
        sql
    }

    /// Writes ` FROM ... WHERE ...`: versions of these records that the caller may see, up to an instant.
    fn source(&self, sql: &mut Sql, table: Table, records: &[Pid], until: i64) {
        let alias = alias(table);
        let driver = match (self.is_cohort(), table) {
            (false, Table::Present) => "",
            (false, Table::Superseded) => "history AS h",
            (true, Table::Present) => "p",
            (true, Table::Superseded) => "p CROSS JOIN history AS h",
        };
        select::from(sql, driver, "r");
        match records {
            [pid] if !self.is_cohort() => sql.push(format!(" WHERE {alias}.pid = ")).integer(pid.0),
            _ => sql.push(format!(" WHERE {alias}.pid = p.a")),
        };
        if matches!(table, Table::Superseded) {
            sql.push(" AND r.pid = h.pid AND r.rid = h.rid");
        }
        sql.push(" AND ");
        self.reader.visible_or_withdrawn(sql, "r");
        self.shown(sql, table);
        match self.request.of {
            HistoryOf::Instance(resource_type, rid) => {
                sql.push(format!(" AND {alias}.rid = ")).integer(rid.0);
                sql.push(format!(" AND {alias}.type = ")).integer(i64::from(resource_type.number()));
            }
            HistoryOf::Type(resource_type) => {
                sql.push(format!(" AND {alias}.type = ")).integer(i64::from(resource_type.number()));
            }
            HistoryOf::System => {}
        }
        self.time(sql, table, until);
    }

    /// A deletion, and what was before it, is shown; of a withdrawn document only that it is withdrawn; of its data nothing.
    fn shown(&self, sql: &mut Sql, table: Table) {
        sql.push(" AND ((r.labels & ").integer(i64::from(label::WITHDRAWN)).push(") < 1 OR length(r.body) = 0");
        if matches!(table, Table::Present) {
            let document = ResourceType::parse("DocumentReference").map_or(0, ResourceType::number);
            sql.push(" OR r.type = ").integer(i64::from(document));
        }
        sql.push(")");
    }

    /// Up to an instant, `_since` and `_at`.
    fn time(&self, sql: &mut Sql, table: Table, mut until: i64) {
        let alias = alias(table);
        if let Some((_, to)) = self.request.at {
            until = until.min(to.0.saturating_sub(1));
        }
        sql.push(format!(" AND {alias}.updated <= ")).integer(until);
        if let Some(since) = self.request.since {
            sql.push(format!(" AND {alias}.updated >= ")).integer(since.0);
        }
        if let (Some((from, _)), Table::Superseded) = (self.request.at, table) {
            // It was the present one until the next was written.
            sql.push(" AND COALESCE((SELECT n.updated FROM history AS n WHERE n.pid = h.pid AND n.rid = h.rid AND n.version = ");
            sql.push("h.version + 1), r.updated) > ").integer(from.0);
        }
    }
}

fn alias(table: Table) -> &'static str {
    match table {
        Table::Present => "r",
        Table::Superseded => "h",
    }
}
