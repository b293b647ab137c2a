//! The R4 resource types, from `schema/resources.tsv`: number, home, the paths that name the record, clinical date.
use std::collections::HashMap;
use std::fmt;
use std::sync::LazyLock;

/// Where resources of a type live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Home {
    /// In the record that its paths name.
    Record,
    /// In the directory, read by every caller.
    Directory,
    /// In a record where its paths name one or a document brought it, otherwise in the directory.
    Either,
    /// Outside the purpose of this server: refused.
    None,
}

struct Row {
    name: &'static str,
    home: Home,
    record: Vec<&'static str>,
    clinical_date: Option<&'static str>,
}

struct Table {
    rows: Vec<Row>,
    by_name: HashMap<&'static str, u16>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let mut rows = Vec::new();
    let mut by_name = HashMap::new();
    let lines = include_str!("../../schema/resources.tsv").lines().filter(|line| !line.starts_with('#')).skip(1);
    for (index, line) in lines.enumerate() {
        let mut cells = line.split('\t').skip(1);
        let mut cell = || cells.next().unwrap_or("-");
        let name = cell();
        let home = match cell() {
            "record" => Home::Record,
            "directory" => Home::Directory,
            "either" => Home::Either,
            _ => Home::None,
        };
        let record = cell().split(' ').filter(|path| *path != "-").collect();
        let clinical_date = Some(cell()).filter(|code| *code != "-");
        by_name.insert(name, u16::try_from(index).unwrap_or(u16::MAX));
        rows.push(Row { name, home, record, clinical_date });
    }
    Table { rows, by_name }
});

/// A resource type of R4, by its row in `schema/resources.tsv`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResourceType(u16);

impl ResourceType {
    /// The type of this name; `None` for what is not a resource type of R4.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        TABLE.by_name.get(name).copied().map(Self)
    }
    /// Every type of the table.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..TABLE.rows.len()).filter_map(|row| u16::try_from(row).ok().map(Self))
    }
    /// The stable number of the type (from 1), as index keys and rows hold it.
    #[must_use]
    pub fn number(self) -> i16 {
        i16::try_from(self.0).unwrap_or(i16::MAX).saturating_add(1)
    }
    /// The type with this number.
    #[must_use]
    pub fn from_number(number: i16) -> Option<Self> {
        let row = u16::try_from(number).ok()?.checked_sub(1)?;
        (usize::from(row) < TABLE.rows.len()).then_some(Self(row))
    }
    /// Name of the type.
    #[must_use]
    pub fn name(self) -> &'static str {
        TABLE.rows.get(usize::from(self.0)).map_or("", |row| row.name)
    }
    /// Where its resources live.
    #[must_use]
    pub fn home(self) -> Home {
        TABLE.rows.get(usize::from(self.0)).map_or(Home::None, |row| row.home)
    }
    /// The paths that name its record, the first that resolves decides.
    #[must_use]
    pub fn record_paths(self) -> &'static [&'static str] {
        TABLE.rows.get(usize::from(self.0)).map_or(&[], |row| &row.record)
    }
    /// The search parameter whose start is the resource's own clinical date.
    #[must_use]
    pub fn clinical_date(self) -> Option<&'static str> {
        TABLE.rows.get(usize::from(self.0)).and_then(|row| row.clinical_date)
    }
}

impl fmt::Display for ResourceType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
impl fmt::Debug for ResourceType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
