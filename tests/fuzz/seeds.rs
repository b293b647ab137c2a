//! What the fuzzer starts from: the project's golden documents, and the samples of the ANS where they are here.
use crate::tree::{Element, parse};
use std::collections::BTreeMap;
use std::path::Path;

#[path = "../all/translate/pieces.rs"]
mod pieces;

/// A document to start from.
pub(crate) struct Seed {
    /// File name.
    pub(crate) name: String,
    /// The document.
    pub(crate) root: Element,
}

/// The documents, and what they are made of.
pub(crate) struct Corpus {
    pub(crate) seeds: Vec<Seed>,
    /// Every entry and every element that stands below one and states something.
    pub(crate) parts: Vec<Element>,
    /// Attribute name -> its values.
    pub(crate) values: BTreeMap<String, Vec<String>>,
}

/// Reads the corpus, always in the same order.
pub(crate) fn corpus() -> Corpus {
    let mut seeds = golden();
    let samples = files("../shared/samples/cda", "xml");
    if samples.is_empty() {
        println!("skipped: no sample documents at ../shared/samples/cda");
    }
    for (name, text) in files("tests/golden/documents", "xml").into_iter().chain(samples) {
        seeds.push(Seed { name, root: parse(&text) });
    }
    let mut parts: Vec<Element> = Vec::new();
    let mut values: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for seed in &seeds {
        seed.root.visit(&mut |_, inside, element| {
            if inside && element.elements().any(|child| child.local() == "templateId") {
                parts.push(element.clone());
            }
            for (name, value) in element.attributes.iter().filter(|(_, value)| value.len() < 200) {
                values.entry(name.clone()).or_default().push(value.clone());
            }
        });
    }
    for values in values.values_mut() {
        values.sort();
        values.dedup();
    }
    Corpus { seeds, parts, values }
}

/// The golden pieces in their documents.
pub(crate) fn golden() -> Vec<Seed> {
    let cases: BTreeMap<String, String> = files("tests/golden/cda", "json").into_iter().collect();
    let piece = |(name, piece): (String, String)| {
        let case: serde_json::Value = serde_json::from_str(&cases[&name]).unwrap();
        let root = parse(&pieces::document(case["in"].as_str().unwrap(), &piece));
        Seed { name, root }
    };
    files("tests/golden/cda", "xml").into_iter().map(piece).collect()
}

/// Name and text of the files of a folder, sorted; none where the folder is not here.
fn files(folder: &str, extension: &str) -> Vec<(String, String)> {
    let Ok(folder) = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)) else { return Vec::new() };
    let paths = folder.map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some_and(|e| e == extension));
    let name = |path: &Path| path.file_stem().unwrap().to_str().unwrap().to_owned();
    let text = |path: &Path| String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned();
    let mut out: Vec<(String, String)> = paths.map(|path| (name(&path), text(&path))).collect();
    out.sort();
    out
}
