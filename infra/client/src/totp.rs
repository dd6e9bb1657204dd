//! The second factor of demo accounts: an authenticator app in software (TOTP, RFC 6238). Clients do not link the product's
//! own implementation (`phi::totp`).

use std::fmt;
use std::time::Duration;
use std::time::SystemTime;

use anyhow::Context;
use serde::Deserialize;
use serde::Serialize;
use totp_rs::Builder;
use totp_rs::Secret;
use totp_rs::Totp;

/// Length of a time step, in seconds.
const STEP_SECONDS: u64 = 30;

/// The key of an authenticator app, in base32.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TotpKey(String);

impl TotpKey {
    /// The key with these 20 bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 20]) -> Self {
        Self(Secret::from(bytes).to_base32())
    }

    /// The key with this base32.
    #[must_use]
    pub fn from_base32(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The code of a time step.
    ///
    /// # Errors
    /// When the key is not base32, or too short.
    pub fn code(&self, step: u64) -> anyhow::Result<String> {
        let secret = Secret::try_from_base32(&self.0);
        let secret = secret
            .ok()
            .context("the key of a second factor is not base32")?;
        let totp: Result<Totp, _> = Builder::new().with_secret(secret).build();
        let totp = totp
            .ok()
            .context("the key of a second factor is too short")?;
        Ok(totp.generate(step * STEP_SECONDS).to_string())
    }
}

impl fmt::Debug for TotpKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TotpKey(..)")
    }
}

/// The present time step, and the time until the next one.
///
/// # Errors
/// When the clock is before 1970.
pub fn present_step() -> anyhow::Result<(u64, Duration)> {
    #[expect(
        clippy::disallowed_methods,
        reason = "a client of a running stack, at its time"
    )]
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let seconds = now.context("the clock is before 1970")?.as_secs();
    let rest = Duration::from_secs(STEP_SECONDS - seconds % STEP_SECONDS);
    Ok((seconds / STEP_SECONDS, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_rfc_4226() {
        let key = TotpKey::from_bytes(*b"12345678901234567890");
        for (step, code) in [(0, "755224"), (1, "287082"), (9, "520489")] {
            assert_eq!(key.code(step).unwrap(), code);
        }
        assert!(TotpKey::from_base32("1").code(0).is_err());
    }
}
