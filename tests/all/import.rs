//! `dmp-fhir import DIR`, as an operator runs it.
use crate::harness::{PAT_TROIS, Report};
use std::path::Path;
use std::process::{Command, Output};

fn import(folder: &Path, more: &[&str]) -> Output {
    let database = format!("sqlite:{}", folder.join("dmp.sqlite").display());
    let mut command = Command::new(env!("CARGO_BIN_EXE_dmp-fhir"));
    command.arg("import").arg(folder.join("documents")).args(["--database", &database, "--test-ins", "--log", "error"]);
    command.args(more).output().unwrap()
}

/// deposited, here already, refused, coded nodes, with a resource, without.
fn line(output: &Output, kind: &str) -> Vec<u64> {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let line = text.lines().find(|line| line.ends_with(kind)).unwrap_or_else(|| panic!("{kind}: {text}"));
    line.split_whitespace().take(6).map(|cell| cell.parse().unwrap()).collect()
}

#[test]
fn a_folder_is_deposited_once_and_a_second_run_goes_on_where_the_first_ended() {
    let folder = tempfile::tempdir().unwrap();
    let documents = folder.path().join("documents");
    std::fs::create_dir_all(documents.join("inside")).unwrap();
    let report = |number| Report::of(&PAT_TROIS, number).result("14749-6", "5.1", "mmol/L", "20260402083000+0200").bytes();
    std::fs::write(documents.join("a.xml"), report(1)).unwrap();
    std::fs::write(documents.join("inside/b.XML"), report(2)).unwrap();
    std::fs::write(documents.join("notes.txt"), "not a document").unwrap();
    let kind = "11502-2 CR d'examens biologiques";

    // No record of this person yet, and nothing asks to open one.
    let refused = import(folder.path(), &[]);
    assert!(!refused.status.success());
    assert_eq!(line(&refused, kind)[..3], [0, 0, 2]);
    let complaint = String::from_utf8(refused.stderr).unwrap();
    assert!(complaint.contains("b.XML: ") && complaint.contains("DocumentReference.subject"), "{complaint}");
    assert!(!complaint.contains(PAT_TROIS.ins), "no identifier in what is printed: {complaint}");

    let first = import(folder.path(), &["--open-for", "120459876"]);
    assert!(first.status.success(), "{}", String::from_utf8_lossy(&first.stderr));
    // Chapter and result of each: `code` of the act and of the observation, and its value.
    assert_eq!(line(&first, kind), [2, 0, 0, 4, 4, 0]);

    std::fs::write(documents.join("c.xml"), report(3)).unwrap();
    std::fs::write(documents.join("d.xml"), "<ClinicalDocument").unwrap();
    let second = import(folder.path(), &[]);
    assert!(!second.status.success(), "a file that cannot be read fails the command, after the others");
    assert_eq!(line(&second, kind)[..3], [1, 2, 0]);
    assert_eq!(line(&second, "not a CDA document")[..3], [0, 0, 1]);
}

#[test]
fn what_cannot_be_imported_is_said_before_anything_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let no_folder = import(folder.path(), &[]);
    assert!(!no_folder.status.success());
    assert!(String::from_utf8_lossy(&no_folder.stderr).contains("documents"), "{no_folder:?}");
    std::fs::create_dir(folder.path().join("documents")).unwrap();
    let no_structure = import(folder.path(), &["--open-for", "12"]);
    assert!(String::from_utf8_lossy(&no_structure.stderr).contains("nine digits"), "{no_structure:?}");
}
