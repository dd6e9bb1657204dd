//! Sign-in by a passkey: the options for the script of the page, and the form that it sends.

use axum::Form;
use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse as _;
use axum::response::Response;
use phi::passkey::RequestOptions;

use super::Notice;
use super::SignInPage;
use super::page;
use super::signed_in;
use super::throttled;
use crate::http::authentication::CurrentOrigin;
use crate::http::openapi::Page;
use crate::http::pages::passkey_form::PasskeyForm;
use crate::http::problem::Problem;
use crate::http::return_path::ReturnPaths;
use crate::http::state::AppState;
use crate::services::error::ServiceError;
use crate::services::sign_in::SignInError;

/// The options with which a browser responds for a passkey.
///
/// # Errors
///
/// 503 while keys are unavailable; see [`Problem`].
#[utoipa::path(
    post,
    path = "/sign-in/passkey/options",
    operation_id = "pages.passkey_options",
    responses(
        (status = 200, description = "`PublicKeyCredentialRequestOptionsJSON`", content_type = "application/json", body = Object),
        (status = "default", response = Page)
    )
)]
pub(crate) async fn options(State(app): State<AppState>) -> Result<Json<RequestOptions>, Problem> {
    Ok(Json(app.identity.passkey_sign_in_options().await?))
}

/// Signs in by a passkey: begins a session.
///
/// # Errors
///
/// See [`Problem`].
#[utoipa::path(
    post,
    path = "/sign-in/passkey",
    operation_id = "pages.sign_in_by_passkey",
    request_body(content = inline(PasskeyForm), content_type = "application/x-www-form-urlencoded"),
    responses((status = 303, description = "Signed in"), (status = "default", response = Page))
)]
pub(crate) async fn submit(
    State(app): State<AppState>,
    CurrentOrigin(origin): CurrentOrigin,
    pages: ReturnPaths,
    Form(form): Form<PasskeyForm>,
) -> Result<Response, Problem> {
    let next = form.next.and_then(|next| pages.parse(&next));
    let begun = app.sign_in.begin_session_by_passkey(origin, &form.response);
    match begun.await {
        Ok(session) => signed_in(&app, origin, &session, next.as_ref(), form.kept).await,
        Err(SignInError::InvalidCredentials) => {
            let refused = SignInPage::new(Some(Notice::RefusedPasskey), String::new(), next);
            Ok(page(refused.with_kept(form.kept)).into_response())
        }
        Err(SignInError::Service(ServiceError::TooManyAttempts(seconds))) => {
            Ok(throttled(seconds, String::new(), next, form.kept))
        }
        Err(SignInError::Service(error)) => Err(error.into()),
    }
}
