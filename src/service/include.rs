//! What a page of matches brings beside them: `_include` and `_revinclude`, each under the access of the search.
//! <https://hl7.org/fhir/R4/search.html#include>
//!
//! Data of a replaced document come with what was replaced itself, and with nothing else.
use super::Context;
use crate::fhir::{IssueKind, Problem};
use crate::ids::{Pid, Rid};
use crate::search::{self, Include, Keyer, Kind, Parameter, Plan, Query};
use crate::store::{self, Access, Stored};
use std::collections::{BTreeSet, HashSet};

/// How often `:iterate` goes on from what was brought.
const ITERATIONS: usize = 4;

/// Resources that the page includes: what its resources point at, and what points at them.
///
/// # Errors
/// `TooCostly` for more than the setting allows; `Internal` for a body that cannot be read.
pub(super) fn includes(context: &Context<'_>, access: &Access, query: &Query, page: &[Stored]) -> Result<Vec<Stored>, Problem> {
    if query.includes.is_empty() && query.revincludes.is_empty() {
        return Ok(Vec::new());
    }
    let seen = page.iter().map(|stored| (stored.pid, stored.rid)).collect();
    let mut included = Included { context, access, seen, found: Vec::new() };
    let (mut current, mut replaced) = (Vec::new(), Vec::new());
    for stored in page {
        if search::brings_superseded(&stored.resource()?) {
            replaced.push(stored.clone());
        } else {
            current.push(stored.clone());
        }
    }
    for (from, hides) in [(current, true), (replaced, false)] {
        included.from(query, from, hides)?;
    }
    Ok(included.found)
}

/// What has been brought so far.
struct Included<'a> {
    context: &'a Context<'a>,
    access: &'a Access,
    seen: HashSet<(Pid, Rid)>,
    found: Vec<Stored>,
}

impl Included<'_> {
    /// What these matches bring, and with `:iterate` what that brings, to a bounded depth.
    fn from(&mut self, query: &Query, matches: Vec<Stored>, hides: bool) -> Result<(), Problem> {
        let (mut from, mut first) = (matches, true);
        for _ in 0..=ITERATIONS {
            let start = self.found.len();
            for include in query.includes.iter().filter(|include| first || include.iterate) {
                self.follow(include, &from, hides)?;
            }
            for include in query.revincludes.iter().filter(|include| first || include.iterate) {
                self.pointing(include, &from, hides)?;
            }
            from = self.found.iter().skip(start).cloned().collect();
            first = false;
            if from.is_empty() {
                break;
            }
        }
        Ok(())
    }

    /// What these resources point at by the include.
    fn follow(&mut self, include: &Include, from: &[Stored], hides: bool) -> Result<(), Problem> {
        let mut places = BTreeSet::new();
        for stored in from {
            let references = search::included(include, stored.resource_type, &stored.resource()?);
            places.extend(references.iter().filter_map(|reference| self.context.place(reference)));
        }
        places.retain(|place| !self.seen.contains(place));
        let places: Vec<(Pid, Rid)> = places.into_iter().collect();
        let mut found = Vec::new();
        for stored in store::resource_places(self.context.unit, self.access, &places)? {
            let fits = include.target.is_none_or(|target| target == stored.resource_type);
            if fits && !(hides && search::is_superseded(&stored.resource()?)) {
                found.push(stored);
            }
        }
        self.add(found)
    }

    /// Resources of the include's type that refer to one of these (of its target type) by its parameter, or by any.
    fn pointing(&mut self, include: &Include, to: &[Stored], hides: bool) -> Result<(), Problem> {
        let Some(source) = include.source else { return Ok(()) };
        let to = to.iter().filter(|stored| include.target.is_none_or(|target| target == stored.resource_type));
        let places: Vec<(Pid, Rid)> = to.map(|stored| (stored.pid, stored.rid)).collect();
        let parameters: Vec<&Parameter> = match include.parameter {
            Some(parameter) => vec![parameter],
            None => search::registry().parameters(source).filter(|parameter| parameter.kind() == Kind::Reference).collect(),
        };
        let server = self.context.server;
        let hidden = if hides { search::not_superseded(source, &server.keyer) } else { None };
        let plan = Plan { resource_type: source, predicates: hidden.into_iter().collect(), recheck: false, sort: Vec::new() };
        let numbers: BTreeSet<u16> = parameters.iter().flat_map(|parameter| parameter.stored.iter().copied()).collect();
        for number in numbers {
            let base = Keyer::reference_base(number, false);
            // What is on the page already is found again, and counts for nothing.
            let limit = server.includes_max.saturating_add(self.seen.len()).saturating_add(1);
            let found = store::resource_referring(self.context.unit, self.access, base, &plan, &places, limit)?;
            self.add(found)?;
        }
        Ok(())
    }

    /// Adds what is new.
    fn add(&mut self, found: Vec<Stored>) -> Result<(), Problem> {
        self.found.extend(found.into_iter().filter(|stored| self.seen.insert((stored.pid, stored.rid))));
        let most = self.context.server.includes_max;
        if self.found.len() > most {
            let text = format!("The page includes more than {most} resources: ask for a smaller _count");
            return Err(Problem::new(IssueKind::TooCostly, text));
        }
        Ok(())
    }
}
