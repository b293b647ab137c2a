//! The route table: which methods each shape of path below the FHIR base has. The same for a request and for an entry of a
//! Bundle. <https://hl7.org/fhir/R4/http.html#summary>
use crate::audit::Action;
use crate::fhir::interaction::Method;
use crate::fhir::{IssueKind, Problem};

/// How a refusal of a method begins; the permitted ones follow, as in the Allow header.
pub(super) const ONLY: &str = "This path has only ";

/// What a path below the FHIR base means, before its type and id are looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Route {
    /// `GET [type]/[id]`.
    Read { resource_type: String, id: String },
    /// `GET [type]/[id]/_history/[version]`.
    VersionRead { resource_type: String, id: String, version: String },
    /// `GET [type]/[id]/_history`.
    HistoryInstance { resource_type: String, id: String },
    /// `GET [type]/_history`.
    HistoryType { resource_type: String },
    /// `GET _history`.
    HistorySystem,
    /// `GET [type]`, `POST [type]/_search`.
    Search { resource_type: String },
    /// `GET [base]`, `POST _search`.
    SearchAll,
    /// `GET Patient/[id]/[type]`, `POST Patient/[id]/[type]/_search`; the type may be `*`.
    Compartment { id: String, resource_type: String },
    /// `POST [type]`.
    Create { resource_type: String },
    /// `PUT [type]/[id]`, `PUT [type]?criteria`.
    Update { resource_type: String, id: Option<String> },
    /// `PATCH [type]/[id]`, `PATCH [type]?criteria`.
    Patch { resource_type: String, id: Option<String> },
    /// `DELETE [type]/[id]`, `DELETE [type]?criteria`.
    Delete { resource_type: String, id: Option<String> },
    /// `DocumentReference/[id]/$translation`.
    Translation { id: String },
    /// `Composition/[id]/$document`.
    Document { id: String },
    /// `Patient/[id]/$everything`.
    Everything { id: String },
    /// `Observation/$lastn`.
    LastN,
    /// `DocumentReference/$docref`.
    DocRef,
    /// `POST [base]`.
    Base,
}

impl Route {
    /// Whether a POST to it brings parameters and no resource.
    pub(super) fn takes_parameters(&self) -> bool {
        self.is_operation() || matches!(self, Self::Search { .. } | Self::SearchAll | Self::Compartment { .. })
    }

    /// Whether it is an operation that takes a Parameters resource, too.
    pub(super) fn is_operation(&self) -> bool {
        matches!(self, Self::Everything { .. } | Self::LastN | Self::DocRef)
    }
}

/// What a method and a path mean; a method that FHIR does not have is `None`.
///
/// # Errors
/// 404 for a path that means nothing, 405 with the permitted methods for a method that it does not have.
pub(super) fn route(method: Option<Method>, path: &str) -> Result<Route, Problem> {
    let segments = segments(path);
    if segments.iter().any(|segment| segment.is_empty()) {
        return nowhere();
    }
    let get = method.is_some_and(Method::reads);
    let post = method == Some(Method::Post);
    let allow = |methods: &str| Err(Problem::new(IssueKind::NotSupported, format!("{ONLY}{methods}")));
    let own = |segment: &&str| (*segment).to_owned();
    match segments.as_slice() {
        [] if post => Ok(Route::Base),
        [] if get => Ok(Route::SearchAll),
        [] => allow("GET, HEAD, POST"),
        ["_search"] if post => Ok(Route::SearchAll),
        ["_history"] if get => Ok(Route::HistorySystem),
        [resource_type, "_search"] if post => Ok(Route::Search { resource_type: own(resource_type) }),
        ["_search"] | [_, "_search"] => allow("POST"),
        [resource_type, "_history"] if get => Ok(Route::HistoryType { resource_type: own(resource_type) }),
        ["Observation", "$lastn"] if get || post => Ok(Route::LastN),
        ["DocumentReference", "$docref"] if get || post => Ok(Route::DocRef),
        ["Patient", id, "$everything"] if get || post => Ok(Route::Everything { id: own(id) }),
        ["Observation", "$lastn"] | ["DocumentReference", "$docref"] | ["Patient", _, "$everything"] => allow("GET, HEAD, POST"),
        ["Composition", id, "$document"] if get => Ok(Route::Document { id: own(id) }),
        ["DocumentReference", id, "$translation"] if get => Ok(Route::Translation { id: own(id) }),
        [resource_type, id, "_history"] if get => Ok(Route::HistoryInstance { resource_type: own(resource_type), id: own(id) }),
        [resource_type, id, "_history", version] if get => {
            Ok(Route::VersionRead { resource_type: own(resource_type), id: own(id), version: own(version) })
        }
        ["_history"]
        | [_, "_history"]
        | [_, _, "_history"]
        | [_, _, "_history", _]
        | ["Composition", _, "$document"]
        | ["DocumentReference", _, "$translation"] => allow("GET, HEAD"),
        [_, operation] | [_, _, operation] if operation.starts_with('$') => nowhere(),
        ["Patient", id, resource_type] if get => Ok(Route::Compartment { id: own(id), resource_type: own(resource_type) }),
        ["Patient", id, resource_type, "_search"] if post => {
            Ok(Route::Compartment { id: own(id), resource_type: own(resource_type) })
        }
        ["Patient", _, _] => allow("GET, HEAD"),
        ["Patient", _, _, "_search"] => allow("POST"),
        [resource_type] => of_type(method, own(resource_type)),
        [resource_type, id] => of_instance(method, own(resource_type), own(id)),
        _ => nowhere(),
    }
}

/// The segments of a path. A slash at its end says nothing; two in a row enclose an empty segment, which means nothing.
fn segments(path: &str) -> Vec<&str> {
    let path = path.strip_suffix('/').filter(|rest| !rest.is_empty()).unwrap_or(path);
    if path.is_empty() { Vec::new() } else { path.split('/').collect() }
}

fn nowhere() -> Result<Route, Problem> {
    Err(Problem::new(IssueKind::ResourceNotFound, "No such path below the FHIR base"))
}

fn of_type(method: Option<Method>, resource_type: String) -> Result<Route, Problem> {
    Ok(match method {
        Some(Method::Get | Method::Head) => Route::Search { resource_type },
        Some(Method::Post) => Route::Create { resource_type },
        Some(Method::Put) => Route::Update { resource_type, id: None },
        Some(Method::Patch) => Route::Patch { resource_type, id: None },
        Some(Method::Delete) => Route::Delete { resource_type, id: None },
        None => return Err(Problem::new(IssueKind::NotSupported, format!("{ONLY}GET, HEAD, POST, PUT, PATCH, DELETE"))),
    })
}

fn of_instance(method: Option<Method>, resource_type: String, id: String) -> Result<Route, Problem> {
    Ok(match method {
        Some(Method::Get | Method::Head) => Route::Read { resource_type, id },
        Some(Method::Put) => Route::Update { resource_type, id: Some(id) },
        Some(Method::Patch) => Route::Patch { resource_type, id: Some(id) },
        Some(Method::Delete) => Route::Delete { resource_type, id: Some(id) },
        Some(Method::Post) | None => {
            return Err(Problem::new(IssueKind::NotSupported, format!("{ONLY}GET, HEAD, PUT, PATCH, DELETE")));
        }
    })
}

/// What the trace calls a request that is refused before it is understood: by its method and the shape of its path.
pub(super) fn action(method: Option<Method>, path: &str) -> Action {
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let last = segments.last().copied().unwrap_or_default();
    match method {
        Some(Method::Post) if last == "_search" || last.starts_with('$') => Action::Query,
        Some(Method::Post) => Action::Create,
        Some(Method::Put | Method::Patch) => Action::Update,
        Some(Method::Delete) => Action::Delete,
        Some(Method::Get | Method::Head) | None if segments.len() <= 1 || last.starts_with('$') => Action::Query,
        Some(Method::Get | Method::Head) | None => Action::Read,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_traced_as_what_its_method_would_do() {
        let table = [
            ("GET", "Observation", Action::Query),
            ("POST", "Observation/_search", Action::Query),
            ("POST", "Patient/1/$everything", Action::Query),
            ("GET", "Observation/1", Action::Read),
            ("HEAD", "Observation/1", Action::Read),
            ("GET", "Observation/1/2/3/4", Action::Read),
            ("POST", "Observation", Action::Create),
            ("POST", "", Action::Create),
            ("PUT", "Consent/1", Action::Update),
            ("PATCH", "Consent/1", Action::Update),
            ("DELETE", "Consent/1", Action::Delete),
        ];
        for (method, path, expected) in table {
            assert_eq!(action(Method::parse(method), path), expected, "{method} {path}");
        }
    }

    #[test]
    fn every_path_of_the_standard_has_its_route_and_no_other() {
        let own = str::to_owned;
        let found = [
            ("GET", "", Route::SearchAll),
            ("POST", "_search", Route::SearchAll),
            ("POST", "", Route::Base),
            ("GET", "_history", Route::HistorySystem),
            ("GET", "Observation/_history", Route::HistoryType { resource_type: own("Observation") }),
            ("HEAD", "Observation/1/_history", Route::HistoryInstance { resource_type: own("Observation"), id: own("1") }),
            ("PUT", "Observation", Route::Update { resource_type: own("Observation"), id: None }),
            ("PATCH", "Observation/1", Route::Patch { resource_type: own("Observation"), id: Some(own("1")) }),
            ("DELETE", "Observation", Route::Delete { resource_type: own("Observation"), id: None }),
            ("GET", "Patient/1/Observation", Route::Compartment { id: own("1"), resource_type: own("Observation") }),
            ("POST", "Patient/1/*/_search", Route::Compartment { id: own("1"), resource_type: own("*") }),
            ("GET", "Patient/1/$everything", Route::Everything { id: own("1") }),
            ("GET", "Composition/1/$document", Route::Document { id: own("1") }),
            ("GET", "Observation/", Route::Search { resource_type: own("Observation") }),
            ("POST", "Observation/$lastn", Route::LastN),
            ("GET", "DocumentReference/$docref", Route::DocRef),
        ];
        for (method, path, expected) in found {
            assert_eq!(route(Method::parse(method), path), Ok(expected), "{method} {path}");
        }
        for (method, path, status) in [
            ("GET", "Patient/_search", 405),
            ("PUT", "", 405),
            ("DELETE", "Observation/1/_history", 405),
            ("POST", "Observation/1", 405),
            ("TRACE", "Observation", 405),
            ("GET", "Observation/1/Patient", 404),
            ("GET", "Observation//1", 404),
            ("GET", "/Observation", 404),
            ("GET", "Patient//", 404),
            ("GET", "Observation/$unknown", 404),
            ("POST", "Patient/1/$unknown", 404),
        ] {
            assert_eq!(route(Method::parse(method), path).unwrap_err().status(), status, "{method} {path}");
        }
    }
}
