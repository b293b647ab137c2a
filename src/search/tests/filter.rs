//! `_filter`, `_list`, and chains onto conditions that bodies decide.
use super::{World, check};
use serde_json::{Value, json};

fn observation(id: &str, code: &str, value: &str, date: &str, more: Value) -> Value {
    let mut body = json!({"resourceType": "Observation", "id": id, "status": "final", "subject": {"reference": "Patient/p"},
        "code": {"coding": [{"system": "http://loinc.org", "code": code, "display": "Name"}], "text": format!("Text {code}")},
        "effectiveDateTime": date, "meta": {"lastUpdated": "2026-11-24T10:00:00Z", "source": "http://a.example/b/c"}});
    body["valueQuantity"] = serde_json::from_str(&format!("{{\"value\": {value}}}")).unwrap();
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

fn filed() -> World {
    World::new(vec![
        json!({"resourceType": "Patient", "id": "p", "gender": "female", "name": [{"family": "Durand", "given": ["Zoé"]}],
            "telecom": [{"system": "phone", "value": "01"}]}),
        json!({"resourceType": "Practitioner", "id": "d", "name": [{"family": "Martin", "given": ["Anne"]}]}),
        observation("a", "1-1", "5", "2026-01-01", json!({"performer": [{"reference": "Practitioner/d"}]})),
        observation("b", "2-2", "9", "2026-02-01", json!({"device": {"display": "x"}, "note": [{"text": "Élévation (forte)"}]})),
        observation("c", "2-2", "12", "2026-03-01", json!({"status": "amended", "hasMember": [{"reference": "Observation/a"}]})),
        json!({"resourceType": "Observation", "id": "e", "status": "final", "code": {"text": "Rien"}, "focus": [{"reference": "Observation/a"}]}),
        json!({"resourceType": "List", "id": "l", "entry": [{"item": {"reference": "Observation/a"}}, {"item": {"reference": "Observation/c"}},
            {"item": {"reference": "Patient/p"}}, {"item": {"reference": "Observation/gone"}}]}),
        json!({"resourceType": "ValueSet", "id": "v", "compose": {"include": [{"system": "http://loinc.org", "concept": [{"code": "2-2"}]}]}}),
    ])
}

#[test]
fn each_comparison_of_a_filter_says_what_r4_says() {
    check(
        &filed(),
        &[
            ("Observation?_filter=code eq http://loinc.org|1-1", &["a"]),
            ("Observation?_filter=code eq 2-2", &["b", "c"]),
            ("Observation?_filter=code ne 2-2", &["a"]),
            ("Observation?_filter=code in ValueSet/v", &["b", "c"]),
            ("Observation?_filter=value-quantity gt 5", &["b", "c"]),
            ("Observation?_filter=value-quantity ge 9", &["b", "c"]),
            ("Observation?_filter=value-quantity lt 9", &["a"]),
            ("Observation?_filter=value-quantity le 9", &["a", "b"]),
            ("Observation?_filter=value-quantity ne 9", &["a", "c"]),
            ("Observation?_filter=value-quantity ap 9.5", &["b"]),
            ("Observation?_filter=date eq 2026-02", &["b"]),
            ("Observation?_filter=date sa 2026-01", &["b", "c"]),
            ("Observation?_filter=date eb 2026-02", &["a"]),
            ("Observation?_filter=date po 2026-02", &["b"]),
            ("Observation?_filter=date pr true", &["a", "b", "c"]),
            ("Observation?_filter=date pr false", &["e"]),
            ("Observation?_filter=subject re Patient/p", &["a", "b", "c"]),
            ("Observation?_filter=performer eq Practitioner/d", &["a"]),
            ("Observation?_filter=_id eq a", &["a"]),
            ("Observation?_filter=_id ne a", &["b", "c", "e"]),
            ("Observation?_filter=_lastUpdated po 2026-11-24", &["a", "b", "c"]),
            ("Observation?_filter=_source sw http://a.example", &["a", "b", "c"]),
            ("Observation?_filter=_source ss http://a.example/b", &["a", "b", "c"]),
            ("Observation?_filter=_source sb http://a.example/b", &[]),
            ("Observation?_filter=_source sb http://a.example/b/c/d", &["a", "b", "c"]),
            ("Observation?_filter=_source co \"b/\"", &["a", "b", "c"]),
            ("Patient?_filter=family eq durand", &["p"]),
            ("Patient?_filter=family eq dur", &[]),
            ("Patient?_filter=family sw dur", &["p"]),
            ("Patient?_filter=family ew AND", &["p"]),
            ("Patient?_filter=given co oe", &["p"]),
            ("Patient?_filter=family ne durand", &[]),
        ],
    );
}

#[test]
fn and_or_and_not_bind_from_left_to_right() {
    check(
        &filed(),
        &[
            ("Observation?_filter=code eq 1-1 or code eq 2-2 and status eq amended", &["c"]),
            ("Observation?_filter=code eq 1-1 or (code eq 2-2 and status eq amended)", &["a", "c"]),
            ("Observation?_filter=not (code eq 2-2)", &["a", "e"]),
            ("Observation?_filter=not(code eq 2-2) and (date pr true)", &["a"]),
            ("Observation?_filter=((((code eq 1-1))))", &["a"]),
            ("Observation?code=2-2&_filter=value-quantity gt 10 or performer pr true", &["c"]),
        ],
    );
}

#[test]
fn a_path_of_a_filter_may_lead_to_another_resource_under_any_word() {
    check(
        &filed(),
        &[
            ("Observation?_filter=subject.gender eq female and code eq 1-1", &["a"]),
            ("Observation?_filter=not (performer.family eq \"martin\")", &["b", "c", "e"]),
            ("Observation?_filter=performer.family co art or has-member.code eq 1-1", &["a", "c"]),
            ("Observation?_filter=subject.family eq dupont", &[]),
        ],
    );
}

#[test]
fn what_is_no_filter_is_refused_without_being_repeated() {
    let world = filed();
    let deep = format!("{}code eq 1-1{}", "(".repeat(20), ")".repeat(20));
    let long = vec!["code eq 1-1"; 101].join(" and ");
    for filter in [
        "",
        "code",
        "code eq",
        "code eq 1 and",
        "code xx 1",
        "(code eq 1",
        "code eq 1)",
        "not code eq 1",
        "nothing eq 1",
        "code gt 1",
        "code eq \"1",
        "code-value-quantity eq 1-1",
        "code eq 1 code eq 2",
        "subject[gender eq female].family eq x",
        "date pr maybe",
        "code:not eq 1",
        "value-quantity co 5",
        &deep,
        &long,
    ] {
        let refusal = world.refusal(&format!("Observation?_filter={filter}"));
        assert_eq!(refusal.status(), 400, "{filter}");
    }
}

#[test]
fn a_list_gives_its_items_of_the_type() {
    check(
        &filed(),
        &[
            ("Observation?_list=l", &["a", "c"]),
            ("Observation?_list=l&code=2-2", &["c"]),
            ("Observation?_list=absent", &[]),
            ("Patient?_list=l", &["p"]),
        ],
    );
    assert!(filed().exact("Observation?_list=l"));
    assert_eq!(filed().refusal("Observation?_list=$current-problems").status(), 400);
}

#[test]
fn what_stands_behind_a_chain_may_be_decided_on_bodies() {
    let world = filed();
    check(
        &world,
        &[
            ("Observation?subject:Patient.telecom:missing=false&code=1-1", &["a"]),
            ("Observation?subject:Patient.telecom:missing=true", &[]),
            ("Observation?subject:Patient.family:contains=uran&code=2-2", &["b", "c"]),
            ("Observation?performer:Practitioner.name:contains=rti", &["a"]),
            ("Observation?performer.name:exact=Anne", &["a"]),
            ("Observation?has-member.code:text=text 1", &["c"]),
            ("Patient?_has:Observation:patient:device:missing=false", &["p"]),
            ("Patient?_has:Observation:patient:code:text=rien", &[]),
            ("Observation?subject:Patient._has:Observation:patient:code=1-1&code=2-2", &["b", "c"]),
            ("Observation?subject:Patient._has:Observation:patient:performer.name:contains=arti&code=2-2", &["b", "c"]),
            ("Patient?_has:Observation:patient:has-member.code:text=text", &["p"]),
            ("Observation?subject:Patient._filter=family co uran&code=1-1", &["a"]),
            ("Observation?has-member._list=l", &["c"]),
        ],
    );
    assert!(world.exact("Observation?subject:Patient.telecom:missing=false"), "the outer statement is exact");
}

#[test]
fn a_chain_without_a_type_goes_through_every_type_that_has_the_parameter() {
    check(&filed(), &[("Observation?focus.code=1-1", &["e"]), ("Observation?focus.code=2-2", &[])]);
    assert_eq!(filed().refusal("Observation?focus.nothing=1").status(), 400);
}

#[test]
fn a_chain_is_at_most_four_links_long() {
    let world = filed();
    let chain = |links: usize| format!("Observation?{}code=1-1", "has-member:Observation.".repeat(links));
    assert!(world.parse(&chain(4), None, false).is_ok());
    assert_eq!(world.refusal(&chain(5)).status(), 400);
    let has = |links: usize| format!("Observation?{}code=1-1", "_has:Observation:has-member:".repeat(links));
    assert!(world.parse(&has(4), None, false).is_ok());
    assert_eq!(world.refusal(&has(5)).status(), 400);
}
