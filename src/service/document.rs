//! `GET Composition/[id]/$document`: the document as data, a Bundle that begins with its Composition.
//! <https://hl7.org/fhir/R4/composition-operation-document.html>
use super::Context;
use super::read::not_found;
use crate::audit::{Action, Body, Outcome};
use crate::fhir::interaction::{Parameters, Target};
use crate::fhir::{IssueKind, Problem, bundle, reference};
use crate::ids::{self, Pid, Rid};
use crate::store::{self, Access, Stored};
use serde_json::Value;
use std::collections::{BTreeSet, HashSet};

/// The Composition and all that it refers to, also over several steps; what this caller may not see is left out, as it
/// is from a search. The Bundle is made anew each time and not kept.
///
/// # Errors
/// Not here, or not for this caller: the same 404. `persist=true` is refused; `TooCostly` for more resources than a page
/// may include.
pub(super) fn document(
    context: &Context<'_>,
    access: &Access,
    target: &Target,
    parameters: &Parameters,
) -> Result<Outcome, Problem> {
    check(parameters)?;
    let Some((pid, rid)) = target.place else { return Err(not_found(access)) };
    let composition = store::resource_read(context.unit, access, target.resource_type, rid)?.ok_or_else(|| not_found(access))?;
    let resources = with_referenced(context, access, composition)?;
    let entries = resources.iter().map(|stored| Ok((context.full_url(stored)?, stored.body.as_slice())));
    let entries = entries.collect::<Result<Vec<_>, Problem>>()?;
    let random =
        ids::random::<16>().map_err(|_no_random| Problem::new(IssueKind::Internal, "No random number for the Bundle"))?;
    let identifier = uuid::Builder::from_random_bytes(random).into_uuid().urn().to_string();
    let bytes = bundle::document(&identifier, &context.unit.now().instant(), &entries);
    let event = context.event_on(Action::Read, 200, target.resource_type, pid, rid);
    Ok(Outcome::new(200, Body::Fhir(bytes), vec![event]))
}

fn check(parameters: &Parameters) -> Result<(), Problem> {
    for (name, value) in &parameters.0 {
        match (name.as_str(), value.as_str()) {
            ("persist", "false") => {}
            ("persist", _) => return Err(Problem::new(IssueKind::NotSupported, "A document Bundle is made anew and not kept")),
            _ => return Err(Problem::new(IssueKind::ParameterUnknown, "`$document` takes only `persist`")),
        }
    }
    Ok(())
}

/// Breadth first, in the order of places, so that the same document gives the same order.
fn with_referenced(context: &Context<'_>, access: &Access, composition: Stored) -> Result<Vec<Stored>, Problem> {
    let mut seen: HashSet<(Pid, Rid)> = HashSet::from([(composition.pid, composition.rid)]);
    let mut all = vec![composition];
    let mut from = 0;
    while from < all.len() {
        let mut places = BTreeSet::new();
        for stored in all.iter().skip(from) {
            reference::references(&stored.resource()?, &mut |_path, object| {
                let literal = object.get("reference").and_then(Value::as_str);
                places.extend(literal.and_then(|literal| context.place(literal)));
            });
        }
        from = all.len();
        let new: Vec<(Pid, Rid)> = places.into_iter().filter(|place| seen.insert(*place)).collect();
        all.extend(store::resource_places(context.unit, access, &new)?);
        if all.len() > context.server.includes_max {
            return Err(Problem::new(IssueKind::TooCostly, "The document refers to more resources than an answer may hold"));
        }
    }
    Ok(all)
}
