//! Limits of every input (DESIGN section 7): each setting with its OperationOutcome; and what is refused after
//! authentication leaves its trace.
use crate::harness::actor::resources;
use crate::harness::people::{Kind, professional};
use crate::harness::server::{GENERAL_PRACTITIONER, World, on_both_with, on_sqlite_with};
use crate::harness::{Actor, PAT_TROIS, Report, on_both};
use dmp_fhir::audit::Action;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

const JSON: [(&str, &str); 2] = [("Content-Type", "application/fhir+json"), ("Accept", "application/fhir+json")];

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A body of so many bytes.
fn body(bytes: usize) -> Vec<u8> {
    let frame = json!({"resourceType": "Patient", "id": ""}).to_string().len();
    json!({"resourceType": "Patient", "id": "a".repeat(bytes - frame)}).to_string().into_bytes()
}

#[test]
fn body_bytes_max() {
    let bound = |options: &mut dmp_fhir::config::Options| options.body_bytes_max = Some(2_000);
    on_both_with(bound, |world| {
        let system = world.hospital_system();
        system.send("POST", "Patient", &JSON, body(2_000)).refuses(422, "", None);
        system.send("POST", "Patient", &JSON, body(2_001)).refuses(413, "too-long", None);
        system.send("POST", "Patient", &JSON, body(6 << 20)).refuses(413, "too-long", None);
        let packed = [JSON[0], JSON[1], ("Content-Encoding", "gzip")];
        system.send("POST", "Patient", &packed, gzip(&body(2_000))).refuses(422, "", None);
        system.send("POST", "Patient", &packed, gzip(&body(2_001))).refuses(413, "too-long", None);
        system.send("POST", "Patient", &packed, b"no gzip".to_vec()).refuses(400, "structure", None);
    });
}

#[test]
fn bundle_entries_max() {
    let bundle = |entries: usize| {
        let resource = PAT_TROIS.consent(Kind::Autorisation, Some(professional(GENERAL_PRACTITIONER)));
        let consent = json!({"resource": resource, "request": {"method": "POST", "url": "Consent"}});
        json!({"resourceType": "Bundle", "type": "transaction", "entry": vec![consent; entries]})
    };
    on_both_with(
        |options| options.bundle_entries_max = Some(3),
        |world| {
            let system = world.hospital_system();
            let within = system.post("", &bundle(3));
            assert_ne!(within.status, 413, "{}", within.text());
            system.post("", &bundle(4)).refuses(413, "too-long", Some("Bundle.entry"));
        },
    );
}

#[test]
fn includes_max() {
    on_both_with(
        |options| options.includes_max = Some(2),
        |world| {
            let patient = world.open_record_for_practitioner(&PAT_TROIS).patient;
            let report = Report::of(&PAT_TROIS, 1).result("3016-3", "2.1", "m[IU]/L", "20260401");
            report.deposit().filed_by(&world.hospital_system());
            let doctor = world.general_practitioner();
            let within = doctor.read(&format!("Observation?patient={patient}&code=3016-3&_include=Observation:subject"));
            assert_eq!(resources(&within).len(), 2);
            // The report itself, its analysis and the act: each refers to its Patient.
            let beyond = doctor.get(&format!("Patient?_id={patient}&_revinclude=Observation:subject&_revinclude=DocumentReference:subject&_revinclude=Consent:patient"));
            beyond.refuses(400, "too-costly", None);
        },
    );
}

#[test]
fn requests_per_minute_of_each_caller() {
    on_both_with(
        |options| options.requests_per_minute = Some(3),
        |world| {
            let doctor = world.general_practitioner();
            let statuses: Vec<u16> = (0..3).map(|_| doctor.get("Observation/unknown").status).collect();
            assert_eq!(statuses, [404, 404, 404]);
            let before = world.trace_rows();
            doctor.get("Observation/unknown").refuses(429, "throttled", None);
            assert_eq!(world.trace_rows(), before + 1, "the caller is known: his refusal is traced");
            assert_eq!(world.stranger().get("Observation/unknown").status, 404, "another caller has his own bound");
            assert_eq!(doctor.get("metadata").status, 200);
        },
    );
}

#[test]
fn existence_per_minute_of_each_caller() {
    on_both_with(
        |options| options.existence_per_minute = Some(2),
        |world| {
            let doctor = world.general_practitioner();
            let ask = |actor: &Actor| actor.get(&format!("Patient?identifier={}", PAT_TROIS.token()));
            assert_eq!([ask(&doctor).status, ask(&doctor).status], [200, 200]);
            ask(&doctor).refuses(429, "throttled", None);
            assert_eq!(world.last_traced(), (Action::Existence, 429));
            assert_eq!(doctor.get("Observation/unknown").status, 404, "other requests have another bound");
            assert_eq!(ask(&world.stranger()).status, 200);
        },
    );
}

/// Sends the head of a POST and the beginning of its body, then nothing more; the answer, and the seconds that it took.
fn begins_a_body(world: &World, actor: &Actor, path: &str) -> (String, Duration) {
    let mut stream = TcpStream::connect(world.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let token = actor.token.as_deref().unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {token}\r\nCookie: dmp_session={token}\r\n\
         Content-Type: application/fhir+json\r\nContent-Length: 1000\r\n\r\n{{"
    );
    let start = Instant::now();
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = Vec::new();
    // The server closes: the rest of the body would be taken for another request.
    stream.read_to_end(&mut answer).unwrap();
    (String::from_utf8(answer).unwrap(), start.elapsed())
}

#[test]
fn request_seconds_max_bounds_the_arrival_of_a_body() {
    on_sqlite_with(
        |options| options.request_seconds_max = Some(1),
        |world| {
            let before = world.trace_rows();
            let (answer, time) = begins_a_body(world, &world.hospital_system(), "/fhir/Patient");
            assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
            let outcome: Value = serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap();
            assert_eq!(outcome["issue"][0]["code"], "timeout", "{outcome}");
            assert!(time < Duration::from_secs(10), "{time:?}");
            assert_eq!(world.trace_rows(), before + 1);
            assert_eq!(world.last_traced(), (Action::Create, 503));
            let (page, _) = begins_a_body(world, &world.general_practitioner(), "/record");
            assert!(page.starts_with("HTTP/1.1 503") && page.contains("<html lang=\"fr\">"), "{page}");
        },
    );
}

#[test]
fn request_seconds_max_bounds_the_work_of_the_database() {
    on_both_with(
        |options| options.request_seconds_max = Some(1),
        |world| {
            world.open_record(&PAT_TROIS);
            let deposit = Report::of(&PAT_TROIS, 1).result("3016-3", "2.1", "m[IU]/L", "20260401").deposit();
            let held = world.hold_tables();
            let start = Instant::now();
            let answer = deposit.by(&world.hospital_system());
            assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
            drop(held);
            assert_eq!(answer.status, 503, "{}", answer.text());
            assert_eq!(answer.json()["resourceType"], "OperationOutcome");
            assert_eq!(deposit.by(&world.hospital_system()).status, 201, "nothing of it was kept, and the server goes on");
        },
    );
}

#[test]
fn what_is_wrong_after_authentication_is_traced_as_what_it_would_have_done() {
    on_both(|world| {
        let system = world.hospital_system();
        let table: [(&str, &str, &[u8], u16, Action); 9] = [
            ("GET", "Nonsense", b"", 404, Action::Query),
            ("GET", "a/b/c/d/e", b"", 404, Action::Read),
            ("GET", "Observation?nonsense=1", b"", 400, Action::Query),
            ("GET", "Observation?_format=text/csv", b"", 406, Action::Query),
            ("DELETE", "Consent/1", b"", 405, Action::Delete),
            ("PATCH", "Consent/1", b"{", 400, Action::Update),
            ("PUT", "Patient/1", b"{", 400, Action::Update),
            ("POST", "Observation", b"{", 400, Action::Create),
            ("POST", "Observation/_search", b"code=1", 415, Action::Query),
        ];
        for (method, path, body, status, action) in table {
            let before = world.trace_rows();
            let answer = system.send(method, path, &JSON, body.to_vec());
            answer.refuses(status, "", None);
            assert_eq!(world.trace_rows(), before + 1, "{method} {path}");
            assert_eq!(world.last_traced(), (action, status), "{method} {path}");
        }
        let answer = system.send("POST", "Consent/1", &JSON, Vec::new());
        assert_eq!(answer.header("allow"), "GET, HEAD, PUT, PATCH, DELETE");
        let before = world.trace_rows();
        world.bearer(None).get("Nonsense").refuses(401, "login", None);
        assert_eq!(world.trace_rows(), before, "before authentication it is counted and logged only");
    });
}

#[test]
fn a_large_body_does_not_stall_the_others() {
    let bound = |options: &mut dmp_fhir::config::Options| options.body_bytes_max = Some(64 << 20);
    on_sqlite_with(bound, |world| {
        let entry = json!({"system": "phone", "value": "0".repeat(40)});
        let patient = json!({"resourceType": "Patient", "nonsense": 1, "telecom": vec![entry; 200_000]}).to_string();
        let (system, health) = (world.hospital_system(), world.bearer(None));
        std::thread::scope(|scope| {
            // As many as there are workers, and more.
            let workers = std::thread::available_parallelism().map_or(2, usize::from);
            let large: Vec<_> = (0..workers * 2)
                .map(|_| scope.spawn(|| system.send("POST", "Patient", &JSON, patient.clone().into_bytes()).status))
                .collect();
            let (begun, mut slowest) = (Instant::now(), Duration::ZERO);
            while large.iter().any(|thread| !thread.is_finished()) {
                let start = Instant::now();
                assert_eq!(health.get("metadata").status, 200);
                slowest = slowest.max(start.elapsed());
                std::thread::sleep(Duration::from_millis(20));
            }
            let whole = begun.elapsed();
            assert!(slowest * 4 < whole, "a small request waited {slowest:?} of the {whole:?} that the large ones took");
            for thread in large {
                assert_eq!(thread.join().unwrap(), 422);
            }
        });
    });
}
