//! Who may, who may not, and what is told of it.
use crate::client::{Call, query};
use crate::documents::{TEST_INS, unsigned_token};
use crate::run::{Checked, Run, earlier, ensure, matches, text};
use serde_json::Value;

pub(crate) fn trace(run: &mut Run) -> Checked {
    let (token, identifier) = (run.patient_token()?, run.identifier()?);
    let id = text(earlier(&run.observation, "the result")?, "/id").to_owned();
    let path = format!("AuditEvent?patient.identifier={identifier}&date=ge{}&_count=200&_sort=-date", run.stamp.day());
    let events = matches(&run.expect(200, Call::get(&path, Some(&token)))?.json());
    ensure(!events.is_empty(), "the patient sees no trace")?;
    let read = events.iter().find(|event| event.to_string().contains(&id) && text(event, "/action") == "R");
    let Some(read) = read else { return Err(crate::run::fail("the read of the result is not in the trace")) };
    ensure(text(read, "/outcome") == "0", "the outcome of the read is not 0")?;
    let agents = read.get("agent").and_then(Value::as_array).into_iter().flatten();
    ensure(agents.into_iter().any(|agent| agent.pointer("/who/identifier/value").is_some()), "no agent has an identifier")
}

pub(crate) fn trace_of_others(run: &mut Run) -> Checked {
    let (token, identifier) = (run.professional()?, run.identifier()?);
    let answer = run.send(Call::get(&format!("AuditEvent?patient.identifier={identifier}"), Some(&token)))?;
    let empty = answer.status == 200 && matches(&answer.json()).is_empty();
    ensure(answer.status == 403 || empty, format!("status {} with events", answer.status))
}

pub(crate) fn no_token(run: &mut Run) -> Checked {
    let answer = run.expect(401, Call::get("Observation?code=4548-4", None))?;
    ensure(answer.header("www-authenticate").starts_with("Bearer"), "WWW-Authenticate does not ask for a Bearer token")?;
    ensure(text(&answer.json(), "/resourceType") == "OperationOutcome", "the refusal is no OperationOutcome")
}

pub(crate) fn unsigned(run: &mut Run) -> Checked {
    run.expect(401, Call::get("Observation?code=4548-4", Some(&unsigned_token()))).map(drop)
}

pub(crate) fn blocked(run: &mut Run) -> Checked {
    let (token, identifier) = (run.blocked()?, run.identifier()?);
    run.expect(403, Call::get(&format!("Observation?patient.identifier={identifier}"), Some(&token))).map(drop)
}

pub(crate) fn not_authorised(run: &mut Run) -> Checked {
    let (token, _opened) = (run.professional()?, run.system()?);
    let identifier = query(&format!("{TEST_INS}|{}", run.stamp.matricule()));
    run.expect(403, Call::get(&format!("Observation?patient.identifier={identifier}"), Some(&token))).map(drop)
}

pub(crate) fn unknown_parameter(run: &mut Run) -> Checked {
    let (token, identifier) = (run.professional()?, run.identifier()?);
    let path = format!("Observation?patient.identifier={identifier}&no-such-parameter=1");
    let answer = run.expect(400, Call::get(&path, Some(&token)))?;
    ensure(text(&answer.json(), "/resourceType") == "OperationOutcome", "the refusal is no OperationOutcome")
}

pub(crate) fn lenient(run: &mut Run) -> Checked {
    let (token, identifier) = (run.professional()?, run.identifier()?);
    let path = format!("Observation?patient.identifier={identifier}&no-such-parameter=1&_count=1");
    let bundle = run.expect(200, Call::get(&path, Some(&token)).headers(&[("Prefer", "handling=lenient")]))?.json();
    let links = bundle.get("link").and_then(Value::as_array).into_iter().flatten();
    let own = links.into_iter().find(|link| text(link, "/relation") == "self").map(|link| text(link, "/url").to_owned());
    let own = own.unwrap_or_default();
    ensure(!own.is_empty(), "there is no self link")?;
    ensure(!own.contains("no-such-parameter"), "the self link still has the ignored parameter")
}
