//! Load shedding: requests in flight in the app tier, by class.

mod latencies;
mod limiter;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use limiter::AdaptiveLimit;

use super::established::EstablishedClients;
use super::fair_share::FairShare;
use super::fair_share::SharePermit;
use crate::api_schema::RequestClass;
use crate::limits::ClassLimits;
use crate::limits::LimiterConfig;
use crate::limits::ShareLimits;

/// The load shedder. It rejects requests before memory or latency suffer. Each class has its own
/// limit, so that a few large transactions or a flood of sign-ins cannot exclude other requests;
/// within a class each client has a fair share.
pub(crate) struct LoadShedder {
    ordinary: Arc<Class>,
    bulk: Arc<Class>,
    sign_in: Arc<Class>,
}

struct Class {
    limit: AdaptiveLimit,
    /// The part below the minimum limit. Its capacity is constant, so that a client gets its share
    /// of it even while others hold permits from before the limit shrank.
    guaranteed: Arc<FairShare>,
    /// The part between the minimum limit and the current one.
    elastic: Arc<FairShare>,
}

impl Class {
    fn new(config: LimiterConfig, established: &Arc<EstablishedClients>) -> Arc<Self> {
        let share = |capacity: u32| {
            let limits = ShareLimits {
                capacity: capacity.into(),
                reserved: u64::from(capacity) / 4,
                max_per_client: capacity.into(),
            };
            FairShare::new(limits, Arc::clone(established))
        };
        Arc::new(Self {
            limit: AdaptiveLimit::new(config, Instant::now()),
            guaranteed: share(config.min),
            elastic: share(config.max - config.min),
        })
    }

    /// Requests in flight.
    fn used(&self) -> u64 {
        self.guaranteed.used() + self.elastic.used()
    }

    fn try_acquire(&self, client: IpAddr) -> Option<SharePermit> {
        // A rejected request counts as demand above the limit.
        self.limit.on_demand(self.used() + 1);
        let guaranteed = self.guaranteed.try_acquire(client, 1);
        guaranteed.or_else(|| self.elastic.try_acquire(client, 1))
    }

    fn on_latency(&self, latency: Duration, now: Instant) {
        if let Some(limit) = self.limit.on_latency(latency, now, self.used()) {
            let elastic = u64::from(limit).saturating_sub(self.guaranteed.capacity());
            self.elastic.set_capacity(elastic);
        }
    }
}

impl LoadShedder {
    pub(super) fn new(limits: ClassLimits, established: &Arc<EstablishedClients>) -> Self {
        Self {
            ordinary: Class::new(limits.ordinary, established),
            bulk: Class::new(limits.bulk, established),
            sign_in: Class::new(limits.sign_in, established),
        }
    }

    /// Admits a request to the app tier; `None` if the class, or the client's share of it, is full.
    pub(crate) fn try_acquire(
        &self,
        class: RequestClass,
        client: IpAddr,
    ) -> Option<AdmissionPermit> {
        let class = match class {
            RequestClass::Ordinary => &self.ordinary,
            RequestClass::Bulk => &self.bulk,
            RequestClass::SignIn => &self.sign_in,
        };
        let share = class.try_acquire(client)?;
        Some(AdmissionPermit {
            class: Arc::clone(class),
            client,
            stage: Stage::InFlight(share, Instant::now()),
        })
    }

    /// Class, requests in flight and current limit, for the metrics.
    pub(crate) fn state(&self) -> [(&'static str, u64, u32); 3] {
        let state = |name, class: &Class| (name, class.used(), class.limit.current());
        [
            state("ordinary", &self.ordinary),
            state("bulk", &self.bulk),
            state("sign_in", &self.sign_in),
        ]
    }
}

/// The stage of an admitted request.
enum Stage {
    /// The client still sends its body.
    Receiving,
    /// The request is in flight in the app tier since this time.
    InFlight(SharePermit, Instant),
    /// The head of the response was received.
    Responded,
}

/// The permit of an admitted request. The request counts as in flight until the head of its
/// response arrives or this is dropped: a client's reading speed is no measure of the app tier.
pub(crate) struct AdmissionPermit {
    class: Arc<Class>,
    client: IpAddr,
    stage: Stage,
}

impl AdmissionPermit {
    /// Reports that the client still sends the body. Meanwhile the request does not count:
    /// otherwise slow senders would exclude other clients.
    pub(crate) fn on_receiving(&mut self) {
        self.stage = Stage::Receiving;
    }

    /// Reports that the body was received: the request counts again. Above the limit the request is
    /// not rejected any more, which would waste its body, but is not counted.
    pub(crate) fn on_received(&mut self) {
        if let Stage::Receiving = self.stage {
            self.stage = match self.class.try_acquire(self.client) {
                Some(share) => Stage::InFlight(share, Instant::now()),
                None => Stage::Responded,
            };
        }
    }

    /// Reports that the head of the response was received or timed out: records the latency.
    pub(crate) fn on_response(&mut self) {
        if let Stage::InFlight(share, since) = std::mem::replace(&mut self.stage, Stage::Responded)
        {
            drop(share);
            let now = Instant::now();
            self.class
                .on_latency(now.saturating_duration_since(since), now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    const CLIENT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    /// A shedder whose classes all have this limit.
    fn shedder(size: u32) -> LoadShedder {
        let config = |config: LimiterConfig| LimiterConfig {
            min: size,
            max: size,
            ..config
        };
        let limits = Limits::default().classes;
        let limits = ClassLimits {
            ordinary: config(limits.ordinary),
            bulk: config(limits.bulk),
            sign_in: config(limits.sign_in),
        };
        LoadShedder::new(limits, &Arc::new(EstablishedClients::new()))
    }

    fn client(last: u8) -> IpAddr {
        [192, 0, 2, last].into()
    }

    #[test]
    fn a_full_class_does_not_affect_the_others() {
        let shedder = shedder(2);
        let bulk = |last| shedder.try_acquire(RequestClass::Bulk, client(last));
        let held = [bulk(1).unwrap(), bulk(2).unwrap()];
        assert!(bulk(3).is_none());
        assert!(
            shedder
                .try_acquire(RequestClass::Ordinary, CLIENT)
                .is_some()
        );
        assert!(shedder.try_acquire(RequestClass::SignIn, CLIENT).is_some());
        drop(held);
        assert!(bulk(3).is_some());
    }

    #[test]
    fn one_client_gets_a_part_of_a_class_and_others_the_rest() {
        let shedder = shedder(64);
        let all = |last| {
            let one = || shedder.try_acquire(RequestClass::SignIn, client(last));
            std::iter::from_fn(one).collect::<Vec<_>>()
        };
        let greedy = all(1);
        assert_eq!(greedy.len(), 24);
        assert!(all(2).len() >= 8);
    }

    #[test]
    fn a_limit_that_shrinks_under_one_client_still_admits_another() {
        let established = Arc::new(EstablishedClients::new());
        let shedder = LoadShedder::new(Limits::default().classes, &established);
        let ordinary = |last| shedder.try_acquire(RequestClass::Ordinary, client(last));
        let mut greedy: Vec<_> = std::iter::from_fn(|| ordinary(1)).collect();
        assert!(greedy.len() > 300);
        let (class, mut now) = (&shedder.ordinary, Instant::now());
        for latency in [1; 5].into_iter().chain([10_000; 100]) {
            now += Duration::from_secs(10);
            class.on_latency(Duration::from_millis(latency), now);
        }
        assert_eq!(
            class.limit.current(),
            Limits::default().classes.ordinary.min
        );
        assert!(ordinary(1).is_none());
        let other: Vec<_> = std::iter::from_fn(|| ordinary(2)).collect();
        assert!(other.len() >= 8, "{}", other.len());
        drop(other);
        greedy.clear();
        assert_eq!(class.used(), 0);
    }

    #[test]
    fn a_request_counts_until_the_head_of_its_response() {
        let shedder = shedder(1);
        let ordinary = || shedder.try_acquire(RequestClass::Ordinary, CLIENT);
        let mut first = ordinary().unwrap();
        assert!(ordinary().is_none());
        first.on_response();
        let second = ordinary().unwrap();
        drop(first);
        assert!(ordinary().is_none());
        drop(second);
        assert!(ordinary().is_some());
    }

    #[test]
    fn a_client_that_sends_slowly_holds_no_share() {
        let shedder = shedder(1);
        let ordinary = || shedder.try_acquire(RequestClass::Ordinary, CLIENT);
        let mut slow: Vec<_> = (0..100)
            .map(|_| {
                let mut permit = ordinary().unwrap();
                permit.on_receiving();
                permit
            })
            .collect();
        slow[0].on_received();
        assert!(ordinary().is_none());
        slow[0].on_response();
        assert!(ordinary().is_some());
    }
}
