//! The three forms of a patch, applied to a resource: JSON Patch, FHIRPath Patch, XML Patch.
//! <https://hl7.org/fhir/R4/http.html#patch>
//!
//! Pure. The whole patch holds or nothing changes. Every form is bounded: operations, length of paths, size and depth of the
//! result. Whether the result is a resource of R4 and whether this caller may change it so is the caller's part.
//!
//! JSON Patch is our own (RFC 6902 is 200 lines): the crate `json-patch` compares numbers by their digits under
//! `arbitrary_precision` (`1.0` is not `1.00`), has no bounds, and would still need the draft's `/extension[url:'...']` path.
//! FHIRPath here is not [`super::path`]: that one finds values for an index, this one needs the place of an element among
//! its siblings, and primitives whose only content is an extension.
mod expression;
mod fhirpath;
mod json_patch;
mod selector;
#[cfg(test)]
mod tests;
mod tree;
mod xml_patch;
mod xml_tree;

use super::{IssueKind, Problem, Resource, ResourceType, json, xml};
use serde_json::Value;
use std::fmt;

/// Greatest number of operations in one patch.
pub const OPERATIONS_MAX: usize = 1_000;
/// Greatest length of a path or selector, in bytes.
pub const PATH_LENGTH_MAX: usize = 1_024;
/// Greatest size of all that the operations of one patch write, in bytes: `copy` could double it with each step.
pub const SIZE_MAX: usize = 16 * 1024 * 1024;

/// What a patch asks, in the form in which it came.
#[derive(Clone, PartialEq)]
pub enum Patch {
    /// `application/json-patch+json`: RFC 6902.
    Json(Value),
    /// `application/xml-patch+xml`: RFC 5261.
    Xml(Vec<u8>),
    /// A Parameters resource: FHIRPath Patch. <https://hl7.org/fhir/R4/fhirpatch.html>
    FhirPath(Resource),
}

impl fmt::Debug for Patch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Json(_) => "Patch::Json(..)",
            Self::Xml(_) => "Patch::Xml(..)",
            Self::FhirPath(_) => "Patch::FhirPath(..)",
        })
    }
}

impl Patch {
    /// Reads a body by its media type.
    ///
    /// # Errors
    /// `MediaTypeUnsupported` (415) for a type that is no patch; `Malformed` (400) for a body that is none; the issues of the
    /// check (422) for a Parameters resource that is not of R4.
    pub fn parse(content_type: Option<&str>, body: &[u8]) -> Result<Self, Problem> {
        let essence = content_type.and_then(|text| text.split(';').next()).unwrap_or("").trim().to_ascii_lowercase();
        match essence.as_str() {
            "application/json-patch+json" => {
                utf8_only(content_type)?;
                let patch = json::parse_value(body)?;
                json_patch::operations(&patch)?;
                Ok(Self::Json(patch))
            }
            "application/xml-patch+xml" => {
                utf8_only(content_type)?;
                xml_patch::operations(body)?;
                Ok(Self::Xml(body.to_vec()))
            }
            _ => {
                let unsupported = |_problem| {
                    let text =
                        "A patch is application/json-patch+json, application/xml-patch+xml, or Parameters as a FHIR resource";
                    Problem::new(IssueKind::MediaTypeUnsupported, text)
                };
                let parameters = match super::media_type::body_format(content_type).map_err(unsupported)? {
                    super::media_type::Format::Json => json::parse(body)?,
                    super::media_type::Format::Xml => xml::read(body)?,
                };
                Self::of_parameters(parameters)
            }
        }
    }

    /// A FHIRPath Patch from its Parameters, as an entry of a Bundle carries it.
    ///
    /// # Errors
    /// 422 for another resource, or for a Parameters resource that is no patch.
    pub fn of_parameters(parameters: Resource) -> Result<Self, Problem> {
        fhirpath::operations(&parameters)?;
        Ok(Self::FhirPath(parameters))
    }

    /// The resource as the patch makes it. Type and id stay; whether the result is valid is for the caller to check.
    ///
    /// # Errors
    /// `PatchFailed` (422) where an operation cannot be applied; `TooLarge` (413) above a limit.
    pub fn apply(&self, resource_type: ResourceType, resource: &Resource) -> Result<Resource, Problem> {
        let patched = match self {
            Self::Json(patch) => json_patch::apply_to_resource(patch, resource)?,
            Self::Xml(patch) => xml_patch::apply_to_resource(patch, resource)?,
            Self::FhirPath(parameters) => fhirpath::apply(parameters, resource)?,
        };
        if patched.get("resourceType").and_then(Value::as_str) != Some(resource_type.name()) {
            return Err(failed("A patch does not change the type of a resource"));
        }
        if patched.get("id") != resource.get("id") {
            return Err(failed("A patch does not change the id of a resource"));
        }
        if !json::is_within_depth(&patched) {
            return Err(too_large("depth of the result"));
        }
        Ok(patched)
    }
}

fn utf8_only(content_type: Option<&str>) -> Result<(), Problem> {
    let charset = content_type.and_then(|text| super::media_type::parameter(text, "charset"));
    match charset {
        Some(charset) if !charset.eq_ignore_ascii_case("utf-8") => {
            Err(Problem::new(IssueKind::MediaTypeUnsupported, "The charset is not UTF-8"))
        }
        _ => Ok(()),
    }
}

/// A patch that is understood but does not fit this resource.
fn failed(what: impl Into<String>) -> Problem {
    Problem::new(IssueKind::PatchFailed, what)
}

/// The same, with the place of the operation in the patch.
fn failed_at(operation: usize, what: &str) -> Problem {
    failed(format!("Operation {}: {what}", operation + 1))
}

fn malformed(what: impl Into<String>) -> Problem {
    Problem::new(IssueKind::Malformed, what)
}

/// Why one operation of a patch is not applied; its number comes with [`Fault::at`].
enum Fault {
    Failed(&'static str),
    Problem(Problem),
}

impl Fault {
    fn at(self, operation: usize) -> Problem {
        match self {
            Self::Failed(what) => failed_at(operation, what),
            Self::Problem(problem) => problem,
        }
    }
}

impl From<&'static str> for Fault {
    fn from(what: &'static str) -> Self {
        Self::Failed(what)
    }
}

impl From<Problem> for Fault {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

fn too_large(what: &str) -> Problem {
    Problem::new(IssueKind::TooLarge, format!("The patch exceeds the limit of {what}"))
}

/// What the operations of one patch may still write.
struct Budget(usize);

impl Budget {
    fn new() -> Self {
        Self(SIZE_MAX)
    }
    fn spend(&mut self, size: usize) -> Result<(), Problem> {
        self.0 = self.0.checked_sub(size).ok_or_else(|| too_large("size"))?;
        Ok(())
    }
}

/// Whether two numbers have one value: `1.0` and `1.00`, `1e2` and `100`.
fn same_number(left: &str, right: &str) -> bool {
    left == right || canonical_number(left).zip(canonical_number(right)).is_some_and(|(left, right)| left == right)
}

/// Sign, figures without zeros at either end, and the power of ten of the last of them.
fn canonical_number(text: &str) -> Option<(bool, String, i64)> {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, i64::from(exponent.parse::<i32>().ok()?)),
        None => (unsigned, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{fraction}");
    let figures = all.trim_end_matches('0');
    let dropped = i64::try_from(all.len() - figures.len()).ok()?;
    let last = exponent - i64::try_from(fraction.len()).ok()? + dropped;
    let figures = figures.trim_start_matches('0').to_owned();
    if figures.is_empty() { Some((false, figures, 0)) } else { Some((text.starts_with('-'), figures, last)) }
}
