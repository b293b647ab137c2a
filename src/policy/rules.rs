//! The one decision: may this caller do this, given the facts of the record? Deny by default, every case written out.
use super::access::{self, Standing};
use super::facts::{Facts, RecordState};
use super::permit::{Denial, Masks, Permit, ReadScope, Rule, label};
use super::write_table::{self, Change, Writers};
use super::{consents, opening};
use crate::auth::Caller;
use crate::clock::Millis;
use crate::fhir::interaction::{HistoryPlace, RecordName, SearchPlace, Target};
use crate::fhir::resource_type::Home;
use crate::fhir::{Interaction, IssueKind, Problem, ResourceType, td02};
use crate::ids::{Pid, Rid};

/// Which record an interaction is about, so that its facts can be read before [`decide`].
///
/// A patient who searches without naming a record searches his own.
#[must_use]
pub fn record_concerned(caller: &Caller, interaction: &Interaction) -> Option<RecordName> {
    let of_target = |target: &Target| match target.place {
        Some((Pid::DIRECTORY, _)) | None => None,
        Some((pid, _)) => Some(RecordName::Pid(pid)),
    };
    let of_place = |place: &SearchPlace| match place {
        SearchPlace::Record(record) => Some(record.clone()),
        SearchPlace::Cohort => match caller {
            Caller::Patient(ins) => Some(RecordName::Ins(ins.clone())),
            Caller::Professional(_) | Caller::System(_) | Caller::Operator | Caller::Server => None,
        },
        SearchPlace::Directory => None,
    };
    match interaction {
        Interaction::Existence { ins } => ins.clone().map(RecordName::Ins),
        Interaction::Read(target)
        | Interaction::VersionRead(target, _)
        | Interaction::RetrieveDocument(target)
        | Interaction::Translation(target)
        | Interaction::History { place: HistoryPlace::Instance(target), .. }
        | Interaction::Document { target, .. }
        | Interaction::Everything { target, .. }
        | Interaction::Patch { target, .. }
        | Interaction::Delete { target, .. }
        | Interaction::UpdateConsent { target, .. } => of_target(target),
        // What is not here yet is created in the record of its body.
        Interaction::Update { target, record, .. } => match target.place {
            Some(_) => of_target(target),
            None => record.clone(),
        },
        Interaction::Search { place, .. }
        | Interaction::SearchAll { place, .. }
        | Interaction::History { place: HistoryPlace::Type(_, place) | HistoryPlace::System(place), .. }
        | Interaction::LastN { place, .. }
        | Interaction::DocRef { place, .. } => of_place(place),
        Interaction::Deposit { record, .. } | Interaction::CreateConsent { record, .. } => Some(record.clone()),
        Interaction::Open { patient, .. } => td02::ins_of(patient).map(RecordName::Ins),
        Interaction::Create { record, .. } => record.clone(),
        Interaction::Conditional { .. } | Interaction::Batch { .. } | Interaction::Transaction { .. } => None,
    }
}

/// Decides on one interaction.
///
/// `facts` are those of [`record_concerned`]; `None` where it names no record of this server. Facts of another record
/// than the one named are refused: a proof about one record never leads to another.
///
/// # Errors
/// The rule that refuses, and what the caller is told.
pub fn decide(caller: &Caller, interaction: &Interaction, facts: Option<&Facts>, now: Millis) -> Result<Permit, Denial> {
    let request = Request { caller, facts, now };
    match interaction {
        Interaction::Existence { ins } => request.existence(ins.as_ref()),
        Interaction::Read(target)
        | Interaction::VersionRead(target, _)
        | Interaction::RetrieveDocument(target)
        | Interaction::Translation(target)
        | Interaction::History { place: HistoryPlace::Instance(target), .. }
        | Interaction::Document { target, .. }
        | Interaction::Everything { target, .. } => request.read(target),
        Interaction::Search { resource_type, place, .. }
        | Interaction::History { place: HistoryPlace::Type(resource_type, place), .. } => request.search(*resource_type, place),
        Interaction::SearchAll { place, .. } | Interaction::History { place: HistoryPlace::System(place), .. } => {
            request.search_all(place)
        }
        Interaction::LastN { place, .. } => request.search(known("Observation")?, place),
        Interaction::DocRef { place, .. } => request.search(known("DocumentReference")?, place),
        Interaction::Deposit { record, .. } => {
            let facts = request.writable(record, "DocumentReference.subject")?;
            Ok(request.write_in(facts, Rule::Deposit))
        }
        Interaction::Open { patient, consents, .. } => opening::decide(&request, patient, consents),
        Interaction::CreateConsent { record, body } => {
            request.not_blocked(record)?;
            let facts = request.writable(record, "Consent.patient")?;
            consents::may_write(request.caller, body)?;
            Ok(request.write_in(facts, Rule::Consent))
        }
        Interaction::UpdateConsent { target, body, .. } => request.update_consent(target, body),
        Interaction::Create { resource_type, record, .. } => request.create(*resource_type, record.as_ref()),
        Interaction::Update { target, record, body, .. } => request.update(target, record.as_ref(), body),
        Interaction::Patch { target, .. } => request.change(Change::Patch, target),
        Interaction::Delete { target, .. } => request.delete(target),
        Interaction::Conditional { .. } | Interaction::Batch { .. } | Interaction::Transaction { .. } => {
            // The whole gives no right: the right to one entry must never be used for another.
            Err(denial(Rule::WriteTable, IssueKind::NotSupported, "Each part of it is decided for itself"))
        }
    }
}

/// One question: who, about which record, when.
pub(super) struct Request<'a> {
    pub(super) caller: &'a Caller,
    pub(super) facts: Option<&'a Facts>,
    pub(super) now: Millis,
}

pub(super) fn denial(rule: Rule, kind: IssueKind, text: &str) -> Denial {
    Denial { rule, problem: Problem::new(kind, text) }
}

pub(super) fn forbidden(rule: Rule, text: &str) -> Denial {
    denial(rule, IssueKind::Forbidden, text)
}

/// As a read answers for what is not here.
pub(super) fn not_found() -> Denial {
    denial(Rule::NoRecord, IssueKind::ResourceNotFound, "No such resource here")
}

/// A type that the rules name.
fn known(name: &str) -> Result<ResourceType, Denial> {
    ResourceType::parse(name).ok_or_else(not_found)
}

impl Request<'_> {
    pub(super) fn permit(&self, scope: ReadScope, rule: Rule, write: bool) -> Permit {
        let facts_version = match scope {
            ReadScope::Record(..) | ReadScope::Own(_) | ReadScope::Existence(_) => self.facts.map(|facts| facts.version),
            ReadScope::Cohort | ReadScope::Directory => None,
        };
        Permit { caller: self.caller.clone(), scope, write, facts_version, rule, only_own: false, otherwise: None }
    }

    /// The facts, where they are those of the record named.
    pub(super) fn facts_of(&self, record: &RecordName) -> Option<&Facts> {
        let facts = self.facts?;
        let same = match record {
            RecordName::Pid(pid) => facts.pid == *pid && *pid != Pid::DIRECTORY,
            RecordName::Ins(ins) => facts.ins.as_ref() == Some(ins),
            RecordName::Alias(_) | RecordName::Unknown => false,
        };
        same.then_some(facts)
    }

    /// TD0.2 (BR-01): answered for every caller, the blocked and those without authorisation included; a patient asks
    /// for himself only.
    fn existence(&self, ins: Option<&crate::fhir::identifier::Ins>) -> Result<Permit, Denial> {
        match self.caller {
            Caller::Patient(own) if ins != Some(own) => {
                Err(forbidden(Rule::NotAuthorised, "A patient asks for his own record only"))
            }
            Caller::Professional(_) | Caller::Patient(_) | Caller::System(_) | Caller::Operator | Caller::Server => {
                Ok(self.permit(ReadScope::Existence(ins.cloned()), Rule::Existence, false))
            }
        }
    }

    fn read(&self, target: &Target) -> Result<Permit, Denial> {
        is_served(target.resource_type)?;
        match target.place {
            None => Err(not_found()),
            Some((Pid::DIRECTORY, _)) => Ok(self.permit(ReadScope::Directory, Rule::Directory, false)),
            Some((pid, _)) => self.read_record(target.resource_type, &RecordName::Pid(pid)),
        }
    }

    fn search(&self, resource_type: ResourceType, place: &SearchPlace) -> Result<Permit, Denial> {
        is_served(resource_type)?;
        match place {
            SearchPlace::Record(record) => self.read_record(resource_type, record),
            SearchPlace::Directory => match resource_type.home() {
                Home::Directory | Home::Either => Ok(self.permit(ReadScope::Directory, Rule::Directory, false)),
                Home::Record | Home::None => {
                    Err(denial(Rule::WriteTable, IssueKind::NotSupported, "This type is not in the directory"))
                }
            },
            SearchPlace::Cohort => match self.caller {
                Caller::Patient(ins) => self.read_record(resource_type, &RecordName::Ins(ins.clone())),
                Caller::Professional(professional) => {
                    access::purpose_is_normal(professional)?;
                    self.cohort(resource_type)
                }
                Caller::System(_) => self.cohort(resource_type),
                Caller::Operator | Caller::Server => {
                    Err(forbidden(Rule::CallerKind, "Nobody searches all records: name one, or export"))
                }
            },
        }
    }

    /// Over several types: never the trace, which is not among them.
    fn search_all(&self, place: &SearchPlace) -> Result<Permit, Denial> {
        match place {
            SearchPlace::Directory => Ok(self.permit(ReadScope::Directory, Rule::Directory, false)),
            SearchPlace::Record(_) | SearchPlace::Cohort => self.search(known("Patient")?, place),
        }
    }

    fn cohort(&self, resource_type: ResourceType) -> Result<Permit, Denial> {
        if is_trace(resource_type) {
            return Err(access::trace_is_the_patients());
        }
        Ok(self.permit(ReadScope::Cohort, Rule::Cohort, false))
    }

    /// Consultation of one record (BR-18 to BR-24).
    fn read_record(&self, resource_type: ResourceType, record: &RecordName) -> Result<Permit, Denial> {
        let Some(facts) = self.facts_of(record) else { return Err(self.no_record(record)) };
        match access::standing(self.caller, facts, self.now) {
            Standing::Blocked => Err(access::blocked()),
            Standing::Holder => {
                // The trace is the holder's at any time, also after closure (BR-27).
                if facts.state == RecordState::Closed && !is_trace(resource_type) {
                    return Err(access::closed());
                }
                Ok(self.permit(ReadScope::Record(facts.pid, access::masks(self.caller, facts)), Rule::OwnRecord, false))
            }
            Standing::OtherPatient => Err(forbidden(Rule::NotAuthorised, "A patient reads his own record only")),
            Standing::Internal => {
                Ok(self.permit(ReadScope::Record(facts.pid, access::masks(self.caller, facts)), Rule::Internal, false))
            }
            Standing::Reader(status) => {
                access::is_open(facts)?;
                access::caller_purpose_is_normal(self.caller)?;
                if is_trace(resource_type) {
                    return Err(access::trace_is_the_patients());
                }
                match access::not_authorised(status) {
                    None => {
                        let scope = ReadScope::Record(facts.pid, access::masks(self.caller, facts));
                        Ok(self.permit(scope, Rule::Authorised, false))
                    }
                    Some(denial) => {
                        let mut permit = self.permit(ReadScope::Own(facts.pid), Rule::Depositor, false);
                        permit.otherwise = Some(denial);
                        Ok(permit)
                    }
                }
            }
        }
    }

    /// What a caller is told of a record that is not there: what he would be told of one that does not authorise him.
    pub(super) fn no_record(&self, record: &RecordName) -> Denial {
        match self.caller {
            Caller::Professional(_) | Caller::System(_) => {
                let problem = access::never_authorised().problem;
                Denial { rule: Rule::NoRecord, problem }
            }
            Caller::Patient(own) => {
                if matches!(record, RecordName::Ins(ins) if ins == own) {
                    return not_found();
                }
                let problem = Problem::new(IssueKind::Forbidden, "A patient reads his own record only");
                Denial { rule: Rule::NoRecord, problem }
            }
            Caller::Operator | Caller::Server => not_found(),
        }
    }

    /// Facts of a record into which the caller may bring something: open, and for a patient his own. Blocked callers
    /// may deposit (BR-18, DESIGN section 5).
    pub(super) fn writable(&self, record: &RecordName, path: &str) -> Result<&Facts, Denial> {
        let Some(facts) = self.facts_of(record) else {
            return Err(match self.caller {
                Caller::Patient(_) => self.no_record(record),
                Caller::Professional(_) | Caller::System(_) | Caller::Operator | Caller::Server => {
                    let problem = Problem::at(IssueKind::ReferenceUnresolved, path, "This names no record of this server");
                    Denial { rule: Rule::NoRecord, problem }
                }
            });
        };
        match access::standing(self.caller, facts, self.now) {
            Standing::OtherPatient => Err(forbidden(Rule::NotAuthorised, "A patient writes in his own record only")),
            Standing::Blocked | Standing::Holder | Standing::Reader(_) | Standing::Internal => {
                access::is_open(facts)?;
                access::caller_purpose_is_normal(self.caller)?;
                Ok(facts)
            }
        }
    }

    /// Blocked wins over everything but deposit and TD0.2.
    pub(super) fn not_blocked(&self, record: &RecordName) -> Result<(), Denial> {
        match self.facts_of(record).map(|facts| access::standing(self.caller, facts, self.now)) {
            Some(Standing::Blocked) => Err(access::blocked()),
            Some(Standing::Holder | Standing::OtherPatient | Standing::Reader(_) | Standing::Internal) | None => Ok(()),
        }
    }

    /// A permit to write in a record; it sees there what its caller may read, no more.
    pub(super) fn write_in(&self, facts: &Facts, rule: Rule) -> Permit {
        let whole = ReadScope::Record(facts.pid, access::masks(self.caller, facts));
        let scope = match access::standing(self.caller, facts, self.now) {
            Standing::Holder | Standing::Internal => whole,
            Standing::Reader(status) => match access::not_authorised(status) {
                None => whole,
                Some(_) => ReadScope::Own(facts.pid),
            },
            Standing::Blocked | Standing::OtherPatient => ReadScope::Own(facts.pid),
        };
        self.permit(scope, rule, true)
    }

    /// A patient changes any Consent of his record; a professional or system only one that it wrote itself.
    fn update_consent(&self, target: &Target, body: &crate::fhir::Resource) -> Result<Permit, Denial> {
        let record = match target.place {
            None | Some((Pid::DIRECTORY, _) | (_, Rid::PATIENT)) => return Err(not_found()),
            Some((pid, _)) => RecordName::Pid(pid),
        };
        if self.facts_of(&record).is_none() {
            return Err(self.no_record(&record));
        }
        self.not_blocked(&record)?;
        let facts = self.writable(&record, "Consent.patient")?;
        consents::may_change(self.caller, body)?;
        let whole = ReadScope::Record(facts.pid, access::masks(self.caller, facts));
        match self.caller {
            Caller::Patient(_) | Caller::Operator | Caller::Server => Ok(self.permit(whole, Rule::Consent, true)),
            Caller::Professional(_) | Caller::System(_) => {
                let mut permit = self.permit(ReadScope::Own(facts.pid), Rule::Consent, true);
                permit.otherwise = Some(access::not_the_author());
                Ok(permit)
            }
        }
    }

    /// `POST [type]` of what has no interaction of its own: by the table of decision 15.
    pub(super) fn create(&self, resource_type: ResourceType, record: Option<&RecordName>) -> Result<Permit, Denial> {
        match (write_table::create(resource_type), record) {
            (Writers::Nobody, _) => {
                Err(denial(Rule::WriteTable, IssueKind::NotSupported, "No client creates resources of this type"))
            }
            (writers @ Writers::Record { .. }, Some(record)) => {
                if !writers.allow(self.caller) {
                    return Err(forbidden(Rule::CallerKind, "This kind of caller does not create resources of this type"));
                }
                let facts = self.writable(record, resource_type.record_paths().first().copied().unwrap_or_default())?;
                Ok(self.write_in(facts, Rule::WriteTable))
            }
            (Writers::Record { directory: false, .. }, None) => {
                let path = resource_type.record_paths().first().copied().unwrap_or_default();
                let problem = Problem::at(IssueKind::ReferenceUnresolved, path, "A resource of this type names its patient");
                Err(Denial { rule: Rule::NoRecord, problem })
            }
            (Writers::Record { directory: true, .. } | Writers::Directory, None) => self.write_directory(),
            (Writers::Directory, Some(_)) => {
                Err(denial(Rule::WriteTable, IssueKind::BusinessRule, "A resource of this type belongs to no record"))
            }
        }
    }

    pub(super) fn write_directory(&self) -> Result<Permit, Denial> {
        match self.caller {
            Caller::System(system) if system.directory_writer => Ok(self.permit(ReadScope::Directory, Rule::WriteTable, true)),
            Caller::Operator | Caller::Server => Ok(self.permit(ReadScope::Directory, Rule::Internal, true)),
            Caller::Professional(_) | Caller::Patient(_) | Caller::System(_) => {
                Err(forbidden(Rule::CallerKind, "The directory is written by systems with that right"))
            }
        }
    }
}

/// Whether a type is the trace, which the patient alone reads (BR-27).
fn is_trace(resource_type: ResourceType) -> bool {
    resource_type.name() == "AuditEvent"
}

/// Types outside the purpose of this server are refused before anything else.
pub(super) fn is_served(resource_type: ResourceType) -> Result<(), Denial> {
    match resource_type.home() {
        Home::Record | Home::Directory | Home::Either => Ok(()),
        Home::None => Err(denial(Rule::WriteTable, IssueKind::NotSupported, "This server has no resources of this type")),
    }
}

/// What a permit's holder never sees: kept here so that every scope has it.
pub(super) const fn masks_of(hard: i32, soft: i32) -> Masks {
    Masks { hard: hard | label::WITHDRAWN, soft }
}
