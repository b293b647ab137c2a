//! `GET DocumentReference/[id]/$translation`: what became of every coded node of the original (DESIGN section 4).
use super::Context;
use super::read::not_found;
use super::submit_document::{origin, original_of};
use crate::audit::{Action, Body, Outcome};
use crate::cda;
use crate::fhir::interaction::Target;
use crate::fhir::{IssueKind, Problem};
use crate::store::{self, Access};
use crate::translate;
use serde_json::Value;
use std::collections::HashMap;

/// The account, computed again from the original, with the resources that are here as targets.
///
/// # Errors
/// Not here, or not for this caller: the same 404.
pub fn translation(context: &Context<'_>, access: &Access, target: &Target) -> Result<Outcome, Problem> {
    let Some((pid, rid)) = target.place else { return Err(not_found(access)) };
    let stored = store::resource_read(context.unit, access, target.resource_type, rid)?.ok_or_else(|| not_found(access))?;
    let original = original_of(context, &stored)?.ok_or_else(|| not_found(access))?;
    let (bytes, _) = store::document_get(context.unit, access, original)?.ok_or_else(|| not_found(access))?;
    let unreadable = |_error| Problem::new(IssueKind::Internal, "A stored document cannot be read");
    let document = cda::parse(&bytes).map_err(unreadable)?;
    let translation = translate::translate(&document);
    let origins: Vec<i64> = translation.entries.iter().map(|entry| origin(rid, entry)).collect();
    let rids: HashMap<i64, crate::ids::Rid> = store::resource_by_origin(context.unit, access, &origins)?.into_iter().collect();
    let mut names = HashMap::with_capacity(rids.len() + 2);
    for (entry, origin) in translation.entries.iter().zip(&origins) {
        if let Some(rid) = rids.get(origin) {
            let name = entry.resource.get("resourceType").and_then(Value::as_str).unwrap_or_default();
            names.insert(entry.full_url.clone(), context.server.reference(super::known_type(name)?, pid, *rid));
        }
    }
    names.insert(
        translate::SUBJECT.to_owned(),
        context.server.reference(super::known_type("Patient")?, pid, crate::ids::Rid::PATIENT),
    );
    names.insert(translate::DOCUMENT.to_owned(), context.server.reference(target.resource_type, pid, rid));
    let parameters = translate::account_parameters(&translation, |urn| names.get(urn).cloned());
    Ok(Outcome::new(
        200,
        Body::Fhir(Value::Object(parameters).to_string().into_bytes()),
        vec![context.event_on(Action::Read, 200, target.resource_type, pid, rid)],
    ))
}
