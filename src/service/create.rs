//! Create of a resource that a client may write (decision 15), and the drafting that every write shares.
//! <https://hl7.org/fhir/R4/http.html#create>
use super::{Context, references};
use crate::audit::{Action, Body, Event, Outcome};
use crate::fhir::{CANONICAL, IssueKind, Problem, Resource, ResourceType, json};
use crate::ids::{Pid, Rid};
use crate::search::{self, ExtractContext};
use crate::store::{self, Access, NewResource};
use serde_json::Value;

/// A resource before its bytes: where it goes, which version, what it says.
pub(crate) struct Draft {
    pub(crate) pid: Pid,
    pub(crate) rid: Rid,
    pub(crate) version: i64,
    pub(crate) body: Resource,
    pub(crate) origin: Option<i64>,
}

/// Puts id and meta in, extracts the index rows, names the author.
pub(crate) fn draft(context: &Context<'_>, access: &Access, draft: Draft) -> Result<NewResource, Problem> {
    let id = context.server.id(draft.pid, draft.rid);
    draft_named(context, access, draft, &id)
}

/// The same under an id that a client chose.
pub(crate) fn draft_named(context: &Context<'_>, access: &Access, draft: Draft, id: &str) -> Result<NewResource, Problem> {
    let Draft { pid, rid, version, mut body, origin } = draft;
    let name = body.get("resourceType").and_then(Value::as_str).unwrap_or_default();
    let resource_type = super::known_type(name)?;
    stamp(&mut body, id, version, &context.unit.updated(access)?.instant());
    let local = |reference: &str| context.place(reference);
    let extract = ExtractContext { keyer: &context.server.keyer, local: &local, pid, time_zone: &context.server.time_zone };
    let rows = search::extract(resource_type, &body, &extract);
    let body = Value::Object(body).to_string().into_bytes();
    let authors = context.request.caller.who().into_iter().collect();
    Ok(NewResource { rid, resource_type, version, body, rows, labels: 0, class: None, origin, authors })
}

/// Writes id and meta. What the body's meta states of source, profile, security and tag stays: the callers of `draft`
/// take out of it what a client may not state ([`forget_claims`]).
fn stamp(body: &mut Resource, id: &str, version: i64, last_updated: &str) {
    let meta = body.get("meta").cloned().unwrap_or_default();
    let list = |name: &str| meta.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let profiles = list("profile");
    let profiles: Vec<&str> = profiles.iter().filter_map(Value::as_str).collect();
    let identity = json::Identity {
        id,
        version,
        last_updated,
        source: meta.get("source").and_then(Value::as_str),
        profiles: &profiles,
        security: list("security"),
        tags: list("tag"),
    };
    json::with_meta(body, identity);
}

/// Labels that a resource may state because they restrict nothing; they are not kept.
const NO_RESTRICTION: [(&str, &str); 2] = [
    ("http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "N"),
    ("http://terminology.hl7.org/CodeSystem/v3-ActReason", "HTEST"),
];

/// A label that this server does not enforce is refused, never dropped: its author would believe the data hidden (decision 3).
///
/// # Errors
/// 422 at the label.
pub(super) fn check_labels(resource_type: ResourceType, body: &Resource) -> Result<(), Problem> {
    let labels = body.get("meta").and_then(|meta| meta.get("security")).and_then(Value::as_array);
    for (index, label) in labels.into_iter().flatten().enumerate() {
        let text = |name: &str| label.get(name).and_then(Value::as_str).unwrap_or_default();
        if !NO_RESTRICTION.contains(&(text("system"), text("code"))) {
            let path = format!("{resource_type}.meta.security[{index}]");
            let text = "This server does not enforce this label on such a resource, so it is refused (decision 3)";
            return Err(Problem::at(IssueKind::BusinessRule, path, text));
        }
    }
    Ok(())
}

/// Profiles, labels, source and the server's own tags are the server's to state, and only those that hold (decision 21).
pub(super) fn forget_claims(body: &mut Resource, profile: Option<String>) {
    let mut meta = match body.shift_remove("meta") {
        Some(Value::Object(meta)) => meta,
        _ => Resource::new(),
    };
    meta.shift_remove("security");
    meta.shift_remove("profile");
    // Where data come from, and the state of what was extracted, are the server's to say too.
    meta.shift_remove("source");
    if let Some(Value::Array(tags)) = meta.get_mut("tag") {
        tags.retain(|tag| !tag.get("system").and_then(Value::as_str).is_some_and(|system| system.starts_with(CANONICAL)));
        if tags.is_empty() {
            meta.shift_remove("tag");
        }
    }
    if let Some(profile) = profile {
        meta.insert("profile".into(), Value::Array(vec![profile.into()]));
    }
    if !meta.is_empty() {
        body.insert("meta".into(), Value::Object(meta));
    }
}

/// 201 with the resource.
pub(super) fn created(context: &Context<'_>, access: &Access, new: &NewResource, events: Vec<Event>) -> Outcome {
    written(context, access, new, Written { status: 201, version: 1, events })
}

/// How a resource was written.
pub(super) struct Written {
    pub(super) status: u16,
    pub(super) version: i64,
    pub(super) events: Vec<Event>,
}

/// The answer to a write: the resource, with its version, time and place.
pub(super) fn written(context: &Context<'_>, access: &Access, new: &NewResource, written: Written) -> Outcome {
    let Written { status, version, events } = written;
    Outcome {
        status,
        body: Body::Fhir(new.body.clone()),
        version: Some(version),
        updated: context.unit.updated(access).ok().map(|updated| updated.0),
        location: store::id_of(new.resource_type, &new.body).map(|id| format!("{}/{id}/_history/{version}", new.resource_type)),
        events,
        remarks: Vec::new(),
    }
}

/// `POST [type]`.
///
/// # Errors
/// A reference to what is not here is 422.
pub fn create(context: &Context<'_>, access: &Access, resource_type: ResourceType, body: &Resource) -> Result<Outcome, Problem> {
    let pid = context.facts.map_or(Pid::DIRECTORY, |facts| facts.pid);
    let new = prepared(context, access, resource_type, body)?;
    store::resource_put(context.unit, access, std::slice::from_ref(&new))?;
    let event = context.event_on(Action::Create, 201, resource_type, pid, new.rid);
    Ok(created(context, access, &new, vec![event]))
}

/// A new resource as it will be stored.
///
/// # Errors
/// A reference to what is not here is 422.
pub(super) fn prepared(
    context: &Context<'_>,
    access: &Access,
    resource_type: ResourceType,
    body: &Resource,
) -> Result<NewResource, Problem> {
    let pid = context.facts.map_or(Pid::DIRECTORY, |facts| facts.pid);
    check_labels(resource_type, body)?;
    let mut body = body.clone();
    forget_claims(&mut body, None);
    name_record(context, resource_type, &mut body)?;
    references::check(context, access, pid, &body)?;
    draft(context, access, Draft { pid, rid: context.new_rid(), version: 1, body, origin: None })
}

/// Makes each reference that names the person of the record literal; one that names another person is refused.
pub(super) fn name_record(context: &Context<'_>, resource_type: ResourceType, body: &mut Resource) -> Result<(), Problem> {
    let Some(facts) = context.facts else { return Ok(()) };
    let patient = context.server.reference(super::known_type("Patient")?, facts.pid, Rid::PATIENT);
    for path in resource_type.record_paths() {
        let mut steps = path.split('.').skip(1);
        let Some(first) = steps.next().filter(|first| body.contains_key(*first)) else { continue };
        let steps: Vec<&str> = steps.collect();
        if let Some(Value::Object(_)) = body.get(first).filter(|_| steps.is_empty()) {
            references::check_person(context, body.get(first).unwrap_or(&Value::Null), path)?;
            references::name_patient(body, first, &patient);
            return Ok(());
        }
        let Some(value) = body.get_mut(first) else { continue };
        if references::name_persons(context, value, &steps, path, &patient)? {
            return Ok(());
        }
    }
    Err(Problem::at(IssueKind::RequiredMissing, resource_type.name(), "The resource does not say whose it is"))
}
