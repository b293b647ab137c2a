//! Values near those that resources have.
use super::ask::Asker;
use super::parameters::{Kind, Parameter, at};
use super::pool::Place;
use super::query::Given;
use super::values;
use serde_json::Value;

impl Asker<'_> {
    pub(super) fn element(&mut self, kind: &str, place: &Place, parameter: &Parameter) -> Option<Value> {
        let all: Vec<Value> = self.pool.of(kind, place).flat_map(|entry| parameter.found(&entry.body)).cloned().collect();
        self.dice.any(&all)
    }

    /// A value near one that a resource has.
    pub(super) fn given(&mut self, kind: &str, place: &Place, parameter: &Parameter, how: &str) -> Option<Given> {
        if parameter.code == "_lastUpdated" {
            let entry = self.entry(kind, place)?;
            let text = entry.body["meta"]["lastUpdated"].as_str()?.to_owned();
            let prefix = self.prefix(how);
            // To the millisecond, the minute or the day: to the second the cut falls between the writes.
            // `ap` goes by the time that has passed since, which is not that of the oracle to the millisecond.
            let cut = if prefix == "ap" { 10 } else { *self.dice.pick(&[24, 24, 19, 10]) };
            let text = if cut == 19 { format!("{}Z", &text[..19]) } else { text[..cut.min(text.len())].to_owned() };
            return Some(Given::Text(format!("{prefix}{text}")));
        }
        if parameter.code == "_id" {
            let code = self.entry(kind, place)?.id().to_owned();
            // An id of a Patient names a record: one that leads nowhere is answered like one without authorisation.
            let upper = kind != "Patient" && self.dice.chance(10);
            return Some(Given::Token { system: None, code: Some(if upper { code.to_uppercase() } else { code }) });
        }
        if let Kind::Composite(parts) = &parameter.kind {
            let element = self.element(kind, place, parameter)?;
            let given = parts.iter().map(|(kind, path)| {
                let found = at(&element, path).first().copied().cloned();
                self.near(*kind, &found?, "", None)
            });
            return Some(Given::Composite(given.collect::<Option<_>>()?));
        }
        let element = self.element(kind, place, parameter)?;
        self.near(parameter.kind, &element, how, parameter.implied)
    }

    pub(super) fn prefix(&mut self, how: &str) -> String {
        if values::PREFIXES.contains(&how) {
            return how.to_owned();
        }
        (*self.dice.pick(&["", "", "eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"])).to_owned()
    }

    pub(super) fn near(&mut self, kind: Kind, element: &Value, how: &str, implied: Option<&str>) -> Option<Given> {
        Some(match kind {
            Kind::Token if how == "text" => {
                let texts: Vec<&str> =
                    at(element, "text|coding.display|display|type.text").into_iter().filter_map(Value::as_str).collect();
                Given::Text(self.beginning(self.dice.clone().any(&texts)?))
            }
            Kind::Token if how == "of-type" => {
                let text = |path: &str| at(element, path).first().and_then(|it| it.as_str()).map(str::to_owned);
                Given::OfType { system: text("type.coding.system")?, code: text("type.coding.code")?, value: text("value")? }
            }
            Kind::Token => self.near_token(element, implied)?,
            Kind::String => {
                let text = self.dice.any(&values::texts(element))?;
                match how {
                    "exact" if self.dice.chance(20) => Given::Text(text.to_lowercase()),
                    "exact" => Given::Text(text),
                    "contains" => {
                        let letters: Vec<char> = text.chars().collect();
                        let from = self.dice.below(letters.len());
                        let until = (from + 1 + self.dice.below(6)).min(letters.len());
                        let part: String = letters[from..until].iter().collect();
                        (!values::normal(&part).is_empty()).then_some(Given::Text(part))?
                    }
                    _ => Given::Text(self.beginning(&text)),
                }
            }
            Kind::Date => Given::Text(format!("{}{}", self.prefix(how), self.near_date(element)?)),
            Kind::Number => Given::Text(format!("{}{}", self.prefix(how), self.near_number(&element.to_string()))),
            Kind::Quantity => self.near_quantity(element, how)?,
            // "The :above and :below modifiers only apply to URLs, and not URNs such as OIDs."
            Kind::Uri if !how.is_empty() && element.as_str()?.starts_with("urn:") => return None,
            Kind::Uri => self.near_uri(element.as_str()?, how),
            Kind::Reference(_) => {
                let written = element["reference"].as_str()?;
                if written.starts_with("http") || self.dice.chance(50) {
                    return Some(Given::Text(written.to_owned()));
                }
                let absolute = self.dice.chance(30);
                Given::Text(if absolute {
                    format!("{}/{written}", self.pool.base)
                } else {
                    written.rsplit('/').next()?.to_owned()
                })
            }
            Kind::Composite(_) => return None,
        })
    }

    pub(super) fn near_token(&mut self, element: &Value, implied: Option<&str>) -> Option<Given> {
        let codes = values::codes(element);
        let (system, code) = self.dice.any(&codes)?;
        let own = match &system {
            values::System::Uri(uri) | values::System::Contact(uri) => Some(uri.clone()),
            values::System::Implied => implied.map(str::to_owned),
            values::System::None => Some(String::new()),
        };
        let upper = self.dice.chance(10);
        let code = if upper { code.to_uppercase() } else { code };
        Some(match self.dice.below(10) {
            0..=3 => Given::Token { system: None, code: Some(code) },
            4..=6 => Given::Token { system: own, code: Some(code) },
            7 => Given::Token { system: Some(String::new()), code: Some(code) },
            8 => Given::Token { system: own.filter(|system| !system.is_empty()), code: None }.only_whole()?,
            _ => Given::Token { system: Some("http://loinc.org".into()), code: Some(code) },
        })
    }

    pub(super) fn beginning(&mut self, text: &str) -> String {
        let letters: Vec<char> = text.chars().collect();
        let length = 1 + self.dice.below(letters.len());
        let part: String = letters[..length].iter().collect();
        let part = if values::normal(&part).is_empty() { text.to_owned() } else { part };
        match self.dice.below(5) {
            0 => part.to_uppercase(),
            1 => values::normal(&part),
            _ => part,
        }
    }

    pub(super) fn near_date(&mut self, element: &Value) -> Option<String> {
        let text = match element {
            Value::String(text) => text.clone(),
            _ => {
                let ends: Vec<&str> = ["start", "end"].iter().filter_map(|name| element[*name].as_str()).collect();
                self.dice.any(&ends)?.to_owned()
            }
        };
        Some(match self.dice.below(8) {
            0 => text[..4].to_owned(),
            1 if text.len() >= 7 => text[..7].to_owned(),
            2 if text.len() >= 10 => text[..10].to_owned(),
            3 if text.len() > 16 => format!("{}{}", &text[..16], self.dice.pick(&["Z", "", "+02:00"])),
            4 if text.len() == 10 => format!("{text}T12:00"),
            5 => format!("{}", 2020 + self.dice.below(5)),
            _ => text,
        })
    }

    pub(super) fn near_number(&mut self, text: &str) -> String {
        match self.dice.below(6) {
            0 if text.contains('.') => text.split('.').next().unwrap_or(text).to_owned(),
            1 if text.contains('.') => format!("{text}0"),
            1 => format!("{text}.0"),
            2 => {
                let whole: i64 = text.split('.').next().unwrap().parse().unwrap();
                (whole + 1).to_string()
            }
            3 if text.len() > 1 && text.ends_with('0') && !text.contains('.') => format!("{}e1", &text[..text.len() - 1]),
            _ => text.to_owned(),
        }
    }

    pub(super) fn near_quantity(&mut self, element: &Value, how: &str) -> Option<Given> {
        let text = |name: &str| element[name].as_str().map(str::to_owned);
        let prefix = self.prefix(how);
        let number = self.near_number(&element["value"].to_string());
        let (system, code) = (text("system"), text("code"));
        let convert = how == "convert" || self.dice.chance(25);
        if convert
            && let Some(code) = &code
            && let Some(other) = self.dice.any(&values::alike(code))
        {
            let value = values::converted(&element["value"], code, other)?;
            // Written plainly: as many figures as a measurement has.
            let digits = *self.dice.pick(&[1, 2, 4]);
            self.features.insert("UCUM conversion");
            return Some(Given::Quantity { value: format!("{prefix}{value:.digits$}"), system, code: Some(other.to_owned()) });
        }
        if how == "convert" {
            return None;
        }
        Some(match self.dice.below(4) {
            0 => Given::Quantity { value: format!("{prefix}{number}"), system: None, code: None },
            1 => Given::Quantity { value: format!("{prefix}{number}"), system: None, code: Some(code.or(text("unit"))?) },
            _ => Given::Quantity { value: format!("{prefix}{number}"), system: Some(system?), code: Some(code?) },
        })
    }

    pub(super) fn near_uri(&mut self, uri: &str, how: &str) -> Given {
        Given::Text(match how {
            "below" if uri.contains("://") => uri.rsplit_once('/').map_or(uri, |(folder, _)| folder).to_owned(),
            "above" => format!("{uri}/more"),
            _ if self.dice.chance(10) => format!("{uri}x"),
            _ if self.dice.chance(30) => uri.split('|').next().unwrap_or(uri).to_owned(),
            _ => uri.to_owned(),
        })
    }
}

impl Given {
    /// Not both parts empty.
    fn only_whole(self) -> Option<Self> {
        match &self {
            Self::Token { system: None, code: None } => None,
            _ => Some(self),
        }
    }
}
