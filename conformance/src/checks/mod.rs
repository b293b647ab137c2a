//! The checks, one file a subject.
pub(crate) mod access;
pub(crate) mod capability;
pub(crate) mod documents;
pub(crate) mod records;
pub(crate) mod results;
