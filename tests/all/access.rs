//! Who may read and write what: deny by default, and the next request obeys (BR-18 to BR-24, DESIGN section 5).
use crate::harness::people::{Kind, professional};
use crate::harness::server::{BLOCKED, GENERAL_PRACTITIONER, STRANGER, World};
use crate::harness::{CHILD, PAT_TROIS, Report, on_both};
use serde_json::{Value, json};

/// A record with one report in it, and the paths by which one may ask for what is inside.
struct Filed {
    patient: String,
    document: String,
    paths: Vec<String>,
}

fn filed(world: &World) -> Filed {
    let patient = world.open_record(&PAT_TROIS).patient;
    let report = Report::of(&PAT_TROIS, 1).result("3016-3", "2.1", "m[IU]/L", "20260401");
    let document = report.deposit().filed_by(&world.hospital_system());
    let id = document["id"].as_str().unwrap().to_owned();
    let own = world.patient(&PAT_TROIS);
    let observation = own.search(&format!("Observation?patient={patient}&code=3016-3"))[0]["id"].as_str().unwrap().to_owned();
    let binary = document["content"][0]["attachment"]["url"].as_str().unwrap().to_owned();
    let paths = vec![
        format!("Patient/{patient}"),
        format!("DocumentReference/{id}"),
        format!("DocumentReference/{id}/_history/1"),
        format!("DocumentReference/{id}/$translation"),
        format!("Observation/{observation}"),
        format!("Observation?patient={patient}"),
        format!("Observation?patient={patient}&code=3016-3&_count=0"),
        format!("Observation?patient.identifier={}", PAT_TROIS.token()),
        format!("DocumentReference?patient.identifier={}&status=current", PAT_TROIS.token()),
        format!("Consent?patient={patient}"),
        format!("Provenance?patient={patient}"),
        binary,
    ];
    Filed { patient, document: id, paths }
}

#[test]
fn without_an_authorisation_everything_is_refused() {
    on_both(|world| {
        let filed = filed(world);
        for actor in [world.general_practitioner(), world.stranger(), world.other_system()] {
            for path in &filed.paths {
                let answer = actor.get(path);
                assert_eq!(answer.status, 403, "{path}: {}", answer.text());
                assert!(!answer.text().contains("3016-3"), "{path}: the refusal tells nothing of the record");
            }
        }
    });
}

#[test]
fn a_consent_lets_the_next_request_read_and_its_withdrawal_ends_it() {
    on_both(|world| {
        let filed = filed(world);
        let doctor = world.general_practitioner();
        let consent = world.consents(&PAT_TROIS, Kind::Autorisation, GENERAL_PRACTITIONER).expect(201);
        for path in &filed.paths {
            assert_eq!(doctor.get(path).status, 200, "{path}");
        }
        let mut withdrawn = consent.clone();
        withdrawn["status"] = json!("inactive");
        let path = format!("Consent/{}", consent["id"].as_str().unwrap());
        world.patient(&PAT_TROIS).put(&path, &withdrawn).expect(200);
        for path in &filed.paths {
            assert_eq!(doctor.get(path).status, 403, "{path}");
        }
    });
}

#[test]
fn blocked_wins_over_an_authorisation_and_over_authorship() {
    on_both(|world| {
        let filed = filed(world);
        world.consents(&PAT_TROIS, Kind::Autorisation, BLOCKED).expect(201);
        let doctor = world.blocked();
        assert_eq!(doctor.get(&filed.paths[0]).status, 200);
        let own = Report::of(&PAT_TROIS, 2).result("2160-0", "88", "umol/L", "20260401").deposit().filed_by(&doctor);
        world.consents(&PAT_TROIS, Kind::Blocage, BLOCKED).expect(201);
        let own = format!("DocumentReference/{}", own["id"].as_str().unwrap());
        for path in filed.paths.iter().chain([&own]) {
            assert_eq!(doctor.get(path).status, 403, "{path}");
        }
        // It stops reading, not deposit (BR-18).
        let later = Report::of(&PAT_TROIS, 3).result("2160-0", "91", "umol/L", "20260402").deposit().by(&doctor);
        assert_eq!(later.status, 201, "{}", later.text());
    });
}

#[test]
fn a_medecin_traitant_reads_without_a_period() {
    on_both(|world| {
        let filed = filed(world);
        world.consents(&PAT_TROIS, Kind::MedecinTraitant, GENERAL_PRACTITIONER).expect(201);
        assert_eq!(world.general_practitioner().get(&filed.paths[0]).status, 200);
    });
}

#[test]
fn a_patient_reads_his_own_record_and_no_other() {
    on_both(|world| {
        let filed = filed(world);
        world.open_record(&CHILD);
        for path in &filed.paths {
            assert_eq!(world.patient(&PAT_TROIS).get(path).status, 200, "{path}");
            let other = world.patient(&CHILD).get(path).status;
            assert!([403, 404].contains(&other), "{path}: {other}");
        }
        assert!(
            world.patient(&CHILD).search("Observation?code=3016-3").is_empty(),
            "without a patient he searches his own record"
        );
    });
}

#[test]
fn an_id_that_leads_nowhere_is_not_found() {
    on_both(|world| {
        filed(world);
        for id in ["00000000-0000-4000-8000-000000000000", "unknown", "1"] {
            world.stranger().get(&format!("Observation/{id}")).refuses(404, "not-found", None);
        }
    });
}

#[test]
fn a_depositor_reads_what_he_deposited_and_nothing_else() {
    on_both(|world| {
        let filed = filed(world);
        let own = Report::of(&PAT_TROIS, 2).result("2160-0", "88", "umol/L", "20260401").deposit().filed_by(&world.stranger());
        let own = own["id"].as_str().unwrap();
        let doctor = world.stranger();
        assert_eq!(doctor.read(&format!("DocumentReference/{own}"))["id"], own);
        assert_eq!(doctor.get(&format!("DocumentReference/{}", filed.document)).status, 403);
        let found = doctor.search(&format!("DocumentReference?patient={}", filed.patient));
        assert_eq!(found.iter().map(|found| found["id"].as_str().unwrap()).collect::<Vec<_>>(), [own]);
        assert_eq!(world.hospital_system().get(&format!("DocumentReference/{own}")).status, 403);
    });
}

#[test]
fn a_consent_is_written_by_those_whom_it_concerns() {
    on_both(|world| {
        filed(world);
        let about = |rpps: &str, performer: Value| {
            let mut consent = PAT_TROIS.consent(Kind::Autorisation, Some(professional(rpps)));
            consent["performer"] = json!([performer]);
            consent
        };
        let doctor = world.general_practitioner();
        let himself = doctor.post("Consent", &about(GENERAL_PRACTITIONER, professional(GENERAL_PRACTITIONER)));
        assert_eq!(himself.status, 201, "{}", himself.text());
        let another = doctor.post("Consent", &about(STRANGER, professional(GENERAL_PRACTITIONER)));
        assert!([403, 422].contains(&another.status), "{}", another.text());
        assert_eq!(world.stranger().get(&format!("Observation?patient.identifier={}", PAT_TROIS.token())).status, 403);
        let foreign = world.patient(&CHILD).post("Consent", &about(STRANGER, PAT_TROIS.logical_reference()));
        assert!([403, 404, 422].contains(&foreign.status), "{}", foreign.text());
    });
}

#[test]
fn a_consent_that_would_be_read_otherwise_than_it_says_is_refused() {
    on_both(|world| {
        filed(world);
        let patient = world.patient(&PAT_TROIS);
        let whole = PAT_TROIS.consent(Kind::Autorisation, Some(professional(STRANGER)));
        let mut long = whole.clone();
        long["provision"]["period"]["end"] = json!(crate::harness::day(800));
        let mut narrowed = whole.clone();
        narrowed["provision"]["code"] = json!([{"coding": [{"system": "http://loinc.org", "code": "11502-2"}]}]);
        let mut unknown = whole.clone();
        unknown["policy"] = json!([{"uri": "https://elsewhere.example/policy"}]);
        for (name, consent) in [("longer than a year", long), ("narrowed", narrowed), ("of no kind of ours", unknown)] {
            let answer = patient.post("Consent", &consent);
            assert_eq!(answer.status, 422, "{name}: {}", answer.text());
        }
        assert_eq!(world.stranger().get(&format!("Observation?patient.identifier={}", PAT_TROIS.token())).status, 403);
    });
}

#[test]
fn what_only_the_server_writes_is_refused_to_every_client() {
    on_both(|world| {
        let filed = filed(world);
        let subject = json!({"reference": format!("Patient/{}", filed.patient)});
        let event = json!({"resourceType": "AuditEvent", "type": {"code": "rest"}, "recorded": "2026-01-01T00:00:00Z",
            "agent": [{"requestor": true}], "source": {"observer": {"display": "x"}}, "entity": [{"what": subject}]});
        let provenance = json!({"resourceType": "Provenance", "target": [subject], "recorded": "2026-01-01T00:00:00Z", "agent": [{"who": {"display": "x"}}]});
        for actor in [world.hospital_system(), world.patient(&PAT_TROIS), world.general_practitioner()] {
            assert_eq!(actor.post("AuditEvent", &event).status, 405);
            assert_eq!(actor.post("Provenance", &provenance).status, 405);
        }
    });
}
