//! One narrow row of the trace, rendered as AuditEvent when it is read (IHE BALP).
use crate::auth::Caller;
use crate::clock::Millis;
use crate::fhir::ResourceType;
use crate::ids::{Pid, Rid};

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Read, vread, raw document, translation account: BALP PatientRead.
    Read,
    /// Search and what it included: BALP PatientQuery, one for each record that contributed.
    Query,
    /// TD0.2.
    Existence,
    /// ITI-105: SimplifiedPublish.Audit.Recipient.
    Deposit,
    /// Any other create: BALP PatientCreate.
    Create,
    /// Update: BALP PatientUpdate.
    Update,
    /// Delete or withdrawal: BALP PatientDelete.
    Delete,
    /// Opening of a record.
    Open,
}

/// How it ended: AuditEvent.outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventOutcome {
    /// 0: done.
    Success,
    /// 4: refused or not found.
    MinorFailure,
    /// 8: failed inside the server.
    SeriousFailure,
}

/// One row of the trace. Holds no value of a query and no body.
#[derive(Debug, Clone)]
pub struct Event {
    /// Record concerned; `None` where no real record is.
    pub pid: Option<Pid>,
    /// When.
    pub at: Millis,
    /// What.
    pub action: Action,
    /// How it ended.
    pub outcome: EventOutcome,
    /// HTTP status of the answer.
    pub status: u16,
    /// Who.
    pub caller: Caller,
    /// Type concerned.
    pub resource_type: Option<ResourceType>,
    /// Resource concerned, inside the record.
    pub rid: Option<Rid>,
    /// The query as sent, base64 in AuditEvent.entity.query (BALP PatientQuery requires it); stays in the record's trace.
    pub query: Option<String>,
    /// Id of the request (X-Request-Id), to join with logs.
    pub request: String,
}
