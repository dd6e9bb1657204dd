//! Padding of a value to its column's bucket before it is sealed, because a length can reveal the value.

use phi_types::Bucket;
use zeroize::Zeroizing;

/// The smallest length of the bucket that is at least `length`, in bytes.
fn padded(bucket: Bucket, length: usize) -> usize {
    match bucket {
        Bucket::Multiple(step) => length.next_multiple_of(usize::from(step.max(1))),
        Bucket::Padme => padme(length),
    }
}

/// The Padmé length: all but the first `log2(log2 n) + 1` bits of the length are zero.
const fn padme(length: usize) -> usize {
    let Some(exponent) = length.checked_ilog2() else {
        return length;
    };
    let Some(kept) = exponent.checked_ilog2() else {
        return length;
    };
    let zeroed = exponent - (kept + 1);
    let mask = (1 << zeroed) - 1;
    (length + mask) & !mask
}

/// Appends `kind | value | 0x80 | 0x00…`, padded to a length of the bucket.
pub(crate) fn pad(kind: u8, value: &[u8], bucket: Bucket, out: &mut Vec<u8>) {
    let end = out.len() + padded_length(value, bucket);
    out.push(kind);
    out.extend_from_slice(value);
    out.push(0x80);
    out.resize(end, 0);
}

/// The length of `kind | value | padding`.
pub(crate) fn padded_length(value: &[u8], bucket: Bucket) -> usize {
    padded(bucket, value.len() + 2)
}

/// The type byte and the value of a padded plaintext; `None` for bytes that are not one. The value stays in the same
/// buffer, so that no second copy has to be zeroized.
pub(crate) fn unpad(mut padded: Zeroizing<Vec<u8>>) -> Option<(u8, Zeroizing<Vec<u8>>)> {
    let mark = padded.iter().rposition(|byte| *byte != 0)?;
    let kind = *padded.first()?;
    if mark == 0 || *padded.get(mark)? != 0x80 {
        return None;
    }
    padded.truncate(mark);
    padded.remove(0);
    Some((kind, padded))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BUCKETS: [Bucket; 4] = [
        Bucket::Multiple(1),
        Bucket::Multiple(16),
        Bucket::Multiple(64),
        Bucket::Padme,
    ];

    fn padded_bytes(kind: u8, value: &[u8], bucket: Bucket) -> Zeroizing<Vec<u8>> {
        let mut out = Vec::new();
        pad(kind, value, bucket, &mut out);
        Zeroizing::new(out)
    }

    /// Worked by hand from the formula of the paper (algorithm 1).
    #[test]
    fn padme_agrees_with_its_paper() {
        let known = [
            (0, 0),
            (1, 1),
            (2, 2),
            (9, 10),
            (16, 16),
            (17, 18),
            (100, 104),
            (1000, 1024),
        ];
        for (length, expected) in known {
            assert_eq!(padme(length), expected, "of {length}");
        }
    }

    #[test]
    fn what_was_never_padded_does_not_unpad() {
        for bytes in [
            &[][..],
            &[0, 0],
            &[1],
            &[0x80],
            &[1, b'A', 1],
            &[1, b'A', 0],
        ] {
            assert_eq!(unpad(Zeroizing::new(bytes.to_vec())), None, "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn a_padded_value_reads_back(kind: u8, value: Vec<u8>) {
            for bucket in BUCKETS {
                let padded = padded_bytes(kind, &value, bucket);
                prop_assert_eq!(padded.len(), padded_length(&value, bucket));
                prop_assert_eq!(unpad(padded), Some((kind, Zeroizing::new(value.clone()))));
            }
        }

        #[test]
        fn a_bucket_holds_what_it_pads_and_is_its_own(length in 2_usize..20_000_000) {
            for bucket in BUCKETS {
                let padded = super::padded(bucket, length);
                prop_assert!(padded >= length);
                prop_assert_eq!(super::padded(bucket, padded), padded);
            }
            prop_assert!(padme(length) * 100 <= length * 112);
        }

        #[test]
        fn a_longer_value_is_never_padded_to_less(length in 2_usize..1_000_000) {
            for bucket in BUCKETS {
                prop_assert!(super::padded(bucket, length) <= super::padded(bucket, length + 1));
            }
        }
    }
}
