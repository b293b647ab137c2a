//! Who may do what: pure rules over facts (DESIGN section 5; BR-18 to BR-36). No I/O, no `_ =>`.
pub mod facts;
pub mod permit;

pub use facts::{Actor, Authorisation, AuthorisationStatus, Facts, RecordState};
pub use permit::{Denial, Masks, Permit, ReadScope, Rule};
