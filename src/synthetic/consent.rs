//! Consents of the synthetic records, as DESIGN section 5 shapes them (IHE PCF basic).
use super::directory::{Professional, SURGERY, Structure};
use crate::fhir::Resource;
use crate::fhir::consent::{ConsentFrame, Party};

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
    /// The Consent of the record whose Patient is `patient` (`Patient/[id]` or a `urn:uuid:`), declared by the patient
    /// and collected by the surgery at `at` (a dateTime); an authorisation runs from `from` to `until` (dates, at most a
    /// year). Empty where a number of the plan is none.
    #[must_use]
    pub fn consent(self, patient: &str, at: &str, period: (&str, &str)) -> Resource {
        self.build(patient, at, period).unwrap_or_default()
    }

    fn build(self, patient: &str, at: &str, (from, until): (&str, &str)) -> Option<Resource> {
        let frame = ConsentFrame {
            patient: patient.to_owned(),
            performer: Party::Patient,
            organization: SURGERY.number()?,
            date_time: at.to_owned(),
        };
        Some(match self {
            Self::Opening => frame.ouverture(),
            Self::OppositionBrisDeGlace => frame.opposition_bris_de_glace(),
            Self::OppositionRegulation => frame.opposition_regulation(),
            Self::Authorisation(actor) => frame.autorisation(&actor.party()?, from, until),
            Self::TreatingPhysician(professional) => frame.medecin_traitant(&professional.number()?),
            Self::Blocking(actor) => frame.blocage(&actor.party()?),
        })
    }
}

impl ConsentActor {
    fn party(self) -> Option<Party> {
        match self {
            Self::Professional(professional) => professional.number().map(Party::Professional),
            Self::Structure(structure) => structure.number().map(Party::Structure),
        }
    }
}
