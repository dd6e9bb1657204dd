use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use telemetry::service_manager;
use tokio::time;

/// Whether each worker still turns: one that is stuck serves nobody, and no other thread notices.
pub(crate) struct Pulse(Box<[AtomicBool]>);

impl Pulse {
    /// Of so many workers, numbered from 1.
    pub(crate) fn new(workers: usize) -> Arc<Self> {
        Arc::new(Self((0..workers).map(|_| AtomicBool::new(true)).collect()))
    }

    /// Beats for one worker, within its runtime, if anybody wants to know.
    pub(crate) async fn beat(self: Arc<Self>, worker: usize) {
        let (Some(limit), Some(beat)) = (
            service_manager::patience(),
            self.0.get(worker.saturating_sub(1)),
        ) else {
            return;
        };
        loop {
            beat.store(true, Relaxed);
            // Twice as often as it is looked at.
            time::sleep(limit / 4).await;
        }
    }

    /// Whether all have beaten since this was asked last.
    pub(super) fn is_regular(&self) -> bool {
        // Each is asked, also after one that has not.
        let beaten = self.0.iter().filter(|beat| beat.swap(false, Relaxed));
        beaten.count() == self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_worker_that_is_stuck_is_enough() {
        let pulse = Pulse::new(3);
        assert!(pulse.is_regular());
        for beat in &pulse.0[..2] {
            beat.store(true, Relaxed);
        }
        assert!(!pulse.is_regular());
        pulse.0[2].store(true, Relaxed);
        assert!(!pulse.is_regular());
        pulse.0.iter().for_each(|beat| beat.store(true, Relaxed));
        assert!(pulse.is_regular());
    }
}
