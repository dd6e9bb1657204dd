//! The notice of the sign-in page.

use http::StatusCode;

use crate::http::pages::wait::Wait;

/// The reason why the form is shown again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Notice {
    /// Invalid credentials. The notice does not say whether the account exists.
    Refused,
    /// A passkey that was not accepted.
    RefusedPasskey,
    /// Too many attempts.
    Throttled(Wait),
    /// The session has expired.
    Expired,
    /// The session had expired when a form was sent, which is kept.
    Kept,
}

impl Notice {
    /// The status of the page.
    pub(super) fn status(self) -> StatusCode {
        match self {
            Self::Refused | Self::RefusedPasskey | Self::Kept => StatusCode::UNAUTHORIZED,
            Self::Throttled(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Expired => StatusCode::OK,
        }
    }

    /// The CSS class of the notice.
    pub(super) fn css_class(self) -> &'static str {
        match self {
            Self::Refused | Self::RefusedPasskey | Self::Throttled(_) => "bad",
            Self::Expired | Self::Kept => "info",
        }
    }

    /// The ARIA role of the notice.
    pub(super) fn aria_role(self) -> &'static str {
        match self {
            Self::Refused | Self::RefusedPasskey | Self::Throttled(_) => "alert",
            Self::Expired | Self::Kept => "status",
        }
    }

    /// What has happened.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Refused | Self::RefusedPasskey => "That did not work.",
            Self::Throttled(_) => "Too many attempts.",
            Self::Expired | Self::Kept => "Your session has ended.",
        }
    }

    /// What to do.
    pub(super) fn advice(self) -> &'static str {
        match self {
            Self::Refused => {
                "E-mail, password and code do not match an account. Check all of them and try again; a code of \
                 the app works once."
            }
            Self::RefusedPasskey => {
                "No account here accepted this passkey, or it took longer than five minutes. Try again, or sign in with \
                 your password."
            }
            Self::Throttled(_) => {
                "This attempt was not checked. If the attempts before were not yours, tell your security \
                 administrator."
            }
            Self::Kept => {
                "Nothing was done yet. Sign in within 15 minutes, and this window shows you again what you have typed."
            }
            Self::Expired => "You were signed out to protect the records. Sign in to go on.",
        }
    }
}
