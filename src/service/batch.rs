//! A Bundle of type batch: each entry for itself. <https://hl7.org/fhir/R4/http.html#transaction>
use super::{Request, Server, refuse};
use crate::audit::Action;
use crate::fhir::{IssueKind, Problem};
use crate::store::Recorded;
use std::sync::Arc;

/// Answers each entry like a request of its own, in the order of the Bundle.
pub(super) async fn batch(server: Arc<Server>, request: Request) -> Recorded {
    let problem = Problem::at(IssueKind::NotSupported, "Bundle.type", "This server has no batch yet");
    refuse(&server, request.caller, &problem, Action::Create, &request.id).await
}
