//! Spellings that count as the same value in an index.

use zeroize::Zeroizing;

/// A versioned normalizer. What one does never changes; a better one is a new variant with the next
/// version, and its column's indexes are made anew.
///
/// Only ASCII letters change case: Unicode's tables grow, and an index must not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Normalizer {
    /// An e-mail address: outer white space off, ASCII letters small.
    EmailV1,
    /// A medical record number: outer white space off, ASCII letters capital.
    RecordNumberV1,
    /// A social security number: everything but ASCII letters and digits off.
    SocialSecurityNumberV1,
}

impl Normalizer {
    /// The version that enters the index beside the value.
    pub(crate) const fn version(self) -> u16 {
        match self {
            Self::EmailV1 | Self::RecordNumberV1 | Self::SocialSecurityNumberV1 => 1,
        }
    }

    /// The one spelling of `value`.
    pub(crate) fn apply(self, value: &str) -> Zeroizing<String> {
        Zeroizing::new(match self {
            Self::EmailV1 => value.trim().to_ascii_lowercase(),
            Self::RecordNumberV1 => value.trim().to_ascii_uppercase(),
            Self::SocialSecurityNumberV1 => {
                // Reserved whole, so that growing leaves no copies behind.
                let mut digits = String::with_capacity(value.len());
                digits.extend(value.chars().filter(char::is_ascii_alphanumeric));
                digits.make_ascii_uppercase();
                digits
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_the_same_value_become_one() {
        assert_eq!(
            *Normalizer::EmailV1.apply(" Ada@Example.ORG\n"),
            "ada@example.org"
        );
        assert_eq!(*Normalizer::RecordNumberV1.apply("mrn-07a "), "MRN-07A");
        assert_eq!(
            *Normalizer::SocialSecurityNumberV1.apply("999-12 3456"),
            "999123456"
        );
    }
}
