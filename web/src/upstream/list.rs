use std::{collections::HashMap, io, path::PathBuf, str::FromStr, sync::Weak};

use tokio::time::{Instant, sleep};

use super::{counters::count, flock::Flock};

/// The longest file that is taken for a list.
const LONGEST: usize = 64 * 1024;

/// Where the list of apps stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// Here, once and for all.
    Fixed(Vec<Entry>),
    /// In a file, which may change.
    File(PathBuf),
}

/// A line of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// One app: host and port.
    App(String),
    /// As many as the name has addresses, now and later: `dns:host:port`.
    Name(String),
}

/// Why a list can't be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ListError {
    /// The file can't be read.
    #[error("it can't be read: {0}")]
    Read(#[from] io::Error),
    /// The last line has no end: it is being written.
    #[error("its last line has no end")]
    Half,
    /// There is nothing in it.
    #[error("it names no app")]
    Empty,
    /// Something else is in it.
    #[error("its line {0} is no host:port or dns:host:port")]
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
        let good = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
        let bracketed = host.starts_with('[') && host.ends_with(']');
        let ports = port.bytes().all(|byte| byte.is_ascii_digit());
        if host.is_empty() || !host.bytes().all(good) || host.contains(':') && !bracketed || !ports
        {
            return Err(());
        }
        match port.parse::<u16>() {
            Ok(1..) if named => Ok(Self::Name(address.to_owned())),
            Ok(1..) => Ok(Self::App(address.to_owned())),
            Ok(0) | Err(_) => Err(()),
        }
    }
}

impl Source {
    /// What it says now.
    pub(super) fn entries(&self) -> Result<Vec<Entry>, ListError> {
        match self {
            Self::Fixed(entries) => Ok(entries.clone()),
            Self::File(path) => parse(&std::fs::read_to_string(path)?),
        }
    }
}

/// Reads a list of one app a line. What follows a `#` is a comment. The last line must have an end,
/// by which a list that is being written is known.
fn parse(text: &str) -> Result<Vec<Entry>, ListError> {
    if text.len() > LONGEST {
        return Err(io::Error::from(io::ErrorKind::FileTooLarge).into());
    }
    let mut entries = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        let app = line.split('#').next().unwrap_or_default().trim();
        if !app.is_empty() {
            entries.push(app.parse().map_err(|()| ListError::Line(number))?);
        }
    }
    if entries.is_empty() {
        return Err(ListError::Empty);
    }
    if !text.ends_with('\n') {
        return Err(ListError::Half);
    }
    Ok(entries)
}

/// Keeps the apps as the list says, for as long as there is anyone to ask them.
pub(super) struct Follower {
    source: Source,
    entries: Vec<Entry>,
    /// What names were last resolved to.
    resolved: HashMap<String, Vec<String>>,
    resolved_at: Option<Instant>,
    /// What the file last held, and whether that was looked into.
    text: Option<String>,
    settled: bool,
}

impl Follower {
    pub(super) fn new(source: Source, entries: Vec<Entry>) -> Self {
        Self {
            source,
            entries,
            resolved: HashMap::new(),
            resolved_at: None,
            text: None,
            settled: false,
        }
    }

    /// The apps on the list.
    pub(super) fn addresses(&self) -> Vec<String> {
        let mut addresses = Vec::new();
        for entry in &self.entries {
            match entry {
                Entry::App(address) => addresses.push(address.clone()),
                Entry::Name(name) => {
                    addresses.extend(self.resolved.get(name).into_iter().flatten().cloned());
                }
            }
        }
        addresses
    }

    pub(super) async fn follow(mut self, flock: Weak<Flock>) {
        loop {
            let Some(limits) = flock.upgrade().map(|flock| flock.common.limits.clone()) else {
                return;
            };
            if let Source::File(path) = &self.source {
                let read = tokio::fs::read_to_string(path.clone()).await;
                if let Some(Err(error)) = self.look(read) {
                    let file = "WEB_UPSTREAMS_FILE";
                    tracing::error!(file, %error, "can't reload: the last good one stays in use");
                    let Some(flock) = flock.upgrade() else { return };
                    count(&flock.common.counters.list_failures);
                }
            }
            if self
                .resolved_at
                .is_none_or(|at| at.elapsed() >= limits.resolve_every)
            {
                self.resolve().await;
            }
            let Some(flock) = flock.upgrade() else { return };
            flock.set(&self.addresses());
            drop(flock);
            sleep(limits.file_every).await;
        }
    }

    /// Takes what the file holds, the second time that it holds it.
    fn look(&mut self, read: io::Result<String>) -> Option<Result<(), ListError>> {
        let text = match read {
            Ok(text) => text,
            Err(error) if self.text.is_some() => {
                self.text = None;
                return Some(Err(error.into()));
            }
            Err(_told_already) => return None,
        };
        if self.text.as_ref() != Some(&text) {
            self.text = Some(text);
            self.settled = false;
            return None;
        }
        if std::mem::replace(&mut self.settled, true) {
            return None;
        }
        let entries = match parse(&text) {
            Ok(entries) => entries,
            Err(error) => return Some(Err(error)),
        };
        if entries != self.entries {
            self.entries = entries;
            self.resolved_at = None;
        }
        Some(Ok(()))
    }

    /// Resolves all names. One that can't be keeps the addresses that it had.
    async fn resolve(&mut self) {
        self.resolved_at = Some(Instant::now());
        for entry in &self.entries {
            let Entry::Name(name) = entry else { continue };
            match tokio::net::lookup_host(name).await {
                Ok(found) => {
                    let mut found: Vec<_> = found.map(|address| address.to_string()).collect();
                    found.sort_unstable();
                    if !found.is_empty() {
                        self.resolved.insert(name.clone(), found);
                    }
                }
                Err(error) => {
                    tracing::error!(name, %error, "a name of apps can't be resolved");
                }
            }
        }
    }
}

/// Whether a list can change without anyone writing to it.
pub(super) fn is_alive(source: &Source, entries: &[Entry]) -> bool {
    matches!(source, Source::File(_)) || entries.iter().any(|entry| matches!(entry, Entry::Name(_)))
}
