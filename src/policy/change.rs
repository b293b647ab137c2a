//! Who changes what is stored: update, patch, delete (decision 15, `schema/interactions.tsv`).
//!
//! A professional or system changes only what it created itself: a pure rule cannot know that, so the permit says
//! [`Permit::only_own`], and the service asks the store before it writes.
use super::access::{self, Standing};
use super::opening;
use super::permit::{Denial, Permit, ReadScope, Rule};
use super::rules::{Request, denial, forbidden, is_served, not_found};
use super::write_table::{self, Change, Writers};
use crate::auth::Caller;
use crate::fhir::interaction::{RecordName, Target};
use crate::fhir::{IssueKind, Problem, Resource, td02};
use crate::ids::Pid;

impl Request<'_> {
    /// `PUT [type]/[id]`. What is not here is created by a system under the id that it chose (DESIGN, "Opaque ids"); every
    /// other caller is told what he is told of a resource that he may not see.
    pub(super) fn update(&self, target: &Target, record: Option<&RecordName>, body: &Resource) -> Result<Permit, Denial> {
        if target.place.is_some() {
            if target.resource_type.name() == "Patient" && td02::ins_of(body).is_some() {
                let faults = opening::traits(body);
                let permit = self.change(Change::Update, target)?;
                return match Problem::from_issues(faults) {
                    Some(problem) => Err(Denial { rule: Rule::WriteTable, problem }),
                    None => Ok(permit),
                };
            }
            return self.change(Change::Update, target);
        }
        self.writers(Change::Update, target)?;
        match self.caller {
            Caller::System(_) | Caller::Operator | Caller::Server if target.alias.is_some() => {
                self.create(target.resource_type, record)
            }
            Caller::System(_) | Caller::Operator | Caller::Server | Caller::Professional(_) | Caller::Patient(_) => {
                Err(not_found())
            }
        }
    }

    /// `DELETE [type]/[id]`. Of an id that leads nowhere the answer is that of one deleted before, so that it tells nothing.
    pub(super) fn delete(&self, target: &Target) -> Result<Permit, Denial> {
        if target.place.is_some() {
            return self.change(Change::Delete, target);
        }
        let writers = self.writers(Change::Delete, target)?;
        match writers.allow(self.caller) || writers.in_directory() {
            true => Ok(self.permit(ReadScope::Existence(None), Rule::WriteTable, false)),
            false => Err(wrong_kind()),
        }
    }

    /// Update, patch or delete of what has a place.
    pub(super) fn change(&self, change: Change, target: &Target) -> Result<Permit, Denial> {
        let writers = self.writers(change, target)?;
        match target.place {
            None => Err(not_found()),
            Some((Pid::DIRECTORY, _)) if writers.in_directory() => self.write_directory(),
            Some((Pid::DIRECTORY, _)) => Err(nobody()),
            Some((pid, _)) => {
                if !writers.allow(self.caller) {
                    return Err(wrong_kind());
                }
                self.change_in(&RecordName::Pid(pid), target)
            }
        }
    }

    fn writers(&self, change: Change, target: &Target) -> Result<Writers, Denial> {
        is_served(target.resource_type)?;
        match write_table::change(change, target.resource_type) {
            Writers::Nobody => Err(nobody()),
            writers @ (Writers::Record { .. } | Writers::Directory) => Ok(writers),
        }
    }

    fn change_in(&self, record: &RecordName, target: &Target) -> Result<Permit, Denial> {
        if self.facts_of(record).is_none() {
            return Err(self.no_record(record));
        }
        self.not_blocked(record)?;
        let facts = self.writable(record, target.resource_type.name())?;
        let whole = || self.permit(ReadScope::Record(facts.pid, access::masks(self.caller, facts)), Rule::WriteTable, true);
        let own =
            |otherwise| Permit { otherwise: Some(otherwise), ..self.permit(ReadScope::Own(facts.pid), Rule::WriteTable, true) };
        let is_consent = target.resource_type.name() == "Consent";
        match access::standing(self.caller, facts, self.now) {
            Standing::Internal => Ok(whole()),
            // A patient changes every Consent of his record, and of all else what he brought himself.
            Standing::Holder => Ok(Permit { only_own: !is_consent, ..whole() }),
            Standing::Reader(_) if is_consent => Ok(Permit { only_own: true, ..own(access::not_the_author()) }),
            Standing::Reader(status) => match access::not_authorised(status) {
                None => Ok(Permit { only_own: true, ..whole() }),
                Some(denial) => Ok(Permit { only_own: true, ..own(denial) }),
            },
            Standing::Blocked => Err(access::blocked()),
            Standing::OtherPatient => Err(forbidden(Rule::NotAuthorised, "A patient writes in his own record only")),
        }
    }
}

fn nobody() -> Denial {
    denial(Rule::WriteTable, IssueKind::NotSupported, "No client changes resources of this type so")
}

fn wrong_kind() -> Denial {
    forbidden(Rule::CallerKind, "This kind of caller does not change resources of this type so")
}
