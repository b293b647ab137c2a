//! What a query asks of the answer, and what is refused.
use super::{COUNT_DEFAULT, COUNT_MAX, RECORD, Sort, Summary, Total, World};
use crate::clock::Millis;
use crate::fhir::IssueKind;
use crate::search::{MatchContext, Predicate};
use crate::search::{compare, included, revincluded};
use serde_json::json;

fn empty() -> World {
    World::new(Vec::new())
}

#[test]
fn an_unknown_parameter_or_modifier_is_refused() {
    for query in [
        "Observation?foo=1",
        "Observation?name=x",
        "Patient?name:foo=x",
        "Observation?date:exact=2024",
        "Observation?code.text=a",
        "Observation?subject:Foo=1",
        "Observation?_query=a",
        "Location?near=47.2|-1.5|10|km",
        "Observation?_sort=foo",
        "Observation?_include=Observation:code",
        "Observation?_include=Foo:bar",
        "Observation?_contained=true",
        "Observation?_has:Foo:bar:code=1",
        "Observation?subject.foo=1",
        "Observation?:missing=true",
        "Observation?_id:missing.a=true",
        "Observation?_sort=code-value-quantity",
    ] {
        assert_eq!(empty().refusal(query).kind(), IssueKind::ParameterUnknown, "{query}");
    }
}

#[test]
fn a_value_that_its_type_does_not_allow_is_refused_and_not_repeated() {
    for query in [
        "Patient?birthdate=23.May.2009",
        "Observation?date=2024-01-01T10",
        "Observation?date=SECRET",
        "Observation?value-quantity=SECRET",
        "Observation?value-quantity=5|a|b|SECRET",
        "Observation?subject=SE CRET",
        "Observation?subject=Foo/SECRET",
        "Observation?subject=Patient/SECRET/1",
        "Observation?code=a|b|SECRET",
        "Observation?code=",
        "Observation?code=SECRET,",
        "Observation?code=|",
        "Observation?date:missing=SECRET",
        "Observation?_count=-1",
        "Observation?_count=SECRET",
        "Observation?_total=SECRET",
        "Observation?_summary=SECRET",
        "Observation?_lastUpdated=SECRET",
        "Observation?_id=SE/CRET",
        "Observation?_type=SECRET",
        "Observation?code-value-quantity=SECRET",
        "Observation?code-value-quantity=a$b$SECRET",
        "Observation?_revinclude=*",
        "RiskAssessment?probability=1,SECRET",
        "Observation?specimen.collected=SECRET",
    ] {
        let problem = empty().refusal(query);
        assert_eq!(problem.kind(), IssueKind::ParameterInvalid, "{query}");
        assert_eq!(problem.status(), 400);
        let name = query.split(['?', '=']).nth(1).unwrap();
        assert!(problem.to_string().contains(name), "{query}: {problem}");
        assert!(!problem.to_string().contains("SECRET"), "{query}: {problem}");
    }
}

#[test]
fn every_fault_of_a_query_is_told_at_once() {
    let problem = empty().refusal("Observation?date=x&foo=1&code=a");
    assert_eq!(problem.issues().count(), 2);
}

#[test]
fn a_parameter_has_at_most_100_values() {
    let values = |count: usize| format!("Observation?code={}", vec!["a"; count].join(","));
    assert!(empty().parse(&values(100), None, false).is_ok());
    assert_eq!(empty().refusal(&values(101)).kind(), IssueKind::ParameterInvalid);
}

#[test]
fn a_chain_has_at_most_four_links() {
    let world = empty();
    assert!(world.parse("Observation?has-member:Observation.has-member:Observation.code=1", None, false).is_ok());
    let long = format!("Observation?{}code=1", "has-member:Observation.".repeat(5));
    assert_eq!(world.refusal(&long).kind(), IssueKind::ParameterUnknown);
}

#[test]
fn lenient_leaves_out_what_it_does_not_know_and_says_so() {
    let query = empty().parse("Observation?foo=1&code=a&name:x=2&_pretty=true", None, true).unwrap();
    assert_eq!(query.self_parameters, [("code".to_owned(), "a".to_owned())]);
    let said: Vec<_> = query
        .ignored
        .iter()
        .map(|issue| (issue.kind, issue.diagnostics.contains("foo") || issue.diagnostics.contains("name:x")))
        .collect();
    assert_eq!(said, [(IssueKind::ParameterIgnored, true); 2]);
    assert!(empty().parse("Observation?date=x", None, true).is_err());
}

#[test]
fn count_total_summary_and_elements_are_read() {
    let parse = |text: &str| empty().parse(text, None, false).unwrap();
    assert_eq!(parse("Observation?").count, COUNT_DEFAULT);
    assert_eq!(parse("Observation?_count=5000").count, COUNT_MAX);
    assert_eq!(parse("Observation?_count=0").count, 0);
    assert_eq!(parse("Observation?_total=accurate").total, Total::Accurate);
    assert_eq!(parse("Observation?").total, Total::None);
    assert_eq!(parse("Observation?_summary=count").summary, Summary::Count);
    assert_eq!(parse("Observation?_elements=code,status").elements, ["code", "status"]);
}

#[test]
fn sorting_uses_the_clinical_date_the_time_of_change_ranges_or_bodies() {
    let world = empty();
    let sort = |text: &str| world.parse(text, None, false).unwrap().plan.sort;
    assert_eq!(sort("Observation?_sort=-date"), [Sort::ClinicalDate { descending: true }]);
    assert_eq!(sort("Observation?_sort=_lastUpdated"), [Sort::Updated { descending: false }]);
    assert!(matches!(sort("Observation?_sort=value-quantity")[..], [Sort::Range { descending: false, .. }]));
    assert_eq!(
        sort("Observation?_sort=status,-code"),
        [Sort::Body { parameter: "status", descending: false }, Sort::Body { parameter: "code", descending: true }]
    );
    assert_eq!(sort("Observation?"), []);
}

#[test]
fn bodies_are_ordered_by_every_key_and_what_has_none_comes_last() {
    let world = World::new(vec![
        json!({"resourceType": "Observation", "id": "a", "status": "final", "effectiveDateTime": "2024-01-01"}),
        json!({"resourceType": "Observation", "id": "b", "status": "amended", "effectiveDateTime": "2024-01-02"}),
        json!({"resourceType": "Observation", "id": "c", "status": "amended", "effectiveDateTime": "2024-01-03"}),
        json!({"resourceType": "Observation", "id": "d"}),
    ]);
    let order = |text: &str| {
        let query = world.parse(text, None, false).unwrap();
        let context = MatchContext { local: &|_| None, pid: RECORD, time_zone: &world.zone, linked: None };
        let observations = world.stored.iter().filter(|stored| stored.resource_type == query.resource_type);
        let mut all: Vec<_> = observations.map(|stored| &stored.body).collect();
        all.sort_by(|a, b| compare(&query, a, b, &context));
        all.iter().map(|body| body["id"].as_str().unwrap()).collect::<String>()
    };
    assert_eq!(order("Observation?_sort=status,-date"), "cbad");
    assert_eq!(order("Observation?_sort=status,date"), "bcad");
    assert_eq!(order("Observation?_sort=-status"), "abcd");
    assert_eq!(order("Observation?_sort=-_id"), "dcba");
    assert_eq!(order("Observation?"), "cbad");
}

#[test]
fn the_time_of_an_event_is_bounded_by_its_date() {
    let bounds = |text: &str| {
        let bounds = empty().parse(text, None, false).unwrap().date_bounds("date");
        bounds.map(|(lo, hi)| (Millis(lo).instant(), Millis(hi).instant()))
    };
    let text = |lo: &str, hi: &str| Some((lo.to_owned(), hi.to_owned()));
    assert_eq!(bounds("AuditEvent?date=2024-03-14"), text("2024-03-13T23:00:00.000Z", "2024-03-14T23:00:00.000Z"));
    assert_eq!(
        bounds("AuditEvent?date=ge2024-03-14&date=lt2024-03-15"),
        text("2024-03-13T23:00:00.000Z", "2024-03-14T23:00:00.000Z")
    );
    assert_eq!(bounds("AuditEvent?date=2024-03-14,2024-03-16"), text("2024-03-13T23:00:00.000Z", "2024-03-16T23:00:00.000Z"));
    assert_eq!(bounds("AuditEvent?type=rest"), None);
}

#[test]
fn includes_name_their_references() {
    let world = World::new(vec![
        json!({"resourceType": "Observation", "id": "o", "subject": {"reference": "Patient/p/_history/1"}, "performer": [
            {"reference": "Practitioner/d"}, {"reference": "Organization/h"}, {"reference": "#c"}, {"identifier": {"value": "x"}}]}),
        json!({"resourceType": "Provenance", "id": "v", "target": [{"reference": "Observation/o"}]}),
    ]);
    let of = |text: &str| {
        let query = world.parse(text, None, false).unwrap();
        let observation = &world.stored[0];
        included(&query.includes[0], observation.resource_type, &observation.body)
    };
    assert_eq!(of("Observation?_include=Observation:performer"), ["Organization/h", "Practitioner/d"]);
    assert_eq!(of("Observation?_include=Observation:performer:Practitioner"), ["Practitioner/d"]);
    assert_eq!(of("Observation?_include=Observation:patient"), ["Patient/p"]);
    assert_eq!(of("Observation?_include=*"), ["Organization/h", "Patient/p", "Practitioner/d"]);
    assert_eq!(of("Observation?_include:iterate=Provenance:target"), Vec::<String>::new());

    let query = world.parse("Observation?_revinclude=Provenance:target", None, false).unwrap();
    let plan = revincluded(&query.revincludes[0], &[world.stored[0].place], RECORD).unwrap();
    assert_eq!(plan.resource_type, super::resource_type("Provenance"));
    assert!(plan.predicates.iter().all(|predicate| world.holds(predicate, &world.stored[1])));
    assert!(!plan.predicates.iter().any(|predicate| world.holds(predicate, &world.stored[0])));
}

#[test]
fn the_identifier_that_named_the_record_is_fulfilled_by_the_scope() {
    let world = World::new(vec![
        json!({"resourceType": "Observation", "id": "a", "subject": {"reference": "Patient/p"}}),
        json!({"resourceType": "Observation", "id": "l", "subject": {"identifier": {"system": "urn:oid:1.2", "value": "9"}}}),
        json!({"resourceType": "Observation", "id": "g", "subject": {"reference": "Group/g"}}),
    ]);
    let found = |text: &str| {
        let query = world.parse(text, Some(RECORD), false).unwrap();
        assert!(!query.plan.recheck, "{text}");
        let hits = world.stored.iter().filter(|stored| {
            let in_tables = query.plan.predicates.iter().all(|predicate| world.holds(predicate, stored));
            let linked = |predicate: &Predicate| world.holds(predicate, stored);
            let on_body = super::matches(&query, stored.resource_type, &stored.body, &world.match_context(stored, &linked));
            assert_eq!(in_tables, on_body, "{text}");
            in_tables
        });
        hits.map(|stored| stored.body["id"].as_str().unwrap()).collect::<String>()
    };
    // No Patient body says so here: that the record is this person's was found before.
    assert_eq!(found("Observation?patient.identifier=urn:oid:1.2|9"), "a");
    assert_eq!(found("Observation?subject:Patient.identifier=urn:oid:1.2|9"), "a");
    assert_eq!(found("Observation?patient:identifier=urn:oid:1.2|9"), "al");
    // A second name is not believed.
    assert_eq!(found("Observation?patient.identifier=urn:oid:1.2|9&subject:Patient.identifier=urn:oid:1.2|8"), "");
}
