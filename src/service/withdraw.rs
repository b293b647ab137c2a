//! Withdrawal of a document by its author: logical, at once for all that came of it (decision 2, BR-43).
//! <https://hl7.org/fhir/R4/http.html#delete>
use super::create::{Draft, draft};
use super::submit_document::identifiers;
use super::update_document::{self, Document};
use super::{Context, labels};
use crate::audit::{Action, Body, Outcome};
use crate::fhir::interaction::Target;
use crate::fhir::{IssueKind, Problem, Resource};
use crate::policy::DocumentChange;
use crate::policy::permit::label;
use crate::store::{self, Access, NewResource};

/// `DELETE DocumentReference/[id]`: 204, also for what is gone already or was never there, so that the answer tells nothing.
///
/// # Errors
/// 403 for who sees the document and is not its author; 412 where If-Match names another version.
pub(super) fn withdraw(
    context: &Context<'_>,
    access: &Access,
    target: &Target,
    if_match: Option<i64>,
) -> Result<Outcome, Problem> {
    let done = |event| Outcome::new(204, Body::Empty, vec![event]);
    let nothing_matches = || Problem::new(IssueKind::VersionConflict, "If-Match names another version than the current one");
    let Some((pid, rid)) = target.place else {
        if if_match.is_some() {
            return Err(nothing_matches());
        }
        return Ok(done(context.event(None, Action::Delete, 204)));
    };
    let event = context.event_on(Action::Delete, 204, target.resource_type, pid, rid);
    let document = match Document::open(context, access, target, if_match)? {
        Some(document) => document,
        None if access.permit().otherwise().is_none()
            || store::resource_withdrawn(context.unit, access, target.resource_type, rid)? =>
        {
            if if_match.is_some() {
                return Err(nothing_matches());
            }
            return Ok(done(event));
        }
        None => return Err(super::read::not_found(access)),
    };
    document.demand(context, DocumentChange::Withdraw)?;
    let version = perform(context, access, &document)?.version;
    Ok(Outcome { version: Some(version), ..done(event) })
}

/// Writes the last version, which nobody reads, and hides the document and all that came of it from everybody.
pub(super) fn perform(context: &Context<'_>, access: &Access, document: &Document) -> Result<NewResource, Problem> {
    let mut body: Resource = document.before.clone();
    body.insert("status".into(), "entered-in-error".into());
    let new = new_version(context, access, document, body)?;
    store::resource_put_versions(context.unit, &document.rules, vec![new.clone()])?;
    let stored = update_document::stored(&document.old, &new, context, access)?;
    labels::relabel(context, &document.rules, &stored, document.old.labels | label::WITHDRAWN)?;
    Ok(new)
}

/// The next version of a document's metadata, under a new entryUUID (decision 1).
pub(super) fn new_version(
    context: &Context<'_>,
    access: &Access,
    document: &Document,
    mut body: Resource,
) -> Result<NewResource, Problem> {
    let (pid, rid, version) = (document.old.pid, document.old.rid, document.old.version.saturating_add(1));
    body.insert("identifier".into(), identifiers(context.server.store.id_cipher().uuid(pid, rid), version));
    draft(context, access, Draft { pid, rid, version, body, origin: None })
}
