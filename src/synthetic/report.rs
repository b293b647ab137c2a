//! What a laboratory report says, before it is written as CDA.
use super::catalogue::{Analysis, Antibiotic, Organism};
use super::directory::Professional;
use super::random::oid_of;
use jiff::civil::DateTime;

/// A laboratory report.
#[derive(Debug, Clone, PartialEq)]
pub struct LabReport {
    /// Unique identifier of the document, an OID.
    pub unique_id: String,
    /// Identifier that all versions share, an OID.
    pub set_id: String,
    /// Number of the version, from 1.
    pub version: u32,
    /// Unique identifier of the version that this one replaces (BR-42).
    pub replaces: Option<String>,
    /// Title.
    pub title: String,
    /// When the samples were taken.
    pub collected: DateTime,
    /// Who asked for it.
    pub prescriber: &'static Professional,
    /// Chapters, in order.
    pub chapters: Vec<Chapter>,
    /// Whether a PDF copy of the report is inside.
    pub pdf_copy: bool,
}

impl LabReport {
    /// A first version; `name` must be unique among all documents.
    #[must_use]
    pub fn new(name: &str, collected: DateTime, prescriber: &'static Professional, chapters: Vec<Chapter>) -> Self {
        Self {
            unique_id: oid_of(&format!("{name}/1")),
            set_id: oid_of(&format!("{name}/set")),
            version: 1,
            replaces: None,
            title: "Compte rendu d'examens de biologie médicale".into(),
            collected,
            prescriber,
            chapters,
            pdf_copy: false,
        }
    }

    /// The corrected version of this report: same set, next number, replaces this one.
    #[must_use]
    pub fn corrected(&self, name: &str, chapters: Vec<Chapter>) -> Self {
        let version = self.version + 1;
        Self {
            unique_id: oid_of(&format!("{name}/{version}")),
            version,
            replaces: Some(self.unique_id.clone()),
            title: format!("{} (version corrigée)", self.title),
            chapters,
            ..self.clone()
        }
    }
}

/// A chapter (template 2.70).
#[derive(Debug, Clone, PartialEq)]
pub struct Chapter {
    /// LOINC code and name.
    pub code: (&'static str, &'static str),
    /// Sub-chapters (template 2.71), each with one entry.
    pub panels: Vec<Panel>,
}

/// Biochemistry.
pub const BIOCHEMISTRY: (&str, &str) = ("18719-5", "Biochimie");
/// Haematology.
pub const HAEMATOLOGY: (&str, &str) = ("18723-7", "Hématologie");
/// Microbiology.
pub const MICROBIOLOGY: (&str, &str) = ("18725-2", "Microbiologie");

/// What was sampled: code of v2-0487 and name.
pub type SpecimenType = (&'static str, &'static str);
/// Serum.
pub const SERUM: SpecimenType = ("SER", "Sérum");
/// Blood.
pub const BLOOD: SpecimenType = ("BLD", "Sang total");
/// Urine.
pub const URINE: SpecimenType = ("UR", "Urine");

/// One act with its results.
#[derive(Debug, Clone, PartialEq)]
pub struct Panel {
    /// Title of the table.
    pub title: &'static str,
    /// What was sampled.
    pub specimen: SpecimenType,
    /// LOINC code and name of the battery; `None`: results directly under the act.
    pub battery: Option<(&'static str, &'static str)>,
    /// Results.
    pub results: Vec<LabResult>,
    /// Isolates with their antibiograms.
    pub isolates: Vec<Isolate>,
    /// Comment of the biologist on the act.
    pub comment: Option<String>,
    /// Days after the sampling of the report on which these samples were taken.
    pub day: u32,
}

impl Panel {
    /// A panel of results of one specimen.
    #[must_use]
    pub fn new(title: &'static str, specimen: SpecimenType, results: Vec<LabResult>) -> Self {
        Self { title, specimen, battery: None, results, isolates: Vec::new(), comment: None, day: 0 }
    }
    /// The same under a battery.
    #[must_use]
    pub fn battery(self, code: &'static str, name: &'static str) -> Self {
        Self { battery: Some((code, name)), ..self }
    }
    /// The same with a comment.
    #[must_use]
    pub fn comment(self, text: &str) -> Self {
        Self { comment: Some(text.to_owned()), ..self }
    }
}

/// One result.
#[derive(Debug, Clone, PartialEq)]
pub struct LabResult {
    /// What was measured.
    pub analysis: &'static Analysis,
    /// What was found.
    pub value: ResultValue,
    /// The result before this one, as the report repeats it: when its sample was taken, and value.
    pub previous: Option<(DateTime, String)>,
}

/// Value of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResultValue {
    /// A decimal in the unit of the analysis, written with a point.
    Quantity(String),
    /// Words.
    Text(String),
}

/// A bacterium found by culture, with what it resists.
#[derive(Debug, Clone, PartialEq)]
pub struct Isolate {
    /// Which.
    pub organism: Organism,
    /// How many in a millilitre.
    pub count: &'static str,
    /// Antibiogram.
    pub antibiogram: &'static [Antibiotic],
}
