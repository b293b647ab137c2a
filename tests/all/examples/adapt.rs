//! An example as a client of this server would send it: about a person who has a record, naming nothing that is not here.
use serde_json::{Map, Value, json};

/// Types whose examples the server takes, and how: the rows of schema/ with a right for a system.
pub(crate) fn is_accepted(resource_type: &str) -> bool {
    let resources = include_str!("../../../schema/resources.tsv").lines().map(|line| line.split('\t').collect::<Vec<_>>());
    let interactions = include_str!("../../../schema/interactions.tsv").lines().map(|line| line.split('\t').collect::<Vec<_>>());
    let has_home = resources.into_iter().any(|row| row.get(1) == Some(&resource_type) && row[2] != "none");
    let creates = |row: &Vec<&str>| row[0] == resource_type && row[1] == "create" && row[5] != "-";
    has_home && interactions.filter(|row| row.len() > 5).any(|row| creates(&row))
}

/// Path of the element that names the person, without the type; nothing for a type of the directory.
fn record_path(resource_type: &str) -> Option<&'static str> {
    let mut rows = include_str!("../../../schema/resources.tsv").lines().map(|line| line.split('\t').collect::<Vec<_>>());
    let row = rows.find(|row| row.get(1) == Some(&resource_type))?;
    row[3].split_once('.').filter(|_| row[2] == "record").map(|(_, path)| path)
}

/// Elements that stand as an array, of those that name the person.
const ARRAYS: [(&str, &str); 4] =
    [("Account", "subject"), ("Appointment", "participant"), ("Schedule", "actor"), ("Group", "member")];

/// The example with this person as its subject, and every other reference to a resource of the example's world made logical.
pub(crate) fn about(mut example: Value, patient: &str) -> Value {
    let resource_type = example["resourceType"].as_str().unwrap().to_owned();
    // First, as the server writes it; a Patient is active there.
    let mut members = Map::from_iter([("resourceType".to_owned(), Value::from(resource_type.as_str()))]);
    members.append(example.as_object_mut().unwrap());
    members.shift_remove("id");
    if resource_type == "Patient" {
        members.entry("active").or_insert(Value::Bool(true));
    }
    // What a client may not state is dropped by the server; what remains of it is compared by another test.
    members.shift_remove("meta");
    example = Value::Object(members);
    make_logical(&mut example);
    let Some(path) = record_path(&resource_type) else { return example };
    let person = json!({"reference": format!("Patient/{patient}")});
    let element = path.split('.').next().unwrap();
    let named = example[element]["reference"].as_str().map(str::to_owned);
    let repeats = ARRAYS.contains(&(resource_type.as_str(), element));
    example[element] = match (path.split_once('.'), repeats) {
        (Some((_, inner)), _) => {
            let mut first = example[element][0].clone();
            first[inner] = person;
            json!([first])
        }
        (None, true) => json!([person]),
        (None, false) => person,
    };
    drop_contained(&mut example, named.as_deref());
    example
}

/// Takes out the contained person whom nothing refers to any more.
fn drop_contained(example: &mut Value, named: Option<&str>) {
    let Some(id) = named.and_then(|named| named.strip_prefix('#')) else { return };
    if example.to_string().contains(&format!("\"#{id}\"")) {
        return;
    }
    let members = example.as_object_mut().unwrap();
    let contained = members["contained"].as_array_mut().unwrap();
    contained.retain(|resource| resource["id"] != id);
    if contained.is_empty() {
        members.shift_remove("contained");
    }
}

fn make_logical(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.values_mut().for_each(make_logical);
            if members.get("reference").is_some_and(|reference| is_of_the_examples(reference, members)) {
                let reference = members.shift_remove("reference").unwrap();
                members.shift_remove("_reference");
                members.entry("identifier").or_insert_with(|| json!({"system": "http://example.org/r4", "value": reference}));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(make_logical),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Whether this is a Reference by a relative URL or a UUID: neither contained nor of another server.
fn is_of_the_examples(reference: &Value, members: &Map<String, Value>) -> bool {
    let known = ["reference", "_reference", "type", "display", "identifier", "extension", "id"];
    let Some(text) = reference.as_str() else { return false };
    !text.starts_with('#') && !text.starts_with("http") && members.keys().all(|key| known.contains(&key.as_str()))
}
