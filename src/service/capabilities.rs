//! `GET /metadata`: what this server does, told from the tables that do it. <https://hl7.org/fhir/R4/capabilitystatement.html>
//!
//! Pure: nothing stands in the statement that is not in the route table or in the registry of search parameters.
use crate::fhir::{Resource, ResourceType};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The document manager of PDSm, which this server's routes instantiate.
pub const PDSM_DOCUMENT_MANAGER: &str =
    "https://interop.esante.gouv.fr/ig/fhir/pdsm/CapabilityStatement/PDSm-GestionnaireDePartageDeDocuments";
/// The audit creator of IHE BALP.
pub const BALP_AUDIT_CREATOR: &str = "https://profiles.ihe.net/ITI/BALP/CapabilityStatement/IHE.BALP.AuditCreator";
/// Guides whose profiles the server emits (DESIGN decision 20).
pub const IMPLEMENTATION_GUIDES: &[&str] = &[
    "https://interop.esante.gouv.fr/ig/fhir/pdsm/ImplementationGuide/ans.fhir.fr.pdsm|3.1.1",
    "https://profiles.ihe.net/ITI/BALP/ImplementationGuide/ihe.iti.balp|1.1.4",
];

/// Everything that the statement is made of.
pub struct CapabilityInput<'a, P> {
    /// Address of the FHIR base that clients use.
    pub public_base: &'a str,
    /// Version of this software.
    pub software_version: &'a str,
    /// When the statement last changed, a dateTime: the start of the server.
    pub date: &'a str,
    /// One description for each resource type that has routes.
    pub routes: &'a [RouteDescription<'a>],
    /// `transaction`, `batch`, `search-system`, `history-system`.
    pub system_interactions: &'a [&'a str],
    /// Operations on the base itself.
    pub system_operations: &'a [OperationDescription<'a>],
    /// Search parameters of every type; those of types without a `search-type` route are left out.
    pub search_parameters: P,
    /// Canonical URLs of the CapabilityStatements whose demands this server meets.
    pub instantiates: &'a [&'a str],
    /// Canonical URLs of implementation guides.
    pub implementation_guides: &'a [&'a str],
    /// Whether browsers of other origins may call.
    pub cors: bool,
}

/// What the routes do with one resource type.
#[derive(Debug, Clone, Default)]
pub struct RouteDescription<'a> {
    /// The type; `None` is left out.
    pub resource_type: Option<ResourceType>,
    /// Codes of <https://hl7.org/fhir/R4/valueset-type-restful-interaction.html>.
    pub interactions: Vec<&'a str>,
    /// Profiles that its resources may claim.
    pub supported_profiles: &'a [&'a str],
    /// Whether `PUT` to a new id creates.
    pub update_create: bool,
    /// Whether `If-None-Exist` is obeyed.
    pub conditional_create: bool,
    /// Whether `PUT [type]?...` is obeyed.
    pub conditional_update: bool,
    /// `not-supported`, `modified-since`, `not-match` or `full-support`; empty for the first.
    pub conditional_read: &'a str,
    /// `not-supported`, `single` or `multiple`; empty for the first.
    pub conditional_delete: &'a str,
    /// Whether earlier versions can be read.
    pub read_history: bool,
    /// Values of `_include`, such as `Observation:subject`.
    pub includes: &'a [&'a str],
    /// Values of `_revinclude`.
    pub reverse_includes: &'a [&'a str],
    /// Operations on the type or on an instance.
    pub operations: &'a [OperationDescription<'a>],
    /// What a client must know besides, in a sentence.
    pub documentation: Option<&'a str>,
}

/// An operation, by name without `$`.
#[derive(Debug, Clone, Copy)]
pub struct OperationDescription<'a> {
    /// Name, such as `translation`.
    pub name: &'a str,
    /// Canonical URL of its OperationDefinition.
    pub definition: &'a str,
}

/// A search parameter as the registry has it.
#[derive(Debug, Clone, Copy)]
pub struct SearchParameterDescription<'a> {
    /// The type searched; `None` for a parameter of every type (`_id`).
    pub resource_type: Option<ResourceType>,
    /// Name in the query.
    pub name: &'a str,
    /// Code of <https://hl7.org/fhir/R4/valueset-search-param-type.html>.
    pub kind: &'a str,
    /// Canonical URL of its SearchParameter.
    pub definition: Option<&'a str>,
}

type Parameters<'a> = BTreeMap<Option<ResourceType>, BTreeMap<&'a str, SearchParameterDescription<'a>>>;

/// The CapabilityStatement of this instance.
#[must_use]
pub fn statement<'a, P>(input: CapabilityInput<'a, P>) -> Resource
where
    P: IntoIterator<Item = SearchParameterDescription<'a>>,
{
    let mut parameters = Parameters::new();
    for parameter in input.search_parameters {
        parameters.entry(parameter.resource_type).or_default().entry(parameter.name).or_insert(parameter);
    }
    let mut resources = BTreeMap::new();
    for route in input.routes {
        if let Some(resource_type) = route.resource_type {
            resources.entry(resource_type.name()).or_insert_with(|| resource(resource_type, route, &parameters));
        }
    }
    let mut rest = Map::new();
    rest.insert("mode".into(), "server".into());
    rest.insert("documentation".into(), DOCUMENTATION.into());
    rest.insert("security".into(), security(input.cors));
    insert_all(&mut rest, "resource", resources.into_values());
    insert_all(&mut rest, "interaction", input.system_interactions.iter().map(|code| json!({"code": code})));
    let common = parameters.get(&None).into_iter().flat_map(BTreeMap::values);
    insert_all(&mut rest, "searchParam", common.map(search_parameter));
    insert_all(&mut rest, "operation", input.system_operations.iter().map(operation));

    let mut out = Map::new();
    out.insert("resourceType".into(), "CapabilityStatement".into());
    out.insert("url".into(), format!("{}/metadata", input.public_base).into());
    out.insert("version".into(), input.software_version.into());
    out.insert("name".into(), "DmpFhir".into());
    out.insert("title".into(), "DMP-FHIR".into());
    out.insert("status".into(), "active".into());
    out.insert("date".into(), input.date.into());
    out.insert("description".into(), "FHIR R4 access to the documents and data of the French shared medical record (DMP)".into());
    out.insert("kind".into(), "instance".into());
    insert_all(&mut out, "instantiates", input.instantiates.iter().map(|url| Value::from(*url)));
    out.insert("software".into(), json!({"name": "DMP-FHIR", "version": input.software_version}));
    out.insert("implementation".into(), json!({"description": "DMP-FHIR", "url": input.public_base}));
    out.insert("fhirVersion".into(), "4.0.1".into());
    let formats = ["application/fhir+json", "application/fhir+xml", "json", "xml"];
    out.insert("format".into(), json!(formats));
    let patches = ["application/json-patch+json", "application/xml-patch+xml", "application/fhir+json", "application/fhir+xml"];
    out.insert("patchFormat".into(), json!(patches));
    insert_all(&mut out, "implementationGuide", input.implementation_guides.iter().map(|url| Value::from(*url)));
    out.insert("rest".into(), Value::Array(vec![Value::Object(rest)]));
    out
}

const DOCUMENTATION: &str = "A resource that the caller may not see does not exist for him: reads give 404 and searches \
leave it out of entries and totals. A search names one record, or runs over the records that authorise the caller. Each \
interaction leaves an AuditEvent that the patient can read";

fn security(cors: bool) -> Value {
    json!({
        "cors": cors,
        "service": [{"coding": [{
            "system": "http://terminology.hl7.org/CodeSystem/restful-security-service", "code": "OAuth", "display": "OAuth"}]}],
        "description": "Every request but this one carries a bearer token (signed JWT) of an accepted issuer, which says who calls, \
    in which role, for which structure and purpose",
    })
}

/// Inserts an array; FHIR has no empty ones.
fn insert_all(into: &mut Map<String, Value>, name: &str, items: impl Iterator<Item = Value>) {
    let items: Vec<Value> = items.collect();
    if !items.is_empty() {
        into.insert(name.to_owned(), Value::Array(items));
    }
}

fn resource(resource_type: ResourceType, route: &RouteDescription<'_>, parameters: &Parameters<'_>) -> Value {
    let mut out = Map::new();
    let or_not_supported = |code: &str| if code.is_empty() { "not-supported".into() } else { Value::from(code) };
    out.insert("type".into(), resource_type.name().into());
    out.insert("profile".into(), format!("http://hl7.org/fhir/StructureDefinition/{resource_type}").into());
    insert_all(&mut out, "supportedProfile", route.supported_profiles.iter().map(|url| Value::from(*url)));
    if let Some(documentation) = route.documentation {
        out.insert("documentation".into(), documentation.into());
    }
    insert_all(&mut out, "interaction", route.interactions.iter().map(|code| json!({"code": code})));
    out.insert("versioning".into(), "versioned".into());
    out.insert("readHistory".into(), route.read_history.into());
    out.insert("updateCreate".into(), route.update_create.into());
    out.insert("conditionalCreate".into(), route.conditional_create.into());
    out.insert("conditionalRead".into(), or_not_supported(route.conditional_read));
    out.insert("conditionalUpdate".into(), route.conditional_update.into());
    out.insert("conditionalDelete".into(), or_not_supported(route.conditional_delete));
    out.insert("referencePolicy".into(), json!(["literal", "logical"]));
    insert_all(&mut out, "searchInclude", route.includes.iter().map(|path| Value::from(*path)));
    insert_all(&mut out, "searchRevInclude", route.reverse_includes.iter().map(|path| Value::from(*path)));
    if route.interactions.contains(&"search-type") {
        let own = parameters.get(&Some(resource_type)).into_iter().flat_map(BTreeMap::values);
        insert_all(&mut out, "searchParam", own.map(search_parameter));
    }
    insert_all(&mut out, "operation", route.operations.iter().map(operation));
    Value::Object(out)
}

fn search_parameter(parameter: &SearchParameterDescription<'_>) -> Value {
    let mut out = Map::new();
    out.insert("name".into(), parameter.name.into());
    if let Some(definition) = parameter.definition {
        out.insert("definition".into(), definition.into());
    }
    out.insert("type".into(), parameter.kind.into());
    Value::Object(out)
}

fn operation(operation: &OperationDescription<'_>) -> Value {
    json!({"name": operation.name, "definition": operation.definition})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fhir::check;

    fn parameter<'a>(resource_type: &str, name: &'a str, kind: &'a str) -> SearchParameterDescription<'a> {
        SearchParameterDescription { resource_type: ResourceType::parse(resource_type), name, kind, definition: None }
    }

    fn example() -> Resource {
        let translation = OperationDescription {
            name: "translation",
            definition: "https://dmp-fhir.example/fhir/OperationDefinition/translation",
        };
        let route = |name, interactions| RouteDescription {
            resource_type: ResourceType::parse(name),
            interactions,
            ..RouteDescription::default()
        };
        statement(CapabilityInput {
            public_base: "https://dmp.example/fhir",
            software_version: "0.1.0",
            date: "2026-11-24T10:00:00Z",
            routes: &[
                route("Observation", vec!["read", "search-type"]),
                route("Binary", vec!["read"]),
                RouteDescription {
                    operations: &[translation],
                    includes: &["DocumentReference:patient"],
                    ..route("DocumentReference", vec!["read", "create"])
                },
            ],
            system_interactions: &["batch", "transaction"],
            system_operations: &[],
            search_parameters: [
                parameter("Observation", "code", "token"),
                parameter("Observation", "code", "token"),
                parameter("Observation", "date", "date"),
                parameter("Binary", "x", "token"),
                parameter("", "_id", "token"),
            ],
            instantiates: &[PDSM_DOCUMENT_MANAGER, BALP_AUDIT_CREATOR],
            implementation_guides: IMPLEMENTATION_GUIDES,
            cors: false,
        })
    }

    #[test]
    fn the_statement_is_a_resource_of_r4() {
        assert_eq!(check::check(&example()), []);
    }

    #[test]
    fn only_what_the_tables_have_is_claimed() {
        let statement = Value::Object(example());
        let resources = &statement["rest"][0]["resource"];
        let types: Vec<&str> = resources.as_array().unwrap().iter().map(|resource| resource["type"].as_str().unwrap()).collect();
        assert_eq!(types, ["Binary", "DocumentReference", "Observation"]);
        assert_eq!(resources[2]["searchParam"], json!([{"name": "code", "type": "token"}, {"name": "date", "type": "date"}]));
        assert_eq!(resources[0].get("searchParam"), None, "Binary has no search route");
        assert_eq!(resources[1]["operation"][0]["name"], "translation");
        assert_eq!(resources[1]["conditionalDelete"], "not-supported");
        assert_eq!(statement["rest"][0]["searchParam"], json!([{"name": "_id", "type": "token"}]));
        assert_eq!(statement["rest"][0]["interaction"], json!([{"code": "batch"}, {"code": "transaction"}]));
    }
}
