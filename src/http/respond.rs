//! From a recorded outcome to the bytes of an answer: format, validators, compression, headers of raw content.
use crate::audit::{Body, Outcome};
use crate::clock::Millis;
use crate::fhir::media_type::Format;
use crate::fhir::outcome::operation_outcome;
use crate::fhir::{Issue, IssueKind, Problem, xml};
use crate::store::Recorded;
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HttpDate};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write;
use std::time::{Duration, UNIX_EPOCH};

/// How the client wants its answer.
#[derive(Debug, Clone)]
pub(crate) struct Wishes {
    /// JSON or XML.
    pub(crate) format: Format,
    /// `_pretty=true`.
    pub(crate) pretty: bool,
    /// `Accept-Encoding: gzip`.
    pub(crate) gzip: bool,
    /// `Prefer: return=`.
    pub(crate) preference: Return,
}

impl Default for Wishes {
    fn default() -> Self {
        Self { format: Format::Json, pretty: false, gzip: false, preference: Return::Representation }
    }
}

/// `Prefer: return=` of a write. <https://hl7.org/fhir/R4/http.html#ops>
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Return {
    /// The resource.
    #[default]
    Representation,
    /// Nothing.
    Minimal,
    /// An OperationOutcome.
    OperationOutcome,
}

/// The answer of an interaction: only what was recorded can leave.
pub(crate) fn respond(recorded: Recorded, wishes: &Wishes, base: &str) -> HttpResponse {
    answer(recorded.into_outcome(), wishes, base)
}

/// A refusal before authentication: no data, counted and logged, not traced.
pub(crate) fn refuse(problem: &Problem, wishes: &Wishes) -> HttpResponse {
    answer(Outcome::problem(problem, Vec::new()), wishes, "")
}

/// An answer without health data that needs no trace: `/metadata`.
pub(crate) fn public(bytes: Vec<u8>, wishes: &Wishes) -> HttpResponse {
    answer(Outcome::new(200, Body::Fhir(bytes), Vec::new()), wishes, "")
}

fn answer(outcome: Outcome, wishes: &Wishes, base: &str) -> HttpResponse {
    let status = StatusCode::from_u16(outcome.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    response.insert_header((header::CACHE_CONTROL, "no-store"));
    response.insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"));
    response.insert_header((header::VARY, "Accept, Accept-Encoding, Authorization"));
    if let Some(version) = outcome.version {
        response.insert_header((header::ETAG, format!("W/\"{version}\"")));
    }
    if let Some(updated) = outcome.updated {
        response.insert_header((header::LAST_MODIFIED, http_date(Millis(updated))));
    }
    if let Some(location) = &outcome.location {
        response.insert_header((header::LOCATION, format!("{base}/{location}")));
    }
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.insert_header((header::RETRY_AFTER, "1"));
    }
    match outcome.body {
        Body::Empty => response.finish(),
        Body::Raw { content_type, bytes, file_name } => {
            // Content from outside is never run in this origin (decision 16).
            response.insert_header((header::CONTENT_SECURITY_POLICY, "sandbox"));
            response.insert_header((header::CONTENT_DISPOSITION, format!("attachment; filename=\"{file_name}\"")));
            response.insert_header((header::CONTENT_TYPE, content_type));
            finish(response, bytes, wishes)
        }
        Body::Fhir(bytes) => {
            let written = matches!(outcome.status, 200 | 201) && outcome.location.is_some();
            let bytes = match wishes.preference {
                Return::Minimal if written => return response.finish(),
                Return::OperationOutcome if written => done(&outcome.remarks),
                Return::Representation | Return::Minimal | Return::OperationOutcome => bytes,
            };
            let (bytes, content_type) = formatted(bytes, wishes);
            response.insert_header((header::CONTENT_TYPE, content_type));
            finish(response, bytes, wishes)
        }
    }
}

/// The OperationOutcome of a write that was done, with what is to be said besides.
fn done(remarks: &[Issue]) -> Vec<u8> {
    let stored = Issue::new(IssueKind::Information, "Stored");
    operation_outcome(std::iter::once(&stored).chain(remarks)).to_string().into_bytes()
}

/// The body in the format asked for. A body that cannot be written as XML leaves as JSON, which is logged.
fn formatted(bytes: Vec<u8>, wishes: &Wishes) -> (Vec<u8>, &'static str) {
    const JSON: &str = Format::Json.content_type();
    const XML: &str = Format::Xml.content_type();
    match wishes.format {
        Format::Json if wishes.pretty => (pretty(&bytes).unwrap_or(bytes), JSON),
        Format::Json => (bytes, JSON),
        Format::Xml => match xml::write(&bytes) {
            Ok(xml) => (xml, XML),
            Err(problem) => {
                tracing::error!(issue = problem.kind().code(), "A stored resource cannot be written as XML");
                (bytes, JSON)
            }
        },
    }
}

fn pretty(bytes: &[u8]) -> Option<Vec<u8>> {
    let value: serde_json::Value = serde_json::from_slice(bytes).ok()?;
    serde_json::to_vec_pretty(&value).ok()
}

fn finish(mut response: actix_web::HttpResponseBuilder, bytes: Vec<u8>, wishes: &Wishes) -> HttpResponse {
    if wishes.gzip && bytes.len() > 1_400 {
        let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 4), Compression::fast());
        if encoder.write_all(&bytes).is_ok()
            && let Ok(packed) = encoder.finish()
        {
            response.insert_header((header::CONTENT_ENCODING, "gzip"));
            return response.body(packed);
        }
    }
    response.body(bytes)
}

fn http_date(time: Millis) -> HttpDate {
    let seconds = u64::try_from(time.0 / 1_000).unwrap_or_default();
    HttpDate::from(UNIX_EPOCH + Duration::from_secs(seconds))
}
