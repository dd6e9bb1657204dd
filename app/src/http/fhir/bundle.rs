//! `POST /fhir`: a transaction or a batch.

use access::Caller;
use access::Write;
use axum::body::Body;
use axum::extract::RawQuery;
use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;

use super::FhirError;
use super::batch::BatchExecutor;
use super::json_response;
use super::request;
use super::request::FormatQuery;
use super::transaction::transaction;
use crate::http::authentication::CurrentCaller;
use crate::http::body::RequestBody;
use crate::http::body::ResponseBody;
use crate::http::openapi::FhirResource;
use crate::http::openapi::Outcome;
use crate::http::openapi::Resource;
use crate::http::state::AppState;
use crate::http::unread::discard;
use crate::limits::MAX_BUNDLE_BYTES;
use crate::services::budget::CallerId;
use crate::services::document;
use crate::services::error::ServiceError;
use crate::services::records::bundle_subject;
use crate::services::records::resource_subjects;
use fhir::bundle::BundleRequest;
use fhir::bundle::EntryJson;
use fhir::bundle::Mode;
use fhir::bundle::parse;
use fhir::bundle::response;

/// Carry out a transaction or a batch.
///
/// # Errors
///
/// A Bundle that cannot be read, a transaction of which any part cannot be done, or see
/// [`Problem`](crate::http::problem::Problem).
#[utoipa::path(
    post,
    path = "/fhir",
    params(FormatQuery),
    request_body(content(
        (Resource = "application/fhir+json"),
        ("application/json"),
        ("text/json")
    )),
    responses((status = 200, response = FhirResource), (status = "default", response = Outcome))
)]
pub(crate) async fn bundle(
    State(app): State<AppState>,
    caller: CurrentCaller,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    mut body: Body,
) -> Result<Response, FhirError> {
    if let Err(error) = admitted(&app, &caller, query.as_deref(), &headers).await {
        discard(&mut body, MAX_BUNDLE_BYTES).await;
        return Err(error);
    }
    let share = CallerId::of(&caller);
    let body = RequestBody::read(&app.memory, share, body, MAX_BUNDLE_BYTES).await?;
    let (memory, server) = (app.memory.clone(), format!("{}/fhir", app.public_origin));
    // A large Bundle takes a tenth of a second of parsing: not on a thread that serves others.
    let parsed = tokio::task::spawn_blocking(move || {
        body.parse(&memory, |bytes| {
            parse(bytes, Some(&server), &mut random_id).map_err(FhirError::from)
        })
    });
    let parsed = parsed.await.map_err(ServiceError::from)?;
    let (request, held) = parsed?;
    let (mode, (entries, reserved)) = match request {
        BundleRequest::Transaction(writes) => {
            let done = transaction(&app, &caller, writes).await?;
            (Mode::Transaction, done)
        }
        BundleRequest::Batch(items) => {
            let executor = BatchExecutor::of(&app, &caller, items.len())?;
            (Mode::Batch, executor.carry_out(items).await?)
        }
    };
    // The trees are gone.
    drop(held);
    Ok(json_response(entries.map(|entries| {
        let bytes = entries.iter().map(EntryJson::len).sum();
        let body = document::process(bytes, || response(mode, entries));
        ResponseBody::reserved(body, reserved)
    })))
}

/// Refuses a request by what is known before its body is read: a role that may do nothing with any content costs no
/// memory.
async fn admitted(
    app: &AppState,
    caller: &Caller,
    query: Option<&str>,
    headers: &HeaderMap,
) -> Result<(), FhirError> {
    request::screen_query(query)?;
    request::ask_json(headers)?;
    request::ask_accepts_json(headers)?;
    let organization = caller.organization();
    let (bundle, contents) = (
        bundle_subject(organization),
        resource_subjects(organization),
    );
    Ok(app.gate.admit(caller, Write, bundle, contents).await?)
}

fn random_id() -> uuid::Uuid {
    phi::RowId::random().uuid()
}
