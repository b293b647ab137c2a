//! What the suite sends: a fresh test person, and a small laboratory report about a person the server knows.
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

/// OID of the test NIR.
pub(crate) const TEST_INS: &str = "urn:oid:1.2.250.1.213.1.4.10";

/// What makes one run differ from every other: the time of its start.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stamp {
    millis: u64,
}

impl Stamp {
    #[expect(clippy::disallowed_methods, reason = "each run needs a person and a document that no run before it had")]
    pub(crate) fn now() -> Self {
        let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { millis: u64::try_from(elapsed.as_millis()).unwrap_or_default() }
    }

    /// The day in UTC: `2026-11-24`.
    pub(crate) fn day(self) -> String {
        let (year, month, day) = civil(self.millis / 86_400_000);
        format!("{year:04}-{month:02}-{day:02}")
    }

    /// The time in UTC as HL7 V3 writes it.
    fn hl7(self) -> String {
        let seconds = self.millis / 1000 % 86_400;
        format!("{}{:02}{:02}{:02}+0000", self.day().replace('-', ""), seconds / 3600, seconds / 60 % 60, seconds % 60)
    }

    /// The same as FHIR writes it.
    fn fhir(self) -> String {
        let seconds = self.millis / 1000 % 86_400;
        format!("{}T{:02}:{:02}:{:02}Z", self.day(), seconds / 3600, seconds / 60 % 60, seconds % 60)
    }

    /// A unique identifier of a document, an OID of the UUID arc.
    pub(crate) fn document_oid(self) -> String {
        // A version 8 UUID (RFC 9562): version and variant bits, the rest is ours.
        let uuid = (u128::from(self.millis) << 80) | (8 << 76) | (2 << 62) | 0x00C0_4F0A;
        format!("2.25.{uuid}")
    }

    /// Matricule of a test NIR with a right key: two millions of them, chosen by the time.
    pub(crate) fn matricule(self) -> String {
        let tick = self.millis / 7;
        let (order, month, year) = (tick % 999 + 1, tick / 999 % 12 + 1, tick / 11_988 % 90 + 10);
        let number = format!("2{year:02}{month:02}35238{order:03}");
        let key = 97 - number.parse::<u64>().unwrap_or_default() % 97;
        format!("{number}{key:02}")
    }
}

/// Civil date of a day since 1970 (Hinnant's algorithm).
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

/// A Patient of profile fr-core-patient-ins with the five traits, whom nobody knows yet.
pub(crate) fn fresh_patient(matricule: &str) -> Value {
    let core = "https://hl7.fr/ig/fhir/core";
    let part = |from: usize, to: usize| matricule.get(from..to).unwrap_or_default();
    json!({
        "resourceType": "Patient",
        "meta": {"profile": [format!("{core}/StructureDefinition/fr-core-patient-ins")]},
        "extension": [
            {"url": format!("{core}/StructureDefinition/fr-core-identity-reliability"), "extension": [
                {"url": "identityStatus", "valueCoding": {"system": format!("{core}/CodeSystem/fr-core-cs-identity-status"), "code": "QUAL"}}
            ]},
            {"url": "http://hl7.org/fhir/StructureDefinition/patient-birthPlace", "valueAddress": {"city": "RENNES", "extension": [
                {"url": format!("{core}/StructureDefinition/fr-core-address-insee-code"), "valueCoding": {
                    "system": "https://mos.esante.gouv.fr/NOS/TRE_R13-CommuneOM/FHIR/TRE-R13-CommuneOM", "code": "35238"}}
            ]}}
        ],
        "identifier": [{
            "use": "official",
            "type": {"coding": [{"system": format!("{core}/CodeSystem/fr-core-cs-v2-0203"), "code": "INS-NIR-TEST"}]},
            "system": TEST_INS,
            "value": matricule
        }],
        "active": true,
        "name": [{
            "use": "official", "family": "ESSAI-CONFORMITE", "given": ["ALIX"],
            "extension": [{"url": format!("{core}/StructureDefinition/fr-core-patient-birth-list-given-name"), "valueString": "ALIX"}]
        }],
        "gender": "female",
        "birthDate": format!("19{}-{}-15", part(1, 3), part(3, 5))
    })
}

/// The small laboratory report: one HbA1c of 7.3 % (LOINC 4548-4), high.
pub(crate) struct Report {
    pub(crate) oid: String,
    pub(crate) bytes: Vec<u8>,
    time: String,
}

const TITLE: &str = "Compte rendu d'examens biologiques (suite de conformité)";

impl Report {
    /// About this Patient: INS, name, sex and birth date are those that the server has, so that they agree.
    pub(crate) fn about(patient: &Value, ins: (&str, &str), stamp: Stamp) -> Self {
        let oid = stamp.document_oid();
        let official = patient.get("name").and_then(Value::as_array).into_iter().flatten();
        let official = official.into_iter().find(|name| name.get("use").and_then(Value::as_str) == Some("official"));
        let of_name = |pointer: &str| official.and_then(|name| name.pointer(pointer)).and_then(Value::as_str).unwrap_or_default();
        let gender = match patient.get("gender").and_then(Value::as_str) {
            Some("female") => "F",
            Some("male") => "M",
            _ => "UN",
        };
        let birth = patient.get("birthDate").and_then(Value::as_str).unwrap_or_default().replace('-', "");
        let text = include_str!("report.xml")
            .replace("{oid}", &oid)
            .replace("{time}", &stamp.hl7())
            .replace("{title}", TITLE)
            .replace("{ins-root}", ins.0.trim_start_matches("urn:oid:"))
            .replace("{ins}", ins.1)
            .replace("{family}", &escaped(of_name("/family")))
            .replace("{given}", &escaped(of_name("/given/0")))
            .replace("{gender}", gender)
            .replace("{birth}", &birth);
        Self { oid, bytes: text.into_bytes(), time: stamp.fhir() }
    }

    /// Base64 of the SHA-1 of the raw bytes, as MHD has it.
    pub(crate) fn hash(&self) -> String {
        STANDARD.encode(sha1_smol::Sha1::from(&self.bytes).digest().bytes())
    }

    /// The ITI-105 deposit with this hash.
    pub(crate) fn deposit(&self, ins: (&str, &str), hash: &str) -> Vec<u8> {
        json!({
            "resourceType": "DocumentReference",
            "meta": {"profile": ["https://interop.esante.gouv.fr/ig/fhir/pdsm/StructureDefinition/pdsm-simplified-publish"]},
            "contained": [{
                "resourceType": "Practitioner", "id": "author",
                "identifier": [{"system": "https://rpps.esante.gouv.fr", "value": "99900000045"}],
                "name": [{"family": "ESSAI-SUREAU", "given": ["Nils"]}]
            }],
            "masterIdentifier": {"system": "urn:ietf:rfc:3986", "value": format!("urn:oid:{}", self.oid)},
            "status": "current",
            "type": {"coding": [{"system": "http://loinc.org", "code": "11502-2"}]},
            "subject": {"type": "Patient", "identifier": {"system": ins.0, "value": ins.1}},
            "date": self.time,
            "author": [{"reference": "#author"}],
            "content": [{
                "attachment": {
                    "contentType": "text/xml", "language": "fr-FR", "data": STANDARD.encode(&self.bytes), "size": self.bytes.len(),
                    "hash": hash, "title": TITLE, "creation": self.time
                },
                "format": {"system": "http://ihe.net/fhir/ihe.formatcode.fhir/CodeSystem/formatcode", "code": "urn:ihe:lab:xd-lab:2008"}
            }]
        })
        .to_string()
        .into_bytes()
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

/// A token that claims to need no signature (RFC 7519, 6): every server must refuse it.
pub(crate) fn unsigned_token() -> String {
    let part = |value: &Value| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.", part(&json!({"alg": "none", "typ": "JWT"})), part(&json!({"sub": "anyone", "exp": 4_102_444_800_u64})))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_number_becomes_its_date() {
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(20_781), (2026, 11, 24));
        assert_eq!(civil(19_782), (2024, 2, 29));
    }

    #[test]
    fn a_fresh_matricule_has_a_right_key() {
        for millis in (0..50).map(|n| 1_795_000_000_000 + n * 123_457) {
            let matricule = Stamp { millis }.matricule();
            let (number, key) = matricule.split_at(13);
            assert_eq!(97 - number.parse::<u64>().unwrap() % 97, key.parse::<u64>().unwrap());
        }
    }

    #[test]
    fn the_report_has_no_hole_left_and_the_hash_of_its_bytes() {
        let patient = fresh_patient("279035121518989");
        let report = Report::about(&patient, (TEST_INS, "279035121518989"), Stamp { millis: 1_795_000_000_000 });
        let text = String::from_utf8(report.bytes.clone()).unwrap();
        assert!(!text.contains('{') && text.contains("extension=\"279035121518989\""));
        assert!(text.contains("root=\"1.2.250.1.213.1.4.10\""));
        assert_eq!(sha1_smol::Sha1::from("abc").digest().to_string(), "a9993e364706816aba3e25717850c26c9cd0d89d");
        let deposit: Value = serde_json::from_slice(&report.deposit((TEST_INS, "1"), &report.hash())).unwrap();
        assert_eq!(deposit["content"][0]["attachment"]["hash"], report.hash());
    }
}
