mod latencies;
mod limiter;

use std::{sync::Arc, time::Instant};

use limiter::Limiter;
pub(crate) use limiter::Rules;

/// Refuses requests before memory or latency go: a limiter for each class, so that a few large
/// bundles can't shut out everything else, nor the other way round.
pub(crate) struct Shed {
    ordinary: Arc<Limiter>,
    bulk: Arc<Limiter>,
}

impl Shed {
    pub(crate) fn new(ordinary: Rules, bulk: Rules) -> Self {
        let now = Instant::now();
        Self {
            ordinary: Arc::new(Limiter::new(ordinary, now)),
            bulk: Arc::new(Limiter::new(bulk, now)),
        }
    }

    /// Lets a request on to the apps; `None` is a 503, at once.
    pub(crate) fn admit(&self, bulk: bool) -> Option<Ticket> {
        let limiter = if bulk { &self.bulk } else { &self.ordinary };
        limiter.enter().then(|| Ticket {
            limiter: Arc::clone(limiter),
            stage: Stage::Working(Instant::now()),
        })
    }

    /// Class, requests at work, and the present limit: for the metrics.
    pub(crate) fn state(&self) -> [(&'static str, u32, u32); 2] {
        let of = |class, limiter: &Limiter| (class, limiter.in_flight(), limiter.limit());
        [of("ordinary", &self.ordinary), of("bulk", &self.bulk)]
    }
}

/// Where a request is.
#[derive(Clone, Copy)]
enum Stage {
    /// Its client still sends.
    Receiving,
    /// The app has it, since then.
    Working(Instant),
    /// The head of the answer was there.
    Answered,
}

/// A request that was let on. What it holds is given back at the head of its answer, or when it is
/// dropped: how fast a client reads says nothing about the apps.
pub(crate) struct Ticket {
    limiter: Arc<Limiter>,
    stage: Stage,
}

impl Ticket {
    /// The client has yet to send the body. While it does, the request counts for nothing: else
    /// a thousand slow senders would shut everybody out.
    pub(crate) fn receiving(&mut self) {
        if let Stage::Working(_) = self.stage {
            self.limiter.leave();
            self.stage = Stage::Receiving;
        }
    }

    /// The body is there. The request counts again, even above the limit: to refuse it now would
    /// waste what was sent. Who comes next is measured with it.
    pub(crate) fn received(&mut self) {
        if let Stage::Receiving = self.stage {
            self.limiter.enter_again();
            self.stage = Stage::Working(Instant::now());
        }
    }

    /// The head of the answer is there, or the time for it is over: what it took is counted.
    pub(crate) fn answered(&mut self) {
        if let Stage::Working(since) = self.stage {
            let now = Instant::now();
            self.limiter.leave();
            self.limiter.took(now.saturating_duration_since(since), now);
        }
        self.stage = Stage::Answered;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Stage::Working(_) = self.stage {
            self.limiter.leave();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    fn shed(floor: u32) -> Shed {
        let rules = |rules: Rules| Rules {
            floor,
            ceiling: floor,
            ..rules
        };
        let limits = Limits::default();
        Shed::new(rules(limits.ordinary), rules(limits.bulk))
    }

    #[test]
    fn a_class_that_is_full_leaves_the_other_alone() {
        let shed = shed(2);
        let bulk = [shed.admit(true).unwrap(), shed.admit(true).unwrap()];
        assert!(shed.admit(true).is_none());
        let ordinary = shed.admit(false);
        assert!(ordinary.is_some());
        drop(bulk);
        assert!(shed.admit(true).is_some());
    }

    #[test]
    fn a_place_is_given_back_at_the_head_of_the_answer_and_only_once() {
        let shed = shed(1);
        let mut first = shed.admit(false).unwrap();
        assert!(shed.admit(false).is_none());
        first.answered();
        let second = shed.admit(false).unwrap();
        drop(first);
        assert!(shed.admit(false).is_none());
        drop(second);
        assert!(shed.admit(false).is_some());
    }

    #[test]
    fn whoever_sends_slowly_takes_nobodys_place() {
        let shed = shed(1);
        let mut slow: Vec<Ticket> = (0..100)
            .map(|_| {
                let mut ticket = shed.admit(false).unwrap();
                ticket.receiving();
                ticket
            })
            .collect();
        slow[0].received();
        assert!(shed.admit(false).is_none());
        slow[0].answered();
        assert!(shed.admit(false).is_some());
        drop(slow);
        assert_eq!(shed.state()[0].1, 0);
    }
}
