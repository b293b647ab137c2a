//! Makes random queries from the values of the resources, changed, so that most have hits and non-hits.
use super::dice::Dice;
use super::parameters::{self, IN_DIRECTORY, IN_RECORDS, Kind, Parameter, at};
use super::pool::{Entry, Place, Pool};
use super::query::{Condition, Filter, Given, Query};
use super::values;
use serde_json::Value;
use std::collections::BTreeSet;

/// What queries are made of: each stands in at least one of a hundred.
pub(super) const FEATURES: &[&str] = &[
    "string",
    "token",
    "reference",
    "date",
    "number",
    "quantity",
    "uri",
    "composite",
    "eq",
    "ne",
    "gt",
    "lt",
    "ge",
    "le",
    "sa",
    "eb",
    "ap",
    ":missing",
    ":exact",
    ":contains",
    ":text",
    ":not",
    ":identifier",
    ":of-type",
    ":[type]",
    ":above",
    ":below",
    "_id",
    "_lastUpdated",
    "_tag",
    "_profile",
    "_security",
    "_source",
    "_text",
    "_content",
    "_has",
    "_type",
    "chain 1",
    "chain 2",
    "chain 3",
    "chain 4",
    "chain in _has",
    "_include",
    "_revinclude",
    ":iterate",
    "include *",
    "include target type",
    "_sort",
    "_sort of several keys",
    "_count",
    "pages",
    "_count=0",
    "_summary=text",
    "_summary=data",
    "_summary=count",
    "_summary=false",
    "_elements",
    "_total",
    ":in",
    ":not-in",
    "token :above/:below",
    "_list",
    "_filter",
    "_summary=true",
    "several records",
    "directory",
    "alternatives",
    "several conditions",
    "UCUM conversion",
];

/// Makes one query.
pub(super) struct Asker<'a> {
    pub(super) dice: &'a mut Dice,
    pub(super) pool: &'a Pool,
    /// Patients whose records are searched.
    pub(super) patients: &'a [String],
    pub(super) features: BTreeSet<&'static str>,
}

/// Parameters that have no values of their own kind to compare.
const SPECIAL: [&str; 2] = ["_id", "_lastUpdated"];

impl Asker<'_> {
    /// A query that has this feature; nothing where the resources give no such one (then other dice do).
    pub(super) fn query(&mut self, feature: &'static str) -> Option<Query> {
        let mut query = Query::default();
        let place = match feature {
            "directory" => Place::Directory,
            "_list" | "token :above/:below" => Place::Record(self.dice.pick(self.patients).clone()),
            "several records" => Place::Cohort,
            "_has" | "chain in _has" | "_revinclude" if self.dice.chance(20) => Place::Cohort,
            _ if self.dice.chance(12) => Place::Directory,
            _ if self.dice.chance(15) => Place::Cohort,
            _ => Place::Record(self.dice.pick(self.patients).clone()),
        };
        query.kind = self.kind(feature, &place)?.to_owned();
        query.place = Some(place.clone());
        match &place {
            Place::Record(patient) => query.conditions.push(self.of_record(&query.kind, patient)?),
            Place::Cohort => {
                self.features.insert("several records");
                // Without a bound that the indexes decide it is refused, and rightly.
                if query.kind != "Patient" {
                    query.conditions.push(self.bound(&query.kind)?);
                }
            }
            Place::Directory => {
                self.features.insert("directory");
            }
        }
        self.add_feature(&mut query, feature)?;
        let more = self.dice.below(10);
        for _ in 0..(if more < 5 {
            0
        } else if more < 8 {
            1
        } else {
            2
        }) {
            if let Some(condition) = self.any_condition(&query.kind, &place) {
                query.conditions.push(condition);
                self.features.insert("several conditions");
            }
        }
        self.results(&mut query);
        self.note(&query);
        Some(query)
    }

    fn kind(&mut self, feature: &str, place: &Place) -> Option<&'static str> {
        let all: &[&'static str] = if *place == Place::Directory { &IN_DIRECTORY } else { &IN_RECORDS };
        let has = |kind: &&'static str, fits: &dyn Fn(&Parameter) -> bool| {
            parameters::of(kind).any(|parameter| parameter.of != "*" && fits(parameter))
        };
        let fits: Vec<&'static str> = match feature {
            "string" | ":exact" | ":contains" => keep(all, |kind| has(kind, &|it| it.kind == Kind::String)),
            "number" => keep(all, |kind| has(kind, &|it| it.kind == Kind::Number)),
            "quantity" | "UCUM conversion" => keep(all, |kind| has(kind, &|it| it.kind == Kind::Quantity)),
            "composite" => keep(all, |kind| has(kind, &|it| matches!(it.kind, Kind::Composite(_)))),
            "reference" | ":[type]" | ":identifier" | "chain 1" | "chain 2" | "chain 3" | "chain 4" => {
                keep(all, |kind| has(kind, &|it| it.is_reference() && !is_patient(it)))
            }
            "date" | "sa" | "eb" | "gt" | "lt" | "ge" | "le" | "eq" | "ne" | "ap" => {
                keep(all, |kind| has(kind, &|it| it.kind == Kind::Date))
            }
            // What is written over HTTP has no source, profile or label.
            "_source" | "_profile" | "_security" | ":above" | ":below" | "uri" if *place != Place::Directory => {
                keep(all, |kind| *kind != "Patient")
            }
            "uri" | ":above" | ":below" => keep(all, |kind| has(kind, &|it| it.kind == Kind::Uri)),
            ":in" | ":not-in" => keep(all, |kind| parameters::of(kind).any(is_concept)),
            "token :above/:below" => vec!["Observation"],
            "_list" => vec!["Observation", "Condition", "Procedure"],
            "_summary=true" if *place != Place::Directory => {
                vec!["Observation", "Encounter", "DiagnosticReport", "MedicationRequest"]
            }
            "_summary=true" => return None,
            _ => all.to_vec(),
        };
        self.dice.any(&fits)
    }

    /// Names the record in one of the ways that R4 gives.
    fn of_record(&mut self, kind: &str, patient: &str) -> Option<Condition> {
        if kind == "Patient" {
            let code = Some(patient.to_owned());
            return Some(Condition::Values(parameters::named(kind, "_id")?, "", vec![Given::Token { system: None, code }]));
        }
        let code = *self.dice.pick(&["patient", "patient", "subject"]);
        let parameter = parameters::named(kind, code).or_else(|| parameters::named(kind, "patient"))?;
        if self.dice.chance(15) {
            let identifier = &self.pool.named(&format!("Patient/{patient}"))?.body["identifier"][0];
            let text = |name: &str| identifier[name].as_str().map(str::to_owned);
            let given = Given::Token { system: text("system"), code: text("value") };
            let inner = Condition::Values(parameters::named("Patient", "identifier")?, "", vec![given]);
            let target = (parameter.code == "subject").then(|| "Patient".to_owned());
            return Some(Condition::Chain(parameter, target, Box::new(inner)));
        }
        let text = match self.dice.below(4) {
            0 => patient.to_owned(),
            1 => format!("{}/Patient/{patient}", self.pool.base),
            _ => format!("Patient/{patient}"),
        };
        Some(Condition::Values(parameter, "", vec![Given::Text(text)]))
    }

    /// A condition that a search over several records can start from.
    fn bound(&mut self, kind: &str) -> Option<Condition> {
        let exact: Vec<&Parameter> =
            parameters::of(kind).filter(|it| it.kind == Kind::Token && it.of != "*" && it.code != "identifier").collect();
        let parameter = self.dice.any(&exact)?;
        let entries: Vec<&Entry> = self.pool.of(kind, &Place::Cohort).collect();
        let codes: Vec<String> =
            entries.iter().flat_map(|entry| parameter.found(&entry.body)).flat_map(values::codes).map(|(_, code)| code).collect();
        let given =
            (0..2).filter_map(|_| Some(Given::Token { system: None, code: Some(self.dice.any(&codes)?) })).collect::<Vec<_>>();
        (!given.is_empty()).then_some(Condition::Values(parameter, "", given))
    }

    #[expect(clippy::too_many_lines, reason = "one arm for each feature")]
    fn add_feature(&mut self, query: &mut Query, feature: &'static str) -> Option<()> {
        let (kind, place) = (query.kind.clone(), query.place.clone()?);
        let condition = match feature {
            "string" | "token" | "reference" | "date" | "number" | "quantity" | "uri" | "composite" => {
                self.of_kind(&kind, &place, |it| name_of(it) == feature, "")
            }
            "eq" | "ne" | "gt" | "lt" | "ge" | "le" | "sa" | "eb" | "ap" => {
                self.of_kind(&kind, &place, |it| matches!(it.kind, Kind::Date | Kind::Number | Kind::Quantity), feature)
            }
            ":exact" | ":contains" => self.of_kind(&kind, &place, |it| it.kind == Kind::String, &feature[1..]),
            ":text" | ":not" | ":of-type" => {
                self.of_kind(&kind, &place, |it| it.kind == Kind::Token && !SPECIAL.contains(&it.code), &feature[1..])
            }
            ":identifier" | ":[type]" => self.of_kind(&kind, &place, |it| it.is_reference() && !is_patient(it), &feature[1..]),
            ":above" | ":below" => self.of_kind(&kind, &place, |it| it.kind == Kind::Uri, &feature[1..]),
            ":missing" => self.missing(&kind),
            "_id" | "_lastUpdated" | "_tag" | "_profile" | "_security" | "_source" => {
                self.of_kind(&kind, &place, |it| it.code == feature, "")
            }
            ":in" | ":not-in" => {
                let all: Vec<&'static Parameter> = parameters::of(&kind).filter(|it| is_concept(it)).collect();
                let sets: Vec<String> = self
                    .pool
                    .entries
                    .iter()
                    .filter(|it| it.kind() == "ValueSet" && it.body.get("compose").is_some())
                    .map(|it| it.body["url"].as_str().unwrap().to_owned())
                    .collect();
                Some(Condition::InSet(self.dice.any(&all)?, self.dice.any(&sets)?, feature == ":in"))
            }
            "token :above/:below" => {
                let code = (*self.dice.pick(&["a", "a1", "a11", "a2"])).to_owned();
                Some(Condition::InTree(parameters::named(&kind, "method")?, code, self.dice.chance(50)))
            }
            "_list" => {
                let lists: Vec<String> = self.pool.of("List", &place).map(|list| list.id().to_owned()).collect();
                self.dice.any(&lists).map(Condition::InList)
            }
            "_filter" => self.filter(&kind, &place, 2).map(|(text, filter)| Condition::Filter(text, filter)),
            "_text" | "_content" => self.words(&kind, &place, feature),
            "_type" => Some(Condition::Types(vec![kind.clone(), (*self.dice.pick(&IN_RECORDS)).to_owned()])),
            "_has" | "chain in _has" => self.has(&kind, &place, feature == "chain in _has"),
            "chain 1" | "chain 2" | "chain 3" | "chain 4" => {
                let depth = usize::from(feature.as_bytes()[6] - b'0');
                self.chain(&kind, &place, depth)
            }
            "UCUM conversion" => self.of_kind(&kind, &place, |it| it.kind == Kind::Quantity, "convert"),
            "_include" | "_revinclude" | ":iterate" | "include *" | "include target type" => {
                query.includes = self.includes(&kind, feature)?;
                return Some(());
            }
            "_sort" => return self.sort(query, 1),
            "_sort of several keys" => return self.sort(query, 3),
            "_count" | "pages" => {
                query.count = Some(1 + self.dice.below(7));
                return Some(());
            }
            "_count=0" => {
                query.count = Some(0);
                return Some(());
            }
            "_summary=true" | "_summary=text" | "_summary=data" | "_summary=count" | "_summary=false" => {
                query.summary = Some(&feature["_summary=".len()..]);
                return Some(());
            }
            "_elements" => {
                query.elements = vec!["identifier"];
                if kind == "Observation" {
                    query.elements = vec!["code", "component", "value"];
                }
                return Some(());
            }
            "_total" => {
                query.total = Some(*self.dice.pick(&["none", "estimate", "accurate"]));
                return Some(());
            }
            "alternatives" => {
                let one = self.of_kind(&kind, &place, |it| it.kind == Kind::Token && !SPECIAL.contains(&it.code), "")?;
                let Condition::Values(parameter, modifier, mut given) = one else { return None };
                given.extend((0..2).filter_map(|_| self.given(&kind, &place, parameter, "")));
                Some(Condition::Values(parameter, modifier, given))
            }
            "several records" | "directory" | "several conditions" => self.any_condition(&kind, &place),
            other => panic!("the feature {other} has no maker"),
        };
        query.conditions.push(condition?);
        Some(())
    }

    fn any_condition(&mut self, kind: &str, place: &Place) -> Option<Condition> {
        match self.dice.below(12) {
            0 => self.missing(kind),
            1 => self.chain(kind, place, 1),
            2 => self.has(kind, place, false),
            3 => self.of_kind(kind, place, |it| it.kind == Kind::Token && !SPECIAL.contains(&it.code), "not"),
            // The identifier of a Patient names his record.
            _ => self.of_kind(kind, place, |it| !is_patient(it) && (kind, it.code) != ("Patient", "identifier"), ""),
        }
    }

    fn missing(&mut self, kind: &str) -> Option<Condition> {
        let all: Vec<&Parameter> = parameters::of(kind).filter(|it| !SPECIAL.contains(&it.code) && !is_patient(it)).collect();
        let fits: Vec<&'static Parameter> = all
            .into_iter()
            .filter(|it| !matches!(it.kind, Kind::Composite(_)))
            .filter_map(|it| parameters::named(kind, it.code))
            .collect();
        Some(Condition::Missing(self.dice.any(&fits)?, self.dice.chance(50)))
    }

    fn words(&mut self, kind: &str, place: &Place, parameter: &'static str) -> Option<Condition> {
        let word = match (parameter, self.dice.below(3)) {
            ("_text", _) => (*self.dice.pick(&["alpha", "Béta", "gamma note", "zeta", "fin"])).to_owned(),
            (_, 0) => (*self.dice.pick(&["taille", "GLUCOSE jeun", "corps", "dupont"])).to_owned(),
            _ => {
                let entry = self.entry(kind, place)?;
                let code = at(&entry.body, "code.coding.display|code.text|name.family|title|name");
                code.into_iter().find_map(Value::as_str)?.to_owned()
            }
        };
        let words: Vec<String> = word.split(' ').map(str::to_owned).collect();
        Some(Condition::Words { parameter, words })
    }

    /// An expression of `_filter` and what it means. <https://hl7.org/fhir/R4/search_filter.html>
    fn filter(&mut self, kind: &str, place: &Place, depth: usize) -> Option<(String, Filter)> {
        if depth > 0 && self.dice.chance(70) {
            let (one, means) = self.filter(kind, place, depth - 1)?;
            if self.dice.chance(25) {
                return Some((format!("not({one})"), Filter::Not(Box::new(means))));
            }
            let (other, also) = self.filter(kind, place, depth - 1)?;
            let both = vec![means, also];
            let all = self.dice.chance(50);
            let word = if all { "and" } else { "or" };
            return Some((format!("({one}) {word} ({other})"), if all { Filter::All(both) } else { Filter::Any(both) }));
        }
        let fits = |it: &Parameter| {
            !SPECIAL.contains(&it.code)
                && it.of != "*"
                && matches!(it.kind, Kind::Token | Kind::Date | Kind::String)
                && it.code != "identifier"
        };
        let all: Vec<&'static Parameter> = parameters::of(kind).filter(|it| fits(it)).collect();
        let parameter = self.dice.any(&all)?;
        let is = |condition: Condition| Filter::Is(Box::new(condition));
        if self.dice.chance(15) {
            let present = self.dice.chance(50);
            return Some((format!("{} pr {present}", parameter.code), is(Condition::Missing(parameter, !present))));
        }
        match parameter.kind {
            Kind::Token => {
                let element = self.element(kind, place, parameter)?;
                let (system, code) = self.dice.any(&values::codes(&element))?;
                let system = match system {
                    values::System::Uri(system) if self.dice.chance(50) => Some(system),
                    _ => None,
                };
                let simple = |text: &str| text.chars().all(|letter| letter.is_ascii_alphanumeric() || "-./:".contains(letter));
                if !simple(&code) {
                    return None;
                }
                let text = system.as_ref().map_or(code.clone(), |system| format!("{system}|{code}"));
                let given = Given::Token { system, code: Some(code) };
                Some((format!("{} eq {text}", parameter.code), is(Condition::Values(parameter, "", vec![given]))))
            }
            Kind::Date => {
                let operator = *self.dice.pick(&["eq", "ge", "le", "gt", "lt"]);
                let element = self.element(kind, place, parameter)?;
                let date = self.near_date(&element)?;
                let given = Given::Text(format!("{operator}{date}"));
                Some((format!("{} {operator} {date}", parameter.code), is(Condition::Values(parameter, "", vec![given]))))
            }
            _ => {
                let element = self.element(kind, place, parameter)?;
                let text = self.dice.any(&values::texts(&element))?;
                let word = text.split(' ').next()?.to_owned();
                if values::normal(&word).is_empty()
                    || parameter.code == "name"
                    || parameter.code == "family"
                    || parameter.code == "address"
                {
                    return None;
                }
                Some((
                    format!("{} co \"{word}\"", parameter.code),
                    is(Condition::Values(parameter, "contains", vec![Given::Text(word)])),
                ))
            }
        }
    }

    pub(super) fn entry(&mut self, kind: &str, place: &Place) -> Option<Entry> {
        let all: Vec<&Entry> = self.pool.of(kind, place).collect();
        self.dice.any(&all).cloned()
    }

    /// A condition by a parameter of this kind, on a value that some resource has.
    fn of_kind(&mut self, kind: &str, place: &Place, fits: impl Fn(&Parameter) -> bool, how: &str) -> Option<Condition> {
        let all: Vec<&'static Parameter> = parameters::of(kind).filter(|it| fits(it)).collect();
        let parameter = self.dice.any(&all)?;
        let given = match how {
            "identifier" | "[type]" => return self.special_reference(kind, place, parameter, how),
            _ => self.given(kind, place, parameter, how)?,
        };
        let mut alternatives = vec![given];
        // A negated alternative is negated with the rest.
        if self.dice.chance(20) {
            alternatives.extend(self.given(kind, place, parameter, how));
        }
        let modifier = match how {
            "exact" => "exact",
            "contains" => "contains",
            "text" => "text",
            "not" => "not",
            "of-type" => "of-type",
            "above" => "above",
            "below" => "below",
            _ => "",
        };
        if parameter.code == "_id" && modifier.is_empty() && self.dice.chance(25) {
            return Some(Condition::Values(parameter, "not", alternatives));
        }
        Some(Condition::Values(parameter, modifier, alternatives))
    }

    /// `:identifier` and `:[type]`.
    fn special_reference(&mut self, kind: &str, place: &Place, parameter: &'static Parameter, how: &str) -> Option<Condition> {
        if how == "identifier" {
            let all: Vec<&'static Parameter> = parameters::of(kind).filter(|it| it.is_reference() && !is_patient(it)).collect();
            let mut logical: Vec<(&'static Parameter, Value)> = Vec::new();
            for parameter in all {
                let elements = self.pool.of(kind, place).flat_map(|entry| parameter.found(&entry.body));
                logical.extend(elements.filter(|it| it.get("identifier").is_some()).map(|it| (parameter, it.clone())));
            }
            let (parameter, element) = self.dice.any(&logical)?;
            let text = |name: &str| element["identifier"][name].as_str().map(str::to_owned);
            let system = if self.dice.chance(50) { text("system") } else { None };
            return Some(Condition::Values(parameter, "identifier", vec![Given::Token { system, code: Some(text("value")?) }]));
        }
        let element = self.element(kind, place, parameter)?;
        let written = element["reference"].as_str()?;
        let (stated, id) = (written.rsplit('/').nth(1)?.to_owned(), written.rsplit('/').next()?.to_owned());
        if written.starts_with("http") {
            return None;
        }
        let text = if self.dice.chance(30) { written.to_owned() } else { id };
        Some(Condition::OfTarget(parameter, stated, vec![Given::Text(text)]))
    }

    fn sort(&mut self, query: &mut Query, keys: usize) -> Option<()> {
        let several_records = query.place == Some(Place::Cohort);
        let own = parameters::own_date(&query.kind);
        let fits = |it: &&'static Parameter| match it.kind {
            Kind::Composite(_) => false,
            // Over several records only what the tables order.
            _ if several_records => it.code == "_lastUpdated" || Some(it.code) == own,
            _ => true,
        };
        let all: Vec<&'static Parameter> = parameters::of(&query.kind).filter(fits).collect();
        let ranges = |sort: &[(&'static Parameter, bool)]| {
            sort.iter().filter(|(it, _)| matches!(it.kind, Kind::Date | Kind::Number | Kind::Quantity)).count()
        };
        for _ in 0..keys * 2 {
            let parameter = self.dice.any(&all)?;
            let is_range = matches!(parameter.kind, Kind::Date | Kind::Number | Kind::Quantity);
            let twice = query.sort.iter().any(|(it, _)| it.code == parameter.code);
            if query.sort.len() < keys && !twice && !(is_range && ranges(&query.sort) >= 2) {
                query.sort.push((parameter, self.dice.chance(50)));
            }
        }
        Some(())
    }

    /// What is asked of the answer, beside what the feature asks.
    fn results(&mut self, query: &mut Query) {
        if query.count.is_none() && self.dice.chance(25) {
            query.count = Some(1 + self.dice.below(9));
        }
        if query.sort.is_empty() && self.dice.chance(20) {
            let keys = 1 + self.dice.below(2);
            self.sort(query, keys);
        }
        if query.total.is_none() && self.dice.chance(8) {
            query.total = Some("accurate");
        }
        if query.includes.is_empty() && query.summary.is_none() && query.elements.is_empty() && self.dice.chance(8) {
            let feature = *self.dice.pick(&["_include", "_revinclude", "include *"]);
            query.includes = self.includes(&query.kind.clone(), feature).unwrap_or_default();
        }
    }
}

fn keep(all: &[&'static str], fits: impl Fn(&&'static str) -> bool) -> Vec<&'static str> {
    all.iter().filter(|kind| fits(kind)).copied().collect()
}

/// Whether its values are concepts, with systems of their own.
fn is_concept(parameter: &Parameter) -> bool {
    parameter.kind == Kind::Token
        && parameter.implied.is_none()
        && matches!(parameter.code, "code" | "component-code" | "severity" | "manifestation" | "vaccine-code" | "conclusion")
}

/// Whether it names the record, so that it bounds nothing more.
pub(super) fn is_patient(parameter: &Parameter) -> bool {
    matches!(parameter.code, "patient" | "subject")
}

pub(super) fn name_of(parameter: &Parameter) -> &'static str {
    match parameter.kind {
        Kind::Token => "token",
        Kind::Date => "date",
        Kind::String => "string",
        Kind::Number => "number",
        Kind::Quantity => "quantity",
        Kind::Reference(_) => "reference",
        Kind::Uri => "uri",
        Kind::Composite(_) => "composite",
    }
}
