//! A batch: every entry stands alone.

use std::collections::{BTreeMap, VecDeque};

use super::FhirError;
use super::permit_cache::PermitCache;
use super::transaction::{EntryRef, attribute_error, entry_response, into_change};
use crate::http::problem::outcome;
use crate::http::state::AppState;
use crate::services::caller::Caller;
use crate::services::error::ServiceError;
use crate::services::records::{ApplyError, Change};
use fhir::bundle::{BatchItem, EntryResponse, ResourceWrite, Segment, entry_place, segments};
use fhir::{OperationOutcome, Reference, ResourceType};

/// A batch that is being carried out.
pub(super) struct BatchExecutor<'a> {
    app: &'a AppState,
    caller: &'a Caller,
    permits: PermitCache<'a>,
    answers: BTreeMap<usize, EntryResponse>,
    /// What the server needs is unavailable: what was not done yet is not tried any more.
    unavailable: Option<ServiceError>,
}

/// Writes that are tried together.
#[derive(Default)]
struct Group {
    origins: Vec<EntryRef>,
    changes: Vec<Change>,
}

impl<'a> BatchExecutor<'a> {
    /// Nothing is done yet.
    pub(super) fn of(app: &'a AppState, caller: &'a Caller) -> Self {
        let permits = PermitCache::of(app, caller);
        Self {
            app,
            caller,
            permits,
            answers: BTreeMap::new(),
            unavailable: None,
        }
    }

    /// Does what can be done; the answers are in the Bundle's order.
    ///
    /// # Errors
    ///
    /// What the server needs is unavailable, and nothing was done.
    pub(super) async fn carry_out(
        mut self,
        steps: Vec<Result<BatchItem, OperationOutcome>>,
    ) -> Result<Vec<EntryResponse>, FhirError> {
        for run in segments(steps) {
            match run {
                Segment::Refused(entry, outcome) => self.refuse(entry, outcome),
                Segment::Read(entry, target) => self.read(entry, target).await,
                Segment::Writes(writes) => self.write(writes).await,
            }
        }
        let refused = |answer: &EntryResponse| matches!(answer, EntryResponse::Refused(_));
        match self.unavailable {
            Some(error) if self.answers.values().all(refused) => {
                Err(FhirError::Failed(error.into()))
            }
            _ => Ok(self.answers.into_values().collect()),
        }
    }

    async fn read(&mut self, entry: usize, target: Reference) {
        let answer = match self.unavailable {
            Some(error) => Err(error),
            None => self.disclosed(target).await,
        };
        match answer {
            Ok(answer) => {
                self.answers.insert(entry, answer);
            }
            Err(error) => self.fail(entry, error),
        }
    }

    async fn disclosed(&mut self, target: Reference) -> Result<EntryResponse, ServiceError> {
        let permitted = self.permits.read(target.resource_type).await?;
        let stored = self
            .app
            .records
            .read(self.caller, &permitted, target.id)
            .await?
            .into_inner();
        Ok(EntryResponse::Read {
            resource: stored.resource,
            meta: stored.stamp,
        })
    }

    async fn write(&mut self, writes: Vec<ResourceWrite>) {
        let mut group = Group::default();
        for write in writes {
            match self.permits.write(write.resource_type).await {
                Ok(permitted) => group.push(into_change(write, permitted)),
                Err(error) => self.fail(write.entry, error),
            }
        }
        let mut groups = VecDeque::from([group]);
        while let Some(mut group) = groups.pop_front() {
            if let Some(error) = self.unavailable {
                self.fail_all(&group, error);
            } else if !group.changes.is_empty() {
                match self.app.records.apply(self.caller, &group.changes).await {
                    Ok(applied) => {
                        let answers = group.origins.iter().zip(applied);
                        let answers =
                            answers.map(|(it, done)| (it.entry, entry_response(*it, done)));
                        self.answers.extend(answers);
                    }
                    Err(error) => match attribute_error(error, &group.origins) {
                        Ok((index, outcome)) => {
                            self.refuse_same_owner(&mut group, index, error, &outcome);
                            groups.push_front(group);
                        }
                        Err(error) if group.changes.len() == 1 || is_unavailable(error) => {
                            self.fail_all(&group, error);
                        }
                        // Something is wrong with one of them, and nobody says with which.
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
        group: &mut Group,
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
        self.answers.insert(entry, EntryResponse::Refused(outcome));
    }

    fn fail(&mut self, entry: usize, error: ServiceError) {
        if is_unavailable(error) {
            self.unavailable = Some(error);
        }
        let outcome = outcome(error.into(), self.caller.origin.request).at(&entry_place(entry));
        self.refuse(entry, outcome);
    }

    fn fail_all(&mut self, group: &Group, error: ServiceError) {
        for origin in &group.origins {
            self.fail(origin.entry, error);
        }
    }
}

impl Group {
    fn push(&mut self, (origin, change): (EntryRef, Change)) {
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

fn is_patient(change: &Change) -> bool {
    change.kind() == ResourceType::Patient
}
