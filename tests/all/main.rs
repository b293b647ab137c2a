//! The one integration-test binary: specs over HTTP and store, on SQLite and on PostgreSQL.

mod cluster;
mod store;
