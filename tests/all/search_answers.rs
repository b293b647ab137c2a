//! What a searchset holds beside its matches: parts of resources, order, directory; and what it never shows.
use crate::harness::actor::{link, resources};
use crate::harness::people::Kind;
use crate::harness::server::{STRANGER, World};
use crate::harness::{Actor, CHILD, PAT_TROIS, Report, on_both};
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn filed(world: &World) -> String {
    let patient = world.open_record_for_practitioner(&PAT_TROIS).patient;
    let mut report = Report::of(&PAT_TROIS, 1);
    for (code, value) in [("3016-3", "2.10"), ("2160-0", "80"), ("2951-2", "140")] {
        report = report.result(code, value, "1", "20260401");
    }
    report.deposit().filed_by(&world.hospital_system());
    patient
}

fn names(resource: &Value) -> BTreeSet<&str> {
    resource.as_object().unwrap().keys().map(String::as_str).collect()
}

fn is_subsetted(resource: &Value) -> bool {
    resource["meta"]["tag"]
        .as_array()
        .into_iter()
        .flatten()
        .any(|tag| tag["code"] == "SUBSETTED" && tag["system"] == "http://terminology.hl7.org/CodeSystem/v3-ObservationValue")
}

#[test]
fn elements_leaves_the_named_the_mandatory_and_what_changes_the_meaning() {
    on_both(|world| {
        let patient = filed(world);
        let doctor = world.general_practitioner();
        let page = doctor.read(&format!("Observation?patient={patient}&code=3016-3&_elements=value,subject"));
        let found = &resources(&page)[0];
        assert_eq!(names(found), BTreeSet::from(["resourceType", "id", "meta", "status", "code", "subject", "valueQuantity"]));
        assert_eq!(found["valueQuantity"]["value"].to_string(), "2.10", "a decimal keeps its digits");
        assert!(is_subsetted(found) && found["meta"]["source"].is_string(), "{found}");
        assert!(link(&page, "self").unwrap().contains("_elements=value"));
        for wrong in ["nonsense", "value,nonsense", "value.unit"] {
            let answer = doctor.get(&format!("Observation?patient={patient}&_elements={wrong}"));
            assert_eq!(answer.status, 400, "{wrong}: {}", answer.text());
        }
    });
}

#[test]
fn elements_cuts_matches_and_not_what_is_included() {
    on_both(|world| {
        let patient = filed(world);
        let page = world
            .general_practitioner()
            .read(&format!("Observation?patient={patient}&code=3016-3&_elements=subject&_include=Observation:subject"));
        let all = resources(&page);
        assert!(is_subsetted(&all[0]) && all[0]["valueQuantity"].is_null());
        let patient = all.iter().find(|found| found["resourceType"] == "Patient").unwrap();
        assert!(!is_subsetted(patient) && patient["birthDate"].is_string(), "{patient}");
    });
}

#[test]
fn summary_gives_the_number_the_narrative_or_the_data() {
    on_both(|world| {
        let patient = filed(world);
        let doctor = world.general_practitioner();
        let query = format!("Composition?patient={patient}");
        let page = |summary: &str| doctor.read(&format!("{query}&_summary={summary}"));
        let count = page("count");
        assert_eq!((&count["total"], &count["entry"], link(&count, "next")), (&json!(1), &Value::Null, None));
        let count = doctor.read("Observation?code=3016-3&_summary=count");
        assert_eq!((&count["total"], &count["entry"]), (&json!(1), &Value::Null), "over several records too");
        let whole = &resources(&page("false"))[0];
        assert!(!is_subsetted(whole) && !whole["section"].is_null());
        let text = &resources(&page("text"))[0];
        assert!(is_subsetted(text));
        let mandatory = ["resourceType", "id", "meta", "status", "type", "date", "author", "title"];
        assert!(mandatory.iter().all(|name| !text[*name].is_null()), "{text}");
        assert!(text["section"].is_null() && text["custodian"].is_null(), "{text}");
        assert_eq!(text["text"], whole["text"]);
        let data = &resources(&page("data"))[0];
        assert!(is_subsetted(data) && data["text"].is_null() && !data["section"].is_null(), "{data}");
    });
}

#[test]
fn the_summary_has_what_r4_marks_what_is_mandatory_and_what_changes_the_meaning() {
    on_both(|world| {
        let patient = filed(world);
        let doctor = world.general_practitioner();
        let page = doctor.read(&format!("Observation?patient={patient}&code=3016-3&_summary=true"));
        let found = &resources(&page)[0];
        let expected = [
            "resourceType",
            "id",
            "meta",
            "status",
            "code",
            "subject",
            "effectiveDateTime",
            "issued",
            "performer",
            "valueQuantity",
        ];
        assert_eq!(names(found), BTreeSet::from(expected), "{found}");
        assert_eq!(found["valueQuantity"]["value"].to_string(), "2.10", "a decimal keeps its digits");
        assert!(is_subsetted(found), "{found}");
        assert_eq!(found["code"]["coding"][0]["code"], "3016-3", "what a summary element holds stays");
        let person = &resources(&doctor.read(&format!("Patient?_id={patient}&_summary=true")))[0];
        assert!(person["birthDate"].is_string() && person["name"][0]["family"].is_string(), "{person}");
        assert!(person["extension"].is_null() && person["text"].is_null(), "{person}");
        let page = doctor.read(&format!("Composition?patient={patient}&_summary=true"));
        let composition = &resources(&page)[0];
        assert!(composition["section"].is_null() && composition["title"].is_string(), "{composition}");
        let page = doctor.read(&format!("DocumentReference?patient={patient}&_summary=true"));
        let document = &resources(&page)[0];
        let content = &document["content"][0]["attachment"];
        assert!(content["contentType"].is_string() && content["url"].is_string(), "{document}");
        assert!(link(&page, "self").unwrap().contains("_summary=true"));
    });
}

#[test]
fn a_summary_that_r4_forbids_is_refused() {
    on_both(|world| {
        let patient = filed(world);
        let doctor = world.general_practitioner();
        for query in ["_summary=some", "_summary=text&_include=Observation:subject", "_summary=data&_elements=value"] {
            doctor.get(&format!("Observation?patient={patient}&{query}")).refuses(400, "", None);
        }
    });
}

#[test]
fn one_record_is_sorted_by_code_string_or_reference() {
    on_both(|world| {
        let patient = filed(world);
        let doctor = world.general_practitioner();
        let codes = |sort: &str| -> Vec<String> {
            let query = format!("Observation?patient={patient}&code=3016-3,2160-0,2951-2&_count=2&_sort={sort}");
            let found = doctor.search(&query);
            found.iter().map(|found| found["code"]["coding"][0]["code"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(codes("code"), ["2160-0", "2951-2", "3016-3"]);
        assert_eq!(codes("-code"), ["3016-3", "2951-2", "2160-0"]);
        assert_eq!(codes("status,-code"), ["3016-3", "2951-2", "2160-0"]);
        assert_eq!(codes("subject,code"), ["2160-0", "2951-2", "3016-3"]);
        let across = doctor.search("Observation?code=3016-3,2160-0,2951-2&_count=2&_sort=-code");
        let across: Vec<&str> = across.iter().map(|found| found["code"]["coding"][0]["code"].as_str().unwrap()).collect();
        assert_eq!(across, ["3016-3", "2951-2", "2160-0"], "over several records too");
    });
}

#[test]
fn a_professional_lists_his_patients() {
    on_both(|world| {
        world.open_record_for_practitioner(&PAT_TROIS);
        world.open_record(&CHILD);
        let given = |actor: &Actor, query: &str| -> Vec<String> {
            actor.search(query).iter().map(|found| found["name"][0]["given"][0].as_str().unwrap().to_owned()).collect()
        };
        for query in ["Patient", "Patient?_lastUpdated=gt2020", "Patient?gender:not=unknown", "Patient?_count=1"] {
            assert_eq!(given(&world.general_practitioner(), query), [PAT_TROIS.given], "{query}");
            assert!(given(&world.stranger(), query).is_empty(), "{query}");
        }
    });
}

fn organization() -> Value {
    json!({"resourceType": "Organization", "active": true, "name": "Laboratoire des charmes",
        "identifier": [{"system": "urn:oid:1.2.250.1.71.4.2.2", "value": "1120459876"}]})
}

fn observation(patient: &str, organization: &str) -> Value {
    json!({"resourceType": "Observation", "status": "final", "code": {"coding": [{"system": "http://loinc.org", "code": "8302-2"}]},
        "subject": {"reference": format!("Patient/{patient}")}, "effectiveDateTime": "2026-05-01",
        "performer": [{"reference": organization}], "valueQuantity": {"value": 171, "unit": "cm"}})
}

#[test]
fn data_of_a_record_refer_to_the_directory_and_include_what_is_there() {
    on_both(|world| {
        let patient = world.open_record_for_practitioner(&PAT_TROIS).patient;
        let created = world.directory_system().post("Organization", &organization()).expect(201);
        let reference = format!("Organization/{}", created["id"].as_str().unwrap());
        world.hospital_system().post("Observation", &observation(&patient, &reference)).expect(201);
        let doctor = world.general_practitioner();
        for query in [
            format!("Observation?patient={patient}&_include=Observation:performer"),
            "Observation?code=8302-2&_include=Observation:performer".to_owned(),
            format!("Observation?patient={patient}&performer={reference}&_include=*"),
            format!("Observation?patient={patient}&performer:Organization.name=laboratoire&_include=*"),
            "Observation?code=8302-2&performer:Organization.name=laboratoire&_include=*".to_owned(),
        ] {
            let page = doctor.read(&query);
            let found = resources(&page);
            assert!(found.iter().any(|found| found["id"] == created["id"]), "{query}: {page:#}");
        }
        assert!(doctor.search(&format!("Observation?patient={patient}&performer:Organization.name=autre")).is_empty());
        doctor.get("Observation?performer:Organization.name=laboratoire").refuses(400, "", None);
        // What the directory holds says nothing of how many candidates his records have.
        doctor.get("CarePlan?performer:HealthcareService.active=true").refuses(400, "too-costly", None);
        let missing = observation(&patient, &format!("Organization/{patient}"));
        world.hospital_system().post("Observation", &missing).refuses(422, "", Some("Observation.performer[0].reference"));
    });
}

/// Two records of the practitioner, each with one result.
fn two(world: &World) -> [String; 2] {
    [(&PAT_TROIS, 1, "8.4"), (&CHILD, 2, "9.1")].map(|(person, number, value)| {
        let patient = world.open_record_for_practitioner(person).patient;
        Report::of(person, number).result("4548-4", value, "%", "20260302").deposit().filed_by(&world.hospital_system());
        patient
    })
}

#[test]
fn a_next_link_is_of_its_caller_alone() {
    on_both(|world| {
        two(world);
        world.consents(&PAT_TROIS, Kind::Autorisation, STRANGER).expect(201);
        world.consents(&CHILD, Kind::Autorisation, STRANGER).expect(201);
        for query in ["Observation?code=4548-4&_count=1", "Patient?_count=1"] {
            let next = link(&world.general_practitioner().read(query), "next").unwrap();
            world.stranger().get(&next).refuses(400, "", None);
            assert_eq!(resources(&world.general_practitioner().read(&next)).len(), 1);
        }
    });
}

#[test]
fn two_patients_in_one_query_are_never_one_in_the_scope_of_the_other() {
    on_both(|world| {
        let [first, second] = two(world);
        let stranger = world.stranger();
        world.consents(&PAT_TROIS, Kind::Autorisation, STRANGER).expect(201);
        for query in [
            format!("Observation?patient={first}&patient={second}&code=4548-4"),
            format!("Observation?patient={first},{second}&code=4548-4"),
            format!("Observation?code=4548-4&subject={second}"),
            format!("Observation?patient={first}&code=4548-4&subject={second}"),
        ] {
            let answer = stranger.get(&query);
            assert!(!answer.text().contains("9.1"), "{query}: {}", answer.text());
        }
        let both = format!("Observation?patient={first}&patient={second}&code=4548-4");
        assert!(world.general_practitioner().search(&both).is_empty(), "no result is of two patients");
    });
}

#[test]
fn links_never_lead_into_another_record() {
    on_both(|world| {
        let [first, second] = two(world);
        let doctor = world.general_practitioner();
        for query in [
            format!("Patient?_id={first}&_revinclude=Observation:patient"),
            format!("Observation?patient={first}&_include=*&_revinclude=Provenance:target"),
            format!("Observation?patient={first}&_include:iterate=*"),
        ] {
            assert!(!doctor.read(&query).to_string().contains(&second), "{query}");
        }
        let has = |value: &str| {
            doctor.search(&format!("Patient?_id={first}&_has:Observation:patient:code-value-quantity=4548-4${value}"))
        };
        assert_eq!((has("8.4").len(), has("9.1").len()), (1, 0));
        let chain =
            |patient: &str| doctor.search(&format!("Observation?patient={first}&subject:Patient._id={patient}&code=4548-4"));
        assert_eq!((chain(&first).len(), chain(&second).len()), (1, 0));
        let name = |given: &str| doctor.search(&format!("Observation?code=4548-4&subject:Patient.given={given}")).len();
        assert_eq!(name(CHILD.given), 1);
        assert!(world.stranger().search(&format!("Observation?code=4548-4&subject:Patient.given={}", CHILD.given)).is_empty());
    });
}

#[test]
fn the_trace_is_never_brought_by_a_link() {
    on_both(|world| {
        let [first, _] = two(world);
        for actor in [world.general_practitioner(), world.patient(&PAT_TROIS)] {
            for query in [
                format!("Patient?_id={first}&_revinclude=AuditEvent:patient"),
                format!("Patient?_id={first}&_revinclude=AuditEvent:*"),
                format!("Observation?patient={first}&_include=*&_revinclude=AuditEvent:entity"),
                format!("Patient?_id={first}&_has:AuditEvent:patient:action=R"),
            ] {
                let answer = actor.get(&query);
                assert!(!answer.text().contains("\"resourceType\":\"AuditEvent\""), "{query}");
                if query.contains("_has") && answer.status == 200 {
                    assert_eq!(answer.json()["total"], 0, "{query}");
                }
            }
        }
    });
}

/// Failures in the trace of this person.
fn failures(world: &World, person: &crate::harness::Person, patient: &str) -> usize {
    let events = world.patient(person).search(&format!("AuditEvent?patient={patient}"));
    events.iter().filter(|event| event["outcome"] == "4").count()
}

#[test]
fn a_refused_transaction_is_traced_in_every_record_that_it_entered() {
    on_both(|world| {
        let [first, second] = two(world);
        let good = |patient: &str| {
            let mut body = observation(patient, "");
            body.as_object_mut().unwrap().remove("performer");
            body
        };
        let transaction = |bodies: [Value; 2]| {
            let entry = bodies.map(|body| json!({"resource": body, "request": {"method": "POST", "url": "Observation"}}));
            json!({"resourceType": "Bundle", "type": "transaction", "entry": entry})
        };
        let bad = observation(&first, "Organization/nowhere");
        let answer = world.hospital_system().post("", &transaction([bad, good(&second)]));
        answer.refuses(422, "", Some("Bundle.entry[0].resource.performer[0].reference"));
        assert_eq!((failures(world, &PAT_TROIS, &first), failures(world, &CHILD, &second)), (1, 1));
        let other = world.hospital_system().post("", &transaction([good(&first), observation(&first, "Organization/nowhere")]));
        other.refuses(422, "", Some("Bundle.entry[1].resource.performer[0].reference"));
        assert_eq!((failures(world, &PAT_TROIS, &first), failures(world, &CHILD, &second)), (2, 1));
    });
}

#[test]
fn a_fault_of_an_opening_names_its_entry() {
    on_both(|world| {
        let mut bundle = crate::harness::server::opening(&PAT_TROIS);
        bundle["entry"].as_array_mut().unwrap().reverse();
        let without = |pointer: &str, name: &str| {
            let mut bundle = bundle.clone();
            bundle.pointer_mut(pointer).unwrap().as_object_mut().unwrap().remove(name);
            world.hospital_system().post("", &bundle)
        };
        without("/entry/1/resource", "gender").refuses(422, "", Some("Bundle.entry[1].resource.gender"));
        let mut inactive = bundle.clone();
        inactive["entry"][0]["resource"]["status"] = json!("inactive");
        world.hospital_system().post("", &inactive).refuses(422, "", Some("Bundle.entry[0].resource.status"));
    });
}
