//! Conditions behind references, and what references bring.
use super::ask::{Asker, is_patient};
use super::parameters::{self, Kind, Parameter};
use super::pool::{Entry, Place};
use super::query::{Condition, Given, Include};
use serde_json::Value;

impl Asker<'_> {
    /// Behind a link stands what the indexes decide.
    pub(super) fn behind(&mut self, entry: &Entry) -> Option<Condition> {
        let texts = ["name", "family", "given", "address", "address-city", "address-postalcode", "title"];
        let fits = |it: &&'static Parameter| match it.kind {
            Kind::Token => it.code != "_id",
            Kind::Date => it.code != "_lastUpdated",
            Kind::String => texts.contains(&it.code),
            Kind::Quantity | Kind::Number | Kind::Uri => true,
            Kind::Reference(_) => !is_patient(it),
            Kind::Composite(_) => false,
        };
        // The identifier of a Patient names his record.
        let names_record = |it: &&Parameter| (it.of, it.code) == ("Patient", "identifier");
        let fits = |it: &&'static Parameter| fits(it) && !names_record(it);
        let all: Vec<&'static Parameter> =
            parameters::of(entry.kind()).filter(fits).filter(|it| !it.found(&entry.body).is_empty()).collect();
        let parameter = self.dice.any(&all)?;
        let elements: Vec<Value> = parameter.found(&entry.body).into_iter().cloned().collect();
        let given = self.near(parameter.kind, &self.dice.clone().any(&elements)?, "", parameter.implied)?;
        let narrowing = matches!(&given, Given::Token { code: None, .. } | Given::Quantity { system: None, code: Some(_), .. });
        (!narrowing).then_some(Condition::Values(parameter, "", vec![given]))
    }

    pub(super) fn chain(&mut self, kind: &str, place: &Place, depth: usize) -> Option<Condition> {
        let from = self.entry(kind, place)?;
        self.chain_from(&from, depth)
    }

    pub(super) fn chain_from(&mut self, from: &Entry, depth: usize) -> Option<Condition> {
        let mut links: Vec<(&'static Parameter, Entry)> = Vec::new();
        for parameter in parameters::of(from.kind()).filter(|it| it.is_reference()) {
            for element in parameter.found(&from.body) {
                let target = element["reference"].as_str().and_then(|text| self.pool.target(from, text));
                // A deep chain ends at the patient or in the directory too early.
                links.extend(target.filter(|it| depth == 1 || it.kind() != "Patient").map(|target| (parameter, target.clone())));
            }
        }
        let (parameter, target) = self.dice.any(&links)?;
        let mut inner = if depth == 1 { self.behind(&target)? } else { self.chain_from(&target, depth - 1)? };
        if depth == 1 && self.dice.chance(15) {
            let other = self.entry(target.kind(), &Place::Cohort).or_else(|| self.entry(target.kind(), &Place::Directory))?;
            inner = self.behind(&other)?;
        }
        // Without its type where the reference leads to one type only.
        let said = parameter.targets().len() != 1 || self.dice.chance(30);
        Some(Condition::Chain(parameter, said.then(|| target.kind().to_owned()), Box::new(inner)))
    }

    pub(super) fn has(&mut self, kind: &str, place: &Place, chained: bool) -> Option<Condition> {
        // Pairs of what refers to a resource of this type here.
        let mut pairs: Vec<(&'static Parameter, Entry)> = Vec::new();
        let record = |entry: &Entry| place.holds(entry);
        for from in self.pool.entries.iter().filter(|from| record(from)) {
            for parameter in parameters::of(from.kind()).filter(|it| it.is_reference()) {
                let leads = parameter.found(&from.body).into_iter().any(|element| {
                    let target = element["reference"].as_str().and_then(|text| self.pool.target(from, text));
                    target.is_some_and(|target| target.kind() == kind && record(target))
                });
                if leads {
                    pairs.push((parameter, from.clone()));
                }
            }
        }
        let (parameter, from) = self.dice.any(&pairs)?;
        let inner = if chained { self.chain_from(&from, 1)? } else { self.behind(&from)? };
        Some(Condition::Has(from.kind().to_owned(), parameter, Box::new(inner)))
    }

    pub(super) fn includes(&mut self, kind: &str, feature: &str) -> Option<Vec<Include>> {
        let here: Vec<&'static Parameter> = parameters::of(kind).filter(|it| it.is_reference()).collect();
        let forward = |source: &str, code: &str, iterate: bool| Include {
            reverse: false,
            iterate,
            source: source.to_owned(),
            code: code.to_owned(),
            target: None,
        };
        let mut all = Vec::new();
        match feature {
            "_revinclude" => {
                let to_here: Vec<&Parameter> = parameters::PARAMETERS
                    .iter()
                    .filter(|it| it.is_reference() && (it.targets().contains(&kind) || it.targets().is_empty()))
                    .collect();
                let parameter = self.dice.any(&to_here)?;
                all.push(Include { reverse: true, ..forward(parameter.of, parameter.code, false) });
            }
            "include *" => all.push(if self.dice.chance(30) { forward("*", "*", false) } else { forward(kind, "*", false) }),
            "include target type" => {
                let several: Vec<&&Parameter> = here.iter().filter(|it| it.targets().len() > 1).collect();
                let parameter = self.dice.any(&several)?;
                let target = (*self.dice.pick(parameter.targets())).to_owned();
                all.push(Include { target: Some(target), ..forward(kind, parameter.code, false) });
            }
            ":iterate" => {
                let first = self.dice.any(&here)?;
                all.push(forward(kind, first.code, self.dice.chance(50)));
                for target in ["Encounter", "Organization", "Observation", "Procedure"] {
                    let further: Vec<&Parameter> = parameters::of(target).filter(|it| it.is_reference()).collect();
                    if self.dice.chance(50)
                        && let Some(parameter) = self.dice.any(&further)
                    {
                        all.push(forward(target, parameter.code, true));
                    }
                }
                // In any order: each is applied to what every other brings.
                if self.dice.chance(50) {
                    all.reverse();
                }
            }
            _ => {
                let parameter = self.dice.any(&here)?;
                all.push(forward(kind, parameter.code, false));
            }
        }
        Some(all)
    }
}
