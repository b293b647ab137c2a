//! What a match points at, and what points at a match, in the same page: only what the caller may see.
use crate::harness::actor::resources;
use crate::harness::server::World;
use crate::harness::{PAT_TROIS, Report, on_both};
use serde_json::Value;
use std::collections::BTreeSet;

fn filed(world: &World) -> String {
    let patient = world.open_record_for_practitioner(&PAT_TROIS).patient;
    let report =
        Report::of(&PAT_TROIS, 1).result("3016-3", "2.1", "m[IU]/L", "20260401").result("3024-7", "9.9", "pg/mL", "20260401");
    report.deposit().filed_by(&world.hospital_system());
    patient
}

/// Types of a page's entries with this search mode.
fn types(page: &Value, mode: &str) -> BTreeSet<String> {
    let entries = page["entry"].as_array().into_iter().flatten().filter(|entry| entry["search"]["mode"] == mode);
    entries.map(|entry| entry["resource"]["resourceType"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn include_brings_what_the_matches_refer_to() {
    on_both(|world| {
        let patient = filed(world);
        let doctor = world.general_practitioner();
        let page = doctor.read(&format!(
            "Observation?patient={patient}&code=3016-3&_include=Observation:subject&_include=Observation:performer"
        ));
        assert_eq!(types(&page, "match"), BTreeSet::from(["Observation".to_owned()]));
        let included = types(&page, "include");
        assert!(included.contains("Patient") && included.contains("PractitionerRole"), "{included:?}");
        assert_eq!(page["total"], 1, "included resources do not count");
    });
}

#[test]
fn a_report_includes_its_results() {
    on_both(|world| {
        let patient = filed(world);
        let doctor = world.general_practitioner();
        let page = doctor.read(&format!("DiagnosticReport?patient={patient}&_include=DiagnosticReport:result"));
        let act =
            resources(&page).into_iter().find(|found| found["resourceType"] == "Observation").expect("the act's Observation");
        assert_eq!(act["code"]["coding"][0]["code"], "18719-5");
        let members: BTreeSet<_> = act["hasMember"]
            .as_array()
            .unwrap()
            .iter()
            .map(|member| doctor.read(member["reference"].as_str().unwrap()))
            .map(|found| found["code"]["coding"][0]["code"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(members, BTreeSet::from(["3016-3".to_owned(), "3024-7".to_owned()]));
    });
}

#[test]
fn revinclude_brings_the_provenance_that_names_the_source() {
    on_both(|world| {
        let patient = filed(world);
        let doctor = world.general_practitioner();
        let page = doctor.read(&format!("Observation?patient={patient}&code=3016-3&_revinclude=Provenance:target"));
        let all = resources(&page);
        let provenance: Vec<_> = all.iter().filter(|found| found["resourceType"] == "Provenance").collect();
        assert_eq!(provenance.len(), 1, "{page:#}");
        let source = provenance[0]["entity"].as_array().unwrap().iter().find_map(|entity| entity["what"]["reference"].as_str());
        let source = doctor.read(source.unwrap_or_else(|| panic!("{:#}", provenance[0])));
        assert!(["DocumentReference", "Binary"].contains(&source["resourceType"].as_str().unwrap()), "{source}");
        let observation = all.iter().find(|found| found["resourceType"] == "Observation").unwrap();
        assert_eq!(observation["meta"]["source"], "urn:oid:1.2.250.1.213.1.1.1.55.2026.1.1");
    });
}

#[test]
fn nothing_is_included_twice() {
    on_both(|world| {
        let patient = filed(world);
        let query = format!(
            "Observation?patient={patient}&_include=Observation:subject&_include=Observation:has-member&_revinclude=Provenance:target"
        );
        let page = world.general_practitioner().read(&query);
        let urls: Vec<_> = page["entry"].as_array().unwrap().iter().map(|entry| entry["fullUrl"].as_str().unwrap()).collect();
        assert_eq!(urls.iter().collect::<BTreeSet<_>>().len(), urls.len(), "{urls:?}");
    });
}

#[test]
fn an_unknown_include_is_refused() {
    on_both(|world| {
        let patient = filed(world);
        let doctor = world.general_practitioner();
        for include in ["Observation:nonsense", "nonsense", "Observation:code"] {
            let answer = doctor.get(&format!("Observation?patient={patient}&_include={include}"));
            assert_eq!(answer.status, 400, "{include}: {}", answer.text());
        }
    });
}
