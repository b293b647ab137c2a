//! The route table, and the one way from a request to its answer.
use super::request::{self, text};
use super::respond::{self, Wishes};
use super::{State, body, counted, page};
use crate::audit::Action;
use crate::auth::{self, Caller};
use crate::clock;
use crate::fhir::interaction::Parameters;
use crate::fhir::{Interaction, IssueKind, Problem};
use crate::service;
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::http::{ConnectionType, Method};
use actix_web::{HttpRequest, HttpResponse, web};
use std::sync::Arc;

/// How a refusal of a method begins; the permitted ones follow, as in the Allow header.
const ONLY: &str = "This path has only ";

/// What a path below the FHIR base means, before its type and id are looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Route {
    /// `GET [type]/[id]`.
    Read { resource_type: String, id: String },
    /// `GET [type]/[id]/_history/[version]`.
    VersionRead { resource_type: String, id: String, version: String },
    /// `GET [type]`, `POST [type]/_search`.
    Search { resource_type: String },
    /// `POST [type]`.
    Create { resource_type: String },
    /// `PUT [type]/[id]`.
    Update { resource_type: String, id: String },
    /// `GET DocumentReference/[id]/$translation`.
    Translation { id: String },
    /// `POST [base]`.
    Base,
}

/// The table: which methods each shape of path has, in the order in which they are tried.
///
/// # Errors
/// 404 for a path that means nothing, 405 with the permitted methods for a method that it does not have.
fn route(method: &Method, path: &str) -> Result<Route, Problem> {
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let get = method == Method::GET || method == Method::HEAD;
    let allow = |methods: &str| Err(Problem::new(IssueKind::NotSupported, format!("{ONLY}{methods}")));
    let own = |segment: &&str| (*segment).to_owned();
    match segments.as_slice() {
        [] if method == Method::POST => Ok(Route::Base),
        [] => allow("POST"),
        [resource_type, "_search"] if method == Method::POST => Ok(Route::Search { resource_type: own(resource_type) }),
        [_, "_search"] => allow("POST"),
        ["DocumentReference", id, "$translation"] if get => Ok(Route::Translation { id: own(id) }),
        [resource_type, id, "_history", version] if get => {
            Ok(Route::VersionRead { resource_type: own(resource_type), id: own(id), version: own(version) })
        }
        [resource_type] if get => Ok(Route::Search { resource_type: own(resource_type) }),
        [resource_type] if method == Method::POST => Ok(Route::Create { resource_type: own(resource_type) }),
        [_] => allow("GET, HEAD, POST"),
        [resource_type, id] if get => Ok(Route::Read { resource_type: own(resource_type), id: own(id) }),
        [resource_type, id] if method == Method::PUT => Ok(Route::Update { resource_type: own(resource_type), id: own(id) }),
        [_, _] => allow("GET, HEAD, PUT"),
        [_, _, "_history", _] | ["DocumentReference", _, "$translation"] => allow("GET, HEAD"),
        _ => Err(Problem::new(IssueKind::ResourceNotFound, "No such path below the FHIR base")),
    }
}

/// What the trace calls a request that is refused before it is understood: by its method and the shape of its path.
fn action(method: &Method, path: &str) -> Action {
    let segments = path.split('/').filter(|segment| !segment.is_empty()).count();
    match *method {
        Method::POST if path.ends_with("/_search") => Action::Query,
        Method::POST => Action::Create,
        Method::PUT | Method::PATCH => Action::Update,
        Method::DELETE => Action::Delete,
        _ if segments == 1 => Action::Query,
        _ => Action::Read,
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

async fn health(request: HttpRequest) -> HttpResponse {
    counted::name(&request, "health");
    HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("ok\n")
}

async fn metrics(request: HttpRequest, state: web::Data<State>) -> HttpResponse {
    counted::name(&request, "metrics");
    HttpResponse::Ok().content_type("application/openmetrics-text; version=1.0.0; charset=utf-8").body(state.metrics.text())
}

async fn nowhere() -> HttpResponse {
    respond::refuse(&Problem::new(IssueKind::ResourceNotFound, "Nothing here; the FHIR base is /fhir"), &Wishes::default()).await
}

/// Every request below the FHIR base.
async fn dispatch(request: HttpRequest, payload: web::Payload, state: web::Data<State>) -> HttpResponse {
    let asked = asked(&request);
    // An error about the format itself is answered in the default one.
    let wishes = asked.as_ref().map_or_else(|_problem| Wishes::default(), |(wishes, _)| wishes.clone());
    let (method, path) = (request.method(), request.match_info().query("tail"));
    if path == "metadata" && (method == Method::GET || method == Method::HEAD) {
        counted::name(&request, "capabilities");
        return match asked {
            Ok(_) => respond::public(&state.statement, &wishes).await,
            Err(problem) => respond::refuse(&problem, &wishes).await,
        };
    }
    let caller = match caller(&request, &state) {
        Ok(caller) => caller,
        Err(problem) => return unauthenticated(&problem, &wishes).await,
    };
    // From here on the caller is known, so that every refusal leaves its trace (DESIGN section 3).
    let parsed = match asked {
        Ok((_, parameters)) => parse(&request, payload, &state, &caller, parameters).await,
        Err(problem) => Err(problem),
    };
    let allowed = match parsed {
        Ok(interaction) if matches!(interaction, Interaction::Existence { .. }) => {
            state.limits.existence(&caller).map(|()| interaction).map_err(|problem| (problem, Action::Existence))
        }
        parsed => parsed.map_err(|problem| (problem, action(method, path))),
    };
    let id = counted::id(&request);
    match allowed {
        Ok(interaction) => {
            counted::name(&request, interaction.code());
            let query = request::query_text(&interaction, request.query_string());
            let tells = request::names_by_ins(&interaction);
            let asked = service::Request {
                caller: caller.clone(),
                interaction,
                lenient: request::lenient(request.headers()),
                none_match: request::etag_version(request.headers(), header::IF_NONE_MATCH).unwrap_or(None),
                modified_since: request::modified_since(&request),
                query,
                id: id.clone(),
            };
            let mut recorded = service::answer(Arc::clone(&state.server), asked).await;
            // The refusal of a write that names an INS tells whether the person has a record: it counts like the question.
            if tells
                && matches!(recorded.status(), 400..=499)
                && let Err(problem) = state.limits.existence(&caller)
            {
                recorded = service::refuse(&state.server, caller, &problem, Action::Create, &id).await;
            }
            respond::respond(recorded, &wishes, state.server.base()).await
        }
        Err((problem, action)) => {
            let recorded = service::refuse(&state.server, caller, &problem, action, &id).await;
            let mut response = respond::respond(recorded, &wishes, state.server.base()).await;
            explain(&mut response, &problem);
            response
        }
    }
}

/// The form of the answer that is wished for, and the other parameters of the URL.
fn asked(request: &HttpRequest) -> Result<(Wishes, Parameters), Problem> {
    let parameters = request::parameters(request.query_string())?;
    match request::wishes(request, &parameters) {
        Ok(wishes) => Ok((wishes, parameters)),
        Err(_) if raw_binary(request) => Ok((Wishes::default(), parameters)),
        Err(problem) => Err(problem),
    }
}

/// A refusal before authentication, with the challenge.
async fn unauthenticated(problem: &Problem, wishes: &Wishes) -> HttpResponse {
    let mut response = respond::refuse(problem, wishes).await;
    if let Ok(value) = HeaderValue::from_str(&auth::challenge(problem)) {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, value);
    }
    response
}

/// What HTTP says besides the body: the methods of a path, and that a body was not read to its end.
fn explain(response: &mut HttpResponse, problem: &Problem) {
    match problem.kind() {
        IssueKind::NotSupported => {
            if let Some(methods) = problem.issues().next().and_then(|issue| issue.diagnostics.strip_prefix(ONLY))
                && let Ok(value) = HeaderValue::from_str(methods)
            {
                response.headers_mut().insert(header::ALLOW, value);
            }
        }
        IssueKind::TooLarge | IssueKind::Timeout => response.head_mut().set_connection_type(ConnectionType::Close),
        _ => {}
    }
}

/// Bounds of the caller, route, body: the interaction.
async fn parse(
    request: &HttpRequest,
    payload: web::Payload,
    state: &web::Data<State>,
    caller: &Caller,
    mut parameters: Parameters,
) -> Result<Interaction, Problem> {
    state.limits.request(caller)?;
    let route = route(request.method(), request.match_info().query("tail"))?;
    let sent = body::read(request, payload, state.settings.body_bytes_max, state.request_time()).await?;
    let with_form = matches!(route, Route::Search { .. }) && request.method() == Method::POST;
    let size = sent.size();
    let (state, headers) = (state.clone(), request.headers().clone());
    let job = move || {
        let bytes = sent.unpack(state.settings.body_bytes_max)?;
        if with_form {
            parameters.0.extend(form(&headers, &bytes)?.0);
        }
        request::interaction(&state.server, &route, parameters, &headers, &bytes, state.settings.bundle_entries_max)
    };
    body::off_worker(size, job).await?
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

/// Parameters of `POST [type]/_search`.
fn form(headers: &HeaderMap, body: &[u8]) -> Result<Parameters, Problem> {
    let content_type = text(headers, header::CONTENT_TYPE).unwrap_or_default();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_traced_as_what_its_method_would_do() {
        let table = [
            (Method::GET, "Observation", Action::Query),
            (Method::POST, "Observation/_search", Action::Query),
            (Method::GET, "Observation/1", Action::Read),
            (Method::HEAD, "Observation/1", Action::Read),
            (Method::GET, "Observation/1/2/3/4", Action::Read),
            (Method::POST, "Observation", Action::Create),
            (Method::POST, "", Action::Create),
            (Method::PUT, "Consent/1", Action::Update),
            (Method::PATCH, "Consent/1", Action::Update),
            (Method::DELETE, "Consent/1", Action::Delete),
        ];
        for (method, path, expected) in table {
            assert_eq!(action(&method, path), expected, "{method} {path}");
        }
    }
}
