//! The page on which a person sets the first password of an account, or a new one after a reset.

use access::NotPhi;
use askama::Template;
use axum::Form;
use axum::extract::Query;
use axum::extract::State;
use axum::response::IntoResponse as _;
use axum::response::Redirect;
use axum::response::Response;
use http::StatusCode;
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;

use super::html::Html;
use super::layout::Layout;
use super::wait::Wait;
use crate::http::authentication::CurrentOrigin;
use crate::http::openapi::Page;
use crate::http::problem::Problem;
use crate::http::return_path::ReturnPath;
use crate::http::return_path::ReturnPaths;
use crate::http::return_path::ReturnQuery;
use crate::http::state::AppState;
use crate::services::error::ServiceError;
use crate::services::identity::SetUp;
use crate::services::identity::WeakPassword;
use crate::services::sign_in::AccountSetUpError;
use crate::services::sign_in::SignInError;

/// The set-up form.
#[derive(Deserialize, ToSchema)]
pub(crate) struct SetUpForm {
    email: String,
    #[schema(value_type = String, format = Password)]
    code: SecretString,
    #[schema(value_type = String, format = Password)]
    password: SecretString,
    /// The path of the page to return to after signing in.
    next: Option<String>,
}

/// The set-up page.
#[utoipa::path(
    get,
    path = "/set-up",
    operation_id = "pages.set_up_form",
    params(ReturnQuery),
    responses((status = "default", response = Page))
)]
pub(crate) async fn show(
    pages: ReturnPaths,
    Query(ReturnQuery { next }): Query<ReturnQuery>,
) -> Html<SetUpPage> {
    let next = next.and_then(|next| pages.parse(&next));
    page(StatusCode::OK, SetUpPage::new(None, String::new(), next))
}

/// Sets the password of an account.
///
/// # Errors
///
/// 429 after too many attempts for the account, 503 when too many clients sign in at once; see [`Problem`].
#[utoipa::path(
    post,
    path = "/set-up",
    operation_id = "pages.set_up",
    request_body(content = inline(SetUpForm), content_type = "application/x-www-form-urlencoded"),
    responses((status = 303, description = "Set up"), (status = "default", response = Page))
)]
pub(crate) async fn submit(
    State(app): State<AppState>,
    CurrentOrigin(origin): CurrentOrigin,
    pages: ReturnPaths,
    Form(form): Form<SetUpForm>,
) -> Result<Response, Problem> {
    let next = form.next.and_then(|next| pages.parse(&next));
    let email = form.email.clone();
    let set_up = SetUp {
        email: form.email,
        code: form.code,
        password: form.password,
    };
    let (status, refusal) = match app.sign_in.set_up(origin, set_up).await {
        Ok(()) => {
            let sign_in = ReturnPath::appended_to("/sign-in", next.as_ref());
            return Ok(Redirect::to(&sign_in).into_response());
        }
        Err(AccountSetUpError::Weak(weak)) => (StatusCode::BAD_REQUEST, Refusal::Weak(weak)),
        Err(AccountSetUpError::Refused(SignInError::InvalidCredentials)) => {
            (StatusCode::UNAUTHORIZED, Refusal::Mismatch)
        }
        Err(AccountSetUpError::Refused(SignInError::Service(ServiceError::TooManyAttempts(
            seconds,
        )))) => (
            StatusCode::TOO_MANY_REQUESTS,
            Refusal::Throttled(Wait(seconds)),
        ),
        Err(AccountSetUpError::Refused(SignInError::Service(error))) => {
            return Err(error.into());
        }
    };
    let page = page(status, SetUpPage::new(Some(refusal), email, next));
    Ok(match refusal {
        Refusal::Throttled(wait) => wait.with_header(page),
        Refusal::Mismatch | Refusal::Weak(_) => page.into_response(),
    })
}

fn page(status: StatusCode, page: SetUpPage) -> Html<SetUpPage> {
    let reason = "the e-mail address and the path that the client has sent";
    Html::not_phi(status, NotPhi::assert(page, reason))
}

/// The reason why the form is shown again.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Refusal {
    /// The address or the code is wrong. The page does not say whether the account exists.
    Mismatch,
    /// The password is too weak.
    Weak(WeakPassword),
    /// Too many attempts.
    Throttled(Wait),
}

/// The set-up page, with a notice if the form is shown again.
#[derive(Template)]
#[template(path = "set_up.html")]
pub(crate) struct SetUpPage {
    layout: Layout,
    refusal: Option<Refusal>,
    wait: Option<Wait>,
    email: String,
    next: Option<ReturnPath>,
}

impl SetUpPage {
    /// The page; `email` fills the form with the address that was sent before.
    pub(crate) fn new(refusal: Option<Refusal>, email: String, next: Option<ReturnPath>) -> Self {
        let wait = match refusal {
            Some(Refusal::Throttled(wait)) => Some(wait),
            Some(Refusal::Mismatch | Refusal::Weak(_)) | None => None,
        };
        Self {
            layout: Layout {
                title: "Set up your account",
                user: None,
            },
            refusal,
            wait,
            email,
            next,
        }
    }

    fn is_mismatch(&self) -> bool {
        matches!(self.refusal, Some(Refusal::Mismatch))
    }

    /// The advice for a new password, if it was refused.
    fn weakness(&self) -> Option<&'static str> {
        match self.refusal {
            Some(Refusal::Weak(weak)) => Some(weak.advice()),
            Some(Refusal::Mismatch | Refusal::Throttled(_)) | None => None,
        }
    }
}
