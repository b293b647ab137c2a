//! Conditional create, update, patch, delete: a match in the caller's own scope, then `decide` on its result.
//! <https://hl7.org/fhir/R4/http.html#ccreate>
use super::submit_document::Deposits;
use super::{Entered, Request, Server};
use crate::audit::Outcome;
use crate::fhir::interaction::{Parameters, SearchPlace, Then};
use crate::fhir::{IssueKind, Problem, ResourceType};
use crate::store::Unit;

/// What a conditional interaction asks.
pub(super) struct Asked<'a> {
    pub(super) resource_type: ResourceType,
    pub(super) place: &'a SearchPlace,
    pub(super) criteria: &'a Parameters,
    pub(super) then: &'a Then,
}

/// # Errors
/// Not here yet.
pub(super) fn conditional(
    _server: &Server,
    _request: &Request,
    _deposits: &Deposits,
    _unit: &Unit,
    _asked: &Asked<'_>,
    _entered: &mut Entered,
) -> Result<Outcome, Problem> {
    Err(Problem::new(IssueKind::NotSupported, "This server has no such interaction yet"))
}
