//! Filing: numbers, references, labels and index rows of a document and of everything made of it, in one transaction.
use super::prepared::Prepared;
use super::replacement::Versions;
use crate::cda::Header;
use crate::fhir::interaction::Parameters;
use crate::fhir::names::Names;
use crate::fhir::{CANONICAL, IssueKind, Problem, Resource, ResourceType};
use crate::ids::{Pid, Rid};
use crate::service::create::{Draft, draft, forget_claims};
use crate::service::update_document::{archived, archived_extension, states_archived};
use crate::service::{Context, known_type};
use crate::store::{self, Access, NewResource, Stored, WholeRecord};
use crate::translate::{self, Entry};
use serde_json::{Value, json};
use std::borrow::Cow;
use std::collections::HashMap;
use uuid::Uuid;

/// A deposit that has passed every check.
pub(super) struct Deposited<'a> {
    pub(super) body: &'a Resource,
    pub(super) prepared: &'a Prepared,
    pub(super) versions: Versions,
}

/// Files the document; returns its DocumentReference.
pub(super) fn file(
    context: &Context<'_>,
    access: &Access,
    rules: &WholeRecord,
    deposited: &Deposited<'_>,
) -> Result<NewResource, Problem> {
    let pid = context.record()?.pid;
    let Deposited { prepared, versions, .. } = deposited;
    let entries = with_replacements(context, rules, &versions.replaced, &prepared.entries)?;
    let document_rid = context.unit.next_rid();
    let original_rid = context.unit.next_rid();
    let Numbered { places, mut names } = number(context, rules, &entries, pid, document_rid)?;
    names.insert(translate::SUBJECT, context.server.reference(known_type("Patient")?, pid, Rid::PATIENT), 1);
    names.insert(translate::DOCUMENT, context.server.reference(known_type("DocumentReference")?, pid, document_rid), 1);
    names.insert(translate::ORIGINAL, context.server.reference(known_type("Binary")?, pid, original_rid), 1);
    let document = document_reference(context, deposited, pid, document_rid)?;
    let filer = Filer { context, access, names: &names, authors: authors(context, &prepared.header), prepared, versions };
    let content_type = if prepared.header.is_self_presenting { "application/xslt+xml" } else { "text/xml" };
    let original = json!({"resourceType": "Binary", "contentType": content_type});
    let mut new = Vec::with_capacity(places.len() + 2);
    new.push(filer.resource(pid, document_rid, document, None)?);
    new.push(filer.resource(pid, original_rid, object(original), None)?);
    for ((entry, file), place) in entries.iter().zip(&prepared.files).zip(&places) {
        // A participant whom an earlier document stated in the same words is that one (C6).
        if place.is_known {
            continue;
        }
        if let Some(file) = file {
            store::document_put(context.unit, access, place.rid, &file.original, &file.content_type)?;
        }
        new.push(filer.resource(pid, place.rid, entry.resource.clone(), Some(place.origin))?);
    }
    store::resource_put(context.unit, access, &new)?;
    store::document_put(context.unit, access, original_rid, &prepared.original, content_type)?;
    store::document_register(context.unit, access, &prepared.unique_id, document_rid, original_rid)?;
    let known: Vec<(Pid, Rid)> = places.iter().filter(|place| place.is_known).map(|place| (pid, place.rid)).collect();
    if !known.is_empty() {
        // Only what is hidden can be shown by one more document.
        let mut hidden = store::record_places(context.unit, rules, &known)?;
        hidden.retain(|stored| stored.labels != 0);
        crate::service::labels::share(context, rules, &hidden)?;
    }
    for old in &versions.replaced {
        supersede(context, access, rules, old)?;
    }
    new.into_iter().next().ok_or_else(|| Problem::new(IssueKind::Internal, "Nothing was filed"))
}

fn object(value: Value) -> Resource {
    match value {
        Value::Object(object) => object,
        _ => Resource::new(),
    }
}

/// Where an entry is stored.
struct Place {
    rid: Rid,
    origin: i64,
    is_known: bool,
}

/// Places of the entries, and their literal references by `urn:uuid:`.
struct Numbered {
    places: Vec<Place>,
    names: Names,
}

fn number(context: &Context<'_>, rules: &WholeRecord, entries: &[Entry], pid: Pid, document: Rid) -> Result<Numbered, Problem> {
    let origins: Vec<i64> = entries.iter().map(|entry| origin(document, entry)).collect();
    let shared: Vec<i64> = origins.iter().copied().filter(|origin| is_shared(*origin)).collect();
    let mut known: HashMap<i64, Rid> = HashMap::new();
    if !shared.is_empty() {
        known.extend(store::record_by_origin(context.unit, rules, &shared)?);
    }
    let mut places = Vec::with_capacity(origins.len());
    let mut names = Names::new(context.server.base());
    for (entry, origin) in entries.iter().zip(origins) {
        let place = match known.get(&origin) {
            Some(rid) => Place { rid: *rid, origin, is_known: true },
            None => Place { rid: context.unit.next_rid(), origin, is_known: false },
        };
        if is_shared(origin) {
            known.insert(origin, place.rid);
        }
        names.insert(&entry.full_url, context.server.reference(type_of(entry)?, pid, place.rid), 1);
        places.push(place);
    }
    Ok(Numbered { places, names })
}

fn type_of(entry: &Entry) -> Result<ResourceType, Problem> {
    known_type(entry.resource.get("resourceType").and_then(Value::as_str).unwrap_or_default())
}

/// What an extracted resource is of, as 64 bits: document and entry path, so that translating again finds the same
/// resource; of a participant with a national identifier that and the stated name, one for the record (C6).
///
/// The lowest bit tells the two apart ([`is_shared`]), so that a stored resource says how it was filed.
pub(crate) fn origin(document: Rid, entry: &Entry) -> i64 {
    let mut text = match entry.shared_key {
        Some(_) => b"shared ".to_vec(),
        None => document.0.to_be_bytes().to_vec(),
    };
    text.extend_from_slice(entry.shared_key.as_deref().unwrap_or(&entry.full_url).as_bytes());
    let [a, b, c, d, e, f, g, h, ..] = openssl::sha::sha256(&text);
    (i64::from_be_bytes([a, b, c, d, e, f, g, h]) & !1) | i64::from(entry.shared_key.is_some())
}

/// Whether what has this origin is of the record, not of one document.
fn is_shared(origin: i64) -> bool {
    origin & 1 == 1
}

/// Whether what has this origin is superseded with its document: its data are, a participant of the record is not (another
/// document may state him too), nor the Provenance, which goes on saying of which document the data are.
fn goes_with_document(resource_type: ResourceType, origin: i64) -> bool {
    !is_shared(origin) && resource_type.name() != "Provenance"
}

/// The DocumentReference of header and deposit: what the header states stands; the deposit fills what it leaves open.
fn document_reference(context: &Context<'_>, deposited: &Deposited<'_>, pid: Pid, rid: Rid) -> Result<Resource, Problem> {
    let mut out = deposited.prepared.reference.clone();
    out.insert("identifier".into(), identifiers(context.server.store.id_cipher().uuid(pid, rid), 1));
    out.insert("status".into(), if deposited.versions.late { "superseded" } else { "current" }.into());
    let reference_type = known_type("DocumentReference")?;
    fill(&mut out, deposited.body);
    // What the deposit filled may make the profile hold, or what the header lacks may break it (decision 21).
    let profile = translate::is_comprehensive(&out).then(|| translate::COMPREHENSIVE.to_owned());
    forget_claims(&mut out, profile);
    let replaced: Vec<Value> = deposited
        .versions
        .replaced
        .iter()
        .map(|old| json!({"code": "replaces", "target": {"reference": context.server.reference(reference_type, pid, old.rid)}}))
        .collect();
    if replaced.is_empty() {
        out.shift_remove("relatesTo");
    } else {
        out.insert("relatesTo".into(), Value::Array(replaced));
    }
    Ok(out)
}

/// What the header leaves open and the deposit states.
fn fill(out: &mut Resource, sent: &Resource) {
    for name in ["category", "description"] {
        if let (false, Some(value)) = (out.contains_key(name), sent.get(name)) {
            out.insert(name.into(), value.clone());
        }
    }
    // No header says whether a document is archived: of PDSm's metadata this is the depositor's own word (PDSm isArchived).
    if let (true, Ok(archived)) = (states_archived(sent), archived(sent)) {
        out.insert("extension".into(), json!([archived_extension(archived)]));
    }
    let (Some(Value::Object(context)), Some(Value::Object(sent))) = (out.get_mut("context"), sent.get("context")) else { return };
    for name in ["facilityType", "practiceSetting", "event"] {
        if let (false, Some(value)) = (context.contains_key(name), sent.get(name)) {
            context.insert(name.into(), value.clone());
        }
    }
}

/// logicalId is the stable id; entryUUID names this version of the metadata (decision 1).
pub(crate) fn identifiers(logical: Uuid, version: i64) -> Value {
    let entry = Uuid::new_v5(&logical, version.to_string().as_bytes());
    json!([
        {"use": "official", "system": "urn:ietf:rfc:3986", "value": format!("urn:uuid:{entry}")},
        {"use": "usual", "system": "urn:ietf:rfc:3986", "value": format!("urn:uuid:{logical}")}
    ])
}

/// Depositor, authors of the document, and its custodian structure (which replaces, and sees nothing by it).
fn authors(context: &Context<'_>, header: &Header) -> Vec<String> {
    let mut authors: Vec<String> = context.request.caller.who().into_iter().collect();
    authors.extend(header.authors.iter().filter_map(|author| Some(author.rpps()?.who())));
    authors.extend(header.custodian_finess().map(|finess| finess.as_custodian()));
    authors.sort();
    authors.dedup();
    authors
}

struct Filer<'a> {
    context: &'a Context<'a>,
    access: &'a Access,
    names: &'a Names,
    authors: Vec<String>,
    prepared: &'a Prepared,
    versions: &'a Versions,
}

impl Filer<'_> {
    fn resource(&self, pid: Pid, rid: Rid, mut body: Resource, origin: Option<i64>) -> Result<NewResource, Problem> {
        self.names.replace(&mut body, None);
        let resource_type = known_type(body.get("resourceType").and_then(Value::as_str).unwrap_or_default())?;
        crate::service::labels::splice(&mut body, self.versions.labels);
        if self.versions.late && origin.is_some_and(|origin| goes_with_document(resource_type, origin)) {
            tag_superseded(&mut body);
        }
        let new = draft(self.context, self.access, Draft { pid, rid, version: 1, body, origin })?;
        let (class, labels) = (self.prepared.header.code.clone(), self.versions.labels);
        Ok(NewResource { class, labels, authors: self.authors.clone(), ..new })
    }
}

/// The tag of data whose document has a newer version: searches leave it out unless they ask for it.
fn tag_superseded(body: &mut Resource) {
    let meta = body.entry("meta").or_insert_with(|| json!({}));
    let Some(meta) = meta.as_object_mut() else { return };
    let tags = meta.entry("tag").or_insert_with(|| json!([]));
    if let Some(tags) = tags.as_array_mut() {
        tags.push(json!({"system": format!("{CANONICAL}/CodeSystem/data-state"), "code": "superseded"}));
    }
}

/// Points each new Observation and DiagnosticReport to that of the same code and path in the version before (C10).
fn with_replacements<'a>(
    context: &Context<'_>,
    rules: &WholeRecord,
    replaced: &[Stored],
    entries: &'a [Entry],
) -> Result<Cow<'a, [Entry]>, Problem> {
    let mut entries = Cow::Borrowed(entries);
    for old in replaced {
        let Some(rid) = original_of(context, old)? else { continue };
        let Some((bytes, _)) = store::record_original(context.unit, rules, rid)? else { continue };
        let Ok(document) = crate::cda::parse(&bytes) else { continue };
        let before = translate::translate(&document);
        let origins: Vec<i64> = before.entries.iter().map(|entry| origin(old.rid, entry)).collect();
        let rids: HashMap<i64, Rid> = store::record_by_origin(context.unit, rules, &origins)?.into_iter().collect();
        translate::mark_replacements(entries.to_mut(), &before.entries, |entry| {
            let rid = rids.get(&origin(old.rid, entry))?;
            Some(context.server.reference(type_of(entry).ok()?, old.pid, *rid))
        });
    }
    Ok(entries)
}

/// The Binary with the original of a DocumentReference that is here.
pub(crate) fn original_of(context: &Context<'_>, document: &Stored) -> Result<Option<Rid>, Problem> {
    let body = document.resource()?;
    let attachment = body.get("content").and_then(|content| content.get(0)).and_then(|content| content.get("attachment"));
    let url = attachment.and_then(|attachment| attachment.get("url")).and_then(Value::as_str).unwrap_or_default();
    Ok(context.server.resolve(url).map(|(_, _, rid)| rid))
}

/// The old document and its data, at once: status superseded, and the tag on everything made of it.
fn supersede(context: &Context<'_>, access: &Access, rules: &WholeRecord, old: &Stored) -> Result<(), Problem> {
    let mut body = old.resource()?;
    if body.get("status").and_then(Value::as_str) == Some("superseded") {
        return Ok(());
    }
    let next = |stored: &Stored, body: Resource| {
        let version = stored.version.saturating_add(1);
        draft(context, access, Draft { pid: stored.pid, rid: stored.rid, version, body, origin: None })
    };
    body.insert("status".into(), "superseded".into());
    let logical = context.server.store.id_cipher().uuid(old.pid, old.rid);
    body.insert("identifier".into(), identifiers(logical, old.version.saturating_add(1)));
    let mut new = vec![next(old, body)?];
    for stored in made_of(context, rules, old)? {
        let mut body = stored.resource()?;
        tag_superseded(&mut body);
        new.push(next(&stored, body)?);
    }
    store::resource_put_versions(context.unit, rules, new)
}

/// Everything that was made of a document and is superseded with it: the targets of its Provenance.
fn made_of(context: &Context<'_>, rules: &WholeRecord, document: &Stored) -> Result<Vec<Stored>, Problem> {
    let family = family_of(context, rules, document)?;
    let origins = store::record_origins(context.unit, rules, &family.own.iter().map(|stored| stored.rid).collect::<Vec<_>>())?;
    let goes = |stored: &Stored| origins.get(&stored.rid).is_some_and(|origin| goes_with_document(stored.resource_type, *origin));
    Ok(family.own.into_iter().filter(goes).collect())
}

/// What came of a document.
pub(crate) struct Family {
    /// Of this document alone: its original, its data, its Composition, its Provenance; not the DocumentReference.
    pub(crate) own: Vec<Stored>,
    /// Participants of the record whom other documents may state too.
    pub(crate) shared: Vec<Stored>,
}

/// What came of a document: its original, its Provenance and the targets of that.
pub(crate) fn family_of(context: &Context<'_>, rules: &WholeRecord, document: &Stored) -> Result<Family, Problem> {
    let reference = context.server.reference(document.resource_type, document.pid, document.rid);
    let parameters = Parameters(vec![("entity".into(), reference)]);
    let query = crate::service::search::parse(context, known_type("Provenance")?, &parameters)?;
    let mut places: Vec<(Pid, Rid)> = original_of(context, document)?.into_iter().map(|rid| (document.pid, rid)).collect();
    let originals = places.len();
    for provenance in store::record_search(context.unit, rules, &query.plan, 10)? {
        let body = provenance.resource()?;
        let targets = body.get("target").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let references = targets.iter().filter_map(|target| target.get("reference").and_then(Value::as_str));
        places.push((provenance.pid, provenance.rid));
        places.extend(references.filter_map(|reference| context.place(reference)));
    }
    let rids: Vec<Rid> = places.iter().skip(originals).map(|(_, rid)| *rid).collect();
    let origins = store::record_origins(context.unit, rules, &rids)?;
    let (mut own, mut shared) = (Vec::new(), Vec::new());
    for stored in store::record_places(context.unit, rules, &places)? {
        match origins.get(&stored.rid) {
            Some(origin) if is_shared(*origin) => shared.push(stored),
            Some(_) => own.push(stored),
            // The original has no entry path.
            None if stored.resource_type.name() == "Binary" => own.push(stored),
            None => {}
        }
    }
    Ok(Family { own, shared })
}
