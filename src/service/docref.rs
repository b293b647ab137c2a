//! Documents of a patient. <https://hl7.org/fhir/uv/ipa/OperationDefinition-docref.html>
//!
//! # Decisions
//! - It only reads: the current documents (`status=current`) as a search of DocumentReference finds them, with its pages.
//! - `start` and `end` are of care (`context.period`), `type` of the document. `profile` names profiles that the
//!   DocumentReference claims. The server makes no document on demand, so `on-demand=true` finds none.
use super::{Context, search};
use crate::audit::Outcome;
use crate::fhir::interaction::Parameters;
use crate::fhir::{IssueKind, Problem, datetime};
use crate::store::Access;
use std::collections::HashSet;

/// `GET DocumentReference/$docref`, or POST with Parameters.
///
/// # Errors
/// 400 without `patient`, for a parameter that the operation does not have, or one twice that stands once.
pub(super) fn docref(context: &Context<'_>, access: &Access, parameters: &Parameters) -> Result<Outcome, Problem> {
    let resource_type = super::known_type("DocumentReference")?;
    let mut criteria = vec![("status".to_owned(), "current".to_owned())];
    let mut seen = HashSet::new();
    for (name, value) in &parameters.0 {
        let wrong = || Problem::new(IssueKind::ParameterInvalid, format!("The value of `{name}` is not allowed"));
        let date = || datetime::parse(value, &context.server.time_zone).ok_or_else(wrong);
        let once = seen.insert(name.as_str());
        let (search_name, search_value) = match name.as_str() {
            "patient" | "type" => (name.as_str(), value.clone()),
            "start" => ("period", date().map(|_| format!("ge{value}"))?),
            "end" => ("period", date().map(|_| format!("le{value}"))?),
            "on-demand" if value == "false" => continue,
            // No document of this server has this status and is current.
            "on-demand" if value == "true" => ("status", "superseded".to_owned()),
            "on-demand" => return Err(wrong()),
            "profile" => ("_profile", value.clone()),
            "_count" | "_format" | "_pretty" | search::CURSOR => (name.as_str(), value.clone()),
            _ if context.request.lenient => continue,
            _ => {
                let text = "$docref has patient, start, end, type, on-demand and profile, and no other parameter";
                return Err(Problem::new(IssueKind::ParameterUnknown, text));
            }
        };
        if !once && name != "profile" {
            return Err(Problem::new(IssueKind::ParameterInvalid, format!("`{name}` stands more than once")));
        }
        criteria.push((search_name.to_owned(), search_value));
    }
    if !seen.contains("patient") {
        return Err(Problem::new(IssueKind::ParameterInvalid, "$docref needs patient"));
    }
    search::search(context, access, resource_type, &Parameters(criteria))
}
