//! Labels of a document as a bitmap, as `securityLabel` and as `meta.security`, on it and on all that came of it
//! (decisions 3 and 4; BR-30 to BR-36).
//!
//! The bitmap is what the store enforces; `securityLabel` and `meta.security` say it. A label change makes a version of the
//! DocumentReference only: data keep their version, and their bodies and index rows say the new labels at once.
use super::Context;
use super::submit_document::family_of;
use crate::fhir::interaction::Parameters;
use crate::fhir::{IssueKind, Problem, Resource};
use crate::ids::Pid;
use crate::policy::permit::label;
use crate::search::{self, ExtractContext};
use crate::store::{self, Relabelled, Stored, WholeRecord};
use serde_json::{Value, json};

/// TRE_A07: who sees a document.
const VISIBILITY: &str = "https://mos.esante.gouv.fr/NOS/TRE_A07-StatutVisibiliteDocument/FHIR/TRE-A07-StatutVisibiliteDocument";
const CONFIDENTIALITY: &str = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality";

/// Labels that `securityLabel` says.
pub(super) const STATED: i32 = label::MASQUE_PS | label::INVISIBLE_PATIENT | label::INVISIBLE_REPRESENTANTS_LEGAUX;

const CODES: [(i32, &str, &str); 3] = [
    (label::MASQUE_PS, "MASQUE_PS", "Masqué aux professionnels de santé"),
    (label::INVISIBLE_PATIENT, "INVISIBLE_PATIENT", "Non visible par le patient"),
    (
        label::INVISIBLE_REPRESENTANTS_LEGAUX,
        "INVISIBLE_REPRESENTANTS_LEGAUX",
        "Non visible par les représentants légaux du patient",
    ),
];

/// Most documents that are looked at for one participant.
const DOCUMENTS_MAX: usize = 10_000;

/// Reads `securityLabel`, a set: `N` says that nothing is hidden.
///
/// # Errors
/// 422 for a label that this server does not enforce (R, V, any other: decision 3) and for the pair that BR-34 forbids.
pub(super) fn parse(security_label: Option<&Value>) -> Result<i32, Problem> {
    let mut labels = 0;
    for (index, concept) in security_label.and_then(Value::as_array).into_iter().flatten().enumerate() {
        let at = format!("DocumentReference.securityLabel[{index}]");
        let unknown =
            || Problem::at(IssueKind::BusinessRule, at.clone(), "A label that this server does not enforce (decision 3)");
        let codings = concept.get("coding").and_then(Value::as_array).filter(|codings| !codings.is_empty());
        for coding in codings.ok_or_else(unknown)? {
            let text = |name: &str| coding.get(name).and_then(Value::as_str).unwrap_or_default();
            match (text("system"), text("code")) {
                (CONFIDENTIALITY, "N") => {}
                (VISIBILITY | "urn:oid:1.2.250.1.213.1.1.4.13", code) => {
                    labels |= CODES.iter().find(|(_, known, _)| *known == code).ok_or_else(unknown)?.0;
                }
                _ => return Err(unknown()),
            }
        }
    }
    const PAIR: i32 = label::MASQUE_PS | label::INVISIBLE_PATIENT;
    if labels & PAIR == PAIR {
        let text = "MASQUE_PS and INVISIBLE_PATIENT do not stand together (BR-34)";
        return Err(Problem::at(IssueKind::BusinessRule, "DocumentReference.securityLabel", text));
    }
    Ok(labels)
}

fn codings(labels: i32) -> Vec<Value> {
    let set = CODES.iter().filter(|(bit, ..)| labels & bit != 0);
    set.map(|(_, code, display)| json!({"system": VISIBILITY, "code": code, "display": display})).collect()
}

/// `securityLabel` of these labels: `N` alone where nothing is hidden, so that index 0 is what a client replaces.
pub(super) fn security_label(labels: i32) -> Value {
    let mut set = codings(labels);
    if set.is_empty() {
        set.push(json!({"system": CONFIDENTIALITY, "code": "N"}));
    }
    set.into_iter().map(|coding| json!({"coding": [coding]})).collect()
}

/// Writes `meta.security`: what stands there of other systems stays.
pub(super) fn splice(body: &mut Resource, labels: i32) {
    let meta = body.get("meta").and_then(|meta| meta.get("security")).and_then(Value::as_array);
    let mut security: Vec<Value> = meta.cloned().unwrap_or_default();
    security.retain(|coding| coding.get("system").and_then(Value::as_str) != Some(VISIBILITY));
    security.extend(codings(labels));
    if security.is_empty() && !body.contains_key("meta") {
        return;
    }
    let Some(meta) = body.entry("meta").or_insert_with(|| json!({})).as_object_mut() else { return };
    if security.is_empty() {
        meta.shift_remove("security");
    } else {
        meta.insert("security".into(), Value::Array(security));
    }
}

/// Gives a document and all that came of it these labels; the bits of [`STATED`] and WITHDRAWN are set anew, others stay.
pub(super) fn relabel(context: &Context<'_>, rules: &WholeRecord, document: &Stored, labels: i32) -> Result<(), Problem> {
    let family = family_of(context, rules, document)?;
    let mut all = vec![relabelled(context, document, labels)?];
    for stored in &family.own {
        all.push(relabelled(context, stored, labels)?);
    }
    store::resource_relabel(context.unit, rules, &all)?;
    share(context, rules, &family.shared)
}

/// A participant of the record is hidden only where every document that states him is.
pub(super) fn share(context: &Context<'_>, rules: &WholeRecord, participants: &[Stored]) -> Result<(), Problem> {
    let mut all = Vec::new();
    for stored in participants {
        let reference = context.server.reference(stored.resource_type, stored.pid, stored.rid);
        let parameters = Parameters(vec![("target".into(), reference)]);
        let query = super::search::parse(context, super::known_type("Provenance")?, &parameters)?;
        let documents = store::record_search(context.unit, rules, &query.plan, DOCUMENTS_MAX)?;
        let Some(labels) = documents.iter().map(|provenance| provenance.labels).reduce(|all, labels| all & labels) else {
            continue;
        };
        if (labels ^ stored.labels) & (STATED | label::WITHDRAWN) != 0 {
            all.push(relabelled(context, stored, labels)?);
        }
    }
    store::resource_relabel(context.unit, rules, &all)
}

fn relabelled(context: &Context<'_>, stored: &Stored, labels: i32) -> Result<Relabelled, Problem> {
    const SET: i32 = STATED | label::WITHDRAWN;
    let labels = (stored.labels & !SET) | (labels & SET);
    let mut body = stored.resource()?;
    let before = rows(context, stored.pid, stored, &body);
    splice(&mut body, labels);
    let after = rows(context, stored.pid, stored, &body);
    Ok(Relabelled {
        rid: stored.rid,
        labels,
        ts: after.ts,
        added: after.tokens.iter().filter(|key| !before.tokens.contains(key)).copied().collect(),
        removed: before.tokens.iter().filter(|key| !after.tokens.contains(key)).copied().collect(),
        body: Value::Object(body).to_string().into_bytes(),
    })
}

fn rows(context: &Context<'_>, pid: Pid, stored: &Stored, body: &Resource) -> search::IndexRows {
    let local = |reference: &str| context.place(reference);
    let extract = ExtractContext { keyer: &context.server.keyer, local: &local, pid, time_zone: &context.server.time_zone };
    search::extract(stored.resource_type, body, &extract)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(codes: &[(&str, &str)]) -> Result<i32, u16> {
        let set: Vec<Value> = codes.iter().map(|(system, code)| json!({"coding": [{"system": system, "code": code}]})).collect();
        parse(Some(&json!(set))).map_err(|problem| problem.status())
    }

    #[test]
    fn a_security_label_is_a_set() {
        assert_eq!(labels(&[]), Ok(0));
        assert_eq!(labels(&[(CONFIDENTIALITY, "N")]), Ok(0));
        assert_eq!(labels(&[(VISIBILITY, "MASQUE_PS"), (VISIBILITY, "MASQUE_PS")]), Ok(label::MASQUE_PS));
        let both = label::MASQUE_PS | label::INVISIBLE_REPRESENTANTS_LEGAUX;
        assert_eq!(labels(&[(VISIBILITY, "INVISIBLE_REPRESENTANTS_LEGAUX"), (VISIBILITY, "MASQUE_PS")]), Ok(both));
    }

    #[test]
    fn the_pair_that_br_34_forbids_and_labels_that_are_not_enforced_are_refused() {
        assert_eq!(labels(&[(VISIBILITY, "MASQUE_PS"), (VISIBILITY, "INVISIBLE_PATIENT")]), Err(422));
        for code in [(CONFIDENTIALITY, "R"), (CONFIDENTIALITY, "V"), (VISIBILITY, "MASQUE_PT"), ("http://x", "MASQUE_PS")] {
            assert_eq!(labels(&[code]), Err(422), "{code:?}");
        }
        assert_eq!(parse(Some(&json!([{"text": "masqué"}]))).unwrap_err().status(), 422);
    }

    #[test]
    fn what_is_written_is_read_as_it_was() {
        for set in [0, label::MASQUE_PS, label::INVISIBLE_PATIENT, label::MASQUE_PS | label::INVISIBLE_REPRESENTANTS_LEGAUX] {
            assert_eq!(parse(Some(&security_label(set))), Ok(set));
        }
    }

    #[test]
    fn security_of_other_systems_stays() {
        let mut body = Resource::new();
        body.insert("meta".into(), json!({"security": [{"system": "http://x", "code": "a"}]}));
        splice(&mut body, label::MASQUE_PS);
        assert_eq!(body["meta"]["security"].as_array().unwrap().len(), 2);
        splice(&mut body, 0);
        assert_eq!(body["meta"]["security"], json!([{"system": "http://x", "code": "a"}]));
    }
}
