//! `GET /api/v1/audit/events`.

use access::DataClass;
use access::List;
use access::Subject;
use audit::Event;
use axum::body::Body;
use axum::extract::State;
use axum::response::IntoResponse as _;
use axum::response::Response;
use http::HeaderValue;
use http::header;
use utoipa::ToSchema;
use zeroize::Zeroizing;

use crate::http::authentication::CurrentCaller;
use crate::http::body::ResponseBody;
use crate::http::openapi::ProblemDetails;
use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::services::error::ServiceError;
use crate::services::trail::LatestEvents;

/// The largest number of events in a response.
const MAX_EVENTS: u32 = 200;

/// The start of a response, before its events.
const PREFIX: &[u8] = br#"{"events":["#;

/// The latest events of an organization.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "a schema: `events_json` writes the response from events that are JSON already"
)]
pub(crate) struct Events {
    /// Newest first.
    events: Vec<Event>,
    /// Whether earlier events are omitted because the response would be too long.
    cut: bool,
}

/// The organization's 200 latest audit events, newest first.
///
/// A response is shorter than 4 MiB: `cut` is true if earlier events are omitted for that reason.
///
/// # Errors
///
/// See [`Problem`].
#[utoipa::path(
    get,
    path = "/api/v1/audit/events",
    operation_id = "workflow.audit_events",
    responses(
        (status = 200, description = "Events; reading them is recorded as an event too", body = inline(Events)),
        (status = "default", response = ProblemDetails),
    )
)]
pub(crate) async fn events(
    State(app): State<AppState>,
    caller: CurrentCaller,
) -> Result<Response, Problem> {
    let subject = Subject::of("audit", DataClass::Audit, caller.organization());
    let permitted = app.gate.permit(&caller, List, subject).await?;
    let latest = app
        .trail
        .latest(&permitted, &app.memory, MAX_EVENTS, |event| {
            let json = serde_json::to_vec(event).map_err(ServiceError::internal)?;
            let length = json.len();
            Ok((json, length))
        });
    let body = latest.await?.map(|latest| {
        let json = Zeroizing::new(events_json(&latest));
        ResponseBody::reserved(json, latest.reserved)
    });
    let headers = [(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    )];
    Ok((headers, Body::from(body.into_inner())).into_response())
}

/// [`Events`] as JSON.
fn events_json(latest: &LatestEvents<Vec<u8>>) -> Vec<u8> {
    let suffix: &[u8] = if latest.is_truncated {
        br#"],"cut":true}"#
    } else {
        br#"],"cut":false}"#
    };
    // Allocated once with the final length: a buffer that grows uses its memory twice while it is copied.
    let commas = latest.events.len();
    let events: usize = latest.events.iter().map(Vec::len).sum();
    let mut json = Vec::with_capacity(PREFIX.len() + events + commas + suffix.len());
    json.extend_from_slice(PREFIX);
    for (index, event) in latest.events.iter().enumerate() {
        if index > 0 {
            json.push(b',');
        }
        json.extend_from_slice(event);
    }
    json.extend_from_slice(suffix);
    json
}
