//! Search in one record, in the directory, or over the records that authorise the caller.
//! <https://hl7.org/fhir/R4/search.html>
//!
//! The query is parsed once against the registry; the store ANDs the scope of the access to every statement; what an
//! index cannot decide, [`search::matches`] decides on bodies.
use super::Context;
use crate::audit::{Action, Body, Event, Outcome};
use crate::fhir::bundle::{self, SearchMode, SearchSet};
use crate::fhir::interaction::{Parameters, SearchPlace};
use crate::fhir::outcome::operation_outcome;
use crate::fhir::{Interaction, IssueKind, Problem, Resource, ResourceType};
use crate::ids::{Pid, Rid};
use crate::policy::ReadScope;
use crate::search::{self, Include, Keyer, Kind, Parameter, ParseContext, Query, Total};
use crate::store::{self, Access, Cursor, Page, PageRequest, Stored};
use std::collections::{BTreeSet, HashSet};

/// Parameter under which a link to the next page carries the sealed cursor.
pub(super) const CURSOR: &str = "_cursor";

/// Parses against the registry, with the keys and the zone of this server.
///
/// # Errors
/// 400 with the name of the parameter; under `Prefer: handling=lenient` unknown ones are left out and reported.
pub(super) fn parse(context: &Context<'_>, resource_type: ResourceType, parameters: &Parameters) -> Result<Query, Problem> {
    let server = context.server;
    let local = |reference: &str| server.place(reference);
    let parse = ParseContext {
        keyer: &server.keyer,
        local: &local,
        time_zone: &server.time_zone,
        lenient: context.request.lenient,
        now: context.unit.now(),
        pid: match context.request.interaction {
            Interaction::Search { place: SearchPlace::Directory, .. } => Some(Pid::DIRECTORY),
            _ => context.facts.map(|facts| facts.pid),
        },
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
    let (cursor, parameters) = take_cursor(parameters)?;
    let mut query = parse(context, resource_type, &parameters)?;
    hide_superseded(context, &mut query, &parameters)?;
    let request = PageRequest {
        count: usize::try_from(query.count).unwrap_or(usize::MAX),
        total: wants_total(access, &query, &parameters),
        cursor,
    };
    let mut recheck = |stored: &Stored| matches(context, &query, stored);
    let page = store::resource_search(context.unit, access, &query.plan, &request, &mut recheck)?;
    if let (Some(denial), true) = (access.permit().otherwise(), page.resources.is_empty()) {
        return Err(denial.problem.clone());
    }
    let included = includes(context, access, &query, &page.resources)?;
    let bytes = bundle(context, &query, &page, &included, resource_type);
    let events = events(context, access, &page.resources, &included);
    Ok(Outcome::new(200, Body::Fhir(bytes), events))
}

/// The sealed cursor of a next link, apart from the search parameters.
fn take_cursor(parameters: &Parameters) -> Result<(Option<Cursor>, Parameters), Problem> {
    let cursor = match parameters.get(CURSOR) {
        Some(text) => Some(Cursor::from_text(text)),
        None => None,
    };
    let rest = parameters.0.iter().filter(|(name, _)| name != CURSOR).cloned().collect();
    Ok((cursor, Parameters(rest)))
}

/// Whether the stored body fulfils the query: asked where the index alone does not decide.
fn matches(context: &Context<'_>, query: &Query, stored: &Stored) -> bool {
    let Ok(body) = serde_json::from_slice::<Resource>(&stored.body) else { return false };
    let local = |reference: &str| context.server.place(reference);
    let found = search::MatchContext { local: &local, pid: stored.pid, time_zone: &context.server.time_zone, linked: None };
    search::matches(query, stored.resource_type, &body, &found)
}

/// Data of a replaced document leave every search that does not ask for them (`_tag`) or for one of them (`_id`):
/// a corrected result supersedes the old one at once (DESIGN section 4).
fn hide_superseded(context: &Context<'_>, query: &mut Query, parameters: &Parameters) -> Result<(), Problem> {
    let asked = parameters.names().any(|name| matches!(name.split(':').next(), Some("_tag" | "_id")));
    if asked || query.plan.resource_type.name() == "DocumentReference" {
        return Ok(());
    }
    let tag = format!("{}/CodeSystem/data-state|superseded", crate::fhir::CANONICAL);
    let hidden = parse(context, query.resource_type, &Parameters(vec![("_tag:not".into(), tag)]))?;
    query.plan.predicates.extend(hidden.plan.predicates);
    Ok(())
}

/// In one record the total is always given, and exact, unless `_total=none` declines it (decision 12); over several it is
/// counted on request.
fn wants_total(access: &Access, query: &Query, parameters: &Parameters) -> bool {
    match access.permit().scope() {
        ReadScope::Record(..) | ReadScope::Own(_) | ReadScope::Existence(_) => parameters.get("_total") != Some("none"),
        ReadScope::Cohort | ReadScope::Directory => matches!(query.total, Total::Accurate),
    }
}

/// Resources that the page includes: what its resources point at, and what points at them; each under the same access.
fn includes(context: &Context<'_>, access: &Access, query: &Query, page: &[Stored]) -> Result<Vec<Stored>, Problem> {
    let mut seen: HashSet<(Pid, Rid)> = page.iter().map(|stored| (stored.pid, stored.rid)).collect();
    let mut out: Vec<Stored> = Vec::new();
    for include in &query.includes {
        let places = pointed_at(context, include, page);
        add(context, &mut out, &mut seen, store::resource_places(context.unit, access, &places)?, include)?;
        // `:iterate` follows the same include from what it brought, to a bounded depth.
        let mut depth = 0;
        while include.iterate && depth < 4 {
            let places = pointed_at(context, include, &out);
            let before = out.len();
            add(context, &mut out, &mut seen, store::resource_places(context.unit, access, &places)?, include)?;
            if out.len() == before {
                break;
            }
            depth += 1;
        }
    }
    let places: Vec<(Pid, Rid)> = page.iter().map(|stored| (stored.pid, stored.rid)).collect();
    for include in &query.revincludes {
        let found = pointing(context, access, include, &places)?;
        add(context, &mut out, &mut seen, found, include)?;
    }
    Ok(out)
}

/// Resources of the include's type that refer to one of these places by its parameter, or by any.
fn pointing(context: &Context<'_>, access: &Access, include: &Include, places: &[(Pid, Rid)]) -> Result<Vec<Stored>, Problem> {
    let Some(source) = include.source else { return Ok(Vec::new()) };
    let parameters: Vec<&Parameter> = match include.parameter {
        Some(parameter) => vec![parameter],
        None => search::registry().parameters(source).filter(|parameter| parameter.kind() == Kind::Reference).collect(),
    };
    let mut found = Vec::new();
    for number in parameters.iter().flat_map(|parameter| &parameter.stored) {
        let base = Keyer::reference_base(*number, false);
        let referring = store::resource_referring(context.unit, access, base, places, context.server.includes_max + 1)?;
        found.extend(referring.into_iter().filter(|stored| stored.resource_type == source));
    }
    Ok(found)
}

fn pointed_at(context: &Context<'_>, include: &Include, resources: &[Stored]) -> Vec<(Pid, Rid)> {
    let mut places = BTreeSet::new();
    for stored in resources {
        let Ok(body) = serde_json::from_slice::<Resource>(&stored.body) else { continue };
        places.extend(
            search::included(include, stored.resource_type, &body)
                .into_iter()
                .filter_map(|reference| context.server.place(&reference)),
        );
    }
    places.into_iter().collect()
}

fn add(
    context: &Context<'_>,
    out: &mut Vec<Stored>,
    seen: &mut HashSet<(Pid, Rid)>,
    found: Vec<Stored>,
    include: &Include,
) -> Result<(), Problem> {
    for stored in found {
        if include.target.is_some_and(|target| target != stored.resource_type) || !seen.insert((stored.pid, stored.rid)) {
            continue;
        }
        out.push(stored);
        if out.len() > context.server.includes_max {
            let text = format!("The page includes more than {} resources: ask for a smaller _count", context.server.includes_max);
            return Err(Problem::new(IssueKind::TooCostly, text));
        }
    }
    Ok(())
}

fn bundle(context: &Context<'_>, query: &Query, page: &Page, included: &[Stored], resource_type: ResourceType) -> Vec<u8> {
    let base = context.server.base();
    let self_link = link(base, resource_type, &query.self_parameters, None);
    let next_link = page.next.as_ref().map(|cursor| link(base, resource_type, &query.self_parameters, Some(cursor.as_text())));
    let outcome = (!query.ignored.is_empty()).then(|| operation_outcome(query.ignored.iter()));
    let url = |stored: &Stored| format!("{base}/{}", context.server.reference(stored.resource_type, stored.pid, stored.rid));
    let matched = page.resources.iter().map(|stored| (url(stored), stored.body.as_slice(), SearchMode::Match));
    let brought = included.iter().map(|stored| (url(stored), stored.body.as_slice(), SearchMode::Include));
    bundle::searchset(SearchSet {
        self_link: &self_link,
        next_link: next_link.as_deref(),
        total: page.total,
        entries: matched.chain(brought),
        outcome,
    })
}

/// A link of a searchset: the parameters that were honoured, percent-encoded.
pub(super) fn link(base: &str, resource_type: ResourceType, parameters: &[(String, String)], cursor: Option<&str>) -> String {
    let mut url = format!("{base}/{resource_type}");
    let mut separator = '?';
    let pairs = parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    for (name, value) in pairs.chain(cursor.map(|cursor| (CURSOR, cursor))) {
        url.push(separator);
        url.push_str(&encoded(name));
        url.push('=');
        url.push_str(&encoded(value));
        separator = '&';
    }
    url
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

/// One row for each record that contributed; one for the query itself where it names no single record.
fn events(context: &Context<'_>, access: &Access, page: &[Stored], included: &[Stored]) -> Vec<Event> {
    let mut records: BTreeSet<Pid> =
        page.iter().chain(included).map(|stored| stored.pid).filter(|pid| *pid != Pid::DIRECTORY).collect();
    let single = access.pid();
    records.extend(single.filter(|pid| *pid != Pid::DIRECTORY));
    let mut events: Vec<Event> = Vec::with_capacity(records.len() + 1);
    let query = context.request.query.clone();
    let resource_type = match &context.request.interaction {
        Interaction::Search { resource_type, .. } => Some(*resource_type),
        _ => None,
    };
    if single.is_none() {
        events.push(Event { resource_type, query: query.clone(), ..context.event(None, Action::Query, 200) });
    }
    events.extend(records.into_iter().map(|pid| Event {
        resource_type,
        query: query.clone(),
        ..context.event(Some(pid), Action::Query, 200)
    }));
    events
}
