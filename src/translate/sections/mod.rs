//! Sections and entries: one function for each CDA template, chosen by template whatever the document is.
mod immunization;
pub(super) mod laboratory;
mod media;
mod observation;
mod problem;
mod specimen;
pub(super) mod status;

use super::account::Reason;
use super::context::Context;
use super::header::Header;
use crate::cda::{Element, template};
use std::collections::HashMap;

/// What the entries of each section became: number of the section element -> urls.
pub(super) type SectionEntries = HashMap<u32, Vec<String>>;

/// Translates every entry of every section, and the embedded file of a document of level 1.
pub(super) fn translate(context: &mut Context<'_>, header: &Header) -> SectionEntries {
    let mut out = SectionEntries::new();
    let root = context.document.root();
    for section in root.subtree().filter(|element| element.is("section")) {
        let mut urls = Vec::new();
        for entry in section.children_named("entry") {
            urls.extend(self::entry(context, header, entry));
        }
        out.insert(section.number(), urls);
    }
    if let Some(body) = root.at("component/nonXMLBody") {
        let made = media::embedded_file(context, body);
        out.insert(body.number(), made);
    }
    out
}

/// The entries that have a function.
enum Kind {
    Results,
    Image,
    AttachedDocument,
    Problem,
    Immunization,
    SimpleObservation,
}

/// Which function reads the entry: its template decides.
fn kind_of(entry: Element<'_>, child: Element<'_>) -> Option<Kind> {
    if laboratory::is_results_entry(entry) {
        return Some(Kind::Results);
    }
    match child.name() {
        "observationMedia" => Some(Kind::Image),
        "organizer" if child.has_template(template::ATTACHED_DOCUMENT) => Some(Kind::AttachedDocument),
        _other if is_only(child, template::PROBLEM) => Some(Kind::Problem),
        "substanceAdministration" if is_only(child, template::IMMUNIZATION) => Some(Kind::Immunization),
        "observation" if is_only(child, template::SIMPLE_OBSERVATION) => Some(Kind::SimpleObservation),
        _other => None,
    }
}

/// One entry: what it says of what, then its function.
fn entry(context: &mut Context<'_>, header: &Header, entry: Element<'_>) -> Vec<String> {
    let Some(child) = entry.children().find(|child| !child.is("templateId")) else { return Vec::new() };
    let kind = kind_of(entry, child);
    // A file has no mood of its own; results are asked one by one.
    let is_fact = matches!(kind, Some(Kind::Results | Kind::Image | Kind::AttachedDocument)) || states_a_fact(context, child);
    let refused = if context.is_full() {
        Some(Reason::LimitReached)
    } else if !is_fact {
        Some(Reason::MoodNotTranslated)
    } else if kind.is_none() {
        Some(Reason::KindNotTranslatedYet)
    } else {
        context.is_about_another(child).then_some(Reason::SubjectNotPatient)
    };
    let (Some(kind), None) = (kind, refused) else {
        context.list(entry, refused.unwrap_or(Reason::KindNotTranslatedYet));
        return Vec::new();
    };
    let made = match kind {
        Kind::Results => return laboratory::results(context, header, entry),
        Kind::AttachedDocument => return media::attached_document(context, child),
        Kind::Image => media::image(context, child).map(|made| made.media),
        Kind::Problem => problem::problem(context, child),
        Kind::Immunization => immunization::immunization(context, child),
        Kind::SimpleObservation => observation::simple_observation(context, child),
    };
    made.into_iter().collect()
}

/// Whether the entry says that something is or was (R1): mood EVN, and not an active entry of the care plan, which is planned.
fn states_a_fact(context: &mut Context<'_>, child: Element<'_>) -> bool {
    let planned = context.section_of(child).code == Some("18776-5") && status::code(child) == Some("active");
    child.stated("moodCode") == Some("EVN") && !planned
}

/// Whether the entry's CI-SIS templates are this one, or this one made narrower (`3.48.18` of `3.48`).
///
/// An entry with a further template may mean something else: it waits for the function of that template.
fn is_only(element: Element<'_>, oid: &str) -> bool {
    let narrower = |root: &str| root.strip_prefix(oid).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    let mut own = element.templates().filter(|root| root.starts_with(template::ENTRY)).peekable();
    own.peek().is_some() && own.all(narrower)
}

/// What stands below an entry and was read by no function waits for the function of its template.
fn list_rest(context: &mut Context<'_>, element: Element<'_>) {
    for child in specimen::relations(element).flat_map(Element::children) {
        let is_entry = matches!(
            child.name(),
            "act"
                | "encounter"
                | "observation"
                | "observationMedia"
                | "organizer"
                | "procedure"
                | "substanceAdministration"
                | "supply"
        );
        if is_entry {
            context.list(child, Reason::KindNotTranslatedYet);
        }
    }
}

/// Whether the element has one of these templates.
fn has_any(element: Element<'_>, oids: &[&str]) -> bool {
    oids.iter().any(|oid| element.has_template(oid))
}
