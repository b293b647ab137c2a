//! FHIR R4 as data: types, outcomes, identifiers, formats. No I/O.
pub mod consent;
pub mod identifier;
pub mod interaction;
pub mod outcome;
pub mod resource_type;
pub mod td02;

pub use interaction::Interaction;
pub use outcome::{Issue, IssueKind, Problem};
pub use resource_type::ResourceType;

/// Canonical base of every definition that this server itself publishes.
pub const CANONICAL: &str = "https://dmp-fhir.example/fhir";

/// A FHIR resource as a JSON object: order of members and digits of decimals are kept.
pub type Resource = serde_json::Map<String, serde_json::Value>;
