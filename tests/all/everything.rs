//! Patient/[id]/$everything: R4 patient-operation-everything.
use crate::harness::actor::{link, resources};
use crate::harness::hidden::{delete, label};
use crate::harness::server::World;
use crate::harness::{Actor, CHILD, PAT_TROIS, Report, on_both};
use dmp_fhir::policy::permit::label;
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn observation(patient: &str, day: &str, performer: Option<&str>) -> Value {
    let mut observation = json!({"resourceType": "Observation", "status": "final", "code": {"text": "pas"},
        "subject": {"reference": format!("Patient/{patient}")}, "effectiveDateTime": day});
    if let Some(performer) = performer {
        observation["performer"] = json!([{"reference": performer}]);
    }
    observation
}

fn create(actor: &Actor, body: &Value) -> String {
    let resource_type = body["resourceType"].as_str().unwrap();
    actor.post(resource_type, body).expect(201)["id"].as_str().unwrap().to_owned()
}

fn ids(pages: &[Value]) -> Vec<String> {
    pages.iter().flat_map(resources).map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

/// Ids of the matches of this type.
fn of_type(pages: &[Value], name: &str) -> Vec<String> {
    let of_type = pages.iter().flat_map(resources).filter(|one| one["resourceType"] == name);
    of_type.map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

fn filed(world: &World) -> String {
    let patient = world.open_record_for_practitioner(&PAT_TROIS).patient;
    Report::of(&PAT_TROIS, 1).result("2160-0", "80", "umol/L", "20260301").deposit().filed_by(&world.hospital_system());
    patient
}

#[test]
fn it_gives_the_patient_first_and_every_type_of_the_record_page_by_page() {
    on_both(|world| {
        let patient = filed(world);
        let doctor = world.general_practitioner();
        let whole = doctor.read(&format!("Patient/{patient}/$everything?_count=1000"));
        assert_eq!((&whole["type"], &whole["entry"][0]["resource"]["id"]), (&json!("searchset"), &json!(patient)));
        let types: BTreeSet<String> =
            resources(&whole).iter().map(|one| one["resourceType"].as_str().unwrap().to_owned()).collect();
        for expected in
            ["Patient", "Consent", "DocumentReference", "DiagnosticReport", "Observation", "Composition", "Provenance", "Binary"]
        {
            assert!(types.contains(expected), "{expected} of {types:?}");
        }
        assert!(!types.contains("AuditEvent"), "the trace is the patient's own, by its own search");
        let all = ids(std::slice::from_ref(&whole));
        assert_eq!(whole["total"].as_u64().unwrap(), u64::try_from(all.len()).unwrap());
        let pages = doctor.pages(&format!("Patient/{patient}/$everything?_count=3"));
        assert!(pages.len() > 2 && pages.iter().all(|page| resources(page).len() <= 3 && page["total"] == whole["total"]));
        assert_eq!(ids(&pages), all, "the same over pages");
        let posted = json!({"resourceType": "Parameters", "parameter": [{"name": "_count", "valueInteger": 1000}]});
        let posted = doctor.post(&format!("Patient/{patient}/$everything"), &posted).expect(200);
        assert_eq!(ids(&[posted]), all, "POST with Parameters");
        assert!(link(&whole, "self").unwrap().contains(&format!("Patient/{patient}/$everything")));
    });
}

#[test]
fn it_shows_what_a_search_would_and_no_more() {
    on_both(|world| {
        let patient = filed(world);
        let other = world.open_record(&CHILD).patient;
        let system = world.hospital_system();
        let foreign = create(&system, &observation(&other, "2026-01-01", None));
        let hidden: Vec<String> =
            (1..=4).map(|day| create(&system, &observation(&patient, &format!("2026-02-0{day}"), None))).collect();
        let labels = [label::MASQUE_PS, label::WITHDRAWN, label::INVISIBLE_PATIENT];
        for (id, labels) in hidden.iter().zip(labels) {
            label(world, "Observation", id, labels, &["finess:120459876"]);
        }
        delete(world, "Observation", &hidden[3]);
        // Replaced: its data are not of it.
        Report::of(&PAT_TROIS, 1).version(2).result("2160-0", "81", "umol/L", "20260301").deposit().filed_by(&system);
        for (actor, unseen) in [(world.general_practitioner(), [0, 1, 3]), (world.patient(&PAT_TROIS), [1, 2, 3])] {
            let pages = actor.pages(&format!("Patient/{patient}/$everything"));
            let found = of_type(&pages, "Observation");
            let searched: Vec<String> = actor
                .search(&format!("Observation?patient={patient}"))
                .iter()
                .map(|one| one["id"].as_str().unwrap().to_owned())
                .collect();
            assert_eq!(found, searched);
            assert!(unseen.iter().all(|number| !found.contains(&hidden[*number])) && !found.contains(&foreign));
            assert!(!pages[0].to_string().contains("\"value\":80"), "replaced");
            assert_eq!(pages[0]["total"].as_u64().unwrap(), u64::try_from(ids(&pages).len()).unwrap(), "the total tells no more");
        }
        // The system opened the record and has no authorisation on it: what it wrote itself, as in searches.
        let own = of_type(&system.pages(&format!("Patient/{patient}/$everything")), "Observation");
        assert!(own.contains(&hidden[0]) && own.contains(&hidden[2]) && !own.contains(&hidden[1]) && !own.contains(&hidden[3]));
        let stranger = create(&world.stranger(), &observation(&patient, "2026-03-05", None));
        assert_eq!(world.stranger().get(&format!("Observation/{stranger}")).status, 200);
        world.stranger().get(&format!("Patient/{patient}/$everything")).refuses(403, "forbidden", None);
        world.patient(&CHILD).get(&format!("Patient/{patient}/$everything")).refuses(403, "forbidden", None);
        world.general_practitioner().get(&format!("Patient/{other}/$everything")).refuses(403, "forbidden", None);
        assert_eq!(world.general_practitioner().get("Patient/unknown/$everything").status, 404);
    });
}

#[test]
fn type_since_start_and_end_narrow_it() {
    on_both(|world| {
        let patient = filed(world);
        let doctor = world.general_practitioner();
        let days: Vec<String> = ["2025-01-10", "2025-06-10", "2026-01-10"]
            .iter()
            .map(|day| create(&doctor, &observation(&patient, day, None)))
            .collect();
        let all = |query: &str| doctor.pages(&format!("Patient/{patient}/$everything?{query}"));
        let pages = all("_type=Observation,Patient&start=2025-02&end=2025-12");
        assert_eq!(ids(&pages), [patient.clone(), days[1].clone()]);
        assert_eq!(pages[0]["total"], 2);
        assert_eq!(ids(&all("_type=Observation&end=2025-06-10")), [days[1].clone(), days[0].clone()], "the end includes its day");
        let since = doctor.read(&format!("Observation/{}", days[1]))["meta"]["lastUpdated"].as_str().unwrap().to_owned();
        assert_eq!(ids(&all(&format!("_type=Observation&_since={since}"))), [days[2].clone(), days[1].clone()]);
        for query in ["code=1", "_type=Unknown", "_type=AuditEvent", "start=soon", "_count=1&_count=2", "_since="] {
            doctor.get(&format!("Patient/{patient}/$everything?{query}")).refuses(400, "", None);
        }
    });
}

#[test]
fn what_the_record_refers_to_in_the_directory_comes_with_it_uncounted() {
    on_both(|world| {
        let patient = world.open_record_for_practitioner(&PAT_TROIS).patient;
        let organization = json!({"resourceType": "Organization", "name": "Laboratoire"});
        let organization = create(&world.directory_system(), &organization);
        let doctor = world.general_practitioner();
        create(&doctor, &observation(&patient, "2026-01-10", Some(&format!("Organization/{organization}"))));
        let page = doctor.read(&format!("Patient/{patient}/$everything?_type=Observation,Organization"));
        let modes: Vec<(String, String)> = page["entry"]
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| {
                (
                    entry["resource"]["resourceType"].as_str().unwrap().to_owned(),
                    entry["search"]["mode"].as_str().unwrap().to_owned(),
                )
            })
            .collect();
        assert_eq!(modes, [("Observation".into(), "match".into()), ("Organization".into(), "include".into())]);
        assert_eq!(page["total"], 1);
        assert_eq!(of_type(&[doctor.read(&format!("Patient/{patient}/$everything?_type=Observation"))], "Organization"), [""; 0]);
    });
}
