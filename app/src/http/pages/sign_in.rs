//! The sign-in page.

use access::CredentialKind;
use access::NotPhi;
use askama::Template;
use axum::Form;
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
use super::layout::Layout;
use crate::http::authentication::CurrentOrigin;
use crate::http::authentication::SESSION_COOKIE;
use crate::http::authentication::session_cookie;
use crate::http::openapi::Page;
use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::services::identity::NewSession;
use crate::services::sign_in::Credentials;
use crate::services::sign_in::SignInError;

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
}

/// The sign-in page; for a request with a valid session, a redirect to the start page.
///
/// # Errors
///
/// See [`Problem`].
#[utoipa::path(
    get,
    path = "/sign-in",
    operation_id = "pages.sign_in_form",
    responses((status = 303, description = "Signed in already"), (status = "default", response = Page))
)]
pub(crate) async fn show(
    State(app): State<AppState>,
    CurrentOrigin(origin): CurrentOrigin,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Some(cookie) = session_cookie(&headers) else {
        return Ok(page(StatusCode::OK, None, String::new()).into_response());
    };
    let kind = CredentialKind::Session;
    let caller = app.callers.authenticate(&cookie, kind, origin).await?;
    if caller.is_some() {
        return Ok(Redirect::to("/").into_response());
    }
    let page = page(StatusCode::OK, Some(Notice::Expired), String::new());
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
    Form(SignInForm { email, password }): Form<SignInForm>,
) -> Result<Response, Problem> {
    let credentials = Credentials {
        email: email.clone(),
        password,
    };
    match app.sign_in.begin_session(origin, credentials).await {
        Ok(session) => {
            let headers = [(header::SET_COOKIE, cookie(&session)?)];
            Ok((headers, Redirect::to("/")).into_response())
        }
        Err(SignInError::InvalidCredentials) => {
            let status = StatusCode::UNAUTHORIZED;
            Ok(page(status, Some(Notice::Refused), email).into_response())
        }
        Err(SignInError::Service(error)) => Err(error.into()),
    }
}

fn page(status: StatusCode, notice: Option<Notice>, email: String) -> Html<SignInPage> {
    let page = SignInPage::new(notice, email);
    Html::not_phi(
        status,
        NotPhi::assert(page, "the e-mail address that the client has sent"),
    )
}

/// The session cookie. It has no `Max-Age`: browsers remove it when they close; the server ends the session
/// earlier.
fn cookie(session: &NewSession) -> Result<HeaderValue, Problem> {
    let token = session.token.expose();
    let text = format!("{SESSION_COOKIE}={token}; Path=/; Secure; HttpOnly; SameSite=Strict");
    let mut value = HeaderValue::try_from(text).map_err(Problem::internal)?;
    // Keeps the token out of `Debug` output and of HPACK's dynamic table.
    value.set_sensitive(true);
    Ok(value)
}

/// The sign-in page, with a notice if the form is shown again.
#[derive(Template)]
#[template(path = "sign_in.html")]
pub(crate) struct SignInPage {
    layout: Layout,
    notice: Option<Notice>,
    email: String,
}

impl SignInPage {
    /// The page; `email` fills the form with the address that was sent before.
    pub(crate) fn new(notice: Option<Notice>, email: String) -> Self {
        Self {
            layout: Layout {
                title: "Sign in",
                user: None,
            },
            notice,
            email,
        }
    }
}

/// The reason why the form is shown again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Notice {
    /// Invalid credentials. The notice does not say whether the account exists.
    Refused,
    /// The session has expired.
    Expired,
}

impl Notice {
    /// The CSS class of the notice.
    fn css_class(self) -> &'static str {
        match self {
            Self::Refused => "bad",
            Self::Expired => "info",
        }
    }

    /// The ARIA role of the notice.
    fn aria_role(self) -> &'static str {
        match self {
            Self::Refused => "alert",
            Self::Expired => "status",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Refused => "That did not work.",
            Self::Expired => "Your session has ended.",
        }
    }

    fn advice(self) -> &'static str {
        match self {
            Self::Refused => {
                "E-mail and password do not match an account. Check both and try again."
            }
            Self::Expired => "You were signed out to protect the records. Sign in to go on.",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use phi::SecretToken;

    #[test]
    fn the_cookie_is_for_this_host_over_tls_and_not_for_script() {
        let value = cookie(&NewSession {
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
