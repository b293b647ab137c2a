//! The transaction or snapshot in which one request runs, and the access that a permit opens on it.
use super::Shared;
use super::backend::{AnyConnection, Dialect, Pooled};
use super::error::StoreError;
use super::facts;
use super::sql::Sql;
use crate::clock::{self, Millis};
use crate::fhir::Problem;
use crate::fhir::interaction::RecordName;
use crate::fhir::outcome::IssueKind;
use crate::ids::{Pid, Rid};
use crate::policy::{Facts, Masks, Permit, ReadScope};
use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// What a unit may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Read,
    Write,
}

/// The transaction (of a write) or snapshot (of a read) in which one request or one Bundle runs.
///
/// Everything that a service reads through it is of one instant; what it writes is committed with the trace or not at all.
pub struct Unit {
    connection: RefCell<Pooled>,
    shared: Arc<Shared>,
    mode: Mode,
    now: Millis,
    horizon: i64,
    deadline: Millis,
    failed: Cell<bool>,
    again: Cell<bool>,
    created: RefCell<Vec<Pid>>,
    stamps: RefCell<HashMap<Pid, i64>>,
    locked: RefCell<HashSet<Pid>>,
}

impl Unit {
    pub(super) fn new(shared: Arc<Shared>, connection: Pooled, mode: Mode, now: Millis, horizon: i64, deadline: Millis) -> Self {
        Self {
            connection: RefCell::new(connection),
            shared,
            mode,
            now,
            horizon,
            deadline,
            failed: Cell::new(false),
            again: Cell::new(false),
            created: RefCell::default(),
            stamps: RefCell::default(),
            locked: RefCell::default(),
        }
    }

    /// The one instant of this unit: what it reads and writes is of this time.
    #[must_use]
    pub fn now(&self) -> Millis {
        self.now
    }

    /// A new number for a resource; never one that this process gave before. Where another process gave it in the same
    /// record, [`super::resource_put`] refuses it and the unit runs again.
    #[must_use]
    pub fn next_rid(&self) -> Rid {
        self.shared.rids.next(clock::now())
    }

    /// What the rules need to know of the record that is named so; `None` where there is no such record.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn facts(&self, name: &RecordName) -> Result<Option<Facts>, Problem> {
        let pid = match name {
            RecordName::Pid(pid) => Some(*pid),
            RecordName::Ins(ins) => facts::pid_of(self, ins)?,
            RecordName::Alias(_) | RecordName::Unknown => None,
        };
        match pid {
            Some(pid) if pid != Pid::DIRECTORY => facts::facts_read(self, pid),
            Some(_) | None => Ok(None),
        }
    }

    /// Opens a permit on this unit. A permit that may write takes the lock of its record and reads the version of the
    /// facts again, so that a rule decided on facts that have changed since is decided anew.
    ///
    /// # Errors
    /// `Conflict` where the facts changed since the permit was made; `Internal` for a permit that may write on a snapshot.
    pub fn open(&self, permit: Permit) -> Result<Access, Problem> {
        let scope = match permit.scope() {
            ReadScope::Record(pid, masks) => Scope::Record(*pid, *masks),
            ReadScope::Own(pid) => Scope::Own(*pid),
            ReadScope::Cohort => Scope::Cohort,
            ReadScope::Directory => Scope::Directory,
            ReadScope::Existence(ins) => Scope::Patient(ins.as_ref().map(|ins| facts::pid_of(self, ins)).transpose()?.flatten()),
        };
        let writes = permit.may_write() && self.mode == Mode::Write;
        if let (true, Some(pid)) = (writes, scope.record()) {
            self.lock(pid)?;
            self.check_facts(pid, permit.facts_version())?;
        }
        let who = permit.caller().who();
        Ok(Access { permit, scope, who })
    }

    /// Every write reads the version of the facts again, now that the record is locked.
    fn check_facts(&self, pid: Pid, decided: Option<i64>) -> Result<(), Problem> {
        if decided.is_none() || facts::version(self, pid)? == decided {
            return Ok(());
        }
        self.again.set(true);
        Err(Problem::new(IssueKind::Conflict, "The rules of this record changed while the request ran; send it again"))
    }

    /// The access of an opening to the record that this unit has just created, or opened again: to write in it, and to see
    /// of it what the caller himself writes.
    ///
    /// # Errors
    /// `Internal` for a record that this unit did not create.
    pub fn open_created(&self, access: &Access, pid: Pid) -> Result<Access, Problem> {
        if !self.created.borrow().contains(&pid) {
            return Err(internal("A record opened as created is not of this unit"));
        }
        access.demand_write()?;
        self.lock(pid)?;
        Ok(Access { permit: access.permit.clone(), scope: Scope::Own(pid), who: access.who.clone() })
    }

    /// The whole record of an access that may write: for rules that must look at what the caller may not see (Consents
    /// when facts are derived, twins, replaced versions).
    ///
    /// # Errors
    /// `Internal` where the access may not write in one record.
    pub fn open_rules(&self, access: &Access) -> Result<WholeRecord, Problem> {
        let pid = access.writable(self)?;
        self.lock(pid)?;
        let scope = Scope::Record(pid, Masks::default());
        Ok(WholeRecord { access: Access { permit: access.permit.clone(), scope, who: access.who.clone() } })
    }

    /// Takes the lock of a record until the unit ends, before anything is matched in it. It gives no right there.
    ///
    /// # Errors
    /// `Internal` on a snapshot; where the database fails.
    pub fn hold(&self, pid: Pid) -> Result<(), Problem> {
        self.demand_write()?;
        self.lock(pid)
    }

    /// `meta.lastUpdated` of everything that this unit writes in the access's record: later than all that is there.
    ///
    /// # Errors
    /// `Internal` where the access may not write in one record.
    pub fn updated(&self, access: &Access) -> Result<Millis, Problem> {
        Ok(Millis(self.stamp(access.writable(self)?)?))
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }
    pub(super) fn is_snapshot(&self) -> bool {
        self.mode == Mode::Read
    }
    pub(super) fn dialect(&self) -> Dialect {
        self.shared.location.dialect()
    }
    /// The newest `updated` that a search over several records may show: nothing is in flight at or before it.
    pub(super) fn horizon(&self) -> i64 {
        self.horizon
    }
    pub(super) fn sql(&self, text: &'static str) -> Sql {
        Sql::new(self.dialect(), text)
    }
    pub(super) fn created(&self, pid: Pid) {
        self.created.borrow_mut().push(pid);
    }
    /// Whether the same job may succeed when it runs again.
    pub(super) fn may_run_again(&self) -> bool {
        self.again.get()
    }
    /// Says that the same job may succeed when it runs again, and that what it did must not be committed.
    pub(super) fn run_again(&self) {
        self.failed.set(true);
        self.again.set(true);
    }
    /// Whether a statement failed: then what the job did must not be committed.
    pub(super) fn has_failed(&self) -> bool {
        self.failed.get()
    }
    /// The greatest `updated` that this unit wrote.
    pub(super) fn last_stamp(&self) -> i64 {
        self.stamps.borrow().values().copied().max().unwrap_or(0).max(self.now.0)
    }
    pub(super) fn into_connection(self) -> Pooled {
        self.connection.into_inner()
    }

    /// # Errors
    /// `Timeout` where the request has had its time.
    pub(super) fn check_deadline(&self) -> Result<(), Problem> {
        if clock::now() > self.deadline {
            return Err(Problem::new(IssueKind::Timeout, "The request took longer than the limit"));
        }
        Ok(())
    }

    /// Runs statements of this unit.
    pub(super) fn run<T>(&self, work: impl FnOnce(&mut AnyConnection) -> Result<T, StoreError>) -> Result<T, Problem> {
        self.check_deadline()?;
        let mut held = self.connection.borrow_mut();
        work(&mut held.connection).map_err(|error| {
            self.failed.set(true);
            self.again.set(self.again.get() || error.again());
            error.problem()
        })
    }

    pub(super) fn demand_write(&self) -> Result<(), Problem> {
        if self.mode == Mode::Write { Ok(()) } else { Err(internal("A snapshot cannot write")) }
    }

    /// Every write locks its record until the transaction ends (SQLite has one writer, so it is locked already).
    pub(super) fn lock(&self, pid: Pid) -> Result<(), Problem> {
        if self.dialect() == Dialect::Sqlite || self.locked.borrow().contains(&pid) {
            return Ok(());
        }
        let mut sql = self.sql("SELECT pg_advisory_xact_lock(");
        sql.integer(pid.0).push(")");
        self.run(|connection| sql.execute(connection))?;
        self.locked.borrow_mut().insert(pid);
        Ok(())
    }

    /// The `updated` of what this unit writes in a record: grows in commit order, because the record is locked.
    pub(super) fn stamp(&self, pid: Pid) -> Result<i64, Problem> {
        if let Some(stamp) = self.stamps.borrow().get(&pid) {
            return Ok(*stamp);
        }
        self.demand_write()?;
        self.lock(pid)?;
        let last = facts::last_updated(self, pid)?.ok_or_else(|| internal("A write names a record that does not exist"))?;
        let stamp = self.now.0.max(last.saturating_add(1));
        facts::set_last_updated(self, pid, stamp)?;
        self.stamps.borrow_mut().insert(pid, stamp);
        Ok(stamp)
    }
}

pub(super) fn internal(text: &'static str) -> Problem {
    tracing::error!(text, "Store used wrongly");
    Problem::new(IssueKind::Internal, text)
}

/// What every statement is bounded to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Scope {
    Record(Pid, Masks),
    Own(Pid),
    Cohort,
    Directory,
    /// The Patient of one record, nothing else; of no record where there is none.
    Patient(Option<Pid>),
}

impl Scope {
    pub(super) fn pid(&self) -> Option<Pid> {
        match self {
            Self::Record(pid, _) | Self::Own(pid) => Some(*pid),
            Self::Directory => Some(Pid::DIRECTORY),
            Self::Cohort | Self::Patient(_) => None,
        }
    }
    /// The record concerned, also where only its existence is.
    fn record(&self) -> Option<Pid> {
        match self {
            Self::Patient(pid) => *pid,
            Self::Record(..) | Self::Own(_) | Self::Cohort | Self::Directory => self.pid(),
        }
    }
}

/// A permit opened on a unit: what a function of the store may read or write, and in which record.
///
/// Only [`Unit::open`] makes it, and [`Unit::open_created`] from one that it made. What demands it compiles:
/// ```
/// fn caller(access: &dmp_fhir::store::Access) -> &dmp_fhir::auth::Caller { access.permit().caller() }
/// ```
/// and it cannot be made from a permit by hand, its fields being private:
/// ```compile_fail,E0451
/// fn access(permit: dmp_fhir::policy::Permit) -> dmp_fhir::store::Access {
///     dmp_fhir::store::Access { permit, scope: unimplemented!(), who: None }
/// }
/// ```
pub struct Access {
    permit: Permit,
    scope: Scope,
    who: Option<String>,
}

impl Access {
    /// The permit.
    #[must_use]
    pub fn permit(&self) -> &Permit {
        &self.permit
    }
    /// The one record that it is about; `None` for a cohort and where the record is not known to exist.
    #[must_use]
    pub fn pid(&self) -> Option<Pid> {
        self.scope.record()
    }
    pub(super) fn scope(&self) -> &Scope {
        &self.scope
    }
    pub(super) fn who(&self) -> &str {
        self.who.as_deref().unwrap_or("")
    }
    /// Where it leads, as the cursors of its pages are sealed about it.
    pub(super) fn place(&self) -> String {
        match self.scope() {
            Scope::Record(pid, _) => format!("record {}", pid.0),
            Scope::Own(pid) => format!("own {}", pid.0),
            Scope::Cohort => "cohort".to_owned(),
            Scope::Directory => "directory".to_owned(),
            Scope::Patient(pid) => format!("patient {pid:?}"),
        }
    }
    pub(super) fn demand_write(&self) -> Result<(), Problem> {
        if self.permit.may_write() { Ok(()) } else { Err(internal("A permit that may only read was used to write")) }
    }
    /// The record that this access may write in.
    pub(super) fn writable(&self, unit: &Unit) -> Result<Pid, Problem> {
        self.demand_write()?;
        unit.demand_write()?;
        self.scope.pid().ok_or_else(|| internal("A write without one record"))
    }
}

/// A record with everything in it, whatever its labels: for the rules of a write, never for an answer.
///
/// Only [`Unit::open_rules`] makes it, and only the functions of the store for rules take it. One of them compiles with it:
/// ```
/// use dmp_fhir::store::{Unit, WholeRecord, record_resource};
/// use dmp_fhir::{fhir::{Problem, ResourceType}, ids::Rid, store::Stored};
/// fn patient(unit: &Unit, record: &WholeRecord, kind: ResourceType) -> Result<Option<Stored>, Problem> {
///     record_resource(unit, record, kind, Rid::PATIENT)
/// }
/// ```
/// and what reads for an answer does not:
/// ```compile_fail,E0308
/// use dmp_fhir::store::{Unit, WholeRecord, resource_read};
/// use dmp_fhir::{fhir::{Problem, ResourceType}, ids::Rid, store::Stored};
/// fn patient(unit: &Unit, record: &WholeRecord, kind: ResourceType) -> Result<Option<Stored>, Problem> {
///     resource_read(unit, record, kind, Rid::PATIENT)
/// }
/// ```
pub struct WholeRecord {
    access: Access,
}

impl WholeRecord {
    /// The access without masks, for the functions of `rules.rs` and `document.rs` that take a whole record.
    pub(super) fn access(&self) -> &Access {
        &self.access
    }
}
