//! Delete: the resource stays as a version without body. <https://hl7.org/fhir/R4/http.html#delete>
//!
//! The answer is 204 for what was deleted now, before, or never was, and for what the caller may not see: it tells nothing.
use super::Context;
use super::change::{Standing, standing};
use super::read::not_found;
use crate::audit::{Action, Body, Outcome};
use crate::fhir::interaction::Target;
use crate::fhir::{IssueKind, Problem};
use crate::ids::Rid;
use crate::store::{self, Access, Unit};

/// `DELETE [type]/[id]`.
///
/// # Errors
/// 403 for another's resource that the caller sees; 409 where a resource that he sees refers to it.
pub(super) fn delete(context: &Context<'_>, access: &Access, target: &Target, if_match: Option<i64>) -> Result<Outcome, Problem> {
    let resource_type = target.resource_type;
    let version = match standing(context, access, target, if_match)? {
        Standing::Here(stored) => {
            // In a transaction the other entries may still take the references away.
            if context.within.is_none() {
                check_unreferred(context.unit, access, stored.rid)?;
            }
            store::resource_delete(context.unit, access, resource_type, stored.rid)?
        }
        Standing::Deleted(version) => Some(version),
        Standing::Nothing if access.permit().otherwise().is_some() => return Err(not_found(access)),
        Standing::Nothing => None,
    };
    let event = match target.place {
        Some((pid, rid)) => context.event_on(Action::Delete, 204, resource_type, pid, rid),
        None => context.event(None, Action::Delete, 204),
    };
    Ok(Outcome { version, ..Outcome::new(204, Body::Empty, vec![event]) })
}

/// Whether nothing refers to a resource that goes. Only what this caller sees is counted, so that a refusal tells him nothing
/// that he could not have searched. A hidden resource keeps its reference to what is gone, as every older version does: its
/// readers are told 410.
///
/// # Errors
/// 409 where a resource that he sees refers to it.
pub(super) fn check_unreferred(unit: &Unit, access: &Access, rid: Rid) -> Result<(), Problem> {
    if store::resource_referred(unit, access, rid)? {
        return Err(Problem::new(IssueKind::Conflict, "Other resources refer to this one: change them first"));
    }
    Ok(())
}
