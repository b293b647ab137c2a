//! The answer of TD0.2: whether a person has a record, and what the caller may do with it (BR-01, PDSm4DMP TD0.2).
//!
//! A caller without authorisation gets this too, so the Patient is cut: INS, names, open or closed, and nothing else.
use super::identifier::Ins;
use super::{CANONICAL, Resource};
use serde_json::{Value, json};

/// Base of the extensions that the ANS names for TD0.2 without defining them; `fhir-profiles/` has our definitions.
pub const ANS_DMP: &str = "https://interop.esante.gouv.fr/ig/fhir/dmp";

/// Why and when a record was closed (BR-03).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closure {
    /// Day, as a FHIR date.
    pub date: String,
    /// Code of `dmp-motif-fermeture`, such as `patient-demande`.
    pub motif: String,
    /// Reason in words.
    pub raison: Option<String>,
}

/// What TD0.2 tells beside the identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordStatus {
    /// Whether the record is open.
    pub open: bool,
    /// Its closure; for a closed record.
    pub closure: Option<Closure>,
    /// Whether the person's Mon espace santé account is attached; `None` where that is not known.
    pub rattachement_mes: Option<bool>,
    /// Whether the caller is a médecin traitant of this record; `None` for callers who cannot be one.
    pub medecin_traitant: Option<bool>,
    /// The caller's authorisation status: `NON_EXISTE`, `VALIDE`, `EXPIRE` or `INTERDIT`; `None` for the patient himself.
    pub statut_autorisation: Option<&'static str>,
}

/// Cuts a Patient to the answer of TD0.2.
#[must_use]
pub fn cut_patient(patient: &Resource, status: &RecordStatus) -> Resource {
    let mut cut = Resource::new();
    cut.insert("resourceType".into(), json!("Patient"));
    if let Some(id) = patient.get("id") {
        cut.insert("id".into(), id.clone());
    }
    cut.insert("meta".into(), json!({"profile": [format!("{CANONICAL}/StructureDefinition/dmp-td02-patient")]}));
    let extensions = extensions(status);
    if !extensions.is_empty() {
        cut.insert("extension".into(), Value::Array(extensions));
    }
    let identifiers = list(patient, "identifier").filter(|identifier| is_current_ins(identifier));
    let identifiers: Vec<Value> = identifiers.map(|identifier| keep(identifier, &["use", "type", "system", "value"])).collect();
    if !identifiers.is_empty() {
        cut.insert("identifier".into(), Value::Array(identifiers));
    }
    cut.insert("active".into(), json!(status.open));
    let named = |name: &&Value| matches!(name.get("use").and_then(Value::as_str), Some("official" | "usual"));
    let names: Vec<Value> =
        list(patient, "name").filter(named).map(|name| keep(name, &["use", "text", "family", "given", "prefix"])).collect();
    if !names.is_empty() {
        cut.insert("name".into(), Value::Array(names));
    }
    cut
}

fn extensions(status: &RecordStatus) -> Vec<Value> {
    let mut extensions = Vec::new();
    if let Some(closure) = &status.closure {
        let motif = json!({"coding": [{"system": format!("{ANS_DMP}/CodeSystem/dmp-motif-fermeture"), "code": closure.motif}]});
        let mut parts = vec![
            json!({"url": "dateFermeture", "valueDate": closure.date}),
            json!({"url": "motifFermeture", "valueCodeableConcept": motif}),
        ];
        if let Some(raison) = &closure.raison {
            parts.push(json!({"url": "raisonFermeture", "valueString": raison}));
        }
        extensions.push(json!({"url": format!("{ANS_DMP}/StructureDefinition/dmp-fermeture"), "extension": parts}));
    }
    if let Some(attached) = status.rattachement_mes {
        extensions.push(json!({"url": format!("{ANS_DMP}/StructureDefinition/dmp-rattachement-mes"), "valueBoolean": attached}));
    }
    if let Some(treating) = status.medecin_traitant {
        extensions.push(json!({"url": format!("{ANS_DMP}/StructureDefinition/dmp-medecin-traitant"), "valueBoolean": treating}));
    }
    if let Some(code) = status.statut_autorisation {
        let url = format!("{CANONICAL}/StructureDefinition/dmp-statut-autorisation");
        extensions.push(json!({"url": url, "valueCode": code}));
    }
    extensions
}

/// The INS of a Patient: its first identifier under an INS OID that is not `old`.
#[must_use]
pub fn ins_of(patient: &Resource) -> Option<Ins> {
    list(patient, "identifier").filter(|identifier| is_current_ins(identifier)).find_map(ins)
}

fn ins(identifier: &Value) -> Option<Ins> {
    Ins::new(identifier.get("system")?.as_str()?, identifier.get("value")?.as_str()?)
}

fn is_current_ins(identifier: &Value) -> bool {
    identifier.get("use").and_then(Value::as_str) != Some("old") && ins(identifier).is_some()
}

fn list<'a>(resource: &'a Resource, name: &str) -> impl Iterator<Item = &'a Value> {
    resource.get(name).and_then(Value::as_array).into_iter().flatten()
}

/// The members of an object that the answer keeps; extensions and primitive extensions (`_family`) are not among them.
fn keep(value: &Value, members: &[&str]) -> Value {
    let kept = members.iter().filter_map(|name| Some(((*name).to_owned(), value.get(*name)?.clone())));
    Value::Object(kept.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patient() -> Resource {
        let patient = json!({
            "resourceType": "Patient", "id": "p1",
            "meta": {"versionId": "3", "tag": [{"system": "urn:x", "code": "y"}]},
            "text": {"status": "generated", "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\">secret</div>"},
            "identifier": [
                {"use": "old", "system": "urn:oid:1.2.250.1.213.1.4.10", "value": "279035121518000"},
                {"use": "official", "system": "urn:oid:1.2.250.1.213.1.4.10", "value": "279035121518989"},
                {"use": "usual", "system": "urn:oid:1.2.3", "value": "IPP-1"}],
            "active": true,
            "name": [
                {"use": "official", "family": "PAT-TROIS", "given": ["DOMINIQUE"], "extension": [{"url": "urn:x", "valueString": "z"}]},
                {"use": "usual", "family": "EPOUSE", "given": ["DOMINIQUE"], "prefix": ["MME"]},
                {"use": "old", "family": "AVANT"}],
            "telecom": [{"system": "phone", "value": "0600000000"}], "gender": "female", "birthDate": "1979-03-28",
            "address": [{"city": "PARIS"}]});
        patient.as_object().cloned().unwrap_or_default()
    }

    #[test]
    fn td02_tells_ins_names_state_and_status_and_nothing_else() {
        let status = RecordStatus {
            open: true,
            closure: None,
            rattachement_mes: Some(false),
            medecin_traitant: Some(false),
            statut_autorisation: Some("NON_EXISTE"),
        };
        assert_eq!(
            Value::Object(cut_patient(&patient(), &status)),
            json!({
                "resourceType": "Patient", "id": "p1",
                "meta": {"profile": ["https://dmp-fhir.example/fhir/StructureDefinition/dmp-td02-patient"]},
                "extension": [
                    {"url": "https://interop.esante.gouv.fr/ig/fhir/dmp/StructureDefinition/dmp-rattachement-mes", "valueBoolean": false},
                    {"url": "https://interop.esante.gouv.fr/ig/fhir/dmp/StructureDefinition/dmp-medecin-traitant", "valueBoolean": false},
                    {"url": "https://dmp-fhir.example/fhir/StructureDefinition/dmp-statut-autorisation", "valueCode": "NON_EXISTE"}],
                "identifier": [{"use": "official", "system": "urn:oid:1.2.250.1.213.1.4.10", "value": "279035121518989"}],
                "active": true,
                "name": [
                    {"use": "official", "family": "PAT-TROIS", "given": ["DOMINIQUE"]},
                    {"use": "usual", "family": "EPOUSE", "given": ["DOMINIQUE"], "prefix": ["MME"]}]})
        );
    }

    #[test]
    fn a_closed_record_is_not_active_and_says_when_and_why() {
        let closure = Closure { date: "2026-11-01".into(), motif: "patient-demande".into(), raison: None };
        let status = RecordStatus {
            open: false,
            closure: Some(closure),
            rattachement_mes: None,
            medecin_traitant: None,
            statut_autorisation: None,
        };
        let cut = cut_patient(&patient(), &status);
        assert_eq!(cut.get("active"), Some(&json!(false)));
        assert_eq!(
            cut.get("extension"),
            Some(&json!([{"url": "https://interop.esante.gouv.fr/ig/fhir/dmp/StructureDefinition/dmp-fermeture", "extension": [
                {"url": "dateFermeture", "valueDate": "2026-11-01"},
                {"url": "motifFermeture", "valueCodeableConcept": {"coding": [{
                    "system": "https://interop.esante.gouv.fr/ig/fhir/dmp/CodeSystem/dmp-motif-fermeture", "code": "patient-demande"}]}}]}]))
        );
    }

    #[test]
    fn an_old_ins_does_not_name_the_record() {
        assert_eq!(ins_of(&patient()), Ins::new("1.2.250.1.213.1.4.10", "279035121518989"));
    }
}
