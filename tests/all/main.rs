//! The one integration-test binary: specs over HTTP and store, on SQLite and on PostgreSQL.

mod cluster;
mod store;
mod store_documents;
mod store_search;
mod store_trace;
