//! Certification suite for a FHIR server of the shared medical record: a black-box client of any base URL.
//!
//! It knows the server by HTTP only. Each requirement is a row of [`requirements::REQUIREMENTS`]; the report says PASS,
//! FAIL or SKIP for each, with the reason. Exit status: 0 nothing failed, 1 something failed, 2 wrong use.
mod checks;
mod client;
mod documents;
mod requirements;
mod run;

use clap::Parser;
use client::Client;
use documents::Stamp;
use requirements::{REQUIREMENTS, Requirement};
use run::{Checked, Run, Shortfall, Tokens};
use std::process::ExitCode;

/// Checks what a FHIR server of the shared medical record must do.
#[derive(Parser)]
#[command(name = "conformance", version)]
struct Arguments {
    /// FHIR base URL, such as http://127.0.0.1:8080/fhir
    #[arg(long, env = "CONFORMANCE_BASE")]
    base: String,
    /// Token of a professional whom the record of --ins authorises
    #[arg(long, env = "CONFORMANCE_TOKEN_PROFESSIONAL", hide_env_values = true)]
    token_professional: Option<String>,
    /// Token of the person whose record --ins names
    #[arg(long, env = "CONFORMANCE_TOKEN_PATIENT", hide_env_values = true)]
    token_patient: Option<String>,
    /// Token of a system that deposits and opens records
    #[arg(long, env = "CONFORMANCE_TOKEN_SYSTEM", hide_env_values = true)]
    token_system: Option<String>,
    /// Token of a professional whom the record of --ins blocks
    #[arg(long, env = "CONFORMANCE_TOKEN_BLOCKED", hide_env_values = true)]
    token_blocked: Option<String>,
    /// INS of an open record of a test person: system|value
    #[arg(long, value_parser = identifier)]
    ins: Option<(String, String)>,
    /// Only requirements whose id starts with this
    #[arg(long)]
    only: Option<String>,
    /// Prints the requirements and their sources, and tries nothing
    #[arg(long)]
    list: bool,
}

fn identifier(text: &str) -> Result<(String, String), String> {
    match text.split_once('|') {
        Some((system, value)) if !system.is_empty() && !value.is_empty() => Ok((system.to_owned(), value.to_owned())),
        _ => Err("expected system|value".into()),
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let wanted =
        |requirement: &&Requirement| arguments.only.as_ref().is_none_or(|prefix| requirement.id.starts_with(prefix.as_str()));
    if arguments.list {
        for requirement in REQUIREMENTS.iter().filter(wanted) {
            println!("{:<9} {} [{}]", requirement.id, requirement.text, requirement.source);
        }
        return ExitCode::SUCCESS;
    }
    let tokens = Tokens {
        professional: arguments.token_professional.clone(),
        patient: arguments.token_patient.clone(),
        system: arguments.token_system.clone(),
        blocked: arguments.token_blocked.clone(),
    };
    let client = Client::new(&arguments.base);
    println!("Conformance of {}\n", client.base());
    let (patient, report, document, observation) = (None, None, None, None);
    let mut run = Run { client, tokens, ins: arguments.ins.clone(), stamp: Stamp::now(), patient, report, document, observation };
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    for requirement in REQUIREMENTS.iter().filter(wanted) {
        let checked = (requirement.check)(&mut run);
        match &checked {
            Ok(()) => passed += 1,
            Err(Shortfall::Fail(_)) => failed += 1,
            Err(Shortfall::Skip(_)) => skipped += 1,
        }
        println!("{}", line(requirement, &checked));
    }
    println!("\n{passed} passed, {failed} failed, {skipped} skipped");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// One line of the report; what is not shown to hold has its source and the reason below.
fn line(requirement: &Requirement, checked: &Checked) -> String {
    let head = |verdict: &str| format!("{verdict}  {:<9} {}", requirement.id, requirement.text);
    match checked {
        Ok(()) => head("PASS"),
        Err(Shortfall::Fail(reason)) => format!("{}\n                {reason} [{}]", head("FAIL"), requirement.source),
        Err(Shortfall::Skip(reason)) => format!("{}\n                {reason}", head("SKIP")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ins_is_system_and_value() {
        assert_eq!(identifier("urn:oid:1|2"), Ok(("urn:oid:1".into(), "2".into())));
        assert!(identifier("12345").is_err() && identifier("|1").is_err());
    }

    #[test]
    fn a_failure_names_its_source_and_reason() {
        let requirement = REQUIREMENTS.first().unwrap();
        let text = line(requirement, &Err(Shortfall::Fail("status 500".into())));
        assert!(text.starts_with("FAIL  CAP-1") && text.contains("status 500") && text.contains(requirement.source));
    }
}
