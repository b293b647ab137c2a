//! The last results of each code. <https://hl7.org/fhir/R4/observation-operation-lastn.html>
use super::Context;
use crate::audit::Outcome;
use crate::fhir::interaction::Parameters;
use crate::fhir::{IssueKind, Problem};
use crate::store::Access;

/// The last results of each code.
///
/// # Errors
/// Not here yet.
pub(super) fn last_n(_context: &Context<'_>, _access: &Access, _parameters: &Parameters) -> Result<Outcome, Problem> {
    Err(Problem::new(IssueKind::NotSupported, "This server has no such interaction yet"))
}
