//! DocumentReference/$docref (IPA), and the spellings of PDSm's search parameters.
use crate::harness::actor::resources;
use crate::harness::hidden::{change, label};
use crate::harness::{CHILD, PAT_TROIS, Report, on_both};
use dmp_fhir::policy::permit::label;
use serde_json::{Value, json};

fn ids(bundle: &Value) -> Vec<String> {
    resources(bundle).iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

fn report(number: u32, version: u32) -> Report {
    Report::of(&PAT_TROIS, number).version(version).result("2160-0", "80", "umol/L", "20260301")
}

#[test]
fn it_finds_the_current_documents_of_a_patient() {
    on_both(|world| {
        let patient = world.open_record_for_practitioner(&PAT_TROIS).patient;
        let system = world.hospital_system();
        report(1, 1).deposit().filed_by(&system);
        let id = |document: Value| document["id"].as_str().unwrap().to_owned();
        let second = id(report(1, 2).deposit().filed_by(&system));
        let other = id(report(2, 1).deposit().filed_by(&system));
        let doctor = world.general_practitioner();
        let found = |query: &str| {
            let mut found = ids(&doctor.read(&format!("DocumentReference/$docref?patient={patient}{query}")));
            found.sort();
            found
        };
        let mut both = vec![second, other];
        both.sort();
        assert_eq!(found(""), both, "a replaced one is not current");
        assert_eq!(found("&type=http://loinc.org|11502-2&on-demand=false"), both);
        assert_eq!(found("&type=http://loinc.org|34133-9"), Vec::<String>::new());
        assert_eq!(found("&start=2026-04-01&end=2026-04-02"), both, "care of 2026-04-02");
        assert_eq!((found("&end=2026-03-01").len(), found("&start=2026-05-01").len()), (0, 0));
        assert_eq!(found("&on-demand=true"), Vec::<String>::new(), "no document is made on demand");
        assert_eq!(found("&profile=http://example.org/none"), Vec::<String>::new());
        let posted = json!({"resourceType": "Parameters", "parameter": [{"name": "patient", "valueId": patient}]});
        assert_eq!(doctor.post("DocumentReference/$docref", &posted).expect(200)["total"], 2);
        for query in [
            "",
            "start=2026",
            &format!("patient={patient}&unknown=1"),
            &format!("patient={patient}&start=soon"),
            &format!("patient={patient}&start=2026&start=2025"),
            &format!("patient={patient}&on-demand=perhaps"),
        ] {
            doctor.get(&format!("DocumentReference/$docref?{query}")).refuses(400, "", None);
        }
    });
}

#[test]
fn it_shows_what_a_search_would_and_no_more() {
    on_both(|world| {
        let patient = world.open_record_for_practitioner(&PAT_TROIS).patient;
        world.open_record(&CHILD);
        let system = world.hospital_system();
        let documents: Vec<String> =
            (1..=4).map(|number| report(number, 1).deposit().filed_by(&system)["id"].as_str().unwrap().to_owned()).collect();
        for (id, labels) in documents.iter().zip([label::MASQUE_PS, label::WITHDRAWN, label::INVISIBLE_PATIENT]) {
            label(world, "DocumentReference", id, labels, &["finess:120459876"]);
        }
        let query = format!("DocumentReference/$docref?patient={patient}");
        let sorted = |mut ids: Vec<String>| {
            ids.sort();
            ids
        };
        let of = |numbers: &[usize]| sorted(numbers.iter().map(|number| documents[*number].clone()).collect());
        assert_eq!(sorted(ids(&world.general_practitioner().read(&query))), of(&[2, 3]));
        assert_eq!(sorted(ids(&world.patient(&PAT_TROIS).read(&query))), of(&[0, 3]));
        assert_eq!(sorted(ids(&system.read(&query))), of(&[0, 2, 3]), "what he deposited himself");
        world.stranger().get(&query).refuses(403, "forbidden", None);
        world.patient(&CHILD).get(&query).refuses(403, "forbidden", None);
    });
}

#[test]
fn the_parameters_of_pdsm_are_served_in_each_spelling() {
    on_both(|world| {
        let patient = world.open_record_for_practitioner(&PAT_TROIS).patient;
        let document = report(1, 1).deposit().filed_by(&world.hospital_system());
        change(world, "DocumentReference", document["id"].as_str().unwrap(), |body| {
            let url = "https://interop.esante.gouv.fr/ig/fhir/pdsm/StructureDefinition/pdsm-ext-is-archived";
            body.insert("extension".into(), json!([{"url": url, "valueBoolean": false}]));
        });
        let doctor = world.general_practitioner();
        for (query, expected) in [
            ("isArchived=false", 1),
            ("PDSm_isArchived=false", 1),
            ("isArchived=true", 0),
            ("PDSm_isArchived=true", 0),
            ("period-start=2026-04-02", 1),
            ("PDSm_DocumentReference_period-start=2026-04-02", 1),
            ("period-start=gt2026-04-02", 0),
            ("period-end=2026-04-02", 1),
            ("PDSm_DocumentReference_period-end=le2026-04-02", 1),
            ("period-end=lt2026-04-02", 0),
            ("creation=2026-04-02", 1),
            ("creation=lt2026-04-02", 0),
            ("date=2026-04-02", 1),
            ("period=2026-04-02", 1),
            ("status=current", 1),
            ("status=superseded", 0),
            ("type=http://loinc.org|11502-2", 1),
            ("type=34133-9", 0),
            ("security-label=N", 1),
            ("security-label=R", 0),
            ("facility=SA25", 1),
            ("event=18719-5", 1),
            ("category:missing=true", 0),
            ("identifier=urn:ietf:rfc:3986|urn:oid:1.2.250.1.213.1.1.1.55.2026.1.1", 1),
        ] {
            let found = doctor.read(&format!("DocumentReference?patient={patient}&{query}"));
            assert_eq!(found["total"], expected, "{query}: {}", found["entry"][0]["resource"]);
        }
    });
}
