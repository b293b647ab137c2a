//! What the functions of one translation share: the document, what is made so far, issues, claims.
use super::account::{self, Reason};
use super::issue::{IssueCode, TranslationIssue};
use super::{DOCUMENT, SUBJECT, Translation, datatypes};
use crate::cda::{self, Element, template};
use crate::fhir::Resource;
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use uuid::Uuid;

/// One resource made from a document.
#[derive(Clone)]
pub struct Entry {
    /// `urn:uuid:` of (document id, entry path), version 5: the same for every translation of the document.
    pub full_url: String,
    /// Absolute XPath of the element it comes from; resources of the whole document have `/ClinicalDocument#Type`.
    pub entry_path: String,
    /// For a participant with a national identifier: names it in the record whatever the document (identifier and stated name).
    pub shared_key: Option<String>,
    /// The resource, without id; `meta.source` names the document.
    pub resource: Resource,
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Entry({})", self.entry_path)
    }
}

/// What became of a coded node.
pub(super) enum Claim {
    /// The `full_url` of the resource that says it.
    Target(Rc<str>),
    /// Why nothing says it.
    Reason(Reason),
}

/// What a laboratory report gathers from its acts.
#[derive(Default)]
pub(super) struct Laboratory {
    pub(super) results: Vec<String>,
    pub(super) specimens: Vec<String>,
    pub(super) media: Vec<String>,
    pub(super) interpreters: Vec<String>,
    pub(super) chapters: Vec<Value>,
    /// The same as text, to find one again.
    pub(super) chapters_known: HashSet<String>,
    pub(super) presented: Vec<Value>,
}

/// What the entries of a section ask of it.
#[derive(Clone, Copy, Default)]
pub(super) struct SectionFacts<'d> {
    /// The first `code`.
    pub(super) concept: Option<Element<'d>>,
    /// Its `@code`.
    pub(super) code: Option<&'d str>,
    pub(super) title: Option<Element<'d>>,
    pub(super) is_laboratory_chapter: bool,
    pub(super) is_document_copy: bool,
}

impl<'d> SectionFacts<'d> {
    fn of(section: Element<'d>) -> Self {
        let concept = section.child("code");
        let code = concept.and_then(|code| code.stated("code"));
        Self {
            concept,
            code,
            title: section.child("title"),
            is_laboratory_chapter: section.has_template(template::LABORATORY_CHAPTER),
            is_document_copy: section.has_template(template::DOCUMENT_COPY) || code == Some("55108-5"),
        }
    }
}

/// A problem that becomes a Condition: what names it.
struct Problem {
    /// Its own and those of its act, roots in lower case.
    ids: Vec<cda::Id>,
    code: Option<String>,
    system: Option<String>,
    url: String,
}

/// A reason that is a reference to a Condition.
struct NamedReason {
    /// The resource that has it.
    of: String,
    condition: String,
    /// What the reason says by itself.
    code: Option<Value>,
}

/// Resources of one document; real documents have some hundreds.
const ENTRIES: usize = 10_000;
/// Different units of one document; real documents have some tens.
const UNITS: usize = 1_000;
/// Bytes and nodes of one text that a reference names.
const NAMED_TEXT: usize = 64 << 10;
/// Bytes and nodes of all of them.
const TEXT_BUDGET: usize = 32 << 20;
/// Participants that one resource names.
pub(super) const PARTICIPANTS: usize = 32;

/// The state of one translation.
pub(super) struct Context<'d> {
    pub(super) document: &'d cda::Document,
    pub(super) header: cda::Header,
    /// `meta.source` of everything.
    pub(super) source: Option<String>,
    /// The document's effectiveTime as an instant; absent where it is none.
    pub(super) issued: Option<String>,
    /// The Encounter of the header: of the document and its report; no entry says that it is of this encounter.
    pub(super) encounter: Option<String>,
    /// Whether the document has laboratory entries: then a DiagnosticReport is made.
    pub(super) has_laboratory: bool,
    pub(super) laboratory: Laboratory,
    /// Authors and informants of entries: agents of the Provenance.
    pub(super) agents: Vec<(&'static str, String)>,
    /// Participants made so far, by what identifies them.
    pub(super) participants: HashMap<String, usize>,
    pub(super) entries: Vec<Entry>,
    /// Codes of the units met so far.
    units: HashMap<String, Option<(&'static str, String)>>,
    /// Sections asked before: one may hold very many entries.
    sections: HashMap<u32, SectionFacts<'d>>,
    /// Elements with a `subject` of their own.
    about_another: HashSet<u32>,
    places: HashMap<String, usize>,
    /// What the internal references of reasons may name; found at the first one.
    problems: Option<Vec<Problem>>,
    /// Conditions that reasons name before or without their being made.
    reasons: Vec<NamedReason>,
    issues: Vec<TranslationIssue>,
    raised: HashSet<(IssueCode, u32)>,
    /// What may still be read through references: each can be named many times.
    text_budget: usize,
    claims: HashMap<u32, Claim>,
    namespace: Uuid,
}

impl<'d> Context<'d> {
    pub(super) fn new(document: &'d cda::Document) -> Self {
        let header = document.header();
        let name = header
            .id
            .as_ref()
            .map_or_else(String::new, |id| format!("{}^{}", id.root.to_ascii_lowercase(), id.extension.as_deref().unwrap_or("")));
        let mut context = Self {
            document,
            source: header.id.as_ref().and_then(meta_source),
            header,
            issued: None,
            encounter: None,
            has_laboratory: false,
            laboratory: Laboratory::default(),
            agents: Vec::new(),
            participants: HashMap::new(),
            entries: Vec::new(),
            units: HashMap::new(),
            sections: HashMap::new(),
            about_another: HashSet::new(),
            places: HashMap::new(),
            problems: None,
            reasons: Vec::new(),
            issues: Vec::new(),
            raised: HashSet::new(),
            text_budget: TEXT_BUDGET,
            claims: HashMap::new(),
            namespace: Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()),
        };
        for element in document.root().subtree() {
            match element.name() {
                "entry" => context.has_laboratory |= super::sections::laboratory::is_results_entry(element),
                "subject" | "relatedSubject" => context.about_another.extend(element.parent().map(Element::number)),
                _other => {}
            }
        }
        let time = document.root().child("effectiveTime");
        context.issued = time.and_then(|time| datatypes::instant(&mut context, time));
        context
    }

    /// The `full_url` of what comes from this path.
    pub(super) fn url(&self, path: &str) -> String {
        format!("urn:uuid:{}", Uuid::new_v5(&self.namespace, path.as_bytes()).hyphenated())
    }
    /// Adds the resource that comes from this path.
    pub(super) fn add(&mut self, path: String, resource: Resource) -> String {
        let full_url = self.url(&path);
        // An element that two functions read is one resource: the first.
        if self.is_made(&full_url) {
            return full_url;
        }
        let resource = self.with_source(resource);
        self.places.insert(full_url.clone(), self.entries.len());
        self.entries.push(Entry { full_url: full_url.clone(), entry_path: path, shared_key: None, resource });
        full_url
    }
    fn with_source(&self, resource: Resource) -> Resource {
        let Some(source) = &self.source else { return resource };
        let mut out = Resource::new();
        for (name, value) in resource {
            let first = name == "resourceType";
            if name == "meta" {
                continue;
            }
            out.insert(name, value);
            if first {
                out.insert("meta".into(), json!({"source": source}));
            }
        }
        out
    }
    /// A tag of this server's own code system on the resource added last for this url.
    pub(super) fn tag(&mut self, full_url: &str, code: &str) {
        let Some(entry) = self.entry_mut(full_url) else { return };
        let meta = entry.resource.entry("meta").or_insert_with(|| json!({}));
        let Some(meta) = meta.as_object_mut() else { return };
        let tags = meta.entry("tag").or_insert_with(|| json!([]));
        let tag = json!({"system": format!("{}/CodeSystem/translation-tag", crate::fhir::CANONICAL), "code": code});
        if let Some(tags) = tags.as_array_mut()
            && !tags.contains(&tag)
        {
            tags.push(tag);
        }
    }
    /// Whether there is a resource of this `full_url`.
    pub(super) fn is_made(&self, full_url: &str) -> bool {
        self.places.contains_key(full_url)
    }
    /// The entry with this `full_url`.
    pub(super) fn entry_mut(&mut self, full_url: &str) -> Option<&mut Entry> {
        self.places.get(full_url).and_then(|index| self.entries.get_mut(*index))
    }
    /// Whether the element, or one around it, has a subject of its own: then it is not about the patient (C7-27).
    pub(super) fn is_about_another(&self, element: Element<'_>) -> bool {
        !self.about_another.is_empty()
            && std::iter::once(element).chain(element.ancestors()).any(|around| self.about_another.contains(&around.number()))
    }
    /// The Condition of the document that has this id, its own or its act's, and this code; `None` also where several have (C8-26).
    pub(super) fn problem_of(&mut self, reference: Element<'_>) -> Option<String> {
        if self.problems.is_none() {
            let found = super::sections::problem::problems(self.document);
            let problem = |(ids, observation): (Vec<cda::Id>, Element<'_>)| {
                let value = observation.child("value");
                let stated = |name| value.and_then(|value| value.stated(name)).map(str::to_owned);
                Problem { ids, code: stated("code"), system: stated("codeSystem"), url: self.url(&observation.path()) }
            };
            self.problems = Some(found.into_iter().map(problem).collect());
        }
        let ids = super::sections::problem::lower_case_ids(reference);
        let code = reference.child("code")?;
        let stated = code.stated("code")?;
        let system = code.stated("codeSystem");
        let is_named = |problem: &&Problem| {
            let same_system = system.is_none() || problem.system.is_none() || problem.system.as_deref() == system;
            problem.code.as_deref() == Some(stated) && same_system && ids.iter().any(|id| problem.ids.contains(id))
        };
        let mut named = self.problems.iter().flatten().filter(is_named);
        match (named.next(), named.next()) {
            (Some(only), None) => Some(only.url.clone()),
            (Some(_) | None, _) => None,
        }
    }
    /// This resource has this Condition as a reason; where none is made of the problem, it has the code.
    pub(super) fn reason(&mut self, of: &str, condition: String, code: Option<Value>) {
        self.reasons.push(NamedReason { of: of.to_owned(), condition, code });
    }
    /// A problem may stand where it is not translated (planned, of somebody else): what names it keeps the code.
    fn settle_reasons(&mut self) {
        for NamedReason { of, condition, code } in std::mem::take(&mut self.reasons) {
            if self.is_made(&condition) {
                continue;
            }
            let Some(entry) = self.entry_mut(&of) else { continue };
            let named = reference(&condition);
            if let Some(references) = entry.resource.get_mut("reasonReference").and_then(Value::as_array_mut) {
                references.retain(|reference| *reference != named);
                if references.is_empty() {
                    entry.resource.remove("reasonReference");
                }
            }
            let codes = entry.resource.entry("reasonCode").or_insert_with(|| json!([]));
            if let Some(codes) = codes.as_array_mut() {
                codes.extend(code);
            }
            if entry.resource.get("reasonCode").and_then(Value::as_array).is_some_and(Vec::is_empty) {
                entry.resource.remove("reasonCode");
            }
        }
    }
    /// The section around an element.
    pub(super) fn section_of(&mut self, element: Element<'_>) -> SectionFacts<'d> {
        element.section().map_or_else(SectionFacts::default, |section| self.section(section))
    }
    /// This section.
    pub(super) fn section(&mut self, section: Element<'_>) -> SectionFacts<'d> {
        let own = self.document.element(section.number());
        *self.sections.entry(section.number()).or_insert_with(|| own.map_or_else(SectionFacts::default, SectionFacts::of))
    }
    /// The code of a unit, found once for each unit; none beyond what one document may have.
    pub(super) fn unit_code(
        &mut self,
        unit: &str,
        find: impl FnOnce(&str) -> Option<(&'static str, String)>,
    ) -> Option<(&'static str, String)> {
        if let Some(known) = self.units.get(unit) {
            return known.clone();
        }
        if self.units.len() >= UNITS {
            return None;
        }
        let found = find(unit);
        self.units.insert(unit.to_owned(), found.clone());
        found
    }
    /// Whether no further resource is made of this document.
    pub(super) fn is_full(&self) -> bool {
        self.entries.len() >= ENTRIES
    }
    /// The text of an element that a reference names; `None` beyond what one text, or all of them together, may be.
    pub(super) fn named_text(&mut self, element: Element<'_>) -> Option<String> {
        let nodes = element.size();
        if nodes > NAMED_TEXT || nodes > self.text_budget {
            self.issue(IssueCode::LimitReached, element);
            return None;
        }
        let text = element.text();
        self.text_budget = self.text_budget.saturating_sub(nodes.saturating_add(text.len()));
        if text.len() > NAMED_TEXT {
            self.issue(IssueCode::LimitReached, element);
            return None;
        }
        Some(text).filter(|text| !text.is_empty())
    }
    /// A remark on an element.
    pub(super) fn issue(&mut self, code: IssueCode, element: Element<'_>) {
        if self.issues.len() < ENTRIES && self.raised.insert((code, element.number())) {
            self.issues.push(TranslationIssue { code, path: element.path() });
        }
    }
    /// This element is said by that resource; an earlier claim stays.
    pub(super) fn claim(&mut self, element: Element<'_>, full_url: &str) {
        self.claims.entry(element.number()).or_insert_with(|| Claim::Target(full_url.into()));
    }
    /// Every coded node of this subtree that has no claim yet is said by that resource.
    pub(super) fn claim_tree(&mut self, element: Element<'_>, full_url: &str) {
        let full_url: Rc<str> = full_url.into();
        for node in element.subtree() {
            self.claims.entry(node.number()).or_insert_with(|| Claim::Target(Rc::clone(&full_url)));
        }
    }
    /// Nothing of this subtree is translated, for this reason.
    pub(super) fn list(&mut self, element: Element<'_>, reason: Reason) {
        self.claims.entry(element.number()).or_insert(Claim::Reason(reason));
    }
    pub(super) fn claim_of(&self, element: Element<'_>) -> Option<&Claim> {
        self.claims.get(&element.number())
    }
    /// Reference to the patient.
    pub(super) fn subject() -> Value {
        json!({"reference": SUBJECT})
    }
    /// Reference to the DocumentReference.
    pub(super) fn document_reference() -> Value {
        json!({"reference": DOCUMENT})
    }
    pub(super) fn take_issues(self) -> Vec<TranslationIssue> {
        self.issues
    }
    /// The translation.
    pub(super) fn finish(mut self) -> Translation {
        self.settle_reasons();
        let account = account::account(&self);
        Translation { entries: self.entries, issues: self.issues, account }
    }
}

/// `meta.source`: the URI of the document's id.
fn meta_source(id: &cda::Id) -> Option<String> {
    let root = id.root_uri()?;
    Some(match &id.extension {
        Some(extension) => format!("{root}#{}", extension.replace(char::is_whitespace, "_")),
        None => root,
    })
}

/// Starts a resource.
pub(super) fn resource(resource_type: &str) -> Resource {
    let mut out = Resource::new();
    out.insert("resourceType".into(), json!(resource_type));
    out
}

/// Sets an element that may be absent; empty arrays are never written.
pub(super) fn set(resource: &mut Resource, name: &str, value: impl Into<Option<Value>>) {
    match value.into() {
        None | Some(Value::Null) => {}
        Some(Value::Array(items)) if items.is_empty() => {}
        Some(value) => {
            resource.insert(name.to_owned(), value);
        }
    }
}

/// A reference to another entry.
pub(super) fn reference(full_url: &str) -> Value {
    json!({"reference": full_url})
}

/// References to other entries.
pub(super) fn references(full_urls: &[String]) -> Value {
    Value::Array(full_urls.iter().map(|url| reference(url)).collect())
}
