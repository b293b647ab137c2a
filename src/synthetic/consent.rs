//! Consents of the synthetic records, as DESIGN section 5 shapes them (IHE PCF basic).
use super::directory::{Professional, SURGERY, Structure, identifier_type};
use crate::fhir::{CANONICAL, Resource};
use serde_json::{Value, json};

/// Who is named by a Consent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConsentActor {
    /// A professional.
    Professional(&'static Professional),
    /// A structure.
    Structure(&'static Structure),
}

/// One Consent that a record has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConsentPlan {
    /// Opening of the record (BR-02).
    Opening,
    /// The patient opposes « bris de glace ».
    OppositionBrisDeGlace,
    /// The patient opposes access by regulation.
    OppositionRegulation,
    /// Authorises consultation (BR-19).
    Authorisation(ConsentActor),
    /// Médecin traitant (BR-24).
    TreatingPhysician(&'static Professional),
    /// Blocked by the patient (BR-23).
    Blocking(ConsentActor),
}

impl ConsentPlan {
    /// Last part of `policy.uri`.
    #[must_use]
    pub fn kind(self) -> &'static str {
        match self {
            Self::Opening => "ouverture",
            Self::OppositionBrisDeGlace => "opposition-bris-de-glace",
            Self::OppositionRegulation => "opposition-regulation",
            Self::Authorisation(_) => "autorisation",
            Self::TreatingPhysician(_) => "medecin-traitant",
            Self::Blocking(_) => "blocage",
        }
    }

    fn actor(self) -> Option<ConsentActor> {
        match self {
            Self::Opening | Self::OppositionBrisDeGlace | Self::OppositionRegulation => None,
            Self::Authorisation(actor) | Self::Blocking(actor) => Some(actor),
            Self::TreatingPhysician(professional) => Some(ConsentActor::Professional(professional)),
        }
    }

    /// The Consent of the record whose Patient is `patient` (`Patient/[id]` or a `urn:uuid:`), given at `at` (a dateTime);
    /// an authorisation runs from `from` to `until` (dates, at most a year).
    #[must_use]
    pub fn consent(self, patient: &str, at: &str, (from, until): (&str, &str)) -> Resource {
        let (provision_type, purpose) = match self {
            Self::Opening => ("permit", None),
            Self::OppositionBrisDeGlace => ("deny", Some("BTG")),
            Self::OppositionRegulation => ("deny", Some("ETREAT")),
            Self::Authorisation(_) | Self::TreatingPhysician(_) => ("permit", Some("TREAT")),
            Self::Blocking(_) => ("deny", None),
        };
        let mut provision = Resource::new();
        provision.insert("type".into(), json!(provision_type));
        if let Self::Authorisation(_) = self {
            provision.insert("period".into(), json!({"start": from, "end": until}));
        }
        if let Some(actor) = self.actor() {
            let role =
                json!({"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": "IRCP"}]});
            provision.insert("actor".into(), json!([{"role": role, "reference": reference(actor)}]));
        }
        if let Some(code) = purpose {
            let system = "http://terminology.hl7.org/CodeSystem/v3-ActReason";
            provision.insert("purpose".into(), json!([{"system": system, "code": code}]));
        }
        let value = json!({
            "resourceType": "Consent",
            "meta": {"profile": [format!("{CANONICAL}/StructureDefinition/dmp-consent-{}", self.kind())]},
            "status": "active",
            "scope": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}]},
            "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
            "patient": {"reference": patient},
            "dateTime": at,
            "performer": [{"reference": patient}],
            "organization": [reference(ConsentActor::Structure(&SURGERY))],
            "sourceAttachment": {"title": "Déclaration recueillie par voie électronique"},
            "policy": [{"uri": format!("{CANONICAL}/policy/{}", self.kind())}],
            "provision": provision
        });
        value.as_object().cloned().unwrap_or_default()
    }
}

fn reference(actor: ConsentActor) -> Value {
    match actor {
        ConsentActor::Professional(professional) => json!({
            "type": "Practitioner",
            "identifier": {"type": identifier_type("RPPS"), "system": "https://rpps.esante.gouv.fr", "value": professional.rpps},
            "display": professional.full_name()
        }),
        ConsentActor::Structure(structure) => json!({
            "type": "Organization",
            "identifier": {"type": identifier_type("IDNST"), "system": "urn:oid:1.2.250.1.71.4.2.2", "value": structure.struct_idnat()},
            "display": structure.name
        }),
    }
}
