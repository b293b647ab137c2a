//! Codes of elements that a value set binds. <https://hl7.org/fhir/R4/terminologies.html#required>
use super::{Checker, Object};
use crate::fhir::IssueKind;
use crate::fhir::elements::{ElementDefinition, TypeDefinition, ValueSet};
use serde_json::Value;

/// A value of type code.
pub(super) fn code(checker: &mut Checker, element: &ElementDefinition, type_name: &str, text: &str) {
    let Some(set) = element.value_set.filter(|_| type_name == "code") else { return };
    if !permits(set, text) {
        checker.report(IssueKind::ValueInvalid, format!("Not a code of the value set {}", set.name));
    }
}

fn permits(set: &ValueSet, code: &str) -> bool {
    match set.name {
        _ if set.is_listed() => set.has_code(code),
        "all-languages" => is_language(code),
        _ => is_media_type(code),
    }
}

/// A Coding or CodeableConcept: one coding at least is of the set.
pub(super) fn check(checker: &mut Checker, element: &ElementDefinition, definition: &TypeDefinition, object: &Object) {
    let Some(set) = element.value_set.filter(|set| set.is_listed()) else { return };
    let is_of = |coding: &Object| match (coding.get("system"), coding.get("code")) {
        (Some(Value::String(system)), Some(Value::String(code))) => set.has(system, code),
        _ => false,
    };
    let holds = match definition.name {
        "Coding" => is_of(object),
        "CodeableConcept" => {
            let codings = object.get("coding").and_then(Value::as_array);
            codings.into_iter().flatten().filter_map(Value::as_object).any(is_of)
        }
        _ => true,
    };
    // Data that is absent for a stated reason has an extension in its place.
    if !holds && !object.contains_key("extension") {
        checker.report(IssueKind::ValueInvalid, format!("No coding of the value set {}", set.name));
    }
}

/// BCP 47, by its shape: subtags of 1 to 8 letters and digits, the first of letters.
fn is_language(text: &str) -> bool {
    let subtag = |tag: &str| (1..=8).contains(&tag.len()) && tag.bytes().all(|byte| byte.is_ascii_alphanumeric());
    text.split('-').all(subtag) && text.bytes().take_while(|byte| *byte != b'-').all(|byte| byte.is_ascii_alphabetic())
}

/// BCP 13, by its shape: `type/subtype`, with parameters; or one of the short forms that R4's own resources use.
/// <https://hl7.org/fhir/R4/http.html#parameters>
pub(crate) fn is_media_type(text: &str) -> bool {
    if matches!(text, "json" | "xml" | "ttl" | "none") {
        return true;
    }
    let token = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?=".contains(&byte))
    };
    let essence = text.split(';').next().unwrap_or("").trim();
    essence.split_once('/').is_some_and(|(kind, subtype)| token(kind) && token(subtype))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_and_media_types_are_judged_by_shape() {
        for text in ["fr", "fr-FR", "zh-Hant-TW", "i-klingon", "x-a"] {
            assert!(is_language(text), "{text}");
        }
        for text in ["klingon_xx", "", "fr-", "1fr", "abcdefghi"] {
            assert!(!is_language(text), "{text}");
        }
        for text in ["text/xml", "application/fhir+json; fhirVersion=4.0", "image/svg+xml"] {
            assert!(is_media_type(text), "{text}");
        }
        for text in ["notamime", "/", "a/", "a/b/c", "a b/c"] {
            assert!(!is_media_type(text), "{text}");
        }
    }
}
