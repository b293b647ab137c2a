//! `dmp-fhir translate FILE...`: the Bundle that a document becomes, and what became of its coded nodes.
use super::{complain, say};
use dmp_fhir::cda;
use dmp_fhir::translate::{self, Translation};
use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// `dmp-fhir translate`: one Bundle a file on standard output, the account as its last entry.
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
            match read(file) {
                Ok(document) => self.print(file, &translate::translate(&document))?,
                Err(error) => {
                    complain(error.as_ref());
                    code = ExitCode::FAILURE;
                }
            }
        }
        Ok(code)
    }

    fn print(&self, file: &Path, translation: &Translation) -> Result<(), Box<dyn Error>> {
        if !self.report {
            return Ok(say(&serde_json::to_string_pretty(&translation.report())?)?);
        }
        let made = translation.account.iter().filter(|node| node.target.is_some()).count();
        say(&format!(
            "{}: {} resources; {} coded nodes, {made} with a target",
            file.display(),
            translation.entries.len(),
            translation.account.len()
        ))?;
        let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
        for reason in translation.account.iter().filter_map(|node| node.reason) {
            *reasons.entry(reason.code()).or_default() += 1;
        }
        for (reason, number) in reasons {
            say(&format!("  {number} without: {reason}"))?;
        }
        Ok(())
    }
}

fn read(file: &Path) -> Result<cda::Document, Box<dyn Error>> {
    let of_file = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
    let bytes = std::fs::read(file).map_err(|error| of_file(&error))?;
    Ok(cda::parse(&bytes).map_err(|error| of_file(&error))?)
}
