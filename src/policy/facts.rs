//! What the rules need to know of one record, derived from its Consents in the transaction that writes them.
use crate::clock::Millis;
use crate::fhir::identifier::{Finess, Ins, Rpps};
use crate::ids::Pid;

/// Whether a record is open (BR-01, BR-03).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordState {
    /// Consultable and alimentable.
    Open,
    /// Closed: neither.
    Closed,
}

/// Whom a Consent names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// A professional.
    Professional(Rpps),
    /// A structure.
    Structure(Finess),
}

/// A Consent that authorises consultation (kind autorisation or médecin-traitant).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorisation {
    /// Who may consult.
    pub actor: Actor,
    /// First instant at which it is in force.
    pub from: Millis,
    /// First instant at which it is no longer in force (the end of `period.end`'s day in Europe/Paris); `None` = no end.
    pub until: Option<Millis>,
}

/// Facts of one record. Not serialisable, so that they never leave in an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The record.
    pub pid: Pid,
    /// Grows with every change; a write reads it again inside its transaction.
    pub version: i64,
    /// Open or closed.
    pub state: RecordState,
    /// The person's INS; `None` for a Patient without INS (system callers only).
    pub ins: Option<Ins>,
    /// Authorisations, also those that have expired.
    pub authorisations: Vec<Authorisation>,
    /// Whom the patient has blocked (INTERDIT): wins over everything.
    pub blocked: Vec<Actor>,
    /// Médecins traitants.
    pub treating: Vec<Rpps>,
    /// The patient opposes « bris de glace ».
    pub opposed_bris_de_glace: bool,
    /// The patient opposes access by regulation (centre 15).
    pub opposed_regulation: bool,
}

/// The caller's status on a record, as TD0.2 answers it (BR-19).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthorisationStatus {
    /// No authorisation was ever given.
    NonExiste,
    /// In force.
    Valide,
    /// Its period is over.
    Expire,
    /// Blocked by the patient.
    Interdit,
}

impl AuthorisationStatus {
    /// As TD0.2 writes it (BR-19).
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::NonExiste => "NON_EXISTE",
            Self::Valide => "VALIDE",
            Self::Expire => "EXPIRE",
            Self::Interdit => "INTERDIT",
        }
    }
}
