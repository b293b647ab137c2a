//! The entries of a transaction that write, one by one on their way: resolved, decided, numbered.
use super::links::Links;
use super::matched::{Sought, matches};
use super::{Run, relocate};
use crate::audit::{Body, Outcome};
use crate::fhir::interaction::{BundleEntry, Parameters, RecordName, SearchPlace, Target, Then};
use crate::fhir::{Interaction, IssueKind, Problem, Resource, ResourceType};
use crate::ids::{Pid, Rid};
use crate::policy::Facts;
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
    Perform(Access, Option<Facts>),
    /// It was settled by what its criteria matched.
    Settled(Outcome),
}

impl Step<'_> {
    /// Number of what the entry makes, where it makes something.
    pub(super) fn made(&self, links: &Links) -> Option<Rid> {
        self.place.filter(|place| links.is_coming(*place)).map(|place| place.2)
    }
    /// The record of the entry.
    pub(super) fn pid(&self) -> Pid {
        match &self.doing {
            Doing::Perform(_, Some(facts)) => facts.pid,
            Doing::Perform(_, None) | Doing::Settled(_) => self.place.map_or(Pid::DIRECTORY, |place| place.1),
        }
    }
}

/// What a conditional entry has become.
enum Resolved {
    Do(Interaction),
    Settled(Outcome, Option<(ResourceType, Pid, Rid)>),
}

/// Every entry that writes, resolved against the state before, decided, numbered and named.
///
/// # Errors
/// The first problem, at its entry.
pub(super) fn resolve<'a>(
    run: &Run<'_>,
    entries: &'a [BundleEntry],
    entered: &mut Entered,
    links: &mut Links,
) -> Result<Vec<Step<'a>>, Problem> {
    let writes = |(index, entry): (usize, &'a BundleEntry)| match &entry.interaction {
        Ok(interaction) if interaction.writes() => Some((index, entry, interaction)),
        Ok(_) | Err(_) => None,
    };
    let mut found: Vec<_> = entries.iter().enumerate().filter_map(writes).collect();
    // A Patient of the Bundle names the record of the others.
    found.sort_by_key(|(index, _, interaction)| (!is_patient(interaction), *index));
    let mut steps = Vec::with_capacity(found.len());
    for (index, entry, interaction) in found {
        steps.push(step(run, index, entry, interaction, entered, links).map_err(|problem| relocate(index, &problem))?);
    }
    steps.sort_by_key(|step| step.index);
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
    let mut interaction = match interaction {
        Interaction::Conditional { resource_type, place, criteria, then } => {
            let sought = Sought { resource_type: *resource_type, place: place.clone(), parameters: criteria };
            let (found, _) = matches(run, sought, entered)?;
            if found.is_empty() {
                unmatched = Some((*resource_type, place.clone(), criteria.clone()));
            }
            match resolved(run, *resource_type, then, found)? {
                Resolved::Do(interaction) => interaction,
                Resolved::Settled(outcome, place) => {
                    let request = run.request_of_entry(Interaction::Transaction { entries: Vec::new() }, entry);
                    let step = Step { index, entry, request, doing: Doing::Settled(outcome), place, unmatched: None };
                    name(run, &step, links)?;
                    return Ok(step);
                }
            }
        }
        plain => plain.clone(),
    };
    links.name_record(run.server, &mut interaction);
    let request = run.request_of_entry(interaction, entry);
    let request = alias::resolved(run.unit, &request)?.into_owned();
    let (access, facts) = enter(&request, &request.interaction, run.unit, entered)?;
    let place = place(run, &request.interaction, facts.as_ref(), links)?;
    let step = Step { index, entry, request, doing: Doing::Perform(access, facts), place, unmatched };
    name(run, &step, links)?;
    Ok(step)
}

/// What is done with what criteria matched. <https://hl7.org/fhir/R4/http.html#cond-update>
fn resolved(run: &Run<'_>, resource_type: ResourceType, then: &Then, found: Vec<Stored>) -> Result<Resolved, Problem> {
    if found.len() > 1 {
        return Err(Problem::new(IssueKind::MultipleMatches, "The criteria match several resources"));
    }
    let found = found.into_iter().next();
    let target = |stored: &Stored| Target::at(stored.resource_type, stored.pid, stored.rid);
    Ok(match (then, found) {
        (Then::Create(create), None) => Resolved::Do((**create).clone()),
        (Then::Create(_), Some(stored)) => {
            let place = (stored.resource_type, stored.pid, stored.rid);
            Resolved::Settled(existing(run, stored), Some(place))
        }
        (Then::Update { record, if_match, body }, Some(stored)) => {
            let id = run.server.id(stored.pid, stored.rid);
            Resolved::Do(update(target(&stored), record.clone(), *if_match, with_id(body, &id)?))
        }
        (Then::Update { if_match: Some(_), .. }, None) => {
            return Err(Problem::new(IssueKind::VersionConflict, "If-Match names a version of what is not here"));
        }
        (Then::Update { record, body, .. }, None) => match body.get("id").and_then(serde_json::Value::as_str) {
            Some(id) => {
                let place = run.server.store.id_cipher().open(id);
                let alias = place.is_none().then(|| id.to_owned());
                Resolved::Do(update(Target { resource_type, place, alias }, record.clone(), None, body.clone()))
            }
            None => Resolved::Do(create(resource_type, record.clone(), body.clone())),
        },
        (Then::Patch { if_match, patch }, Some(stored)) => {
            Resolved::Do(Interaction::Patch { target: target(&stored), if_match: *if_match, patch: patch.clone() })
        }
        (Then::Patch { .. }, None) => return Err(Problem::new(IssueKind::ResourceNotFound, "No such resource here")),
        (Then::Delete { if_match }, Some(stored)) => {
            Resolved::Do(Interaction::Delete { target: target(&stored), if_match: *if_match })
        }
        (Then::Delete { .. }, None) => Resolved::Settled(Outcome::new(204, Body::Empty, Vec::new()), None),
    })
}

/// The body of a conditional update may name the resource that it is about, and no other.
fn with_id(body: &Resource, id: &str) -> Result<Resource, Problem> {
    let mut body = body.clone();
    match body.get("id").and_then(serde_json::Value::as_str) {
        Some(stated) if stated != id => {
            Err(Problem::new(IssueKind::Malformed, "The id of the body is not that of the resource that the criteria match"))
        }
        Some(_) => Ok(body),
        None => {
            body.insert("id".into(), id.into());
            Ok(body)
        }
    }
}

fn update(target: Target, record: Option<RecordName>, if_match: Option<i64>, body: Resource) -> Interaction {
    match target.resource_type.name() {
        "Consent" => Interaction::UpdateConsent { target, if_match, body },
        _generic => Interaction::Update { target, record, if_match, body },
    }
}

fn create(resource_type: ResourceType, record: Option<RecordName>, body: Resource) -> Interaction {
    match (resource_type.name(), record) {
        ("Consent", Some(record)) => Interaction::CreateConsent { record, body },
        ("DocumentReference", Some(record)) => Interaction::Deposit { record, body },
        ("Patient", _) => Interaction::Open { patient: body, consents: Vec::new(), position: None },
        (_generic, record) => Interaction::Create { resource_type, record, body },
    }
}

/// A conditional create that found its resource: nothing is written. <https://hl7.org/fhir/R4/http.html#ccreate>
fn existing(run: &Run<'_>, stored: Stored) -> Outcome {
    let reference = run.server.reference(stored.resource_type, stored.pid, stored.rid);
    Outcome {
        version: Some(stored.version),
        updated: Some(stored.updated.0),
        location: Some(format!("{reference}/_history/{}", stored.version)),
        ..Outcome::new(200, Body::Fhir(stored.body), Vec::new())
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
        Interaction::Delete { target, .. } => {
            links.leaving.extend(target.place);
            of(target)
        }
        Interaction::Update { target, .. } | Interaction::Patch { target, .. } | Interaction::UpdateConsent { target, .. } => {
            of(target)
        }
        _without_a_place => None,
    })
}

/// Says where the entry of this fullUrl is.
fn name(run: &Run<'_>, step: &Step<'_>, links: &mut Links) -> Result<(), Problem> {
    let (Some(full_url), Some((resource_type, pid, rid))) = (&step.entry.full_url, step.place) else { return Ok(()) };
    let version = match &step.doing {
        Doing::Settled(outcome) => outcome.version.unwrap_or(1),
        Doing::Perform(..) if links.is_coming((resource_type, pid, rid)) => 1,
        Doing::Perform(access, _) => {
            store::resource_read(run.unit, access, resource_type, rid)?.map_or(1, |stored| stored.version.saturating_add(1))
        }
    };
    let reference = match &step.request.interaction {
        Interaction::Update { target: Target { alias: Some(id), .. }, .. }
        | Interaction::Patch { target: Target { alias: Some(id), .. }, .. } => format!("{resource_type}/{id}"),
        _sealed => run.server.reference(resource_type, pid, rid),
    };
    if links.names.insert(full_url, reference, version) {
        return Ok(());
    }
    Err(Problem::new(IssueKind::Malformed, "Another entry has the same fullUrl"))
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
