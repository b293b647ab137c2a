//! Public keys that sign tokens, and the four algorithms that are accepted.
//!
//! Verified with OpenSSL itself: `jsonwebtoken` would need a provider of the whole process that has no OpenSSL form, and
//! panics where one of its functions is missing.
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::ecdsa::EcdsaSig;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey, Public};
use openssl::rsa::{Padding, Rsa};
use openssl::sign::{RsaPssSaltlen, Verifier};
use serde::Deserialize;

/// An accepted algorithm. `none`, HS and all others do not parse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    Rs256,
    Ps256,
    Es256,
    Es384,
}

impl Algorithm {
    pub(super) fn parse(name: &str) -> Option<Self> {
        match name {
            "RS256" => Some(Self::Rs256),
            "PS256" => Some(Self::Ps256),
            "ES256" => Some(Self::Es256),
            "ES384" => Some(Self::Es384),
            _ => None,
        }
    }
}

/// What a key is, which decides the algorithms that it may be used with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KeyKind {
    Rsa,
    P256,
    P384,
}

/// Why a key of the configuration is refused.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Not a PEM public key or certificate.
    #[error("not a PEM public key or certificate")]
    Pem(#[source] ErrorStack),
    /// Not a JSON Web Key Set.
    #[error("not a JSON Web Key Set (RFC 7517)")]
    Jwks(#[source] serde_json::Error),
    /// A key of the set whose numbers are not a key.
    #[error("a key of the set is not well-formed")]
    Jwk,
    /// RSA below 2048 bits, or a curve other than P-256 and P-384.
    #[error("only RSA keys of 2048 to 8192 bits and keys on P-256 or P-384 are accepted")]
    Weak,
    /// No key at all that signs tokens.
    #[error("the key set has no key that signs tokens")]
    Empty,
}

/// A key that signs tokens.
#[derive(Clone)]
pub(super) struct SigningKey {
    pub(super) id: Option<String>,
    kind: KeyKind,
    algorithm: Option<Algorithm>,
    key: PKey<Public>,
}

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Jwk>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    #[serde(rename = "use")]
    usage: Option<String>,
    alg: Option<String>,
    kid: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl SigningKey {
    /// From a PEM public key or certificate.
    pub(super) fn from_pem(pem: &str) -> Result<Self, KeyError> {
        let key = match PKey::public_key_from_pem(pem.as_bytes()) {
            Ok(key) => key,
            Err(error) => openssl::x509::X509::from_pem(pem.as_bytes())
                .and_then(|certificate| certificate.public_key())
                .map_err(|_not_a_certificate| KeyError::Pem(error))?,
        };
        Self::new(key, None, None)
    }

    /// From a JSON Web Key Set; keys of other kinds and uses in it are left out.
    pub(super) fn from_jwks(text: &str) -> Result<Vec<Self>, KeyError> {
        let set: KeySet = serde_json::from_str(text).map_err(KeyError::Jwks)?;
        let mut keys = Vec::new();
        for jwk in set.keys.iter().filter(|jwk| jwk.usage.as_deref().is_none_or(|usage| usage == "sig")) {
            let algorithm = match jwk.alg.as_deref().map(Algorithm::parse) {
                None => None,
                Some(Some(algorithm)) => Some(algorithm),
                Some(None) => continue,
            };
            let key = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
                ("RSA", _) => jwk.rsa()?,
                ("EC", Some("P-256")) => jwk.ec(Nid::X9_62_PRIME256V1)?,
                ("EC", Some("P-384")) => jwk.ec(Nid::SECP384R1)?,
                _ => continue,
            };
            keys.push(Self::new(key, jwk.kid.clone(), algorithm)?);
        }
        if keys.is_empty() { Err(KeyError::Empty) } else { Ok(keys) }
    }

    fn new(key: PKey<Public>, id: Option<String>, algorithm: Option<Algorithm>) -> Result<Self, KeyError> {
        let kind = match key.id() {
            Id::RSA if (2048..=8192).contains(&key.bits()) => KeyKind::Rsa,
            Id::EC => match key.ec_key().ok().and_then(|key| key.group().curve_name()) {
                Some(Nid::X9_62_PRIME256V1) => KeyKind::P256,
                Some(Nid::SECP384R1) => KeyKind::P384,
                _ => return Err(KeyError::Weak),
            },
            _ => return Err(KeyError::Weak),
        };
        Ok(Self { id, kind, algorithm, key })
    }

    /// Whether this key signed `message`; false as well where the algorithm is not one of this key.
    pub(super) fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        if self.algorithm.is_some_and(|only| only != algorithm) {
            return false;
        }
        let verified = match (self.kind, algorithm) {
            (KeyKind::Rsa, Algorithm::Rs256) => self.rsa(Padding::PKCS1, message, signature),
            (KeyKind::Rsa, Algorithm::Ps256) => self.rsa(Padding::PKCS1_PSS, message, signature),
            (KeyKind::P256, Algorithm::Es256) => self.ec(MessageDigest::sha256(), 32, message, signature),
            (KeyKind::P384, Algorithm::Es384) => self.ec(MessageDigest::sha384(), 48, message, signature),
            (KeyKind::Rsa | KeyKind::P384, Algorithm::Es256)
            | (KeyKind::Rsa | KeyKind::P256, Algorithm::Es384)
            | (KeyKind::P256 | KeyKind::P384, Algorithm::Rs256 | Algorithm::Ps256) => return false,
        };
        verified.unwrap_or(false)
    }

    fn rsa(&self, padding: Padding, message: &[u8], signature: &[u8]) -> Result<bool, ErrorStack> {
        let mut verifier = Verifier::new(MessageDigest::sha256(), &self.key)?;
        verifier.set_rsa_padding(padding)?;
        if padding == Padding::PKCS1_PSS {
            verifier.set_rsa_pss_saltlen(RsaPssSaltlen::DIGEST_LENGTH)?;
            verifier.set_rsa_mgf1_md(MessageDigest::sha256())?;
        }
        verifier.verify_oneshot(signature, message)
    }

    /// A JWS has r and s side by side (RFC 7518, 3.4); OpenSSL wants them as DER.
    fn ec(&self, digest: MessageDigest, size: usize, message: &[u8], signature: &[u8]) -> Result<bool, ErrorStack> {
        if signature.len() != 2 * size {
            return Ok(false);
        }
        let (r, s) = signature.split_at(size);
        let der = EcdsaSig::from_private_components(BigNum::from_slice(r)?, BigNum::from_slice(s)?)?.to_der()?;
        Verifier::new(digest, &self.key)?.verify_oneshot(&der, message)
    }
}

impl Jwk {
    fn number(text: Option<&String>) -> Result<BigNum, KeyError> {
        let bytes = text.and_then(|text| URL_SAFE_NO_PAD.decode(text).ok()).ok_or(KeyError::Jwk)?;
        BigNum::from_slice(&bytes).map_err(|_source| KeyError::Jwk)
    }
    fn rsa(&self) -> Result<PKey<Public>, KeyError> {
        let (n, e) = (Self::number(self.n.as_ref())?, Self::number(self.e.as_ref())?);
        Rsa::from_public_components(n, e).and_then(PKey::from_rsa).map_err(|_source| KeyError::Jwk)
    }
    /// OpenSSL checks that the point is on the curve.
    fn ec(&self, curve: Nid) -> Result<PKey<Public>, KeyError> {
        let (x, y) = (Self::number(self.x.as_ref())?, Self::number(self.y.as_ref())?);
        let group = EcGroup::from_curve_name(curve).map_err(|_source| KeyError::Jwk)?;
        EcKey::from_public_key_affine_coordinates(&group, &x, &y).and_then(PKey::from_ec_key).map_err(|_source| KeyError::Jwk)
    }
}
