//! Makes random queries from the values of the resources, changed, so that most have hits and non-hits.
use super::dice::Dice;
use super::parameters::{self, IN_DIRECTORY, IN_RECORDS, Kind, Parameter, at};
use super::pool::{Entry, Place, Pool};
use super::query::{Condition, Filter, Given, Include, Query};
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
            ":in" | ":not-in" => keep(all, |kind| parameters::of(kind).any(|it| is_concept(it))),
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

    fn entry(&mut self, kind: &str, place: &Place) -> Option<Entry> {
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

    fn element(&mut self, kind: &str, place: &Place, parameter: &Parameter) -> Option<Value> {
        let all: Vec<Value> = self.pool.of(kind, place).flat_map(|entry| parameter.found(&entry.body)).cloned().collect();
        self.dice.any(&all)
    }

    /// A value near one that a resource has.
    fn given(&mut self, kind: &str, place: &Place, parameter: &Parameter, how: &str) -> Option<Given> {
        if parameter.code == "_lastUpdated" {
            let entry = self.entry(kind, place)?;
            let text = entry.body["meta"]["lastUpdated"].as_str()?.to_owned();
            let prefix = self.prefix(how);
            // To the millisecond, the minute or the day: to the second the cut falls between the writes.
            // `ap` goes by the time that has passed since, which is not that of the oracle to the millisecond.
            let cut = if prefix == "ap" { 10 } else { *self.dice.pick(&[24, 24, 19, 10]) };
            let text = if cut == 19 { format!("{}Z", &text[..19]) } else { text[..cut.min(text.len())].to_owned() };
            return Some(Given::Text(format!("{prefix}{text}")));
        }
        if parameter.code == "_id" {
            let code = self.entry(kind, place)?.id().to_owned();
            let upper = self.dice.chance(10);
            return Some(Given::Token { system: None, code: Some(if upper { code.to_uppercase() } else { code }) });
        }
        if let Kind::Composite(parts) = &parameter.kind {
            let element = self.element(kind, place, parameter)?;
            let given = parts.iter().map(|(kind, path)| {
                let found = at(&element, path).first().copied().cloned();
                self.near(*kind, &found?, "", None)
            });
            return Some(Given::Composite(given.collect::<Option<_>>()?));
        }
        let element = self.element(kind, place, parameter)?;
        self.near(parameter.kind, &element, how, parameter.implied)
    }

    fn prefix(&mut self, how: &str) -> String {
        if values::PREFIXES.contains(&how) {
            return how.to_owned();
        }
        let any = (*self.dice.pick(&["", "", "eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"])).to_owned();
        any
    }

    fn near(&mut self, kind: Kind, element: &Value, how: &str, implied: Option<&str>) -> Option<Given> {
        Some(match kind {
            Kind::Token if how == "text" => {
                let texts: Vec<&str> =
                    at(element, "text|coding.display|display|type.text").into_iter().filter_map(Value::as_str).collect();
                Given::Text(self.beginning(self.dice.clone().any(&texts)?))
            }
            Kind::Token if how == "of-type" => {
                let text = |path: &str| at(element, path).first().and_then(|it| it.as_str()).map(str::to_owned);
                Given::OfType { system: text("type.coding.system")?, code: text("type.coding.code")?, value: text("value")? }
            }
            Kind::Token => self.near_token(element, implied)?,
            Kind::String => {
                let text = self.dice.any(&values::texts(element))?;
                match how {
                    "exact" if self.dice.chance(20) => Given::Text(text.to_lowercase()),
                    "exact" => Given::Text(text),
                    "contains" => {
                        let letters: Vec<char> = text.chars().collect();
                        let from = self.dice.below(letters.len());
                        let until = (from + 1 + self.dice.below(6)).min(letters.len());
                        let part: String = letters[from..until].iter().collect();
                        (!values::normal(&part).is_empty()).then_some(Given::Text(part))?
                    }
                    _ => Given::Text(self.beginning(&text)),
                }
            }
            Kind::Date => Given::Text(format!("{}{}", self.prefix(how), self.near_date(element)?)),
            Kind::Number => Given::Text(format!("{}{}", self.prefix(how), self.near_number(&element.to_string()))),
            Kind::Quantity => self.near_quantity(element, how)?,
            // "The :above and :below modifiers only apply to URLs, and not URNs such as OIDs."
            Kind::Uri if !how.is_empty() && element.as_str()?.starts_with("urn:") => return None,
            Kind::Uri => self.near_uri(element.as_str()?, how),
            Kind::Reference(_) => {
                let written = element["reference"].as_str()?;
                if written.starts_with("http") || self.dice.chance(50) {
                    return Some(Given::Text(written.to_owned()));
                }
                let absolute = self.dice.chance(30);
                Given::Text(if absolute {
                    format!("{}/{written}", self.pool.base)
                } else {
                    written.rsplit('/').next()?.to_owned()
                })
            }
            Kind::Composite(_) => return None,
        })
    }

    fn near_token(&mut self, element: &Value, implied: Option<&str>) -> Option<Given> {
        let codes = values::codes(element);
        let (system, code) = self.dice.any(&codes)?;
        let own = match &system {
            values::System::Uri(uri) | values::System::Contact(uri) => Some(uri.clone()),
            values::System::Implied => implied.map(str::to_owned),
            values::System::None => Some(String::new()),
        };
        let upper = self.dice.chance(10);
        let code = if upper { code.to_uppercase() } else { code };
        Some(match self.dice.below(10) {
            0..=3 => Given::Token { system: None, code: Some(code) },
            4..=6 => Given::Token { system: own, code: Some(code) },
            7 => Given::Token { system: Some(String::new()), code: Some(code) },
            8 => Given::Token { system: own.filter(|system| !system.is_empty()), code: None }.only_whole()?,
            _ => Given::Token { system: Some("http://loinc.org".into()), code: Some(code) },
        })
    }

    fn beginning(&mut self, text: &str) -> String {
        let letters: Vec<char> = text.chars().collect();
        let length = 1 + self.dice.below(letters.len());
        let part: String = letters[..length].iter().collect();
        let part = if values::normal(&part).is_empty() { text.to_owned() } else { part };
        match self.dice.below(5) {
            0 => part.to_uppercase(),
            1 => values::normal(&part),
            _ => part,
        }
    }

    fn near_date(&mut self, element: &Value) -> Option<String> {
        let text = match element {
            Value::String(text) => text.clone(),
            _ => {
                let ends: Vec<&str> = ["start", "end"].iter().filter_map(|name| element[*name].as_str()).collect();
                self.dice.any(&ends)?.to_owned()
            }
        };
        Some(match self.dice.below(8) {
            0 => text[..4].to_owned(),
            1 if text.len() >= 7 => text[..7].to_owned(),
            2 if text.len() >= 10 => text[..10].to_owned(),
            3 if text.len() > 16 => format!("{}{}", &text[..16], self.dice.pick(&["Z", "", "+02:00"])),
            4 if text.len() == 10 => format!("{text}T12:00"),
            5 => format!("{}", 2020 + self.dice.below(5)),
            _ => text,
        })
    }

    fn near_number(&mut self, text: &str) -> String {
        match self.dice.below(6) {
            0 if text.contains('.') => text.split('.').next().unwrap_or(text).to_owned(),
            1 if text.contains('.') => format!("{text}0"),
            1 => format!("{text}.0"),
            2 => {
                let whole: i64 = text.split('.').next().unwrap().parse().unwrap();
                (whole + 1).to_string()
            }
            3 if text.len() > 1 && text.ends_with('0') && !text.contains('.') => format!("{}e1", &text[..text.len() - 1]),
            _ => text.to_owned(),
        }
    }

    fn near_quantity(&mut self, element: &Value, how: &str) -> Option<Given> {
        let text = |name: &str| element[name].as_str().map(str::to_owned);
        let prefix = self.prefix(how);
        let number = self.near_number(&element["value"].to_string());
        let (system, code) = (text("system"), text("code"));
        let convert = how == "convert" || self.dice.chance(25);
        if convert
            && let Some(code) = &code
            && let Some(other) = self.dice.any(&values::alike(code))
        {
            let value = values::converted(&element["value"], code, other)?;
            // Written plainly: as many figures as a measurement has.
            let digits = *self.dice.pick(&[1, 2, 4]);
            self.features.insert("UCUM conversion");
            return Some(Given::Quantity { value: format!("{prefix}{value:.digits$}"), system, code: Some(other.to_owned()) });
        }
        if how == "convert" {
            return None;
        }
        Some(match self.dice.below(4) {
            0 => Given::Quantity { value: format!("{prefix}{number}"), system: None, code: None },
            1 => Given::Quantity { value: format!("{prefix}{number}"), system: None, code: Some(code.or(text("unit"))?) },
            _ => Given::Quantity { value: format!("{prefix}{number}"), system: Some(system?), code: Some(code?) },
        })
    }

    fn near_uri(&mut self, uri: &str, how: &str) -> Given {
        Given::Text(match how {
            "below" if uri.contains("://") => uri.rsplit_once('/').map_or(uri, |(folder, _)| folder).to_owned(),
            "above" => format!("{uri}/more"),
            _ if self.dice.chance(10) => format!("{uri}x"),
            _ if self.dice.chance(30) => uri.split('|').next().unwrap_or(uri).to_owned(),
            _ => uri.to_owned(),
        })
    }

    /// Behind a link stands what the indexes decide.
    fn behind(&mut self, entry: &Entry) -> Option<Condition> {
        let texts = ["name", "family", "given", "address", "address-city", "address-postalcode", "title"];
        let fits = |it: &&'static Parameter| match it.kind {
            Kind::Token => it.code != "_id",
            Kind::Date => it.code != "_lastUpdated",
            Kind::String => texts.contains(&it.code),
            Kind::Quantity | Kind::Number | Kind::Uri => true,
            Kind::Reference(_) => !is_patient(it),
            Kind::Composite(_) => false,
        };
        // The identifier of a Patient names his record.
        let names_record = |it: &&Parameter| (it.of, it.code) == ("Patient", "identifier");
        let fits = |it: &&'static Parameter| fits(it) && !names_record(it);
        let all: Vec<&'static Parameter> =
            parameters::of(entry.kind()).filter(fits).filter(|it| !it.found(&entry.body).is_empty()).collect();
        let parameter = self.dice.any(&all)?;
        let elements: Vec<Value> = parameter.found(&entry.body).into_iter().cloned().collect();
        let given = self.near(parameter.kind, &self.dice.clone().any(&elements)?, "", parameter.implied)?;
        let narrowing = match &given {
            Given::Token { code: None, .. } => true,
            Given::Quantity { system: None, code: Some(_), .. } => true,
            _ => false,
        };
        (!narrowing).then_some(Condition::Values(parameter, "", vec![given]))
    }

    fn chain(&mut self, kind: &str, place: &Place, depth: usize) -> Option<Condition> {
        let from = self.entry(kind, place)?;
        self.chain_from(&from, depth)
    }

    fn chain_from(&mut self, from: &Entry, depth: usize) -> Option<Condition> {
        let mut links: Vec<(&'static Parameter, Entry)> = Vec::new();
        for parameter in parameters::of(from.kind()).filter(|it| it.is_reference()) {
            for element in parameter.found(&from.body) {
                let target = element["reference"].as_str().and_then(|text| self.pool.target(from, text));
                // A deep chain ends at the patient or in the directory too early.
                links.extend(target.filter(|it| depth == 1 || it.kind() != "Patient").map(|target| (parameter, target.clone())));
            }
        }
        let (parameter, target) = self.dice.any(&links)?;
        let mut inner = if depth == 1 { self.behind(&target)? } else { self.chain_from(&target, depth - 1)? };
        if depth == 1 && self.dice.chance(15) {
            let other = self.entry(target.kind(), &Place::Cohort).or_else(|| self.entry(target.kind(), &Place::Directory))?;
            inner = self.behind(&other)?;
        }
        // Without its type where the reference leads to one type only.
        let said = parameter.targets().len() != 1 || self.dice.chance(30);
        Some(Condition::Chain(parameter, said.then(|| target.kind().to_owned()), Box::new(inner)))
    }

    fn has(&mut self, kind: &str, place: &Place, chained: bool) -> Option<Condition> {
        // Pairs of what refers to a resource of this type here.
        let mut pairs: Vec<(&'static Parameter, Entry)> = Vec::new();
        let record = |entry: &Entry| place.holds(entry);
        for from in self.pool.entries.iter().filter(|from| record(from)) {
            for parameter in parameters::of(from.kind()).filter(|it| it.is_reference()) {
                let leads = parameter.found(&from.body).into_iter().any(|element| {
                    let target = element["reference"].as_str().and_then(|text| self.pool.target(from, text));
                    target.is_some_and(|target| target.kind() == kind && record(target))
                });
                if leads {
                    pairs.push((parameter, from.clone()));
                }
            }
        }
        let (parameter, from) = self.dice.any(&pairs)?;
        let inner = if chained { self.chain_from(&from, 1)? } else { self.behind(&from)? };
        Some(Condition::Has(from.kind().to_owned(), parameter, Box::new(inner)))
    }

    fn includes(&mut self, kind: &str, feature: &str) -> Option<Vec<Include>> {
        let here: Vec<&'static Parameter> = parameters::of(kind).filter(|it| it.is_reference()).collect();
        let forward = |source: &str, code: &str, iterate: bool| Include {
            reverse: false,
            iterate,
            source: source.to_owned(),
            code: code.to_owned(),
            target: None,
        };
        let mut all = Vec::new();
        match feature {
            "_revinclude" => {
                let to_here: Vec<&Parameter> = parameters::PARAMETERS
                    .iter()
                    .filter(|it| it.is_reference() && (it.targets().contains(&kind) || it.targets().is_empty()))
                    .collect();
                let parameter = self.dice.any(&to_here)?;
                all.push(Include { reverse: true, ..forward(parameter.of, parameter.code, false) });
            }
            "include *" => all.push(if self.dice.chance(30) { forward("*", "*", false) } else { forward(kind, "*", false) }),
            "include target type" => {
                let several: Vec<&&Parameter> = here.iter().filter(|it| it.targets().len() > 1).collect();
                let parameter = self.dice.any(&several)?;
                let target = (*self.dice.pick(parameter.targets())).to_owned();
                all.push(Include { target: Some(target), ..forward(kind, parameter.code, false) });
            }
            ":iterate" => {
                let first = self.dice.any(&here)?;
                all.push(forward(kind, first.code, self.dice.chance(50)));
                for target in ["Encounter", "Organization", "Observation", "Procedure"] {
                    let further: Vec<&Parameter> = parameters::of(target).filter(|it| it.is_reference()).collect();
                    if self.dice.chance(50)
                        && let Some(parameter) = self.dice.any(&further)
                    {
                        all.push(forward(target, parameter.code, true));
                    }
                }
                // In any order: each is applied to what every other brings.
                if self.dice.chance(50) {
                    all.reverse();
                }
            }
            _ => {
                let parameter = self.dice.any(&here)?;
                all.push(forward(kind, parameter.code, false));
            }
        }
        Some(all)
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

    /// Which features the query has.
    fn note(&mut self, query: &Query) {
        for condition in &query.conditions {
            self.note_condition(condition);
        }
        let mut add = |feature: &'static str, has: bool| {
            if has {
                self.features.insert(feature);
            }
        };
        add("_sort", !query.sort.is_empty());
        add("_sort of several keys", query.sort.len() > 1);
        add("_count", query.count.is_some_and(|count| count > 0));
        add("_count=0", query.count == Some(0));
        add("_total", query.total.is_some());
        add("_elements", !query.elements.is_empty());
        add("_include", query.includes.iter().any(|include| !include.reverse));
        add("_revinclude", query.includes.iter().any(|include| include.reverse));
        add(":iterate", query.includes.iter().any(|include| include.iterate));
        add("include *", query.includes.iter().any(|include| include.code == "*"));
        add("include target type", query.includes.iter().any(|include| include.target.is_some()));
        for summary in ["_summary=true", "_summary=text", "_summary=data", "_summary=count", "_summary=false"] {
            add(summary, query.summary.is_some_and(|asked| summary.ends_with(&format!("={asked}"))));
        }
    }

    fn note_condition(&mut self, condition: &Condition) {
        match condition {
            Condition::Values(parameter, modifier, given) => {
                self.features.insert(name_of(parameter));
                self.features.extend(FEATURES.iter().filter(|feature| **feature == parameter.code));
                self.features.extend(FEATURES.iter().filter(|feature| feature.strip_prefix(':') == Some(modifier)));
                if given.len() > 1 {
                    self.features.insert("alternatives");
                }
                if matches!(parameter.kind, Kind::Date | Kind::Number | Kind::Quantity) {
                    for one in given {
                        let (Given::Text(text) | Given::Quantity { value: text, .. }) = one else { continue };
                        let prefix = values::prefixed(text).0;
                        self.features.extend(FEATURES.iter().filter(|feature| **feature == prefix));
                    }
                }
            }
            Condition::OfTarget(..) => self.features.extend([":[type]", "reference"]),
            Condition::InSet(_, _, within) => self.features.extend([if *within { ":in" } else { ":not-in" }]),
            Condition::InTree(..) => self.features.extend(["token :above/:below"]),
            Condition::Missing(..) => self.features.extend([":missing"]),
            Condition::Words { parameter, .. } => self.features.extend(FEATURES.iter().filter(|feature| *feature == parameter)),
            Condition::InList(_) => self.features.extend(["_list"]),
            Condition::Types(_) => self.features.extend(["_type"]),
            Condition::Filter(..) => self.features.extend(["_filter"]),
            Condition::Has(_, _, inner) => {
                self.features.insert("_has");
                if matches!(**inner, Condition::Chain(..)) {
                    self.features.insert("chain in _has");
                }
                self.note_condition(inner);
            }
            Condition::Chain(_, _, inner) => {
                let mut depth = 1;
                let mut last: &Condition = inner;
                while let Condition::Chain(_, _, inner) = last {
                    depth += 1;
                    last = inner;
                }
                self.features.insert(["", "chain 1", "chain 2", "chain 3", "chain 4"][depth]);
                self.note_condition(last);
            }
        }
    }
}

impl Given {
    /// Not both parts empty.
    fn only_whole(self) -> Option<Self> {
        match &self {
            Self::Token { system: None, code: None } => None,
            _ => Some(self),
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
fn is_patient(parameter: &Parameter) -> bool {
    matches!(parameter.code, "patient" | "subject")
}

fn name_of(parameter: &Parameter) -> &'static str {
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
