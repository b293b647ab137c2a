//! Which features a query has.
use super::ask::{Asker, FEATURES, name_of};
use super::parameters::Kind;
use super::query::{Condition, Given, Query};
use super::values;

impl Asker<'_> {
    /// Which features the query has.
    pub(super) fn note(&mut self, query: &Query) {
        for condition in &query.conditions {
            self.note_condition(condition);
        }
        let mut add = |feature: &'static str, has: bool| {
            if has {
                self.features.insert(feature);
            }
        };
        add("_sort", !query.sort.is_empty());
        add("_sort of several keys", query.sort.len() > 1);
        add("_count", query.count.is_some_and(|count| count > 0));
        add("_count=0", query.count == Some(0));
        add("_total", query.total.is_some());
        add("_elements", !query.elements.is_empty());
        add("_include", query.includes.iter().any(|include| !include.reverse));
        add("_revinclude", query.includes.iter().any(|include| include.reverse));
        add(":iterate", query.includes.iter().any(|include| include.iterate));
        add("include *", query.includes.iter().any(|include| include.code == "*"));
        add("include target type", query.includes.iter().any(|include| include.target.is_some()));
        for summary in ["_summary=true", "_summary=text", "_summary=data", "_summary=count", "_summary=false"] {
            add(summary, query.summary.is_some_and(|asked| summary.ends_with(&format!("={asked}"))));
        }
    }

    pub(super) fn note_condition(&mut self, condition: &Condition) {
        match condition {
            Condition::Values(parameter, modifier, given) => {
                self.features.insert(name_of(parameter));
                self.features.extend(FEATURES.iter().filter(|feature| **feature == parameter.code));
                self.features.extend(FEATURES.iter().filter(|feature| feature.strip_prefix(':') == Some(modifier)));
                if given.len() > 1 {
                    self.features.insert("alternatives");
                }
                if matches!(parameter.kind, Kind::Date | Kind::Number | Kind::Quantity) {
                    for one in given {
                        let (Given::Text(text) | Given::Quantity { value: text, .. }) = one else { continue };
                        let prefix = values::prefixed(text).0;
                        self.features.extend(FEATURES.iter().filter(|feature| **feature == prefix));
                    }
                }
            }
            Condition::OfTarget(..) => self.features.extend([":[type]", "reference"]),
            Condition::InSet(_, _, within) => self.features.extend([if *within { ":in" } else { ":not-in" }]),
            Condition::InTree(..) => self.features.extend(["token :above/:below"]),
            Condition::Missing(..) => self.features.extend([":missing"]),
            Condition::Words { parameter, .. } => self.features.extend(FEATURES.iter().filter(|feature| *feature == parameter)),
            Condition::InList(_) => self.features.extend(["_list"]),
            Condition::Types(_) => self.features.extend(["_type"]),
            Condition::Filter(..) => self.features.extend(["_filter"]),
            Condition::Has(_, _, inner) => {
                self.features.insert("_has");
                if matches!(**inner, Condition::Chain(..)) {
                    self.features.insert("chain in _has");
                }
                self.note_condition(inner);
            }
            Condition::Chain(_, _, inner) => {
                let mut depth = 1;
                let mut last: &Condition = inner;
                while let Condition::Chain(_, _, inner) = last {
                    depth += 1;
                    last = inner;
                }
                self.features.insert(["", "chain 1", "chain 2", "chain 3", "chain 4"][depth]);
                self.note_condition(last);
            }
        }
    }
}
