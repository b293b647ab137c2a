//! Results out of documents: search, read, versions, XML, where they come from.
use crate::client::{Call, XML};
use crate::run::{Checked, Run, Shortfall, earlier, ensure, fail, matches, text};
use serde_json::Value;

pub(crate) fn find(run: &mut Run) -> Checked {
    let (token, identifier) = (run.professional()?, run.identifier()?);
    let oid = &earlier(&run.report, "the report")?.oid;
    let path = format!(
        "Observation?patient.identifier={identifier}&code=http://loinc.org%7C4548-4&date=ge{}&_sort=-date",
        run.stamp.day()
    );
    let found = matches(&run.expect(200, Call::get(&path, Some(&token)))?.json());
    let source = format!("urn:oid:{oid}");
    // meta.source names the document where the server fills it; otherwise the value of today tells.
    let own = found.iter().find(|observation| text(observation, "/meta/source").starts_with(&source));
    let own = own.or_else(|| found.iter().find(|observation| number(observation) == "7.3"));
    let observation = own.cloned().ok_or_else(|| fail("the result of the deposited document is not among the answers"))?;
    ensure(number(&observation) == "7.3", format!("the value is {:?}", number(&observation)))?;
    ensure(text(&observation, "/status") == "final", "status is not final")?;
    ensure(text(&observation, "/valueQuantity/code") == "%", "the unit is not %")?;
    let (low, high) = (at(&observation, "/referenceRange/0/low/value"), at(&observation, "/referenceRange/0/high/value"));
    ensure(low == "4.0" && high == "6.0", format!("the range is {low:?} to {high:?}, digits included"))?;
    ensure(text(&observation, "/interpretation/0/coding/0/code") == "H", "the interpretation is not H")?;
    run.observation = Some(observation);
    Ok(())
}

fn at(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).map(Value::to_string).unwrap_or_default()
}

fn number(observation: &Value) -> String {
    at(observation, "/valueQuantity/value")
}

fn path(run: &Run) -> Result<String, Shortfall> {
    Ok(format!("Observation/{}", text(earlier(&run.observation, "the result")?, "/id")))
}

pub(crate) fn read(run: &mut Run) -> Checked {
    let (token, path) = (run.professional()?, path(run)?);
    let answer = run.expect(200, Call::get(&path, Some(&token)))?;
    let version = format!("W/\"{}\"", text(&answer.json(), "/meta/versionId"));
    ensure(answer.header("etag") == version, format!("ETag is {:?}, versionId makes {version:?}", answer.header("etag")))?;
    ensure(!answer.header("last-modified").is_empty(), "Last-Modified is absent")
}

pub(crate) fn xml(run: &mut Run) -> Checked {
    let (token, path) = (run.professional()?, path(run)?);
    let answer = run.expect(200, Call::get(&path, Some(&token)).accept(XML))?;
    ensure(answer.header("content-type").starts_with(XML), format!("Content-Type is {:?}", answer.header("content-type")))?;
    let body = answer.text();
    ensure(
        body.contains("<Observation") && body.contains("value=\"7.3\"") && body.contains("value=\"4548-4\""),
        "the XML has not the same result",
    )
}

pub(crate) fn version(run: &mut Run) -> Checked {
    let (token, path) = (run.professional()?, path(run)?);
    let current = run.expect(200, Call::get(&path, Some(&token)))?;
    let etag = current.header("etag").to_owned();
    let version = text(&current.json(), "/meta/versionId").to_owned();
    let read = run.expect(200, Call::get(&format!("{path}/_history/{version}"), Some(&token)))?;
    ensure(read.json() == current.json(), "the version read differs from the current one")?;
    run.expect(304, Call::get(&path, Some(&token)).headers(&[("If-None-Match", &etag)])).map(drop)
}

pub(crate) fn provenance(run: &mut Run) -> Checked {
    let (token, id) = (run.professional()?, text(earlier(&run.observation, "the result")?, "/id").to_owned());
    let search = format!("Observation?_id={id}&patient.identifier={}&_revinclude=Provenance:target", run.identifier()?);
    let bundle = run.expect(200, Call::get(&search, Some(&token)))?.json();
    let document = text(earlier(&run.document, "the document")?, "/id").to_owned();
    let entries = bundle.get("entry").and_then(Value::as_array).into_iter().flatten();
    let provenance =
        entries.filter_map(|entry| entry.get("resource")).find(|resource| text(resource, "/resourceType") == "Provenance");
    let provenance = provenance.ok_or_else(|| fail("no Provenance comes with the result"))?;
    let entity = at(provenance, "/entity");
    ensure(entity.contains(&document), "the Provenance does not name the document")
}

pub(crate) fn translation(run: &mut Run) -> Checked {
    let token = run.professional()?;
    let path = format!("DocumentReference/{}/$translation", text(earlier(&run.document, "the document")?, "/id"));
    let parameters = run.expect(200, Call::get(&path, Some(&token)))?.json();
    ensure(text(&parameters, "/resourceType") == "Parameters", "the answer is no Parameters")?;
    let entries: Vec<&Value> = parameters
        .get("parameter")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter(|parameter| text(parameter, "/name") == "entry")
        .collect();
    ensure(!entries.is_empty(), "no entry is accounted for")?;
    let has = |entry: &Value, names: &[&str]| {
        let parts = entry.get("part").and_then(Value::as_array).into_iter().flatten();
        parts.into_iter().any(|part| names.contains(&text(part, "/name")))
    };
    let without = entries.iter().filter(|entry| !has(entry, &["path"]) || !has(entry, &["target", "reason"])).count();
    ensure(without == 0, format!("{without} of {} entries have no path, or neither target nor reason", entries.len()))
}
