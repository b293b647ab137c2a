//! What the server emits for the samples and the accesses to them passes HL7's validator (tests/validator/run).
use crate::all_samples::{open_all, person, samples};
use crate::harness::server::on_sqlite;
use crate::harness::spec::sample;
use crate::harness::{Deposit, PAT_TROIS, Report};
use std::path::PathBuf;
use std::process::Command;

#[test]
#[ignore = "takes minutes and needs the validator: .ci/full runs it"]
fn everything_that_the_server_emits_passes_the_official_validator() {
    on_sqlite(|world| {
        let rows = samples();
        open_all(world, &rows);
        for row in &rows {
            let Some(bytes) = sample(&row["file"]) else { return };
            Deposit::of(&bytes).filed_by(&world.hospital_system());
        }
        let own =
            Report::of(&PAT_TROIS, 1).result("4548-4", "8.4", "%", "20260302").deposit().filed_by(&world.general_practitioner());
        // One of each kind of access, so that each kind of trace is judged too.
        let doctor = world.general_practitioner();
        let id = own["id"].as_str().unwrap();
        for path in [
            format!("Patient?identifier={}", PAT_TROIS.token()),
            format!("DocumentReference/{id}"),
            format!("DocumentReference/{id}/_history/1"),
            format!("DocumentReference/{id}/$translation"),
            own["content"][0]["attachment"]["url"].as_str().unwrap().to_owned(),
            format!("Observation?patient.identifier={}&code=4548-4&_revinclude=Provenance:target", PAT_TROIS.token()),
            "Observation?code=4548-4&value-quantity=gt8".to_owned(),
        ] {
            assert_eq!(doctor.get(&path).status, 200, "{path}");
        }
        assert_eq!(world.stranger().get(&format!("DocumentReference/{id}")).status, 403);
        let mut run = Command::new(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/validator/run"));
        run.args(["--base", &doctor.base]);
        let mut judged = std::collections::BTreeSet::new();
        for row in rows.iter().filter(|row| judged.insert(row["ins"].clone())) {
            let patient = world.patient(&person(row));
            run.args(["--token", patient.token.as_deref().unwrap()]);
        }
        let output = run.output().unwrap();
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        println!("{said}");
        assert!(output.status.success(), "{said}");
    });
}
