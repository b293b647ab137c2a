//! Invariants of R4 over the elements of one object, as a table; rules that need more than one object's own members are
//! functions. Left out: rules of definitional resources and of narrative prose.
use super::{Checker, Object};
use crate::fhir::IssueKind;
use crate::fhir::elements::TypeDefinition;
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

enum Rule {
    /// At least one of these.
    AnyOf(&'static [&'static str]),
    /// Not these two together.
    NotBoth(&'static str, &'static str),
    /// Exactly one of these two.
    OneOf(&'static str, &'static str),
    /// The first demands the second.
    Needs(&'static str, &'static str),
    /// Anything else.
    Holds(fn(&TypeDefinition, &Object) -> bool),
}
use Rule::{AnyOf, Holds, Needs, NotBoth, OneOf};

/// Type, key of the invariant, rule, its text. <https://hl7.org/fhir/R4/conformance-rules.html#constraints>
static RULES: &[Row] = &[
    ("AllergyIntolerance", "ait-1", Holds(ait_1), "clinicalStatus stands unless verificationStatus is entered-in-error"),
    ("AllergyIntolerance", "ait-2", Holds(ait_2), "clinicalStatus does not stand with entered-in-error"),
    ("Appointment", "app-2", Holds(app_2), "start and end stand together or not at all"),
    ("Appointment.participant", "app-1", AnyOf(&["type", "actor"]), "type or actor"),
    ("AppointmentResponse", "apr-1", AnyOf(&["participantType", "actor"]), "participantType or actor"),
    ("Attachment", "att-1", Needs("data", "contentType"), "data needs contentType"),
    ("AuditEvent.entity", "sev-1", NotBoth("name", "query"), "name or query, not both"),
    ("CapabilityStatement", "cpb-1", AnyOf(&["rest", "messaging", "document"]), "rest, messaging or document"),
    (
        "CapabilityStatement",
        "cpb-2",
        AnyOf(&["description", "software", "implementation"]),
        "description, software or implementation",
    ),
    ("CarePlan.activity", "cpl-3", NotBoth("detail", "reference"), "detail or reference, not both"),
    ("Composition.section", "cmp-1", AnyOf(&["text", "entry", "section"]), "text, entry or section"),
    ("Composition.section", "cmp-2", NotBoth("emptyReason", "entry"), "emptyReason only without entry"),
    ("Condition", "con-4", Holds(con_4), "abatement only when inactive, in remission or resolved"),
    ("Condition", "con-5", Holds(con_5), "clinicalStatus does not stand with entered-in-error"),
    ("Condition.stage", "con-1", AnyOf(&["summary", "assessment"]), "summary or assessment"),
    ("Condition.evidence", "con-2", AnyOf(&["code", "detail"]), "code or detail"),
    ("Consent", "ppc-1", AnyOf(&["policy", "policyRule"]), "policy or policyRule"),
    ("ContactPoint", "cpt-2", Needs("value", "system"), "value needs system"),
    (
        "CoverageEligibilityResponse.insurance.item",
        "ces-1",
        OneOf("category", "productOrService"),
        "category or productOrService",
    ),
    ("DataRequirement.codeFilter", "drq-1", OneOf("path", "searchParam"), "path or searchParam"),
    ("DataRequirement.dateFilter", "drq-2", OneOf("path", "searchParam"), "path or searchParam"),
    ("Age", "age-1", Holds(value_needs_code), "a value has a UCUM code"),
    ("Distance", "dis-1", Holds(value_needs_code), "a value has a UCUM code"),
    ("Duration", "drt-1", Holds(drt_1), "a code has the UCUM system and a value"),
    ("Expression", "exp-1", AnyOf(&["expression", "reference"]), "expression or reference"),
    ("Extension", "ext-1", OneOf("extension", "value"), "extensions or value[x], not both"),
    ("FamilyMemberHistory", "fhs-1", NotBoth("age", "born"), "age or born, not both"),
    ("FamilyMemberHistory", "fhs-2", Needs("estimatedAge", "age"), "estimatedAge needs age"),
    ("Goal.target", "gol-1", Needs("detail", "measure"), "detail needs measure"),
    ("Group", "grp-1", Holds(grp_1), "members only when actual"),
    ("Immunization.education", "imm-1", AnyOf(&["documentType", "reference"]), "documentType or reference"),
    (
        "ImmunizationRecommendation.recommendation",
        "imr-1",
        AnyOf(&["vaccineCode", "targetDisease"]),
        "vaccineCode or targetDisease",
    ),
    ("InsurancePlan", "ipn-1", AnyOf(&["identifier", "name"]), "identifier or name"),
    ("Linkage", "lnk-1", Holds(lnk_1), "more than one item"),
    ("List", "lst-1", NotBoth("emptyReason", "entry"), "emptyReason only without entry"),
    ("MedicationAdministration.dosage", "mad-1", AnyOf(&["dose", "rate"]), "dose or rate"),
    ("MedicationDispense", "mdd-1", Holds(mdd_1), "handed over after prepared"),
    ("Observation", "obs-6", NotBoth("dataAbsentReason", "value"), "dataAbsentReason only without value[x]"),
    ("Observation", "obs-7", Holds(obs_7), "a component with the code of the Observation only without value[x]"),
    ("Observation.referenceRange", "obs-3", AnyOf(&["low", "high", "text"]), "low, high or text"),
    ("Organization", "org-1", AnyOf(&["identifier", "name"]), "identifier or name"),
    ("Organization", "org-2", Holds(org_2), "an address is not of use home"),
    ("Organization", "org-3", Holds(org_3), "a telecom is not of use home"),
    ("Parameters.parameter", "inv-1", Holds(inv_1), "one of value[x], resource and part"),
    (
        "Patient.contact",
        "pat-1",
        AnyOf(&["name", "telecom", "address", "organization"]),
        "name, telecom, address or organization",
    ),
    ("Period", "per-1", Holds(per_1), "start is not after end"),
    ("Quantity", "qty-3", Needs("code", "system"), "code needs system"),
    ("Age", "qty-3", Needs("code", "system"), "code needs system"),
    ("Count", "qty-3", Needs("code", "system"), "code needs system"),
    ("Distance", "qty-3", Needs("code", "system"), "code needs system"),
    ("Duration", "qty-3", Needs("code", "system"), "code needs system"),
    ("Questionnaire.item", "que-4", NotBoth("answerOption", "answerValueSet"), "answerOption or answerValueSet, not both"),
    ("Questionnaire.item", "que-11", NotBoth("answerOption", "initial"), "initial only without answerOption"),
    ("QuestionnaireResponse.item", "qrs-1", NotBoth("answer", "item"), "answer or item, not both"),
    ("Ratio", "rat-1", Holds(rat_1), "numerator and denominator, or extensions"),
    ("RequestGroup.action", "rqg-1", OneOf("resource", "action"), "resource or action"),
    ("ServiceRequest", "prr-1", Needs("orderDetail", "code"), "orderDetail needs code"),
    ("Task", "inv-1", Holds(task_inv_1), "lastModified is not before authoredOn"),
    ("Timing.repeat", "tim-1", Needs("duration", "durationUnit"), "duration needs durationUnit"),
    ("Timing.repeat", "tim-2", Needs("period", "periodUnit"), "period needs periodUnit"),
    ("Timing.repeat", "tim-4", Holds(tim_4), "duration is not negative"),
    ("Timing.repeat", "tim-5", Holds(tim_5), "period is not negative"),
    ("Timing.repeat", "tim-6", Needs("periodMax", "period"), "periodMax needs period"),
    ("Timing.repeat", "tim-7", Needs("durationMax", "duration"), "durationMax needs duration"),
    ("Timing.repeat", "tim-8", Needs("countMax", "count"), "countMax needs count"),
    ("Timing.repeat", "tim-9", Holds(tim_9), "offset needs when, other than C, CM, CD, CV"),
    ("Timing.repeat", "tim-10", NotBoth("timeOfDay", "when"), "timeOfDay or when, not both"),
    ("ValueSet.compose.include", "vsd-1", AnyOf(&["valueSet", "system"]), "valueSet or system"),
    ("ValueSet.compose.include", "vsd-2", Needs("concept", "system"), "concept needs system"),
    ("ValueSet.compose.include", "vsd-2", Needs("filter", "system"), "filter needs system"),
    ("ValueSet.compose.include", "vsd-3", NotBoth("concept", "filter"), "concept or filter, not both"),
    ("ValueSet.expansion.contains", "vsd-6", AnyOf(&["code", "display"]), "code or display"),
    ("ValueSet.expansion.contains", "vsd-10", Needs("code", "system"), "code needs system"),
];

type Row = (&'static str, &'static str, Rule, &'static str);

static BY_TYPE: LazyLock<HashMap<&str, Vec<&Row>>> = LazyLock::new(|| {
    let mut by_type: HashMap<&str, Vec<&Row>> = HashMap::new();
    for row in RULES {
        by_type.entry(row.0).or_default().push(row);
    }
    by_type
});

pub(super) fn check(checker: &mut Checker, definition: &TypeDefinition, object: &Object) {
    for (_, key, rule, text) in BY_TYPE.get(definition.name).into_iter().flatten() {
        let has = |name: &str| has(definition, object, name);
        let holds = match rule {
            AnyOf(names) => names.iter().any(|name| has(name)),
            NotBoth(one, other) => !(has(one) && has(other)),
            OneOf(one, other) => has(one) != has(other),
            Needs(one, other) => !has(one) || has(other),
            Holds(holds) => holds(definition, object),
        };
        if !holds {
            checker.report(IssueKind::InvariantBroken, format!("{key}: {text}"));
        }
    }
}

/// Whether the element stands, under any name of a choice, as a value or as extensions of one.
fn has(definition: &TypeDefinition, object: &Object, name: &str) -> bool {
    object.keys().any(|key| {
        let bare = key.strip_prefix('_').unwrap_or(key);
        bare == name || definition.element(bare).is_some_and(|(element, _)| element.choice && element.name == name)
    })
}

fn text<'a>(object: &'a Object, name: &str) -> Option<&'a str> {
    object.get(name).and_then(Value::as_str)
}

fn codings<'a>(object: &'a Object, name: &str) -> impl Iterator<Item = (Option<&'a str>, Option<&'a str>)> {
    let codings = object.get(name).and_then(|concept| concept.get("coding")?.as_array());
    codings
        .into_iter()
        .flatten()
        .map(|coding| (coding.get("system").and_then(Value::as_str), coding.get("code").and_then(Value::as_str)))
}

fn in_error(object: &Object, system: &str) -> bool {
    codings(object, "verificationStatus").any(|coding| coding == (Some(system), Some("entered-in-error")))
}

const AIT: &str = "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification";
const CON: &str = "http://terminology.hl7.org/CodeSystem/condition-ver-status";
const CLINICAL: &str = "http://terminology.hl7.org/CodeSystem/condition-clinical";
const UCUM: &str = "http://unitsofmeasure.org";

fn ait_1(_: &TypeDefinition, object: &Object) -> bool {
    in_error(object, AIT) || object.contains_key("clinicalStatus")
}
fn ait_2(_: &TypeDefinition, object: &Object) -> bool {
    !in_error(object, AIT) || !object.contains_key("clinicalStatus")
}
fn app_2(definition: &TypeDefinition, object: &Object) -> bool {
    has(definition, object, "start") == has(definition, object, "end")
}
fn con_4(definition: &TypeDefinition, object: &Object) -> bool {
    let ended = |code: &str| matches!(code, "resolved" | "remission" | "inactive");
    !has(definition, object, "abatement")
        || codings(object, "clinicalStatus").any(|(system, code)| system == Some(CLINICAL) && code.is_some_and(ended))
}
fn con_5(_: &TypeDefinition, object: &Object) -> bool {
    !in_error(object, CON) || !object.contains_key("clinicalStatus")
}
fn value_needs_code(_: &TypeDefinition, object: &Object) -> bool {
    (object.contains_key("code") || !object.contains_key("value")) && text(object, "system").is_none_or(|system| system == UCUM)
}
fn drt_1(definition: &TypeDefinition, object: &Object) -> bool {
    !object.contains_key("code") || (text(object, "system") == Some(UCUM) && has(definition, object, "value"))
}
fn grp_1(_: &TypeDefinition, object: &Object) -> bool {
    !object.contains_key("member") || object.get("actual") == Some(&Value::Bool(true))
}
fn lnk_1(_: &TypeDefinition, object: &Object) -> bool {
    object.get("item").and_then(Value::as_array).is_none_or(|items| items.len() > 1)
}
fn mdd_1(_: &TypeDefinition, object: &Object) -> bool {
    not_after(text(object, "whenPrepared"), text(object, "whenHandedOver"))
}
fn obs_7(definition: &TypeDefinition, object: &Object) -> bool {
    let own: HashSet<_> = coding_keys(object).collect();
    let components = object.get("component").and_then(Value::as_array).into_iter().flatten();
    let mut codes = components.filter_map(Value::as_object).flat_map(coding_keys);
    !has(definition, object, "value") || !codes.any(|coding| own.contains(&coding))
}
/// The codings of `code`, as what two of them must share to be the same.
fn coding_keys(object: &Object) -> impl Iterator<Item = [Option<&str>; 4]> {
    let codings = object.get("code").and_then(|code| code.get("coding")?.as_array());
    let key = |coding| ["system", "version", "code", "display"].map(|name| Value::get(coding, name).and_then(Value::as_str));
    codings.into_iter().flatten().map(key)
}
fn is_home(object: &Object, name: &str) -> bool {
    let items = object.get(name).and_then(Value::as_array).into_iter().flatten();
    items.into_iter().any(|item| item.get("use").and_then(Value::as_str) == Some("home"))
}
fn org_2(_: &TypeDefinition, object: &Object) -> bool {
    !is_home(object, "address")
}
fn org_3(_: &TypeDefinition, object: &Object) -> bool {
    !is_home(object, "telecom")
}
fn inv_1(definition: &TypeDefinition, object: &Object) -> bool {
    ["value", "resource", "part"].into_iter().filter(|name| has(definition, object, name)).count() == 1
}
fn per_1(_: &TypeDefinition, object: &Object) -> bool {
    not_after(text(object, "start"), text(object, "end"))
}
fn rat_1(_: &TypeDefinition, object: &Object) -> bool {
    let (numerator, denominator) = (object.contains_key("numerator"), object.contains_key("denominator"));
    numerator == denominator && (numerator || object.contains_key("extension"))
}
fn task_inv_1(_: &TypeDefinition, object: &Object) -> bool {
    not_after(text(object, "authoredOn"), text(object, "lastModified"))
}
fn is_negative(object: &Object, name: &str) -> bool {
    matches!(object.get(name), Some(Value::Number(number)) if number.as_f64().is_some_and(|number| number < 0.0))
}
fn tim_4(_: &TypeDefinition, object: &Object) -> bool {
    !is_negative(object, "duration")
}
fn tim_5(_: &TypeDefinition, object: &Object) -> bool {
    !is_negative(object, "period")
}
fn tim_9(_: &TypeDefinition, object: &Object) -> bool {
    let meals = |code: &Value| matches!(code.as_str(), Some("C" | "CM" | "CD" | "CV"));
    let when = object.get("when").and_then(Value::as_array);
    !object.contains_key("offset") || when.is_some_and(|when| !when.iter().any(meals))
}

/// Whether the first is not certainly after the second: what precision or a missing zone leaves open is accepted.
fn not_after(first: Option<&str>, second: Option<&str>) -> bool {
    let (Some(first), Some(second)) = (first, second) else { return true };
    if let (Ok(first), Ok(second)) = (first.parse::<jiff::Timestamp>(), second.parse::<jiff::Timestamp>()) {
        return first <= second;
    }
    let day = |text: &str| text.get(..10).and_then(|day| day.parse::<jiff::civil::Date>().ok());
    if first.contains('T') != second.contains('T')
        && let (Some(first), Some(second)) = (day(first), day(second))
    {
        // The zone of the one is unknown: a day's difference decides nothing.
        return first <= second.saturating_add(jiff::Span::new().days(1));
    }
    let length = first.len().min(second.len()).min(10);
    first.get(..length) <= second.get(..length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_names_a_type_and_its_elements() {
        for (name, key, rule, _) in RULES {
            let definition = crate::fhir::elements::find(name).unwrap_or_else(|| panic!("{name}"));
            let names: &[&str] = match rule {
                AnyOf(names) => names,
                NotBoth(one, other) | OneOf(one, other) | Needs(one, other) => &[one, other],
                Holds(_) => &[],
            };
            for element in names {
                assert!(definition.elements.iter().any(|known| known.name == *element), "{key} {name}.{element}");
            }
        }
    }

    #[test]
    fn periods_are_refused_only_when_the_start_is_certainly_later() {
        let good = [
            ("2024", "2024-01-01"),
            ("2024-06-01", "2024"),
            ("2024-01-02T00:30:00+01:00", "2024-01-01"),
            ("2024-01-01T10:00:00+02:00", "2024-01-01T09:00:00Z"),
            ("2024-01-01", "2024-01-01"),
        ];
        let bad = [
            ("2024-02-01", "2024-01-01"),
            ("2025", "2024-12"),
            ("2024-01-01T10:00:00Z", "2024-01-01T11:00:00+02:00"),
            ("2024-01-03T00:30:00+01:00", "2024-01-01"),
        ];
        for (start, end) in good {
            assert!(not_after(Some(start), Some(end)), "{start} {end}");
        }
        for (start, end) in bad {
            assert!(!not_after(Some(start), Some(end)), "{start} {end}");
        }
    }
}
