//! Records and their facts: what the rules need to know, derived from Consents in the transaction that writes them.
use super::access;
use super::crypt;
use super::error::StoreError;
use super::rows;
use super::unit::{Access, Unit, internal};
use crate::clock::Millis;
use crate::fhir::Problem;
use crate::fhir::identifier::{Finess, Ins, Rpps};
use crate::fhir::outcome::IssueKind;
use crate::ids::{self, Pid};
use crate::policy::{Actor, Authorisation, Facts, RecordState};
use diesel::sql_types::{BigInt, Binary, SmallInt, Text};

const AUTHORISED: i16 = 1;
/// Kind of the rows of those whom the patient blocked.
pub(super) const BLOCKED: i16 = 2;
const TREATING: i16 = 3;
/// `until` of what has no end.
pub(super) const NO_END: i64 = i64::MAX;
const OPEN: i64 = 1;
const CLOSED: i64 = 2;

/// Text under which an actor stands in `fact` and `access`: the same as `Caller::who`.
pub(super) fn actor_text(actor: &Actor) -> String {
    match actor {
        Actor::Professional(rpps) => rpps.who(),
        Actor::Structure(finess) => finess.who(),
    }
}

fn actor_of(text: &str) -> Result<Actor, StoreError> {
    let professional = || Rpps::from_who(text).map(Actor::Professional);
    let structure = || Finess::from_who(text).map(Actor::Structure);
    professional().or_else(structure).ok_or(StoreError::Damaged("an actor in fact"))
}

fn ins_hash(unit: &Unit, ins: &Ins) -> Result<Vec<u8>, Problem> {
    Ok(crypt::identity_hash(&unit.shared().keys.identity, "ins", &format!("{}|{}", ins.oid(), ins.value()))?)
}

/// The record of this person.
pub(super) fn pid_of(unit: &Unit, ins: &Ins) -> Result<Option<Pid>, Problem> {
    let mut sql = unit.sql("SELECT pid FROM identity WHERE hash = ");
    sql.bytes(ins_hash(unit, ins)?);
    Ok(unit.run(|connection| sql.first::<BigInt, i64>(connection))?.map(Pid))
}

/// Version of the facts now (inside a write: as committed, the record being locked).
pub(super) fn version(unit: &Unit, pid: Pid) -> Result<Option<i64>, Problem> {
    let mut sql = unit.sql("SELECT version FROM record WHERE pid = ");
    sql.integer(pid.0);
    unit.run(|connection| sql.first::<BigInt, i64>(connection))
}

/// The greatest `updated` in the record.
pub(super) fn last_updated(unit: &Unit, pid: Pid) -> Result<Option<i64>, Problem> {
    let mut sql = unit.sql("SELECT updated FROM record WHERE pid = ");
    sql.integer(pid.0);
    unit.run(|connection| sql.first::<BigInt, i64>(connection))
}

pub(super) fn set_last_updated(unit: &Unit, pid: Pid, updated: i64) -> Result<(), Problem> {
    let mut sql = unit.sql("UPDATE record SET updated = ");
    sql.integer(updated).push(" WHERE pid = ").integer(pid.0);
    unit.run(|connection| sql.execute(connection)).map(|_| ())
}

/// The facts of a record.
pub(super) fn facts_read(unit: &Unit, pid: Pid) -> Result<Option<Facts>, Problem> {
    let mut sql =
        unit.sql("SELECT version, state, ins_oid, ins_value, opposed_bris_de_glace, opposed_regulation FROM record WHERE pid = ");
    sql.integer(pid.0);
    type Columns = (BigInt, SmallInt, Text, Text, SmallInt, SmallInt);
    type Row = (i64, i16, String, String, i16, i16);
    let row = unit.run(|connection| sql.first::<Columns, Row>(connection))?;
    let Some((version, state, ins_oid, ins_value, bris_de_glace, regulation)) = row else { return Ok(None) };
    let mut facts = Facts {
        pid,
        version,
        state: if i64::from(state) == OPEN { RecordState::Open } else { RecordState::Closed },
        ins: Ins::new(&ins_oid, &ins_value),
        authorisations: Vec::new(),
        blocked: Vec::new(),
        treating: Vec::new(),
        opposed_bris_de_glace: bris_de_glace != 0,
        opposed_regulation: regulation != 0,
    };
    let mut sql = unit.sql("SELECT kind, actor, since, until FROM fact WHERE pid = ");
    sql.integer(pid.0).push(" ORDER BY kind, actor, since, until");
    let rows = unit.run(|connection| sql.load::<(SmallInt, Text, BigInt, BigInt), (i16, String, i64, i64)>(connection))?;
    for (kind, actor, since, until) in rows {
        let actor = actor_of(&actor)?;
        match (kind, actor) {
            (AUTHORISED, actor) => {
                let until = (until != NO_END).then_some(Millis(until));
                facts.authorisations.push(Authorisation { actor, from: Millis(since), until });
            }
            (BLOCKED, actor) => facts.blocked.push(actor),
            (TREATING, Actor::Professional(rpps)) => facts.treating.push(rpps),
            (_, _) => return Err(StoreError::Damaged("a kind in fact").into()),
        }
    }
    Ok(Some(facts))
}

/// Makes a record, or takes the closed one of this INS to be opened again (BR-03).
///
/// The record is closed until [`facts_write`] says otherwise; [`Unit::open_created`] gives access to it.
///
/// # Errors
/// `Duplicate` (409) where an open record has this INS: one INS, one record.
pub fn record_create(unit: &Unit, access: &Access, ins: Option<&Ins>) -> Result<Pid, Problem> {
    access.demand_write()?;
    unit.demand_write()?;
    let pid = insert_record(unit, ins)?;
    if let Some(ins) = ins {
        let hash = ins_hash(unit, ins)?;
        let mut sql = unit.sql("INSERT INTO identity (hash, pid) VALUES (");
        sql.bytes(hash).push(", ").integer(pid.0).push(") ON CONFLICT DO NOTHING");
        // On PostgreSQL this waits for an opening of the same INS that is under way: one of the two wins.
        if unit.run(|connection| sql.execute(connection))? == 0 {
            return reopen(unit, ins, pid);
        }
    }
    unit.created(pid);
    Ok(pid)
}

fn reopen(unit: &Unit, ins: &Ins, unused: Pid) -> Result<Pid, Problem> {
    let mut sql = unit.sql("DELETE FROM record WHERE pid = ");
    sql.integer(unused.0);
    unit.run(|connection| sql.execute(connection))?;
    let existing = pid_of(unit, ins)?.ok_or_else(|| internal("An identity without a record"))?;
    unit.lock(existing)?;
    let mut sql = unit.sql("SELECT state FROM record WHERE pid = ");
    sql.integer(existing.0);
    match unit.run(|connection| sql.first::<SmallInt, i16>(connection))? {
        Some(state) if i64::from(state) == CLOSED => {
            unit.created(existing);
            Ok(existing)
        }
        Some(_) | None => Err(Problem::new(IssueKind::Duplicate, "This person has an open record already")),
    }
}

/// Milliseconds since 2020 in the upper 41 bits of a pid, a number in the lower 7: grows, needs no counter.
fn pid_candidate(now: Millis, number: i64) -> i64 {
    let since_2020 = now.0.saturating_sub(1_577_836_800_000).max(1);
    (since_2020.saturating_mul(128).saturating_add(number)) & ((1 << 48) - 1)
}

fn insert_record(unit: &Unit, ins: Option<&Ins>) -> Result<Pid, Problem> {
    let (oid, value) = ins.map_or(("", ""), |ins| (ins.oid(), ins.value()));
    for number in 0..100_000 {
        let pid = Pid(pid_candidate(unit.now(), number));
        let key =
            crypt::seal(&unit.shared().keys.master, &record_key_about(pid), &ids::random::<32>().map_err(StoreError::from)?)?;
        let mut sql = unit.sql("INSERT INTO record (pid, version, state, ins_oid, ins_value, ");
        sql.push("opposed_bris_de_glace, opposed_regulation, updated, key) VALUES (");
        sql.integer(pid.0).push(", 1, ").integer(CLOSED).push(", ").text(oid).push(", ").text(value).push(", 0, 0, 0, ");
        sql.bytes(key).push(") ON CONFLICT DO NOTHING");
        if unit.run(|connection| sql.execute(connection))? == 1 {
            return Ok(pid);
        }
    }
    Err(internal("No free number for a record"))
}

/// What a record's key is sealed about.
fn record_key_about(pid: Pid) -> Vec<u8> {
    format!("record key {}", pid.0).into_bytes()
}

/// The key under which a record's originals are sealed.
pub(super) fn record_key(unit: &Unit, pid: Pid) -> Result<[u8; 32], Problem> {
    let mut sql = unit.sql("SELECT key FROM record WHERE pid = ");
    sql.integer(pid.0);
    let sealed = unit.run(|connection| sql.first::<Binary, Vec<u8>>(connection))?;
    let sealed = sealed.filter(|sealed| !sealed.is_empty()).ok_or_else(|| internal("A record without a key"))?;
    let key = crypt::open(&unit.shared().keys.master, &record_key_about(pid), &sealed)?;
    Ok(<[u8; 32]>::try_from(key).ok().ok_or(StoreError::Damaged("a record key has another length"))?)
}

/// Writes the facts of the access's record, derived from its Consents, and the rows that let searches over several
/// records find it. The version grows by one, whatever `facts.version` says; the INS of a record never changes.
///
/// # Errors
/// `Internal` where the facts are of another record than the access.
pub fn facts_write(unit: &Unit, access: &Access, facts: &Facts) -> Result<(), Problem> {
    let pid = access.writable(unit)?;
    if pid != facts.pid || pid == Pid::DIRECTORY {
        return Err(internal("Facts of another record"));
    }
    unit.stamp(pid)?;
    let state = match facts.state {
        RecordState::Open => OPEN,
        RecordState::Closed => CLOSED,
    };
    let mut sql = unit.sql("UPDATE record SET version = version + 1, state = ");
    sql.integer(state).push(", opposed_bris_de_glace = ").integer(i64::from(facts.opposed_bris_de_glace));
    sql.push(", opposed_regulation = ").integer(i64::from(facts.opposed_regulation)).push(" WHERE pid = ").integer(pid.0);
    unit.run(|connection| sql.execute(connection))?;

    let mut sql = unit.sql("DELETE FROM fact WHERE pid = ");
    sql.integer(pid.0);
    unit.run(|connection| sql.execute(connection))?;
    let mut found: Vec<(i16, String, i64, i64)> = Vec::new();
    for authorisation in &facts.authorisations {
        let until = authorisation.until.map_or(NO_END, |until| until.0);
        found.push((AUTHORISED, actor_text(&authorisation.actor), authorisation.from.0, until));
    }
    found.extend(facts.blocked.iter().map(|actor| (BLOCKED, actor_text(actor), 0, NO_END)));
    found.extend(facts.treating.iter().map(|rpps| (TREATING, actor_text(&Actor::Professional(rpps.clone())), 0, NO_END)));
    found.sort();
    found.dedup();
    rows::insert(&found, |chunk, tuples| {
        let mut sql = super::sql::Sql::new(unit.dialect(), "INSERT INTO fact (pid, kind, actor, since, until) VALUES ");
        tuples.write(&mut sql, chunk, |sql, (kind, actor, since, until)| {
            sql.integer(pid.0).push(", ").integer(i64::from(*kind)).push(", ").text(actor.clone());
            sql.push(", ").integer(*since).push(", ").integer(*until);
        });
        unit.run(|connection| sql.execute(connection)).map(|_| ())
    })?;
    access::rewrite(unit, pid, facts)
}
