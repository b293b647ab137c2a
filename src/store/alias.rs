//! Ids that clients chose (system callers only): type and id lead to a place.
use super::unit::{Access, Unit};
use crate::fhir::outcome::IssueKind;
use crate::fhir::{Problem, ResourceType};
use crate::ids::{Pid, Rid};
use diesel::sql_types::BigInt;

/// Where a chosen id leads; the id routes, it gives no access, so it is looked up before a permit is decided.
///
/// # Errors
/// Where the database fails.
pub fn alias_find(unit: &Unit, resource_type: ResourceType, id: &str) -> Result<Option<(Pid, Rid)>, Problem> {
    let mut sql = unit.sql("SELECT pid, rid FROM alias WHERE type = ");
    sql.integer(i64::from(resource_type.number())).push(" AND id = ").text(id);
    let place = unit.run(|connection| sql.first::<(BigInt, BigInt), (i64, i64)>(connection))?;
    Ok(place.map(|(pid, rid)| (Pid(pid), Rid(rid))))
}

/// Gives a resource of the access's record the id that its client chose.
///
/// # Errors
/// `Conflict` (409) where the id is taken: the one documented place where existence shows.
pub fn alias_put(unit: &Unit, access: &Access, resource_type: ResourceType, id: &str, rid: Rid) -> Result<(), Problem> {
    let pid = access.writable(unit)?;
    let mut sql = unit.sql("INSERT INTO alias (type, id, pid, rid) VALUES (");
    sql.integer(i64::from(resource_type.number())).push(", ").text(id).push(", ").integer(pid.0).push(", ").integer(rid.0);
    sql.push(") ON CONFLICT DO NOTHING");
    if unit.run(|connection| sql.execute(connection))? == 1 {
        return Ok(());
    }
    Err(Problem::new(IssueKind::Conflict, "This id is taken"))
}
