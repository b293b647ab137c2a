//! A query as data, its text for the server, and which resources fulfil it.
use super::data::TREE;
use super::fill::in_tree;
use super::parameters::{Kind, Parameter, at, named, of as parameters_of};
use super::pool::{Entry, Place, Pool};
use super::values;
use serde_json::Value;

/// One value of a parameter, without escapes.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Given {
    Token {
        system: Option<String>,
        code: Option<String>,
    },
    OfType {
        system: String,
        code: String,
        value: String,
    },
    /// String, date, number, reference, uri.
    Text(String),
    Quantity {
        value: String,
        system: Option<String>,
        code: Option<String>,
    },
    Composite(Vec<Given>),
}

/// One condition on a resource.
#[derive(Debug, Clone)]
pub(super) enum Condition {
    /// A parameter, its modifier (or nothing), its alternatives.
    Values(&'static Parameter, &'static str, Vec<Given>),
    /// A reference parameter that must lead to a resource of this type.
    OfTarget(&'static Parameter, String, Vec<Given>),
    Missing(&'static Parameter, bool),
    /// `:in`, and `:not-in`: a ValueSet by its URL.
    InSet(&'static Parameter, String, bool),
    /// `:below` and `:above` of a code of the tree.
    InTree(&'static Parameter, String, bool),
    Words {
        parameter: &'static str,
        words: Vec<String>,
    },
    /// `_list`
    InList(String),
    /// `_type` of a search of one type.
    Types(Vec<String>),
    /// A reference, the type after `:` if it is said, and what must hold there.
    Chain(&'static Parameter, Option<String>, Box<Condition>),
    /// Type and reference that lead here, and what must hold of that resource.
    Has(String, &'static Parameter, Box<Condition>),
    /// `_filter`: its text, and what it means.
    Filter(String, Filter),
}

/// What a `_filter` says. <https://hl7.org/fhir/R4/search_filter.html>
#[derive(Debug, Clone)]
pub(super) enum Filter {
    All(Vec<Filter>),
    Any(Vec<Filter>),
    Not(Box<Filter>),
    Is(Box<Condition>),
}

/// Part of what matches are given as.
#[derive(Debug, Clone, Default)]
pub(super) struct Query {
    pub(super) kind: String,
    pub(super) place: Option<Place>,
    pub(super) conditions: Vec<Condition>,
    /// Code and whether it descends.
    pub(super) sort: Vec<(&'static Parameter, bool)>,
    pub(super) count: Option<usize>,
    pub(super) total: Option<&'static str>,
    pub(super) summary: Option<&'static str>,
    pub(super) elements: Vec<&'static str>,
    /// `_include` and `_revinclude`, as they stand.
    pub(super) includes: Vec<Include>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Include {
    pub(super) reverse: bool,
    pub(super) iterate: bool,
    /// `*` for every type.
    pub(super) source: String,
    /// `*` for every reference.
    pub(super) code: String,
    pub(super) target: Option<String>,
}

// ---- text

fn escaped(text: &str) -> String {
    let mut out = String::new();
    for character in text.chars() {
        if ",$|\\".contains(character) {
            out.push('\\');
        }
        out.push(character);
    }
    out
}

impl Given {
    fn text(&self) -> String {
        let part = |part: &Option<String>| part.as_deref().map(escaped).unwrap_or_default();
        match self {
            Self::Token { system: None, code } => part(code),
            Self::Token { system, code } => format!("{}|{}", part(system), part(code)),
            Self::OfType { system, code, value } => format!("{}|{}|{}", escaped(system), escaped(code), escaped(value)),
            Self::Text(text) => escaped(text),
            Self::Quantity { value, code: None, .. } => value.clone(),
            Self::Quantity { value, system, code } => format!("{value}|{}|{}", part(system), part(code)),
            Self::Composite(parts) => parts.iter().map(Self::text).collect::<Vec<_>>().join("$"),
        }
    }
}

fn joined(given: &[Given]) -> String {
    given.iter().map(Given::text).collect::<Vec<_>>().join(",")
}

impl Condition {
    /// Name and value, before they are percent-encoded.
    pub(super) fn text(&self) -> (String, String) {
        match self {
            Self::Values(parameter, "", given) => (parameter.code.to_owned(), joined(given)),
            Self::Values(parameter, modifier, given) => (format!("{}:{modifier}", parameter.code), joined(given)),
            Self::OfTarget(parameter, target, given) => (format!("{}:{target}", parameter.code), joined(given)),
            Self::Missing(parameter, missing) => (format!("{}:missing", parameter.code), missing.to_string()),
            Self::Words { parameter, words } => ((*parameter).to_owned(), words.join(" ")),
            Self::InSet(parameter, url, within) => {
                (format!("{}:{}", parameter.code, if *within { "in" } else { "not-in" }), escaped(url))
            }
            Self::InTree(parameter, code, below) => {
                (format!("{}:{}", parameter.code, if *below { "below" } else { "above" }), format!("{TREE}|{code}"))
            }
            Self::InList(id) => ("_list".to_owned(), id.clone()),
            Self::Types(types) => ("_type".to_owned(), types.join(",")),
            Self::Chain(parameter, target, inner) => {
                let (name, value) = inner.text();
                let target = target.as_ref().map(|target| format!(":{target}")).unwrap_or_default();
                (format!("{}{target}.{name}", parameter.code), value)
            }
            Self::Has(source, parameter, inner) => {
                let (name, value) = inner.text();
                (format!("_has:{source}:{}:{name}", parameter.code), value)
            }
            Self::Filter(text, _) => ("_filter".to_owned(), text.clone()),
        }
    }
}

impl Query {
    /// Names and values in order.
    pub(super) fn parameters(&self) -> Vec<(String, String)> {
        let mut all: Vec<(String, String)> = self.conditions.iter().map(Condition::text).collect();
        let mut add = |name: &str, value: String| all.push((name.to_owned(), value));
        for include in &self.includes {
            let name = if include.reverse { "_revinclude" } else { "_include" };
            let iterate = if include.iterate { ":iterate" } else { "" };
            add(&format!("{name}{iterate}"), include.text());
        }
        if !self.sort.is_empty() {
            let keys = self
                .sort
                .iter()
                .map(|(parameter, descending)| format!("{}{}", if *descending { "-" } else { "" }, parameter.code));
            add("_sort", keys.collect::<Vec<_>>().join(","));
        }
        self.count.iter().for_each(|count| add("_count", count.to_string()));
        self.total.iter().for_each(|total| add("_total", (*total).to_owned()));
        self.summary.iter().for_each(|summary| add("_summary", (*summary).to_owned()));
        if !self.elements.is_empty() {
            add("_elements", self.elements.join(","));
        }
        all
    }

    /// `Type?name=value&...`, percent-encoded.
    pub(super) fn url(&self) -> String {
        let encoded = crate::harness::encoded;
        let pairs = self.parameters().into_iter().map(|(name, value)| format!("{}={}", encoded(&name), encoded(&value)));
        format!("{}?{}", self.kind, pairs.collect::<Vec<_>>().join("&"))
    }

    /// The same to be read.
    pub(super) fn readable(&self) -> String {
        let pairs = self.parameters().into_iter().map(|(name, value)| format!("{name}={value}"));
        format!("{}?{}", self.kind, pairs.collect::<Vec<_>>().join("&"))
    }
}

impl Include {
    pub(super) fn text(&self) -> String {
        if self.source == "*" {
            return "*".to_owned();
        }
        let target = self.target.as_ref().map(|target| format!(":{target}")).unwrap_or_default();
        format!("{}:{}{target}", self.source, self.code)
    }
}

// ---- meaning

fn matches(parameter: &Parameter, modifier: &str, element: &Value, given: &Given, pool: &Pool) -> bool {
    let kind = &parameter.kind;
    match (given, kind) {
        // Ids have no system, and their case counts.
        (Given::Token { code: Some(code), .. }, Kind::Token) if parameter.code == "_id" => element == code.as_str(),
        (Given::Token { system, code }, Kind::Token) => {
            values::token(element, system.as_deref(), code.as_deref(), parameter.implied)
        }
        // `:identifier` of a reference
        (Given::Token { system, code }, Kind::Reference(_)) => {
            element.get("identifier").is_some_and(|it| values::token(it, system.as_deref(), code.as_deref(), None))
        }
        (Given::OfType { system, code, value }, Kind::Token) => values::of_type(element, system, code, value),
        (Given::Text(text), Kind::Token) => values::token_text(element, text),
        (Given::Text(text), Kind::String) => values::string(element, modifier, text, parameter.code == "family"),
        (Given::Text(text), Kind::Date) => values::date(element, text, pool.now),
        (Given::Text(text), Kind::Number) => values::number(element, text),
        (Given::Text(text), Kind::Uri) => values::uri(element, modifier, text),
        (Given::Text(text), Kind::Reference(_)) => reference(element, text, None, pool),
        (Given::Quantity { value, system, code }, Kind::Quantity) => {
            values::quantity(element, value, system.as_deref(), code.as_deref())
        }
        (Given::Composite(parts), Kind::Composite(kinds)) => parts.iter().zip(*kinds).all(|(part, (kind, path))| {
            let inner = Parameter { of: parameter.of, code: "", kind: *kind, path, implied: None };
            at(element, path).into_iter().any(|element| matches(&inner, "", element, part, pool))
        }),
        other => panic!("no value of this type: {other:?}"),
    }
}

/// `[id]`, `[type]/[id]`, `[url]`; `wanted` is the type after `:`.
fn reference(element: &Value, value: &str, wanted: Option<&str>, pool: &Pool) -> bool {
    let Some(written) = element["reference"].as_str() else { return false };
    let mut parts = written.rsplit('/');
    let (id, stated) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    if wanted.is_some_and(|wanted| wanted != stated) {
        return false;
    }
    // Whether the caller may see where it leads is no matter: he reads the reference itself.
    let local = value.strip_prefix(&pool.base).map_or(value, |rest| rest.trim_start_matches('/'));
    local == written || (local == id && !written.contains("://"))
}

impl Condition {
    /// Whether a resource fulfils it.
    #[expect(clippy::too_many_lines, reason = "one arm for each kind of condition")]
    pub(super) fn holds(&self, entry: &Entry, pool: &Pool) -> bool {
        let found = |parameter: &Parameter| parameter.found(&entry.body).into_iter().cloned().collect::<Vec<Value>>();
        match self {
            Self::Values(parameter, modifier, given) => {
                let any = found(parameter)
                    .iter()
                    .any(|element| given.iter().any(|given| matches(parameter, modifier, element, given, pool)));
                any != (*modifier == "not")
            }
            Self::OfTarget(parameter, target, given) => found(parameter).iter().any(|element| {
                let text = |given: &Given| match given {
                    Given::Text(text) => text.clone(),
                    other => panic!("{other:?}"),
                };
                given.iter().any(|given| reference(element, &text(given), Some(target), pool))
            }),
            Self::Missing(parameter, missing) => found(parameter).is_empty() == *missing,
            Self::Words { parameter, words } => {
                let text = match *parameter {
                    "_text" => without_tags(entry.body["text"]["div"].as_str().unwrap_or_default()),
                    _ => without_tags(&every_text(&entry.body)),
                };
                let text = values::normal(&text);
                words.iter().all(|word| text.contains(&values::normal(word)))
            }
            Self::InSet(parameter, url, within) => {
                let set =
                    pool.entries.iter().find(|entry| entry.kind() == "ValueSet" && entry.body["url"] == url.as_str()).unwrap();
                let includes: Vec<&Value> = at(&set.body, "compose.include");
                let has = |system: &str, code: &str| {
                    includes.iter().any(|include| {
                        let codes = at(include, "concept.code");
                        include["system"] == system && (codes.is_empty() || codes.iter().any(|one| **one == code))
                    })
                };
                let of_set = |element: &Value| {
                    values::codes(element)
                        .iter()
                        .any(|(system, code)| matches!(system, values::System::Uri(uri) if has(uri, code)))
                };
                found(parameter).iter().any(of_set) == *within
            }
            Self::InTree(parameter, code, below) => {
                let codes = in_tree(code, *below);
                let fits =
                    |code: &&str| found(parameter).iter().any(|element| values::token(element, Some(TREE), Some(code), None));
                codes.iter().any(fits)
            }
            Self::InList(id) => pool.named(&format!("List/{id}")).is_some_and(|list| {
                let items = at(&list.body, "entry.item.reference");
                items
                    .into_iter()
                    .filter_map(Value::as_str)
                    .any(|item| pool.target(list, item).is_some_and(|it| it.name() == entry.name()))
            }),
            Self::Types(types) => types.iter().any(|name| name == entry.kind()),
            Self::Chain(parameter, wanted, inner) => {
                let targets = parameter.targets();
                found(parameter).iter().filter_map(|element| pool.target(entry, element["reference"].as_str()?)).any(|target| {
                    wanted.as_ref().is_none_or(|wanted| wanted == target.kind())
                        && (targets.is_empty() || targets.contains(&target.kind()))
                        && inner.applies(target.kind())
                        && inner.for_type(target.kind()).holds(target, pool)
                })
            }
            Self::Has(source, parameter, inner) => pool.entries.iter().filter(|from| from.kind() == source).any(|from| {
                let leads = parameter.found(&from.body).into_iter().any(|element| {
                    let target = element["reference"].as_str().and_then(|text| pool.target(from, text));
                    target.is_some_and(|target| target.name() == entry.name())
                });
                leads && inner.holds(from, pool)
            }),
            Self::Filter(_, filter) => filter.holds(entry, pool),
        }
    }

    /// Whether resources of this type have its parameter.
    fn applies(&self, kind: &str) -> bool {
        match self {
            Self::Values(parameter, ..)
            | Self::OfTarget(parameter, ..)
            | Self::Missing(parameter, _)
            | Self::Chain(parameter, ..) => named(kind, parameter.code).is_some(),
            Self::InSet(..)
            | Self::InTree(..)
            | Self::Words { .. }
            | Self::InList(_)
            | Self::Types(_)
            | Self::Has(..)
            | Self::Filter(..) => true,
        }
    }

    /// The same with the parameter of this type: behind a reference to several types each has its own.
    fn for_type(&self, kind: &str) -> Self {
        let own = |parameter: &'static Parameter| named(kind, parameter.code).unwrap();
        match self.clone() {
            Self::Values(parameter, modifier, given) => Self::Values(own(parameter), modifier, given),
            Self::OfTarget(parameter, target, given) => Self::OfTarget(own(parameter), target, given),
            Self::Missing(parameter, missing) => Self::Missing(own(parameter), missing),
            Self::Chain(parameter, target, inner) => Self::Chain(own(parameter), target, inner),
            other => other,
        }
    }
}

impl Filter {
    fn holds(&self, entry: &Entry, pool: &Pool) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(entry, pool)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(entry, pool)),
            Self::Not(part) => !part.holds(entry, pool),
            Self::Is(condition) => condition.holds(entry, pool),
        }
    }
}

fn without_tags(html: &str) -> String {
    let mut inside = false;
    let keep = |character: char| match character {
        '<' => {
            inside = true;
            Some(' ')
        }
        '>' => {
            inside = false;
            None
        }
        other => (!inside).then_some(other),
    };
    html.chars().filter_map(keep).collect()
}

fn every_text(value: &Value) -> String {
    match value {
        Value::String(text) => format!(" {text}"),
        Value::Array(items) => items.iter().map(every_text).collect(),
        Value::Object(members) => members.values().map(every_text).collect(),
        _ => String::new(),
    }
}

impl Query {
    /// The resources that match.
    pub(super) fn matches<'a>(&'a self, pool: &'a Pool) -> Vec<&'a Entry> {
        let place = self.place.as_ref().unwrap();
        pool.of(&self.kind, place).filter(|entry| self.conditions.iter().all(|condition| condition.holds(entry, pool))).collect()
    }

    /// What these matches bring with them, in any order.
    pub(super) fn included<'a>(&self, matches: &[&'a Entry], pool: &'a Pool) -> Vec<&'a Entry> {
        let mut all: Vec<&Entry> = matches.to_vec();
        let mut brought: Vec<&Entry> = Vec::new();
        let mut next = 0;
        // What is brought is looked at too, for includes that iterate.
        while next < all.len() {
            let entry = all[next];
            let first = next < matches.len();
            for include in self.includes.iter().filter(|include| first || include.iterate) {
                for found in include.follow(entry, pool) {
                    if !all.iter().any(|one| one.name() == found.name()) {
                        all.push(found);
                        brought.push(found);
                    }
                }
            }
            next += 1;
        }
        brought
    }
}

impl Include {
    fn follow<'a>(&self, entry: &'a Entry, pool: &'a Pool) -> Vec<&'a Entry> {
        let fits = |parameter: &&'static Parameter| parameter.is_reference() && (self.code == "*" || parameter.code == self.code);
        let leads = |from: &'a Entry| {
            let parameters = parameters_of(from.kind()).filter(fits);
            let elements = parameters.flat_map(|parameter| parameter.found(&from.body));
            elements.filter_map(|element| pool.target(from, element["reference"].as_str()?)).collect::<Vec<_>>()
        };
        let of_target = |kind: &str| self.target.as_ref().is_none_or(|target| target == kind);
        if self.reverse {
            // A search of the directory brings nothing out of the records: it is asked under no authorisation of theirs.
            let in_scope = |from: &&Entry| entry.record.is_some() || from.record.is_none();
            let sources = pool.entries.iter().filter(|from| from.kind() == self.source).filter(in_scope);
            if !of_target(entry.kind()) {
                return Vec::new();
            }
            return sources.filter(|from| leads(from).iter().any(|target| target.name() == entry.name())).collect();
        }
        if self.source != "*" && self.source != entry.kind() {
            return Vec::new();
        }
        leads(entry).into_iter().filter(|target| of_target(target.kind())).collect()
    }
}
