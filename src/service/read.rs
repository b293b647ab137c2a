//! Read and vread. <https://hl7.org/fhir/R4/http.html#read>
use super::{Context, find_events, retrieve_document};
use crate::audit::{Action, Body, Outcome};
use crate::fhir::interaction::{Parameters, Target};
use crate::fhir::{IssueKind, Problem, Resource};
use crate::search;
use crate::store::{self, Access, Stored};
use serde_json::Value;

/// `GET [type]/[id]`: the current version, 304 where the client has it.
///
/// # Errors
/// Not here, or not for this caller: the same 404.
pub fn read(context: &Context<'_>, access: &Access, target: &Target) -> Result<Outcome, Problem> {
    let Some((pid, rid)) = target.place else { return Err(not_found(access)) };
    match target.resource_type.name() {
        "AuditEvent" => return find_events::read_event(context, access, pid, rid),
        "Binary" => return retrieve_document::read_binary(context, access, target),
        _ => {}
    }
    match store::resource_read(context.unit, access, target.resource_type, rid)? {
        Some(stored) => part(context, access, found(context, stored)),
        // Only who would see it otherwise is told that it is gone (decision 2).
        None if store::resource_withdrawn(context.unit, access, target.resource_type, rid)? => {
            Err(Problem::new(IssueKind::ResourceDeleted, "The resource is deleted"))
        }
        None => Err(not_found(access)),
    }
}

/// The part that `_summary` or `_elements` of a read asks for, tagged SUBSETTED.
fn part(context: &Context<'_>, access: &Access, outcome: Outcome) -> Result<Outcome, Problem> {
    let mut asked = Parameters::parse(context.request.query.as_deref().unwrap_or_default())?;
    asked.0.retain(|(name, _)| matches!(name.as_str(), "_summary" | "_elements"));
    let Body::Fhir(bytes) = &outcome.body else { return Ok(outcome) };
    if asked.0.is_empty() {
        return Ok(outcome);
    }
    let resource: Resource = serde_json::from_slice(bytes)
        .map_err(|_not_json| Problem::new(IssueKind::Internal, "A stored resource cannot be read"))?;
    let name = resource.get("resourceType").and_then(Value::as_str).unwrap_or_default();
    let query = super::search::asked(context, access, super::known_type(name)?, &asked)?;
    match search::subset(&query, &resource) {
        Some(part) => Ok(Outcome { body: Body::Fhir(Value::Object(part).to_string().into_bytes()), ..outcome }),
        None => Ok(outcome),
    }
}

/// `GET [type]/[id]/_history/[version]`.
///
/// # Errors
/// No such version, or not for this caller: the same 404.
pub fn version_read(context: &Context<'_>, access: &Access, target: &Target, version: i64) -> Result<Outcome, Problem> {
    let Some((_, rid)) = target.place else { return Err(not_found(access)) };
    let stored = store::resource_version_read(context.unit, access, target.resource_type, rid, version)?
        .ok_or_else(|| not_found(access))?;
    Ok(found(context, stored))
}

/// The answer for a resource that was found; 304 where the client's copy is this version.
pub(super) fn found(context: &Context<'_>, stored: Stored) -> Outcome {
    let fresh = match (context.request.none_match, context.request.modified_since) {
        (Some(version), _) => version == stored.version,
        // Last-Modified has whole seconds, so the copy is fresh where nothing changed after that second.
        (None, Some(since)) => stored.updated.0 / 1_000 <= since / 1_000,
        (None, None) => false,
    };
    let status = if fresh { 304 } else { 200 };
    let event = context.event_on(Action::Read, status, stored.resource_type, stored.pid, stored.rid);
    Outcome {
        status,
        body: if fresh { Body::Empty } else { Body::Fhir(stored.body) },
        version: Some(stored.version),
        updated: Some(stored.updated.0),
        location: None,
        events: vec![event],
        remarks: Vec::new(),
    }
}

/// The one answer for what is not here and for what this caller may not see: 404, or, for a caller without
/// authorisation who may see only what he deposited, the 403 that he gets whether the resource exists or not.
pub(super) fn not_found(access: &Access) -> Problem {
    match access.permit().otherwise() {
        Some(denial) => denial.problem.clone(),
        None => Problem::new(IssueKind::ResourceNotFound, "No such resource here"),
    }
}
