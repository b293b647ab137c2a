//! The professionals and structures of the synthetic data: numbers of the test range, names that nobody bears.
use crate::fhir::Resource;
use crate::fhir::identifier::{Finess, Rpps};
use serde_json::{Value, json};

/// A health professional in one situation of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Professional {
    /// RPPS, 11 digits.
    pub rpps: &'static str,
    /// Title of courtesy: `M` or `MME`.
    pub prefix: &'static str,
    /// First name.
    pub given: &'static str,
    /// Family name.
    pub family: &'static str,
    /// Profession and speciality, TRE_A02: `G15_10/SM26` (BR-12).
    pub profession: &'static str,
    /// What the code means.
    pub profession_name: &'static str,
    /// Where this person works.
    pub structure: &'static Structure,
}

/// A structure of care.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Structure {
    /// FINESS, 9 digits.
    pub finess: &'static str,
    /// Name.
    pub name: &'static str,
    /// Number and street.
    pub street: (&'static str, &'static str),
    /// Postal code and city.
    pub city: (&'static str, &'static str),
    /// Telephone.
    pub phone: &'static str,
    /// TRE_R02 SecteurActivite: code and meaning.
    pub sector: (&'static str, &'static str),
    /// TRE_A01 CadreExercice: code and meaning.
    pub setting: (&'static str, &'static str),
}

impl Professional {
    /// The national number in its normal form.
    #[must_use]
    pub fn number(&self) -> Option<Rpps> {
        Rpps::new(self.rpps)
    }
    /// `8` and the 11 digits, as CDA writes it (BR-11).
    #[must_use]
    pub fn ps_idnat(&self) -> String {
        format!("8{}", self.rpps)
    }
    /// Code of the profession alone: `10` of `G15_10/SM26`.
    #[must_use]
    pub fn profession_code(&self) -> &'static str {
        let code = self.profession.strip_prefix("G15_").unwrap_or(self.profession);
        code.split('/').next().unwrap_or(code)
    }
    /// Whether it is a doctor or pharmacist, whose name has the suffix DR.
    #[must_use]
    pub fn is_doctor(&self) -> bool {
        matches!(self.profession_code(), "10" | "21")
    }
    /// `Dr Hélène ESSAI-MARRONNIER`.
    #[must_use]
    pub fn full_name(&self) -> String {
        let title = if self.is_doctor() { "Dr " } else { "" };
        format!("{title}{} {}", self.given, self.family)
    }
    /// The Practitioner of this professional, as a contained resource or in a directory.
    #[must_use]
    pub fn practitioner(&self) -> Value {
        let mut name = json!({"family": self.family, "given": [self.given], "prefix": [self.prefix]});
        if let (true, Some(name)) = (self.is_doctor(), name.as_object_mut()) {
            name.insert("suffix".into(), json!(["DR"]));
        }
        json!({
            "resourceType": "Practitioner",
            "identifier": [
                {"use": "official", "type": identifier_type("IDNPS"), "system": "urn:oid:1.2.250.1.71.4.2.1", "value": self.ps_idnat()},
                {"use": "official", "type": identifier_type("RPPS"), "system": "https://rpps.esante.gouv.fr", "value": self.rpps}
            ],
            "name": [name]
        })
    }
}

impl Structure {
    /// The national number in its normal form.
    #[must_use]
    pub fn number(&self) -> Option<Finess> {
        Finess::new(self.finess)
    }
    /// `1` and the 9 characters, as CDA writes it (BR-11).
    #[must_use]
    pub fn struct_idnat(&self) -> String {
        format!("1{}", self.finess)
    }
    /// The Organization of this structure.
    #[must_use]
    pub fn organization(&self) -> Value {
        let (number, street) = self.street;
        json!({
            "resourceType": "Organization",
            "identifier": [
                {"use": "official", "type": identifier_type("IDNST"), "system": "urn:oid:1.2.250.1.71.4.2.2", "value": self.struct_idnat()},
                {"use": "official", "type": identifier_type("FINEG"), "system": "https://finess.esante.gouv.fr", "value": self.finess}
            ],
            "active": true,
            "name": self.name,
            "telecom": [{"system": "phone", "value": self.phone, "use": "work"}],
            "address": [{"line": [format!("{number} {street}")], "city": self.city.1, "postalCode": self.city.0, "country": "FRA"}]
        })
    }
}

pub(super) fn identifier_type(code: &str) -> Value {
    json!({"coding": [{"system": "https://hl7.fr/ig/fhir/core/CodeSystem/fr-core-cs-v2-0203", "code": code}]})
}

/// The hospital.
pub const HOSPITAL: Structure = Structure {
    finess: "999000011",
    name: "Centre hospitalier des Essais",
    street: ("1", "Esplanade des Essais"),
    city: ("35000", "Rennes"),
    phone: "+33299000001",
    sector: ("SA01", "Etablissement public de santé"),
    setting: ("ETABLISSEMENT", "Etablissement de santé"),
};

/// The medical laboratory.
pub const LABORATORY: Structure = Structure {
    finess: "999000029",
    name: "Laboratoire des Quatre Saisons (essai)",
    street: ("14", "Rue des Éprouvettes"),
    city: ("35000", "Rennes"),
    phone: "+33299000002",
    sector: ("SA25", "Laboratoire de biologie médicale"),
    setting: ("AMBULATOIRE", "Ambulatoire"),
};

/// The surgery of the two general practitioners.
pub const SURGERY: Structure = Structure {
    finess: "999000037",
    name: "Cabinet médical de la Clairière (essai)",
    street: ("3", "Place de la Clairière"),
    city: ("35000", "Rennes"),
    phone: "+33299000003",
    sector: ("SA08", "Cabinet de groupe"),
    setting: ("AMBULATOIRE", "Ambulatoire"),
};

/// First general practitioner: authorised by every record, médecin traitant of the even ones.
pub const GENERAL_PRACTITIONER: Professional = Professional {
    rpps: "99900000011",
    prefix: "MME",
    given: "Hélène",
    family: "ESSAI-MARRONNIER",
    profession: "G15_10/SM26",
    profession_name: "Médecin - Qualifié en Médecine Générale (SM)",
    structure: &SURGERY,
};

/// Second general practitioner: authorised by the odd records.
pub const SECOND_GENERAL_PRACTITIONER: Professional = Professional {
    rpps: "99900000029",
    prefix: "M",
    given: "Karim",
    family: "ESSAI-PLATANE",
    profession: "G15_10/SM26",
    profession_name: "Médecin - Qualifié en Médecine Générale (SM)",
    structure: &SURGERY,
};

/// A cardiologist whom every record blocks.
pub const BLOCKED_PROFESSIONAL: Professional = Professional {
    rpps: "99900000037",
    prefix: "MME",
    given: "Odile",
    family: "ESSAI-HOUX",
    profession: "G15_10/SM04",
    profession_name: "Médecin - Cardiologie et maladies vasculaires (SM)",
    structure: &HOSPITAL,
};

/// The biologist who signs the reports.
pub const BIOLOGIST: Professional = Professional {
    rpps: "99900000045",
    prefix: "M",
    given: "Nils",
    family: "ESSAI-SUREAU",
    profession: "G15_10/SM03",
    profession_name: "Médecin - Biologie médicale (SM)",
    structure: &LABORATORY,
};

/// The nurse who takes the samples.
pub const NURSE: Professional = Professional {
    rpps: "99900000052",
    prefix: "MME",
    given: "Awa",
    family: "ESSAI-NOISETIER",
    profession: "G15_60",
    profession_name: "Infirmier",
    structure: &LABORATORY,
};

/// Everybody above.
pub const PROFESSIONALS: [&Professional; 5] =
    [&GENERAL_PRACTITIONER, &SECOND_GENERAL_PRACTITIONER, &BLOCKED_PROFESSIONAL, &BIOLOGIST, &NURSE];

/// Every structure above.
pub const STRUCTURES: [&Structure; 3] = [&HOSPITAL, &LABORATORY, &SURGERY];

/// Practitioners and Organizations as the directory holds them.
#[must_use]
pub fn directory() -> Vec<Resource> {
    let people = PROFESSIONALS.iter().map(|professional| professional.practitioner());
    let structures = STRUCTURES.iter().map(|structure| structure.organization());
    people.chain(structures).filter_map(|value| value.as_object().cloned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_its_national_form() {
        assert!(PROFESSIONALS.iter().all(|professional| professional.number().is_some()));
        assert!(STRUCTURES.iter().all(|structure| structure.number().is_some()));
        assert_eq!(GENERAL_PRACTITIONER.ps_idnat(), "899900000011");
        assert_eq!(HOSPITAL.struct_idnat(), "1999000011");
    }

    #[test]
    fn the_profession_is_the_part_before_the_speciality() {
        assert_eq!(GENERAL_PRACTITIONER.profession_code(), "10");
        assert_eq!(NURSE.profession_code(), "60");
    }
}
