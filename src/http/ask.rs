//! How the pages ask: the same interactions, by the same way, as every other client.
use super::{State, body, request as fields};
use crate::audit::{Action, Body, Outcome};
use crate::auth::Caller;
use crate::fhir::interaction::Parameters;
use crate::fhir::{Interaction, IssueKind, Problem};
use crate::service;
use crate::store::Recorded;
use actix_web::web;
use serde_json::Value;
use std::sync::Arc;

/// Most pages of one search that are followed; beyond, the reader is told that there is more.
const PAGES_MAX: usize = 5;

/// Why there is no answer: the status and the first issue of the OperationOutcome.
#[derive(Debug)]
pub(super) struct Failure {
    /// HTTP status.
    pub(super) status: u16,
    /// What the first issue says.
    pub(super) text: String,
}

impl Failure {
    /// Of an outcome that did not succeed.
    pub(super) fn of(outcome: &Outcome) -> Self {
        let Body::Fhir(bytes) = &outcome.body else { return Self { status: outcome.status, text: String::new() } };
        let value: Value = serde_json::from_slice(bytes).unwrap_or_default();
        let text = value.pointer("/issue/0/diagnostics").and_then(Value::as_str).unwrap_or_default().to_owned();
        Self { status: outcome.status, text }
    }

    /// Whether it is the rules or the bounds of searches that refuse, and not the rate or the server.
    pub(super) fn is_refusal(&self) -> bool {
        (400..500).contains(&self.status) && self.status != 429
    }
}

impl From<&Problem> for Failure {
    fn from(problem: &Problem) -> Self {
        Self { status: problem.status(), text: problem.to_string() }
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::from(&problem)
    }
}

/// Someone who looks at a page.
pub(super) struct Asker<'a> {
    pub(super) state: &'a web::Data<State>,
    pub(super) caller: &'a Caller,
    request: String,
}

impl<'a> Asker<'a> {
    /// `request` is the id under which log and trace know the page request.
    pub(super) fn new(state: &'a web::Data<State>, caller: &'a Caller, request: String) -> Self {
        Self { state, caller, request }
    }

    /// The answer of an interaction, whatever it is.
    pub(super) async fn interact(&self, interaction: Interaction) -> Recorded {
        let query = match &interaction {
            Interaction::Search { parameters, .. } => Some(fields::query(parameters)),
            _ => None,
        };
        let plain = service::Request::plain(self.caller.clone(), interaction, self.request.clone());
        let request = service::Request { query, ..plain };
        service::answer(Arc::clone(&self.state.server), request).await
    }

    /// A refusal of what was not even tried, traced like every other.
    pub(super) async fn refuse(&self, problem: &Problem, action: Action) -> Failure {
        let recorded = service::refuse(&self.state.server, self.caller.clone(), problem, action, &self.request).await;
        Failure::of(&recorded.into_outcome())
    }

    /// The FHIR answer of an interaction.
    pub(super) async fn ask(&self, interaction: Interaction) -> Result<Value, Failure> {
        let outcome = self.interact(interaction).await.into_outcome();
        if outcome.status >= 300 {
            return Err(Failure::of(&outcome));
        }
        let internal = || Problem::new(IssueKind::Internal, "No answer");
        let Body::Fhir(bytes) = outcome.body else { return Err(internal().into()) };
        let parsed = body::off_worker(bytes.len(), move || serde_json::from_slice(&bytes)).await?;
        parsed.map_err(|_not_json| internal().into())
    }

    /// A searchset with the entries of its following pages; where there are more than are followed, its `next` link stays.
    pub(super) async fn every_page(&self, search: Interaction) -> Result<Value, Failure> {
        let mut whole = self.ask(search.clone()).await?;
        for _ in 1..PAGES_MAX {
            let Some(next) = after(&search, &whole) else { break };
            let mut page = self.ask(next).await?;
            if let (Some(Value::Array(entries)), Some(Value::Array(more))) =
                (whole.get_mut("entry"), page.get_mut("entry").map(Value::take))
            {
                entries.extend(more);
            }
            if let (Some(links), Some(new)) = (whole.get_mut("link"), page.get_mut("link")) {
                *links = new.take();
            }
        }
        Ok(whole)
    }
}

/// The search of the page after this one.
fn after(search: &Interaction, page: &Value) -> Option<Interaction> {
    let links = page.get("link")?.as_array()?;
    let next = links.iter().find(|link| link.get("relation").and_then(Value::as_str) == Some("next"))?;
    let (_, query) = next.get("url")?.as_str()?.split_once('?')?;
    let cursor = fields::parameters(query).ok()?.get("_cursor")?.to_owned();
    let Interaction::Search { resource_type, place, parameters } = search else { return None };
    let mut parameters = parameters.0.clone();
    parameters.push(("_cursor".to_owned(), cursor));
    Some(Interaction::Search { resource_type: *resource_type, place: place.clone(), parameters: Parameters(parameters) })
}
