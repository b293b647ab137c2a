use super::{apply, refusal};
use crate::fhir::patch::{Patch, json_patch};
use serde_json::{Value, json};

fn patched(operations: Value, to: Value) -> Value {
    apply(&Patch::Json(operations), to).unwrap()
}

fn refused(operations: Value, to: Value) -> u16 {
    refusal(apply(&Patch::Json(operations), to)).0
}

fn patient(rest: Value) -> Value {
    let mut patient = json!({"resourceType": "Patient", "id": "a"});
    patient.as_object_mut().unwrap().extend(super::resource(rest));
    patient
}

#[test]
fn a_member_that_exists_is_replaced_by_add() {
    let add = json!([{"op": "add", "path": "/gender", "value": "female"}]);
    assert_eq!(patched(add, patient(json!({"gender": "male"}))), patient(json!({"gender": "female"})));
}

#[test]
fn a_minus_is_the_place_after_the_last_item() {
    let add = json!([{"op": "add", "path": "/name/-", "value": {"family": "B"}}]);
    let expected = patient(json!({"name": [{"family": "A"}, {"family": "B"}]}));
    assert_eq!(patched(add, patient(json!({"name": [{"family": "A"}]}))), expected);
}

#[test]
fn numbers_are_tested_by_value_and_keep_their_digits() {
    let observation: Value = serde_json::from_str(r#"{"resourceType":"Observation","valueQuantity":{"value":1.00}}"#).unwrap();
    for same in ["1.00", "1.0", "1", "10e-1", "100E-2"] {
        let test = format!(r#"[{{"op":"test","path":"/valueQuantity/value","value":{same}}}]"#);
        let found = patched(serde_json::from_str(&test).unwrap(), observation.clone());
        assert_eq!(found.to_string(), observation.to_string(), "{same}");
    }
    for other in ["1.01", "-1.00", "\"1.00\"", "0", "1e1"] {
        let test = format!(r#"[{{"op":"test","path":"/valueQuantity/value","value":{other}}}]"#);
        assert_eq!(refused(serde_json::from_str(&test).unwrap(), observation.clone()), 422, "{other}");
    }
}

#[test]
fn members_of_a_tested_object_stand_in_any_order() {
    let test = json!([{"op": "test", "path": "/name/0", "value": {"given": ["B"], "family": "A"}}]);
    let unchanged = patient(json!({"name": [{"family": "A", "given": ["B"]}]}));
    assert_eq!(patched(test, unchanged.clone()), unchanged);
}

#[test]
fn a_failed_test_undoes_what_came_before() {
    let operations = json!([{"op": "add", "path": "/active", "value": true}, {"op": "test", "path": "/gender", "value": "male"}]);
    assert_eq!(refused(operations, patient(json!({}))), 422);
}

#[test]
fn move_and_copy_take_from_another_place() {
    let to = patient(json!({"name": [{"family": "A"}, {"family": "B"}]}));
    let expected = patient(json!({"name": [{"family": "B"}, {"family": "A"}]}));
    assert_eq!(patched(json!([{"op": "move", "from": "/name/1", "path": "/name/0"}]), to.clone()), expected);
    let expected = patient(json!({"name": [{"family": "A"}, {"family": "B"}, {"family": "A"}]}));
    assert_eq!(patched(json!([{"op": "copy", "from": "/name/0", "path": "/name/-"}]), to.clone()), expected);
    assert_eq!(patched(json!([{"op": "move", "from": "/name/0", "path": "/name/0"}]), to.clone()), to);
}

#[test]
fn a_value_is_not_moved_into_itself() {
    let operations = json!([{"op": "move", "from": "/name", "path": "/name/0/period"}]);
    assert_eq!(refused(operations, patient(json!({"name": [{"family": "A"}]}))), 422);
}

#[test]
fn what_the_operations_emptied_is_gone() {
    let to = patient(json!({"name": [{"family": "A"}], "contact": [{"gender": "male", "period": {"start": "2020"}}]}));
    let remove = json!([{"op": "remove", "path": "/name/0"}, {"op": "remove", "path": "/contact/0/period/start"}]);
    assert_eq!(patched(remove, to), patient(json!({"contact": [{"gender": "male"}]})));
}

#[test]
fn an_emptied_list_takes_new_items() {
    let operations = json!([{"op": "remove", "path": "/name/0"}, {"op": "add", "path": "/name/-", "value": {"family": "B"}}]);
    let expected = patient(json!({"name": [{"family": "B"}]}));
    assert_eq!(patched(operations, patient(json!({"name": [{"family": "A"}]}))), expected);
}

#[test]
fn what_does_not_exist_is_neither_replaced_nor_removed() {
    for operation in [
        json!({"op": "replace", "path": "/gender", "value": "male"}),
        json!({"op": "remove", "path": "/gender"}),
        json!({"op": "remove", "path": "/name/1"}),
        json!({"op": "remove", "path": "/name/-"}),
        json!({"op": "replace", "path": "/name/00", "value": {}}),
        json!({"op": "replace", "path": "/name/+0", "value": {}}),
        json!({"op": "add", "path": "/name/2", "value": {}}),
        json!({"op": "add", "path": "/name/x", "value": {}}),
        json!({"op": "add", "path": "/active/x", "value": 1}),
        json!({"op": "move", "from": "/gender", "path": "/name/0/use"}),
        json!({"op": "copy", "from": "/gender", "path": "/name/0/use"}),
        json!({"op": "test", "path": "/gender", "value": null}),
        json!({"op": "remove", "path": ""}),
        json!({"op": "replace", "path": "", "value": [1]}),
    ] {
        let to = patient(json!({"active": true, "name": [{"family": "A"}]}));
        assert_eq!(refused(json!([operation]), to), 422, "{operation}");
    }
}

#[test]
fn type_and_id_stay() {
    for operation in [
        json!({"op": "replace", "path": "/resourceType", "value": "Group"}),
        json!({"op": "replace", "path": "/id", "value": "b"}),
        json!({"op": "remove", "path": "/id"}),
        json!({"op": "add", "path": "", "value": {"resourceType": "Group", "id": "a"}}),
    ] {
        assert_eq!(refused(json!([operation]), patient(json!({}))), 422, "{operation}");
    }
}

#[test]
fn an_extension_is_selected_by_its_url_as_the_draft_of_the_dmp_writes_it() {
    let archived = "https://interop.esante.gouv.fr/ig/fhir/pdsm/StructureDefinition/pdsm-ext-is-archived";
    let to = |value: bool| {
        patient(json!({"extension": [{"url": "http://a", "valueBoolean": true}, {"url": archived, "valueBoolean": value}]}))
    };
    let path = format!("/extension[url:'{archived}']/valueBoolean");
    assert_eq!(patched(json!([{"op": "replace", "path": path, "value": true}]), to(false)), to(true));
    let gone = patient(json!({"extension": [{"url": "http://a", "valueBoolean": true}]}));
    let path = format!("/extension[url:'{archived}']");
    assert_eq!(patched(json!([{"op": "remove", "path": path}]), to(true)), gone);
    assert_eq!(refused(json!([{"op": "replace", "path": path, "value": {}}]), gone), 422);
}

#[test]
fn a_key_is_unescaped_once() {
    let document = json!({"a/b": 1, "m~n": 2, "~1": 3, "": 4});
    for (path, value) in [("/a~1b", 1), ("/m~0n", 2), ("/~01", 3), ("/", 4)] {
        assert!(json_patch::apply(&json!([{"op": "test", "path": path, "value": value}]), &document).is_ok(), "{path}");
    }
}

#[test]
fn what_is_no_patch_is_malformed() {
    for patch in [
        json!({"op": "remove", "path": "/a"}),
        json!(["remove"]),
        json!([{"op": "remove"}]),
        json!([{"path": "/a"}]),
        json!([{"op": "delete", "path": "/a"}]),
        json!([{"op": "add", "path": "/a"}]),
        json!([{"op": "move", "path": "/a"}]),
        json!([{"op": "remove", "path": "a"}]),
        json!([{"op": "remove", "path": "/a~2"}]),
        json!([{"op": "remove", "path": "/a~"}]),
        json!([{"op": "remove", "path": 1}]),
    ] {
        let body = patch.to_string();
        assert_eq!(Patch::parse(Some("application/json-patch+json"), body.as_bytes()).unwrap_err().status(), 400, "{body}");
    }
}
