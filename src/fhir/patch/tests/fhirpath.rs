use super::{apply, refusal};
use crate::fhir::patch::Patch;
use serde_json::{Value, json};

fn part(name: &str, kind: &str, value: Value) -> Value {
    let mut part = json!({"name": name});
    part[format!("value{kind}")] = value;
    part
}

fn operation(parts: Vec<Value>) -> Value {
    json!({"name": "operation", "part": parts})
}

fn kind_and_path(kind: &str, path: &str) -> Vec<Value> {
    vec![part("type", "Code", json!(kind)), part("path", "String", json!(path))]
}

fn add(path: &str, name: &str, value: Value) -> Value {
    operation([kind_and_path("add", path), vec![part("name", "String", json!(name)), value]].concat())
}

fn replace(path: &str, value: Value) -> Value {
    operation([kind_and_path("replace", path), vec![value]].concat())
}

fn delete(path: &str) -> Value {
    operation(kind_and_path("delete", path))
}

fn insert(path: &str, index: u32, value: Value) -> Value {
    operation([kind_and_path("insert", path), vec![part("index", "Integer", json!(index)), value]].concat())
}

fn text(value: &str) -> Value {
    part("value", "String", json!(value))
}

fn patch(operations: &[Value]) -> Patch {
    Patch::of_parameters(super::resource(json!({"resourceType": "Parameters", "parameter": operations}))).unwrap()
}

fn patched(operations: &[Value], to: Value) -> Value {
    apply(&patch(operations), to).unwrap()
}

fn refused(operation: Value, to: Value) -> String {
    let (status, text) = refusal(apply(&patch(&[operation]), to));
    assert_eq!(status, 422, "{text}");
    text
}

#[test]
fn a_choice_is_named_without_its_type_and_takes_that_of_the_value() {
    let observation = json!({"resourceType": "Observation"});
    let quantity = part("value", "Quantity", json!({"value": 1}));
    let expected = json!({"resourceType": "Observation", "valueQuantity": {"value": 1}});
    assert_eq!(patched(&[add("Observation", "value", quantity.clone())], observation.clone()), expected);
    assert_eq!(patched(&[add("Observation", "value[x]", quantity)], observation), expected);
    let other = json!({"resourceType": "Observation", "valueString": "a"});
    for path in
        ["Observation.value", "Observation.value[x]", "Observation.value.ofType(Quantity)", "(Observation.value as Quantity)"]
    {
        assert_eq!(patched(&[replace(path, text("a"))], expected.clone()), other, "{path}");
    }
    assert!(refused(replace("Observation.value.ofType(Period)", text("a")), expected.clone()).contains("leads to nothing"));
    assert!(
        refused(replace("Observation.value", part("value", "Address", json!({"city": "A"}))), expected)
            .contains("does not exist")
    );
}

#[test]
fn what_is_there_once_is_not_added_again() {
    let patient = json!({"resourceType": "Patient", "gender": "male", "deceasedBoolean": true});
    assert!(refused(add("Patient", "gender", part("value", "Code", json!("female"))), patient.clone()).contains("there already"));
    assert!(refused(add("Patient", "deceased", part("value", "DateTime", json!("2020"))), patient).contains("there already"));
}

#[test]
fn a_delete_of_nothing_is_no_error_and_of_several_is_one() {
    let patient = json!({"resourceType": "Patient", "name": [{"family": "A"}, {"family": "B"}]});
    assert_eq!(patched(&[delete("Patient.gender")], patient.clone()), patient);
    assert!(refused(delete("Patient.name"), patient.clone()).contains("several"));
    assert!(refused(delete("Patient"), patient).contains("whole resource"));
}

#[test]
fn a_replace_needs_exactly_one_element() {
    let patient = json!({"resourceType": "Patient", "name": [{"family": "A"}, {"family": "B"}]});
    assert!(refused(replace("Patient.gender", text("male")), patient.clone()).contains("leads to nothing"));
    assert!(refused(replace("Patient.name.family", text("C")), patient.clone()).contains("several"));
    assert!(refused(replace("Group.name", text("C")), patient).contains("leads to nothing"));
}

#[test]
fn where_first_last_and_indexes_select() {
    let patient = json!({"resourceType": "Patient", "name": [
        {"use": "official", "family": "A", "given": ["x", "y"]}, {"use": "usual", "family": "B"}]});
    let family = |name: usize, family: &str| {
        let mut expected = patient.clone();
        expected["name"][name]["family"] = json!(family);
        expected
    };
    for path in [
        "Patient.name[0].family",
        "Patient.name.first().family",
        "Patient.name.where(use = 'official').family",
        "Patient.name.where(use='usual' or given.exists()).where(given.exists()).family",
        "Patient.name.where(use = 'official' and family != 'B').family",
        "Patient.name.where(given.empty().not()).family",
        "Patient.name.where((use = 'official')).family",
        "name[0].family",
        "%resource.name[0].family",
    ] {
        assert_eq!(patched(&[replace(path, text("C"))], patient.clone()), family(0, "C"), "{path}");
    }
    for path in ["Patient.name[1].family", "Patient.name.last().family", "Patient.name.where(given.empty()).family"] {
        assert_eq!(patched(&[replace(path, text("C"))], patient.clone()), family(1, "C"), "{path}");
    }
    assert_eq!(patched(&[delete("Patient.name.given.where($this = 'x')")], patient.clone())["name"][0]["given"], json!(["y"]));
}

#[test]
fn extensions_are_found_by_url_also_those_of_a_primitive() {
    let patient = json!({"resourceType": "Patient", "birthDate": "1970-01-01",
        "_birthDate": {"extension": [{"url": "http://t", "valueDateTime": "1970-01-01T10:00:00Z"}]},
        "extension": [{"url": "http://a", "valueBoolean": false}, {"url": "http://b", "valueBoolean": false}]});
    let found =
        patched(&[replace("Patient.extension('http://b').value", part("value", "Boolean", json!(true)))], patient.clone());
    assert_eq!(found["extension"][1]["valueBoolean"], json!(true));
    let found = patched(&[delete("Patient.birthDate.extension('http://t')")], patient.clone());
    assert!(found.get("_birthDate").is_none() && found["birthDate"] == "1970-01-01");
    let found = patched(&[delete("Patient.birthDate")], patient.clone());
    assert!(found.get("_birthDate").is_none() && found.get("birthDate").is_none());
    let extension = part("value", "Extension", json!({"url": "http://c", "valueCode": "x"}));
    let found = patched(&[add("Patient.birthDate", "extension", extension)], patient);
    assert_eq!(found["_birthDate"]["extension"][1], json!({"url": "http://c", "valueCode": "x"}));
}

#[test]
fn items_of_primitive_lists_keep_their_extensions_beside_them() {
    let patient =
        json!({"resourceType": "Patient", "name": [{"given": ["a", null, "c"], "_given": [null, {"id": "x"}, {"id": "y"}]}]});
    let found = patched(&[delete("Patient.name[0].given[0]")], patient);
    assert_eq!(found["name"][0], json!({"given": [null, "c"], "_given": [{"id": "x"}, {"id": "y"}]}));
}

#[test]
fn insert_counts_from_zero_to_the_length_of_the_list() {
    let patient = json!({"resourceType": "Patient", "name": [{"given": ["a", "b"]}]});
    let given =
        |index| patched(&[insert("Patient.name[0].given", index, text("x"))], patient.clone())["name"][0]["given"].clone();
    assert_eq!([given(0), given(1), given(2)], [json!(["x", "a", "b"]), json!(["a", "x", "b"]), json!(["a", "b", "x"])]);
    assert!(refused(insert("Patient.name[0].given", 3, text("x")), patient.clone()).contains("beyond the end"));
    assert!(refused(insert("Patient.name[0].given[0]", 0, text("x")), patient.clone()).contains("whole list"));
    assert!(refused(insert("Patient.name[0].family", 0, text("x")), patient.clone()).contains("whole list"));
    let found = patched(&[insert("Patient.name[0].suffix", 0, text("x"))], patient);
    assert_eq!(found["name"][0]["suffix"], json!(["x"]));
}

#[test]
fn move_stays_within_one_list() {
    let patient = json!({"resourceType": "Patient", "gender": "male", "name": [{"given": ["a", "b"]}, {"given": ["c"]}]});
    let move_in = |path: &str, source: u32, destination: u32| {
        let ends = vec![part("source", "Integer", json!(source)), part("destination", "Integer", json!(destination))];
        operation([kind_and_path("move", path), ends].concat())
    };
    let found = patched(&[move_in("Patient.name[0].given", 0, 1)], patient.clone());
    assert_eq!(found["name"][0]["given"], json!(["b", "a"]));
    assert!(refused(move_in("Patient.name.given", 0, 1), patient.clone()).contains("whole list"));
    assert!(refused(move_in("Patient.name", 0, 2), patient.clone()).contains("beyond the end"));
    assert!(refused(move_in("Patient.gender", 0, 0), patient).contains("whole list"));
}

#[test]
fn parts_build_a_type_without_a_name_at_every_level() {
    let value = json!({"name": "value", "part": [
        part("linkId", "String", json!("1")),
        part("answer", "String", json!("wrong")),
    ]});
    let response = json!({"resourceType": "QuestionnaireResponse", "status": "completed"});
    refused(add("QuestionnaireResponse", "item", value), response.clone());
    let value = json!({"name": "value", "part": [
        part("linkId", "String", json!("1")),
        {"name": "answer", "part": [part("value", "Integer", json!(1))]},
        {"name": "answer", "part": [part("value", "Integer", json!(2))]},
    ]});
    assert_eq!(
        patched(&[add("QuestionnaireResponse", "item", value)], response)["item"],
        json!([{"linkId": "1", "answer": [{"valueInteger": 1}, {"valueInteger": 2}]}])
    );
}

#[test]
fn an_element_left_empty_is_gone_at_the_end_only() {
    let patient = json!({"resourceType": "Patient", "contact": [{"gender": "male", "name": {"text": "a"}}]});
    let found = patched(&[delete("Patient.contact[0].name.text")], patient.clone());
    assert_eq!(found["contact"], json!([{"gender": "male"}]));
    let refilled = [delete("Patient.contact[0].name.text"), add("Patient.contact[0].name", "family", text("b"))];
    assert_eq!(patched(&refilled, patient)["contact"][0]["name"], json!({"family": "b"}));
}

#[test]
fn the_digits_of_decimals_and_the_order_of_members_stay() {
    let before =
        r#"{"resourceType":"Observation","valueQuantity":{"unit":"g","value":1.00},"status":"final","code":{"text":"a"}}"#;
    let operation = replace("Observation.status", part("value", "Code", json!("amended")));
    let after = patched(&[operation], serde_json::from_str(before).unwrap());
    assert_eq!(after.to_string(), before.replace("final", "amended"));
}

#[test]
fn contained_resources_are_patched_in_place() {
    let observation =
        json!({"resourceType": "Observation", "contained": [{"resourceType": "Patient", "id": "p", "gender": "male"}]});
    let found = patched(&[replace("Observation.contained[0].gender", part("value", "Code", json!("female")))], observation);
    assert_eq!(found["contained"], json!([{"resourceType": "Patient", "id": "p", "gender": "female"}]));
}

#[test]
fn an_unknown_element_is_refused() {
    let patient = json!({"resourceType": "Patient"});
    assert!(refused(add("Patient", "naem", text("x")), patient.clone()).contains("does not exist"));
    assert!(refused(add("Patient", "name", part("value", "HumanName", json!({"famly": "x"}))), patient).contains("does not fit"));
}

#[test]
fn what_is_no_patch_is_refused_with_its_place() {
    let parse = |operation: Value| {
        let body = json!({"resourceType": "Parameters", "parameter": [operation]}).to_string();
        Patch::parse(Some("application/fhir+json"), body.as_bytes()).unwrap_err()
    };
    assert_eq!(parse(json!({"name": "op", "valueString": "x"})).status(), 400);
    assert_eq!(parse(operation(vec![part("type", "Code", json!("delete"))])).to_string(), "Operation 1: path is absent");
    assert_eq!(parse(operation(kind_and_path("remove", "Patient.name"))).status(), 400);
    assert_eq!(parse(operation(kind_and_path("add", "Patient"))).status(), 400);
    assert_eq!(parse(operation(kind_and_path("insert", "Patient.name"))).status(), 400);
    assert_eq!(parse(operation([kind_and_path("delete", "Patient.name"), kind_and_path("delete", "x")].concat())).status(), 400);
    let negative = [kind_and_path("insert", "Patient.name"), vec![part("index", "Integer", json!(-1)), text("x")]].concat();
    assert_eq!(parse(operation(negative)).status(), 400);
    for path in [
        "Patient.managingOrganization.resolve()",
        "Patient.name.count()",
        "Patient.",
        "Patient.name[",
        "Patient.name[-1]",
        "Patient.name.where(",
        "Patient.name.where(use)(",
        "Patient.name.where(use = official)",
        "Patient.name.exists()",
        "Patient.name | Patient.telecom",
        "'a'",
    ] {
        assert_eq!(parse(delete(path)).status(), 422, "{path}");
    }
    let body = json!({"resourceType": "Patient"}).to_string();
    assert_eq!(Patch::parse(Some("application/fhir+json"), body.as_bytes()).unwrap_err().status(), 422);
}
