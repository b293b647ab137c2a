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

/// MedicationDispense, MedicationAdministration; absent is unknown.
pub(crate) fn event(code: Option<&str>) -> Option<&'static str> {
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

/// Procedure, not denied; absent is unknown.
pub(crate) fn procedure(code: Option<&str>) -> Option<&'static str> {
    match code {
        Some("completed") => Some("completed"),
        Some("active") => Some("in-progress"),
        Some("aborted") => Some("stopped"),
        Some("cancelled") => Some("not-done"),
        Some("suspended" | "held") => Some("on-hold"),
        Some("nullified") => Some("entered-in-error"),
        None => Some("unknown"),
        Some(_) => None,
    }
}

/// MedicationRequest: `completed` is a constant of the template, the period at the document's time decides.
pub(crate) fn medication_request(code: Option<&str>, ended: bool) -> Option<&'static str> {
    match code {
        Some("completed" | "active") if ended => Some("completed"),
        Some("completed" | "active") => Some("active"),
        Some("aborted") => Some("stopped"),
        Some("cancelled") => Some("cancelled"),
        Some("suspended" | "held") => Some("on-hold"),
        Some("nullified") => Some("entered-in-error"),
        None => Some("unknown"),
        Some(_) => None,
    }
}

/// DeviceRequest: as [`medication_request`], and by period where none is stated (3.20 never has one).
pub(crate) fn device_request(code: Option<&str>, ended: bool) -> Option<&'static str> {
    match code {
        Some("completed" | "active") | None if ended => Some("completed"),
        Some("completed" | "active") | None => Some("active"),
        Some("aborted" | "cancelled") => Some("revoked"),
        Some("suspended" | "held") => Some("on-hold"),
        Some("nullified") => Some("entered-in-error"),
        Some(_) => None,
    }
}

/// DeviceUseStatement: by period where none is stated (3.20 never has one).
pub(crate) fn device_use(code: Option<&str>, ended: bool) -> Option<&'static str> {
    match code {
        Some("completed") => Some("completed"),
        Some("active") => Some("active"),
        None if ended => Some("completed"),
        None => Some("active"),
        Some("aborted" | "cancelled") => Some("stopped"),
        Some("suspended" | "held") => Some("on-hold"),
        Some("nullified") => Some("entered-in-error"),
        Some(_) => None,
    }
}

/// ServiceRequest; absent is unknown.
pub(crate) fn service_request(code: Option<&str>) -> Option<&'static str> {
    match code {
        Some("completed") => Some("completed"),
        Some("active") => Some("active"),
        Some("aborted" | "cancelled") => Some("revoked"),
        Some("suspended" | "held") => Some("on-hold"),
        Some("nullified") => Some("entered-in-error"),
        None => Some("unknown"),
        Some(_) => None,
    }
}

/// Goal.lifecycleStatus: the value set has no `unknown`.
pub(crate) fn goal(code: Option<&str>) -> Option<&'static str> {
    match code {
        Some("completed") => Some("completed"),
        Some("active") => Some("active"),
        Some("aborted" | "cancelled") => Some("cancelled"),
        Some("suspended" | "held") => Some("on-hold"),
        Some("nullified") => Some("entered-in-error"),
        Some(_) | None => None,
    }
}

/// FamilyMemberHistory: the value set says `health-unknown`, which is not the same as no status.
pub(crate) fn family(code: Option<&str>) -> Option<&'static str> {
    match code {
        Some("completed") => Some("completed"),
        Some("active") => Some("partial"),
        Some("nullified") => Some("entered-in-error"),
        Some(_) | None => None,
    }
}

/// Encounter that is asked for (ARQ, INT, APT): the mood states that it is planned.
pub(crate) fn encounter_planned(code: Option<&str>) -> Option<&'static str> {
    match code {
        Some("completed" | "active" | "suspended" | "held") | None => Some("planned"),
        Some("aborted" | "cancelled") => Some("cancelled"),
        Some("nullified") => Some("entered-in-error"),
        Some(_) => None,
    }
}

/// Encounter that was (EVN).
pub(crate) fn encounter(code: Option<&str>) -> Option<&'static str> {
    match code {
        Some("completed") => Some("finished"),
        Some("active") => Some("in-progress"),
        Some("aborted" | "cancelled") => Some("cancelled"),
        Some("suspended" | "held") | None => Some("unknown"),
        Some("nullified") => Some("entered-in-error"),
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

    /// One row of C4 each: completed, active, aborted, cancelled, suspended, held, nullified, absent; nothing else has a status.
    #[test]
    fn each_row_of_the_table_of_statuses() {
        type Row = (&'static str, fn(Option<&str>) -> Option<&'static str>, [&'static str; 8]);
        let error = "entered-in-error";
        let table: [Row; 10] = [
            ("event", event, ["completed", "in-progress", "stopped", "stopped", "on-hold", "on-hold", error, "unknown"]),
            ("procedure", procedure, ["completed", "in-progress", "stopped", "not-done", "on-hold", "on-hold", error, "unknown"]),
            (
                "request",
                |code| medication_request(code, false),
                ["active", "active", "stopped", "cancelled", "on-hold", "on-hold", error, "unknown"],
            ),
            (
                "ended",
                |code| medication_request(code, true),
                ["completed", "completed", "stopped", "cancelled", "on-hold", "on-hold", error, "unknown"],
            ),
            (
                "device",
                |code| device_request(code, true),
                ["completed", "completed", "revoked", "revoked", "on-hold", "on-hold", error, "completed"],
            ),
            (
                "use",
                |code| device_use(code, true),
                ["completed", "active", "stopped", "stopped", "on-hold", "on-hold", error, "completed"],
            ),
            ("service", service_request, ["completed", "active", "revoked", "revoked", "on-hold", "on-hold", error, "unknown"]),
            ("goal", goal, ["completed", "active", "cancelled", "cancelled", "on-hold", "on-hold", error, "-"]),
            ("family", family, ["completed", "partial", "-", "-", "-", "-", error, "-"]),
            (
                "encounter",
                encounter,
                ["finished", "in-progress", "cancelled", "cancelled", "unknown", "unknown", error, "unknown"],
            ),
        ];
        let codes = [
            Some("completed"),
            Some("active"),
            Some("aborted"),
            Some("cancelled"),
            Some("suspended"),
            Some("held"),
            Some("nullified"),
            None,
        ];
        for (name, status, expected) in table {
            assert_eq!(codes.map(|code| status(code).unwrap_or("-")), expected, "{name}");
            assert_eq!(status(Some("bizarre")), None, "{name}");
        }
        let planned = codes.map(|code| encounter_planned(code).unwrap_or("-"));
        assert_eq!(planned, ["planned", "planned", "cancelled", "cancelled", "planned", "planned", error, "planned"]);
    }
}
