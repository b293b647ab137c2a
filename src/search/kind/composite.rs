//! Composites: several values of one element, joined by `$`. <https://hl7.org/fhir/R4/search.html#composite>
//!
//! A composite of the whole resource is the conjunction of its parts. Of an element that repeats, code$code and
//! code$quantity have rows of their own where the codes are written alike; all else is decided on bodies.
use super::token::{Coded, System, TokenValue, codes};
use super::{Modifier, Node, Reading, Rows, Value, quantity, split};
use crate::fhir::Resource;
use crate::fhir::path::Found;
use crate::search::keyer::Keyer;
use crate::search::plan::{IndexRows, Key};
use crate::search::query::ParseContext;
use crate::search::registry::{Component, Parameter, has_composite_rows, registry};

pub(super) fn parse(text: &str, components: &[Component], context: &ParseContext<'_>) -> Option<Vec<Value>> {
    let parts = split(text, '$');
    if parts.len() != components.len() || components.is_empty() {
        return None;
    }
    let parts = parts.into_iter().zip(components);
    parts.map(|(part, component)| Value::parse(&component.shape, &[], Modifier::None, part, context)).collect()
}

pub(super) fn plan(values: &[Value], rows: Rows<'_>, context: &ParseContext<'_>) -> Node {
    let parameters = rows.numbers.iter().filter_map(|number| registry().by_number(*number));
    Node::any(parameters.map(|parameter| plan_one(values, parameter, context)))
}

fn plan_one(values: &[Value], parameter: &Parameter, context: &ParseContext<'_>) -> Node {
    if let Some(node) = plan_rows(values, parameter, context.keyer) {
        return node;
    }
    let parts = values.iter().zip(&parameter.components).map(|(value, component)| {
        let rows = Rows { numbers: &component.stored, shape: &component.shape, is_text: false };
        value.plan(rows, Modifier::None, context)
    });
    let node = Node::all(parts);
    // Several elements may have one part each.
    Node { exact: node.exact && parameter.path.is_root(), ..node }
}

/// The rows of the composite itself; `None` where it has none for values written like these.
fn plan_rows(values: &[Value], parameter: &Parameter, keyer: &Keyer) -> Option<Node> {
    let number = parameter.number;
    if parameter.path.is_root() || !has_composite_rows(&parameter.components) {
        return None;
    }
    let key = |index: usize, value: &TokenValue| whole(number, value, parameter.components.get(index)?.shape.system, keyer);
    match values {
        [Value::Token(TokenValue::Code(first)), Value::Token(TokenValue::Code(second))] => {
            let key = keyer.composite(number, keyer.code(number, first), keyer.code(number, second));
            Some(Node::tokens([key].into_iter()))
        }
        [Value::Token(first), Value::Token(second)] => {
            Some(Node::tokens([keyer.composite(number, key(0, first)?, key(1, second)?)].into_iter()))
        }
        [Value::Token(first), Value::Quantity(second)] => Some(second.plan_below(number, key(0, first)?, keyer)),
        _ => None,
    }
}

/// Key of a code with what is said of its system; `None` where nothing is said.
fn whole(number: u16, value: &TokenValue, implied: Option<&str>, keyer: &Keyer) -> Option<Key> {
    match value {
        TokenValue::SystemAndCode(system, code) if implied == Some(system) => Some(keyer.code(number, code)),
        TokenValue::SystemAndCode(system, code) => Some(keyer.token(number, Some(system), code)),
        TokenValue::CodeWithoutSystem(code) => Some(keyer.token(number, None, code)),
        TokenValue::Code(_) | TokenValue::System(_) => None,
    }
}

fn whole_row(number: u16, coded: &Coded<'_>, keyer: &Keyer) -> Key {
    match coded.system {
        System::Uri(system) | System::Contact(system) => keyer.token(number, Some(system), coded.code),
        System::Absent => keyer.token(number, None, coded.code),
        System::Implied => keyer.code(number, coded.code),
    }
}

pub(super) fn matches(
    values: &[Value],
    components: &[Component],
    found: Found<'_>,
    resource: &Resource,
    reading: &Reading<'_>,
) -> bool {
    values.iter().zip(components).all(|(value, component)| {
        let parts = component.path.evaluate_at(resource, found.element);
        parts.into_iter().any(|part| value.matches(&component.shape, &[], Modifier::None, part, resource, reading))
    })
}

pub(super) fn rows(parameter: &Parameter, found: Found<'_>, resource: &Resource, keyer: &Keyer, out: &mut IndexRows) {
    let number = parameter.number;
    let [first, second] = &parameter.components[..] else { return };
    let firsts = first.path.evaluate_at(resource, found.element);
    let firsts: Vec<Coded<'_>> = firsts.into_iter().flat_map(codes).filter(|coded| !coded.code.is_empty()).collect();
    for part in second.path.evaluate_at(resource, found.element) {
        for one in &firsts {
            let whole_first = whole_row(number, one, keyer);
            for measure in quantity::measures(part) {
                let keys = quantity::keyed(number, &measure, keyer);
                out.ranges.extend(keys.into_iter().map(|(key, lo, hi)| (keyer.composite(number, whole_first, key), lo, hi)));
            }
            for other in codes(part).iter().filter(|_| second.shape.kind == crate::search::registry::Kind::Token) {
                out.tokens.push(keyer.composite(number, whole_first, whole_row(number, other, keyer)));
                out.tokens.push(keyer.composite(number, keyer.code(number, one.code), keyer.code(number, other.code)));
            }
        }
    }
}
