//! How many requests may be sent again.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

/// Deposit of a request, in thousandths of a retry: retries stay below a fifth of all requests, also
/// with what the floor adds.
const DEPOSIT: u64 = 150;
/// Deposit of a second, in thousandths of a retry, for times with few requests.
const FLOOR: u64 = 1000;
/// Cost of a retry.
const RETRY: u64 = 1000;
/// The most that is saved up: an app with as many requests in flight can end, and all are retried.
const MAX: u64 = 200 * RETRY;

/// The retry budget. Without it, an overloaded app tier would get even more requests.
#[derive(Debug)]
pub(super) struct Budget(AtomicU64);

impl Budget {
    pub(super) fn new() -> Self {
        Self(AtomicU64::new(10 * RETRY))
    }

    /// Deposits for a request.
    pub(super) fn deposit(&self) {
        if self.0.load(Relaxed) < MAX {
            self.0.fetch_add(DEPOSIT, Relaxed);
        }
    }

    /// Deposits for a second.
    pub(super) fn on_second(&self) {
        if self.0.load(Relaxed) < MAX / 10 {
            self.0.fetch_add(FLOOR, Relaxed);
        }
    }

    /// Whether one retry is allowed; it is paid for.
    pub(super) fn withdraw(&self) -> bool {
        self.0
            .fetch_update(Relaxed, Relaxed, |left| left.checked_sub(RETRY))
            .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_stay_below_a_fifth_of_the_requests() {
        let budget = Budget::new();
        let mut retries = 0;
        for _ in 0..10_000 {
            budget.deposit();
            // Everything fails, and everyone tries as often as they may.
            while budget.withdraw() {
                retries += 1;
            }
        }
        assert!((1_000..2_000).contains(&retries), "{retries}");
    }

    #[test]
    fn without_requests_there_is_a_little_and_never_a_flood() {
        let budget = Budget::new();
        for _ in 0..1_000_000 {
            budget.deposit();
        }
        assert_eq!((0..1000).filter(|_| budget.withdraw()).count(), 200);
        budget.on_second();
        assert!(budget.withdraw() && !budget.withdraw());
    }
}
