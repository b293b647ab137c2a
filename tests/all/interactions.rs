//! Update, patch, delete and their conditional forms: who may, what is answered, what is left. <https://hl7.org/fhir/R4/http.html>
use crate::harness::people::{Kind, professional};
use crate::harness::server::{GENERAL_PRACTITIONER, STRANGER, World};
use crate::harness::{Actor, Answer, CHILD, PAT_TROIS, Report, on_both};
use serde_json::{Value, json};

const JSON: (&str, &str) = ("Content-Type", "application/fhir+json");

/// An Observation of this patient.
fn observation(patient: &str, code: &str, value: &str) -> Value {
    json!({"resourceType": "Observation", "status": "final", "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
        "identifier": [{"system": "urn:specimen:results", "value": value}],
        "subject": {"reference": format!("Patient/{patient}")}, "valueString": value})
}

fn id(resource: &Value) -> &str {
    resource["id"].as_str().expect("an id")
}

fn with(actor: &Actor, method: &str, path: &str, header: (&str, &str), body: &Value) -> Answer {
    actor.send(method, path, &[JSON, header], body.to_string().into_bytes())
}

fn delete(actor: &Actor, path: &str) -> Answer {
    actor.send("DELETE", path, &[], Vec::new())
}

fn patch(actor: &Actor, path: &str, operations: &Value) -> Answer {
    actor.send("PATCH", path, &[("Content-Type", "application/json-patch+json")], operations.to_string().into_bytes())
}

/// What a refusal says.
fn said(answer: &Answer) -> (u16, String) {
    let text = if answer.body.is_empty() { String::new() } else { answer.json()["issue"][0]["diagnostics"].to_string() };
    (answer.status, text)
}

/// A record that the doctor reads, and an Observation of his in it.
fn filed(world: &World) -> (String, Actor, Value) {
    let record = world.open_record_for_practitioner(&PAT_TROIS);
    let doctor = world.general_practitioner();
    let created = doctor.post("Observation", &observation(&record.patient, "718-7", "a")).expect(201);
    (record.patient, doctor, created)
}

#[test]
fn an_update_makes_the_next_version_and_the_server_writes_id_and_meta() {
    on_both(|world| {
        let (_, doctor, mut body) = filed(world);
        let path = format!("Observation/{}", id(&body));
        body["valueString"] = json!("b");
        body["meta"] = json!({"versionId": "77", "lastUpdated": "1999-01-01T00:00:00Z"});
        let answer = doctor.put(&path, &body);
        assert_eq!(answer.header("etag"), "W/\"2\"");
        assert!(answer.header("location").ends_with(&format!("{path}/_history/2")));
        let updated = answer.expect(200);
        assert_eq!((&updated["meta"]["versionId"], &updated["valueString"]), (&json!("2"), &json!("b")));
        assert_ne!(updated["meta"]["lastUpdated"], "1999-01-01T00:00:00Z");
        assert_eq!(doctor.read(&path)["valueString"], "b");
        assert_eq!(doctor.read(&format!("{path}/_history/1"))["valueString"], "a");
        assert_eq!(
            doctor.search("Observation?code=718-7&patient.identifier=urn:oid:1.2.250.1.213.1.4.10%7C279035121518989").len(),
            1
        );
    });
}

#[test]
fn an_update_names_its_resource_in_url_and_body_and_is_whole() {
    on_both(|world| {
        let (_, doctor, body) = filed(world);
        let path = format!("Observation/{}", id(&body));
        let mut other = body.clone();
        other["id"] = json!("other");
        doctor.put(&path, &other).refuses(400, "structure", Some("Observation.id"));
        other.as_object_mut().unwrap().remove("id");
        doctor.put(&path, &other).refuses(400, "structure", Some("Observation.id"));
        let part = doctor.read(&format!("{path}?_elements=status,code"));
        assert!(part.get("valueString").is_none(), "{part}");
        doctor.put(&path, &part).refuses(422, "business-rule", Some("Observation.meta.tag"));
        doctor.put(&path, &json!({"resourceType": "Patient", "id": id(&body)})).refuses(400, "", None);
        doctor.put("observation/1", &body).refuses(404, "not-found", None);
        doctor.put("Task/1", &json!({"resourceType": "Task", "id": "1"})).refuses(404, "not-found", None);
    });
}

#[test]
fn if_match_guards_update_patch_and_delete() {
    on_both(|world| {
        let (_, doctor, body) = filed(world);
        let path = format!("Observation/{}", id(&body));
        with(&doctor, "PUT", &path, ("If-Match", "W/\"2\""), &body).refuses(412, "conflict", None);
        with(&doctor, "DELETE", &path, ("If-Match", "W/\"2\""), &json!({})).refuses(412, "conflict", None);
        let operations = json!([{"op": "replace", "path": "/valueString", "value": "c"}]).to_string().into_bytes();
        let stale = [("Content-Type", "application/json-patch+json"), ("If-Match", "W/\"9\"")];
        doctor.send("PATCH", &path, &stale, operations).refuses(412, "conflict", None);
        assert_eq!(doctor.read(&path)["meta"]["versionId"], "1", "nothing was changed");
        with(&doctor, "PUT", &path, ("If-Match", "W/\"1\""), &body).expect(200);
        with(&doctor, "PUT", &path, ("If-Match", "nonsense"), &body).refuses(400, "structure", None);
    });
}

#[test]
fn only_its_author_changes_a_resource_and_a_hidden_one_is_as_if_it_did_not_exist() {
    on_both(|world| {
        let (patient, doctor, body) = filed(world);
        let path = format!("Observation/{}", id(&body));
        let operations = json!([{"op": "replace", "path": "/valueString", "value": "stolen"}]);
        world.consents(&PAT_TROIS, Kind::Autorisation, STRANGER).expect(201);
        let colleague = world.stranger();
        assert_eq!(colleague.get(&path).status, 200, "he sees it");
        colleague.put(&path, &body).refuses(403, "forbidden", None);
        patch(&colleague, &path, &operations).refuses(403, "forbidden", None);
        delete(&colleague, &path).refuses(403, "forbidden", None);
        // Without authorisation what exists and what does not are the same.
        let system = world.other_system();
        let absent = {
            let mine = system.post("Observation", &observation(&patient, "1-8", "x")).expect(201);
            let path = format!("Observation/{}", id(&mine));
            assert_eq!(delete(&system, &path).status, 204);
            path
        };
        let mut body_absent = body.clone();
        body_absent["id"] = json!(absent.rsplit('/').next().unwrap());
        let outsider = world.blocked();
        for (there, not_there) in [
            (outsider.put(&path, &body), outsider.put(&absent, &body_absent)),
            (patch(&outsider, &path, &operations), patch(&outsider, &absent, &operations)),
            (delete(&outsider, &path), delete(&outsider, &absent)),
        ] {
            assert_eq!(said(&there), said(&not_there));
            assert_eq!(there.status, 403);
        }
        assert_eq!(world.patient(&PAT_TROIS).put(&path, &body).status, 403, "a patient writes his Consents only");
        assert_eq!(doctor.read(&path)["valueString"], "a");
    });
}

#[test]
fn what_a_document_brought_changes_only_with_it_and_what_no_client_writes_is_405() {
    on_both(|world| {
        let patient = world.open_record(&PAT_TROIS).patient;
        let system = world.hospital_system();
        let document = Report::of(&PAT_TROIS, 1).result("3016-3", "2.1", "m[IU]/L", "20260401").deposit().filed_by(&system);
        let observation = world.patient(&PAT_TROIS).search(&format!("Observation?patient={patient}&code=3016-3"))[0].clone();
        let path = format!("Observation/{}", id(&observation));
        system.put(&path, &observation).refuses(405, "not-supported", None);
        delete(&system, &path).refuses(405, "not-supported", None);
        let path = format!("DocumentReference/{}", id(&document));
        system.put(&path, &document).refuses(405, "not-supported", None);
        let trace = json!({"resourceType": "AuditEvent", "id": "1"});
        delete(&system, "AuditEvent/1").refuses(405, "not-supported", None);
        delete(&system, &format!("Patient/{patient}")).refuses(405, "not-supported", None);
        delete(&system, "Provenance/1").refuses(405, "not-supported", None);
        assert_ne!(system.put("AuditEvent/1", &trace).status, 200);
    });
}

#[test]
fn a_resource_does_not_move_to_another_record() {
    on_both(|world| {
        let (_, doctor, mut body) = filed(world);
        let other = world.open_record_for_practitioner(&CHILD).patient;
        let path = format!("Observation/{}", id(&body));
        for subject in [json!({"reference": format!("Patient/{other}")}), CHILD.logical_reference()] {
            body["subject"] = subject;
            doctor.put(&path, &body).refuses(422, "", Some("Observation.subject"));
        }
        body["subject"] = json!({"reference": format!("Patient?identifier=urn:oid:{}|{}", CHILD.oid, CHILD.ins)});
        doctor.put(&path, &body).refuses(422, "", Some("Observation.subject"));
        let operations = json!([{"op": "replace", "path": "/subject/reference", "value": format!("Patient/{other}")}]);
        assert_eq!(patch(&doctor, &path, &operations).status, 422);
        assert_eq!(doctor.search(&format!("Observation?patient={other}")).len(), 0);
    });
}

#[test]
fn a_deleted_resource_is_gone_and_its_author_brings_it_back() {
    on_both(|world| {
        let (patient, doctor, body) = filed(world);
        let path = format!("Observation/{}", id(&body));
        let answer = delete(&doctor, &path);
        assert_eq!((answer.status, answer.header("etag")), (204, "W/\"2\""));
        doctor.get(&path).refuses(410, "deleted", None);
        assert_eq!(doctor.search(&format!("Observation?patient={patient}")).len(), 0);
        assert_eq!(doctor.read(&format!("{path}/_history/1"))["valueString"], "a");
        doctor.get(&format!("{path}/_history/2")).refuses(410, "deleted", None);
        assert_eq!(delete(&doctor, &path).status, 204, "again the same");
        assert_eq!(delete(&doctor, "Observation/never-was").status, 204, "as for what never was");
        patch(&doctor, &path, &json!([])).refuses(404, "not-found", None);
        world.consents(&PAT_TROIS, Kind::Autorisation, STRANGER).expect(201);
        world.stranger().put(&path, &body).refuses(404, "not-found", None);
        let back = doctor.put(&path, &body).expect(201);
        assert_eq!((id(&back), &back["meta"]["versionId"]), (id(&body), &json!("3")));
        assert_eq!(doctor.search(&format!("Observation?patient={patient}")).len(), 1);
    });
}

#[test]
fn what_is_referred_to_is_not_deleted_but_a_hidden_reference_tells_nothing() {
    on_both(|world| {
        let (patient, doctor, body) = filed(world);
        let path = format!("Observation/{}", id(&body));
        let mut panel = observation(&patient, "58410-2", "panel");
        panel["hasMember"] = json!([{"reference": path}]);
        let panel = doctor.post("Observation", &panel).expect(201);
        let answer = delete(&doctor, &path);
        answer.refuses(409, "conflict", None);
        assert!(!answer.text().contains(id(&panel)), "{}", answer.text());
        assert_eq!(delete(&doctor, &format!("Observation/{}", id(&panel))).status, 204);
        assert_eq!(delete(&doctor, &path).status, 204);
    });
}

#[test]
fn a_system_chooses_ids_and_nobody_else_does() {
    on_both(|world| {
        let patient = world.open_record_for_practitioner(&PAT_TROIS).patient;
        let system = world.hospital_system();
        let mut body = observation(&patient, "718-7", "a");
        body["id"] = json!("chosen-1");
        world.general_practitioner().put("Observation/chosen-1", &body).refuses(404, "not-found", None);
        let answer = system.put("Observation/chosen-1", &body);
        assert!(answer.header("location").ends_with("/Observation/chosen-1/_history/1"), "{}", answer.header("location"));
        assert_eq!(answer.expect(201)["id"], "chosen-1");
        assert_eq!(system.read("Observation/chosen-1")["valueString"], "a");
        body["valueString"] = json!("b");
        assert_eq!(system.put("Observation/chosen-1", &body).expect(200)["meta"]["versionId"], "2");
        // Another system has no authorisation: for reading it is nowhere, and to choose it is 409, the one place where it shows.
        let other = world.other_system();
        assert_eq!(said(&other.get("Observation/chosen-1")), said(&other.get("Observation/nobody-chose")));
        assert_eq!(other.get("Observation/chosen-1").status, 404);
        other.put("Observation/chosen-1", &body).refuses(409, "conflict", None);
        assert_eq!(delete(&other, "Observation/chosen-1").status, 204);
        assert_eq!(system.read("Observation/chosen-1")["valueString"], "b", "nothing was done");
        // What refers to it by its chosen id is found.
        let mut panel = observation(&patient, "58410-2", "panel");
        panel["hasMember"] = json!([{"reference": "Observation/chosen-1"}]);
        system.post("Observation", &panel).expect(201);
        delete(&system, "Observation/chosen-1").refuses(409, "conflict", None);
        body["id"] = json!("bad_id");
        system.put("Observation/bad_id", &body).refuses(422, "", None);
    });
}

#[test]
fn the_directory_is_changed_by_who_may_write_it() {
    on_both(|world| {
        let writer = world.directory_system();
        let organization = json!({"resourceType": "Organization", "id": "org-1", "name": "Laboratoire"});
        world.hospital_system().put("Organization/org-1", &organization).refuses(403, "forbidden", None);
        writer.put("Organization/org-1", &organization).expect(201);
        let mut renamed = organization.clone();
        renamed["name"] = json!("Laboratoires");
        world.hospital_system().put("Organization/org-1", &renamed).refuses(403, "forbidden", None);
        writer.put("Organization/org-1", &renamed).expect(200);
        assert_eq!(world.general_practitioner().read("Organization/org-1")["name"], "Laboratoires");
        let part = json!({"resourceType": "Organization", "id": "org-2", "name": "Annexe", "partOf": {"reference": "Organization/org-1"}});
        writer.put("Organization/org-2", &part).expect(201);
        delete(&writer, "Organization/org-1").refuses(409, "conflict", None);
        assert_eq!(delete(&writer, "Organization/org-2").status, 204);
        assert_eq!(delete(&writer, "Organization/org-1").status, 204);
        world.general_practitioner().get("Organization/org-1").refuses(410, "deleted", None);
        assert_eq!(writer.put("Organization/org-1", &organization).status, 201);
    });
}

#[test]
fn a_patient_is_updated_by_the_system_that_opened_his_record_and_keeps_his_ins() {
    on_both(|world| {
        let record = world.open_record(&PAT_TROIS);
        let path = format!("Patient/{}", record.patient);
        let system = world.hospital_system();
        let mut body = PAT_TROIS.patient();
        body["id"] = json!(record.patient);
        body["telecom"] = json!([{"system": "phone", "value": "0102030405"}]);
        assert_eq!(system.put(&path, &body).expect(200)["meta"]["versionId"], "2");
        let mut other = CHILD.patient();
        other["id"] = json!(record.patient);
        system.put(&path, &other).refuses(422, "business-rule", Some("Patient.identifier"));
        body.as_object_mut().unwrap().remove("birthDate");
        system.put(&path, &body).refuses(422, "required", Some("Patient.birthDate"));
        world.general_practitioner().put(&path, &PAT_TROIS.patient()).refuses(400, "", None);
        body["birthDate"] = json!("1979-03-28");
        world.general_practitioner().put(&path, &body).refuses(403, "forbidden", None);
        world.other_system().put(&path, &body).refuses(403, "forbidden", None);
    });
}

#[test]
fn if_none_exist_creates_once_and_counts_what_the_caller_sees() {
    on_both(|world| {
        let (patient, doctor, body) = filed(world);
        let new = observation(&patient, "718-7", "a");
        let header = |criteria| ("If-None-Exist", criteria);
        let found = with(&doctor, "POST", "Observation", header("identifier=urn:specimen:results|a"), &new);
        assert!(found.header("location").contains(id(&body)));
        assert_eq!(found.expect(200)["id"], body["id"]);
        let second = observation(&patient, "718-7", "second");
        with(&doctor, "POST", "Observation", header("identifier=urn:specimen:results|second"), &second).expect(201);
        with(&doctor, "POST", "Observation", header("code=718-7"), &new).refuses(412, "multiple-matches", None);
        with(&doctor, "POST", "Observation", header("nonsense=1"), &new).refuses(400, "not-supported", None);
        with(&doctor, "POST", "Observation", header(""), &new).refuses(412, "", None);
        with(&doctor, "POST", "Observation", header("_count=1"), &new).refuses(400, "", None);
        // Who may not see the doctor's results does not learn of them: his own is created, then found.
        let system = world.other_system();
        let mine = with(&system, "POST", "Observation", header("code=718-7"), &new).expect(201);
        assert_eq!(with(&system, "POST", "Observation", header("code=718-7"), &new).expect(200)["id"], mine["id"]);
    });
}

#[test]
fn a_conditional_update_creates_changes_or_refuses() {
    on_both(|world| {
        let (patient, doctor, body) = filed(world);
        let path = "Observation?identifier=urn:specimen:results%7Cnew";
        let new = observation(&patient, "718-7", "new");
        let created = doctor.put(path, &new).expect(201);
        assert_eq!(doctor.put(path, &new).expect(200)["meta"]["versionId"], "2");
        let mut named = new.clone();
        named["id"] = created["id"].clone();
        assert_eq!(doctor.put(path, &named).expect(200)["meta"]["versionId"], "3");
        named["id"] = body["id"].clone();
        doctor.put(path, &named).refuses(400, "", Some("Observation.id"));
        doctor.put("Observation?code=718-7", &new).refuses(412, "multiple-matches", None);
        doctor.put("Observation", &new).refuses(400, "", None);
        with(&doctor, "PUT", path, ("If-Match", "W/\"1\""), &new).refuses(412, "conflict", None);
        // With an id that nobody has, a system creates under it.
        let system = world.hospital_system();
        let mut chosen = observation(&patient, "718-7", "chosen");
        chosen["id"] = json!("chosen-2");
        let answer = system.put("Observation?identifier=urn:specimen:results%7Cchosen", &chosen);
        assert_eq!(answer.expect(201)["id"], "chosen-2");
        // Prefer handling=lenient never makes criteria weaker.
        let lenient = ("Prefer", "handling=lenient");
        with(&doctor, "PUT", "Observation?nonsense=1", lenient, &new).refuses(400, "", None);
    });
}

#[test]
fn a_conditional_patch_or_delete_needs_exactly_one_match() {
    on_both(|world| {
        let (patient, doctor, body) = filed(world);
        doctor.post("Observation", &observation(&patient, "718-7", "b")).expect(201);
        let operations = json!([{"op": "replace", "path": "/valueString", "value": "patched"}]);
        let record = format!("Observation?patient={patient}");
        patch(&doctor, &format!("{record}&code=718-7"), &operations).refuses(412, "multiple-matches", None);
        patch(&doctor, &format!("{record}&code=nothing"), &operations).refuses(404, "not-found", None);
        let one = patch(&doctor, &format!("{record}&identifier=urn:specimen:results%7Ca"), &operations);
        assert_eq!(one.expect(200)["valueString"], "patched");
        delete(&doctor, &format!("{record}&code=718-7")).refuses(412, "multiple-matches", None);
        assert_eq!(delete(&doctor, &format!("{record}&code=nothing")).status, 204);
        // Without naming the record: over the records that authorise the caller.
        assert_eq!(delete(&doctor, "Observation?identifier=urn:specimen:results%7Ca").status, 204);
        doctor.get(&format!("Observation/{}", id(&body))).refuses(410, "deleted", None);
        world.stranger().get(&record).refuses(403, "forbidden", None);
        delete(&world.stranger(), &format!("{record}&code=718-7")).refuses(403, "forbidden", None);
    });
}

#[test]
fn a_patch_is_an_update_with_every_check_of_it() {
    on_both(|world| {
        let (_, doctor, body) = filed(world);
        let path = format!("Observation/{}", id(&body));
        let good = patch(&doctor, &path, &json!([{"op": "replace", "path": "/valueString", "value": "b"}]));
        assert_eq!(good.header("etag"), "W/\"2\"");
        assert_eq!(good.expect(200)["valueString"], "b");
        let fhirpath = json!({"resourceType": "Parameters", "parameter": [{"name": "operation", "part": [
            {"name": "type", "valueCode": "replace"}, {"name": "path", "valueString": "Observation.value"},
            {"name": "value", "valueString": "c"}]}]});
        assert_eq!(with(&doctor, "PATCH", &path, ("Accept", "application/fhir+json"), &fhirpath).expect(200)["valueString"], "c");
        for wrong in [
            json!([{"op": "replace", "path": "/id", "value": "other"}]),
            json!([{"op": "remove", "path": "/status"}]),
            json!([{"op": "replace", "path": "/status", "value": "nonsense"}]),
            json!([{"op": "add", "path": "/unknown", "value": 1}]),
        ] {
            let answer = patch(&doctor, &path, &wrong);
            assert!(matches!(answer.status, 400 | 422), "{wrong}: {}", answer.text());
        }
        doctor.send("PATCH", &path, &[("Content-Type", "text/plain")], b"x".to_vec()).refuses(415, "", None);
        assert_eq!(doctor.read(&path)["meta"]["versionId"], "3", "nothing wrong was written");
    });
}

#[test]
fn a_consent_ends_by_patch_as_by_update() {
    on_both(|world| {
        let record = world.open_record(&PAT_TROIS);
        let consent = world.consents(&PAT_TROIS, Kind::Autorisation, GENERAL_PRACTITIONER).expect(201);
        let path = format!("Consent/{}", id(&consent));
        let end = json!([{"op": "replace", "path": "/status", "value": "inactive"}]);
        assert_eq!(world.general_practitioner().get(&format!("Patient/{}", record.patient)).status, 200);
        patch(&world.general_practitioner(), &path, &end).refuses(403, "forbidden", None);
        let foreign = json!([{"op": "replace", "path": "/provision/actor/0/reference", "value": professional(STRANGER)}]);
        patch(&world.patient(&PAT_TROIS), &path, &foreign).refuses(422, "", None);
        patch(&world.patient(&PAT_TROIS), &path, &end).expect(200);
        assert_eq!(world.general_practitioner().get(&format!("Patient/{}", record.patient)).status, 403);
        delete(&world.patient(&PAT_TROIS), &path).refuses(405, "not-supported", None);
    });
}

#[test]
fn the_answer_of_a_write_is_what_prefer_asks_for() {
    on_both(|world| {
        let (_, doctor, body) = filed(world);
        let path = format!("Observation/{}", id(&body));
        let minimal = with(&doctor, "PUT", &path, ("Prefer", "return=minimal"), &body);
        assert_eq!((minimal.status, minimal.body.len(), minimal.header("etag")), (200, 0, "W/\"2\""));
        let outcome = with(&doctor, "PUT", &path, ("Prefer", "return=OperationOutcome"), &body).expect(200);
        assert_eq!(outcome["resourceType"], "OperationOutcome");
        let whole = with(&doctor, "PUT", &path, ("Prefer", "return=representation"), &body).expect(200);
        assert_eq!(whole["resourceType"], "Observation");
    });
}

#[test]
fn every_refused_change_is_traced_and_leaves_nothing_behind() {
    on_both(|world| {
        let (patient, doctor, body) = filed(world);
        let path = format!("Observation/{}", id(&body));
        let before = world.counts();
        let refused = [
            world.stranger().put(&path, &body),
            delete(&world.stranger(), &path),
            patch(&world.stranger(), &path, &json!([])),
            delete(&doctor, &format!("Observation?patient={patient}&nonsense=1")),
            doctor.put("Observation?code=1&code:nonsense=2", &body),
        ];
        for answer in &refused {
            assert!(matches!(answer.status, 400 | 403), "{}", answer.text());
        }
        assert_eq!(world.counts(), before);
        let rows = world.trace_rows();
        world.stranger().put(&path, &body).refuses(403, "", None);
        assert_eq!(world.trace_rows(), rows + 1);
        assert_eq!(world.last_traced(), (dmp_fhir::audit::Action::Update, 403));
    });
}

#[test]
fn a_label_that_is_not_enforced_is_refused_and_never_dropped() {
    on_both(|world| {
        let record = world.open_record_for_practitioner(&PAT_TROIS);
        let doctor = world.general_practitioner();
        let labelled = |system: &str, code: &str| {
            json!({"resourceType": "Observation", "meta": {"security": [{"system": system, "code": code}]}, "status": "final",
                "code": {"text": "x"}, "subject": {"reference": format!("Patient/{}", record.patient)}})
        };
        let confidentiality = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality";
        for (system, code) in
            [(confidentiality, "R"), (confidentiality, "V"), ("http://example.org", "N"), ("urn:x", "MASQUE_PS")]
        {
            let answer = doctor.post("Observation", &labelled(system, code));
            answer.refuses(422, "business-rule", Some("Observation.meta.security[0]"));
        }
        let stored = doctor.post("Observation", &labelled(confidentiality, "N")).expect(201);
        let id = stored["id"].as_str().unwrap();
        let patch = json!([{"op": "add", "path": "/meta/security", "value": [{"system": "urn:x", "code": "R"}]}]);
        doctor.patch(&format!("Observation/{id}"), &patch).refuses(422, "business-rule", Some("Observation.meta.security[0]"));
        assert_eq!(doctor.read(&format!("Observation/{id}"))["meta"]["versionId"], "1");
    });
}
