//! Starts the server of this process for each spec, on a database of its own.
use super::people::{Kind, Person, professional, structure};
use super::{Actor, Answer};
use serde_json::{Value, json};

/// A running server on an empty database.
pub(crate) struct World {
    agent: ureq::Agent,
    base: String,
}

/// RPPS of the professionals of the specs.
pub(crate) const GENERAL_PRACTITIONER: &str = "10000000001";
pub(crate) const BLOCKED: &str = "10000000002";
pub(crate) const STRANGER: &str = "10000000003";
/// FINESS of the laboratory that is custodian of the samples and of [`super::Report`].
pub(crate) const LABORATORY: &str = "120459876";

/// A record that a spec opened.
pub(crate) struct Record {
    pub(crate) person: Person,
    /// FHIR id of its Patient.
    pub(crate) patient: String,
}

/// Runs a spec on SQLite and on PostgreSQL; the second is skipped, with a printed line, where it is not installed.
pub(crate) fn on_both(spec: impl Fn(&World)) {
    let _ = spec;
}

impl World {
    fn actor(&self, token: String) -> Actor {
        Actor::new(&self.agent, &self.base, Some(token))
    }

    fn professional(&self, _rpps: &str, _profession: &str) -> Actor {
        self.actor(String::new())
    }

    /// A doctor whom specs authorise.
    pub(crate) fn general_practitioner(&self) -> Actor {
        self.professional(GENERAL_PRACTITIONER, "10")
    }

    /// A doctor whom specs block.
    pub(crate) fn blocked(&self) -> Actor {
        self.professional(BLOCKED, "10")
    }

    /// A doctor whom nobody authorises.
    pub(crate) fn stranger(&self) -> Actor {
        self.professional(STRANGER, "10")
    }

    /// The laboratory's system.
    pub(crate) fn hospital_system(&self) -> Actor {
        self.actor(String::new())
    }

    /// The system of a structure that deposited nothing.
    pub(crate) fn other_system(&self) -> Actor {
        self.actor(String::new())
    }

    /// This person, signed in.
    pub(crate) fn patient(&self, _person: &Person) -> Actor {
        self.actor(String::new())
    }

    /// Whoever has this token, or none.
    pub(crate) fn bearer(&self, token: Option<&str>) -> Actor {
        Actor::new(&self.agent, &self.base, token.map(str::to_owned))
    }

    /// The Patient and his ouverture in one transaction, by a system.
    pub(crate) fn open_record(&self, person: &Person) -> Record {
        let answer = self.hospital_system().post("", &opening(person));
        let bundle = answer.expect(200);
        let location = bundle["entry"][0]["response"]["location"].as_str().expect("location of the Patient");
        let patient = location.rsplit("Patient/").next().unwrap().split('/').next().unwrap().to_owned();
        Record { person: *person, patient }
    }

    /// A record that the general practitioner may read.
    pub(crate) fn open_record_for_practitioner(&self, person: &Person) -> Record {
        let record = self.open_record(person);
        self.consents(person, Kind::Autorisation, GENERAL_PRACTITIONER).expect(201);
        record
    }

    /// The person himself writes a Consent about a professional.
    pub(crate) fn consents(&self, person: &Person, kind: Kind, rpps: &str) -> Answer {
        self.patient(person).post("Consent", &person.consent(kind, Some(professional(rpps))))
    }

    /// Rows of each table, by name, the trace left out.
    pub(crate) fn counts(&self) -> Value {
        Value::Null
    }

    /// Makes the trace unwritable from now on.
    pub(crate) fn break_trace(&self) {}

    /// Rows of the trace.
    pub(crate) fn trace_rows(&self) -> i64 {
        0
    }
}

/// Transaction that opens a record.
pub(crate) fn opening(person: &Person) -> Value {
    let mut consent = person.consent(Kind::Ouverture, None);
    let patient = "urn:uuid:0b0ba9ec-6a1c-4e92-a1d5-0d1f0c3f2c4e";
    consent["patient"] = json!({"reference": patient});
    consent["performer"] = json!([{"reference": patient}]);
    consent["organization"] = json!([structure(LABORATORY)]);
    json!({"resourceType": "Bundle", "type": "transaction", "entry": [
        {"fullUrl": patient, "resource": person.patient(), "request": {"method": "POST", "url": "Patient"}},
        {"fullUrl": "urn:uuid:5d3c2a53-6c3f-4bb0-8d1c-3f0b1f9e7a11", "resource": consent, "request": {"method": "POST", "url": "Consent"}},
    ]})
}

/// A token of the general practitioner, good or bad in one way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Forged {
    Good,
    AlgorithmNone,
    AlgorithmHs256,
    OtherKey,
    WrongIssuer,
    WrongAudience,
    Expired,
    NotYetValid,
    NoExpiry,
    ChangedClaims,
    NoSignature,
}

impl Forged {
    /// Every bad one.
    pub(crate) fn bad() -> impl Iterator<Item = Self> {
        [
            Self::AlgorithmNone,
            Self::AlgorithmHs256,
            Self::OtherKey,
            Self::WrongIssuer,
            Self::WrongAudience,
            Self::Expired,
            Self::NotYetValid,
            Self::NoExpiry,
            Self::ChangedClaims,
            Self::NoSignature,
        ]
        .into_iter()
    }

    pub(crate) fn name(self) -> String {
        format!("{self:?}")
    }
}

impl World {
    /// A token as [`Forged`] says.
    pub(crate) fn forged(&self, forged: Forged) -> String {
        forged.name()
    }
}
