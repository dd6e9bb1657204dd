//! A passkey as the second factor that is shown again.

use axum::Form;
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use phi::passkey::RequestOptions;

use super::Refusal;
use crate::http::authentication::CurrentCaller;
use crate::http::openapi::Page;
use crate::http::pages::passkey_form::PasskeyForm;
use crate::http::problem::Problem;
use crate::http::return_path::ReturnPaths;
use crate::http::state::AppState;

/// The options with which the caller's browser responds for one of the caller's passkeys.
///
/// # Errors
///
/// 404 if the caller has none; see [`Problem`].
#[utoipa::path(
    post,
    path = "/step-up/passkey/options",
    operation_id = "pages.step_up_passkey_options",
    responses(
        (status = 200, description = "`PublicKeyCredentialRequestOptionsJSON`", content_type = "application/json", body = Object),
        (status = "default", response = Page)
    )
)]
pub(crate) async fn options(
    State(app): State<AppState>,
    caller: CurrentCaller,
) -> Result<Json<RequestOptions>, Problem> {
    Ok(Json(app.identity.passkey_step_up_options(&caller).await?))
}

/// Replaces the session by one with a recent second factor.
///
/// # Errors
///
/// See [`Problem`].
#[utoipa::path(
    post,
    path = "/step-up/passkey",
    operation_id = "pages.step_up_by_passkey",
    request_body(content = inline(PasskeyForm), content_type = "application/x-www-form-urlencoded"),
    responses((status = 303, description = "Session replaced"), (status = "default", response = Page))
)]
pub(crate) async fn submit(
    State(app): State<AppState>,
    caller: CurrentCaller,
    pages: ReturnPaths,
    Form(form): Form<PasskeyForm>,
) -> Result<Response, Problem> {
    let next = form.next.and_then(|next| pages.parse(&next));
    let stepped_up = app.sign_in.step_up_by_passkey(&caller, &form.response);
    super::response(stepped_up.await, next, Refusal::Passkey)
}
