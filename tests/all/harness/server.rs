//! Starts the server of this process for each spec, on a database of its own.
use super::people::{Kind, Person, professional, structure};
use super::{Actor, Answer};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection, SqliteConnection};
use dmp_fhir::audit::Action;
use dmp_fhir::auth::{Caller, LocalIssuer, Professional, PurposeOfUse, System, TokenRequest};
use dmp_fhir::config::{Options, Settings};
use dmp_fhir::fhir::identifier::{Finess, Ins, Rpps};
use dmp_fhir::http::Running;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

/// RPPS of the professionals of the specs.
pub(crate) const GENERAL_PRACTITIONER: &str = "10000000001";
pub(crate) const BLOCKED: &str = "10000000002";
pub(crate) const STRANGER: &str = "10000000003";
/// FINESS of the laboratory that is custodian of the samples and of [`super::Report`].
pub(crate) const LABORATORY: &str = "120459876";

/// Issuer of every token of the specs; its key lives as long as the process.
static ISSUER: LazyLock<LocalIssuer> = LazyLock::new(|| LocalIssuer::ephemeral().unwrap());

/// A running server on an empty database.
pub(crate) struct World {
    agent: ureq::Agent,
    running: Running,
    database: String,
    master_key: Option<PathBuf>,
    folder: tempfile::TempDir,
}

/// A record that a spec opened.
pub(crate) struct Record {
    /// FHIR id of its Patient.
    pub(crate) patient: String,
}

/// Runs a spec on SQLite and on PostgreSQL; the second is skipped, with a printed line, where it is not installed.
pub(crate) fn on_both(spec: impl Fn(&World)) {
    on_both_with(|_as_they_are| {}, spec);
}

/// The same with other settings.
pub(crate) fn on_both_with(change: impl Fn(&mut Options), spec: impl Fn(&World)) {
    on_sqlite_with(&change, &spec);
    if let Some(postgresql) = crate::cluster::database() {
        World::run(tempfile::tempdir().unwrap(), postgresql.url, Some(postgresql.master_key), &change, &spec);
    }
}

/// The same on SQLite alone, for what the database cannot change.
pub(crate) fn on_sqlite(spec: impl Fn(&World)) {
    on_sqlite_with(|_as_they_are| {}, spec);
}

/// On SQLite alone, with other settings.
pub(crate) fn on_sqlite_with(change: impl Fn(&mut Options), spec: impl Fn(&World)) {
    let folder = tempfile::tempdir().unwrap();
    let database = format!("sqlite:{}", folder.path().join("dmp.sqlite").display());
    World::run(folder, database, None, &change, &spec);
}

fn settings(folder: &Path, database: &str, master_key: Option<PathBuf>, change: &impl Fn(&mut Options)) -> Settings {
    let keys = folder.join("issuer.jwks");
    std::fs::write(&keys, ISSUER.jwks().unwrap()).unwrap();
    let mut options = Options {
        listen: Some("127.0.0.1:0".into()),
        database: Some(database.to_owned()),
        issuer: Some(LocalIssuer::ISSUER.into()),
        audience: Some(LocalIssuer::AUDIENCE.into()),
        jwks: Some(keys),
        master_key,
        test_ins: Some(true),
        ..Default::default()
    };
    change(&mut options);
    options.settings().unwrap()
}

impl World {
    fn run(
        folder: tempfile::TempDir,
        database: String,
        master_key: Option<PathBuf>,
        change: &impl Fn(&mut Options),
        spec: &impl Fn(&Self),
    ) {
        // What the server logs stands in the output of a test that fails.
        let filter = tracing_subscriber::EnvFilter::new("warn");
        let _ = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_test_writer().try_init();
        let running = dmp_fhir::http::serve(settings(folder.path(), &database, master_key.clone(), change)).unwrap();
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .timeout_global(Some(Duration::from_secs(120)))
            .build()
            .new_agent();
        let world = Self { agent, running, database, master_key, folder };
        spec(&world);
        let Self { agent, running, .. } = world;
        drop(agent);
        running.stop();
    }

    /// Flags with which another process serves the same database to the same callers.
    pub(crate) fn flags(&self) -> Vec<String> {
        let keys = self.folder.path().join("issuer.jwks").display().to_string();
        let (issuer, audience) = (LocalIssuer::ISSUER.into(), LocalIssuer::AUDIENCE.into());
        let mut flags: Vec<String> = vec!["--listen".into(), "127.0.0.1:0".into(), "--database".into(), self.database.clone()];
        flags.extend(["--jwks".into(), keys, "--issuer".into(), issuer, "--audience".into(), audience, "--test-ins".into()]);
        flags.extend(self.master_key.iter().flat_map(|key| ["--master-key".into(), key.display().to_string()]));
        flags
    }

    fn token(caller: Caller) -> String {
        ISSUER.mint(&TokenRequest::new(caller), dmp_fhir::clock::now()).unwrap()
    }

    fn actor(&self, caller: Caller) -> Actor {
        self.bearer(Some(&Self::token(caller)))
    }

    fn professional(rpps: &str) -> Caller {
        Caller::Professional(Professional {
            rpps: Rpps::new(rpps).unwrap(),
            name: "SPECIMEN".into(),
            profession: "10".into(),
            structure: Finess::new("750000001"),
            purpose: PurposeOfUse::Normal,
        })
    }

    fn system(finess: &str) -> Caller {
        Caller::System(System { client: "specimen".into(), structure: Finess::new(finess).unwrap(), directory_writer: false })
    }

    /// A doctor whom specs authorise.
    pub(crate) fn general_practitioner(&self) -> Actor {
        self.actor(Self::professional(GENERAL_PRACTITIONER))
    }

    /// A doctor whom specs block.
    pub(crate) fn blocked(&self) -> Actor {
        self.actor(Self::professional(BLOCKED))
    }

    /// A doctor whom nobody authorises.
    pub(crate) fn stranger(&self) -> Actor {
        self.actor(Self::professional(STRANGER))
    }

    /// The laboratory's system.
    pub(crate) fn hospital_system(&self) -> Actor {
        self.actor(Self::system(LABORATORY))
    }

    /// The system of a structure that deposited nothing.
    pub(crate) fn other_system(&self) -> Actor {
        self.actor(Self::system("750000002"))
    }

    /// A system that may write the directory.
    pub(crate) fn directory_system(&self) -> Actor {
        let structure = Finess::new(LABORATORY).unwrap();
        self.actor(Caller::System(System { client: "annuaire".into(), structure, directory_writer: true }))
    }

    /// This person, signed in.
    pub(crate) fn patient(&self, person: &Person) -> Actor {
        self.actor(Caller::Patient(Ins::new(person.oid, person.ins).unwrap()))
    }

    /// Whoever has this token, or none.
    pub(crate) fn bearer(&self, token: Option<&str>) -> Actor {
        Actor::new(&self.agent, &self.running.base, token.map(str::to_owned))
    }

    /// The Patient and his ouverture in one transaction, by a system.
    pub(crate) fn open_record(&self, person: &Person) -> Record {
        let bundle = self.hospital_system().post("", &opening(person)).expect(200);
        let location = bundle["entry"][0]["response"]["location"].as_str().expect("location of the Patient");
        let patient = location.rsplit("Patient/").next().unwrap().split('/').next().unwrap().to_owned();
        Record { patient }
    }

    /// A record that the general practitioner may read.
    pub(crate) fn open_record_for_practitioner(&self, person: &Person) -> Record {
        let record = self.open_record(person);
        self.consents(person, Kind::Autorisation, GENERAL_PRACTITIONER).expect(201);
        record
    }

    /// The person himself writes a Consent about a professional.
    pub(crate) fn consents(&self, person: &Person, kind: Kind, rpps: &str) -> Answer {
        self.patient(person).post("Consent", &person.consent(kind, Some(professional(rpps))))
    }

    /// Rows of each table, the trace left out.
    pub(crate) fn counts(&self) -> BTreeMap<&'static str, i64> {
        let mut counts = self.running.server().store.counts().unwrap();
        counts.retain(|table, _| !table.ends_with("audit"));
        counts
    }

    /// Rows of the trace.
    pub(crate) fn trace_rows(&self) -> i64 {
        let counts = self.running.server().store.counts().unwrap();
        counts.iter().filter(|(table, _)| table.ends_with("audit")).map(|(_, rows)| rows).sum()
    }

    /// Action and status of the newest row of the trace.
    #[expect(clippy::disallowed_methods, reason = "one statement of a test, run once")]
    pub(crate) fn last_traced(&self) -> (Action, u16) {
        use diesel::RunQueryDsl;
        let newest = "SELECT at, seq, action, status FROM audit ORDER BY at DESC, seq DESC LIMIT 1";
        let rows: Vec<Traced> = match self.database.strip_prefix("sqlite:") {
            // Reads are traced beside the database, writes and their refusals in it.
            Some(file) => {
                let files = [file.to_owned(), format!("{file}.trace")];
                let of_file = |file: &String| -> Vec<Traced> {
                    diesel::sql_query(newest).load(&mut SqliteConnection::establish(file).unwrap()).unwrap()
                };
                files.iter().flat_map(of_file).collect()
            }
            None => diesel::sql_query(newest).load(&mut PgConnection::establish(&self.database).unwrap()).unwrap(),
        };
        let row = rows.iter().max_by_key(|row| (row.at, row.seq)).expect("a row of the trace");
        (Action::from_number(row.action).unwrap(), u16::try_from(row.status).unwrap())
    }

    /// Keeps every other writer out for as long as the connection lives.
    pub(crate) fn hold_tables(&self) -> Box<dyn std::any::Any> {
        match self.database.strip_prefix("sqlite:") {
            Some(file) => {
                let mut held = SqliteConnection::establish(file).unwrap();
                held.batch_execute("PRAGMA busy_timeout = 5000; BEGIN IMMEDIATE").unwrap();
                Box::new(held)
            }
            None => {
                let mut held = PgConnection::establish(&self.database).unwrap();
                held.batch_execute("BEGIN; LOCK TABLE resource IN ACCESS EXCLUSIVE MODE").unwrap();
                Box::new(held)
            }
        }
    }

    /// The server of this process, for what no caller may write.
    pub(crate) fn server(&self) -> &std::sync::Arc<dmp_fhir::service::Server> {
        self.running.server()
    }

    /// Address of the listener, to speak to it byte by byte.
    pub(crate) fn address(&self) -> std::net::SocketAddr {
        self.running.address
    }

    /// Makes the trace unwritable from now on, as a full disk would.
    pub(crate) fn break_trace(&self) {
        match self.database.strip_prefix("sqlite:") {
            Some(file) => {
                let full = "CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(FAIL, 'full'); END";
                for file in [file.to_owned(), format!("{file}.trace")] {
                    SqliteConnection::establish(&file).unwrap().batch_execute(full).unwrap();
                }
            }
            None => {
                let full = "ALTER TABLE audit ADD CONSTRAINT full_disk CHECK (false) NOT VALID";
                PgConnection::establish(&self.database).unwrap().batch_execute(full).unwrap();
            }
        }
    }
}

/// A row of the trace, as [`World::last_traced`] reads it.
#[derive(diesel::QueryableByName)]
struct Traced {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    at: i64,
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    seq: i64,
    #[diesel(sql_type = diesel::sql_types::SmallInt)]
    action: i16,
    #[diesel(sql_type = diesel::sql_types::SmallInt)]
    status: i16,
}

/// Transaction that opens a record.
pub(crate) fn opening(person: &Person) -> Value {
    let mut consent = person.consent(Kind::Ouverture, None);
    let patient = "urn:uuid:0b0ba9ec-6a1c-4e92-a1d5-0d1f0c3f2c4e";
    consent["patient"] = json!({"reference": patient});
    consent["performer"] = json!([{"reference": patient}]);
    consent["organization"] = json!([structure(LABORATORY)]);
    json!({"resourceType": "Bundle", "type": "transaction", "entry": [
        {"fullUrl": patient, "resource": person.patient(), "request": {"method": "POST", "url": "Patient"}},
        {"fullUrl": "urn:uuid:5d3c2a53-6c3f-4bb0-8d1c-3f0b1f9e7a11", "resource": consent, "request": {"method": "POST", "url": "Consent"}},
    ]})
}

/// A token of the general practitioner, good or bad in one way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Forged {
    Good,
    AlgorithmNone,
    AlgorithmHs256,
    OtherKey,
    WrongIssuer,
    WrongAudience,
    Expired,
    NotYetValid,
    ChangedClaims,
    NoSignature,
}

impl Forged {
    /// Every bad one.
    pub(crate) fn bad() -> impl Iterator<Item = Self> {
        [
            Self::AlgorithmNone,
            Self::AlgorithmHs256,
            Self::OtherKey,
            Self::WrongIssuer,
            Self::WrongAudience,
            Self::Expired,
            Self::NotYetValid,
            Self::ChangedClaims,
            Self::NoSignature,
        ]
        .into_iter()
    }

    pub(crate) fn name(self) -> String {
        format!("{self:?}")
    }
}

impl World {
    /// A token as [`Forged`] says.
    pub(crate) fn forged(&self, forged: Forged) -> String {
        let now = dmp_fhir::clock::now();
        let mut request = TokenRequest::new(Self::professional(GENERAL_PRACTITIONER));
        let good = ISSUER.mint(&request, now).unwrap();
        let parts: Vec<&str> = good.split('.').collect();
        let header = |algorithm: &str| URL_SAFE_NO_PAD.encode(json!({"alg": algorithm, "typ": "JWT"}).to_string());
        match forged {
            Forged::Good => good,
            Forged::AlgorithmNone => format!("{}.{}.", header("none"), parts[1]),
            Forged::AlgorithmHs256 => {
                // The classic confusion: the public key, which everybody has, as the secret of a MAC.
                let key = openssl::pkey::PKey::hmac(ISSUER.public_key_pem().unwrap().as_bytes()).unwrap();
                let signed = format!("{}.{}", header("HS256"), parts[1]);
                let mut signer = openssl::sign::Signer::new(openssl::hash::MessageDigest::sha256(), &key).unwrap();
                let mac = signer.sign_oneshot_to_vec(signed.as_bytes()).unwrap();
                format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac))
            }
            Forged::OtherKey => LocalIssuer::ephemeral().unwrap().mint(&request, now).unwrap(),
            Forged::ChangedClaims => {
                let claims = String::from_utf8(URL_SAFE_NO_PAD.decode(parts[1]).unwrap()).unwrap();
                let claims = claims.replace(GENERAL_PRACTITIONER, STRANGER);
                format!("{}.{}.{}", parts[0], URL_SAFE_NO_PAD.encode(claims), parts[2])
            }
            Forged::NoSignature => format!("{}.{}.", parts[0], parts[1]),
            Forged::WrongIssuer | Forged::WrongAudience | Forged::Expired | Forged::NotYetValid => {
                request.issuer = (forged == Forged::WrongIssuer).then(|| "https://elsewhere.example".into());
                request.audience = (forged == Forged::WrongAudience).then(|| "https://elsewhere.example".into());
                request.ttl_s = if forged == Forged::Expired { -600 } else { 3600 };
                request.not_before = (forged == Forged::NotYetValid).then(|| Duration::from_secs(1800));
                ISSUER.mint(&request, now).unwrap()
            }
        }
    }
}
