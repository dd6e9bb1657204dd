//! Limiters in the memory of this instance: no database can permit more than they do.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use db::AttemptCounter;

use crate::limits::sign_in::REMEMBERED_LIMITERS;

/// The time at which each limiter is empty, as in the database.
#[derive(Debug, Default)]
pub(super) struct LimiterMemory(Mutex<HashMap<[u8; 16], Instant>>);

impl LimiterMemory {
    /// The wait until an attempt would be counted; none if it would be now.
    pub(super) fn wait(&self, counter: &AttemptCounter, now: Instant) -> Option<Duration> {
        wait(&self.lock(), counter, now)
    }

    /// Counts an attempt in all of the counters or, if one is full, in none: then the result is the wait.
    pub(super) fn count(&self, counters: &[AttemptCounter], now: Instant) -> Option<Duration> {
        let mut limiters = self.lock();
        let longest = counters
            .iter()
            .filter_map(|counter| wait(&limiters, counter, now))
            .max();
        if longest.is_some() {
            return longest;
        }
        if limiters.len() >= REMEMBERED_LIMITERS {
            make_room(&mut limiters, now);
        }
        for counter in counters {
            let free_at = limiters.entry(counter.limiter).or_insert(now);
            *free_at = (*free_at).max(now) + counter.interval;
        }
        None
    }

    /// Takes one attempt back.
    pub(super) fn uncount(&self, counters: &[AttemptCounter]) {
        let mut limiters = self.lock();
        for counter in counters {
            let free_at = limiters.get_mut(&counter.limiter);
            if let Some((free_at, earlier)) =
                free_at.and_then(|it| Some((it.checked_sub(counter.interval)?, it)))
            {
                *earlier = free_at;
            }
        }
    }

    /// Forgets every attempt.
    pub(super) fn forget(&self, counter: &AttemptCounter) {
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
    let free_at = *limiters.get(&counter.limiter)?;
    let slack = counter.interval * counter.burst.saturating_sub(1);
    free_at
        .checked_duration_since(now + slack)
        .filter(|wait| !wait.is_zero())
}

/// Drops the limiters that are empty and, if these are few, the half that would be first: a flood of invented accounts
/// counts one attempt in each, and displaces none that is nearly full.
fn make_room(limiters: &mut HashMap<[u8; 16], Instant>, now: Instant) {
    limiters.retain(|_, free_at| *free_at > now);
    if limiters.len() <= REMEMBERED_LIMITERS / 2 {
        return;
    }
    let mut times: Vec<_> = limiters.values().copied().collect();
    let middle = times.len() / 2;
    let (_, median, _) = times.select_nth_unstable(middle);
    let median = *median;
    limiters.retain(|_, free_at| *free_at > median);
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
        let (memory, now) = (LimiterMemory::default(), Instant::now());
        let count = |seconds| memory.count(&[LIMITER], now + Duration::from_secs(seconds));
        assert_eq!([count(0), count(0), count(0)], [None; 3]);
        assert_eq!(count(0), Some(Duration::from_mins(1)));
        assert_eq!(count(59), Some(Duration::from_secs(1)));
        assert_eq!(count(60), None);
        assert_eq!(count(60), Some(Duration::from_mins(1)));
        assert_eq!(count(600), None);
    }

    #[test]
    fn an_attempt_that_is_refused_by_one_limiter_is_counted_in_no_other() {
        let (memory, now) = (LimiterMemory::default(), Instant::now());
        let other = numbered(7);
        for _ in 0..3 {
            assert_eq!(memory.count(&[LIMITER], now), None);
        }
        for _ in 0..9 {
            assert!(memory.count(&[other, LIMITER], now).is_some());
        }
        for _ in 0..3 {
            assert_eq!(memory.count(&[other], now), None);
        }
        memory.uncount(&[LIMITER]);
        assert_eq!(memory.wait(&LIMITER, now), None);
        memory.count(&[LIMITER], now);
        memory.forget(&LIMITER);
        assert_eq!(memory.wait(&LIMITER, now), None);
    }

    #[test]
    fn a_flood_of_accounts_displaces_no_limiter_that_is_full() {
        let (memory, now) = (LimiterMemory::default(), Instant::now());
        for _ in 0..3 {
            assert_eq!(memory.count(&[LIMITER], now), None);
        }
        for number in 0..3 * REMEMBERED_LIMITERS {
            assert_eq!(memory.count(&[numbered(number + 1)], now), None);
        }
        assert!(memory.lock().len() <= REMEMBERED_LIMITERS + 1);
        assert_eq!(memory.wait(&LIMITER, now), Some(Duration::from_mins(1)));
    }
}
