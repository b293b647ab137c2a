//! The search tests of fhir-candle (MIT), asked of this server: <https://github.com/FHIR/fhir-candle>, `R4Tests.cs`.
//!
//! The fixtures are read from `../shared` and kept as they are, but for what tests/specs/fhir-candle.md says: each patient is
//! the subject of a record of its own, ids are those that the client chose, and a search over several records has a bound.
//! Cases that are answered otherwise are listed there with the sentence of the standard that says so.
use crate::harness::actor::link;
use crate::harness::people::Person;
use crate::harness::{Actor, PAT_TROIS, Process, World, encoded, on_both, spec};
use crate::store::{kind, wait, writer};
use dmp_fhir::audit::{Body, Outcome};
use dmp_fhir::fhir::{Problem, ResourceType};
use dmp_fhir::ids::{Pid, Rid};
use dmp_fhir::search::{ExtractContext, extract};
use dmp_fhir::store::{NewResource, Unit, alias_put, resource_put};
use serde_json::Value;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

/// Patients, in the order of their records; the last stands in a Bundle.
const PATIENTS: [&str; 6] = [
    "patient-example.json",
    "patient-example-a.json",
    "patient-example-b.json",
    "patient-example-c.json",
    "patient-example-d.json",
    "Bundle-transaction-cdex-load-payer.json",
];

/// Codes of the two SearchParameters that the operator of fhir-candle loads.
const OPERATOR_PARAMETERS: [&str; 2] = ["multiplebirth=", "name-use="];

/// Observations, and in whose record they are: the second has a contained patient, the last one who is not here.
const OBSERVATIONS: [(&str, usize); 6] = [
    ("Observation-example.json", 0),
    ("Observation-1minute-apgar-score.json", 1),
    ("Observation-blood-pressure.json", 0),
    ("Observation-blood-pressure-cancel.json", 0),
    ("Observation-blood-pressure-dar.json", 0),
    ("Observation-656.json", 2),
];

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/tests/fhir-candle-search")
}

fn fixture(name: &str) -> Value {
    let text = std::fs::read_to_string(folder().join(name)).unwrap();
    serde_json::from_str(text.trim_start_matches('\u{feff}')).unwrap()
}

/// One case: which test of R4Tests.cs, who asks, the query from the type on, matches and (where they are counted) entries.
struct Case {
    test: String,
    args: String,
    caller: Option<String>,
    query: String,
    matches: usize,
    entries: Option<usize>,
}

/// `null, "a=b", (6 - 1), 7` in its parts.
fn arguments(args: &str) -> Vec<String> {
    let (mut parts, mut quoted) = (vec![String::new()], false);
    for character in args.chars() {
        match character {
            '"' => quoted = !quoted,
            ',' if !quoted => parts.push(String::new()),
            other => parts.last_mut().unwrap().push(other),
        }
    }
    parts.into_iter().map(|part| part.trim().to_owned()).collect()
}

/// `(6 - 1)`, `4 + 1`.
fn sum(text: &str) -> usize {
    let text = text.trim_matches(['(', ')']);
    if let Some((one, other)) = text.split_once('+') {
        return sum(one.trim()) + sum(other.trim());
    }
    if let Some((one, other)) = text.split_once('-') {
        return sum(one.trim()) - sum(other.trim());
    }
    text.parse().unwrap_or_else(|_| panic!("{text} is no number"))
}

fn case(test: &str, args: &str) -> Option<Case> {
    let parts = arguments(args);
    let part = |index: usize| parts.get(index).filter(|part| *part != "null").cloned();
    let plain = |caller: Option<String>, query: String, matches: usize, entries: Option<usize>| Case {
        test: test.to_owned(),
        args: args.to_owned(),
        caller,
        query,
        matches,
        entries,
    };
    Some(match test {
        "ObservationSearch" | "PatientSearch" => {
            let kind = test.trim_end_matches("Search");
            plain(part(0), format!("{kind}?{}", part(1)?), sum(&part(2)?), part(3).map(|text| sum(&text)))
        }
        "Search" => plain(None, part(0)?.trim_start_matches('/').to_owned(), sum(&part(1)?), None),
        "LoopedPatientsSearch" => plain(None, format!("Patient?{}", part(0)?), 1, None),
        "PatientCompartmentSearch" => {
            let of = part(2).unwrap_or_else(|| "*".to_owned());
            let query = part(3).map(|query| format!("?{query}")).unwrap_or_default();
            plain(part(0), format!("Patient/{}/{of}{query}", part(1)?), sum(&part(4)?), None)
        }
        "ObservationSortOrder" => plain(None, format!("Observation?{}", part(0)?), 6, None),
        "PatientSortOrder" => plain(None, format!("Patient?{}", part(0)?), 6, None),
        // What a Subscription triggers is no search.
        "TestSubEncounterNoFilters" => return None,
        other => panic!("{other} is a test that nobody has read"),
    })
}

/// Persons of the records; the one after the last has none.
fn person(number: usize) -> Person {
    Person { ins: Box::leak(format!("2790351215{number:05}").into_boxed_str()), ..PAT_TROIS }
}

/// Six records that the practitioner may read, with the fixtures in them under the ids that they have.
fn fill(world: &World) {
    let server = world.server();
    let mut pids = Vec::new();
    let mut bodies: Vec<(usize, Value)> = Vec::new();
    for (number, file) in PATIENTS.iter().enumerate() {
        let record = world.open_record_for_practitioner(&person(number));
        pids.push(server.resolve(&format!("Patient/{}", record.patient)).unwrap().1);
        let mut patient = fixture(file);
        if patient["resourceType"] == "Bundle" {
            patient = patient["entry"][0]["resource"].take();
            patient["id"] = "cdex".into();
        }
        bodies.push((number, patient));
    }
    let names: Vec<String> = bodies.iter().map(|(_, patient)| format!("Patient/{}", patient["id"].as_str().unwrap())).collect();
    for (file, number) in OBSERVATIONS {
        let mut observation = fixture(file);
        observation["subject"]["reference"] = names[number].clone().into();
        bodies.push((number, observation));
    }
    let places: HashMap<String, (Pid, Rid)> = bodies
        .iter()
        .enumerate()
        .map(|(index, (number, body))| {
            let rid = if body["resourceType"] == "Patient" { Rid::PATIENT } else { Rid(i64::try_from(index).unwrap()) };
            (format!("{}/{}", body["resourceType"].as_str().unwrap(), body["id"].as_str().unwrap()), (pids[*number], rid))
        })
        .collect();
    for (number, body) in bodies {
        put(world, pids[number], body, places.clone());
    }
}

/// Writes a fixture as the server, under the id that it has.
fn put(world: &World, pid: Pid, mut body: Value, places: HashMap<String, (Pid, Rid)>) {
    let server = Arc::clone(world.server());
    let (sender, receiver) = std::sync::mpsc::channel();
    let store = server.store.clone();
    let resource_type: ResourceType = kind(body["resourceType"].as_str().unwrap());
    let id = body["id"].as_str().unwrap().to_owned();
    let rid = places[&format!("{resource_type}/{id}")].1;
    let version = if rid == Rid::PATIENT { 2 } else { 1 };
    let mut job = move |unit: &Unit| -> Result<(), Problem> {
        let access = writer(unit, pid)?;
        body["meta"]["versionId"] = version.to_string().into();
        body["meta"]["lastUpdated"] = unit.updated(&access)?.instant().into();
        let local = |reference: &str| places.get(reference).copied();
        let context = ExtractContext { keyer: &server.keyer, local: &local, pid, time_zone: &server.time_zone };
        let rows = extract(resource_type, body.as_object().unwrap(), &context);
        let bytes = body.to_string().into_bytes();
        let new = NewResource {
            rid,
            resource_type,
            version,
            body: bytes,
            rows,
            labels: 0,
            class: None,
            origin: None,
            authors: Vec::new(),
        };
        alias_put(unit, &access, resource_type, &id, rid)?;
        resource_put(unit, &access, &[new])
    };
    let recorded = wait(store.write(move |unit| match job(unit) {
        Ok(()) => {
            sender.send(()).unwrap();
            Outcome::new(200, Body::Empty, Vec::new())
        }
        Err(problem) => Outcome::problem(&problem, Vec::new()),
    }));
    assert!(receiver.recv().is_ok(), "not written: {}", recorded.status());
}

/// Who asks: fhir-candle's authorisations by SMART launch are patients here.
fn caller(world: &World, name: Option<&str>) -> Actor {
    match name {
        None => world.general_practitioner(),
        Some("PatientExampleFull" | "PatientExamplePatientOnly") => world.patient(&person(0)),
        Some("PatientDoesNotExistFull") => world.patient(&person(PATIENTS.len())),
        Some(other) => panic!("{other} is nobody"),
    }
}

/// The query as it is sent.
fn adapted(case: &Case) -> String {
    let (path, query) = case.query.split_once('?').unwrap_or((&case.query, ""));
    let mut pairs: Vec<String> = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| format!("{}={}", encoded(name), encoded(value)))
        .collect();
    // A search over several records starts from a condition that the indexes decide; this one every Observation fulfils.
    if path == "Observation" && case.caller.is_none() {
        pairs.push("status=final,cancelled".to_owned());
    }
    let separator = if pairs.is_empty() { "" } else { "?" };
    format!("{path}{separator}{}", pairs.join("&"))
}

/// Matches and entries over all pages; nobody's data are no matches.
fn ask(caller: &Actor, query: &str) -> Result<(usize, usize), String> {
    let (mut matches, mut entries, mut next) = (0, 0, Some(query.to_owned()));
    while let Some(url) = next {
        let answer = caller.get(&url);
        match answer.status {
            200 => {}
            // A record that is not there or gives no access: nothing is told, and nothing is found.
            403 | 404 => return Ok((0, 0)),
            status => return Err(format!("{status}: {}", answer.text())),
        }
        let page = answer.json();
        for entry in page["entry"].as_array().into_iter().flatten() {
            entries += 1;
            matches += usize::from(entry["search"]["mode"] == "match");
        }
        next = link(&page, "next");
    }
    Ok((matches, entries))
}

#[test]
fn the_searches_of_fhir_candle_are_answered() {
    if !folder().join("fhir_candle_r4_cases.json").is_file() {
        println!("skipped: {} is not here", folder().display());
        return;
    }
    let cases = fixture("fhir_candle_r4_cases.json");
    let all = cases["cases"].as_array().unwrap();
    let cases: Vec<Case> =
        all.iter().filter_map(|one| case(one["test"].as_str().unwrap(), one["args"].as_str().unwrap())).collect();
    let mut exceptions = spec::rows("fhir-candle", "answered_otherwise");
    exceptions.extend(spec::rows("fhir-candle", "not_served_yet"));
    let definitions = tempfile::tempdir().unwrap();
    for name in ["searchparameter-patient-multiplebirth.json", "searchparameter-patient-name-use.json"] {
        std::fs::copy(folder().join(name), definitions.path().join(name)).unwrap();
    }
    on_both(|world| {
        fill(world);
        let with_parameters = Process::of(world, &["--search-parameters", &definitions.path().display().to_string()]);
        let (mut wrong, mut used) = (Vec::new(), vec![false; exceptions.len()]);
        for case in &cases {
            let (mut matches, mut entries, mut refused) = (case.matches, case.entries, false);
            for (row, used) in exceptions.iter().zip(&mut used) {
                if row["test"] == case.test && row["arguments"] == case.args.replace('|', "%7C") {
                    *used = true;
                    refused = row["here"] == "400";
                    if let Ok(here) = row["here"].parse() {
                        (matches, entries) = if refused { (0, None) } else { (here, None) };
                    }
                }
            }
            let mut asker = caller(world, case.caller.as_deref());
            if OPERATOR_PARAMETERS.iter().any(|code| case.query.contains(code)) {
                asker = with_parameters.asked_by(&asker);
            }
            match ask(&asker, &adapted(case)) {
                Ok(found) if !refused && found.0 == matches && entries.is_none_or(|entries| found.1 == entries) => {}
                Err(text) if refused && text.starts_with("400") => {}
                Ok((found, of)) => wrong.push(format!("{} | {} | {found} matches of {of} entries", case.test, case.args)),
                Err(text) => wrong.push(format!("{} | {} | {text}", case.test, case.args)),
            }
        }
        let unused =
            exceptions.iter().zip(&used).filter(|(_, used)| !**used).map(|(row, _)| &row["arguments"]).collect::<Vec<_>>();
        assert!(unused.is_empty(), "exceptions that nothing needs: {unused:?}");
        println!("{} cases asked, {} of them answered otherwise", cases.len(), exceptions.len());
        assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    });
}
