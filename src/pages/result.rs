//! One Observation as a page shows it: value, range, interpretation, and every reservation that stands on it.
use super::format::{concept, date, decimal, items, text, unit};
use jiff::civil::Date;
use serde_json::Value;

/// A result ready to show.
#[derive(Debug, Clone)]
pub(super) struct ResultRow<'a> {
    pub(super) id: &'a str,
    pub(super) code: CodeKey,
    /// Clinical time, as in the resource; empty where there is none.
    pub(super) time: &'a str,
    pub(super) value: Option<String>,
    pub(super) unit: String,
    pub(super) range: String,
    /// Every interpretation that has a mark; any other stands among the flags.
    pub(super) marks: Vec<Mark>,
    pub(super) method: Option<String>,
    pub(super) flags: Vec<String>,
    pub(super) notes: Vec<String>,
    /// Day and number, where the value is an exact number and nothing speaks against drawing it.
    pub(super) point: Option<(Date, f64)>,
    /// Numeric bounds of the normal range.
    pub(super) bounds: (Option<f64>, Option<f64>),
    pub(super) chapter: Option<String>,
    pub(super) members: Vec<&'a str>,
    pub(super) reported_previous: bool,
    /// Nothing that was done or that the document affirms: never shown as the present value.
    pub(super) void: bool,
}

/// What is measured: the first coding decides, else the text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct CodeKey {
    pub(super) key: String,
    pub(super) name: String,
    pub(super) code: Option<String>,
}

/// An interpretation in words, and how it is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) code: &'static str,
    pub(super) text: &'static str,
    pub(super) class: &'static str,
}

/// Interpretations of v3-ObservationInterpretation that reports use; another is shown as its own text.
const MARKS: [Mark; 12] = [
    Mark { code: "N", text: "Normal", class: "fine" },
    Mark { code: "H", text: "Haut", class: "high" },
    Mark { code: "HH", text: "Très haut", class: "high" },
    Mark { code: "L", text: "Bas", class: "low" },
    Mark { code: "LL", text: "Très bas", class: "low" },
    Mark { code: "A", text: "Anormal", class: "high" },
    Mark { code: "AA", text: "Très anormal", class: "high" },
    Mark { code: "S", text: "Sensible", class: "fine" },
    Mark { code: "I", text: "Intermédiaire", class: "low" },
    Mark { code: "R", text: "Résistant", class: "high" },
    Mark { code: "POS", text: "Positif", class: "high" },
    Mark { code: "NEG", text: "Négatif", class: "fine" },
];

impl<'a> ResultRow<'a> {
    /// Reads an Observation; `None` for what was entered in error, or was replaced by a later version of its document.
    pub(super) fn of(resource: &'a Value) -> Option<Self> {
        let tagged =
            |code: &str| items(resource.get("meta").unwrap_or(&Value::Null), "tag").any(|tag| text(tag, "/code") == Some(code));
        let wrong = text(resource, "/status") == Some("entered-in-error") || tagged("superseded");
        if text(resource, "/resourceType") != Some("Observation") || wrong {
            return None;
        }
        let time = ["/effectiveDateTime", "/effectivePeriod/start", "/effectivePeriod/end", "/effectiveInstant"];
        let time = time.iter().find_map(|pointer| text(resource, pointer)).unwrap_or_default();
        let unit =
            text(resource, "/valueQuantity/unit").or_else(|| text(resource, "/valueQuantity/code")).map(unit).unwrap_or_default();
        let flags = flags(resource);
        let (range, bounds) = range(resource, &unit);
        let (marks, other) = interpretations(resource, tagged("text-differs"));
        let void = negated(resource) || text(resource, "/status") == Some("cancelled");
        let drawable = !void && !tagged("text-differs");
        Some(Self {
            id: text(resource, "/id").unwrap_or_default(),
            code: code_key(resource),
            time,
            value: value(resource),
            range,
            bounds,
            marks,
            void,
            method: resource.get("method").and_then(concept),
            flags: flags.into_iter().chain(other).collect(),
            notes: items(resource, "note").filter_map(|note| text(note, "/text")).map(str::to_owned).collect(),
            point: if drawable { point(resource, time) } else { None },
            chapter: chapter(resource),
            members: items(resource, "hasMember").filter_map(|member| text(member, "/reference")).map(last_segment).collect(),
            reported_previous: tagged("reported-previous"),
            unit,
        })
    }

    /// Whether it only holds others together: no value, but members.
    pub(super) fn is_group(&self) -> bool {
        self.value.is_none() && !self.members.is_empty()
    }
}

fn last_segment(reference: &str) -> &str {
    reference.rsplit('/').next().unwrap_or(reference)
}

fn code_key(resource: &Value) -> CodeKey {
    let code = resource.get("code").unwrap_or(&Value::Null);
    let coding = code.pointer("/coding/0");
    let part = |name: &str| coding.and_then(|coding| coding.get(name)?.as_str());
    let name = concept(code).unwrap_or_else(|| "Résultat sans nom".into());
    let key = match part("code") {
        Some(code) => format!("{}|{code}", part("system").unwrap_or_default()),
        None => name.to_lowercase(),
    };
    let code = part("code")
        .map(|code| if part("system") == Some("http://loinc.org") { format!("LOINC {code}") } else { code.to_owned() });
    CodeKey { key, name, code }
}

fn negated(resource: &Value) -> bool {
    items(resource, "modifierExtension").any(|extension| {
        text(extension, "/url").is_some_and(|url| url.ends_with("/negationInd"))
            && extension.get("valueBoolean") == Some(&Value::Bool(true))
    })
}

/// Reservations in words: status, negation, tags (C4 R4 and R6, C7-22).
fn flags(resource: &Value) -> Vec<String> {
    let mut flags = Vec::new();
    if negated(resource) {
        flags.push("Négation : le document dit que ce fait est absent".to_owned());
    }
    match text(resource, "/status") {
        Some("final") => {}
        Some("preliminary") => flags.push("Provisoire".into()),
        Some("registered") => flags.push("En attente de résultat".into()),
        Some("cancelled") => flags.push("Annulé".into()),
        Some("amended") => flags.push("Modifié".into()),
        Some("corrected") => flags.push("Corrigé".into()),
        Some("unknown") | None => flags.push("État inconnu".into()),
        Some(other) => flags.push(format!("État : {other}")),
    }
    for tag in items(resource.get("meta").unwrap_or(&Value::Null), "tag") {
        match text(tag, "/code") {
            Some("text-differs") => flags.push("Le texte du document et sa valeur codée se contredisent".into()),
            Some("reported-previous") => flags.push("Antériorité reprise par un compte rendu ultérieur".into()),
            _ => {}
        }
    }
    flags
}

fn quantity(quantity: &Value) -> Option<String> {
    let number = decimal(quantity.get("value")?);
    let comparator = match text(quantity, "/comparator") {
        Some("<=") => "≤ ",
        Some(">=") => "≥ ",
        Some("<") => "< ",
        Some(">") => "> ",
        _ => "",
    };
    Some(format!("{comparator}{number}"))
}

fn with_unit(value: &Value) -> Option<String> {
    let unit = text(value, "/unit").or_else(|| text(value, "/code")).map(unit).unwrap_or_default();
    Some(format!("{} {unit}", quantity(value)?).trim_end().to_owned())
}

/// The value in words; a coded value and a text that differ are both shown.
fn value(resource: &Value) -> Option<String> {
    let of = |name: &str| resource.get(name);
    if let Some(value) = of("valueQuantity") {
        return quantity(value);
    }
    if let Some(value) = of("valueCodeableConcept") {
        return coded(value);
    }
    if let Some(value) = of("valueString").and_then(Value::as_str) {
        return Some(value.to_owned());
    }
    if let Some(value) = of("valueInteger") {
        return Some(decimal(value));
    }
    if let Some(value) = of("valueBoolean").and_then(Value::as_bool) {
        return Some(if value { "Oui" } else { "Non" }.to_owned());
    }
    if let Some(value) = of("valueRange") {
        let bound = |name: &str| value.get(name).and_then(with_unit);
        return Some(interval(bound("low").as_deref(), bound("high").as_deref()));
    }
    if let Some(value) = of("valueRatio") {
        let part = |name: &str| value.get(name).and_then(with_unit).unwrap_or_default();
        return Some(format!("{} / {}", part("numerator"), part("denominator")));
    }
    if let Some(value) = of("valueDateTime").or_else(|| of("valueTime")).and_then(Value::as_str) {
        return Some(date(value));
    }
    if let Some(value) = of("valuePeriod") {
        let bound = |name: &str| value.get(name).and_then(Value::as_str).map(date).unwrap_or_else(|| "…".into());
        return Some(format!("{} – {}", bound("start"), bound("end")));
    }
    of("dataAbsentReason").map(|reason| format!("Non renseigné ({})", concept(reason).unwrap_or_default()))
}

fn coded(value: &Value) -> Option<String> {
    let whole = concept(value)?;
    let display = items(value, "coding").find_map(|coding| text(coding, "/display"));
    match display {
        Some(display) if !display.eq_ignore_ascii_case(&whole) => Some(format!("{whole} (code : {display})")),
        _ => Some(whole),
    }
}

fn interval(low: Option<&str>, high: Option<&str>) -> String {
    match (low, high) {
        (Some(low), Some(high)) => format!("{low}\u{a0}–\u{a0}{high}"),
        (Some(low), None) => format!("≥\u{a0}{low}"),
        (None, Some(high)) => format!("≤\u{a0}{high}"),
        (None, None) => String::new(),
    }
}

/// Normal range in words and numbers. A range of another meaning is text only (C7-17).
fn range(resource: &Value, value_unit: &str) -> (String, (Option<f64>, Option<f64>)) {
    let mut words = Vec::new();
    let mut bounds = (None, None);
    for range in items(resource, "referenceRange") {
        let bound = |name: &str| {
            let quantity = range.get(name)?;
            let unit = text(quantity, "/unit").or_else(|| text(quantity, "/code")).map(unit).unwrap_or_default();
            let number = decimal(quantity.get("value")?);
            let same = unit == value_unit || unit.is_empty();
            Some((
                if same { number.clone() } else { format!("{number} {unit}") },
                same,
                number.replace(',', ".").parse::<f64>().ok(),
            ))
        };
        let (low, high) = (bound("low"), bound("high"));
        if low.is_some() || high.is_some() {
            let interval = interval(low.as_ref().map(|low| low.0.as_str()), high.as_ref().map(|high| high.0.as_str()));
            words.push(format!("{}{interval}", meaning_of(range)));
            let number = |bound: Option<(String, bool, Option<f64>)>| bound.filter(|bound| bound.1).and_then(|bound| bound.2);
            let meaning = text(range, "/type/coding/0/code");
            if bounds == (None, None) && meaning.is_none_or(|code| code == "normal") {
                bounds = (number(low), number(high));
            }
        } else if let Some(text) = text(range, "/text") {
            words.push(format!("{}{text}", meaning_of(range)));
        }
    }
    (words.join(" ; "), bounds)
}

/// What a range is for, where it is not simply the normal one: `Zone thérapeutique, grossesse : `.
fn meaning_of(range: &Value) -> String {
    let kind = range.get("type").filter(|_| text(range, "/type/coding/0/code") != Some("normal"));
    let parts: Vec<String> = kind.into_iter().chain(items(range, "appliesTo")).filter_map(concept).collect();
    if parts.is_empty() { String::new() } else { format!("{} : ", parts.join(", ")) }
}

/// Whether a coding is of v3-ObservationInterpretation: by URL, by OID, or without a system. `S` of another system says
/// something else.
fn is_interpretation(coding: &Value) -> bool {
    match text(coding, "/system") {
        None => true,
        Some(system) => {
            system == "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
                || system == "urn:oid:2.16.840.1.113883.5.83"
        }
    }
}

/// Every interpretation: those that have a mark, and every other in words, so that none is lost. A text beside a known
/// code is shown where the document contradicts itself.
fn interpretations(resource: &Value, text_differs: bool) -> (Vec<Mark>, Vec<String>) {
    let (mut marks, mut others) = (Vec::new(), Vec::new());
    let mut other = |words: &str| {
        let words = format!("Interprétation : {words}");
        if !others.contains(&words) {
            others.push(words);
        }
    };
    for concept in items(resource, "interpretation") {
        let mut coded = false;
        for coding in items(concept, "coding") {
            let code = text(coding, "/code");
            let known =
                code.filter(|_| is_interpretation(coding)).and_then(|code| MARKS.into_iter().find(|mark| mark.code == code));
            match (known, code, text(coding, "/display")) {
                (Some(mark), ..) => {
                    coded = true;
                    if !marks.contains(&mark) {
                        marks.push(mark);
                    }
                }
                (None, Some(code), Some(display)) => other(&format!("{display} ({code})")),
                (None, Some(words), None) | (None, None, Some(words)) => other(words),
                (None, None, None) => {}
            }
        }
        if let Some(words) = text(concept, "/text").filter(|_| !coded || text_differs) {
            other(words);
        }
    }
    (marks, others)
}

fn point(resource: &Value, time: &str) -> Option<(Date, f64)> {
    let quantity = resource.get("valueQuantity")?;
    if quantity.get("comparator").is_some() {
        return None;
    }
    let number = quantity.get("value")?.to_string().parse().ok()?;
    // A month or a year has no place on the axis.
    let day = time.get(..10)?.parse().ok()?;
    Some((day, number))
}

fn chapter(resource: &Value) -> Option<String> {
    let codings = || items(resource, "category").flat_map(|category| items(category, "coding"));
    let own =
        codings().filter(|coding| text(coding, "/system") != Some("http://terminology.hl7.org/CodeSystem/observation-category"));
    own.filter_map(|coding| {
        let known = match text(coding, "/code") {
            Some("18719-5") => Some("Biochimie"),
            Some("18723-7") => Some("Hématologie"),
            Some("18725-2") => Some("Microbiologie"),
            Some("18720-3") => Some("Hémostase"),
            Some("18727-8") => Some("Sérologie"),
            Some("18718-7") => Some("Protéines, marqueurs tumoraux, vitamines"),
            _ => None,
        };
        known.or_else(|| text(coding, "/display")).map(str::to_owned)
    })
    .next()
}
