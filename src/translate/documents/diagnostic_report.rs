//! The DiagnosticReport of a laboratory report: one for each document (C7-1).
use super::super::codes::concept;
use super::super::context::{Context, reference, references, resource, set};
use super::super::datatypes::{identifier, when};
use super::super::header::Header;
use super::super::issue::IssueCode;
use super::super::participants::Kind;
use super::super::sections::status;
use serde_json::{Value, json};

/// Entry path of the report.
pub(in super::super) const PATH: &str = "/ClinicalDocument#DiagnosticReport";

/// A document with laboratory entries -> DiagnosticReport
///
/// id -> identifier;  code -> code;  lab:statusCode of the service events -> status (the least, C4)
/// category: LAB, LOINC 26436-6, each chapter's code;  first serviceEvent/effectiveTime -> `effective[x]`
/// effectiveTime -> issued;  serviceEvent/performer -> performer;  AUTHEN -> resultsInterpreter;  orders -> basedOn
/// acts -> result;  3.77, isolates -> specimen;  3.103 -> media;  section 55108-5 -> presentedForm
pub(in super::super) fn diagnostic_report(context: &mut Context<'_>, header: &Header) -> Option<String> {
    if !context.has_laboratory {
        return None;
    }
    let root = context.document.root();
    let mut out = resource("DiagnosticReport");
    let id = context.header.id.as_ref().and_then(identifier);
    set(&mut out, "identifier", id.map(|id| json!([id])));
    set(&mut out, "basedOn", references(&header.orders));
    set(&mut out, "status", json!(report_status(context)));
    let mut categories = vec![
        json!({"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0074", "code": "LAB"}]}),
        json!({"coding": [{"system": "http://loinc.org", "code": "26436-6"}]}),
    ];
    categories.append(&mut context.laboratory.chapters);
    set(&mut out, "category", Value::Array(categories));
    let code = root.child("code").and_then(|code| concept(context, code));
    set(&mut out, "code", code.unwrap_or_else(|| super::super::datatypes::absent("NI")));
    set(&mut out, "subject", Context::subject());
    set(&mut out, "encounter", context.encounter.as_deref().map(reference));
    let times = root.children_named("documentationOf").filter_map(|documentation| documentation.at("serviceEvent/effectiveTime"));
    let effective = times.into_iter().find_map(|time| when(context, time));
    if let Some(effective) = effective {
        effective.write(&mut out, "effective");
    }
    set(&mut out, "issued", context.issued.as_ref().map(|time| json!(time)));
    let performers = header.performers.iter().filter(|who| who.kind == Kind::Professional);
    set(&mut out, "performer", Value::Array(performers.map(|who| who.reference()).collect()));
    let laboratory = std::mem::take(&mut context.laboratory);
    set(&mut out, "resultsInterpreter", references(&laboratory.interpreters));
    set(&mut out, "specimen", references(&laboratory.specimens));
    set(&mut out, "result", references(&laboratory.results));
    let media = laboratory.media.iter().map(|url| json!({"link": reference(url)})).collect();
    set(&mut out, "media", Value::Array(media));
    set(&mut out, "presentedForm", Value::Array(laboratory.presented));
    Some(context.add(PATH.to_owned(), out))
}

/// The least of the statuses that the service events state; unknown where none states one.
pub(super) fn report_status(context: &mut Context<'_>) -> &'static str {
    // Of least to most: what is not known, not begun, not done, wrong, given up; only all final is final.
    const ORDER: [&str; 6] = ["unknown", "registered", "preliminary", "entered-in-error", "cancelled", "final"];
    let stated = context.header.service_events.iter().filter_map(|event| event.status.as_deref());
    let statuses: Vec<&'static str> = stated.map(|code| status::diagnostic_report(Some(code))).collect();
    let least = ORDER.into_iter().find(|status| statuses.contains(status)).unwrap_or("unknown");
    if statuses.iter().any(|status| *status != least) {
        let root = context.document.root();
        context.issue(IssueCode::ServiceStatusMixed, root);
    }
    least
}
