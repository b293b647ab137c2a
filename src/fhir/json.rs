//! Strict reading of JSON, and the place of id and meta in it. <https://hl7.org/fhir/R4/json.html>
//!
//! A reader of its own because serde_json's accepts a key twice (the last wins), names no place of a fault, and changes
//! the digits of a decimal's exponent (`1E-2` to `1e-2`).
use super::outcome::{Issue, IssueKind, Problem};
use super::{Resource, check};
use serde_json::{Map, Number, Value};

/// Greatest nesting of objects and arrays (DESIGN, limits of every input).
pub const DEPTH_MAX: usize = 64;

/// Reads a resource that came from outside: well-formed JSON (400) and a resource of R4 (422), with all faults at once.
///
/// # Errors
/// `Malformed` for what is no JSON object; the issues of [`check::check`].
pub fn parse(bytes: &[u8]) -> Result<Resource, Problem> {
    let resource = parse_unchecked(bytes)?;
    Problem::from_issues(check::check(&resource)).map_or(Ok(resource), Err)
}

/// Reads a JSON object without judging it as a resource: for bodies that passed [`parse`] before.
///
/// # Errors
/// `Malformed` for what is no JSON object.
pub fn parse_unchecked(bytes: &[u8]) -> Result<Resource, Problem> {
    match parse_value(bytes)? {
        Value::Object(resource) => Ok(resource),
        _ => Err(Problem::new(IssueKind::Malformed, "The body is not a JSON object")),
    }
}

/// Reads any JSON value under the same rules (a JSON Patch is an array).
///
/// # Errors
/// `Malformed` with line and column, and the place of a key that stands twice.
pub fn parse_value(bytes: &[u8]) -> Result<Value, Problem> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes)
        .map_err(|error| Problem::new(IssueKind::Malformed, format!("Not UTF-8 at byte {}", error.valid_up_to())))?;
    let mut reader = Reader { text, at: 0, depth: 0, path: Vec::new() };
    let value = reader.value()?;
    reader.white_space();
    if reader.at < text.len() { Err(reader.fault("Text after the end of the JSON value")) } else { Ok(value) }
}

enum Step {
    Key(String),
    Index(usize),
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    path: Vec<Step>,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or("")
    }
    fn white_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }
    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// A fault with its line and column: texts of the body itself are not repeated.
    fn fault(&self, what: &str) -> Problem {
        let before = self.text.get(..self.at).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        Problem::new(IssueKind::Malformed, format!("{what} (line {line}, column {column})"))
    }

    fn value(&mut self) -> Result<Value, Problem> {
        self.white_space();
        match self.peek() {
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::array),
            Some(b'"') => self.string().map(Value::String),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(_) => self.word(),
            None => Err(self.fault("The JSON text ends too early")),
        }
    }

    fn nested(&mut self, read: fn(&mut Self) -> Result<Value, Problem>) -> Result<Value, Problem> {
        self.at += 1;
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(self.fault(&format!("Nested deeper than {DEPTH_MAX}")));
        }
        let value = read(self)?;
        self.depth -= 1;
        Ok(value)
    }

    fn object(&mut self) -> Result<Value, Problem> {
        let mut members = Map::new();
        self.white_space();
        if self.take(b'}') {
            return Ok(Value::Object(members));
        }
        loop {
            self.white_space();
            if self.peek() != Some(b'"') {
                return Err(self.fault("A member's name is expected"));
            }
            let key = self.string()?;
            self.white_space();
            if !self.take(b':') {
                return Err(self.fault("A colon is expected"));
            }
            if members.contains_key(&key) {
                return Err(self.twice(&members, &key));
            }
            self.path.push(Step::Key(key.clone()));
            let value = self.value()?;
            self.path.pop();
            members.insert(key, value);
            self.white_space();
            if self.take(b'}') {
                return Ok(Value::Object(members));
            }
            if !self.take(b',') {
                return Err(self.fault("A comma or } is expected"));
            }
        }
    }

    fn array(&mut self) -> Result<Value, Problem> {
        let mut items = Vec::new();
        self.white_space();
        if self.take(b']') {
            return Ok(Value::Array(items));
        }
        loop {
            self.path.push(Step::Index(items.len()));
            items.push(self.value()?);
            self.path.pop();
            self.white_space();
            if self.take(b']') {
                return Ok(Value::Array(items));
            }
            if !self.take(b',') {
                return Err(self.fault("A comma or ] is expected"));
            }
        }
    }

    fn string(&mut self) -> Result<String, Problem> {
        let start = self.at;
        self.at += 1;
        let mut escaped = false;
        loop {
            match self.peek() {
                None => return Err(self.fault("A string without an end")),
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    self.at += 2;
                }
                Some(0..0x20) => return Err(self.fault("A control character that must be escaped")),
                Some(_) => self.at += 1,
            }
        }
        self.at += 1;
        let quoted = self.text.get(start..self.at).unwrap_or("");
        if escaped {
            return serde_json::from_str(quoted).map_err(|_error| self.fault("A string with an unknown escape"));
        }
        Ok(quoted.trim_matches('"').to_owned())
    }

    fn number(&mut self) -> Result<Value, Problem> {
        let rest = self.rest();
        let end = rest.find(|c: char| !matches!(c, '0'..='9' | '.' | '-' | '+' | 'e' | 'E')).unwrap_or(rest.len());
        let digits = rest.get(..end).unwrap_or("");
        if !is_number(digits) {
            return Err(self.fault("Not a JSON number"));
        }
        self.at += end;
        // The one way to keep the digits as they stand; from_str changes exponents. `is_number` has judged them.
        Ok(Value::Number(Number::from_string_unchecked(digits.to_owned())))
    }

    fn word(&mut self) -> Result<Value, Problem> {
        for (word, value) in [("true", Value::Bool(true)), ("false", Value::Bool(false)), ("null", Value::Null)] {
            if self.rest().starts_with(word) {
                self.at += word.len();
                return Ok(value);
            }
        }
        Err(self.fault("Not a JSON value"))
    }

    /// The same key twice, at its FHIRPath where the body is a resource.
    fn twice(&self, members: &Map<String, Value>, key: &str) -> Problem {
        let mut expression = match (self.path.is_empty(), members.get("resourceType").and_then(Value::as_str)) {
            (true, Some(name)) if name.bytes().all(|byte| byte.is_ascii_alphabetic()) => name.to_owned(),
            _ => "%resource".to_owned(),
        };
        for step in &self.path {
            match step {
                Step::Key(key) => expression.extend([".", key]),
                Step::Index(index) => expression.push_str(&format!("[{index}]")),
            }
        }
        expression.extend([".", key]);
        Issue::at(IssueKind::Malformed, expression, "The member stands twice").into()
    }
}

/// Whether objects and arrays nest no deeper than [`DEPTH_MAX`]: what XML brought must be readable as JSON again.
#[must_use]
pub fn is_within_depth(resource: &Resource) -> bool {
    fn within(value: &Value, left: usize) -> bool {
        match value {
            Value::Object(members) => left > 0 && members.values().all(|member| within(member, left - 1)),
            Value::Array(items) => left > 0 && items.iter().all(|item| within(item, left - 1)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
        }
    }
    resource.values().all(|member| within(member, DEPTH_MAX - 1))
}

/// The same JSON with line breaks and indentation, for `_pretty=true`; digits stay.
///
/// # Errors
/// `Malformed` for what is no JSON object.
pub fn pretty(bytes: &[u8]) -> Result<Vec<u8>, Problem> {
    serde_json::to_vec_pretty(&parse_unchecked(bytes)?)
        .map_err(|_error| Problem::new(IssueKind::Internal, "A stored resource cannot be written as JSON"))
}

/// The JSON grammar of numbers: `-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?`.
#[must_use]
pub fn is_number(text: &str) -> bool {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
        None => (unsigned, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits(whole) && (whole == "0" || !whole.starts_with('0')) && fraction.is_none_or(digits) && exponent.is_none_or(digits)
}

/// What the server itself writes into a resource: its id and its meta.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Identity<'a> {
    /// Logical id.
    pub id: &'a str,
    /// `meta.versionId`.
    pub version: i64,
    /// `meta.lastUpdated`, an instant in text.
    pub last_updated: &'a str,
    /// `meta.source`.
    pub source: Option<&'a str>,
    /// `meta.profile`; none leaves it out.
    pub profiles: &'a [&'a str],
    /// `meta.security`, as Codings; none leaves it out.
    pub security: Vec<Value>,
    /// `meta.tag`, as Codings; none leaves it out.
    pub tags: Vec<Value>,
}

/// Puts id and meta into a resource, in canonical order: resourceType, id, meta first, all else as it stands.
///
/// The whole meta is the server's; `meta.extension` and `meta.id` of the client stay.
pub fn with_meta(resource: &mut Resource, identity: Identity<'_>) {
    let mut meta = Map::new();
    if let Some(Value::Object(given)) = resource.get("meta") {
        let kept = given.iter().filter(|(key, _)| matches!(key.as_str(), "id" | "extension"));
        meta.extend(kept.map(|(key, value)| (key.clone(), value.clone())));
    }
    meta.insert("versionId".into(), identity.version.to_string().into());
    meta.insert("lastUpdated".into(), identity.last_updated.into());
    if let Some(source) = identity.source {
        meta.insert("source".into(), source.into());
    }
    for (name, values) in [
        ("profile", identity.profiles.iter().map(|profile| Value::from(*profile)).collect()),
        ("security", identity.security),
        ("tag", identity.tags),
    ] {
        if !values.is_empty() {
            meta.insert(name.into(), Value::Array(values));
        }
    }
    let rest = std::mem::take(resource);
    let resource_type = rest.get("resourceType").cloned().unwrap_or_default();
    resource.insert("resourceType".into(), resource_type);
    resource.insert("id".into(), identity.id.into());
    resource.insert("meta".into(), Value::Object(meta));
    let written = |key: &str| matches!(key, "resourceType" | "id" | "meta");
    resource.extend(rest.into_iter().filter(|(key, _)| !written(key)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn fault(text: &str) -> Issue {
        parse_value(text.as_bytes()).unwrap_err().issues().next().unwrap().clone()
    }

    #[test]
    fn digits_of_decimals_are_kept_byte_for_byte() {
        for text in ["[1.00,1e-7,1E-7,-0.0,123456789012345678901234567890.10,1e+07]", r#"{"a":[0.10,{"b":10}]}"#] {
            assert_eq!(parse_value(text.as_bytes()).unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_key_that_stands_twice_is_refused_at_its_place() {
        let at = |text| fault(text).expression.unwrap();
        assert_eq!(at(r#"{"resourceType":"Patient","active":true,"active":false}"#), "Patient.active");
        assert_eq!(at(r#"{"name":[{},{"family":"a","family":"b"}]}"#), "%resource.name[1].family");
        assert_eq!(at("{\"a\":1,\"\\u0061\":2}"), "%resource.a");
    }

    #[test]
    fn malformed_text_is_refused_with_line_and_column() {
        let faults = [
            ("", "The JSON text ends too early (line 1, column 1)"),
            ("{\"a\":1,}", "A member's name is expected (line 1, column 8)"),
            ("{\"a\":1}\n x", "Text after the end of the JSON value (line 2, column 2)"),
            ("[01]", "Not a JSON number (line 1, column 2)"),
            ("[1.]", "Not a JSON number (line 1, column 2)"),
            ("[+1]", "Not a JSON value (line 1, column 2)"),
            ("[NaN]", "Not a JSON value (line 1, column 2)"),
            ("[truex]", "A comma or ] is expected (line 1, column 6)"),
            ("\"a\nb\"", "A control character that must be escaped (line 1, column 3)"),
            ("\"a", "A string without an end (line 1, column 3)"),
            ("\"\\x\"", "A string with an unknown escape (line 1, column 5)"),
            ("\"\\ud800\"", "A string with an unknown escape (line 1, column 9)"),
            ("{\"a\" 1}", "A colon is expected (line 1, column 6)"),
            ("[1 2]", "A comma or ] is expected (line 1, column 4)"),
            ("{'a':1}", "A member's name is expected (line 1, column 2)"),
        ];
        for (text, expected) in faults {
            let issue = fault(text);
            assert_eq!((issue.kind, issue.diagnostics.as_str()), (IssueKind::Malformed, expected), "{text:?}");
        }
        assert_eq!(parse_value(b"\"\xff\"").unwrap_err().status(), 400);
    }

    #[test]
    fn escapes_are_resolved_and_a_quote_at_either_end_stays() {
        assert_eq!(parse_value(br#""\"a\"""#).unwrap(), json!("\"a\""));
        assert_eq!(parse_value(br#""\ud83d\ude00\n\u00e9""#).unwrap(), json!("😀\né"));
        assert_eq!(parse_value(br#""""#).unwrap(), json!(""));
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse_value(nested(64).as_bytes()).is_ok());
        assert_eq!(parse_value(nested(65).as_bytes()).unwrap_err().status(), 400);
        assert_eq!(parse_value("[".repeat(1_000_000).as_bytes()).unwrap_err().status(), 400);
    }

    proptest::proptest! {
        /// serde_json is the oracle: the same texts are accepted, with the same values (but for keys that stand twice).
        #[test]
        fn texts_are_accepted_as_serde_json_accepts_them(text in r#"[\[\]{}:,"\\ea0-2.+\-Etrufalsn ]{0,12}"#) {
            let ours = parse_value(text.as_bytes()).ok();
            let theirs = serde_json::from_str::<Value>(&text).ok();
            let twice = theirs.is_some() && parse_value(text.as_bytes()).is_err_and(|problem| problem.issues().all(|issue| issue.expression.is_some()));
            proptest::prop_assert!(twice || ours.is_some() == theirs.is_some(), "{}", text);
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..64)) {
            let _ = parse(&bytes);
        }

        /// What was written is read as it was.
        #[test]
        fn any_string_comes_back(text in "\\PC{0,40}|[\\x00-\\x7f]{0,40}") {
            let value = Value::from(text);
            proptest::prop_assert_eq!(parse_value(value.to_string().as_bytes()).unwrap(), value);
        }
    }

    #[test]
    fn pretty_keeps_digits_and_order() {
        assert_eq!(pretty(br#"{"b":1.00,"a":[2E-1]}"#).unwrap(), b"{\n  \"b\": 1.00,\n  \"a\": [\n    2E-1\n  ]\n}");
    }

    #[test]
    fn a_body_that_is_no_object_is_malformed() {
        assert_eq!(parse(b"[]").unwrap_err().kind(), IssueKind::Malformed);
    }

    #[test]
    fn id_and_meta_come_first_and_the_rest_keeps_its_order() {
        let mut resource = parse_unchecked(
            br#"{"meta":{"tag":[{"code":"x"}],"extension":[{"url":"u"}]},"active":true,"resourceType":"Patient","name":[{}]}"#,
        )
        .unwrap();
        let identity = Identity {
            id: "i",
            version: 2,
            last_updated: "2026-11-24T10:00:00Z",
            source: Some("urn:oid:1.2"),
            profiles: &["http://p"],
            ..Identity::default()
        };
        with_meta(&mut resource, identity);
        assert_eq!(
            Value::Object(resource).to_string(),
            r#"{"resourceType":"Patient","id":"i","meta":{"extension":[{"url":"u"}],"versionId":"2","lastUpdated":"2026-11-24T10:00:00Z","source":"urn:oid:1.2","profile":["http://p"]},"active":true,"name":[{}]}"#
        );
    }
}
