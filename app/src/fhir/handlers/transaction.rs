//! `POST /fhir`: a transaction or a batch.

use axum::extract::{RawQuery, State};
use axum::response::Response;
use bytes::Bytes;
use http::HeaderMap;

use super::apart::Apart;
use super::together::together;
use super::{Failure, answered};
use crate::caller::Caller;
use crate::fhir::bundle::{Mode, Plan, plan, response};
use crate::fhir::request;
use crate::problem::Problem;
use crate::state::App;

/// The largest Bundle that is read, in bytes.
pub(crate) const LARGEST_BUNDLE: usize = 8 << 20;

/// Carries a Bundle out and answers with a Bundle.
///
/// # Errors
///
/// A Bundle that cannot be read, a transaction of which any part cannot be done, or see [`Problem`].
pub(crate) async fn transaction(
    State(app): State<App>,
    caller: Caller,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Failure> {
    request::screen_query(query.as_deref())?;
    request::ask_json(&headers)?;
    request::ask_accepts_json(&headers)?;
    // A large Bundle takes a tenth of a second of parsing: not on a thread that serves others.
    let planned = tokio::task::spawn_blocking(move || plan(&body, &mut random_id)).await;
    let (mode, answers) = match planned.map_err(Problem::internal)?? {
        Plan::Transaction(writes) => (Mode::Transaction, together(&app, &caller, writes).await?),
        Plan::Batch(steps) => (
            Mode::Batch,
            Apart::of(&app, &caller).carry_out(steps).await?,
        ),
    };
    Ok(answered(&response(mode, answers)))
}

fn random_id() -> uuid::Uuid {
    phi::RowId::random().uuid()
}
