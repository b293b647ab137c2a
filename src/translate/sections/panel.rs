//! Organizers of observations: FR-Statut-fonctionnel (3.95), FR-Resultats (3.208), FR-Historique-de-la-grossesse (3.55), and
//! FR-Observation-sur-la-grossesse (3.53) with its parts (C8-33, 34, 36).
use super::super::context::Context;
use super::super::participants;
use super::entry;
use super::observation::{observation, parts, single};
use crate::cda::{Element, template};
use serde_json::{Value, json};

/// Members of one organizer; real ones have some tens.
const MEMBERS: usize = 1_000;

/// A code of R4's observation-category.
pub(super) fn category(code: &str) -> Value {
    json!({"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": code}]})
}

/// Organizer (3.95, 3.208, 3.55) -> an Observation without value whose members are hasMember
///
/// 3.95 -> category survey;  3.208 code 26436-6 -> laboratory, 18748-4 -> imaging, any other: none;  3.55 -> none
/// code, effectiveTime, performer, author, 3.32 -> the same as for one observation
/// negationInd=true on the organizer: which members are denied is not certain, listed
pub(super) fn panel(context: &mut Context<'_>, element: Element<'_>) -> Vec<String> {
    if entry::is_denied(element) {
        return super::status_not_mapped(context, element).into_iter().collect();
    }
    let code = element.child("code").and_then(|code| code.stated("code"));
    let categories = if element.has_template(template::FUNCTIONAL_STATUS) {
        vec![category("survey")]
    } else {
        match code.filter(|_| element.has_template(template::RESULTS)) {
            Some("26436-6") => vec![category("laboratory")],
            Some("18748-4") => vec![category("imaging")],
            Some(_) | None => Vec::new(),
        }
    };
    let members = members(context, element, &categories);
    let mut parts = parts(context, element, None);
    parts.categories = categories;
    parts.members.clone_from(&members);
    let mut made: Vec<String> = observation(context, element, parts).into_iter().collect();
    for participant in element.children_named("participant") {
        let who = participants::participant_in(context, participant);
        context.agents.extend(who.map(|who| ("performer", who.url)));
    }
    made.extend(members);
    super::list_rest(context, element);
    made
}

fn members(context: &mut Context<'_>, element: Element<'_>, categories: &[Value]) -> Vec<String> {
    let observations: Vec<Element<'_>> = entry::below(element)
        .map(|(_, child)| child)
        .filter(|child| child.is("observation") && is_member(*child))
        .take(MEMBERS)
        .collect();
    let mut out = Vec::new();
    for member in observations {
        match entry::refused(context, member) {
            Some(reason) => context.list(member, reason),
            None => out.extend(single(context, member, Some(element), categories.to_vec())),
        }
    }
    out
}

/// Whether it is an observation that only says code and value.
pub(super) fn is_member(child: Element<'_>) -> bool {
    const MEMBERS: [&str; 5] =
        [template::SIMPLE_OBSERVATION, template::ASSESSMENT, template::RESULT, template::PREGNANCY, template::SOCIAL_HISTORY];
    let mut own = child.templates().filter(|root| root.starts_with(template::ENTRY)).peekable();
    own.peek().is_some()
        && own.all(|root| {
            MEMBERS.iter().any(|known| root.strip_prefix(known).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
        })
}

/// Pregnancy (FR-Observation-sur-la-grossesse, 1.2.250.1.213.1.1.3.53) -> Observation; 3.53 below under COMP -> hasMember
pub(super) fn pregnancy(context: &mut Context<'_>, element: Element<'_>) -> Vec<String> {
    let members = members(context, element, &[]);
    let mut parts = parts(context, element, None);
    parts.members.clone_from(&members);
    let mut made: Vec<String> = observation(context, element, parts).into_iter().collect();
    made.extend(members);
    super::list_rest(context, element);
    made
}
