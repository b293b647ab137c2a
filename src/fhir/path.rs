//! Compiled element paths: the part of FHIRPath that R4's search parameters use (13 shapes), over plain JSON.
//!
//! `as` is read as `ofType`: R4 writes it on elements that repeat, where strict `as` would be an error. It does not
//! resolve references: `resolve() is T` looks at what the reference itself says. <https://hl7.org/fhir/R4/fhirpath.html>
use super::Resource;
use serde_json::Value;
use std::fmt;

/// Suffixes that a choice element (`value[x]`) takes in R4.
const TYPES: [&str; 50] = [
    "Address",
    "Age",
    "Annotation",
    "Attachment",
    "Base64Binary",
    "Boolean",
    "Canonical",
    "Code",
    "CodeableConcept",
    "Coding",
    "ContactDetail",
    "ContactPoint",
    "Contributor",
    "Count",
    "DataRequirement",
    "Date",
    "DateTime",
    "Decimal",
    "Distance",
    "Dosage",
    "Duration",
    "Expression",
    "HumanName",
    "Id",
    "Identifier",
    "Instant",
    "Integer",
    "Markdown",
    "Meta",
    "Money",
    "Oid",
    "ParameterDefinition",
    "Period",
    "PositiveInt",
    "Quantity",
    "Range",
    "Ratio",
    "Reference",
    "RelatedArtifact",
    "SampledData",
    "Signature",
    "String",
    "Time",
    "Timing",
    "TriggerDefinition",
    "UnsignedInt",
    "Uri",
    "Url",
    "UsageContext",
    "Uuid",
];

static TRUE: Value = Value::Bool(true);
static FALSE: Value = Value::Bool(false);

/// An element that is there: never a list.
#[derive(Debug, Clone, Copy)]
pub enum Element<'a> {
    /// A complex element or a resource.
    Object(&'a Resource),
    /// A primitive value.
    Primitive(&'a Value),
}

impl<'a> Element<'a> {
    fn of(value: &'a Value) -> Self {
        value.as_object().map_or(Self::Primitive(value), Self::Object)
    }
    /// The complex element; `None` for a primitive.
    #[must_use]
    pub fn object(self) -> Option<&'a Resource> {
        match self {
            Self::Object(object) => Some(object),
            Self::Primitive(_) => None,
        }
    }
    /// The text of a primitive that JSON writes as a string.
    #[must_use]
    pub fn text(self) -> Option<&'a str> {
        match self {
            Self::Object(_) => None,
            Self::Primitive(value) => value.as_str(),
        }
    }
    /// The text of this child.
    #[must_use]
    pub fn child(self, name: &str) -> Option<&'a str> {
        self.object()?.get(name)?.as_str()
    }
}

/// What a path finds, with the type that the name of a choice element states.
#[derive(Debug, Clone, Copy)]
pub struct Found<'a> {
    /// The element.
    pub element: Element<'a>,
    /// `Quantity` for `valueQuantity`; `None` where the element has one type.
    pub type_name: Option<&'a str>,
}

/// A path that is not of the shapes read here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathError(String);

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the path is not read here, from `{}` on", self.0)
    }
}
impl std::error::Error for PathError {}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Child(String),
    OfType(String),
    WhereEquals(String, String),
    WhereResolves(String),
    Item(usize),
    Extension(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Alternative {
    /// `Some` for a path from a type's root; `Resource` and `DomainResource` fit every type.
    root: Option<String>,
    /// `%resource.`: from the resource, also where the rest is relative to an element.
    absolute: bool,
    steps: Vec<Step>,
    /// `X.exists() and X != false`: one boolean.
    exists_and_is_not_false: bool,
}

/// A compiled path, union of its alternatives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path(Vec<Alternative>);

impl Path {
    /// Compiles an expression.
    ///
    /// # Errors
    /// Where the expression is not one of the shapes read here.
    pub fn compile(expression: &str) -> Result<Self, PathError> {
        let alternatives: Result<Vec<_>, _> = split_union(expression).into_iter().map(compile_alternative).collect();
        alternatives.map(Self)
    }

    /// Every element of the resource that the path leads to, in document order of each alternative.
    #[must_use]
    pub fn evaluate<'a>(&self, resource: &'a Resource) -> Vec<Found<'a>> {
        self.evaluate_at(resource, Element::Object(resource))
    }

    /// The same from an element of the resource, for the components of a composite.
    #[must_use]
    pub fn evaluate_at<'a>(&self, resource: &'a Resource, element: Element<'a>) -> Vec<Found<'a>> {
        let mut all = Vec::new();
        for alternative in &self.0 {
            let rooted = alternative.root.is_some() || alternative.absolute;
            if alternative.root.as_deref().is_some_and(|root| !is_type(resource, root)) {
                continue;
            }
            let start = if rooted { Element::Object(resource) } else { element };
            let mut found = vec![Found { element: start, type_name: None }];
            for step in &alternative.steps {
                found = step.apply(found, resource);
            }
            if alternative.exists_and_is_not_false {
                let holds = found.iter().any(|one| !matches!(one.element, Element::Primitive(Value::Bool(false))));
                let value = if holds { &TRUE } else { &FALSE };
                found = vec![Found { element: Element::Primitive(value), type_name: None }];
            }
            all.extend(found);
        }
        all
    }

    /// The path that leads nowhere.
    #[must_use]
    pub fn nothing() -> Self {
        Self(Vec::new())
    }

    /// Whether the only thing it leads to is the resource itself.
    #[must_use]
    pub fn is_root(&self) -> bool {
        !self.0.is_empty() && self.0.iter().all(|alternative| alternative.root.is_some() && alternative.steps.is_empty())
    }
}

fn is_type(resource: &Resource, name: &str) -> bool {
    matches!(name, "Resource" | "DomainResource") || resource.get("resourceType").and_then(Value::as_str) == Some(name)
}

impl Step {
    fn apply<'a>(&self, found: Vec<Found<'a>>, resource: &'a Resource) -> Vec<Found<'a>> {
        match self {
            Self::Child(name) => {
                let mut next = Vec::new();
                for one in found {
                    child(one.element, name, &mut next);
                }
                next
            }
            Self::OfType(name) => found.into_iter().filter(|one| has_type(one, name)).collect(),
            Self::WhereEquals(name, value) => {
                found.into_iter().filter(|one| one.element.child(name) == Some(value.as_str())).collect()
            }
            Self::WhereResolves(name) => found.into_iter().filter(|one| may_be(one.element, name, resource)).collect(),
            Self::Item(index) => found.into_iter().skip(*index).take(1).collect(),
            Self::Extension(url) => {
                let mut next = Vec::new();
                for one in found {
                    child(one.element, "extension", &mut next);
                }
                next.retain(|one| one.element.child("url") == Some(url.as_str()));
                next
            }
        }
    }
}

fn child<'a>(element: Element<'a>, name: &str, out: &mut Vec<Found<'a>>) {
    let Some(object) = element.object() else { return };
    let mut push = |value: &'a Value, type_name: Option<&'a str>| match value {
        // A null stands for a primitive of a list that has extensions only.
        Value::Array(items) => {
            out.extend(items.iter().filter(|item| !item.is_null()).map(|item| Found { element: Element::of(item), type_name }))
        }
        Value::Null => {}
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            out.push(Found { element: Element::of(value), type_name });
        }
    };
    if let Some(value) = object.get(name) {
        return push(value, None);
    }
    for (key, value) in object {
        if let Some(suffix) = key.strip_prefix(name)
            && TYPES.binary_search(&suffix).is_ok()
        {
            push(value, Some(suffix));
        }
    }
}

fn has_type(found: &Found<'_>, name: &str) -> bool {
    if let Some(stated) = found.type_name {
        // R4 writes both `dateTime` and `DateTime`.
        let same_first =
            stated.chars().next().map(|c| c.to_ascii_lowercase()) == name.chars().next().map(|c| c.to_ascii_lowercase());
        return same_first && stated.get(1..) == name.get(1..);
    }
    found.element.child("resourceType").is_none_or(|stated| stated == name)
}

/// Whether a reference can be to this type: what it states decides, and where it states nothing (a logical reference
/// without type, a urn) it can.
fn may_be(element: Element<'_>, name: &str, resource: &Resource) -> bool {
    reference_type(element, resource).is_none_or(|stated| stated == name)
}

/// The type that a reference states: in its URL, in `type`, or that of the contained resource.
#[must_use]
pub fn reference_type<'a>(element: Element<'a>, resource: &'a Resource) -> Option<&'a str> {
    let reference = match element {
        Element::Object(object) => object.get("reference").and_then(Value::as_str),
        Element::Primitive(value) => value.as_str(),
    };
    let Some(reference) = reference else { return element.child("type") };
    if let Some(id) = reference.strip_prefix('#') {
        let contained = resource.get("contained")?.as_array()?;
        let one = contained.iter().find(|one| one.get("id").and_then(Value::as_str) == Some(id))?;
        return one.get("resourceType")?.as_str();
    }
    type_in_url(reference).or_else(|| element.child("type"))
}

/// The resource type in `[base/]Type/id[/_history/version]`.
#[must_use]
pub fn type_in_url(reference: &str) -> Option<&str> {
    let bare = reference.split("/_history/").next()?;
    let mut parts = bare.rsplit('/');
    let (_, name) = (parts.next()?, parts.next()?);
    name.starts_with(|c: char| c.is_ascii_uppercase()).then_some(name)
}

/// Splits a union at the bars outside parentheses and quotes.
#[must_use]
pub fn split_union(expression: &str) -> Vec<&str> {
    let (mut depth, mut quoted, mut start, mut parts) = (0_usize, false, 0, Vec::new());
    for (at, byte) in expression.bytes().enumerate() {
        match byte {
            b'\'' => quoted = !quoted,
            b'(' if !quoted => depth += 1,
            b')' if !quoted => depth = depth.saturating_sub(1),
            b'|' if !quoted && depth == 0 => {
                parts.extend(expression.get(start..at));
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.extend(expression.get(start..));
    parts.into_iter().map(str::trim).collect()
}

fn compile_alternative(text: &str) -> Result<Alternative, PathError> {
    let mut parser = Parser { rest: text };
    if let Some((left, right)) = text.split_once(".exists() and ") {
        let same = right.strip_suffix("!= false").map(str::trim) == Some(left.trim());
        parser.rest = if same { left } else { return Err(PathError(right.to_owned())) };
        let mut alternative = parser.alternative()?;
        alternative.exists_and_is_not_false = true;
        return Ok(alternative);
    }
    let alternative = parser.alternative()?;
    if parser.rest.trim().is_empty() { Ok(alternative) } else { Err(PathError(parser.rest.to_owned())) }
}

struct Parser<'a> {
    rest: &'a str,
}

impl<'a> Parser<'a> {
    fn error<T>(&self) -> Result<T, PathError> {
        Err(PathError(self.rest.to_owned()))
    }
    fn eat(&mut self, token: &str) -> bool {
        let trimmed = self.rest.trim_start();
        trimmed.strip_prefix(token).map(|rest| self.rest = rest).is_some()
    }
    fn expect(&mut self, token: &str) -> Result<(), PathError> {
        if self.eat(token) { Ok(()) } else { self.error() }
    }
    fn name(&mut self) -> Result<&'a str, PathError> {
        let trimmed = self.rest.trim_start();
        let end = trimmed.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(trimmed.len());
        match (trimmed.get(..end), trimmed.get(end..)) {
            (Some(name), Some(rest)) if !name.is_empty() => {
                self.rest = rest;
                Ok(name)
            }
            _ => self.error(),
        }
    }
    fn quoted(&mut self) -> Result<&'a str, PathError> {
        self.expect("'")?;
        match self.rest.split_once('\'') {
            Some((text, rest)) => {
                self.rest = rest;
                Ok(text)
            }
            None => self.error(),
        }
    }

    fn alternative(&mut self) -> Result<Alternative, PathError> {
        let mut alternative = if self.eat("(") {
            let mut inner = self.alternative()?;
            if self.eat("as ") {
                inner.steps.push(Step::OfType(self.name()?.to_owned()));
            }
            self.expect(")")?;
            inner
        } else {
            let absolute = self.eat("%resource.");
            let mut empty = Alternative { root: None, absolute, steps: Vec::new(), exists_and_is_not_false: false };
            let before = self.rest;
            let first = self.name()?;
            if !absolute && first.starts_with(|c: char| c.is_ascii_uppercase()) {
                empty.root = Some(first.to_owned());
            } else {
                self.rest = before;
                let step = self.step()?;
                empty.steps.push(step);
            }
            empty
        };
        loop {
            if self.eat("[") {
                let index = self.name()?.parse();
                let Ok(index) = index else { return self.error() };
                alternative.steps.push(Step::Item(index));
                self.expect("]")?;
            } else if self.eat(".") {
                let step = self.step()?;
                alternative.steps.push(step);
            } else {
                return Ok(alternative);
            }
        }
    }

    fn step(&mut self) -> Result<Step, PathError> {
        let name = self.name()?;
        if !self.eat("(") {
            return Ok(Step::Child(name.to_owned()));
        }
        let step = match name {
            "as" | "ofType" => Step::OfType(self.name()?.to_owned()),
            "extension" => Step::Extension(self.quoted()?.to_owned()),
            "where" if self.eat("resolve()") => {
                self.expect("is ")?;
                Step::WhereResolves(self.name()?.to_owned())
            }
            "where" => {
                let child = self.name()?.to_owned();
                self.expect("=")?;
                Step::WhereEquals(child, self.quoted()?.to_owned())
            }
            _ => return self.error(),
        };
        self.expect(")")?;
        Ok(step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn found(path: &str, resource: Value) -> Vec<Value> {
        let Value::Object(resource) = resource else { panic!("an object") };
        let path = Path::compile(path).unwrap();
        let values = path.evaluate(&resource);
        values
            .iter()
            .map(|one| match one.element {
                Element::Object(object) => Value::Object(object.clone()),
                Element::Primitive(value) => value.clone(),
            })
            .collect()
    }

    #[test]
    fn the_suffixes_of_choice_elements_are_sorted() {
        assert!(TYPES.is_sorted());
    }

    #[test]
    fn a_choice_element_is_found_by_its_type() {
        let observation = json!({"resourceType": "Observation", "valueQuantity": {"value": 1}, "valueSet": 7});
        assert_eq!(found("Observation.value", observation.clone()), [json!({"value": 1})]);
        assert_eq!(found("(Observation.value as Quantity)", observation.clone()), [json!({"value": 1})]);
        assert_eq!(found("Observation.value.as(Quantity)", observation.clone()), [json!({"value": 1})]);
        assert_eq!(found("(Observation.value as Period)", observation), Vec::<Value>::new());
    }

    #[test]
    fn as_on_an_element_that_repeats_is_of_type() {
        let plan = json!({"resourceType": "PlanDefinition", "useContext": [
            {"valueQuantity": {"value": 1}}, {"valueCodeableConcept": {"text": "a"}}, {"valueQuantity": {"value": 2}}]});
        assert_eq!(found("(PlanDefinition.useContext.value as Quantity)", plan), [json!({"value": 1}), json!({"value": 2})]);
    }

    #[test]
    fn resolve_is_looks_at_what_the_reference_states() {
        let path = "Account.subject.where(resolve() is Patient)";
        let subject = |reference: Value| json!({"resourceType": "Account", "subject": [reference]});
        let hits = |reference: Value| found(path, subject(reference)).len();
        assert_eq!(hits(json!({"reference": "Patient/1"})), 1);
        assert_eq!(hits(json!({"reference": "https://a.example/fhir/Patient/1/_history/2"})), 1);
        assert_eq!(hits(json!({"reference": "Group/1"})), 0);
        assert_eq!(hits(json!({"identifier": {"value": "1"}, "type": "Group"})), 0);
        assert_eq!(hits(json!({"identifier": {"value": "1"}})), 1);
    }

    #[test]
    fn deceased_is_one_boolean() {
        let path = "Patient.deceased.exists() and Patient.deceased != false";
        assert_eq!(found(path, json!({"resourceType": "Patient"})), [json!(false)]);
        assert_eq!(found(path, json!({"resourceType": "Patient", "deceasedBoolean": false})), [json!(false)]);
        assert_eq!(found(path, json!({"resourceType": "Patient", "deceasedDateTime": "2020"})), [json!(true)]);
    }

    #[test]
    fn where_item_and_extension_select() {
        let patient = json!({"resourceType": "Patient", "telecom": [{"system": "phone", "value": "1"}, {"system": "email", "value": "2"}],
            "extension": [{"url": "http://a", "valueBoolean": true}]});
        assert_eq!(found("Patient.telecom.where(system='email').value", patient.clone()), [json!("2")]);
        assert_eq!(found("Patient.telecom[0].value", patient.clone()), [json!("1")]);
        assert_eq!(found("Patient.extension.where(url = 'http://a').value", patient.clone()), [json!(true)]);
        assert_eq!(found("(extension('http://a').value as boolean)", patient.clone()), [json!(true)]);
        assert_eq!(found("Group.telecom", patient), Vec::<Value>::new());
    }

    #[test]
    fn what_is_not_read_is_an_error() {
        for path in ["Patient.name.count()", "Patient.", "(Patient.name", "Patient.name = 'a'", ""] {
            assert!(Path::compile(path).is_err(), "{path}");
        }
    }
}
