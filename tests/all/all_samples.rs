//! Every sample document is deposited into the record of its patient and accounts for each of its coded nodes.
use crate::harness::people::Person;
use crate::harness::spec::{Row, rows, sample, specs};
use crate::harness::{Actor, Deposit, PAT_TROIS, World, on_both};
use serde_json::Value;
use std::collections::BTreeSet;

specs! { "documents": every_sample_is_deposited_into_the_record_of_its_patient }

fn person(row: &Row) -> Person {
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
fn open_all(world: &World, rows: &[Row]) {
    let mut opened = BTreeSet::new();
    for row in rows.iter().filter(|row| opened.insert(row["ins"].clone())) {
        world.open_record_for_practitioner(&person(row));
    }
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
}

#[test]
fn every_coded_node_is_accounted_for() {
    let persons = rows("documents", "every_sample_is_deposited_into_the_record_of_its_patient");
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
