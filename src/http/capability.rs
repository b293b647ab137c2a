//! `/metadata` of this instance: the route table and the registry, told as a CapabilityStatement.
use crate::fhir::resource_type::Home;
use crate::fhir::{Resource, ResourceType, xml};
use crate::policy::write_table;
use crate::search;
use crate::service::capabilities::{
    BALP_AUDIT_CREATOR, CapabilityInput, IMPLEMENTATION_GUIDES, OperationDescription, PDSM_DOCUMENT_MANAGER, RouteDescription,
    SearchParameterDescription, statement,
};
use actix_web::web::Bytes;
use serde_json::Value;
use std::sync::OnceLock;

const READ: &[&str] = &["read", "vread", "search-type"];
const READ_CREATE: &[&str] = &["read", "vread", "search-type", "create"];
const READ_CREATE_UPDATE: &[&str] = &["read", "vread", "search-type", "create", "update"];
/// The trace has one version of each event.
const TRACE: &[&str] = &["read", "search-type"];
const TRANSLATION: OperationDescription<'_> =
    OperationDescription { name: "translation", definition: "https://dmp-fhir.example/fhir/OperationDefinition/translation" };
const DOCUMENT: OperationDescription<'_> =
    OperationDescription { name: "document", definition: "http://hl7.org/fhir/OperationDefinition/Composition-document" };

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
                "Composition" => &[DOCUMENT],
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

/// The CapabilityStatement of this instance, made once when it starts, as the bytes that leave.
pub(crate) struct Statement {
    json: Bytes,
    xml: OnceLock<Option<Bytes>>,
}

impl Statement {
    /// Of the server at this base, which started at this instant.
    pub(super) fn new(base: &str, started: &str) -> Self {
        let statement = Value::Object(capabilities(base, started));
        Self { json: statement.to_string().into(), xml: OnceLock::new() }
    }

    pub(super) fn json(&self) -> Bytes {
        self.json.clone()
    }

    /// The same in XML, written when the first client asks for it.
    pub(super) fn xml(&self) -> Option<Bytes> {
        self.xml.get_or_init(|| xml::write(&self.json).ok().map(Bytes::from)).clone()
    }
}

fn capabilities(base: &str, started: &str) -> Resource {
    let routes = routes();
    let parameters = routes.iter().filter_map(|route| route.resource_type).flat_map(|resource_type| {
        // A named query (`_query`) is no parameter that a search here answers.
        let answered = search::registry().parameters(resource_type).filter(|parameter| parameter.code != "_query");
        answered.map(move |parameter| SearchParameterDescription {
            resource_type: Some(resource_type),
            name: parameter.code,
            kind: parameter.kind().code(),
            definition: Some(parameter.url),
        })
    });
    statement(CapabilityInput {
        public_base: base,
        software_version: env!("CARGO_PKG_VERSION"),
        date: started,
        routes: &routes,
        system_interactions: &["transaction"],
        system_operations: &[],
        search_parameters: parameters,
        instantiates: &[PDSM_DOCUMENT_MANAGER, BALP_AUDIT_CREATOR],
        implementation_guides: IMPLEMENTATION_GUIDES,
        cors: false,
    })
}
