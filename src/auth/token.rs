//! Bearer tokens: JWT (RFC 7519) signed with RS256, PS256, ES256 or ES384, from issuers of the configuration.
//!
//! Claims stay close to Pro Santé Connect (BR-15) and the VIHF (BR-14); `README.md` beside this file lists them. Nothing
//! of a token is ever in a message.
use super::caller::{Caller, Professional, PurposeOfUse, System};
use super::key::{Algorithm, KeyError, SigningKey};
use crate::clock::Millis;
use crate::fhir::identifier::{Finess, Ins, Rpps};
use crate::fhir::{IssueKind, Problem};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use std::fmt;

/// Longest token that is read.
pub const TOKEN_BYTES_MAX: usize = 8 * 1024;
/// How far clocks may differ, in seconds.
pub const LEEWAY_S: i64 = 30;
const NO_TOKEN: &str = "A bearer token is required";

/// Where the keys of an issuer come from.
#[derive(Debug, Clone)]
pub enum KeySource {
    /// Text of a JSON Web Key Set.
    Jwks(String),
    /// Text of a PEM public key or certificate.
    Pem(String),
}

/// An issuer that is trusted, and for which audience.
#[derive(Debug, Clone)]
pub struct Trust {
    /// `iss`, compared as text.
    pub issuer: String,
    /// `aud` must be or contain this.
    pub audience: String,
    /// Its keys.
    pub keys: Vec<KeySource>,
}

struct Issuer {
    issuer: String,
    audience: String,
    keys: Vec<SigningKey>,
}

/// Says who is calling, from a token.
pub struct Verifier {
    issuers: Vec<Issuer>,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Verifier({} issuers)", self.issuers.len())
    }
}

impl Verifier {
    /// With these issuers; with none, no token is accepted.
    ///
    /// # Errors
    /// A key that cannot be read or is too weak.
    pub fn new(trusted: &[Trust]) -> Result<Self, KeyError> {
        let mut issuers = Vec::new();
        for trust in trusted {
            let mut keys = Vec::new();
            for source in &trust.keys {
                match source {
                    KeySource::Jwks(text) => keys.extend(SigningKey::from_jwks(text)?),
                    KeySource::Pem(text) => keys.push(SigningKey::from_pem(text)?),
                }
            }
            if keys.is_empty() {
                return Err(KeyError::Empty);
            }
            issuers.push(Issuer { issuer: trust.issuer.clone(), audience: trust.audience.clone(), keys });
        }
        Ok(Self { issuers })
    }

    /// Who calls with this token.
    ///
    /// # Errors
    /// `NotAuthenticated` (401) with the reason, without anything of the token.
    pub fn verify(&self, token: &str, now: Millis) -> Result<Caller, Problem> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(refused("The token is longer than 8 KiB"));
        }
        let mut parts = token.split('.');
        let (Some(header), Some(payload), Some(signature), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(refused("The token is not a signed JWT"));
        };
        let signed = token.get(..header.len() + 1 + payload.len()).unwrap_or_default();
        let (header, claims) = (object(header)?, object(payload)?);
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_source| refused("The signature is not base64url"))?;
        let algorithm = algorithm(&header)?;
        let issuer = claims.get("iss").and_then(Value::as_str);
        let issuer = self.issuers.iter().find(|known| Some(known.issuer.as_str()) == issuer);
        let Some(issuer) = issuer else { return Err(refused("The issuer of the token is not accepted")) };
        if !issuer.signed(&header, algorithm, signed.as_bytes(), &signature) {
            return Err(refused("The signature of the token is not one of a key of its issuer"));
        }
        check_audience(&claims, &issuer.audience)?;
        check_times(&claims, now)?;
        caller(&claims)
    }
}

impl Issuer {
    /// With a `kid` only the keys of that name (or without one) are tried.
    fn signed(&self, header: &Map<String, Value>, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        let kid = header.get("kid").and_then(Value::as_str);
        let named = |key: &&SigningKey| match (kid, &key.id) {
            (Some(kid), Some(id)) => kid == id,
            (None, _) | (_, None) => true,
        };
        self.keys.iter().filter(named).any(|key| key.verifies(algorithm, message, signature))
    }
}

/// A refusal: 401.
fn refused(why: &str) -> Problem {
    Problem::new(IssueKind::NotAuthenticated, why)
}

fn object(part: &str) -> Result<Map<String, Value>, Problem> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_source| refused("The token is not base64url"))?;
    serde_json::from_slice(&bytes).map_err(|_source| refused("The token is not JSON"))
}

fn algorithm(header: &Map<String, Value>) -> Result<Algorithm, Problem> {
    if header.contains_key("crit") {
        return Err(refused("The token has critical header parameters that are not known here"));
    }
    match header.get("typ").map(Value::as_str) {
        None => {}
        Some(Some(kind)) if kind.eq_ignore_ascii_case("JWT") || kind.eq_ignore_ascii_case("at+jwt") => {}
        Some(_) => return Err(refused("The token is not of type JWT")),
    }
    let algorithm = header.get("alg").and_then(Value::as_str).and_then(Algorithm::parse);
    algorithm.ok_or_else(|| refused("The algorithm of the token is not one of RS256, PS256, ES256, ES384"))
}

fn check_audience(claims: &Map<String, Value>, audience: &str) -> Result<(), Problem> {
    let named = match claims.get("aud") {
        Some(Value::String(one)) => one == audience,
        Some(Value::Array(several)) => several.iter().any(|one| one.as_str() == Some(audience)),
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) | None => false,
    };
    if named { Ok(()) } else { Err(refused("The token is for another audience")) }
}

fn check_times(claims: &Map<String, Value>, now: Millis) -> Result<(), Problem> {
    let now = now.0.div_euclid(1000);
    let time = |name: &str| match claims.get(name) {
        None => Ok(None),
        Some(value) => seconds(value).map(Some).ok_or_else(|| refused("A time in the token is not a number of seconds")),
    };
    let Some(expiry) = time("exp")? else { return Err(refused("The token has no expiry")) };
    if now >= expiry.saturating_add(LEEWAY_S) {
        return Err(refused("The token has expired"));
    }
    for (name, why) in [("nbf", "The token is not valid yet"), ("iat", "The token was issued in the future")] {
        if time(name)?.is_some_and(|time| time > now.saturating_add(LEEWAY_S)) {
            return Err(refused(why));
        }
    }
    Ok(())
}

/// A NumericDate: whole seconds, or the whole part of a decimal.
fn seconds(value: &Value) -> Option<i64> {
    let number = value.as_number()?.to_string();
    number.split('.').next().and_then(|whole| whole.parse().ok())
}

fn text<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    claims.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// The caller that verified claims name. Operator and server are never made from a token.
fn caller(claims: &Map<String, Value>) -> Result<Caller, Problem> {
    match text(claims, "dmp_role") {
        Some("professional") => professional(claims).map(Caller::Professional),
        Some("patient") => {
            let ins = text(claims, "dmp_ins").and_then(|ins| ins.split_once('|'));
            let ins = ins.and_then(|(oid, value)| Ins::new(oid, value));
            ins.map(Caller::Patient).ok_or_else(|| refused("Claim dmp_ins is not the INS of a patient (OID|matricule)"))
        }
        Some("system") => {
            let client = text(claims, "client_id").ok_or_else(|| refused("Claim client_id is required for a system"))?;
            let structure = structure(claims)?.ok_or_else(|| refused("Claim SubjectOrganizationID is required for a system"))?;
            let directory_writer = match claims.get("dmp_directory_writer") {
                None => false,
                Some(Value::Bool(right)) => *right,
                Some(_) => return Err(refused("Claim dmp_directory_writer is true or false")),
            };
            Ok(Caller::System(System { client: client.to_owned(), structure, directory_writer }))
        }
        Some(_) | None => Err(refused("Claim dmp_role is not one of professional, patient, system")),
    }
}

fn professional(claims: &Map<String, Value>) -> Result<Professional, Problem> {
    let rpps = text(claims, "SubjectNameID").and_then(Rpps::new);
    let rpps = rpps.ok_or_else(|| refused("Claim SubjectNameID is not an RPPS (8 and 11 digits)"))?;
    let purpose = match claims.get("PurposeOfUse").map(Value::as_str) {
        None | Some(Some("normal")) => PurposeOfUse::Normal,
        Some(Some("bris_de_glace")) => PurposeOfUse::BrisDeGlace,
        Some(Some("centre_15")) => PurposeOfUse::Centre15,
        Some(_) => return Err(refused("Claim PurposeOfUse is not one of normal, bris_de_glace, centre_15")),
    };
    let names = ["given_name", "family_name"].into_iter().filter_map(|name| text(claims, name));
    let name = names.collect::<Vec<_>>().join(" ");
    Ok(Professional { rpps, name, profession: profession(claims)?, structure: structure(claims)?, purpose })
}

/// The one profession of `SubjectRole`, such as `["10^1.2.250.1.213.1.1.5.5"]`: a caller with several chooses a
/// situation of work before he calls (BR-15).
fn profession(claims: &Map<String, Value>) -> Result<String, Problem> {
    let why = "Claim SubjectRole is not exactly one profession (code^OID)";
    let roles = claims.get("SubjectRole").and_then(Value::as_array).ok_or_else(|| refused(why))?;
    let [Value::String(role)] = roles.as_slice() else { return Err(refused(why)) };
    let code = role.split('^').next().unwrap_or_default();
    let plausible = !code.is_empty() && code.len() <= 32 && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if plausible { Ok(code.to_owned()) } else { Err(refused(why)) }
}

fn structure(claims: &Map<String, Value>) -> Result<Option<Finess>, Problem> {
    match text(claims, "SubjectOrganizationID") {
        None => Ok(None),
        Some(number) => Finess::new(number)
            .map(Some)
            .ok_or_else(|| refused("Claim SubjectOrganizationID is not a FINESS (1 and 9 characters)")),
    }
}

/// The token of an Authorization header.
///
/// # Errors
/// 401 where there is none, or another scheme.
pub fn bearer(authorization: Option<&str>) -> Result<&str, Problem> {
    let Some(header) = authorization else { return Err(refused(NO_TOKEN)) };
    let token = header.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("Bearer")).map(|(_, token)| token.trim());
    token.filter(|token| !token.is_empty()).ok_or_else(|| refused("The Authorization header is not a bearer token"))
}

/// `WWW-Authenticate` of a 401 (RFC 6750, 3): no error code where no token was sent.
#[must_use]
pub fn challenge(problem: &Problem) -> String {
    let why = problem.to_string();
    if why == NO_TOKEN {
        return "Bearer realm=\"dmp-fhir\"".to_owned();
    }
    // Texts of this module have no quotation mark; others are kept out of the quoted string all the same.
    let why: String =
        why.chars().filter(|character| (' '..='~').contains(character) && !['"', '\\'].contains(character)).collect();
    format!("Bearer realm=\"dmp-fhir\", error=\"invalid_token\", error_description=\"{why}\"")
}
