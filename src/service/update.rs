//! Update, update-as-create, bringing back to life. <https://hl7.org/fhir/R4/http.html#update>
use super::change::{Standing, standing};
use super::create::{Draft, Written, check_labels, draft_named, forget_claims, name_record, written};
use super::read::not_found;
use super::{Context, open_record, references};
use crate::audit::{Action, Outcome};
use crate::fhir::interaction::Target;
use crate::fhir::path::Path;
use crate::fhir::{IssueKind, Problem, Resource, td02};
use crate::ids::Pid;
use crate::store::{self, Access};

/// `PUT [type]/[id]`.
///
/// # Errors
/// 404 where there is nothing that the caller may see; 409 for an id that is taken; 412 where If-Match names another version;
/// 422 where the resource would move to another record.
pub(super) fn update(
    context: &Context<'_>,
    access: &Access,
    target: &Target,
    if_match: Option<i64>,
    body: &Resource,
) -> Result<Outcome, Problem> {
    // A resource keeps the id that it shows, under whichever of its two a client named it.
    let mut shown = target.alias.clone();
    let (rid, version, status) = match standing(context, access, target, if_match)? {
        Standing::Here(old) => {
            shown = Some(old.id()?.into_owned());
            (old.rid, old.version.saturating_add(1), 200)
        }
        Standing::Deleted(version) => {
            let (_, rid) = target.place.ok_or_else(|| not_found(access))?;
            (rid, version.saturating_add(1), 201)
        }
        // What `decide` let through without a place is created under the id that a system chose.
        Standing::Nothing if target.place.is_none() => (context.new_rid(), 1, 201),
        Standing::Nothing => return Err(not_found(access)),
    };
    let pid = context.facts.map_or(Pid::DIRECTORY, |facts| facts.pid);
    let body = prepared(context, access, target, pid, body)?;
    let id = shown.unwrap_or_else(|| context.server.id(pid, rid));
    let new = draft_named(context, access, Draft { pid, rid, version, body, origin: None }, &id)?;
    let action = if target.place.is_none() {
        store::alias_put(context.unit, access, target.resource_type, &id, rid)?;
        store::resource_put(context.unit, access, std::slice::from_ref(&new))?;
        Action::Create
    } else {
        store::resource_put_versions(context.unit, &context.unit.open_rules(access)?, vec![new.clone()])?;
        Action::Update
    };
    let events = vec![context.event_on(action, status, target.resource_type, pid, rid)];
    let outcome = written(context, access, &new, Written { status, version, events });
    Ok(Outcome { location: Some(format!("{}/{id}/_history/{version}", target.resource_type)), ..outcome })
}

/// The body as it is stored: without what a client may not state, of the same person, its references resolved.
fn prepared(context: &Context<'_>, access: &Access, target: &Target, pid: Pid, body: &Resource) -> Result<Resource, Problem> {
    let mut body = body.clone();
    check_labels(target.resource_type, &body)?;
    if target.resource_type.name() == "Patient" {
        same_person(context, &body)?;
        body.insert("active".into(), true.into());
        forget_claims(&mut body, context.record()?.ins.as_ref().map(|_| open_record::PATIENT_INS.to_owned()));
    } else {
        forget_claims(&mut body, None);
        stays_in_directory(context, target, &body)?;
        name_record(context, target.resource_type, &mut body)?;
    }
    references::check(context, access, pid, &body)?;
    Ok(body)
}

/// A Patient keeps the INS of its record: another is another person.
fn same_person(context: &Context<'_>, body: &Resource) -> Result<(), Problem> {
    if td02::ins_of(body) == context.record()?.ins {
        return Ok(());
    }
    let text = "The INS of a record does not change: another INS is another record";
    Err(Problem::at(IssueKind::BusinessRule, "Patient.identifier", text))
}

/// What is in the directory names no patient: it would move to his record.
fn stays_in_directory(context: &Context<'_>, target: &Target, body: &Resource) -> Result<(), Problem> {
    if context.facts.is_some() {
        return Ok(());
    }
    for path in target.resource_type.record_paths() {
        if Path::compile(path).is_ok_and(|compiled| !compiled.evaluate(body).is_empty()) {
            let text = "A resource does not move from the directory to a record";
            return Err(Problem::at(IssueKind::BusinessRule, *path, text));
        }
    }
    Ok(())
}
