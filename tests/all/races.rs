//! Many clients at once: exactly one winner each, and the database counts one (DESIGN section 3: every write locks its record).
//!
//! `DMP_FHIR_TEST_ROUNDS` sets the rounds; the long run has 1,000.
use crate::harness::server::{World, on_both_with};
use crate::harness::{Actor, CHILD, PAT_TROIS, on_both};
use serde_json::{Value, json};
use std::sync::Barrier;

const CLIENTS: usize = 16;

#[expect(clippy::disallowed_methods, reason = "the long run sets it, not a setting of the server")]
fn rounds() -> usize {
    std::env::var("DMP_FHIR_TEST_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(20)
}

/// What each of so many clients is answered, all starting at once: the statuses, sorted.
fn at_once(clients: usize, ask: impl Fn(usize) -> u16 + Sync) -> Vec<u16> {
    let barrier = Barrier::new(clients);
    let (barrier, ask) = (&barrier, &ask);
    let mut statuses: Vec<u16> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..clients)
            .map(|client| {
                scope.spawn(move || {
                    barrier.wait();
                    ask(client)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    statuses.sort_unstable();
    statuses
}

fn observation(patient: &str, value: &str) -> Value {
    json!({"resourceType": "Observation", "status": "final", "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}]},
        "identifier": [{"system": "urn:specimen:results", "value": value}],
        "subject": {"reference": format!("Patient/{patient}")}, "valueString": value})
}

fn send(actor: &Actor, method: &str, path: &str, header: (&str, &str), body: &Value) -> u16 {
    let headers = [("Content-Type", "application/fhir+json"), header];
    actor.send(method, path, &headers, body.to_string().into_bytes()).status
}

fn resources(world: &World) -> i64 {
    world.counts()["resource"]
}

/// One winner, and everybody else this.
fn won(winner: u16, others: u16, clients: usize) -> Vec<u16> {
    let mut statuses = vec![others; clients - 1];
    statuses.push(winner);
    statuses.sort_unstable();
    statuses
}

#[test]
fn of_conditional_creates_with_criteria_spelt_differently_one_creates() {
    on_both(|world| {
        let patient = world.open_record(&PAT_TROIS).patient;
        let system = world.hospital_system();
        for round in 0..rounds() {
            let value = format!("r{round}");
            let spellings = [
                format!("identifier=urn:specimen:results|{value}"),
                format!("identifier=urn%3Aspecimen%3Aresults%7C{value}"),
                format!("patient={patient}&identifier={value}"),
                format!("subject=Patient/{patient}&identifier=urn:specimen:results|{value}&code=718-7"),
            ];
            let before = resources(world);
            let body = observation(&patient, &value);
            let statuses = at_once(CLIENTS, |client| {
                send(&system, "POST", "Observation", ("If-None-Exist", &spellings[client % spellings.len()]), &body)
            });
            assert_eq!(statuses, won(201, 200, CLIENTS), "round {round}");
            assert_eq!(resources(world), before + 1, "round {round}");
        }
    });
}

#[test]
fn of_eight_identical_conditional_updates_one_creates_and_each_is_a_version() {
    on_both(|world| {
        let patient = world.open_record(&PAT_TROIS).patient;
        let system = world.hospital_system();
        for round in 0..rounds() {
            let value = format!("u{round}");
            let path = format!("Observation?identifier=urn:specimen:results%7C{value}");
            let before = world.counts();
            let body = observation(&patient, &value);
            let statuses = at_once(8, |_| send(&system, "PUT", &path, ("Prefer", "return=minimal"), &body));
            assert_eq!(statuses, won(201, 200, 8), "round {round}");
            let after = world.counts();
            assert_eq!(after["resource"], before["resource"] + 1, "round {round}");
            assert_eq!(after["history"], before["history"] + 7, "round {round}");
        }
    });
}

#[test]
fn of_updates_with_the_same_if_match_one_is_written() {
    on_both(|world| {
        let patient = world.open_record(&PAT_TROIS).patient;
        let system = world.hospital_system();
        let mut body = system.post("Observation", &observation(&patient, "m")).expect(201);
        let path = format!("Observation/{}", body["id"].as_str().unwrap());
        for round in 0..rounds() {
            let etag = format!("W/\"{}\"", round + 1);
            body["valueString"] = json!(format!("m{round}"));
            let before = world.counts();
            let statuses = at_once(CLIENTS, |_| send(&system, "PUT", &path, ("If-Match", &etag), &body));
            assert_eq!(statuses, won(200, 412, CLIENTS), "round {round}");
            let after = world.counts();
            assert_eq!((after["resource"], after["history"]), (before["resource"], before["history"] + 1), "round {round}");
        }
    });
}

#[test]
fn of_systems_that_open_the_record_of_one_ins_one_opens_it() {
    // A refusal that names an INS counts against the bound of TD0.2, which is not what this is about.
    let bound = |options: &mut dmp_fhir::config::Options| options.existence_per_minute = Some(10_000_000);
    on_both_with(bound, |world| {
        let systems = [world.hospital_system(), world.other_system()];
        // Each round is another person: the INS of the test range with another order number and its key.
        for round in 0..rounds() {
            let matricule = 2_790_351_000_000_u64 + u64::try_from(round).unwrap();
            let ins = format!("{matricule}{:02}", 97 - matricule % 97);
            let mut patient = PAT_TROIS.patient();
            patient["identifier"][0]["value"] = json!(ins);
            let before = world.counts();
            let statuses = at_once(CLIENTS, |client| systems[client % 2].post("Patient", &patient).status);
            assert_eq!(statuses, won(201, 409, CLIENTS), "round {round}");
            let after = world.counts();
            assert_eq!((after["record"], after["identity"]), (before["record"] + 1, before["identity"] + 1), "round {round}");
        }
    });
}

#[test]
fn of_systems_that_choose_the_same_id_one_has_it() {
    on_both(|world| {
        let (first, second) = (world.open_record(&PAT_TROIS).patient, world.open_record(&CHILD).patient);
        let system = world.hospital_system();
        for round in 0..rounds() {
            let id = format!("race-{round}");
            let before = world.counts();
            // Two records, so that the lock of one does not decide: the id is unique over all of them.
            let statuses = at_once(CLIENTS, |client| {
                let mut body = observation(if client % 2 == 0 { &first } else { &second }, &id);
                body["id"] = json!(id);
                system.put(&format!("Observation/{id}"), &body).status
            });
            assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "round {round}: {statuses:?}");
            // Who comes later in the same record updates it; in the other record it is taken, or would move.
            assert!(statuses.iter().all(|status| matches!(status, 200 | 201 | 409 | 422)), "round {round}: {statuses:?}");
            let after = world.counts();
            assert_eq!((after["resource"], after["alias"]), (before["resource"] + 1, before["alias"] + 1), "round {round}");
        }
    });
}

#[test]
fn of_conditional_deletes_and_updates_nothing_is_half_done() {
    on_both(|world| {
        let patient = world.open_record_for_practitioner(&PAT_TROIS).patient;
        let doctor = world.general_practitioner();
        for round in 0..rounds() {
            let value = format!("d{round}");
            let body = observation(&patient, &value);
            doctor.post("Observation", &body).expect(201);
            let path = format!("Observation?patient={patient}&identifier=urn:specimen:results%7C{value}");
            let statuses = at_once(CLIENTS, |client| {
                if client % 2 == 0 {
                    doctor.send("DELETE", &path, &[], Vec::new()).status
                } else {
                    doctor.put(&path, &body).status
                }
            });
            assert!(statuses.iter().all(|status| matches!(status, 200 | 201 | 204)), "round {round}: {statuses:?}");
            let left = doctor.search(&format!("Observation?patient={patient}&identifier=urn:specimen:results%7C{value}")).len();
            assert!(left <= 1, "round {round}: {left}");
        }
    });
}
