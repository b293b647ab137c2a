//! The rules as tables, written by hand from DESIGN section 5 and BR-01 to BR-27.
mod actors;
mod consents;
mod documents;
mod golden;
mod opening;
mod scopes;
