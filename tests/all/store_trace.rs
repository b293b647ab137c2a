//! The trace on both databases: durable before the answer, read as one, and no data without it.
#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "a failure of a helper is a failure of its test")]
use crate::store::{Bench, event, ins, observation, on_both, professional, reader, wait, writer};
use dmp_fhir::audit::{Action, Body, Event, EventOutcome, Outcome};
use dmp_fhir::auth::{Caller, System};
use dmp_fhir::clock::Millis;
use dmp_fhir::fhir::Problem;
use dmp_fhir::fhir::identifier::Finess;
use dmp_fhir::fhir::outcome::IssueKind;
use dmp_fhir::ids::{Pid, Rid};
use dmp_fhir::store::{AuditCursor, Settings, Store, audit_read, audit_search, resource_put};

fn answer(events: Vec<Event>) -> Outcome {
    Outcome::new(200, Body::Fhir(b"{\"secret\":1}".to_vec()), events)
}
fn at(pid: Pid, at: i64) -> Event {
    Event { at: Millis(at), ..event(Some(pid), 200) }
}
/// The trace of a record as its patient reads it.
fn trace(
    bench: &Bench,
    pid: Pid,
    from: Option<i64>,
    to: Option<i64>,
    limit: usize,
    cursor: Option<AuditCursor>,
) -> Vec<(Rid, Event)> {
    bench
        .read(move |unit| {
            let access = reader(unit, &Caller::Patient(ins(1)), pid, "AuditEvent")?;
            audit_search(unit, &access, from.map(Millis), to.map(Millis), limit, cursor)
        })
        .unwrap()
}
fn times(events: &[(Rid, Event)]) -> Vec<i64> {
    events.iter().map(|(_, event)| event.at.0).collect()
}

#[test]
fn reads_writes_and_outcomes_without_data_are_traced_and_read_as_one_newest_first() {
    on_both(|bench| {
        let pid = bench.record(&ins(1), &["martin"]);
        wait(bench.store.read(move |_| answer(vec![at(pid, 1000), at(pid, 3000)])));
        wait(bench.store.write(move |_| answer(vec![at(pid, 2000)])));
        wait(bench.store.record(answer(vec![at(pid, 4000), event(None, 404)])));
        assert_eq!(times(&trace(bench, pid, None, None, 10, None)), [4000, 3000, 2000, 1000], "{}", bench.name);
        assert_eq!(times(&trace(bench, pid, Some(2000), Some(4000), 10, None)), [3000, 2000], "from included, to not");
        let page = trace(bench, pid, None, None, 2, None);
        let (id, last) = page.last().unwrap();
        let rest = trace(bench, pid, None, None, 10, Some(AuditCursor { at: last.at, id: *id }));
        assert_eq!((times(&page), times(&rest)), (vec![4000, 3000], vec![2000, 1000]), "{}", bench.name);
    });
}

#[test]
fn an_event_comes_back_as_it_was_stored_and_by_its_number() {
    on_both(|bench| {
        let pid = bench.record(&ins(1), &["martin"]);
        let mut stored = event(Some(pid), 403);
        stored.query = Some("code=é&date=ge2024\0".to_owned());
        stored.action = Action::Query;
        let system = System { client: "hospital".into(), structure: Finess::new("750000001").unwrap(), directory_writer: true };
        let by_system = Event {
            caller: Caller::System(system),
            rid: None,
            resource_type: None,
            query: Some(String::new()),
            ..stored.clone()
        };
        let events = vec![stored.clone(), by_system];
        wait(bench.store.read(move |_| answer(events)));
        let read = trace(bench, pid, None, None, 10, None);
        assert_eq!(read.len(), 2, "{}", bench.name);
        let (id, first) = read.iter().find(|(_, event)| event.rid.is_some()).unwrap().clone();
        assert_eq!(first.query.as_deref(), Some("code=é&date=ge2024\u{FFFD}"));
        assert_eq!(
            (first.status, first.outcome, first.action, first.pid),
            (403, EventOutcome::MinorFailure, Action::Query, Some(pid))
        );
        assert!(first.caller == professional("martin") && first.request == "request-1");
        let second = &read.iter().find(|(_, event)| event.rid.is_none()).unwrap().1;
        assert_eq!((second.query.as_deref(), second.resource_type), (Some(""), None));
        let again = bench.read(move |unit| {
            let access = reader(unit, &Caller::Patient(ins(1)), pid, "AuditEvent")?;
            Ok((audit_read(unit, &access, id)?, audit_read(unit, &access, Rid(id.0 + 77))?))
        });
        let (found, none) = again.unwrap();
        assert_eq!((found.map(|event| event.status), none.is_none()), (Some(403), true), "{}", bench.name);
    });
}

#[test]
fn the_trace_of_one_record_is_not_in_that_of_another() {
    on_both(|bench| {
        let (pid, other) = (bench.record(&ins(1), &[]), bench.record(&ins(2), &[]));
        wait(bench.store.read(move |_| answer(vec![at(other, 1000), event(None, 404)])));
        assert_eq!(trace(bench, pid, None, None, 10, None).len(), 0, "{}", bench.name);
    });
}

#[test]
fn sixty_four_reads_at_once_leave_sixty_four_rows_before_they_are_answered() {
    on_both(|bench| {
        let pid = bench.record(&ins(1), &[]);
        std::thread::scope(|scope| {
            for _ in 0..64 {
                scope.spawn(move || {
                    assert_eq!(wait(bench.store.read(move |_| answer(vec![event(Some(pid), 200)]))).status(), 200)
                });
            }
        });
        let counts = bench.store.counts().unwrap();
        assert_eq!(counts["audit"] + counts.get("trace.audit").unwrap_or(&0), 64, "{}", bench.name);
    });
}

/// Only SQLite's trace can be taken away under a running server by a test.
fn without_trace_table(test: impl Fn(&Store, Pid)) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dmp.sqlite");
    let mut settings = Settings::new(format!("sqlite:{}", path.display()));
    settings.readers = 2;
    let bench = Store::open(&settings).unwrap();
    // The same file, as something else that spoils it.
    let mut trace = path.into_os_string();
    trace.push(".trace");
    let spoil = std::process::Command::new("python3")
        .args(["-c", "import sqlite3,sys; c=sqlite3.connect(sys.argv[1]); c.execute('DROP TABLE audit'); c.commit()"])
        .arg(&trace)
        .status();
    if !spoil.is_ok_and(|status| status.success()) {
        eprintln!("skipped: no python3 to spoil the trace with");
        return;
    }
    test(&bench, Pid(1));
}

#[test]
fn where_the_trace_cannot_be_written_no_data_goes_out() {
    without_trace_table(|store, pid| {
        let recorded = wait(store.read(move |_| answer(vec![event(Some(pid), 200)])));
        assert_eq!(recorded.status(), 503);
        let outcome = recorded.into_outcome();
        let Body::Fhir(body) = outcome.body else { panic!("no OperationOutcome") };
        let body = String::from_utf8(body).unwrap();
        assert!(body.contains("transient") && !body.contains("secret"), "{body}");
        assert_eq!(wait(store.record(answer(vec![event(Some(pid), 200)]))).status(), 503);
        assert_eq!(wait(store.read(|_| answer(Vec::new()))).status(), 200, "what is not traced needs no trace");
    });
}

#[test]
fn a_write_and_its_trace_are_one_transaction() {
    on_both(|bench| {
        let pid = bench.record(&ins(1), &[]);
        let recorded = wait(bench.store.write(move |unit| {
            resource_put(unit, &writer(unit, pid).unwrap(), &[observation(Rid(1), 1, &[7])]).unwrap();
            answer(vec![event(Some(pid), 201)])
        }));
        assert_eq!(recorded.status(), 200);
        let counts = bench.store.counts().unwrap();
        assert_eq!((counts["resource"], counts["audit"]), (1, 1), "{}", bench.name);
    });
}

#[test]
fn a_refusal_keeps_its_events_and_a_full_queue_is_503() {
    on_both(|bench| {
        let pid = bench.record(&ins(1), &[]);
        let refused = Outcome::problem(&Problem::new(IssueKind::Forbidden, "No"), vec![event(Some(pid), 403)]);
        assert_eq!(wait(bench.store.record(refused)).status(), 403);
        assert_eq!(trace(bench, pid, None, None, 10, None).len(), 1, "{}", bench.name);
    });
    let folder = tempfile::tempdir().unwrap();
    let mut settings = Settings::new(format!("sqlite:{}", folder.path().join("dmp.sqlite").display()));
    (settings.readers, settings.queue) = (1, 1);
    let store = Store::open(&settings).unwrap();
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let slow = || {
            wait(store.read(|_| {
                std::thread::sleep(std::time::Duration::from_millis(100));
                answer(Vec::new())
            }))
            .status()
        };
        let threads: Vec<_> = (0..16).map(|_| scope.spawn(slow)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(statuses.contains(&503) && statuses.contains(&200), "{statuses:?}");
}
