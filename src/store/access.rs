//! Rows of `access`: which records authorise a caller now, for searches over several records (DESIGN section 3).
use super::facts::NO_END;
use super::rows;
use super::sql::Sql;
use super::unit::Unit;
use crate::fhir::Problem;
use crate::ids::Pid;
use crate::policy::{Facts, grants};

/// Puts the rows that follow from the facts in the place of the old ones.
pub(super) fn rewrite(unit: &Unit, pid: Pid, facts: &Facts) -> Result<(), Problem> {
    let mut sql = unit.sql("DELETE FROM access WHERE pid = ");
    sql.integer(pid.0);
    unit.run(|connection| sql.execute(connection))?;
    rows::insert(&grants(facts), |chunk, tuples| {
        let mut sql = Sql::new(unit.dialect(), "INSERT INTO access (caller, pid, since, until, hard, soft) VALUES ");
        tuples.write(&mut sql, chunk, |sql, grant| {
            sql.text(grant.who.clone()).push(", ").integer(pid.0).push(", ").integer(grant.from.0).push(", ");
            sql.integer(grant.until.map_or(NO_END, |until| until.0)).push(", ");
            sql.integer(grant.masks.hard.into()).push(", ").integer(grant.masks.soft.into());
        });
        // Two Consents that say the same are one row.
        sql.push(" ON CONFLICT DO NOTHING");
        unit.run(|connection| sql.execute(connection)).map(|_| ())
    })
}
