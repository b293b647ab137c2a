//! Opening of a record: one Patient (fr-core-patient-ins) and its opening Consents (BR-02, DESIGN section 5).
use super::create::{Draft, created, draft};
use super::{Context, references};
use crate::audit::{Action, Body, Outcome};
use crate::auth::Caller;
use crate::fhir::identifier::Ins;
use crate::fhir::{IssueKind, Problem, Resource, bundle, consent};
use crate::ids::{Pid, Rid};
use crate::policy::{self, RecordState};
use crate::store::{self, Access, NewResource};
use serde_json::Value;

/// The INS of a Patient: its first identifier under one of the INS OIDs.
#[must_use]
pub fn ins_of(patient: &Resource) -> Option<Ins> {
    patient.get("identifier")?.as_array()?.iter().find_map(|identifier| Ins::new(identifier.get("system")?.as_str()?, identifier.get("value")?.as_str()?))
}

/// Opens a record with its Patient and Consents, all in one transaction.
///
/// # Errors
/// 409 where the INS has a record, 422 where a trait or the ouverture is missing.
pub fn open_record(
    context: &Context<'_>, access: &Access, patient: &Resource, consents: &[Resource], position: Option<usize>,
) -> Result<Outcome, Problem> {
    let ins = ins_of(patient);
    check_patient(context, patient, ins.as_ref(), position.is_some())?;
    let pid = store::record_create(context.unit, access, ins.as_ref())?;
    let access = context.unit.open_created(access, pid)?;
    let reference = context.server.reference(super::known_type("Patient")?, pid, Rid::PATIENT);
    let mut consents = consents.to_vec();
    if position.is_none() {
        consents.push(lone_consent(context, &reference)?);
    }
    let mut new = Vec::with_capacity(consents.len() + 1);
    let mut body = patient.clone();
    body.insert("active".into(), true.into());
    new.push(draft(context, Draft { pid, rid: Rid::PATIENT, version: 1, body, origin: None })?);
    for consent in &mut consents {
        references::name_patient(consent, "patient", &reference);
        policy::consent::check(consent, &context.request.caller, &context.server.time_zone)?;
        new.push(draft(context, Draft { pid, rid: context.unit.next_rid(), version: 1, body: consent.clone(), origin: None })?);
    }
    let facts = policy::consent::derive(pid, 1, RecordState::Open, ins, consents.iter(), &context.server.time_zone);
    if !consents.iter().any(policy::consent::is_opening) {
        return Err(Problem::at(IssueKind::BusinessRule, "Bundle.entry", "An opening needs the Consent of kind ouverture (BR-02)"));
    }
    store::resource_put(context.unit, &access, &new)?;
    store::facts_write(context.unit, &access, &facts)?;
    Ok(answer(context, pid, &new, position))
}

/// The lone `POST Patient` of a system: it creates the ouverture itself.
fn lone_consent(context: &Context<'_>, patient: &str) -> Result<Resource, Problem> {
    let Caller::System(system) = &context.request.caller else {
        let text = "A professional opens a record with a transaction of the Patient and its Consent of kind ouverture (BR-02)";
        return Err(Problem::at(IssueKind::BusinessRule, "Patient", text));
    };
    Ok(consent::ouverture(patient, &system.structure.into(), context.unit.now()))
}

/// INS and five traits (RNIV): birth name, given names, sex, birth date, place of birth.
fn check_patient(context: &Context<'_>, patient: &Resource, ins: Option<&Ins>, bundled: bool) -> Result<(), Problem> {
    let prefix = if bundled { "Bundle.entry.resource" } else { "Patient" };
    let missing = |element: &str, text: &str| Err(Problem::at(IssueKind::RequiredMissing, format!("{prefix}.{element}"), text.to_owned()));
    let Some(ins) = ins else {
        return match context.request.caller {
            Caller::System(_) => Ok(()),
            Caller::Professional(_) | Caller::Patient(_) | Caller::Operator | Caller::Server => {
                missing("identifier", "A record is opened for an INS; a Patient without one is for system callers only (BR-06)")
            }
        };
    };
    if ins.is_test() && !context.server.test_ins {
        let text = "INS of the test and demonstration OIDs are not accepted by this server (setting test-ins)";
        return Err(Problem::at(IssueKind::BusinessRule, format!("{prefix}.identifier"), text));
    }
    let name = patient.get("name").and_then(Value::as_array).and_then(|names| {
        names.iter().find(|name| name.get("use").and_then(Value::as_str) == Some("official"))
    });
    let Some(name) = name else { return missing("name", "The official name (birth name) is one of the five traits of the INS") };
    if name.get("family").is_none() || name.get("given").is_none() {
        return missing("name", "The official name has a family name and given names");
    }
    if patient.get("gender").is_none() {
        return missing("gender", "The sex is one of the five traits of the INS");
    }
    if patient.get("birthDate").is_none() {
        return missing("birthDate", "The birth date is one of the five traits of the INS");
    }
    let birth_place = patient.get("extension").and_then(Value::as_array).is_some_and(|extensions| {
        extensions.iter().any(|extension| extension.get("url").and_then(Value::as_str) == Some("http://hl7.org/fhir/StructureDefinition/patient-birthPlace"))
    });
    if !birth_place {
        return missing("extension", "The place of birth (INSEE code) is one of the five traits of the INS");
    }
    Ok(())
}

/// 201 with the Patient, or a transaction-response with an entry for each of the request, in its order.
fn answer(context: &Context<'_>, pid: Pid, new: &[NewResource], position: Option<usize>) -> Outcome {
    let events = new.iter().enumerate().map(|(index, resource)| {
        let action = if index == 0 { Action::Open } else { Action::Create };
        context.event_on(action, 201, resource.resource_type, pid, resource.rid)
    });
    let events = events.collect();
    let Some(position) = position else {
        return match new.first() {
            Some(patient) => created(context, pid, patient, events),
            None => Outcome::problem(&Problem::new(IssueKind::Internal, "Nothing was created"), Vec::new()),
        };
    };
    let mut order: Vec<&NewResource> = new.iter().skip(1).collect();
    if let Some(patient) = new.first() {
        order.insert(position.min(order.len()), patient);
    }
    let entries = order.into_iter().map(|resource| bundle::ResponseEntry {
        status: "201 Created".to_owned(),
        location: Some(format!("{}/_history/1", context.server.reference(resource.resource_type, pid, resource.rid))),
        etag: Some("W/\"1\"".to_owned()),
        last_modified: Some(context.unit.now().instant()),
        resource: Some(resource.body.clone()),
    });
    Outcome {
        status: 200,
        body: Body::Fhir(bundle::transaction_response(entries)),
        version: None,
        updated: None,
        location: None,
        events,
    }
}
