//! How a caller stands to a record: authorised, blocked, its holder, or nothing of these (BR-18 to BR-24).
use super::facts::{Actor, AuthorisationStatus, Facts, RecordState};
use super::permit::{Denial, Masks, Rule, label};
use super::rules::{forbidden, masks_of};
use crate::auth::{Caller, Professional, PurposeOfUse};
use crate::clock::Millis;
use crate::fhir::td02::{Closure, RecordStatus};

/// How a caller stands to a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Blocked by the patient: wins over everything.
    Blocked,
    /// The person whose record it is.
    Holder,
    /// Another patient.
    OtherPatient,
    /// A professional or system, with its status (never `Interdit`).
    Reader(AuthorisationStatus),
    /// Operator or server.
    Internal,
}

/// Under what a Consent names this caller: a professional by RPPS, a system by its structure (BR-23).
fn actor(caller: &Caller) -> Option<Actor> {
    match caller {
        Caller::Professional(professional) => Some(Actor::Professional(professional.rpps.clone())),
        Caller::System(system) => Some(Actor::Structure(system.structure.clone())),
        Caller::Patient(_) | Caller::Operator | Caller::Server => None,
    }
}

/// The caller's status on a record, as TD0.2 answers it (BR-19).
///
/// The holder, the operator and the server need no authorisation: `Valide`. Another patient has none.
#[must_use]
pub fn status(caller: &Caller, facts: &Facts, now: Millis) -> AuthorisationStatus {
    match (caller, actor(caller)) {
        (Caller::Patient(ins), _) => {
            if facts.ins.as_ref() == Some(ins) {
                AuthorisationStatus::Valide
            } else {
                AuthorisationStatus::NonExiste
            }
        }
        (Caller::Operator | Caller::Server, _) => AuthorisationStatus::Valide,
        (Caller::Professional(_) | Caller::System(_), Some(_)) if is_blocked(caller, facts) => AuthorisationStatus::Interdit,
        (Caller::Professional(_) | Caller::System(_), Some(actor)) => status_of(&actor, facts, now),
        (Caller::Professional(_) | Caller::System(_), None) => AuthorisationStatus::NonExiste,
    }
}

/// Whether the patient blocked this caller, by name or by the structure for which he works now (INTERDIT wins).
fn is_blocked(caller: &Caller, facts: &Facts) -> bool {
    let structure = match caller {
        Caller::Professional(professional) => professional.structure.clone().map(Actor::Structure),
        Caller::Patient(_) | Caller::System(_) | Caller::Operator | Caller::Server => None,
    };
    actor(caller).into_iter().chain(structure).any(|named| facts.blocked.contains(&named))
}

fn status_of(actor: &Actor, facts: &Facts, now: Millis) -> AuthorisationStatus {
    let mut expired = false;
    for authorisation in facts.authorisations.iter().filter(|authorisation| authorisation.actor == *actor) {
        let over = authorisation.until.is_some_and(|until| until <= now);
        if authorisation.from <= now && !over {
            return AuthorisationStatus::Valide;
        }
        expired |= over;
    }
    if expired { AuthorisationStatus::Expire } else { AuthorisationStatus::NonExiste }
}

/// What TD0.2 tells this caller of a record, beside the identity (BR-01); `closure` of a closed record is the store's.
///
/// The patient himself, the operator and the server have no authorisation status; only a professional can be a médecin
/// traitant. Whether Mon espace santé is attached is not known here.
#[must_use]
pub fn record_status(caller: &Caller, facts: &Facts, closure: Option<Closure>, now: Millis) -> RecordStatus {
    let (medecin_traitant, statut_autorisation) = match caller {
        Caller::Professional(professional) => {
            (Some(facts.treating.contains(&professional.rpps)), Some(status(caller, facts, now).code()))
        }
        Caller::System(_) => (None, Some(status(caller, facts, now).code())),
        Caller::Patient(_) | Caller::Operator | Caller::Server => (None, None),
    };
    let open = match facts.state {
        RecordState::Open => true,
        RecordState::Closed => false,
    };
    RecordStatus { open, closure, rattachement_mes: None, medecin_traitant, statut_autorisation }
}

pub(super) fn standing(caller: &Caller, facts: &Facts, now: Millis) -> Standing {
    match (caller, status(caller, facts, now)) {
        (Caller::Professional(_) | Caller::System(_), AuthorisationStatus::Interdit) => Standing::Blocked,
        (Caller::Professional(_) | Caller::System(_), status) => Standing::Reader(status),
        (Caller::Patient(_), AuthorisationStatus::Valide) => Standing::Holder,
        (Caller::Patient(_), AuthorisationStatus::NonExiste | AuthorisationStatus::Expire | AuthorisationStatus::Interdit) => {
            Standing::OtherPatient
        }
        (Caller::Operator | Caller::Server, _) => Standing::Internal,
    }
}

/// Which labels this caller does not see (table of BR-36; masked documents: BR-31).
pub(super) fn masks(caller: &Caller, facts: &Facts) -> Masks {
    match caller {
        Caller::Professional(professional) => {
            let treating = facts.treating.contains(&professional.rpps);
            masks_of(label::PATIENT_ONLY, if treating { 0 } else { label::MASQUE_PS })
        }
        Caller::System(_) => masks_of(label::PATIENT_ONLY, label::MASQUE_PS),
        Caller::Patient(_) => masks_of(label::INVISIBLE_PATIENT, 0),
        Caller::Operator | Caller::Server => masks_of(0, 0),
    }
}

/// One row of `access`: a caller whose cohort has this record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The caller, as [`Caller::who`] writes it.
    pub who: String,
    /// First instant at which it holds.
    pub from: Millis,
    /// First instant at which it no longer holds; `None` = no end.
    pub until: Option<Millis>,
    /// What that caller does not see there.
    pub masks: Masks,
}

/// Rows of `access` of one record: none while it is closed, none for the blocked.
///
/// The cohort gives exactly what [`super::decide`] gives record by record: a test says so.
#[must_use]
pub fn grants(facts: &Facts) -> Vec<Grant> {
    match facts.state {
        RecordState::Closed => return Vec::new(),
        RecordState::Open => {}
    }
    let in_force = facts.authorisations.iter().filter(|authorisation| !facts.blocked.contains(&authorisation.actor));
    in_force
        .map(|authorisation| {
            let (who, soft) = match &authorisation.actor {
                Actor::Professional(rpps) => {
                    let treating = facts.treating.contains(rpps);
                    (rpps.who(), if treating { 0 } else { label::MASQUE_PS })
                }
                Actor::Structure(finess) => (finess.who(), label::MASQUE_PS),
            };
            Grant { who, from: authorisation.from, until: authorisation.until, masks: masks_of(label::PATIENT_ONLY, soft) }
        })
        .collect()
}

/// The refusal of a status that does not authorise; `None` for one that does.
pub(super) fn not_authorised(status: AuthorisationStatus) -> Option<Denial> {
    match status {
        AuthorisationStatus::Valide => None,
        AuthorisationStatus::NonExiste => Some(never_authorised()),
        AuthorisationStatus::Expire => {
            Some(forbidden(Rule::NotAuthorised, "The authorisation on this record is over (EXPIRE, BR-19)"))
        }
        AuthorisationStatus::Interdit => Some(blocked()),
    }
}

pub(super) fn never_authorised() -> Denial {
    forbidden(Rule::NotAuthorised, "There is no authorisation on this record (NON_EXISTE, BR-19)")
}

pub(super) fn blocked() -> Denial {
    forbidden(Rule::Blocked, "The patient has blocked this caller (INTERDIT, BR-19)")
}

pub(super) fn closed() -> Denial {
    forbidden(Rule::Closed, "The record is closed (BR-03)")
}

pub(super) fn trace_is_the_patients() -> Denial {
    forbidden(Rule::CallerKind, "The trace of a record is read by its patient only (BR-27)")
}

pub(super) fn not_the_author() -> Denial {
    forbidden(Rule::CallerKind, "A professional or system changes only the Consents that it wrote itself")
}

pub(super) fn is_open(facts: &Facts) -> Result<(), Denial> {
    match facts.state {
        RecordState::Open => Ok(()),
        RecordState::Closed => Err(closed()),
    }
}

/// Other modes of access come later; until then they are refused, never read as normal care.
pub(super) fn purpose_is_normal(professional: &Professional) -> Result<(), Denial> {
    match professional.purpose {
        PurposeOfUse::Normal => Ok(()),
        PurposeOfUse::BrisDeGlace => Err(forbidden(Rule::Purpose, "The mode bris_de_glace is not enforced yet (BR-25)")),
        PurposeOfUse::Centre15 => Err(forbidden(Rule::Purpose, "The mode centre_15 is not enforced yet (BR-26)")),
    }
}

pub(super) fn caller_purpose_is_normal(caller: &Caller) -> Result<(), Denial> {
    match caller {
        Caller::Professional(professional) => purpose_is_normal(professional),
        Caller::Patient(_) | Caller::System(_) | Caller::Operator | Caller::Server => Ok(()),
    }
}
