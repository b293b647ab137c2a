//! Consents written through the API: the source of the access rules (DESIGN section 5, BR-18 to BR-24).
//!
//! Facts are derived again from every Consent of the record in the same transaction, so that the next request obeys.
use super::create::{Draft, Written, created, draft, forget_claims, written};
use super::read::not_found;
use super::{Context, references};
use crate::audit::{Action, Outcome};
use crate::fhir::consent::ConsentKind;
use crate::fhir::interaction::Target;
use crate::fhir::{IssueKind, Problem, Resource};
use crate::ids::Rid;
use crate::policy;
use crate::policy::permit::label;
use crate::store::{self, Access, NewResource, Stored};

/// `POST Consent`.
///
/// # Errors
/// A Consent of no profile of this server, or one that this caller may not write, is refused with its rule.
pub fn create_consent(context: &Context<'_>, access: &Access, body: &Resource) -> Result<Outcome, Problem> {
    let facts = context.record()?;
    let body = prepared(context, body)?;
    let labels = labels(&body)?;
    let new = draft(context, access, Draft { pid: facts.pid, rid: context.new_rid(), version: 1, body, origin: None })?;
    let new = NewResource { labels, ..new };
    store::resource_put(context.unit, access, std::slice::from_ref(&new))?;
    derive(context, access)?;
    let event = context.event_on(Action::Create, 201, new.resource_type, facts.pid, new.rid);
    Ok(created(context, access, &new, vec![event]))
}

/// `PUT Consent/[id]`: also the withdrawal, by `status` inactive.
///
/// # Errors
/// 412 where If-Match names another version; 422 where the kind or the actor would change.
pub fn update_consent(
    context: &Context<'_>,
    access: &Access,
    target: &Target,
    if_match: Option<i64>,
    body: &Resource,
) -> Result<Outcome, Problem> {
    let facts = context.record()?;
    let (_, rid) = target.place.ok_or_else(|| not_found(access))?;
    let old = store::resource_read(context.unit, access, target.resource_type, rid)?.ok_or_else(|| not_found(access))?;
    if if_match.is_some_and(|version| version != old.version) {
        return Err(Problem::new(IssueKind::VersionConflict, "If-Match names another version than the current one"));
    }
    let body = prepared(context, body)?;
    let before = old.resource()?;
    if let Err(issues) = policy::consent::check_replacement(&before, &body) {
        return Err(Problem::from_issues(issues)
            .unwrap_or_else(|| Problem::new(IssueKind::BusinessRule, "The Consent may not change so")));
    }
    policy::consent::check_performers(&before, &body)?;
    let version = old.version + 1;
    let new = draft(context, access, Draft { pid: facts.pid, rid, version, body, origin: None })?;
    store::resource_put_versions(context.unit, &context.unit.open_rules(access)?, vec![new.clone()])?;
    derive(context, access)?;
    let events = vec![context.event_on(Action::Update, 200, new.resource_type, facts.pid, rid)];
    Ok(written(context, access, &new, Written { status: 200, version, events }))
}

/// With the patient named literally, in `patient` and among the performers. What the Consent says was checked by `decide`.
fn prepared(context: &Context<'_>, body: &Resource) -> Result<Resource, Problem> {
    let facts = context.record()?;
    let mut body = body.clone();
    if let Some(named) = body.get("patient") {
        references::check_person(context, named, "Consent.patient")?;
    }
    let patient = context.server.reference(super::known_type("Patient")?, facts.pid, Rid::PATIENT);
    // The performer is found by comparison with Consent.patient, so both get the same form; else a Consent read here could
    // not be put back.
    let named = body.get("patient").cloned();
    let performers = body.get_mut("performer").and_then(serde_json::Value::as_array_mut);
    for performer in performers.into_iter().flatten().filter(|performer| Some(&**performer) == named.as_ref()) {
        *performer = serde_json::json!({"reference": patient});
    }
    references::name_patient(&mut body, "patient", &patient);
    let kind = policy::consent::read(&body).ok().map(|read| read.kind.profile());
    forget_claims(&mut body, kind);
    Ok(body)
}

/// Whom the patient blocks is for him alone (BR-23): every other Consent is read by whom the record authorises.
///
/// # Errors
/// What is wrong with a Consent that cannot be read: it is never taken for one that everybody may read.
pub(super) fn labels(body: &Resource) -> Result<i32, Problem> {
    let unreadable = |issues| {
        let refused = || Problem::new(IssueKind::BusinessRule, "The Consent is of no kind that this server knows");
        Problem::from_issues(issues).unwrap_or_else(refused)
    };
    Ok(match policy::consent::read(body).map_err(unreadable)?.kind {
        ConsentKind::Blocage => label::PATIENT_ONLY,
        ConsentKind::Ouverture
        | ConsentKind::OppositionBrisDeGlace
        | ConsentKind::OppositionRegulation
        | ConsentKind::Autorisation
        | ConsentKind::MedecinTraitant => 0,
    })
}

/// Facts and authorisation rows, from all Consents as they now are: the rules look at the whole record, also at what
/// this caller may not see, and never at a Consent translated from a document.
fn derive(context: &Context<'_>, access: &Access) -> Result<(), Problem> {
    let facts = context.record()?;
    let rules = context.unit.open_rules(access)?;
    let stored = store::record_consents(context.unit, &rules)?;
    let consents = stored.iter().map(Stored::resource).collect::<Result<Vec<_>, _>>()?;
    let derived = policy::consent::derive(facts.pid, facts.version + 1, facts.state, facts.ins.clone(), consents.iter());
    store::facts_write(context.unit, access, &derived)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fhir::consent::{ConsentFrame, Party};
    use crate::fhir::identifier::Finess;

    #[test]
    fn a_consent_that_cannot_be_read_is_no_public_one() {
        let organization = Finess::new("120459876").unwrap();
        let frame = ConsentFrame {
            patient: "Patient/1".into(),
            performer: Party::Structure(organization.clone()),
            organization,
            date_time: "2026-11-24T10:00:00Z".into(),
        };
        let mut consent = frame.ouverture();
        assert_eq!(labels(&consent), Ok(0));
        consent.shift_remove("policy");
        assert!(labels(&consent).is_err());
    }
}
