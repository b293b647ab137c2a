//! TD0.2: does this person have a record, is it open, and what is my own status on it (BR-01, BR-19).
use crate::harness::people::Kind;
use crate::harness::server::{BLOCKED, GENERAL_PRACTITIONER};
use crate::harness::{Actor, CHILD, PAT_TROIS, Report, day, on_both};
use serde_json::{Value, json};

fn ask(actor: &Actor) -> Value {
    actor.read(&format!("Patient?identifier={}", PAT_TROIS.token()))
}

fn status(actor: &Actor) -> String {
    let bundle = ask(actor);
    let extensions = bundle["entry"][0]["resource"]["extension"].as_array().cloned().unwrap_or_default();
    let ours = extensions.iter().find(|extension| extension["url"].as_str().unwrap().ends_with("/dmp-statut-autorisation"));
    ours.map_or("none".into(), |extension| extension["valueCode"].as_str().unwrap().to_owned())
}

#[test]
fn a_person_without_record_has_no_entry() {
    on_both(|world| {
        for actor in [world.general_practitioner(), world.hospital_system(), world.patient(&PAT_TROIS)] {
            let bundle = ask(&actor);
            assert_eq!((&bundle["resourceType"], &bundle["type"]), (&json!("Bundle"), &json!("searchset")));
            assert_eq!((&bundle["total"], bundle["entry"].as_array().map_or(0, Vec::len)), (&json!(0), 0));
        }
    });
}

#[test]
fn a_person_with_record_has_one_entry_cut_to_identity_and_status() {
    on_both(|world| {
        let record = world.open_record(&PAT_TROIS);
        let bundle = ask(&world.stranger());
        assert_eq!(bundle["total"], 1);
        let patient = &bundle["entry"][0]["resource"];
        assert_eq!(patient["id"], record.patient.as_str());
        assert_eq!(patient["active"], true);
        assert_eq!(patient["identifier"][0]["value"], PAT_TROIS.ins);
        assert_eq!(patient["name"][0]["family"], PAT_TROIS.family);
        let members: Vec<_> = patient.as_object().unwrap().keys().map(String::as_str).collect();
        let allowed = ["resourceType", "id", "meta", "extension", "identifier", "active", "name"];
        assert!(members.iter().all(|member| allowed.contains(member)), "more than TD0.2 tells: {members:?}");
    });
}

#[test]
fn every_caller_learns_his_own_status() {
    on_both(|world| {
        world.open_record(&PAT_TROIS);
        assert_eq!(status(&world.general_practitioner()), "NON_EXISTE");
        world.consents(&PAT_TROIS, Kind::Autorisation, GENERAL_PRACTITIONER).expect(201);
        assert_eq!(status(&world.general_practitioner()), "VALIDE");
        assert_eq!(status(&world.stranger()), "NON_EXISTE");
        world.consents(&PAT_TROIS, Kind::Autorisation, BLOCKED).expect(201);
        world.consents(&PAT_TROIS, Kind::Blocage, BLOCKED).expect(201);
        assert_eq!(status(&world.blocked()), "INTERDIT");
    });
}

#[test]
fn an_authorisation_whose_period_is_over_is_expired() {
    on_both(|world| {
        world.open_record(&PAT_TROIS);
        let actor = crate::harness::people::professional(GENERAL_PRACTITIONER);
        let mut consent = PAT_TROIS.consent(Kind::Autorisation, Some(actor));
        consent["provision"]["period"] = json!({"start": day(-300), "end": day(-2)});
        world.patient(&PAT_TROIS).post("Consent", &consent).expect(201);
        assert_eq!(status(&world.general_practitioner()), "EXPIRE");
    });
}

#[test]
fn the_last_day_of_an_authorisation_counts_whole() {
    on_both(|world| {
        world.open_record(&PAT_TROIS);
        let actor = crate::harness::people::professional(GENERAL_PRACTITIONER);
        let mut consent = PAT_TROIS.consent(Kind::Autorisation, Some(actor));
        // Tomorrow, so that the day in Europe/Paris and the one in UTC are both before its end.
        consent["provision"]["period"] = json!({"start": day(-1), "end": day(1)});
        world.patient(&PAT_TROIS).post("Consent", &consent).expect(201);
        assert_eq!(status(&world.general_practitioner()), "VALIDE");
    });
}

#[test]
fn the_question_is_exactly_this_parameter() {
    on_both(|world| {
        world.open_record(&PAT_TROIS);
        let more = format!("Patient?identifier={}&gender=female", PAT_TROIS.token());
        world.stranger().get(&more).refuses(403, "forbidden", None);
        let other =
            world.stranger().read(&format!("Patient?identifier={}", crate::harness::encoded("urn:oid:1.2.3|279035121518989")));
        assert!(other["entry"].is_null(), "an identifier that is no INS searches the caller's own patients");
    });
}

#[test]
fn a_patient_asks_for_himself_only() {
    on_both(|world| {
        world.open_record(&PAT_TROIS);
        assert_eq!(ask(&world.patient(&PAT_TROIS))["total"], 1);
        world.patient(&CHILD).get(&format!("Patient?identifier={}", PAT_TROIS.token())).refuses(403, "forbidden", None);
    });
}

#[test]
fn one_person_has_one_record() {
    on_both(|world| {
        world.open_record(&PAT_TROIS);
        let again = world.hospital_system().post("", &crate::harness::server::opening(&PAT_TROIS));
        assert_eq!(again.status, 409, "{}", again.text());
        let lone = world.hospital_system().post("Patient", &PAT_TROIS.patient());
        assert_eq!(lone.status, 409, "{}", lone.text());
        assert_eq!(ask(&world.general_practitioner())["total"], 1);
    });
}

#[test]
fn a_lone_patient_of_a_system_opens_a_record_and_of_a_professional_does_not() {
    on_both(|world| {
        let refused = world.general_practitioner().post("Patient", &PAT_TROIS.patient());
        assert_eq!(refused.status, 422, "{}", refused.text());
        assert_eq!(ask(&world.hospital_system())["total"], 0);
        world.hospital_system().post("Patient", &PAT_TROIS.patient()).expect(201);
        assert_eq!(ask(&world.hospital_system())["total"], 1);
        Report::of(&PAT_TROIS, 1).result("3016-3", "2.1", "m[IU]/L", "20260401").deposit().filed_by(&world.hospital_system());
    });
}
