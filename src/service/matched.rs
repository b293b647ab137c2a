//! What criteria match, in the scope of the caller: the same search that he would make himself, read strictly.
use super::{Context, Entered, Request, Server, enter, search};
use crate::fhir::interaction::{Parameters, SearchPlace};
use crate::fhir::{Interaction, Problem, ResourceType};
use crate::search::Query;
use crate::store::{PageRequest, Stored, Unit};

/// Two matches tell that there are several.
const ENOUGH: usize = 2;

/// What is looked for.
pub(super) struct Sought<'a> {
    pub(super) resource_type: ResourceType,
    pub(super) place: &'a SearchPlace,
    pub(super) criteria: &'a Parameters,
}

/// What was found.
pub(super) struct Found {
    /// At most two.
    pub(super) resources: Vec<Stored>,
    /// The criteria as they were understood.
    pub(super) query: Query,
    /// What the caller is told where nothing is found, if it is not that.
    pub(super) otherwise: Option<Problem>,
}

/// Searches as a request of this caller does.
///
/// # Errors
/// What `decide` says of the search; unknown or invalid parameters are 400, several records without a bound `too-costly`.
pub(super) fn matched(
    server: &Server,
    request: &Request,
    unit: &Unit,
    sought: &Sought<'_>,
    entered: &mut Entered,
) -> Result<Found, Problem> {
    let Sought { resource_type, place, criteria } = *sought;
    let interaction = Interaction::Search { resource_type, place: place.clone(), parameters: criteria.clone() };
    // What is not known is never left out of criteria: fewer criteria match more.
    let request = Request { lenient: false, ..request.with(interaction) };
    let (access, facts) = enter(&request, &request.interaction, unit, entered)?;
    let context = Context { server, unit, request: &request, facts: facts.as_ref(), within: None };
    let query = search::asked(&context, &access, resource_type, criteria)?;
    let page = PageRequest { count: ENOUGH, total: false, cursor: None, query: None };
    let resources = search::found(&context, &access, &query, &page)?.resources;
    let otherwise = access.permit().otherwise().map(|denial| denial.problem.clone());
    Ok(Found { resources, query, otherwise })
}
