//! One condition of a query: what it asks of the tables, and whether a body fulfils it.
use super::filter::{Filter, Operator};
use super::keyer::Keyer;
use super::kind::reference::{here, is_id, written};
use super::kind::special::Words;
use super::kind::token::{MIME, TokenValue, codes};
use super::kind::{Modifier, Node, Reading, Rows, Value, date, everything, nothing, reference, split, string, unescape};
use super::plan::{Behind, Plan, Predicate, RangeTest};
use super::query::{ParseContext, Query};
use super::record::{RecordParameter, record_parameter};
use super::registry::{Kind, Parameter, registry};
use super::terminology::Concepts;
use super::text::normal;
use crate::fhir::datetime;
use crate::fhir::path::{Found, type_in_url};
use crate::fhir::resource_type::Home;
use crate::fhir::{Resource, ResourceType};
use crate::ids::{Pid, Rid};
use std::sync::Arc;

/// Most values of one parameter.
pub const VALUES_MAX: usize = 100;
/// Longest chain, and deepest `_has`.
pub const CHAIN_MAX: usize = 4;

/// Why a parameter of a query is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// No such parameter of this type.
    Unknown,
    /// The parameter has no such modifier here.
    Modifier,
    /// A chain or `_has` of a kind that is not served.
    Chain,
    /// A value that the type of the parameter does not allow.
    Value(Kind),
    /// More than [`VALUES_MAX`] values.
    TooMany,
    /// A ValueSet that the directory does not hold.
    UnknownValueSet,
    /// A CodeSystem that the directory does not hold with its concepts.
    UnknownCodeSystem,
    /// A ValueSet whose definition this server cannot evaluate.
    NotEvaluable,
    /// A set of more codes than are looked for.
    TooManyCodes,
    /// A parameter that R4 defines and this server does not serve.
    NotServed,
    /// `_filter` that does not follow the grammar, or is beyond its bounds.
    Filter,
}

/// One condition; all of a query must hold.
#[derive(Debug, Clone)]
pub(super) struct Criterion {
    parameter: &'static Parameter,
    test: Test,
}

#[derive(Debug, Clone)]
enum Test {
    Missing(bool),
    Values(Modifier, Vec<Value>),
    Ids {
        ids: Vec<(String, Option<(Pid, Rid)>)>,
        not: bool,
    },
    Updated(Vec<RangeTest>),
    Type {
        names: Vec<String>,
        not: bool,
    },
    Words(Vec<Words>),
    /// Names the record by an identifier that the scope has been opened for; the logical reference counts too.
    Record(Option<TokenValue>),
    /// Chain, `_has` or `_list`: decided by the tables.
    Linked(Predicate),
    /// `_filter`.
    Filter(Filter),
    /// A comparison of `_filter` on text.
    Compared(Operator, String),
    /// `ne` of `_filter`: some value is none of these.
    Unequal(Vec<Value>),
}

/// What a parameter is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Asked<'a> {
    /// A value of a query.
    Value(&'a str),
    /// A condition of `_filter`.
    Compared(Operator, &'a str),
}

impl Asked<'_> {
    fn parts(&self) -> (String, &str) {
        match self {
            Self::Value(value) => (String::new(), value),
            Self::Compared(operator, value) => (format!("{operator:?}"), value),
        }
    }
}

impl Criterion {
    /// Reads `name=value` of a query; what names the record by an identifier is fulfilled by the scope.
    pub(super) fn parse(
        resource_type: ResourceType,
        name: &str,
        value: &str,
        context: &ParseContext<'_>,
        record: Option<&RecordParameter>,
    ) -> Result<Self, Fault> {
        if context.pid.is_some()
            && let Some(RecordParameter::Identifier { .. }) = record
            && record_parameter(resource_type, name, value).as_ref() == record
        {
            return of_record(resource_type, name, value);
        }
        Self::read(resource_type, name, Asked::Value(value), context, 0)
    }

    /// A condition of `_filter`. What a chain leads to is looked for before, so that it can stand under `or` and `not`.
    pub(super) fn of_filter(
        resource_type: ResourceType,
        path: &str,
        asked: Asked<'_>,
        context: &ParseContext<'_>,
    ) -> Result<Self, Fault> {
        let criterion = Self::read(resource_type, path, asked, context, 0)?;
        if !matches!(criterion.test, Test::Linked(_)) {
            return Ok(criterion);
        }
        let parameter = criterion.parameter;
        let query = Query::behind(resource_type, criterion, context, false);
        let behind = behind(resource_type, path, asked, context, query);
        Ok(Self { parameter, test: Test::Linked(Predicate::Behind(behind)) })
    }

    /// Reads `name=value` behind this many links.
    fn read(
        resource_type: ResourceType,
        name: &str,
        asked: Asked<'_>,
        context: &ParseContext<'_>,
        depth: usize,
    ) -> Result<Self, Fault> {
        if let Some(rest) = name.strip_prefix("_has:") {
            return has(resource_type, rest, asked, context, depth);
        }
        if let (Asked::Value(value), "_list" | "_filter") = (asked, name) {
            return of_no_type(resource_type, name, value, context);
        }
        let (head, chained) = name.split_once('.').map_or((name, None), |(head, rest)| (head, Some(rest)));
        let (code, modifier) = head.split_once(':').map_or((head, None), |(code, modifier)| (code, Some(modifier)));
        let parameter = registry().parameter(resource_type, code).ok_or(Fault::Unknown)?;
        if let Some(rest) = chained {
            return chain(parameter, modifier, rest, asked, context, depth);
        }
        let value = match asked {
            Asked::Value(value) => value,
            Asked::Compared(operator, value) => return compared(resource_type, parameter, operator, value, context),
        };
        if modifier == Some("missing") {
            return missing(parameter, value);
        }
        let values = split(value, ',');
        if values.len() > VALUES_MAX {
            return Err(Fault::TooMany);
        }
        let test = match (parameter.code, modifier) {
            ("_id", None) => ids(resource_type, &values, false, context)?,
            ("_id", Some("not")) => ids(resource_type, &values, true, context)?,
            ("_type", None | Some("not")) => Test::Type { names: types(&values)?, not: modifier.is_some() },
            ("_lastUpdated", None) => Test::Updated(updated(&values, context)?),
            ("_text" | "_content", None) => Test::Words(words(&values)?),
            ("_id" | "_type" | "_lastUpdated" | "_text" | "_content", Some(_)) => return Err(Fault::Modifier),
            _ => plain(parameter, modifier, &values, context)?,
        };
        Ok(Self { parameter, test })
    }

    /// Whether it names what a query leaves out otherwise: a tag, or resources by their ids.
    pub(super) fn asks_for_hidden(&self) -> bool {
        matches!(self.parameter.code, "_tag" | "_id") && !matches!(self.test, Test::Linked(_) | Test::Filter(_))
    }

    /// What the tables can say.
    pub(super) fn plan(&self, context: &ParseContext<'_>) -> Node {
        match &self.test {
            Test::Missing(_) | Test::Words(_) | Test::Compared(..) | Test::Unequal(_) => Node::narrowing(everything()),
            Test::Filter(filter) => filter.plan(context),
            Test::Values(..) if self.parameter.is_of_operator() => Node::narrowing(everything()),
            Test::Values(modifier, values) => {
                let rows = Rows::of(self.parameter);
                let node = Node::any(values.iter().map(|value| value.plan(rows, *modifier, context)));
                if modifier.is_negative() { node.not() } else { node }
            }
            Test::Ids { ids, not } => {
                let places = ids.iter().filter_map(|(_, place)| *place);
                let places = places.filter(|(pid, _)| context.pid.is_none_or(|own| own == *pid)).collect();
                let node = Node::exact(Predicate::Places(places));
                if *not { node.not() } else { node }
            }
            Test::Updated(tests) => Node::exact(Predicate::Updated(tests.clone())),
            Test::Type { names, not } => {
                let number = self.parameter.number;
                let node = Node::tokens(names.iter().map(|name| context.keyer.code(number, name)));
                if *not { node.not() } else { node }
            }
            Test::Record(identifier) => self.plan_record(identifier.as_ref(), context),
            Test::Linked(predicate) => Node::exact(predicate.clone()),
        }
    }

    /// Within which milliseconds a point in time of this parameter can lie; `None` where it says nothing of it.
    pub(super) fn bounds(&self, code: &str) -> Option<(f64, f64)> {
        let tests: Vec<RangeTest> = match &self.test {
            Test::Values(Modifier::None, values) if self.parameter.code == code => {
                let ranges = values.iter().filter_map(|value| if let Value::Range(tests) = value { Some(tests) } else { None });
                ranges.flatten().copied().collect()
            }
            _ => return None,
        };
        tests.into_iter().map(point_bounds).reduce(|(a, b), (c, d)| (a.min(c), b.max(d)))
    }

    fn plan_record(&self, identifier: Option<&TokenValue>, context: &ParseContext<'_>) -> Node {
        let Some(pid) = context.pid else { return Node::exact(nothing()) };
        if self.parameter.shape.kind != Kind::Reference {
            return Node::exact(Predicate::Places(vec![(pid, Rid::PATIENT)]));
        }
        let rows = Rows::of(self.parameter);
        let place = Node::tokens(rows.keys(|number| Keyer::reference(number, false, Rid::PATIENT)));
        let logical = identifier.map(|value| reference::plan_identifier(value, rows, context.keyer));
        // The record is this person's: its logical references are read without asking the bodies again.
        let logical = logical.filter(|node| node.predicate != everything()).map(|node| Node { exact: true, ..node });
        Node::any(std::iter::once(place).chain(logical))
    }

    /// Whether a body fulfils it. `linked` decides chains, on whatever the caller can look up.
    pub(super) fn matches(&self, resource: &Resource, reading: &Reading<'_>, linked: &dyn Fn(&Predicate) -> bool) -> bool {
        let parameter = self.parameter;
        let found = || parameter.path.evaluate(resource);
        match &self.test {
            Test::Missing(missing) => found().is_empty() == *missing,
            Test::Values(modifier, values) => {
                let any = found().into_iter().any(|found| {
                    let test = |value: &Value| {
                        value.matches(&parameter.shape, &parameter.components, *modifier, found, resource, reading)
                    };
                    values.iter().any(test)
                });
                any != modifier.is_negative()
            }
            Test::Ids { ids, not } => {
                let id = resource.get("id").and_then(serde_json::Value::as_str);
                ids.iter().any(|(wanted, _)| Some(wanted.as_str()) == id) != *not
            }
            Test::Updated(tests) => found().first().and_then(|found| date::whole(*found, reading.time_zone)).is_some_and(|at| {
                let (lo, hi) = (date::float(at.lo), date::float(at.lo + 1));
                tests.iter().any(|test| test.holds(lo, hi))
            }),
            Test::Type { names, not } => {
                let name = resource.get("resourceType").and_then(serde_json::Value::as_str);
                names.iter().any(|wanted| Some(wanted.as_str()) == name) != *not
            }
            Test::Words(words) => words.iter().any(|words| match parameter.code {
                "_text" => words.in_narrative(resource),
                _ => words.in_content(resource),
            }),
            Test::Record(identifier) if parameter.shape.kind == Kind::Reference => found().into_iter().any(|found| {
                let place = written(found).and_then(|text| here(text, reading));
                place == Some((reading.pid, Rid::PATIENT))
                    || identifier.as_ref().is_some_and(|value| reference::matches_identifier(value, found))
            }),
            Test::Record(_) => resource.get("resourceType").and_then(serde_json::Value::as_str) == Some("Patient"),
            Test::Linked(predicate) => linked(predicate),
            Test::Filter(filter) => filter.matches(resource, reading, linked),
            Test::Compared(operator, value) => found().into_iter().any(|found| compare(parameter, *operator, value, found)),
            Test::Unequal(values) => found().into_iter().any(|found| {
                let test = |value: &Value| {
                    value.matches(&parameter.shape, &parameter.components, Modifier::None, found, resource, reading)
                };
                // An element without a code has no code that differs.
                let has_value = parameter.kind() != Kind::Token || !codes(found).is_empty();
                has_value && !values.iter().any(test)
            }),
        }
    }

    /// What must be looked for before bodies can be decided on, beside what the plan holds.
    pub(super) fn behind(&self) -> Vec<&Behind> {
        let mut out = Vec::new();
        match &self.test {
            Test::Linked(Predicate::Behind(behind)) => out.push(behind),
            Test::Filter(filter) => filter.behind(&mut out),
            _ => {}
        }
        out
    }
}

/// Where an interval of at most a second that passes can start.
fn point_bounds(test: RangeTest) -> (f64, f64) {
    let second = 1000.0;
    match test {
        RangeTest::Within(a, b) => (a, b),
        RangeTest::NotWithin(..) => (f64::MIN, f64::MAX),
        RangeTest::HiAbove(a) => (a - second, f64::MAX),
        RangeTest::LoBelow(a) | RangeTest::HiAtMost(a) => (f64::MIN, a),
        RangeTest::LoAtLeast(a) => (a, f64::MAX),
        RangeTest::Overlaps(a, b) => (a - second, b),
    }
}

fn missing(parameter: &'static Parameter, value: &str) -> Result<Criterion, Fault> {
    if parameter.expression.is_empty() {
        return Err(Fault::Modifier);
    }
    match value {
        "true" => Ok(Criterion { parameter, test: Test::Missing(true) }),
        "false" => Ok(Criterion { parameter, test: Test::Missing(false) }),
        _ => Err(Fault::Value(Kind::Token)),
    }
}

fn plain(parameter: &Parameter, modifier: Option<&str>, values: &[&str], context: &ParseContext<'_>) -> Result<Test, Fault> {
    if parameter.shape.kind == Kind::Special || parameter.expression.is_empty() {
        return Err(if parameter.code == "_query" { Fault::Unknown } else { Fault::NotServed });
    }
    let kind = parameter.shape.kind;
    let modifier = match modifier {
        None => Modifier::None,
        Some(name) => Modifier::parse(name, &parameter.shape).ok_or(Fault::Modifier)?,
    };
    let of_terms = match modifier {
        Modifier::In | Modifier::NotIn => true,
        Modifier::Above | Modifier::Below => kind == Kind::Token && parameter.shape.system != Some(MIME),
        _ => false,
    };
    if of_terms {
        let read = |text: &&str| concepts(parameter, modifier, text, context).map(|concepts| Value::Concepts(Arc::new(concepts)));
        return Ok(Test::Values(modifier, values.iter().map(read).collect::<Result<_, _>>()?));
    }
    let read =
        |text: &&str| Value::parse(&parameter.shape, &parameter.components, modifier, text, context).ok_or(Fault::Value(kind));
    Ok(Test::Values(modifier, values.iter().map(read).collect::<Result<_, _>>()?))
}

/// The codes that a value set or a place in a hierarchy stands for.
fn concepts(parameter: &Parameter, modifier: Modifier, text: &str, context: &ParseContext<'_>) -> Result<Concepts, Fault> {
    let wrong = Fault::Value(Kind::Token);
    if matches!(modifier, Modifier::In | Modifier::NotIn) {
        return Concepts::of_value_set(&unescape(text).ok_or(wrong)?, context.library);
    }
    let (system, code) = match TokenValue::parse(text).ok_or(wrong)? {
        TokenValue::SystemAndCode(system, code) => (system, code),
        TokenValue::Code(code) => (parameter.shape.system.ok_or(wrong)?.to_owned(), code),
        TokenValue::CodeWithoutSystem(_) | TokenValue::System(_) => return Err(wrong),
    };
    match modifier {
        Modifier::Above => Concepts::above(&system, &code, context.library),
        _ => Concepts::below(&system, &code, context.library),
    }
}

/// `_list` and `_filter`, which are of no type. <https://hl7.org/fhir/R4/search.html#list>
fn of_no_type(resource_type: ResourceType, name: &str, value: &str, context: &ParseContext<'_>) -> Result<Criterion, Fault> {
    let parameter = registry().parameter(resource_type, "_id").ok_or(Fault::Unknown)?;
    let test = if name == "_filter" {
        Test::Filter(Filter::parse(resource_type, value, context)?)
    } else {
        let lists = split(value, ',');
        // `$current-...` are lists that nobody keeps here.
        let read = |text: &&str| unescape(text).filter(|id| is_id(id)).ok_or(Fault::Value(Kind::Special));
        let ids: Vec<String> = lists.iter().map(read).collect::<Result<_, _>>()?;
        if ids.len() > VALUES_MAX {
            return Err(Fault::TooMany);
        }
        let places = ids.iter().flat_map(|id| context.library.items(id)).collect();
        let about = context.keyer.question(&[name, value]);
        let in_directory = context.pid == Some(Pid::DIRECTORY);
        Test::Linked(Predicate::Behind(Behind { about, query: None, in_directory, places: Some(Arc::new(places)) }))
    };
    Ok(Criterion { parameter, test })
}

/// A condition of `_filter` on a parameter of the type itself.
fn compared(
    resource_type: ResourceType,
    parameter: &'static Parameter,
    operator: Operator,
    value: &str,
    context: &ParseContext<'_>,
) -> Result<Criterion, Fault> {
    let escaped = value.replace('\\', "\\\\").replace(',', "\\,");
    let code = parameter.code;
    let ordinary = |modifier: &str, prefix: &str| {
        let (name, value) = (format!("{code}{modifier}"), format!("{prefix}{escaped}"));
        Criterion::read(resource_type, &name, Asked::Value(&value), context, 0)
    };
    let test = |test: Test| Ok(Criterion { parameter, test });
    match (parameter.kind(), operator) {
        (_, Operator::Present) => match value {
            "true" => missing(parameter, "false"),
            "false" => missing(parameter, "true"),
            _ => Err(Fault::Filter),
        },
        (Kind::Date, Operator::Overlaps) => {
            let whole = date::parse(&escaped, context).ok_or(Fault::Value(Kind::Date))?;
            let overlaps = |test: RangeTest| match test {
                RangeTest::Within(lo, hi) => Ok(RangeTest::Overlaps(lo, hi)),
                _ => Err(Fault::Value(Kind::Date)),
            };
            let tests: Vec<RangeTest> = whole.into_iter().map(overlaps).collect::<Result<_, _>>()?;
            let updated = code == "_lastUpdated";
            test(if updated { Test::Updated(tests) } else { Test::Values(Modifier::None, vec![Value::Range(tests)]) })
        }
        (Kind::Date | Kind::Number | Kind::Quantity, operator) => ordinary("", operator.prefix().ok_or(Fault::Filter)?),
        (Kind::Token | Kind::Reference | Kind::Uri, Operator::Equal) | (Kind::Reference, Operator::References) => {
            ordinary("", "")
        }
        (Kind::Token, Operator::In) => ordinary(":in", ""),
        (Kind::Token | Kind::Uri, Operator::Subsumes) => ordinary(":below", ""),
        (Kind::Token | Kind::Uri, Operator::SubsumedBy) => ordinary(":above", ""),
        (Kind::Token, Operator::NotEqual) if code == "_id" => ordinary(":not", ""),
        (Kind::Token | Kind::Reference, Operator::NotEqual) => match ordinary("", "")?.test {
            Test::Values(_, values) => test(Test::Unequal(values)),
            _ => Err(Fault::Filter),
        },
        (
            Kind::String | Kind::Uri,
            Operator::Equal | Operator::NotEqual | Operator::Contains | Operator::StartsWith | Operator::EndsWith,
        ) => test(Test::Compared(operator, if parameter.kind() == Kind::Uri { value.to_owned() } else { normal(value) })),
        (Kind::String | Kind::Token | Kind::Reference | Kind::Uri | Kind::Composite | Kind::Special, _) => Err(Fault::Filter),
    }
}

/// A text of a resource against one of `_filter`: URIs as they are, all else in its normal form.
fn compare(parameter: &Parameter, operator: Operator, value: &str, found: Found<'_>) -> bool {
    let test = |text: &str| match operator {
        Operator::NotEqual => text != value,
        Operator::Contains => text.contains(value),
        Operator::StartsWith => text.starts_with(value),
        Operator::EndsWith => text.ends_with(value),
        _ => text == value,
    };
    if parameter.kind() == Kind::Uri {
        return found.element.text().is_some_and(test);
    }
    string::texts(found).into_iter().any(|text| test(&normal(text)))
}

fn ids(resource_type: ResourceType, values: &[&str], not: bool, context: &ParseContext<'_>) -> Result<Test, Fault> {
    let read = |text: &&str| {
        let id = unescape(text).filter(|id| is_id(id)).ok_or(Fault::Value(Kind::Token))?;
        let place = (context.local)(&format!("{resource_type}/{id}"));
        Ok((id, place))
    };
    Ok(Test::Ids { ids: values.iter().map(read).collect::<Result<_, _>>()?, not })
}

fn types(values: &[&str]) -> Result<Vec<String>, Fault> {
    let read = |text: &&str| ResourceType::parse(text).map(|name| name.to_string()).ok_or(Fault::Value(Kind::Token));
    values.iter().map(read).collect()
}

fn updated(values: &[&str], context: &ParseContext<'_>) -> Result<Vec<RangeTest>, Fault> {
    let tests: Option<Vec<_>> = values.iter().map(|text| date::parse(text, context)).collect();
    tests.map(|tests| tests.into_iter().flatten().collect()).ok_or(Fault::Value(Kind::Date))
}

fn words(values: &[&str]) -> Result<Vec<Words>, Fault> {
    let read = |text: &&str| unescape(text).and_then(|text| Words::parse(&text)).ok_or(Fault::Value(Kind::String));
    values.iter().map(read).collect()
}

/// The identifier that named the record: the scope fulfils it.
fn of_record(resource_type: ResourceType, name: &str, value: &str) -> Result<Criterion, Fault> {
    let code = name.split(['.', ':']).next().unwrap_or_default();
    let parameter = registry().parameter(resource_type, code).ok_or(Fault::Unknown)?;
    let identifier = name.ends_with(":identifier").then(|| TokenValue::parse(value)).flatten();
    Ok(Criterion { parameter, test: Test::Record(identifier) })
}

/// `reference[:Type].rest=value`. <https://hl7.org/fhir/R4/search.html#chaining>
fn chain(
    parameter: &'static Parameter,
    modifier: Option<&str>,
    rest: &str,
    asked: Asked<'_>,
    context: &ParseContext<'_>,
    depth: usize,
) -> Result<Criterion, Fault> {
    if parameter.shape.kind != Kind::Reference || depth >= CHAIN_MAX {
        return Err(Fault::Chain);
    }
    let types = match modifier {
        Some(name) => vec![ResourceType::parse(name).ok_or(Fault::Modifier)?],
        None if parameter.shape.only.is_none() && parameter.shape.targets.is_empty() => ResourceType::all().collect(),
        None => parameter.shape.only.map_or_else(|| parameter.shape.targets.clone(), |only| vec![only]),
    };
    let mut nodes = Vec::new();
    for target in types {
        for in_directory in [false, true] {
            let lives = match target.home() {
                Home::Record => !in_directory || context.pid == Some(Pid::DIRECTORY),
                Home::Directory => in_directory || context.pid == Some(Pid::DIRECTORY),
                Home::Either => true,
                Home::None => false,
            };
            if !lives {
                continue;
            }
            let pid = if in_directory { Some(Pid::DIRECTORY) } else { context.pid };
            let inner_context = ParseContext { pid, ..*context };
            match inner(target, rest, asked, &inner_context, depth) {
                Ok(plan) => {
                    let bases = parameter.stored.iter().map(|number| Keyer::reference_base(*number, in_directory));
                    nodes.extend(bases.map(|base| Node::exact(Predicate::Linked(base, Box::new(plan.clone())))));
                }
                Err(Fault::Unknown | Fault::Modifier | Fault::Chain) => {}
                Err(wrong) => return Err(wrong),
            }
        }
    }
    if nodes.is_empty() {
        return Err(Fault::Chain);
    }
    Ok(Criterion { parameter, test: Test::Linked(Node::any(nodes.into_iter()).predicate) })
}

/// The condition on the other side of a link. What bodies decide on is looked for before.
fn inner(target: ResourceType, name: &str, asked: Asked<'_>, context: &ParseContext<'_>, depth: usize) -> Result<Plan, Fault> {
    let criterion = Criterion::read(target, name, asked, context, depth + 1)?;
    let query = Query::behind(target, criterion, context, true);
    if !query.plan.recheck {
        return Ok(query.plan);
    }
    let predicates = vec![Predicate::Behind(behind(target, name, asked, context, query))];
    Ok(Plan { resource_type: target, predicates, recheck: false, sort: Vec::new() })
}

fn behind(target: ResourceType, name: &str, asked: Asked<'_>, context: &ParseContext<'_>, query: Query) -> Behind {
    let in_directory = context.pid == Some(Pid::DIRECTORY);
    let (operator, value) = asked.parts();
    let place = if in_directory { "directory" } else { "record" };
    let about = context.keyer.question(&[target.name(), name, &operator, value, place]);
    Behind { about, query: Some(Arc::new(query)), in_directory, places: None }
}

/// `_has:Type:reference:rest=value`. <https://hl7.org/fhir/R4/search.html#has>
fn has(
    resource_type: ResourceType,
    rest: &str,
    asked: Asked<'_>,
    context: &ParseContext<'_>,
    depth: usize,
) -> Result<Criterion, Fault> {
    let mut parts = rest.splitn(3, ':');
    let (source, code, name) = (parts.next(), parts.next(), parts.next());
    let source = source.and_then(ResourceType::parse).ok_or(Fault::Chain)?;
    let parameter = code.and_then(|code| registry().parameter(source, code)).ok_or(Fault::Unknown)?;
    let targets = &parameter.shape.targets;
    let leads_here = targets.is_empty() || targets.contains(&resource_type);
    if parameter.shape.kind != Kind::Reference || !leads_here || depth >= CHAIN_MAX {
        return Err(Fault::Chain);
    }
    let plan = inner(source, name.ok_or(Fault::Chain)?, asked, context, depth)?;
    let bases = parameter.stored.iter().map(|number| Keyer::reference_base(*number, false));
    let nodes = bases.map(|base| Node::exact(Predicate::LinkedFrom(base, Box::new(plan.clone()))));
    Ok(Criterion { parameter, test: Test::Linked(Node::any(nodes).predicate) })
}

/// The clinical date of a body in milliseconds: where its own date starts.
pub(super) fn clinical_date(resource_type: ResourceType, resource: &Resource, zone: &jiff::tz::TimeZone) -> Option<i64> {
    let parameter = registry().parameter(resource_type, resource_type.clinical_date()?)?;
    let found = parameter.path.evaluate(resource);
    let starts = found.into_iter().filter_map(|found| date::whole(found, zone)).map(|interval| {
        // Of a period without start the end says when it was.
        if interval.lo == datetime::Interval::FIRST { interval.hi - 1 } else { interval.lo }
    });
    starts.min()
}

/// Where a reference of a body leads, with the type that it states.
pub(super) fn targets(parameter: &Parameter, resource: &Resource) -> Vec<(Option<ResourceType>, String)> {
    let found = parameter.path.evaluate(resource);
    let texts = found.into_iter().filter_map(|found| written(found).map(str::to_owned));
    texts.map(|text| (type_in_url(&text).and_then(ResourceType::parse), text)).collect()
}
