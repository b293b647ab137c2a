//! Rows of the trace: written by the writers and by the trace writer, read by `audit`.
use super::Shared;
use super::backend::{AnyConnection, Dialect};
use super::error::StoreError;
use super::rows;
use super::sql::Sql;
use crate::audit::{Action, Event, EventOutcome};
use crate::auth::{Caller, Professional, PurposeOfUse, System};
use crate::clock::Millis;
use crate::fhir::ResourceType;
use crate::fhir::identifier::{Finess, Ins, Rpps};
use crate::ids::{Pid, Rid};
use diesel::sql_types::{BigInt, SmallInt, Text};

/// Columns in the order of [`Row`].
pub(super) const COLUMNS: &str =
    "pid, at, seq, action, outcome, status, kind, who, name, profession, structure, purpose, type, rid, query, request";
/// SQL types of the columns.
pub(super) type Columns = (
    BigInt,
    BigInt,
    BigInt,
    SmallInt,
    SmallInt,
    SmallInt,
    SmallInt,
    Text,
    Text,
    Text,
    Text,
    SmallInt,
    SmallInt,
    BigInt,
    Text,
    Text,
);
/// A row as it is loaded.
pub(super) type Row = (i64, i64, i64, i16, i16, i16, i16, String, String, String, String, i16, i16, i64, String, String);

/// No record, no resource.
const NONE: i64 = -1;

/// Writes the events in the transaction that this connection is in.
pub(super) fn write<'a>(
    connection: &mut AnyConnection,
    dialect: Dialect,
    shared: &Shared,
    events: impl IntoIterator<Item = &'a Event>,
) -> Result<(), StoreError> {
    let events: Vec<&Event> = events.into_iter().collect();
    rows::insert(&events, |chunk, tuples| {
        let mut sql = Sql::new(dialect, "INSERT INTO audit (");
        sql.push(COLUMNS).push(") VALUES ");
        tuples.write(&mut sql, chunk, |sql, event| row(sql, event, shared));
        sql.execute(connection).map(|_| ())
    })
}

fn row(sql: &mut Sql, event: &Event, shared: &Shared) {
    let who = Who::of(&event.caller);
    sql.integer(event.pid.map_or(NONE, |pid| pid.0)).push(", ").integer(event.at.0).push(", ");
    // A number of its own, from the source of rids: an AuditEvent's id never equals a resource's.
    sql.integer(shared.rids.next(event.at).0).push(", ");
    sql.integer(action_number(event.action)).push(", ").integer(outcome_number(event.outcome)).push(", ");
    sql.integer(i64::from(event.status)).push(", ").integer(who.kind).push(", ");
    sql.text(who.who).push(", ").text(who.name).push(", ").text(who.profession).push(", ").text(who.structure).push(", ");
    sql.integer(who.purpose).push(", ").integer(event.resource_type.map_or(0, |kind| i64::from(kind.number()))).push(", ");
    sql.integer(event.rid.map_or(NONE, |rid| rid.0)).push(", ");
    // One character before the query tells an empty one from none.
    sql.text(event.query.as_ref().map_or_else(String::new, |query| format!("?{query}"))).push(", ").text(event.request.clone());
}

/// The event of a row; `None` for a row that this program did not write.
pub(super) fn event(row: Row) -> Option<(i64, Event)> {
    let (
        pid,
        at,
        seq,
        action,
        outcome,
        status,
        kind,
        who,
        name,
        profession,
        structure,
        purpose,
        resource_type,
        rid,
        query,
        request,
    ) = row;
    let who = Who { kind: i64::from(kind), who, name, profession, structure, purpose: i64::from(purpose) };
    let event = Event {
        pid: (pid != NONE).then_some(Pid(pid)),
        at: Millis(at),
        action: action_of(action)?,
        outcome: outcome_of(outcome)?,
        status: u16::try_from(status).ok()?,
        caller: who.caller()?,
        resource_type: ResourceType::from_number(resource_type),
        rid: (rid != NONE).then_some(Rid(rid)),
        query: query.strip_prefix('?').map(str::to_owned),
        request,
    };
    Some((seq, event))
}

fn action_number(action: Action) -> i64 {
    match action {
        Action::Read => 1,
        Action::Query => 2,
        Action::Existence => 3,
        Action::Deposit => 4,
        Action::Create => 5,
        Action::Update => 6,
        Action::Delete => 7,
        Action::Open => 8,
    }
}

fn action_of(number: i16) -> Option<Action> {
    Some(match number {
        1 => Action::Read,
        2 => Action::Query,
        3 => Action::Existence,
        4 => Action::Deposit,
        5 => Action::Create,
        6 => Action::Update,
        7 => Action::Delete,
        8 => Action::Open,
        _ => return None,
    })
}

fn outcome_number(outcome: EventOutcome) -> i64 {
    match outcome {
        EventOutcome::Success => 0,
        EventOutcome::MinorFailure => 4,
        EventOutcome::SeriousFailure => 8,
    }
}

fn outcome_of(number: i16) -> Option<EventOutcome> {
    Some(match number {
        0 => EventOutcome::Success,
        4 => EventOutcome::MinorFailure,
        8 => EventOutcome::SeriousFailure,
        _ => return None,
    })
}

/// A caller as columns.
#[derive(Default)]
struct Who {
    kind: i64,
    who: String,
    name: String,
    profession: String,
    structure: String,
    purpose: i64,
}

impl Who {
    fn of(caller: &Caller) -> Self {
        match caller {
            Caller::Professional(professional) => Self {
                kind: 1,
                who: professional.rpps.as_str().to_owned(),
                name: professional.name.clone(),
                profession: professional.profession.clone(),
                structure: professional.structure.as_ref().map_or_else(String::new, |finess| finess.as_str().to_owned()),
                purpose: match professional.purpose {
                    PurposeOfUse::Normal => 1,
                    PurposeOfUse::BrisDeGlace => 2,
                    PurposeOfUse::Centre15 => 3,
                },
            },
            Caller::Patient(ins) => Self { kind: 2, who: format!("{}|{}", ins.oid(), ins.value()), ..Self::default() },
            Caller::System(system) => Self {
                kind: if system.directory_writer { 4 } else { 3 },
                name: system.client.clone(),
                structure: system.structure.as_str().to_owned(),
                ..Self::default()
            },
            Caller::Operator => Self { kind: 5, ..Self::default() },
            Caller::Server => Self { kind: 6, ..Self::default() },
        }
    }

    fn caller(self) -> Option<Caller> {
        Some(match self.kind {
            1 => Caller::Professional(Professional {
                rpps: Rpps::new(&self.who)?,
                name: self.name,
                profession: self.profession,
                structure: if self.structure.is_empty() { None } else { Some(Finess::new(&self.structure)?) },
                purpose: match self.purpose {
                    1 => PurposeOfUse::Normal,
                    2 => PurposeOfUse::BrisDeGlace,
                    3 => PurposeOfUse::Centre15,
                    _ => return None,
                },
            }),
            2 => self.who.split_once('|').and_then(|(oid, value)| Ins::new(oid, value)).map(Caller::Patient)?,
            kind @ (3 | 4) => Caller::System(System {
                client: self.name,
                structure: Finess::new(&self.structure)?,
                directory_writer: kind == 4,
            }),
            5 => Caller::Operator,
            6 => Caller::Server,
            _ => return None,
        })
    }
}
