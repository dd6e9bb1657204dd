//! Budgets: limits on the amount of a resource, such as memory, that is in use at once, by all
//! callers together and by each caller.
//!
//! A reservation above a budget is refused at once. No request waits for one, because a waiting
//! request takes memory.

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

/// The identity of a caller in budgets: a person of an organization, over all sessions.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) struct CallerId {
    organization: OrganizationId,
    person: Uuid,
}

impl CallerId {
    /// The identity of an authenticated caller.
    pub(crate) const fn of(caller: &Caller) -> Self {
        Self {
            organization: caller.organization(),
            person: caller.person(),
        }
    }

    /// An arbitrary identity.
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
    /// Maximum in use by all callers.
    pub(crate) total: usize,
    /// Maximum in use by one caller.
    pub(crate) per_caller: usize,
    /// The part of the total that is reserved for small callers.
    pub(crate) reserved_for_small: usize,
    /// Maximum in use by a caller that counts as small.
    pub(crate) max_small: usize,
}

impl BudgetLimits {
    /// The maximum in use by all callers, after a reservation of a caller that then has `of_caller`
    /// in use.
    const fn available(&self, of_caller: usize) -> usize {
        if of_caller <= self.max_small {
            self.total
        } else {
            self.total.saturating_sub(self.reserved_for_small)
        }
    }
}

/// A budget. Its clones share one usage.
#[derive(Clone)]
pub(crate) struct Budget(Arc<Inner>);

struct Inner {
    limits: BudgetLimits,
    usage: Mutex<Usage>,
}

/// The amounts in use.
#[derive(Default)]
struct Usage {
    total: usize,
    by_caller: HashMap<CallerId, usize>,
}

/// An amount of a budget, in use until the reservation is dropped.
#[derive(Debug)]
#[must_use = "dropping the reservation releases it"]
pub(crate) struct Reservation {
    budget: Budget,
    caller: CallerId,
    amount: usize,
}

impl Budget {
    /// A budget of which nothing is in use.
    pub(crate) fn new(limits: BudgetLimits) -> Self {
        Self(Arc::new(Inner {
            limits,
            usage: Mutex::default(),
        }))
    }

    /// The budget of memory for documents, in bytes.
    pub(crate) fn of_memory() -> Self {
        Self::new(BudgetLimits {
            total: limits::MAX_MEMORY_BYTES,
            per_caller: limits::MAX_CALLER_MEMORY_BYTES,
            reserved_for_small: limits::SMALL_CALLERS_MEMORY_BYTES,
            max_small: limits::MAX_SMALL_CALLER_BYTES,
        })
    }

    /// Whether `amount` can be reserved while nothing else is in use. Otherwise no retry can
    /// succeed.
    pub(crate) fn admits(&self, amount: usize) -> bool {
        let limits = &self.0.limits;
        amount <= limits.per_caller.min(limits.available(amount))
    }

    /// Reserves an amount for a caller.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Unavailable`] if the caller, or all callers together, would exceed their
    /// limit.
    pub(crate) fn reserve(
        &self,
        caller: CallerId,
        amount: usize,
    ) -> Result<Reservation, ServiceError> {
        let mut reservation = Reservation {
            budget: self.clone(),
            caller,
            amount: 0,
        };
        reservation.grow(amount)?;
        Ok(reservation)
    }

    fn acquire(&self, caller: CallerId, amount: usize) -> Result<(), ServiceError> {
        let limits = self.0.limits;
        let mut usage = self.lock();
        let total = usage.total.saturating_add(amount);
        let before = usage.by_caller.get(&caller).copied().unwrap_or_default();
        let of_caller = before.saturating_add(amount);
        if total > limits.available(of_caller) || of_caller > limits.per_caller {
            return Err(ServiceError::Unavailable(limits::BUSY_RETRY_AFTER_SECONDS));
        }
        usage.total = total;
        usage.by_caller.insert(caller, of_caller);
        Ok(())
    }

    fn release(&self, caller: CallerId, amount: usize) {
        let mut usage = self.lock();
        usage.total = usage.total.saturating_sub(amount);
        if let Some(of_caller) = usage.by_caller.get_mut(&caller) {
            *of_caller = of_caller.saturating_sub(amount);
            // Without this, the map would grow with every caller there ever was.
            if *of_caller == 0 {
                usage.by_caller.remove(&caller);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Usage> {
        // No code panics while it holds the lock, so that poisoning can be ignored.
        self.0.usage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reservation {
    /// Reserves more.
    ///
    /// # Errors
    ///
    /// See [`Budget::reserve`]; the previous amount stays reserved.
    pub(crate) fn grow(&mut self, by: usize) -> Result<(), ServiceError> {
        self.budget.acquire(self.caller, by)?;
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
        self.budget.release(self.caller, surplus);
        self.amount -= surplus;
    }

    /// Adds the amount of another reservation, of the same caller and budget.
    pub(crate) fn absorb(&mut self, mut other: Self) {
        debug_assert!(self.caller == other.caller && Arc::ptr_eq(&self.budget.0, &other.budget.0));
        // `other` keeps nothing: its drop would release the amount again.
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
        reserved_for_small: 20,
        max_small: 10,
    };

    fn caller(person: u128) -> CallerId {
        CallerId::for_tests(person)
    }

    #[test]
    fn one_caller_gets_no_more_than_its_maximum() {
        let budget = Budget::new(LIMITS);
        let mut one = budget.reserve(caller(1), 50).unwrap();
        assert!(budget.reserve(caller(1), 11).is_err());
        assert!(one.grow(11).is_err());
        one.grow(10).unwrap();
        drop(one);
        assert!(budget.reserve(caller(1), 60).is_ok());
        assert!(budget.reserve(caller(1), 61).is_err());
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
                reserved_for_small: 0,
                max_small: 60,
                ..LIMITS
            },
        ];
        for (limits, max) in limits.into_iter().zip([60, 80, 60]) {
            let budget = Budget::new(limits);
            for amount in 0..=110 {
                let admitted = budget.admits(amount);
                assert_eq!(admitted, amount <= max, "{amount} of {limits:?}");
                assert_eq!(admitted, budget.reserve(caller(1), amount).is_ok());
            }
        }
    }

    #[test]
    fn large_callers_together_leave_room_for_small_ones() {
        let budget = Budget::new(LIMITS);
        let large = [
            budget.reserve(caller(1), 60).unwrap(),
            budget.reserve(caller(2), 20).unwrap(),
        ];
        assert!(budget.reserve(caller(3), 11).is_err());
        let small = [
            budget.reserve(caller(3), 10).unwrap(),
            budget.reserve(caller(4), 10).unwrap(),
        ];
        assert!(budget.reserve(caller(5), 1).is_err());
        drop(large);
        assert!(budget.reserve(caller(3), 50).is_ok());
        drop(small);
    }

    #[test]
    fn nothing_stays_in_use_when_all_reservations_are_dropped() {
        let budget = Budget::new(LIMITS);
        let mut one = budget.reserve(caller(1), 30).unwrap();
        one.absorb(budget.reserve(caller(1), 20).unwrap());
        one.shrink_to(40);
        assert_eq!(budget.lock().total, 40);
        drop(one);
        assert_eq!(budget.lock().total, 0);
        assert!(budget.lock().by_caller.is_empty());
    }
}
