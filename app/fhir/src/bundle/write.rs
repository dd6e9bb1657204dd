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
    /// The index of the condition that decided on this write, in [`ParsedBundle::conditions`](super::ParsedBundle::conditions).
    pub condition: Option<usize>,
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
        /// The origin of the id, and the state of the stored resource that the write requires.
        mode: WriteMode,
    },
    /// Changes of the stored resource: PATCH. The owner is that of the stored resource, and the result must have the
    /// same one.
    Patch(JsonPatch),
    /// DELETE. The owner is that of the stored resource.
    Delete,
}

/// The origin of the id under which a whole resource is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteMode {
    /// The server assigned it at random: POST, and a conditional update without a match. No resource has it.
    CreateWithNewId,
    /// The client chose it for a new resource: a conditional update without a match. No resource must have it (409
    /// otherwise).
    CreateWithClientId,
    /// The client named it: PUT. The resource is created, or replaces the stored one.
    Update,
}

impl WriteMode {
    /// Whether the resource must be new.
    #[must_use]
    pub const fn is_create(self) -> bool {
        match self {
            Self::CreateWithNewId | Self::CreateWithClientId => true,
            Self::Update => false,
        }
    }
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
    /// The index of the condition, as in [`ResourceWrite::condition`]; none if its chart is that of a patient that does not
    /// exist yet.
    pub condition: Option<usize>,
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
    /// Whether a Patient is written whole.
    #[must_use]
    pub const fn stores_patient(&self) -> bool {
        matches!(self.resource_type, ResourceType::Patient)
            && matches!(self.content, WriteContent::Whole { .. })
    }

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
