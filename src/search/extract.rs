//! Index rows of a resource, from the registry alone.
use super::criterion::{clinical_date, targets};
use super::hidden;
use super::keyer::Keyer;
use super::kind::{self, Local, Reading};
use super::plan::{IndexRows, Key, Plan, Predicate};
use super::query::Include;
use super::registry::{Kind, Parameter, registry};
use crate::fhir::{Resource, ResourceType};
use crate::ids::{Pid, Rid};
use jiff::tz::TimeZone;

/// What extracting needs.
#[derive(Clone, Copy)]
pub struct ExtractContext<'a> {
    /// Makes index keys.
    pub keyer: &'a Keyer,
    /// Where a reference leads on this server.
    pub local: Local<'a>,
    /// Record of the resource, or the directory.
    pub pid: Pid,
    /// Zone of dates without one.
    pub time_zone: &'a TimeZone,
}

/// The index rows of one version of a resource, each once.
#[must_use]
pub fn extract(resource_type: ResourceType, resource: &Resource, context: &ExtractContext<'_>) -> IndexRows {
    let reading = Reading { local: context.local, pid: context.pid, time_zone: context.time_zone };
    let ts = clinical_date(resource_type, resource, context.time_zone).unwrap_or(IndexRows::NO_DATE);
    let mut out = IndexRows { ts, ..IndexRows::default() };
    out.tokens.extend(type_key(resource_type, context.keyer));
    for parameter in registry().parameters(resource_type).filter(|parameter| parameter.has_rows) {
        for found in parameter.path.evaluate(resource) {
            kind::rows(parameter, found, resource, context.keyer, &reading, &mut out);
        }
    }
    hidden::rows(resource_type, resource, context.keyer, context.time_zone, &mut out);
    out.tokens.sort_unstable();
    out.tokens.dedup();
    out.ranges.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)).then(a.2.total_cmp(&b.2)));
    out.ranges.dedup();
    out.texts.sort_unstable();
    out.texts.dedup();
    out
}

/// The `token` key that every resource of this type has.
#[must_use]
pub fn type_key(resource_type: ResourceType, keyer: &Keyer) -> Option<Key> {
    let parameter = registry().parameter(resource_type, "_type")?;
    Some(keyer.code(parameter.number, resource_type.name()))
}

/// The references that an `_include` follows from this resource, as they are written, versions off.
///
/// A reference that states another type than the include's target is left out.
#[must_use]
pub fn included(include: &Include, resource_type: ResourceType, resource: &Resource) -> Vec<String> {
    if include.source.is_some_and(|source| source != resource_type) {
        return Vec::new();
    }
    let all = || registry().parameters(resource_type).filter(|parameter| parameter.kind() == Kind::Reference);
    let parameters: Vec<&Parameter> = include.parameter.map_or_else(|| all().collect(), |parameter| vec![parameter]);
    let found = parameters.into_iter().flat_map(|parameter| targets(parameter, resource));
    let mut texts: Vec<String> = found
        .filter(|(stated, _)| include.target.is_none_or(|target| stated.is_none_or(|stated| stated == target)))
        .map(|(_, text)| text)
        .collect();
    texts.sort_unstable();
    texts.dedup();
    texts
}

/// The plan that finds what a `_revinclude` adds to these resources of one record; `None` for `*` alone.
#[must_use]
pub fn revincluded(include: &Include, places: &[(Pid, Rid)], pid: Pid) -> Option<Plan> {
    let resource_type = include.source?;
    let all = || registry().parameters(resource_type).filter(|parameter| parameter.kind() == Kind::Reference);
    let parameters: Vec<&Parameter> = include.parameter.map_or_else(|| all().collect(), |parameter| vec![parameter]);
    let mut keys = Vec::new();
    for number in parameters.iter().flat_map(|parameter| &parameter.stored) {
        let here = places.iter().filter(|(place, _)| *place == pid || *place == Pid::DIRECTORY);
        keys.extend(here.map(|(place, rid)| Keyer::reference(*number, *place != pid, *rid)));
    }
    keys.sort_unstable();
    keys.dedup();
    Some(Plan { resource_type, predicates: vec![Predicate::Tokens(keys)], recheck: false, sort: Vec::new() })
}
