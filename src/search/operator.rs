//! Search parameters of the operator: SearchParameter resources, read at start.
//! <https://hl7.org/fhir/R4/searchparameter.html>
//!
//! They have no index rows: bodies decide, so they find what was stored before them as well, and no reindexing is needed. So in
//! one record they are always served; over several records another parameter must bound the search. Those of type
//! reference, composite and special need rows or a meaning of their own, and are refused.
use super::registry::{Kind, Row};
use crate::fhir::path::Path;
use crate::fhir::resource_type::Home;
use crate::fhir::{Resource, ResourceType};
use serde_json::Value;
use std::sync::OnceLock;

static ROWS: OnceLock<Vec<Row>> = OnceLock::new();

/// Why a SearchParameter is not served.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum OperatorParameterError {
    /// An element is absent or cannot be served.
    #[error("{url}: {fault}")]
    Element {
        /// Canonical URL, as far as it is stated.
        url: String,
        /// What is wrong.
        fault: &'static str,
    },
    /// Searches have been read already.
    #[error("search parameters are read before anything is served")]
    TooLate,
}

/// Takes the operator's parameters into the registry of this process: once, before it is first used.
///
/// # Errors
/// The first definition that cannot be served; `TooLate` after the first call.
pub fn take_operator_parameters(definitions: &[Resource]) -> Result<(), OperatorParameterError> {
    let mut rows: Vec<Row> = Vec::new();
    for definition in definitions {
        let fault = |fault| OperatorParameterError::Element { url: text(definition, "url").to_owned(), fault };
        for row in read(definition).map_err(fault)? {
            if rows.iter().any(|other| (other.base, other.code) == (row.base, row.code)) {
                return Err(fault("two definitions have this code for one type"));
            }
            rows.push(row);
        }
    }
    for (row, number) in rows.iter_mut().zip(super::registry::OPERATOR_NUMBERS) {
        row.number = number;
    }
    ROWS.set(rows).map_err(|_set| OperatorParameterError::TooLate)
}

/// What was taken; nothing can be taken afterwards.
pub(super) fn rows() -> &'static [Row] {
    ROWS.get_or_init(Vec::new)
}

fn text<'a>(definition: &'a Resource, name: &str) -> &'a str {
    definition.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// A parameter of each of its types.
fn read(definition: &Resource) -> Result<Vec<Row>, &'static str> {
    if text(definition, "resourceType") != "SearchParameter" {
        return Err("this is no SearchParameter");
    }
    let (code, expression) = (text(definition, "code"), text(definition, "expression"));
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if !code.starts_with(|c: char| c.is_ascii_alphabetic()) || !code.chars().all(plain) || text(definition, "url").is_empty() {
        return Err("url and code are required, and the code is letters, digits, - and _");
    }
    let kind = Kind::parse(text(definition, "type"));
    match kind {
        Kind::Number | Kind::Date | Kind::String | Kind::Token | Kind::Quantity | Kind::Uri => {}
        Kind::Reference | Kind::Composite | Kind::Special => {
            return Err("its type is none of number, date, string, token, quantity, uri");
        }
    }
    if expression.is_empty() || Path::compile(expression).is_err() {
        return Err("its expression is absent or none that search parameters of R4 have");
    }
    let bases = definition.get("base").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if bases.is_empty() {
        return Err("base is required");
    }
    let row = |base: &Value| {
        let served = base.as_str().and_then(ResourceType::parse).filter(|base| base.home() != Home::None);
        let base = served.ok_or("base names a type that this server does not have")?;
        if super::registry::of_the_table(base, code) {
            return Err("this code is a search parameter of the type already");
        }
        // Definitions live as long as the process.
        let leak = |text: &str| -> &'static str { text.to_owned().leak() };
        Ok(Row::of_operator(base, leak(code), kind, leak(expression), leak(text(definition, "url"))))
    };
    bases.iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn fault(change: impl FnOnce(&mut Value)) -> Result<usize, &'static str> {
        let mut definition = json!({
            "resourceType": "SearchParameter", "url": "https://hospital.example/SearchParameter/name-use", "code": "name-use",
            "base": ["Patient", "Practitioner"], "type": "token", "expression": "Patient.name.use | Practitioner.name.use"});
        change(&mut definition);
        read(definition.as_object().unwrap()).map(|rows| rows.len())
    }

    #[test]
    fn a_definition_is_a_parameter_of_each_of_its_types() {
        assert_eq!(fault(|_| {}), Ok(2));
    }

    #[test]
    fn what_cannot_be_served_is_refused_with_its_reason() {
        let changes: [(&str, Value, &str); 7] = [
            ("resourceType", "Patient".into(), "this is no SearchParameter"),
            ("code", "name:use".into(), "url and code are required"),
            ("url", "".into(), "url and code are required"),
            ("type", "reference".into(), "its type is none of"),
            ("expression", "Patient.name.all(use)".into(), "its expression"),
            ("base", json!(["Questionnaire"]), "base names a type"),
            ("code", "birthdate".into(), "already"),
        ];
        for (element, value, expected) in changes {
            let said = fault(|definition| definition[element] = value).unwrap_err();
            assert!(said.contains(expected), "{element}: {said}");
        }
    }
}
