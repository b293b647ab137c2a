//! Which documents a new version replaces, and whether it arrives late (DESIGN section 4, BR-42).
//!
//! Targets: `relatesTo` of the deposit, `parentDocument/id`, and what is current of the same setId with a lower version; in the
//! same record only, and only for the depositor, an author or the custodian structure of the old one. Otherwise both stay,
//! with an issue. A higher version of the same setId makes the deposit late, whatever it names itself.
use super::checks::token;
use super::prepared::Prepared;
use crate::auth::Caller;
use crate::cda::{Header, Id};
use crate::fhir::interaction::Parameters;
use crate::fhir::{Issue, IssueKind, Problem, Resource};
use crate::ids::Rid;
use crate::policy::permit::label;
use crate::service::{Context, known_type};
use crate::store::{self, Access, Stored, WholeRecord};
use serde_json::Value;
use std::collections::HashSet;

/// The other versions of a deposit.
#[derive(Default)]
pub(super) struct Versions {
    /// DocumentReferences that it replaces.
    pub(super) replaced: Vec<Stored>,
    /// A newer version is here: this one is stored superseded.
    pub(super) late: bool,
    /// Labels that it inherits.
    pub(super) labels: i32,
}

/// Most documents that are looked at for one identifier.
const FAMILY_MAX: usize = 1_000;

/// Finds the other versions.
///
/// # Errors
/// 422 where `relatesTo` names a document that is not here, not the depositor's, or a later version of the deposit.
pub(super) fn find(
    context: &Context<'_>,
    access: &Access,
    rules: &WholeRecord,
    body: &Resource,
    prepared: &Prepared,
    issues: &mut Vec<Issue>,
) -> Result<Versions, Problem> {
    let finder = Finder { context, access, rules };
    let family = finder.family_of(&prepared.header, issues)?;
    let later: HashSet<Rid> = family.later.iter().map(|document| document.rid).collect();
    let mut replaced = finder.stated(body)?;
    if replaced.iter().any(|old| later.contains(&old.rid)) {
        let text = "The document to replace is a later version of the same document (setId, versionNumber)";
        return Err(Problem::at(IssueKind::BusinessRule, "DocumentReference.relatesTo", text));
    }
    for old in finder.parents(&prepared.header, issues)? {
        if later.contains(&old.rid) {
            warn(issues, "The parentDocument is a later version of the same document: the versionNumber decides (BR-42)");
        } else {
            replaced.push(old);
        }
    }
    let nearest = family.earlier.iter().map(|(version, _)| *version).max();
    let alone = replaced.is_empty() && family.earlier.iter().all(|(_, document)| !is_current(document));
    for (version, document) in family.earlier {
        if is_current(&document) || (alone && Some(version) == nearest) {
            replaced.push(document);
        }
    }
    let mut seen = HashSet::new();
    replaced.retain(|old| seen.insert(old.rid));
    let labels = replaced.iter().chain(&family.later).fold(0, |labels, document| labels | document.labels);
    Ok(Versions { replaced, late: !later.is_empty(), labels: labels & !label::WITHDRAWN })
}

fn warn(issues: &mut Vec<Issue>, text: &'static str) {
    issues.push(Issue::at(IssueKind::Warning, "DocumentReference.relatesTo", text));
}

pub(super) fn is_current(document: &Stored) -> bool {
    document.resource().is_ok_and(|body| body.get("status").and_then(Value::as_str) == Some("current"))
}

/// The documents of a deposit's setId whose depositor, author or custodian its caller is.
#[derive(Default)]
struct Family {
    earlier: Vec<(i64, Stored)>,
    later: Vec<Stored>,
}

/// Who looks, and where.
struct Finder<'a> {
    context: &'a Context<'a>,
    access: &'a Access,
    rules: &'a WholeRecord,
}

impl Finder<'_> {
    /// Documents that `relatesTo` names with code `replaces`.
    fn stated(&self, body: &Resource) -> Result<Vec<Stored>, Problem> {
        let relations = body.get("relatesTo").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let mut found = Vec::new();
        for (index, relation) in relations.iter().enumerate() {
            if relation.get("code").and_then(Value::as_str) != Some("replaces") {
                continue;
            }
            let path = format!("DocumentReference.relatesTo[{index}].target");
            let missing = || Problem::at(IssueKind::ReferenceUnresolved, path.clone(), "The document to replace is not here");
            let target = relation.get("target").ok_or_else(missing)?;
            let documents = self.target(target)?;
            if documents.is_empty() {
                return Err(missing());
            }
            for document in documents {
                if self.is_entitled(&document)? {
                    found.push(document);
                } else if self.sees(&document)? {
                    let text = "Only its depositor, an author or the custodian structure replaces a document (BR-42)";
                    return Err(Problem::at(IssueKind::BusinessRule, "DocumentReference.relatesTo", text));
                } else {
                    return Err(missing());
                }
            }
        }
        Ok(found)
    }

    /// The documents that a `relatesTo.target` names, by reference or by identifier.
    fn target(&self, target: &Value) -> Result<Vec<Stored>, Problem> {
        let Some(reference) = target.get("reference").and_then(Value::as_str) else {
            let text = |name: &str| {
                target.get("identifier").and_then(|identifier| identifier.get(name)).and_then(Value::as_str).unwrap_or_default()
            };
            return self.by_identifier("DocumentReference", &format!("{}|{}", text("system"), text("value")));
        };
        let Some((_, pid, rid)) = self.context.server.resolve(reference) else { return Ok(Vec::new()) };
        let mut documents = store::record_places(self.context.unit, self.rules, &[(pid, rid)])?;
        documents.retain(|document| document.resource_type.name() == "DocumentReference" && !is_withdrawn(document));
        Ok(documents)
    }

    /// Documents that `parentDocument` of the header names.
    fn parents(&self, header: &Header, issues: &mut Vec<Issue>) -> Result<Vec<Stored>, Problem> {
        let related = header.related_documents.iter().filter(|related| related.type_code == "RPLC");
        let ids: Vec<&Id> = related.flat_map(|related| &related.ids).collect();
        let mut kept = Vec::new();
        let mut others = false;
        for id in &ids {
            for old in self.by_identifier("DocumentReference", &token(id))? {
                if self.is_entitled(&old)? {
                    kept.push(old);
                } else {
                    others |= self.sees(&old)?;
                }
            }
        }
        if others {
            warn(issues, "The document that this one replaces belongs to another depositor: both stay (BR-42)");
        } else if kept.is_empty() && !ids.is_empty() {
            warn(issues, "The document that this one replaces is not here (BR-42)");
        }
        Ok(kept)
    }

    /// The other versions by setId and versionNumber: a Composition holds both (C6).
    fn family_of(&self, header: &Header, issues: &mut Vec<Issue>) -> Result<Family, Problem> {
        let mut family = Family::default();
        let (Some(set_id), Some(version)) = (&header.set_id, header.version_number) else { return Ok(family) };
        for composition in self.by_identifier("Composition", &token(set_id))? {
            let composition: Resource = composition.resource()?;
            let source = composition.get("meta").and_then(|meta| meta.get("source")).and_then(Value::as_str);
            let Some((other, source)) = version_number(&composition).zip(source) else { continue };
            for document in self.by_identifier("DocumentReference", &master(source))? {
                if !self.is_entitled(&document)? {
                    // Of what he does not see nothing shows, not even that it is there.
                    if other < version && self.sees(&document)? {
                        warn(issues, "An earlier version belongs to another depositor: both stay (BR-42)");
                    }
                } else if other < version {
                    family.earlier.push((other, document));
                } else if other > version {
                    family.later.push(document);
                } else {
                    warn(issues, "Another document has this setId and versionNumber: both stay (BR-42)");
                }
            }
        }
        Ok(family)
    }

    /// Resources of this type with this identifier, in the whole record, the withdrawn ones left out.
    fn by_identifier(&self, resource_type: &str, token: &str) -> Result<Vec<Stored>, Problem> {
        let escaped = token.replace('\\', "\\\\").replace(',', "\\,");
        let parameters = Parameters(vec![("identifier".into(), escaped)]);
        let query = crate::service::search::parse(self.context, known_type(resource_type)?, &parameters)?;
        let mut found = store::record_search(self.context.unit, self.rules, &query.plan, FAMILY_MAX)?;
        found.retain(|found| !is_withdrawn(found));
        Ok(found)
    }

    /// Depositor, author, or custodian structure of the old document.
    fn is_entitled(&self, old: &Stored) -> Result<bool, Problem> {
        let caller = &self.context.request.caller;
        let Some(who) = caller.who() else { return Ok(matches!(caller, Caller::Operator | Caller::Server)) };
        if store::authored_by(self.context.unit, self.rules, old.rid, &who)? {
            return Ok(true);
        }
        let structure = match caller {
            Caller::Professional(professional) => professional.structure.clone(),
            Caller::System(system) => Some(system.structure.clone()),
            Caller::Patient(_) | Caller::Operator | Caller::Server => None,
        };
        let Some(structure) = structure else { return Ok(false) };
        store::authored_by(self.context.unit, self.rules, old.rid, &structure.as_custodian())
    }

    /// Whether the caller may be told that a document is here.
    fn sees(&self, document: &Stored) -> Result<bool, Problem> {
        let seen = store::resource_read(self.context.unit, self.access, document.resource_type, document.rid)?;
        Ok(seen.is_some())
    }
}

fn is_withdrawn(stored: &Stored) -> bool {
    stored.labels & label::WITHDRAWN != 0
}

/// meta.source of extracted data as the token of its document: a URI, or `urn:oid:root#extension`.
fn master(source: &str) -> String {
    match source.split_once('#') {
        Some((root, extension)) => format!("{root}|{extension}"),
        None => format!("urn:ietf:rfc:3986|{source}"),
    }
}

fn version_number(composition: &Resource) -> Option<i64> {
    let extensions = composition.get("extension")?.as_array()?;
    let version = extensions.iter().find(|extension| {
        extension.get("url").and_then(Value::as_str)
            == Some("http://hl7.org/fhir/5.0/StructureDefinition/extension-Composition.version")
    })?;
    version.get("valueString")?.as_str()?.parse().ok()
}
