//! Discovery of endpoints: from the configuration, from a file, and by DNS.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Weak;

use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio::time::sleep;
use tokio::time::timeout;

use super::counters::count;
use super::pool::UpstreamPool;
use crate::limits::UpstreamLimits;

/// Maximum size of the list, in bytes.
const MAX_BYTES: usize = 64 * 1024;

/// The source of the list of endpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The configuration, which does not change.
    Fixed(Vec<Entry>),
    /// A file, which may change.
    File(PathBuf),
}

/// An entry of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// One endpoint: host and port.
    Endpoint(String),
    /// All addresses of a DNS name, resolved periodically: `dns:host:port`.
    Name(String),
}

/// A list that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ListError {
    /// The file cannot be read.
    #[error("the list cannot be read: {0}")]
    Read(#[from] io::Error),
    /// The last line has no line feed: the file is half-written.
    #[error("the last line of the list does not end with a line feed")]
    Truncated,
    /// The list is empty.
    #[error("the list has no endpoint")]
    Empty,
    /// A line is not an entry.
    #[error("line {0} of the list is not host:port or dns:host:port")]
    Line(usize),
}

impl FromStr for Entry {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (address, named) = match text.strip_prefix("dns:") {
            Some(address) => (address, true),
            None => (text, false),
        };
        let (host, port) = address.rsplit_once(':').ok_or(())?;
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
        let bracketed = host.starts_with('[') && host.ends_with(']');
        let ports = port.bytes().all(|byte| byte.is_ascii_digit());
        if host.is_empty()
            || !host.bytes().all(allowed)
            || host.contains(':') && !bracketed
            || !ports
        {
            return Err(());
        }
        match port.parse::<u16>() {
            Ok(1..) if named => Ok(Self::Name(address.to_owned())),
            Ok(1..) => Ok(Self::Endpoint(address.to_owned())),
            Ok(0) | Err(_) => Err(()),
        }
    }
}

impl Source {
    /// Reads the current entries.
    ///
    /// # Errors
    /// [`ListError`].
    pub(super) fn entries(&self) -> Result<Vec<Entry>, ListError> {
        match self {
            Self::Fixed(entries) => Ok(entries.clone()),
            Self::File(path) => parse(&std::fs::read_to_string(path)?),
        }
    }
}

/// Parses a list of one entry a line; `#` begins a comment. A last line without a line feed is an
/// error, because the file is then half-written.
fn parse(text: &str) -> Result<Vec<Entry>, ListError> {
    if text.len() > MAX_BYTES {
        return Err(io::Error::from(io::ErrorKind::FileTooLarge).into());
    }
    let mut entries = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        let endpoint = line.split('#').next().unwrap_or_default().trim();
        if !endpoint.is_empty() {
            entries.push(endpoint.parse().map_err(|()| ListError::Line(number))?);
        }
    }
    if entries.is_empty() {
        return Err(ListError::Empty);
    }
    if !text.ends_with('\n') {
        return Err(ListError::Truncated);
    }
    Ok(entries)
}

/// The task that keeps the pool's endpoints up to date.
pub(super) struct Resolver {
    source: Source,
    entries: Vec<Entry>,
    /// The last known addresses of each name.
    resolved: HashMap<String, Vec<String>>,
    resolved_at: Option<Instant>,
    lookup: Option<JoinHandle<HashMap<String, Vec<String>>>>,
    /// The last content of the file.
    text: Option<String>,
    /// Whether that content was parsed.
    parsed: bool,
}

impl Resolver {
    pub(super) fn new(source: Source, entries: Vec<Entry>) -> Self {
        Self {
            source,
            entries,
            resolved: HashMap::new(),
            resolved_at: None,
            lookup: None,
            text: None,
            parsed: false,
        }
    }

    /// The addresses of all endpoints.
    pub(super) fn addresses(&self) -> Vec<String> {
        let mut addresses = Vec::new();
        for entry in &self.entries {
            match entry {
                Entry::Endpoint(address) => addresses.push(address.clone()),
                Entry::Name(name) => {
                    addresses.extend(self.resolved.get(name).into_iter().flatten().cloned());
                }
            }
        }
        addresses
    }

    pub(super) async fn run(mut self, pool: Weak<UpstreamPool>) {
        loop {
            let Some(limits) = pool.upgrade().map(|pool| pool.context.limits.clone()) else {
                return;
            };
            if let Source::File(path) = &self.source {
                let read = tokio::fs::read_to_string(path.clone()).await;
                if let Some(Err(error)) = self.check(read) {
                    let file = "WEB_UPSTREAMS_FILE";
                    tracing::error!(file, %error, "cannot reload: the last good list stays in use");
                    let Some(pool) = pool.upgrade() else { return };
                    count(&pool.context.counters.list_failures);
                }
            }
            self.resolve(&limits).await;
            let Some(pool) = pool.upgrade() else { return };
            pool.set(&self.addresses());
            drop(pool);
            sleep(limits.file_interval).await;
        }
    }

    /// Parses the content of the file once two checks have found it.
    fn check(&mut self, read: io::Result<String>) -> Option<Result<(), ListError>> {
        let text = match read {
            Ok(text) => text,
            Err(error) if self.text.is_some() => {
                self.text = None;
                return Some(Err(error.into()));
            }
            Err(_already_logged) => return None,
        };
        if self.text.as_ref() != Some(&text) {
            self.text = Some(text);
            self.parsed = false;
            return None;
        }
        if std::mem::replace(&mut self.parsed, true) {
            return None;
        }
        let entries = match parse(&text) {
            Ok(entries) => entries,
            Err(error) => return Some(Err(error)),
        };
        if entries != self.entries {
            self.entries = entries;
            self.resolved_at = None;
            self.lookup = None;
        }
        Some(Ok(()))
    }

    /// Resolves all names when that is due.
    async fn resolve(&mut self, limits: &UpstreamLimits) {
        let is_due = |time: Instant| time.elapsed() >= limits.resolve_interval;
        if self.lookup.is_none() && self.resolved_at.is_none_or(is_due) {
            self.resolved_at = Some(Instant::now());
            let names = self.entries.iter().filter_map(|entry| match entry {
                Entry::Name(name) => Some(name.clone()),
                Entry::Endpoint(_) => None,
            });
            self.lookup = Some(tokio::spawn(lookup(names.collect())));
        }
        // A name server that does not respond delays the next check of the file by one interval,
        // and not by the timeout of DNS.
        if let Some(lookup) = &mut self.lookup
            && let Ok(found) = timeout(limits.file_interval, lookup).await
        {
            self.resolved.extend(found.unwrap_or_default());
            self.lookup = None;
        }
    }
}

/// The addresses of the names; without those that cannot be resolved, which keep their last ones.
async fn lookup(names: Vec<String>) -> HashMap<String, Vec<String>> {
    let mut resolved = HashMap::new();
    for name in names {
        match tokio::net::lookup_host(&name).await {
            Ok(found) => {
                let mut found: Vec<_> = found.map(|address| address.to_string()).collect();
                found.sort_unstable();
                if !found.is_empty() {
                    resolved.insert(name.clone(), found);
                }
            }
            Err(error) => {
                tracing::error!(name, %error, "the name of an upstream cannot be resolved");
            }
        }
    }
    resolved
}

/// Whether a list can change.
pub(super) fn can_change(source: &Source, entries: &[Entry]) -> bool {
    matches!(source, Source::File(_)) || entries.iter().any(|entry| matches!(entry, Entry::Name(_)))
}
