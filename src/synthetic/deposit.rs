//! Deposits: the DocumentReference that brings a document, as ITI-105 sends it.
use super::date::hl7_to_fhir;
use super::directory::{PROFESSIONALS, Professional};
use super::pdf::base64_of;
use super::person::Person;
use crate::fhir::Resource;
use openssl::hash::{MessageDigest, hash};
use serde_json::{Value, json};

const FORMATS: &str = "http://ihe.net/fhir/ihe.formatcode.fhir/CodeSystem/formatcode";
const CLASSES: &str = "https://mos.esante.gouv.fr/NOS/TRE_A03-ClasseDocument/FHIR/TRE-A03-ClasseDocument";

/// The deposit of these bytes: a DocumentReference of the shape pdsm-simplified-publish, with the metadata of the header.
///
/// Reads the header of what this module wrote; from other bytes it takes what it finds there.
/// <https://profiles.ihe.net/ITI/MHD/ITI-105.html>
#[must_use]
pub fn deposit(cda: &[u8], person: &Person) -> Resource {
    let text = String::from_utf8_lossy(cda);
    let header = header(&text);
    let author = header.author.unwrap_or(&super::directory::GENERAL_PRACTITIONER);
    let sha1 = hash(MessageDigest::sha1(), cda).map(|digest| base64_of(&digest)).unwrap_or_default();
    // Without display: the French one is an error for the HL7 and IHE systems (C4 R7).
    let format = if header.structured { "urn:ihe:lab:xd-lab:2008" } else { "urn:ihe:iti:xds-sd:pdf:2008" };
    let value = json!({
        "resourceType": "DocumentReference",
        "meta": {"profile": ["https://interop.esante.gouv.fr/ig/fhir/pdsm/StructureDefinition/pdsm-simplified-publish"]},
        "contained": contained(author),
        "masterIdentifier": {"system": "urn:ietf:rfc:3986", "value": format!("urn:oid:{}", header.unique_id)},
        "status": "current",
        "type": {"coding": [{"system": "http://loinc.org", "code": header.code, "display": header.code_name}]},
        "category": [{"coding": [{"system": CLASSES, "code": "10", "display": "Compte rendu"}]}],
        "subject": person.logical_reference(),
        "date": header.time,
        "author": [{"reference": "#author"}],
        "authenticator": {"reference": "#author"},
        "custodian": {"reference": "#structure"},
        "securityLabel": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "N"}]}],
        "content": [{
            "attachment": {
                "contentType": "text/xml",
                "language": "fr-FR",
                "data": base64_of(cda),
                "size": cda.len(),
                "hash": sha1,
                "title": header.title,
                "creation": header.time
            },
            "format": {"system": FORMATS, "code": format}
        }]
    });
    value.as_object().cloned().unwrap_or_default()
}

fn contained(author: &Professional) -> Value {
    let with_id = |mut resource: Value, id: &str| {
        if let Some(object) = resource.as_object_mut() {
            object.insert("id".into(), json!(id));
        }
        resource
    };
    json!([
        with_id(author.practitioner(), "practitioner"),
        with_id(author.structure.organization(), "structure"),
        {
            "resourceType": "PractitionerRole",
            "id": "author",
            "practitioner": {"reference": "#practitioner"},
            "organization": {"reference": "#structure"},
            "code": [{"coding": [{
                "system": "https://mos.esante.gouv.fr/NOS/TRE_A02-ProfessionSavFaire-CISIS/FHIR/TRE-A02-ProfessionSavFaire-CISIS",
                "code": author.profession,
                "display": author.profession_name
            }]}]
        }
    ])
}

#[derive(Default)]
struct DocumentHeader {
    unique_id: String,
    code: String,
    code_name: String,
    title: String,
    time: String,
    author: Option<&'static Professional>,
    structured: bool,
}

fn header(text: &str) -> DocumentHeader {
    let Ok(document) = roxmltree::Document::parse(text) else { return DocumentHeader::default() };
    let root = document.root_element();
    let child = |name: &str| root.children().find(|node| node.tag_name().name() == name);
    let attribute =
        |name: &str, attribute: &str| child(name).and_then(|node| node.attribute(attribute)).unwrap_or_default().to_owned();
    let author_number = child("author")
        .and_then(|author| author.descendants().find(|node| node.attribute("root") == Some("1.2.250.1.71.4.2.1")))
        .and_then(|id| id.attribute("extension"))
        .unwrap_or_default();
    DocumentHeader {
        unique_id: attribute("id", "root"),
        code: attribute("code", "code"),
        code_name: attribute("code", "displayName"),
        title: child("title").and_then(|node| node.text()).unwrap_or_default().to_owned(),
        time: hl7_to_fhir(&attribute("effectiveTime", "value")),
        author: PROFESSIONALS.into_iter().find(|professional| professional.ps_idnat() == author_number),
        structured: root.descendants().any(|node| node.tag_name().name() == "structuredBody"),
    }
}
