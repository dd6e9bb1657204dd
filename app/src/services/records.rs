//! The record service: reads, writes and searches of patients and their charts, each within one
//! organization.
//!
//! Every public function takes the [`Permitted`](access::Permitted) of its caller. What it
//! discloses is returned as [`Disclosed`](access::Disclosed): verified and opened as what was
//! requested, and recorded in the audit trail first.

mod apply;
mod basis;
mod batch_read;
mod candidates;
mod change;
mod chart;
mod chart_heads;
mod compared_heads;
mod condition_check;
mod conditions;
mod contained;
mod damage;
mod everything;
mod export;
mod history;
mod included;
mod locked_heads;
mod matching;
mod medical_record_numbers;
mod open;
mod open_each;
mod owners;
mod patient_rows;
mod patients;
mod plan;
mod planned_change;
mod read;
mod reader;
mod refusals;
mod resource_page;
mod resource_search;
mod sealed_rows;
mod search_resources;
mod search_summaries;
mod write_error;

use access::DataClass;
use access::Disclosing;
use access::Fields;
use access::Operation;
use access::Permitted;
use access::Record;
use access::Subject;
use access::authorize;
use db::Database;
use db::ResourceKey;
use phi::OrganizationId;
use phi::Owner;
use phi::PatientId;
use uuid::Uuid;

use crate::services::blind_indexes::BlindIndexes;
use crate::services::budget::Budget;
use crate::services::clock::Clock;
use crate::services::error::ServiceError;
use crate::services::feed::ChangeFeed;
use crate::services::keys::Keys;
use crate::services::roster::Rosters;
use crate::services::trail::AuditTrail;
use fhir::ResourceClass;
use fhir::ResourceType;

pub(crate) use crate::services::owners::HeadDifference;
pub(crate) use basis::BasisError;
pub(crate) use change::Applied;
pub(crate) use change::Change;
pub(crate) use change::Effect;
pub(crate) use chart::Chart;
pub(crate) use conditions::Evidence;
pub(crate) use conditions::OwnWrites;
pub(crate) use contained::contained_issue;
pub(crate) use contained::refused_contained;
pub(crate) use damage::DamagedRecord;
pub(crate) use history::HistoryPage;
pub(crate) use history::HistoryRange;
pub(crate) use history::HistoryVersion;
pub(crate) use open::OpenVersion;
pub(crate) use open::StoredResource;
pub(crate) use patients::PatientPage;
pub(crate) use patients::PatientSummary;
pub(crate) use refusals::Refusal;
pub(crate) use refusals::RefusalReason;
pub(crate) use write_error::ApplyError;

use change::Content;

/// The record service.
#[derive(Clone, Debug)]
pub(crate) struct Records {
    database: Database,
    keys: Keys,
    trail: AuditTrail,
    indexes: BlindIndexes,
    clock: Clock,
    rosters: Rosters,
    memory: Budget,
}

impl Records {
    /// Records over these services.
    pub(crate) fn new(
        database: Database,
        keys: Keys,
        trail: AuditTrail,
        indexes: BlindIndexes,
        feed: ChangeFeed,
        clock: Clock,
        memory: Budget,
    ) -> Self {
        let rosters = Rosters::new(database.clone(), keys.clone(), feed);
        Self {
            database,
            keys,
            trail,
            indexes,
            clock,
            rosters,
            memory,
        }
    }
}

/// Refuses a permission that is limited to some fields: resources are disclosed whole.
fn ensure_all_fields<A: access::Action>(permitted: &Permitted<'_, A>) -> Result<(), ServiceError> {
    if permitted.fields() == Fields::All {
        Ok(())
    } else {
        Err(ServiceError::Forbidden)
    }
}

/// Whether a whole record may be disclosed under a permit. The record may be of another class than the permit's subject,
/// of which the policy covers only some fields.
fn may_disclose_whole<A: Disclosing>(permitted: &Permitted<'_, A>, record: &Record) -> bool {
    let (role, class) = (permitted.caller().role(), record.subject.class);
    let permission = authorize(role, A::OPERATION, class);
    let permission = permission.or_else(|| authorize(role, Operation::Read, class));
    permission.is_some_and(|it| it.fields == Fields::All) && permitted.may_disclose(record)
}

/// The data class of a resource type, by which the policy decides.
pub(crate) fn class_of(resource_type: ResourceType) -> DataClass {
    match resource_type.class() {
        ResourceClass::Demographics => DataClass::Demographics,
        ResourceClass::Clinical => DataClass::Clinical,
        ResourceClass::Billing => DataClass::Billing,
        ResourceClass::Directory => DataClass::Directory,
    }
}

/// Resources of a type, as a subject of the policy.
pub(crate) fn subject(organization: OrganizationId, resource_type: ResourceType) -> Subject {
    Subject::of(resource_type.name(), class_of(resource_type), organization)
}

/// Resources of every type, each as a subject of the policy: the possible contents of a Bundle.
pub(crate) fn resource_subjects(organization: OrganizationId) -> impl Iterator<Item = Subject> {
    let types = ResourceType::ALL.into_iter();
    types.map(move |resource_type| subject(organization, resource_type))
}

/// A Bundle whose content is not known yet, as a subject of the policy.
pub(crate) fn bundle_subject(organization: OrganizationId) -> Subject {
    Subject::of("Bundle", DataClass::Clinical, organization)
}

/// A patient's chart, as a subject of the policy.
pub(crate) fn chart_subject(organization: OrganizationId) -> Subject {
    Subject::of("chart", DataClass::Clinical, organization)
}

/// A random id for a new resource.
pub(crate) fn random_id() -> Uuid {
    phi::RowId::random().uuid()
}

/// The owner of a resource: a patient, or the organization.
fn owner_of(organization: OrganizationId, patient: Option<Uuid>) -> Owner {
    match patient {
        Some(patient) => Owner::Patient(PatientId::from_uuid(patient)),
        None => Owner::of_organization(organization),
    }
}

fn resource_key(resource_type: ResourceType, id: Uuid) -> ResourceKey {
    ResourceKey {
        kind: resource_type.name(),
        id,
    }
}
