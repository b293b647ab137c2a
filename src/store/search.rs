//! Searches.
use super::page::{Page, PageRequest};
use super::resource::Stored;
use super::unit::{Access, Unit, internal};
use crate::fhir::Problem;
use crate::ids::{Pid, Rid};
use crate::search::{Key, Plan};
/// x
pub fn resource_search(
    _unit: &Unit,
    _access: &Access,
    _plan: &Plan,
    _page: &PageRequest,
    _recheck: &mut dyn FnMut(&Stored) -> bool,
) -> Result<Page, Problem> {
    Err(internal("not built yet"))
}
/// x
pub fn resource_places(_unit: &Unit, _access: &Access, _places: &[(Pid, Rid)]) -> Result<Vec<Stored>, Problem> {
    Err(internal("not built yet"))
}
/// x
pub fn resource_referring(
    _unit: &Unit,
    _access: &Access,
    _base: Key,
    _places: &[(Pid, Rid)],
    _limit: usize,
) -> Result<Vec<Stored>, Problem> {
    Err(internal("not built yet"))
}
