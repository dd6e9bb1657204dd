//! The budget of refused sign-ins that are recorded individually.
//!
//! Throttled attempts are recorded once for each wait of their limiter. Of each client, and of all
//! clients together, the first refusals of a minute are recorded. All others are counted, and
//! recorded as summaries: one event for each account and client, with the number of refusals. The
//! counts are in memory: a crash loses them, but no refusal that was recorded individually. None of
//! this depends on whether the account exists.

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

use crate::limits::sign_in::MAX_CLIENT_REFUSALS_PER_MINUTE;
use crate::limits::sign_in::MAX_REFUSALS_PER_MINUTE;
use crate::limits::sign_in::MAX_SUMMARIES;
use crate::limits::sign_in::MAX_TRACKED_REFUSALS;
use crate::limits::sign_in::SUMMARY_INTERVAL;
use crate::services::identity::Account;
use crate::services::identity::ClientPrefix;
use crate::services::identity::LimiterId;

/// Length of the window for which refusals are budgeted.
const WINDOW: Duration = Duration::from_mins(1);

/// A refused attempt that is not recorded yet.
#[derive(Clone, Debug)]
pub(super) struct RefusedAttempt {
    /// The account, if it exists.
    pub(super) account: Option<Account>,
    /// The client.
    pub(super) client: ClientPrefix,
    /// The client's address.
    pub(super) source: Option<IpAddr>,
    /// The event.
    pub(super) event: Event,
}

impl RefusedAttempt {
    /// The organization in whose trail the attempt is recorded: the system's, if the account does
    /// not exist.
    pub(super) fn organization(&self) -> OrganizationId {
        self.account
            .map_or(OrganizationId::SYSTEM, |account| account.organization)
    }

    /// The same attempt without the client.
    fn without_client(self) -> Self {
        Self {
            client: ClientPrefix::UNKNOWN,
            source: None,
            ..self
        }
    }

    /// The same attempt without account and client.
    fn without_account(self) -> Self {
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

    fn summary_key(&self) -> SummaryKey {
        SummaryKey {
            account: self.account,
            client: self.client,
        }
    }
}

/// The account and the client of a summary.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
struct SummaryKey {
    account: Option<Account>,
    client: ClientPrefix,
}

/// The limiter that refused an attempt, and the wait.
#[derive(Clone, Copy, Debug)]
pub(super) struct Throttling {
    /// The limiter of the account and the client.
    pub(super) limiter: LimiterId,
    /// The time until the next attempt is allowed.
    pub(super) wait: Duration,
}

/// Counted refusals, and the latest of them.
#[derive(Debug)]
pub(super) struct Summary {
    since: Instant,
    count: u32,
    latest: RefusedAttempt,
}

impl Summary {
    /// The latest refusal, with the number of all.
    pub(super) fn to_attempt(&self) -> RefusedAttempt {
        let mut attempt = self.latest.clone();
        attempt.event.suppressed = Some(self.count);
        attempt
    }
}

/// The refusals of this instance: the budget, and the counts.
#[derive(Debug, Default)]
pub(super) struct RefusalLog(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    waits: HashMap<LimiterId, Wait>,
    clients: HashMap<ClientPrefix, Window>,
    /// The window of all clients together.
    all: Option<Window>,
    summaries: HashMap<SummaryKey, Summary>,
}

/// The wait of a limiter, whose first refusal was recorded.
#[derive(Debug)]
struct Wait {
    until: Instant,
    account: AccountLookup,
}

/// The result of looking up the account of an attempt; none if it does not exist.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct AccountLookup(pub(super) Option<Account>);

/// The number of refusals that were recorded individually within a minute.
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
    /// The account of a limiter, if it was looked up for an attempt that the limiter throttled
    /// lately.
    pub(super) fn known_account(&self, limiter: LimiterId) -> Option<AccountLookup> {
        self.lock().waits.get(&limiter).map(|wait| wait.account)
    }

    /// Returns the attempt if it must be recorded individually. Otherwise counts it.
    pub(super) fn admit(
        &self,
        attempt: RefusedAttempt,
        throttling: Option<Throttling>,
        now: Instant,
    ) -> Option<RefusedAttempt> {
        let mut state = self.lock();
        let is_first = throttling.is_none_or(|it| state.begin_wait(it, attempt.account, now));
        if is_first && state.use_budget(attempt.client, now) {
            return Some(attempt);
        }
        state.count(1, now, attempt);
        None
    }

    /// Takes the summaries that are due, or all.
    pub(super) fn take_summaries(&self, all: bool, now: Instant) -> Vec<Summary> {
        let is_due = |it: &Summary| all || now.duration_since(it.since) >= SUMMARY_INTERVAL;
        let mut state = self.lock();
        let due = state.summaries.extract_if(|_, summary| is_due(summary));
        due.map(|(_, summary)| summary).collect()
    }

    /// Returns a summary that could not be recorded to the counts.
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
    /// Begins a wait, unless its limiter has one. Returns whether it did.
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
            let account = AccountLookup(account);
            self.waits.insert(limiter, Wait { until, account });
        }
        has_room
    }

    /// Uses the budgets of the client and of all clients for one refusal. False if one of them is
    /// exhausted.
    fn use_budget(&mut self, client: ClientPrefix, now: Instant) -> bool {
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
        let has_budget = window.recorded < MAX_CLIENT_REFUSALS_PER_MINUTE
            && all.recorded < MAX_REFUSALS_PER_MINUTE;
        window.recorded += u32::from(has_budget);
        all.recorded += u32::from(has_budget);
        has_budget
    }

    /// Adds to the summary of the account and client; if there are too many summaries, to that of
    /// the account, or to the one of all other refusals.
    fn count(&mut self, count: u32, since: Instant, attempt: RefusedAttempt) {
        let has_room = |attempt: &RefusedAttempt, max_summaries| {
            self.summaries.len() < max_summaries
                || self.summaries.contains_key(&attempt.summary_key())
        };
        let attempt = if has_room(&attempt, MAX_SUMMARIES) {
            attempt
        } else {
            let attempt = attempt.without_client();
            if has_room(&attempt, 2 * MAX_SUMMARIES) {
                attempt
            } else {
                attempt.without_account()
            }
        };
        let summary = self
            .summaries
            .entry(attempt.summary_key())
            .or_insert(Summary {
                since,
                count: 0,
                latest: attempt.clone(),
            });
        summary.count = summary.count.saturating_add(count);
        summary.latest = attempt;
    }
}

/// Drops outdated entries from a full map. False if the map stays full.
fn make_room<K: Eq + Hash, V>(map: &mut HashMap<K, V>, is_current: impl Fn(&V) -> bool) -> bool {
    if map.len() >= MAX_TRACKED_REFUSALS {
        map.retain(|_, value| is_current(value));
    }
    map.len() < MAX_TRACKED_REFUSALS
}

#[cfg(test)]
mod tests;
