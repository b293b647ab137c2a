//! Documents around the pieces in tests/golden/cda: for the golden cases and for the fuzzer.

const NARRATIVE: &str = r#"<text><table><tbody>
  <tr><td ID="name">Glucose à jeun</td><td ID="positive">positif</td><td ID="negative">négatif</td></tr>
  <tr><td ID="comment">Traitement immédiat</td><td ID="height">1,80 m</td></tr>
  <tr><td ID="dose">1 à 2 comprimés</td><td ID="often">toutes les 8 heures</td><td ID="dash">-</td></tr></tbody></table></text>"#;

/// A document with this piece in its place.
pub(crate) fn document(place: &str, piece: &str) -> String {
    match place.split(' ').collect::<Vec<_>>().as_slice() {
        ["act"] => laboratory_report("", &act(piece)),
        ["section"] => laboratory_report("", piece),
        ["report"] => laboratory_report(piece, &act("")),
        ["document"] => laboratory_report(piece, ""),
        ["section", code, templates @ ..] => {
            let templates: String = templates.iter().map(|root| format!(r#"<templateId root="{root}"/>"#)).collect();
            let code = format!(r#"<code code="{code}" codeSystem="2.16.840.1.113883.6.1"/>"#);
            whole("11", "", &format!("{templates}{code}<title>Section</title>{NARRATIVE}{piece}"))
        }
        other => panic!("no place {other:?}"),
    }
}

fn act(piece: &str) -> String {
    format!(
        r#"<entry typeCode="DRIV"><templateId root="1.2.250.1.213.1.1.3.21"/><act classCode="ACT" moodCode="EVN">
           <code code="18719-5" codeSystem="2.16.840.1.113883.6.1" displayName="Biochimie"/>
           <statusCode code="completed"/><effectiveTime value="20240103"/>{piece}</act></entry>"#
    )
}

fn laboratory_report(header: &str, entries: &str) -> String {
    let section = format!(
        r#"<templateId root="1.2.250.1.213.1.1.2.70"/><code code="18719-5" codeSystem="2.16.840.1.113883.6.1" displayName="Biochimie"/>
           <title>Biochimie</title>{NARRATIVE}{entries}"#
    );
    whole("55", header, &section)
}

fn whole(template: &str, header: &str, section: &str) -> String {
    format!(
        r#"<?xml version="1.0"?><ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
             xmlns:lab="urn:oid:1.3.6.1.4.1.19376.1.3.2" xmlns:pharm="urn:ihe:pharm">
           <templateId root="1.2.250.1.213.1.1.1.{template}"/><id root="1.2.3.4"/>
           <code code="11502-2" codeSystem="2.16.840.1.113883.6.1" displayName="CR d'examens biologiques"/>
           <title>Compte rendu</title><effectiveTime value="20240104160527+0100"/><languageCode code="fr-FR"/>
           <recordTarget><patientRole><id root="1.2.250.1.213.1.4.10" extension="279035121518989"/></patientRole></recordTarget>
           {header}
           <component><structuredBody><component><section>{section}</section></component></structuredBody></component></ClinicalDocument>"#
    )
}
