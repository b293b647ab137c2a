//! What the rules look at beyond the caller's own scope: the whole record, in the transaction of a write. Nothing that is
//! read so may stand in an answer.
use super::resource::{COLUMNS, Columns, NewResource, Row, Stored, resource_put, stored};
use super::select;
use super::unit::{Access, Unit};
use crate::fhir::{Problem, ResourceType};
use crate::ids::Rid;
use diesel::sql_types::{BigInt, Text};
use std::collections::HashMap;

/// Every Consent of the record that a client wrote: never one translated from a document (DESIGN section 5).
///
/// # Errors
/// Where the access may not write, or the database fails.
pub fn record_consents(unit: &Unit, access: &Access) -> Result<Vec<Stored>, Problem> {
    let pid = access.writable(unit)?;
    let mut sql = select::whole_record(unit, pid, COLUMNS);
    sql.push(" AND r.origin = 0 AND r.type = ")
        .integer(i64::from(ResourceType::parse("Consent").map_or(0, ResourceType::number)));
    let rows = unit.run(|connection| sql.load::<Columns, Row>(connection))?;
    Ok(rows.into_iter().map(stored).collect::<Result<_, _>>()?)
}

/// Whether `who` is among depositor, authors and custodian of a resource.
///
/// # Errors
/// Where the access may not write, or the database fails.
pub fn authored_by(unit: &Unit, access: &Access, rid: Rid, who: &str) -> Result<bool, Problem> {
    let pid = access.writable(unit)?;
    let mut sql = unit.sql("SELECT rid FROM author WHERE pid = ");
    sql.integer(pid.0).push(" AND rid = ").integer(rid.0).push(" AND who = ").text(who.to_owned());
    Ok(unit.run(|connection| sql.first::<BigInt, i64>(connection))?.is_some())
}

/// Writes new versions of resources that are here: labels, class, origin and authors stay those of the old version.
///
/// # Errors
/// Where the access may not write, or the database fails.
pub fn resource_put_versions(unit: &Unit, access: &Access, new: Vec<NewResource>) -> Result<Vec<i64>, Problem> {
    let pid = access.writable(unit)?;
    let rids = || new.iter().map(|resource| resource.rid.0).collect::<Vec<_>>();
    let mut sql = select::whole_record(unit, pid, "r.rid, r.labels, r.class, r.origin");
    sql.push(" AND r.rid").in_list(rids());
    type Kept = (BigInt, diesel::sql_types::Integer, Text, BigInt);
    let kept = unit.run(|connection| sql.load::<Kept, (i64, i32, String, i64)>(connection))?;
    let kept: HashMap<i64, (i32, String, i64)> =
        kept.into_iter().map(|(rid, labels, class, origin)| (rid, (labels, class, origin))).collect();
    let mut sql = unit.sql("SELECT rid, who FROM author WHERE pid = ");
    sql.integer(pid.0).push(" AND rid").in_list(rids());
    let mut authors: HashMap<i64, Vec<String>> = HashMap::new();
    for (rid, who) in unit.run(|connection| sql.load::<(BigInt, Text), (i64, String)>(connection))? {
        authors.entry(rid).or_default().push(who);
    }
    let new: Vec<NewResource> = new
        .into_iter()
        .map(|resource| match kept.get(&resource.rid.0) {
            Some((labels, class, origin)) => NewResource {
                labels: *labels,
                class: Some(class.clone()).filter(|class| !class.is_empty()),
                origin: Some(*origin).filter(|origin| *origin != 0),
                authors: authors.remove(&resource.rid.0).unwrap_or_default(),
                ..resource
            },
            None => resource,
        })
        .collect();
    resource_put(unit, access, &new)
}
