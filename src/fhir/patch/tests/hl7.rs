//! The patch cases of HL7 (fhir-test-cases, CC0), which lie beside the repository: exceptions in tests/specs/patch.md.
use crate::fhir::patch::{fhirpath, json_patch, xml_patch, xml_tree};
use crate::fhir::{Resource, xml};
use serde_json::Value;
use std::path::Path;

fn file(name: &str) -> Option<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/tests/patch").join(name);
    let text = std::fs::read_to_string(&path).ok();
    if text.is_none() {
        eprintln!("skipped: {name} is not beside the repository");
    }
    // Ends of lines as XML reads them. <https://www.w3.org/TR/xml/#sec-line-ends>
    text.map(|text| text.replace("\r\n", "\n"))
}

#[test]
fn json_patch_cases() {
    let Some(text) = file("json-patch-tests.json") else { return };
    let cases: Vec<Value> = serde_json::from_str(&text).unwrap();
    assert_eq!(cases.len(), 16);
    for case in cases {
        let result = json_patch::apply(&case["patch"], &case["doc"]);
        match case.get("expected") {
            Some(expected) => assert_eq!(&result.unwrap(), expected, "{}", case["comment"]),
            None => assert_eq!(result.unwrap_err().status(), 422, "{}", case["comment"]),
        }
    }
}

/// Runs each case with the source texts of its elements.
fn xml_cases(text: &str, mut run: impl FnMut(&str, &dyn Fn(&str) -> Option<String>)) -> usize {
    let document = roxmltree::Document::parse(text).unwrap();
    let mut count = 0;
    for case in document.root_element().children().filter(|node| node.has_tag_name("case")) {
        let inner = |name: &str| {
            let outer = case.children().find(|node| node.tag_name().name() == name)?;
            let element = if name == "patch" { Some(outer) } else { outer.children().find(roxmltree::Node::is_element) };
            Some(element.map_or_else(String::new, |element| text.get(element.range()).unwrap().to_owned()))
        };
        run(case.attribute("name").unwrap(), &inner);
        count += 1;
    }
    count
}

/// Without white space between elements, which the cases indent freely.
fn bare(element: &mut xml_tree::XmlElement) {
    element.declared.clear();
    element.children.retain(|child| !matches!(child, xml_tree::XmlNode::Text(text) if text.trim().is_empty()));
    for child in &mut element.children {
        if let xml_tree::XmlNode::Element(element) = child {
            bare(element);
        }
    }
}

#[test]
fn xml_patch_cases() {
    let Some(text) = file("xml-patch-tests.xml") else { return };
    let count = xml_cases(&text, |name, part| {
        let result = xml_tree::parse(part("target").unwrap().as_bytes())
            .and_then(|mut target| xml_patch::apply(part("patch").unwrap().as_bytes(), &mut target).map(|()| target));
        match part("patched") {
            Some(expected) => {
                let mut found = result.unwrap_or_else(|problem| panic!("{name}: {problem}"));
                let mut expected = xml_tree::parse(expected.as_bytes()).unwrap();
                bare(&mut found);
                bare(&mut expected);
                assert_eq!(found, expected, "{name}");
            }
            None => assert!(result.is_err(), "{name}"),
        }
    });
    assert_eq!(count, 29);
}

#[test]
fn fhirpath_patch_cases() {
    let Some(text) = file("fhir-patch-tests.xml") else { return };
    // Some of the inputs break an invariant of R4 (pat-1): the cases are about structure.
    let read =
        |text: String| -> Resource { xml::read_unchecked(text.as_bytes()).unwrap_or_else(|problem| panic!("{problem}: {text}")) };
    let count = xml_cases(&text, |name, part| {
        let result = fhirpath::apply(&read(part("diff").unwrap()), &read(part("input").unwrap()));
        match part("output") {
            Some(expected) => {
                let mut expected = read(expected);
                // The patch writes a quotation mark in the narrative, the expected one a reference to it: the same text.
                if let Some(Value::String(div)) = expected.get_mut("text").and_then(|text| text.get_mut("div")) {
                    *div = div.replace("&quot;", "\"");
                }
                assert_eq!(Value::Object(result.unwrap()), Value::Object(expected), "{name}");
            }
            None => assert_eq!(result.unwrap_err().status(), 422, "{name}"),
        }
    });
    assert_eq!(count, 33);
}
