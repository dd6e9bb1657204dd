//! Execution of a transaction: all writes or none, then the reads.

use std::collections::BTreeMap;
use std::collections::HashSet;

use access::Caller;
use access::Disclosed;
use access::NotPhi;
use access::Write;
use fhir::OperationOutcome;
use fhir::Reference;
use fhir::bundle::EntryJson;
use fhir::bundle::EntryNoOp;
use fhir::bundle::EntryResponse;
use fhir::bundle::ResourceWrite;
use fhir::bundle::TransactionRequest;
use fhir::bundle::WrittenContent;
use fhir::bundle::entry_path;

use super::FhirError;
use super::conditions::ResolvedConditions;
use super::entry_read;
use super::entry_write::EntryRef;
use super::entry_write::entry_response;
use super::entry_write::into_change;
use super::entry_write::refusal_outcome;
use super::preference::ReturnPreference;
use crate::http::problem::outcome;
use crate::http::state::AppState;
use crate::limits::ENTRY_RESPONSE_BYTES;
use crate::limits::MAX_RESPONSE_BYTES;
use crate::services::budget::CallerId;
use crate::services::budget::Reservation;
use crate::services::error::ServiceError;
use crate::services::records::ApplyError;
use crate::services::records::Refusal;
use crate::services::records::subject;
use crate::services::request_budget::RequestBudget;

/// The responses to the entries of a Bundle, with the reservation of their memory.
pub(super) struct BundleResponses {
    /// In the order of the Bundle.
    pub(super) entries: Disclosed<Vec<EntryJson>>,
    /// The memory of the responses and their copy in the Bundle.
    pub(super) reserved: Reservation,
}

/// The result of a transaction.
pub(super) enum TransactionResult {
    /// It was executed.
    Executed(BundleResponses),
    /// A condition finds something else now, and nothing was written.
    ConditionChanged,
}

/// Executes a transaction.
///
/// # Errors
///
/// The outcome of an entry that was refused, or another error. Of a transaction without reads, nothing was written then; the
/// reads are executed after the writes are committed, and a read that fails has its outcome as response.
pub(super) async fn transaction(
    app: &AppState,
    caller: &Caller,
    budget: &RequestBudget,
    request: TransactionRequest,
    conditions: &ResolvedConditions,
    preference: ReturnPreference,
) -> Result<TransactionResult, FhirError> {
    let entries = request.writes.len() + request.no_ops.len() + request.reads.len();
    // The responses to entries, and their copy in the Bundle.
    let memory = 2 * ENTRY_RESPONSE_BYTES.saturating_mul(entries);
    let mut reserved = app.memory.reserve(CallerId::of(caller), memory)?;
    let mut responses = BTreeMap::new();
    for no_op in request.no_ops {
        let response = existing(app, caller, conditions, no_op).await?;
        responses.insert(no_op.entry, response);
    }
    match write(app, caller, request.writes, conditions, preference).await? {
        Some(written) => responses.extend(written),
        None => return Ok(TransactionResult::ConditionChanged),
    }
    let mut remaining = MAX_RESPONSE_BYTES;
    for read in request.reads {
        let response = match entry_read::read(app, caller, budget, &read, remaining).await {
            Ok((response, memory)) => {
                // The reservation is twice the length of the entry.
                remaining = remaining.saturating_sub(memory.amount() / 2);
                reserved.absorb(memory);
                response
            }
            Err(error) => refused_entry(error, caller, read.entry),
        };
        responses.insert(read.entry, response);
    }
    Ok(TransactionResult::Executed(BundleResponses {
        entries: Disclosed::all(responses.into_values()),
        reserved,
    }))
}

/// Makes the writes of a transaction in one database transaction. Returns the responses by the index of their entry; none if a
/// condition finds something else now.
async fn write(
    app: &AppState,
    caller: &Caller,
    writes: Vec<ResourceWrite>,
    conditions: &ResolvedConditions,
    preference: ReturnPreference,
) -> Result<Option<Vec<(usize, Disclosed<EntryJson>)>>, FhirError> {
    let mut entries = Vec::with_capacity(writes.len());
    let mut changes = Vec::with_capacity(writes.len());
    let stored_patients = writes.iter().filter(|it| it.stores_patient());
    let stored_patients: HashSet<_> = stored_patients.map(|it| it.id).collect();
    for write in writes {
        let entry = EntryRef::of_entry(&write);
        let condition = conditions.evidence(entry.condition);
        let change = into_change(app, caller, entry, write, condition, &stored_patients);
        changes.push(change.await?);
        entries.push(entry);
    }
    let applied = match app.records.apply(&changes).await {
        Ok(applied) => applied,
        Err(ApplyError::ConditionChanged) => return Ok(None),
        Err(ApplyError::Refused(refusals)) => return Err(first_refusal(&refusals, &entries)),
        Err(ApplyError::Service(error)) => return Err(error.into()),
    };
    let written = entries.into_iter().zip(changes);
    let made = applied.map(|applied| {
        let pairs = written.zip(applied).map(|((entry, change), applied)| {
            let response = entry_response(entry, applied, preference, change.into_sent_resource());
            (entry.index.unwrap_or_default(), EntryJson::from(response))
        });
        pairs.collect::<Vec<_>>()
    });
    Ok(Some(made.each().collect()))
}

/// The response to a conditional write that has nothing to write: the existing resource in the version that the condition
/// found, which the event of the search names, or in the version that an earlier entry has written; 204 without one.
pub(super) async fn existing(
    app: &AppState,
    caller: &Caller,
    conditions: &ResolvedConditions,
    no_op: EntryNoOp,
) -> Result<Disclosed<EntryJson>, FhirError> {
    let resource_type = no_op.resource_type;
    // The response tells whether a resource exists, as the refusal of a write does.
    let subject = subject(caller.organization(), resource_type);
    let permitted = app.gate.permit(caller, Write, subject).await?;
    let existing = no_op.existing.map(|id| Reference { resource_type, id });
    let meta = match existing {
        Some(it) if conditions.own_writes().contains(it) => {
            let current = app.records.written_meta(&permitted, resource_type, it.id);
            current.await?
        }
        Some(it) => conditions.found_version(no_op.condition, it.id),
        None => None,
    };
    let response = match existing.zip(meta) {
        Some((target, meta)) => EntryResponse::Written {
            target,
            meta,
            created: false,
            content: WrittenContent::Minimal,
        },
        None => EntryResponse::Deleted { meta: None },
    };
    let response = EntryJson::from(response);
    Ok(NotPhi::assert(
        response,
        "id and version of a resource that the caller may write",
    )
    .into())
}

/// The response to an entry that was refused or failed after the writes.
fn refused_entry(error: FhirError, caller: &Caller, entry: usize) -> Disclosed<EntryJson> {
    let outcome: OperationOutcome = match error {
        FhirError::Refused(outcome) => outcome,
        FhirError::Service(error) => outcome(error.into(), caller.origin().request),
        FhirError::Failed(problem) => outcome(problem, caller.origin().request),
    };
    let response = EntryJson::from(EntryResponse::Refused(outcome.at(&entry_path(entry))));
    NotPhi::assert(response, "an outcome has no values of records").into()
}

/// The error of a transaction: the outcome of the first refused change.
fn first_refusal(refusals: &[Refusal], entries: &[EntryRef]) -> FhirError {
    let first = refusals.first().and_then(|refusal| {
        let entry = entries.get(refusal.change)?;
        Some(refusal_outcome(refusal.reason, *entry))
    });
    first.map_or_else(|| ServiceError::Internal.into(), FhirError::Refused)
}
