//! The entries of a transaction that write, in the order that depends on none of their places.
use super::links::{self, Criteria, Links, body_mut};
use super::matched::{Sought, matches};
use super::step::{Doing, Step};
use super::{Answers, Run, Within, relocate};
use crate::audit::{Action, Outcome};
use crate::fhir::interaction::{Parameters, SearchPlace};
use crate::fhir::names::Names;
use crate::fhir::resource_type::Home;
use crate::fhir::{Interaction, IssueKind, Problem, Resource, ResourceType};
use crate::ids::{Pid, Rid};
use crate::service::create::{self, created};
use crate::service::{Context, Entered, enter, perform};
use crate::store::{self, Access, NewResource, Stored};
use std::collections::{BTreeMap, HashMap, HashSet};

/// When an entry is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    /// Documents: only their filing tells which resource they are.
    Document,
    /// What creates or changes a resource.
    Resource,
    /// Consents: after what was decided on the state before them.
    Consent,
    /// Deletions.
    Delete,
    /// What refers by criteria.
    ByCriteria,
}

/// Writes every entry and answers it.
///
/// # Errors
/// The first problem, at its entry.
pub(super) fn write(
    run: &Run<'_>,
    steps: &mut [Step<'_>],
    links: &mut Links,
    entered: &mut Entered,
    answers: &mut Answers,
) -> Result<(), Problem> {
    for step in steps.iter_mut() {
        if let Doing::Settled(outcome) = &step.doing {
            run.answer(answers, step.index, step.entry, outcome.clone());
        }
    }
    steps_of(run, steps, Turn::Document, links, entered, answers)?;
    for step in steps.iter_mut() {
        links.replace(step);
    }
    for turn in [Turn::Resource, Turn::Consent, Turn::Delete] {
        steps_of(run, steps, turn, links, entered, answers)?;
    }
    if steps.iter().any(|step| turn_of(run, step) == Some(Turn::ByCriteria)) {
        resolve_criteria(run, steps, entered)?;
        steps_of(run, steps, Turn::ByCriteria, links, entered, answers)?;
    }
    check_unmatched(run, steps, entered)
}

fn turn_of(run: &Run<'_>, step: &Step<'_>) -> Option<Turn> {
    if matches!(step.doing, Doing::Settled(_)) {
        return None;
    }
    Some(match &step.request.interaction {
        Interaction::Deposit { .. } => Turn::Document,
        Interaction::CreateConsent { .. } | Interaction::UpdateConsent { .. } => Turn::Consent,
        Interaction::Patch { target, .. } if target.resource_type.name() == "Consent" => Turn::Consent,
        Interaction::Delete { .. } => Turn::Delete,
        Interaction::Create { body, .. } | Interaction::Update { body, .. } if has_criteria(run, step, body) => Turn::ByCriteria,
        _other => Turn::Resource,
    })
}
