//! References: syntax, permitted target types, contained resources (ref-1, dom-2 to dom-5).
use super::{Checker, Object};
use crate::fhir::IssueKind;
use crate::fhir::elements::TypeUse;
use crate::fhir::reference::{self, Reference};
use serde_json::Value;

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
        for used in &self.used {
            let Some(type_use) = used.reference.filter(|_| !used.id.is_empty()) else { continue };
            let target = self.contained.iter().find(|contained| contained.id.as_ref() == Some(&used.id));
            checker.path.clone_from(&used.path);
            match target {
                None => checker.report(IssueKind::InvariantBroken, "ref-1: names no contained resource"),
                Some(target) if !permits(type_use, &target.resource_type) => {
                    checker.report(IssueKind::ValueInvalid, "Refers to a resource of a type that may not stand here");
                }
                Some(_) => {}
            }
        }
        checker.path.clone_from(&root);
        for (index, contained) in self.contained.iter().enumerate() {
            checker.under("contained", |checker| {
                checker.at_index(index, |checker| self.contained_is_used(checker, index, contained));
            });
        }
    }

    fn contained_is_used(&self, checker: &mut Checker, index: usize, contained: &Contained) {
        let Some(id) = &contained.id else {
            return checker.report(IssueKind::InvariantBroken, "dom-3: a contained resource has no id");
        };
        let same = |other: &Contained| other.id.as_ref() == Some(id);
        if self.contained.iter().take(index).any(same) {
            return checker.report(IssueKind::InvariantBroken, "Two contained resources have the same id");
        }
        let inside = format!("{}.", checker.path);
        let is_used = self.used.iter().any(|used| used.id == *id || (used.id.is_empty() && used.path.starts_with(&inside)));
        if !is_used {
            checker.report(IssueKind::InvariantBroken, "dom-3: a contained resource is referred to from nowhere");
        }
    }
}

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
                checker.report(IssueKind::ValueInvalid, "Refers to a resource of a type that may not stand here");
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
