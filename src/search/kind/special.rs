//! Parameters of every type whose meaning is their own: `_id`, `_lastUpdated`, `_text`, `_content`.
//! <https://hl7.org/fhir/R4/search.html#all>
use crate::fhir::Resource;
use crate::search::text::normal;
use serde_json::Value;

/// The words of `_text` and `_content`; all of them must be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::search) struct Words(Vec<String>);

impl Words {
    pub(in crate::search) fn parse(text: &str) -> Option<Self> {
        let words: Vec<String> = normal(text).split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect();
        (!words.is_empty()).then_some(Self(words))
    }
    /// In the narrative.
    pub(in crate::search) fn in_narrative(&self, resource: &Resource) -> bool {
        let div = resource.get("text").and_then(|text| text.get("div")).and_then(Value::as_str);
        div.is_some_and(|div| self.in_text(&without_tags(div)))
    }
    /// Anywhere in the resource.
    pub(in crate::search) fn in_content(&self, resource: &Resource) -> bool {
        let mut all = String::new();
        resource.values().for_each(|value| gather(value, &mut all));
        self.in_text(&without_tags(&all))
    }
    fn in_text(&self, text: &str) -> bool {
        let text = normal(text);
        self.0.iter().all(|word| text.contains(word.as_str()))
    }
}

fn without_tags(html: &str) -> String {
    let (mut out, mut inside) = (String::with_capacity(html.len()), false);
    for character in html.chars() {
        match character {
            '<' => {
                inside = true;
                out.push(' ');
            }
            '>' => inside = false,
            _ if !inside => out.push(character),
            _ => {}
        }
    }
    out
}

/// Bodies are at most 64 deep, so this ends.
fn gather(value: &Value, out: &mut String) {
    match value {
        Value::String(text) => {
            out.push(' ');
            out.push_str(text);
        }
        Value::Array(items) => items.iter().for_each(|item| gather(item, out)),
        Value::Object(object) => object.values().for_each(|value| gather(value, out)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
