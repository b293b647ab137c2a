//! Search over several types: `GET [base]?_type=A,B&...`, `Patient/[id]/*`. <https://hl7.org/fhir/R4/http.html#search>
//!
//! # Decisions
//! - Without `_type` it is every type of the record: those of the Patient compartment. The trace is never among them, Binary
//!   and the types that stand in a record without being of the compartment only where `_type` names them.
//! - A parameter that one of the types does not have is 400 (H58), under `handling=lenient` too: an answer that heeds it for
//!   some of its types only would be misread.
//! - The matches of all types are in one order, newest first by their own clinical date, or by a `_sort` that every type has.
use super::Context;
use super::search::{
    Judge, Places, asked, check_person, events, link_to, part, query_string, resolved, take_cursor, wants_total,
};
use crate::audit::{Body, Outcome};
use crate::fhir::bundle::{self, SearchMode, SearchSet};
use crate::fhir::interaction::{Parameters, SearchPlace};
use crate::fhir::resource_type::Home;
use crate::fhir::{Interaction, IssueKind, Problem, ResourceType};
use crate::ids::Rid;
use crate::search::{self, Query, Summary};
use crate::store::{self, Access, Page, PageRequest, Stored};
use std::borrow::Cow;

/// A search over several types.
///
/// # Errors
/// 400 for a parameter that is not one of all the types, for `_include` and `_revinclude`, and as a search of one type.
pub(super) fn search_all(context: &Context<'_>, access: &Access, parameters: &Parameters) -> Result<Outcome, Problem> {
    let (cursor, parameters) = take_cursor(parameters);
    let (types, rest) = types(&parameters)?;
    for resource_type in &types {
        check_person(context, *resource_type, &rest)?;
    }
    let queries =
        types.iter().map(|resource_type| asked(context, access, *resource_type, &rest)).collect::<Result<Vec<_>, _>>()?;
    let Some(first) = queries.first() else {
        return Err(Problem::new(IssueKind::ParameterInvalid, "`_type` names no type"));
    };
    if !first.includes.is_empty() || !first.revincludes.is_empty() {
        return Err(Problem::new(IssueKind::ParameterUnknown, "_include and _revinclude need a search of one type"));
    }
    if queries.iter().any(|query| !query.ignored.is_empty()) {
        return Err(Problem::new(IssueKind::ParameterUnknown, "A search over several types takes what they have in common"));
    }
    let only_count = first.summary == Summary::Count || first.count == 0;
    let named = parameters.0.iter().filter(|(name, _)| name == "_type").cloned();
    let honoured: Vec<(String, String)> = named.chain(first.self_parameters.iter().cloned()).collect();
    let request = PageRequest {
        count: if only_count { 0 } else { usize::try_from(first.count).unwrap_or(usize::MAX) },
        total: only_count || wants_total(access, first, &rest),
        cursor,
        query: Some(query_string(honoured.iter())),
    };
    let page = found_all(context, access, &queries, &request)?;
    if let (Some(denial), true) = (access.permit().otherwise(), page.resources.is_empty() && page.total.unwrap_or(0) == 0) {
        return Err(denial.problem.clone());
    }
    let base = context.server.base();
    let path = path(context)?;
    let mut entries = Vec::with_capacity(page.resources.len());
    for stored in &page.resources {
        let query = queries.iter().find(|query| query.resource_type == stored.resource_type);
        let body = query.map_or(Ok(Cow::from(&stored.body)), |query| part(query, stored))?;
        entries.push((context.full_url(stored)?, body, SearchMode::Match));
    }
    let bytes = bundle::searchset(SearchSet {
        self_link: &link_to(base, &path, &honoured, None),
        next_link: page.next.as_ref().map(|cursor| link_to(base, &path, &honoured, Some(cursor.as_text()))).as_deref(),
        total: page.total,
        entries,
        outcome: None,
    });
    Ok(Outcome::new(200, Body::Fhir(bytes), events(context, access, None, page.resources.iter())))
}

/// Whether a type is one of the R4 Patient compartment: every type that belongs to a record, but Binary.
///
/// Each such resource lies in the record of the one patient whom it names, and a Provenance in that of what it targets, so
/// the record is the compartment and no search needs a predicate of membership.
/// <https://hl7.org/fhir/R4/compartmentdefinition-patient.html>
pub(crate) fn in_compartment(resource_type: ResourceType) -> bool {
    resource_type.home() == Home::Record && resource_type.name() != "Binary"
}

/// The types of `_type`, each once, or all; and the other parameters.
pub(super) fn types(parameters: &Parameters) -> Result<(Vec<ResourceType>, Parameters), Problem> {
    let mut types: Vec<ResourceType> = Vec::new();
    let mut rest = Vec::new();
    let mut named = false;
    for (name, value) in &parameters.0 {
        if name != "_type" {
            rest.push((name.clone(), value.clone()));
            continue;
        }
        named = true;
        for name in value.split(',') {
            let known = ResourceType::parse(name).filter(|known| known.home() != Home::None && known.name() != "AuditEvent");
            let text = "`_type` names a type that this server does not search so";
            let known = known.ok_or_else(|| Problem::new(IssueKind::ParameterInvalid, text))?;
            if !types.contains(&known) {
                types.push(known);
            }
        }
    }
    if !named {
        types = ResourceType::all().filter(|one| in_compartment(*one) && one.name() != "AuditEvent").collect();
    }
    Ok((types, Parameters(rest)))
}

/// A page of the matches of all queries.
pub(super) fn found_all(
    context: &Context<'_>,
    access: &Access,
    queries: &[Query],
    request: &PageRequest,
) -> Result<Page, Problem> {
    let mut behind = Places::new();
    let plans = queries.iter().map(|query| resolved(context, access, query, &mut behind)).collect::<Result<Vec<_>, _>>()?;
    let judges: Vec<Judge<'_>> = queries.iter().map(|query| Judge::new(context, query, &behind)).collect();
    let mut recheck = |number: usize, stored: &Stored| judges.get(number).is_some_and(|judge| judge.fits(stored));
    let page = store::resource_search_all(context.unit, access, &plans, request, &mut recheck)?;
    judges.into_iter().try_fold(page, |page, judge| judge.checked(page))
}

/// Path of the search below the base: of the compartment, or the base itself where the parameters name the record.
fn path(context: &Context<'_>) -> Result<String, Problem> {
    let Interaction::SearchAll { place: SearchPlace::Record(_), parameters } = &context.request.interaction else {
        return Ok(String::new());
    };
    let (types, _) = types(parameters)?;
    let named = types.iter().any(|resource_type| search::record_of(*resource_type, parameters).is_some());
    match context.facts {
        Some(facts) if !named => {
            let patient = super::known_type("Patient")?;
            Ok(format!("{}/*", context.server.reference(patient, facts.pid, Rid::PATIENT)))
        }
        Some(_) | None => Ok(String::new()),
    }
}
