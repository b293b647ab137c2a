//! Invariants of Bundle. <https://hl7.org/fhir/R4/bundle.html#invs>
use super::{Checker, Object};
use crate::fhir::IssueKind;
use serde_json::Value;
use std::collections::HashSet;

pub(super) fn check(checker: &mut Checker, bundle: &Object) {
    let kind = bundle.get("type").and_then(Value::as_str).unwrap_or("");
    let entries = bundle.get("entry").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if bundle.contains_key("total") && !matches!(kind, "searchset" | "history") {
        checker.report_at("total", IssueKind::InvariantBroken, "bdl-1: total is for a searchset or a history");
    }
    let mut full_urls = HashSet::new();
    for (index, entry) in entries.iter().enumerate() {
        let Value::Object(entry) = entry else { continue };
        checker.under("entry", |checker| {
            checker.at_index(index, |checker| {
                parts(checker, kind, entry);
                full_url(checker, kind, entry, &mut full_urls);
            });
        });
    }
    let first = entries.first().and_then(|entry| entry.get("resource")?.get("resourceType")?.as_str());
    match kind {
        "document" => document(checker, bundle, first),
        "message" if first != Some("MessageHeader") => {
            checker.report(IssueKind::InvariantBroken, "bdl-12: the first entry of a message is its MessageHeader");
        }
        _ => {}
    }
}

/// Which parts an entry has, by the type of the Bundle (bdl-2 to bdl-5).
fn parts(checker: &mut Checker, kind: &str, entry: &Object) {
    let rule = |checker: &mut Checker, step: &str, text: &str| checker.report_at(step, IssueKind::InvariantBroken, text);
    let has = |name: &str| entry.contains_key(name);
    if has("search") && kind != "searchset" {
        rule(checker, "search", "bdl-2: entry.search is for a searchset");
    }
    if has("request") != matches!(kind, "batch" | "transaction" | "history") {
        rule(checker, "request", "bdl-3: entry.request is mandatory for batch, transaction and history, and for no other type");
    }
    if has("response") != matches!(kind, "batch-response" | "transaction-response" | "history") {
        rule(checker, "response", "bdl-4: entry.response is mandatory for responses and history, and for no other type");
    }
    if !has("resource") && !has("request") && !has("response") {
        checker.report(IssueKind::InvariantBroken, "bdl-5: an entry has a resource, a request or a response");
    }
}

/// bdl-7 (unique with its version) and bdl-8 (not of a version).
fn full_url<'a>(checker: &mut Checker, kind: &str, entry: &'a Object, seen: &mut HashSet<(&'a str, &'a str)>) {
    let Some(Value::String(full_url)) = entry.get("fullUrl") else { return };
    if full_url.contains("/_history/") {
        checker.report_at("fullUrl", IssueKind::InvariantBroken, "bdl-8: fullUrl is not of a version");
    }
    let version = entry.get("resource").and_then(|resource| resource.get("meta")?.get("versionId")?.as_str());
    if !seen.insert((full_url, version.unwrap_or(""))) && kind != "history" {
        checker.report_at("fullUrl", IssueKind::InvariantBroken, "bdl-7: the same fullUrl twice");
    }
}

fn document(checker: &mut Checker, bundle: &Object, first: Option<&str>) {
    let identifier = bundle.get("identifier");
    let has = |name: &str| identifier.is_some_and(|identifier| identifier.get(name).is_some());
    if !has("system") || !has("value") {
        checker.report(IssueKind::InvariantBroken, "bdl-9: a document has an identifier with system and value");
    }
    if !bundle.contains_key("timestamp") {
        checker.report(IssueKind::InvariantBroken, "bdl-10: a document has a timestamp");
    }
    if first != Some("Composition") {
        checker.report(IssueKind::InvariantBroken, "bdl-11: the first entry of a document is its Composition");
    }
}
