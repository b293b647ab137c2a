//! The XML form of resources, over the element table. <https://hl7.org/fhir/R4/xml.html>
//!
//! quick-xml reads and the table says what each element is; fhirbolt's `Element`, which keeps order and pairs a
//! primitive with its id and extensions, is the form between XML and JSON. fhirbolt's own XML side is not used: it loses
//! white space of narratives and line breaks of strings, and refuses what ordinary clients write. Nor is its JSON side (see
//! `element`).
mod element;
mod read;
#[cfg(test)]
mod tests;
mod write;
pub mod xhtml;

pub use read::{read, read_located, read_unchecked};
pub use write::{write, write_pretty};

/// Namespace of every FHIR element.
pub const FHIR_NAMESPACE: &str = "http://hl7.org/fhir";
/// Namespace of a narrative's div.
pub const XHTML_NAMESPACE: &str = "http://www.w3.org/1999/xhtml";
const XSI_NAMESPACE: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// Greatest nesting of elements.
pub const DEPTH_MAX: usize = 64;
/// Greatest number of XML events in one body.
pub const NODES_MAX: usize = 1_000_000;
/// Greatest number of attributes of one element.
pub const ATTRIBUTES_MAX: usize = 64;

/// fhirbolt's generic element, of R4.
type Element = fhirbolt::element::Element<{ fhirbolt::element::FhirReleases::R4 }>;
type Node = fhirbolt::element::Value<{ fhirbolt::element::FhirReleases::R4 }>;
