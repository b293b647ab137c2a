//! The trace as data: what was done, to whose record, by whom. No I/O.
#![deny(clippy::wildcard_enum_match_arm)]
pub mod chain;
pub mod columns;
pub mod event;
pub mod outcome;
pub mod render;

#[cfg(test)]
mod tests;

pub use columns::CallerColumns;
pub use event::{Action, Event, EventOutcome};
pub use outcome::{Body, Outcome};
pub use render::{RenderContext, ServerIdentity, render};
