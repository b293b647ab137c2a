//! Everything of a record. <https://hl7.org/fhir/R4/patient-operation-everything.html>
use super::Context;
use crate::audit::Outcome;
use crate::fhir::interaction::{Parameters, Target};
use crate::fhir::{IssueKind, Problem};
use crate::store::Access;

/// Everything of a record.
///
/// # Errors
/// Not here yet.
pub(super) fn everything(
    _context: &Context<'_>,
    _access: &Access,
    _target: &Target,
    _parameters: &Parameters,
) -> Result<Outcome, Problem> {
    Err(Problem::new(IssueKind::NotSupported, "This server has no such interaction yet"))
}
