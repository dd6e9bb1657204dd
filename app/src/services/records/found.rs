//! Patients that a search finds, as resources.

use std::collections::HashMap;

use access::Disclosed;
use access::Permitted;
use access::Search;
use access::disclose;
use db::CurrentVersion;
use db::ResourceKey;
use fhir::Resource;
use fhir::ResourceType;
use fhir::VersionMeta;
use fhir::bundle::EntryJson;
use fhir::search::PatientQuery;
use phi::OrganizationId;
use phi::Owner;
use phi::PatientId;
use phi::Tampering;

use super::Records;
use super::ensure_whole;
use super::key_of;
use super::patients::records;
use super::reading::SealedGroup;
use crate::limits::MAX_RESPONSE_BYTES;
use crate::limits::PATIENTS_PER_STATEMENT;
use crate::services::budget::Reservation;
use crate::services::budget::Share;
use crate::services::error::ServiceError;

/// Some of the matching patients, as entries of a response.
#[derive(Debug)]
pub(crate) struct FoundResources {
    /// By name.
    pub(crate) entries: Vec<EntryJson>,
    /// The number of all matches.
    pub(crate) total: usize,
    /// Whether patients are missing that the query requests, because the response would be too long.
    pub(crate) is_cut: bool,
    /// The memory of the entries, and of the response that they become.
    pub(crate) reserved: Reservation,
}

/// Sealed Patients that were read by one statement.
pub(super) struct SealedPatients {
    pub(super) found: Vec<(PatientId, CurrentVersion)>,
    _reserved: Reservation,
}

impl Records {
    /// The patients that match a query, as entries that `entry` makes of Patient resources: as many as it requests and a
    /// response takes.
    pub(crate) async fn search_resources(
        &self,
        permitted: &Permitted<'_, Search>,
        query: &PatientQuery,
        entry: impl Fn(Resource, VersionMeta) -> EntryJson,
    ) -> Result<Disclosed<FoundResources>, ServiceError> {
        ensure_whole(permitted)?;
        let organization = permitted.caller().organization();
        let share = Share::of(permitted.caller());
        let (ids, total) = self.matches(organization, share, query).await?;
        let mut found = FoundResources {
            entries: Vec::new(),
            total,
            is_cut: false,
            reserved: self.memory.reserve(share, 0)?,
        };
        let mut bytes = 0_usize;
        let mut shown = Vec::new();
        let keys = patient_keys(&ids);
        let groups = self.key_groups(organization, &keys, PATIENTS_PER_STATEMENT);
        'groups: for group in groups.await? {
            let patients = ids.get(group.range.clone()).unwrap_or_default();
            let sealed = self.read_group(organization, share, &keys, &group).await?;
            let rows = self.in_order(organization, patients, sealed).await?;
            if rows.found.len() != patients.len() {
                let reason = "a patient that the roster has is missing";
                return Err(Tampering::report("resources", reason, organization, None).into());
            }
            for (id, row) in rows.found {
                let stored = self.open(organization, share, row).await?;
                let (resource, meta, mut reserved) =
                    (stored.resource, stored.meta, stored.reserved);
                let made = entry(resource, meta);
                bytes = bytes.saturating_add(made.len());
                if bytes > MAX_RESPONSE_BYTES {
                    found.is_cut = true;
                    break 'groups;
                }
                // The entry, and its copy in the response.
                reserved.shrink_to(2 * made.len());
                found.reserved.absorb(reserved);
                found.entries.push(made);
                shown.push(id);
            }
        }
        Ok(disclose(
            &self.trail,
            permitted,
            &records(organization, &shown),
            found,
        )
        .await?)
    }

    /// The rows of those Patients of `ids` that were read, in the same order, with their keys fetched at once.
    pub(super) async fn in_order(
        &self,
        organization: OrganizationId,
        ids: &[PatientId],
        sealed: SealedGroup,
    ) -> Result<SealedPatients, ServiceError> {
        let wanted = sealed.rows.iter().filter_map(|row| {
            let owner = Owner::Patient(row.head.id.into());
            Some((owner, row.version.body.key_id()?))
        });
        let wanted: Vec<_> = wanted.collect();
        self.keys.prefetch(organization, wanted).await?;
        let (rows, reserved) = sealed.into_parts();
        let mut rows: HashMap<_, _> = rows.into_iter().map(|row| (row.head.id, row)).collect();
        let found = ids.iter();
        let found = found.filter_map(|id| Some((*id, rows.remove(&id.uuid())?)));
        Ok(SealedPatients {
            found: found.collect(),
            _reserved: reserved,
        })
    }
}

/// Patients as resources.
pub(super) fn patient_keys(ids: &[PatientId]) -> Vec<ResourceKey> {
    let key = |id: &PatientId| key_of(ResourceType::Patient, id.uuid());
    ids.iter().map(key).collect()
}
