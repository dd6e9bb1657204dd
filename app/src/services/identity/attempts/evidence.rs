//! Evidence of a sign-in to an account from a client address in the last 30 to 40 days.
//!
//! For each period of days, token and proof are the halves of a MAC over account, client address and period, under the
//! system's authorization key. Rows are looked up by token; only a stored row has a proof to compare. Evidence expires
//! because tokens of earlier periods are not looked up.

use db::AddressEvidence;
use db::EVIDENCE_PERIODS;
use time::Date;
use time::Duration;

use super::halves;
use crate::limits::sign_in::EVIDENCE_DAYS;

/// The evidence of an account and a client address, by period: the current one first.
#[derive(Debug)]
pub(super) struct Evidence {
    periods: [AddressEvidence; EVIDENCE_PERIODS],
    expires_on: Date,
}

impl Evidence {
    /// The evidence as of a day; `mac` is keyed and used for nothing else.
    pub(super) fn of(
        mac: impl Fn(&[u8]) -> [u8; 32],
        account: &[u8; 16],
        client: &[u8; 16],
        today: Date,
    ) -> Self {
        let current = i64::from(today.to_julian_day()) / EVIDENCE_DAYS;
        let mut period = current;
        let periods = std::array::from_fn(|_| {
            let message = [&account[..], &client[..], &period.to_be_bytes()].concat();
            let (token, proof) = halves(&mac(&message));
            period -= 1;
            AddressEvidence { token, proof }
        });
        // A token of the current period is looked up until the end of the period three later.
        let asked = i64::try_from(EVIDENCE_PERIODS).unwrap_or(i64::MAX);
        let days = EVIDENCE_DAYS.saturating_mul(asked);
        Self {
            periods,
            expires_on: today.saturating_add(Duration::days(days)),
        }
    }

    /// The tokens by which the rows are looked up.
    pub(super) fn tokens(&self) -> [[u8; 16]; EVIDENCE_PERIODS] {
        self.periods.map(|period| period.token)
    }

    /// Whether one of the stored proofs is of a period that counts.
    pub(super) fn is_proved(&self, stored: &[[u8; 16]]) -> bool {
        self.periods.iter().any(|it| stored.contains(&it.proof))
    }

    /// Whether one of the stored proofs is of the current period.
    pub(super) fn is_proved_now(&self, stored: &[[u8; 16]]) -> bool {
        let [current, ..] = &self.periods;
        stored.contains(&current.proof)
    }

    /// The row to store for the current period, and the day from which it is not looked up.
    pub(super) const fn current(&self) -> (AddressEvidence, Date) {
        let [current, ..] = self.periods;
        (current, self.expires_on)
    }
}

#[cfg(test)]
mod tests {
    use sha2::Digest as _;
    use sha2::Sha256;
    use time::macros::date;

    use super::*;

    const TODAY: Date = date!(2026 - 11 - 29);

    fn evidence(account: u8, client: u8, days_later: i64) -> Evidence {
        let today = TODAY + Duration::days(days_later);
        let mac = |message: &[u8]| Sha256::digest(message).into();
        Evidence::of(mac, &[account; 16], &[client; 16], today)
    }

    #[test]
    fn a_sign_in_is_evidence_for_a_month_and_at_most_ten_days_more() {
        let (stored, expires_on) = evidence(1, 2, 0).current();
        let asks = |days| evidence(1, 2, days).tokens().contains(&stored.token);
        let counts = |days| evidence(1, 2, days).is_proved(&[stored.proof]);
        for days in 0..=60 {
            assert_eq!(asks(days), counts(days), "{days}");
            if days <= 30 {
                assert!(counts(days), "{days}");
            }
            if days > 40 || TODAY + Duration::days(days) >= expires_on {
                assert!(!counts(days), "{days}");
            }
        }
    }

    #[test]
    fn evidence_is_of_one_account_and_one_client_and_a_token_proves_nothing() {
        let (stored, _) = evidence(1, 2, 0).current();
        assert!(evidence(1, 2, 0).is_proved_now(&[stored.proof]));
        for other in [evidence(1, 3, 0), evidence(3, 2, 0)] {
            assert!(!other.is_proved(&[stored.proof]));
            assert!(!other.tokens().contains(&stored.token));
        }
        assert!(!evidence(1, 2, 0).is_proved(&[stored.token]));
        assert!(!evidence(1, 2, 0).is_proved(&[]));
    }
}
