//! The candidates of a search: the heads that an owner has of one resource type, verified to be complete, with the values
//! by which they are compared.

use db::SummarizedHead;
use fhir::Reference;
use fhir::ResourceType;
use fhir::search::SearchValues;
use phi::Head;
use phi::HeadSet;
use phi::Owner;
use phi::Tampering;
use time::OffsetDateTime;
use uuid::Uuid;

use super::Records;
use super::damage::undamaged;
use super::reader::Reader;
use super::resource_key;
use crate::limits::HEADS_PER_STATEMENT;
use crate::services::budget::Reservation;
use crate::services::error::ServiceError;
use crate::services::owners::OpenOwner;

/// Maximum attempts to read the heads of a type while they are written.
const MAX_ATTEMPTS: usize = 5;
/// The memory of a candidate besides its values, in bytes.
pub(super) const CANDIDATE_BYTES: usize = size_of::<Candidate>() + 512;

/// The resources that a search considers.
#[derive(Clone, Copy)]
pub(super) struct SearchScope<'b> {
    /// The caller that searches.
    pub(super) reader: Reader<'b>,
    /// The owner of the resources.
    pub(super) owner: Owner,
    /// Their type.
    pub(super) resource_type: ResourceType,
    /// Whether the search compares values: otherwise no summary is opened.
    pub(super) needs_values: bool,
}

/// A current resource, by its verified head.
pub(super) struct Candidate {
    /// The type and id.
    pub(super) reference: Reference,
    /// The owner.
    pub(super) owner: Owner,
    /// Its current version.
    pub(super) version: u32,
    /// The time at which its current version was stored.
    pub(super) last_updated: OffsetDateTime,
    /// Its search values, empty for a search that needs none; `None` if its body has to be opened.
    pub(super) values: Option<SearchValues>,
}

/// The candidates of one type and owner.
pub(super) struct Candidates {
    /// The resources, in the order of ids.
    pub(super) found: Vec<Candidate>,
    /// The resources whose heads are damaged.
    pub(super) damaged: Vec<Reference>,
    /// Whether the heads are exactly those of the owner's set: otherwise resources are hidden, or not current.
    pub(super) is_complete: bool,
    /// The memory of the candidates.
    pub(super) reserved: Reservation,
    /// All heads, those of deleted resources included.
    pub(super) heads: HeadSet,
}

impl Records {
    /// The current resources that an owner has of a type; none of an owner that does not exist. Their summaries are opened
    /// if the search needs values.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Internal`] without the owner's row, which could forbid the disclosure.
    pub(super) async fn candidates(
        &self,
        scope: SearchScope<'_>,
    ) -> Result<Candidates, ServiceError> {
        let (organization, owner) = (scope.reader.organization, scope.owner);
        let kind = scope.resource_type.name();
        let mut row = self.database.owner(organization, &owner).await?;
        for _ in 0..MAX_ATTEMPTS {
            if row.is_none() {
                let first = self
                    .database
                    .summarized_heads(organization, &owner, kind, None, 1);
                if first.await?.is_empty() {
                    return self.no_candidates(scope.reader);
                }
                // The owner was created between the two statements, or its row is hidden: then it cannot be opened.
                row = self.database.owner(organization, &owner).await?;
            }
            let mac = row.as_ref().map(|row| *row.mac.as_bytes());
            let open = OpenOwner::open(&self.keys, organization, owner, row).await?;
            let mut candidates = self.read_candidates(scope, &open).await?;
            candidates.is_complete = open.has_heads_of(kind, &candidates.heads);
            if candidates.is_complete {
                return Ok(candidates);
            }
            // Any write changes the owner's row, too: with the same row, no write explains the difference.
            row = self.database.owner(organization, &owner).await?;
            if row.as_ref().map(|row| *row.mac.as_bytes()) == mac {
                let reason = "the heads of a type do not match the set of their owner";
                let id = owner.patient();
                let _reported = Tampering::report("resources", reason, organization, id);
                return Ok(candidates);
            }
        }
        Err(ServiceError::unavailable(
            "too many concurrent writes of the searched resources",
        ))
    }

    /// The current resources of a type with these ids, whose owner may be any. That none is hidden is not proved, as for
    /// a read of one resource.
    ///
    /// # Errors
    ///
    /// See [`ServiceError`].
    pub(super) async fn candidates_by_id(
        &self,
        scope: SearchScope<'_>,
        ids: &[Uuid],
    ) -> Result<Candidates, ServiceError> {
        let (organization, resource_type) = (scope.reader.organization, scope.resource_type);
        scope.reader.budget.charge_candidates(ids.len());
        let mut candidates = self.no_candidates(scope.reader)?;
        self.grow(&mut candidates.reserved, ids.len() * CANDIDATE_BYTES)?;
        for id in ids {
            let key = resource_key(resource_type, *id);
            let Some(head) = undamaged(self.database.resource(organization, &key).await)?.flatten()
            else {
                continue;
            };
            let reference = Reference {
                resource_type,
                id: *id,
            };
            match undamaged(self.keys.verify(organization, head).await)? {
                None => candidates.damaged.push(reference),
                Some(head) if head.deleted.is_some() => {}
                Some(head) => candidates.found.push(Candidate {
                    reference,
                    owner: head.owner()?,
                    version: head.version,
                    last_updated: head.updated_at,
                    values: (!scope.needs_values).then(|| SearchValues::empty(resource_type)),
                }),
            }
        }
        Ok(candidates)
    }

    fn no_candidates(&self, reader: Reader<'_>) -> Result<Candidates, ServiceError> {
        Ok(Candidates {
            found: Vec::new(),
            damaged: Vec::new(),
            is_complete: true,
            reserved: self.memory.reserve(reader.caller, 0)?,
            heads: HeadSet::default(),
        })
    }

    /// Reads and verifies the heads of one type, a page at a time.
    async fn read_candidates(
        &self,
        scope: SearchScope<'_>,
        open: &OpenOwner,
    ) -> Result<Candidates, ServiceError> {
        let SearchScope {
            reader,
            owner,
            resource_type,
            ..
        } = scope;
        let organization = reader.organization;
        let mut candidates = self.no_candidates(reader)?;
        let mut after = None;
        loop {
            let kind = resource_type.name();
            let heads = self.database.summarized_heads(
                organization,
                &owner,
                kind,
                after,
                HEADS_PER_STATEMENT,
            );
            let heads = heads.await?;
            let Some(last) = heads.last() else {
                return Ok(candidates);
            };
            after = Some(last.head.id);
            let is_last = heads.len() < usize::try_from(HEADS_PER_STATEMENT).unwrap_or_default();
            reader.budget.charge_candidates(heads.len());
            self.grow(&mut candidates.reserved, heads.len() * CANDIDATE_BYTES)?;
            let summaries = heads.iter().filter(|_| scope.needs_values);
            let keys = summaries.filter_map(|it| it.summary.as_ref());
            let keys = keys.filter_map(|summary| Some((owner, summary.summary.key_id()?)));
            let keys: Vec<_> = keys.collect();
            self.keys.prefetch(organization, keys).await?;
            for head in heads {
                let verdict = self.verify_candidate(scope, head);
                verdict.await?.add_to(&mut candidates, open);
            }
            if is_last {
                return Ok(candidates);
            }
        }
    }

    /// Verifies a head, and opens its summary.
    pub(super) async fn verify_candidate(
        &self,
        scope: SearchScope<'_>,
        SummarizedHead { head, summary }: SummarizedHead,
    ) -> Result<Verdict, ServiceError> {
        let SearchScope {
            reader,
            owner,
            resource_type,
            ..
        } = scope;
        let organization = reader.organization;
        let id = head.id;
        let reference = Reference { resource_type, id };
        let verified = self.keys.verify(organization, head).await;
        let Some(head) = undamaged(verified)? else {
            return Ok(Verdict::Damaged(reference));
        };
        let listed = Head {
            kind: resource_type.name(),
            id,
            version: head.version,
            digest: head.version_digest,
        };
        if head.deleted.is_some() {
            return Ok(Verdict::Deleted(listed));
        }
        let values = if scope.needs_values {
            self.summarized(organization, owner, resource_type, &head, summary)
                .await?
        } else {
            Some(SearchValues::empty(resource_type))
        };
        let candidate = Candidate {
            reference,
            owner,
            version: head.version,
            last_updated: head.updated_at,
            values,
        };
        Ok(Verdict::Found(listed, candidate))
    }
}

/// The result of verifying a head.
pub(super) enum Verdict {
    /// A resource, with its head for the owner's set.
    Found(Head<'static>, Candidate),
    /// The head of a deleted resource.
    Deleted(Head<'static>),
    /// A head that does not verify.
    Damaged(Reference),
}

impl Verdict {
    fn add_to(self, candidates: &mut Candidates, open: &OpenOwner) {
        match self {
            Self::Damaged(reference) => candidates.damaged.push(reference),
            Self::Deleted(head) => open.add_head(&mut candidates.heads, head),
            Self::Found(head, candidate) => {
                open.add_head(&mut candidates.heads, head);
                candidates.found.push(candidate);
            }
        }
    }
}
