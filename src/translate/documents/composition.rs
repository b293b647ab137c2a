//! The Composition of a document: header and narrative (C6, C10).
use super::super::codes::concept;
use super::super::context::{Context, reference, resource, set};
use super::super::datatypes::{date_time, identifier, when};
use super::super::header::{Attestation, Header};
use super::super::narrative::narrative;
use super::super::participants::Participant;
use super::super::sections::SectionEntries;
use crate::cda::{Element, template};
use crate::fhir::Resource;
use serde_json::{Value, json};
use std::collections::HashSet;

/// ClinicalDocument -> Composition
///
/// setId -> identifier;  code, title, effectiveTime, languageCode -> type, title, date, language
/// status: lab:statusCode, else final where the document is signed (legalAuthenticator), else preliminary
/// author, custodian, legalAuthenticator, authenticator -> author, custodian, attester
/// relatedDocument RPLC -> relatesTo;  serviceEvent -> event;  section -> section with its narrative and entries
/// dataEnterer, informant, participant -> agents of the Provenance: the extensions of the clinical document guide are of R5
pub(in super::super) fn composition(context: &mut Context<'_>, header: &Header, sections: &SectionEntries, report: Option<&str>) {
    let root = context.document.root();
    let mut out = resource("Composition");
    let language = context.header.language.clone();
    set(&mut out, "language", language.map(|language| json!(language)));
    set(&mut out, "extension", Value::Array(extensions(context, header)));
    let set_id = context.header.set_id.as_ref().and_then(identifier);
    set(&mut out, "identifier", set_id);
    set(&mut out, "status", json!(status(context)));
    let kind = root.child("code").and_then(|code| concept(context, code));
    set(&mut out, "type", kind.unwrap_or_else(|| super::super::datatypes::absent("NI")));
    set(&mut out, "subject", Context::subject());
    set(&mut out, "encounter", context.encounter.as_deref().map(reference));
    let date = root.child("effectiveTime").and_then(|time| date_time(context, time));
    match date {
        Some(date) => set(&mut out, "date", json!(date)),
        None => set(&mut out, "_date", super::super::datatypes::absent("NI")),
    }
    let mut seen = HashSet::new();
    let authors = header.authors.iter().filter(|author| seen.insert(author.url.as_str()));
    let mut authors: Vec<Value> = authors.map(Participant::reference).collect();
    if authors.is_empty() {
        authors.push(super::super::datatypes::absent("NI"));
    }
    set(&mut out, "author", Value::Array(authors));
    let title = context
        .header
        .title
        .clone()
        .or_else(|| root.child("code").and_then(|code| code.stated("displayName")).map(str::to_owned));
    set(&mut out, "title", json!(title.unwrap_or_else(|| "Document".to_owned())));
    // The codes of R4's value set; any other stays in the original.
    let confidentiality = context.header.confidentiality.clone();
    let confidentiality = confidentiality.filter(|code| ["U", "L", "M", "N", "R", "V"].contains(&code.as_str()));
    set(&mut out, "confidentiality", confidentiality.map(|code| json!(code)));
    let mut attesters: Vec<Value> = header.legal.iter().map(|legal| attester("legal", legal)).collect();
    attesters.extend(header.attesters.iter().map(|attestation| attester("professional", attestation)));
    set(&mut out, "attester", Value::Array(attesters));
    set(&mut out, "custodian", header.custodian.as_deref().map(reference));
    set(&mut out, "relatesTo", Value::Array(relations(context)));
    let events = events(context);
    set(&mut out, "event", Value::Array(events));
    let mut report = report;
    let body = sections_of(context, sections, &mut report);
    set(&mut out, "section", Value::Array(body));
    context.add("/ClinicalDocument#Composition".to_owned(), out);
}

fn status(context: &Context<'_>) -> &'static str {
    let statuses: Vec<&str> = context.header.service_events.iter().filter_map(|event| event.status.as_deref()).collect();
    let signed = context.document.root().at("legalAuthenticator/signatureCode").and_then(|code| code.stated("code")) == Some("S");
    if statuses.contains(&"active") {
        "preliminary"
    } else if (!statuses.is_empty() && statuses.iter().all(|status| *status == "completed")) || signed {
        "final"
    } else {
        "preliminary"
    }
}

fn extensions(context: &Context<'_>, header: &Header) -> Vec<Value> {
    let mut out = Vec::new();
    if let Some(version) = context.header.version_number {
        let url = "http://hl7.org/fhir/5.0/StructureDefinition/extension-Composition.version";
        out.push(json!({"url": url, "valueString": version.to_string()}));
    }
    for order in &header.orders {
        out.push(json!({"url": "http://hl7.org/fhir/StructureDefinition/event-basedOn", "valueReference": reference(order)}));
    }
    out
}

fn attester(mode: &str, attestation: &Attestation) -> Value {
    let mut out = Resource::new();
    set(&mut out, "mode", json!(mode));
    set(&mut out, "time", attestation.time.as_ref().map(|time| json!(time)));
    set(&mut out, "party", attestation.party.reference());
    Value::Object(out)
}

fn relations(context: &Context<'_>) -> Vec<Value> {
    let replaced = context.header.related_documents.iter().filter(|related| related.type_code == "RPLC");
    replaced
        .flat_map(|related| &related.ids)
        .filter_map(identifier)
        .map(|id| json!({"code": "replaces", "targetIdentifier": id}))
        .collect()
}

fn events(context: &mut Context<'_>) -> Vec<Value> {
    let root = context.document.root();
    let mut out = Vec::new();
    for event in root.children_named("documentationOf").filter_map(|documentation| documentation.child("serviceEvent")) {
        let mut one = Resource::new();
        let code = event.child("code").and_then(|code| concept(context, code));
        set(&mut one, "code", code.map(|code| json!([code])));
        let period = event.child("effectiveTime").and_then(|time| when(context, time));
        set(&mut one, "period", period.map(|period| period.period()));
        if !one.is_empty() {
            out.push(Value::Object(one));
        }
    }
    out
}

fn sections_of(context: &mut Context<'_>, sections: &SectionEntries, report: &mut Option<&str>) -> Vec<Value> {
    let root = context.document.root();
    if let Some(body) = root.at("component/nonXMLBody") {
        let entries = sections.get(&body.number()).cloned().unwrap_or_default();
        if entries.is_empty() {
            return Vec::new();
        }
        return vec![json!({"entry": super::super::context::references(&entries)})];
    }
    let Some(body) = root.at("component/structuredBody") else { return Vec::new() };
    below(context, body, sections, report)
}

fn below(context: &mut Context<'_>, parent: Element<'_>, sections: &SectionEntries, report: &mut Option<&str>) -> Vec<Value> {
    let children = parent.children_named("component").filter_map(|component| component.child("section"));
    children.map(|child| section(context, child, sections, report)).collect()
}

/// section -> Composition.section: code, title, text as safe XHTML, what its entries became; an empty one says so.
fn section(context: &mut Context<'_>, section: Element<'_>, sections: &SectionEntries, report: &mut Option<&str>) -> Value {
    let mut out = Resource::new();
    let title = section.child("title").map(Element::text).filter(|title| !title.is_empty());
    set(&mut out, "title", title.map(|title| json!(title)));
    let code = section.child("code").and_then(|code| concept(context, code));
    set(&mut out, "code", code);
    set(&mut out, "text", section.child("text").and_then(narrative));
    let mut entries = sections.get(&section.number()).cloned().unwrap_or_default();
    // The report of a laboratory document stands in its first chapter, that of imaging in its first catalogue.
    if section.has_template(template::LABORATORY_CHAPTER) || section.has_template(template::DICOM_CATALOG) {
        entries.splice(0..0, report.take().map(str::to_owned));
    }
    set(&mut out, "entry", super::super::context::references(&entries));
    let inner = below(context, section, sections, report);
    set(&mut out, "section", Value::Array(inner));
    if !["text", "entry", "section"].iter().any(|name| out.contains_key(*name)) {
        let system = "http://terminology.hl7.org/CodeSystem/list-empty-reason";
        set(&mut out, "text", super::super::narrative::empty());
        set(&mut out, "emptyReason", json!({"coding": [{"system": system, "code": "unavailable"}]}));
    }
    Value::Object(out)
}
