//! The caller of a row, and the codes of what was done, as the narrow columns that the store keeps.
use super::event::{Action, EventOutcome};
use crate::auth::{Caller, Professional, PurposeOfUse, System};
use crate::fhir::identifier::{Finess, Ins, Rpps};

/// A caller as columns; empty text where a kind of caller has no such thing.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct CallerColumns {
    /// `professional`, `patient`, `system`, `operator` or `server`.
    pub kind: String,
    /// RPPS, `OID|matricule`, or FINESS.
    pub id: String,
    /// Name of the person, or of the client of a system.
    pub name: String,
    /// Profession code.
    pub profession: String,
    /// FINESS of the situation of work.
    pub structure: String,
    /// `normal`, `bris_de_glace` or `centre_15`.
    pub purpose: String,
}

impl CallerColumns {
    /// The columns of a caller.
    #[must_use]
    pub fn of(caller: &Caller) -> Self {
        match caller {
            Caller::Professional(professional) => Self {
                kind: "professional".into(),
                id: professional.rpps.as_str().into(),
                name: professional.name.clone(),
                profession: professional.profession.clone(),
                structure: professional.structure.as_ref().map(|structure| structure.as_str().to_owned()).unwrap_or_default(),
                purpose: match professional.purpose {
                    PurposeOfUse::Normal => "normal",
                    PurposeOfUse::BrisDeGlace => "bris_de_glace",
                    PurposeOfUse::Centre15 => "centre_15",
                }
                .into(),
            },
            Caller::Patient(ins) => {
                Self { kind: "patient".into(), id: format!("{}|{}", ins.oid(), ins.value()), ..Self::default() }
            }
            Caller::System(system) => Self {
                kind: "system".into(),
                id: system.structure.as_str().into(),
                name: system.client.clone(),
                ..Self::default()
            },
            Caller::Operator => Self { kind: "operator".into(), ..Self::default() },
            Caller::Server => Self { kind: "server".into(), ..Self::default() },
        }
    }

    /// The caller of these columns, to render the row; `None` for columns that [`CallerColumns::of`] did not write.
    ///
    /// The right to write the directory is not kept: a row of the trace gives no right.
    #[must_use]
    pub fn caller(&self) -> Option<Caller> {
        Some(match self.kind.as_str() {
            "professional" => Caller::Professional(Professional {
                rpps: Rpps::new(&self.id)?,
                name: self.name.clone(),
                profession: self.profession.clone(),
                structure: if self.structure.is_empty() { None } else { Some(Finess::new(&self.structure)?) },
                purpose: match self.purpose.as_str() {
                    "normal" => PurposeOfUse::Normal,
                    "bris_de_glace" => PurposeOfUse::BrisDeGlace,
                    "centre_15" => PurposeOfUse::Centre15,
                    _other => return None,
                },
            }),
            "patient" => {
                let (oid, value) = self.id.split_once('|')?;
                Caller::Patient(Ins::new(oid, value)?)
            }
            "system" => {
                let structure = Finess::new(&self.id)?;
                Caller::System(System { client: self.name.clone(), structure, directory_writer: false })
            }
            "operator" => Caller::Operator,
            "server" => Caller::Server,
            _other => return None,
        })
    }
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 8] =
        [Self::Read, Self::Query, Self::Existence, Self::Deposit, Self::Create, Self::Update, Self::Delete, Self::Open];
    /// Its stable number in the table `audit`.
    #[must_use]
    pub const fn number(self) -> i16 {
        match self {
            Self::Read => 1,
            Self::Query => 2,
            Self::Existence => 3,
            Self::Deposit => 4,
            Self::Create => 5,
            Self::Update => 6,
            Self::Delete => 7,
            Self::Open => 8,
        }
    }
    /// The action of a number.
    #[must_use]
    pub fn from_number(number: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.number() == number)
    }
}

impl EventOutcome {
    /// Its number in the table `audit`: the code of AuditEvent.outcome.
    #[must_use]
    pub const fn number(self) -> i16 {
        match self {
            Self::Success => 0,
            Self::MinorFailure => 4,
            Self::SeriousFailure => 8,
        }
    }
    /// The outcome of a number.
    #[must_use]
    pub fn from_number(number: i16) -> Option<Self> {
        [Self::Success, Self::MinorFailure, Self::SeriousFailure].into_iter().find(|outcome| outcome.number() == number)
    }
}
