//! `_filter`, `_list`, chains onto conditions that bodies decide, and includes that go on from what they bring.
use crate::harness::actor::{encoded, resources};
use crate::harness::people::Kind;
use crate::harness::server::{STRANGER, World};
use crate::harness::{CHILD, PAT_TROIS, Person, on_both};
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn id(created: &Value) -> String {
    created["id"].as_str().unwrap().to_owned()
}

fn create(world: &World, body: Value) -> String {
    let kind = body["resourceType"].as_str().unwrap().to_owned();
    id(&world.hospital_system().post(&kind, &body).expect(201))
}

fn observation(patient: &str, code: &str, value: f64, more: Value) -> Value {
    let mut body = json!({"resourceType": "Observation", "status": "final", "effectiveDateTime": "2026-05-01",
        "code": {"coding": [{"system": "http://loinc.org", "code": code}], "text": format!("Text {code}")},
        "subject": {"reference": format!("Patient/{patient}")}, "valueQuantity": {"value": value, "unit": "%"}});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

struct Filed {
    patient: String,
    first: String,
    second: String,
    panel: String,
    report: String,
}

/// Two results, a panel of the first, a report of the panel.
fn filed(world: &World, person: &Person) -> Filed {
    let patient = world.open_record_for_practitioner(person).patient;
    let first = create(world, observation(&patient, "1111-1", 5.0, json!({"device": {"display": "D"}})));
    let second = create(world, observation(&patient, "2222-2", 9.0, json!({"status": "amended"})));
    let member = json!({"hasMember": [{"reference": format!("Observation/{first}")}]});
    let panel = create(world, observation(&patient, "3333-3", 1.0, member));
    let report = create(
        world,
        json!({"resourceType": "DiagnosticReport", "status": "final", "code": {"text": "R"}, "subject": {"reference": format!("Patient/{patient}")},
            "result": [{"reference": format!("Observation/{panel}")}]}),
    );
    Filed { patient, first, second, panel, report }
}

fn ids(found: &[Value]) -> BTreeSet<String> {
    found.iter().map(id).collect()
}

fn set(ids: &[&String]) -> BTreeSet<String> {
    ids.iter().map(|id| (*id).clone()).collect()
}

#[test]
fn a_filter_joins_conditions_by_and_or_and_not() {
    on_both(|world| {
        let Filed { patient, first, second, panel, .. } = filed(world, &PAT_TROIS);
        let doctor = world.general_practitioner();
        let found = |filter: &str| ids(&doctor.search(&format!("Observation?patient={patient}&_filter={}", encoded(filter))));
        assert_eq!(found("code eq 1111-1 or status eq amended"), set(&[&first, &second]));
        assert_eq!(found("not (code eq 1111-1)"), set(&[&second, &panel]));
        assert_eq!(found("value-quantity gt 4 and value-quantity lt 6"), set(&[&first]));
        assert_eq!(found("device pr false and (date ge 2026 or code eq 1111-1)"), set(&[&second, &panel]));
        assert_eq!(found("has-member.code eq 1111-1 or code eq 2222-2"), set(&[&panel, &second]));
        assert_eq!(found("not (has-member.code eq http://loinc.org|1111-1)"), set(&[&first, &second]));
        assert_eq!(found("subject.family co \"TROI\" and code eq 2222-2"), set(&[&second]));
        for wrong in ["code", "code eq 1 and", "(code eq 1", "foo eq 1", "code gt 1", "subject[family eq a].given eq b"] {
            let answer = doctor.get(&format!("Observation?patient={patient}&_filter={}", encoded(wrong)));
            answer.refuses(400, "", None);
        }
    });
}

#[test]
fn a_filter_over_several_records_needs_a_bound_and_sees_the_callers_records_only() {
    on_both(|world| {
        let mine = filed(world, &PAT_TROIS);
        let filter = encoded("value-quantity gt 8 or status eq amended");
        let doctor = world.general_practitioner();
        assert_eq!(ids(&doctor.search(&format!("Observation?code=2222-2&_filter={filter}"))), set(&[&mine.second]));
        let exact = encoded("code eq 2222-2 and value-quantity gt 8");
        assert_eq!(ids(&doctor.search(&format!("Observation?_filter={exact}"))), set(&[&mine.second]));
        doctor.get(&format!("Observation?_filter={filter}")).refuses(400, "too-costly", None);
        assert!(world.stranger().search(&format!("Observation?code=2222-2&_filter={filter}")).is_empty());
    });
}

#[test]
fn pages_of_a_filter_hold() {
    on_both(|world| {
        let Filed { patient, first, panel, .. } = filed(world, &PAT_TROIS);
        let filter = encoded("code eq 1111-1 or has-member.code eq 1111-1");
        let pages = world.general_practitioner().pages(&format!("Observation?patient={patient}&_filter={filter}&_count=1"));
        assert_eq!(pages.len(), 2);
        assert_eq!(ids(&pages.iter().flat_map(resources).collect::<Vec<_>>()), set(&[&first, &panel]));
        assert!(pages.iter().all(|page| page["total"] == 2), "{pages:?}");
    });
}

#[test]
fn a_list_gives_its_items_to_who_sees_it() {
    on_both(|world| {
        let Filed { patient, first, second, panel, .. } = filed(world, &PAT_TROIS);
        let item = |id: &String| json!({"item": {"reference": format!("Observation/{id}")}});
        let mut entries = vec![item(&first), item(&second), item(&panel)];
        entries[2]["deleted"] = json!(true);
        entries.push(json!({"item": {"reference": format!("Patient/{patient}")}}));
        let list = create(
            world,
            json!({"resourceType": "List", "status": "current", "mode": "changes", "subject": {"reference": format!("Patient/{patient}")}, "entry": entries}),
        );
        let doctor = world.general_practitioner();
        assert_eq!(ids(&doctor.search(&format!("Observation?patient={patient}&_list={list}"))), set(&[&first, &second]));
        assert_eq!(ids(&doctor.search(&format!("Observation?patient={patient}&_list={list}&code=2222-2"))), set(&[&second]));
        assert_eq!(
            ids(&doctor.search(&format!("Observation?_list={list}"))),
            set(&[&first, &second]),
            "it names the record itself"
        );
        for hidden in [&list, &patient, &"unknown".to_owned()] {
            assert!(world.stranger().search(&format!("Observation?_list={hidden}")).is_empty(), "{hidden}");
        }
        doctor.get(&format!("Observation?patient={patient}&_list=$current-problems")).refuses(400, "", None);
    });
}

#[test]
fn a_chain_may_end_in_what_bodies_decide() {
    on_both(|world| {
        let Filed { patient, first, panel, report, .. } = filed(world, &PAT_TROIS);
        let doctor = world.general_practitioner();
        for (query, expected) in [
            (format!("Observation?patient={patient}&has-member.code:text=text%201111"), set(&[&panel])),
            (format!("Observation?patient={patient}&has-member.device:missing=false"), set(&[&panel])),
            (format!("Observation?patient={patient}&has-member.device:missing=true"), set(&[])),
            (format!("DiagnosticReport?patient={patient}&result.has-member.code:text=text"), set(&[&report])),
            (format!("Observation?patient={patient}&_has:Observation:has-member:code:text=text"), set(&[&first])),
            (format!("DiagnosticReport?patient={patient}&result._has:DiagnosticReport:result:code:text=r"), set(&[&report])),
            (format!("Observation?patient={patient}&subject:Patient.family:contains=ROIS&code=1111-1"), set(&[&first])),
            ("Observation?code=1111-1&subject:Patient.family:contains=ROIS".to_owned(), set(&[&first])),
            ("Observation?code=3333-3&has-member.code:text=text".to_owned(), set(&[])),
        ] {
            // The last one: what stands behind has no bound over several records.
            let answer = doctor.get(&query);
            if query.starts_with("Observation?code=3333") {
                answer.refuses(400, "too-costly", None);
            } else {
                assert_eq!(answer.status, 200, "{query}: {}", answer.text());
                assert_eq!(ids(&resources(&answer.json())), expected, "{query}");
            }
        }
    });
}

#[test]
fn what_stands_behind_is_seen_as_the_caller_sees_it() {
    on_both(|world| {
        let mine = filed(world, &PAT_TROIS);
        filed(world, &CHILD);
        world.consents(&PAT_TROIS, Kind::Autorisation, STRANGER).expect(201);
        let family = |name: &str| {
            let query = format!("Observation?code=1111-1&subject:Patient.family:contains={}", encoded(name));
            ids(&world.stranger().search(&query))
        };
        assert_eq!(family(PAT_TROIS.family.get(1..).unwrap()), set(&[&mine.first]));
        assert_eq!(family(CHILD.family.get(1..).unwrap()).difference(&set(&[&mine.first])).count(), 0);
    });
}

#[test]
fn includes_go_on_from_what_they_brought_where_they_say_iterate() {
    on_both(|world| {
        let Filed { patient, first, panel, report, .. } = filed(world, &PAT_TROIS);
        let doctor = world.general_practitioner();
        let brought = |query: &str| {
            let page = doctor.read(query);
            let entries = page["entry"].as_array().cloned().unwrap_or_default();
            let included = entries.iter().filter(|entry| entry["search"]["mode"] == "include");
            included.map(|entry| id(&entry["resource"])).collect::<BTreeSet<_>>()
        };
        let report_with = |includes: &str| brought(&format!("DiagnosticReport?patient={patient}&{includes}"));
        assert_eq!(report_with("_include=DiagnosticReport:result"), set(&[&panel]));
        assert_eq!(report_with("_include=DiagnosticReport:result&_include=Observation:has-member"), set(&[&panel]));
        assert_eq!(
            report_with("_include=DiagnosticReport:result&_include:iterate=Observation:has-member"),
            set(&[&panel, &first])
        );
        assert_eq!(report_with("_include=DiagnosticReport:*"), set(&[&patient, &panel]));
        assert_eq!(report_with("_include=DiagnosticReport:*:Observation"), set(&[&panel]));
        assert_eq!(report_with("_include:iterate=*"), set(&[&patient, &panel, &first]));
        let first_with = |includes: &str| brought(&format!("Observation?patient={patient}&code=1111-1&{includes}"));
        assert_eq!(first_with("_revinclude=Observation:has-member"), set(&[&panel]));
        assert_eq!(first_with("_revinclude=Observation:*"), set(&[&panel]));
        let on = "_revinclude=Observation:has-member&_revinclude:iterate=DiagnosticReport:result";
        assert_eq!(first_with(on), set(&[&panel, &report]));
        assert_eq!(
            first_with("_revinclude=Observation:has-member&_include:iterate=Observation:subject"),
            set(&[&panel, &patient])
        );
        assert_eq!(first_with("_revinclude=DiagnosticReport:result:Observation"), set(&[]));
        doctor.get(&format!("Observation?patient={patient}&_revinclude=*")).refuses(400, "", None);
    });
}
