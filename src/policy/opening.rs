//! Opening of a record: one fr-core-patient-ins and its ouverture (BR-02), or again after closure (BR-04).
use super::access::{self, Standing};
use super::consent::{self, AccessConsent, Performer};
use super::consents::invalid;
use super::facts::{Actor, RecordState};
use super::permit::{Denial, Permit, ReadScope, Rule};
use super::rules::{Request, denial, forbidden};
use crate::auth::Caller;
use crate::fhir::consent::ConsentKind;
use crate::fhir::{Issue, IssueKind, Problem, Resource, td02};
use serde_json::Value;

const BIRTH_PLACE: &str = "http://hl7.org/fhir/StructureDefinition/patient-birthPlace";
const INSEE_CODE: &str = "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-address-insee-code";

pub(super) fn decide(request: &Request<'_>, patient: &Resource, consents: &[Resource]) -> Result<Permit, Denial> {
    let me = match request.caller {
        Caller::Professional(professional) => {
            access::purpose_is_normal(professional)?;
            if consents.is_empty() {
                let text = "A professional opens a record by a transaction of the Patient and its Consent of opening (BR-02)";
                return Err(denial(Rule::Opening, IssueKind::BusinessRule, text));
            }
            Some(Actor::Professional(professional.rpps.clone()))
        }
        Caller::System(system) => Some(Actor::Structure(system.structure.clone())),
        Caller::Operator | Caller::Server => None,
        Caller::Patient(_) => return Err(forbidden(Rule::CallerKind, "A patient does not open a record himself here (BR-02)")),
    };
    let ins = td02::ins_of(patient);
    let faults = match (&ins, request.caller) {
        (Some(_), _) => traits(patient),
        (None, Caller::System(_) | Caller::Operator | Caller::Server) => Vec::new(),
        (None, Caller::Professional(_) | Caller::Patient(_)) => {
            vec![Issue::at(IssueKind::RequiredMissing, "Patient.identifier", "The INS is required (BR-06)")]
        }
    };
    if let Some(problem) = Problem::from_issues(faults) {
        return Err(Denial { rule: Rule::Opening, problem });
    }
    check_consents(consents, me.as_ref())?;
    match request.facts {
        None => {}
        Some(facts) if facts.ins.is_none() || facts.ins != ins => {
            return Err(denial(Rule::NoRecord, IssueKind::Internal, "The facts are those of another record"));
        }
        Some(facts) if access::standing(request.caller, facts, request.now) == Standing::Blocked => return Err(access::blocked()),
        Some(facts) => match facts.state {
            RecordState::Open => return Err(denial(Rule::Opening, IssueKind::Duplicate, "This person has a record already")),
            // Reopening needs the new consent itself (BR-04); a lone Patient would bring none.
            RecordState::Closed if consents.is_empty() => {
                let text = "A closed record is opened again with a new Consent of opening (BR-04)";
                return Err(denial(Rule::Opening, IssueKind::BusinessRule, text));
            }
            RecordState::Closed => {}
        },
    }
    Ok(request.permit(ReadScope::Existence(ins), Rule::Opening, true))
}

/// Exactly one ouverture and only oppositions beside it; a professional is among its performers.
fn check_consents(consents: &[Resource], me: Option<&Actor>) -> Result<(), Denial> {
    if consents.is_empty() {
        return Ok(());
    }
    let consents: Vec<AccessConsent> =
        consents.iter().map(consent::read).collect::<Result<_, _>>().map_err(|issues| invalid(&issues))?;
    let mut openings = 0;
    for consent in &consents {
        match consent.kind {
            ConsentKind::Ouverture => openings += 1,
            ConsentKind::OppositionBrisDeGlace | ConsentKind::OppositionRegulation => {}
            ConsentKind::Autorisation | ConsentKind::Blocage | ConsentKind::MedecinTraitant => {
                let text = "The transaction of opening has the ouverture and the oppositions only (BR-02)";
                return Err(denial(Rule::Opening, IssueKind::BusinessRule, text));
            }
        }
        if !consent.active {
            let problem = Problem::at(IssueKind::BusinessRule, "Consent.status", "A Consent of opening is active");
            return Err(Denial { rule: Rule::Opening, problem });
        }
        let mine = |performer: &Performer| match performer {
            Performer::Named(actor) => Some(actor) == me,
            Performer::Patient | Performer::Other => false,
        };
        let foreign = |performer: &Performer| match performer {
            Performer::Patient => false,
            Performer::Named(actor) => Some(actor) != me,
            Performer::Other => true,
        };
        let himself = match me {
            Some(Actor::Professional(_)) => consent.performers.iter().any(mine),
            Some(Actor::Structure(_)) | None => true,
        };
        if !himself || (me.is_some() && consent.performers.iter().any(foreign)) {
            let text = "Consent.performer names the professional himself, and nobody else but the patient (BR-02)";
            return Err(forbidden(Rule::CallerKind, text));
        }
    }
    if openings == 1 {
        Ok(())
    } else {
        Err(denial(Rule::Opening, IssueKind::BusinessRule, "The transaction of opening has exactly one ouverture (BR-02)"))
    }
}

/// What is missing of the five traits of the INS: birth name, first given names, sex, birth date, place of birth.
pub(super) fn traits(patient: &Resource) -> Vec<Issue> {
    let mut missing = Vec::new();
    let mut require = |present: bool, path: &str| {
        if !present {
            missing.push(Issue::at(IssueKind::RequiredMissing, path, "This trait of the INS is required (BR-07)"));
        }
    };
    let text = |value: Option<&Value>| value.and_then(Value::as_str).is_some_and(|text| !text.is_empty());
    let all = |name: &str| patient.get(name).and_then(Value::as_array).into_iter().flatten();
    let official = all("name").find(|name| name.get("use").and_then(Value::as_str) == Some("official"));
    require(official.is_some_and(|name| text(name.get("family"))), "Patient.name.where(use='official').family");
    let given = official.and_then(|name| name.get("given")).and_then(Value::as_array).and_then(|given| given.first());
    require(text(given), "Patient.name.where(use='official').given");
    require(text(patient.get("gender")), "Patient.gender");
    require(text(patient.get("birthDate")), "Patient.birthDate");
    let place = all("extension").find(|extension| extension.get("url").and_then(Value::as_str) == Some(BIRTH_PLACE));
    let address = place.and_then(|place| place.get("valueAddress")).and_then(|address| address.get("extension"));
    let insee = address.and_then(Value::as_array).into_iter().flatten();
    let coded = insee.filter(|extension| extension.get("url").and_then(Value::as_str) == Some(INSEE_CODE));
    require(coded.count() == 1, "Patient.extension('patient-birthPlace').value.extension('fr-core-address-insee-code')");
    missing
}
