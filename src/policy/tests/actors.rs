//! Who plays in the tests, in which record.
use crate::auth::{Caller, Professional, PurposeOfUse, System};
use crate::clock::Millis;
use crate::fhir::consent::{ConsentFrame, Party};
use crate::fhir::identifier::{Finess, Ins, Rpps};
use crate::fhir::{Resource, ResourceType};
use crate::ids::Pid;
use crate::policy::{Actor, Authorisation, Facts, RecordState};
use serde_json::json;

/// 2026-11-24T13:34:31Z.
pub(super) const NOW: Millis = Millis(1_795_527_271_000);
pub(super) const PID: Pid = Pid(7);
const DAY: i64 = 86_400_000;

pub(super) fn ins() -> Ins {
    Ins::new("1.2.250.1.213.1.4.10", "279035121518989").unwrap()
}
pub(super) fn other_ins() -> Ins {
    Ins::new("1.2.250.1.213.1.4.10", "277076322082910").unwrap()
}
pub(super) fn resource_type(name: &str) -> ResourceType {
    ResourceType::parse(name).unwrap()
}

fn rpps(name: &str) -> Rpps {
    let number = match name {
        "gp" | "btg" => "99700000001",
        "mt" => "99700000002",
        "ngp" => "99700000003",
        "exp" => "99700000004",
        "blk" => "99700000005",
        other => panic!("{other} is no professional"),
    };
    Rpps::new(number).unwrap()
}

fn finess(name: &str) -> Finess {
    let number = match name {
        "sys" => "750000001",
        "nsys" => "750000002",
        "dir" => "750000003",
        "bsys" => "750000004",
        "surgery" => "750000005",
        other => panic!("{other} is no system"),
    };
    Finess::new(number).unwrap()
}

/// Every caller of the tables, with what he is to the record.
pub(super) const CALLERS: [&str; 14] = [
    "gp",   // professional with an authorisation in force
    "mt",   // médecin traitant
    "ngp",  // professional without authorisation
    "exp",  // professional whose authorisation is over
    "blk",  // professional with an authorisation in force, and blocked
    "btg",  // gp in the mode bris_de_glace
    "pat",  // the patient
    "oth",  // another patient
    "sys",  // system of an authorised structure
    "nsys", // system of a structure without authorisation
    "dir",  // the same with the right to write the directory
    "bsys", // system of a blocked structure
    "ope",  // operator
    "srv",  // server
];

pub(in crate::policy) fn caller(name: &str) -> Caller {
    let professional = |purpose| {
        Caller::Professional(Professional {
            rpps: rpps(name),
            name: "MARTIN".into(),
            profession: "10".into(),
            structure: Some(finess("surgery")),
            purpose,
        })
    };
    let system = |directory_writer| Caller::System(System { client: name.into(), structure: finess(name), directory_writer });
    match name {
        "gp" | "mt" | "ngp" | "exp" | "blk" => professional(PurposeOfUse::Normal),
        "btg" => professional(PurposeOfUse::BrisDeGlace),
        "pat" => Caller::Patient(ins()),
        "oth" => Caller::Patient(other_ins()),
        "sys" | "nsys" | "bsys" => system(false),
        "dir" => system(true),
        "ope" => Caller::Operator,
        "srv" => Caller::Server,
        other => panic!("no caller {other}"),
    }
}

pub(in crate::policy) fn facts(state: RecordState) -> Facts {
    let professional = |name: &str| Actor::Professional(rpps(name));
    let year = |actor| Authorisation { actor, from: Millis(NOW.0 - DAY), until: Some(Millis(NOW.0 + DAY)) };
    Facts {
        pid: PID,
        version: 12,
        state,
        ins: Some(ins()),
        authorisations: vec![
            year(professional("gp")),
            year(professional("blk")),
            year(Actor::Structure(finess("sys"))),
            year(Actor::Structure(finess("bsys"))),
            Authorisation { actor: professional("mt"), from: Millis(i64::MIN), until: None },
            Authorisation { actor: professional("exp"), from: Millis(NOW.0 - 9 * DAY), until: Some(NOW) },
        ],
        blocked: vec![professional("blk"), Actor::Structure(finess("bsys"))],
        treating: vec![rpps("mt")],
        opposed_bris_de_glace: false,
        opposed_regulation: false,
    }
}

/// How a Consent names a caller; the patient where he has no national number of his own.
pub(super) fn party(name: &str) -> Party {
    match name {
        "gp" | "mt" | "ngp" | "exp" | "blk" | "btg" => Party::Professional(rpps(name)),
        "sys" | "nsys" | "dir" | "bsys" => Party::Structure(finess(name)),
        _ => Party::Patient,
    }
}

pub(super) fn frame(performer: &str) -> ConsentFrame {
    ConsentFrame {
        patient: "Patient/p1".into(),
        performer: party(performer),
        organization: Finess::new("750000009").unwrap(),
        date_time: "2026-11-24T10:00:00+01:00".into(),
    }
}

/// An autorisation that the caller declares: of himself, or of the general practitioner where he is the patient,
/// operator or server.
pub(super) fn autorisation(name: &str) -> Resource {
    let actor = match party(name) {
        Party::Patient => party("gp"),
        named @ (Party::Professional(_) | Party::Structure(_)) => named,
    };
    frame(name).autorisation(&actor, "2026-11-24", "2027-11-23")
}

pub(super) fn medecin_traitant(performer: &str, of: &str) -> Resource {
    frame(performer).medecin_traitant(&rpps(of))
}

/// A Patient with the five traits of his INS.
pub(super) fn patient() -> Resource {
    let place = json!({"url": "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-address-insee-code", "valueCoding": {
        "system": "https://mos.esante.gouv.fr/NOS/TRE_R13-CommuneOM/FHIR/TRE-R13-CommuneOM", "code": "63220"}});
    let patient = json!({
        "resourceType": "Patient",
        "extension": [{"url": "http://hl7.org/fhir/StructureDefinition/patient-birthPlace", "valueAddress": {"extension": [place]}}],
        "identifier": [{"use": "official", "system": "urn:oid:1.2.250.1.213.1.4.10", "value": "279035121518989"}],
        "name": [{"use": "official", "family": "PAT-TROIS", "given": ["DOMINIQUE"]}],
        "gender": "female", "birthDate": "1979-03-28"});
    patient.as_object().cloned().unwrap()
}
