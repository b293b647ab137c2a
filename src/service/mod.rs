//! One file per use case. Each takes an [`Access`] and gives an [`Outcome`]; nothing here knows HTTP or SQL.
//!
//! [`answer`] is the one way through: facts, `decide`, open, the use case, the trace.
mod alias;
pub mod batch;
pub mod capabilities;
mod change;
mod conditional;
pub mod consent;
pub mod create;
mod delete;
mod docref;
mod document;
mod everything;
pub mod existence;
pub mod find_events;
mod history;
mod include;
mod labels;
mod lastn;
mod matched;
pub mod open_record;
mod patch_resource;
pub mod read;
pub mod references;
pub mod retrieve_document;
pub mod search;
pub(crate) mod search_all;
pub mod submit_document;
mod terminology;
pub mod transaction;
pub mod translation;
mod update;
mod update_document;
mod withdraw;

use crate::audit::{Action, Event, EventOutcome, Outcome};
use crate::auth::Caller;
use crate::config::Settings;
use crate::fhir::interaction::{HistoryPlace, Return, Target, Then};
use crate::fhir::{Interaction, IssueKind, Problem, Resource, ResourceType};
use crate::ids::{Pid, Rid};
use crate::policy::{self, Facts};
use crate::search::{Keyer, OperatorParameterError, take_operator_parameters};
use crate::store::{self, Access, Recorded, Store, StoreError, Unit};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use submit_document::{Deposits, Preparation};
use transaction::Within;

/// What every use case needs besides the transaction: settings, keys, the base URL.
pub struct Server {
    /// The store.
    pub store: Store,
    /// Keyed hashes of index values.
    pub keyer: Keyer,
    /// Zone of dates without one.
    pub time_zone: jiff::tz::TimeZone,
    /// Whether test and demonstration INS are accepted (decision 13).
    pub test_ins: bool,
    /// Most resources that one page includes.
    pub includes_max: usize,
    /// FHIR base URL that clients see, without a slash at its end; known once the listener is bound.
    pub base: OnceLock<String>,
}

impl Server {
    /// Opens the store of these settings: all that a use case needs, without a listener.
    ///
    /// # Errors
    /// What [`Store::open`] refuses; a search parameter of the operator that cannot be served.
    pub fn open(settings: &Settings, base: Option<String>) -> Result<Self, OpenError> {
        if let Some(folder) = &settings.search_parameters {
            take_operator_parameters(&definitions(folder)?)?;
        }
        let mut database = store::Settings::new(&settings.database);
        database.master_key.clone_from(&settings.master_key);
        database.deadline = Duration::from_secs(settings.request_seconds_max);
        let store = Store::open(&database)?;
        Ok(Self {
            keyer: Keyer::new(store.search_secret()),
            time_zone: settings.time_zone.clone(),
            test_ins: settings.test_ins,
            includes_max: settings.includes_max,
            base: base.map_or_else(OnceLock::new, OnceLock::from),
            store,
        })
    }

    /// FHIR base URL.
    #[must_use]
    pub fn base(&self) -> &str {
        self.base.get().map_or("", String::as_str)
    }

    /// The opaque id of a resource.
    #[must_use]
    pub fn id(&self, pid: Pid, rid: Rid) -> String {
        self.store.id_cipher().seal(pid, rid)
    }

    /// `Type/id` of a resource.
    #[must_use]
    pub fn reference(&self, resource_type: ResourceType, pid: Pid, rid: Rid) -> String {
        format!("{resource_type}/{}", self.id(pid, rid))
    }

    /// Where a literal reference, relative or below the base, leads; `None` for every other.
    #[must_use]
    pub fn resolve(&self, reference: &str) -> Option<(ResourceType, Pid, Rid)> {
        let (resource_type, id) = self.local(reference)?;
        let (pid, rid) = self.store.id_cipher().open(id)?;
        Some((resource_type, pid, rid))
    }

    /// Where a sealed id of a literal reference leads: what is asked before there is a unit, which knows the ids that clients
    /// chose ([`Context::place`]).
    #[must_use]
    pub fn place(&self, reference: &str) -> Option<(Pid, Rid)> {
        self.resolve(reference).map(|(_, pid, rid)| (pid, rid))
    }

    /// What follows the base and its slash; `None` for what is not below it: `[base]2/Patient/1` is another server's.
    pub(crate) fn below_base<'a>(&self, reference: &'a str) -> Option<&'a str> {
        let base = Some(self.base()).filter(|base| !base.is_empty())?;
        reference.strip_prefix(base)?.strip_prefix('/')
    }

    /// Type and id of a literal reference to this server, relative or below the base.
    fn local<'a>(&self, reference: &'a str) -> Option<(ResourceType, &'a str)> {
        let relative = self.below_base(reference).unwrap_or(reference);
        let mut parts = relative.split('/');
        let resource_type = ResourceType::parse(parts.next()?)?;
        let id = parts.next()?;
        match (parts.next(), parts.next(), parts.next()) {
            (None, _, _) | (Some("_history"), Some(_), None) => Some((resource_type, id)),
            _ => None,
        }
    }
}

/// Why a server does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The store does not open.
    #[error("the database does not open")]
    Store(#[from] StoreError),
    /// A search parameter of the operator cannot be served.
    #[error("a search parameter of the operator is not served")]
    SearchParameter(#[from] OperatorParameterError),
    /// The folder of search parameters, or a file in it, cannot be read.
    #[error("setting `search-parameters`: {} cannot be read as JSON", path.display())]
    File {
        /// What was read.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
}

/// The resources of a folder's `*.json`, in the order of their names.
fn definitions(folder: &Path) -> Result<Vec<Resource>, OpenError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| OpenError::File { path, source }
    };
    let entries = std::fs::read_dir(folder).map_err(failed(folder))?;
    let mut paths =
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>().map_err(failed(folder))?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    let read = |path: &PathBuf| {
        let bytes = std::fs::read(path).map_err(failed(path))?;
        serde_json::from_slice(&bytes).map_err(|error| failed(path)(error.into()))
    };
    paths.iter().map(read).collect()
}

/// A request after authentication and parsing.
#[derive(Clone)]
pub struct Request {
    /// Who asks.
    pub caller: Caller,
    /// What is asked.
    pub interaction: Interaction,
    /// `Prefer: handling=lenient`.
    pub lenient: bool,
    /// `Prefer: return=`: what the answers to the entries of a Bundle hold; of a single write the border decides.
    pub preference: Option<Return>,
    /// Version that the client has (If-None-Match).
    pub none_match: Option<i64>,
    /// Time of the client's copy (If-Modified-Since), milliseconds.
    pub modified_since: Option<i64>,
    /// Query string as sent, for the trace of searches.
    pub query: Option<String>,
    /// X-Request-Id.
    pub id: String,
}

impl Request {
    /// A request without a wish for its answer: one that does not come as HTTP. `id` is the one of the trace.
    #[must_use]
    pub fn plain(caller: Caller, interaction: Interaction, id: String) -> Self {
        Self { caller, interaction, lenient: false, preference: None, none_match: None, modified_since: None, query: None, id }
    }

    /// Another request of the same caller, with what holds for all of them.
    pub(crate) fn with(&self, interaction: Interaction) -> Self {
        let Self { caller, lenient, preference, id, .. } = self;
        Self {
            caller: caller.clone(),
            interaction,
            lenient: *lenient,
            preference: *preference,
            none_match: None,
            modified_since: None,
            query: None,
            id: id.clone(),
        }
    }
}

/// The unit of work of one interaction: who asks, when, on which record.
pub struct Context<'a> {
    /// The server.
    pub server: &'a Server,
    /// The transaction or snapshot.
    pub unit: &'a Unit,
    /// The request.
    pub request: &'a Request,
    /// Facts of the record concerned.
    pub facts: Option<&'a Facts>,
    /// What the other entries of its transaction do; none where it is no entry of one.
    pub(crate) within: Option<&'a Within<'a>>,
}

impl Context<'_> {
    /// Where a literal reference leads, also one by an id that a client chose; `None` for every other.
    #[must_use]
    pub fn resolve(&self, reference: &str) -> Option<(ResourceType, Pid, Rid)> {
        let (resource_type, id) = self.server.local(reference)?;
        let (pid, rid) = match self.server.store.id_cipher().open(id) {
            Some(place) => place,
            None => match self.within.and_then(|within| within.links.chosen(resource_type, id)) {
                Some(place) => place,
                // A fault of the database has failed the unit: nothing of it leaves.
                None => store::alias_find(self.unit, resource_type, id).ok().flatten()?,
            },
        };
        Some((resource_type, pid, rid))
    }

    /// The same for search and extraction, which have the type by their own means.
    #[must_use]
    pub fn place(&self, reference: &str) -> Option<(Pid, Rid)> {
        self.resolve(reference).map(|(_, pid, rid)| (pid, rid))
    }

    /// The number of a resource that this makes: in a transaction one that its other entries know already.
    pub(crate) fn new_rid(&self) -> Rid {
        self.within.and_then(|within| within.rid).unwrap_or_else(|| self.unit.next_rid())
    }

    /// Whether another entry of the same transaction makes this resource.
    pub(crate) fn is_coming(&self, target: (ResourceType, Pid, Rid)) -> bool {
        self.within.is_some_and(|within| within.links.is_coming(target))
    }

    /// `[base]/[type]/[id]` of a resource that is here, under the id that its body states.
    ///
    /// # Errors
    /// `Internal` where the body is damaged.
    pub fn full_url(&self, stored: &store::Stored) -> Result<String, Problem> {
        Ok(format!("{}/{}/{}", self.server.base(), stored.resource_type, stored.id()?))
    }

    /// A row of the trace for this request.
    #[must_use]
    pub fn event(&self, pid: Option<Pid>, action: Action, status: u16) -> Event {
        let outcome = match status {
            0..=399 => EventOutcome::Success,
            400..=499 => EventOutcome::MinorFailure,
            _ => EventOutcome::SeriousFailure,
        };
        Event {
            pid,
            at: self.unit.now(),
            action,
            outcome,
            status,
            caller: self.request.caller.clone(),
            resource_type: None,
            rid: None,
            query: None,
            request: self.request.id.clone(),
        }
    }

    /// A row about one resource.
    #[must_use]
    pub fn event_on(&self, action: Action, status: u16, resource_type: ResourceType, pid: Pid, rid: Rid) -> Event {
        let pid = (pid != Pid::DIRECTORY).then_some(pid);
        Event { resource_type: Some(resource_type), rid: Some(rid), ..self.event(pid, action, status) }
    }

    /// Facts of the record that the interaction is about.
    ///
    /// # Errors
    /// [`IssueKind::ResourceNotFound`] where it is about none.
    pub fn record(&self) -> Result<&Facts, Problem> {
        self.facts.ok_or_else(|| Problem::new(IssueKind::ResourceNotFound, "No record of this patient here"))
    }
}

/// Answers a request: the one way through the layers. The trace is durable before this returns. A batch is several requests
/// ([`batch::batch`]).
pub async fn answer(server: Arc<Server>, request: Request) -> Recorded {
    let store = server.store.clone();
    let request = Arc::new(request);
    // Before the unit, so that no other writer waits for it.
    let deposits = Deposits::of(&request).await;
    if request.interaction.writes() {
        store.write(move |unit| run(&server, &request, &deposits, unit)).await
    } else {
        store.read(move |unit| run(&server, &request, &deposits, unit)).await
    }
}

fn run(server: &Server, request: &Request, deposits: &Deposits, unit: &Unit) -> Outcome {
    let mut entered = Entered::default();
    match attempt(server, request, deposits, unit, &mut entered) {
        Ok(outcome) => outcome,
        Err(problem) => {
            let context = Context { server, unit, request, facts: None, within: None };
            let events = entered.concerned().into_iter().map(|pid| failure(&context, pid, &problem));
            Outcome::problem(&problem, events.collect())
        }
    }
}

/// The records that a request has entered: a refusal is traced in each of them.
#[derive(Default)]
pub(crate) struct Entered(BTreeSet<Pid>);

impl Entered {
    fn concerned(&self) -> Vec<Option<Pid>> {
        if self.0.is_empty() { vec![None] } else { self.0.iter().copied().map(Some).collect() }
    }
}

/// The row of the trace of a refusal, in the record where its pid is real.
fn failure(context: &Context<'_>, pid: Option<Pid>, problem: &Problem) -> Event {
    let interaction = &context.request.interaction;
    let mut event = context.event(pid, action(interaction), problem.status());
    event.resource_type = resource_type(interaction);
    if let (Some(pid), Some(target)) = (pid, target(interaction)) {
        event.rid = target.place.filter(|place| place.0 == pid).map(|place| place.1);
    }
    if is_query(interaction) {
        event.query.clone_from(&context.request.query);
    }
    event
}

/// Facts, `decide`, open, the use case. `entered` keeps the records for the trace of a failure.
fn attempt(
    server: &Server,
    request: &Request,
    deposits: &Deposits,
    unit: &Unit,
    entered: &mut Entered,
) -> Result<Outcome, Problem> {
    match &request.interaction {
        Interaction::Transaction { entries } => {
            return transaction::transaction(server, request, deposits, unit, entries, entered);
        }
        Interaction::Conditional { resource_type, place, criteria, then } => {
            let asked = conditional::Asked { resource_type: *resource_type, place, criteria, then };
            return conditional::conditional(server, request, deposits, unit, &asked, entered);
        }
        _single => {}
    }
    let request = alias::resolved(unit, request)?;
    let (request, access, facts) = alias::enter(request, unit, entered)?;
    let context = Context { server, unit, request: &request, facts: facts.as_ref(), within: None };
    perform(&context, &access, &request.interaction, deposits.get(0))
}

/// A refusal before the use case: what was sent is no interaction, but the caller is known, so it is traced, as the
/// action that it would have been.
pub async fn refuse(server: &Server, caller: Caller, problem: &Problem, action: Action, id: &str) -> Recorded {
    let event = Event {
        pid: None,
        at: crate::clock::now(),
        action,
        outcome: if problem.status() < 500 { EventOutcome::MinorFailure } else { EventOutcome::SeriousFailure },
        status: problem.status(),
        caller,
        resource_type: None,
        rid: None,
        query: None,
        request: id.to_owned(),
    };
    server.store.record(Outcome::problem(problem, vec![event])).await
}

/// The part that every interaction and every entry of a transaction go through: facts, `decide`, open.
pub(crate) fn enter(
    request: &Request,
    interaction: &Interaction,
    unit: &Unit,
    entered: &mut Entered,
) -> Result<(Access, Option<Facts>), Problem> {
    let facts = match policy::record_concerned(&request.caller, interaction) {
        Some(name) => unit.facts(&name)?,
        None => None,
    };
    entered.0.extend(facts.as_ref().map(|facts| facts.pid));
    let permit = policy::decide(&request.caller, interaction, facts.as_ref(), unit.now())
        .map_err(|denial| open_record::relocate(interaction, denial.problem))?;
    Ok((unit.open(permit)?, facts))
}

/// One interaction with its access, and its document where it is a deposit.
pub(crate) fn perform(
    context: &Context<'_>,
    access: &Access,
    interaction: &Interaction,
    document: Option<&Preparation>,
) -> Result<Outcome, Problem> {
    match interaction {
        Interaction::Existence { ins } => existence::existence(context, access, ins.as_ref()),
        Interaction::Read(target) => read::read(context, access, target),
        Interaction::VersionRead(target, version) => read::version_read(context, access, target, *version),
        Interaction::RetrieveDocument(target) => retrieve_document::retrieve_document(context, access, target),
        Interaction::Search { resource_type, parameters, .. } if resource_type.name() == "AuditEvent" => {
            find_events::find_events(context, access, parameters)
        }
        Interaction::Search { resource_type, parameters, .. } => search::search(context, access, *resource_type, parameters),
        Interaction::SearchAll { parameters, .. } => search_all::search_all(context, access, parameters),
        Interaction::History { place, parameters } => history::history(context, access, place, parameters),
        Interaction::Translation(target) => translation::translation(context, access, target),
        Interaction::Document { target, parameters } => document::document(context, access, target, parameters),
        Interaction::Everything { target, parameters } => everything::everything(context, access, target, parameters),
        Interaction::LastN { parameters, .. } => lastn::last_n(context, access, parameters),
        Interaction::DocRef { parameters, .. } => docref::docref(context, access, parameters),
        Interaction::Deposit { body, .. } => submit_document::submit_document(context, access, body, document),
        Interaction::Open { patient, consents, position } => {
            open_record::open_record(context, access, patient, consents, *position)
                .map_err(|problem| open_record::relocate(interaction, problem))
        }
        Interaction::CreateConsent { body, .. } => consent::create_consent(context, access, body),
        Interaction::UpdateConsent { target, if_match, body } => {
            consent::update_consent(context, access, target, *if_match, body)
        }
        Interaction::Create { resource_type, body, .. } => create::create(context, access, *resource_type, body),
        Interaction::Update { target, if_match, body, .. } => update::update(context, access, target, *if_match, body),
        Interaction::Patch { target, if_match, patch } if target.resource_type.name() == "DocumentReference" => {
            update_document::update_document(context, access, target, *if_match, patch)
        }
        Interaction::Patch { target, if_match, patch } => {
            patch_resource::patch_resource(context, access, target, *if_match, patch)
        }
        Interaction::Delete { target, if_match } if target.resource_type.name() == "DocumentReference" => {
            withdraw::withdraw(context, access, target, *if_match)
        }
        Interaction::Delete { target, if_match } => delete::delete(context, access, target, *if_match),
        Interaction::Conditional { .. } | Interaction::Batch { .. } | Interaction::Transaction { .. } => {
            Err(Problem::new(IssueKind::StructureInvalid, "A Bundle inside a Bundle is not allowed"))
        }
    }
}

/// What the trace calls the interaction.
fn action(interaction: &Interaction) -> Action {
    match interaction {
        Interaction::Existence { .. } => Action::Existence,
        Interaction::Read(_)
        | Interaction::VersionRead(..)
        | Interaction::RetrieveDocument(_)
        | Interaction::History { place: HistoryPlace::Instance(_), .. }
        | Interaction::Translation(_)
        | Interaction::Document { .. } => Action::Read,
        Interaction::Search { .. }
        | Interaction::SearchAll { .. }
        | Interaction::History { place: HistoryPlace::Type(..) | HistoryPlace::System(_), .. }
        | Interaction::Everything { .. }
        | Interaction::LastN { .. }
        | Interaction::DocRef { .. } => Action::Query,
        Interaction::Deposit { .. } => Action::Deposit,
        Interaction::Open { .. } => Action::Open,
        Interaction::CreateConsent { .. }
        | Interaction::Create { .. }
        | Interaction::Batch { .. }
        | Interaction::Transaction { .. } => Action::Create,
        Interaction::UpdateConsent { .. } | Interaction::Update { .. } | Interaction::Patch { .. } => Action::Update,
        Interaction::Delete { .. } => Action::Delete,
        Interaction::Conditional { then, .. } => match then {
            Then::Create(created) => action(created),
            Then::Update { .. } | Then::Patch { .. } => Action::Update,
            Then::Delete { .. } => Action::Delete,
        },
    }
}

/// Whether the query is part of the trace.
fn is_query(interaction: &Interaction) -> bool {
    matches!(action(interaction), Action::Query | Action::Existence)
}

/// The one resource that an interaction is about.
fn target(interaction: &Interaction) -> Option<&Target> {
    match interaction {
        Interaction::Read(target)
        | Interaction::VersionRead(target, _)
        | Interaction::RetrieveDocument(target)
        | Interaction::Translation(target)
        | Interaction::History { place: HistoryPlace::Instance(target), .. }
        | Interaction::Document { target, .. }
        | Interaction::Everything { target, .. }
        | Interaction::UpdateConsent { target, .. }
        | Interaction::Update { target, .. }
        | Interaction::Patch { target, .. }
        | Interaction::Delete { target, .. } => Some(target),
        Interaction::Existence { .. }
        | Interaction::Search { .. }
        | Interaction::SearchAll { .. }
        | Interaction::History { place: HistoryPlace::Type(..) | HistoryPlace::System(_), .. }
        | Interaction::LastN { .. }
        | Interaction::DocRef { .. }
        | Interaction::Deposit { .. }
        | Interaction::Open { .. }
        | Interaction::CreateConsent { .. }
        | Interaction::Create { .. }
        | Interaction::Conditional { .. }
        | Interaction::Batch { .. }
        | Interaction::Transaction { .. } => None,
    }
}

fn resource_type(interaction: &Interaction) -> Option<ResourceType> {
    match interaction {
        Interaction::Existence { .. } | Interaction::Open { .. } => ResourceType::parse("Patient"),
        Interaction::Search { resource_type, .. }
        | Interaction::Create { resource_type, .. }
        | Interaction::Conditional { resource_type, .. }
        | Interaction::History { place: HistoryPlace::Type(resource_type, _), .. } => Some(*resource_type),
        Interaction::Deposit { .. } | Interaction::DocRef { .. } => ResourceType::parse("DocumentReference"),
        Interaction::LastN { .. } => ResourceType::parse("Observation"),
        Interaction::CreateConsent { .. } => ResourceType::parse("Consent"),
        Interaction::SearchAll { .. }
        | Interaction::History { place: HistoryPlace::System(_), .. }
        | Interaction::Batch { .. }
        | Interaction::Transaction { .. } => None,
        Interaction::Read(_)
        | Interaction::VersionRead(..)
        | Interaction::RetrieveDocument(_)
        | Interaction::Translation(_)
        | Interaction::History { place: HistoryPlace::Instance(_), .. }
        | Interaction::Document { .. }
        | Interaction::Everything { .. }
        | Interaction::UpdateConsent { .. }
        | Interaction::Update { .. }
        | Interaction::Patch { .. }
        | Interaction::Delete { .. } => target(interaction).map(|target| target.resource_type),
    }
}

/// A resource type that this code names; every name used is a row of `schema/resources.tsv` (a test says so).
pub(crate) fn known_type(name: &str) -> Result<ResourceType, Problem> {
    ResourceType::parse(name).ok_or_else(|| Problem::new(IssueKind::Internal, "A resource type is missing from the table"))
}
