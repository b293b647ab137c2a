//! The threads of the store: readers, writers, and the one that makes the trace of all reads durable.
//!
//! SQLite has one writer thread, which groups the jobs that wait into one commit: a savepoint for each job, one COMMIT,
//! then the answers. PostgreSQL groups commits itself, so its writers run one transaction each.
use super::Shared;
use super::backend::{self, Dialect, Manager, Pooled, Role};
use super::error::StoreError;
use super::recorded::Recorded;
use super::trace;
use super::unit::{Mode, Unit};
use crate::audit::Outcome;
use crate::clock::{self, Millis};
use crate::fhir::Problem;
use crate::fhir::outcome::IssueKind;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};
use diesel::connection::SimpleConnection;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::oneshot;

/// Most jobs in one commit of SQLite: bounds how long the first of them waits.
const GROUP: usize = 128;
/// Longest time in milliseconds that a group takes new jobs in.
const GROUP_MS: i64 = 50;
/// How often a job runs where it may succeed when it runs again.
const AGAIN: usize = 4;

pub(super) type ReadJob = Box<dyn FnOnce(&Unit) -> Outcome + Send>;
pub(super) type WriteJob = Box<dyn FnMut(&Unit) -> Outcome + Send>;
type Reply = oneshot::Sender<Recorded>;

/// A job that waits for a thread.
pub(super) struct Task<J> {
    job: J,
    reply: Reply,
    deadline: Millis,
}

impl<J> Task<J> {
    pub(super) fn new(job: J, reply: Reply, shared: &Shared) -> Self {
        let limit = i64::try_from(shared.deadline.as_millis()).unwrap_or(i64::MAX);
        Self { job, reply, deadline: Millis(clock::now().0.saturating_add(limit)) }
    }
}

/// Time between two copies of SQLite's log into its file.
const CHECKPOINT_PAUSE: Duration = Duration::from_millis(500);

/// An outcome whose events are to be made durable.
struct TraceTask {
    outcome: Outcome,
    reply: Reply,
}

/// The queues and their threads.
pub(super) struct Engine {
    read: Option<Sender<Task<ReadJob>>>,
    write: Option<Sender<Task<WriteJob>>>,
    trace: Option<Sender<TraceTask>>,
    checkpoint: Option<Sender<()>>,
    threads: Vec<JoinHandle<()>>,
}

impl Engine {
    pub(super) fn start(shared: &Arc<Shared>, readers: usize, writers: usize, queue: usize) -> Result<Self, StoreError> {
        let (read, read_tasks) = bounded::<Task<ReadJob>>(queue.max(1));
        let (write, write_tasks) = bounded::<Task<WriteJob>>(queue.max(1));
        let (trace, trace_tasks) = bounded::<TraceTask>(queue.max(1));
        let mut threads = Vec::new();
        let mut start = |name: String, body: Box<dyn FnOnce() + Send>| -> Result<(), StoreError> {
            threads.push(std::thread::Builder::new().name(name).spawn(body).map_err(StoreError::Thread)?);
            Ok(())
        };
        for number in 0..readers {
            let (shared, tasks, trace) = (shared.clone(), read_tasks.clone(), trace.clone());
            start(format!("store-read-{number}"), Box::new(move || read_loop(&shared, &tasks, &trace)))?;
        }
        for number in 0..writers {
            let (shared, tasks) = (shared.clone(), write_tasks.clone());
            start(format!("store-write-{number}"), Box::new(move || write_loop(&shared, &tasks)))?;
        }
        let (checkpoint, stop) = bounded::<()>(0);
        if shared.location.dialect() == Dialect::Sqlite {
            let manager = Manager { location: shared.location.clone(), role: Role::Writer, deadline: shared.deadline };
            start("store-checkpoint".to_owned(), Box::new(move || checkpoint_loop(&manager, &stop)))?;
        }
        let shared = shared.clone();
        start("store-trace".to_owned(), Box::new(move || trace_loop(&shared, &trace_tasks)))?;
        Ok(Self { read: Some(read), write: Some(write), trace: Some(trace), checkpoint: Some(checkpoint), threads })
    }

    /// Whether the job could be queued.
    pub(super) fn read(&self, task: Task<ReadJob>) -> bool {
        self.read.as_ref().is_some_and(|queue| queue.try_send(task).is_ok())
    }
    /// Whether the job could be queued.
    pub(super) fn write(&self, task: Task<WriteJob>) -> bool {
        self.write.as_ref().is_some_and(|queue| queue.try_send(task).is_ok())
    }
    /// Whether the outcome could be queued; one without events needs no queue.
    pub(super) fn record(&self, outcome: Outcome, reply: Reply) -> bool {
        match &self.trace {
            Some(queue) => trace_or_answer(queue, outcome, reply, false),
            None => false,
        }
    }
}

impl Drop for Engine {
    /// Lets the threads finish what is queued, then waits for them.
    fn drop(&mut self) {
        self.read = None;
        self.write = None;
        self.trace = None;
        self.checkpoint = None;
        let own = std::thread::current().id();
        for thread in self.threads.drain(..) {
            // The last clone of the store may go inside a job, on one of these threads.
            if thread.thread().id() != own && thread.join().is_err() {
                tracing::error!("A thread of the store ended by a panic");
            }
        }
    }
}

/// SQLite: copies the log into the database file beside the writer, which then waits for its own commits only.
fn checkpoint_loop(manager: &Manager, stop: &Receiver<()>) {
    let mut connection = None;
    while matches!(stop.recv_timeout(CHECKPOINT_PAUSE), Err(RecvTimeoutError::Timeout)) {
        if connection.is_none() {
            connection = manager.connect().ok();
        }
        // PASSIVE takes what no reader holds and waits for nobody; what fails now is done the next time.
        if let Some(held) = &mut connection
            && let Err(error) = held.batch_execute("PRAGMA wal_checkpoint(PASSIVE)")
        {
            tracing::warn!(%error, "The log of the database was not copied into its file");
            connection = None;
        }
    }
}

fn timeout() -> Recorded {
    Recorded::refusal(IssueKind::Timeout, "The request waited longer than the limit")
}

/// An outcome without events is recorded as it is; others go to the trace writer.
fn trace_or_answer(queue: &Sender<TraceTask>, outcome: Outcome, reply: Reply, wait: bool) -> bool {
    if outcome.events.is_empty() {
        answer(reply, Recorded::new(outcome));
        return true;
    }
    let task = TraceTask { outcome, reply };
    if wait {
        return queue.send(task).is_ok();
    }
    match queue.try_send(task) {
        Ok(()) => true,
        Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => false,
    }
}

fn answer(reply: Reply, recorded: Recorded) {
    // Whoever asked may have gone away; the trace stays.
    drop(reply.send(recorded));
}

/// A defect of a job must not end its thread.
fn run_job(unit: &Unit, job: impl FnOnce(&Unit) -> Outcome) -> Outcome {
    catch_unwind(AssertUnwindSafe(|| job(unit))).unwrap_or_else(|_| {
        tracing::error!("A job panicked");
        Outcome::problem(&Problem::new(IssueKind::Internal, "A defect of this server"), Vec::new())
    })
}

// ---- reads

fn read_loop(shared: &Arc<Shared>, tasks: &Receiver<Task<ReadJob>>, trace: &Sender<TraceTask>) {
    for task in tasks {
        if clock::now() > task.deadline {
            answer(task.reply, timeout());
            continue;
        }
        let outcome = match snapshot(shared, task.job, task.deadline) {
            Ok(outcome) => outcome,
            Err(error) => Outcome::problem(&error.problem(), Vec::new()),
        };
        // Waiting here when the trace is slow bounds the work in the server.
        trace_or_answer(trace, outcome, task.reply, true);
    }
}

/// Runs the job on one snapshot, which ends before the trace is written.
fn snapshot(shared: &Arc<Shared>, job: ReadJob, deadline: Millis) -> Result<Outcome, StoreError> {
    // Before the snapshot: what ended by then is in it.
    let horizon = shared.flights.horizon();
    let text = match shared.location.dialect() {
        Dialect::Sqlite => "BEGIN",
        Dialect::Postgresql => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
    };
    let connection = backend::begin(&shared.readers, text)?;
    let unit = Unit::new(shared.clone(), connection, Mode::Read, clock::now(), horizon, deadline);
    let outcome = run_job(&unit, job);
    unit.into_connection().batch("ROLLBACK")?;
    Ok(outcome)
}

// ---- writes

fn write_loop(shared: &Arc<Shared>, tasks: &Receiver<Task<WriteJob>>) {
    for task in tasks {
        match shared.location.dialect() {
            Dialect::Sqlite => group(shared, task, tasks),
            Dialect::Postgresql => single(shared, task),
        }
    }
}

/// What a job left: its answer waits for the commit.
struct Done {
    outcome: Outcome,
    reply: Reply,
    start: Millis,
    last: i64,
}

/// SQLite: this job and those that wait, in one commit.
fn group(shared: &Arc<Shared>, first: Task<WriteJob>, tasks: &Receiver<Task<WriteJob>>) {
    let begun = clock::now().0;
    let mut done: Vec<Done> = Vec::new();
    let mut next = Some(first);
    let mut connection = match backend::begin(&shared.writers, "BEGIN IMMEDIATE") {
        Ok(connection) => Some(connection),
        Err(error) => {
            drop(error.problem());
            None
        }
    };
    while let Some(task) = next.take() {
        let Some(held) = connection.take() else {
            answer(task.reply, Recorded::refusal(IssueKind::Busy, "The database cannot be written now; try again"));
            break;
        };
        if clock::now() > task.deadline {
            answer(task.reply, timeout());
            connection = Some(held);
        } else {
            let Task { mut job, reply, deadline } = task;
            let start = shared.flights.begin();
            let (outcome, last, result) = savepoint(shared, held, &mut job, start, deadline);
            done.push(Done { outcome, reply, start, last });
            connection = result.ok();
        }
        if connection.is_some() && done.len() < GROUP && clock::now().0 - begun < GROUP_MS {
            next = tasks.try_recv().ok();
        }
    }
    let committed = connection.is_some_and(|mut held| match held.batch("COMMIT") {
        Ok(()) => true,
        Err(error) => {
            drop(error.problem());
            drop(held.batch("ROLLBACK"));
            false
        }
    });
    for Done { outcome, reply, start, last } in done {
        shared.flights.end(start, last);
        answer(reply, if committed { Recorded::new(outcome) } else { Recorded::without_trace() });
    }
}

/// One job between savepoints. Gives the connection back only while the group's transaction still stands: some faults
/// (disk full, I/O) make SQLite undo all of it, and then no job of the group may be answered as done.
fn savepoint(
    shared: &Arc<Shared>,
    mut connection: Pooled,
    job: &mut WriteJob,
    start: Millis,
    deadline: Millis,
) -> (Outcome, i64, Result<Pooled, ()>) {
    let mut attempt = 1;
    loop {
        if connection.batch("SAVEPOINT job").is_err() {
            drop(connection.batch("ROLLBACK"));
            return (broken(), start.0, Err(()));
        }
        let unit = Unit::new(shared.clone(), connection, Mode::Write, start, start.0, deadline);
        let mut outcome = run_job(&unit, |unit| job(unit));
        if unit.has_failed() && outcome.status < 400 {
            outcome = broken_with(outcome);
        }
        let (again, last) = (unit.may_run_again() && attempt < AGAIN, unit.last_stamp());
        connection = unit.into_connection();
        let mut steps = || -> Result<(), StoreError> {
            if outcome.status >= 400 {
                connection.batch("ROLLBACK TO job")?;
            }
            if !(again && outcome.status >= 400) {
                trace::write(&mut connection.connection, Dialect::Sqlite, shared, &outcome.events)?;
            }
            connection.batch("RELEASE job")
        };
        match steps() {
            Ok(()) if again && outcome.status >= 400 => attempt += 1,
            Ok(()) => return (outcome, last, Ok(connection)),
            Err(error) => {
                drop(error.problem());
                drop(connection.batch("ROLLBACK"));
                return (broken(), last, Err(()));
            }
        }
    }
}

fn broken() -> Outcome {
    Outcome::problem(&Problem::new(IssueKind::AuditUnavailable, "The database cannot be written now"), Vec::new())
}

/// A job that goes on after a failed statement has not done what its outcome says.
fn broken_with(outcome: Outcome) -> Outcome {
    tracing::error!("A job answered success after a failed statement");
    let events = outcome.events.into_iter().map(|event| crate::audit::Event {
        outcome: crate::audit::EventOutcome::SeriousFailure,
        status: 500,
        ..event
    });
    Outcome::problem(&Problem::new(IssueKind::Internal, "A statement failed"), events.collect())
}

/// PostgreSQL: one job, one transaction.
fn single(shared: &Arc<Shared>, task: Task<WriteJob>) {
    let Task { mut job, reply, deadline } = task;
    for attempt in 0..AGAIN {
        if clock::now() > deadline {
            return answer(reply, timeout());
        }
        let start = shared.flights.begin();
        let (result, last) = transaction(shared, &mut job, start, deadline, attempt + 1 < AGAIN);
        shared.flights.end(start, last);
        match result {
            Ok(Some(outcome)) => return answer(reply, Recorded::new(outcome)),
            Ok(None) => tracing::debug!(attempt, "A write runs again"),
            Err(error) => {
                let again = error.again() && attempt + 1 < AGAIN;
                drop(error.problem());
                if !again {
                    return answer(reply, Recorded::without_trace());
                }
            }
        }
    }
    answer(reply, Recorded::refusal(IssueKind::Busy, "The record is being written; try again"));
}

/// `None`: to be run again. The second value is the greatest `updated` written.
fn transaction(
    shared: &Arc<Shared>,
    job: &mut WriteJob,
    start: Millis,
    deadline: Millis,
    may_run_again: bool,
) -> (Result<Option<Outcome>, StoreError>, i64) {
    let connection = match backend::begin(&shared.writers, "BEGIN ISOLATION LEVEL READ COMMITTED") {
        Ok(connection) => connection,
        Err(error) => return (Err(error), start.0),
    };
    let unit = Unit::new(shared.clone(), connection, Mode::Write, start, start.0, deadline);
    let mut outcome = run_job(&unit, |unit| job(unit));
    if unit.has_failed() && outcome.status < 400 {
        outcome = broken_with(outcome);
    }
    let (again, last) = (unit.may_run_again() && may_run_again, unit.last_stamp());
    let mut connection = unit.into_connection();
    let again = again && outcome.status >= 400;
    let mut steps = || -> Result<(), StoreError> {
        if outcome.status >= 400 {
            connection.batch("ROLLBACK")?;
            if again {
                return Ok(());
            }
            connection.batch("BEGIN")?;
        }
        trace::write(&mut connection.connection, Dialect::Postgresql, shared, &outcome.events)?;
        connection.batch("COMMIT")
    };
    match steps() {
        Ok(()) => (Ok((!again).then_some(outcome)), last),
        Err(error) => {
            // A connection that is lost cannot be rolled back; the pool makes another.
            drop(connection.batch("ROLLBACK"));
            (Err(error), last)
        }
    }
}

// ---- trace of reads

fn trace_loop(shared: &Arc<Shared>, tasks: &Receiver<TraceTask>) {
    for first in tasks {
        let mut group = vec![first];
        while group.len() < 1024 {
            let Ok(task) = tasks.try_recv() else { break };
            group.push(task);
        }
        let written = trace_group(shared, &group);
        if let Err(error) = &written {
            drop(error.problem());
        }
        for TraceTask { outcome, reply } in group {
            answer(reply, if written.is_ok() { Recorded::new(outcome) } else { Recorded::without_trace() });
        }
    }
}

/// The rows of all these reads in one commit.
fn trace_group(shared: &Shared, group: &[TraceTask]) -> Result<(), StoreError> {
    let dialect = shared.location.dialect();
    let text = match dialect {
        Dialect::Sqlite => "BEGIN IMMEDIATE",
        Dialect::Postgresql => "BEGIN",
    };
    let mut connection = backend::begin(&shared.trace, text)?;
    let events = group.iter().flat_map(|task| &task.outcome.events);
    let written = trace::write(&mut connection.connection, dialect, shared, events);
    let written = written.and_then(|()| connection.batch("COMMIT"));
    if written.is_err() {
        drop(connection.batch("ROLLBACK"));
    }
    written
}
