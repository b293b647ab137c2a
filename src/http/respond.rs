//! From a recorded outcome to the bytes of an answer: format, validators, compression, headers of raw content.
use super::body;
use super::capability::Statement;
use crate::audit::{Body, Outcome};
use crate::clock::Millis;
use crate::fhir::interaction::Return;
use crate::fhir::media_type::Format;
use crate::fhir::outcome::operation_outcome;
use crate::fhir::{Issue, IssueKind, Problem, xml};
use crate::store::Recorded;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HttpDate};
use actix_web::{HttpResponse, HttpResponseBuilder};
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
    pub(crate) preference: Option<Return>,
}

impl Default for Wishes {
    fn default() -> Self {
        Self { format: Format::Json, pretty: false, gzip: false, preference: None }
    }
}

/// The answer of an interaction: only what was recorded can leave.
pub(super) async fn respond(recorded: Recorded, wishes: &Wishes, base: &str) -> HttpResponse {
    answer(recorded.into_outcome(), wishes, base).await
}

/// A refusal before authentication: no data, counted and logged, not traced.
pub(super) async fn refuse(problem: &Problem, wishes: &Wishes) -> HttpResponse {
    answer(Outcome::problem(problem, Vec::new()), wishes, "").await
}

/// `/metadata`: the one answer without a trace that is no refusal. It holds no health data, and only
/// `capability` makes a [`Statement`].
pub(super) async fn public(statement: &Statement, wishes: &Wishes) -> HttpResponse {
    let ready = match wishes.format {
        Format::Json if wishes.pretty => None,
        Format::Json => Some(statement.json()),
        Format::Xml => statement.xml(),
    };
    let mut response = HttpResponse::Ok();
    headers(&mut response);
    response.insert_header((header::ETAG, statement.etag()));
    match ready {
        Some(bytes) if !wishes.gzip => response.insert_header((header::CONTENT_TYPE, wishes.format.content_type())).body(bytes),
        _ => finish(response, Content::Fhir(statement.json().to_vec()), wishes).await,
    }
}

/// What every answer says.
fn headers(response: &mut HttpResponseBuilder) {
    response.insert_header((header::CACHE_CONTROL, "no-store"));
    response.insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"));
    response.insert_header((header::VARY, "Accept, Accept-Encoding, Authorization"));
}

async fn answer(outcome: Outcome, wishes: &Wishes, base: &str) -> HttpResponse {
    let status = StatusCode::from_u16(outcome.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    headers(&mut response);
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
    if status == StatusCode::TOO_MANY_REQUESTS {
        // The bounds are of a minute.
        response.insert_header((header::RETRY_AFTER, "60"));
    }
    match outcome.body {
        Body::Empty => response.finish(),
        Body::Raw { content_type, bytes, file_name } => {
            // Content from outside is never run in this origin (decision 16).
            response.insert_header((header::CONTENT_SECURITY_POLICY, "sandbox"));
            response.insert_header((header::CONTENT_DISPOSITION, format!("attachment; filename=\"{file_name}\"")));
            response.insert_header((header::CONTENT_TYPE, content_type));
            finish(response, Content::Raw(bytes), wishes).await
        }
        Body::Fhir(bytes) => {
            let written = matches!(outcome.status, 200 | 201) && outcome.location.is_some();
            let bytes = match wishes.preference.unwrap_or_default() {
                Return::Minimal if written => return response.finish(),
                Return::OperationOutcome if written => done(&outcome.remarks),
                Return::Representation | Return::Minimal | Return::OperationOutcome => bytes,
            };
            finish(response, Content::Fhir(bytes), wishes).await
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

/// A body before it is written.
enum Content {
    Fhir(Vec<u8>),
    Raw(Vec<u8>),
}

/// A body as it leaves.
struct Written {
    bytes: Vec<u8>,
    content_type: Option<&'static str>,
    gzip: bool,
}

/// Writes the body as it is wished for: on a thread of its own where that is much work.
async fn finish(mut response: HttpResponseBuilder, content: Content, wishes: &Wishes) -> HttpResponse {
    let size = match &content {
        Content::Fhir(bytes) if wishes.gzip || wishes.pretty || wishes.format == Format::Xml => bytes.len(),
        Content::Raw(bytes) if wishes.gzip => bytes.len(),
        Content::Fhir(_) | Content::Raw(_) => 0,
    };
    let asked = wishes.clone();
    let written = match body::off_worker(size, move || write(content, &asked)).await {
        Ok(written) => written,
        Err(problem) => {
            tracing::error!(issue = problem.kind().code(), "A body was not written");
            return HttpResponse::InternalServerError().finish();
        }
    };
    if let Some(content_type) = written.content_type {
        response.insert_header((header::CONTENT_TYPE, content_type));
    }
    if written.gzip {
        response.insert_header((header::CONTENT_ENCODING, "gzip"));
    }
    response.body(written.bytes)
}

fn write(content: Content, wishes: &Wishes) -> Written {
    let (bytes, content_type) = match content {
        Content::Raw(bytes) => (bytes, None),
        Content::Fhir(bytes) => {
            let (bytes, content_type) = formatted(bytes, wishes);
            (bytes, Some(content_type))
        }
    };
    if wishes.gzip
        && bytes.len() > 1_400
        && let Ok(packed) = packed(&bytes)
    {
        return Written { bytes: packed, content_type, gzip: true };
    }
    Written { bytes, content_type, gzip: false }
}

fn packed(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 4), Compression::fast());
    encoder.write_all(bytes)?;
    encoder.finish()
}

fn http_date(time: Millis) -> HttpDate {
    let seconds = u64::try_from(time.0 / 1_000).unwrap_or_default();
    HttpDate::from(UNIX_EPOCH + Duration::from_secs(seconds))
}
