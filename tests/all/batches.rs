//! Bundles of type batch: each entry for itself. <https://hl7.org/fhir/R4/http.html#transaction>
use crate::harness::people::Kind;
use crate::harness::server::BLOCKED;
use crate::harness::server::on_both_with;
use crate::harness::{CHILD, PAT_TROIS, on_both};
use crate::transactions::{Desk, bundle, entry, named, post, statuses};
use serde_json::{Value, json};

const A: &str = "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0";

fn batch(desk: &Desk, entries: Vec<Value>) -> Value {
    let answer = desk.doctor.post("", &bundle("batch", entries)).expect(200);
    assert_eq!(answer["type"], "batch-response");
    answer
}

#[test]
fn every_entry_is_answered_at_its_place_and_a_failure_is_its_own() {
    on_both(|world| {
        let desk = Desk::of(world);
        let id = desk.stored("here");
        let invalid = desk.observation("invalid", "status", json!("nonsense"));
        let answer = batch(
            &desk,
            vec![
                post(desk.plain("first")),
                post(invalid),
                entry("GET", "Observation/nowhere", None),
                entry("GET", &format!("Observation/{id}"), None),
                entry("DELETE", &format!("Observation/{id}"), None),
                json!({"request": {"method": "POST", "url": "Observation"}}),
                entry("GET", "Nothing?x=1", None),
                post(desk.plain("last")),
            ],
        );
        let found = statuses(&answer);
        assert_eq!([&found[..5], &found[6..]].concat(), ["201", "422", "404", "200", "204", "404", "201"]);
        assert!(found[5].starts_with('4'), "{found:?}");
        for failed in [1, 2, 5, 6] {
            let response = &answer["entry"][failed]["response"];
            assert_eq!(response["outcome"]["resourceType"], "OperationOutcome", "{failed}");
            assert!(answer["entry"][failed]["resource"].is_null());
        }
        let expression = &answer["entry"][1]["response"]["outcome"]["issue"][0]["expression"][0];
        assert_eq!(expression, "Bundle.entry[1].resource.status");
        assert_eq!(answer["entry"][3]["resource"]["id"], id);
        assert_eq!((desk.count("first"), desk.count("last"), desk.count("here")), (1, 1, 0));
    });
}

#[test]
fn a_faulty_resource_fails_its_entry_alone_in_xml_too() {
    on_both(|world| {
        let desk = Desk::of(world);
        let observation = |identifier: &str, more: &str| {
            format!(
                r#"<entry><resource><Observation><identifier><system value="urn:oid:1.2.3"/><value value="{identifier}"/></identifier>
                {more}<code><coding><system value="http://loinc.org"/><code value="4548-4"/></coding></code>
                <subject><reference value="Patient/{}"/></subject></Observation></resource>
                <request><method value="POST"/><url value="Observation"/></request></entry>"#,
                desk.patient
            )
        };
        let status = r#"<status value="final"/>"#;
        let send = |kind: &str, entries: &[String]| {
            let body = format!(r#"<Bundle xmlns="http://hl7.org/fhir"><type value="{kind}"/>{}</Bundle>"#, entries.concat());
            let headers = [("Content-Type", "application/fhir+xml"), ("Accept", "application/fhir+json")];
            desk.doctor.send("POST", "", &headers, body.into_bytes())
        };
        let entries = [
            observation("first", status),
            observation("unknown-element", r#"<status value="final"/><nothing value="1"/>"#),
            observation("wrong-code", r#"<status value="nonsense"/>"#),
            observation("twice", r#"<status value="final"/><status value="final"/>"#),
            observation("last", status),
        ];
        let answer = send("batch", &entries).expect(200);
        assert_eq!(statuses(&answer), ["201", "422", "422", "422", "201"]);
        let expression = |index: usize| answer["entry"][index]["response"]["outcome"]["issue"][0]["expression"][0].clone();
        assert_eq!(expression(1), "Bundle.entry[1].resource.nothing");
        assert_eq!(expression(2), "Bundle.entry[2].resource.status");
        for (identifier, count) in [("first", 1), ("unknown-element", 0), ("wrong-code", 0), ("twice", 0), ("last", 1)] {
            assert_eq!(desk.count(identifier), count, "{identifier}");
        }
        // What is wrong beside the resources, or in a transaction, is wrong of the whole.
        let outside = entries[0].replace("<request>", "<request><nothing value=\"1\"/>");
        send("batch", &[outside, entries[4].clone()]).refuses(422, "", None);
        send("transaction", &[entries[0].clone(), entries[1].clone()]).refuses(422, "", None);
        assert_eq!(desk.count("first"), 1);
    });
}

#[test]
fn an_empty_segment_of_a_path_leads_nowhere() {
    on_both(|world| {
        let desk = Desk::of(world);
        for path in ["/Patient", "Observation//_history", "Patient//", "/"] {
            desk.doctor.get(path).refuses(404, "not-found", None);
        }
        desk.doctor.get(&format!("Patient/{}/", desk.patient)).expect(200);
    });
}

#[test]
fn entries_do_not_refer_to_each_other() {
    on_both(|world| {
        let desk = Desk::of(world);
        let refers = desk.observation("refers", "hasMember", json!([{"reference": A}]));
        let answer = batch(&desk, vec![named(A, post(desk.plain("target"))), post(refers)]);
        assert_eq!(statuses(&answer), ["201", "422"]);
        let outcome = &answer["entry"][1]["response"]["outcome"];
        assert_eq!(outcome["issue"][0]["expression"][0], "Bundle.entry[1].resource.hasMember[0].reference");
        assert_eq!((desk.count("target"), desk.count("refers")), (1, 0));
    });
}

#[test]
fn a_bundle_inside_a_bundle_is_refused() {
    on_both(|world| {
        let desk = Desk::of(world);
        let inner = bundle("transaction", vec![post(desk.plain("inner"))]);
        let answer = batch(&desk, vec![entry("POST", "/", Some(inner.clone())), post(desk.plain("outer"))]);
        let found = statuses(&answer);
        assert!(found[0].starts_with('4'), "{found:?}");
        assert_eq!((found[1].as_str(), desk.count("inner"), desk.count("outer")), ("201", 0, 1));
        let answer = desk.transact(vec![entry("POST", "/", Some(inner)), post(desk.plain("outer2"))]);
        assert!((400..500).contains(&answer.status), "{}", answer.text());
        assert_eq!(desk.count("outer2"), 0);
    });
}

#[test]
fn an_empty_batch_is_no_error_and_a_long_one_is_413() {
    on_both_with(
        |options| options.bundle_entries_max = Some(3),
        |world| {
            let desk = Desk::of(world);
            assert!(batch(&desk, Vec::new())["entry"].is_null());
            let entries = |number: usize| (0..number).map(|_| entry("GET", "Observation/nowhere", None)).collect::<Vec<_>>();
            assert_eq!(statuses(&batch(&desk, entries(3))), ["404"; 3]);
            desk.doctor.post("", &bundle("batch", entries(4))).refuses(413, "too-long", Some("Bundle.entry"));
        },
    );
}

#[test]
fn each_entry_has_a_trace_of_its_own() {
    on_both(|world| {
        let desk = Desk::of(world);
        let id = desk.stored("traced");
        let before = world.trace_rows();
        let read = || entry("GET", &format!("Observation/{id}"), None);
        batch(&desk, vec![read(), entry("GET", "Observation/nowhere", None), read()]);
        assert_eq!(world.trace_rows(), before + 3);
    });
}

#[test]
fn what_the_caller_may_not_do_fails_alone_in_a_batch_and_everything_in_a_transaction() {
    on_both(|world| {
        let desk = Desk::of(world);
        let child = world.open_record(&CHILD).patient;
        let entries = || vec![entry("GET", &format!("Patient/{child}"), None), post(desk.plain("mine"))];
        let answer = batch(&desk, entries());
        assert_eq!(statuses(&answer), ["403", "201"]);
        let alone = desk.doctor.get(&format!("Patient/{child}"));
        let outcome = &answer["entry"][0]["response"]["outcome"];
        assert_eq!(outcome["issue"][0]["diagnostics"], alone.json()["issue"][0]["diagnostics"], "the same rule");
        let refused = desk.transact(entries());
        refused.refuses(403, "", Some("Bundle.entry[0]"));
        assert_eq!(desk.count("mine"), 1);
    });
}

#[test]
fn the_question_whether_a_person_has_a_record_counts_once_for_each_entry() {
    on_both_with(
        |options| options.existence_per_minute = Some(3),
        |world| {
            let desk = Desk::of(world);
            let asks = |number: usize| {
                let url = format!("Patient?identifier={}", CHILD.token());
                (0..number).map(|_| entry("GET", &url, None)).collect::<Vec<_>>()
            };
            let answer = batch(&desk, asks(4));
            assert_eq!(statuses(&answer), ["200", "200", "200", "429"]);
            world.general_practitioner().post("", &bundle("transaction", asks(2))).refuses(429, "", None);
        },
    );
}

#[test]
fn a_consent_of_a_batch_holds_for_the_next_entry() {
    on_both(|world| {
        let patient = world.open_record_for_practitioner(&PAT_TROIS).patient;
        let own = world.patient(&PAT_TROIS);
        let consent = PAT_TROIS.consent(Kind::Blocage, Some(crate::harness::people::professional(BLOCKED)));
        let answer =
            own.post("", &bundle("batch", vec![post(consent), entry("GET", &format!("Patient/{patient}"), None)])).expect(200);
        assert_eq!(statuses(&answer), ["201", "200"]);
        assert_eq!(world.blocked().get(&format!("Patient/{patient}")).status, 403);
    });
}
