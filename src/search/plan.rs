//! The contract between search and store: index rows of a resource, predicates of a query.
use super::query::Query;
use crate::fhir::ResourceType;
use crate::ids::{Pid, Rid};
use std::fmt;
use std::sync::Arc;

/// A 64-bit key of `token`, `range` or `text`: keyed hash of (parameter, value), or `parameter number * 2^49 + rid`
/// for a reference to a resource of this server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(pub i64);

/// Index rows of one version of a resource.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct IndexRows {
    /// Clinical date in milliseconds, or [`IndexRows::NO_DATE`].
    pub ts: i64,
    /// `token`: equality.
    pub tokens: Vec<Key>,
    /// `range`: half-open intervals, in milliseconds for dates, plain numbers otherwise.
    pub ranges: Vec<(Key, f64, f64)>,
    /// `text`: normalised prefix.
    pub texts: Vec<(Key, String)>,
}

impl IndexRows {
    /// `ts` of a resource without a clinical date: sorts after every date, newest first.
    pub const NO_DATE: i64 = i64::MIN;
}

/// How a stored interval [lo, hi) is compared with a value (R4 3.1.1.4.5).
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RangeTest {
    /// eq: lo >= a and hi <= b.
    Within(f64, f64),
    /// ne: not within.
    NotWithin(f64, f64),
    /// gt; ge of a number: hi > a.
    HiAbove(f64),
    /// lt; le of a number: lo < a.
    LoBelow(f64),
    /// sa; with HiAbove, ge of a date: lo >= a.
    LoAtLeast(f64),
    /// eb; with LoBelow, le of a date: hi <= a.
    HiAtMost(f64),
    /// ap: lo < b and hi > a.
    Overlaps(f64, f64),
}

/// A condition on one resource, on index rows only.
#[derive(Debug, Clone, PartialEq)]
pub enum Predicate {
    /// A `token` row with one of these keys.
    Tokens(Vec<Key>),
    /// A `range` row of this key that passes one of the tests.
    Range(Key, Vec<RangeTest>),
    /// A `text` row of this key whose value starts with one of these.
    Text(Key, Vec<String>),
    /// One of these resources.
    Places(Vec<(Pid, Rid)>),
    /// In one of these records.
    Within(Vec<Pid>),
    /// `resource.updated` (milliseconds) passes one of the tests, as the interval [updated, updated + 1).
    Updated(Vec<RangeTest>),
    /// Chain: a `token` row of key `base + rid` where the resource `rid` of the same record fulfils the plan.
    Linked(Key, Box<Plan>),
    /// Reverse chain: a resource of the same record that fulfils the plan has a `token` row `base + this rid`.
    LinkedFrom(Key, Box<Plan>),
    /// It repeats what another resource of the same record states: it has the `token` row `tag`, and a row `repeated + x`
    /// where another resource that fulfils the plan has the row `original + x`, both of the same clinical date.
    Repeats(Box<Repeat>),
    /// One of the resources that were looked for before, because bodies decide on them.
    Behind(Behind),
    /// All of these.
    All(Vec<Predicate>),
    /// At least one of these; none of an empty list.
    Any(Vec<Predicate>),
    /// The contrary.
    Not(Box<Predicate>),
}

/// Resources that are looked for before the statement is made: those that fulfil a query, or the items of a list.
///
/// Two are the same where they ask the same, whatever was found: so the link to the next page holds.
#[derive(Clone)]
pub struct Behind {
    /// What is asked, as a hash.
    pub about: Key,
    /// What they fulfil; none for what is found already.
    pub query: Option<Arc<Query>>,
    /// Whether they are looked for in the directory, and not in the scope of the search.
    pub in_directory: bool,
    /// Where they are; none as long as they have not been looked for.
    pub places: Option<Arc<Vec<(Pid, Rid)>>>,
}

/// Looks for what stands behind a condition.
pub type Find<'a, E> = dyn FnMut(&Behind) -> Result<Arc<Vec<(Pid, Rid)>>, E> + 'a;

impl PartialEq for Behind {
    fn eq(&self, other: &Self) -> bool {
        self.about == other.about
    }
}

impl fmt::Debug for Behind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Behind({})", self.about.0)
    }
}

/// What [`Predicate::Repeats`] looks for.
#[derive(Debug, Clone, PartialEq)]
pub struct Repeat {
    /// Row of every resource that repeats others: looked up first, because few do.
    pub tag: Key,
    /// Base of the rows that say what is repeated.
    pub repeated: Key,
    /// Base of the rows of the originals.
    pub original: Key,
    /// What an original fulfils.
    pub plan: Plan,
}

/// One sort key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sort {
    /// The clinical date `ts`.
    ClinicalDate {
        /// Newest first.
        descending: bool,
    },
    /// `resource.updated`.
    Updated {
        /// Newest first.
        descending: bool,
    },
    /// A `range` parameter: its smallest lo ascending, its greatest hi descending.
    Range {
        /// Key of the parameter.
        key: Key,
        /// Greatest first.
        descending: bool,
    },
    /// Any other parameter: sorted on bodies in memory (one record only).
    Body {
        /// Code of the parameter.
        parameter: &'static str,
        /// Greatest first.
        descending: bool,
    },
}

/// What a search asks of the store, without scope: the store always ANDs the scope of the Access.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Type searched.
    pub resource_type: ResourceType,
    /// All must hold.
    pub predicates: Vec<Predicate>,
    /// Whether `predicates` are a superset and `search::matches` decides on bodies.
    pub recheck: bool,
    /// Sort keys; empty = clinical date, newest first, then rid.
    pub sort: Vec<Sort>,
}

impl Predicate {
    /// The same with the places of what stands behind it, which `find` looks for.
    ///
    /// # Errors
    /// Those of `find`.
    pub fn resolved<E>(&self, find: &mut Find<'_, E>) -> Result<Self, E> {
        Ok(match self {
            Self::Behind(behind) if behind.places.is_none() => {
                Self::Behind(Behind { places: Some(find(behind)?), ..behind.clone() })
            }
            Self::Linked(base, plan) => Self::Linked(*base, Box::new(plan.resolved(find)?)),
            Self::LinkedFrom(base, plan) => Self::LinkedFrom(*base, Box::new(plan.resolved(find)?)),
            Self::All(list) => Self::All(all_resolved(list, find)?),
            Self::Any(list) => Self::Any(all_resolved(list, find)?),
            Self::Not(inner) => Self::Not(Box::new(inner.resolved(find)?)),
            Self::Tokens(_)
            | Self::Range(..)
            | Self::Text(..)
            | Self::Places(_)
            | Self::Within(_)
            | Self::Updated(_)
            | Self::Repeats(_)
            | Self::Behind(_) => self.clone(),
        })
    }
}

fn all_resolved<E>(list: &[Predicate], find: &mut Find<'_, E>) -> Result<Vec<Predicate>, E> {
    list.iter().map(|predicate| predicate.resolved(find)).collect()
}

impl Plan {
    /// Whether everything that stands behind its predicates has been looked for.
    #[must_use]
    pub fn is_resolved(&self) -> bool {
        self.resolved(&mut |_| Err(())).is_ok()
    }

    /// The same with the places of what stands behind its predicates.
    ///
    /// # Errors
    /// Those of `find`.
    pub fn resolved<E>(&self, find: &mut Find<'_, E>) -> Result<Self, E> {
        let predicates = all_resolved(&self.predicates, find)?;
        Ok(Self { resource_type: self.resource_type, predicates, recheck: self.recheck, sort: self.sort.clone() })
    }
}

impl RangeTest {
    /// Whether a stored interval [lo, hi) passes, as the SQL writer asks it.
    #[must_use]
    pub fn holds(self, lo: f64, hi: f64) -> bool {
        match self {
            Self::Within(a, b) => lo >= a && hi <= b,
            Self::NotWithin(a, b) => !(lo >= a && hi <= b),
            Self::HiAbove(a) => hi > a,
            Self::LoBelow(a) => lo < a,
            Self::LoAtLeast(a) => lo >= a,
            Self::HiAtMost(a) => hi <= a,
            Self::Overlaps(a, b) => lo < b && hi > a,
        }
    }
}
