//! The page of one record: identity, documents, results by analysis, who looked at it.
use super::format::{concept, human_name, items, text};
use super::{access, document, layout, results, time};
use maud::{Markup, html};
use serde_json::Value;

/// Everything that the page of a record shows, as the API answered it to this caller.
#[derive(Debug, Clone, Copy)]
pub struct RecordPage<'a> {
    /// The Patient.
    pub patient: &'a Value,
    /// Searchset of DocumentReference.
    pub documents: &'a Value,
    /// Searchset of Observation, with what it includes or without.
    pub observations: &'a Value,
    /// Searchset of AuditEvent; `None` where the caller does not read the trace.
    pub accesses: Option<&'a Value>,
    /// What stands before `/Binary/[id]` in links to originals: `/page` or the FHIR base.
    pub base: &'a str,
    /// How the caller is named at the top.
    pub caller: &'a str,
    /// Something to say first.
    pub notice: Option<&'a str>,
}

/// Renders the page of a record.
#[must_use]
pub fn record(page: &RecordPage<'_>) -> String {
    let name = items(page.patient, "name").find_map(human_name).unwrap_or_else(|| "Dossier".into());
    let body = html! {
        (identity(page.patient, &name, page.accesses.is_some()))
        @if let Some(notice) = page.notice {
            p.notice role="status" { (notice) }
        }
        (results::sections(page.observations))
        (document::section(page.documents, page.base))
        @if let Some(accesses) = page.accesses {
            (access::section(accesses))
        }
    };
    layout(&name, Some(page.caller), &body)
}

fn identity(patient: &Value, name: &str, with_accesses: bool) -> Markup {
    let usual = items(patient, "name").find(|name| text(name, "/use") == Some("usual")).and_then(human_name);
    let official = items(patient, "name").find(|name| text(name, "/use") == Some("official"));
    let birth_names = official.and_then(|official| {
        items(official, "extension").find_map(|extension| {
            text(extension, "/url")
                .filter(|url| url.ends_with("birth-list-given-name"))
                .and_then(|_| text(extension, "/valueString"))
        })
    });
    let birth_place = items(patient, "extension")
        .find(|extension| text(extension, "/url").is_some_and(|url| url.ends_with("/patient-birthPlace")));
    let insee = birth_place.and_then(|place| text(place, "/valueAddress/extension/0/valueCoding/code"));
    let city = birth_place.and_then(|place| text(place, "/valueAddress/city"));
    let place: Vec<&str> = city.into_iter().chain(insee).collect();
    let gender = match text(patient, "/gender") {
        Some("female") => Some("Féminin"),
        Some("male") => Some("Masculin"),
        Some(_) => Some("Inconnu"),
        None => None,
    };
    let address = items(patient, "address").next().map(address);
    let trait_row = |label: &str, value: Option<String>| {
        html! {
            @if let Some(value) = value { div { dt { (label) } dd { (value) } } }
        }
    };
    html! {
        section.card aria-labelledby="identity" {
            h1 id="identity" { (name) }
            @if patient.get("active") == Some(&Value::Bool(false)) {
                p.notice { "Ce dossier est fermé." }
            }
            dl.traits {
                (trait_row("Nom utilisé", usual.filter(|usual| usual != name)))
                (trait_row("Prénoms de naissance", birth_names.map(str::to_owned)))
                @if let Some(birth_date) = text(patient, "/birthDate") {
                    div { dt { "Date de naissance" } dd { (time(birth_date)) } }
                }
                (trait_row("Sexe", gender.map(str::to_owned)))
                (trait_row("Lieu de naissance (code INSEE)", (!place.is_empty()).then(|| place.join(" · "))))
                @for (label, number) in numbers(patient) { (trait_row(&label, Some(number))) }
                (trait_row("Adresse", address))
                @for telecom in items(patient, "telecom") {
                    (trait_row("Contact", text(telecom, "/value").map(str::to_owned)))
                }
            }
            ul.toc {
                li { a href="#results" { "Résultats" } }
                li { a href="#documents" { "Documents" } }
                @if with_accesses { li { a href="#accesses" { "Accès au dossier" } } }
            }
        }
    }
}

/// INS first, each with what it is.
fn numbers(patient: &Value) -> Vec<(String, String)> {
    let label = |identifier: &Value| match text(identifier, "/system") {
        Some("urn:oid:1.2.250.1.213.1.4.8" | "urn:oid:1.2.250.1.213.1.4.9") => "INS".to_owned(),
        Some("urn:oid:1.2.250.1.213.1.4.10") => "INS (test)".into(),
        Some("urn:oid:1.2.250.1.213.1.4.11") => "INS (démonstration)".into(),
        _ => identifier.get("type").and_then(concept).unwrap_or_else(|| "Identifiant".into()),
    };
    let mut numbers: Vec<_> = items(patient, "identifier")
        .filter_map(|identifier| Some((label(identifier), text(identifier, "/value")?.to_owned())))
        .collect();
    numbers.sort_by_key(|(label, _)| !label.starts_with("INS"));
    numbers
}

fn address(address: &Value) -> String {
    if let Some(whole) = text(address, "/text") {
        return whole.to_owned();
    }
    let lines = items(address, "line").filter_map(Value::as_str).map(str::to_owned);
    let city = [text(address, "/postalCode"), text(address, "/city")].into_iter().flatten().collect::<Vec<_>>().join(" ");
    lines.chain((!city.is_empty()).then_some(city)).collect::<Vec<_>>().join(", ")
}
