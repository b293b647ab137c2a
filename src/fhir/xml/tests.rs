//! XML: what ordinary clients write is read, what is not FHIR is refused at its place, and nothing changes on the way.
use super::{read, write};
use crate::fhir::{IssueKind, json};
use serde_json::{Value, json};

fn good(text: &str) -> Value {
    Value::Object(read(text.as_bytes()).unwrap_or_else(|problem| panic!("{problem:?}\n{text}")))
}

#[track_caller]
fn refused(text: &str, kind: IssueKind, place: &str) {
    let problem = read(text.as_bytes()).unwrap_err();
    let issue = problem.issues().next().unwrap();
    assert_eq!((issue.kind, issue.expression.as_deref().unwrap_or("")), (kind, place), "{text}\n{problem:?}");
}

fn written(value: &Value) -> String {
    String::from_utf8(write(value.to_string().as_bytes()).unwrap()).unwrap()
}

const OBSERVATION: &str = r#"<status value="final"/><code><text value="x"/></code>"#;

fn observation(inner: &str) -> String {
    format!("<Observation xmlns=\"http://hl7.org/fhir\">{OBSERVATION}{inner}</Observation>")
}

#[test]
fn elements_become_members_of_their_type() {
    let text = r##"<?xml version="1.0" encoding="UTF-8"?>
<Patient xmlns="http://hl7.org/fhir">
  <id value="x"/>
  <contained><Organization><id value="o"/><name value="n"/></Organization></contained>
  <extension url="http://e"><valueDecimal value="1.00"/></extension>
  <active id="a" value="true"/>
  <name id="n"><given value="A"/><given><extension url="http://u"><valueCode value="c"/></extension></given><given value="C"/></name>
  <multipleBirthInteger value="2"/>
  <managingOrganization><reference value="#o"/></managingOrganization>
</Patient>"##;
    let expected = r##"{"resourceType":"Patient","id":"x","contained":[{"resourceType":"Organization","id":"o","name":"n"}],"extension":[{"url":"http://e","valueDecimal":1.00}],"active":true,"_active":{"id":"a"},"name":[{"id":"n","given":["A",null,"C"],"_given":[null,{"extension":[{"url":"http://u","valueCode":"c"}]},null]}],"multipleBirthInteger":2,"managingOrganization":{"reference":"#o"}}"##;
    assert_eq!(good(text).to_string(), expected);
}

#[test]
fn what_ordinary_clients_write_is_accepted() {
    let patient = json!({"resourceType": "Patient", "active": true});
    for text in [
        "<?xml version='1.0' encoding='utf-8'?>\n<Patient xmlns=\"http://hl7.org/fhir\"><active value=\"true\"/></Patient>\n",
        "\u{feff}<Patient xmlns=\"http://hl7.org/fhir\"><active value='true'></active></Patient>",
        "<ns0:Patient xmlns:ns0=\"http://hl7.org/fhir\"><ns0:active value=\"true\"/></ns0:Patient>",
        "<Patient xmlns=\"http://hl7.org/fhir\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:schemaLocation=\"http://hl7.org/fhir fhir-all.xsd\"><active value=\"true\"/></Patient>",
        "<!-- a --><?pi x?><Patient xmlns=\"http://hl7.org/fhir\"><!-- b --><?pi x?><active value=\"true\"><!-- c --></active></Patient><!-- d -->",
        "<?xml version=\"1.0\"?><Patient xmlns=\"http://hl7.org/fhir\"><active value=\"&#116;rue\"/></Patient>",
    ] {
        assert_eq!(good(text), patient, "{text}");
    }
}

#[test]
fn a_div_is_kept_as_it_stands_wherever_it_stands() {
    let div =
        "<div xmlns=\"http://www.w3.org/1999/xhtml\" xml:lang=\"fr\"> <b>a</b> <i>b</i>\n\t&lt;&#160;<br /><!-- c --></div>";
    let text = format!("<Patient xmlns=\"http://hl7.org/fhir\"><text><status value=\"generated\"/>{div}</text></Patient>");
    let resource = good(&text);
    assert_eq!(resource["text"]["div"], div);
    assert_eq!(written(&resource), format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>{text}"));
    let section = format!(
        "<Composition xmlns=\"http://hl7.org/fhir\"><status value=\"final\"/><type><text value=\"t\"/></type><date value=\"2024\"/><author><display value=\"a\"/></author><title value=\"t\"/><section><text><status value=\"generated\"/>{div}</text></section></Composition>"
    );
    assert_eq!(good(&section)["section"][0]["text"]["div"], div);
}

#[test]
fn a_div_under_a_prefix_gets_its_namespace_itself() {
    let text = "<f:Patient xmlns:f=\"http://hl7.org/fhir\" xmlns:h=\"http://www.w3.org/1999/xhtml\"><f:text><f:status value=\"generated\"/><h:div class=\"x\"> <h:b>a</h:b> &amp; <h:br/></h:div></f:text></f:Patient>";
    let expected = "<div xmlns=\"http://www.w3.org/1999/xhtml\" class=\"x\"> <b>a</b> &amp; <br/></div>";
    assert_eq!(good(text)["text"]["div"], expected);
}

#[test]
fn line_breaks_in_strings_survive_as_references() {
    let resource = json!({"resourceType": "Observation", "status": "final", "code": {"text": "a\r\nb\tc \"<&>'"}});
    let text = written(&resource);
    assert!(text.contains("value=\"a&#13;&#10;b&#9;c &quot;&lt;&amp;&gt;'\""), "{text}");
    assert_eq!(good(&text), resource);
}

#[test]
fn decimals_keep_their_digits() {
    for digits in ["1.00", "0.0000001", "1e-7", "-0.10", "123456789012345678901234567890.10"] {
        let text = observation(&format!("<valueQuantity><value value=\"{digits}\"/></valueQuantity>"));
        let resource = good(&text);
        assert_eq!(resource["valueQuantity"]["value"].to_string(), digits);
        assert!(written(&resource).contains(&format!("<value value=\"{digits}\"/>")), "{digits}");
    }
}

#[test]
fn a_stored_resource_is_written_in_the_order_of_the_definition() {
    let json = r##"{"code":{"text":"x"},"contained":[{"name":"n","id":"o","resourceType":"Organization"}],"performer":[{"reference":"#o","id":"r"}],"status":"final","_status":{"id":"s"},"resourceType":"Observation"}"##;
    let text = String::from_utf8(write(json.as_bytes()).unwrap()).unwrap();
    assert_eq!(
        text,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Observation xmlns=\"http://hl7.org/fhir\"><contained><Organization><id value=\"o\"/><name value=\"n\"/></Organization></contained><status id=\"s\" value=\"final\"/><code><text value=\"x\"/></code><performer id=\"r\"><reference value=\"#o\"/></performer></Observation>"
    );
}

#[test]
fn what_is_not_fhir_is_refused_at_its_place() {
    use IssueKind::{StructureInvalid, ValueInvalid};
    refused(&observation("<foo/>"), StructureInvalid, "Observation.foo");
    refused(&observation("<note><text value=\"x\" colour=\"red\"/></note>"), StructureInvalid, "Observation.note[0].text.colour");
    refused(
        &observation("<note id=\"1\"><text value=\"a\"/></note><note><text value=\"a\"/><x/></note>"),
        StructureInvalid,
        "Observation.note[1].x",
    );
    refused(&observation("<issued value=\"2020\"/>"), ValueInvalid, "Observation.issued");
    refused(
        &observation("<valueQuantity><value value=\"x\"/></valueQuantity>"),
        StructureInvalid,
        "Observation.value.ofType(Quantity).value",
    );
    refused(&observation("<valueInteger value=\"99999999999\"/>"), StructureInvalid, "Observation.value.ofType(integer)");
    refused(&observation("<valueBoolean value=\"1\"/>"), StructureInvalid, "Observation.value.ofType(boolean)");
    refused(&observation("<issued/>"), StructureInvalid, "Observation.issued");
    refused(&observation("<subject/>"), StructureInvalid, "Observation.subject");
    refused(&observation("<note>x</note>"), StructureInvalid, "Observation.note[0]");
    refused(&observation("<identifier><value value=\"x\"/></identifier>"), StructureInvalid, "Observation.identifier");
    refused(&observation("<status value=\"final\"/>"), StructureInvalid, "Observation.status");
    refused(&observation("<extension url=\"u\"><id value=\"x\"/></extension>"), StructureInvalid, "Observation.extension");
    refused(&observation("<issued xmlns=\"u\" value=\"2020\"/>"), StructureInvalid, "Observation.issued");
    refused(&observation("<valueString value=\"\"/>"), StructureInvalid, "Observation.value.ofType(string)");
    refused(
        "<Patient xmlns=\"http://hl7.org/fhir\"><birthDate value=\"1970-01-01\"/><active value=\"true\"/></Patient>",
        StructureInvalid,
        "Patient.active",
    );
    refused(
        "<Patient xmlns=\"http://hl7.org/fhir\"><text><status value=\"generated\"/><div>x</div></text></Patient>",
        StructureInvalid,
        "Patient.text.div",
    );
    refused("<Patient/>", StructureInvalid, "");
    refused("<Nothing xmlns=\"http://hl7.org/fhir\"/>", StructureInvalid, "");
    refused("<Patient xmlns=\"http://hl7.org/fhir\" id=\"x\"/>", StructureInvalid, "Patient.id");
    let contained = "<Patient xmlns=\"http://hl7.org/fhir\"><contained><HumanName/></contained></Patient>";
    refused(contained, StructureInvalid, "Patient.contained[0]");
}

#[test]
fn what_is_not_well_formed_or_too_large_is_malformed() {
    let open = "<Patient xmlns=\"http://hl7.org/fhir\">";
    let deep = format!("{open}{}{}</Patient>", "<extension url=\"u\">".repeat(100), "</extension>".repeat(100));
    for text in [
        "",
        "x",
        open,
        "<Patient xmlns=\"http://hl7.org/fhir\"></Patien>",
        "<!DOCTYPE Patient [<!ENTITY x \"y\">]><Patient xmlns=\"http://hl7.org/fhir\"/>",
        "<Patient xmlns=\"http://hl7.org/fhir\"/><Patient xmlns=\"http://hl7.org/fhir\"/>",
        "<Patient xmlns=\"http://hl7.org/fhir\"/>x",
        "<Patient xmlns=\"http://hl7.org/fhir\"><id value=\"&x;\"/></Patient>",
        "<Patient xmlns=\"http://hl7.org/fhir\"><id value=\"a\" value=\"b\"/></Patient>",
        "<Patient xmlns=\"http://hl7.org/fhir\"><id value=\"<\"/></Patient>",
        "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><Patient xmlns=\"http://hl7.org/fhir\"/>",
        &deep,
    ] {
        refused(text, IssueKind::Malformed, "");
    }
    let attributes: String = (0..100_000).map(|index| format!(" a{index}=\"\"")).collect();
    assert!(
        read(format!("<Patient xmlns=\"http://hl7.org/fhir\"{attributes}/>").as_bytes())
            .is_err_and(|problem| problem.status() == 413)
    );
}

#[test]
fn ids_and_extensions_of_primitives_stay_wherever_their_member_stands() {
    let json = r#"{"_active":{"id":"x"},"resourceType":"Patient","id":"c","gender":"male","name":[{"_given":[null,{"id":"y"}],"family":"f","given":["a",null]}],"_id":{"extension":[{"url":"u","valueCode":"c"}]},"active":true}"#;
    let expected = r#"<?xml version="1.0" encoding="UTF-8"?><Patient xmlns="http://hl7.org/fhir"><id value="c"><extension url="u"><valueCode value="c"/></extension></id><active id="x" value="true"/><name><family value="f"/><given value="a"/><given id="y"/></name><gender value="male"/></Patient>"#;
    assert_eq!(String::from_utf8(write(json.as_bytes()).unwrap()).unwrap(), expected);
    assert_eq!(good(expected), serde_json::from_str::<Value>(json).unwrap());
}

#[test]
fn pretty_puts_each_element_on_a_line_and_leaves_narratives_alone() {
    let json = r#"{"resourceType":"Patient","text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\"> <b>a</b></div>"},"contained":[{"resourceType":"Patient","id":"a"}],"link":[{"other":{"reference":"\u0023a"},"type":"refer"}]}"#;
    let pretty = super::write_pretty(json.as_bytes()).unwrap();
    let expected = r##"<?xml version="1.0" encoding="UTF-8"?>
<Patient xmlns="http://hl7.org/fhir">
  <text>
    <status value="generated"/>
    <div xmlns="http://www.w3.org/1999/xhtml"> <b>a</b></div>
  </text>
  <contained>
    <Patient>
      <id value="a"/>
    </Patient>
  </contained>
  <link>
    <other>
      <reference value="#a"/>
    </other>
    <type value="refer"/>
  </link>
</Patient>"##;
    assert_eq!(std::str::from_utf8(&pretty).unwrap(), expected);
    assert_eq!(Value::Object(read(&pretty).unwrap()), serde_json::from_str::<Value>(json).unwrap());
}

#[test]
fn what_xml_brings_can_be_read_as_json() {
    let nested = |depth: usize| {
        let open = "<extension url=\"u\">".repeat(depth);
        let close = "</extension>".repeat(depth);
        format!("<Patient xmlns=\"http://hl7.org/fhir\">{open}<valueCode value=\"x\"/>{close}</Patient>")
    };
    let resource = read(nested(31).as_bytes()).unwrap();
    assert!(json::parse(Value::Object(resource).to_string().as_bytes()).is_ok());
    refused(&nested(32), IssueKind::Malformed, "");
}

#[test]
fn what_was_never_checked_is_an_error_and_no_panic() {
    for text in [
        r#"{"resourceType":"Patient","name":[]}"#,
        r#"{"resourceType":"Patient","name":{}}"#,
        r#"{"resourceType":"Patient","foo":["x"]}"#,
        r#"{"resourceType":"Patient","active":null}"#,
        r#"{"resourceType":"Patient","_active":null}"#,
        r#"{"resourceType":"Patient","name":[{"given":[null],"_given":[null,null]}]}"#,
        r#"{"resourceType":"Patient","multipleBirthInteger":99999999999}"#,
        r#"{"resourceType":"Patient","contained":[{"id":"x"}]}"#,
        r#"{"resourceType":"Patient","text":{"div":1}}"#,
        r#"{"resourceType":"Patiente"}"#,
        r#"{"id":"x"}"#,
        "{}",
    ] {
        let _ = write(text.as_bytes());
    }
}

#[test]
fn a_character_that_xml_lacks_is_not_written() {
    let resource = json!({"resourceType": "Observation", "status": "final", "code": {"text": "\u{ffff}"}});
    assert_eq!(write(resource.to_string().as_bytes()).unwrap_err().status(), 406);
}

#[test]
fn the_official_examples_come_back_equal_through_xml() {
    let mut seen = 0;
    for path in crate::fhir::check::tests::examples() {
        let bytes = std::fs::read(&path).unwrap();
        let Ok(resource) = json::parse(&bytes) else { continue };
        let name = path.display();
        let xml = write(&bytes).unwrap_or_else(|problem| panic!("{name}: {problem:?}"));
        let back = read(&xml).unwrap_or_else(|problem| panic!("{name}: {problem:?}"));
        assert!(back == resource, "{name}");
        seen += 1;
    }
    println!("{seen} examples");
}

proptest::proptest! {
    /// Whatever a string holds that XML can hold comes back; white space, quotes and references included.
    #[test]
    fn any_string_comes_back_through_xml(text in "[ -~\\t\\n\\r\\u{80}-\\u{d7ff}\\u{10000}-\\u{10ffff}]{1,60}") {
        let resource = json!({"resourceType": "Observation", "status": "final", "code": {"text": text}});
        let back = read(&write(resource.to_string().as_bytes()).unwrap()).unwrap();
        proptest::prop_assert_eq!(Value::Object(back), resource);
    }

    /// No input makes the reader panic; what it accepts is a resource that passes the check.
    #[test]
    fn no_document_makes_the_reader_panic(
        parts in proptest::collection::vec(proptest::sample::select(PARTS), 0..12),
        noise in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..4),
    ) {
        let mut bytes = parts.concat().into_bytes();
        let at = bytes.len() / 2;
        bytes.splice(at..at, noise);
        if let Ok(resource) = read(&bytes) {
            proptest::prop_assert_eq!(crate::fhir::check::check(&resource), []);
        }
    }
}

const PARTS: &[&str] = &[
    "<Patient xmlns=\"http://hl7.org/fhir\">",
    "</Patient>",
    "<active value=\"true\"/>",
    "<name>",
    "</name>",
    "<given value=\"a\"/>",
    "<text><status value=\"generated\"/><div xmlns=\"http://www.w3.org/1999/xhtml\">x</div></text>",
    "<contained>",
    "</contained>",
    "<extension url=\"u\">",
    "</extension>",
    "<valueString value=\"&lt;\"/>",
    "<!-- -->",
    "<?x?>",
    "<![CDATA[x]]>",
    "&amp;",
    "<?xml version=\"1.0\"?>",
    "<!DOCTYPE x>",
    "</",
    "\"",
];

/// A resource with one member or item replaced by something else.
fn mutated() -> impl proptest::strategy::Strategy<Value = Value> {
    use proptest::prelude::*;
    let leaf = prop_oneof![
        Just(Value::Null),
        Just(json!({})),
        Just(json!([])),
        Just(json!([null])),
        Just(json!(true)),
        Just(json!(7)),
        Just(json!([{"id": "x"}])),
        Just(json!({"extension": [{"url": "u", "valueCode": "c"}]})),
        Just(json!({"resourceType": "Patient", "id": "c"})),
        "[ -~\\t\\n\\r\u{80}-\u{ffff}]{0,12}".prop_map(Value::from),
        proptest::sample::select(&["1.0", "1e3", "-0", "12345678901234567890", "2024", "#c", "a b"][..])
            .prop_map(|text| { serde_json::from_str(text).unwrap_or_else(|_| text.into()) }),
    ];
    let key = proptest::sample::select(
        &["id", "_id", "extension", "value", "_status", "valueString", "status", "url", "div", "name", "resourceType"][..],
    );
    (any::<u16>(), key, leaf).prop_map(|(place, key, leaf)| {
        let mut resource = sample();
        let mut left = usize::from(place % 400);
        replace(&mut resource, &mut left, key, &leaf);
        resource
    })
}

fn sample() -> Value {
    json!({"resourceType": "Observation", "id": "o", "text": {"status": "generated", "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\">x</div>"},
        "contained": [{"resourceType": "Patient", "id": "c", "name": [{"given": ["a", null], "_given": [null, {"id": "x"}]}], "active": true}],
        "extension": [{"url": "u", "valuePeriod": {"start": "2024-01"}}], "status": "final", "_status": {"id": "s"},
        "code": {"coding": [{"system": "http://loinc.org", "code": "1", "userSelected": true}], "text": "t"},
        "subject": {"reference": "#c"}, "effectiveDateTime": "2024-01-01T10:00:00Z",
        "valueQuantity": {"value": 1.50, "unit": "g", "system": "http://unitsofmeasure.org", "code": "g"},
        "component": [{"code": {"text": "y"}, "valueInteger": 3}]})
}

/// Counts members and items depth first; at the chosen one, puts the value there, or beside it under the key.
fn replace(value: &mut Value, left: &mut usize, key: &str, leaf: &Value) {
    match value {
        Value::Object(members) => {
            if *left == 0 {
                members.insert(key.into(), leaf.clone());
            }
            *left = left.wrapping_sub(1);
            for member in members.values_mut() {
                replace(member, left, key, leaf);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, left, key, leaf)),
        _ => {}
    }
    if *left == 0 {
        *value = leaf.clone();
    }
    *left = left.wrapping_sub(1);
}

/// An array of nulls beside ids and extensions says what its absence says.
fn without_null_arrays(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let is_null_array = |value: &Value| value.as_array().is_some_and(|items| items.iter().all(Value::is_null));
            let kept = members.into_iter().filter(|(_, value)| !is_null_array(value));
            kept.map(|(key, value)| (key, without_null_arrays(value))).collect()
        }
        Value::Array(items) => items.into_iter().map(without_null_arrays).collect(),
        other => other,
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(1_000))]
    /// The check never panics, and all that it accepts is written as XML and comes back.
    #[test]
    fn what_the_check_accepts_comes_back_through_xml(resource in mutated()) {
        let Value::Object(members) = &resource else { return Ok(()) };
        if crate::fhir::check::check(members).is_empty() {
            match write(resource.to_string().as_bytes()) {
                Ok(xml) => {
                    let back = read(&xml).map_err(|problem| proptest::test_runner::TestCaseError::fail(format!("{problem:?} {resource}")))?;
                    proptest::prop_assert_eq!(without_null_arrays(Value::Object(back)), without_null_arrays(resource));
                }
                Err(problem) => proptest::prop_assert_eq!(problem.status(), 406, "{}", resource),
            }
        }
    }
}
