//! The proof that one part belongs to a committed event. It discloses no other part.

use std::fmt;

use crate::Commitment;
use crate::Part;
use crate::body::SALT_BYTES;
use crate::merkle;

const LABEL: &[u8] = b"audit-proof/1";

/// The proof of one part of an event: the part, its salt, and the audit path to the event's commitment.
///
/// It discloses the number of the event's parts and the index of this one. Of the other parts it
/// contains only salted hashes.
#[derive(Clone, Eq, PartialEq)]
pub struct PartProof {
    pub(crate) index: u32,
    pub(crate) count: u32,
    pub(crate) salt: [u8; SALT_BYTES],
    pub(crate) part: Vec<u8>,
    pub(crate) path: Vec<merkle::Hash>,
}

/// A proof is not valid.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ProofError {
    /// The bytes are not a proof.
    #[error("these bytes are not the proof of a part of an audit event")]
    Malformed,
    /// The part does not belong to the event with this commitment.
    #[error("the part is not one of the event that the log entry commits to")]
    Uncommitted,
}

impl PartProof {
    /// Verifies the proof and returns the part.
    ///
    /// # Errors
    ///
    /// [`ProofError`] unless the part belongs to the event with this commitment.
    pub fn verify(&self, committed: Commitment) -> Result<Part, ProofError> {
        let leaf = merkle::leaf(&[&self.salt, &self.part]);
        let root = merkle::root_from_path(leaf, self.index, self.count, &self.path)
            .ok_or(ProofError::Malformed)?;
        if Commitment::of_root(self.count, &root) != committed {
            return Err(ProofError::Uncommitted);
        }
        Part::decode(&self.part).ok_or(ProofError::Malformed)
    }

    /// The encoding:
    /// `"audit-proof/1" | index u32 | count u32 | salt[32] | length u32 | part | path[32]…`.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        // A part of a body is shorter than 4 GiB.
        let length = u32::try_from(self.part.len()).unwrap_or(u32::MAX);
        let mut bytes = LABEL.to_vec();
        bytes.extend_from_slice(&self.index.to_be_bytes());
        bytes.extend_from_slice(&self.count.to_be_bytes());
        bytes.extend_from_slice(&self.salt);
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(&self.part);
        for hash in &self.path {
            bytes.extend_from_slice(hash);
        }
        bytes
    }

    /// Decodes a proof, which [`Self::verify`] then has to verify.
    ///
    /// # Errors
    ///
    /// [`ProofError::Malformed`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ProofError> {
        Self::parse(bytes).ok_or(ProofError::Malformed)
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(LABEL)?;
        let (index, rest) = rest.split_first_chunk::<4>()?;
        let (count, rest) = rest.split_first_chunk::<4>()?;
        let (salt, rest) = rest.split_first_chunk::<SALT_BYTES>()?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (part, path) = rest.split_at_checked(length)?;
        let (path, remainder) = path.as_chunks::<32>();
        remainder.is_empty().then(|| Self {
            index: u32::from_be_bytes(*index),
            count: u32::from_be_bytes(*count),
            salt: *salt,
            part: part.to_vec(),
            path: path.to_vec(),
        })
    }
}

impl fmt::Debug for PartProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PartProof({} of {})", self.index, self.count)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Body;
    use crate::Event;
    use crate::Seed;
    use crate::samples::any_event;
    use crate::samples::event;
    use crate::samples::record;

    fn body(event: &Event) -> Body {
        Body::encode(event, Seed([7; 32])).unwrap()
    }

    fn contains(bytes: &[u8], sought: &[u8]) -> bool {
        bytes.windows(sought.len()).any(|window| window == sought)
    }

    #[test]
    fn a_proof_about_one_patient_tells_nothing_of_another() {
        let event = Event {
            person: Some(uuid::Uuid::from_u128(0xabcd)),
            records: (1..=9).map(record).collect(),
            ..event()
        };
        let body = body(&event);
        let proof = body.prove(4).unwrap();
        assert_eq!(
            proof.verify(body.commitment()).unwrap().record(),
            Some(record(5))
        );
        let bytes = proof.to_bytes();
        assert!(contains(
            &bytes,
            record(5).patient.unwrap().to_string().as_bytes()
        ));
        assert!(!contains(&bytes, &[7; 32]), "the seed");
        for other in (0..9).filter(|other| *other != 4) {
            let patient = event.records[other].patient.unwrap().to_string();
            assert!(!contains(&bytes, patient.as_bytes()));
            assert!(!contains(&bytes, &body.prove(other).unwrap().salt));
        }
        for label in ["at", "person", "action"] {
            let field = body.prove_field(label).unwrap();
            assert!(!contains(&bytes, &field.salt) && !contains(&bytes, &field.part));
        }
    }

    #[test]
    fn a_header_field_is_proved_by_its_name() {
        let body = body(&event());
        let part = body.prove_field("action").unwrap();
        let part = part.verify(body.commitment()).unwrap();
        assert_eq!((part.label(), part.json()), ("action", &b"\"sign-in\""[..]));
        assert_eq!(part.record(), None);
        assert!(body.prove_field("person").is_none() && body.prove_field("record").is_none());
        assert!(body.prove(0).is_none());
    }

    proptest! {
        #[test]
        fn every_record_is_proved_and_only_for_its_own_event(a in any_event(), b in any_event()) {
            let body = body(&a);
            for (index, record) in a.records.iter().enumerate() {
                let proof = body.prove(index).unwrap();
                prop_assert_eq!(PartProof::from_bytes(&proof.to_bytes()), Ok(proof.clone()));
                let part = proof.verify(body.commitment()).unwrap();
                prop_assert_eq!(part.record(), Some(record.clone()));
                if a != b {
                    let other = Body::encode(&b, Seed([7; 32])).unwrap();
                    prop_assert!(proof.verify(other.commitment()).is_err());
                }
            }
            prop_assert!(body.prove(a.records.len()).is_none());
        }

        #[test]
        fn an_altered_proof_proves_nothing(event in any_event(), at: prop::sample::Index, bit in 0..8_u8) {
            let body = body(&event);
            let mut bytes = body.prove_field("action").unwrap().to_bytes();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            let verified = PartProof::from_bytes(&bytes)
                .and_then(|proof| proof.verify(body.commitment()));
            prop_assert!(verified.is_err());
        }
    }
}
