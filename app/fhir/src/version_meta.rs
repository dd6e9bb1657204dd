//! The version of a stored resource, as `meta` and HTTP headers carry it.

use time::OffsetDateTime;
use time::macros::format_description;

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
