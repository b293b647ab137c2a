//! A Bundle of type transaction: all or nothing, each entry decided like a request of its own.
//! <https://hl7.org/fhir/R4/http.html#transaction>
//!
//! References between entries (by fullUrl) become literal before anything is stored.
use super::create::{Draft, created, draft, forget_claims, name_record};
use super::submit_document::Deposits;
use super::{Context, Entered, Request, Server, enter, perform, references};
use crate::audit::{Action, Body, Outcome};
use crate::clock::Millis;
use crate::fhir::bundle::{self, EntryResponse};
use crate::fhir::interaction::TransactionEntry;
use crate::fhir::names::Names;
use crate::fhir::{Interaction, Issue, IssueKind, Problem, Resource, ResourceType};
use crate::ids::{Pid, Rid};
use crate::policy::Facts;
use crate::store::{self, Access, NewResource, Unit};
use std::collections::{HashMap, HashSet};

/// One entry that creates, after `decide`.
struct Step<'a> {
    access: Access,
    facts: Option<Facts>,
    resource_type: ResourceType,
    pid: Pid,
    rid: Rid,
    body: &'a Resource,
}

/// Runs every entry in one unit.
///
/// # Errors
/// The first problem, with `Bundle.entry[n]` before its location; nothing is stored then.
pub(super) fn transaction(
    server: &Server,
    request: &Request,
    deposits: &Deposits,
    unit: &Unit,
    entries: &[TransactionEntry],
    entered: &mut Entered,
) -> Result<Outcome, Problem> {
    let mut steps = Vec::with_capacity(entries.len());
    let mut names = Names::new(server.base());
    let mut events = Vec::new();
    let mut answers: Vec<Option<EntryResponse>> = entries.iter().map(|_| None).collect();
    for (index, entry) in entries.iter().enumerate() {
        let at = |problem: Problem| relocate(index, &problem);
        let (access, facts) = enter(request, &entry.interaction, unit, entered).map_err(at)?;
        let Interaction::Create { resource_type, body, .. } = &entry.interaction else {
            // Documents and Consents are use cases of their own: nothing refers to them by fullUrl here.
            let context = Context { server, unit, request, facts: facts.as_ref() };
            let outcome = perform(&context, &access, &entry.interaction, deposits.get(index)).map_err(at)?;
            events.extend(outcome.events.iter().cloned());
            if let Some(slot) = answers.get_mut(index) {
                *slot = Some(of_outcome(outcome));
            }
            continue;
        };
        let pid = facts.as_ref().map_or(Pid::DIRECTORY, |facts| facts.pid);
        let rid = unit.next_rid();
        if let Some(full_url) = &entry.full_url
            && !names.insert(full_url, server.reference(*resource_type, pid, rid), 1)
        {
            return Err(Problem::at(
                IssueKind::Malformed,
                format!("Bundle.entry[{index}].fullUrl"),
                "Another entry has the same fullUrl",
            ));
        }
        steps.push((index, Step { access, facts, resource_type: *resource_type, pid, rid, body }));
    }
    let coming: HashSet<(ResourceType, Pid, Rid)> =
        steps.iter().map(|(_, step)| (step.resource_type, step.pid, step.rid)).collect();
    let mut new: Vec<NewResource> = Vec::with_capacity(steps.len());
    for (index, step) in &steps {
        let context = Context { server, unit, request, facts: step.facts.as_ref() };
        let resource = prepared(&context, step, &names, &coming).map_err(|problem| relocate(*index, &problem))?;
        let event = context.event_on(Action::Create, 201, step.resource_type, step.pid, step.rid);
        let outcome = created(&context, &step.access, step.pid, &resource, vec![event]);
        events.extend(outcome.events.iter().cloned());
        if let Some(slot) = answers.get_mut(*index) {
            // The body is not sent back: a client that wants it reads it.
            *slot = Some(EntryResponse { resource: None, ..of_outcome(outcome) });
        }
        new.push(resource);
    }
    put(unit, &steps, new)?;
    let entries: Vec<EntryResponse> = answers.into_iter().flatten().collect();
    Ok(Outcome::new(200, Body::Fhir(bundle::transaction_response(&entries)), events))
}

/// Stores runs of the same record with one call each.
fn put(unit: &Unit, steps: &[(usize, Step<'_>)], new: Vec<NewResource>) -> Result<(), Problem> {
    let mut by_record: HashMap<Pid, (&Access, Vec<NewResource>)> = HashMap::new();
    for ((_, step), resource) in steps.iter().zip(new) {
        by_record.entry(step.pid).or_insert_with(|| (&step.access, Vec::new())).1.push(resource);
    }
    for (access, resources) in by_record.into_values() {
        store::resource_put(unit, access, &resources)?;
    }
    Ok(())
}

fn prepared(
    context: &Context<'_>,
    step: &Step<'_>,
    names: &Names,
    coming: &HashSet<(ResourceType, Pid, Rid)>,
) -> Result<NewResource, Problem> {
    let mut body = step.body.clone();
    forget_claims(&mut body, None);
    name_record(context, step.resource_type, &mut body)?;
    names.replace(&mut body, None);
    references::check(context, &step.access, step.pid, &body, coming)?;
    draft(context, &step.access, Draft { pid: step.pid, rid: step.rid, version: 1, body, origin: None })
}

/// What an entry is answered.
pub(super) fn of_outcome(outcome: Outcome) -> EntryResponse {
    EntryResponse {
        status: if outcome.status == 201 { "201 Created".to_owned() } else { outcome.status.to_string() },
        location: outcome.location,
        etag: outcome.version.map(|version| format!("W/\"{version}\"")),
        last_modified: outcome.updated.map(|updated| Millis(updated).instant()),
        resource: match outcome.body {
            Body::Fhir(bytes) => Some(bytes),
            Body::Empty | Body::Raw { .. } => None,
        },
        ..EntryResponse::default()
    }
}

/// The same problem, said of one entry of the Bundle.
pub fn relocate(index: usize, problem: &Problem) -> Problem {
    let issues = problem.issues().map(|issue| {
        let inside = issue.expression.as_deref().map(|inner| inner.split_once('.'));
        let expression = match inside {
            None => format!("Bundle.entry[{index}]"),
            Some(None) => format!("Bundle.entry[{index}].resource"),
            Some(Some((_, rest))) => format!("Bundle.entry[{index}].resource.{rest}"),
        };
        Issue { expression: Some(expression), ..issue.clone() }
    });
    Problem::from_issues(issues.collect()).unwrap_or_else(|| problem.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_inside_a_resource_becomes_one_inside_its_entry() {
        let at = |expression: Option<&str>| {
            let problem = match expression {
                Some(expression) => Problem::at(IssueKind::BusinessRule, expression, "Wrong"),
                None => Problem::new(IssueKind::BusinessRule, "Wrong"),
            };
            relocate(2, &problem).issues().next().unwrap().expression.clone().unwrap()
        };
        assert_eq!(at(Some("Patient.name[0].family")), "Bundle.entry[2].resource.name[0].family");
        assert_eq!(at(Some("Patient")), "Bundle.entry[2].resource");
        assert_eq!(at(None), "Bundle.entry[2]");
    }
}
