//! Who calls, and what he is answered.
use serde_json::Value;
use ureq::http;

/// A caller with his token: specs name persons, not tokens.
#[derive(Clone)]
pub(crate) struct Actor {
    pub(super) agent: ureq::Agent,
    /// `http://127.0.0.1:PORT/fhir`.
    pub(crate) base: String,
    pub(crate) token: Option<String>,
}

impl Actor {
    pub(crate) fn new(agent: &ureq::Agent, base: &str, token: Option<String>) -> Self {
        Self { agent: agent.clone(), base: base.to_owned(), token }
    }

    /// `GET [base]/path` as FHIR JSON.
    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[("Accept", "application/fhir+json")], Vec::new())
    }

    /// `GET [base]/path`, which must succeed: the body.
    pub(crate) fn read(&self, path: &str) -> Value {
        let answer = self.get(path);
        assert_eq!(answer.status, 200, "GET {path}: {}", answer.text());
        answer.json()
    }

    /// Every resource of this type that a search gives, over all its pages.
    pub(crate) fn search(&self, query: &str) -> Vec<Value> {
        let resource_type = query.split('?').next().unwrap().to_owned();
        let pages = self.pages(query);
        let resources = pages.iter().flat_map(resources);
        resources.filter(|resource| resource["resourceType"] == resource_type.as_str()).collect()
    }

    /// Every page of a search, following `next`.
    pub(crate) fn pages(&self, query: &str) -> Vec<Value> {
        let mut pages = vec![self.read(query)];
        while let Some(next) = link(pages.last().unwrap(), "next") {
            assert!(pages.len() < 1_000, "the pages do not end");
            pages.push(self.read(&next));
        }
        pages
    }

    /// `POST [base]/path` with a resource.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        self.send_resource("POST", path, body)
    }

    /// `PUT [base]/path` with a resource.
    pub(crate) fn put(&self, path: &str, body: &Value) -> Answer {
        self.send_resource("PUT", path, body)
    }

    /// `PATCH [base]/path` with a JSON Patch.
    pub(crate) fn patch(&self, path: &str, operations: &Value) -> Answer {
        let headers = [("Content-Type", "application/json-patch+json"), ("Accept", "application/fhir+json")];
        self.send("PATCH", path, &headers, operations.to_string().into_bytes())
    }

    /// `DELETE [base]/path`.
    pub(crate) fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, &[("Accept", "application/fhir+json")], Vec::new())
    }

    fn send_resource(&self, method: &str, path: &str, body: &Value) -> Answer {
        let headers = [("Content-Type", "application/fhir+json"), ("Accept", "application/fhir+json")];
        self.send(method, path, &headers, body.to_string().into_bytes())
    }

    /// Any request; a path with a scheme is taken as it is (links of a Bundle).
    pub(crate) fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Answer {
        let url = if path.starts_with("http") { path.to_owned() } else { format!("{}/{path}", self.base) };
        let mut request = http::Request::builder().method(method).uri(&url);
        if let Some(token) = &self.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = if body.is_empty() && method != "POST" && method != "PUT" {
            self.agent.run(request.body(()).unwrap())
        } else {
            self.agent.run(request.body(body).unwrap())
        };
        Answer::of(answer.unwrap_or_else(|error| panic!("{method} {path}: no answer: {error}")))
    }
}

/// An answer as it came.
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: http::HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    fn of(mut response: http::Response<ureq::Body>) -> Self {
        let body = response.body_mut().with_config().limit(256 << 20).read_to_vec().unwrap();
        Self { status: response.status().as_u16(), headers: response.headers().clone(), body }
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("not JSON ({error}): {}", self.text()))
    }

    /// A header, or nothing.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Asserts the status and gives the body.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        self.json()
    }

    /// Asserts a refusal: status, and an OperationOutcome with this issue type (any, where it is empty) and, where one is given, this expression.
    #[track_caller]
    pub(crate) fn refuses(&self, status: u16, code: &str, expression: Option<&str>) {
        assert_eq!(self.status, status, "{}", self.text());
        let outcome = self.json();
        assert_eq!(outcome["resourceType"], "OperationOutcome", "{outcome}");
        let issues = outcome["issue"].as_array().expect("issues");
        let fits = |issue: &Value| {
            let at = expression.is_none_or(|expression| issue["expression"][0] == expression);
            (code.is_empty() || issue["code"] == code) && at && issue["diagnostics"].as_str().is_some_and(|text| !text.is_empty())
        };
        assert!(issues.iter().any(fits), "no issue `{code}` at {expression:?}: {outcome}");
    }
}

/// Resources of a searchset.
pub(crate) fn resources(bundle: &Value) -> Vec<Value> {
    let entries = bundle["entry"].as_array().into_iter().flatten();
    entries.map(|entry| entry["resource"].clone()).collect()
}

/// A link of a Bundle.
pub(crate) fn link(bundle: &Value, relation: &str) -> Option<String> {
    let mut links = bundle["link"].as_array().into_iter().flatten();
    let found = links.find(|link| link["relation"] == relation)?;
    found["url"].as_str().map(str::to_owned)
}

/// A value of a query, percent-encoded.
pub(crate) fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
