//! Completeness of an owner's resources: for each resource type the number and a multiset hash of the heads.
//!
//! The hash is the sum modulo 2²⁵⁶ of one keyed MAC per head, so that a head is added or removed without the
//! others being read. A reader of all heads recomputes and compares it: an omitted head, or one of an older version,
//! changes the sum.
//!
//! The MACs are made under the scope key that seals the sums. Sums cannot be converted to another key: after a
//! rotation, the first write compares all heads with the sums of the former key and sums them under the current one.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::scope::ScopeKey;

/// The head of a resource: its current version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head<'a> {
    /// The resource type.
    pub kind: &'a str,
    /// The resource's id.
    pub id: Uuid,
    /// The current version, from 1.
    pub version: u32,
    /// The digest of the row that holds that version.
    pub digest: [u8; 32],
}

/// The counts and multiset hashes of an owner's heads, by resource type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeadSet(BTreeMap<String, Sum>);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sum {
    count: u32,
    hash: [u8; 32],
}

impl HeadSet {
    /// Adds a head.
    pub fn add(&mut self, key: &ScopeKey, head: Head<'_>) {
        self.change(head.kind, 1, mac(key, head));
    }

    /// Removes a head that was added before.
    pub fn remove(&mut self, key: &ScopeKey, head: Head<'_>) {
        self.change(head.kind, u32::MAX, negated(mac(key, head)));
    }

    /// Adds to the count and the hash of a type. Both wrap.
    fn change(&mut self, kind: &str, count: u32, hash: [u8; 32]) {
        let mut sum = self.0.get(kind).copied().unwrap_or_default();
        sum.count = sum.count.wrapping_add(count);
        sum.hash = added(sum.hash, hash);
        // A type without heads has no entry, so that sets of the same heads are equal whatever the order of changes.
        if sum == Sum::default() {
            self.0.remove(kind);
        } else {
            self.0.insert(kind.to_owned(), sum);
        }
    }

    /// The number of heads of a resource type.
    #[must_use]
    pub fn count(&self, kind: &str) -> u32 {
        self.0.get(kind).map_or(0, |sum| sum.count)
    }

    /// The number of heads of all types.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.values().map(|sum| u64::from(sum.count)).sum()
    }

    /// Whether `other` has the same heads of the resource type `kind`.
    #[must_use]
    pub fn agrees_on(&self, kind: &str, other: &Self) -> bool {
        self.0.get(kind) == other.0.get(kind)
    }

    /// The resource types of which the set has heads, in ascending order.
    pub fn kinds(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The encoding: for each type in ascending order `length of the name[1] | name | count[4] | hash[32]`.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (kind, sum) in &self.0 {
            bytes.push(u8::try_from(kind.len()).unwrap_or(u8::MAX));
            bytes.extend(kind.bytes().take(usize::from(u8::MAX)));
            bytes.extend_from_slice(&sum.count.to_be_bytes());
            bytes.extend_from_slice(&sum.hash);
        }
        bytes
    }

    /// Decodes the bytes of [`Self::to_bytes`]; `None` for bytes that it never makes.
    #[must_use]
    pub fn from_bytes(mut bytes: &[u8]) -> Option<Self> {
        let mut sums = BTreeMap::new();
        while let Some((length, rest)) = bytes.split_first() {
            let (kind, rest) = rest.split_at_checked(usize::from(*length))?;
            let (count, rest) = rest.split_first_chunk::<4>()?;
            let (hash, rest) = rest.split_first_chunk::<32>()?;
            let count = u32::from_be_bytes(*count);
            let kind = std::str::from_utf8(kind).ok()?.to_owned();
            let is_next = sums.last_key_value().is_none_or(|(last, _)| *last < kind);
            if !is_next {
                return None;
            }
            sums.insert(kind, Sum { count, hash: *hash });
            bytes = rest;
        }
        Some(Self(sums))
    }
}

fn mac(key: &ScopeKey, head: Head<'_>) -> [u8; 32] {
    let length = u32::try_from(head.kind.len())
        .unwrap_or(u32::MAX)
        .to_be_bytes();
    key.head_mac(&[
        &length,
        head.kind.as_bytes(),
        head.id.as_bytes(),
        &head.version.to_be_bytes(),
        &head.digest,
    ])
}

/// `a + b` modulo 2²⁵⁶, big-endian.
fn added(a: [u8; 32], b: [u8; 32]) -> [u8; 32] {
    let mut sum = [0; 32];
    let mut carry = 0_u16;
    for ((out, x), y) in sum.iter_mut().zip(a).zip(b).rev() {
        let [high, low] = (u16::from(x) + u16::from(y) + carry).to_be_bytes();
        (*out, carry) = (low, u16::from(high));
    }
    sum
}

/// `−a` modulo 2²⁵⁶.
fn negated(a: [u8; 32]) -> [u8; 32] {
    let mut one = [0; 32];
    if let Some(last) = one.last_mut() {
        *last = 1;
    }
    added(a.map(|byte| !byte), one)
}

#[cfg(test)]
mod tests {
    use phi_types::KeyId;
    use phi_types::OrganizationId;
    use phi_types::Owner;
    use phi_types::PatientId;
    use proptest::prelude::*;

    use super::*;
    use crate::secret::SecretKey;

    fn key() -> ScopeKey {
        let patient = Owner::Patient(PatientId::random());
        let secret = SecretKey::from_array(&[7; 32]);
        ScopeKey::new(OrganizationId::SYSTEM, patient, KeyId::random(), secret)
    }

    fn head(number: u128) -> Head<'static> {
        Head {
            kind: if number.is_multiple_of(3) {
                "Condition"
            } else {
                "Observation"
            },
            id: Uuid::from_u128(number),
            version: 1,
            digest: [3; 32],
        }
    }

    proptest! {
        #[test]
        fn the_order_of_changes_does_not_matter_and_a_removed_head_leaves_no_trace(
            numbers in prop::collection::hash_set(0..40_u128, 0..20), extra in 40..80_u128
        ) {
            let key = key();
            let (mut forth, mut back) = (HeadSet::default(), HeadSet::default());
            for number in &numbers {
                forth.add(&key, head(*number));
            }
            back.add(&key, head(extra));
            let mut reversed: Vec<_> = numbers.iter().collect();
            reversed.reverse();
            for number in reversed {
                back.add(&key, head(*number));
            }
            prop_assert_ne!(&forth, &back);
            back.remove(&key, head(extra));
            prop_assert_eq!(&forth, &back);
            prop_assert_eq!(HeadSet::from_bytes(&forth.to_bytes()), Some(forth));
        }
    }

    #[test]
    fn the_last_removal_of_a_type_leaves_no_trace_whatever_the_order() {
        let (key, mut set) = (key(), HeadSet::default());
        set.remove(&key, head(1));
        assert_ne!(set, HeadSet::default());
        set.add(&key, head(1));
        assert_eq!(set, HeadSet::default());
        assert!(set.to_bytes().is_empty());
    }

    #[test]
    fn bytes_that_are_never_written_are_not_read() {
        let (key, mut set) = (key(), HeadSet::default());
        set.add(&key, head(1));
        let one = set.to_bytes();
        set.add(&key, head(3));
        let both = set.to_bytes();
        let (condition, observation) = both.split_at(both.len() - one.len());
        assert_eq!(observation, one);
        let swapped = [observation, condition].concat();
        let doubled = [observation, observation].concat();
        let cut = &one[..one.len() - 1];
        for bytes in [&swapped[..], &doubled[..], cut, &[255]] {
            assert_eq!(HeadSet::from_bytes(bytes), None);
        }
    }

    #[test]
    fn an_omitted_a_doubled_and_an_older_head_all_differ() {
        let key = key();
        let of = |heads: &[Head<'_>]| {
            let mut set = HeadSet::default();
            for head in heads {
                set.add(&key, *head);
            }
            set
        };
        let older = Head {
            version: 0,
            ..head(2)
        };
        let altered = Head {
            digest: [4; 32],
            ..head(2)
        };
        let all = of(&[head(1), head(2)]);
        for other in [
            of(&[head(1)]),
            of(&[head(1), head(1)]),
            of(&[head(1), older]),
            of(&[head(1), altered]),
        ] {
            assert!(!all.agrees_on("Observation", &other));
            assert!(all.agrees_on("Condition", &other));
        }
    }
}
