//! What a request brings in its body: a resource, a patch, the parameters of a search or an operation.
use super::request::parameters;
use super::route::Route;
use crate::fhir::interaction::Parameters;
use crate::fhir::media_type::{self, Format};
use crate::fhir::patch::Patch;
use crate::fhir::{IssueKind, Problem, Resource, json, xml};
use base64::Engine;
use serde_json::Value;

/// The body of what is asked.
pub(crate) enum Sent<'a> {
    /// Of a request: as it was sent.
    Bytes {
        /// Content-Type.
        content_type: Option<&'a str>,
        /// Plain bytes.
        bytes: &'a [u8],
    },
    /// `Bundle.entry.resource`.
    Resource(Option<Resource>),
}

impl Sent<'_> {
    pub(super) fn resource(self) -> Result<Resource, Problem> {
        match self {
            Self::Bytes { content_type, bytes } => match media_type::body_format(content_type)? {
                Format::Json => json::parse(bytes),
                Format::Xml => xml::read(bytes),
            },
            Self::Resource(Some(resource)) => Ok(resource),
            Self::Resource(None) => Err(Problem::new(IssueKind::RequiredMissing, "The entry brings no resource")),
        }
    }

    /// Its media type says in which language a patch is written; inside a Bundle it is FHIRPath Patch, or a Binary that has
    /// a patch of another language under its media type. <https://hl7.org/fhir/R4/http.html#patch>
    pub(super) fn patch(self) -> Result<Patch, Problem> {
        match self {
            Self::Bytes { content_type, bytes } => Patch::parse(content_type, bytes),
            Self::Resource(Some(binary)) if binary.get("resourceType").and_then(Value::as_str) == Some("Binary") => {
                let content_type = binary.get("contentType").and_then(Value::as_str);
                let data = binary.get("data").and_then(Value::as_str).unwrap_or_default();
                let malformed = |_not_base64| Problem::at(IssueKind::Malformed, "Binary.data", "The patch is not base64");
                let bytes = base64::engine::general_purpose::STANDARD.decode(data).map_err(malformed)?;
                Patch::parse(content_type, &bytes)
            }
            entry @ Self::Resource(_) => Patch::of_parameters(entry.resource()?),
        }
    }
}

/// Parameters of `POST _search`, and of an operation that was posted: a form, or a Parameters resource.
pub(crate) fn sent_parameters(route: &Route, content_type: Option<&str>, body: &[u8]) -> Result<Parameters, Problem> {
    let bare = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if body.is_empty() {
        return Ok(Parameters::default());
    }
    if bare.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        let text = std::str::from_utf8(body).map_err(|_not_utf8| Problem::new(IssueKind::Malformed, "The form is not UTF-8"))?;
        return parameters(text);
    }
    if !route.is_operation() {
        return Err(Problem::new(IssueKind::MediaTypeUnsupported, "_search takes application/x-www-form-urlencoded"));
    }
    operation_parameters(&Sent::Bytes { content_type, bytes: body }.resource()?)
}

/// The parameters of a Parameters resource as those of a query.
fn operation_parameters(body: &Resource) -> Result<Parameters, Problem> {
    if body.get("resourceType").and_then(Value::as_str) != Some("Parameters") {
        return Err(Problem::at(IssueKind::Malformed, "resourceType", "An operation takes a Parameters resource"));
    }
    let mut found = Vec::new();
    for (index, parameter) in body.get("parameter").and_then(Value::as_array).into_iter().flatten().enumerate() {
        let name = parameter.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        let value = parameter.as_object().into_iter().flatten().find(|(name, _)| name.starts_with("value"));
        let Some(text) = value.and_then(|(_, value)| query_value(value)) else {
            let text = "This parameter has no value that a query could have";
            return Err(Problem::at(IssueKind::ParameterInvalid, format!("Parameters.parameter[{index}]"), text));
        };
        found.push((name, text));
    }
    Ok(Parameters(found))
}

/// A value of a Parameters resource as a query has it: a token for what is coded, the text of a reference.
fn query_value(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Object(object) => {
            let text = |name: &str| object.get(name).and_then(Value::as_str);
            if let Some(reference) = text("reference") {
                return Some(reference.to_owned());
            }
            let coding = object.get("coding").and_then(|coding| coding.get(0)).and_then(Value::as_object).unwrap_or(object);
            let part = |name: &str| coding.get(name).and_then(Value::as_str);
            match (part("system"), part("code").or_else(|| part("value"))) {
                (Some(system), Some(code)) => Some(format!("{system}|{code}")),
                (None, Some(code)) => Some(code.to_owned()),
                (_, None) => None,
            }
        }
        Value::Null | Value::Array(_) => None,
    }
}
