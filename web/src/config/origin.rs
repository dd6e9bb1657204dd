//! The public origin, and the additional hosts of the edge.

use std::str::FromStr;

use http::HeaderValue;
use http::Uri;
use http::uri::Authority;
use http::uri::Scheme;
use rustls::pki_types::ServerName;

/// The public origin of the edge: `https://host[:port]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    authority: String,
    header: HeaderValue,
    additional: AdditionalHosts,
}

/// Hosts under which requests are served besides the public origin's, each `host[:port]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AdditionalHosts(Vec<String>);

impl Origin {
    /// Host and port, as in a request's `Host`.
    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }

    /// The authority as a header's value.
    pub(crate) fn header(&self) -> HeaderValue {
        self.header.clone()
    }

    /// Also serves the additional hosts. What the edge and the app write (redirects, links,
    /// `x-forwarded-host`) still names this origin.
    pub(crate) fn with_additional(mut self, additional: AdditionalHosts) -> Self {
        self.additional = additional;
        self
    }

    /// Whether requests for `host` are served: this origin's host or an additional one; for an
    /// origin on loopback, every name of loopback at any port.
    pub(crate) fn serves(&self, host: &str) -> bool {
        let mut hosts = [&self.authority].into_iter().chain(&self.additional.0);
        hosts.any(|served| is_same_authority(host, served))
            || (is_loopback(&self.authority) && is_loopback(&host.to_ascii_lowercase()))
    }
}

/// Whether two authorities are equal, regardless of case and of the default port (RFC 9110, 4.2.3).
pub(crate) fn is_same_authority(one: &str, other: &str) -> bool {
    let without_port = |authority| str::strip_suffix(authority, ":443").unwrap_or(authority);
    without_port(one).eq_ignore_ascii_case(without_port(other))
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
        Ok(Self {
            authority,
            header,
            additional: AdditionalHosts::default(),
        })
    }
}

impl FromStr for AdditionalHosts {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let host = |entry: &str| {
            let authority: Authority = entry.trim().parse().map_err(drop)?;
            let name = authority.host();
            let exact = match authority.port_u16() {
                Some(port) => format!("{name}:{port}"),
                None => name.to_owned(),
            };
            // A name that a certificate can carry: no pattern.
            let is_name = ServerName::try_from(name.trim_matches(['[', ']'])).is_ok();
            (is_name && exact == authority.as_str())
                .then_some(exact)
                .ok_or(())
        };
        text.split(',')
            .map(host)
            .collect::<Result<_, ()>>()
            .map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_default_port_is_not_part_of_an_origin() {
        let origin: Origin = "https://Clinic.Example:443".parse().unwrap();
        assert_eq!(origin.authority(), "clinic.example");
        assert!(!origin.serves("localhost"));
        assert!(is_loopback("[::1]:8443") && is_loopback("localhost"));
        assert!(!is_loopback("localhost.example:8443") && !is_loopback("127.0.0.1.example"));
    }
    #[test]
    fn only_the_origin_and_the_listed_hosts_are_served() {
        let origin: Origin = "https://clinic.example".parse().unwrap();
        assert!(!origin.serves("web:8443"));
        let additional = "web:8443, Edge.Internal,[fd00::7]:8443".parse().unwrap();
        let origin = origin.with_additional(additional);
        for host in [
            "clinic.example",
            "Clinic.Example:443",
            "WEB:8443",
            "edge.internal",
            "edge.internal:443",
            "[fd00::7]:8443",
        ] {
            assert!(origin.serves(host), "{host}");
        }
        for host in [
            "web",
            "web:443",
            "web:8444",
            "a.web:8443",
            "web:8443.example",
            "web:8443,",
            "edge.internal:8443",
            "localhost",
            "",
        ] {
            assert!(!origin.serves(host), "{host}");
        }
        assert_eq!(origin.authority(), "clinic.example");
    }

    #[test]
    fn an_additional_host_is_an_exact_name() {
        for text in [
            "",
            "web,",
            "*",
            "*.example",
            "https://web:8443",
            "user@web",
            "web:x",
            "a/b",
        ] {
            assert!(text.parse::<AdditionalHosts>().is_err(), "{text}");
        }
    }
}
