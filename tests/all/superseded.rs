//! Data of a replaced document, and results that a report repeats, come back through no door (DESIGN section 4, C7-22).
use crate::harness::actor::{link, resources};
use crate::harness::server::World;
use crate::harness::{CHILD, Deposit, PAT_TROIS, Person, Report, encoded, on_both};
use serde_json::Value;

const TIME: &str = "202603010800+0100";
const SUPERSEDED: &str = "https://dmp-fhir.example/fhir/CodeSystem/data-state|superseded";

/// A report of creatinine 80 and sodium, corrected by one of creatinine 81 alone.
fn corrected(world: &World) -> String {
    let patient = world.open_record_for_practitioner(&PAT_TROIS).patient;
    let first = Report::of(&PAT_TROIS, 1).result("2160-0", "80", "umol/L", TIME).result("2951-2", "140", "mmol/L", TIME);
    first.deposit().filed_by(&world.hospital_system());
    let second = Report::of(&PAT_TROIS, 1).version(2).result("2160-0", "81", "umol/L", TIME);
    second.deposit().filed_by(&world.hospital_system());
    patient
}

/// Values of the Observations of this code in a page, those included too.
fn values(page: &Value, code: &str) -> Vec<String> {
    let all = resources(page);
    let of_code = all.iter().filter(|found| found["code"]["coding"][0]["code"] == code);
    of_code.map(|found| found["valueQuantity"]["value"].to_string()).collect()
}

#[test]
fn replaced_data_are_not_found_from_the_other_side() {
    on_both(|world| {
        let patient = corrected(world);
        let doctor = world.general_practitioner();
        for scope in [String::new(), format!("_id={patient}&")] {
            let has = |criterion: &str| doctor.search(&format!("Patient?{scope}_has:Observation:patient:{criterion}")).len();
            assert_eq!((has("code=2160-0"), has("code=2951-2")), (1, 0), "{scope}");
            assert_eq!((has("code-value-quantity=2160-0$80"), has("code-value-quantity=2160-0$81")), (0, 1), "{scope}");
            assert_eq!(has(&format!("_tag={}", encoded(SUPERSEDED))), 1, "asked for by name");
        }
    });
}

#[test]
fn replaced_data_are_not_found_through_a_chain() {
    on_both(|world| {
        corrected(world);
        let doctor = world.general_practitioner();
        let chain = |criterion: &str| doctor.search(&format!("Provenance?target:Observation.{criterion}")).len();
        assert_eq!((chain("code=2160-0"), chain("code=2951-2")), (1, 0));
        assert_eq!(chain(&format!("_tag={}", encoded(SUPERSEDED))), 1);
    });
}

#[test]
fn replaced_data_are_not_included() {
    on_both(|world| {
        let patient = corrected(world);
        let doctor = world.general_practitioner();
        for query in [
            format!("Patient?_id={patient}&_revinclude=Observation:patient"),
            format!("Patient?_id={patient}&_revinclude=Observation:*"),
        ] {
            let page = doctor.read(&query);
            assert_eq!(values(&page, "2160-0"), ["81"], "{query}");
            assert!(values(&page, "2951-2").is_empty(), "{query}");
        }
        // The Provenance of the first version tells what was made of it, and does not bring it back.
        for query in ["_include=Provenance:target", "_include=*"] {
            let page = doctor.read(&format!("Provenance?entity:DocumentReference.status=superseded&{query}"));
            assert_eq!(page["entry"][0]["resource"]["resourceType"], "Provenance", "{page}");
            assert!(values(&page, "2160-0").is_empty() && values(&page, "2951-2").is_empty(), "{query}");
        }
    });
}

#[test]
fn what_was_replaced_brings_what_it_was_made_with() {
    on_both(|world| {
        let patient = corrected(world);
        let doctor = world.general_practitioner();
        let tag = encoded(SUPERSEDED);
        let page = doctor.read(&format!("Observation?patient={patient}&_tag={tag}&code=18719-5&_include=Observation:has-member"));
        assert_eq!((values(&page, "2160-0"), values(&page, "2951-2")), (vec!["80".to_owned()], vec!["140".to_owned()]));
        let id = resources(&page).into_iter().find(|found| found["valueQuantity"]["value"] == 80).unwrap();
        let id = id["id"].as_str().unwrap();
        assert_eq!(values(&doctor.read(&format!("Observation?patient={patient}&_id={id}")), "2160-0"), ["80"]);
    });
}

/// A report of one HbA1c that repeats an earlier one.
fn repeating(person: &Person, number: u32, value: &str, earlier: &str, time: &str) -> Deposit {
    let report = Report::of(person, number).result("4548-4", value, "%", "20260901");
    let text = String::from_utf8(report.bytes()).unwrap();
    let repeated = format!(
        r#"<entryRelationship typeCode="REFR"><observation classCode="OBS" moodCode="EVN">
        <code code="4548-4" codeSystem="2.16.840.1.113883.6.1"/><statusCode code="completed"/>
        <effectiveTime value="{time}"/><value xsi:type="PQ" value="{earlier}" unit="%"/></observation></entryRelationship>"#
    );
    let text = text.replacen("</observation></entryRelationship>", &format!("{repeated}</observation></entryRelationship>"), 1);
    report.deposit().with_file(text.as_bytes())
}

fn cohort(world: &World, query: &str) -> Vec<String> {
    let mut found: Vec<_> =
        world.general_practitioner().search(query).iter().map(|found| found["valueQuantity"]["value"].to_string()).collect();
    found.sort();
    found
}

#[test]
fn a_repeated_result_counts_in_a_recall_only_where_its_original_is_not_here() {
    on_both(|world| {
        for person in [&PAT_TROIS, &CHILD] {
            world.open_record_for_practitioner(person);
        }
        Report::of(&PAT_TROIS, 1).result("4548-4", "7.9", "%", "202603020800+0100").deposit().filed_by(&world.hospital_system());
        // The laboratory repeats it with another value, and that of the other record, which is not there.
        repeating(&PAT_TROIS, 2, "7.1", "8.4", "202603020800+0100").filed_by(&world.hospital_system());
        repeating(&CHILD, 3, "7.2", "9.1", "202603020800+0100").filed_by(&world.hospital_system());
        assert_eq!(cohort(world, "Observation?code=4548-4"), ["7.1", "7.2", "7.9", "9.1"]);
        assert_eq!(cohort(world, "Observation?code=4548-4&value-quantity=gt8"), ["9.1"]);
        let doctor = world.general_practitioner();
        let total = doctor.read("Observation?code=4548-4&_total=accurate&_count=0");
        assert_eq!(total["total"], 4);
        let high = doctor.search("Patient?_has:Observation:patient:code-value-quantity=4548-4$gt8");
        assert_eq!(high.len(), 1, "{high:#?}");
        assert_eq!(high[0]["name"][0]["given"][0], CHILD.given);
    });
}

#[test]
fn a_repeated_result_of_another_time_stays_and_the_record_itself_shows_both() {
    on_both(|world| {
        let patient = world.open_record_for_practitioner(&PAT_TROIS).patient;
        Report::of(&PAT_TROIS, 1).result("4548-4", "7.9", "%", "202603020800+0100").deposit().filed_by(&world.hospital_system());
        repeating(&PAT_TROIS, 2, "7.1", "7.9", "202603020900+0100").filed_by(&world.hospital_system());
        repeating(&PAT_TROIS, 3, "7.2", "7.9", "202603020800+0100").filed_by(&world.hospital_system());
        assert_eq!(cohort(world, "Observation?code=4548-4"), ["7.1", "7.2", "7.9", "7.9"]);
        assert_eq!(cohort(world, &format!("Observation?patient={patient}&code=4548-4")), ["7.1", "7.2", "7.9", "7.9", "7.9"]);
        assert_eq!(cohort(world, "Observation?code=4548-4&_tag=reported-previous"), ["7.9", "7.9"], "asked for by name");
    });
}

#[test]
fn a_repeated_result_stays_where_its_original_was_replaced() {
    on_both(|world| {
        world.open_record_for_practitioner(&PAT_TROIS);
        Report::of(&PAT_TROIS, 1).result("4548-4", "7.9", "%", "202603020800+0100").deposit().filed_by(&world.hospital_system());
        Report::of(&PAT_TROIS, 1).version(2).result("2160-0", "80", "umol/L", TIME).deposit().filed_by(&world.hospital_system());
        repeating(&PAT_TROIS, 2, "7.1", "8.4", "202603020800+0100").filed_by(&world.hospital_system());
        assert_eq!(cohort(world, "Observation?code=4548-4"), ["7.1", "8.4"]);
        assert!(link(&world.general_practitioner().read("Observation?code=4548-4"), "next").is_none());
    });
}
