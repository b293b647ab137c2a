//! The header of a document as plain values: what a deposit is checked against (C6, BR-42, BR-47).
use super::{Document, Element, Id};
use crate::fhir::identifier::{Finess, INS_OIDS, Ins, Rpps};

/// Root of the national identifiers of professionals (PS_IdNat).
pub const PROFESSIONAL_OID: &str = "1.2.250.1.71.4.2.1";
/// Root of the national identifiers of structures (Struct_IdNat).
pub const STRUCTURE_OID: &str = "1.2.250.1.71.4.2.2";

/// Values of the header. Prints without them.
#[derive(Clone, Default)]
pub struct Header {
    /// `id`: the uniqueId of the document.
    pub id: Option<Id>,
    /// `setId`: common to all versions (BR-42).
    pub set_id: Option<Id>,
    /// `versionNumber` (BR-42).
    pub version_number: Option<i64>,
    /// `code/@code`.
    pub code: Option<String>,
    /// `code/@codeSystem`.
    pub code_system: Option<String>,
    /// `title`.
    pub title: Option<String>,
    /// `effectiveTime/@value`, as written.
    pub effective_time: Option<String>,
    /// `languageCode/@code`, where it is a language of BCP 47 by its shape.
    pub language: Option<String>,
    /// `confidentialityCode/@code`.
    pub confidentiality: Option<String>,
    /// Roots of the document's templates.
    pub templates: Vec<String>,
    /// `relatedDocument`.
    pub related_documents: Vec<RelatedDocument>,
    /// `recordTarget/patientRole/id`.
    pub patient_ids: Vec<Id>,
    /// `patient/birthTime/@value`, as written.
    pub birth_time: Option<String>,
    /// `patient/administrativeGenderCode/@code`: M, F, UN.
    pub gender: Option<String>,
    /// `patient/birthplace/place/addr/county`: INSEE code of the commune or country of birth.
    pub birth_place: Option<String>,
    /// Names of the patient.
    pub names: Vec<PersonName>,
    /// `author`.
    pub authors: Vec<Person>,
    /// `legalAuthenticator`.
    pub legal_authenticator: Option<Person>,
    /// Identifiers of the custodian's structure.
    pub custodian_ids: Vec<Id>,
    /// `documentationOf/serviceEvent`.
    pub service_events: Vec<ServiceEvent>,
    /// Whether the file is wrapped in a stylesheet (BR-46): its media type is `application/xslt+xml`.
    pub is_self_presenting: bool,
    /// Whether the body is one embedded file (N1).
    pub is_level_one: bool,
    /// Media type of that file.
    pub level_one_media_type: Option<String>,
}

impl std::fmt::Debug for Header {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Header(..)")
    }
}

/// A `relatedDocument`.
#[derive(Clone)]
pub struct RelatedDocument {
    /// RPLC, APND or XFRM.
    pub type_code: String,
    /// `parentDocument/id`.
    pub ids: Vec<Id>,
    /// `parentDocument/setId`.
    pub set_id: Option<Id>,
    /// `parentDocument/versionNumber`.
    pub version_number: Option<i64>,
}

/// One name, by use: a CDA `name` holds both the birth name (BR) and the used name (CL).
#[derive(Clone, Default, PartialEq, Eq)]
pub struct PersonName {
    /// `family` with qualifier BR, or without qualifier where there is no BR.
    pub birth_family: Option<String>,
    /// `family` with qualifier CL.
    pub used_family: Option<String>,
    /// `given` with qualifier BR: the first given name of the birth certificate.
    pub birth_given: Option<String>,
    /// `given` with qualifier CL.
    pub used_given: Option<String>,
    /// `given` without qualifier: all given names of the birth certificate, as written.
    pub given: Vec<String>,
}

/// A professional, device or other person as the header names one.
#[derive(Clone, Default)]
pub struct Person {
    /// `id`.
    pub ids: Vec<Id>,
    /// `code/@code`: profession and specialty (TRE_A02).
    pub code: Option<String>,
    /// Identifiers of the represented organization.
    pub structure_ids: Vec<Id>,
}

impl Person {
    /// The national number, in its one normal form.
    #[must_use]
    pub fn rpps(&self) -> Option<Rpps> {
        // Only `8` + 11 digits is an RPPS; 11 bare digits under this root are something else.
        self.ids.iter().filter(|id| id.root == PROFESSIONAL_OID).find_map(|id| {
            let value = id.extension.as_deref()?;
            if value.len() == 12 { Rpps::new(value) } else { None }
        })
    }
    /// The FINESS of the represented organization, in its one normal form.
    #[must_use]
    pub fn finess(&self) -> Option<Finess> {
        finess(&self.structure_ids)
    }
}

/// One `serviceEvent`.
#[derive(Clone, Default)]
pub struct ServiceEvent {
    /// `effectiveTime/low/@value` or `effectiveTime/@value`, as written.
    pub low: Option<String>,
    /// `effectiveTime/high/@value`.
    pub high: Option<String>,
    /// `lab:statusCode/@code` (or of CDA's namespace).
    pub status: Option<String>,
}

impl Header {
    /// The INS of the patient: only under the OIDs of an INS, never the social-security number of ...4.13 (BR-07, BR-08).
    pub fn ins(&self) -> impl Iterator<Item = Ins> {
        self.patient_ids.iter().filter_map(|id| Ins::new(&id.root, id.extension.as_deref()?))
    }
    /// The FINESS of the custodian.
    #[must_use]
    pub fn custodian_finess(&self) -> Option<Finess> {
        finess(&self.custodian_ids)
    }
    /// The birth date as a FHIR date of the stated precision.
    #[must_use]
    pub fn birth_date(&self) -> Option<String> {
        let digits = self.birth_time.as_deref()?;
        let part = |range: std::ops::Range<usize>| digits.get(range).filter(|part| part.bytes().all(|b| b.is_ascii_digit()));
        let year = part(0..4)?;
        Some(match (part(4..6), part(6..8)) {
            (Some(month), Some(day)) => format!("{year}-{month}-{day}"),
            (Some(month), None) => format!("{year}-{month}"),
            (None, _) => year.to_owned(),
        })
    }
    /// The FHIR gender; `None` where the document states none.
    #[must_use]
    pub fn fhir_gender(&self) -> Option<&'static str> {
        match self.gender.as_deref()? {
            "M" => Some("male"),
            "F" => Some("female"),
            "UN" => Some("unknown"),
            _ => None,
        }
    }
}

fn finess(ids: &[Id]) -> Option<Finess> {
    ids.iter().filter(|id| id.root == STRUCTURE_OID).find_map(|id| {
        let value = id.extension.as_deref()?;
        if value.len() == 10 { Finess::new(value) } else { None }
    })
}

/// Whether this root is one under which an INS stands.
#[must_use]
pub fn is_ins_root(root: &str) -> bool {
    INS_OIDS.contains(&root)
}

impl Element<'_> {
    /// This element as an instance identifier; `None` without a root and an extension.
    #[must_use]
    pub fn as_id(self) -> Option<Id> {
        let root = self.stated("root").unwrap_or("");
        let extension = self.stated("extension").map(str::to_owned);
        (!root.is_empty() || extension.is_some()).then(|| Id { root: root.to_owned(), extension })
    }
    /// The `id` children.
    #[must_use]
    pub fn ids(self) -> Vec<Id> {
        self.children_named("id").filter_map(Self::as_id).collect()
    }
    /// The names of the `name` children of a person.
    #[must_use]
    pub fn person_names(self) -> Vec<PersonName> {
        self.children_named("name").map(person_name).filter(|name| *name != PersonName::default()).collect()
    }
}

fn person_name(name: Element<'_>) -> PersonName {
    let mut out = PersonName::default();
    for part in name.children() {
        let text = part.text();
        if text.is_empty() {
            continue;
        }
        match (part.name(), part.stated("qualifier")) {
            ("family", Some("CL" | "SP")) => out.used_family = Some(text),
            ("family", Some(_)) => out.birth_family = Some(text),
            ("family", None) => {
                out.birth_family.get_or_insert(text);
            }
            ("given", Some("CL")) => out.used_given = Some(text),
            ("given", Some("BR")) => out.birth_given = Some(text),
            ("given", _) => out.given.push(text),
            (_, _) => {}
        }
    }
    out
}

fn person(role: Element<'_>) -> Person {
    Person {
        ids: role.ids(),
        code: role.child("code").and_then(|code| code.stated("code")).map(str::to_owned),
        structure_ids: role.child("representedOrganization").map(Element::ids).unwrap_or_default(),
    }
}

fn value(element: Option<Element<'_>>, attribute: &str) -> Option<String> {
    element.and_then(|element| element.stated(attribute)).map(str::to_owned)
}

fn related_document(related: Element<'_>) -> RelatedDocument {
    let parent = related.child("parentDocument");
    RelatedDocument {
        type_code: related.stated("typeCode").unwrap_or("").to_owned(),
        ids: parent.map(Element::ids).unwrap_or_default(),
        set_id: parent.and_then(|parent| parent.child("setId")).and_then(Element::as_id),
        version_number: value(related.at("parentDocument/versionNumber"), "value").and_then(|value| value.parse().ok()),
    }
}

fn service_event(event: Element<'_>) -> ServiceEvent {
    let time = event.child("effectiveTime");
    ServiceEvent {
        low: value(time.and_then(|time| time.child("low")), "value").or_else(|| value(time, "value")),
        high: value(time.and_then(|time| time.child("high")), "value"),
        status: value(event.child_of_any_namespace("statusCode"), "code"),
    }
}

impl Document {
    /// The values of the header.
    #[must_use]
    pub fn header(&self) -> Header {
        let root = self.root();
        let role = root.at("recordTarget/patientRole");
        let patient = role.and_then(|role| role.child("patient"));
        Header {
            id: root.child("id").and_then(Element::as_id),
            set_id: root.child("setId").and_then(Element::as_id),
            version_number: value(root.child("versionNumber"), "value").and_then(|value| value.parse().ok()),
            code: value(root.child("code"), "code"),
            code_system: value(root.child("code"), "codeSystem"),
            title: root.child("title").map(Element::text).filter(|title| !title.is_empty()),
            effective_time: value(root.child("effectiveTime"), "value"),
            language: value(root.child("languageCode"), "code").filter(|code| is_language(code)),
            confidentiality: value(root.child("confidentialityCode"), "code"),
            templates: root.templates().map(str::to_owned).collect(),
            related_documents: root.children_named("relatedDocument").map(related_document).collect(),
            patient_ids: role.map(Element::ids).unwrap_or_default(),
            birth_time: value(patient.and_then(|patient| patient.child("birthTime")), "value"),
            gender: value(patient.and_then(|patient| patient.child("administrativeGenderCode")), "code"),
            birth_place: patient
                .and_then(|patient| patient.at("birthplace/place/addr/county"))
                .map(Element::text)
                .filter(|code| !code.is_empty()),
            names: patient.map(Element::person_names).unwrap_or_default(),
            authors: root.children_named("author").filter_map(|author| author.child("assignedAuthor")).map(person).collect(),
            legal_authenticator: root.at("legalAuthenticator/assignedEntity").map(person),
            custodian_ids: root
                .at("custodian/assignedCustodian/representedCustodianOrganization")
                .map(Element::ids)
                .unwrap_or_default(),
            service_events: root
                .children_named("documentationOf")
                .filter_map(|documentation| documentation.child("serviceEvent"))
                .map(service_event)
                .collect(),
            is_self_presenting: self.is_self_presenting(),
            is_level_one: root.at("component/nonXMLBody").is_some(),
            level_one_media_type: value(root.at("component/nonXMLBody/text"), "mediaType"),
        }
    }
}

/// Subtags of 1 to 8 letters and digits, the first of letters.
fn is_language(code: &str) -> bool {
    let subtag = |tag: &str| (1..=8).contains(&tag.len()) && tag.bytes().all(|byte| byte.is_ascii_alphanumeric());
    code.split('-').all(subtag) && code.split('-').next().is_some_and(|tag| tag.bytes().all(|byte| byte.is_ascii_alphabetic()))
}
