//! From method, path, query, headers and body to an [`Interaction`], once. <https://hl7.org/fhir/R4/http.html>
use super::bundle;
use super::respond::Wishes;
use super::route::Route;
use super::sent::Sent;
use crate::fhir::identifier::Ins;
use crate::fhir::interaction::{HistoryPlace, Parameters, RecordName, Return, SearchPlace, Target, Then};
use crate::fhir::media_type;
use crate::fhir::path::Path;
use crate::fhir::resource_type::Home;
use crate::fhir::{Interaction, IssueKind, Problem, Resource, ResourceType, td02};
use crate::ids::Pid;
use crate::search;
use crate::service::Server;
use crate::service::search::query_string;
use crate::service::search_all::in_compartment;
use actix_web::HttpRequest;
use actix_web::http::header::{self, HeaderMap};
use serde_json::Value;

/// Parameters that shape the answer and are no search parameters.
const SHAPE: [&str; 2] = ["_format", "_pretty"];

/// The query of a URL, percent-decoded; `_format` and `_pretty` stand apart.
pub(crate) fn parameters(query: &str) -> Result<Parameters, Problem> {
    Parameters::parse(query)
}

/// The same the other way: parameters as the query of a URL, for the trace of what pages search.
pub(crate) fn query(parameters: &Parameters) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let encoded = |text: &str| -> String {
        text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
    };
    let pairs = parameters.0.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value)));
    pairs.collect::<Vec<_>>().join("&")
}

/// How the client wants its answer; what it asks for wrongly is a 406.
pub(crate) fn wishes(request: &HttpRequest, parameters: &Parameters) -> Result<Wishes, Problem> {
    let headers = request.headers();
    media_type::same_version(text(headers, header::ACCEPT), text(headers, header::CONTENT_TYPE))?;
    let format = media_type::negotiate(text(headers, header::ACCEPT), parameters.get("_format"))?;
    let prefer = text(headers, header::HeaderName::from_static("prefer")).unwrap_or_default();
    let preference = match preferred(prefer, "return") {
        Some("minimal") => Some(Return::Minimal),
        Some("OperationOutcome") => Some(Return::OperationOutcome),
        Some("representation") => Some(Return::Representation),
        Some(_) | None => None,
    };
    Ok(Wishes {
        format,
        pretty: parameters.get("_pretty") == Some("true"),
        gzip: accepts_gzip(text(headers, header::ACCEPT_ENCODING).unwrap_or_default()),
        preference,
    })
}

/// Whether gzip is among the accepted encodings, and not with `q=0` (RFC 9110, 12.5.3).
fn accepts_gzip(accepted: &str) -> bool {
    accepted.split(',').any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let is_gzip = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        let refused = parts.any(|weight| weight.strip_prefix("q=").and_then(|q| q.parse::<f32>().ok()) == Some(0.0));
        is_gzip && !refused
    })
}

/// The value of one preference of the Prefer header.
fn preferred<'a>(prefer: &'a str, name: &str) -> Option<&'a str> {
    prefer.split([',', ';']).find_map(|part| part.trim().strip_prefix(name)?.trim_start().strip_prefix('=')).map(str::trim)
}

/// `Prefer: handling=lenient`.
pub(crate) fn lenient(headers: &HeaderMap) -> bool {
    text(headers, header::HeaderName::from_static("prefer")).and_then(|prefer| preferred(prefer, "handling")) == Some("lenient")
}

/// A header that is text.
pub(crate) fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// The version of `W/"3"`; `None` for anything else. A list or `*` of If-None-Match only saves bandwidth: it is not an error
/// to send the resource.
pub(crate) fn version_of(etag: &str) -> Option<i64> {
    etag.trim().trim_start_matches("W/").trim_matches('"').parse().ok()
}

/// The version that If-Match names.
fn if_match(etag: Option<&str>) -> Result<Option<i64>, Problem> {
    let Some(etag) = etag else { return Ok(None) };
    let wrong = || Problem::new(IssueKind::Malformed, "If-Match is not a version of the form W/\"1\"");
    version_of(etag).map(Some).ok_or_else(wrong)
}

/// If-Modified-Since in milliseconds; a date that cannot be read is ignored (RFC 9110, 13.1.3).
pub(crate) fn modified_since(request: &HttpRequest) -> Option<i64> {
    use actix_web::http::header::Header;
    let date = header::IfModifiedSince::parse(request).ok()?;
    let time: std::time::SystemTime = date.0.into();
    i64::try_from(time.duration_since(std::time::UNIX_EPOCH).ok()?.as_millis()).ok()
}

/// What a request, or an entry of a Bundle, asks with: from here on both go the same way.
pub(crate) struct Asked<'a> {
    /// What method and path mean.
    pub(crate) route: Route,
    /// The query, with the form of a POST.
    pub(crate) parameters: Parameters,
    /// If-Match as it came.
    pub(crate) if_match: Option<&'a str>,
    /// If-None-Exist as it came.
    pub(crate) if_none_exist: Option<&'a str>,
    /// Whether a Binary is wanted under its own media type.
    pub(crate) raw: bool,
    /// The body.
    pub(crate) body: Sent<'a>,
}

/// What one request asks.
pub(crate) fn interaction(server: &Server, asked: Asked<'_>, entries_max: usize) -> Result<Interaction, Problem> {
    let Asked { route, parameters, if_match: etag, if_none_exist, raw, body } = asked;
    let parameters = Parameters(parameters.0.into_iter().filter(|(name, _)| !SHAPE.contains(&name.as_str())).collect());
    match route {
        Route::Read { resource_type, id } => {
            let target = target(server, &resource_type, &id)?;
            let raw = raw && target.resource_type.name() == "Binary";
            Ok(if raw { Interaction::RetrieveDocument(target) } else { Interaction::Read(target) })
        }
        Route::VersionRead { resource_type, id, version } => {
            let target = target(server, &resource_type, &id)?;
            // A version that is no number names none: 404, as for any other that does not exist.
            Ok(Interaction::VersionRead(target, version.parse().unwrap_or(0)))
        }
        Route::HistoryInstance { resource_type, id } => {
            Ok(Interaction::History { place: HistoryPlace::Instance(target(server, &resource_type, &id)?), parameters })
        }
        Route::HistoryType { resource_type } => {
            let resource_type = served_type(&resource_type)?;
            let place = search_place(server, resource_type, &parameters);
            Ok(Interaction::History { place: HistoryPlace::Type(resource_type, place), parameters })
        }
        Route::HistorySystem => Ok(Interaction::History { place: HistoryPlace::System(SearchPlace::Cohort), parameters }),
        Route::Search { resource_type } => Ok(search_interaction(server, served_type(&resource_type)?, parameters)),
        Route::SearchAll => Ok(Interaction::SearchAll { place: place_of_all(server, &parameters), parameters }),
        Route::Compartment { id, resource_type } => compartment(server, &id, &resource_type, parameters),
        Route::Translation { id } => Ok(Interaction::Translation(target(server, "DocumentReference", &id)?)),
        Route::Document { id } => Ok(Interaction::Document { target: target(server, "Composition", &id)?, parameters }),
        Route::Everything { id } => Ok(Interaction::Everything { target: target(server, "Patient", &id)?, parameters }),
        Route::LastN => {
            let place = search_place(server, served_type("Observation")?, &parameters);
            Ok(Interaction::LastN { place, parameters })
        }
        Route::DocRef => {
            let place = search_place(server, served_type("DocumentReference")?, &parameters);
            Ok(Interaction::DocRef { place, parameters })
        }
        Route::Base => bundle::bundle(server, body, entries_max),
        Route::Create { .. } | Route::Update { .. } | Route::Patch { .. } | Route::Delete { .. } => {
            change(server, Asked { route, parameters, if_match: etag, if_none_exist, raw, body })
        }
    }
}

/// Create, update, patch and delete, conditional or not.
fn change(server: &Server, asked: Asked<'_>) -> Result<Interaction, Problem> {
    let Asked { route, parameters, if_match: etag, if_none_exist, body, .. } = asked;
    match route {
        Route::Create { resource_type } => {
            let resource_type = served_type(&resource_type)?;
            let created = create(server, resource_type, body.resource()?)?;
            match if_none_exist {
                None => Ok(created),
                Some(criteria) => conditional_create(server, resource_type, criteria, created),
            }
        }
        Route::Update { resource_type, id } => {
            let resource_type = served_type(&resource_type)?;
            let (if_match, body) = (if_match(etag)?, body.resource()?);
            same_type(resource_type, &body)?;
            whole(resource_type, &body)?;
            match id {
                Some(id) => update(target(server, resource_type.name(), &id)?, server, &id, if_match, body),
                None => {
                    let record = record_of_body(server, resource_type, &body);
                    let place = place_of_body(server, resource_type, record.as_ref(), &parameters);
                    let then = Then::Update { record, if_match, body };
                    Ok(Interaction::Conditional { resource_type, place, criteria: parameters, then })
                }
            }
        }
        Route::Patch { resource_type, id } => {
            let resource_type = served_type(&resource_type)?;
            let (if_match, patch) = (if_match(etag)?, body.patch()?);
            match id {
                Some(id) => Ok(Interaction::Patch { target: target(server, resource_type.name(), &id)?, if_match, patch }),
                None => Ok(conditional(server, resource_type, parameters, Then::Patch { if_match, patch })),
            }
        }
        Route::Delete { resource_type, id } => {
            let resource_type = served_type(&resource_type)?;
            let if_match = if_match(etag)?;
            match id {
                Some(id) => Ok(Interaction::Delete { target: target(server, resource_type.name(), &id)?, if_match }),
                None => Ok(conditional(server, resource_type, parameters, Then::Delete { if_match })),
            }
        }
        _other => Err(Problem::new(IssueKind::Internal, "A route that changes nothing")),
    }
}

fn update(target: Target, server: &Server, id: &str, if_match: Option<i64>, body: Resource) -> Result<Interaction, Problem> {
    if body.get("id").and_then(Value::as_str) != Some(id) {
        let expression = format!("{}.id", target.resource_type);
        return Err(Problem::at(IssueKind::Malformed, expression, "The id of the body is not the id of the URL"));
    }
    Ok(match target.resource_type.name() {
        "Consent" => Interaction::UpdateConsent { target, if_match, body },
        _ => Interaction::Update { record: record_of_body(server, target.resource_type, &body), target, if_match, body },
    })
}

/// A resource that was read in parts must not replace the whole one. <https://hl7.org/fhir/R4/search.html#summary>
fn whole(resource_type: ResourceType, body: &Resource) -> Result<(), Problem> {
    let tags = body.get("meta").and_then(|meta| meta.get("tag")).and_then(Value::as_array);
    if tags.into_iter().flatten().any(|tag| tag.get("code").and_then(Value::as_str) == Some("SUBSETTED")) {
        let text = "The body is tagged SUBSETTED: it was read in parts, and would replace the whole resource";
        return Err(Problem::at(IssueKind::BusinessRule, format!("{resource_type}.meta.tag"), text));
    }
    Ok(())
}

/// The criteria of If-None-Exist: a query, with or without `[type]?` before it.
fn conditional_create(
    server: &Server,
    resource_type: ResourceType,
    criteria: &str,
    created: Interaction,
) -> Result<Interaction, Problem> {
    let query = criteria.split_once('?').map_or(criteria, |(_, query)| query);
    let criteria = parameters(query)?;
    let record = match &created {
        Interaction::Deposit { record, .. } | Interaction::CreateConsent { record, .. } => Some(record.clone()),
        Interaction::Create { record, .. } => record.clone(),
        Interaction::Open { patient, .. } => td02::ins_of(patient).map(RecordName::Ins),
        _not_a_create => None,
    };
    let place = place_of_body(server, resource_type, record.as_ref(), &criteria);
    Ok(Interaction::Conditional { resource_type, place, criteria, then: Then::Create(Box::new(created)) })
}

/// Where the criteria of a conditional create or update look: in the record of the body. A Patient without INS names none.
fn place_of_body(
    server: &Server,
    resource_type: ResourceType,
    record: Option<&RecordName>,
    criteria: &Parameters,
) -> SearchPlace {
    match record {
        Some(record) => SearchPlace::Record(record.clone()),
        None if resource_type.name() == "Patient" => search_place(server, resource_type, criteria),
        None => SearchPlace::Directory,
    }
}

fn conditional(server: &Server, resource_type: ResourceType, criteria: Parameters, then: Then) -> Interaction {
    let place = search_place(server, resource_type, &criteria);
    Interaction::Conditional { resource_type, place, criteria, then }
}

/// `Patient/[id]/[type]?...`, `Patient/[id]/*`: a search in that record.
fn compartment(server: &Server, id: &str, resource_type: &str, parameters: Parameters) -> Result<Interaction, Problem> {
    let place = SearchPlace::Record(named(server, &format!("Patient/{id}")));
    if resource_type == "*" {
        return Ok(Interaction::SearchAll { place, parameters });
    }
    let resource_type = served_type(resource_type)?;
    if !in_compartment(resource_type) {
        let text = format!("{resource_type} is not in the Patient compartment");
        return Err(Problem::new(IssueKind::ResourceNotFound, text));
    }
    Ok(Interaction::Search { resource_type, place, parameters })
}

/// Where a search over several types looks: in the record that a parameter names for one of them, or in the directory where
/// all of them live there.
fn place_of_all(server: &Server, parameters: &Parameters) -> SearchPlace {
    let listed = parameters.0.iter().filter(|(name, _)| name == "_type").flat_map(|(_, value)| value.split(','));
    // What is no type is refused by the search, as a parameter.
    let types: Vec<ResourceType> = listed.filter_map(|name| served_type(name).ok()).collect();
    if !types.is_empty() && types.iter().all(|resource_type| resource_type.home() == Home::Directory) {
        return SearchPlace::Directory;
    }
    let of_types = types.into_iter().map(|resource_type| search_place(server, resource_type, parameters));
    of_types.into_iter().find(|place| matches!(place, SearchPlace::Record(_))).unwrap_or(SearchPlace::Cohort)
}

/// A type that this server has; `Binaire` and `Questionnaire` are the same 404.
pub(super) fn served_type(name: &str) -> Result<ResourceType, Problem> {
    ResourceType::parse(name)
        .filter(|resource_type| resource_type.home() != Home::None)
        .ok_or_else(|| Problem::new(IssueKind::ResourceNotFound, "This server has no such resource type"))
}

fn target(server: &Server, resource_type: &str, id: &str) -> Result<Target, Problem> {
    let place = server.store.id_cipher().open(id);
    let alias = (place.is_none() && is_id(id)).then(|| id.to_owned());
    Ok(Target { resource_type: served_type(resource_type)?, place, alias })
}

/// Whether a Binary is wanted under its own media type: unless FHIR is asked for by name (R4, 2.36.1).
pub(crate) fn wants_raw(headers: &HeaderMap, parameters: &Parameters) -> bool {
    if parameters.get("_format").is_some() {
        return false;
    }
    !text(headers, header::ACCEPT).is_some_and(|accept| accept.contains("fhir+json") || accept.contains("fhir+xml"))
}

/// A search, and where it looks. `Patient?identifier=<INS>` alone is TD0.2.
fn search_interaction(server: &Server, resource_type: ResourceType, parameters: Parameters) -> Interaction {
    if resource_type.name() == "Patient"
        && let [(name, value)] = parameters.0.as_slice()
        && name == "identifier"
        && !value.contains(',')
        && let Some((system, value)) = value.split_once('|')
        && Ins::is_system(system)
        && !value.is_empty()
    {
        return Interaction::Existence { ins: Ins::new(system, value) };
    }
    let place = search_place(server, resource_type, &parameters);
    Interaction::Search { resource_type, place, parameters }
}

fn search_place(server: &Server, resource_type: ResourceType, parameters: &Parameters) -> SearchPlace {
    match search::record_of(resource_type, parameters) {
        Some(search::RecordParameter::Reference(reference)) => SearchPlace::Record(named(server, &reference)),
        Some(search::RecordParameter::Identifier { system, value }) => {
            let ins = system.and_then(|system| Ins::new(&system, &value));
            SearchPlace::Record(ins.map_or(RecordName::Unknown, RecordName::Ins))
        }
        None => match pointed_place(server, resource_type, parameters) {
            Some(place) => place,
            None if matches!(resource_type.home(), Home::Directory | Home::Either) => SearchPlace::Directory,
            None => SearchPlace::Cohort,
        },
    }
}

/// Where a query looks that names no patient, but one resource of this server: `_id=`, `target=Observation/x`. Whether the
/// caller may look there, and whether the resource is there, is decided as for every other search.
fn pointed_place(server: &Server, resource_type: ResourceType, parameters: &Parameters) -> Option<SearchPlace> {
    parameters.0.iter().find_map(|(name, value)| {
        let (pid, _) = match name.as_str() {
            "_id" => server.place(&format!("{resource_type}/{value}"))?,
            _ if value.contains('/') => server.place(value)?,
            _ => return None,
        };
        if pid != Pid::DIRECTORY {
            return Some(SearchPlace::Record(RecordName::Pid(pid)));
        }
        // Data of records that name something of the directory (`performer=Practitioner/x`) are not there.
        matches!(resource_type.home(), Home::Directory | Home::Either).then_some(SearchPlace::Directory)
    })
}

/// The parameters of a search as one query string: what `POST _search` sent in its form is traced like a query.
pub(crate) fn query_text(interaction: &Interaction, sent: &str) -> Option<String> {
    match interaction {
        Interaction::Search { parameters, .. }
        | Interaction::SearchAll { parameters, .. }
        | Interaction::Document { parameters, .. }
        | Interaction::Everything { parameters, .. }
        | Interaction::LastN { parameters, .. }
        | Interaction::DocRef { parameters, .. } => {
            let text = query_string(parameters.0.iter());
            (!text.is_empty()).then_some(text)
        }
        _ => (!sent.is_empty()).then(|| sent.to_owned()),
    }
}

/// Whether a write names its record by an INS, so that its refusal tells whether the person has a record.
pub(crate) fn names_by_ins(interaction: &Interaction) -> bool {
    match interaction {
        Interaction::Deposit { record, .. } | Interaction::CreateConsent { record, .. } => matches!(record, RecordName::Ins(_)),
        Interaction::Create { record, .. } | Interaction::Update { record, .. } => matches!(record, Some(RecordName::Ins(_))),
        Interaction::Conditional { then, .. } => match then {
            Then::Create(created) => names_by_ins(created),
            Then::Update { record, .. } => matches!(record, Some(RecordName::Ins(_))),
            Then::Patch { .. } | Then::Delete { .. } => false,
        },
        Interaction::Open { .. } | Interaction::Transaction { .. } => true,
        Interaction::Batch { entries } => entries.iter().filter_map(|entry| entry.interaction.as_ref().ok()).any(names_by_ins),
        Interaction::Existence { .. }
        | Interaction::Read(_)
        | Interaction::VersionRead(..)
        | Interaction::RetrieveDocument(_)
        | Interaction::Search { .. }
        | Interaction::SearchAll { .. }
        | Interaction::History { .. }
        | Interaction::Translation(_)
        | Interaction::Document { .. }
        | Interaction::Everything { .. }
        | Interaction::LastN { .. }
        | Interaction::DocRef { .. }
        | Interaction::Patch { .. }
        | Interaction::Delete { .. }
        | Interaction::UpdateConsent { .. } => false,
    }
}

/// The record that a literal reference names.
fn named(server: &Server, reference: &str) -> RecordName {
    let reference = if reference.contains('/') { reference.to_owned() } else { format!("Patient/{reference}") };
    match server.place(&reference) {
        Some((pid, _)) => RecordName::Pid(pid),
        None => alias_of(server, &reference).map_or(RecordName::Unknown, RecordName::Alias),
    }
}

/// The id of a Patient that is no sealed one.
fn alias_of(server: &Server, reference: &str) -> Option<String> {
    let relative = server.below_base(reference).unwrap_or(reference);
    relative.strip_prefix("Patient/").filter(|id| is_id(id)).map(str::to_owned)
}

/// Whether a text is an id of FHIR. <https://hl7.org/fhir/R4/datatypes.html#id>
fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.')
}

/// A create: the type decides which of the use cases it is.
pub(crate) fn create(server: &Server, resource_type: ResourceType, body: Resource) -> Result<Interaction, Problem> {
    same_type(resource_type, &body)?;
    match resource_type.name() {
        "Patient" => Ok(Interaction::Open { patient: body, consents: Vec::new(), position: None }),
        "Consent" => Ok(Interaction::CreateConsent { record: record_of_element(server, &body, "patient"), body }),
        "DocumentReference" => Ok(Interaction::Deposit { record: record_of_element(server, &body, "subject"), body }),
        _ => {
            let record = record_of_body(server, resource_type, &body);
            Ok(Interaction::Create { resource_type, record, body })
        }
    }
}

/// The record that a body names by the paths of its type; `None` for what is of the directory.
fn record_of_body(server: &Server, resource_type: ResourceType, body: &Resource) -> Option<RecordName> {
    if resource_type.name() == "Patient" {
        return td02::ins_of(body).map(RecordName::Ins);
    }
    let named = record_named_by(server, resource_type, body);
    match (resource_type.home(), named) {
        (Home::Record, named) => Some(named.unwrap_or(RecordName::Unknown)),
        (Home::Either, named) => named,
        (Home::Directory | Home::None, _) => None,
    }
}

fn same_type(resource_type: ResourceType, body: &Resource) -> Result<(), Problem> {
    if body.get("resourceType").and_then(Value::as_str) == Some(resource_type.name()) {
        return Ok(());
    }
    Err(Problem::at(IssueKind::Malformed, "resourceType", "The body is of another type than the URL"))
}

fn record_of_element(server: &Server, body: &Resource, element: &str) -> RecordName {
    body.get(element).and_then(Value::as_object).map_or(RecordName::Unknown, |reference| record_of_reference(server, reference))
}

/// The record that the body names by the paths of its type; nothing where nothing stands there.
///
/// An element that repeats may name others beside the person (a participant, an actor): the first that names a record
/// decides. Whether all of them name that person is judged when they are made literal.
fn record_named_by(server: &Server, resource_type: ResourceType, body: &Resource) -> Option<RecordName> {
    let mut named = None;
    for path in resource_type.record_paths() {
        let Ok(path) = Path::compile(path) else { continue };
        for found in path.evaluate(body) {
            match found.element.object().map(|reference| record_of_reference(server, reference)) {
                Some(record @ (RecordName::Pid(_) | RecordName::Ins(_) | RecordName::Alias(_)))
                    if record != RecordName::Pid(Pid::DIRECTORY) =>
                {
                    return Some(record);
                }
                Some(RecordName::Pid(_) | RecordName::Ins(_) | RecordName::Alias(_) | RecordName::Unknown) | None => {
                    named = Some(RecordName::Unknown)
                }
            }
        }
    }
    named
}

/// The record that a Reference names: literally, logically by INS, or by the draft's `Patient?identifier=` (decision 14).
fn record_of_reference(server: &Server, reference: &Resource) -> RecordName {
    let of_token = |token: &str| token.split_once('|').and_then(|(system, value)| Ins::new(system, value));
    if let Some(literal) = reference.get("reference").and_then(Value::as_str) {
        let ins = match literal.strip_prefix("Patient?identifier=") {
            Some(token) => parameters(&format!("identifier={token}")).ok().and_then(|query| of_token(query.get("identifier")?)),
            None => return named(server, literal),
        };
        return ins.map_or(RecordName::Unknown, RecordName::Ins);
    }
    let text = |name: &str| reference.get("identifier").and_then(|identifier| identifier.get(name)).and_then(Value::as_str);
    let ins = text("system").zip(text("value")).and_then(|(system, value)| Ins::new(system, value));
    ins.map_or(RecordName::Unknown, RecordName::Ins)
}
