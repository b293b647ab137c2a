//! Every sample document is deposited into the record of its patient and accounts for each of its coded nodes.
use crate::harness::people::Person;
use crate::harness::spec::{Row, rows, sample, specs};
use crate::harness::{Actor, Deposit, PAT_TROIS, World, on_both};
use serde_json::Value;
use std::collections::BTreeSet;

specs! { "documents":
    every_sample_is_deposited_into_the_record_of_its_patient,
    a_document_that_is_a_file_has_that_file_as_a_media,
}

/// Whose the sample is.
pub(crate) fn person(row: &Row) -> Person {
    let fixed = |name: &str| -> &'static str { row[name].clone().leak() };
    Person {
        oid: fixed("oid"),
        ins: fixed("ins"),
        family: fixed("family"),
        given: fixed("given"),
        birth_date: fixed("birth date"),
        gender: fixed("sex"),
        birth_place: if row["ins"] == PAT_TROIS.ins { "51215" } else { "75056" },
    }
}

/// Opens the records of all patients of the samples.
pub(crate) fn open_all(world: &World, rows: &[Row]) {
    let mut opened = BTreeSet::new();
    for row in rows.iter().filter(|row| opened.insert(row["ins"].clone())) {
        world.open_record_for_practitioner(&person(row));
    }
}

/// The samples and their patients.
pub(crate) fn samples() -> Vec<Row> {
    rows("documents", "every_sample_is_deposited_into_the_record_of_its_patient")
}

/// The account of a document's translation: path, and whether it has a target.
fn account(actor: &Actor, document: &Value) -> Vec<(String, bool)> {
    let parameters = actor.read(&format!("DocumentReference/{}/$translation", document["id"].as_str().unwrap()));
    let entries = parameters["parameter"].as_array().into_iter().flatten().filter(|parameter| parameter["name"] == "entry");
    entries
        .map(|entry| {
            let part = |name: &str| entry["part"].as_array().unwrap().iter().find(|part| part["name"] == name).cloned();
            let (path, target, reason) = (part("path").unwrap(), part("target"), part("reason"));
            assert!(target.is_some() != reason.is_some(), "a target or a reason: {entry}");
            (path["valueString"].as_str().unwrap_or_else(|| panic!("{path}")).to_owned(), target.is_some())
        })
        .collect()
}

mod checks {
    use super::*;

    pub(super) fn every_sample_is_deposited_into_the_record_of_its_patient(table: &[Row]) {
        on_both(|world| {
            open_all(world, table);
            for row in table {
                let Some(bytes) = sample(&row["file"]) else { return };
                let document = Deposit::of(&bytes).filed_by(&world.hospital_system());
                assert_eq!(document["type"]["coding"][0]["code"], row["type"].as_str(), "{}", row["file"]);
                let reader = world.general_practitioner();
                let url = document["content"][0]["attachment"]["url"].as_str().unwrap().to_owned();
                let kind = document["content"][0]["attachment"]["contentType"].as_str().unwrap().to_owned();
                let original = reader.send("GET", &url, &[("Accept", &kind)], Vec::new());
                assert_eq!(original.status, 200, "{}", row["file"]);
                assert!(original.body == bytes, "{}: the original comes back byte for byte", row["file"]);
            }
        });
    }

    pub(super) fn a_document_that_is_a_file_has_that_file_as_a_media(table: &[Row]) {
        on_both(|world| {
            let patient = world.open_record_for_practitioner(&PAT_TROIS).patient;
            let reader = world.general_practitioner();
            for row in table {
                let Some(bytes) = sample(&row["file"]) else { return };
                Deposit::of(&bytes).filed_by(&world.hospital_system());
                let media = reader.search(&format!("Media?patient={patient}"));
                assert_eq!(media.len(), 1, "{media:#?}");
                let content = &media[0]["content"];
                assert_eq!(
                    (&content["contentType"], content["size"].to_string()),
                    (&Value::from(row["content type"].as_str()), row["size"].clone())
                );
                let file = reader.send("GET", content["url"].as_str().unwrap(), &[("Accept", &row["content type"])], Vec::new());
                let digest: String = openssl::sha::sha1(&file.body).iter().map(|byte| format!("{byte:02x}")).collect();
                assert_eq!((file.status, digest), (200, row["sha1"].clone()));
                assert_eq!(file.header("x-content-type-options"), "nosniff");
                assert!(file.header("content-disposition").starts_with("attachment"), "{}", file.header("content-disposition"));
                assert!(file.header("content-security-policy").contains("sandbox"), "{}", file.header("content-security-policy"));
            }
        });
    }
}

#[test]
fn every_coded_node_is_accounted_for() {
    let persons = samples();
    let table = rows("coded-nodes", "every_coded_node_is_accounted_for");
    on_both(|world| {
        open_all(world, &persons);
        for row in &table {
            let Some(bytes) = sample(&row["file"]) else { return };
            let document = Deposit::of(&bytes).filed_by(&world.hospital_system());
            let account = account(&world.general_practitioner(), &document);
            assert_eq!(account.len().to_string(), row["coded nodes"], "{}", row["file"]);
            let paths: BTreeSet<_> = account.iter().map(|(path, _)| path).collect();
            assert_eq!(paths.len(), account.len(), "{}: one row for each node", row["file"]);
            let made = account.iter().filter(|(_, target)| *target).count();
            let laboratory: usize = row["laboratory"].parse().unwrap();
            assert!(made >= laboratory, "{}: {made} of {laboratory} laboratory nodes have a target", row["file"]);
        }
    });
}
