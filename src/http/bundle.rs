//! Bundles posted to the base: each entry parsed like a request of its own. <https://hl7.org/fhir/R4/http.html#transaction>
use super::request::{self, Asked};
use super::route::route;
use super::sent::Sent;
use crate::fhir::interaction::{BundleEntry, Method};
use crate::fhir::media_type::{self, Format};
use crate::fhir::{Interaction, Issue, IssueKind, Problem, Resource, check, json, xml};
use crate::service::{Server, transaction};
use serde_json::Value;

/// What an entry says before it is understood.
struct Parts {
    full_url: Option<String>,
    method: Option<Method>,
    url: Option<String>,
    resource: Option<Resource>,
    /// Why the resource is none of R4, where that fails this entry alone.
    fault: Option<Problem>,
    if_match: Option<String>,
    if_none_exist: Option<String>,
    if_none_match: Option<String>,
    if_modified_since: Option<String>,
}

/// A Bundle of type batch or transaction; a transaction that creates a Patient is an opening.
pub(super) fn bundle(server: &Server, sent: Sent<'_>, entries_max: usize) -> Result<Interaction, Problem> {
    let (body, faults) = read(sent)?;
    if body.get("resourceType").and_then(Value::as_str) != Some("Bundle") {
        return Err(Problem::at(IssueKind::Malformed, "resourceType", "Only a Bundle can be posted to the base"));
    }
    let is_transaction = match body.get("type").and_then(Value::as_str) {
        Some("transaction") => true,
        Some("batch") => false,
        _ => {
            let text = "Only Bundles of type transaction and batch are taken here";
            return Err(Problem::at(IssueKind::NotSupported, "Bundle.type", text));
        }
    };
    let entries = body.get("entry").and_then(Value::as_array).cloned().unwrap_or_default();
    if entries.len() > entries_max {
        return Err(Problem::at(IssueKind::TooLarge, "Bundle.entry", format!("More than {entries_max} entries")));
    }
    let mut parsed: Vec<Parts> = entries.into_iter().map(parts).collect();
    for (parts, fault) in parsed.iter_mut().zip(faults) {
        parts.fault = fault;
    }
    let creates_patient = |parts: &Parts| {
        let resource_type = parts.resource.as_ref().and_then(|resource| resource.get("resourceType")).and_then(Value::as_str);
        parts.method == Some(Method::Post) && resource_type == Some("Patient")
    };
    if let (true, Some(position)) = (is_transaction, parsed.iter().position(creates_patient)) {
        return opening(parsed, position);
    }
    let entries = parsed.into_iter().enumerate().map(|(index, parts)| entry(server, index, parts)).collect();
    Ok(if is_transaction { Interaction::Transaction { entries } } else { Interaction::Batch { entries } })
}

/// The Bundle, checked. In a batch what is wrong with a resource is the fault of its entry alone; everywhere else of the whole.
fn read(sent: Sent<'_>) -> Result<(Resource, Vec<Option<Problem>>), Problem> {
    let Sent::Bytes { content_type, bytes } = sent else { return Ok((sent.resource()?, Vec::new())) };
    let (mut body, found) = match media_type::body_format(content_type)? {
        Format::Xml => xml::read_located(bytes)?,
        Format::Json => (json::parse_unchecked(bytes)?, Vec::new()),
    };
    let is_batch = ["resourceType", "type"].map(|name| body.get(name).and_then(Value::as_str)) == [Some("Bundle"), Some("batch")];
    // Beyond the bound issues are not reported any more: which entries have some is not known.
    let is_whole = |issue: &Issue| !is_batch || found.len() >= check::ISSUES_MAX || entry_of(issue).is_none();
    if let Some(problem) = Problem::from_issues(found.iter().filter(|issue| is_whole(issue)).cloned().collect()) {
        return Err(problem);
    }
    if !is_batch {
        return Problem::from_issues(check::check(&body)).map_or(Ok((body, Vec::new())), Err);
    }
    let entries =
        |body: &mut Resource| body.get_mut("entry").and_then(Value::as_array_mut).map(std::mem::take).unwrap_or_default();
    let mut without = Vec::new();
    let mut resources = Vec::new();
    for mut entry in entries(&mut body) {
        let resource = entry.as_object_mut().and_then(|entry| entry.shift_remove("resource"));
        resources.push(resource);
        without.push(entry);
    }
    if !without.is_empty() {
        body.insert("entry".into(), Value::Array(without));
    }
    if let Some(problem) = Problem::from_issues(check::check(&body)) {
        return Err(problem);
    }
    let mut faults = Vec::with_capacity(resources.len());
    let slots = body.get_mut("entry").and_then(Value::as_array_mut).into_iter().flatten();
    for (index, (slot, resource)) in slots.zip(resources).enumerate() {
        let read = found.iter().filter(|issue| entry_of(issue) == Some(index)).cloned().collect();
        let read = Problem::from_issues(read);
        let Some(resource) = resource else {
            faults.push(read);
            continue;
        };
        if read.is_some() {
            faults.push(read);
            continue;
        }
        let problem = match &resource {
            Value::Object(resource) => Problem::from_issues(check::check(resource)),
            _no_resource => Some(Problem::new(IssueKind::StructureInvalid, "The resource is not a JSON object")),
        };
        faults.push(problem.map(|problem| transaction::relocate(index, &problem)));
        if let Some(slot) = slot.as_object_mut() {
            slot.insert("resource".into(), resource);
        }
    }
    Ok((body, faults))
}

/// The entry in whose resource a fault of an XML text is.
fn entry_of(issue: &Issue) -> Option<usize> {
    let (index, rest) = issue.expression.as_deref()?.strip_prefix("Bundle.entry[")?.split_once("].resource")?;
    index.parse().ok().filter(|_| rest.is_empty() || rest.starts_with('.'))
}

fn parts(mut entry: Value) -> Parts {
    let request =
        |name: &str| entry.get("request").and_then(|request| request.get(name)).and_then(Value::as_str).map(str::to_owned);
    let (method, url) = (request("method").as_deref().and_then(Method::parse), request("url"));
    let (if_match, if_none_exist) = (request("ifMatch"), request("ifNoneExist"));
    let (if_none_match, if_modified_since) = (request("ifNoneMatch"), request("ifModifiedSince"));
    let full_url = entry.get("fullUrl").and_then(Value::as_str).map(str::to_owned);
    let resource = match entry.get_mut("resource").map(Value::take) {
        Some(Value::Object(resource)) => Some(resource),
        _ => None,
    };
    Parts { full_url, method, url, resource, fault: None, if_match, if_none_exist, if_none_match, if_modified_since }
}

/// One entry. What is wrong with it is located in the Bundle already.
fn entry(server: &Server, index: usize, parts: Parts) -> BundleEntry {
    let url = parts.url.clone().unwrap_or_default();
    let query = url.split_once('?').map(|(_, query)| query.to_owned()).filter(|query| !query.is_empty());
    let (full_url, method) = (parts.full_url.clone(), parts.method.unwrap_or(Method::Get));
    let none_match = parts.if_none_match.as_deref().and_then(request::version_of);
    let modified_since = parts.if_modified_since.as_deref().and_then(|text| text.parse::<jiff::Timestamp>().ok());
    let modified_since = modified_since.map(jiff::Timestamp::as_millisecond);
    BundleEntry { full_url, method, interaction: asked(server, index, parts), none_match, modified_since, query }
}

fn asked(server: &Server, index: usize, parts: Parts) -> Result<Interaction, Problem> {
    let at = |element: &str| format!("Bundle.entry[{index}].request.{element}");
    if let Some(fault) = parts.fault {
        return Err(fault);
    }
    let Some(method) = parts.method else {
        return Err(Problem::at(IssueKind::RequiredMissing, at("method"), "The entry names no method of FHIR"));
    };
    let Some(url) = &parts.url else {
        return Err(Problem::at(IssueKind::RequiredMissing, at("url"), "The entry names no URL"));
    };
    let in_url = |problem: Problem| {
        let text = problem.to_string();
        Problem::at(problem.kind(), at("url"), text)
    };
    let relative = url.strip_prefix(server.base()).unwrap_or(url);
    let relative = relative.strip_prefix('/').unwrap_or(relative);
    let (path, query) = relative.split_once('?').unwrap_or((relative, ""));
    let route = route(Some(method), path).map_err(in_url)?;
    if route == super::route::Route::Base {
        return Err(Problem::at(IssueKind::NotSupported, at("url"), "A Bundle inside a Bundle is not taken"));
    }
    let asked = Asked {
        route,
        parameters: request::parameters(query).map_err(in_url)?,
        if_match: parts.if_match.as_deref(),
        if_none_exist: parts.if_none_exist.as_deref(),
        raw: false,
        body: Sent::Resource(parts.resource),
    };
    request::interaction(server, asked, 0).map_err(|problem| transaction::relocate(index, &problem))
}

/// One Patient and its Consents: nothing else belongs in an opening.
fn opening(parsed: Vec<Parts>, position: usize) -> Result<Interaction, Problem> {
    let mut patient = None;
    let mut consents = Vec::new();
    for (index, parts) in parsed.into_iter().enumerate() {
        let at = |element: &str| format!("Bundle.entry[{index}].{element}");
        if parts.if_none_exist.is_some() {
            let text = "An opening is not conditional: one INS has one record";
            return Err(Problem::at(IssueKind::NotSupported, at("request.ifNoneExist"), text));
        }
        let name = parts.resource.as_ref().and_then(|resource| resource.get("resourceType")).and_then(Value::as_str);
        if name != parts.url.as_deref() {
            return Err(Problem::at(IssueKind::Malformed, at("request.url"), "The URL is not the type of the resource"));
        }
        match (parts.method, name) {
            (Some(Method::Post), Some("Patient")) if index == position => patient = parts.resource,
            (Some(Method::Post), Some("Consent")) => consents.extend(parts.resource),
            _ => {
                let text = "An opening is one Patient and its Consents; the rest follows in requests of its own";
                return Err(Problem::at(IssueKind::BusinessRule, format!("Bundle.entry[{index}]"), text));
            }
        }
    }
    let patient = patient.ok_or_else(|| Problem::at(IssueKind::RequiredMissing, "Bundle.entry", "No Patient"))?;
    Ok(Interaction::Open { patient, consents, position: Some(position) })
}
