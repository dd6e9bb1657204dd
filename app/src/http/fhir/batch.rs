//! A batch: every entry stands alone.

use std::collections::{BTreeMap, VecDeque};

use access::{Caller, Disclosed, NotPhi, Read};

use super::FhirError;
use super::transaction::{EntryRef, attribute_error, entry_response, into_change};
use crate::http::problem::outcome;
use crate::http::state::AppState;
use crate::services::error::ServiceError;
use crate::services::records::{ApplyError, Change, subject};
use fhir::bundle::{BatchItem, EntryResponse, ResourceWrite, Segment, entry_place, segments};
use fhir::{OperationOutcome, Reference, ResourceType};

/// A batch that is being carried out.
pub(super) struct BatchExecutor<'a> {
    app: &'a AppState,
    caller: &'a Caller,
    responses: BTreeMap<usize, Disclosed<EntryResponse>>,
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
    /// Nothing is done yet.
    pub(super) fn of(app: &'a AppState, caller: &'a Caller) -> Self {
        Self {
            app,
            caller,
            responses: BTreeMap::new(),
            done: false,
            unavailable: None,
        }
    }

    /// Does what can be done; the responses are in the Bundle's order.
    ///
    /// # Errors
    ///
    /// What the server needs is unavailable, and nothing was done.
    pub(super) async fn carry_out(
        mut self,
        steps: Vec<Result<BatchItem, OperationOutcome>>,
    ) -> Result<Disclosed<Vec<EntryResponse>>, FhirError> {
        for run in segments(steps) {
            match run {
                Segment::Refused(entry, outcome) => self.refuse(entry, outcome),
                Segment::Read(entry, target) => self.read(entry, target).await,
                Segment::Writes(writes) => self.write(writes).await,
            }
        }
        match self.unavailable {
            Some(error) if !self.done => Err(FhirError::Failed(error.into())),
            _ => Ok(Disclosed::all(self.responses.into_values())),
        }
    }

    async fn read(&mut self, entry: usize, target: Reference) {
        let response = match self.unavailable {
            Some(error) => Err(error),
            None => self.disclosed(target).await,
        };
        match response {
            Ok(response) => {
                self.done = true;
                self.responses.insert(entry, response);
            }
            Err(error) => self.fail(entry, error),
        }
    }

    async fn disclosed(&self, target: Reference) -> Result<Disclosed<EntryResponse>, ServiceError> {
        let Reference { resource_type, id } = target;
        let subject = subject(self.caller.organization(), resource_type).id(id);
        let permitted = self.app.gate.permit(self.caller, Read, subject).await?;
        let stored = self.app.records.read(&permitted, resource_type, id).await?;
        Ok(stored.map(|stored| EntryResponse::Read {
            resource: stored.resource,
            meta: stored.meta,
        }))
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
                    Err(error) => match attribute_error(error, &group.origins) {
                        Ok((index, outcome)) => {
                            self.refuse_same_owner(&mut group, index, error, &outcome);
                            groups.push_front(group);
                        }
                        Err(error) if group.changes.len() == 1 || is_unavailable(error) => {
                            self.fail_all(&group, error);
                        }
                        // One of them is at fault, and the error does not say which.
                        Err(_) => groups.extend(group.one_by_one()),
                    },
                }
            }
        }
    }

    /// Refuses the change at an index and, if its patient is not there, all others of that patient:
    /// each would be refused for the same reason.
    fn refuse_same_owner(
        &mut self,
        group: &mut Group<'_>,
        index: usize,
        error: ApplyError,
        why: &OperationOutcome,
    ) {
        let orphaned = match error {
            ApplyError::UnknownOwner(_) => group.changes.get(index).and_then(|it| it.owner),
            ApplyError::OwnerChanged(_)
            | ApplyError::AlreadyThere(_)
            | ApplyError::RecordNumberTaken(_)
            | ApplyError::Service(_) => None,
        };
        let all = std::mem::take(group);
        for (at, (origin, change)) in all.origins.into_iter().zip(all.changes).enumerate() {
            let alike = orphaned.is_some() && change.owner == orphaned && !is_patient(&change);
            if at == index {
                self.refuse(origin.entry, why.clone());
            } else if alike {
                let told = attribute_error(ApplyError::UnknownOwner(0), &[origin]);
                self.refuse(
                    origin.entry,
                    told.map_or_else(|_| why.clone(), |(_, told)| told),
                );
            } else {
                group.push((origin, change));
            }
        }
    }

    fn refuse(&mut self, entry: usize, outcome: OperationOutcome) {
        let refused = EntryResponse::Refused(outcome);
        let refused = NotPhi::assert(refused, "an outcome holds no value");
        self.responses.insert(entry, refused.into());
    }

    fn fail(&mut self, entry: usize, error: ServiceError) {
        if is_unavailable(error) {
            self.unavailable = Some(error);
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

fn is_patient(change: &Change<'_>) -> bool {
    change.resource_type == ResourceType::Patient
}
