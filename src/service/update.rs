//! Update, update-as-create, bringing back to life. <https://hl7.org/fhir/R4/http.html#update>
use super::Context;
use crate::audit::Outcome;
use crate::fhir::interaction::Target;
use crate::fhir::{IssueKind, Problem, Resource};
use crate::store::Access;

/// Update, update-as-create, bringing back to life.
///
/// # Errors
/// Not here yet.
pub(super) fn update(
    _context: &Context<'_>,
    _access: &Access,
    _target: &Target,
    _if_match: Option<i64>,
    _body: &Resource,
) -> Result<Outcome, Problem> {
    Err(Problem::new(IssueKind::NotSupported, "This server has no such interaction yet"))
}
