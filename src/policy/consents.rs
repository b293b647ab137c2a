//! Who writes which Consent: the patient, a professional naming only himself, a system naming its structure (BR-20).
use super::consent::{self, AccessConsent, Performer};
use super::facts::Actor;
use super::permit::{Denial, Rule};
use super::rules::forbidden;
use crate::auth::Caller;
use crate::fhir::consent::ConsentKind;
use crate::fhir::{Issue, IssueKind, Problem, Resource};

/// Whether a caller who is not blocked may write this Consent anew in a record that he may write in.
pub(super) fn may_write(caller: &Caller, body: &Resource) -> Result<(), Denial> {
    may_change(caller, body)?;
    match caller {
        Caller::Patient(_) => {
            let consent = consent::read(body).map_err(|issues| invalid(&issues))?;
            declared_by(&consent, None)
        }
        Caller::Professional(_) | Caller::System(_) | Caller::Operator | Caller::Server => Ok(()),
    }
}

/// The same for a new version: the patient changes any Consent of his record, and it keeps who declared it
/// ([`consent::check_performers`], with the stored version at hand).
pub(super) fn may_change(caller: &Caller, body: &Resource) -> Result<(), Denial> {
    let consent = consent::read(body).map_err(|issues| invalid(&issues))?;
    if consent.kind == ConsentKind::Ouverture {
        let text = "An ouverture is written with the Patient whose record it opens, and ends with its closure (BR-02, BR-03)";
        return Err(Denial { rule: Rule::Consent, problem: Problem::at(IssueKind::BusinessRule, "Consent.policy[0].uri", text) });
    }
    match caller {
        Caller::Patient(_) => Ok(()),
        Caller::Professional(professional) => {
            let me = Actor::Professional(professional.rpps.clone());
            names_only(&consent, &me, "A professional writes an autorisation that names himself, no other Consent (BR-20)")?;
            declared_by(&consent, Some(&me))
        }
        Caller::System(system) => {
            let me = Actor::Structure(system.structure.clone());
            names_only(&consent, &me, "A system writes an autorisation that names its structure, no other Consent")?;
            declared_by(&consent, Some(&me))
        }
        Caller::Operator | Caller::Server => Ok(()),
    }
}

fn names_only(consent: &AccessConsent, me: &Actor, text: &str) -> Result<(), Denial> {
    match consent.kind {
        ConsentKind::Autorisation if consent.actor.as_ref() == Some(me) => Ok(()),
        ConsentKind::Autorisation
        | ConsentKind::Ouverture
        | ConsentKind::OppositionBrisDeGlace
        | ConsentKind::OppositionRegulation
        | ConsentKind::Blocage
        | ConsentKind::MedecinTraitant => Err(forbidden(Rule::CallerKind, text)),
    }
}

/// Nobody declares in the name of a third: each performer is the patient or the caller.
fn declared_by(consent: &AccessConsent, me: Option<&Actor>) -> Result<(), Denial> {
    let allowed = consent.performers.iter().all(|performer| match performer {
        Performer::Patient => true,
        Performer::Named(actor) => Some(actor) == me,
        Performer::Other => false,
    });
    if allowed { Ok(()) } else { Err(forbidden(Rule::CallerKind, "Consent.performer is the patient or the caller himself")) }
}

/// A Consent that its profile does not allow: 422 with every fault.
pub(super) fn invalid(issues: &[Issue]) -> Denial {
    let problem = Problem::from_issues(issues.to_vec())
        .unwrap_or_else(|| Problem::new(IssueKind::BusinessRule, "This is not a Consent of this server's profiles"));
    Denial { rule: Rule::Consent, problem }
}
