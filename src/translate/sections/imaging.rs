//! Imaging: FR-DICOM-Examen-imagerie (3.155, with 3.156, 3.157) -> ImagingStudy.
use super::super::codes::{codings, concept};
use super::super::context::{Context, resource, set};
use super::super::datatypes::{When, absent, when};
use super::entry::{self, is_denied};
use super::observation::comments;
use super::status;
use crate::cda::{Element, template};
use crate::fhir::Resource;
use serde_json::{Value, json};

/// Series of one study, instances of one series that are read.
const SERIES: usize = 1_000;

/// Study (FR-DICOM-Examen-imagerie, 1.2.250.1.213.1.1.3.155, act EVN) -> ImagingStudy
///
/// id -> identifier `urn:dicom:uid` (the Study Instance UID);  effectiveTime -> started;  statusCode: of a study none is
/// stated -> unknown;  text -> description;  act 3.156 -> series: id -> uid, code/qualifier/value -> modality, effectiveTime -> started
/// observation 3.157 below -> series.instance: id -> uid, code -> sopClass;  3.32 -> note;  negationInd: listed
pub(super) fn study(context: &mut Context<'_>, element: Element<'_>) -> Option<String> {
    let url = context.url(&element.path());
    let status = match status::code(element) {
        _ if is_denied(element) => None,
        None | Some("active" | "completed" | "held" | "suspended") => Some("unknown"),
        Some("cancelled" | "aborted") => Some("cancelled"),
        Some("nullified") => Some("entered-in-error"),
        Some(_) => None,
    };
    let Some(status) = status else { return super::status_not_mapped(context, element) };
    let mut out = resource("ImagingStudy");
    let ids = element.ids().into_iter().filter(|id| id.extension.is_none());
    let ids = ids.filter_map(|id| id.root_uri()).map(|uri| json!({"system": "urn:dicom:uid", "value": uri}));
    set(&mut out, "identifier", Value::Array(ids.collect()));
    set(&mut out, "status", json!(status));
    set(&mut out, "subject", Context::subject());
    let started = started(context, element);
    set(&mut out, "started", started.map(|time| json!(time)));
    let text = entry::text(context, element);
    set(&mut out, "description", text.map(|text| json!(text)));
    set(&mut out, "note", Value::Array(comments(context, element, &url)));
    let all: Vec<Element<'_>> = entry::below(element)
        .map(|(_, child)| child)
        .filter(|act| act.has_template(template::DICOM_SERIES))
        .take(SERIES)
        .collect();
    let mut series = Vec::new();
    for one in all {
        match entry::refused(context, one) {
            Some(reason) => context.list(one, reason),
            None => series.extend(self::series(context, one, &url)),
        }
    }
    set(&mut out, "series", Value::Array(series));
    entry::author(context, element);
    context.add(element.path(), out);
    entry::claim(context, element, &url, &["id", "code", "text", "effectiveTime"]);
    super::list_rest(context, element);
    Some(url)
}

fn started(context: &mut Context<'_>, element: Element<'_>) -> Option<String> {
    match element.child("effectiveTime").and_then(|time| when(context, time))? {
        When::DateTime(time) => Some(time),
        When::Period(low, _) => low,
    }
}

/// The UID of a series or an instance; without one it cannot be named.
fn uid(element: Element<'_>) -> Option<String> {
    let root = element.ids().into_iter().find(|id| id.extension.is_none())?.root;
    let is_uid = root.len() <= 64 && root.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    is_uid.then_some(root)
}

fn series(context: &mut Context<'_>, element: Element<'_>, url: &str) -> Option<Value> {
    let Some(uid) = uid(element) else {
        context.list(element, super::super::account::Reason::ElementNotMapped);
        return None;
    };
    let mut out = Resource::new();
    set(&mut out, "uid", json!(uid));
    let modality = element.child("code").and_then(|code| code.at("qualifier/value"));
    let modality = modality.and_then(|modality| codings(context, modality).into_iter().next());
    set(&mut out, "modality", modality.unwrap_or_else(|| absent("NI")));
    let text = entry::text(context, element);
    set(&mut out, "description", text.map(|text| json!(text)));
    let started = started(context, element);
    set(&mut out, "started", started.map(|time| json!(time)));
    let all: Vec<Element<'_>> = entry::below(element)
        .map(|(_, child)| child)
        .filter(|child| child.has_template(template::DICOM_INSTANCE))
        .take(SERIES)
        .collect();
    let mut instances = Vec::new();
    for one in all {
        let Some(uid) = self::uid(one) else {
            context.list(one, super::super::account::Reason::ElementNotMapped);
            continue;
        };
        let mut instance = Resource::new();
        set(&mut instance, "uid", json!(uid));
        let class = one.child("code").and_then(|code| code.stated("code"));
        let class = class.map(|code| json!({"system": "urn:ietf:rfc:3986", "code": format!("urn:oid:{code}")}));
        set(&mut instance, "sopClass", class.unwrap_or_else(|| absent("NI")));
        let title = one.child("code").and_then(|code| concept(context, code)).and_then(|code| code.get("text").cloned());
        set(&mut instance, "title", title);
        instances.push(Value::Object(instance));
        entry::claim(context, one, url, &["id", "code", "effectiveTime"]);
        super::list_rest(context, one);
    }
    set(&mut out, "instance", Value::Array(instances));
    entry::claim(context, element, url, &["id", "code", "text", "effectiveTime"]);
    super::list_rest(context, element);
    Some(Value::Object(out))
}
