//! The set-up of a passkey: the options for the script of the page, and the form that it sends.

use access::NotPhi;
use axum::Form;
use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse as _;
use axum::response::Response;
use http::StatusCode;
use phi::passkey::CreationOptions;

use super::SecondFactorPage;
use super::ensure_session;
use crate::http::authentication::CurrentCaller;
use crate::http::authenticator_changes::permit;
use crate::http::authenticator_changes::problem;
use crate::http::openapi::Page;
use crate::http::pages::html::Html;
use crate::http::pages::passkey_form::PasskeyForm;
use crate::http::pages::sign_in::with_new_session;
use crate::http::problem::Problem;
use crate::http::return_path::ReturnPaths;
use crate::http::state::AppState;
use crate::services::identity::AuthenticatorChangeError;
use crate::services::identity::DeviceKind;

/// The options with which the caller's browser makes a passkey.
///
/// # Errors
///
/// 400 if the person has as many devices as are allowed; see [`Problem`].
#[utoipa::path(
    post,
    path = "/second-factor/passkey/options",
    operation_id = "pages.new_passkey_options",
    responses(
        (status = 200, description = "`PublicKeyCredentialCreationOptionsJSON`", content_type = "application/json", body = Object),
        (status = "default", response = Page)
    )
)]
pub(crate) async fn options(
    State(app): State<AppState>,
    caller: CurrentCaller,
) -> Result<Json<CreationOptions>, Problem> {
    let permitted = permit(&app, &caller).await?;
    let options = app.identity.passkey_creation_options(&permitted).await;
    let reason = "the caller's own name and e-mail address";
    let options = NotPhi::assert(options.map_err(problem)?, reason);
    Ok(Json(options.into_inner()))
}

/// Stores a passkey, and shows the recovery codes that were made with the first device.
///
/// # Errors
///
/// See [`Problem`].
#[utoipa::path(
    post,
    path = "/second-factor/passkey",
    operation_id = "pages.add_passkey",
    request_body(content = inline(PasskeyForm), content_type = "application/x-www-form-urlencoded"),
    responses((status = "default", response = Page))
)]
pub(crate) async fn submit(
    State(app): State<AppState>,
    caller: CurrentCaller,
    pages: ReturnPaths,
    Form(form): Form<PasskeyForm>,
) -> Result<Response, Problem> {
    let next = form.next.and_then(|next| pages.parse(&next));
    let permitted = permit(&app, &caller).await?;
    ensure_session(&caller, "Passkeys are set up by a browser.")?;
    let added = app.identity.add_passkey(&permitted, &form.response).await;
    let (renewal, codes) = match added {
        Ok(added) => added,
        Err(AuthenticatorChangeError::InvalidPasskey) => {
            let page = SecondFactorPage::start(true).returning_to(next);
            let page = NotPhi::assert(page, "a fixed text, and the path of a page");
            return Ok(Html::not_phi(StatusCode::BAD_REQUEST, page).into_response());
        }
        Err(error) => return Err(problem(error)),
    };
    let done =
        |codes: Vec<_>| SecondFactorPage::done(DeviceKind::Passkey, &codes).returning_to(next);
    with_new_session(&app, &caller, &renewal, Html::disclosed(codes.map(done))).await
}
