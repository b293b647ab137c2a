//! Brings the schema up to date under a lock, and makes the keys of a new database.
use super::Settings;
use super::Shared;
use super::backend::{AnyConnection, Dialect, Location, Manager, Role};
use super::crypt::{self, Keys};
use super::error::StoreError;
use super::sql::Sql;
use crate::ids;
use diesel::connection::SimpleConnection;
use diesel::sql_types::{BigInt, Binary};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
const POSTGRESQL: EmbeddedMigrations = embed_migrations!("migrations/postgresql");
/// Number of the advisory lock under which one process migrates.
const LOCK: i64 = 0x444d_5046_4849_5200;
/// What the master key seals in `meta`, to be known again.
const CHECK: &[u8] = b"dmp-fhir master key";

/// Migrates and answers the keys.
pub(super) fn prepare(location: &Location, settings: &Settings, manager: &Manager) -> Result<Keys, StoreError> {
    match location {
        Location::Sqlite(path) => {
            let lock = Location::beside(path, ".lock");
            let file = private_file(&lock)?;
            file.lock().map_err(|source| StoreError::File { path: lock.display().to_string(), source })?;
            // Made before SQLite opens them: what it writes beside a file gets the rights of that file.
            private_file(path)?;
            private_file(&Location::beside(path, ".trace"))?;
            let mut connection = manager.connect()?;
            migrate(&mut connection)?;
            // The trace of reads has the same schema in a file of its own, so that both are read by one statement.
            migrate(&mut Manager { location: location.clone(), role: Role::Trace, deadline: manager.deadline }.connect()?)?;
            keys(&mut connection, Dialect::Sqlite, settings, Location::beside(path, ".key"))
        }
        Location::Postgresql(_) => {
            let mut connection = manager.connect()?;
            // A migration may take longer than a request, and another process waits for it; the lock goes with the session.
            connection
                .batch_execute(&format!("SET statement_timeout = 0; SET lock_timeout = 0; SELECT pg_advisory_lock({LOCK})"))?;
            migrate(&mut connection)?;
            keys(&mut connection, Dialect::Postgresql, settings, PathBuf::from("dmp-fhir.key"))
        }
    }
}

/// Opens a file, and makes it for this user alone where it is new: it holds health data.
fn private_file(path: &Path) -> Result<std::fs::File, StoreError> {
    let mut options = std::fs::OpenOptions::new();
    options.create(true).truncate(false).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(|source| StoreError::File { path: path.display().to_string(), source })
}

fn migrate(connection: &mut AnyConnection) -> Result<(), StoreError> {
    let result = match connection {
        AnyConnection::Sqlite(connection) => connection.run_pending_migrations(SQLITE).map(|_| ()),
        AnyConnection::Postgresql(connection) => connection.run_pending_migrations(POSTGRESQL).map(|_| ()),
    };
    result.map_err(|error| StoreError::Migration(error.to_string()))
}

fn keys(connection: &mut AnyConnection, dialect: Dialect, settings: &Settings, default: PathBuf) -> Result<Keys, StoreError> {
    let path = settings.master_key.as_deref().unwrap_or(default.as_path());
    let check = meta(connection, dialect, "master")?;
    let master = master(connection, dialect, path, check)?;
    Ok(Keys {
        id: secret(connection, dialect, "id")?,
        search: secret(connection, dialect, "search")?,
        cursor: secret(connection, dialect, "cursor")?,
        identity: secret(connection, dialect, "identity")?,
        master,
    })
}

fn master(connection: &mut AnyConnection, dialect: Dialect, path: &Path, check: Option<Vec<u8>>) -> Result<[u8; 32], StoreError> {
    let key = crypt::master_key(path, check.is_none())?;
    match check {
        Some(check) => match crypt::open(&key, b"meta", &check) {
            Ok(opened) if opened == CHECK => Ok(key),
            Ok(_) | Err(_) => Err(StoreError::Damaged("the master key file is of another database")),
        },
        None => {
            set_meta(connection, dialect, "master", crypt::seal(&key, b"meta", CHECK)?)?;
            Ok(key)
        }
    }
}

fn secret<const N: usize>(connection: &mut AnyConnection, dialect: Dialect, name: &str) -> Result<[u8; N], StoreError> {
    if let Some(value) = meta(connection, dialect, name)? {
        return <[u8; N]>::try_from(value).ok().ok_or(StoreError::Damaged("a key in meta has another length"));
    }
    let value = ids::random::<N>()?;
    set_meta(connection, dialect, name, value.to_vec())?;
    Ok(value)
}

fn meta(connection: &mut AnyConnection, dialect: Dialect, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
    let mut sql = Sql::new(dialect, "SELECT value FROM meta WHERE name = ");
    sql.text(name);
    sql.first::<Binary, Vec<u8>>(connection)
}

fn set_meta(connection: &mut AnyConnection, dialect: Dialect, name: &str, value: Vec<u8>) -> Result<(), StoreError> {
    let mut sql = Sql::new(dialect, "INSERT INTO meta (name, value) VALUES (");
    sql.text(name).push(", ").bytes(value).push(")");
    sql.execute(connection).map(|_| ())
}

/// Every table but those of Diesel itself.
const TABLES: [&str; 16] = [
    "meta", "record", "fact", "access", "identity", "alias", "resource", "history", "author", "token", "range", "text",
    "document", "content", "original", "audit",
];

/// Rows of each table.
pub(super) fn counts(shared: &Shared) -> Result<BTreeMap<&'static str, i64>, StoreError> {
    let mut held = shared.readers.get()?;
    let dialect = shared.location.dialect();
    let mut counts = BTreeMap::new();
    let mut count = |name: &'static str, table: String| -> Result<(), StoreError> {
        let rows = Sql::new(dialect, format!("SELECT COUNT(*) FROM {table}")).first::<BigInt, i64>(&mut held.connection)?;
        counts.insert(name, rows.unwrap_or(0));
        Ok(())
    };
    for table in TABLES {
        // Counting is the one statement that is not about resources but about tables.
        count(table, format!("\"{table}\""))?;
    }
    if dialect == Dialect::Sqlite {
        count("trace.audit", "trace.audit".to_owned())?;
    }
    Ok(counts)
}
