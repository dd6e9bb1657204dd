//! The body of an event, which is sealed, and the commitment to it, which the log contains.

use std::fmt;

use hmac::Hmac;
use hmac::KeyInit;
use hmac::Mac;
use sha2::Digest as _;
use sha2::Sha256;

use crate::Event;
use crate::Part;
use crate::PartProof;
use crate::merkle;
use crate::part::event_of;
use crate::part::parts_of;

const LABEL: &[u8] = b"audit-body/2";
const SALT_LABEL: &[u8] = b"audit-salt/1";

/// The length of a seed or a salt, in bytes.
pub(crate) const SALT_BYTES: usize = 32;

/// The random bytes from which all salts of one body are derived.
///
/// Without salts, a reader of the log could confirm a guessed part. The seed is sealed with the
/// body, and no proof contains it.
#[derive(Clone, Eq, PartialEq)]
pub struct Seed(pub [u8; SALT_BYTES]);

impl Seed {
    /// The salt of one part: `HMAC-SHA-256(seed, "audit-salt/1" | index u32)`.
    fn salt(&self, index: u32) -> [u8; SALT_BYTES] {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else {
            unreachable!("HMAC takes keys of any length");
        };
        mac.update(SALT_LABEL);
        mac.update(&index.to_be_bytes());
        mac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(..)")
    }
}

/// SHA-256 over the number of a body's parts and the Merkle root over their salted bytes.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Commitment(pub [u8; 32]);

impl Commitment {
    /// `SHA-256("audit-body/2" | number of parts u32 | root)`.
    ///
    /// The number is bound because a root alone leaves a proof's claimed size and index open.
    pub(crate) fn of_root(count: u32, root: &merkle::Hash) -> Self {
        let hash = Sha256::new()
            .chain_update(LABEL)
            .chain_update(count.to_be_bytes())
            .chain_update(root);
        Self(hash.finalize().into())
    }
}

/// An event as salted parts, ready to be sealed.
#[derive(Clone, Eq, PartialEq)]
pub struct Body {
    seed: Seed,
    parts: Vec<EncodedPart>,
}

#[derive(Clone, Eq, PartialEq)]
struct EncodedPart {
    part: Part,
    bytes: Vec<u8>,
}

/// An event has no body, or bytes are not the expected body.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BodyError {
    /// The event cannot be encoded: its time lies outside the years 0 to 9999, or it has a code of a later release.
    #[error("this audit event has no encoding")]
    Unencodable,
    /// The bytes are not a body.
    #[error("these bytes are not the body of an audit event")]
    Malformed,
    /// The body is well-formed, and not the one that the log entry commits to.
    #[error("the body is not the one that its log entry commits to")]
    Uncommitted,
}

impl Body {
    /// Encodes `event` under the salts of `seed`.
    ///
    /// # Errors
    ///
    /// [`BodyError::Unencodable`].
    pub fn encode(event: &Event, seed: Seed) -> Result<Self, BodyError> {
        let parts = parts_of(event).ok_or(BodyError::Unencodable)?;
        let encoded = |part: Part| {
            let bytes = part.encode()?;
            u32::try_from(bytes.len()).ok()?;
            Some(EncodedPart { part, bytes })
        };
        let parts: Option<Vec<_>> = parts.into_iter().map(encoded).collect();
        Ok(Self {
            seed,
            parts: parts.ok_or(BodyError::Unencodable)?,
        })
    }

    /// The bytes to seal: `seed[32] | (length u32 | part)…`.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.seed.0.to_vec();
        for part in &self.parts {
            bytes.extend_from_slice(&index_u32(part.bytes.len()).to_be_bytes());
            bytes.extend_from_slice(&part.bytes);
        }
        bytes
    }

    /// Decodes an opened body and verifies it against the commitment in its log entry.
    ///
    /// # Errors
    ///
    /// [`BodyError::Malformed`], [`BodyError::Uncommitted`].
    pub fn open(bytes: &[u8], committed: Commitment) -> Result<Self, BodyError> {
        let body = Self::parse(bytes).ok_or(BodyError::Malformed)?;
        if body.commitment() == committed {
            Ok(body)
        } else {
            Err(BodyError::Uncommitted)
        }
    }

    /// The event of an opened body, verified against the commitment in its log entry.
    ///
    /// # Errors
    ///
    /// [`BodyError::Malformed`], [`BodyError::Uncommitted`].
    pub fn decode(bytes: &[u8], committed: Commitment) -> Result<Event, BodyError> {
        let parts: Vec<Part> = Self::open(bytes, committed)?
            .parts
            .into_iter()
            .map(|encoded| encoded.part)
            .collect();
        event_of(&parts).ok_or(BodyError::Malformed)
    }

    /// The commitment to the body, which the log entry contains.
    #[must_use]
    pub fn commitment(&self) -> Commitment {
        let leaves = self.leaves();
        Commitment::of_root(index_u32(leaves.len()), &merkle::root(&leaves))
    }

    /// The proof of the record reference at index `record`; `None` if the event names fewer records.
    #[must_use]
    pub fn prove(&self, record: usize) -> Option<PartProof> {
        let header = self.parts.iter().take_while(|it| !it.part.is_record());
        self.prove_part(header.count().checked_add(record)?)
    }

    /// The proof of the header field with this label; `None` if it has no value.
    #[must_use]
    pub fn prove_field(&self, label: &str) -> Option<PartProof> {
        let named = |it: &EncodedPart| !it.part.is_record() && it.part.label() == label;
        self.prove_part(self.parts.iter().position(named)?)
    }

    fn prove_part(&self, index: usize) -> Option<PartProof> {
        let part = self.parts.get(index)?.bytes.clone();
        let path = merkle::path(&self.leaves(), index)?;
        let at = index_u32(index);
        Some(PartProof {
            index: at,
            count: index_u32(self.parts.len()),
            salt: self.seed.salt(at),
            part,
            path,
        })
    }

    fn leaves(&self) -> Vec<merkle::Hash> {
        let leaf = |(index, part): (usize, &EncodedPart)| {
            merkle::leaf(&[&self.seed.salt(index_u32(index)), &part.bytes])
        };
        self.parts.iter().enumerate().map(leaf).collect()
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let (seed, mut rest) = bytes.split_first_chunk::<SALT_BYTES>()?;
        let mut parts = Vec::new();
        while !rest.is_empty() {
            let (length, after) = rest.split_first_chunk::<4>()?;
            let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
            let (bytes, after) = after.split_at_checked(length)?;
            parts.push(EncodedPart {
                part: Part::decode(bytes)?,
                bytes: bytes.to_vec(),
            });
            rest = after;
        }
        Some(Self {
            seed: Seed(*seed),
            parts,
        })
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Body({} parts)", self.parts.len())
    }
}

/// A count or length of one event, which memory bounds far below `u32::MAX`.
fn index_u32(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::samples::any_event;
    use crate::samples::event;
    use crate::samples::record;

    fn body(event: &Event) -> Body {
        Body::encode(event, Seed([7; 32])).unwrap()
    }

    #[test]
    fn the_commitment_of_the_specification_is_computed_by_hand() {
        let event = event();
        let body = body(&event);
        let mut leaves = Vec::new();
        for (index, part) in parts_of(&event).unwrap().iter().enumerate() {
            let mut mac = Hmac::<Sha256>::new_from_slice(&[7; 32]).unwrap();
            mac.update(b"audit-salt/1");
            mac.update(&u32::try_from(index).unwrap().to_be_bytes());
            let salt: [u8; 32] = mac.finalize().into_bytes().into();
            let data = [&[0], &salt[..], &part.encode().unwrap()].concat();
            leaves.push(<[u8; 32]>::from(Sha256::digest(data)));
        }
        let node = |left: [u8; 32], right: [u8; 32]| -> [u8; 32] {
            Sha256::digest([&[1], &left[..], &right[..]].concat()).into()
        };
        let [first, second, third, fourth, fifth, sixth] = leaves.try_into().unwrap();
        let left = node(node(first, second), node(third, fourth));
        let root = node(left, node(fifth, sixth));
        let data = [&b"audit-body/2"[..], &[0, 0, 0, 6], &root].concat();
        assert_eq!(body.commitment().0, <[u8; 32]>::from(Sha256::digest(data)));
    }

    #[test]
    fn an_event_before_year_zero_has_no_body() {
        let early = Event {
            at: time::macros::datetime!(-0001-01-01 0:00 UTC),
            ..event()
        };
        assert_eq!(
            Body::encode(&early, Seed([1; 32])),
            Err(BodyError::Unencodable)
        );
    }

    proptest! {
        #[test]
        fn a_body_reads_back_as_its_event(event in any_event()) {
            let body = body(&event);
            prop_assert_eq!(Body::decode(&body.to_bytes(), body.commitment()), Ok(event));
        }

        #[test]
        fn another_event_has_another_commitment(a in any_event(), b in any_event()) {
            prop_assert_eq!(a == b, body(&a).commitment() == body(&b).commitment());
        }

        #[test]
        fn another_order_a_dropped_and_an_added_record_have_other_commitments(
            event in any_event(), swap: (prop::sample::Index, prop::sample::Index),
        ) {
            let committed = body(&event).commitment();
            let mut added = event.clone();
            added.records.push(record(1));
            prop_assert_ne!(committed, body(&added).commitment());
            if !event.records.is_empty() {
                let (a, b) = (swap.0.index(event.records.len()), swap.1.index(event.records.len()));
                let mut dropped = event.clone();
                dropped.records.remove(a);
                prop_assert_ne!(committed, body(&dropped).commitment());
                let mut swapped = event.clone();
                swapped.records.swap(a, b);
                prop_assert_eq!(swapped == event, committed == body(&swapped).commitment());
            }
        }

        #[test]
        fn a_moved_part_has_another_commitment(event in any_event(), at: prop::sample::Index) {
            let body = body(&event);
            let mut moved = body.clone();
            let from = at.index(moved.parts.len() - 1);
            moved.parts.swap(from, from + 1);
            prop_assert_eq!(moved == body, moved.commitment() == body.commitment());
        }

        #[test]
        fn another_seed_has_another_commitment(event in any_event(), seed: [u8; 32]) {
            let other = Body::encode(&event, Seed(seed)).unwrap();
            prop_assert_eq!(seed == [7; 32], other.commitment() == body(&event).commitment());
        }

        #[test]
        fn a_changed_byte_is_refused(event in any_event(), at: prop::sample::Index, bit in 0..8_u8) {
            let body = body(&event);
            let mut bytes = body.to_bytes();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            prop_assert!(Body::decode(&bytes, body.commitment()).is_err());
        }
    }
}
