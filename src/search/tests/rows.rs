//! Which index rows a resource has.
use super::{IndexRows, World};
use crate::clock::Millis;
use serde_json::{Value, json};

fn lab_observation() -> Value {
    json!({
        "resourceType": "Observation", "id": "o",
        "meta": {"profile": ["https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-observation-laboratory"], "source": "urn:oid:1.2.3",
            "security": [{"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "N"}]},
        "identifier": [{"system": "urn:oid:1.2", "value": "4"}], "status": "final",
        "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "laboratory"}]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": "2345-7"}, {"system": "urn:oid:1.2.250.1.213.3", "code": "A"}]},
        "subject": {"reference": "Patient/p"}, "effectiveDateTime": "2024-03-14T08:00:00+01:00",
        "performer": [{"reference": "Practitioner/d"}], "specimen": {"reference": "Specimen/s"},
        "valueQuantity": {"value": 5.4, "unit": "mmol/L", "system": "http://unitsofmeasure.org", "code": "mmol/L"},
        "interpretation": [{"coding": [{"code": "N"}]}],
        "method": {"coding": [{"system": "urn:oid:1.2.250.1.213.4", "code": "M"}]},
        "referenceRange": [{"low": {"value": 3.9}, "high": {"value": 6.1}}]
    })
}

fn rows(body: Value) -> IndexRows {
    World::new(vec![body]).stored.remove(0).rows
}

#[test]
fn a_laboratory_result_has_about_thirty_rows() {
    let rows = rows(lab_observation());
    // type 1, profile 1, source 1, security 2, identifier 2, status 1, category 2, code 4, subject 1, performer 1,
    // specimen 1, method 2, code and time for what repeats it 1
    assert_eq!(rows.tokens.len(), 20);
    // date 1, value 2: as it is written, in its canonical unit
    assert_eq!(rows.ranges.len(), 3);
    assert_eq!(rows.texts.len(), 0);
}

#[test]
fn the_clinical_date_is_where_the_own_date_starts() {
    let ts = |body: Value| rows(body).ts;
    let instant = |body: Value| Millis(ts(body)).instant();
    assert_eq!(instant(lab_observation()), "2024-03-14T07:00:00.000Z");
    let period = |period: Value| json!({"resourceType": "Observation", "id": "o", "effectivePeriod": period});
    assert_eq!(instant(period(json!({"start": "2024-03-14", "end": "2024-03-20"}))), "2024-03-13T23:00:00.000Z");
    assert_eq!(instant(period(json!({"end": "2024-03-20"}))), "2024-03-20T22:59:59.999Z");
    assert_eq!(ts(json!({"resourceType": "Observation", "id": "o"})), IndexRows::NO_DATE);
    assert_eq!(ts(json!({"resourceType": "Observation", "id": "o", "effectiveDateTime": "soon"})), IndexRows::NO_DATE);
    assert_eq!(ts(json!({"resourceType": "Account", "id": "o"})), IndexRows::NO_DATE);
}

#[test]
fn rows_are_the_same_in_any_order_and_each_once() {
    let mut body = lab_observation();
    body["identifier"] = json!([{"system": "urn:oid:1.2", "value": "4"}, {"system": "urn:oid:1.2", "value": "4"}]);
    assert_eq!(rows(body), rows(lab_observation()));
}

#[test]
fn names_have_text_rows_without_accents() {
    let patient = json!({"resourceType": "Patient", "id": "p", "name": [{"family": "Élie", "given": ["Zoé", "Ève"]}]});
    let texts: Vec<String> = rows(patient).texts.into_iter().map(|(_, text)| text).collect();
    for (text, count) in [("elie", 3), ("zoe", 3), ("eve", 3)] {
        // name, family or given, phonetic
        assert_eq!(texts.iter().filter(|known| *known == text).count(), count, "{text}");
    }
}

#[test]
fn a_resource_of_any_shape_gives_rows_and_no_panic() {
    let odd = json!({"resourceType": "Observation", "id": "o", "code": 7, "subject": ["x", null, {"reference": 3}], "valueQuantity": "5",
        "effectivePeriod": {"start": 5}, "status": {"a": []}, "component": [null, {"code": [[]]}, 3], "meta": "x", "identifier": {}});
    rows(odd);
}
