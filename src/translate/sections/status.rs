//! CDA statusCode -> FHIR status (C4, R5). None is guessed: `None` means that the entry is listed.

/// Observation: `active` is preliminary with a value, registered without; absent is unknown.
pub(crate) fn observation(code: Option<&str>, has_value: bool) -> Option<&'static str> {
    match code {
        Some("completed") => Some("final"),
        Some("active") if has_value => Some("preliminary"),
        Some("active" | "suspended" | "held") => Some("registered"),
        Some("aborted" | "cancelled") => Some("cancelled"),
        Some("nullified") => Some("entered-in-error"),
        None => Some("unknown"),
        Some(_) => None,
    }
}

/// DiagnosticReport, from the `lab:statusCode` of one service event.
pub(crate) fn diagnostic_report(code: Option<&str>) -> &'static str {
    match code {
        Some("completed") => "final",
        Some("active") => "preliminary",
        Some("aborted" | "cancelled") => "cancelled",
        Some("suspended" | "held") => "registered",
        Some("nullified") => "entered-in-error",
        Some(_) | None => "unknown",
    }
}

/// Immunization, not negated: the value set has no `unknown`.
pub(crate) fn immunization(code: Option<&str>) -> Option<&'static str> {
    match code {
        Some("completed") => Some("completed"),
        Some("aborted" | "cancelled") => Some("not-done"),
        Some("nullified") => Some("entered-in-error"),
        Some(_) | None => None,
    }
}

/// Consent.
pub(crate) fn consent(code: &str) -> Option<&'static str> {
    match code {
        "completed" | "active" => Some("active"),
        "aborted" | "suspended" | "held" => Some("inactive"),
        "cancelled" => Some("rejected"),
        "nullified" => Some("entered-in-error"),
        _other => None,
    }
}

/// Media; absent is unknown.
pub(crate) fn media(code: Option<&str>) -> Option<&'static str> {
    match code {
        Some("completed") => Some("completed"),
        Some("active") => Some("in-progress"),
        Some("aborted" | "cancelled") => Some("stopped"),
        Some("suspended" | "held") => Some("on-hold"),
        Some("nullified") => Some("entered-in-error"),
        None => Some("unknown"),
        Some(_) => None,
    }
}

/// `@code` of the entry's statusCode.
pub(crate) fn code(element: crate::cda::Element<'_>) -> Option<&str> {
    element.child("statusCode").and_then(|status| status.stated("code"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_of_the_table_and_no_default() {
        let rows = ["completed", "active", "aborted", "cancelled", "suspended", "held", "nullified"];
        let observations: Vec<_> = rows.iter().map(|code| observation(Some(code), true)).collect();
        let expected = ["final", "preliminary", "cancelled", "cancelled", "registered", "registered", "entered-in-error"];
        assert_eq!(observations, expected.map(Some));
        assert_eq!(observation(Some("active"), false), Some("registered"));
        assert_eq!(observation(None, true), Some("unknown"));
        assert_eq!(observation(Some("bizarre"), true), None);
        let reports: Vec<_> = rows.iter().map(|code| diagnostic_report(Some(code))).collect();
        assert_eq!(reports, expected);
        assert_eq!(diagnostic_report(None), "unknown");
        assert_eq!(immunization(None), None);
        assert_eq!(immunization(Some("active")), None);
        assert_eq!(consent("completed"), Some("active"));
        assert_eq!(consent("cancelled"), Some("rejected"));
        assert_eq!(media(None), Some("unknown"));
    }
}
