//! Judges a resource against R4: structure, cardinality, primitive syntax, required codes, references, cheap invariants.
//!
//! Every fault is named with its FHIRPath, so that whoever wrote the resource finds it at once.
//! <https://hl7.org/fhir/R4/validation.html>
//!
//! Known limits. Not judged: profiles; codes of systems that R4 does not list (UCUM, LOINC, SNOMED CT), and bindings other
//! than required; where an extension may stand and what it may hold; what a reference leads to (the service resolves it);
//! best practice, which R4 gives as warnings (dom-6). A language and a media type are judged by their shape. The invariants
//! left out are named in `invariants`; every other one of an accepted type has a row in tests/specs/r4-invariants.md.
mod bundle;
mod codes;
mod conditions;
mod invariants;
pub mod primitive;
mod references;
#[cfg(test)]
pub(in crate::fhir) mod tests;

use super::elements::{self, ElementDefinition, Kind, Primitive, TypeDefinition, TypeUse};
use super::{Issue, IssueKind, Resource};
pub(crate) use codes::is_media_type;
use references::Scope;
use serde_json::{Map, Value};
use std::fmt::Write;

/// Greatest number of issues that one check reports.
pub const ISSUES_MAX: usize = 50;

type Object = Map<String, Value>;

/// Every fault of the resource, at most [`ISSUES_MAX`]; empty for a resource of R4.
#[must_use]
pub fn check(resource: &Resource) -> Vec<Issue> {
    let mut checker = Checker::default();
    checker.resource(resource, Place::Root);
    checker.issues
}

/// Where a resource stands: a contained one shares the scope of `#` references with its container.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Root,
    Inside,
    Contained,
}

#[derive(Default)]
struct Checker {
    issues: Vec<Issue>,
    path: String,
    depth: usize,
    scopes: Vec<Scope>,
}

impl Checker {
    fn report(&mut self, kind: IssueKind, diagnostics: impl Into<String>) {
        if self.issues.len() < ISSUES_MAX {
            self.issues.push(Issue::at(kind, self.path.clone(), diagnostics));
        }
    }

    /// Runs `check` with the path longer by this step.
    fn under(&mut self, step: &str, check: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        if !self.path.is_empty() {
            self.path.push('.');
        }
        self.path.push_str(step);
        check(self);
        self.path.truncate(length);
    }

    fn at_index(&mut self, index: usize, check: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        // Writing into a String cannot fail.
        let _ = write!(self.path, "[{index}]");
        check(self);
        self.path.truncate(length);
    }

    fn report_at(&mut self, step: &str, kind: IssueKind, diagnostics: impl Into<String>) {
        let diagnostics = diagnostics.into();
        self.under(step, |checker| checker.report(kind, diagnostics));
    }

    fn resource(&mut self, resource: &Object, place: Place) {
        let definition = match resource.get("resourceType") {
            Some(Value::String(name)) => elements::resource(name),
            Some(_) | None => None,
        };
        let Some(definition) = definition else {
            let fault = match resource.get("resourceType") {
                None => "The resource has no resourceType",
                Some(_) => "resourceType is not a resource type of R4",
            };
            self.report(IssueKind::StructureInvalid, fault);
            return;
        };
        if place == Place::Root {
            self.path.push_str(definition.name);
        }
        if place != Place::Contained {
            self.scopes.push(Scope::of(resource));
        }
        self.object(definition, resource);
        if definition.name == "Bundle" {
            bundle::check(self, resource);
        }
        if place == Place::Contained {
            self.contained_rules(resource);
        } else if let Some(scope) = self.scopes.pop() {
            scope.close(self);
        }
    }

    fn object(&mut self, definition: &'static TypeDefinition, object: &Object) {
        self.depth += 1;
        if self.depth > super::json::DEPTH_MAX {
            self.report(IssueKind::StructureInvalid, "Nested too deep");
            self.depth -= 1;
            return;
        }
        let mut seen: Vec<Option<&str>> = vec![None; definition.elements.len()];
        for key in object.keys() {
            self.member(definition, object, key, &mut seen);
        }
        for (element, seen) in definition.elements.iter().zip(&seen) {
            if element.min > 0 && seen.is_none() {
                self.report_at(element.name, IssueKind::RequiredMissing, "A required element is absent");
            }
        }
        invariants::check(self, definition, object);
        self.depth -= 1;
    }

    /// One JSON member; `birthDate` and `_birthDate` are judged together, at whichever comes first.
    fn member<'a>(
        &mut self,
        definition: &'static TypeDefinition,
        object: &'a Object,
        key: &'a str,
        seen: &mut [Option<&'a str>],
    ) {
        if key == "resourceType" && definition.kind == Kind::Resource {
            return;
        }
        let name = key.strip_prefix('_').unwrap_or(key);
        // A narrative's div and what XML writes as an attribute have nothing beside them.
        let has_beside = |used: &TypeUse| {
            let primitive = used.definition().primitive();
            primitive.is_some_and(|primitive| primitive != Primitive::Xhtml) && !definition.is_attribute(name)
        };
        let found = definition.element(name).filter(|(_, used)| name == key || has_beside(used));
        let Some((element, used)) = found else {
            let step = if is_plain(key) { key } else { "%unknown" };
            return self.report_at(step, IssueKind::StructureInvalid, format!("{} has no such element", definition.name));
        };
        let position = definition.position(name).and_then(|position| seen.get_mut(position));
        match position {
            Some(slot @ None) => *slot = Some(name),
            Some(Some(earlier)) if *earlier != name => {
                let fault = "A choice element has two values";
                return self.report_at(element.name, IssueKind::StructureInvalid, fault);
            }
            Some(Some(_)) | None => return,
        }
        let length = self.path.len();
        self.path.push('.');
        self.path.push_str(element.name);
        if element.choice {
            let _ = write!(self.path, ".ofType({})", used.definition().name);
        }
        if used.definition().primitive().is_some() {
            self.primitives(element, used, object.get(name), object.get(&format!("_{name}")));
        } else if let Some(value) = object.get(name) {
            self.complex(element, used, value);
        }
        self.path.truncate(length);
    }

    fn complex(&mut self, element: &'static ElementDefinition, used: &'static TypeUse, value: &Value) {
        match (value, element.is_array()) {
            (Value::Array(items), true) => {
                self.count(element, items.len());
                for (index, item) in items.iter().enumerate() {
                    self.at_index(index, |checker| checker.complex_item(element, used, item));
                }
            }
            (Value::Array(_), false) => self.report(IssueKind::StructureInvalid, "Is an array, but stands once at most"),
            (_, true) => self.report(IssueKind::StructureInvalid, "Must be an array, also for one item"),
            (value, false) => self.complex_item(element, used, value),
        }
    }

    fn complex_item(&mut self, element: &'static ElementDefinition, used: &'static TypeUse, value: &Value) {
        let definition = used.definition();
        match value {
            Value::Object(object) if object.is_empty() => self.report(IssueKind::StructureInvalid, "An object has no member"),
            Value::Object(object) if definition.kind == Kind::AnyResource => {
                let place = if element.name == "contained" { Place::Contained } else { Place::Inside };
                self.resource(object, place);
            }
            Value::Object(object) => {
                self.object(definition, object);
                codes::check(self, element, definition, object);
                if definition.name == "Reference" {
                    self.reference(used, object);
                }
                if used.simple_quantity && (object.contains_key("comparator") || object.contains_key("_comparator")) {
                    self.report(IssueKind::InvariantBroken, "sqty-1: a SimpleQuantity has no comparator");
                }
            }
            Value::Null => self.report(IssueKind::StructureInvalid, "null stands for no element"),
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                self.report(IssueKind::StructureInvalid, format!("Must be an object of type {}", definition.name));
            }
        }
    }

    /// Too few or too many items, or none at all.
    fn count(&mut self, element: &ElementDefinition, length: usize) {
        if length == 0 {
            self.report(IssueKind::StructureInvalid, "An array has no item");
        } else if length > usize::from(element.max) && element.max != u16::MAX {
            self.report(IssueKind::StructureInvalid, format!("Stands at most {} times", element.max));
        } else if length < usize::from(element.min) {
            self.report(IssueKind::RequiredMissing, format!("Stands at least {} times", element.min));
        }
    }

    fn primitives(
        &mut self,
        element: &'static ElementDefinition,
        used: &'static TypeUse,
        value: Option<&Value>,
        beside: Option<&Value>,
    ) {
        if !element.is_array() {
            if [value, beside].into_iter().flatten().any(Value::is_array) {
                return self.report(IssueKind::StructureInvalid, "Is an array, but stands once at most");
            }
            return self.primitive(element, used, value, beside);
        }
        let (Some(values), Some(besides)) = (items(value), items(beside)) else {
            return self.report(IssueKind::StructureInvalid, "Must be an array, also for one item");
        };
        if [value, beside].into_iter().flatten().any(|given| given.as_array().is_some_and(Vec::is_empty)) {
            return self.report(IssueKind::StructureInvalid, "An array has no item");
        }
        if value.is_some() && beside.is_some() && values.len() != besides.len() {
            return self.report(IssueKind::StructureInvalid, "The array and that of its ids and extensions differ in length");
        }
        self.count(element, values.len().max(besides.len()));
        for index in 0..values.len().max(besides.len()) {
            let value = values.get(index).filter(|item| !item.is_null());
            let beside = besides.get(index).filter(|item| !item.is_null());
            self.at_index(index, |checker| checker.primitive(element, used, value, beside));
        }
    }

    /// A primitive value, and the id and extensions beside it: at least one of the two.
    fn primitive(
        &mut self,
        element: &'static ElementDefinition,
        used: &'static TypeUse,
        value: Option<&Value>,
        beside: Option<&Value>,
    ) {
        let definition = used.definition();
        if let Some(beside) = beside {
            match (beside, elements::find("Element")) {
                (Value::Object(object), Some(definition)) if !object.is_empty() => self.object(definition, object),
                _ => self.report(IssueKind::StructureInvalid, "Id and extensions of a primitive must be an object with members"),
            }
        }
        match (value, definition.primitive()) {
            (Some(value), Some(kind)) => {
                if let Err((kind, fault)) = primitive::check(kind, value) {
                    return self.report(kind, fault);
                }
                if let Value::String(text) = value {
                    codes::code(self, element, definition.name, text);
                    self.local_link(definition.name, text);
                }
            }
            (None, _) if beside.is_none() => self.report(IssueKind::StructureInvalid, "null stands for no element"),
            (Some(_) | None, _) => {}
        }
    }
}

/// The items of an array; none for an absent member; `None` for what is no array.
fn items(value: Option<&Value>) -> Option<&[Value]> {
    match value {
        None => Some(&[]),
        Some(Value::Array(items)) => Some(items),
        Some(_) => None,
    }
}

/// Whether a key from outside may stand in a FHIRPath of an answer.
fn is_plain(key: &str) -> bool {
    key.len() <= 64 && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
