//! The pages: sign-in by token, one record, its originals. Each asks the same interactions as every other client.
use super::State;
use super::respond::{self, Wishes};
use crate::audit::Body;
use crate::auth::Caller;
use crate::fhir::identifier::{INS_OIDS, Ins};
use crate::fhir::interaction::{Parameters, RecordName, SearchPlace, Target};
use crate::fhir::{Interaction, IssueKind, Problem, ResourceType};
use crate::pages::{self, HomePage, RecordLink, RecordPage};
use crate::service;
use crate::store::Recorded;
use crate::{clock, ids};
use actix_web::cookie::{Cookie, SameSite};
use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::Value;
use std::sync::Arc;

const COOKIE: &str = "dmp_session";
/// Most resources that one page shows.
const COUNT: &str = "1000";

pub(super) fn configure(config: &mut web::ServiceConfig) {
    config
        .route("/", web::get().to(home))
        .route("/style.css", web::get().to(style))
        .route("/session", web::post().to(sign_in))
        .route("/session/end", web::post().to(sign_out))
        .route("/record/{id}", web::get().to(record))
        .route("/record", web::post().to(look_up))
        .route("/page/Binary/{id}", web::get().to(document));
}

#[derive(serde::Deserialize)]
struct SignIn {
    token: String,
}

/// Checks the token and keeps it in a cookie that scripts and other sites cannot use.
async fn sign_in(form: web::Form<SignIn>, state: web::Data<State>) -> HttpResponse {
    let token = form.into_inner().token.trim().to_owned();
    if let Err(problem) = state.verifier.verify(&token, clock::now()) {
        return html(StatusCode::UNAUTHORIZED, pages::sign_in(Some(&problem.to_string())));
    }
    let secure = state.server.base().starts_with("https://");
    let cookie = Cookie::build(COOKIE, token).path("/").http_only(true).secure(secure).same_site(SameSite::Strict).finish();
    HttpResponse::SeeOther().insert_header((header::LOCATION, "/")).cookie(cookie).finish()
}

async fn sign_out() -> HttpResponse {
    let mut cookie = Cookie::build(COOKIE, "").path("/").http_only(true).same_site(SameSite::Strict).finish();
    cookie.make_removal();
    HttpResponse::SeeOther().insert_header((header::LOCATION, "/")).cookie(cookie).finish()
}

async fn style() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/css; charset=utf-8")
        .insert_header((header::CACHE_CONTROL, "max-age=3600"))
        .body(pages::STYLE)
}

/// Sign-in, or the records that the caller may read.
async fn home(request: HttpRequest, state: web::Data<State>) -> HttpResponse {
    let caller = match caller(&request, &state) {
        Ok(Some(caller)) => caller,
        Ok(None) => return html(StatusCode::OK, pages::sign_in(None)),
        Err(problem) => return html(StatusCode::UNAUTHORIZED, pages::sign_in(Some(&problem.to_string()))),
    };
    let parameters = Parameters(vec![("_count".to_owned(), "100".to_owned())]);
    let resource_type = match service::known_type("Patient") {
        Ok(resource_type) => resource_type,
        Err(problem) => return failure(&problem),
    };
    let search = Interaction::Search { resource_type, place: SearchPlace::Cohort, parameters };
    match ask(&state, &caller, search).await {
        Ok(found) => html(
            StatusCode::OK,
            pages::home(&HomePage {
                caller: name(&caller),
                records: &links(&found),
                may_look_up: may_look_up(&caller),
                notice: None,
            }),
        ),
        Err(problem) => failure(&problem),
    }
}

/// One record: identity, documents, results, and, for the patient, who looked at it.
async fn record(request: HttpRequest, path: web::Path<String>, state: web::Data<State>) -> HttpResponse {
    let caller = match caller(&request, &state) {
        Ok(Some(caller)) => caller,
        Ok(None) | Err(_) => return html(StatusCode::UNAUTHORIZED, pages::sign_in(None)),
    };
    match record_page(&state, &caller, &path.into_inner()).await {
        Ok(page) => html(StatusCode::OK, page),
        Err(problem) => failure(&problem),
    }
}

async fn record_page(state: &State, caller: &Caller, id: &str) -> Result<String, Problem> {
    let place = state.server.store.id_cipher().open(id);
    let record = SearchPlace::Record(place.map_or(RecordName::Unknown, |(pid, _)| RecordName::Pid(pid)));
    let patient = ask(state, caller, Interaction::Read(Target { resource_type: service::known_type("Patient")?, place })).await?;
    let search = |name: &str, sort: &str| -> Result<Interaction, Problem> {
        let parameters = [("patient", id), ("_sort", sort), ("_count", COUNT)];
        let parameters = parameters.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Ok(Interaction::Search {
            resource_type: service::known_type(name)?,
            place: record.clone(),
            parameters: Parameters(parameters.to_vec()),
        })
    };
    let documents = ask(state, caller, search("DocumentReference", "-date")?).await?;
    let observations = ask(state, caller, search("Observation", "-date")?).await?;
    let accesses = match caller {
        Caller::Patient(_) => Some(ask(state, caller, search("AuditEvent", "-date")?).await?),
        Caller::Professional(_) | Caller::System(_) | Caller::Operator | Caller::Server => None,
    };
    Ok(pages::record(&RecordPage {
        patient: &patient,
        documents: &documents,
        observations: &observations,
        accesses: accesses.as_ref(),
        base: "/page",
        caller: name(caller),
        notice: None,
    }))
}

/// The original of a document, never run in this origin (decision 16).
async fn document(request: HttpRequest, path: web::Path<String>, state: web::Data<State>) -> HttpResponse {
    let caller = match caller(&request, &state) {
        Ok(Some(caller)) => caller,
        Ok(None) | Err(_) => return html(StatusCode::UNAUTHORIZED, pages::sign_in(None)),
    };
    let Some(resource_type) = ResourceType::parse("Binary") else { return HttpResponse::NotFound().finish() };
    let place = state.server.store.id_cipher().open(&path.into_inner());
    let recorded = interact(&state, &caller, Interaction::RetrieveDocument(Target { resource_type, place })).await;
    respond::respond(recorded, &Wishes::default(), state.server.base())
}

/// How the caller is named at the top of a page.
fn name(caller: &Caller) -> &str {
    match caller {
        Caller::Professional(professional) => &professional.name,
        Caller::Patient(_) => "Patient",
        Caller::System(system) => &system.client,
        Caller::Operator | Caller::Server => "",
    }
}

fn may_look_up(caller: &Caller) -> bool {
    match caller {
        Caller::Professional(_) | Caller::System(_) => true,
        Caller::Patient(_) | Caller::Operator | Caller::Server => false,
    }
}

/// A link for each Patient of a searchset.
fn links(found: &Value) -> Vec<RecordLink> {
    let entries = found.get("entry").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let patients = entries.iter().filter_map(|entry| entry.get("resource"));
    patients
        .filter_map(|patient| {
            let id = patient.get("id")?.as_str()?;
            let birth_date = patient.get("birthDate").and_then(Value::as_str).unwrap_or_default().to_owned();
            Some(RecordLink { href: format!("/record/{id}"), name: pages::person_name(patient), birth_date })
        })
        .collect()
}

#[derive(serde::Deserialize)]
struct LookUp {
    ins: String,
}

/// The record of a matricule, under whichever of the accepted OIDs it is: TD0.2, then its page.
async fn look_up(request: HttpRequest, form: web::Form<LookUp>, state: web::Data<State>) -> HttpResponse {
    let caller = match caller(&request, &state) {
        Ok(Some(caller)) => caller,
        Ok(None) | Err(_) => return html(StatusCode::UNAUTHORIZED, pages::sign_in(None)),
    };
    for oid in INS_OIDS {
        let Some(ins) = Ins::new(oid, form.ins.trim()) else { continue };
        if let Err(problem) = state.limits.existence(&caller) {
            return failure(&problem);
        }
        match ask(&state, &caller, Interaction::Existence { ins: Some(ins) }).await {
            Ok(found) => {
                if let Some(link) = links(&found).into_iter().next() {
                    return HttpResponse::SeeOther().insert_header((header::LOCATION, link.href)).finish();
                }
            }
            Err(problem) => return failure(&problem),
        }
    }
    failure(&Problem::new(IssueKind::ResourceNotFound, "Aucun dossier pour ce matricule"))
}

/// Who is signed in: none without a cookie.
fn caller(request: &HttpRequest, state: &State) -> Result<Option<Caller>, Problem> {
    let Some(cookie) = request.cookie(COOKIE) else { return Ok(None) };
    let caller = state.verifier.verify(cookie.value(), clock::now())?;
    state.limits.request(&caller)?;
    Ok(Some(caller))
}

async fn interact(state: &State, caller: &Caller, interaction: Interaction) -> Recorded {
    let id = ids::random::<16>().map_or_else(|_no_entropy| String::new(), |bytes| uuid::Uuid::from_bytes(bytes).to_string());
    let request = service::Request {
        caller: caller.clone(),
        interaction,
        lenient: false,
        none_match: None,
        modified_since: None,
        query: None,
        id,
    };
    service::answer(Arc::clone(&state.server), request).await
}

/// The FHIR answer of an interaction, or why there is none.
async fn ask(state: &State, caller: &Caller, interaction: Interaction) -> Result<Value, Problem> {
    let outcome = interact(state, caller, interaction).await.into_outcome();
    let Body::Fhir(bytes) = outcome.body else { return Err(Problem::new(IssueKind::Internal, "No answer")) };
    let value: Value = serde_json::from_slice(&bytes).map_err(|_not_json| Problem::new(IssueKind::Internal, "No answer"))?;
    if outcome.status < 300 {
        return Ok(value);
    }
    let said =
        value.get("issue").and_then(|issue| issue.get(0)).and_then(|issue| issue.get("diagnostics")).and_then(Value::as_str);
    let kind = IssueKind::ALL.iter().find(|kind| kind.status() == outcome.status).copied().unwrap_or(IssueKind::Internal);
    Err(Problem::new(kind, said.unwrap_or_default()))
}

fn failure(problem: &Problem) -> HttpResponse {
    let status = StatusCode::from_u16(problem.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    html(status, pages::problem(problem.status(), &problem.to_string()))
}

fn html(status: StatusCode, body: String) -> HttpResponse {
    HttpResponse::build(status)
        .content_type("text/html; charset=utf-8")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .insert_header((header::CONTENT_SECURITY_POLICY, pages::CONTENT_SECURITY_POLICY))
        .body(body)
}
