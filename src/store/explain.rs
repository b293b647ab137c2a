//! How the database goes about a search: for operators and for the tests that say which index each question takes.
use super::backend::Dialect;
use super::cohort;
use super::order::Order;
use super::page::PageRequest;
use super::search::{Search, demand_resolved};
use super::select::Reader;
use super::sql::Sql;
use super::unit::{Access, Scope, Unit};
use crate::fhir::Problem;
use crate::search::Plan;
use diesel::sql_types::{BigInt, Text};
use std::cell::RefCell;

/// The plans of the statements that find the first page of this search, one text for each statement.
///
/// # Errors
/// As [`super::resource_search`].
pub fn resource_search_explained(unit: &Unit, access: &Access, plan: &Plan, count: usize) -> Result<Vec<String>, Problem> {
    demand_resolved(plan)?;
    let told = RefCell::new(Vec::new());
    let reader = Reader::new(unit, access);
    let search = Search { unit, access, plan, order: Order::of(&plan.sort)?, reader, told: Some(&told) };
    let page = PageRequest { count, total: false, cursor: None, query: None };
    match access.scope() {
        Scope::Cohort => drop(cohort::search(&search, &page, None, &mut |_| true)?),
        Scope::Record(..) | Scope::Own(_) | Scope::Directory | Scope::Patient(_) => {
            drop(search.in_one_record(&page, None, &mut |_| true)?);
        }
    }
    Ok(told.into_inner())
}

/// Renews what the database knows of its tables, by which it chooses its plans: after a bulk load.
///
/// # Errors
/// Where the database fails.
pub fn statistics_renew(unit: &Unit) -> Result<(), Problem> {
    let sql = unit.sql("ANALYZE");
    unit.run(|connection| sql.execute(connection)).map(|_| ())
}

/// The plan of one statement.
pub(super) fn plan_of(unit: &Unit, sql: &Sql) -> Result<String, Problem> {
    let lines: Vec<String> = match unit.dialect() {
        Dialect::Sqlite => {
            type Columns = (BigInt, BigInt, BigInt, Text);
            let sql = sql.explained("EXPLAIN QUERY PLAN ");
            let rows = unit.run(|connection| sql.load::<Columns, (i64, i64, i64, String)>(connection))?;
            rows.into_iter().map(|row| row.3).collect()
        }
        Dialect::Postgresql => {
            let sql = sql.explained("EXPLAIN ");
            unit.run(|connection| sql.load::<Text, String>(connection))?
        }
    };
    Ok(lines.join("\n"))
}
