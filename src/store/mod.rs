//! The store: one plan and one SQL writer over SQLite and PostgreSQL; the only user of Diesel.
//!
//! # Invariants
//! - Every function takes the [`Unit`] (transaction or snapshot) and the [`Access`] that a permit opened on it; the record
//!   comes from the access, never from a second argument, and its scope stands in every statement.
//! - What the rules of a write must look at beyond that scope takes a [`WholeRecord`] instead, which nothing takes that answers.
//! - A version is written only where it is the next one, as its writer states it.
//! - `FROM resource` is written in one function (`select.rs`).
//! - An answer leaves only as [`Recorded`]: its trace is durable, or it holds no data.
//! - A write, its index rows and its trace are one transaction. Everything is the same on both databases.
//!
#![doc = include_str!("README.md")]
mod access;
mod alias;
mod audit;
mod backend;
mod body;
mod cohort;
mod crypt;
mod document;
mod engine;
mod error;
mod explain;
mod facts;
mod flights;
mod history;
mod matching;
mod migrate;
mod order;
mod ordered;
mod page;
mod predicate;
mod recorded;
mod resource;
mod rows;
mod rules;
mod search;
mod search_all;
mod select;
mod sql;
mod trace;
mod unit;

pub use alias::{alias_find, alias_put};
pub use audit::{AuditCursor, audit_hidden, audit_opened, audit_read, audit_search};
pub use document::{DocumentTwin, Original, document_find, document_get, document_put, document_register};
pub use error::StoreError;
pub use explain::{resource_search_explained, statistics_renew};
pub use facts::{facts_write, record_create};
pub use history::{HistoryOf, HistoryRequest, history_page};
pub use matching::resource_matches;
pub use ordered::resource_search_ordered;
pub use page::{Cursor, Page, PageRequest};
pub use recorded::Recorded;
pub use resource::{
    NewResource, Stored, id_of, resource_by_origin, resource_delete, resource_put, resource_read, resource_referred,
    resource_version_read, resource_withdrawn,
};
pub use rules::{
    Relabelled, authored_by, record_by_origin, record_consents, record_original, record_origins, record_places, record_resource,
    record_search, resource_put_versions, resource_relabel,
};
pub use search::{resource_places, resource_referring, resource_search};
pub use search_all::resource_search_all;
pub use unit::{Access, Unit, WholeRecord};

use crate::audit::Outcome;
use crate::fhir::outcome::IssueKind;
use crate::ids::{IdCipher, RidSource};
use backend::{Location, Manager, Pool, Role};
use crypt::Keys;
use engine::{Engine, Task};
use flights::Flights;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// How the store is opened.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `sqlite:<path>`, `postgres://...` or `postgresql://...`; any other scheme is refused.
    pub database: String,
    /// Threads (and connections) that answer reads.
    pub readers: usize,
    /// Threads (and connections) that write on PostgreSQL; SQLite has one writer.
    pub writers: usize,
    /// Requests that may wait for a thread; beyond, the answer is 503.
    pub queue: usize,
    /// Longest time of one request.
    pub deadline: Duration,
    /// File of the master key that wraps the keys of the records; `None`: `<database>.key` beside a SQLite file,
    /// `dmp-fhir.key` in the current folder for PostgreSQL.
    pub master_key: Option<PathBuf>,
    /// Level of zstd for bodies.
    pub compression: i32,
}

impl Settings {
    /// The defaults for this database.
    pub fn new(database: impl Into<String>) -> Self {
        let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        Self {
            database: database.into(),
            readers: cores.saturating_mul(2).clamp(4, 24),
            writers: cores.saturating_mul(2).clamp(4, 8),
            queue: 1024,
            deadline: Duration::from_secs(30),
            master_key: None,
            compression: 3,
        }
    }
}

/// What all threads share.
struct Shared {
    location: Location,
    keys: Keys,
    cipher: IdCipher,
    rids: RidSource,
    flights: Flights,
    deadline: Duration,
    compression: i32,
    readers: Pool,
    writers: Pool,
    trace: Pool,
}

/// The store. Cloning it shares the connections and threads; the last clone that goes waits for work under way.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
    engine: Arc<Engine>,
}

impl Store {
    /// Opens the database: brings its schema up to date under a lock, makes the keys of a new one, starts the threads.
    ///
    /// # Errors
    /// Unknown scheme, no connection, a failed migration, a master key that is absent or of another database.
    pub fn open(settings: &Settings) -> Result<Self, StoreError> {
        let location = Location::parse(&settings.database)?;
        let deadline = settings.deadline;
        let manager = |role| Manager { location: location.clone(), role, deadline };
        let keys = migrate::prepare(&location, settings, &manager(Role::Writer))?;
        let writers = match location {
            Location::Sqlite(_) => 1,
            Location::Postgresql(_) => settings.writers.max(1),
        };
        let readers = settings.readers.max(1);
        let shared = Arc::new(Shared {
            cipher: IdCipher::new(keys.id).ok().ok_or(StoreError::Damaged("the key of ids"))?,
            keys,
            rids: RidSource::default(),
            flights: Flights::default(),
            deadline,
            compression: settings.compression,
            // One more than the threads, for `counts`.
            readers: backend::pool(manager(Role::Reader), readers.saturating_add(1))?,
            writers: backend::pool(manager(Role::Writer), writers)?,
            trace: backend::pool(manager(Role::Trace), 1)?,
            location,
        });
        let engine = Engine::start(&shared, readers, writers, settings.queue)?;
        Ok(Self { shared, engine: Arc::new(engine) })
    }

    /// Seals and opens FHIR ids under the key of this database.
    #[must_use]
    pub fn id_cipher(&self) -> &IdCipher {
        &self.shared.cipher
    }

    /// The secret under which search keys are hashed.
    #[must_use]
    pub fn search_secret(&self) -> [u8; 16] {
        self.shared.keys.search
    }

    /// Runs a job on a snapshot; answers when the trace of its outcome is durable.
    pub async fn read<F>(&self, job: F) -> Recorded
    where
        F: FnOnce(&Unit) -> Outcome + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        self.wait(self.engine.read(Task::new(Box::new(job), reply, &self.shared)), answer).await
    }

    /// Runs a job in one transaction, its trace in the same; answers when both are durable.
    ///
    /// An outcome of status 400 or more undoes what the job did and keeps its events. The job may run again where a number for
    /// a resource was given twice; on PostgreSQL also after a deadlock, or where the facts of the record changed under it.
    pub async fn write<F>(&self, job: F) -> Recorded
    where
        F: FnMut(&Unit) -> Outcome + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        self.wait(self.engine.write(Task::new(Box::new(job), reply, &self.shared)), answer).await
    }

    /// Makes the trace of an outcome durable that was made without data.
    pub async fn record(&self, outcome: Outcome) -> Recorded {
        let (reply, answer) = oneshot::channel();
        if !self.engine.record(outcome, reply) {
            return Recorded::without_trace();
        }
        answer.await.unwrap_or_else(|_| Recorded::without_trace())
    }

    async fn wait(&self, queued: bool, answer: oneshot::Receiver<Recorded>) -> Recorded {
        if !queued {
            return Recorded::refusal(IssueKind::Busy, "The server has no capacity now; try again");
        }
        // The sender is dropped only where the work's thread ended before its answer: nothing was committed by it.
        answer.await.unwrap_or_else(|_| Recorded::without_trace())
    }

    /// Rows of each table (the trace of reads is `trace.audit` on SQLite, and in `audit` on PostgreSQL): for tests of
    /// what a refused request leaves behind.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn counts(&self) -> Result<BTreeMap<&'static str, i64>, StoreError> {
        migrate::counts(&self.shared)
    }
}
