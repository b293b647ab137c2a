//! FHIR R4 as data: types, outcomes, identifiers, formats. No I/O.
pub mod bundle;
pub mod check;
pub mod consent;
pub mod datetime;
pub mod elements;
pub mod identifier;
pub mod interaction;
pub mod json;
pub mod media_type;
pub mod names;
pub mod outcome;
pub mod patch;
pub mod path;
pub mod reference;
pub mod resource_type;
pub mod td02;
pub mod xml;

pub use interaction::Interaction;
pub use outcome::{Issue, IssueKind, Problem};
pub use resource_type::ResourceType;

/// Canonical base of every definition that this server itself publishes.
pub const CANONICAL: &str = "https://dmp-fhir.example/fhir";

/// A FHIR resource as a JSON object: order of members and digits of decimals are kept.
pub type Resource = serde_json::Map<String, serde_json::Value>;
