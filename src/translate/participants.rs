//! Participants as the document states them (C6): one resource for each (identifier, stated name), never of the directory.
use super::codes::{self, concept};
use super::context::{Context, Entry, PARTICIPANTS, reference, resource, set};
use super::datatypes::{address, human_names, identifier, telecom};
use super::issue::IssueCode;
use crate::cda::header::{PROFESSIONAL_OID, STRUCTURE_OID, is_ins_root};
use crate::cda::{Element, Id};
use crate::fhir::Resource;
use crate::fhir::identifier::{Finess, Rpps};
use serde_json::{Value, json};

const FR_IDENTIFIER_TYPE: &str = "https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-0203";

/// What a participant became.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// PractitionerRole (with Practitioner and Organization).
    Professional,
    /// Device.
    Device,
    /// The patient of the record.
    Patient,
    /// Another person.
    RelatedPerson,
}

/// A participant: what it is and how to refer to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Participant {
    pub(super) kind: Kind,
    pub(super) url: String,
    /// The Organization that it stands for.
    pub(super) organization: Option<String>,
}

impl Participant {
    /// A reference to it.
    pub(super) fn reference(&self) -> Value {
        reference(&self.url)
    }
}

const PERSONS: [&str; 5] = ["assignedPerson", "associatedPerson", "informationRecipient", "relatedPerson", "playingEntity"];
const DEVICES: [&str; 2] = ["assignedAuthoringDevice", "playingDevice"];
const ORGANIZATIONS: [&str; 4] = ["representedOrganization", "scopingOrganization", "receivedOrganization", "scopingEntity"];

fn first_child<'d>(element: Element<'d>, names: &[&str]) -> Option<Element<'d>> {
    names.iter().find_map(|name| element.child(name))
}

/// Role of the header or of an entry (assignedAuthor, assignedEntity, associatedEntity, intendedRecipient,
/// participantRole, relatedEntity) -> PractitionerRole + Practitioner + Organization | Device | Patient | RelatedPerson
///
/// id under an INS root, of the patient   -> the patient
/// id under an INS root, of someone else  -> RelatedPerson, the INS never copied
/// relatedEntity                          -> RelatedPerson (relationship = code)
/// assignedAuthoringDevice, playingDevice -> Device
/// anyone else                            -> PractitionerRole
pub(super) fn participant(context: &mut Context<'_>, role: Element<'_>) -> Option<Participant> {
    if context.is_full() {
        context.issue(IssueCode::LimitReached, role);
        return None;
    }
    let ids = role.ids();
    let organization = first_child(role, &ORGANIZATIONS).and_then(|organization| self::organization(context, organization));
    if let Some(id) = ids.iter().find(|id| is_ins_root(&id.root)) {
        if context.header.patient_ids.contains(id) {
            return Some(Participant { kind: Kind::Patient, url: super::SUBJECT.to_owned(), organization });
        }
        return related_person(context, role).map(|url| Participant { kind: Kind::RelatedPerson, url, organization });
    }
    if role.is("relatedEntity") {
        return related_person(context, role).map(|url| Participant { kind: Kind::RelatedPerson, url, organization });
    }
    if let Some(device) = first_child(role, &DEVICES) {
        let url = self::device(context, role, device, organization.as_deref());
        return Some(Participant { kind: Kind::Device, url, organization });
    }
    let practitioner = practitioner(context, role, &ids);
    if practitioner.is_none() && organization.is_none() {
        return None;
    }
    let url = practitioner_role(context, role, practitioner.as_deref(), organization.as_deref());
    Some(Participant { kind: Kind::Professional, url, organization })
}

/// The participant inside an element that wraps its role, such as `performer`, `author`, `participant`.
pub(super) fn participant_in(context: &mut Context<'_>, wrapper: Element<'_>) -> Option<Participant> {
    const ROLES: [&str; 6] =
        ["assignedEntity", "assignedAuthor", "associatedEntity", "participantRole", "intendedRecipient", "relatedEntity"];
    let role = first_child(wrapper, &ROLES)?;
    let participant = participant(context, role)?;
    if participant.kind == Kind::Patient {
        context.claim_tree(wrapper, &participant.url);
    } else {
        context.claim_tree(role, &participant.url);
    }
    Some(participant)
}

/// assignedPerson, associatedPerson, playingEntity -> Practitioner
///
/// id 1.2.250.1.71.4.2.1 -> identifier as written (IDNPS); `8` + 11 digits also as rpps (BR-11)
/// name                  -> name;  addr -> address
fn practitioner(context: &mut Context<'_>, role: Element<'_>, ids: &[Id]) -> Option<String> {
    let person = first_child(role, &PERSONS);
    let mut identifiers = Vec::new();
    for id in ids {
        identifiers.extend(professional_identifiers(id));
    }
    let names: Vec<Value> = person.into_iter().flat_map(|person| person.children_named("name")).flat_map(human_names).collect();
    if identifiers.is_empty() && names.is_empty() {
        return None;
    }
    let mut out = resource("Practitioner");
    set(&mut out, "identifier", Value::Array(identifiers.clone()));
    set(&mut out, "name", Value::Array(names.clone()));
    set(&mut out, "address", Value::Array(role.children_named("addr").filter_map(address).collect()));
    let path = person.map_or_else(|| format!("{}#Practitioner", role.path()), Element::path);
    let national = ids.iter().any(|id| id.root == PROFESSIONAL_OID && id.extension.is_some());
    Some(shared(context, path, out, &key("Practitioner", &identifiers, &names), national))
}

fn professional_identifiers(id: &Id) -> Vec<Value> {
    let Some(mut as_written) = identifier(id) else { return Vec::new() };
    let mut out = Vec::new();
    if id.root == PROFESSIONAL_OID {
        set_type(&mut as_written, "IDNPS");
        let rpps = id.extension.as_deref().filter(|value| value.len() == 12).and_then(Rpps::new);
        out.push(as_written);
        if let Some(rpps) = rpps {
            let mut identifier = json!({"system": "https://rpps.esante.gouv.fr", "value": rpps.as_str()});
            set_type(&mut identifier, "RPPS");
            out.push(identifier);
        }
    } else {
        out.push(as_written);
    }
    out
}

fn set_type(identifier: &mut Value, code: &str) {
    let kind = json!({"coding": [{"system": FR_IDENTIFIER_TYPE, "code": code}]});
    if let Some(identifier) = identifier.as_object_mut() {
        identifier.insert("type".into(), kind);
    }
}

/// assignedEntity -> PractitionerRole
///
/// code (TRE_A02)          -> code, whole; the part after `/` -> specialty, only where TRE_R38 has it (BR-12)
/// telecom                 -> telecom
fn practitioner_role(
    context: &mut Context<'_>,
    role: Element<'_>,
    practitioner: Option<&str>,
    organization: Option<&str>,
) -> String {
    let mut out = resource("PractitionerRole");
    set(&mut out, "practitioner", practitioner.map(reference));
    set(&mut out, "organization", organization.map(reference));
    let code = role.child("code").filter(|code| code.stated("code").is_some());
    let stated = code.and_then(|code| code.stated("code")).unwrap_or("").to_owned();
    if let Some(concept) = code.and_then(|code| concept(context, code)) {
        set(&mut out, "code", json!([concept]));
    }
    let specialty = stated.split_once('/').and_then(|(_, specialty)| codes::specialty(specialty));
    set(&mut out, "specialty", specialty.map(|specialty| json!([specialty])));
    set(&mut out, "telecom", telecoms(role));
    let key = format!("PractitionerRole|{}|{}|{stated}", practitioner.unwrap_or(""), organization.unwrap_or(""));
    shared(context, role.path(), out, &key, false)
}

fn telecoms(element: Element<'_>) -> Value {
    Value::Array(element.children_named("telecom").filter_map(telecom).collect())
}

/// representedOrganization, scopingOrganization, representedCustodianOrganization, receivedOrganization -> Organization
///
/// id 1.2.250.1.71.4.2.2      -> identifier as written (IDNST); `1` + 9 characters also as FINESS
/// name, telecom, addr        -> the same
/// standardIndustryClassCode  -> type
pub(super) fn organization(context: &mut Context<'_>, element: Element<'_>) -> Option<String> {
    let ids = element.ids();
    let mut identifiers = Vec::new();
    for id in &ids {
        let Some(mut as_written) = identifier(id) else { continue };
        if id.root == STRUCTURE_OID {
            set_type(&mut as_written, "IDNST");
            identifiers.push(as_written);
            let finess = id.extension.as_deref().filter(|value| value.len() == 10).and_then(Finess::new);
            if let Some(finess) = finess {
                identifiers.push(json!({"system": "https://finess.esante.gouv.fr", "value": finess.as_str()}));
            }
        } else {
            identifiers.push(as_written);
        }
    }
    let name = element.child("name").map(Element::text).filter(|name| !name.is_empty());
    if identifiers.is_empty() && name.is_none() {
        return None;
    }
    let mut out = resource("Organization");
    set(&mut out, "identifier", Value::Array(identifiers.clone()));
    let kind = element.child("standardIndustryClassCode").and_then(|code| concept(context, code));
    set(&mut out, "type", kind.map(|kind| json!([kind])));
    set(&mut out, "name", name.as_ref().map(|name| json!(name)));
    set(&mut out, "telecom", telecoms(element));
    set(&mut out, "address", Value::Array(element.children_named("addr").filter_map(address).collect()));
    let national = ids.iter().any(|id| id.root == STRUCTURE_OID && id.extension.is_some());
    let key = key("Organization", &identifiers, &name.map(|name| json!(name)).into_iter().collect::<Vec<_>>());
    let url = shared(context, element.path(), out, &key, national);
    context.claim_tree(element, &url);
    Some(url)
}

/// assignedAuthoringDevice, playingDevice -> Device
///
/// participantRole/id root 2.51.1.1 (GS1) -> udiCarrier.carrierHRF as written, deviceIdentifier = its (01) part
/// code -> type;  softwareName, manufacturerModelName -> deviceName
fn device(context: &mut Context<'_>, role: Element<'_>, device: Element<'_>, owner: Option<&str>) -> String {
    let mut out = resource("Device");
    let (identifiers, carriers) = device_identifiers(Some(role));
    set(&mut out, "identifier", Value::Array(identifiers));
    set(&mut out, "udiCarrier", Value::Array(carriers));
    let text = |name: &str| device.child(name).map(Element::text).filter(|text| !text.is_empty());
    let names = [("softwareName", "user-friendly-name"), ("manufacturerModelName", "model-name")];
    let names = names.into_iter().filter_map(|(element, kind)| text(element).map(|name| json!({"name": name, "type": kind})));
    set(&mut out, "deviceName", Value::Array(names.collect()));
    let kind = device.child("code").or_else(|| role.child("code")).and_then(|code| concept(context, code));
    set(&mut out, "type", kind);
    set(&mut out, "owner", owner.map(reference));
    set(&mut out, "contact", telecoms(role));
    let key = format!("Device|{}", Value::Object(out.clone()));
    let url = shared(context, role.path(), out, &key, false);
    context.claim_tree(role, &url);
    url
}

/// id of a device -> identifiers, and UDI carriers: root 2.51.1.1 (GS1), or FDA's 2.16.840.1.113883.3.3719
pub(super) fn device_identifiers(role: Option<Element<'_>>) -> (Vec<Value>, Vec<Value>) {
    let (mut identifiers, mut carriers) = (Vec::new(), Vec::new());
    for id in role.map(Element::ids).unwrap_or_default() {
        match &id.extension {
            Some(carrier) if matches!(id.root.as_str(), "2.51.1.1" | "2.16.840.1.113883.3.3719") => carriers.push(udi(carrier)),
            Some(_) | None => identifiers.extend(identifier(&id)),
        }
    }
    (identifiers, carriers)
}

/// The carrier of a UDI in its human-readable form.
fn udi(carrier: &str) -> Value {
    let mut out = json!({"carrierHRF": carrier});
    let identifier = carrier
        .split_once("(01)")
        .or_else(|| carrier.split_once("{01}"))
        .map(|(_, rest)| rest.split(['(', '{']).next().unwrap_or(rest));
    if let (Some(identifier), Some(out)) = (identifier.filter(|part| !part.is_empty()), out.as_object_mut()) {
        out.insert("deviceIdentifier".into(), json!(identifier));
    }
    out
}

/// relatedEntity, or a person who is neither professional nor the patient -> RelatedPerson
///
/// code -> relationship;  name, telecom, addr -> the same;  id -> never (another person's INS)
fn related_person(context: &mut Context<'_>, role: Element<'_>) -> Option<String> {
    for id in role.children_named("id").filter(|id| id.stated("root").is_some_and(is_ins_root)) {
        context.issue(IssueCode::IdentifierOfOther, id);
    }
    let person = first_child(role, &PERSONS);
    let names: Vec<Value> = person.into_iter().flat_map(|person| person.children_named("name")).flat_map(human_names).collect();
    let mut out = resource("RelatedPerson");
    set(&mut out, "patient", Context::subject());
    let relationship = role.child("code").filter(|code| code.stated("code").is_some());
    let relationship = relationship.and_then(|code| concept(context, code));
    if names.is_empty() && relationship.is_none() {
        return None;
    }
    set(&mut out, "relationship", relationship.map(|code| json!([code])));
    set(&mut out, "name", Value::Array(names));
    // The messaging address of an insured person is his INS.
    let own = |telecom: &Element<'_>| !telecom.stated("value").is_some_and(|value| value.ends_with("@patient.mssante.fr"));
    set(&mut out, "telecom", Value::Array(role.children_named("telecom").filter(own).filter_map(telecom).collect()));
    set(&mut out, "address", Value::Array(role.children_named("addr").filter_map(address).collect()));
    let key = format!("RelatedPerson|{}", Value::Object(out.clone()));
    let url = shared(context, role.path(), out, &key, false);
    context.claim_tree(role, &url);
    Some(url)
}

fn key(resource_type: &str, identifiers: &[Value], names: &[Value]) -> String {
    format!("{resource_type}|{}|{}", Value::Array(identifiers.to_vec()), Value::Array(names.to_vec()))
}

/// One resource for each key: what a later place states more (telecoms, addresses, types) is added to the first.
fn shared(context: &mut Context<'_>, path: String, resource: Resource, key: &str, national: bool) -> String {
    if let Some(entry) = context.participants.get(key).and_then(|index| context.entries.get_mut(*index)) {
        merge(entry, resource);
        return entry.full_url.clone();
    }
    let index = context.entries.len();
    let url = context.add(path, resource);
    if let Some(entry) = context.entries.get_mut(index).filter(|_| national) {
        entry.shared_key = Some(key.to_owned());
    }
    context.participants.insert(key.to_owned(), index);
    url
}

fn merge(entry: &mut Entry, resource: Resource) {
    for (name, value) in resource {
        let Value::Array(new) = value else { continue };
        let known = entry.resource.entry(name).or_insert_with(|| json!([]));
        let Some(known) = known.as_array_mut() else { continue };
        for item in new {
            if known.len() < PARTICIPANTS && !known.contains(&item) {
                known.push(item);
            }
        }
    }
}
