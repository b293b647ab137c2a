//! Records: existence and status (TD0.2), opening (TD1.1).
use crate::client::{Call, query};
use crate::documents::{TEST_INS, fresh_patient};
use crate::run::{Checked, Run, Shortfall, ensure, fail, matches, text};
use serde_json::Value;

fn existence(run: &Run, token: &str, identifier: &str) -> Result<Vec<Value>, Shortfall> {
    let bundle = run.expect(200, Call::get(&format!("Patient?identifier={identifier}"), Some(token)))?.json();
    ensure(text(&bundle, "/type") == "searchset", "the answer is no searchset")?;
    Ok(matches(&bundle))
}

fn fresh_identifier(run: &Run) -> String {
    query(&format!("{TEST_INS}|{}", run.stamp.matricule()))
}

pub(crate) fn known(run: &mut Run) -> Checked {
    let (token, identifier) = (run.professional()?, run.identifier()?);
    let found = existence(run, &token, &identifier)?;
    ensure(found.len() == 1, format!("{} entries instead of 1", found.len()))?;
    let patient = found.first().ok_or_else(|| fail("no entry"))?;
    ensure(text(patient, "/resourceType") == "Patient", "the entry is no Patient")?;
    ensure(patient.get("active") == Some(&Value::Bool(true)), "active is not true")?;
    // TD0.2 may cut the Patient; the traits that a deposit must repeat come from a read.
    let whole = run.expect(200, Call::get(&format!("Patient/{}", text(patient, "/id")), Some(&token)))?.json();
    run.patient = Some(whole);
    Ok(())
}

pub(crate) fn unknown(run: &mut Run) -> Checked {
    let (token, identifier) = (run.professional()?, fresh_identifier(run));
    let found = existence(run, &token, &identifier)?;
    ensure(found.is_empty(), format!("{} entries instead of none", found.len()))
}

pub(crate) fn status_of_blocked(run: &mut Run) -> Checked {
    let (token, identifier) = (run.blocked()?, run.identifier()?);
    let found = existence(run, &token, &identifier)?;
    ensure(found.len() == 1, format!("{} entries instead of 1", found.len()))?;
    let said = found.first().map(Value::to_string).unwrap_or_default();
    ensure(said.contains("INTERDIT"), "the status INTERDIT is not told")
}

pub(crate) fn open(run: &mut Run) -> Checked {
    let token = run.system()?;
    let body = fresh_patient(&run.stamp.matricule()).to_string();
    let answer = run.expect(201, Call::post("Patient", Some(&token), body.as_bytes()))?;
    ensure(answer.header("location").contains("/Patient/"), format!("Location is {:?}", answer.header("location")))?;
    ensure(answer.header("etag").starts_with("W/\""), format!("ETag is {:?}", answer.header("etag")))?;
    let found = existence(run, &token, &fresh_identifier(run))?;
    ensure(found.len() == 1, "the record is not found after its opening")
}

pub(crate) fn open_again(run: &mut Run) -> Checked {
    let token = run.system()?;
    let body = fresh_patient(&run.stamp.matricule()).to_string();
    run.expect(409, Call::post("Patient", Some(&token), body.as_bytes())).map(drop)
}

pub(crate) fn lone_patient(run: &mut Run) -> Checked {
    let token = run.professional()?;
    let body = fresh_patient("299129923899901").to_string();
    run.expect(422, Call::post("Patient", Some(&token), body.as_bytes())).map(drop)
}
