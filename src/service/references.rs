//! References of a body that comes in: resolved to resources that are here, or refused.
//!
//! `Patient?identifier=` and logical references to the record's person become `Patient/[id]`; a reference to a resource
//! that is not here is 422, unless it comes in the same Bundle. Foreign absolute URLs are kept and never fetched
//! (decision 9, decision 14).
use super::Context;
use crate::fhir::identifier::Ins;
use crate::fhir::{IssueKind, Problem, Resource, ResourceType, reference};
use crate::ids::{Pid, Rid};
use crate::store::{self, Access};
use serde_json::Value;
use std::collections::HashSet;

/// Checks that every literal reference leads to a resource of this record or of the directory, all with one look-up.
/// What the same transaction brings is here already.
///
/// # Errors
/// [`IssueKind::ReferenceUnresolved`] with the location of the first that does not. What the caller may not see is not
/// here either.
pub(super) fn check(context: &Context<'_>, access: &Access, pid: Pid, resource: &Resource) -> Result<(), Problem> {
    let server = context.server;
    let mut found: Vec<(String, String)> = Vec::new();
    reference::references(resource, &mut |path, object| {
        if let Some(Value::String(text)) = object.get("reference") {
            found.push((format!("{path}.reference"), text.clone()));
        }
    });
    let is_foreign = |reference: &str| {
        (reference.starts_with("http://") || reference.starts_with("https://")) && server.below_base(reference).is_none()
    };
    found.retain(|(_, reference)| !reference.starts_with('#') && !is_foreign(reference));
    let targets: Vec<Option<(ResourceType, Pid, Rid)>> = found.iter().map(|(_, reference)| context.resolve(reference)).collect();
    // The Patient is named by every caller who may write in the record, also by one who reads nothing there.
    let is_patient =
        |target: (ResourceType, Pid, Rid)| (target.1, target.2) == (pid, Rid::PATIENT) && target.0.name() == "Patient";
    let is_given = |target: (ResourceType, Pid, Rid)| {
        is_patient(target) || (matches!(target.1, one if one == pid || one == Pid::DIRECTORY) && context.is_coming(target))
    };
    let sought = targets.iter().flatten().filter(|target| !is_given(**target));
    let places: Vec<(Pid, Rid)> =
        sought.filter(|target| target.1 == pid || target.1 == Pid::DIRECTORY).map(|target| (target.1, target.2)).collect();
    let here = store::resource_places(context.unit, access, &places)?;
    let here: HashSet<(ResourceType, Pid, Rid)> =
        here.into_iter().map(|stored| (stored.resource_type, stored.pid, stored.rid)).collect();
    for ((path, _), target) in found.iter().zip(&targets) {
        if !target.is_some_and(|target| is_given(target) || here.contains(&target)) {
            let text = "The reference names no resource that is here for this caller";
            return Err(Problem::at(IssueKind::ReferenceUnresolved, path.as_str(), text));
        }
    }
    Ok(())
}

/// The INS of `identifier=[system]|[value]`, as the draft's literal `Patient?identifier=` has it.
pub(super) fn ins_of_query(query: &str) -> Option<Ins> {
    let token = query.strip_prefix("identifier=")?;
    let token = token.replace("%7C", "|").replace("%7c", "|").replace("%3A", ":").replace("%3a", ":");
    let (system, value) = token.split_once('|')?;
    Ins::new(system, value)
}

/// Whether a reference that names the person of the record by literal and by INS names that person with each of them:
/// a resource of two persons is of none (DESIGN section 3).
///
/// # Errors
/// 422 at the element.
pub(super) fn check_person(context: &Context<'_>, reference: &Value, path: &str) -> Result<(), Problem> {
    let facts = context.record()?;
    let literal = reference.get("reference").and_then(Value::as_str);
    let by_literal = literal.is_none_or(|text| match text.strip_prefix("Patient?") {
        // The literal conditional form of the draft names the person by INS.
        Some(query) => {
            let ins = ins_of_query(query);
            ins.is_some() && ins == facts.ins
        }
        None => context.place(text) == Some((facts.pid, Rid::PATIENT)),
    });
    if by_literal && ins_of(reference).is_none_or(|ins| facts.ins.as_ref() == Some(&ins)) {
        return Ok(());
    }
    let text = "The reference names another person than the patient of the record";
    Err(Problem::at(IssueKind::BusinessRule, path, text))
}

/// The INS of a logical reference.
pub(super) fn ins_of(reference: &Value) -> Option<Ins> {
    let text = |name: &str| reference.get("identifier")?.get(name)?.as_str();
    Ins::new(text("system")?, text("value")?)
}

/// Makes the element that names the person the one literal form `Patient/[id]`; a contained or logical one is replaced.
pub(super) fn name_patient(resource: &mut Resource, element: &str, patient: &str) {
    if let Some(Value::Object(reference)) = resource.get_mut(element) {
        reference.insert("reference".into(), patient.into());
        reference.shift_remove("identifier");
    } else {
        resource.insert(element.into(), serde_json::json!({"reference": patient}));
    }
}

/// The same where the element repeats and may name others beside the person (a practitioner, a place): each reference to a
/// Patient at these steps is of the person of the record. Whether there is one.
///
/// # Errors
/// 422 at the element that names another person.
pub(super) fn name_persons(
    context: &Context<'_>,
    value: &mut Value,
    steps: &[&str],
    path: &str,
    patient: &str,
) -> Result<bool, Problem> {
    match (value, steps) {
        (Value::Array(items), _) => {
            let mut any = false;
            for item in items {
                any |= name_persons(context, item, steps, path, patient)?;
            }
            Ok(any)
        }
        (Value::Object(members), [first, rest @ ..]) => {
            members.get_mut(*first).map_or(Ok(false), |value| name_persons(context, value, rest, path, patient))
        }
        (named @ Value::Object(_), []) => {
            let literal = named.get("reference").and_then(Value::as_str);
            let is_patient = |literal: &str| reference::named_type(literal).is_some_and(|named| named.name() == "Patient");
            let is_literal = literal.is_some_and(|literal| literal.starts_with("Patient?") || is_patient(literal));
            if !is_literal && ins_of(named).is_none() {
                return Ok(false);
            }
            check_person(context, named, path)?;
            if let Value::Object(members) = named {
                members.insert("reference".into(), patient.into());
                members.shift_remove("identifier");
            }
            Ok(true)
        }
        (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_), _) => Ok(false),
    }
}
