//! The only source of settings: flag, then environment variable, then a line of `dmp-fhir.toml`.
//!
//! A wrong setting stops the start with its name, its value and the permitted ones.
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Settings as a person states them: every one is a flag, a variable and a line of the file.
#[derive(Debug, Clone, Default, clap::Args, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Options {
    /// Address and port to listen on; port 0 takes a free one [default: 127.0.0.1:8080]
    #[arg(long, env = "DMP_FHIR_LISTEN")]
    pub listen: Option<String>,
    /// `sqlite:FILE` or `postgres://...` [default: sqlite:dmp.sqlite]
    #[arg(long, env = "DMP_FHIR_DATABASE")]
    pub database: Option<String>,
    /// Accept tokens of the local issuer of this database's folder (loopback listeners only)
    #[arg(long, env = "DMP_FHIR_LOCAL_ISSUER", num_args = 0..=1, default_missing_value = "true")]
    pub local_issuer: Option<bool>,
    /// Base URL that clients see, behind a proxy: `https://dmp.example/fhir`
    #[arg(long, env = "DMP_FHIR_PUBLIC_URL")]
    pub public_url: Option<String>,
    /// Issuer (`iss`) whose tokens are accepted
    #[arg(long, env = "DMP_FHIR_ISSUER")]
    pub issuer: Option<String>,
    /// Audience (`aud`) that tokens must name [default: the base URL]
    #[arg(long, env = "DMP_FHIR_AUDIENCE")]
    pub audience: Option<String>,
    /// File of the issuer's public keys (JWKS or PEM)
    #[arg(long, env = "DMP_FHIR_JWKS")]
    pub jwks: Option<PathBuf>,
    /// File of the key that wraps the keys of the records (default: DATABASE.key beside a SQLite file, otherwise dmp-fhir.key)
    #[arg(long, env = "DMP_FHIR_MASTER_KEY")]
    pub master_key: Option<PathBuf>,
    /// Certificate chain (PEM) to serve HTTPS
    #[arg(long, env = "DMP_FHIR_TLS_CERT")]
    pub tls_cert: Option<PathBuf>,
    /// Private key (PEM) of the certificate
    #[arg(long, env = "DMP_FHIR_TLS_KEY")]
    pub tls_key: Option<PathBuf>,
    /// Accept INS of the test and demonstration OIDs (decision 13) [default: false; demo: true]
    #[arg(long, env = "DMP_FHIR_TEST_INS", num_args = 0..=1, default_missing_value = "true")]
    pub test_ins: Option<bool>,
    /// Time zone of dates without one [default: Europe/Paris]
    #[arg(long, env = "DMP_FHIR_TIME_ZONE")]
    pub time_zone: Option<String>,
    /// Greatest request body, bytes, also after decompression [default: 67108864]
    #[arg(long, env = "DMP_FHIR_BODY_BYTES_MAX")]
    pub body_bytes_max: Option<usize>,
    /// Most entries of a Bundle [default: 1000]
    #[arg(long, env = "DMP_FHIR_BUNDLE_ENTRIES_MAX")]
    pub bundle_entries_max: Option<usize>,
    /// Most resources that one page includes [default: 1000]
    #[arg(long, env = "DMP_FHIR_INCLUDES_MAX")]
    pub includes_max: Option<usize>,
    /// Longest time for one request, seconds [default: 30]
    #[arg(long, env = "DMP_FHIR_REQUEST_SECONDS_MAX")]
    pub request_seconds_max: Option<u64>,
    /// Most requests of one caller in a minute [default: 60000]
    #[arg(long, env = "DMP_FHIR_REQUESTS_PER_MINUTE")]
    pub requests_per_minute: Option<u32>,
    /// Most TD0.2 questions (`Patient?identifier=`) of one caller in a minute [default: 600]
    #[arg(long, env = "DMP_FHIR_EXISTENCE_PER_MINUTE")]
    pub existence_per_minute: Option<u32>,
    /// Folder of SearchParameter resources (`*.json`): search parameters of your own
    #[arg(long, env = "DMP_FHIR_SEARCH_PARAMETERS")]
    pub search_parameters: Option<PathBuf>,
    /// What is logged: `error`, `warn`, `info`, `debug` or a filter of modules [default: info]
    #[arg(long, env = "DMP_FHIR_LOG")]
    pub log: Option<String>,
}

/// A setting that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A value outside the permitted ones.
    #[error("setting `{name}` has the value `{value}`, permitted: {permitted}")]
    Value {
        /// Name of the setting.
        name: &'static str,
        /// What was given.
        value: String,
        /// What may be given.
        permitted: &'static str,
    },
    /// The file of settings cannot be read.
    #[error("settings file `{}` cannot be read", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file of settings is not TOML, or has a line that is no setting.
    #[error("settings file `{}` is wrong: {source}", path.display())]
    Toml {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<toml::de::Error>,
    },
}

/// Settings as the program uses them: complete and checked.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where to listen.
    pub listen: SocketAddr,
    /// `sqlite:FILE` or `postgres://...`.
    pub database: String,
    /// Whether tokens of the local issuer are accepted.
    pub local_issuer: bool,
    /// Base URL that clients see; `None` = `http://<listen>/fhir`.
    pub public_url: Option<String>,
    /// Accepted issuer.
    pub issuer: Option<String>,
    /// Required audience.
    pub audience: Option<String>,
    /// Keys of the issuer.
    pub jwks: Option<PathBuf>,
    /// File of the key that wraps the keys of the records; `None` = beside the database.
    pub master_key: Option<PathBuf>,
    /// Certificate chain and key.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// Whether test and demonstration INS are accepted.
    pub test_ins: bool,
    /// Zone of dates without one.
    pub time_zone: jiff::tz::TimeZone,
    /// Greatest body, bytes.
    pub body_bytes_max: usize,
    /// Most entries of a Bundle.
    pub bundle_entries_max: usize,
    /// Most included resources of a page.
    pub includes_max: usize,
    /// Longest time for one request, seconds.
    pub request_seconds_max: u64,
    /// Most requests of one caller in a minute.
    pub requests_per_minute: u32,
    /// Most TD0.2 questions of one caller in a minute.
    pub existence_per_minute: u32,
    /// Folder of the operator's search parameters.
    pub search_parameters: Option<PathBuf>,
    /// Log filter.
    pub log: String,
}

/// The file that is read where it exists in the current folder.
pub const FILE: &str = "dmp-fhir.toml";

impl Options {
    /// What the file says, for whatever flags and variables leave open.
    ///
    /// # Errors
    /// A file that exists and cannot be read, is not TOML, or has a line that is no setting.
    pub fn or_file(self, path: &Path) -> Result<Self, ConfigError> {
        if !path.exists() {
            return Ok(self);
        }
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::File { path: path.to_owned(), source })?;
        let file: Self =
            toml::from_str(&text).map_err(|source| ConfigError::Toml { path: path.to_owned(), source: Box::new(source) })?;
        Ok(self.or(file))
    }

    /// These options, and `other` where they say nothing.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            listen: self.listen.or(other.listen),
            database: self.database.or(other.database),
            local_issuer: self.local_issuer.or(other.local_issuer),
            public_url: self.public_url.or(other.public_url),
            issuer: self.issuer.or(other.issuer),
            audience: self.audience.or(other.audience),
            jwks: self.jwks.or(other.jwks),
            master_key: self.master_key.or(other.master_key),
            tls_cert: self.tls_cert.or(other.tls_cert),
            tls_key: self.tls_key.or(other.tls_key),
            test_ins: self.test_ins.or(other.test_ins),
            time_zone: self.time_zone.or(other.time_zone),
            body_bytes_max: self.body_bytes_max.or(other.body_bytes_max),
            bundle_entries_max: self.bundle_entries_max.or(other.bundle_entries_max),
            includes_max: self.includes_max.or(other.includes_max),
            request_seconds_max: self.request_seconds_max.or(other.request_seconds_max),
            requests_per_minute: self.requests_per_minute.or(other.requests_per_minute),
            existence_per_minute: self.existence_per_minute.or(other.existence_per_minute),
            search_parameters: self.search_parameters.or(other.search_parameters),
            log: self.log.or(other.log),
        }
    }

    /// Completes and checks.
    ///
    /// # Errors
    /// A value that is not permitted, with the permitted ones.
    pub fn settings(self) -> Result<Settings, ConfigError> {
        let wrong = |name, value: &str, permitted| ConfigError::Value { name, value: value.to_owned(), permitted };
        let listen = self.listen.unwrap_or_else(|| "127.0.0.1:8080".into());
        let listen: SocketAddr = listen
            .parse()
            .map_err(|_not_an_address| wrong("listen", &listen, "an IP address and a port, such as 127.0.0.1:8080"))?;
        let database = self.database.unwrap_or_else(|| "sqlite:dmp.sqlite".into());
        if !["sqlite:", "postgres://", "postgresql://"].iter().any(|scheme| database.starts_with(scheme)) {
            // A database URL may hold a password: only its scheme is shown.
            let scheme = database.split(':').next().unwrap_or_default();
            return Err(wrong("database", scheme, "sqlite:FILE, postgres://USER@HOST/NAME"));
        }
        let local_issuer = self.local_issuer.unwrap_or(false);
        if local_issuer && !listen.ip().is_loopback() {
            return Err(wrong("listen", &listen.to_string(), "a loopback address, while local-issuer is on"));
        }
        let zone = self.time_zone.unwrap_or_else(|| "Europe/Paris".into());
        let time_zone = jiff::tz::TimeZone::get(&zone)
            .map_err(|_unknown| wrong("time-zone", &zone, "a name of the IANA database, such as Europe/Paris"))?;
        let tls = match (self.tls_cert, self.tls_key) {
            (Some(cert), Some(key)) => Some((cert, key)),
            (None, None) => None,
            (Some(_), None) => return Err(wrong("tls-key", "", "a PEM file, where tls-cert is given")),
            (None, Some(_)) => return Err(wrong("tls-cert", "", "a PEM file, where tls-key is given")),
        };
        if self.issuer.is_some() != self.jwks.is_some() {
            return Err(wrong(
                "issuer",
                self.issuer.as_deref().unwrap_or_default(),
                "an issuer together with jwks, its key file",
            ));
        }
        readable("jwks", self.jwks.as_deref())?;
        if let Some((cert, key)) = &tls {
            readable("tls-cert", Some(cert))?;
            readable("tls-key", Some(key))?;
        }
        let public_url = match self.public_url {
            Some(url) if url.starts_with("http://") || url.starts_with("https://") => Some(url.trim_end_matches('/').to_owned()),
            Some(url) => return Err(wrong("public-url", &url, "an http or https URL that ends with the FHIR base")),
            None => None,
        };
        Ok(Settings {
            listen,
            database,
            local_issuer,
            public_url,
            issuer: self.issuer,
            audience: self.audience,
            jwks: self.jwks,
            master_key: self.master_key,
            tls,
            test_ins: self.test_ins.unwrap_or(false),
            time_zone,
            body_bytes_max: positive("body-bytes-max", self.body_bytes_max.unwrap_or(64 << 20))?,
            bundle_entries_max: positive("bundle-entries-max", self.bundle_entries_max.unwrap_or(1_000))?,
            includes_max: positive("includes-max", self.includes_max.unwrap_or(1_000))?,
            request_seconds_max: positive("request-seconds-max", self.request_seconds_max.unwrap_or(30))?,
            requests_per_minute: positive("requests-per-minute", self.requests_per_minute.unwrap_or(60_000))?,
            existence_per_minute: positive("existence-per-minute", self.existence_per_minute.unwrap_or(600))?,
            search_parameters: self.search_parameters,
            log: self.log.unwrap_or_else(|| "info".into()),
        })
    }
}

/// A file that the server must read: named before anything starts.
fn readable(name: &'static str, file: Option<&Path>) -> Result<(), ConfigError> {
    match file {
        Some(path) if std::fs::File::open(path).is_err() => {
            Err(ConfigError::Value { name, value: path.display().to_string(), permitted: "a file that this user can read" })
        }
        Some(_) | None => Ok(()),
    }
}

/// A bound of 0 would refuse everything.
fn positive<N: Copy + Default + PartialEq>(name: &'static str, number: N) -> Result<N, ConfigError> {
    if number == N::default() {
        return Err(ConfigError::Value { name, value: "0".to_owned(), permitted: "1 or more" });
    }
    Ok(number)
}

impl Settings {
    /// The folder that holds the database and, beside it, the local issuer's key; the current one for PostgreSQL.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        let file = self.database.strip_prefix("sqlite:").map(Path::new);
        let parent = file.and_then(Path::parent).filter(|parent| !parent.as_os_str().is_empty());
        parent.map_or_else(|| PathBuf::from("."), Path::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(change: impl FnOnce(&mut Options)) -> Result<Settings, ConfigError> {
        let mut options = Options::default();
        change(&mut options);
        options.settings()
    }

    #[test]
    fn without_any_setting_it_serves_sqlite_on_loopback_and_accepts_no_token() {
        let settings = settings(|_| {}).unwrap();
        assert_eq!(settings.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(settings.database, "sqlite:dmp.sqlite");
        assert!(!settings.local_issuer && settings.issuer.is_none());
    }

    #[test]
    fn a_listener_other_than_loopback_refuses_the_local_issuer() {
        let refused = settings(|options| {
            options.listen = Some("0.0.0.0:80".into());
            options.local_issuer = Some(true);
        });
        assert!(refused.unwrap_err().to_string().contains("`listen`"));
    }

    #[test]
    fn an_unknown_database_is_refused_and_its_password_is_not_shown() {
        let text = settings(|options| options.database = Some("mysql://user:secret@host".into())).unwrap_err().to_string();
        assert!(text.contains("`database`") && text.contains("sqlite:FILE") && !text.contains("secret"));
    }

    #[test]
    fn a_key_file_that_is_not_there_and_a_bound_of_0_are_refused_by_name() {
        let missing = settings(|options| {
            options.issuer = Some("https://issuer.example".into());
            options.jwks = Some("/none".into());
        });
        assert!(missing.unwrap_err().to_string().contains("`jwks` has the value `/none`"));
        let zero = settings(|options| options.requests_per_minute = Some(0));
        assert!(zero.unwrap_err().to_string().contains("`requests-per-minute` has the value `0`"));
    }

    #[test]
    fn a_flag_goes_before_the_file() {
        let flag = Options { listen: Some("127.0.0.1:1".into()), ..Options::default() };
        let file = Options { listen: Some("127.0.0.1:2".into()), log: Some("debug".into()), ..Options::default() };
        let merged = flag.or(file);
        assert_eq!((merged.listen.as_deref(), merged.log.as_deref()), (Some("127.0.0.1:1"), Some("debug")));
    }
}
