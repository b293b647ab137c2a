//! Patch of a resource: its result is an update. <https://hl7.org/fhir/R4/http.html#patch>
use super::change::{Standing, standing};
use super::read::not_found;
use super::{Context, consent, update};
use crate::audit::Outcome;
use crate::fhir::interaction::Target;
use crate::fhir::patch::Patch;
use crate::fhir::{Interaction, IssueKind, Problem, check};
use crate::policy;
use crate::store::Access;
use serde_json::Value;

/// `PATCH [type]/[id]`: what comes out is checked, decided and written as the body of a PUT would be.
///
/// # Errors
/// 404 where there is nothing that the caller may see; 412 where If-Match names another version; 422 where the result is no
/// resource of R4, or has another id or type.
pub(super) fn patch_resource(
    context: &Context<'_>,
    access: &Access,
    target: &Target,
    if_match: Option<i64>,
    patch: &Patch,
) -> Result<Outcome, Problem> {
    let Standing::Here(old) = standing(context, access, target, if_match)? else { return Err(not_found(access)) };
    let before = old.resource()?;
    let body = patch.apply(target.resource_type, &before)?;
    for name in ["resourceType", "id"] {
        if body.get(name).and_then(Value::as_str) != before.get(name).and_then(Value::as_str) {
            let path = format!("{}.{name}", target.resource_type);
            return Err(Problem::at(IssueKind::BusinessRule, path, "A patch does not change type or id"));
        }
    }
    if let Some(problem) = Problem::from_issues(check::check(&body)) {
        return Err(problem);
    }
    let (target, if_match) = (target.clone(), Some(old.version));
    let next = match target.resource_type.name() {
        "Consent" => Interaction::UpdateConsent { target, if_match, body },
        _ => Interaction::Update { target, record: None, if_match, body },
    };
    let permit = policy::decide(&context.request.caller, &next, context.facts, context.unit.now());
    let access = context.unit.open(permit.map_err(|denial| denial.problem)?)?;
    match &next {
        Interaction::UpdateConsent { target, if_match, body } => {
            consent::update_consent(context, &access, target, *if_match, body)
        }
        Interaction::Update { target, if_match, body, .. } => update::update(context, &access, target, *if_match, body),
        _ => Err(Problem::new(IssueKind::Internal, "A patch that is no update")),
    }
}
