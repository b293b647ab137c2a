//! Golden cases: tests/golden/cda/<rule>.xml is a piece of a document, <rule>.json what it becomes, written by hand from the rules.
//!
//! `in`: `act` (below a laboratory act), `section` (the entries of a section), `section CODE [TEMPLATE]` (the entries of a section with
//! this LOINC code, of a document that is no laboratory report), `document` (after the header) or `report` (after the header of a
//! laboratory report). The documents are of 2024-01-04.
//! `resources`: `at` is the path below that place; `expect` is a part of the resource (null: the element is absent).
//! `issues`: `code path`. `account`: path and the type of the target, or the reason. References are written as paths.
use super::pieces::document;
use dmp_fhir::{cda, translate};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

const ACT: &str = "/ClinicalDocument/component[1]/structuredBody[1]/component[1]/section[1]/entry[1]/act[1]/";
const SECTION: &str = "/ClinicalDocument/component[1]/structuredBody[1]/component[1]/section[1]/";
const DOCUMENT: &str = "/ClinicalDocument/";

fn check(name: &str, piece: &str, golden: &Value) {
    let place = golden["in"].as_str().unwrap();
    let prefix = match place {
        "act" => ACT,
        place if place.starts_with("section") => SECTION,
        _ => DOCUMENT,
    };
    let document = cda::parse(document(place, piece).as_bytes()).unwrap_or_else(|error| panic!("{name}: {error}"));
    let translation = translate::translate(&document);
    super::dump(&format!("golden-{name}"), &document, piece.len(), &translation);
    let short = |path: &str| path.strip_prefix(prefix).unwrap_or(path).to_owned();
    let paths: BTreeMap<String, String> =
        translation.entries.iter().map(|entry| (entry.full_url.clone(), short(&entry.entry_path))).collect();
    super::refers_only_to_itself(name, &translation);
    for entry in &translation.entries {
        let found = dmp_fhir::fhir::check::check(&entry.resource);
        assert!(found.is_empty(), "{name}: {} {found:?}", entry.entry_path);
    }
    let mut made = BTreeMap::new();
    for entry in &translation.entries {
        let mut resource = Value::Object(entry.resource.clone());
        name_paths(&mut resource, &paths);
        made.insert(short(&entry.entry_path), resource);
    }
    for expected in golden["resources"].as_array().into_iter().flatten() {
        let at = expected["at"].as_str().unwrap();
        let resource = made.get(at).unwrap_or_else(|| panic!("{name}: nothing at {at}, but at {:?}", made.keys()));
        matches(name, at, resource, &expected["expect"]);
    }
    for at in golden["nothing_at"].as_array().into_iter().flatten() {
        assert!(!made.contains_key(at.as_str().unwrap()), "{name}: something at {at}");
    }
    if let Some(issues) = golden.get("issues") {
        let found: Vec<Value> =
            translation.issues.iter().map(|issue| json!(format!("{} {}", issue.code.code(), short(&issue.path)))).collect();
        assert_eq!(&Value::Array(found), issues, "{name}");
    }
    for line in golden["account"].as_array().into_iter().flatten() {
        let path = line[0].as_str().unwrap();
        let entry = translation.account.iter().find(|entry| short(&entry.path) == path);
        let entry = entry.unwrap_or_else(|| panic!("{name}: no line for {path}"));
        let said = match (&entry.target, entry.reason) {
            (Some(target), None) => paths[target].clone(),
            (None, Some(reason)) => reason.code().to_owned(),
            other => panic!("{name}: {path} {other:?}"),
        };
        assert_eq!(said, line[1].as_str().unwrap(), "{name}: {path}");
    }
}

fn name_paths(value: &mut Value, paths: &BTreeMap<String, String>) {
    match value {
        Value::String(text) => {
            if let Some(path) = paths.get(text.as_str()) {
                text.clone_from(path);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| name_paths(item, paths)),
        Value::Object(object) => object.values_mut().for_each(|value| name_paths(value, paths)),
        _ => {}
    }
}

/// Objects: each expected member; null: absent. Arrays and everything else: equal in number, each item a match.
fn matches(name: &str, at: &str, actual: &Value, expected: &Value) {
    match expected {
        Value::Object(members) => {
            for (key, value) in members {
                let found = actual.get(key);
                if value.is_null() {
                    assert!(found.is_none(), "{name}: {at}.{key} is {found:?}");
                } else {
                    let found = found.unwrap_or_else(|| panic!("{name}: no {at}.{key} in {actual}"));
                    matches(name, &format!("{at}.{key}"), found, value);
                }
            }
        }
        Value::Array(items) => {
            let found = actual.as_array().unwrap_or_else(|| panic!("{name}: {at} is {actual}"));
            assert_eq!(found.len(), items.len(), "{name}: {at} is {actual}");
            for (found, item) in found.iter().zip(items) {
                matches(name, at, found, item);
            }
        }
        other => assert_eq!(actual, other, "{name}: {at}"),
    }
}

#[test]
pub(super) fn every_golden_piece_becomes_what_its_rule_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/cda");
    let mut names: Vec<String> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "xml"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    names.sort();
    assert!(names.len() >= 120, "{}", names.len());
    let mut wrong = Vec::new();
    for name in &names {
        let piece = std::fs::read_to_string(folder.join(format!("{name}.xml"))).unwrap();
        let golden = std::fs::read_to_string(folder.join(format!("{name}.json"))).unwrap();
        let golden = serde_json::from_str(&golden).unwrap_or_else(|error| panic!("{name}.json: {error}"));
        if std::panic::catch_unwind(|| check(name, &piece, &golden)).is_err() {
            wrong.push(name.as_str());
        }
    }
    assert_eq!(wrong, Vec::<&str>::new(), "what each of them says stands above");
}
