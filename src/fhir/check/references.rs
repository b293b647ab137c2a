//! References: syntax, permitted target types, contained resources (ref-1, dom-2 to dom-5).
use super::{Checker, Object};
use crate::fhir::IssueKind;
use crate::fhir::elements::TypeUse;
use crate::fhir::reference::{self, Reference};
use serde_json::Value;
use std::collections::{HashMap, HashSet};

/// The `#` references of one resource and the contained resources that they may name.
#[derive(Default)]
pub(super) struct Scope {
    contained: Vec<Contained>,
    used: Vec<Used>,
}

struct Contained {
    id: Option<String>,
    resource_type: String,
}

struct Used {
    id: String,
    path: String,
    /// Permitted types; `None` for a canonical or uri, which may lead elsewhere.
    reference: Option<&'static TypeUse>,
}

impl Scope {
    pub(super) fn of(resource: &Object) -> Self {
        let text = |resource: &Value, name: &str| resource.get(name).and_then(Value::as_str).map(str::to_owned);
        let contained = resource.get("contained").and_then(Value::as_array).into_iter().flatten();
        let contained = contained
            .map(|item| Contained { id: text(item, "id"), resource_type: text(item, "resourceType").unwrap_or_default() })
            .collect();
        Self { contained, used: Vec::new() }
    }

    /// Compares the two sides when the whole resource has been walked.
    pub(super) fn close(self, checker: &mut Checker) {
        let root = checker.path.clone();
        let by_id: HashMap<&str, &Contained> =
            self.contained.iter().filter_map(|contained| Some((contained.id.as_deref()?, contained))).collect();
        for used in &self.used {
            let Some(type_use) = used.reference.filter(|_| !used.id.is_empty()) else { continue };
            let fault = match by_id.get(used.id.as_str()) {
                None => (IssueKind::InvariantBroken, "ref-1: names no contained resource"),
                Some(target) if !permits(type_use, &target.resource_type) => (IssueKind::ValueInvalid, WRONG_TYPE),
                Some(_) => continue,
            };
            checker.path.clone_from(&used.path);
            checker.report(fault.0, fault.1);
        }
        checker.path.clone_from(&root);
        self.close_contained(checker, &format!("{root}.contained["));
    }

    /// Each contained resource has an id of its own, and is referred to or refers to its container (dom-3).
    fn close_contained(&self, checker: &mut Checker, inside: &str) {
        let used: HashSet<&str> = self.used.iter().map(|used| used.id.as_str()).collect();
        let refers_back = |used: &Used| used.path.strip_prefix(inside)?.split(']').next()?.parse::<usize>().ok();
        let back: HashSet<usize> = self.used.iter().filter(|used| used.id.is_empty()).filter_map(refers_back).collect();
        let mut seen = HashSet::new();
        for (index, contained) in self.contained.iter().enumerate() {
            let fault = match &contained.id {
                None => "dom-3: a contained resource has no id",
                Some(id) if !seen.insert(id) => "Two contained resources have the same id",
                Some(id) if !used.contains(id.as_str()) && !back.contains(&index) => {
                    "dom-3: a contained resource is referred to from nowhere"
                }
                Some(_) => continue,
            };
            checker.under("contained", |checker| {
                checker.at_index(index, |checker| checker.report(IssueKind::InvariantBroken, fault));
            });
        }
    }
}

const WRONG_TYPE: &str = "Refers to a resource of a type that may not stand here";

fn permits(used: &TypeUse, resource_type: &str) -> bool {
    used.targets.is_empty() || used.targets.contains(&resource_type)
}

impl Checker {
    fn local(&mut self, text: &str, reference: Option<&'static TypeUse>) -> bool {
        let Some(id) = text.strip_prefix('#') else { return false };
        let used = Used { id: id.to_owned(), path: self.path.clone(), reference };
        if let Some(scope) = self.scopes.last_mut() {
            scope.used.push(used);
        }
        true
    }

    /// A canonical, uri or url that begins with `#` counts as a use of a contained resource (dom-3).
    pub(super) fn local_link(&mut self, type_name: &str, text: &str) {
        if matches!(type_name, "canonical" | "uri" | "url") {
            self.local(text, None);
        }
    }

    pub(super) fn reference(&mut self, used: &'static TypeUse, object: &Object) {
        let Some(Value::String(text)) = object.get("reference") else { return };
        self.under("reference", |checker| {
            if checker.local(text, Some(used)) || text.is_empty() {
                return;
            }
            if reference::parse(text, "") == Reference::Invalid {
                return checker.report(IssueKind::ValueInvalid, "Neither a URL, nor [type]/[id], nor #[id]");
            }
            if reference::named_type(text).is_some_and(|named| !permits(used, named.name())) {
                checker.report(IssueKind::ValueInvalid, WRONG_TYPE);
            }
        });
    }

    /// What a contained resource may not have (dom-2, dom-4, dom-5).
    pub(super) fn contained_rules(&mut self, resource: &Object) {
        if resource.contains_key("contained") {
            self.report_at("contained", IssueKind::InvariantBroken, "dom-2: a contained resource contains resources");
        }
        let Some(Value::Object(meta)) = resource.get("meta") else { return };
        for (name, rule) in [("versionId", "dom-4"), ("lastUpdated", "dom-4"), ("security", "dom-5")] {
            if meta.contains_key(name) {
                let fault = format!("{rule}: a contained resource has none");
                self.under("meta", |checker| checker.report_at(name, IssueKind::InvariantBroken, fault));
            }
        }
    }
}
