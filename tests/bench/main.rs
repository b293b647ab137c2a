//! The load benchmark: `cargo bench --bench load`, or `-- sqlite` / `-- postgresql` for one database.
//!
//! Starts the release server as a process of its own (files on disk, synchronous=FULL, fsync on), deposits reports, then
//! asks. Prints rates and percentiles as a Markdown table; fails where the trace does not have a row for each answer.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark prints its figures and stops at the first thing that is not as it should be"
)]
mod client;
#[path = "../all/cluster.rs"]
mod cluster;
mod measure;

use client::{Client, Tokens, consent};
use dmp_fhir::store::{Settings, Store};
use dmp_fhir::synthetic::{self, Person};
use measure::{Figures, run};
use serde_json::Value;
use std::io::BufRead;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Records, and reports of 30 results in each.
const RECORDS: u64 = 50;
const REPORTS: u64 = 6;
const SECONDS: u64 = 5;

fn main() {
    let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    println!("| database | what | clients | per second | p50 ms | p99 ms |\n| --- | --- | ---: | ---: | ---: | ---: |");
    if wanted.as_deref().is_none_or(|wanted| wanted == "sqlite") {
        let folder = tempfile::tempdir_in(".").expect("a folder on disk");
        let database = format!("sqlite:{}", folder.path().join("bench.sqlite").display());
        Bench { name: "SQLite", database, master_key: None }.run(folder.path());
    }
    if wanted.as_deref().is_none_or(|wanted| wanted == "postgresql") {
        let folder = tempfile::tempdir_in(".").expect("a folder on disk");
        cluster::DURABLE.store(true, Ordering::Relaxed);
        match cluster::database() {
            Some(database) => {
                let master_key = Some(database.master_key.display().to_string());
                Bench { name: "PostgreSQL", database: database.url, master_key }.run(folder.path());
            }
            None => eprintln!("PostgreSQL half of the benchmark skipped: no initdb"),
        }
    }
}

struct Bench {
    name: &'static str,
    database: String,
    master_key: Option<String>,
}

/// The server as a process, so that its memory is its own.
struct Server {
    child: Child,
    base: String,
    started: Duration,
}

impl Drop for Server {
    fn drop(&mut self) {
        // A benchmark that fails must not leave its server behind.
        drop(self.child.kill());
    }
}

impl Bench {
    fn command(&self, folder: &Path) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dmp-fhir"));
        command.args([
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--local-issuer",
            "--test-ins",
            "--log",
            "error",
            "--database",
            &self.database,
        ]);
        command.args(["--requests-per-minute", "100000000"]);
        if let Some(key) = &self.master_key {
            command.args(["--master-key", key]);
        }
        command.current_dir(folder);
        command
    }

    fn start(&self, folder: &Path) -> Server {
        let start = Instant::now();
        let mut child = self.command(folder).stdout(Stdio::piped()).spawn().expect("the server starts");
        let mut line = String::new();
        std::io::BufReader::new(child.stdout.take().expect("its output")).read_line(&mut line).expect("one line");
        let base = line.trim().strip_prefix("listening on ").expect("the line of the listener").to_owned();
        Server { child, base, started: start.elapsed() }
    }

    fn row(&self, what: &str, clients: usize, figures: &Figures) {
        println!("| {} | {what} | {clients} | {:.0} | {:.2} | {:.2} |", self.name, figures.per_second, figures.p50, figures.p99);
    }

    fn run(&self, folder: &Path) {
        // The database is made by a first start, which is not what is timed.
        stop(self.start(folder));
        let server = self.start(folder);
        let idle = resident(&server.child);
        let keys = self.database.strip_prefix("sqlite:").and_then(|file| Path::new(file).parent()).unwrap_or(folder);
        let tokens = Arc::new(Tokens::of(keys));
        let mut answers = 0;
        let persons: Vec<Person> = (0..RECORDS).map(|number| Person::new(7, number)).collect();
        answers += self.open(&server, &tokens, &persons);
        answers += self.deposits(&server, &tokens, &persons);
        let ids = self.identifiers(&server, &tokens, &persons, &mut answers);
        answers += self.reads(&server, &tokens, &ids);
        answers += self.reads_beside_transactions(&server, &tokens, &ids, &persons);
        answers += self.searches(&server, &tokens, &persons);
        let after = resident(&server.child);
        let started = server.started;
        stop(server);
        self.storage(answers);
        println!(
            "\n{}: start {} ms; memory {} MiB idle, {} MiB after\n",
            self.name,
            started.as_millis(),
            idle >> 10,
            after >> 10
        );
    }

    fn open(&self, server: &Server, tokens: &Tokens, persons: &[Person]) -> u64 {
        let mut client = Client::new(&server.base, &tokens.system);
        let mut professional = Client::new(&server.base, &tokens.professional);
        let mut events = 0;
        for person in persons {
            client.post("Patient", &Value::Object(person.patient()).to_string(), 201);
            // The Patient and the ouverture that the server makes of it are an event each.
            events += 2;
            professional.post("Consent", &consent(person), 201);
            events += 1;
        }
        events
    }

    fn deposits(&self, server: &Server, tokens: &Tokens, persons: &[Person]) -> u64 {
        let bodies: Vec<String> = (0..REPORTS)
            .flat_map(|report| persons.iter().map(move |person| (report, person)))
            .map(|(report, person)| {
                let document = synthetic::lab_report_of(person, report, 30);
                Value::Object(synthetic::deposit(&document, person)).to_string()
            })
            .collect();
        let figures = run(
            8,
            Duration::from_secs(600),
            bodies.len(),
            |_| Client::new(&server.base, &tokens.system),
            |client, turn| {
                client.post("DocumentReference", &bodies[turn], 201);
            },
        );
        self.row("deposit of a CDA with 30 results", 8, &figures);
        figures.answers
    }

    /// Ids of Observations of every record.
    fn identifiers(&self, server: &Server, tokens: &Tokens, persons: &[Person], answers: &mut u64) -> Vec<String> {
        let mut client = Client::new(&server.base, &tokens.professional);
        let mut ids = Vec::new();
        for person in persons {
            let ins = person.ins().expect("an INS");
            let found = client.get(&format!("Observation?patient.identifier={}|{}&_count=1000", ins.system(), ins.value()), 200);
            *answers += 1;
            let bundle: Value = serde_json::from_slice(&found).expect("a Bundle");
            let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
            ids.extend(entries.iter().filter_map(|entry| entry["resource"]["id"].as_str().map(str::to_owned)));
        }
        ids.truncate(10_000);
        assert!(ids.len() > 9_000, "about 10,000 resources are read, here {}", ids.len());
        ids
    }

    fn reads(&self, server: &Server, tokens: &Tokens, ids: &[String]) -> u64 {
        let mut answers = 0;
        for clients in [1, 8, 64] {
            let figures = self.read(server, tokens, ids, clients);
            self.row("read by random id among 10,000", clients, &figures);
            answers += figures.answers;
        }
        answers
    }

    fn read(&self, server: &Server, tokens: &Tokens, ids: &[String], clients: usize) -> Figures {
        run(
            clients,
            Duration::from_secs(SECONDS),
            usize::MAX,
            |_| Client::new(&server.base, &tokens.professional),
            |client, turn| {
                // A multiplicative step visits the ids in an order that no cache foresees.
                let id = &ids[turn.wrapping_mul(7_919) % ids.len()];
                client.get(&format!("Observation/{id}"), 200);
            },
        )
    }

    fn reads_beside_transactions(&self, server: &Server, tokens: &Arc<Tokens>, ids: &[String], persons: &[Person]) -> u64 {
        let done = Arc::new(AtomicBool::new(false));
        let (base, tokens_of_writer, done_of_writer) = (server.base.clone(), Arc::clone(tokens), Arc::clone(&done));
        let body = Value::Object(synthetic::observations_transaction(&persons[0], 1_000)).to_string();
        let writer = std::thread::spawn(move || {
            let mut client = Client::new(&base, &tokens_of_writer.system);
            let mut written = 0;
            while !done_of_writer.load(Ordering::Relaxed) {
                client.post("", &body, 200);
                written += 1_000;
            }
            written
        });
        let figures = self.read(server, tokens, ids, 64);
        done.store(true, Ordering::Relaxed);
        let written: u64 = writer.join().expect("the writer ends");
        self.row(&format!("the same beside 1,000-entry transactions ({} of them)", written / 1_000), 64, &figures);
        figures.answers + written
    }

    fn searches(&self, server: &Server, tokens: &Tokens, persons: &[Person]) -> u64 {
        let figures = run(
            64,
            Duration::from_secs(SECONDS),
            usize::MAX,
            |_| Client::new(&server.base, &tokens.professional),
            |client, turn| {
                let ins = persons[turn.wrapping_mul(31) % persons.len()].ins().expect("an INS");
                let query = format!(
                    "Observation?patient.identifier={}|{}&code=http://loinc.org|4548-4&date=ge2020&_count=10",
                    ins.system(),
                    ins.value()
                );
                client.get(&query, 200);
            },
        );
        self.row("search by patient, code and date", 64, &figures);
        figures.answers
    }

    /// Rows of the trace against answers, and bytes for each resource.
    fn storage(&self, answers: u64) {
        let mut settings = Settings::new(&self.database);
        settings.master_key = self.master_key.as_ref().map(Into::into);
        let store = Store::open(&settings).expect("the database opens again");
        let counts = store.counts().expect("rows");
        let rows = |names: &[&str]| names.iter().filter_map(|name| counts.get(name)).sum::<i64>();
        let traced = rows(&["audit", "trace.audit"]);
        assert_eq!(u64::try_from(traced).ok(), Some(answers), "the trace has a row for each answer");
        let resources = rows(&["resource"]);
        println!(
            "\n{}: {resources} resources, {} index rows, trace rows = answers = {traced}",
            self.name,
            rows(&["token", "range", "text"])
        );
        if let Some(file) = self.database.strip_prefix("sqlite:") {
            let bytes = std::fs::metadata(file).map_or(0, |data| data.len());
            println!(
                "{}: {} bytes a resource on disk, originals and index included",
                self.name,
                bytes / u64::try_from(resources.max(1)).unwrap_or(1)
            );
        }
    }
}

/// Resident memory in KiB.
fn resident(child: &Child) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

fn stop(mut server: Server) {
    let killed = Command::new("kill").arg(server.child.id().to_string()).status();
    assert!(killed.is_ok_and(|status| status.success()), "the server takes SIGTERM");
    server.child.wait().expect("the server ends");
}
