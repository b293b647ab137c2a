//! Ids that clients chose, resolved on the unit before facts and `decide` (DESIGN, "Opaque ids").
use super::{Entered, Request};
use crate::fhir::interaction::{HistoryPlace, RecordName, SearchPlace, Target};
use crate::fhir::{Interaction, IssueKind, Problem};
use crate::ids::Rid;
use crate::policy::Facts;
use crate::store::{self, Access, Unit};
use std::borrow::Cow;

/// The target and the record that an interaction names, of `&Interaction` and of `&mut Interaction`. Bundles and conditional
/// interactions name theirs part by part.
macro_rules! named {
    ($interaction:expr) => {
        match $interaction {
            Interaction::Read(target)
            | Interaction::VersionRead(target, _)
            | Interaction::RetrieveDocument(target)
            | Interaction::Translation(target)
            | Interaction::History { place: HistoryPlace::Instance(target), .. }
            | Interaction::Document { target, .. }
            | Interaction::Everything { target, .. }
            | Interaction::UpdateConsent { target, .. }
            | Interaction::Patch { target, .. }
            | Interaction::Delete { target, .. } => (Some(target), None),
            Interaction::Update { target, record, .. } => (Some(target), record.into()),
            Interaction::Create { record, .. } => (None, record.into()),
            Interaction::Deposit { record, .. } | Interaction::CreateConsent { record, .. } => (None, Some(record)),
            Interaction::Search { place, .. }
            | Interaction::SearchAll { place, .. }
            | Interaction::History { place: HistoryPlace::Type(_, place) | HistoryPlace::System(place), .. }
            | Interaction::LastN { place, .. }
            | Interaction::DocRef { place, .. } => match place {
                SearchPlace::Record(record) => (None, Some(record)),
                SearchPlace::Cohort | SearchPlace::Directory => (None, None),
            },
            Interaction::Existence { .. }
            | Interaction::Open { .. }
            | Interaction::Conditional { .. }
            | Interaction::Batch { .. }
            | Interaction::Transaction { .. } => (None, None),
        }
    };
}

/// The request with a place for every id that a client chose.
///
/// # Errors
/// Where the database fails.
pub(super) fn resolved<'a>(unit: &Unit, request: &'a Request) -> Result<Cow<'a, Request>, Problem> {
    let (target, record): (Option<&Target>, Option<&RecordName>) = named!(&request.interaction);
    let chosen = target.is_some_and(|target| target.alias.is_some());
    if !chosen && !matches!(record, Some(RecordName::Alias(_))) {
        return Ok(Cow::Borrowed(request));
    }
    let mut request = request.clone();
    let (target, record): (Option<&mut Target>, Option<&mut RecordName>) = named!(&mut request.interaction);
    if let Some(target) = target
        && let (None, Some(id)) = (target.place, &target.alias)
    {
        target.place = store::alias_find(unit, target.resource_type, id)?;
    }
    if let Some(record) = record {
        resolve_record(unit, record)?;
    }
    Ok(Cow::Owned(request))
}

/// The same for what follows a match: its target has its place already.
///
/// # Errors
/// Where the database fails.
pub(super) fn resolved_record(unit: &Unit, mut request: Request) -> Result<Request, Problem> {
    let (_, record): (Option<&mut Target>, Option<&mut RecordName>) = named!(&mut request.interaction);
    if let Some(record) = record {
        resolve_record(unit, record)?;
    }
    Ok(request)
}

/// Facts, `decide`, open. An id that a client chose can be guessed, so what the caller may not see under one is nowhere, and
/// answered as an id that nobody chose; only to choose it oneself tells that it is taken (409).
///
/// # Errors
/// What `decide` refuses; where the database fails.
pub(super) fn enter<'a>(
    request: Cow<'a, Request>,
    unit: &Unit,
    entered: &mut Entered,
) -> Result<(Cow<'a, Request>, Access, Option<Facts>), Problem> {
    let tried = super::enter(&request, &request.interaction, unit, entered);
    let Some(Target { resource_type, place: Some((_, rid)), alias: Some(_) }) = super::target(&request.interaction) else {
        let (access, facts) = tried?;
        return Ok((request, access, facts));
    };
    match tried {
        Ok((access, facts)) => {
            if store::resource_read(unit, &access, *resource_type, *rid)?.is_some()
                || store::resource_withdrawn(unit, &access, *resource_type, *rid)?
            {
                return Ok((request, access, facts));
            }
        }
        // What this caller may never do to what he sees, he is told; by whom it is hidden, he is not.
        Err(problem) if !matches!(problem.kind(), IssueKind::Forbidden | IssueKind::ResourceNotFound) => return Err(problem),
        Err(_hidden) => {}
    }
    let mut request = request.into_owned();
    let (target, _): (Option<&mut Target>, Option<&mut RecordName>) = named!(&mut request.interaction);
    if let Some(target) = target {
        target.place = None;
    }
    let (access, facts) = super::enter(&request, &request.interaction, unit, entered)?;
    Ok((Cow::Owned(request), access, facts))
}

/// The record of a Patient whose id a client chose.
///
/// # Errors
/// Where the database fails.
pub(super) fn resolve_record(unit: &Unit, record: &mut RecordName) -> Result<(), Problem> {
    if let RecordName::Alias(id) = record {
        let place = store::alias_find(unit, super::known_type("Patient")?, id)?;
        let patient = place.filter(|(_, rid)| *rid == Rid::PATIENT);
        *record = patient.map_or(RecordName::Unknown, |(pid, _)| RecordName::Pid(pid));
    }
    Ok(())
}
