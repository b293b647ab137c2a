//! What a query finds, through the index rows and on bodies: both must say the same, and what R4 says.
mod agreement;
mod answers;
mod filter;
mod hidden;
mod links;
mod rows;
mod terminology;
mod values;

use super::*;
use crate::clock::Millis;
use crate::fhir::interaction::Parameters;
use crate::fhir::{Problem, Resource, ResourceType, datetime};
use crate::ids::{Pid, Rid};
use jiff::tz::TimeZone;
use serde_json::Value;

/// The record of the tests; `Patient/p` is its patient.
const RECORD: Pid = Pid(7);
/// 2026-11-24T12:00:00Z
const NOW: Millis = Millis(1_795_521_600_000);

struct Stored {
    place: (Pid, Rid),
    resource_type: ResourceType,
    body: Resource,
    rows: IndexRows,
    updated: i64,
}

/// A store in memory.
struct World {
    keyer: Keyer,
    zone: TimeZone,
    stored: Vec<Stored>,
    names: Vec<(String, (Pid, Rid))>,
}

fn resource_type(name: &str) -> ResourceType {
    ResourceType::parse(name).unwrap()
}

fn updated_of(body: &Resource, zone: &TimeZone) -> i64 {
    let text = body.get("meta").and_then(|meta| meta.get("lastUpdated")).and_then(Value::as_str);
    text.map_or(0, |text| datetime::parse(text, zone).unwrap().lo)
}

impl Library for World {
    fn definition(&self, resource_type: ResourceType, name: &str) -> Option<Resource> {
        let (url, version) = name.split_once('|').map_or((name, None), |(url, version)| (url, Some(version)));
        let named = |body: &Resource| {
            let literal = format!("{}/{}", body["resourceType"].as_str().unwrap(), body["id"].as_str().unwrap());
            let canonical = body.get("url").is_some_and(|own| own == url);
            literal == name || (canonical && version.is_none_or(|version| body.get("version").is_some_and(|own| own == version)))
        };
        let of_type = self.stored.iter().filter(|stored| stored.resource_type == resource_type);
        of_type.map(|stored| stored.body.clone()).find(named)
    }
    fn items(&self, list: &str) -> Vec<(Pid, Rid)> {
        let list = self.stored.iter().find(|stored| stored.resource_type == resource_type("List") && stored.body["id"] == list);
        let entries = list.and_then(|list| list.body["entry"].as_array()).into_iter().flatten();
        entries.filter_map(|entry| self.place(entry["item"]["reference"].as_str()?)).collect()
    }
}

impl World {
    /// Of bodies with an id; Practitioners and Organizations live in the directory, all else in the record.
    fn new(mut bodies: Vec<Value>) -> Self {
        if !bodies.iter().any(|body| body["id"] == "p") {
            // Every record has its patient.
            bodies.push(serde_json::json!({"resourceType": "Patient", "id": "p"}));
        }
        let mut world = Self { keyer: Keyer::new([9; 16]), zone: datetime::paris(), stored: Vec::new(), names: Vec::new() };
        world.names.push(("Patient/p".to_owned(), (RECORD, Rid::PATIENT)));
        world.names.push(("Patient/other".to_owned(), (Pid(8), Rid::PATIENT)));
        let mut named = Vec::new();
        for (number, body) in bodies.into_iter().enumerate() {
            let Value::Object(body) = body else { panic!("a resource is an object") };
            let name = format!("{}/{}", body["resourceType"].as_str().unwrap(), body["id"].as_str().unwrap());
            let directory =
                ["Practitioner/", "Organization/", "ValueSet/", "CodeSystem/"].iter().any(|prefix| name.starts_with(prefix));
            let rid = Rid(100 + i64::try_from(number).unwrap());
            let place = match name.as_str() {
                "Patient/p" => (RECORD, Rid::PATIENT),
                _ if directory => (Pid::DIRECTORY, rid),
                _ => (RECORD, rid),
            };
            world.names.push((name, place));
            named.push((place, body));
        }
        for (place, body) in named {
            let resource_type = resource_type(body["resourceType"].as_str().unwrap());
            let context =
                ExtractContext { keyer: &world.keyer, local: &|name| world.place(name), pid: place.0, time_zone: &world.zone };
            let rows = extract(resource_type, &body, &context);
            let updated = updated_of(&body, &world.zone);
            world.stored.push(Stored { place, resource_type, body, rows, updated });
        }
        world
    }

    fn place(&self, name: &str) -> Option<(Pid, Rid)> {
        let bare = name.strip_prefix("https://dmp.example/fhir/").unwrap_or(name);
        self.names.iter().find(|(known, _)| known == bare).map(|(_, place)| *place)
    }

    fn parse(&self, query: &str, pid: Option<Pid>, lenient: bool) -> Result<Query, Problem> {
        let (name, parameters) = query.split_once('?').unwrap();
        let parameters = parameters.split('&').filter(|part| !part.is_empty()).map(|part| {
            let (name, value) = part.split_once('=').unwrap();
            (name.to_owned(), value.to_owned())
        });
        self.parse_parameters(name, &Parameters(parameters.collect()), pid, lenient)
    }

    fn parse_parameters(&self, name: &str, parameters: &Parameters, pid: Option<Pid>, lenient: bool) -> Result<Query, Problem> {
        let context = ParseContext {
            keyer: &self.keyer,
            local: &|name| self.place(name),
            time_zone: &self.zone,
            lenient,
            now: NOW,
            pid,
            library: self,
            everything: true,
        };
        parse(resource_type(name), parameters, &context)
    }

    fn match_context<'a>(&'a self, stored: &'a Stored, linked: &'a dyn Fn(&Predicate) -> bool) -> MatchContext<'a> {
        let local: Local<'a> = &*Box::leak(Box::new(|name: &str| self.place(name)));
        MatchContext { local, pid: stored.place.0, time_zone: &self.zone, linked: Some(linked) }
    }

    /// What the SQL writer makes of a predicate, on one resource.
    fn holds(&self, predicate: &Predicate, on: &Stored) -> bool {
        let fulfils = |plan: &Plan, other: &Stored| {
            assert!(!plan.recheck, "a plan inside a plan is exact");
            other.resource_type == plan.resource_type && plan.predicates.iter().all(|inner| self.holds(inner, other))
        };
        match predicate {
            Predicate::Tokens(keys) => keys.iter().any(|key| on.rows.tokens.contains(key)),
            Predicate::Range(key, tests) => {
                let mut rows = on.rows.ranges.iter().filter(|(row, ..)| row == key);
                rows.any(|(_, lo, hi)| tests.iter().any(|test| test.holds(*lo, *hi)))
            }
            Predicate::Text(key, prefixes) => {
                let mut rows = on.rows.texts.iter().filter(|(row, _)| row == key);
                rows.any(|(_, text)| prefixes.iter().any(|prefix| text.starts_with(prefix)))
            }
            Predicate::Places(places) => places.contains(&on.place),
            Predicate::Within(records) => records.contains(&on.place.0),
            Predicate::Updated(tests) => {
                let (lo, hi) = (kind::date::float(on.updated), kind::date::float(on.updated + 1));
                tests.iter().any(|test| test.holds(lo, hi))
            }
            Predicate::Linked(base, plan) => self.stored.iter().any(|other| {
                let pid = if Keyer::is_directory_base(*base) { Pid::DIRECTORY } else { on.place.0 };
                other.place.0 == pid && on.rows.tokens.contains(&Key(base.0 + other.place.1.0)) && fulfils(plan, other)
            }),
            Predicate::LinkedFrom(base, plan) => self.stored.iter().any(|other| {
                let linked = other.place.0 == on.place.0 && other.rows.tokens.contains(&Key(base.0 + on.place.1.0));
                linked && fulfils(plan, other)
            }),
            Predicate::Repeats(repeat) => self.repeats(repeat, on),
            Predicate::Behind(behind) => match (&behind.query, &behind.places) {
                (Some(query), _) => {
                    let linked = |predicate: &Predicate| self.holds(predicate, on);
                    let on_body = matches(query, on.resource_type, &on.body, &self.match_context(on, &linked));
                    let in_tables = || query.plan.predicates.iter().all(|predicate| self.holds(predicate, on));
                    assert!(!on_body || in_tables(), "the tables miss what stands behind");
                    on_body && in_tables()
                }
                (None, places) => places.as_ref().is_some_and(|places| places.contains(&on.place)),
            },
            Predicate::All(parts) => parts.iter().all(|part| self.holds(part, on)),
            Predicate::Any(parts) => parts.iter().any(|part| self.holds(part, on)),
            Predicate::Not(part) => !self.holds(part, on),
        }
    }

    /// What the SQL writer makes of a repetition, on one resource.
    fn repeats(&self, repeat: &Repeat, on: &Stored) -> bool {
        let span = 1_i64 << 49;
        let own = on.rows.tokens.iter().filter(|key| (repeat.repeated.0..repeat.repeated.0 + span).contains(&key.0));
        let originals: Vec<Key> = own.map(|key| Key(key.0 - repeat.repeated.0 + repeat.original.0)).collect();
        on.rows.tokens.contains(&repeat.tag)
            && self.stored.iter().any(|other| {
                other.place.0 == on.place.0
                    && other.rows.ts == on.rows.ts
                    && originals.iter().any(|key| other.rows.tokens.contains(key))
                    && other.resource_type == repeat.plan.resource_type
                    && repeat.plan.predicates.iter().all(|inner| self.holds(inner, other))
            })
    }

    /// The ids found, through the tables and on bodies; panics where the two differ.
    fn find(&self, query: &str) -> Vec<&str> {
        let mut found: Option<Vec<&str>> = None;
        let directory = query.starts_with("Practitioner?") || query.starts_with("Organization?");
        let record = if directory { Pid::DIRECTORY } else { RECORD };
        // A search over several records never looks into the directory.
        for pid in [Some(record), None].into_iter().take(if directory { 1 } else { 2 }) {
            let parsed = self.parse(query, pid, false).unwrap_or_else(|problem| panic!("{query}: {problem}"));
            let mut hits = Vec::new();
            for stored in self.stored.iter().filter(|stored| stored.resource_type == parsed.resource_type) {
                let linked = |predicate: &Predicate| self.holds(predicate, stored);
                let on_body = matches(&parsed, stored.resource_type, &stored.body, &self.match_context(stored, &linked));
                let in_tables = parsed.plan.predicates.iter().all(|predicate| self.holds(predicate, stored));
                let id = stored.body["id"].as_str().unwrap();
                if parsed.plan.recheck {
                    assert!(in_tables || !on_body, "{query}: the tables miss {id} (record: {})", pid.is_some());
                } else {
                    assert_eq!(in_tables, on_body, "{query}: tables and body differ on {id} (record: {})", pid.is_some());
                }
                if on_body {
                    hits.push(id);
                }
            }
            if let Some(before) = &found {
                // An identifier names the record only where there is one.
                assert_eq!(*before, hits, "{query}: in the record and over several");
            }
            found = Some(hits);
        }
        found.unwrap_or_default()
    }

    fn exact(&self, query: &str) -> bool {
        !self.parse(query, Some(RECORD), false).unwrap().plan.recheck
    }

    fn refusal(&self, query: &str) -> Problem {
        self.parse(query, Some(RECORD), false).err().unwrap_or_else(|| panic!("{query} is taken"))
    }
}

/// Resources of a type with a value at an element; their ids are the texts given.
fn world(resource_type: &str, element: &str, values: Vec<(&str, Value)>) -> World {
    let body = |(id, value): (&str, Value)| {
        let mut body = serde_json::json!({"resourceType": resource_type, "id": id});
        if !value.is_null() {
            body[element] = value;
        }
        body
    };
    World::new(values.into_iter().map(body).collect())
}

fn check(world: &World, table: &[(&str, &[&str])]) {
    for (query, expected) in table {
        let mut found = world.find(query);
        let mut expected = expected.to_vec();
        found.sort_unstable();
        expected.sort_unstable();
        assert_eq!(found, expected, "{query}");
    }
}
