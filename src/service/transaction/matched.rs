//! What criteria match, in the scope of the caller: the same search that he would make himself.
use super::Run;
use crate::fhir::interaction::{Parameters, SearchPlace};
use crate::fhir::{Interaction, IssueKind, Problem, ResourceType};
use crate::search::Query;
use crate::service::{Context, Entered, Request, alias, enter, search};
use crate::store::{PageRequest, Stored};

/// What was found: two of them tell that there are several.
const ENOUGH: usize = 2;

/// A search for what the Bundle names by criteria.
pub(super) struct Sought<'a> {
    pub(super) resource_type: ResourceType,
    pub(super) place: SearchPlace,
    pub(super) parameters: &'a Parameters,
}

/// The matches in the state as it is now, at most two, and the search as it was understood.
///
/// # Errors
/// 400 for criteria that name nothing or an unknown parameter; what `decide` says of the search.
pub(super) fn matches(run: &Run<'_>, sought: Sought<'_>, entered: &mut Entered) -> Result<(Vec<Stored>, Query), Problem> {
    if sought.parameters.0.is_empty() {
        return Err(Problem::new(IssueKind::Malformed, "The criteria name nothing"));
    }
    let Sought { resource_type, place, parameters } = sought;
    let interaction = Interaction::Search { resource_type, place, parameters: parameters.clone() };
    // Whatever the client prefers: criteria that are not understood match nothing else.
    let request = Request { lenient: false, ..run.request_of(interaction) };
    let request = alias::resolved(run.unit, &request)?;
    let (access, facts) = enter(&request, &request.interaction, run.unit, entered)?;
    let context = Context { server: run.server, unit: run.unit, request: &request, facts: facts.as_ref(), within: None };
    let query = search::parse(&context, resource_type, parameters)?;
    let page = PageRequest { count: ENOUGH, total: false, cursor: None };
    let found = search::found(&context, &access, &query, &page)?;
    Ok((found.resources, query))
}
