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
use super::layout::Frame;
use crate::http::authentication::Origin;
use crate::http::authentication::SESSION_COOKIE;
use crate::http::authentication::session_cookie;
use crate::http::openapi::Page;
use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::services::identity::NewSession;
use crate::services::sign_in::Credentials;
use crate::services::sign_in::SignInError;

/// Makes the browser forget the session cookie.
pub(crate) const FORGET_SESSION: HeaderValue = HeaderValue::from_static(
    "__Host-session=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0",
);

/// What the form sends.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Typed {
    email: String,
    #[schema(value_type = String, format = Password)]
    password: SecretString,
}

/// The sign-in form; the start page, if the request carries a session in force.
///
/// # Errors
///
/// See [`Problem`].
#[utoipa::path(
    get,
    path = "/sign-in",
    responses((status = 303, description = "Signed in already"), (status = "default", response = Page))
)]
pub(crate) async fn show(
    State(app): State<AppState>,
    Origin(origin): Origin,
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
    Ok(([(header::SET_COOKIE, FORGET_SESSION)], page).into_response())
}

/// Sign in; begins a session.
///
/// # Errors
///
/// 429 after too many attempts for the account, 503 when too many clients sign in at once; see [`Problem`].
#[utoipa::path(
    post,
    path = "/sign-in",
    request_body(content = inline(Typed), content_type = "application/x-www-form-urlencoded"),
    responses((status = 303, description = "Signed in"), (status = "default", response = Page))
)]
pub(crate) async fn submit(
    State(app): State<AppState>,
    Origin(origin): Origin,
    Form(Typed { email, password }): Form<Typed>,
) -> Result<Response, Problem> {
    let typed = Credentials {
        email: email.clone(),
        password,
    };
    match app.sign_in.begin_session(origin, typed).await {
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
    Html::not_phi(status, NotPhi::assert(page, "what the client itself typed"))
}

/// The session's cookie. It has no age: the browser forgets it when it closes, the server earlier.
fn cookie(session: &NewSession) -> Result<HeaderValue, Problem> {
    let token = session.token.expose();
    let text = format!("{SESSION_COOKIE}={token}; Path=/; Secure; HttpOnly; SameSite=Strict");
    let mut value = HeaderValue::try_from(text).map_err(Problem::internal)?;
    value.set_sensitive(true);
    Ok(value)
}

/// The sign-in form, perhaps with a word on why it is shown again.
#[derive(Template)]
#[template(path = "sign_in.html")]
pub(crate) struct SignInPage {
    frame: Frame,
    notice: Option<Notice>,
    email: String,
}

impl SignInPage {
    /// The form; `email` is what was typed before, so that it need not be typed again.
    pub(crate) fn new(notice: Option<Notice>, email: String) -> Self {
        Self {
            frame: Frame {
                title: "Sign in",
                viewer: None,
            },
            notice,
            email,
        }
    }
}

/// Why the form is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Notice {
    /// E-mail and password do not go together. It does not say which of them is wrong.
    Refused,
    /// The session has ended by itself.
    Expired,
}

impl Notice {
    fn tone(self) -> &'static str {
        match self {
            Self::Refused => "bad",
            Self::Expired => "info",
        }
    }

    fn landmark(self) -> &'static str {
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
    fn the_cookie_is_for_this_host_over_tls_and_out_of_reach_of_script() {
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
        assert!(FORGET_SESSION.to_str().unwrap().starts_with(SESSION_COOKIE));
    }
}
