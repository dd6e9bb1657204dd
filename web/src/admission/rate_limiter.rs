//! Rate limits per client.

use std::hash::BuildHasher;
use std::hash::RandomState;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use governor::Quota;
use governor::clock::Clock;
use governor::clock::DefaultClock;
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DashMapStateStore;
use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::header::RETRY_AFTER;
use tokio::time;

use super::prefix::Prefix;
use super::prefix::SITE_FACTOR;

/// The remaining quota (draft-ietf-httpapi-ratelimit-headers-11, 4).
const RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");
/// The quota policy (draft-ietf-httpapi-ratelimit-headers-11, 3).
const RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
/// Interval at which clients with a full quota are removed.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);
/// Maximum clients that are counted individually: about 10 MB. More clients share cells.
const MAX_CLIENTS: usize = 100_000;
/// Number of cells that clients share above [`MAX_CLIENTS`].
const CELLS: u64 = 4096;
/// Burst of a limit per second, in seconds of its rate.
const BURST_SECONDS: u32 = 5;

type Limiter<C> = governor::RateLimiter<Key, DashMapStateStore<Key>, C, StateInformationMiddleware>;

/// A key under which one or more clients are counted.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    Prefix(Prefix),
    /// One of [`CELLS`] cells. The hash is keyed: a client cannot choose whose cell it shares.
    Cell(u64),
}

/// A rate limiter for each client and each IPv6 site.
///
/// It uses the generic cell rate algorithm: a client may use its whole quota at once, and regains
/// it evenly over the window.
pub(crate) struct RateLimiter<C: Clock = DefaultClock> {
    clients: Limiter<C>,
    sites: Limiter<C>,
    clock: C,
    quota: u32,
    /// The window of the quota, in seconds.
    window: u32,
    policy: HeaderValue,
    crowded: AtomicBool,
    hasher: RandomState,
}

impl RateLimiter {
    /// A limiter of `quota` events per minute and client.
    pub(crate) fn per_minute(quota: NonZeroU32) -> Arc<Self> {
        Arc::new(Self::new(quota, 60, DefaultClock::default()))
    }

    /// A limiter of `rate` events per second and client, with a burst of [`BURST_SECONDS`].
    pub(crate) fn per_second(rate: NonZeroU32) -> Arc<Self> {
        let burst = NonZeroU32::new(BURST_SECONDS).unwrap_or(NonZeroU32::MIN);
        let quota = rate.saturating_mul(burst);
        Arc::new(Self::new(quota, BURST_SECONDS, DefaultClock::default()))
    }
}

impl<C: Clock + Clone> RateLimiter<C> {
    /// A limiter of `quota` events in `window` seconds.
    fn new(quota: NonZeroU32, window: u32, clock: C) -> Self {
        let site_quota = quota.saturating_mul(NonZeroU32::new(SITE_FACTOR).unwrap_or(quota));
        let limiter = |quota: NonZeroU32| -> Limiter<C> {
            let period = Duration::from_secs(window.into()) / quota.get();
            let rate = Quota::with_period(period).unwrap_or(Quota::per_second(quota));
            governor::RateLimiter::dashmap_with_clock(rate.allow_burst(quota), clock.clone())
                .with_middleware()
        };
        Self {
            clients: limiter(quota),
            sites: limiter(site_quota),
            policy: HeaderValue::try_from(format!("\"requests\";q={quota};w={window}"))
                .unwrap_or_else(|_never| HeaderValue::from_static("\"requests\"")),
            quota: quota.get(),
            window,
            crowded: AtomicBool::new(false),
            hasher: RandomState::new(),
            clock,
        }
    }

    /// Counts one event, and returns the client's status.
    ///
    /// # Errors
    /// The status, if the quota is exceeded.
    pub(crate) fn check(&self, client: IpAddr) -> Result<RateLimitStatus, RateLimitStatus> {
        let key = self.key(Prefix::client(client));
        let state = self.clients.check_key(&key).and_then(|state| {
            if let Some(site) = Prefix::site(client) {
                self.sites.check_key(&self.key(site))?;
            }
            Ok(state)
        });
        match state {
            Ok(state) => {
                let remaining = state.remaining_burst_capacity().min(self.quota);
                let used = u64::from(self.quota - remaining);
                let seconds = (used * u64::from(self.window)).div_ceil(u64::from(self.quota));
                Ok(self.status(remaining, seconds, false))
            }
            Err(until) => {
                let wait = until.wait_time_from(self.clock.now());
                let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
                Err(self.status(0, seconds, true))
            }
        }
    }

    fn status(&self, remaining: u32, seconds: u64, exceeded: bool) -> RateLimitStatus {
        RateLimitStatus {
            policy: self.policy.clone(),
            remaining,
            seconds: seconds.max(1),
            exceeded,
        }
    }

    fn key(&self, prefix: Prefix) -> Key {
        if self.crowded.load(Relaxed) {
            return Key::Cell(self.hasher.hash_one(prefix) % CELLS);
        }
        Key::Prefix(prefix)
    }

    /// Removes the clients with a full quota.
    fn sweep(&self, max_clients: usize) {
        for limiter in [&self.clients, &self.sites] {
            limiter.retain_recent();
            limiter.shrink_to_fit();
        }
        let crowded = self.clients.len() + self.sites.len() > max_clients;
        if self.crowded.swap(crowded, Relaxed) != crowded {
            if crowded {
                tracing::warn!("too many clients: they share rate limits");
            } else {
                tracing::info!("each client has its own rate limit again");
            }
        }
    }
}

impl<C: Clock + Clone + Send + Sync> RateLimiter<C>
where
    C::Instant: Send + Sync,
{
    /// Sweeps the limiter without end, to bound its memory.
    pub(crate) async fn run_sweeper(self: Arc<Self>) {
        loop {
            time::sleep(SWEEP_INTERVAL).await;
            self.sweep(MAX_CLIENTS);
        }
    }
}

/// The remaining quota of a client.
#[derive(Clone, Debug)]
pub(crate) struct RateLimitStatus {
    policy: HeaderValue,
    remaining: u32,
    /// Seconds until the quota is full again; if it is exceeded, until the next request is allowed.
    seconds: u64,
    exceeded: bool,
}

impl RateLimitStatus {
    /// Sets `RateLimit` and `RateLimit-Policy`, and `Retry-After` if the quota is exceeded.
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        let Self {
            remaining, seconds, ..
        } = self;
        let limit = HeaderValue::try_from(format!("\"requests\";r={remaining};t={seconds}"));
        if let Ok(mut limit) = limit {
            // The value differs in every response: it must not occupy HPACK's dynamic table.
            limit.set_sensitive(true);
            headers.insert(RATELIMIT, limit);
        }
        headers.insert(RATELIMIT_POLICY, self.policy.clone());
        if self.exceeded {
            headers.insert(RETRY_AFTER, HeaderValue::from(self.seconds));
        }
    }
}

#[cfg(test)]
mod tests;
