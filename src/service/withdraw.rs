//! Withdrawal of a document by its author (decision 2). <https://hl7.org/fhir/R4/http.html#delete>
use super::Context;
use crate::audit::Outcome;
use crate::fhir::interaction::Target;
use crate::fhir::{IssueKind, Problem};
use crate::store::Access;

/// Withdrawal of a document by its author (decision 2).
///
/// # Errors
/// Not here yet.
pub(super) fn withdraw(
    _context: &Context<'_>,
    _access: &Access,
    _target: &Target,
    _if_match: Option<i64>,
) -> Result<Outcome, Problem> {
    Err(Problem::new(IssueKind::NotSupported, "This server has no such interaction yet"))
}
