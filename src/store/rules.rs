//! What the rules look at beyond the caller's own scope: the whole record, in the transaction of a write. Each function
//! takes a [`WholeRecord`], which no function takes that reads for an answer.
use super::page::PageRequest;
use super::resource::{self, COLUMNS, Columns, NewResource, Row, Stored, resource_put, stored};
use super::sql::Sql;
use super::unit::{Unit, WholeRecord};
use super::{body, document, search, select};
use crate::fhir::{Problem, ResourceType};
use crate::ids::{Pid, Rid};
use crate::policy::permit::label;
use crate::search::{Key, Plan};
use diesel::sql_types::{BigInt, Integer, Text};
use std::collections::HashMap;

/// Every Consent of the record that a client wrote: never one translated from a document (DESIGN section 5).
///
/// # Errors
/// Where the database fails.
pub fn record_consents(unit: &Unit, record: &WholeRecord) -> Result<Vec<Stored>, Problem> {
    let pid = record.access().writable(unit)?;
    let mut sql = select::whole_record(unit, pid, COLUMNS);
    sql.push(" AND r.origin = 0 AND length(r.body) > 0 AND r.type = ")
        .integer(i64::from(ResourceType::parse("Consent").map_or(0, ResourceType::number)));
    let rows = unit.run(|connection| sql.load::<Columns, Row>(connection))?;
    Ok(rows.into_iter().map(stored).collect::<Result<_, _>>()?)
}

/// Whether `who` is among depositor, authors and custodian of a resource.
///
/// # Errors
/// Where the database fails.
pub fn authored_by(unit: &Unit, record: &WholeRecord, rid: Rid, who: &str) -> Result<bool, Problem> {
    let pid = record.access().writable(unit)?;
    let mut sql = unit.sql("SELECT rid FROM author WHERE pid = ");
    sql.integer(pid.0).push(" AND rid = ").integer(rid.0).push(" AND who = ").text(who.to_owned());
    Ok(unit.run(|connection| sql.first::<BigInt, i64>(connection))?.is_some())
}

/// Writes new versions of resources that are here: labels, class, origin and authors stay those of the old version. What
/// was deleted comes back: it is not withdrawn any more.
///
/// # Errors
/// What [`resource_put`] refuses; where the database fails.
pub fn resource_put_versions(unit: &Unit, record: &WholeRecord, new: Vec<NewResource>) -> Result<(), Problem> {
    let pid = record.access().writable(unit)?;
    let rids = || new.iter().map(|resource| resource.rid.0).collect::<Vec<_>>();
    let mut sql = select::whole_record(unit, pid, "r.rid, r.labels, r.class, r.origin, length(r.body)");
    sql.push(" AND r.rid").in_list(rids());
    type Kept = (BigInt, Integer, Text, BigInt, Integer);
    let kept = unit.run(|connection| sql.load::<Kept, (i64, i32, String, i64, i32)>(connection))?;
    // A deletion is undone by the next version; what its author withdrew stays withdrawn.
    let labels = |labels: i32, length: i32| if length == 0 { labels & !label::WITHDRAWN } else { labels };
    let kept: HashMap<i64, (i32, String, i64)> =
        kept.into_iter().map(|(rid, old, class, origin, length)| (rid, (labels(old, length), class, origin))).collect();
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
    resource_put(unit, record.access(), &new)
}

/// The present version of a resource of the record, also where it is a deletion ([`Stored::is_deletion`]): what comes next
/// is the version after it.
///
/// # Errors
/// Where the database fails.
pub fn record_resource(
    unit: &Unit,
    record: &WholeRecord,
    resource_type: ResourceType,
    rid: Rid,
) -> Result<Option<Stored>, Problem> {
    resource::resource_read(unit, record.access(), resource_type, rid)
}

/// The resources of the record at these places.
///
/// # Errors
/// Where the database fails.
pub fn record_places(unit: &Unit, record: &WholeRecord, places: &[(Pid, Rid)]) -> Result<Vec<Stored>, Problem> {
    let mut found = search::resource_places(unit, record.access(), places)?;
    found.retain(|stored| !stored.is_deletion());
    Ok(found)
}

/// The resources of the record that fulfil a plan which the index decides alone, at most `count`, newest first.
///
/// # Errors
/// Where the database fails.
pub fn record_search(unit: &Unit, record: &WholeRecord, plan: &Plan, count: usize) -> Result<Vec<Stored>, Problem> {
    let page = PageRequest { count, total: false, cursor: None, query: None };
    let mut found = search::resource_search(unit, record.access(), plan, &page, &mut |_| true)?.resources;
    found.retain(|stored| !stored.is_deletion());
    Ok(found)
}

/// Which resources of the record these origins made.
///
/// # Errors
/// Where the database fails.
pub fn record_by_origin(unit: &Unit, record: &WholeRecord, origins: &[i64]) -> Result<Vec<(i64, Rid)>, Problem> {
    resource::resource_by_origin(unit, record.access(), origins)
}

/// What made these resources of the record; without those that no document made.
///
/// # Errors
/// Where the database fails.
pub fn record_origins(unit: &Unit, record: &WholeRecord, rids: &[Rid]) -> Result<HashMap<Rid, i64>, Problem> {
    let pid = record.access().writable(unit)?;
    let mut sql = select::whole_record(unit, pid, "r.rid, r.origin");
    sql.push(" AND r.origin <> 0 AND r.rid").in_list(rids.iter().map(|rid| rid.0));
    let rows = unit.run(|connection| sql.load::<(BigInt, BigInt), (i64, i64)>(connection))?;
    Ok(rows.into_iter().map(|(rid, origin)| (Rid(rid), origin)).collect())
}

/// The bytes and media type of the Binary `rid` of the record.
///
/// # Errors
/// Where the database or a key fails.
pub fn record_original(unit: &Unit, record: &WholeRecord, rid: Rid) -> Result<Option<(Vec<u8>, String)>, Problem> {
    document::document_get(unit, record.access(), rid)
}

/// New labels of a resource that keeps its version: its body says them, and the rows by which they are searched.
#[derive(Debug, Clone)]
pub struct Relabelled {
    /// Its number in the record.
    pub rid: Rid,
    /// Bits of [`label`].
    pub labels: i32,
    /// Minified FHIR JSON with the new `meta.security`.
    pub body: Vec<u8>,
    /// Its clinical date, as its index rows have it.
    pub ts: i64,
    /// Token rows that it gains.
    pub added: Vec<Key>,
    /// Token rows that it loses.
    pub removed: Vec<Key>,
}

/// Changes labels in place: no version is made, so that a mask holds for every version at once.
///
/// # Errors
/// Where the database fails.
pub fn resource_relabel(unit: &Unit, record: &WholeRecord, all: &[Relabelled]) -> Result<(), Problem> {
    let pid = record.access().writable(unit)?;
    if all.is_empty() {
        return Ok(());
    }
    unit.lock(pid)?;
    let run = |sql: Sql| unit.run(|connection| sql.execute(connection)).map(|_| ());
    for one in all {
        let mut sql = unit.sql("UPDATE resource SET labels = ");
        sql.integer(one.labels.into()).push(", body = ").bytes(body::pack(&one.body, unit.shared().compression)?);
        sql.push(" WHERE pid = ").integer(pid.0).push(" AND rid = ").integer(one.rid.0);
        run(sql)?;
        for key in &one.removed {
            let mut sql = unit.sql("DELETE FROM token WHERE pid = ");
            sql.integer(pid.0).push(" AND key = ").integer(key.0).push(" AND ts = ").integer(one.ts);
            sql.push(" AND rid = ").integer(one.rid.0);
            run(sql)?;
        }
        for key in &one.added {
            let mut sql = unit.sql("INSERT INTO token (pid, key, ts, rid) VALUES (");
            sql.integer(pid.0).push(", ").integer(key.0).push(", ").integer(one.ts).push(", ").integer(one.rid.0);
            sql.push(") ON CONFLICT DO NOTHING");
            run(sql)?;
        }
    }
    Ok(())
}
