//! Persons of the specs, and the resources that open their records and say who may read them.
use super::day;
use dmp_fhir::fhir::CANONICAL;
use serde_json::{Value, json};

/// Someone with a national health identity.
#[derive(Clone, Copy)]
pub(crate) struct Person {
    pub(crate) oid: &'static str,
    pub(crate) ins: &'static str,
    pub(crate) family: &'static str,
    pub(crate) given: &'static str,
    pub(crate) birth_date: &'static str,
    pub(crate) gender: &'static str,
    pub(crate) birth_place: &'static str,
}

/// The patient of most samples.
pub(crate) const PAT_TROIS: Person = Person {
    oid: "1.2.250.1.213.1.4.10",
    ins: "279035121518989",
    family: "PAT-TROIS",
    given: "DOMINIQUE",
    birth_date: "1979-03-28",
    gender: "female",
    birth_place: "51215",
};

/// Another person: nothing of hers may show to the first, nor the reverse.
pub(crate) const CHILD: Person = Person {
    oid: "1.2.250.1.213.1.4.10",
    ins: "221042545611404",
    family: "DECOURCY",
    given: "Ruth",
    birth_date: "2021-04-25",
    gender: "female",
    birth_place: "75056",
};

impl Person {
    /// `urn:oid:...|value`, percent-encoded for a query.
    pub(crate) fn token(&self) -> String {
        super::encoded(&format!("urn:oid:{}|{}", self.oid, self.ins))
    }

    /// Reference by INS alone.
    pub(crate) fn logical_reference(&self) -> Value {
        json!({"identifier": {"system": format!("urn:oid:{}", self.oid), "value": self.ins}})
    }

    /// The five traits, as fr-core-patient-ins.
    pub(crate) fn patient(&self) -> Value {
        let kind = match self.oid.rsplit('.').next() {
            Some("8") => "INS-NIR",
            Some("9") => "INS-NIA",
            Some("10") => "INS-NIR-TEST",
            _ => "INS-NIR-DEMO",
        };
        json!({
            "resourceType": "Patient",
            "meta": {"profile": ["https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-patient-ins"]},
            "extension": [{
                "url": "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-identity-reliability",
                "extension": [{"url": "identityStatus", "valueCoding":
                    {"system": "https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-0445", "code": "VALI"}}],
            }, {
                "url": "http://hl7.org/fhir/StructureDefinition/patient-birthPlace",
                "valueAddress": {"extension": [{
                    "url": "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-address-insee-code",
                    "valueCoding": {"system": "https://mos.esante.gouv.fr/NOS/TRE_R13-Commune/FHIR/TRE-R13-Commune", "code": self.birth_place},
                }]},
            }],
            "identifier": [{
                "use": "official",
                "type": {"coding": [{"system": "https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-0203", "code": kind}]},
                "system": format!("urn:oid:{}", self.oid), "value": self.ins,
            }],
            "active": true,
            "name": [{
                "extension": [{"url": "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-patient-birth-list-given-name", "valueString": self.given}],
                "use": "official", "family": self.family, "given": [self.given],
            }],
            "gender": self.gender,
            "birthDate": self.birth_date,
        })
    }

    /// A Consent of this person, of one of the kinds of DESIGN section 5.
    pub(crate) fn consent(&self, kind: Kind, actor: Option<Value>) -> Value {
        let mut provision = json!({"type": if matches!(kind, Kind::Blocage) { "deny" } else { "permit" }});
        if matches!(kind, Kind::Autorisation) {
            provision["period"] = json!({"start": day(-1), "end": day(300)});
        }
        if matches!(kind, Kind::Autorisation | Kind::MedecinTraitant) {
            provision["purpose"] = json!([{"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "TREAT"}]);
        }
        if let Some(reference) = actor {
            let role =
                json!({"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": "IRCP"}]});
            provision["actor"] = json!([{"role": role, "reference": reference}]);
        }
        json!({
            "resourceType": "Consent",
            "status": "active",
            "scope": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}]},
            "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
            "patient": self.logical_reference(),
            "dateTime": day(0),
            "performer": [self.logical_reference()],
            "organization": [structure("120459876")],
            "sourceAttachment": {"title": "Formulaire de consentement"},
            "policy": [{"uri": kind.policy()}],
            "provision": provision,
        })
    }
}

/// Kinds of Consent that the access rules read.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Ouverture,
    Autorisation,
    Blocage,
    MedecinTraitant,
}

impl Kind {
    fn policy(self) -> String {
        let name = match self {
            Self::Ouverture => "ouverture",
            Self::Autorisation => "autorisation",
            Self::Blocage => "blocage",
            Self::MedecinTraitant => "medecin-traitant",
        };
        format!("{CANONICAL}/policy/{name}")
    }
}

/// Logical reference to a professional.
pub(crate) fn professional(rpps: &str) -> Value {
    json!({"identifier": {"system": "https://rpps.esante.gouv.fr", "value": rpps}})
}

/// Logical reference to a structure.
pub(crate) fn structure(finess: &str) -> Value {
    json!({"identifier": {"system": "urn:oid:1.2.250.1.71.4.2.2", "value": format!("1{finess}")}})
}
