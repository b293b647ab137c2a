//! Synthetic records for demo, tests and benchmarks: seeded persons, CDA documents, deposits, Consents.
//!
//! The same seed gives the same bytes, in every run and on every machine: no clock and no random source is read.
//! Names are invented, INS are of the test range (OID ...4.10), RPPS and FINESS start with 999.
pub mod catalogue;
pub mod consent;
mod date;
pub mod deposit;
pub mod directory;
mod header;
pub mod laboratory;
pub mod pdf;
pub mod person;
pub mod random;
pub mod report;
pub mod story;
pub mod transaction;
mod xml;

pub use consent::{ConsentActor, ConsentPlan};
pub use date::LATEST;
pub use deposit::deposit;
pub use directory::directory;
pub use laboratory::lab_report;
pub use pdf::{PdfDocument, pdf_document};
pub use person::Person;
pub use report::LabReport;
pub use story::{SyntheticRecord, lab_report_of, records};
pub use transaction::observations_transaction;

#[cfg(test)]
mod tests;
