//! Server-rendered pages: pure functions from resources to HTML. No script, no build step, every text escaped.
//!
//! The pages link [`STYLE`] as `/style.css` and work under [`CONTENT_SECURITY_POLICY`]. They show what they are given:
//! who may see it was decided before.
mod access;
mod document;
mod format;
mod plot;
mod record;
mod result;
mod results;

pub use record::{RecordPage, record};

use serde_json::Value;

use maud::{DOCTYPE, Markup, html};

/// The one stylesheet, served as `/style.css` with type `text/css; charset=utf-8`.
pub const STYLE: &str = include_str!("style.css");

/// Policy under which every page works: own stylesheet and own forms, nothing else.
pub const CONTENT_SECURITY_POLICY: &str =
    "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// A record as the first page lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordLink {
    /// Path of the record's page.
    pub href: String,
    /// Name of the person, as the caller may see it.
    pub name: String,
    /// Date of birth, a FHIR date; empty where unknown.
    pub birth_date: String,
}

/// What the first page of a signed-in caller shows.
#[derive(Debug, Clone, Default)]
pub struct HomePage<'a> {
    /// How the caller is named at the top.
    pub caller: &'a str,
    /// Records that the caller may open; `None` where there is no list of them.
    pub records: Option<&'a [RecordLink]>,
    /// Whether the caller may look a record up by its INS (form that posts `ins` to `/record`).
    pub may_look_up: bool,
    /// Something to say first.
    pub notice: Option<&'a str>,
}

/// The page that asks for a token: its form posts `token` to `/session`.
#[must_use]
pub fn sign_in(error: Option<&str>) -> String {
    let body = html! {
        section.card.narrow {
            h1 { "Ouvrir une session" }
            p.hint { "Collez un jeton d'accès (JWT). Le dossier s'affiche avec les droits de ce jeton, et chaque accès laisse une trace." }
            @if let Some(error) = error {
                p.notice.bad role="alert" {
                    "Ce jeton n'est pas accepté."
                    span.detail lang="en" { (error) }
                }
            }
            form method="post" action="/session" {
                label for="token" { "Jeton d'accès" }
                textarea id="token" name="token" required autocomplete="off" spellcheck="false" autocapitalize="off" {}
                button type="submit" { "Ouvrir la session" }
            }
        }
    };
    layout("Ouvrir une session", None, &body)
}

/// The first page of a signed-in caller.
#[must_use]
pub fn home(page: &HomePage<'_>) -> String {
    let body = html! {
        section.card.narrow {
            h1 { "Dossiers" }
            @if let Some(notice) = page.notice {
                p.notice role="status" { (notice) }
            }
            @if page.may_look_up {
                form method="post" action="/record" {
                    label for="ins" { "Matricule INS (15 caractères)" }
                    input id="ins" name="ins" required minlength="15" maxlength="15" autocomplete="off" autocapitalize="characters";
                    button type="submit" { "Chercher le dossier" }
                }
            }
            @let records = page.records.unwrap_or_default();
            @if page.records.is_some() && records.is_empty() {
                p.empty { "Aucun dossier ne vous est ouvert." }
            }
            @if !records.is_empty() {
                h2 { "Dossiers qui vous sont ouverts" }
                ul.records {
                    @for record in records {
                        li {
                            a href=(record.href) { (record.name) }
                            @if !record.birth_date.is_empty() {
                                span.hint { "né(e) le " (time(&record.birth_date)) }
                            }
                        }
                    }
                }
            }
        }
    };
    layout("Dossiers", Some(page.caller), &body)
}

/// The name of a Patient as a list shows it.
#[must_use]
pub fn person_name(patient: &Value) -> String {
    format::items(patient, "name").find_map(format::human_name).unwrap_or_else(|| "Dossier".into())
}

/// How many resources a searchset holds.
#[must_use]
pub fn entries(searchset: &Value) -> usize {
    searchset.get("entry").and_then(Value::as_array).map_or(0, Vec::len)
}

/// Whether the server has more than this searchset holds.
#[must_use]
pub fn has_more(searchset: &Value) -> bool {
    format::has_more(searchset)
}

/// A page for a request that failed: `text` is the first issue of its OperationOutcome.
#[must_use]
pub fn problem(status: u16, text: &str, caller: Option<&str>) -> String {
    let (title, meaning) = match status {
        401 => ("Session absente ou expirée", "Ouvrez une session avec un jeton valable."),
        403 => ("Accès refusé", "Les règles du DMP ne vous ouvrent pas ce dossier. Cette demande a laissé une trace."),
        404 | 410 => ("Introuvable", "Il n'y a rien à cette adresse, ou rien qui vous soit ouvert."),
        413 => ("Demande trop grande", "Ce qui a été envoyé dépasse la taille permise."),
        429 => ("Trop de demandes", "Trop de demandes en une minute : réessayez dans un instant."),
        503 => ("Momentanément indisponible", "Le serveur n'a pas pu répondre à temps : réessayez dans un instant."),
        _ => ("La demande n'a pas abouti", "Le serveur n'a pas pu y répondre."),
    };
    let body = html! {
        section.card.narrow {
            h1 { (title) }
            div.notice.bad role="alert" {
                (meaning)
                @if !text.is_empty() { span.detail lang="en" { (text) } }
            }
            p.hint { "Statut HTTP " (status) }
            p.actions { a href="/" { "Revenir à l'accueil" } }
        }
    };
    layout(title, caller, &body)
}

/// A date that a machine reads as it is and a person reads in French.
fn time(text: &str) -> Markup {
    html! { time datetime=(text) { (format::date(text)) } }
}

fn layout(title: &str, caller: Option<&str>, body: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="fr" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="referrer" content="no-referrer";
                title { (title) " · DMP-FHIR" }
                link rel="stylesheet" href="/style.css";
            }
            body {
                a.skip href="#content" { "Aller au contenu" }
                header.top {
                    div {
                        a href="/" { "DMP-FHIR" }
                        @if let Some(caller) = caller {
                            span.who { (caller) }
                            form method="post" action="/session/end" { button type="submit" { "Fermer la session" } }
                        }
                    }
                }
                main id="content" { (body) }
            }
        }
    };
    page.into_string()
}

#[cfg(test)]
mod tests;
