//! The proof that the trace of an answer is durable.
use crate::audit::Outcome;
use crate::fhir::Problem;
use crate::fhir::outcome::IssueKind;

/// An outcome whose trace is durable: the only thing that may leave as an answer.
///
/// Only the store makes it. A function that demands it compiles with what the store gave:
/// ```
/// fn respond(recorded: dmp_fhir::store::Recorded) -> dmp_fhir::audit::Outcome { recorded.into_outcome() }
/// ```
/// and not with one made by hand:
/// ```compile_fail,E0451
/// fn respond(outcome: dmp_fhir::audit::Outcome) -> dmp_fhir::audit::Outcome { dmp_fhir::store::Recorded { outcome }.into_outcome() }
/// ```
pub struct Recorded {
    outcome: Outcome,
}

impl Recorded {
    /// Called where the trace has been committed, or where there is nothing to trace.
    pub(super) fn new(outcome: Outcome) -> Self {
        Self { outcome }
    }

    /// In the place of an outcome whose trace could not be written: no data goes out.
    pub(super) fn without_trace() -> Self {
        Self::refusal(IssueKind::AuditUnavailable, "The trace cannot be written: no data goes out")
    }

    /// An answer without data that is not traced (the work was never begun, or left nothing).
    pub(super) fn refusal(kind: IssueKind, text: &'static str) -> Self {
        Self::new(Outcome::problem(&Problem::new(kind, text), Vec::new()))
    }

    /// HTTP status of the answer.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.outcome.status
    }

    /// What was recorded.
    #[must_use]
    pub fn outcome(&self) -> &Outcome {
        &self.outcome
    }

    /// What was recorded, to be answered.
    #[must_use]
    pub fn into_outcome(self) -> Outcome {
        self.outcome
    }
}
