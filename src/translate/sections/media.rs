//! Embedded files: images, attached documents, the PDF copy, the body of a document of level 1.
use super::super::account::Reason;
use super::super::codes::concept;
use super::super::context::{Context, resource, set};
use super::super::datatypes::{identifiers, when};
use super::super::issue::IssueCode;
use super::status;
use crate::cda::Element;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

/// A file: its Media and its Binary.
pub(super) struct File {
    pub(super) media: String,
    pub(super) binary: String,
}

/// Bytes of a title; a longer one is none.
const TITLE: usize = 1_000;

/// Title of the section around this element.
fn section_title(context: &mut Context<'_>, element: Element<'_>) -> Option<String> {
    let title = context.section_of(element).title.filter(|title| title.size() <= TITLE)?;
    Some(title.text()).filter(|title| !title.is_empty() && title.len() <= TITLE)
}

/// Bytes of an embedded file with its Attachment, whose url is the Binary.
pub(super) fn attachment(context: &mut Context<'_>, value: Element<'_>) -> Option<(String, Map<String, Value>)> {
    if context.is_full() {
        context.list(value, Reason::LimitReached);
        return None;
    }
    let raw = value.raw_text();
    let bytes = if value.stated("representation") == Some("B64") {
        let compact: String = raw.split_ascii_whitespace().collect();
        STANDARD.decode(compact).ok()
    } else {
        Some(value.text().into_bytes())
    };
    let Some(bytes) = bytes.filter(|bytes| !bytes.is_empty()) else {
        context.issue(IssueCode::ContentUnreadable, value);
        context.list(value, Reason::ContentUnreadable);
        return None;
    };
    // CDA's default; what is no media type says only that there are bytes.
    let media_type = value.stated("mediaType").unwrap_or("text/plain");
    let media_type = if crate::fhir::check::is_media_type(media_type) { media_type } else { "application/octet-stream" };
    let mut binary = resource("Binary");
    set(&mut binary, "contentType", json!(media_type));
    set(&mut binary, "securityContext", Context::document_reference());
    set(&mut binary, "data", json!(STANDARD.encode(&bytes)));
    let url = context.add(value.path(), binary);
    let mut out = Map::new();
    out.insert("contentType".into(), json!(media_type));
    out.insert("url".into(), json!(url));
    out.insert("size".into(), json!(bytes.len()));
    out.insert("hash".into(), json!(STANDARD.encode(openssl::sha::sha1(&bytes))));
    Some((url, out))
}

/// A file -> Media (content = Binary), of the element around it: observationMedia, nonXMLBody or an observation.
pub(super) fn file(context: &mut Context<'_>, value: Element<'_>, around: Option<Element<'_>>) -> Option<File> {
    let (binary, mut content) = attachment(context, value)?;
    let mut out = resource("Media");
    let entry = around.filter(|around| !around.is("nonXMLBody"));
    if let Some(around) = entry {
        set(&mut out, "identifier", Value::Array(identifiers(context, around)));
    }
    let status = entry.map_or(Some("unknown"), |around| status::media(status::code(around)));
    set(&mut out, "status", json!(status.unwrap_or("unknown")));
    set(&mut out, "subject", Context::subject());
    let title = entry
        .and_then(|entry| section_title(context, entry))
        .or_else(|| context.header.title.clone())
        .filter(|title| title.len() <= TITLE);
    if let Some(title) = title {
        content.insert("title".into(), json!(title));
    }
    set(&mut out, "content", Value::Object(content));
    let path = match around {
        Some(around) if around.is("observation") => format!("{}#Media", around.path()),
        Some(around) => around.path(),
        None => format!("{}#Media", value.path()),
    };
    let media = context.add(path, out);
    if let Some(around) = around {
        context.claim(around, &media);
    }
    context.claim_tree(value, &media);
    Some(File { media, binary })
}

/// Image (FR-Image-illustrative, 1.2.250.1.213.1.1.3.103; or an observationMedia without template) -> Media
///
/// value @mediaType, B64 -> content (a Binary);  id -> identifier;  status: none is stated -> unknown
pub(super) fn image(context: &mut Context<'_>, media: Element<'_>) -> Option<File> {
    let value = media.child("value")?;
    file(context, value, Some(media))
}

/// Attached document (FR-Document-attache, 1.2.250.1.213.1.1.3.18) -> Media; the PDF copy of a laboratory report
/// (section 1.2.250.1.213.1.1.2.243) -> DiagnosticReport.presentedForm (C7-24a)
///
/// observation 3.48.18 value -> Media.type;  observationMedia -> content
pub(super) fn attached_document(context: &mut Context<'_>, organizer: Element<'_>) -> Vec<String> {
    let is_copy = context.section_of(organizer).is_document_copy;
    let components: Vec<Element<'_>> = organizer.children_named("component").collect();
    let observation = components.iter().find_map(|component| component.child("observation"));
    let mut made = Vec::new();
    for media in components.iter().filter_map(|component| component.child("observationMedia")) {
        let Some(value) = media.child("value") else { continue };
        let foreign = context.is_about_another(media).then_some(Reason::SubjectNotPatient);
        if let Some(reason) = foreign.or_else(|| super::entry::unsaid(media)) {
            context.list(media, reason);
            continue;
        }
        let url = if is_copy && context.has_laboratory {
            presented_form(context, organizer, media, value)
        } else {
            typed_media(context, media, value, observation)
        };
        made.extend(url);
    }
    match made.first() {
        Some(url) => context.claim_tree(organizer, &url.clone()),
        None => context.list(organizer, Reason::ContentUnreadable),
    }
    made
}

fn presented_form(context: &mut Context<'_>, organizer: Element<'_>, media: Element<'_>, value: Element<'_>) -> Option<String> {
    let (binary, mut content) = attachment(context, value)?;
    if let Some(title) = section_title(context, organizer) {
        content.insert("title".into(), json!(title));
    }
    context.laboratory.presented.push(Value::Object(content));
    let report = context.url(super::super::documents::diagnostic_report::PATH);
    context.claim_tree(media, &report);
    context.claim_tree(organizer, &report);
    Some(binary)
}

fn typed_media(
    context: &mut Context<'_>,
    media: Element<'_>,
    value: Element<'_>,
    observation: Option<Element<'_>>,
) -> Option<String> {
    let made = file(context, value, Some(media))?;
    let kind = observation.and_then(|observation| observation.child("value")).and_then(|value| concept(context, value));
    let created = observation.and_then(|observation| observation.child("effectiveTime")).and_then(|time| when(context, time));
    if let Some(entry) = context.entry_mut(&made.media) {
        set(&mut entry.resource, "type", kind);
        if let Some(created) = created {
            created.write(&mut entry.resource, "created");
        }
    }
    Some(made.media)
}

/// nonXMLBody (a document of level 1) -> Media and its Binary
pub(super) fn embedded_file(context: &mut Context<'_>, body: Element<'_>) -> Vec<String> {
    let Some(text) = body.child("text") else { return Vec::new() };
    file(context, text, Some(body)).map(|made| vec![made.media, made.binary]).unwrap_or_default()
}
