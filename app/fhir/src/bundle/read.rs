//! The reads of a Bundle.

use std::fmt;

use time::OffsetDateTime;
use zeroize::Zeroizing;

use crate::Reference;
use crate::ResourceType;
use crate::VersionMeta;
use crate::version_meta::EntityTags;

/// A read that an entry requests.
#[derive(Debug)]
pub struct EntryRead {
    /// The index of the Bundle entry, from 0.
    pub entry: usize,
    /// The interaction.
    pub interaction: ReadInteraction,
    /// The condition under which the response is 304.
    pub precondition: ReadPrecondition,
}

/// An interaction that reads.
pub enum ReadInteraction {
    /// `GET Type/id`: the current version.
    Read(Reference),
    /// `GET Type/id/_history/version`: one version.
    Version(Reference, u64),
    /// `GET Type/id/_history`: all versions.
    History {
        /// The resource.
        target: Reference,
        /// The parameters, form-encoded, as sent: `_count`, `_since`.
        query: Zeroizing<String>,
    },
    /// `GET Type?parameters`: a search. The parameters may contain PHI: they are part of a request body.
    Search {
        /// The type.
        resource_type: ResourceType,
        /// The parameters, form-encoded, as sent.
        query: Zeroizing<String>,
    },
}

impl ReadInteraction {
    /// The type that is read.
    #[must_use]
    pub fn resource_type(&self) -> ResourceType {
        match self {
            Self::Read(target) | Self::Version(target, _) | Self::History { target, .. } => {
                target.resource_type
            }
            Self::Search { resource_type, .. } => *resource_type,
        }
    }
}

impl fmt::Debug for ReadInteraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(target) => write!(f, "Read({target})"),
            Self::Version(target, version) => write!(f, "Version({target}, {version})"),
            Self::History { target, .. } => write!(f, "History({target}, [redacted])"),
            Self::Search { resource_type, .. } => write!(f, "Search({resource_type}, [redacted])"),
        }
    }
}

/// The condition of a read: `ifNoneMatch`, or without it `ifModifiedSince`.
#[derive(Debug, Default)]
pub struct ReadPrecondition {
    /// The versions that the client has.
    pub if_none_match: Option<EntityTags>,
    /// The time of the version that the client has.
    pub if_modified_since: Option<OffsetDateTime>,
}

impl ReadPrecondition {
    /// Whether the client has the version already, so that the response is 304 (RFC 9110 13.2.2).
    #[must_use]
    pub fn is_not_modified(&self, current: VersionMeta) -> bool {
        match (&self.if_none_match, self.if_modified_since) {
            // With entity tags, the time is ignored.
            (Some(tags), _) => tags.contain(current.version),
            // HTTP dates have whole seconds; an instant may have more digits than the stored time.
            (None, Some(since)) => current.last_updated.unix_timestamp() <= since.unix_timestamp(),
            (None, None) => false,
        }
    }
}
