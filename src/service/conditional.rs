//! Conditional create, update, patch, delete: a match in the caller's own scope, then `decide` on its result.
//! <https://hl7.org/fhir/R4/http.html#ccreate>
//!
//! The record is locked before it is matched, so that of several clients one wins, whatever the spelling of the criteria.
//! Only what the caller may see is counted. Criteria that name no record are matched over the records that authorise him, then
//! again in the one record that was found.
use super::matched::{Found, Sought, matched};
use super::submit_document::Deposits;
use super::{Context, Entered, Request, Server, alias, enter, perform, read};
use crate::audit::Outcome;
use crate::auth::Caller;
use crate::fhir::interaction::{Parameters, RecordName, SearchPlace, Target, Then};
use crate::fhir::{Interaction, IssueKind, Problem, Resource, ResourceType};
use crate::ids::Pid;
use crate::store::{Stored, Unit};
use serde_json::Value;

/// Parameters that shape a page and select nothing: in criteria they would match everything.
const NO_CRITERIA: [&str; 12] = [
    "_sort",
    "_count",
    "_include",
    "_revinclude",
    "_summary",
    "_total",
    "_elements",
    "_contained",
    "_containedType",
    "_cursor",
    "_graph",
    "_score",
];

/// What a conditional interaction asks.
pub(super) struct Asked<'a> {
    pub(super) resource_type: ResourceType,
    pub(super) place: &'a SearchPlace,
    pub(super) criteria: &'a Parameters,
    pub(super) then: &'a Then,
}

/// One unit's view of the request.
struct Conditional<'a> {
    server: &'a Server,
    request: &'a Request,
    unit: &'a Unit,
    resource_type: ResourceType,
    criteria: &'a Parameters,
}

/// What the criteria matched.
enum Matched {
    None,
    One(Box<Stored>),
    /// More than one: which, and how many, is not told.
    Several,
}

/// What follows a match.
pub(super) enum Next {
    /// An interaction, decided like a request of its own.
    Do(Box<Interaction>),
    /// Nothing: the POST is ignored, because this is here.
    Ignored(Box<Stored>),
}

/// Matches, then does what is asked with the result.
///
/// # Errors
/// What [`next`] refuses, and the interaction that follows.
pub(super) fn conditional(
    server: &Server,
    request: &Request,
    deposits: &Deposits,
    unit: &Unit,
    asked: &Asked<'_>,
    entered: &mut Entered,
) -> Result<Outcome, Problem> {
    match next(server, request, unit, asked, entered)? {
        Next::Do(interaction) => {
            let request = Request { interaction: *interaction, ..request.clone() };
            let request = alias::resolved_record(unit, request)?;
            let (access, facts) = enter(&request, &request.interaction, unit, entered)?;
            let context = Context { server, unit, request: &request, facts: facts.as_ref(), within: None };
            perform(&context, &access, &request.interaction, deposits.get(0))
        }
        Next::Ignored(stored) => Ok(ignored(server, request, unit, *stored)),
    }
}

/// Matches, and says what follows.
///
/// # Errors
/// 400 for criteria that select nothing or are not known (412 for If-None-Exist without criteria), 412 for several matches.
pub(super) fn next(
    server: &Server,
    request: &Request,
    unit: &Unit,
    asked: &Asked<'_>,
    entered: &mut Entered,
) -> Result<Next, Problem> {
    let Asked { resource_type, criteria, .. } = *asked;
    check_criteria(asked)?;
    let one = Conditional { server, request, unit, resource_type, criteria };
    let mut place = asked.place.clone();
    if let SearchPlace::Record(record) = &mut place {
        alias::resolve_record(unit, record)?;
    }
    let follows = match asked.then {
        Then::Create(created) => match one.matched_for_write(&place, entered)? {
            Matched::None => (**created).clone(),
            Matched::One(stored) => return Ok(Next::Ignored(stored)),
            Matched::Several => return Err(several()),
        },
        Then::Update { record, if_match, body } => match one.matched_for_write(&place, entered)? {
            Matched::None => one.create(record.clone(), *if_match, body.clone())?,
            Matched::One(stored) => one.update(&stored, record.clone(), *if_match, body)?,
            Matched::Several => return Err(several()),
        },
        Then::Patch { if_match, patch } => match one.found(&place, entered)? {
            Matched::None => return Err(Problem::new(IssueKind::ResourceNotFound, "No such resource here")),
            Matched::One(stored) => {
                Interaction::Patch { target: one.target(&stored)?, if_match: *if_match, patch: patch.clone() }
            }
            Matched::Several => return Err(several()),
        },
        Then::Delete { if_match } => {
            let target = match one.found(&place, entered)? {
                Matched::None => Target { resource_type, place: None, alias: None },
                Matched::One(stored) => one.target(&stored)?,
                Matched::Several => return Err(several()),
            };
            Interaction::Delete { target, if_match: *if_match }
        }
    };
    Ok(Next::Do(Box::new(follows)))
}

/// 200 with what is here: the POST is ignored.
pub(super) fn ignored(server: &Server, request: &Request, unit: &Unit, stored: Stored) -> Outcome {
    let request = Request { none_match: None, modified_since: None, ..request.clone() };
    let context = Context { server, unit, request: &request, facts: None, within: None };
    let id = stored.id().unwrap_or_default();
    let location = Some(format!("{}/{id}/_history/{}", stored.resource_type, stored.version));
    Outcome { location, ..read::found(&context, stored) }
}

fn check_criteria(asked: &Asked<'_>) -> Result<(), Problem> {
    if let Some(name) = asked.criteria.names().find(|name| NO_CRITERIA.contains(&name.split(':').next().unwrap_or_default())) {
        let text = format!("{name} shapes a page: it is no criterion");
        return Err(Problem::new(IssueKind::ParameterUnknown, text));
    }
    if asked.criteria.0.iter().any(|(_, value)| !value.is_empty()) {
        return Ok(());
    }
    match asked.then {
        Then::Create(_) => Err(Problem::new(IssueKind::MultipleMatches, "If-None-Exist without criteria matches everything")),
        Then::Update { .. } | Then::Patch { .. } | Then::Delete { .. } => {
            Err(Problem::new(IssueKind::ParameterInvalid, "A conditional request has criteria"))
        }
    }
}

fn several() -> Problem {
    Problem::new(IssueKind::MultipleMatches, "The criteria match several resources: make them narrower")
}

impl Conditional<'_> {
    /// What is matched before something is created or updated. A record that is not here has no matches: what follows says
    /// what there is to say about it.
    fn matched_for_write(&self, place: &SearchPlace, entered: &mut Entered) -> Result<Matched, Problem> {
        if let SearchPlace::Record(record) = place
            && self.unit.facts(record)?.is_none()
        {
            // A record that is opened in the meantime is found by its INS, which is unique.
            return Ok(Matched::None);
        }
        Ok(self.matched(place, entered)?.0)
    }

    /// What is matched to be patched or deleted. Without authorisation nothing found is answered as everywhere.
    fn found(&self, place: &SearchPlace, entered: &mut Entered) -> Result<Matched, Problem> {
        match self.matched(place, entered)? {
            (Matched::None, Some(problem)) => Err(problem),
            (matched, _) => Ok(matched),
        }
    }

    /// What the criteria match, and what the caller is told where they match nothing.
    fn matched(&self, place: &SearchPlace, entered: &mut Entered) -> Result<(Matched, Option<Problem>), Problem> {
        let (matched, otherwise) = self.search(place, entered)?;
        match (place, &self.request.caller, matched) {
            (SearchPlace::Cohort, Caller::Professional(_) | Caller::System(_), Matched::One(stored)) => {
                self.search(&SearchPlace::Record(RecordName::Pid(stored.pid)), entered)
            }
            (_, _, matched) => Ok((matched, otherwise)),
        }
    }

    fn search(&self, place: &SearchPlace, entered: &mut Entered) -> Result<(Matched, Option<Problem>), Problem> {
        self.hold(place)?;
        let sought = Sought { resource_type: self.resource_type, place, criteria: self.criteria };
        let Found { resources, otherwise, .. } = matched(self.server, self.request, self.unit, &sought, entered)?;
        let mut found = resources.into_iter();
        let matched = match (found.next(), found.next()) {
            (None, _) => Matched::None,
            (Some(one), None) => Matched::One(Box::new(one)),
            (Some(_), Some(_)) => Matched::Several,
        };
        Ok((matched, otherwise))
    }

    /// Locks what is matched, before it is matched. Patients without INS are matched over several records: they are created
    /// one at a time.
    fn hold(&self, place: &SearchPlace) -> Result<(), Problem> {
        let record = match (place, &self.request.caller) {
            (SearchPlace::Directory, _) => return self.unit.hold(Pid::DIRECTORY),
            (SearchPlace::Cohort, _) if self.resource_type.name() == "Patient" => return self.unit.hold(Pid::DIRECTORY),
            (SearchPlace::Cohort, Caller::Patient(ins)) => RecordName::Ins(ins.clone()),
            (SearchPlace::Cohort, _) => return Ok(()),
            (SearchPlace::Record(record), _) => record.clone(),
        };
        match self.unit.facts(&record)? {
            Some(facts) => self.unit.hold(facts.pid),
            None => Ok(()),
        }
    }

    /// What a conditional update without match creates: with an id it is an update-as-create.
    fn create(&self, record: Option<RecordName>, if_match: Option<i64>, body: Resource) -> Result<Interaction, Problem> {
        if if_match.is_some() {
            return Err(Problem::new(IssueKind::VersionConflict, "If-Match names a version, and nothing matches"));
        }
        let resource_type = self.resource_type;
        if let Some(id) = body.get("id").and_then(Value::as_str) {
            let sealed = self.server.store.id_cipher().open(id);
            let alias = sealed.is_none().then(|| id.to_owned());
            let target = Target { resource_type, place: None, alias };
            return Ok(Interaction::Update { target, record, if_match, body });
        }
        Ok(match resource_type.name() {
            "Patient" => Interaction::Open { patient: body, consents: Vec::new(), position: None },
            "Consent" => Interaction::CreateConsent { record: record.unwrap_or(RecordName::Unknown), body },
            // It has no update, conditional or not (decision 6): `decide` says so.
            "DocumentReference" => {
                let target = Target { resource_type, place: None, alias: None };
                Interaction::Update { target, record, if_match, body }
            }
            _ => Interaction::Create { resource_type, record, body },
        })
    }

    fn update(
        &self,
        stored: &Stored,
        record: Option<RecordName>,
        if_match: Option<i64>,
        body: &Resource,
    ) -> Result<Interaction, Problem> {
        let id = stored.id()?;
        let mut body = body.clone();
        if body.get("id").and_then(Value::as_str).is_some_and(|sent| sent != id) {
            let text = "The id of the body is not the id of what the criteria match";
            return Err(Problem::at(IssueKind::Malformed, format!("{}.id", self.resource_type), text));
        }
        body.insert("id".into(), id.into_owned().into());
        let target = self.target(stored)?;
        Ok(match self.resource_type.name() {
            "Consent" => Interaction::UpdateConsent { target, if_match, body },
            _ => Interaction::Update { target, record, if_match, body },
        })
    }

    fn target(&self, stored: &Stored) -> Result<Target, Problem> {
        let id = stored.id()?;
        let alias = (id != self.server.id(stored.pid, stored.rid)).then(|| id.into_owned());
        Ok(Target { resource_type: self.resource_type, place: Some((stored.pid, stored.rid)), alias })
    }
}
