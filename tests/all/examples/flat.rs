//! A resource as the sorted list of its values, read from JSON and from XML by two readers that share nothing with the
//! server: value for value the same resource gives the same list. <https://hl7.org/fhir/R4/xml.html>
use roxmltree::{Document, Node};
use serde_json::{Map, Value};
use std::collections::HashMap;

/// `path=value` of each value, id, url and narrative.
pub(crate) fn of_json(resource: &Value) -> Vec<String> {
    let mut out = Vec::new();
    object(resource["resourceType"].as_str().unwrap(), "", resource.as_object().unwrap(), &mut out);
    out.sort();
    out
}

fn object(path: &str, name: &str, members: &Map<String, Value>, out: &mut Vec<String>) {
    let is_resource = members.contains_key("resourceType");
    let mut names: Vec<&str> = members.keys().map(|key| key.strip_prefix('_').unwrap_or(key)).collect();
    names.sort_unstable();
    names.dedup();
    for key in names {
        let is_attribute = (key == "id" && !is_resource) || (key == "url" && matches!(name, "extension" | "modifierExtension"));
        if key == "resourceType" {
            continue;
        }
        if is_attribute {
            out.push(format!("{path}/@{key}={}", members[key].as_str().unwrap()));
            continue;
        }
        let items = |value: Option<&Value>| match value {
            Some(Value::Array(items)) => items.clone(),
            Some(value) => vec![value.clone()],
            None => Vec::new(),
        };
        let (values, beside) = (items(members.get(key)), items(members.get(&format!("_{key}"))));
        for index in 0..values.len().max(beside.len()) {
            let path = format!("{path}/{key}[{index}]");
            match values.get(index) {
                Some(Value::Object(inner)) if inner.contains_key("resourceType") => {
                    object(&format!("{path}/{}", inner["resourceType"].as_str().unwrap()), "", inner, out);
                }
                Some(Value::Object(inner)) => object(&path, key, inner, out),
                Some(Value::String(text)) => out.push(format!("{path}={text}")),
                Some(Value::Null) | None => {}
                Some(other) => out.push(format!("{path}={other}")),
            }
            if let Some(Value::Object(inner)) = beside.get(index) {
                object(&path, key, inner, out);
            }
        }
    }
}

/// The same of XML; a narrative is the text of the file from the start of its div to the end.
pub(crate) fn of_xml(text: &str) -> Vec<String> {
    let document = Document::parse(text).unwrap();
    let root = document.root_element();
    let mut out = Vec::new();
    element(text, root.tag_name().name(), root, &mut out);
    out.sort();
    out
}

fn element(text: &str, path: &str, node: Node<'_, '_>, out: &mut Vec<String>) {
    for attribute in node.attributes() {
        match attribute.name() {
            "value" => out.push(format!("{path}={}", attribute.value())),
            name => out.push(format!("{path}/@{name}={}", attribute.value())),
        }
    }
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for child in node.children().filter(Node::is_element) {
        let name = child.tag_name().name();
        if name.starts_with(|first: char| first.is_ascii_uppercase()) {
            element(text, &format!("{path}/{name}"), child, out);
            continue;
        }
        let count = counts.entry(name).or_default();
        let path = format!("{path}/{name}[{count}]");
        *count += 1;
        if name == "div" {
            out.push(format!("{path}={}", &text[child.range()]));
        } else {
            element(text, &path, child, out);
        }
    }
}
