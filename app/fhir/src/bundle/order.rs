//! The order of writes, and the rules for a transaction as a whole.

use std::collections::HashSet;

use super::BatchItem;
use super::ResourceWrite;
use super::TransactionRequest;
use super::refusal::Refusal;
use super::write::WriteContent;
use crate::Compartment;
use crate::Issue;
use crate::IssueCode;
use crate::OperationOutcome;
use crate::ResourceType;

/// The entries of a transaction if all are valid; otherwise the issues of all of them.
pub(super) fn all_valid<T>(
    entries: Vec<Result<T, Refusal>>,
) -> Result<Vec<Result<T, Refusal>>, OperationOutcome> {
    if entries.iter().all(Result::is_ok) {
        return Ok(entries);
    }
    let refusals = entries.into_iter().filter_map(Result::err);
    match refusals.reduce(Refusal::merge) {
        Some(refusal) => Err(refusal.into()),
        None => Ok(Vec::new()),
    }
}

/// The requests of a transaction; otherwise the issues of all its entries.
pub(super) fn transaction(
    items: Vec<Result<BatchItem, Refusal>>,
) -> Result<TransactionRequest, OperationOutcome> {
    let mut request = TransactionRequest::default();
    let mut refusals = Vec::new();
    let mut targets = HashSet::new();
    for item in items {
        match item {
            Ok(BatchItem::Write(write)) => {
                // R4 forbids it: the result would depend on the order in which the server executes the writes.
                if !targets.insert(write.target()) {
                    let why = "an earlier entry of this transaction writes the same resource";
                    let path = format!("{}.request.url", write.path());
                    let issue = Issue::new(IssueCode::Duplicate, why).at(&path);
                    refusals.push(Refusal::request(issue));
                }
                request.writes.push(write);
            }
            Ok(BatchItem::NoOp(no_op)) => request.no_ops.push(no_op),
            Ok(BatchItem::Read(read)) => request.reads.push(read),
            Err(refusal) => refusals.push(refusal),
        }
    }
    if let Some(refusal) = refusals.into_iter().reduce(Refusal::merge) {
        return Err(refusal.into());
    }
    request.writes = sorted(request.writes);
    Ok(request)
}

/// Orders writes of distinct resources: deletes first, as R4 requires, resources of charts before their patients. Then the
/// directory, patients, and resources of charts; within each, POST before PUT and PATCH. (R4 puts every POST before every
/// PUT; between distinct resources the only difference is whether the owner of a resource exists.)
pub(super) fn sorted(mut writes: Vec<ResourceWrite>) -> Vec<ResourceWrite> {
    writes.sort_by_key(|write| {
        let rank = match (&write.content, write.resource_type) {
            (_, ResourceType::Patient) => 1_u8,
            (WriteContent::Whole { owner: None, .. }, _) => 0,
            (WriteContent::Whole { owner: Some(_), .. }, _) => 2,
            (WriteContent::Patch(_) | WriteContent::Delete, other) => match other.compartment() {
                Some(Compartment::Directory) => 0,
                Some(Compartment::Patient) | None => 2,
            },
        };
        match write.content {
            WriteContent::Delete => (0_u8, 2_u8.saturating_sub(rank), 0_u8),
            WriteContent::Whole { mode, .. } if mode.is_create() => (1, rank, 0),
            WriteContent::Whole { .. } | WriteContent::Patch(_) => (1, rank, 1),
        }
    });
    writes
}
