//! Sign-out: the session ends on the server, and the browser removes cookie and cached pages.

use axum::extract::State;
use axum::response::IntoResponse;
use axum::response::Redirect;
use axum::response::Response;
use http::HeaderValue;
use http::header;

use super::sign_in::EXPIRED_SESSION_COOKIE;
use super::signed_out::CLEAR_CACHE;
use crate::http::authentication::CurrentCaller;
use crate::http::openapi::Page;
use crate::http::problem::Problem;
use crate::http::state::AppState;

/// Signs out: ends the session.
///
/// # Errors
///
/// See [`Problem`]; the session may still be valid then.
#[utoipa::path(
    post,
    path = "/sign-out",
    operation_id = "pages.sign_out",
    request_body(content_type = "application/x-www-form-urlencoded"),
    responses((status = 303, description = "Signed out"), (status = "default", response = Page))
)]
pub(crate) async fn submit(
    State(app): State<AppState>,
    caller: CurrentCaller,
) -> Result<Response, Problem> {
    app.sign_in.sign_out(&caller).await?;
    let headers = [
        (header::SET_COOKIE, EXPIRED_SESSION_COOKIE),
        CLEAR_CACHE,
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((headers, Redirect::to("/sign-in")).into_response())
}
