//! Search: what a query means, which index rows a resource has, whether a body matches. Pure.
pub mod plan;

pub use plan::{IndexRows, Key, Plan, Predicate, RangeTest, Sort};
