//! Sections and entries: one function for each CDA template, chosen by template whatever the document is.
mod adverse_event;
mod allergy;
mod device;
mod directive;
mod dispensation;
mod dosage;
mod encounter;
mod entry;
mod family;
mod imaging;
mod immunization;
pub(super) mod laboratory;
mod media;
mod observation;
mod panel;
mod plan;
mod prescription;
pub(super) mod problem;
mod procedure;
mod product;
mod specimen;
pub(super) mod status;
mod treatment;
mod vital;

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
    // A section inside of an entry, which CDA does not have, is a part of that entry.
    let stands = |section: &Element<'_>| section.is("section") && !section.ancestors().any(|around| around.is("entry"));
    for section in root.subtree().filter(stands) {
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

/// The families of templates that have a function.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Results,
    Image,
    AttachedDocument,
    Concern,
    Problem,
    Allergy,
    Immunization,
    Observation,
    Pregnancy,
    Panel,
    VitalSigns,
    FamilyHistory,
    Treatment,
    Prescription,
    RecommendedVaccine,
    Dispense,
    Administration,
    Device,
    Procedure,
    Request,
    Encounter,
    AdverseEvent,
    Directive,
    ImagingStudy,
}

/// Element, template, family: the first CI-SIS template of an entry that stands here, or a narrower one (`3.48.18` of `3.48`).
const KINDS: [(&str, &str, Kind); 35] = [
    ("act", template::PROBLEM_CONCERN, Kind::Concern),
    ("act", template::ALLERGY_CONCERN, Kind::Concern),
    ("observation", template::PROBLEM, Kind::Problem),
    ("observation", template::ALLERGY, Kind::Allergy),
    ("substanceAdministration", template::IMMUNIZATION, Kind::Immunization),
    ("observation", template::SIMPLE_OBSERVATION, Kind::Observation),
    ("observation", template::TECHNICAL_AID, Kind::Observation),
    ("observation", template::ASSESSMENT, Kind::Observation),
    ("observation", template::VITAL_SIGN, Kind::Observation),
    ("observation", template::SOCIAL_HISTORY, Kind::Observation),
    ("observation", template::RESULT, Kind::Observation),
    ("observation", template::DICOM_OBSERVATION, Kind::Observation),
    ("observation", template::DICOM_QUANTITY, Kind::Observation),
    ("observation", template::PREGNANCY, Kind::Pregnancy),
    ("organizer", template::PREGNANCY_HISTORY, Kind::Panel),
    ("organizer", template::FUNCTIONAL_STATUS, Kind::Panel),
    ("organizer", template::RESULTS, Kind::Panel),
    ("organizer", template::VITAL_SIGNS, Kind::VitalSigns),
    ("organizer", template::FAMILY_HISTORY, Kind::FamilyHistory),
    ("substanceAdministration", template::TREATMENT, Kind::Treatment),
    ("substanceAdministration", template::PRESCRIPTION, Kind::Prescription),
    ("substanceAdministration", template::RECOMMENDED_VACCINE, Kind::RecommendedVaccine),
    ("supply", template::DISPENSE, Kind::Dispense),
    ("substanceAdministration", template::DICOM_ADMINISTRATION, Kind::Administration),
    ("substanceAdministration", template::DICOM_RADIOPHARMACEUTICAL, Kind::Administration),
    ("supply", template::DEVICE, Kind::Device),
    ("procedure", template::PROCEDURE, Kind::Procedure),
    ("act", template::TRANSFER, Kind::Procedure),
    ("procedure", template::DICOM_TECHNIQUE, Kind::Procedure),
    ("procedure", template::DICOM_EXPOSURE, Kind::Procedure),
    ("observation", template::REQUEST, Kind::Request),
    ("encounter", template::ENCOUNTER, Kind::Encounter),
    ("observation", template::ADVERSE_EVENT, Kind::AdverseEvent),
    ("observation", template::ADVANCE_DIRECTIVE, Kind::Directive),
    ("act", template::DICOM_STUDY, Kind::ImagingStudy),
];

/// Which function reads the entry: its templates decide.
///
/// Templates of two families, or one that is not in the table, may mean something else: the entry waits. A simple observation
/// (3.48) says no more than code and value, whatever narrower template stands beside it.
fn kind_of(entry: Element<'_>, child: Element<'_>) -> Option<Kind> {
    if laboratory::is_results_entry(entry) {
        return Some(Kind::Results);
    }
    if child.is("observationMedia") {
        return Some(Kind::Image);
    }
    if child.is("organizer") && child.has_template(template::ATTACHED_DOCUMENT) {
        return Some(Kind::AttachedDocument);
    }
    let narrower =
        |root: &str, known: &str| root.strip_prefix(known).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    let mut found = None;
    let mut is_other = false;
    for root in child.templates().filter(|root| root.starts_with(template::ENTRY)) {
        let row = KINDS.iter().find(|(name, known, _)| child.is(name) && narrower(root, known));
        match (row, found) {
            (None, _) => is_other = true,
            (Some((_, _, Kind::Observation)), Some(_)) => {}
            (Some((_, _, kind)), None | Some(Kind::Observation)) => found = Some(*kind),
            (Some((_, _, kind)), Some(known)) => is_other |= *kind != known,
        }
    }
    let simple = found == Some(Kind::Observation) && has_any(child, &[template::SIMPLE_OBSERVATION]);
    found.filter(|_| !is_other || simple)
}

/// What the mood says of an entry, before its template does (R1).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mood {
    /// EVN: it is or was.
    Fact,
    /// INT, RQO, and an active EVN of the care plan: it is intended or asked for.
    Planned,
    /// GOL: it is aimed at.
    Goal,
    /// ARQ: an appointment is asked for.
    Appointment,
    /// Any other: nothing is said of it here.
    Other,
}

fn mood_of(context: &mut Context<'_>, child: Element<'_>) -> Mood {
    match child.stated("moodCode") {
        Some("EVN") if context.section_of(child).code == Some("18776-5") && status::code(child) == Some("active") => {
            Mood::Planned
        }
        Some("EVN") => Mood::Fact,
        Some("INT" | "RQO") => Mood::Planned,
        Some("GOL") => Mood::Goal,
        Some("ARQ") => Mood::Appointment,
        Some(_) | None => Mood::Other,
    }
}

/// One entry: what it says of what, then its function.
fn entry(context: &mut Context<'_>, header: &Header, entry: Element<'_>) -> Vec<String> {
    let Some(child) = entry.children().find(|child| !child.is("templateId")) else { return Vec::new() };
    if context.is_full() {
        context.list(entry, Reason::LimitReached);
        return Vec::new();
    }
    let Some(kind) = kind_of(entry, child) else {
        let planned = mood_of(context, child) != Mood::Fact;
        context.list(entry, if planned { Reason::MoodNotTranslated } else { Reason::KindNotTranslatedYet });
        return Vec::new();
    };
    // The subject of a family history is the relative: what stands around it may not be somebody else's.
    // An act that is null itself states nothing, but that none is known (R3).
    if child.stated("nullFlavor").is_some() && !child.subtree().any(problem::is_absent_code) {
        context.list(entry, Reason::NotApplicable);
        return Vec::new();
    }
    let about_another = if kind == Kind::FamilyHistory {
        context.is_about_another(entry)
    } else {
        kind != Kind::Results && context.is_about_another(child)
    };
    if about_another {
        context.list(entry, Reason::SubjectNotPatient);
        return Vec::new();
    }
    // Denied or without information, an act with results states none of them.
    let unsaid =
        entry::unsaid(child).or_else(|| (kind == Kind::Results && entry::is_denied(child)).then_some(Reason::StatusNotMapped));
    if let Some(reason) = unsaid {
        context.list(child, reason);
        return Vec::new();
    }
    // A file has no mood of its own; results are asked one by one.
    let has_no_mood = matches!(kind, Kind::Results | Kind::Image | Kind::AttachedDocument);
    let mood = if has_no_mood { Mood::Fact } else { mood_of(context, child) };
    let made = match mood {
        Mood::Fact => fact(context, header, kind, entry, child),
        Mood::Planned => planned(context, header, kind, child),
        Mood::Goal if kind == Kind::Request => Some(plan::goal(context, child).into_iter().collect()),
        Mood::Appointment if kind == Kind::Encounter => Some(encounter::encounter(context, child, true)),
        Mood::Goal | Mood::Appointment | Mood::Other => None,
    };
    made.unwrap_or_else(|| {
        context.list(entry, Reason::MoodNotTranslated);
        Vec::new()
    })
}

/// What is or was; `None` for a template that only plans.
fn fact(context: &mut Context<'_>, header: &Header, kind: Kind, entry: Element<'_>, child: Element<'_>) -> Option<Vec<String>> {
    let one = |made: Option<String>| Some(made.into_iter().collect());
    match kind {
        Kind::Results => Some(laboratory::results(context, header, entry)),
        Kind::AttachedDocument => Some(media::attached_document(context, child)),
        Kind::Image => one(media::image(context, child).map(|made| made.media)),
        Kind::Concern => Some(problem::concern(context, child)),
        Kind::Problem => one(problem::problem(context, child)),
        Kind::Allergy => one(allergy::allergy(context, child)),
        Kind::Immunization => Some(immunization::immunization(context, child)),
        Kind::Observation => Some(vital::observation_entry(context, child)),
        Kind::Pregnancy => Some(panel::pregnancy(context, child)),
        Kind::Panel => Some(panel::panel(context, child)),
        Kind::VitalSigns => Some(vital::vital_signs(context, child)),
        Kind::FamilyHistory => one(family::family_history(context, child)),
        Kind::Treatment => Some(treatment::treatment(context, child)),
        Kind::Dispense => one(dispensation::dispensation(context, child)),
        Kind::Administration => one(treatment::administration(context, child)),
        Kind::Device => Some(device::device_use(context, child)),
        Kind::Procedure => one(procedure::procedure(context, child)),
        Kind::Encounter => Some(encounter::encounter(context, child, false)),
        Kind::AdverseEvent => Some(adverse_event::adverse_event(context, child)),
        Kind::Directive => Some(directive::directive(context, child)),
        Kind::ImagingStudy => one(imaging::study(context, child)),
        Kind::Prescription | Kind::RecommendedVaccine | Kind::Request => None,
    }
}

/// What is intended or asked for: never a fact; `None` for what has no request.
fn planned(context: &mut Context<'_>, header: &Header, kind: Kind, child: Element<'_>) -> Option<Vec<String>> {
    let made = match kind {
        Kind::Treatment | Kind::Prescription | Kind::RecommendedVaccine => {
            prescription::medication_request(context, header, child)
        }
        Kind::Device => prescription::device_request(context, header, child),
        Kind::Procedure | Kind::Request => plan::service_request(context, header, child),
        Kind::Results
        | Kind::Image
        | Kind::AttachedDocument
        | Kind::Concern
        | Kind::Problem
        | Kind::Allergy
        | Kind::Immunization
        | Kind::Observation
        | Kind::Pregnancy
        | Kind::Panel
        | Kind::VitalSigns
        | Kind::FamilyHistory
        | Kind::Dispense
        | Kind::Administration
        | Kind::Encounter
        | Kind::AdverseEvent
        | Kind::Directive
        | Kind::ImagingStudy => return None,
    };
    Some(made.into_iter().collect())
}

/// The entry has no resource: none has a status that says what it says (R5).
fn status_not_mapped(context: &mut Context<'_>, element: Element<'_>) -> Option<String> {
    context.issue(super::issue::IssueCode::StatusNotMapped, element);
    context.list(element, Reason::StatusNotMapped);
    None
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
    for child in specimen::relations(element).flat_map(Element::children).filter(|child| is_entry(*child)) {
        context.list(child, Reason::KindNotTranslatedYet);
    }
}

/// Whether the element states something by itself.
fn is_entry(child: Element<'_>) -> bool {
    matches!(
        child.name(),
        "act"
            | "encounter"
            | "observation"
            | "observationMedia"
            | "organizer"
            | "procedure"
            | "substanceAdministration"
            | "supply"
    )
}

/// Whether the element has one of these templates.
fn has_any(element: Element<'_>, oids: &[&str]) -> bool {
    oids.iter().any(|oid| element.has_template(oid))
}
