//! Transactions of several writers at once, and of callers who do not see everything.
use crate::harness::people::{Kind, professional};
use crate::harness::{CHILD, PAT_TROIS, on_both};
use crate::transactions::{Desk, bundle, entry, named, post, rows, statuses, updated};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const A: &str = "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0";

/// Each client posts transactions of one new resource, one conditional create that they all share, and one change of a
/// counter under If-Match, in two records and in an order of its own.
#[test]
fn overlapping_transactions_of_eight_writers_are_each_whole_or_nothing() {
    on_both(|world| {
        let desk = Desk::of(world);
        let child = world.open_record(&CHILD).patient;
        let system = world.hospital_system();
        let of = |patient: &str, identifier: &str| {
            let mut body = desk.plain(identifier);
            body["subject"] = json!({"reference": format!("Patient/{patient}")});
            body
        };
        let counter = system.post("Observation", &of(&desk.patient, "counter")).expect(201);
        let counter_url = format!("Observation/{}", counter["id"].as_str().unwrap());
        let rounds = 6;
        let done: Vec<(String, u16)> = std::thread::scope(|scope| {
            let writers: Vec<_> = (0..8)
                .map(|writer| {
                    let (system, counter, counter_url, of, child, desk) =
                        (system.clone(), &counter, &counter_url, &of, &child, &desk);
                    scope.spawn(move || {
                        let mut done = Vec::new();
                        for round in 0..rounds {
                            let name = format!("w{writer}r{round}");
                            let now = system.read(counter_url);
                            let mut next = counter.clone();
                            next["note"] = json!([{"text": name}]);
                            let mut put = entry("PUT", counter_url, Some(next));
                            put["request"]["ifMatch"] = json!(format!("W/\"{}\"", now["meta"]["versionId"].as_str().unwrap()));
                            let mut shared = post(of(&desk.patient, &format!("shared{round}")));
                            shared["request"]["ifNoneExist"] = json!(desk.criteria(&format!("shared{round}")));
                            let mut entries = vec![post(of(&desk.patient, &name)), post(of(child, &name)), put, shared];
                            entries.rotate_left(writer % 4);
                            if writer % 2 == 1 {
                                entries.reverse();
                            }
                            done.push((name, system.post("", &bundle("transaction", entries)).status));
                        }
                        done
                    })
                })
                .collect();
            writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect()
        });
        let statuses: BTreeMap<u16, usize> = done.iter().fold(BTreeMap::new(), |mut counts, (_, status)| {
            *counts.entry(*status).or_default() += 1;
            counts
        });
        assert!(statuses.keys().all(|status| [200, 412].contains(status)), "{statuses:?}");
        let succeeded = statuses[&200];
        assert!(succeeded > 0);
        let version = system.read(&counter_url)["meta"]["versionId"].as_str().unwrap().parse::<usize>().unwrap();
        assert_eq!(version, 1 + succeeded, "one version of the counter for each success: {statuses:?}");
        for (name, status) in &done {
            assert_eq!(desk.count(name), usize::from(*status == 200), "{name}");
        }
        for patient in [&desk.patient, &child] {
            let all = system.search(&format!("Observation?patient={patient}&code=4548-4"));
            let own = all.iter().filter(|found| found["identifier"][0]["value"].as_str().unwrap().starts_with('w')).count();
            assert_eq!(own, succeeded, "as many in each record");
        }
        for round in 0..rounds {
            assert!(desk.count(&format!("shared{round}")) <= 1, "a conditional create has one winner");
        }
    });
}

#[test]
fn the_rules_of_each_entry_fail_the_whole_transaction() {
    on_both(|world| {
        let desk = Desk::of(world);
        let child = world.open_record(&CHILD).patient;
        let before = world.counts();
        let mine = || post(desk.plain("mine"));
        let of_patient = entry("DELETE", &format!("Patient/{}", desk.patient), None);
        let not_authorised = entry("GET", &format!("Observation?patient={child}"), None);
        let not_writable =
            post(json!({"resourceType": "Provenance", "target": [{"reference": format!("Patient/{}", desk.patient)}],
            "recorded": "2026-11-24T10:00:00Z", "agent": [{"who": {"display": "x"}}]}));
        for bad in [of_patient, not_authorised, not_writable] {
            let alone = desk.doctor.post("", &bundle("transaction", vec![bad.clone()]));
            assert!([403, 405].contains(&alone.status), "{} {}", alone.status, alone.text());
            for entries in [vec![mine(), bad.clone()], vec![bad, mine()]] {
                assert_eq!(desk.transact(entries).status, alone.status);
            }
        }
        assert_eq!(world.counts(), before, "nothing is stored");
        assert_eq!(
            world
                .stranger()
                .post("", &bundle("transaction", vec![entry("GET", &format!("Patient/{}", desk.patient), None)]))
                .status,
            403
        );
    });
}

#[test]
fn criteria_count_only_what_the_caller_sees() {
    on_both(|world| {
        let desk = Desk::of(world);
        // A blocage is for the patient alone: the doctor does not see it.
        let blocage = PAT_TROIS.consent(Kind::Blocage, Some(professional("10000000003")));
        let blocage = world.patient(&PAT_TROIS).post("Consent", &blocage).expect(201);
        let hidden = format!("Consent?patient=Patient/{}&_id={}", desk.patient, blocage["id"].as_str().unwrap());
        let absent = format!("Consent?patient=Patient/{}&_id={}", desk.patient, "00000000-0000-4000-8000-000000000000");
        let refers = |criteria: &str| {
            let mut body = desk.plain("refers");
            body["extension"] = json!([{"url": "http://x", "valueReference": {"reference": criteria}}]);
            desk.transact(vec![post(body)])
        };
        let (to_hidden, to_absent) = (refers(&hidden), refers(&absent));
        assert_eq!((to_hidden.status, issue(&to_hidden.json())), (to_absent.status, issue(&to_absent.json())));
        assert!([412, 422].contains(&to_hidden.status), "{}", to_hidden.text());
        // A depositor without authorisation sees his own only: one of two.
        let other = world.other_system();
        other.post("Observation", &desk.plain("both")).expect(201);
        desk.doctor.post("Observation", &desk.plain("both")).expect(201);
        let mut refers = desk.plain("by-other");
        refers["hasMember"] = json!([{"reference": format!("Observation?{}", desk.criteria("both"))}]);
        other.post("", &bundle("transaction", vec![post(refers.clone())])).expect(200);
        refers["identifier"][0]["value"] = json!("by-doctor");
        let answer = desk.transact(vec![post(refers)]);
        assert_eq!(answer.status, 412, "the doctor sees both: {}", answer.text());
    });
}

fn issue(outcome: &Value) -> (Value, Value) {
    (outcome["issue"][0]["code"].clone(), outcome["issue"][0]["diagnostics"].clone())
}

#[test]
fn a_name_of_the_bundle_gives_no_access() {
    on_both(|world| {
        let desk = Desk::of(world);
        let child = world.open_record(&CHILD).patient;
        let own = world.hospital_system().post("Observation", &{
            let mut body = desk.plain("of-child");
            body["subject"] = json!({"reference": format!("Patient/{child}")});
            body
        });
        let id = own.expect(201)["id"].as_str().unwrap().to_owned();
        let mut refers = desk.plain("refers");
        refers["hasMember"] = json!([{"reference": A}]);
        let read = named(A, entry("GET", &format!("Observation/{id}"), None));
        let answer = desk.transact(vec![post(refers), read]);
        assert!((400..500).contains(&answer.status), "{}", answer.text());
        assert_eq!(desk.count("refers"), 0);
    });
}

#[test]
fn what_the_bundle_no_longer_refers_to_may_go_with_it() {
    on_both(|world| {
        let desk = Desk::of(world);
        let target = desk.stored("target");
        let member = json!([{"reference": format!("Observation/{target}")}]);
        let refers = desk.doctor.post("Observation", &desk.observation("refers", "hasMember", member.clone())).expect(201);
        let id = refers["id"].as_str().unwrap();
        let delete = entry("DELETE", &format!("Observation/{target}"), None);
        let put = |body: Value| entry("PUT", &format!("Observation/{id}"), Some(updated(body, id, "amended")));
        let before = rows(world);
        desk.transact(vec![delete.clone()]).refuses(409, "", Some("Bundle.entry[0]"));
        desk.transact(vec![post(desk.plain("other")), delete.clone()]).refuses(409, "", Some("Bundle.entry[1]"));
        let still = put(desk.observation("refers", "hasMember", member));
        assert!((400..500).contains(&desk.transact(vec![delete.clone(), still]).status));
        assert_eq!(rows(world), before);
        assert_eq!(statuses(&desk.transact(vec![delete, put(desk.plain("refers"))]).expect(200)), ["204", "200"]);
        assert_eq!(desk.count("target"), 0);
    });
}
