//! Documents: deposit (TD2), search (TD3.1), original (TD3.2).
use crate::client::{Answer, Call, query};
use crate::documents::{Report, Stamp};
use crate::run::{Checked, Run, Shortfall, earlier, ensure, matches, text};
use serde_json::Value;

pub(crate) fn deposit(run: &mut Run) -> Checked {
    let (token, (system, value)) = (run.system()?, run.ins()?);
    let ins = (system.as_str(), value.as_str());
    let report = Report::about(earlier(&run.patient, "the Patient of --ins")?, ins, run.stamp);
    let body = report.deposit(ins, &report.hash());
    let answer = run.expect(201, Call::post("DocumentReference", Some(&token), &body))?;
    let document = answer.json();
    ensure(text(&document, "/resourceType") == "DocumentReference", "the answer has no DocumentReference")?;
    run.report = Some(report);
    run.document = Some(document);
    Ok(())
}

pub(crate) fn metadata(run: &mut Run) -> Checked {
    let (document, report) = (earlier(&run.document, "the document")?, earlier(&run.report, "the report")?);
    let unique_id = format!("urn:oid:{}", report.oid);
    ensure(text(document, "/masterIdentifier/value") == unique_id, "masterIdentifier is not the id of the document")?;
    ensure(text(document, "/content/0/attachment/hash") == report.hash(), "hash is not the SHA-1 of the document")?;
    let size = document.pointer("/content/0/attachment/size").and_then(Value::as_u64);
    ensure(size == u64::try_from(report.bytes.len()).ok(), format!("size is {size:?}"))?;
    ensure(!text(document, "/content/0/attachment/url").is_empty(), "attachment.url is absent")?;
    ensure(document.pointer("/content/0/attachment/data").is_none(), "attachment.data stands beside the url")
}

pub(crate) fn again(run: &mut Run) -> Checked {
    let (token, (system, value)) = (run.system()?, run.ins()?);
    let (document, report) = (earlier(&run.document, "the document")?, earlier(&run.report, "the report")?);
    let body = report.deposit((&system, &value), &report.hash());
    let second = run.expect(200, Call::post("DocumentReference", Some(&token), &body))?.json();
    ensure(text(&second, "/id") == text(document, "/id"), "the second answer is another resource")
}

pub(crate) fn wrong_hash(run: &mut Run) -> Checked {
    let (token, (system, value)) = (run.system()?, run.ins()?);
    let ins = (system.as_str(), value.as_str());
    let report = Report::about(earlier(&run.patient, "the Patient of --ins")?, ins, Stamp::now());
    let body = report.deposit(ins, "AAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    run.expect(422, Call::post("DocumentReference", Some(&token), &body)).map(drop)
}

pub(crate) fn find(run: &mut Run) -> Checked {
    let (token, identifier) = (run.professional()?, run.identifier()?);
    let document = earlier(&run.document, "the document")?;
    let own = query(text(document, "/masterIdentifier/value"));
    let path = format!(
        "DocumentReference?patient.identifier={identifier}&status=current&type=http://loinc.org%7C11502-2&identifier=urn:ietf:rfc:3986%7C{own}"
    );
    let found = matches(&run.expect(200, Call::get(&path, Some(&token)))?.json());
    ensure(found.len() == 1, format!("{} entries instead of 1", found.len()))?;
    ensure(found.iter().all(|found| text(found, "/id") == text(document, "/id")), "another document is found")
}

fn original(run: &Run) -> Result<Answer, Shortfall> {
    let token = run.professional()?;
    let url = text(earlier(&run.document, "the document")?, "/content/0/attachment/url").to_owned();
    run.expect(200, Call::get(&url, Some(&token)).accept("text/xml"))
}

pub(crate) fn retrieve(run: &mut Run) -> Checked {
    let answer = original(run)?;
    let report = earlier(&run.report, "the report")?;
    ensure(
        answer.header("content-type").starts_with("text/xml"),
        format!("Content-Type is {:?}", answer.header("content-type")),
    )?;
    ensure(
        answer.body == report.bytes,
        format!("{} bytes came back, {} went in, or they differ", answer.body.len(), report.bytes.len()),
    )
}

pub(crate) fn retrieve_headers(run: &mut Run) -> Checked {
    let answer = original(run)?;
    ensure(answer.header("x-content-type-options") == "nosniff", "X-Content-Type-Options is not nosniff")?;
    ensure(answer.header("content-disposition").starts_with("attachment"), "Content-Disposition is not attachment")
}
