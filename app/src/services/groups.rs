//! Groups of rows: how many are read together, decided by their lengths before any is read.

use crate::limits::READ_GROUP_BYTES;

/// The next rows that are read together.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Group {
    /// The number of rows; at least one.
    pub(crate) rows: usize,
    /// Their length, in bytes.
    pub(crate) bytes: usize,
}

/// The first group of the rows with these lengths; none without rows. It has at most `most` rows and
/// [`READ_GROUP_BYTES`], unless its only row is longer.
pub(crate) fn first(lengths: &[usize], most: usize) -> Option<Group> {
    let mut group = Group { rows: 0, bytes: 0 };
    for length in lengths.iter().take(most) {
        let bytes = group.bytes.saturating_add(*length);
        if group.rows > 0 && bytes > READ_GROUP_BYTES {
            break;
        }
        group.rows += 1;
        group.bytes = bytes;
    }
    (group.rows > 0).then_some(group)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_has_as_many_rows_as_fit_and_at_least_one() {
        let (half, large) = (READ_GROUP_BYTES / 2, 3 * READ_GROUP_BYTES);
        let cases: [(&[usize], usize, usize); 5] = [
            (&[half, half, 1], 2, READ_GROUP_BYTES),
            (&[1, half, half], 2, half + 1),
            (&[large, 1], 1, large),
            (&[1, large], 1, 1),
            (&[0, 0], 2, 0),
        ];
        for (lengths, rows, bytes) in cases {
            assert_eq!(first(lengths, 16), Some(Group { rows, bytes }));
        }
        let one = Group { rows: 1, bytes: 1 };
        assert_eq!(first(&[1, 1], 1), Some(one));
        assert_eq!(first(&[], 16), None);
    }
}
