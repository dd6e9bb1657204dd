//! Outlier detection: the ejection and readmission of an endpoint.

use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use super::deadline::millis;
use crate::limits::UpstreamLimits;
use crate::per_worker::lock_ignoring_poison;

/// Time after a readmission within which a further ejection lasts longer, in milliseconds.
const PROBATION: u64 = 30_000;

/// The outlier detector of an endpoint. Times are those of the coarse clock, in milliseconds.
///
/// Ejects the endpoint at once if it cannot be connected to, after a few lost or late requests in a
/// row, and after failed probes. Readmits it after a successful probe once the ejection time has
/// passed; the time doubles if the endpoint is ejected again soon.
#[derive(Debug, Default)]
pub(super) struct OutlierDetector {
    ejected: AtomicBool,
    /// Whether the last request failed.
    failing: AtomicBool,
    /// Whether the endpoint is ready by its last probes; a few failures in a row are tolerated.
    ready: AtomicBool,
    /// The time of the last response.
    last_response: AtomicU64,
    history: Mutex<History>,
}

#[derive(Debug, Default)]
struct History {
    failures: u32,
    failed_probes: u32,
    /// The duration of the last ejection.
    ejection: u64,
    ejected_until: u64,
    readmitted_at: u64,
}

/// A change of an endpoint's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Ejected,
    Readmitted,
}

/// The failure of an endpoint to serve a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The endpoint cannot be connected to: TCP or TLS failed, or took too long, or the identity is
    /// another one.
    Unreachable,
    /// The connection was lost, the response was late, or malformed.
    NoResponse,
}

impl OutlierDetector {
    pub(super) fn is_ejected(&self) -> bool {
        self.ejected.load(Relaxed)
    }

    pub(super) fn is_ready(&self) -> bool {
        self.ready.load(Relaxed)
    }

    /// Records a response.
    pub(super) fn on_response(&self, now: u64) {
        self.last_response.store(now, Relaxed);
        if self.failing.load(Relaxed) {
            self.failing.store(false, Relaxed);
            self.history().failures = 0;
        }
    }

    /// Whether there was no response since `began`.
    pub(super) fn is_silent_since(&self, began: u64) -> bool {
        // A response within the same tick may have arrived after `began`.
        self.last_response.load(Relaxed) < began
    }

    /// Records a failed request.
    pub(super) fn on_failure(
        &self,
        fault: Fault,
        now: u64,
        limits: &UpstreamLimits,
    ) -> Option<Change> {
        self.failing.store(true, Relaxed);
        let mut history = self.history();
        history.failures += 1;
        let enough = fault == Fault::Unreachable || history.failures >= limits.request_failures;
        enough.then(|| self.eject(&mut history, now, limits))?
    }

    /// Records that the endpoint responds neither to a probe nor to a request.
    pub(super) fn on_silence(&self, now: u64, limits: &UpstreamLimits) -> Option<Change> {
        self.eject(&mut self.history(), now, limits)
    }

    /// Records the outcome of a probe.
    pub(super) fn on_probe(
        &self,
        ready: bool,
        now: u64,
        limits: &UpstreamLimits,
    ) -> Option<Change> {
        let mut history = self.history();
        if !ready {
            history.failed_probes += 1;
            if history.failed_probes < limits.probe_failures {
                return None;
            }
            self.ready.store(false, Relaxed);
            return self.eject(&mut history, now, limits);
        }
        history.failed_probes = 0;
        self.ready.store(true, Relaxed);
        if !self.is_ejected() || now < history.ejected_until {
            return None;
        }
        history.failures = 0;
        history.readmitted_at = now;
        self.ejected.store(false, Relaxed);
        Some(Change::Readmitted)
    }

    fn eject(&self, history: &mut History, now: u64, limits: &UpstreamLimits) -> Option<Change> {
        if self.ejected.swap(true, Relaxed) {
            return None;
        }
        history.ejection = match history.ejection {
            ejection if ejection > 0 && now < history.readmitted_at + PROBATION => {
                (2 * ejection).min(millis(limits.max_ejection))
            }
            _ => millis(limits.min_ejection),
        };
        history.ejected_until = now + history.ejection;
        Some(Change::Ejected)
    }

    fn history(&self) -> MutexGuard<'_, History> {
        lock_ignoring_poison(&self.history)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_failures_in_a_row_eject_and_only_a_successful_probe_readmits() {
        let (outliers, limits) = (OutlierDetector::default(), UpstreamLimits::default());
        let lost = |now| outliers.on_failure(Fault::NoResponse, now, &limits);
        assert_eq!((lost(1), lost(2)), (None, None));
        outliers.on_response(3);
        assert_eq!(
            (lost(3), lost(4), lost(5)),
            (None, None, Some(Change::Ejected))
        );
        outliers.on_response(6);
        assert!(outliers.is_ejected());
        assert_eq!(outliers.on_probe(true, 100, &limits), None);
        assert_eq!(
            outliers.on_probe(true, 600, &limits),
            Some(Change::Readmitted)
        );
        assert!(!outliers.is_ejected());
    }

    #[test]
    fn an_endpoint_that_fails_again_soon_is_ejected_for_longer_up_to_a_limit() {
        let (outliers, limits) = (OutlierDetector::default(), UpstreamLimits::default());
        let mut now = 1;
        for duration in [500, 1000, 2000, 4000, 4000] {
            let change = outliers.on_failure(Fault::Unreachable, now, &limits);
            assert_eq!(change, Some(Change::Ejected));
            assert_eq!(outliers.on_probe(true, now + duration - 1, &limits), None);
            now += duration;
            assert_eq!(
                outliers.on_probe(true, now, &limits),
                Some(Change::Readmitted)
            );
        }
        now += PROBATION;
        outliers.on_failure(Fault::Unreachable, now, &limits);
        assert_eq!(
            outliers.on_probe(true, now + 500, &limits),
            Some(Change::Readmitted)
        );
    }

    #[test]
    fn an_endpoint_that_responded_within_the_same_tick_is_not_silent() {
        let outliers = OutlierDetector::default();
        assert!(outliers.is_silent_since(1));
        outliers.on_response(100);
        assert!(!outliers.is_silent_since(100));
        assert!(outliers.is_silent_since(101));
    }

    #[test]
    fn one_failed_probe_is_tolerated() {
        let (outliers, limits) = (OutlierDetector::default(), UpstreamLimits::default());
        assert!(!outliers.is_ready());
        outliers.on_probe(true, 1, &limits);
        assert_eq!(outliers.on_probe(false, 2, &limits), None);
        assert!(outliers.is_ready());
        assert_eq!(outliers.on_probe(false, 3, &limits), Some(Change::Ejected));
        assert!(!outliers.is_ready());
    }
}
