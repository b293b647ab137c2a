//! The local issuer: mints tokens for the demo and for tests. `serve` trusts it only where it is asked to.
use super::caller::{Caller, PurposeOfUse};
use super::token::{KeySource, Trust};
use crate::clock::Millis;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openssl::bn::BigNumContext;
use openssl::ec::{EcGroup, EcKey};
use openssl::ecdsa::EcdsaSig;
use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::sha::sha256;
use serde_json::{Map, Value, json};
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::{fmt, time::Duration};

/// Name of the key file, in the folder of the database.
pub const KEY_FILE: &str = "dmp-fhir-local-issuer.pem";

/// Why the local issuer cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum IssuerError {
    /// The key file cannot be read or written.
    #[error("the key file {path} of the local issuer cannot be used")]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The key file is readable by others than its owner.
    #[error("the key file {path} is open to other users: make it 0600")]
    Mode {
        /// The file.
        path: PathBuf,
    },
    /// OpenSSL cannot make, read or use the key.
    #[error("the key of the local issuer cannot be used")]
    Key(#[from] ErrorStack),
    /// Operator and server do not call with tokens.
    #[error("only professionals, patients and systems have tokens")]
    Caller,
}

/// Mints ES256 tokens with a key of its own, kept in a file.
pub struct LocalIssuer {
    key: EcKey<Private>,
    kid: String,
}

impl fmt::Debug for LocalIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LocalIssuer(..)")
    }
}

/// What a token says.
#[derive(Debug, Clone)]
pub struct TokenRequest {
    /// Whom it names.
    pub caller: Caller,
    /// Seconds until it expires; negative for one that has expired.
    pub ttl_s: i64,
    /// `aud`; the one that the server accepts where `None`.
    pub audience: Option<String>,
    /// `iss`; the local issuer's where `None`.
    pub issuer: Option<String>,
    /// From when it is valid, after the time of minting.
    pub not_before: Option<Duration>,
    /// `scope`, which the server accepts and does not use yet.
    pub scope: Option<String>,
}

impl TokenRequest {
    /// A token for one hour.
    #[must_use]
    pub fn new(caller: Caller) -> Self {
        Self { caller, ttl_s: 3600, audience: None, issuer: None, not_before: None, scope: None }
    }
}

impl LocalIssuer {
    /// Its `iss`.
    pub const ISSUER: &'static str = "urn:dmp-fhir:local-issuer";
    /// Its `aud`.
    pub const AUDIENCE: &'static str = "dmp-fhir";

    /// The issuer of this folder; its key is made the first time.
    ///
    /// # Errors
    /// A file that cannot be made or read, or that others can read.
    pub fn open(folder: &Path) -> Result<Self, IssuerError> {
        let path = folder.join(KEY_FILE);
        let file_error = |source| IssuerError::File { path: path.clone(), source };
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        match options.open(&path) {
            Ok(mut file) => {
                let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
                let key = EcKey::generate(&group)?;
                file.write_all(&PKey::from_ec_key(key.clone())?.private_key_to_pem_pkcs8()?).map_err(file_error)?;
                file.sync_all().map_err(file_error)?;
                Self::with_key(key)
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                #[cfg(unix)]
                {
                    let metadata = fs::metadata(&path).map_err(file_error)?;
                    if std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o077 != 0 {
                        return Err(IssuerError::Mode { path });
                    }
                }
                Self::with_key(EcKey::private_key_from_pem(&fs::read(&path).map_err(file_error)?)?)
            }
            Err(error) => Err(file_error(error)),
        }
    }

    /// An issuer whose key is never kept, for tests and throw-away databases.
    ///
    /// # Errors
    /// Where OpenSSL cannot make a key.
    pub fn ephemeral() -> Result<Self, IssuerError> {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
        Self::with_key(EcKey::generate(&group)?)
    }

    fn with_key(key: EcKey<Private>) -> Result<Self, IssuerError> {
        let public = PKey::from_ec_key(key.clone())?.public_key_to_der()?;
        let kid = URL_SAFE_NO_PAD.encode(sha256(&public));
        Ok(Self { key, kid })
    }

    /// Its public key in PEM, for a server that is to accept its tokens.
    ///
    /// # Errors
    /// Where OpenSSL cannot write it.
    pub fn public_key_pem(&self) -> Result<String, IssuerError> {
        let pem = PKey::from_ec_key(self.key.clone())?.public_key_to_pem()?;
        Ok(String::from_utf8_lossy(&pem).into_owned())
    }

    /// Its public key as a JSON Web Key Set.
    ///
    /// # Errors
    /// Where OpenSSL cannot write it.
    pub fn jwks(&self) -> Result<String, IssuerError> {
        let mut context = BigNumContext::new()?;
        let (mut x, mut y) = (openssl::bn::BigNum::new()?, openssl::bn::BigNum::new()?);
        self.key.public_key().affine_coordinates(self.key.group(), &mut x, &mut y, &mut context)?;
        let (x, y) = (URL_SAFE_NO_PAD.encode(x.to_vec_padded(32)?), URL_SAFE_NO_PAD.encode(y.to_vec_padded(32)?));
        let key = json!({"kty": "EC", "crv": "P-256", "x": x, "y": y, "use": "sig", "alg": "ES256", "kid": self.kid});
        Ok(json!({"keys": [key]}).to_string())
    }

    /// What a verifier needs to accept its tokens.
    ///
    /// # Errors
    /// Where OpenSSL cannot write the public key.
    pub fn trust(&self) -> Result<Trust, IssuerError> {
        let keys = vec![KeySource::Jwks(self.jwks()?)];
        Ok(Trust { issuer: Self::ISSUER.to_owned(), audience: Self::AUDIENCE.to_owned(), keys })
    }

    /// A signed token.
    ///
    /// # Errors
    /// For operator and server, who have none; where OpenSSL cannot sign.
    pub fn mint(&self, request: &TokenRequest, now: Millis) -> Result<String, IssuerError> {
        let seconds = now.0.div_euclid(1000);
        let mut claims = claims(&request.caller)?;
        claims.insert("iss".into(), json!(request.issuer.as_deref().unwrap_or(Self::ISSUER)));
        claims.insert("aud".into(), json!(request.audience.as_deref().unwrap_or(Self::AUDIENCE)));
        claims.insert("iat".into(), json!(seconds));
        claims.insert("exp".into(), json!(seconds.saturating_add(request.ttl_s)));
        if let Some(delay) = request.not_before {
            claims.insert("nbf".into(), json!(seconds.saturating_add(i64::try_from(delay.as_secs()).unwrap_or(i64::MAX))));
        }
        if let Some(scope) = &request.scope {
            claims.insert("scope".into(), json!(scope));
        }
        let header = json!({"alg": "ES256", "typ": "JWT", "kid": self.kid}).to_string();
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(Value::Object(claims).to_string()));
        let signature = EcdsaSig::sign(&sha256(signed.as_bytes()), &self.key)?;
        let bytes = [signature.r().to_vec_padded(32)?, signature.s().to_vec_padded(32)?].concat();
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(bytes)))
    }
}

fn claims(caller: &Caller) -> Result<Map<String, Value>, IssuerError> {
    let claims = match caller {
        Caller::Professional(professional) => {
            let purpose = match professional.purpose {
                PurposeOfUse::Normal => "normal",
                PurposeOfUse::BrisDeGlace => "bris_de_glace",
                PurposeOfUse::Centre15 => "centre_15",
            };
            let mut claims = json!({
                "dmp_role": "professional", "sub": professional.rpps.ps_idnat(), "SubjectNameID": professional.rpps.ps_idnat(),
                "SubjectRole": [format!("{}^1.2.250.1.213.1.1.5.5", professional.profession)],
                "family_name": professional.name, "PurposeOfUse": purpose});
            if let (Some(structure), Some(claims)) = (&professional.structure, claims.as_object_mut()) {
                claims.insert("SubjectOrganizationID".into(), json!(structure.struct_idnat()));
            }
            claims
        }
        Caller::Patient(ins) => {
            let ins = format!("{}|{}", ins.oid(), ins.value());
            json!({"dmp_role": "patient", "sub": ins, "dmp_ins": ins})
        }
        Caller::System(system) => json!({
            "dmp_role": "system", "sub": system.client, "client_id": system.client,
            "SubjectOrganizationID": system.structure.struct_idnat(), "dmp_directory_writer": system.directory_writer}),
        Caller::Operator | Caller::Server => return Err(IssuerError::Caller),
    };
    match claims {
        Value::Object(claims) => Ok(claims),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Err(IssuerError::Caller),
    }
}
