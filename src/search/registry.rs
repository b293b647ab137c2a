//! The search parameters of every type, from `schema/search-parameters.tsv`: data, never code for one resource.
use super::operator;
use crate::fhir::ResourceType;
use crate::fhir::path::{Path, split_union};
use std::collections::{BTreeSet, HashMap};
use std::sync::LazyLock;

const TABLE: &str = include_str!("../../schema/search-parameters.tsv");

/// String parameters by which a person searches: these have `text` rows, the others are decided on bodies.
const SEARCHED_BY_PERSONS: [&str; 10] = [
    "name",
    "family",
    "given",
    "phonetic",
    "address",
    "address-city",
    "address-country",
    "address-postalcode",
    "address-state",
    "title",
];

/// Numbers of the operator's parameters: above those of the table. No row stands under them, so they need not be stable.
pub(super) const OPERATOR_NUMBERS: std::ops::RangeFrom<u16> = 8192..;

/// Type of a search parameter. <https://hl7.org/fhir/R4/search.html#ptypes>
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A number.
    Number,
    /// A date, time or period.
    Date,
    /// Text by its beginning.
    String,
    /// A code, identifier or boolean.
    Token,
    /// A reference to a resource or canonical.
    Reference,
    /// Several values of one element.
    Composite,
    /// A number with a unit.
    Quantity,
    /// A URI, compared as it is.
    Uri,
    /// Only with a meaning of its own.
    Special,
}

impl Kind {
    pub(super) fn parse(name: &str) -> Self {
        match name {
            "number" => Self::Number,
            "date" => Self::Date,
            "string" => Self::String,
            "token" => Self::Token,
            "reference" => Self::Reference,
            "composite" => Self::Composite,
            "quantity" => Self::Quantity,
            "uri" => Self::Uri,
            _ => Self::Special,
        }
    }
    /// Code of <https://hl7.org/fhir/R4/valueset-search-param-type.html>.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Number => "number",
            Self::Date => "date",
            Self::String => "string",
            Self::Token => "token",
            Self::Reference => "reference",
            Self::Composite => "composite",
            Self::Quantity => "quantity",
            Self::Uri => "uri",
            Self::Special => "special",
        }
    }
}

/// What reading and comparing a value needs to know.
#[derive(Debug, Clone, PartialEq)]
pub struct Shape {
    /// Type of the parameter.
    pub kind: Kind,
    /// Types that a reference may lead to; empty for every type.
    pub targets: Vec<ResourceType>,
    /// Code system that a plain `code` element implies.
    pub system: Option<&'static str>,
    /// Whether it is a family name, whose parts are searched independently.
    pub is_family: bool,
    /// The one type that `where(resolve() is T)` lets through.
    pub only: Option<ResourceType>,
}

/// One part of a composite parameter.
#[derive(Debug)]
pub struct Component {
    /// How its value reads.
    pub shape: Shape,
    /// Where it is, from the element of the composite.
    pub path: Path,
    /// Numbers under which the rows of the parameter that it names stand.
    pub stored: Vec<u16>,
}

/// A search parameter of one type.
#[derive(Debug)]
pub struct Parameter {
    /// Stable number, part of index keys.
    pub number: u16,
    /// Name in a query.
    pub code: &'static str,
    /// How its value reads.
    pub shape: Shape,
    /// Canonical URL of its definition.
    pub url: &'static str,
    /// The expression as R4 writes it; empty for `_text`, `_content`, `_query`, `_type`.
    pub expression: &'static str,
    /// The compiled expression.
    pub path: Path,
    /// Parts of a composite.
    pub components: Vec<Component>,
    /// Numbers under which its index rows stand: its own, or those of the parameters that it is the same as or the
    /// union of. So `patient` needs no rows beside `subject`, nor `combo-code` beside `code` and `component-code`.
    pub stored: Vec<u16>,
    /// Whether the SQL tables hold rows of this parameter itself.
    pub(super) has_rows: bool,
}

impl Parameter {
    /// Type of the parameter.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.shape.kind
    }
    /// Whether only bodies decide it: a parameter of the operator.
    pub(super) fn is_of_operator(&self) -> bool {
        self.number >= OPERATOR_NUMBERS.start
    }
    /// Whether a `text` row answers a prefix.
    pub(super) fn is_text(&self) -> bool {
        self.shape.kind == Kind::String && SEARCHED_BY_PERSONS.contains(&self.code)
    }
}

/// Every parameter, by type and code.
pub struct Registry {
    all: Vec<Parameter>,
    by_code: HashMap<(Option<ResourceType>, &'static str), usize>,
    by_type: HashMap<Option<ResourceType>, Vec<usize>>,
    by_number: HashMap<u16, usize>,
}

/// The registry of R4, of the French and IHE profiles that this server serves, and of the operator's own parameters.
#[must_use]
pub fn registry() -> &'static Registry {
    static REGISTRY: LazyLock<Registry> = LazyLock::new(|| build(TABLE, operator::rows()));
    &REGISTRY
}

impl Registry {
    /// The parameter of this type, or of every type (`_id`, `_lastUpdated`, `_tag`...).
    #[must_use]
    pub fn parameter(&self, resource_type: ResourceType, code: &str) -> Option<&Parameter> {
        let find = |base| self.by_code.get(&(base, code)).and_then(|index| self.all.get(*index));
        find(Some(resource_type)).or_else(|| find(None))
    }
    /// Every parameter of this type, those of every type first.
    pub fn parameters(&self, resource_type: ResourceType) -> impl Iterator<Item = &Parameter> {
        let of = |base| self.by_type.get(&base).into_iter().flatten().filter_map(|index| self.all.get(*index));
        of(None).chain(of(Some(resource_type)))
    }
    /// The parameter with this number.
    #[must_use]
    pub fn by_number(&self, number: u16) -> Option<&Parameter> {
        self.by_number.get(&number).and_then(|index| self.all.get(*index))
    }
}

/// Whether the table has a parameter of this type, or of every type, with this code.
pub(super) fn of_the_table(resource_type: ResourceType, code: &str) -> bool {
    let mut rows = TABLE.lines().filter(|line| !line.starts_with('#')).filter_map(Row::parse);
    rows.any(|row| row.code == code && row.base.is_none_or(|base| base == resource_type))
}

#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) number: u16,
    pub(super) base: Option<ResourceType>,
    pub(super) code: &'static str,
    kind: Kind,
    expression: &'static str,
    targets: Vec<ResourceType>,
    components: &'static str,
    system: Option<&'static str>,
    url: &'static str,
}

impl Row {
    fn parse(line: &'static str) -> Option<Self> {
        let mut cells = line.split('\t').map(|cell| if cell == "-" { "" } else { cell });
        let mut cell = || cells.next().unwrap_or_default();
        Some(Self {
            number: cell().parse().ok()?,
            base: ResourceType::parse(cell()),
            code: cell(),
            kind: Kind::parse(cell()),
            expression: cell(),
            targets: cell().split(' ').filter_map(ResourceType::parse).collect(),
            components: cell(),
            system: Some(cell()).filter(|system| !system.is_empty()),
            url: cell(),
        })
    }
    /// A parameter of the operator; its number comes later.
    pub(super) fn of_operator(
        base: ResourceType,
        code: &'static str,
        kind: Kind,
        expression: &'static str,
        url: &'static str,
    ) -> Self {
        Self { number: 0, base: Some(base), code, kind, expression, targets: Vec::new(), components: "", system: None, url }
    }
    /// What it finds, as a set of texts: equal sets of one kind have equal rows.
    fn alternatives(&self) -> BTreeSet<String> {
        if self.expression.is_empty() {
            return BTreeSet::new();
        }
        let parts = self.components.split(' ').filter_map(|part| part.split_once('=')).map(|(_, path)| path);
        let parts: Vec<_> = parts.collect();
        split_union(self.expression).into_iter().map(|text| format!("{text} {}", parts.join(" "))).collect()
    }
    fn only(&self) -> Option<ResourceType> {
        let (_, rest) = self.expression.split_once("where(resolve() is ")?;
        ResourceType::parse(rest.split(')').next()?)
    }
    fn path(&self) -> Path {
        Path::compile(self.expression).unwrap_or_else(|_| Path::nothing())
    }
    fn shape(&self) -> Shape {
        Shape {
            kind: self.kind,
            targets: self.targets.clone(),
            system: self.system,
            is_family: self.code == "family",
            only: self.only(),
        }
    }
}

fn build(table: &'static str, operator: &[Row]) -> Registry {
    let rows = table.lines().filter(|line| !line.starts_with('#')).filter_map(Row::parse);
    let rows: Vec<Row> = rows.chain(operator.iter().cloned()).collect();
    let mut of_base: HashMap<Option<ResourceType>, Vec<usize>> = HashMap::new();
    for (index, row) in rows.iter().enumerate() {
        of_base.entry(row.base).or_default().push(index);
    }
    let mut stored = HashMap::new();
    for siblings in of_base.values() {
        let siblings: Vec<&Row> = siblings.iter().filter_map(|index| rows.get(*index)).collect();
        for row in &siblings {
            stored.insert(row.number, stored_under(row, &siblings));
        }
    }
    let all: Vec<Parameter> = rows.iter().map(|row| parameter(row, &rows, &of_base, &stored)).collect();
    Registry {
        by_code: rows.iter().enumerate().map(|(index, row)| ((row.base, row.code), index)).collect(),
        by_number: rows.iter().enumerate().map(|(index, row)| (row.number, index)).collect(),
        by_type: of_base,
        all,
    }
}

/// Under which numbers the rows of a parameter stand.
fn stored_under(row: &Row, siblings: &[&Row]) -> Vec<u16> {
    let own = vec![row.number];
    let wanted = row.alternatives();
    // A string has rows or not by its code, so it shares none.
    if wanted.is_empty() || matches!(row.kind, Kind::String | Kind::Special) {
        return own;
    }
    let same_kind = || siblings.iter().filter(|other| other.kind == row.kind && other.number != row.number);
    let strip = |text: &String| text.split(".where(resolve() is ").next().map(|path| format!("{path} "));
    let stripped: BTreeSet<String> = wanted.iter().filter_map(strip).collect();
    if row.only().is_some()
        && let Some(whole) = same_kind().find(|other| other.alternatives() == stripped)
    {
        return stored_under(whole, siblings);
    }
    if let Some(same) = same_kind().find(|other| other.number < row.number && other.alternatives() == wanted) {
        return stored_under(same, siblings);
    }
    let mut parts: Vec<&&Row> = same_kind().filter(|other| other.only().is_none()).collect();
    parts.retain(|other| {
        let has = other.alternatives();
        !has.is_empty() && has.len() < wanted.len() && has.is_subset(&wanted)
    });
    parts.sort_by_key(|other| (std::cmp::Reverse(other.alternatives().len()), other.number));
    let (mut covered, mut numbers) = (BTreeSet::new(), Vec::new());
    for part in parts {
        let has = part.alternatives();
        if !has.is_subset(&covered) {
            covered.extend(has);
            numbers.push(part.number);
        }
    }
    if covered == wanted { numbers } else { own }
}

fn parameter(
    row: &Row,
    rows: &[Row],
    of_base: &HashMap<Option<ResourceType>, Vec<usize>>,
    stored: &HashMap<u16, Vec<u16>>,
) -> Parameter {
    let siblings = || of_base.get(&row.base).into_iter().flatten().filter_map(|index| rows.get(*index));
    let component = |text: &'static str| {
        let (definition, path) = text.split_once('=')?;
        let named = siblings().find(|other| other.url.rsplit('/').next() == Some(definition))?;
        let stored = stored.get(&named.number).cloned().unwrap_or_default();
        Some(Component { shape: named.shape(), path: Path::compile(path).ok()?, stored })
    };
    let components: Vec<Component> = row.components.split(' ').filter_map(component).collect();
    let path = row.path();
    let stored = stored.get(&row.number).cloned().unwrap_or_default();
    let in_tables = match row.kind {
        Kind::String => SEARCHED_BY_PERSONS.contains(&row.code),
        Kind::Composite => !path.is_root() && has_composite_rows(&components),
        Kind::Special => false,
        Kind::Number | Kind::Date | Kind::Token | Kind::Reference | Kind::Quantity | Kind::Uri => true,
    };
    Parameter {
        number: row.number,
        code: row.code,
        shape: row.shape(),
        url: row.url,
        expression: row.expression,
        // The resource table itself answers these two.
        has_rows: in_tables
            && row.number < OPERATOR_NUMBERS.start
            && !row.expression.is_empty()
            && stored == [row.number]
            && !matches!(row.code, "_id" | "_lastUpdated"),
        path,
        components,
        stored,
    }
}

/// code$code and code$quantity have rows of their own.
pub(super) fn has_composite_rows(components: &[Component]) -> bool {
    let kinds: Vec<Kind> = components.iter().map(|component| component.shape.kind).collect();
    matches!(kinds[..], [Kind::Token, Kind::Token | Kind::Quantity])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(resource_type: &str, code: &str) -> Vec<&'static str> {
        let resource_type = ResourceType::parse(resource_type).unwrap();
        let parameter = registry().parameter(resource_type, code).unwrap();
        parameter.stored.iter().map(|number| registry().by_number(*number).unwrap().code).collect()
    }

    #[test]
    fn every_one_of_the_1372_expressions_of_r4_compiles() {
        let mut urls = BTreeSet::new();
        for line in TABLE.lines().filter(|line| !line.starts_with('#')).skip(1) {
            let row = Row::parse(line).unwrap();
            if !row.expression.is_empty() {
                Path::compile(row.expression).unwrap_or_else(|error| panic!("{}: {error}", row.code));
                if row.url.starts_with("http://hl7.org/fhir/SearchParameter/") {
                    urls.insert(row.url);
                }
            }
        }
        assert_eq!(urls.len(), 1372);
    }

    #[test]
    fn numbers_are_unique_and_below_8192_and_every_base_is_a_type() {
        let rows: Vec<Row> = TABLE.lines().filter(|line| !line.starts_with('#')).filter_map(Row::parse).collect();
        let numbers: BTreeSet<u16> = rows.iter().map(|row| row.number).collect();
        assert_eq!(numbers.len(), rows.len());
        assert!(numbers.iter().all(|number| *number < 8192));
        let general: Vec<&str> = rows.iter().filter(|row| row.base.is_none()).map(|row| row.code).collect();
        assert_eq!(
            general,
            ["_text", "_content", "_id", "_lastUpdated", "_profile", "_query", "_security", "_source", "_tag", "_type"]
        );
    }

    #[test]
    fn every_component_of_a_composite_is_a_parameter() {
        for parameter in &registry().all {
            let stated = TABLE.lines().find(|line| line.starts_with(&format!("{}\t", parameter.number))).unwrap();
            let components = stated.split('\t').nth(6).unwrap();
            let count = components.split(' ').filter(|part| part.contains('=')).count();
            assert_eq!(parameter.components.len(), count, "{}", parameter.code);
        }
    }

    #[test]
    fn a_parameter_that_is_another_or_a_union_has_no_rows_of_its_own() {
        assert_eq!(stored("Observation", "patient"), ["subject"]);
        assert_eq!(stored("Observation", "combo-code"), ["code", "component-code"]);
        assert_eq!(stored("Observation", "combo-value-quantity"), ["component-value-quantity", "value-quantity"]);
        assert_eq!(stored("Observation", "combo-code-value-quantity"), ["code-value-quantity", "component-code-value-quantity"]);
        assert_eq!(stored("DocumentReference", "PDSm_isArchived"), ["isArchived"]);
        assert_eq!(stored("DocumentReference", "PDSm_DocumentReference_period-start"), ["period-start"]);
        assert_eq!(stored("DocumentReference", "type"), ["type"]);
        assert_eq!(stored("Consent", "patient"), ["patient"]);
        assert_eq!(stored("DocumentReference", "related"), ["related"]);
    }

    #[test]
    fn the_parameters_of_pdsm_and_mhd_are_there_in_both_spellings() {
        let documents = ResourceType::parse("DocumentReference").unwrap();
        for code in
            ["isArchived", "PDSm_isArchived", "period-start", "period-end", "PDSm_DocumentReference_period-start", "creation"]
        {
            assert!(registry().parameter(documents, code).is_some(), "{code}");
        }
        assert!(registry().parameter(documents, "period-begin").is_none());
        assert!(registry().parameters(documents).any(|parameter| parameter.code == "_lastUpdated"));
    }
}
