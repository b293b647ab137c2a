//! Bad deposits: the right status, an outcome that says where, and nothing stored but the trace.
use crate::harness::server::World;
use crate::harness::{Answer, CHILD, Deposit, PAT_TROIS, Report, on_both};
use serde_json::json;

fn report() -> Report {
    Report::of(&PAT_TROIS, 1).result("3016-3", "2.1", "m[IU]/L", "20260401")
}

/// The report with one piece of its text replaced.
fn changed(from: &str, to: &str) -> Vec<u8> {
    let text = String::from_utf8(report().bytes()).unwrap();
    assert!(text.contains(from), "{from}");
    text.replacen(from, to, 1).into_bytes()
}

/// Sends what `send` sends and asserts that the refusal stores nothing; a refusal of content is traced.
#[track_caller]
fn refused(name: &str, status: u16, expression: Option<&str>, send: impl Fn(&World) -> Answer) {
    on_both(|world| {
        world.open_record(&PAT_TROIS);
        world.open_record(&CHILD);
        let (before, trace) = (world.counts(), world.trace_rows());
        let answer = send(world);
        assert_eq!(answer.status, status, "{name}: {}", answer.text());
        answer.refuses(status, "", None);
        if let Some(expression) = expression {
            let outcome = answer.json();
            let mut at = outcome["issue"].as_array().unwrap().iter().filter_map(|issue| issue["expression"][0].as_str());
            assert!(at.any(|at| at.starts_with(expression)), "{name}: not at {expression}: {outcome}");
        }
        assert!(
            !answer.text().contains(PAT_TROIS.ins) && !answer.text().contains(PAT_TROIS.family),
            "{name}: no identity in a refusal"
        );
        assert_eq!(world.counts(), before, "{name}: nothing is stored");
        if status == 422 {
            assert_eq!(world.trace_rows(), trace + 1, "{name}: the refusal is traced");
        }
    });
}

/// A deposit through the ordinary way.
#[track_caller]
fn deposit_refused(name: &str, expression: &str, prepare: impl Fn() -> Deposit) {
    refused(name, 422, Some(expression), |world| prepare().by(&world.hospital_system()));
}

const ATTACHMENT: &str = "DocumentReference.content[0].attachment";

#[test]
fn a_wrong_sha_1() {
    deposit_refused("hash", "DocumentReference.content[0].attachment.hash", || {
        report().deposit().with("/content/0/attachment/hash", "2jmj7l5rSw0yVb/vlWAYkK/YBwk=")
    });
}

#[test]
fn a_wrong_size() {
    deposit_refused("size", "DocumentReference.content[0].attachment.size", || {
        report().deposit().with("/content/0/attachment/size", 12)
    });
}

#[test]
fn the_document_of_another_patient() {
    deposit_refused("subject", ATTACHMENT, || report().deposit().with("/subject", CHILD.logical_reference()));
}

#[test]
fn a_document_whose_traits_are_not_those_of_the_record() {
    let cases = [
        (r#"<birthTime value="19790328"/>"#, r#"<birthTime value="19790329"/>"#),
        (r#"<administrativeGenderCode code="F""#, r#"<administrativeGenderCode code="M""#),
        (r#"<family qualifier="BR">PAT-TROIS"#, r#"<family qualifier="BR">PAT-QUATRE"#),
    ];
    for (from, to) in cases {
        deposit_refused(to, "DocumentReference", || Deposit::of(&changed(from, to)));
    }
}

#[test]
fn another_unique_id_than_the_headers() {
    deposit_refused("uniqueId", "DocumentReference.masterIdentifier", || {
        report().deposit().with("/masterIdentifier/value", "urn:oid:1.2.3.4")
    });
}

#[test]
fn another_type_than_the_headers() {
    deposit_refused("type", "DocumentReference.type", || report().deposit().with("/type/coding/0/code", "60591-5"));
}

#[test]
fn an_unknown_document_type() {
    deposit_refused("unknown type", "DocumentReference.type", || {
        Deposit::of(&changed(r#"<code code="11502-2""#, r#"<code code="99999-9""#))
    });
}

#[test]
fn a_record_that_does_not_exist() {
    deposit_refused("no record", "DocumentReference.subject", || {
        report().deposit().with("/subject/identifier/value", "155067200010159")
    });
}

#[test]
fn what_is_wrong_with_the_document_is_told_only_to_whom_the_rules_let_deposit() {
    // The document is read before the rules decide; what is said first is what they say.
    let cut = |deposit: Deposit| deposit.with("/content/0/attachment/size", 12);
    deposit_refused("no record", "DocumentReference.subject", || {
        cut(report().deposit()).with("/subject/identifier/value", "155067200010159")
    });
    refused("no token", 401, None, |world| cut(report().deposit()).by(&world.bearer(None)));
}

#[test]
fn a_label_that_is_not_enforced_yet() {
    deposit_refused("label", "DocumentReference.securityLabel", || {
        let system = "https://mos.esante.gouv.fr/NOS/TRE_A07-StatutVisibiliteDocument/FHIR/TRE-A07-StatutVisibiliteDocument";
        report().deposit().with("/securityLabel/0/coding/0", json!({"system": system, "code": "MASQUE_PS"}))
    });
}

#[test]
fn what_is_not_xml() {
    for bytes in [&b"%PDF-1.4 not a CDA"[..], b"<ClinicalDocument>", b"", b"\xff\xfe\x00<", b"<a/>"] {
        deposit_refused("not XML", ATTACHMENT, || report().deposit().with_file(bytes));
    }
}

#[test]
fn a_document_type_declaration() {
    let dtd = r#"<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c SYSTEM "file:///etc/passwd">]><ClinicalDocument "#;
    deposit_refused("DTD", ATTACHMENT, || report().deposit().with_file(&changed("<ClinicalDocument ", dtd)));
}

#[test]
fn a_hundred_thousand_attributes() {
    let many: String = (0..100_000).map(|number| format!(r#" a{number}="""#)).collect();
    let element = format!("<realmCode{many} ");
    let start = std::time::Instant::now();
    deposit_refused("attributes", ATTACHMENT, || report().deposit().with_file(&changed("<realmCode ", &element)));
    assert!(start.elapsed().as_secs() < 60, "the pre-scan is not quadratic");
}

#[test]
fn depth_without_end() {
    let deep = format!("<component>{}{}", "<section>".repeat(5_000), "</section>".repeat(5_000));
    deposit_refused("depth", ATTACHMENT, || report().deposit().with_file(&changed("<component>", &deep)));
}

#[test]
fn truncated_base64() {
    for data in ["PD94bWwgdmVyc2lvbj0iMS4w=", "PD94b", "****"] {
        deposit_refused("base64", "DocumentReference.content[0].attachment.data", || {
            report().deposit().with("/content/0/attachment/data", data)
        });
    }
}

#[test]
fn an_empty_array() {
    deposit_refused("empty array", "DocumentReference.category", || report().deposit().with("/category", json!([])));
}

#[test]
fn an_unknown_element() {
    deposit_refused("unknown element", "DocumentReference.content[0].attachment.colour", || {
        report().deposit().with("/content/0/attachment/colour", "blue")
    });
}

#[test]
fn a_key_that_stands_twice() {
    refused("duplicate key", 400, Some("DocumentReference.status"), |world| {
        let text = report().deposit().body.to_string().replacen(
            r#""status":"current""#,
            r#""status":"current","status":"superseded""#,
            1,
        );
        let headers = [("Content-Type", "application/fhir+json"), ("Accept", "application/fhir+json")];
        world.hospital_system().send("POST", "DocumentReference", &headers, text.into_bytes())
    });
}

#[test]
fn json_that_ends_early() {
    refused("cut", 400, None, |world| {
        let mut text = report().deposit().body.to_string().into_bytes();
        text.truncate(text.len() / 2);
        let headers = [("Content-Type", "application/fhir+json"), ("Accept", "application/fhir+json")];
        world.hospital_system().send("POST", "DocumentReference", &headers, text)
    });
}

#[test]
fn a_body_of_65_mebibytes() {
    refused("too large", 413, None, |world| {
        let body = report().deposit().with("/content/0/attachment/data", "A".repeat(65 << 20)).body.to_string().into_bytes();
        let headers = [("Content-Type", "application/fhir+json"), ("Accept", "application/fhir+json")];
        world.hospital_system().send("POST", "DocumentReference", &headers, body)
    });
}

#[test]
fn other_bytes_under_a_unique_id_that_is_taken() {
    on_both(|world| {
        world.open_record(&PAT_TROIS);
        let system = world.hospital_system();
        let first = report().deposit().filed_by(&system);
        let before = world.counts();
        let again = report().deposit().by(&system);
        assert_eq!(again.status, 200, "the same document again is there already: {}", again.text());
        assert_eq!(again.json()["id"], first["id"]);
        let other = Deposit::of(&changed("BIOCHIMIE", "CHIMIE")).by(&system);
        assert_eq!(other.status, 409, "{}", other.text());
        assert_eq!(world.counts(), before);
    });
}

#[test]
fn a_hash_in_hexadecimal_is_accepted_with_a_warning() {
    on_both(|world| {
        world.open_record(&PAT_TROIS);
        let bytes = report().bytes();
        let hexadecimal: String = openssl::sha::sha1(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        let hash = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, hexadecimal);
        report().deposit().with("/content/0/attachment/hash", hash).filed_by(&world.hospital_system());
    });
}
