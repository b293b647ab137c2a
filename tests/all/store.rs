//! The store on both databases: records, versions, transactions, and who plays in these tests.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a failure of a helper is a failure of its test")]
use crate::cluster;
use dmp_fhir::audit::{Action, Body, Event, EventOutcome, Outcome};
use dmp_fhir::auth::{Caller, Professional, PurposeOfUse, System};
use dmp_fhir::clock::Millis;
use dmp_fhir::fhir::identifier::{Finess, Ins, Rpps};
use dmp_fhir::fhir::interaction::{RecordName, SearchPlace, Target};
use dmp_fhir::fhir::outcome::IssueKind;
use dmp_fhir::fhir::{Interaction, Problem, Resource, ResourceType};
use dmp_fhir::ids::{Pid, Rid};
use dmp_fhir::policy::{self, Actor, Authorisation, Facts, RecordState, Rule};
use dmp_fhir::search::{IndexRows, Key};
use dmp_fhir::store::{
    Access, NewResource, Settings, Store, StoreError, Stored, Unit, alias_find, alias_put, facts_write, record_create,
    record_resource, resource_by_origin, resource_put, resource_read,
};
use serde_json::json;
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

/// A store on one of the two databases, and what a test does with it.
#[derive(Clone)]
pub(crate) struct Bench {
    pub(crate) store: Store,
    pub(crate) name: &'static str,
    pub(crate) settings: Settings,
    _folder: Arc<TempDir>,
}

/// Runs a test on SQLite, and on PostgreSQL where it is installed.
pub(crate) fn on_both(test: impl Fn(&Bench)) {
    drop(tracing_subscriber::fmt().with_test_writer().with_max_level(tracing::Level::INFO).try_init());
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let mut settings = Settings::new(format!("sqlite:{}", folder.path().join("dmp.sqlite").display()));
    settings.readers = 2;
    test(&Bench { store: Store::open(&settings).unwrap(), name: "SQLite", settings, _folder: folder.clone() });
    if let Some(database) = cluster::database() {
        let mut settings = Settings::new(database.url);
        settings.master_key = Some(database.master_key);
        (settings.readers, settings.writers) = (2, 4);
        test(&Bench { store: Store::open(&settings).unwrap(), name: "PostgreSQL", settings, _folder: folder });
    }
}

pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn outcome_of<T>(result: &Result<T, Problem>, events: Vec<Event>) -> Outcome {
    match result {
        Ok(_) => Outcome::new(200, Body::Empty, events),
        Err(problem) => Outcome::problem(problem, events),
    }
}

impl Bench {
    pub(crate) fn write<T: Send + 'static>(
        &self,
        mut job: impl FnMut(&Unit) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let slot = Arc::new(Mutex::new(None));
        let filled = slot.clone();
        let recorded = wait(self.store.write(move |unit| {
            let result = job(unit);
            let outcome = outcome_of(&result, Vec::new());
            *filled.lock().unwrap() = Some(result);
            outcome
        }));
        let result = slot.lock().unwrap().take();
        result.unwrap_or_else(|| panic!("{}: answered {} without running", self.name, recorded.status()))
    }

    pub(crate) fn read<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Unit) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let slot = Arc::new(Mutex::new(None));
        let filled = slot.clone();
        wait(self.store.read(move |unit| {
            let result = job(unit);
            let outcome = outcome_of(&result, Vec::new());
            *filled.lock().unwrap() = Some(result);
            outcome
        }));
        let result = slot.lock().unwrap().take();
        result.unwrap()
    }

    /// An open record that authorises these professionals.
    pub(crate) fn record(&self, ins: &Ins, authorised: &[&str]) -> Pid {
        let (ins, authorised) = (ins.clone(), authorised.iter().map(|name| rpps(name)).collect::<Vec<_>>());
        self.write(move |unit| open_record(unit, &ins, &authorised)).unwrap()
    }

    /// Writes in a record as the server, each as the version after the present one; says which versions these are.
    pub(crate) fn put(&self, pid: Pid, mut new: Vec<NewResource>) -> Vec<i64> {
        self.write(move |unit| {
            let access = writer(unit, pid)?;
            let record = unit.open_rules(&access)?;
            for one in &mut new {
                let present = record_resource(unit, &record, one.resource_type, one.rid)?;
                one.version = present.map_or(1, |present| present.version + 1);
            }
            resource_put(unit, &access, &new)?;
            Ok(new.iter().map(|one| one.version).collect())
        })
        .unwrap()
    }

    /// Writes new resources in a record as the server, in one statement of each table where it can.
    pub(crate) fn put_new(&self, pid: Pid, new: Vec<NewResource>) {
        self.write(move |unit| resource_put(unit, &writer(unit, pid)?, &new)).unwrap();
    }

    pub(crate) fn get(&self, caller: Caller, pid: Pid, resource_type: &'static str, rid: Rid) -> Option<Stored> {
        self.read(move |unit| resource_read(unit, &reader(unit, &caller, pid, resource_type)?, kind(resource_type), rid)).unwrap()
    }
}

// ---- actors

pub(crate) fn ins(number: u32) -> Ins {
    Ins::new("1.2.250.1.213.1.4.10", &format!("2790355{number:08}")).unwrap()
}
pub(crate) fn rpps(name: &str) -> Rpps {
    let number = match name {
        "martin" => "10000000001",
        "durand" => "10000000002",
        "treating" => "10000000003",
        "stranger" => "10000000004",
        other => panic!("{other} is nobody"),
    };
    Rpps::new(number).unwrap()
}
pub(crate) fn professional(name: &str) -> Caller {
    Caller::Professional(Professional {
        rpps: rpps(name),
        name: name.to_owned(),
        profession: "10".to_owned(),
        structure: None,
        purpose: PurposeOfUse::Normal,
    })
}
pub(crate) fn hospital() -> Caller {
    Caller::System(System { client: "hospital".into(), structure: Finess::new("750000001").unwrap(), directory_writer: true })
}
pub(crate) fn kind(name: &str) -> ResourceType {
    ResourceType::parse(name).unwrap()
}

// ---- the way of a request, as services go it

/// Facts, decision, access.
pub(crate) fn open(unit: &Unit, caller: &Caller, interaction: &Interaction) -> Result<Access, Problem> {
    let name = policy::record_concerned(caller, interaction);
    let facts = name.map(|name| unit.facts(&name)).transpose()?.flatten();
    let permit = policy::decide(caller, interaction, facts.as_ref(), unit.now()).map_err(|denial| denial.problem)?;
    unit.open(permit)
}

/// The server's access to write in a record.
pub(crate) fn writer(unit: &Unit, pid: Pid) -> Result<Access, Problem> {
    open(unit, &Caller::Server, &Interaction::Deposit { record: RecordName::Pid(pid), body: Resource::new() })
}

/// A depositor's access.
pub(crate) fn depositor(unit: &Unit, caller: &Caller, pid: Pid) -> Result<Access, Problem> {
    open(unit, caller, &Interaction::Deposit { record: RecordName::Pid(pid), body: Resource::new() })
}

pub(crate) fn reader(unit: &Unit, caller: &Caller, pid: Pid, resource_type: &str) -> Result<Access, Problem> {
    let target = Target { resource_type: kind(resource_type), place: Some((pid, Rid::PATIENT)), alias: None };
    open(unit, caller, &Interaction::Read(target))
}

pub(crate) fn searcher(unit: &Unit, caller: &Caller, place: SearchPlace, resource_type: &str) -> Result<Access, Problem> {
    let interaction = Interaction::Search { resource_type: kind(resource_type), place, parameters: Default::default() };
    open(unit, caller, &interaction)
}

fn patient(ins: &Ins) -> Resource {
    let place = json!({"url": "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-address-insee-code", "valueCoding": {
        "system": "https://mos.esante.gouv.fr/NOS/TRE_R13-CommuneOM/FHIR/TRE-R13-CommuneOM", "code": "63220"}});
    let patient = json!({
        "resourceType": "Patient",
        "extension": [{"url": "http://hl7.org/fhir/StructureDefinition/patient-birthPlace", "valueAddress": {"extension": [place]}}],
        "identifier": [{"use": "official", "system": ins.system(), "value": ins.value()}],
        "name": [{"use": "official", "family": "PAT-TROIS", "given": ["DOMINIQUE"]}],
        "gender": "female", "birthDate": "1979-03-28"});
    patient.as_object().cloned().unwrap()
}

pub(crate) fn opening(unit: &Unit, ins: &Ins) -> Result<Access, Problem> {
    open(unit, &Caller::Server, &Interaction::Open { patient: patient(ins), consents: Vec::new(), position: None })
}

fn open_record(unit: &Unit, ins: &Ins, authorised: &[Rpps]) -> Result<Pid, Problem> {
    let access = opening(unit, ins)?;
    let pid = record_create(unit, &access, Some(ins))?;
    let access = unit.open_created(&access, pid)?;
    facts_write(unit, &access, &facts(pid, ins, authorised))?;
    Ok(pid)
}

pub(crate) fn facts(pid: Pid, ins: &Ins, authorised: &[Rpps]) -> Facts {
    let authorisation = |rpps: &Rpps| Authorisation { actor: Actor::Professional(rpps.clone()), from: Millis(0), until: None };
    Facts {
        pid,
        version: 0,
        state: RecordState::Open,
        ins: Some(ins.clone()),
        authorisations: authorised.iter().map(authorisation).collect(),
        blocked: Vec::new(),
        treating: Vec::new(),
        opposed_bris_de_glace: false,
        opposed_regulation: false,
    }
}

// ---- resources

pub(crate) fn observation(rid: Rid, ts: i64, tokens: &[i64]) -> NewResource {
    NewResource {
        rid,
        resource_type: kind("Observation"),
        version: 1,
        body: format!("{{\"resourceType\":\"Observation\",\"at\":{ts},\"rid\":{}}}", rid.0).into_bytes(),
        rows: IndexRows { ts, tokens: tokens.iter().map(|key| Key(*key)).collect(), ..IndexRows::default() },
        labels: 0,
        class: None,
        origin: None,
        authors: Vec::new(),
    }
}

pub(crate) fn event(pid: Option<Pid>, status: u16) -> Event {
    Event {
        pid,
        at: dmp_fhir::clock::now(),
        action: Action::Read,
        outcome: if status < 400 { EventOutcome::Success } else { EventOutcome::MinorFailure },
        status,
        caller: professional("martin"),
        resource_type: Some(kind("Observation")),
        rid: Some(Rid(9)),
        query: None,
        request: "request-1".into(),
    }
}

// ---- tests

#[test]
fn an_unknown_scheme_is_refused_and_never_guessed() {
    for database in ["mysql://localhost/dmp", "dmp.sqlite", "sqlite:", "sqlite::memory:", ""] {
        assert!(matches!(Store::open(&Settings::new(database)), Err(StoreError::Scheme { .. })), "{database}");
    }
}

#[test]
fn keys_stay_the_same_when_a_database_is_opened_again_and_a_lost_master_key_stops_the_start() {
    on_both(|bench| {
        let again = Store::open(&bench.settings).unwrap();
        assert_eq!(again.search_secret(), bench.store.search_secret(), "{}", bench.name);
        let id = bench.store.id_cipher().seal(Pid(5), Rid(6));
        assert_eq!(again.id_cipher().open(&id), Some((Pid(5), Rid(6))));
        let mut other = bench.settings.clone();
        other.master_key = Some(std::env::temp_dir().join("dmp-fhir-no-such-key"));
        assert!(matches!(Store::open(&other), Err(StoreError::File { .. })), "{}: a new key was made", bench.name);
    });
}

#[test]
fn processes_that_open_a_new_database_at_once_agree_on_its_keys() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = Settings::new(format!("sqlite:{}", folder.path().join("dmp.sqlite").display()));
    settings.readers = 1;
    let secrets: Vec<[u8; 16]> = std::thread::scope(|scope| {
        let open_it = || Store::open(&settings).unwrap().search_secret();
        let threads: Vec<_> = (0..6).map(|_| scope.spawn(open_it)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(secrets.iter().all(|secret| *secret == secrets[0]));
}

#[test]
fn a_write_runs_again_where_the_facts_changed_under_it_and_then_obeys_them() {
    on_both(|bench| {
        let pid = bench.record(&ins(1), &["martin"]);
        let runs = Arc::new(Mutex::new(0));
        let (runs_in, store) = (runs.clone(), bench.store.clone());
        let sqlite = bench.name == "SQLite";
        let result = bench.write(move |unit| {
            let name = RecordName::Pid(pid);
            let facts_seen = unit.facts(&name)?.unwrap();
            *runs_in.lock().unwrap() += 1;
            if *runs_in.lock().unwrap() == 1 && !sqlite {
                // Between the decision and its opening another writer closes the record (SQLite has no other writer).
                let store = store.clone();
                std::thread::spawn(move || {
                    let closed = Facts { state: RecordState::Closed, ..facts(pid, &ins(1), &[]) };
                    wait(store.write(move |unit| {
                        outcome_of(&writer(unit, pid).and_then(|access| facts_write(unit, &access, &closed)), Vec::new())
                    }))
                })
                .join()
                .unwrap();
            }
            let interaction = Interaction::Deposit { record: name, body: Resource::new() };
            let permit = policy::decide(&professional("martin"), &interaction, Some(&facts_seen), unit.now())
                .map_err(|denial| denial.problem)?;
            unit.open(permit).map(|_| ())
        });
        let runs = *runs.lock().unwrap();
        match (sqlite, result) {
            (true, result) => assert_eq!((runs, result), (1, Ok(()))),
            (false, result) => assert_eq!((runs, result.map_err(|problem| problem.kind())), (2, Err(IssueKind::Forbidden))),
        }
    });
}

#[test]
fn a_resource_of_one_record_is_not_found_through_another_record() {
    on_both(|bench| {
        let (one, other) = (bench.record(&ins(1), &["martin"]), bench.record(&ins(2), &["martin"]));
        bench.put(one, vec![observation(Rid(1000), 1, &[])]);
        assert!(bench.get(professional("martin"), one, "Observation", Rid(1000)).is_some());
        assert_eq!(bench.get(professional("martin"), other, "Observation", Rid(1000)), None, "{}", bench.name);
    });
}

#[test]
fn a_depositor_without_authorisation_sees_only_what_he_deposited() {
    on_both(|bench| {
        let pid = bench.record(&ins(1), &["martin"]);
        let mut own = observation(Rid(2000), 1, &[]);
        own.authors = vec![format!("rpps:{}", rpps("stranger").as_str())];
        bench.put(pid, vec![observation(Rid(1000), 1, &[]), own]);
        assert!(bench.get(professional("stranger"), pid, "Observation", Rid(2000)).is_some());
        assert_eq!(bench.get(professional("stranger"), pid, "Observation", Rid(1000)), None, "{}", bench.name);
    });
}

#[test]
fn masked_is_for_authors_and_treating_doctors_and_withdrawn_is_for_nobody() {
    use dmp_fhir::policy::permit::label;
    on_both(|bench| {
        let pid = bench.record(&ins(1), &["martin", "durand", "treating"]);
        bench
            .write(move |unit| {
                let mut facts = facts(pid, &ins(1), &[rpps("martin"), rpps("durand"), rpps("treating")]);
                facts.treating = vec![rpps("treating")];
                facts_write(unit, &writer(unit, pid)?, &facts)
            })
            .unwrap();
        let mut masked = observation(Rid(1000), 1, &[]);
        (masked.labels, masked.authors) = (label::MASQUE_PS, vec![format!("rpps:{}", rpps("durand").as_str())]);
        let mut withdrawn = observation(Rid(2000), 1, &[]);
        withdrawn.labels = label::WITHDRAWN;
        bench.put(pid, vec![masked, withdrawn]);
        let sees = |who: &str, rid| bench.get(professional(who), pid, "Observation", Rid(rid)).is_some();
        assert_eq!([sees("martin", 1000), sees("durand", 1000), sees("treating", 1000)], [false, true, true], "{}", bench.name);
        assert_eq!([sees("martin", 2000), sees("durand", 2000), sees("treating", 2000)], [false, false, false], "{}", bench.name);
        assert!(bench.get(Caller::Patient(ins(1)), pid, "Observation", Rid(1000)).is_some(), "the patient sees masked ones");
    });
}

#[test]
fn one_ins_has_one_record_and_a_closed_one_is_opened_again() {
    on_both(|bench| {
        let pid = bench.record(&ins(1), &[]);
        let second = bench.write(|unit| {
            // As a race would: the decision was taken before the record was there.
            let access = opening(unit, &ins(2))?;
            record_create(unit, &access, Some(&ins(1)))
        });
        assert_eq!(second.unwrap_err().kind(), IssueKind::Duplicate, "{}", bench.name);
        bench
            .write(move |unit| {
                let closed = Facts { state: RecordState::Closed, ..facts(pid, &ins(1), &[]) };
                facts_write(unit, &writer(unit, pid)?, &closed)
            })
            .unwrap();
        let again = bench.write(|unit| {
            let access = opening(unit, &ins(2))?;
            record_create(unit, &access, Some(&ins(1)))
        });
        assert_eq!(again.unwrap(), pid, "{}: the same record", bench.name);
    });
}

#[test]
fn of_sixteen_openings_of_one_ins_at_once_exactly_one_wins() {
    on_both(|bench| {
        let won: Vec<bool> = std::thread::scope(|scope| {
            let open_it = || bench.write(|unit| open_record(unit, &ins(1), &[])).is_ok();
            let threads: Vec<_> = (0..16).map(|_| scope.spawn(open_it)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(won.iter().filter(|won| **won).count(), 1, "{}", bench.name);
        assert_eq!(bench.store.counts().unwrap()["record"], 2, "{}: the directory and one record", bench.name);
    });
}

#[test]
fn the_facts_of_a_record_come_back_as_they_were_written_and_their_version_grows() {
    on_both(|bench| {
        let pid = bench.record(&ins(1), &["martin"]);
        let written = Facts {
            state: RecordState::Open,
            authorisations: vec![
                Authorisation { actor: Actor::Professional(rpps("durand")), from: Millis(5), until: Some(Millis(9)) },
                Authorisation { actor: Actor::Structure(Finess::new("750000001").unwrap()), from: Millis(1), until: None },
            ],
            blocked: vec![Actor::Professional(rpps("stranger"))],
            treating: vec![rpps("treating")],
            opposed_bris_de_glace: true,
            ..facts(pid, &ins(1), &[])
        };
        let mut expected = written.clone();
        bench.write(move |unit| facts_write(unit, &writer(unit, pid)?, &written)).unwrap();
        let mut read = bench.read(move |unit| unit.facts(&RecordName::Ins(ins(1)))).unwrap().unwrap();
        assert_eq!(read.version, 3, "made, opened, changed");
        read.authorisations.sort_by_key(|authorisation| authorisation.from);
        expected.authorisations.sort_by_key(|authorisation| authorisation.from);
        expected.version = 3;
        assert_eq!(read, expected, "{}", bench.name);
        assert_eq!(bench.read(|unit| unit.facts(&RecordName::Ins(ins(99)))).unwrap(), None);
    });
}

#[test]
fn a_permit_decided_on_facts_that_have_changed_since_is_a_conflict() {
    on_both(|bench| {
        let pid = bench.record(&ins(1), &["martin"]);
        let old = bench.read(move |unit| Ok(unit.facts(&RecordName::Pid(pid))?.unwrap())).unwrap();
        bench.write(move |unit| facts_write(unit, &writer(unit, pid)?, &facts(pid, &ins(1), &[]))).unwrap();
        let result = bench.write(move |unit| {
            let interaction = Interaction::Deposit { record: RecordName::Pid(pid), body: Resource::new() };
            let permit = policy::decide(&professional("martin"), &interaction, Some(&old), unit.now()).unwrap();
            assert_eq!(permit.rule(), Rule::Deposit);
            unit.open(permit).map(|_| ())
        });
        assert_eq!(result.unwrap_err().kind(), IssueKind::Conflict, "{}", bench.name);
    });
}

#[test]
fn a_job_that_answers_an_error_leaves_nothing_but_its_trace() {
    on_both(|bench| {
        let pid = bench.record(&ins(1), &["martin"]);
        let before = bench.store.counts().unwrap();
        let recorded = wait(bench.store.write(move |unit| {
            let access = writer(unit, pid).unwrap();
            resource_put(unit, &access, &[observation(Rid(1000), 1, &[7, 8])]).unwrap();
            Outcome::problem(&Problem::new(IssueKind::BusinessRule, "No"), vec![event(Some(pid), 422)])
        }));
        assert_eq!(recorded.status(), 422);
        let mut expected = before;
        *expected.get_mut("audit").unwrap() += 1;
        assert_eq!(bench.store.counts().unwrap(), expected, "{}", bench.name);
    });
}

#[test]
fn a_job_that_panics_answers_500_and_the_store_goes_on() {
    on_both(|bench| {
        let pid = bench.record(&ins(1), &["martin"]);
        let recorded = wait(bench.store.write(move |unit| {
            resource_put(unit, &writer(unit, pid).unwrap(), &[observation(Rid(1000), 1, &[7])]).unwrap();
            panic!("a defect of a service")
        }));
        assert_eq!(recorded.status(), 500);
        assert_eq!(wait(bench.store.read(|_| panic!("another"))).status(), 500);
        assert_eq!(bench.store.counts().unwrap()["resource"], 0, "{}", bench.name);
        assert_eq!(bench.put(pid, vec![observation(Rid(1000), 1, &[7])]), [1]);
    });
}

#[test]
fn a_permit_to_read_writes_nothing_and_a_snapshot_writes_nothing() {
    on_both(|bench| {
        let pid = bench.record(&ins(1), &["martin"]);
        let by_reader = bench.write(move |unit| {
            let access = reader(unit, &professional("martin"), pid, "Observation")?;
            resource_put(unit, &access, &[observation(Rid(1000), 1, &[])])
        });
        assert_eq!(by_reader.unwrap_err().kind(), IssueKind::Internal, "{}", bench.name);
        let on_snapshot = bench.read(move |unit| resource_put(unit, &writer(unit, pid)?, &[observation(Rid(1000), 1, &[])]));
        assert_eq!(on_snapshot.unwrap_err().kind(), IssueKind::Internal, "{}", bench.name);
        assert_eq!(bench.store.counts().unwrap()["resource"], 0);
    });
}

#[test]
fn an_origin_leads_to_the_resource_it_made_in_its_record_only() {
    on_both(|bench| {
        let (one, other) = (bench.record(&ins(1), &[]), bench.record(&ins(2), &[]));
        let mut made = observation(Rid(1000), 1, &[]);
        made.origin = Some(-77);
        bench.put(one, vec![made, observation(Rid(1001), 1, &[])]);
        let find = |pid| bench.write(move |unit| resource_by_origin(unit, &writer(unit, pid)?, &[-77, 5])).unwrap();
        assert_eq!(find(one), [(-77, Rid(1000))], "{}", bench.name);
        assert_eq!(find(other), [], "{}", bench.name);
    });
}

#[test]
fn a_chosen_id_leads_to_its_place_and_is_taken_once() {
    on_both(|bench| {
        let pid = bench.record(&ins(1), &[]);
        let put = move |unit: &Unit, rid| alias_put(unit, &writer(unit, pid)?, kind("Observation"), "obs-1", rid);
        bench.write(move |unit| put(unit, Rid(5))).unwrap();
        assert_eq!(bench.write(move |unit| put(unit, Rid(6))).unwrap_err().kind(), IssueKind::Conflict, "{}", bench.name);
        let found = |resource_type: &'static str| bench.read(move |unit| alias_find(unit, kind(resource_type), "obs-1")).unwrap();
        assert_eq!(found("Observation"), Some((pid, Rid(5))));
        assert_eq!(found("Patient"), None);
    });
}

#[test]
fn writes_of_many_clients_to_one_record_are_all_kept_and_updated_grows() {
    on_both(|bench| {
        let pid = bench.record(&ins(1), &["martin"]);
        std::thread::scope(|scope| {
            for client in 0..8 {
                scope.spawn(move || {
                    for round in 0..10 {
                        bench.put(pid, vec![observation(Rid(1000 + client * 100 + round), round, &[7])]);
                    }
                });
            }
        });
        let counts = bench.store.counts().unwrap();
        assert_eq!((counts["resource"], counts["token"]), (80, 80), "{}", bench.name);
    });
}

#[test]
fn the_directory_is_written_by_a_system_with_that_right_and_read_by_everyone() {
    on_both(|bench| {
        bench
            .write(|unit| {
                let interaction =
                    Interaction::Create { resource_type: kind("Organization"), record: None, body: Resource::new() };
                let access = open(unit, &hospital(), &interaction)?;
                let organization = NewResource { resource_type: kind("Organization"), ..observation(Rid(50), 1, &[3]) };
                resource_put(unit, &access, &[organization])
            })
            .unwrap();
        assert!(bench.get(professional("stranger"), Pid::DIRECTORY, "Organization", Rid(50)).is_some(), "{}", bench.name);
    });
}

#[test]
fn asking_whether_a_person_has_a_record_shows_the_patient_and_nothing_else() {
    on_both(|bench| {
        let pid = bench.record(&ins(1), &["martin"]);
        let patient = NewResource { resource_type: kind("Patient"), ..observation(Rid::PATIENT, 1, &[]) };
        bench.put(pid, vec![patient, observation(Rid(1000), 1, &[])]);
        let see = |number, resource_type: &'static str, rid| {
            bench
                .read(move |unit| {
                    let access = open(unit, &professional("stranger"), &Interaction::Existence { ins: Some(ins(number)) })?;
                    Ok((access.pid(), resource_read(unit, &access, kind(resource_type), rid)?.is_some()))
                })
                .unwrap()
        };
        assert_eq!(see(1, "Patient", Rid::PATIENT), (Some(pid), true), "{}", bench.name);
        assert_eq!(see(1, "Observation", Rid(1000)), (Some(pid), false), "{}", bench.name);
        assert_eq!(see(2, "Patient", Rid::PATIENT), (None, false), "{}: no record of this person", bench.name);
    });
}

#[cfg(unix)]
#[test]
fn files_of_a_database_are_for_its_user_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&Settings::new(format!("sqlite:{}", folder.path().join("dmp.sqlite").display()))).unwrap();
    wait(store.record(outcome_of(&Ok(()), vec![event(None, 404)])));
    let mut files = 0;
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o077, 0, "{:?}", entry.file_name());
        files += 1;
    }
    assert!(files >= 4, "database, trace, key, lock");
}
