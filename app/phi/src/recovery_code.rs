//! Recovery codes: what a person signs in with once, in place of a code of the authenticator app ("look-up secrets",
//! NIST SP 800-63B, 3.1.2).

use std::fmt;

use sha2::Digest as _;
use sha2::Sha256;
use zeroize::Zeroizing;

use phi_types::random_bytes;

/// The 32 symbols (Crockford's base32): without letters that look like digits.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// The number of symbols: 125 random bits, so that a plain hash of them cannot be guessed (at least 112 bits).
const LENGTH: usize = 25;
/// The number of symbols of a group.
const GROUP: usize = 5;

/// A recovery code.
pub struct RecoveryCode(Zeroizing<String>);

impl RecoveryCode {
    /// A new code from the operating system's generator.
    #[must_use]
    pub fn random() -> Self {
        let bytes = Zeroizing::new(random_bytes::<LENGTH>());
        let symbols = bytes
            .iter()
            .filter_map(|byte| symbol(usize::from(byte % 32)));
        Self(Zeroizing::new(symbols.collect()))
    }

    /// A code as a person typed it, in any case and with or without hyphens and spaces; none if the text is not one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        // Longer texts are no codes, and are not copied.
        if text.len() > 4 * LENGTH {
            return None;
        }
        let mut code = Zeroizing::new(String::with_capacity(LENGTH));
        for letter in text.chars().filter(|it| !matches!(it, '-' | ' ')) {
            let letter = match letter.to_ascii_lowercase() {
                'o' => '0',
                'i' | 'l' => '1',
                letter => letter,
            };
            let is_symbol = u8::try_from(letter).is_ok_and(|it| ALPHABET.contains(&it));
            if !is_symbol || code.len() == LENGTH {
                return None;
            }
            code.push(letter);
        }
        (code.len() == LENGTH).then_some(Self(code))
    }

    /// The code in groups, to be shown once.
    #[must_use]
    pub fn to_groups(&self) -> Zeroizing<String> {
        let mut groups = Zeroizing::new(String::with_capacity(LENGTH + LENGTH / GROUP));
        for (index, letter) in self.0.chars().enumerate() {
            if index > 0 && index % GROUP == 0 {
                groups.push('-');
            }
            groups.push(letter);
        }
        groups
    }

    /// The hash to store: `SHA-256("phi-recovery-code/1" | code)`.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        Sha256::new()
            .chain_update(b"phi-recovery-code/1")
            .chain_update(self.0.as_bytes())
            .finalize()
            .into()
    }
}

impl fmt::Debug for RecoveryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryCode(..)")
    }
}

fn symbol(index: usize) -> Option<char> {
    ALPHABET.get(index).map(|symbol| char::from(*symbol))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_however_it_is_typed() {
        let code = RecoveryCode::random();
        let groups = code.to_groups();
        assert_eq!(groups.len(), 29);
        for typed in [
            groups.to_string(),
            groups.to_uppercase(),
            groups.replace('-', ""),
            groups.replace('-', " "),
            groups.replace('0', "O").replace('1', "l"),
        ] {
            let read = RecoveryCode::parse(&typed).unwrap();
            assert_eq!(read.hash(), code.hash(), "{typed}");
        }
        assert_ne!(RecoveryCode::random().hash(), code.hash());
        assert_eq!(format!("{code:?}"), "RecoveryCode(..)");
    }

    #[test]
    fn what_is_no_code_is_none() {
        let groups = RecoveryCode::random().to_groups();
        for wrong in [
            String::new(),
            groups.get(1..).unwrap().to_owned(),
            format!("{}0", *groups),
            groups.replacen(|_: char| true, "u", 1),
            groups.replacen(|_: char| true, "é", 1),
            "0".repeat(1 << 20),
        ] {
            assert!(RecoveryCode::parse(&wrong).is_none(), "{wrong:.40}");
        }
    }
}
