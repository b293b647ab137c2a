//! The only source of time.
use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Millis(pub i64);

impl Millis {
    /// As a FHIR instant in UTC with milliseconds, such as `2026-11-24T13:34:31.005Z`.
    #[must_use]
    pub fn instant(self) -> String {
        jiff::Timestamp::from_millisecond(self.0).map(|time| format!("{time:.3}")).unwrap_or_default()
    }
}

/// Now.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the one home of the clock")]
pub fn now() -> Millis {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis(i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX))
}
