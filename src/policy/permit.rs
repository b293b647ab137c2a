//! What `decide` answers: a permit that contains its target, or a denial that names its rule.
use crate::auth::Caller;
use crate::fhir::identifier::Ins;
use crate::ids::Pid;

/// Which labels a reader does not see. A resource is visible where
/// `labels & hard = 0 AND (labels & soft = 0 OR the reader is among its authors)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Masks {
    /// Withdrawn; invisible to this patient or representative.
    pub hard: i32,
    /// MASQUE_PS, for a professional who is not a médecin traitant.
    pub soft: i32,
}

/// Bits of `resource.labels`.
pub mod label {
    /// Withdrawn by its author (decision 2).
    pub const WITHDRAWN: i32 = 1;
    /// MASQUE_PS.
    pub const MASQUE_PS: i32 = 2;
    /// INVISIBLE_PATIENT.
    pub const INVISIBLE_PATIENT: i32 = 4;
    /// INVISIBLE_REPRESENTANTS_LEGAUX.
    pub const INVISIBLE_REPRESENTANTS_LEGAUX: i32 = 8;
    /// For the patient alone: whom he blocks is told to no professional and no system.
    pub const PATIENT_ONLY: i32 = 16;
}

/// What a permit lets its holder see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadScope {
    /// One record, under masks.
    Record(Pid, Masks),
    /// In one record, what this caller deposited.
    Own(Pid),
    /// Every record that authorises the caller now.
    Cohort,
    /// The directory.
    Directory,
    /// Whether this INS has a record, nothing else.
    Existence(Option<Ins>),
}

/// Which rule allowed or refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// The patient sees his own record.
    OwnRecord,
    /// An authorisation in force (BR-18, BR-19).
    Authorised,
    /// Deposit needs only an open record (BR-18).
    Deposit,
    /// What the caller deposited himself.
    Depositor,
    /// TD0.2, for every caller (BR-01).
    Existence,
    /// The directory is read by every caller.
    Directory,
    /// Opening by an entitled caller (BR-02).
    Opening,
    /// A Consent written by those whom DESIGN section 5 names (BR-20).
    Consent,
    /// The caller's own cohort.
    Cohort,
    /// The table type x interaction x caller (decision 15).
    WriteTable,
    /// Operator or server.
    Internal,
    /// No authorisation, or none in force (NON_EXISTE, EXPIRE).
    NotAuthorised,
    /// Blocked by the patient (INTERDIT).
    Blocked,
    /// The record is closed (BR-03).
    Closed,
    /// No such record.
    NoRecord,
    /// This kind of caller may not do this.
    CallerKind,
    /// A mode of access that is not enforced yet.
    Purpose,
}

/// Leave to do one thing: made only by [`super::decide`], and it contains what it is about.
///
/// A permit comes from the rules:
/// ```
/// use dmp_fhir::{auth::Caller, clock::Millis, fhir::Interaction, policy::{self, Permit, ReadScope, Rule}};
/// fn leave(caller: Caller, interaction: &Interaction) -> Option<Permit> {
///     policy::decide(&caller, interaction, None, Millis(0)).ok()
/// }
/// ```
/// and cannot be made by hand, because its fields are private:
/// ```compile_fail
/// use dmp_fhir::{auth::Caller, clock::Millis, fhir::Interaction, policy::{self, Permit, ReadScope, Rule}};
/// fn leave(caller: Caller, interaction: &Interaction) -> Option<Permit> {
///     Some(Permit { caller, scope: ReadScope::Directory, write: true, facts_version: None, rule: Rule::Internal, only_own: false, otherwise: None })
/// }
/// ```
/// What it is about can be read:
/// ```
/// use dmp_fhir::{ids::Pid, policy::{Masks, Permit, ReadScope}};
/// fn widen(mut permit: Permit) -> ReadScope {
///     permit.scope().clone()
/// }
/// ```
/// and cannot be changed:
/// ```compile_fail
/// use dmp_fhir::{ids::Pid, policy::{Masks, Permit, ReadScope}};
/// fn widen(mut permit: Permit) -> ReadScope {
///     permit.scope = ReadScope::Record(Pid(1), Masks::default()); permit.scope().clone()
/// }
/// ```
/// It does not come from a caller's text either: neither it nor the facts can be read from or written to JSON.
/// ```
/// use dmp_fhir::{fhir::Resource, policy::{Facts, Permit}};
/// fn out(value: &Resource) -> Option<String> {
///     serde_json::to_string(value).ok()
/// }
/// ```
/// ```compile_fail
/// use dmp_fhir::{fhir::Resource, policy::{Facts, Permit}};
/// fn out(value: &Facts) -> Option<String> {
///     serde_json::to_string(value).ok()
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Permit {
    pub(super) caller: Caller,
    pub(super) scope: ReadScope,
    pub(super) write: bool,
    pub(super) facts_version: Option<i64>,
    pub(super) rule: Rule,
    pub(super) only_own: bool,
    pub(super) otherwise: Option<Denial>,
}

impl Permit {
    /// Who holds it.
    #[must_use]
    pub fn caller(&self) -> &Caller {
        &self.caller
    }
    /// What it lets the holder see.
    #[must_use]
    pub fn scope(&self) -> &ReadScope {
        &self.scope
    }
    /// Whether it lets the holder write in that scope what the interaction brought.
    #[must_use]
    pub fn may_write(&self) -> bool {
        self.write
    }
    /// Version of the facts it was decided on; a write reads it again inside its transaction.
    #[must_use]
    pub fn facts_version(&self) -> Option<i64> {
        self.facts_version
    }
    /// The rule that allowed it.
    #[must_use]
    pub fn rule(&self) -> Rule {
        self.rule
    }
    /// Whether it lets the holder change only what he created himself: of another's that he sees he is told so (403).
    #[must_use]
    pub fn only_own(&self) -> bool {
        self.only_own
    }
    /// What the caller is told where this scope holds nothing that he asked for: without authorisation he sees what he
    /// deposited, and of all else only that he has no authorisation (403), whether it exists or not.
    #[must_use]
    pub fn otherwise(&self) -> Option<&Denial> {
        self.otherwise.as_ref()
    }
}

/// A refusal, and the rule that it rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// The rule.
    pub rule: Rule,
    /// What the caller is told.
    pub problem: crate::fhir::Problem,
}
