//! The reads of a Bundle.

use access::Caller;
use access::Disclosed;
use access::Read;
use fhir::Reference;
use fhir::bundle::EntryJson;
use fhir::bundle::EntryRead;
use fhir::bundle::EntryResponse;
use fhir::bundle::ReadInteraction;
use zeroize::Zeroizing;

use super::FhirError;
use super::history;
use super::search;
use crate::http::state::AppState;
use crate::services::budget::CallerId;
use crate::services::budget::Reservation;
use crate::services::document;
use crate::services::error::ServiceError;
use crate::services::records::StoredResource;
use crate::services::records::subject;
use crate::services::request_budget::RequestBudget;

/// Executes the read of an entry, whose response may have `max_bytes`. Returns the response with twice its memory,
/// because the response to the Bundle is a copy.
///
/// # Errors
///
/// The outcome of a read that is refused, or another error.
pub(super) async fn read(
    app: &AppState,
    caller: &Caller,
    budget: &RequestBudget,
    read: &EntryRead,
    max_bytes: usize,
) -> Result<(Disclosed<EntryJson>, Reservation), FhirError> {
    budget.admit()?;
    let share = CallerId::of(caller);
    let mut memory = app.memory.reserve(share, 0)?;
    let entry = match &read.interaction {
        ReadInteraction::Read(Reference { resource_type, id }) => {
            let subject = subject(caller.organization(), *resource_type).id(*id);
            let permitted = app.gate.permit(caller, Read, subject).await?;
            let records = &app.records;
            let stored = records.read(&permitted, *resource_type, *id, max_bytes);
            of_stored(stored.await?, budget, read, &mut memory)
        }
        ReadInteraction::Version(Reference { resource_type, id }, version) => {
            let subject = subject(caller.organization(), *resource_type).id(*id);
            let permitted = app.gate.permit(caller, Read, subject).await?;
            let records = &app.records;
            let stored = records.read_version(&permitted, *resource_type, *id, *version, max_bytes);
            of_stored(stored.await?, budget, read, &mut memory)
        }
        ReadInteraction::History { target, query } => {
            let query = Zeroizing::new(query.as_bytes().to_vec());
            let found = history::resource_history(app, caller, budget, *target, query).await?;
            of_bundle(found, max_bytes, &mut memory)?
        }
        ReadInteraction::Search {
            resource_type,
            query,
        } => {
            let query = Zeroizing::new(query.as_bytes().to_vec());
            let found = search::searchset(app, caller, budget, *resource_type, query).await?;
            of_bundle(found, max_bytes, &mut memory)?
        }
    };
    Ok((entry, memory))
}

/// The entry of a resource.
fn of_stored(
    stored: Disclosed<StoredResource>,
    budget: &RequestBudget,
    read: &EntryRead,
    memory: &mut Reservation,
) -> Disclosed<EntryJson> {
    stored.map(|stored| {
        budget.charge_bodies(1, stored.bytes);
        let mut reserved = stored.reserved;
        let (resource, meta) = (stored.resource, stored.meta);
        let response = if read.precondition.is_not_modified(meta) {
            EntryResponse::NotModified { meta }
        } else {
            EntryResponse::Read { resource, meta }
        };
        let entry = document::process(stored.bytes, || EntryJson::from(response));
        reserved.shrink_to(2 * entry.len());
        memory.absorb(reserved);
        entry
    })
}

/// The entry of a search or a history.
fn of_bundle(
    found: Disclosed<(Zeroizing<Vec<u8>>, Reservation)>,
    max_bytes: usize,
    memory: &mut Reservation,
) -> Result<Disclosed<EntryJson>, ServiceError> {
    let mut is_too_large = false;
    let entry = found.map(|(bundle, mut reserved)| {
        is_too_large = bundle.len() > max_bytes;
        let entry = EntryJson::from(EntryResponse::Bundle(bundle));
        reserved.shrink_to(2 * entry.len());
        memory.absorb(reserved);
        entry
    });
    if is_too_large {
        return Err(ServiceError::ResponseTooLarge);
    }
    Ok(entry)
}
