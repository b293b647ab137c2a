//! Patch of a document's metadata: status, securityLabel, isArchived, nothing else (decisions 2 to 6; TD3.3a to d).
//! <https://hl7.org/fhir/R4/http.html#patch>
//!
//! A change of labels reaches everything that came of the document in the same transaction.
use super::create::{Written, written};
use super::read::not_found;
use super::withdraw::{self, new_version};
use super::{Context, labels};
use crate::audit::{Action, Body, Outcome};
use crate::fhir::interaction::Target;
use crate::fhir::patch::Patch;
use crate::fhir::{IssueKind, Problem, Resource, check, elements};
use crate::policy::permit::label;
use crate::policy::{DocumentChange, may_change_document};
use crate::store::{self, Access, NewResource, Stored, WholeRecord};
use serde_json::{Value, json};

/// Extension of PDSm: whether the document is archived.
const IS_ARCHIVED: &str = "https://interop.esante.gouv.fr/ig/fhir/pdsm/StructureDefinition/pdsm-ext-is-archived";

/// A document that the caller sees and wants to change.
pub(super) struct Document {
    pub(super) old: Stored,
    pub(super) before: Resource,
    pub(super) rules: WholeRecord,
    is_author: bool,
}

impl Document {
    /// `None` where it is not here, or not for this caller.
    ///
    /// # Errors
    /// 412 where If-Match names another version.
    pub(super) fn open(
        context: &Context<'_>,
        access: &Access,
        target: &Target,
        if_match: Option<i64>,
    ) -> Result<Option<Self>, Problem> {
        let Some((_, rid)) = target.place else { return Ok(None) };
        let Some(old) = store::resource_read(context.unit, access, target.resource_type, rid)? else { return Ok(None) };
        if if_match.is_some_and(|version| version != old.version) {
            return Err(Problem::new(IssueKind::VersionConflict, "If-Match names another version than the current one"));
        }
        let rules = context.unit.open_rules(access)?;
        let is_author = match context.request.caller.who() {
            Some(who) => store::authored_by(context.unit, &rules, rid, &who)?,
            None => false,
        };
        Ok(Some(Self { before: old.resource()?, old, rules, is_author }))
    }

    /// Whether the caller makes this change.
    ///
    /// # Errors
    /// 403.
    pub(super) fn demand(&self, context: &Context<'_>, change: DocumentChange) -> Result<(), Problem> {
        may_change_document(&context.request.caller, context.record()?, self.is_author, change).map_err(|denial| denial.problem)
    }
}

/// `PATCH DocumentReference/[id]`.
///
/// # Errors
/// 405 for another element; 403 for who is not the author, where the rules ask for him; 422 where a rule refuses the change;
/// 410 for a withdrawn document to those who could see it, else 404; 412 where If-Match names another version.
pub(super) fn update_document(
    context: &Context<'_>,
    access: &Access,
    target: &Target,
    if_match: Option<i64>,
    patch: &Patch,
) -> Result<Outcome, Problem> {
    let Some(document) = Document::open(context, access, target, if_match)? else {
        if let Some((_, rid)) = target.place
            && store::resource_withdrawn(context.unit, access, target.resource_type, rid)?
        {
            return Err(Problem::new(IssueKind::ResourceDeleted, "The document was withdrawn"));
        }
        return Err(not_found(access));
    };
    let after = patch.apply(target.resource_type, &document.before)?;
    only_permitted(&document.before, &after)?;
    if let Some(problem) = Problem::from_issues(check::check(&after)) {
        return Err(problem);
    }
    let wanted = Wanted::of(&document, &after)?;
    for change in wanted.changes(&document) {
        document.demand(context, change)?;
    }
    wanted.check(context, &document)?;
    let old = &document.old;
    if wanted.withdrawn {
        let new = withdraw::perform(context, access, &document)?;
        let events = vec![context.event_on(Action::Delete, 200, old.resource_type, old.pid, old.rid)];
        return Ok(written(context, access, &new, Written { status: 200, version: new.version, events }));
    }
    let events = vec![context.event_on(Action::Update, 200, old.resource_type, old.pid, old.rid)];
    if wanted.changes(&document).is_empty() {
        let answer = Outcome::new(200, Body::Fhir(old.body.clone()), events);
        return Ok(Outcome { version: Some(old.version), updated: Some(old.updated.0), ..answer });
    }
    let mut body = document.before.clone();
    wanted.write(&mut body);
    let new = new_version(context, access, &document, body)?;
    store::resource_put_versions(context.unit, &document.rules, vec![new.clone()])?;
    if wanted.labels != stated(old) {
        labels::relabel(context, &document.rules, &stored(old, &new, context, access)?, wanted.labels)?;
    }
    Ok(written(context, access, &new, Written { status: 200, version: new.version, events }))
}

/// The version just written, as it is stored.
pub(super) fn stored(old: &Stored, new: &NewResource, context: &Context<'_>, access: &Access) -> Result<Stored, Problem> {
    let updated = context.unit.updated(access)?;
    Ok(Stored { version: new.version, updated, body: new.body.clone(), ..old.clone() })
}

fn stated(stored: &Stored) -> i32 {
    stored.labels & labels::STATED
}

/// The elements of the document but for the three that a patch changes are as before.
fn only_permitted(before: &Resource, after: &Resource) -> Result<(), Problem> {
    let other = |name: &&String| !matches!(name.as_str(), "status" | "securityLabel" | "extension");
    let names = before.keys().chain(after.keys().filter(|name| !before.contains_key(*name)));
    for name in names.filter(other) {
        if before.get(name) != after.get(name) {
            return Err(not_permitted(name));
        }
    }
    let rest = |resource: &Resource| -> Vec<Value> {
        let extensions = resource.get("extension").and_then(Value::as_array);
        extensions.into_iter().flatten().filter(|extension| !is_archived_extension(extension)).cloned().collect()
    };
    if rest(before) == rest(after) { Ok(()) } else { Err(not_permitted("extension")) }
}

fn not_permitted(name: &str) -> Problem {
    let text = "A patch changes status, securityLabel and isArchived of a document only (decision 6)";
    let known = elements::find("DocumentReference").is_some_and(|definition| definition.element(name).is_some());
    if known {
        Problem::at(IssueKind::NotSupported, format!("DocumentReference.{name}"), text)
    } else {
        Problem::new(IssueKind::NotSupported, text)
    }
}

fn is_archived_extension(extension: &Value) -> bool {
    extension.get("url").and_then(Value::as_str) == Some(IS_ARCHIVED)
}

pub(super) fn archived_extension(archived: bool) -> Value {
    json!({"url": IS_ARCHIVED, "valueBoolean": archived})
}

/// Whether a resource states that it is archived or not.
pub(super) fn states_archived(resource: &Resource) -> bool {
    resource.get("extension").and_then(Value::as_array).into_iter().flatten().any(is_archived_extension)
}

/// Whether a document is archived; more than one statement, or one that is no boolean, is 422.
pub(super) fn archived(resource: &Resource) -> Result<bool, Problem> {
    let extensions = resource.get("extension").and_then(Value::as_array);
    let mut stated = extensions.into_iter().flatten().filter(|extension| is_archived_extension(extension));
    let refused = || Problem::at(IssueKind::BusinessRule, "DocumentReference.extension", "isArchived is one boolean (PDSm)");
    match (stated.next(), stated.next()) {
        (None, _) => Ok(false),
        (Some(one), None) => one.get("valueBoolean").and_then(Value::as_bool).ok_or_else(refused),
        (Some(_), Some(_)) => Err(refused()),
    }
}

/// What a patch makes of a document.
struct Wanted {
    withdrawn: bool,
    labels: i32,
    archived: bool,
}

impl Wanted {
    fn of(document: &Document, after: &Resource) -> Result<Self, Problem> {
        let withdrawn = after.get("status") != document.before.get("status");
        if withdrawn && after.get("status").and_then(Value::as_str) != Some("entered-in-error") {
            let text = "A patch withdraws a document (entered-in-error); it is superseded by a deposit of its new version (BR-42, BR-43)";
            return Err(Problem::at(IssueKind::BusinessRule, "DocumentReference.status", text));
        }
        let labels = if after.get("securityLabel") == document.before.get("securityLabel") {
            stated(&document.old)
        } else {
            labels::parse(after.get("securityLabel"))?
        };
        Ok(Self { withdrawn, labels, archived: archived(after)? })
    }

    fn changes(&self, document: &Document) -> Vec<DocumentChange> {
        let changed = stated(&document.old) ^ self.labels;
        let set = |bit: i32| changed & bit != 0 && self.labels & bit != 0;
        let unset = |bit: i32| changed & bit != 0 && self.labels & bit == 0;
        let all = [
            (self.withdrawn, DocumentChange::Withdraw),
            (self.archived != archived(&document.before).unwrap_or(false), DocumentChange::Archive),
            (set(label::MASQUE_PS), DocumentChange::Mask),
            (unset(label::MASQUE_PS), DocumentChange::Unmask),
            (set(label::INVISIBLE_PATIENT), DocumentChange::HideFromPatient),
            (unset(label::INVISIBLE_PATIENT), DocumentChange::ShowToPatient),
            (unset(label::INVISIBLE_REPRESENTANTS_LEGAUX), DocumentChange::ShowToRepresentatives),
        ];
        all.into_iter().filter_map(|(happens, change)| happens.then_some(change)).collect()
    }

    /// The rules that do not ask who.
    fn check(&self, context: &Context<'_>, document: &Document) -> Result<(), Problem> {
        let refused =
            |element: &str, text: &str| Err(Problem::at(IssueKind::BusinessRule, format!("DocumentReference.{element}"), text));
        let changes = self.changes(document);
        if self.withdrawn && changes.len() > 1 {
            return refused("status", "A withdrawal changes nothing else");
        }
        let set = self.labels & !stated(&document.old);
        if set & label::INVISIBLE_REPRESENTANTS_LEGAUX != 0 {
            return refused(
                "securityLabel",
                "What the legal representatives see is not hidden from them again (BR-35, decision 4)",
            );
        }
        if changes.contains(&DocumentChange::Archive)
            && self.archived
            && document.before.get("status").and_then(Value::as_str) != Some("current")
        {
            return refused("extension", "Only a current document is archived (BR-40)");
        }
        if set & label::INVISIBLE_PATIENT != 0 {
            let family = super::submit_document::family_of(context, &document.rules, &document.old)?;
            let rids: Vec<_> = family.own.iter().map(|stored| stored.rid).chain([document.old.rid]).collect();
            if store::audit_opened(context.unit, &document.rules, &rids)? {
                return refused(
                    "securityLabel",
                    "The patient has opened the document: it is not hidden from him any more (decision 4)",
                );
            }
        }
        Ok(())
    }

    fn write(&self, body: &mut Resource) {
        if labels::parse(body.get("securityLabel")) != Ok(self.labels) {
            body.insert("securityLabel".into(), labels::security_label(self.labels));
        }
        labels::splice(body, self.labels);
        if archived(body) == Ok(self.archived) {
            return;
        }
        let mut extensions = match body.shift_remove("extension") {
            Some(Value::Array(extensions)) => extensions,
            _ => Vec::new(),
        };
        extensions.retain(|extension| !is_archived_extension(extension));
        extensions.push(archived_extension(self.archived));
        body.insert("extension".into(), Value::Array(extensions));
    }
}
