use http::StatusCode;

/// What a refusal is counted under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Reason {
    /// It is no well-formed request, or one that can be read in two ways.
    Malformed,
    /// It is for another host.
    Host,
    /// Nothing is described at that path.
    UnknownRoute,
    /// The path does not answer that method.
    Method,
    /// The body is not of a type that is described.
    MediaType,
    /// A query parameter is unknown, comes twice, or does not fit its schema.
    Query,
    /// The URL holds, or may hold, what tells of a person.
    PhiInUrl,
    /// It holds what looks like code.
    Injection,
    /// The credentials are not of the one form that is read.
    Credentials,
    /// The head or the body is too large.
    TooLarge,
    /// The body came too slowly.
    TooSlow,
    /// The client asks too often.
    TooMany,
    /// There is more to do than can be done in time.
    Shed,
    /// No app can be reached, or its answer did not come.
    Upstream,
    /// Anything else.
    Other,
}

impl Reason {
    /// What a status tells by itself.
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

    /// Its name, as the log and a metric's label have it.
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
