//! Conditions of writes: searches for a resource with an identifier, and what each was decided by.
//!
//! What a condition found is true at the moment of its search only. A write that depends on it takes the [`Evidence`] along, and
//! its transaction verifies it (`condition_check`).

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashMap;
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use access::Disclosed;
use access::Permitted;
use access::Search;
use access::disclose;
use db::PatientToken;
use fhir::Reference;
use fhir::ResourceType;
use fhir::VersionMeta;
use fhir::search::PatientQuery;
use fhir::search::ResourceQuery;
use phi::HeadSet;
use phi::OrganizationId;
use phi::Owner;
use phi::PatientId;
use uuid::Uuid;

use super::Records;
use super::candidates::Candidates;
use super::candidates::SearchScope;
use super::ensure_all_fields;
use super::matching::TOO_BROAD;
use super::matching::identifier_values;
use super::open::version_record;
use super::owner_of;
use super::reader::Reader;
use crate::limits::MAX_COMPARED_PATIENTS;
use crate::services::budget::Reservation;
use crate::services::error::ServiceError;
use crate::services::request_budget::RequestBudget;

/// Maximum matches of a condition that are named: more than one is as many as any.
const MAX_MATCHES: usize = 2;
/// The memory of a head in [`SeenHeads`], in bytes.
const SEEN_HEAD_BYTES: usize = 48;

/// What a condition found, and what that was decided by.
pub(crate) struct Evidence {
    /// The matches, at most two.
    pub(super) found: Vec<Found>,
    /// What they were decided by.
    pub(super) basis: Basis,
    /// The resources that earlier entries of the same request have written.
    pub(super) own_writes: OwnWrites,
}

/// A resource that a condition matches.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    /// The resource's id.
    pub(crate) id: Uuid,
    /// Its version, and the time at which that was stored.
    pub(crate) meta: VersionMeta,
}

/// What a search was decided by.
pub(super) enum Basis {
    /// Patients: the patients that have a token of the identifier.
    Tokens(TokenBasis),
    /// Other resources: the heads of their type that their owner had.
    Heads(HeadBasis),
}

/// The patients that a condition compared.
pub(super) struct TokenBasis {
    /// The tokens of the identifier.
    pub(super) tokens: Vec<PatientToken>,
    /// The patients that had one of them, each with the MAC of its head.
    pub(super) candidates: BTreeMap<Uuid, [u8; 32]>,
}

/// The heads that a condition compared.
pub(super) struct HeadBasis {
    /// The condition.
    pub(super) query: Box<ResourceQuery>,
    /// The heads, which conditions share.
    pub(super) seen: Arc<SeenHeads>,
}

/// The heads that an owner had of one type.
pub(super) struct SeenHeads {
    /// All of them, those of deleted resources included.
    pub(super) heads: HeadSet,
    /// The versions of those that are not deleted.
    pub(super) versions: HashMap<Uuid, u32>,
    _reserved: Reservation,
}

impl SeenHeads {
    /// The heads of the candidates of a search.
    fn of(candidates: Candidates) -> Self {
        let versions = candidates.found.iter();
        let versions: HashMap<_, _> = versions.map(|it| (it.reference.id, it.version)).collect();
        let mut reserved = candidates.reserved;
        reserved.shrink_to(versions.len() * SEEN_HEAD_BYTES);
        Self::new(candidates.heads, versions, reserved)
    }

    /// Heads with the memory of their versions.
    pub(super) const fn new(
        heads: HeadSet,
        versions: HashMap<Uuid, u32>,
        reserved: Reservation,
    ) -> Self {
        Self {
            heads,
            versions,
            _reserved: reserved,
        }
    }
}

/// The resources that the entries of one request have written so far: no condition of the same request takes notice of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct OwnWrites(Arc<Mutex<HashSet<Reference>>>);

impl OwnWrites {
    /// Adds a resource that was written.
    pub(crate) fn add(&self, written: Reference) {
        self.lock().insert(written);
    }

    /// Whether a resource was written.
    pub(crate) fn contains(&self, resource: Reference) -> bool {
        self.lock().contains(&resource)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashSet<Reference>> {
        // No code panics while it holds the lock, so that poisoning can be ignored.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Evidence {
    /// The matches, at most two.
    pub(crate) fn found(&self) -> &[Found] {
        &self.found
    }

    /// The type that was searched.
    pub(super) fn resource_type(&self) -> ResourceType {
        match &self.basis {
            Basis::Tokens(_) => ResourceType::Patient,
            Basis::Heads(heads) => heads.query.resource_type(),
        }
    }

    /// The owner whose lock excludes other writes that would change what is found. Each new patient has an owner of its own, so
    /// that conditional writes of patients exclude each other by the organization's.
    pub(super) fn owner(&self, organization: OrganizationId) -> Owner {
        match &self.basis {
            Basis::Tokens(_) => Owner::of_organization(organization),
            Basis::Heads(heads) => owner_of(organization, heads.query.patient()),
        }
    }

    /// Whether an earlier entry of the same request has written a resource of the searched type.
    pub(super) fn is_own(&self, id: Uuid) -> bool {
        self.own_writes.contains(Reference {
            resource_type: self.resource_type(),
            id,
        })
    }

    /// The evidence of a repeated search: for the resources that entries of the same request have written meanwhile, what the
    /// `former` search found remains.
    pub(crate) fn after(mut self, former: &Self) -> Self {
        let found = std::mem::take(&mut self.found);
        let others = found.into_iter().filter(|it| !self.is_own(it.id));
        let own = former.found.iter().copied();
        let own = own.filter(|it| self.is_own(it.id));
        self.found = others.chain(own).take(MAX_MATCHES).collect();
        self
    }
}

impl fmt::Debug for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Evidence([redacted])")
    }
}

impl Records {
    /// The evidence of conditions on patients, in the same order: of the first ones, for which the budget of the request
    /// suffices. They are recorded as one search. Only matches are disclosed,
    /// by their ids and versions. The roster takes no part: it may not know the newest patients yet.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Internal`] if a patient that may match is damaged: a match that is not found would be created a
    /// second time; [`ServiceError::TooCostly`] if the budget of the request is used up.
    pub(crate) async fn patient_conditions(
        &self,
        permitted: &Permitted<'_, Search>,
        budget: &RequestBudget,
        queries: &[PatientQuery],
        own_writes: &OwnWrites,
    ) -> Result<Disclosed<Vec<Evidence>>, ServiceError> {
        ensure_all_fields(permitted)?;
        let reader = Reader::begin(permitted, budget)?;
        let organization = reader.organization;
        let (mut all, mut records) = (Vec::with_capacity(queries.len()), Vec::new());
        for query in queries {
            if budget.admit().is_err() {
                break;
            }
            let (found, basis) = self.compare_tokens(reader, query).await?;
            records.extend(found.iter().map(|it| {
                let owner = Owner::Patient(it.id.into());
                version_record(organization, ResourceType::Patient, it.id, owner, it.meta)
            }));
            all.push(Evidence {
                found,
                basis: Basis::Tokens(basis),
                own_writes: own_writes.clone(),
            });
        }
        Ok(disclose(&self.trail, permitted, &records, all).await?)
    }

    /// The patients with an identifier of a query, at most two, and all that were compared.
    async fn compare_tokens(
        &self,
        reader: Reader<'_>,
        query: &PatientQuery,
    ) -> Result<(Vec<Found>, TokenBasis), ServiceError> {
        let organization = reader.organization;
        let (mut tokens, mut patients) = (Vec::new(), BTreeSet::new());
        let limit = u32::try_from(MAX_COMPARED_PATIENTS).unwrap_or(u32::MAX);
        for value in query
            .identifiers
            .iter()
            .flatten()
            .flat_map(identifier_values)
        {
            let token = self.indexes.token_to_find(organization, value).await?;
            let with_token = self
                .database
                .patients_with_token(organization, &token, limit);
            patients.extend(with_token.await?);
            tokens.push(token);
        }
        // As many as are read may not be all.
        if patients.len() >= MAX_COMPARED_PATIENTS {
            return Err(ServiceError::Unsupported(TOO_BROAD));
        }
        let patients: Vec<PatientId> = patients.into_iter().collect();
        let compared = self.compare_patients(reader, query, &patients);
        let (compared, _damaged) = compared.await?;
        // Tokens are committed together with their patient: one without a readable row is damaged, too.
        if compared.len() != patients.len() {
            return Err(ServiceError::Internal);
        }
        let found = compared.iter().filter(|it| it.is_match);
        let found = found.map(|it| Found {
            id: it.id.uuid(),
            meta: it.meta,
        });
        let candidates = compared.iter().map(|it| (it.id.uuid(), it.mac)).collect();
        let basis = TokenBasis { tokens, candidates };
        Ok((found.take(MAX_MATCHES).collect(), basis))
    }

    /// The evidence of conditions on resources of one type, in one chart or in the organization, in the same order: of the
    /// first ones, for which the budget of the request suffices. They are recorded as one search, whose heads are read once. Only matches are disclosed, by their ids and versions.
    ///
    /// # Errors
    ///
    /// See [`Self::search_type`]; [`ServiceError::Internal`] if stored resources are damaged or missing: a match that is
    /// not found would be created a second time; [`ServiceError::TooCostly`] if the budget of the request is used up.
    pub(crate) async fn resource_conditions(
        &self,
        permitted: &Permitted<'_, Search>,
        budget: &RequestBudget,
        queries: Vec<ResourceQuery>,
        own_writes: &OwnWrites,
    ) -> Result<Disclosed<Vec<Evidence>>, ServiceError> {
        ensure_all_fields(permitted)?;
        let reader = Reader::begin(permitted, budget)?;
        let organization = reader.organization;
        let Some(first) = queries.first() else {
            return Err(ServiceError::Internal);
        };
        let (resource_type, patient) = (first.resource_type(), first.patient());
        let is_of_group = |it: &ResourceQuery| {
            (it.resource_type(), it.patient()) == (resource_type, patient) && it.ids().is_none()
        };
        if !queries.iter().all(is_of_group) {
            return Err(ServiceError::Internal);
        }
        let owner = owner_of(organization, patient);
        let candidates = self.candidates(SearchScope {
            reader,
            owner,
            resource_type,
            needs_values: true,
        });
        let mut candidates = candidates.await?;
        let mut damaged = std::mem::take(&mut candidates.damaged);
        let mut matches = Vec::with_capacity(queries.len());
        for query in &queries {
            if budget.admit().is_err() {
                break;
            }
            let matching = self.matching(reader, query, &candidates.found, &mut damaged);
            let found = matching.await?.into_iter().take(MAX_MATCHES);
            let found = found.map(|it| Found {
                id: it.reference.id,
                meta: it.meta,
            });
            matches.push(found.collect::<Vec<_>>());
        }
        if !candidates.is_complete || !damaged.is_empty() {
            return Err(ServiceError::Internal);
        }
        let seen = Arc::new(SeenHeads::of(candidates));
        let records = matches.iter().flatten();
        let records =
            records.map(|it| version_record(organization, resource_type, it.id, owner, it.meta));
        let records: Vec<_> = records.collect();
        let evidence = matches.into_iter().zip(queries);
        let evidence = evidence.map(|(found, query)| Evidence {
            found,
            basis: Basis::Heads(HeadBasis {
                query: Box::new(query),
                seen: Arc::clone(&seen),
            }),
            own_writes: own_writes.clone(),
        });
        let evidence = evidence.collect();
        Ok(disclose(&self.trail, permitted, &records, evidence).await?)
    }
}
