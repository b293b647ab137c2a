#![doc = include_str!("README.md")]
#![deny(clippy::wildcard_enum_match_arm)]
mod access;
mod change;
pub mod consent;
mod consents;
mod document;
pub mod facts;
mod opening;
mod period;
pub mod permit;
mod rules;
pub mod write_table;

#[cfg(test)]
mod tests;

pub use access::{Grant, grants, record_status, status};
pub use consent::derive;
pub use document::{DocumentChange, may_change_document};
pub use facts::{Actor, Authorisation, AuthorisationStatus, Facts, RecordState};
pub use permit::{Denial, Masks, Permit, ReadScope, Rule};
pub use rules::{decide, record_concerned};
