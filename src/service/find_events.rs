//! The trace, read by the patient whose record it is (BR-27): rows rendered as AuditEvent (IHE BALP).
use super::Context;
use super::read::not_found;
use super::search::{CURSOR, asked, link};
use crate::audit::{self, Action, Body, Event, Outcome, RenderContext, ServerIdentity};
use crate::clock::Millis;
use crate::fhir::bundle::{self, SearchMode, SearchSet};
use crate::fhir::interaction::Parameters;
use crate::fhir::outcome::operation_outcome;
use crate::fhir::{IssueKind, Problem, Resource};
use crate::ids::{Pid, Rid};
use crate::search::{self, MatchContext, Predicate, Query, Sort};
use crate::store::{self, Access};
use serde_json::Value;
use std::collections::BTreeSet;

/// Rows that one page may look at before it says that the search is too broad.
const ROWS_MAX: usize = 100_000;

/// `GET AuditEvent/[id]`.
///
/// # Errors
/// Not here, or not for this caller: the same 404.
pub fn read_event(context: &Context<'_>, access: &Access, pid: Pid, rid: Rid) -> Result<Outcome, Problem> {
    let event = store::audit_read(context.unit, access, rid)?.ok_or_else(|| not_found(access))?;
    if let Some(about) = event.rid
        && store::audit_hidden(context.unit, access, &[about])?.contains(&about)
    {
        return Err(not_found(access));
    }
    let body = Value::Object(rendered(context, pid, rid, &event)?);
    let resource_type = super::known_type("AuditEvent")?;
    Ok(Outcome {
        status: 200,
        body: Body::Fhir(body.to_string().into_bytes()),
        version: Some(1),
        updated: Some(event.at.0),
        location: None,
        events: vec![context.event_on(Action::Read, 200, resource_type, pid, rid)],
        remarks: Vec::new(),
    })
}

/// `GET AuditEvent?patient=...&date=ge...`: newest first, or oldest first with `_sort=date`.
///
/// # Errors
/// Unknown or invalid parameters are 400; more rows than one search may look at are `too-costly`, never a partial answer.
pub fn find_events(context: &Context<'_>, access: &Access, parameters: &Parameters) -> Result<Outcome, Problem> {
    let resource_type = super::known_type("AuditEvent")?;
    let pid = context.record()?.pid;
    let after = parameters.get(CURSOR).map(position).transpose()?;
    let rest = Parameters(parameters.0.iter().filter(|(name, _)| name != CURSOR).cloned().collect());
    let query = asked(context, access, resource_type, &rest)?;
    if query.plan.predicates.iter().any(is_link) || !query.behind_bodies().is_empty() {
        let text = "The trace is not searched by chains or _has: name AuditEvent's own parameters";
        return Err(Problem::new(IssueKind::ParameterUnknown, text));
    }
    let oldest_first = oldest_first(&query)?;
    let mut matching = matching(context, access, &query, pid)?;
    if oldest_first {
        matching.reverse();
    }
    let total = u64::try_from(matching.len()).ok();
    let count = usize::try_from(query.count).unwrap_or(usize::MAX);
    let passed =
        |event: &Found| after.is_none_or(|after| if oldest_first { event.place() > after } else { event.place() < after });
    let mut page: Vec<Found> = matching.into_iter().filter(passed).take(count.saturating_add(1)).collect();
    let more = page.len() > count;
    page.truncate(count);
    let base = context.server.base();
    let next = page.last().filter(|_| more).map(|last| {
        let (at, rid) = last.place();
        link(base, resource_type, &query.self_parameters, Some(&format!("{at}-{rid}")))
    });
    let url = |event: &Found| format!("{base}/{}", context.server.reference(resource_type, pid, event.rid));
    let bodies = page.iter().map(|event| (url(event), event.body.to_string(), SearchMode::Match));
    let bytes = bundle::searchset(SearchSet {
        self_link: &link(base, resource_type, &query.self_parameters, None),
        next_link: next.as_deref(),
        total,
        entries: bodies,
        outcome: (!query.ignored.is_empty()).then(|| operation_outcome(query.ignored.iter())),
    });
    let query = context.request.query.clone();
    let event = Event { resource_type: Some(resource_type), query, ..context.event(Some(pid), Action::Query, 200) };
    Ok(Outcome::new(200, Body::Fhir(bytes), vec![event]))
}

/// Whether a condition is on another resource: the trace has no index rows that join.
fn is_link(predicate: &Predicate) -> bool {
    match predicate {
        Predicate::Linked(..) | Predicate::LinkedFrom(..) | Predicate::Behind(_) => true,
        Predicate::All(list) | Predicate::Any(list) => list.iter().any(is_link),
        Predicate::Not(inner) => is_link(inner),
        Predicate::Tokens(_)
        | Predicate::Range(..)
        | Predicate::Text(..)
        | Predicate::Places(_)
        | Predicate::Within(_)
        | Predicate::Updated(_)
        | Predicate::Repeats(_) => false,
    }
}

/// An event that fulfils the query.
struct Found {
    at: Millis,
    rid: Rid,
    body: Value,
}

impl Found {
    /// Its place in the order of the trace.
    fn place(&self) -> (i64, i64) {
        (self.at.0, self.rid.0)
    }
}

/// Every event of the record that fulfils the query, newest first.
fn matching(context: &Context<'_>, access: &Access, query: &Query, pid: Pid) -> Result<Vec<Found>, Problem> {
    let resource_type = query.resource_type;
    let (from, to) = query.date_bounds("date").map_or((None, None), |(from, to)| (Some(Millis(from)), Some(Millis(to))));
    let rows = store::audit_search(context.unit, access, from, to, ROWS_MAX, None)?;
    if rows.len() >= ROWS_MAX {
        return Err(Problem::new(
            IssueKind::TooCostly,
            format!("More than {ROWS_MAX} events: name a shorter time (date=ge..., date=lt...)"),
        ));
    }
    let about: Vec<Rid> = rows.iter().filter_map(|(_, event)| event.rid).collect::<BTreeSet<_>>().into_iter().collect();
    let hidden = store::audit_hidden(context.unit, access, &about)?;
    let local = |reference: &str| context.place(reference);
    let mut found = Vec::new();
    for (rid, event) in rows.into_iter().filter(|(_, event)| event.rid.is_none_or(|about| !hidden.contains(&about))) {
        let body = rendered(context, pid, rid, &event)?;
        let seen = MatchContext { local: &local, pid, time_zone: &context.server.time_zone, linked: None };
        if search::matches(query, resource_type, &body, &seen) {
            found.push(Found { at: event.at, rid, body: Value::Object(body) });
        }
    }
    Ok(found)
}

/// The trace is ordered by time: `_sort` of anything else is refused.
fn oldest_first(query: &Query) -> Result<bool, Problem> {
    match query.plan.sort.as_slice() {
        [] => Ok(false),
        [Sort::ClinicalDate { descending } | Sort::Updated { descending }] => Ok(!descending),
        _ => Err(Problem::new(IssueKind::ParameterInvalid, "AuditEvent is sorted by date or _lastUpdated only (_sort)")),
    }
}

/// The place after which a next link goes on: `time-number`.
fn position(text: &str) -> Result<(i64, i64), Problem> {
    let parts = text.split_once('-').and_then(|(at, rid)| Some((at.parse().ok()?, rid.parse().ok()?)));
    parts.ok_or_else(|| Problem::new(IssueKind::ParameterInvalid, "_cursor is not one of this server"))
}

fn rendered(context: &Context<'_>, pid: Pid, rid: Rid, event: &Event) -> Result<Resource, Problem> {
    let patient = context.server.reference(super::known_type("Patient")?, pid, Rid::PATIENT);
    let reference = |resource_type, pid, rid| context.server.reference(resource_type, pid, rid);
    let id = context.server.id(pid, rid);
    let server = ServerIdentity { name: "DMP-FHIR", base: context.server.base() };
    let mut body = audit::render(event, &RenderContext { id: &id, server, reference: &reference, patient: Some(&patient) });
    // An event is written once: its one version is of the time at which it was recorded.
    let meta = body.entry("meta").or_insert_with(|| serde_json::json!({}));
    if let Some(meta) = meta.as_object_mut() {
        meta.insert("versionId".into(), "1".into());
        meta.insert("lastUpdated".into(), event.at.instant().into());
    }
    Ok(body)
}
