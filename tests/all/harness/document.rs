//! Documents that specs deposit: the samples, and small laboratory reports of their own.
use super::{Actor, Answer, Person};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use std::fmt::Write;

const NAMESPACE: &str = "urn:hl7-org:v3";

/// A deposit in preparation (ITI-105): the metadata are those of the header until a spec changes them.
pub(crate) struct Deposit {
    pub(crate) body: Value,
    pub(crate) unique_id: String,
}

impl Deposit {
    /// Of a CDA document, with the metadata that its header gives; the patient by INS.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let text = std::str::from_utf8(bytes).unwrap();
        let tree = roxmltree::Document::parse(text).unwrap();
        let find = |name: &str| tree.descendants().find(|node| node.has_tag_name((NAMESPACE, name))).unwrap();
        let header = find("ClinicalDocument");
        let child = |name: &str| header.children().find(|node| node.has_tag_name((NAMESPACE, name))).unwrap();
        let unique_id = format!("urn:oid:{}", child("id").attribute("root").unwrap());
        let role = find("patientRole");
        let mut ids = role.children().filter(|node| node.has_tag_name((NAMESPACE, "id")));
        let ins = ids.find(|id| {
            ["8", "9", "10", "11"].map(|end| format!("1.2.250.1.213.1.4.{end}")).contains(&id.attribute("root").unwrap().into())
        });
        let ins = ins.unwrap();
        let wrapped = !tree.root_element().has_tag_name((NAMESPACE, "ClinicalDocument"));
        let code = child("code");
        let system = match code.attribute("codeSystem") {
            Some("2.16.840.1.113883.6.1") => "http://loinc.org",
            _ => "https://mos.esante.gouv.fr/NOS/TRE_A05-TypeDocComplementaireCISIS/FHIR/TRE-A05-TypeDocComplementaireCISIS",
        };
        let subject = json!({"identifier": {
            "system": format!("urn:oid:{}", ins.attribute("root").unwrap()), "value": ins.attribute("extension").unwrap()}});
        let body = json!({
            "resourceType": "DocumentReference",
            "meta": {"profile": ["https://interop.esante.gouv.fr/ig/fhir/pdsm/StructureDefinition/pdsm-simplified-publish"]},
            "masterIdentifier": {"system": "urn:ietf:rfc:3986", "value": unique_id},
            "status": "current",
            "type": {"coding": [{"system": system, "code": code.attribute("code").unwrap()}]},
            "subject": subject,
            "author": [{"identifier": {"system": "urn:oid:1.2.250.1.71.4.2.1", "value": "801234534765"}}],
            "securityLabel": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "N"}]}],
            "content": [{"attachment": {
                "contentType": if wrapped { "application/xslt+xml" } else { "text/xml" },
                "language": "fr-FR",
                "data": BASE64.encode(bytes),
                "size": bytes.len(),
                "hash": BASE64.encode(openssl::sha::sha1(bytes)),
                "title": "Compte rendu",
            }}],
        });
        Self { body, unique_id }
    }

    /// Changes one element, named by its JSON pointer.
    pub(crate) fn with(mut self, pointer: &str, value: impl Into<Value>) -> Self {
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        let parent = self.body.pointer_mut(parent).unwrap_or_else(|| panic!("{pointer}"));
        match parent {
            Value::Array(items) => items[name.parse::<usize>().unwrap()] = value.into(),
            other => other[name] = value.into(),
        }
        self
    }

    /// Replaces the file, and its hash and size with it.
    pub(crate) fn with_file(self, bytes: &[u8]) -> Self {
        self.with("/content/0/attachment/data", BASE64.encode(bytes))
            .with("/content/0/attachment/size", bytes.len())
            .with("/content/0/attachment/hash", BASE64.encode(openssl::sha::sha1(bytes)))
    }

    /// Sends it.
    pub(crate) fn by(&self, actor: &Actor) -> Answer {
        actor.post("DocumentReference", &self.body)
    }

    /// Sends it; it must be filed as new.
    #[track_caller]
    pub(crate) fn filed_by(&self, actor: &Actor) -> Value {
        self.by(actor).expect(201)
    }
}

/// A small laboratory report (CR-BIO 2024.01) of this project's own.
pub(crate) struct Report {
    person: Person,
    number: u32,
    version: u32,
    results: Vec<(String, String, String, String)>,
}

impl Report {
    /// Of this person; `number` makes its ids.
    pub(crate) fn of(person: &Person, number: u32) -> Self {
        Self { person: *person, number, version: 1, results: Vec::new() }
    }

    /// Which version of the report.
    pub(crate) fn version(mut self, version: u32) -> Self {
        self.version = version;
        self
    }

    /// One more result: LOINC code, value, unit, and the time as CDA writes it.
    pub(crate) fn result(mut self, code: &str, value: &str, unit: &str, time: &str) -> Self {
        self.results.push((code.into(), value.into(), unit.into(), time.into()));
        self
    }

    /// The document.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut rows = String::new();
        let mut observations = String::new();
        for (index, (code, value, unit, time)) in self.results.iter().enumerate() {
            write!(rows, r#"<tr><td ID="r{index}">Analyse {code}</td><td>{value} {unit}</td></tr>"#).unwrap();
            write!(
                observations,
                r##"<entryRelationship typeCode="COMP"><observation classCode="OBS" moodCode="EVN">
                <templateId root="1.3.6.1.4.1.19376.1.3.1.6"/><templateId root="1.2.250.1.213.1.1.3.80"/>
                <code code="{code}" codeSystem="2.16.840.1.113883.6.1"><originalText><reference value="#r{index}"/></originalText></code>
                <statusCode code="completed"/><effectiveTime value="{time}"/>
                <value xsi:type="PQ" value="{value}" unit="{unit}"/></observation></entryRelationship>"##
            )
            .unwrap();
        }
        let Person { oid, ins, family, given, birth_date, gender, birth_place } = self.person;
        let (number, version) = (self.number, self.version);
        let birth = birth_date.replace('-', "");
        let sex = if gender == "female" { "F" } else { "M" };
        let professional = r#"<id root="1.2.250.1.71.4.2.1" extension="801234534765"/>
            <code code="G15_10/SM03" displayName="Médecin - Biologie médicale (SM)" codeSystem="1.2.250.1.213.1.1.4.5"/>
            <addr nullFlavor="NASK"/><telecom nullFlavor="NASK"/>
            <assignedPerson><name><family>CAMPARINI</family><given>Marcel</given></name></assignedPerson>
            <representedOrganization><id root="1.2.250.1.71.4.2.2" extension="1120459876"/><name>Laboratoire des charmes</name>
            <standardIndustryClassCode code="AMBULATOIRE" displayName="Ambulatoire" codeSystem="1.2.250.1.213.1.1.4.9"/></representedOrganization>"#;
        format!(
            r#"<?xml version="1.0" encoding="UTF-8"?>
<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:lab="urn:oid:1.3.6.1.4.1.19376.1.3.2" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
<realmCode code="FR"/><typeId root="2.16.840.1.113883.1.3" extension="POCD_HD000040"/>
<templateId root="2.16.840.1.113883.2.8.2.1"/><templateId root="1.2.250.1.213.1.1.1.1"/>
<templateId root="1.3.6.1.4.1.19376.1.3.3"/><templateId root="1.2.250.1.213.1.1.1.55"/>
<id root="1.2.250.1.213.1.1.1.55.2026.{number}.{version}"/>
<code code="11502-2" displayName="CR d'examens biologiques" codeSystem="2.16.840.1.113883.6.1"/>
<title>Compte rendu d'examens biologiques</title><effectiveTime value="20260402100000+0200"/>
<confidentialityCode code="N" displayName="Normal" codeSystem="2.16.840.1.113883.5.25"/><languageCode code="fr-FR"/>
<setId root="1.2.250.1.213.1.1.1.55.2026.{number}"/><versionNumber value="{version}"/>
<recordTarget><patientRole><id extension="{ins}" root="{oid}"/><addr nullFlavor="NASK"/><telecom nullFlavor="NASK"/>
<patient classCode="PSN"><name><family qualifier="BR">{family}</family><given>{given}</given><given qualifier="BR">{given}</given></name>
<administrativeGenderCode code="{sex}" codeSystem="2.16.840.1.113883.5.1"/><birthTime value="{birth}"/>
<birthplace><place><addr><county>{birth_place}</county></addr></place></birthplace></patient></patientRole></recordTarget>
<author><time value="20260402100000+0200"/><assignedAuthor>{professional}</assignedAuthor></author>
<custodian><assignedCustodian><representedCustodianOrganization><id root="1.2.250.1.71.4.2.2" extension="1120459876"/>
<name>Laboratoire des charmes</name></representedCustodianOrganization></assignedCustodian></custodian>
<legalAuthenticator><time value="20260402100000+0200"/><signatureCode code="S"/><assignedEntity>{professional}</assignedEntity></legalAuthenticator>
<documentationOf><serviceEvent><id root="1.2.250.1.213.1.1.9" extension="{number}"/>
<code code="18719-5" displayName="Biochimie" codeSystem="2.16.840.1.113883.6.1"/><lab:statusCode code="completed"/>
<effectiveTime><low value="20260402080000+0200"/><high value="20260402095500+0200"/></effectiveTime>
<performer typeCode="PRF"><templateId root="1.3.6.1.4.1.19376.1.3.3.1.7"/><assignedEntity>{professional}</assignedEntity></performer>
</serviceEvent></documentationOf>
<componentOf><encompassingEncounter><code code="AMB" codeSystem="2.16.840.1.113883.5.4"/><effectiveTime><low value="20260402080000+0200"/></effectiveTime>
<location><healthCareFacility><code code="SA25" displayName="Laboratoire de biologie médicale" codeSystem="1.2.250.1.71.4.2.4"/></healthCareFacility></location>
</encompassingEncounter></componentOf>
<component><structuredBody><component><section><templateId root="1.3.6.1.4.1.19376.1.3.3.2.1"/><templateId root="1.2.250.1.213.1.1.2.70"/>
<code code="18719-5" displayName="Biochimie" codeSystem="2.16.840.1.113883.6.1"/><title>BIOCHIMIE</title>
<text><table><tbody>{rows}</tbody></table></text>
<entry typeCode="DRIV"><templateId root="1.3.6.1.4.1.19376.1.3.1"/><templateId root="1.2.250.1.213.1.1.3.21"/>
<act classCode="ACT" moodCode="EVN"><code code="18719-5" displayName="Biochimie" codeSystem="2.16.840.1.113883.6.1"/><statusCode code="completed"/>
{observations}</act></entry></section></component></structuredBody></component></ClinicalDocument>"#
        )
        .into_bytes()
    }

    /// A deposit of it.
    pub(crate) fn deposit(&self) -> Deposit {
        Deposit::of(&self.bytes())
    }
}
