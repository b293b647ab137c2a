//! The laboratory report: FR-Resultats-examens-de-biologie-medicale (3.21) and everything below it (C7).
use super::super::account::Reason;
use super::super::codes::{concept, repeated};
use super::super::context::{Context, PARTICIPANTS};
use super::super::datatypes::{When, when};
use super::super::header::Header;
use super::super::issue::IssueCode;
use super::super::participants::{self, Kind};
use super::observation::{Parts, authors, comments, is_comment, observation, with_function};
use super::{entry, has_any, media, specimen};
use crate::cda::{Element, template};
use serde_json::{Value, json};

/// Sections around an entry that give its results a category: chapter and sub-chapter, and some more.
const CHAPTERS: usize = 8;

/// What a node takes from the nodes around it: the nearest decides.
#[derive(Clone, Default)]
struct Scope {
    categories: Vec<Value>,
    code: Option<Value>,
    effective: Option<When>,
    performers: Vec<Value>,
    validators: Vec<Value>,
    device: Option<String>,
    /// Specimen of the results here.
    specimen: Option<String>,
    /// The collection (3.77) that an isolate here comes from.
    collected: Option<String>,
    /// Whether everything here is reported from before.
    previous: bool,
}

impl Scope {
    /// For what is reported from before: of no specimen, device, time or performer of this document (C7-22).
    fn of_previous(&self) -> Self {
        Self { categories: self.categories.clone(), code: self.code.clone(), previous: true, ..Self::default() }
    }
    fn parts(&self) -> Parts {
        Parts {
            categories: self.categories.clone(),
            code: self.code.clone(),
            effective: self.effective.clone(),
            performers: self.performers.iter().chain(&self.validators).cloned().collect(),
            specimen: self.specimen.clone(),
            device: self.device.clone(),
            previous: self.previous,
            ..Parts::default()
        }
    }
}

/// Whether the `entry` holds laboratory results: its own template says so, or its act's.
pub(in super::super) fn is_results_entry(entry: Element<'_>) -> bool {
    const RESULTS: [&str; 2] = [template::LABORATORY_RESULTS, "1.3.6.1.4.1.19376.1.3.1"];
    entry.is("entry") && entry.child("act").is_some_and(|act| has_any(entry, &RESULTS) || has_any(act, &RESULTS))
}

/// Results (FR-Resultats-examens-de-biologie-medicale, 1.2.250.1.213.1.1.3.21, on `entry`) -> Observation (C7-3)
///
/// act/code, statusCode -> code, status, no value
/// BATTERY, CLUSTER, 3.80 below -> hasMember (never specimens, comments, previous results, media)
/// comment 3.32 -> note;  AUTHEN, RESP -> performer with its function, on everything below
pub(in super::super) fn results(context: &mut Context<'_>, header: &Header, entry: Element<'_>) -> Vec<String> {
    let Some(act) = entry.child("act") else { return Vec::new() };
    if let Some(reason) = entry::refused(context, act) {
        context.list(act, reason);
        return Vec::new();
    }
    let mut scope =
        Scope { performers: header.performers.iter().map(participants::Participant::reference).collect(), ..Scope::default() };
    chapters(context, entry, &mut scope);
    node(context, header, act, &scope).map_or_else(Vec::new, |url| {
        context.laboratory.results.push(url.clone());
        vec![url]
    })
}

/// section 2.70, 2.71 code -> Observation.category: laboratory, chapter, sub-chapter (C7-2)
fn chapters(context: &mut Context<'_>, entry: Element<'_>, scope: &mut Scope) {
    let system = "http://terminology.hl7.org/CodeSystem/observation-category";
    scope.categories.push(json!({"coding": [{"system": system, "code": "laboratory"}]}));
    let mut sections: Vec<Element<'_>> = entry.ancestors().filter(|around| around.is("section")).collect();
    sections.reverse();
    for section in sections.into_iter().take(CHAPTERS) {
        let section = context.section(section);
        let Some(code) = section.concept.and_then(|code| concept(context, code)).map(repeated) else { continue };
        if section.is_laboratory_chapter && context.laboratory.chapters_known.insert(code.to_string()) {
            context.laboratory.chapters.push(code.clone());
        }
        scope.code = Some(code.clone());
        if !scope.categories.contains(&code) {
            scope.categories.push(code);
        }
    }
}

/// One act, organizer or observation of the tree, with everything below it.
fn node(context: &mut Context<'_>, header: &Header, element: Element<'_>, around: &Scope) -> Option<String> {
    if let Some(reason) = entry::refused(context, element) {
        context.list(element, reason);
        return None;
    }
    let mut scope = around.clone();
    own_time(context, element, &mut scope);
    let collections = collections(context, header, element, scope.previous);
    if let [only] = collections.as_slice() {
        scope.specimen = Some(only.clone());
        scope.collected = Some(only.clone());
    } else if !collections.is_empty() {
        // Several: each belongs only to the results that hold it.
        scope.specimen = None;
    }
    let isolate = is_isolate(element);
    let mut value = None;
    if isolate
        && let Some(specimen) = element.child("specimen")
        && let Some((url, organism)) = specimen::isolate(context, specimen, scope.collected.as_deref())
    {
        if !scope.previous {
            context.laboratory.specimens.push(url.clone());
        }
        scope.specimen = Some(url);
        value = organism;
    }
    own_participants(context, element, &mut scope);
    own_code(context, element, isolate, &mut scope);
    let url = context.url(&element.path());
    let mut parts = scope.parts();
    parts.value = value;
    parts.notes = comments(context, element, &url);
    below(context, header, element, &scope, &mut parts);
    let url = observation(context, element, parts)?;
    if scope.previous {
        context.tag(&url, "reported-previous");
    }
    Some(url)
}

fn is_isolate(element: Element<'_>) -> bool {
    element.is("organizer") && has_any(element, &[template::ISOLATE, "1.3.6.1.4.1.19376.1.3.1.5"])
}

fn is_battery(element: Element<'_>) -> bool {
    element.is("organizer") && has_any(element, &[template::BATTERY, "1.3.6.1.4.1.19376.1.3.1.4"])
}

fn is_result(element: Element<'_>) -> bool {
    element.is("observation") && has_any(element, &[template::LABORATORY_RESULT, "1.3.6.1.4.1.19376.1.3.1.6"])
}

/// effectiveTime, else the nearest organizer's or act's (R8).
fn own_time(context: &mut Context<'_>, element: Element<'_>, scope: &mut Scope) {
    if let Some(time) = element.child("effectiveTime").and_then(|time| when(context, time)) {
        scope.effective = Some(time);
    }
}

/// procedure 3.77 -> Specimen; one under REFR is of no result here, one inside a previous result not of this report.
fn collections(context: &mut Context<'_>, header: &Header, element: Element<'_>, previous: bool) -> Vec<String> {
    let procedures: Vec<Element<'_>> = specimen::relations(element)
        .filter(|relation| !is_previous(*relation))
        .filter_map(|relation| relation.child("procedure"))
        .filter(|procedure| specimen::is_collection(*procedure))
        .collect();
    let mut out = Vec::new();
    for procedure in procedures {
        match entry::refused(context, procedure) {
            Some(reason) => context.list(procedure, reason),
            None => out.push(specimen::collection(context, Some(header).filter(|_| !previous), procedure)),
        }
    }
    if !previous {
        context.laboratory.specimens.extend(out.iter().cloned());
    }
    out
}

/// performer (3.23), author, participant AUTHEN, RESP (3.109), DEV, CSM of this node (C7-19, 20, 20a, 20b).
fn own_participants(context: &mut Context<'_>, element: Element<'_>, scope: &mut Scope) {
    let mut performers = Vec::new();
    for performer in element.children_named("performer").take(PARTICIPANTS) {
        performers.extend(participants::participant_in(context, performer).map(|who| who.reference()));
    }
    if !performers.is_empty() {
        scope.performers = performers;
    }
    let room = PARTICIPANTS.saturating_sub(scope.validators.len());
    scope.validators.extend(authors(context, element).into_iter().take(room));
    for participant in element.children_named("participant") {
        match participant.stated("typeCode").unwrap_or("") {
            kind @ ("AUTHEN" | "RESP") => validator(context, participant, kind, scope),
            "DEV" => {
                let device = participants::participant_in(context, participant).filter(|who| who.kind == Kind::Device);
                scope.device = device.map(|device| device.url).or_else(|| scope.device.take());
            }
            "CSM" => {
                if let Some(specimen) = scope.specimen.clone() {
                    specimen::additive(context, participant, &specimen);
                }
            }
            _other => context.list(participant, Reason::ElementNotMapped),
        }
    }
}

fn validator(context: &mut Context<'_>, participant: Element<'_>, kind: &str, scope: &mut Scope) {
    let Some(who) = participants::participant_in(context, participant) else { return };
    // Observation.performer takes no Device.
    if who.kind == Kind::Device {
        return;
    }
    if scope.validators.len() >= PARTICIPANTS {
        context.issue(IssueCode::LimitReached, participant);
        return;
    }
    scope.validators.push(with_function(kind, &who.url));
    if kind == "AUTHEN"
        && !scope.previous
        && who.kind == Kind::Professional
        && !context.laboratory.interpreters.contains(&who.url)
    {
        context.laboratory.interpreters.push(who.url);
    }
}

/// code -> code; without code the nearest ancestor's, with an issue; an isolate has the text `Isolat` (C7-4, C7-5).
fn own_code(context: &mut Context<'_>, element: Element<'_>, isolate: bool, scope: &mut Scope) {
    let own = element.child("code").and_then(|code| concept(context, code));
    scope.code = match own {
        Some(code) => Some(code),
        None if isolate => Some(json!({"text": "Isolat"})),
        None => {
            context.issue(IssueCode::CodeFromAncestor, element);
            scope.code.take().map(repeated)
        }
    };
}

/// Whether what is below the relation is from before: decides before any template does.
fn is_previous(relation: Element<'_>) -> bool {
    relation.stated("typeCode") == Some("REFR")
}

/// The relations of a node: members, media, previous results.
fn below(context: &mut Context<'_>, header: &Header, element: Element<'_>, scope: &Scope, parts: &mut Parts) {
    // A result or battery below an isolate says nothing of the isolate's own code: the nearest code is the isolate's.
    for relation in specimen::relations(element) {
        let previous = is_previous(relation);
        for child in relation.children() {
            match child.name() {
                "templateId" | "sequenceNumber" | "seperatableInd" => {}
                "act" if is_comment(child) => {}
                "observation" | "organizer" if previous || scope.previous => {
                    parts.supporting.extend(self::previous(context, header, child, scope, previous));
                }
                // A file or a specimen from before is not of this report.
                _other if previous => context.list(child, Reason::KindNotTranslatedYet),
                "organizer" if is_battery(child) || is_isolate(child) => {
                    parts.members.extend(node(context, header, child, scope));
                }
                "observation" if is_result(child) => parts.members.extend(node(context, header, child, scope)),
                "observationMedia" => {
                    if let Some(reason) = entry::refused(context, child) {
                        context.list(child, reason);
                    } else if let Some(made) = media::image(context, child) {
                        if !scope.previous {
                            context.laboratory.media.push(made.media.clone());
                        }
                        parts.media.push(made.media);
                    }
                }
                "procedure" if specimen::is_collection(child) => {}
                _other => context.list(child, Reason::KindNotTranslatedYet),
            }
        }
    }
}

/// Previous result (under entryRelationship REFR, with or without a template) -> Observation of its own (C7-22)
///
/// tag `reported-previous`; never a member, also not of a previous battery: what it was found in points to it
/// 3.78, 3.79, 3.80, no template -> an Observation; any other template may mean something else: listed
fn previous(context: &mut Context<'_>, header: &Header, element: Element<'_>, around: &Scope, directly: bool) -> Option<String> {
    let is_known = is_battery(element) || is_isolate(element) || is_result(element) || element.templates().next().is_none();
    let is_reported = is_known || (directly && element.is("observation"));
    if !is_reported {
        context.list(element, Reason::KindNotTranslatedYet);
        return None;
    }
    if around.previous && !directly {
        return node(context, header, element, around);
    }
    node(context, header, element, &around.of_previous())
}
