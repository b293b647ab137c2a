//! Entries of every kind of document, from the deposit to the search of practice software (tests/specs/entries.md).
use crate::all_samples::{open_all, samples};
use crate::harness::spec::{Row, sample, specs};
use crate::harness::{Deposit, encoded, on_both};
use serde_json::Value;
use std::collections::BTreeSet;

specs! { "entries":
    every_kind_of_entry_is_found_by_code_date_and_status,
}

mod checks {
    use super::*;

    pub(super) fn every_kind_of_entry_is_found_by_code_date_and_status(table: &[Row]) {
        on_both(|world| {
            let patients = samples();
            open_all(world, &patients);
            let mut filed = BTreeSet::new();
            for row in table.iter().filter(|row| filed.insert(row["file"].clone())) {
                let Some(bytes) = sample(&row["file"]) else { return };
                Deposit::of(&bytes).filed_by(&world.hospital_system());
            }
            let doctor = world.general_practitioner();
            for row in table {
                let of_file = patients.iter().find(|patient| patient["file"] == row["file"]).unwrap();
                let who = encoded(&format!("urn:oid:{}|{}", of_file["oid"], of_file["ins"]));
                let kind = &row["type"];
                // An AdverseEvent has no `patient`.
                let place = if kind == "AdverseEvent" { "subject:Patient.identifier" } else { "patient.identifier" };
                let found = doctor.search(&format!("{kind}?{place}={who}&{}", row["query"]));
                let own: Vec<_> = found.iter().filter(|resource| resource["meta"]["source"] == row["source"].as_str()).collect();
                assert_eq!(own.len().to_string(), row["found"], "{} {kind}?{}", row["file"], row["query"]);
                if own.is_empty() {
                    continue;
                }
                let with = doctor.pages(&format!("{kind}?{place}={who}&{}&_revinclude=Provenance:target", row["query"]));
                let entries = with.iter().flat_map(|page| page["entry"].as_array().into_iter().flatten());
                let provenances: Vec<&Value> =
                    entries.map(|entry| &entry["resource"]).filter(|resource| resource["resourceType"] == "Provenance").collect();
                for resource in own {
                    let target = format!("{kind}/{}", resource["id"].as_str().unwrap());
                    let names = |provenance: &&&Value| {
                        provenance["target"].as_array().into_iter().flatten().any(|named| named["reference"] == target.as_str())
                    };
                    assert_eq!(provenances.iter().filter(names).count(), 1, "{target} leads to its document");
                }
            }
        });
    }
}
