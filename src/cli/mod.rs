//! One type for each subcommand; the flags are its fields.
mod demo;
mod import;
mod token;
mod translate;

use clap::{Parser, Subcommand};
use dmp_fhir::config::{FILE, Options};
use dmp_fhir::http;
use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

/// FHIR R4 server for the French shared medical record (DMP)
#[derive(Debug, Parser)]
#[command(name = "dmp-fhir", version, about, max_term_width = 110)]
pub(crate) struct Command {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Serve; without any setting: SQLite in this folder, loopback only, no token accepted
    Serve(Serve),
    /// Serve a throw-away database of synthetic records; prints the base URL, tokens and queries to paste
    Demo(demo::Demo),
    /// Mint a token from the local issuer of a database's folder, for demo and tests
    Token(token::Token),
    /// Print the FHIR Bundle that a CDA document becomes, and the account of its coded nodes
    Translate(translate::Translate),
    /// Deposit a folder of CDA documents, and report by kind what was read, made and not translated
    Import(import::Import),
}

/// `dmp-fhir serve`.
#[derive(Debug, clap::Args)]
struct Serve {
    #[command(flatten)]
    options: Options,
}

impl Command {
    pub(crate) fn run(self) -> Result<ExitCode, Box<dyn Error>> {
        match self.task {
            Task::Serve(serve) => {
                let settings = serve.options.or_file(Path::new(FILE))?.settings()?;
                log(&settings.log)?;
                let running = http::serve(settings)?;
                say(&format!("listening on {}", running.base))?;
                running.wait();
                Ok(ExitCode::SUCCESS)
            }
            Task::Demo(demo) => demo.run(),
            Task::Token(token) => token.run(),
            Task::Translate(translate) => translate.run(),
            Task::Import(import) => import.run(),
        }
    }
}

/// Sends the log to standard error, one line an event.
fn log(filter: &str) -> Result<(), Box<dyn Error>> {
    let filter = tracing_subscriber::EnvFilter::try_new(filter).map_err(|_not_a_filter| {
        format!("setting `log` has the value `{filter}`, permitted: error, warn, info, debug, trace or a filter of modules")
    })?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .try_init()
        .map_err(|error| error.to_string().into())
}

/// One line on standard output.
fn say(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.write_all(b"\n")?;
    out.flush()
}

/// An error and its causes on standard error.
pub(crate) fn complain(error: &dyn Error) {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    warn(text);
}

/// One line on standard error.
fn warn(text: impl std::fmt::Display) {
    let mut text = format!("dmp-fhir: {text}");
    text.push('\n');
    // Nothing is left to tell where even standard error is closed.
    drop(std::io::stderr().lock().write_all(text.as_bytes()));
}
