//! Counters of the upstream module.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

/// Events towards the app tier since the start.
#[derive(Debug, Default)]
pub(crate) struct UpstreamCounters {
    /// Opened connections.
    pub(crate) connects: AtomicU64,
    /// Connections that could not be opened. Nothing was sent, so another endpoint was tried.
    pub(crate) connect_failures: AtomicU64,
    /// Requests on a connection that had carried one before.
    pub(crate) reused: AtomicU64,
    /// Retries after a connection was lost.
    pub(crate) retries: AtomicU64,
    /// Retries that the budget did not allow.
    pub(crate) budget_exhausted: AtomicU64,
    /// Requests refused because every endpoint was full.
    pub(crate) full: AtomicU64,
    /// Ejected endpoints.
    pub(crate) ejections: AtomicU64,
    /// Readmitted endpoints.
    pub(crate) readmissions: AtomicU64,
    /// Changes of the list of endpoints.
    pub(crate) list_changes: AtomicU64,
    /// Lists that could not be used.
    pub(crate) list_failures: AtomicU64,
}

impl UpstreamCounters {
    /// Each event's name, as a metric's label, and its count.
    pub(crate) fn all(&self) -> [(&'static str, u64); 10] {
        [
            ("connect", &self.connects),
            ("connect_failure", &self.connect_failures),
            ("reuse", &self.reused),
            ("retry", &self.retries),
            ("budget_exhausted", &self.budget_exhausted),
            ("full", &self.full),
            ("ejection", &self.ejections),
            ("readmission", &self.readmissions),
            ("list_change", &self.list_changes),
            ("list_failure", &self.list_failures),
        ]
        .map(|(name, counter)| (name, counter.load(Relaxed)))
    }
}

/// Counts one event.
pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}
