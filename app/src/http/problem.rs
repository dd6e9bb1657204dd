//! The error type of handlers.
//!
//! FHIR handlers can also return an `OperationOutcome` of their own; all other errors are a [`Problem`].
//! `request_context` renders it in the format of the route: `OperationOutcome` under `/fhir`, a page for
//! browsers, RFC 9457 `problem+json` otherwise. It contains neither internal messages nor values from
//! the request. The log has the cause, under the request id.

use std::borrow::Cow;
use std::fmt::Display;

use axum::response::IntoResponse;
use axum::response::Response;
use fhir::Issue;
use fhir::IssueCode;
use fhir::OperationOutcome;
use fhir::Status;
use http::StatusCode;
use uuid::Uuid;

use crate::services::error::ServiceError;

/// `Retry-After` while the list of patients is being prepared, in seconds.
const PREPARING_RETRY_SECONDS: u32 = 2;

/// The reason why a request failed or was refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Problem {
    /// The request is not authenticated, or its session or token has expired.
    SignInRequired,
    /// The policy does not permit the request, or it is cross-site.
    Forbidden,
    /// The request requires a second factor, and the caller was authenticated without one.
    SecondFactorRequired,
    /// The request requires a second factor that was shown within the last minutes.
    StepUpRequired,
    /// The request concerns a chart whose care team does not include the caller.
    OutsideCareTeam,
    /// The scopes of the caller's token do not cover the request.
    InsufficientScope,
    /// The caller's organization has no such record, or there is no such route.
    NotFound,
    /// The resource was deleted.
    Gone,
    /// The route does not support the method.
    MethodNotAllowed,
    /// The request is malformed; the text says what to send.
    BadRequest(&'static str),
    /// The route does not support the media type of the body; the text says so.
    UnsupportedMediaType(&'static str),
    /// The body is too long, or its parsed document would use too much memory.
    TooLarge,
    /// The response would be too long.
    ResponseTooLarge,
    /// Earlier entries of the Bundle used up the budget of the request.
    TooCostly,
    /// Too many sign-in attempts; the seconds after which to retry.
    TooManyAttempts(u32),
    /// The list of patients is being prepared; its progress in percent.
    Preparing(u8),
    /// The organization has more patients than its list holds.
    RosterFull,
    /// A dependency is unavailable; the seconds after which to retry.
    Unavailable(u32),
    /// The server failed.
    Internal,
}

impl Problem {
    /// A failure of the server. Logs the cause, which is not sent.
    pub(crate) fn internal(cause: impl Display) -> Self {
        ServiceError::internal(cause).into()
    }

    /// An unavailable dependency. Logs the cause, which is not sent.
    pub(crate) fn unavailable(cause: impl Display) -> Self {
        ServiceError::unavailable(cause).into()
    }

    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::SignInRequired => StatusCode::UNAUTHORIZED,
            Self::Forbidden
            | Self::SecondFactorRequired
            | Self::StepUpRequired
            | Self::OutsideCareTeam
            | Self::InsufficientScope => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Gone => StatusCode::GONE,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::UnsupportedMediaType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge | Self::ResponseTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooCostly | Self::TooManyAttempts(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Preparing(_) | Self::RosterFull | Self::Unavailable(_) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// A description of the problem and what to do, for people.
    pub(crate) fn detail(self) -> Cow<'static, str> {
        let detail = match self {
            Self::SignInRequired => "Sign in, or send a bearer token that has not expired.",
            Self::Forbidden => "Your role does not allow this. The attempt was recorded.",
            Self::SecondFactorRequired => {
                "Your account needs a second factor for this: set up a passkey or an authenticator app at \
                 /second-factor, then sign in with it."
            }
            Self::StepUpRequired => {
                "This needs a second factor from the last ten minutes: show it at /step-up, or request a new token."
            }
            Self::OutsideCareTeam => {
                "You are not in this patient's care team. A member or the front desk can add you; in an \
                 emergency, a clinician opens the chart with POST /api/v1/patients/{id}/emergency-access. \
                 The attempt was recorded."
            }
            Self::InsufficientScope => {
                "The scopes of your token do not cover this: request a token with the scopes that you need. The attempt was \
                 recorded."
            }
            Self::NotFound => "There is nothing here for your organization.",
            Self::Gone => "This was deleted. Former versions are in its history.",
            Self::MethodNotAllowed => "This address does not take that method.",
            Self::BadRequest(why) | Self::UnsupportedMediaType(why) => why,
            Self::TooLarge => "The request is too long: send it in parts.",
            Self::ResponseTooLarge => {
                "The response would be too long: request fewer resources at once."
            }
            Self::TooCostly => {
                "Earlier entries of the Bundle used up what one request may search and read: send the \
                 remaining entries in another Bundle."
            }
            Self::TooManyAttempts(_) => "Too many attempts: wait, then try again.",
            Self::RosterFull => {
                "Your organization has more patients than its list holds: lists and searches do not \
                 work. Read charts by their address, and tell the operator that MAX_ROSTER_BYTES is \
                 exceeded."
            }
            Self::Unavailable(_) => "This cannot be served right now: try again shortly.",
            Self::Internal => "Something went wrong on our side. Quote the request id to support.",
            Self::Preparing(percent) => {
                return format!("The list of patients is being prepared, {percent} % are read: try again shortly.")
                    .into();
            }
        };
        detail.into()
    }

    /// The seconds after which to retry, if a retry may succeed.
    pub(crate) fn retry_after(self) -> Option<u32> {
        match self {
            Self::TooManyAttempts(seconds) | Self::Unavailable(seconds) => Some(seconds),
            Self::Preparing(_) => Some(PREPARING_RETRY_SECONDS),
            Self::SignInRequired
            | Self::Forbidden
            | Self::SecondFactorRequired
            | Self::StepUpRequired
            | Self::OutsideCareTeam
            | Self::InsufficientScope
            | Self::NotFound
            | Self::Gone
            | Self::MethodNotAllowed
            | Self::BadRequest(_)
            | Self::UnsupportedMediaType(_)
            | Self::TooLarge
            | Self::ResponseTooLarge
            | Self::TooCostly
            | Self::RosterFull
            | Self::Internal => None,
        }
    }
}

/// A problem as an `OperationOutcome`.
pub(crate) fn outcome(problem: Problem, request: Uuid) -> OperationOutcome {
    let (status, code) = match problem {
        Problem::SignInRequired => (Status::Unauthorized, IssueCode::Login),
        Problem::Forbidden | Problem::OutsideCareTeam | Problem::InsufficientScope => {
            (Status::Forbidden, IssueCode::Forbidden)
        }
        Problem::SecondFactorRequired | Problem::StepUpRequired => {
            (Status::Forbidden, IssueCode::Login)
        }
        Problem::NotFound => (Status::NotFound, IssueCode::NotFound),
        Problem::Gone => (Status::Gone, IssueCode::Deleted),
        Problem::MethodNotAllowed => (Status::MethodNotAllowed, IssueCode::NotSupported),
        Problem::UnsupportedMediaType(_) => (Status::UnsupportedMediaType, IssueCode::NotSupported),
        Problem::BadRequest(_) => (Status::BadRequest, IssueCode::Structure),
        Problem::TooLarge => (Status::ContentTooLarge, IssueCode::TooLong),
        Problem::ResponseTooLarge => (Status::ContentTooLarge, IssueCode::TooCostly),
        Problem::TooCostly => (Status::TooManyRequests, IssueCode::TooCostly),
        Problem::TooManyAttempts(_) => (Status::TooManyRequests, IssueCode::Transient),
        Problem::RosterFull => (Status::ServiceUnavailable, IssueCode::TooCostly),
        Problem::Preparing(_) | Problem::Unavailable(_) => {
            (Status::ServiceUnavailable, IssueCode::Transient)
        }
        Problem::Internal => return OperationOutcome::internal(request),
    };
    OperationOutcome::new(status, Issue::new(code, problem.detail()))
}

/// Marks the response with the problem; `request_context` writes the body.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl<E: Into<ServiceError>> From<E> for Problem {
    fn from(error: E) -> Self {
        match error.into() {
            ServiceError::SignInRequired => Self::SignInRequired,
            ServiceError::Forbidden => Self::Forbidden,
            ServiceError::SecondFactorRequired => Self::SecondFactorRequired,
            ServiceError::StepUpRequired => Self::StepUpRequired,
            ServiceError::OutsideCareTeam => Self::OutsideCareTeam,
            ServiceError::InsufficientScope => Self::InsufficientScope,
            ServiceError::NotFound => Self::NotFound,
            ServiceError::Gone => Self::Gone,
            ServiceError::Unsupported(why) => Self::BadRequest(why),
            ServiceError::ResponseTooLarge => Self::ResponseTooLarge,
            ServiceError::TooCostly => Self::TooCostly,
            ServiceError::TooManyAttempts(seconds) => Self::TooManyAttempts(seconds),
            ServiceError::Preparing { percent } => Self::Preparing(percent),
            ServiceError::RosterFull => Self::RosterFull,
            ServiceError::Unavailable(seconds) => Self::Unavailable(seconds),
            ServiceError::Internal => Self::Internal,
        }
    }
}
