//! Random resources: few values, so that queries find some and not all, and references among them, so that chains lead on.
use super::dice::Dice;
use serde_json::{Value, json};

const LOINC: &str = "http://loinc.org";
const SNOMED: &str = "http://snomed.info/sct";
const LOCAL: &str = "http://codes.example/local";
/// A code system with a hierarchy, which stands in the directory.
pub(super) const TREE: &str = "http://codes.example/tree";
const UCUM: &str = "http://unitsofmeasure.org";
const DISPLAYS: [&str; 6] =
    ["Hémoglobine glyquée", "Glucose à jeun", "Taille", "Poids du corps", "Tension artérielle", "Œdème aigu"];
const WORDS: [&str; 8] = ["alpha", "béta", "gamma", "delta", "epsilon", "zêta", "kappa", "lambda"];
const FAMILIES: [&str; 6] = ["Dupont", "O'Neil", "Carreno Quinones", "Éluard", "Durand-Martin", "D'Œuvre"];
const GIVENS: [&str; 5] = ["Élodie", "Marc", "Zoë", "Jean Paul", "Ruth"];

/// Makes the resources of one record or of the directory.
pub(super) struct Maker<'a> {
    pub(super) dice: &'a mut Dice,
    /// What references may lead to: type and id.
    pub(super) made: Vec<(String, String)>,
    pub(super) patient: Option<String>,
}

impl Maker<'_> {
    fn coding(&mut self, system: &str, codes: &[&str]) -> Value {
        let at = self.dice.below(codes.len());
        let mut coding = json!({"code": codes[at]});
        if !self.dice.chance(15) {
            coding["system"] = system.into();
        }
        if self.dice.chance(60) {
            coding["display"] = DISPLAYS[at % DISPLAYS.len()].into();
        }
        coding
    }

    fn concept(&mut self, system: &str, codes: &[&str]) -> Value {
        let mut codings = vec![self.coding(system, codes)];
        if self.dice.chance(30) {
            codings.push(self.coding(LOCAL, &["A", "b", "c.d", "e,f"]));
        }
        let mut concept = json!({"coding": codings});
        if self.dice.chance(40) {
            concept["text"] = (*self.dice.pick(&DISPLAYS)).into();
        }
        if self.dice.chance(5) {
            concept = json!({"text": *self.dice.pick(&DISPLAYS)});
        }
        concept
    }

    fn code(&mut self) -> Value {
        self.concept(LOINC, &["4548-4", "2339-0", "8302-2", "29463-7"])
    }

    fn finding(&mut self) -> Value {
        self.concept(SNOMED, &["73211009", "38341003", "195967001", "22298006"])
    }

    fn of_system(&mut self, system: &str, codes: &[&str]) -> Value {
        json!({"coding": [{"system": system, "code": *self.dice.pick(codes)}]})
    }

    fn day(&mut self) -> String {
        let (year, month, day) = (2020 + self.dice.below(4), 1 + self.dice.below(12), 1 + self.dice.below(28));
        match self.dice.below(10) {
            0 => format!("{year}"),
            1 | 2 => format!("{year}-{month:02}"),
            _ => format!("{year}-{month:02}-{day:02}"),
        }
    }

    fn instant(&mut self) -> String {
        let (year, month, day) = (2020 + self.dice.below(4), 1 + self.dice.below(12), 1 + self.dice.below(28));
        let (hour, minute) = (self.dice.below(24), self.dice.below(60));
        let fraction = if self.dice.chance(30) { ".250" } else { "" };
        let zone = *self.dice.pick(&["Z", "+02:00", "-05:00", "+01:00"]);
        format!("{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:17{fraction}{zone}")
    }

    fn time(&mut self) -> String {
        if self.dice.chance(60) { self.day() } else { self.instant() }
    }

    fn period(&mut self) -> Value {
        let (year, month) = (2020 + self.dice.below(4), 1 + self.dice.below(12));
        let start = format!("{year}-{month:02}-{:02}", 1 + self.dice.below(14));
        let end = format!("{year}-{month:02}-{:02}", 15 + self.dice.below(14));
        match self.dice.below(6) {
            0 => json!({"start": start}),
            1 => json!({"end": end}),
            2 => json!({"start": format!("{year}"), "end": format!("{}-06", year + 1)}),
            _ => json!({"start": start, "end": end}),
        }
    }

    /// A decimal as it is written: the number of its figures counts.
    fn decimal(&mut self) -> Value {
        let text = match self.dice.below(4) {
            0 => format!("{}", 1 + self.dice.below(20)),
            1 => format!("{}.{}", self.dice.below(20), self.dice.below(10)),
            2 => format!("{}.{:02}", self.dice.below(10), self.dice.below(100)),
            _ => format!("{}", 10 * (1 + self.dice.below(20))),
        };
        serde_json::from_str(&text).unwrap()
    }

    fn quantity(&mut self) -> Value {
        let mut quantity = json!({"value": self.decimal()});
        let code =
            *self.dice.pick(&["mg/dL", "g/L", "g/L", "cm", "m", "mmol/L", "umol/L", "Cel", "[degF]", "kg", "[lb_av]", "%"]);
        match self.dice.below(10) {
            0 => {}
            1 => quantity["unit"] = code.into(),
            2 => {
                quantity["system"] = LOCAL.into();
                quantity["code"] = (*self.dice.pick(&["puff", "drop"])).into();
            }
            _ => {
                quantity["system"] = UCUM.into();
                quantity["code"] = code.into();
                quantity["unit"] = (if code == "Cel" { "°C" } else { code }).into();
            }
        }
        if self.dice.chance(10) {
            quantity["comparator"] = (*self.dice.pick(&["<", "<=", ">", ">="])).into();
        }
        quantity
    }

    fn identifier(&mut self) -> Value {
        let mut identifier = json!({"value": format!("ID-{}", self.dice.below(9))});
        if self.dice.chance(70) {
            identifier["system"] = (*self.dice.pick(&["urn:oid:1.2.3", "http://ids.example/x|y"])).into();
        }
        if self.dice.chance(60) {
            let code = *self.dice.pick(&["MR", "FILL"]);
            identifier["type"] = json!({"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": code}], "text": "Numéro interne"});
        }
        identifier
    }

    /// A reference to something that was made before, of one of these types.
    fn reference(&mut self, types: &[&str]) -> Option<Value> {
        let fits: Vec<(String, String)> = self.made.iter().filter(|(name, _)| types.contains(&name.as_str())).cloned().collect();
        let (name, id) = self.dice.any(&fits)?;
        Some(json!({"reference": format!("{name}/{id}")}))
    }

    /// A person or organisation: of the directory, logical, or of another server.
    fn performer(&mut self, types: &[&str]) -> Value {
        match self.dice.below(8) {
            0 => {
                json!({"identifier": {"system": "urn:oid:1.2.3", "value": format!("P-{}", self.dice.below(3))}, "display": "Dr Inconnu"})
            }
            1 => json!({"reference": format!("https://elsewhere.example/fhir/Practitioner/{}", self.dice.below(3))}),
            _ => self.reference(types).unwrap_or_else(|| json!({"display": "nobody"})),
        }
    }

    fn maybe(&mut self, resource: &mut Value, percent: usize, name: &str, make: impl FnOnce(&mut Self) -> Option<Value>) {
        if self.dice.chance(percent)
            && let Some(value) = make(self)
        {
            resource[name] = value;
        }
    }

    /// Meta, narrative and identifiers, as any resource may have them.
    fn common(&mut self, resource: &mut Value) {
        let word = *self.dice.pick(&WORDS);
        self.maybe(resource, 50, "text", |_| {
            Some(json!({"status": "generated", "div": format!("<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>Note <b>{word}</b> fin</p></div>")}))
        });
        self.maybe(resource, 50, "identifier", |it| Some(json!([it.identifier()])));
        let mut meta = json!({});
        self.maybe(&mut meta, 40, "tag", |it| Some(json!([it.coding("http://tags.example/t", &["vu", "Relu", "archive"])])));
        self.maybe(&mut meta, 40, "source", |it| {
            Some((*it.dice.pick(&["urn:oid:1.2.3.4", "http://src.example/a/b", "http://src.example/a"])).into())
        });
        self.maybe(&mut meta, 40, "profile", |it| {
            Some(json!([*it.dice.pick(&[
                "http://profiles.example/StructureDefinition/one|1.0",
                "http://profiles.example/StructureDefinition/two"
            ])]))
        });
        self.maybe(&mut meta, 30, "security", |it| {
            Some(json!([{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": *it.dice.pick(&["ETH", "PSY"])}]))
        });
        if !meta.as_object().unwrap().is_empty() {
            resource["meta"] = meta;
        }
        if let Some(patient) = &self.patient {
            let element = match resource["resourceType"].as_str().unwrap() {
                "AllergyIntolerance" | "Immunization" => "patient",
                _ => "subject",
            };
            resource[element] = json!({"reference": format!("Patient/{patient}")});
        }
    }

    pub(super) fn resource(&mut self, name: &str) -> Value {
        let mut it = json!({"resourceType": name});
        match name {
            "Observation" => self.observation(&mut it),
            "Condition" => self.condition(&mut it),
            "MedicationRequest" => self.medication_request(&mut it),
            "Encounter" => self.encounter(&mut it),
            "DiagnosticReport" => self.report(&mut it),
            "Procedure" => self.procedure(&mut it),
            "AllergyIntolerance" => self.allergy(&mut it),
            "Immunization" => self.immunization(&mut it),
            "List" => self.list(&mut it),
            "RiskAssessment" => self.risk(&mut it),
            "Practitioner" => self.practitioner(&mut it),
            "Organization" => self.organization(&mut it),
            "Location" => self.location(&mut it),
            "ValueSet" => self.value_set(&mut it),
            other => panic!("{other} is not made"),
        }
        self.common(&mut it);
        it
    }

    fn observation(&mut self, it: &mut Value) {
        it["status"] = (*self.dice.pick(&["final", "final", "preliminary", "amended"])).into();
        it["code"] = self.code();
        self.maybe(it, 50, "category", |it| {
            Some(json!([
                it.of_system("http://terminology.hl7.org/CodeSystem/observation-category", &["laboratory", "vital-signs"])
            ]))
        });
        match self.dice.below(5) {
            0 => {}
            1 => it["effectivePeriod"] = self.period(),
            _ => it["effectiveDateTime"] = self.time().into(),
        }
        match self.dice.below(10) {
            0..=4 => it["valueQuantity"] = self.quantity(),
            5 => it["valueCodeableConcept"] = self.finding(),
            6 => it["valueString"] = (*self.dice.pick(&["Très élevé", "normal, à jeun", "tres bas"])).into(),
            7 => it["valueDateTime"] = self.time().into(),
            _ => {}
        }
        if self.dice.chance(35) {
            let count = 1 + self.dice.below(2);
            let parts: Vec<Value> = (0..count)
                .map(|_| {
                    let mut part = json!({"code": self.code()});
                    if self.dice.chance(75) {
                        part["valueQuantity"] = self.quantity();
                    } else {
                        part["valueCodeableConcept"] = self.finding();
                    }
                    part
                })
                .collect();
            it["component"] = json!(parts);
        }
        self.maybe(it, 50, "encounter", |it| it.reference(&["Encounter"]));
        self.maybe(it, 50, "performer", |it| Some(json!([it.performer(&["Practitioner", "Organization"])])));
        self.maybe(it, 25, "hasMember", |it| Some(json!([it.reference(&["Observation"])?])));
        self.maybe(it, 20, "derivedFrom", |it| Some(json!([it.reference(&["Observation"])?])));
        self.maybe(it, 20, "partOf", |it| Some(json!([it.reference(&["Procedure", "Immunization"])?])));
        self.maybe(it, 20, "basedOn", |it| Some(json!([it.reference(&["MedicationRequest"])?])));
        self.maybe(it, 50, "method", |it| Some(json!({"coding": [it.coding(TREE, &["a", "a1", "a11", "a2", "b"])]})));
    }

    fn condition(&mut self, it: &mut Value) {
        let status = "http://terminology.hl7.org/CodeSystem/condition-clinical";
        it["clinicalStatus"] = self.of_system(status, &["active", "recurrence"]);
        it["verificationStatus"] =
            self.of_system("http://terminology.hl7.org/CodeSystem/condition-ver-status", &["confirmed", "provisional"]);
        it["code"] = self.finding();
        self.maybe(it, 40, "severity", |it| Some(it.finding()));
        match self.dice.below(4) {
            0 => it["onsetPeriod"] = self.period(),
            1 => it["onsetString"] = (*self.dice.pick(&["Enfance", "été dernier"])).into(),
            2 => it["onsetDateTime"] = self.time().into(),
            _ => it["onsetAge"] = json!({"value": 1 + self.dice.below(9), "system": UCUM, "code": *self.dice.pick(&["a", "mo"])}),
        }
        self.maybe(it, 60, "recordedDate", |it| Some(it.time().into()));
        self.maybe(it, 50, "encounter", |it| it.reference(&["Encounter"]));
        self.maybe(it, 40, "asserter", |it| Some(it.performer(&["Practitioner"])));
        self.maybe(it, 40, "evidence", |it| Some(json!([{"detail": [it.reference(&["Observation", "Procedure"])?]}])));
    }

    fn medication_request(&mut self, it: &mut Value) {
        it["status"] = (*self.dice.pick(&["active", "completed", "stopped"])).into();
        it["intent"] = (*self.dice.pick(&["order", "plan"])).into();
        it["medicationCodeableConcept"] = self.concept(SNOMED, &["372687004", "387207008"]);
        self.maybe(it, 70, "authoredOn", |it| Some(it.time().into()));
        self.maybe(it, 50, "encounter", |it| it.reference(&["Encounter"]));
        self.maybe(it, 50, "requester", |it| Some(it.performer(&["Practitioner", "Organization"])));
        self.maybe(it, 30, "priority", |it| Some((*it.dice.pick(&["routine", "urgent"])).into()));
    }

    fn encounter(&mut self, it: &mut Value) {
        it["status"] = (*self.dice.pick(&["finished", "in-progress"])).into();
        it["class"] = self.coding("http://terminology.hl7.org/CodeSystem/v3-ActCode", &["AMB", "IMP", "EMER"]);
        self.maybe(it, 80, "period", |it| Some(it.period()));
        self.maybe(it, 40, "length", |it| {
            Some(json!({"value": it.dice.below(5) * 30, "system": UCUM, "code": *it.dice.pick(&["min", "h"])}))
        });
        self.maybe(it, 60, "serviceProvider", |it| it.reference(&["Organization"]));
        self.maybe(it, 30, "partOf", |it| it.reference(&["Encounter"]));
        self.maybe(it, 50, "participant", |it| Some(json!([{"individual": it.performer(&["Practitioner"])}])));
        self.maybe(it, 30, "location", |it| Some(json!([{"location": it.reference(&["Location"])?}])));
        self.maybe(it, 30, "diagnosis", |it| Some(json!([{"condition": it.reference(&["Condition", "Procedure"])?}])));
        self.maybe(it, 30, "reasonReference", |it| Some(json!([it.reference(&["Condition"])?])));
    }

    fn report(&mut self, it: &mut Value) {
        it["status"] = (*self.dice.pick(&["final", "partial"])).into();
        it["code"] = self.code();
        if self.dice.chance(60) {
            it["effectivePeriod"] = self.period();
        } else {
            it["effectiveDateTime"] = self.time().into();
        }
        self.maybe(it, 50, "issued", |it| Some(it.instant().into()));
        self.maybe(it, 50, "encounter", |it| it.reference(&["Encounter"]));
        self.maybe(it, 40, "performer", |it| Some(json!([it.performer(&["Practitioner", "Organization"])])));
        self.maybe(it, 75, "result", |it| Some(json!([it.reference(&["Observation"])?, it.reference(&["Observation"])?])));
        self.maybe(it, 30, "conclusionCode", |it| Some(json!([it.finding()])));
    }

    fn procedure(&mut self, it: &mut Value) {
        it["status"] = (*self.dice.pick(&["completed", "in-progress"])).into();
        it["code"] = self.finding();
        if self.dice.chance(40) {
            it["performedPeriod"] = self.period();
        } else {
            it["performedDateTime"] = self.time().into();
        }
        self.maybe(it, 50, "encounter", |it| it.reference(&["Encounter"]));
        self.maybe(it, 50, "performer", |it| Some(json!([{"actor": it.performer(&["Practitioner", "Organization"])}])));
        self.maybe(it, 30, "partOf", |it| Some(json!([it.reference(&["Procedure", "Observation"])?])));
        self.maybe(it, 30, "location", |it| it.reference(&["Location"]));
        self.maybe(it, 30, "reasonReference", |it| Some(json!([it.reference(&["Condition", "Observation"])?])));
        self.maybe(it, 40, "instantiatesUri", |it| {
            Some(json!([*it.dice.pick(&["http://guides.example/a/b", "http://guides.example/a", "http://guides.example/c,d"])]))
        });
    }

    fn allergy(&mut self, it: &mut Value) {
        let status = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical";
        it["clinicalStatus"] = self.of_system(status, &["active", "inactive"]);
        it["code"] = self.finding();
        self.maybe(it, 50, "criticality", |it| Some((*it.dice.pick(&["low", "high"])).into()));
        self.maybe(it, 60, "recordedDate", |it| Some(it.time().into()));
        self.maybe(it, 50, "lastOccurrence", |it| Some(it.time().into()));
        self.maybe(it, 40, "recorder", |it| Some(it.performer(&["Practitioner"])));
        self.maybe(it, 40, "reaction", |it| {
            Some(json!([{"manifestation": [it.finding()], "onset": it.time(), "severity": *it.dice.pick(&["mild", "severe"])}]))
        });
    }

    fn immunization(&mut self, it: &mut Value) {
        it["status"] = (*self.dice.pick(&["completed", "not-done"])).into();
        it["vaccineCode"] = self.finding();
        it["occurrenceDateTime"] = self.time().into();
        self.maybe(it, 50, "lotNumber", |it| Some((*it.dice.pick(&["AAJN11K", "aajn-12", "Lot É7"])).into()));
        self.maybe(it, 40, "performer", |it| Some(json!([{"actor": it.performer(&["Practitioner", "Organization"])}])));
        self.maybe(it, 30, "manufacturer", |it| it.reference(&["Organization"]));
        self.maybe(it, 40, "reaction", |it| Some(json!([{"date": it.time(), "detail": it.reference(&["Observation"])?}])));
    }

    fn list(&mut self, it: &mut Value) {
        it["status"] = (*self.dice.pick(&["current", "retired"])).into();
        it["mode"] = "working".into();
        self.maybe(it, 60, "title", |it| Some(format!("Liste {}", it.dice.pick(&WORDS)).into()));
        self.maybe(it, 60, "date", |it| Some(it.time().into()));
        self.maybe(it, 50, "code", |it| Some(it.code()));
        self.maybe(it, 40, "source", |it| Some(it.performer(&["Practitioner"])));
        self.maybe(it, 40, "note", |it| Some(json!([{"text": format!("À voir {}", it.dice.pick(&WORDS))}])));
        let count = 3 + self.dice.below(10);
        let types =
            ["Observation", "Condition", "MedicationRequest", "Procedure", "DiagnosticReport", "Encounter", "Immunization"];
        let items: Vec<Value> = (0..count).filter_map(|_| Some(json!({"item": self.reference(&types)?}))).collect();
        it["entry"] = json!(items);
    }

    fn risk(&mut self, it: &mut Value) {
        it["status"] = (*self.dice.pick(&["final", "preliminary"])).into();
        self.maybe(it, 60, "occurrenceDateTime", |it| Some(it.time().into()));
        self.maybe(it, 40, "condition", |it| it.reference(&["Condition"]));
        let chances: Vec<Value> = (0..=self.dice.below(2)).map(|_| json!({"probabilityDecimal": self.decimal()})).collect();
        self.maybe(it, 85, "prediction", |_| Some(json!(chances)));
    }

    fn address(&mut self) -> Value {
        let city = *self.dice.pick(&["Saint-Étienne", "Paris", "Lyon"]);
        json!({"line": [format!("{} rue de l'Église", 1 + self.dice.below(9))], "city": city,
            "postalCode": *self.dice.pick(&["42000", "75011"]), "country": "FR", "use": *self.dice.pick(&["work", "temp"])})
    }

    fn practitioner(&mut self, it: &mut Value) {
        it["active"] = self.dice.chance(70).into();
        let (family, given) = (*self.dice.pick(&FAMILIES), *self.dice.pick(&GIVENS));
        it["name"] = json!([{"family": family, "given": [given, *self.dice.pick(&GIVENS)], "prefix": ["Dr"]}]);
        self.maybe(it, 60, "gender", |it| Some((*it.dice.pick(&["female", "male"])).into()));
        self.maybe(it, 60, "address", |it| Some(json!([it.address()])));
        self.maybe(it, 60, "telecom", |it| {
            Some(json!([{"system": *it.dice.pick(&["phone", "email"]), "value": format!("+33 {}", it.dice.below(3))}]))
        });
    }

    fn organization(&mut self, it: &mut Value) {
        it["active"] = self.dice.chance(70).into();
        it["name"] = format!("{} {}", self.dice.pick(&["Hôpital", "Laboratoire", "Clinique"]), self.dice.pick(&FAMILIES)).into();
        self.maybe(it, 40, "alias", |it| Some(json!([*it.dice.pick(&GIVENS)])));
        self.maybe(it, 60, "address", |it| Some(json!([it.address()])));
        self.maybe(it, 60, "partOf", |it| it.reference(&["Organization"]));
        self.maybe(it, 50, "type", |it| {
            Some(
                json!([it.coding("http://types.example/o", &["dept", "prov"])])
                    .as_array()
                    .map(|one| json!([{"coding": one}]))
                    .unwrap(),
            )
        });
    }

    fn location(&mut self, it: &mut Value) {
        it["status"] = (*self.dice.pick(&["active", "suspended"])).into();
        it["name"] = format!("Salle {}", self.dice.pick(&WORDS)).into();
        self.maybe(it, 60, "address", |it| Some(it.address()));
        self.maybe(it, 60, "managingOrganization", |it| it.reference(&["Organization"]));
        self.maybe(it, 40, "partOf", |it| it.reference(&["Location"]));
    }

    fn value_set(&mut self, it: &mut Value) {
        it["status"] = (*self.dice.pick(&["active", "draft"])).into();
        it["url"] = (*self.dice.pick(&[
            "http://sets.example/fhir/ValueSet/a",
            "http://sets.example/fhir/ValueSet/a/b",
            "http://sets.example/fhir/ValueSet/c,d",
            "http://other.example/ValueSet/x",
        ]))
        .into();
        it["version"] = (*self.dice.pick(&["1", "2"])).into();
        it["title"] = format!("Jeu {}", self.dice.pick(&WORDS)).into();
        it["name"] = (*self.dice.pick(&["JeuUn", "JeuDeux"])).into();
        if self.dice.chance(60) {
            // A set of codes has a URL of its own, so that it is found by it.
            it["url"] = format!("http://sets.example/fhir/ValueSet/codes-{}", self.made.len()).into();
            it["status"] = "active".into();
            let whole = json!({"system": LOCAL});
            let some = json!({"system": SNOMED, "concept": [{"code": "73211009"}, {"code": *self.dice.pick(&["38341003", "22298006"])}]});
            let other = json!({"system": LOINC, "concept": [{"code": "4548-4"}, {"code": "8302-2"}]});
            it["compose"] = json!({"include": match self.dice.below(3) {
                0 => json!([some, whole]),
                1 => json!([some, other]),
                _ => json!([other]),
            }});
        }
        self.maybe(it, 50, "date", |it| Some(it.day().into()));
        self.maybe(it, 40, "description", |it| Some((*it.dice.pick(&["Une liste, courte", "Des codes"])).into()));
    }
}
