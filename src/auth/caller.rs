//! The caller of a request, as its token proves it (BR-14, BR-15).
use crate::fhir::identifier::{Finess, Ins, Rpps};
use std::fmt;

/// Why a professional consults: TRE_R248-ModeAcces (BR-14).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PurposeOfUse {
    /// Care, with an authorisation.
    Normal,
    /// « Bris de glace »: the patient's state is a risk and there is no authorisation (BR-25).
    BrisDeGlace,
    /// Medical regulation by the centre 15 (BR-26).
    Centre15,
}

/// A health professional.
#[derive(Clone, PartialEq, Eq)]
pub struct Professional {
    /// National number.
    pub rpps: Rpps,
    /// Name as the token states it, for the trace only.
    pub name: String,
    /// Profession code of TRE_G15, such as `10` (BR-12).
    pub profession: String,
    /// Structure in which this situation of work is.
    pub structure: Option<Finess>,
    /// Mode of access.
    pub purpose: PurposeOfUse,
}

/// A software system of a structure: deposits and opens records; reads those that authorise its structure.
#[derive(Clone, PartialEq, Eq)]
pub struct System {
    /// Name of the client, for the trace.
    pub client: String,
    /// Structure that answers for it.
    pub structure: Finess,
    /// Whether it may write the directory.
    pub directory_writer: bool,
}

/// Who is calling.
#[derive(Clone, PartialEq, Eq)]
pub enum Caller {
    /// A health professional, in person.
    Professional(Professional),
    /// The patient himself.
    Patient(Ins),
    /// A system of a structure.
    System(System),
    /// The operator, on the command line of this machine.
    Operator,
    /// The server itself: demo, reindex, notices.
    Server,
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Professional(_) => "Professional(..)",
            Self::Patient(_) => "Patient(..)",
            Self::System(_) => "System(..)",
            Self::Operator => "Operator",
            Self::Server => "Server",
        })
    }
}

impl Caller {
    /// The one text under which `author.who` and `access.caller` name this caller: `rpps:<11 digits>`,
    /// `ins:<oid>|<value>`, `finess:<9>`; none for operator and server.
    #[must_use]
    pub fn who(&self) -> Option<String> {
        match self {
            Self::Professional(professional) => Some(professional.rpps.who()),
            Self::Patient(ins) => Some(ins.who()),
            Self::System(system) => Some(system.structure.who()),
            Self::Operator | Self::Server => None,
        }
    }
}
