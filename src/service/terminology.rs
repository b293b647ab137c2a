//! What a query names and does not hold: value sets and code systems of the directory, lists of the record.
//! <https://hl7.org/fhir/R4/terminology-service.html>
//!
//! Every caller reads the directory; a List is read under the access of the search, so that one that the caller does not see
//! has no items for him.
use super::{Context, known_type};
use crate::fhir::{IssueKind, Problem, Resource, ResourceType};
use crate::ids::{Pid, Rid};
use crate::search::{Library, Plan, Predicate, registry};
use crate::store::{self, Access, Stored};
use serde_json::Value;
use std::cell::RefCell;

/// The library of one search.
pub(super) struct Shelf<'a> {
    context: &'a Context<'a>,
    access: &'a Access,
    failed: RefCell<Option<Problem>>,
}

impl<'a> Shelf<'a> {
    pub(super) fn new(context: &'a Context<'a>, access: &'a Access) -> Self {
        Self { context, access, failed: RefCell::new(None) }
    }

    /// The answer, unless something could not be read meanwhile: what it says is not known then.
    pub(super) fn checked<T>(self, answer: Result<T, Problem>) -> Result<T, Problem> {
        match self.failed.into_inner() {
            Some(problem) => Err(problem),
            None => answer,
        }
    }

    fn read<T: Default>(&self, read: Result<T, Problem>) -> T {
        read.unwrap_or_else(|problem| {
            self.failed.borrow_mut().get_or_insert(problem);
            T::default()
        })
    }

    fn of_name(&self, resource_type: ResourceType, name: &str) -> Result<Option<Resource>, Problem> {
        let places = match self.context.place(name) {
            Some(place) => vec![place],
            None => self.of_url(resource_type, name)?,
        };
        let mut found = store::resource_places(self.context.unit, self.access, &places)?;
        found.retain(|stored| stored.resource_type == resource_type && stored.pid == Pid::DIRECTORY);
        let mut best: Option<(bool, Stored, Resource)> = None;
        for stored in found {
            let body = stored.resource()?;
            let is_active = body.get("status").and_then(Value::as_str) == Some("active");
            let newer = |(active, other, _): &(bool, Stored, Resource)| {
                (is_active, stored.updated.0, stored.rid) > (*active, other.updated.0, other.rid)
            };
            if best.as_ref().is_none_or(newer) {
                best = Some((is_active, stored, body));
            }
        }
        Ok(best.map(|(_, _, body)| body))
    }

    /// Where the directory has what has this canonical URL, with this version where one is named.
    fn of_url(&self, resource_type: ResourceType, name: &str) -> Result<Vec<(Pid, Rid)>, Problem> {
        let (url, version) = name.split_once('|').map_or((name, None), |(url, version)| (url, Some(version)));
        let keyer = &self.context.server.keyer;
        let number = |code: &str| {
            let parameter = registry().parameter(resource_type, code).and_then(|parameter| parameter.stored.first().copied());
            parameter.ok_or_else(|| Problem::new(IssueKind::Internal, "A search parameter is missing from the table"))
        };
        let mut predicates = vec![Predicate::Tokens(vec![keyer.uri(number("url")?, url)])];
        if let Some(version) = version {
            predicates.push(Predicate::Tokens(vec![keyer.code(number("version")?, version)]));
        }
        let plan = Plan { resource_type, predicates, recheck: false, sort: Vec::new() };
        store::resource_matches(self.context.unit, self.access, true, &plan, &mut |_| true)
    }

    fn of_list(&self, list: &str) -> Result<Vec<(Pid, Rid)>, Problem> {
        let name = known_type("List")?;
        let Some(place) = self.context.place(&format!("{name}/{list}")) else { return Ok(Vec::new()) };
        let mut places = Vec::new();
        for stored in store::resource_places(self.context.unit, self.access, &[place])? {
            if stored.resource_type != name {
                continue;
            }
            let body = stored.resource()?;
            let entries = body.get("entry").and_then(Value::as_array).into_iter().flatten();
            let items = entries.filter(|entry| entry.get("deleted") != Some(&Value::Bool(true)));
            let references = items.filter_map(|entry| entry.get("item")?.get("reference")?.as_str());
            places.extend(references.filter_map(|reference| self.context.place(reference)));
        }
        Ok(places)
    }
}

impl Library for Shelf<'_> {
    fn definition(&self, resource_type: ResourceType, name: &str) -> Option<Resource> {
        self.read(self.of_name(resource_type, name))
    }
    fn items(&self, list: &str) -> Vec<(Pid, Rid)> {
        self.read(self.of_list(list))
    }
}
