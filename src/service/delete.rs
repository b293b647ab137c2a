//! Delete: the resource stays as a tombstone. <https://hl7.org/fhir/R4/http.html#delete>
use super::Context;
use crate::audit::Outcome;
use crate::fhir::interaction::Target;
use crate::fhir::{IssueKind, Problem};
use crate::store::Access;

/// Delete: the resource stays as a tombstone.
///
/// # Errors
/// Not here yet.
pub(super) fn delete(
    _context: &Context<'_>,
    _access: &Access,
    _target: &Target,
    _if_match: Option<i64>,
) -> Result<Outcome, Problem> {
    Err(Problem::new(IssueKind::NotSupported, "This server has no such interaction yet"))
}
