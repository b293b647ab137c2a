//! The order of a search, in SQL and in memory.
use super::page::SortValue;
use super::sql::Sql;
use crate::fhir::Problem;
use crate::fhir::outcome::IssueKind;
use crate::search::{IndexRows, Key, Sort};
use std::cmp::Ordering;

/// The order of a search: sort keys, then place, in the direction of the first key.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Order {
    keys: Vec<(OrderKey, bool)>,
    descending: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum OrderKey {
    ClinicalDate,
    Updated,
    Range(Key),
}

/// What stands for no date where the oldest come first.
const WITHOUT_DATE: i64 = i64::MAX;

/// What is without a clinical date comes last in both directions.
fn of_date(ts: i64, descending: bool) -> i64 {
    if ts == IndexRows::NO_DATE && !descending { WITHOUT_DATE } else { ts }
}

impl Order {
    pub(super) fn of(sort: &[Sort]) -> Result<Self, Problem> {
        let mut keys = Vec::new();
        for one in sort {
            keys.push(match one {
                Sort::ClinicalDate { descending } => (OrderKey::ClinicalDate, *descending),
                Sort::Updated { descending } => (OrderKey::Updated, *descending),
                Sort::Range { key, descending } => (OrderKey::Range(*key), *descending),
                Sort::Body { .. } => {
                    return Err(Problem::new(IssueKind::ParameterUnknown, "Sorting by this parameter needs one record"));
                }
            });
        }
        if keys.is_empty() {
            keys.push((OrderKey::ClinicalDate, true));
        }
        if keys.iter().filter(|(key, _)| matches!(key, OrderKey::Range(_))).count() > 2 {
            return Err(Problem::new(IssueKind::ParameterUnknown, "More than two date, number or quantity sort keys"));
        }
        let descending = keys.first().is_some_and(|(_, descending)| *descending);
        Ok(Self { keys, descending })
    }

    /// Whether it is the clinical date, oldest first, alone: the index has what is without a date first, and it is given last.
    pub(super) fn is_oldest_first(&self) -> bool {
        self.keys == [(OrderKey::ClinicalDate, false)]
    }

    /// Whether these keys are of a resource without a clinical date.
    pub(super) fn is_without_date(keys: &[SortValue]) -> bool {
        keys == [SortValue::Integer(WITHOUT_DATE)]
    }

    /// The two sort columns of type float8.
    pub(super) fn columns(&self, sql: &mut Sql, alias: &str) {
        let mut ranges = self.keys.iter().filter_map(|(key, descending)| match key {
            OrderKey::Range(key) => Some((*key, *descending)),
            OrderKey::ClinicalDate | OrderKey::Updated => None,
        });
        for _ in 0..2 {
            sql.push(", ");
            match ranges.next() {
                Some((key, descending)) => range_expression(sql, alias, key, descending),
                None => {
                    sql.push("CAST(0 AS DOUBLE PRECISION)");
                }
            }
        }
    }

    /// Sort keys of a row from its loaded columns.
    pub(super) fn values(&self, ts: i64, updated: i64, ranges: [f64; 2]) -> Vec<SortValue> {
        let mut ranges = ranges.into_iter();
        let value = |(key, descending): &(OrderKey, bool)| match key {
            OrderKey::ClinicalDate => SortValue::Integer(of_date(ts, *descending)),
            OrderKey::Updated => SortValue::Integer(updated),
            OrderKey::Range(_) => SortValue::Number(ranges.next().unwrap_or(0.0)),
        };
        self.keys.iter().map(value).collect()
    }

    /// Sort keys of a superseded version from the index rows that it had.
    pub(super) fn values_of(&self, rows: &IndexRows, updated: i64) -> Vec<SortValue> {
        let value = |(key, descending): &(OrderKey, bool)| match key {
            OrderKey::ClinicalDate => SortValue::Integer(of_date(rows.ts, *descending)),
            OrderKey::Updated => SortValue::Integer(updated),
            OrderKey::Range(key) => {
                let of_key = rows.ranges.iter().filter(|(of, _, _)| of == key);
                SortValue::Number(if *descending {
                    of_key.map(|(_, _, hi)| *hi).fold(f64::NEG_INFINITY, f64::max)
                } else {
                    of_key.map(|(_, lo, _)| *lo).fold(f64::INFINITY, f64::min)
                })
            }
        };
        self.keys.iter().map(value).collect()
    }

    /// Order of two matches.
    pub(super) fn compare(&self, a: (&[SortValue], (i64, i64)), b: (&[SortValue], (i64, i64))) -> Ordering {
        for ((one, other), (_, descending)) in a.0.iter().zip(b.0).zip(&self.keys) {
            let ordering = match (one, other) {
                (SortValue::Integer(one), SortValue::Integer(other)) => one.cmp(other),
                (SortValue::Number(one), SortValue::Number(other)) => one.total_cmp(other),
                (SortValue::Integer(_), SortValue::Number(_)) => Ordering::Less,
                (SortValue::Number(_), SortValue::Integer(_)) => Ordering::Greater,
            };
            if ordering.is_ne() {
                return if *descending { ordering.reverse() } else { ordering };
            }
        }
        if self.descending { b.1.cmp(&a.1) } else { a.1.cmp(&b.1) }
    }

    /// Whether the sort keys of a cursor are of this order.
    pub(super) fn accepts(&self, keys: &[SortValue]) -> bool {
        keys.len() == self.keys.len()
    }

    /// ` AND <after position>`, in one record (so the place is the rid). `ts` and `rid` name the columns of the driver.
    pub(super) fn after(&self, sql: &mut Sql, keys: &[SortValue], rid: i64, columns: &OrderColumns) {
        let bind = |sql: &mut Sql, value: SortValue| match value {
            SortValue::Integer(value) => {
                sql.integer(value);
            }
            SortValue::Number(value) => {
                sql.number(value);
            }
        };
        let sign = |descending: bool| if descending { " < " } else { " > " };
        // (k1 after a) OR (k1 = a AND ((k2 after b) OR ...)): any mixture of directions. For one direction, a row value,
        // which is a range of the index.
        if self.keys.iter().all(|(_, descending)| *descending == self.descending) {
            sql.push(" AND (");
            for (key, descending) in &self.keys {
                self.expression(sql, *key, *descending, columns);
                sql.push(", ");
            }
            sql.push(columns.rid).push(")").push(sign(self.descending)).push("(");
            for value in keys {
                bind(sql, *value);
                sql.push(", ");
            }
            sql.integer(rid).push(")");
            return;
        }
        sql.push(" AND (");
        for ((key, descending), value) in self.keys.iter().zip(keys) {
            self.expression(sql, *key, *descending, columns);
            sql.push(sign(*descending));
            bind(sql, *value);
            sql.push(" OR (");
            self.expression(sql, *key, *descending, columns);
            sql.push(" = ");
            bind(sql, *value);
            sql.push(" AND (");
        }
        sql.push(columns.rid).push(sign(self.descending)).integer(rid);
        for _ in &self.keys {
            sql.push("))");
        }
        sql.push(")");
    }

    pub(super) fn order_by(&self, sql: &mut Sql, columns: &OrderColumns) {
        let direction = |descending: bool| if descending { " DESC, " } else { " ASC, " };
        sql.push(" ORDER BY ");
        for (key, descending) in &self.keys {
            self.expression(sql, *key, *descending, columns);
            sql.push(direction(*descending));
        }
        sql.push(columns.rid).push(if self.descending { " DESC" } else { " ASC" });
    }

    fn expression(&self, sql: &mut Sql, key: OrderKey, descending: bool, columns: &OrderColumns) {
        match key {
            // Alone, the batches of the index keep what is without a date for the end.
            OrderKey::ClinicalDate if descending || self.is_oldest_first() => {
                sql.push(columns.ts);
            }
            OrderKey::ClinicalDate => {
                sql.push("CASE WHEN ").push(columns.ts).push(" = ").integer(IndexRows::NO_DATE).push(" THEN ");
                sql.integer(WITHOUT_DATE).push(" ELSE ").push(columns.ts).push(" END");
            }
            OrderKey::Updated => {
                sql.push("r.updated");
            }
            OrderKey::Range(key) => range_expression(sql, "r", key, descending),
        }
    }
}

/// Which columns give the order: those of the driver, so that its index is the order.
pub(super) struct OrderColumns {
    pub(super) ts: &'static str,
    pub(super) rid: &'static str,
}

/// Smallest lo ascending, greatest hi descending; without a value last.
fn range_expression(sql: &mut Sql, alias: &str, key: Key, descending: bool) {
    let (column, none) = if descending { ("MAX(s.hi)", f64::NEG_INFINITY) } else { ("MIN(s.lo)", f64::INFINITY) };
    sql.push(format!("COALESCE((SELECT {column} FROM \"range\" AS s WHERE s.pid = {alias}.pid AND s.key = ")).integer(key.0);
    sql.push(format!(" AND s.ts = {alias}.ts AND s.rid = {alias}.rid), ")).number(none).push(")");
}
