//! `cargo bench --bench translate [-- FILE...]`: how fast one core reads and translates CDA documents.
//!
//! Without files: the documents of ../shared/samples/cda, or, where these are absent, synthetic laboratory reports.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
use dmp_fhir::{cda, synthetic, translate};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Name of a document, and its bytes.
type Named = (String, Vec<u8>);

/// How long each document is translated again and again.
const TIME: Duration = Duration::from_millis(500);

fn main() -> Result<(), Box<dyn Error>> {
    let documents = documents()?;
    let (mut bytes_once, mut seconds_once) = (0.0, 0.0);
    for (name, bytes) in &documents {
        let (megabytes, seconds) = (megabytes(bytes)?, seconds_of(bytes)?);
        bytes_once += megabytes;
        seconds_once += seconds;
        println!("{:7.1} MB/s {megabytes:7.3} MB {:9.3} ms  {name}", megabytes / seconds, seconds * 1_000.0);
    }
    println!("{:7.1} MB/s over {} documents, {bytes_once:.3} MB, one core", bytes_once / seconds_once, documents.len());
    Ok(())
}

/// Name and bytes of what is translated.
fn documents() -> Result<Vec<Named>, Box<dyn Error>> {
    let mut paths: Vec<PathBuf> = std::env::args_os().skip(1).filter(|word| word != "--bench").map(PathBuf::from).collect();
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/samples/cda");
    if paths.is_empty()
        && let Ok(folder) = std::fs::read_dir(samples)
    {
        paths = folder.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "xml"));
        paths.sort();
    }
    if paths.is_empty() {
        let documents = synthetic::records(1, 20).flat_map(|record| record.documents);
        return Ok(documents.enumerate().map(|(number, bytes)| (format!("synthetic {number}"), bytes)).collect());
    }
    let named = |path: PathBuf| Ok((path.file_name().unwrap_or_default().to_string_lossy().into_owned(), std::fs::read(&path)?));
    paths.into_iter().map(named).collect()
}

/// Seconds that one translation takes, bytes to resources.
fn seconds_of(bytes: &[u8]) -> Result<f64, Box<dyn Error>> {
    let start = Instant::now();
    let mut times = 0_u32;
    while start.elapsed() < TIME {
        std::hint::black_box(translate::translate(&cda::parse(bytes)?));
        times += 1;
    }
    Ok(start.elapsed().as_secs_f64() / f64::from(times))
}

fn megabytes(bytes: &[u8]) -> Result<f64, std::num::TryFromIntError> {
    Ok(f64::from(u32::try_from(bytes.len())?) / 1_000_000.0)
}
