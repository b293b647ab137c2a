//! The requirements as one table: what, where it stands, and the check that shows it.
use crate::checks::{access, capability, documents, records, results};
use crate::run::{Checked, Run};

/// One requirement.
pub(crate) struct Requirement {
    /// Stable identifier.
    pub(crate) id: &'static str,
    /// Where it stands.
    pub(crate) source: &'static str,
    /// What the server does.
    pub(crate) text: &'static str,
    /// Shows it.
    pub(crate) check: fn(&mut Run) -> Checked,
}

const fn row(id: &'static str, source: &'static str, text: &'static str, check: fn(&mut Run) -> Checked) -> Requirement {
    Requirement { id, source, text, check }
}

/// Every requirement, in the order in which they are tried: later ones use what earlier ones found.
pub(crate) const REQUIREMENTS: &[Requirement] = &[
    row("CAP-1", "R4 http.html#capabilities", "GET metadata gives a CapabilityStatement of FHIR 4.0.1", capability::version),
    row("CAP-2", "R4 http.html#mime-type", "JSON and XML are stated, and metadata comes in both", capability::formats),
    row(
        "CAP-3",
        "PDSm 3.1.1; PDSm4DMP TD0.2 to TD3.2",
        "Every resource type of the record is stated with its interactions",
        capability::types,
    ),
    row("TD0.2-1", "PDSm4DMP TD0.2", "A known INS gives one entry with active", records::known),
    row("TD0.2-2", "PDSm4DMP TD0.2", "An unknown INS gives status 200 without entry", records::unknown),
    row(
        "TD0.2-3",
        "PDSm4DMP TD0.2; BR-01",
        "TD0.2 answers a caller without authorisation, with his status",
        records::status_of_blocked,
    ),
    row("TD1.1-1", "BR-02", "A system opens a record with fr-core-patient-ins: 201, Location, ETag", records::open),
    row("TD1.1-2", "BR-02", "One INS has one record: opening it again is 409", records::open_again),
    row("TD1.1-3", "BR-02", "A professional does not open a record with a lone Patient: 422", records::lone_patient),
    row(
        "TD2-1",
        "IHE MHD ITI-105; PDSm simplified publish",
        "A CDA document is deposited: 201 with the DocumentReference",
        documents::deposit,
    ),
    row(
        "TD2-2",
        "PDSm 3.1.1; BR-47, BR-48",
        "The DocumentReference has uniqueId, SHA-1 and size of the document",
        documents::metadata,
    ),
    row("TD2-3", "BR-44", "The same document again is answered with the first one: 200", documents::again),
    row("TD2-4", "BR-48", "A wrong SHA-1 is refused: 422", documents::wrong_hash),
    row("TD3.1-1", "IHE MHD ITI-67", "The document is found by patient.identifier, type and status", documents::find),
    row("TD3.2-1", "IHE MHD ITI-68", "The original comes back byte for byte under its media type", documents::retrieve),
    row("TD3.2-2", "OWASP; PDSm4DMP TD3.2", "The original leaves with nosniff and as an attachment", documents::retrieve_headers),
    row(
        "DATA-1",
        "IHE QEDm; C7",
        "The result is found by patient, code and date, with unit, range and interpretation",
        results::find,
    ),
    row("DATA-2", "R4 http.html#read", "The result is read by id, with ETag and Last-Modified", results::read),
    row("DATA-3", "R4 xml.html", "The same result comes as XML", results::xml),
    row("DATA-4", "R4 http.html#vread", "Its version is read, and a current ETag gives 304", results::version),
    row("DATA-5", "IHE mXDE", "Its Provenance leads to the document", results::provenance),
    row(
        "DATA-6",
        "C1: every coded node accounted for",
        "$translation names target or reason of every coded node",
        results::translation,
    ),
    row("TRACE-1", "BR-27; IHE BALP", "The patient sees that the professional read the result", access::trace),
    row("TRACE-2", "BR-27", "A professional does not read the patient's trace", access::trace_of_others),
    row("AUTH-1", "RFC 6750", "Without token: 401 with WWW-Authenticate", access::no_token),
    row("AUTH-2", "RFC 8725, 3.1", "A token with alg none: 401", access::unsigned),
    row("ACCESS-1", "BR-19, BR-23", "A blocked professional: 403", access::blocked),
    row("ACCESS-2", "BR-18", "A record that does not authorise the professional: 403", access::not_authorised),
    row("SEARCH-1", "R4 search.html#errors", "An unknown parameter: 400 with an OperationOutcome", access::unknown_parameter),
    row("SEARCH-2", "R4 search.html#errors", "The same with handling=lenient: 200, absent from the self link", access::lenient),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_requirement_has_its_own_id_and_a_source() {
        let ids: HashSet<_> = REQUIREMENTS.iter().map(|requirement| requirement.id).collect();
        assert_eq!(ids.len(), REQUIREMENTS.len());
        assert!(REQUIREMENTS.iter().all(|requirement| !requirement.source.is_empty() && !requirement.text.is_empty()));
    }
}
