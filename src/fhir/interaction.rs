//! Everything that a caller asks, parsed once. <https://hl7.org/fhir/R4/http.html>
use super::identifier::Ins;
use super::{Resource, ResourceType};
use crate::ids::{Pid, Rid};
use std::fmt;

/// A resource as a request names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// Type of the URL.
    pub resource_type: ResourceType,
    /// Record that the id leads to; `None` for an id that leads nowhere (404 after authentication).
    pub place: Option<(Pid, Rid)>,
}

/// How a request names the record that it is about.
#[derive(Clone, PartialEq, Eq)]
pub enum RecordName {
    /// An opaque id of this server led to it.
    Pid(Pid),
    /// `Patient?identifier=`, `patient.identifier=`, a logical reference.
    Ins(Ins),
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

impl fmt::Debug for Parameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
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
    /// `POST [base]` with a Bundle of type transaction: each entry is decided like a request of its own.
    Transaction {
        /// Entries in the order of the Bundle.
        entries: Vec<TransactionEntry>,
    },
}

/// One entry of a transaction.
#[derive(Clone)]
pub struct TransactionEntry {
    /// `fullUrl`, as the other entries refer to it.
    pub full_url: Option<String>,
    /// What the entry asks.
    pub interaction: Interaction,
}

impl Interaction {
    /// Name for logs and metrics: the restful interaction code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Existence { .. } | Self::Search { .. } => "search-type",
            Self::Read(_) | Self::RetrieveDocument(_) => "read",
            Self::VersionRead(..) => "vread",
            Self::Translation(_) => "operation",
            Self::Deposit { .. } | Self::CreateConsent { .. } | Self::Create { .. } | Self::Open { .. } => "create",
            Self::UpdateConsent { .. } => "update",
            Self::Transaction { .. } => "transaction",
        }
    }
}
