//! Budgets: what all callers together, and each of them, may have in use at once.
//!
//! What exceeds a budget is refused at once: nothing waits, so nothing that waits takes memory.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use access::Caller;
use phi::OrganizationId;
use uuid::Uuid;

use crate::limits;
use crate::services::error::ServiceError;

/// A caller, as budgets count it: a person of an organization, whatever the number of its sessions.
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
    /// The part of the total that only small callers may take.
    pub(crate) for_small: usize,
    /// In use by a small caller.
    pub(crate) small: usize,
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

/// A part of a budget, in use until it is dropped.
#[derive(Debug)]
#[must_use = "what is reserved is free again when the reservation is dropped"]
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

    /// Whether a caller may have `amount` in use while nothing else is.
    pub(crate) fn admits(&self, amount: usize) -> bool {
        amount <= self.0.limits.per_caller
    }

    /// Reserves a part for a caller.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Unavailable`] if the caller's share or the budget is in use.
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
        let available = if of_caller <= limits.small {
            limits.total
        } else {
            limits.total.saturating_sub(limits.for_small)
        };
        if total > available || of_caller > limits.per_caller {
            return Err(ServiceError::Unavailable(limits::BUSY_RETRY_AFTER));
        }
        used.total = total;
        used.by_caller.insert(share, of_caller);
        Ok(())
    }

    fn give_back(&self, share: Share, amount: usize) {
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
        // Nothing panics while it is locked.
        self.0.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reservation {
    /// Reserves more.
    ///
    /// # Errors
    ///
    /// See [`Budget::reserve`]; what was reserved before stays.
    pub(crate) fn grow(&mut self, by: usize) -> Result<(), ServiceError> {
        self.budget.take(self.share, by)?;
        self.amount = self.amount.saturating_add(by);
        Ok(())
    }

    /// The amount that is reserved.
    pub(crate) const fn amount(&self) -> usize {
        self.amount
    }

    /// Gives back all but `amount`.
    pub(crate) fn shrink_to(&mut self, amount: usize) {
        let surplus = self.amount.saturating_sub(amount);
        self.budget.give_back(self.share, surplus);
        self.amount -= surplus;
    }

    /// Takes over what another reservation of the same caller and budget has.
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
    fn one_caller_has_its_share_and_no_more() {
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
