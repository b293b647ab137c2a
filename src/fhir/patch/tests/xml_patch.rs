use super::{apply, refusal};
use crate::fhir::patch::Patch;
use serde_json::{Value, json};

fn diff(operations: &str) -> Patch {
    let body = format!(
        "<diff xmlns=\"http://hl7.org/fhir\" xmlns:f=\"http://hl7.org/fhir\" xmlns:h=\"http://www.w3.org/1999/xhtml\">{operations}</diff>"
    );
    Patch::parse(Some("application/xml-patch+xml"), body.as_bytes()).unwrap()
}

fn patched(operations: &str, to: Value) -> Value {
    apply(&diff(operations), to).unwrap()
}

fn refused(operations: &str) -> String {
    let (status, text) = refusal(apply(&diff(operations), patient()));
    assert_eq!(status, 422, "{operations}: {text}");
    text
}

fn patient() -> Value {
    json!({"resourceType": "Patient", "id": "a", "identifier": [{"system": "http://a", "value": "1"}, {"system": "http://b", "value": "2"}],
        "active": true, "gender": "male"})
}

#[test]
fn a_value_is_an_attribute() {
    let mut expected = patient();
    expected["gender"] = json!("female");
    for sel in [
        "f:Patient/f:gender/@value",
        "Patient/gender/@value",
        "/f:Patient/f:gender/@value",
        "*/f:gender/@value",
        "f:Patient/f:gender[1]/@value",
        "f:Patient/f:gender[last()]/@value",
        "f:Patient/f:gender[@value='male']/@value",
        "f:Patient/f:gender[@value]/@value",
    ] {
        assert_eq!(patched(&format!("<replace sel=\"{sel}\">female</replace>"), patient()), expected, "{sel}");
    }
}

#[test]
fn elements_are_added_in_their_order_replaced_and_removed() {
    let added = patched("<add sel=\"f:Patient/f:gender\" pos=\"after\"><birthDate value=\"1970-01-01\"/></add>", patient());
    assert_eq!(added["birthDate"], "1970-01-01");
    let added = patched(
        "<add sel=\"Patient/identifier[2]\" pos=\"before\"><identifier><value value=\"x\"/></identifier></add>",
        patient(),
    );
    assert_eq!(added["identifier"][1], json!({"value": "x"}));
    let replaced = patched("<replace sel=\"f:Patient/f:active\"><active value=\"false\"/></replace>", patient());
    assert_eq!(replaced["active"], json!(false));
    let removed = patched("<remove sel=\"f:Patient/f:identifier[f:system/@value='http://a']\"/>", patient());
    assert_eq!(removed["identifier"], json!([{"system": "http://b", "value": "2"}]));
}

#[test]
fn an_element_out_of_its_order_is_refused() {
    assert!(refused("<add sel=\"f:Patient\" pos=\"prepend\"><birthDate value=\"1970-01-01\"/></add>").contains("order"));
}

#[test]
fn an_attribute_is_added_and_removed() {
    let with_id = patched("<add sel=\"f:Patient/f:identifier[1]\" type=\"@id\">i1</add>", patient());
    assert_eq!(with_id["identifier"][0]["id"], "i1");
    assert_eq!(patched("<remove sel=\"f:Patient/f:identifier[1]/@id\"/>", with_id), patient());
}

#[test]
fn a_narrative_stays_as_it_is_but_for_what_is_patched() {
    let div = "<div xmlns=\"http://www.w3.org/1999/xhtml\"><p class=\"a\">é &amp; &lt; &#160;x</p>\n <p>old</p><br/></div>";
    let to = json!({"resourceType": "Patient", "text": {"status": "generated", "div": div}, "active": true});
    let found = patched("<replace sel=\"f:Patient/f:text/h:div/h:p[2]/text()\">new</replace>", to);
    assert_eq!(found["text"]["div"], json!(div.replace("old", "new")));
}

#[test]
fn strings_and_digits_come_back_as_they_were() {
    let text = "line\n\ttab & <b> \"q\" é";
    let before = format!(
        r#"{{"resourceType":"Observation","status":"final","code":{{"text":{}}},"valueQuantity":{{"value":1.00}}}}"#,
        json!(text)
    );
    let found =
        patched("<replace sel=\"f:Observation/f:status/@value\">amended</replace>", serde_json::from_str(&before).unwrap());
    assert_eq!(found.to_string(), before.replace("final", "amended"));
}

#[test]
fn a_selector_matches_exactly_one_node() {
    assert!(refused("<remove sel=\"f:Patient/f:identifier\"/>").contains("several"));
    assert!(refused("<remove sel=\"f:Patient/f:birthDate\"/>").contains("nothing"));
    assert!(refused("<remove sel=\"f:Group/f:active\"/>").contains("nothing"));
    assert!(refused("<remove sel=\"f:Patient/f:active/@id\"/>").contains("nothing"));
    assert!(refused("<remove sel=\"f:Patient/f:identifier[3]\"/>").contains("nothing"));
}

#[test]
fn what_the_standard_forbids_is_refused() {
    for operation in [
        "<remove sel=\"f:Patient\"/>",
        "<add sel=\"f:Patient\" pos=\"after\"><active value=\"true\"/></add>",
        "<add sel=\"f:Patient/f:active\" type=\"@value\">false</add>",
        "<add sel=\"f:Patient/f:active/@value\">false</add>",
        "<replace sel=\"f:Patient/f:active\"/>",
        "<replace sel=\"f:Patient/f:active\"><active value=\"true\"/><active value=\"true\"/></replace>",
        "<replace sel=\"f:Patient/f:active\">true</replace>",
        "<replace sel=\"f:Patient/f:active/@value\"><b/></replace>",
        "<replace sel=\"f:Patient\"><Group><type value=\"person\"/><actual value=\"true\"/></Group></replace>",
        "<remove sel=\"f:Patient/f:id\"/>",
        "<add sel=\"f:Patient/f:gender\" pos=\"after\"><x xmlns=\"urn:x\"/></add>",
    ] {
        refused(operation);
    }
}

#[test]
fn xpath_that_is_not_read_is_refused() {
    for sel in [
        "//f:active",
        "f:Patient//f:active",
        "id('a')",
        "f:Patient/child::f:active",
        "f:Patient/f:active[position()=1]",
        "f:Patient/f:active | f:Patient/f:gender",
        "f:Patient/../f:active",
        "x:Patient/x:active",
        "f:Patient/@id/f:active",
        "f:Patient/f:active[",
        "f:Patient/",
        "",
    ] {
        let body = format!("<diff xmlns:f=\"http://hl7.org/fhir\"><remove sel=\"{sel}\"/></diff>");
        let status = Patch::parse(Some("application/xml-patch+xml"), body.as_bytes()).unwrap_err().status();
        assert_eq!(status, 422, "{sel}");
    }
}

#[test]
fn what_is_no_patch_is_malformed() {
    for body in [
        "",
        "x",
        "<diff/>",
        "<diff><move sel=\"a\"/></diff>",
        "<diff><remove/></diff>",
        "<diff><remove sel=\"a\"></diff>",
        "<diff><remove sel=\"a\" ws=\"x\"/></diff>",
        "<diff><add sel=\"a\" pos=\"x\"/></diff>",
        "<diff><add sel=\"a\" type=\"x\"/></diff>",
        "<!DOCTYPE diff [<!ENTITY a \"b\">]><diff><add sel=\"a\">&a;</add></diff>",
        "<diff><add sel=\"a\">&a;</add></diff>",
        "<diff><remove sel=\"a\"/></diff><diff/>",
    ] {
        assert_eq!(Patch::parse(Some("application/xml-patch+xml"), body.as_bytes()).unwrap_err().status(), 400, "{body}");
    }
}
