//! The main questions take the index that is meant for them, on both databases, after ANALYZE, with no planner switch set.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failure of a helper is a failure of its test")]
use crate::store::{Bench, ins, kind, on_both, professional, searcher};
use dmp_fhir::clock::Millis;
use dmp_fhir::fhir::interaction::{Parameters, RecordName, SearchPlace};
use dmp_fhir::ids::{Pid, Rid};
use dmp_fhir::search::{self, ExtractContext, IndexRows, Keyer, NoLibrary, ParseContext};
use dmp_fhir::store::{NewResource, Store, resource_search_explained, statistics_renew};
use serde_json::{Value, json};

/// Resources of one write.
const WRITE: usize = 2_000;
/// 2026-11-24T12:00:00Z
const NOW: Millis = Millis(1_795_521_600_000);

fn place(pid: Pid, reference: &str) -> Option<(Pid, Rid)> {
    let (name, id) = reference.split_once('/')?;
    match name {
        "Patient" => Some((Pid(id.parse().ok()?), Rid::PATIENT)),
        "Observation" => Some((pid, Rid(id.parse().ok()?))),
        _ => None,
    }
}

/// A result, a report of it, or a document: the shapes of a record.
fn body(pid: Pid, rid: i64) -> Value {
    let subject = json!({"reference": format!("Patient/{}", pid.0)});
    let date = format!("{}-{:02}-{:02}", 2016 + rid % 11, 1 + rid % 12, 1 + rid % 28);
    match rid % 20 {
        0 if rid == Rid::PATIENT.0 => json!({"resourceType": "Patient", "name": [{"family": "PAT-TROIS"}]}),
        18 => json!({"resourceType": "DiagnosticReport", "status": "final", "code": {"text": "R"}, "subject": subject,
            "effectiveDateTime": date, "result": [{"reference": format!("Observation/{}", rid - 1)}]}),
        19 => {
            json!({"resourceType": "DocumentReference", "status": "current", "subject": subject, "date": format!("{date}T10:00:00Z"),
            "type": {"coding": [{"system": "http://loinc.org", "code": (["11502-2", "34112-3", "11488-4"][usize::try_from(rid % 3).unwrap()])}]},
            "context": {"period": {"start": date}}, "content": [{"attachment": {"contentType": "text/xml"}}]})
        }
        _ => json!({"resourceType": "Observation", "status": "final", "subject": subject, "effectiveDateTime": date,
            "identifier": [{"system": "urn:oid:1.2", "value": format!("{}-{rid}", pid.0)}],
            "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category",
                "code": if rid % 2 == 0 { "laboratory" } else { "vital-signs" }}]}],
            "code": {"coding": [{"system": "http://loinc.org", "code": format!("{}-1", 1000 + (rid * 7) % 97)}]},
            "valueQuantity": {"value": rid % 17, "unit": "%", "system": "http://unitsofmeasure.org", "code": "%"}}),
    }
}

fn resource(keyer: &Keyer, pid: Pid, rid: i64) -> NewResource {
    let mut body = body(pid, rid);
    body["id"] = json!(rid.to_string());
    let resource_type = kind(body["resourceType"].as_str().unwrap());
    let zone = jiff::tz::TimeZone::UTC;
    let local = |reference: &str| place(pid, reference);
    let context = ExtractContext { keyer, local: &local, pid, time_zone: &zone };
    let rows: IndexRows = search::extract(resource_type, body.as_object().unwrap(), &context);
    let bytes = body.to_string().into_bytes();
    NewResource {
        rid: Rid(rid),
        resource_type,
        version: 1,
        body: bytes,
        rows,
        labels: 0,
        class: None,
        origin: None,
        authors: Vec::new(),
    }
}

/// This many resources in records of different sizes, every second of which authorises the practitioner; the first is the largest.
fn filled(bench: &Bench, resources: usize) -> Pid {
    let keyer = Keyer::new(bench.store.search_secret());
    let records = resources / 400;
    let mut first = None;
    for number in 0..records {
        let authorised: &[&str] = if number % 2 == 0 { &["martin"] } else { &["durand"] };
        let pid = bench.record(&ins(u32::try_from(number).unwrap()), authorised);
        first.get_or_insert(pid);
        let size = if number == 0 { resources / 10 } else { 360 };
        let all: Vec<NewResource> = (0..=i64::try_from(size).unwrap()).map(|rid| resource(&keyer, pid, rid)).collect();
        for chunk in all.chunks(WRITE) {
            bench.put_new(pid, chunk.to_vec());
        }
    }
    bench.write(statistics_renew).unwrap();
    first.unwrap()
}

/// The plans of the statements that a query takes, on connections that know the statistics.
fn plans(bench: &Bench, pid: Option<Pid>, query: &str) -> Vec<String> {
    let (name, parameters) = query.split_once('?').unwrap();
    let parameters = parameters.split('&').filter_map(|part| part.split_once('='));
    let parameters = Parameters(parameters.map(|(name, value)| (name.to_owned(), value.to_owned())).collect());
    let keyer = Keyer::new(bench.store.search_secret());
    let local = |reference: &str| place(pid.unwrap_or(Pid(1)), reference);
    let context = ParseContext {
        keyer: &keyer,
        local: &local,
        time_zone: &jiff::tz::TimeZone::UTC,
        lenient: false,
        now: NOW,
        pid,
        library: &NoLibrary,
        everything: false,
    };
    let resource_type = kind(name);
    let query = search::parse(resource_type, &parameters, &context).unwrap();
    bench
        .read(move |unit| {
            let record = pid.map(|pid| SearchPlace::Record(RecordName::Pid(pid)));
            let access = searcher(unit, &professional("martin"), record.unwrap_or(SearchPlace::Cohort), resource_type.name())?;
            resource_search_explained(unit, &access, &query.plan, 20)
        })
        .unwrap()
}

/// A question, in one record or over several, and the indexes that must stand in its plans: of SQLite, of PostgreSQL.
struct Question {
    query: &'static str,
    cohort: bool,
    sqlite: &'static [&'static str],
    postgresql: &'static [&'static str],
}

const fn one(query: &'static str, sqlite: &'static [&'static str], postgresql: &'static [&'static str]) -> Question {
    Question { query, cohort: false, sqlite, postgresql }
}

const fn several(query: &'static str, sqlite: &'static [&'static str], postgresql: &'static [&'static str]) -> Question {
    Question { query, cohort: true, sqlite, postgresql }
}

const BY_TOKEN: &[&str] = &["SEARCH d USING PRIMARY KEY (pid=? AND key=?"];
const TOKEN: &[&str] = &["token_pkey on token d"];

/// `Patient/P` stands for the record.
const QUESTIONS: [Question; 14] = [
    one("Observation?patient=Patient/P&code=1007-1", BY_TOKEN, TOKEN),
    one("Observation?patient=Patient/P&code=http://loinc.org|1007-1&date=ge2024", BY_TOKEN, TOKEN),
    one("Observation?patient=Patient/P&category=laboratory", BY_TOKEN, TOKEN),
    one("Observation?patient=Patient/P&code=1007-1&value-quantity=gt8", BY_TOKEN, TOKEN),
    one(
        "Observation?patient=Patient/P&_id=5",
        &["SEARCH r USING PRIMARY KEY (pid=? AND rid=?)"],
        &["resource_pkey on resource r"],
    ),
    one("Observation?patient=Patient/P&identifier=urn:oid:1.2|P-5", BY_TOKEN, TOKEN),
    one("Observation?patient=Patient/P&_lastUpdated=ge2026", BY_TOKEN, TOKEN),
    one("Observation?patient=Patient/P", BY_TOKEN, TOKEN),
    one("DocumentReference?patient=Patient/P&type=http://loinc.org|11502-2&period=ge2020", BY_TOKEN, TOKEN),
    one(
        "DiagnosticReport?patient=Patient/P&result.code=1007-1",
        &["SEARCH t1 USING PRIMARY KEY (pid=? AND key=?"],
        &["token_pkey on token t1"],
    ),
    several(
        "Observation?code=1007-1&value-quantity=gt8&date=ge2024",
        &["SEARCH r USING PRIMARY KEY (pid=? AND rid=?)"],
        &["resource_pkey on resource r"],
    ),
    several("Observation?identifier=urn:oid:1.2|1-5", &["SEARCH t USING COVERING INDEX token_key (key=?"], &["token_key"]),
    several(
        "Patient?_has:Observation:patient:code=1007-1",
        &["SEARCH t1 USING PRIMARY KEY (pid=? AND key=?"],
        &["token_pkey on token t1"],
    ),
    several("Observation?code=1007-1&subject:Patient.family=pat", &["SEARCH t"], &["token"]),
];

/// Steps that read a whole table of the store.
const WHOLE: [&str; 6] = ["SCAN r", "SCAN t", "SCAN d", "Seq Scan on resource", "Seq Scan on token", "Seq Scan on \"range\""];

fn takes_the_intended_indexes(resources: usize) {
    on_both(|bench| {
        let pid = filled(bench, resources);
        let mut again = bench.clone();
        again.store = Store::open(&bench.settings).unwrap();
        let sqlite = bench.name == "SQLite";
        for question in QUESTIONS {
            let query =
                question.query.replace("Patient/P", &format!("Patient/{}", pid.0)).replace("|P-5", &format!("|{}-5", pid.0));
            let plans = plans(&again, (!question.cohort).then_some(pid), &query);
            let told = plans.join("\n--\n");
            for step in if sqlite { question.sqlite } else { question.postgresql } {
                assert!(told.contains(step), "{} {query}: no {step:?} in\n{told}", bench.name);
            }
            for whole in WHOLE {
                assert!(!told.contains(whole), "{} {query}: {whole:?} in\n{told}", bench.name);
            }
            // A repeated result is looked for from each candidate, never over all that repeat something.
            assert!(!told.contains("(g1.pid = r.pid) AND"), "{} {query}: joined\n{told}", bench.name);
            if !question.cohort && sqlite {
                let sorts = question.query.contains("_id") || question.query.contains("result.code");
                assert!(sorts || !told.contains("TEMP B-TREE FOR ORDER BY"), "{query} sorts:\n{told}");
            }
        }
    });
}

#[test]
fn each_main_question_takes_its_index_on_20_000_resources() {
    takes_the_intended_indexes(20_000);
}

#[test]
#[ignore = "minutes to fill in a debug build: part of the full run"]
fn each_main_question_takes_its_index_on_200_000_resources() {
    takes_the_intended_indexes(200_000);
}
