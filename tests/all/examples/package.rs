//! The official examples of R4 (npm package hl7.fhir.r4.examples, CC0): fetched once, checked by its digest, never committed.
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

const PACKAGE: &str = "hl7.fhir.r4.examples@4.0.1";
/// The integrity that the registry gives for this version.
const SHA512: &str = "DXBdIZOeQaSKIgCU7w6HOC7sw/6BzylmipLkBW4f//pT+Bc94x+8LImwTdvaNThPJoOzpBzvxAzNqjeu3X/zLw==";

/// How much `DMP_FHIR_TEST_EXAMPLES` asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// The examples that the table of searches names; nothing where the package cannot be had.
    Sample,
    /// The same, and the package must be there.
    Required,
    /// Every example of an accepted type.
    All,
}

impl Extent {
    #[expect(clippy::disallowed_methods, reason = "how much a test does is no setting of the server")]
    pub(crate) fn asked() -> Self {
        match std::env::var("DMP_FHIR_TEST_EXAMPLES").unwrap_or_default().as_str() {
            "" => Self::Sample,
            "required" => Self::Required,
            "all" => Self::All,
            other => panic!("DMP_FHIR_TEST_EXAMPLES={other}: required or all"),
        }
    }
}

/// Folder of the unpacked package; nothing, with a printed line, where no registry is reachable and none is required.
pub(crate) fn folder() -> Option<&'static Path> {
    static FOLDER: LazyLock<Result<PathBuf, String>> = LazyLock::new(fetched);
    match &*FOLDER {
        Ok(folder) => Some(folder),
        Err(reason) if Extent::asked() == Extent::Sample => {
            println!("skipped: the official R4 examples are not here: {reason}");
            None
        }
        Err(reason) => panic!("the official R4 examples are required: {reason}"),
    }
}

fn fetched() -> Result<PathBuf, String> {
    let cache = Path::new(env!("CARGO_MANIFEST_DIR")).join("target");
    let folder = cache.join("r4-examples");
    if folder.is_dir() {
        return Ok(folder);
    }
    let packed = tempfile::tempdir_in(&cache).map_err(|error| error.to_string())?;
    run(Command::new("npm").args(["pack", PACKAGE, "--silent", "--pack-destination"]).arg(packed.path()))?;
    let archive = packed.path().join("hl7.fhir.r4.examples-4.0.1.tgz");
    let bytes = std::fs::read(&archive).map_err(|error| error.to_string())?;
    assert_eq!(base64::Engine::encode(&base64::engine::general_purpose::STANDARD, openssl::sha::sha512(&bytes)), SHA512);
    run(Command::new("tar").arg("xzf").arg(&archive).arg("-C").arg(packed.path()))?;
    // Renamed as a whole, so that an interrupted run leaves no half of it.
    std::fs::rename(packed.path().join("package"), &folder).map_err(|error| error.to_string())?;
    Ok(folder)
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(()) } else { Err(format!("{command:?}: {said}")) }
}

/// One example, with the name of its file (`Patient-example`).
pub(crate) fn read(folder: &Path, name: &str) -> Value {
    let text = std::fs::read(folder.join(format!("{name}.json"))).unwrap_or_else(|error| panic!("{name}: {error}"));
    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Names of the examples of these types, in order.
pub(crate) fn names(folder: &Path, is_accepted: impl Fn(&str) -> bool) -> Vec<String> {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let names = files.filter_map(|file| file.strip_suffix(".json").map(str::to_owned));
    let mut names: Vec<String> = names.filter(|name| name.split_once('-').is_some_and(|(kind, _)| is_accepted(kind))).collect();
    names.sort();
    names
}
