//! FHIR transactions for benchmarks and tests.
use super::catalogue::HAEMOGRAM;
use super::date::{LATEST, earlier, fhir, later};
use super::person::Person;
use super::random::{Random, uuid_of};
use crate::fhir::Resource;
use serde_json::{Value, json};

/// A transaction Bundle of `n` final laboratory Observations of this person, a day apart.
#[must_use]
pub fn observations_transaction(person: &Person, n: u32) -> Resource {
    let mut random = Random::of(0x7472_616e_7361, person.number);
    let entries: Vec<Value> = (0..n).map(|index| entry(person, &mut random, index)).collect();
    json!({"resourceType": "Bundle", "type": "transaction", "entry": entries}).as_object().cloned().unwrap_or_default()
}

fn entry(person: &Person, random: &mut Random, index: u32) -> Value {
    let analysis = HAEMOGRAM.iter().cycle().nth(usize::try_from(index % 13).unwrap_or(0)).unwrap_or(&super::catalogue::HBA1C);
    let value = format!("{:.*}", analysis.decimals, analysis.middle(person.sex) * random.between(0.7, 1.3));
    let time = fhir(later(earlier(LATEST, 1500 - (index / 13) % 1500), 0, 480 + index % 13));
    let number: Value = serde_json::from_str(&value).unwrap_or_default();
    json!({
        "fullUrl": format!("urn:uuid:{}", uuid_of(&format!("transaction/{}/{index}", person.matricule))),
        "resource": {
            "resourceType": "Observation",
            "status": "final",
            "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "laboratory"}]}],
            "code": {"coding": [{"system": "http://loinc.org", "code": analysis.loinc}], "text": analysis.name},
            "subject": person.logical_reference(),
            "effectiveDateTime": time,
            "valueQuantity": {"value": number, "unit": analysis.unit, "system": "http://unitsofmeasure.org", "code": analysis.ucum}
        },
        "request": {"method": "POST", "url": "Observation"}
    })
}
