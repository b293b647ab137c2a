//! The DocumentReference of a deposit, completed from the header (C6, BR-46, BR-47).
use super::super::codes::{codings, concept, rows};
use super::super::context::{Context, PARTICIPANTS, resource, set};
use super::super::datatypes::{When, address, date_time, human_names, identifier, telecom, when};
use super::super::issue::{IssueCode, TranslationIssue};
use super::super::participants::{self, Kind, Participant};
use super::super::{ORIGINAL, SUBJECT};
use crate::cda::{self, Element, header::is_ins_root, template};
use crate::fhir::Resource;
use serde_json::{Map, Value, json};
use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

/// Profile of a completed DocumentReference (PDSm 3.1.1).
pub const COMPREHENSIVE: &str =
    "https://interop.esante.gouv.fr/ig/fhir/pdsm/StructureDefinition/pdsm-comprehensive-document-reference";
const IHE_FORMATS: &str = "http://ihe.net/fhir/ihe.formatcode.fhir/CodeSystem/formatcode";
const FRENCH_FORMATS: &str =
    "https://mos.esante.gouv.fr/NOS/TRE_A06-FormatCodeComplementaire/FHIR/TRE-A06-FormatCodeComplementaire";
const CLASSES: &str = "https://mos.esante.gouv.fr/NOS/TRE_A03-ClasseDocument/FHIR/TRE-A03-ClasseDocument";

/// Facts of the deposited file, which the header cannot say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DepositedFile {
    /// Bytes of the file.
    pub size: usize,
    /// SHA-1 of the bytes, base64 of the raw hash.
    pub sha1_base64: String,
}

/// Completes a DocumentReference from the header; the service adds identifiers and merges what the depositor sent.
///
/// `subject` is [`SUBJECT`], `content.attachment.url` is [`ORIGINAL`]. The PDSm comprehensive profile is claimed only where
/// each of its obligatory elements is there.
#[must_use]
pub fn document_reference(document: &cda::Document, file: &DepositedFile) -> (Resource, Vec<TranslationIssue>) {
    let mut context = Context::new(document);
    let root = document.root();
    let mut out = resource("DocumentReference");
    let people = People::read(&mut context, root);
    let patient = source_patient(root, &context.header);
    let id = context.header.id.as_ref().and_then(master_identifier);
    set(&mut out, "masterIdentifier", id);
    set(&mut out, "status", json!("current"));
    let kind = root.child("code").and_then(|code| concept(&mut context, code));
    set(&mut out, "type", kind);
    let (class, format) = class_and_format(&context.header);
    set(&mut out, "category", class.map(|class| json!([{"coding": [{"system": CLASSES, "code": class}]}])));
    set(&mut out, "subject", json!({"reference": SUBJECT}));
    let date = root.child("effectiveTime").and_then(|time| date_time(&mut context, time));
    set(&mut out, "date", date.clone().filter(|date| date.contains('T')).map(|date| json!(date)));
    set(&mut out, "author", Value::Array(people.authors.iter().map(Participant::reference).collect()));
    set(&mut out, "authenticator", people.authenticator.clone().map(|url| json!({"reference": url})));
    set(&mut out, "custodian", people.custodian.clone().map(|url| json!({"reference": url})));
    let security = json!({"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "N"});
    set(&mut out, "securityLabel", json!([{"coding": [security]}]));
    let attachment = attachment(&context.header, file, date.as_deref());
    set(&mut out, "content", json!([{"attachment": attachment, "format": format}]));
    let surroundings = self::surroundings(&mut context, root, date);
    set(&mut out, "context", Value::Object(surroundings));
    let out = with_contained(out, &context, patient);
    (claim_profile(out), context.take_issues())
}

/// The participants that a DocumentReference names.
struct People {
    authors: Vec<Participant>,
    authenticator: Option<String>,
    custodian: Option<String>,
}

impl People {
    fn read(context: &mut Context<'_>, root: Element<'_>) -> Self {
        let mut authors: Vec<Participant> = Vec::new();
        for author in root.children_named("author").take(PARTICIPANTS) {
            let who = participants::participant_in(context, author);
            authors.extend(who.filter(|who| !authors.contains(who) && who.kind != Kind::RelatedPerson));
        }
        let legal = root.child("legalAuthenticator");
        let authenticator = legal.and_then(|legal| {
            let who = participants::participant_in(context, legal)?;
            let url = match who.kind {
                Kind::Professional => Some(who.url),
                Kind::Device => who.organization,
                Kind::Patient | Kind::RelatedPerson => None,
            };
            if url.is_none() {
                context.issue(IssueCode::AuthenticatorOther, legal);
            }
            url
        });
        let custodian = root.at("custodian/assignedCustodian/representedCustodianOrganization");
        let custodian = custodian.and_then(|custodian| participants::organization(context, custodian));
        Self { authors, authenticator, custodian }
    }
}

/// id -> masterIdentifier: the OID alone as urn:oid, otherwise root and extension.
fn master_identifier(id: &cda::Id) -> Option<Value> {
    identifier(id)
}

/// Class and format of each kind of document, by its template.
static KINDS: LazyLock<HashMap<&'static str, (&'static str, &'static str)>> = LazyLock::new(|| {
    let rows = rows(include_str!("../../../schema/cda-document-kinds.tsv"));
    rows.filter_map(|mut row| Some((row.next()?, (row.next()?, row.next()?)))).collect()
});

/// The class (TRE_A03) and the one format coding of a document, by its template (C2).
fn class_and_format(header: &cda::Header) -> (Option<&'static str>, Value) {
    // The most specific template: CSE certificates carry `.5` and `.5.2`.
    let mut own: Vec<&str> =
        header.templates.iter().map(String::as_str).filter(|root| root.starts_with(template::DOCUMENT)).collect();
    own.sort_by_key(|root| std::cmp::Reverse(root.len()));
    let row = own.iter().find_map(|root| KINDS.get(root));
    let kind = header.code.as_deref().unwrap_or("");
    let class = row.and_then(|(class, _)| class_of(class, kind));
    let code = match row {
        Some((_, format)) => *format,
        None if header.is_level_one => level_one_format(header),
        None => "urn:asipSante:modelesHorsProfils:2011",
    };
    let system = if code.starts_with("urn:ihe:") { IHE_FORMATS } else { FRENCH_FORMATS };
    (class, json!({"system": system, "code": code}))
}

/// The format of a document of level 1, by the media type of its file (C2).
fn level_one_format(header: &cda::Header) -> &'static str {
    match header.level_one_media_type.as_deref() {
        Some("application/pdf") => "urn:ihe:iti:xds-sd:pdf:2008",
        Some("text/plain") => "urn:ihe:iti:xds-sd:text:2008",
        Some("image/jpeg") => "urn:ihe:iti-fr:xds-sd:jpeg:2010",
        Some("text/rtf" | "application/rtf") => "urn:ihe:iti-fr:xds-sd:rtf:2010",
        Some("image/tiff") => "urn:ihe:iti-fr:xds-sd:tiff:2010",
        Some(_) | None => "urn:asipSante:modelesHorsProfils:2011",
    }
}

fn class_of(cell: &'static str, kind: &str) -> Option<&'static str> {
    match cell {
        "-" => None,
        cell if cell.contains('=') => {
            cell.split(' ').filter_map(|pair| pair.split_once('=')).find(|(code, _)| *code == kind).map(|(_, class)| class)
        }
        class => Some(class),
    }
}

/// The file -> attachment: text/xml, or application/xslt+xml where the CDA is wrapped in a stylesheet (BR-46).
fn attachment(header: &cda::Header, file: &DepositedFile, date: Option<&str>) -> Value {
    let media_type = if header.is_self_presenting { "application/xslt+xml" } else { "text/xml" };
    let mut out = Map::new();
    out.insert("contentType".into(), json!(media_type));
    out.insert("language".into(), json!(header.language.as_deref().unwrap_or("fr-FR")));
    out.insert("url".into(), json!(ORIGINAL));
    out.insert("size".into(), json!(file.size));
    out.insert("hash".into(), json!(file.sha1_base64));
    if let Some(title) = &header.title {
        out.insert("title".into(), json!(title));
    }
    if let Some(date) = date {
        out.insert("creation".into(), json!(date));
    }
    Value::Object(out)
}

/// documentationOf, componentOf, inFulfillmentOf -> context
///
/// period: the first serviceEvent with a time, else from the document's own;  event: the codes of the service events
/// facilityType: healthCareFacility/code;  practiceSetting: the first performer's standardIndustryClassCode; absent stays absent
fn surroundings(context: &mut Context<'_>, root: Element<'_>, date: Option<String>) -> Map<String, Value> {
    let events: Vec<Element<'_>> =
        root.children_named("documentationOf").filter_map(|documentation| documentation.child("serviceEvent")).collect();
    let mut out = Map::new();
    let mut seen = HashSet::new();
    let mut codes = Vec::new();
    for code in events.iter().filter_map(|event| event.child("code")) {
        codes.extend(concept(context, code).filter(|code| seen.insert(code.to_string())));
    }
    set(&mut out, "event", Value::Array(codes));
    let mut period = None;
    for time in events.iter().filter_map(|event| event.child("effectiveTime")) {
        period = period.or_else(|| when(context, time));
    }
    let period = period.or_else(|| date.map(When::DateTime));
    set(&mut out, "period", period.map(|period| period.period()));
    let facility = root.at("componentOf/encompassingEncounter/location/healthCareFacility/code");
    let facility = facility.and_then(|code| concept(context, code));
    set(&mut out, "facilityType", facility);
    let setting = events
        .iter()
        .flat_map(|event| event.children_named("performer"))
        .find_map(|performer| performer.at("assignedEntity/representedOrganization/standardIndustryClassCode"));
    let setting = setting.filter(|code| !codings(context, *code).is_empty()).and_then(|code| concept(context, code));
    set(&mut out, "practiceSetting", setting);
    set(&mut out, "sourcePatientInfo", json!({"reference": "#patient"}));
    set(&mut out, "related", Value::Array(orders(root)));
    out
}

/// inFulfillmentOf/order id, accessionNumber -> related, as the referenceIdList of XDS (BR-49)
fn orders(root: Element<'_>) -> Vec<Value> {
    let mut out = Vec::new();
    for order in root.children_named("inFulfillmentOf").filter_map(|fulfillment| fulfillment.child("order")) {
        for child in order.children() {
            let code = match child.name() {
                "id" => "urn:ihe:iti:xds:2013:order",
                "accessionNumber" => "urn:ihe:iti:xds:2013:accession",
                _other => continue,
            };
            let Some(Value::Object(mut id)) = child.as_id().as_ref().and_then(identifier) else { continue };
            id.insert("type".into(), json!({"coding": [{"system": "urn:ietf:rfc:3986", "code": code}]}));
            out.push(json!({"identifier": id}));
        }
    }
    out
}

/// recordTarget -> the contained Patient of context.sourcePatientInfo
fn source_patient(root: Element<'_>, header: &cda::Header) -> Resource {
    let mut out = resource("Patient");
    set(&mut out, "id", json!("patient"));
    let Some(role) = root.at("recordTarget/patientRole") else { return out };
    let ids = role.ids().iter().filter_map(patient_identifier).collect();
    set(&mut out, "identifier", Value::Array(ids));
    let patient = role.child("patient");
    let names = patient.into_iter().flat_map(|patient| patient.children_named("name")).flat_map(human_names).collect();
    set(&mut out, "name", Value::Array(names));
    // A telecom that states only why there is none has no system, which fr-core-patient requires: the original keeps it.
    let telecoms = role.children_named("telecom").filter_map(telecom).filter(|telecom| telecom.get("system").is_some());
    set(&mut out, "telecom", Value::Array(telecoms.collect()));
    set(&mut out, "gender", header.fhir_gender().map(|gender| json!(gender)));
    set(
        &mut out,
        "birthDate",
        header.birth_date().filter(|date| crate::fhir::check::primitive::is_date(date)).map(|date| json!(date)),
    );
    let addresses = Value::Array(role.children_named("addr").filter_map(address).collect());
    set(&mut out, "address", stated_only(&addresses));
    out
}

/// patientRole/id -> Identifier with its type: an INS by its OID, the social-security number of ...4.13 as NH, any other PI
fn patient_identifier(id: &cda::Id) -> Option<Value> {
    let french = "https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-0203";
    let international = "http://terminology.hl7.org/CodeSystem/v2-0203";
    let (system, code, identifier_use) = match id.root.as_str() {
        "1.2.250.1.213.1.4.8" => (french, "INS-NIR", "official"),
        "1.2.250.1.213.1.4.9" => (french, "INS-NIA", "temp"),
        "1.2.250.1.213.1.4.10" => (french, "INS-NIR-TEST", "official"),
        "1.2.250.1.213.1.4.11" => (french, "INS-NIR-DEMO", "official"),
        "1.2.250.1.213.1.4.13" => (international, "NH", "secondary"),
        _other => (international, "PI", "usual"),
    };
    debug_assert!(code == "NH" || code == "PI" || is_ins_root(&id.root), "every INS root has its type");
    let Value::Object(rest) = identifier(id)? else { return None };
    let mut out = Map::new();
    out.insert("use".into(), json!(identifier_use));
    out.insert("type".into(), json!({"coding": [{"system": system, "code": code}]}));
    out.extend(rest);
    Some(Value::Object(out))
}

/// fr-core-patient knows the type NH only under the OID of the INS; a social-security number (BR-08) keeps its own OID.
fn names_social_security_number(reference: &Resource) -> bool {
    let contained = reference.get("contained").and_then(Value::as_array).into_iter().flatten();
    let identifiers = contained.filter_map(|one| one.get("identifier")).filter_map(Value::as_array).flatten();
    identifiers.into_iter().any(|id| id.get("system") == Some(&json!("urn:oid:1.2.250.1.213.1.4.13")))
}

/// Moves the participants into `contained`: `urn:uuid:` references become `#p1`, the patient `#patient`.
fn with_contained(out: Resource, context: &Context<'_>, patient: Resource) -> Resource {
    let names: HashMap<&str, String> = context
        .entries
        .iter()
        .enumerate()
        .map(|(index, entry)| (entry.full_url.as_str(), format!("p{}", index.saturating_add(1))))
        .collect();
    let mut contained = vec![Value::Object(patient)];
    for entry in &context.entries {
        let mut one = Resource::new();
        for (name, value) in &entry.resource {
            if name == "meta" {
                continue;
            }
            let value = stated_only(value);
            if value == json!([]) {
                continue;
            }
            one.insert(name.clone(), value);
            if name == "resourceType" {
                one.insert("id".into(), json!(names.get(entry.full_url.as_str())));
            }
        }
        contained.push(Value::Object(one));
    }
    let named = named(&out, context);
    let kept: HashSet<&str> = named.iter().filter_map(|url| names.get(url)).map(String::as_str).collect();
    contained.retain(|one| one.get("id").and_then(Value::as_str).is_some_and(|id| id == "patient" || kept.contains(id)));
    let mut contained = Value::Array(contained);
    rewrite(&mut contained, &names);
    let mut with = Resource::new();
    for (name, mut value) in out {
        // The subject stays the Patient of the record; everywhere else the patient is the contained one, as the document states him.
        if name != "subject" {
            rewrite(&mut value, &names);
        }
        let first = name == "resourceType";
        with.insert(name, value);
        if first {
            with.insert("contained".into(), contained.take());
        }
    }
    with
}

/// The items of a list that state something: the French profiles take no telecom or address that only says why it is absent.
fn stated_only(value: &Value) -> Value {
    let Value::Array(items) = value else { return value.clone() };
    let states = |item: &&Value| item.as_object().is_none_or(|item| item.keys().any(|key| key != "extension"));
    Value::Array(items.iter().filter(states).cloned().collect())
}

/// What the DocumentReference names, and what the participants that it names name (a contained resource must be referred to).
fn named<'c>(out: &Resource, context: &'c Context<'_>) -> HashSet<&'c str> {
    let mut direct = HashSet::new();
    out.values().for_each(|value| references(value, &mut direct));
    let mut all = HashSet::new();
    for entry in context.entries.iter().filter(|entry| direct.contains(entry.full_url.as_str())) {
        all.insert(entry.full_url.as_str());
        entry.resource.values().for_each(|value| references(value, &mut all));
    }
    all
}

fn references<'v>(value: &'v Value, out: &mut HashSet<&'v str>) {
    match value {
        Value::Object(object) => {
            out.extend(object.get("reference").and_then(Value::as_str));
            object.values().for_each(|value| references(value, out));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, out)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn rewrite(value: &mut Value, names: &HashMap<&str, String>) {
    match value {
        Value::Object(object) => {
            if let Some(Value::String(reference)) = object.get_mut("reference") {
                if reference == SUBJECT {
                    "#patient".clone_into(reference);
                } else if let Some(name) = names.get(reference.as_str()) {
                    *reference = format!("#{name}");
                }
            }
            object.values_mut().for_each(|value| rewrite(value, names));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| rewrite(item, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Claims the comprehensive profile where each obligatory element is there.
fn claim_profile(mut out: Resource) -> Resource {
    if is_comprehensive(&out) {
        let mut with = Resource::new();
        for (name, value) in std::mem::take(&mut out) {
            let first = name == "resourceType";
            with.insert(name, value);
            if first {
                with.insert("meta".into(), json!({"profile": [COMPREHENSIVE]}));
            }
        }
        return with;
    }
    out
}

/// Whether each obligatory element of pdsm-comprehensive-document-reference is there; the service asks again after merging.
#[must_use]
pub fn is_comprehensive(reference: &Resource) -> bool {
    const TOP: [&str; 8] =
        ["masterIdentifier", "type", "category", "subject", "date", "author", "authenticator", "securityLabel"];
    const ATTACHMENT: [&str; 7] = ["contentType", "language", "url", "size", "hash", "title", "creation"];
    let content = reference.get("content").and_then(|content| content.get(0));
    let attachment = content.and_then(|content| content.get("attachment"));
    let context = reference.get("context");
    let has = |value: Option<&Value>, name: &str| value.is_some_and(|value| value.get(name).is_some());
    TOP.iter().all(|name| reference.contains_key(*name))
        && ATTACHMENT.iter().all(|name| has(attachment, name))
        && has(content, "format")
        && ["facilityType", "practiceSetting", "sourcePatientInfo"].iter().all(|name| has(context, name))
        && context.and_then(|context| context.get("period")).is_some_and(|period| period.get("start").is_some())
        // PDSm 3.1.1 slices `related` by a type that its slice does not fix: no validator can judge a DocumentReference that has one.
        && !has(context, "related")
        && !names_social_security_number(reference)
}
