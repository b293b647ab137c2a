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
//! `unit` is the transaction or snapshot in which a request runs; a service writes its trace into the outcome, and
//! `store.read`, `store.write` and `store.record` make it durable before they answer.
//!
//! # Architecture invariants (checked by `tests/architecture.rs`)
//! - Modules stand below in reading order; a module uses only those after it, and any of the last three.
//! - Only `store` names diesel; only `http` names actix; `FROM resource` is written once.
//! - Nothing reads a clock outside `clock`, nor random bytes outside `ids`.
//!
//! # What the compiler checks (pinned by doc-tests that do not compile)
//! - A [`policy::Permit`] is made only by [`policy::decide`]; a [`store::Access`] only by opening a permit on a unit;
//!   a [`store::Recorded`] only by the store, with its trace. Forgetting authorisation or trace does not compile.
//! - A [`store::WholeRecord`], which the rules of a write look at, is no [`store::Access`]: nothing reads an answer with it.

// Routes, request, answer: the only user of actix-web.
pub mod http;

// One file for each use case; `answer` is the one way through facts, decision, access and trace.
pub mod service;

// Records, resources, index rows, originals, trace, on SQLite and PostgreSQL: the only user of Diesel.
pub mod store;

// What is traced of a request, and how it is shown as an AuditEvent; pure.
pub mod audit;

// Who may do what, decided on facts of the record; pure.
pub mod policy;

// Who is calling: tokens and their issuer.
pub mod auth;

// CDA to FHIR: one function for each template; pure.
pub mod translate;

// Search parameters: queries, index rows, matching of bodies; pure.
pub mod search;

// CDA documents as bounded data; knows no FHIR.
pub mod cda;

// Seeded persons, documents and records for the demonstration, tests and benchmarks.
pub mod synthetic;

// Pages for people, from resources to HTML; pure.
pub mod pages;

// R4 itself: resources, checks, JSON and XML, dates, identifiers, Bundles, outcomes; no I/O.
pub mod fhir;

// The only source of time.
pub mod clock;

// The only source of identifiers and random bytes.
pub mod ids;

// Settings: flags, environment, file.
pub mod config;
