//! Whether the server's pages are what the oracle expects.
use super::parameters::{self, Kind, Parameter};
use super::pool::{Entry, Place, Pool};
use super::query::Query;
use super::values;
use crate::harness::Actor;
use crate::harness::actor::link;
use serde_json::Value;
use std::cmp::Ordering;
use std::collections::BTreeSet;

/// What a query found.
pub(super) struct Found {
    pub(super) hits: usize,
    pub(super) non_hits: usize,
    pub(super) pages: usize,
}

/// Asks and compares; an error says what differs.
pub(super) fn check(caller: &Actor, pool: &Pool, query: &Query) -> Result<Found, String> {
    let expected = query.matches(pool);
    let place = query.place.as_ref().unwrap();
    let non_hits = pool.of(&query.kind, place).count() - expected.len();
    let url = query.url();
    let (mut pages, mut seen) = (0, Vec::new());
    let mut next = Some(url);
    while let Some(url) = next {
        let answer = caller.get(&url);
        if answer.status != 200 {
            return Err(format!("answered {}: {}", answer.status, answer.text()));
        }
        let page = answer.json();
        pages += 1;
        if pages > 200 {
            return Err("the pages do not end".to_owned());
        }
        page_of(&page, pool, query, expected.len(), pages, &mut seen)?;
        next = link(&page, "next");
    }
    let only_count = query.count == Some(0) || query.summary == Some("count");
    if only_count {
        return Ok(Found { hits: expected.len(), non_hits, pages });
    }
    let distinct: BTreeSet<&String> = seen.iter().collect();
    if distinct.len() != seen.len() {
        return Err("a resource stands on two pages or twice on one".to_owned());
    }
    let wanted: BTreeSet<String> = expected.iter().map(|entry| entry.name()).collect();
    let show = |names: Vec<&String>| {
        let texts = names.into_iter().take(2).map(|name| pool.named(name).map_or(name.clone(), |entry| entry.body.to_string()));
        texts.collect::<Vec<_>>().join("\n    ")
    };
    let missing: Vec<&String> = wanted.iter().filter(|name| !distinct.contains(name)).collect();
    let extra: Vec<&String> = seen.iter().filter(|name| !wanted.contains(*name)).collect();
    if !missing.is_empty() || !extra.is_empty() {
        return Err(format!(
            "expected {} matches, got {}\n  not found ({}):\n    {}\n  found in error ({}):\n    {}",
            wanted.len(),
            seen.len(),
            missing.len(),
            show(missing),
            extra.len(),
            show(extra)
        ));
    }
    in_order(pool, query, &seen)?;
    Ok(Found { hits: expected.len(), non_hits, pages })
}

/// One page: its links, its total, its matches (added to `seen`) and what they bring.
fn page_of(
    page: &Value,
    pool: &Pool,
    query: &Query,
    expected: usize,
    number: usize,
    seen: &mut Vec<String>,
) -> Result<(), String> {
    if page["resourceType"] != "Bundle" || page["type"] != "searchset" {
        return Err(format!("no searchset: {page}"));
    }
    if number == 1 {
        self_link(page, query)?;
    }
    total(page, query, expected)?;
    let (mut matches, mut included) = (Vec::new(), BTreeSet::new());
    for entry in page["entry"].as_array().into_iter().flatten() {
        let resource = &entry["resource"];
        let name =
            format!("{}/{}", resource["resourceType"].as_str().unwrap_or_default(), resource["id"].as_str().unwrap_or_default());
        if entry["fullUrl"] != format!("{}/{name}", pool.base).as_str() {
            return Err(format!("fullUrl {} of {name}", entry["fullUrl"]));
        }
        match entry["search"]["mode"].as_str() {
            Some("match") => {
                part(query, resource, pool.named(&name))?;
                matches.push(name);
            }
            Some("include") if included.insert(name.clone()) => {}
            other => return Err(format!("an entry of mode {other:?}: {name}")),
        }
    }
    let most = query.count.unwrap_or(50);
    if matches.len() > most || (link(page, "next").is_some() && matches.len() < most) {
        return Err(format!("page {number} has {} matches of {most}", matches.len()));
    }
    if query.summary == Some("count") && !matches.is_empty() {
        return Err("_summary=count gives entries".to_owned());
    }
    let of_page: Vec<&Entry> = matches.iter().filter_map(|name| pool.named(name)).collect();
    let brought: BTreeSet<String> = query.included(&of_page, pool).into_iter().map(Entry::name).collect();
    if of_page.len() == matches.len() && brought != included {
        let lacks: Vec<_> = brought.difference(&included).collect();
        let more: Vec<_> = included.difference(&brought).collect();
        return Err(format!("included are not those expected: without {lacks:?}, with {more:?}, of the matches {matches:?}"));
    }
    seen.extend(matches);
    Ok(())
}

/// "The self link ... the parameters that were actually used".
fn self_link(page: &Value, query: &Query) -> Result<(), String> {
    let url = link(page, "self").ok_or("no self link")?;
    let pairs = url.split_once('?').map(|(_, pairs)| pairs).unwrap_or_default();
    let decoded = |text: &str| {
        let (mut bytes, mut rest) = (Vec::new(), text.bytes());
        while let Some(byte) = rest.next() {
            if byte == b'%' {
                let digits = [rest.next().unwrap(), rest.next().unwrap()];
                bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap());
            } else {
                bytes.push(byte);
            }
        }
        String::from_utf8(bytes).unwrap()
    };
    let mut honoured: Vec<(String, String)> =
        pairs.split('&').filter_map(|pair| pair.split_once('=')).map(|(name, value)| (decoded(name), decoded(value))).collect();
    let mut asked = query.parameters();
    honoured.sort();
    asked.sort();
    if honoured == asked { Ok(()) } else { Err(format!("the self link says {honoured:?}")) }
}

fn total(page: &Value, query: &Query, expected: usize) -> Result<(), String> {
    let in_one_record = matches!(query.place, Some(Place::Record(_)));
    let counted = query.summary == Some("count") || query.count == Some(0);
    let wanted = counted || query.total == Some("accurate") || (in_one_record && query.total != Some("none"));
    match page["total"].as_u64() {
        Some(total) if total != u64::try_from(expected).unwrap() => Err(format!("total {total}, not {expected}")),
        None if wanted => Err("no total".to_owned()),
        _ => Ok(()),
    }
}

/// Elements that a type must have, so that every part of it has them: `min` of 1 in R4.
fn mandatory(kind: &str) -> &'static [&'static str] {
    match kind {
        "Observation" | "DiagnosticReport" => &["status", "code"],
        "Condition" => &["subject"],
        "MedicationRequest" => &["status", "intent", "medicationCodeableConcept", "subject"],
        "Encounter" => &["status", "class"],
        "Procedure" | "RiskAssessment" => &["status", "subject"],
        "AllergyIntolerance" => &["patient"],
        "Immunization" => &["status", "vaccineCode", "patient", "occurrenceDateTime"],
        "List" => &["status", "mode"],
        "ValueSet" => &["status"],
        _ => &[],
    }
}

/// What R4 marks as part of the summary, of some types.
fn in_summary(kind: &str) -> &'static [&'static str] {
    match kind {
        "Observation" => &[
            "identifier",
            "basedOn",
            "partOf",
            "status",
            "code",
            "subject",
            "encounter",
            "effectiveDateTime",
            "effectivePeriod",
            "performer",
            "valueQuantity",
            "valueCodeableConcept",
            "valueString",
            "valueDateTime",
            "hasMember",
            "derivedFrom",
            "component",
        ],
        "Encounter" => &["identifier", "status", "class", "subject", "participant", "reasonReference", "diagnosis"],
        "DiagnosticReport" => &[
            "identifier",
            "status",
            "code",
            "subject",
            "encounter",
            "effectiveDateTime",
            "effectivePeriod",
            "issued",
            "performer",
        ],
        "MedicationRequest" => {
            &["status", "intent", "priority", "medicationCodeableConcept", "subject", "authoredOn", "requester"]
        }
        _ => &[],
    }
}

/// Modifier elements may always be there: without them the rest could mean something else.
const MODIFIERS: [&str; 6] = ["status", "active", "clinicalStatus", "verificationStatus", "mode", "link"];

/// Whether a match is the part of the resource that was asked for.
fn part(query: &Query, given: &Value, whole: Option<&Entry>) -> Result<(), String> {
    let Some(whole) = whole.map(|entry| &entry.body) else { return Ok(()) };
    let named =
        |name: &str| query.elements.iter().any(|element| *element == name || (*element == "value" && name.starts_with("value")));
    let always = |name: &str| mandatory(&query.kind).contains(&name) || matches!(name, "resourceType" | "id" | "meta");
    let must = |name: &str| match query.summary {
        Some("text") => name == "text" || always(name),
        Some("data") => name != "text",
        Some("true") => in_summary(&query.kind).contains(&name) || always(name),
        _ if !query.elements.is_empty() => named(name) || always(name),
        _ => true,
    };
    for (name, value) in whole.as_object().unwrap() {
        let there = given.get(name);
        let is_cut = query.summary.is_some_and(|summary| summary != "false") || !query.elements.is_empty();
        let may = must(name) || (is_cut && query.summary != Some("data") && MODIFIERS.contains(&name.as_str()));
        match there {
            None if must(name) => return Err(format!("{name} is missing from {given}")),
            Some(_) if !may => return Err(format!("{name} is too much in {given}")),
            Some(there) if name != "meta" && there != value => return Err(format!("{name} is changed in {given}")),
            _ => {}
        }
    }
    let tags = given["meta"]["tag"].as_array().into_iter().flatten();
    let subsetted = tags.filter(|tag| tag["code"] == "SUBSETTED").count() == 1;
    let cut = matches!(query.summary, Some("text" | "data" | "true")) || !query.elements.is_empty();
    if subsetted == cut { Ok(()) } else { Err(format!("SUBSETTED is {subsetted} in {given}")) }
}

// ---- order

#[derive(Debug, Clone, PartialEq)]
enum SortKey {
    Number(f64),
    Text(String),
}

impl SortKey {
    fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Number(one), Self::Number(other)) => one.total_cmp(other),
            (Self::Text(one), Self::Text(other)) => one.cmp(other),
            other => panic!("keys of two kinds: {other:?}"),
        }
    }
}

/// "The item ... that comes earliest in the specified sort order": of what is wide, where it starts or, descending, ends.
fn sort_key(entry: &Entry, parameter: &Parameter, descending: bool) -> Option<SortKey> {
    let own_date = parameters::own_date(entry.kind()) == Some(parameter.code);
    let float = |millis: i64| SortKey::Number(millis.to_string().parse::<f64>().unwrap());
    let keys = parameter.found(&entry.body).into_iter().flat_map(|element| match parameter.kind {
        Kind::Date => {
            let spans = values::element_span(element).into_iter();
            // Its own date says when it was: where it starts, in both directions.
            spans
                .map(|span| {
                    float(if own_date {
                        values::start_of(span)
                    } else if descending {
                        span.1
                    } else {
                        span.0
                    })
                })
                .collect()
        }
        Kind::Number => values::bounds(&serde_json::json!({"value": element}))
            .map(|(lo, hi)| SortKey::Number(if descending { hi } else { lo }))
            .into_iter()
            .collect(),
        Kind::Quantity => {
            values::bounds(element).map(|(lo, hi)| SortKey::Number(if descending { hi } else { lo })).into_iter().collect()
        }
        Kind::String => values::texts(element).iter().map(|text| SortKey::Text(values::normal(text))).collect(),
        Kind::Token => values::codes(element).into_iter().map(|(_, code)| SortKey::Text(code.to_lowercase())).collect(),
        Kind::Reference(_) => element["reference"].as_str().map(|text| SortKey::Text(text.to_owned())).into_iter().collect(),
        Kind::Uri => element.as_str().map(|text| SortKey::Text(text.to_owned())).into_iter().collect::<Vec<_>>(),
        Kind::Composite(_) => Vec::new(),
    });
    if own_date || !descending { keys.min_by(SortKey::order) } else { keys.max_by(SortKey::order) }
}

fn in_order(pool: &Pool, query: &Query, seen: &[String]) -> Result<(), String> {
    let keys: Vec<Vec<Option<SortKey>>> = seen
        .iter()
        .map(|name| {
            query.sort.iter().map(|(parameter, descending)| sort_key(pool.named(name).unwrap(), parameter, *descending)).collect()
        })
        .collect();
    for (pair, names) in keys.windows(2).zip(seen.windows(2)) {
        let mut ordering = Ordering::Equal;
        for ((one, other), (_, descending)) in pair[0].iter().zip(&pair[1]).zip(&query.sort) {
            ordering = ordering.then(match (one, other) {
                (Some(one), Some(other)) if *descending => other.order(one),
                (Some(one), Some(other)) => one.order(other),
                // What has no value comes last, in both directions.
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => Ordering::Equal,
            });
        }
        if ordering.is_gt() {
            return Err(format!("{} {:?} stands before {} {:?}", names[0], pair[0], names[1], pair[1]));
        }
    }
    Ok(())
}
