//! The official R4 examples go in and come back equal, as JSON and as XML, and are found by their values.
pub(crate) mod adapt;
mod flat;
pub(crate) mod package;

use crate::harness::people::{Kind, structure};
use crate::harness::server::{LABORATORY, World, on_sqlite};
use crate::harness::spec::rows;
use crate::harness::{Actor, PAT_TROIS, on_both};
use package::Extent;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

const XML: [(&str, &str); 2] = [("Content-Type", "application/fhir+xml"), ("Accept", "application/fhir+json")];

/// Everything after the server's own id and meta, byte for byte.
fn rest<'a>(text: &'a str, resource_type: &str) -> &'a str {
    let head = format!("{{\"resourceType\":\"{resource_type}\",");
    let text = text.strip_prefix(&head).unwrap_or_else(|| panic!("no resourceType first: {text}"));
    if !text.starts_with("\"id\":") {
        return text;
    }
    let meta = text.find("\"meta\":{").unwrap();
    let end = text[meta..].find('}').unwrap();
    let rest = &text[meta + end + 1..];
    rest.strip_prefix(',').unwrap_or(rest)
}

/// Sends an example as JSON, reads it as JSON and XML, sends that XML again: the ids of the two resources, or the refusal.
fn round_trip(system: &Actor, patient: &str, name: &str, example: Value) -> Result<[String; 2], (u16, String)> {
    let sent = adapt::about(example, patient);
    let resource_type = sent["resourceType"].as_str().unwrap().to_owned();
    let created = system.post(&resource_type, &sent);
    if created.status != 201 {
        assert!((400..500).contains(&created.status), "{name}: {} {}", created.status, created.text());
        return Err((created.status, created.text()));
    }
    let id = created.json()["id"].as_str().unwrap().to_owned();
    let path = format!("{resource_type}/{id}");
    let read = system.get(&path);
    assert_eq!(rest(&read.text(), &resource_type), rest(&sent.to_string(), &resource_type), "{name} as JSON");
    let xml = system.send("GET", &path, &[("Accept", "application/fhir+xml")], Vec::new());
    assert_eq!(xml.status, 200, "{name}: {}", xml.text());
    assert_eq!(flat::of_xml(&xml.text()), flat::of_json(&read.json()), "{name} as XML");
    let again = system.send("POST", &resource_type, &XML, xml.body);
    assert_eq!(again.status, 201, "{name} from XML: {}", again.text());
    let again = again.json();
    let bare = |resource: &Value| {
        let mut resource = resource.clone();
        resource.as_object_mut().unwrap().retain(|name, _| name != "id" && name != "meta");
        resource
    };
    assert_eq!(bare(&again), bare(&read.json()), "{name} from XML");
    Ok([id, again["id"].as_str().unwrap().to_owned()])
}

/// Each example of the list by the ids that it got.
fn file(world: &World, names: &[String]) -> (BTreeMap<String, String>, BTreeMap<String, (u16, String)>) {
    let folder = package::folder().unwrap();
    let patient = world.open_record(&PAT_TROIS).patient;
    let system = world.directory_system();
    authorise(&system, &patient);
    let (mut by_id, mut refused) = (BTreeMap::new(), BTreeMap::new());
    for name in names {
        match round_trip(&system, &patient, name, package::read(folder, name)) {
            Ok(ids) => {
                if name.starts_with("Patient-") {
                    ids.iter().for_each(|patient| authorise(&system, patient));
                }
                by_id.extend(ids.map(|id| (id, name.clone())));
            }
            Err(refusal) => {
                refused.insert(name.clone(), refusal);
            }
        }
    }
    (by_id, refused)
}

/// The record authorises the structure that fills it, so that its system may search there.
pub(crate) fn authorise(system: &Actor, patient: &str) {
    let mut consent = PAT_TROIS.consent(Kind::Autorisation, Some(structure(LABORATORY)));
    consent["patient"] = json!({"reference": format!("Patient/{patient}")});
    consent["performer"] = json!([consent["patient"]]);
    system.post("Consent", &consent).expect(201);
}

/// Names of the table of searches, each once.
fn sample() -> Vec<String> {
    let names = rows("r4-examples", "each_type_is_found_by_its_values").into_iter().flat_map(|row| {
        let found: Vec<String> = row["finds"].split(' ').map(|name| format!("{}-{name}", row["type"])).collect();
        found
    });
    names.collect::<BTreeSet<String>>().into_iter().collect()
}

/// Runs each search of the table: it finds the examples of its row and no other that is here.
fn searches(system: &Actor, by_id: &BTreeMap<String, String>) {
    let here: BTreeSet<&str> = by_id.values().map(String::as_str).collect();
    for row in rows("r4-examples", "each_type_is_found_by_its_values") {
        let query = format!("{}?{}", row["type"], row["search"]);
        let found = system.search(&query);
        let found: BTreeSet<&str> =
            found.iter().filter_map(|resource| by_id.get(resource["id"].as_str()?)).map(String::as_str).collect();
        let named: Vec<String> = row["finds"].split(' ').map(|name| format!("{}-{name}", row["type"])).collect();
        let expected: BTreeSet<&str> = named.iter().map(String::as_str).filter(|name| here.contains(name)).collect();
        assert!(!expected.is_empty(), "{query}: none of {named:?} is here");
        assert_eq!(found, expected, "{query}");
    }
}

#[test]
fn official_examples_come_back_equal_and_are_found() {
    let Some(folder) = package::folder() else { return };
    if Extent::asked() != Extent::All {
        return on_both(|world| {
            let (by_id, refused) = file(world, &sample());
            assert_eq!(refused, BTreeMap::new());
            searches(&world.directory_system(), &by_id);
        });
    }
    on_sqlite(|world| {
        let names = package::names(folder, adapt::is_accepted);
        let (by_id, refused) = file(world, &names);
        let stated: BTreeMap<String, String> = rows("r4-examples", "refused_with_the_reason")
            .into_iter()
            .map(|row| (row["example"].clone(), row["says"].clone()))
            .collect();
        for (name, (status, text)) in &refused {
            let says = stated.get(name).unwrap_or_else(|| panic!("{name} is refused: {status} {text}"));
            assert!(text.contains(says.as_str()), "{name}: {says}: {text}");
        }
        assert_eq!(refused.keys().collect::<Vec<_>>(), stated.keys().collect::<Vec<_>>());
        searches(&world.directory_system(), &by_id);
    });
}

#[test]
fn every_accepted_type_has_a_row() {
    let searched: BTreeSet<String> =
        rows("r4-examples", "each_type_is_found_by_its_values").into_iter().map(|row| row["type"].clone()).collect();
    let types = include_str!("../../../schema/resources.tsv").lines().filter_map(|line| line.split('\t').nth(1));
    for resource_type in types.filter(|name| adapt::is_accepted(name)) {
        // A Consent and a DocumentReference have ways in of their own, with tests of their own.
        let own_way = matches!(resource_type, "Consent" | "DocumentReference");
        assert!(searched.contains(resource_type) != own_way, "{resource_type}");
    }
}

/// What no official example has all at once: digits, ids and extensions of primitives, contained resources, white space.
const HARD: &str = r##"{"resourceType":"Observation","language":"fr","text":{"id":"t","status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">\n  a  <b> b </b>\t&lt;&amp;&#160;\n</div>"},"contained":[{"resourceType":"Practitioner","id":"p","name":[{"given":["A","B"],"_given":[null,{"id":"g","extension":[{"url":"http://example.org/x","valueDecimal":0.10}]}]}]}],"status":"final","_status":{"id":"s"},"code":{"text":"first\nsecond\r\nthird\tfourth \"quoted\" <tag> & é 😀"},"subject":{"reference":"Patient/ID","display":" spaces  kept "},"_effectiveDateTime":{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/data-absent-reason","valueCode":"unknown"}]},"performer":[{"reference":"#p"}],"component":[{"code":{"text":"a"},"valueQuantity":{"value":1.00}},{"code":{"text":"b"},"valueQuantity":{"value":1e-7}},{"code":{"text":"c"},"valueQuantity":{"value":1E+2}},{"code":{"text":"d"},"valueQuantity":{"value":123456789012345678901234567890.10}},{"code":{"text":"e"},"valueQuantity":{"value":-0.000000000000000000000000000001}}]}"##;

#[test]
fn digits_white_space_and_extensions_of_primitives_come_back_as_they_were() {
    on_both(|world| {
        let patient = world.open_record(&PAT_TROIS).patient;
        let system = world.hospital_system();
        let sent = HARD.replace("Patient/ID", &format!("Patient/{patient}"));
        let headers = [("Content-Type", "application/fhir+json"), ("Accept", "application/fhir+json")];
        let id = system.send("POST", "Observation", &headers, sent.clone().into_bytes()).expect(201)["id"].clone();
        let path = format!("Observation/{}", id.as_str().unwrap());
        let read = system.get(&path);
        assert_eq!(rest(&read.text(), "Observation"), rest(&sent, "Observation"));
        let xml = system.send("GET", &path, &[("Accept", "application/fhir+xml")], Vec::new());
        for value in ["1.00", "1e-7", "1E+2", "123456789012345678901234567890.10", "-0.000000000000000000000000000001"] {
            assert!(xml.text().contains(&format!("<value value=\"{value}\"/>")), "{value}: {}", xml.text());
        }
        assert!(xml.text().contains("\n  a  <b> b </b>\t&lt;&amp;&#160;\n</div>"), "{}", xml.text());
        // A reader of XML turns a raw line break of an attribute into a space: it is written as a reference.
        let code = flat::of_xml(&xml.text()).into_iter().find(|value| value.starts_with("Observation/code[0]/text")).unwrap();
        assert_eq!(code, "Observation/code[0]/text[0]=first\nsecond\r\nthird\tfourth \"quoted\" <tag> & é 😀");
        let again = system.send("POST", "Observation", &XML, xml.body).expect(201)["id"].clone();
        let again = system.get(&format!("Observation/{}", again.as_str().unwrap())).text();
        for value in ["1.00", "1e-7", "1E+2", "123456789012345678901234567890.10", "-0.000000000000000000000000000001"] {
            assert!(again.contains(&format!("\"value\":{value}}}")), "{value}: {again}");
        }
    });
}
