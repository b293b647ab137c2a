//! `/metadata` of this instance: the route table and the registry, told as a CapabilityStatement.
use super::State;
use crate::fhir::ResourceType;
use crate::fhir::resource_type::Home;
use crate::policy::write_table;
use crate::search;
use crate::service::capabilities::{
    BALP_AUDIT_CREATOR, CapabilityInput, IMPLEMENTATION_GUIDES, OperationDescription, PDSM_DOCUMENT_MANAGER, RouteDescription,
    SearchParameterDescription, statement,
};
use serde_json::Value;

const READ: &[&str] = &["read", "vread", "search-type"];
const READ_CREATE: &[&str] = &["read", "vread", "search-type", "create"];
const READ_CREATE_UPDATE: &[&str] = &["read", "vread", "search-type", "create", "update"];
/// The trace has one version of each event.
const TRACE: &[&str] = &["read", "search-type"];
const TRANSLATION: OperationDescription<'_> =
    OperationDescription { name: "translation", definition: "https://dmp-fhir.example/fhir/OperationDefinition/translation" };

/// Types with their interactions: the table that `routes` obeys.
fn routes() -> Vec<RouteDescription<'static>> {
    let served = ResourceType::all().filter(|resource_type| resource_type.home() != Home::None);
    served
        .map(|resource_type| {
            let interactions = match resource_type.name() {
                "AuditEvent" => TRACE,
                "Consent" => READ_CREATE_UPDATE,
                "Patient" | "DocumentReference" => READ_CREATE,
                _ if write_table::is_created(resource_type) => READ_CREATE,
                _ => READ,
            };
            let operations: &[OperationDescription<'_>] = match resource_type.name() {
                "DocumentReference" => &[TRANSLATION],
                _ => &[],
            };
            RouteDescription {
                resource_type: Some(resource_type),
                interactions,
                conditional_read: "full-support",
                read_history: resource_type.name() != "AuditEvent",
                operations,
                ..RouteDescription::default()
            }
        })
        .collect()
}

/// The bytes of the statement; made once, at the start.
pub(super) fn bytes(state: &State) -> Vec<u8> {
    let routes = routes();
    let parameters = routes.iter().filter_map(|route| route.resource_type).flat_map(|resource_type| {
        // A named query (`_query`) is no parameter that a search here answers.
        let answered = search::registry().parameters(resource_type).filter(|parameter| parameter.code != "_query");
        answered.map(move |parameter| SearchParameterDescription {
            resource_type: Some(resource_type),
            name: &parameter.code,
            kind: parameter.kind().code(),
            definition: Some(&parameter.url),
        })
    });
    let statement = statement(CapabilityInput {
        public_base: state.server.base(),
        software_version: env!("CARGO_PKG_VERSION"),
        date: &state.started,
        routes: &routes,
        system_interactions: &["transaction"],
        system_operations: &[],
        search_parameters: parameters,
        instantiates: &[PDSM_DOCUMENT_MANAGER, BALP_AUDIT_CREATOR],
        implementation_guides: IMPLEMENTATION_GUIDES,
        cors: false,
    });
    Value::Object(statement).to_string().into_bytes()
}
