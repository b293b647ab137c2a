//! Who may do what: pure rules over facts (DESIGN section 5; BR-18 to BR-36). No I/O, no `_ =>`.
//!
//! [`record_concerned`] names the record whose facts are read, [`decide`] answers with a [`Permit`] or a [`Denial`].
//! Where a permit is for `Own` (what the caller deposited) and nothing is found, the answer is [`Permit::otherwise`].
#![deny(clippy::wildcard_enum_match_arm)]
mod access;
pub mod consent;
mod consents;
mod decide;
pub mod facts;
mod opening;
mod period;
pub mod permit;
pub mod write_table;

#[cfg(test)]
mod tests;

pub use access::{Grant, grants, record_status, status};
pub use consent::derive;
pub use decide::{decide, record_concerned};
pub use facts::{Actor, Authorisation, AuthorisationStatus, Facts, RecordState};
pub use permit::{Denial, Masks, Permit, ReadScope, Rule};
