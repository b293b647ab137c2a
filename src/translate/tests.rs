//! What the golden cases in `tests/golden/cda` cannot show: the DocumentReference, the account, the narrative.
use super::{DepositedFile, IssueCode, Reason, account_parameters, document_reference, translate};
use crate::cda;
use crate::fhir::Resource;
use serde_json::{Value, json};

const AUTHOR: &str = r#"<assignedAuthor><id root="1.2.250.1.71.4.2.1" extension="801234534765"/>
    <assignedPerson><name><family>CAMPARINI</family></name></assignedPerson></assignedAuthor>"#;
const SIGNER: &str = r#"<assignedEntity><id root="1.2.250.1.71.4.2.1" extension="801234534765"/>
    <assignedPerson><name><family>CAMPARINI</family></name></assignedPerson></assignedEntity>"#;
const SURROUNDINGS: &str = r#"<documentationOf><serviceEvent><effectiveTime><low value="20240104092200+0100"/></effectiveTime>
    <performer><assignedEntity><representedOrganization><name>Labo</name>
    <standardIndustryClassCode code="AMBULATOIRE" codeSystem="1.2.250.1.213.1.1.4.9"/></representedOrganization></assignedEntity></performer>
    </serviceEvent></documentationOf><componentOf><encompassingEncounter><location><healthCareFacility>
    <code code="SA25" codeSystem="1.2.250.1.71.4.2.4"/></healthCareFacility></location></encompassingEncounter></componentOf>"#;

fn document(template: &str, header: &str, section: &str) -> cda::Document {
    cda::parse(document_text(template, header, section).as_bytes()).unwrap()
}

fn document_text(template: &str, header: &str, section: &str) -> String {
    format!(
        r#"<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
           <templateId root="1.2.250.1.213.1.1.1.{template}"/><id root="1.2.3" extension="A-1"/>
           <code code="11502-2" codeSystem="2.16.840.1.113883.6.1"/><title>Compte rendu</title>
           <effectiveTime value="20240104160527+0100"/><languageCode code="fr-FR"/>
           <recordTarget><patientRole><id root="1.2.250.1.213.1.4.10" extension="279035121518989"/>
             <patient><name><family qualifier="BR">PAT</family><given qualifier="BR">DOMINIQUE</given></name>
             <administrativeGenderCode code="F"/><birthTime value="19790328"/></patient></patientRole></recordTarget>{header}
           <component><structuredBody><component><section>{section}</section></component></structuredBody></component>
           </ClinicalDocument>"#
    )
}

fn reference(template: &str, header: &str) -> (Resource, Vec<IssueCode>) {
    let file = DepositedFile { size: 12, sha1_base64: "qvTGHdzF6KLavt4PO0gs2a6pQ00=".into() };
    let (reference, issues) = document_reference(&document(template, header, ""), &file);
    (reference, issues.into_iter().map(|issue| issue.code).collect())
}

fn complete() -> String {
    let signature = r#"<time value="20240104"/><signatureCode code="S"/>"#;
    format!("<author>{AUTHOR}</author><legalAuthenticator>{signature}{SIGNER}</legalAuthenticator>{SURROUNDINGS}")
}

#[test]
fn a_complete_header_gives_a_comprehensive_document_reference() {
    let (reference, issues) = reference("55", &complete());
    assert_eq!(issues, []);
    let reference = Value::Object(reference);
    let profile = "https://interop.esante.gouv.fr/ig/fhir/pdsm/StructureDefinition/pdsm-comprehensive-document-reference";
    assert_eq!(reference["meta"]["profile"], json!([profile]));
    assert_eq!(reference["masterIdentifier"], json!({"system": "urn:oid:1.2.3", "value": "A-1"}));
    assert_eq!(reference["category"][0]["coding"][0]["code"], "10");
    assert_eq!(reference["content"][0]["format"]["code"], "urn:ihe:lab:xd-lab:2008");
    let attachment = json!({"contentType": "text/xml", "language": "fr-FR", "url": "urn:dmp-fhir:original", "size": 12,
        "hash": "qvTGHdzF6KLavt4PO0gs2a6pQ00=", "title": "Compte rendu", "creation": "2024-01-04T16:05:27+01:00"});
    assert_eq!(reference["content"][0]["attachment"], attachment);
    assert_eq!(reference["context"]["period"], json!({"start": "2024-01-04T09:22:00+01:00"}));
    assert_eq!(reference["context"]["facilityType"]["coding"][0]["code"], "SA25");
    assert_eq!(reference["context"]["practiceSetting"]["coding"][0]["code"], "AMBULATOIRE");
    assert_eq!(reference["author"], reference["authenticator"].as_object().map(|who| json!([who])).unwrap());
    let patient = &reference["contained"][0];
    assert_eq!(patient["identifier"][0]["type"]["coding"][0]["code"], "INS-NIR-TEST");
    assert_eq!(patient["birthDate"], "1979-03-28");
    assert_eq!(patient["gender"], "female");
    assert_eq!(reference["docStatus"], Value::Null);
    assert_eq!(reference["subject"], json!({"reference": "urn:dmp-fhir:subject"}));
}

/// fr-core-patient and the profiles of its participants take no address or telecom without content.
#[test]
fn an_address_or_telecom_that_only_says_why_it_is_absent_is_not_in_a_claimed_profile() {
    let absent = r#"<addr nullFlavor="NASK"/><telecom nullFlavor="NASK"/>"#;
    let header = complete().replace("<assignedPerson>", &format!("{absent}<assignedPerson>"));
    let patient = r#"<id root="1.2.250.1.213.1.4.10" extension="279035121518989"/>"#;
    let text = document_text("55", &header, "").replace(patient, &format!("{patient}{absent}"));
    let document = cda::parse(text.as_bytes()).unwrap();
    let (reference, _) = document_reference(&document, &DepositedFile::default());
    let reference = Value::Object(reference);
    assert!(reference["meta"]["profile"][0].is_string());
    assert_eq!(reference["contained"].as_array().map(Vec::len), Some(3));
    for contained in reference["contained"].as_array().unwrap() {
        assert!(contained.get("address").is_none() && contained.get("telecom").is_none(), "{contained}");
    }
}

#[test]
fn a_class_that_is_not_known_is_left_out_and_the_profile_not_claimed() {
    let (reference, _) = reference("59", &complete());
    assert!(!reference.contains_key("category") && !reference.contains_key("meta"));
    let reference = Value::Object(reference);
    assert_eq!(reference["content"][0]["format"]["code"], "urn:ans:ci-sis:trod:2024");
}

#[test]
fn a_template_without_a_row_has_the_format_of_models_outside_the_profiles() {
    let (reference, _) = reference("999", "");
    let format = &Value::Object(reference)["content"][0]["format"];
    assert_eq!(format["code"], "urn:asipSante:modelesHorsProfils:2011");
    assert_eq!(
        format["system"],
        "https://mos.esante.gouv.fr/NOS/TRE_A06-FormatCodeComplementaire/FHIR/TRE-A06-FormatCodeComplementaire"
    );
}

#[test]
fn a_signer_who_is_no_professional_is_no_authenticator() {
    let signer = r#"<assignedEntity><id root="1.2.250.1.213.1.4.10" extension="155067200010159"/>
        <assignedPerson><name><family>AUTRE</family></name></assignedPerson></assignedEntity>"#;
    let header = format!("<author>{AUTHOR}</author><legalAuthenticator>{signer}</legalAuthenticator>{SURROUNDINGS}");
    let (reference, issues) = reference("55", &header);
    assert!(!reference.contains_key("authenticator") && !reference.contains_key("meta"));
    assert_eq!(issues, [IssueCode::IdentifierOfOther, IssueCode::AuthenticatorOther]);
    assert!(!Value::Object(reference).to_string().contains("155067200010159"));
}

#[test]
fn the_account_answers_with_references_and_reasons_in_document_order() {
    let observation = r#"<entry><observation classCode="OBS" moodCode="EVN"><templateId root="1.2.250.1.213.1.1.3.48"/>
        <code code="42349-1" codeSystem="2.16.840.1.113883.6.1"/><statusCode code="completed"/><value xsi:type="BL" value="true"/></observation></entry>
        <entry><act classCode="ACT" moodCode="EVN"><templateId root="1.2.250.1.213.1.1.3.9999"/><code nullFlavor="NA"/></act></entry>"#;
    let translation = translate(&document("55", "", observation));
    let parameters = Value::Object(account_parameters(&translation, |_| Some("Observation/1".into())));
    let path = "/ClinicalDocument/component[1]/structuredBody[1]/component[1]/section[1]";
    let expected = json!([
        {"name": "entry", "part": [{"name": "path", "valueString": format!("{path}/entry[1]/observation[1]/code[1]")},
            {"name": "target", "valueReference": {"reference": "Observation/1"}}]},
        {"name": "entry", "part": [{"name": "path", "valueString": format!("{path}/entry[2]/act[1]/code[1]")},
            {"name": "reason", "valueCode": "kind-not-translated-yet"}]}
    ]);
    assert_eq!(parameters["parameter"], expected);
    assert_eq!(translation.account[1].reason, Some(Reason::KindNotTranslatedYet));
}

#[test]
fn the_narrative_lets_nothing_through_but_its_closed_list() {
    let text = r##"<text><paragraph onclick="x()">a &lt;b&gt; &amp; c</paragraph><script>alert(1)</script>
        <linkHtml href="javascript:alert(1)">x</linkHtml><linkHtml href="https://ans.fr/ a">y</linkHtml>
        <list listType="ordered"><item><content ID="i1" styleCode="Bold">z</content></item></list>
        <table><tr><td colspan="2" style="x">t</td></tr></table><renderMultiMedia referencedObject="doc-1"/></text>"##;
    let translation = translate(&document("55", "", text));
    let composition = translation.entries.iter().find(|entry| entry.entry_path == "/ClinicalDocument#Composition").unwrap();
    let div = composition.resource["section"][0]["text"]["div"].as_str().unwrap();
    let tidy = div.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(
        tidy,
        "<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>a &lt;b&gt; &amp; c</p>alert(1) <a>x</a><a href=\"https://ans.fr/a\">y</a> \
         <ol><li><span id=\"i1\"><b>z</b></span></li></ol> <table><tr><td colspan=\"2\">t</td></tr></table><span>[doc-1]</span></div>"
    );
}

#[test]
fn a_document_of_level_one_is_a_media_and_its_bytes() {
    let text = r#"<ClinicalDocument xmlns="urn:hl7-org:v3"><id root="1.2.3"/><code code="18748-4" codeSystem="2.16.840.1.113883.6.1"/>
        <title>Radio</title><component><nonXMLBody><text mediaType="application/pdf" representation="B64">aGVsbG8=</text></nonXMLBody></component>
        </ClinicalDocument>"#;
    let translation = translate(&cda::parse(text.as_bytes()).unwrap());
    let types: Vec<&str> = translation.entries.iter().filter_map(|entry| entry.resource["resourceType"].as_str()).collect();
    assert_eq!(types, ["Binary", "Media", "Composition", "Provenance"]);
    assert_eq!(translation.entries[1].resource["content"]["url"], translation.entries[0].full_url);
    assert_eq!(translation.entries[1].resource["status"], "unknown");
    assert!(translation.account.is_empty());
}

/// Minutes, where each entry would look through its section again.
#[test]
fn a_section_of_very_many_entries_is_read_once() {
    let entry = r#"<entry><act moodCode="EVN"><statusCode code="active"/></act></entry>"#;
    let translation = translate(&document("55", "", &entry.repeat(60_000)));
    let types: Vec<&str> = translation.entries.iter().filter_map(|entry| entry.resource["resourceType"].as_str()).collect();
    assert_eq!(types, ["Composition", "Provenance"]);
}

#[test]
fn a_document_made_to_be_large_costs_no_more_than_its_size() {
    let validator = r#"<participant typeCode="AUTHEN"><participantRole><id root="1.2.250.1.71.4.2.1" extension="8012345ID"/></participantRole></participant>"#;
    let validators: String = (0..100).map(|n| validator.replace("ID", &format!("{n:05}"))).collect();
    let result = r##"<entryRelationship typeCode="COMP"><observation classCode="OBS" moodCode="EVN"><templateId root="1.2.250.1.213.1.1.3.80"/>
        <code code="1"><originalText><reference value="#big"/></originalText></code><statusCode code="completed"/></observation></entryRelationship>"##;
    let entry = format!(
        r#"<text><content ID="big">{}</content></text><entry><templateId root="1.2.250.1.213.1.1.3.21"/><act moodCode="EVN">
           <code code="1"/><statusCode code="completed"/>{validators}{}</act></entry>"#,
        "x".repeat(60_000),
        result.repeat(12_000)
    );
    let translation = translate(&document("55", "", &entry));
    assert!(translation.entries.len() <= 10_010, "{}", translation.entries.len());
    let largest = translation.entries.iter().filter(|entry| entry.resource["resourceType"] == "Observation");
    let largest = largest.map(|entry| entry.resource.get("performer").and_then(Value::as_array).map_or(0, Vec::len)).max();
    assert_eq!(largest, Some(32));
    let texts: usize =
        translation.entries.iter().filter_map(|entry| entry.resource.get("code")?.get("text")?.as_str()).map(str::len).sum();
    assert!(texts <= (32 << 20) + (64 << 10), "{texts}");
    assert_eq!(translation.account.len(), 12_001);
    assert_eq!(translation.account.last().unwrap().reason, Some(Reason::LimitReached));
}
