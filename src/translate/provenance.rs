//! One Provenance for each document: IHE mXDE, every extracted resource a target, the document its entity.
use super::context::{Context, reference, resource, set};
use super::header::Header;
use super::participants::Participant;
use serde_json::{Value, json};
use std::collections::HashSet;

/// Types that are the document's own files or this Provenance itself, not data extracted from it.
const NOT_EXTRACTED: [&str; 1] = ["Provenance"];

/// The document -> Provenance
///
/// target: every resource;  activity `Derivation`;  policy of mXDE;  entity: the DocumentReference, role source
/// agents: this server as assembler, authors, dataEnterer, informants, custodian, legalAuthenticator, authenticators,
/// participants
/// recorded: the document's effectiveTime, so that the same document gives the same bytes; the service may put its own
pub(super) fn provenance(context: &mut Context<'_>, header: &Header) {
    let mut out = resource("Provenance");
    let profile = "https://profiles.ihe.net/ITI/mXDE/StructureDefinition/IHE.ITI.mXDE.Provenance";
    let assembler = json!({"resourceType": "Device", "id": "assembler",
        "deviceName": [{"name": "DMP-FHIR", "type": "model-name"}]});
    set(&mut out, "contained", json!([assembler]));
    let extracted = |entry: &&super::Entry| {
        let kind = entry.resource.get("resourceType").and_then(Value::as_str).unwrap_or("");
        !NOT_EXTRACTED.contains(&kind)
    };
    let targets: Vec<Value> = context.entries.iter().filter(extracted).map(|entry| reference(&entry.full_url)).collect();
    set(&mut out, "target", Value::Array(targets));
    match context.issued.clone() {
        Some(time) => set(&mut out, "recorded", json!(time)),
        None => set(&mut out, "_recorded", super::datatypes::absent("NI")),
    }
    set(&mut out, "policy", json!(["urn:ihe:iti:mxde:2023:document-provenance-policy"]));
    let activity = json!({"coding": [{"system": "http://hl7.org/fhir/w3c-provenance-activity-type", "code": "Derivation"}]});
    set(&mut out, "activity", activity);
    let mut agents = vec![agent("assembler", &json!({"reference": "#assembler"}))];
    agents.extend(header.authors.iter().map(|who| agent("author", &who.reference())));
    agents.extend(header.enterers.iter().map(|who| agent("enterer", &who.reference())));
    agents.extend(header.informants.iter().map(|who| agent("informant", &who.reference())));
    agents.extend(header.custodian.iter().map(|url| agent("custodian", &reference(url))));
    agents.extend(header.legal.iter().map(|legal| agent("legal", &who(&legal.party))));
    agents.extend(header.attesters.iter().map(|attester| agent("attester", &who(&attester.party))));
    agents.extend(header.participants.iter().map(|(kind, who)| participant(kind, &who.reference())));
    agents.extend(context.agents.iter().map(|(kind, url)| agent(kind, &reference(url))));
    let mut seen = HashSet::new();
    agents.retain(|agent| seen.insert(agent.to_string()));
    set(&mut out, "agent", Value::Array(agents));
    set(&mut out, "entity", json!([{"role": "source", "what": Context::document_reference()}]));
    let url = context.add("/ClinicalDocument#Provenance".to_owned(), out);
    if let Some(entry) = context.entry_mut(&url) {
        let meta = entry.resource.entry("meta").or_insert_with(|| json!({}));
        if let Some(meta) = meta.as_object_mut() {
            meta.insert("profile".into(), json!([profile]));
        }
    }
}

fn who(participant: &Participant) -> Value {
    participant.reference()
}

/// participant of the header (prescriber, sampler, médecin traitant) -> agent, typed by its typeCode
fn participant(kind: &str, who: &Value) -> Value {
    let system = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";
    if !crate::fhir::check::primitive::is_code(kind) {
        return json!({"who": who});
    }
    json!({"type": {"coding": [{"system": system, "code": kind}]}, "who": who})
}

fn agent(kind: &str, who: &Value) -> Value {
    let system = "http://terminology.hl7.org/CodeSystem/provenance-participant-type";
    json!({"type": {"coding": [{"system": system, "code": kind}]}, "who": who})
}
