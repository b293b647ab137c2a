//! Opening of a record: one Patient (fr-core-patient-ins) and its opening Consents (BR-02, DESIGN section 5).
use super::consent::labels;
use super::create::{Draft, created, draft, forget_claims};
use super::transaction::of_outcome;
use super::{Context, references, transaction};
use crate::audit::{Action, Body, Outcome};
use crate::auth::Caller;
use crate::fhir::bundle::EntryResponse;
use crate::fhir::consent::{ConsentFrame, Party};
use crate::fhir::identifier::Ins;
use crate::fhir::interaction::{Method, Return};
use crate::fhir::names::Names;
use crate::fhir::{Interaction, Issue, IssueKind, Problem, Resource, bundle, td02};
use crate::ids::{Pid, Rid};
use crate::policy::{self, RecordState};
use crate::store::{self, Access, NewResource};

/// Profile of a Patient with INS and the five traits, which `decide` has checked.
pub(super) const PATIENT_INS: &str = "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-patient-ins";

/// Opens a record with its Patient and Consents, all in one transaction.
///
/// # Errors
/// 409 where the INS has a record, 422 where a trait or the ouverture is missing.
pub fn open_record(
    context: &Context<'_>,
    access: &Access,
    patient: &Resource,
    consents: &[Resource],
    position: Option<usize>,
) -> Result<Outcome, Problem> {
    let ins = td02::ins_of(patient);
    if let Some(ins) = &ins {
        accepted(context, ins)?;
    }
    let pid = store::record_create(context.unit, access, ins.as_ref())?;
    let access = context.unit.open_created(access, pid)?;
    let reference = context.server.reference(super::known_type("Patient")?, pid, Rid::PATIENT);
    let mut consents = consents.to_vec();
    if consents.is_empty() {
        consents.push(lone_consent(context, &reference)?);
    }
    let mut new = Vec::with_capacity(consents.len() + 1);
    let mut body = patient.clone();
    body.insert("active".into(), true.into());
    forget_claims(&mut body, ins.as_ref().map(|_| PATIENT_INS.to_owned()));
    new.push(draft(context, &access, Draft { pid, rid: Rid::PATIENT, version: 1, body, origin: None })?);
    for consent in &mut consents {
        check_same_person(consent, ins.as_ref(), &reference)?;
        name_everywhere(consent, context.server.base(), &reference);
        let kind = policy::consent::read(consent).ok().map(|read| read.kind.profile());
        forget_claims(consent, kind);
        let rid = context.unit.next_rid();
        let one = draft(context, &access, Draft { pid, rid, version: 1, body: consent.clone(), origin: None })?;
        new.push(NewResource { labels: labels(consent)?, ..one });
    }
    let facts = policy::consent::derive(pid, 1, RecordState::Open, ins, consents.iter());
    store::resource_put(context.unit, &access, &new)?;
    store::facts_write(context.unit, &access, &facts)?;
    Ok(answer(context, &access, pid, &new, position))
}

/// The lone `POST Patient` of a system: it creates the ouverture itself.
fn lone_consent(context: &Context<'_>, patient: &str) -> Result<Resource, Problem> {
    let Caller::System(system) = &context.request.caller else {
        return Err(Problem::at(
            IssueKind::BusinessRule,
            "Patient",
            "A record is opened with a Consent of kind ouverture (BR-02)",
        ));
    };
    let structure = system.structure.clone();
    let frame = ConsentFrame {
        patient: patient.to_owned(),
        performer: Party::Structure(structure.clone()),
        organization: structure,
        date_time: context.unit.now().instant(),
    };
    Ok(frame.ouverture())
}

/// Test and demonstration INS only where the setting takes them (decision 13).
fn accepted(context: &Context<'_>, ins: &Ins) -> Result<(), Problem> {
    if ins.is_test() && !context.server.test_ins {
        let text = "INS of the test and demonstration OIDs are not accepted by this server (setting test-ins)";
        return Err(Problem::at(IssueKind::BusinessRule, "Patient.identifier", text));
    }
    Ok(())
}

/// A Consent of an opening is about the Patient of the same Bundle: named by its fullUrl, by the same INS, or not at all.
fn check_same_person(consent: &Resource, ins: Option<&Ins>, patient: &str) -> Result<(), Problem> {
    let Some(named) = consent.get("patient") else { return Ok(()) };
    let literal = named.get("reference").and_then(serde_json::Value::as_str);
    let in_bundle = literal.is_none_or(|text| match text.strip_prefix("Patient?") {
        Some(query) => references::ins_of_query(query).is_some_and(|stated| Some(&stated) == ins),
        None => text.starts_with("urn:") || text == patient,
    });
    if in_bundle && references::ins_of(named).is_none_or(|stated| Some(&stated) == ins) {
        return Ok(());
    }
    let text = "The Consent of an opening is about the Patient of the same Bundle";
    Err(Problem::at(IssueKind::BusinessRule, "Consent.patient", text))
}

/// The Patient of the same Bundle becomes the one that is opened, in `patient` and among the performers.
fn name_everywhere(consent: &mut Resource, base: &str, patient: &str) {
    let sent = consent
        .get("patient")
        .and_then(|reference| reference.get("reference"))
        .and_then(serde_json::Value::as_str)
        .map(str::to_owned);
    references::name_patient(consent, "patient", patient);
    if let Some(sent) = sent {
        let mut names = Names::new(base);
        names.insert(&sent, patient.to_owned(), 1);
        names.replace(consent, None);
    }
}

/// 201 with the Patient, or a transaction-response with an entry for each of the request, in its order.
fn answer(context: &Context<'_>, access: &Access, pid: Pid, new: &[NewResource], position: Option<usize>) -> Outcome {
    let events = new.iter().enumerate().map(|(index, resource)| {
        let action = if index == 0 { Action::Open } else { Action::Create };
        context.event_on(action, 201, resource.resource_type, pid, resource.rid)
    });
    let events = events.collect();
    let Some(position) = position else {
        return match new.first() {
            Some(patient) => created(context, access, patient, events),
            None => Outcome::problem(&Problem::new(IssueKind::Internal, "Nothing was created"), Vec::new()),
        };
    };
    let mut order: Vec<&NewResource> = new.iter().skip(1).collect();
    if let Some(patient) = new.first() {
        order.insert(position.min(order.len()), patient);
    }
    let preference = context.request.preference.or(Some(Return::Representation));
    let answer = |resource| of_outcome(created(context, access, resource, Vec::new()), Method::Post, preference);
    let entries = order.into_iter().map(answer);
    let entries: Vec<EntryResponse> = entries.collect();
    Outcome::new(200, Body::Fhir(bundle::transaction_response(&entries)), events)
}

/// What is wrong with an opening, said of the entries of its Bundle: the Patient's, or the Consent's where there is but
/// one. Of several Consents the rules do not say which.
pub(super) fn relocate(interaction: &Interaction, problem: Problem) -> Problem {
    let Interaction::Open { consents, position: Some(position), .. } = interaction else { return problem };
    let names = |issue: &Issue, name: &str| {
        issue.expression.as_deref().is_some_and(|expression| expression.split('.').next() == Some(name))
    };
    let in_patient = problem.issues().all(|issue| names(issue, "Patient"));
    let in_consent = consents.len() == 1 && problem.issues().all(|issue| names(issue, "Consent"));
    match (in_patient, in_consent) {
        (true, _) => transaction::relocate(*position, &problem),
        // The one other entry.
        (false, true) => transaction::relocate(usize::from(*position == 0), &problem),
        (false, false) => problem,
    }
}
