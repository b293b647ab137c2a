//! Bundles made of stored bodies by putting bytes one after the other: no body is parsed. <https://hl7.org/fhir/R4/bundle.html>
use serde_json::Value;

/// Why an entry is in a searchset. <https://hl7.org/fhir/R4/valueset-search-entry-mode.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SearchMode {
    /// It matches the search.
    Match,
    /// It was asked for beside the matches.
    Include,
}

impl SearchMode {
    const fn code(self) -> &'static str {
        match self {
            Self::Match => "match",
            Self::Include => "include",
        }
    }
}

/// What a searchset is made of.
pub struct SearchSet<'a, E> {
    /// The search as it was understood.
    pub self_link: &'a str,
    /// The next page.
    pub next_link: Option<&'a str>,
    /// Number of matches over all pages.
    pub total: Option<u64>,
    /// fullUrl, body and mode of each entry, in the order of the answer.
    pub entries: E,
    /// An OperationOutcome about the search itself: what was ignored.
    pub outcome: Option<Value>,
}

/// The JSON of a Bundle of type searchset.
#[must_use]
pub fn searchset<'a, E, U, B>(set: SearchSet<'a, E>) -> Vec<u8>
where
    E: IntoIterator<Item = (U, B, SearchMode)>,
    U: AsRef<str>,
    B: AsRef<[u8]>,
{
    let mut out = Writer::new("searchset");
    out.head(set.self_link, set.next_link, set.total);
    for (full_url, body, mode) in set.entries {
        out.entry();
        out.raw(b"{\"fullUrl\":");
        out.string(full_url.as_ref());
        out.raw(b",\"resource\":");
        out.raw(body.as_ref());
        out.search(mode.code());
    }
    if let Some(outcome) = set.outcome {
        out.entry();
        // An outcome is no resource that is stored; an entry without fullUrl would be none of a searchset.
        out.raw(b"{\"fullUrl\":");
        out.string(&uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_URL, set.self_link.as_bytes()).urn().to_string());
        out.raw(b",\"resource\":");
        out.raw(outcome.to_string().as_bytes());
        out.search("outcome");
    }
    out.end()
}

/// The JSON of a Bundle of type document: fullUrl and body of each entry, the Composition first.
/// <https://hl7.org/fhir/R4/documents.html>
#[must_use]
pub fn document(identifier: &str, timestamp: &str, entries: &[(String, &[u8])]) -> Vec<u8> {
    let mut out = Writer::new("document");
    out.raw(b",\"identifier\":{\"system\":\"urn:ietf:rfc:3986\",\"value\":");
    out.string(identifier);
    out.raw(b"},\"timestamp\":");
    out.string(timestamp);
    for (full_url, body) in entries {
        out.entry();
        out.raw(b"{\"fullUrl\":");
        out.string(full_url);
        out.raw(b",\"resource\":");
        out.raw(body);
        out.raw(b"}");
    }
    out.end()
}

/// The answer to one entry of a transaction or batch. <https://hl7.org/fhir/R4/http.html#transaction-response>
#[derive(Debug, Clone, Default)]
pub struct EntryResponse {
    /// fullUrl of the resource.
    pub full_url: Option<String>,
    /// Body of the resource, where the caller wants it back.
    pub resource: Option<Vec<u8>>,
    /// Status line, such as `201 Created`.
    pub status: String,
    /// Where the resource is now.
    pub location: Option<String>,
    /// Its version, as `W/"1"`.
    pub etag: Option<String>,
    /// When it changed, an instant.
    pub last_modified: Option<String>,
    /// What is to be said about the entry.
    pub outcome: Option<Value>,
}

/// The JSON of a Bundle of type transaction-response, its entries in the order of the request.
#[must_use]
pub fn transaction_response(entries: &[EntryResponse]) -> Vec<u8> {
    responses("transaction-response", entries)
}

/// The JSON of a Bundle of type batch-response, its entries in the order of the request.
#[must_use]
pub fn batch_response(entries: &[EntryResponse]) -> Vec<u8> {
    responses("batch-response", entries)
}

fn responses(kind: &str, entries: &[EntryResponse]) -> Vec<u8> {
    let mut out = Writer::new(kind);
    for entry in entries {
        out.answered(entry.full_url.as_deref(), entry.resource.as_deref());
        out.raw(b"\"response\":{\"status\":");
        out.string(&entry.status);
        let members = [("location", &entry.location), ("etag", &entry.etag), ("lastModified", &entry.last_modified)];
        for (name, value) in members {
            if let Some(value) = value {
                out.raw(format!(",\"{name}\":").as_bytes());
                out.string(value);
            }
        }
        if let Some(outcome) = &entry.outcome {
            out.raw(b",\"outcome\":");
            out.raw(outcome.to_string().as_bytes());
        }
        out.raw(b"}}");
    }
    out.end()
}

/// One version of a resource in a history. <https://hl7.org/fhir/R4/http.html#history>
#[derive(Debug, Clone)]
pub struct HistoryEntry {
    /// fullUrl of the resource; none for a further deletion of it, which nothing else tells apart (bdl-7).
    pub full_url: Option<String>,
    /// The version; none for a deletion.
    pub resource: Option<Vec<u8>>,
    /// POST, PUT or DELETE.
    pub method: &'static str,
    /// `[type]` of a POST, `[type]/[id]` of the others.
    pub url: String,
    /// Status line that the interaction was answered with.
    pub status: &'static str,
    /// Its version, as `W/"1"`.
    pub etag: String,
    /// When it was written, an instant.
    pub last_modified: String,
}

/// The JSON of a Bundle of type history, newest first.
#[must_use]
pub fn history(self_link: &str, next_link: Option<&str>, total: Option<u64>, entries: &[HistoryEntry]) -> Vec<u8> {
    let mut out = Writer::new("history");
    out.head(self_link, next_link, total);
    for entry in entries {
        out.answered(entry.full_url.as_deref(), entry.resource.as_deref());
        out.raw(format!("\"request\":{{\"method\":\"{}\",\"url\":", entry.method).as_bytes());
        out.string(&entry.url);
        out.raw(b"},\"response\":{\"status\":");
        out.string(entry.status);
        out.raw(b",\"etag\":");
        out.string(&entry.etag);
        out.raw(b",\"lastModified\":");
        out.string(&entry.last_modified);
        out.raw(b"}}");
    }
    out.end()
}

struct Writer {
    bytes: Vec<u8>,
    entries: usize,
}

impl Writer {
    fn new(kind: &str) -> Self {
        Self { bytes: format!("{{\"resourceType\":\"Bundle\",\"type\":\"{kind}\"").into_bytes(), entries: 0 }
    }
    fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }
    fn string(&mut self, text: &str) {
        self.raw(Value::from(text).to_string().as_bytes());
    }
    fn head(&mut self, self_link: &str, next_link: Option<&str>, total: Option<u64>) {
        if let Some(total) = total {
            self.raw(format!(",\"total\":{total}").as_bytes());
        }
        self.raw(b",\"link\":[{\"relation\":\"self\",\"url\":");
        self.string(self_link);
        if let Some(next) = next_link {
            self.raw(b"},{\"relation\":\"next\",\"url\":");
            self.string(next);
        }
        self.raw(b"}]");
    }
    fn entry(&mut self) {
        self.raw(if self.entries == 0 { b",\"entry\":[" } else { b"," });
        self.entries += 1;
    }
    /// Begins an entry that says how something was answered: what it is about, then more of the entry.
    fn answered(&mut self, full_url: Option<&str>, resource: Option<&[u8]>) {
        self.entry();
        self.raw(b"{");
        if let Some(full_url) = full_url {
            self.raw(b"\"fullUrl\":");
            self.string(full_url);
            self.raw(b",");
        }
        if let Some(resource) = resource {
            self.raw(b"\"resource\":");
            self.raw(resource);
            self.raw(b",");
        }
    }
    fn search(&mut self, mode: &str) {
        self.raw(format!(",\"search\":{{\"mode\":\"{mode}\"}}}}").as_bytes());
    }
    fn end(mut self) -> Vec<u8> {
        self.raw(if self.entries == 0 { b"}" } else { b"]}" });
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fhir::{check, json};
    use serde_json::json;

    fn valid(bytes: &[u8]) -> Value {
        let bundle = json::parse_unchecked(bytes).unwrap();
        assert_eq!(check::check(&bundle), []);
        Value::Object(bundle)
    }

    #[test]
    fn a_searchset_has_links_total_and_entries_with_their_bytes_untouched() {
        let body: &[u8] =
            br#"{"resourceType":"Observation","status":"final","code":{"text":"x"},"valueQuantity":{"value":1.00}}"#;
        let bytes = searchset(SearchSet {
            self_link: "http://x/fhir/Observation?code=\"a\"",
            next_link: Some("http://x/next"),
            total: Some(12),
            entries: [("http://x/fhir/Observation/1", body, SearchMode::Match)],
            outcome: Some(
                json!({"resourceType": "OperationOutcome", "issue": [{"severity": "warning", "code": "not-supported"}]}),
            ),
        });
        assert!(bytes.windows(body.len()).any(|window| window == body));
        let bundle = valid(&bytes);
        assert_eq!(bundle["total"].to_string(), "12");
        assert_eq!(bundle["link"][0], json!({"relation": "self", "url": "http://x/fhir/Observation?code=\"a\""}));
        assert_eq!(bundle["link"][1]["relation"], "next");
        assert_eq!(bundle["entry"][0]["search"]["mode"], "match");
        assert_eq!(bundle["entry"][1]["search"]["mode"], "outcome");
    }

    #[test]
    fn an_empty_searchset_has_no_entry_member() {
        let none: [(&str, &[u8], SearchMode); 0] = [];
        let bytes = searchset(SearchSet { self_link: "http://x", next_link: None, total: Some(0), entries: none, outcome: None });
        assert!(valid(&bytes).get("entry").is_none());
    }

    #[test]
    fn a_transaction_response_keeps_the_order_of_its_entries() {
        let entries = [
            EntryResponse {
                full_url: Some("http://x/fhir/Patient/1".into()),
                resource: Some(br#"{"resourceType":"Patient","id":"1"}"#.to_vec()),
                status: "201 Created".into(),
                location: Some("http://x/fhir/Patient/1/_history/1".into()),
                etag: Some("W/\"1\"".into()),
                last_modified: Some("2026-11-24T10:00:00Z".into()),
                outcome: None,
            },
            EntryResponse { status: "204 No Content".into(), ..EntryResponse::default() },
        ];
        let bundle = valid(&transaction_response(&entries));
        assert_eq!(bundle["type"], "transaction-response");
        assert_eq!(bundle["entry"][0]["response"]["etag"], "W/\"1\"");
        assert_eq!(bundle["entry"][1]["response"]["status"], "204 No Content");
        assert_eq!(valid(&batch_response(&[]))["type"], "batch-response");
    }
}
