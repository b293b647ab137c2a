//! Deposit of a document (ITI-105): original kept, entries translated, all in one transaction.
//!
//! Order: content (hash, size), CDA header against metadata and record, the same document again, replacement,
//! translation, filing. Nothing is written before every check has passed.
//! <https://profiles.ihe.net/ITI/MHD/ITI-105.html>
mod checks;
mod content;
mod filing;
mod replacement;

use super::Context;
use super::create::created;
use crate::audit::{Action, Body, Outcome};
use crate::cda;
use crate::fhir::outcome::operation_outcome;
use crate::fhir::{Issue, IssueKind, Problem, Resource};
use crate::policy::{self, AuthorisationStatus};
use crate::store::{self, Access};

/// `POST DocumentReference`.
///
/// # Errors
/// 422 with the element at fault and its rule; 409 where the uniqueId has other bytes.
pub fn submit_document(context: &Context<'_>, access: &Access, body: &Resource) -> Result<Outcome, Problem> {
    let facts = context.record()?;
    checks::metadata(body)?;
    let content = content::decode(body)?;
    let document = cda::parse(&content.bytes).map_err(|error| {
        Problem::at(
            IssueKind::StructureInvalid,
            "DocumentReference.content[0].attachment.data",
            format!("The document cannot be read: {error}"),
        )
    })?;
    let header = document.header();
    // The rules look at the whole record, also at what this caller may not see; nothing of it leaves.
    let rules = context.unit.open_rules(access)?;
    let patient = store::resource_read(context.unit, &rules, super::known_type("Patient")?, crate::ids::Rid::PATIENT)?;
    let mut remarks = content.issues.clone();
    remarks.extend(checks::header(body, &header, facts, patient.as_ref())?);
    let unique_id = checks::unique_id(&header);
    if let Some(outcome) = same_document(context, access, &rules, &unique_id, &content)? {
        return Ok(outcome);
    }
    let versions = replacement::find(context, &rules, body, &header, &mut remarks)?;
    let filed = filing::file(
        context,
        access,
        &rules,
        filing::Deposited { body, content: &content, document: &document, header: &header, unique_id: &unique_id, versions },
    )?;
    let event = context.event_on(Action::Deposit, 201, filed.resource_type, facts.pid, filed.rid);
    Ok(Outcome { remarks, ..created(context, access, facts.pid, &filed, vec![event]) })
}

/// The same uniqueId again (DESIGN section 5): same bytes and visible to the caller: 200 with the existing one; other
/// bytes: 409; a twin that the depositor may not see: filed as his own, so that nothing shows.
fn same_document(
    context: &Context<'_>,
    access: &Access,
    rules: &Access,
    unique_id: &str,
    content: &content::Content,
) -> Result<Option<Outcome>, Problem> {
    let reference_type = super::known_type("DocumentReference")?;
    for twin in store::document_find(context.unit, rules, unique_id)? {
        let Some(visible) = store::resource_read(context.unit, access, reference_type, twin.reference)? else { continue };
        if twin.sha256 != content.sha256 {
            let text =
                "Another document has this uniqueId; a new version is a document of its own that replaces it (BR-42, BR-44)";
            return Err(Problem::at(IssueKind::Duplicate, "DocumentReference.masterIdentifier", text));
        }
        let event = context.event_on(Action::Deposit, 200, reference_type, visible.pid, visible.rid);
        let remarks = vec![Issue::new(IssueKind::Information, "This document is here already")];
        // A blocked caller deposits and reads nothing, not even the state of what he deposited (BR-19).
        if policy::status(&context.request.caller, context.record()?, context.unit.now()) == AuthorisationStatus::Interdit {
            let body = Body::Fhir(operation_outcome(remarks.iter()).to_string().into_bytes());
            return Ok(Some(Outcome::new(200, body, vec![event])));
        }
        return Ok(Some(Outcome {
            status: 200,
            location: Some(format!(
                "{}/_history/{}",
                context.server.reference(reference_type, visible.pid, visible.rid),
                visible.version
            )),
            version: Some(visible.version),
            updated: Some(visible.updated.0),
            body: Body::Fhir(visible.body),
            events: vec![event],
            remarks,
        }));
    }
    Ok(None)
}

pub(super) use filing::{origin, original};
