//! What a Reference points at, and every reference of a resource. <https://hl7.org/fhir/R4/references.html>
use super::check::primitive::is_id;
use super::elements::{self, Kind, Primitive, TypeDefinition};
use super::{Resource, ResourceType};
use serde_json::{Map, Value};

/// What a reference points at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// A resource of this server: `Patient/1`, or the same under the server's own base.
    Local {
        /// Its type.
        resource_type: ResourceType,
        /// Its logical id.
        id: String,
        /// The version named by `/_history/`.
        version: Option<String>,
    },
    /// Named by an identifier, without an address: `Reference.identifier`.
    Logical {
        /// `identifier.system`.
        system: Option<String>,
        /// `identifier.value`.
        value: Option<String>,
    },
    /// A URL elsewhere: kept, never fetched (DESIGN decision 10).
    Absolute(String),
    /// `urn:uuid:...` or `urn:oid:...`: an entry of the same Bundle.
    UrnUuid(String),
    /// `#id`: a contained resource; empty for the container itself.
    Contained(String),
    /// `Patient?identifier=...`: resolved by a search, in a transaction.
    Conditional {
        /// Type searched.
        resource_type: ResourceType,
        /// The query, without the question mark.
        query: String,
    },
    /// Relative, but no `[type]/[id]` of R4.
    Invalid,
}

/// Reads `Reference.reference`. `public_base` is the address that this server has outside, without a slash at the end.
#[must_use]
pub fn parse(text: &str, public_base: &str) -> Reference {
    if let Some(id) = text.strip_prefix('#') {
        return Reference::Contained(id.to_owned());
    }
    if text.starts_with("urn:uuid:") || text.starts_with("urn:oid:") {
        return Reference::UrnUuid(text.to_owned());
    }
    let own = text.strip_prefix(public_base).and_then(|rest| rest.strip_prefix('/')).filter(|_| !public_base.is_empty());
    if own.is_none() && is_absolute(text) {
        return Reference::Absolute(text.to_owned());
    }
    let relative = own.unwrap_or(text);
    if let Some((name, query)) = relative.split_once('?') {
        return ResourceType::parse(name)
            .map_or(Reference::Invalid, |resource_type| Reference::Conditional { resource_type, query: query.to_owned() });
    }
    match local(relative) {
        Some((resource_type, id, version)) => {
            Reference::Local { resource_type, id: id.to_owned(), version: version.map(str::to_owned) }
        }
        None if own.is_some() => Reference::Absolute(text.to_owned()),
        None => Reference::Invalid,
    }
}

/// What a Reference object points at: its `reference`, else its `identifier`; `None` where it has neither.
#[must_use]
pub fn of(object: &Map<String, Value>, public_base: &str) -> Option<Reference> {
    if let Some(text) = object.get("reference").and_then(Value::as_str) {
        return Some(parse(text, public_base));
    }
    let identifier = object.get("identifier")?;
    let text = |name: &str| identifier.get(name).and_then(Value::as_str).map(str::to_owned);
    Some(Reference::Logical { system: text("system"), value: text("value") })
}

/// The resource type that a literal reference names, also in a URL elsewhere that ends as FHIR's do.
#[must_use]
pub fn named_type(text: &str) -> Option<ResourceType> {
    if !is_absolute(text) {
        return local(text).map(|(resource_type, ..)| resource_type);
    }
    let path = text.split_once("/_history/").map_or(text, |(path, _)| path);
    let mut parts = path.rsplit('/');
    let (id, name) = (parts.next()?, parts.next()?);
    ResourceType::parse(name).filter(|_| is_id(id) && text.starts_with("http"))
}

/// Whether the text begins with a URI scheme.
fn is_absolute(text: &str) -> bool {
    text.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
    })
}

/// `[type]/[id]` and `[type]/[id]/_history/[version]`.
pub(super) fn local(text: &str) -> Option<(ResourceType, &str, Option<&str>)> {
    let mut parts = text.split('/');
    let resource_type = ResourceType::parse(parts.next()?)?;
    let id = parts.next().filter(|id| is_id(id))?;
    match (parts.next(), parts.next(), parts.next()) {
        (None, ..) => Some((resource_type, id, None)),
        (Some("_history"), Some(version), None) if is_id(version) => Some((resource_type, id, Some(version))),
        _ => None,
    }
}

/// What kind of link a text is, for whoever rewrites links in a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// `Reference.reference`.
    Reference,
    /// A value of type uri, url, oid or uuid: rewritten where it equals a fullUrl.
    /// <https://hl7.org/fhir/R4/http.html#trules>
    Uri,
    /// A value of type canonical: never rewritten.
    Canonical,
    /// The div of a narrative: its links and images are rewritten as [`Link::Uri`] is.
    Narrative,
}

/// Visits every reference, uri, canonical and narrative of the resource, in its order.
pub fn links_mut(resource: &mut Resource, visit: &mut dyn FnMut(Link, &mut String)) {
    if let Some(definition) = resource_definition(resource) {
        object(definition, resource, visit);
    }
}

/// Visits every Reference of the resource, read only, with its FHIRPath: for whoever must say which one does not resolve.
pub fn references(resource: &Resource, visit: &mut dyn FnMut(&str, &Map<String, Value>)) {
    if let Some(definition) = resource_definition(resource) {
        let mut path = definition.name.to_owned();
        walk(definition, resource, &mut path, visit);
    }
}

type Visit<'a> = &'a mut dyn FnMut(&str, &Map<String, Value>);

fn walk(definition: &'static TypeDefinition, members: &Map<String, Value>, path: &mut String, visit: Visit<'_>) {
    if definition.name == "Reference" {
        visit(path, members);
    }
    for (key, value) in members {
        let name = key.strip_prefix('_').unwrap_or(key);
        let Some((element, used)) = definition.element(name) else { continue };
        let inner = if name == key { Some(used.definition()) } else { elements::find("Element") };
        let length = path.len();
        path.extend([".", element.name]);
        if element.choice {
            path.extend([".ofType(", used.definition().name, ")"]);
        }
        for (index, item) in value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice).iter().enumerate() {
            let Value::Object(members) = item else { continue };
            let inner = match inner {
                Some(definition) if definition.kind == Kind::AnyResource => resource_definition(members),
                other => other,
            };
            let before = path.len();
            if value.is_array() {
                path.push_str(&format!("[{index}]"));
            }
            if let Some(definition) = inner {
                walk(definition, members, path, visit);
            }
            path.truncate(before);
        }
        path.truncate(length);
    }
}

fn resource_definition(object: &Map<String, Value>) -> Option<&'static TypeDefinition> {
    elements::resource(object.get("resourceType")?.as_str()?)
}

fn object(definition: &'static TypeDefinition, members: &mut Map<String, Value>, visit: &mut dyn FnMut(Link, &mut String)) {
    for (key, value) in members.iter_mut() {
        if let Some((_, used)) = definition.element(key) {
            let link = (definition.name == "Reference" && key == "reference").then_some(Link::Reference);
            values(used.definition(), link, value, visit);
        } else if key.starts_with('_')
            && let Some(element) = elements::find("Element")
        {
            values(element, None, value, visit);
        }
    }
}

fn values(definition: &'static TypeDefinition, link: Option<Link>, value: &mut Value, visit: &mut dyn FnMut(Link, &mut String)) {
    match value {
        Value::Array(items) => {
            for item in items {
                values(definition, link, item, visit);
            }
        }
        Value::Object(members) if definition.kind == Kind::AnyResource => {
            if let Some(definition) = resource_definition(members) {
                object(definition, members, visit);
            }
        }
        Value::Object(members) => object(definition, members, visit),
        Value::String(text) => {
            let link = link.or(match definition.primitive() {
                Some(Primitive::Uri | Primitive::Url | Primitive::Oid | Primitive::Uuid) => Some(Link::Uri),
                Some(Primitive::Canonical) => Some(Link::Canonical),
                Some(Primitive::Xhtml) => Some(Link::Narrative),
                _ => None,
            });
            if let Some(link) = link {
                visit(link, text);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const BASE: &str = "https://dmp.example/fhir";

    fn patient() -> ResourceType {
        ResourceType::parse("Patient").unwrap()
    }
    fn local(id: &str, version: Option<&str>) -> Reference {
        Reference::Local { resource_type: patient(), id: id.into(), version: version.map(str::to_owned) }
    }

    #[test]
    fn a_relative_reference_and_one_under_the_own_base_are_local() {
        assert_eq!(parse("Patient/a.b-1", BASE), local("a.b-1", None));
        assert_eq!(parse("Patient/1/_history/2", BASE), local("1", Some("2")));
        assert_eq!(parse("https://dmp.example/fhir/Patient/1", BASE), local("1", None));
    }

    #[test]
    fn what_is_elsewhere_is_absolute() {
        for text in
            ["https://other.example/fhir/Patient/1", "https://dmp.example/fhirx/Patient/1", "https://dmp.example/fhir/nothing"]
        {
            assert_eq!(parse(text, BASE), Reference::Absolute(text.into()));
        }
    }

    #[test]
    fn urn_contained_conditional_and_invalid_are_told_apart() {
        assert_eq!(parse("#a", BASE), Reference::Contained("a".into()));
        assert_eq!(parse("urn:uuid:x", BASE), Reference::UrnUuid("urn:uuid:x".into()));
        let query = "identifier=urn:oid:1.2|3".to_owned();
        assert_eq!(parse("Patient?identifier=urn:oid:1.2|3", BASE), Reference::Conditional { resource_type: patient(), query });
        for text in [
            "",
            "Patient",
            "Patient/",
            "Patient/a b",
            "Nothing/1",
            "Nothing?x=1",
            "Patient/1/x",
            "/Patient/1",
            "Patient/1/_history",
        ] {
            assert_eq!(parse(text, BASE), Reference::Invalid, "{text:?}");
        }
    }

    #[test]
    fn an_identifier_without_reference_is_logical() {
        let object = json!({"identifier": {"system": "urn:oid:1.2", "value": "3"}});
        let expected = Reference::Logical { system: Some("urn:oid:1.2".into()), value: Some("3".into()) };
        assert_eq!(of(object.as_object().unwrap(), BASE), Some(expected));
        assert_eq!(of(json!({"display": "x"}).as_object().unwrap(), BASE), None);
    }

    #[test]
    fn the_type_that_a_url_names_is_known() {
        assert_eq!(named_type("http://x/fhir/Patient/1/_history/2"), Some(patient()));
        assert_eq!(named_type("http://x/fhir/Patient"), None);
        assert_eq!(named_type("urn:uuid:a/Patient/1"), None);
    }

    #[test]
    fn every_reference_is_visited_with_its_path() {
        let bundle = json!({"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "Observation",
            "_status": {"extension": [{"url": "u", "valueReference": {"reference": "A"}}]},
            "contained": [{"resourceType": "Patient", "managingOrganization": {"display": "B"}}],
            "performer": [{"reference": "C"}, {"reference": "D"}]}}]});
        let mut seen = Vec::new();
        references(bundle.as_object().unwrap(), &mut |path, object| {
            seen.push(format!("{path}={}", object.values().next().unwrap().as_str().unwrap()));
        });
        let expected = [
            "status.extension[0].value.ofType(Reference)=A",
            "contained[0].managingOrganization=B",
            "performer[0]=C",
            "performer[1]=D",
        ];
        assert_eq!(seen, expected.map(|rest| format!("Bundle.entry[0].resource.{rest}")));
    }

    #[test]
    fn every_link_is_visited_with_its_kind() {
        let mut bundle = json!({"resourceType": "Bundle", "entry": [{"fullUrl": "urn:uuid:1", "resource": {
            "resourceType": "Observation", "meta": {"profile": ["urn:uuid:1"]}, "_status": {"extension": [
                {"url": "u", "valueReference": {"reference": "A"}}]},
            "contained": [{"resourceType": "Patient", "managingOrganization": {"reference": "B"}}],
            "subject": {"reference": "C", "display": "urn:uuid:1"}, "performer": [{"reference": "D"}],
            "valueString": "urn:uuid:1"}}]});
        let mut seen = Vec::new();
        links_mut(bundle.as_object_mut().unwrap(), &mut |link, text| {
            seen.push((link, text.clone()));
            if link == Link::Reference {
                text.push('!');
            }
        });
        let expected = [
            (Link::Uri, "urn:uuid:1"),
            (Link::Canonical, "urn:uuid:1"),
            (Link::Uri, "u"),
            (Link::Reference, "A"),
            (Link::Reference, "B"),
            (Link::Reference, "C"),
            (Link::Reference, "D"),
        ];
        assert_eq!(seen, expected.map(|(link, text)| (link, text.to_owned())));
        assert_eq!(bundle["entry"][0]["resource"]["performer"][0]["reference"], "D!");
    }
}
