//! FR-Directive-anticipee (3.54) -> Consent that the access rules never read (C8-35).
use super::super::codes::concept;
use super::super::context::{Context, resource, set};
use super::super::datatypes::{absent, identifiers, when};
use super::super::issue::IssueCode;
use super::entry::{self, is_denied};
use super::{media, observation::comments, status};
use crate::cda::Element;
use crate::fhir::Resource;
use serde_json::{Value, json};

/// Advance directive (FR-Directive-anticipee, 1.2.250.1.213.1.1.3.54) -> Consent
///
/// scope `adr`, category LOINC 42348-3;  statusCode -> status (C4; absent: listed);  text, else the code's -> policyRule.text
/// effectiveTime -> dateTime (its start), provision.period;  value BL true -> provision.type permit, false -> deny; code -> provision.code
/// no BL -> no provision;  observationMedia -> sourceAttachment (a Binary);  3.32 -> extension of this server
/// negationInd=true with a value: what is meant is not certain, listed
pub(super) fn directive(context: &mut Context<'_>, element: Element<'_>) -> Vec<String> {
    let url = context.url(&element.path());
    let status = if is_denied(element) { None } else { status::code(element).and_then(status::consent) };
    let Some(status) = status else { return super::status_not_mapped(context, element).into_iter().collect() };
    let mut out = resource("Consent");
    let notes = comments(context, element, &url);
    let extension = format!("{}/StructureDefinition/note", crate::fhir::CANONICAL);
    let notes = notes.into_iter().map(|note| json!({"url": extension, "valueAnnotation": note}));
    set(&mut out, "extension", Value::Array(notes.collect()));
    set(&mut out, "identifier", Value::Array(identifiers(context, element)));
    set(&mut out, "status", json!(status));
    let scope = json!({"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "adr"}]});
    set(&mut out, "scope", scope);
    set(&mut out, "category", json!([{"coding": [{"system": "http://loinc.org", "code": "42348-3"}]}]));
    set(&mut out, "patient", Context::subject());
    let time = element.child("effectiveTime").and_then(|time| when(context, time));
    let period = time.as_ref().map(super::super::datatypes::When::period);
    let start = period.as_ref().and_then(|period| period.get("start")).cloned();
    set(&mut out, "dateTime", start);
    let made = source(context, element, &mut out);
    let code = element.child("code").and_then(|code| concept(context, code));
    let rule = entry::text(context, element).or_else(|| code.as_ref()?.get("text")?.as_str().map(str::to_owned));
    set(&mut out, "policyRule", rule.map(|text| json!({"text": text})).unwrap_or_else(|| absent("NI")));
    if let Some(kind) = provision_type(context, element) {
        let mut provision = Resource::new();
        set(&mut provision, "type", json!(kind));
        set(&mut provision, "code", code.map(|code| json!([code])));
        set(&mut out, "provision", Value::Object(provision));
    }
    entry::author(context, element);
    context.add(element.path(), out);
    entry::claim(context, element, &url, &["id", "code", "text", "effectiveTime", "value"]);
    super::list_rest(context, element);
    let mut all = vec![url];
    all.extend(made);
    all
}

/// value BL true, false -> permit, deny; a value of another type has no place.
fn provision_type(context: &mut Context<'_>, element: Element<'_>) -> Option<&'static str> {
    let value = element.child("value")?;
    match (value.xsi_type(), value.stated("value")) {
        (Some("BL"), Some("true")) => Some("permit"),
        (Some("BL"), Some("false")) => Some("deny"),
        (_, _) => {
            if value.stated("nullFlavor").is_none() {
                context.issue(IssueCode::ValueNotTranslated, value);
            }
            None
        }
    }
}

/// observationMedia below -> sourceAttachment, whose url is the Binary; else the document is the source.
fn source(context: &mut Context<'_>, element: Element<'_>, out: &mut Resource) -> Vec<String> {
    let media = entry::below(element).map(|(_, child)| child).find(|child| child.is("observationMedia"));
    if let Some(media) = media
        && !context.is_about_another(media)
        && entry::unsaid(media).is_none()
        && let Some(value) = media.child("value")
        && let Some((binary, content)) = media::attachment(context, value)
    {
        set(out, "sourceAttachment", Value::Object(content));
        context.claim_tree(media, &binary);
        return vec![binary];
    }
    set(out, "sourceReference", Context::document_reference());
    Vec::new()
}
