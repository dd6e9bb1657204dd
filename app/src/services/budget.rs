//! Budgets: limits of what is in use at once, by all callers together and by each of them.
//!
//! A reservation above a budget is refused at once. No request waits for one, because a waiting request takes memory.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use access::Caller;
use phi::OrganizationId;
use uuid::Uuid;

use crate::limits;
use crate::services::error::ServiceError;

/// A caller, as budgets count it: a person of an organization, over all sessions.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Share {
    organization: OrganizationId,
    person: Uuid,
}

impl Share {
    /// The share of a caller.
    pub(crate) const fn of(caller: &Caller) -> Self {
        Self {
            organization: caller.organization(),
            person: caller.person(),
        }
    }

    /// The share of a caller that a test makes up.
    #[cfg(test)]
    pub(crate) const fn for_tests(person: u128) -> Self {
        Self {
            organization: OrganizationId::SYSTEM,
            person: Uuid::from_u128(person),
        }
    }
}

/// The limits of a budget, in its unit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BudgetLimits {
    /// In use by all callers.
    pub(crate) total: usize,
    /// In use by one caller.
    pub(crate) per_caller: usize,
    /// The part of the total that is reserved for small callers.
    pub(crate) for_small: usize,
    /// Maximum in use of a caller that counts as small.
    pub(crate) small: usize,
}

impl BudgetLimits {
    /// What all callers together may have in use, after a reservation of a caller that then has `of_caller` in use.
    const fn available(&self, of_caller: usize) -> usize {
        if of_caller <= self.small {
            self.total
        } else {
            self.total.saturating_sub(self.for_small)
        }
    }
}

/// A budget. Cloning shares it.
#[derive(Clone)]
pub(crate) struct Budget(Arc<Inner>);

struct Inner {
    limits: BudgetLimits,
    used: Mutex<Used>,
}

#[derive(Default)]
struct Used {
    total: usize,
    by_caller: HashMap<Share, usize>,
}

/// A part of a budget, in use until this is dropped.
#[derive(Debug)]
#[must_use = "dropping the reservation releases it"]
pub(crate) struct Reservation {
    budget: Budget,
    share: Share,
    amount: usize,
}

impl Budget {
    /// A budget of which nothing is in use.
    pub(crate) fn new(limits: BudgetLimits) -> Self {
        Self(Arc::new(Inner {
            limits,
            used: Mutex::default(),
        }))
    }

    /// The budget of memory for documents, in bytes.
    pub(crate) fn of_memory() -> Self {
        Self::new(BudgetLimits {
            total: limits::MAX_MEMORY_BYTES,
            per_caller: limits::MAX_CALLER_MEMORY_BYTES,
            for_small: limits::SMALL_CALLERS_MEMORY_BYTES,
            small: limits::MAX_SMALL_CALLER_BYTES,
        })
    }

    /// Whether a caller may have `amount` in use while nothing else is: otherwise no retry can succeed.
    pub(crate) fn admits(&self, amount: usize) -> bool {
        let limits = &self.0.limits;
        amount <= limits.per_caller.min(limits.available(amount))
    }

    /// Reserves a part for a caller.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Unavailable`] if too much of the caller's part or of the budget is in use.
    pub(crate) fn reserve(&self, share: Share, amount: usize) -> Result<Reservation, ServiceError> {
        let mut reservation = Reservation {
            budget: self.clone(),
            share,
            amount: 0,
        };
        reservation.grow(amount)?;
        Ok(reservation)
    }

    fn take(&self, share: Share, amount: usize) -> Result<(), ServiceError> {
        let limits = self.0.limits;
        let mut used = self.used();
        let total = used.total.saturating_add(amount);
        let before = used.by_caller.get(&share).copied().unwrap_or_default();
        let of_caller = before.saturating_add(amount);
        if total > limits.available(of_caller) || of_caller > limits.per_caller {
            return Err(ServiceError::Unavailable(limits::BUSY_RETRY_AFTER));
        }
        used.total = total;
        used.by_caller.insert(share, of_caller);
        Ok(())
    }

    fn release(&self, share: Share, amount: usize) {
        let mut used = self.used();
        used.total = used.total.saturating_sub(amount);
        if let Some(of_caller) = used.by_caller.get_mut(&share) {
            *of_caller = of_caller.saturating_sub(amount);
            if *of_caller == 0 {
                used.by_caller.remove(&share);
            }
        }
    }

    fn used(&self) -> MutexGuard<'_, Used> {
        // No code panics while it holds the lock, so that poisoning can be ignored.
        self.0.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reservation {
    /// Reserves more.
    ///
    /// # Errors
    ///
    /// See [`Budget::reserve`]; the previous amount stays reserved.
    pub(crate) fn grow(&mut self, by: usize) -> Result<(), ServiceError> {
        self.budget.take(self.share, by)?;
        self.amount = self.amount.saturating_add(by);
        Ok(())
    }

    /// The reserved amount.
    pub(crate) const fn amount(&self) -> usize {
        self.amount
    }

    /// Releases all but `amount`.
    pub(crate) fn shrink_to(&mut self, amount: usize) {
        let surplus = self.amount.saturating_sub(amount);
        self.budget.release(self.share, surplus);
        self.amount -= surplus;
    }

    /// Adds the amount of another reservation, of the same caller and budget.
    pub(crate) fn absorb(&mut self, mut other: Self) {
        debug_assert!(self.share == other.share && Arc::ptr_eq(&self.budget.0, &other.budget.0));
        self.amount = self
            .amount
            .saturating_add(std::mem::take(&mut other.amount));
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.shrink_to(0);
    }
}

impl fmt::Debug for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Budget")
            .field("limits", &self.0.limits)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: BudgetLimits = BudgetLimits {
        total: 100,
        per_caller: 60,
        for_small: 20,
        small: 10,
    };

    fn share(person: u128) -> Share {
        Share::for_tests(person)
    }

    #[test]
    fn one_caller_gets_no_more_than_its_maximum() {
        let budget = Budget::new(LIMITS);
        let mut one = budget.reserve(share(1), 50).unwrap();
        assert!(budget.reserve(share(1), 11).is_err());
        assert!(one.grow(11).is_err());
        one.grow(10).unwrap();
        drop(one);
        assert!(budget.reserve(share(1), 60).is_ok());
        assert!(budget.reserve(share(1), 61).is_err());
    }

    #[test]
    fn an_amount_is_admitted_exactly_if_it_can_be_reserved_while_nothing_else_is() {
        let limits = [
            LIMITS,
            // The part for small callers leaves less than one caller's maximum.
            BudgetLimits {
                per_caller: 90,
                ..LIMITS
            },
            // Every caller is small.
            BudgetLimits {
                for_small: 0,
                small: 60,
                ..LIMITS
            },
        ];
        for (limits, max) in limits.into_iter().zip([60, 80, 60]) {
            let budget = Budget::new(limits);
            for amount in 0..=110 {
                let admitted = budget.admits(amount);
                assert_eq!(admitted, amount <= max, "{amount} of {limits:?}");
                assert_eq!(admitted, budget.reserve(share(1), amount).is_ok());
            }
        }
    }

    #[test]
    fn large_callers_together_leave_room_for_small_ones() {
        let budget = Budget::new(LIMITS);
        let large = [
            budget.reserve(share(1), 60).unwrap(),
            budget.reserve(share(2), 20).unwrap(),
        ];
        assert!(budget.reserve(share(3), 11).is_err());
        let small = [
            budget.reserve(share(3), 10).unwrap(),
            budget.reserve(share(4), 10).unwrap(),
        ];
        assert!(budget.reserve(share(5), 1).is_err());
        drop(large);
        assert!(budget.reserve(share(3), 50).is_ok());
        drop(small);
    }

    #[test]
    fn nothing_stays_in_use_when_all_reservations_are_dropped() {
        let budget = Budget::new(LIMITS);
        let mut one = budget.reserve(share(1), 30).unwrap();
        one.absorb(budget.reserve(share(1), 20).unwrap());
        one.shrink_to(40);
        assert_eq!(budget.used().total, 40);
        drop(one);
        assert_eq!(budget.used().total, 0);
        assert!(budget.used().by_caller.is_empty());
    }
}
