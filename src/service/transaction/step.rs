//! The entries of a transaction that write, one by one on their way: resolved, decided, numbered.
use super::links::Links;
use super::{Run, relocate};
use crate::audit::Outcome;
use crate::fhir::interaction::{BundleEntry, Parameters, SearchPlace, Target, Then};
use crate::fhir::{Interaction, IssueKind, Problem, ResourceType};
use crate::ids::{Pid, Rid};
use crate::policy::Facts;
use crate::service::conditional::{self, Asked, Next};
use crate::service::{Entered, Request, alias, enter, known_type};
use crate::store::{self, Access, Stored};
use std::collections::HashMap;

/// An entry that writes, after `decide`.
pub(super) struct Step<'a> {
    pub(super) index: usize,
    pub(super) entry: &'a BundleEntry,
    /// The entry as a request of its own.
    pub(super) request: Request,
    pub(super) doing: Doing,
    /// The resource that it is about; a deposit and what is settled without one have none.
    pub(super) place: Option<(ResourceType, Pid, Rid)>,
    /// The criteria of a conditional entry that matched nothing: what the Bundle brings must match them once.
    pub(super) unmatched: Option<(ResourceType, SearchPlace, Parameters)>,
}

/// What is to be done with an entry.
pub(super) enum Doing {
    /// Its use case is performed.
    Perform(Box<Decided>),
    /// It was settled by what its criteria matched.
    Settled(Outcome),
}

/// What `decide` gave an entry.
pub(super) struct Decided {
    pub(super) access: Access,
    pub(super) facts: Option<Facts>,
}

impl Step<'_> {
    /// Number of what the entry makes, where it makes something.
    pub(super) fn made(&self, links: &Links) -> Option<Rid> {
        self.place.filter(|place| links.is_coming(*place)).map(|place| place.2)
    }
    /// The record of the entry.
    pub(super) fn pid(&self) -> Pid {
        match &self.doing {
            Doing::Perform(decided) => decided.facts.as_ref().map_or(Pid::DIRECTORY, |facts| facts.pid),
            Doing::Settled(_) => self.place.map_or(Pid::DIRECTORY, |place| place.1),
        }
    }
}

/// Whether an entry deletes, by id or by criteria.
pub(super) fn deletes(interaction: &Interaction) -> bool {
    matches!(interaction, Interaction::Delete { .. } | Interaction::Conditional { then: Then::Delete { .. }, .. })
}

/// The entries of this kind that write, resolved against the state as it is, decided, numbered and named.
///
/// # Errors
/// The first problem, at its entry.
pub(super) fn resolve<'a>(
    run: &Run<'_>,
    entries: &'a [BundleEntry],
    of_kind: impl Fn(&Interaction) -> bool,
    entered: &mut Entered,
    links: &mut Links,
) -> Result<Vec<Step<'a>>, Problem> {
    let writes = |(index, entry): (usize, &'a BundleEntry)| match &entry.interaction {
        Ok(interaction) if interaction.writes() && of_kind(interaction) => Some((index, entry, interaction)),
        Ok(_) | Err(_) => None,
    };
    let mut found: Vec<_> = entries.iter().enumerate().filter_map(writes).collect();
    // A Patient of the Bundle names the record of the others.
    found.sort_by_key(|(index, _, interaction)| (!is_patient(interaction), *index));
    let mut steps = Vec::with_capacity(found.len());
    for (index, entry, interaction) in found {
        steps.push(step(run, index, entry, interaction, entered, links).map_err(|problem| relocate(index, &problem))?);
    }
    Ok(steps)
}

fn is_patient(interaction: &Interaction) -> bool {
    crate::service::resource_type(interaction).is_some_and(|resource_type| resource_type.name() == "Patient")
}

fn step<'a>(
    run: &Run<'_>,
    index: usize,
    entry: &'a BundleEntry,
    interaction: &Interaction,
    entered: &mut Entered,
    links: &mut Links,
) -> Result<Step<'a>, Problem> {
    let mut unmatched = None;
    let (request, access, facts) = match interaction {
        Interaction::Conditional { resource_type, place, criteria, then } => {
            let asked = Asked { resource_type: *resource_type, place, criteria, then };
            let mut follows = match conditional::next(run.server, run.request, run.unit, &asked, entered)? {
                Next::Do(follows) => *follows,
                Next::Ignored(stored) => return settled(run, index, entry, *stored, links),
            };
            if makes(&follows) {
                unmatched = Some((*resource_type, place.clone(), criteria.clone()));
            }
            links.name_record(run.server, &mut follows);
            let request = alias::resolved_record(run.unit, run.request_of_entry(follows, entry))?;
            let (access, facts) = enter(&request, &request.interaction, run.unit, entered)?;
            (request, access, facts)
        }
        plain => {
            let mut plain = plain.clone();
            links.name_record(run.server, &mut plain);
            let request = run.request_of_entry(plain, entry);
            let request = alias::resolved(run.unit, &request)?;
            let (request, access, facts) = alias::enter(request, run.unit, entered)?;
            (request.into_owned(), access, facts)
        }
    };
    let place = place(run, &request.interaction, facts.as_ref(), links)?;
    let step = Step { index, entry, request, doing: Doing::Perform(Box::new(Decided { access, facts })), place, unmatched };
    if entry.full_url.is_some()
        && let Some((reference, version)) = called(run, &step, links)?
    {
        name(entry, reference, version, links)?;
    }
    Ok(step)
}

/// A conditional create that found its resource: nothing is written. <https://hl7.org/fhir/R4/http.html#ccreate>
fn settled<'a>(
    run: &Run<'_>,
    index: usize,
    entry: &'a BundleEntry,
    stored: Stored,
    links: &mut Links,
) -> Result<Step<'a>, Problem> {
    let place = (stored.resource_type, stored.pid, stored.rid);
    let reference = format!("{}/{}", stored.resource_type, stored.id()?);
    let request = run.request_of_entry(Interaction::Transaction { entries: Vec::new() }, entry);
    let version = stored.version;
    let outcome = conditional::ignored(run.server, &request, run.unit, stored);
    name(entry, reference, version, links)?;
    Ok(Step { index, entry, request, doing: Doing::Settled(outcome), place: Some(place), unmatched: None })
}

/// Whether an interaction makes a resource that is not here.
fn makes(interaction: &Interaction) -> bool {
    match interaction {
        Interaction::Create { .. } | Interaction::CreateConsent { .. } => true,
        Interaction::Update { target, .. } => target.place.is_none(),
        _other => false,
    }
}

/// The resource that an entry is about; what it makes gets its number here, so that every other entry can refer to it.
fn place(
    run: &Run<'_>,
    interaction: &Interaction,
    facts: Option<&Facts>,
    links: &mut Links,
) -> Result<Option<(ResourceType, Pid, Rid)>, Problem> {
    let pid = facts.map_or(Pid::DIRECTORY, |facts| facts.pid);
    let of = |target: &Target| target.place.map(|(pid, rid)| (target.resource_type, pid, rid));
    let mut make = |resource_type: ResourceType| {
        let place = (resource_type, pid, run.unit.next_rid());
        links.coming.insert(place);
        place
    };
    Ok(match interaction {
        Interaction::Create { resource_type, .. } => Some(make(*resource_type)),
        Interaction::CreateConsent { .. } => Some(make(known_type("Consent")?)),
        Interaction::Update { target, .. } if target.place.is_none() => {
            let place = make(target.resource_type);
            if let Some(id) = &target.alias
                && links.aliases.insert((target.resource_type, id.clone()), (place.1, place.2)).is_some()
            {
                return Err(twice());
            }
            Some(place)
        }
        Interaction::Delete { target, .. }
        | Interaction::Update { target, .. }
        | Interaction::Patch { target, .. }
        | Interaction::UpdateConsent { target, .. } => of(target),
        _without_a_place => None,
    })
}

/// What the resource of an entry is called here, and the version that it gets.
fn called(run: &Run<'_>, step: &Step<'_>, links: &Links) -> Result<Option<(String, i64)>, Problem> {
    let (Some((resource_type, pid, rid)), Doing::Perform(decided)) = (step.place, &step.doing) else { return Ok(None) };
    let version = if links.is_coming((resource_type, pid, rid)) {
        1
    } else {
        store::resource_read(run.unit, &decided.access, resource_type, rid)?.map_or(1, |stored| stored.version.saturating_add(1))
    };
    let id = match &step.request.interaction {
        Interaction::Update { target, .. } | Interaction::Patch { target, .. } => target.alias.clone(),
        _sealed => None,
    };
    let id = id.unwrap_or_else(|| run.server.id(pid, rid));
    Ok(Some((format!("{resource_type}/{id}"), version)))
}

/// Says where the entry of this fullUrl is.
fn name(entry: &BundleEntry, reference: String, version: i64, links: &mut Links) -> Result<(), Problem> {
    match &entry.full_url {
        Some(full_url) if !links.names.insert(full_url, reference, version) => {
            Err(Problem::new(IssueKind::Malformed, "Another entry has the same fullUrl"))
        }
        Some(_) | None => Ok(()),
    }
}

fn twice() -> Problem {
    Problem::new(IssueKind::InvariantBroken, "Another entry is about the same resource")
}

/// No two entries are about the same resource, also through what their criteria matched.
///
/// # Errors
/// 422 at the second of them.
pub(super) fn check_identities(steps: &[Step<'_>]) -> Result<(), Problem> {
    let mut seen: HashMap<(Pid, Rid), usize> = HashMap::new();
    for step in steps {
        if let Some((_, pid, rid)) = step.place
            && seen.insert((pid, rid), step.index).is_some()
        {
            return Err(relocate(step.index, &twice()));
        }
    }
    Ok(())
}
