//! How the entries of a transaction are tied to each other: their names, what is coming, and references by criteria.
use super::step::Step;
use crate::fhir::identifier::Ins;
use crate::fhir::interaction::{Parameters, RecordName};
use crate::fhir::names::Names;
use crate::fhir::path::Path;
use crate::fhir::reference::{self, Reference};
use crate::fhir::{Interaction, Resource, ResourceType};
use crate::ids::{Pid, Rid};
use crate::service::Server;
use serde_json::Value;
use std::collections::{HashMap, HashSet};

/// What the whole Bundle says, for each of its entries.
pub(in crate::service) struct Links {
    /// What the entries are called, and where they are.
    pub(super) names: Names,
    /// What the Bundle makes: it is referred to before it is stored.
    pub(super) coming: HashSet<(ResourceType, Pid, Rid)>,
    /// Ids that a client chose for what the Bundle makes.
    pub(super) aliases: HashMap<(ResourceType, String), (Pid, Rid)>,
}

impl Links {
    pub(super) fn new(base: &str) -> Self {
        let names = Names::new(base);
        Self { names, coming: HashSet::new(), aliases: HashMap::new() }
    }

    /// Whether the Bundle makes this resource.
    pub(in crate::service) fn is_coming(&self, target: (ResourceType, Pid, Rid)) -> bool {
        self.coming.contains(&target)
    }

    /// Where an id leads that a client chose for what the Bundle makes.
    pub(in crate::service) fn chosen(&self, resource_type: ResourceType, id: &str) -> Option<(Pid, Rid)> {
        self.aliases.get(&(resource_type, id.to_owned())).copied()
    }

    /// Names become literal in what the entry brings.
    pub(super) fn replace(&self, step: &mut Step<'_>) {
        let full_url = step.entry.full_url.as_deref();
        if let Some(body) = body_mut(&mut step.request.interaction) {
            self.names.replace(body, full_url);
        }
    }

    /// The record of a body whose subject is named by an entry of the Bundle.
    pub(super) fn name_record(&self, server: &Server, interaction: &mut Interaction) {
        let found = match &*interaction {
            Interaction::Create { resource_type, record: Some(RecordName::Unknown), body } => {
                self.record(server, *resource_type, body)
            }
            Interaction::Update { target, record: Some(RecordName::Unknown), body, .. } => {
                self.record(server, target.resource_type, body)
            }
            Interaction::Deposit { record: RecordName::Unknown, body } => {
                ResourceType::parse("DocumentReference").and_then(|resource_type| self.record(server, resource_type, body))
            }
            Interaction::CreateConsent { record: RecordName::Unknown, body } => {
                ResourceType::parse("Consent").and_then(|resource_type| self.record(server, resource_type, body))
            }
            _named_or_none => None,
        };
        let Some(found) = found else { return };
        match interaction {
            Interaction::Create { record: Some(record), .. }
            | Interaction::Update { record: Some(record), .. }
            | Interaction::Deposit { record, .. }
            | Interaction::CreateConsent { record, .. } => *record = RecordName::Pid(found),
            _other => {}
        }
    }

    fn record(&self, server: &Server, resource_type: ResourceType, body: &Resource) -> Option<Pid> {
        resource_type.record_paths().iter().find_map(|path| {
            let path = Path::compile(path).ok()?;
            let found = path.evaluate(body).into_iter().next()?;
            let named = found.element.object()?.get("reference")?.as_str()?;
            let (pid, rid) = server.place(&self.names.get(named)?.reference)?;
            (rid == Rid::PATIENT).then_some(pid)
        })
    }
}

/// What an interaction brings.
pub(super) fn body_mut(interaction: &mut Interaction) -> Option<&mut Resource> {
    match interaction {
        Interaction::Create { body, .. }
        | Interaction::Update { body, .. }
        | Interaction::CreateConsent { body, .. }
        | Interaction::UpdateConsent { body, .. }
        | Interaction::Deposit { body, .. } => Some(body),
        Interaction::Patch { patch: crate::fhir::patch::Patch::FhirPath(parameters), .. } => Some(parameters),
        _brings_none => None,
    }
}

/// A reference by criteria, where it stands.
pub(super) struct Criteria {
    /// FHIRPath of `Reference.reference`.
    pub(super) path: String,
    /// As it is written: `Patient?identifier=...`.
    pub(super) text: String,
    pub(super) resource_type: ResourceType,
    pub(super) query: String,
}

/// Every reference by criteria of a body; but for the record's own person, whom the use case names.
pub(super) fn criteria(body: &Resource, base: &str) -> Vec<Criteria> {
    let mut found = Vec::new();
    reference::references(body, &mut |path, object| {
        let Some(text) = object.get("reference").and_then(Value::as_str) else { return };
        if let Reference::Conditional { resource_type, query } = reference::parse(text, base) {
            found.push(Criteria { path: format!("{path}.reference"), text: text.to_owned(), resource_type, query });
        }
    });
    found
}

/// The person of criteria that are exactly an INS.
pub(super) fn ins_of(resource_type: ResourceType, parameters: &Parameters) -> Option<Ins> {
    match parameters.0.as_slice() {
        [(name, value)] if name == "identifier" && resource_type.name() == "Patient" => {
            value.split_once('|').and_then(|(system, value)| Ins::new(system, value))
        }
        _other => None,
    }
}
