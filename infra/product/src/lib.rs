//! The product's names, read from `[workspace.metadata.product]` of the root manifest when this crate is compiled.
//! `cargo stack rename` changes them for a fork.

/// The root manifest of the workspace.
const MANIFEST: &str = include_str!("../../../Cargo.toml");

/// The title on the pages.
pub const TITLE: &str = value("title = \"");

/// The name of folders, containers and cloud resources: lower-case letters, digits and hyphens.
pub const NAME: &str = value("name = \"");

/// The SPIFFE trust domain of the development certificates, and the organization in their subjects.
pub const TRUST_DOMAIN: &str = value("trust-domain = \"");

/// The value of a key of the table, given with what follows it up to the value.
///
/// # Panics
/// When the manifest has no such key: then this crate does not compile.
const fn value(key: &str) -> &'static str {
    let manifest = MANIFEST.as_bytes();
    let table = after(manifest, b"\n[workspace.metadata.product]\n", 0);
    let start = after(manifest, key.as_bytes(), table);
    let end = after(manifest, b"\"", start) - 1;
    let (_, rest) = MANIFEST.split_at(start);
    let (value, _) = rest.split_at(end - start);
    value
}

/// The index after the first occurrence of `needle` that begins at `from` or later.
const fn after(haystack: &[u8], needle: &[u8], from: usize) -> usize {
    let mut start = from;
    while start + needle.len() <= haystack.len() {
        let (_, rest) = haystack.split_at(start);
        if begins_with(rest, needle) {
            return start + needle.len();
        }
        start += 1;
    }
    panic!("the root manifest lacks a key of [workspace.metadata.product]")
}

/// Whether `needle` is a prefix of `bytes`, which is at least as long.
#[expect(
    clippy::indexing_slicing,
    reason = "a constant is computed: an index out of bounds is an error of the compiler"
)]
const fn begins_with(bytes: &[u8], needle: &[u8]) -> bool {
    let mut index = 0;
    while index < needle.len() {
        if bytes[index] != needle[index] {
            return false;
        }
        index += 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_usable_where_they_stand() {
        assert!(!TITLE.is_empty());
        let is_label = |text: &str| {
            text.bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        };
        assert!(is_label(NAME), "{NAME}");
        assert!(TRUST_DOMAIN.split('.').all(is_label), "{TRUST_DOMAIN}");
    }
}
