//! The requests of entries, once all conditions are resolved.

use std::collections::HashSet;

use uuid::Uuid;

use super::BatchItem;
use super::condition::ConditionMatch;
use super::condition::Conditions;
use super::entry::EntryRequest;
use super::entry::ParsedContent;
use super::entry::ParsedEntry;
use super::entry::ParsedTarget;
use super::entry::ParsedWrite;
use super::entry_path;
use super::full_url::FullUrlIndex;
use super::refusal::Refusal;
use super::refusal::UNSEARCHED;
use super::register::condition_path;
use super::rewrite::Rewriter;
use super::write::EntryNoOp;
use super::write::ResourceWrite;
use super::write::WriteContent;
use super::write::WriteMode;
use crate::ElementPath;
use crate::Issue;
use crate::IssueCode;
use crate::Reference;
use crate::Resource;
use crate::Status;
use crate::subset::refuse_subset;

/// The effect of an entry after its condition is resolved.
#[derive(Clone, Copy)]
enum Effect {
    /// The entry reads.
    Read,
    /// The resource with this id is written.
    Write { id: Uuid, mode: WriteMode },
    /// Nothing is written. The resource with this id exists already, or none is to be deleted.
    NoOp(Option<Uuid>),
}

/// An entry whose condition is resolved.
pub(super) struct SettledEntry {
    entry: ParsedEntry,
    effect: Effect,
}

/// Resolves the conditions of all entries.
pub(super) fn settle(
    entries: Vec<Result<ParsedEntry, Refusal>>,
    matches: &[ConditionMatch],
    new_id: &mut dyn FnMut(usize) -> Uuid,
) -> Vec<Result<SettledEntry, Refusal>> {
    let mut settler = Settler {
        matches,
        new_id,
        created: HashSet::new(),
    };
    let settle = |entry: Result<ParsedEntry, Refusal>| {
        let entry = entry?;
        let effect = settler.effect(&entry)?;
        Ok(SettledEntry { entry, effect })
    };
    entries.into_iter().map(settle).collect()
}

/// The items of all entries.
pub(super) fn items(
    settled: Vec<Result<SettledEntry, Refusal>>,
    urls: &FullUrlIndex,
    conditions: &Conditions,
    matches: &[ConditionMatch],
) -> Vec<Result<BatchItem, Refusal>> {
    // References are rewritten when all targets are known: an entry may refer to a later one.
    let target = |settled: &Result<SettledEntry, Refusal>| {
        let settled = settled.as_ref().ok()?;
        target(&settled.entry, settled.effect)
    };
    let targets: Vec<_> = settled.iter().map(target).collect();
    let rewriter = Rewriter {
        urls,
        conditions,
        matches,
        targets: &targets,
    };
    let settled = settled.into_iter();
    settled.map(|settled| item(settled?, &rewriter)).collect()
}

/// The resource to which the `fullUrl` of an entry refers.
fn target(entry: &ParsedEntry, effect: Effect) -> Option<Reference> {
    let resource_type = entry.stored_type()?;
    match effect {
        Effect::Write { id, .. } | Effect::NoOp(Some(id)) => Some(Reference { resource_type, id }),
        Effect::NoOp(None) | Effect::Read => None,
    }
}

/// The resolver of conditions.
struct Settler<'m> {
    matches: &'m [ConditionMatch],
    new_id: &'m mut dyn FnMut(usize) -> Uuid,
    /// The conditions without a match by which an entry creates a resource.
    created: HashSet<usize>,
}

impl Settler<'_> {
    fn effect(&mut self, entry: &ParsedEntry) -> Result<Effect, Refusal> {
        let EntryRequest::Write(write) = &entry.request else {
            return Ok(Effect::Read);
        };
        let matched = match write.target {
            ParsedTarget::New => {
                return Ok(self.create(entry));
            }
            ParsedTarget::Id(id) => return Ok(update(id)),
            ParsedTarget::MatchOf(condition) => self.matched(condition, entry, write)?,
            // A condition that was not registered must not be ignored.
            ParsedTarget::Condition(_) => return Err(ambiguous(entry)),
            ParsedTarget::Unmatched => None,
        };
        match (&write.content, matched) {
            (ParsedContent::Post(_), Some(id)) => Ok(Effect::NoOp(Some(id))),
            (ParsedContent::Post(_), None) => Ok(self.create(entry)),
            (ParsedContent::Put(resource), Some(id)) => {
                let is_same = resource.id_text().is_none() || resource.id() == Some(id);
                let why = "the resource's id must be absent, or that of the resource that the condition matches";
                let path = format!("{}.resource.id", entry_path(entry.index));
                let issue = || Issue::new(IssueCode::Invariant, why).at(&path);
                is_same
                    .then_some(update(id))
                    .ok_or_else(|| Refusal::request(issue()))
            }
            (ParsedContent::Put(resource), None) => Ok(match resource.id() {
                Some(id) => Effect::Write {
                    id,
                    mode: WriteMode::CreateWithClientId,
                },
                None => self.create(entry),
            }),
            (ParsedContent::Delete, None) => Ok(Effect::NoOp(None)),
            (ParsedContent::Delete | ParsedContent::Patch(_), Some(id)) => Ok(update(id)),
            // A PATCH has no condition.
            (ParsedContent::Patch(_), None) => Err(ambiguous(entry)),
        }
    }

    /// The creation of a resource under a new id.
    fn create(&mut self, entry: &ParsedEntry) -> Effect {
        Effect::Write {
            id: (self.new_id)(entry.index),
            mode: WriteMode::CreateWithNewId,
        }
    }

    /// The resource that an entry's condition matches.
    fn matched(
        &mut self,
        condition: usize,
        entry: &ParsedEntry,
        write: &ParsedWrite,
    ) -> Result<Option<Uuid>, Refusal> {
        match self.matches.get(condition) {
            Some(ConditionMatch::One(id)) => Ok(Some(*id)),
            Some(ConditionMatch::None) => {
                let creates = match write.content {
                    ParsedContent::Post(_) | ParsedContent::Put(_) => true,
                    ParsedContent::Patch(_) | ParsedContent::Delete => false,
                };
                if creates && !self.created.insert(condition) {
                    // Both would create a resource, and the next search would match both.
                    let why = "an earlier entry with the same condition creates the resource: refer to it by its fullUrl";
                    let issue = Issue::new(IssueCode::Duplicate, why);
                    return Err(Refusal::request(issue.at(&condition_path(entry))));
                }
                Ok(None)
            }
            Some(ConditionMatch::TooCostly) => Err(too_costly(entry)),
            Some(ConditionMatch::Many) | None => Err(ambiguous(entry)),
        }
    }
}

/// A write under an id that the client named, or its condition.
const fn update(id: Uuid) -> Effect {
    let mode = WriteMode::Update;
    Effect::Write { id, mode }
}

/// 412: the condition of an entry matches several resources.
fn ambiguous(entry: &ParsedEntry) -> Refusal {
    let why = "several resources match the condition";
    let issue = Issue::new(IssueCode::MultipleMatches, why).at(&condition_path(entry));
    Refusal::new(Status::PreconditionFailed, issue)
}

/// 429: the condition of an entry was not searched.
fn too_costly(entry: &ParsedEntry) -> Refusal {
    let issue = Issue::new(IssueCode::TooCostly, UNSEARCHED).at(&condition_path(entry));
    Refusal::new(Status::TooManyRequests, issue)
}

/// The item of an entry, with its references resolved and its owner determined.
fn item(settled: SettledEntry, rewriter: &Rewriter<'_>) -> Result<BatchItem, Refusal> {
    let SettledEntry { entry, effect } = settled;
    let write = match entry.request {
        EntryRequest::Read(read) => return Ok(BatchItem::Read(read)),
        EntryRequest::Write(write) => write,
    };
    let resource_type = write.resource_type;
    let condition = match write.target {
        ParsedTarget::MatchOf(condition) => Some(condition),
        ParsedTarget::New
        | ParsedTarget::Id(_)
        | ParsedTarget::Condition(_)
        | ParsedTarget::Unmatched => None,
    };
    let (id, mode) = match effect {
        Effect::Write { id, mode } => (id, mode),
        Effect::NoOp(existing) => {
            return Ok(BatchItem::NoOp(EntryNoOp {
                entry: entry.index,
                resource_type,
                existing,
                condition,
            }));
        }
        Effect::Read => {
            let issue = Issue::new(IssueCode::Exception, "a write cannot be executed as a read");
            return Err(Refusal::request(issue.at(&entry_path(entry.index))));
        }
    };
    let whole = |mut resource: Resource| {
        resource.set_id(id);
        let path = format!("{}.resource", entry_path(entry.index));
        refuse_subset(&resource, &path).map_err(Refusal::resource)?;
        rewriter
            .rewrite(
                resource.value_mut(),
                entry.full_url.as_deref(),
                &ElementPath::Root(&path),
            )
            .map_err(Refusal::references)?;
        let owner = resource.owner(&path).map_err(Refusal::resource)?;
        Ok(WriteContent::Whole {
            resource,
            owner,
            mode,
        })
    };
    let content = match write.content {
        ParsedContent::Post(resource) | ParsedContent::Put(resource) => whole(resource)?,
        ParsedContent::Patch(patch) => WriteContent::Patch(patch),
        ParsedContent::Delete => WriteContent::Delete,
    };
    Ok(BatchItem::Write(ResourceWrite {
        entry: entry.index,
        resource_type,
        id,
        content,
        precondition: write.precondition,
        condition,
    }))
}
