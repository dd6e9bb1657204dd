use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
};

use super::{limits::Limits, watch::millis};

/// How long after it was taken in again an app's past is forgotten.
const PROBATION: u64 = 30_000;

/// Whether an app is fit to be asked.
///
/// Taken out by what happens to requests (at once if it can't be connected to, after a few that
/// were lost or overdue in a row) or by refusing to say that it is ready. Taken in again only by
/// saying so, and not before its time: longer each time that this turned out to be untrue.
#[derive(Debug, Default)]
pub(super) struct Fitness {
    ejected: AtomicBool,
    /// Requests failed since the last one that did not.
    failing: AtomicBool,
    /// It has said that it is ready, and has not failed to say so again.
    ready: AtomicBool,
    /// When it last answered anything.
    heard: AtomicU64,
    record: Mutex<Record>,
}

#[derive(Debug, Default)]
struct Record {
    failures: u32,
    unready: u32,
    /// How long it was last ejected for, in milliseconds.
    hold: u64,
    held_until: u64,
    readmitted: u64,
}

/// What changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Ejected,
    Readmitted,
}

/// How a request failed, on the app's side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// There is nobody.
    Unreachable,
    /// The connection was lost, or it took too long, or what came was no answer.
    NoAnswer,
}

impl Fitness {
    pub(super) fn is_ejected(&self) -> bool {
        self.ejected.load(Relaxed)
    }

    pub(super) fn is_ready(&self) -> bool {
        self.ready.load(Relaxed)
    }

    /// A request was answered.
    pub(super) fn answered(&self, now: u64) {
        self.heard.store(now, Relaxed);
        if self.failing.load(Relaxed) {
            self.failing.store(false, Relaxed);
            self.record().failures = 0;
        }
    }

    /// Whether nothing was answered since then.
    pub(super) fn is_silent_since(&self, began: u64) -> bool {
        self.heard.load(Relaxed) <= began
    }

    /// A request was not.
    pub(super) fn failed(&self, fault: Fault, now: u64, limits: &Limits) -> Option<Change> {
        self.failing.store(true, Relaxed);
        let mut record = self.record();
        record.failures += 1;
        let enough = fault == Fault::Unreachable || record.failures >= limits.failures;
        enough.then(|| self.eject(&mut record, now, limits))?
    }

    /// It says nothing, neither whether it is ready nor to others who ask for other things.
    pub(super) fn silent(&self, now: u64, limits: &Limits) -> Option<Change> {
        self.eject(&mut self.record(), now, limits)
    }

    /// It said whether it is ready.
    pub(super) fn probed(&self, ready: bool, now: u64, limits: &Limits) -> Option<Change> {
        let mut record = self.record();
        if !ready {
            record.unready += 1;
            if record.unready < limits.probe_failures {
                return None;
            }
            self.ready.store(false, Relaxed);
            return self.eject(&mut record, now, limits);
        }
        record.unready = 0;
        self.ready.store(true, Relaxed);
        if !self.is_ejected() || now < record.held_until {
            return None;
        }
        record.failures = 0;
        record.readmitted = now;
        self.ejected.store(false, Relaxed);
        Some(Change::Readmitted)
    }

    fn eject(&self, record: &mut Record, now: u64, limits: &Limits) -> Option<Change> {
        if self.ejected.swap(true, Relaxed) {
            return None;
        }
        record.hold = match record.hold {
            hold if hold > 0 && now < record.readmitted + PROBATION => {
                (2 * hold).min(millis(limits.eject_most))
            }
            _ => millis(limits.eject_least),
        };
        record.held_until = now + record.hold;
        Some(Change::Ejected)
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_failures_in_a_row_eject_and_only_readiness_readmits() {
        let (fitness, limits) = (Fitness::default(), Limits::default());
        let lost = |now| fitness.failed(Fault::NoAnswer, now, &limits);
        assert_eq!((lost(1), lost(2)), (None, None));
        fitness.answered(3);
        assert_eq!(
            (lost(3), lost(4), lost(5)),
            (None, None, Some(Change::Ejected))
        );
        fitness.answered(6);
        assert!(fitness.is_ejected());
        assert_eq!(fitness.probed(true, 100, &limits), None);
        assert_eq!(fitness.probed(true, 600, &limits), Some(Change::Readmitted));
        assert!(!fitness.is_ejected());
    }

    #[test]
    fn who_says_to_be_ready_and_is_not_stays_out_longer_each_time_but_not_for_long() {
        let (fitness, limits) = (Fitness::default(), Limits::default());
        let mut now = 1;
        for held in [500, 1000, 2000, 4000, 4000] {
            let change = fitness.failed(Fault::Unreachable, now, &limits);
            assert_eq!(change, Some(Change::Ejected));
            assert_eq!(fitness.probed(true, now + held - 1, &limits), None);
            now += held;
            assert_eq!(fitness.probed(true, now, &limits), Some(Change::Readmitted));
        }
        now += PROBATION;
        fitness.failed(Fault::Unreachable, now, &limits);
        assert_eq!(
            fitness.probed(true, now + 500, &limits),
            Some(Change::Readmitted)
        );
    }

    #[test]
    fn one_refusal_is_forgiven() {
        let (fitness, limits) = (Fitness::default(), Limits::default());
        assert!(!fitness.is_ready());
        fitness.probed(true, 1, &limits);
        assert_eq!(fitness.probed(false, 2, &limits), None);
        assert!(fitness.is_ready());
        assert_eq!(fitness.probed(false, 3, &limits), Some(Change::Ejected));
        assert!(!fitness.is_ready());
    }
}
