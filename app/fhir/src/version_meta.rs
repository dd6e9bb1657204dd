//! The version of a stored resource, as `meta` and HTTP headers carry it.

use time::OffsetDateTime;
use time::macros::format_description;

/// Longest list of entity tags, in tags: a client has few versions of one resource.
const MAX_TAGS: usize = 50;

/// The version of a stored resource and its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VersionMeta {
    /// The version id, counted from 1 for each resource.
    pub version: u64,
    /// The time at which the version was written.
    pub last_updated: OffsetDateTime,
}

impl VersionMeta {
    /// The entity tag: `W/"1"`.
    #[must_use]
    pub fn etag(&self) -> String {
        format!("W/\"{}\"", self.version)
    }
}

/// Entity tags of versions of one resource: the value of `If-None-Match` (RFC 9110 13.1.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntityTags {
    /// `*`: any version.
    Any,
    /// These versions.
    Versions(Vec<u64>),
}

impl EntityTags {
    /// Parses `*`, or a list of `W/"1"` or `"1"`, separated by commas. Tags that are not versions match nothing.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.trim() == "*" {
            return Some(Self::Any);
        }
        let mut versions = Vec::new();
        for (count, tag) in text.split(',').enumerate() {
            let tag = tag.trim();
            let tag = tag.strip_prefix("W/").unwrap_or(tag);
            let tag = tag.strip_prefix('"')?.strip_suffix('"')?;
            if count >= MAX_TAGS || tag.contains('"') {
                return None;
            }
            versions.extend(parse_version(tag));
        }
        Some(Self::Versions(versions))
    }

    /// Whether a version is among them. The comparison is weak (RFC 9110 8.8.3.2).
    #[must_use]
    pub fn contain(&self, version: u64) -> bool {
        match self {
            Self::Any => true,
            Self::Versions(versions) => versions.contains(&version),
        }
    }
}

/// Parses a version id of this server: a number from 1, without leading zeros.
#[must_use]
pub fn parse_version(text: &str) -> Option<u64> {
    let plain = text.len() <= 19
        && !text.starts_with('0')
        && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| plain)
}

/// A time as FHIR `instant`, in UTC, with milliseconds.
#[must_use]
pub fn instant_text(at: OffsetDateTime) -> String {
    let form =
        format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    // Formatting cannot fail for the times that a server records; the epoch would be a visible error.
    at.to_offset(time::UtcOffset::UTC)
        .format(&form)
        .unwrap_or_else(|_unformattable| "1970-01-01T00:00:00.000Z".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entity_tags_are_a_star_or_a_list_of_quoted_versions() {
        let versions = |list: &[u64]| Some(EntityTags::Versions(list.to_vec()));
        assert_eq!(EntityTags::parse("*"), Some(EntityTags::Any));
        assert_eq!(EntityTags::parse("W/\"3\""), versions(&[3]));
        assert_eq!(EntityTags::parse("\"3\", W/\"12\""), versions(&[3, 12]));
        assert_eq!(EntityTags::parse("\"abc\""), versions(&[]));
        for malformed in ["", "3", "W/3", "\"3", "\"3\",", "\"3\"\"4\"", "w/\"3\""] {
            assert_eq!(EntityTags::parse(malformed), None, "{malformed}");
        }
        assert_eq!(EntityTags::parse(&["\"1\""; 51].join(",")), None);
    }

    #[test]
    fn a_version_has_one_form() {
        assert_eq!(parse_version("12"), Some(12));
        for other in [
            "",
            "0",
            "01",
            "+1",
            "-1",
            "1.0",
            "99999999999999999999",
            "x",
        ] {
            assert_eq!(parse_version(other), None, "{other}");
        }
    }
}
