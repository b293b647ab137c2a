//! Bundles of type transaction: all or nothing, whatever the order of their entries.
//! <https://hl7.org/fhir/R4/http.html#transaction>
use crate::harness::actor::resources;
use crate::harness::server::World;
use crate::harness::{Actor, Answer, CHILD, PAT_TROIS, Report, on_both};
use serde_json::{Value, json};

/// A record, the doctor whom it authorises, and what he writes there.
pub(crate) struct Desk {
    pub(crate) doctor: Actor,
    pub(crate) patient: String,
}

impl Desk {
    pub(crate) fn of(world: &World) -> Self {
        let patient = world.open_record_for_practitioner(&PAT_TROIS).patient;
        Self { doctor: world.general_practitioner(), patient }
    }

    /// An Observation with this identifier, and one more member.
    pub(crate) fn observation(&self, identifier: &str, member: &str, value: Value) -> Value {
        let mut observation = json!({"resourceType": "Observation", "status": "final",
            "identifier": [{"system": "urn:oid:1.2.3", "value": identifier}],
            "subject": {"reference": format!("Patient/{}", self.patient)},
            "code": {"coding": [{"system": "http://loinc.org", "code": "4548-4"}]}});
        observation[member] = value;
        observation
    }

    pub(crate) fn plain(&self, identifier: &str) -> Value {
        self.observation(identifier, "status", json!("final"))
    }

    /// An Observation that is here already: its id.
    pub(crate) fn stored(&self, identifier: &str) -> String {
        let created = self.doctor.post("Observation", &self.plain(identifier)).expect(201);
        created["id"].as_str().unwrap().to_owned()
    }

    pub(crate) fn transact(&self, entries: Vec<Value>) -> Answer {
        self.doctor.post("", &bundle("transaction", entries))
    }

    /// How many Observations have this identifier.
    pub(crate) fn count(&self, identifier: &str) -> usize {
        self.doctor.search(&format!("Observation?patient={}&identifier=urn:oid:1.2.3%7C{identifier}", self.patient)).len()
    }

    /// The one Observation of this identifier.
    #[track_caller]
    pub(crate) fn one(&self, identifier: &str) -> Value {
        let mut found =
            self.doctor.search(&format!("Observation?patient={}&identifier=urn:oid:1.2.3%7C{identifier}", self.patient));
        assert_eq!(found.len(), 1, "{identifier}");
        found.remove(0)
    }

    /// `Observation?patient=...&identifier=...`.
    pub(crate) fn criteria(&self, identifier: &str) -> String {
        format!("patient=Patient/{}&identifier=urn:oid:1.2.3|{identifier}", self.patient)
    }
}

pub(crate) fn bundle(kind: &str, entries: Vec<Value>) -> Value {
    if entries.is_empty() {
        return json!({"resourceType": "Bundle", "type": kind});
    }
    json!({"resourceType": "Bundle", "type": kind, "entry": entries})
}

/// An entry of a Bundle.
pub(crate) fn entry(method: &str, url: &str, resource: Option<Value>) -> Value {
    let mut entry = json!({"request": {"method": method, "url": url}});
    if let Some(resource) = resource {
        entry["resource"] = resource;
    }
    entry
}

pub(crate) fn post(resource: Value) -> Value {
    let url = resource["resourceType"].as_str().unwrap().to_owned();
    entry("POST", &url, Some(resource))
}

pub(crate) fn named(full_url: &str, mut entry: Value) -> Value {
    entry["fullUrl"] = json!(full_url);
    entry
}

fn with(mut entry: Value, name: &str, value: &str) -> Value {
    entry["request"][name] = json!(value);
    entry
}

pub(crate) fn updated(mut resource: Value, id: &str, status: &str) -> Value {
    resource["id"] = json!(id);
    resource["status"] = json!(status);
    resource
}

pub(crate) fn statuses(response: &Value) -> Vec<String> {
    let entries = response["entry"].as_array().into_iter().flatten();
    entries.map(|entry| entry["response"]["status"].as_str().unwrap()[..3].to_owned()).collect()
}

const A: &str = "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0";
const B: &str = "urn:uuid:5d3c2a53-6c3f-4bb0-8d1c-3f0b1f9e7a11";
const C: &str = "urn:uuid:7f0b6e2a-2a51-4a4c-8f6e-0a7f0ad0c001";

pub(crate) fn rows(world: &World) -> i64 {
    let counts = world.counts();
    counts["resource"] + counts["history"]
}

#[test]
fn an_empty_bundle_is_no_error() {
    on_both(|world| {
        let desk = Desk::of(world);
        let answer = desk.transact(Vec::new()).expect(200);
        assert_eq!((&answer["type"], &answer["entry"]), (&json!("transaction-response"), &Value::Null));
    });
}

#[test]
fn answers_stand_in_the_order_of_the_request_with_status_location_etag_and_time() {
    on_both(|world| {
        let desk = Desk::of(world);
        let (changed, gone) = (desk.stored("changed"), desk.stored("gone"));
        let url = |id: &str| format!("Observation/{id}");
        let answer = desk
            .transact(vec![
                entry("GET", &url(&changed), None),
                entry("PUT", &url(&changed), Some(updated(desk.plain("changed"), &changed, "amended"))),
                post(desk.plain("new")),
                entry("DELETE", &url(&gone), None),
            ])
            .expect(200);
        assert_eq!(answer["type"], "transaction-response");
        assert_eq!(statuses(&answer), ["200", "200", "201", "204"]);
        let entries = answer["entry"].as_array().unwrap();
        assert_eq!(entries[0]["resource"]["status"], "amended", "a GET sees what the Bundle wrote");
        assert_eq!(entries[1]["response"]["etag"], "W/\"2\"");
        assert!(entries[1]["response"]["location"].as_str().unwrap().contains(&format!("Observation/{changed}/_history/2")));
        assert_eq!(entries[2]["response"]["etag"], "W/\"1\"");
        assert!(entries[2]["response"]["lastModified"].as_str().unwrap().starts_with("20"));
        assert!(entries[3]["resource"].is_null());
        assert_eq!((desk.count("new"), desk.count("gone")), (1, 0));
    });
}

#[test]
fn the_order_of_the_entries_changes_nothing() {
    on_both(|world| {
        let desk = Desk::of(world);
        let orders: [[usize; 7]; 6] = [
            [0, 1, 2, 3, 4, 5, 6],
            [6, 5, 4, 3, 2, 1, 0],
            [2, 0, 5, 4, 1, 3, 6],
            [1, 4, 0, 6, 3, 2, 5],
            [3, 6, 2, 1, 4, 0, 5],
            [4, 0, 3, 5, 2, 6, 1],
        ];
        for (round, order) in orders.iter().enumerate() {
            let (changed, gone) = (format!("changed{round}"), format!("gone{round}"));
            let again = format!("again{round}");
            let (changed_id, gone_id, again_id) = (desk.stored(&changed), desk.stored(&gone), desk.stored(&again));
            let member = |to: &str| json!([{"reference": to}]);
            let criteria = format!("Observation?{}", desk.criteria(&format!("leaf{round}")));
            let amended = {
                let mut body = updated(desk.plain(&changed), &changed_id, "amended");
                body["hasMember"] = member(A);
                body
            };
            let entries = [
                entry("DELETE", &format!("Observation/{gone_id}"), None),
                named(A, post(desk.observation(&format!("root{round}"), "hasMember", member(B)))),
                named(B, post(desk.observation(&format!("leaf{round}"), "derivedFrom", member(A)))),
                entry("PUT", &format!("Observation/{changed_id}"), Some(amended)),
                post(desk.observation(&format!("by-criteria{round}"), "derivedFrom", member(&criteria))),
                entry("DELETE", &format!("Observation/{again_id}"), None),
                with(post(desk.plain(&again)), "ifNoneExist", &desk.criteria(&again)),
            ];
            let shuffled = order.iter().map(|index| entries[*index].clone()).collect();
            let answer = desk.transact(shuffled).expect(200);
            let expected = ["204", "201", "201", "200", "201", "204", "201"];
            assert_eq!(statuses(&answer), order.map(|index| expected[index]), "{order:?}");
            let reference = |body: &Value, name: &str| body[name][0]["reference"].as_str().unwrap().to_owned();
            let id = |body: &Value| format!("Observation/{}", body["id"].as_str().unwrap());
            let (root, leaf) = (desk.one(&format!("root{round}")), desk.one(&format!("leaf{round}")));
            assert_eq!((reference(&root, "hasMember"), reference(&leaf, "derivedFrom")), (id(&leaf), id(&root)), "a circle");
            assert_eq!(reference(&desk.one(&changed), "hasMember"), id(&root));
            assert_eq!(reference(&desk.one(&format!("by-criteria{round}")), "derivedFrom"), id(&leaf));
            assert_eq!(desk.count(&gone), 0);
            assert_ne!(desk.one(&again)["id"], again_id);
        }
    });
}

#[test]
fn names_are_replaced_in_references_uris_and_narrative_and_not_in_canonicals() {
    on_both(|world| {
        let desk = Desk::of(world);
        let div = |link: &str| format!("<div xmlns=\"http://www.w3.org/1999/xhtml\"><a href=\"{link}\">{A}</a></div>");
        let mut body = desk.observation("linked", "hasMember", json!([{"reference": format!("{A}/_history/1")}]));
        body["text"] = json!({"status": "additional", "div": div(&format!("{A}#x"))});
        body["extension"] = json!([{"url": "http://x", "valueUri": A}, {"url": "http://x", "valueCanonical": A},
            {"url": "http://x", "valueString": A}]);
        desk.transact(vec![post(body), named(A, post(desk.plain("target")))]).expect(200);
        let target = format!("Observation/{}", desk.one("target")["id"].as_str().unwrap());
        let linked = desk.one("linked");
        assert_eq!(linked["hasMember"][0]["reference"], format!("{target}/_history/1"));
        assert_eq!(linked["text"]["div"], div(&format!("{target}#x")));
        let values = ["valueUri", "valueCanonical", "valueString"].map(|name| {
            let found = linked["extension"].as_array().unwrap().iter().find(|one| !one[name].is_null());
            found.unwrap()[name].as_str().unwrap().to_owned()
        });
        assert_eq!(values, [target.as_str(), A, A]);
    });
}

#[test]
fn any_failure_is_one_operation_outcome_at_its_entry_and_nothing_is_stored() {
    on_both(|world| {
        let desk = Desk::of(world);
        let kept = desk.stored("kept");
        let before = rows(world);
        let unresolved = desk.observation("x", "hasMember", json!([{"reference": C}]));
        let invalid = desk.observation("x", "status", json!("nonsense"));
        let failing = [
            (post(unresolved), 422, "Bundle.entry[2].resource.hasMember[0].reference"),
            (post(invalid), 422, "Bundle.entry[2].resource.status"),
            (entry("GET", "Observation/nowhere", None), 404, "Bundle.entry[2]"),
            (
                with(
                    entry("PUT", &format!("Observation/{kept}"), Some(updated(desk.plain("kept"), &kept, "final"))),
                    "ifMatch",
                    "W/\"9\"",
                ),
                412,
                "Bundle.entry[2]",
            ),
        ];
        for (bad, status, at) in failing {
            let entries = vec![
                named(A, post(desk.plain("new"))),
                entry("PUT", &format!("Observation/{kept}"), Some(updated(desk.plain("kept"), &kept, "amended"))),
                bad,
            ];
            // The last of them is about the entry before it: that one goes.
            let entries =
                if status == 412 { vec![entries[0].clone(), post(desk.plain("other")), entries[2].clone()] } else { entries };
            let answer = desk.transact(entries);
            assert_eq!(answer.status, status, "{at}: {}", answer.text());
            answer.refuses(status, "", Some(at));
            assert_eq!(rows(world), before, "{at}");
        }
        assert_eq!(desk.one("kept")["status"], "final");
    });
}

#[test]
fn the_same_resource_twice_fails_also_through_conditional_urls() {
    on_both(|world| {
        let desk = Desk::of(world);
        let id = desk.stored("one");
        let before = rows(world);
        let put = || entry("PUT", &format!("Observation/{id}"), Some(updated(desk.plain("one"), &id, "amended")));
        let by_criteria =
            |method: &str, body: Option<Value>| entry(method, &format!("Observation?{}", desk.criteria("one")), body);
        let if_none = || with(post(desk.plain("one")), "ifNoneExist", &desk.criteria("one"));
        let pairs = [
            [put(), put()],
            [put(), entry("DELETE", &format!("Observation/{id}"), None)],
            [put(), by_criteria("PUT", Some(desk.plain("one")))],
            [put(), by_criteria("DELETE", None)],
            [put(), if_none()],
            [by_criteria("DELETE", None), entry("DELETE", &format!("Observation/{id}"), None)],
        ];
        for (number, [first, second]) in pairs.into_iter().enumerate() {
            for entries in [vec![first.clone(), second.clone()], vec![second, first]] {
                let answer = desk.transact(entries);
                assert!((400..500).contains(&answer.status), "{number}: {} {}", answer.status, answer.text());
                assert_eq!(rows(world), before, "{number}");
            }
        }
    });
}

#[test]
fn criteria_match_what_the_deletes_of_the_bundle_leave() {
    on_both(|world| {
        let desk = Desk::of(world);
        let delete = |identifier: &str| entry("DELETE", &format!("Observation/{}", desk.stored(identifier)), None);
        let by_criteria = |method: &str, identifier: &str, body: Option<Value>| {
            entry(method, &format!("Observation?{}", desk.criteria(identifier)), body)
        };
        let create = |identifier: &str| with(post(desk.plain(identifier)), "ifNoneExist", &desk.criteria(identifier));
        let mut entries = vec![
            create("created"),
            delete("created"),
            create("created2"),
            by_criteria("PUT", "put", Some(desk.plain("put"))),
            delete("put"),
            create("several"),
            delete("several"),
            delete("several"),
        ];
        desk.stored("created2");
        entries.push(by_criteria("DELETE", "created2", None));
        let expected = ["201", "204", "201", "201", "204", "201", "204", "204", "204"];
        assert_eq!(statuses(&desk.transact(entries).expect(200)), expected);
        for identifier in ["created", "created2", "put", "several"] {
            assert_eq!(desk.one(identifier)["meta"]["versionId"], "1", "{identifier}: a new one");
        }
        // What is deleted is not there to be patched.
        let patch = |identifier: &str| by_criteria("PATCH", identifier, Some(replace_status("amended")));
        desk.transact(vec![patch("patch"), delete("patch")]).refuses(404, "", Some("Bundle.entry[0]"));
        desk.transact(vec![delete("left"), patch("left"), post(desk.plain("left"))]).refuses(404, "", Some("Bundle.entry[1]"));
        assert_eq!(desk.count("patch"), 1, "nothing is deleted then");
    });
}

#[test]
fn two_conditional_creates_of_the_same_do_not_make_two() {
    on_both(|world| {
        let desk = Desk::of(world);
        let create = || with(post(desk.plain("twice")), "ifNoneExist", &desk.criteria("twice"));
        let answer = desk.transact(vec![create(), create()]);
        assert!((400..500).contains(&answer.status), "{} {}", answer.status, answer.text());
        let answer = desk.transact(vec![create(), post(desk.plain("twice"))]);
        assert!((400..500).contains(&answer.status), "{} {}", answer.status, answer.text());
        assert_eq!(desk.count("twice"), 0);
    });
}

#[test]
fn a_conditional_create_names_what_is_here() {
    on_both(|world| {
        let desk = Desk::of(world);
        let id = desk.stored("here");
        let create = named(A, with(post(desk.plain("here")), "ifNoneExist", &desk.criteria("here")));
        let refers = post(desk.observation("refers", "hasMember", json!([{"reference": A}])));
        let answer = desk.transact(vec![refers, create]).expect(200);
        assert_eq!(statuses(&answer), ["201", "200"]);
        assert_eq!(desk.one("refers")["hasMember"][0]["reference"], format!("Observation/{id}"));
        assert_eq!(desk.count("here"), 1);
        let absent = named(A, with(post(desk.plain("absent")), "ifNoneExist", &desk.criteria("absent")));
        let refers = post(desk.observation("refers2", "hasMember", json!([{"reference": A}])));
        assert_eq!(statuses(&desk.transact(vec![refers, absent]).expect(200)), ["201", "201"]);
        let absent = desk.one("absent")["id"].as_str().unwrap().to_owned();
        assert_eq!(desk.one("refers2")["hasMember"][0]["reference"], format!("Observation/{absent}"));
    });
}

#[test]
fn conditional_update_patch_and_delete_work_inside() {
    on_both(|world| {
        let desk = Desk::of(world);
        for identifier in ["put", "patch", "delete"] {
            desk.stored(identifier);
        }
        let url = |identifier: &str| format!("Observation?{}", desk.criteria(identifier));
        let mut amended = desk.plain("put");
        amended["status"] = json!("amended");
        let answer = desk
            .transact(vec![
                entry("PATCH", &url("patch"), Some(replace_status("amended"))),
                entry("DELETE", &url("delete"), None),
                entry("PUT", &url("put"), Some(amended)),
                named(A, entry("PUT", &url("made"), Some(desk.plain("made")))),
                post(desk.observation("refers", "hasMember", json!([{"reference": A}]))),
            ])
            .expect(200);
        assert_eq!(statuses(&answer), ["200", "204", "200", "201", "201"]);
        assert_eq!((&desk.one("put")["status"], &desk.one("patch")["status"]), (&json!("amended"), &json!("amended")));
        assert_eq!((desk.count("delete"), desk.count("made")), (0, 1));
        let made = format!("Observation/{}", desk.one("made")["id"].as_str().unwrap());
        assert_eq!(desk.one("refers")["hasMember"][0]["reference"], made);
    });
}

/// A FHIRPath Patch that replaces the status.
fn replace_status(status: &str) -> Value {
    json!({"resourceType": "Parameters", "parameter": [{"name": "operation", "part": [
        {"name": "type", "valueCode": "replace"}, {"name": "path", "valueString": "Observation.status"},
        {"name": "value", "valueCode": status}]}]})
}

#[test]
fn a_patch_comes_as_parameters_or_as_a_binary_of_its_media_type() {
    use base64::Engine;
    on_both(|world| {
        let desk = Desk::of(world);
        let id = desk.stored("patched");
        let patch = |body: Value| entry("PATCH", &format!("Observation/{id}"), Some(body));
        let binary = |content_type: &str, text: &str| {
            let data = base64::engine::general_purpose::STANDARD.encode(text);
            json!({"resourceType": "Binary", "contentType": content_type, "data": data})
        };
        let bodies = [
            (replace_status("amended"), "amended"),
            (
                binary("application/json-patch+json", r#"[{"op": "replace", "path": "/status", "value": "corrected"}]"#),
                "corrected",
            ),
            (
                binary(
                    "application/xml-patch+xml",
                    "<diff xmlns:f=\"http://hl7.org/fhir\"><replace sel=\"f:Observation/f:status/@value\">final</replace></diff>",
                ),
                "final",
            ),
        ];
        for (body, status) in bodies {
            assert_eq!(statuses(&desk.transact(vec![patch(body)]).expect(200)), ["200"]);
            assert_eq!(desk.one("patched")["status"], status);
        }
        assert!((400..500).contains(&desk.transact(vec![patch(desk.plain("x"))]).status));
    });
}

#[test]
fn a_conditional_reference_needs_exactly_one_match() {
    on_both(|world| {
        let desk = Desk::of(world);
        let id = desk.stored("single");
        desk.stored("double");
        desk.stored("double");
        let before = rows(world);
        let refers = |identifier: &str| {
            let criteria = format!("Observation?{}", desk.criteria(identifier));
            post(desk.observation("refers", "hasMember", json!([{"reference": criteria}])))
        };
        for identifier in ["none", "double"] {
            let answer = desk.transact(vec![refers(identifier)]);
            assert!([412, 422].contains(&answer.status), "{identifier}: {}", answer.text());
            answer.refuses(answer.status, "", Some("Bundle.entry[0].resource.hasMember[0].reference"));
            assert_eq!(rows(world), before);
        }
        desk.transact(vec![refers("single")]).expect(200);
        assert_eq!(desk.one("refers")["hasMember"][0]["reference"], format!("Observation/{id}"));
    });
}

#[test]
fn a_conditional_reference_finds_what_the_bundle_brings_and_not_what_it_deletes() {
    on_both(|world| {
        let desk = Desk::of(world);
        let id = desk.stored("moved");
        let criteria = format!("Observation?{}", desk.criteria("moved"));
        let refers = post(desk.observation("refers", "hasMember", json!([{"reference": criteria}])));
        let delete = entry("DELETE", &format!("Observation/{id}"), None);
        let answer = desk.transact(vec![refers.clone(), delete.clone()]);
        assert!([412, 422].contains(&answer.status), "{}", answer.text());
        desk.transact(vec![refers, post(desk.plain("moved")), delete]).expect(200);
        let new = desk.one("moved")["id"].as_str().unwrap().to_owned();
        assert_ne!(new, id);
        assert_eq!(desk.one("refers")["hasMember"][0]["reference"], format!("Observation/{new}"));
    });
}

#[test]
fn two_resources_that_refer_to_each_other_leave_together() {
    on_both(|world| {
        let desk = Desk::of(world);
        let member = |to: &str| json!([{"reference": to}]);
        let entries = vec![
            named(A, post(desk.observation("a", "hasMember", member(B)))),
            named(B, post(desk.observation("b", "derivedFrom", member(A)))),
        ];
        desk.transact(entries).expect(200);
        let delete =
            |identifier: &str| entry("DELETE", &format!("Observation/{}", desk.one(identifier)["id"].as_str().unwrap()), None);
        let (a, b) = (delete("a"), delete("b"));
        desk.transact(vec![a.clone()]).refuses(409, "", None);
        assert_eq!(statuses(&desk.transact(vec![a, b]).expect(200)), ["204", "204"]);
        assert_eq!((desk.count("a"), desk.count("b")), (0, 0));
    });
}

#[test]
fn ids_chosen_by_a_system_may_refer_to_each_other() {
    on_both(|world| {
        let desk = Desk::of(world);
        let system = world.hospital_system();
        let chosen = |id: &str, member: &str, to: &str| {
            let mut body = desk.observation(id, member, json!([{"reference": to}]));
            body["id"] = json!(id);
            entry("PUT", &format!("Observation/{id}"), Some(body))
        };
        let entries = vec![
            chosen("chosen-a", "hasMember", "Observation/chosen-b"),
            chosen("chosen-b", "derivedFrom", "Observation/chosen-a"),
            post(desk.observation("refers", "hasMember", json!([{"reference": "Observation/chosen-a"}]))),
        ];
        let answer = system.post("", &bundle("transaction", entries)).expect(200);
        assert_eq!(statuses(&answer), ["201", "201", "201"]);
        assert_eq!(desk.one("chosen-a")["hasMember"][0]["reference"], "Observation/chosen-b");
        let found = desk.doctor.search(&format!("Observation?patient={}&has-member=Observation/chosen-a", desk.patient));
        assert_eq!(found.len(), 1, "found by the chosen id");
    });
}

#[test]
fn reads_inside_are_searches_and_conditional_reads_too() {
    on_both(|world| {
        let desk = Desk::of(world);
        let id = desk.stored("read");
        let search = format!("Observation?patient={}&identifier=urn:oid:1.2.3%7Cread", desk.patient);
        let answer = desk
            .transact(vec![
                entry("GET", &search, None),
                with(entry("GET", &format!("Observation/{id}"), None), "ifNoneMatch", "W/\"1\""),
                entry("HEAD", &format!("Observation/{id}"), None),
                entry("GET", &format!("Observation/{id}/_history/1"), None),
            ])
            .expect(200);
        assert_eq!(statuses(&answer), ["200", "304", "200", "200"]);
        assert_eq!(resources(&answer["entry"][0]["resource"]).len(), 1);
        assert!(answer["entry"][1]["resource"].is_null() && answer["entry"][2]["resource"].is_null());
        assert_eq!(answer["entry"][3]["resource"]["id"], id);
    });
}

#[test]
fn prefer_says_whether_the_resources_come_back() {
    on_both(|world| {
        let desk = Desk::of(world);
        let send = |prefer: &str| {
            let headers = [("Content-Type", "application/fhir+json"), ("Prefer", prefer)];
            let body = bundle("transaction", vec![post(desk.plain(prefer))]).to_string().into_bytes();
            let mut answer = desk.doctor.send("POST", "", &headers, body).expect(200);
            answer["entry"][0].take()
        };
        let full = send("return=representation");
        assert_eq!(full["resource"]["resourceType"], "Observation");
        let minimal = send("return=minimal");
        assert!(minimal["resource"].is_null() && minimal["response"]["outcome"].is_null(), "{minimal}");
        let outcome = send("return=OperationOutcome");
        assert!(outcome["resource"].is_null());
        assert_eq!(outcome["response"]["outcome"]["resourceType"], "OperationOutcome");
    });
}

#[test]
fn a_document_and_what_speaks_of_it_come_together() {
    on_both(|world| {
        let desk = Desk::of(world);
        let report = Report::of(&PAT_TROIS, 1).result("3016-3", "2.1", "m[IU]/L", "20260401");
        let document = report.deposit().body;
        let mut speaks = desk.plain("speaks");
        speaks["derivedFrom"] = json!([{"reference": A}]);
        let answer = desk.transact(vec![post(speaks), named(A, post(document))]).expect(200);
        assert_eq!(statuses(&answer), ["201", "201"]);
        let filed = answer["entry"][1]["response"]["location"].as_str().unwrap().split("/_history").next().unwrap().to_owned();
        assert!(filed.ends_with(desk.one("speaks")["derivedFrom"][0]["reference"].as_str().unwrap()), "{filed}");
        let bad = desk.observation("x", "hasMember", json!([{"reference": C}]));
        let other = Report::of(&PAT_TROIS, 2).result("2160-0", "80", "umol/L", "20260401").deposit().body;
        let before = rows(world);
        desk.transact(vec![post(other), post(bad)]).refuses(422, "", None);
        assert_eq!(rows(world), before, "a deposit of a failed transaction leaves nothing");
    });
}

#[test]
fn two_records_may_be_written_together_and_none_refers_to_the_other() {
    on_both(|world| {
        let desk = Desk::of(world);
        let child = world.open_record(&CHILD).patient;
        let of_child = |member: Value| {
            let mut body = desk.observation("child", "hasMember", member);
            body["subject"] = json!({"reference": format!("Patient/{child}")});
            body
        };
        let system = world.hospital_system();
        let across = vec![named(A, post(desk.plain("own"))), post(of_child(json!([{"reference": A}])))];
        system.post("", &bundle("transaction", across)).refuses(422, "", Some("Bundle.entry[1].resource.hasMember[0].reference"));
        let mut apart = of_child(Value::Null);
        apart.as_object_mut().unwrap().remove("hasMember");
        let both = vec![post(desk.plain("own")), post(apart)];
        assert_eq!(statuses(&system.post("", &bundle("transaction", both)).expect(200)), ["201", "201"]);
    });
}
