//! The pool of endpoints, and load balancing among them.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::Weak;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use arc_swap::ArcSwap;
use tokio::time::MissedTickBehavior;
use tokio::time::interval;

use super::UpstreamError;
use super::budget::Budget;
use super::counters::count;
use super::deadline::TICK;
use super::endpoint::Endpoint;
use super::endpoint::InFlightGuard;
use super::endpoint::PoolContext;
use super::probe;
use crate::per_worker::lock_ignoring_poison;

/// Ticks of the coarse clock in a second.
const TICKS_PER_SECOND: u32 = 10;

/// The current endpoints, and removed ones that are still in use.
pub(super) struct UpstreamPool {
    pub(super) context: Arc<PoolContext>,
    pub(super) budget: Budget,
    endpoints: ArcSwap<Vec<Arc<Endpoint>>>,
    removed: Mutex<Vec<Arc<Endpoint>>>,
    choices: AtomicUsize,
}

impl UpstreamPool {
    pub(super) fn new(context: PoolContext) -> Arc<Self> {
        Arc::new(Self {
            context: Arc::new(context),
            budget: Budget::new(),
            endpoints: ArcSwap::default(),
            removed: Mutex::default(),
            choices: AtomicUsize::new(0),
        })
    }

    pub(super) fn endpoints(&self) -> Arc<Vec<Arc<Endpoint>>> {
        self.endpoints.load_full()
    }

    /// Replaces the list. Endpoints that stay keep their connections and their health.
    pub(super) fn set(&self, addresses: &[String]) {
        let before = self.endpoints();
        if before
            .iter()
            .map(|endpoint| endpoint.address())
            .eq(addresses)
        {
            return;
        }
        let mut after: Vec<Arc<Endpoint>> = Vec::with_capacity(addresses.len());
        for address in addresses {
            if after.iter().any(|endpoint| endpoint.address() == address) {
                continue;
            }
            let known = before.iter().find(|endpoint| endpoint.address() == address);
            after.push(known.cloned().unwrap_or_else(|| {
                let endpoint = Endpoint::new(address.clone(), Arc::clone(&self.context));
                tokio::spawn(probe::run(Arc::downgrade(&endpoint)));
                endpoint
            }));
        }
        let stays = |endpoint: &Arc<Endpoint>| after.iter().any(|one| Arc::ptr_eq(one, endpoint));
        let removed: Vec<_> = before
            .iter()
            .filter(|endpoint| !stays(endpoint))
            .cloned()
            .collect();
        let (count_after, count_removed) = (after.len(), removed.len());
        if (count_after, count_removed) == (before.len(), 0) {
            return;
        }
        self.endpoints.store(Arc::new(after));
        for endpoint in &removed {
            endpoint.remove();
        }
        lock_ignoring_poison(&self.removed).extend(removed);
        if !before.is_empty() {
            count(&self.context.counters.list_changes);
            tracing::info!(
                endpoints = count_after,
                removed = count_removed,
                "the list of endpoints has changed"
            );
        }
    }

    /// Chooses an endpoint: of two, the one with fewer requests in flight. The endpoint that lost
    /// this request before is chosen only if there is no other healthy one, and an ejected endpoint
    /// only if all are ejected: trying is then better than refusing.
    ///
    /// # Errors
    /// [`UpstreamError::Full`], [`UpstreamError::Unavailable`].
    pub(super) fn choose(
        &self,
        unreachable: &[Arc<Endpoint>],
        avoid: Option<&Arc<Endpoint>>,
    ) -> Result<InFlightGuard, UpstreamError> {
        let endpoints = self.endpoints.load();
        let is = |one: &Arc<Endpoint>, other: &Arc<Endpoint>| Arc::ptr_eq(one, other);
        let reachable = |one: &Arc<Endpoint>| !unreachable.iter().any(|other| is(one, other));
        let open = |one: &Arc<Endpoint>| one.has_room() && reachable(one);
        let healthy = |one: &Arc<Endpoint>| !one.outliers.is_ejected() && open(one);
        let other =
            |one: &Arc<Endpoint>| !avoid.is_some_and(|avoid| is(one, avoid)) && healthy(one);
        let choice = self.choices.fetch_add(1, Relaxed);
        let chosen = pick(&endpoints, choice, other)
            .or_else(|| pick(&endpoints, choice, healthy))
            .or_else(|| pick(&endpoints, choice, open));
        match chosen {
            Some(endpoint) => Ok(endpoint.in_flight_guard()),
            None if endpoints.iter().any(reachable) => {
                count(&self.context.counters.full);
                Err(UpstreamError::Full)
            }
            None => Err(UpstreamError::Unavailable),
        }
    }

    /// Whether there is another healthy endpoint.
    pub(super) fn has_other(&self, endpoint: &Arc<Endpoint>) -> bool {
        let endpoints = self.endpoints.load();
        let mut others = endpoints.iter().filter(|one| !Arc::ptr_eq(one, endpoint));
        others.any(|one| !one.outliers.is_ejected())
    }

    fn on_tick(&self, now: u64, is_second: bool) {
        let endpoints = self.endpoints.load();
        let mut removed = lock_ignoring_poison(&self.removed);
        // Requests in flight refer to their endpoint, and so does a thread that still chooses from an
        // old list.
        removed.retain(|endpoint| Arc::strong_count(endpoint) > 1);
        for endpoint in endpoints.iter().chain(removed.iter()) {
            endpoint.expire_deadlines(now);
            if is_second {
                endpoint.evict_idle(now);
            }
        }
        if is_second {
            self.budget.on_second();
        }
    }
}

/// The power of two choices: of two eligible endpoints, the one with fewer requests in flight. By
/// the number of the choice, the first is the next in turn, which also wins a tie, and the second
/// is pseudorandom.
fn pick(
    endpoints: &[Arc<Endpoint>],
    choice: usize,
    is_eligible: impl Fn(&Arc<Endpoint>) -> bool,
) -> Option<&Arc<Endpoint>> {
    let from = |start: usize| {
        let start = start.checked_rem(endpoints.len()).unwrap_or(0);
        let (before, after) = endpoints.split_at(start);
        after.iter().chain(before)
    };
    let first = from(choice).find(|one| is_eligible(one))?;
    let second = from(splitmix64(choice)).find(|one| !Arc::ptr_eq(one, first) && is_eligible(one));
    match second {
        Some(second) if second.in_flight() < first.in_flight() => Some(second),
        Some(_) | None => Some(first),
    }
}

/// The finalizer of `SplitMix64`: turns consecutive numbers into pseudorandom ones.
fn splitmix64(number: usize) -> usize {
    let mut z = u64::try_from(number)
        .unwrap_or(0)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    usize::try_from((z ^ (z >> 31)) >> 1).unwrap_or(0)
}

/// Runs the coarse clock while the pool exists.
pub(super) async fn run_clock(pool: Weak<UpstreamPool>) {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for number in (0..TICKS_PER_SECOND).cycle() {
        ticks.tick().await;
        let Some(pool) = pool.upgrade() else { return };
        pool.on_tick(pool.context.clock.tick(), number == 0);
    }
}
