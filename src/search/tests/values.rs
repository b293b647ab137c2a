//! Values, prefixes and modifiers of each type, as R4 3.1.1.4 and 3.1.1.5 say.
use super::{World, check, world};
use serde_json::{Value, json};

#[test]
fn dates_compare_as_intervals() {
    let period = |start: &str, end: &str| json!({"start": start, "end": end});
    let world = World::new(vec![
        json!({"resourceType": "Observation", "id": "y2024", "effectiveDateTime": "2024"}),
        json!({"resourceType": "Observation", "id": "day", "effectiveDateTime": "2024-03-14"}),
        json!({"resourceType": "Observation", "id": "minute", "effectiveDateTime": "2024-03-14T10:30:00+01:00"}),
        json!({"resourceType": "Observation", "id": "period", "effectivePeriod": period("2024-03-13", "2024-03-15")}),
        json!({"resourceType": "Observation", "id": "open", "effectivePeriod": {"start": "2024-03-20"}}),
        json!({"resourceType": "Observation", "id": "none"}),
    ]);
    check(
        &world,
        &[
            ("Observation?date=2024", &["y2024", "day", "minute", "period"]),
            ("Observation?date=eq2024-03-14", &["day", "minute"]),
            ("Observation?date=2024-03-14T10:30", &["minute"]),
            ("Observation?date=2024-03-14T10:30:00 01:00", &["minute"]),
            ("Observation?date=ne2024-03-14", &["y2024", "period", "open"]),
            ("Observation?date=gt2024-03-14", &["y2024", "period", "open"]),
            ("Observation?date=lt2024-03-14", &["y2024", "period"]),
            ("Observation?date=ge2024-03-14", &["y2024", "day", "minute", "period", "open"]),
            ("Observation?date=le2024-03-14", &["y2024", "day", "minute", "period"]),
            ("Observation?date=sa2024-03-14", &["open"]),
            ("Observation?date=sa2024-03-12", &["day", "minute", "period", "open"]),
            ("Observation?date=eb2024-03-14", &[]),
            ("Observation?date=eb2024-03-16", &["day", "minute", "period"]),
            ("Observation?date=ge2024-03-14&date=lt2024-03-15", &["y2024", "day", "minute", "period"]),
            ("Observation?date=2023,2024-03-14", &["day", "minute"]),
            ("Observation?date:missing=true", &["none"]),
            ("Observation?date:missing=false", &["y2024", "day", "minute", "period", "open"]),
        ],
    );
}

#[test]
fn about_a_date_is_a_tenth_of_the_time_since() {
    // From 2026-11-24 to 2024-03-14 are 985 days: 98 days on each side.
    let dates = ["2023-11-01", "2023-12-20", "2024-03-14", "2024-06-15", "2024-07-10"];
    let world = world("Observation", "effectiveDateTime", dates.map(|date| (date, json!(date))).to_vec());
    check(&world, &[("Observation?date=ap2024-03-14", &["2023-12-20", "2024-03-14", "2024-06-15"])]);
}

#[test]
fn numbers_have_the_precision_in_which_they_are_written() {
    let score = |value: &str| serde_json::from_str::<Value>(&format!("[{{\"probabilityDecimal\": {value}}}]")).unwrap();
    let values = ["99.4", "99.5", "100", "100.49", "100.5"];
    let world = world("RiskAssessment", "prediction", values.map(|value| (value, score(value))).to_vec());
    check(
        &world,
        &[
            ("RiskAssessment?probability=100", &["99.5", "100", "100.49"]),
            ("RiskAssessment?probability=100.0", &["100"]),
            ("RiskAssessment?probability=1e2", &["99.4", "99.5", "100", "100.49", "100.5"]),
            ("RiskAssessment?probability=1.0e2", &["99.4", "99.5", "100", "100.49", "100.5"]),
            ("RiskAssessment?probability=1.00e2", &["99.5", "100", "100.49"]),
            ("RiskAssessment?probability=ne100", &["99.4", "100.5"]),
            ("RiskAssessment?probability=gt100", &["100.49", "100.5"]),
            ("RiskAssessment?probability=ge100", &["100", "100.49", "100.5"]),
            ("RiskAssessment?probability=lt100", &["99.4", "99.5"]),
            ("RiskAssessment?probability=le100", &["99.4", "99.5", "100"]),
            ("RiskAssessment?probability=sa100", &["100.49", "100.5"]),
            ("RiskAssessment?probability=eb100", &["99.4", "99.5"]),
            ("RiskAssessment?probability=ap110", &["99.4", "99.5", "100", "100.49", "100.5"]),
            ("RiskAssessment?probability=ap90.4", &["99.4"]),
        ],
    );
}

fn quantity(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn quantities_compare_across_units_of_ucum() {
    let ucum = |value: &str, code: &str| {
        quantity(&format!(r#"{{"value": {value}, "unit": "{code}", "system": "http://unitsofmeasure.org", "code": "{code}"}}"#))
    };
    let world = world(
        "Observation",
        "valueQuantity",
        vec![
            ("126mg/dL", ucum("126", "mg/dL")),
            ("1.26g/L", ucum("1.26", "g/L")),
            ("7mmol/L", ucum("7.0", "mmol/L")),
            ("5.4", quantity(r#"{"value": 5.40, "unit": "mg/dL"}"#)),
            ("own", quantity(r#"{"value": 5.4, "system": "urn:oid:1.2.3", "code": "UI/L"}"#)),
            ("cells", ucum("7", "10*9/L")),
            ("37Cel", ucum("37.0", "Cel")),
        ],
    );
    check(
        &world,
        &[
            ("Observation?value-quantity=126|http://unitsofmeasure.org|mg/dL", &["126mg/dL", "1.26g/L"]),
            ("Observation?value-quantity=1.26|http://unitsofmeasure.org|g/L", &["126mg/dL", "1.26g/L"]),
            ("Observation?value-quantity=gt1.2|http://unitsofmeasure.org|g/L", &["126mg/dL", "1.26g/L"]),
            ("Observation?value-quantity=lt1.26|http://unitsofmeasure.org|g/L", &[]),
            ("Observation?value-quantity=le1.26|http://unitsofmeasure.org|g/L", &["126mg/dL", "1.26g/L"]),
            ("Observation?value-quantity=lt9999|http://unitsofmeasure.org|mmol/L", &["7mmol/L"]),
            ("Observation?value-quantity=310.15|http://unitsofmeasure.org|K", &["37Cel"]),
            ("Observation?value-quantity=5.4", &["5.4", "own"]),
            ("Observation?value-quantity=5.4||mg/dL", &["5.4"]),
            ("Observation?value-quantity=gt100||mg/dL", &["126mg/dL"]),
            ("Observation?value-quantity=5.4|urn:oid:1.2.3|UI/L", &["own"]),
            ("Observation?value-quantity=7", &["7mmol/L", "cells"]),
            ("Observation?combo-value-quantity=ap7", &["7mmol/L", "cells"]),
        ],
    );
    assert!(world.exact("Observation?value-quantity=5.4|urn:oid:1.2.3|UI/L"));
    assert!(world.exact("Observation?value-quantity=gt1|http://unitsofmeasure.org|g/L"));
    assert!(!world.exact("Observation?value-quantity=5.4||mg/dL"));
}

#[test]
fn a_comparator_makes_a_half_open_measure() {
    let world = world(
        "Observation",
        "valueQuantity",
        vec![
            ("<5", quantity(r#"{"value": 5, "comparator": "<"}"#)),
            ("<=5", quantity(r#"{"value": 5, "comparator": "<="}"#)),
            (">5", quantity(r#"{"value": 5, "comparator": ">"}"#)),
            (">=5", quantity(r#"{"value": 5, "comparator": ">="}"#)),
            ("5", quantity(r#"{"value": 5}"#)),
        ],
    );
    check(
        &world,
        &[
            ("Observation?value-quantity=5", &["5"]),
            ("Observation?value-quantity=gt5", &[">5", ">=5"]),
            ("Observation?value-quantity=ge5", &["<=5", ">5", ">=5", "5"]),
            ("Observation?value-quantity=lt5", &["<5", "<=5"]),
            ("Observation?value-quantity=gt3", &["<5", "<=5", ">5", ">=5", "5"]),
            ("Observation?value-quantity=sa5", &[">5"]),
            ("Observation?value-quantity=eb5", &["<5"]),
            ("Observation?value-quantity=lt1", &["<5", "<=5"]),
        ],
    );
}

#[test]
fn the_translation_of_a_measure_counts_as_the_measure() {
    let world = world(
        "Observation",
        "valueQuantity",
        vec![(
            "both",
            json!({"value": 7.0, "system": "http://unitsofmeasure.org", "code": "mmol/L", "extension": [{
                "url": "http://hl7.org/fhir/StructureDefinition/iso21090-PQ-translation",
                "valueQuantity": {"value": 1.26, "system": "http://unitsofmeasure.org", "code": "g/L"}}]}),
        )],
    );
    check(
        &world,
        &[
            ("Observation?value-quantity=7.0|http://unitsofmeasure.org|mmol/L", &["both"]),
            ("Observation?value-quantity=126|http://unitsofmeasure.org|mg/dL", &["both"]),
            ("Observation?value-quantity=1.26", &["both"]),
            ("Observation?value-quantity=8", &[]),
        ],
    );
}

#[test]
fn tokens_are_found_by_system_and_code() {
    let coding = |coding: Value| json!({"coding": [coding]});
    let world = world(
        "Observation",
        "code",
        vec![
            (
                "loinc",
                json!({"coding": [{"system": "http://loinc.org", "code": "2345-7", "display": "Glucose"}], "text": "Glycémie"}),
            ),
            ("other", coding(json!({"system": "http://snomed.info/sct", "code": "2345-7"}))),
            ("bare", coding(json!({"code": "2345-7"}))),
            ("two", json!({"coding": [{"system": "http://loinc.org", "code": "1-8"}, {"system": "urn:oid:1.2", "code": "GLY"}]})),
            ("text", json!({"text": "glycemie a jeun"})),
            ("none", Value::Null),
        ],
    );
    check(
        &world,
        &[
            ("Observation?code=2345-7", &["loinc", "other", "bare"]),
            ("Observation?code=http://loinc.org|2345-7", &["loinc"]),
            ("Observation?code=|2345-7", &["bare"]),
            ("Observation?code=http://loinc.org|", &["loinc", "two"]),
            ("Observation?code=urn:oid:1.2|gly", &["two"]),
            ("Observation?code=http://loinc.org|2345-7,urn:oid:1.2|GLY", &["loinc", "two"]),
            ("Observation?code=1-8&code=GLY", &["two"]),
            ("Observation?code:not=2345-7", &["two", "text", "none"]),
            ("Observation?code:not=2345-7,GLY", &["text", "none"]),
            ("Observation?code:not=http://loinc.org|", &["other", "bare", "text", "none"]),
            ("Observation?code:text=glycemie", &["loinc", "text"]),
            ("Observation?code:text=GLUC", &["loinc"]),
            ("Observation?code:missing=true", &["none"]),
            ("Observation?combo-code=1-8", &["two"]),
        ],
    );
    for exact in ["code=2345-7", "code=a|b", "code=|b", "code:not=b", "code=a,b|c"] {
        assert!(world.exact(&format!("Observation?{exact}")), "{exact}");
    }
    for narrowing in ["code=a|", "code:text=b", "code:missing=true", "code=a,b|", "code:not=b|"] {
        assert!(!world.exact(&format!("Observation?{narrowing}")), "{narrowing}");
    }
}

#[test]
fn a_plain_code_has_the_system_of_its_value_set() {
    let world = world("Observation", "status", vec![("final", json!("final")), ("amended", json!("amended"))]);
    check(
        &world,
        &[
            ("Observation?status=final", &["final"]),
            ("Observation?status=http://hl7.org/fhir/observation-status|final", &["final"]),
            ("Observation?status=http://loinc.org|final", &[]),
            ("Observation?status=http://hl7.org/fhir/observation-status|", &["final", "amended"]),
            ("Observation?status:not=final", &["amended"]),
        ],
    );
}

#[test]
fn booleans_identifiers_and_contacts_are_tokens() {
    let world = World::new(vec![
        json!({"resourceType": "Patient", "id": "p", "active": true, "deceasedDateTime": "2020",
            "identifier": [{"system": "urn:oid:1.2.250.1.213.1.4.8", "value": "279035121518989",
                "type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "NH"}], "text": "INS"}}],
            "telecom": [{"system": "phone", "value": "0102030405"}, {"system": "email", "value": "A@b.example"}]}),
        json!({"resourceType": "Patient", "id": "q", "active": false}),
    ]);
    let nh = "http://terminology.hl7.org/CodeSystem/v2-0203";
    check(
        &world,
        &[
            ("Patient?active=true", &["p"]),
            ("Patient?active=false", &["q"]),
            ("Patient?deceased=true", &["p"]),
            ("Patient?deceased=false", &["q"]),
            ("Patient?telecom=0102030405", &["p"]),
            ("Patient?telecom=phone|0102030405", &["p"]),
            ("Patient?telecom=email|0102030405", &[]),
            ("Patient?telecom=|0102030405", &["p"]),
            ("Patient?telecom=phone|", &["p"]),
            ("Patient?email=a@b.example", &["p"]),
            ("Patient?phone=a@b.example", &[]),
            (&format!("Patient?identifier:of-type={nh}|NH|279035121518989"), &["p"]),
            (&format!("Patient?identifier:of-type={nh}|MR|279035121518989"), &[]),
            ("Patient?identifier:text=ins", &["p"]),
        ],
    );
}

#[test]
fn strings_begin_alike_without_case_and_accents() {
    let name = |family: &str, given: &str| json!([{"family": family, "given": [given], "text": format!("{given} {family}")}]);
    let world = world(
        "Patient",
        "name",
        vec![
            ("a", name("Durand-Élie", "Zoé")),
            ("b", name("Durandal", "Anne")),
            ("c", json!([{"given": ["Durance", "Zoe"]}])),
            ("d", name("de la Tour, Dupin", "Éric")),
        ],
    );
    check(
        &world,
        &[
            ("Patient?family=durand", &["a", "b"]),
            ("Patient?family=DURAND ELIE", &["a"]),
            ("Patient?name=dur", &["a", "b", "c"]),
            ("Patient?name=zoe", &["a", "c"]),
            ("Patient?given=zoe,anne", &["a", "b", "c"]),
            ("Patient?name=zoe&name=durance", &["c"]),
            ("Patient?family:exact=Durandal", &["b"]),
            ("Patient?family:exact=durandal", &[]),
            ("Patient?given:exact=Zoe", &["c"]),
            ("Patient?family:contains=elie", &["a"]),
            ("Patient?family=elie", &["a"]),
            ("Patient?family=lie", &[]),
            ("Patient?name=dupin", &["d"]),
            ("Patient?phonetic=tour", &["d"]),
            ("Patient?family:exact=Élie", &[]),
            (r"Patient?family=de la Tour\, Du", &["d"]),
        ],
    );
    assert!(world.exact("Patient?family=durand"));
    assert!(!world.exact("Patient?family:exact=durand"));
    assert!(!world.exact("Patient?family:contains=durand"));
}

#[test]
fn a_mime_type_is_found_without_its_parameters() {
    let attachment = |mime: &str| json!([{"attachment": {"contentType": mime}}]);
    let documents = vec![
        ("plain", attachment("text/xml")),
        ("charset", attachment("text/xml; charset=UTF-8")),
        ("pdf", attachment("application/pdf")),
    ];
    let world = world("DocumentReference", "content", documents);
    check(
        &world,
        &[
            ("DocumentReference?contenttype=text/xml", &["plain"]),
            ("DocumentReference?contenttype:below=text/xml", &["plain", "charset"]),
            ("DocumentReference?contenttype:below=text", &["plain", "charset"]),
            ("DocumentReference?contenttype:below=tex", &[]),
        ],
    );
}

#[test]
fn a_string_without_rows_is_decided_on_bodies() {
    let texts = vec![("a", json!("Rares bacilles")), ("b", json!("absence"))];
    let world = world("Observation", "valueString", texts);
    check(&world, &[("Observation?value-string=rares", &["a"]), ("Observation?value-string:contains=enc", &["b"])]);
    assert!(!world.exact("Observation?value-string=rares"));
}
