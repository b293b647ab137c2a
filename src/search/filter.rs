//! `_filter`: conditions joined by `and`, `or`, `not`. <https://hl7.org/fhir/R4/search_filter.html>
//!
//! Decided on bodies; the tables are asked for what must hold in any case. `and` and `or` bind alike, from left to right, as
//! the grammar says. Paths are search parameters, chained by dots; the form with a filter in brackets is not taken. Text
//! compares as string search does: without case, accents and punctuation.
use super::criterion::{Asked, Criterion, Fault};
use super::kind::{Node, Reading, everything};
use super::plan::{Behind, Predicate};
use super::query::ParseContext;
use crate::fhir::{Resource, ResourceType};

/// Deepest nesting of parentheses.
const DEPTH_MAX: usize = 16;
/// Most conditions.
const CONDITIONS_MAX: usize = 100;

/// A comparison of `_filter`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Contains,
    StartsWith,
    EndsWith,
    Greater,
    Less,
    GreaterOrEqual,
    LessOrEqual,
    Approximately,
    StartsAfter,
    EndsBefore,
    Present,
    Overlaps,
    Subsumes,
    SubsumedBy,
    In,
    References,
}

impl Operator {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "eq" => Self::Equal,
            "ne" => Self::NotEqual,
            "co" => Self::Contains,
            "sw" => Self::StartsWith,
            "ew" => Self::EndsWith,
            "gt" => Self::Greater,
            "lt" => Self::Less,
            "ge" => Self::GreaterOrEqual,
            "le" => Self::LessOrEqual,
            "ap" => Self::Approximately,
            "sa" => Self::StartsAfter,
            "eb" => Self::EndsBefore,
            "pr" => Self::Present,
            "po" => Self::Overlaps,
            "ss" => Self::Subsumes,
            "sb" => Self::SubsumedBy,
            "in" => Self::In,
            "re" => Self::References,
            _ => return None,
        })
    }
    /// The prefix of an ordinary search that says the same.
    pub(super) fn prefix(self) -> Option<&'static str> {
        match self {
            Self::Equal => Some("eq"),
            Self::NotEqual => Some("ne"),
            Self::Greater => Some("gt"),
            Self::Less => Some("lt"),
            Self::GreaterOrEqual => Some("ge"),
            Self::LessOrEqual => Some("le"),
            Self::Approximately => Some("ap"),
            Self::StartsAfter => Some("sa"),
            Self::EndsBefore => Some("eb"),
            Self::Contains
            | Self::StartsWith
            | Self::EndsWith
            | Self::Present
            | Self::Overlaps
            | Self::Subsumes
            | Self::SubsumedBy
            | Self::In
            | Self::References => None,
        }
    }
}

/// A filter, read.
#[derive(Debug, Clone)]
pub(super) enum Filter {
    All(Vec<Filter>),
    Any(Vec<Filter>),
    Not(Box<Filter>),
    Condition(Box<Criterion>),
}

impl Filter {
    pub(super) fn parse(resource_type: ResourceType, text: &str, context: &ParseContext<'_>) -> Result<Self, Fault> {
        let tokens = tokens(text).ok_or(Fault::Filter)?;
        let mut parser = Parser { resource_type, context, tokens: tokens.into_iter().peekable(), conditions: 0 };
        let filter = parser.expression(0)?;
        if parser.tokens.next().is_some() { Err(Fault::Filter) } else { Ok(filter) }
    }

    /// What the tables can say: the conditions that must hold in any case.
    pub(super) fn plan(&self, context: &ParseContext<'_>) -> Node {
        Node::narrowing(match self {
            Self::All(list) => Node::all(list.iter().map(|one| one.plan(context))).predicate,
            Self::Condition(criterion) => criterion.plan(context).predicate,
            Self::Any(_) | Self::Not(_) => everything(),
        })
    }

    pub(super) fn matches(&self, resource: &Resource, reading: &Reading<'_>, linked: &dyn Fn(&Predicate) -> bool) -> bool {
        match self {
            Self::All(list) => list.iter().all(|one| one.matches(resource, reading, linked)),
            Self::Any(list) => list.iter().any(|one| one.matches(resource, reading, linked)),
            Self::Not(inner) => !inner.matches(resource, reading, linked),
            Self::Condition(criterion) => criterion.matches(resource, reading, linked),
        }
    }

    /// What must be looked for before bodies can be decided on.
    pub(super) fn behind<'a>(&'a self, out: &mut Vec<&'a Behind>) {
        match self {
            Self::All(list) | Self::Any(list) => list.iter().for_each(|one| one.behind(out)),
            Self::Not(inner) => inner.behind(out),
            Self::Condition(criterion) => out.extend(criterion.behind()),
        }
    }
}

enum Token {
    Open,
    Close,
    Word(String),
    /// In quotation marks: never a word of the grammar.
    Text(String),
}

fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '(' | ')' => {
                tokens.push(if first == '(' { Token::Open } else { Token::Close });
                1
            }
            '"' => {
                let mut values = serde_json::Deserializer::from_str(rest).into_iter::<String>();
                tokens.push(Token::Text(values.next()?.ok()?));
                values.byte_offset()
            }
            _ => {
                let end = rest.find(|character: char| character.is_whitespace() || matches!(character, '(' | ')' | '"'));
                let end = end.unwrap_or(rest.len());
                tokens.push(Token::Word(rest.get(..end)?.to_owned()));
                end
            }
        };
        rest = rest.get(length..)?.trim_start();
    }
    Some(tokens)
}

struct Parser<'a> {
    resource_type: ResourceType,
    context: &'a ParseContext<'a>,
    tokens: std::iter::Peekable<std::vec::IntoIter<Token>>,
    conditions: usize,
}

impl Parser<'_> {
    fn expression(&mut self, depth: usize) -> Result<Filter, Fault> {
        let mut left = self.term(depth)?;
        while let Some(Token::Word(word)) = self.tokens.peek() {
            let is_and = match word.as_str() {
                "and" => true,
                "or" => false,
                _ => return Err(Fault::Filter),
            };
            self.tokens.next();
            let right = self.term(depth)?;
            left = match (left, is_and) {
                (Filter::All(mut list), true) => {
                    list.push(right);
                    Filter::All(list)
                }
                (Filter::Any(mut list), false) => {
                    list.push(right);
                    Filter::Any(list)
                }
                (left, true) => Filter::All(vec![left, right]),
                (left, false) => Filter::Any(vec![left, right]),
            };
        }
        Ok(left)
    }

    fn term(&mut self, depth: usize) -> Result<Filter, Fault> {
        if depth > DEPTH_MAX {
            return Err(Fault::Filter);
        }
        match self.tokens.next() {
            Some(Token::Open) => self.closed(depth),
            Some(Token::Word(word)) if word == "not" => match self.tokens.next() {
                Some(Token::Open) => Ok(Filter::Not(Box::new(self.closed(depth)?))),
                _ => Err(Fault::Filter),
            },
            Some(Token::Word(path)) => self.condition(&path),
            Some(Token::Close | Token::Text(_)) | None => Err(Fault::Filter),
        }
    }

    fn closed(&mut self, depth: usize) -> Result<Filter, Fault> {
        let inner = self.expression(depth + 1)?;
        match self.tokens.next() {
            Some(Token::Close) => Ok(inner),
            _ => Err(Fault::Filter),
        }
    }

    fn condition(&mut self, path: &str) -> Result<Filter, Fault> {
        self.conditions += 1;
        let is_path = path.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'));
        if self.conditions > CONDITIONS_MAX || !is_path {
            return Err(Fault::Filter);
        }
        let operator = match self.tokens.next() {
            Some(Token::Word(word)) => Operator::parse(&word).ok_or(Fault::Filter)?,
            _ => return Err(Fault::Filter),
        };
        let value = match self.tokens.next() {
            Some(Token::Word(value) | Token::Text(value)) => value,
            _ => return Err(Fault::Filter),
        };
        let asked = Asked::Compared(operator, &value);
        let criterion = Criterion::of_filter(self.resource_type, path, asked, self.context)?;
        Ok(Filter::Condition(Box::new(criterion)))
    }
}
