//! Search in one record, in the directory, or over the records that authorise the caller.
//! <https://hl7.org/fhir/R4/search.html>
//!
//! The query is parsed once against the registry; the store ANDs the scope of the access to every statement; what an
//! index cannot decide, [`search::matches`] decides on bodies.
use super::Context;
use super::include::includes;
use super::terminology::Shelf;
use crate::audit::{Action, Body, Event, Outcome};
use crate::fhir::bundle::{self, SearchMode, SearchSet};
use crate::fhir::identifier::Ins;
use crate::fhir::interaction::{Parameters, SearchPlace};
use crate::fhir::outcome::operation_outcome;
use crate::fhir::{Interaction, IssueKind, Problem, Resource, ResourceType};
use crate::ids::{Pid, Rid};
use crate::policy::ReadScope;
use crate::search::{
    self, Behind, Key, Library, MatchContext, NoLibrary, ParseContext, Plan, Predicate, Query, RecordParameter, Sort, SortKeys,
    Summary, Total,
};
use crate::store::{self, Access, Cursor, Page, PageRequest, Stored};
use serde_json::Value;
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// Parameter under which a link to the next page carries the sealed cursor.
pub(super) const CURSOR: &str = "_cursor";

/// Parses against the registry, with the keys and the zone of this server. For what the server itself looks for: data of
/// replaced documents are found too, and neither value sets nor lists are named.
///
/// # Errors
/// 400 with the name of the parameter; under `Prefer: handling=lenient` unknown ones are left out and reported.
pub(super) fn parse(context: &Context<'_>, resource_type: ResourceType, parameters: &Parameters) -> Result<Query, Problem> {
    parse_with(context, resource_type, parameters, &NoLibrary, true)
}

/// Parses what the caller asks for. To be searched with [`found`], which looks for what stands behind its chains.
///
/// # Errors
/// As [`parse`].
pub(super) fn asked(
    context: &Context<'_>,
    access: &Access,
    resource_type: ResourceType,
    parameters: &Parameters,
) -> Result<Query, Problem> {
    let shelf = Shelf::new(context, access);
    // Data of a replaced document leave every search at once that does not name them (DESIGN section 4).
    let query = parse_with(context, resource_type, parameters, &shelf, false);
    shelf.checked(query)
}

fn parse_with(
    context: &Context<'_>,
    resource_type: ResourceType,
    parameters: &Parameters,
    library: &dyn Library,
    everything: bool,
) -> Result<Query, Problem> {
    let server = context.server;
    let local = |reference: &str| context.place(reference);
    let parse = ParseContext {
        keyer: &server.keyer,
        local: &local,
        time_zone: &server.time_zone,
        lenient: context.request.lenient,
        now: context.unit.now(),
        pid: match context.request.interaction {
            Interaction::Search { place: SearchPlace::Directory, .. }
            | Interaction::SearchAll { place: SearchPlace::Directory, .. } => Some(Pid::DIRECTORY),
            _ => context.facts.map(|facts| facts.pid),
        },
        library,
        everything,
    };
    search::parse(resource_type, parameters, &parse)
}

/// `GET [type]?...`, `POST [type]/_search`.
///
/// # Errors
/// Unknown or invalid parameters are 400, a search over several records without a bound is `too-costly`.
pub fn search(
    context: &Context<'_>,
    access: &Access,
    resource_type: ResourceType,
    parameters: &Parameters,
) -> Result<Outcome, Problem> {
    let (cursor, parameters) = take_cursor(parameters);
    check_person(context, resource_type, &parameters)?;
    let query = asked(context, access, resource_type, &parameters)?;
    // "If _count has the value 0, this shall be treated the same as _summary=count."
    let only_count = query.summary == Summary::Count || query.count == 0;
    let request = PageRequest {
        count: if only_count { 0 } else { usize::try_from(query.count).unwrap_or(usize::MAX) },
        total: only_count || wants_total(access, &query, &parameters),
        cursor,
        query: Some(query_string(query.self_parameters.iter())),
    };
    let page = found(context, access, &query, &request)?;
    let nothing = page.resources.is_empty() && page.total.unwrap_or(0) == 0;
    if let (Some(denial), true) = (access.permit().otherwise(), nothing) {
        return Err(denial.problem.clone());
    }
    let included = includes(context, access, &query, &page.resources)?;
    let path = compartment(context, resource_type, &parameters).unwrap_or_else(|| resource_type.to_string());
    let bytes = bundle(context, &query, &page, &included, &path)?;
    let events = events(context, access, Some(resource_type), page.resources.iter().chain(&included));
    Ok(Outcome::new(200, Body::Fhir(bytes), events))
}

/// A parameter that names the record by an identifier is fulfilled by the scope, so it must name the person of that record:
/// a compartment has been named by its path.
///
/// # Errors
/// 400 where the query names another person.
pub(super) fn check_person(context: &Context<'_>, resource_type: ResourceType, parameters: &Parameters) -> Result<(), Problem> {
    let Some(RecordParameter::Identifier { system, value }) = search::record_of(resource_type, parameters) else { return Ok(()) };
    let Some(facts) = context.facts else { return Ok(()) };
    let named = system.and_then(|system| Ins::new(&system, &value));
    if named.is_some() && named == facts.ins {
        return Ok(());
    }
    Err(Problem::new(IssueKind::ParameterInvalid, "The query names another patient than its path"))
}

/// The path of a search in a compartment, where no parameter names the record: `Patient/[id]/[type]`.
/// <https://hl7.org/fhir/R4/http.html#vsearch>
fn compartment(context: &Context<'_>, resource_type: ResourceType, parameters: &Parameters) -> Option<String> {
    let Interaction::Search { place: SearchPlace::Record(_), .. } = &context.request.interaction else { return None };
    let pid = context.facts?.pid;
    let named = search::record_of(resource_type, parameters).is_some();
    let patient = super::known_type("Patient").ok()?;
    (!named).then(|| format!("{}/{resource_type}", context.server.reference(patient, pid, Rid::PATIENT)))
}

/// The sealed cursor of a next link, apart from the search parameters.
pub(super) fn take_cursor(parameters: &Parameters) -> (Option<Cursor>, Parameters) {
    let cursor = parameters.get(CURSOR).map(Cursor::from_text);
    let rest = parameters.0.iter().filter(|(name, _)| name != CURSOR).cloned().collect();
    (cursor, Parameters(rest))
}

/// A page of matches.
///
/// # Errors
/// `TooCostly`; `Internal` for a body that cannot be read: what it says is not known, so neither is whether it matches.
pub(super) fn found(context: &Context<'_>, access: &Access, query: &Query, request: &PageRequest) -> Result<Page, Problem> {
    let mut behind = Places::new();
    let plan = resolved(context, access, query, &mut behind)?;
    let judge = Judge::new(context, query, &behind);
    let mut recheck = |stored: &Stored| judge.fits(stored);
    let page = if query.plan.sort.iter().any(|sort| matches!(sort, Sort::Body { .. })) {
        let mut keys_of = |stored: &Stored| judge.sort_keys(stored);
        store::resource_search_ordered(context.unit, access, &plan, request, &mut recheck, &mut keys_of, &SortKeys::compare)
    } else {
        store::resource_search(context.unit, access, &plan, request, &mut recheck)
    }?;
    judge.checked(page)
}

/// Where the resources are that stand behind conditions of a query.
pub(super) type Places = HashMap<Key, Arc<Vec<(Pid, Rid)>>>;

/// The plan of a query with the places of what stands behind its conditions, each looked for under the same access.
pub(super) fn resolved(context: &Context<'_>, access: &Access, query: &Query, places: &mut Places) -> Result<Plan, Problem> {
    for behind in query.behind_bodies() {
        look_for(context, access, behind, places)?;
    }
    query.plan.resolved(&mut |behind| look_for(context, access, behind, places))
}

fn look_for(
    context: &Context<'_>,
    access: &Access,
    behind: &Behind,
    places: &mut Places,
) -> Result<Arc<Vec<(Pid, Rid)>>, Problem> {
    if let Some(found) = places.get(&behind.about) {
        return Ok(found.clone());
    }
    let mut found = match (&behind.places, &behind.query) {
        (Some(found), _) => found.to_vec(),
        (None, Some(query)) => {
            let plan = resolved(context, access, query, places)?;
            let judge = Judge::new(context, query, places);
            let mut recheck = |stored: &Stored| judge.fits(stored);
            let found = store::resource_matches(context.unit, access, behind.in_directory, &plan, &mut recheck)?;
            judge.checked(found)?
        }
        (None, None) => Vec::new(),
    };
    // Bodies are looked up in it.
    found.sort_unstable();
    let found = Arc::new(found);
    places.insert(behind.about, found.clone());
    Ok(found)
}

/// Decides on bodies what the tables only narrow.
pub(super) struct Judge<'a> {
    context: &'a Context<'a>,
    query: &'a Query,
    behind: &'a Places,
    damaged: RefCell<Option<Problem>>,
}

impl<'a> Judge<'a> {
    /// Of a query, `behind` being where the resources are that stand behind its conditions.
    pub(super) fn new(context: &'a Context<'a>, query: &'a Query, behind: &'a Places) -> Self {
        Self { context, query, behind, damaged: RefCell::new(None) }
    }

    pub(super) fn fits(&self, stored: &Stored) -> bool {
        let place = (stored.pid, stored.rid);
        // Links are fulfilled by every candidate of the tables.
        let linked = |predicate: &Predicate| match predicate {
            Predicate::Behind(behind) => {
                self.behind.get(&behind.about).is_some_and(|places| places.binary_search(&place).is_ok())
            }
            _ => true,
        };
        let fits = |context: &MatchContext<'_>, body: &Resource| search::matches(self.query, stored.resource_type, body, context);
        self.read(stored, Some(&linked), fits).unwrap_or(false)
    }

    fn sort_keys(&self, stored: &Stored) -> SortKeys {
        self.read(stored, None, |context, body| search::sort_keys(self.query, body, context)).unwrap_or_default()
    }

    fn read<T>(
        &self,
        stored: &Stored,
        linked: Option<&dyn Fn(&Predicate) -> bool>,
        read: impl FnOnce(&MatchContext<'_>, &Resource) -> T,
    ) -> Option<T> {
        let local = |reference: &str| self.context.place(reference);
        let time_zone = &self.context.server.time_zone;
        let reading = MatchContext { local: &local, pid: stored.pid, time_zone, linked };
        match stored.resource() {
            Ok(body) => Some(read(&reading, &body)),
            Err(problem) => {
                self.damaged.borrow_mut().get_or_insert(problem);
                None
            }
        }
    }

    /// What was found, unless a body could not be read.
    pub(super) fn checked<T>(self, found: T) -> Result<T, Problem> {
        match self.damaged.into_inner() {
            Some(problem) => Err(problem),
            None => Ok(found),
        }
    }
}

/// In one record the total is always given, and exact, unless `_total=none` declines it (decision 12); over several it is
/// counted on request.
pub(super) fn wants_total(access: &Access, query: &Query, parameters: &Parameters) -> bool {
    match access.permit().scope() {
        ReadScope::Record(..) | ReadScope::Own(_) | ReadScope::Existence(_) => parameters.get("_total") != Some("none"),
        ReadScope::Cohort | ReadScope::Directory => matches!(query.total, Total::Accurate),
    }
}

fn bundle(context: &Context<'_>, query: &Query, page: &Page, included: &[Stored], path: &str) -> Result<Vec<u8>, Problem> {
    let base = context.server.base();
    let self_link = link_to(base, path, &query.self_parameters, None);
    let next_link = page.next.as_ref().map(|cursor| link_to(base, path, &query.self_parameters, Some(cursor.as_text())));
    let outcome = (!query.ignored.is_empty()).then(|| operation_outcome(query.ignored.iter()));
    let mut entries = Vec::with_capacity(page.resources.len() + included.len());
    for stored in &page.resources {
        entries.push((context.full_url(stored)?, part(query, stored)?, SearchMode::Match));
    }
    for stored in included {
        entries.push((context.full_url(stored)?, Cow::from(&stored.body), SearchMode::Include));
    }
    Ok(bundle::searchset(SearchSet {
        self_link: &self_link,
        next_link: next_link.as_deref(),
        total: page.total,
        entries,
        outcome,
    }))
}

/// The body of a match, or the part of it that `_summary` or `_elements` asks for.
pub(super) fn part<'a>(query: &Query, stored: &'a Stored) -> Result<Cow<'a, [u8]>, Problem> {
    if query.summary == Summary::False && query.elements.is_empty() {
        return Ok(Cow::from(&stored.body));
    }
    let part = search::subset(query, &stored.resource()?);
    Ok(part.map_or(Cow::from(&stored.body), |part| Value::Object(part).to_string().into_bytes().into()))
}

/// A link of a searchset: the parameters that were honoured, percent-encoded.
pub(super) fn link(base: &str, resource_type: ResourceType, parameters: &[(String, String)], cursor: Option<&str>) -> String {
    link_to(base, resource_type.name(), parameters, cursor)
}

/// The same of a path below the base; empty for the base itself.
pub(super) fn link_to(base: &str, path: &str, parameters: &[(String, String)], cursor: Option<&str>) -> String {
    let cursor = cursor.map(|cursor| (CURSOR.to_owned(), cursor.to_owned()));
    let query = query_string(parameters.iter().chain(&cursor));
    let separator = if query.is_empty() { "" } else { "?" };
    let slash = if path.is_empty() { "" } else { "/" };
    format!("{base}{slash}{path}{separator}{query}")
}

/// Parameters as a query string.
pub(crate) fn query_string<'a>(parameters: impl Iterator<Item = &'a (String, String)>) -> String {
    parameters.map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect::<Vec<_>>().join("&")
}

/// Percent-encoding of everything that a query does not take as it is.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:/,$*".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// The names of a query, without their values.
fn names_only(query: &str) -> String {
    query.split('&').map(|pair| format!("{}=*", pair.split('=').next().unwrap_or_default())).collect::<Vec<_>>().join("&")
}

/// One row for each record that contributed; one for the query itself where it names no single record.
pub(super) fn events<'a>(
    context: &Context<'_>,
    access: &Access,
    resource_type: Option<ResourceType>,
    found: impl Iterator<Item = &'a Stored>,
) -> Vec<Event> {
    let mut records: BTreeSet<Pid> = found.map(|stored| stored.pid).filter(|pid| *pid != Pid::DIRECTORY).collect();
    let single = access.pid();
    records.extend(single.filter(|pid| *pid != Pid::DIRECTORY));
    let mut events: Vec<Event> = Vec::with_capacity(records.len() + 1);
    let query = context.request.query.clone();
    if single.is_none() {
        events.push(Event { resource_type, query: query.clone(), ..context.event(None, Action::Query, 200) });
    }
    // The trace of one record tells its patient which question brought his data out, never what else it named: a search over
    // several records may name other persons.
    let told = if single.is_some() { query } else { query.as_deref().map(names_only) };
    events.extend(records.into_iter().map(|pid| Event {
        resource_type,
        query: told.clone(),
        ..context.event(Some(pid), Action::Query, 200)
    }));
    events
}
