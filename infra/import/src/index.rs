//! The contents of a file: the number of resources of each type, and the `urn:uuid:` names of resources.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;
use uuid::Uuid;

use super::journal::Contents;
use super::phase::ImportPhase;
use super::phase::Kind;
use super::source::Item;
use super::source::each_item;

/// Type, id and name of an entry.
#[derive(Deserialize)]
pub(super) struct Head {
    #[serde(rename = "resourceType")]
    pub(super) resource_type: Option<String>,
    pub(super) id: Option<String>,
}

impl Head {
    /// Reads an entry's type, id and name; what is not an object has none of them.
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

/// The target of a `urn:uuid:` of the file: type and id of a stored resource.
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
    /// `Type/id` of the resource that a reference names, if the file has it and the stack stores its type.
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
    /// Reads a file once.
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

    /// The number of resources of each type: those that are stored, and those that are skipped.
    pub(super) fn contents(&self) -> Contents {
        let (kept, skipped) = self
            .counts
            .clone()
            .into_iter()
            .partition(|(name, _)| Kind::of(name).is_some());
        Contents { kept, skipped }
    }

    /// Whether a phase has entries.
    pub(super) fn has(&self, phase: ImportPhase) -> bool {
        self.counts
            .keys()
            .any(|name| Kind::of(name).is_some_and(|kind| kind.phase == phase))
    }

    /// The targets of the names.
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
