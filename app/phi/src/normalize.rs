//! Normalizers: the spellings that are the same value in a blind index.

use phi_types::IndexParameter;
use zeroize::Zeroizing;

/// A version of the normalization of all parameters. A version never changes; an index version names the normalizer
/// of its tokens.
///
/// Only ASCII letters change case: Unicode's tables change with its versions, and stored tokens cannot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Normalizer {
    /// The first version.
    V1,
}

impl Normalizer {
    /// The permanent number of the version.
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::V1 => 1,
        }
    }

    /// The version with this number, if this build knows it.
    #[must_use]
    pub const fn from_code(code: u16) -> Option<Self> {
        match code {
            1 => Some(Self::V1),
            _ => None,
        }
    }

    /// The normalized value: an e-mail address without outer white space and in lower case; an identifier without
    /// outer white space and in upper case; the digits of a telephone number; a system without outer white space.
    pub(crate) fn apply(self, parameter: IndexParameter, value: &str) -> Zeroizing<String> {
        // Reserved at once, since a growing buffer leaves unwiped copies.
        let mut text = Zeroizing::new(String::with_capacity(value.len() + 1));
        let value = value.trim();
        match (self, parameter) {
            (Self::V1, IndexParameter::SignInEmail | IndexParameter::Email) => {
                text.push_str(value);
                text.make_ascii_lowercase();
            }
            (Self::V1, IndexParameter::Identifier | IndexParameter::IdentifierValue) => {
                text.push_str(value);
                text.make_ascii_uppercase();
            }
            // A system is a URI: compared exactly.
            (Self::V1, IndexParameter::IdentifierSystem) => text.push_str(value),
            (Self::V1, IndexParameter::Phone) => {
                text.extend(value.chars().filter(char::is_ascii_digit));
            }
        }
        text
    }
}

/// The ASCII letters and digits of a social security number, in upper case.
pub(crate) fn social_security_number(value: &str) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(value.len()));
    text.extend(value.chars().filter(char::is_ascii_alphanumeric));
    text.make_ascii_uppercase();
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_the_same_value_become_one() {
        let normalized = |parameter, value| Normalizer::V1.apply(parameter, value);
        let email = normalized(IndexParameter::Email, " Ada@Example.ORG\n");
        assert_eq!(*email, "ada@example.org");
        let identifier = normalized(IndexParameter::Identifier, "mrn-07a ");
        assert_eq!(*identifier, "MRN-07A");
        let phone = normalized(IndexParameter::Phone, " +1 (617) 555-0100");
        assert_eq!(*phone, "16175550100");
        assert_eq!(*social_security_number("999-12 3456"), "999123456");
    }
}
