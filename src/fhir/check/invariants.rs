//! Invariants of R4 over one object, as a table; what is more than the presence of members is a function of `conditions`.
//!
//! Left out: ppc-2 to ppc-5 (their expressions name the system "something" and hold always), and the rules of the types that
//! no client writes here (ElementDefinition, StructureDefinition, SearchParameter, OperationDefinition, CapabilityStatement
//! but for cpb-1 and cpb-2).
use super::conditions::*;
use super::{Checker, Object};
use crate::fhir::IssueKind;
use crate::fhir::elements::TypeDefinition;
use std::collections::HashMap;
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
    ("Appointment", "app-3", Holds(app_3), "only what is proposed, cancelled or on the waiting list has no start and end"),
    ("Appointment", "app-4", Holds(app_4), "a cancelationReason only when cancelled or not shown up"),
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
    ("CareTeam.participant", "ctm-1", Holds(ctm_1), "onBehalfOf only for a Practitioner"),
    ("CodeSystem", "csd-1", Holds(csd_1), "each code stands once"),
    ("Composition.section", "cmp-1", AnyOf(&["text", "entry", "section"]), "text, entry or section"),
    ("Composition.section", "cmp-2", NotBoth("emptyReason", "entry"), "emptyReason only without entry"),
    ("ConceptMap.group.element.target", "cmd-1", Holds(cmd_1), "a map that is narrower or inexact has a comment"),
    ("ConceptMap.group.unmapped", "cmd-2", Holds(cmd_2), "the mode fixed has a code"),
    ("ConceptMap.group.unmapped", "cmd-3", Holds(cmd_3), "the mode other-map has a url"),
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
    ("Age", "age-1", Holds(age_1), "a value has a UCUM code and is positive"),
    ("Count", "cnt-3", Holds(cnt_3), "a value is whole and has the code 1"),
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
    ("List", "lst-2", Holds(lst_2), "an entry is deleted only in a list of changes"),
    ("List", "lst-3", Holds(lst_3), "an entry has a date only in a working list"),
    ("MeasureReport", "mrp-1", Holds(mrp_1), "a collection of data has no group"),
    ("MeasureReport.group.stratifier.stratum", "mrp-2", OneOf("value", "component"), "value or component"),
    ("MedicationAdministration.dosage", "mad-1", AnyOf(&["dose", "rate"]), "dose or rate"),
    ("MedicationDispense", "mdd-1", Holds(mdd_1), "handed over after prepared"),
    ("MolecularSequence", "msq-3", Holds(msq_3), "coordinateSystem is 0 or 1"),
    ("MolecularSequence.referenceSeq", "msq-5", Holds(msq_5), "chromosome and genomeBuild stand together or not at all"),
    (
        "MolecularSequence.referenceSeq",
        "msq-6",
        Holds(msq_6),
        "one of genomeBuild, referenceSeqId, referenceSeqPointer and referenceSeqString",
    ),
    ("NamingSystem", "nsd-1", Holds(nsd_1), "a root has no uuid"),
    ("NamingSystem", "nsd-2", Holds(nsd_2), "one preferred identifier of each type"),
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
    ("Range", "rng-2", Holds(rng_2), "low is not above high"),
    ("Ratio", "rat-1", Holds(rat_1), "numerator and denominator, or extensions"),
    ("RequestGroup.action", "rqg-1", OneOf("resource", "action"), "resource or action"),
    ("RiskAssessment.prediction", "ras-1", Holds(ras_1), "a range of probability is in percent"),
    ("RiskAssessment.prediction", "ras-2", Holds(ras_2), "a probability is at most 100"),
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
    ("TriggerDefinition", "trd-1", NotBoth("data", "timing"), "data or timing, not both"),
    ("TriggerDefinition", "trd-2", Needs("condition", "data"), "condition needs data"),
    ("TriggerDefinition", "trd-3", Holds(trd_3), "an event has a name, timing or data, by its type"),
    ("ValueSet.compose.include", "vsd-1", AnyOf(&["valueSet", "system"]), "valueSet or system"),
    ("ValueSet.compose.include", "vsd-2", Needs("concept", "system"), "concept needs system"),
    ("ValueSet.compose.include", "vsd-2", Needs("filter", "system"), "filter needs system"),
    ("ValueSet.compose.include", "vsd-3", NotBoth("concept", "filter"), "concept or filter, not both"),
    ("ValueSet.expansion.contains", "vsd-6", AnyOf(&["code", "display"]), "code or display"),
    ("ValueSet.expansion.contains", "vsd-9", Holds(vsd_9), "what is not abstract has a code"),
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

/// Key of each rule.
#[cfg(test)]
pub(super) fn keys() -> impl Iterator<Item = &'static str> {
    RULES.iter().map(|(_, key, ..)| *key)
}

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
pub(super) fn has(definition: &TypeDefinition, object: &Object, name: &str) -> bool {
    object.keys().any(|key| {
        let bare = key.strip_prefix('_').unwrap_or(key);
        bare == name || definition.element(bare).is_some_and(|(element, _)| element.choice && element.name == name)
    })
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
}
