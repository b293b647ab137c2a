//! Which new version replaces which document, and for whom (BR-42, DESIGN section 4).
use crate::harness::server::World;
use crate::harness::{Actor, Deposit, PAT_TROIS, Report, on_both};
use serde_json::{Value, json};

fn version(number: u32, value: &str) -> Report {
    Report::of(&PAT_TROIS, 1).version(number).result("2160-0", value, "umol/L", "202603010800+0100")
}

/// Version of a set of documents: V1, V2 and V3 have the values 81, 82 and 83; each set has an analysis of its own.
fn bytes(set: u32, number: u32) -> String {
    let report = Report::of(&PAT_TROIS, set).version(number);
    let value = (80 + number).to_string();
    String::from_utf8(report.result(&format!("2160-{set}"), &value, "umol/L", "202603010800+0100").bytes()).unwrap()
}

/// The uniqueId of a version.
fn root(set: u32, number: u32) -> String {
    format!("1.2.250.1.213.1.1.1.55.2026.{set}.{number}")
}

/// The same, naming another version as its `parentDocument`.
fn with_parent(set: u32, number: u32, parent: u32) -> String {
    let related = format!(
        r#"<relatedDocument typeCode="RPLC"><parentDocument><id root="{}"/></parentDocument></relatedDocument><componentOf>"#,
        root(set, parent)
    );
    let text = bytes(set, number);
    assert!(text.contains("<componentOf>"));
    text.replacen("<componentOf>", &related, 1)
}

fn deposit(text: &str) -> Deposit {
    Deposit::of(text.as_bytes())
}

/// The same, naming another version in its metadata.
fn relates_to(number: u32, target: u32) -> Deposit {
    let mut deposit = deposit(&bytes(0, number));
    let identifier = json!({"system": "urn:ietf:rfc:3986", "value": format!("urn:oid:{}", root(0, target))});
    deposit.body["relatesTo"] = json!([{"code": "replaces", "target": {"identifier": identifier}}]);
    deposit
}

/// Values that are current, in order.
fn current(world: &World, patient: &str, code: &str) -> Vec<String> {
    let found = world.general_practitioner().search(&format!("Observation?patient={patient}&code={code}"));
    let mut values: Vec<_> = found.iter().map(|found| found["valueQuantity"]["value"].to_string()).collect();
    values.sort();
    values
}

fn find(world: &World, patient: &str, status: &str) -> Vec<Value> {
    world.general_practitioner().search(&format!("DocumentReference?patient={patient}&status={status}"))
}

fn documents(world: &World, patient: &str, status: &str) -> usize {
    find(world, patient, status).len()
}

/// uniqueIds of the documents of a set that have this status.
fn of_set(world: &World, patient: &str, set: u32, status: &str) -> Vec<String> {
    let documents = find(world, patient, status);
    let ids = documents.iter().map(|found| found["masterIdentifier"]["value"].as_str().unwrap().to_owned());
    let mut ids: Vec<_> = ids.filter(|id| id.contains(&format!(".2026.{set}."))).collect();
    ids.sort();
    ids
}

const ORDERS: [[u32; 3]; 6] = [[1, 2, 3], [1, 3, 2], [2, 1, 3], [2, 3, 1], [3, 1, 2], [3, 2, 1]];

/// After each deposit the highest version that is here is current, alone, and so is its value.
fn in_every_order(document: impl Fn(u32, u32) -> String) {
    on_both(|world| {
        let patient = world.open_record_for_practitioner(&PAT_TROIS).patient;
        for (set, order) in (1..).zip(ORDERS) {
            let mut highest = 0;
            for (earlier, number) in order.into_iter().enumerate() {
                highest = highest.max(number);
                deposit(&document(set, number)).filed_by(&world.hospital_system());
                let after = format!("{order:?} after version {number}");
                assert_eq!(current(world, &patient, &format!("2160-{set}")), [(80 + highest).to_string()], "{after}");
                let unique_id = format!("urn:oid:{}", root(set, highest));
                assert_eq!(of_set(world, &patient, set, "current"), [unique_id], "{after}");
                assert_eq!(of_set(world, &patient, set, "superseded").len(), earlier, "{after}");
            }
        }
    });
}

#[test]
fn in_every_order_the_highest_version_alone_is_current_by_set_id() {
    in_every_order(bytes);
}

#[test]
fn in_every_order_the_highest_version_alone_is_current_where_each_names_its_parent() {
    in_every_order(|set, number| if number == 1 { bytes(set, 1) } else { with_parent(set, number, number - 1) });
}

#[test]
fn in_every_order_the_highest_version_alone_is_current_where_one_names_a_parent() {
    in_every_order(|set, number| if number == 3 { with_parent(set, 3, 1) } else { bytes(set, number) });
}

/// V3 is current, alone.
fn third_alone(world: &World, patient: &str) {
    assert_eq!(current(world, patient, "2160-0"), ["83"]);
    assert_eq!(of_set(world, patient, 0, "current"), [format!("urn:oid:{}", root(0, 3))]);
}

#[test]
fn a_late_version_that_relates_to_an_older_one_is_late_all_the_same() {
    on_both(|world| {
        let patient = world.open_record_for_practitioner(&PAT_TROIS).patient;
        let laboratory = world.hospital_system();
        deposit(&bytes(0, 1)).filed_by(&laboratory);
        deposit(&bytes(0, 3)).filed_by(&laboratory);
        assert_eq!(relates_to(2, 1).filed_by(&laboratory)["status"], "superseded");
        third_alone(world, &patient);
    });
}

#[test]
fn an_older_version_cannot_replace_a_newer_one() {
    on_both(|world| {
        let patient = world.open_record_for_practitioner(&PAT_TROIS).patient;
        let laboratory = world.hospital_system();
        deposit(&bytes(0, 3)).filed_by(&laboratory);
        relates_to(1, 3).by(&laboratory).refuses(422, "business-rule", Some("DocumentReference.relatesTo"));
        // In the header it is a slip: the versionNumber decides.
        assert_eq!(deposit(&with_parent(0, 1, 3)).filed_by(&laboratory)["status"], "superseded");
        third_alone(world, &patient);
    });
}

#[test]
fn of_two_versions_in_one_transaction_the_higher_is_current() {
    on_both(|world| {
        let patient = world.open_record_for_practitioner(&PAT_TROIS).patient;
        let entry = |number| json!({"resource": deposit(&bytes(0, number)).body, "request": {"method": "POST", "url": "DocumentReference"}});
        let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": [entry(3), entry(1)]});
        world.hospital_system().post("", &bundle).expect(200);
        third_alone(world, &patient);
        assert_eq!(of_set(world, &patient, 0, "superseded").len(), 1);
    });
}

/// Types of what V1 brought, each with whether it is tagged superseded, after these two deposits.
fn made_of_the_first(world: &World, patient: &str, order: [&str; 2]) -> Vec<(String, bool)> {
    for document in order {
        deposit(document).filed_by(&world.hospital_system());
    }
    let practitioner = world.general_practitioner();
    let page = practitioner.read(&format!("DocumentReference?patient={patient}&status=superseded&_revinclude=Provenance:entity"));
    let found = crate::harness::actor::resources(&page);
    let provenance = found.iter().find(|found| found["resourceType"] == "Provenance").expect("the Provenance of the first");
    let targets = provenance["target"].as_array().unwrap().iter();
    let mut made: Vec<_> = targets
        .map(|target| {
            let resource = practitioner.read(target["reference"].as_str().unwrap());
            let mut tags = resource["meta"]["tag"].as_array().into_iter().flatten();
            (resource["resourceType"].as_str().unwrap().to_owned(), tags.any(|tag| tag["code"] == "superseded"))
        })
        .collect();
    made.sort();
    assert!(provenance["meta"]["tag"].is_null(), "the Provenance stays");
    made
}

#[test]
fn a_participant_of_the_record_stays_and_the_data_are_superseded_whether_at_once_or_late() {
    // The first version alone states this author: with his national identifier he is of the record, without of the document.
    let author = bytes(0, 1).replace("CAMPARINI", "DUBOIS");
    let local = author.replace(r#"root="1.2.250.1.71.4.2.1""#, r#"root="1.2.250.1.999.1""#);
    for (first, is_tagged) in [(author, false), (local, true)] {
        for order in [[&first, &bytes(0, 2)], [&bytes(0, 2), &first]] {
            on_both(|world| {
                let patient = world.open_record_for_practitioner(&PAT_TROIS).patient;
                let made = made_of_the_first(world, &patient, order.map(String::as_str));
                let tagged = |kind: &str, tagged: bool| made.contains(&(kind.into(), tagged));
                assert!(tagged("Observation", true) && !tagged("Observation", false), "{made:?}");
                assert!(tagged("Practitioner", is_tagged) && !tagged("Practitioner", !is_tagged), "{made:?}");
            });
        }
    }
}

/// The first version by the laboratory, the second by this caller: what is current then, and how many documents are.
fn second_by(second: impl Fn(&World) -> Actor, values: &[&str], documents_current: usize) {
    on_both(|world| {
        let patient = world.open_record_for_practitioner(&PAT_TROIS).patient;
        version(1, "80").deposit().filed_by(&world.hospital_system());
        version(2, "81").deposit().filed_by(&second(world));
        assert_eq!(current(world, &patient, "2160-0"), values);
        assert_eq!(documents(world, &patient, "current"), documents_current);
        assert_eq!(documents(world, &patient, "superseded"), 2 - documents_current);
    });
}

#[test]
fn the_depositor_replaces_his_document() {
    second_by(World::hospital_system, &["81"], 1);
}

#[test]
fn somebody_else_replaces_nothing_and_both_stay() {
    second_by(World::stranger, &["80", "81"], 2);
    second_by(World::other_system, &["80", "81"], 2);
}

#[test]
fn what_the_depositor_may_not_see_cannot_be_told_from_what_is_not_here() {
    on_both(|world| {
        world.open_record_for_practitioner(&PAT_TROIS);
        let absent = relates_to(2, 1).by(&world.other_system());
        deposit(&bytes(0, 1)).filed_by(&world.hospital_system());
        let hidden = relates_to(2, 1).by(&world.other_system());
        assert_eq!((absent.status, absent.json()), (hidden.status, hidden.json()));
        assert_eq!(hidden.status, 422);
    });
}

#[test]
fn a_result_that_was_corrected_away_does_not_come_back_by_another_depositor() {
    on_both(|world| {
        let patient = world.open_record_for_practitioner(&PAT_TROIS).patient;
        deposit(&bytes(5, 1)).filed_by(&world.hospital_system());
        deposit(&bytes(5, 2)).filed_by(&world.hospital_system());
        assert_eq!(current(world, &patient, "2160-5"), ["82"]);
        // Another depositor, who sees neither: the same bytes as the first version.
        deposit(&bytes(5, 1)).filed_by(&world.other_system());
        assert_eq!(current(world, &patient, "2160-5"), ["82"]);
        assert_eq!(of_set(world, &patient, 5, "current").len(), 1);
    });
}
