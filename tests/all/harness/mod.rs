//! What every spec stands on: a server of this process on a free port, on each database, and people who call it.
//!
//! A spec is written once, as `on_both(|world| ...)`, and runs on an empty SQLite database and on an empty PostgreSQL one.
pub(crate) mod actor;
pub(crate) mod document;
pub(crate) mod hidden;
pub(crate) mod people;
pub(crate) mod process;
pub(crate) mod server;
pub(crate) mod spec;

pub(crate) use actor::{Actor, Answer};
pub(crate) use document::{Deposit, Report};
pub(crate) use people::{CHILD, PAT_TROIS, Person};
pub(crate) use process::Process;
pub(crate) use server::{World, on_both};

/// Today in UTC, moved by some days: `2026-11-24`.
pub(crate) fn day(offset: i64) -> String {
    let millis = dmp_fhir::clock::now().0 + offset * 86_400_000;
    dmp_fhir::clock::Millis(millis).instant()[..10].to_owned()
}

/// A value in the form of a query: everything but letters, digits and `-._~` percent-encoded.
pub(crate) fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
