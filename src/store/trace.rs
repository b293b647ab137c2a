//! Rows of the trace: written by the writers and by the trace writer, read by `audit`.
use super::Shared;
use super::backend::{AnyConnection, Dialect};
use super::error::StoreError;
use super::rows;
use super::sql::Sql;
use crate::audit::{Action, CallerColumns, Event, EventOutcome};
use crate::clock::Millis;
use crate::fhir::ResourceType;
use crate::ids::{Pid, Rid};
use diesel::sql_types::{BigInt, SmallInt, Text};

/// Columns in the order of [`Row`].
pub(super) const COLUMNS: &str =
    "pid, at, seq, action, outcome, status, kind, id, name, profession, structure, purpose, type, rid, query, request";
/// SQL types of the columns.
pub(super) type Columns = (
    (BigInt, BigInt, BigInt, SmallInt, SmallInt, SmallInt),
    (Text, Text, Text, Text, Text, Text),
    (SmallInt, BigInt, Text, Text),
);
/// A row as it is loaded.
pub(super) type Row =
    ((i64, i64, i64, i16, i16, i16), (String, String, String, String, String, String), (i16, i64, String, String));

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
    let caller = CallerColumns::of(&event.caller);
    sql.integer(event.pid.map_or(NONE, |pid| pid.0)).push(", ").integer(event.at.0).push(", ");
    // A number of its own, from the source of rids: an AuditEvent's id never equals a resource's.
    sql.integer(shared.rids.next(event.at).0).push(", ");
    sql.integer(event.action.number().into()).push(", ").integer(event.outcome.number().into()).push(", ");
    sql.integer(event.status.into()).push(", ");
    for text in [caller.kind, caller.id, caller.name, caller.profession, caller.structure, caller.purpose] {
        sql.text(text).push(", ");
    }
    sql.integer(event.resource_type.map_or(0, |resource_type| resource_type.number().into())).push(", ");
    sql.integer(event.rid.map_or(NONE, |rid| rid.0)).push(", ");
    // One character before the query tells an empty one from none.
    sql.text(event.query.as_ref().map_or_else(String::new, |query| format!("?{query}"))).push(", ").text(event.request.clone());
}

/// The event of a row with its number; `None` for a row that this program did not write.
pub(super) fn event(row: Row) -> Option<(i64, Event)> {
    let ((pid, at, seq, action, outcome, status), caller, (resource_type, rid, query, request)) = row;
    let (kind, id, name, profession, structure, purpose) = caller;
    let event = Event {
        pid: (pid != NONE).then_some(Pid(pid)),
        at: Millis(at),
        action: Action::from_number(action)?,
        outcome: EventOutcome::from_number(outcome)?,
        status: u16::try_from(status).ok()?,
        caller: CallerColumns { kind, id, name, profession, structure, purpose }.caller()?,
        resource_type: ResourceType::from_number(resource_type),
        rid: (rid != NONE).then_some(Rid(rid)),
        query: query.strip_prefix('?').map(str::to_owned),
        request,
    };
    Some((seq, event))
}
