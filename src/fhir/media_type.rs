//! Which of JSON and XML a request sends and wants. <https://hl7.org/fhir/R4/http.html#mime-type>
use super::{IssueKind, Problem};

/// A format of FHIR resources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `application/fhir+json`
    Json,
    /// `application/fhir+xml`
    Xml,
}

impl Format {
    /// `Content-Type` of an answer.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/fhir+json; charset=utf-8",
            Self::Xml => "application/fhir+xml; charset=utf-8",
        }
    }
}

/// What the answer is written in: `_format` decides over `Accept`; with neither, JSON.
///
/// # Errors
/// `NotAcceptable` where nothing that is asked for can be given.
pub fn negotiate(accept: Option<&str>, format: Option<&str>) -> Result<Format, Problem> {
    if let Some(format) = format.map(str::trim).filter(|format| !format.is_empty()) {
        // An unescaped + of a query arrives as a space.
        return essence_of(&format.replace(' ', "+")).ok_or_else(|| not_acceptable("_format"));
    }
    let Some(accept) = accept.map(str::trim).filter(|accept| !accept.is_empty()) else { return Ok(Format::Json) };
    let mut best: Option<(u16, Format)> = None;
    for range in accept.split(',').take(32) {
        let quality = quality(range);
        let found = range_format(range).filter(|_| quality > 0);
        if let Some(format) = found
            && best.is_none_or(|(other, _)| quality > other)
        {
            best = Some((quality, format));
        }
    }
    best.map(|(_, format)| format).ok_or_else(|| not_acceptable("Accept"))
}

/// Whether Accept and Content-Type name the same version of FHIR, where both name one (R4, 3.1.0.1.11).
///
/// # Errors
/// `Malformed` where they do not.
pub fn same_version(accept: Option<&str>, content_type: Option<&str>) -> Result<(), Problem> {
    let version =
        |text: &str| parameter(text, "fhirVersion").map(|version| version.split('.').take(2).collect::<Vec<_>>().join("."));
    let sent = content_type.and_then(version);
    let wanted: Vec<String> = accept.unwrap_or_default().split(',').filter_map(version).collect();
    match sent {
        Some(sent) if !wanted.is_empty() && !wanted.contains(&sent) => {
            Err(Problem::new(IssueKind::Malformed, "Accept and Content-Type name different versions of FHIR"))
        }
        Some(_) | None => Ok(()),
    }
}

fn not_acceptable(what: &str) -> Problem {
    Problem::new(
        IssueKind::NotAcceptable,
        format!("{what} names neither application/fhir+json nor application/fhir+xml of FHIR 4.0"),
    )
}

/// What the body is written in; a body without a Content-Type is refused.
///
/// # Errors
/// `MediaTypeUnsupported` for anything but JSON and XML in UTF-8 of FHIR 4.0.
pub fn body_format(content_type: Option<&str>) -> Result<Format, Problem> {
    let refused = |what: &str| Problem::new(IssueKind::MediaTypeUnsupported, what);
    let Some(content_type) = content_type else { return Err(refused("The request has no Content-Type")) };
    if parameter(content_type, "charset").is_some_and(|charset| !charset.eq_ignore_ascii_case("utf-8")) {
        return Err(refused("The charset is not UTF-8"));
    }
    essence_of(content_type)
        .ok_or_else(|| refused("The Content-Type is neither application/fhir+json nor application/fhir+xml of FHIR 4.0"))
}

/// A media type, a legacy spelling of one, or a short form of `_format`; of FHIR 4.0 or of no version.
fn essence_of(text: &str) -> Option<Format> {
    if parameter(text, "fhirVersion").is_some_and(|version| !matches!(version, "4.0" | "4.0.0" | "4.0.1")) {
        return None;
    }
    match text.split(';').next().unwrap_or("").trim().to_ascii_lowercase().as_str() {
        "application/fhir+json" | "application/json" | "application/json+fhir" | "text/json" | "json" => Some(Format::Json),
        "application/fhir+xml" | "application/xml" | "application/xml+fhir" | "text/xml" | "xml" => Some(Format::Xml),
        _ => None,
    }
}

fn range_format(range: &str) -> Option<Format> {
    let any = matches!(range.split(';').next().unwrap_or("").trim(), "*/*" | "*" | "application/*" | "text/*");
    if any { essence_of(&range.replacen(range.split(';').next().unwrap_or(""), "json", 1)) } else { essence_of(range) }
}

pub(super) fn parameter<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.split(';').skip(1).find_map(|parameter| {
        let (key, value) = parameter.split_once('=')?;
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"'))
    })
}

/// The q-value in thousandths; a range with one that cannot be read counts as not wanted.
fn quality(range: &str) -> u16 {
    let Some(text) = parameter(range, "q") else { return 1000 };
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let fraction_is_good = fraction.len() <= 3 && fraction.bytes().all(|byte| byte.is_ascii_digit());
    match (whole, fraction_is_good) {
        ("1", true) => 1000,
        ("0", true) => format!("{fraction:0<3}").parse().unwrap_or(0),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(accept: &str, format: &str, expected: Option<Format>) {
        let given = |text: &'static str| (!text.is_empty()).then_some(text);
        let accept: &'static str = accept.to_owned().leak();
        let format: &'static str = format.to_owned().leak();
        let result = negotiate(given(accept), given(format));
        assert_eq!(result.as_ref().ok(), expected.as_ref(), "{accept:?} {format:?}");
        if let Err(problem) = result {
            assert_eq!(problem.status(), 406);
        }
    }

    #[test]
    fn without_a_wish_the_answer_is_json() {
        check("", "", Some(Format::Json));
        check("*/*", "", Some(Format::Json));
        check("application/*", "", Some(Format::Json));
    }

    #[test]
    fn accept_is_obeyed_with_its_q_values() {
        check("application/fhir+xml", "", Some(Format::Xml));
        check("application/fhir+json;q=0.5, application/fhir+xml;q=0.9", "", Some(Format::Xml));
        check("text/html, application/xhtml+xml, application/xml;q=0.9, */*;q=0.8", "", Some(Format::Xml));
        check("application/fhir+xml;q=0, application/fhir+json;q=0.001", "", Some(Format::Json));
        check("application/fhir+json, application/fhir+xml", "", Some(Format::Json));
        check("text/html", "", None);
        check("application/fhir+xml;q=0", "", None);
        check("application/fhir+xml;q=x", "", None);
        check("application/pdf, */*;q=0.1", "", Some(Format::Json));
    }

    #[test]
    fn the_fhir_version_is_4_0_or_unsaid() {
        check("application/fhir+xml; fhirVersion=4.0", "", Some(Format::Xml));
        check("application/fhir+json; fhirVersion=3.0", "", None);
        check("*/*; fhirVersion=5.0", "", None);
        check("application/fhir+json; fhirVersion=5.0, application/fhir+xml; fhirVersion=4.0", "", Some(Format::Xml));
        assert_eq!(body_format(Some("application/fhir+json; fhirVersion=3.0")).unwrap_err().status(), 415);
    }

    #[test]
    fn underscore_format_decides_over_accept() {
        for format in
            ["xml", "text/xml", "application/xml", "application/fhir+xml", "application/fhir xml", "application/xml+fhir"]
        {
            check("application/fhir+json", format, Some(Format::Xml));
        }
        for format in
            ["json", "application/json", "application/fhir+json", "application/fhir json", "application/json fhir", "text/json"]
        {
            check("application/fhir+xml", format, Some(Format::Json));
        }
        check("application/fhir+json", "html", None);
        check("application/fhir+json", "ttl", None);
    }

    #[test]
    fn bodies_are_json_or_xml_in_utf_8() {
        assert_eq!(body_format(Some("application/fhir+json; charset=UTF-8")), Ok(Format::Json));
        assert_eq!(body_format(Some("Text/XML;charset=\"utf-8\"")), Ok(Format::Xml));
        for refused in [None, Some(""), Some("text/plain"), Some("application/fhir+json; charset=iso-8859-1"), Some("*/*")] {
            assert_eq!(body_format(refused).unwrap_err().status(), 415, "{refused:?}");
        }
    }
}
