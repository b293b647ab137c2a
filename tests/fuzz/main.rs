//! Changed documents through parser and translator: whatever comes in, no panic, bounded time and size, and no meaning made up.
//!
//! `cargo test --test fuzz` runs some cases, the same every time. `DMP_FHIR_FUZZ_SECONDS=1800 cargo test --test fuzz`
//! runs others for that long; `DMP_FHIR_FUZZ_SEED=n` repeats a run. A document that fails is written to target/fuzz.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it skips"
)]
mod mutate;
mod properties;
mod seeds;
mod tree;

use mutate::Random;
use properties::Figures;
use std::hash::{BuildHasher, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

/// Cases of a short run.
const CASES: u64 = 500;

#[expect(clippy::disallowed_methods, reason = "how long to run is asked of the environment")]
fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap())
}

/// Every property, and no panic; the document is kept where one fails.
fn judge(name: &str, bytes: &[u8]) -> Result<Figures, String> {
    let found = catch_unwind(AssertUnwindSafe(|| properties::hold(bytes))).unwrap_or_else(|_| Err("it panics".into()));
    found.map_err(|said| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/fuzz");
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join(format!("{name}.xml"));
        std::fs::write(&file, bytes).unwrap();
        format!("{}: {said}", file.display())
    })
}

#[test]
fn whatever_is_changed_in_a_document_every_property_holds() {
    let corpus = seeds::corpus();
    let time = variable("DMP_FHIR_FUZZ_SECONDS").map(Duration::from_secs);
    let random = || std::hash::RandomState::new().build_hasher().finish() >> 16;
    let seed = variable("DMP_FHIR_FUZZ_SEED").unwrap_or_else(|| if time.is_some() { random() } else { 1 });
    println!("DMP_FHIR_FUZZ_SEED={seed}");
    let start = Instant::now();
    let (mut cases, mut documents, mut resources) = (0_u64, 0_u64, 0_usize);
    let (mut slowest, mut largest) = ((0.0, 0), (0.0, 0));
    let mut wrong = Vec::new();
    while time.map_or(cases < CASES, |time| start.elapsed() < time) && wrong.len() < 40 {
        let number = seed.wrapping_add(cases);
        let (name, bytes) = mutate::case(&corpus, &mut Random(number));
        cases += 1;
        match judge(&format!("{number}-{name}"), &bytes) {
            Err(said) => wrong.push(said),
            Ok(figures) => {
                documents += u64::from(figures.is_document);
                resources += figures.resources;
                slowest = if figures.seconds_per_megabyte > slowest.0 { (figures.seconds_per_megabyte, number) } else { slowest };
                largest = if figures.growth > largest.0 { (figures.growth, number) } else { largest };
            }
        }
    }
    println!("{cases} cases, {documents} of them documents, {resources} resources, {:?}", start.elapsed());
    println!(
        "slowest {:.3} s/MB (case {}), largest {:.1} bytes for each byte (case {})",
        slowest.0, slowest.1, largest.0, largest.1
    );
    assert!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n"));
    assert!(documents * 2 > cases, "most cases reach the translator: {documents} of {cases}");
}

#[test]
fn unchanged_documents_have_every_property() {
    let wrong: Vec<String> =
        seeds::corpus().seeds.iter().filter_map(|seed| judge(&seed.name, &seed.root.bytes()).err()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// No default status (R5), no default time: without its statusCode or its times, a resource does not say what they would have said.
#[test]
fn what_an_entry_no_longer_states_no_resource_says() {
    let mut wrong = Vec::new();
    for seed in seeds::golden() {
        let mut parts = Vec::new();
        seed.root.visit(&mut |number, inside, element| {
            if inside
                && ["statusCode", "effectiveTime", "value", "code", "doseQuantity", "low", "high"].contains(&element.local())
            {
                parts.push((number, element.local().to_owned()));
            }
        });
        for (number, name) in parts {
            let mut root = seed.root.clone();
            let part = root.nth(number).unwrap();
            // In its place something that says nothing: the paths of the others stay.
            part.name = "removed".to_owned();
            part.attributes.clear();
            part.children.clear();
            let name = format!("{}-{number}-without-{name}", seed.name);
            wrong.extend(judge(&name, &root.bytes()).err());
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// One change at a time, at each act of each golden document.
#[test]
fn each_entry_denied_planned_or_without_information_is_never_a_fact() {
    let mut wrong = Vec::new();
    for seed in seeds::golden() {
        let mut acts = Vec::new();
        seed.root.visit(&mut |number, inside, element| {
            if inside && element.attribute("moodCode").is_some() {
                acts.push(number);
            }
        });
        for number in acts {
            for (name, value) in [("negationInd", "true"), ("negationInd", "1"), ("nullFlavor", "NI"), ("moodCode", "INT")] {
                let mut root = seed.root.clone();
                root.nth(number).unwrap().set(name, value);
                wrong.extend(judge(&format!("{}-{number}-{name}-{value}", seed.name), &root.bytes()).err());
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
