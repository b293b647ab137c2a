//! TD0.2: whether this INS has a record, whether it is open, and the caller's own status (BR-01, BR-19).
//!
//! Answers every caller, blocked ones too; says nothing else.
use super::Context;
use crate::audit::{Action, Body, Outcome};
use crate::auth::Caller;
use crate::fhir::bundle::{self, SearchMode, SearchSet};
use crate::fhir::identifier::Ins;
use crate::fhir::{IssueKind, Problem, Resource, td02};
use crate::ids::Rid;
use crate::policy::{self, AuthorisationStatus, Facts, RecordState};
use crate::store::{self, Access};

/// `GET Patient?identifier=<INS>`: a searchset of 0 or 1 cut Patient.
///
/// # Errors
/// Of the store.
pub fn existence(context: &Context<'_>, access: &Access, ins: Option<&Ins>) -> Result<Outcome, Problem> {
    let patient_type = super::known_type("Patient")?;
    let stored = match context.facts {
        Some(_) => store::resource_read(context.unit, access, patient_type, Rid::PATIENT)?,
        None => None,
    };
    let mut entry = None;
    if let (Some(stored), Some(facts)) = (&stored, context.facts) {
        let patient: Resource = serde_json::from_slice(&stored.body)
            .map_err(|_not_json| Problem::new(IssueKind::Internal, "A stored resource cannot be read"))?;
        let cut = td02::cut_patient(&patient, &record_status(context, facts));
        let url = format!("{}/{}", context.server.base(), context.server.reference(patient_type, stored.pid, stored.rid));
        entry = Some((url, serde_json::Value::Object(cut).to_string().into_bytes()));
    }
    let self_link = match ins {
        Some(ins) => format!("{}/Patient?identifier={}|{}", context.server.base(), ins.system(), ins.value()),
        None => format!("{}/Patient?identifier=", context.server.base()),
    };
    let total = u64::from(entry.is_some());
    let bytes = bundle::searchset(SearchSet {
        self_link: &self_link,
        next_link: None,
        total: Some(total),
        entries: entry.iter().map(|(url, body)| (url, body, SearchMode::Match)),
        outcome: None,
    });
    let pid = context.facts.map(|facts| facts.pid);
    let mut event = context.event(pid, Action::Existence, 200);
    event.resource_type = Some(patient_type);
    event.rid = pid.map(|_| Rid::PATIENT);
    event.query.clone_from(&context.request.query);
    Ok(Outcome { status: 200, body: Body::Fhir(bytes), version: None, updated: None, location: None, events: vec![event] })
}

/// What TD0.2 tells beside the identity.
fn record_status(context: &Context<'_>, facts: &Facts) -> td02::RecordStatus {
    let caller = &context.request.caller;
    let status = match policy::status(caller, facts, context.unit.now()) {
        AuthorisationStatus::NonExiste => "NON_EXISTE",
        AuthorisationStatus::Valide => "VALIDE",
        AuthorisationStatus::Expire => "EXPIRE",
        AuthorisationStatus::Interdit => "INTERDIT",
    };
    let (medecin_traitant, statut_autorisation) = match caller {
        Caller::Professional(professional) => (Some(facts.treating.contains(&professional.rpps)), Some(status)),
        Caller::System(_) => (None, Some(status)),
        Caller::Patient(_) | Caller::Operator | Caller::Server => (None, None),
    };
    td02::RecordStatus {
        open: facts.state == RecordState::Open,
        closure: None,
        rattachement_mes: None,
        medecin_traitant,
        statut_autorisation,
    }
}
