//! Codes: systems by table, texts resolved, code against attested text (R3, R6, R7).
use super::context::Context;
use super::datatypes::{UNIT, absent, absent_reason};
use super::issue::IssueCode;
use crate::cda::Element;
use serde_json::{Map, Value, json};
use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

/// Cells of the rows of a table in `schema/`, without comments and the line of names.
pub(super) fn rows(table: &'static str) -> impl Iterator<Item = std::str::Split<'static, char>> {
    table.lines().filter(|line| !line.starts_with('#')).skip(1).map(|line| line.split('\t'))
}

static SYSTEMS: LazyLock<HashMap<&'static str, Vec<&'static str>>> = LazyLock::new(|| {
    let system = |mut row: std::str::Split<'static, char>| {
        Some((row.next()?, row.take(2).filter(|uri| !matches!(*uri, "-" | "none")).collect()))
    };
    rows(include_str!("../../schema/cda-code-systems.tsv")).filter_map(system).collect()
});

static HL7_CODES: LazyLock<HashMap<&'static str, HashSet<&'static str>>> = LazyLock::new(|| {
    let codes = |mut row: std::str::Split<'static, char>| Some((row.next()?, row.next()?.split(' ').collect()));
    rows(include_str!("../../schema/hl7-codes.tsv")).filter_map(codes).collect()
});

static ENTRY_CODES: LazyLock<HashMap<(&'static str, &'static str), Option<&'static str>>> = LazyLock::new(|| {
    let code = |mut row: std::str::Split<'static, char>| {
        let (map, code, target) = (row.next()?, row.next()?, row.next()?);
        Some(((map, code), Some(target).filter(|target| *target != "none")))
    };
    rows(include_str!("../../schema/cda-entry-codes.tsv")).filter_map(code).collect()
});

/// The FHIR code that a code of an entry has in this map of `schema/cda-entry-codes.tsv`; `None` for one that has none.
pub(super) fn entry_code(map: &'static str, code: Option<&str>) -> Option<&'static str> {
    let code = code?;
    ENTRY_CODES.get(&(map, code)).copied().flatten()
}

static SPECIALTIES: LazyLock<HashMap<&'static str, &'static str>> = LazyLock::new(|| {
    rows(include_str!("../../schema/specialties.tsv")).filter_map(|mut row| Some((row.next()?, row.next()?))).collect()
});

/// The savoir-faire of this code; `None` where TRE_R38 does not have it.
pub(super) fn specialty(code: &str) -> Option<Value> {
    let display = SPECIALTIES.get(code)?;
    let system = "https://mos.esante.gouv.fr/NOS/TRE_R38-SpecialiteOrdinale/FHIR/TRE-R38-SpecialiteOrdinale";
    Some(json!({"coding": [{"system": system, "code": code, "display": display}]}))
}

/// Whether displays of this system are judged in English by every validator (R7; DICOM's as well).
fn has_judged_displays(system: &str) -> bool {
    const JUDGED: [&str; 3] = ["http://terminology.hl7.org/", "http://hl7.org/fhir/", "http://dicom.nema.org/"];
    JUDGED.iter().any(|base| system.starts_with(base))
}

/// The codings of an element with `@code`: one for each published URI of its system (decision 19).
pub(super) fn codings(context: &mut Context<'_>, element: Element<'_>) -> Vec<Value> {
    let Some(code) = element.stated("code").filter(|code| code.len() <= CODE) else { return Vec::new() };
    let code = code.split_whitespace().collect::<Vec<_>>().join(" ");
    let display = display_name(element);
    let oid = element.stated("codeSystem").filter(|oid| oid.len() <= CODE);
    let known = oid.and_then(|oid| SYSTEMS.get(oid)).cloned().unwrap_or_default();
    let lacking = known.iter().any(|uri| HL7_CODES.get(uri).is_some_and(|codes| !codes.contains(code.as_str())));
    if lacking {
        context.issue(IssueCode::CodeNotInSystem, element);
    }
    let systems: Vec<Option<String>> = match (oid, known.is_empty() || lacking) {
        (None, _) => vec![None],
        (Some(oid), true) => vec![system_uri(oid)],
        (Some(_), false) => known.iter().map(|uri| Some((*uri).to_owned())).collect(),
    };
    systems
        .into_iter()
        .map(|system| {
            let mut coding = Map::new();
            let judged = system.as_deref().is_some_and(has_judged_displays);
            if let Some(system) = system {
                coding.insert("system".into(), json!(system));
            }
            if let Some(version) = element.stated("codeSystemVersion") {
                coding.insert("version".into(), json!(version));
            }
            coding.insert("code".into(), json!(code));
            if let Some(display) = display.as_ref().filter(|_| !judged) {
                coding.insert("display".into(), json!(display));
            }
            Value::Object(coding)
        })
        .collect()
}

/// `urn:oid:` of a code system that has no URI; a UUID as `urn:uuid:`, anything else not at all.
fn system_uri(oid: &str) -> Option<String> {
    crate::cda::Id { root: oid.to_owned(), extension: None }.root_uri()
}

/// Translations of one code that are read.
pub(super) const TRANSLATIONS: usize = 32;
/// Bytes of a code or of the identifier of its system; a longer one is none.
const CODE: usize = 256;
/// Bytes of a displayName; a longer one is none.
const DISPLAY: usize = 2_000;

fn display_name(element: Element<'_>) -> Option<String> {
    let text = element.stated("displayName").filter(|text| text.len() <= DISPLAY)?;
    Some(text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// The text that `<reference value="#id"/>` names, or the inline text (C4: CD, ED).
///
/// A value without `#` is accepted; `#` alone, an unknown id, or one that is not in the narrative raises an issue.
pub(super) fn resolved_text(context: &mut Context<'_>, element: Element<'_>) -> Option<String> {
    let inline = element.raw_text().split_whitespace().collect::<Vec<_>>().join(" ");
    let Some(reference) = element.child("reference") else { return Some(inline).filter(|text| !text.is_empty()) };
    let id = reference.stated("value").unwrap_or("").trim_start_matches('#');
    let named = context.document.by_id(id).filter(|named| named.ancestors().any(|around| around.is("text")));
    let text = named.and_then(|named| context.named_text(named));
    if text.is_none() && reference.stated("nullFlavor").is_none() {
        context.issue(IssueCode::ReferenceDangling, reference);
    }
    text.or_else(|| Some(inline).filter(|text| !text.is_empty()))
}

/// CD, CE, CV, CO -> CodeableConcept; `None` for an element that says nothing.
///
/// @code, translation -> coding (decision 19, R7)
/// originalText       -> text, inline or resolved, else displayName
/// nullFlavor         -> extension data-absent-reason, where nothing else is said
pub(super) fn concept(context: &mut Context<'_>, element: Element<'_>) -> Option<Value> {
    let mut coding = codings(context, element);
    let translations: Vec<Element<'_>> = element.children_named("translation").take(TRANSLATIONS).collect();
    for translation in &translations {
        for one in codings(context, *translation) {
            if !coding.contains(&one) {
                coding.push(one);
            }
        }
    }
    let original = element.child("originalText").and_then(|original| resolved_text(context, original));
    let display = display_name(element);
    let translated = translations.iter().find_map(|translation| display_name(*translation));
    let text = original.or(display).or(translated);
    let mut out = Map::new();
    if coding.is_empty() && text.is_none() {
        let flavor = element.stated("nullFlavor")?;
        return Some(absent(flavor));
    }
    if !coding.is_empty() {
        out.insert("coding".into(), Value::Array(coding));
    }
    if let Some(text) = text {
        out.insert("text".into(), json!(text));
    }
    Some(Value::Object(out))
}

/// A concept that many resources repeat: without a text that is longer than a name.
pub(super) fn repeated(mut concept: Value) -> Value {
    let long = concept.get("text").and_then(Value::as_str).is_some_and(|text| text.len() > DISPLAY);
    if let Some(members) = concept.as_object_mut().filter(|_| long) {
        members.remove("text");
    }
    concept
}

/// The reason why an element with a nullFlavor has no value, as a CodeableConcept.
pub(super) fn data_absent_reason(null_flavor: &str) -> Value {
    let system = "http://terminology.hl7.org/CodeSystem/data-absent-reason";
    json!({"coding": [{"system": system, "code": absent_reason(null_flavor)}]})
}

/// Case, accents and the `(e)` of French grammar folded away.
pub(super) fn folded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.to_lowercase().replace("(e)", "").chars() {
        out.push(match c {
            'à' | 'â' | 'ä' => 'a',
            'é' | 'è' | 'ê' | 'ë' => 'e',
            'î' | 'ï' => 'i',
            'ô' | 'ö' => 'o',
            'ù' | 'û' | 'ü' => 'u',
            'ç' => 'c',
            other => other,
        });
    }
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Words that say the opposite of each other, whole and folded (R6).
const OPPOSED: [(&[&str], &[&str]); 5] = [
    (&["positif", "positive"], &["negatif", "negative"]),
    (&["oui"], &["non"]),
    (&["present", "presente"], &["absent", "absente"]),
    (&["detecte", "detectee"], &["non detecte", "non detectee"]),
    (&["certain"], &["probable"]),
];

/// Whether two whole texts contradict each other.
pub(super) fn contradict(one: &str, other: &str) -> bool {
    let (one, other) = (folded(one), folded(other));
    let is = |words: &[&str], text: &str| words.contains(&text);
    OPPOSED.iter().any(|(yes, no)| (is(yes, &one) && is(no, &other)) || (is(no, &one) && is(yes, &other)))
}

/// The word of a coded polarity; the code is what is compared, its displayName only where the code is not known.
fn polarity<'d>(element: Element<'d>) -> Option<&'d str> {
    match element.stated("code") {
        Some("10828004") => Some("positif"),
        Some("260385009") => Some("négatif"),
        Some(_) | None => element.stated("displayName"),
    }
}

/// Whether a coded value and its attested text contradict each other (R6); raises the issue.
pub(super) fn differs_from_text(context: &mut Context<'_>, value: Element<'_>) -> bool {
    let Some(coded) = polarity(value) else { return false };
    let Some(original) = value.child("originalText").and_then(|original| resolved_text(context, original)) else {
        return false;
    };
    let differs = contradict(coded, &original);
    if differs {
        context.issue(IssueCode::TextDiffers, value);
    }
    differs
}

/// Whether a number and the whole attested text, where that is a number with or without unit, are different (R6).
pub(super) fn number_differs(value: &str, unit: Option<&str>, text: &str) -> bool {
    let text = text.replace(',', ".");
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let Some((digits, text_unit)) = text.split_at_checked(end) else { return false };
    let (Ok(coded), Ok(attested)) = (value.parse::<f64>(), digits.parse::<f64>()) else { return false };
    let text_unit = text_unit.trim();
    let attested = match unit {
        Some(unit) if !text_unit.is_empty() && text_unit != unit && text_unit.len() <= UNIT && unit.len() <= UNIT => {
            octofhir_ucum::convert(attested, text_unit, unit).unwrap_or(attested)
        }
        Some(_) | None => attested,
    };
    (coded - attested).abs() > 1e-6 * coded.abs().max(attested.abs())
}

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it skips"
)]
mod tests {
    use super::*;

    #[test]
    fn opposed_words_contradict_and_others_do_not() {
        assert!(contradict("positif", "négatif"));
        assert!(contradict("certain(e)", "probable"));
        assert!(contradict("Non détecté", "DÉTECTÉ"));
        assert!(!contradict("Positif", "positif"));
        assert!(!contradict("positif", "recherche négative"));
        assert!(!contradict("oui", "négatif"));
    }

    #[test]
    fn every_code_system_stands_once_and_each_of_hl7_has_its_codes() {
        let lines = include_str!("../../schema/cda-code-systems.tsv").lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!(SYSTEMS.len(), lines - 1);
        for uri in SYSTEMS.values().flatten().filter(|uri| uri.starts_with("http://terminology.hl7.org/")) {
            assert!(HL7_CODES.get(uri).is_some_and(|codes| codes.len() > 2), "{uri}");
        }
        assert!(HL7_CODES["http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"].contains("HH"));
        assert!(!HL7_CODES["http://terminology.hl7.org/CodeSystem/v3-ObservationMethod"].contains("107"));
    }

    /// A target that its value set does not have would be an error in every resource; `none` says why.
    #[test]
    fn every_entry_code_leads_into_its_value_set_or_says_why_not() {
        let sets = [
            ("allergy-type", "allergy-intolerance-type"),
            ("allergy-category", "allergy-intolerance-category"),
            ("allergy-clinical", "allergyintolerance-clinical"),
            ("allergy-verification", "allergyintolerance-verification"),
            ("criticality", "allergy-intolerance-criticality"),
            ("severity", "reaction-event-severity"),
            ("adverse-event-outcome", "adverse-event-outcome"),
            ("condition-clinical", "condition-clinical"),
            ("condition-verification", "condition-ver-status"),
            ("request-priority", "request-priority"),
            ("gender", "administrative-gender"),
            ("event-timing", "event-timing"),
            ("unit-of-time", "units-of-time"),
        ];
        let mut seen = HashSet::new();
        for row in rows(include_str!("../../schema/cda-entry-codes.tsv")) {
            let [map, code, target, why] = row.collect::<Vec<_>>()[..] else { panic!("four columns") };
            assert!(seen.insert((map, code)), "{map} {code} stands twice");
            let (_, set) = sets.iter().find(|(name, _)| *name == map).unwrap();
            let allowed = rows(include_str!("../../schema/bindings.tsv"))
                .map(|row| row.collect::<Vec<_>>())
                .any(|row| row[0] == *set && row[2].split(' ').any(|code| code == target));
            assert!(allowed || (target == "none" && why.len() > 5), "{map} {code}");
        }
    }

    /// The value sets that CI-SIS headers are bound to (in ../shared, no part of this repository).
    #[test]
    fn each_code_of_the_bound_value_sets_has_a_row() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/reference/annex-b-value-sets.md");
        let Ok(annex) = std::fs::read_to_string(path) else {
            return println!("skipped: no value sets at {path}");
        };
        let known: HashSet<&str> =
            rows(include_str!("../../schema/cda-code-systems.tsv")).filter_map(|mut row| row.next()).collect();
        let types: HashSet<&str> =
            rows(include_str!("../../schema/document-type-codes.tsv")).filter_map(|mut row| row.next()).collect();
        let (mut set, mut codes) = ("", 0);
        for line in annex.lines() {
            set = line.strip_prefix("## ").unwrap_or(set);
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let [_, code, system, _, ..] = cells[..] else { continue };
            if !system.starts_with(|c: char| c.is_ascii_digit()) {
                continue;
            }
            assert!(known.contains(system), "{set}: no row for {system} ({code})");
            assert!(!set.starts_with("JDV_J07") || types.contains(code), "{set}: no row for {code}");
            // Competences (CEX, PAC, SCH...) are no specialities of TRE_R38: the code of the role keeps them whole.
            let specialty = set.starts_with("JDV_J65") && system == "1.2.250.1.71.4.2.5" && code.starts_with("SM");
            assert!(!specialty || super::specialty(code).is_some(), "{set}: no row for {code}");
            codes += 1;
        }
        assert!(codes > 900, "{codes}");
    }

    #[test]
    fn numbers_are_compared_in_one_unit() {
        assert!(!number_differs("170", Some("cm"), "1,70 m"));
        assert!(number_differs("170", Some("cm"), "1,80 m"));
        assert!(!number_differs("40", Some("wk"), "40 semaines"));
        assert!(!number_differs("40", None, "environ quarante"));
    }
}
