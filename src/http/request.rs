//! From method, path, query, headers and body to an [`Interaction`], once. <https://hl7.org/fhir/R4/http.html>
use super::respond::{Return, Wishes};
use super::routes::Route;
use crate::fhir::identifier::Ins;
use crate::fhir::interaction::{Parameters, RecordName, SearchPlace, Target, TransactionEntry};
use crate::fhir::media_type::{self, Format};
use crate::fhir::path::Path;
use crate::fhir::resource_type::Home;
use crate::fhir::{Interaction, IssueKind, Problem, Resource, ResourceType, json, xml};
use crate::ids::Pid;
use crate::search;
use crate::service::search::query_string;
use crate::service::{Server, transaction};
use actix_web::HttpRequest;
use actix_web::http::header::{self, HeaderMap};
use serde_json::Value;

/// Parameters that shape the answer and are no search parameters.
const SHAPE: [&str; 2] = ["_format", "_pretty"];

/// The query of a URL, percent-decoded; `_format` and `_pretty` stand apart.
pub(crate) fn parameters(query: &str) -> Result<Parameters, Problem> {
    actix_web::web::Query::<Vec<(String, String)>>::from_query(query)
        .map(|pairs| Parameters(pairs.into_inner()))
        .map_err(|_undecodable| Problem::new(IssueKind::Malformed, "The query string cannot be decoded"))
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
    let format = media_type::negotiate(text(headers, header::ACCEPT), parameters.get("_format"))?;
    let prefer = text(headers, header::HeaderName::from_static("prefer")).unwrap_or_default();
    let preference = match preferred(prefer, "return") {
        Some("minimal") => Return::Minimal,
        Some("OperationOutcome") => Return::OperationOutcome,
        Some(_) | None => Return::Representation,
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

/// The version of `W/"3"`, as If-Match and If-None-Match name it.
pub(crate) fn etag_version(headers: &HeaderMap, name: header::HeaderName) -> Result<Option<i64>, Problem> {
    let Some(value) = text(headers, name.clone()) else { return Ok(None) };
    let bare = value.trim().trim_start_matches("W/").trim_matches('"');
    match bare.parse() {
        Ok(version) => Ok(Some(version)),
        // A list or `*` of If-None-Match only saves bandwidth: it is not an error to send the resource.
        Err(_) if name == header::IF_NONE_MATCH => Ok(None),
        Err(_) => Err(Problem::new(IssueKind::Malformed, "If-Match is not a version of the form W/\"1\"")),
    }
}

/// If-Modified-Since in milliseconds; a date that cannot be read is ignored (RFC 9110, 13.1.3).
pub(crate) fn modified_since(request: &HttpRequest) -> Option<i64> {
    use actix_web::http::header::Header;
    let date = header::IfModifiedSince::parse(request).ok()?;
    let time: std::time::SystemTime = date.0.into();
    i64::try_from(time.duration_since(std::time::UNIX_EPOCH).ok()?.as_millis()).ok()
}

/// The resource of a body.
pub(crate) fn resource(headers: &HeaderMap, bytes: &[u8]) -> Result<Resource, Problem> {
    match media_type::body_format(text(headers, header::CONTENT_TYPE))? {
        Format::Json => json::parse(bytes),
        Format::Xml => xml::read(bytes),
    }
}

/// What one request asks.
pub(crate) fn interaction(
    server: &Server,
    route: &Route,
    parameters: Parameters,
    headers: &HeaderMap,
    body: &[u8],
    entries_max: usize,
) -> Result<Interaction, Problem> {
    match route {
        Route::Read { resource_type, id } => {
            let target = target(server, resource_type, id)?;
            let raw = target.resource_type.name() == "Binary" && wants_raw(headers, &parameters);
            Ok(if raw { Interaction::RetrieveDocument(target) } else { Interaction::Read(target) })
        }
        Route::VersionRead { resource_type, id, version } => {
            let target = target(server, resource_type, id)?;
            // A version that is no number names none: 404, as for any other that does not exist.
            Ok(Interaction::VersionRead(target, version.parse().unwrap_or(0)))
        }
        Route::Search { resource_type } => {
            let resource_type = served_type(resource_type)?;
            let kept = parameters.0.into_iter().filter(|(name, _)| !SHAPE.contains(&name.as_str())).collect();
            Ok(search_interaction(server, resource_type, Parameters(kept)))
        }
        Route::Translation { id } => Ok(Interaction::Translation(target(server, "DocumentReference", id)?)),
        Route::Create { resource_type } => {
            let resource_type = served_type(resource_type)?;
            let body = resource(headers, body)?;
            create(server, resource_type, body)
        }
        Route::Update { resource_type, id } => {
            let target = target(server, resource_type, id)?;
            let body = resource(headers, body)?;
            same_type(target.resource_type, &body)?;
            update(target, id, etag_version(headers, header::IF_MATCH)?, body)
        }
        Route::Base => bundle(server, resource(headers, body)?, entries_max),
    }
}

fn update(target: Target, id: &str, if_match: Option<i64>, body: Resource) -> Result<Interaction, Problem> {
    if body.get("id").and_then(Value::as_str) != Some(id) {
        let expression = format!("{}.id", target.resource_type);
        return Err(Problem::at(IssueKind::Malformed, expression, "The id of the body is not the id of the URL"));
    }
    match target.resource_type.name() {
        "Consent" => Ok(Interaction::UpdateConsent { target, if_match, body }),
        other => Err(Problem::new(IssueKind::NotSupported, format!("{other} has no update here"))),
    }
}

/// A type that this server has; `Binaire` and `Questionnaire` are the same 404.
fn served_type(name: &str) -> Result<ResourceType, Problem> {
    ResourceType::parse(name)
        .filter(|resource_type| resource_type.home() != Home::None)
        .ok_or_else(|| Problem::new(IssueKind::ResourceNotFound, "This server has no such resource type"))
}

fn target(server: &Server, resource_type: &str, id: &str) -> Result<Target, Problem> {
    Ok(Target { resource_type: served_type(resource_type)?, place: server.store.id_cipher().open(id) })
}

/// Whether a Binary is wanted under its own media type: unless FHIR is asked for by name (R4, 2.36.1).
fn wants_raw(headers: &HeaderMap, parameters: &Parameters) -> bool {
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
    {
        return Interaction::Existence { ins: Ins::new(system, value) };
    }
    let place = match search::record_of(resource_type, &parameters) {
        Some(search::RecordParameter::Reference(reference)) => SearchPlace::Record(named(server, &reference)),
        Some(search::RecordParameter::Identifier { system, value }) => {
            let ins = system.and_then(|system| Ins::new(&system, &value));
            SearchPlace::Record(ins.map_or(RecordName::Unknown, RecordName::Ins))
        }
        None => match pointed_place(server, resource_type, &parameters) {
            Some(place) => place,
            None if matches!(resource_type.home(), Home::Directory | Home::Either) => SearchPlace::Directory,
            None => SearchPlace::Cohort,
        },
    };
    Interaction::Search { resource_type, place, parameters }
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
        Some(if pid == Pid::DIRECTORY { SearchPlace::Directory } else { SearchPlace::Record(RecordName::Pid(pid)) })
    })
}

/// The parameters of a search as one query string: what `POST _search` sent in its form is traced like a query.
pub(crate) fn query_text(interaction: &Interaction, sent: &str) -> Option<String> {
    match interaction {
        Interaction::Search { parameters, .. } => {
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
        Interaction::Create { record, .. } => matches!(record, Some(RecordName::Ins(_))),
        Interaction::Open { .. } | Interaction::Transaction { .. } => true,
        Interaction::Existence { .. }
        | Interaction::Read(_)
        | Interaction::VersionRead(..)
        | Interaction::RetrieveDocument(_)
        | Interaction::Search { .. }
        | Interaction::Translation(_)
        | Interaction::UpdateConsent { .. } => false,
    }
}

/// The record that the body names by the paths of its type; nothing where nothing stands there.
///
/// An element that repeats may name others beside the person (a participant, an actor): the first that names a record
/// decides. Whether all of them name that person is judged when they are made literal.
fn record_of_body(server: &Server, resource_type: ResourceType, body: &Resource) -> Option<RecordName> {
    let mut named = None;
    for path in resource_type.record_paths() {
        let Ok(path) = Path::compile(path) else { continue };
        for found in path.evaluate(body) {
            match found.element.object().map(|reference| record_of_reference(server, reference)) {
                Some(record @ (RecordName::Pid(_) | RecordName::Ins(_))) if record != RecordName::Pid(Pid::DIRECTORY) => {
                    return Some(record);
                }
                Some(RecordName::Pid(_) | RecordName::Ins(_) | RecordName::Unknown) | None => named = Some(RecordName::Unknown),
            }
        }
    }
    named
}

/// The record that a literal reference names.
fn named(server: &Server, reference: &str) -> RecordName {
    let reference = if reference.contains('/') { reference.to_owned() } else { format!("Patient/{reference}") };
    server.place(&reference).map_or(RecordName::Unknown, |(pid, _)| RecordName::Pid(pid))
}

/// A create: the type decides which of the use cases it is.
pub(crate) fn create(server: &Server, resource_type: ResourceType, body: Resource) -> Result<Interaction, Problem> {
    same_type(resource_type, &body)?;
    match resource_type.name() {
        "Patient" => Ok(Interaction::Open { patient: body, consents: Vec::new(), position: None }),
        "Consent" => Ok(Interaction::CreateConsent { record: record_of_element(server, &body, "patient"), body }),
        "DocumentReference" => Ok(Interaction::Deposit { record: record_of_element(server, &body, "subject"), body }),
        _ => {
            let named = record_of_body(server, resource_type, &body);
            let record = match (resource_type.home(), named) {
                (Home::Record, named) => Some(named.unwrap_or(RecordName::Unknown)),
                (Home::Either, named) => named,
                (Home::Directory | Home::None, _) => None,
            };
            Ok(Interaction::Create { resource_type, record, body })
        }
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

/// A Bundle of type transaction: an opening where it brings a Patient, otherwise its entries.
fn bundle(server: &Server, body: Resource, entries_max: usize) -> Result<Interaction, Problem> {
    if body.get("resourceType").and_then(Value::as_str) != Some("Bundle") {
        return Err(Problem::at(IssueKind::Malformed, "resourceType", "Only a Bundle can be posted to the base"));
    }
    if body.get("type").and_then(Value::as_str) != Some("transaction") {
        return Err(Problem::at(IssueKind::NotSupported, "Bundle.type", "Only Bundles of type transaction are taken here"));
    }
    let entries = body.get("entry").and_then(Value::as_array).cloned().unwrap_or_default();
    if entries.len() > entries_max {
        return Err(Problem::at(IssueKind::TooLarge, "Bundle.entry", format!("More than {entries_max} entries")));
    }
    let mut parsed = Vec::with_capacity(entries.len());
    for (index, entry) in entries.into_iter().enumerate() {
        parsed.push(entry_parts(index, entry)?);
    }
    let patient =
        parsed.iter().position(|(_, _, resource)| resource.get("resourceType").and_then(Value::as_str) == Some("Patient"));
    if let Some(position) = patient {
        return opening(parsed, position);
    }
    let mut interactions = Vec::with_capacity(parsed.len());
    for (index, (full_url, url, resource)) in parsed.into_iter().enumerate() {
        let at = |problem: Problem| transaction::relocate(index, &problem);
        let interaction = served_type(&url).and_then(|resource_type| create(server, resource_type, resource)).map_err(at)?;
        interactions.push(TransactionEntry { full_url, interaction });
    }
    Ok(Interaction::Transaction { entries: interactions })
}

/// fullUrl, request.url and resource of an entry that creates.
fn entry_parts(index: usize, mut entry: Value) -> Result<(Option<String>, String, Resource), Problem> {
    let at = |element: &str| format!("Bundle.entry[{index}].{element}");
    let request =
        |name: &str| entry.get("request").and_then(|request| request.get(name)).and_then(Value::as_str).map(str::to_owned);
    if request("method").as_deref() != Some("POST") {
        return Err(Problem::at(IssueKind::NotSupported, at("request.method"), "Only POST is taken in a transaction here"));
    }
    let url =
        request("url").ok_or_else(|| Problem::at(IssueKind::RequiredMissing, at("request.url"), "The entry names no URL"))?;
    if request("ifNoneExist").is_some() {
        return Err(Problem::at(IssueKind::NotSupported, at("request.ifNoneExist"), "Conditional create is not taken here"));
    }
    let full_url = entry.get("fullUrl").and_then(Value::as_str).map(str::to_owned);
    match entry.get_mut("resource").map(Value::take) {
        Some(Value::Object(resource)) => Ok((full_url, url, resource)),
        _ => Err(Problem::at(IssueKind::RequiredMissing, at("resource"), "The entry brings no resource")),
    }
}

/// One Patient and its Consents: nothing else belongs in an opening.
fn opening(parsed: Vec<(Option<String>, String, Resource)>, position: usize) -> Result<Interaction, Problem> {
    let mut patient = None;
    let mut consents = Vec::new();
    for (index, (_, url, resource)) in parsed.into_iter().enumerate() {
        let name = resource.get("resourceType").and_then(Value::as_str);
        if name != Some(url.as_str()) {
            return Err(Problem::at(
                IssueKind::Malformed,
                format!("Bundle.entry[{index}].request.url"),
                "The URL is not the type of the resource",
            ));
        }
        match name {
            Some("Patient") if index == position => patient = Some(resource),
            Some("Consent") => consents.push(resource),
            _ => {
                let text = "An opening is one Patient and its Consents; the rest follows in requests of its own";
                return Err(Problem::at(IssueKind::BusinessRule, format!("Bundle.entry[{index}]"), text));
            }
        }
    }
    let patient = patient.ok_or_else(|| Problem::at(IssueKind::RequiredMissing, "Bundle.entry", "No Patient"))?;
    Ok(Interaction::Open { patient, consents, position: Some(position) })
}
