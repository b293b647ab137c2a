//! Search: what a query means, which index rows a resource has, whether a body matches. Pure.
//!
//! `parse` makes a [`Query`] of the parameters; its [`Plan`] is what the tables are asked. `extract` makes the rows of the
//! tables. `matches` decides on bodies what the tables only narrow (`Plan::recheck`). <https://hl7.org/fhir/R4/search.html>
mod criterion;
mod decimal;
mod extract;
mod keyer;
mod kind;
mod matches;
pub mod plan;
mod query;
mod record;
mod registry;
mod text;

#[cfg(test)]
mod tests;

pub use criterion::{CHAIN_MAX, VALUES_MAX};
pub use extract::{ExtractContext, extract, included, revincluded, type_key};
pub use keyer::Keyer;
pub use kind::Local;
pub use matches::{MatchContext, compare, matches};
pub use plan::{IndexRows, Key, Plan, Predicate, RangeTest, Sort};
pub use query::{COUNT_DEFAULT, COUNT_MAX, Include, ParseContext, Query, Summary, Total, parse};
pub use record::{RecordParameter, record_of};
pub use registry::{Component, Kind, Parameter, Registry, Shape, registry};
pub use text::normal as normal_text;
