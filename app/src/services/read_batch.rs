//! Batches of rows that are read together. Their size is decided by the lengths of the rows, before
//! any is read.

use crate::limits::READ_BATCH_BYTES;

/// The size of a batch.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct ReadBatch {
    /// The number of rows; at least one.
    pub(crate) rows: usize,
    /// The total length of the rows, in bytes.
    pub(crate) bytes: usize,
}

impl ReadBatch {
    /// The first batch of the rows with these lengths; none without rows. It has at most `max_rows`
    /// rows and at most [`READ_BATCH_BYTES`], unless its only row is longer.
    pub(crate) fn first(lengths: &[usize], max_rows: usize) -> Option<Self> {
        let mut batch = Self { rows: 0, bytes: 0 };
        for length in lengths.iter().take(max_rows) {
            let bytes = batch.bytes.saturating_add(*length);
            // A row that is longer than a batch is read alone, rather than never.
            if batch.rows > 0 && bytes > READ_BATCH_BYTES {
                break;
            }
            batch.rows += 1;
            batch.bytes = bytes;
        }
        (batch.rows > 0).then_some(batch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_has_as_many_rows_as_fit_and_at_least_one() {
        let (half, large) = (READ_BATCH_BYTES / 2, 3 * READ_BATCH_BYTES);
        let cases: [(&[usize], usize, usize); 5] = [
            (&[half, half, 1], 2, READ_BATCH_BYTES),
            (&[1, half, half], 2, half + 1),
            (&[large, 1], 1, large),
            (&[1, large], 1, 1),
            (&[0, 0], 2, 0),
        ];
        for (lengths, rows, bytes) in cases {
            let batch = ReadBatch { rows, bytes };
            assert_eq!(ReadBatch::first(lengths, 16), Some(batch));
        }
        let one = ReadBatch { rows: 1, bytes: 1 };
        assert_eq!(ReadBatch::first(&[1, 1], 1), Some(one));
        assert_eq!(ReadBatch::first(&[], 16), None);
    }
}
