//! Who looked at the record, newest first (BR-27).
use super::format::{concept, has_more, items, matches, text};
use super::time;
use maud::{Markup, html};
use serde_json::Value;

/// The list of accesses.
pub(super) fn section(accesses: &Value) -> Markup {
    let mut rows: Vec<&Value> =
        matches(accesses).filter(|resource| text(resource, "/resourceType") == Some("AuditEvent")).collect();
    rows.sort_by_key(|row| std::cmp::Reverse(text(row, "/recorded").unwrap_or_default()));
    html! {
        h2 id="accesses" { "Qui a consulté ce dossier" }
        section.card aria-labelledby="accesses" {
            @if rows.is_empty() {
                p.empty { "Aucun accès." }
            } @else {
                div.scroll {
                    table.wide {
                        caption { "Chaque accès laisse une trace, aussi quand il est refusé" }
                        thead { tr { th scope="col" { "Date" } th scope="col" { "Qui" } th scope="col" { "Quoi" } th scope="col" { "Issue" } } }
                        tbody {
                            @for row in &rows {
                                tr {
                                    td { @if let Some(at) = text(row, "/recorded") { (time(at)) } }
                                    th scope="row" { (who(row)) }
                                    td { (what(row)) @if let Some(reason) = purpose(row) { " " span.flag { (reason) } } }
                                    td { (outcome(row)) }
                                }
                            }
                        }
                    }
                }
            }
            @if has_more(accesses) { p.hint { "Des accès plus anciens ne sont pas affichés ici." } }
        }
    }
}

/// The agent that asked; a software only where no person is named.
fn who(event: &Value) -> String {
    let agents = || items(event, "agent");
    let human = agents().find(|agent| agent.get("requestor") == Some(&Value::Bool(true))).or_else(|| agents().next());
    let Some(agent) = human else { return "Inconnu".into() };
    let name = text(agent, "/name").or_else(|| text(agent, "/who/display")).or_else(|| text(agent, "/altId"));
    let number = text(agent, "/who/identifier/value");
    if text(agent, "/who/type") == Some("Patient") {
        return name.map_or_else(|| "Le titulaire du dossier".into(), |name| format!("{name} (titulaire du dossier)"));
    }
    match (name, number) {
        (Some(name), Some(number)) if name != number => format!("{name} ({number})"),
        (Some(name), _) => name.to_owned(),
        (None, Some(number)) => number.to_owned(),
        (None, None) => "Inconnu".into(),
    }
}

fn what(event: &Value) -> String {
    let action = match text(event, "/action") {
        Some("R") => "Consultation",
        Some("E") => "Recherche",
        Some("C") => "Dépôt ou création",
        Some("U") => "Modification",
        Some("D") => "Suppression",
        _ => "Accès",
    };
    let references = items(event, "entity").filter_map(|entity| text(entity, "/what/reference"));
    let types = references.filter_map(|reference| reference.split('/').rev().nth(1)).filter_map(|name| match name {
        "DocumentReference" | "Binary" => Some("document"),
        "Observation" | "DiagnosticReport" => Some("résultats"),
        "Consent" => Some("autorisations"),
        "AuditEvent" => Some("traces"),
        _ => None,
    });
    let mut types: Vec<&str> = types.collect();
    types.dedup();
    if types.is_empty() { action.to_owned() } else { format!("{action} : {}", types.join(", ")) }
}

fn purpose(event: &Value) -> Option<String> {
    let own = items(event, "purposeOfEvent");
    let agents = items(event, "agent").flat_map(|agent| items(agent, "purposeOfUse"));
    own.chain(agents).find_map(|purpose| match text(purpose, "/coding/0/code") {
        Some("TREAT" | "normal") | None => None,
        Some("BTG" | "bris_de_glace") => Some("Bris de glace".into()),
        Some("ETREAT" | "centre_15") => Some("Régulation médicale".into()),
        Some(_) => concept(purpose),
    })
}

fn outcome(event: &Value) -> Markup {
    let (label, class) = match text(event, "/outcome") {
        Some("0") => ("Accordé", "fine"),
        Some("4") => ("Refusé ou non trouvé", "low"),
        Some("8" | "12") => ("Échec", "high"),
        _ => ("Inconnue", "other"),
    };
    html! { span class=(format!("mark {class}")) { (label) } }
}
