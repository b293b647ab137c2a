//! DMP-FHIR: a FHIR R4 server for the French shared medical record (DMP).
//!
//! A CDA document comes in, its original is kept byte for byte, its entries become FHIR resources, and both are read
//! through one API, under the DMP's access rules, each access traced.
//!
//! # The way of a request
//! Each arrow changes the type; one function has each signature.
//! ```text
//! HttpRequest -http::request-> Interaction -policy::decide-> Permit -unit.open-> Access -service::*-> Outcome
//!             -store.record-> Recorded -http::respond-> HttpResponse
//! ```
//!
//! # Architecture invariants (checked by `tests/architecture.rs`)
//! - Modules stand below in reading order; a module uses only those after it.
//! - Only `store` names diesel; only `http` names actix; `FROM resource` is written once.
//! - Nothing reads a clock outside `clock`, nor random bytes outside `ids`.
//! - A [`policy::Permit`] is made only by [`policy::decide`]; a [`store::Access`] only by opening a permit on a unit;
//!   a [`store::Recorded`] only by writing the trace. Forgetting authorisation or trace does not compile.

pub mod audit;
pub mod auth;
pub mod cda;
pub mod clock;
pub mod config;
pub mod fhir;
pub mod http;
pub mod ids;
pub mod pages;
pub mod policy;
pub mod search;
pub mod service;
pub mod store;
pub mod synthetic;
pub mod translate;
