//! Throttling of sign-in: after a number of wrong passwords for one account, a wait.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use phi::IndexToken;
use time::OffsetDateTime;

/// Wrong passwords in a row that are let pass.
const FREE: u32 = 5;
/// The wait after the first one too many; it doubles with each further one.
const FIRST_WAIT: Duration = Duration::from_secs(15);
/// The longest wait. A client that keeps trying can keep an account waiting, and each app instance counts alone.
const LONGEST_WAIT: Duration = Duration::from_mins(15);
/// How many accounts are remembered before those that need not wait are forgotten.
const REMEMBERED: usize = 10_000;

/// Wrong passwords by account, in this process. An account is named by its blind index, also one that
/// does not exist: the wait does not tell which do.
#[derive(Debug, Default)]
pub(crate) struct LoginThrottle(Mutex<HashMap<[u8; 16], Failures>>);

#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u32,
    last: OffsetDateTime,
}

impl Failures {
    fn wait(self) -> Duration {
        let doublings = self.count.saturating_sub(FREE);
        if doublings == 0 {
            return Duration::ZERO;
        }
        let factor = 1_u32.checked_shl(doublings - 1).unwrap_or(u32::MAX);
        FIRST_WAIT.saturating_mul(factor).min(LONGEST_WAIT)
    }
}

impl LoginThrottle {
    /// How long this account has to wait, if it has to.
    pub(super) fn wait(&self, account: IndexToken, now: OffsetDateTime) -> Option<Duration> {
        let failures = *self.lock().get(account.as_bytes())?;
        Duration::try_from(failures.last + failures.wait() - now)
            .ok()
            .filter(|wait| !wait.is_zero())
    }

    /// Counts a wrong password.
    pub(super) fn failed(&self, account: IndexToken, now: OffsetDateTime) {
        let mut accounts = self.lock();
        if accounts.len() >= REMEMBERED {
            accounts.retain(|_, failures| failures.last + LONGEST_WAIT > now);
        }
        let failures = accounts.entry(*account.as_bytes()).or_insert(Failures {
            count: 0,
            last: now,
        });
        failures.count = failures.count.saturating_add(1);
        failures.last = now;
    }

    /// Forgets an account's wrong passwords.
    pub(super) fn succeeded(&self, account: IndexToken) {
        self.lock().remove(account.as_bytes());
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<[u8; 16], Failures>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCOUNT: IndexToken = IndexToken::from_bytes([1; 16]);
    const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    #[test]
    fn the_wait_doubles_up_to_a_quarter_of_an_hour() {
        let attempts = LoginThrottle::default();
        let mut waits = Vec::new();
        for _ in 0..20 {
            attempts.failed(ACCOUNT, NOW);
            waits.push(attempts.wait(ACCOUNT, NOW).map_or(0, |wait| wait.as_secs()));
        }
        assert_eq!(waits[..8], [0, 0, 0, 0, 0, 15, 30, 60]);
        assert_eq!(waits[19], 15 * 60);
    }

    #[test]
    fn a_right_password_and_the_passing_of_time_end_the_wait() {
        let attempts = LoginThrottle::default();
        for _ in 0..6 {
            attempts.failed(ACCOUNT, NOW);
        }
        assert!(
            attempts
                .wait(ACCOUNT, NOW + Duration::from_secs(16))
                .is_none()
        );
        attempts.succeeded(ACCOUNT);
        assert!(attempts.wait(ACCOUNT, NOW).is_none());
    }
}
