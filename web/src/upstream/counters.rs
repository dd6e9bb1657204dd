use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What happened towards the apps since the start.
#[derive(Debug, Default)]
pub(crate) struct UpstreamCounters {
    /// Connections made.
    pub(crate) connects: AtomicU64,
    /// Connections that could not be made. Nothing was sent, so another app was asked.
    pub(crate) connect_failures: AtomicU64,
    /// Requests on a connection that had carried one before.
    pub(crate) reused: AtomicU64,
    /// Requests sent again after a connection was lost.
    pub(crate) retries: AtomicU64,
    /// Requests also sent to another app, because the first one took long.
    pub(crate) hedges: AtomicU64,
    /// Requests that would have been sent again, if the budget had allowed it.
    pub(crate) budget_exhausted: AtomicU64,
    /// Requests refused because every app had as many as it may.
    pub(crate) full: AtomicU64,
    /// Apps taken out.
    pub(crate) ejections: AtomicU64,
    /// Apps taken in again.
    pub(crate) readmissions: AtomicU64,
    /// Changes of the list of apps.
    pub(crate) list_changes: AtomicU64,
    /// Lists that could not be used.
    pub(crate) list_failures: AtomicU64,
}

impl UpstreamCounters {
    /// Each by its name, as a metric's label has it.
    pub(crate) fn all(&self) -> [(&'static str, u64); 11] {
        [
            ("connect", &self.connects),
            ("connect_failure", &self.connect_failures),
            ("reuse", &self.reused),
            ("retry", &self.retries),
            ("hedge", &self.hedges),
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

/// One more.
pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}
