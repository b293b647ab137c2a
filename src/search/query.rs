//! A query, parsed once: the plan for the tables, the conditions for bodies, and what the answer should hold.
//! <https://hl7.org/fhir/R4/search.html>
use super::criterion::{Criterion, Fault, VALUES_MAX};
use super::hidden;
use super::keyer::Keyer;
use super::kind::Local;
use super::plan::{Behind, Plan, Sort};
use super::record::{RecordParameter, record_of};
use super::registry::{Kind, Parameter, registry};
use super::subset::has_element;
use super::terminology::Library;
use crate::clock::Millis;
use crate::fhir::interaction::Parameters;
use crate::fhir::{Issue, IssueKind, Problem, ResourceType};
use crate::ids::Pid;
use jiff::tz::TimeZone;
use std::fmt;

/// Matches of a page where the query says nothing.
pub const COUNT_DEFAULT: u32 = 50;
/// Most matches of a page.
pub const COUNT_MAX: u32 = 1000;
/// Most conditions of a query.
const CRITERIA_MAX: usize = 100;

/// What reading a query needs.
#[derive(Clone, Copy)]
pub struct ParseContext<'a> {
    /// Makes index keys.
    pub keyer: &'a Keyer,
    /// Where a reference leads on this server.
    pub local: Local<'a>,
    /// Zone of dates without one.
    pub time_zone: &'a TimeZone,
    /// `Prefer: handling=lenient`: unknown parameters are left out and reported.
    pub lenient: bool,
    /// For `ap` on dates.
    pub now: Millis,
    /// The one record searched, or the directory; `None` for a search over several records.
    pub pid: Option<Pid>,
    /// Value sets, code systems and lists that a query names.
    pub library: &'a dyn Library,
    /// Also what a query leaves out unless it names it: for what the server itself looks for, never for an answer.
    pub everything: bool,
}

/// Whether and how matches are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Total {
    /// Only where it is always given.
    #[default]
    None,
    /// An estimate is enough.
    Estimate,
    /// The exact number.
    Accurate,
}

/// Which part of each resource is returned. <https://hl7.org/fhir/R4/search.html#summary>
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Summary {
    /// Whole resources.
    #[default]
    False,
    /// The elements marked as summary.
    True,
    /// Narrative, id, meta and mandatory elements.
    Text,
    /// Everything but the narrative.
    Data,
    /// The number of matches alone.
    Count,
}

/// `_include` or `_revinclude`.
#[derive(Debug, Clone)]
pub struct Include {
    /// Type that has the reference; `None` for `*` alone.
    pub source: Option<ResourceType>,
    /// The reference parameter; `None` for `*`.
    pub parameter: Option<&'static Parameter>,
    /// Only targets of this type.
    pub target: Option<ResourceType>,
    /// Also from what is included.
    pub iterate: bool,
}

/// A query. Prints the names of its parameters only.
#[derive(Clone)]
pub struct Query {
    /// Type searched.
    pub resource_type: ResourceType,
    /// What the tables are asked.
    pub plan: Plan,
    /// `_include`.
    pub includes: Vec<Include>,
    /// `_revinclude`.
    pub revincludes: Vec<Include>,
    /// Most matches of a page; 0 asks for the number alone.
    pub count: u32,
    /// `_total`.
    pub total: Total,
    /// `_summary`.
    pub summary: Summary,
    /// `_elements`: names of top elements; empty for all.
    pub elements: Vec<String>,
    /// What was honoured, as it came: for the self link.
    pub self_parameters: Vec<(String, String)>,
    /// What was left out under `handling=lenient`.
    pub ignored: Vec<Issue>,
    pub(super) criteria: Vec<Criterion>,
    pub(super) sort: Vec<(&'static Parameter, bool)>,
}

impl fmt::Debug for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.self_parameters.iter().map(|(name, _)| name.as_str()).collect();
        write!(f, "Query({}, {names:?})", self.resource_type)
    }
}

/// Handled before the query is read.
const OF_HTTP: [&str; 2] = ["_format", "_pretty"];

/// Reads the parameters of a search of one type.
///
/// # Errors
/// `ParameterUnknown` for a parameter or modifier that is not known (unless lenient), `ParameterInvalid` for a value that
/// its type does not allow. The texts name the parameter, never its value.
pub fn parse(resource_type: ResourceType, parameters: &Parameters, context: &ParseContext<'_>) -> Result<Query, Problem> {
    let record = record_of(resource_type, parameters);
    let mut query = Query::empty(resource_type);
    let mut issues = Vec::new();
    for (name, value) in &parameters.0 {
        if OF_HTTP.contains(&name.as_str()) {
            continue;
        }
        match query.take(name, value, context, record.as_ref()) {
            Ok(()) => query.self_parameters.push((name.clone(), value.clone())),
            Err(issue) if context.lenient && issue.kind == IssueKind::ParameterUnknown => {
                query.ignored.push(Issue { kind: IssueKind::ParameterIgnored, ..issue });
            }
            Err(issue) => issues.push(issue),
        }
    }
    if query.criteria.len() > CRITERIA_MAX {
        issues.push(Issue::new(IssueKind::ParameterInvalid, format!("More than {CRITERIA_MAX} search parameters")));
    }
    if let Some(problem) = Problem::from_issues(issues) {
        return Err(problem);
    }
    if let Some(issue) = query.contradiction() {
        return Err(issue.into());
    }
    query.make_plan(context);
    Ok(query)
}

impl Query {
    /// Milliseconds [lo, hi) outside which no resource matches whose `code` is a point in time, such as
    /// `AuditEvent.recorded`: for a table that knows only that time. `None` where the query does not bound it.
    #[must_use]
    pub fn date_bounds(&self, code: &str) -> Option<(i64, i64)> {
        let bounds = self.criteria.iter().filter_map(|criterion| criterion.bounds(code));
        let (lo, hi) = bounds.reduce(|(a, b), (c, d)| (a.max(c), b.min(d)))?;
        Some((millis(lo), millis(hi)))
    }

    /// What must be looked for before bodies can be decided on, beside what the plan holds.
    #[must_use]
    pub fn behind_bodies(&self) -> Vec<&Behind> {
        self.criteria.iter().flat_map(Criterion::behind).collect()
    }

    /// A query of one condition, for what stands behind another; `hides` leaves out what a query leaves out.
    pub(super) fn behind(resource_type: ResourceType, criterion: Criterion, context: &ParseContext<'_>, hides: bool) -> Self {
        let mut query = Self::empty(resource_type);
        let node = criterion.plan(context);
        query.plan.recheck = !node.exact;
        query.plan.predicates.push(node.predicate);
        if hides && !criterion.asks_for_hidden() {
            query.plan.predicates.extend(hidden::of_level(resource_type, context, true));
        }
        query.criteria.push(criterion);
        query
    }

    fn empty(resource_type: ResourceType) -> Self {
        Self {
            resource_type,
            plan: Plan { resource_type, predicates: Vec::new(), recheck: false, sort: Vec::new() },
            includes: Vec::new(),
            revincludes: Vec::new(),
            count: COUNT_DEFAULT,
            total: Total::None,
            summary: Summary::False,
            elements: Vec::new(),
            self_parameters: Vec::new(),
            ignored: Vec::new(),
            criteria: Vec::new(),
            sort: Vec::new(),
        }
    }

    fn take(
        &mut self,
        name: &str,
        value: &str,
        context: &ParseContext<'_>,
        record: Option<&RecordParameter>,
    ) -> Result<(), Issue> {
        let of_type = self.resource_type;
        let wrong = || Issue::new(IssueKind::ParameterInvalid, format!("The value of `{}` is not allowed", short(name)));
        match name {
            "_count" => self.count = value.parse::<u32>().ok().ok_or_else(wrong)?.min(COUNT_MAX),
            "_total" => self.total = Total::parse(value).ok_or_else(wrong)?,
            "_summary" => self.summary = Summary::parse(value).ok_or_else(wrong)?,
            "_elements" => self.elements = elements(of_type, value)?,
            "_contained" if value == "false" => {}
            "_contained" | "_containedType" => {
                let text = format!("`{name}`: contained resources are not searched by themselves");
                return Err(Issue::new(IssueKind::ParameterUnknown, text));
            }
            "_sort" => self.take_sort(value)?,
            "_include" | "_include:iterate" | "_include:recurse" => self.includes.push(include(name, value)?),
            "_revinclude" | "_revinclude:iterate" | "_revinclude:recurse" => {
                let include = include(name, value)?;
                if include.source.is_none() {
                    let text = "`_revinclude` names a type: `[type]:[parameter]`, or `[type]:*` for all its references";
                    return Err(Issue::new(IssueKind::ParameterInvalid, text));
                }
                self.revincludes.push(include);
            }
            _ => {
                let criterion = Criterion::parse(of_type, name, value, context, record);
                self.criteria.push(criterion.map_err(|fault| fault.issue(of_type, name))?);
            }
        }
        Ok(())
    }

    /// Parts of resources that cannot be asked for together.
    fn contradiction(&self) -> Option<Issue> {
        let includes = !self.includes.is_empty() || !self.revincludes.is_empty();
        let text = match self.summary {
            Summary::Text if includes => "`_summary=text` cannot be mixed with _include and _revinclude",
            Summary::Text | Summary::Data | Summary::True if !self.elements.is_empty() => {
                "`_summary` and `_elements` name two different parts of a resource"
            }
            Summary::Text | Summary::Data | Summary::True | Summary::False | Summary::Count => return None,
        };
        Some(Issue::new(IssueKind::ParameterInvalid, text))
    }

    fn take_sort(&mut self, value: &str) -> Result<(), Issue> {
        for key in value.split(',') {
            let (code, descending) = key.strip_prefix('-').map_or((key, false), |code| (code, true));
            let parameter = registry().parameter(self.resource_type, code);
            let sortable = |parameter: &&Parameter| {
                !parameter.expression.is_empty() && !matches!(parameter.kind(), Kind::Composite | Kind::Special)
            };
            match parameter.filter(sortable) {
                Some(parameter) => self.sort.push((parameter, descending)),
                None => {
                    let text = format!("`_sort`: `{}` is not a parameter of {} that orders", short(code), self.resource_type);
                    return Err(Issue::new(IssueKind::ParameterUnknown, text));
                }
            }
        }
        Ok(())
    }

    fn make_plan(&mut self, context: &ParseContext<'_>) {
        for criterion in &self.criteria {
            let node = criterion.plan(context);
            self.plan.recheck |= !node.exact;
            match node.predicate {
                super::plan::Predicate::All(parts) => self.plan.predicates.extend(parts),
                other => self.plan.predicates.push(other),
            }
        }
        if !self.criteria.iter().any(Criterion::asks_for_hidden) {
            self.plan.predicates.extend(hidden::of_level(self.resource_type, context, context.pid.is_none()));
        }
        let sort =
            self.sort.iter().map(|(parameter, descending)| sort_key(self.resource_type, parameter, *descending, context.keyer));
        self.plan.sort = sort.collect();
        // The tables order by two ranges; by more, bodies do.
        let ranges = self.plan.sort.iter().filter(|sort| matches!(sort, Sort::Range { .. })).count();
        if ranges > 2
            && let Some((parameter, descending)) = self.sort.first()
        {
            self.plan.sort = vec![Sort::Body { parameter: parameter.code, descending: *descending }];
        }
    }
}

/// At most 60 printable characters: what an answer repeats of a name.
fn short(name: &str) -> String {
    name.chars().filter(|character| !character.is_control()).take(60).collect()
}

#[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "made of milliseconds; beyond them it saturates")]
fn millis(bound: f64) -> i64 {
    bound as i64
}

fn sort_key(resource_type: ResourceType, parameter: &'static Parameter, descending: bool, keyer: &Keyer) -> Sort {
    if resource_type.clinical_date() == Some(parameter.code) {
        return Sort::ClinicalDate { descending };
    }
    match (parameter.code, parameter.kind(), &parameter.stored[..]) {
        ("_lastUpdated", ..) => Sort::Updated { descending },
        (code, ..) if parameter.is_of_operator() => Sort::Body { parameter: code, descending },
        (_, Kind::Date | Kind::Number | Kind::Quantity, [number]) => Sort::Range { key: keyer.range(*number), descending },
        (code, ..) => Sort::Body { parameter: code, descending },
    }
}

fn elements(resource_type: ResourceType, value: &str) -> Result<Vec<String>, Issue> {
    let names: Vec<String> = value.split(',').map(str::to_owned).collect();
    if names.len() > VALUES_MAX || !names.iter().all(|name| has_element(resource_type, name)) {
        let text = format!("`_elements` takes names of elements at the root of {resource_type}, at most {VALUES_MAX}");
        return Err(Issue::new(IssueKind::ParameterUnknown, text));
    }
    Ok(names)
}

/// `[Type]:[parameter][:Type]`, `[Type]:*`, `*`.
fn include(name: &str, value: &str) -> Result<Include, Issue> {
    let name_of = name.split(':').next().unwrap_or_default();
    let unknown = || Issue::new(IssueKind::ParameterUnknown, format!("`{name_of}` names no reference parameter"));
    let iterate = name.contains(':');
    let mut parts = value.split(':');
    let (source, code, target, more) = (parts.next().unwrap_or_default(), parts.next(), parts.next(), parts.next());
    if source == "*" && code.is_none() {
        return Ok(Include { source: None, parameter: None, target: None, iterate });
    }
    let source = ResourceType::parse(source).ok_or_else(unknown)?;
    let parameter = match code {
        Some("*") => None,
        Some(code) => {
            let parameter = registry().parameter(source, code).filter(|parameter| parameter.kind() == Kind::Reference);
            Some(parameter.ok_or_else(unknown)?)
        }
        None => return Err(unknown()),
    };
    let target = match target {
        Some(target) => Some(ResourceType::parse(target).ok_or_else(unknown)?),
        None => None,
    };
    if more.is_some() { Err(unknown()) } else { Ok(Include { source: Some(source), parameter, target, iterate }) }
}

impl Total {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "none" => Some(Self::None),
            "estimate" => Some(Self::Estimate),
            "accurate" => Some(Self::Accurate),
            _ => None,
        }
    }
}

impl Summary {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "false" => Some(Self::False),
            "true" => Some(Self::True),
            "text" => Some(Self::Text),
            "data" => Some(Self::Data),
            "count" => Some(Self::Count),
            _ => None,
        }
    }
}

impl Fault {
    /// What the caller is told: the parameter's name, never its value.
    fn issue(self, resource_type: ResourceType, name: &str) -> Issue {
        let name = short(name);
        let (kind, text) = match self {
            Self::Unknown => {
                (IssueKind::ParameterUnknown, format!("The search parameter `{name}` is not known for {resource_type}"))
            }
            Self::Modifier => (IssueKind::ParameterUnknown, format!("`{name}`: this parameter has no such modifier here")),
            Self::Chain => (IssueKind::ParameterUnknown, format!("`{name}`: no chain of this kind is served")),
            Self::Value(kind) => {
                (IssueKind::ParameterInvalid, format!("The value of `{name}` is not one of a parameter of type {}", kind.code()))
            }
            Self::UnknownValueSet => (IssueKind::ParameterInvalid, format!("`{name}`: the directory has no such ValueSet")),
            Self::UnknownCodeSystem => {
                (IssueKind::ParameterInvalid, format!("`{name}`: the directory has no such CodeSystem with its concepts"))
            }
            Self::NotEvaluable => {
                (IssueKind::ParameterInvalid, format!("`{name}`: the definition of the value set cannot be evaluated here"))
            }
            Self::TooManyCodes => (IssueKind::TooCostly, format!("`{name}` stands for more than 20,000 codes")),
            Self::NotServed => {
                (IssueKind::ParameterUnknown, format!("`{name}` is a parameter of R4 that this server does not serve"))
            }
            Self::Filter => (
                IssueKind::ParameterInvalid,
                format!("`{name}` is no filter of R4, or has more than 100 conditions, or goes deeper than 16"),
            ),
            Self::TooMany => (IssueKind::ParameterInvalid, format!("`{name}` has more than {VALUES_MAX} values")),
        };
        Issue::new(kind, text)
    }
}
