//! Resources: reading by place, and writing new versions with their index rows.
use super::error::StoreError;
use super::rows::{self, norm};
use super::sql::Sql;
use super::unit::{Access, Unit, internal};
use super::{body, select};
use crate::clock::Millis;
use crate::fhir::outcome::IssueKind;
use crate::fhir::{Problem, ResourceType};
use crate::ids::{Pid, Rid};
use crate::policy::permit::label;
use crate::search::{IndexRows, Key, Keyer, Kind, registry};
use diesel::sql_types::{BigInt, Binary, Double, Integer, SmallInt, Text};
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

/// A version of a resource as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its record.
    pub pid: Pid,
    /// Its number in the record.
    pub rid: Rid,
    /// Its type.
    pub resource_type: ResourceType,
    /// `meta.versionId`, from 1.
    pub version: i64,
    /// `meta.lastUpdated`.
    pub updated: Millis,
    /// Minified FHIR JSON; empty for a deletion.
    pub body: Vec<u8>,
    /// Bits of [`crate::policy::permit::label`].
    pub labels: i32,
}

impl Stored {
    /// Whether this version is the deletion of the resource: it has no body.
    #[must_use]
    pub fn is_deletion(&self) -> bool {
        self.body.is_empty()
    }

    /// Its id, as the body states it: the one that a client chose, where one did.
    ///
    /// # Errors
    /// `Internal` where the body is damaged, or is that of a deletion.
    pub fn id(&self) -> Result<Cow<'_, str>, Problem> {
        if let Some(id) = id_of(self.resource_type, &self.body) {
            return Ok(Cow::Borrowed(id));
        }
        let id = self.resource()?.get("id").and_then(serde_json::Value::as_str).map(str::to_owned);
        id.map(Cow::Owned).ok_or_else(|| Problem::new(IssueKind::Internal, "A stored resource has no id"))
    }

    /// The body, read.
    ///
    /// # Errors
    /// `Internal` where it is damaged: never taken for one that says nothing.
    pub fn resource(&self) -> Result<crate::fhir::Resource, Problem> {
        serde_json::from_slice(&self.body)
            .map_err(|_not_json| Problem::new(IssueKind::Internal, "A stored resource cannot be read"))
    }
}

/// The id in a stored body, without reading the rest: type and id stand first in each ([`crate::fhir::json::with_meta`]), and an
/// id has no character that JSON escapes.
pub fn id_of(resource_type: ResourceType, body: &[u8]) -> Option<&str> {
    let rest = body.strip_prefix(b"{\"resourceType\":\"")?.strip_prefix(resource_type.name().as_bytes())?;
    let rest = rest.strip_prefix(b"\",\"id\":\"")?;
    let end = rest.iter().position(|byte| *byte == b'"')?;
    std::str::from_utf8(rest.get(..end)?).ok()
}

/// A version to be written.
#[derive(Debug, Clone)]
pub struct NewResource {
    /// Its number: from [`Unit::next_rid`] for a new resource, that of the present version for a new version.
    pub rid: Rid,
    /// Its type: never changes.
    pub resource_type: ResourceType,
    /// `meta.versionId` as the body states it: 1 for a new resource, one more than the present version for a new version.
    pub version: i64,
    /// Minified FHIR JSON with id and meta (`lastUpdated` from [`Unit::updated`]).
    pub body: Vec<u8>,
    /// Its index rows.
    pub rows: IndexRows,
    /// Bits of [`crate::policy::permit::label`].
    pub labels: i32,
    /// Class of the document that it comes from, for the habilitation matrix.
    pub class: Option<String>,
    /// What made it, for what a document brought: never 0.
    pub origin: Option<i64>,
    /// `who` texts of depositor and authors.
    pub authors: Vec<String>,
}

/// Columns of [`Row`].
pub(super) const COLUMNS: &str = "r.pid, r.rid, r.type, r.version, r.updated, r.labels, r.body";
/// SQL types of [`Row`].
pub(super) type Columns = (BigInt, BigInt, SmallInt, BigInt, BigInt, Integer, Binary);
/// A version as it is loaded.
pub(super) type Row = (i64, i64, i16, i64, i64, i32, Vec<u8>);

pub(super) fn stored(row: Row) -> Result<Stored, StoreError> {
    // A deletion has no bytes at all; a packed body is never empty.
    let body = if row.6.is_empty() { Vec::new() } else { body::unpack(&row.6)? };
    with_body(row, body)
}

/// The version of a row, with this body in the place of the packed one.
pub(super) fn with_body(row: Row, body: Vec<u8>) -> Result<Stored, StoreError> {
    let (pid, rid, resource_type, version, updated, labels, _packed) = row;
    Ok(Stored {
        pid: Pid(pid),
        rid: Rid(rid),
        resource_type: ResourceType::from_number(resource_type).ok_or(StoreError::Damaged("a type number"))?,
        version,
        updated: Millis(updated),
        body,
        labels,
    })
}

/// The present version of a resource of the access's record; `None` where it is not here or not for this caller.
///
/// # Errors
/// Where the database fails.
pub fn resource_read(unit: &Unit, access: &Access, resource_type: ResourceType, rid: Rid) -> Result<Option<Stored>, Problem> {
    if access.pid().is_none() {
        return Ok(None);
    }
    let mut sql = select::select(unit, access, COLUMNS);
    sql.push(" AND r.rid = ").integer(rid.0).push(" AND r.type = ").integer(i64::from(resource_type.number()));
    let row = unit.run(|connection| sql.first::<Columns, Row>(connection))?;
    Ok(row.map(stored).transpose()?)
}

/// Whether the access would see this resource if it were not withdrawn or deleted: who may be told that it is gone (410).
///
/// # Errors
/// Where the database fails.
pub fn resource_withdrawn(unit: &Unit, access: &Access, resource_type: ResourceType, rid: Rid) -> Result<bool, Problem> {
    if access.pid().is_none() {
        return Ok(false);
    }
    let mut sql = select::select_with_withdrawn(unit, access, "r.rid");
    sql.push(" AND r.rid = ").integer(rid.0).push(" AND r.type = ").integer(i64::from(resource_type.number()));
    sql.push(" AND (r.labels & ").integer(i64::from(label::WITHDRAWN)).push(") <> 0");
    Ok(unit.run(|connection| sql.first::<BigInt, i64>(connection))?.is_some())
}

/// A version of a resource, present or superseded, where the caller may see the present one, or where that is a deletion
/// which he may be told of: what was before a deletion stays readable, what its author withdrew does not (decision 2).
///
/// # Errors
/// `ResourceDeleted` (410) for a version that is a deletion, and for each one of a withdrawn document.
pub fn resource_version_read(
    unit: &Unit,
    access: &Access,
    resource_type: ResourceType,
    rid: Rid,
    version: i64,
) -> Result<Option<Stored>, Problem> {
    if access.pid().is_none() {
        return Ok(None);
    }
    let mut sql = select::select_with_withdrawn(unit, access, COLUMNS);
    sql.push(" AND r.rid = ").integer(rid.0).push(" AND r.type = ").integer(i64::from(resource_type.number()));
    let row = unit.run(|connection| sql.first::<Columns, Row>(connection))?;
    let Some(present) = row.map(stored).transpose()? else { return Ok(None) };
    if version > present.version || version < 1 {
        return Ok(None);
    }
    let gone = || Problem::new(IssueKind::ResourceDeleted, "This version is the deletion of the resource");
    if present.labels & label::WITHDRAWN != 0 && (!present.is_deletion() || version == present.version) {
        return Err(gone());
    }
    if present.version == version {
        return Ok(Some(present));
    }
    let mut sql =
        unit.sql("SELECT h.pid, h.rid, h.type, h.version, h.updated, h.labels, h.body FROM history AS h WHERE h.pid = ");
    sql.integer(present.pid.0).push(" AND h.rid = ").integer(rid.0).push(" AND h.version = ").integer(version);
    let row = unit.run(|connection| sql.first::<Columns, Row>(connection))?;
    match row.map(stored).transpose()? {
        Some(old) if old.is_deletion() || old.labels & label::WITHDRAWN != 0 => Err(gone()),
        found => Ok(found),
    }
}

/// Which resources of the access's record these origins made: translating again updates them.
///
/// # Errors
/// Where the database fails.
pub fn resource_by_origin(unit: &Unit, access: &Access, origins: &[i64]) -> Result<Vec<(i64, Rid)>, Problem> {
    let mut sql = select::select(unit, access, "r.origin, r.rid");
    sql.push(" AND r.origin <> 0 AND r.origin").in_list(origins.iter().copied());
    let rows = unit.run(|connection| sql.load::<(BigInt, BigInt), (i64, i64)>(connection))?;
    Ok(rows.into_iter().map(|(origin, rid)| (origin, Rid(rid))).collect())
}

/// Deletes a resource of the access's record: a version without body and index rows takes its place, withdrawn for every
/// reader, with the authors of the old one; that goes to the history. Its number may come back as its next version.
///
/// Answers the version of the deletion; `None` where there is nothing to delete, because it never was or is deleted.
/// Whether the caller may is his service's question: this looks at no label.
///
/// # Errors
/// Where the access may not write in one record; where the database fails.
pub fn resource_delete(unit: &Unit, access: &Access, resource_type: ResourceType, rid: Rid) -> Result<Option<i64>, Problem> {
    let pid = access.writable(unit)?;
    unit.lock(pid)?;
    let mut sql = select::whole(unit, pid, rid, "r.version, r.labels, r.class, r.origin, r.body");
    sql.push(" AND r.type = ").integer(i64::from(resource_type.number()));
    type Columns = (BigInt, Integer, Text, BigInt, Binary);
    let row = unit.run(|connection| sql.first::<Columns, (i64, i32, String, i64, Vec<u8>)>(connection))?;
    let Some((version, labels, class, origin, body)) = row else { return Ok(None) };
    if body.is_empty() {
        return Ok(None);
    }
    let version = version.saturating_add(1);
    let mut sql = unit.sql("SELECT who FROM author WHERE pid = ");
    sql.integer(pid.0).push(" AND rid = ").integer(rid.0);
    let deletion = NewResource {
        rid,
        resource_type,
        version,
        body: Vec::new(),
        rows: IndexRows { ts: IndexRows::NO_DATE, ..IndexRows::default() },
        labels: labels | label::WITHDRAWN,
        class: Some(class).filter(|class| !class.is_empty()),
        origin: Some(origin).filter(|origin| *origin != 0),
        authors: unit.run(|connection| sql.load::<Text, String>(connection))?,
    };
    resource_put(unit, access, std::slice::from_ref(&deletion))?;
    Ok(Some(version))
}

/// Whether another resource of the access's scope refers to this one of its record, by whatever parameter.
///
/// # Errors
/// Where the database fails.
pub fn resource_referred(unit: &Unit, access: &Access, rid: Rid) -> Result<bool, Problem> {
    let pid = access.writable(unit)?;
    let numbers = ResourceType::all().flat_map(|source| registry().parameters(source));
    let numbers = numbers.filter(|parameter| parameter.kind() == Kind::Reference).flat_map(|one| one.stored.iter().copied());
    let numbers: std::collections::BTreeSet<u16> = numbers.collect();
    // In the directory itself a target is both of the same place and of the directory.
    let places: &[bool] = if pid == Pid::DIRECTORY { &[false, true] } else { &[false] };
    let keys = numbers.iter().flat_map(|number| places.iter().map(|place| Keyer::reference(*number, *place, rid).0));
    let mut sql = unit.sql("SELECT r.rid");
    select::from(&mut sql, "token AS t", "r");
    sql.push(" WHERE t.pid = ").integer(pid.0).push(" AND t.key").in_list(keys);
    sql.push(" AND r.pid = t.pid AND r.rid = t.rid AND r.rid <> ").integer(rid.0).push(" AND ");
    select::Reader::new(unit, access).visible(&mut sql, "r");
    sql.push(" LIMIT 1");
    Ok(unit.run(|connection| sql.first::<BigInt, i64>(connection))?.is_some())
}

/// What is in the place of a new version.
struct Present {
    resource_type: i16,
    ts: i64,
    version: i64,
    updated: i64,
    labels: i32,
    body: Vec<u8>,
}

/// Writes resources of the access's record: new ones, or new versions whose predecessors go to the history.
///
/// All have the `updated` that [`Unit::updated`] gives.
///
/// # Errors
/// `Conflict` where [`NewResource::version`] is not the next one: nothing is ever replaced that its writer did not mean to
/// replace. A new resource whose number the record has already makes the unit run again, with new numbers. `Conflict` too where
/// the type would change; `Internal` for one number twice in a call.
pub fn resource_put(unit: &Unit, access: &Access, new: &[NewResource]) -> Result<(), Problem> {
    let pid = access.writable(unit)?;
    if new.is_empty() {
        return Ok(());
    }
    let updated = unit.stamp(pid)?;
    let rids: HashSet<i64> = new.iter().map(|resource| resource.rid.0).collect();
    if rids.len() != new.len() {
        return Err(internal("One resource twice in one write"));
    }
    let present = present(unit, pid, &rids)?;
    for resource in new {
        check_version(unit, resource, present.get(&resource.rid.0))?;
    }
    if !present.is_empty() {
        supersede(unit, pid, &present)?;
    }
    insert_resources(unit, pid, updated, new)?;
    insert_index(unit, pid, new)
}

/// What is written is the next version of what is there, and of the same type.
fn check_version(unit: &Unit, new: &NewResource, present: Option<&Present>) -> Result<(), Problem> {
    let next = present.map_or(1, |present| present.version.saturating_add(1));
    if new.version != next {
        if new.version == 1 {
            tracing::warn!("A number for a resource was given twice in its record: the write runs again");
            unit.run_again();
        }
        return Err(Problem::new(IssueKind::Conflict, "Another version of the resource is there; send the request again"));
    }
    if present.is_some_and(|present| present.resource_type != new.resource_type.number()) {
        return Err(Problem::new(IssueKind::Conflict, "This id is of a resource of another type"));
    }
    Ok(())
}

fn present(unit: &Unit, pid: Pid, rids: &HashSet<i64>) -> Result<HashMap<i64, Present>, Problem> {
    let mut sql = select::whole_record(unit, pid, "r.rid, r.type, r.ts, r.version, r.updated, r.labels, r.body");
    sql.push(" AND r.rid").in_list(rids.iter().copied());
    type Columns = (BigInt, SmallInt, BigInt, BigInt, BigInt, Integer, Binary);
    let rows = unit.run(|connection| sql.load::<Columns, (i64, i16, i64, i64, i64, i32, Vec<u8>)>(connection))?;
    let with_rid = |(rid, resource_type, ts, version, updated, labels, body)| {
        (rid, Present { resource_type, ts, version, updated, labels, body })
    };
    Ok(rows.into_iter().map(with_rid).collect())
}

/// Moves the present versions, with the index rows that they have, to the history.
fn supersede(unit: &Unit, pid: Pid, present: &HashMap<i64, Present>) -> Result<(), Problem> {
    let mut index: HashMap<i64, IndexRows> =
        present.iter().map(|(rid, old)| (*rid, IndexRows { ts: old.ts, ..IndexRows::default() })).collect();
    let of_rids = |columns: &'static str, table: &'static str| {
        let mut sql = unit.sql(columns);
        sql.push(table).push(" WHERE pid = ").integer(pid.0).push(" AND rid").in_list(present.keys().copied());
        sql
    };
    let sql = of_rids("SELECT rid, key FROM ", "token");
    for (rid, key) in unit.run(|connection| sql.load::<(BigInt, BigInt), (i64, i64)>(connection))? {
        index.entry(rid).or_default().tokens.push(Key(key));
    }
    let sql = of_rids("SELECT rid, key, lo, hi FROM ", "\"range\"");
    for (rid, key, lo, hi) in
        unit.run(|connection| sql.load::<(BigInt, BigInt, Double, Double), (i64, i64, f64, f64)>(connection))?
    {
        index.entry(rid).or_default().ranges.push((Key(key), lo, hi));
    }
    let sql = of_rids("SELECT rid, key, norm FROM ", "\"text\"");
    for (rid, key, text) in unit.run(|connection| sql.load::<(BigInt, BigInt, Text), (i64, i64, String)>(connection))? {
        index.entry(rid).or_default().texts.push((Key(key), text));
    }
    let old: Vec<(&i64, &Present)> = present.iter().collect();
    rows::insert(&old, |chunk, tuples| {
        let mut sql =
            Sql::new(unit.dialect(), "INSERT INTO history (pid, rid, version, type, ts, updated, labels, body, rows) VALUES ");
        tuples.write(&mut sql, chunk, |sql, (rid, old)| {
            sql.integer(pid.0).push(", ").integer(**rid).push(", ").integer(old.version).push(", ");
            sql.integer(i64::from(old.resource_type)).push(", ").integer(old.ts).push(", ").integer(old.updated).push(", ");
            sql.integer(i64::from(old.labels)).push(", ").bytes(old.body.clone()).push(", ");
            sql.bytes(index.get(rid).map(rows::to_bytes).unwrap_or_default());
        });
        unit.run(|connection| sql.execute(connection)).map(|_| ())
    })?;
    for table in ["token", "\"range\"", "\"text\"", "author", "resource"] {
        let sql = of_rids("DELETE FROM ", table);
        unit.run(|connection| sql.execute(connection))?;
    }
    Ok(())
}

fn insert_resources(unit: &Unit, pid: Pid, updated: i64, new: &[NewResource]) -> Result<(), Problem> {
    let level = unit.shared().compression;
    let mut packed = Vec::with_capacity(new.len());
    for resource in new {
        let body = if resource.body.is_empty() { Vec::new() } else { body::pack(&resource.body, level)? };
        packed.push((resource, body));
    }
    rows::insert(&packed, |chunk, tuples| {
        let mut sql = Sql::new(
            unit.dialect(),
            "INSERT INTO resource (pid, rid, type, ts, version, updated, labels, class, origin, body) VALUES ",
        );
        tuples.write(&mut sql, chunk, |sql, (resource, packed)| {
            sql.integer(pid.0).push(", ").integer(resource.rid.0).push(", ").integer(i64::from(resource.resource_type.number()));
            sql.push(", ").integer(resource.rows.ts).push(", ").integer(resource.version).push(", ").integer(updated).push(", ");
            sql.integer(i64::from(resource.labels)).push(", ").text(resource.class.clone().unwrap_or_default()).push(", ");
            sql.integer(resource.origin.unwrap_or(0)).push(", ").bytes(packed.clone());
        });
        unit.run(|connection| sql.execute(connection)).map(|_| ())
    })
}

/// Index rows and authors of all resources, each table with as few statements as may be.
fn insert_index(unit: &Unit, pid: Pid, new: &[NewResource]) -> Result<(), Problem> {
    let dialect = unit.dialect();
    let run = |sql: Sql| unit.run(|connection| sql.execute(connection)).map(|_| ());

    let mut tokens: Vec<(i64, i64, i64)> =
        new.iter().flat_map(|one| one.rows.tokens.iter().map(|key| (key.0, one.rows.ts, one.rid.0))).collect();
    tokens.sort_unstable();
    tokens.dedup();
    rows::insert(&tokens, |chunk, tuples| {
        let mut sql = Sql::new(dialect, "INSERT INTO token (pid, key, ts, rid) VALUES ");
        tuples.write(&mut sql, chunk, |sql, (key, ts, rid)| {
            sql.integer(pid.0).push(", ").integer(*key).push(", ").integer(*ts).push(", ").integer(*rid);
        });
        run(sql)
    })?;

    let mut ranges: Vec<(i64, i64, i64, f64, f64)> = Vec::new();
    for one in new {
        let numbers = one.rows.ranges.iter().filter(|(_, lo, hi)| !lo.is_nan() && !hi.is_nan());
        // Adding zero makes -0 the same as 0, as both databases compare them.
        ranges.extend(numbers.map(|(key, lo, hi)| (key.0, one.rows.ts, one.rid.0, lo + 0.0, hi + 0.0)));
    }
    ranges.sort_by(|a, b| (a.0, a.1, a.2).cmp(&(b.0, b.1, b.2)).then(a.3.total_cmp(&b.3)).then(a.4.total_cmp(&b.4)));
    ranges.dedup();
    rows::insert(&ranges, |chunk, tuples| {
        let mut sql = Sql::new(dialect, "INSERT INTO \"range\" (pid, key, ts, rid, lo, hi) VALUES ");
        tuples.write(&mut sql, chunk, |sql, (key, ts, rid, lo, hi)| {
            sql.integer(pid.0).push(", ").integer(*key).push(", ").integer(*ts).push(", ").integer(*rid);
            sql.push(", ").number(*lo).push(", ").number(*hi);
        });
        run(sql)
    })?;

    let mut texts: Vec<(i64, i64, i64, String)> =
        new.iter().flat_map(|one| one.rows.texts.iter().map(|(key, text)| (key.0, one.rows.ts, one.rid.0, norm(text)))).collect();
    texts.sort_unstable();
    texts.dedup();
    rows::insert(&texts, |chunk, tuples| {
        let mut sql = Sql::new(dialect, "INSERT INTO \"text\" (pid, key, ts, rid, norm) VALUES ");
        tuples.write(&mut sql, chunk, |sql, (key, ts, rid, text)| {
            sql.integer(pid.0)
                .push(", ")
                .integer(*key)
                .push(", ")
                .integer(*ts)
                .push(", ")
                .integer(*rid)
                .push(", ")
                .text(text.clone());
        });
        run(sql)
    })?;

    let mut authors: Vec<(i64, &String)> = new.iter().flat_map(|one| one.authors.iter().map(|who| (one.rid.0, who))).collect();
    authors.sort_unstable();
    authors.dedup();
    rows::insert(&authors, |chunk, tuples| {
        let mut sql = Sql::new(dialect, "INSERT INTO author (pid, rid, who) VALUES ");
        tuples.write(&mut sql, chunk, |sql, (rid, who)| {
            sql.integer(pid.0).push(", ").integer(*rid).push(", ").text((*who).clone());
        });
        run(sql)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_body_is_a_fault_and_no_empty_resource() {
        let stored = |body: &[u8]| Stored {
            pid: Pid(1),
            rid: Rid(1),
            resource_type: ResourceType::parse("Patient").unwrap(),
            version: 1,
            updated: Millis(0),
            body: body.to_vec(),
            labels: 0,
        };
        assert!(stored(br#"{"resourceType":"Patient"}"#).resource().is_ok());
        for damaged in [&b""[..], b"{\"resourceType\":", b"[]"] {
            assert_eq!(stored(damaged).resource().unwrap_err().kind(), IssueKind::Internal);
        }
    }
}
