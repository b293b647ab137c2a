//! Use cases: one file for each.
pub mod capabilities;
