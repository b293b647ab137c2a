//! Versions on both databases: each stays readable, and one is written only where it is the next.
#![expect(clippy::unwrap_used, reason = "a failure of a helper is a failure of its test")]
use crate::store::{Bench, ins, kind, observation, on_both, opening, professional, reader, writer};
use dmp_fhir::fhir::outcome::IssueKind;
use dmp_fhir::ids::{Pid, Rid};
use dmp_fhir::policy::permit::label;
use dmp_fhir::store::{NewResource, record_create, resource_put, resource_read, resource_version_read};
use std::sync::{Arc, Mutex};

fn body(bench: &Bench, pid: Pid, rid: Rid) -> Vec<u8> {
    bench.get(professional("martin"), pid, "Observation", rid).unwrap().body
}

#[test]
fn a_resource_comes_back_byte_for_byte_and_each_version_stays_readable() {
    on_both(|bench| {
        let pid = bench.record(&ins(1), &["martin"]);
        let rid = Rid(1000);
        assert_eq!(bench.put(pid, vec![observation(rid, 1, &[7])]), [1]);
        let first = bench.get(professional("martin"), pid, "Observation", rid).unwrap();
        assert_eq!(bench.put(pid, vec![observation(rid, 2, &[8])]), [2]);
        let second = bench.get(professional("martin"), pid, "Observation", rid).unwrap();
        assert_eq!((first.version, second.version), (1, 2));
        assert_eq!(first.body, b"{\"resourceType\":\"Observation\",\"at\":1,\"rid\":1000}");
        assert!(second.updated > first.updated, "updated grows inside a record");
        let caller = professional("martin");
        let versions = bench
            .read(move |unit| {
                let access = reader(unit, &caller, pid, "Observation")?;
                (1..=3)
                    .map(|version| resource_version_read(unit, &access, kind("Observation"), rid, version))
                    .collect::<Result<Vec<_>, _>>()
            })
            .unwrap();
        assert_eq!(versions, [Some(first), Some(second), None], "{}", bench.name);
        assert_eq!(bench.get(professional("martin"), pid, "Patient", rid), None, "an id of another type leads nowhere");
    });
}

#[test]
fn a_new_resource_never_takes_the_place_of_another() {
    on_both(|bench| {
        let pid = bench.record(&ins(1), &["martin"]);
        bench.put(pid, vec![observation(Rid(1000), 1, &[7])]);
        let first = body(bench, pid, Rid(1000));
        let runs = Arc::new(Mutex::new(0));
        let counted = runs.clone();
        let twice = bench.write(move |unit| {
            *counted.lock().unwrap() += 1;
            resource_put(unit, &writer(unit, pid)?, &[observation(Rid(1000), 2, &[8])])
        });
        assert_eq!(twice.unwrap_err().kind(), IssueKind::Conflict, "{}", bench.name);
        assert!(*runs.lock().unwrap() > 1, "{}: it runs again, and may draw another number", bench.name);
        assert_eq!(body(bench, pid, Rid(1000)), first);
        assert_eq!(bench.store.counts().unwrap()["history"], 0, "{}: nothing is superseded", bench.name);
    });
}

#[test]
fn a_write_whose_number_is_taken_runs_again_with_another() {
    on_both(|bench| {
        let pid = bench.record(&ins(1), &["martin"]);
        bench.put(pid, vec![observation(Rid(1000), 1, &[7])]);
        let mut numbers = vec![Rid(1001), Rid(1000)];
        let written = bench.write(move |unit| {
            let rid = numbers.pop().unwrap();
            resource_put(unit, &writer(unit, pid)?, &[observation(Rid(rid.0 + 5000), 2, &[]), observation(rid, 2, &[])])
                .map(|()| rid)
        });
        assert_eq!(written, Ok(Rid(1001)), "{}", bench.name);
        assert_eq!(bench.store.counts().unwrap()["resource"], 3, "{}: of the first run nothing is left", bench.name);
    });
}

#[test]
fn a_version_that_is_not_the_next_one_is_a_conflict() {
    on_both(|bench| {
        let pid = bench.record(&ins(1), &["martin"]);
        bench.put(pid, vec![observation(Rid(1000), 1, &[7])]);
        let put = |rid, version| {
            let new = NewResource { version, ..observation(Rid(rid), 2, &[8]) };
            bench.write(move |unit| resource_put(unit, &writer(unit, pid)?, std::slice::from_ref(&new)))
        };
        assert_eq!(put(1000, 3).unwrap_err().kind(), IssueKind::Conflict, "{}", bench.name);
        assert_eq!(put(2000, 2).unwrap_err().kind(), IssueKind::Conflict, "{}: there is no first version", bench.name);
        assert_eq!(put(1000, 2), Ok(()));
        assert_eq!(put(1000, 2).unwrap_err().kind(), IssueKind::Conflict, "{}: it is there now", bench.name);
    });
}

#[test]
fn an_opening_sees_nothing_of_a_closed_record_that_it_opens_again() {
    use dmp_fhir::policy::{Facts, RecordState};
    on_both(|bench| {
        let pid = bench.record(&ins(1), &["martin"]);
        let masked = NewResource { labels: label::MASQUE_PS, ..observation(Rid(2000), 1, &[]) };
        bench.put(pid, vec![observation(Rid(1000), 1, &[]), masked]);
        let seen = bench.write(move |unit| {
            let closed = Facts { state: RecordState::Closed, ..crate::store::facts(pid, &ins(1), &[]) };
            dmp_fhir::store::facts_write(unit, &writer(unit, pid)?, &closed)?;
            let access = opening(unit, &ins(2))?;
            let again = record_create(unit, &access, Some(&ins(1)))?;
            let access = unit.open_created(&access, again)?;
            [1000, 2000].map(|rid| resource_read(unit, &access, kind("Observation"), Rid(rid))).into_iter().collect()
        });
        assert_eq!(seen, Ok(vec![None, None]), "{}", bench.name);
    });
}
