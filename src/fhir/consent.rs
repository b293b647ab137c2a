//! The Consents that open a record and rule who reads it: one kind, one policy URI and one profile of our own each.
//!
//! Shape: IHE PCF basic (<https://profiles.ihe.net/ITI/PCF/>), restricted in `fhir-profiles/`. The builders are what demo,
//! tests and the server itself write; `policy::consent` reads what callers send.
use super::identifier::{Finess, Rpps};
use super::{CANONICAL, Resource};
use serde_json::{Value, json};

/// What a Consent says (BR-02, BR-19, BR-23, BR-24).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ConsentKind {
    /// The person agrees to the opening of the record (CONSENTEMENT_OUVERTURE_DMP).
    Ouverture,
    /// Opposes access by « bris de glace » (OPPOSITION_BRIS_DE_GLACE).
    OppositionBrisDeGlace,
    /// Opposes access by medical regulation (OPPOSITION_ACCES_URGENCE).
    OppositionRegulation,
    /// Authorises one professional or structure to consult, for at most one year (TD0.3).
    Autorisation,
    /// Blocks one professional or structure (INTERDIT).
    Blocage,
    /// Names a médecin traitant of the DMP.
    MedecinTraitant,
}

impl ConsentKind {
    /// Every kind.
    pub const ALL: [Self; 6] = [
        Self::Ouverture,
        Self::OppositionBrisDeGlace,
        Self::OppositionRegulation,
        Self::Autorisation,
        Self::Blocage,
        Self::MedecinTraitant,
    ];
    /// Last part of its policy URI and of its profile.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Ouverture => "ouverture",
            Self::OppositionBrisDeGlace => "opposition-bris-de-glace",
            Self::OppositionRegulation => "opposition-regulation",
            Self::Autorisation => "autorisation",
            Self::Blocage => "blocage",
            Self::MedecinTraitant => "medecin-traitant",
        }
    }
    /// `Consent.policy.uri`, which alone tells the kind.
    #[must_use]
    pub fn policy_uri(self) -> String {
        format!("{CANONICAL}/policy/{}", self.code())
    }
    /// The profile that a Consent of this kind claims.
    #[must_use]
    pub fn profile(self) -> String {
        format!("{CANONICAL}/StructureDefinition/dmp-consent-{}", self.code())
    }
    /// The kind of a policy URI.
    #[must_use]
    pub fn from_policy_uri(uri: &str) -> Option<Self> {
        let code = uri.strip_prefix(CANONICAL)?.strip_prefix("/policy/")?;
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }
    /// `permit` or `deny`.
    #[must_use]
    pub const fn provision_type(self) -> &'static str {
        match self {
            Self::Ouverture | Self::Autorisation | Self::MedecinTraitant => "permit",
            Self::OppositionBrisDeGlace | Self::OppositionRegulation | Self::Blocage => "deny",
        }
    }
    /// `Consent.provision.purpose`, a code of v3-ActReason; none where the kind is not about a purpose.
    #[must_use]
    pub const fn purpose(self) -> Option<&'static str> {
        match self {
            Self::OppositionBrisDeGlace => Some("BTG"),
            Self::OppositionRegulation => Some("ETREAT"),
            Self::Autorisation | Self::MedecinTraitant => Some("TREAT"),
            Self::Ouverture | Self::Blocage => None,
        }
    }
    /// Whether it names whom it is about.
    #[must_use]
    pub const fn has_actor(self) -> bool {
        match self {
            Self::Autorisation | Self::Blocage | Self::MedecinTraitant => true,
            Self::Ouverture | Self::OppositionBrisDeGlace | Self::OppositionRegulation => false,
        }
    }
}

/// A person or structure that a Consent names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Party {
    /// The patient of the record, by the same reference as `Consent.patient`.
    Patient,
    /// A professional, by a logical reference.
    Professional(Rpps),
    /// A structure, by a logical reference.
    Structure(Finess),
}

/// System of the 11-digit RPPS (FR Core).
pub const RPPS_SYSTEM: &str = "https://rpps.esante.gouv.fr";
/// System of idNatPs, `8` and the RPPS (FR Core).
pub const ID_NAT_PS_SYSTEM: &str = "urn:oid:1.2.250.1.71.4.2.1";
/// System of idNatSt, `1` and the FINESS (FR Core).
pub const ID_NAT_ST_SYSTEM: &str = "urn:oid:1.2.250.1.71.4.2.2";
/// System of the 9-character FINESS (FR Core).
pub const FINESS_SYSTEM: &str = "https://finess.esante.gouv.fr";
const ACT_REASON: &str = "http://terminology.hl7.org/CodeSystem/v3-ActReason";
const PARTICIPATION: &str = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";

/// A logical reference to a professional by RPPS.
#[must_use]
pub fn professional_reference(rpps: &Rpps) -> Value {
    json!({"type": "Practitioner", "identifier": {"system": RPPS_SYSTEM, "value": rpps.as_str()}})
}

/// A logical reference to a structure by idNatSt.
#[must_use]
pub fn structure_reference(finess: &Finess) -> Value {
    json!({"type": "Organization", "identifier": {"system": ID_NAT_ST_SYSTEM, "value": finess.struct_idnat()}})
}

/// What every Consent of a record has, whatever its kind.
#[derive(Debug, Clone)]
pub struct ConsentFrame {
    /// `Consent.patient`: `Patient/[id]`, or the `urn:uuid:` of the Patient in the same transaction.
    pub patient: String,
    /// Who declares it.
    pub performer: Party,
    /// Structure that keeps the declaration.
    pub organization: Finess,
    /// When it was given: a FHIR dateTime.
    pub date_time: String,
}

impl ConsentFrame {
    fn party(&self, party: &Party) -> Value {
        match party {
            Party::Patient => json!({"reference": self.patient}),
            Party::Professional(rpps) => professional_reference(rpps),
            Party::Structure(finess) => structure_reference(finess),
        }
    }

    fn build(&self, kind: ConsentKind, actor: Option<&Party>, period: Option<(&str, &str)>) -> Resource {
        let mut provision = Resource::new();
        provision.insert("type".into(), json!(kind.provision_type()));
        if let Some((start, end)) = period {
            provision.insert("period".into(), json!({"start": start, "end": end}));
        }
        if let Some(actor) = actor {
            let role = json!({"coding": [{"system": PARTICIPATION, "code": "IRCP"}]});
            provision.insert("actor".into(), json!([{"role": role, "reference": self.party(actor)}]));
        }
        if let Some(purpose) = kind.purpose() {
            provision.insert("purpose".into(), json!([{"system": ACT_REASON, "code": purpose}]));
        }
        let scope =
            json!({"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}]});
        let mut consent = Resource::new();
        for (name, value) in [
            ("resourceType", json!("Consent")),
            ("meta", json!({"profile": [kind.profile()]})),
            ("status", json!("active")),
            ("scope", scope),
            ("category", json!([{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}])),
            ("patient", json!({"reference": self.patient})),
            ("dateTime", json!(self.date_time)),
            ("performer", json!([self.party(&self.performer)])),
            ("organization", json!([structure_reference(&self.organization)])),
            // PCF asks for a source; the declaration is collected on screen, so the source is named, not attached.
            ("sourceAttachment", json!({"language": "fr-FR", "title": "Déclaration recueillie par voie électronique"})),
            ("policy", json!([{"uri": kind.policy_uri()}])),
            ("provision", Value::Object(provision)),
        ] {
            consent.insert(name.into(), value);
        }
        consent
    }

    /// The person agrees to the opening of the record (BR-02).
    #[must_use]
    pub fn ouverture(&self) -> Resource {
        self.build(ConsentKind::Ouverture, None, None)
    }
    /// Opposes « bris de glace » (BR-25).
    #[must_use]
    pub fn opposition_bris_de_glace(&self) -> Resource {
        self.build(ConsentKind::OppositionBrisDeGlace, None, None)
    }
    /// Opposes access by medical regulation (BR-26).
    #[must_use]
    pub fn opposition_regulation(&self) -> Resource {
        self.build(ConsentKind::OppositionRegulation, None, None)
    }
    /// Authorises `actor` from the day `start` to the day `end` included, at most one year (BR-19).
    #[must_use]
    pub fn autorisation(&self, actor: &Party, start: &str, end: &str) -> Resource {
        self.build(ConsentKind::Autorisation, Some(actor), Some((start, end)))
    }
    /// Blocks `actor` (BR-23).
    #[must_use]
    pub fn blocage(&self, actor: &Party) -> Resource {
        self.build(ConsentKind::Blocage, Some(actor), None)
    }
    /// Names a médecin traitant, who may then consult without end (BR-24).
    #[must_use]
    pub fn medecin_traitant(&self, rpps: &Rpps) -> Resource {
        self.build(ConsentKind::MedecinTraitant, Some(&Party::Professional(rpps.clone())), None)
    }
}

/// The same Consent withdrawn: `status` becomes `inactive`, and from then on it counts for nothing.
#[must_use]
pub fn withdrawn(consent: &Resource) -> Resource {
    let mut withdrawn = consent.clone();
    withdrawn.insert("status".into(), json!("inactive"));
    withdrawn
}
