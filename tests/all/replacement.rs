//! Which new version replaces which document, and for whom (BR-42, DESIGN section 4).
use crate::harness::server::World;
use crate::harness::{Actor, PAT_TROIS, Report, on_both};

fn version(number: u32, value: &str) -> Report {
    Report::of(&PAT_TROIS, 1).version(number).result("2160-0", value, "umol/L", "202603010800+0100")
}

/// Values that are current, in order.
fn current(world: &World, patient: &str) -> Vec<String> {
    let found = world.general_practitioner().search(&format!("Observation?patient={patient}&code=2160-0"));
    let mut values: Vec<_> = found.iter().map(|found| found["valueQuantity"]["value"].to_string()).collect();
    values.sort();
    values
}

fn documents(world: &World, patient: &str, status: &str) -> usize {
    world.general_practitioner().search(&format!("DocumentReference?patient={patient}&status={status}")).len()
}

/// The first version by the laboratory, the second by this caller: what is current then, and how many documents are.
fn second_by(second: impl Fn(&World) -> Actor, values: &[&str], documents_current: usize) {
    on_both(|world| {
        let patient = world.open_record_for_practitioner(&PAT_TROIS).patient;
        version(1, "80").deposit().filed_by(&world.hospital_system());
        version(2, "81").deposit().filed_by(&second(world));
        assert_eq!(current(world, &patient), values);
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
fn a_late_older_version_is_stored_superseded() {
    on_both(|world| {
        let patient = world.open_record_for_practitioner(&PAT_TROIS).patient;
        for (number, value) in [(3, "82"), (1, "80"), (2, "81")] {
            version(number, value).deposit().filed_by(&world.hospital_system());
            assert_eq!(current(world, &patient), ["82"], "after version {number}");
        }
        assert_eq!((documents(world, &patient, "current"), documents(world, &patient, "superseded")), (1, 2));
    });
}
