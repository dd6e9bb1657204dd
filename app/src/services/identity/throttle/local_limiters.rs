//! Limiters in the memory of this instance. They bound attempts even if the database loses or hides
//! its counters.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use db::AttemptCounter;

use crate::limits::sign_in::MAX_LOCAL_LIMITERS;

/// The time at which each limiter will be empty: the same representation as in the database.
#[derive(Debug, Default)]
pub(super) struct LocalLimiters(Mutex<HashMap<[u8; 16], Instant>>);

impl LocalLimiters {
    /// The wait until the next attempt is allowed; none if it is allowed now.
    pub(super) fn wait(&self, counter: &AttemptCounter, now: Instant) -> Option<Duration> {
        wait(&self.lock(), counter, now)
    }

    /// Counts an attempt in all of the counters or, if one is full, in none: then the result is the
    /// wait.
    pub(super) fn count(&self, counters: &[AttemptCounter], now: Instant) -> Option<Duration> {
        let mut limiters = self.lock();
        let longest = counters
            .iter()
            .filter_map(|counter| wait(&limiters, counter, now))
            .max();
        if longest.is_some() {
            return longest;
        }
        if limiters.len() >= MAX_LOCAL_LIMITERS {
            make_room(&mut limiters, now);
        }
        for counter in counters {
            let empty_at = limiters.entry(counter.limiter).or_insert(now);
            *empty_at = (*empty_at).max(now) + counter.interval;
        }
        None
    }

    /// Subtracts one attempt from each counter.
    pub(super) fn uncount(&self, counters: &[AttemptCounter]) {
        let mut limiters = self.lock();
        for counter in counters {
            if let Some(empty_at) = limiters.get_mut(&counter.limiter)
                && let Some(earlier) = empty_at.checked_sub(counter.interval)
            {
                *empty_at = earlier;
            }
        }
    }

    /// Subtracts all attempts.
    pub(super) fn reset(&self, counter: &AttemptCounter) {
        self.lock().remove(&counter.limiter);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<[u8; 16], Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn wait(
    limiters: &HashMap<[u8; 16], Instant>,
    counter: &AttemptCounter,
    now: Instant,
) -> Option<Duration> {
    let empty_at = *limiters.get(&counter.limiter)?;
    // One more attempt fits while at most `burst - 1` are counted.
    let allowance = counter.interval * counter.burst.saturating_sub(1);
    empty_at
        .checked_duration_since(now + allowance)
        .filter(|wait| !wait.is_zero())
}

/// Drops the empty limiters and, if these are few, the half that would be empty next. A flood of
/// invented accounts counts one attempt in each, so that it displaces no limiter that is nearly
/// full.
fn make_room(limiters: &mut HashMap<[u8; 16], Instant>, now: Instant) {
    limiters.retain(|_, empty_at| *empty_at > now);
    if limiters.len() <= MAX_LOCAL_LIMITERS / 2 {
        return;
    }
    let mut times: Vec<_> = limiters.values().copied().collect();
    let middle = times.len() / 2;
    let (_, median, _) = times.select_nth_unstable(middle);
    let median = *median;
    limiters.retain(|_, empty_at| *empty_at > median);
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITER: AttemptCounter = AttemptCounter {
        limiter: [1; 16],
        interval: Duration::from_mins(1),
        burst: 3,
    };

    fn numbered(number: usize) -> AttemptCounter {
        let mut limiter = [0; 16];
        limiter[..8].copy_from_slice(&number.to_be_bytes());
        AttemptCounter { limiter, ..LIMITER }
    }

    #[test]
    fn a_burst_is_counted_and_then_one_attempt_in_each_interval() {
        let (local, now) = (LocalLimiters::default(), Instant::now());
        let count = |seconds| local.count(&[LIMITER], now + Duration::from_secs(seconds));
        assert_eq!([count(0), count(0), count(0)], [None; 3]);
        assert_eq!(count(0), Some(Duration::from_mins(1)));
        assert_eq!(count(59), Some(Duration::from_secs(1)));
        assert_eq!(count(60), None);
        assert_eq!(count(60), Some(Duration::from_mins(1)));
        assert_eq!(count(600), None);
    }

    #[test]
    fn an_attempt_that_is_refused_by_one_limiter_is_counted_in_no_other() {
        let (local, now) = (LocalLimiters::default(), Instant::now());
        let other = numbered(7);
        for _ in 0..3 {
            assert_eq!(local.count(&[LIMITER], now), None);
        }
        for _ in 0..9 {
            assert!(local.count(&[other, LIMITER], now).is_some());
        }
        for _ in 0..3 {
            assert_eq!(local.count(&[other], now), None);
        }
        local.uncount(&[LIMITER]);
        assert_eq!(local.wait(&LIMITER, now), None);
        local.count(&[LIMITER], now);
        local.reset(&LIMITER);
        assert_eq!(local.wait(&LIMITER, now), None);
    }

    #[test]
    fn a_flood_of_accounts_displaces_no_limiter_that_is_full() {
        let (local, now) = (LocalLimiters::default(), Instant::now());
        for _ in 0..3 {
            assert_eq!(local.count(&[LIMITER], now), None);
        }
        for number in 0..3 * MAX_LOCAL_LIMITERS {
            assert_eq!(local.count(&[numbered(number + 1)], now), None);
        }
        assert!(local.lock().len() <= MAX_LOCAL_LIMITERS + 1);
        assert_eq!(local.wait(&LIMITER, now), Some(Duration::from_mins(1)));
    }
}
