//! The page of the caller's own sign-in: password, second factor, sessions.

use access::AssuranceLevel;
use access::NotPhi;
use access::Read;
use askama::Template;
use axum::Form;
use axum::extract::State;
use axum::response::IntoResponse as _;
use axum::response::Redirect;
use axum::response::Response;
use http::StatusCode;
use http::header;
use phi::RecoveryCode;
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::dates::minute;
use super::html::Html;
use super::layout::Layout;
use super::sign_in::session_cookie_of;
use super::sign_in::with_new_session;
use super::wait::Wait;
use crate::http::authentication::CurrentCaller;
use crate::http::authenticator_changes::permit;
use crate::http::authenticator_changes::problem;
use crate::http::openapi::Page;
use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::services::error::ServiceError;
use crate::services::identity::DeviceKind;
use crate::services::identity::OwnAuthenticators;
use crate::services::identity::OwnDevice;
use crate::services::identity::OwnSession;
use crate::services::identity::PasswordChangeError;
use crate::services::identity::own_account;

/// The form of a new password.
#[derive(Deserialize, ToSchema)]
pub(crate) struct PasswordForm {
    #[schema(value_type = String, format = Password)]
    password: SecretString,
    #[schema(value_type = String, format = Password)]
    new_password: SecretString,
}

/// The form that ends a session.
#[derive(Deserialize, ToSchema)]
pub(crate) struct EndForm {
    session: Uuid,
}

/// The form that removes an authenticator app or a passkey.
#[derive(Deserialize, ToSchema)]
pub(crate) struct RemoveDeviceForm {
    device: Uuid,
}

/// The caller's sessions and tokens, devices, and what they can do about their sign-in.
///
/// # Errors
///
/// See [`Problem`].
#[utoipa::path(
    get,
    path = "/security",
    operation_id = "pages.security",
    responses((status = "default", response = Page))
)]
pub(crate) async fn show(
    State(app): State<AppState>,
    caller: CurrentCaller,
) -> Result<Html<SecurityPage>, Problem> {
    let permitted = app.gate.permit(&caller, Read, own_account(&caller)).await?;
    let authenticators = app.identity.own_authenticators(&caller).await?;
    let may_change = caller.assurance_level() == AssuranceLevel::RecentMultiFactor;
    let sessions = app.identity.own_sessions(&permitted).await?;
    Ok(Html::disclosed(sessions.map(|sessions| {
        SecurityPage::new(&sessions, &authenticators, may_change)
    })))
}

/// Replaces the caller's password, and begins a new session.
///
/// # Errors
///
/// 429 after too many attempts; see [`Problem`].
#[utoipa::path(
    post,
    path = "/security/password",
    operation_id = "pages.change_password",
    request_body(content = inline(PasswordForm), content_type = "application/x-www-form-urlencoded"),
    responses((status = 303, description = "Changed"), (status = "default", response = Page))
)]
pub(crate) async fn change_password(
    State(app): State<AppState>,
    caller: CurrentCaller,
    Form(form): Form<PasswordForm>,
) -> Result<Response, Problem> {
    let permitted = permit(&app, &caller).await?;
    let changed = app
        .identity
        .change_password(&permitted, form.password, form.new_password);
    let refusal = match changed.await {
        Ok(renewal) => {
            let session = app.sign_in.renew_session(&caller, &renewal).await?;
            let headers = [(header::SET_COOKIE, session_cookie_of(&session)?)];
            return Ok((headers, Redirect::to("/security")).into_response());
        }
        Err(PasswordChangeError::WrongPassword) => Refusal::Wrong,
        Err(PasswordChangeError::Weak(weak)) => Refusal::Weak(weak.advice()),
        Err(PasswordChangeError::Service(ServiceError::TooManyAttempts(seconds))) => {
            Refusal::Throttled(Wait(seconds))
        }
        Err(PasswordChangeError::Service(error)) => return Err(error.into()),
    };
    let page = NotPhi::assert(SecurityPage::refused(refusal), "a fixed text");
    Ok(match refusal {
        Refusal::Throttled(wait) => {
            wait.with_header(Html::not_phi(StatusCode::TOO_MANY_REQUESTS, page))
        }
        Refusal::Wrong | Refusal::Weak(_) => {
            Html::not_phi(StatusCode::BAD_REQUEST, page).into_response()
        }
    })
}

/// Ends one of the caller's sessions or tokens.
///
/// # Errors
///
/// 404 for one that is not the caller's, or not in force; see [`Problem`].
#[utoipa::path(
    post,
    path = "/security/end",
    operation_id = "pages.end_own_session",
    request_body(content = inline(EndForm), content_type = "application/x-www-form-urlencoded"),
    responses((status = 303, description = "Ended"), (status = "default", response = Page))
)]
pub(crate) async fn end(
    State(app): State<AppState>,
    caller: CurrentCaller,
    Form(form): Form<EndForm>,
) -> Result<Redirect, Problem> {
    let permitted = permit(&app, &caller).await?;
    app.identity
        .end_own_session(&permitted, form.session)
        .await?;
    Ok(Redirect::to("/security"))
}

/// Removes an authenticator app or a passkey of the caller, and begins a new session.
///
/// # Errors
///
/// 400 for the only one, 404 for one that is not the caller's; see [`Problem`].
#[utoipa::path(
    post,
    path = "/security/devices/remove",
    operation_id = "pages.remove_device",
    request_body(content = inline(RemoveDeviceForm), content_type = "application/x-www-form-urlencoded"),
    responses((status = 303, description = "Removed"), (status = "default", response = Page))
)]
pub(crate) async fn remove_device(
    State(app): State<AppState>,
    caller: CurrentCaller,
    Form(form): Form<RemoveDeviceForm>,
) -> Result<Response, Problem> {
    let permitted = permit(&app, &caller).await?;
    let removed = app.identity.remove_device(&permitted, form.device).await;
    let renewal = removed.map_err(problem)?;
    with_new_session(&app, &caller, &renewal, Redirect::to("/security")).await
}

/// Replaces the caller's recovery codes, and shows the new ones.
///
/// # Errors
///
/// 403 for a session of one factor; see [`Problem`].
#[utoipa::path(
    post,
    path = "/security/recovery-codes",
    operation_id = "pages.renew_recovery_codes",
    responses((status = "default", response = Page))
)]
pub(crate) async fn renew_recovery_codes(
    State(app): State<AppState>,
    caller: CurrentCaller,
) -> Result<Html<RecoveryCodesPage>, Problem> {
    let permitted = permit(&app, &caller).await?;
    let codes = app.identity.renew_recovery_codes(&permitted).await;
    let codes = codes.map_err(problem)?;
    Ok(Html::disclosed(
        codes.map(|codes| RecoveryCodesPage::new(&codes)),
    ))
}

/// The page with new recovery codes.
#[derive(Template)]
#[template(path = "recovery_codes.html")]
pub(crate) struct RecoveryCodesPage {
    layout: Layout,
    /// The codes, in groups.
    codes: Vec<Zeroizing<String>>,
}

impl RecoveryCodesPage {
    /// The page with these codes.
    pub(crate) fn new(codes: &[RecoveryCode]) -> Self {
        Self {
            layout: Layout {
                title: "New recovery codes",
                user: None,
            },
            codes: codes.iter().map(RecoveryCode::to_groups).collect(),
        }
    }
}

/// The page of the caller's sign-in.
#[derive(Template)]
#[template(path = "security.html")]
pub(crate) struct SecurityPage {
    layout: Layout,
    /// The reason why a new password was refused; then sessions and devices are not listed.
    refusal: Option<Refusal>,
    wait: Option<Wait>,
    sessions: Vec<SessionLine>,
    devices: Vec<DeviceLine>,
    /// The number of recovery codes that were not used yet.
    recovery_codes: usize,
    /// Whether the caller has shown a second factor recently, without which no device is removed.
    may_change: bool,
}

/// The reason why a new password was refused.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Refusal {
    /// The present password is wrong.
    Wrong,
    /// The new password is too weak; what to do.
    Weak(&'static str),
    /// Too many attempts.
    Throttled(Wait),
}

/// The line of an authenticator app or a passkey.
struct DeviceLine {
    id: Uuid,
    kind: &'static str,
    since: String,
    used: Option<String>,
}

/// The line of a session.
struct SessionLine {
    id: Uuid,
    kind: &'static str,
    method: &'static str,
    since: String,
    seen: String,
    is_current: bool,
}

impl SecurityPage {
    /// The page with these sessions and authenticators.
    pub(crate) fn new(
        sessions: &[OwnSession],
        authenticators: &OwnAuthenticators,
        may_change: bool,
    ) -> Self {
        Self {
            sessions: sessions.iter().map(SessionLine::of).collect(),
            devices: authenticators.devices.iter().map(DeviceLine::of).collect(),
            recovery_codes: authenticators.recovery_codes,
            may_change,
            ..Self::empty()
        }
    }

    fn empty() -> Self {
        Self {
            layout: Layout {
                title: "Your sign-in",
                user: None,
            },
            refusal: None,
            wait: None,
            sessions: Vec::new(),
            devices: Vec::new(),
            recovery_codes: 0,
            may_change: false,
        }
    }

    /// The page after a refused change of the password.
    pub(crate) fn refused(refusal: Refusal) -> Self {
        let wait = match refusal {
            Refusal::Throttled(wait) => Some(wait),
            Refusal::Wrong | Refusal::Weak(_) => None,
        };
        Self {
            refusal: Some(refusal),
            wait,
            ..Self::empty()
        }
    }

    fn is_wrong(&self) -> bool {
        matches!(self.refusal, Some(Refusal::Wrong))
    }

    /// The advice for a new password, if it was refused.
    fn weakness(&self) -> Option<&'static str> {
        match self.refusal {
            Some(Refusal::Weak(advice)) => Some(advice),
            Some(Refusal::Wrong | Refusal::Throttled(_)) | None => None,
        }
    }
}

impl DeviceLine {
    fn of(device: &OwnDevice) -> Self {
        Self {
            id: device.id,
            kind: match device.kind {
                DeviceKind::App => "Authenticator app",
                DeviceKind::Passkey => "Passkey",
            },
            since: minute(device.created_at),
            used: device.used_at.map(minute),
        }
    }
}

impl SessionLine {
    fn of(session: &OwnSession) -> Self {
        let method = match session.method.as_str() {
            "password" | "token" => "password",
            "password-and-code" => "password and code",
            "passkey" => "passkey",
            _ => "another method",
        };
        Self {
            id: session.id,
            kind: if session.is_token {
                "Program"
            } else {
                "Browser"
            },
            method,
            since: minute(session.authenticated_at),
            seen: minute(session.seen_at),
            is_current: session.is_current,
        }
    }
}
