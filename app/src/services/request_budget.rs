//! The budget of one request: the work that all searches of its Bundle may cause together.
//!
//! A search is bounded by limits of its own, but a Bundle may have hundreds of searches and conditions. The budget is checked
//! before a search begins, and charged while it runs: a search that has begun is never refused, so that a request with one
//! search never is, and a Bundle exceeds its budget by one search at most.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use crate::limits::MAX_REQUEST_BODIES;
use crate::limits::MAX_REQUEST_BODY_BYTES;
use crate::limits::MAX_REQUEST_CANDIDATES;
use crate::services::error::ServiceError;

/// The budget of one request. The handler makes it, and all entries of a Bundle share it.
#[derive(Debug, Default)]
pub(crate) struct RequestBudget {
    /// Compared candidates.
    candidates: AtomicUsize,
    /// Opened bodies.
    bodies: AtomicUsize,
    /// The length of the opened bodies, in bytes.
    body_bytes: AtomicUsize,
}

impl RequestBudget {
    /// The budget of a request that begins.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Admits another search or read.
    ///
    /// # Errors
    ///
    /// [`ServiceError::TooCostly`] if earlier ones used the budget up.
    pub(crate) fn admit(&self) -> Result<(), ServiceError> {
        let used = [
            (&self.candidates, MAX_REQUEST_CANDIDATES),
            (&self.bodies, MAX_REQUEST_BODIES),
            (&self.body_bytes, MAX_REQUEST_BODY_BYTES),
        ];
        let is_used_up =
            |(used, limit): &(&AtomicUsize, usize)| used.load(Ordering::Relaxed) >= *limit;
        if used.iter().any(is_used_up) {
            return Err(ServiceError::TooCostly);
        }
        Ok(())
    }

    /// Charges candidates that are compared.
    pub(crate) fn charge_candidates(&self, candidates: usize) {
        self.candidates.fetch_add(candidates, Ordering::Relaxed);
    }

    /// Charges bodies that are opened, with their total length.
    pub(crate) fn charge_bodies(&self, bodies: usize, bytes: usize) {
        self.bodies.fetch_add(bodies, Ordering::Relaxed);
        self.body_bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_is_admitted_until_a_part_of_the_budget_is_used_up() {
        let charges: [fn(&RequestBudget, usize); 3] = [
            |budget, more| budget.charge_candidates(MAX_REQUEST_CANDIDATES - 1 + more),
            |budget, more| budget.charge_bodies(MAX_REQUEST_BODIES - 1 + more, 0),
            |budget, more| budget.charge_bodies(0, MAX_REQUEST_BODY_BYTES - 1 + more),
        ];
        for charge in charges {
            let (left, used_up) = (RequestBudget::new(), RequestBudget::new());
            charge(&left, 0);
            assert_eq!(left.admit(), Ok(()));
            charge(&used_up, 1);
            assert_eq!(used_up.admit(), Err(ServiceError::TooCostly));
        }
    }
}
