//! Resources of the whole document: Composition, DiagnosticReport, DocumentReference.
pub(super) mod composition;
pub(super) mod diagnostic_report;
pub(super) mod document_reference;
pub(super) mod imaging_report;
