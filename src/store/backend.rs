//! The two databases behind one connection type, and the pools of connections.
use super::error::StoreError;
use diesel::connection::SimpleConnection;
use diesel::{Connection as _, PgConnection, SqliteConnection};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(super) use multi::AnyConnection;

/// What the derive makes stays in a module of its own.
mod multi {
    #![expect(unreachable_pub, reason = "made by the derive of Diesel")]
    use diesel::{PgConnection, SqliteConnection};

    /// A connection to SQLite or to PostgreSQL.
    #[derive(diesel::MultiConnection)]
    pub enum AnyConnection {
        Sqlite(SqliteConnection),
        Postgresql(PgConnection),
    }
}

/// Which SQL is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Sqlite,
    Postgresql,
}

/// Where the database is.
#[derive(Clone)]
pub(super) enum Location {
    /// A file; its trace and its master key lie beside it.
    Sqlite(PathBuf),
    /// URL of a PostgreSQL database, and the folder of the master key where there is one.
    Postgresql(String),
}

impl Location {
    /// An unknown scheme is refused, never guessed.
    pub(super) fn parse(database: &str) -> Result<Self, StoreError> {
        if database.starts_with("postgres://") || database.starts_with("postgresql://") {
            return Ok(Self::Postgresql(database.to_owned()));
        }
        match database.split_once(':') {
            Some(("sqlite", path)) if !path.is_empty() && !path.starts_with(':') => Ok(Self::Sqlite(PathBuf::from(path))),
            Some((scheme, _)) => Err(StoreError::Scheme { scheme: scheme.to_owned() }),
            None => Err(StoreError::Scheme { scheme: String::new() }),
        }
    }

    pub(super) fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite(_) => Dialect::Sqlite,
            Self::Postgresql(_) => Dialect::Postgresql,
        }
    }

    /// `<db><suffix>`, such as `dmp.sqlite.trace`.
    pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    }
}

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Snapshots: cannot write.
    Reader,
    /// The one writer of SQLite, or one of those of PostgreSQL.
    Writer,
    /// The trace of reads: its own file on SQLite.
    Trace,
}

/// Opens and checks the connections of a pool.
pub(super) struct Manager {
    pub(super) location: Location,
    pub(super) role: Role,
    pub(super) deadline: Duration,
}

impl Manager {
    /// A new connection with its settings.
    pub(super) fn connect(&self) -> Result<AnyConnection, StoreError> {
        match &self.location {
            Location::Sqlite(path) => self.sqlite(path),
            Location::Postgresql(url) => {
                let mut connection = PgConnection::establish(url)?;
                let ms = self.deadline.as_millis();
                let read_only = if self.role == Role::Reader { "on" } else { "off" };
                connection.batch_execute(&format!(
                    "SET statement_timeout = {ms}; SET lock_timeout = {ms}; SET idle_in_transaction_session_timeout = {}; \
                     SET synchronous_commit = on; SET default_transaction_read_only = {read_only}; SET client_min_messages = warning",
                    ms.saturating_mul(2)
                ))?;
                Ok(AnyConnection::Postgresql(connection))
            }
        }
    }

    fn sqlite(&self, path: &Path) -> Result<AnyConnection, StoreError> {
        let file = if self.role == Role::Trace { Location::beside(path, ".trace") } else { path.to_owned() };
        let mut connection = SqliteConnection::establish(&file.to_string_lossy())?;
        // busy_timeout stands before anything that can meet a lock, journal_mode included.
        connection.batch_execute(&format!(
            "PRAGMA busy_timeout = {}; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = OFF; \
             PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF",
            self.deadline.as_millis()
        ))?;
        // Index rows go to pages all over the file: the one writer keeps more of them, and copies them into the file less often.
        connection.batch_execute(match self.role {
            Role::Writer => "PRAGMA cache_size = -32768; PRAGMA wal_autocheckpoint = 8000",
            Role::Reader | Role::Trace => "PRAGMA cache_size = -8192",
        })?;
        if self.role == Role::Reader {
            let trace = Location::beside(path, ".trace").to_string_lossy().replace('\'', "''");
            connection.batch_execute(&format!("ATTACH DATABASE '{trace}' AS trace; PRAGMA query_only = ON"))?;
        }
        Ok(AnyConnection::Sqlite(connection))
    }
}

/// A connection of a pool, and whether it may go back to it.
pub(super) struct Held {
    pub(super) connection: AnyConnection,
    broken: bool,
}

impl Held {
    /// Statements without binds that begin or end a transaction. Where one fails, the connection is not used again.
    pub(super) fn batch(&mut self, text: &str) -> Result<(), StoreError> {
        self.connection.batch_execute(text).map_err(|error| {
            self.broken = true;
            error.into()
        })
    }
}

impl r2d2::ManageConnection for Manager {
    type Connection = Held;
    type Error = StoreError;

    fn connect(&self) -> Result<Held, StoreError> {
        Ok(Held { connection: Self::connect(self)?, broken: false })
    }

    fn is_valid(&self, held: &mut Held) -> Result<(), StoreError> {
        held.batch("SELECT 1")
    }

    fn has_broken(&self, held: &mut Held) -> bool {
        held.broken
    }
}

/// A pool of connections of one role.
pub(super) type Pool = r2d2::Pool<Manager>;
/// A connection of a pool.
pub(super) type Pooled = r2d2::PooledConnection<Manager>;

/// Opens a pool of this size; connections are made at once, so that a wrong setting stops the start.
pub(super) fn pool(manager: Manager, size: usize) -> Result<Pool, StoreError> {
    let size = u32::try_from(size.max(1)).unwrap_or(u32::MAX);
    // The threads that use a pool are as many as its connections, so a wait means that one is being made again.
    let timeout = manager.deadline.min(Duration::from_secs(10));
    Ok(r2d2::Pool::builder().max_size(size).test_on_check_out(false).connection_timeout(timeout).build(manager)?)
}

/// Takes a connection and begins a transaction on it. One that the server has dropped meanwhile is replaced, once.
pub(super) fn begin(pool: &Pool, text: &str) -> Result<Pooled, StoreError> {
    let mut held = pool.get()?;
    if held.batch(text).is_ok() {
        return Ok(held);
    }
    drop(held);
    let mut held = pool.get()?;
    held.batch(text)?;
    Ok(held)
}
