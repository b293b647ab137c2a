//! `:in`, `:not-in`, `:above`, `:below`, as R4 3.1.1.4.10 says, with value sets and code systems that are here.
use super::{World, check};
use serde_json::{Value, json};

const SYSTEM: &str = "https://terms.example/animals";

fn animals() -> Value {
    json!({"resourceType": "CodeSystem", "id": "animals", "url": SYSTEM, "version": "1", "status": "active", "content": "complete",
        "property": [{"code": "legs", "type": "integer"}],
        "concept": [
            {"code": "animal", "concept": [
                {"code": "mammal", "concept": [
                    {"code": "dog", "property": [{"code": "legs", "valueInteger": 4}]},
                    {"code": "whale"}]},
                {"code": "bird", "property": [{"code": "legs", "valueInteger": 2}]}]},
            {"code": "pet"},
            {"code": "puppy", "property": [{"code": "parent", "valueCode": "dog"}, {"code": "subsumedBy", "valueCode": "pet"}]}]})
}

fn value_set(id: &str, compose: Value) -> Value {
    json!({"resourceType": "ValueSet", "id": id, "url": format!("https://terms.example/{id}"), "status": "active", "compose": compose})
}

fn coded(id: &str, system: &str, code: &str) -> Value {
    json!({"resourceType": "Observation", "id": id, "status": "final", "code": {"coding": [{"system": system, "code": code}]}})
}

fn filter(operator: &str, property: &str, value: &str) -> Value {
    json!({"include": [{"system": SYSTEM, "filter": [{"property": property, "op": operator, "value": value}]}]})
}

fn terms() -> World {
    let mut bodies = vec![
        animals(),
        value_set("listed", json!({"include": [{"system": SYSTEM, "concept": [{"code": "dog"}, {"code": "bird"}]}]})),
        value_set("mammals", filter("is-a", "concept", "mammal")),
        value_set("below-mammal", filter("descendent-of", "concept", "mammal")),
        value_set("not-mammals", filter("is-not-a", "concept", "mammal")),
        value_set("over-dog", filter("generalizes", "concept", "dog")),
        value_set("four-legs", filter("=", "legs", "4")),
        value_set("legged", filter("exists", "legs", "true")),
        value_set("whole", json!({"include": [{"system": "https://terms.example/unknown"}]})),
        value_set(
            "whole-but",
            json!({"include": [{"system": "https://terms.example/unknown"}],
            "exclude": [{"system": "https://terms.example/unknown", "concept": [{"code": "y"}]}]}),
        ),
        value_set(
            "nested",
            json!({"include": [{"valueSet": ["https://terms.example/mammals"]}],
            "exclude": [{"valueSet": ["https://terms.example/listed"]}]}),
        ),
        value_set("both", json!({"include": [{"valueSet": ["https://terms.example/mammals", "https://terms.example/listed"]}]})),
        value_set("circle", json!({"include": [{"valueSet": ["https://terms.example/circle"]}]})),
        value_set(
            "unknown-filter",
            json!({"include": [{"system": "https://terms.example/unknown", "filter": [
            {"property": "concept", "op": "is-a", "value": "x"}]}]}),
        ),
        value_set("regex", filter("regex", "concept", ".*")),
    ];
    let mut expanded = value_set("expanded", json!({"include": [{"system": "https://terms.example/unknown"}]}));
    expanded["expansion"] = json!({"timestamp": "2026-01-01", "total": 2, "contains": [
        {"system": SYSTEM, "code": "animal", "abstract": true, "contains": [{"system": SYSTEM, "code": "bird"}]}]});
    bodies.push(expanded);
    for code in ["animal", "mammal", "dog", "whale", "bird", "puppy", "pet"] {
        bodies.push(coded(code, SYSTEM, code));
    }
    bodies.push(coded("x", "https://terms.example/unknown", "x"));
    bodies.push(coded("y", "https://terms.example/unknown", "y"));
    bodies.push(json!({"resourceType": "Observation", "id": "none", "status": "amended", "code": {"text": "dog"}}));
    World::new(bodies)
}

#[test]
fn a_code_is_in_a_value_set_by_list_filter_import_or_expansion() {
    check(
        &terms(),
        &[
            ("Observation?code:in=https://terms.example/listed", &["dog", "bird"]),
            ("Observation?code:in=ValueSet/listed", &["dog", "bird"]),
            ("Observation?code:in=https://terms.example/mammals", &["mammal", "dog", "whale", "puppy"]),
            ("Observation?code:in=https://terms.example/below-mammal", &["dog", "whale", "puppy"]),
            ("Observation?code:in=https://terms.example/not-mammals", &["animal", "bird", "pet"]),
            ("Observation?code:in=https://terms.example/over-dog", &["animal", "mammal", "dog"]),
            ("Observation?code:in=https://terms.example/four-legs", &["dog"]),
            ("Observation?code:in=https://terms.example/legged", &["dog", "bird"]),
            ("Observation?code:in=https://terms.example/nested", &["mammal", "whale", "puppy"]),
            ("Observation?code:in=https://terms.example/both", &["dog"]),
            ("Observation?code:in=https://terms.example/whole", &["x", "y"]),
            ("Observation?code:in=https://terms.example/whole-but", &["x"]),
            ("Observation?code:in=https://terms.example/expanded", &["bird"]),
            ("Observation?code:in=ValueSet/four-legs,ValueSet/expanded", &["dog", "bird"]),
        ],
    );
}

#[test]
fn not_in_is_everything_else_also_what_has_no_code() {
    check(
        &terms(),
        &[
            ("Observation?code:not-in=https://terms.example/mammals", &["animal", "bird", "pet", "x", "y", "none"]),
            (
                "Observation?code:not-in=https://terms.example/whole-but",
                &["animal", "mammal", "dog", "whale", "bird", "puppy", "pet", "y", "none"],
            ),
        ],
    );
}

#[test]
fn above_and_below_follow_nesting_and_the_properties_of_the_code_system() {
    check(
        &terms(),
        &[
            ("Observation?code:below=https://terms.example/animals|mammal", &["mammal", "dog", "whale", "puppy"]),
            ("Observation?code:below=https://terms.example/animals|pet", &["pet", "puppy"]),
            ("Observation?code:below=https://terms.example/animals|nothing", &[]),
            ("Observation?code:above=https://terms.example/animals|puppy", &["animal", "mammal", "dog", "puppy", "pet"]),
            ("Observation?code:above=https://terms.example/animals|bird", &["animal", "bird"]),
        ],
    );
}

#[test]
fn a_few_codes_are_exact_and_a_whole_system_is_decided_on_bodies() {
    let world = terms();
    assert!(world.exact("Observation?code:in=https://terms.example/mammals"));
    assert!(world.exact("Observation?code:not-in=https://terms.example/mammals"));
    assert!(world.exact("Observation?code:below=https://terms.example/animals|mammal"));
    assert!(!world.exact("Observation?code:in=https://terms.example/whole"));
    let many: Vec<Value> = (0..1001).map(|number| json!({"code": format!("c{number}")})).collect();
    let mut bodies = vec![value_set("many", json!({"include": [{"system": "s", "concept": many}]})), coded("in", "s", "c1000")];
    bodies.push(coded("out", "s", "c1001"));
    let world = World::new(bodies);
    assert!(!world.exact("Observation?code:in=https://terms.example/many"));
    check(&world, &[("Observation?code:in=https://terms.example/many", &["in"])]);
}

#[test]
fn what_cannot_be_evaluated_is_refused_without_being_named() {
    let world = terms();
    for value in [
        "https://terms.example/absent",
        "ValueSet/absent",
        "https://terms.example/listed|9",
        "https://terms.example/circle",
        "https://terms.example/unknown-filter",
        "https://terms.example/regex",
    ] {
        let refusal = world.refusal(&format!("Observation?code:in={value}"));
        assert_eq!(refusal.status(), 400, "{value}");
        assert!(!refusal.to_string().contains(value), "{refusal}");
    }
    for query in ["code:below=mammal", "code:below=https://terms.example/unknown|x", "code:above=|x", "date:in=ValueSet/listed"] {
        assert_eq!(world.refusal(&format!("Observation?{query}")).status(), 400, "{query}");
    }
    let many: Vec<Value> = (0..20_001).map(|number| json!({"code": format!("c{number}")})).collect();
    let world = World::new(vec![value_set("many", json!({"include": [{"system": "s", "concept": many}]}))]);
    let refusal = world.refusal("Observation?code:in=ValueSet/many");
    assert!(refusal.to_string().contains("20,000"), "{refusal}");
}

#[test]
fn a_part_of_a_whole_is_not_below_it() {
    let mut parts = animals();
    parts["hierarchyMeaning"] = json!("part-of");
    let world = World::new(vec![parts, coded("mammal", SYSTEM, "mammal"), coded("dog", SYSTEM, "dog")]);
    check(&world, &[("Observation?code:below=https://terms.example/animals|mammal", &["mammal"])]);
}
