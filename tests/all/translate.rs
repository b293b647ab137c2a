//! The ANS sample documents (in ../shared/samples/cda, no part of this repository) through parser and translator.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "helpers of tests fail by panicking; a skipped test says so"
)]
mod golden;
mod pieces;

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
        let document = parsed(path);
        let translation = translate::translate(&document);
        refers_only_to_itself(&name(path), &translation);
        for entry in &translation.entries {
            let found = dmp_fhir::fhir::check::check(&entry.resource);
            assert!(found.is_empty(), "{}: {} {found:?}", name(path), entry.entry_path);
        }
        let types: Vec<&str> = translation.entries.iter().map(|entry| entry.resource["resourceType"].as_str().unwrap()).collect();
        assert_eq!(types.iter().filter(|kind| **kind == "Composition").count(), 1, "{}", name(path));
        assert_eq!(types.last(), Some(&"Provenance"), "{}", name(path));
        dump(&name(path), &document, std::fs::read(path).unwrap().len(), &translation);
    }
}

/// One path, one resource; every reference leads to one of them, to the patient or to the document.
fn refers_only_to_itself(name: &str, translation: &translate::Translation) {
    let known: HashSet<&str> = translation.entries.iter().map(|entry| entry.full_url.as_str()).collect();
    assert_eq!(known.len(), translation.entries.len(), "{name}: one path, one resource");
    for entry in &translation.entries {
        for reference in named(&Value::Object(entry.resource.clone())) {
            let ours = [translate::SUBJECT, translate::DOCUMENT].contains(&reference.as_str()) || reference.starts_with('#');
            assert!(ours || known.contains(reference.as_str()), "{name}: {} {reference}", entry.entry_path);
        }
        for subject in ["subject", "patient"].iter().filter_map(|place| entry.resource.get(*place)) {
            assert_eq!(subject["reference"], translate::SUBJECT, "{name}: {}", entry.entry_path);
        }
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

/// Nodes without a target, by file: only what says that it has no value, what is somebody else's, and what R4 has no place for.
///
/// Numbers here only go down. priorityCode EL (IPS, models) and that of a done act have no place in R4; the facility that a patient prefers
/// (3.97, mood INT) has no function; CS9 has the parents' professions.
#[test]
fn what_is_not_translated_is_listed_by_file_and_reason() {
    let expected = BTreeMap::from([
        ("01_Modeles_contenus_CDA", "element-not-mapped 2, mood-not-translated 2"),
        ("CSE-CS9_2025.01", "subject-not-patient 20"),
        ("IPS-FR_2024.01", "element-not-mapped 1"),
        ("LDL-SES_2022.01", "nothing-stated 2"),
    ]);
    let mut seen = BTreeMap::new();
    for path in samples() {
        let translation = translate::translate(&parsed(&path));
        let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
        for reason in translation.account.iter().filter_map(|entry| entry.reason) {
            if reason != translate::Reason::NotApplicable {
                *reasons.entry(reason.code()).or_default() += 1;
            }
        }
        if !reasons.is_empty() {
            let text: Vec<String> = reasons.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
            seen.insert(name(&path), text.join(", "));
        }
    }
    if !samples().is_empty() {
        let seen: BTreeMap<&str, &str> = seen.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        assert_eq!(seen, expected);
    }
}

/// Resources of each laboratory file, counted in the XML with lxml: acts, organizers, observations (previous ones too) are
/// Observations; 3.77 and isolates are Specimens.
#[test]
fn each_laboratory_file_gives_the_resources_that_its_elements_stand_for() {
    let expected = BTreeMap::from([
        ("BIO-CR-BIO_2021.01_Auto-Presentable", (16, 0)),
        ("BIO-CR-BIO_2021.01_Electrophorese", (76, 4)),
        ("BIO-CR-BIO_2024.01_DEP-CCU-tout-structure", (7, 1)),
        ("BIO-CR-BIO_2024.01_Microbiologie_V1", (21, 3)),
        ("BIO-CR-BIO_2024.01_Microbiologie_V2", (21, 3)),
        ("BIO-CR-BIO_2024.01_TSH_1", (3, 0)),
        ("BIO-TROD_2024.01_COVID-19_Grippe-A_Grippe-B", (4, 0)),
    ]);
    let mut seen = BTreeMap::new();
    for path in samples().iter().filter(|path| name(path).starts_with("BIO-")) {
        let translation = translate::translate(&parsed(path));
        let count = |kind: &str| translation.entries.iter().filter(|entry| entry.resource["resourceType"] == kind).count();
        assert_eq!(count("DiagnosticReport"), 1, "{}", name(path));
        seen.insert(name(path), (count("Observation"), count("Specimen")));
    }
    if !seen.is_empty() {
        let seen: BTreeMap<&str, (usize, usize)> = seen.iter().map(|(name, count)| (name.as_str(), *count)).collect();
        assert_eq!(seen, expected);
    }
}

/// Values read by hand in the XML of the thyroid report.
#[test]
fn results_are_what_the_documents_say() {
    let file = "BIO-CR-BIO_2024.01_TSH_1";
    for (loinc, value, interpretation, low, high) in
        [("3016-3", "1.950 m[IU]/L", "N", "0.270", "4.200"), ("3024-7", "7.67 pg/mL", "L", "9.30", "17.00")]
    {
        let Some(path) = samples().into_iter().find(|path| name(path) == file) else { return };
        let translation = translate::translate(&parsed(&path));
        let found = translation.entries.iter().map(|entry| Value::Object(entry.resource.clone()));
        let result = found
            .into_iter()
            .find(|resource| resource["code"]["coding"][0]["code"] == loinc && !resource["valueQuantity"].is_null());
        let result = result.unwrap_or_else(|| panic!("{loinc}"));
        let quantity = |value: &Value| format!("{} {}", value["value"], value["unit"].as_str().unwrap());
        assert_eq!(quantity(&result["valueQuantity"]), value, "{loinc}");
        assert_eq!(result["interpretation"][0]["coding"][0]["code"], interpretation);
        assert_eq!(result["referenceRange"][0]["low"]["value"].to_string(), low);
        assert_eq!(result["referenceRange"][0]["high"]["value"].to_string(), high);
        assert_eq!(result["effectiveDateTime"], "2014-04-02T14:55:21+02:00");
    }
}

#[test]
fn each_line_of_an_antibiogram_has_antibiotic_organism_and_sensitivity_together() {
    let Some(path) = samples().into_iter().find(|path| name(path) == "BIO-CR-BIO_2024.01_Microbiologie_V1") else { return };
    let translation = translate::translate(&parsed(&path));
    let by_url: BTreeMap<&str, &dmp_fhir::fhir::Resource> =
        translation.entries.iter().map(|entry| (entry.full_url.as_str(), &entry.resource)).collect();
    let mut lines = Vec::new();
    for resource in by_url.values().filter(|resource| resource["resourceType"] == "Observation") {
        let code = resource["code"]["coding"][0]["code"].as_str().unwrap_or("");
        if !["20-8", "28-1", "18928-2"].contains(&code) {
            continue;
        }
        let quantity = &resource["valueQuantity"];
        let specimen = by_url[resource["specimen"]["reference"].as_str().unwrap()];
        lines.push(format!(
            "{} {code} {}{} {}",
            specimen["type"]["coding"][0]["code"].as_str().unwrap(),
            quantity["comparator"].as_str().unwrap(),
            quantity["value"],
            resource["interpretation"][0]["coding"][0]["code"].as_str().unwrap()
        ));
    }
    lines.sort();
    let expected = [
        "112283007 18928-2 <0.032 S",
        "112283007 20-8 >=0.512 R",
        "112283007 28-1 <0.128 I",
        "58800005 18928-2 <0.014 S",
        "58800005 20-8 <0.012 S",
        "58800005 28-1 <0.013 S",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn a_corrected_report_says_which_results_it_replaces() {
    let version = |number: u8| samples().into_iter().find(|path| name(path).ends_with(&format!("Microbiologie_V{number}")));
    let (Some(old), Some(new)) = (version(1), version(2)) else { return };
    let old = translate::translate(&parsed(&old));
    let mut new = translate::translate(&parsed(&new));
    translate::mark_replacements(&mut new.entries, &old.entries, |entry| Some(entry.full_url.clone()));
    let report = new.entries.iter().find(|entry| entry.entry_path == "/ClinicalDocument#DiagnosticReport").unwrap();
    let extension = &report.resource["extension"][0];
    assert_eq!(extension["url"], "http://hl7.org/fhir/StructureDefinition/diagnosticReport-replaces");
    let old_report = old.entries.iter().find(|entry| entry.entry_path == "/ClinicalDocument#DiagnosticReport").unwrap();
    assert_eq!(extension["valueReference"]["reference"], old_report.full_url);
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

#[test]
#[ignore = "takes a minute and needs the validator: .ci/full runs it"]
fn everything_made_of_samples_and_golden_documents_passes_the_official_validator() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/translation-dump");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    every_sample_is_translated_and_refers_only_to_itself_its_patient_and_its_document();
    golden::every_golden_piece_becomes_what_its_rule_says();
    let files = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|extension| extension == "ndjson"));
    let run = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/validator/run");
    let output = std::process::Command::new(run).args(files).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    println!("{said}");
    assert!(output.status.success(), "{said}");
}

/// Writes what the validator reads, where `target/translation-dump` is a folder.
fn dump(name: &str, document: &cda::Document, size: usize, translation: &translate::Translation) {
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
    let file = translate::DepositedFile { size, sha1_base64: "2jmj7l5rSw0yVb/vlWAYkK/YBwk=".to_owned() };
    let (reference, issues) = translate::document_reference(document, &file);
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
    std::fs::write(folder.join(format!("{name}.ndjson")), lines).unwrap();
    let mut report = String::new();
    for issue in translation.issues.iter().chain(&issues) {
        report.push_str(&format!("{} {}\n", issue.code.code(), issue.path));
    }
    for entry in translation.account.iter().filter(|entry| entry.target.is_none()) {
        report.push_str(&format!("{} {}\n", entry.reason.unwrap().code(), entry.path));
    }
    std::fs::write(folder.join(format!("{name}.txt")), report).unwrap();
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
