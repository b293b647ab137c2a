//! The rules as tables, written by hand from DESIGN section 5 and BR-01 to BR-27.
pub(super) mod actors;
mod consents;
mod golden;
mod opening;
mod scopes;
