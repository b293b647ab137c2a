//! The golden table: interaction x caller x state of the record. A combination that is missing fails.
use super::actors::{CALLERS, NOW, PID, autorisation, caller, facts, frame, ins, patient, resource_type};
use crate::fhir::Interaction;
use crate::fhir::interaction::{Parameters, RecordName, SearchPlace, Target, Then};
use crate::fhir::patch::Patch;
use crate::ids::{Pid, Rid};
use crate::policy::{Facts, Permit, ReadScope, RecordState, decide, record_concerned};
use std::collections::BTreeMap;

/// Lines: interactions | callers | record open | record closed | no record. A permit is `scope:rule`, with `+w` where it
/// writes; a refusal is `status:rule`.
const TABLE: &str = "
existence | gp mt ngp exp blk btg pat sys nsys dir bsys ope srv | Existence:Existence | Existence:Existence | Existence:Existence
existence | oth | 403:NotAuthorised | 403:NotAuthorised | 403:NotAuthorised

read vread document translation search | gp mt sys | Record:Authorised | 403:Closed | 403:NoRecord
read vread document translation search | ngp exp nsys dir | Own:Depositor | 403:Closed | 403:NoRecord
read vread document translation search | blk bsys | 403:Blocked | 403:Blocked | 403:NoRecord
read vread document translation search | btg | 403:Purpose | 403:Closed | 403:NoRecord
read vread document translation search | pat | Record:OwnRecord | 403:Closed | 403:NoRecord
read vread document translation search | oth | 403:NotAuthorised | 403:NotAuthorised | 403:NoRecord
read vread document translation search | ope srv | Record:Internal | Record:Internal | 404:NoRecord

search-by-ins | gp mt sys | Record:Authorised | 403:Closed | 403:NoRecord
search-by-ins | ngp exp nsys dir | Own:Depositor | 403:Closed | 403:NoRecord
search-by-ins | blk bsys | 403:Blocked | 403:Blocked | 403:NoRecord
search-by-ins | btg | 403:Purpose | 403:Closed | 403:NoRecord
search-by-ins | pat | Record:OwnRecord | 403:Closed | 404:NoRecord
search-by-ins | oth | 403:NotAuthorised | 403:NotAuthorised | 403:NoRecord
search-by-ins | ope srv | Record:Internal | Record:Internal | 404:NoRecord

search-unknown | gp mt ngp exp blk btg pat oth sys nsys dir bsys | 403:NoRecord | 403:NoRecord | 403:NoRecord
search-unknown | ope srv | 404:NoRecord | 404:NoRecord | 404:NoRecord

read-trace search-trace | gp mt ngp exp sys nsys dir | 403:CallerKind | 403:Closed | 403:NoRecord
read-trace search-trace | blk bsys | 403:Blocked | 403:Blocked | 403:NoRecord
read-trace search-trace | btg | 403:Purpose | 403:Closed | 403:NoRecord
read-trace search-trace | pat | Record:OwnRecord | Record:OwnRecord | 403:NoRecord
read-trace search-trace | oth | 403:NotAuthorised | 403:NotAuthorised | 403:NoRecord
read-trace search-trace | ope srv | Record:Internal | Record:Internal | 404:NoRecord

cohort | gp mt ngp exp blk sys nsys dir bsys | Cohort:Cohort | Cohort:Cohort | Cohort:Cohort
cohort | btg | 403:Purpose | 403:Purpose | 403:Purpose
cohort | pat | Record:OwnRecord | 403:Closed | 404:NoRecord
cohort | oth | 404:NoRecord | 404:NoRecord | 404:NoRecord
cohort | ope srv | 403:CallerKind | 403:CallerKind | 403:CallerKind

cohort-trace | gp mt ngp exp blk sys nsys dir bsys ope srv | 403:CallerKind | 403:CallerKind | 403:CallerKind
cohort-trace | btg | 403:Purpose | 403:Purpose | 403:Purpose
cohort-trace | pat | Record:OwnRecord | Record:OwnRecord | 404:NoRecord
cohort-trace | oth | 404:NoRecord | 404:NoRecord | 404:NoRecord

read-directory search-directory | gp mt ngp exp blk btg pat oth sys nsys dir bsys ope srv | Directory:Directory | Directory:Directory | Directory:Directory
search-record-type-in-directory read-type-not-served search-type-not-served | gp mt ngp exp blk btg pat oth sys nsys dir bsys ope srv | 405:WriteTable | 405:WriteTable | 405:WriteTable
read-nowhere update-nowhere | gp mt ngp exp blk btg pat oth sys nsys dir bsys ope srv | 404:NoRecord | 404:NoRecord | 404:NoRecord

deposit | gp mt sys | Record:Deposit+w | 403:Closed | 422:NoRecord
deposit | ngp exp nsys dir blk bsys | Own:Deposit+w | 403:Closed | 422:NoRecord
deposit | btg | 403:Purpose | 403:Closed | 422:NoRecord
deposit | pat | Record:Deposit+w | 403:Closed | 403:NoRecord
deposit | oth | 403:NotAuthorised | 403:NotAuthorised | 403:NoRecord
deposit | ope srv | Record:Deposit+w | 403:Closed | 422:NoRecord

open | gp mt ngp exp sys nsys dir ope srv | 409:Opening | Existence:Opening+w | Existence:Opening+w
open | blk bsys | 403:Blocked | 403:Blocked | Existence:Opening+w
open | btg | 403:Purpose | 403:Purpose | 403:Purpose
open | pat oth | 403:CallerKind | 403:CallerKind | 403:CallerKind

open-lone | gp mt ngp exp blk | 422:Opening | 422:Opening | 422:Opening
open-lone | btg | 403:Purpose | 403:Purpose | 403:Purpose
open-lone | pat oth | 403:CallerKind | 403:CallerKind | 403:CallerKind
open-lone | bsys | 403:Blocked | 403:Blocked | Existence:Opening+w
open-lone | sys nsys dir ope srv | 409:Opening | 422:Opening | Existence:Opening+w

create-consent | gp mt sys | Record:Consent+w | 403:Closed | 422:NoRecord
create-consent | ngp exp nsys dir | Own:Consent+w | 403:Closed | 422:NoRecord
create-consent | blk bsys | 403:Blocked | 403:Blocked | 422:NoRecord
create-consent | btg | 403:Purpose | 403:Closed | 422:NoRecord
create-consent | pat | Record:Consent+w | 403:Closed | 403:NoRecord
create-consent | oth | 403:NotAuthorised | 403:NotAuthorised | 403:NoRecord
create-consent | ope srv | Record:Consent+w | 403:Closed | 422:NoRecord

update-consent | gp mt ngp exp sys nsys dir | Own:Consent+w | 403:Closed | 403:NoRecord
update-consent | blk bsys | 403:Blocked | 403:Blocked | 403:NoRecord
update-consent | btg | 403:Purpose | 403:Closed | 403:NoRecord
update-consent | pat | Record:Consent+w | 403:Closed | 403:NoRecord
update-consent | oth | 403:NotAuthorised | 403:NotAuthorised | 403:NoRecord
update-consent | ope srv | Record:Consent+w | 403:Closed | 404:NoRecord

patch-document withdraw | gp mt sys | Record:WriteTable+w | 403:Closed | 403:NoRecord
patch-document withdraw | ngp exp nsys dir | Own:WriteTable+w | 403:Closed | 403:NoRecord
patch-document withdraw | blk bsys | 403:Blocked | 403:Blocked | 403:NoRecord
patch-document withdraw | btg | 403:Purpose | 403:Closed | 403:NoRecord
patch-document withdraw | pat | Record:WriteTable+w | 403:Closed | 403:NoRecord
patch-document withdraw | oth | 403:NotAuthorised | 403:NotAuthorised | 403:NoRecord
patch-document withdraw | ope srv | Record:WriteTable+w | 403:Closed | 404:NoRecord
put-document | gp mt ngp exp blk btg pat oth sys nsys dir bsys ope srv | 405:WriteTable | 405:WriteTable | 405:WriteTable

create | gp mt sys | Record:WriteTable+w | 403:Closed | 422:NoRecord
create | ngp exp nsys dir blk bsys | Own:WriteTable+w | 403:Closed | 422:NoRecord
create | btg | 403:Purpose | 403:Closed | 422:NoRecord
create | pat oth | 403:CallerKind | 403:CallerKind | 403:CallerKind
create | ope srv | Record:WriteTable+w | 403:Closed | 422:NoRecord

create-without-record | gp mt ngp exp blk btg pat oth sys nsys dir bsys ope srv | 422:NoRecord | 422:NoRecord | 422:NoRecord

update patch delete | gp mt sys | Record:WriteTable+w | 403:Closed | 403:NoRecord
update patch delete | ngp exp nsys dir | Own:WriteTable+w | 403:Closed | 403:NoRecord
update patch delete | blk bsys | 403:Blocked | 403:Blocked | 403:NoRecord
update patch delete | btg | 403:Purpose | 403:Closed | 403:NoRecord
update patch delete | pat oth | 403:CallerKind | 403:CallerKind | 403:CallerKind
update patch delete | ope srv | Record:WriteTable+w | 403:Closed | 404:NoRecord

update-chosen | gp mt ngp exp blk btg pat oth | 404:NoRecord | 404:NoRecord | 404:NoRecord
update-chosen | sys | Record:WriteTable+w | 403:Closed | 422:NoRecord
update-chosen | nsys dir bsys | Own:WriteTable+w | 403:Closed | 422:NoRecord
update-chosen | ope srv | Record:WriteTable+w | 403:Closed | 422:NoRecord

patch-nowhere | gp mt ngp exp blk btg pat oth sys nsys dir bsys ope srv | 404:NoRecord | 404:NoRecord | 404:NoRecord
delete-nowhere | gp mt ngp exp blk btg sys nsys dir bsys ope srv | Nothing:WriteTable | Nothing:WriteTable | Nothing:WriteTable
delete-nowhere | pat oth | 403:CallerKind | 403:CallerKind | 403:CallerKind

update-patient | gp mt ngp exp blk btg pat oth | 403:CallerKind | 403:CallerKind | 403:CallerKind
update-patient | sys | Record:WriteTable+w | 403:Closed | 403:NoRecord
update-patient | nsys dir | Own:WriteTable+w | 403:Closed | 403:NoRecord
update-patient | bsys | 403:Blocked | 403:Blocked | 403:NoRecord
update-patient | ope srv | Record:WriteTable+w | 403:Closed | 404:NoRecord

patch-consent | gp mt ngp exp sys nsys dir | Own:WriteTable+w | 403:Closed | 403:NoRecord
patch-consent | blk bsys | 403:Blocked | 403:Blocked | 403:NoRecord
patch-consent | btg | 403:Purpose | 403:Closed | 403:NoRecord
patch-consent | pat | Record:WriteTable+w | 403:Closed | 403:NoRecord
patch-consent | oth | 403:NotAuthorised | 403:NotAuthorised | 403:NoRecord
patch-consent | ope srv | Record:WriteTable+w | 403:Closed | 404:NoRecord

change-in-directory | gp mt ngp exp blk btg pat oth sys nsys bsys | 403:CallerKind | 403:CallerKind | 403:CallerKind
change-in-directory | dir | Directory:WriteTable+w | Directory:WriteTable+w | Directory:WriteTable+w
change-in-directory | ope srv | Directory:Internal+w | Directory:Internal+w | Directory:Internal+w

update-document delete-patient delete-consent delete-trace update-provenance | gp mt ngp exp blk btg pat oth sys nsys dir bsys ope srv | 405:WriteTable | 405:WriteTable | 405:WriteTable
conditional batch | gp mt ngp exp blk btg pat oth sys nsys dir bsys ope srv | 405:WriteTable | 405:WriteTable | 405:WriteTable

create-in-directory | gp mt ngp exp blk btg pat oth sys nsys bsys | 403:CallerKind | 403:CallerKind | 403:CallerKind
create-in-directory | dir | Directory:WriteTable+w | Directory:WriteTable+w | Directory:WriteTable+w
create-in-directory | ope srv | Directory:Internal+w | Directory:Internal+w | Directory:Internal+w

create-trace create-provenance create-binary create-patient create-type-not-served | gp mt ngp exp blk btg pat oth sys nsys dir bsys ope srv | 405:WriteTable | 405:WriteTable | 405:WriteTable
transaction | gp mt ngp exp blk btg pat oth sys nsys dir bsys ope srv | 405:WriteTable | 405:WriteTable | 405:WriteTable
";

const INTERACTIONS: [&str; 52] = [
    "existence",
    "read",
    "vread",
    "document",
    "translation",
    "search",
    "search-by-ins",
    "search-unknown",
    "read-trace",
    "search-trace",
    "cohort",
    "cohort-trace",
    "read-directory",
    "search-directory",
    "search-record-type-in-directory",
    "read-nowhere",
    "read-type-not-served",
    "search-type-not-served",
    "update-nowhere",
    "deposit",
    "open",
    "open-lone",
    "create-consent",
    "update-consent",
    "patch-document",
    "withdraw",
    "put-document",
    "create",
    "create-without-record",
    "create-in-directory",
    "create-trace",
    "create-provenance",
    "create-binary",
    "create-patient",
    "create-type-not-served",
    "transaction",
    "update",
    "patch",
    "delete",
    "update-chosen",
    "patch-nowhere",
    "delete-nowhere",
    "update-patient",
    "patch-consent",
    "change-in-directory",
    "update-document",
    "delete-patient",
    "delete-consent",
    "delete-trace",
    "update-provenance",
    "conditional",
    "batch",
];

fn search(resource: &str, place: SearchPlace) -> Interaction {
    Interaction::Search { resource_type: resource_type(resource), place, parameters: Parameters::default() }
}

fn create(resource: &str, record: Option<RecordName>) -> Interaction {
    Interaction::Create { resource_type: resource_type(resource), record, body: Default::default() }
}

/// An update whose body is of the record [`PID`].
fn update(target: Target) -> Interaction {
    Interaction::Update { target, record: Some(RecordName::Pid(PID)), if_match: None, body: Default::default() }
}

fn changed(target: Target) -> Interaction {
    Interaction::Patch { target, if_match: None, patch: Patch::Json(serde_json::json!([])) }
}

#[expect(clippy::too_many_lines, reason = "one row for each name of the table")]
fn interaction(name: &str, who: &str) -> Interaction {
    let here = || RecordName::Pid(PID);
    let target = |resource: &str| Target { resource_type: resource_type(resource), place: Some((PID, Rid(3))), alias: None };
    let nowhere = |resource: &str| Target { resource_type: resource_type(resource), place: None, alias: None };
    match name {
        "existence" => Interaction::Existence { ins: Some(ins()) },
        "read" => Interaction::Read(target("Observation")),
        "vread" => Interaction::VersionRead(target("Observation"), 1),
        "document" => Interaction::RetrieveDocument(target("Binary")),
        "translation" => Interaction::Translation(target("DocumentReference")),
        "search" => search("Observation", SearchPlace::Record(here())),
        "search-by-ins" => search("Observation", SearchPlace::Record(RecordName::Ins(ins()))),
        "search-unknown" => search("Observation", SearchPlace::Record(RecordName::Unknown)),
        "read-trace" => Interaction::Read(target("AuditEvent")),
        "search-trace" => search("AuditEvent", SearchPlace::Record(here())),
        "cohort" => search("Observation", SearchPlace::Cohort),
        "cohort-trace" => search("AuditEvent", SearchPlace::Cohort),
        "read-directory" => Interaction::Read(Target {
            resource_type: resource_type("Organization"),
            place: Some((Pid::DIRECTORY, Rid(4))),
            alias: None,
        }),
        "search-directory" => search("Organization", SearchPlace::Directory),
        "search-record-type-in-directory" => search("Observation", SearchPlace::Directory),
        "read-nowhere" => Interaction::Read(nowhere("Observation")),
        "update-nowhere" => Interaction::UpdateConsent { target: nowhere("Consent"), if_match: None, body: autorisation(who) },
        "deposit" => Interaction::Deposit { record: here(), body: Default::default() },
        "open" => Interaction::Open { patient: patient(), consents: vec![frame(who).ouverture()], position: Some(0) },
        "open-lone" => Interaction::Open { patient: patient(), consents: Vec::new(), position: None },
        "create-consent" => Interaction::CreateConsent { record: here(), body: autorisation(who) },
        "update-consent" => Interaction::UpdateConsent { target: target("Consent"), if_match: Some(1), body: autorisation(who) },
        "patch-document" => Interaction::Patch {
            target: target("DocumentReference"),
            if_match: None,
            patch: crate::fhir::patch::Patch::FhirPath(Default::default()),
        },
        "withdraw" => Interaction::Delete { target: target("DocumentReference"), if_match: None },
        "put-document" => Interaction::Update {
            target: target("DocumentReference"),
            record: Some(here()),
            if_match: None,
            body: Default::default(),
        },
        "create" => create("Observation", Some(here())),
        "create-without-record" => create("Observation", None),
        "create-in-directory" => create("Organization", None),
        "read-type-not-served" => Interaction::Read(target("Task")),
        "search-type-not-served" => search("Task", SearchPlace::Record(here())),
        "create-trace" => create("AuditEvent", Some(here())),
        "create-provenance" => create("Provenance", Some(here())),
        "create-binary" => create("Binary", Some(here())),
        "create-patient" => create("Patient", Some(here())),
        "create-type-not-served" => create("Task", Some(here())),
        "transaction" => Interaction::Transaction { entries: Vec::new() },
        "batch" => Interaction::Batch { entries: Vec::new() },
        "conditional" => Interaction::Conditional {
            resource_type: resource_type("Observation"),
            place: SearchPlace::Record(here()),
            criteria: Parameters::default(),
            then: Then::Delete { if_match: None },
        },
        "update" => update(target("Observation")),
        "update-chosen" => update(Target { alias: Some("chosen".into()), ..nowhere("Observation") }),
        "update-document" => update(target("DocumentReference")),
        "update-provenance" => update(target("Provenance")),
        "update-patient" => {
            let target = Target { place: Some((PID, Rid::PATIENT)), ..target("Patient") };
            Interaction::Update { target, record: None, if_match: None, body: patient() }
        }
        "patch" => changed(target("Observation")),
        "patch-nowhere" => changed(nowhere("Observation")),
        "patch-consent" => changed(target("Consent")),
        "change-in-directory" => changed(Target { place: Some((Pid::DIRECTORY, Rid(4))), ..target("Organization") }),
        "delete" => Interaction::Delete { target: target("Observation"), if_match: None },
        "delete-nowhere" => Interaction::Delete { target: nowhere("Observation"), if_match: None },
        "delete-patient" => Interaction::Delete { target: target("Patient"), if_match: None },
        "delete-consent" => Interaction::Delete { target: target("Consent"), if_match: None },
        "delete-trace" => Interaction::Delete { target: target("AuditEvent"), if_match: None },
        other => panic!("no interaction {other}"),
    }
}

/// The facts that the server would read: those of the record concerned, where it is this one.
fn facts_for(who: &str, interaction: &Interaction, record: Option<&Facts>) -> Option<Facts> {
    let named = match record_concerned(&caller(who), interaction)? {
        RecordName::Pid(pid) => pid == PID,
        RecordName::Ins(named) => named == ins(),
        RecordName::Alias(_) | RecordName::Unknown => false,
    };
    record.filter(|_| named).cloned()
}

fn scope(permit: &Permit) -> &'static str {
    match permit.scope() {
        ReadScope::Record(pid, _) => {
            assert_eq!(*pid, PID);
            "Record"
        }
        ReadScope::Own(pid) => {
            assert_eq!(*pid, PID);
            "Own"
        }
        ReadScope::Cohort => "Cohort",
        ReadScope::Directory => "Directory",
        ReadScope::Existence(None) => "Nothing",
        ReadScope::Existence(named) => {
            assert_eq!(*named, Some(ins()));
            "Existence"
        }
    }
}

fn answer(name: &str, who: &str, record: Option<&Facts>) -> String {
    let interaction = interaction(name, who);
    let facts = facts_for(who, &interaction, record);
    match decide(&caller(who), &interaction, facts.as_ref(), NOW) {
        Ok(permit) => {
            let write = if permit.may_write() { "+w" } else { "" };
            format!("{}:{:?}{write}", scope(&permit), permit.rule())
        }
        Err(denial) => format!("{}:{:?}", denial.problem.status(), denial.rule),
    }
}

/// The table as a map: (interaction, caller) -> answers for open, closed, none.
fn table() -> BTreeMap<(&'static str, &'static str), [&'static str; 3]> {
    let mut table = BTreeMap::new();
    for line in TABLE.lines().filter(|line| !line.is_empty()) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [interactions, callers, open, closed, none] = cells[..] else { panic!("{line}") };
        for interaction in interactions.split(' ') {
            for caller in callers.split(' ') {
                let twice = table.insert((interaction, caller), [open, closed, none]);
                assert!(twice.is_none(), "{interaction} by {caller} stands twice");
            }
        }
    }
    table
}

#[test]
fn the_golden_table_holds() {
    let (open, closed) = (facts(RecordState::Open), facts(RecordState::Closed));
    for ((interaction, caller), expected) in table() {
        let found = [Some(&open), Some(&closed), None].map(|record| answer(interaction, caller, record));
        assert_eq!(found, expected, "{interaction} by {caller}: open, closed, none");
    }
}

#[test]
fn the_golden_table_has_every_combination() {
    let table = table();
    for interaction in INTERACTIONS {
        for caller in CALLERS {
            assert!(table.contains_key(&(interaction, caller)), "{interaction} by {caller} is missing");
        }
    }
    assert_eq!(table.len(), INTERACTIONS.len() * CALLERS.len());
}
