use super::{apply, refusal, resource};
use crate::fhir::patch::{OPERATIONS_MAX, PATH_LENGTH_MAX, Patch};
use proptest::prelude::*;
use serde_json::{Value, json};

fn status(content_type: &str, body: &str) -> u16 {
    Patch::parse(Some(content_type), body.as_bytes()).map_or_else(|problem| problem.status(), |_| 200)
}

#[test]
fn the_media_type_names_the_form() {
    let parameters = json!({"resourceType": "Parameters"}).to_string();
    for (content_type, body, expected) in [
        ("application/json-patch+json", "[]", 200),
        ("application/json-patch+json; charset=UTF-8", "[]", 200),
        ("application/json-patch+json; charset=latin1", "[]", 415),
        ("application/fhir+json", parameters.as_str(), 200),
        ("application/json", parameters.as_str(), 200),
        ("application/fhir+xml", "<Parameters xmlns=\"http://hl7.org/fhir\"/>", 200),
        ("application/fhir+json; fhirVersion=5.0", parameters.as_str(), 415),
        ("application/merge-patch+json", "{}", 415),
        ("text/plain", "[]", 415),
    ] {
        assert_eq!(status(content_type, body), expected, "{content_type}");
    }
    assert_eq!(Patch::parse(None, b"[]").unwrap_err().status(), 415);
}

#[test]
fn operations_and_paths_are_bounded() {
    let one = |count: usize| vec![json!({"op": "test", "path": "/id", "value": "a"}); count];
    assert_eq!(status("application/json-patch+json", &json!(one(OPERATIONS_MAX)).to_string()), 200);
    assert_eq!(status("application/json-patch+json", &json!(one(OPERATIONS_MAX + 1)).to_string()), 413);
    let long = json!([{"op": "remove", "path": format!("/{}", "a".repeat(PATH_LENGTH_MAX))}]);
    assert_eq!(status("application/json-patch+json", &long.to_string()), 400);
    let many = format!("<diff>{}</diff>", "<remove sel=\"a\"/>".repeat(OPERATIONS_MAX + 1));
    assert_eq!(status("application/xml-patch+xml", &many), 413);
    let long = format!("<diff><remove sel=\"{}\"/></diff>", "a".repeat(PATH_LENGTH_MAX + 1));
    assert_eq!(status("application/xml-patch+xml", &long), 422);
}

#[test]
fn copies_that_double_are_stopped() {
    let copy = json!({"op": "copy", "from": "/a", "path": "/a/-"});
    let patch = Patch::Json(json!(vec![copy; 60]));
    let to = json!({"resourceType": "Patient", "a": ["x".repeat(1000)]});
    assert_eq!(refusal(apply(&patch, to)).0, 413);
}

#[test]
fn depth_is_bounded_in_every_form() {
    let nest = json!({"op": "copy", "from": "/a", "path": "/a/a"});
    let patch = Patch::Json(json!(vec![nest; 70]));
    assert_eq!(refusal(apply(&patch, json!({"resourceType": "Patient", "a": {}}))).0, 413);

    let add = |path: &str| {
        json!({"name": "operation", "part": [{"name": "type", "valueCode": "add"}, {"name": "path", "valueString": path},
            {"name": "name", "valueString": "extension"}, {"name": "value", "valueExtension": {"url": "u"}}]})
    };
    let operations: Vec<Value> = (0..70).map(|level| add(&format!("Patient{}", ".extension".repeat(level)))).collect();
    let patch = Patch::of_parameters(resource(json!({"resourceType": "Parameters", "parameter": operations}))).unwrap();
    assert_eq!(refusal(apply(&patch, json!({"resourceType": "Patient"}))).0, 413);

    let operations: String =
        (0..70).map(|level| format!("<add sel=\"Patient{}\"><extension url=\"u\"/></add>", "/extension".repeat(level))).collect();
    let body = format!("<diff xmlns=\"http://hl7.org/fhir\">{operations}</diff>");
    let patch = Patch::parse(Some("application/xml-patch+xml"), body.as_bytes()).unwrap();
    assert_eq!(refusal(apply(&patch, json!({"resourceType": "Patient"}))).0, 413);
}

#[test]
fn a_debug_text_shows_nothing_of_the_patch() {
    assert_eq!(format!("{:?}", Patch::Json(json!([{"op": "test", "path": "/a", "value": "secret"}]))), "Patch::Json(..)");
}

proptest! {
    #[test]
    fn no_path_makes_the_reader_panic(path in "[a-z.()\\[\\]'= 0-9A-Z$%@`\\\\]{0,40}") {
        let parameters = json!({"resourceType": "Parameters", "parameter": [{"name": "operation", "part": [
            {"name": "type", "valueCode": "delete"}, {"name": "path", "valueString": format!("Patient.{path}")}]}]});
        if let Ok(patch) = Patch::of_parameters(resource(parameters)) {
            let _ = apply(&patch, json!({"resourceType": "Patient", "name": [{"given": ["a"]}]}));
        }
    }

    #[test]
    fn no_selector_makes_the_reader_panic(sel in "[a-zP/:@.()\\[\\]'=0-9*]{0,40}") {
        let body = format!("<diff xmlns=\"http://hl7.org/fhir\"><remove sel=\"Patient/{sel}\"/></diff>");
        if let Ok(patch) = Patch::parse(Some("application/xml-patch+xml"), body.as_bytes()) {
            let _ = apply(&patch, json!({"resourceType": "Patient", "name": [{"given": ["a"]}]}));
        }
    }

    #[test]
    fn no_pointer_makes_the_reader_panic(path in "[a-z/~0-9\\-\\[\\]:']{0,20}", op in "add|remove|replace|move|copy|test") {
        let patch = Patch::Json(json!([{"op": op, "path": format!("/{path}"), "from": "/name/0", "value": {}}]));
        let _ = apply(&patch, json!({"resourceType": "Patient", "name": [{"given": ["a"]}]}));
    }
}
