//! One condition of a query: what it asks of the tables, and whether a body fulfils it.
use super::hidden;
use super::keyer::Keyer;
use super::kind::reference::{here, is_id, written};
use super::kind::special::Words;
use super::kind::token::TokenValue;
use super::kind::{Modifier, Node, Reading, Rows, Value, date, everything, nothing, reference, split, unescape};
use super::plan::{Plan, Predicate, RangeTest};
use super::query::ParseContext;
use super::record::{RecordParameter, record_parameter};
use super::registry::{Kind, Parameter, registry};
use crate::fhir::datetime;
use crate::fhir::path::type_in_url;
use crate::fhir::resource_type::Home;
use crate::fhir::{Resource, ResourceType};
use crate::ids::{Pid, Rid};

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
    /// Chain or `_has`: decided by the tables.
    Linked(Predicate),
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
        Self::read(resource_type, name, value, context, 0)
    }

    /// Reads `name=value` behind this many links.
    fn read(
        resource_type: ResourceType,
        name: &str,
        value: &str,
        context: &ParseContext<'_>,
        depth: usize,
    ) -> Result<Self, Fault> {
        if let Some(rest) = name.strip_prefix("_has:") {
            return has(resource_type, rest, value, context, depth);
        }
        let (head, chained) = name.split_once('.').map_or((name, None), |(head, rest)| (head, Some(rest)));
        let (code, modifier) = head.split_once(':').map_or((head, None), |(code, modifier)| (code, Some(modifier)));
        let parameter = registry().parameter(resource_type, code).ok_or(Fault::Unknown)?;
        if let Some(rest) = chained {
            return chain(parameter, modifier, rest, value, context, depth);
        }
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
        matches!(self.parameter.code, "_tag" | "_id") && !matches!(self.test, Test::Linked(_))
    }

    /// What the tables can say.
    pub(super) fn plan(&self, context: &ParseContext<'_>) -> Node {
        match &self.test {
            Test::Missing(_) | Test::Words(_) => Node::narrowing(everything()),
            Test::Values(modifier, values) => {
                let rows = Rows::of(self.parameter);
                let node = Node::any(values.iter().map(|value| value.plan(rows, *modifier, context)));
                if *modifier == Modifier::Not { node.not() } else { node }
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
                any != (*modifier == Modifier::Not)
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
        }
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
        return Err(Fault::Unknown);
    }
    let kind = parameter.shape.kind;
    let modifier = match modifier {
        None => Modifier::None,
        Some(name) => Modifier::parse(name, &parameter.shape).ok_or(Fault::Modifier)?,
    };
    let read =
        |text: &&str| Value::parse(&parameter.shape, &parameter.components, modifier, text, context).ok_or(Fault::Value(kind));
    Ok(Test::Values(modifier, values.iter().map(read).collect::<Result<_, _>>()?))
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
    value: &str,
    context: &ParseContext<'_>,
    depth: usize,
) -> Result<Criterion, Fault> {
    if parameter.shape.kind != Kind::Reference || depth >= CHAIN_MAX {
        return Err(Fault::Chain);
    }
    let types = match modifier {
        Some(name) => vec![ResourceType::parse(name).ok_or(Fault::Modifier)?],
        None => parameter.shape.only.map_or_else(|| parameter.shape.targets.clone(), |only| vec![only]),
    };
    let mut nodes = Vec::new();
    let mut fault = Fault::Chain;
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
            match inner(target, rest, value, &inner_context, depth) {
                Ok(plan) => {
                    let bases = parameter.stored.iter().map(|number| Keyer::reference_base(*number, in_directory));
                    nodes.extend(bases.map(|base| Node::exact(Predicate::Linked(base, Box::new(plan.clone())))));
                }
                Err(value @ (Fault::Value(_) | Fault::TooMany)) => return Err(value),
                Err(other) => fault = other,
            }
        }
    }
    if nodes.is_empty() {
        return Err(fault);
    }
    Ok(Criterion { parameter, test: Test::Linked(Node::any(nodes.into_iter()).predicate) })
}

/// The condition on the other side of a link; it must be one that the tables decide.
fn inner(target: ResourceType, name: &str, value: &str, context: &ParseContext<'_>, depth: usize) -> Result<Plan, Fault> {
    let criterion = Criterion::read(target, name, value, context, depth + 1)?;
    let node = criterion.plan(context);
    if !node.exact {
        return Err(Fault::Chain);
    }
    let mut predicates = vec![node.predicate];
    if !criterion.asks_for_hidden() {
        predicates.extend(hidden::of_level(target, context, true));
    }
    Ok(Plan { resource_type: target, predicates, recheck: false, sort: Vec::new() })
}

/// `_has:Type:reference:rest=value`. <https://hl7.org/fhir/R4/search.html#has>
fn has(
    resource_type: ResourceType,
    rest: &str,
    value: &str,
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
    let plan = inner(source, name.ok_or(Fault::Chain)?, value, context, depth)?;
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
