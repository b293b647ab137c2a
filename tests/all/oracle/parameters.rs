//! The search parameters of the generated types, written by hand from <https://hl7.org/fhir/R4/searchparameter-registry.html>.
//!
//! A path is member names joined by dots, alternatives by `|`; lists are walked through.
use serde_json::Value;

/// Type of a parameter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Kind {
    Token,
    Date,
    String,
    Number,
    Quantity,
    /// Types that it may lead to; none for every type.
    Reference(&'static [&'static str]),
    Uri,
    /// Kinds and paths of the parts, from the element of the path.
    Composite(&'static [(Kind, &'static str)]),
}

/// One parameter of one type, `*` for every type.
#[derive(Debug, PartialEq)]
pub(super) struct Parameter {
    pub(super) of: &'static str,
    pub(super) code: &'static str,
    pub(super) kind: Kind,
    pub(super) path: &'static str,
    /// Code system of a plain code.
    pub(super) implied: Option<&'static str>,
}

const fn row(of: &'static str, code: &'static str, kind: Kind, path: &'static str) -> Parameter {
    Parameter { of, code, kind, path, implied: None }
}
const fn plain(of: &'static str, code: &'static str, path: &'static str, system: &'static str) -> Parameter {
    Parameter { of, code, kind: Kind::Token, path, implied: Some(system) }
}

use Kind::{Composite, Date, Number, Quantity, Reference, String, Token, Uri};
const PATIENT: Kind = Reference(&["Patient", "Group"]);
const SUBJECT: Kind = Reference(&["Group", "Device", "Patient", "Location"]);
const PERSON: Kind = Reference(&["Practitioner", "Patient", "PractitionerRole", "RelatedPerson"]);
const PERFORMER: Kind = Reference(&["Practitioner", "Organization", "CareTeam", "Patient", "PractitionerRole", "RelatedPerson"]);
const ENCOUNTER: Kind = Reference(&["Encounter", "EpisodeOfCare"]);
const CODE_QUANTITY: Kind = Composite(&[(Token, "code"), (Quantity, "valueQuantity")]);
const CODE_CONCEPT: Kind = Composite(&[(Token, "code"), (Token, "valueCodeableConcept")]);

/// Every parameter that queries use.
pub(super) const PARAMETERS: &[Parameter] = &[
    row("*", "_id", Token, "id"),
    row("*", "_lastUpdated", Date, "meta.lastUpdated"),
    row("*", "_tag", Token, "meta.tag"),
    row("*", "_security", Token, "meta.security"),
    row("*", "_profile", Uri, "meta.profile"),
    row("*", "_source", Uri, "meta.source"),
    row("Observation", "identifier", Token, "identifier"),
    row("Observation", "code", Token, "code"),
    plain("Observation", "status", "status", "http://hl7.org/fhir/observation-status"),
    row("Observation", "category", Token, "category"),
    row("Observation", "method", Token, "method"),
    row("Observation", "date", Date, "effectiveDateTime|effectivePeriod"),
    row("Observation", "value-quantity", Quantity, "valueQuantity"),
    row("Observation", "value-concept", Token, "valueCodeableConcept"),
    row("Observation", "value-string", String, "valueString|valueCodeableConcept.text"),
    row("Observation", "value-date", Date, "valueDateTime"),
    row("Observation", "component-code", Token, "component.code"),
    row("Observation", "component-value-quantity", Quantity, "component.valueQuantity"),
    row("Observation", "component-value-concept", Token, "component.valueCodeableConcept"),
    row("Observation", "combo-code", Token, "code|component.code"),
    row("Observation", "combo-value-quantity", Quantity, "valueQuantity|component.valueQuantity"),
    row("Observation", "combo-value-concept", Token, "valueCodeableConcept|component.valueCodeableConcept"),
    row("Observation", "code-value-quantity", CODE_QUANTITY, "."),
    row("Observation", "code-value-concept", CODE_CONCEPT, "."),
    row("Observation", "code-value-string", Composite(&[(Token, "code"), (String, "valueString")]), "."),
    row("Observation", "code-value-date", Composite(&[(Token, "code"), (Date, "valueDateTime")]), "."),
    row("Observation", "component-code-value-quantity", CODE_QUANTITY, "component"),
    row("Observation", "component-code-value-concept", CODE_CONCEPT, "component"),
    row("Observation", "combo-code-value-quantity", CODE_QUANTITY, ".|component"),
    row("Observation", "combo-code-value-concept", CODE_CONCEPT, ".|component"),
    row("Observation", "patient", PATIENT, "subject"),
    row("Observation", "subject", SUBJECT, "subject"),
    row("Observation", "encounter", ENCOUNTER, "encounter"),
    row("Observation", "performer", PERFORMER, "performer"),
    row("Observation", "has-member", Reference(&["Observation", "MolecularSequence", "QuestionnaireResponse"]), "hasMember"),
    row(
        "Observation",
        "derived-from",
        Reference(&["Media", "Observation", "ImagingStudy", "MolecularSequence", "QuestionnaireResponse", "DocumentReference"]),
        "derivedFrom",
    ),
    row(
        "Observation",
        "part-of",
        Reference(&["Immunization", "MedicationDispense", "MedicationAdministration", "Procedure"]),
        "partOf",
    ),
    row("Observation", "based-on", Reference(&["CarePlan", "MedicationRequest", "NutritionOrder", "ServiceRequest"]), "basedOn"),
    row("Condition", "identifier", Token, "identifier"),
    row("Condition", "code", Token, "code"),
    row("Condition", "clinical-status", Token, "clinicalStatus"),
    row("Condition", "verification-status", Token, "verificationStatus"),
    row("Condition", "severity", Token, "severity"),
    row("Condition", "onset-date", Date, "onsetDateTime|onsetPeriod"),
    row("Condition", "onset-info", String, "onsetString"),
    row("Condition", "onset-age", Quantity, "onsetAge"),
    row("Condition", "recorded-date", Date, "recordedDate"),
    row("Condition", "patient", PATIENT, "subject"),
    row("Condition", "subject", Reference(&["Group", "Patient"]), "subject"),
    row("Condition", "encounter", Reference(&["Encounter"]), "encounter"),
    row("Condition", "asserter", PERSON, "asserter"),
    row("Condition", "evidence-detail", Reference(&[]), "evidence.detail"),
    row("MedicationRequest", "identifier", Token, "identifier"),
    row("MedicationRequest", "code", Token, "medicationCodeableConcept"),
    plain("MedicationRequest", "status", "status", "http://hl7.org/fhir/CodeSystem/medicationrequest-status"),
    plain("MedicationRequest", "intent", "intent", "http://hl7.org/fhir/CodeSystem/medicationrequest-intent"),
    plain("MedicationRequest", "priority", "priority", "http://hl7.org/fhir/request-priority"),
    row("MedicationRequest", "authoredon", Date, "authoredOn"),
    row("MedicationRequest", "patient", PATIENT, "subject"),
    row("MedicationRequest", "subject", Reference(&["Group", "Patient"]), "subject"),
    row("MedicationRequest", "encounter", Reference(&["Encounter"]), "encounter"),
    row("MedicationRequest", "requester", PERFORMER, "requester"),
    row("Encounter", "identifier", Token, "identifier"),
    row("Encounter", "class", Token, "class"),
    plain("Encounter", "status", "status", "http://hl7.org/fhir/encounter-status"),
    row("Encounter", "date", Date, "period"),
    row("Encounter", "length", Quantity, "length"),
    row("Encounter", "patient", PATIENT, "subject"),
    row("Encounter", "subject", Reference(&["Group", "Patient"]), "subject"),
    row("Encounter", "service-provider", Reference(&["Organization"]), "serviceProvider"),
    row("Encounter", "part-of", Reference(&["Encounter"]), "partOf"),
    row("Encounter", "participant", Reference(&["Practitioner", "PractitionerRole", "RelatedPerson"]), "participant.individual"),
    row("Encounter", "location", Reference(&["Location"]), "location.location"),
    row("Encounter", "diagnosis", Reference(&["Condition", "Procedure"]), "diagnosis.condition"),
    row("Encounter", "reason-reference", Reference(&["Condition", "Observation", "Procedure"]), "reasonReference"),
    row("DiagnosticReport", "identifier", Token, "identifier"),
    row("DiagnosticReport", "code", Token, "code"),
    plain("DiagnosticReport", "status", "status", "http://hl7.org/fhir/diagnostic-report-status"),
    row("DiagnosticReport", "conclusion", Token, "conclusionCode"),
    row("DiagnosticReport", "date", Date, "effectiveDateTime|effectivePeriod"),
    row("DiagnosticReport", "issued", Date, "issued"),
    row("DiagnosticReport", "patient", PATIENT, "subject"),
    row("DiagnosticReport", "subject", SUBJECT, "subject"),
    row("DiagnosticReport", "encounter", ENCOUNTER, "encounter"),
    row(
        "DiagnosticReport",
        "performer",
        Reference(&["Practitioner", "Organization", "CareTeam", "PractitionerRole"]),
        "performer",
    ),
    row("DiagnosticReport", "result", Reference(&["Observation"]), "result"),
    row("Procedure", "identifier", Token, "identifier"),
    row("Procedure", "code", Token, "code"),
    plain("Procedure", "status", "status", "http://hl7.org/fhir/event-status"),
    row("Procedure", "date", Date, "performedDateTime|performedPeriod"),
    row("Procedure", "instantiates-uri", Uri, "instantiatesUri"),
    row("Procedure", "patient", PATIENT, "subject"),
    row("Procedure", "subject", Reference(&["Group", "Patient"]), "subject"),
    row("Procedure", "encounter", ENCOUNTER, "encounter"),
    row("Procedure", "performer", PERFORMER, "performer.actor"),
    row("Procedure", "part-of", Reference(&["Observation", "Procedure", "MedicationAdministration"]), "partOf"),
    row("Procedure", "location", Reference(&["Location"]), "location"),
    row(
        "Procedure",
        "reason-reference",
        Reference(&["Condition", "Observation", "Procedure", "DiagnosticReport"]),
        "reasonReference",
    ),
    row("AllergyIntolerance", "identifier", Token, "identifier"),
    row("AllergyIntolerance", "code", Token, "code"),
    row("AllergyIntolerance", "clinical-status", Token, "clinicalStatus"),
    plain("AllergyIntolerance", "criticality", "criticality", "http://hl7.org/fhir/allergy-intolerance-criticality"),
    plain("AllergyIntolerance", "severity", "reaction.severity", "http://hl7.org/fhir/reaction-event-severity"),
    row("AllergyIntolerance", "manifestation", Token, "reaction.manifestation"),
    row("AllergyIntolerance", "date", Date, "recordedDate"),
    row("AllergyIntolerance", "last-date", Date, "lastOccurrence"),
    row("AllergyIntolerance", "onset", Date, "reaction.onset"),
    row("AllergyIntolerance", "patient", PATIENT, "patient"),
    row("AllergyIntolerance", "recorder", PERSON, "recorder"),
    row("Immunization", "identifier", Token, "identifier"),
    row("Immunization", "vaccine-code", Token, "vaccineCode"),
    plain("Immunization", "status", "status", "http://hl7.org/fhir/event-status"),
    row("Immunization", "date", Date, "occurrenceDateTime"),
    row("Immunization", "lot-number", String, "lotNumber"),
    row("Immunization", "reaction-date", Date, "reaction.date"),
    row("Immunization", "patient", PATIENT, "patient"),
    row("Immunization", "performer", Reference(&["Practitioner", "Organization", "PractitionerRole"]), "performer.actor"),
    row("Immunization", "manufacturer", Reference(&["Organization"]), "manufacturer"),
    row("Immunization", "reaction", Reference(&["Observation"]), "reaction.detail"),
    row("List", "identifier", Token, "identifier"),
    row("List", "code", Token, "code"),
    plain("List", "status", "status", "http://hl7.org/fhir/list-status"),
    row("List", "date", Date, "date"),
    row("List", "title", String, "title"),
    row("List", "notes", String, "note.text"),
    row("List", "patient", PATIENT, "subject"),
    row("List", "subject", SUBJECT, "subject"),
    row("List", "source", Reference(&["Practitioner", "Device", "Patient", "PractitionerRole"]), "source"),
    row("List", "item", Reference(&[]), "entry.item"),
    row("RiskAssessment", "identifier", Token, "identifier"),
    row("RiskAssessment", "date", Date, "occurrenceDateTime"),
    row("RiskAssessment", "probability", Number, "prediction.probabilityDecimal"),
    row("RiskAssessment", "patient", PATIENT, "subject"),
    row("RiskAssessment", "subject", Reference(&["Group", "Patient"]), "subject"),
    row("RiskAssessment", "condition", Reference(&["Condition"]), "condition"),
    row("Patient", "identifier", Token, "identifier"),
    row("Patient", "name", String, "name"),
    row("Patient", "family", String, "name.family"),
    row("Patient", "given", String, "name.given"),
    row("Patient", "birthdate", Date, "birthDate"),
    plain("Patient", "gender", "gender", "http://hl7.org/fhir/administrative-gender"),
    row("Patient", "active", Token, "active"),
    row("Practitioner", "identifier", Token, "identifier"),
    row("Practitioner", "name", String, "name"),
    row("Practitioner", "family", String, "name.family"),
    row("Practitioner", "given", String, "name.given"),
    plain("Practitioner", "gender", "gender", "http://hl7.org/fhir/administrative-gender"),
    row("Practitioner", "active", Token, "active"),
    row("Practitioner", "address", String, "address"),
    row("Practitioner", "address-city", String, "address.city"),
    row("Practitioner", "address-postalcode", String, "address.postalCode"),
    row("Practitioner", "telecom", Token, "telecom"),
    row("Organization", "identifier", Token, "identifier"),
    row("Organization", "name", String, "name|alias"),
    row("Organization", "active", Token, "active"),
    row("Organization", "type", Token, "type"),
    row("Organization", "address", String, "address"),
    row("Organization", "address-city", String, "address.city"),
    row("Organization", "partof", Reference(&["Organization"]), "partOf"),
    row("Location", "identifier", Token, "identifier"),
    row("Location", "name", String, "name|alias"),
    plain("Location", "status", "status", "http://hl7.org/fhir/location-status"),
    row("Location", "address", String, "address"),
    row("Location", "organization", Reference(&["Organization"]), "managingOrganization"),
    row("Location", "partof", Reference(&["Location"]), "partOf"),
    row("ValueSet", "identifier", Token, "identifier"),
    row("ValueSet", "url", Uri, "url"),
    row("ValueSet", "version", Token, "version"),
    row("ValueSet", "name", String, "name"),
    row("ValueSet", "title", String, "title"),
    row("ValueSet", "description", String, "description"),
    row("ValueSet", "date", Date, "date"),
    plain("ValueSet", "status", "status", "http://hl7.org/fhir/publication-status"),
];

/// Types that live in a record, and those of the directory.
pub(super) const IN_RECORDS: [&str; 11] = [
    "Observation",
    "Condition",
    "MedicationRequest",
    "Encounter",
    "DiagnosticReport",
    "Procedure",
    "AllergyIntolerance",
    "Immunization",
    "List",
    "RiskAssessment",
    "Patient",
];
pub(super) const IN_DIRECTORY: [&str; 4] = ["Practitioner", "Organization", "Location", "ValueSet"];

/// The parameter of this type by which its own date is told, so by which it is ordered where nothing else is asked.
pub(super) fn own_date(kind: &str) -> Option<&'static str> {
    match kind {
        "Condition" => Some("onset-date"),
        "MedicationRequest" => Some("authoredon"),
        "Observation" | "Encounter" | "DiagnosticReport" | "Procedure" | "AllergyIntolerance" | "Immunization" | "List"
        | "RiskAssessment" => Some("date"),
        _ => None,
    }
}

/// The parameters of a type, those of every type too.
pub(super) fn of(kind: &str) -> impl Iterator<Item = &'static Parameter> {
    PARAMETERS.iter().filter(move |parameter| parameter.of == kind || parameter.of == "*")
}

/// The parameter of this code.
pub(super) fn named(kind: &str, code: &str) -> Option<&'static Parameter> {
    of(kind).find(|parameter| parameter.code == code)
}

/// What a path finds in an element.
pub(super) fn at<'a>(element: &'a Value, path: &str) -> Vec<&'a Value> {
    path.split('|').flat_map(|one| walk(element, one)).collect()
}

fn walk<'a>(element: &'a Value, path: &str) -> Vec<&'a Value> {
    let mut found = vec![element];
    for name in path.split('.').filter(|name| !name.is_empty()) {
        found = found.into_iter().filter_map(|one| one.get(name)).flat_map(items).collect();
    }
    found
}

fn items(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        one => vec![one],
    }
}

impl Parameter {
    /// What it finds in a resource.
    pub(super) fn found<'a>(&self, resource: &'a Value) -> Vec<&'a Value> {
        let mut found = at(resource, self.path);
        if self.code == "patient" {
            // `subject.where(resolve() is Patient)`; the paths that name the patient alone lead to nothing else here.
            found.retain(|value| value["reference"].as_str().is_some_and(|text| text.contains("Patient/")));
        }
        found
    }

    /// Types that it may lead to; none for every type.
    pub(super) fn targets(&self) -> &'static [&'static str] {
        match self.kind {
            Kind::Reference(targets) => targets,
            _ => &[],
        }
    }

    pub(super) fn is_reference(&self) -> bool {
        matches!(self.kind, Kind::Reference(_))
    }
}
