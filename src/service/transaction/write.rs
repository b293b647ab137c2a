//! The entries of a transaction that write, in the order that depends on none of their places.
use super::links::{self, Criteria, Links, body_mut};
use super::step::{Doing, Step};
use super::{Answers, Run, Within, relocate};
use crate::audit::{Action, Outcome};
use crate::fhir::interaction::{Parameters, RecordName, SearchPlace};
use crate::fhir::reference::{Link, links_mut};
use crate::fhir::resource_type::Home;
use crate::fhir::{Interaction, Issue, IssueKind, Problem, Resource, ResourceType};
use crate::ids::{Pid, Rid};
use crate::search::{self, MatchContext, Predicate, Query};
use crate::service::create::{self, created};
use crate::service::delete::check_unreferred;
use crate::service::matched::{Found, Sought, matched};
use crate::service::{Context, Entered, enter, perform};
use crate::store::{self, Access, NewResource, Stored};
use std::collections::{BTreeMap, HashMap, HashSet};

/// When an entry is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// Not with the others: what its criteria matched settled it, or it deletes.
    Never,
    /// Documents: only their filing tells which resource they are.
    Document,
    /// What creates or changes a resource.
    Resource,
    /// Consents: after what was decided on the state before them.
    Consent,
    /// What refers by criteria.
    ByCriteria,
}

/// Deletes and answers, before everything else: the indices of the entries that deleted something.
///
/// # Errors
/// The first problem, at its entry.
pub(super) fn delete(
    run: &Run<'_>,
    steps: &[Step<'_>],
    links: &Links,
    entered: &mut Entered,
    answers: &mut Answers,
) -> Result<HashSet<usize>, Problem> {
    let mut deleted = HashSet::new();
    for step in steps {
        let at = |problem: Problem| relocate(step.index, &problem);
        if let (Doing::Perform(decided), Some((resource_type, _, rid))) = (&step.doing, step.place)
            // A document is withdrawn, with what came of it: its references stay (decision 2).
            && resource_type.name() != "DocumentReference"
            && store::resource_read(run.unit, &decided.access, resource_type, rid)?.is_some()
        {
            deleted.insert(step.index);
        }
        let outcome = perform_step(run, step, links, entered).map_err(at)?;
        run.answer(answers, step.index, step.entry, outcome);
    }
    Ok(deleted)
}

/// Whether nothing that the callers of these entries see refers in the end to what they deleted.
///
/// # Errors
/// 409 at the first entry that deleted what something still refers to.
pub(super) fn check_referred(run: &Run<'_>, steps: &[Step<'_>], deleted: &HashSet<usize>) -> Result<(), Problem> {
    for step in steps.iter().filter(|step| deleted.contains(&step.index)) {
        let (Doing::Perform(decided), Some((_, _, rid))) = (&step.doing, step.place) else { continue };
        check_unreferred(run.unit, &decided.access, rid).map_err(|problem| relocate(step.index, &problem))?;
    }
    Ok(())
}

/// Writes every entry but those that delete, and answers it.
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
    documents(run, steps, links, entered, answers)?;
    for step in steps.iter_mut() {
        links.replace(step);
        name_person(run, step);
    }
    let turns: Vec<Turn> = steps.iter().map(|step| turn(run, step)).collect();
    for now in [Turn::Resource, Turn::Consent] {
        write_turn(run, of(steps, &turns, now), links, entered, answers)?;
    }
    if turns.contains(&Turn::ByCriteria) {
        resolve_criteria(run, steps, &turns, links, entered)?;
        write_turn(run, of(steps, &turns, Turn::ByCriteria), links, entered, answers)?;
    }
    check_unmatched(run, steps, entered)
}

fn turn(run: &Run<'_>, step: &Step<'_>) -> Turn {
    if matches!(step.doing, Doing::Settled(_)) {
        return Turn::Never;
    }
    match &step.request.interaction {
        Interaction::Deposit { .. } => Turn::Document,
        Interaction::CreateConsent { .. } | Interaction::UpdateConsent { .. } => Turn::Consent,
        Interaction::Patch { target, .. } if target.resource_type.name() == "Consent" => Turn::Consent,
        Interaction::Delete { .. } => Turn::Never,
        Interaction::Create { body, .. } | Interaction::Update { body, .. }
            if !links::criteria(body, run.server.base()).is_empty() =>
        {
            Turn::ByCriteria
        }
        _other => Turn::Resource,
    }
}

fn of<'a, 'b>(steps: &'a [Step<'b>], turns: &[Turn], now: Turn) -> Vec<&'a Step<'b>> {
    steps.iter().zip(turns).filter(|(_, turn)| **turn == now).map(|(step, _)| step).collect()
}

/// Answers what is settled, and files the documents: what they are called is known only then.
fn documents(
    run: &Run<'_>,
    steps: &[Step<'_>],
    links: &mut Links,
    entered: &mut Entered,
    answers: &mut Answers,
) -> Result<(), Problem> {
    let mut filed = HashSet::new();
    for step in steps {
        let at = |problem: Problem| relocate(step.index, &problem);
        if let Doing::Settled(outcome) = &step.doing {
            run.answer(answers, step.index, step.entry, outcome.clone());
        }
        if !matches!(step.request.interaction, Interaction::Deposit { .. }) || !matches!(step.doing, Doing::Perform(..)) {
            continue;
        }
        let outcome = perform_step(run, step, links, entered).map_err(at)?;
        let place = outcome.location.as_deref().and_then(|location| location.split("/_history/").next());
        let reference = place.unwrap_or_default().to_owned();
        if let Some(full_url) = &step.entry.full_url
            && !links.names.insert(full_url, reference.clone(), outcome.version.unwrap_or(1))
        {
            return Err(at(Problem::new(IssueKind::Malformed, "Another entry has the same fullUrl")));
        }
        if place.is_some() && !filed.insert(reference) {
            return Err(at(Problem::new(IssueKind::InvariantBroken, "Another entry brings the same document")));
        }
        run.answer(answers, step.index, step.entry, outcome);
    }
    Ok(())
}

/// The use case of one entry.
fn perform_step(run: &Run<'_>, step: &Step<'_>, links: &Links, entered: &mut Entered) -> Result<Outcome, Problem> {
    let interaction = &step.request.interaction;
    let within = Within { rid: step.made(links), links };
    // The facts of a record change with each Consent: those are decided again, on what the ones before them left.
    let again = match interaction {
        Interaction::CreateConsent { .. } | Interaction::UpdateConsent { .. } | Interaction::Patch { .. } => {
            Some(enter(&step.request, interaction, run.unit, entered)?)
        }
        _other => None,
    };
    let (access, facts) = match (&again, &step.doing) {
        (Some((access, facts)), _) => (access, facts.as_ref()),
        (None, Doing::Perform(decided)) => (&decided.access, decided.facts.as_ref()),
        (None, Doing::Settled(outcome)) => return Ok(outcome.clone()),
    };
    let context = Context { server: run.server, unit: run.unit, request: &step.request, facts, within: Some(&within) };
    perform(&context, access, interaction, run.deposits.get(step.index))
}

/// Writes these entries: what creates with one call for each record, all else by its use case.
fn write_turn(
    run: &Run<'_>,
    steps: Vec<&Step<'_>>,
    links: &Links,
    entered: &mut Entered,
    answers: &mut Answers,
) -> Result<(), Problem> {
    let mut new: BTreeMap<Pid, (&Access, Vec<NewResource>)> = BTreeMap::new();
    for step in steps {
        let at = |problem: Problem| relocate(step.index, &problem);
        let (Interaction::Create { resource_type, body, .. }, Doing::Perform(decided)) = (&step.request.interaction, &step.doing)
        else {
            let outcome = perform_step(run, step, links, entered).map_err(at)?;
            run.answer(answers, step.index, step.entry, outcome);
            continue;
        };
        let (access, facts) = (&decided.access, &decided.facts);
        let within = Within { rid: step.made(links), links };
        let context =
            Context { server: run.server, unit: run.unit, request: &step.request, facts: facts.as_ref(), within: Some(&within) };
        let resource = create::prepared(&context, access, *resource_type, body).map_err(at)?;
        let pid = step.pid();
        let event = context.event_on(Action::Create, 201, *resource_type, pid, resource.rid);
        run.answer(answers, step.index, step.entry, created(&context, access, &resource, vec![event]));
        new.entry(pid).or_insert_with(|| (access, Vec::new())).1.push(resource);
    }
    for (access, resources) in new.into_values() {
        store::resource_put(run.unit, access, &resources)?;
    }
    Ok(())
}

/// The person of the record named by INS, wherever that stands: a name of the record, and no search.
fn name_person(run: &Run<'_>, step: &mut Step<'_>) {
    let Doing::Perform(decided) = &step.doing else { return };
    let Some(facts) = &decided.facts else { return };
    let (Some(ins), pid, base) = (facts.ins.clone(), facts.pid, run.server.base()) else { return };
    let Some(patient) = ResourceType::parse("Patient") else { return };
    let Some(body) = body_mut(&mut step.request.interaction) else { return };
    let named = |found: &Criteria| {
        let parameters = Parameters::parse(&found.query).unwrap_or_default();
        links::ins_of(found.resource_type, &parameters).as_ref() == Some(&ins)
    };
    let reference = run.server.reference(patient, pid, Rid::PATIENT);
    let found = links::criteria(body, base).into_iter().filter(named).map(|found| (found.text, reference.clone())).collect();
    put_references(body, &found);
}

fn put_references(body: &mut Resource, found: &HashMap<String, String>) {
    if found.is_empty() {
        return;
    }
    links_mut(body, &mut |link, text| {
        if let (Link::Reference, Some(reference)) = (link, found.get(text.as_str())) {
            text.clone_from(reference);
        }
    });
}

/// References by criteria become literal: each has exactly one match that the caller sees, in the state that the other
/// entries have made, or among those that wait for their own criteria.
fn resolve_criteria(
    run: &Run<'_>,
    steps: &mut [Step<'_>],
    turns: &[Turn],
    links: &Links,
    entered: &mut Entered,
) -> Result<(), Problem> {
    let mut known: HashMap<(Pid, String), String> = HashMap::new();
    for index in 0..steps.len() {
        if turns.get(index) != Some(&Turn::ByCriteria) {
            continue;
        }
        let Some(step) = steps.get(index) else { continue };
        let pid = step.pid();
        let body = match &step.request.interaction {
            Interaction::Create { body, .. } | Interaction::Update { body, .. } => body,
            _other => continue,
        };
        let mut found = HashMap::new();
        for one in links::criteria(body, run.server.base()) {
            let reference = match known.get(&(pid, one.text.clone())) {
                Some(reference) => reference.clone(),
                None => {
                    let waiting = of(steps, turns, Turn::ByCriteria);
                    criterion(run, &one, pid, &waiting, links, entered)
                        .map_err(|problem| at_path(step.index, &one.path, &problem))?
                }
            };
            known.insert((pid, one.text.clone()), reference.clone());
            found.insert(one.text, reference);
        }
        if let Some(body) = steps.get_mut(index).and_then(|step| body_mut(&mut step.request.interaction)) {
            put_references(body, &found);
        }
    }
    Ok(())
}

fn at_path(index: usize, path: &str, problem: &Problem) -> Problem {
    let issues = problem.issues().map(|issue| Issue { expression: Some(path.to_owned()), ..issue.clone() }).collect();
    relocate(index, &Problem::from_issues(issues).unwrap_or_else(|| problem.clone()))
}

/// The one resource that criteria match.
fn criterion(
    run: &Run<'_>,
    one: &Criteria,
    pid: Pid,
    waiting: &[&Step<'_>],
    links: &Links,
    entered: &mut Entered,
) -> Result<String, Problem> {
    let parameters = Parameters::parse(&one.query)?;
    let in_record = SearchPlace::Record(RecordName::Pid(pid));
    let place = match one.resource_type.home() {
        _ if pid == Pid::DIRECTORY => SearchPlace::Directory,
        Home::Record | Home::None => in_record,
        Home::Either if search::record_of(one.resource_type, &parameters).is_some() => in_record,
        Home::Either | Home::Directory => SearchPlace::Directory,
    };
    if parameters.0.is_empty() {
        return Err(Problem::new(IssueKind::ParameterInvalid, "A reference by criteria has criteria"));
    }
    let sought = Sought { resource_type: one.resource_type, place: &place, criteria: &parameters };
    let Found { resources: stored, query, .. } = matched(run.server, run.request, run.unit, &sought, entered)?;
    let waits = |stored: &Stored| waiting.iter().any(|step| step.place == Some((stored.resource_type, stored.pid, stored.rid)));
    let mut found: Vec<(ResourceType, Pid, Rid)> =
        stored.iter().filter(|stored| !waits(stored)).map(|stored| (stored.resource_type, stored.pid, stored.rid)).collect();
    let within = if place == SearchPlace::Directory { Pid::DIRECTORY } else { pid };
    for step in waiting {
        let (Some(at), Interaction::Create { body, .. } | Interaction::Update { body, .. }) =
            (step.place, &step.request.interaction)
        else {
            continue;
        };
        if at.1 == within && is_match(run, step, links, body, &query) {
            found.push(at);
        }
    }
    match found.as_slice() {
        [one] => called(run, stored.iter().find(|stored| (stored.resource_type, stored.pid, stored.rid) == *one), waiting, *one),
        [] => Err(Problem::new(IssueKind::ReferenceUnresolved, "The criteria match no resource that is here for this caller")),
        _several => Err(Problem::new(IssueKind::MultipleMatches, "The criteria match several resources")),
    }
}

/// What the one resource that criteria match is called: by its client's own id where it has one.
fn called(
    run: &Run<'_>,
    stored: Option<&Stored>,
    waiting: &[&Step<'_>],
    place: (ResourceType, Pid, Rid),
) -> Result<String, Problem> {
    let (resource_type, pid, rid) = place;
    let chosen = waiting.iter().filter(|step| step.place == Some(place)).find_map(|step| match &step.request.interaction {
        Interaction::Update { target, .. } => target.alias.clone(),
        _sealed => None,
    });
    let id = match (stored, chosen) {
        (_, Some(id)) => id,
        (Some(stored), None) => stored.id()?.into_owned(),
        (None, None) => run.server.id(pid, rid),
    };
    Ok(format!("{resource_type}/{id}"))
}

/// Whether what an entry brings, which is not stored yet, matches.
fn is_match(run: &Run<'_>, step: &Step<'_>, links: &Links, body: &Resource, query: &Query) -> bool {
    let within = Within { rid: None, links };
    let context = Context { server: run.server, unit: run.unit, request: &step.request, facts: None, within: Some(&within) };
    let local = |reference: &str| context.place(reference);
    // What only other resources decide is not known of one that is not stored.
    let linked = |_: &Predicate| false;
    let reading = MatchContext { local: &local, pid: step.pid(), time_zone: &run.server.time_zone, linked: Some(&linked) };
    search::matches(query, query.resource_type, body, &reading) && step.place.is_some_and(|place| place.0 == query.resource_type)
}

/// What criteria did not find before must not be there twice in the end: two conditional creates of the same would else make
/// two, which no order of requests does.
fn check_unmatched(run: &Run<'_>, steps: &[Step<'_>], entered: &mut Entered) -> Result<(), Problem> {
    for step in steps {
        let Some((resource_type, place, parameters)) = &step.unmatched else { continue };
        let sought = Sought { resource_type: *resource_type, place, criteria: parameters };
        let found = matched(run.server, run.request, run.unit, &sought, entered);
        let found = found.map_err(|problem| relocate(step.index, &problem))?.resources;
        let other = |stored: &Stored| step.place != Some((stored.resource_type, stored.pid, stored.rid));
        if found.iter().any(other) {
            let text = "Another entry brings what the criteria match";
            return Err(relocate(step.index, &Problem::new(IssueKind::InvariantBroken, text)));
        }
    }
    Ok(())
}
