//! Who may call: tokens of the accepted algorithms, issuers, audiences and times; everything else is 401.
use super::*;
use crate::clock::Millis;
use crate::fhir::Problem;
use crate::fhir::identifier::{Finess, Ins, Rpps};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use openssl::ec::{EcGroup, EcKey};
use openssl::ecdsa::EcdsaSig;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::{Padding, Rsa};
use openssl::sign::{RsaPssSaltlen, Signer};
use serde_json::{Value, json};
use std::sync::LazyLock;
use std::time::Duration;

const NOW: Millis = Millis(1_795_527_271_000);
const NOW_S: i64 = 1_795_527_271;

static RSA: LazyLock<PKey<Private>> = LazyLock::new(|| PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap());
static P256: LazyLock<PKey<Private>> = LazyLock::new(|| curve(Nid::X9_62_PRIME256V1));
static P384: LazyLock<PKey<Private>> = LazyLock::new(|| curve(Nid::SECP384R1));

fn curve(name: Nid) -> PKey<Private> {
    PKey::from_ec_key(EcKey::generate(&EcGroup::from_curve_name(name).unwrap()).unwrap()).unwrap()
}

fn pem(key: &PKey<Private>) -> String {
    String::from_utf8(key.public_key_to_pem().unwrap()).unwrap()
}

fn verifier() -> Verifier {
    let keys = [&*RSA, &*P256, &*P384].map(|key| KeySource::Pem(pem(key))).to_vec();
    Verifier::new(&[Trust { issuer: "https://issuer.example".into(), audience: "dmp".into(), keys }]).unwrap()
}

fn claims() -> Value {
    json!({
        "iss": "https://issuer.example", "aud": "dmp", "exp": NOW_S + 60, "iat": NOW_S, "dmp_role": "professional",
        "SubjectNameID": "899700218896", "SubjectRole": ["10^1.2.250.1.213.1.1.5.5"], "family_name": "MARTIN",
        "given_name": "Camille", "SubjectOrganizationID": "1750803447"})
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

fn signature(algorithm: &str, key: &PKey<Private>, message: &[u8]) -> Vec<u8> {
    let raw = |digest: &[u8], size: i32| {
        let signature = EcdsaSig::sign(digest, &key.ec_key().unwrap()).unwrap();
        [signature.r().to_vec_padded(size).unwrap(), signature.s().to_vec_padded(size).unwrap()].concat()
    };
    match algorithm {
        "ES256" => raw(&openssl::sha::sha256(message), 32),
        "ES384" => raw(&openssl::sha::sha384(message), 48),
        "HS256" => Signer::new(MessageDigest::sha256(), key).unwrap().sign_oneshot_to_vec(message).unwrap(),
        "none" => Vec::new(),
        _ => {
            let mut signer = Signer::new(MessageDigest::sha256(), key).unwrap();
            if algorithm == "PS256" {
                signer.set_rsa_padding(Padding::PKCS1_PSS).unwrap();
                signer.set_rsa_pss_saltlen(RsaPssSaltlen::DIGEST_LENGTH).unwrap();
            }
            signer.sign_oneshot_to_vec(message).unwrap()
        }
    }
}

fn token(header: Value, claims: &Value, algorithm: &str, key: &PKey<Private>) -> String {
    let signed = format!("{}.{}", BASE64.encode(header.to_string()), BASE64.encode(claims.to_string()));
    let signature = signature(algorithm, key, signed.as_bytes());
    format!("{signed}.{}", BASE64.encode(signature))
}

fn es256(claims: &Value) -> String {
    token(json!({"alg": "ES256", "typ": "JWT"}), claims, "ES256", &P256)
}

fn refused(token: &str, why: &str) {
    let problem: Problem = verifier().verify(token, NOW).unwrap_err();
    assert_eq!((problem.status(), problem.to_string()), (401, why.to_owned()));
}

#[test]
fn a_professional_is_known_by_rpps_profession_and_structure() {
    let caller = verifier().verify(&es256(&claims()), NOW).unwrap();
    assert!(
        caller
            == Caller::Professional(Professional {
                rpps: Rpps::new("99700218896").unwrap(),
                name: "Camille MARTIN".into(),
                profession: "10".into(),
                structure: Finess::new("750803447"),
                purpose: PurposeOfUse::Normal,
            })
    );
}

#[test]
fn the_four_algorithms_are_accepted_each_with_a_key_of_its_kind() {
    for (algorithm, key) in [("RS256", &*RSA), ("PS256", &*RSA), ("ES256", &*P256), ("ES384", &*P384)] {
        let token = token(json!({"alg": algorithm}), &claims(), algorithm, key);
        assert!(verifier().verify(&token, NOW).is_ok(), "{algorithm}");
    }
}

#[test]
fn other_algorithms_are_refused_also_when_signed_with_the_public_key_as_a_secret() {
    let why = "The algorithm of the token is not one of RS256, PS256, ES256, ES384";
    let secret = PKey::hmac(pem(&RSA).as_bytes()).unwrap();
    for name in ["HS256", "none"] {
        refused(&token(json!({"alg": name}), &claims(), name, &secret), why);
    }
    for name in ["None", "NONE", "RS512", "ES512", "EdDSA", ""] {
        refused(&token(json!({"alg": name}), &claims(), "none", &secret), why);
    }
    refused(&token(json!({}), &claims(), "none", &secret), why);
}

#[test]
fn an_algorithm_that_is_not_of_the_key_and_a_foreign_key_are_refused() {
    let why = "The signature of the token is not one of a key of its issuer";
    refused(&token(json!({"alg": "ES384"}), &claims(), "ES256", &P256), why);
    refused(&token(json!({"alg": "PS256"}), &claims(), "RS256", &RSA), why);
    refused(&token(json!({"alg": "RS256"}), &claims(), "ES256", &P256), why);
    refused(&token(json!({"alg": "ES256"}), &claims(), "ES256", &curve(Nid::X9_62_PRIME256V1)), why);
    let signed = es256(&claims());
    let parts: Vec<&str> = signed.split('.').collect();
    let other = BASE64.encode(with("SubjectNameID", json!("899700218897")).to_string());
    refused(&format!("{}.{other}.{}", parts[0], parts[2]), why);
    refused(&format!("{}.{}.", parts[0], parts[1]), why);
}

#[test]
fn issuer_audience_and_times_are_checked() {
    refused(&es256(&with("iss", json!("https://other.example"))), "The issuer of the token is not accepted");
    refused(&es256(&with("iss", Value::Null)), "The issuer of the token is not accepted");
    for audience in [json!("other"), json!(["other"]), json!([]), Value::Null, json!(7)] {
        refused(&es256(&with("aud", audience)), "The token is for another audience");
    }
    assert!(verifier().verify(&es256(&with("aud", json!(["other", "dmp"]))), NOW).is_ok());
    refused(&es256(&with("exp", json!(NOW_S - 30))), "The token has expired");
    assert!(verifier().verify(&es256(&with("exp", json!(NOW_S - 29))), NOW).is_ok());
    refused(&es256(&with("nbf", json!(NOW_S + 31))), "The token is not valid yet");
    assert!(verifier().verify(&es256(&with("nbf", json!(NOW_S + 30))), NOW).is_ok());
    refused(&es256(&with("iat", json!(NOW_S + 31))), "The token was issued in the future");
    refused(&es256(&with("exp", json!("soon"))), "A time in the token is not a number of seconds");
    let mut without = claims();
    without.as_object_mut().unwrap().remove("exp");
    refused(&es256(&without), "The token has no expiry");
}

#[test]
fn claims_that_name_nobody_are_refused() {
    refused(&es256(&with("dmp_role", json!("operator"))), "Claim dmp_role is not one of professional, patient, system");
    refused(&es256(&with("SubjectNameID", json!("1234"))), "Claim SubjectNameID is not an RPPS (8 and 11 digits)");
    let roles = "Claim SubjectRole is not exactly one profession (code^OID)";
    for role in [json!([]), json!(["10^x", "21^x"]), json!("10"), json!(["^x"]), json!(["<b>"])] {
        refused(&es256(&with("SubjectRole", role)), roles);
    }
    let purpose = "Claim PurposeOfUse is not one of normal, bris_de_glace, centre_15";
    refused(&es256(&with("PurposeOfUse", json!("btg"))), purpose);
    refused(&es256(&with("PurposeOfUse", json!(["normal"]))), purpose);
    let structure = "Claim SubjectOrganizationID is not a FINESS (1 and 9 characters)";
    refused(&es256(&with("SubjectOrganizationID", json!("3750803447000"))), structure);
}

#[test]
fn what_is_not_a_jwt_is_refused_without_a_panic() {
    refused("", "The token is not a signed JWT");
    refused("a.b", "The token is not a signed JWT");
    refused("a.b.c.d", "The token is not a signed JWT");
    refused("é.é.é", "The token is not base64url");
    refused("..", "The token is not JSON");
    refused(&format!("{}.{}.", BASE64.encode("[]"), BASE64.encode("{}")), "The token is not JSON");
    refused(&"a".repeat(8193), "The token is longer than 8 KiB");
    refused(
        &token(json!({"alg": "ES256", "crit": ["b64"], "b64": false}), &claims(), "ES256", &P256),
        "The token has critical header parameters that are not known here",
    );
    refused(&token(json!({"alg": "ES256", "typ": "secevent+jwt"}), &claims(), "ES256", &P256), "The token is not of type JWT");
}

#[test]
fn without_an_issuer_no_token_is_accepted() {
    assert_eq!(Verifier::new(&[]).unwrap().verify(&es256(&claims()), NOW).unwrap_err().status(), 401);
}

#[test]
fn weak_and_unreadable_keys_stop_the_start() {
    let trust = |key| [Trust { issuer: "i".into(), audience: "a".into(), keys: vec![key] }];
    let weak = PKey::from_rsa(Rsa::generate(1024).unwrap()).unwrap();
    assert!(matches!(Verifier::new(&trust(KeySource::Pem(pem(&weak)))), Err(KeyError::Weak)));
    assert!(matches!(Verifier::new(&trust(KeySource::Pem("x".into()))), Err(KeyError::Pem(_))));
    assert!(matches!(Verifier::new(&trust(KeySource::Jwks("{}".into()))), Err(KeyError::Jwks(_))));
    let symmetric = r#"{"keys": [{"kty": "oct", "k": "AAAA"}]}"#;
    assert!(matches!(Verifier::new(&trust(KeySource::Jwks(symmetric.into()))), Err(KeyError::Empty)));
    let off_curve = r#"{"keys": [{"kty": "EC", "crv": "P-256", "x": "AQ", "y": "AQ"}]}"#;
    assert!(matches!(Verifier::new(&trust(KeySource::Jwks(off_curve.into()))), Err(KeyError::Jwk)));
}

fn callers() -> Vec<Caller> {
    let professional = |purpose| {
        Caller::Professional(Professional {
            rpps: Rpps::new("99700218896").unwrap(),
            name: "MARTIN".into(),
            profession: "10".into(),
            structure: Finess::new("750803447"),
            purpose,
        })
    };
    let system = |directory_writer| {
        Caller::System(System { client: "SIH".into(), structure: Finess::new("750803447").unwrap(), directory_writer })
    };
    let patient = Ins::new("1.2.250.1.213.1.4.10", "279035121518989").unwrap();
    let mut callers: Vec<Caller> =
        [PurposeOfUse::Normal, PurposeOfUse::BrisDeGlace, PurposeOfUse::Centre15].into_iter().map(professional).collect();
    callers.extend([Caller::Patient(patient), system(false), system(true)]);
    callers
}

#[test]
fn what_the_local_issuer_mints_names_the_same_caller_by_key_set_and_by_pem() {
    let issuer = LocalIssuer::ephemeral().unwrap();
    let by_pem = Trust { keys: vec![KeySource::Pem(issuer.public_key_pem().unwrap())], ..issuer.trust().unwrap() };
    for trust in [issuer.trust().unwrap(), by_pem] {
        let verifier = Verifier::new(&[trust]).unwrap();
        for caller in callers() {
            let token = issuer.mint(&TokenRequest::new(caller.clone()), NOW).unwrap();
            assert!(verifier.verify(&token, NOW).unwrap() == caller, "{caller:?}");
        }
    }
}

#[test]
fn tokens_for_tests_of_refusal_are_refused() {
    let issuer = LocalIssuer::ephemeral().unwrap();
    let verifier = Verifier::new(&[issuer.trust().unwrap()]).unwrap();
    let caller = callers().remove(0);
    let good = TokenRequest::new(caller);
    for (request, why) in [
        (TokenRequest { ttl_s: -60, ..good.clone() }, "The token has expired"),
        (TokenRequest { audience: Some("other".into()), ..good.clone() }, "The token is for another audience"),
        (TokenRequest { issuer: Some("other".into()), ..good.clone() }, "The issuer of the token is not accepted"),
        (TokenRequest { not_before: Some(Duration::from_secs(600)), ..good.clone() }, "The token is not valid yet"),
    ] {
        let token = issuer.mint(&request, NOW).unwrap();
        assert_eq!(verifier.verify(&token, NOW).unwrap_err().to_string(), why);
    }
    assert!(matches!(issuer.mint(&TokenRequest::new(Caller::Operator), NOW), Err(IssuerError::Caller)));
}

#[test]
fn the_key_of_the_local_issuer_is_kept_for_its_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let first = LocalIssuer::open(folder.path()).unwrap();
    assert_eq!(first.jwks().unwrap(), LocalIssuer::open(folder.path()).unwrap().jwks().unwrap());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let file = folder.path().join(issuer::KEY_FILE);
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(LocalIssuer::open(folder.path()), Err(IssuerError::Mode { .. })));
    }
}

#[test]
fn a_challenge_tells_the_reason_and_nothing_of_the_token() {
    let none = bearer(None).unwrap_err();
    assert_eq!(challenge(&none), "Bearer realm=\"dmp-fhir\"");
    let basic = bearer(Some("Basic dXNlcjpzZWNyZXQ=")).unwrap_err();
    assert_eq!(
        challenge(&basic),
        "Bearer realm=\"dmp-fhir\", error=\"invalid_token\", error_description=\"The Authorization header is not a bearer token\""
    );
    assert_eq!(bearer(Some("bearer abc")).unwrap(), "abc");
    assert_eq!(bearer(Some("Bearer ")).unwrap_err().status(), 401);
}
