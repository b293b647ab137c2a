//! The main job, end to end: a real laboratory report in, its individual results out (tests/specs/laboratory.md).
use crate::harness::spec::{Row, sample, specs};
use crate::harness::{Actor, Deposit, PAT_TROIS, encoded, on_both};
use serde_json::Value;

specs! { "laboratory":
    every_numeric_result_is_found_by_its_loinc_code_and_date,
    every_result_in_words_is_found_by_its_loinc_code_and_date,
    every_antibiogram_line_has_organism_antibiotic_concentration_and_s_i_r_together,
    a_bacterial_count_belongs_to_its_isolate,
    the_urgent_comment_is_not_lost,
    the_specimen_has_its_type_the_time_of_its_collection_and_of_its_reception,
    each_person_who_took_part_is_found_by_his_national_number,
    the_report_has_its_pdf_copy,
    the_report_says_when_by_whom_and_for_which_order,
    the_document_reference_says_what_the_header_says,
    a_corrected_report_supersedes_the_old_one_and_its_data_at_once,
}

const FILES: [(&str, &str); 3] = [
    ("TSH", "BIO-CR-BIO_2024.01_TSH_1.xml"),
    ("V1", "BIO-CR-BIO_2024.01_Microbiologie_V1.xml"),
    ("V2", "BIO-CR-BIO_2024.01_Microbiologie_V2.xml"),
];

fn deposit(report: &str) -> Option<Deposit> {
    let (_, file) = FILES.iter().find(|(name, _)| *name == report).unwrap();
    Some(Deposit::of(&sample(file)?))
}

/// A reader of the record in which the three reports are.
struct Reader {
    actor: Actor,
    patient: String,
}

impl Reader {
    /// `Type?patient=...&query`.
    fn find(&self, resource_type: &str, query: &str) -> Vec<Value> {
        self.actor.search(&format!("{resource_type}?patient={}&{query}", self.patient))
    }

    /// The one resource of that search.
    #[track_caller]
    fn one(&self, resource_type: &str, query: &str) -> Value {
        let mut found = self.find(resource_type, query);
        assert_eq!(found.len(), 1, "{resource_type}?{query}: {found:#?}");
        found.remove(0)
    }

    /// The resource behind a reference.
    fn follow(&self, reference: &Value) -> Value {
        self.actor.read(reference["reference"].as_str().unwrap_or_else(|| panic!("no reference: {reference}")))
    }

    /// Results by LOINC code and time, as a practitioner asks.
    fn results(&self, row: &Row) -> Vec<Value> {
        let code = encoded(&format!("http://loinc.org|{}", row["code"]));
        let date = row.get("effective").map(|time| format!("&date={}", encoded(time))).unwrap_or_default();
        self.find("Observation", &format!("code={code}{date}"))
    }

    fn report(&self, row: &Row) -> Value {
        let deposit = deposit(&row["report"]).unwrap();
        self.one("DiagnosticReport", &format!("identifier={}", encoded(&deposit.unique_id)))
    }
}

/// Files TSH and V1, checks their rows; then files V2 and checks TSH and V2: nothing of V1 is current any more.
fn for_each_row(rows: &[Row], check: impl Fn(&Reader, &Row)) {
    on_both(|world| {
        let record = world.open_record_for_practitioner(&PAT_TROIS);
        let reader = Reader { actor: world.general_practitioner(), patient: record.patient };
        for stage in [["TSH", "V1"], ["TSH", "V2"]] {
            for report in stage {
                let Some(deposit) = deposit(report) else { return };
                let status = deposit.by(&world.hospital_system()).status;
                assert!([200, 201].contains(&status), "{report}: {status}");
            }
            rows.iter().filter(|row| stage.contains(&row["report"].as_str())).for_each(|row| check(&reader, row));
        }
    });
}

fn same_time(stated: &Value, expected: &str) -> bool {
    let parse = |text: &str| text.parse::<jiff::Timestamp>().unwrap();
    stated.as_str().is_some_and(|stated| parse(stated) == parse(expected))
}

fn has_code(concept: &Value, code: &str) -> bool {
    concept["coding"].as_array().is_some_and(|codings| codings.iter().any(|coding| coding["code"] == code))
}

/// A decimal with its digits, or `-`.
fn digits(quantity: &Value) -> String {
    if quantity["value"].is_null() { "-".into() } else { quantity["value"].to_string() }
}

fn is_quantity(quantity: &Value, row: &Row) -> bool {
    let ucum = quantity["system"] == "http://unitsofmeasure.org" && quantity["code"] == row["unit"].as_str();
    digits(quantity) == row["value"] && ucum
}

fn is_interpreted(observation: &Value, row: &Row) -> bool {
    match row["interpretation"].as_str() {
        "-" => observation["interpretation"].is_null(),
        code => has_code(&observation["interpretation"][0], code),
    }
}

#[track_caller]
fn exactly_one<'a>(found: &'a [Value], row: &Row, fits: impl Fn(&Value) -> bool) -> &'a Value {
    let fitting: Vec<_> = found.iter().filter(|resource| fits(resource)).collect();
    assert_eq!(fitting.len(), 1, "{row:?} among {found:#?}");
    fitting[0]
}

/// National numbers of the person and of the structure behind a reference to a role, a person or a structure.
fn numbers(reader: &Reader, reference: &Value) -> Vec<String> {
    let resource = reader.follow(reference);
    let mut behind = vec![resource.clone()];
    for part in ["practitioner", "organization"] {
        if resource[part]["reference"].is_string() {
            behind.push(reader.follow(&resource[part]));
        }
        behind.push(serde_json::json!({"identifier": [resource[part]["identifier"].clone()]}));
    }
    let identifiers = behind.iter().flat_map(|resource| resource["identifier"].as_array().cloned().unwrap_or_default());
    identifiers.filter_map(|identifier| identifier["value"].as_str().map(str::to_owned)).collect()
}

mod checks {
    use super::*;

    pub(super) fn every_numeric_result_is_found_by_its_loinc_code_and_date(rows: &[Row]) {
        for_each_row(rows, |reader, row| {
            let found = reader.results(row);
            let together =
                rows.iter().filter(|other| ["report", "code", "effective"].iter().all(|column| other[*column] == row[*column]));
            assert_eq!(found.len(), together.count(), "{row:?}: {found:#?}");
            let observation = exactly_one(&found, row, |found| is_quantity(&found["valueQuantity"], row));
            assert!(same_time(&observation["effectiveDateTime"], &row["effective"]), "{observation}");
            assert!(is_interpreted(observation, row), "{row:?}: {observation}");
            assert_eq!(observation["status"], "final");
            let range = &observation["referenceRange"][0];
            assert_eq!((digits(&range["low"]), digits(&range["high"])), (row["low"].clone(), row["high"].clone()), "{row:?}");
            if row["low"] != "-" {
                assert_eq!(range["low"]["code"], row["unit"].as_str());
                assert!(has_code(&range["type"], "normal"), "{range}");
            }
        });
    }

    pub(super) fn every_result_in_words_is_found_by_its_loinc_code_and_date(rows: &[Row]) {
        for_each_row(rows, |reader, row| {
            let found = reader.results(row);
            let observation = exactly_one(&found, row, |found| found["valueCodeableConcept"]["text"] == row["text"].as_str());
            assert!(has_code(&observation["method"], &row["method"]), "{row:?}: {observation}");
        });
    }

    pub(super) fn every_antibiogram_line_has_organism_antibiotic_concentration_and_s_i_r_together(rows: &[Row]) {
        for_each_row(rows, |reader, row| {
            let found = reader.results(row);
            assert_eq!(found.len(), 2, "one line for each isolate: {row:?}");
            let of_isolate = |found: &Value| {
                let isolate = reader.follow(&found["specimen"]);
                has_code(&isolate["type"], &row["organism"]) && has_code(&isolate["type"], &row["taxon"])
            };
            let line = exactly_one(&found, row, of_isolate);
            assert!(is_quantity(&line["valueQuantity"], row), "{row:?}: {line}");
            assert_eq!(line["valueQuantity"]["comparator"], row["comparator"].as_str());
            assert!(is_interpreted(line, row), "{row:?}: {line}");
            assert!(has_code(&line["method"], &row["method"]), "{row:?}: {line}");
        });
    }

    pub(super) fn a_bacterial_count_belongs_to_its_isolate(rows: &[Row]) {
        for_each_row(rows, |reader, row| {
            let found = reader.results(row);
            let count = exactly_one(&found, row, |found| is_quantity(&found["valueQuantity"], row));
            let isolate = reader.follow(&count["specimen"]);
            assert!(has_code(&isolate["type"], &row["organism"]) && has_code(&isolate["type"], &row["taxon"]), "{isolate}");
            let parent = reader.follow(&isolate["parent"][0]);
            assert!(has_code(&parent["type"], "UR"), "{parent}");
        });
    }

    pub(super) fn the_urgent_comment_is_not_lost(rows: &[Row]) {
        for_each_row(rows, |reader, row| {
            let found = reader.results(row);
            let noted = |found: &Value| {
                found["note"].as_array().is_some_and(|notes| notes.iter().any(|note| note["text"] == row["note"].as_str()))
            };
            let act = exactly_one(&found, row, noted);
            assert!(act["hasMember"].as_array().is_some_and(|members| !members.is_empty()), "{act}");
        });
    }

    pub(super) fn the_specimen_has_its_type_the_time_of_its_collection_and_of_its_reception(rows: &[Row]) {
        for_each_row(rows, |reader, row| {
            let specimen = reader.one("Specimen", &format!("type={}", encoded(&format!("{}|{}", row["system"], row["type"]))));
            assert!(same_time(&specimen["collection"]["collectedDateTime"], &row["collected"]), "{specimen}");
            assert!(same_time(&specimen["receivedTime"], &row["received"]), "{specimen}");
            assert!(has_code(&specimen["collection"]["method"], &row["method"]), "{specimen}");
            assert!(!specimen.to_string().contains("801234567893"), "a person's number identifies no specimen: {specimen}");
        });
    }

    pub(super) fn each_person_who_took_part_is_found_by_his_national_number(rows: &[Row]) {
        for_each_row(rows, |reader, row| {
            let report = reader.report(row);
            let reference = match row["role"].as_str() {
                "performer" => report["performer"][0].clone(),
                "validator" => report["resultsInterpreter"][0].clone(),
                "requester" => reader.follow(&report["basedOn"][0])["requester"].clone(),
                "sampler" => reader.one("Specimen", "type=UR")["collection"]["collector"].clone(),
                other => panic!("no such role: {other}"),
            };
            let numbers = numbers(reader, &reference);
            assert!(numbers.contains(&row["rpps"]), "{row:?}: {numbers:?}");
            assert!(
                row["finess"] == "-" || numbers.iter().any(|number| number.ends_with(&row["finess"])),
                "{row:?}: {numbers:?}"
            );
            let found = reader.actor.search(&format!("Practitioner?identifier={}", row["rpps"]));
            assert!(found.iter().all(|found| found["name"][0]["family"] == row["family"].as_str()), "{row:?}: {found:#?}");
        });
    }

    pub(super) fn the_report_has_its_pdf_copy(rows: &[Row]) {
        for_each_row(rows, |reader, row| {
            let report = reader.report(row);
            let form = &report["presentedForm"][0];
            assert_eq!(form["contentType"], row["content type"].as_str(), "{form}");
            assert_eq!(form["size"].to_string(), row["size"]);
            let url = form["url"].as_str().unwrap();
            let answer = reader.actor.send("GET", url, &[("Accept", "application/pdf")], Vec::new());
            assert_eq!((answer.status, answer.header("content-type")), (200, "application/pdf"));
            assert_eq!(answer.body.len().to_string(), row["size"]);
            assert_eq!(hexadecimal(&openssl::sha::sha1(&answer.body)), row["sha1"]);
        });
    }

    pub(super) fn the_report_says_when_by_whom_and_for_which_order(rows: &[Row]) {
        for_each_row(rows, |reader, row| {
            let report = reader.report(row);
            assert!(has_code(&report["code"], &row["code"]), "{report}");
            assert_eq!(report["status"], row["status"].as_str());
            assert!(same_time(&report["effectivePeriod"]["start"], &row["start"]), "{report}");
            assert!(same_time(&report["effectivePeriod"]["end"], &row["end"]), "{report}");
            assert!(same_time(&report["issued"], &row["issued"]), "{report}");
            let order = reader.follow(&report["basedOn"][0]);
            assert_eq!(order["identifier"][0]["system"], row["order system"].as_str());
            assert_eq!(order["identifier"][0]["value"], row["order"].as_str());
        });
    }

    pub(super) fn the_document_reference_says_what_the_header_says(rows: &[Row]) {
        for_each_row(rows, |reader, row| {
            let identifier = encoded(&format!("urn:ietf:rfc:3986|{}", row["unique id"]));
            let document = reader.one("DocumentReference", &format!("status=current&identifier={identifier}"));
            assert!(has_code(&document["type"], &row["type"]), "{document}");
            assert!(same_time(&document["date"], &row["date"]), "{document}");
            let attachment = &document["content"][0]["attachment"];
            assert_eq!(attachment["size"].to_string(), row["size"]);
            assert!(same_time(&attachment["creation"], &row["date"]), "{attachment}");
            let answer = reader.actor.send("GET", attachment["url"].as_str().unwrap(), &[("Accept", "text/xml")], Vec::new());
            assert_eq!((answer.status, hexadecimal(&openssl::sha::sha1(&answer.body))), (200, row["sha1"].clone()));
        });
    }

    pub(super) fn a_corrected_report_supersedes_the_old_one_and_its_data_at_once(rows: &[Row]) {
        let values = |reader: &Reader, row: &Row| {
            let mut values: Vec<i64> =
                reader.results(row).iter().map(|found| digits(&found["valueQuantity"]).parse().unwrap()).collect();
            values.sort_unstable();
            values.iter().map(i64::to_string).collect::<Vec<_>>().join(", ")
        };
        for order in [["V1", "V2"], ["V2", "V1"]] {
            on_both(|world| {
                let record = world.open_record_for_practitioner(&PAT_TROIS);
                let reader = Reader { actor: world.general_practitioner(), patient: record.patient };
                let (Some(first), Some(second)) = (deposit(order[0]), deposit(order[1])) else { return };
                first.filed_by(&world.hospital_system());
                let state = if order[0] == "V1" { "before" } else { "after" };
                rows.iter().for_each(|row| assert_eq!(values(&reader, row), row[state], "{order:?}: {row:?}"));
                second.filed_by(&world.hospital_system());
                rows.iter().for_each(|row| assert_eq!(values(&reader, row), row["after"], "{order:?}: {row:?}"));
                let status = |status: &str| -> Vec<Value> {
                    let found = reader.find("DocumentReference", &format!("status={status}"));
                    found.iter().map(|found| found["masterIdentifier"]["value"].clone()).collect()
                };
                assert_eq!(status("current"), ["urn:oid:1.2.250.1.213.1.1.1.55.2024.8.2"], "{order:?}");
                assert_eq!(status("superseded"), ["urn:oid:1.2.250.1.213.1.1.1.55.2024.8.1"], "{order:?}");
            });
        }
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
