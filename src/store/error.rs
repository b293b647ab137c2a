//! What can fail inside the store, and what the caller is told of it.
use crate::fhir::Problem;
use crate::fhir::outcome::IssueKind;

/// A failure of the store. Its text may name a file or a statement's fault, never data; it is logged, not answered.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The setting names neither SQLite nor PostgreSQL.
    #[error("database must be sqlite:<path>, postgres://... or postgresql://..., not scheme {scheme:?}")]
    Scheme {
        /// What stands before the first colon.
        scheme: String,
    },
    /// No connection.
    #[error("cannot connect to the database")]
    Connect(#[from] diesel::ConnectionError),
    /// No connection of the pool in time.
    #[error("no connection of the pool is free")]
    Pool(#[from] r2d2::Error),
    /// A statement failed.
    #[error("a statement failed: {kind}")]
    Statement {
        /// Kind of failure, without values.
        kind: String,
        /// Whether the same transaction may succeed when it runs again.
        again: bool,
    },
    /// The schema could not be brought up to date.
    #[error("migration failed: {0}")]
    Migration(String),
    /// A file beside the database.
    #[error("cannot use {path}")]
    File {
        /// Which.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// OpenSSL refused: wrong key or damaged bytes.
    #[error("a sealed value does not open")]
    Sealed(#[from] openssl::error::ErrorStack),
    /// What is stored is not what this program wrote.
    #[error("stored data is damaged: {0}")]
    Damaged(&'static str),
    /// Compression.
    #[error("compression failed")]
    Compression(#[source] std::io::Error),
    /// A thread could not start.
    #[error("cannot start a thread")]
    Thread(#[source] std::io::Error),
}

impl From<diesel::result::Error> for StoreError {
    /// Keeps the kind only: messages of a database may quote values.
    fn from(error: diesel::result::Error) -> Self {
        use diesel::result::{DatabaseErrorKind as Kind, Error};
        match error {
            Error::DatabaseError(kind, info) => {
                let message = info.message();
                // Diesel has no kind of its own for 40P01, SQLITE_BUSY and statement_timeout.
                let deadlock = message.contains("deadlock detected") || message.contains("could not serialize");
                let again = deadlock || matches!(kind, Kind::SerializationFailure);
                let busy = message.contains("database is locked");
                let timeout = message.contains("statement timeout") || message.contains("lock timeout");
                let name = if deadlock {
                    "deadlock"
                } else if busy {
                    "busy"
                } else if timeout {
                    "timeout"
                } else {
                    "database"
                };
                tracing::debug!(kind = ?kind, name, "Statement failed");
                Self::Statement { kind: format!("{kind:?} {name}"), again }
            }
            Error::NotFound => Self::Statement { kind: "no row".into(), again: false },
            other => {
                let kind = format!("{:?}", std::mem::discriminant(&other));
                Self::Statement { kind, again: false }
            }
        }
    }
}

impl StoreError {
    /// Whether the same transaction may succeed when it runs again.
    #[must_use]
    pub fn again(&self) -> bool {
        matches!(self, Self::Statement { again: true, .. })
    }

    /// What the caller is told: nothing of the cause, which is logged here, once.
    #[must_use]
    pub fn problem(&self) -> Problem {
        let timeout = matches!(self, Self::Statement { kind, .. } if kind.ends_with("timeout"));
        if timeout {
            return Problem::new(IssueKind::Timeout, "The database did not answer within the limit");
        }
        if self.again() || matches!(self, Self::Pool(_)) {
            return Problem::new(IssueKind::Busy, "The database has no capacity now; try again");
        }
        let error: &dyn std::error::Error = self;
        tracing::error!(error, "Store failed");
        Problem::new(IssueKind::Internal, "The database failed; the operator's log says why")
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        error.problem()
    }
}
