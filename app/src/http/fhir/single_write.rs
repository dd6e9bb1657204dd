//! Writes of one resource: create, update, patch and delete.

use std::collections::HashSet;

use access::Caller;
use access::Disclosed;
use access::NotPhi;
use access::Read;
use access::Write;
use axum::body::Body;
use axum::response::IntoResponse as _;
use axum::response::Response;
use fhir::Issue;
use fhir::IssueCode;
use fhir::OperationOutcome;
use fhir::Reference;
use fhir::ResponseForm;
use fhir::VersionMeta;
use fhir::bundle::ResourceWrite;
use fhir::bundle::WriteContent;
use http::HeaderMap;
use http::HeaderValue;
use http::StatusCode;
use http::header;

use super::FhirError;
use super::entry_write::EntryRef;
use super::entry_write::into_change;
use super::entry_write::refusal_outcome;
use super::fhir_response;
use super::preference::ReturnPreference;
use crate::http::body::RequestBody;
use crate::http::body::ResponseBody;
use crate::http::conditional::http_date;
use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::http::unread::discard;
use crate::limits::MAX_BUNDLE_BYTES;
use crate::limits::MAX_RESPONSE_BYTES;
use crate::services::budget::CallerId;
use crate::services::budget::Reservation;
use crate::services::error::ServiceError;
use crate::services::records::Applied;
use crate::services::records::ApplyError;
use crate::services::records::Change;
use crate::services::records::Effect;
use crate::services::records::subject;

/// Reads and parses the body of a write that passed its checks, once the caller is found to be permitted to write the type
/// at all.
///
/// # Errors
///
/// The parser's outcome, or another error.
pub(super) async fn read_body(
    app: &AppState,
    caller: &Caller,
    target: Reference,
    checked: Result<(), OperationOutcome>,
    mut body: Body,
    parser: impl FnOnce(&[u8]) -> Result<ResourceWrite, OperationOutcome> + Send + 'static,
) -> Result<(ResourceWrite, Reservation), FhirError> {
    let subject = subject(caller.organization(), target.resource_type);
    let permitted = match checked {
        Ok(()) => app.gate.permit(caller, Write, subject).await.map(drop),
        Err(outcome) => {
            // The web tier must be able to send the whole body before it reads the response.
            discard(&mut body, MAX_BUNDLE_BYTES).await;
            return Err(outcome.into());
        }
    };
    if let Err(error) = permitted {
        discard(&mut body, MAX_BUNDLE_BYTES).await;
        return Err(error.into());
    }
    let share = CallerId::of(caller);
    let body = RequestBody::read(&app.memory, share, body, MAX_BUNDLE_BYTES).await?;
    let memory = app.memory.clone();
    // A long body takes a tenth of a second, so it is parsed on a blocking thread.
    let parsed = tokio::task::spawn_blocking(move || {
        body.parse(&memory, |bytes| parser(bytes).map_err(FhirError::from))
    });
    parsed.await.map_err(ServiceError::from)?
}

/// Executes a write of one resource; the response is in the form that the client prefers. `memory` is that of the parsed
/// body, which the response uses further.
///
/// # Errors
///
/// The outcome of a write that is refused, or another error; then nothing was written.
pub(super) async fn execute(
    app: &AppState,
    caller: &Caller,
    write: ResourceWrite,
    memory: Reservation,
    preference: ReturnPreference,
) -> Result<Response, FhirError> {
    let entry = EntryRef {
        index: None,
        target: write.target(),
        condition: None,
    };
    let is_patch = matches!(write.content, WriteContent::Patch(_));
    let change = into_change(app, caller, entry, write, None, &HashSet::new()).await?;
    let changes = [change];
    let applied = app.records.apply(&changes).await;
    let applied = applied.map_err(|error| refused(error, entry))?;
    let mut result = None;
    let applied = applied.map(|applied| {
        result = applied.first().copied();
        applied
    });
    let result = result.ok_or(Problem::Internal)?;
    let [change] = changes;
    let is_deleted = matches!(result.effect, Effect::Deleted | Effect::Absent);
    let body = match preference {
        _ if is_deleted => no_body(),
        ReturnPreference::Minimal => no_body(),
        ReturnPreference::OperationOutcome => written_outcome(),
        // The rest of a patched resource is disclosed, unlike that of one that the caller sent.
        // The patch is committed: without the representation the response is still a success.
        ReturnPreference::Representation if is_patch => {
            let read = read_back(app, caller, entry.target).await;
            read.unwrap_or_else(|_unread| no_body())
        }
        ReturnPreference::Representation => representation(applied, change, result.meta, memory),
    };
    respond(app, entry.target, result, body)
}

/// The body with the resource that the caller wrote, whose event is recorded.
fn representation(
    applied: Disclosed<Vec<Applied>>,
    change: Change<'_>,
    meta: VersionMeta,
    memory: Reservation,
) -> Disclosed<Option<ResponseBody>> {
    applied.map(|_recorded| {
        let resource = change.into_sent_resource()?;
        let document = resource.with_meta(meta).into_document();
        Some(ResponseBody::reserved(document.to_bytes(), memory))
    })
}

/// The body with the current version, whose disclosure is recorded; none for a caller that may not read it.
async fn read_back(
    app: &AppState,
    caller: &Caller,
    target: Reference,
) -> Result<Disclosed<Option<ResponseBody>>, FhirError> {
    let Reference { resource_type, id } = target;
    let subject = subject(caller.organization(), resource_type).id(id);
    let permitted = app.gate.permit(caller, Read, subject).await?;
    let records = &app.records;
    let stored = records.read(&permitted, resource_type, id, MAX_RESPONSE_BYTES);
    Ok(stored.await?.map(|stored| {
        let document = stored.resource.with_meta(stored.meta).into_document();
        Some(ResponseBody::reserved(document.to_bytes(), stored.reserved))
    }))
}

fn no_body() -> Disclosed<Option<ResponseBody>> {
    NotPhi::assert(None, "no content").into()
}

fn written_outcome() -> Disclosed<Option<ResponseBody>> {
    let outcome = OperationOutcome::information("the request was executed");
    let body = zeroize::Zeroizing::new(outcome.to_string().into_bytes());
    NotPhi::assert(
        Some(ResponseBody::small(body)),
        "an outcome has no values of records",
    )
    .into()
}

/// The response to a write (R4 3.1.0.8): status, location, version and body.
fn respond(
    app: &AppState,
    target: Reference,
    applied: Applied,
    body: Disclosed<Option<ResponseBody>>,
) -> Result<Response, FhirError> {
    let meta = applied.meta;
    let status = match applied.effect {
        Effect::Created => StatusCode::CREATED,
        Effect::Amended | Effect::Unchanged => StatusCode::OK,
        Effect::Deleted | Effect::Absent => StatusCode::NO_CONTENT,
    };
    let mut response = match body.into_inner() {
        Some(body) => fhir_response(status, body),
        None => (status, [(header::CACHE_CONTROL, "no-store")]).into_response(),
    };
    let exists = !matches!(applied.effect, Effect::Deleted | Effect::Absent);
    let location = || {
        format!(
            "{}/fhir/{target}/_history/{}",
            app.public_origin, meta.version
        )
    };
    let headers = [
        (header::LOCATION, exists.then(location)),
        (header::ETAG, (meta.version > 0).then(|| meta.etag())),
        (
            header::LAST_MODIFIED,
            http_date(meta.last_updated).filter(|_| exists),
        ),
    ];
    for (name, value) in headers {
        if let Some(value) = value {
            let value = HeaderValue::try_from(value).map_err(Problem::internal)?;
            response.headers_mut().insert(name, value);
        }
    }
    Ok(response)
}

/// The error of the only change of a request.
fn refused(error: ApplyError, entry: EntryRef) -> FhirError {
    match error {
        ApplyError::Refused(refusals) => match refusals.first() {
            Some(refusal) => FhirError::Refused(refusal_outcome(refusal.reason, entry)),
            None => ServiceError::Internal.into(),
        },
        // The change has no condition.
        ApplyError::ConditionChanged => ServiceError::Internal.into(),
        ApplyError::Service(error) => error.into(),
    }
}

/// The outcome of a conditional interaction in a URL: its search would be part of the URL.
pub(super) fn refuse_condition() -> OperationOutcome {
    let why = "a condition may identify a person, and URLs are logged: send the request as an entry of a Bundle to \
               POST [base], with the condition in entry.request.url, or for a create in entry.request.ifNoneExist";
    OperationOutcome::bad_request(Issue::new(IssueCode::NotSupported, why))
}

/// The form of the response to a write, whose query string concerns nothing else.
///
/// # Errors
///
/// 400 for other parameters.
pub(super) fn screen_query(target: Reference, query: Option<&str>) -> Result<(), OperationOutcome> {
    ResponseForm::parse(target.resource_type, query.unwrap_or_default()).map(drop)
}

/// The version that `If-Match` requires (R4 3.1.0.5): none without the header.
///
/// # Errors
///
/// 412 for a value that is not the entity tag of a version of this server.
pub(super) fn if_match(headers: &HeaderMap) -> Result<Option<u64>, OperationOutcome> {
    let Some(value) = headers.get(header::IF_MATCH) else {
        return Ok(None);
    };
    let tags = value.to_str().ok().and_then(fhir::EntityTags::parse);
    match tags {
        Some(fhir::EntityTags::Versions(versions)) if versions.len() == 1 => {
            Ok(versions.first().copied())
        }
        _ => {
            let why = "If-Match must be the ETag of the version that was read, such as W/\"3\"";
            let issue = Issue::new(IssueCode::Value, why);
            Err(OperationOutcome::new(
                fhir::Status::PreconditionFailed,
                issue,
            ))
        }
    }
}
