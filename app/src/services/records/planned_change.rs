//! The planned effect of a change, by the verified head of the stored resource.

use db::ResourceRow;
use time::OffsetDateTime;

use super::Change;
use super::Content;
use super::Effect;
use super::RefusalReason;

/// The planned effect of one change.
#[derive(Clone, Debug)]
pub(super) struct PlannedChange {
    /// The effect.
    pub(super) effect: Effect,
    /// The version that the resource will have.
    pub(super) version: u32,
    /// The verified head that is replaced; none for a new resource.
    pub(super) replaced: Option<ResourceRow>,
    /// The time at which the current version was stored, if it stays.
    pub(super) stored_at: Option<OffsetDateTime>,
}

/// The planned effect of a change, or the reason why it is refused.
pub(super) type EffectResult = Result<PlannedChange, RefusalReason>;

/// The effect of a change to a resource that is not stored.
pub(super) fn plan_absent(change: &Change<'_>) -> EffectResult {
    if !change.precondition.holds(None) {
        return Err(change.precondition_refusal());
    }
    Ok(match change.content {
        Content::Whole { .. } => PlannedChange {
            effect: Effect::Created,
            version: 1,
            replaced: None,
            stored_at: None,
        },
        Content::Deleted => PlannedChange {
            effect: Effect::Absent,
            version: 0,
            replaced: None,
            stored_at: None,
        },
    })
}

/// Whether the precondition of a change holds for the verified head of its resource.
pub(super) fn holds(change: &Change<'_>, head: &ResourceRow) -> bool {
    let current = head.deleted.is_none().then_some(u64::from(head.version));
    change.precondition.holds(current)
}

/// The effect of a deletion of the resource with this head.
pub(super) fn plan_deletion(change: &Change<'_>, head: &ResourceRow) -> EffectResult {
    if !holds(change, head) {
        return Err(change.precondition_refusal());
    }
    match head.deleted {
        Some(_) => Ok(unwritten(Effect::Absent, head)),
        None => next_version(Effect::Deleted, head),
    }
}

/// The effect of a change that writes the next version.
pub(super) fn next_version(effect: Effect, head: &ResourceRow) -> EffectResult {
    let version = head.version.checked_add(1);
    Ok(PlannedChange {
        effect,
        version: version.ok_or(RefusalReason::TooManyVersions)?,
        replaced: Some(head.clone()),
        stored_at: None,
    })
}

/// The effect of a change that writes nothing.
pub(super) fn unwritten(effect: Effect, head: &ResourceRow) -> PlannedChange {
    PlannedChange {
        effect,
        version: head.version,
        replaced: None,
        stored_at: Some(head.updated_at),
    }
}
