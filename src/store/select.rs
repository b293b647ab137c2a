//! The one place that reads current versions: `FROM resource`, always with the scope of the access.
use super::facts;
use super::sql::Sql;
use super::unit::{Access, Scope, Unit};
use crate::auth::Caller;
use crate::fhir::{Problem, ResourceType};
use crate::ids::{Pid, Rid};
use crate::policy::Actor;
use crate::policy::permit::label;
use diesel::sql_types::BigInt;

/// Begins the source of a statement: `driver` is read first and leads to the resource, which is called `alias`.
///
/// SQLite keeps the order of a CROSS JOIN, so the driver's index gives the order of the rows.
pub(super) fn from(sql: &mut Sql, driver: &str, alias: &str) {
    if driver.is_empty() {
        sql.push(format!(" FROM resource AS {alias}"));
    } else {
        sql.push(format!(" FROM {driver} CROSS JOIN resource AS {alias}"));
    }
}

/// Who reads and when, as the statements need it.
pub(super) struct Reader<'a> {
    pub(super) scope: &'a Scope,
    who: &'a str,
    structure: String,
    now: i64,
}

impl<'a> Reader<'a> {
    pub(super) fn new(unit: &Unit, access: &'a Access) -> Self {
        let structure = match access.permit().caller() {
            Caller::Professional(professional) => professional.structure.clone().map(Actor::Structure),
            Caller::Patient(_) | Caller::System(_) | Caller::Operator | Caller::Server => None,
        };
        let structure = structure.as_ref().map(facts::actor_text).unwrap_or_default();
        Self { scope: access.scope(), who: access.who(), structure, now: unit.now().0 }
    }

    /// The same reader in the directory, which every caller reads.
    pub(super) fn of_directory(&self) -> Reader<'a> {
        Reader { scope: &Scope::Directory, who: self.who, structure: self.structure.clone(), now: self.now }
    }

    /// Writes the condition under which the resource `alias` is visible.
    pub(super) fn visible(&self, sql: &mut Sql, alias: &str) {
        self.condition(sql, alias, label::WITHDRAWN);
    }

    /// Writes the condition under which the resource `alias` is visible, or would be if it were not withdrawn: who may be
    /// told that something is gone.
    pub(super) fn visible_or_withdrawn(&self, sql: &mut Sql, alias: &str) {
        self.condition(sql, alias, 0);
    }

    /// `withdrawn`: the bit of [`label::WITHDRAWN`] where it hides a resource, 0 where it does not.
    ///
    /// No label is negative, so `< 1` is `= 0`: of the latter PostgreSQL expects one row in 200, and reads and sorts the whole
    /// record (49 ms a page of 50,000 resources against 0.2 ms).
    fn condition(&self, sql: &mut Sql, alias: &str, withdrawn: i32) {
        let hides = |hard: i32| (hard & !label::WITHDRAWN) | (hard & withdrawn);
        match self.scope {
            Scope::Record(pid, masks) => {
                sql.push(format!("{alias}.pid = ")).integer(pid.0);
                sql.push(format!(" AND ({alias}.labels & ")).integer(i64::from(hides(masks.hard)));
                sql.push(format!(") < 1 AND (({alias}.labels & ")).integer(i64::from(masks.soft)).push(") < 1 OR ");
                self.author(sql, alias);
                sql.push(")");
            }
            Scope::Own(pid) => {
                sql.push(format!("{alias}.pid = ")).integer(pid.0);
                sql.push(format!(" AND ({alias}.labels & ")).integer(i64::from(withdrawn)).push(") < 1 AND ");
                self.author(sql, alias);
            }
            Scope::Directory => {
                sql.push(format!("{alias}.pid = ")).integer(Pid::DIRECTORY.0);
                sql.push(format!(" AND ({alias}.labels & ")).integer(i64::from(withdrawn)).push(") < 1");
            }
            Scope::Patient(pid) => {
                // No record has the number -2, so that the text is the same for a person without one.
                sql.push(format!("{alias}.pid = ")).integer(pid.map_or(-2, |pid| pid.0));
                sql.push(format!(" AND {alias}.rid = ")).integer(Rid::PATIENT.0);
                let patient = ResourceType::parse("Patient").map_or(0, ResourceType::number);
                sql.push(format!(" AND {alias}.type = ")).integer(i64::from(patient));
            }
            Scope::Cohort => {
                sql.push("EXISTS (SELECT 1 FROM access AS g WHERE g.caller = ").text(self.who);
                sql.push(format!(" AND g.pid = {alias}.pid AND g.since <= ")).integer(self.now);
                sql.push(" AND g.until > ").integer(self.now);
                sql.push(format!(" AND ({alias}.labels & g.hard & ")).integer(i64::from(hides(!0)));
                sql.push(format!(") < 1 AND (({alias}.labels & g.soft) < 1 OR "));
                self.author(sql, alias);
                sql.push(")) AND ");
                self.not_blocked(sql, &format!("{alias}.pid"));
            }
        }
    }

    fn author(&self, sql: &mut Sql, alias: &str) {
        sql.push(format!("EXISTS (SELECT 1 FROM author AS a WHERE a.pid = {alias}.pid AND a.rid = {alias}.rid AND a.who = "));
        sql.text(self.who).push(")");
    }

    /// Writes `SELECT DISTINCT pid` of the records that authorise the caller now.
    pub(super) fn records(&self, sql: &mut Sql) {
        sql.push("SELECT DISTINCT g.pid FROM access AS g WHERE g.caller = ").text(self.who);
        sql.push(" AND g.since <= ").integer(self.now).push(" AND g.until > ").integer(self.now).push(" AND ");
        self.not_blocked(sql, "g.pid");
    }

    /// Blocked (INTERDIT) wins over everything, whether the patient named the person or the structure that he works for.
    fn not_blocked(&self, sql: &mut Sql, pid: &str) {
        sql.push(format!("NOT EXISTS (SELECT 1 FROM fact AS b WHERE b.pid = {pid} AND b.kind = "));
        sql.integer(facts::BLOCKED.into()).push(" AND b.actor IN (");
        sql.text(self.who).push(", ").text(self.structure.clone()).push("))");
    }
}

/// Begins `SELECT columns FROM resource AS r WHERE <scope>`.
pub(super) fn select(unit: &Unit, access: &Access, columns: &'static str) -> Sql {
    let mut sql = unit.sql("SELECT ");
    sql.push(columns);
    from(&mut sql, "", "r");
    sql.push(" WHERE ");
    Reader::new(unit, access).visible(&mut sql, "r");
    sql
}

/// The same, with what is withdrawn.
pub(super) fn select_with_withdrawn(unit: &Unit, access: &Access, columns: &'static str) -> Sql {
    let mut sql = unit.sql("SELECT ");
    sql.push(columns);
    from(&mut sql, "", "r");
    sql.push(" WHERE ");
    Reader::new(unit, access).visible_or_withdrawn(&mut sql, "r");
    sql
}

/// Resources of a record that is being written, whatever their labels: never for an answer.
pub(super) fn whole_record(unit: &Unit, pid: Pid, columns: &'static str) -> Sql {
    let mut sql = unit.sql("SELECT ");
    sql.push(columns);
    from(&mut sql, "", "r");
    sql.push(" WHERE r.pid = ").integer(pid.0);
    sql
}

/// One resource of a record that is being written, whatever its labels: never for an answer.
pub(super) fn whole(unit: &Unit, pid: Pid, rid: Rid, columns: &'static str) -> Sql {
    let mut sql = whole_record(unit, pid, columns);
    sql.push(" AND r.rid = ").integer(rid.0);
    sql
}

/// Whether the access sees this resource of its record.
pub(super) fn is_visible(unit: &Unit, access: &Access, rid: Rid) -> Result<bool, Problem> {
    let mut sql = select(unit, access, "r.rid");
    sql.push(" AND r.rid = ").integer(rid.0);
    Ok(unit.run(|connection| sql.first::<BigInt, i64>(connection))?.is_some())
}
