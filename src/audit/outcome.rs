//! What a service did: the answer, and the rows of the trace that must be durable before the answer leaves.
use super::event::Event;
use crate::fhir::{Issue, Problem};

/// Body of an answer, before its format is chosen.
#[derive(Clone)]
pub enum Body {
    /// None (204, 304, HEAD).
    Empty,
    /// FHIR JSON bytes, minified; XML is made of them at the border.
    Fhir(Vec<u8>),
    /// A document under its own media type (ITI-68, decision 16).
    Raw {
        /// Its media type.
        content_type: String,
        /// Its bytes.
        bytes: Vec<u8>,
        /// Name for Content-Disposition.
        file_name: String,
    },
}

/// Everything an answer says; it leaves only as a `store::Recorded`.
#[derive(Clone)]
pub struct Outcome {
    /// HTTP status.
    pub status: u16,
    /// Body.
    pub body: Body,
    /// Version for ETag.
    pub version: Option<i64>,
    /// Last-Modified, milliseconds.
    pub updated: Option<i64>,
    /// Location, relative to the base: `Patient/[id]/_history/1`.
    pub location: Option<String>,
    /// Rows of the trace.
    pub events: Vec<Event>,
    /// What is to be said besides, with `Prefer: return=OperationOutcome`.
    pub remarks: Vec<Issue>,
}

impl Outcome {
    /// An answer that names no version and no place.
    #[must_use]
    pub fn new(status: u16, body: Body, events: Vec<Event>) -> Self {
        Self { status, body, version: None, updated: None, location: None, events, remarks: Vec::new() }
    }
    /// A failure with its trace.
    #[must_use]
    pub fn problem(problem: &Problem, events: Vec<Event>) -> Self {
        let body = Body::Fhir(problem.operation_outcome().to_string().into_bytes());
        Self::new(problem.status(), body, events)
    }
}
