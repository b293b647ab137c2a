//! A PostgreSQL cluster of the test process: started where the binaries are, cloned from a template for each test,
//! stopped when the process ends, however it ends.
//!
//! `DMP_FHIR_TEST_POSTGRES=off` skips it, `=required` fails without it, `=postgres://...` uses a server that is there.
#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "a failure of a helper is a failure of its test")]
use dmp_fhir::store::{Settings, Store};
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

const VARIABLE: &str = "DMP_FHIR_TEST_POSTGRES";
const TEMPLATE: &str = "dmp_template";

/// A server with the template in it.
struct Cluster {
    binaries: PathBuf,
    /// URL without the name of a database, and what stands after it.
    url: (String, String),
    master_key: PathBuf,
    next: AtomicUsize,
    cloning: Mutex<()>,
    /// Its stdin is a pipe: when this process ends, the shell reads the end of it and stops the server.
    _keeper: Option<Mutex<Child>>,
}

/// A database of one test.
pub(crate) struct Database {
    pub(crate) url: String,
    pub(crate) master_key: PathBuf,
}

/// Whether the cluster waits for the disk: the benchmark says so before it asks for a database.
pub(crate) static DURABLE: AtomicBool = AtomicBool::new(false);

static CLUSTER: LazyLock<Option<Cluster>> = LazyLock::new(start);

/// A fresh database, or none where PostgreSQL is skipped.
pub(crate) fn database() -> Option<Database> {
    let cluster = CLUSTER.as_ref()?;
    let name = format!("test_{}_{}", std::process::id(), cluster.next.fetch_add(1, Ordering::Relaxed));
    let _one_at_a_time = cluster.cloning.lock().unwrap_or_else(PoisonError::into_inner);
    cluster.sql(&format!("CREATE DATABASE {name} TEMPLATE {TEMPLATE}"));
    Some(Database { url: cluster.url_of(&name), master_key: cluster.master_key.clone() })
}

#[expect(clippy::disallowed_methods, reason = "a setting of the tests, not of the server")]
fn setting() -> String {
    std::env::var(VARIABLE).unwrap_or_default()
}

fn start() -> Option<Cluster> {
    let setting = setting();
    if setting == "off" {
        eprintln!("PostgreSQL half of the tests skipped: {VARIABLE}=off");
        return None;
    }
    let Some(binaries) = binaries() else {
        assert!(setting != "required", "{VARIABLE}=required, but no initdb in PATH or /usr/lib/postgresql/*/bin");
        eprintln!("PostgreSQL half of the tests skipped: no initdb in PATH or /usr/lib/postgresql/*/bin");
        return None;
    };
    let cluster = if setting.starts_with("postgres://") || setting.starts_with("postgresql://") {
        let (url, query) = setting.split_once('?').map_or((setting.as_str(), ""), |(url, query)| (url, query));
        let base = url.rsplit_once('/').map_or(url, |(base, _)| base).to_owned();
        let query = if query.is_empty() { String::new() } else { format!("?{query}") };
        let master_key = std::env::temp_dir().join(format!("dmp-fhir-test-{}.key", std::process::id()));
        Cluster { binaries, url: (base, query), master_key, next: AtomicUsize::new(0), cloning: Mutex::new(()), _keeper: None }
    } else {
        own(binaries)
    };
    cluster.sql(&format!("DROP DATABASE IF EXISTS {TEMPLATE}"));
    cluster.sql(&format!("CREATE DATABASE {TEMPLATE}"));
    let mut settings = Settings::new(cluster.url_of(TEMPLATE));
    settings.master_key = Some(cluster.master_key.clone());
    drop(Store::open(&settings).unwrap());
    Some(cluster)
}

/// Folder of initdb: that of PATH, else the newest under /usr/lib/postgresql.
fn binaries() -> Option<PathBuf> {
    let in_path = std::env::var_os("PATH").into_iter().flat_map(|path| std::env::split_paths(&path).collect::<Vec<_>>());
    let mut packaged: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    packaged.sort();
    // A link in PATH may stand alone: the other programs lie beside what it leads to.
    let real = |folder: PathBuf| folder.join("initdb").canonicalize().ok()?.parent().map(Path::to_owned);
    in_path.filter_map(real).chain(packaged.into_iter().rev().map(|(_, path)| path)).find(|folder| folder.join("psql").is_file())
}

/// A command as the user that may run PostgreSQL: initdb refuses root.
fn as_postgres(script: &str) -> Command {
    let root = run(Command::new("id").arg("-u")).stdout == b"0\n";
    let mut command = if root {
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--", "sh", "-c", script]);
        command
    } else {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    };
    command.current_dir("/tmp");
    command
}

fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

fn own(binaries: PathBuf) -> Cluster {
    let folder = format!("/tmp/dmp-fhir-test-{}", std::process::id());
    let bin = binaries.display();
    let durable = if DURABLE.load(Ordering::Relaxed) { "on" } else { "off" };
    run(&mut as_postgres(&format!(
        "rm -rf {folder} && mkdir -m 700 {folder} && {bin}/initdb -D {folder}/data -A trust -U postgres -E UTF8 --locale=C --no-sync"
    )));
    // The folder holds the socket too, which this process must reach also where it runs as another user than postgres.
    let serve = format!(
        "{bin}/postgres -D {folder}/data -k {folder} -c listen_addresses= -c fsync={durable} -c full_page_writes={durable} \
         -c max_connections=300 -c shared_buffers=64MB -c log_min_messages=fatal >{folder}/log 2>&1 & server=$!; \
         cat >/dev/null; while kill -QUIT $server 2>/dev/null; do sleep 0.1; done; until rm -rf {folder}; do sleep 0.2; done"
    );
    // A group of its own: an interrupt from the keyboard must not reach the server before the shell stops it.
    let keeper =
        as_postgres(&serve).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0).spawn().unwrap();
    let url = (format!("postgresql://postgres@{}", folder.replace('/', "%2F")), String::new());
    let cluster = Cluster {
        binaries,
        url,
        // Beside the socket, so that it goes with the folder.
        master_key: Path::new(&folder).join("master.key"),
        next: AtomicUsize::new(0),
        cloning: Mutex::new(()),
        _keeper: Some(Mutex::new(keeper)),
    };
    for _ in 0..300 {
        let mut ready = Command::new(cluster.binaries.join("pg_isready"));
        if ready.args(["-q", "-h", &folder, "-U", "postgres"]).status().unwrap().success() {
            return cluster;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("PostgreSQL did not start: {}", std::fs::read_to_string(Path::new(&folder).join("log")).unwrap_or_default());
}

impl Cluster {
    fn url_of(&self, database: &str) -> String {
        format!("{}/{database}{}", self.url.0, self.url.1)
    }

    /// One statement in the database `postgres`.
    fn sql(&self, statement: &str) {
        for attempt in 0..20 {
            let mut child = Command::new(self.binaries.join("psql"))
                .args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", &self.url_of("postgres")])
                .stdin(Stdio::piped())
                .stderr(Stdio::piped())
                .stdout(Stdio::null())
                .spawn()
                .unwrap();
            child.stdin.take().unwrap().write_all(statement.as_bytes()).unwrap();
            let output = child.wait_with_output().unwrap();
            if output.status.success() {
                return;
            }
            // Connections of the store that made the template close a moment after it.
            let error = String::from_utf8_lossy(&output.stderr);
            assert!(error.contains("being accessed") && attempt < 19, "{statement}: {error}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}
