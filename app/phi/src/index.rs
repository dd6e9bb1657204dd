//! Blind index keys: tokens for exact search without the value.

use std::fmt;

use phi_types::IndexParameter;
use phi_types::IndexToken;
use phi_types::KeyId;
use phi_types::OrganizationId;
use zeroize::Zeroizing;

use crate::normalize::Normalizer;
use crate::secret::SecretKey;

/// An open index key of an organization.
pub struct IndexKey {
    organization: OrganizationId,
    id: KeyId,
    plain: SecretKey,
    inner: SecretKey,
    outer: SecretKey,
}

/// The input of a token: a search parameter and a value in the clear.
#[derive(Clone, Copy)]
pub struct IndexValue<'a> {
    /// The search parameter.
    pub parameter: IndexParameter,
    /// The system of an identifier; absent for one without a system and for parameters that have none.
    pub system: Option<&'a str>,
    /// The value.
    pub value: &'a str,
}

impl fmt::Debug for IndexValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IndexValue({:?})", self.parameter)
    }
}

impl IndexKey {
    pub(crate) fn new(organization: OrganizationId, id: KeyId, key: &SecretKey) -> Self {
        Self {
            organization,
            id,
            plain: key.derive(&[b"phi-index/2"]),
            inner: key.derive(&[b"phi-index-inner/2"]),
            outer: key.derive(&[b"phi-index-outer/2"]),
        }
    }

    /// The token of a value.
    #[must_use]
    pub fn token(&self, normalizer: Normalizer, value: IndexValue<'_>) -> IndexToken {
        let message = self.message(normalizer, value);
        truncated(&self.plain.hmac(&[&message]))
    }

    /// The message that the key service authenticates: itself a MAC, so that the service never receives a value.
    pub(crate) fn blinded(
        &self,
        normalizer: Normalizer,
        value: IndexValue<'_>,
    ) -> Zeroizing<[u8; 32]> {
        let message = self.message(normalizer, value);
        Zeroizing::new(self.inner.hmac(&[&message]))
    }

    /// The token that is derived from the key service's MAC.
    pub(crate) fn unblinded(
        &self,
        normalizer: Normalizer,
        parameter: IndexParameter,
        service_mac: &[u8; 32],
    ) -> IndexToken {
        let parts: [&[u8]; 4] = [
            self.organization.as_bytes(),
            &parameter.code().to_be_bytes(),
            &normalizer.code().to_be_bytes(),
            service_mac,
        ];
        truncated(&self.outer.hmac(&parts))
    }

    /// The key's id.
    #[must_use]
    pub const fn key_id(&self) -> KeyId {
        self.id
    }

    /// `organization[16] | parameter[2] | normalizer[2] | system | value`; the system is `0x00` or
    /// `0x01 | length[4] | text`, the value `length[4] | text`.
    fn message(&self, normalizer: Normalizer, value: IndexValue<'_>) -> Zeroizing<Vec<u8>> {
        let text = normalizer.apply(value.parameter, value.value);
        let system = value.system.unwrap_or_default();
        let capacity = 64 + text.len() + system.len();
        let mut message = Zeroizing::new(Vec::with_capacity(capacity));
        message.extend_from_slice(self.organization.as_bytes());
        message.extend_from_slice(&value.parameter.code().to_be_bytes());
        message.extend_from_slice(&normalizer.code().to_be_bytes());
        message.push(u8::from(value.system.is_some()));
        if value.system.is_some() {
            append(&mut message, system);
        }
        append(&mut message, &text);
        message
    }
}

fn append(message: &mut Vec<u8>, text: &str) {
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
    message.extend_from_slice(&length.to_be_bytes());
    message.extend_from_slice(text.as_bytes());
}

fn truncated(mac: &[u8; 32]) -> IndexToken {
    let mut token = [0; 16];
    token.copy_from_slice(mac.split_at(16).0);
    IndexToken::from_bytes(token)
}

impl fmt::Debug for IndexKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IndexKey({})", self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(organization: OrganizationId) -> IndexKey {
        let secret = SecretKey::from_array(&[7; 32]);
        IndexKey::new(organization, KeyId::random(), &secret)
    }

    fn value<'a>(
        parameter: IndexParameter,
        system: Option<&'a str>,
        value: &'a str,
    ) -> IndexValue<'a> {
        IndexValue {
            parameter,
            system,
            value,
        }
    }

    #[test]
    fn spellings_of_one_value_have_one_token() {
        let key = key(OrganizationId::random());
        let email = |text| key.token(Normalizer::V1, value(IndexParameter::Email, None, text));
        assert_eq!(email("a@b.org"), email(" A@b.ORG"));
        assert_ne!(email("a@b.org"), email("a@c.org"));
    }

    #[test]
    fn parameters_systems_and_organizations_have_tokens_of_their_own() {
        let (a, b) = (key(OrganizationId::random()), key(OrganizationId::random()));
        let values = [
            value(IndexParameter::Identifier, Some("x"), "1"),
            value(IndexParameter::Identifier, Some("x1"), ""),
            value(IndexParameter::Identifier, Some(""), "x1"),
            value(IndexParameter::Identifier, None, "1"),
            value(IndexParameter::IdentifierValue, None, "1"),
            value(IndexParameter::Phone, None, "1"),
        ];
        let mut tokens = std::collections::HashSet::new();
        for it in values {
            tokens.insert(a.token(Normalizer::V1, it));
            tokens.insert(b.token(Normalizer::V1, it));
        }
        assert_eq!(tokens.len(), 2 * values.len());
        assert_ne!(
            a.blinded(Normalizer::V1, values[0]),
            b.blinded(Normalizer::V1, values[0])
        );
    }
}
