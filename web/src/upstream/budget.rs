//! The retry budget.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

/// Deposit per request, in thousandths of a retry: 15 % of all requests may be retried.
const DEPOSIT: u64 = 150;
/// Deposit per second, in thousandths of a retry, for times with few requests: at least one retry
/// a second is allowed.
const FLOOR: u64 = 1000;
/// Cost of a retry, in thousandths of a retry.
const RETRY: u64 = 1000;
/// Maximum balance: if an endpoint with 200 requests in flight ends, all of them can be retried.
const MAX: u64 = 200 * RETRY;

/// The retry budget, which keeps retries from adding to an overload of the app tier.
#[derive(Debug)]
pub(super) struct Budget(AtomicU64);

impl Budget {
    pub(super) fn new() -> Self {
        Self(AtomicU64::new(10 * RETRY))
    }

    /// Deposits the share of one request.
    pub(super) fn deposit(&self) {
        if self.0.load(Relaxed) < MAX {
            self.0.fetch_add(DEPOSIT, Relaxed);
        }
    }

    /// Deposits the floor of one second.
    pub(super) fn on_second(&self) {
        if self.0.load(Relaxed) < MAX / 10 {
            self.0.fetch_add(FLOOR, Relaxed);
        }
    }

    /// Withdraws one retry. Returns whether the retry is allowed.
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
    fn fifteen_percent_of_the_requests_may_be_retried() {
        let budget = Budget::new();
        let mut retries = 0;
        for _ in 0..10_000 {
            budget.deposit();
            // Every request fails, and is retried as often as allowed.
            while budget.withdraw() {
                retries += 1;
            }
        }
        // And ten at the start.
        assert_eq!(retries, 1_510);
    }

    #[test]
    fn the_balance_is_bounded_and_has_a_floor() {
        let budget = Budget::new();
        for _ in 0..1_000_000 {
            budget.deposit();
        }
        assert_eq!((0..1000).filter(|_| budget.withdraw()).count(), 200);
        budget.on_second();
        assert!(budget.withdraw() && !budget.withdraw());
    }
}
