//! Filing: numbers, references, labels and index rows of a document and of everything made of it, in one transaction.
use super::content::Content;
use super::replacement::{Versions, parsed};
use crate::cda::{Document, Header};
use crate::fhir::interaction::Parameters;
use crate::fhir::{CANONICAL, IssueKind, Problem, Resource, ResourceType};
use crate::ids::{Pid, Rid};
use crate::service::create::{Draft, draft, forget_claims};
use crate::service::{Context, references};
use crate::store::{self, Access, NewResource, PageRequest, Stored};
use crate::translate::{self, DepositedFile, Entry, Translation};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::collections::HashMap;

/// A deposit that has passed every check.
pub(super) struct Deposited<'a> {
    pub(super) body: &'a Resource,
    pub(super) content: &'a Content,
    pub(super) document: &'a Document,
    pub(super) header: &'a Header,
    pub(super) unique_id: &'a str,
    pub(super) versions: Versions,
}

/// Files the document; returns its DocumentReference.
pub(super) fn file(
    context: &Context<'_>,
    access: &Access,
    rules: &Access,
    deposited: Deposited<'_>,
) -> Result<NewResource, Problem> {
    let pid = context.record()?.pid;
    let reference_type = crate::service::known_type("DocumentReference")?;
    let mut translation = translate::translate(deposited.document);
    mark_replacements(context, rules, &deposited.versions.replaced, &mut translation)?;
    let document_rid = context.unit.next_rid();
    let original_rid = context.unit.next_rid();
    let numbered = number(context, rules, &translation, pid, document_rid)?;
    let mut names = numbered.names;
    let patient = context.server.reference(crate::service::known_type("Patient")?, pid, Rid::PATIENT);
    let binary_type = crate::service::known_type("Binary")?;
    names.insert(translate::SUBJECT.to_owned(), patient);
    names.insert(translate::DOCUMENT.to_owned(), context.server.reference(reference_type, pid, document_rid));
    names.insert(translate::ORIGINAL.to_owned(), context.server.reference(binary_type, pid, original_rid));
    let document = document_reference(context, &deposited, pid, document_rid)?;
    let filer = Filer {
        context,
        access: rules,
        names: &names,
        class: deposited.header.code.clone(),
        authors: authors(context, deposited.header),
        superseded: deposited.versions.late,
    };
    let content_type = if deposited.header.is_self_presenting { "application/xslt+xml" } else { "text/xml" };
    let original = json!({"resourceType": "Binary", "contentType": content_type});
    let mut new = vec![filer.new(pid, document_rid, document, None)?, filer.new(pid, original_rid, object(original), None)?];
    for (entry, place) in translation.entries.iter().zip(&numbered.places) {
        // A participant whom an earlier document stated in the same words is that one (C6).
        if place.is_known {
            continue;
        }
        let mut resource = entry.resource.clone();
        if let Some(bytes) = take_data(&mut resource) {
            let content_type =
                resource.get("contentType").and_then(Value::as_str).unwrap_or("application/octet-stream").to_owned();
            store::document_put(context.unit, access, place.rid, &bytes, &content_type)?;
        }
        new.push(filer.new(pid, place.rid, resource, Some(place.origin))?);
    }
    store::resource_put(context.unit, rules, &new)?;
    store::document_put(context.unit, access, original_rid, &deposited.content.bytes, content_type)?;
    store::document_register(context.unit, access, deposited.unique_id, document_rid, original_rid)?;
    for old in &deposited.versions.replaced {
        supersede(context, rules, old)?;
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
    names: HashMap<String, String>,
}

fn number(
    context: &Context<'_>,
    rules: &Access,
    translation: &Translation,
    pid: Pid,
    document: Rid,
) -> Result<Numbered, Problem> {
    let origins: Vec<i64> = translation.entries.iter().map(|entry| origin(document, entry)).collect();
    let mut known: HashMap<i64, Rid> = HashMap::new();
    let shared: Vec<i64> = translation
        .entries
        .iter()
        .zip(&origins)
        .filter(|(entry, _)| entry.shared_key.is_some())
        .map(|(_, origin)| *origin)
        .collect();
    known.extend(store::resource_by_origin(context.unit, rules, &shared)?);
    let mut places = Vec::with_capacity(origins.len());
    let mut names = HashMap::with_capacity(origins.len() + 3);
    for (entry, origin) in translation.entries.iter().zip(origins) {
        let place = match known.get(&origin) {
            Some(rid) => Place { rid: *rid, origin, is_known: true },
            None => Place { rid: context.unit.next_rid(), origin, is_known: false },
        };
        if entry.shared_key.is_some() {
            known.insert(origin, place.rid);
        }
        names.insert(entry.full_url.clone(), context.server.reference(type_of(entry)?, pid, place.rid));
        places.push(place);
    }
    Ok(Numbered { places, names })
}

fn type_of(entry: &Entry) -> Result<ResourceType, Problem> {
    crate::service::known_type(entry.resource.get("resourceType").and_then(Value::as_str).unwrap_or_default())
}

/// What an extracted resource is of, as 64 bits: document and entry path, so that translating again finds the same
/// resource; of a participant with a national identifier that and the stated name, one for the record (C6).
pub(crate) fn origin(document: Rid, entry: &Entry) -> i64 {
    let mut text = match entry.shared_key {
        Some(_) => b"shared ".to_vec(),
        None => document.0.to_be_bytes().to_vec(),
    };
    text.extend_from_slice(entry.shared_key.as_deref().unwrap_or(&entry.full_url).as_bytes());
    let digest = openssl::sha::sha256(&text);
    digest.first_chunk::<8>().map_or(0, |bytes| i64::from_be_bytes(*bytes))
}

/// The DocumentReference of header and deposit: what the header states stands; the deposit fills what it leaves open.
fn document_reference(context: &Context<'_>, deposited: &Deposited<'_>, pid: Pid, rid: Rid) -> Result<Resource, Problem> {
    let file = DepositedFile { size: deposited.content.bytes.len(), sha1_base64: deposited.content.sha1.clone() };
    let (mut out, _) = translate::document_reference(deposited.document, &file);
    let id = context.server.id(pid, rid);
    out.insert("identifier".into(), identifiers(&id, 1));
    out.insert("status".into(), if deposited.versions.late { "superseded" } else { "current" }.into());
    let reference_type = crate::service::known_type("DocumentReference")?;
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
    let (Some(Value::Object(context)), Some(Value::Object(sent))) = (out.get_mut("context"), sent.get("context")) else { return };
    for name in ["facilityType", "practiceSetting", "event"] {
        if let (false, Some(value)) = (context.contains_key(name), sent.get(name)) {
            context.insert(name.into(), value.clone());
        }
    }
}

/// logicalId is the stable id; entryUUID names this version of the metadata (decision 1).
fn identifiers(id: &str, version: i64) -> Value {
    let logical = uuid::Uuid::try_parse(id).unwrap_or_default();
    let entry = uuid::Uuid::new_v5(&logical, version.to_string().as_bytes());
    json!([
        {"use": "official", "system": "urn:ietf:rfc:3986", "value": format!("urn:uuid:{entry}")},
        {"use": "usual", "system": "urn:ietf:rfc:3986", "value": format!("urn:uuid:{logical}")}
    ])
}

/// Depositor, authors of the document, and its custodian structure (which replaces, and sees nothing by it).
fn authors(context: &Context<'_>, header: &Header) -> Vec<String> {
    let mut authors: Vec<String> = context.request.caller.who().into_iter().collect();
    authors.extend(header.authors.iter().filter_map(|author| Some(format!("rpps:{}", author.rpps()?.as_str()))));
    authors.extend(header.custodian_finess().map(|finess| format!("custodian:{}", finess.as_str())));
    authors.sort();
    authors.dedup();
    authors
}

struct Filer<'a> {
    context: &'a Context<'a>,
    access: &'a Access,
    names: &'a HashMap<String, String>,
    class: Option<String>,
    authors: Vec<String>,
    superseded: bool,
}

impl Filer<'_> {
    fn new(&self, pid: Pid, rid: Rid, mut body: Resource, origin: Option<i64>) -> Result<NewResource, Problem> {
        references::rename(&mut body, self.names);
        if self.superseded && origin.is_some() {
            tag_superseded(&mut body);
        }
        let new = draft(self.context, self.access, Draft { pid, rid, version: 1, body, origin })?;
        Ok(NewResource { class: self.class.clone(), authors: self.authors.clone(), ..new })
    }
}

/// The tag of data whose document has a newer version: searches leave it out unless they ask for it.
pub(crate) fn tag_superseded(body: &mut Resource) {
    let meta = body.entry("meta").or_insert_with(|| json!({}));
    let Some(meta) = meta.as_object_mut() else { return };
    let tags = meta.entry("tag").or_insert_with(|| json!([]));
    if let Some(tags) = tags.as_array_mut() {
        tags.push(json!({"system": format!("{CANONICAL}/CodeSystem/data-state"), "code": "superseded"}));
    }
}

/// `data` of a Binary: stored as bytes, not inside the body.
fn take_data(resource: &mut Resource) -> Option<Vec<u8>> {
    if resource.get("resourceType").and_then(Value::as_str) != Some("Binary") {
        return None;
    }
    let data = resource.shift_remove("data")?;
    STANDARD.decode(data.as_str()?).ok()
}

/// Points each new Observation and DiagnosticReport to that of the same code and path in the version before (C10).
fn mark_replacements(
    context: &Context<'_>,
    rules: &Access,
    replaced: &[Stored],
    translation: &mut Translation,
) -> Result<(), Problem> {
    for old in replaced {
        let Some((bytes, _)) = original(context, rules, old)? else { continue };
        let Ok(document) = crate::cda::parse(&bytes) else { continue };
        let before = translate::translate(&document);
        let origins: Vec<i64> = before.entries.iter().map(|entry| origin(old.rid, entry)).collect();
        let rids: HashMap<i64, Rid> = store::resource_by_origin(context.unit, rules, &origins)?.into_iter().collect();
        translate::mark_replacements(&mut translation.entries, &before.entries, |entry| {
            let rid = rids.get(&origin(old.rid, entry))?;
            Some(context.server.reference(type_of(entry).ok()?, old.pid, *rid))
        });
    }
    Ok(())
}

/// The original of a DocumentReference that is here.
pub(crate) fn original(context: &Context<'_>, access: &Access, document: &Stored) -> Result<Option<(Vec<u8>, String)>, Problem> {
    let body = parsed(document)?;
    let attachment = body.get("content").and_then(|content| content.get(0)).and_then(|content| content.get("attachment"));
    let url = attachment.and_then(|attachment| attachment.get("url")).and_then(Value::as_str).unwrap_or_default();
    let Some((_, _, rid)) = context.server.resolve(url) else { return Ok(None) };
    store::document_get(context.unit, access, rid)
}

/// The old document and its data, at once: status superseded, and the tag on everything made of it.
fn supersede(context: &Context<'_>, rules: &Access, old: &Stored) -> Result<(), Problem> {
    let mut body = parsed(old)?;
    if body.get("status").and_then(Value::as_str) == Some("superseded") {
        return Ok(());
    }
    body.insert("status".into(), "superseded".into());
    body.insert("identifier".into(), identifiers(&context.server.id(old.pid, old.rid), old.version + 1));
    let mut new =
        vec![draft(context, rules, Draft { pid: old.pid, rid: old.rid, version: old.version + 1, body, origin: None })?];
    for stored in made_of(context, rules, old)? {
        let mut body = parsed(&stored)?;
        tag_superseded(&mut body);
        new.push(draft(
            context,
            rules,
            Draft { pid: stored.pid, rid: stored.rid, version: stored.version + 1, body, origin: None },
        )?);
    }
    store::resource_put_versions(context.unit, rules, new).map(|_| ())
}

/// Everything that was made of a document: the targets of its Provenance.
fn made_of(context: &Context<'_>, rules: &Access, document: &Stored) -> Result<Vec<Stored>, Problem> {
    let reference = context.server.reference(document.resource_type, document.pid, document.rid);
    let parameters = Parameters(vec![("entity".into(), reference)]);
    let query = crate::service::search::parse(context, crate::service::known_type("Provenance")?, &parameters)?;
    let page = PageRequest { count: 10, total: false, cursor: None };
    let provenances = store::resource_search(context.unit, rules, &query.plan, &page, &mut |_| true)?.resources;
    let mut places = Vec::new();
    for provenance in provenances.iter().filter(|stored| stored.resource_type.name() == "Provenance") {
        let body = parsed(provenance)?;
        let targets = body.get("target").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let references = targets.iter().filter_map(|target| target.get("reference").and_then(Value::as_str));
        places.extend(
            references
                .filter_map(|reference| context.server.place(reference))
                .filter(|place| *place != (document.pid, document.rid)),
        );
    }
    // Participants are of the record, not of one document: another may state them too.
    let shared = ["Practitioner", "PractitionerRole", "Organization", "Location", "Device", "RelatedPerson"];
    let mut made = store::resource_places(context.unit, rules, &places)?;
    made.retain(|stored| !shared.contains(&stored.resource_type.name()));
    Ok(made)
}
