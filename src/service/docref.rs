//! Documents of a patient (IPA). <https://hl7.org/fhir/uv/ipa/OperationDefinition-docref.html>
use super::Context;
use crate::audit::Outcome;
use crate::fhir::interaction::Parameters;
use crate::fhir::{IssueKind, Problem};
use crate::store::Access;

/// Documents of a patient (IPA).
///
/// # Errors
/// Not here yet.
pub(super) fn docref(_context: &Context<'_>, _access: &Access, _parameters: &Parameters) -> Result<Outcome, Problem> {
    Err(Problem::new(IssueKind::NotSupported, "This server has no such interaction yet"))
}
