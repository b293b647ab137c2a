//! Codes that a query names by a value set or a hierarchy: `:in`, `:not-in`, `:above`, `:below` of tokens.
//! <https://hl7.org/fhir/R4/search.html#token>
//!
//! Value sets and code systems are those that the directory holds. An expansion that a ValueSet brings whole is taken as it
//! is; else its compose is evaluated: concept lists, other value sets, and the filters `is-a`, `descendent-of`, `is-not-a`,
//! `generalizes`, `=`, `in`, `exists` where the code system is here with its concepts. A system that is not here can be
//! included as a whole. What cannot be evaluated is refused, never taken for empty.
use super::criterion::Fault;
use super::keyer::fold;
use super::kind::token::{Coded, System};
use crate::fhir::{Resource, ResourceType};
use crate::ids::{Pid, Rid};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What a query names and does not hold: value sets, code systems, lists. Each is read as the caller may read it.
pub trait Library {
    /// The ValueSet or CodeSystem of the directory that is named by `Type/id`, by its URL on this server, or by its
    /// canonical URL, with or without `|version`; of several versions the one last written.
    fn definition(&self, resource_type: ResourceType, name: &str) -> Option<Resource>;
    /// Where the items of the List with this id are; none for one that the caller does not see.
    fn items(&self, list: &str) -> Vec<(Pid, Rid)>;
}

/// A library without anything.
pub struct NoLibrary;

impl Library for NoLibrary {
    fn definition(&self, _: ResourceType, _: &str) -> Option<Resource> {
        None
    }
    fn items(&self, _: &str) -> Vec<(Pid, Rid)> {
        Vec::new()
    }
}

/// Most codes that the tables are asked for; more are decided on bodies.
const EXACT_MAX: usize = 1000;
/// Most codes of a set.
const CODES_MAX: usize = 20_000;
/// Deepest nesting of value sets.
const NESTED_MAX: usize = 16;

/// Codes of systems, and whole systems.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Concepts {
    codes: BTreeSet<(String, String)>,
    /// Systems that are in it but for these codes.
    systems: BTreeMap<String, BTreeSet<String>>,
}

impl Concepts {
    /// The codes of a ValueSet.
    pub(super) fn of_value_set(name: &str, library: &dyn Library) -> Result<Self, Fault> {
        value_set(name, library, &mut Vec::new())
    }

    /// The code itself and what is below it.
    pub(super) fn below(system: &str, code: &str, library: &dyn Library) -> Result<Self, Fault> {
        let hierarchy = Hierarchy::of(system, library)?;
        Self::of_codes(system, hierarchy.below(&BTreeSet::from([fold(Some(system), code)])))
    }

    /// The code itself and what is above it.
    pub(super) fn above(system: &str, code: &str, library: &dyn Library) -> Result<Self, Fault> {
        let hierarchy = Hierarchy::of(system, library)?;
        Self::of_codes(system, hierarchy.above(&fold(Some(system), code)))
    }

    fn of_codes(system: &str, codes: impl IntoIterator<Item = String>) -> Result<Self, Fault> {
        let system = system.split('|').next().unwrap_or_default();
        let codes = codes.into_iter().map(|code| (system.to_owned(), fold(Some(system), &code))).collect();
        Self { codes, systems: BTreeMap::new() }.bounded()
    }

    fn bounded(self) -> Result<Self, Fault> {
        let exceptions: usize = self.systems.values().map(BTreeSet::len).sum();
        if self.codes.len() + exceptions > CODES_MAX { Err(Fault::TooManyCodes) } else { Ok(self) }
    }

    /// Its codes, where the tables can be asked for each.
    pub(super) fn listed(&self) -> Option<&BTreeSet<(String, String)>> {
        (self.systems.is_empty() && self.codes.len() <= EXACT_MAX).then_some(&self.codes)
    }

    /// Whether a code of a resource is in it; `implied` is the system of a plain code.
    pub(super) fn has(&self, coded: &Coded<'_>, implied: Option<&str>) -> bool {
        let system = match coded.system {
            System::Uri(system) => Some(system),
            System::Implied => implied,
            System::Absent | System::Contact(_) => None,
        };
        system.is_some_and(|system| !coded.code.is_empty() && self.contains(system, &fold(Some(system), coded.code)))
    }

    fn contains(&self, system: &str, code: &str) -> bool {
        self.codes.contains(&(system.to_owned(), code.to_owned()))
            || self.systems.get(system).is_some_and(|except| !except.contains(code))
    }

    fn and_also(mut self, other: Self) -> Result<Self, Fault> {
        for (system, except) in other.systems {
            let still: BTreeSet<String> = match self.systems.remove(&system) {
                Some(own) => own.intersection(&except).cloned().collect(),
                None => except,
            };
            self.systems.insert(system, still);
        }
        self.codes.extend(other.codes);
        self.bounded()
    }

    fn only(self, other: &Self) -> Self {
        let of_other = other.codes.iter().filter(|(system, code)| self.contains(system, code));
        let own = self.codes.iter().filter(|(system, code)| other.contains(system, code));
        let codes = own.chain(of_other).cloned().collect();
        let both = self.systems.iter().filter_map(|(system, except)| {
            let others = other.systems.get(system)?;
            Some((system.clone(), except.union(others).cloned().collect()))
        });
        Self { systems: both.collect(), codes }
    }

    fn without(mut self, other: &Self) -> Self {
        self.codes.retain(|(system, code)| !other.contains(system, code));
        for (system, except) in &other.systems {
            // Of a system that is left out as a whole its exceptions stay.
            if let Some(own) = self.systems.remove(system) {
                self.codes.extend(except.difference(&own).map(|code| (system.clone(), code.clone())));
            }
        }
        for (system, code) in &other.codes {
            if let Some(except) = self.systems.get_mut(system) {
                except.insert(code.clone());
            }
        }
        self
    }
}

fn known(name: &str) -> Result<ResourceType, Fault> {
    ResourceType::parse(name).ok_or(Fault::NotEvaluable)
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_str)
}

fn list<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    value.get(name).and_then(Value::as_array).into_iter().flatten()
}

/// The codes of the value set of this name; `inside` holds those that it is named by.
fn value_set(name: &str, library: &dyn Library, inside: &mut Vec<String>) -> Result<Concepts, Fault> {
    // A value set that includes itself has no meaning.
    if inside.len() >= NESTED_MAX || inside.iter().any(|outer| outer == name) {
        return Err(Fault::NotEvaluable);
    }
    let definition = Value::Object(library.definition(known("ValueSet")?, name).ok_or(Fault::UnknownValueSet)?);
    if let Some(expansion) = definition.get("expansion").filter(|expansion| is_whole(expansion)) {
        return expanded(expansion);
    }
    let Some(compose) = definition.get("compose") else { return Err(Fault::NotEvaluable) };
    inside.push(name.to_owned());
    let mut concepts = Concepts::default();
    for part in list(compose, "include") {
        concepts = concepts.and_also(self::part(part, library, inside)?)?;
    }
    for part in list(compose, "exclude") {
        concepts = concepts.without(&self::part(part, library, inside)?);
    }
    inside.pop();
    concepts.bounded()
}

/// Whether an expansion has all codes, and not a page of them.
fn is_whole(expansion: &Value) -> bool {
    let paged = expansion.get("offset").is_some_and(|offset| offset != 0);
    let mut parameters = list(expansion, "parameter");
    let cut = parameters
        .any(|parameter| text(parameter, "name").is_some_and(|name| matches!(name, "count" | "filter" | "limitedExpansion")));
    let total = expansion.get("total").and_then(Value::as_u64);
    let has = u64::try_from(count(expansion)).unwrap_or(u64::MAX);
    expansion.get("contains").is_some() && !paged && !cut && total.is_none_or(|total| total <= has)
}

/// Bodies are at most 64 deep, so this ends.
fn count(value: &Value) -> usize {
    list(value, "contains").map(|one| 1 + count(one)).sum()
}

fn expanded(expansion: &Value) -> Result<Concepts, Fault> {
    let mut concepts = Concepts::default();
    let mut open: Vec<&Value> = list(expansion, "contains").collect();
    while let Some(one) = open.pop() {
        open.extend(list(one, "contains"));
        let is_abstract = one.get("abstract") == Some(&Value::Bool(true));
        if let (Some(system), Some(code), false) = (text(one, "system"), text(one, "code"), is_abstract) {
            concepts.codes.insert((system.to_owned(), fold(Some(system), code)));
        }
    }
    concepts.bounded()
}

/// One include or exclude: everything that it states must hold.
fn part(part: &Value, library: &dyn Library, inside: &mut Vec<String>) -> Result<Concepts, Fault> {
    let mut concepts = match text(part, "system") {
        Some(system) => Some(of_system(system, part, library)?),
        None => None,
    };
    for name in list(part, "valueSet").filter_map(Value::as_str) {
        let other = value_set(name, library, inside)?;
        concepts = Some(match concepts {
            Some(own) => own.only(&other),
            None => other,
        });
    }
    concepts.ok_or(Fault::NotEvaluable)
}

fn of_system(system: &str, part: &Value, library: &dyn Library) -> Result<Concepts, Fault> {
    if part.get("concept").is_some() {
        return Concepts::of_codes(system, list(part, "concept").filter_map(|one| text(one, "code")).map(str::to_owned));
    }
    let named = match text(part, "version") {
        Some(version) => format!("{system}|{version}"),
        None => system.to_owned(),
    };
    let mut filters = list(part, "filter").peekable();
    match Hierarchy::of(&named, library) {
        Ok(hierarchy) => {
            let mut codes: BTreeSet<String> = hierarchy.concepts.keys().cloned().collect();
            for filter in filters {
                let found = hierarchy.filtered(system, filter)?;
                codes.retain(|code| found.contains(code));
            }
            Concepts::of_codes(system, codes)
        }
        Err(_) if filters.peek().is_none() => {
            Ok(Concepts { codes: BTreeSet::new(), systems: BTreeMap::from([(system.to_owned(), BTreeSet::new())]) })
        }
        Err(fault) => Err(fault),
    }
}

/// The concepts of a code system: their parents and their properties, by folded code.
struct Hierarchy {
    concepts: HashMap<String, Concept>,
}

#[derive(Default)]
struct Concept {
    parents: BTreeSet<String>,
    properties: Vec<(String, String)>,
}

impl Hierarchy {
    /// Of the CodeSystem with this URL that the directory holds with its concepts.
    fn of(system: &str, library: &dyn Library) -> Result<Self, Fault> {
        let definition = library.definition(known("CodeSystem")?, system).ok_or(Fault::UnknownCodeSystem)?;
        let definition = Value::Object(definition);
        if text(&definition, "content") != Some("complete") {
            return Err(Fault::UnknownCodeSystem);
        }
        let system = text(&definition, "url").unwrap_or_default();
        // Only `is-a` says that what is nested is of the same kind; it is so where nothing else is said.
        let nests = text(&definition, "hierarchyMeaning").is_none_or(|meaning| meaning == "is-a");
        let mut concepts: HashMap<String, Concept> = HashMap::new();
        let mut open: Vec<(&Value, Option<String>)> = list(&definition, "concept").map(|one| (one, None)).collect();
        while let Some((one, parent)) = open.pop() {
            let Some(code) = text(one, "code").map(|code| fold(Some(system), code)) else { continue };
            let below = nests.then(|| code.clone());
            open.extend(list(one, "concept").map(|child| (child, below.clone())));
            let mut children = Vec::new();
            let concept = concepts.entry(code.clone()).or_default();
            concept.parents.extend(parent);
            for property in list(one, "property") {
                let (Some(name), Some(value)) = (text(property, "code"), property_value(property)) else { continue };
                match name {
                    "subsumedBy" | "parent" => drop(concept.parents.insert(fold(Some(system), &value))),
                    "child" => children.push(fold(Some(system), &value)),
                    _ => {}
                }
                concept.properties.push((name.to_owned(), value));
            }
            for child in children {
                concepts.entry(child).or_default().parents.insert(code.clone());
            }
        }
        Ok(Self { concepts })
    }

    fn above(&self, code: &str) -> BTreeSet<String> {
        let mut found = BTreeSet::from([code.to_owned()]);
        let mut open = vec![code.to_owned()];
        while let Some(code) = open.pop() {
            let parents = self.concepts.get(&code).map(|concept| &concept.parents);
            open.extend(parents.into_iter().flatten().filter(|parent| found.insert((*parent).clone())).cloned());
        }
        found
    }

    /// These codes and all below them.
    fn below(&self, codes: &BTreeSet<String>) -> BTreeSet<String> {
        let mut children: HashMap<&str, Vec<&str>> = HashMap::new();
        for (code, concept) in &self.concepts {
            concept.parents.iter().for_each(|parent| children.entry(parent).or_default().push(code));
        }
        let mut found = codes.clone();
        let mut open: Vec<&str> = codes.iter().map(String::as_str).collect();
        while let Some(code) = open.pop() {
            open.extend(children.get(code).into_iter().flatten().filter(|child| found.insert((**child).to_owned())));
        }
        found
    }

    /// <https://hl7.org/fhir/R4/valueset-filter-operator.html>
    fn filtered(&self, system: &str, filter: &Value) -> Result<BTreeSet<String>, Fault> {
        let stated = (text(filter, "property"), text(filter, "op"), text(filter, "value"));
        let (Some(property), Some(operator), Some(value)) = stated else { return Err(Fault::NotEvaluable) };
        let code = fold(Some(system), value);
        let below = || self.below(&BTreeSet::from([code.clone()]));
        let having = |test: &dyn Fn(&str) -> bool| -> BTreeSet<String> {
            let has = |(own, concept): &(&String, &Concept)| match property {
                "code" | "concept" => test(own),
                _ => concept.properties.iter().any(|(name, value)| name == property && test(value)),
            };
            self.concepts.iter().filter(has).map(|(own, _)| own.clone()).collect()
        };
        match operator {
            "is-a" => Ok(below()),
            "descendent-of" => {
                let mut found = below();
                found.remove(&code);
                Ok(found)
            }
            "is-not-a" => {
                let found = below();
                Ok(self.concepts.keys().filter(|own| !found.contains(*own)).cloned().collect())
            }
            "generalizes" => Ok(self.above(&code)),
            "=" => Ok(having(&|own| own == value || (matches!(property, "code" | "concept") && own == code))),
            "in" => Ok(having(&|own| value.split(',').any(|one| one.trim() == own))),
            "exists" => {
                let found = having(&|_| true);
                match value {
                    "true" => Ok(found),
                    "false" => Ok(self.concepts.keys().filter(|own| !found.contains(*own)).cloned().collect()),
                    _ => Err(Fault::NotEvaluable),
                }
            }
            _ => Err(Fault::NotEvaluable),
        }
    }
}

fn property_value(property: &Value) -> Option<String> {
    let of_name = |name: &str| text(property, name).map(str::to_owned);
    let coding = || property.get("valueCoding").and_then(|coding| text(coding, "code")).map(str::to_owned);
    let plain =
        || ["valueBoolean", "valueInteger", "valueDecimal"].iter().find_map(|name| property.get(*name)).map(Value::to_string);
    ["valueCode", "valueString", "valueDateTime"].into_iter().find_map(of_name).or_else(coding).or_else(plain)
}
