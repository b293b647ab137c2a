//! Predicates of a plan: as SQL on index rows, and on the rows of a superseded version in memory.
use super::rows::norm;
use super::select::{self, Reader};
use super::sql::Sql;
use super::unit::Scope;
use crate::ids::{Pid, Rid};
use crate::search::{IndexRows, Key, Keyer, Plan, Predicate, RangeTest, Repeat};

/// Width of a reference key: `parameter number * 2^49 + rid`.
const RID_SPAN: i64 = 1 << 49;
/// Statements with more predicates are not cached, so that no caller grows the cache.
const CACHED_MAX: usize = 8;

/// Number of conditions on index rows in these predicates.
fn leaves(predicates: &[Predicate]) -> usize {
    predicates
        .iter()
        .map(|predicate| match predicate {
            Predicate::Tokens(_) | Predicate::Places(_) | Predicate::Within(_) | Predicate::Behind(_) => 1,
            Predicate::Range(_, tests) | Predicate::Updated(tests) => tests.len().max(1),
            Predicate::Text(_, prefixes) => prefixes.len().max(1),
            Predicate::Linked(_, plan) | Predicate::LinkedFrom(_, plan) => leaves(&plan.predicates).saturating_add(2),
            Predicate::Repeats(repeat) => leaves(&repeat.plan.predicates).saturating_add(3),
            Predicate::All(list) | Predicate::Any(list) => leaves(list),
            Predicate::Not(inner) => leaves(std::slice::from_ref(inner)),
        })
        .sum()
}

/// Writes ` AND (..)` for the type and each predicate of the plan on the resource `alias`.
pub(super) fn plan(sql: &mut Sql, reader: &Reader<'_>, alias: &str, plan: &Plan, depth: usize) {
    plan_but(sql, reader, alias, plan, depth, None);
}

/// The same without the predicate that drives the statement.
pub(super) fn plan_but(sql: &mut Sql, reader: &Reader<'_>, alias: &str, plan: &Plan, depth: usize, driver: Option<usize>) {
    if leaves(&plan.predicates) > CACHED_MAX {
        sql.uncached();
    }
    sql.push(format!(" AND {alias}.type = ")).integer(i64::from(plan.resource_type.number()));
    for (number, predicate) in plan.predicates.iter().enumerate() {
        if driver != Some(number) {
            sql.push(" AND ");
            write(sql, reader, alias, predicate, depth);
        }
    }
}

fn write(sql: &mut Sql, reader: &Reader<'_>, alias: &str, predicate: &Predicate, depth: usize) {
    match predicate {
        Predicate::Tokens(keys) => {
            probe(sql, "token", alias);
            keys_condition(sql, keys);
            sql.push(")");
        }
        Predicate::Range(key, tests) => {
            probe(sql, "\"range\"", alias);
            sql.push(" = ").integer(key.0).push(" AND ");
            range_tests(sql, tests, "t.lo", "t.hi");
            sql.push(")");
        }
        Predicate::Text(key, prefixes) => {
            probe(sql, "\"text\"", alias);
            sql.push(" = ").integer(key.0).push(" AND ");
            text_tests(sql, prefixes);
            sql.push(")");
        }
        Predicate::Places(places) => places_condition(sql, reader, alias, places),
        Predicate::Within(records) => {
            sql.push(format!("{alias}.pid")).in_list(records.iter().map(|pid| pid.0));
        }
        Predicate::Updated(tests) => range_tests(sql, tests, &format!("{alias}.updated"), &format!("({alias}.updated + 1)")),
        Predicate::Linked(base, plan) => linked(sql, reader, alias, *base, plan, depth + 1),
        Predicate::LinkedFrom(base, plan) => linked_from(sql, reader, alias, *base, plan, depth + 1),
        Predicate::Repeats(repeat) => repeats(sql, reader, alias, repeat, depth + 1),
        Predicate::Behind(behind) => {
            places_condition(sql, reader, alias, behind.places.as_ref().map_or(&[], |places| places.as_slice()));
        }
        Predicate::All(list) => joined(sql, reader, alias, list, " AND ", "1 = 1", depth),
        Predicate::Any(list) => joined(sql, reader, alias, list, " OR ", "1 = 0", depth),
        Predicate::Not(inner) => {
            sql.push("NOT (");
            write(sql, reader, alias, inner, depth);
            sql.push(")");
        }
    }
}

fn joined(
    sql: &mut Sql,
    reader: &Reader<'_>,
    alias: &str,
    list: &[Predicate],
    between: &'static str,
    none: &'static str,
    depth: usize,
) {
    if list.is_empty() {
        sql.push(none);
        return;
    }
    sql.push("(");
    for (number, predicate) in list.iter().enumerate() {
        if number > 0 {
            sql.push(between);
        }
        write(sql, reader, alias, predicate, depth);
    }
    sql.push(")");
}

/// Begins a probe of the index rows of one resource, up to the key: pid, ts and rid are bound, so it is one look-up.
fn probe(sql: &mut Sql, table: &str, alias: &str) {
    sql.push(format!(
        "EXISTS (SELECT 1 FROM {table} AS t WHERE t.pid = {alias}.pid AND t.ts = {alias}.ts AND t.rid = {alias}.rid AND t.key"
    ));
}

/// ` = ?` or ` IN (..)`.
pub(super) fn keys_condition(sql: &mut Sql, keys: &[Key]) {
    match keys {
        [key] => {
            sql.push(" = ").integer(key.0);
        }
        _ => {
            sql.in_list(keys.iter().map(|key| key.0));
        }
    }
}

/// `(test OR test)` over the columns of an interval.
pub(super) fn range_tests(sql: &mut Sql, tests: &[RangeTest], lo: &str, hi: &str) {
    if tests.is_empty() {
        sql.push("1 = 0");
        return;
    }
    sql.push("(");
    for (number, test) in tests.iter().enumerate() {
        if number > 0 {
            sql.push(" OR ");
        }
        match test {
            RangeTest::Within(a, b) => {
                sql.push(format!("({lo} >= ")).number(*a).push(format!(" AND {hi} <= ")).number(*b).push(")")
            }
            RangeTest::NotWithin(a, b) => {
                sql.push(format!("({lo} < ")).number(*a).push(format!(" OR {hi} > ")).number(*b).push(")")
            }
            RangeTest::HiAbove(a) => sql.push(format!("{hi} > ")).number(*a),
            RangeTest::LoBelow(a) => sql.push(format!("{lo} < ")).number(*a),
            RangeTest::LoAtLeast(a) => sql.push(format!("{lo} >= ")).number(*a),
            RangeTest::HiAtMost(a) => sql.push(format!("{hi} <= ")).number(*a),
            RangeTest::Overlaps(a, b) => {
                sql.push(format!("({lo} < ")).number(*b).push(format!(" AND {hi} > ")).number(*a).push(")")
            }
        };
    }
    sql.push(")");
}

/// `(prefix OR prefix)` over `t.norm`.
pub(super) fn text_tests(sql: &mut Sql, prefixes: &[String]) {
    if prefixes.is_empty() {
        sql.push("1 = 0");
        return;
    }
    sql.push("(");
    for (number, prefix) in prefixes.iter().enumerate() {
        if number > 0 {
            sql.push(" OR ");
        }
        let prefix = norm(prefix);
        let after = successor(&prefix);
        sql.push("(t.norm >= ").text(prefix);
        if let Some(after) = after {
            sql.push(" AND t.norm < ").text(after);
        }
        sql.push(")");
    }
    sql.push(")");
}

/// The least text after all that start with the prefix: both databases compare bytes, and the order of UTF-8 is that of
/// its characters. `None` where there is no such text.
fn successor(prefix: &str) -> Option<String> {
    let mut characters: Vec<char> = prefix.chars().collect();
    while let Some(last) = characters.pop() {
        let after = if last == '\u{D7FF}' { Some('\u{E000}') } else { char::from_u32(u32::from(last).saturating_add(1)) };
        if let Some(after) = after {
            characters.push(after);
            return Some(characters.into_iter().collect());
        }
    }
    None
}

fn places_condition(sql: &mut Sql, reader: &Reader<'_>, alias: &str, places: &[(Pid, Rid)]) {
    match reader.scope {
        Scope::Cohort => {
            let pairs: Vec<(i64, i64)> = places.iter().map(|(pid, rid)| (pid.0, rid.0)).collect();
            sql.push("EXISTS (SELECT 1 FROM ").pairs(&pairs, "p");
            sql.push(format!(" WHERE p.a = {alias}.pid AND p.b = {alias}.rid)"));
        }
        Scope::Record(pid, _) | Scope::Own(pid) => rids(sql, alias, places, *pid),
        Scope::Directory => rids(sql, alias, places, Pid::DIRECTORY),
        Scope::Patient(pid) => rids(sql, alias, places, pid.unwrap_or(Pid(-2))),
    }
}

fn rids(sql: &mut Sql, alias: &str, places: &[(Pid, Rid)], record: Pid) {
    sql.push(format!("{alias}.rid"));
    sql.in_list(places.iter().filter(|(pid, _)| *pid == record).map(|(_, rid)| rid.0));
}

/// A reference of this resource leads to one that fulfils the plan.
fn linked(sql: &mut Sql, reader: &Reader<'_>, alias: &str, base: Key, inner: &Plan, depth: usize) {
    if Keyer::is_directory_base(base) {
        return linked_to_directory(sql, reader, alias, base, inner, depth);
    }
    let (target, link) = (format!("r{depth}"), format!("t{depth}"));
    match reader.scope {
        // Over several records: from each candidate along its references.
        Scope::Cohort => {
            sql.push("EXISTS (SELECT 1");
            select::from(sql, &format!("token AS {link}"), &target);
            sql.push(format!(
                " WHERE {link}.pid = {alias}.pid AND {link}.ts = {alias}.ts AND {link}.rid = {alias}.rid AND {link}.key >= "
            ));
            sql.integer(base.0).push(format!(" AND {link}.key < ")).integer(base.0.saturating_add(RID_SPAN));
            sql.push(format!(" AND {target}.pid = {link}.pid AND {target}.rid = {link}.key - ")).integer(base.0).push(" AND ");
        }
        // In one record: the targets once, then who refers to them.
        Scope::Record(..) | Scope::Own(_) | Scope::Directory | Scope::Patient(_) => {
            sql.push(format!("{alias}.rid IN (SELECT {link}.rid"));
            select::from(sql, "", &target);
            sql.push(format!(" CROSS JOIN token AS {link} WHERE {link}.pid = {target}.pid AND {link}.key = {target}.rid + "));
            sql.integer(base.0).push(" AND ");
        }
    }
    reader.visible(sql, &target);
    plan(sql, reader, &target, inner, depth);
    sql.push(")");
}

/// A reference of this resource leads to one of the directory that fulfils the plan: every reader sees the directory.
fn linked_to_directory(sql: &mut Sql, reader: &Reader<'_>, alias: &str, base: Key, inner: &Plan, depth: usize) {
    let (target, link) = (format!("r{depth}"), format!("t{depth}"));
    sql.push("EXISTS (SELECT 1");
    select::from(sql, &format!("token AS {link}"), &target);
    sql.push(format!(
        " WHERE {link}.pid = {alias}.pid AND {link}.ts = {alias}.ts AND {link}.rid = {alias}.rid AND {link}.key >= "
    ));
    sql.integer(base.0).push(format!(" AND {link}.key < ")).integer(base.0.saturating_add(RID_SPAN));
    sql.push(format!(" AND {target}.rid = {link}.key - ")).integer(base.0).push(" AND ");
    let directory = reader.of_directory();
    directory.visible(sql, &target);
    plan(sql, &directory, &target, inner, depth);
    sql.push(")");
}

/// The resource repeats what another of its record states. The tag is looked up first: few resources have it.
fn repeats(sql: &mut Sql, reader: &Reader<'_>, alias: &str, repeat: &Repeat, depth: usize) {
    let (other, tag, own, original) = (format!("r{depth}"), format!("g{depth}"), format!("t{depth}"), format!("o{depth}"));
    sql.push("EXISTS (SELECT 1");
    select::from(sql, &format!("token AS {tag} CROSS JOIN token AS {own} CROSS JOIN token AS {original}"), &other);
    sql.push(format!(" WHERE {tag}.pid = {alias}.pid AND {tag}.ts = {alias}.ts AND {tag}.rid = {alias}.rid AND {tag}.key = "));
    sql.integer(repeat.tag.0);
    sql.push(format!(" AND {own}.pid = {tag}.pid AND {own}.ts = {tag}.ts AND {own}.rid = {tag}.rid AND {own}.key >= "));
    sql.integer(repeat.repeated.0).push(format!(" AND {own}.key < ")).integer(repeat.repeated.0.saturating_add(RID_SPAN));
    sql.push(format!(" AND {original}.pid = {own}.pid AND {original}.ts = {own}.ts AND {original}.key = {own}.key + "));
    sql.integer(repeat.original.0.saturating_sub(repeat.repeated.0));
    sql.push(format!(" AND {other}.pid = {original}.pid AND {other}.rid = {original}.rid AND "));
    reader.visible(sql, &other);
    plan(sql, reader, &other, &repeat.plan, depth);
    sql.for_each_row().push(")");
}

/// A resource that fulfils the plan refers to this one.
fn linked_from(sql: &mut Sql, reader: &Reader<'_>, alias: &str, base: Key, inner: &Plan, depth: usize) {
    let (source, link) = (format!("r{depth}"), format!("t{depth}"));
    sql.push("EXISTS (SELECT 1");
    select::from(sql, &format!("token AS {link}"), &source);
    sql.push(format!(" WHERE {link}.pid = {alias}.pid AND {link}.key = {alias}.rid + ")).integer(base.0);
    sql.push(format!(" AND {source}.pid = {link}.pid AND {source}.rid = {link}.rid AND "));
    reader.visible(sql, &source);
    plan(sql, reader, &source, inner, depth);
    sql.push(")");
}

/// Whether the index rows of one version fulfil a predicate. `present` answers for links, which are those of now.
pub(super) fn holds<E>(
    predicate: &Predicate,
    rows: &IndexRows,
    place: (Pid, Rid),
    updated: i64,
    present: &mut dyn FnMut(&Predicate) -> Result<bool, E>,
) -> Result<bool, E> {
    Ok(match predicate {
        Predicate::Tokens(keys) => rows.tokens.iter().any(|token| keys.contains(token)),
        Predicate::Range(key, tests) => {
            rows.ranges.iter().any(|(of, lo, hi)| of == key && tests.iter().any(|test| passes(*test, *lo, *hi)))
        }
        Predicate::Text(key, prefixes) => {
            rows.texts.iter().any(|(of, text)| of == key && prefixes.iter().any(|prefix| text.starts_with(&norm(prefix))))
        }
        Predicate::Places(places) => places.contains(&place),
        Predicate::Within(records) => records.contains(&place.0),
        Predicate::Behind(behind) => behind.places.as_ref().is_some_and(|places| places.contains(&place)),
        Predicate::Updated(tests) => {
            // Below 2^53, so exact.
            let lo = millis(updated);
            tests.iter().any(|test| passes(*test, lo, lo + 1.0))
        }
        Predicate::Linked(..) | Predicate::LinkedFrom(..) | Predicate::Repeats(_) => present(predicate)?,
        Predicate::All(list) => {
            for inner in list {
                if !holds(inner, rows, place, updated, present)? {
                    return Ok(false);
                }
            }
            true
        }
        Predicate::Any(list) => {
            for inner in list {
                if holds(inner, rows, place, updated, present)? {
                    return Ok(true);
                }
            }
            false
        }
        Predicate::Not(inner) => !holds(inner, rows, place, updated, present)?,
    })
}

#[expect(clippy::as_conversions, reason = "milliseconds of a date are below 2^53, so exact; std has no fallible conversion")]
fn millis(value: i64) -> f64 {
    value as f64
}

fn passes(test: RangeTest, lo: f64, hi: f64) -> bool {
    match test {
        RangeTest::Within(a, b) => lo >= a && hi <= b,
        RangeTest::NotWithin(a, b) => lo < a || hi > b,
        RangeTest::HiAbove(a) => hi > a,
        RangeTest::LoBelow(a) => lo < a,
        RangeTest::LoAtLeast(a) => lo >= a,
        RangeTest::HiAtMost(a) => hi <= a,
        RangeTest::Overlaps(a, b) => lo < b && hi > a,
    }
}
