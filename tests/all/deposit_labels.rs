//! A new version inherits every label of what it replaces (DESIGN section 4).
//!
//! No deposit may set a label yet (decision 3), so the label is written into the store by hand.
#![expect(clippy::unwrap_used, reason = "a failure of a helper is a failure of its test")]
use crate::harness::server::LABORATORY;
use crate::harness::{PAT_TROIS, Report};
use crate::store::{Bench, kind, on_both, wait, writer};
use dmp_fhir::auth::{Caller, System};
use dmp_fhir::fhir::identifier::{Finess, Ins};
use dmp_fhir::fhir::interaction::RecordName;
use dmp_fhir::fhir::{Interaction, Resource};
use dmp_fhir::ids::Pid;
use dmp_fhir::policy::permit::label;
use dmp_fhir::search::{ExtractContext, Keyer, Plan, extract};
use dmp_fhir::service::{Request, Server, answer};
use dmp_fhir::store::{NewResource, Stored, record_search, resource_put};
use std::sync::{Arc, OnceLock};

struct Depository<'a> {
    bench: &'a Bench,
    server: Arc<Server>,
    pid: Pid,
}

impl<'a> Depository<'a> {
    fn new(bench: &'a Bench) -> Self {
        let server = Server {
            store: bench.store.clone(),
            keyer: Keyer::new(bench.store.search_secret()),
            time_zone: jiff::tz::TimeZone::UTC,
            test_ins: true,
            includes_max: 10,
            base: OnceLock::from("http://localhost/fhir".to_owned()),
        };
        let person = Ins::new(PAT_TROIS.oid, PAT_TROIS.ins).unwrap();
        Self { bench, server: Arc::new(server), pid: bench.record(&person, &[]) }
    }

    fn deposit(&self, version: u32) {
        let report = Report::of(&PAT_TROIS, 1).version(version).result("2160-0", "80", "umol/L", "20260301");
        let body = report.deposit().body.as_object().cloned().unwrap();
        let structure = Finess::new(LABORATORY).unwrap();
        let request = Request {
            caller: Caller::System(System { client: "specimen".into(), structure, directory_writer: false }),
            interaction: Interaction::Deposit { record: RecordName::Pid(self.pid), body },
            lenient: false,
            preference: None,
            none_match: None,
            modified_since: None,
            query: None,
            id: "request-1".into(),
        };
        assert_eq!(wait(answer(Arc::clone(&self.server), request)).status(), 201, "{}", self.bench.name);
    }

    fn all(&self, resource_type: &'static str) -> Vec<Stored> {
        let pid = self.pid;
        let plan = Plan { resource_type: kind(resource_type), predicates: Vec::new(), recheck: false, sort: Vec::new() };
        self.bench.write(move |unit| record_search(unit, &unit.open_rules(&writer(unit, pid)?)?, &plan, 100)).unwrap()
    }

    /// Gives this resource a label, as its author will be able to.
    fn mask(&self, stored: &Stored) {
        let (pid, server, stored) = (self.pid, Arc::clone(&self.server), stored.clone());
        self.bench
            .write(move |unit| {
                let body: Resource = serde_json::from_slice(&stored.body).unwrap();
                let local = |reference: &str| server.place(reference);
                let context = ExtractContext { keyer: &server.keyer, local: &local, pid, time_zone: &server.time_zone };
                let rows = extract(stored.resource_type, &body, &context);
                let authors = vec![format!("finess:{LABORATORY}")];
                let masked = NewResource {
                    rid: stored.rid,
                    resource_type: stored.resource_type,
                    version: stored.version + 1,
                    body: stored.body.clone(),
                    rows,
                    labels: label::MASQUE_PS | label::INVISIBLE_PATIENT,
                    class: None,
                    origin: None,
                    authors,
                };
                resource_put(unit, &writer(unit, pid)?, &[masked])
            })
            .unwrap();
    }

    fn labels(&self, resource_type: &'static str) -> Vec<i32> {
        self.all(resource_type).iter().map(|stored| stored.labels).collect()
    }
}

#[test]
fn a_new_version_inherits_every_label_whether_it_comes_in_order_or_late() {
    const MASKED: i32 = label::MASQUE_PS | label::INVISIBLE_PATIENT;
    for order in [[1, 2], [2, 1]] {
        on_both(|bench| {
            let depository = Depository::new(bench);
            depository.deposit(order[0]);
            let first = depository.labels("Observation");
            assert!(first.iter().all(|labels| *labels == 0), "{}", bench.name);
            depository.mask(&depository.all("DocumentReference")[0]);
            depository.deposit(order[1]);
            assert_eq!(depository.labels("DocumentReference"), [MASKED, MASKED], "{}: {order:?}", bench.name);
            let masked = depository.labels("Observation").into_iter().filter(|labels| *labels == MASKED);
            assert_eq!(masked.count(), first.len(), "{}: {order:?}: the data of the new version too", bench.name);
        });
    }
}
