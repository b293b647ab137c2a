//! The DiagnosticReport of an imaging report: one for each document that catalogues DICOM studies.
use super::super::codes::concept;
use super::super::context::{Context, reference, references, resource, set};
use super::super::datatypes::{identifier, when};
use super::super::header::Header;
use super::super::participants::Kind;
use super::super::sections::SectionEntries;
use super::diagnostic_report::{PATH, report_status};
use serde_json::{Value, json};

/// Bytes of a conclusion; real ones have some hundreds.
const CONCLUSION: usize = 64 << 10;

/// A document with an ImagingStudy (FR-DICOM-Examen-imagerie, 3.155) -> DiagnosticReport
///
/// id, code -> identifier, code;  lab:statusCode of the service events -> status (the least, C4; none: unknown)
/// category: IMG;  first serviceEvent/effectiveTime -> `effective[x]`;  effectiveTime -> issued;  orders -> basedOn
/// serviceEvent/performer -> performer;  3.155 -> imagingStudy;  images -> media
/// observations of the sections 59776-5 (results) and 73569-6 (exposure) -> result, text of 19005-8 -> conclusion
pub(in super::super) fn imaging_report(context: &mut Context<'_>, header: &Header, sections: &SectionEntries) -> Option<String> {
    let (mut studies, mut results, mut media) = (Vec::new(), Vec::new(), Vec::new());
    let mut conclusion = None;
    let root = context.document.root();
    for section in root.subtree().filter(|element| element.is("section")) {
        let code = context.section(section).code;
        for url in sections.get(&section.number()).into_iter().flatten() {
            let kind = context.entry_mut(url).and_then(|entry| entry.resource.get("resourceType").cloned());
            match kind.as_ref().and_then(Value::as_str) {
                Some("ImagingStudy") => studies.push(url.clone()),
                Some("Observation") if matches!(code, Some("59776-5" | "73569-6")) => results.push(url.clone()),
                Some("Media") => media.push(json!({"link": reference(url)})),
                Some(_) | None => {}
            }
        }
        if code == Some("19005-8") && conclusion.is_none() {
            let text = section.child("text").filter(|text| text.size() <= CONCLUSION);
            conclusion = text.map(crate::cda::Element::text).filter(|text| !text.is_empty() && text.len() <= CONCLUSION);
        }
    }
    if studies.is_empty() || context.has_laboratory {
        return None;
    }
    let mut out = resource("DiagnosticReport");
    let id = context.header.id.as_ref().and_then(identifier);
    set(&mut out, "identifier", id.map(|id| json!([id])));
    set(&mut out, "basedOn", references(&header.orders));
    set(&mut out, "status", json!(report_status(context)));
    let category = json!({"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0074", "code": "IMG"}]});
    set(&mut out, "category", json!([category]));
    let code = root.child("code").and_then(|code| concept(context, code));
    set(&mut out, "code", code.unwrap_or_else(|| super::super::datatypes::absent("NI")));
    set(&mut out, "subject", Context::subject());
    set(&mut out, "encounter", context.encounter.as_deref().map(reference));
    let mut times =
        root.children_named("documentationOf").filter_map(|documentation| documentation.at("serviceEvent/effectiveTime"));
    if let Some(effective) = times.find_map(|time| when(context, time)) {
        effective.write(&mut out, "effective");
    }
    set(&mut out, "issued", context.issued.as_ref().map(|time| json!(time)));
    let performers = header.performers.iter().filter(|who| who.kind == Kind::Professional);
    set(&mut out, "performer", Value::Array(performers.map(|who| who.reference()).collect()));
    set(&mut out, "result", references(&results));
    set(&mut out, "imagingStudy", references(&studies));
    set(&mut out, "media", Value::Array(media));
    set(&mut out, "conclusion", conclusion.map(|text| json!(text)));
    Some(context.add(PATH.to_owned(), out))
}
