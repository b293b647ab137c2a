//! The elements of every R4 type, from `schema/elements.tsv` and `schema/bindings.tsv`.
//!
//! What the structural check, the XML bridge and the walkers over a resource know of R4, they know from here.
//! <https://hl7.org/fhir/R4/elementdefinition.html>
use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

/// Syntax of a primitive value. <https://hl7.org/fhir/R4/datatypes.html#primitive>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the standard's own")]
pub enum Primitive {
    Base64Binary,
    Boolean,
    Canonical,
    Code,
    Date,
    DateTime,
    Decimal,
    Id,
    Instant,
    Integer,
    Markdown,
    Oid,
    PositiveInt,
    String,
    Time,
    UnsignedInt,
    Uri,
    Url,
    Uuid,
    Xhtml,
}

impl Primitive {
    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "base64Binary" => Self::Base64Binary,
            "boolean" => Self::Boolean,
            "canonical" => Self::Canonical,
            "code" => Self::Code,
            "date" => Self::Date,
            "dateTime" => Self::DateTime,
            "decimal" => Self::Decimal,
            "id" => Self::Id,
            "instant" => Self::Instant,
            "integer" => Self::Integer,
            "markdown" => Self::Markdown,
            "oid" => Self::Oid,
            "positiveInt" => Self::PositiveInt,
            "string" => Self::String,
            "time" => Self::Time,
            "unsignedInt" => Self::UnsignedInt,
            "uri" => Self::Uri,
            "url" => Self::Url,
            "uuid" => Self::Uuid,
            "xhtml" => Self::Xhtml,
            _ => return None,
        })
    }
}

/// What a type is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One value, with id and extensions beside it.
    Primitive(Primitive),
    /// An object of elements: a datatype, or the content of a backbone element.
    Complex,
    /// A resource type.
    Resource,
    /// `Resource` and `DomainResource`: a resource of any type stands here.
    AnyResource,
}

/// A type: a resource, a datatype, or the content of a backbone element (named by its path).
pub struct TypeDefinition {
    /// Name, such as `Patient`, `HumanName`, `Patient.contact`.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// Its elements, those of its base type first, in the order that XML demands.
    pub elements: Vec<ElementDefinition>,
    by_json_name: HashMap<String, (u16, u16)>,
}

/// One element of a type.
pub struct ElementDefinition {
    /// Name without `[x]`.
    pub name: &'static str,
    /// Whether the type is part of the JSON name (`value[x]`).
    pub choice: bool,
    /// Permitted types.
    pub types: Vec<TypeUse>,
    /// Least number.
    pub min: u16,
    /// Greatest number; `u16::MAX` for `*`.
    pub max: u16,
    /// Value set that its codes come from.
    pub value_set: Option<&'static ValueSet>,
    /// Whether it is part of the summary of what holds it.
    pub summary: bool,
    /// Whether it changes the meaning of what holds it.
    pub modifier: bool,
}

impl ElementDefinition {
    /// Whether JSON writes it as an array.
    #[must_use]
    pub fn is_array(&self) -> bool {
        self.max > 1
    }
}

/// A type as an element permits it.
pub struct TypeUse {
    definition: u16,
    /// Resource types that a Reference may name; empty for any.
    pub targets: Vec<&'static str>,
    /// Whether this Quantity is a SimpleQuantity: one without comparator.
    pub simple_quantity: bool,
}

impl TypeUse {
    /// The type.
    #[must_use]
    pub fn definition(&self) -> &'static TypeDefinition {
        by_number(self.definition)
    }
}

/// A value set whose codes R4 lists, or whose syntax it gives.
pub struct ValueSet {
    /// Last part of its URL.
    pub name: &'static str,
    codes: HashMap<&'static str, HashSet<String>>,
}

impl ValueSet {
    /// Whether the codes are listed; if not, only their syntax can be judged (media types, languages).
    #[must_use]
    pub fn is_listed(&self) -> bool {
        !self.codes.is_empty()
    }
    /// Whether some code system of the set has this code.
    #[must_use]
    pub fn has_code(&self, code: &str) -> bool {
        self.codes.values().any(|codes| codes.contains(code))
    }
    /// Whether the set has this code of this system.
    #[must_use]
    pub fn has(&self, system: &str, code: &str) -> bool {
        self.codes.get(system).is_some_and(|codes| codes.contains(code))
    }
}

impl TypeDefinition {
    /// The element that has this name in JSON (`valueQuantity`, without a leading `_`), and the type that the name says.
    #[must_use]
    pub fn element(&self, json_name: &str) -> Option<(&ElementDefinition, &TypeUse)> {
        let (element, used) = self.by_json_name.get(json_name)?;
        let element = self.elements.get(usize::from(*element))?;
        Some((element, element.types.get(usize::from(*used))?))
    }
    /// Where the element with this JSON name stands in `elements`.
    #[must_use]
    pub fn position(&self, json_name: &str) -> Option<usize> {
        self.by_json_name.get(json_name).map(|(element, _)| usize::from(*element))
    }
    /// Whether the element is an attribute in XML, so that it has no id and no extensions: `Element.id`, `Extension.url`.
    #[must_use]
    pub fn is_attribute(&self, name: &str) -> bool {
        (name == "id" && self.kind == Kind::Complex) || (name == "url" && self.name == "Extension")
    }
    /// Whether it is a primitive type.
    #[must_use]
    pub fn primitive(&self) -> Option<Primitive> {
        match self.kind {
            Kind::Primitive(primitive) => Some(primitive),
            Kind::Complex | Kind::Resource | Kind::AnyResource => None,
        }
    }
}

/// The type of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static TypeDefinition> {
    TABLE.by_name.get(name).map(|number| by_number(*number))
}

/// The resource type of this name; `None` for a datatype or an abstract type.
#[must_use]
pub fn resource(name: &str) -> Option<&'static TypeDefinition> {
    find(name).filter(|definition| definition.kind == Kind::Resource)
}

/// The value set whose URL ends in this name.
#[must_use]
pub fn value_set(name: &str) -> Option<&'static ValueSet> {
    VALUE_SETS.get(name)
}

/// Elements of `Element` alone: stands where the table has no such type, which the tests exclude.
static NOTHING: LazyLock<TypeDefinition> =
    LazyLock::new(|| TypeDefinition { name: "", kind: Kind::Complex, elements: Vec::new(), by_json_name: HashMap::new() });

fn by_number(number: u16) -> &'static TypeDefinition {
    TABLE.types.get(usize::from(number)).unwrap_or(&NOTHING)
}

struct Table {
    types: Vec<TypeDefinition>,
    by_name: HashMap<&'static str, u16>,
}

struct Row {
    path: &'static str,
    types: &'static str,
    min: &'static str,
    max: &'static str,
    last: &'static str,
    flags: &'static str,
}

fn rows(text: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    text.lines().filter(|line| !line.starts_with('#')).skip(1).map(|line| line.split('\t').collect())
}

static VALUE_SETS: LazyLock<HashMap<&'static str, ValueSet>> = LazyLock::new(|| {
    let mut sets = HashMap::new();
    for cells in rows(include_str!("../../schema/bindings.tsv")) {
        let [name, system, codes] = cells.as_slice() else { continue };
        let set = sets.entry(*name).or_insert_with(|| ValueSet { name, codes: HashMap::new() });
        set.codes.insert(*system, codes.split(' ').map(|code| code.replace("%20", " ")).collect());
    }
    for name in ["all-languages", "mimetypes", "bcp13.txt"] {
        sets.insert(name, ValueSet { name, codes: HashMap::new() });
    }
    sets
});

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let rows: Vec<Row> = rows(include_str!("../../schema/elements.tsv"))
        .filter_map(|cells| match cells.as_slice() {
            [path, types, min, max, last, flags] => Some(Row { path, types, min, max, last, flags }),
            _ => None,
        })
        .collect();
    Builder::new(&rows).build()
});

/// Reads the rows twice: first every type gets its number, then the elements, which name types by number.
struct Builder<'a> {
    numbers: HashMap<&'static str, u16>,
    heads: Vec<&'a Row>,
    children: HashMap<&'static str, Vec<&'a Row>>,
}

impl<'a> Builder<'a> {
    fn new(rows: &'a [Row]) -> Self {
        let mut builder = Self { numbers: HashMap::new(), heads: Vec::new(), children: HashMap::new() };
        let parents: HashSet<&str> = rows.iter().filter_map(|row| parent(row.path)).collect();
        for row in rows {
            if row.min == "-" || parents.contains(row.path) {
                builder.numbers.insert(row.path, u16::try_from(builder.heads.len()).unwrap_or(u16::MAX));
                builder.heads.push(row);
            }
            if let Some(parent) = parent(row.path) {
                builder.children.entry(parent).or_default().push(row);
            }
        }
        builder
    }

    fn build(self) -> Table {
        let types = self.heads.iter().map(|head| self.definition(head)).collect();
        Table { types, by_name: self.numbers }
    }

    fn definition(&self, head: &Row) -> TypeDefinition {
        let kind = match head.last {
            "primitive" => Primitive::parse(head.path).map_or(Kind::Complex, Kind::Primitive),
            "resource" => Kind::Resource,
            _ if matches!(head.path, "Resource" | "DomainResource") => Kind::AnyResource,
            _ => Kind::Complex,
        };
        let mut elements = Vec::new();
        self.collect(head, &mut elements);
        let mut by_json_name = HashMap::new();
        for (position, element) in elements.iter().enumerate() {
            let position = u16::try_from(position).unwrap_or(u16::MAX);
            for (index, used) in element.types.iter().enumerate() {
                let name = match self.heads.get(usize::from(used.definition)) {
                    Some(head) if element.choice => choice_name(element.name, head.path),
                    _ => element.name.to_owned(),
                };
                by_json_name.entry(name).or_insert((position, u16::try_from(index).unwrap_or(u16::MAX)));
            }
        }
        TypeDefinition { name: head.path, kind, elements, by_json_name }
    }

    /// Elements of the base type, then its own.
    fn collect(&self, head: &Row, out: &mut Vec<ElementDefinition>) {
        if let Some(base) = self.numbers.get(head.types).and_then(|number| self.heads.get(usize::from(*number))) {
            self.collect(base, out);
        }
        for row in self.children.get(head.path).into_iter().flatten() {
            out.push(self.element(row));
        }
    }

    fn element(&self, row: &Row) -> ElementDefinition {
        let name = row.path.rsplit('.').next().unwrap_or(row.path);
        let bare = name.strip_suffix("[x]");
        let types = if let Some(number) = self.numbers.get(row.path) {
            vec![TypeUse { definition: *number, targets: Vec::new(), simple_quantity: false }]
        } else {
            row.types.split('|').filter_map(|cell| self.type_use(cell)).collect()
        };
        ElementDefinition {
            name: bare.unwrap_or(name),
            choice: bare.is_some(),
            types,
            min: row.min.parse().unwrap_or(0),
            max: row.max.parse().unwrap_or(u16::MAX),
            value_set: VALUE_SETS.get(row.last),
            summary: row.flags.contains('s'),
            modifier: row.flags.contains('m'),
        }
    }

    fn type_use(&self, cell: &'static str) -> Option<TypeUse> {
        let (name, targets) = cell.strip_suffix(')').and_then(|cell| cell.split_once('(')).unwrap_or((cell, ""));
        let definition = *self.numbers.get(name.trim_start_matches('#'))?;
        if targets == "SimpleQuantity" {
            return Some(TypeUse { definition, targets: Vec::new(), simple_quantity: true });
        }
        let targets = targets.split(',').filter(|target| !target.is_empty()).collect();
        Some(TypeUse { definition, targets, simple_quantity: false })
    }
}

fn parent(path: &str) -> Option<&str> {
    path.rsplit_once('.').map(|(parent, _)| parent)
}

/// `value` and `Quantity`, `dateTime` give `valueQuantity`, `valueDateTime`.
fn choice_name(element: &str, type_name: &str) -> String {
    let mut letters = type_name.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    element.chars().chain(first).chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_resource_type_of_the_server_has_its_elements() {
        for resource_type in crate::fhir::ResourceType::all() {
            assert!(resource(resource_type.name()).is_some(), "{resource_type}");
        }
    }

    #[test]
    fn every_path_to_a_record_is_a_reference_or_the_patient_itself() {
        for resource_type in crate::fhir::ResourceType::all() {
            for path in resource_type.record_paths() {
                let mut steps = path.split('.');
                let mut definition = resource(steps.next().unwrap()).unwrap();
                assert_eq!(definition.name, resource_type.name());
                for step in steps {
                    definition = definition.elements.iter().find(|element| element.name == step).unwrap().types[0].definition();
                }
                assert!(matches!(definition.name, "Reference" | "Patient"), "{path} is a {}", definition.name);
            }
        }
    }

    #[test]
    fn every_element_has_a_type_and_every_bound_set_is_known() {
        for definition in &TABLE.types {
            for element in &definition.elements {
                assert!(!element.types.is_empty(), "{}.{}", definition.name, element.name);
            }
        }
        let unknown: HashSet<&str> = rows(include_str!("../../schema/elements.tsv"))
            .filter(|cells| cells[2] != "-" && cells[4] != "-" && value_set(cells[4]).is_none())
            .map(|cells| cells[4])
            .collect();
        assert_eq!(unknown, HashSet::from(["LL379-9", "ucum-units"]));
    }

    #[test]
    fn inherited_elements_come_first_in_the_order_of_xml() {
        let names: Vec<&str> = find("Patient").unwrap().elements.iter().map(|element| element.name).collect();
        assert_eq!(
            names[..9],
            ["id", "meta", "implicitRules", "language", "text", "contained", "extension", "modifierExtension", "identifier"]
        );
        let names: Vec<&str> = find("Patient.contact").unwrap().elements.iter().map(|element| element.name).collect();
        assert_eq!(names[..4], ["id", "extension", "modifierExtension", "relationship"]);
    }

    #[test]
    fn a_choice_is_found_by_its_json_name() {
        let observation = find("Observation").unwrap();
        let (element, used) = observation.element("valueDateTime").unwrap();
        assert_eq!((element.name, used.definition().primitive()), ("value", Some(Primitive::DateTime)));
        assert!(observation.element("value").is_none() && observation.element("valueDecimal").is_none());
    }

    #[test]
    fn a_content_reference_leads_to_the_other_elements_content() {
        let component = find("Observation.component").unwrap();
        assert_eq!(component.element("referenceRange").unwrap().1.definition().name, "Observation.referenceRange");
    }

    #[test]
    fn reference_targets_are_those_of_the_definition() {
        let subject = find("Observation").unwrap().element("subject").unwrap().1;
        assert_eq!(subject.targets, ["Patient", "Group", "Device", "Location"]);
        assert!(find("Observation").unwrap().element("focus").unwrap().1.targets.is_empty());
    }
}
