//! Execution of a batch: each entry succeeds or fails independently.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashSet;
use std::collections::VecDeque;

use access::Caller;
use access::Disclosed;
use access::NotPhi;

use super::FhirError;
use super::conditions::ResolvedConditions;
use super::entry_read;
use super::entry_write::EntryRef;
use super::entry_write::entry_response;
use super::entry_write::into_change;
use super::entry_write::refusal_outcome;
use super::preference::ReturnPreference;
use super::transaction::BundleResponses;
use super::transaction::existing;
use crate::http::problem::outcome;
use crate::http::state::AppState;
use crate::limits::ENTRY_RESPONSE_BYTES;
use crate::limits::MAX_OUTCOMES_BYTES;
use crate::limits::MAX_RESPONSE_BYTES;
use crate::services::budget::CallerId;
use crate::services::budget::Reservation;
use crate::services::error::ServiceError;
use crate::services::records::Applied;
use crate::services::records::ApplyError;
use crate::services::records::Change;
use crate::services::records::Refusal;
use crate::services::request_budget::RequestBudget;
use fhir::OperationOutcome;
use fhir::bundle::BatchItem;
use fhir::bundle::EntryJson;
use fhir::bundle::EntryNoOp;
use fhir::bundle::EntryRead;
use fhir::bundle::EntryResponse;
use fhir::bundle::ResourceWrite;
use fhir::bundle::Segment;
use fhir::bundle::entry_path;
use fhir::bundle::segments;

/// The execution of a batch.
pub(super) struct BatchExecutor<'a> {
    app: &'a AppState,
    caller: &'a Caller,
    budget: &'a RequestBudget,
    responses: BTreeMap<usize, Disclosed<EntryJson>>,
    /// The memory of the responses.
    reserved: Reservation,
    /// The remaining space of the response besides statuses, in bytes.
    remaining_bytes: usize,
    /// The remaining space for outcomes, in bytes.
    remaining_outcome_bytes: usize,
    /// Whether an entry succeeded.
    any_success: bool,
    /// Set when a dependency is unavailable: the remaining entries fail without being tried.
    unavailable: Option<ServiceError>,
    /// The content of responses to writes.
    preference: ReturnPreference,
    /// The conditions without a match by which an entry has created a resource.
    settled: BTreeSet<usize>,
}

/// The progress of a batch.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum BatchProgress {
    /// Every entry has its response.
    Complete,
    /// A condition of the remaining entries finds something else now.
    ConditionChanged,
}

/// Writes that are tried in one database transaction.
#[derive(Default)]
struct WriteGroup<'a> {
    entries: Vec<EntryRef>,
    changes: Vec<Change<'a>>,
}

impl<'a> BatchExecutor<'a> {
    /// The executor of a batch with this number of entries.
    ///
    /// # Errors
    ///
    /// The caller's share of memory has no space for the response.
    pub(super) fn new(
        app: &'a AppState,
        caller: &'a Caller,
        budget: &'a RequestBudget,
        entries: usize,
        preference: ReturnPreference,
    ) -> Result<Self, ServiceError> {
        // The status of each entry and its copy in the response are reserved first, so that every entry gets one.
        let statuses = 2 * ENTRY_RESPONSE_BYTES.saturating_mul(entries);
        Ok(Self {
            app,
            caller,
            budget,
            responses: BTreeMap::new(),
            reserved: app.memory.reserve(CallerId::of(caller), statuses)?,
            remaining_bytes: MAX_RESPONSE_BYTES,
            remaining_outcome_bytes: MAX_OUTCOMES_BYTES,
            any_success: false,
            unavailable: None,
            preference,
            settled: BTreeSet::new(),
        })
    }

    /// Executes the entries that have no response yet.
    pub(super) async fn execute(
        &mut self,
        items: Vec<Result<BatchItem, OperationOutcome>>,
        conditions: &ResolvedConditions,
    ) -> BatchProgress {
        for segment in segments(items) {
            match segment {
                Segment::Refused(entry, outcome) if !self.is_done(entry) => {
                    self.refuse(entry, outcome);
                }
                Segment::NoOp(no_op) if !self.is_done(no_op.entry) => {
                    self.no_op(no_op, conditions).await;
                }
                Segment::Read(read) if !self.is_done(read.entry) => self.read(read).await,
                Segment::Writes(mut writes) => {
                    writes.retain(|write| !self.is_done(write.entry));
                    if self.write(writes, conditions).await == BatchProgress::ConditionChanged {
                        return BatchProgress::ConditionChanged;
                    }
                }
                Segment::Refused(..) | Segment::NoOp(_) | Segment::Read(_) => {}
            }
        }
        BatchProgress::Complete
    }

    /// Whether an entry has its response.
    fn is_done(&self, entry: usize) -> bool {
        self.responses.contains_key(&entry)
    }

    /// The number of entries that have their response.
    pub(super) fn done(&self) -> usize {
        self.responses.len()
    }

    /// The conditions whose results are final: an entry has created a resource because nothing matched.
    pub(super) const fn settled(&self) -> &BTreeSet<usize> {
        &self.settled
    }

    /// Sets the response of each entry without one to an error.
    pub(super) fn fail_remaining(&mut self, entries: usize, error: ServiceError) {
        for entry in 0..entries {
            if !self.is_done(entry) {
                self.fail(entry, error);
            }
        }
    }

    /// The responses, in the Bundle's order.
    ///
    /// # Errors
    ///
    /// A dependency is unavailable, and no entry succeeded.
    pub(super) fn finish(self) -> Result<BundleResponses, FhirError> {
        match self.unavailable {
            Some(error) if !self.any_success => Err(FhirError::Failed(error.into())),
            _ => Ok(BundleResponses {
                entries: Disclosed::all(self.responses.into_values()),
                reserved: self.reserved,
            }),
        }
    }

    async fn no_op(&mut self, no_op: EntryNoOp, conditions: &ResolvedConditions) {
        let response = match self.unavailable {
            Some(error) => Err(error.into()),
            None => existing(self.app, self.caller, conditions, no_op).await,
        };
        match response {
            Ok(response) => {
                self.any_success = true;
                self.responses.insert(no_op.entry, response);
            }
            Err(error) => self.fail_with(no_op.entry, error),
        }
    }

    async fn read(&mut self, read: EntryRead) {
        let response = match self.unavailable {
            Some(error) => Err(error.into()),
            // The response is full: a resource that cannot be sent is not read, so it is not recorded as disclosed.
            None if self.remaining_bytes == 0 => Err(ServiceError::ResponseTooLarge.into()),
            None => {
                let (app, caller, budget) = (self.app, self.caller, self.budget);
                entry_read::read(app, caller, budget, &read, self.remaining_bytes).await
            }
        };
        match response {
            Ok((response, reserved)) => {
                self.any_success = true;
                // The reservation is twice the length of the entry.
                self.remaining_bytes = self.remaining_bytes.saturating_sub(reserved.amount() / 2);
                self.reserved.absorb(reserved);
                self.responses.insert(read.entry, response);
            }
            Err(error) => self.fail_with(read.entry, error),
        }
    }

    /// Tries writes in one transaction. If some are refused, the others are tried again; if an error does not say which
    /// write failed, each is tried alone.
    async fn write(
        &mut self,
        writes: Vec<ResourceWrite>,
        conditions: &ResolvedConditions,
    ) -> BatchProgress {
        let mut group = WriteGroup::default();
        for write in writes {
            let entry = EntryRef::of_entry(&write);
            let index = write.entry;
            let condition = conditions.evidence(entry.condition);
            match into_change(
                self.app,
                self.caller,
                entry,
                write,
                condition,
                &HashSet::new(),
            )
            .await
            {
                Ok(change) => group.push((entry, change)),
                Err(error) => self.fail_with(index, error),
            }
        }
        let mut groups = VecDeque::from([group]);
        while let Some(mut group) = groups.pop_front() {
            if let Some(error) = self.unavailable {
                self.fail_all(&group, error);
            } else if !group.changes.is_empty() {
                match self.app.records.apply(&group.changes).await {
                    Ok(applied) => {
                        self.any_success = true;
                        self.settle(&group, conditions);
                        self.responses
                            .extend(group.responses(applied, self.preference));
                    }
                    Err(ApplyError::ConditionChanged) => return BatchProgress::ConditionChanged,
                    Err(ApplyError::Refused(refusals)) => {
                        self.refuse_all(&mut group, &refusals);
                        groups.push_front(group);
                    }
                    Err(ApplyError::Service(error))
                        if group.changes.len() == 1 || is_unavailable(error) =>
                    {
                        self.fail_all(&group, error);
                    }
                    // The error does not say which write failed.
                    Err(ApplyError::Service(_)) => groups.extend(group.one_by_one()),
                }
            }
        }
        BatchProgress::Complete
    }

    /// Notes what a group has written: no condition of a later entry takes notice of it.
    fn settle(&mut self, group: &WriteGroup<'_>, conditions: &ResolvedConditions) {
        for entry in &group.entries {
            conditions.own_writes().add(entry.target);
            let unmatched = entry.condition.filter(|it| conditions.is_unmatched(*it));
            self.settled.extend(unmatched);
        }
    }

    /// Refuses changes of a group, and keeps the others in it.
    fn refuse_all(&mut self, group: &mut WriteGroup<'_>, refusals: &[Refusal]) {
        let mut refused = BTreeSet::new();
        for refusal in refusals {
            if let Some(entry) = group.entries.get(refusal.change) {
                let index = entry.index.unwrap_or_default();
                self.refuse(index, refusal_outcome(refusal.reason, *entry));
                refused.insert(refusal.change);
            }
        }
        let all = std::mem::take(group);
        let pairs = all.entries.into_iter().zip(all.changes).enumerate();
        for (_, change) in pairs.filter(|(index, _)| !refused.contains(index)) {
            group.push(change);
        }
    }

    /// Sets the response of an entry to an outcome, or to its status if the space for outcomes is used up.
    fn refuse(&mut self, entry: usize, outcome: OperationOutcome) {
        let status = outcome.status();
        let mut response = EntryJson::from(EntryResponse::Refused(outcome));
        let remaining = self.remaining_outcome_bytes.checked_sub(response.len());
        match remaining.filter(|_| self.reserved.grow(2 * response.len()).is_ok()) {
            Some(remaining) => self.remaining_outcome_bytes = remaining,
            None => response = EntryResponse::StatusOnly(status).into(),
        }
        let refused = NotPhi::assert(response, "an outcome has no values of records");
        self.responses.insert(entry, refused.into());
    }

    /// Sets the response of an entry to a refusal or an error.
    fn fail_with(&mut self, entry: usize, error: FhirError) {
        match error {
            FhirError::Refused(outcome) => self.refuse(entry, outcome),
            FhirError::Service(error) => self.fail(entry, error),
            FhirError::Failed(problem) => {
                let outcome = outcome(problem, self.caller.origin().request);
                self.refuse(entry, outcome.at(&entry_path(entry)));
            }
        }
    }

    /// Sets the response of an entry to an error.
    fn fail(&mut self, entry: usize, error: ServiceError) {
        if is_unavailable(error) {
            self.unavailable = Some(error);
        }
        if error == ServiceError::ResponseTooLarge {
            // Smaller resources might still fit, but which entries succeed should not depend on lengths.
            self.remaining_bytes = 0;
        }
        let outcome = outcome(error.into(), self.caller.origin().request).at(&entry_path(entry));
        self.refuse(entry, outcome);
    }

    fn fail_all(&mut self, group: &WriteGroup<'_>, error: ServiceError) {
        for entry in &group.entries {
            self.fail(entry.index.unwrap_or_default(), error);
        }
    }
}

impl<'a> WriteGroup<'a> {
    fn push(&mut self, (entry, change): (EntryRef, Change<'a>)) {
        self.entries.push(entry);
        self.changes.push(change);
    }

    /// The responses to the changes, which were applied, by the index of their entry.
    fn responses(
        self,
        applied: Disclosed<Vec<Applied>>,
        preference: ReturnPreference,
    ) -> impl Iterator<Item = (usize, Disclosed<EntryJson>)> {
        let written = self.entries.into_iter().zip(self.changes);
        let responses = applied.map(|applied| {
            let pairs = written.zip(applied).map(|((entry, change), applied)| {
                let response =
                    entry_response(entry, applied, preference, change.into_sent_resource());
                (entry.index.unwrap_or_default(), EntryJson::from(response))
            });
            pairs.collect::<Vec<_>>()
        });
        responses.each()
    }

    /// Groups of one change each, in the same order.
    fn one_by_one(self) -> impl Iterator<Item = Self> {
        let pairs = self.entries.into_iter().zip(self.changes);
        pairs.map(|(entry, change)| Self {
            entries: vec![entry],
            changes: vec![change],
        })
    }
}

fn is_unavailable(error: ServiceError) -> bool {
    matches!(error, ServiceError::Unavailable(_))
}
