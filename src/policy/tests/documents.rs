//! Who changes what of a document that he sees.
use super::actors::{caller, facts};
use crate::policy::{DocumentChange, RecordState, may_change_document};

/// change | who makes it without being an author | who makes it as an author
const TABLE: [(DocumentChange, &str, &str); 7] = [
    (DocumentChange::Withdraw, "ope srv", "gp mt ngp pat sys nsys ope srv"),
    (DocumentChange::Archive, "ope srv", "gp mt ngp pat sys nsys ope srv"),
    (DocumentChange::Mask, "gp mt ngp pat ope srv", "gp mt ngp pat sys nsys ope srv"),
    (DocumentChange::Unmask, "mt pat ope srv", "gp mt ngp pat sys nsys ope srv"),
    (DocumentChange::HideFromPatient, "ope srv", "gp mt ngp sys nsys ope srv"),
    (DocumentChange::ShowToPatient, "ope srv", "gp mt ngp sys nsys ope srv"),
    (DocumentChange::ShowToRepresentatives, "ope srv", "gp mt ngp pat sys nsys ope srv"),
];

#[test]
fn who_changes_what_of_a_document_that_he_sees() {
    let facts = facts(RecordState::Open);
    for (change, others, authors) in TABLE {
        for who in ["gp", "mt", "ngp", "pat", "sys", "nsys", "ope", "srv"] {
            for (is_author, allowed) in [(false, others), (true, authors)] {
                let found = may_change_document(&caller(who), &facts, is_author, change);
                let expected = allowed.split(' ').any(|one| one == who);
                assert_eq!(found.is_ok(), expected, "{change:?} by {who}, author: {is_author}");
                assert!(found.is_ok() || found.is_err_and(|denial| denial.problem.status() == 403));
            }
        }
    }
}
