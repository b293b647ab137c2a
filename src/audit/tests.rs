//! The trace: rows become BALP AuditEvents, columns keep the caller, the chain tells a changed row.
use super::chain::{GENESIS, canonical, first_break, link};
use super::*;
use crate::auth::{Caller, Professional, PurposeOfUse, System};
use crate::clock::Millis;
use crate::fhir::ResourceType;
use crate::fhir::identifier::{Finess, Ins, Rpps};
use crate::ids::{Pid, Rid};
use serde_json::{Value, json};

fn doctor() -> Caller {
    Caller::Professional(Professional {
        rpps: Rpps::new("99700218896").unwrap(),
        name: "Camille MARTIN".into(),
        profession: "10".into(),
        structure: Finess::new("750803447"),
        purpose: PurposeOfUse::Normal,
    })
}

fn callers() -> [Caller; 5] {
    let system = System { client: "SIH".into(), structure: Finess::new("750803447").unwrap(), directory_writer: false };
    let patient = Ins::new("1.2.250.1.213.1.4.10", "279035121518989").unwrap();
    [doctor(), Caller::Patient(patient), Caller::System(system), Caller::Operator, Caller::Server]
}

fn event(action: Action, caller: Caller) -> Event {
    let query = match action {
        Action::Query => Some("Observation?patient=p1&code=718-7".to_owned()),
        Action::Existence => Some("Patient?identifier=urn:oid:1.2.250.1.213.1.4.10|279035121518989".to_owned()),
        Action::Read | Action::Deposit | Action::Create | Action::Update | Action::Delete | Action::Open => None,
    };
    let name = match action {
        Action::Deposit => "DocumentReference",
        Action::Create | Action::Update | Action::Delete => "Consent",
        Action::Open | Action::Existence => "Patient",
        Action::Read | Action::Query => "Observation",
    };
    Event {
        pid: Some(Pid(7)),
        at: Millis(1_795_527_271_005),
        action,
        outcome: EventOutcome::Success,
        status: 200,
        caller,
        resource_type: ResourceType::parse(name),
        rid: Some(Rid(3)),
        query,
        request: "3f2504e0-4f89-41d3-9a0c-0305e82c3301".into(),
    }
}

fn rendered(event: &Event) -> Value {
    let reference = |resource_type: ResourceType, _: Pid, _: Rid| format!("{resource_type}/r3");
    let server = ServerIdentity { name: "DMP-FHIR", base: "https://dmp.example/fhir" };
    let context = RenderContext { id: "a1", server, reference: &reference, patient: event.pid.map(|_| "Patient/p1") };
    Value::Object(render(event, &context))
}

#[test]
fn a_read_is_a_balp_patient_read_that_names_the_professional_with_profession_and_structure() {
    let audit = rendered(&event(Action::Read, doctor()));
    assert_eq!(
        audit["meta"]["profile"],
        json!(["https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.PatientRead"])
    );
    assert_eq!(audit["action"], "R");
    assert_eq!(audit["recorded"], "2026-11-24T13:34:31.005Z");
    assert_eq!(audit["outcome"], "0");
    let user = &audit["agent"][2];
    assert_eq!(user["who"]["identifier"], json!({"system": "https://rpps.esante.gouv.fr", "value": "99700218896"}));
    assert_eq!(user["who"]["display"], "Camille MARTIN");
    assert_eq!(user["requestor"], true);
    let role = &audit["contained"][0];
    assert_eq!(role["code"][0]["coding"][0]["code"], "10");
    assert_eq!(role["organization"]["identifier"]["value"], "1750803447");
    assert_eq!(audit["entity"][0]["what"]["reference"], "Observation/r3");
    assert_eq!(audit["entity"][1]["what"]["reference"], "Patient/p1");
}

#[test]
fn each_action_claims_its_profile() {
    let balp = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.";
    for (action, profile) in [
        (Action::Read, format!("{balp}PatientRead")),
        (Action::Query, format!("{balp}PatientQuery")),
        (Action::Existence, format!("{balp}PatientQuery")),
        (Action::Create, format!("{balp}PatientCreate")),
        (Action::Open, format!("{balp}PatientCreate")),
        (Action::Update, format!("{balp}PatientUpdate")),
        (Action::Delete, format!("{balp}PatientDelete")),
        (
            Action::Deposit,
            "https://profiles.ihe.net/ITI/MHD/StructureDefinition/IHE.MHD.SimplifiedPublish.Audit.Recipient".to_owned(),
        ),
    ] {
        assert_eq!(rendered(&event(action, doctor()))["meta"]["profile"], json!([profile]), "{action:?}");
    }
}

#[test]
fn a_refusal_has_the_same_shape_with_outcome_4_and_no_profile() {
    let mut refused = event(Action::Query, doctor());
    refused.outcome = EventOutcome::MinorFailure;
    refused.status = 403;
    let (mut audit, mut done) = (rendered(&refused), rendered(&event(Action::Query, doctor())));
    assert_eq!((&audit["outcome"], &audit["outcomeDesc"], &audit["meta"]), (&json!("4"), &json!("HTTP 403"), &Value::Null));
    for name in ["outcome", "outcomeDesc", "meta"] {
        audit.as_object_mut().unwrap().remove(name);
        done.as_object_mut().unwrap().remove(name);
    }
    assert_eq!(audit, done);
}

#[test]
fn a_query_is_kept_in_base64() {
    let audit = rendered(&event(Action::Query, doctor()));
    assert_eq!(audit["entity"][0]["query"], "T2JzZXJ2YXRpb24/cGF0aWVudD1wMSZjb2RlPTcxOC03");
}

#[test]
fn columns_keep_every_caller() {
    for caller in callers() {
        let columns = CallerColumns::of(&caller);
        assert!(columns.caller() == Some(caller.clone()), "{caller:?}");
    }
    assert!(CallerColumns { kind: "root".into(), ..CallerColumns::default() }.caller().is_none());
}

#[test]
fn numbers_of_actions_and_outcomes_lead_back() {
    for action in Action::ALL {
        assert_eq!(Action::from_number(action.number()), Some(action));
    }
    for outcome in [EventOutcome::Success, EventOutcome::MinorFailure, EventOutcome::SeriousFailure] {
        assert_eq!(EventOutcome::from_number(outcome.number()), Some(outcome));
    }
}

#[test]
fn a_changed_a_lost_and_a_moved_row_break_the_chain() {
    let rows: Vec<Vec<u8>> =
        (0_u8..4).map(|row| canonical(&event(Action::ALL[usize::from(row)], doctor()), row.into())).collect();
    let mut links = Vec::new();
    for row in &rows {
        links.push(link(links.last().copied().unwrap_or(GENESIS), row));
    }
    let chain = |rows: &[(&[u8], [u8; 32])]| first_break(GENESIS, rows.iter().copied());
    let whole: Vec<(&[u8], [u8; 32])> = rows.iter().map(Vec::as_slice).zip(links.iter().copied()).collect();
    assert_eq!(chain(&whole), None);
    let mut changed = event(Action::ALL[2], doctor());
    changed.status = 403;
    let changed = canonical(&changed, 2);
    let mut broken = whole.clone();
    broken[2].0 = &changed;
    assert_eq!(chain(&broken), Some(2));
    let mut lost = whole.clone();
    lost.remove(1);
    assert_eq!(chain(&lost), Some(1));
    let mut moved = whole.clone();
    moved.swap(1, 2);
    assert_eq!(chain(&moved), Some(1));
}

#[test]
fn two_different_rows_never_have_the_same_bytes() {
    let (mut one, mut other) = (event(Action::Read, doctor()), event(Action::Read, doctor()));
    (one.query, one.request) = (Some(String::new()), "ab".into());
    (other.query, other.request) = (None, "ab".into());
    assert_ne!(canonical(&one, 1), canonical(&other, 1));
}

/// Prints every kind of AuditEvent as ndjson, for the official validator:
/// `cargo test --lib audit::tests::print_for_the_validator -- --ignored --nocapture`.
#[test]
#[ignore = "prints what the official validator reads"]
fn print_for_the_validator() {
    for action in Action::ALL {
        for caller in callers() {
            println!("{}", rendered(&event(action, caller.clone())));
            let mut refused = event(action, caller);
            (refused.outcome, refused.status, refused.rid) = (EventOutcome::MinorFailure, 403, None);
            println!("{}", rendered(&refused));
        }
    }
    let mut nowhere = event(Action::Existence, doctor());
    (nowhere.pid, nowhere.rid) = (None, None);
    println!("{}", rendered(&nowhere));
}
