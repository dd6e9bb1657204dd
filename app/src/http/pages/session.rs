//! The use of a session by which a person stays signed in.

use axum::Extension;
use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::authentication::CurrentCaller;
use crate::http::logoff::Logoff;
use crate::http::openapi::Page;

/// The time that a session has.
#[derive(Serialize, ToSchema)]
pub(crate) struct SessionTime {
    /// The seconds until pages are replaced, if the session is not used again.
    seconds: i64,
}

/// Stays signed in: like every request that a person causes, this one is a use of the session.
#[utoipa::path(
    post,
    path = "/session",
    operation_id = "pages.stay_signed_in",
    responses(
        (status = 200, description = "The time that the session has", body = inline(SessionTime)),
        (status = "default", response = Page)
    )
)]
pub(crate) async fn stay(
    _: CurrentCaller,
    Extension(logoff): Extension<Logoff>,
) -> Json<SessionTime> {
    Json(SessionTime {
        seconds: logoff.seconds,
    })
}
