//! The page on which a person shows a second factor again.

pub(crate) mod passkey;

use access::NotPhi;
use askama::Template;
use axum::Form;
use axum::extract::Query;
use axum::extract::State;
use axum::response::IntoResponse as _;
use axum::response::Redirect;
use axum::response::Response;
use http::StatusCode;
use http::header;
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;

use super::html::Html;
use super::layout::Layout;
use super::sign_in::session_cookie_of;
use crate::http::authentication::CurrentCaller;
use crate::http::openapi::Page;
use crate::http::problem::Problem;
use crate::http::return_path::ReturnPath;
use crate::http::return_path::ReturnPaths;
use crate::http::return_path::ReturnQuery;
use crate::http::state::AppState;
use crate::services::identity::NewSession;
use crate::services::sign_in::SignInError;

/// The form with a code.
#[derive(Deserialize, ToSchema)]
pub(crate) struct StepUpForm {
    #[schema(value_type = String)]
    code: SecretString,
    /// The path of the page to return to.
    next: Option<String>,
}

/// The form.
///
/// # Errors
///
/// See [`Problem`].
#[utoipa::path(
    get,
    path = "/step-up",
    operation_id = "pages.step_up_form",
    params(ReturnQuery),
    responses((status = "default", response = Page))
)]
pub(crate) async fn show(
    _: CurrentCaller,
    pages: ReturnPaths,
    Query(ReturnQuery { next }): Query<ReturnQuery>,
) -> Html<StepUpPage> {
    let next = next.and_then(|next| pages.parse(&next));
    let page = NotPhi::assert(StepUpPage::new(next, None), "a fixed text");
    Html::not_phi(StatusCode::OK, page)
}

/// Replaces the session by one with a recent second factor.
///
/// # Errors
///
/// 429 after too many attempts; see [`Problem`].
#[utoipa::path(
    post,
    path = "/step-up",
    operation_id = "pages.step_up",
    request_body(content = inline(StepUpForm), content_type = "application/x-www-form-urlencoded"),
    responses((status = 303, description = "Shown"), (status = "default", response = Page))
)]
pub(crate) async fn submit(
    State(app): State<AppState>,
    caller: CurrentCaller,
    pages: ReturnPaths,
    Form(form): Form<StepUpForm>,
) -> Result<Response, Problem> {
    let next = form.next.and_then(|next| pages.parse(&next));
    let stepped_up = app.sign_in.step_up(&caller, &form.code).await;
    response(stepped_up, next, Refusal::Code)
}

/// The redirect with the new session, or the page after a refusal.
fn response(
    stepped_up: Result<NewSession, SignInError>,
    next: Option<ReturnPath>,
    refusal: Refusal,
) -> Result<Response, Problem> {
    match stepped_up {
        Ok(session) => {
            let headers = [(header::SET_COOKIE, session_cookie_of(&session)?)];
            Ok((headers, Redirect::to(ReturnPath::or_start(next.as_ref()))).into_response())
        }
        Err(SignInError::InvalidCredentials) => {
            let page = NotPhi::assert(StepUpPage::new(next, Some(refusal)), "a fixed text");
            Ok(Html::not_phi(StatusCode::BAD_REQUEST, page).into_response())
        }
        Err(SignInError::Service(error)) => Err(error.into()),
    }
}

/// What was not accepted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Refusal {
    /// A code.
    Code,
    /// A passkey.
    Passkey,
}

/// The page with the form.
#[derive(Template)]
#[template(path = "step_up.html")]
pub(crate) struct StepUpPage {
    layout: Layout,
    next: Option<ReturnPath>,
    refusal: Option<Refusal>,
}

impl StepUpPage {
    /// The path of the page to return to.
    fn back(&self) -> &str {
        ReturnPath::or_start(self.next.as_ref())
    }

    fn is_refused(&self, refusal: Refusal) -> bool {
        self.refusal == Some(refusal)
    }

    /// The page before `next`.
    pub(crate) fn new(next: Option<ReturnPath>, refusal: Option<Refusal>) -> Self {
        Self {
            layout: Layout {
                title: "Confirm that it is you",
                user: None,
            },
            next,
            refusal,
        }
    }
}
