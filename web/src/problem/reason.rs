//! Reasons of refusals: the labels of logs and metrics.

use http::StatusCode;

/// The reason of a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Reason {
    /// The request is malformed or ambiguous.
    Malformed,
    /// The request is for another host.
    Host,
    /// No route has that path.
    UnknownRoute,
    /// The route does not support the method.
    Method,
    /// The body's media type or coding is not supported.
    MediaType,
    /// A query parameter is unknown, repeated, or does not match its schema.
    Query,
    /// The URL contains, or may contain, PHI.
    PhiInUrl,
    /// The request contains injected code.
    Injection,
    /// The credentials are not a bearer token.
    Credentials,
    /// The head or the body is too large.
    TooLarge,
    /// The head or the body arrived too slowly.
    TooSlow,
    /// The client exceeds its rate limit.
    TooMany,
    /// The load shedder rejected the request.
    Shed,
    /// No endpoint is available, or its response was lost.
    Upstream,
    /// Any other reason.
    Other,
}

impl Reason {
    /// The reason that a status implies.
    pub(crate) const fn of_status(status: StatusCode) -> Self {
        match status.as_u16() {
            400 | 505 => Self::Malformed,
            401 => Self::Credentials,
            404 => Self::UnknownRoute,
            405 => Self::Method,
            408 => Self::TooSlow,
            413 | 414 | 431 => Self::TooLarge,
            415 => Self::MediaType,
            421 => Self::Host,
            429 => Self::TooMany,
            502..=504 => Self::Upstream,
            _ => Self::Other,
        }
    }

    /// The name in the log and in the metrics' label.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Host => "host",
            Self::UnknownRoute => "unknown_route",
            Self::Method => "method",
            Self::MediaType => "media_type",
            Self::Query => "query",
            Self::PhiInUrl => "phi_in_url",
            Self::Injection => "injection",
            Self::Credentials => "credentials",
            Self::TooLarge => "too_large",
            Self::TooSlow => "too_slow",
            Self::TooMany => "too_many",
            Self::Shed => "shed",
            Self::Upstream => "upstream",
            Self::Other => "other",
        }
    }
}
