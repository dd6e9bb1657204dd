//! The sign-in page.

use askama::Template;

use super::layout::Frame;

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
    /// The person has signed out.
    SignedOut,
}

impl Notice {
    fn tone(self) -> &'static str {
        match self {
            Self::Refused => "bad",
            Self::Expired => "info",
            Self::SignedOut => "good",
        }
    }

    fn landmark(self) -> &'static str {
        match self {
            Self::Refused => "alert",
            Self::Expired | Self::SignedOut => "status",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Refused => "That did not work.",
            Self::Expired => "Your session has ended.",
            Self::SignedOut => "You are signed out.",
        }
    }

    fn advice(self) -> &'static str {
        match self {
            Self::Refused => {
                "E-mail and password do not match an account. Check both and try again."
            }
            Self::Expired => "You were signed out to protect the records. Sign in to go on.",
            Self::SignedOut => "On a shared computer, close the window as well.",
        }
    }
}
