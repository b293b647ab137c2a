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
