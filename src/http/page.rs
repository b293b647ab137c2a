//! The pages: sign-in by token, one record, its originals. Each asks the same interactions as every other client.
use super::ask::{Asker, Failure};
use super::respond::{self, Wishes};
use super::{State, body, counted, request as fields};
use crate::audit::Action;
use crate::auth::Caller;
use crate::clock;
use crate::fhir::identifier::{INS_OIDS, Ins};
use crate::fhir::interaction::{Parameters, RecordName, SearchPlace, Target};
use crate::fhir::{Interaction, IssueKind, Problem, ResourceType};
use crate::pages::{self, HomePage, RecordLink, RecordPage};
use crate::service;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::Value;

const COOKIE: &str = "dmp_session";
/// Greatest body of a form: a token is a few KiB.
const FORM_BYTES_MAX: usize = 16 << 10;
/// Most resources of one page of a search.
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

/// A page, or the page that says why there is none.
type Answer = Result<HttpResponse, HttpResponse>;

fn either(answer: Answer) -> HttpResponse {
    match answer {
        Ok(response) | Err(response) => response,
    }
}

/// Checks the token and keeps it in a cookie that scripts and other sites cannot use.
async fn sign_in(request: HttpRequest, payload: web::Payload, state: web::Data<State>) -> HttpResponse {
    counted::name(&request, "page-sign-in");
    let token = match field(&request, payload, &state, "token").await {
        Ok(token) => token,
        Err(problem) => return failure(&Failure::from(&problem), None),
    };
    if let Err(problem) = state.verifier.verify(&token, clock::now()) {
        return html(StatusCode::UNAUTHORIZED, pages::sign_in(Some(&problem.to_string())));
    }
    let cookie = session(token, &state);
    HttpResponse::SeeOther().insert_header((header::LOCATION, "/")).cookie(cookie).finish()
}

async fn sign_out(request: HttpRequest, state: web::Data<State>) -> HttpResponse {
    counted::name(&request, "page-sign-out");
    let mut cookie = session(String::new(), &state);
    cookie.make_removal();
    HttpResponse::SeeOther().insert_header((header::LOCATION, "/")).cookie(cookie).finish()
}

fn session(token: String, state: &State) -> Cookie<'static> {
    let secure = state.server.base().starts_with("https://");
    Cookie::build(COOKIE, token).path("/").http_only(true).secure(secure).same_site(SameSite::Strict).finish()
}

async fn style(request: HttpRequest) -> HttpResponse {
    counted::name(&request, "page-style");
    HttpResponse::Ok()
        .content_type("text/css; charset=utf-8")
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::CACHE_CONTROL, "max-age=3600"))
        .body(pages::STYLE)
}

/// Sign-in, or the records that the caller may read.
async fn home(request: HttpRequest, state: web::Data<State>) -> HttpResponse {
    counted::name(&request, "page-home");
    if request.cookie(COOKIE).is_none() {
        return html(StatusCode::OK, pages::sign_in(None));
    }
    either(home_page(&request, &state).await)
}

async fn home_page(request: &HttpRequest, state: &web::Data<State>) -> Answer {
    let caller = signed_in(request, state, Action::Query).await?;
    let asker = Asker::new(state, &caller, counted::id(request));
    let search = cohort_of_patients().map_err(|problem| failure(&Failure::from(&problem), Some(&caller)))?;
    let (records, notice) = match asker.every_page(search).await {
        Ok(found) => (Some(links(&found)), pages::has_more(&found).then_some("Tous vos dossiers ne sont pas affichés ici.")),
        // A list that the server does not give is no reason to show nothing.
        Err(refused) if refused.is_refusal() => (None, Some(no_list(&caller))),
        Err(other) => return Err(failure(&other, Some(&caller))),
    };
    let page = HomePage { caller: name(&caller), records: records.as_deref(), may_look_up: may_look_up(&caller), notice };
    Ok(html(StatusCode::OK, pages::home(&page)))
}

fn cohort_of_patients() -> Result<Interaction, Problem> {
    Ok(Interaction::Search {
        resource_type: service::known_type("Patient")?,
        place: SearchPlace::Cohort,
        parameters: Parameters(vec![("_count".to_owned(), COUNT.to_owned())]),
    })
}

/// What is said in the place of a list that was refused.
fn no_list(caller: &Caller) -> &'static str {
    if may_look_up(caller) {
        "La liste de vos dossiers ne peut pas être affichée ; cherchez un dossier par son matricule."
    } else {
        "Aucun dossier ne vous est ouvert."
    }
}

/// One record: identity, documents, results, and, for the patient, who looked at it.
async fn record(request: HttpRequest, path: web::Path<String>, state: web::Data<State>) -> HttpResponse {
    counted::name(&request, "page-record");
    either(record_page(&request, &state, &path.into_inner()).await)
}

async fn record_page(request: &HttpRequest, state: &web::Data<State>, id: &str) -> Answer {
    let caller = signed_in(request, state, Action::Read).await?;
    let page = record_html(&Asker::new(state, &caller, counted::id(request)), id).await;
    page.map(|page| html(StatusCode::OK, page)).map_err(|problem| failure(&problem, Some(&caller)))
}

async fn record_html(asker: &Asker<'_>, id: &str) -> Result<String, Failure> {
    let place = asker.state.server.store.id_cipher().open(id);
    let record = SearchPlace::Record(place.map_or(RecordName::Unknown, |(pid, _)| RecordName::Pid(pid)));
    let read = Interaction::Read(Target { resource_type: service::known_type("Patient")?, place, alias: None });
    let patient = asker.ask(read).await?;
    let search = |name: &str| -> Result<Interaction, Problem> {
        let parameters = [("patient", id), ("_sort", "-date"), ("_count", COUNT)];
        let parameters = parameters.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Ok(Interaction::Search {
            resource_type: service::known_type(name)?,
            place: record.clone(),
            parameters: Parameters(parameters.to_vec()),
        })
    };
    // What was replaced is no answer of these searches, save a document, whose state the list shows.
    let documents = asker.every_page(search("DocumentReference")?).await?;
    let observations = asker.every_page(search("Observation")?).await?;
    let accesses = match asker.caller {
        Caller::Patient(_) => Some(asker.every_page(search("AuditEvent")?).await?),
        Caller::Professional(_) | Caller::System(_) | Caller::Operator | Caller::Server => None,
    };
    let (caller, entries) = (name(asker.caller).to_owned(), pages::entries(&observations) + pages::entries(&documents));
    let render = move || {
        pages::record(&RecordPage {
            patient: &patient,
            documents: &documents,
            observations: &observations,
            accesses: accesses.as_ref(),
            base: "/page",
            caller: &caller,
            notice: None,
        })
    };
    // An entry is about a KiB of page.
    Ok(body::off_worker(entries.saturating_mul(1024), render).await?)
}

/// The original of a document, never run in this origin (decision 16).
async fn document(request: HttpRequest, path: web::Path<String>, state: web::Data<State>) -> HttpResponse {
    counted::name(&request, "page-document");
    either(document_page(&request, &state, &path.into_inner()).await)
}

async fn document_page(request: &HttpRequest, state: &web::Data<State>, id: &str) -> Answer {
    let caller = signed_in(request, state, Action::Read).await?;
    let Some(resource_type) = ResourceType::parse("Binary") else { return Ok(HttpResponse::NotFound().finish()) };
    let place = state.server.store.id_cipher().open(id);
    let asker = Asker::new(state, &caller, counted::id(request));
    let recorded = asker.interact(Interaction::RetrieveDocument(Target { resource_type, place, alias: None })).await;
    if recorded.status() >= 300 {
        return Err(failure(&Failure::of(&recorded.into_outcome()), Some(&caller)));
    }
    Ok(respond::respond(recorded, &Wishes::default(), state.server.base()).await)
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

/// The record of a matricule, under whichever of the accepted OIDs it is: TD0.2, then its page.
async fn look_up(request: HttpRequest, payload: web::Payload, state: web::Data<State>) -> HttpResponse {
    counted::name(&request, "page-look-up");
    either(look_up_page(&request, payload, &state).await)
}

async fn look_up_page(request: &HttpRequest, payload: web::Payload, state: &web::Data<State>) -> Answer {
    let caller = signed_in(request, state, Action::Existence).await?;
    let shown = |problem: &Failure| failure(problem, Some(&caller));
    let ins = field(request, payload, state, "ins").await.map_err(|problem| shown(&Failure::from(&problem)))?;
    let asker = Asker::new(state, &caller, counted::id(request));
    for oid in INS_OIDS {
        let Some(ins) = Ins::new(oid, &ins) else { continue };
        if let Err(problem) = state.limits.existence(&caller) {
            return Err(shown(&asker.refuse(&problem, Action::Existence).await));
        }
        let found = asker.ask(Interaction::Existence { ins: Some(ins) }).await.map_err(|problem| shown(&problem))?;
        if let Some(link) = links(&found).into_iter().next() {
            return Ok(HttpResponse::SeeOther().insert_header((header::LOCATION, link.href)).finish());
        }
    }
    let page = HomePage {
        caller: name(&caller),
        records: None,
        may_look_up: may_look_up(&caller),
        notice: Some("Aucun dossier pour ce matricule."),
    };
    Ok(html(StatusCode::NOT_FOUND, pages::home(&page)))
}

/// One field of a form, without the white space around it.
async fn field(request: &HttpRequest, payload: web::Payload, state: &State, name: &str) -> Result<String, Problem> {
    let sent = body::read(request, payload, FORM_BYTES_MAX, state.request_time()).await?;
    let bytes = sent.unpack(FORM_BYTES_MAX)?;
    let text = std::str::from_utf8(&bytes).map_err(|_not_utf8| Problem::new(IssueKind::Malformed, "The form is not UTF-8"))?;
    let value = fields::parameters(text)?.get(name).map(|value| value.trim().to_owned());
    value.ok_or_else(|| Problem::new(IssueKind::Malformed, format!("The form has no field {name}")))
}

/// Who is signed in, within his bounds; otherwise the page that says what is wrong. `action` is what he wanted to do.
async fn signed_in(request: &HttpRequest, state: &web::Data<State>, action: Action) -> Result<Caller, HttpResponse> {
    let Some(cookie) = request.cookie(COOKIE) else {
        return Err(html(StatusCode::UNAUTHORIZED, pages::sign_in(None)));
    };
    let caller = match state.verifier.verify(cookie.value(), clock::now()) {
        Ok(caller) => caller,
        Err(problem) => return Err(html(StatusCode::UNAUTHORIZED, pages::sign_in(Some(&problem.to_string())))),
    };
    if let Err(problem) = state.limits.request(&caller) {
        let refused = Asker::new(state, &caller, counted::id(request)).refuse(&problem, action).await;
        return Err(failure(&refused, Some(&caller)));
    }
    Ok(caller)
}

/// The page of what did not succeed.
fn failure(failure: &Failure, caller: Option<&Caller>) -> HttpResponse {
    let status = StatusCode::from_u16(failure.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    html(status, pages::problem(failure.status, &failure.text, caller.map(name)))
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
