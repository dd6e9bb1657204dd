//! One-time codes of an authenticator app: TOTP (RFC 6238) with the parameters that all apps support: HMAC-SHA-1, six
//! digits, a time step of 30 seconds.

use std::fmt;

use time::OffsetDateTime;
use totp_rs::Builder;
use totp_rs::Secret;
use totp_rs::Totp;
use zeroize::Zeroizing;

use phi_types::random_bytes;

/// Length of a time step, in seconds.
const STEP_SECONDS: u64 = 30;
/// The number of steps before and after the present one whose codes are accepted, for clocks that differ (RFC 6238, 5.2).
const MAX_SKEW: u32 = 1;
/// Length of a new key, in bytes: the 160 bits that RFC 4226 (4, R6) recommends.
const KEY_BYTES: usize = 20;
/// Lengths of keys that are accepted, in bytes: from the minimum of RFC 4226 to the block of SHA-1.
const ACCEPTED_BYTES: std::ops::RangeInclusive<usize> = 16..=64;

/// The key that an authenticator app shares with the server.
#[derive(Clone)]
pub struct TotpKey(Zeroizing<Vec<u8>>);

impl TotpKey {
    /// A new key from the operating system's generator.
    #[must_use]
    pub fn random() -> Self {
        Self(Zeroizing::new(random_bytes::<KEY_BYTES>().to_vec()))
    }

    /// The key with these bytes; none of another length than 16 to 64 bytes.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let is_accepted = ACCEPTED_BYTES.contains(&bytes.len());
        is_accepted.then(|| Self(Zeroizing::new(bytes.to_vec())))
    }

    /// The key in base32 (RFC 4648, 6), as authenticator apps take it; none if the text is not one.
    #[must_use]
    pub fn from_base32(text: &str) -> Option<Self> {
        let text = Zeroizing::new(text.replace([' ', '-'], "").to_uppercase());
        let secret = Secret::try_from_base32(text.as_str()).ok()?;
        Self::from_bytes(secret.as_ref())
    }

    /// The key's bytes, to be sealed.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The key in base32 without padding, for people that type it into an app.
    #[must_use]
    pub fn to_base32(&self) -> Zeroizing<String> {
        Zeroizing::new(Secret::from(self.0.as_slice()).to_base32())
    }

    /// The `otpauth://` URI that authenticator apps read from a QR code. Colons in the names are replaced, since they
    /// separate the two; none if `account` is empty.
    #[must_use]
    pub fn uri(&self, issuer: &str, account: &str) -> Option<Zeroizing<String>> {
        let without_colon = |name: &str| name.replace(':', " ");
        let totp = self.builder().with_issuer(Some(without_colon(issuer)));
        let totp = totp.with_account_name(without_colon(account)).build();
        totp.ok()?.to_url().ok().map(Zeroizing::new)
    }

    /// The code of a time step.
    #[must_use]
    pub fn code(&self, step: u32) -> Zeroizing<String> {
        let token = self.totp().map(|totp| totp.generate(seconds(step)));
        Zeroizing::new(token.map(|token| token.to_string()).unwrap_or_default())
    }

    /// The step that a code is of, if it is the present one or a neighbour, and later than `after`: the step of the code
    /// that was accepted last, since none is accepted twice.
    #[must_use]
    pub fn accepted_step(
        &self,
        code: &str,
        now: OffsetDateTime,
        after: Option<u32>,
    ) -> Option<u32> {
        let (totp, present) = (self.totp()?, step_at(now)?);
        // One step at a time: a code that two steps have in common counts as the later one if the earlier was used.
        let steps = present.saturating_sub(MAX_SKEW)..=present.saturating_add(MAX_SKEW);
        let mut later = steps.filter(|step| after.is_none_or(|after| *step > after));
        later.find(|step| totp.check(code, seconds(*step)).is_some())
    }

    fn totp(&self) -> Option<Totp> {
        self.builder().build().ok()
    }

    fn builder(&self) -> Builder {
        Builder::new()
            .with_step_duration(STEP_SECONDS)
            .with_skew(0)
            .with_secret(self.0.as_slice())
    }
}

impl fmt::Debug for TotpKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TotpKey(..)")
    }
}

/// The time step of a moment; none before 1970.
#[must_use]
pub fn step_at(now: OffsetDateTime) -> Option<u32> {
    let seconds = u64::try_from(now.unix_timestamp()).ok()?;
    u32::try_from(seconds / STEP_SECONDS).ok()
}

/// The first second of a step.
fn seconds(step: u32) -> u64 {
    u64::from(step) * STEP_SECONDS
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key of the test vectors: RFC 6238, appendix B, and RFC 4226, appendix D.
    fn key() -> TotpKey {
        TotpKey::from_bytes(b"12345678901234567890").unwrap()
    }

    fn at(seconds: i64) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(seconds).unwrap()
    }

    #[test]
    fn codes_are_those_of_rfc_6238() {
        // Six of the eight digits of appendix B.
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            let step = step_at(at(seconds)).unwrap();
            assert_eq!(*key().code(step), code, "{seconds}");
            assert_eq!(
                key().accepted_step(code, at(seconds), None),
                Some(step),
                "{seconds}"
            );
        }
    }

    #[test]
    fn codes_are_those_of_rfc_4226() {
        let codes = [
            "755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583",
            "399871", "520489",
        ];
        for (step, code) in (0..).zip(codes) {
            assert_eq!(*key().code(step), code);
        }
    }

    #[test]
    fn a_code_is_accepted_within_a_step_of_its_own_and_once() {
        let key = TotpKey::random();
        let step = 59_847_866;
        let code = key.code(step);
        let now = |step: u32| at(i64::try_from(seconds(step)).unwrap());
        for (present, accepted) in [
            (step - 2, false),
            (step - 1, true),
            (step, true),
            (step + 1, true),
            (step + 2, false),
        ] {
            let found = key.accepted_step(&code, now(present), None);
            assert_eq!(found.is_some(), accepted, "{present}");
        }
        let after = |after| key.accepted_step(&code, now(step), Some(after));
        assert_eq!(after(step - 1), Some(step));
        assert_eq!(after(step), None);
        assert_eq!(after(step + 1), None);
    }

    #[test]
    fn what_is_no_code_is_not_accepted() {
        let key = key();
        let step = 1;
        let now = at(i64::try_from(seconds(step)).unwrap());
        for code in [
            "",
            "28708",
            "2870822",
            "28708a",
            "٢٨٧٠٨٢",
            "-28708",
            "+287082",
        ] {
            assert_eq!(key.accepted_step(code, now, None), None, "{code}");
        }
    }

    #[test]
    fn a_key_reads_back_from_its_base32_however_it_is_typed() {
        let key = key();
        let text = key.to_base32();
        assert_eq!(*text, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        for typed in [
            text.to_lowercase(),
            "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ".to_owned(),
        ] {
            assert_eq!(
                TotpKey::from_base32(&typed).unwrap().as_bytes(),
                key.as_bytes()
            );
        }
        for wrong in ["", "GEZDGNBVGY3TQOJQ", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJ1"] {
            assert!(TotpKey::from_base32(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn the_uri_names_issuer_account_and_key() {
        let uri = key().uri("Acme: Health", "ada@example.org").unwrap();
        let uri = url_parts(&uri);
        assert_eq!(uri.0, "otpauth://totp/Acme%20%20Health:ada%40example.org");
        assert!(
            uri.1.contains("secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"),
            "{}",
            uri.1
        );
        assert!(uri.1.contains("issuer=Acme%20%20Health"), "{}", uri.1);
        assert!(key().uri("Acme", "").is_none());
        assert_eq!(format!("{:?}", key()), "TotpKey(..)");
    }

    fn url_parts(uri: &str) -> (String, String) {
        let (path, query) = uri.split_once('?').unwrap();
        (path.to_owned(), query.to_owned())
    }
}
