//! Metadata against the CDA header, the header against the record (decisions 3 and 14, BR-07, BR-30, BR-44).
use crate::cda::{Header, Id};
use crate::fhir::{Issue, IssueKind, Problem, Resource};
use crate::policy::Facts;
use crate::search::normal_text;
use crate::store::Stored;
use serde_json::Value;
use std::collections::HashSet;
use std::sync::LazyLock;

/// (code, system OID) of every type that may be deposited.
static TYPES: LazyLock<HashSet<(&'static str, &'static str)>> = LazyLock::new(|| {
    include_str!("../../../schema/document-type-codes.tsv")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .skip(1)
        .filter_map(|line| line.split_once('\t'))
        .collect()
});

/// What a deposit states of itself, before its content is looked at.
///
/// # Errors
/// 422 at the element.
pub(super) fn metadata(body: &Resource) -> Result<(), Problem> {
    if body.get("status").and_then(Value::as_str) != Some("current") {
        return Err(Problem::at(
            IssueKind::BusinessRule,
            "DocumentReference.status",
            "A deposit is `current` (PDSm simplified publish)",
        ));
    }
    if body.contains_key("docStatus") {
        return Err(Problem::at(IssueKind::BusinessRule, "DocumentReference.docStatus", "docStatus is not used (MHD)"));
    }
    // Stated twice, or as something else than a boolean, it is not known what it says.
    crate::service::update_document::archived(body)?;
    let labels = body.get("securityLabel").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    for (index, label) in labels.iter().enumerate() {
        let codes = label.get("coding").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let normal = !codes.is_empty() && codes.iter().all(|coding| coding.get("code").and_then(Value::as_str) == Some("N"));
        if !normal {
            let text = "Only the label N is taken: a label that this server does not enforce yet is refused (decision 3, BR-30)";
            return Err(Problem::at(IssueKind::BusinessRule, format!("DocumentReference.securityLabel[{index}]"), text));
        }
    }
    if body.get("author").and_then(Value::as_array).is_none_or(Vec::is_empty) {
        return Err(Problem::at(
            IssueKind::RequiredMissing,
            "DocumentReference.author",
            "A deposit names at least one author (PDSm)",
        ));
    }
    Ok(())
}

/// The uniqueId as `DocumentReference.masterIdentifier` has it: `system|value` (C6).
pub(super) fn unique_id(header: &Header) -> String {
    header.id.as_ref().map_or_else(String::new, token)
}

/// An instance identifier as the token `system|value` (C4).
pub(super) fn token(id: &Id) -> String {
    let root = id.root_uri().unwrap_or_else(|| id.root.clone());
    match &id.extension {
        Some(extension) => format!("{root}|{extension}"),
        None => format!("urn:ietf:rfc:3986|{root}"),
    }
}

/// The header against metadata, record and person; remarks that do not stop the deposit.
///
/// # Errors
/// 422 at the element of the metadata that the header contradicts.
pub(super) fn header(body: &Resource, header: &Header, facts: &Facts, patient: Option<&Stored>) -> Result<Vec<Issue>, Problem> {
    let data = "DocumentReference.content[0].attachment.data";
    if header.id.is_none() {
        return Err(Problem::at(IssueKind::RequiredMissing, data, "The document has no id, so no uniqueId"));
    }
    document_type(body, header)?;
    if let Some(stated) = body.get("masterIdentifier") {
        let text = |name: &str| stated.get(name).and_then(Value::as_str).unwrap_or_default();
        let value = text("value");
        let stated =
            if text("system").is_empty() { format!("urn:ietf:rfc:3986|{value}") } else { format!("{}|{value}", text("system")) };
        if stated != unique_id(header) {
            return Err(Problem::at(
                IssueKind::BusinessRule,
                "DocumentReference.masterIdentifier",
                "The uniqueId is not the id of the document (BR-47)",
            ));
        }
    }
    let ins = facts.ins.as_ref();
    // OID and value; a local number (IPP) or a social-security number (...4.13) never names the record.
    if !header.ins().any(|stated| Some(&stated) == ins) {
        let text = "The document is about another person than the record: no patientRole/id has the record's INS (decision 14)";
        return Err(Problem::at(IssueKind::BusinessRule, data, text));
    }
    let mut issues = Vec::new();
    if let Some(ins) = ins
        && !ins.key_is_right()
    {
        issues.push(Issue::at(
            IssueKind::Warning,
            "DocumentReference.subject",
            "The key of the INS is not 97 - (N mod 97) (BR-08)",
        ));
    }
    if let Some(patient) = patient {
        let patient: Resource = serde_json::from_slice(&patient.body)
            .map_err(|_not_json| Problem::new(IssueKind::Internal, "A stored resource cannot be read"))?;
        traits(header, &patient)?;
    }
    Ok(issues)
}

/// The type is one that may be deposited, and the same in metadata and header.
fn document_type(body: &Resource, header: &Header) -> Result<(), Problem> {
    let path = "DocumentReference.type";
    let code = header.code.as_deref().unwrap_or_default();
    let system = header.code_system.as_deref().unwrap_or_default();
    if !TYPES.contains(&(code, system)) {
        return Err(Problem::at(
            IssueKind::BusinessRule,
            path,
            "The type of the document is not one of JDV_J07-XdsTypeCode-CISIS",
        ));
    }
    let Some(stated) = body.get("type") else { return Ok(()) };
    let codings = stated.get("coding").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if codings.iter().any(|coding| coding.get("code").and_then(Value::as_str) == Some(code)) {
        return Ok(());
    }
    Err(Problem::at(IssueKind::BusinessRule, path, "The type is not the code of the document's header (BR-47)"))
}

/// Birth date, sex and normalised birth name, where both sides state them (decision 14).
fn traits(header: &Header, patient: &Resource) -> Result<(), Problem> {
    let differs = |what: &str| {
        let text = format!("The document is about another person than the record: {what} differs (decision 14)");
        Err(Problem::at(IssueKind::BusinessRule, "DocumentReference.content[0].attachment.data", text))
    };
    let here = patient.get("birthDate").and_then(Value::as_str);
    if let (Some(stated), Some(here)) = (header.birth_date(), here) {
        // A date of less precision agrees with every day in it.
        let shorter = stated.len().min(here.len());
        if stated.get(..shorter) != here.get(..shorter) {
            return differs("the birth date");
        }
    }
    if let (Some(stated), Some(here)) = (header.fhir_gender(), patient.get("gender").and_then(Value::as_str))
        && stated != "unknown"
        && here != "unknown"
        && stated != here
    {
        return differs("the sex");
    }
    let names = patient.get("name").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let official = names.iter().find(|name| name.get("use").and_then(Value::as_str) == Some("official"));
    let here = official.and_then(|name| name.get("family")).and_then(Value::as_str);
    let stated = header.names.iter().find_map(|name| name.birth_family.as_deref());
    if let (Some(stated), Some(here)) = (stated, here)
        && comparable(stated) != comparable(here)
    {
        return differs("the birth name");
    }
    Ok(())
}

/// Case, accents, blanks, hyphens and apostrophes do not make another name.
fn comparable(name: &str) -> String {
    normal_text(name).chars().filter(|character| character.is_alphanumeric()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_compare_without_case_accents_and_punctuation() {
        assert_eq!(comparable("D'Été-Müller"), comparable("DETE MULLER"));
        assert_ne!(comparable("PAT-TROIS"), comparable("PAT-QUATRE"));
    }

    #[test]
    fn the_table_has_lab_reports_and_the_types_of_the_cisis() {
        assert!(TYPES.contains(&("11502-2", "2.16.840.1.113883.6.1")));
        assert!(TYPES.contains(&("SYNTH", "1.2.250.1.213.1.1.4.12")));
        assert!(!TYPES.contains(&("0000-0", "2.16.840.1.113883.6.1")));
    }
}
