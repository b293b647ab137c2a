//! Tables and bodies agree on generated resources and queries: `World::find` compares the two on every resource.
use super::World;
use crate::fhir::interaction::Parameters;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

fn codings() -> impl Strategy<Value = Value> {
    let coding = (select(vec![None, Some("http://loinc.org"), Some("urn:oid:1.2")]), select(vec!["A", "b", "B", "1-8"]));
    prop::collection::vec(coding, 0..3).prop_map(|codings| {
        let codings: Vec<Value> = codings.into_iter().map(|(system, code)| json!({"system": system, "code": code})).collect();
        let mut concept = json!({"coding": codings, "text": "Glycémie"});
        concept["coding"].as_array_mut().unwrap().iter_mut().for_each(|coding| {
            coding.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        });
        concept
    })
}

fn quantity() -> impl Strategy<Value = Value> {
    let number = select(vec!["5", "5.0", "5.4", "50", "0.05", "-1", "1e2"]);
    let unit = select(vec!["mg/dL", "g/L", "mmol/L", "UI/L", "Cel", "K"]);
    let comparator = select(vec![None, None, Some("<"), Some(">="), Some(">"), Some("<=")]);
    (number, unit, comparator, any::<bool>()).prop_map(|(number, unit, comparator, coded)| {
        let mut quantity: Value = serde_json::from_str(&format!("{{\"value\": {number}, \"unit\": \"{unit}\"}}")).unwrap();
        if coded {
            quantity["system"] = json!("http://unitsofmeasure.org");
            quantity["code"] = json!(unit);
        }
        if let Some(comparator) = comparator {
            quantity["comparator"] = json!(comparator);
        }
        quantity
    })
}

const DATES: [&str; 6] = ["2024", "2024-03", "2024-03-14", "2024-03-14T10:30:00+01:00", "2023-12-31T23:30:00Z", "2025-01-01"];

fn effective() -> impl Strategy<Value = (&'static str, Value)> {
    prop_oneof![
        select(DATES.to_vec()).prop_map(|date| ("effectiveDateTime", json!(date))),
        select(DATES.to_vec()).prop_map(|date| ("effectivePeriod", json!({"start": date}))),
        select(DATES.to_vec()).prop_map(|date| ("effectivePeriod", json!({"end": date}))),
        Just(("note", json!([]))),
    ]
}

fn reference() -> impl Strategy<Value = Value> {
    prop_oneof![
        select(vec![
            "Patient/p",
            "Patient/other",
            "Group/g",
            "https://dmp.example/fhir/Patient/p",
            "urn:uuid:1",
            "Patient/p/_history/2",
            "#a"
        ])
        .prop_map(|text| json!({"reference": text})),
        Just(json!({"identifier": {"system": "urn:oid:1.2", "value": "9"}, "type": "Patient"})),
        Just(json!({"identifier": {"system": "urn:oid:1.2", "value": "9"}, "type": "Group"})),
    ]
}

fn observation() -> impl Strategy<Value = Value> {
    let component = (codings(), quantity()).prop_map(|(code, quantity)| json!({"code": code, "valueQuantity": quantity}));
    let parts = (
        codings(),
        quantity(),
        effective(),
        reference(),
        prop::collection::vec(component, 0..3),
        select(vec!["final", "amended"]),
    );
    parts.prop_map(|(code, quantity, (date, value), subject, component, status)| {
        let mut body = json!({"resourceType": "Observation", "id": "o", "status": status, "code": code, "valueQuantity": quantity,
            "subject": subject, "component": component, "meta": {"lastUpdated": "2026-11-24T10:00:00.000Z"}});
        body[date] = value;
        body
    })
}

fn condition() -> impl Strategy<Value = String> {
    let prefix = || select(vec!["", "eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"]);
    let token = || select(vec!["A", "a", "B", "|A", "http://loinc.org|A", "urn:oid:1.2|b", "http://loinc.org|", "1-8,B", "none"]);
    let unit = || {
        select(vec![
            "",
            "|http://unitsofmeasure.org|mg/dL",
            "|http://unitsofmeasure.org|g/L",
            "||UI/L",
            "|http://unitsofmeasure.org|UI/L",
            "|http://unitsofmeasure.org|K",
        ])
    };
    let number = || select(vec!["5", "5.4", "0.05", "50", "1e2", "100", "278.15"]);
    prop_oneof![
        (select(vec!["code", "code:not", "combo-code", "component-code", "status", "status:not"]), token())
            .prop_map(|(name, value)| format!("{name}={value}")),
        select(vec![
            "status=final",
            "status=http://hl7.org/fhir/observation-status|amended",
            "code:missing=true",
            "code:text=gly"
        ])
        .prop_map(str::to_owned),
        (prefix(), select(DATES.to_vec())).prop_map(|(prefix, date)| format!("date={prefix}{date}")),
        (prefix(), select(DATES.to_vec())).prop_map(|(prefix, date)| format!("_lastUpdated={prefix}{date}")),
        (select(vec!["value-quantity", "combo-value-quantity"]), prefix(), number(), unit())
            .prop_map(|(name, prefix, number, unit)| format!("{name}={prefix}{number}{unit}")),
        (
            select(vec!["code-value-quantity", "component-code-value-quantity", "combo-code-value-quantity"]),
            select(vec!["A", "|A", "http://loinc.org|A", "urn:oid:1.2|B"]),
            prefix(),
            number(),
            unit()
        )
            .prop_map(|(name, code, prefix, number, unit)| format!("{name}={code}${prefix}{number}{unit}")),
        select(vec![
            "subject=Patient/p",
            "subject=p",
            "patient=p",
            "subject=Group/g",
            "subject=Patient/other",
            "subject=urn:uuid:1",
            "subject:Patient=p",
            "subject:Group=g",
            "patient=Group/g",
            "subject:identifier=urn:oid:1.2|9,1",
            "patient:identifier=urn:oid:1.2|9,1",
            "subject:identifier=9,1",
            "subject:missing=false",
            "patient:missing=true"
        ])
        .prop_map(str::to_owned),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn tables_and_bodies_agree(bodies in prop::collection::vec(observation(), 1..6), conditions in prop::collection::vec(condition(), 1..3)) {
        let world = World::new(bodies);
        world.find(&format!("Observation?{}", conditions.join("&")));
    }
}

const NAMES: [&str; 22] = [
    "code",
    "code:not",
    "code:of-type",
    "code:text",
    "date",
    "value-quantity",
    "subject",
    "subject:identifier",
    "subject:Patient",
    "patient.identifier",
    "_has:Provenance:target:recorded",
    "performer.name",
    "code-value-quantity",
    "component-code-value-concept",
    "_id",
    "_lastUpdated",
    "_profile:below",
    "_text",
    "_sort",
    "_include",
    "_count",
    "value-string:contains",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn any_text_is_read_or_refused_without_being_repeated(
        name in prop_oneof![3 => select(NAMES.to_vec()).prop_map(str::to_owned), 1 => "[a-z_:.]{0,20}"],
        value in prop_oneof!["\\PC{0,40}", "(eq|gt|ap|)[-0-9.e|$,T:Z+]{0,20}", "[a-z|$,\\\\/:.#%]{0,30}"],
    ) {
        let world = World::new(vec![json!({"resourceType": "Observation", "id": "o", "code": {"text": value}, "valueString": value,
            "effectiveDateTime": value, "subject": {"reference": value, "identifier": {"system": value, "value": value}},
            "meta": {"lastUpdated": "2026-11-24T10:00:00Z", "profile": [value]}})]);
        for pid in [None, Some(super::RECORD)] {
            let parameters = Parameters(vec![(name.clone(), value.clone())]);
            if let Err(problem) = world.parse_parameters("Observation", &parameters, pid, false) {
                let told = problem.to_string();
                prop_assert_eq!(problem.status(), 400);
                prop_assert!(value.len() < 9 || name.contains(&value) || name.starts_with("_sort") || !told.contains(&value), "{}", told);
            }
        }
    }
}
