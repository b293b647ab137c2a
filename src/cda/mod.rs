//! CDA R2 documents as data: bounds, tree, header. Knows no FHIR. No DTD, no entities, no XInclude, no stylesheet is run.
//!
//! <https://www.hl7.org/implement/standards/product_brief.cfm?product_id=7>, CI-SIS "volet structuration minimale".
mod encoding;
pub mod header;
mod parse;
mod scan;
pub mod template;
mod tree;

pub use header::{Header, Person, PersonName, RelatedDocument, ServiceEvent};
pub use parse::parse;
pub use scan::Limits;
pub use tree::{Content, Document, Element, Namespace};

/// An instance identifier (II): root and, where stated, extension.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id {
    /// OID or UUID, as written.
    pub root: String,
    /// Value under that root.
    pub extension: Option<String>,
}

impl Id {
    /// Whether the root is a UUID (of either case).
    #[must_use]
    pub fn root_is_uuid(&self) -> bool {
        self.root.len() == 36 && uuid::Uuid::try_parse(&self.root).is_ok()
    }
    /// Whether the root is an OID as FHIR writes it: arcs of digits without leading zeros, the first 0, 1 or 2.
    #[must_use]
    pub fn root_is_oid(&self) -> bool {
        let arc =
            |arc: &str| arc == "0" || (!arc.is_empty() && !arc.starts_with('0') && arc.bytes().all(|byte| byte.is_ascii_digit()));
        let first = self.root.split_once('.').is_some_and(|(first, _)| matches!(first, "0" | "1" | "2"));
        first && self.root.split('.').all(arc)
    }
    /// The URI of the root: `urn:oid:` or, for a UUID in lower case, `urn:uuid:`; `None` for anything else.
    #[must_use]
    pub fn root_uri(&self) -> Option<String> {
        if self.root_is_oid() {
            return Some(format!("urn:oid:{}", self.root));
        }
        self.root_is_uuid().then(|| format!("urn:uuid:{}", self.root.to_ascii_lowercase()))
    }
}

impl std::fmt::Debug for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Id(..)")
    }
}

/// Why bytes are not a CDA document; says what and where, never what the document holds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Longer than [`Limits::bytes`].
    #[error("the document has more than {limit} bytes")]
    TooLong {
        /// The limit.
        limit: usize,
    },
    /// Neither UTF-8, ISO-8859-1 nor UTF-16, or bytes that its encoding does not have.
    #[error("the text is not in its declared encoding, or that encoding is not one of UTF-8, ISO-8859-1, UTF-16")]
    Encoding,
    /// A document type declaration, which is never read.
    #[error("a document type declaration at byte {position} is refused")]
    Doctype {
        /// Byte offset in the UTF-8 text.
        position: u64,
    },
    /// An entity other than the five of XML.
    #[error("an entity reference at byte {position} is refused")]
    Entity {
        /// Byte offset in the UTF-8 text.
        position: u64,
    },
    /// A limit on depth, nodes, attributes or text.
    #[error("more {what} than {limit} at byte {position}")]
    Limit {
        /// What is limited.
        what: &'static str,
        /// The limit.
        limit: usize,
        /// Byte offset in the UTF-8 text.
        position: u64,
    },
    /// Not well-formed.
    #[error("not well-formed XML at line {line}, column {column}")]
    NotWellFormed {
        /// Line from 1.
        line: u32,
        /// Column from 1.
        column: u32,
    },
    /// Well-formed, but no `ClinicalDocument` of `urn:hl7-org:v3` in it.
    #[error("no ClinicalDocument of urn:hl7-org:v3")]
    NotCda,
    /// A `ClinicalDocument` without one usable `id`.
    #[error("ClinicalDocument without an id")]
    NoId,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(root: &str) -> Option<String> {
        Id { root: root.to_owned(), extension: None }.root_uri()
    }

    #[test]
    fn a_root_is_an_oid_or_a_uuid_or_neither() {
        assert_eq!(uri("1.2.250.1.0.4").as_deref(), Some("urn:oid:1.2.250.1.0.4"));
        let uuid = "urn:uuid:d5a9ef50-d05e-11dd-ad8b-0800200c9a66";
        assert_eq!(uri("D5A9EF50-D05E-11DD-AD8B-0800200C9A66").as_deref(), Some(uuid));
        for root in ["", "1", "3.2.1", "1.02.3", "1..2", "1.2.", "1.2.a", "DOC-1", "D5A9EF50D05E11DDAD8B0800200C9A66"] {
            assert_eq!(uri(root), None, "{root}");
        }
    }
}
