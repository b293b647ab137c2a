//! The route table, and the one way from a request to its answer.
use super::request::{self, text};
use super::respond::{self, Wishes};
use super::{State, capability, page};
use crate::auth::{self, Caller};
use crate::fhir::interaction::Parameters;
use crate::fhir::{Interaction, IssueKind, Problem};
use crate::service;
use crate::{clock, ids};
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse, web};
use futures_util::StreamExt;
use std::io::Read;
use std::time::Instant;

/// What a path below the FHIR base means, before its type and id are looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Route<'a> {
    /// `GET [type]/[id]`.
    Read { resource_type: &'a str, id: &'a str },
    /// `GET [type]/[id]/_history/[version]`.
    VersionRead { resource_type: &'a str, id: &'a str, version: &'a str },
    /// `GET [type]`, `POST [type]/_search`.
    Search { resource_type: &'a str },
    /// `POST [type]`.
    Create { resource_type: &'a str },
    /// `PUT [type]/[id]`.
    Update { resource_type: &'a str, id: &'a str },
    /// `GET DocumentReference/[id]/$translation`.
    Translation { id: &'a str },
    /// `POST [base]`.
    Base,
}

/// The table: which methods each shape of path has, in the order in which they are tried.
///
/// # Errors
/// 404 for a path that means nothing, 405 with the permitted methods for a method that it does not have.
fn route<'a>(method: &Method, path: &'a str) -> Result<Route<'a>, Problem> {
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let get = method == Method::GET || method == Method::HEAD;
    let allow = |methods: &str| Err(Problem::new(IssueKind::NotSupported, format!("This path has only {methods}")));
    match segments.as_slice() {
        [] if method == Method::POST => Ok(Route::Base),
        [] => allow("POST"),
        [resource_type, "_search"] if method == Method::POST => Ok(Route::Search { resource_type }),
        [_, "_search"] => allow("POST"),
        ["DocumentReference", id, "$translation"] if get => Ok(Route::Translation { id }),
        [resource_type, id, "_history", version] if get => Ok(Route::VersionRead { resource_type, id, version }),
        [resource_type] if get => Ok(Route::Search { resource_type }),
        [resource_type] if method == Method::POST => Ok(Route::Create { resource_type }),
        [_] => allow("GET, HEAD, POST"),
        [resource_type, id] if get => Ok(Route::Read { resource_type, id }),
        [resource_type, id] if method == Method::PUT => Ok(Route::Update { resource_type, id }),
        [_, _] => allow("GET, HEAD, PUT"),
        [_, _, "_history", _] | ["DocumentReference", _, "$translation"] => allow("GET, HEAD"),
        _ => Err(Problem::new(IssueKind::ResourceNotFound, "No such path below the FHIR base")),
    }
}

pub(super) fn configure(config: &mut web::ServiceConfig) {
    config
        .route("/health", web::get().to(health))
        .route("/metrics", web::get().to(metrics))
        .service(web::resource("/fhir").to(dispatch))
        .service(web::resource("/fhir/{tail:.*}").to(dispatch))
        .configure(page::configure)
        .default_service(web::to(nowhere));
}

async fn health() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("ok\n")
}

async fn metrics(state: web::Data<State>) -> HttpResponse {
    HttpResponse::Ok().content_type("application/openmetrics-text; version=1.0.0; charset=utf-8").body(state.metrics.text())
}

async fn nowhere() -> HttpResponse {
    respond::refuse(&Problem::new(IssueKind::ResourceNotFound, "Nothing here; the FHIR base is /fhir"), &Wishes::default())
}

/// Every request below the FHIR base.
async fn dispatch(request: HttpRequest, payload: web::Payload, state: web::Data<State>) -> HttpResponse {
    let start = Instant::now();
    let id = request_id(&request);
    let mut wishes = Wishes::default();
    let mut interaction = "none";
    let mut response = match handle(&request, payload, &state, &id, &mut wishes, &mut interaction).await {
        Ok(response) => response,
        Err(problem) => refused(&problem, &wishes),
    };
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(HeaderName::from_static("x-request-id"), value);
    }
    let status = response.status().as_u16();
    state.metrics.count(interaction, status, start.elapsed());
    let duration_ms = start.elapsed().as_millis();
    tracing::info!(request = id, interaction, status, duration_ms = u64::try_from(duration_ms).unwrap_or(u64::MAX), "Answered");
    response
}

/// A refusal that nothing was read or written for.
fn refused(problem: &Problem, wishes: &Wishes) -> HttpResponse {
    let mut response = respond::refuse(problem, wishes);
    if response.status() == StatusCode::UNAUTHORIZED
        && let Ok(value) = HeaderValue::from_str(&auth::challenge(problem))
    {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, value);
    }
    if response.status() == StatusCode::METHOD_NOT_ALLOWED
        && let Some(methods) = problem.issues().next().and_then(|issue| issue.diagnostics.strip_prefix("This path has only "))
        && let Ok(value) = HeaderValue::from_str(methods)
    {
        response.headers_mut().insert(header::ALLOW, value);
    }
    response
}

async fn handle(
    request: &HttpRequest,
    payload: web::Payload,
    state: &web::Data<State>,
    id: &str,
    wishes: &mut Wishes,
    name: &mut &'static str,
) -> Result<HttpResponse, Problem> {
    let query = request.query_string();
    let mut parameters = request::parameters(query)?;
    // An error about the format itself is answered in the default one.
    *wishes = match request::wishes(request, &parameters) {
        Ok(wishes) => wishes,
        Err(_) if raw_binary(request) => Wishes::default(),
        Err(problem) => return Err(problem),
    };
    let path = request.match_info().query("tail");
    if path == "metadata" && (request.method() == Method::GET || request.method() == Method::HEAD) {
        *name = "capabilities";
        return Ok(respond::public(capability::bytes(state), wishes));
    }
    let caller = caller(request, state)?;
    state.limits.request(&caller)?;
    let route = route(request.method(), path)?;
    let body = body(request, payload, state.settings.body_bytes_max).await?;
    if matches!(route, Route::Search { .. }) && request.method() == Method::POST {
        parameters.0.extend(form(request, &body)?.0);
    }
    let parsed =
        request::interaction(&state.server, &route, parameters, request.headers(), &body, state.settings.bundle_entries_max);
    let recorded = match parsed {
        Ok(interaction) => {
            *name = interaction.code();
            if matches!(interaction, Interaction::Existence { .. }) {
                state.limits.existence(&caller)?;
            }
            let asked = service::Request {
                caller,
                interaction,
                lenient: request::lenient(request.headers()),
                none_match: request::etag_version(request.headers(), header::IF_NONE_MATCH)?,
                modified_since: request::modified_since(request),
                query: (!query.is_empty()).then(|| query.to_owned()),
                id: id.to_owned(),
            };
            service::answer(std::sync::Arc::clone(&state.server), asked).await
        }
        // The caller is known, so that what he sent wrongly is traced like any other refusal.
        Err(problem) => service::refuse(&state.server, caller, &problem, id).await,
    };
    Ok(respond::respond(recorded, wishes, state.server.base()))
}

/// Whether the request may be for the raw content of a Binary, whose Accept header names the content's own type.
fn raw_binary(request: &HttpRequest) -> bool {
    request.match_info().query("tail").starts_with("Binary/") && request.query_string().is_empty()
}

/// Who calls: the token of the Authorization header.
fn caller(request: &HttpRequest, state: &State) -> Result<Caller, Problem> {
    let token = auth::bearer(text(request.headers(), header::AUTHORIZATION))?;
    state.verifier.verify(token, clock::now())
}

/// The whole body, unpacked, within the bound.
async fn body(request: &HttpRequest, mut payload: web::Payload, bytes_max: usize) -> Result<Vec<u8>, Problem> {
    let too_large = || Problem::new(IssueKind::TooLarge, format!("The body is greater than {bytes_max} bytes"));
    let announced = text(request.headers(), header::CONTENT_LENGTH).and_then(|length| length.parse::<usize>().ok());
    if announced.is_some_and(|length| length > bytes_max) {
        drain(payload).await;
        return Err(too_large());
    }
    let mut bytes = Vec::with_capacity(announced.unwrap_or_default().min(1 << 20));
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_broken| Problem::new(IssueKind::Malformed, "The body ended before its announced length"))?;
        if bytes.len() + chunk.len() > bytes_max {
            drain(payload).await;
            return Err(too_large());
        }
        bytes.extend_from_slice(&chunk);
    }
    match text(request.headers(), header::CONTENT_ENCODING) {
        None | Some("identity") => Ok(bytes),
        Some("gzip") => {
            let mut plain = Vec::new();
            let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
            flate2::read::MultiGzDecoder::new(bytes.as_slice())
                .take(limit)
                .read_to_end(&mut plain)
                .map_err(|_not_gzip| Problem::new(IssueKind::Malformed, "The body is not gzip"))?;
            if plain.len() > bytes_max { Err(too_large()) } else { Ok(plain) }
        }
        Some(_) => Err(Problem::new(IssueKind::MediaTypeUnsupported, "Content-Encoding is neither gzip nor identity")),
    }
}

/// Reads and forgets a bounded rest, so that the client hears the answer instead of a reset connection.
async fn drain(mut payload: web::Payload) {
    const REST_MAX: usize = 256 << 20;
    let mut rest = 0_usize;
    while let Some(Ok(chunk)) = payload.next().await {
        rest = rest.saturating_add(chunk.len());
        if rest > REST_MAX {
            return;
        }
    }
}

/// Parameters of `POST [type]/_search`.
fn form(request: &HttpRequest, body: &[u8]) -> Result<Parameters, Problem> {
    let content_type = text(request.headers(), header::CONTENT_TYPE).unwrap_or_default();
    let bare = content_type.split(';').next().unwrap_or_default().trim();
    if body.is_empty() {
        return Ok(Parameters::default());
    }
    if !bare.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(Problem::new(IssueKind::MediaTypeUnsupported, "_search takes application/x-www-form-urlencoded"));
    }
    let text = std::str::from_utf8(body).map_err(|_not_utf8| Problem::new(IssueKind::Malformed, "The form is not UTF-8"))?;
    request::parameters(text)
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
