//! Search: what a query means, which index rows a resource has, whether a body matches. Pure.
//!
//! `parse` makes a [`Query`] of the parameters; its [`Plan`] is what the tables are asked. `extract` makes the rows of the
//! tables. `matches` decides on bodies what the tables only narrow (`Plan::recheck`). <https://hl7.org/fhir/R4/search.html>
//!
//! # Decisions
//! - Codes and identifier values compare without case, those of UCUM with it: R4 asks for that "when in doubt".
//! - A plain `code` has no row with its system; `status=http://...|final` is looked for as `final` where the system is that
//!   of the element's required value set, and finds nothing otherwise.
//! - A parameter that finds the same as another, or the union of others, has no rows: `patient` is read from `subject`,
//!   `combo-code` from `code` and `component-code`.
//! - `ge` and `le` are R4's words: the range above (below) overlaps, or the value contains the target. A period that
//!   only ends inside the day of `ge` does not match.
//! - A number of a resource is a point; the precision of the value searched makes the interval.
//! - Amounts of substance (`mol`) compare with each other only, although UCUM takes a mole for a number.
//! - What stands behind a chain, where bodies decide on it, is looked for before ([`Behind`]): at most 20,000 resources, in the
//!   scope of the search, else `too-costly`. All else of a chain stays one statement.
//! - A chain follows references to resources of this server; a contained one (`#id`) is not entered.
//! - `_filter` is decided on bodies; conditions that must hold in any case bound it in the tables. `and` and `or` bind alike.
//! - Value sets and code systems are those of the directory. At most 1,000 codes are exact, at most 20,000 are looked for;
//!   what cannot be evaluated is 400. A code without a system is in no value set.
//! - `:above` and `:below` of a URI go by whole segments of its path; a URN is above and below itself alone.
//! - `_text` and `_content` find all their words, as parts of words, without case and accents, in the narrative or anywhere.
//! - `_list` takes Lists of the record by id, not the functional lists (`$current-...`). `near`, `_query` and `_contained=true`
//!   are not served: 400 that says so. `_revinclude` names a type; `:iterate` goes on four times.
//! - `_sort`: what has no value comes last in both directions. By texts, or by more than two ranges, bodies order at most 20,000
//!   matches.
//! - An identifier that named the record is not looked for again: the scope fulfils it.
//! - Data of a replaced document are left out at every level of a query (root, chain, `_has`) that does not name `_tag` or
//!   `_id`. Of a result that a report repeats (`reported-previous`) the same where the record has the original: behind
//!   links, and at the root of a search over several records; a search in one record shows both (C7-22).
mod criterion;
mod decimal;
mod extract;
mod filter;
mod hidden;
mod keyer;
mod kind;
mod matches;
mod operator;
pub mod plan;
mod query;
mod record;
mod registry;
mod subset;
mod terminology;
mod text;

#[cfg(test)]
mod tests;

pub use criterion::{CHAIN_MAX, VALUES_MAX};
pub use extract::{ExtractContext, extract, included, revincluded, type_key};
pub use hidden::{brings_superseded, is_superseded, not_superseded};
pub use keyer::Keyer;
pub use kind::Local;
pub use matches::{MatchContext, SortKeys, compare, matches, sort_keys};
pub use operator::{OperatorParameterError, take_operator_parameters};
pub use plan::{Behind, IndexRows, Key, Plan, Predicate, RangeTest, Repeat, Sort};
pub use query::{COUNT_DEFAULT, COUNT_MAX, Include, ParseContext, Query, Summary, Total, parse};
pub use record::{RecordParameter, record_of};
pub use registry::{Component, Kind, Parameter, Registry, Shape, registry};
pub use subset::{part, subset};
pub use terminology::{Library, NoLibrary};
pub use text::normal as normal_text;
