//! Consents of the synthetic records, as DESIGN section 5 shapes them (IHE PCF basic).
use super::directory::{Professional, Structure};
use super::person::Person;
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

    /// The Consent: given at `at` (a dateTime); an authorisation runs from `from` to `until` (dates, at most a year).
    #[must_use]
    pub fn consent(self, person: &Person, at: &str, (from, until): (&str, &str)) -> Resource {
        let act_reason = "http://terminology.hl7.org/CodeSystem/v3-ActReason";
        let (permits, purpose) = match self {
            Self::Opening => ("permit", None),
            Self::OppositionBrisDeGlace => ("deny", Some("BTG")),
            Self::OppositionRegulation => ("deny", Some("ETREAT")),
            Self::Authorisation(_) | Self::TreatingPhysician(_) => ("permit", Some("TREAT")),
            Self::Blocking(_) => ("deny", None),
        };
        let mut provision = json!({"type": permits});
        let mut set = |name: &str, value: Value| {
            if let Some(provision) = provision.as_object_mut() {
                provision.insert(name.into(), value);
            }
        };
        if let Self::Authorisation(_) = self {
            set("period", json!({"start": from, "end": until}));
        }
        if let Some(actor) = self.actor() {
            let role = json!({"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-RoleClass", "code": "IRCP"}]});
            set("actor", json!([{"role": role, "reference": reference(actor)}]));
        }
        if let Some(code) = purpose {
            set("purpose", json!([{"system": act_reason, "code": code}]));
        }
        let value = json!({
            "resourceType": "Consent",
            "status": "active",
            "scope": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}]},
            "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
            "patient": person.logical_reference(),
            "dateTime": at,
            "performer": [person.logical_reference()],
            "organization": [{"type": "Organization", "display": "Assurance maladie"}],
            "sourceReference": {"display": "Recueilli auprès du titulaire"},
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
            "identifier": {"system": "https://rpps.esante.gouv.fr", "value": professional.rpps},
            "display": professional.full_name()
        }),
        ConsentActor::Structure(structure) => json!({
            "type": "Organization",
            "identifier": {"system": "urn:oid:1.2.250.1.71.4.2.2", "value": structure.struct_idnat()},
            "display": structure.name
        }),
    }
}
