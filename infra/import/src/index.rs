//! What a file brings: how many resources of which types, and which `urn:uuid:` names them.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;
use uuid::Uuid;

use super::journal::Contents;
use super::kind::Kind;
use super::kind::Wave;
use super::source::Item;
use super::source::each_item;

/// The first things to know of a resource.
#[derive(Deserialize)]
pub(super) struct Head {
    #[serde(rename = "resourceType")]
    pub(super) resource_type: Option<String>,
    pub(super) id: Option<String>,
}

impl Head {
    /// Reads an entry's head; what is no object at all has neither type nor id.
    pub(super) fn of(item: &Item<'_>) -> Self {
        let read = item
            .resource
            .and_then(|resource| serde_json::from_str(resource.get()).ok());
        read.unwrap_or(Self {
            resource_type: None,
            id: None,
        })
    }

    /// The type, if it is one that is kept.
    pub(super) fn kind(&self) -> Option<Kind> {
        Kind::of(self.resource_type.as_deref()?)
    }
}

/// Where a `urn:uuid:` of the file leads: type and id of a kept resource.
#[derive(Debug, Default)]
pub(super) struct References {
    targets: HashMap<Uuid, Target>,
}

#[derive(Debug)]
struct Target {
    kind: Kind,
    /// Only where it is not the UUID of the name itself.
    id: Option<Box<str>>,
}

impl References {
    /// `Type/id` of what a reference names, if the file brings it and it is kept.
    pub(super) fn resolve(&self, reference: &str) -> Option<String> {
        let uuid = urn(reference)?;
        let target = self.targets.get(&uuid)?;
        let id = target
            .id
            .as_ref()
            .map_or_else(|| uuid.to_string(), ToString::to_string);
        Some(format!("{}/{id}", target.kind.name))
    }
}

/// The UUID of a `urn:uuid:` name.
pub(super) fn urn(name: &str) -> Option<Uuid> {
    Uuid::try_parse(name.strip_prefix("urn:uuid:")?).ok()
}

/// The contents of a file, counted.
#[derive(Debug, Default)]
pub(super) struct Index {
    counts: BTreeMap<String, u64>,
    references: Arc<References>,
}

impl Index {
    /// Looks through a file.
    pub(super) fn of(path: &Path) -> anyhow::Result<Self> {
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        let mut references = References::default();
        each_item(path, &mut |item| {
            let head = Head::of(&item);
            let name = head.resource_type.as_deref().unwrap_or("(no type)");
            if let Some(count) = counts.get_mut(name) {
                *count += 1;
            } else {
                counts.insert(name.to_owned(), 1);
            }
            if let (Some(kind), Some(uuid)) = (head.kind(), item.full_url.as_deref().and_then(urn))
            {
                let other = head.id.filter(|id| *id != uuid.to_string());
                references.targets.insert(
                    uuid,
                    Target {
                        kind,
                        id: other.map(Into::into),
                    },
                );
            }
            Ok(())
        })?;
        Ok(Self {
            counts,
            references: Arc::new(references),
        })
    }

    /// How many there are of each type, those that are kept apart from those that are not.
    pub(super) fn contents(&self) -> Contents {
        let (kept, skipped) = self
            .counts
            .clone()
            .into_iter()
            .partition(|(name, _)| Kind::of(name).is_some());
        Contents { kept, skipped }
    }

    /// Whether anything is to be sent in a wave.
    pub(super) fn has(&self, wave: Wave) -> bool {
        self.counts
            .keys()
            .any(|name| Kind::of(name).is_some_and(|kind| kind.wave == wave))
    }

    /// Where the names lead.
    pub(super) fn references(&self) -> Arc<References> {
        Arc::clone(&self.references)
    }
}

#[cfg(test)]
impl References {
    pub(super) fn with(uuid: Uuid, kind: Kind, id: Option<&str>) -> Self {
        Self {
            targets: HashMap::from([(
                uuid,
                Target {
                    kind,
                    id: id.map(Into::into),
                },
            )]),
        }
    }
}
