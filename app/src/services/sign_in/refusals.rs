//! The budget of refused sign-ins that are recorded one by one.
//!
//! A throttled attempt is recorded once for each wait of its limiter. Of a client that tries many accounts, and of all
//! clients together, the first refusals of a minute are recorded. All others are counted, and recorded together as one
//! event for each account and client, "and n more". The counts live in memory: a crash loses them, never the first ones. What is recorded when
//! does not depend on whether the account exists.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use audit::Event;
use phi::OrganizationId;

use crate::limits::sign_in::REFUSALS_OF_ALL_PER_MINUTE;
use crate::limits::sign_in::REFUSALS_PER_MINUTE;
use crate::limits::sign_in::REMEMBERED_REFUSALS;
use crate::limits::sign_in::SUMMARIES;
use crate::limits::sign_in::SUMMARY_INTERVAL;
use crate::services::identity::Account;
use crate::services::identity::ClientPrefix;
use crate::services::identity::LimiterId;

/// The length of a window in which the refusals of a client are counted.
const WINDOW: Duration = Duration::from_mins(1);

/// A refused attempt, not yet recorded.
#[derive(Clone, Debug)]
pub(super) struct Refused {
    /// The account that it concerns, if it exists.
    pub(super) account: Option<Account>,
    /// The client.
    pub(super) client: ClientPrefix,
    /// The client's address.
    pub(super) source: Option<IpAddr>,
    /// The event.
    pub(super) event: Event,
}

impl Refused {
    /// The organization whose log it enters: the system's, if there is no such account.
    pub(super) fn organization(&self) -> OrganizationId {
        self.account
            .map_or(OrganizationId::SYSTEM, |account| account.organization)
    }

    /// The same attempt without the client.
    fn of_any_client(self) -> Self {
        Self {
            client: ClientPrefix::UNKNOWN,
            source: None,
            ..self
        }
    }

    /// The same attempt without account and client.
    fn anonymous(self) -> Self {
        Self {
            account: None,
            event: Event {
                organization: OrganizationId::SYSTEM.uuid(),
                person: None,
                ..self.event
            },
            client: ClientPrefix::UNKNOWN,
            source: None,
        }
    }

    fn subject(&self) -> Subject {
        (self.account, self.client)
    }
}

/// What a summary is about.
type Subject = (Option<Account>, ClientPrefix);

/// The limiter that refused an attempt, and the wait.
#[derive(Clone, Copy, Debug)]
pub(super) struct Throttling {
    /// The limiter of the account and the client.
    pub(super) limiter: LimiterId,
    /// The time until the next attempt is allowed.
    pub(super) wait: Duration,
}

/// Refusals that were counted, and the latest of them.
#[derive(Debug)]
pub(super) struct Summary {
    since: Instant,
    count: u32,
    latest: Refused,
}

impl Summary {
    /// The refusal that stands for all of them.
    pub(super) fn refused(&self) -> Refused {
        let mut refused = self.latest.clone();
        refused.event.suppressed = Some(self.count);
        refused
    }
}

/// The refusals of this instance.
#[derive(Debug, Default)]
pub(super) struct RefusalLog(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    waits: HashMap<LimiterId, Wait>,
    clients: HashMap<ClientPrefix, Window>,
    all: Option<Window>,
    counted: HashMap<Subject, Summary>,
}

#[derive(Debug)]
struct Wait {
    until: Instant,
    account: LookedUp,
}

/// The account that was found for an attempt; none if it does not exist.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct LookedUp(pub(super) Option<Account>);

/// The refusals of a minute that were recorded one by one.
#[derive(Debug)]
struct Window {
    began: Instant,
    recorded: u32,
}

impl Window {
    const fn begin(began: Instant) -> Self {
        Self { began, recorded: 0 }
    }

    fn is_open(&self, now: Instant) -> bool {
        now.duration_since(self.began) < WINDOW
    }
}

impl RefusalLog {
    /// The account of a limiter that throttled an attempt lately, as it was looked up then.
    pub(super) fn looked_up(&self, limiter: LimiterId) -> Option<LookedUp> {
        self.lock().waits.get(&limiter).map(|wait| wait.account)
    }

    /// The refusal, if it is to be recorded now. Otherwise it is counted.
    pub(super) fn admit(
        &self,
        refused: Refused,
        throttling: Option<Throttling>,
        now: Instant,
    ) -> Option<Refused> {
        let mut state = self.lock();
        let is_first = throttling.is_none_or(|it| state.begin_wait(it, refused.account, now));
        if is_first && state.has_budget(refused.client, now) {
            return Some(refused);
        }
        state.count(1, now, refused);
        None
    }

    /// Takes the summaries whose time has come, or all.
    pub(super) fn take(&self, all: bool, now: Instant) -> Vec<Summary> {
        let is_due = |it: &Summary| all || now.duration_since(it.since) >= SUMMARY_INTERVAL;
        let mut state = self.lock();
        let due = state.counted.extract_if(|_, summary| is_due(summary));
        due.map(|(_, summary)| summary).collect()
    }

    /// Counts again what could not be recorded.
    pub(super) fn restore(&self, summary: Summary) {
        let Summary {
            since,
            count,
            latest,
        } = summary;
        self.lock().count(count, since, latest);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether this refusal begins a wait, rather than falling into one.
    fn begin_wait(
        &mut self,
        throttling: Throttling,
        account: Option<Account>,
        now: Instant,
    ) -> bool {
        let Throttling { limiter, wait } = throttling;
        let current = self.waits.get(&limiter);
        if current.is_some_and(|current| current.until > now) {
            return false;
        }
        let until = now + wait;
        let has_room = make_room(&mut self.waits, |wait| wait.until > now);
        if has_room {
            let account = LookedUp(account);
            self.waits.insert(limiter, Wait { until, account });
        }
        has_room
    }

    /// Takes one of the refusals of this minute that are recorded one by one: of the client, and of all.
    fn has_budget(&mut self, client: ClientPrefix, now: Instant) -> bool {
        if !self.clients.get(&client).is_some_and(|it| it.is_open(now)) {
            self.clients.remove(&client);
            if !make_room(&mut self.clients, |it| it.is_open(now)) {
                return false;
            }
        }
        let begin = || Window::begin(now);
        let all = self.all.take().filter(|it| it.is_open(now));
        let all = self.all.insert(all.unwrap_or_else(begin));
        let window = self.clients.entry(client).or_insert_with(begin);
        let has_budget =
            window.recorded < REFUSALS_PER_MINUTE && all.recorded < REFUSALS_OF_ALL_PER_MINUTE;
        window.recorded += u32::from(has_budget);
        all.recorded += u32::from(has_budget);
        has_budget
    }

    /// Counts a refusal by account and client; if there are too many of these, by account, or with all others.
    fn count(&mut self, count: u32, since: Instant, refused: Refused) {
        let has_room = |refused: &Refused, summaries| {
            self.counted.len() < summaries || self.counted.contains_key(&refused.subject())
        };
        let refused = if has_room(&refused, SUMMARIES) {
            refused
        } else {
            let refused = refused.of_any_client();
            if has_room(&refused, 2 * SUMMARIES) {
                refused
            } else {
                refused.anonymous()
            }
        };
        let summary = self.counted.entry(refused.subject()).or_insert(Summary {
            since,
            count: 0,
            latest: refused.clone(),
        });
        summary.count = summary.count.saturating_add(count);
        summary.latest = refused;
    }
}

/// Drops what is over from a full map. False if it stays full.
fn make_room<K: Eq + Hash, V>(map: &mut HashMap<K, V>, is_current: impl Fn(&V) -> bool) -> bool {
    if map.len() >= REMEMBERED_REFUSALS {
        map.retain(|_, value| is_current(value));
    }
    map.len() < REMEMBERED_REFUSALS
}

#[cfg(test)]
mod tests;
