//! Deposit of a document (ITI-105): original kept, entries translated, all in one transaction.
//!
//! Order: before the unit content (hash, size), CDA, translation; in it the header against metadata and record, the same
//! document again, replacement, filing. Nothing is written before every check has passed.
//! <https://profiles.ihe.net/ITI/MHD/ITI-105.html>
mod checks;
mod content;
mod filing;
mod prepared;
mod replacement;

use super::create::created;
use super::{Context, references};
use crate::audit::{Action, Body, Outcome};
use crate::fhir::outcome::operation_outcome;
use crate::fhir::{Issue, IssueKind, Problem, Resource};
use crate::policy::permit::label;
use crate::policy::{self, AuthorisationStatus};
use crate::store::{self, Access, WholeRecord};
use prepared::Prepared;

/// `POST DocumentReference`.
///
/// # Errors
/// 422 with the element at fault and its rule; 409 where the uniqueId has other bytes.
pub(crate) fn submit_document(
    context: &Context<'_>,
    access: &Access,
    body: &Resource,
    prepared: Option<&Preparation>,
) -> Result<Outcome, Problem> {
    let facts = context.record()?;
    if let Some(named) = body.get("subject") {
        references::check_person(context, named, "DocumentReference.subject")?;
    }
    let prepared = prepared.ok_or_else(|| Problem::new(IssueKind::Internal, "A deposit that was not prepared"))?;
    let prepared = prepared.as_ref().map_err(Clone::clone)?;
    // The rules look at the whole record, also at what this caller may not see; nothing of it leaves.
    let rules = context.unit.open_rules(access)?;
    let patient = store::record_resource(context.unit, &rules, super::known_type("Patient")?, crate::ids::Rid::PATIENT)?;
    let mut remarks = prepared.issues.clone();
    remarks.extend(checks::header(body, &prepared.header, facts, patient.as_ref())?);
    let hidden = match twins(context, access, &rules, prepared)? {
        Twins::Visible(outcome) => return Ok(*outcome),
        Twins::Hidden(hidden) => hidden,
    };
    let mut versions = replacement::find(context, access, &rules, body, prepared, &mut remarks)?;
    versions.labels |= hidden.labels;
    versions.late |= hidden.superseded;
    let filed = filing::file(context, access, &rules, &filing::Deposited { body, prepared, versions })?;
    let event = context.event_on(Action::Deposit, 201, filed.resource_type, facts.pid, filed.rid);
    Ok(Outcome { remarks, ..created(context, access, &filed, vec![event]) })
}

/// What has the uniqueId of a deposit already.
enum Twins {
    /// A document that the caller sees: the answer to him.
    Visible(Box<Outcome>),
    /// None that he sees; what he files has the labels of those that he does not.
    Hidden(Hidden),
}

/// What a deposit takes over from twins that its depositor does not see.
#[derive(Default)]
struct Hidden {
    labels: i32,
    /// The same bytes are superseded here: a result that was corrected away must not come back as current.
    superseded: bool,
}

/// The same uniqueId again (DESIGN section 5): same bytes and visible to the caller: 200 with the existing one; other
/// bytes: 409; a twin that the depositor may not see: filed as his own, so that nothing shows but that it is out of date.
fn twins(context: &Context<'_>, access: &Access, rules: &WholeRecord, prepared: &Prepared) -> Result<Twins, Problem> {
    let reference_type = super::known_type("DocumentReference")?;
    let mut hidden = Hidden::default();
    for twin in store::document_find(context.unit, rules, &prepared.unique_id)? {
        let Some(visible) = store::resource_read(context.unit, access, reference_type, twin.reference)? else {
            hidden.labels |= twin.labels & !label::WITHDRAWN;
            let same = twin.sha256 == prepared.original.sha256() && twin.labels & label::WITHDRAWN == 0;
            let stored = store::record_resource(context.unit, rules, reference_type, twin.reference)?;
            hidden.superseded |= same && stored.is_some_and(|stored| !replacement::is_current(&stored));
            continue;
        };
        if twin.sha256 != prepared.original.sha256() {
            let text =
                "Another document has this uniqueId; a new version is a document of its own that replaces it (BR-42, BR-44)";
            return Err(Problem::at(IssueKind::Duplicate, "DocumentReference.masterIdentifier", text));
        }
        let event = context.event_on(Action::Deposit, 200, reference_type, visible.pid, visible.rid);
        let remarks = vec![Issue::new(IssueKind::Information, "This document is here already")];
        // A blocked caller deposits and reads nothing, not even the state of what he deposited (BR-19).
        if policy::status(&context.request.caller, context.record()?, context.unit.now()) == AuthorisationStatus::Interdit {
            let body = Body::Fhir(operation_outcome(remarks.iter()).to_string().into_bytes());
            return Ok(Twins::Visible(Box::new(Outcome::new(200, body, vec![event]))));
        }
        return Ok(Twins::Visible(Box::new(Outcome {
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
        })));
    }
    Ok(Twins::Hidden(hidden))
}

pub(super) use filing::{family_of, identifiers, origin, original_of};
pub(crate) use prepared::{Deposits, Preparation};
