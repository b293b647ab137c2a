//! Persons: five traits, an INS of the test range, and the state of health that their results follow.
use super::random::Random;
use crate::fhir::Resource;
use crate::fhir::identifier::Ins;
use jiff::civil::Date;
use serde_json::{Value, json};

const CORE: &str = "https://hl7.fr/ig/fhir/core";

/// Administrative sex, as the INS knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sex {
    /// 2 in the NIR.
    #[default]
    Female,
    /// 1 in the NIR.
    Male,
}

/// What the results of a person follow.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Health {
    /// HbA1c in percent at the first visit.
    pub hba1c: f64,
    /// Change of HbA1c in percent a year.
    pub hba1c_drift: f64,
    /// Creatinine in µmol/L at the first visit.
    pub creatinine: f64,
    /// Change of creatinine in µmol/L a year.
    pub creatinine_drift: f64,
    /// TSH in mUI/L.
    pub tsh: f64,
    /// LDL cholesterol in mmol/L at the first visit.
    pub ldl: f64,
    /// Haemoglobin in g/dL.
    pub haemoglobin: f64,
}

impl Health {
    /// Whether the first HbA1c is that of a diabetic (6.5 %).
    #[must_use]
    pub fn is_diabetic(&self) -> bool {
        self.hba1c >= 6.5
    }
}

/// A synthetic person. Names are invented; the INS is of the test range (OID ...4.10) and its key is right (BR-08).
#[derive(Clone, PartialEq)]
pub struct Person {
    /// Number of the person under its seed.
    pub number: u64,
    /// Matricule INS with its key, 15 characters.
    pub matricule: String,
    /// Birth name.
    pub family: String,
    /// Given names of the birth certificate.
    pub given: Vec<&'static str>,
    /// Sex.
    pub sex: Sex,
    /// Date of birth.
    pub birth_date: Date,
    /// Commune of birth: INSEE code and name.
    pub birth_place: (&'static str, &'static str),
    /// Number and street.
    pub street: (String, &'static str),
    /// Postal code and city.
    pub city: (&'static str, &'static str),
    /// Telephone.
    pub phone: String,
    /// State of health.
    pub health: Health,
}

impl std::fmt::Debug for Person {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Person({})", self.number)
    }
}

const TREES: [&str; 24] = [
    "AUBEPINE",
    "BOULEAU",
    "BRUYERE",
    "CEDRE",
    "CHARME",
    "CHENEAU",
    "CORNOUILLER",
    "CYPRES",
    "ERABLE",
    "FOUGERE",
    "FRENE",
    "GENEVRIER",
    "GRIOTTIER",
    "HETRE",
    "LILAS",
    "MELEZE",
    "MIMOSA",
    "OLIVIER",
    "ORMEAU",
    "PEUPLIER",
    "ROBINIER",
    "SORBIER",
    "TILLEUL",
    "VIORNE",
];
const WOMEN: [&str; 16] = [
    "CAMILLE",
    "LOUISE",
    "INÈS",
    "SOLÈNE",
    "MARGAUX",
    "FATOU",
    "CLÉMENCE",
    "ANAÏS",
    "YASMINE",
    "ÉLODIE",
    "MANON",
    "GAËLLE",
    "LINH",
    "ROSE",
    "ADÈLE",
    "NOÉMIE",
];
const MEN: [&str; 16] = [
    "HUGO", "MALO", "RÉMI", "BASTIEN", "IDRISS", "THÉO", "GAËTAN", "LOÏC", "NATHAN", "SAMIR", "ÉMILE", "VICTOR", "YANN",
    "ARTHUR", "JOËL", "NOÉ",
];
/// INSEE code, name, postal code.
const COMMUNES: [(&str, &str, &str); 18] = [
    ("29019", "BREST", "29200"),
    ("33063", "BORDEAUX", "33000"),
    ("35238", "RENNES", "35000"),
    ("44109", "NANTES", "44000"),
    ("67482", "STRASBOURG", "67000"),
    ("59350", "LILLE", "59000"),
    ("31555", "TOULOUSE", "31000"),
    ("13055", "MARSEILLE", "13001"),
    ("69123", "LYON", "69001"),
    ("06088", "NICE", "06000"),
    ("34172", "MONTPELLIER", "34000"),
    ("21231", "DIJON", "21000"),
    ("63113", "CLERMONT-FERRAND", "63000"),
    ("76540", "ROUEN", "76000"),
    ("14118", "CAEN", "14000"),
    ("45234", "ORLEANS", "45000"),
    ("37261", "TOURS", "37000"),
    ("2A004", "AJACCIO", "20000"),
];
const STREETS: [&str; 8] = [
    "Rue des Essais",
    "Avenue du Jeu d'essai",
    "Chemin des Données fictives",
    "Impasse du Bac à sable",
    "Allée du Prototype",
    "Rue de la Maquette",
    "Boulevard de la Recette",
    "Place du Banc d'essai",
];

impl Person {
    /// The person with this number under this seed. Numbers below 11,988 have distinct INS under one seed.
    #[must_use]
    pub fn new(seed: u64, number: u64) -> Self {
        let mut random = Random::of(seed, number);
        let sex = if random.percent(52) { Sex::Female } else { Sex::Male };
        // Month and order number come from the number alone, so that two numbers never share a matricule.
        let order = number % 999 + 1;
        let month = i8::try_from((number.wrapping_mul(7) + number / 999 * 2) % 12 + 1).unwrap_or(1);
        let year = 1936 + i16::try_from(random.below(56)).unwrap_or(0);
        let day = 1 + i8::try_from(random.below(28)).unwrap_or(0);
        // Corsica has its letters since 1976 only.
        let communes = if year < 1976 { COMMUNES.get(..17).unwrap_or(&COMMUNES) } else { &COMMUNES };
        let (insee, birth_city, _) = random.pick(communes);
        let (_, city, postal_code) = random.pick(&COMMUNES);
        let names = if sex == Sex::Female { &WOMEN } else { &MEN };
        let mut given = vec![random.pick(names), random.pick(names)];
        given.dedup();
        let family = format!("ESSAI-{}", random.pick(&TREES));
        let street = (format!("{}", 1 + random.below(98)), random.pick(&STREETS));
        let phone = format!("+3363998{:04}", random.below(10_000));
        let health = health(&mut random, sex);
        Self {
            number,
            matricule: matricule(sex, year, month, insee, order),
            family,
            given,
            sex,
            birth_date: Date::new(year, month, day).unwrap_or_default(),
            birth_place: (insee, birth_city),
            street,
            city: (postal_code, city),
            phone,
            health,
        }
    }

    /// The INS, under the OID of tests.
    #[must_use]
    pub fn ins(&self) -> Option<Ins> {
        Ins::new(TEST_OID, &self.matricule)
    }

    /// First given name of birth.
    #[must_use]
    pub fn first_name(&self) -> &'static str {
        self.given.first().copied().unwrap_or_default()
    }

    /// `CAMILLE ESSAI-TILLEUL`.
    #[must_use]
    pub fn full_name(&self) -> String {
        format!("{} {}", self.first_name(), self.family)
    }

    /// A logical reference to the record by INS: what a deposit and a Consent may name (DESIGN decision 14).
    #[must_use]
    pub fn logical_reference(&self) -> Value {
        json!({"type": "Patient", "identifier": {"system": format!("urn:oid:{TEST_OID}"), "value": self.matricule}})
    }

    fn identifier(&self) -> Value {
        json!({
            "use": "official",
            "type": {"coding": [{"system": format!("{CORE}/CodeSystem/fr-core-cs-v2-0203"), "code": "INS-NIR-TEST"}]},
            "system": format!("urn:oid:{TEST_OID}"),
            "value": self.matricule
        })
    }

    /// The Patient, as fr-core-patient-ins wants it: <https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-patient-ins>.
    #[must_use]
    pub fn patient(&self) -> Resource {
        let (number, street) = &self.street;
        let (insee, birth_city) = self.birth_place;
        let value = json!({
            "resourceType": "Patient",
            "meta": {"profile": [format!("{CORE}/StructureDefinition/fr-core-patient-ins")]},
            "extension": [
                {
                    "url": format!("{CORE}/StructureDefinition/fr-core-identity-reliability"),
                    "extension": [{
                        "url": "identityStatus",
                        "valueCoding": {"system": format!("{CORE}/CodeSystem/fr-core-cs-identity-status"), "code": "QUAL"}
                    }]
                },
                {
                    "url": "http://hl7.org/fhir/StructureDefinition/patient-birthPlace",
                    "valueAddress": {
                        "extension": [{
                            "url": format!("{CORE}/StructureDefinition/fr-core-address-insee-code"),
                            "valueCoding": {
                                "system": "https://mos.esante.gouv.fr/NOS/TRE_R13-CommuneOM/FHIR/TRE-R13-CommuneOM",
                                "code": insee
                            }
                        }],
                        "city": birth_city
                    }
                }
            ],
            "identifier": [self.identifier()],
            "active": true,
            "name": [{
                "extension": [{
                    "url": format!("{CORE}/StructureDefinition/fr-core-patient-birth-list-given-name"),
                    "valueString": self.given.join(" ")
                }],
                "use": "official",
                "family": self.family,
                "given": [self.first_name()]
            }],
            "telecom": [{"system": "phone", "value": self.phone, "use": "mobile"}],
            "gender": match self.sex { Sex::Female => "female", Sex::Male => "male" },
            "birthDate": self.birth_date.to_string(),
            "address": [{
                "use": "home",
                "line": [format!("{number} {street}")],
                "city": self.city.1,
                "postalCode": self.city.0,
                "country": "FRA"
            }]
        });
        value.as_object().cloned().unwrap_or_default()
    }
}

/// OID of the test NIR (BR-07).
pub(super) const TEST_OID: &str = "1.2.250.1.213.1.4.10";

fn health(random: &mut Random, sex: Sex) -> Health {
    let diabetic = random.percent(35);
    let kidney = diabetic && random.percent(40);
    let base_creatinine = if sex == Sex::Female { 62.0 } else { 80.0 };
    Health {
        hba1c: if diabetic { random.between(6.8, 9.4) } else { random.between(5.0, 5.8) },
        hba1c_drift: if diabetic { random.between(-0.5, 0.4) } else { random.between(-0.02, 0.04) },
        creatinine: base_creatinine + random.between(-8.0, 10.0),
        creatinine_drift: if kidney { random.between(6.0, 14.0) } else { random.between(-0.5, 1.0) },
        tsh: if random.percent(12) { random.between(4.5, 9.0) } else { random.between(0.8, 3.5) },
        ldl: random.between(2.3, 4.6),
        haemoglobin: if sex == Sex::Female { random.between(11.2, 14.6) } else { random.between(12.6, 16.2) },
    }
}

/// The 13 characters and their key: 97 - (N mod 97), Corsica's 2A as 19 and 2B as 18 (BR-08).
fn matricule(sex: Sex, year: i16, month: i8, insee: &str, order: u64) -> String {
    let sex = match sex {
        Sex::Male => 1,
        Sex::Female => 2,
    };
    let number = format!("{sex}{:02}{month:02}{insee}{order:03}", year % 100);
    let digits = number.replacen("2A", "19", 1).replacen("2B", "18", 1);
    let key = 97 - digits.parse::<u64>().unwrap_or(0) % 97;
    format!("{number}{key:02}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_ins_is_a_test_one_with_a_right_key() {
        for number in 0..2000 {
            let ins = Person::new(7, number).ins().unwrap();
            assert!(ins.is_test() && ins.key_is_right(), "person {number}");
        }
    }

    #[test]
    fn the_key_is_the_one_of_the_known_examples() {
        // 279035121518989 is the ANS test patient: woman, March 1979, commune 51215, order 189.
        assert_eq!(matricule(Sex::Female, 1979, 3, "51215", 189), "279035121518989");
        assert_eq!(matricule(Sex::Male, 2000, 1, "2A004", 1).len(), 15);
    }

    #[test]
    fn no_two_persons_of_a_seed_share_an_ins() {
        let distinct: HashSet<_> = (0..11_988).map(|number| Person::new(1, number).matricule).collect();
        assert_eq!(distinct.len(), 11_988);
    }

    #[test]
    fn the_patient_has_the_five_traits_and_the_place_of_birth() {
        let person = Person::new(1, 3);
        let patient = Value::Object(person.patient());
        assert_eq!(patient["name"][0]["use"], "official");
        assert!(patient["name"][0]["family"].is_string() && patient["name"][0]["given"][0].is_string());
        assert!(patient["gender"].is_string() && patient["birthDate"].is_string());
        assert_eq!(patient["extension"][1]["valueAddress"]["extension"][0]["valueCoding"]["code"], person.birth_place.0);
        assert_eq!(patient["identifier"][0]["system"], "urn:oid:1.2.250.1.213.1.4.10");
    }

    #[test]
    fn the_matricule_repeats_the_traits() {
        let person = Person::new(1, 5);
        let year = person.birth_date.year() % 100;
        let sex = if person.sex == Sex::Male { 1 } else { 2 };
        let prefix = format!("{sex}{year:02}{:02}{}", person.birth_date.month(), person.birth_place.0);
        assert!(person.matricule.starts_with(&prefix));
    }
}
