//! The table type x interaction x caller of decision 15: `schema/interactions.tsv`.
use crate::auth::Caller;
use crate::fhir::ResourceType;
use std::collections::HashMap;
use std::sync::LazyLock;

/// A row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Type written.
    pub resource_type: ResourceType,
    /// `create`, `update`, ...: a code of <https://hl7.org/fhir/R4/valueset-type-restful-interaction.html>.
    pub interaction: &'static str,
    /// `generic`, or the interaction of its own by which this type is written.
    pub way: &'static str,
    /// Where a professional writes it.
    pub professional: Place,
    /// Where a patient writes it.
    pub patient: Place,
    /// Where a system writes it.
    pub system: Place,
}

/// Where a kind of caller may write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Nowhere.
    Never,
    /// In a record.
    Record,
    /// In the directory, with the right to write it.
    Directory,
    /// In either.
    Both,
}

impl Place {
    /// An unknown word gives no right.
    fn parse(cell: &str) -> Self {
        match cell {
            "record" => Self::Record,
            "directory" => Self::Directory,
            "both" => Self::Both,
            _unknown => Self::Never,
        }
    }
    const fn in_record(self) -> bool {
        match self {
            Self::Record | Self::Both => true,
            Self::Never | Self::Directory => false,
        }
    }
    const fn in_directory(self) -> bool {
        match self {
            Self::Directory | Self::Both => true,
            Self::Never | Self::Record => false,
        }
    }
}

static ROWS: LazyLock<Vec<Row>> = LazyLock::new(|| {
    let lines = include_str!("../../schema/interactions.tsv").lines().filter(|line| !line.starts_with('#')).skip(1);
    lines.filter_map(row).collect()
});

static CHANGES: LazyLock<HashMap<(ResourceType, &'static str), Writers>> =
    LazyLock::new(|| ROWS.iter().map(|row| ((row.resource_type, row.interaction), Writers::of(row))).collect());

static CREATE: LazyLock<HashMap<ResourceType, Writers>> = LazyLock::new(|| {
    let generic = ROWS.iter().filter(|row| row.interaction == "create" && row.way == "generic");
    generic.map(|row| (row.resource_type, Writers::of(row))).collect()
});

fn row(line: &'static str) -> Option<Row> {
    let mut cells = line.split('\t');
    Some(Row {
        resource_type: ResourceType::parse(cells.next()?)?,
        interaction: cells.next()?,
        way: cells.next()?,
        professional: Place::parse(cells.next()?),
        patient: Place::parse(cells.next()?),
        system: Place::parse(cells.next()?),
    })
}

/// Every row, in the order of the file: what the CapabilityStatement states.
#[must_use]
pub fn rows() -> &'static [Row] {
    &ROWS
}

/// Whether any client does this to resources of this type; `interaction` is the code of the table.
#[must_use]
pub fn is_written(resource_type: ResourceType, interaction: &str) -> bool {
    ROWS.iter()
        .filter(|row| row.resource_type == resource_type && row.interaction == interaction)
        .any(|row| Writers::of(row) != Writers::Nobody)
}

/// What is done to a stored resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Update,
    Patch,
    Delete,
}

/// Who may change resources of this type so, in whatever way; a type without a row: nobody.
pub(super) fn change(change: Change, resource_type: ResourceType) -> Writers {
    let interaction = match change {
        Change::Update => "update",
        Change::Patch => "patch",
        Change::Delete => "delete",
    };
    CHANGES.get(&(resource_type, interaction)).copied().unwrap_or(Writers::Nobody)
}

/// Who may write resources of one type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Writers {
    /// No client.
    Nobody,
    /// In a record, these kinds of caller; in the directory too where `directory`.
    Record { professional: bool, patient: bool, system: bool, directory: bool },
    /// In the directory only.
    Directory,
}

impl Writers {
    fn of(row: &Row) -> Self {
        let places = [row.professional, row.patient, row.system];
        let directory = places.iter().any(|place| place.in_directory());
        if places.iter().any(|place| place.in_record()) {
            let [professional, patient, system] = places.map(Place::in_record);
            Self::Record { professional, patient, system, directory }
        } else if directory {
            Self::Directory
        } else {
            Self::Nobody
        }
    }

    /// Whether it is written in the directory, by whom that right is given.
    pub(super) fn in_directory(self) -> bool {
        match self {
            Self::Directory | Self::Record { directory: true, .. } => true,
            Self::Nobody | Self::Record { directory: false, .. } => false,
        }
    }

    /// Whether this kind of caller writes in a record; the facts of the record decide the rest.
    pub(super) fn allow(self, caller: &Caller) -> bool {
        match (self, caller) {
            (Self::Nobody | Self::Directory, _) => false,
            (Self::Record { professional, .. }, Caller::Professional(_)) => professional,
            (Self::Record { patient, .. }, Caller::Patient(_)) => patient,
            (Self::Record { system, .. }, Caller::System(_)) => system,
            (Self::Record { .. }, Caller::Operator | Caller::Server) => true,
        }
    }
}

/// Who may create resources of this type by `POST [type]`; a type without a row: nobody.
pub(super) fn create(resource_type: ResourceType) -> Writers {
    CREATE.get(&resource_type).copied().unwrap_or(Writers::Nobody)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fhir::resource_type::Home;

    #[test]
    fn every_type_of_a_record_or_of_the_directory_has_its_row_and_every_word_is_known() {
        let lines = include_str!("../../schema/interactions.tsv").lines().filter(|line| !line.starts_with('#')).skip(1);
        for line in lines.clone() {
            let cells: Vec<&str> = line.split('\t').collect();
            assert_eq!(cells.len(), 7, "{line}");
            assert!(ResourceType::parse(cells[0]).is_some(), "{line}");
            assert!(["create", "update", "patch", "delete"].contains(&cells[1]), "{line}");
            assert!(["generic", "open", "deposit", "consent", "document"].contains(&cells[2]), "{line}");
            assert!(cells[3..6].iter().all(|cell| ["-", "record", "directory", "both"].contains(cell)), "{line}");
        }
        assert_eq!(lines.count(), rows().len());
        for resource_type in ResourceType::all() {
            for interaction in ["create", "update", "patch", "delete"] {
                let of_type = rows().iter().filter(|row| row.resource_type == resource_type && row.interaction == interaction);
                assert_eq!(of_type.count() == 1, resource_type.home() != Home::None, "{resource_type} {interaction}");
            }
        }
    }

    #[test]
    fn no_client_writes_trace_provenance_or_binary() {
        for name in ["AuditEvent", "Provenance", "Binary"] {
            assert_eq!(create(ResourceType::parse(name).unwrap()), Writers::Nobody, "{name}");
        }
    }

    #[test]
    fn what_lives_in_the_directory_is_never_written_in_a_record_and_the_other_way_round() {
        for row in rows() {
            for place in [row.professional, row.patient, row.system] {
                let allowed = match row.resource_type.home() {
                    Home::Record => !place.in_directory(),
                    Home::Directory => !place.in_record(),
                    Home::Either => true,
                    Home::None => false,
                };
                assert!(allowed, "{}", row.resource_type);
            }
        }
    }
}
