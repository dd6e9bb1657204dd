//! The settings of the endpoints.

use std::str::FromStr;

use certs::IdentityFiles;
use certs::MutualFiles;
use certs::SpiffeId;
use rustls::pki_types::ServerName;

use super::CERTIFICATE;
use super::KEY;
use super::variables::ConfigError;
use super::variables::Name;
use super::variables::Variables;
use crate::upstream::Entry;
use crate::upstream::Source;

/// The addresses and the required identity of the endpoints.
#[derive(Debug)]
pub(crate) struct UpstreamConfig {
    /// `WEB_UPSTREAMS`: host and port of each endpoint, or `WEB_UPSTREAMS_FILE`: a file of them.
    pub(crate) source: Source,
    /// `WEB_UPSTREAM_NAME`: the host name in the endpoints' certificates.
    pub(crate) name: ServerName<'static>,
    /// `WEB_UPSTREAM_IDENTITY`: the SPIFFE id in the endpoints' certificates.
    pub(crate) identity: SpiffeId,
    /// `WEB_UPSTREAM_CERTIFICATE_FILE`, `WEB_UPSTREAM_KEY_FILE`, `WEB_UPSTREAM_CA_FILE`.
    pub(crate) files: MutualFiles,
}

impl UpstreamConfig {
    pub(super) fn read(
        variables: &Variables<impl Fn(&str) -> Option<String>>,
    ) -> Result<Self, ConfigError> {
        let name: Name = variables.required(
            "WEB_UPSTREAM_NAME",
            "the host name in the endpoints' certificates",
        )?;
        Ok(Self {
            source: source(variables)?,
            name: name.0,
            identity: variables.required(
                "WEB_UPSTREAM_IDENTITY",
                "the endpoints' SPIFFE id, like spiffe://example.internal/app",
            )?,
            files: MutualFiles {
                identity: IdentityFiles {
                    certificate: variables
                        .required("WEB_UPSTREAM_CERTIFICATE_FILE", CERTIFICATE)?,
                    key: variables.required("WEB_UPSTREAM_KEY_FILE", KEY)?,
                },
                anchors: variables.required(
                    "WEB_UPSTREAM_CA_FILE",
                    "the path of the internal CA's certificate",
                )?,
            },
        })
    }
}

fn source(variables: &Variables<impl Fn(&str) -> Option<String>>) -> Result<Source, ConfigError> {
    let file = variables.optional("WEB_UPSTREAMS_FILE", "the path of a list of endpoints")?;
    let expected = "host:port or dns:host:port of each endpoint, separated by commas";
    let Some(file) = file else {
        let entries: Entries = variables.required("WEB_UPSTREAMS", expected)?;
        return Ok(Source::Fixed(entries.0));
    };
    match variables.optional::<Entries>("WEB_UPSTREAMS", expected)? {
        None => Ok(Source::File(file)),
        Some(_) => Err(ConfigError {
            variable: "WEB_UPSTREAMS_FILE",
            problem: "is set, and so is WEB_UPSTREAMS",
            expected: "one of them",
        }),
    }
}

/// One or more entries, separated by commas.
struct Entries(Vec<Entry>);

impl FromStr for Entries {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let entries: Result<_, ()> = text.split(',').map(|entry| entry.trim().parse()).collect();
        entries.map(Self)
    }
}
