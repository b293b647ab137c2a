//! Input that is broken in any way gets 4xx with an OperationOutcome (or the bare 400 of the HTTP layer), never a 5xx, never
//! a closed connection without an answer; and the server goes on answering (DESIGN section 7).
use crate::harness::server::{World, on_sqlite};
use crate::harness::{Actor, PAT_TROIS};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

const PATIENT: &str = r#"{"resourceType":"Patient","active":true,"name":[{"family":"x","given":["a","b"]}],"birthDate":"1970-01-01","multipleBirthInteger":2}"#;
const PATIENT_XML: &str = r#"<?xml version="1.0" encoding="UTF-8"?><Patient xmlns="http://hl7.org/fhir"><active value="true"/><name><family value="x"/></name></Patient>"#;

/// Sends bytes as they are and reads until the server closes.
fn raw(world: &World, bytes: &[u8]) -> String {
    sent(world, bytes, false)
}

fn sent(world: &World, bytes: &[u8], nothing_follows: bool) -> String {
    let mut stream = TcpStream::connect(world.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    // A server that has refused already may close before it has read the rest.
    let _ = stream.write_all(bytes);
    if nothing_follows {
        stream.shutdown(std::net::Shutdown::Write).unwrap();
    }
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

fn still_answers(world: &World) {
    assert_eq!(world.bearer(None).get("metadata").status, 200, "the server answers no more");
}

/// 4xx, with an OperationOutcome in the format that was asked for.
#[track_caller]
fn is_refused(actor: &Actor, method: &str, path: &str, headers: &[(&str, &str)], body: Vec<u8>, what: &str) {
    let answer = actor.send(method, path, headers, body);
    assert!((400..500).contains(&answer.status), "{what}: {} {}", answer.status, answer.text());
    let outcome: Value = serde_json::from_slice(&answer.body).unwrap_or_else(|_| panic!("{what}: {}", answer.text()));
    assert_eq!(outcome["resourceType"], "OperationOutcome", "{what}");
    assert!(outcome["issue"][0]["code"].is_string(), "{what}: {outcome}");
}

/// A raw request gets 4xx: with an OperationOutcome, or as the bare 400 of the HTTP layer.
#[track_caller]
fn raw_is_refused(world: &World, request: &[u8], what: &str) {
    let answer = raw(world, request);
    let status: u16 = answer.get(9..12).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("{what}: {answer:?}"));
    assert!((400..500).contains(&status), "{what}: {answer}");
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    assert!(body.contains("OperationOutcome") || (body.is_empty() && matches!(status, 400 | 414 | 431)), "{what}: {answer}");
}

fn json_headers() -> [(&'static str, &'static str); 2] {
    [("Content-Type", "application/fhir+json"), ("Accept", "application/fhir+json")]
}

#[test]
fn broken_json() {
    let nested = |open: &str, close: &str, depth: usize| format!("{}{}", open.repeat(depth), close.repeat(depth)).into_bytes();
    let text = |text: &str| text.as_bytes().to_vec();
    let mut table: Vec<(&str, Vec<u8>)> = vec![
        ("nothing", text(" ")),
        ("no object", text("[]")),
        ("a string", text("\"Patient\"")),
        ("null", text("null")),
        ("deep arrays", nested("[", "]", 100_000)),
        ("deep objects", nested("{\"a\":", "}", 100_000)),
        ("deep without an end", "[".repeat(1_000_000).into_bytes()),
        (
            "deep extensions",
            format!("{{\"resourceType\":\"Patient\"{}{}}}", ",\"extension\":[{\"url\":\"u\"".repeat(70), "}]".repeat(70))
                .into_bytes(),
        ),
        ("the same key twice", text(r#"{"resourceType":"Patient","active":true,"active":true}"#)),
        ("the same key twice by an escape", text(r#"{"resourceType":"Patient","active":true,"\u0061ctive":true}"#)),
        ("invalid UTF-8", b"{\"resourceType\":\"Patient\",\"id\":\"\xff\xfe\"}".to_vec()),
        ("an overlong form", b"{\"resourceType\":\"Patient\",\"id\":\"\xc0\x80\"}".to_vec()),
        ("a surrogate in UTF-8", b"{\"resourceType\":\"Patient\",\"id\":\"\xed\xa0\x80\"}".to_vec()),
        ("UTF-16", "{\"resourceType\":\"Patient\"}".encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("a lone surrogate", text(r#"{"resourceType":"Patient","name":[{"family":"\ud800"}]}"#)),
        ("a lone low surrogate", text(r#"{"resourceType":"Patient","name":[{"family":"\udc00\ud800"}]}"#)),
        ("a null character", text(r#"{"resourceType":"Patient","name":[{"family":"\u0000"}]}"#)),
        ("a huge integer", text(&format!(r#"{{"resourceType":"Patient","multipleBirthInteger":{}}}"#, "9".repeat(100_000)))),
        ("a huge exponent", text(r#"{"resourceType":"Patient","multipleBirthInteger":1e999999999}"#)),
        ("not a number", text(r#"{"resourceType":"Patient","multipleBirthInteger":NaN}"#)),
        ("a comment", text("{\"resourceType\":\"Patient\"/* x */}")),
        ("a comma at the end", text(r#"{"resourceType":"Patient",}"#)),
        ("text after the end", text(r#"{"resourceType":"Patient"}{}"#)),
        ("a type that is a number", text(r#"{"resourceType":1}"#)),
        ("a type that is unknown", text(r#"{"resourceType":"\u0000"}"#)),
        ("XML", text(PATIENT_XML)),
    ];
    table.extend((1..PATIENT.len()).step_by(7).map(|end| ("cut off", PATIENT.as_bytes()[..end].to_vec())));
    on_sqlite(|world| {
        let system = world.hospital_system();
        for (what, body) in &table {
            for (method, path) in [("POST", "Patient"), ("POST", ""), ("PUT", "Patient/x"), ("POST", "Observation")] {
                is_refused(&system, method, path, &json_headers(), body.clone(), &format!("{what} {method} {path}"));
            }
        }
        still_answers(world);
    });
}

#[test]
fn broken_xml() {
    let fhir = |inside: &str| format!("<Patient xmlns=\"http://hl7.org/fhir\">{inside}</Patient>").into_bytes();
    let entities =
        "<!DOCTYPE lolz [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\"><!ENTITY c \"&b;&b;&b;&b;&b;&b;\">]>";
    let mut table: Vec<(&str, Vec<u8>)> = vec![
        ("nothing", b" ".to_vec()),
        ("a DTD", format!("<!DOCTYPE Patient>{PATIENT_XML}").into_bytes()),
        ("entities", format!("{entities}<Patient xmlns=\"http://hl7.org/fhir\"><language value=\"&c;\"/></Patient>").into_bytes()),
        ("an external entity", b"<!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><Patient xmlns=\"http://hl7.org/fhir\"><language value=\"&x;\"/></Patient>".to_vec()),
        ("an unknown entity", fhir("<language value=\"&eacute;\"/>")),
        ("a character reference of nothing", fhir("<language value=\"&#0;\"/>")),
        ("a character reference beyond", fhir("<language value=\"&#x110000;\"/>")),
        ("deep", fhir(&format!("{}{}", "<extension>".repeat(50_000), "</extension>".repeat(50_000)))),
        ("deep without an end", "<a>".repeat(300_000).into_bytes()),
        ("a deep narrative", fhir(&format!("<text><status value=\"generated\"/><div xmlns=\"http://www.w3.org/1999/xhtml\">{}{}</div></text>", "<b>".repeat(50_000), "</b>".repeat(50_000)))),
        ("many attributes", fhir(&format!("<active value=\"true\" {}/>", (0..5_000).map(|index| format!("a{index}=\"\"")).collect::<Vec<_>>().join(" ")))),
        ("the same attribute twice", fhir("<active value=\"true\" value=\"true\"/>")),
        ("an encoding that it is not in", PATIENT_XML.replace("UTF-8", "ISO-8859-1").into_bytes()),
        ("an encoding that does not exist", PATIENT_XML.replace("UTF-8", "x-nothing").into_bytes()),
        ("an empty encoding", PATIENT_XML.replace("UTF-8", "").into_bytes()),
        ("UTF-16", PATIENT_XML.encode_utf16().flat_map(u16::to_be_bytes).collect()),
        ("UTF-16 with its mark", [0xFF, 0xFE].into_iter().chain(PATIENT_XML.encode_utf16().flat_map(u16::to_le_bytes)).collect()),
        ("invalid UTF-8", b"<Patient xmlns=\"http://hl7.org/fhir\"><language value=\"\xff\"/></Patient>".to_vec()),
        ("another namespace", b"<Patient xmlns=\"urn:x\"/>".to_vec()),
        ("no namespace", b"<Patient/>".to_vec()),
        ("an unbound prefix", b"<f:Patient/>".to_vec()),
        ("two roots", [PATIENT_XML.as_bytes(), b"<Patient xmlns=\"http://hl7.org/fhir\"/>"].concat()),
        ("tags that cross", fhir("<name><family value=\"x\"></name></family>")),
        ("text between elements", fhir("text")),
        ("a CDATA section", fhir("<![CDATA[x]]>")),
        ("a comment without an end", fhir("<!-- ")),
        ("JSON", PATIENT.as_bytes().to_vec()),
    ];
    table.extend((1..PATIENT_XML.len()).step_by(7).map(|end| ("cut off", PATIENT_XML.as_bytes()[..end].to_vec())));
    let headers = [("Content-Type", "application/fhir+xml"), ("Accept", "application/fhir+json")];
    on_sqlite(|world| {
        let system = world.hospital_system();
        for (what, body) in &table {
            for (method, path) in [("POST", "Patient"), ("POST", ""), ("PUT", "Patient/x")] {
                is_refused(&system, method, path, &headers, body.clone(), &format!("{what} {method} {path}"));
            }
        }
        still_answers(world);
    });
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn broken_compression() {
    let good = gzip(b"{\"resourceType\":\"Nonsense\"}");
    let mut checksum = good.clone();
    let last = checksum.len() - 5;
    checksum[last] ^= 0xFF;
    let mut method = good.clone();
    method[2] = 7;
    let table: Vec<(&str, &str, Vec<u8>)> = vec![
        ("no gzip", "gzip", PATIENT.as_bytes().to_vec()),
        ("cut off in its head", "gzip", good[..5].to_vec()),
        ("cut off in its data", "gzip", good[..good.len() - 12].to_vec()),
        ("cut off in its checksum", "gzip", good[..good.len() - 3].to_vec()),
        ("a wrong checksum", "gzip", checksum),
        ("an unknown method", "gzip", method),
        ("a bomb", "gzip", gzip(&vec![b' '; 80 << 20])),
        ("a bomb in a bomb", "gzip", gzip(&gzip(&vec![0; 80 << 20]))),
        ("deflate that is none", "deflate", PATIENT.as_bytes().to_vec()),
        ("brotli", "br", PATIENT.as_bytes().to_vec()),
        ("an unknown encoding", "nonsense", PATIENT.as_bytes().to_vec()),
        ("two encodings", "gzip, gzip", good),
    ];
    on_sqlite(|world| {
        let system = world.hospital_system();
        for (what, encoding, body) in &table {
            let headers = [json_headers()[0], json_headers()[1], ("Content-Encoding", encoding)];
            is_refused(&system, "POST", "Patient", &headers, body.clone(), what);
        }
        still_answers(world);
    });
}

/// A request line and headers, with the token of the system.
fn request(actor: &Actor, method: &str, target: &str, headers: &str, body: &str) -> Vec<u8> {
    let token = actor.token.as_deref().unwrap();
    let length = body.len();
    format!(
        "{method} {target} HTTP/1.1\r\nHost: test\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\
         Accept: application/fhir+json\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

#[test]
fn broken_urls() {
    on_sqlite(|world| {
        let system = world.hospital_system();
        let long = format!("/fhir/Patient?family={}", "x".repeat(200_000));
        let many = format!("/fhir/Patient?{}", "family=x&".repeat(5_000));
        let chain = format!("/fhir/Observation?{}family=x", "subject.".repeat(200));
        let values = format!("/fhir/Observation?code={}", "a,".repeat(5_000));
        for target in [
            "/fhir/Patient/%",
            "/fhir/Patient/%zz",
            "/fhir/Patient/%ff%fe",
            "/fhir/Patient/%00",
            "/fhir/Patient/a%2Fb",
            "/fhir/Patient/..%2f..%2fetc",
            "/fhir/Patient/../../../etc/passwd",
            "/fhir/Patient//x",
            "/fhir/%50atient%20",
            "/fhir/Patient?family=%",
            "/fhir/Observation?code=%ff",
            "/fhir/Observation?code=%00&nonsense=%00",
            "/fhir/Observation?%00=1",
            "/fhir/Observation?=&=&==",
            "/fhir/Observation?code:=1",
            "/fhir/Observation?:code=1",
            "/fhir/Observation?_count=-1",
            "/fhir/Observation?_count=99999999999999999999",
            "/fhir/Observation?_sort=%00",
            "/fhir/Observation?date=9999999999",
            "/fhir/Observation?date=2020-99-99",
            "/fhir/Observation?value-quantity=1e99999999999",
            "/fhir/Observation?_has:::=1",
            "/fhir/Observation?_has:Observation:subject:_has:Observation:subject:code=1",
            "/fhir/Observation?_include=%00",
            "/fhir/Observation?_elements=%00",
            "/fhir/Observation?_format=%00",
            "/fhir/Observation?_filter=((((((",
            "/fhir/Observation?ct=nonsense",
            "/fhir/Observation?_cursor=nonsense",
            "/fhir/Patient/x/_history/99999999999999999999",
            "/fhir/Patient/x/_history/-1",
            "/fhir/$nonsense",
            "/fhir/Patient/$nonsense",
            "/fhir/Patient/x/$nonsense",
            &long,
            &many,
            &chain,
            &values,
        ] {
            let answer = raw(world, &request(&system, "GET", target, "", ""));
            let what = &target[..target.len().min(80)];
            assert!(answer.starts_with("HTTP/1.1 4"), "{what}: {}", &answer[..answer.len().min(600)]);
            let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
            assert!(body.is_empty() || body.contains("OperationOutcome"), "{what}: {body}");
        }
        still_answers(world);
    });
}

#[test]
fn broken_headers() {
    on_sqlite(|world| {
        world.open_record(&PAT_TROIS);
        let system = world.hospital_system();
        let good = "Content-Type: application/fhir+json\r\n";
        let table = [
            ("PUT", "/fhir/Observation/x", "If-Match: nonsense\r\n"),
            ("PUT", "/fhir/Observation/x", "If-Match: W/\"99999999999999999999\"\r\n"),
            ("PUT", "/fhir/Observation/x", "If-Match: W/\"-1\"\r\n"),
            ("PUT", "/fhir/Observation/x", "If-Match: \"\r\n"),
            ("DELETE", "/fhir/Consent/x", "If-Match: *, *\r\n"),
            ("POST", "/fhir/Observation", "If-None-Exist: %%%\r\n"),
            ("POST", "/fhir/Observation", "If-None-Exist: nonsense=1\r\n"),
            ("GET", "/fhir/Patient/x", "If-Modified-Since: yesterday\r\n"),
            ("GET", "/fhir/Patient/x", "If-Modified-Since: Sun, 99 Foo 99999 99:99:99 GMT\r\n"),
            ("GET", "/fhir/Patient/x", "If-None-Match: W/\r\n"),
            ("GET", "/fhir/Patient/x", "Accept: \"\r\n"),
            ("GET", "/fhir/Patient/x", "Accept: application/fhir+json;q=nonsense\r\n"),
            ("GET", "/fhir/Patient/x", "Prefer: ;;;=,,,\r\n"),
            ("GET", "/fhir/Patient/x", "Accept-Encoding: ;;;q=99\r\n"),
            ("GET", "/fhir/Patient/x", "Cookie: \u{1}\r\n"),
            ("GET", "/fhir/Patient/x", "Range: bytes=9-1\r\n"),
            ("POST", "/fhir/Observation", "Content-Type: application/fhir+json; charset=utf-16\r\n"),
            ("POST", "/fhir/Observation", "Content-Type: application/fhir+json; charset=nonsense\r\n"),
            ("POST", "/fhir/Observation", "Content-Type: application/fhir+json; fhirVersion=9\r\n"),
            ("POST", "/fhir/Observation", "Content-Type: /\r\n"),
            ("POST", "/fhir/Observation", "Content-Type: \r\n"),
            ("POST", "/fhir/Observation", "Content-Type: multipart/form-data; boundary=\r\n"),
            ("POST", "/fhir/Observation", "Content-Type: application/fhir+json\r\nContent-Type: application/fhir+xml\r\n"),
            ("POST", "/fhir/Observation/_search", "Content-Type: application/x-www-form-urlencoded; charset=utf-16\r\n"),
            ("POST", "/fhir/Observation", "Expect: nonsense\r\n"),
        ];
        for (method, target, headers) in table {
            let typed = headers.starts_with("Content-Type") || method == "GET" || method == "DELETE";
            let headers = if typed { headers.to_owned() } else { format!("{good}{headers}") };
            let body = if matches!(method, "POST" | "PUT") { "{\"resourceType\":\"Nonsense\"}" } else { "" };
            raw_is_refused(world, &request(&system, method, target, &headers, body), &format!("{method} {target} {headers:?}"));
        }
        let huge = format!("X-Huge: {}\r\n", "x".repeat(1 << 20));
        raw_is_refused(world, &request(&system, "GET", "/fhir/Patient/x", &huge, ""), "a huge header");
        raw_is_refused(world, &request(&system, "GET", "/fhir/Patient/x", &"X-Many: 1\r\n".repeat(5_000), ""), "many headers");
        still_answers(world);
    });
}

#[test]
fn broken_tokens() {
    on_sqlite(|world| {
        let encoded = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let good = world.hospital_system().token.unwrap();
        let parts: Vec<&str> = good.split('.').collect();
        let (head, claims, signature) = (parts[0], parts[1], parts[2]);
        let mut tokens: Vec<String> =
            ["", ".", "..", "...", "a", "a.b.c", "=.=.=", "%%%.%%%.%%%", "null", "é.é.é", "a b", "a.b.c.d.e", "\"\""]
                .map(str::to_owned)
                .into();
        tokens.extend([
            format!("{head}.{claims}"),
            format!("{head}.{claims}."),
            format!(".{claims}.{signature}"),
            format!("{head}..{signature}"),
            format!("{head}.{claims}.{signature}.{signature}"),
            format!("{head}.{claims}.{signature}="),
            format!("{head}.{claims}.{}", encoded("short")),
            format!("{head}.{claims}.{}", "A".repeat(100_000)),
            format!("{}.{claims}.{signature}", encoded("[]")),
            format!("{}.{claims}.{signature}", encoded("{}")),
            format!("{}.{claims}.{signature}", encoded("{\"alg\":1}")),
            format!("{}.{claims}.{signature}", encoded("{\"alg\":\"ES256\",\"kid\":[]}")),
            format!("{}.{claims}.{signature}", encoded("{\"alg\":\"none\"}")),
            format!("{}.{claims}.", encoded("{\"alg\":\"none\"}")),
            format!("{}.{claims}.{signature}", encoded(&"[".repeat(100_000))),
            format!("{}.{claims}.{signature}", URL_SAFE_NO_PAD.encode([0xFF, 0xFE])),
            format!("{head}.{}.{signature}", encoded("null")),
            format!("{head}.{}.{signature}", encoded("{\"exp\":\"soon\"}")),
            format!("{head}.{}.{signature}", encoded("{\"exp\":1e400}")),
            format!("{head}.{}.{signature}", encoded(&"{\"a\":".repeat(50_000))),
        ]);
        tokens.extend((1..good.len()).step_by(29).map(|end| good[..end].to_owned()));
        for token in tokens {
            let request = format!(
                "GET /fhir/Observation?code=1 HTTP/1.1\r\nHost: test\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\r\n"
            );
            let what = &token[..token.len().min(40)];
            let answer = raw(world, request.as_bytes());
            let is_answer = answer.starts_with("HTTP/1.1 401") && answer.contains("OperationOutcome");
            assert!(is_answer || answer.starts_with("HTTP/1.1 400") || answer.starts_with("HTTP/1.1 431"), "{what}: {answer}");
        }
        for scheme in ["Bearer", "bearer ", "Basic x", "Digest", "\u{7f}", "Bearer  Bearer", ", ,"] {
            let request = format!(
                "GET /fhir/Observation?code=1 HTTP/1.1\r\nHost: test\r\nConnection: close\r\nAuthorization: {scheme}\r\n\r\n"
            );
            raw_is_refused(world, request.as_bytes(), scheme);
        }
        still_answers(world);
    });
}

#[test]
fn broken_http() {
    on_sqlite(|world| {
        let token = world.hospital_system().token.unwrap();
        let auth = format!("Authorization: Bearer {token}\r\nContent-Type: application/fhir+json\r\n");
        let post = |rest: &str| format!("POST /fhir/Observation HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{auth}{rest}");
        let table: Vec<(&str, String)> = vec![
            ("no HTTP", "nonsense\r\n\r\n".into()),
            ("no version", "GET /fhir/metadata\r\n\r\n".into()),
            ("a version that is none", "GET /fhir/metadata HTTP/9.9\r\n\r\n".into()),
            ("spaces in the path", "GET /fhir/Patient/a b HTTP/1.1\r\nHost: x\r\n\r\n".into()),
            ("no colon in a header", "GET /fhir/metadata HTTP/1.1\r\nHost x\r\n\r\n".into()),
            ("a null in a header", "GET /fhir/metadata HTTP/1.1\r\nHost: x\r\nX: \0\r\n\r\n".into()),
            ("a folded header", "GET /fhir/Patient/x HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\nConnection: close\r\n\r\n".into()),
            ("two lengths", post("Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}")),
            ("a negative length", post("Content-Length: -1\r\n\r\n{}")),
            ("a length of letters", post("Content-Length: x\r\n\r\n{}")),
            ("length and chunks", post("Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")),
            ("an unknown coding", post("Transfer-Encoding: nonsense\r\n\r\n{}")),
            ("TLS", "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}".into()),
        ];
        for (what, bytes) in table {
            raw_is_refused(world, bytes.as_bytes(), what);
        }
        // What ends before it is whole, or has chunks that are none, may be closed by the HTTP layer without an answer.
        let size = post("Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n");
        let overflow = post("Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{}\r\n0\r\n\r\n");
        for bytes in [&size, &overflow, "", "G", "GET /fhir/metadata HTTP/1.1\r\nHost", &post("Content-Length: 100\r\n\r\n{")] {
            let answer = sent(world, bytes.as_bytes(), true);
            assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{bytes}: {answer}");
        }
        still_answers(world);
    });
}

/// Numbers that are the same in each run.
struct Seeded(u64);

impl Seeded {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(bound).unwrap()).unwrap()
    }

    /// One to four changes: a byte, a piece twice, a piece left out, a piece of special text.
    fn mutated(&mut self, original: &[u8]) -> Vec<u8> {
        const PIECES: [&[u8]; 16] = [
            b"\"",
            b"{",
            b"}",
            b"[",
            b"]",
            b"<",
            b"/>",
            b"&",
            b"\\u",
            b"\xff",
            b"\0",
            b"null",
            b"1e9",
            b":",
            b",",
            b"\xF0\x9F\x98\x80",
        ];
        let mut bytes = original.to_vec();
        for _ in 0..=self.below(4) {
            let (start, length) = (self.below(bytes.len()), self.below(12));
            let end = (start + length).min(bytes.len());
            match self.below(4) {
                0 => bytes[start] = u8::try_from(self.below(256)).unwrap(),
                1 => bytes.splice(start..start, bytes[start..end].to_vec()).for_each(drop),
                2 if end - start < bytes.len() => bytes.drain(start..end).for_each(drop),
                _ => bytes.splice(start..start, PIECES[self.below(PIECES.len())].to_vec()).for_each(drop),
            }
        }
        bytes
    }
}

#[test]
fn seeded_changes_of_good_input_never_break_the_server() {
    on_sqlite(|world| {
        world.open_record(&PAT_TROIS);
        let system = world.hospital_system();
        let mut random = Seeded(0x00D5_EED0_0D5E_ED01);
        let bundle = crate::harness::server::opening(&PAT_TROIS).to_string();
        let bodies = [
            ("Patient", "application/fhir+json", PATIENT.as_bytes().to_vec()),
            ("Patient", "application/fhir+xml", PATIENT_XML.as_bytes().to_vec()),
            ("", "application/fhir+json", bundle.into_bytes()),
            (
                "Observation/_search",
                "application/x-www-form-urlencoded",
                b"code=http://loinc.org|1-2&date=ge2020-01&value-quantity=gt5.0|http://u|mg&_sort=-date".to_vec(),
            ),
        ];
        for round in 0..400 {
            let (path, content_type, original) = &bodies[round % bodies.len()];
            let body = random.mutated(original);
            let headers = [("Content-Type", *content_type), ("Accept", "application/fhir+json")];
            let answer = system.send("POST", path, &headers, body.clone());
            assert!(answer.status < 500, "{}: {}", String::from_utf8_lossy(&body), answer.text());
            if answer.status >= 400 {
                assert_eq!(answer.json()["resourceType"], "OperationOutcome", "{}", String::from_utf8_lossy(&body));
            }
        }
        for _ in 0..300 {
            let target = random.mutated(
                b"/fhir/Observation?patient=x&code=http%3A%2F%2Floinc.org%7C1-2&date=ge2020-01&_include=Observation:subject",
            );
            let whole = [b"GET ".as_slice(), &target, b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"].concat();
            let answer = raw(world, &whole);
            assert!(
                answer.starts_with("HTTP/1.1 ") && !answer.starts_with("HTTP/1.1 5"),
                "{}: {answer}",
                String::from_utf8_lossy(&target)
            );
        }
        still_answers(world);
    });
}
