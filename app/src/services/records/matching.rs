//! Matching of patients with a query: identifiers and contacts by blind index, all else by the roster.

use std::collections::HashSet;

use phi::IndexParameter;
use phi::PatientId;
use roster::PagePosition;
use zeroize::Zeroizing;

use super::Records;
use super::damage::undamaged;
use super::open::OpenVersion;
use super::patients::patient_keys;
use super::reader::Reader;
use crate::limits::CANDIDATES_PER_LOOKUP;
use crate::limits::MAX_COMPARED_PATIENTS;
use crate::limits::PATIENTS_PER_STATEMENT;
use crate::limits::ROSTER_PATIENTS_PER_CANDIDATE;
use crate::services::blind_indexes::IndexedValue;
use crate::services::error::ServiceError;
use crate::services::roster::order;
use fhir::ContactSystem;
use fhir::Demographics;
use fhir::SSN_SYSTEM;
use fhir::VersionMeta;
use fhir::search::ContactQuery;
use fhir::search::IdentifierQuery;
use fhir::search::PatientQuery;
use fhir::search::SystemQuery;

/// Number of digits of a social security number.
const SSN_DIGITS: usize = 9;
/// Message for bytes that are no position of the query's order.
const FOREIGN_POSITION: &str = "the position is not one of a search with this sort order";
/// Message for a search that would open more than [`MAX_COMPARED_PATIENTS`].
pub(super) const TOO_BROAD: &str = "too many patients match: add another parameter";

/// A patient whose resource was opened and compared with a query.
pub(super) struct ComparedPatient {
    /// The patient.
    pub(super) id: PatientId,
    /// The MAC of the head that was compared.
    pub(super) mac: [u8; 32],
    /// Its version, and the time at which that was stored.
    pub(super) meta: VersionMeta,
    /// Whether the patient matches.
    pub(super) is_match: bool,
}

/// The patients of a page of a search.
#[derive(Debug)]
pub(super) struct PatientMatches {
    /// The patients, in the order of the query.
    pub(super) ids: Vec<PatientId>,
    /// The number of all matches.
    pub(super) total: usize,
    /// Whether there are matches after the page.
    pub(super) has_more: bool,
    /// The patients that cannot be compared, because their stored data is damaged.
    pub(super) damaged: Vec<PatientId>,
    page: roster::Page,
}

impl PatientMatches {
    /// The position after the patient with this index, at which a later search continues: an opaque
    /// text with PHI, to be sealed before it is sent. None after the last match.
    pub(super) fn position(&self, index: usize) -> Option<Zeroizing<Vec<u8>>> {
        let is_last = index.saturating_add(1) >= self.ids.len() && !self.has_more;
        let position = self.page.position(index).filter(|_| !is_last);
        position.map(|bytes| Zeroizing::new(bytes.to_vec()))
    }
}

/// The position that [`PatientMatches::position`] returned for a query with the same sort order.
///
/// # Errors
///
/// [`ServiceError::Unsupported`] for other bytes.
fn parse_position(bytes: &[u8], query: &PatientQuery) -> Result<PagePosition, ServiceError> {
    let position = PagePosition::decode(bytes, order(query.sort).key);
    position.ok_or(ServiceError::Unsupported(FOREIGN_POSITION))
}

impl Records {
    /// At most `take` matching patients in the order of the query, from the beginning or after a
    /// position.
    pub(super) async fn match_patients(
        &self,
        reader: Reader<'_>,
        query: &PatientQuery,
        (after, take): (Option<&[u8]>, usize),
    ) -> Result<PatientMatches, ServiceError> {
        let (organization, caller) = (reader.organization, reader.caller);
        let after = after
            .map(|bytes| parse_position(bytes, query))
            .transpose()?;
        let roster = self.rosters.current(organization).await?;
        let with_tokens = self.patients_with_tokens(reader, query).await?;
        if with_tokens.is_none() {
            let patients = roster.len();
            let budget = reader.budget;
            budget.charge_candidates(patients / ROSTER_PATIENTS_PER_CANDIDATE);
        }
        let candidates = match with_tokens {
            Some(candidates) => Some(candidates),
            None if query.has_exact_text() => {
                // One more than is allowed, to detect a query that is too broad.
                let range = (None, MAX_COMPARED_PATIENTS + 1);
                let page = self.rosters.search(&roster, caller, query, None, range);
                let page = page.await?;
                Some(page.ids.into_iter().map(PatientId::from_uuid).collect())
            }
            None => None,
        };
        let (among, damaged) = match candidates {
            Some(candidates) => {
                let compared = self.compare_patients(reader, query, &candidates);
                let (compared, damaged) = compared.await?;
                let matching = compared.iter().filter(|it| it.is_match);
                (Some(matching.map(|it| it.id.uuid()).collect()), damaged)
            }
            None => (None, Vec::new()),
        };
        let page = self
            .rosters
            .search(&roster, caller, query, among, (after, take))
            .await?;
        Ok(PatientMatches {
            ids: page.ids.iter().copied().map(PatientId::from_uuid).collect(),
            total: page.total,
            has_more: page.has_more,
            damaged,
            page,
        })
    }

    /// The `candidates` that can be opened, compared with a query, and those that cannot. Tokens are not
    /// authenticated, so the database may claim any match.
    pub(super) async fn compare_patients(
        &self,
        reader: Reader<'_>,
        query: &PatientQuery,
        candidates: &[PatientId],
    ) -> Result<(Vec<ComparedPatient>, Vec<PatientId>), ServiceError> {
        let (organization, caller) = (reader.organization, reader.caller);
        if candidates.len() > MAX_COMPARED_PATIENTS {
            return Err(ServiceError::Unsupported(TOO_BROAD));
        }
        let (mut compared, mut damaged) = (Vec::new(), Vec::new());
        let keys = patient_keys(candidates);
        let batches = self.key_batches(organization, &keys, PATIENTS_PER_STATEMENT);
        for batch in batches.await? {
            let patients = candidates.get(batch.range.clone()).unwrap_or_default();
            let sealed = self.read_readable(reader, &keys, &batch).await?;
            let sealed = self.order_by_ids(organization, patients, sealed).await?;
            for (id, row) in sealed.rows {
                let mac = *row.head.mac.as_bytes();
                let open = self.open_current(organization, caller, row).await;
                let Some(open) = undamaged(open)? else {
                    damaged.push(id);
                    continue;
                };
                let is_match = match &open {
                    OpenVersion::Live(stored) => query.matches(&Demographics::of(&stored.resource)),
                    OpenVersion::Deleted(_) => false,
                };
                let meta = open.meta();
                compared.push(ComparedPatient {
                    id,
                    mac,
                    meta,
                    is_match,
                });
            }
        }
        Ok((compared, damaged))
    }

    /// The patients with a token of each condition on identifiers and contacts; none without such
    /// conditions.
    ///
    /// A condition that too many patients meet is left out here, and applied when the matches of
    /// the other conditions are opened.
    async fn patients_with_tokens(
        &self,
        reader: Reader<'_>,
        query: &PatientQuery,
    ) -> Result<Option<Vec<PatientId>>, ServiceError> {
        let identifiers = query.identifiers.iter().map(|any_of| {
            let values = any_of.iter().flat_map(identifier_values);
            values.collect::<Vec<_>>()
        });
        let contacts = query.contacts.iter().map(|any_of| {
            let values = any_of.iter().flat_map(contact_values);
            values.collect::<Vec<_>>()
        });
        let conditions: Vec<_> = identifiers.chain(contacts).collect();
        if conditions.is_empty() {
            return Ok(None);
        }
        let mut all: Option<HashSet<PatientId>> = None;
        for any_of in conditions {
            let mut found = HashSet::new();
            for value in any_of {
                found.extend(self.patients_with_token(reader, value).await?);
            }
            if found.len() <= MAX_COMPARED_PATIENTS {
                all = Some(match all {
                    None => found,
                    Some(before) => before.intersection(&found).copied().collect(),
                });
            }
        }
        let all = all.ok_or(ServiceError::Unsupported(TOO_BROAD))?;
        Ok(Some(all.into_iter().collect()))
    }

    async fn patients_with_token(
        &self,
        reader: Reader<'_>,
        indexed: IndexedValue<'_>,
    ) -> Result<Vec<PatientId>, ServiceError> {
        reader.budget.charge_candidates(CANDIDATES_PER_LOOKUP);
        let organization = reader.organization;
        let token = self.indexes.token_to_find(organization, indexed).await?;
        let limit = u32::try_from(MAX_COMPARED_PATIENTS + 1).unwrap_or(u32::MAX);
        let found = self
            .database
            .patients_with_token(organization, &token, limit);
        Ok(found.await?)
    }
}

/// The values under which an identifier may be indexed; also those of a social security number, if
/// it may be one.
pub(super) fn identifier_values(query: &IdentifierQuery) -> Vec<IndexedValue<'_>> {
    let (parameter, system) = match &query.system {
        SystemQuery::Any => (IndexParameter::IdentifierValue, None),
        SystemQuery::None => (IndexParameter::Identifier, None),
        SystemQuery::Is(system) => (IndexParameter::Identifier, Some(system.as_str())),
    };
    let Some(value) = &query.value else {
        let system = system.unwrap_or_default();
        let parameter = IndexParameter::IdentifierSystem;
        return vec![IndexedValue::new(parameter, None, system)];
    };
    let digits = value.chars().filter(char::is_ascii_digit).count();
    let may_be_ssn = match system {
        Some(system) => system == SSN_SYSTEM,
        None => digits == SSN_DIGITS,
    };
    let indexed = IndexedValue::new(parameter, system, value.as_str());
    let mut values = vec![indexed];
    if may_be_ssn {
        values.push(IndexedValue {
            low_entropy: true,
            ..indexed
        });
    }
    values
}

/// The values under which a contact may be indexed.
fn contact_values(query: &ContactQuery) -> Vec<IndexedValue<'_>> {
    let parameters: &[IndexParameter] = match query.system {
        Some(ContactSystem::Phone | ContactSystem::OtherNumber) => &[IndexParameter::Phone],
        Some(ContactSystem::Email) => &[IndexParameter::Email],
        Some(ContactSystem::Other) | None => &[IndexParameter::Phone, IndexParameter::Email],
    };
    let indexed = |parameter: &IndexParameter| IndexedValue::new(*parameter, None, &query.value);
    parameters.iter().map(indexed).collect()
}
