//! Pages of lists, and the positions at which lists are continued.

use std::fmt;

use uuid::Uuid;
use zeroize::Zeroizing;

use crate::fields::DateSpan;
use crate::fields::SortKey;
use crate::terms::MAX_TERM_BYTES;

/// The version of the encoding of positions.
const VERSION: u8 = 1;
/// Length of an encoded position without its texts, in bytes: version and key, birth date, time of
/// change, the lengths of two texts, and id.
const FIXED_BYTES: usize = 2 + 9 + 8 + 2 + 16;

/// A page of a list of patients.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The patients of the page, in order.
    pub ids: Vec<Uuid>,
    /// Exact number of patients in the whole list.
    pub total: usize,
    /// Whether the list continues after the page.
    pub has_more: bool,
    /// The positions after each of the patients.
    pub(crate) positions: Positions,
}

/// Encoded positions, one after another.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Positions {
    bytes: Zeroizing<Vec<u8>>,
    /// The end of each position.
    ends: Vec<usize>,
}

/// The beginning of a page.
#[derive(Clone, Copy, Debug)]
pub enum Start<'p> {
    /// After this number of patients.
    Skip(usize),
    /// After a position. Patients that are inserted or removed before it do not shift the page.
    After(&'p PagePosition),
}

/// A position in a list: the sort key and the id of the patient before it. It is the same place in
/// the order whether or not the list still has the patient. Zeroized on drop.
#[derive(Clone, PartialEq, Eq)]
pub struct PagePosition {
    pub(crate) key: SortKey,
    pub(crate) birth: Zeroizing<Option<DateSpan>>,
    pub(crate) updated: i64,
    pub(crate) family: Zeroizing<Vec<u8>>,
    pub(crate) given: Zeroizing<Vec<u8>>,
    pub(crate) id: Uuid,
}

/// The sort key of a patient. Of the parts, those of the order are set.
#[derive(Clone, Copy)]
pub(crate) struct KeyParts<'a> {
    pub(crate) key: SortKey,
    pub(crate) birth: Option<DateSpan>,
    pub(crate) updated: i64,
    pub(crate) family: &'a [u8],
    pub(crate) given: &'a [u8],
    pub(crate) id: Uuid,
}

impl Page {
    /// The encoded position after the patient with this index, at which the list can be continued.
    #[must_use]
    pub fn position(&self, index: usize) -> Option<&[u8]> {
        let end = *self.positions.ends.get(index)?;
        let before = index.checked_sub(1);
        let start = before.and_then(|before| self.positions.ends.get(before).copied());
        self.positions.bytes.get(start.unwrap_or(0)..end)
    }
}

impl Positions {
    /// The positions of patients, encoded into one buffer that does not grow.
    pub(crate) fn encode<'a>(parts: impl Iterator<Item = KeyParts<'a>> + Clone) -> Self {
        let lengths = parts
            .clone()
            .map(|it| FIXED_BYTES + it.family.len() + it.given.len());
        let mut positions = Self {
            bytes: Zeroizing::new(Vec::with_capacity(lengths.sum())),
            ends: Vec::new(),
        };
        for it in parts {
            it.encode(&mut positions.bytes);
            positions.ends.push(positions.bytes.len());
        }
        positions
    }
}

impl KeyParts<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend([VERSION, number_of(self.key)]);
        let (has_birth, first, last) = match self.birth {
            Some(birth) => (1, birth.first, birth.last),
            None => (0, 0, 0),
        };
        out.push(has_birth);
        out.extend(first.to_be_bytes());
        out.extend(last.to_be_bytes());
        out.extend(self.updated.to_be_bytes());
        for text in [self.family, self.given] {
            // A term has at most `MAX_TERM_BYTES`.
            out.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
            out.extend_from_slice(text);
        }
        out.extend(self.id.as_bytes());
    }
}

impl PagePosition {
    /// Reads a position that [`Page::position`] returned for a list with this sort key; `None` for
    /// other bytes.
    #[must_use]
    pub fn decode(bytes: &[u8], key: SortKey) -> Option<Self> {
        let mut rest = bytes;
        let [version, number, has_birth] = *take(&mut rest)?;
        if version != VERSION || number != number_of(key) {
            return None;
        }
        let first = i32::from_be_bytes(*take(&mut rest)?);
        let last = i32::from_be_bytes(*take(&mut rest)?);
        let birth = match has_birth {
            0 => None,
            1 if first <= last => Some(DateSpan { first, last }),
            _ => return None,
        };
        let updated = i64::from_be_bytes(*take(&mut rest)?);
        let family = take_text(&mut rest)?;
        let given = take_text(&mut rest)?;
        let id = Uuid::from_bytes(*take(&mut rest)?);
        rest.is_empty().then(|| Self {
            key,
            birth: Zeroizing::new(birth),
            updated,
            family,
            given,
            id,
        })
    }
}

fn take<'b, const N: usize>(rest: &mut &'b [u8]) -> Option<&'b [u8; N]> {
    let (taken, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(taken)
}

fn take_text(rest: &mut &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let [length] = *take(rest)?;
    let (text, after) = rest.split_at_checked(usize::from(length))?;
    *rest = after;
    (text.len() <= MAX_TERM_BYTES).then(|| Zeroizing::new(text.to_vec()))
}

const fn number_of(key: SortKey) -> u8 {
    match key {
        SortKey::Family => 1,
        SortKey::Given => 2,
        SortKey::BirthDate => 3,
        SortKey::Updated => 4,
        SortKey::Id => 5,
    }
}

impl fmt::Debug for Positions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Positions([redacted])")
    }
}

impl fmt::Debug for PagePosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PagePosition([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_encoded_position_reads_back_and_other_bytes_do_not(
            family in prop::collection::vec(any::<u8>(), 0..=MAX_TERM_BYTES),
            given in prop::collection::vec(any::<u8>(), 0..=MAX_TERM_BYTES),
            birth in prop::option::of((-5_i32..5, 0_i32..400)),
            (updated, id) in any::<(i64, u128)>(),
            cut in any::<prop::sample::Index>(),
        ) {
            let id = Uuid::from_u128(id);
            let birth = birth.map(|(first, days)| DateSpan { first, last: first + days });
            let key = SortKey::BirthDate;
            let parts = KeyParts { key, birth, updated, family: &family, given: &given, id };
            let page = Page {
                ids: vec![id, id],
                positions: Positions::encode([parts, parts].into_iter()),
                ..Page::default()
            };
            let bytes = page.position(1).unwrap();
            let read = PagePosition::decode(bytes, key).unwrap();
            prop_assert_eq!((&*read.family, &*read.given), (&family, &given));
            prop_assert_eq!((*read.birth, read.updated, read.id), (birth, updated, id));
            prop_assert!(PagePosition::decode(bytes, SortKey::Family).is_none());
            prop_assert!(PagePosition::decode(&bytes[..cut.index(bytes.len())], key).is_none());
            prop_assert!(PagePosition::decode(&[bytes, &[0]].concat(), key).is_none());
            prop_assert_eq!(page.position(2), None);
        }
    }
}
