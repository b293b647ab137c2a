//! Header of a CDA document as the CI-SIS wants it (template 1.2.250.1.213.1.1.1.1).
use super::date::hl7;
use super::directory::{BIOLOGIST, GENERAL_PRACTITIONER, NURSE, Professional, Structure};
use super::person::{Person, Sex, TEST_OID};
use super::random::oid_of;
use super::xml::Xml;
use jiff::civil::DateTime;

pub(super) const LOINC: &str = "2.16.840.1.113883.6.1";
const PS_IDNAT: &str = "1.2.250.1.71.4.2.1";
const STRUCT_IDNAT: &str = "1.2.250.1.71.4.2.2";
const PROFESSIONS: &str = "1.2.250.1.213.1.1.4.5";

/// What differs between the headers of documents.
pub(super) struct Header<'a> {
    /// Templates of the kind of document.
    pub(super) templates: &'a [&'a str],
    pub(super) unique_id: &'a str,
    pub(super) set_id: &'a str,
    pub(super) version: u32,
    pub(super) replaces: Option<&'a str>,
    /// LOINC code and name.
    pub(super) code: (&'a str, &'a str),
    pub(super) title: &'a str,
    pub(super) time: DateTime,
    pub(super) author: &'static Professional,
    /// Act that is documented: start, end, code and name; further codes are acts of their own.
    pub(super) acts: Vec<(&'a str, &'a str)>,
    pub(super) period: (DateTime, DateTime),
    /// For laboratory reports: who asked, and whether the report is complete.
    pub(super) laboratory: Option<Laboratory>,
}

/// What only laboratory reports say in their header.
pub(super) struct Laboratory {
    pub(super) prescriber: &'static Professional,
    pub(super) collected: DateTime,
}

pub(super) fn code(xml: &mut Xml, name: &str, (code, display): (&str, &str), system: &str) {
    xml.empty(name, &[("code", code), ("displayName", display), ("codeSystem", system)]);
}

pub(super) fn loinc(xml: &mut Xml, (code, display): (&str, &str)) {
    xml.empty("code", &[("code", code), ("displayName", display), ("codeSystem", LOINC), ("codeSystemName", "LOINC")]);
}

pub(super) fn template(xml: &mut Xml, root: &str) {
    xml.empty("templateId", &[("root", root)]);
}

/// Writes the document: header, then `body` inside `component`.
pub(super) fn document(person: &Person, header: &Header<'_>, body: impl FnOnce(&mut Xml)) -> Vec<u8> {
    let mut xml = Xml::new();
    let namespaces = [
        ("xmlns", "urn:hl7-org:v3"),
        ("xmlns:lab", "urn:oid:1.3.6.1.4.1.19376.1.3.2"),
        ("xmlns:xsi", "http://www.w3.org/2001/XMLSchema-instance"),
    ];
    xml.element("ClinicalDocument", &namespaces, |xml| {
        identity(xml, header);
        record_target(xml, person);
        xml.element("author", &[], |xml| {
            xml.empty("time", &[("value", &hl7(header.time))]);
            xml.element("assignedAuthor", &[], |xml| assigned(xml, header.author, "assignedPerson", false));
        });
        custodian(xml, header.author.structure);
        xml.element("legalAuthenticator", &[], |xml| {
            xml.empty("time", &[("value", &hl7(header.time))]);
            xml.empty("signatureCode", &[("code", "S")]);
            xml.element("assignedEntity", &[], |xml| assigned(xml, header.author, "assignedPerson", true));
        });
        if let Some(laboratory) = &header.laboratory {
            laboratory_participants(xml, laboratory, header.unique_id);
        }
        acts(xml, header);
        if let Some(replaced) = header.replaces {
            xml.element("relatedDocument", &[("typeCode", "RPLC")], |xml| {
                xml.element("parentDocument", &[], |xml| xml.empty("id", &[("root", replaced)]));
            });
        }
        encounter(xml, header);
        xml.element("component", &[], body);
    });
    xml.into_bytes()
}

fn identity(xml: &mut Xml, header: &Header<'_>) {
    xml.empty("realmCode", &[("code", "FR")]);
    xml.empty("typeId", &[("root", "2.16.840.1.113883.1.3"), ("extension", "POCD_HD000040")]);
    for root in ["2.16.840.1.113883.2.8.2.1", "1.2.250.1.213.1.1.1.1"].iter().chain(header.templates) {
        template(xml, root);
    }
    xml.empty("id", &[("root", header.unique_id)]);
    loinc(xml, header.code);
    xml.text("title", &[], header.title);
    xml.empty("effectiveTime", &[("value", &hl7(header.time))]);
    code(xml, "confidentialityCode", ("N", "Normal"), "2.16.840.1.113883.5.25");
    xml.empty("languageCode", &[("code", "fr-FR")]);
    xml.empty("setId", &[("root", header.set_id)]);
    xml.empty("versionNumber", &[("value", &header.version.to_string())]);
}

fn record_target(xml: &mut Xml, person: &Person) {
    let (number, street) = &person.street;
    xml.element("recordTarget", &[], |xml| {
        xml.element("patientRole", &[], |xml| {
            xml.empty("id", &[("extension", &person.matricule), ("root", TEST_OID)]);
            xml.empty("id", &[("extension", &format!("{:08}", person.number)), ("root", &oid_of("ipp"))]);
            address(xml, Some("H"), (number, street), person.city);
            xml.empty("telecom", &[("value", &format!("tel:{}", person.phone)), ("use", "MC")]);
            xml.element("patient", &[("classCode", "PSN")], |xml| patient(xml, person));
        });
    });
}

fn patient(xml: &mut Xml, person: &Person) {
    xml.element("name", &[], |xml| {
        xml.text("family", &[("qualifier", "BR")], &person.family);
        xml.text("given", &[], &person.given.join(" "));
        xml.text("given", &[("qualifier", "BR")], person.first_name());
    });
    let gender = match person.sex {
        Sex::Female => ("F", "Féminin"),
        Sex::Male => ("M", "Masculin"),
    };
    code(xml, "administrativeGenderCode", gender, "2.16.840.1.113883.5.1");
    xml.empty("birthTime", &[("value", &person.birth_date.strftime("%Y%m%d").to_string())]);
    let (insee, city) = person.birth_place;
    xml.element("birthplace", &[], |xml| {
        xml.element("place", &[], |xml| {
            xml.element("addr", &[], |xml| {
                xml.text("county", &[], insee);
                xml.text("city", &[], city);
            });
        });
    });
}

fn address(xml: &mut Xml, usage: Option<&str>, (number, street): (&str, &str), (postal_code, city): (&str, &str)) {
    let attributes: Vec<(&str, &str)> = usage.map(|usage| ("use", usage)).into_iter().collect();
    xml.element("addr", &attributes, |xml| {
        xml.text("houseNumber", &[], number);
        xml.text("streetName", &[], street);
        xml.text("postalCode", &[], postal_code);
        xml.text("city", &[], city);
        xml.text("country", &[], "FRANCE");
    });
}

pub(super) fn phone(xml: &mut Xml, number: &str) {
    xml.empty("telecom", &[("value", &format!("tel:{number}")), ("use", "WP")]);
}

pub(super) fn person_name(xml: &mut Xml, professional: &Professional) {
    xml.element("name", &[], |xml| {
        xml.text("prefix", &[], professional.prefix);
        xml.text("given", &[], professional.given);
        xml.text("family", &[], professional.family);
        if professional.is_doctor() {
            xml.text("suffix", &[], "DR");
        }
    });
}

/// A professional with number, profession, address, name and structure.
pub(super) fn assigned(xml: &mut Xml, professional: &Professional, person: &str, with_setting: bool) {
    let structure = professional.structure;
    xml.empty("id", &[("root", PS_IDNAT), ("extension", &professional.ps_idnat())]);
    code(xml, "code", (professional.profession, professional.profession_name), PROFESSIONS);
    address(xml, None, structure.street, structure.city);
    phone(xml, structure.phone);
    xml.element(person, &[], |xml| person_name(xml, professional));
    let organization = if person == "associatedPerson" { "scopingOrganization" } else { "representedOrganization" };
    xml.element(organization, &[], |xml| organization_content(xml, structure, with_setting));
}

fn organization_content(xml: &mut Xml, structure: &Structure, with_setting: bool) {
    xml.empty("id", &[("root", STRUCT_IDNAT), ("extension", &structure.struct_idnat())]);
    xml.text("name", &[], structure.name);
    phone(xml, structure.phone);
    address(xml, None, structure.street, structure.city);
    if with_setting {
        code(xml, "standardIndustryClassCode", structure.setting, "1.2.250.1.213.1.1.4.9");
    }
}

fn custodian(xml: &mut Xml, structure: &Structure) {
    xml.element("custodian", &[], |xml| {
        xml.element("assignedCustodian", &[], |xml| {
            xml.element("representedCustodianOrganization", &[], |xml| organization_content(xml, structure, false));
        });
    });
}

fn laboratory_participants(xml: &mut Xml, laboratory: &Laboratory, unique_id: &str) {
    let collected = hl7(laboratory.collected);
    xml.element("participant", &[("typeCode", "REF")], |xml| {
        template(xml, "1.3.6.1.4.1.19376.1.3.3.1.6");
        xml.element("time", &[("xsi:type", "IVL_TS")], |xml| xml.empty("high", &[("value", &collected)]));
        xml.element("associatedEntity", &[("classCode", "PROV")], |xml| {
            assigned(xml, laboratory.prescriber, "associatedPerson", false);
        });
    });
    xml.element("participant", &[("typeCode", "PRF")], |xml| {
        code(xml, "functionCode", ("PRELV", "Préleveur"), "1.2.250.1.213.1.1.4.2.280");
        xml.element("time", &[("xsi:type", "IVL_TS")], |xml| xml.empty("high", &[("value", &collected)]));
        xml.element("associatedEntity", &[("classCode", "PROV")], |xml| assigned(xml, &NURSE, "associatedPerson", false));
    });
    xml.element("participant", &[("typeCode", "INF")], |xml| {
        code(xml, "functionCode", ("PCP", "Médecin traitant"), "2.16.840.1.113883.5.88");
        xml.empty("time", &[("nullFlavor", "NA")]);
        xml.element("associatedEntity", &[("classCode", "PROV")], |xml| {
            assigned(xml, &GENERAL_PRACTITIONER, "associatedPerson", false);
        });
    });
    xml.element("inFulfillmentOf", &[], |xml| {
        xml.element("order", &[], |xml| xml.empty("id", &[("root", &oid_of("orders")), ("extension", &order_number(unique_id))]));
    });
}

/// Eight digits that follow from the document.
fn order_number(unique_id: &str) -> String {
    unique_id.get(unique_id.len().saturating_sub(8)..).unwrap_or_default().to_owned()
}

fn acts(xml: &mut Xml, header: &Header<'_>) {
    let (low, high) = header.period;
    for (index, act) in header.acts.iter().enumerate() {
        xml.element("documentationOf", &[], |xml| {
            xml.element("serviceEvent", &[], |xml| {
                if index > 0 {
                    return loinc(xml, *act);
                }
                xml.empty("id", &[("root", &oid_of("acts")), ("extension", &order_number(header.unique_id))]);
                loinc(xml, *act);
                if header.laboratory.is_some() {
                    xml.empty("lab:statusCode", &[("code", "completed")]);
                }
                xml.element("effectiveTime", &[], |xml| {
                    xml.empty("low", &[("value", &hl7(low))]);
                    xml.empty("high", &[("value", &hl7(high))]);
                });
                xml.element("performer", &[("typeCode", "PRF")], |xml| {
                    let performer = if header.laboratory.is_some() { &BIOLOGIST } else { header.author };
                    if header.laboratory.is_some() {
                        template(xml, "1.3.6.1.4.1.19376.1.3.3.1.7");
                        xml.element("time", &[], |xml| xml.empty("high", &[("value", &hl7(high))]));
                    }
                    xml.element("assignedEntity", &[], |xml| assigned(xml, performer, "assignedPerson", true));
                });
            });
        });
    }
}

fn encounter(xml: &mut Xml, header: &Header<'_>) {
    let structure = header.author.structure;
    xml.element("componentOf", &[], |xml| {
        xml.element("encompassingEncounter", &[], |xml| {
            code(xml, "code", ("AMB", "Ambulatoire (hors établissement)"), "2.16.840.1.113883.5.4");
            xml.element("effectiveTime", &[], |xml| xml.empty("low", &[("value", &hl7(header.period.0))]));
            xml.element("responsibleParty", &[], |xml| {
                xml.element("assignedEntity", &[], |xml| assigned(xml, header.author, "assignedPerson", false));
            });
            xml.element("location", &[], |xml| {
                xml.element("healthCareFacility", &[], |xml| {
                    code(xml, "code", structure.sector, "1.2.250.1.71.4.2.4");
                    xml.element("location", &[], |xml| {
                        xml.text("name", &[], structure.name);
                        address(xml, None, structure.street, structure.city);
                    });
                });
            });
        });
    });
}
