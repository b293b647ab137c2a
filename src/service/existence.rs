//! TD0.2: whether this INS has a record, whether it is open, and the caller's own status (BR-01, BR-19).
//!
//! Answers every caller, blocked ones too; says nothing else.
use super::Context;
use super::search::link;
use crate::audit::{Action, Body, Outcome};
use crate::fhir::bundle::{self, SearchMode, SearchSet};
use crate::fhir::identifier::Ins;
use crate::fhir::{Problem, td02};
use crate::ids::Rid;
use crate::policy;
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
        let status = policy::record_status(&context.request.caller, facts, None, context.unit.now());
        let cut = td02::cut_patient(&stored.resource()?, &status);
        let url = format!("{}/{}", context.server.base(), context.server.reference(patient_type, stored.pid, stored.rid));
        entry = Some((url, serde_json::Value::Object(cut).to_string().into_bytes()));
    }
    let identifier = ins.map(|ins| format!("{}|{}", ins.system(), ins.value())).unwrap_or_default();
    let self_link = link(context.server.base(), patient_type, &[("identifier".to_owned(), identifier)], None);
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
    Ok(Outcome::new(200, Body::Fhir(bytes), vec![event]))
}
