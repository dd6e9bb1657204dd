//! What an entry is, read without the rest of it.

use serde::Deserialize;

use super::phase::Kind;
use super::source::Item;

/// Type and id of an entry.
#[derive(Deserialize)]
pub(super) struct Head {
    #[serde(rename = "resourceType")]
    pub(super) resource_type: Option<String>,
    pub(super) id: Option<String>,
}

impl Head {
    /// Reads an entry's type and id; what is not an object has none of them.
    pub(super) fn of(item: &Item<'_>) -> Self {
        let read = item
            .resource
            .and_then(|resource| serde_json::from_str(resource.get()).ok());
        read.unwrap_or(Self {
            resource_type: None,
            id: None,
        })
    }

    /// The type, if the stack stores it.
    pub(super) fn kind(&self) -> Option<Kind> {
        Kind::of(self.resource_type.as_deref()?)
    }
}
