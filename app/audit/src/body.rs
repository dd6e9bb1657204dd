//! The part of an event that is sealed, and the commitment that stands for it in the log.

use sha2::{Digest as _, Sha256};

use crate::Event;

const LABEL: &[u8] = b"audit-body/1";
const SALT_BYTES: usize = 32;

/// 32 random bytes: without them, whoever guesses an event could confirm it against the log.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Salt(pub [u8; SALT_BYTES]);

/// The salted SHA-256 of a body.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Commitment(pub [u8; 32]);

/// An event as bytes, behind its salt, ready to be sealed.
#[derive(Clone, Eq, PartialEq)]
pub struct Body(Vec<u8>);

/// Why bytes are not the body of an event.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// Shorter than a salt, or not the JSON of an event.
    #[error("these bytes are not the body of an audit event")]
    Malformed,
    /// A well-formed body, but not the one that was committed to.
    #[error("the body is not the one that its log entry commits to")]
    Uncommitted,
}

impl Body {
    /// Writes `event` behind `salt`.
    ///
    /// # Errors
    /// [`BodyError::Malformed`] if the event has no JSON form (a time outside years 0 to 9999).
    pub fn encode(event: &Event, salt: Salt) -> Result<Self, BodyError> {
        let mut bytes = salt.0.to_vec();
        serde_json::to_writer(&mut bytes, event).map_err(|error| {
            drop(error);
            BodyError::Malformed
        })?;
        Ok(Self(bytes))
    }

    /// The bytes to seal.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// What enters the log in the body's place.
    #[must_use]
    pub fn commitment(&self) -> Commitment {
        Commitment(
            Sha256::new()
                .chain_update(LABEL)
                .chain_update(&self.0)
                .finalize()
                .into(),
        )
    }

    /// Reads an opened body back and checks it against its log entry.
    ///
    /// # Errors
    /// See [`BodyError`].
    pub fn decode(bytes: &[u8], committed: Commitment) -> Result<Event, BodyError> {
        let body = Self(bytes.to_vec());
        if body.commitment() != committed {
            return Err(BodyError::Uncommitted);
        }
        let json = bytes.get(SALT_BYTES..).ok_or(BodyError::Malformed)?;
        serde_json::from_slice(json).map_err(|error| {
            drop(error);
            BodyError::Malformed
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Action, Outcome, PurposeOfUse};

    fn event() -> Event {
        Event {
            at: time::OffsetDateTime::UNIX_EPOCH,
            request: uuid::Uuid::nil(),
            person: None,
            role: None,
            source: None,
            action: Action::SignIn,
            outcome: Outcome::Refused,
            purpose: PurposeOfUse::Operations,
            records: Vec::new(),
        }
    }

    #[test]
    fn a_body_comes_back_as_the_event_that_went_in() {
        let body = Body::encode(&event(), Salt([7; 32])).unwrap();
        assert_eq!(
            Body::decode(body.as_bytes(), body.commitment()).unwrap(),
            event()
        );
    }

    #[test]
    fn the_same_event_under_another_salt_commits_to_something_else() {
        let one = Body::encode(&event(), Salt([1; 32])).unwrap();
        let two = Body::encode(&event(), Salt([2; 32])).unwrap();
        assert_ne!(one.commitment(), two.commitment());
    }

    #[test]
    fn a_body_that_was_changed_is_refused() {
        let body = Body::encode(&event(), Salt([1; 32])).unwrap();
        let mut changed = body.as_bytes().to_vec();
        *changed.last_mut().unwrap() ^= 1;
        assert!(matches!(
            Body::decode(&changed, body.commitment()),
            Err(BodyError::Uncommitted)
        ));
    }
}
