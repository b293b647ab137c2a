//! `dmp-fhir token`: tokens of the local issuer, for demo and tests; also wrong ones, for tests of refusal.
use super::say;
use dmp_fhir::auth::{Caller, LocalIssuer, Professional, PurposeOfUse, System, TokenRequest};
use dmp_fhir::clock;
use dmp_fhir::config::{FILE, Options};
use dmp_fhir::fhir::identifier::{Finess, Ins, Rpps};
use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

/// `dmp-fhir token`.
#[derive(Debug, clap::Args)]
pub(super) struct Token {
    /// Who calls
    #[arg(long, value_enum, required_unless_present = "public_key")]
    role: Option<Role>,
    /// RPPS of the professional (11 digits, or 8 before them)
    #[arg(long)]
    rpps: Option<String>,
    /// Name of the professional or of the system's client, for the trace
    #[arg(long, default_value = "Essai")]
    name: String,
    /// Profession code (TRE_G15)
    #[arg(long, default_value = "10")]
    profession: String,
    /// FINESS of the structure
    #[arg(long)]
    structure: Option<String>,
    /// INS of the patient, as `OID|matricule`
    #[arg(long)]
    ins: Option<String>,
    /// Mode of access
    #[arg(long, value_enum, default_value = "normal")]
    purpose: Purpose,
    /// Let the system write the directory
    #[arg(long)]
    directory_writer: bool,
    /// Scopes, kept as they are
    #[arg(long)]
    scope: Option<String>,
    /// How long the token is valid: 30s, 10m, 1h; -1m for one that has expired
    #[arg(long, default_value = "1h", allow_hyphen_values = true)]
    ttl: String,
    /// Another audience
    #[arg(long)]
    audience: Option<String>,
    /// Another issuer
    #[arg(long)]
    issuer: Option<String>,
    /// Valid only after this time: 1h
    #[arg(long)]
    not_before: Option<String>,
    /// Print the public key (PEM) instead
    #[arg(long)]
    public_key: bool,
    /// Database whose folder holds the issuer [default: sqlite:dmp.sqlite]
    #[arg(long, env = "DMP_FHIR_DATABASE")]
    database: Option<String>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Role {
    Professional,
    Patient,
    System,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
enum Purpose {
    Normal,
    BrisDeGlace,
    #[value(name = "centre_15")]
    Centre15,
}

impl Token {
    pub(super) fn run(self) -> Result<ExitCode, Box<dyn Error>> {
        let options = Options { database: self.database.clone(), ..Options::default() };
        let issuer = LocalIssuer::open(&options.or_file(Path::new(FILE))?.settings()?.folder())?;
        if self.public_key {
            say(issuer.public_key_pem()?.trim_end())?;
            return Ok(ExitCode::SUCCESS);
        }
        let request = TokenRequest {
            caller: self.caller()?,
            ttl_s: seconds(&self.ttl).ok_or("--ttl is a number with s, m or h, such as 30s, 10m, 1h or -1m")?,
            audience: self.audience,
            issuer: self.issuer,
            not_before: match self.not_before {
                Some(text) => {
                    let seconds = seconds(&text).and_then(|seconds| u64::try_from(seconds).ok());
                    Some(Duration::from_secs(seconds.ok_or("--not-before is a number with s, m or h, such as 1h")?))
                }
                None => None,
            },
            scope: self.scope,
        };
        say(&issuer.mint(&request, clock::now())?)?;
        Ok(ExitCode::SUCCESS)
    }

    fn caller(&self) -> Result<Caller, Box<dyn Error>> {
        let structure = self
            .structure
            .as_deref()
            .map(|text| Finess::new(text).ok_or("--structure is a FINESS of 9 characters"))
            .transpose()?;
        match self.role {
            Some(Role::Professional) => {
                let rpps = self.rpps.as_deref().and_then(Rpps::new).ok_or("--rpps is a national number of 11 digits")?;
                let purpose = match self.purpose {
                    Purpose::Normal => PurposeOfUse::Normal,
                    Purpose::BrisDeGlace => PurposeOfUse::BrisDeGlace,
                    Purpose::Centre15 => PurposeOfUse::Centre15,
                };
                Ok(Caller::Professional(Professional {
                    rpps,
                    name: self.name.clone(),
                    profession: self.profession.clone(),
                    structure,
                    purpose,
                }))
            }
            Some(Role::Patient) => {
                let ins = self.ins.as_deref().and_then(|text| text.split_once('|')).and_then(|(oid, value)| Ins::new(oid, value));
                Ok(Caller::Patient(ins.ok_or("--ins is an OID and a matricule, such as 1.2.250.1.213.1.4.10|279035121518989")?))
            }
            Some(Role::System) => Ok(Caller::System(System {
                client: self.name.clone(),
                structure: structure.ok_or("--structure is a FINESS of 9 characters")?,
                directory_writer: self.directory_writer,
            })),
            None => Err("--role is professional, patient or system".into()),
        }
    }
}

/// `30s`, `10m`, `1h`, with a sign, as seconds.
fn seconds(text: &str) -> Option<i64> {
    let unit = text.chars().last()?;
    let factor = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        _ => return None,
    };
    text.strip_suffix(unit)?.parse::<i64>().ok()?.checked_mul(factor)
}
