use std::{
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use tokio::time::{MissedTickBehavior, interval};

use super::{
    UpstreamError,
    app::{App, Common, Lease},
    budget::Budget,
    counters::count,
    probe,
    watch::{TICK, millis},
};

/// So many ticks are a second.
const SECOND: u32 = 10;
/// A harmless request is asked of another app after so many times what almost all answers take.
const HEDGE: u64 = 4;

/// All the apps on the list, and those that were on it and still have something to do.
pub(super) struct Flock {
    pub(super) common: Arc<Common>,
    pub(super) budget: Budget,
    apps: ArcSwap<Vec<Arc<App>>>,
    leaving: Mutex<Vec<Arc<App>>>,
    turn: AtomicUsize,
    /// See [`Flock::hedge_after`].
    hedge_after: AtomicU64,
}

impl Flock {
    pub(super) fn new(common: Common) -> Arc<Self> {
        let hedge_after = AtomicU64::new(millis(common.limits.hedge_least));
        Arc::new(Self {
            common: Arc::new(common),
            budget: Budget::new(),
            apps: ArcSwap::default(),
            leaving: Mutex::default(),
            turn: AtomicUsize::new(0),
            hedge_after,
        })
    }

    /// After how many milliseconds an answer is so late that another app is asked as well.
    pub(super) fn hedge_after(&self) -> u64 {
        self.hedge_after.load(Relaxed)
    }

    pub(super) fn apps(&self) -> Arc<Vec<Arc<App>>> {
        self.apps.load_full()
    }

    /// Makes the list what it says: new apps come, those that are not on it go. Those that stay
    /// notice nothing.
    pub(super) fn set(&self, addresses: &[String]) {
        let before = self.apps();
        if before.iter().map(|app| app.address()).eq(addresses) {
            return;
        }
        let mut after: Vec<Arc<App>> = Vec::with_capacity(addresses.len());
        for address in addresses {
            if after.iter().any(|app| app.address() == address) {
                continue;
            }
            let known = before.iter().find(|app| app.address() == address);
            after.push(known.cloned().unwrap_or_else(|| {
                let app = App::new(address.clone(), Arc::clone(&self.common));
                tokio::spawn(probe::run(Arc::downgrade(&app)));
                app
            }));
        }
        let stays = |app: &Arc<App>| after.iter().any(|other| Arc::ptr_eq(app, other));
        let gone: Vec<_> = before.iter().filter(|app| !stays(app)).cloned().collect();
        let (apps, removed) = (after.len(), gone.len());
        if (apps, removed) == (before.len(), 0) {
            return;
        }
        self.apps.store(Arc::new(after));
        for app in &gone {
            app.retire();
        }
        self.leaving
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(gone);
        if !before.is_empty() {
            count(&self.common.counters.list_changes);
            tracing::info!(apps, removed, "the list of apps has changed");
        }
    }

    /// The cheaper of two apps. One that lost this request before is asked if no other can be, and
    /// ejected ones when there are no others: then trying is better than refusing.
    pub(super) fn choose(
        &self,
        unreachable: &[Arc<App>],
        avoid: Option<&Arc<App>>,
    ) -> Result<Lease, UpstreamError> {
        let apps = self.apps.load();
        let is = |one: &Arc<App>, other: &Arc<App>| Arc::ptr_eq(one, other);
        let left = |app: &Arc<App>| !unreachable.iter().any(|other| is(app, other));
        let open = |app: &Arc<App>| app.has_room() && left(app);
        let fit = |app: &Arc<App>| !app.fitness.is_ejected() && open(app);
        let other = |app: &Arc<App>| !avoid.is_some_and(|avoid| is(app, avoid)) && fit(app);
        let turn = self.turn.fetch_add(1, Relaxed);
        let chosen = pick(&apps, turn, other)
            .or_else(|| pick(&apps, turn, fit))
            .or_else(|| pick(&apps, turn, open));
        match chosen {
            Some(app) => Ok(app.lease()),
            None if apps.iter().any(left) => {
                count(&self.common.counters.full);
                Err(UpstreamError::Full)
            }
            None => Err(UpstreamError::Unavailable),
        }
    }

    /// Whether there is an app that has not been tried.
    pub(super) fn has_other(&self, than: &Arc<App>) -> bool {
        let fit = |app: &Arc<App>| !Arc::ptr_eq(app, than) && !app.fitness.is_ejected();
        self.apps.load().iter().any(fit)
    }

    fn tick(&self, now: u64, second: bool) {
        let apps = self.apps.load();
        let mut leaving = self.leaving.lock().unwrap_or_else(PoisonError::into_inner);
        leaving.retain(|app| app.in_flight() > 0);
        for app in apps.iter().chain(leaving.iter()) {
            app.look(now);
            if second {
                app.prune(now);
                app.latency.fade();
            }
        }
        if second {
            self.budget.second();
            // What the best app takes: a slow one shall not make the others seem fast enough.
            let best = apps.iter().filter_map(|app| app.latency.p99()).min();
            let limits = &self.common.limits;
            let late = Duration::from_micros(best.unwrap_or(0).saturating_mul(HEDGE));
            let late = late.clamp(limits.hedge_least, limits.hedge_most);
            self.hedge_after.store(millis(late), Relaxed);
        }
    }
}

/// Two of the apps that `may` be asked, and of them the one that costs less; the turn decides which
/// two, and among equals.
fn pick(apps: &[Arc<App>], turn: usize, may: impl Fn(&Arc<App>) -> bool) -> Option<&Arc<App>> {
    let from = |start: usize| {
        let start = start.checked_rem(apps.len()).unwrap_or(0);
        let (before, after) = apps.split_at(start);
        after.iter().chain(before)
    };
    let first = from(turn).find(|app| may(app))?;
    let second = from(scatter(turn)).find(|app| !Arc::ptr_eq(app, first) && may(app));
    let cost = |app: &Arc<App>| app.latency.cost(app.in_flight());
    match second {
        Some(second) if cost(second) < cost(first) => Some(second),
        Some(_) | None => Some(first),
    }
}

/// A number that has no regard to the one before (the finalizer of `SplitMix64`).
fn scatter(turn: usize) -> usize {
    let mut z = u64::try_from(turn)
        .unwrap_or(0)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    usize::try_from((z ^ (z >> 31)) >> 1).unwrap_or(0)
}

/// Moves the clock, for as long as there is anyone who looks at it.
pub(super) async fn keep_time(flock: Weak<Flock>) {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for number in (0..SECOND).cycle() {
        ticks.tick().await;
        let Some(flock) = flock.upgrade() else { return };
        flock.tick(flock.common.clock.tick(), number == 0);
    }
}
