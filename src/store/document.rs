//! Originals of documents: kept byte for byte, once in a record, sealed under the record's key.
use super::error::StoreError;
use super::unit::{Access, Unit, WholeRecord, internal};
use super::{crypt, facts, select};
use crate::fhir::Problem;
use crate::ids::{Pid, Rid};
use diesel::sql_types::{BigInt, Binary, Integer, Text};

/// Largest original that is unpacked.
const ORIGINAL_MAX: usize = 96 * 1024 * 1024;
/// Level of zstd for originals.
const LEVEL: i32 = 3;

/// An original as it will be stored, but for the key of its record: made before the unit begins, so that nobody waits for it.
#[derive(Clone)]
pub struct Original {
    sha1: [u8; 20],
    sha256: [u8; 32],
    size: i64,
    packed: Vec<u8>,
}

impl Original {
    /// Hashes and packs the raw bytes.
    ///
    /// # Errors
    /// Where the compression fails.
    pub fn pack(bytes: &[u8]) -> Result<Self, Problem> {
        Ok(Self {
            sha1: openssl::sha::sha1(bytes),
            sha256: openssl::sha::sha256(bytes),
            size: i64::try_from(bytes.len()).unwrap_or(i64::MAX),
            packed: zstd::bulk::compress(bytes, LEVEL).map_err(StoreError::Compression)?,
        })
    }
    /// SHA-1 of the raw bytes (PDSm, BR-47).
    #[must_use]
    pub fn sha1(&self) -> &[u8; 20] {
        &self.sha1
    }
    /// SHA-256 of the raw bytes: the same documents have the same.
    #[must_use]
    pub fn sha256(&self) -> &[u8; 32] {
        &self.sha256
    }
}

impl std::fmt::Debug for Original {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Original(..)")
    }
}

/// A document of the record that has a given uniqueId.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentTwin {
    /// Its DocumentReference.
    pub reference: Rid,
    /// Its Binary.
    pub content: Rid,
    /// SHA-256 of its bytes.
    pub sha256: Vec<u8>,
    /// Labels of its DocumentReference: a twin hidden from the depositor gives them to the new document.
    pub labels: i32,
}

fn about(pid: Pid, sha256: &[u8]) -> Vec<u8> {
    let mut about = format!("original {} ", pid.0).into_bytes();
    about.extend(sha256);
    about
}

/// Keeps the original of the Binary `rid` in the access's record; says whether the record held the same bytes already.
///
/// # Errors
/// Where the database or a key fails.
pub fn document_put(unit: &Unit, access: &Access, rid: Rid, original: &Original, content_type: &str) -> Result<bool, Problem> {
    let pid = access.writable(unit)?;
    if pid == Pid::DIRECTORY {
        return Err(internal("A document outside a record"));
    }
    unit.lock(pid)?;
    let Original { sha1, sha256, size, packed } = original;
    let mut sql = unit.sql("SELECT size FROM original WHERE pid = ");
    sql.integer(pid.0).push(" AND sha256 = ").bytes(*sha256);
    let known = unit.run(|connection| sql.first::<BigInt, i64>(connection))?.is_some();
    if !known {
        let sealed = crypt::seal(&facts::record_key(unit, pid)?, &about(pid, sha256), packed)?;
        let mut sql = unit.sql("INSERT INTO original (pid, sha256, sha1, size, bytes) VALUES (");
        sql.integer(pid.0).push(", ").bytes(*sha256).push(", ").bytes(*sha1).push(", ").integer(*size);
        sql.push(", ").bytes(sealed).push(")");
        unit.run(|connection| sql.execute(connection))?;
    }
    let mut sql = unit.sql("INSERT INTO content (pid, rid, sha256, content_type) VALUES (");
    sql.integer(pid.0).push(", ").integer(rid.0).push(", ").bytes(*sha256).push(", ").text(content_type).push(")");
    unit.run(|connection| sql.execute(connection))?;
    Ok(known)
}

/// The bytes and media type of the Binary `rid`, where the access sees that resource.
///
/// # Errors
/// Where the database or a key fails.
pub fn document_get(unit: &Unit, access: &Access, rid: Rid) -> Result<Option<(Vec<u8>, String)>, Problem> {
    let Some(pid) = access.scope().pid() else { return Ok(None) };
    if !select::is_visible(unit, access, rid)? {
        return Ok(None);
    }
    let mut sql = unit.sql(
        "SELECT c.content_type, o.sha256, o.size, o.bytes FROM content AS c \
         JOIN original AS o ON o.pid = c.pid AND o.sha256 = c.sha256 WHERE c.pid = ",
    );
    sql.integer(pid.0).push(" AND c.rid = ").integer(rid.0);
    type Columns = (Text, Binary, BigInt, Binary);
    let row = unit.run(|connection| sql.first::<Columns, (String, Vec<u8>, i64, Vec<u8>)>(connection))?;
    let Some((content_type, sha256, size, sealed)) = row else { return Ok(None) };
    let packed = crypt::open(&facts::record_key(unit, pid)?, &about(pid, &sha256), &sealed)?;
    let size = usize::try_from(size).ok().filter(|size| *size <= ORIGINAL_MAX);
    let size = size.ok_or(StoreError::Damaged("an original is too long"))?;
    let bytes = zstd::bulk::decompress(&packed, size).map_err(StoreError::Compression)?;
    if openssl::sha::sha256(&bytes).as_slice() != sha256 {
        return Err(StoreError::Damaged("an original has another hash").into());
    }
    Ok(Some((bytes, content_type)))
}

fn unique_hash(unit: &Unit, pid: Pid, unique_id: &str) -> Result<Vec<u8>, Problem> {
    let value = format!("{}|{unique_id}", pid.0);
    Ok(crypt::identity_hash(&unit.shared().keys.identity, "document", &value)?)
}

/// Says that the DocumentReference `reference`, with the Binary `content`, has this uniqueId.
///
/// # Errors
/// Where the database fails.
pub fn document_register(unit: &Unit, access: &Access, unique_id: &str, reference: Rid, content: Rid) -> Result<(), Problem> {
    let pid = access.writable(unit)?;
    unit.lock(pid)?;
    let mut sql = unit.sql("INSERT INTO document (pid, uid, rid, content_rid) VALUES (");
    sql.integer(pid.0).push(", ").bytes(unique_hash(unit, pid, unique_id)?).push(", ").integer(reference.0);
    sql.push(", ").integer(content.0).push(")");
    unit.run(|connection| sql.execute(connection)).map(|_| ())
}

/// The documents of the record with this uniqueId, also those that the depositor does not see: of his own, an answer may
/// show only what he reads by his [`Access`].
///
/// The record is locked, so of two deposits of one document the second finds the first.
///
/// # Errors
/// Where the database fails.
pub fn document_find(unit: &Unit, record: &WholeRecord, unique_id: &str) -> Result<Vec<DocumentTwin>, Problem> {
    let pid = record.access().writable(unit)?;
    let mut sql = unit.sql(
        "SELECT d.rid, d.content_rid, c.sha256 FROM document AS d \
         JOIN content AS c ON c.pid = d.pid AND c.rid = d.content_rid WHERE d.pid = ",
    );
    sql.integer(pid.0).push(" AND d.uid = ").bytes(unique_hash(unit, pid, unique_id)?).push(" ORDER BY d.rid");
    let rows = unit.run(|connection| sql.load::<(BigInt, BigInt, Binary), (i64, i64, Vec<u8>)>(connection))?;
    let mut twins = Vec::new();
    for (reference, content, sha256) in rows {
        let reference = Rid(reference);
        let sql = select::whole(unit, pid, reference, "r.labels");
        let labels = unit.run(|connection| sql.first::<Integer, i32>(connection))?;
        let Some(labels) = labels else { continue };
        twins.push(DocumentTwin { reference, content: Rid(content), sha256, labels });
    }
    Ok(twins)
}
