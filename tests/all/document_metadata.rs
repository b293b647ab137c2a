//! Metadata of a document: labels, archive, withdrawal (decisions 2 to 6; BR-31 to BR-36, BR-40, BR-43), and who tries to see
//! through a mask.
use crate::harness::actor::{link, resources};
use crate::harness::people::Kind;
use crate::harness::server::{GENERAL_PRACTITIONER, World};
use crate::harness::{Actor, Answer, PAT_TROIS, Report, encoded, on_both};
use serde_json::{Value, json};

const VISIBILITY: &str = "https://mos.esante.gouv.fr/NOS/TRE_A07-StatutVisibiliteDocument/FHIR/TRE-A07-StatutVisibiliteDocument";
const CONFIDENTIALITY: &str = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality";
const ARCHIVED: &str = "https://interop.esante.gouv.fr/ig/fhir/pdsm/StructureDefinition/pdsm-ext-is-archived";
const TIME: &str = "202603010800+0100";
const CREATININE: &str = "2160-0";

/// A record that the general practitioner may read, with one report of the laboratory.
struct Filed {
    patient: String,
    document: Value,
}

impl Filed {
    fn in_world(world: &World) -> Self {
        let patient = world.open_record_for_practitioner(&PAT_TROIS).patient;
        let report = Report::of(&PAT_TROIS, 1).result(CREATININE, "80", "umol/L", TIME);
        Self { patient, document: report.deposit().filed_by(&world.hospital_system()) }
    }

    fn path(&self) -> String {
        format!("DocumentReference/{}", self.document["id"].as_str().unwrap())
    }

    fn binary(&self) -> String {
        let url = self.document["content"][0]["attachment"]["url"].as_str().unwrap();
        format!("Binary/{}", url.rsplit('/').next().unwrap())
    }

    fn observation(&self, reader: &Actor) -> String {
        let found = reader.search(&format!("Observation?patient={}&code={CREATININE}", self.patient));
        format!("Observation/{}", found[0]["id"].as_str().unwrap())
    }

    fn provenance(&self) -> String {
        format!("Provenance?entity={}", self.path())
    }

    /// Every way to what came of the document.
    fn doors(&self) -> Vec<String> {
        let patient = &self.patient;
        let of_type = ["DocumentReference", "Observation", "DiagnosticReport", "Composition"];
        let mut doors: Vec<String> = of_type.map(|name| format!("{name}?patient={patient}")).into_iter().collect();
        doors.extend([
            self.provenance(),
            format!("Patient?_id={patient}&_revinclude=Observation:patient"),
            format!("Patient?_id={patient}&_revinclude=DocumentReference:patient"),
            format!("Observation?code={CREATININE}"),
            format!("Observation?patient={patient}&_summary=count"),
            format!("Provenance?target:Observation.code={CREATININE}"),
            format!("Patient?_has:Observation:patient:code={CREATININE}"),
        ]);
        doors
    }
}

fn label(code: &str) -> Value {
    let system = if code == "N" { CONFIDENTIALITY } else { VISIBILITY };
    json!({"coding": [{"system": system, "code": code}]})
}

/// TD3.3a as the draft writes it.
fn set_label(actor: &Actor, filed: &Filed, code: &str) -> Answer {
    actor.patch(&filed.path(), &json!([{"op": "replace", "path": "/securityLabel/0", "value": label(code)}]))
}

fn codes(document: &Value) -> Vec<String> {
    let labels = document["securityLabel"].as_array().unwrap();
    labels.iter().map(|label| label["coding"][0]["code"].as_str().unwrap().to_owned()).collect()
}

/// Resources of the record that a door shows, but for the Patient and the Consents.
fn shown(actor: &Actor, door: &str) -> usize {
    let page = actor.read(door);
    let of_document = |found: &Value| !matches!(found["resourceType"].as_str(), Some("Patient" | "Consent"));
    let total = if door.contains("_summary=count") { page["total"].as_u64().unwrap() } else { 0 };
    let has = door.contains("_has") && !resources(&page).is_empty();
    resources(&page).iter().filter(|found| of_document(found)).count() + usize::try_from(total).unwrap() + usize::from(has)
}

fn assert_sees_nothing(actor: &Actor, filed: &Filed, observation: &str) {
    for door in filed.doors() {
        assert_eq!(shown(actor, &door), 0, "{door}");
    }
    for path in [filed.path(), filed.binary(), observation.to_owned()] {
        actor.get(&path).refuses(404, "not-found", None);
        actor.get(&format!("{path}/_history/1")).refuses(404, "not-found", None);
    }
}

fn assert_sees_all(actor: &Actor, filed: &Filed) {
    for door in filed.doors() {
        assert!(shown(actor, &door) > 0, "{door}");
    }
    for path in [filed.path(), filed.binary(), filed.observation(actor)] {
        assert_eq!(actor.get(&path).status, 200, "{path}");
    }
}

#[test]
fn a_masked_document_and_all_that_came_of_it_are_hidden_from_other_professionals_through_every_door() {
    on_both(|world| {
        let filed = Filed::in_world(world);
        let doctor = world.general_practitioner();
        assert_sees_all(&doctor, &filed);
        let observation = filed.observation(&doctor);
        let masked = set_label(&world.patient(&PAT_TROIS), &filed, "MASQUE_PS").expect(200);
        assert_eq!(codes(&masked), ["MASQUE_PS"]);
        assert_eq!((&masked["meta"]["versionId"], &masked["meta"]["security"][0]["code"]), (&json!("2"), &json!("MASQUE_PS")));
        assert_sees_nothing(&doctor, &filed, &observation);
        assert_sees_all(&world.patient(&PAT_TROIS), &filed);
        // The depositor has no authorisation and sees his own.
        assert_eq!(world.hospital_system().get(&filed.path()).status, 200);
        // A document that is hidden is answered like one that is not here, whatever is asked of it.
        set_label(&doctor, &filed, "N").refuses(404, "not-found", None);
        assert_eq!(doctor.delete(&filed.path()).status, 204);
        assert_eq!(world.patient(&PAT_TROIS).get(&filed.path()).status, 200, "that delete did nothing");
        assert_eq!(world.hospital_system().get(&filed.binary()).status, 200);
    });
}

#[test]
fn only_the_document_gets_a_new_version_and_its_data_say_the_label() {
    on_both(|world| {
        let filed = Filed::in_world(world);
        let patient = world.patient(&PAT_TROIS);
        let security = format!(
            "Observation?patient={}&code={CREATININE}&_security={}",
            filed.patient,
            encoded(&format!("{VISIBILITY}|MASQUE_PS"))
        );
        assert_eq!(patient.search(&security).len(), 0);
        set_label(&patient, &filed, "MASQUE_PS").expect(200);
        let observation = patient.read(&filed.observation(&patient));
        assert_eq!(observation["meta"]["versionId"], "1");
        assert_eq!(observation["meta"]["security"][0]["code"], "MASQUE_PS");
        assert_eq!(patient.search(&security).len(), 1);
        set_label(&patient, &filed, "N").expect(200);
        let observation = patient.read(&filed.observation(&patient));
        assert!(observation["meta"].get("security").is_none(), "{observation}");
        assert_eq!(patient.search(&security).len(), 0);
        assert_sees_all(&world.general_practitioner(), &filed);
    });
}

#[test]
fn any_professional_masks_and_the_patient_the_author_or_a_medecin_traitant_unmasks() {
    on_both(|world| {
        let filed = Filed::in_world(world);
        let doctor = world.general_practitioner();
        // BR-32: at the patient's request; from then on he does not see it himself.
        assert_eq!(codes(&set_label(&doctor, &filed, "MASQUE_PS").expect(200)), ["MASQUE_PS"]);
        doctor.get(&filed.path()).refuses(404, "not-found", None);
        set_label(&world.hospital_system(), &filed, "N").expect(200);
        set_label(&world.patient(&PAT_TROIS), &filed, "MASQUE_PS").expect(200);
        world.consents(&PAT_TROIS, Kind::MedecinTraitant, GENERAL_PRACTITIONER).expect(201);
        assert_eq!(codes(&set_label(&doctor, &filed, "N").expect(200)), ["N"]);
        // Another system without authorisation is told what it is always told.
        set_label(&world.other_system(), &filed, "MASQUE_PS").refuses(403, "forbidden", None);
        set_label(&world.stranger(), &filed, "MASQUE_PS").refuses(403, "forbidden", None);
    });
}

#[test]
fn the_author_hides_a_document_from_the_patient_until_he_has_opened_it() {
    on_both(|world| {
        let filed = Filed::in_world(world);
        let (doctor, author, patient) = (world.general_practitioner(), world.hospital_system(), world.patient(&PAT_TROIS));
        let observation = filed.observation(&doctor);
        set_label(&doctor, &filed, "INVISIBLE_PATIENT").refuses(403, "forbidden", None);
        set_label(&patient, &filed, "INVISIBLE_PATIENT").refuses(403, "forbidden", None);
        set_label(&author, &filed, "INVISIBLE_PATIENT").expect(200);
        assert_sees_nothing(&patient, &filed, &observation);
        assert_sees_all(&doctor, &filed);
        set_label(&patient, &filed, "N").refuses(404, "not-found", None);
        set_label(&author, &filed, "N").expect(200);
        assert_eq!(patient.get(&filed.binary()).status, 200);
        set_label(&author, &filed, "INVISIBLE_PATIENT").refuses(422, "business-rule", Some("DocumentReference.securityLabel"));
        assert_eq!(patient.get(&filed.path()).status, 200);
    });
}

#[test]
fn the_trace_of_what_is_hidden_from_the_patient_is_hidden_with_it() {
    on_both(|world| {
        let filed = Filed::in_world(world);
        let (author, patient) = (world.hospital_system(), world.patient(&PAT_TROIS));
        let about = |events: &[Value]| events.iter().filter(|event| event.to_string().contains(&filed.path())).count();
        let trace = format!("AuditEvent?patient={}", filed.patient);
        assert_eq!(about(&patient.search(&trace)), 1, "the deposit");
        let deposit = patient.search(&trace).into_iter().find(|event| event.to_string().contains(&filed.path())).unwrap();
        set_label(&author, &filed, "INVISIBLE_PATIENT").expect(200);
        assert_eq!(about(&patient.search(&trace)), 0);
        patient.get(&format!("AuditEvent/{}", deposit["id"].as_str().unwrap())).refuses(404, "not-found", None);
        set_label(&author, &filed, "N").expect(200);
        assert_eq!(about(&patient.search(&trace)), 3, "deposit, label, label");
    });
}

#[test]
fn labels_that_the_rules_refuse_are_422() {
    on_both(|world| {
        let filed = Filed::in_world(world);
        let author = world.hospital_system();
        let refused = |value: Value| {
            let operations = json!([{"op": "replace", "path": "/securityLabel", "value": value}]);
            author.patch(&filed.path(), &operations).refuses(422, "business-rule", None);
        };
        refused(json!([label("MASQUE_PS"), label("INVISIBLE_PATIENT")]));
        refused(json!([label("INVISIBLE_REPRESENTANTS_LEGAUX")]));
        refused(json!([label("MASQUE_PT")]));
        refused(json!([{"coding": [{"system": CONFIDENTIALITY, "code": "R"}]}]));
        refused(json!([{"coding": [{"system": CONFIDENTIALITY, "code": "V"}]}]));
        assert_eq!(author.read(&filed.path())["meta"]["versionId"], "1");
        // A set: the same label twice is one, and N beside it says nothing.
        let twice =
            json!([{"op": "replace", "path": "/securityLabel", "value": [label("N"), label("MASQUE_PS"), label("MASQUE_PS")]}]);
        assert_eq!(codes(&author.patch(&filed.path(), &twice).expect(200)), ["MASQUE_PS"]);
        // Nothing said is nothing hidden.
        let none = json!([{"op": "remove", "path": "/securityLabel"}]);
        assert_eq!(codes(&author.patch(&filed.path(), &none).expect(200)), ["N"]);
    });
}

#[test]
fn other_elements_are_405_in_every_form() {
    on_both(|world| {
        let filed = Filed::in_world(world);
        let author = world.hospital_system();
        for operation in [
            json!({"op": "replace", "path": "/description", "value": "x"}),
            json!({"op": "add", "path": "/docStatus", "value": "final"}),
            json!({"op": "remove", "path": "/author"}),
            json!({"op": "replace", "path": "/masterIdentifier/value", "value": "urn:oid:1.2.3"}),
            json!({"op": "replace", "path": "/subject/reference", "value": "Patient/1"}),
            json!({"op": "add", "path": "/meta/security", "value": [{"code": "N"}]}),
            json!({"op": "add", "path": "/extension", "value": [{"url": "http://x", "valueBoolean": true}]}),
            json!({"op": "replace", "path": "/content/0/attachment/url", "value": "Binary/1"}),
            json!({"op": "add", "path": "/unknown", "value": "x"}),
        ] {
            let with_label = json!([{"op": "replace", "path": "/securityLabel/0", "value": label("MASQUE_PS")}, operation]);
            let answer = author.patch(&filed.path(), &with_label);
            assert!(matches!(answer.status, 405 | 422), "{operation}: {}", answer.text());
            let absent = operation["path"] == "/description";
            assert!(answer.status == 405 || absent, "{operation}: {}", answer.text());
        }
        let stored = author.read(&filed.path());
        assert_eq!((&stored["meta"]["versionId"], codes(&stored)), (&json!("1"), vec!["N".to_owned()]));
        let refused = author.put(&filed.path(), &filed.document).status;
        assert_eq!(refused, 405, "no PUT of a document");
    });
}

#[test]
fn a_deposit_that_states_whether_it_is_archived_keeps_it() {
    on_both(|world| {
        let patient = world.open_record_for_practitioner(&PAT_TROIS).patient;
        let system = world.hospital_system();
        let deposit = |number: u32, extension: Value| {
            Report::of(&PAT_TROIS, number).result(CREATININE, "80", "umol/L", TIME).deposit().with("/extension", extension)
        };
        let stated = |archived: bool| json!([{"url": ARCHIVED, "valueBoolean": archived}]);
        let archived = deposit(1, stated(true)).filed_by(&system);
        let active = deposit(2, stated(false)).filed_by(&system);
        assert_eq!((&archived["extension"], &active["extension"]), (&stated(true), &stated(false)));
        let silent = deposit(3, json!([{"url": "urn:example:other", "valueBoolean": true}])).filed_by(&system);
        assert_eq!(silent["extension"], Value::Null);
        for name in ["isArchived", "PDSm_isArchived"] {
            for (value, document) in [("true", &archived), ("false", &active)] {
                let query = format!("DocumentReference?patient={patient}&{name}={value}");
                let found: Vec<Value> =
                    world.general_practitioner().search(&query).iter().map(|found| found["id"].clone()).collect();
                assert_eq!(found, [document["id"].clone()], "{query}");
            }
        }
        for wrong in [json!([{"url": ARCHIVED, "valueCode": "yes"}]), json!([stated(true)[0], stated(false)[0]])] {
            deposit(4, wrong).by(&system).refuses(422, "business-rule", Some("DocumentReference.extension"));
        }
    });
}

#[test]
fn a_document_is_archived_and_comes_back_in_all_three_forms() {
    on_both(|world| {
        let filed = Filed::in_world(world);
        let author = world.hospital_system();
        let add = json!([{"op": "add", "path": "/extension", "value": [{"url": ARCHIVED, "valueBoolean": true}]}]);
        world.general_practitioner().patch(&filed.path(), &add).refuses(403, "forbidden", None);
        let archived = author.patch(&filed.path(), &add).expect(200);
        assert_eq!(archived["extension"], json!([{"url": ARCHIVED, "valueBoolean": true}]));
        // The path of the DMP's draft (decision 6).
        let draft = json!([{"op": "replace", "path": format!("/extension[url:'{ARCHIVED}']/valueBoolean"), "value": false}]);
        assert_eq!(author.patch(&filed.path(), &draft).expect(200)["extension"][0]["valueBoolean"], false);
        let fhirpath = json!({"resourceType": "Parameters", "parameter": [{"name": "operation", "part": [
            {"name": "type", "valueCode": "replace"},
            {"name": "path", "valueString": format!("DocumentReference.extension('{ARCHIVED}').value")},
            {"name": "value", "valueBoolean": true}]}]});
        let headers = [("Content-Type", "application/fhir+json"), ("Accept", "application/fhir+json")];
        let answer = author.send("PATCH", &filed.path(), &headers, fhirpath.to_string().into_bytes()).expect(200);
        assert_eq!(answer["extension"][0]["valueBoolean"], true);
        let diff = format!(
            "<diff xmlns:f=\"http://hl7.org/fhir\"><replace sel=\"f:DocumentReference/f:extension[@url='{ARCHIVED}']/f:valueBoolean/@value\">false</replace></diff>"
        );
        let headers = [("Content-Type", "application/xml-patch+xml"), ("Accept", "application/fhir+json")];
        let answer = author.send("PATCH", &filed.path(), &headers, diff.into_bytes()).expect(200);
        assert_eq!((&answer["extension"][0]["valueBoolean"], &answer["meta"]["versionId"]), (&json!(false), &json!("5")));
        let entry = |document: &Value| document["identifier"][0]["value"].as_str().unwrap().to_owned();
        assert_ne!(entry(&answer), entry(&filed.document), "each version has its entryUUID (decision 1)");
        assert_eq!(answer["id"], filed.document["id"]);
    });
}

#[test]
fn a_patch_that_changes_nothing_makes_no_version_and_if_match_is_obeyed() {
    on_both(|world| {
        let filed = Filed::in_world(world);
        let author = world.hospital_system();
        assert_eq!(set_label(&author, &filed, "N").expect(200)["meta"]["versionId"], "1");
        let send = |etag: &str, code: &str| {
            let headers = [("Content-Type", "application/json-patch+json"), ("If-Match", etag)];
            let body = json!([{"op": "replace", "path": "/securityLabel/0", "value": label(code)}]).to_string().into_bytes();
            author.send("PATCH", &filed.path(), &headers, body)
        };
        send("W/\"7\"", "MASQUE_PS").refuses(412, "conflict", None);
        assert_eq!(send("W/\"1\"", "MASQUE_PS").expect(200)["meta"]["versionId"], "2");
    });
}

#[test]
fn a_withdrawn_document_is_gone_for_everybody_and_410_to_who_could_see_it() {
    for by_patch in [false, true] {
        on_both(|world| {
            let patient_id = world.open_record_for_practitioner(&PAT_TROIS).patient;
            let report = Report::of(&PAT_TROIS, 1).result(CREATININE, "80", "umol/L", TIME);
            let filed = Filed { patient: patient_id, document: report.deposit().filed_by(&world.hospital_system()) };
            let (doctor, author, patient) = (world.general_practitioner(), world.hospital_system(), world.patient(&PAT_TROIS));
            let observation = filed.observation(&doctor);
            let entered_in_error = json!([{"op": "replace", "path": "/status", "value": "entered-in-error"}]);
            // BR-43: the author only.
            doctor.delete(&filed.path()).refuses(403, "forbidden", None);
            patient.delete(&filed.path()).refuses(403, "forbidden", None);
            doctor.patch(&filed.path(), &entered_in_error).refuses(403, "forbidden", None);
            assert_sees_all(&doctor, &filed);
            if by_patch {
                assert_eq!(author.patch(&filed.path(), &entered_in_error).expect(200)["status"], "entered-in-error");
            } else {
                assert_eq!(author.delete(&filed.path()).status, 204);
            }
            for reader in [&doctor, &patient] {
                for door in filed.doors() {
                    assert_eq!(shown(reader, &door), 0, "{door}");
                }
                for path in [filed.path(), filed.binary(), observation.clone()] {
                    reader.get(&path).refuses(410, "deleted", None);
                    reader.get(&format!("{path}/_history/1")).refuses(410, "deleted", None);
                }
            }
            world.other_system().get(&filed.path()).refuses(403, "forbidden", None);
            author.patch(&filed.path(), &entered_in_error).refuses(410, "deleted", None);
            assert_eq!(author.delete(&filed.path()).status, 204, "twice is as once");
            // The same document may be deposited again.
            let document = report.deposit().filed_by(&author);
            assert_sees_all(&doctor, &Filed { patient: filed.patient, document });
        });
    }
}

#[test]
fn a_masked_document_that_is_withdrawn_is_404_to_who_never_saw_it() {
    on_both(|world| {
        let filed = Filed::in_world(world);
        let doctor = world.general_practitioner();
        set_label(&world.patient(&PAT_TROIS), &filed, "MASQUE_PS").expect(200);
        assert_eq!(world.hospital_system().delete(&filed.path()).status, 204);
        doctor.get(&filed.path()).refuses(404, "not-found", None);
        world.patient(&PAT_TROIS).get(&filed.path()).refuses(410, "deleted", None);
    });
}

#[test]
fn a_page_read_before_a_mask_shows_nothing_of_it_afterwards() {
    on_both(|world| {
        let filed = Filed::in_world(world);
        for number in 2..6 {
            let report = Report::of(&PAT_TROIS, number).result(CREATININE, &number.to_string(), "umol/L", TIME);
            report.deposit().filed_by(&world.hospital_system());
        }
        let doctor = world.general_practitioner();
        let masked = filed.observation_of(&doctor, 80.0);
        let first = doctor.read(&format!("Observation?patient={}&code={CREATININE}&_count=1", filed.patient));
        set_label(&world.patient(&PAT_TROIS), &filed, "MASQUE_PS").expect(200);
        let on_first = resources(&first)[0]["id"] == masked.as_str();
        let (mut seen, mut next) = (0, link(&first, "next"));
        while let Some(url) = next {
            let page = doctor.read(&url);
            for found in resources(&page) {
                assert_ne!(found["id"], masked.as_str(), "on a later page");
                seen += 1;
            }
            next = link(&page, "next");
        }
        assert_eq!(seen, if on_first { 4 } else { 3 }, "the others neither lost nor twice");
    });
}

impl Filed {
    /// Id of the Observation with this value.
    fn observation_of(&self, reader: &Actor, value: f64) -> String {
        let found = reader.search(&format!("Observation?patient={}&code={CREATININE}", self.patient));
        let one = found.iter().find(|found| found["valueQuantity"]["value"].as_f64() == Some(value)).unwrap();
        one["id"].as_str().unwrap().to_owned()
    }
}

#[test]
fn a_participant_is_hidden_only_where_every_document_that_states_him_is() {
    on_both(|world| {
        let first = Filed::in_world(world);
        let doctor = world.general_practitioner();
        let people = || {
            let provenance = world.patient(&PAT_TROIS).search(&first.provenance());
            let targets = provenance[0]["target"].as_array().unwrap().clone();
            let references = targets.iter().map(|target| target["reference"].as_str().unwrap().to_owned());
            references.filter(|reference| reference.starts_with("Practitioner/")).collect::<Vec<_>>()
        };
        let practitioners = people();
        assert!(!practitioners.is_empty() && practitioners.iter().all(|practitioner| doctor.get(practitioner).status == 200));
        set_label(&world.patient(&PAT_TROIS), &first, "MASQUE_PS").expect(200);
        for practitioner in &practitioners {
            doctor.get(practitioner).refuses(404, "not-found", None);
        }
        Report::of(&PAT_TROIS, 2).result(CREATININE, "81", "umol/L", TIME).deposit().filed_by(&world.hospital_system());
        for practitioner in &practitioners {
            assert_eq!(doctor.get(practitioner).status, 200, "a document that is not masked states him too");
        }
    });
}

#[test]
fn a_change_of_metadata_is_traced_with_its_own_action() {
    use dmp_fhir::audit::Action;
    on_both(|world| {
        let filed = Filed::in_world(world);
        set_label(&world.patient(&PAT_TROIS), &filed, "MASQUE_PS").expect(200);
        assert_eq!(world.last_traced(), (Action::Update, 200));
        world.general_practitioner().delete(&filed.path());
        assert_eq!(world.last_traced(), (Action::Delete, 204));
        world.hospital_system().delete(&filed.path());
        assert_eq!(world.last_traced(), (Action::Delete, 204));
    });
}

#[test]
fn a_blocked_author_changes_nothing() {
    on_both(|world| {
        let patient = world.open_record_for_practitioner(&PAT_TROIS).patient;
        let doctor = world.general_practitioner();
        let report = Report::of(&PAT_TROIS, 1).result(CREATININE, "80", "umol/L", TIME);
        let filed = Filed { patient, document: report.deposit().filed_by(&doctor) };
        set_label(&doctor, &filed, "MASQUE_PS").expect(200);
        world.consents(&PAT_TROIS, Kind::Blocage, GENERAL_PRACTITIONER).expect(201);
        set_label(&doctor, &filed, "N").refuses(403, "forbidden", None);
        doctor.delete(&filed.path()).refuses(403, "forbidden", None);
        assert_eq!(world.patient(&PAT_TROIS).read(&filed.path())["meta"]["versionId"], "2");
    });
}
