//! The writes of a Bundle.

use uuid::Uuid;

use super::entry_path;
use crate::JsonPatch;
use crate::Reference;
use crate::Resource;
use crate::ResourceType;

/// A write of one resource.
#[derive(Debug)]
pub struct ResourceWrite {
    /// The index of the Bundle entry, from 0.
    pub entry: usize,
    /// The resource type.
    pub resource_type: ResourceType,
    /// The id; a new one for a resource that the server names.
    pub id: Uuid,
    /// The content to be written.
    pub content: WriteContent,
    /// The state of the stored resource without which the write is refused (412).
    pub precondition: WritePrecondition,
}

/// The content of a write.
#[derive(Debug)]
pub enum WriteContent {
    /// The whole resource: POST and PUT.
    Whole {
        /// The resource, with its id and with its references rewritten.
        resource: Resource,
        /// The patient that owns the resource; `None` if the organization does.
        owner: Option<Uuid>,
        /// Whether the id must not exist yet (409 otherwise): POST, and a conditional update without a match.
        create: bool,
    },
    /// Changes of the stored resource: PATCH. The owner is that of the stored resource, and the result must have the
    /// same one.
    Patch(JsonPatch),
    /// DELETE. The owner is that of the stored resource.
    Delete,
}

/// A precondition of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WritePrecondition {
    /// None.
    None,
    /// `ifMatch`: the current version is this one.
    Version(u64),
    /// `ifNoneMatch: *`: the resource does not exist.
    Absent,
}

/// A conditional write that has nothing to write. The caller needs the permission for the write all the same, because the
/// response shows whether the condition matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryNoOp {
    /// The index of the Bundle entry, from 0.
    pub entry: usize,
    /// The resource type.
    pub resource_type: ResourceType,
    /// The resource that a create's `ifNoneExist` matches: the response is 200 with its location. `None` for a conditional
    /// delete without a match: the response is 204.
    pub existing: Option<Uuid>,
}

impl WritePrecondition {
    /// Whether the precondition holds. `current` is the version of the stored resource; `None` if there is none, or if it
    /// is deleted.
    #[must_use]
    pub fn holds(self, current: Option<u64>) -> bool {
        match self {
            Self::None => true,
            Self::Version(version) => current == Some(version),
            Self::Absent => current.is_none(),
        }
    }
}

impl ResourceWrite {
    /// The path of the entry: `Bundle.entry[3]`.
    #[must_use]
    pub fn path(&self) -> String {
        entry_path(self.entry)
    }

    /// The resource that is written.
    #[must_use]
    pub fn target(&self) -> Reference {
        Reference {
            resource_type: self.resource_type,
            id: self.id,
        }
    }
}
