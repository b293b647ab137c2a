//! Templates of the CI-SIS: what a section or an entry is, whatever the kind of document.

/// Prefix of the entry templates: `3.nn` of the reference.
pub const ENTRY: &str = "1.2.250.1.213.1.1.3.";
/// Prefix of the section templates: `2.nn`.
pub const SECTION: &str = "1.2.250.1.213.1.1.2.";
/// Prefix of the document templates: `.nn`.
pub const DOCUMENT: &str = "1.2.250.1.213.1.1.1.";

/// FR-CR-BIO-Chapitre.
pub const LABORATORY_CHAPTER: &str = "1.2.250.1.213.1.1.2.70";
/// FR-CR-BIO-Sous-chapitre.
pub const LABORATORY_SUB_CHAPTER: &str = "1.2.250.1.213.1.1.2.71";
/// FR-DICOM-Object-Catalog.
pub const DICOM_CATALOG: &str = "1.2.250.1.213.1.1.2.217";
/// FR-Copie-du-document: the PDF copy.
pub const DOCUMENT_COPY: &str = "1.2.250.1.213.1.1.2.243";

/// FR-Document-attache.
pub const ATTACHED_DOCUMENT: &str = "1.2.250.1.213.1.1.3.18";
/// FR-Resultats-examens-de-biologie-medicale.
pub const LABORATORY_RESULTS: &str = "1.2.250.1.213.1.1.3.21";
/// FR-Commentaire-ER.
pub const COMMENT: &str = "1.2.250.1.213.1.1.3.32";
/// FR-Reference-interne.
pub const INTERNAL_REFERENCE: &str = "1.2.250.1.213.1.1.3.36";
/// FR-Probleme.
pub const PROBLEM: &str = "1.2.250.1.213.1.1.3.37";
/// FR-Vaccination.
pub const IMMUNIZATION: &str = "1.2.250.1.213.1.1.3.45";
/// FR-Simple-Observation.
pub const SIMPLE_OBSERVATION: &str = "1.2.250.1.213.1.1.3.48";
/// FR-Prelevement.
pub const SPECIMEN: &str = "1.2.250.1.213.1.1.3.77";
/// FR-Batterie-examens-de-biologie-medicale.
pub const BATTERY: &str = "1.2.250.1.213.1.1.3.78";
/// FR-Isolat-microbiologique.
pub const ISOLATE: &str = "1.2.250.1.213.1.1.3.79";
/// FR-Resultat-examens-de-biologie-element-clinique-pertinent.
pub const LABORATORY_RESULT: &str = "1.2.250.1.213.1.1.3.80";
/// FR-Rang-de-la-vaccination.
pub const IMMUNIZATION_RANK: &str = "1.2.250.1.213.1.1.3.82";
/// FR-Image-illustrative.
pub const IMAGE: &str = "1.2.250.1.213.1.1.3.103";
/// FR-Reception-prelevement.
pub const SPECIMEN_RECEIVED: &str = "1.2.250.1.213.1.1.3.107";
/// FR-Aide-technique: whether the patient has this aid.
pub const TECHNICAL_AID: &str = "1.2.250.1.213.1.1.3.12";
/// FR-Dispositif-medical.
pub const DEVICE: &str = "1.2.250.1.213.1.1.3.20";
/// FR-Evaluation.
pub const ASSESSMENT: &str = "1.2.250.1.213.1.1.3.25";
/// FR-Demande-d-examen-ou-de-suivi.
pub const REQUEST: &str = "1.2.250.1.213.1.1.3.27";
/// FR-Transfert-du-patient.
pub const TRANSFER: &str = "1.2.250.1.213.1.1.3.28";
/// FR-Severite.
pub const SEVERITY: &str = "1.2.250.1.213.1.1.3.29";
/// FR-Statut-du-probleme.
pub const PROBLEM_STATUS: &str = "1.2.250.1.213.1.1.3.30";
/// FR-Statut-clinique-du-patient.
pub const CLINICAL_STAGE: &str = "1.2.250.1.213.1.1.3.31";
/// FR-Instructions-au-patient.
pub const PATIENT_INSTRUCTION: &str = "1.2.250.1.213.1.1.3.33";
/// FR-Instructions-au-dispensateur.
pub const FULFILLMENT_INSTRUCTION: &str = "1.2.250.1.213.1.1.3.34";
/// FR-Groupe-de-problemes.
pub const PROBLEM_CONCERN: &str = "1.2.250.1.213.1.1.3.39";
/// FR-Liste-des-allergies-et-hypersensibilites.
pub const ALLERGY_CONCERN: &str = "1.2.250.1.213.1.1.3.40";
/// FR-Allergie-ou-hypersensibilite.
pub const ALLERGY: &str = "1.2.250.1.213.1.1.3.41";
/// FR-Traitement.
pub const TREATMENT: &str = "1.2.250.1.213.1.1.3.42";
/// FR-Traitement-dose-progressive: a step of its posology.
pub const TREATMENT_STEP: &str = "1.2.250.1.213.1.1.3.42.1";
/// FR-Dispensation below a treatment or a vaccination.
pub const DELIVERY: &str = "1.2.250.1.213.1.1.3.44";
/// FR-Vaccin-recommande.
pub const RECOMMENDED_VACCINE: &str = "1.2.250.1.213.1.1.3.47";
/// FR-Signes-vitaux.
pub const VITAL_SIGNS: &str = "1.2.250.1.213.1.1.3.49";
/// FR-Signe-vital-observe.
pub const VITAL_SIGN: &str = "1.2.250.1.213.1.1.3.50";
/// FR-Antecedent-familial-observe.
pub const FAMILY_PROBLEM: &str = "1.2.250.1.213.1.1.3.51";
/// FR-Habitus-Mode-de-vie.
pub const SOCIAL_HISTORY: &str = "1.2.250.1.213.1.1.3.52";
/// FR-Observation-sur-la-grossesse.
pub const PREGNANCY: &str = "1.2.250.1.213.1.1.3.53";
/// FR-Directive-anticipee.
pub const ADVANCE_DIRECTIVE: &str = "1.2.250.1.213.1.1.3.54";
/// FR-Historique-de-la-grossesse.
pub const PREGNANCY_HISTORY: &str = "1.2.250.1.213.1.1.3.55";
/// FR-Rencontre.
pub const ENCOUNTER: &str = "1.2.250.1.213.1.1.3.58";
/// FR-Antecedents-familiaux.
pub const FAMILY_HISTORY: &str = "1.2.250.1.213.1.1.3.59";
/// FR-Acte.
pub const PROCEDURE: &str = "1.2.250.1.213.1.1.3.62";
/// FR-Traitement-prescrit.
pub const PRESCRIPTION: &str = "1.2.250.1.213.1.1.3.83";
/// FR-Mode-d-administration of a prescription: a step of its posology.
pub const PRESCRIPTION_STEP: &str = "1.2.250.1.213.1.1.3.83.1";
/// FR-Quantite-de-produit.
pub const SUPPLY_QUANTITY: &str = "1.2.250.1.213.1.1.3.86";
/// FR-Autorisation-Substitution.
pub const SUBSTITUTION: &str = "1.2.250.1.213.1.1.3.87";
/// FR-Reference-Item-Prescription.
pub const PRESCRIPTION_LINE: &str = "1.2.250.1.213.1.1.3.90";
/// FR-Statut-fonctionnel: a panel of assessments.
pub const FUNCTIONAL_STATUS: &str = "1.2.250.1.213.1.1.3.95";
/// FR-DICOM-Observation.
pub const DICOM_OBSERVATION: &str = "1.2.250.1.213.1.1.3.150";
/// FR-DICOM-Administration-produit-de-sante.
pub const DICOM_ADMINISTRATION: &str = "1.2.250.1.213.1.1.3.151";
/// FR-DICOM-Technique-imagerie.
pub const DICOM_TECHNIQUE: &str = "1.2.250.1.213.1.1.3.153";
/// FR-DICOM-Quantite.
pub const DICOM_QUANTITY: &str = "1.2.250.1.213.1.1.3.154";
/// FR-DICOM-Examen-imagerie.
pub const DICOM_STUDY: &str = "1.2.250.1.213.1.1.3.155";
/// FR-DICOM-Serie-imagerie.
pub const DICOM_SERIES: &str = "1.2.250.1.213.1.1.3.156";
/// FR-DICOM-SOP-Instance.
pub const DICOM_INSTANCE: &str = "1.2.250.1.213.1.1.3.157";
/// FR-DICOM-Exposition-patient.
pub const DICOM_EXPOSURE: &str = "1.2.250.1.213.1.1.3.165";
/// FR-Certitude.
pub const CERTAINTY: &str = "1.2.250.1.213.1.1.3.171";
/// FR-Criticite.
pub const CRITICALITY: &str = "1.2.250.1.213.1.1.3.172";
/// FR-DICOM-Administration-de-radiopharmaceutique.
pub const DICOM_RADIOPHARMACEUTICAL: &str = "1.2.250.1.213.1.1.3.173";
/// FR-Traitement-dispense.
pub const DISPENSE: &str = "1.2.250.1.213.1.1.3.204";
/// FR-Acte-Substitution.
pub const SUBSTITUTION_DONE: &str = "1.2.250.1.213.1.1.3.206";
/// FR-Note-du-dispensateur.
pub const DISPENSER_NOTE: &str = "1.2.250.1.213.1.1.3.207";
/// FR-Resultats.
pub const RESULTS: &str = "1.2.250.1.213.1.1.3.208";
/// FR-Resultat.
pub const RESULT: &str = "1.2.250.1.213.1.1.3.209";
/// FR-Effet-indesirable.
pub const ADVERSE_EVENT: &str = "1.2.250.1.213.1.1.3.210";
/// FR-Imputabilite.
pub const CAUSALITY: &str = "1.2.250.1.213.1.1.3.211";
/// FR-Gravite-de-l-effet-indesirable.
pub const ADVERSE_EVENT_SEVERITY: &str = "1.2.250.1.213.1.1.3.212";
/// FR-Evolution-de-l-effet-indesirable.
pub const ADVERSE_EVENT_OUTCOME: &str = "1.2.250.1.213.1.1.3.213";
/// FR-Prescription-dispositifs-medicaux: a section.
pub const DEVICE_PRESCRIPTIONS: &str = "1.2.250.1.213.1.1.2.222";

/// Prefix of the IHE templates that CI-SIS templates were made from: PCC and pharmacy.
const IHE: [&str; 2] = ["1.3.6.1.4.1.19376.1.5.3.1.", "1.3.6.1.4.1.19376.1.9.1.3."];

/// IHE entry template -> the CI-SIS template made from it, the most special first (an allergy is a problem, too).
///
/// Documents of volets before 2018 name the IHE ones alone; newer ones name both.
const EQUIVALENTS: [(&str, &str); 37] = [
    ("1.3.6.1.4.1.19376.1.9.1.3.2", PRESCRIPTION),
    ("1.3.6.1.4.1.19376.1.9.1.3.4", DISPENSE),
    ("1.3.6.1.4.1.19376.1.9.1.3.8", SUPPLY_QUANTITY),
    ("1.3.6.1.4.1.19376.1.9.1.3.9.1", SUBSTITUTION),
    ("1.3.6.1.4.1.19376.1.9.1.3.9.2", SUBSTITUTION_DONE),
    ("1.3.6.1.4.1.19376.1.9.1.3.11", PRESCRIPTION_LINE),
    ("1.3.6.1.4.1.19376.1.5.3.1.4.5.3", ALLERGY_CONCERN),
    ("1.3.6.1.4.1.19376.1.5.3.1.4.5.2", PROBLEM_CONCERN),
    ("1.3.6.1.4.1.19376.1.5.3.1.4.5.1", PROBLEM_CONCERN),
    ("1.3.6.1.4.1.19376.1.5.3.1.4.6", ALLERGY),
    ("1.3.6.1.4.1.19376.1.5.3.1.4.5", PROBLEM),
    ("1.3.6.1.4.1.19376.1.5.3.1.4.1", SEVERITY),
    ("1.3.6.1.4.1.19376.1.5.3.1.4.1.1", PROBLEM_STATUS),
    ("1.3.6.1.4.1.19376.1.5.3.1.4.1.2", CLINICAL_STAGE),
    ("1.3.6.1.4.1.19376.1.5.3.1.4.2", COMMENT),
    ("1.3.6.1.4.1.19376.1.5.3.1.4.3", PATIENT_INSTRUCTION),
    ("1.3.6.1.4.1.19376.1.5.3.1.4.3.1", FULFILLMENT_INSTRUCTION),
    ("1.3.6.1.4.1.19376.1.5.3.1.4.4.1", INTERNAL_REFERENCE),
    ("1.3.6.1.4.1.19376.1.5.3.1.4.12.2", RECOMMENDED_VACCINE),
    ("1.3.6.1.4.1.19376.1.5.3.1.4.12", IMMUNIZATION),
    ("1.3.6.1.4.1.19376.1.5.3.1.4.7", TREATMENT),
    ("1.3.6.1.4.1.19376.1.5.3.1.4.8", TREATMENT_STEP),
    ("1.3.6.1.4.1.19376.1.5.3.1.4.7.3", DELIVERY),
    ("1.3.6.1.4.1.19376.1.5.3.1.4.13.1", VITAL_SIGNS),
    ("1.3.6.1.4.1.19376.1.5.3.1.4.13.2", VITAL_SIGN),
    ("1.3.6.1.4.1.19376.1.5.3.1.4.13.3", FAMILY_PROBLEM),
    ("1.3.6.1.4.1.19376.1.5.3.1.4.13.4", SOCIAL_HISTORY),
    ("1.3.6.1.4.1.19376.1.5.3.1.4.13.5", PREGNANCY),
    ("1.3.6.1.4.1.19376.1.5.3.1.4.13.5.1", PREGNANCY_HISTORY),
    ("1.3.6.1.4.1.19376.1.5.3.1.4.13.7", ADVANCE_DIRECTIVE),
    ("1.3.6.1.4.1.19376.1.5.3.1.1.12.3.6", ASSESSMENT),
    ("1.3.6.1.4.1.19376.1.5.3.1.1.12.3.7", FUNCTIONAL_STATUS),
    ("1.3.6.1.4.1.19376.1.5.3.1.1.20.3.1", REQUEST),
    ("1.3.6.1.4.1.19376.1.5.3.1.4.13", SIMPLE_OBSERVATION),
    ("1.3.6.1.4.1.19376.1.5.3.1.4.14", ENCOUNTER),
    ("1.3.6.1.4.1.19376.1.5.3.1.4.15", FAMILY_HISTORY),
    ("1.3.6.1.4.1.19376.1.5.3.1.4.19", PROCEDURE),
];

/// The CI-SIS template that an element means which names IHE templates alone; `None` for one that names its own.
#[must_use]
pub fn meant<'r>(roots: impl Iterator<Item = &'r str> + Clone) -> Option<&'static str> {
    let is_own = |root: &str| root.starts_with(ENTRY);
    if roots.clone().any(is_own) || !roots.clone().any(|root| IHE.iter().any(|prefix| root.starts_with(prefix))) {
        return None;
    }
    EQUIVALENTS.iter().find(|(ihe, _)| roots.clone().any(|root| root == *ihe)).map(|(_, own)| *own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_special_ihe_template_decides_where_no_own_one_does() {
        let allergy = ["1.3.6.1.4.1.19376.1.5.3.1.4.5", "1.3.6.1.4.1.19376.1.5.3.1.4.6"];
        assert_eq!(meant(allergy.into_iter()), Some(ALLERGY));
        assert_eq!(meant(["1.3.6.1.4.1.19376.1.5.3.1.4.13", "1.3.6.1.4.1.19376.1.5.3.1.4.13.2"].into_iter()), Some(VITAL_SIGN));
        assert_eq!(meant([PROBLEM, "1.3.6.1.4.1.19376.1.5.3.1.4.6"].into_iter()), None);
        assert_eq!(meant(["2.16.840.1.113883.10.20.1.24"].into_iter()), None);
    }
}
