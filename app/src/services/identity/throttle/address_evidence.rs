//! Evidence of a sign-in to an account from a client address in the last 30 to 40 days.
//!
//! For each period, token and proof are the halves of a MAC over account, client address and period,
//! under the system's authorization key. Rows are looked up by token, and a row counts if it
//! contains the proof. Evidence expires because the tokens of earlier periods are not looked up.

use db::AddressEvidence;
use db::EVIDENCE_PERIODS;
use time::Date;
use time::Duration;

use super::split;
use crate::limits::sign_in::EVIDENCE_PERIOD_DAYS;

/// The evidence of an account and a client address, by period, the current one first.
#[derive(Debug)]
pub(super) struct AccountAddressEvidence {
    periods: [AddressEvidence; EVIDENCE_PERIODS],
    expires_on: Date,
}

impl AccountAddressEvidence {
    /// The evidence as of a day. `mac` is keyed, and used for nothing else.
    pub(super) fn new(
        mac: impl Fn(&[u8]) -> [u8; 32],
        account: &[u8; 16],
        client: &[u8; 16],
        today: Date,
    ) -> Self {
        let current = i64::from(today.to_julian_day()) / EVIDENCE_PERIOD_DAYS;
        let mut period = current;
        let periods = std::array::from_fn(|_| {
            let message = [&account[..], &client[..], &period.to_be_bytes()].concat();
            let (token, proof) = split(&mac(&message));
            period -= 1;
            AddressEvidence { token, proof }
        });
        // A token of the current period is looked up until the end of the third period after it.
        let periods_read = i64::try_from(EVIDENCE_PERIODS).unwrap_or(i64::MAX);
        let days = EVIDENCE_PERIOD_DAYS.saturating_mul(periods_read);
        Self {
            periods,
            expires_on: today.saturating_add(Duration::days(days)),
        }
    }

    /// The tokens by which the rows are looked up.
    pub(super) fn tokens(&self) -> [[u8; 16]; EVIDENCE_PERIODS] {
        self.periods.map(|period| period.token)
    }

    /// Whether one of the stored proofs is the proof of a period.
    pub(super) fn is_proven(&self, stored: &[[u8; 16]]) -> bool {
        self.periods.iter().any(|it| stored.contains(&it.proof))
    }

    /// Whether one of the stored proofs is that of the current period.
    pub(super) fn is_proven_in_current_period(&self, stored: &[[u8; 16]]) -> bool {
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

    fn evidence(account: u8, client: u8, days_later: i64) -> AccountAddressEvidence {
        let today = TODAY + Duration::days(days_later);
        let mac = |message: &[u8]| Sha256::digest(message).into();
        AccountAddressEvidence::new(mac, &[account; 16], &[client; 16], today)
    }

    #[test]
    fn a_sign_in_is_evidence_for_a_month_and_at_most_ten_days_more() {
        let (stored, expires_on) = evidence(1, 2, 0).current();
        let reads = |days| evidence(1, 2, days).tokens().contains(&stored.token);
        let counts = |days| evidence(1, 2, days).is_proven(&[stored.proof]);
        for days in 0..=60 {
            assert_eq!(reads(days), counts(days), "{days}");
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
        assert!(evidence(1, 2, 0).is_proven_in_current_period(&[stored.proof]));
        for other in [evidence(1, 3, 0), evidence(3, 2, 0)] {
            assert!(!other.is_proven(&[stored.proof]));
            assert!(!other.tokens().contains(&stored.token));
        }
        assert!(!evidence(1, 2, 0).is_proven(&[stored.token]));
        assert!(!evidence(1, 2, 0).is_proven(&[]));
    }
}
