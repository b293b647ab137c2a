//! What an entry of a batch or transaction is answered, and where in the Bundle a fault is.
//! <https://hl7.org/fhir/R4/http.html#transaction-response>
use crate::audit::{Body, Outcome};
use crate::clock::Millis;
use crate::fhir::bundle::EntryResponse;
use crate::fhir::interaction::{Method, Return};
use crate::fhir::outcome::operation_outcome;
use crate::fhir::{Issue, IssueKind, Problem};
use serde_json::Value;

/// What an entry is answered. A read gives its resource; a write only where the client wants it back (`Prefer: return=`).
pub(in crate::service) fn of_outcome(outcome: Outcome, method: Method, preference: Option<Return>) -> EntryResponse {
    let body = match outcome.body {
        Body::Fhir(bytes) => Some(bytes),
        Body::Empty | Body::Raw { .. } => None,
    };
    let wanted = match method {
        Method::Get => true,
        Method::Head => false,
        Method::Post | Method::Put | Method::Patch | Method::Delete => preference == Some(Return::Representation),
    };
    let done = || {
        let done = Issue::new(IssueKind::Information, "Done");
        operation_outcome(std::iter::once(&done).chain(&outcome.remarks))
    };
    let tells = preference == Some(Return::OperationOutcome) && !method.reads();
    EntryResponse {
        status: status_line(outcome.status),
        location: outcome.location,
        etag: outcome.version.map(|version| format!("W/\"{version}\"")),
        last_modified: outcome.updated.map(|updated| Millis(updated).instant()),
        resource: body.filter(|_| wanted),
        outcome: tells.then(done),
        ..EntryResponse::default()
    }
}

/// What an entry of a batch is answered that failed: its OperationOutcome, located in the Bundle.
pub(in crate::service) fn of_failure(index: usize, outcome: &Outcome) -> EntryResponse {
    let mut told: Value = match &outcome.body {
        Body::Fhir(bytes) => serde_json::from_slice(bytes).unwrap_or_default(),
        Body::Empty | Body::Raw { .. } => Value::Null,
    };
    for issue in told.get_mut("issue").and_then(Value::as_array_mut).into_iter().flatten() {
        let inner = issue.get("expression").and_then(|found| found.get(0)).and_then(Value::as_str).map(str::to_owned);
        if let Some(issue) = issue.as_object_mut() {
            issue.insert("expression".into(), Value::from(vec![location(index, inner.as_deref())]));
        }
    }
    let told = (!told.is_null()).then_some(told);
    EntryResponse { status: status_line(outcome.status), outcome: told, ..EntryResponse::default() }
}

/// `201 Created`.
fn status_line(status: u16) -> String {
    let reason = match status {
        200 => " OK",
        201 => " Created",
        202 => " Accepted",
        204 => " No Content",
        304 => " Not Modified",
        400 => " Bad Request",
        401 => " Unauthorized",
        403 => " Forbidden",
        404 => " Not Found",
        405 => " Method Not Allowed",
        409 => " Conflict",
        410 => " Gone",
        412 => " Precondition Failed",
        413 => " Content Too Large",
        415 => " Unsupported Media Type",
        422 => " Unprocessable Content",
        429 => " Too Many Requests",
        500 => " Internal Server Error",
        503 => " Service Unavailable",
        _ => "",
    };
    format!("{status}{reason}")
}

/// The same problem, said of one entry of the Bundle.
pub fn relocate(index: usize, problem: &Problem) -> Problem {
    let issues =
        problem.issues().map(|issue| Issue { expression: Some(location(index, issue.expression.as_deref())), ..issue.clone() });
    Problem::from_issues(issues.collect()).unwrap_or_else(|| problem.clone())
}

/// Where in the Bundle a place inside an entry's resource is.
fn location(index: usize, inner: Option<&str>) -> String {
    match inner.map(|inner| (inner, inner.split_once('.'))) {
        None => format!("Bundle.entry[{index}]"),
        Some((inner, _)) if inner.starts_with("Bundle.entry[") => inner.to_owned(),
        Some((_, None)) => format!("Bundle.entry[{index}].resource"),
        Some((_, Some((_, rest)))) => format!("Bundle.entry[{index}].resource.{rest}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_inside_a_resource_becomes_one_inside_its_entry() {
        let at = |expression: Option<&str>| {
            let problem = match expression {
                Some(expression) => Problem::at(IssueKind::BusinessRule, expression, "Wrong"),
                None => Problem::new(IssueKind::BusinessRule, "Wrong"),
            };
            relocate(2, &problem).issues().next().unwrap().expression.clone().unwrap()
        };
        assert_eq!(at(Some("Patient.name[0].family")), "Bundle.entry[2].resource.name[0].family");
        assert_eq!(at(Some("Patient")), "Bundle.entry[2].resource");
        assert_eq!(at(None), "Bundle.entry[2]");
        assert_eq!(at(Some("Bundle.entry[2].request.url")), "Bundle.entry[2].request.url");
    }

    #[test]
    fn a_write_is_answered_with_its_resource_only_where_it_is_wanted() {
        let answered = |method, preference| {
            let outcome = Outcome::new(200, Body::Fhir(b"{}".to_vec()), Vec::new());
            let answer = of_outcome(outcome, method, preference);
            assert_eq!(answer.status, "200 OK");
            (answer.resource.is_some(), answer.outcome.is_some())
        };
        assert_eq!(answered(Method::Put, Some(Return::Representation)), (true, false));
        assert_eq!(answered(Method::Put, Some(Return::OperationOutcome)), (false, true));
        assert_eq!(answered(Method::Put, Some(Return::Minimal)), (false, false));
        assert_eq!(answered(Method::Put, None), (false, false));
        assert_eq!(answered(Method::Get, Some(Return::OperationOutcome)), (true, false));
        assert_eq!(answered(Method::Head, None), (false, false));
    }
}
