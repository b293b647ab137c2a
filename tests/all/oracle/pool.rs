//! What the caller of the test may see: resources, each in a record or in the directory.
use serde_json::Value;
use std::collections::HashMap;

/// One resource.
#[derive(Clone)]
pub(super) struct Entry {
    /// Id of the Patient of its record; nothing for the directory.
    pub(super) record: Option<String>,
    pub(super) body: Value,
}

impl Entry {
    pub(super) fn kind(&self) -> &str {
        self.body["resourceType"].as_str().unwrap()
    }
    pub(super) fn id(&self) -> &str {
        self.body["id"].as_str().unwrap()
    }
    /// `Type/id`.
    pub(super) fn name(&self) -> String {
        format!("{}/{}", self.kind(), self.id())
    }
}

/// All of them.
pub(super) struct Pool {
    /// Base of the server, for absolute references.
    pub(super) base: String,
    pub(super) entries: Vec<Entry>,
    /// Milliseconds since 1970, about when the queries are asked.
    pub(super) now: i64,
    by_name: HashMap<String, usize>,
}

impl Pool {
    pub(super) fn new(base: String, entries: Vec<Entry>) -> Self {
        let by_name = entries.iter().enumerate().map(|(index, entry)| (entry.name(), index)).collect();
        Self { base, entries, now: dmp_fhir::clock::now().0, by_name }
    }

    /// Resources of this type in the scope of a search: one record, all records (`None` within `Some`), the directory.
    pub(super) fn of<'a>(&'a self, kind: &'a str, place: &'a Place) -> impl Iterator<Item = &'a Entry> {
        self.entries.iter().filter(move |entry| entry.kind() == kind && place.holds(entry))
    }

    /// Where a reference leads, from a resource: in its own record or in the directory.
    pub(super) fn target(&self, from: &Entry, reference: &str) -> Option<&Entry> {
        let local = reference.strip_prefix(&self.base).map_or(reference, |rest| rest.trim_start_matches('/'));
        let found = self.entries.get(*self.by_name.get(local)?)?;
        (found.record.is_none() || found.record == from.record).then_some(found)
    }

    pub(super) fn named(&self, name: &str) -> Option<&Entry> {
        self.entries.get(*self.by_name.get(name)?)
    }
}

/// Where a search looks.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Place {
    /// The record of this Patient.
    Record(String),
    /// Every record that authorises the caller.
    Cohort,
    Directory,
}

impl Place {
    pub(super) fn holds(&self, entry: &Entry) -> bool {
        match self {
            Self::Record(patient) => entry.record.as_ref() == Some(patient),
            Self::Cohort => entry.record.is_some(),
            Self::Directory => entry.record.is_none(),
        }
    }
}
