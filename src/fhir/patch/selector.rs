//! The XPath that an XML Patch selects with: paths of elements, `@attribute`, `text()`, `comment()`, and predicates by
//! position or by the value of an attribute, a child or the text. <https://www.rfc-editor.org/rfc/rfc5261#section-4.1>
use super::PATH_LENGTH_MAX;
use super::xml_tree::{XmlElement, XmlNode, unescaped};
use crate::fhir::xml::{FHIR_NAMESPACE, XHTML_NAMESPACE};

/// Where a node stands: the index of the child at each level.
pub(super) type Place = Vec<usize>;

/// A compiled selector.
#[derive(Debug, PartialEq)]
pub(super) struct Selector {
    steps: Vec<Step>,
    /// The attribute of the element that the steps lead to.
    pub(super) attribute: Option<String>,
}

#[derive(Debug, PartialEq)]
struct Step {
    test: Test,
    predicates: Vec<Predicate>,
}

#[derive(Debug, PartialEq)]
enum Test {
    Element { namespace: String, name: String },
    AnyElement,
    Text,
    Comment,
}

#[derive(Debug, PartialEq)]
enum Predicate {
    Position(usize),
    Last,
    /// A path from the element, and the value that one of its nodes must have.
    Equals(Selector, String),
    Exists(Selector),
}

impl Selector {
    /// Compiles with the prefixes in scope; `None` for what is not read here.
    ///
    /// A name without a prefix is of the default namespace in scope, as RFC 5261 says; where there is none, and for `f:` and
    /// `h:` undeclared, FHIR and XHTML are meant: a resource has nothing else.
    pub(super) fn compile(text: &str, scope: &[(String, String)]) -> Option<Self> {
        if text.len() > PATH_LENGTH_MAX {
            return None;
        }
        let text = text.trim();
        let mut parser = Parser { rest: text.strip_prefix('/').unwrap_or(text), scope };
        let selector = parser.selector(true)?;
        (parser.rest.is_empty() && !selector.steps.is_empty()).then_some(selector)
    }

    /// Places of all nodes (of the elements that have the attribute, where it ends in one).
    pub(super) fn evaluate(&self, from: &XmlElement) -> Vec<Place> {
        let mut found: Vec<(Place, Option<&XmlElement>)> = vec![(Vec::new(), Some(from))];
        for step in &self.steps {
            let mut next = Vec::new();
            for (place, element) in found {
                let Some(element) = element else { continue };
                next.extend(step.apply(element).into_iter().map(|(index, node)| {
                    let place = place.iter().copied().chain([index]).collect();
                    match node {
                        XmlNode::Element(element) => (place, Some(element)),
                        XmlNode::Text(_) | XmlNode::Comment(_) => (place, None),
                    }
                }));
            }
            found = next;
        }
        if let Some(attribute) = &self.attribute {
            found.retain(|(_, element)| element.is_some_and(|element| element.attribute(attribute).is_some()));
        }
        found.into_iter().map(|(place, _)| place).collect()
    }

    fn values(&self, from: &XmlElement) -> Vec<String> {
        let value = |place: Place| match (node(from, &place), &self.attribute) {
            (Some(XmlNode::Element(element)), Some(attribute)) => element.attribute(attribute).map(str::to_owned),
            (Some(XmlNode::Element(element)), None) => Some(unescaped(&element.text())),
            (Some(XmlNode::Text(text) | XmlNode::Comment(text)), _) => Some(unescaped(text)),
            // The element itself: `@url` and `.`.
            (None, Some(attribute)) => from.attribute(attribute).map(str::to_owned),
            (None, None) => Some(unescaped(&from.text())),
        };
        self.evaluate(from).into_iter().filter_map(value).collect()
    }
}

fn node<'a>(from: &'a XmlElement, place: &[usize]) -> Option<&'a XmlNode> {
    let (first, rest) = place.split_first()?;
    rest.iter().try_fold(from.children.get(*first)?, |node, index| match node {
        XmlNode::Element(element) => element.children.get(*index),
        XmlNode::Text(_) | XmlNode::Comment(_) => None,
    })
}

impl Step {
    fn apply<'a>(&self, parent: &'a XmlElement) -> Vec<(usize, &'a XmlNode)> {
        let mut found: Vec<_> = parent.children.iter().enumerate().filter(|(_, node)| self.test.holds(node)).collect();
        for predicate in &self.predicates {
            found = match predicate {
                Predicate::Position(position) => {
                    position.checked_sub(1).and_then(|at| found.get(at)).copied().into_iter().collect()
                }
                Predicate::Last => found.last().copied().into_iter().collect(),
                Predicate::Equals(path, value) => {
                    found.into_iter().filter(|(_, node)| values(path, node).iter().any(|other| other == value)).collect()
                }
                Predicate::Exists(path) => found.into_iter().filter(|(_, node)| !values(path, node).is_empty()).collect(),
            };
        }
        found
    }
}

fn values(path: &Selector, node: &XmlNode) -> Vec<String> {
    match node {
        XmlNode::Element(element) => path.values(element),
        XmlNode::Text(text) | XmlNode::Comment(text) if path.steps.is_empty() && path.attribute.is_none() => {
            vec![unescaped(text)]
        }
        XmlNode::Text(_) | XmlNode::Comment(_) => Vec::new(),
    }
}

impl Test {
    fn holds(&self, node: &XmlNode) -> bool {
        match (self, node) {
            (Self::Element { namespace, name }, XmlNode::Element(element)) => {
                element.namespace == *namespace && element.name == *name
            }
            (Self::AnyElement, XmlNode::Element(_)) | (Self::Text, XmlNode::Text(_)) | (Self::Comment, XmlNode::Comment(_)) => {
                true
            }
            (Self::Element { .. } | Self::AnyElement | Self::Text | Self::Comment, _) => false,
        }
    }
}

struct Parser<'a> {
    rest: &'a str,
    scope: &'a [(String, String)],
}

impl<'a> Parser<'a> {
    fn eat(&mut self, token: &str) -> bool {
        self.rest.strip_prefix(token).map(|rest| self.rest = rest).is_some()
    }

    fn white_space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn name(&mut self) -> Option<&'a str> {
        let end = self.rest.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '.'))).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at_checked(end)?;
        if name.is_empty() || name.starts_with(|c: char| !(c.is_alphabetic() || c == '_')) {
            return None;
        }
        self.rest = rest;
        Some(name)
    }

    fn literal(&mut self) -> Option<String> {
        let quote = if self.eat("'") {
            '\''
        } else if self.eat("\"") {
            '"'
        } else {
            return None;
        };
        let (text, rest) = self.rest.split_once(quote)?;
        self.rest = rest;
        Some(text.to_owned())
    }

    /// Steps; predicates stand in the outer path only, so that nothing nests.
    fn selector(&mut self, with_predicates: bool) -> Option<Selector> {
        let mut selector = Selector { steps: Vec::new(), attribute: None };
        loop {
            if self.eat("@") {
                let name = self.name()?;
                let name = if name == "xml" && self.eat(":") { format!("xml:{}", self.name()?) } else { name.to_owned() };
                selector.attribute = Some(name);
                return Some(selector);
            }
            let test = self.test()?;
            let is_element = matches!(test, Test::Element { .. } | Test::AnyElement);
            let mut predicates = Vec::new();
            while with_predicates && self.eat("[") {
                predicates.push(self.predicate()?);
            }
            selector.steps.push(Step { test, predicates });
            if !is_element || !self.eat("/") {
                return Some(selector);
            }
        }
    }

    fn test(&mut self) -> Option<Test> {
        if self.eat("*") {
            return Some(Test::AnyElement);
        }
        if self.eat("text()") {
            return Some(Test::Text);
        }
        if self.eat("comment()") {
            return Some(Test::Comment);
        }
        let first = self.name()?;
        if self.rest.starts_with('(') || self.rest.starts_with("::") {
            return None;
        }
        let (prefix, name) = if self.eat(":") { (first, self.name()?) } else { ("", first) };
        Some(Test::Element { namespace: self.namespace(prefix)?.to_owned(), name: name.to_owned() })
    }

    fn namespace(&self, prefix: &str) -> Option<&str> {
        let declared = self.scope.iter().rev().find(|(name, _)| name == prefix).map(|(_, namespace)| namespace.as_str());
        declared.or(match prefix {
            "" | "f" => Some(FHIR_NAMESPACE),
            "h" => Some(XHTML_NAMESPACE),
            _ => None,
        })
    }

    fn predicate(&mut self) -> Option<Predicate> {
        self.white_space();
        let predicate = if self.eat("last()") {
            Predicate::Last
        } else if self.rest.starts_with(|c: char| c.is_ascii_digit()) {
            let end = self.rest.find(|c: char| !c.is_ascii_digit())?;
            let (digits, rest) = self.rest.split_at_checked(end)?;
            self.rest = rest;
            Predicate::Position(digits.parse().ok()?)
        } else {
            let path = if self.eat(".") { Selector { steps: Vec::new(), attribute: None } } else { self.selector(false)? };
            self.white_space();
            if self.eat("=") {
                self.white_space();
                Predicate::Equals(path, self.literal()?)
            } else {
                Predicate::Exists(path)
            }
        };
        self.white_space();
        self.eat("]").then_some(predicate)
    }
}
