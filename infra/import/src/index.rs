//! The contents of a file: the number of resources of each type, the names of resources, and the ids that the stack would
//! refuse.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use anyhow::bail;

use super::head::Head;
use super::journal::Contents;
use super::mapping::IdMapping;
use super::mapping::is_accepted;
use super::names::Names;
use super::phase::ImportPhase;
use super::phase::Kind;
use super::phase::NO_TYPE;
use super::source::EntryPosition;
use super::source::each_item;

/// The contents of a file, counted.
#[derive(Debug, Default)]
pub(super) struct Index {
    counts: BTreeMap<String, u64>,
    phases: BTreeSet<ImportPhase>,
    names: Arc<Names>,
    unusable: UnusableIds,
}

/// The resources whose ids the stack would refuse.
#[derive(Debug, Default)]
struct UnusableIds {
    count: u64,
    first: Option<(&'static str, EntryPosition)>,
}

impl Index {
    /// Reads a file once.
    pub(super) fn of(path: &Path, mapping: Option<Arc<IdMapping>>) -> anyhow::Result<Self> {
        let mut index = Self::default();
        let mut names = Names::new(mapping);
        each_item(path, &mut |item| {
            let head = Head::of(&item);
            index.count(&head);
            if let Some(kind) = names.kind(&item, &head) {
                index.phases.insert(kind.phase);
                names.add(&item, &head, kind);
                let id = names.identity(&item, &head, kind).id;
                let is_unusable = |id: String| !is_accepted(kind.name, &id);
                if names.condition(&item).is_none() && id.is_some_and(is_unusable) {
                    index.unusable.count += 1;
                    index.unusable.first.get_or_insert((kind.name, item.place));
                }
            }
            Ok(())
        })?;
        index.names = Arc::new(names);
        Ok(index)
    }

    fn count(&mut self, head: &Head) {
        let name = head.resource_type.as_deref().unwrap_or(NO_TYPE);
        if let Some(count) = self.counts.get_mut(name) {
            *count += 1;
        } else {
            self.counts.insert(name.to_owned(), 1);
        }
    }

    /// Checks that the stack would accept all ids.
    ///
    /// # Errors
    /// When it would not; says which option helps.
    pub(super) fn check_ids(&self) -> anyhow::Result<()> {
        let Some((name, place)) = self.unusable.first else {
            return Ok(());
        };
        let count = self.unusable.count;
        bail!(
            "{count} resources have ids that the stack does not take (the first: {name} {place}). {}. Nothing was sent",
            unusable_id(self.names.is_mapping())
        )
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
        self.phases.contains(&phase)
    }

    /// What the names of the file stand for.
    pub(super) fn names(&self) -> Arc<Names> {
        Arc::clone(&self.names)
    }
}

/// What to do about an id that the stack does not take.
pub(super) fn unusable_id(is_mapping: bool) -> &'static str {
    if is_mapping {
        "The file does not say which system assigned them: name its URI with --source, such as \
         --source https://hospital.example/fhir"
    } else {
        "Ids are UUIDs in lower case, and a Patient's is a random one (version 4): run the import with --map-ids, which \
         gives them UUIDs and keeps the original ids as identifiers"
    }
}
