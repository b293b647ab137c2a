//! CDA to FHIR R4: pure, deterministic, never a clinical fact that the document does not state.
//!
//! Meaning before shape: moodCode, negation and typeCode decide before a template does. Templates decide, not kinds of
//! documents. Every coded node has a target or a [`Reason`]. No status is guessed: what the value set cannot say is listed.
#![doc = include_str!("README.md")]
#![deny(clippy::wildcard_enum_match_arm)]
mod account;
mod codes;
mod context;
mod datatypes;
mod documents;
mod header;
mod issue;
mod narrative;
mod participants;
mod provenance;
mod replacement;
mod sections;
#[cfg(test)]
mod tests;
mod timing;

pub use account::{AccountEntry, Reason, account_parameters};
pub use context::Entry;
pub use documents::document_reference::{COMPREHENSIVE, DepositedFile, document_reference, is_comprehensive};
pub use issue::{IssueCode, TranslationIssue};
pub use replacement::mark_replacements;

use crate::cda;
use crate::fhir::Resource;
use context::Context;
use serde_json::{Value, json};

/// Reference that stands for the patient; the service puts `Patient/{id}` in its place.
pub const SUBJECT: &str = "urn:dmp-fhir:subject";
/// Reference that stands for the DocumentReference of the document.
pub const DOCUMENT: &str = "urn:dmp-fhir:document";
/// URL that stands for the Binary of the original.
pub const ORIGINAL: &str = "urn:dmp-fhir:original";

/// What a document becomes.
#[derive(Clone, Default)]
pub struct Translation {
    /// Resources in a fixed order; they refer to each other by `full_url`.
    pub entries: Vec<Entry>,
    /// What a reader of the document or of the data should know, stored with the document.
    pub issues: Vec<TranslationIssue>,
    /// Every coded node in document order.
    pub account: Vec<AccountEntry>,
}

impl std::fmt::Debug for Translation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Translation({} entries)", self.entries.len())
    }
}

impl Translation {
    /// The resources as a Bundle of type collection, as the command line prints it.
    #[must_use]
    pub fn bundle(&self) -> Resource {
        let entry = |entry: &Entry| json!({"fullUrl": entry.full_url, "resource": entry.resource});
        let mut bundle = Resource::new();
        bundle.insert("resourceType".into(), json!("Bundle"));
        bundle.insert("type".into(), json!("collection"));
        bundle.insert("entry".into(), Value::Array(self.entries.iter().map(entry).collect()));
        bundle
    }
    /// As [`Self::bundle`], with the account and the issues as a last entry (Parameters, as `$translation` answers them).
    #[must_use]
    pub fn report(&self) -> Resource {
        let mut bundle = self.bundle();
        if let Some(entries) = bundle.get_mut("entry").and_then(Value::as_array_mut) {
            entries.push(json!({"resource": account_parameters(self, |url| Some(url.to_owned()))}));
        }
        bundle
    }
    /// The issues as an OperationOutcome.
    #[must_use]
    pub fn operation_outcome(&self) -> Value {
        issue::operation_outcome(&self.issues)
    }
}

/// Translates a document: header, participants, narrative, provenance, and every entry whose template has a function.
///
/// The same document gives the same bytes. References to the patient and to the document are [`SUBJECT`] and [`DOCUMENT`].
#[must_use]
pub fn translate(document: &cda::Document) -> Translation {
    let mut context = Context::new(document);
    let header = header::resources(&mut context);
    let sections = sections::translate(&mut context, &header);
    let report = documents::diagnostic_report::diagnostic_report(&mut context, &header);
    documents::composition::composition(&mut context, &header, &sections, report.as_deref());
    provenance::provenance(&mut context, &header);
    context.finish()
}
