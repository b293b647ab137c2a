//! The ANS sample documents (in ../shared/samples/cda, no part of this repository) through parser and translator.
mod golden;

use dmp_fhir::{cda, translate};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

/// The sample files; none, with a printed line, where they are not here.
fn samples() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/samples/cda");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        println!("skipped: no sample documents at {}", folder.display());
        return Vec::new();
    };
    let mut files: Vec<PathBuf> =
        entries.map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some_and(|e| e == "xml")).collect();
    files.sort();
    files
}

fn name(path: &Path) -> String {
    path.file_stem().unwrap().to_str().unwrap().to_owned()
}

fn parsed(path: &Path) -> cda::Document {
    cda::parse(&std::fs::read(path).unwrap()).unwrap_or_else(|error| panic!("{}: {error}", name(path)))
}

#[test]
fn every_sample_is_translated_and_refers_only_to_itself_its_patient_and_its_document() {
    let files = samples();
    for path in &files {
        let translation = translate::translate(&parsed(path));
        let known: HashSet<&str> = translation.entries.iter().map(|entry| entry.full_url.as_str()).collect();
        assert_eq!(known.len(), translation.entries.len(), "{}: one path, one resource", name(path));
        for entry in &translation.entries {
            for reference in named(&Value::Object(entry.resource.clone())) {
                let ours = [translate::SUBJECT, translate::DOCUMENT].contains(&reference.as_str()) || reference.starts_with('#');
                assert!(ours || known.contains(reference.as_str()), "{}: {} {reference}", name(path), entry.entry_path);
            }
        }
        let types: Vec<&str> = translation.entries.iter().map(|entry| entry.resource["resourceType"].as_str().unwrap()).collect();
        assert_eq!(types.iter().filter(|kind| **kind == "Composition").count(), 1, "{}", name(path));
        assert_eq!(types.last(), Some(&"Provenance"), "{}", name(path));
        dump(path, &translation);
    }
}

/// Every `reference` and every `urn:uuid:` url of an attachment.
fn named(value: &Value) -> Vec<String> {
    match value {
        Value::Object(object) => object
            .iter()
            .flat_map(|(key, value)| match value.as_str() {
                Some(text) if key == "reference" || (key == "url" && text.starts_with("urn:")) => vec![text.to_owned()],
                _ => named(value),
            })
            .collect(),
        Value::Array(items) => items.iter().flat_map(named).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn the_same_document_gives_the_same_bytes() {
    for path in samples() {
        let once = |document: &cda::Document| Value::Object(translate::translate(document).bundle()).to_string();
        assert_eq!(once(&parsed(&path)), once(&parsed(&path)), "{}", name(&path));
    }
}

/// Coded nodes at or below an entry of a 2.70 or 2.71 section, and resources by type: counted in the XML with lxml.
#[test]
fn every_coded_node_of_a_laboratory_chapter_has_a_target() {
    let expected = BTreeMap::from(LABORATORY_NODES);
    let mut seen = BTreeMap::new();
    for path in samples().iter().filter(|path| name(path).starts_with("BIO-")) {
        let document = parsed(path);
        let translation = translate::translate(&document);
        let chapters: Vec<String> = document
            .root()
            .subtree()
            .filter(|section| section.is("section"))
            .filter(|section| section.has_template("1.2.250.1.213.1.1.2.70") || section.has_template("1.2.250.1.213.1.1.2.71"))
            .map(|section| format!("{}/", section.path()))
            .collect();
        let inside = |entry: &&translate::AccountEntry| chapters.iter().any(|chapter| entry.path.starts_with(chapter));
        let nodes: Vec<&translate::AccountEntry> = translation.account.iter().filter(inside).collect();
        for node in &nodes {
            assert!(node.target.is_some(), "{}: {} {:?}", name(path), node.path, node.reason);
        }
        seen.insert(name(path), (nodes.len(), translation.account.len()));
    }
    let seen: Vec<(&str, (usize, usize))> = seen.iter().map(|(name, count)| (name.as_str(), *count)).collect();
    if !seen.is_empty() {
        assert_eq!(seen, expected.into_iter().collect::<Vec<_>>());
    }
}

const LABORATORY_NODES: [(&str, (usize, usize)); 7] = [
    ("BIO-CR-BIO_2021.01_Auto-Presentable", (37, 37)),
    ("BIO-CR-BIO_2021.01_Electrophorese", (146, 146)),
    ("BIO-CR-BIO_2024.01_DEP-CCU-tout-structure", (22, 34)),
    ("BIO-CR-BIO_2024.01_Microbiologie_V1", (43, 47)),
    ("BIO-CR-BIO_2024.01_Microbiologie_V2", (43, 47)),
    ("BIO-CR-BIO_2024.01_TSH_1", (7, 11)),
    ("BIO-TROD_2024.01_COVID-19_Grippe-A_Grippe-B", (10, 10)),
];

/// Writes what the validator reads, where `target/translation-dump` is a folder.
fn dump(path: &Path, translation: &translate::Translation) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/translation-dump");
    if !folder.is_dir() {
        return;
    }
    let mut references: BTreeMap<String, String> = BTreeMap::new();
    references.insert(translate::SUBJECT.to_owned(), "Patient/subject".to_owned());
    references.insert(translate::DOCUMENT.to_owned(), "DocumentReference/document".to_owned());
    references.insert(translate::ORIGINAL.to_owned(), "Binary/original".to_owned());
    for entry in &translation.entries {
        let kind = entry.resource["resourceType"].as_str().unwrap();
        let id = entry.full_url.strip_prefix("urn:uuid:").unwrap();
        references.insert(entry.full_url.clone(), format!("{kind}/{id}"));
    }
    let mut lines = String::new();
    let document = parsed(path);
    let bytes = std::fs::read(path).unwrap();
    let file = translate::DepositedFile { size: bytes.len(), sha1_base64: "2jmj7l5rSw0yVb/vlWAYkK/YBwk=".to_owned() };
    let (reference, issues) = translate::document_reference(&document, &file);
    let mut resources: Vec<Value> = translation.entries.iter().map(|entry| Value::Object(entry.resource.clone())).collect();
    for (resource, entry) in resources.iter_mut().zip(&translation.entries) {
        resource["id"] = json!(entry.full_url.strip_prefix("urn:uuid:").unwrap());
    }
    resources.push(Value::Object(reference));
    let account = translate::account_parameters(translation, |url| references.get(url).cloned());
    resources.push(Value::Object(account));
    for mut resource in resources {
        replace(&mut resource, &references);
        lines.push_str(&resource.to_string());
        lines.push('\n');
    }
    std::fs::write(folder.join(format!("{}.ndjson", name(path))), lines).unwrap();
    let mut report = String::new();
    for issue in translation.issues.iter().chain(&issues) {
        report.push_str(&format!("{} {}\n", issue.code.code(), issue.path));
    }
    for entry in translation.account.iter().filter(|entry| entry.target.is_none()) {
        report.push_str(&format!("{} {}\n", entry.reason.unwrap().code(), entry.path));
    }
    std::fs::write(folder.join(format!("{}.txt", name(path))), report).unwrap();
}

fn replace(value: &mut Value, references: &BTreeMap<String, String>) {
    match value {
        Value::String(text) => {
            if let Some(reference) = references.get(text.as_str()) {
                text.clone_from(reference);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, references)),
        Value::Object(object) => object.values_mut().for_each(|value| replace(value, references)),
        _ => {}
    }
}
