//! The trace as data: what was done, to whose record, by whom. No I/O.
pub mod event;
pub mod outcome;

pub use event::{Action, Event, EventOutcome};
pub use outcome::{Body, Outcome};
