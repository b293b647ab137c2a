//! JSON and XML both ways, cache headers, and an OperationOutcome for every error (<https://hl7.org/fhir/R4/http.html>).
use crate::harness::server::World;
use crate::harness::{Actor, Answer, PAT_TROIS, Report, on_both};

fn filed(world: &World) -> String {
    let record = world.open_record_for_practitioner(&PAT_TROIS);
    Report::of(&PAT_TROIS, 1).result("3016-3", "2.10", "m[IU]/L", "20260401").deposit().filed_by(&world.hospital_system());
    record.patient
}

fn accept(actor: &Actor, path: &str, accept: &str) -> Answer {
    actor.send("GET", path, &[("Accept", accept)], Vec::new())
}

#[test]
fn the_answer_has_the_format_that_is_asked_for() {
    on_both(|world| {
        let patient = filed(world);
        let doctor = world.general_practitioner();
        let path = format!("Patient/{patient}");
        let table = [
            ("application/fhir+json", "application/fhir+json"),
            ("application/json", "application/fhir+json"),
            ("application/json+fhir", "application/fhir+json"),
            ("*/*", "application/fhir+json"),
            ("application/fhir+xml", "application/fhir+xml"),
            ("application/xml", "application/fhir+xml"),
            ("text/xml", "application/fhir+xml"),
            ("application/fhir+json;q=0.5, application/fhir+xml", "application/fhir+xml"),
            ("application/fhir+json; fhirVersion=4.0", "application/fhir+json"),
        ];
        for (asked, given) in table {
            let answer = accept(&doctor, &path, asked);
            assert_eq!(answer.status, 200, "{asked}: {}", answer.text());
            assert!(answer.header("content-type").starts_with(given), "{asked}: {}", answer.header("content-type"));
            let first = if given.ends_with("xml") { "<" } else { "{" };
            assert!(answer.text().starts_with(first), "{asked}");
        }
        assert_eq!(accept(&doctor, &path, "text/csv").status, 406);
        assert_eq!(accept(&doctor, &path, "application/fhir+json; fhirVersion=3.0").status, 406);
    });
}

#[test]
fn the_parameter_format_wins_over_accept() {
    on_both(|world| {
        let patient = filed(world);
        let doctor = world.general_practitioner();
        for (format, given) in [("json", "json"), ("xml", "xml"), ("application/fhir%2Bxml", "xml"), ("text/xml", "xml")] {
            let answer = doctor.get(&format!("Patient/{patient}?_format={format}"));
            assert_eq!(answer.status, 200, "{format}: {}", answer.text());
            assert!(answer.header("content-type").starts_with(&format!("application/fhir+{given}")), "{format}");
        }
        let pretty = doctor.get(&format!("Patient/{patient}?_pretty=true")).text();
        let plain = doctor.get(&format!("Patient/{patient}")).text();
        assert!(pretty.lines().count() > 3 && plain.lines().count() == 1);
    });
}

#[test]
fn a_decimal_keeps_its_digits_in_both_formats() {
    on_both(|world| {
        let patient = filed(world);
        let doctor = world.general_practitioner();
        let path = format!("Observation?patient={patient}&code=3016-3");
        assert!(accept(&doctor, &path, "application/fhir+json").text().contains(r#""value":2.10"#));
        assert!(accept(&doctor, &path, "application/fhir+xml").text().contains(r#"<value value="2.10"/>"#));
    });
}

#[test]
fn a_body_in_xml_is_read() {
    on_both(|world| {
        world.open_record(&PAT_TROIS);
        let xml = format!(
            r#"<?xml version="1.0" encoding="utf-8"?><Observation xmlns="http://hl7.org/fhir"><status value="final"/>
            <code><coding><system value="http://loinc.org"/><code value="8867-4"/></coding></code>
            <subject><identifier><system value="urn:oid:{}"/><value value="{}"/></identifier></subject>
            <effectiveDateTime value="2026-04-01T08:00:00+02:00"/>
            <valueQuantity><value value="72.0"/><unit value="/min"/><system value="http://unitsofmeasure.org"/><code value="/min"/></valueQuantity>
            </Observation>"#,
            PAT_TROIS.oid, PAT_TROIS.ins
        );
        for media_type in ["application/fhir+xml", "application/xml", "text/xml; charset=utf-8"] {
            let headers = [("Content-Type", media_type), ("Accept", "application/fhir+json")];
            let created = world.hospital_system().send("POST", "Observation", &headers, xml.clone().into_bytes()).expect(201);
            assert_eq!(created["valueQuantity"]["value"].to_string(), "72.0");
        }
        let headers = [("Content-Type", "text/plain"), ("Accept", "application/fhir+json")];
        world.hospital_system().send("POST", "Observation", &headers, xml.into_bytes()).refuses(415, "not-supported", None);
    });
}

#[test]
fn a_copy_that_is_up_to_date_is_not_sent_again() {
    on_both(|world| {
        let patient = filed(world);
        let doctor = world.general_practitioner();
        let path = format!("Patient/{patient}");
        let first = doctor.get(&path);
        assert_eq!(first.header("etag"), "W/\"1\"");
        let modified = first.header("last-modified").to_owned();
        assert!(modified.ends_with(" GMT"), "{modified}");
        for condition in [("If-None-Match", "W/\"1\""), ("If-Modified-Since", &modified)] {
            let again = doctor.send("GET", &path, &[("Accept", "application/fhir+json"), condition], Vec::new());
            assert_eq!((again.status, again.body.len()), (304, 0), "{condition:?}");
        }
        let changed = doctor.send("GET", &path, &[("Accept", "application/fhir+json"), ("If-None-Match", "W/\"2\"")], Vec::new());
        assert_eq!(changed.status, 200);
        assert_eq!(changed.json()["meta"]["versionId"], "1");
    });
}

#[test]
fn a_created_resource_says_where_it_is() {
    on_both(|world| {
        world.open_record(&PAT_TROIS);
        let answer =
            Report::of(&PAT_TROIS, 1).result("3016-3", "2.10", "m[IU]/L", "20260401").deposit().by(&world.hospital_system());
        let location = answer.header("location").to_owned();
        assert_eq!(answer.header("etag"), "W/\"1\"");
        let created = answer.expect(201);
        let id = created["id"].as_str().unwrap();
        assert!(location.ends_with(&format!("/DocumentReference/{id}/_history/1")), "{location}");
        assert_eq!(world.hospital_system().read(&location)["id"], id);
    });
}

#[test]
fn every_error_is_an_operation_outcome() {
    on_both(|world| {
        let patient = filed(world);
        let doctor = world.general_practitioner();
        let system = world.hospital_system();
        let json = [("Content-Type", "application/fhir+json"), ("Accept", "application/fhir+json")];
        doctor.get("Nonsense/1").refuses(404, "not-found", None);
        doctor.get("Nonsense").refuses(404, "not-found", None);
        doctor.get(&format!("Observation?patient={patient}&nonsense=1")).refuses(400, "not-supported", None);
        doctor.get(&format!("Observation?patient={patient}&code:nonsense=1")).refuses(400, "not-supported", None);
        doctor.get(&format!("Observation?patient={patient}&date=gibberish")).refuses(400, "value", None);
        doctor.send("DELETE", &format!("Patient/{patient}"), &json[1..], Vec::new()).refuses(405, "not-supported", None);
        system.send("POST", "Observation", &json, b"{".to_vec()).refuses(400, "structure", None);
        system.send("POST", "Observation", &json, br#"{"resourceType":"Patient"}"#.to_vec()).refuses(400, "", None);
        system.send("POST", "Observation", &json, br#"{"resourceType":"Observation","nonsense":1}"#.to_vec()).refuses(
            422,
            "structure",
            Some("Observation.nonsense"),
        );
        let refused = accept(&world.stranger(), &format!("Patient/{patient}"), "application/fhir+xml");
        assert_eq!(refused.status, 403);
        assert!(refused.text().contains("<OperationOutcome xmlns=\"http://hl7.org/fhir\">"), "{}", refused.text());
    });
}

#[test]
fn an_unknown_parameter_is_left_out_where_the_client_is_lenient() {
    on_both(|world| {
        let patient = filed(world);
        let headers = [("Accept", "application/fhir+json"), ("Prefer", "handling=lenient")];
        let path = format!("Observation?patient={patient}&nonsense=1&code=3016-3");
        let bundle = world.general_practitioner().send("GET", &path, &headers, Vec::new()).expect(200);
        let own = crate::harness::actor::link(&bundle, "self").unwrap();
        assert!(own.contains("code=3016-3") && !own.contains("nonsense"), "{own}");
        let outcome = bundle["entry"].as_array().unwrap().iter().find(|entry| entry["search"]["mode"] == "outcome");
        assert!(outcome.is_some_and(|outcome| outcome["resource"]["resourceType"] == "OperationOutcome"), "{bundle}");
    });
}

#[test]
fn the_statement_is_the_same_in_every_form_and_dated_by_the_start() {
    on_both(|world| {
        let anyone = world.bearer(None);
        let plain = anyone.get("metadata");
        let (statement, again) = (plain.json(), anyone.read("metadata"));
        assert_eq!(statement, again);
        let date = statement["date"].as_str().unwrap();
        assert!(date.starts_with(&crate::harness::day(0)) || date.starts_with(&crate::harness::day(-1)), "{date}");
        let pretty = anyone.get("metadata?_pretty=true");
        assert_eq!(pretty.json(), statement);
        assert!(pretty.body.len() > plain.body.len());
        let headers = [("Accept", "application/fhir+json"), ("Accept-Encoding", "gzip")];
        let packed = anyone.send("GET", "metadata", &headers, Vec::new());
        assert_eq!(packed.header("content-encoding"), "gzip");
        let mut unpacked = String::new();
        std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(packed.body.as_slice()), &mut unpacked).unwrap();
        assert_eq!(unpacked, plain.text());
        for _ in 0..2 {
            let xml = accept(&anyone, "metadata", "application/fhir+xml");
            assert!(xml.header("content-type").starts_with("application/fhir+xml"));
            assert!(xml.text().contains(&format!("<date value=\"{date}\"/>")), "{}", xml.text());
        }
        anyone.get("metadata?_format=text/csv").refuses(406, "", None);
        assert_eq!(anyone.send("HEAD", "metadata", &headers, Vec::new()).status, 200);
    });
}
