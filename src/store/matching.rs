//! Everything that fulfils a plan, without order and pages: what stands behind a chain or a filter.
use super::cohort;
use super::order::Order;
use super::resource::Stored;
use super::search::{BATCH, Hit, MATCHES, Search, demand_resolved};
use super::select::Reader;
use super::unit::{Access, Scope, Unit};
use crate::fhir::Problem;
use crate::fhir::outcome::IssueKind;
use crate::ids::{Pid, Rid};
use crate::search::Plan;

/// Where everything is that fulfils the plan, at most 20,000: in the scope of the access, or in the directory, which every
/// caller reads.
///
/// # Errors
/// `TooCostly` for more; as `resource_search` else.
pub fn resource_matches(
    unit: &Unit,
    access: &Access,
    in_directory: bool,
    plan: &Plan,
    recheck: &mut dyn FnMut(&Stored) -> bool,
) -> Result<Vec<(Pid, Rid)>, Problem> {
    demand_resolved(plan)?;
    let reader = Reader::new(unit, access);
    let reader = if in_directory { reader.of_directory() } else { reader };
    let search = Search { unit, access, plan, order: Order::of(&[])?, reader, told: None };
    let mut found = Vec::new();
    let mut keep = |hit: &Hit| {
        if !plan.recheck || recheck(&hit.stored) {
            found.push((hit.stored.pid, hit.stored.rid));
        }
        found.len()
    };
    if matches!(search.reader.scope, Scope::Cohort) {
        cohort::matches(&search, i64::MAX, plan.recheck, &mut |hit| {
            keep(&hit);
        })?;
        return Ok(found);
    }
    let mut after = None;
    loop {
        unit.check_deadline()?;
        let batch = search.batch(None, after.as_ref(), BATCH)?;
        let last_batch = batch.len() < BATCH;
        after = batch.last().map(|hit| (hit.keys.clone(), hit.stored.rid.0));
        for hit in &batch {
            if keep(hit) > MATCHES {
                let text = "More than 20,000 resources stand behind a chain or a filter; add a criterion";
                return Err(Problem::new(IssueKind::TooCostly, text));
            }
        }
        if last_batch {
            return Ok(found);
        }
    }
}
