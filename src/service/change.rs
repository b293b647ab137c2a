//! What stands where something is changed: the part that update, patch and delete share.
//!
//! What the caller may not see is treated exactly as what is not there. Of what he sees he is told why he may not change it.
use super::Context;
use crate::fhir::interaction::Target;
use crate::fhir::{IssueKind, Problem};
use crate::store::{self, Access, Stored};

/// What stands at the place of a target, for this caller.
pub(super) enum Standing {
    /// A version that he may change.
    Here(Stored),
    /// The deletion, of this version, of what he may bring back.
    Deleted(i64),
    /// Nothing, or nothing for him.
    Nothing,
}

/// What stands where the caller wants to change something.
///
/// # Errors
/// 405 for what a document brought (decision 15), 403 for another's resource that the caller sees, 412 where If-Match names
/// another version, or where nothing is there.
pub(super) fn standing(
    context: &Context<'_>,
    access: &Access,
    target: &Target,
    if_match: Option<i64>,
) -> Result<Standing, Problem> {
    let found = find(context, access, target)?;
    let version = match &found {
        Standing::Here(stored) => Some(stored.version),
        Standing::Deleted(version) => Some(*version),
        Standing::Nothing => None,
    };
    if if_match.is_some() && if_match != version {
        // Without authorisation the answer is the one that every resource of the record gets.
        if let (Standing::Nothing, Some(denial)) = (&found, access.permit().otherwise()) {
            return Err(denial.problem.clone());
        }
        return Err(Problem::new(IssueKind::VersionConflict, "If-Match names another version than the current one"));
    }
    Ok(found)
}

fn find(context: &Context<'_>, access: &Access, target: &Target) -> Result<Standing, Problem> {
    let (unit, resource_type) = (context.unit, target.resource_type);
    // Where nothing may be written, nothing can stand: an id that leads nowhere.
    let Some((_, rid)) = target.place.filter(|_| access.permit().may_write()) else { return Ok(Standing::Nothing) };
    let rules = unit.open_rules(access)?;
    let who = context.request.caller.who().unwrap_or_default();
    let may_change = !access.permit().only_own() || store::authored_by(unit, &rules, rid, &who)?;
    let Some(stored) = store::resource_read(unit, access, resource_type, rid)? else {
        let deleted = may_change && store::resource_withdrawn(unit, access, resource_type, rid)?;
        let old = if deleted { store::record_resource(unit, &rules, resource_type, rid)? } else { None };
        let version = old.filter(Stored::is_deletion).map(|old| old.version);
        return Ok(version.map_or(Standing::Nothing, Standing::Deleted));
    };
    if store::record_origins(unit, &rules, &[rid])?.contains_key(&rid) {
        let text = "This resource comes from a document, and changes only with it (decision 15)";
        return Err(Problem::new(IssueKind::NotSupported, text));
    }
    if !may_change {
        let text = "A caller changes only what he brought himself (decision 15)";
        return Err(Problem::new(IssueKind::Forbidden, text));
    }
    Ok(Standing::Here(stored))
}
