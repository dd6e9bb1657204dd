//! The settings of the endpoints.

use std::str::FromStr;

use certs::IdentityFiles;
use certs::MutualFiles;
use certs::SpiffeId;
use rustls::pki_types::ServerName;
use settings::Reader;
use settings::Reported;
use settings::section;

use super::CERTIFICATE;
use super::KEY;
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
    pub(super) fn read(reader: &Reader) -> Result<Self, Reported> {
        const NAME: &str = "the host name in the endpoints' certificates";
        section!(Self {
            source: source(reader),
            name: reader
                .required::<Name>("WEB_UPSTREAM_NAME", NAME)
                .map(|name| name.0),
            identity: reader.required(
                "WEB_UPSTREAM_IDENTITY",
                "the endpoints' SPIFFE id, like spiffe://example.internal/app",
            ),
            files: section!(MutualFiles {
                identity: section!(IdentityFiles {
                    certificate: reader.file("WEB_UPSTREAM_CERTIFICATE_FILE", CERTIFICATE),
                    key: reader.file("WEB_UPSTREAM_KEY_FILE", KEY),
                }),
                anchors: reader.file("WEB_UPSTREAM_CA_FILE", "the internal CA's certificate",),
            }),
        })
    }
}

fn source(reader: &Reader) -> Result<Source, Reported> {
    const FILE: &str = "WEB_UPSTREAMS_FILE";
    const ENTRIES: &str = "host:port or dns:host:port of each endpoint, separated by commas";
    let file = reader.optional(FILE, "the path of a list of endpoints")?;
    let Some(file) = file else {
        let entries: Entries = reader.required("WEB_UPSTREAMS", ENTRIES)?;
        return Ok(Source::Fixed(entries.0));
    };
    match reader.optional::<Entries>("WEB_UPSTREAMS", ENTRIES)? {
        None => Ok(Source::File(file)),
        Some(_) => Err(reader.reject(FILE, "is set, and so is WEB_UPSTREAMS", "one of them")),
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

/// A host name that a certificate can carry.
struct Name(ServerName<'static>);

impl FromStr for Name {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        ServerName::try_from(text.to_owned())
            .map(Self)
            .map_err(drop)
    }
}
