//! The sign-in page.

mod notice;
pub(crate) mod passkey;

use access::Caller;
use access::CredentialKind;
use access::NotPhi;
use access::RequestOrigin;
use askama::Template;
use axum::Form;
use axum::extract::Query;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::response::Redirect;
use axum::response::Response;
use http::HeaderMap;
use http::HeaderValue;
use http::StatusCode;
use http::header;
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;

use super::html::Html;
use super::kept_form;
use super::layout::Layout;
use super::wait::Wait;
use crate::http::authentication::CurrentOrigin;
use crate::http::authentication::SESSION_COOKIE;
use crate::http::authentication::session_cookie;
use crate::http::kept_form::SealedForm;
use crate::http::logoff::Logoff;
use crate::http::logoff::session_use;
use crate::http::openapi::Page;
use crate::http::problem::Problem;
use crate::http::return_path::ReturnPath;
use crate::http::return_path::ReturnPaths;
use crate::http::return_path::ReturnQuery;
use crate::http::state::AppState;
use crate::services::callers::AuthenticatedCaller;
use crate::services::callers::SessionUse;
use crate::services::error::ServiceError;
use crate::services::identity::Credentials;
use crate::services::identity::NewSession;
use crate::services::identity::SessionRenewal;
use crate::services::sign_in::SignInError;

pub(crate) use notice::Notice;

/// The `Set-Cookie` that removes the session cookie.
pub(crate) const EXPIRED_SESSION_COOKIE: HeaderValue = HeaderValue::from_static(
    "__Host-session=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0",
);

/// The sign-in form.
#[derive(Deserialize, ToSchema)]
pub(crate) struct SignInForm {
    email: String,
    #[schema(value_type = String, format = Password)]
    password: SecretString,
    /// A code of an authenticator app, or a recovery code; empty if the account has none.
    #[schema(value_type = Option<String>)]
    code: Option<SecretString>,
    /// The path of the page to return to.
    next: Option<String>,
    /// A form that was sent after the end of its session.
    kept: Option<String>,
}

/// The sign-in page; for a request with a valid session, a redirect to the page to return to.
///
/// # Errors
///
/// See [`Problem`].
#[utoipa::path(
    get,
    path = "/sign-in",
    operation_id = "pages.sign_in_form",
    params(ReturnQuery),
    responses((status = 303, description = "Signed in already"), (status = "default", response = Page))
)]
pub(crate) async fn show(
    State(app): State<AppState>,
    CurrentOrigin(origin): CurrentOrigin,
    pages: ReturnPaths,
    Query(ReturnQuery { next }): Query<ReturnQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let next = next.and_then(|next| pages.parse(&next));
    let Some(cookie) = session_cookie(&headers) else {
        return Ok(page(SignInPage::new(None, String::new(), next)).into_response());
    };
    let (kind, session_use) = (CredentialKind::Session, session_use(&headers));
    let caller = app.callers.authenticate(&cookie, kind, origin, session_use);
    if caller.await?.is_some() {
        return Ok(Redirect::to(ReturnPath::or_start(next.as_ref())).into_response());
    }
    let page = page(SignInPage::new(Some(Notice::Expired), String::new(), next));
    Ok(([(header::SET_COOKIE, EXPIRED_SESSION_COOKIE)], page).into_response())
}

/// Signs in: begins a session.
///
/// # Errors
///
/// 429 after too many attempts for the account, 503 when too many clients sign in at once; see [`Problem`].
#[utoipa::path(
    post,
    path = "/sign-in",
    operation_id = "pages.sign_in",
    request_body(content = inline(SignInForm), content_type = "application/x-www-form-urlencoded"),
    responses((status = 303, description = "Signed in"), (status = "default", response = Page))
)]
pub(crate) async fn submit(
    State(app): State<AppState>,
    CurrentOrigin(origin): CurrentOrigin,
    pages: ReturnPaths,
    Form(form): Form<SignInForm>,
) -> Result<Response, Problem> {
    let next = form.next.and_then(|next| pages.parse(&next));
    let email = form.email;
    let credentials = Credentials {
        email: email.clone(),
        password: form.password,
        code: form.code,
    };
    match app.sign_in.begin_session(origin, credentials).await {
        Ok(session) => signed_in(&app, origin, &session, next.as_ref(), form.kept).await,
        Err(SignInError::InvalidCredentials) => {
            let refused = SignInPage::new(Some(Notice::Refused), email, next);
            Ok(page(refused.with_kept(form.kept)).into_response())
        }
        Err(SignInError::Service(ServiceError::TooManyAttempts(seconds))) => {
            Ok(throttled(seconds, email, next, form.kept))
        }
        Err(SignInError::Service(error)) => Err(error.into()),
    }
}

/// The page after too many attempts.
fn throttled(
    seconds: u32,
    email: String,
    next: Option<ReturnPath>,
    kept: Option<String>,
) -> Response {
    let wait = Wait(seconds);
    let throttled = SignInPage::new(Some(Notice::Throttled(wait)), email, next);
    wait.with_header(page(throttled.with_kept(kept)))
}

/// The response to a sign-in: a redirect to the page to return to, or the form that was kept.
async fn signed_in(
    app: &AppState,
    origin: RequestOrigin,
    session: &NewSession,
    next: Option<&ReturnPath>,
    kept: Option<String>,
) -> Result<Response, Problem> {
    let headers = [(header::SET_COOKIE, session_cookie_of(session)?)];
    let kept = match kept {
        Some(kept) => kept_form(app, origin, session, &kept).await,
        None => None,
    };
    Ok(match kept {
        Some(page) => (headers, page).into_response(),
        None => (headers, Redirect::to(ReturnPath::or_start(next))).into_response(),
    })
}

/// The page of a form that the person of a new session had sent. A failure is none: the person is signed in.
async fn kept_form(
    app: &AppState,
    origin: RequestOrigin,
    session: &NewSession,
    kept: &str,
) -> Option<Response> {
    let (kind, session_use) = (CredentialKind::Session, SessionUse::NotCounted);
    let caller = app
        .callers
        .authenticate(&session.token, kind, origin, session_use);
    let AuthenticatedCaller { caller, ends_at } = caller.await.ok()??;
    let form = app.kept_forms.open(&caller, kept).await.ok()??;
    let mut response = kept_form::page(form).into_response();
    let logoff = Logoff::new(ends_at, app.clock.now(), app.callers.limits().idle);
    logoff.apply(&mut response, None);
    Some(response)
}

/// The page on which a person signs in again whose form is kept.
pub(crate) fn keeping(kept: SealedForm) -> Html<SignInPage> {
    let page = SignInPage::new(Some(Notice::Kept), String::new(), None);
    self::page(page.with_kept(Some(kept.0)))
}

fn page(page: SignInPage) -> Html<SignInPage> {
    let status = page.notice.map_or(StatusCode::OK, Notice::status);
    let reason = "the e-mail address and the path that the client has sent";
    Html::not_phi(status, NotPhi::assert(page, reason))
}

/// The session cookie. It has no `Max-Age`: browsers remove it when they close; the server ends the session
/// earlier.
pub(super) fn session_cookie_of(session: &NewSession) -> Result<HeaderValue, Problem> {
    let token = session.token.expose();
    let text = format!("{SESSION_COOKIE}={token}; Path=/; Secure; HttpOnly; SameSite=Strict");
    let mut value = HeaderValue::try_from(text).map_err(Problem::internal)?;
    // Keeps the token out of `Debug` output and of HPACK's dynamic table.
    value.set_sensitive(true);
    Ok(value)
}

/// A response with a new session in place of the caller's. It is sent in any case: without a new session, the person signs in
/// again.
pub(super) async fn with_new_session(
    app: &AppState,
    caller: &Caller,
    renewal: &SessionRenewal,
    response: impl IntoResponse,
) -> Result<Response, Problem> {
    let Ok(session) = app.sign_in.renew_session(caller, renewal).await else {
        return Ok(response.into_response());
    };
    let headers = [(header::SET_COOKIE, session_cookie_of(&session)?)];
    Ok((headers, response).into_response())
}

/// The sign-in page, with a notice if the form is shown again.
#[derive(Template)]
#[template(path = "sign_in.html")]
pub(crate) struct SignInPage {
    layout: Layout,
    notice: Option<Notice>,
    wait: Option<Wait>,
    email: String,
    next: Option<ReturnPath>,
    kept: Option<String>,
}

impl SignInPage {
    /// The page; `email` fills the form with the address that was sent before.
    pub(crate) fn new(notice: Option<Notice>, email: String, next: Option<ReturnPath>) -> Self {
        let wait = match notice {
            Some(Notice::Throttled(wait)) => Some(wait),
            Some(Notice::Refused | Notice::RefusedPasskey | Notice::Expired | Notice::Kept)
            | None => None,
        };
        Self {
            layout: Layout {
                title: "Sign in",
                user: None,
            },
            notice,
            wait,
            email,
            next,
            kept: None,
        }
    }

    /// The page with a form that is kept.
    fn with_kept(self, kept: Option<String>) -> Self {
        Self { kept, ..self }
    }

    fn is_refused(&self) -> bool {
        self.notice == Some(Notice::Refused)
    }

    /// The path of the page on which an account is set up.
    fn set_up(&self) -> String {
        ReturnPath::appended_to("/set-up", self.next.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use phi::SecretToken;

    #[test]
    fn the_cookie_is_for_this_host_over_tls_and_not_for_script() {
        let value = session_cookie_of(&NewSession {
            token: SecretToken::random(),
            expires_at: time::OffsetDateTime::UNIX_EPOCH,
        })
        .unwrap();
        let text = value.to_str().unwrap().to_owned();
        for attribute in [
            "__Host-session=",
            "; Path=/",
            "; Secure",
            "; HttpOnly",
            "Strict",
        ] {
            assert!(text.contains(attribute), "{attribute}");
        }
        assert!(!text.contains("Domain"));
        assert!(
            EXPIRED_SESSION_COOKIE
                .to_str()
                .unwrap()
                .starts_with(SESSION_COOKIE)
        );
    }
}
