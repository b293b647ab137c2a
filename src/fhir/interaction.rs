//! Everything that a caller asks, parsed once. <https://hl7.org/fhir/R4/http.html>
use super::identifier::Ins;
use super::patch::Patch;
use super::{IssueKind, Problem, Resource, ResourceType};
use crate::ids::{Pid, Rid};
use std::fmt;

/// A resource as a request names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Type of the URL.
    pub resource_type: ResourceType,
    /// Record that the id leads to; `None` for an id that leads nowhere (404 after authentication).
    pub place: Option<(Pid, Rid)>,
    /// The id of the URL where it is no sealed one: perhaps one that a client chose, which only the unit can tell.
    pub alias: Option<String>,
}

impl Target {
    /// A resource at a place.
    #[must_use]
    pub fn at(resource_type: ResourceType, pid: Pid, rid: Rid) -> Self {
        Self { resource_type, place: Some((pid, rid)), alias: None }
    }
}

/// How a request names the record that it is about.
#[derive(Clone, PartialEq, Eq)]
pub enum RecordName {
    /// An opaque id of this server led to it.
    Pid(Pid),
    /// `Patient?identifier=`, `patient.identifier=`, a logical reference.
    Ins(Ins),
    /// An id of a Patient that is no sealed one: perhaps one that a client chose, which only the unit can tell.
    Alias(String),
    /// A name that leads to no record: unknown id, or an identifier that is no INS.
    Unknown,
}

impl fmt::Debug for RecordName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecordName(..)")
    }
}

/// Where a search looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SearchPlace {
    /// In one record.
    Record(RecordName),
    /// In every record that authorises the caller, each under its own mask.
    Cohort,
    /// In the directory.
    Directory,
}

/// Parameters of a search or an operation, percent-decoded, in the order of the request.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Parameters(pub Vec<(String, String)>);

impl Parameters {
    /// The query of a URL, percent-decoded.
    ///
    /// # Errors
    /// `Malformed` where it cannot be decoded.
    pub fn parse(query: &str) -> Result<Self, Problem> {
        let undecodable = || Problem::new(IssueKind::Malformed, "The query string cannot be decoded");
        if !is_decodable(query) {
            return Err(undecodable());
        }
        serde_urlencoded::from_str(query).map(Self).map_err(|_undecodable| undecodable())
    }
    /// Names only: what may be logged.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }
    /// The first value of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// Whether each `%` begins an escape, and the escapes are UTF-8: the decoder would search for what was not meant.
fn is_decodable(query: &str) -> bool {
    let mut bytes = Vec::with_capacity(query.len());
    let mut rest = query;
    while let Some((before, escape)) = rest.split_once('%') {
        bytes.extend_from_slice(before.as_bytes());
        let digits = escape.get(..2).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        let Some(byte) = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) else { return false };
        bytes.push(byte);
        rest = escape.get(2..).unwrap_or_default();
    }
    std::str::from_utf8(&bytes).is_ok()
}

impl fmt::Debug for Parameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

/// What a history is of. <https://hl7.org/fhir/R4/http.html#history>
#[derive(Debug, Clone)]
pub enum HistoryPlace {
    /// `[type]/[id]/_history`.
    Instance(Target),
    /// `[type]/_history`.
    Type(ResourceType, SearchPlace),
    /// `_history`.
    System(SearchPlace),
}

/// What a conditional interaction does with what its criteria matched.
#[derive(Clone)]
pub enum Then {
    /// `If-None-Exist`: the create, where nothing matched.
    Create(Box<Interaction>),
    /// `PUT [type]?criteria`.
    Update {
        /// Record of the body's subject; `None` for the directory.
        record: Option<RecordName>,
        /// Version of If-Match.
        if_match: Option<i64>,
        /// The resource.
        body: Resource,
    },
    /// `PATCH [type]?criteria`.
    Patch {
        /// Version of If-Match.
        if_match: Option<i64>,
        /// What changes.
        patch: Patch,
    },
    /// `DELETE [type]?criteria`.
    Delete {
        /// Version of If-Match.
        if_match: Option<i64>,
    },
}

/// What a caller asks.
#[derive(Clone)]
pub enum Interaction {
    /// `GET Patient?identifier=<INS>`, exactly that: TD0.2, existence and the caller's own status.
    Existence {
        /// The INS asked for; `None` for an identifier that is no INS (answered with no entry).
        ins: Option<Ins>,
    },
    /// `GET [type]/[id]`, as FHIR.
    Read(Target),
    /// `GET [type]/[id]/_history/[version]`.
    VersionRead(Target, i64),
    /// `GET Binary/[id]` under its own media type: ITI-68.
    RetrieveDocument(Target),
    /// `GET [type]?...` and `POST [type]/_search`.
    Search {
        /// Type searched.
        resource_type: ResourceType,
        /// One record, the caller's records, or the directory.
        place: SearchPlace,
        /// Everything of the query, the record's name included.
        parameters: Parameters,
    },
    /// `GET DocumentReference/[id]/$translation`.
    Translation(Target),
    /// `Composition/[id]/$document`.
    Document {
        /// The Composition.
        target: Target,
        /// Everything of the query.
        parameters: Parameters,
    },
    /// `POST DocumentReference` with content in `attachment.data`: ITI-105.
    Deposit {
        /// Record of the subject.
        record: RecordName,
        /// The DocumentReference.
        body: Resource,
    },
    /// Opening of a record: transaction of one Patient and its Consents, or a lone `POST Patient` of a system.
    Open {
        /// The Patient.
        patient: Resource,
        /// Ouverture and oppositions; empty for the lone Patient.
        consents: Vec<Resource>,
        /// Entry of the Bundle in which the Patient stands; `None` for the lone Patient.
        position: Option<usize>,
    },
    /// `POST Consent`.
    CreateConsent {
        /// Record of Consent.patient.
        record: RecordName,
        /// The Consent.
        body: Resource,
    },
    /// `PUT Consent/[id]`.
    UpdateConsent {
        /// The Consent replaced.
        target: Target,
        /// Version of If-Match.
        if_match: Option<i64>,
        /// The Consent.
        body: Resource,
    },
    /// `POST [type]` of any other type that the table of decision 15 lets this caller write.
    Create {
        /// Type created.
        resource_type: ResourceType,
        /// Record of its subject; `None` for the directory.
        record: Option<RecordName>,
        /// The resource.
        body: Resource,
    },
    /// `PUT [type]/[id]` of any other type: update, update-as-create, bringing back to life.
    Update {
        /// The resource replaced.
        target: Target,
        /// Record of the body's subject; `None` for the directory.
        record: Option<RecordName>,
        /// Version of If-Match.
        if_match: Option<i64>,
        /// The resource.
        body: Resource,
    },
    /// `PATCH [type]/[id]`.
    Patch {
        /// The resource changed.
        target: Target,
        /// Version of If-Match.
        if_match: Option<i64>,
        /// What changes.
        patch: Patch,
    },
    /// `DELETE [type]/[id]`.
    Delete {
        /// The resource deleted.
        target: Target,
        /// Version of If-Match.
        if_match: Option<i64>,
    },
    /// Conditional create, update, patch and delete: a match in the caller's own scope, then what is done with its result,
    /// decided like a request of its own.
    Conditional {
        /// Type of the URL.
        resource_type: ResourceType,
        /// Where the criteria look.
        place: SearchPlace,
        /// The criteria.
        criteria: Parameters,
        /// What is done.
        then: Then,
    },
    /// `GET [type]/[id]/_history`, `[type]/_history`, `_history`.
    History {
        /// Of one resource, of a type, of everything.
        place: HistoryPlace,
        /// `_since`, `_at`, `_count`.
        parameters: Parameters,
    },
    /// `GET [base]?_type=A,B&...`, `POST _search`, and `Patient/[id]/*`.
    SearchAll {
        /// One record, or the caller's records.
        place: SearchPlace,
        /// Everything of the query.
        parameters: Parameters,
    },
    /// `Patient/[id]/$everything`.
    Everything {
        /// The Patient.
        target: Target,
        /// `start`, `end`, `_since`, `_type`, `_count`.
        parameters: Parameters,
    },
    /// `Observation/$lastn`.
    LastN {
        /// One record, or the caller's records.
        place: SearchPlace,
        /// `max` and search parameters.
        parameters: Parameters,
    },
    /// `DocumentReference/$docref` (IPA).
    DocRef {
        /// The record of its `patient`.
        place: SearchPlace,
        /// `patient`, `start`, `end`, `type`, `on-demand`, `profile`.
        parameters: Parameters,
    },
    /// `POST [base]` with a Bundle of type batch: each entry for itself.
    Batch {
        /// Entries in the order of the Bundle.
        entries: Vec<BundleEntry>,
    },
    /// `POST [base]` with a Bundle of type transaction: each entry is decided like a request of its own.
    Transaction {
        /// Entries in the order of the Bundle.
        entries: Vec<BundleEntry>,
    },
}

/// The methods of FHIR. <https://hl7.org/fhir/R4/valueset-http-verb.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Method {
    /// DELETE: first in a transaction.
    Delete,
    /// POST.
    Post,
    /// PUT.
    Put,
    /// PATCH.
    Patch,
    /// GET: last in a transaction.
    Get,
    /// HEAD.
    Head,
}

impl Method {
    /// The method of this name, as `Bundle.entry.request.method` has it.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "DELETE" => Self::Delete,
            "POST" => Self::Post,
            "PUT" => Self::Put,
            "PATCH" => Self::Patch,
            "GET" => Self::Get,
            "HEAD" => Self::Head,
            _other => return None,
        })
    }
    /// Whether it only reads.
    #[must_use]
    pub const fn reads(self) -> bool {
        matches!(self, Self::Get | Self::Head)
    }
}

/// `Prefer: return=` of a write. <https://hl7.org/fhir/R4/http.html#ops>
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Return {
    /// The resource.
    #[default]
    Representation,
    /// Nothing.
    Minimal,
    /// An OperationOutcome.
    OperationOutcome,
}

/// One entry of a batch or transaction.
#[derive(Clone)]
pub struct BundleEntry {
    /// `fullUrl`, as the other entries refer to it.
    pub full_url: Option<String>,
    /// `request.method`.
    pub method: Method,
    /// What the entry asks, or why it asks nothing: a batch answers that for the entry, a transaction fails.
    pub interaction: Result<Interaction, Problem>,
    /// Version that the client has (`request.ifNoneMatch`).
    pub none_match: Option<i64>,
    /// Time of the client's copy (`request.ifModifiedSince`), milliseconds.
    pub modified_since: Option<i64>,
    /// Query of `request.url`, for the trace of searches.
    pub query: Option<String>,
}

impl Interaction {
    /// Name for logs and metrics: the restful interaction code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Existence { .. } | Self::Search { .. } => "search-type",
            Self::SearchAll { .. } => "search-system",
            Self::Read(_) | Self::RetrieveDocument(_) => "read",
            Self::VersionRead(..) => "vread",
            Self::History { place: HistoryPlace::Instance(_), .. } => "history-instance",
            Self::History { place: HistoryPlace::Type(..), .. } => "history-type",
            Self::History { place: HistoryPlace::System(_), .. } => "history-system",
            Self::Translation(_) | Self::Document { .. } | Self::Everything { .. } | Self::LastN { .. } | Self::DocRef { .. } => {
                "operation"
            }
            Self::Deposit { .. } | Self::CreateConsent { .. } | Self::Create { .. } | Self::Open { .. } => "create",
            Self::UpdateConsent { .. } | Self::Update { .. } => "update",
            Self::Patch { .. } => "patch",
            Self::Delete { .. } => "delete",
            Self::Conditional { then, .. } => match then {
                Then::Create(_) => "create",
                Then::Update { .. } => "update",
                Then::Patch { .. } => "patch",
                Then::Delete { .. } => "delete",
            },
            Self::Batch { .. } => "batch",
            Self::Transaction { .. } => "transaction",
        }
    }

    /// Whether it may change anything: it runs in a transaction then, and not on a snapshot.
    #[must_use]
    pub fn writes(&self) -> bool {
        match self {
            Self::Existence { .. }
            | Self::Read(_)
            | Self::VersionRead(..)
            | Self::RetrieveDocument(_)
            | Self::Search { .. }
            | Self::SearchAll { .. }
            | Self::History { .. }
            | Self::Translation(_)
            | Self::Document { .. }
            | Self::Everything { .. }
            | Self::LastN { .. }
            | Self::DocRef { .. } => false,
            Self::Deposit { .. }
            | Self::Open { .. }
            | Self::CreateConsent { .. }
            | Self::UpdateConsent { .. }
            | Self::Create { .. }
            | Self::Update { .. }
            | Self::Patch { .. }
            | Self::Delete { .. }
            | Self::Conditional { .. }
            | Self::Transaction { .. } => true,
            Self::Batch { entries } => entries.iter().filter_map(|entry| entry.interaction.as_ref().ok()).any(Self::writes),
        }
    }
}
