//! What every request goes through, FHIR or page: its id, its count, its line in the log.
use super::State;
use super::request::text;
use crate::ids;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpRequest, web};
use std::time::Instant;

/// What the request is called in metrics and log, once it is known.
#[derive(Clone, Copy)]
struct Name(&'static str);

/// Its X-Request-Id.
struct Id(String);

/// Names the request for metrics and log: interactions and pages, never what was asked for.
pub(super) fn name(request: &HttpRequest, name: &'static str) {
    request.extensions_mut().insert(Name(name));
}

/// The id under which log and trace know the request.
pub(super) fn id(request: &HttpRequest) -> String {
    request.extensions().get::<Id>().map(|id| id.0.clone()).unwrap_or_default()
}

/// Counts, logs and labels an answer.
pub(super) async fn counted(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let start = Instant::now();
    let state = request.app_data::<web::Data<State>>().cloned();
    let id = request_id(request.request());
    request.extensions_mut().insert(Id(id.clone()));
    let mut response = next.call(request).await?;
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(HeaderName::from_static("x-request-id"), value);
    }
    if let Some(sent) = correlation(response.request(), &id)
        && let Ok(value) = HeaderValue::from_str(&sent)
    {
        response.headers_mut().insert(HeaderName::from_static("x-correlation-id"), value);
    }
    let name = response.request().extensions().get::<Name>().map_or("none", |name| name.0);
    let (status, time) = (response.status().as_u16(), start.elapsed());
    if let Some(state) = state {
        state.metrics.count(name, status, time);
    }
    let duration_ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    tracing::info!(request = id, interaction = name, status, duration_ms, "Answered");
    Ok(response)
}

/// The client's X-Request-Id where the server answers under an id of its own (R4, 3.1.0.1.12), cut to what a log may hold.
fn correlation(request: &HttpRequest, id: &str) -> Option<String> {
    let given = text(request.headers(), HeaderName::from_static("x-request-id"))?;
    let printable: String = given.chars().filter(char::is_ascii_graphic).take(256).collect();
    (given != id && !printable.is_empty()).then_some(printable)
}

/// The client's X-Request-Id where it is a plain one, otherwise a new one.
fn request_id(request: &HttpRequest) -> String {
    let given = text(request.headers(), HeaderName::from_static("x-request-id"));
    let plain = |id: &&str| {
        (1..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.')
    };
    match given.filter(plain) {
        Some(id) => id.to_owned(),
        None => ids::random::<16>().map_or_else(|_no_entropy| String::new(), |bytes| uuid::Uuid::from_bytes(bytes).to_string()),
    }
}
