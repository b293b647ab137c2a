//! Patch of a resource: its result is an update. <https://hl7.org/fhir/R4/http.html#patch>
use super::Context;
use crate::audit::Outcome;
use crate::fhir::interaction::Target;
use crate::fhir::patch::Patch;
use crate::fhir::{IssueKind, Problem};
use crate::store::Access;

/// Patch of a resource: its result is an update.
///
/// # Errors
/// Not here yet.
pub(super) fn patch_resource(
    _context: &Context<'_>,
    _access: &Access,
    _target: &Target,
    _if_match: Option<i64>,
    _patch: &Patch,
) -> Result<Outcome, Problem> {
    Err(Problem::new(IssueKind::NotSupported, "This server has no such interaction yet"))
}
