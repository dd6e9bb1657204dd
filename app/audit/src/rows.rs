//! The list of rows that an event's transaction wrote, and the commitment to it.

use sha2::Digest as _;
use sha2::Sha256;
use uuid::Uuid;

const LABEL: &[u8] = b"audit-rows/2";

/// A written row: its table, its id and the digest of its columns.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct WrittenRow {
    /// The table's permanent tag.
    pub table: u16,
    /// The row's id.
    pub row: Uuid,
    /// SHA-256 over the row's columns, as `phi_types::row_digest` computes it.
    pub digest: [u8; 32],
}

impl WrittenRow {
    /// The length of an encoded row, in bytes.
    pub const BYTES: usize = 2 + 16 + 32;

    /// The encoding, as stored and exported: `table u16 | row[16] | digest[32]`.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(Self::BYTES);
        bytes.extend_from_slice(&self.table.to_be_bytes());
        bytes.extend_from_slice(self.row.as_bytes());
        bytes.extend_from_slice(&self.digest);
        bytes
    }

    /// Decodes a row; `None` if the bytes have another length.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (table, rest) = bytes.split_first_chunk()?;
        let (row, digest) = rest.split_first_chunk()?;
        Some(Self {
            table: u16::from_be_bytes(*table),
            row: Uuid::from_bytes(*row),
            digest: digest.try_into().ok()?,
        })
    }
}

/// The commitment to the list of rows that an event's transaction wrote.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct RowsCommitment(pub [u8; 32]);

impl RowsCommitment {
    /// Commits to `rows` in the order they were written. The empty list hashes like any other.
    #[must_use]
    pub fn of(rows: &[WrittenRow]) -> Self {
        // More rows than a u32 counts do not fit into one transaction.
        let count = u32::try_from(rows.len()).unwrap_or(u32::MAX);
        let mut hash = Sha256::new()
            .chain_update(LABEL)
            .chain_update(count.to_be_bytes());
        for row in rows {
            hash.update(row.encode());
        }
        Self(hash.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn row() -> impl Strategy<Value = WrittenRow> {
        (0..3_u16, 0..3_u128, 0..3_u8).prop_map(|(table, row, digest)| WrittenRow {
            table,
            row: Uuid::from_u128(row),
            digest: [digest; 32],
        })
    }

    proptest! {
        #[test]
        fn two_lists_have_one_commitment_only_if_they_are_equal(
            a in prop::collection::vec(row(), 0..4),
            b in prop::collection::vec(row(), 0..4),
        ) {
            prop_assert_eq!(a == b, RowsCommitment::of(&a) == RowsCommitment::of(&b));
        }

        #[test]
        fn a_row_reads_back_as_it_was_written(row in row()) {
            prop_assert_eq!(WrittenRow::decode(&row.encode()), Some(row));
            prop_assert_eq!(row.encode().len(), WrittenRow::BYTES);
            prop_assert_eq!(WrittenRow::decode(&row.encode()[1..]), None);
        }
    }

    #[test]
    fn an_empty_list_is_hashed_like_any_list() {
        let expected: [u8; 32] = Sha256::digest(b"audit-rows/2\0\0\0\0").into();
        assert_eq!(RowsCommitment::of(&[]).0, expected);
    }
}
