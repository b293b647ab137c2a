//! The FHIRPath that names places in a resource: elements, indexes, `first()`, `last()`, `where(...)`, `ofType(...)`,
//! `as`, `is`, `extension('url')`. <https://hl7.org/fhir/R4/fhirpath.html>
//!
//! It does not resolve references nor leave the resource: the standard's rule for patches.
use super::PATH_LENGTH_MAX;
use super::same_number;
use super::tree::Node;
use crate::fhir::Problem;
use serde_json::Value;

/// Greatest nesting of parentheses and criteria.
const NESTING_MAX: usize = 8;
/// Greatest number of elements that the expressions of one patch look at.
const VISITS_MAX: usize = 10_000_000;

/// Where an element stands: the index of the child at each level.
pub(super) type Place = Vec<usize>;

/// A compiled expression.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Expression {
    /// Type that the expression starts with; `None` for one relative to where it is evaluated.
    root: Option<String>,
    steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq)]
enum Step {
    Child(String),
    OfType(String),
    Item(usize),
    First,
    Last,
    Where(Criterion),
}

#[derive(Debug, Clone, PartialEq)]
enum Criterion {
    And(Vec<Criterion>),
    Or(Vec<Criterion>),
    Not(Box<Criterion>),
    Equals(Expression, Literal),
    Differs(Expression, Literal),
    Is(Expression, String),
    Exists(Expression),
    Empty(Expression),
    /// A boolean element by itself: `where(active)`.
    True(Expression),
}

#[derive(Debug, Clone, PartialEq)]
enum Literal {
    Text(String),
    Number(String),
    Boolean(bool),
}

/// What the expressions of one patch may still look at.
pub(super) struct Visits(usize);

impl Visits {
    pub(super) fn new() -> Self {
        Self(VISITS_MAX)
    }
    fn spend(&mut self, count: usize) -> Result<(), Problem> {
        self.0 = self.0.checked_sub(count).ok_or_else(|| super::too_large("work"))?;
        Ok(())
    }
}

impl Expression {
    /// Compiles; `None` for what is not read here.
    pub(super) fn compile(text: &str) -> Option<Self> {
        if text.len() > PATH_LENGTH_MAX {
            return None;
        }
        let mut parser = Parser { rest: text, depth: 0 };
        let expression = parser.expression()?;
        parser.rest.trim().is_empty().then_some(expression)
    }

    /// For `Patient.name.given`: `Patient.name` and `given`, so that a list without items has a place too.
    pub(super) fn split(&self) -> Option<(Self, &str)> {
        match self.steps.split_last()? {
            (Step::Child(name), before) => Some((Self { root: self.root.clone(), steps: before.to_vec() }, name)),
            _ => None,
        }
    }

    /// Every place that the expression leads to, in document order, without repetition.
    ///
    /// # Errors
    /// `TooLarge` where it looks at too much.
    pub(super) fn evaluate(&self, resource: &Node, visits: &mut Visits) -> Result<Vec<Place>, Problem> {
        if self.root.as_deref().is_some_and(|root| !is_root(resource, root)) {
            return Ok(Vec::new());
        }
        Ok(self.walk(resource, visits)?.into_iter().map(|found| found.place).collect())
    }

    fn walk<'a>(&self, from: &'a Node, visits: &mut Visits) -> Result<Vec<Found<'a>>, Problem> {
        let mut found = vec![Found { node: from, place: Vec::new() }];
        for step in &self.steps {
            found = step.apply(found, visits)?;
        }
        Ok(found)
    }
}

fn is_root(resource: &Node, name: &str) -> bool {
    matches!(name, "Resource" | "DomainResource") || resource.definition.name == name
}

struct Found<'a> {
    node: &'a Node,
    place: Place,
}

impl Step {
    fn apply<'a>(&self, found: Vec<Found<'a>>, visits: &mut Visits) -> Result<Vec<Found<'a>>, Problem> {
        visits.spend(found.len() + 1)?;
        Ok(match self {
            Self::Child(name) => {
                let mut next = Vec::new();
                for one in found {
                    visits.spend(one.node.children.len())?;
                    for (index, child) in one.node.children.iter().enumerate().filter(|(_, child)| one.node.is_named(child, name))
                    {
                        let place = one.place.iter().copied().chain([index]).collect();
                        next.push(Found { node: child, place });
                    }
                }
                next
            }
            Self::OfType(name) => found.into_iter().filter(|one| is_type(one.node, name)).collect(),
            Self::Item(index) => found.into_iter().skip(*index).take(1).collect(),
            Self::First => found.into_iter().take(1).collect(),
            Self::Last => found.into_iter().last().into_iter().collect(),
            Self::Where(criterion) => {
                let mut next = Vec::new();
                for one in found {
                    if criterion.holds(one.node, visits)? {
                        next.push(one);
                    }
                }
                next
            }
        })
    }
}

impl Criterion {
    fn holds(&self, node: &Node, visits: &mut Visits) -> Result<bool, Problem> {
        Ok(match self {
            Self::And(all) => {
                for one in all {
                    if !one.holds(node, visits)? {
                        return Ok(false);
                    }
                }
                true
            }
            Self::Or(all) => {
                for one in all {
                    if one.holds(node, visits)? {
                        return Ok(true);
                    }
                }
                false
            }
            Self::Not(inner) => !inner.holds(node, visits)?,
            // As FHIRPath compares collections: an empty side gives neither true nor false, several items equal no literal.
            Self::Equals(path, literal) => matches!(path.walk(node, visits)?.as_slice(), [one] if literal.equals(one.node)),
            Self::Differs(path, literal) => match path.walk(node, visits)?.as_slice() {
                [] => false,
                [one] => !literal.equals(one.node),
                _ => true,
            },
            Self::Is(path, name) => matches!(path.walk(node, visits)?.as_slice(), [one] if is_type(one.node, name)),
            Self::Exists(path) => !path.walk(node, visits)?.is_empty(),
            Self::Empty(path) => path.walk(node, visits)?.is_empty(),
            Self::True(path) => {
                matches!(path.walk(node, visits)?.as_slice(), [one] if one.node.value == Some(Value::Bool(true)))
            }
        })
    }
}

impl Literal {
    fn equals(&self, node: &Node) -> bool {
        match (self, &node.value) {
            (Self::Text(text), Some(Value::String(value))) => text == value,
            (Self::Number(number), Some(Value::Number(value))) => same_number(number, value.as_str()),
            (Self::Boolean(boolean), Some(Value::Bool(value))) => boolean == value,
            (Self::Text(_) | Self::Number(_) | Self::Boolean(_), _) => false,
        }
    }
}

/// FHIRPath writes both `string` and `String`.
fn is_type(node: &Node, name: &str) -> bool {
    let bare = name.strip_prefix("FHIR.").or_else(|| name.strip_prefix("System.")).unwrap_or(name);
    let own = node.definition.name;
    own == bare || (node.definition.primitive().is_some() && own.eq_ignore_ascii_case(bare))
}

struct Parser<'a> {
    rest: &'a str,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn eat(&mut self, token: &str) -> bool {
        let trimmed = self.rest.trim_start();
        trimmed.strip_prefix(token).map(|rest| self.rest = rest).is_some()
    }

    fn expect(&mut self, token: &str) -> Option<()> {
        self.eat(token).then_some(())
    }

    /// A keyword, which an element's name that begins alike is not.
    fn word(&mut self, word: &str) -> bool {
        let before = self.rest;
        if self.eat(word) && !self.rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_') {
            return true;
        }
        self.rest = before;
        false
    }

    fn while_of(&mut self, permitted: impl Fn(char) -> bool) -> Option<&'a str> {
        let trimmed = self.rest.trim_start();
        let end = trimmed.find(|c: char| !permitted(c)).unwrap_or(trimmed.len());
        let (taken, rest) = trimmed.split_at_checked(end)?;
        if taken.is_empty() {
            return None;
        }
        self.rest = rest;
        Some(taken)
    }

    fn name(&mut self) -> Option<String> {
        if self.eat("`") {
            let (name, rest) = self.rest.split_once('`')?;
            self.rest = rest;
            return Some(name.to_owned());
        }
        self.while_of(|c| c.is_ascii_alphanumeric() || c == '_').map(str::to_owned)
    }

    fn type_name(&mut self) -> Option<String> {
        self.while_of(|c| c.is_ascii_alphanumeric() || c == '.').map(str::to_owned)
    }

    fn quoted(&mut self) -> Option<String> {
        self.expect("'")?;
        let mut out = String::new();
        let mut letters = self.rest.char_indices();
        while let Some((at, letter)) = letters.next() {
            match letter {
                '\'' => {
                    self.rest = self.rest.get(at + 1..)?;
                    return Some(out);
                }
                '\\' => out.push(match letters.next()?.1 {
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    'f' => '\u{c}',
                    other @ ('\'' | '"' | '`' | '\\' | '/') => other,
                    'u' => {
                        let digits: String = letters.by_ref().take(4).map(|(_, digit)| digit).collect();
                        char::from_u32(u32::from_str_radix(&digits, 16).ok()?)?
                    }
                    _ => return None,
                }),
                other => out.push(other),
            }
        }
        None
    }

    fn deeper<T>(&mut self, parse: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        self.depth += 1;
        let parsed = if self.depth > NESTING_MAX { None } else { parse(self) };
        self.depth -= 1;
        parsed
    }

    fn expression(&mut self) -> Option<Expression> {
        let mut expression = Expression { root: None, steps: Vec::new() };
        if self.eat("(") {
            expression = self.deeper(|parser| {
                let mut inner = parser.expression()?;
                if parser.word("as") {
                    inner.steps.push(Step::OfType(parser.type_name()?));
                }
                parser.expect(")")?;
                Some(inner)
            })?;
        } else if self.word("$this") {
        } else if self.word("%resource") || self.word("%context") {
            expression.root = Some("Resource".to_owned());
        } else {
            let before = self.rest;
            let first = self.name()?;
            if first.starts_with(|c: char| c.is_ascii_uppercase()) {
                expression.root = Some(first);
            } else {
                self.rest = before;
                self.step(&mut expression.steps)?;
            }
        }
        loop {
            if self.eat("[") {
                // `value[x]`, as the definition names it, is the element `value`.
                if self.eat("x]") {
                    continue;
                }
                let index = self.while_of(|c| c.is_ascii_digit())?.parse().ok()?;
                expression.steps.push(Step::Item(index));
                self.expect("]")?;
                continue;
            }
            let before = self.rest;
            if !self.eat(".") {
                return Some(expression);
            }
            if self.ends_in_a_test() {
                self.rest = before;
                return Some(expression);
            }
            self.step(&mut expression.steps)?;
        }
    }

    /// `exists()`, `empty()`, `not()` give a boolean: they end a path, and only criteria read on.
    fn ends_in_a_test(&self) -> bool {
        ["exists()", "empty()", "not()"].iter().any(|function| self.rest.starts_with(function))
    }

    fn step(&mut self, steps: &mut Vec<Step>) -> Option<()> {
        let name = self.name()?;
        if !self.eat("(") {
            steps.push(Step::Child(name));
            return Some(());
        }
        match name.as_str() {
            "first" => steps.push(Step::First),
            "last" => steps.push(Step::Last),
            "as" | "ofType" => steps.push(Step::OfType(self.type_name()?)),
            "where" => steps.push(Step::Where(self.deeper(Self::any)?)),
            "extension" => {
                let url = Literal::Text(self.quoted()?);
                let path = Expression { root: None, steps: vec![Step::Child("url".to_owned())] };
                steps.push(Step::Child("extension".to_owned()));
                steps.push(Step::Where(Criterion::Equals(path, url)));
            }
            _ => return None,
        }
        self.expect(")")
    }

    fn any(&mut self) -> Option<Criterion> {
        let mut all = vec![self.all()?];
        while self.word("or") {
            all.push(self.all()?);
        }
        if all.len() == 1 { all.pop() } else { Some(Criterion::Or(all)) }
    }

    fn all(&mut self) -> Option<Criterion> {
        let mut all = vec![self.one()?];
        while self.word("and") {
            all.push(self.one()?);
        }
        if all.len() == 1 { all.pop() } else { Some(Criterion::And(all)) }
    }

    fn one(&mut self) -> Option<Criterion> {
        let before = self.rest;
        let path = self.expression();
        let criterion = match path {
            Some(path) => self.test(path)?,
            // Not a path in parentheses, so criteria in them.
            None => {
                self.rest = before;
                self.expect("(")?;
                let inner = self.deeper(Self::any)?;
                self.expect(")")?;
                inner
            }
        };
        if self.eat(".not()") { Some(Criterion::Not(Box::new(criterion))) } else { Some(criterion) }
    }

    fn test(&mut self, path: Expression) -> Option<Criterion> {
        // A path inside criteria starts from the item, never from the resource.
        if path.root.is_some() {
            return None;
        }
        Some(if self.eat(".exists()") {
            Criterion::Exists(path)
        } else if self.eat(".empty()") {
            Criterion::Empty(path)
        } else if self.eat("!=") {
            Criterion::Differs(path, self.literal()?)
        } else if self.eat("=") {
            Criterion::Equals(path, self.literal()?)
        } else if self.word("is") {
            Criterion::Is(path, self.type_name()?)
        } else {
            Criterion::True(path)
        })
    }

    fn literal(&mut self) -> Option<Literal> {
        if self.rest.trim_start().starts_with('\'') {
            return self.quoted().map(Literal::Text);
        }
        if self.eat("@") {
            return self.while_of(|c| c.is_ascii_alphanumeric() || "-:.+".contains(c)).map(|text| Literal::Text(text.to_owned()));
        }
        if self.word("true") {
            return Some(Literal::Boolean(true));
        }
        if self.word("false") {
            return Some(Literal::Boolean(false));
        }
        let number = self.while_of(|c| c.is_ascii_digit() || matches!(c, '-' | '.'))?;
        crate::fhir::json::is_number(number).then(|| Literal::Number(number.to_owned()))
    }
}
