//! What the names and ids of a file become: the id of each resource, and the reference that stands for each reference.

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::sync::Arc;

use uuid::Uuid;

use super::head::Head;
use super::mapping::IdMapping;
use super::mapping::is_accepted;
use super::phase::ImportPhase;
use super::phase::Kind;
use super::source::Item;
use super::url::ResourceUrl;
use super::url::split_fragment;

/// Upper bound of the sources that one file is taken to have.
const SOURCES: usize = 64;

/// The id of a resource.
#[derive(Debug, Default)]
pub(super) struct Identity {
    /// The id to be sent; `None` if the file has none.
    pub(super) id: Option<String>,
    /// The source and the id there, if the id to be sent is another.
    pub(super) original: Option<(String, String)>,
    /// The base of the resource's source, if the file or the command line names it.
    pub(super) base: Option<String>,
}

/// The targets of the names in a file (`fullUrl`), and the mapping of ids.
#[derive(Debug, Default)]
pub(super) struct Names {
    uuids: HashMap<Uuid, Target>,
    /// Names that are neither `urn:uuid:` nor a URL with the resource's own id.
    others: HashMap<Box<str>, Target>,
    /// The bases of the URLs that resources are named by.
    bases: BTreeSet<Box<str>>,
    mapping: Option<Arc<IdMapping>>,
}

/// A resource of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Target {
    kind: Kind,
    id: TargetId,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum TargetId {
    /// The UUID of the name.
    OfName,
    Other(Box<str>),
    /// The condition under which the server creates it (`ifNoneExist`).
    Condition(Box<str>),
    /// Several resources have the name.
    Ambiguous,
}

impl Names {
    pub(super) fn new(mapping: Option<Arc<IdMapping>>) -> Self {
        Self {
            mapping,
            ..Self::default()
        }
    }

    /// Whether ids are mapped.
    pub(super) fn is_mapping(&self) -> bool {
        self.mapping.is_some()
    }

    /// The type and the phase of an entry, if the stack stores its type.
    pub(super) fn kind(&self, item: &Item<'_>, head: &Head) -> Option<Kind> {
        let kind = head.kind()?;
        let conditional = self.condition(item).is_some();
        Some(if conditional {
            kind.conditional()
        } else {
            kind
        })
    }

    /// The condition under which an entry is created. With a mapping every resource has an id of its own instead.
    pub(super) fn condition<'i>(&self, item: &'i Item<'_>) -> Option<&'i str> {
        let condition = item.if_none_exist.as_deref();
        condition.filter(|condition| !condition.is_empty() && !self.is_mapping())
    }

    /// The id of an entry's resource.
    pub(super) fn identity(&self, item: &Item<'_>, head: &Head, kind: Kind) -> Identity {
        let full_url = item.full_url.as_deref();
        let url = full_url
            .and_then(ResourceUrl::parse)
            .filter(|url| url.resource_type == kind.name);
        let named = full_url.and_then(urn).map(|uuid| uuid.to_string());
        let own = head
            .id
            .clone()
            .or_else(|| url.map(|url| url.id.to_owned()))
            .or(named);
        let base = url.and_then(|url| url.base).or_else(|| self.source());
        let (id, original) = match (&self.mapping, own, base) {
            (Some(mapping), Some(own), Some(base)) if !is_accepted(kind.name, &own) => (
                Some(mapping.id(base, kind.name, &own)),
                Some((base.to_owned(), own)),
            ),
            (_, own, _) => (own, None),
        };
        Identity {
            id,
            original,
            base: base.map(str::to_owned),
        }
    }

    /// Notes what an entry's name stands for.
    pub(super) fn add(&mut self, item: &Item<'_>, head: &Head, kind: Kind) {
        let Some(name) = item.full_url.as_deref() else {
            return;
        };
        let url = ResourceUrl::parse(name).filter(|url| url.resource_type == kind.name);
        if let Some(base) = url.and_then(|url| url.base)
            && self.bases.len() < SOURCES
            && !self.bases.contains(base)
        {
            self.bases.insert(base.into());
        }
        let condition = self.condition(item).map(Into::into);
        let uuid = urn(name);
        let id = match (condition, self.identity(item, head, kind).id) {
            (Some(condition), _) => TargetId::Condition(condition),
            (None, Some(id)) if uuid.is_some_and(|uuid| uuid.to_string() == id) => TargetId::OfName,
            (None, Some(id)) => {
                // What the URL itself says is not stored.
                let is_said =
                    |url: ResourceUrl<'_>| head.id.as_deref().is_none_or(|id| id == url.id);
                if url.is_some_and(is_said) {
                    return;
                }
                TargetId::Other(id.into())
            }
            (None, None) => return,
        };
        let target = Target { kind, id };
        let earlier = match uuid {
            Some(uuid) => self.uuids.entry(uuid).or_insert(target.clone()),
            None => self.others.entry(name.into()).or_insert(target.clone()),
        };
        if *earlier != target {
            // One of them would be another patient's: no reference may choose.
            earlier.id = TargetId::Ambiguous;
        }
    }

    /// The reference to be sent in place of another, in a resource of a source's base that is sent in a phase; `None` if it
    /// stays as it is.
    pub(super) fn resolve(
        &self,
        reference: &str,
        base: Option<&str>,
        phase: ImportPhase,
    ) -> Option<String> {
        // `#id` names a contained resource.
        let (url, fragment) = split_fragment(reference);
        if url.is_empty() {
            return None;
        }
        let parts = ResourceUrl::parse(url);
        if let Some(target) = self.target(url, parts, base) {
            return target.reference(url, fragment, phase);
        }
        let ResourceUrl {
            base: own,
            resource_type: name,
            id,
        } = parts?;
        let is_ours = |own| self.bases.contains(own) || Some(own) == self.source();
        if own.is_some_and(|own| !is_ours(own)) {
            return None;
        }
        let unmapped = || own.map(|_| format!("{name}/{id}{fragment}"));
        match (&self.mapping, own.or(base)) {
            // The server assigns versions of its own: the version in the source is left out.
            (Some(mapping), Some(base)) if !is_accepted(name, id) => {
                Some(format!("{name}/{}{fragment}", mapping.id(base, name, id)))
            }
            (Some(_) | None, _) => unmapped(),
        }
    }

    /// The resource of the file that has this name.
    fn target(
        &self,
        url: &str,
        parts: Option<ResourceUrl<'_>>,
        base: Option<&str>,
    ) -> Option<&Target> {
        if let Some(uuid) = urn(url) {
            return self.uuids.get(&uuid);
        }
        if self.others.is_empty() {
            return None;
        }
        let Some(parts) = parts else {
            return self.others.get(url);
        };
        let base = parts.base.or(base)?;
        let name = format!("{base}/{}/{}", parts.resource_type, parts.id);
        self.others.get(name.as_str())
    }

    /// Whether a text may have an absolute reference to a source of the file.
    pub(super) fn has_absolute(&self, text: &str) -> bool {
        self.bases.iter().any(|base| text.contains(&**base))
    }

    fn source(&self) -> Option<&str> {
        self.mapping.as_ref().and_then(|mapping| mapping.source())
    }
}

impl Target {
    /// The reference to this resource by a name.
    fn reference(&self, name: &str, fragment: &str, phase: ImportPhase) -> Option<String> {
        let id = match &self.id {
            TargetId::OfName => urn(name)?.to_string(),
            TargetId::Other(id) => id.to_string(),
            // In its own phase it may be created by the same transaction, where only its name stands for it.
            TargetId::Condition(_) if self.kind.phase == phase => return None,
            TargetId::Condition(condition) => {
                return Some(format!("{}?{condition}", self.kind.name));
            }
            TargetId::Ambiguous => return None,
        };
        Some(format!("{}/{id}{fragment}", self.kind.name))
    }
}

/// The UUID of a `urn:uuid:` name.
pub(super) fn urn(name: &str) -> Option<Uuid> {
    Uuid::try_parse(name.strip_prefix("urn:uuid:")?).ok()
}

#[cfg(test)]
mod tests;
