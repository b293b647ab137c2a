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

const TRANSLATION: OperationDescription<'_> =
    OperationDescription { name: "translation", definition: "https://dmp-fhir.example/fhir/OperationDefinition/translation" };
const DOCREF: OperationDescription<'_> =
    OperationDescription { name: "docref", definition: "http://hl7.org/fhir/uv/ipa/OperationDefinition/docref" };
const LASTN: OperationDescription<'_> =
    OperationDescription { name: "lastn", definition: "http://hl7.org/fhir/OperationDefinition/Observation-lastn" };
const EVERYTHING: OperationDescription<'_> =
    OperationDescription { name: "everything", definition: "http://hl7.org/fhir/OperationDefinition/Patient-everything" };
const DOCUMENT: OperationDescription<'_> =
    OperationDescription { name: "document", definition: "http://hl7.org/fhir/OperationDefinition/Composition-document" };

/// Types with their interactions: the table that `route` and `policy` obey.
fn routes() -> Vec<RouteDescription<'static>> {
    ResourceType::all().filter(|resource_type| resource_type.home() != Home::None).map(of_type).collect()
}

fn of_type(resource_type: ResourceType) -> RouteDescription<'static> {
    let name = resource_type.name();
    // The trace has one version of each event.
    let versioned = name != "AuditEvent";
    let written = |interaction| write_table::is_written(resource_type, interaction);
    let mut interactions = vec!["read", "search-type"];
    if versioned {
        interactions.extend(["vread", "history-instance", "history-type"]);
    }
    interactions.extend(["create", "update", "patch", "delete"].into_iter().filter(|interaction| written(interaction)));
    let operations: &[OperationDescription<'_>] = match name {
        "Composition" => &[DOCUMENT],
        "DocumentReference" => &[TRANSLATION, DOCREF],
        "Observation" => &[LASTN],
        "Patient" => &[EVERYTHING],
        _ => &[],
    };
    RouteDescription {
        resource_type: Some(resource_type),
        interactions,
        conditional_create: written("create"),
        conditional_read: "full-support",
        conditional_update: written("update"),
        // By a system, under an id that it chooses. A record is opened, and a Consent numbered, by the server.
        update_create: written("update") && !matches!(name, "Patient" | "Consent"),
        conditional_delete: if written("delete") { "single" } else { "" },
        read_history: versioned,
        operations,
        ..RouteDescription::default()
    }
}

/// The CapabilityStatement of this instance, made once when it starts, as the bytes that leave.
pub(crate) struct Statement {
    json: Bytes,
    etag: String,
    xml: OnceLock<Option<Bytes>>,
}

impl Statement {
    /// Of the server at this base, which started at this instant.
    pub(super) fn new(base: &str, started: &str) -> Self {
        let statement = Value::Object(capabilities(base, started));
        let json = statement.to_string();
        let hash = openssl::sha::sha256(json.as_bytes());
        let etag = hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect::<String>();
        Self { json: json.into(), etag: format!("W/\"{etag}\""), xml: OnceLock::new() }
    }

    /// Changes with what it says.
    pub(super) fn etag(&self) -> &str {
        &self.etag
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
        system_interactions: &["transaction", "batch", "search-system", "history-system"],
        system_operations: &[],
        search_parameters: parameters,
        instantiates: &[PDSM_DOCUMENT_MANAGER, BALP_AUDIT_CREATOR],
        implementation_guides: IMPLEMENTATION_GUIDES,
        cors: false,
    })
}
