//! `dmp-fhir import DIR`: deposits a folder of CDA documents by the way of every other deposit.
//!
//! Resumable: a document that is here already, with the same bytes, is found by its uniqueId and passed over. One that is
//! refused does not stop the others; it is named with the rule that refused it, and the command fails at its end.
use super::{log, say, warn};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dmp_fhir::audit::{Body, Outcome};
use dmp_fhir::auth::{Caller, System};
use dmp_fhir::cda;
use dmp_fhir::config::{FILE, Options};
use dmp_fhir::fhir::identifier::{Finess, Ins};
use dmp_fhir::fhir::interaction::{Parameters, RecordName, SearchPlace};
use dmp_fhir::fhir::{Interaction, Resource, ResourceType};
use dmp_fhir::service::{self, Server};
use dmp_fhir::store::Original;
use dmp_fhir::translate::{self, DepositedFile};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// Deposits that wait for the database at the same time.
const AT_ONCE: usize = 8;

/// `dmp-fhir import`.
#[derive(Debug, clap::Args)]
pub(super) struct Import {
    /// Folder of CDA documents (`*.xml`), with the folders inside it
    folder: PathBuf,
    /// Open the records that are missing, as the structure with this FINESS, with the traits of the documents' headers
    #[arg(long, value_name = "FINESS")]
    open_for: Option<String>,
    #[command(flatten)]
    options: Options,
}

/// What became of one file.
enum Fate {
    Deposited,
    AlreadyHere,
    Refused(String),
}

/// One file, read.
struct File {
    path: PathBuf,
    kind: String,
    ins: Option<Ins>,
    unique_id: Option<String>,
    sha1: String,
    patient: Option<Resource>,
    body: Resource,
    bytes: u64,
    made: u64,
    nodes: u64,
}

/// A line of the report: one kind of document.
#[derive(Default)]
struct Line {
    deposited: u64,
    already_here: u64,
    refused: u64,
    nodes: u64,
    made: u64,
    bytes: u64,
}

impl Import {
    pub(super) fn run(self) -> Result<ExitCode, Box<dyn Error>> {
        let settings = self.options.clone().or_file(Path::new(FILE))?.settings()?;
        log(&settings.log)?;
        let opener = self.open_for.as_deref().map(opener).transpose()?;
        let base = settings.public_url.clone().unwrap_or_else(|| format!("http://{}/fhir", settings.listen));
        let server = Arc::new(Server::open(&settings, Some(base))?);
        let mut paths = Vec::new();
        collect(&self.folder, &mut paths)?;
        paths.sort();
        let bar = ProgressBar::new(u64::try_from(paths.len())?);
        bar.set_style(ProgressStyle::with_template("{bar:40} {pos}/{len} documents, {per_sec}, {eta} left")?);
        bar.enable_steady_tick(Duration::from_secs(1));
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        let report = runtime.block_on(import(&server, opener.as_ref(), paths, &bar))?;
        bar.finish();
        print(&report, bar.elapsed())
    }
}

/// The structure as which missing records are opened.
fn opener(finess: &str) -> Result<Caller, Box<dyn Error>> {
    let structure = Finess::new(finess).ok_or("--open-for is a FINESS: nine digits")?;
    Ok(Caller::System(System { client: "import".to_owned(), structure, directory_writer: false }))
}

/// Every `*.xml` below a folder.
fn collect(folder: &Path, into: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    let unreadable = |error: std::io::Error| format!("{}: {error}", folder.display());
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let (path, kind) = (entry.path(), entry.file_type().map_err(unreadable)?);
        // Links are not followed: a circle of them would never end.
        if kind.is_dir() {
            collect(&path, into)?;
        } else if kind.is_file() && path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("xml")) {
            into.push(path);
        }
    }
    Ok(())
}

/// Deposits the files, some at a time; what became of each.
async fn import(
    server: &Arc<Server>,
    opener: Option<&Caller>,
    paths: Vec<PathBuf>,
    bar: &ProgressBar,
) -> Result<BTreeMap<String, Line>, Box<dyn Error>> {
    let mut report: BTreeMap<String, Line> = BTreeMap::new();
    let mut under_way = JoinSet::new();
    let mut paths = paths.into_iter();
    loop {
        while under_way.len() < AT_ONCE
            && let Some(path) = paths.next()
        {
            let (server, opener) = (Arc::clone(server), opener.cloned());
            under_way.spawn(async move { one(&server, opener, path).await });
        }
        let Some(done) = under_way.join_next().await else { return Ok(report) };
        let (file, fate) = done?;
        let line = report.entry(file.kind).or_default();
        match fate {
            Fate::Deposited => line.deposited += 1,
            Fate::AlreadyHere => line.already_here += 1,
            Fate::Refused(why) => {
                line.refused += 1;
                bar.suspend(|| warn(format!("{}: {why}", file.path.display())));
            }
        }
        line.bytes += file.bytes;
        line.made += file.made;
        line.nodes += file.nodes;
        bar.inc(1);
    }
}

async fn one(server: &Arc<Server>, opener: Option<Caller>, path: PathBuf) -> (File, Fate) {
    let mut file = File {
        path,
        kind: "not a CDA document".to_owned(),
        ins: None,
        unique_id: None,
        sha1: String::new(),
        patient: None,
        body: Resource::new(),
        bytes: 0,
        made: 0,
        nodes: 0,
    };
    let fate = match read(&mut file) {
        Ok(()) => deposit(server, opener, &file).await,
        Err(why) => Fate::Refused(why),
    };
    (file, fate)
}

/// The document, what its header says of the deposit, and how many of its coded nodes get a target.
fn read(file: &mut File) -> Result<(), String> {
    let bytes = std::fs::read(&file.path).map_err(|error| error.to_string())?;
    file.bytes = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    let document = cda::parse(&bytes).map_err(|error| error.to_string())?;
    let header = document.header();
    let code = document.root().child("code");
    let name = code.and_then(|code| code.stated("displayName")).unwrap_or("without a name");
    file.kind = format!("{} {name}", header.code.as_deref().unwrap_or("-"));
    let account = translate::translate(&document).account;
    file.nodes = u64::try_from(account.len()).unwrap_or(u64::MAX);
    file.made = u64::try_from(account.iter().filter(|node| node.target.is_some()).count()).unwrap_or(u64::MAX);
    file.ins = header.ins().next();
    let original = Original::pack(&bytes).map_err(|problem| problem.to_string())?;
    file.sha1 = STANDARD.encode(original.sha1());
    let stated = DepositedFile { size: bytes.len(), sha1_base64: file.sha1.clone() };
    let (mut body, _issues) = translate::document_reference(&document, &stated);
    file.unique_id = identifier(&body);
    file.patient = patient(&body, header.birth_place.as_deref());
    name_subject(&mut body, file.ins.as_ref());
    attach(&mut body, &bytes);
    file.body = body;
    Ok(())
}

/// masterIdentifier as a token.
fn identifier(body: &Resource) -> Option<String> {
    let identifier = body.get("masterIdentifier")?;
    let text = |name: &str| identifier.get(name).and_then(Value::as_str);
    Some(format!("{}|{}", text("system").unwrap_or_default(), text("value")?))
}

/// The person of the header, as a record is opened with him: identifiers, names, sex, birth date and place.
fn patient(body: &Resource, birth_place: Option<&str>) -> Option<Resource> {
    let contained = body.get("contained")?.as_array()?.iter().find(|one| one["resourceType"] == "Patient")?.as_object()?;
    let mut patient = Resource::new();
    for element in ["resourceType", "identifier", "name", "gender", "birthDate"] {
        patient.insert(element.to_owned(), contained.get(element)?.clone());
    }
    let place = birth_place?;
    let code = json!({
        "url": "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-address-insee-code",
        "valueCoding": {"system": "https://mos.esante.gouv.fr/NOS/TRE_R13-CommuneOM/FHIR/TRE-R13-CommuneOM", "code": place}
    });
    let birth_place = json!([{
        "url": "http://hl7.org/fhir/StructureDefinition/patient-birthPlace", "valueAddress": {"extension": [code]}
    }]);
    patient.insert("extension".to_owned(), birth_place);
    Some(patient)
}

/// The logical reference by INS (decision 14).
fn name_subject(body: &mut Resource, ins: Option<&Ins>) {
    if let Some(ins) = ins {
        body.insert("subject".to_owned(), json!({"identifier": {"system": ins.system(), "value": ins.value()}}));
    }
}

/// The bytes in attachment.data instead of the URL that the server gives (ITI-105).
fn attach(body: &mut Resource, bytes: &[u8]) {
    let contents = body.get_mut("content").and_then(Value::as_array_mut);
    let content = contents.and_then(|contents| contents.first_mut());
    if let Some(attachment) = content.and_then(|content| content.get_mut("attachment")).and_then(Value::as_object_mut) {
        attachment.remove("url");
        attachment.insert("data".to_owned(), STANDARD.encode(bytes).into());
    }
}

async fn deposit(server: &Arc<Server>, opener: Option<Caller>, file: &File) -> Fate {
    let Some(ins) = &file.ins else { return Fate::Refused("The header names no INS, so no record (BR-06)".to_owned()) };
    let record = RecordName::Ins(ins.clone());
    match here(server, &record, file).await {
        Some(true) => return Fate::AlreadyHere,
        Some(false) => {}
        None => {
            if let (Some(opener), Some(patient)) = (opener, file.patient.clone()) {
                let open = Interaction::Open { patient, consents: Vec::new(), position: None };
                let opened = ask(server, opener, open).await;
                // Another file of the same person may have opened it meanwhile.
                if opened.status >= 300 && opened.status != 409 {
                    return Fate::Refused(format!("the record was not opened: {}", reasons(opened)));
                }
            }
        }
    }
    let deposit = Interaction::Deposit { record, body: file.body.clone() };
    let outcome = ask(server, Caller::Operator, deposit).await;
    match outcome.status {
        201 => Fate::Deposited,
        200 => Fate::AlreadyHere,
        _ => Fate::Refused(reasons(outcome)),
    }
}

/// Whether the record has this document with the same bytes; `None` where there is no such record.
async fn here(server: &Arc<Server>, record: &RecordName, file: &File) -> Option<bool> {
    let resource_type = ResourceType::parse("DocumentReference")?;
    let parameters = Parameters(vec![("identifier".to_owned(), file.unique_id.clone()?)]);
    let search = Interaction::Search { resource_type, place: SearchPlace::Record(record.clone()), parameters };
    let outcome = ask(server, Caller::Operator, search).await;
    let Body::Fhir(bytes) = outcome.body else { return None };
    if outcome.status != 200 {
        return None;
    }
    let bundle: Value = serde_json::from_slice(&bytes).ok()?;
    let found = bundle.get("entry").and_then(Value::as_array).into_iter().flatten();
    let hash = |entry: &Value| entry.pointer("/resource/content/0/attachment/hash").and_then(Value::as_str).map(str::to_owned);
    Some(found.filter_map(hash).any(|hash| hash == file.sha1))
}

/// One request of the import, by the way of every other.
async fn ask(server: &Arc<Server>, caller: Caller, interaction: Interaction) -> Outcome {
    let request = service::Request::plain(caller, interaction, "import".to_owned());
    service::answer(Arc::clone(server), request).await.into_outcome()
}

/// What the OperationOutcome says.
fn reasons(outcome: Outcome) -> String {
    let Body::Fhir(bytes) = outcome.body else { return format!("status {}", outcome.status) };
    let body: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let issues = body.get("issue").and_then(Value::as_array).into_iter().flatten();
    let texts = issues.filter(|issue| issue["severity"] == "error" || issue["severity"] == "fatal").map(|issue| {
        let at = issue.pointer("/expression/0").and_then(Value::as_str).map(|at| format!("{at}: ")).unwrap_or_default();
        format!("{at}{}", issue["diagnostics"].as_str().unwrap_or_default())
    });
    texts.collect::<Vec<_>>().join("; ")
}

fn print(report: &BTreeMap<String, Line>, elapsed: Duration) -> Result<ExitCode, Box<dyn Error>> {
    let (mut bytes, mut refused) = (0_u64, 0_u64);
    say("deposited  here already  refused  coded nodes  with a resource  without  MB  kind of document")?;
    for (kind, line) in report {
        bytes += line.bytes;
        refused += line.refused;
        say(&format!(
            "{:9}  {:12}  {:7}  {:11}  {:15}  {:7}  {:2}  {kind}",
            line.deposited,
            line.already_here,
            line.refused,
            line.nodes,
            line.made,
            line.nodes - line.made,
            line.bytes / 1_000_000
        ))?;
    }
    let millis = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).max(1);
    say(&format!("{} KB/s over {}.{:03} s", bytes / millis, millis / 1_000, millis % 1_000))?;
    Ok(if refused == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
