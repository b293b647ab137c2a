//! Earlier results that a report repeats are kept, and never counted as new ones (tests/specs/previous-results.md).
use crate::harness::spec::{Row, sample, specs};
use crate::harness::{Deposit, PAT_TROIS, on_both};
use serde_json::Value;

specs! { "previous-results": a_previous_result_is_no_new_one }

fn is_previous(observation: &Value) -> bool {
    observation["meta"]["tag"].as_array().is_some_and(|tags| tags.iter().any(|tag| tag["code"] == "reported-previous"))
}

fn has(observation: &Value, value: &str, unit: &str, time: &str) -> bool {
    let quantity = &observation["valueQuantity"];
    let when = match observation["effectiveDateTime"].as_str().map(str::parse::<jiff::Timestamp>) {
        Some(Ok(stated)) => time.parse().is_ok_and(|expected: jiff::Timestamp| stated == expected),
        Some(Err(_)) | None => time == "-",
    };
    let digits = quantity["value"].to_string();
    digits == value && quantity["unit"] == unit && when
}

mod checks {
    use super::*;

    pub(super) fn a_previous_result_is_no_new_one(rows: &[Row]) {
        on_both(|world| {
            let patient = world.open_record_for_practitioner(&PAT_TROIS).patient;
            let Some(bytes) = sample("BIO-CR-BIO_2021.01_Electrophorese.xml") else { return };
            Deposit::of(&bytes).filed_by(&world.hospital_system());
            let all = world.general_practitioner().search(&format!("Observation?patient={patient}&_count=500"));
            let members: Vec<_> =
                all.iter().flat_map(|found| found["hasMember"].as_array().cloned().unwrap_or_default()).collect();
            assert_eq!(all.iter().filter(|found| is_previous(found)).count(), rows.len());
            for row in rows {
                let of_code = || {
                    all.iter().filter(|found| {
                        found["code"]["coding"].as_array().is_some_and(|codings| codings[0]["code"] == row["code"].as_str())
                    })
                };
                let one = |previous: bool, value: &str, time: &str| {
                    let fits =
                        |found: &&Value| is_previous(found) == previous && has(found, &row[value], &row["unit"], &row[time]);
                    let found: Vec<_> = of_code().filter(fits).collect();
                    assert_eq!(found.len(), 1, "{row:?} {value}: {:#?}", of_code().collect::<Vec<_>>());
                    found[0]
                };
                let previous = one(true, "previous value", "previous effective");
                let current = one(false, "value", "effective");
                let reference = format!("Observation/{}", previous["id"].as_str().unwrap());
                assert!(!members.iter().any(|member| member["reference"] == reference.as_str()), "{row:?}: a member");
                assert!(current["extension"].to_string().contains(&reference), "{row:?}: {current}");
            }
        });
    }
}
