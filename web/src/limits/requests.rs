use std::{
    hash::{BuildHasher, RandomState},
    net::IpAddr,
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use governor::{
    Quota, RateLimiter,
    clock::{Clock, DefaultClock},
    middleware::StateInformationMiddleware,
    state::keyed::DashMapStateStore,
};
use http::{HeaderMap, HeaderName, HeaderValue, header::RETRY_AFTER};
use tokio::time;

use crate::client;

/// The quota that is left (draft-ietf-httpapi-ratelimit-headers-11, 4).
const RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");
/// The quota that there is (draft-ietf-httpapi-ratelimit-headers-11, 3).
const RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
/// What the quota is counted over, in seconds.
const WINDOW: u32 = 60;
/// How often clients that have their whole quota back are forgotten.
const SWEEP: Duration = Duration::from_secs(1);
/// So many clients are known each by itself: about 10 MB. Beyond, they share what is below.
const KNOWN: usize = 100_000;
/// The cells that clients share when there are too many of them.
const CELLS: u64 = 4096;

/// Who is counted together.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Counted {
    Client(IpAddr),
    /// Some clients of very many. Which ones is not to be foreseen.
    Cell(u64),
}

/// How many requests each client may make.
///
/// Counted by the generic cell rate algorithm: a client has its whole quota at once, and gets it
/// back evenly over a minute.
pub(crate) struct Requests<C: Clock = DefaultClock> {
    limiter: RateLimiter<Counted, DashMapStateStore<Counted>, C, StateInformationMiddleware>,
    clock: C,
    quota: u32,
    policy: HeaderValue,
    crowded: AtomicBool,
    hasher: RandomState,
}

impl Requests {
    /// `quota` requests a minute for each client.
    pub(crate) fn new(quota: NonZeroU32) -> Arc<Self> {
        Arc::new(Self::with_clock(quota, DefaultClock::default()))
    }
}

impl<C: Clock + Clone> Requests<C> {
    fn with_clock(quota: NonZeroU32, clock: C) -> Self {
        let policy = format!("\"requests\";q={quota};w={WINDOW}");
        let limiter = RateLimiter::dashmap_with_clock(Quota::per_minute(quota), clock.clone());
        Self {
            limiter: limiter.with_middleware(),
            clock,
            quota: quota.get(),
            policy: HeaderValue::try_from(policy)
                .unwrap_or_else(|_never| HeaderValue::from_static("\"requests\"")),
            crowded: AtomicBool::new(false),
            hasher: RandomState::new(),
        }
    }

    /// Counts a request. Either way the client is told where it stands; `Err` is a 429.
    pub(crate) fn check(&self, client: IpAddr) -> Result<Allowance, Allowance> {
        let counted = self.counted(client);
        match self.limiter.check_key(&counted) {
            Ok(state) => {
                let left = state.remaining_burst_capacity().min(self.quota);
                let used = u64::from(self.quota - left);
                let whole = (used * u64::from(WINDOW)).div_ceil(u64::from(self.quota));
                Ok(self.allowance(left, whole, false))
            }
            Err(until) => {
                let wait = until.wait_time_from(self.clock.now());
                let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
                Err(self.allowance(0, seconds, true))
            }
        }
    }

    fn allowance(&self, left: u32, seconds: u64, refused: bool) -> Allowance {
        Allowance {
            policy: self.policy.clone(),
            left,
            seconds: seconds.max(1),
            refused,
        }
    }

    fn counted(&self, client: IpAddr) -> Counted {
        let client = client::client_prefix(client);
        if self.crowded.load(Relaxed) {
            return Counted::Cell(self.hasher.hash_one(client) % CELLS);
        }
        Counted::Client(client)
    }

    /// Forgets whoever has the whole quota back.
    fn sweep(&self, known: usize) {
        self.limiter.retain_recent();
        self.limiter.shrink_to_fit();
        let crowded = self.limiter.len() > known;
        if self.crowded.swap(crowded, Relaxed) != crowded {
            tracing::warn!(crowded, "very many clients: they are counted together");
        }
    }
}

impl<C: Clock + Clone + Send + Sync> Requests<C>
where
    C::Instant: Send + Sync,
{
    /// Keeps what is remembered small, for ever.
    pub(crate) async fn keep_small(self: Arc<Self>) {
        loop {
            time::sleep(SWEEP).await;
            self.sweep(KNOWN);
        }
    }
}

/// Where a client stands.
#[derive(Clone, Debug)]
pub(crate) struct Allowance {
    policy: HeaderValue,
    /// Requests that may be made at once.
    left: u32,
    /// Until the quota is whole again, or, of a refusal, until the next request may be made.
    seconds: u64,
    refused: bool,
}

impl Allowance {
    /// Tells the client; of a refusal, also when to come again.
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        let Self { left, seconds, .. } = self;
        if let Ok(mut limit) = HeaderValue::try_from(format!("\"requests\";r={left};t={seconds}")) {
            // It changes with every answer: HTTP/2's table is for what comes again.
            limit.set_sensitive(true);
            headers.insert(RATELIMIT, limit);
        }
        headers.insert(RATELIMIT_POLICY, self.policy.clone());
        if self.refused {
            headers.insert(RETRY_AFTER, HeaderValue::from(self.seconds));
        }
    }
}

#[cfg(test)]
mod tests;
