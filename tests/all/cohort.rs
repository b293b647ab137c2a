//! Questions over several records: "my patients with HbA1c over 8 %" sees the records that authorise me now, and no other.
use crate::harness::people::{Kind, Person};
use crate::harness::server::{GENERAL_PRACTITIONER, World};
use crate::harness::{CHILD, PAT_TROIS, Report, on_both};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const THIRD: Person = Person { ins: "277076322082910", family: "NESSI", given: "RUTH", birth_date: "1977-07-14", ..PAT_TROIS };
const QUESTION: &str = "Observation?code=4548-4&value-quantity=gt8&date=ge2026";

fn hba1c(world: &World, person: &Person, number: u32, value: &str, time: &str) {
    Report::of(person, number).result("4548-4", value, "%", time).deposit().filed_by(&world.hospital_system());
}

/// Three records, two of which authorise the practitioner.
fn filed(world: &World) -> [String; 3] {
    let first = world.open_record_for_practitioner(&PAT_TROIS).patient;
    let second = world.open_record_for_practitioner(&CHILD).patient;
    let third = world.open_record(&THIRD).patient;
    hba1c(world, &PAT_TROIS, 1, "8.4", "20260302");
    hba1c(world, &PAT_TROIS, 2, "9.1", "20250302");
    hba1c(world, &CHILD, 3, "7.9", "20260303");
    hba1c(world, &THIRD, 4, "11.0", "20260304");
    [first, second, third]
}

fn subjects(found: &[Value]) -> BTreeSet<String> {
    found.iter().map(|found| found["subject"]["reference"].as_str().unwrap().trim_start_matches("Patient/").to_owned()).collect()
}

#[test]
fn it_finds_my_patients_over_the_bound() {
    on_both(|world| {
        let [first, second, third] = filed(world);
        let found = world.general_practitioner().search(QUESTION);
        assert_eq!(subjects(&found), BTreeSet::from([first]));
        assert_eq!(found[0]["valueQuantity"]["value"].to_string(), "8.4");
        hba1c(world, &CHILD, 5, "8.1", "20260501");
        assert!(subjects(&world.general_practitioner().search(QUESTION)).contains(&second));
        assert!(!subjects(&world.general_practitioner().search(QUESTION)).contains(&third), "this record does not authorise me");
    });
}

#[test]
fn a_consent_and_its_withdrawal_change_the_next_answer() {
    on_both(|world| {
        let [first, _, third] = filed(world);
        let doctor = world.general_practitioner();
        let consent = world.consents(&THIRD, Kind::Autorisation, GENERAL_PRACTITIONER).expect(201);
        assert_eq!(subjects(&doctor.search(QUESTION)), BTreeSet::from([first.clone(), third]));
        let mut withdrawn = consent.clone();
        withdrawn["status"] = json!("inactive");
        world.patient(&THIRD).put(&format!("Consent/{}", consent["id"].as_str().unwrap()), &withdrawn).expect(200);
        assert_eq!(subjects(&doctor.search(QUESTION)), BTreeSet::from([first]));
        world.consents(&PAT_TROIS, Kind::Blocage, GENERAL_PRACTITIONER).expect(201);
        assert!(doctor.search(QUESTION).is_empty(), "blocked wins");
    });
}

#[test]
fn who_has_no_patients_finds_nobody() {
    on_both(|world| {
        filed(world);
        assert!(world.stranger().search(QUESTION).is_empty());
        let page = world.stranger().read(&format!("{QUESTION}&_total=accurate"));
        assert_eq!(page["total"], 0, "a total tells nothing of records that do not authorise me");
    });
}

#[test]
fn it_is_traced_in_each_record_that_contributed_and_in_no_other() {
    on_both(|world| {
        let [first, second, third] = filed(world);
        let before: Vec<_> = [(&PAT_TROIS, &first), (&CHILD, &second), (&THIRD, &third)].into_iter().collect();
        let queries = |(person, patient): &(&Person, &String)| {
            let events = world.patient(person).search(&format!("AuditEvent?patient={patient}"));
            events
                .iter()
                .filter(|event| {
                    event["entity"].to_string().contains("\"query\"") && event["agent"].to_string().contains(GENERAL_PRACTITIONER)
                })
                .count()
        };
        let counts: Vec<_> = before.iter().map(queries).collect();
        world.general_practitioner().read(QUESTION);
        let after: Vec<_> = before.iter().map(queries).collect();
        assert_eq!(after, [counts[0] + 1, counts[1], counts[2]]);
    });
}

#[test]
fn a_question_without_a_bound_is_refused_never_answered_in_part() {
    on_both(|world| {
        filed(world);
        world.general_practitioner().get("Observation?value-quantity:missing=false").refuses(400, "", None);
    });
}
