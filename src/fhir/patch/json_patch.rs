//! JSON Patch (RFC 6902) with JSON Pointers (RFC 6901). <https://www.rfc-editor.org/rfc/rfc6902>
//!
//! Beside pointers, a step may select an extension by its URL, `/extension[url:'http://...']/valueBoolean`: the DMP's draft
//! writes `isArchived` so (decision 6).
use super::{Budget, Fault, OPERATIONS_MAX, PATH_LENGTH_MAX, failed, malformed, same_number, too_large};
use crate::fhir::json::DEPTH_MAX;
use crate::fhir::{Problem, Resource};
use serde_json::Value;

/// One operation, its members read.
#[derive(Debug, Clone)]
pub(super) struct Operation<'a> {
    kind: Kind<'a>,
    path: Pointer,
}

#[derive(Debug, Clone)]
enum Kind<'a> {
    Add(&'a Value),
    Remove,
    Replace(&'a Value),
    Move(Pointer),
    Copy(Pointer),
    Test(&'a Value),
}

type Pointer = Vec<Step>;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Key(String),
    /// The one item of `extension` (or `modifierExtension`) that has this URL.
    Extension(String, String),
}

/// Reads the operations. Members that RFC 6902 does not define are ignored, as it demands.
///
/// # Errors
/// `Malformed` for what is no JSON Patch; `TooLarge` above a limit.
pub(super) fn operations(patch: &Value) -> Result<Vec<Operation<'_>>, Problem> {
    let Value::Array(items) = patch else { return Err(malformed("A JSON Patch is an array of operations")) };
    if items.len() > OPERATIONS_MAX {
        return Err(too_large("operations"));
    }
    items.iter().enumerate().map(|(at, item)| operation(at, item)).collect()
}

fn operation(at: usize, item: &Value) -> Result<Operation<'_>, Problem> {
    let fault = |what: &str| malformed(format!("Operation {}: {what}", at + 1));
    let text = |name: &str| item.get(name).and_then(Value::as_str);
    let pointer = |name: &str| match text(name) {
        Some(text) => pointer(text).ok_or_else(|| fault("not a JSON Pointer")),
        None => Err(fault(&format!("{name} is absent or not a string"))),
    };
    let value = || item.get("value").ok_or_else(|| fault("value is absent"));
    let path = pointer("path")?;
    let kind = match text("op") {
        Some("add") => Kind::Add(value()?),
        Some("remove") => Kind::Remove,
        Some("replace") => Kind::Replace(value()?),
        Some("move") => Kind::Move(pointer("from")?),
        Some("copy") => Kind::Copy(pointer("from")?),
        Some("test") => Kind::Test(value()?),
        Some(_) => return Err(fault("op is none of add, remove, replace, move, copy, test")),
        None => return Err(fault("op is absent or not a string")),
    };
    Ok(Operation { kind, path })
}

/// Empty for the whole document; `None` for text that is no pointer.
fn pointer(text: &str) -> Option<Pointer> {
    if text.len() > PATH_LENGTH_MAX {
        return None;
    }
    if text.is_empty() {
        return Some(Vec::new());
    }
    let mut rest = text.strip_prefix('/')?;
    let mut steps = Vec::new();
    loop {
        if let Some((step, after)) = extension_step(rest) {
            steps.push(step);
            match after.strip_prefix('/') {
                Some(more) => rest = more,
                None if after.is_empty() => return Some(steps),
                None => return None,
            }
            continue;
        }
        let (token, more) = rest.split_once('/').map_or((rest, None), |(token, more)| (token, Some(more)));
        steps.push(Step::Key(unescaped(token)?));
        match more {
            Some(more) => rest = more,
            None => return Some(steps),
        }
    }
}

/// `extension[url:'...']`, and what follows it: the URL itself has slashes.
fn extension_step(text: &str) -> Option<(Step, &str)> {
    let (name, rest) = text.split_once("[url:'")?;
    if !matches!(name, "extension" | "modifierExtension") {
        return None;
    }
    let (url, rest) = rest.split_once("']")?;
    Some((Step::Extension(name.to_owned(), url.to_owned()), rest))
}

/// `~1` is a slash and `~0` a tilde, in this order: `~01` is `~1`.
fn unescaped(token: &str) -> Option<String> {
    let mut out = String::with_capacity(token.len());
    let mut letters = token.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '~' => match letters.next()? {
                '0' => out.push('~'),
                '1' => out.push('/'),
                _ => return None,
            },
            other => out.push(other),
        }
    }
    Some(out)
}

/// Applies a patch to any JSON document.
///
/// # Errors
/// `PatchFailed` for the first operation that cannot be applied.
pub(super) fn apply(patch: &Value, document: &Value) -> Result<Value, Problem> {
    let mut document = document.clone();
    let mut budget = Budget::new();
    for (at, operation) in operations(patch)?.into_iter().enumerate() {
        run(&mut document, &operation, &mut budget).map_err(|fault| fault.at(at))?;
    }
    Ok(document)
}

/// The same on a resource, where FHIR has no empty arrays and objects: what the operations emptied goes.
pub(super) fn apply_to_resource(patch: &Value, resource: &Resource) -> Result<Resource, Problem> {
    match apply(patch, &Value::Object(resource.clone()))? {
        Value::Object(mut patched) => {
            prune(&mut patched);
            Ok(patched)
        }
        _ => Err(failed("The result is not a resource")),
    }
}

fn prune(object: &mut Resource) {
    object.retain(|_, value| {
        match value {
            Value::Object(members) => prune(members),
            // An item that was emptied stays for the check to refuse: taking it out would shift its siblings.
            Value::Array(items) => items.iter_mut().filter_map(Value::as_object_mut).for_each(prune),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
        !matches!(value, Value::Object(members) if members.is_empty())
            && !matches!(value, Value::Array(items) if items.is_empty())
    });
}

const ABSENT: &str = "the path leads to nothing";

fn run(document: &mut Value, operation: &Operation<'_>, budget: &mut Budget) -> Result<(), Fault> {
    match &operation.kind {
        Kind::Add(value) => add(document, &operation.path, (*value).clone(), budget),
        Kind::Remove => remove(document, &operation.path).map(|_| ()),
        Kind::Replace(value) => {
            within(&operation.path, value, budget)?;
            *find_mut(document, &operation.path).ok_or(ABSENT)? = (*value).clone();
            Ok(())
        }
        Kind::Move(from) => {
            if *from == operation.path {
                return find(document, from).map(|_| ()).ok_or(ABSENT.into());
            }
            if operation.path.starts_with(from) {
                return Err("a value is not moved into itself".into());
            }
            let value = remove(document, from)?;
            add(document, &operation.path, value, budget)
        }
        Kind::Copy(from) => {
            let value = find(document, from).ok_or(ABSENT)?.clone();
            add(document, &operation.path, value, budget)
        }
        Kind::Test(expected) => {
            budget.spend(size(expected))?;
            let found = find(document, &operation.path).ok_or(ABSENT)?;
            if equal(found, expected) { Ok(()) } else { Err("the value is not the one tested for".into()) }
        }
    }
}

/// Depth and size stay bounded through every operation, so that nothing that walks a value recurses further.
fn within(path: &Pointer, value: &Value, budget: &mut Budget) -> Result<(), Fault> {
    if path.len() + depth(value) > DEPTH_MAX {
        return Err(too_large("depth").into());
    }
    budget.spend(size(value))?;
    Ok(())
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

fn size(value: &Value) -> usize {
    match value {
        Value::Object(members) => 64 + members.iter().map(|(key, value)| 64 + key.len() + size(value)).sum::<usize>(),
        Value::Array(items) => 64 + items.iter().map(size).sum::<usize>(),
        Value::Number(number) => 32 + number.as_str().len(),
        Value::String(text) => 32 + text.len(),
        Value::Null | Value::Bool(_) => 32,
    }
}

/// An index of RFC 6901: digits without a leading zero.
fn index(token: &str) -> Option<usize> {
    let plain = token == "0" || (!token.starts_with('0') && token.bytes().all(|byte| byte.is_ascii_digit()));
    plain.then(|| token.parse().ok()).flatten()
}

/// Where the extension with this URL stands; `None` where none or several have it.
fn extension(value: &Value, name: &str, url: &str) -> Option<usize> {
    let items = value.get(name)?.as_array()?;
    let mut found = items.iter().enumerate().filter(|(_, item)| item.get("url").and_then(Value::as_str) == Some(url));
    let (at, _) = found.next()?;
    found.next().is_none().then_some(at)
}

fn find<'a>(document: &'a Value, path: &[Step]) -> Option<&'a Value> {
    path.iter().try_fold(document, |value, step| match (step, value) {
        (Step::Key(key), Value::Array(items)) => items.get(index(key)?),
        (Step::Key(key), _) => value.get(key.as_str()),
        (Step::Extension(name, url), _) => value.get(name)?.get(extension(value, name, url)?),
    })
}

fn find_mut<'a>(document: &'a mut Value, path: &[Step]) -> Option<&'a mut Value> {
    path.iter().try_fold(document, |value, step| match step {
        Step::Extension(name, url) => {
            let at = extension(value, name, url)?;
            value.get_mut(name)?.get_mut(at)
        }
        Step::Key(key) => match value {
            Value::Array(items) => items.get_mut(index(key)?),
            other => other.get_mut(key.as_str()),
        },
    })
}

fn add(document: &mut Value, path: &Pointer, value: Value, budget: &mut Budget) -> Result<(), Fault> {
    within(path, &value, budget)?;
    let Some((last, parents)) = path.split_last() else {
        *document = value;
        return Ok(());
    };
    let parent = find_mut(document, parents).ok_or("the place to add to does not exist")?;
    match (last, parent) {
        (Step::Key(key), Value::Object(members)) => {
            members.insert(key.clone(), value);
            Ok(())
        }
        (Step::Key(key), Value::Array(items)) => {
            let at = if key == "-" { items.len() } else { index(key).ok_or("not an index of an array")? };
            if at > items.len() {
                return Err("the index is beyond the end of the array".into());
            }
            items.insert(at, value);
            Ok(())
        }
        (Step::Extension(name, url), parent @ Value::Object(_)) => {
            let at = extension(parent, name, url).ok_or(ABSENT)?;
            *parent.get_mut(name).and_then(|items| items.get_mut(at)).ok_or(ABSENT)? = value;
            Ok(())
        }
        (Step::Key(_) | Step::Extension(..), _) => Err("the place to add to is neither an object nor an array".into()),
    }
}

fn remove(document: &mut Value, path: &Pointer) -> Result<Value, Fault> {
    let (last, parents) = path.split_last().ok_or("the whole document is not removed")?;
    let parent = find_mut(document, parents).ok_or(ABSENT)?;
    let removed = match (last, parent) {
        (Step::Key(key), Value::Object(members)) => members.shift_remove(key),
        (Step::Key(key), Value::Array(items)) => index(key).filter(|at| *at < items.len()).map(|at| items.remove(at)),
        (Step::Extension(name, url), parent) => {
            let at = extension(parent, name, url).ok_or(ABSENT)?;
            parent.get_mut(name).and_then(Value::as_array_mut).map(|items| items.remove(at))
        }
        (Step::Key(_), _) => None,
    };
    removed.ok_or(Fault::Failed(ABSENT))
}

/// RFC 6902 section 4.6: numbers by their value, members of objects in any order.
fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => same_number(left.as_str(), right.as_str()),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| equal(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len() && left.iter().all(|(key, value)| right.get(key).is_some_and(|other| equal(value, other)))
        }
        (left, right) => left == right,
    }
}
