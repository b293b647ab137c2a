//! The account of a translation: for every coded node a target or a reason.
//!
//! A coded node is an element with `@code` or `@nullFlavor` at or below an `entry`, except templateId, statusCode and
//! translation.
use super::context::{Claim, Context};
use crate::cda::Element;
use crate::fhir::Resource;
use serde_json::{Value, json};

macro_rules! reasons {
    ($($name:ident : $code:literal $text:literal;)*) => {
        /// Why a coded node has no target.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Reason { $(#[doc = $text] $name,)* }
        impl Reason {
            /// The code of `$translation`.
            #[must_use] pub const fn code(self) -> &'static str { match self { $(Self::$name => $code,)* } }
            /// The sentence.
            #[must_use] pub const fn text(self) -> &'static str { match self { $(Self::$name => $text,)* } }
            /// Every reason, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];
        }
    };
}

reasons! {
    KindNotTranslatedYet : "kind-not-translated-yet" "the template of this entry is not translated yet";
    MoodNotTranslated    : "mood-not-translated"     "the entry states no fact (moodCode), and its plan is not translated yet";
    StatusNotMapped      : "status-not-mapped"       "the resource has no status that says what the entry says";
    SubjectNotPatient    : "subject-not-patient"     "the entry is not about the patient";
    ElementNotMapped     : "element-not-mapped"      "the resource of the entry has no place for this element";
    NotApplicable        : "not-applicable"          "the element states that it has no value here";
    NothingStated        : "nothing-stated"          "the entry names nothing that it is about, and states no status";
    LimitReached         : "limit-reached"           "the document has more entries than are translated of one document";
    ContentUnreadable    : "content-unreadable"      "the embedded file cannot be read";
}

/// One line of the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountEntry {
    /// Absolute XPath in the ClinicalDocument.
    pub path: String,
    /// `full_url` of the resource that has what the node says.
    pub target: Option<String>,
    /// Why there is none.
    pub reason: Option<Reason>,
}

/// Whether the element is a coded node, given that it is at or below an `entry`.
pub(super) fn is_coded(element: Element<'_>) -> bool {
    (element.attribute("code").is_some() || element.attribute("nullFlavor").is_some())
        && !matches!(element.name(), "templateId" | "statusCode" | "translation")
}

/// Lines of one account; real documents have some hundreds.
const LINES: usize = 100_000;

/// The account of everything that the context claimed.
pub(super) fn account(context: &Context<'_>) -> Vec<AccountEntry> {
    let mut out = Vec::new();
    // An entry inside of an entry, which CDA does not have, is a part of it: each coded node is met once.
    let is_outermost = |entry: &Element<'_>| entry.is("entry") && !entry.ancestors().any(|around| around.is("entry"));
    for entry in context.document.root().subtree().filter(is_outermost) {
        for node in entry.subtree().filter(|element| is_coded(*element)) {
            if out.len() >= LINES {
                return out;
            }
            let (target, reason) = match made(context, node) {
                Some(Claim::Target(url)) => (Some(url.to_string()), None),
                Some(Claim::Reason(reason)) => (None, Some(*reason)),
                None => (None, Some(reason_of_ancestor(context, node))),
            };
            out.push(AccountEntry { path: node.path(), target, reason });
        }
    }
    out
}

/// What became of the node: a resource that was meant to say it and was not made after all says nothing.
fn made<'c>(context: &'c Context<'_>, node: Element<'_>) -> Option<&'c Claim> {
    context.claim_of(node).filter(|claim| match claim {
        Claim::Target(url) => context.is_made(url),
        Claim::Reason(_) => true,
    })
}

/// A node that nobody named: one that states only that it has no value needs no place; otherwise its nearest listed ancestor says why, otherwise its entry's resource has no place for it.
fn reason_of_ancestor(context: &Context<'_>, node: Element<'_>) -> Reason {
    let says = node.stated("code").is_some()
        || node.subtree().skip(1).any(|part| part.is("originalText") || part.stated("code").is_some());
    let listed = node.ancestors().find_map(|ancestor| match made(context, ancestor) {
        Some(Claim::Reason(reason)) => Some(*reason),
        Some(Claim::Target(_)) if !says => Some(Reason::NotApplicable),
        Some(Claim::Target(_)) => Some(Reason::ElementNotMapped),
        None => None,
    });
    listed.unwrap_or(Reason::ElementNotMapped)
}

/// The answer of `$translation`: one `entry` for each coded node, and the issues.
///
/// `reference` gives the reference (`Observation/...`) of a `full_url`; where it has none, the `full_url` itself stands.
pub fn account_parameters(translation: &super::Translation, mut reference: impl FnMut(&str) -> Option<String>) -> Resource {
    let mut parameters = Vec::with_capacity(translation.account.len());
    for entry in &translation.account {
        let mut parts = vec![json!({"name": "path", "valueString": entry.path})];
        if let Some(target) = &entry.target {
            let reference = reference(target).unwrap_or_else(|| target.clone());
            parts.push(json!({"name": "target", "valueReference": {"reference": reference}}));
        }
        if let Some(reason) = entry.reason {
            parts.push(json!({"name": "reason", "valueCode": reason.code()}));
        }
        parameters.push(json!({"name": "entry", "part": parts}));
    }
    for issue in &translation.issues {
        let path = json!({"name": "path", "valueString": issue.path});
        let code = json!({"name": "code", "valueCode": issue.code.code()});
        let text = json!({"name": "diagnostics", "valueString": issue.code.text()});
        parameters.push(json!({"name": "issue", "part": [path, code, text]}));
    }
    let mut out = Resource::new();
    out.insert("resourceType".into(), json!("Parameters"));
    super::context::set(&mut out, "parameter", Value::Array(parameters));
    out
}
