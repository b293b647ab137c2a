//! History of a resource, of a type, of everything. <https://hl7.org/fhir/R4/http.html#history>
//!
//! # Decisions
//! - A type and the whole system are those of the records that authorise the caller, each under its own mask, or of the
//!   directory for its types; of a patient, his own record.
//! - Version 1 is a POST, a version without body a DELETE, every other one a PUT.
//! - The trace keeps no history: 404 (H73). A Binary stands without its data, as in searches.
//! - `_since`, `_at` and `_count` stand at most once; `_at` takes the prefixes of dates.
use super::Context;
use super::read::not_found;
use super::search::{self, events, link_to, part, take_cursor};
use crate::audit::{Action, Body, Outcome};
use crate::clock::Millis;
use crate::fhir::bundle::{self, HistoryEntry};
use crate::fhir::interaction::{HistoryPlace, Parameters};
use crate::fhir::{IssueKind, Problem, ResourceType, datetime};
use crate::ids::{Pid, Rid};
use crate::search::{COUNT_DEFAULT, COUNT_MAX, Query};
use crate::store::{self, Access, HistoryOf, HistoryRequest, PageRequest, Stored};
use std::collections::{HashMap, HashSet};

/// `GET [type]/[id]/_history`, `[type]/_history`, `_history`.
///
/// # Errors
/// 404 for a resource that is not here or not for this caller; 400 for a parameter that a history does not have, or twice.
pub(super) fn history(
    context: &Context<'_>,
    access: &Access,
    place: &HistoryPlace,
    parameters: &Parameters,
) -> Result<Outcome, Problem> {
    let (cursor, parameters) = take_cursor(parameters);
    let asked = Asked::parse(context, &parameters)?;
    let (of, path) = of(context, access, place)?;
    let only_count = asked.part.iter().any(|(name, value)| name == "_summary" && value == "count");
    let request = HistoryRequest {
        of,
        since: asked.since,
        at: asked.at,
        page: PageRequest { count: if only_count { 0 } else { asked.count }, total: true, cursor, query: None },
    };
    let entries = Entries { context, access, asked: &asked };
    match of {
        HistoryOf::Instance(resource_type, _) | HistoryOf::Type(resource_type) => {
            search::asked(context, access, resource_type, &Parameters(asked.part.clone()))?;
        }
        HistoryOf::System => {
            entries.query(super::known_type("Patient")?)?;
        }
    }
    let page = store::history_page(context.unit, access, &request)?;
    if let (Some(denial), true) = (access.permit().otherwise(), page.total == Some(0) && !matches!(of, HistoryOf::Instance(..))) {
        return Err(denial.problem.clone());
    }
    let base = context.server.base();
    let entries = entries.of(&page.resources)?;
    let next = page.next.as_ref().map(|cursor| link_to(base, &path, &asked.honoured, Some(cursor.as_text())));
    let bytes = bundle::history(&link_to(base, &path, &asked.honoured, None), next.as_deref(), page.total, &entries);
    let events = match of {
        HistoryOf::Instance(resource_type, rid) => {
            let pid = access.pid().unwrap_or(Pid::DIRECTORY);
            vec![context.event_on(Action::Read, 200, resource_type, pid, rid)]
        }
        HistoryOf::Type(resource_type) => events(context, access, Some(resource_type), page.resources.iter()),
        HistoryOf::System => events(context, access, None, page.resources.iter()),
    };
    Ok(Outcome::new(200, Body::Fhir(bytes), events))
}

/// Whose history, and its path below the base.
fn of(context: &Context<'_>, access: &Access, place: &HistoryPlace) -> Result<(HistoryOf, String), Problem> {
    match place {
        HistoryPlace::Instance(target) => {
            has_history(target.resource_type)?;
            let Some((pid, rid)) = target.place else { return Err(not_found(access)) };
            let (unit, resource_type) = (context.unit, target.resource_type);
            let here = store::resource_read(unit, access, resource_type, rid)?.is_some()
                || store::resource_withdrawn(unit, access, resource_type, rid)?;
            if !here {
                return Err(not_found(access));
            }
            let path = format!("{}/_history", context.server.reference(resource_type, pid, rid));
            Ok((HistoryOf::Instance(resource_type, rid), path))
        }
        HistoryPlace::Type(resource_type, _) => {
            has_history(*resource_type)?;
            Ok((HistoryOf::Type(*resource_type), format!("{resource_type}/_history")))
        }
        HistoryPlace::System(_) => Ok((HistoryOf::System, "_history".to_owned())),
    }
}

/// An event of the trace is written once.
fn has_history(resource_type: ResourceType) -> Result<(), Problem> {
    if resource_type.name() == "AuditEvent" {
        return Err(Problem::new(IssueKind::ResourceNotFound, "No history is kept of AuditEvents: each is written once"));
    }
    Ok(())
}

/// The parameters of a history, read.
struct Asked {
    since: Option<Millis>,
    at: Option<(Millis, Millis)>,
    count: usize,
    /// `_summary` and `_elements`.
    part: Vec<(String, String)>,
    honoured: Vec<(String, String)>,
}

impl Asked {
    fn parse(context: &Context<'_>, parameters: &Parameters) -> Result<Self, Problem> {
        let count = usize::try_from(COUNT_DEFAULT).unwrap_or(usize::MAX);
        let mut asked = Self { since: None, at: None, count, part: Vec::new(), honoured: Vec::new() };
        let mut seen = HashSet::new();
        for (name, value) in &parameters.0 {
            let wrong = || Problem::new(IssueKind::ParameterInvalid, format!("The value of `{name}` is not allowed"));
            let interval = |text: &str| datetime::parse(text, &context.server.time_zone).ok_or_else(wrong);
            match name.as_str() {
                "_format" | "_pretty" => continue,
                "_since" => asked.since = Some(Millis(interval(value)?.lo)),
                "_at" => {
                    let (prefix, date) = match value.get(..2).filter(|two| two.bytes().all(|byte| byte.is_ascii_lowercase())) {
                        Some(prefix) => (prefix, value.get(2..).unwrap_or_default()),
                        None => ("eq", value.as_str()),
                    };
                    asked.at = Some(between(prefix, &interval(date)?).ok_or_else(wrong)?);
                }
                "_count" => {
                    let count = value.parse::<u32>().ok().ok_or_else(wrong)?.min(COUNT_MAX);
                    asked.count = usize::try_from(count).unwrap_or(usize::MAX);
                }
                "_summary" | "_elements" => asked.part.push((name.clone(), value.clone())),
                _ if context.request.lenient => continue,
                _ => {
                    let text = "A history has _since, _at, _count, _summary and _elements, and no other parameter";
                    return Err(Problem::new(IssueKind::ParameterUnknown, text));
                }
            }
            if !seen.insert(name.as_str()) {
                return Err(Problem::new(IssueKind::ParameterInvalid, format!("`{name}` stands more than once")));
            }
            asked.honoured.push((name.clone(), value.clone()));
        }
        Ok(asked)
    }
}

/// The times that a date with a prefix means.
fn between(prefix: &str, date: &datetime::Interval) -> Option<(Millis, Millis)> {
    let (first, last) = (datetime::Interval::FIRST, datetime::Interval::LAST);
    let (from, to) = match prefix {
        "eq" => (date.lo, date.hi),
        "ge" => (date.lo, last),
        "gt" | "sa" => (date.hi, last),
        "le" => (first, date.hi),
        "lt" | "eb" => (first, date.lo),
        _other => return None,
    };
    Some((Millis(from), Millis(to)))
}

/// Makes entries of versions.
struct Entries<'a> {
    context: &'a Context<'a>,
    access: &'a Access,
    asked: &'a Asked,
}

impl Entries<'_> {
    fn of(&self, versions: &[Stored]) -> Result<Vec<HistoryEntry>, Problem> {
        let mut queries: HashMap<ResourceType, Query> = HashMap::new();
        let mut deleted: HashSet<(Pid, Rid)> = HashSet::new();
        let mut entries = Vec::with_capacity(versions.len());
        for stored in versions {
            let resource_type = stored.resource_type;
            let reference = format!("{resource_type}/{}", self.id(stored)?);
            let (method, status) = match (stored.is_deletion(), stored.version) {
                (true, _) => ("DELETE", "204"),
                (false, 1) => ("POST", "201"),
                (false, _) => ("PUT", "200"),
            };
            let resource = if stored.is_deletion() {
                None
            } else {
                let query = match queries.entry(resource_type) {
                    std::collections::hash_map::Entry::Occupied(known) => known.into_mut(),
                    std::collections::hash_map::Entry::Vacant(new) => new.insert(self.query(resource_type)?),
                };
                Some(part(query, stored)?.into_owned())
            };
            let told_apart = resource.is_some() || deleted.insert((stored.pid, stored.rid));
            entries.push(HistoryEntry {
                full_url: told_apart.then(|| format!("{}/{reference}", self.context.server.base())),
                resource,
                method,
                url: if method == "POST" { resource_type.to_string() } else { reference },
                status,
                etag: format!("W/\"{}\"", stored.version),
                last_modified: stored.updated.instant(),
            });
        }
        Ok(entries)
    }

    /// The id that a version shows: of a deletion, that of the version before it, where it may be read.
    fn id(&self, stored: &Stored) -> Result<String, Problem> {
        let shown = |stored: &Stored| -> Result<Option<String>, Problem> { Ok(Some(stored.id()?.into_owned())) };
        let id = if !stored.is_deletion() {
            shown(stored)?
        } else if self.access.pid() == Some(stored.pid) {
            let version = stored.version - 1;
            match store::resource_version_read(self.context.unit, self.access, stored.resource_type, stored.rid, version) {
                Ok(Some(before)) => shown(&before)?,
                Ok(None) => None,
                // Withdrawn: its versions are not read any more.
                Err(problem) if problem.kind() == IssueKind::ResourceDeleted => None,
                Err(problem) => return Err(problem),
            }
        } else {
            None
        };
        Ok(id.unwrap_or_else(|| self.context.server.id(stored.pid, stored.rid)))
    }

    /// What `_summary` and `_elements` mean for a type; of a history of several types, the elements that this one has.
    fn query(&self, resource_type: ResourceType) -> Result<Query, Problem> {
        let part = Parameters(self.asked.part.clone());
        match search::asked(self.context, self.access, resource_type, &part) {
            Ok(query) => Ok(query),
            Err(problem) => {
                let Some(elements) = part.get("_elements") else { return Err(problem) };
                let own = elements.split(',').filter(|name| {
                    let one = Parameters(vec![("_elements".to_owned(), (*name).to_owned())]);
                    search::asked(self.context, self.access, resource_type, &one).is_ok()
                });
                let own: Vec<&str> = own.chain(["id"]).collect();
                let mut rest: Vec<(String, String)> = part.0.iter().filter(|(name, _)| name != "_elements").cloned().collect();
                rest.push(("_elements".to_owned(), own.join(",")));
                search::asked(self.context, self.access, resource_type, &Parameters(rest))
            }
        }
    }
}
