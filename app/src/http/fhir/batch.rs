//! A batch: every entry stands alone.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::VecDeque;

use access::Caller;
use access::Disclosed;
use access::NotPhi;
use access::Read;

use super::FhirError;
use super::transaction::EntryRef;
use super::transaction::Responses;
use super::transaction::entry_response;
use super::transaction::into_change;
use super::transaction::refusal_outcome;
use crate::http::problem::outcome;
use crate::http::state::AppState;
use crate::limits::ENTRY_RESPONSE_BYTES;
use crate::limits::MAX_OUTCOMES_BYTES;
use crate::limits::MAX_RESPONSE_BYTES;
use crate::services::budget::CallerId;
use crate::services::budget::Reservation;
use crate::services::document;
use crate::services::error::ServiceError;
use crate::services::records::ApplyError;
use crate::services::records::Change;
use crate::services::records::Refusal;
use crate::services::records::subject;
use fhir::OperationOutcome;
use fhir::Reference;
use fhir::bundle::BatchItem;
use fhir::bundle::EntryJson;
use fhir::bundle::EntryResponse;
use fhir::bundle::ResourceWrite;
use fhir::bundle::Segment;
use fhir::bundle::entry_place;
use fhir::bundle::segments;

/// A batch that is being carried out.
pub(super) struct BatchExecutor<'a> {
    app: &'a AppState,
    caller: &'a Caller,
    responses: BTreeMap<usize, Disclosed<EntryJson>>,
    /// The memory of the responses.
    reserved: Reservation,
    /// What the response has room for besides statuses, in bytes.
    room: usize,
    /// What it has room for in outcomes, in bytes.
    outcomes_room: usize,
    /// Whether an entry was done.
    done: bool,
    /// What the server needs is unavailable: what was not done yet is not tried any more.
    unavailable: Option<ServiceError>,
}

/// Writes that are tried together.
#[derive(Default)]
struct Group<'a> {
    origins: Vec<EntryRef>,
    changes: Vec<Change<'a>>,
}

impl<'a> BatchExecutor<'a> {
    /// An executor for a batch of this many entries, none of which is carried out yet.
    ///
    /// # Errors
    ///
    /// The caller has no memory for the response.
    pub(super) fn of(
        app: &'a AppState,
        caller: &'a Caller,
        entries: usize,
    ) -> Result<Self, ServiceError> {
        // Statuses, and their copy in the response: each entry has one, whatever else is in use by then.
        let statuses = 2 * ENTRY_RESPONSE_BYTES.saturating_mul(entries);
        Ok(Self {
            app,
            caller,
            responses: BTreeMap::new(),
            reserved: app.memory.reserve(CallerId::of(caller), statuses)?,
            room: MAX_RESPONSE_BYTES,
            outcomes_room: MAX_OUTCOMES_BYTES,
            done: false,
            unavailable: None,
        })
    }

    /// Does what can be done; the responses are in the Bundle's order.
    ///
    /// # Errors
    ///
    /// What the server needs is unavailable, and nothing was done.
    pub(super) async fn carry_out(
        mut self,
        items: Vec<Result<BatchItem, OperationOutcome>>,
    ) -> Result<Responses, FhirError> {
        for segment in segments(items) {
            match segment {
                Segment::Refused(entry, outcome) => self.refuse(entry, outcome),
                Segment::Read(entry, target) => self.read(entry, target).await,
                Segment::Writes(writes) => self.write(writes).await,
            }
        }
        match self.unavailable {
            Some(error) if !self.done => Err(FhirError::Failed(error.into())),
            _ => Ok((Disclosed::all(self.responses.into_values()), self.reserved)),
        }
    }

    async fn read(&mut self, entry: usize, target: Reference) {
        let response = match self.unavailable {
            Some(error) => Err(error),
            // The response is full: nothing is read that cannot be sent.
            None if self.room == 0 => Err(ServiceError::ResponseTooLarge),
            None => self.disclosed(target).await,
        };
        match response {
            Ok((response, reserved)) => {
                self.done = true;
                self.room = self.room.saturating_sub(reserved.amount() / 2);
                self.reserved.absorb(reserved);
                self.responses.insert(entry, response);
            }
            Err(error) => self.fail(entry, error),
        }
    }

    /// What was read, as an entry of the response, with twice its memory: the response has a copy.
    async fn disclosed(
        &self,
        target: Reference,
    ) -> Result<(Disclosed<EntryJson>, Reservation), ServiceError> {
        let Reference { resource_type, id } = target;
        let subject = subject(self.caller.organization(), resource_type).id(id);
        let permitted = self.app.gate.permit(self.caller, Read, subject).await?;
        let records = &self.app.records;
        let stored = records
            .read(&permitted, resource_type, id, self.room)
            .await?;
        let mut memory = self.app.memory.reserve(CallerId::of(self.caller), 0)?;
        let entry = stored.map(|stored| {
            let mut reserved = stored.reserved;
            let (resource, meta) = (stored.resource, stored.meta);
            let entry = document::process(stored.bytes, || {
                EntryJson::from(EntryResponse::Read { resource, meta })
            });
            reserved.shrink_to(2 * entry.len());
            memory.absorb(reserved);
            entry
        });
        Ok((entry, memory))
    }

    async fn write(&mut self, writes: Vec<ResourceWrite>) {
        let mut group = Group::default();
        for write in writes {
            let entry = write.entry;
            match into_change(self.app, self.caller, write).await {
                Ok(change) => group.push(change),
                Err(error) => self.fail(entry, error),
            }
        }
        let mut groups = VecDeque::from([group]);
        while let Some(mut group) = groups.pop_front() {
            if let Some(error) = self.unavailable {
                self.fail_all(&group, error);
            } else if !group.changes.is_empty() {
                match self.app.records.apply(&group.changes).await {
                    Ok(applied) => {
                        self.done = true;
                        let responses = group.origins.iter().zip(applied);
                        let responses =
                            responses.map(|(it, done)| (it.entry, entry_response(*it, done)));
                        self.responses.extend(responses);
                    }
                    Err(ApplyError::Refused(refusals)) => {
                        self.refuse_all(&mut group, &refusals);
                        groups.push_front(group);
                    }
                    Err(ApplyError::Service(error))
                        if group.changes.len() == 1 || is_unavailable(error) =>
                    {
                        self.fail_all(&group, error);
                    }
                    // One of them is at fault, and the error does not say which.
                    Err(ApplyError::Service(_)) => groups.extend(group.one_by_one()),
                }
            }
        }
    }

    /// Refuses changes, and leaves the others in the group.
    fn refuse_all(&mut self, group: &mut Group<'_>, refusals: &[Refusal]) {
        let mut refused = BTreeSet::new();
        for refusal in refusals {
            if let Some(origin) = group.origins.get(refusal.change) {
                self.refuse(origin.entry, refusal_outcome(refusal.reason, *origin));
                refused.insert(refusal.change);
            }
        }
        let all = std::mem::take(group);
        let pairs = all.origins.into_iter().zip(all.changes).enumerate();
        for (_, change) in pairs.filter(|(index, _)| !refused.contains(index)) {
            group.push(change);
        }
    }

    fn refuse(&mut self, entry: usize, outcome: OperationOutcome) {
        let status = outcome.status();
        let mut response = EntryJson::from(EntryResponse::Refused(outcome));
        let room = self.outcomes_room.checked_sub(response.len());
        match room.filter(|_| self.reserved.grow(2 * response.len()).is_ok()) {
            Some(room) => self.outcomes_room = room,
            None => response = EntryResponse::Unexplained(status).into(),
        }
        let refused = NotPhi::assert(response, "an outcome holds no value");
        self.responses.insert(entry, refused.into());
    }

    fn fail(&mut self, entry: usize, error: ServiceError) {
        if is_unavailable(error) {
            self.unavailable = Some(error);
        }
        if error == ServiceError::ResponseTooLarge {
            // Smaller resources might still fit; which ones are sent should not depend on their lengths.
            self.room = 0;
        }
        let outcome = outcome(error.into(), self.caller.origin().request).at(&entry_place(entry));
        self.refuse(entry, outcome);
    }

    fn fail_all(&mut self, group: &Group<'_>, error: ServiceError) {
        for origin in &group.origins {
            self.fail(origin.entry, error);
        }
    }
}

impl<'a> Group<'a> {
    fn push(&mut self, (origin, change): (EntryRef, Change<'a>)) {
        self.origins.push(origin);
        self.changes.push(change);
    }

    /// Each change alone, in the same order.
    fn one_by_one(self) -> impl Iterator<Item = Self> {
        let pairs = self.origins.into_iter().zip(self.changes);
        pairs.map(|(origin, change)| Self {
            origins: vec![origin],
            changes: vec![change],
        })
    }
}

fn is_unavailable(error: ServiceError) -> bool {
    matches!(error, ServiceError::Unavailable(_))
}
