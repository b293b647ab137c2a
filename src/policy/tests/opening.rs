//! Opening of a record (BR-02, BR-04, BR-06, BR-07).
use super::actors::{NOW, caller, frame, party, patient};
use crate::fhir::consent::withdrawn;
use crate::fhir::{Interaction, Resource};
use crate::policy::{Permit, ReadScope, Rule, decide};
use serde_json::json;

fn open(who: &str, patient: Resource, consents: Vec<Resource>) -> Result<Permit, (u16, Rule, Vec<String>)> {
    decide(&caller(who), &Interaction::Open { patient, consents, position: None }, None, NOW).map_err(|denial| {
        let paths = denial.problem.issues().filter_map(|issue| issue.expression.clone()).collect();
        (denial.problem.status(), denial.rule, paths)
    })
}

fn refusal(who: &str, consents: Vec<Resource>) -> (u16, Rule) {
    let (status, rule, _) = open(who, patient(), consents).unwrap_err();
    (status, rule)
}

#[test]
fn a_professional_opens_with_ouverture_and_oppositions_that_he_declares() {
    let consents = vec![frame("gp").ouverture(), frame("gp").opposition_regulation(), frame("gp").opposition_bris_de_glace()];
    assert!(open("gp", patient(), consents).is_ok());
}

#[test]
fn a_professional_who_does_not_name_himself_or_names_another_is_refused() {
    assert_eq!(refusal("gp", vec![frame("pat").ouverture()]), (403, Rule::CallerKind));
    assert_eq!(refusal("gp", vec![frame("mt").ouverture()]), (403, Rule::CallerKind));
    assert_eq!(refusal("sys", vec![frame("gp").ouverture()]), (403, Rule::CallerKind));
    assert!(open("sys", patient(), vec![frame("pat").ouverture()]).is_ok());
}

#[test]
fn an_opening_has_exactly_one_active_ouverture_and_no_authorisation() {
    let opening = || frame("gp").ouverture();
    let grant = frame("gp").autorisation(&party("gp"), "2026-11-24", "2027-11-23");
    assert_eq!(refusal("gp", vec![opening(), opening()]), (422, Rule::Opening));
    assert_eq!(refusal("gp", vec![frame("gp").opposition_regulation()]), (422, Rule::Opening));
    assert_eq!(refusal("gp", vec![opening(), grant]), (422, Rule::Opening));
    assert_eq!(refusal("gp", vec![withdrawn(&opening())]), (422, Rule::Opening));
    assert_eq!(refusal("gp", vec![Resource::new()]), (422, Rule::Consent));
}

#[test]
fn each_missing_trait_of_the_ins_is_told() {
    for (name, path) in [
        ("name", "Patient.name.where(use='official').family"),
        ("gender", "Patient.gender"),
        ("birthDate", "Patient.birthDate"),
        ("extension", "Patient.extension('patient-birthPlace').value.extension('fr-core-address-insee-code')"),
    ] {
        let mut patient = patient();
        patient.remove(name);
        let (status, rule, paths) = open("gp", patient, vec![frame("gp").ouverture()]).unwrap_err();
        assert_eq!((status, rule), (422, Rule::Opening));
        assert!(paths.iter().any(|found| found == path), "{paths:?}");
    }
}

#[test]
fn a_patient_without_ins_is_opened_by_systems_only() {
    let mut patient = patient();
    patient.insert("identifier".into(), json!([{"system": "urn:oid:1.2.3", "value": "IPP-1"}]));
    let permit = open("sys", patient.clone(), Vec::new()).unwrap();
    assert_eq!(permit.scope(), &ReadScope::Existence(None));
    let (status, _, paths) = open("gp", patient, vec![frame("gp").ouverture()]).unwrap_err();
    assert_eq!((status, paths), (422, vec!["Patient.identifier".to_owned()]));
}
