//! What every synthetic document has, as CI-SIS and CR-BIO ask for it.
use super::*;
use crate::fhir::Resource;
use roxmltree::{Document, Node};
use serde_json::Value;

fn templates(document: &Document<'_>) -> Vec<String> {
    let nodes = document.descendants().filter(|node| node.has_tag_name(("urn:hl7-org:v3", "templateId")));
    nodes.filter_map(|node| node.attribute("root")).map(str::to_owned).collect()
}

fn with_template<'a>(document: &'a Document<'a>, root: &'a str) -> impl Iterator<Item = Node<'a, 'a>> {
    document
        .descendants()
        .filter(move |node| node.has_tag_name(("urn:hl7-org:v3", "templateId")) && node.attribute("root") == Some(root))
        .filter_map(|node| node.parent())
}

fn all_documents() -> Vec<String> {
    records(42, 6).flat_map(|record| record.documents).map(|bytes| String::from_utf8(bytes).unwrap()).collect()
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    let bytes = |seed| records(seed, 3).flat_map(|record| record.documents).collect::<Vec<_>>();
    assert_eq!(bytes(1), bytes(1));
    assert_ne!(bytes(1), bytes(2));
}

#[test]
fn every_document_is_well_formed_and_has_the_header_templates() {
    for text in all_documents() {
        let document = Document::parse(&text).unwrap();
        let templates = templates(&document);
        for root in ["2.16.840.1.113883.2.8.2.1", "1.2.250.1.213.1.1.1.1"] {
            assert!(templates.iter().any(|template| template == root));
        }
        let root = document.root_element();
        for name in ["id", "code", "title", "effectiveTime", "setId", "versionNumber", "recordTarget", "author", "custodian"] {
            assert_eq!(root.children().filter(|node| node.tag_name().name() == name).count(), 1, "{name}");
        }
        let names = ["legalAuthenticator", "documentationOf", "componentOf", "component"];
        assert!(names.iter().all(|name| root.children().any(|node| node.tag_name().name() == *name)));
    }
}

#[test]
fn every_reference_of_a_document_leads_to_an_id_in_it() {
    for text in all_documents() {
        let document = Document::parse(&text).unwrap();
        let ids: Vec<_> = document.descendants().filter_map(|node| node.attribute("ID")).collect();
        for reference in document.descendants().filter(|node| node.tag_name().name() == "reference") {
            let value = reference.attribute("value").unwrap();
            assert!(ids.contains(&value.strip_prefix('#').unwrap()), "{value}");
        }
        let mut distinct = ids.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), ids.len());
    }
}

#[test]
fn a_visit_has_the_templates_of_a_laboratory_report() {
    let record = records(42, 1).next().unwrap();
    let text = String::from_utf8(record.documents[0].clone()).unwrap();
    let document = Document::parse(&text).unwrap();
    let templates = templates(&document);
    let wanted = ["2.70", "2.71", "3.21", "3.77", "3.78", "3.80", "3.107", "3.109", "2.243", "3.18", "3.48.18", "1.55"];
    for template in wanted {
        let root = format!("1.2.250.1.213.1.1.{template}");
        assert!(templates.contains(&root), "{root}");
    }
    assert!(with_template(&document, "1.2.250.1.213.1.1.3.21").all(|entry| entry.attribute("typeCode") == Some("DRIV")));
    assert_eq!(
        document.descendants().filter(|node| node.has_tag_name(("urn:oid:1.3.6.1.4.1.19376.1.3.2", "statusCode"))).count(),
        1
    );
}

#[test]
fn the_first_record_has_diabetes_a_corrected_report_a_culture_and_a_letter() {
    let record = records(42, 1).next().unwrap();
    assert!(record.person.health.is_diabetic());
    let texts: Vec<_> = record.documents.into_iter().map(|bytes| String::from_utf8(bytes).unwrap()).collect();
    let count = |part: &str| texts.iter().filter(|text| text.contains(part)).count();
    assert_eq!(count("relatedDocument typeCode=\"RPLC\""), 1);
    assert_eq!(count("1.2.250.1.213.1.1.3.79"), 1, "one culture with isolates");
    assert_eq!(count("nonXMLBody"), 1);
    assert_eq!(count("code=\"4548-4\""), 14);
    assert!(texts.iter().any(|text| text.contains("typeCode=\"REFR\"")));
}

#[test]
fn a_corrected_report_keeps_its_set_and_names_what_it_replaces() {
    let texts = all_documents();
    let corrected = texts.iter().find(|text| text.contains("RPLC")).unwrap();
    let document = Document::parse(corrected).unwrap();
    let root_of = |document: &Document<'_>, name: &str| {
        let node = document.root_element().children().find(|node| node.tag_name().name() == name).unwrap();
        node.attribute("root").or_else(|| node.attribute("value")).unwrap().to_owned()
    };
    let parent = document.descendants().find(|node| node.tag_name().name() == "parentDocument").unwrap();
    let replaced = parent.first_element_child().unwrap().attribute("root").unwrap();
    let first = texts.iter().map(|text| Document::parse(text).unwrap()).find(|other| root_of(other, "id") == replaced).unwrap();
    assert_eq!(root_of(&first, "setId"), root_of(&document, "setId"));
    assert_eq!((root_of(&first, "versionNumber"), root_of(&document, "versionNumber")), ("1".into(), "2".into()));
}

#[test]
fn every_unique_id_is_used_once() {
    let mut ids: Vec<_> = all_documents()
        .iter()
        .map(|text| {
            Document::parse(text)
                .unwrap()
                .root_element()
                .children()
                .find(|node| node.tag_name().name() == "id")
                .unwrap()
                .attribute("root")
                .unwrap()
                .to_owned()
        })
        .collect();
    let all = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), all);
}

#[test]
fn some_diabetics_are_above_eight_percent() {
    let high = records(42, 30).filter(|record| record.person.health.hba1c > 8.0).count();
    assert!((3..20).contains(&high), "{high}");
}

#[test]
fn a_benchmark_report_has_exactly_the_results_asked_for() {
    let person = Person::new(1, 1);
    for n in [1, 30, 1000] {
        let text = String::from_utf8(lab_report_of(&person, 5, n)).unwrap();
        let document = Document::parse(&text).unwrap();
        assert_eq!(with_template(&document, "1.2.250.1.213.1.1.3.80").count(), n);
    }
    assert_ne!(lab_report_of(&person, 5, 1), lab_report_of(&person, 6, 1));
}

#[test]
fn a_deposit_says_of_its_document_what_the_document_says() {
    let record = records(42, 1).next().unwrap();
    let bytes = record.documents.first().unwrap();
    let deposit = Value::Object(deposit(bytes, &record.person));
    let text = String::from_utf8(bytes.clone()).unwrap();
    let unique_id = deposit["masterIdentifier"]["value"].as_str().unwrap().strip_prefix("urn:oid:").unwrap();
    assert!(text.contains(&format!("<id root=\"{unique_id}\"/>")));
    let attachment = &deposit["content"][0]["attachment"];
    assert_eq!(attachment["size"], bytes.len());
    assert_eq!(attachment["data"], pdf::base64_of(bytes));
    assert_eq!(attachment["contentType"], "text/xml");
    assert_eq!(attachment["hash"].as_str().unwrap().len(), 28, "base64 of 20 bytes");
    assert_eq!(deposit["type"]["coding"][0]["code"], "11502-2");
    assert_eq!(deposit["subject"]["identifier"]["value"], record.person.matricule);
    assert!(deposit.get("identifier").is_none() && deposit.get("docStatus").is_none());
}

#[test]
fn every_record_opens_first_authorises_the_practitioner_and_blocks_the_cardiologist() {
    for record in records(42, 6) {
        assert_eq!(record.consents.first(), Some(&ConsentPlan::Opening));
        let of = |actor| ConsentPlan::Authorisation(ConsentActor::Professional(actor));
        assert!(record.consents.contains(&of(&directory::GENERAL_PRACTITIONER)));
        assert!(record.consents.contains(&ConsentPlan::Blocking(ConsentActor::Professional(&directory::BLOCKED_PROFESSIONAL))));
    }
}

#[test]
fn only_an_authorisation_has_a_period() {
    let consent =
        |plan: ConsentPlan| -> Resource { plan.consent("Patient/1", "2026-11-24T10:00:00+01:00", ("2026-11-24", "2027-11-23")) };
    let practitioner = ConsentActor::Professional(&directory::GENERAL_PRACTITIONER);
    let authorisation = Value::Object(consent(ConsentPlan::Authorisation(practitioner)));
    assert_eq!(authorisation["provision"]["period"]["end"], "2027-11-23");
    assert_eq!(authorisation["provision"]["actor"][0]["reference"]["identifier"]["value"], "99900000011");
    assert!(Value::Object(consent(ConsentPlan::Blocking(practitioner)))["provision"].get("period").is_none());
    assert!(Value::Object(consent(ConsentPlan::Opening))["provision"].get("actor").is_none());
}

#[test]
fn a_transaction_has_as_many_observations_as_asked() {
    let bundle = Value::Object(observations_transaction(&Person::new(1, 1), 1000));
    assert_eq!(bundle["entry"].as_array().unwrap().len(), 1000);
    assert_eq!(bundle["entry"][999]["request"]["method"], "POST");
}
