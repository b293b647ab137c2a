//! Clients in a closed loop, and what they saw.
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// What a run gave.
pub(crate) struct Figures {
    pub(crate) answers: u64,
    pub(crate) per_second: f64,
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

/// Runs `clients` threads until the time is over or `turns` are done; each turn has a number of its own.
pub(crate) fn run<C>(
    clients: usize,
    time: Duration,
    turns: usize,
    client: impl Fn(usize) -> C + Sync,
    work: impl Fn(&mut C, usize) + Sync,
) -> Figures {
    let next = AtomicUsize::new(0);
    let start = Instant::now();
    let mut times: Vec<Duration> = std::thread::scope(|scope| {
        let one = |index| {
            let (next, client, work) = (&next, &client, &work);
            move || {
                let mut client = client(index);
                let mut times = Vec::new();
                while start.elapsed() < time {
                    let turn = next.fetch_add(1, Ordering::Relaxed);
                    if turn >= turns {
                        break;
                    }
                    let begin = Instant::now();
                    work(&mut client, turn);
                    times.push(begin.elapsed());
                }
                times
            }
        };
        let threads: Vec<_> = (0..clients).map(|index| scope.spawn(one(index))).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("a client ends")).collect()
    });
    let elapsed = start.elapsed().as_secs_f64();
    times.sort_unstable();
    let at = |part: f64| {
        let index = (times.len() as f64 * part) as usize;
        times.get(index.min(times.len().saturating_sub(1))).map_or(0.0, |time| time.as_secs_f64() * 1e3)
    };
    Figures { answers: times.len() as u64, per_second: times.len() as f64 / elapsed, p50: at(0.5), p99: at(0.99) }
}
