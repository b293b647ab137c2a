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
