//! A Bundle of type batch: each entry for itself. <https://hl7.org/fhir/R4/http.html#transaction>
//!
//! An entry has a unit and a trace of its own, in the order of the Bundle. Entries do not know each other: a fullUrl of
//! another entry is a reference to nothing.
use super::transaction::{of_failure, of_outcome};
use super::{Request, Server, refuse};
use crate::audit::{Action, Body, Outcome};
use crate::fhir::bundle::{self, EntryResponse};
use crate::fhir::interaction::{BundleEntry, Method};
use crate::fhir::{Interaction, IssueKind, Problem};
use crate::store::Recorded;

/// The entries of a batch, and who sends it: `one` answers each like a request of its own, in the order of the Bundle, under
/// the bounds of single requests.
pub async fn batch(server: &Server, request: Request, one: impl AsyncFn(Request) -> Recorded) -> Recorded {
    let Request { caller, interaction, lenient, preference, id, .. } = request;
    let Interaction::Batch { entries } = interaction else {
        let problem = Problem::new(IssueKind::Internal, "No batch");
        return refuse(server, caller, &problem, Action::Create, &id).await;
    };
    let mut answers: Vec<EntryResponse> = Vec::with_capacity(entries.len());
    for (index, entry) in entries.into_iter().enumerate() {
        let BundleEntry { method, interaction, none_match, modified_since, query, .. } = entry;
        let recorded = match interaction {
            Ok(interaction) => {
                let (caller, id) = (caller.clone(), id.clone());
                one(Request { caller, interaction, lenient, preference, none_match, modified_since, query, id }).await
            }
            Err(problem) => refuse(server, caller.clone(), &problem, action(method), &id).await,
        };
        let outcome = recorded.into_outcome();
        answers.push(if outcome.status >= 400 { of_failure(index, &outcome) } else { of_outcome(outcome, method, preference) });
    }
    // Each entry is traced already.
    server.store.record(Outcome::new(200, Body::Fhir(bundle::batch_response(&answers)), Vec::new())).await
}

/// What the trace calls an entry that could not be understood.
fn action(method: Method) -> Action {
    match method {
        Method::Get | Method::Head => Action::Read,
        Method::Post => Action::Create,
        Method::Put | Method::Patch => Action::Update,
        Method::Delete => Action::Delete,
    }
}
