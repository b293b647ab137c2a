//! Who changes what of a document that he sees (decisions 2 to 6; BR-32, BR-33, BR-35, BR-43).
//!
//! [`super::decide`] lets the caller into the record; whether he is an author only the store knows, so the service asks
//! here before it writes.
use super::facts::Facts;
use super::permit::{Denial, Rule};
use super::rules::forbidden;
use crate::auth::Caller;

/// One change of a document's metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DocumentChange {
    /// Withdrawal: DELETE, or status entered-in-error.
    Withdraw,
    /// isArchived set or taken away.
    Archive,
    /// MASQUE_PS set.
    Mask,
    /// MASQUE_PS taken away.
    Unmask,
    /// INVISIBLE_PATIENT set.
    HideFromPatient,
    /// INVISIBLE_PATIENT taken away.
    ShowToPatient,
    /// INVISIBLE_REPRESENTANTS_LEGAUX taken away.
    ShowToRepresentatives,
}

/// Whether this caller makes this change; `is_author`: he deposited the document or is among its authors.
///
/// # Errors
/// 403: the author alone, but for MASQUE_PS, which the patient and any professional set, and which the patient and a médecin
/// traitant take away (BR-32).
pub fn may_change_document(caller: &Caller, facts: &Facts, is_author: bool, change: DocumentChange) -> Result<(), Denial> {
    let allowed = match (caller, change) {
        (Caller::Operator | Caller::Server, _) => true,
        (Caller::Patient(_), DocumentChange::Mask | DocumentChange::Unmask) => true,
        // What is hidden from him is not for him to set: nobody hides a document from himself.
        (Caller::Patient(_), DocumentChange::HideFromPatient | DocumentChange::ShowToPatient) => false,
        (Caller::Patient(_), DocumentChange::Withdraw | DocumentChange::Archive | DocumentChange::ShowToRepresentatives) => {
            is_author
        }
        (Caller::Professional(_), DocumentChange::Mask) => true,
        (Caller::Professional(professional), DocumentChange::Unmask) => is_author || facts.treating.contains(&professional.rpps),
        (
            Caller::Professional(_),
            DocumentChange::Withdraw
            | DocumentChange::Archive
            | DocumentChange::HideFromPatient
            | DocumentChange::ShowToPatient
            | DocumentChange::ShowToRepresentatives,
        )
        | (Caller::System(_), _) => is_author,
    };
    if allowed { Ok(()) } else { Err(forbidden(Rule::CallerKind, "Only an author of the document changes it so (BR-32, BR-43)")) }
}
