//! Which documents a new version replaces, and whether it arrives late (DESIGN section 4, BR-42).
//!
//! Target: `relatesTo` of the deposit, else `parentDocument/id`, else the same setId with a lower version; in the same
//! record only, and only for the depositor, an author or the custodian structure of the old one. Otherwise both stay,
//! with an issue.
use super::checks::token;
use crate::auth::Caller;
use crate::cda::{Header, Id};
use crate::fhir::interaction::Parameters;
use crate::fhir::{Issue, IssueKind, Problem, Resource};
use crate::service::Context;
use crate::store::{self, Access, PageRequest, Stored};
use serde_json::Value;

/// The other versions of a deposit.
#[derive(Default)]
pub(super) struct Versions {
    /// DocumentReferences that it replaces.
    pub(super) replaced: Vec<Stored>,
    /// A newer version is here: this one is stored superseded.
    pub(super) late: bool,
}

/// Most documents that are looked at for one setId.
const FAMILY_MAX: usize = 100;

/// Finds the other versions.
///
/// # Errors
/// 422 where `relatesTo` names a document that is not here or not the depositor's.
pub(super) fn find(
    context: &Context<'_>,
    rules: &Access,
    body: &Resource,
    header: &Header,
    issues: &mut Vec<Issue>,
) -> Result<Versions, Problem> {
    let stated = stated(context, rules, body)?;
    if !stated.is_empty() {
        for old in &stated {
            if !entitled(context, rules, old)? {
                let text = "Only its depositor, an author or the custodian structure replaces a document (BR-42)";
                return Err(Problem::at(IssueKind::BusinessRule, "DocumentReference.relatesTo", text));
            }
        }
        return Ok(Versions { replaced: stated, late: false });
    }
    let related = header.related_documents.iter().filter(|related| related.type_code == "RPLC");
    let ids: Vec<&Id> = related.flat_map(|related| &related.ids).collect();
    let mut replaced = Vec::new();
    for id in &ids {
        replaced.extend(by_identifier(context, rules, "DocumentReference", &token(id))?);
    }
    let mut late = false;
    if replaced.is_empty()
        && let (Some(set_id), Some(version)) = (&header.set_id, header.version_number)
    {
        for (other, document) in family(context, rules, set_id)? {
            if other < version {
                replaced.push(document);
            } else if other > version && entitled(context, rules, &document)? {
                late = true;
            }
        }
    }
    let mut kept = Vec::new();
    for old in replaced {
        if entitled(context, rules, &old)? {
            kept.push(old);
        } else {
            issues.push(Issue::at(
                IssueKind::Warning,
                "DocumentReference.relatesTo",
                "The document that this one replaces belongs to another depositor: both stay (BR-42)",
            ));
        }
    }
    if kept.is_empty() && !ids.is_empty() {
        issues.push(Issue::at(
            IssueKind::Warning,
            "DocumentReference.relatesTo",
            "The document that this one replaces is not here: filed as new (BR-42)",
        ));
    }
    Ok(Versions { replaced: kept, late })
}

/// Documents that `relatesTo` with code `replaces` names.
fn stated(context: &Context<'_>, rules: &Access, body: &Resource) -> Result<Vec<Stored>, Problem> {
    let relations = body.get("relatesTo").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut found = Vec::new();
    for (index, relation) in relations.iter().enumerate() {
        if relation.get("code").and_then(Value::as_str) != Some("replaces") {
            continue;
        }
        let path = format!("DocumentReference.relatesTo[{index}].target");
        let missing = || Problem::at(IssueKind::ReferenceUnresolved, path.clone(), "The document to replace is not here");
        let target = relation.get("target").ok_or_else(missing)?;
        let documents = if let Some(reference) = target.get("reference").and_then(Value::as_str) {
            let (_, pid, rid) = context.server.resolve(reference).ok_or_else(missing)?;
            store::resource_places(context.unit, rules, &[(pid, rid)])?
        } else {
            let text = |name: &str| {
                target.get("identifier").and_then(|identifier| identifier.get(name)).and_then(Value::as_str).unwrap_or_default()
            };
            by_identifier(context, rules, "DocumentReference", &format!("{}|{}", text("system"), text("value")))?
        };
        if documents.is_empty() {
            return Err(missing());
        }
        found.extend(documents.into_iter().filter(|document| document.resource_type.name() == "DocumentReference"));
    }
    Ok(found)
}

/// Resources of this type with this identifier, in the whole record.
fn by_identifier(context: &Context<'_>, rules: &Access, resource_type: &str, token: &str) -> Result<Vec<Stored>, Problem> {
    let escaped = token.replace('\\', "\\\\").replace(',', "\\,");
    let parameters = Parameters(vec![("identifier".into(), escaped)]);
    let query = crate::service::search::parse(context, super::super::known_type(resource_type)?, &parameters)?;
    let page = PageRequest { count: FAMILY_MAX, total: false, cursor: None };
    Ok(store::resource_search(context.unit, rules, &query.plan, &page, &mut |_| true)?.resources)
}

/// The documents of one setId with their version: a Composition holds both (C6).
fn family(context: &Context<'_>, rules: &Access, set_id: &Id) -> Result<Vec<(i64, Stored)>, Problem> {
    let mut documents = Vec::new();
    for composition in by_identifier(context, rules, "Composition", &token(set_id))? {
        let composition: Resource = parsed(&composition)?;
        let source = composition.get("meta").and_then(|meta| meta.get("source")).and_then(Value::as_str);
        let Some((version, source)) = version(&composition).zip(source) else { continue };
        for document in by_identifier(context, rules, "DocumentReference", &master(source))? {
            documents.push((version, document));
        }
    }
    Ok(documents)
}

/// meta.source of extracted data as the token of its document: a URI, or `urn:oid:root#extension`.
fn master(source: &str) -> String {
    match source.split_once('#') {
        Some((root, extension)) => format!("{root}|{extension}"),
        None => format!("urn:ietf:rfc:3986|{source}"),
    }
}

fn version(composition: &Resource) -> Option<i64> {
    let extensions = composition.get("extension")?.as_array()?;
    let version = extensions.iter().find(|extension| {
        extension.get("url").and_then(Value::as_str)
            == Some("http://hl7.org/fhir/5.0/StructureDefinition/extension-Composition.version")
    })?;
    version.get("valueString")?.as_str()?.parse().ok()
}

/// Depositor, author, or custodian structure of the old document.
fn entitled(context: &Context<'_>, rules: &Access, old: &Stored) -> Result<bool, Problem> {
    let caller = &context.request.caller;
    let Some(who) = caller.who() else { return Ok(matches!(caller, Caller::Operator | Caller::Server)) };
    if store::authored_by(context.unit, rules, old.rid, &who)? {
        return Ok(true);
    }
    let structure = match caller {
        Caller::Professional(professional) => professional.structure.clone(),
        Caller::System(system) => Some(system.structure.clone()),
        Caller::Patient(_) | Caller::Operator | Caller::Server => None,
    };
    let Some(structure) = structure else { return Ok(false) };
    Ok(store::authored_by(context.unit, rules, old.rid, &format!("custodian:{}", structure.as_str()))?)
}

pub(super) fn parsed(stored: &Stored) -> Result<Resource, Problem> {
    serde_json::from_slice(&stored.body)
        .map_err(|_not_json| Problem::new(IssueKind::Internal, "A stored resource cannot be read"))
}
