//! The one way from a request to its answer.
use super::request::{self, Asked, text};
use super::respond::{self, Wishes};
use super::route::{self, ONLY, route};
use super::sent::{self, Sent};
use super::{State, body, counted, page};
use crate::audit::Action;
use crate::auth::{self, Caller};
use crate::clock;
use crate::fhir::interaction::{Method, Parameters};
use crate::fhir::{Interaction, IssueKind, Problem};
use crate::service;
use crate::store::Recorded;
use actix_web::http::ConnectionType;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, web};
use std::sync::Arc;

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
    let (method, path) = (Method::parse(request.method().as_str()), request.match_info().query("tail"));
    if path == "metadata" && method.is_some_and(Method::reads) {
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
    let id = counted::id(&request);
    match parsed.map_err(|problem| (problem, route::action(method, path))) {
        Ok(interaction) => {
            counted::name(&request, interaction.code());
            let query = request::query_text(&interaction, request.query_string());
            let asked = service::Request {
                caller,
                interaction,
                lenient: request::lenient(request.headers()),
                preference: wishes.preference,
                none_match: text(request.headers(), header::IF_NONE_MATCH).and_then(request::version_of),
                modified_since: request::modified_since(&request),
                query,
                id,
            };
            let recorded = if matches!(asked.interaction, Interaction::Batch { .. }) {
                service::batch::batch(&state.server, asked, async |one| bounded(&state, one).await).await
            } else {
                bounded(&state, asked).await
            };
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

/// One interaction, within the bound of the question whether a person has a record (DESIGN section 5).
async fn bounded(state: &State, asked: service::Request) -> Recorded {
    let (caller, id) = (asked.caller.clone(), asked.id.clone());
    for _ in 0..questions(&asked.interaction) {
        if let Err(problem) = state.limits.existence(&caller) {
            return service::refuse(&state.server, caller, &problem, Action::Existence, &id).await;
        }
    }
    let tells = request::names_by_ins(&asked.interaction);
    let recorded = service::answer(Arc::clone(&state.server), asked).await;
    // The refusal of a write that names an INS tells whether the person has a record: it counts like the question.
    if tells
        && matches!(recorded.status(), 400..=499)
        && let Err(problem) = state.limits.existence(&caller)
    {
        return service::refuse(&state.server, caller, &problem, Action::Create, &id).await;
    }
    recorded
}

/// How often an interaction asks whether a person has a record.
fn questions(interaction: &Interaction) -> usize {
    match interaction {
        Interaction::Existence { .. } => 1,
        Interaction::Transaction { entries } => {
            entries.iter().filter_map(|entry| entry.interaction.as_ref().ok()).map(questions).sum()
        }
        _other => 0,
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
    let route = route(Method::parse(request.method().as_str()), request.match_info().query("tail"))?;
    let sent = body::read(request, payload, state.settings.body_bytes_max, state.request_time()).await?;
    let with_form = route.takes_parameters() && request.method() == actix_web::http::Method::POST;
    let size = sent.size();
    let (state, headers) = (state.clone(), request.headers().clone());
    let job = move || {
        let bytes = sent.unpack(state.settings.body_bytes_max)?;
        let content_type = text(&headers, header::CONTENT_TYPE);
        if with_form {
            parameters.0.extend(sent::sent_parameters(&route, content_type, &bytes)?.0);
        }
        let asked = Asked {
            raw: request::wants_raw(&headers, &parameters),
            route,
            parameters,
            if_match: text(&headers, header::IF_MATCH),
            if_none_exist: text(&headers, HeaderName::from_static("if-none-exist")),
            body: Sent::Bytes { content_type, bytes: &bytes },
        };
        request::interaction(&state.server, asked, state.settings.bundle_entries_max)
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
