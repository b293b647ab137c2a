//! The attachment: its bytes, and whether size and hash say the same of them (BR-48, decision 7).
use crate::fhir::{Issue, IssueKind, Problem, Resource};
use crate::store::Original;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use std::borrow::Cow;

/// The document as it came.
pub(super) struct Content {
    /// Its bytes, never changed.
    pub(super) bytes: Vec<u8>,
    /// Their hashes, and the bytes as they are stored.
    pub(super) original: Original,
    /// Remarks that do not stop the deposit.
    pub(super) issues: Vec<Issue>,
}

const ATTACHMENT: &str = "DocumentReference.content[0].attachment";

/// Decodes and checks the one attachment.
///
/// # Errors
/// 422 at the element that is absent or says something else than the bytes.
pub(super) fn decode(body: &Resource) -> Result<Content, Problem> {
    let contents = body.get("content").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let [content] = contents else {
        return Err(Problem::at(
            IssueKind::StructureInvalid,
            "DocumentReference.content",
            "A deposit has exactly one content (PDSm)",
        ));
    };
    let attachment = content
        .get("attachment")
        .and_then(Value::as_object)
        .ok_or_else(|| Problem::at(IssueKind::RequiredMissing, ATTACHMENT, "The content has no attachment"))?;
    if attachment.contains_key("url") {
        return Err(Problem::at(
            IssueKind::BusinessRule,
            format!("{ATTACHMENT}.url"),
            "The document comes in attachment.data (ITI-105); a URL is never fetched",
        ));
    }
    let data = attachment.get("data").and_then(Value::as_str).ok_or_else(|| {
        Problem::at(IssueKind::RequiredMissing, format!("{ATTACHMENT}.data"), "The document comes in attachment.data (ITI-105)")
    })?;
    content_type(attachment)?;
    let compact = match data.bytes().any(|byte| byte.is_ascii_whitespace()) {
        true => Cow::Owned(data.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect()),
        false => Cow::Borrowed(data.as_bytes()),
    };
    let bytes = STANDARD.decode(compact).map_err(|_not_base64| {
        Problem::at(IssueKind::ValueInvalid, format!("{ATTACHMENT}.data"), "The data is not base64, or is cut off")
    })?;
    if bytes.is_empty() {
        return Err(Problem::at(
            IssueKind::BusinessRule,
            format!("{ATTACHMENT}.data"),
            "An empty document may not be deposited (BR-44)",
        ));
    }
    let original = Original::pack(&bytes)?;
    let issues = size_and_hash(attachment, bytes.len(), original.sha1())?;
    Ok(Content { bytes, original, issues })
}

/// CDA, or CDA inside an XSL stylesheet (BR-46).
fn content_type(attachment: &Resource) -> Result<(), Problem> {
    let stated = attachment.get("contentType").and_then(Value::as_str).unwrap_or_default();
    let bare = stated.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match bare.as_str() {
        "text/xml" | "application/xml" | "application/xslt+xml" => Ok(()),
        "" => Err(Problem::at(
            IssueKind::RequiredMissing,
            format!("{ATTACHMENT}.contentType"),
            "The media type of the document is required",
        )),
        _ => {
            let text = "A document of the DMP is a CDA (text/xml), or one inside a stylesheet (application/xslt+xml); a PDF comes wrapped in a CDA of level 1";
            Err(Problem::at(IssueKind::BusinessRule, format!("{ATTACHMENT}.contentType"), text))
        }
    }
}

/// Size in bytes; SHA-1 as base64 of the raw digest, or, with a warning, base64 of its hexadecimal form (decision 7).
fn size_and_hash(attachment: &Resource, size: usize, sha1: &[u8]) -> Result<Vec<Issue>, Problem> {
    if let Some(stated) = attachment.get("size")
        && stated.as_u64() != u64::try_from(size).ok()
    {
        return Err(Problem::at(
            IssueKind::ValueInvalid,
            format!("{ATTACHMENT}.size"),
            "The size is not that of the document (BR-48)",
        ));
    }
    let Some(stated) = attachment.get("hash").and_then(Value::as_str) else { return Ok(Vec::new()) };
    let path = format!("{ATTACHMENT}.hash");
    let decoded = STANDARD.decode(stated).unwrap_or_default();
    if decoded == sha1 {
        return Ok(Vec::new());
    }
    let hex: String = sha1.iter().map(|byte| format!("{byte:02x}")).collect();
    if decoded.eq_ignore_ascii_case(hex.as_bytes()) || stated.eq_ignore_ascii_case(&hex) {
        return Ok(vec![Issue::at(
            IssueKind::Warning,
            path,
            "The hash is base64 of the hexadecimal form; R4 wants base64 of the digest",
        )]);
    }
    Err(Problem::at(IssueKind::ValueInvalid, path, "The hash is not the SHA-1 of the document (BR-48)"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// `<a/>`: 4 bytes, SHA-1 b94b4ff09e9d94b7c6d3c4b7f6a0d1f5... computed by openssl in the test itself.
    fn attachment(change: impl FnOnce(&mut Resource)) -> Result<Content, Problem> {
        let sha1 = openssl::sha::sha1(b"<a/>");
        let mut attachment = json!({"contentType": "text/xml", "data": "PGEvPg==", "size": 4, "hash": STANDARD.encode(sha1)});
        change(attachment.as_object_mut().unwrap());
        let body = json!({"content": [{"attachment": attachment}]});
        decode(body.as_object().unwrap())
    }

    fn fault(change: impl FnOnce(&mut Resource)) -> String {
        let problem = attachment(change).map(|_| ()).unwrap_err();
        assert_eq!(problem.status(), 422);
        problem.issues().next().unwrap().expression.clone().unwrap()
    }

    #[test]
    fn bytes_come_back_as_they_were() {
        assert_eq!(attachment(|_| {}).unwrap().bytes, b"<a/>")
    }

    #[test]
    fn a_wrong_hash_size_or_truncated_base64_is_refused_at_its_element() {
        assert!(
            fault(|a| {
                a.insert("hash".into(), "2jmj7l5rSw0yVb/vlWAYkK/YBwk=".into());
            })
            .ends_with(".hash")
        );
        assert!(
            fault(|a| {
                a.insert("size".into(), 5.into());
            })
            .ends_with(".size")
        );
        assert!(
            fault(|a| {
                a.insert("data".into(), "PGEvP".into());
            })
            .ends_with(".data")
        );
        assert!(
            fault(|a| {
                a.remove("data");
            })
            .ends_with(".data")
        );
        assert!(
            fault(|a| {
                a.insert("contentType".into(), "application/pdf".into());
            })
            .ends_with(".contentType")
        );
    }

    #[test]
    fn base64_of_the_hexadecimal_hash_is_accepted_with_a_warning() {
        let hex: String = openssl::sha::sha1(b"<a/>").iter().map(|byte| format!("{byte:02x}")).collect();
        let content = attachment(|a| {
            a.insert("hash".into(), STANDARD.encode(hex).into());
        })
        .unwrap();
        assert_eq!(content.issues.len(), 1);
    }
}
