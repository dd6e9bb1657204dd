//! `POST /fhir`: a transaction or a batch.

use axum::extract::{RawQuery, State};
use axum::response::Response;
use bytes::Bytes;
use http::HeaderMap;

use super::batch::BatchExecutor;
use super::request::{self, FormatQuery};
use super::transaction::transaction;
use super::{FhirError, json_response};
use crate::http::authentication::CurrentCaller;
use crate::http::openapi::{FhirResource, Outcome, Resource};
use crate::http::problem::Problem;
use crate::http::state::AppState;
use fhir::bundle::{BundleRequest, Mode, parse, response};

/// The largest Bundle that is read, in bytes.
pub(crate) const LARGEST_BUNDLE: usize = 8 << 20;

/// Carry out a transaction or a batch.
///
/// # Errors
///
/// A Bundle that cannot be read, a transaction of which any part cannot be done, or see [`Problem`].
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
    body: Bytes,
) -> Result<Response, FhirError> {
    request::screen_query(query.as_deref())?;
    request::ask_json(&headers)?;
    request::ask_accepts_json(&headers)?;
    let server = format!("{}/fhir", app.public_origin);
    // A large Bundle takes a tenth of a second of parsing: not on a thread that serves others.
    let parsed =
        tokio::task::spawn_blocking(move || parse(&body, Some(&server), &mut random_id)).await;
    let (mode, responses) = match parsed.map_err(Problem::internal)?? {
        BundleRequest::Transaction(writes) => {
            (Mode::Transaction, transaction(&app, &caller, writes).await?)
        }
        BundleRequest::Batch(steps) => (
            Mode::Batch,
            BatchExecutor::of(&app, &caller).carry_out(steps).await?,
        ),
    };
    Ok(json_response(
        responses.map(|responses| response(mode, responses)),
    ))
}

fn random_id() -> uuid::Uuid {
    phi::RowId::random().uuid()
}
