//! The public origin.

use std::str::FromStr;

use http::HeaderValue;
use http::Uri;
use http::uri::Scheme;

/// The public origin of the edge: `https://host[:port]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    authority: String,
    header: HeaderValue,
}

impl Origin {
    /// Host and port, as in a request's `Host`.
    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }

    /// The authority as a header's value.
    pub(crate) fn header(&self) -> HeaderValue {
        self.header.clone()
    }

    /// Whether this is a development machine.
    pub(crate) fn is_loopback(&self) -> bool {
        is_loopback(&self.authority)
    }
}

/// Whether an authority names this machine, at any port.
pub(crate) fn is_loopback(authority: &str) -> bool {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    };
    matches!(host, "localhost" | "127.0.0.1" | "[::1]")
}

impl FromStr for Origin {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let uri: Uri = text.parse().map_err(drop)?;
        let authority = uri.authority().ok_or(())?.as_str().to_ascii_lowercase();
        let bare = matches!(uri.path(), "" | "/") && uri.query().is_none();
        if uri.scheme() != Some(&Scheme::HTTPS) || !bare || authority.contains('@') {
            return Err(());
        }
        // A default port is not part of an origin.
        let authority = authority
            .strip_suffix(":443")
            .unwrap_or(&authority)
            .to_owned();
        let header = HeaderValue::try_from(&authority).map_err(drop)?;
        Ok(Self { authority, header })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_default_port_is_not_part_of_an_origin() {
        let origin: Origin = "https://Clinic.Example:443".parse().unwrap();
        assert_eq!(origin.authority(), "clinic.example");
        assert!(!origin.is_loopback());
        assert!(is_loopback("[::1]:8443") && is_loopback("localhost"));
        assert!(!is_loopback("localhost.example:8443") && !is_loopback("127.0.0.1.example"));
    }
}
