//! Reads the Consents that rule access, and derives the facts of a record from them (DESIGN section 5).
//!
//! Only Consents of our own profiles count; a Consent translated from a document (advance directive) is never given to
//! [`derive()`]. What narrows a Consent in a way that is not enforced (`provision.data`, nested provisions, modifier
//! extensions) is refused, so that nothing is granted or blocked other than what the Consent says.
use super::facts::{Actor, Authorisation, Facts, RecordState};
use super::period::{self, Day};
use crate::clock::Millis;
use crate::fhir::consent::{ConsentKind, FINESS_SYSTEM, ID_NAT_PS_SYSTEM, ID_NAT_ST_SYSTEM, RPPS_SYSTEM};
use crate::fhir::identifier::{Finess, Ins, Rpps};
use crate::fhir::{Issue, IssueKind, Problem, Resource};
use crate::ids::Pid;
use serde_json::Value;

/// Who declares a Consent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Performer {
    /// The patient of the Consent.
    Patient,
    /// A professional or a structure, by its national identifier.
    Named(Actor),
    /// Anybody else.
    Other,
}

/// A Consent of one of our profiles, as the rules see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessConsent {
    /// What it says.
    pub kind: ConsentKind,
    /// Whether `status` is `active`: others count for nothing.
    pub active: bool,
    /// Whom it names; always there for the kinds that name somebody, never for the others.
    pub actor: Option<Actor>,
    /// First instant in force and first instant no longer in force, for an autorisation.
    pub period: Option<(Millis, Millis)>,
    /// Who declares it.
    pub performers: Vec<Performer>,
}

/// Elements of a provision (and `verification`) that IHE PCF basic forbids: they would narrow it.
const NARROWING: [&str; 8] = ["action", "securityLabel", "class", "code", "dataPeriod", "data", "provision", "extension"];

/// Reads a Consent of one of our profiles.
///
/// # Errors
/// Every element that the profile of its kind does not allow, with its FHIRPath.
pub fn read(consent: &Resource) -> Result<AccessConsent, Vec<Issue>> {
    let mut check = Check::default();
    check.frame(consent);
    let Some(kind) = check.kind(consent) else { return Err(check.issues) };
    let active = check.status(consent);
    let provision = consent.get("provision").and_then(Value::as_object);
    let Some(provision) = provision else {
        check.missing("Consent.provision");
        return Err(check.issues);
    };
    check.provision(kind, provision);
    let actor = check.actor(kind, provision);
    let period = check.period(kind, provision);
    let performers = list(consent.get("performer")).map(|performer| performer_of(consent, performer)).collect();
    if check.issues.is_empty() { Ok(AccessConsent { kind, active, actor, period, performers }) } else { Err(check.issues) }
}

/// Facts of a record from its Consents, in the transaction that writes them.
///
/// `consents` are the current versions of those that were written through the API (no origin); what is not of our
/// profiles, or not active, counts for nothing.
pub fn derive<'a>(
    pid: Pid,
    version: i64,
    state: RecordState,
    ins: Option<Ins>,
    consents: impl Iterator<Item = &'a Resource>,
) -> Facts {
    let mut facts = Facts {
        pid,
        version,
        state,
        ins,
        authorisations: Vec::new(),
        blocked: Vec::new(),
        treating: Vec::new(),
        opposed_bris_de_glace: false,
        opposed_regulation: false,
    };
    for consent in consents.filter_map(|consent| read(consent).ok()).filter(|consent| consent.active) {
        match (consent.kind, consent.actor) {
            (ConsentKind::OppositionBrisDeGlace, _) => facts.opposed_bris_de_glace = true,
            (ConsentKind::OppositionRegulation, _) => facts.opposed_regulation = true,
            (ConsentKind::Autorisation, Some(actor)) => {
                if let Some((from, until)) = consent.period {
                    facts.authorisations.push(Authorisation { actor, from, until: Some(until) });
                }
            }
            (ConsentKind::Blocage, Some(actor)) => facts.blocked.push(actor),
            (ConsentKind::MedecinTraitant, Some(Actor::Professional(rpps))) => {
                let actor = Actor::Professional(rpps.clone());
                facts.authorisations.push(Authorisation { actor, from: Millis(i64::MIN), until: None });
                facts.treating.push(rpps);
            }
            // Opening is the state of the record, kept by the store; the others are refused by `read`.
            (ConsentKind::Ouverture, _)
            | (ConsentKind::Autorisation | ConsentKind::Blocage, None)
            | (ConsentKind::MedecinTraitant, Some(Actor::Structure(_)) | None) => {}
        }
    }
    facts
}

/// What a new version of a Consent must keep of the stored one: kind, patient and whom it names.
///
/// The service calls it inside the transaction, because only there the stored version is known.
///
/// # Errors
/// The elements that changed.
pub fn check_replacement(stored: &Resource, next: &Resource) -> Result<(), Vec<Issue>> {
    let (before, after) = (read(stored)?, read(next)?);
    let mut issues = Vec::new();
    let mut same = |unchanged: bool, path: &str| {
        if !unchanged {
            issues.push(Issue::at(
                IssueKind::BusinessRule,
                path,
                "A Consent keeps its kind, patient and actor: withdraw it and write another",
            ));
        }
    };
    same(before.kind == after.kind, "Consent.policy[0].uri");
    same(before.actor == after.actor, "Consent.provision.actor[0]");
    same(stored.get("patient") == next.get("patient"), "Consent.patient");
    if issues.is_empty() { Ok(()) } else { Err(issues) }
}

/// Who declares a new version: whoever declared the stored one, or the patient alone, who takes it over. So a patient
/// withdraws a professional's Consent as he reads it, and nobody is made to declare what he did not.
///
/// # Errors
/// 422 where somebody else would declare it.
pub fn check_performers(stored: &Resource, next: &Resource) -> Result<(), Problem> {
    let performers = |consent: &Resource| read(consent).map(|read| read.performers).unwrap_or_default();
    let (before, after) = (performers(stored), performers(next));
    if before == after || after.iter().all(|performer| *performer == Performer::Patient) {
        return Ok(());
    }
    let text = "A Consent keeps who declared it, or the patient declares it alone";
    Err(Problem::at(IssueKind::BusinessRule, "Consent.performer", text))
}

#[derive(Default)]
struct Check {
    issues: Vec<Issue>,
}

impl Check {
    fn missing(&mut self, path: &str) {
        self.issues.push(Issue::at(IssueKind::RequiredMissing, path, "This element is required here"));
    }
    fn wrong(&mut self, path: &str, why: &str) {
        self.issues.push(Issue::at(IssueKind::BusinessRule, path, why));
    }

    /// What all kinds have in common.
    fn frame(&mut self, consent: &Resource) {
        if !has_coding(consent.get("scope"), "http://terminology.hl7.org/CodeSystem/consentscope", "patient-privacy") {
            self.wrong("Consent.scope", "Only Consents of scope patient-privacy are written here");
        }
        if !list(consent.get("category")).any(|category| has_coding(Some(category), "http://loinc.org", "59284-0")) {
            self.wrong("Consent.category", "Category LOINC 59284-0 is required");
        }
        for (name, path) in [("patient", "Consent.patient"), ("dateTime", "Consent.dateTime")] {
            if !consent.contains_key(name) {
                self.missing(path);
            }
        }
        for (name, path) in [("performer", "Consent.performer"), ("organization", "Consent.organization")] {
            if list(consent.get(name)).next().is_none() {
                self.missing(path);
            }
        }
        if !consent.contains_key("sourceAttachment") && !consent.contains_key("sourceReference") {
            self.missing("Consent.source");
        }
        for (name, path) in [
            ("verification", "Consent.verification"),
            ("policyRule", "Consent.policyRule"),
            ("implicitRules", "Consent.implicitRules"),
        ] {
            if consent.contains_key(name) {
                self.wrong(path, "This element is not allowed, because it would change what the Consent means");
            }
        }
        if consent.iter().any(|(name, value)| name == "modifierExtension" || has_modifier(value)) {
            self.wrong(
                "Consent.descendants().modifierExtension",
                "Modifier extensions are not allowed, because they would change what the Consent means",
            );
        }
    }

    fn kind(&mut self, consent: &Resource) -> Option<ConsentKind> {
        let mut policies = list(consent.get("policy"));
        let kind =
            policies.next().and_then(|policy| policy.get("uri")).and_then(Value::as_str).and_then(ConsentKind::from_policy_uri);
        if kind.is_none() || policies.next().is_some() {
            self.wrong("Consent.policy", "Exactly one policy, with the uri of one kind of Consent of this server, is required");
            return None;
        }
        kind
    }

    fn status(&mut self, consent: &Resource) -> bool {
        match consent.get("status").and_then(Value::as_str) {
            Some("active") => true,
            Some("draft" | "proposed" | "rejected" | "inactive" | "entered-in-error") => false,
            Some(_) | None => {
                self.wrong("Consent.status", "A code of consent-state-codes is required");
                false
            }
        }
    }

    fn provision(&mut self, kind: ConsentKind, provision: &Resource) {
        if provision.get("type").and_then(Value::as_str) != Some(kind.provision_type()) {
            self.wrong("Consent.provision.type", "This kind of Consent has another provision type");
        }
        for name in NARROWING.into_iter().filter(|name| provision.contains_key(*name)) {
            self.wrong(&format!("Consent.provision.{name}"), "This element is not allowed, because it would narrow the Consent");
        }
        let purposes: Vec<&Value> = list(provision.get("purpose")).collect();
        let right = match (kind.purpose(), purposes.as_slice()) {
            (None, []) => true,
            (Some(code), [purpose]) => is_coding(purpose, "http://terminology.hl7.org/CodeSystem/v3-ActReason", code),
            (None, [_, ..]) | (Some(_), [] | [_, _, ..]) => false,
        };
        if !right {
            self.wrong("Consent.provision.purpose", "This kind of Consent has another purpose");
        }
    }

    fn actor(&mut self, kind: ConsentKind, provision: &Resource) -> Option<Actor> {
        let actors: Vec<&Value> = list(provision.get("actor")).collect();
        let path = "Consent.provision.actor";
        match (kind.has_actor(), actors.as_slice()) {
            (false, []) => None,
            (true, [actor]) => {
                if !has_coding(actor.get("role"), "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "IRCP") {
                    self.wrong("Consent.provision.actor[0].role", "Role IRCP is required");
                }
                let named = actor.get("reference").and_then(logical_actor);
                match (kind, &named) {
                    (_, None) => {
                        let why = "A logical reference by RPPS (professional) or idNatSt, FINESS (structure) is required";
                        self.wrong("Consent.provision.actor[0].reference", why);
                    }
                    (ConsentKind::MedecinTraitant, Some(Actor::Structure(_))) => {
                        self.wrong("Consent.provision.actor[0].reference", "A médecin traitant is a professional");
                    }
                    (
                        ConsentKind::Autorisation
                        | ConsentKind::Blocage
                        | ConsentKind::MedecinTraitant
                        | ConsentKind::Ouverture
                        | ConsentKind::OppositionBrisDeGlace
                        | ConsentKind::OppositionRegulation,
                        Some(_),
                    ) => {}
                }
                named
            }
            (false, [_, ..]) => {
                self.wrong(path, "This kind of Consent names nobody");
                None
            }
            (true, [] | [_, _, ..]) => {
                self.wrong(path, "Exactly one actor is required");
                None
            }
        }
    }

    fn period(&mut self, kind: ConsentKind, provision: &Resource) -> Option<(Millis, Millis)> {
        let path = "Consent.provision.period";
        let period = provision.get("period");
        match kind {
            ConsentKind::Autorisation => {}
            ConsentKind::Ouverture
            | ConsentKind::OppositionBrisDeGlace
            | ConsentKind::OppositionRegulation
            | ConsentKind::Blocage
            | ConsentKind::MedecinTraitant => {
                if period.is_some() {
                    self.wrong(path, "This kind of Consent has no period: it holds until it is withdrawn");
                }
                return None;
            }
        }
        let mut bound = |name: &str| {
            let day = period.and_then(|period| period.get(name)).and_then(Value::as_str).and_then(Day::parse);
            if day.is_none() {
                self.wrong(&format!("{path}.{name}"), "A date, or a dateTime with its zone, is required");
            }
            day
        };
        let (start, end) = (bound("start"), bound("end"));
        let (start, end) = (start?, end?);
        let interval = period::interval(&start, &end);
        if interval.is_none() {
            self.wrong(path, "The end must not be before the start, and at most one year after it");
        }
        interval
    }
}

/// Whether a modifier extension stands anywhere in a value (depth is bounded by the parser).
fn has_modifier(value: &Value) -> bool {
    match value {
        Value::Object(object) => object.iter().any(|(name, value)| name == "modifierExtension" || has_modifier(value)),
        Value::Array(items) => items.iter().any(has_modifier),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// Whom a reference names by a national identifier; a literal reference names nobody, for nothing proves who it is.
fn logical_actor(reference: &Value) -> Option<Actor> {
    if reference.get("reference").is_some() {
        return None;
    }
    let identifier = reference.get("identifier")?;
    let value = identifier.get("value")?.as_str()?;
    match identifier.get("system")?.as_str()? {
        RPPS_SYSTEM | ID_NAT_PS_SYSTEM => Rpps::new(value).map(Actor::Professional),
        ID_NAT_ST_SYSTEM | FINESS_SYSTEM => Finess::new(value).map(Actor::Structure),
        _other => None,
    }
}

fn performer_of(consent: &Resource, performer: &Value) -> Performer {
    let same = |name: &str| {
        let of_patient = consent.get("patient").and_then(|patient| patient.get(name));
        of_patient.is_some() && of_patient == performer.get(name)
    };
    match logical_actor(performer) {
        Some(actor) => Performer::Named(actor),
        None if same("reference") || (performer.get("reference").is_none() && same("identifier")) => Performer::Patient,
        None => Performer::Other,
    }
}

fn list(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    value.and_then(Value::as_array).into_iter().flatten()
}

fn is_coding(coding: &Value, system: &str, code: &str) -> bool {
    coding.get("system").and_then(Value::as_str) == Some(system) && coding.get("code").and_then(Value::as_str) == Some(code)
}

fn has_coding(concept: Option<&Value>, system: &str, code: &str) -> bool {
    list(concept.and_then(|concept| concept.get("coding"))).any(|coding| is_coding(coding, system, code))
}
