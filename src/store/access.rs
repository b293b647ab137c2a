//! Rows of `access`: which records authorise a caller now, for searches over several records (DESIGN section 3).
use super::facts::{NO_END, actor_text};
use super::rows;
use super::sql::Sql;
use super::unit::Unit;
use crate::fhir::Problem;
use crate::ids::Pid;
use crate::policy::permit::label;
use crate::policy::{Actor, Facts, Masks, RecordState};

struct Row {
    caller: String,
    since: i64,
    until: i64,
    masks: Masks,
    blocked: bool,
}

/// Puts the rows that follow from the facts in the place of the old ones. A closed record has none.
pub(super) fn rewrite(unit: &Unit, pid: Pid, facts: &Facts) -> Result<(), Problem> {
    let mut sql = unit.sql("DELETE FROM access WHERE pid = ");
    sql.integer(pid.0);
    unit.run(|connection| sql.execute(connection))?;
    rows::insert(&rows_of(facts), |chunk, tuples| {
        let mut sql = Sql::new(unit.dialect(), "INSERT INTO access (caller, pid, since, until, hard, soft, blocked) VALUES ");
        tuples.write(&mut sql, chunk, |sql, row| {
            sql.text(row.caller.clone()).push(", ").integer(pid.0).push(", ").integer(row.since).push(", ").integer(row.until);
            sql.push(", ").integer(i64::from(row.masks.hard)).push(", ").integer(i64::from(row.masks.soft));
            sql.push(", ").integer(i64::from(row.blocked));
        });
        // Two Consents that say the same are one row.
        sql.push(" ON CONFLICT DO NOTHING");
        unit.run(|connection| sql.execute(connection)).map(|_| ())
    })
}

fn rows_of(facts: &Facts) -> Vec<Row> {
    match facts.state {
        RecordState::Closed => return Vec::new(),
        RecordState::Open => {}
    }
    // The masks of section 5: withdrawn is gone for all; masked is for the médecins traitants only (BR-31).
    let masks = |actor: &Actor| {
        let treating = matches!(actor, Actor::Professional(rpps) if facts.treating.contains(rpps));
        Masks { hard: label::WITHDRAWN, soft: if treating { 0 } else { label::MASQUE_PS } }
    };
    let blocked = facts.blocked.iter().map(|actor| Row {
        caller: actor_text(actor),
        since: i64::MIN,
        until: NO_END,
        masks: Masks::default(),
        blocked: true,
    });
    let authorised = facts.authorisations.iter().map(|authorisation| Row {
        caller: actor_text(&authorisation.actor),
        since: authorisation.from.0,
        until: authorisation.until.map_or(NO_END, |until| until.0),
        masks: masks(&authorisation.actor),
        blocked: false,
    });
    blocked.chain(authorised).collect()
}
