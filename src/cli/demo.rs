//! `dmp-fhir demo`: a throw-away database of synthetic records, deposited through the same way as every other request.
use super::{log, say};
use dmp_fhir::audit::Body;
use dmp_fhir::auth::{Caller, LocalIssuer, Professional, PurposeOfUse, System, TokenRequest};
use dmp_fhir::config::Options;
use dmp_fhir::fhir::interaction::RecordName;
use dmp_fhir::fhir::{Interaction, Resource};
use dmp_fhir::http::{self, Running};
use dmp_fhir::synthetic::directory::{BLOCKED_PROFESSIONAL, GENERAL_PRACTITIONER, HOSPITAL, LABORATORY, Structure};
use dmp_fhir::synthetic::{self, ConsentPlan, Person, SyntheticRecord};
use dmp_fhir::{clock, ids, service};
use indicatif::{ProgressBar, ProgressStyle};
use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

/// `dmp-fhir demo`.
#[derive(Debug, clap::Args)]
pub(super) struct Demo {
    /// How many synthetic records
    #[arg(long, default_value_t = 20)]
    records: u64,
    /// Another seed makes other records
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    options: Options,
}

/// A folder that goes with the demo.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        // A folder that cannot be removed is only a nuisance: it holds synthetic data.
        drop(std::fs::remove_dir_all(&self.0));
    }
}

impl Demo {
    pub(super) fn run(self) -> Result<ExitCode, Box<dyn Error>> {
        let folder = match self.options.database {
            Some(_) => None,
            None => Some(throw_away()?),
        };
        let database = folder.as_ref().map(|folder| format!("sqlite:{}", folder.0.join("demo.sqlite").display()));
        let fixed =
            Options { database, local_issuer: Some(true), test_ins: Some(true), log: Some("warn".into()), ..Options::default() };
        let settings = self.options.clone().or(fixed).settings()?;
        log(&settings.log)?;
        let issuer = LocalIssuer::open(&settings.folder())?;
        let running = http::serve(settings)?;
        let first = fill(&running, self.seed, self.records)?;
        say(&welcome(&running, &issuer, &first)?)?;
        say(&format!("listening on {}", running.base))?;
        running.wait();
        Ok(ExitCode::SUCCESS)
    }
}

fn throw_away() -> Result<Folder, Box<dyn Error>> {
    let name = ids::random::<8>()?.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let folder = std::env::temp_dir().join(format!("dmp-fhir-demo-{name}"));
    std::fs::create_dir(&folder)?;
    Ok(Folder(folder))
}

/// Opens the records, writes their Consents and deposits their documents; returns the first person.
fn fill(running: &Running, seed: u64, number: u64) -> Result<Person, Box<dyn Error>> {
    let records: Vec<SyntheticRecord> = synthetic::records(seed, number).collect();
    let first = records.first().ok_or("--records is at least 1")?.person.clone();
    let documents = records.iter().map(|record| record.documents.len()).sum::<usize>();
    let bar = ProgressBar::new(u64::try_from(documents)?);
    bar.set_style(ProgressStyle::with_template("{bar:40} {pos}/{len} documents deposited, {per_sec}, {eta} left")?);
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    for record in &records {
        runtime.block_on(fill_record(running, record, &bar))?;
    }
    bar.finish();
    Ok(first)
}

async fn fill_record(running: &Running, record: &SyntheticRecord, bar: &ProgressBar) -> Result<(), Box<dyn Error>> {
    let person = &record.person;
    let ins = person.ins().ok_or("a synthetic person has an INS")?;
    let laboratory = system(&LABORATORY)?;
    let open = Interaction::Open { patient: person.patient(), consents: Vec::new(), position: None };
    let patient: Resource = serde_json::from_slice(&ask(running, system(&HOSPITAL)?, open).await?)?;
    let reference = format!("Patient/{}", patient.get("id").and_then(serde_json::Value::as_str).unwrap_or_default());
    let (at, period) = (clock::now().instant(), a_year()?);
    for plan in record.consents.iter().filter(|plan| **plan != ConsentPlan::Opening) {
        let body = plan.consent(&reference, &at, (&period.0, &period.1));
        let consent = Interaction::CreateConsent { record: RecordName::Ins(ins.clone()), body };
        ask(running, Caller::Patient(ins.clone()), consent).await?;
    }
    for document in &record.documents {
        let body = synthetic::deposit(document, person);
        let deposit = Interaction::Deposit { record: RecordName::Ins(ins.clone()), body };
        ask(running, laboratory.clone(), deposit).await?;
        bar.inc(1);
    }
    Ok(())
}

/// One request of the demo, by the way of every other.
async fn ask(running: &Running, caller: Caller, interaction: Interaction) -> Result<Vec<u8>, Box<dyn Error>> {
    let request = service::Request::plain(caller, interaction, "demo".to_owned());
    let outcome = service::answer(Arc::clone(running.server()), request).await.into_outcome();
    match outcome.body {
        Body::Fhir(bytes) if outcome.status < 300 => Ok(bytes),
        Body::Fhir(bytes) => Err(format!("the demo's own request was refused: {}", String::from_utf8_lossy(&bytes)).into()),
        Body::Empty | Body::Raw { .. } => Ok(Vec::new()),
    }
}

/// Today and the last day of an authorisation of one year, in Paris.
fn a_year() -> Result<(String, String), Box<dyn Error>> {
    let now = jiff::Timestamp::from_millisecond(clock::now().0)?.to_zoned(dmp_fhir::fhir::datetime::paris()).date();
    let last = now.checked_add(jiff::Span::new().years(1))?.yesterday()?;
    Ok((now.to_string(), last.to_string()))
}

fn system(structure: &'static Structure) -> Result<Caller, Box<dyn Error>> {
    let finess = structure.number().ok_or("a synthetic structure has a FINESS")?;
    Ok(Caller::System(System { client: structure.name.to_owned(), structure: finess, directory_writer: false }))
}

fn professional(of: &'static synthetic::directory::Professional) -> Result<Caller, Box<dyn Error>> {
    Ok(Caller::Professional(Professional {
        rpps: of.number().ok_or("a synthetic professional has an RPPS")?,
        name: of.full_name(),
        profession: of.profession_code().to_owned(),
        structure: of.structure.number(),
        purpose: PurposeOfUse::Normal,
    }))
}

/// Base URL, tokens and six queries to paste.
fn welcome(running: &Running, issuer: &LocalIssuer, first: &Person) -> Result<String, Box<dyn Error>> {
    let ins = first.ins().ok_or("a synthetic person has an INS")?;
    let mint = |caller: Caller| issuer.mint(&TokenRequest { ttl_s: 12 * 3_600, ..TokenRequest::new(caller) }, clock::now());
    let base = &running.base;
    let identifier = format!("{}%7C{}", ins.system(), ins.value());
    let page = base.strip_suffix("/fhir").unwrap_or(base);
    Ok(format!(
        "
DMP-FHIR demo: synthetic records, thrown away when it stops (Ctrl-C).

  FHIR base   {base}
  Page        {page}/   (sign in with a token)

export BASE={base}
export INS='{identifier}'
# a general practitioner, a hospital system, the patient, a professional whom the patient has blocked
export GP={}
export HOSPITAL={}
export PATIENT={}
export BLOCKED={}

# 1. Is there a record, and may I read it (TD0.2)?
curl -s -H \"Authorization: Bearer $GP\" \"$BASE/Patient?identifier=$INS&_pretty=true\"
# 2. Its laboratory reports
curl -s -H \"Authorization: Bearer $GP\" \"$BASE/DocumentReference?patient.identifier=$INS&type=11502-2&status=current&_pretty=true\"
# 3. HbA1c, newest first
curl -s -H \"Authorization: Bearer $GP\" \"$BASE/Observation?patient.identifier=$INS&code=http://loinc.org%7C4548-4&_sort=-date&_count=5&_pretty=true\"
# 4. My patients with HbA1c over 8 % this year
curl -s -H \"Authorization: Bearer $GP\" \"$BASE/Observation?code=4548-4&value-quantity=gt8&date=ge2026&_include=Observation:subject&_pretty=true\"
# 5. A blocked professional gets nothing but the reason
curl -s -H \"Authorization: Bearer $BLOCKED\" \"$BASE/Observation?patient.identifier=$INS&_pretty=true\"
# 6. Who looked at my record?
curl -s -H \"Authorization: Bearer $PATIENT\" \"$BASE/AuditEvent?patient.identifier=$INS&date=ge2026&_count=5&_pretty=true\"
",
        mint(professional(&GENERAL_PRACTITIONER)?)?,
        mint(system(&HOSPITAL)?)?,
        mint(Caller::Patient(ins))?,
        mint(professional(&BLOCKED_PROFESSIONAL)?)?,
    ))
}
