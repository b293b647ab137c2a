//! Writes in flight: a search over several records ends at the start of the oldest one.
//!
//! `updated` grows inside a record by its lock; across records commits come in any order. So a search over several
//! records shows nothing newer than its horizon, and no write that begins later may go below it.
use crate::clock::{self, Millis};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

#[derive(Default)]
struct State {
    /// Start of each write in flight, with how many began then.
    starts: BTreeMap<i64, usize>,
    /// No write begins below it.
    floor: i64,
}

/// The writes of this process that have begun and not ended.
#[derive(Default)]
pub(super) struct Flights {
    state: Mutex<State>,
}

impl Flights {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A write begins: its instant, later than every horizon given before.
    pub(super) fn begin(&self) -> Millis {
        let mut state = self.state();
        let start = clock::now().0.max(state.floor);
        *state.starts.entry(start).or_default() += 1;
        Millis(start)
    }

    /// The write that began then has committed or is undone; `last` is the greatest `updated` it wrote.
    pub(super) fn end(&self, start: Millis, last: i64) {
        let mut state = self.state();
        if let Some(count) = state.starts.get_mut(&start.0) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                state.starts.remove(&start.0);
            }
        }
        state.floor = state.floor.max(last.saturating_add(1));
    }

    /// The newest `updated` that a snapshot taken after this call holds completely.
    pub(super) fn horizon(&self) -> i64 {
        let mut state = self.state();
        let now = clock::now().0.max(state.floor.saturating_sub(1));
        let horizon = state.starts.keys().next().map_or(now, |oldest| now.min(oldest.saturating_sub(1)));
        state.floor = state.floor.max(horizon.saturating_add(1));
        horizon
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_horizon_lies_before_every_write_in_flight_and_every_later_one() {
        let flights = Flights::default();
        let first = flights.begin();
        assert!(flights.horizon() < first.0);
        flights.end(first, first.0 + 5);
        let horizon = flights.horizon();
        assert!(horizon >= first.0 + 5, "what has ended is shown");
        assert!(flights.begin().0 > horizon);
    }
}
