//! `dmp-fhir translate FILE...`: the Bundle that a document becomes, and what became of its coded nodes.
use super::{complain, say};
use dmp_fhir::{cda, translate};
use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

/// `dmp-fhir translate`.
#[derive(Debug, clap::Args)]
pub(super) struct Translate {
    /// CDA documents
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Print only the number of coded nodes, made and not translated, by file and reason
    #[arg(long)]
    report: bool,
}

impl Translate {
    pub(super) fn run(self) -> Result<ExitCode, Box<dyn Error>> {
        let mut code = ExitCode::SUCCESS;
        for file in &self.files {
            let bytes = std::fs::read(file)?;
            let document = match cda::parse(&bytes) {
                Ok(document) => document,
                Err(error) => {
                    complain(Box::<dyn Error>::from(format!("{}: {error}", file.display())).as_ref());
                    code = ExitCode::FAILURE;
                    continue;
                }
            };
            let translation = translate::translate(&document);
            if self.report {
                say(&format!("{}: {} resources", file.display(), translation.entries.len()))?;
            } else {
                say(&serde_json::to_string_pretty(&translation.bundle())?)?;
            }
        }
        Ok(code)
    }
}
