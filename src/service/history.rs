//! History of a resource, a type, or everything. <https://hl7.org/fhir/R4/http.html#history>
use super::Context;
use crate::audit::Outcome;
use crate::fhir::interaction::{HistoryPlace, Parameters};
use crate::fhir::{IssueKind, Problem};
use crate::store::Access;

/// History of a resource, a type, or everything.
///
/// # Errors
/// Not here yet.
pub(super) fn history(
    _context: &Context<'_>,
    _access: &Access,
    _place: &HistoryPlace,
    _parameters: &Parameters,
) -> Result<Outcome, Problem> {
    Err(Problem::new(IssueKind::NotSupported, "This server has no such interaction yet"))
}
