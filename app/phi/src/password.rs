//! Password hashing: argon2id, with the parameters that OWASP recommends (19 MiB, 2 passes, 1 lane), in PHC string
//! format. A PHC string is sealed before it is stored.
//!
//! A hash takes one core for tens of milliseconds: call these functions on a thread for blocking work.

use std::sync::LazyLock;

use argon2::Algorithm;
use argon2::Argon2;
use argon2::Params;
use argon2::PasswordHasher;
use argon2::PasswordVerifier;
use argon2::Version;
use argon2::password_hash::phc::PasswordHash;
use secrecy::ExposeSecret;
use secrecy::SecretString;

use crate::value::Phi;
use phi_types::random_bytes;

/// A password was not hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// The password is longer than the maximum of argon2.
    #[error("the password is too long")]
    TooLong,
}

/// The PHC string of a password, to be sealed and stored.
///
/// # Errors
///
/// [`PasswordError::TooLong`] beyond 4 GiB.
pub fn hash(password: &SecretString) -> Result<Phi<String>, PasswordError> {
    let salt = random_bytes::<16>();
    let hash = argon2id().hash_password_with_salt(password.expose_secret().as_bytes(), &salt);
    hash.map(|hash| Phi::new(hash.to_string()))
        .ok()
        .ok_or(PasswordError::TooLong)
}

/// Whether `stored` is a PHC string of `password`.
#[must_use]
pub fn verify(password: &SecretString, stored: &str) -> bool {
    let Ok(stored) = PasswordHash::new(stored) else {
        return false;
    };
    argon2id()
        .verify_password(password.expose_secret().as_bytes(), &stored)
        .is_ok()
}

/// Whether a PHC string was made with the present algorithm and parameters.
#[must_use]
pub fn is_current(stored: &str) -> bool {
    let parameters = format!(
        "$argon2id$v=19$m={},t={},p={}$",
        Params::DEFAULT_M_COST,
        Params::DEFAULT_T_COST,
        Params::DEFAULT_P_COST
    );
    stored.starts_with(&parameters)
}

/// Performs the work of [`verify`] for an account that does not exist, so that the response time does not reveal
/// whether an account exists.
pub fn verify_without_account(password: &SecretString) {
    static DECOY: LazyLock<Option<Phi<String>>> =
        LazyLock::new(|| hash(&SecretString::from("decoy")).ok());
    if let Some(stored) = &*DECOY {
        std::hint::black_box(verify(password, stored.expose()));
    }
}

fn argon2id() -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::DEFAULT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_verifies_and_another_does_not() {
        let stored = hash(&"correct horse".into()).unwrap();
        assert!(
            stored
                .expose()
                .starts_with("$argon2id$v=19$m=19456,t=2,p=1$")
        );
        assert!(verify(&"correct horse".into(), stored.expose()));
        assert!(!verify(&"battery staple".into(), stored.expose()));
        assert!(!verify(&"correct horse".into(), "no such string"));
        verify_without_account(&"correct horse".into());
    }

    #[test]
    fn hashes_of_another_implementation_verify_and_are_made_alike() {
        // Made by argon2-cffi 25.1.0 (PyPI), `argon2.low_level.hash_secret`.
        let known = [
            (
                "correct horse battery staple",
                b"saltsaltsaltsalt",
                "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$QKHrg5tayLGcN+Y0HVPNaBqykOVLUxlMkZycXE1uWRM",
            ),
            (
                "p\u{e4}ssw\u{f6}rd \u{3a9}",
                b"\0\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f",
                "$argon2id$v=19$m=19456,t=2,p=1$AAECAwQFBgcICQoLDA0ODw$5TCMAvzOLl4iEwT8FjWF61qdmlnHVezgRwsJNn5lyGs",
            ),
            (
                "",
                b"0123456789abcdef",
                "$argon2id$v=19$m=19456,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$p9c4ucO/R2KPDN+PkWHKJ8BFh72sWSAvoB5iH9pNqCY",
            ),
        ];
        for (password, salt, stored) in known {
            let made = argon2id().hash_password_with_salt(password.as_bytes(), salt);
            assert_eq!(made.unwrap().to_string(), stored);
            assert!(verify(&password.into(), stored) && is_current(stored));
        }
        // Four lanes and 64 MiB.
        let other = "$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHRzYWx0c2FsdA$opK/12lewr2z5YpUKucJCUXASikIGYN+qjR3vL2e8go";
        assert!(verify(&known[0].0.into(), other) && !is_current(other));
    }

    #[test]
    fn a_hash_with_other_parameters_verifies_and_is_not_current() {
        let weaker = Params::new(8_192, 1, 1, None).unwrap();
        let weaker = Argon2::new(Algorithm::Argon2id, Version::V0x13, weaker);
        let weaker = weaker.hash_password_with_salt(b"correct horse", &[7; 16]);
        let weaker = weaker.unwrap().to_string();
        assert!(verify(&"correct horse".into(), &weaker) && !is_current(&weaker));
        assert!(is_current(hash(&"correct horse".into()).unwrap().expose()));
        for other in [
            "",
            "$argon2i$v=19$m=19456,t=2,p=1$",
            "$argon2id$v=16$m=19456,t=2,p=1$",
        ] {
            assert!(!is_current(other), "{other}");
        }
    }
}
