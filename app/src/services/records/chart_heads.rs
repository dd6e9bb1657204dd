//! The heads of a patient's whole chart, compared with the owner's set before any body is opened.

use db::OwnedPosition;
use fhir::Reference;
use phi::Head;
use phi::HeadSet;
use phi::OrganizationId;
use phi::Owner;
use phi::PatientId;
use phi::Tampering;

use super::Records;
use crate::limits::HEADS_PER_STATEMENT;
use crate::services::budget::CallerId;
use crate::services::budget::Reservation;
use crate::services::error::ServiceError;
use crate::services::owners::OpenOwner;

/// Maximum attempts to read the heads of a chart while it is written.
const MAX_ATTEMPTS: usize = 5;
/// The memory of a head, in bytes: its row, its element of a list that doubles when it grows, and its key.
const HEAD_BYTES: usize = 256;

/// The resources of a chart, those included that were deleted.
pub(super) struct ChartHeads {
    /// The resources, in the order of type and id.
    pub(super) resources: Vec<Reference>,
    /// Whether the heads are exactly those of the owner's set: otherwise resources are hidden, or not current.
    pub(super) is_complete: bool,
    /// The memory of the list.
    pub(super) reserved: Reservation,
    heads: HeadSet,
}

impl Records {
    /// The heads of a patient's chart; none if neither the owner nor any resource of the patient exists.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Internal`] without the owner's row, which could forbid the disclosure;
    /// [`ServiceError::ResponseTooLarge`] for a chart whose list takes more memory than a caller may use.
    pub(super) async fn chart_heads(
        &self,
        organization: OrganizationId,
        caller: CallerId,
        patient: PatientId,
    ) -> Result<Option<ChartHeads>, ServiceError> {
        let owner = Owner::Patient(patient);
        let mut row = self.database.owner(organization, &owner).await?;
        for _ in 0..MAX_ATTEMPTS {
            if row.is_none() {
                let start = OwnedPosition::default();
                let any = self.database.owned_heads(organization, &owner, &start, 1);
                if any.await?.is_empty() {
                    return Ok(None);
                }
                // The owner was created between the two statements, or its row is hidden: then it cannot be opened.
                row = self.database.owner(organization, &owner).await?;
            }
            let mac = row.as_ref().map(|row| *row.mac.as_bytes());
            let open = OpenOwner::open(&self.keys, organization, owner, row).await?;
            let mut heads = self.read_heads(organization, caller, owner, &open).await?;
            heads.is_complete = open.has_set(&heads.heads);
            if heads.is_complete {
                return Ok(Some(heads));
            }
            // Any write changes the owner's row, too: with the same row, no write explains the difference.
            row = self.database.owner(organization, &owner).await?;
            if row.as_ref().map(|row| *row.mac.as_bytes()) == mac {
                let reason = "the heads of a chart do not match the set of their owner";
                let id = Some(patient.uuid());
                let _reported = Tampering::report("resources", reason, organization, id);
                return Ok(Some(heads));
            }
        }
        Err(ServiceError::unavailable(
            "too many concurrent writes of the chart",
        ))
    }

    /// Reads the heads of an owner, a page at a time.
    async fn read_heads(
        &self,
        organization: OrganizationId,
        caller: CallerId,
        owner: Owner,
        open: &OpenOwner,
    ) -> Result<ChartHeads, ServiceError> {
        let mut chart = ChartHeads {
            resources: Vec::new(),
            is_complete: false,
            reserved: self.memory.reserve(caller, 0)?,
            heads: HeadSet::default(),
        };
        let mut after = OwnedPosition::default();
        loop {
            let heads =
                self.database
                    .owned_heads(organization, &owner, &after, HEADS_PER_STATEMENT);
            let heads = heads.await?;
            let is_last = heads.len() < usize::try_from(HEADS_PER_STATEMENT).unwrap_or_default();
            self.grow(&mut chart.reserved, heads.len() * HEAD_BYTES)?;
            for head in heads {
                let here = OwnedPosition {
                    kind: head.kind,
                    id: head.id,
                };
                // Not ensured by the statement, and the progress depends on it.
                if here <= after {
                    return Ok(chart);
                }
                let listed = Head {
                    kind: &here.kind,
                    id: head.id,
                    version: head.version,
                    digest: head.version_digest,
                };
                open.add_head(&mut chart.heads, listed);
                // A type that is unknown is not of this server, and makes the sets differ.
                if let Ok(resource_type) = here.kind.parse() {
                    let id = here.id;
                    chart.resources.push(Reference { resource_type, id });
                }
                after = here;
            }
            if is_last {
                return Ok(chart);
            }
        }
    }
}
