//! The documents of a record, newest first, each with the link to its original.
use super::format::{concept, has_more, human_name, items, matches, text};
use super::time;
use maud::{Markup, html};
use serde_json::Value;

/// The list of documents.
pub(super) fn section(documents: &Value, base: &str) -> Markup {
    let mut rows: Vec<&Value> =
        matches(documents).filter(|resource| text(resource, "/resourceType") == Some("DocumentReference")).collect();
    rows.sort_by_key(|row| std::cmp::Reverse(text(row, "/date").unwrap_or_default()));
    html! {
        h2 id="documents" { "Documents (" (rows.len()) ")" }
        section.card aria-labelledby="documents" {
            @if rows.is_empty() {
                p.empty { "Aucun document." }
            } @else {
                div.scroll {
                    table.wide {
                        caption { "Du plus récent au plus ancien" }
                        thead { tr { th scope="col" { "Date" } th scope="col" { "Titre" } th scope="col" { "Type" } th scope="col" { "Auteur" } th scope="col" { "Original" } } }
                        tbody { @for row in &rows { (line(row, base)) } }
                    }
                }
            }
            @if has_more(documents) { p.hint { "D'autres documents, plus anciens, ne sont pas affichés ici." } }
        }
    }
}

fn line(document: &Value, base: &str) -> Markup {
    let attachment = document.pointer("/content/0/attachment").unwrap_or(&Value::Null);
    let title = text(attachment, "/title").unwrap_or("Document sans titre");
    let kind = document.get("type").and_then(concept).unwrap_or_default();
    let link = text(attachment, "/url").and_then(binary_id).map(|id| format!("{base}/Binary/{id}"));
    html! {
        tr {
            td { @if let Some(date) = text(document, "/date") { (time(date)) } }
            th scope="row" {
                (title)
                @if text(document, "/status") == Some("superseded") { " " span.flag { "Version remplacée" } }
                @if text(document, "/status") == Some("entered-in-error") { " " span.flag { "Dépublié" } }
                @for label in labels(document) { " " span.flag { (label) } }
            }
            td data-label="Type" { (kind) }
            td data-label="Auteur" { (authors(document)) }
            td { @if let Some(link) = link { a href=(link) aria-label=(format!("Ouvrir l'original : {title}")) { "Ouvrir" } } }
        }
    }
}

/// What a reader must know of who sees it (EX_3.1-1080).
fn labels(document: &Value) -> Vec<&'static str> {
    let codes =
        items(document, "securityLabel").flat_map(|label| items(label, "coding")).filter_map(|coding| text(coding, "/code"));
    codes
        .filter_map(|code| match code {
            "MASQUE_PS" => Some("Masqué aux professionnels"),
            "INVISIBLE_PATIENT" => Some("Non visible par le patient"),
            "INVISIBLE_REPRESENTANTS_LEGAUX" => Some("Non visible par les représentants légaux"),
            _ => None,
        })
        .collect()
}

/// The id at the end of an attachment's URL, absolute or relative; `None` for what is no Binary of a FHIR server.
fn binary_id(url: &str) -> Option<&str> {
    let (before, id) = url.rsplit_once('/')?;
    let plain =
        !id.is_empty() && id.len() <= 64 && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'));
    (plain && (before == "Binary" || before.ends_with("/Binary"))).then_some(id)
}

/// Names of the authors, through contained roles.
fn authors(document: &Value) -> String {
    let names: Vec<String> = items(document, "author").filter_map(|author| name(document, author)).collect();
    names.join(", ")
}

fn name(document: &Value, reference: &Value) -> Option<String> {
    let display = || text(reference, "/display").map(str::to_owned);
    let contained = |reference: &Value| {
        let id = text(reference, "/reference")?.strip_prefix('#')?;
        items(document, "contained").find(|resource| text(resource, "/id") == Some(id))
    };
    let Some(resource) = contained(reference) else { return display() };
    match text(resource, "/resourceType") {
        Some("PractitionerRole") => {
            let practitioner = resource.get("practitioner").unwrap_or(&Value::Null);
            let person =
                contained(practitioner).and_then(person_name).or_else(|| text(practitioner, "/display").map(str::to_owned));
            let organization = resource.get("organization").unwrap_or(&Value::Null);
            let structure = contained(organization)
                .and_then(|organization| text(organization, "/name"))
                .or_else(|| text(organization, "/display"));
            match (person, structure) {
                (Some(person), Some(structure)) => Some(format!("{person} ({structure})")),
                (person, structure) => person.or_else(|| structure.map(str::to_owned)),
            }
        }
        Some("Organization") => text(resource, "/name").map(str::to_owned),
        Some("Device") => text(resource, "/deviceName/0/name").map(str::to_owned).or_else(|| Some("Dispositif".into())),
        _ => person_name(resource),
    }
    .or_else(display)
}

fn person_name(resource: &Value) -> Option<String> {
    items(resource, "name").find_map(human_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_binaries_are_linked() {
        assert_eq!(binary_id("https://dmp.example/fhir/Binary/a-1"), Some("a-1"));
        assert_eq!(binary_id("Binary/a"), Some("a"));
        assert_eq!(binary_id("javascript:alert(1)"), None);
        assert_eq!(binary_id("https://elsewhere.example/x?Binary/a b"), None);
        assert_eq!(binary_id("NotBinary/a"), None);
    }
}
