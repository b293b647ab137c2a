//! A row of the trace as AuditEvent (IHE BALP 1.1.4, DESIGN decision 17).
//!
//! BALP fixes outcome 0, so a refusal has the same shape, outcome 4 or 8 and no profile.
//! <https://profiles.ihe.net/ITI/BALP/content.html>
use super::event::{Action, Event, EventOutcome};
use crate::auth::{Caller, Professional, PurposeOfUse};
use crate::fhir::consent::{ID_NAT_ST_SYSTEM, RPPS_SYSTEM};
use crate::fhir::{Resource, ResourceType};
use crate::ids::{Pid, Rid};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

const BALP: &str = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit";
const SIMPLIFIED_PUBLISH: &str = "https://profiles.ihe.net/ITI/MHD/StructureDefinition/IHE.MHD.SimplifiedPublish.Audit.Recipient";
const DICOM: &str = "http://dicom.nema.org/resources/ontology/DCM";
const PARTICIPATION: &str = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";
const ENTITY_TYPE: &str = "http://terminology.hl7.org/CodeSystem/audit-entity-type";
const OBJECT_ROLE: &str = "http://terminology.hl7.org/CodeSystem/object-role";
/// TRE_G15-ProfessionSante (BR-12).
const PROFESSIONS: &str = "https://mos.esante.gouv.fr/NOS/TRE_G15-ProfessionSante/FHIR/TRE-G15-ProfessionSante";
/// TRE_R248-ModeAcces (BR-14).
const ACCESS_MODES: &str = "https://mos.esante.gouv.fr/NOS/TRE_R248-ModeAcces/FHIR/TRE-R248-ModeAcces";

/// The server that wrote the trace.
#[derive(Debug, Clone, Copy)]
pub struct ServerIdentity<'a> {
    /// Name, as the source of the event.
    pub name: &'a str,
    /// Base URL.
    pub base: &'a str,
}

/// What a row needs to become a resource.
#[derive(Clone, Copy)]
pub struct RenderContext<'a> {
    /// Id of the AuditEvent.
    pub id: &'a str,
    /// The server.
    pub server: ServerIdentity<'a>,
    /// Makes the reference of a resource: `Observation/[id]`.
    pub reference: &'a dyn Fn(ResourceType, Pid, Rid) -> String,
    /// Reference of the patient of the row's record: `Patient/[id]`; `None` where the row has no record.
    pub patient: Option<&'a str>,
}

/// Renders a row.
#[must_use]
pub fn render(event: &Event, context: &RenderContext<'_>) -> Resource {
    let shape = Shape::of(event.action);
    let (contained, agents) = agents(event, context, &shape);
    let entities = entities(event, context, &shape);
    let mut audit = Resource::new();
    audit.insert("resourceType".into(), json!("AuditEvent"));
    audit.insert("id".into(), json!(context.id));
    if let Some(profile) = profile(event, context) {
        audit.insert("meta".into(), json!({"profile": [profile]}));
    }
    if let Some(contained) = contained {
        audit.insert("contained".into(), json!([contained]));
    }
    audit.insert("type".into(), json!({"system": "http://terminology.hl7.org/CodeSystem/audit-event-type", "code": "rest"}));
    audit.insert("subtype".into(), Value::Array(shape.subtypes()));
    audit.insert("action".into(), json!(shape.action));
    audit.insert("recorded".into(), json!(event.at.instant()));
    let (outcome, why) = match event.outcome {
        EventOutcome::Success => ("0", None),
        EventOutcome::MinorFailure => ("4", Some(format!("HTTP {}", event.status))),
        EventOutcome::SeriousFailure => ("8", Some(format!("HTTP {}", event.status))),
    };
    audit.insert("outcome".into(), json!(outcome));
    if let Some(why) = why {
        audit.insert("outcomeDesc".into(), json!(why));
    }
    if let Some(purpose) = purpose(&event.caller) {
        audit.insert("purposeOfEvent".into(), json!([purpose]));
    }
    audit.insert("agent".into(), Value::Array(agents));
    let server_type = json!([{"system": "http://terminology.hl7.org/CodeSystem/security-source-type", "code": "4"}]);
    audit.insert(
        "source".into(),
        json!({"site": context.server.base, "observer": {"display": context.server.name}, "type": server_type}),
    );
    audit.insert("entity".into(), Value::Array(entities));
    audit
}

/// What differs between the patterns of BALP.
struct Shape {
    action: &'static str,
    interaction: &'static str,
    /// Types of the agents client and server: BALP turns them round between reading and writing.
    client: (&'static str, &'static str),
    server: (&'static str, &'static str),
    /// Type of the agent user.
    user: &'static str,
    /// ITI transaction, beside the interaction.
    transaction: Option<(&'static str, &'static str)>,
    query: bool,
}

impl Shape {
    fn of(action: Action) -> Self {
        let read = Self {
            action: "R",
            interaction: "read",
            client: (DICOM, "110152"),
            server: (DICOM, "110153"),
            user: "IRCP",
            transaction: None,
            query: false,
        };
        let create = Self {
            action: "C",
            interaction: "create",
            client: (DICOM, "110153"),
            server: (DICOM, "110152"),
            user: "AUT",
            ..read
        };
        match action {
            Action::Read => read,
            Action::Query | Action::Existence => Self {
                action: "E",
                interaction: "search-type",
                client: (DICOM, "110153"),
                server: (DICOM, "110152"),
                query: true,
                ..read
            },
            Action::Deposit => Self { transaction: Some(("ITI-105", "Simplified Publish")), ..create },
            Action::Create | Action::Open => create,
            Action::Update => Self { action: "U", interaction: "update", ..create },
            Action::Delete => Self {
                action: "D",
                interaction: "delete",
                client: (DICOM, "110150"),
                server: ("http://terminology.hl7.org/CodeSystem/provenance-participant-type", "custodian"),
                ..create
            },
        }
    }

    fn subtypes(&self) -> Vec<Value> {
        let mut subtypes = vec![json!({"system": "http://hl7.org/fhir/restful-interaction", "code": self.interaction})];
        if let Some(transaction) = self.transaction {
            let (code, display) = transaction;
            subtypes.push(json!({"system": "urn:ihe:event-type-code", "code": code, "display": display}));
        }
        subtypes
    }
}

/// The profile that the row fulfils; none for a refusal, nor where the resource or the patient is not known.
fn profile(event: &Event, context: &RenderContext<'_>) -> Option<String> {
    match event.outcome {
        EventOutcome::Success => {}
        EventOutcome::MinorFailure | EventOutcome::SeriousFailure => return None,
    }
    let patient = context.patient.is_some();
    let data = event.resource_type.is_some() && event.rid.is_some() && event.pid.is_some();
    let name = match event.action {
        Action::Query | Action::Existence => return query_profile(event, patient),
        Action::Deposit => {
            return (patient && data).then(|| SIMPLIFIED_PUBLISH.to_owned());
        }
        Action::Read => "Read",
        Action::Create | Action::Open => "Create",
        Action::Update => "Update",
        Action::Delete => "Delete",
    };
    data.then(|| if patient { format!("{BALP}.Patient{name}") } else { format!("{BALP}.{name}") })
}

/// The query, where there is one: FHIR has no empty values.
fn query_of(event: &Event) -> Option<&str> {
    event.query.as_deref().filter(|query| !query.is_empty())
}

fn query_profile(event: &Event, patient: bool) -> Option<String> {
    query_of(event)?;
    Some(if patient { format!("{BALP}.PatientQuery") } else { format!("{BALP}.Query") })
}

fn agents(event: &Event, context: &RenderContext<'_>, shape: &Shape) -> (Option<Value>, Vec<Value>) {
    let (contained, user) = user(&event.caller, context, shape);
    let client_name = match &event.caller {
        Caller::System(system) => json!({"display": system.client}),
        Caller::Operator => json!({"display": "Command line of the operator"}),
        Caller::Server => json!({"display": context.server.name}),
        Caller::Professional(_) | Caller::Patient(_) => json!({"display": "Client application"}),
    };
    let typed = |(system, code): (&str, &str)| json!({"coding": [{"system": system, "code": code}]});
    let agents = vec![
        json!({
            "type": typed(shape.client), "who": client_name, "requestor": false,
            "network": {"_address": unknown(), "type": "2"}}),
        json!({
            "type": typed(shape.server), "who": {"display": context.server.name}, "requestor": false,
            "network": {"address": context.server.base, "type": "5"}}),
        user,
    ];
    (contained, agents)
}

/// The address of the client is not kept: it says nothing that the token does not, and names a place.
fn unknown() -> Value {
    json!({"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]})
}

/// The agent `user`, and the PractitionerRole in which it holds profession and structure.
fn user(caller: &Caller, context: &RenderContext<'_>, shape: &Shape) -> (Option<Value>, Value) {
    let kind = json!({"coding": [{"system": PARTICIPATION, "code": shape.user}]});
    match caller {
        Caller::Professional(professional) => {
            let identifier = json!({"system": RPPS_SYSTEM, "value": professional.rpps.as_str()});
            let who = json!({"reference": "#agent", "type": "PractitionerRole", "identifier": identifier, "display": professional.name});
            let mut agent = json!({
                "type": kind, "role": [{"coding": [{"system": PROFESSIONS, "code": professional.profession}]}],
                "who": who, "name": professional.name, "requestor": true});
            clear_empty(&mut agent, professional);
            if let (Some(purpose), Some(agent)) = (purpose(caller), agent.as_object_mut()) {
                agent.insert("purposeOfUse".into(), json!([purpose]));
            }
            (Some(role_of(professional)), agent)
        }
        Caller::Patient(ins) => {
            let mut who = json!({"type": "Patient", "identifier": {"system": ins.system(), "value": ins.value()}});
            if let (Some(patient), Some(who)) = (context.patient, who.as_object_mut()) {
                who.insert("reference".into(), json!(patient));
            }
            (None, json!({"type": kind, "who": who, "requestor": true}))
        }
        Caller::System(system) => {
            let identifier = json!({"system": ID_NAT_ST_SYSTEM, "value": system.structure.struct_idnat()});
            let who = json!({"type": "Organization", "identifier": identifier, "display": system.client});
            (None, json!({"type": kind, "who": who, "requestor": true}))
        }
        Caller::Operator => (None, json!({"type": kind, "who": {"display": "Operator"}, "requestor": true})),
        Caller::Server => (None, json!({"type": kind, "who": {"display": context.server.name}, "requestor": true})),
    }
}

/// FHIR has no empty strings: a token without a name leaves none.
fn clear_empty(agent: &mut Value, professional: &Professional) {
    if !professional.name.is_empty() {
        return;
    }
    if let Some(agent) = agent.as_object_mut() {
        agent.remove("name");
        if let Some(who) = agent.get_mut("who").and_then(Value::as_object_mut) {
            who.remove("display");
        }
    }
}

fn role_of(professional: &Professional) -> Value {
    let mut practitioner =
        json!({"type": "Practitioner", "identifier": {"system": RPPS_SYSTEM, "value": professional.rpps.as_str()}});
    if let (false, Some(practitioner)) = (professional.name.is_empty(), practitioner.as_object_mut()) {
        practitioner.insert("display".into(), json!(professional.name));
    }
    let mut role = json!({"resourceType": "PractitionerRole", "id": "agent", "practitioner": practitioner});
    if let Some(role) = role.as_object_mut() {
        if let Some(structure) = &professional.structure {
            let identifier = json!({"system": ID_NAT_ST_SYSTEM, "value": structure.struct_idnat()});
            role.insert("organization".into(), json!({"type": "Organization", "identifier": identifier}));
        }
        role.insert("code".into(), json!([{"coding": [{"system": PROFESSIONS, "code": professional.profession}]}]));
    }
    role
}

fn purpose(caller: &Caller) -> Option<Value> {
    let (reason, mode) = match caller {
        Caller::Professional(professional) => match professional.purpose {
            PurposeOfUse::Normal => ("TREAT", "normal"),
            PurposeOfUse::BrisDeGlace => ("BTG", "bris_de_glace"),
            PurposeOfUse::Centre15 => ("ETREAT", "centre_15"),
        },
        Caller::Patient(_) | Caller::System(_) | Caller::Operator | Caller::Server => return None,
    };
    Some(json!({"coding": [
        {"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": reason},
        {"system": ACCESS_MODES, "code": mode}]}))
}

fn entities(event: &Event, context: &RenderContext<'_>, shape: &Shape) -> Vec<Value> {
    let typed = |code: &str| json!({"system": ENTITY_TYPE, "code": code});
    let role = |code: &str| json!({"system": OBJECT_ROLE, "code": code});
    let mut entities = Vec::new();
    if let (true, Some(query)) = (shape.query, query_of(event)) {
        let encoded = STANDARD.encode(query.as_bytes());
        entities.push(json!({"type": typed("2"), "role": role("24"), "query": encoded}));
    }
    if let (false, Some(resource_type), Some(pid), Some(rid)) = (shape.query, event.resource_type, event.pid, event.rid) {
        let reference = (context.reference)(resource_type, pid, rid);
        entities.push(json!({"what": {"reference": reference}, "type": typed("2"), "role": role("4")}));
    }
    if let Some(patient) = context.patient {
        entities.push(json!({"what": {"reference": patient}, "type": typed("1"), "role": role("1")}));
    }
    if !event.request.is_empty() {
        let request =
            json!({"system": "https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType", "code": "XrequestId"});
        entities.push(json!({"what": {"identifier": {"value": event.request}}, "type": request}));
    }
    entities
}
