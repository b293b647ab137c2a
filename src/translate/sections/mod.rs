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

/// One entry: its template decides which function reads it.
fn entry(context: &mut Context<'_>, header: &Header, entry: Element<'_>) -> Vec<String> {
    if laboratory::is_results_entry(entry) {
        return laboratory::results(context, header, entry);
    }
    let Some(child) = entry.children().find(|child| !child.is("templateId")) else { return Vec::new() };
    if context.is_full() {
        context.list(child, Reason::LimitReached);
        return Vec::new();
    }
    match child.name() {
        "observationMedia" => return media::image(context, child).map(|made| made.media).into_iter().collect(),
        "organizer" if child.has_template(template::ATTACHED_DOCUMENT) => return media::attached_document(context, child),
        _other => {}
    }
    if !states_a_fact(child) {
        context.list(child, Reason::MoodNotTranslated);
        return Vec::new();
    }
    let made = if is_only(child, template::PROBLEM) {
        problem::problem(context, child)
    } else if child.is("substanceAdministration") && is_only(child, template::IMMUNIZATION) {
        immunization::immunization(context, child)
    } else if child.is("observation") && is_only(child, template::SIMPLE_OBSERVATION) {
        observation::simple_observation(context, child)
    } else {
        context.list(child, Reason::KindNotTranslatedYet);
        None
    };
    made.into_iter().collect()
}

/// Whether the entry says that something is or was (R1): mood EVN, and not an active entry of the care plan, which is planned.
fn states_a_fact(child: Element<'_>) -> bool {
    let section = child.section().and_then(|section| section.child("code")).and_then(|code| code.stated("code"));
    let planned = section == Some("18776-5") && status::code(child) == Some("active");
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
