//! The Merkle tree hash of RFC 6962, section 2.1.

use sha2::Digest as _;
use sha2::Sha256;

/// A node of the tree.
pub(crate) type Hash = [u8; 32];

/// The hash of a leaf: `SHA-256(0x00 | data)`.
pub(crate) fn leaf(data: &[&[u8]]) -> Hash {
    let mut hash = Sha256::new().chain_update([0]);
    for piece in data {
        hash.update(piece);
    }
    hash.finalize().into()
}

/// The hash of an inner node: `SHA-256(0x01 | left | right)`.
fn node(left: &Hash, right: &Hash) -> Hash {
    Sha256::new()
        .chain_update([1])
        .chain_update(left)
        .chain_update(right)
        .finalize()
        .into()
}

/// The root of the tree; of no leaves, the hash of the empty string.
pub(crate) fn root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Sha256::digest([]).into(),
        [leaf] => *leaf,
        leaves => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            node(&root(left), &root(right))
        }
    }
}

/// The audit path of the leaf at `index`, from the leaf to the root; `None` if there is no such leaf.
pub(crate) fn path(leaves: &[Hash], index: usize) -> Option<Vec<Hash>> {
    if index >= leaves.len() {
        return None;
    }
    if leaves.len() == 1 {
        return Some(Vec::new());
    }
    let at = split(leaves.len());
    let (left, right) = leaves.split_at(at);
    let (mut path, sibling) = if index < at {
        (path(left, index)?, root(right))
    } else {
        (path(right, index - at)?, root(left))
    };
    path.push(sibling);
    Some(path)
}

/// The root of the tree of `size` leaves that has `leaf` at `index` and this audit path; `None` if
/// the path's length does not fit the index and the size.
pub(crate) fn root_from_path(leaf: Hash, index: u32, size: u32, path: &[Hash]) -> Option<Hash> {
    if index >= size {
        return None;
    }
    // The index within the current level and the index of that level's last node (RFC 9162, 2.1.3.2).
    let (mut at, mut last) = (index, size - 1);
    let mut hash = leaf;
    for sibling in path {
        if last == 0 {
            return None;
        }
        if at % 2 == 1 || at == last {
            hash = node(sibling, &hash);
            // A last node without a sibling moves up unchanged until it is a right child.
            while at % 2 == 0 && at != 0 {
                at /= 2;
                last /= 2;
            }
        } else {
            hash = node(&hash, sibling);
        }
        at /= 2;
        last /= 2;
    }
    (last == 0).then_some(hash)
}

/// The largest power of two smaller than `count`, which is at least 2.
fn split(count: usize) -> usize {
    1 << (count - 1).ilog2()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves(count: usize) -> Vec<Hash> {
        (0..count).map(|n| leaf(&[&n.to_be_bytes()])).collect()
    }

    fn hexadecimal(hash: Hash) -> String {
        use std::fmt::Write as _;
        hash.iter().fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").unwrap();
            text
        })
    }

    /// The reference data of certificate-transparency's test suite.
    #[test]
    fn roots_are_those_of_the_reference_implementation() {
        let data: [&[u8]; 8] = [
            b"",
            b"\x00",
            b"\x10",
            b"\x20\x21",
            b"\x30\x31",
            b"\x40\x41\x42\x43",
            b"\x50\x51\x52\x53\x54\x55\x56\x57",
            b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
        ];
        let leaves: Vec<Hash> = data.iter().map(|data| leaf(&[data])).collect();
        let roots = [
            (
                0,
                "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            ),
            (
                1,
                "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            ),
            (
                2,
                "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            ),
            (
                3,
                "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            ),
            (
                5,
                "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            ),
            (
                8,
                "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
            ),
        ];
        for (count, expected) in roots {
            assert_eq!(hexadecimal(root(&leaves[..count])), expected);
        }
    }

    #[test]
    fn every_path_leads_to_the_root() {
        for count in 1..40 {
            let leaves = leaves(count);
            let size = u32::try_from(count).unwrap();
            for index in 0..count {
                let path = path(&leaves, index).unwrap();
                let at = u32::try_from(index).unwrap();
                assert_eq!(
                    root_from_path(leaves[index], at, size, &path),
                    Some(root(&leaves))
                );
            }
            assert_eq!(path(&leaves, count), None);
        }
    }

    #[test]
    fn a_path_leads_elsewhere_from_any_other_index() {
        let leaves = leaves(11);
        for index in 0..11_u32 {
            let at = usize::try_from(index).unwrap();
            let path = path(&leaves, at).unwrap();
            for other in (0..11).filter(|other| *other != index) {
                assert_ne!(
                    root_from_path(leaves[at], other, 11, &path),
                    Some(root(&leaves))
                );
            }
        }
    }
}
