//! The one integration-test binary: specs over HTTP and store, on SQLite and on PostgreSQL.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it skips"
)]
mod harness;

mod access;
mod all_samples;
mod batches;
mod candle;
mod capability;
mod cohort;
mod deposit_labels;
mod deposit_refusals;
mod docref;
mod document_bundle;
mod document_metadata;
mod entries;
mod everything;
mod examples;
mod formats;
mod history;
mod http_rules;
mod import;
mod includes;
mod interactions;
mod laboratory;
mod lastn;
mod limits;
mod malformed;
mod oracle;
mod pages;
mod paging;
mod persons;
mod previous_results;
mod races;
mod replacement;
mod search_answers;
mod search_behind;
mod search_cohorts;
mod search_handling;
mod search_plans;
mod search_terminology;
mod superseded;
mod system_search;
mod td02;
mod tokens;
mod trace;
mod transactions;
mod transactions_shared;
mod validator;
mod validator_types;

mod translate;

mod cluster;
mod store;
mod store_cohort;
mod store_documents;
mod store_history;
mod store_search;
mod store_trace;
mod store_versions;
