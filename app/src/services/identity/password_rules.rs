//! Rules for new passwords (NIST SP 800-63B-4, 3.1.1.2): a length, and none that an attacker tries first. There are no rules
//! about kinds of characters, and passwords do not expire.

use secrecy::ExposeSecret as _;
use secrecy::SecretString;
use zxcvbn::Score;
use zxcvbn::zxcvbn;

use crate::limits::sign_in::MAX_PASSWORD_BYTES;
use crate::limits::sign_in::MIN_PASSWORD;
use crate::limits::sign_in::MIN_PASSWORD_ALONE;

/// The number of characters of which the strength is estimated: the time grows with the square of the length.
const ESTIMATED_CHARACTERS: usize = 32;
/// Maximum words of the account's name and address that are compared.
const MAX_CONTEXT_WORDS: usize = 16;

/// The reason why a password is refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum WeakPassword {
    /// It has fewer than this number of characters.
    TooShort(usize),
    /// It is longer than the maximum.
    TooLong,
    /// It is one of those that attackers try first: a common password, or one made of the account's own name or address, or of
    /// a sequence.
    Guessable,
}

impl WeakPassword {
    /// What is wrong with the password, and what to do.
    pub(crate) const fn advice(self) -> &'static str {
        match self {
            Self::TooShort(MIN_PASSWORD_ALONE) => {
                "The password is too short: use at least 15 characters."
            }
            Self::TooShort(_) => "The password is too short: use at least 8 characters.",
            Self::TooLong => "The password is too long: use at most 1024 bytes.",
            Self::Guessable => {
                "The password is easy to guess: it is a common one, or made of your name or address, or of a sequence. \
                 Use several words that do not belong together."
            }
        }
    }
}

/// Verifies the length of a new password. `is_alone` says that no second factor is required beside it.
pub(super) fn verify_length(password: &SecretString, is_alone: bool) -> Result<(), WeakPassword> {
    let password = password.expose_secret();
    let min = if is_alone {
        MIN_PASSWORD_ALONE
    } else {
        MIN_PASSWORD
    };
    if password.len() > MAX_PASSWORD_BYTES {
        Err(WeakPassword::TooLong)
    } else if password.chars().count() < min {
        Err(WeakPassword::TooShort(min))
    } else {
        Ok(())
    }
}

/// Verifies that a password is not one of those that attackers try first. `context` are texts that an attacker would try for
/// this account: its name and address. Takes a core for up to some tens of milliseconds: call it on a thread for blocking work.
pub(super) fn verify_strength(
    password: &SecretString,
    context: &[String],
) -> Result<(), WeakPassword> {
    let password = password.expose_secret();
    let end = password.char_indices().nth(ESTIMATED_CHARACTERS);
    let estimated = password.get(..end.map_or(password.len(), |(end, _)| end));
    let words = context
        .iter()
        .flat_map(|text| text.split(|letter: char| !letter.is_alphanumeric()))
        .filter(|word| word.chars().count() > 2);
    let mut words: Vec<&str> = words.take(MAX_CONTEXT_WORDS).collect();
    words.push(product::NAME);
    let score = zxcvbn(estimated.unwrap_or_default(), &words).score();
    // Fewer than a million guesses.
    if score < Score::Two {
        return Err(WeakPassword::Guessable);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(password: &str, is_alone: bool) -> Result<(), WeakPassword> {
        let context = ["Dr. Maren Solberg", "clinician@riverside.example"].map(str::to_owned);
        let password = password.to_owned().into();
        verify_length(&password, is_alone)?;
        verify_strength(&password, &context)
    }

    #[test]
    fn a_password_alone_is_longer_than_one_beside_a_second_factor() {
        assert_eq!(judge("kx7-wq2", false), Err(WeakPassword::TooShort(8)));
        assert_eq!(judge("kx7-wq2m", false), Ok(()));
        assert_eq!(judge("kx7-wq2m", true), Err(WeakPassword::TooShort(15)));
        assert_eq!(judge("kx7-wq2m-vt9-rr", true), Ok(()));
        // Characters count, not bytes; and any are allowed.
        assert_eq!(judge("ключ от дома 74", true), Ok(()));
        assert_eq!(judge("correct horse battery staple", true), Ok(()));
    }

    #[test]
    fn what_attackers_try_first_is_refused() {
        for password in [
            "password",
            "password123",
            "Passw0rd!",
            "iloveyou",
            "12345678",
            "qwertyuiop",
            "aaaaaaaaaaaaaaaa",
            "abcdefghijkl",
            "solberg1",
            "MarenSolberg",
            "clinician1",
            "riverside",
            "2026-11-30",
        ] {
            assert_eq!(
                judge(password, false),
                Err(WeakPassword::Guessable),
                "{password}"
            );
        }
    }

    #[test]
    fn a_very_long_password_is_accepted_up_to_the_maximum() {
        let long = "kx7-wq2m-".repeat(100);
        assert_eq!(judge(&long, true), Ok(()));
        let longer = "kx7-wq2m-".repeat(200);
        assert_eq!(judge(&longer, true), Err(WeakPassword::TooLong));
    }
}
