//! References, chains, URIs and composites, as R4 3.1.1.4 and 3.1.1.5 say.
use super::{World, check, world};
use serde_json::{Value, json};

#[test]
fn references_are_found_by_place_url_and_identifier() {
    let reference = |text: &str| json!({"reference": text});
    let mut subjects = vec![
        ("own", reference("Patient/p")),
        ("version", reference("Patient/p/_history/3")),
        ("absolute", reference("https://dmp.example/fhir/Patient/p")),
        ("group", reference("Group/g")),
        ("foreign", reference("https://other.example/fhir/Patient/p")),
        ("logical", json!({"identifier": {"system": "urn:oid:1.2.250.1.213.1.4.8", "value": "2790"}, "type": "Patient"})),
        ("contained", reference("#x")),
    ];
    subjects.push(("unknown", reference("Patient/unknown")));
    let world = world("Observation", "subject", subjects);
    check(
        &world,
        &[
            ("Observation?subject=Patient/p", &["own", "version", "absolute"]),
            ("Observation?subject=p", &["own", "version", "absolute"]),
            ("Observation?subject:Patient=p", &["own", "version", "absolute"]),
            ("Observation?subject:Group=p", &[]),
            ("Observation?patient=p", &["own", "version", "absolute"]),
            ("Observation?patient=Group/g", &[]),
            ("Observation?subject=Group/g", &["group"]),
            ("Observation?subject=g", &["group"]),
            ("Observation?subject=https://dmp.example/fhir/Patient/p", &["own", "version", "absolute"]),
            ("Observation?subject=https://other.example/fhir/Patient/p", &["foreign"]),
            ("Observation?patient=https://other.example/fhir/Patient/p", &["foreign"]),
            ("Observation?subject=Patient/unknown", &["unknown"]),
            ("Observation?subject=Patient/nobody", &[]),
            ("Observation?subject:identifier=|2790,urn:oid:1.2.250.1.213.1.4.8|2790", &["logical"]),
            ("Observation?subject:identifier=2790,1", &["logical"]),
            ("Observation?patient:missing=true", &["group"]),
        ],
    );
}

#[test]
fn the_identifier_of_a_reference_is_exact_but_where_the_type_is_filtered() {
    let logical = |stated: &str| json!({"identifier": {"system": "urn:oid:1.2", "value": "9"}, "type": stated});
    let world = world("Observation", "subject", vec![("patient", logical("Patient")), ("group", logical("Group"))]);
    let recheck = |query: &str| world.parse(query, None, false).unwrap().plan.recheck;
    assert!(!recheck("Observation?subject:identifier=urn:oid:1.2|9"));
    assert!(recheck("Observation?patient:identifier=urn:oid:1.2|9"));
    check(
        &world,
        &[
            ("Observation?subject:identifier=urn:oid:1.2|9,x", &["patient", "group"]),
            ("Observation?patient:identifier=urn:oid:1.2|9,x", &["patient"]),
        ],
    );
}

#[test]
fn the_same_number_in_another_record_is_another_resource() {
    let world = world("Observation", "subject", vec![("own", json!({"reference": "Patient/p"}))]);
    check(&world, &[("Observation?subject=Patient/other", &[]), ("Observation?subject=Patient/other,Patient/p", &["own"])]);
}

#[test]
fn a_reference_to_the_directory_is_not_one_to_the_record() {
    let world = World::new(vec![
        json!({"resourceType": "Practitioner", "id": "d", "name": [{"family": "Martin"}]}),
        json!({"resourceType": "Organization", "id": "chu", "name": "CHU de Nantes"}),
        json!({"resourceType": "Organization", "id": "lab", "name": "Laboratoire", "partOf": {"reference": "Organization/chu"}}),
        json!({"resourceType": "Observation", "id": "o", "performer": [{"reference": "Practitioner/d"}]}),
    ]);
    check(
        &world,
        &[
            ("Observation?performer=Practitioner/d", &["o"]),
            ("Observation?performer=d", &["o"]),
            ("Observation?performer:Practitioner.family=mart", &["o"]),
            ("Observation?performer.name=martin", &["o"]),
            ("Observation?performer.name=durand", &[]),
            ("Practitioner?family=martin", &["d"]),
            ("Organization?partof=Organization/chu", &["lab"]),
            ("Organization?partof.name=chu", &["lab"]),
            ("Organization?_has:Organization:partof:name=labo", &["chu"]),
        ],
    );
}

#[test]
fn uris_are_compared_as_they_are() {
    let world = world(
        "Observation",
        "meta",
        vec![
            (
                "a",
                json!({"profile": ["https://a.example/P|1.0"], "source": "urn:oid:1.2.3", "tag": [{"system": "s", "code": "t"}],
            "security": [{"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "N"}]}),
            ),
            ("b", json!({"profile": ["https://a.example/P/Q"], "lastUpdated": "2026-11-24T10:00:00.123Z"})),
        ],
    );
    check(
        &world,
        &[
            ("Observation?_profile=https://a.example/P", &["a"]),
            ("Observation?_profile=https://a.example/P|1.0", &["a"]),
            ("Observation?_profile=https://a.example/p", &[]),
            ("Observation?_profile:below=https://a.example/P", &["a", "b"]),
            ("Observation?_profile:above=https://a.example/P/Q/R", &["a", "b"]),
            ("Observation?_profile:above=https://a.example/P/Quer", &["a"]),
            ("Observation?_profile:below=https://a.example/", &["a", "b"]),
            ("Observation?_profile:below=https://a.example/P/", &["b"]),
            ("Observation?_profile:below=https://a.exam", &[]),
            ("Observation?_source:below=urn:oid:1.2", &[]),
            ("Observation?_source:below=urn:oid:1.2.3", &["a"]),
            ("Observation?_source=urn:oid:1.2.3", &["a"]),
            ("Observation?_tag=s|t", &["a"]),
            ("Observation?_security=N", &["a"]),
            ("Observation?_lastUpdated=2026-11-24", &["b"]),
            ("Observation?_lastUpdated=gt2026-11-24T10:00:00Z", &[]),
            ("Observation?_lastUpdated=ge2026-11-24T10:00:00.123Z", &["b"]),
            ("Observation?_lastUpdated=2026-11-24T10:00:00.124Z", &[]),
            ("Observation?_id=a", &["a"]),
            ("Observation?_id=a,b,c", &["a", "b"]),
            ("Observation?_type=Observation", &["a", "b"]),
            ("Observation?_type=Patient", &[]),
        ],
    );
}

#[test]
fn a_composite_holds_in_one_element() {
    let part = |code: &str, value: Value| {
        let mut part = json!({"code": {"coding": [{"system": "http://loinc.org", "code": code}]}});
        part.as_object_mut().unwrap().extend(value.as_object().unwrap().clone());
        part
    };
    let ucum = |value: u16| json!({"valueQuantity": {"value": value, "system": "http://unitsofmeasure.org", "code": "mm[Hg]"}});
    let sir = |code: &str| json!({"valueCodeableConcept": {"coding": [{"system": "urn:sir", "code": code}]}});
    let mut lone = part("8480-6", ucum(150));
    lone.as_object_mut().unwrap().extend(json!({"resourceType": "Observation", "id": "lone"}).as_object().unwrap().clone());
    let world = World::new(vec![
        json!({"resourceType": "Observation", "id": "bp", "component": [part("8480-6", ucum(120)), part("8462-4", ucum(80))]}),
        json!({"resourceType": "Observation", "id": "swapped", "component": [part("8480-6", ucum(80)), part("8462-4", ucum(120))]}),
        json!({"resourceType": "Observation", "id": "abg", "component": [part("18862-3", sir("R")), part("18864-9", sir("S"))]}),
        lone,
    ]);
    let mmhg = "http://unitsofmeasure.org|mm[Hg]";
    check(
        &world,
        &[
            ("Observation?component-code-value-quantity=http://loinc.org|8480-6$gt100", &["bp"]),
            (&format!("Observation?component-code-value-quantity=http://loinc.org|8480-6$gt100|{mmhg}"), &["bp"]),
            (
                "Observation?component-code-value-quantity=http://loinc.org|8480-6$gt10|http://unitsofmeasure.org|kPa",
                &["bp", "swapped"],
            ),
            ("Observation?component-code-value-quantity=8480-6$gt100", &["bp"]),
            ("Observation?component-code-value-concept=18862-3$R", &["abg"]),
            ("Observation?component-code-value-concept=18864-9$R", &[]),
            ("Observation?component-code-value-concept=http://loinc.org|18862-3$urn:sir|R", &["abg"]),
            ("Observation?component-code-value-concept=http://loinc.org|18862-3$R", &["abg"]),
            ("Observation?code-value-quantity=8480-6$gt100", &["lone"]),
            ("Observation?code-value-quantity=http://loinc.org|8480-6$le150", &["lone"]),
            ("Observation?combo-code-value-quantity=http://loinc.org|8480-6$gt100", &["lone", "bp"]),
        ],
    );
    assert!(world.exact("Observation?component-code-value-quantity=http://loinc.org|8480-6$gt100"));
    assert!(world.exact("Observation?code-value-quantity=8480-6$gt100"));
    assert!(!world.exact("Observation?component-code-value-quantity=8480-6$gt100"));
}

#[test]
fn words_are_looked_for_in_narrative_and_content() {
    let world = World::new(vec![
        json!({"resourceType": "Observation", "id": "a", "text": {"div": "<div>Rares <b>bacilles</b> à Gram négatif</div>"}}),
        json!({"resourceType": "Observation", "id": "b", "note": [{"text": "bacilles rares"}]}),
    ]);
    check(
        &world,
        &[
            ("Observation?_text=bacilles rares", &["a"]),
            ("Observation?_content=BACILLES", &["a", "b"]),
            ("Observation?_text=div", &[]),
        ],
    );
}

#[test]
fn pdsm_spellings_find_archived_documents_and_their_period() {
    let archived = |value: bool| json!([{"url": "https://interop.esante.gouv.fr/ig/fhir/pdsm/StructureDefinition/pdsm-ext-is-archived", "valueBoolean": value}]);
    let world = World::new(vec![
        json!({"resourceType": "DocumentReference", "id": "a", "extension": archived(true),
            "context": {"period": {"start": "2024-01-10", "end": "2024-02-20"}},
            "content": [{"attachment": {"creation": "2024-02-21T10:00:00+01:00"}}],
            "masterIdentifier": {"system": "urn:ietf:rfc:3986", "value": "urn:oid:1.2.3"}, "identifier": [{"value": "x"}]}),
        json!({"resourceType": "DocumentReference", "id": "b", "extension": archived(false)}),
    ]);
    check(
        &world,
        &[
            ("DocumentReference?isArchived=true", &["a"]),
            ("DocumentReference?PDSm_isArchived=false", &["b"]),
            ("DocumentReference?period-start=2024-01", &["a"]),
            ("DocumentReference?PDSm_DocumentReference_period-start=lt2024", &[]),
            ("DocumentReference?period-end=ge2024-02-20", &["a"]),
            ("DocumentReference?period=2024", &["a"]),
            ("DocumentReference?creation=2024-02-21", &["a"]),
            ("DocumentReference?identifier=urn:oid:1.2.3", &["a"]),
            ("DocumentReference?identifier=|x", &["a"]),
        ],
    );
}

#[test]
fn chains_and_has_follow_references() {
    let world = World::new(vec![
        json!({"resourceType": "Patient", "id": "p", "name": [{"family": "Durand"}],
            "identifier": [{"system": "urn:oid:1.2.250.1.213.1.4.8", "value": "279035121518989"}]}),
        json!({"resourceType": "Observation", "id": "a", "subject": {"reference": "Patient/p"}, "code": {"coding": [{"code": "4548-4"}]},
            "specimen": {"reference": "Specimen/s"}}),
        json!({"resourceType": "Observation", "id": "b", "subject": {"reference": "Group/g"}, "code": {"coding": [{"code": "1-8"}]}}),
        json!({"resourceType": "Specimen", "id": "s", "subject": {"reference": "Patient/p"}, "type": {"coding": [{"code": "SER"}]}}),
        json!({"resourceType": "DiagnosticReport", "id": "r", "result": [{"reference": "Observation/a"}]}),
    ]);
    check(
        &world,
        &[
            ("Observation?specimen.type=SER", &["a"]),
            ("Observation?specimen.type=URN", &[]),
            ("Observation?subject:Patient.family=dur", &["a"]),
            ("Observation?patient.identifier=urn:oid:1.2.250.1.213.1.4.8|279035121518989", &["a"]),
            ("DiagnosticReport?result.specimen.type=SER", &["r"]),
            ("Patient?_has:Observation:patient:code=4548-4", &["p"]),
            ("Patient?_has:Observation:patient:code=1-8", &[]),
            ("Specimen?_has:Observation:specimen:_has:DiagnosticReport:result:_id=r", &["s"]),
            ("Specimen?_has:Observation:specimen:code:not=1-8", &["s"]),
        ],
    );
}
