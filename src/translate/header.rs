//! The header of a document as resources: participants, orders, encounter, consents (C6).
use super::codes::{concept, data_absent_reason};
use super::context::{Context, PARTICIPANTS, resource, set};
use super::datatypes::{self, absent, address, date_time, identifiers, telecom, when, when_done};
use super::participants::{self, Kind, Participant};
use crate::cda::Element;
use serde_json::{Value, json};

/// What the header says, as later layers need it.
#[derive(Default)]
pub(super) struct Header {
    pub(super) authors: Vec<Participant>,
    pub(super) enterers: Vec<Participant>,
    pub(super) informants: Vec<Participant>,
    pub(super) custodian: Option<String>,
    pub(super) legal: Option<Attestation>,
    pub(super) attesters: Vec<Attestation>,
    /// `participant`: typeCode and who.
    pub(super) participants: Vec<(String, Participant)>,
    /// `serviceEvent/performer`.
    pub(super) performers: Vec<Participant>,
    /// The professional who took the specimens: PRF with functionCode PRELV.
    pub(super) sampler: Option<Participant>,
    pub(super) orders: Vec<String>,
}

/// Who attests, and when.
pub(super) struct Attestation {
    pub(super) party: Participant,
    pub(super) time: Option<String>,
}

/// Makes the resources of the header.
pub(super) fn resources(context: &mut Context<'_>) -> Header {
    let root = context.document.root();
    let mut header = Header::default();
    for author in root.children_named("author") {
        header.authors.extend(participants::participant_in(context, author));
    }
    for enterer in root.children_named("dataEnterer") {
        header.enterers.extend(participants::participant_in(context, enterer));
    }
    for informant in root.children_named("informant") {
        header.informants.extend(participants::participant_in(context, informant));
    }
    let custodian = root.at("custodian/assignedCustodian/representedCustodianOrganization");
    header.custodian = custodian.and_then(|custodian| participants::organization(context, custodian));
    for recipient in root.children_named("informationRecipient") {
        participants::participant_in(context, recipient);
    }
    header.legal = root.child("legalAuthenticator").and_then(|legal| attestation(context, legal));
    for authenticator in root.children_named("authenticator") {
        header.attesters.extend(attestation(context, authenticator));
    }
    for participant in root.children_named("participant") {
        let Some(who) = participants::participant_in(context, participant) else { continue };
        let function = participant.child("functionCode").and_then(|code| code.stated("code"));
        let kind = participant.stated("typeCode").unwrap_or("").to_owned();
        if kind == "PRF" && function == Some("PRELV") && header.sampler.is_none() {
            header.sampler = Some(who.clone());
        }
        header.participants.push((kind, who));
    }
    let events = root.children_named("documentationOf").filter_map(|documentation| documentation.child("serviceEvent"));
    for performer in events.flat_map(|event| event.children_named("performer")) {
        let Some(who) = participants::participant_in(context, performer) else { continue };
        if header.performers.len() < PARTICIPANTS && !header.performers.contains(&who) {
            header.performers.push(who);
        }
    }
    let encounter = root.at("componentOf/encompassingEncounter");
    context.encounter = encounter.and_then(|encounter| self::encounter(context, encounter));
    let orders = root.children_named("inFulfillmentOf").filter_map(|fulfillment| fulfillment.child("order"));
    for order in orders.take(PARTICIPANTS) {
        let url = service_request(context, order, &header);
        header.orders.push(url);
    }
    for authorization in root.children_named("authorization") {
        if let Some(consent) = authorization.child("consent") {
            self::consent(context, consent);
        }
    }
    header
}

fn attestation(context: &mut Context<'_>, element: Element<'_>) -> Option<Attestation> {
    let party = participants::participant_in(context, element)?;
    let time = element.child("time").and_then(|time| when_done(context, time));
    let time = time.and_then(|time| match time {
        datatypes::When::DateTime(time) => Some(time),
        datatypes::When::Period(low, high) => high.or(low),
    });
    Some(Attestation { party, time })
}

/// componentOf/encompassingEncounter -> Encounter
///
/// id -> identifier (R9);  code -> class (ActCode, else urn:oid);  effectiveTime -> period
/// responsibleParty, encounterParticipant -> participant;  location/healthCareFacility -> location (a Location)
/// status: the header has none -> `unknown` (C4)
fn encounter(context: &mut Context<'_>, encounter: Element<'_>) -> Option<String> {
    let mut out = resource("Encounter");
    set(&mut out, "identifier", Value::Array(identifiers(context, encounter)));
    set(&mut out, "status", json!("unknown"));
    let code = encounter.child("code");
    let class = code.map(|code| super::codes::codings(context, code)).and_then(|codings| codings.into_iter().next());
    let flavor = code.and_then(|code| code.stated("nullFlavor")).unwrap_or("NI");
    set(&mut out, "class", class.unwrap_or_else(|| absent(flavor)));
    set(&mut out, "subject", Context::subject());
    let mut people = Vec::new();
    for element in encounter.children().filter(|child| child.is("responsibleParty") || child.is("encounterParticipant")) {
        let Some(who) = participants::participant_in(context, element).filter(|who| who.kind != Kind::Patient) else { continue };
        let mut person = json!({"individual": who.reference()});
        if let (Some(kind), Some(person)) =
            (element.stated("typeCode").filter(|_| element.is("encounterParticipant")), person.as_object_mut())
        {
            let system = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";
            person.insert("type".into(), json!([{"coding": [{"system": system, "code": kind}]}]));
        }
        if people.len() < PARTICIPANTS && !people.contains(&person) {
            people.push(person);
        }
    }
    set(&mut out, "participant", Value::Array(people));
    let period = encounter.child("effectiveTime").and_then(|time| when(context, time));
    set(&mut out, "period", period.map(|period| period.period()));
    let location = encounter.at("location/healthCareFacility").and_then(|facility| location(context, facility));
    set(&mut out, "location", location.map(|url| json!([{"location": {"reference": url}}])));
    Some(context.add(encounter.path(), out))
}

/// location/healthCareFacility -> Location
///
/// id -> identifier;  code (TRE_R02) -> type;  location/name, addr -> name, address
fn location(context: &mut Context<'_>, facility: Element<'_>) -> Option<String> {
    let mut out = resource("Location");
    let ids: Vec<Value> = facility.ids().iter().filter_map(datatypes::identifier).collect();
    set(&mut out, "identifier", Value::Array(ids));
    let place = facility.child("location");
    let name = place.and_then(|place| place.child("name")).map(Element::text).filter(|name| !name.is_empty());
    set(&mut out, "name", name.map(|name| json!(name)));
    let kind = facility.child("code").and_then(|code| concept(context, code));
    set(&mut out, "type", kind.map(|kind| json!([kind])));
    let telecoms = place.into_iter().flat_map(|place| place.children_named("telecom")).filter_map(telecom).collect();
    set(&mut out, "telecom", Value::Array(telecoms));
    set(&mut out, "address", place.and_then(|place| place.child("addr")).and_then(address));
    (out.len() > 1).then(|| context.add(facility.path(), out))
}

/// inFulfillmentOf/order -> ServiceRequest (C7-25)
///
/// id, accessionNumber -> identifier;  intent `order`, status `unknown`;  header participant REF -> requester (C7-21)
fn service_request(context: &mut Context<'_>, order: Element<'_>, header: &Header) -> String {
    let mut out = resource("ServiceRequest");
    let mut ids = identifiers(context, order);
    for accession in order.children().filter(|child| child.name() == "accessionNumber") {
        let kind = json!({"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "ACSN"}]});
        if let Some(Value::Object(mut identifier)) = accession.as_id().as_ref().and_then(datatypes::identifier) {
            identifier.insert("type".into(), kind);
            ids.push(Value::Object(identifier));
        }
    }
    set(&mut out, "identifier", Value::Array(ids));
    set(&mut out, "status", json!("unknown"));
    set(&mut out, "intent", json!("order"));
    let code = order.child("code").and_then(|code| concept(context, code));
    set(&mut out, "code", code);
    set(&mut out, "subject", Context::subject());
    let prescriber = header.participants.iter().find(|(kind, who)| kind == "REF" && who.kind == Kind::Professional);
    set(&mut out, "requester", prescriber.map(|(_, who)| who.reference()));
    context.add(order.path(), out)
}

/// authorization/consent -> Consent (C6); never read by the access rules
///
/// code -> category, policyRule.text;  statusCode -> status (C4; absent: no resource);  scope `treatment`, no provision
fn consent(context: &mut Context<'_>, consent: Element<'_>) {
    let status = consent.child("statusCode").and_then(|status| status.stated("code"));
    let Some(status) = status.and_then(super::sections::status::consent) else {
        context.issue(super::IssueCode::StatusNotMapped, consent);
        return;
    };
    let category = consent.child("code").and_then(|code| concept(context, code));
    let category = category.unwrap_or_else(|| data_absent_reason("NI"));
    let rule = category.get("text").cloned();
    let mut out = resource("Consent");
    set(&mut out, "identifier", Value::Array(identifiers(context, consent)));
    set(&mut out, "status", json!(status));
    let scope = json!({"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "treatment"}]});
    set(&mut out, "scope", scope);
    set(&mut out, "category", json!([category]));
    set(&mut out, "patient", Context::subject());
    let time = context.document.root().child("effectiveTime").and_then(|time| date_time(context, time));
    set(&mut out, "dateTime", time.map(|time| json!(time)));
    set(&mut out, "sourceReference", Context::document_reference());
    set(&mut out, "policyRule", rule.map(|text| json!({"text": text})).or_else(|| Some(absent("NI"))));
    context.add(consent.path(), out);
}
