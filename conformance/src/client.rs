//! HTTP as the suite needs it: one request, one answer, no retry, no redirect.
use serde_json::Value;
use std::time::Duration;
use ureq::http::{Request, header};

/// A FHIR server under test.
pub(crate) struct Client {
    base: String,
    agent: ureq::Agent,
}

/// What is sent.
#[derive(Clone, Copy)]
pub(crate) struct Call<'a> {
    method: &'static str,
    path: &'a str,
    token: Option<&'a str>,
    accept: &'a str,
    headers: &'a [(&'a str, &'a str)],
    body: Option<(&'a str, &'a [u8])>,
}

/// FHIR JSON.
pub(crate) const JSON: &str = "application/fhir+json";
/// FHIR XML.
pub(crate) const XML: &str = "application/fhir+xml";

impl<'a> Call<'a> {
    pub(crate) fn get(path: &'a str, token: Option<&'a str>) -> Self {
        Self { method: "GET", path, token, accept: JSON, headers: &[], body: None }
    }
    pub(crate) fn post(path: &'a str, token: Option<&'a str>, body: &'a [u8]) -> Self {
        Self { method: "POST", path, token, accept: JSON, headers: &[], body: Some((JSON, body)) }
    }
    pub(crate) fn accept(self, accept: &'a str) -> Self {
        Self { accept, ..self }
    }
    pub(crate) fn headers(self, headers: &'a [(&'a str, &'a str)]) -> Self {
        Self { headers, ..self }
    }
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: ureq::http::HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// A header as text; empty where it is absent.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
    /// The body as JSON; null where it is none.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
    /// First diagnostics of an OperationOutcome: what a failing report quotes.
    pub(crate) fn diagnostics(&self) -> String {
        self.json().pointer("/issue/0/diagnostics").and_then(Value::as_str).unwrap_or("no diagnostics").to_owned()
    }
}

impl Client {
    pub(crate) fn new(base: &str) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(Duration::from_secs(30)))
            .build();
        Self { base: base.trim_end_matches('/').to_owned(), agent: config.into() }
    }

    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// Sends; the error is a sentence for the report.
    pub(crate) fn send(&self, call: Call<'_>) -> Result<Answer, String> {
        let url = if call.path.starts_with("http://") { call.path.to_owned() } else { format!("{}/{}", self.base, call.path) };
        let mut request = Request::builder().method(call.method).uri(url).header(header::ACCEPT, call.accept);
        if let Some(token) = call.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        for (name, value) in call.headers {
            request = request.header(*name, *value);
        }
        let response = match call.body {
            Some((content_type, body)) => {
                request.header(header::CONTENT_TYPE, content_type).body(body).map(|request| self.agent.run(request))
            }
            None => request.body(()).map(|request| self.agent.run(request)),
        };
        let mut response = response
            .map_err(|error| format!("the request cannot be built: {error}"))?
            .map_err(|error| format!("no answer: {error}"))?;
        let body = response
            .body_mut()
            .with_config()
            .limit(80 << 20)
            .read_to_vec()
            .map_err(|error| format!("the answer breaks off: {error}"))?;
        Ok(Answer { status: response.status().as_u16(), headers: response.headers().clone(), body })
    }
}

/// Percent-encodes a value of a query.
pub(crate) fn query(value: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    value.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_parameter_is_encoded() {
        assert_eq!(query("urn:oid:1.2|9"), "urn%3Aoid%3A1.2%7C9");
    }
}
