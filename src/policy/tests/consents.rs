//! Which Consents rule access, who writes them, and what they mean.
use super::actors::{NOW, PID, autorisation, caller, facts, frame, ins, medecin_traitant, party};
use crate::auth::Caller;
use crate::clock::Millis;
use crate::fhir::Interaction;
use crate::fhir::Resource;
use crate::fhir::consent::{ConsentKind, Party, withdrawn};
use crate::fhir::identifier::Rpps;
use crate::fhir::interaction::RecordName;
use crate::fhir::td02::{Closure, RecordStatus, cut_patient};
use crate::policy::consent::{check_replacement, read};
use crate::policy::{Actor, AuthorisationStatus, Facts, RecordState, Rule, decide, derive, status};
use serde_json::{Value, json};

fn consent(kind: ConsentKind, performer: &str, actor: &str) -> Resource {
    let frame = frame(performer);
    match kind {
        ConsentKind::Ouverture => frame.ouverture(),
        ConsentKind::OppositionBrisDeGlace => frame.opposition_bris_de_glace(),
        ConsentKind::OppositionRegulation => frame.opposition_regulation(),
        ConsentKind::Autorisation => frame.autorisation(&party(actor), "2026-11-24", "2027-11-23"),
        ConsentKind::Blocage => frame.blocage(&party(actor)),
        ConsentKind::MedecinTraitant => medecin_traitant(performer, actor),
    }
}

fn derived(consents: &[Resource]) -> Facts {
    derive(PID, 1, RecordState::Open, Some(ins()), consents.iter())
}

/// Kind of Consent | who writes it | whom it names | answer. `oth` as performer is nobody known.
const WHO_WRITES: &str = "
Autorisation | gp | gp | ok
Autorisation | ngp | ngp | ok
Autorisation | exp | exp | ok
Autorisation | ngp | gp | 403
Autorisation | gp | sys | 403
Autorisation | sys | sys | ok
Autorisation | nsys | nsys | ok
Autorisation | sys | gp | 403
Autorisation | sys | nsys | 403
Autorisation | blk | blk | 403
Autorisation | bsys | bsys | 403
Autorisation | pat | gp | ok
Autorisation | pat | sys | ok
Autorisation | ope | gp | ok
Blocage | pat | gp | ok
Blocage | pat | sys | ok
Blocage | gp | gp | 403
Blocage | gp | ngp | 403
Blocage | sys | sys | 403
MedecinTraitant | pat | gp | ok
MedecinTraitant | gp | gp | 403
MedecinTraitant | sys | gp | 403
OppositionBrisDeGlace | pat | - | ok
OppositionBrisDeGlace | gp | - | 403
OppositionBrisDeGlace | sys | - | 403
OppositionRegulation | pat | - | ok
OppositionRegulation | gp | - | 403
OppositionRegulation | sys | - | 403
Ouverture | pat | - | 422
Ouverture | gp | - | 422
Ouverture | sys | - | 422
Ouverture | ope | - | 422
";

#[test]
fn consents_are_written_by_the_patient_by_a_professional_naming_himself_and_by_a_system_for_its_structure() {
    for line in WHO_WRITES.lines().filter(|line| !line.is_empty()) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let kind = ConsentKind::ALL.into_iter().find(|kind| format!("{kind:?}") == cells[0]).unwrap();
        let body = consent(kind, cells[1], cells[2]);
        let interaction = Interaction::CreateConsent { record: RecordName::Pid(PID), body };
        let found = decide(&caller(cells[1]), &interaction, Some(&facts(RecordState::Open)), NOW);
        let found = found.map_or_else(|denial| denial.problem.status().to_string(), |_| "ok".into());
        assert_eq!(found, cells[3], "{line}");
    }
}

#[test]
fn nobody_declares_in_the_name_of_a_third() {
    let third = frame("mt").autorisation(&party("gp"), "2026-11-24", "2027-11-23");
    let by_patient = frame("gp").blocage(&party("ngp"));
    for (who, body) in [("gp", third), ("pat", by_patient)] {
        let interaction = Interaction::CreateConsent { record: RecordName::Pid(PID), body };
        let denial = decide(&caller(who), &interaction, Some(&facts(RecordState::Open)), NOW).unwrap_err();
        assert_eq!((denial.rule, denial.problem.status()), (Rule::CallerKind, 403));
    }
}

#[test]
fn what_builders_make_is_read_back() {
    for kind in ConsentKind::ALL {
        let read = read(&consent(kind, "pat", "gp")).unwrap();
        assert_eq!((read.kind, read.active, read.actor.is_some()), (kind, true, kind.has_actor()));
        assert_eq!(ConsentKind::from_policy_uri(&kind.policy_uri()), Some(kind));
    }
}

fn instant(text: &str) -> Millis {
    Millis(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
}

#[test]
fn an_authorisation_is_in_force_through_its_last_day_in_paris() {
    let facts = derived(&[autorisation("ngp")]);
    for (time, expected) in [
        ("2026-11-23T22:59:59Z", AuthorisationStatus::NonExiste),
        ("2026-11-23T23:00:00Z", AuthorisationStatus::Valide),
        ("2027-11-23T22:59:59.999Z", AuthorisationStatus::Valide),
        ("2027-11-23T23:00:00Z", AuthorisationStatus::Expire),
    ] {
        assert_eq!(status(&caller("ngp"), &facts, instant(time)), expected, "{time}");
    }
}

#[test]
fn only_active_consents_count_and_blocked_wins() {
    let (grant, block) = (autorisation("ngp"), frame("pat").blocage(&party("ngp")));
    let status = |consents: &[Resource]| status(&caller("ngp"), &derived(consents), NOW);
    assert_eq!(status(&[]), AuthorisationStatus::NonExiste);
    assert_eq!(status(std::slice::from_ref(&grant)), AuthorisationStatus::Valide);
    assert_eq!(status(&[withdrawn(&grant)]), AuthorisationStatus::NonExiste);
    assert_eq!(status(&[grant.clone(), block.clone()]), AuthorisationStatus::Interdit);
    assert_eq!(status(&[grant, withdrawn(&block)]), AuthorisationStatus::Valide);
    for state in ["draft", "proposed", "rejected", "entered-in-error"] {
        let mut grant = autorisation("ngp");
        grant.insert("status".into(), json!(state));
        assert_eq!(status(&[grant]), AuthorisationStatus::NonExiste, "{state}");
    }
}

#[test]
fn a_professional_is_the_same_by_rpps_and_by_id_nat_ps() {
    let mut consent = Value::Object(autorisation("ngp"));
    consent["provision"]["actor"][0]["reference"]["identifier"] =
        json!({"system": "urn:oid:1.2.250.1.71.4.2.1", "value": "899700000003"});
    let facts = derived(&[consent.as_object().cloned().unwrap()]);
    assert_eq!(status(&caller("ngp"), &facts, NOW), AuthorisationStatus::Valide);
}

#[test]
fn a_medecin_traitant_is_authorised_without_end_and_oppositions_are_facts() {
    let facts = derived(&[medecin_traitant("pat", "ngp"), frame("pat").opposition_regulation()]);
    assert_eq!(status(&caller("ngp"), &facts, Millis(i64::MAX)), AuthorisationStatus::Valide);
    assert_eq!(facts.treating, [Rpps::new("99700000003").unwrap()]);
    assert_eq!((facts.opposed_regulation, facts.opposed_bris_de_glace), (true, false));
}

#[test]
fn a_consent_that_is_not_of_our_profiles_gives_no_right() {
    let directive = json!({
        "resourceType": "Consent", "status": "active",
        "scope": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "adr"}]},
        "provision": {"type": "permit", "actor": [{
            "role": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": "IRCP"}]},
            "reference": {"identifier": {"system": "https://rpps.esante.gouv.fr", "value": "99700000003"}}}]}});
    let facts = derived(&[directive.as_object().cloned().unwrap()]);
    assert_eq!(status(&caller("ngp"), &facts, NOW), AuthorisationStatus::NonExiste);
}

/// What is changed in a good autorisation, and where the fault is said to be.
#[test]
fn each_fault_of_a_consent_is_told_with_its_place() {
    let actor = |system: &str, value: &str| json!({"identifier": {"system": system, "value": value}});
    for (pointer, value, path) in [
        (
            "/scope",
            json!({"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "adr"}]}),
            "Consent.scope",
        ),
        ("/category", json!([{"coding": [{"system": "http://loinc.org", "code": "64293-4"}]}]), "Consent.category"),
        ("/patient", Value::Null, "Consent.patient"),
        ("/dateTime", Value::Null, "Consent.dateTime"),
        ("/performer", json!([]), "Consent.performer"),
        ("/organization", Value::Null, "Consent.organization"),
        ("/sourceAttachment", Value::Null, "Consent.source"),
        ("/status", json!("valid"), "Consent.status"),
        ("/policy/0/uri", json!("https://dmp-fhir.example/fhir/policy/tout"), "Consent.policy"),
        ("/provision", Value::Null, "Consent.provision"),
        ("/provision/type", json!("deny"), "Consent.provision.type"),
        ("/provision/purpose", json!([]), "Consent.provision.purpose"),
        ("/provision/data", json!([{"meaning": "instance"}]), "Consent.provision.data"),
        ("/provision/provision", json!([{"type": "deny"}]), "Consent.provision.provision"),
        ("/modifierExtension", json!([{"url": "urn:x"}]), "Consent.descendants().modifierExtension"),
        ("/policyRule", json!({"text": "x"}), "Consent.policyRule"),
        ("/implicitRules", json!("urn:x"), "Consent.implicitRules"),
        (
            "/provision/actor/0/modifierExtension",
            json!([{"url": "urn:x", "valueBoolean": true}]),
            "Consent.descendants().modifierExtension",
        ),
        ("/provision/actor", json!([]), "Consent.provision.actor"),
        ("/provision/actor/0/role", json!({"coding": []}), "Consent.provision.actor[0].role"),
        ("/provision/actor/0/reference", json!({"reference": "Practitioner/1"}), "Consent.provision.actor[0].reference"),
        ("/provision/actor/0/reference", actor("urn:x", "99700000003"), "Consent.provision.actor[0].reference"),
        ("/provision/actor/0/reference", actor("https://rpps.esante.gouv.fr", "1"), "Consent.provision.actor[0].reference"),
        ("/provision/period", Value::Null, "Consent.provision.period.start"),
        ("/provision/period/end", Value::Null, "Consent.provision.period.end"),
        ("/provision/period/start", json!("2026"), "Consent.provision.period.start"),
        ("/provision/period/end", json!("2027-11-25"), "Consent.provision.period"),
        ("/provision/period/end", json!("2026-11-23"), "Consent.provision.period"),
    ] {
        let mut consent = Value::Object(autorisation("gp"));
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        let parent = consent.pointer_mut(parent).unwrap();
        match (name.parse::<usize>(), value) {
            (Ok(index), value) => parent[index] = value,
            (Err(_), Value::Null) => drop(parent.as_object_mut().unwrap().remove(name)),
            (Err(_), value) => parent[name] = value,
        }
        let issues = read(consent.as_object().unwrap()).unwrap_err();
        let paths: Vec<&str> = issues.iter().filter_map(|issue| issue.expression.as_deref()).collect();
        assert!(paths.contains(&path), "{pointer}: {paths:?}");
        assert!(issues.iter().all(|issue| issue.kind.status() == 422));
    }
}

#[test]
fn a_medecin_traitant_and_a_blocage_have_no_period_and_a_structure_treats_nobody() {
    let period = json!({"start": "2026-11-24", "end": "2027-11-23"});
    for kind in [ConsentKind::MedecinTraitant, ConsentKind::Blocage] {
        let mut consent = Value::Object(consent(kind, "pat", "gp"));
        consent["provision"]["period"] = period.clone();
        assert_eq!(read(consent.as_object().unwrap()).unwrap_err()[0].expression.as_deref(), Some("Consent.provision.period"));
    }
    let Party::Structure(structure) = party("sys") else { panic!("sys is a structure") };
    let mut consent = Value::Object(medecin_traitant("pat", "gp"));
    consent["provision"]["actor"][0]["reference"] = crate::fhir::consent::structure_reference(&structure);
    assert!(read(consent.as_object().unwrap()).is_err());
}

#[test]
fn a_new_version_keeps_kind_actor_and_patient() {
    let stored = autorisation("gp");
    assert_eq!(check_replacement(&stored, &withdrawn(&stored)), Ok(()));
    let paths = |next: &Resource| {
        let issues = check_replacement(&stored, next).unwrap_err();
        issues.into_iter().filter_map(|issue| issue.expression).collect::<Vec<_>>()
    };
    assert_eq!(paths(&autorisation("ngp")), ["Consent.provision.actor[0]"]);
    assert_eq!(paths(&frame("pat").blocage(&party("gp"))), ["Consent.policy[0].uri"]);
    let mut moved = stored.clone();
    moved.insert("patient".into(), json!({"reference": "Patient/p2"}));
    assert_eq!(paths(&moved), ["Consent.patient"]);
}

#[test]
fn a_blocked_structure_is_its_systems_and_whoever_works_for_it_now() {
    let mut facts = facts(RecordState::Open);
    assert_eq!(status(&caller("bsys"), &facts, NOW), AuthorisationStatus::Interdit);
    assert_eq!(status(&caller("gp"), &facts, NOW), AuthorisationStatus::Valide);
    let Caller::Professional(professional) = caller("gp") else { panic!("gp is a professional") };
    facts.blocked.push(Actor::Structure(professional.structure.unwrap()));
    assert_eq!(status(&caller("gp"), &facts, NOW), AuthorisationStatus::Interdit);
}

/// Prints every Consent and answer of TD0.2 as ndjson, for the official validator with `fhir-profiles/`.
#[test]
#[ignore = "prints what the official validator reads"]
fn print_for_the_validator() {
    for kind in ConsentKind::ALL {
        for performer in ["pat", "gp", "sys"] {
            for actor in ["gp", "sys"] {
                if kind.has_actor() && !(kind == ConsentKind::MedecinTraitant && actor == "sys") || actor == "gp" {
                    println!("{}", Value::Object(consent(kind, performer, actor)));
                }
            }
        }
    }
    let mut patient = super::actors::patient();
    patient.insert("id".into(), json!("p1"));
    for code in ["NON_EXISTE", "VALIDE", "EXPIRE", "INTERDIT"] {
        for open in [true, false] {
            let closure = Closure {
                date: "2026-11-01".into(),
                motif: "patient-demande".into(),
                raison: Some("À la demande du patient".into()),
            };
            let status = RecordStatus {
                open,
                closure: (!open).then_some(closure),
                rattachement_mes: Some(true),
                medecin_traitant: Some(false),
                statut_autorisation: Some(code),
            };
            println!("{}", Value::Object(cut_patient(&patient, &status)));
        }
    }
}
