//! What a permit lets its holder see, and that the cohort is the sum of the records.
use super::actors::{CALLERS, NOW, PID, autorisation, caller, facts, ins, resource_type};
use crate::fhir::Interaction;
use crate::fhir::interaction::{Parameters, RecordName, SearchPlace, Target};
use crate::ids::{Pid, Rid};
use crate::policy::{Facts, Masks, Permit, ReadScope, RecordState, Rule, decide, grants, record_status};

fn read(who: &str, facts: &Facts) -> Result<Permit, Rule> {
    let target = Target { resource_type: resource_type("Observation"), place: Some((PID, Rid(3))), alias: None };
    decide(&caller(who), &Interaction::Read(target), Some(facts), NOW).map_err(|denial| denial.rule)
}

fn masks(who: &str) -> Masks {
    match read(who, &facts(RecordState::Open)).unwrap().scope() {
        ReadScope::Record(_, masks) => *masks,
        other @ (ReadScope::Own(_) | ReadScope::Cohort | ReadScope::Directory | ReadScope::Existence(_)) => panic!("{other:?}"),
    }
}

#[test]
fn masked_documents_are_for_the_patient_the_author_and_medecins_traitants() {
    assert_eq!(masks("gp"), Masks { hard: 1 | 16, soft: 2 });
    assert_eq!(masks("sys"), Masks { hard: 1 | 16, soft: 2 });
    assert_eq!(masks("mt"), Masks { hard: 1 | 16, soft: 0 });
    assert_eq!(masks("pat"), Masks { hard: 1 | 4, soft: 0 });
    assert_eq!(masks("srv"), Masks { hard: 1, soft: 0 });
}

#[test]
fn a_write_reads_again_the_version_of_the_facts_it_was_decided_on() {
    assert_eq!(read("gp", &facts(RecordState::Open)).unwrap().facts_version(), Some(12));
}

#[test]
fn without_authorisation_what_is_not_ones_own_is_answered_403_with_the_status() {
    for (who, word) in [("ngp", "NON_EXISTE"), ("exp", "EXPIRE"), ("nsys", "NON_EXISTE")] {
        let permit = read(who, &facts(RecordState::Open)).unwrap();
        let denial = permit.otherwise().unwrap();
        assert_eq!((denial.problem.status(), denial.rule), (403, Rule::NotAuthorised));
        assert!(denial.problem.to_string().contains(word), "{who}");
    }
    assert!(read("gp", &facts(RecordState::Open)).unwrap().otherwise().is_none());
}

#[test]
fn a_record_that_is_not_there_is_answered_like_one_without_authorisation() {
    let search = |record| Interaction::Search {
        resource_type: resource_type("Observation"),
        place: SearchPlace::Record(record),
        parameters: Parameters::default(),
    };
    let here = read("ngp", &facts(RecordState::Open)).unwrap().otherwise().unwrap().problem.clone();
    for record in [RecordName::Unknown, RecordName::Ins(ins()), RecordName::Pid(Pid(99))] {
        assert_eq!(decide(&caller("ngp"), &search(record), None, NOW).unwrap_err().problem, here);
    }
}

#[test]
fn facts_of_another_record_than_the_one_named_give_no_right() {
    let mut other = facts(RecordState::Open);
    other.pid = Pid(8);
    for who in CALLERS {
        assert_eq!(read(who, &other).err(), Some(Rule::NoRecord), "{who}");
    }
}

#[test]
fn the_cohort_is_exactly_the_records_that_are_read_one_by_one() {
    for state in [RecordState::Open, RecordState::Closed] {
        let facts = facts(state);
        let in_force = |grant: &crate::policy::Grant| grant.from <= NOW && grant.until.is_none_or(|until| until > NOW);
        let grants: Vec<_> = grants(&facts).into_iter().filter(in_force).collect();
        for who in ["gp", "mt", "ngp", "exp", "blk", "sys", "nsys", "dir", "bsys"] {
            let me = caller(who).who().unwrap();
            let by_cohort = grants.iter().find(|grant| grant.who == me).map(|grant| grant.masks);
            let by_record = match read(who, &facts).map(|permit| permit.scope().clone()) {
                Ok(ReadScope::Record(_, masks)) => Some(masks),
                Ok(_) | Err(_) => None,
            };
            assert_eq!(by_cohort, by_record, "{who} {state:?}");
        }
    }
}

#[test]
fn td02_tells_each_caller_his_own_status_and_nothing_to_the_patient() {
    let told = |who: &str| {
        let status = record_status(&caller(who), &facts(RecordState::Open), None, NOW);
        (status.medecin_traitant, status.statut_autorisation)
    };
    assert_eq!(told("gp"), (Some(false), Some("VALIDE")));
    assert_eq!(told("mt"), (Some(true), Some("VALIDE")));
    assert_eq!(told("ngp"), (Some(false), Some("NON_EXISTE")));
    assert_eq!(told("exp"), (Some(false), Some("EXPIRE")));
    assert_eq!(told("blk"), (Some(false), Some("INTERDIT")));
    assert_eq!(told("bsys"), (None, Some("INTERDIT")));
    assert_eq!(told("pat"), (None, None));
    assert!(!record_status(&caller("gp"), &facts(RecordState::Closed), None, NOW).open);
}

#[test]
fn a_professional_changes_only_the_consents_that_he_wrote() {
    let target = Target { resource_type: resource_type("Consent"), place: Some((PID, Rid(3))), alias: None };
    let interaction = Interaction::UpdateConsent { target, if_match: None, body: autorisation("gp") };
    let permit = decide(&caller("gp"), &interaction, Some(&facts(RecordState::Open)), NOW).unwrap();
    assert_eq!(permit.scope(), &ReadScope::Own(PID));
    assert_eq!(permit.otherwise().unwrap().problem.status(), 403);
}
