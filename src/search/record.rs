//! Which parameter of a query names the record, so that access is decided before anything is searched.
use super::kind::reference::is_id;
use super::kind::token::TokenValue;
use super::kind::{split, unescape};
use super::registry::{Kind, Parameter, registry};
use crate::fhir::ResourceType;
use crate::fhir::identifier::Ins;
use crate::fhir::interaction::Parameters;
use crate::fhir::path::type_in_url;
use std::fmt;

/// How a query names the record that it is about.
#[derive(Clone, PartialEq, Eq)]
pub enum RecordParameter {
    /// `patient=Patient/x`, `patient=x`, `Patient?_id=x`: always as `Patient/x`, or the absolute URL as it came.
    Reference(String),
    /// `patient.identifier=`, `patient:identifier=`, `Patient?identifier=`.
    Identifier {
        /// System; `None` where the query gives none.
        system: Option<String>,
        /// Value.
        value: String,
    },
}

impl RecordParameter {
    fn may_be_ins(&self) -> bool {
        match self {
            Self::Identifier { system: Some(system), .. } => Ins::is_system(system),
            Self::Identifier { system: None, .. } | Self::Reference(_) => true,
        }
    }
}

impl fmt::Debug for RecordParameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecordParameter(..)")
    }
}

/// The first parameter that names one patient; `None` where none does (a search over several records, or the directory).
///
/// A list of patients (`patient=a,b`) names no single record.
#[must_use]
pub fn record_of(resource_type: ResourceType, parameters: &Parameters) -> Option<RecordParameter> {
    parameters.0.iter().find_map(|(name, value)| record_parameter(resource_type, name, value))
}

/// What one parameter says of the record.
pub(super) fn record_parameter(resource_type: ResourceType, name: &str, value: &str) -> Option<RecordParameter> {
    if split(value, ',').len() != 1 {
        return None;
    }
    if resource_type.name() == "Patient" {
        return match name {
            "_id" => reference(value),
            // By an identifier of another kind (a hospital's number) the caller's patients are searched.
            "identifier" => identifier(value).filter(RecordParameter::may_be_ins),
            _ => None,
        };
    }
    let (code, rest) = name.split_at_checked(name.find(['.', ':']).unwrap_or(name.len()))?;
    let parameter = registry().parameter(resource_type, code)?;
    if !names_the_record(parameter, resource_type) {
        return None;
    }
    match rest {
        "" | ":Patient" => reference(value),
        ".identifier" | ":identifier" | ":Patient.identifier" => identifier(value),
        "._id" | ":Patient._id" => reference(value),
        _ => None,
    }
}

/// Whether the parameter leads to the patient by the path that decides in which record a resource lives.
fn names_the_record(parameter: &Parameter, resource_type: ResourceType) -> bool {
    let to_patients =
        parameter.shape.targets.is_empty() || parameter.shape.targets.iter().any(|target| target.name() == "Patient");
    if parameter.shape.kind != Kind::Reference || !to_patients {
        return false;
    }
    let path = parameter.expression.split(".where(resolve()").next().unwrap_or_default();
    parameter.code == "patient" || resource_type.record_paths().contains(&path)
}

fn reference(value: &str) -> Option<RecordParameter> {
    let text = unescape(value)?;
    let bare = text.split("/_history/").next().unwrap_or_default();
    if bare.contains(':') {
        return (type_in_url(bare) == Some("Patient")).then(|| RecordParameter::Reference(bare.to_owned()));
    }
    let id = bare.strip_prefix("Patient/").unwrap_or(bare);
    is_id(id).then(|| RecordParameter::Reference(format!("Patient/{id}")))
}

fn identifier(value: &str) -> Option<RecordParameter> {
    match TokenValue::parse(value)? {
        TokenValue::SystemAndCode(system, value) => Some(RecordParameter::Identifier { system: Some(system), value }),
        TokenValue::CodeWithoutSystem(value) | TokenValue::Code(value) => {
            Some(RecordParameter::Identifier { system: None, value })
        }
        TokenValue::System(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(resource_type: &str, query: &[(&str, &str)]) -> Option<RecordParameter> {
        let parameters = query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        record_of(ResourceType::parse(resource_type).unwrap(), &Parameters(parameters))
    }
    fn reference(text: &str) -> Option<RecordParameter> {
        Some(RecordParameter::Reference(text.to_owned()))
    }
    fn identifier(system: Option<&str>, value: &str) -> Option<RecordParameter> {
        Some(RecordParameter::Identifier { system: system.map(str::to_owned), value: value.to_owned() })
    }

    #[test]
    fn a_patient_or_subject_that_is_a_patient_names_the_record() {
        assert_eq!(of("Observation", &[("code", "1"), ("patient", "Patient/a")]), reference("Patient/a"));
        assert_eq!(of("Observation", &[("patient", "a")]), reference("Patient/a"));
        assert_eq!(of("Observation", &[("subject", "Patient/a/_history/1")]), reference("Patient/a"));
        assert_eq!(of("Observation", &[("subject:Patient", "a")]), reference("Patient/a"));
        assert_eq!(
            of("Observation", &[("patient", "https://a.example/fhir/Patient/a")]),
            reference("https://a.example/fhir/Patient/a")
        );
        assert_eq!(of("Coverage", &[("beneficiary", "Patient/a")]), reference("Patient/a"));
        assert_eq!(of("Patient", &[("_id", "a")]), reference("Patient/a"));
    }

    #[test]
    fn an_identifier_of_the_patient_names_the_record() {
        for name in ["patient.identifier", "patient:identifier", "subject.identifier", "subject:Patient.identifier"] {
            assert_eq!(of("DocumentReference", &[(name, "urn:oid:1.2|3")]), identifier(Some("urn:oid:1.2"), "3"), "{name}");
        }
        assert_eq!(of("Patient", &[("identifier", "3")]), identifier(None, "3"));
    }

    #[test]
    fn an_identifier_of_another_kind_than_the_ins_searches_the_patients_of_the_caller() {
        assert_eq!(of("Patient", &[("identifier", "urn:oid:1.2|3")]), None);
        let ins = "urn:oid:1.2.250.1.213.1.4.10|279035121518989";
        assert_eq!(of("Patient", &[("identifier", ins)]), identifier(Some("urn:oid:1.2.250.1.213.1.4.10"), "279035121518989"));
    }

    #[test]
    fn nothing_else_names_a_record() {
        for query in [
            ("subject", "Group/a"),
            ("patient", "Group/a"),
            ("patient", "Patient/a,Patient/b"),
            ("patient", ""),
            ("patient", "a b"),
            ("performer", "Patient/a"),
            ("patient.name", "a"),
            ("patient.identifier", "urn:oid:1.2|"),
            ("patient:missing", "true"),
        ] {
            assert_eq!(of("Observation", &[query]), None, "{query:?}");
        }
        assert_eq!(of("Practitioner", &[("identifier", "a|b"), ("_id", "a")]), None);
    }
}
