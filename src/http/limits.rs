//! Bounds on how often one caller may ask: every request, and TD0.2 questions apart (they need no authorisation).
use crate::auth::Caller;
use crate::config::Settings;
use crate::fhir::{IssueKind, Problem};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use std::num::NonZeroU32;

pub(crate) struct Limits {
    requests: DefaultKeyedRateLimiter<String>,
    existence: DefaultKeyedRateLimiter<String>,
}

impl Limits {
    pub(crate) fn new(settings: &Settings) -> Self {
        let per_minute = |number: u32| RateLimiter::keyed(Quota::per_minute(NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN)));
        Self { requests: per_minute(settings.requests_per_minute), existence: per_minute(settings.existence_per_minute) }
    }

    /// Counts one request of the caller.
    pub(crate) fn request(&self, caller: &Caller) -> Result<(), Problem> {
        count(&self.requests, caller)
    }

    /// Counts one question whether a record exists.
    pub(crate) fn existence(&self, caller: &Caller) -> Result<(), Problem> {
        count(&self.existence, caller)
    }
}

fn count(limiter: &DefaultKeyedRateLimiter<String>, caller: &Caller) -> Result<(), Problem> {
    let Some(who) = caller.who() else { return Ok(()) };
    // Keys of callers who have gone quiet are dropped, so that the table does not grow for ever.
    if limiter.len() > 100_000 {
        limiter.retain_recent();
    }
    limiter
        .check_key(&who)
        .map_err(|_not_until| Problem::new(IssueKind::TooManyRequests, "More requests in a minute than one caller may make"))
}
