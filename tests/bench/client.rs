//! A keep-alive HTTP/1.1 client that costs little, so that the server is what is measured.
use dmp_fhir::auth::{Caller, LocalIssuer, Professional, PurposeOfUse, System, TokenRequest};
use dmp_fhir::clock;
use dmp_fhir::fhir::consent::{ConsentFrame, Party};
use dmp_fhir::synthetic::Person;
use dmp_fhir::synthetic::directory::{GENERAL_PRACTITIONER, LABORATORY};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;

/// One token for each kind of caller that the benchmark needs.
pub(crate) struct Tokens {
    pub(crate) professional: String,
    pub(crate) system: String,
}

impl Tokens {
    pub(crate) fn of(folder: &Path) -> Self {
        let issuer = LocalIssuer::open(folder).expect("the local issuer");
        let mint = |caller| issuer.mint(&TokenRequest::new(caller), clock::now()).expect("a token");
        let structure = LABORATORY.number().expect("a FINESS");
        Self {
            professional: mint(Caller::Professional(Professional {
                rpps: GENERAL_PRACTITIONER.number().expect("an RPPS"),
                name: GENERAL_PRACTITIONER.full_name(),
                profession: "10".to_owned(),
                structure: None,
                purpose: PurposeOfUse::Normal,
            })),
            system: mint(Caller::System(System { client: "benchmark".to_owned(), structure, directory_writer: false })),
        }
    }
}

/// An authorisation of the general practitioner, as he writes it himself (BR-20).
pub(crate) fn consent(person: &Person) -> String {
    let ins = person.ins().expect("an INS");
    let rpps = GENERAL_PRACTITIONER.number().expect("an RPPS");
    let frame = ConsentFrame {
        patient: "Patient/unknown".to_owned(),
        performer: Party::Professional(rpps.clone()),
        organization: LABORATORY.number().expect("a FINESS"),
        date_time: clock::now().instant(),
    };
    let today: String = clock::now().instant().chars().take(10).collect();
    let mut consent = frame.autorisation(&Party::Professional(rpps), &today, &today);
    consent.insert("patient".into(), serde_json::json!({"identifier": {"system": ins.system(), "value": ins.value()}}));
    serde_json::Value::Object(consent).to_string()
}

/// One connection.
pub(crate) struct Client {
    stream: BufReader<TcpStream>,
    token: String,
}

impl Client {
    pub(crate) fn new(base: &str, token: &str) -> Self {
        let address = base.strip_prefix("http://").and_then(|rest| rest.split('/').next()).expect("a base URL");
        let stream = TcpStream::connect(address).expect("the server listens");
        stream.set_nodelay(true).expect("a socket");
        Self { stream: BufReader::with_capacity(1 << 16, stream), token: token.to_owned() }
    }

    pub(crate) fn get(&mut self, path: &str, status: u16) -> Vec<u8> {
        self.ask("GET", path, "", status)
    }

    pub(crate) fn post(&mut self, path: &str, body: &str, status: u16) {
        self.ask("POST", path, body, status);
    }

    fn ask(&mut self, method: &str, path: &str, body: &str, expected: u16) -> Vec<u8> {
        let request = format!(
            "{method} /fhir/{} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\nAccept: application/fhir+json\r\nContent-Type: application/fhir+json\r\nContent-Length: {}\r\n\r\n{body}",
            path.replace('|', "%7C"),
            self.token,
            body.len()
        );
        self.stream.get_mut().write_all(request.as_bytes()).expect("the request is sent");
        let mut line = String::new();
        self.stream.read_line(&mut line).expect("a status line");
        let status: u16 = line.get(9..12).and_then(|status| status.parse().ok()).expect("a status");
        let mut length = 0;
        loop {
            line.clear();
            self.stream.read_line(&mut line).expect("a header");
            if line == "\r\n" {
                break;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().expect("a length");
            }
        }
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes).expect("the body");
        assert_eq!(status, expected, "{method} {path}: {}", String::from_utf8_lossy(&bytes));
        bytes
    }
}
