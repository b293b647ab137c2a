//! The rules of R4's HTTP chapter that servers miss most: each with the test that proves it, or why it does not apply.
//!
//! The table names tests of this binary (`module::name`) and of the library (`lib` before it); a test checks that it is complete and
//! that each test exists. What no other test asks stands here.
use crate::harness::people::Kind;
use crate::harness::server::{STRANGER, World};
use crate::harness::{Actor, PAT_TROIS, on_both};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Rule | test, or `-` and the sentence why it does not apply.
const RULES: &str = "
H01 | formats::the_answer_has_the_format_that_is_asked_for
H02 | lib fhir::media_type::without_a_wish_the_answer_is_json
H03 | http_rules::a_body_of_another_type_is_415_and_a_wish_for_one_406
H04 | lib fhir::media_type::underscore_format_decides_over_accept
H05 | lib fhir::media_type::underscore_format_decides_over_accept
H06 | lib fhir::media_type::underscore_format_decides_over_accept
H07 | http_rules::two_versions_of_fhir_in_one_request_are_an_error
H08 | formats::every_error_is_an_operation_outcome
H09 | http_rules::urls_are_case_sensitive
H10 | http_rules::a_read_has_etag_last_modified_and_its_id_and_head_has_no_body
H11 | http_rules::a_read_has_etag_last_modified_and_its_id_and_head_has_no_body
H12 | interactions::a_deleted_resource_is_gone_and_its_author_brings_it_back
H13 | http_rules::a_fresh_copy_is_304_only_for_who_may_read
H14 | interactions::an_update_names_its_resource_in_url_and_body_and_is_whole
H15 | interactions::an_update_makes_the_next_version_and_the_server_writes_id_and_meta
H16 | interactions::a_deleted_resource_is_gone_and_its_author_brings_it_back
H17 | history::of_the_trace_no_history_is_kept
H18 | interactions::an_update_names_its_resource_in_url_and_body_and_is_whole
H19 | interactions::an_update_makes_the_next_version_and_the_server_writes_id_and_meta
H20 | interactions::an_update_makes_the_next_version_and_the_server_writes_id_and_meta
H21 | interactions::a_deleted_resource_is_gone_and_its_author_brings_it_back
H22 | interactions::a_system_chooses_ids_and_nobody_else_does
H23 | interactions::an_update_names_its_resource_in_url_and_body_and_is_whole
H24 | limits::what_is_wrong_after_authentication_is_traced_as_what_it_would_have_done
H25 | interactions::a_resource_does_not_move_to_another_record
H26 | races::of_updates_with_the_same_if_match_one_is_written
H27 | - this server does not require If-Match
H28 | races::of_eight_identical_conditional_updates_one_creates_and_each_is_a_version
H29 | interactions::a_conditional_update_creates_changes_or_refuses
H30 | interactions::a_conditional_update_creates_changes_or_refuses
H31 | interactions::a_conditional_update_creates_changes_or_refuses
H32 | interactions::a_conditional_update_creates_changes_or_refuses
H33 | - every conditional interaction is supported; a type that has none of them answers 405 as to the plain one
H34 | interactions::a_patch_is_an_update_with_every_check_of_it
H35 | interactions::if_match_guards_update_patch_and_delete
H36 | interactions::a_conditional_patch_or_delete_needs_exactly_one_match
H37 | interactions::a_conditional_patch_or_delete_needs_exactly_one_match
H38 | interactions::a_patch_is_an_update_with_every_check_of_it
H39 | transactions::a_patch_comes_as_parameters_or_as_a_binary_of_its_media_type
H40 | interactions::a_deleted_resource_is_gone_and_its_author_brings_it_back
H41 | interactions::what_a_document_brought_changes_only_with_it_and_what_no_client_writes_is_405
H42 | interactions::what_is_referred_to_is_not_deleted_but_a_hidden_reference_tells_nothing
H43 | interactions::a_deleted_resource_is_gone_and_its_author_brings_it_back
H44 | interactions::a_conditional_patch_or_delete_needs_exactly_one_match
H45 | http_rules::a_create_is_at_its_location_under_the_servers_own_id
H46 | http_rules::a_create_is_at_its_location_under_the_servers_own_id
H47 | races::of_conditional_creates_with_criteria_spelt_differently_one_creates
H48 | http_rules::a_create_is_at_its_location_under_the_servers_own_id
H49 | paging::links_say_the_query_as_it_was_understood
H50 | paging::a_search_by_post_finds_the_same
H51 | paging::another_record_never_shows
H52 | search_handling::what_is_unknown_is_refused_unless_the_client_is_lenient
H53 | search_handling::what_is_unknown_is_refused_unless_the_client_is_lenient
H54 | search_handling::a_wrong_value_is_refused_also_where_the_client_is_lenient
H55 | paging::the_total_is_exact_in_one_record_and_count_0_gives_it_alone
H56 | http_rules::urls_are_case_sensitive
H57 | search_handling::what_is_unknown_is_refused_unless_the_client_is_lenient
H58 | system_search::a_parameter_that_is_not_of_all_types_is_refused
H59 | paging::a_cursor_is_sealed_and_bound_to_the_right_to_read
H60 | search_handling::a_zone_may_be_written_with_a_plus_or_percent_encoded
H61 | http_rules::the_capability_statement_has_an_etag
H62 | batches::every_entry_is_answered_at_its_place_and_a_failure_is_its_own
H63 | transactions::answers_stand_in_the_order_of_the_request_with_status_location_etag_and_time
H64 | transactions::any_failure_is_one_operation_outcome_at_its_entry_and_nothing_is_stored
H65 | transactions::the_same_resource_twice_fails_also_through_conditional_urls
H66 | transactions::the_order_of_the_entries_changes_nothing
H67 | transactions::names_are_replaced_in_references_uris_and_narrative_and_not_in_canonicals
H68 | transactions::two_resources_that_refer_to_each_other_leave_together
H69 | transactions::a_conditional_reference_needs_exactly_one_match
H70 | transactions::an_empty_bundle_is_no_error
H71 | batches::entries_do_not_refer_to_each_other
H72 | history::the_history_of_a_resource_has_its_versions_newest_first_with_requests_and_responses
H73 | history::of_the_trace_no_history_is_kept
H74 | http_rules::a_read_has_etag_last_modified_and_its_id_and_head_has_no_body
H75 | interactions::the_answer_of_a_write_is_what_prefer_asks_for
H76 | http_rules::a_request_keeps_its_id_or_is_told_both
H77 | - every resource has versions
";

/// Sources of the tests that the table may name.
const SOURCES: [(&str, &str); 12] = [
    ("http_rules", include_str!("http_rules.rs")),
    ("interactions", include_str!("interactions.rs")),
    ("races", include_str!("races.rs")),
    ("limits", include_str!("limits.rs")),
    ("formats", include_str!("formats.rs")),
    ("search_handling", include_str!("search_handling.rs")),
    ("system_search", include_str!("system_search.rs")),
    ("transactions", include_str!("transactions.rs")),
    ("batches", include_str!("batches.rs")),
    ("history", include_str!("history.rs")),
    ("capability", include_str!("capability.rs")),
    ("paging", include_str!("paging.rs")),
];

#[test]
fn every_rule_has_its_test_or_its_reason() {
    let media_type = include_str!("../../src/fhir/media_type.rs");
    let mut rules = BTreeSet::new();
    for line in RULES.lines().filter(|line| !line.is_empty()) {
        let (rule, proof) = line.split_once(" | ").expect(line);
        assert!(rules.insert(rule.to_owned()), "{rule} stands twice");
        if let Some(reason) = proof.strip_prefix("- ") {
            assert!(reason.len() > 15, "{rule} has no reason");
        } else if let Some(test) = proof.strip_prefix("lib fhir::media_type::") {
            assert!(media_type.contains(&format!("fn {test}()")), "{rule}: no test {test}");
        } else {
            let (module, test) = proof.split_once("::").expect(line);
            let source =
                SOURCES.iter().find(|(name, _)| *name == module).unwrap_or_else(|| panic!("{rule}: no module {module}")).1;
            assert!(source.contains(&format!("fn {test}()")), "{rule}: no test {test}");
        }
    }
    let all: BTreeSet<String> = (1..=77).map(|number| format!("H{number:02}")).collect();
    assert_eq!(rules, all);
}

fn observation(patient: &str) -> Value {
    json!({"resourceType": "Observation", "status": "final", "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}]},
        "subject": {"reference": format!("Patient/{patient}")}, "valueString": "a"})
}

fn created(world: &World) -> (Actor, String) {
    let patient = world.open_record_for_practitioner(&PAT_TROIS).patient;
    let doctor = world.general_practitioner();
    let created = doctor.post("Observation", &observation(&patient)).expect(201);
    (doctor, format!("Observation/{}", created["id"].as_str().unwrap()))
}

#[test]
fn a_body_of_another_type_is_415_and_a_wish_for_one_406() {
    on_both(|world| {
        let doctor = world.general_practitioner();
        doctor.send("POST", "Observation", &[("Content-Type", "text/plain")], b"x".to_vec()).refuses(415, "not-supported", None);
        doctor.send("GET", "Observation/1", &[("Accept", "text/turtle")], Vec::new()).refuses(406, "not-supported", None);
        doctor.send("GET", "Observation/1", &[("Accept", "image/png")], Vec::new()).refuses(406, "not-supported", None);
    });
}

#[test]
fn two_versions_of_fhir_in_one_request_are_an_error() {
    on_both(|world| {
        let (doctor, path) = created(world);
        let body = doctor.read(&path);
        let send = |accept, content| {
            doctor.send("PUT", &path, &[("Accept", accept), ("Content-Type", content)], body.to_string().into_bytes())
        };
        let (four, three) = ("application/fhir+json; fhirVersion=4.0", "application/fhir+json; fhirVersion=3.0");
        for (accept, content) in [(four, three), (three, four)] {
            let answer = send(accept, content);
            assert!((400..500).contains(&answer.status), "{accept} {content}");
        }
        assert_eq!(send(four, four).status, 200);
        assert_eq!(send(four, "application/fhir+json; fhirVersion=4.0.1").status, 200);
    });
}

#[test]
fn urls_are_case_sensitive() {
    on_both(|world| {
        let (doctor, path) = created(world);
        assert_eq!(doctor.get(&path).status, 200);
        doctor.get(&path.replace("Observation", "observation")).refuses(404, "not-found", None);
        let (_, id) = path.split_once('/').unwrap();
        doctor.get(&format!("Observation/{}", id.to_uppercase())).refuses(404, "not-found", None);
        doctor.get("patient/1").refuses(404, "not-found", None);
        doctor.get("Nonsense?a=b").refuses(404, "not-found", None);
    });
}

#[test]
fn a_read_has_etag_last_modified_and_its_id_and_head_has_no_body() {
    on_both(|world| {
        let (doctor, path) = created(world);
        let answer = doctor.get(&path);
        assert_eq!(answer.header("etag"), "W/\"1\"");
        assert!(answer.header("last-modified").ends_with("GMT"));
        assert_eq!(answer.json()["id"], path.split_once('/').unwrap().1);
        doctor.get("Observation/never-existed").refuses(404, "not-found", None);
        for path in [path.as_str(), &format!("{path}/_history/1"), "metadata", "Observation?code=718-7&_count=1"] {
            let (get, head) = (doctor.get(path), doctor.send("HEAD", path, &[], Vec::new()));
            assert_eq!((head.status, head.header("etag"), head.body.len()), (get.status, get.header("etag"), 0), "{path}");
        }
        doctor.send("HEAD", "Observation/never-existed", &[], Vec::new());
    });
}

#[test]
fn a_fresh_copy_is_304_only_for_who_may_read() {
    on_both(|world| {
        let (doctor, path) = created(world);
        let modified = doctor.get(&path).header("last-modified").to_owned();
        for header in [("If-None-Match", "W/\"1\""), ("If-Modified-Since", modified.as_str())] {
            assert_eq!(doctor.send("GET", &path, &[header], Vec::new()).status, 304);
            assert_eq!(world.stranger().send("GET", &path, &[header], Vec::new()).status, 403, "after the access decision");
        }
        assert_eq!(doctor.send("GET", &path, &[("If-None-Match", "W/\"2\"")], Vec::new()).status, 200);
        world.consents(&PAT_TROIS, Kind::Autorisation, STRANGER).expect(201);
        assert_eq!(world.stranger().send("GET", &path, &[("If-None-Match", "W/\"1\"")], Vec::new()).status, 304);
    });
}

#[test]
fn a_create_is_at_its_location_under_the_servers_own_id() {
    on_both(|world| {
        let patient = world.open_record_for_practitioner(&PAT_TROIS).patient;
        let doctor = world.general_practitioner();
        let mut body = observation(&patient);
        body.as_object_mut().unwrap().remove("valueString");
        body["id"] = json!("mine");
        body["meta"] = json!({"versionId": "9", "lastUpdated": "1999-01-01T00:00:00Z"});
        body["contained"] = json!([{"resourceType": "Specimen", "id": "m", "status": "available"}]);
        body["specimen"] = json!({"reference": "#m", "display": "x"});
        body["_status"] = json!({"extension": [{"url": "urn:specimen:x", "valueCode": "y"}]});
        let text = body.to_string().replacen("{", "{\"valueQuantity\":{\"value\":1.00},", 1);
        let answer = doctor.send("POST", "Observation", &[("Content-Type", "application/fhir+json")], text.into_bytes());
        assert_eq!(answer.status, 201, "{}", answer.text());
        let id = answer.json()["id"].as_str().unwrap().to_owned();
        assert_ne!(id, "mine");
        assert_eq!(answer.header("location"), format!("{}/Observation/{id}/_history/1", doctor.base));
        let read = doctor.get(&format!("Observation/{id}"));
        assert!(read.text().contains("\"value\":1.00"), "digits stay: {}", read.text());
        let read = read.json();
        assert_eq!(read["meta"]["versionId"], "1");
        for member in ["contained", "specimen", "_status", "code"] {
            assert_eq!(read[member], body[member], "{member}");
        }
    });
}

#[test]
fn a_patch_in_a_bundle_is_a_parameters_resource() {
    on_both(|world| {
        let (doctor, path) = created(world);
        let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": [
            {"request": {"method": "PATCH", "url": path}, "resource": {"resourceType": "Observation", "status": "final",
                "code": {"text": "x"}}}]});
        let answer = doctor.post("", &bundle);
        assert!((400..500).contains(&answer.status), "{}", answer.text());
        assert_eq!(doctor.read(&path)["meta"]["versionId"], "1");
    });
}

#[test]
fn the_capability_statement_has_an_etag() {
    on_both(|world| {
        let anyone = world.bearer(None);
        let (first, second) = (anyone.get("metadata"), anyone.get("metadata"));
        assert!(first.header("etag").starts_with("W/\""), "{}", first.header("etag"));
        assert_eq!(first.header("etag"), second.header("etag"));
    });
}

#[test]
fn a_request_keeps_its_id_or_is_told_both() {
    on_both(|world| {
        let anyone = world.bearer(None);
        let asked = |id| anyone.send("GET", "metadata", &[("X-Request-Id", id)], Vec::new());
        let plain = asked("abc-1.2");
        assert_eq!((plain.header("x-request-id"), plain.header("x-correlation-id")), ("abc-1.2", ""));
        let strange = asked("a b_c");
        assert_ne!(strange.header("x-request-id"), "a b_c");
        assert_eq!(strange.header("x-correlation-id"), "ab_c");
    });
}
