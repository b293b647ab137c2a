//! The trace, read by the patient whose record it is (BR-27): rows rendered as AuditEvent (IHE BALP).
use super::Context;
use super::read::not_found;
use super::search::{link, parse};
use crate::audit::{self, Action, Body, Event, Outcome, RenderContext, ServerIdentity};
use crate::fhir::bundle::{self, SearchMode, SearchSet};
use crate::fhir::interaction::Parameters;
use crate::fhir::{IssueKind, Problem, Resource};
use crate::ids::{Pid, Rid};
use crate::search::{self, MatchContext};
use crate::store::{self, Access};
use serde_json::Value;

/// Rows that one page may look at before it says that the search is too broad.
const ROWS_MAX: usize = 100_000;

/// `GET AuditEvent/[id]`.
///
/// # Errors
/// Not here, or not for this caller: the same 404.
pub fn read_event(context: &Context<'_>, access: &Access, pid: Pid, rid: Rid) -> Result<Outcome, Problem> {
    let event = store::audit_read(context.unit, access, rid)?.ok_or_else(|| not_found(access))?;
    let body = Value::Object(rendered(context, pid, rid, &event)?);
    let resource_type = super::known_type("AuditEvent")?;
    Ok(Outcome {
        status: 200,
        body: Body::Fhir(body.to_string().into_bytes()),
        version: Some(1),
        updated: Some(event.at.0),
        location: None,
        events: vec![context.event_on(Action::Read, 200, resource_type, pid, rid)],
    })
}

/// `GET AuditEvent?patient=...&date=ge...`: newest first.
///
/// # Errors
/// Unknown or invalid parameters are 400.
pub fn find_events(context: &Context<'_>, access: &Access, parameters: &Parameters) -> Result<Outcome, Problem> {
    let resource_type = super::known_type("AuditEvent")?;
    let pid = context.record()?.pid;
    let offset = parameters.get("_cursor").map(|text| text.parse::<i64>()).transpose();
    let before =
        offset.map_err(|_not_a_number| Problem::new(IssueKind::ParameterInvalid, "_cursor is not one of this server"))?;
    let rest = Parameters(parameters.0.iter().filter(|(name, _)| name != "_cursor").cloned().collect());
    let query = parse(context, resource_type, &rest)?;
    let count = usize::try_from(query.count).unwrap_or(usize::MAX);
    let local = |reference: &str| context.server.place(reference);
    let mut found: Vec<(Rid, Resource)> = Vec::new();
    let mut total = 0_u64;
    let rows = store::audit_search(context.unit, access, None, None, ROWS_MAX, None)?;
    for (rid, event) in rows {
        let body = rendered(context, pid, rid, &event)?;
        let seen = MatchContext { local: &local, pid, time_zone: &context.server.time_zone, linked: None };
        if !search::matches(&query, resource_type, &body, &seen) {
            continue;
        }
        total += 1;
        if before.is_none_or(|before| rid.0 < before) && found.len() <= count {
            found.push((rid, body));
        }
    }
    let more = found.len() > count;
    found.truncate(count);
    let base = context.server.base();
    let next =
        found.last().filter(|_| more).map(|(rid, _)| link(base, resource_type, &query.self_parameters, Some(&rid.0.to_string())));
    let bodies: Vec<(String, Vec<u8>)> = found
        .into_iter()
        .map(|(rid, body)| {
            (
                format!("{base}/{}", context.server.reference(resource_type, pid, rid)),
                Value::Object(body).to_string().into_bytes(),
            )
        })
        .collect();
    let bytes = bundle::searchset(SearchSet {
        self_link: &link(base, resource_type, &query.self_parameters, None),
        next_link: next.as_deref(),
        total: Some(total),
        entries: bodies.iter().map(|(url, body)| (url, body, SearchMode::Match)),
        outcome: None,
    });
    let event = Event {
        resource_type: Some(resource_type),
        query: context.request.query.clone(),
        ..context.event(Some(pid), Action::Query, 200)
    };
    Ok(Outcome { status: 200, body: Body::Fhir(bytes), version: None, updated: None, location: None, events: vec![event] })
}

fn rendered(context: &Context<'_>, pid: Pid, rid: Rid, event: &Event) -> Result<Resource, Problem> {
    let patient = context.server.reference(super::known_type("Patient")?, pid, Rid::PATIENT);
    let reference = |resource_type, pid, rid| context.server.reference(resource_type, pid, rid);
    let id = context.server.id(pid, rid);
    let server = ServerIdentity { name: "DMP-FHIR", base: context.server.base() };
    Ok(audit::render(event, &RenderContext { id: &id, server, reference: &reference, patient: Some(&patient) }))
}
