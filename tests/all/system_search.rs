//! Searches over several types and in a compartment: R4 http.html#search and #vsearch, rule H58.
use crate::harness::actor::{link, resources};
use crate::harness::hidden::{delete, label};
use crate::harness::server::World;
use crate::harness::{Actor, CHILD, PAT_TROIS, on_both};
use dmp_fhir::policy::permit::label;
use serde_json::{Value, json};

fn body(resource_type: &str, patient: &str, day: &str) -> Value {
    let mut body = json!({"resourceType": resource_type, "code": {"coding": [{"system": "http://loinc.org", "code": "2160-0"}]},
        "subject": {"reference": format!("Patient/{patient}")}});
    if resource_type == "Condition" {
        body["onsetDateTime"] = json!(day);
    } else {
        body["status"] = json!("final");
        body["effectiveDateTime"] = json!(day);
    }
    body
}

fn create(actor: &Actor, body: &Value) -> String {
    let resource_type = body["resourceType"].as_str().unwrap();
    actor.post(resource_type, body).expect(201)["id"].as_str().unwrap().to_owned()
}

fn ids(pages: &[Value]) -> Vec<String> {
    pages.iter().flat_map(resources).map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

/// Observation and Condition in turn, from January to June; ids in that order.
fn filed(world: &World) -> (String, Vec<String>) {
    let patient = world.open_record_for_practitioner(&PAT_TROIS).patient;
    let doctor = world.general_practitioner();
    let of_month = |month: usize| {
        let resource_type = if month.is_multiple_of(2) { "Condition" } else { "Observation" };
        create(&doctor, &body(resource_type, &patient, &format!("2026-0{month}-01")))
    };
    let ids = (1..=6).map(of_month).collect();
    (patient, ids)
}

#[test]
fn several_types_are_searched_at_once_in_one_order_page_by_page() {
    on_both(|world| {
        let (patient, ids_of) = filed(world);
        let doctor = world.general_practitioner();
        let query = format!("?_type=Observation,Condition&patient={patient}");
        let newest: Vec<String> = ids_of.iter().rev().cloned().collect();
        let whole = doctor.read(&query);
        assert_eq!((ids(std::slice::from_ref(&whole)), &whole["total"]), (newest.clone(), &json!(6)));
        assert_eq!(link(&whole, "self").unwrap(), format!("{}{query}", doctor.base), "the search as it was understood");
        let pages = doctor.pages(&format!("{query}&_count=2"));
        assert_eq!((ids(&pages), pages.len()), (newest, 3));
        assert!(pages.iter().all(|page| page["total"] == 6));
        let oldest = doctor.pages(&format!("{query}&_sort=_lastUpdated&_count=4"));
        assert_eq!(ids(&oldest), ids_of);
        let form = [("Content-Type", "application/x-www-form-urlencoded")];
        let posted = doctor.send("POST", "_search", &form, query.trim_start_matches('?').as_bytes().to_vec());
        assert_eq!(ids(&[posted.expect(200)]).len(), 6);
        let counted = doctor.read(&format!("{query}&_summary=count"));
        assert_eq!((&counted["total"], ids(std::slice::from_ref(&counted)).len()), (&json!(6), 0));
        assert_eq!(doctor.read(&format!("?_type=Observation&_type=Condition&patient={patient}&code=2160-0"))["total"], 6);
    });
}

#[test]
fn its_pages_neither_lose_nor_repeat_while_others_write() {
    on_both(|world| {
        let (patient, ids_of) = filed(world);
        let doctor = world.general_practitioner();
        let mut seen = Vec::new();
        let mut next = format!("?_type=Observation,Condition&patient={patient}&_count=1");
        loop {
            let page = doctor.read(&next);
            seen.extend(ids(std::slice::from_ref(&page)));
            create(&doctor, &body("Condition", &patient, "2026-02-15"));
            match link(&page, "next") {
                Some(more) => next = more,
                None => break,
            }
        }
        assert_eq!(seen, ids_of.iter().rev().cloned().collect::<Vec<_>>());
    });
}

#[test]
fn a_parameter_that_is_not_of_all_types_is_refused() {
    on_both(|world| {
        let (patient, _) = filed(world);
        let doctor = world.general_practitioner();
        for query in [
            format!("_type=Observation,Condition&patient={patient}&onset-date=2026"),
            format!("_type=Observation,Condition&patient={patient}&_sort=onset-date"),
            format!("_type=Observation,Unknown&patient={patient}"),
            format!("_type=Observation,AuditEvent&patient={patient}"),
            format!("_type=&patient={patient}"),
            format!("_type=Observation,Condition&patient={patient}&_include=Observation:subject"),
            format!("patient={patient}"),
        ] {
            doctor.get(&format!("?{query}")).refuses(400, "", None);
            let lenient = doctor.send("GET", &format!("?{query}"), &[("Prefer", "handling=lenient")], Vec::new());
            assert_eq!(lenient.status, 400, "{query}: {}", lenient.text());
        }
        // Over several records a criterion must bound it.
        doctor.get("?_type=Observation,Condition&_lastUpdated=ge2020").refuses(400, "too-costly", None);
        assert_eq!(doctor.read("?_type=Observation,Condition&code=2160-0&_total=accurate")["total"], 6, "my records");
    });
}

#[test]
fn a_compartment_is_the_record() {
    on_both(|world| {
        let (patient, ids_of) = filed(world);
        let doctor = world.general_practitioner();
        let own = format!("Patient/{patient}");
        let found = doctor.read(&format!("{own}/Observation?code=2160-0&_count=2"));
        assert_eq!((ids(std::slice::from_ref(&found)), &found["total"]), (vec![ids_of[4].clone(), ids_of[2].clone()], &json!(3)));
        assert!(link(&found, "self").unwrap().starts_with(&format!("{}/{own}/Observation?", doctor.base)));
        assert_eq!(ids(&doctor.pages(&format!("{own}/Observation?_count=1"))).len(), 3, "its next links work");
        let all = doctor.pages(&format!("{own}/*?_count=4"));
        let all_ids = ids(&all);
        assert!(ids_of.iter().all(|id| all_ids.contains(id)) && all_ids.contains(&patient));
        assert_eq!(all[0]["total"].as_u64().unwrap(), u64::try_from(all_ids.len()).unwrap());
        assert_eq!(ids(&doctor.pages(&format!("{own}/*?_type=Condition"))).len(), 3);
        let form = [("Content-Type", "application/x-www-form-urlencoded")];
        let posted = doctor.send("POST", &format!("{own}/Condition/_search"), &form, b"_count=1".to_vec());
        assert_eq!(posted.expect(200)["total"], 3);
        doctor.get(&format!("{own}/Practitioner")).refuses(404, "not-found", None);
        doctor.get(&format!("{own}/Observation?unknown=1")).refuses(400, "", None);
    });
}

#[test]
fn a_compartment_is_of_its_own_patient_whatever_the_query_names() {
    on_both(|world| {
        let (patient, _) = filed(world);
        let other = world.open_record_for_practitioner(&CHILD).patient;
        create(&world.general_practitioner(), &body("Observation", &other, "2026-01-01"));
        let doctor = world.general_practitioner();
        doctor.get(&format!("Patient/{patient}/Observation?patient.identifier={}", CHILD.token())).refuses(400, "", None);
        assert_eq!(doctor.read(&format!("Patient/{patient}/Observation?patient={other}"))["total"], 0);
        assert_eq!(doctor.read(&format!("Patient/{patient}/Observation?patient.identifier={}", PAT_TROIS.token()))["total"], 3);
        doctor.get(&format!("Patient/{patient}/*?_type=Observation&patient.identifier={}", CHILD.token())).refuses(400, "", None);
    });
}

#[test]
fn what_is_hidden_is_in_neither_nor_in_their_totals() {
    on_both(|world| {
        let patient = world.open_record_for_practitioner(&PAT_TROIS).patient;
        let other = world.open_record(&CHILD).patient;
        let system = world.hospital_system();
        create(&system, &body("Observation", &other, "2026-01-01"));
        let ids_of: Vec<String> =
            (1..=4).map(|month| create(&system, &body("Observation", &patient, &format!("2026-0{month}-01")))).collect();
        for (id, labels) in ids_of.iter().zip([label::MASQUE_PS, label::WITHDRAWN, label::INVISIBLE_PATIENT]) {
            label(world, "Observation", id, labels, &["finess:120459876"]);
        }
        let own = create(&world.general_practitioner(), &body("Condition", &patient, "2026-09-01"));
        let deleted = create(&system, &body("Condition", &patient, "2026-10-01"));
        delete(world, "Condition", &deleted);
        for query in [
            format!("?_type=Observation,Condition&patient={patient}"),
            format!("Patient/{patient}/*?_type=Observation,Condition"),
        ] {
            let of = |actor: &Actor| {
                let page = actor.read(&query);
                assert_eq!(page["total"].as_u64().unwrap(), u64::try_from(resources(&page).len()).unwrap());
                ids(&[page])
            };
            assert_eq!(of(&world.general_practitioner()), [own.clone(), ids_of[3].clone(), ids_of[2].clone()]);
            assert_eq!(of(&world.patient(&PAT_TROIS)), [own.clone(), ids_of[3].clone(), ids_of[0].clone()]);
            assert_eq!(of(&system), [ids_of[3].clone(), ids_of[2].clone(), ids_of[0].clone()], "what he deposited himself");
            world.stranger().get(&query).refuses(403, "forbidden", None);
            world.patient(&CHILD).get(&query).refuses(403, "forbidden", None);
        }
    });
}
