//! Raw content of a document (ITI-68) and Binary as FHIR. <https://hl7.org/fhir/R4/binary.html#rest>
use super::Context;
use super::read::{found, not_found};
use crate::audit::{Action, Body, Outcome};
use crate::fhir::interaction::Target;
use crate::fhir::{IssueKind, Problem};
use crate::ids::Rid;
use crate::store::{self, Access, Stored};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// `GET Binary/[id]`: the bytes under their own media type.
///
/// # Errors
/// Not here, or not for this caller: the same 404.
pub fn retrieve_document(context: &Context<'_>, access: &Access, target: &Target) -> Result<Outcome, Problem> {
    let Some((pid, rid)) = target.place else { return Err(not_found(access)) };
    let stored = envelope(context, access, target, rid)?;
    let (bytes, content_type) = store::document_get(context.unit, access, rid)?.ok_or_else(|| not_found(access))?;
    let extension = match content_type.as_str() {
        "text/xml" | "application/xml" | "application/xslt+xml" => "xml",
        "application/pdf" => "pdf",
        "image/jpeg" => "jpg",
        "image/png" => "png",
        "text/plain" => "txt",
        _ => "bin",
    };
    let file_name = format!("{}.{extension}", context.server.id(pid, rid));
    Ok(Outcome {
        status: 200,
        body: Body::Raw { content_type, bytes, file_name },
        version: Some(stored.version),
        updated: Some(stored.updated.0),
        location: None,
        events: vec![context.event_on(Action::Read, 200, target.resource_type, pid, rid)],
        remarks: Vec::new(),
    })
}

/// `GET Binary/[id]` as FHIR: the stored envelope with `data` filled in.
///
/// # Errors
/// Not here, or not for this caller: the same 404.
pub fn read_binary(context: &Context<'_>, access: &Access, target: &Target) -> Result<Outcome, Problem> {
    let Some((_, rid)) = target.place else { return Err(not_found(access)) };
    let mut stored = envelope(context, access, target, rid)?;
    if let Some((bytes, _)) = store::document_get(context.unit, access, rid)? {
        let mut body = stored.resource()?;
        body.insert("data".into(), STANDARD.encode(bytes).into());
        stored.body = serde_json::Value::Object(body).to_string().into_bytes();
    }
    Ok(found(context, stored))
}

/// The Binary without its bytes; of a withdrawn document 410 to who could see it otherwise (decision 2).
fn envelope(context: &Context<'_>, access: &Access, target: &Target, rid: Rid) -> Result<Stored, Problem> {
    match store::resource_read(context.unit, access, target.resource_type, rid)? {
        Some(stored) => Ok(stored),
        None if store::resource_withdrawn(context.unit, access, target.resource_type, rid)? => {
            Err(Problem::new(IssueKind::ResourceDeleted, "The document was withdrawn"))
        }
        None => Err(not_found(access)),
    }
}
