//! A Bundle of type transaction: all or nothing, each entry decided like a request of its own.
//! <https://hl7.org/fhir/R4/http.html#transaction>
//!
//! The order of the entries says nothing. Records are locked in one order. DELETE is first: its entries are resolved and
//! decided on the state before, and done. Every other entry that writes is resolved and decided on what they left, so that
//! criteria do not find what the Bundle deletes, and not yet what it makes; identities are compared; what the Bundle makes
//! gets its numbers, so that names become literal. Then documents, POST, PUT and PATCH, Consents; what refers by criteria
//! after these, so that the criteria find what the Bundle brings; GET last. Whether something still refers to what was
//! deleted is asked in the end: what the other entries no longer refer to may go.
mod answer;
mod links;
mod step;
mod write;

pub use answer::relocate;
pub(super) use answer::{of_failure, of_outcome};
pub(super) use links::Links;

use super::submit_document::Deposits;
use super::{Context, Entered, Request, Server, alias, perform};
use crate::audit::{Body, Event, Outcome};
use crate::fhir::bundle::{self, EntryResponse};
use crate::fhir::interaction::{BundleEntry, SearchPlace, Then};
use crate::fhir::{Interaction, Problem};
use crate::ids::{Pid, Rid};
use crate::policy;
use crate::store::Unit;
use std::collections::BTreeSet;

/// What a use case is told that is one entry of a transaction.
pub(crate) struct Within<'a> {
    /// Number of what the entry makes.
    pub(super) rid: Option<Rid>,
    /// What the other entries make.
    pub(super) links: &'a Links,
}

/// What every part of a transaction needs.
struct Run<'a> {
    server: &'a Server,
    request: &'a Request,
    deposits: &'a Deposits,
    unit: &'a Unit,
}

/// What is answered, in the order of the request.
struct Answers {
    entries: Vec<Option<EntryResponse>>,
    events: Vec<Event>,
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
    entries: &[BundleEntry],
    entered: &mut Entered,
) -> Result<Outcome, Problem> {
    let run = Run { server, request, deposits, unit };
    for (index, entry) in entries.iter().enumerate() {
        if let Err(problem) = &entry.interaction {
            return Err(relocate(index, problem));
        }
    }
    run.lock(entries)?;
    let mut links = Links::new(server.base());
    let mut answers = Answers { entries: entries.iter().map(|_| None).collect(), events: Vec::new() };
    let mut steps = step::resolve(&run, entries, step::deletes, entered, &mut links)?;
    step::check_identities(&steps)?;
    let deleted = write::delete(&run, &steps, &links, entered, &mut answers)?;
    let others = |interaction: &Interaction| !step::deletes(interaction);
    steps.extend(step::resolve(&run, entries, others, entered, &mut links)?);
    steps.sort_by_key(|step| step.index);
    step::check_identities(&steps)?;
    write::write(&run, &mut steps, &mut links, entered, &mut answers)?;
    write::check_referred(&run, &steps, &deleted)?;
    run.read(entries, entered, &mut answers)?;
    let entries: Vec<EntryResponse> = answers.entries.into_iter().flatten().collect();
    Ok(Outcome::new(200, Body::Fhir(bundle::transaction_response(&entries)), answers.events))
}

impl Run<'_> {
    /// Locks the records of all entries that write, in the order of their numbers: two transactions about the same records
    /// never wait for each other.
    fn lock(&self, entries: &[BundleEntry]) -> Result<(), Problem> {
        let mut records = BTreeSet::new();
        for interaction in entries.iter().filter_map(|entry| entry.interaction.as_ref().ok()).filter(|one| one.writes()) {
            let request = self.request.with(concerned(interaction));
            let request = alias::resolved(self.unit, &request)?;
            match policy::record_concerned(&self.request.caller, &request.interaction) {
                Some(name) => records.extend(self.unit.facts(&name)?.map(|facts| facts.pid)),
                None => records.extend(Some(Pid::DIRECTORY)),
            }
        }
        records.into_iter().try_for_each(|pid| self.unit.hold(pid))
    }

    /// The entries that read, on the state that the others have made.
    fn read(&self, entries: &[BundleEntry], entered: &mut Entered, answers: &mut Answers) -> Result<(), Problem> {
        for (index, entry) in entries.iter().enumerate() {
            let Some(interaction) = entry.interaction.as_ref().ok().filter(|interaction| !interaction.writes()) else { continue };
            let mut read = || -> Result<Outcome, Problem> {
                let request = self.request_of_entry(interaction.clone(), entry);
                let request = alias::resolved(self.unit, &request)?;
                let (request, access, facts) = alias::enter(request, self.unit, entered)?;
                let context =
                    Context { server: self.server, unit: self.unit, request: &request, facts: facts.as_ref(), within: None };
                perform(&context, &access, &request.interaction, None)
            };
            let outcome = read().map_err(|problem| relocate(index, &problem))?;
            self.answer(answers, index, entry, outcome);
        }
        Ok(())
    }

    fn answer(&self, answers: &mut Answers, index: usize, entry: &BundleEntry, outcome: Outcome) {
        answers.events.extend(outcome.events.iter().cloned());
        if let Some(slot) = answers.entries.get_mut(index) {
            *slot = Some(of_outcome(outcome, entry.method, self.request.preference));
        }
    }

    /// An entry as a request of its own.
    fn request_of_entry(&self, interaction: Interaction, entry: &BundleEntry) -> Request {
        Request {
            none_match: entry.none_match,
            modified_since: entry.modified_since,
            query: entry.query.clone(),
            ..self.request.with(interaction)
        }
    }
}

/// An interaction that is about the same record, without the body: enough to find its lock.
fn concerned(interaction: &Interaction) -> Interaction {
    let search = |resource_type, place: SearchPlace| Interaction::Search { resource_type, place, parameters: Default::default() };
    let in_record = |resource_type, record: &Option<_>| {
        let place = record.clone().map_or(SearchPlace::Directory, SearchPlace::Record);
        search(resource_type, place)
    };
    match interaction {
        Interaction::Conditional { then: Then::Create(create), .. } => concerned(create),
        Interaction::Conditional { resource_type, then: Then::Update { record, .. }, .. }
        | Interaction::Create { resource_type, record, .. } => in_record(*resource_type, record),
        Interaction::Conditional { resource_type, place, .. } => search(*resource_type, place.clone()),
        Interaction::Update { target, .. } | Interaction::UpdateConsent { target, .. } | Interaction::Patch { target, .. }
            if target.place.is_some() || target.alias.is_some() =>
        {
            Interaction::Delete { target: target.clone(), if_match: None }
        }
        Interaction::Update { target, record, .. } => in_record(target.resource_type, record),
        other => other.clone(),
    }
}
