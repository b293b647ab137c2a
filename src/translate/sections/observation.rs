//! Observations: the parts that every template shares, and FR-Simple-Observation (3.48).
use super::super::codes::{concept, data_absent_reason, differs_from_text, number_differs, resolved_text};
use super::super::context::{Context, reference, set};
use super::super::datatypes::{
    Interval, When, bounds, date_time, decimal, has_center_or_width, identifiers, is_exclusive, is_upside_down, ivl_pq, pq,
    ratio, when,
};
use super::super::issue::IssueCode;
use super::super::{account::Reason, context, participants};
use super::{media, status};
use crate::cda::Element;
use crate::fhir::Resource;
use serde_json::{Value, json};

/// Modifier of a denied finding (R4).
const NEGATION: &str = "http://hl7.org/cda/stds/core/StructureDefinition/negationInd";

/// What is different in each template.
#[derive(Default)]
pub(super) struct Parts {
    pub(super) categories: Vec<Value>,
    pub(super) code: Option<Value>,
    pub(super) effective: Option<When>,
    pub(super) performers: Vec<Value>,
    pub(super) notes: Vec<Value>,
    pub(super) specimen: Option<String>,
    pub(super) device: Option<String>,
    pub(super) members: Vec<String>,
    pub(super) media: Vec<String>,
    pub(super) supporting: Vec<String>,
    /// The value, where it is not the `value` of the element (an isolate's organism).
    pub(super) value: Option<Value>,
    /// Reported from before: not issued with this document.
    pub(super) previous: bool,
}

/// observation, organizer, act -> Observation, with the parts that its template knows
///
/// id, statusCode -> identifier, status (C4);  value -> `value[x]`;  interpretationCode -> interpretation
/// methodCode -> method;  referenceRange -> referenceRange;  negationInd=true -> modifierExtension
pub(super) fn observation(context: &mut Context<'_>, element: Element<'_>, parts: Parts) -> Option<String> {
    let url = context.url(&element.path());
    let values: Vec<Element<'_>> = element.children_named("value").collect();
    let has_value = parts.value.is_some() || values.first().is_some_and(|value| value.stated("nullFlavor").is_none());
    let Some(status) = status::observation(status::code(element), has_value) else {
        context.issue(IssueCode::StatusNotMapped, element);
        context.list(element, Reason::StatusNotMapped);
        return None;
    };
    context.claim(element, &url);
    let mut out = context::resource("Observation");
    let supporting = parts.supporting.iter().map(|url| {
        let extension = "http://hl7.org/fhir/StructureDefinition/workflow-supportingInfo";
        json!({"url": extension, "valueReference": reference(url)})
    });
    set(&mut out, "extension", Value::Array(supporting.collect()));
    if super::entry::is_denied(element) {
        set(&mut out, "modifierExtension", json!([{"url": NEGATION, "valueBoolean": true}]));
    }
    set(&mut out, "identifier", Value::Array(identifiers(context, element)));
    set(&mut out, "status", json!(status));
    set(&mut out, "category", Value::Array(parts.categories));
    if let Some(code) = element.child("code") {
        context.claim_tree(code, &url);
    }
    set(&mut out, "code", parts.code.unwrap_or_else(data_absent_reason_only));
    set(&mut out, "subject", Context::subject());
    if let Some(time) = element.child("effectiveTime") {
        context.claim_tree(time, &url);
    }
    if let Some(effective) = &parts.effective {
        effective.write(&mut out, "effective");
    }
    set(&mut out, "issued", context.issued.as_ref().filter(|_| !parts.previous).map(|time| json!(time)));
    set(&mut out, "performer", Value::Array(parts.performers));
    let mut media = parts.media;
    let mut differs = false;
    if let Some(value) = parts.value {
        set(&mut out, "valueCodeableConcept", value);
    } else {
        differs = self::value(context, element, &values, &url, &mut out, &mut media);
    }
    concepts(context, element, "interpretationCode", &url, |concepts| set(&mut out, "interpretation", Value::Array(concepts)));
    set(&mut out, "note", Value::Array(parts.notes));
    concepts(context, element, "targetSiteCode", &url, |mut sites| set(&mut out, "bodySite", sites.pop()));
    concepts(context, element, "methodCode", &url, |mut methods| set(&mut out, "method", methods.pop()));
    set(&mut out, "specimen", parts.specimen.as_deref().map(reference));
    set(&mut out, "device", parts.device.as_deref().map(reference));
    set(&mut out, "referenceRange", reference_ranges(context, element, &url));
    set(&mut out, "hasMember", context::references(&parts.members));
    set(&mut out, "derivedFrom", context::references(&media));
    context.add(element.path(), out);
    if differs {
        context.tag(&url, "text-differs");
    }
    Some(url)
}

/// A CodeableConcept that only says that there is no code.
fn data_absent_reason_only() -> Value {
    super::super::datatypes::absent("NI")
}

/// The concepts of the children with this name, claimed.
fn concepts(context: &mut Context<'_>, element: Element<'_>, name: &str, url: &str, mut write: impl FnMut(Vec<Value>)) {
    let mut out = Vec::new();
    for child in element.children_named(name) {
        out.extend(concept(context, child));
        context.claim_tree(child, url);
    }
    if !out.is_empty() {
        write(out);
    }
}

/// observation/value -> `value[x]` (C7-10 to C7-13); true where code and attested text contradict each other (R6).
fn value(
    context: &mut Context<'_>,
    element: Element<'_>,
    values: &[Element<'_>],
    url: &str,
    out: &mut Resource,
    media: &mut Vec<String>,
) -> bool {
    let Some((first, more)) = values.split_first() else { return false };
    for other in more {
        context.issue(IssueCode::ValueNotTranslated, *other);
        context.list(*other, Reason::ElementNotMapped);
    }
    // A file has its own issue and its own reason where it cannot be read.
    if first.stated("representation") == Some("B64") {
        media.extend(media::file(context, *first, Some(element)).map(|made| made.media));
        return false;
    }
    match (value_x(context, *first), first.stated("nullFlavor")) {
        (Some((name, value)), _) => {
            out.insert(name.to_owned(), value);
            context.claim_tree(*first, url);
        }
        (None, Some(flavor)) => {
            set(out, "dataAbsentReason", data_absent_reason(flavor));
            context.claim_tree(*first, url);
        }
        (None, None) => not_translated(context, *first),
    }
    value_differs(context, element, *first)
}

/// A value that the resource cannot say is listed, with an issue where it says anything.
pub(super) fn not_translated(context: &mut Context<'_>, value: Element<'_>) {
    let says = value.subtree().any(|part| part.attributes().any(|(name, _)| !matches!(name, "type" | "nullFlavor")));
    if says || !value.text().is_empty() {
        context.issue(IssueCode::ValueNotTranslated, value);
    }
    context.list(value, Reason::ElementNotMapped);
}

/// One value as the name and content of `value[x]`.
fn value_x(context: &mut Context<'_>, value: Element<'_>) -> Option<(&'static str, Value)> {
    match value.xsi_type().unwrap_or("") {
        "PQ" | "REAL" | "PQR" => pq(context, value, None).map(|quantity| ("valueQuantity", quantity)),
        "IVL_PQ" => Some(match ivl_pq(context, value)? {
            Interval::Range(range) => ("valueRange", range),
            Interval::Quantity(quantity) => ("valueQuantity", quantity),
        }),
        "CD" | "CE" | "CV" | "CO" | "CS" => {
            let concept = concept(context, value)?;
            // A nullFlavor alone is an absent value, not a value.
            let says = concept.get("coding").is_some() || concept.get("text").is_some();
            says.then_some(("valueCodeableConcept", concept))
        }
        "INT" => {
            let number = value.stated("value").and_then(decimal)?;
            let whole = number.as_i64().and_then(|number| i32::try_from(number).ok());
            Some(match whole {
                Some(whole) => ("valueInteger", json!(whole)),
                None => ("valueQuantity", json!({"value": number})),
            })
        }
        "BL" => match value.stated("value")? {
            "true" => Some(("valueBoolean", json!(true))),
            "false" => Some(("valueBoolean", json!(false))),
            _other => None,
        },
        "ST" | "ED" => resolved_text(context, value).map(|text| ("valueString", json!(text))),
        "TS" => date_time(context, value).map(|time| ("valueDateTime", json!(time))),
        "IVL_TS" => Some(match when(context, value)? {
            When::DateTime(time) => ("valueDateTime", json!(time)),
            period @ When::Period(..) => ("valuePeriod", period.period()),
        }),
        "RTO" | "RTO_PQ_PQ" | "RTO_QTY_QTY" => ratio(context, value).map(|ratio| ("valueRatio", ratio)),
        _other => None,
    }
}

/// R6: a coded value against its originalText; a boolean or a number against the resolved text of the observation.
fn value_differs(context: &mut Context<'_>, element: Element<'_>, value: Element<'_>) -> bool {
    if differs_from_text(context, value) {
        return true;
    }
    let Some(text) = element.child("text").and_then(|text| resolved_text(context, text)) else { return false };
    let stated = value.stated("value").unwrap_or("");
    let differs = match value.xsi_type().unwrap_or("") {
        "BL" => {
            let denied = super::entry::is_denied(element);
            let word = if (stated == "true") != denied { "oui" } else { "non" };
            super::super::codes::contradict(word, &text)
        }
        "PQ" | "INT" | "REAL" => number_differs(stated, value.stated("unit"), &text),
        _other => false,
    };
    if differs {
        context.issue(IssueCode::TextDiffers, value);
    }
    differs
}

/// referenceRange/observationRange -> referenceRange (C7-16, C7-17)
///
/// value IVL_PQ low, high -> low, high; an exclusive bound -> text (`< 5 g/L`); an unreadable one -> text, never an open range
/// value of another type  -> text, where there is no `text`
/// interpretationCode `N` -> type normal; none -> no type; any other -> text alone (`H: > 5 g/L`), never as normal
/// nothing of these       -> no range (a type alone is an error, obs-3): listed
fn reference_ranges(context: &mut Context<'_>, element: Element<'_>, url: &str) -> Value {
    let mut out = Vec::new();
    for holder in element.children_named("referenceRange") {
        let range = holder.child("observationRange");
        let Some((range, made)) = range.and_then(|range| Some((range, reference_range(context, range)?))) else {
            context.list(holder, Reason::ElementNotMapped);
            continue;
        };
        out.push(made);
        context.claim(range, url);
        // A value that has no place in the range is listed already.
        for part in range.children() {
            if context.claim_of(part).is_none() {
                context.claim_tree(part, url);
            }
        }
    }
    Value::Array(out)
}

fn reference_range(context: &mut Context<'_>, range: Element<'_>) -> Option<Value> {
    let meaning = range.child("interpretationCode").and_then(|code| code.stated("code"));
    let stated = range.child("text").and_then(|text| resolved_text(context, text));
    let value = range.child("value");
    let interval = value.filter(|value| !has_center_or_width(*value));
    let stated_bounds = interval.map_or((None, None), bounds);
    let exclusive = [stated_bounds.0, stated_bounds.1].into_iter().flatten().any(is_exclusive);
    let low = stated_bounds.0.map(|low| pq(context, low, None));
    let high = stated_bounds.1.map(|high| pq(context, high, None));
    let upside_down = low
        .as_ref()
        .zip(high.as_ref())
        .is_some_and(|(low, high)| low.as_ref().zip(high.as_ref()).is_some_and(|(low, high)| is_upside_down(low, high)));
    let unreadable = low == Some(None) || high == Some(None) || upside_down;
    let written =
        bounds_as_text(stated_bounds.0, stated_bounds.1).or_else(|| value.and_then(|value| value_as_text(context, value)));
    let other = meaning.filter(|code| *code != "N");
    let mut out = Resource::new();
    let text = if exclusive || other.is_some() {
        written.or(stated)
    } else if unreadable || stated_bounds == (None, None) {
        stated.or(written)
    } else {
        set(&mut out, "low", low.flatten());
        set(&mut out, "high", high.flatten());
        stated
    };
    if out.is_empty() && text.is_none() {
        if let Some(value) = value {
            not_translated(context, value);
        }
        // A type alone is an error (obs-3).
        return other.map(|code| json!({"text": code}));
    }
    if meaning == Some("N") {
        let system = "http://terminology.hl7.org/CodeSystem/referencerange-meaning";
        set(&mut out, "type", json!({"coding": [{"system": system, "code": "normal"}]}));
    }
    let text = text.map(|text| other.map_or_else(|| text.clone(), |code| format!("{code}: {text}")));
    set(&mut out, "text", text.map(|text| json!(text)));
    Some(Value::Object(out))
}

/// The value of a range that is no interval, as written: `5 g/L`, the text of a code or of ST and ED.
fn value_as_text(context: &mut Context<'_>, value: Element<'_>) -> Option<String> {
    match value.xsi_type().unwrap_or("") {
        "PQ" | "REAL" | "PQR" | "INT" | "IVL_PQ" => {
            let number = value.stated("value")?;
            let unit = value.stated("unit").or_else(|| value.stated("code"));
            Some(unit.map_or_else(|| number.to_owned(), |unit| format!("{number} {unit}")))
        }
        "CD" | "CE" | "CV" | "CO" | "CS" => concept(context, value)?.get("text").and_then(Value::as_str).map(str::to_owned),
        "ST" | "ED" => resolved_text(context, value),
        _other => None,
    }
}

/// `< 5 g/L`, `>= 1 g/L`, `>= 1 g/L, < 5 g/L`.
fn bounds_as_text(low: Option<Element<'_>>, high: Option<Element<'_>>) -> Option<String> {
    let one = |bound: Element<'_>, open: &str, closed: &str| {
        let sign = if is_exclusive(bound) { open } else { closed };
        let unit = bound.stated("unit").map(|unit| format!(" {unit}")).unwrap_or_default();
        bound.stated("value").map(|value| format!("{sign} {value}{unit}"))
    };
    let low = low.and_then(|low| one(low, ">", ">="));
    let high = high.and_then(|high| one(high, "<", "<="));
    match (low, high) {
        (Some(low), Some(high)) => Some(format!("{low}, {high}")),
        (one, other) => one.or(other),
    }
}

/// act FR-Commentaire-ER (3.32) text -> the text of a note.
///
/// text with reference and inline text: both, once where they are equal
pub(super) fn comment(context: &mut Context<'_>, act: Element<'_>, url: &str) -> Option<Value> {
    context.claim_tree(act, url);
    let text = act.child("text")?;
    let resolved = resolved_text(context, text)?;
    let inline = text.raw_text().split_whitespace().collect::<Vec<_>>().join(" ");
    let both = if inline.is_empty() || inline == resolved { resolved } else { format!("{resolved}\n{inline}") };
    Some(json!({"text": both}))
}

/// The notes of the comments directly below this node.
pub(super) fn comments(context: &mut Context<'_>, element: Element<'_>, url: &str) -> Vec<Value> {
    let below = element.children().filter(|child| child.is("entryRelationship") || child.is("component"));
    let acts: Vec<Element<'_>> = below.filter_map(|relation| relation.child("act")).filter(|act| is_comment(*act)).collect();
    acts.into_iter().filter_map(|act| comment(context, act, url)).collect()
}

/// Whether the act is a comment.
pub(super) fn is_comment(act: Element<'_>) -> bool {
    super::has_any(act, &[crate::cda::template::COMMENT, "1.3.6.1.4.1.19376.1.5.3.1.4.2"])
}

/// author -> performer with the function AUT, and its functionCode beside it
pub(super) fn authors(context: &mut Context<'_>, element: Element<'_>) -> Vec<Value> {
    let mut out = Vec::new();
    for author in element.children_named("author").take(context::PARTICIPANTS) {
        let who = participants::participant_in(context, author).filter(|who| who.kind != participants::Kind::Device);
        let Some(who) = who else { continue };
        let mut performer = with_function("AUT", &who.url);
        if let Some(function) = author.child("functionCode") {
            let codings = super::super::codes::codings(context, function);
            let known = performer.pointer_mut("/extension/0/valueCodeableConcept/coding").and_then(Value::as_array_mut);
            if let Some(known) = known {
                known.extend(codings);
            }
            context.claim_tree(function, &who.url);
        }
        out.push(performer);
    }
    out
}

/// A performer with the code of what he did (v3-ParticipationType).
pub(super) fn with_function(code: &str, url: &str) -> Value {
    let system = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";
    let function = json!({"url": "http://hl7.org/fhir/StructureDefinition/event-performerFunction",
        "valueCodeableConcept": {"coding": [{"system": system, "code": code}]}});
    json!({"extension": [function], "reference": url})
}

/// Simple observation (FR-Simple-Observation, 1.2.250.1.213.1.1.3.48, and its siblings 3.12, 3.25, 3.50, 3.52, 3.53, 3.150,
/// 3.154, 3.209) -> Observation
///
/// code -> code;  value -> `value[x]`;  effectiveTime -> `effective[x]`;  performer, author -> performer;  3.32 -> note
pub(super) fn simple_observation(context: &mut Context<'_>, element: Element<'_>) -> Option<String> {
    single(context, element, None, Vec::new())
}

/// One observation with its own people and time; without a time that of the organizer around it (R8).
pub(super) fn single(
    context: &mut Context<'_>,
    element: Element<'_>,
    around: Option<Element<'_>>,
    categories: Vec<Value>,
) -> Option<String> {
    let mut parts = parts(context, element, around);
    parts.categories = categories;
    for (_, child) in super::entry::below(element).filter(|(_, child)| child.is("observationMedia")).collect::<Vec<_>>() {
        match super::entry::refused(context, child) {
            Some(reason) => context.list(child, reason),
            None => parts.media.extend(media::image(context, child).map(|made| made.media)),
        }
    }
    let fit = super::vital::fit(context, element, &mut parts);
    let made = observation(context, element, parts)?;
    super::vital::finish(context, element, &made, fit);
    super::list_rest(context, element);
    Some(made)
}

/// code, effectiveTime, performer, author, comments of an observation or organizer.
pub(super) fn parts(context: &mut Context<'_>, element: Element<'_>, around: Option<Element<'_>>) -> Parts {
    let url = context.url(&element.path());
    let code = element.child("code").and_then(|code| concept(context, code));
    let own = element.child("effectiveTime").and_then(|time| when(context, time));
    let effective = own.or_else(|| around.and_then(|around| around.child("effectiveTime")).and_then(|time| when(context, time)));
    let mut performers = Vec::new();
    for performer in element.children_named("performer").take(context::PARTICIPANTS) {
        performers.extend(participants::participant_in(context, performer).map(|who| who.reference()));
    }
    performers.extend(authors(context, element));
    let notes = comments(context, element, &url);
    Parts { code, effective, performers, notes, ..Parts::default() }
}
