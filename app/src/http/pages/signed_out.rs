//! The page that replaces another one when the session has ended.

use access::CredentialKind;
use access::NotPhi;
use askama::Template;
use axum::extract::Query;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::response::Redirect;
use axum::response::Response;
use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::StatusCode;
use http::header;

use super::html::Html;
use super::layout::Layout;
use super::sign_in::EXPIRED_SESSION_COOKIE;
use crate::http::authentication::CurrentOrigin;
use crate::http::authentication::session_cookie;
use crate::http::logoff;
use crate::http::openapi::Page;
use crate::http::return_path::ReturnPath;
use crate::http::return_path::ReturnPaths;
use crate::http::return_path::ReturnQuery;
use crate::http::state::AppState;
use crate::services::callers::SessionUse;

/// The header by which a browser removes pages that the Back button would show.
pub(super) const CLEAR_CACHE: (HeaderName, HeaderValue) = (
    HeaderName::from_static("clear-site-data"),
    HeaderValue::from_static("\"cache\""),
);

/// Ends an idle session and shows that the screen was cleared. A session that another window keeps in use stays in force, and
/// the window shows its page again; this request does not restart the idle timeout.
///
/// A failure shows the page, too: the screen is cleared in any case.
#[utoipa::path(
    get,
    path = "/signed-out",
    operation_id = "pages.signed_out",
    params(ReturnQuery),
    responses(
        (status = 303, description = "The session is in force"),
        (status = "default", response = Page)
    )
)]
pub(crate) async fn show(
    State(app): State<AppState>,
    CurrentOrigin(origin): CurrentOrigin,
    pages: ReturnPaths,
    Query(ReturnQuery { next }): Query<ReturnQuery>,
    headers: HeaderMap,
) -> Response {
    let next = next.and_then(|next| pages.parse(&next));
    let Some(cookie) = session_cookie(&headers) else {
        return ([CLEAR_CACHE], page(Reason::Ended, next)).into_response();
    };
    let (kind, session_use) = (CredentialKind::Session, SessionUse::NotCounted);
    let caller = app.callers.authenticate(&cookie, kind, origin, session_use);
    match caller.await {
        // A browser that does not state its user would use the session by this redirect.
        Ok(Some(_)) if logoff::states_its_user(&headers) => {
            Redirect::to(ReturnPath::or_start(next.as_ref())).into_response()
        }
        Ok(Some(_)) => ([CLEAR_CACHE], page(Reason::Cleared, next)).into_response(),
        Ok(None) => {
            if app.sign_in.log_off(origin, &cookie).await.is_err() {
                tracing::warn!("the end of an idle session is not on record");
            }
            if logoff::is_script_request(&headers) {
                // The cookie names the person for whom a form is kept.
                return page(Reason::Ended, next).into_response();
            }
            let cookie = (header::SET_COOKIE, EXPIRED_SESSION_COOKIE);
            let again = (header::REFRESH, again(next.as_ref()));
            ([CLEAR_CACHE, cookie, again], page(Reason::Ended, next)).into_response()
        }
        Err(_) => ([CLEAR_CACHE], page(Reason::Ended, next)).into_response(),
    }
}

/// The `Refresh` by which the browser requests this page a second time, without a cookie. Chromium keeps the page that was left in
/// memory for the Back button once this one is shown; the header of a further response removes it.
fn again(next: Option<&ReturnPath>) -> HeaderValue {
    let url = ReturnPath::appended_to(logoff::SIGNED_OUT, next);
    HeaderValue::try_from(format!("0; url={url}")).unwrap_or(HeaderValue::from_static("0"))
}

fn page(reason: Reason, next: Option<ReturnPath>) -> Html<SignedOutPage> {
    let page = SignedOutPage::new(reason, next);
    Html::not_phi(
        StatusCode::OK,
        NotPhi::assert(page, "a fixed text, and the path of a page"),
    )
}

/// The reason why a page was replaced.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Reason {
    /// The session has ended.
    Ended,
    /// The page was not used, and the session is in use by another window.
    Cleared,
}

/// The page that replaces another one.
#[derive(Template)]
#[template(path = "signed_out.html")]
pub(crate) struct SignedOutPage {
    layout: Layout,
    reason: Reason,
    next: Option<ReturnPath>,
}

impl SignedOutPage {
    /// The page.
    pub(crate) fn new(reason: Reason, next: Option<ReturnPath>) -> Self {
        let title = match reason {
            Reason::Ended => "You are signed out",
            Reason::Cleared => "This window was cleared",
        };
        Self {
            layout: Layout { title, user: None },
            reason,
            next,
        }
    }

    /// The path of the page on which a person goes on.
    fn continued(&self) -> String {
        match self.reason {
            Reason::Ended => ReturnPath::appended_to("/sign-in", self.next.as_ref()),
            Reason::Cleared => ReturnPath::or_start(self.next.as_ref()).to_owned(),
        }
    }
}
