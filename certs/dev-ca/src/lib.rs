#![doc = include_str!("../README.md")]

mod authority;
mod files;
mod leaf;

use std::path::Path;
use std::path::PathBuf;

use time::Duration;
use time::OffsetDateTime;

pub use authority::DevelopmentCa;
pub use authority::Subject;
pub use leaf::IssuedLeaf;
pub use leaf::Leaf;
pub use leaf::Usage;

use certs::SpiffeId;

/// The common name of the root that signs the clients of the database.
const DATABASE_CA: &str = "stack database client CA";

/// The accounts of the database that sign in by certificate.
const DATABASE_ACCOUNTS: [&str; 4] = ["app", "migrate", "backup", "auditor"];

/// What to issue, and where to.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The folder that gets `public/`, `internal/` and `database/`.
    pub out: PathBuf,
    /// The trust domain of the identities, and the organization in every subject.
    pub trust_domain: String,
    /// Names of the edge besides `localhost`, `127.0.0.1` and `::1`.
    pub public_names: Vec<String>,
    /// How long the leaves are valid, in days; the roots last ten years.
    pub days: u16,
    /// The time of issue.
    pub now: OffsetDateTime,
}

impl Settings {
    /// Leaves of 30 days in the trust domain `stack.internal`, written to `out`.
    #[must_use]
    pub fn new(out: impl Into<PathBuf>, now: OffsetDateTime) -> Self {
        Self {
            out: out.into(),
            trust_domain: "stack.internal".to_owned(),
            public_names: Vec::new(),
            days: 30,
            now,
        }
    }
}

/// When a certificate is valid.
#[derive(Clone, Copy, Debug)]
pub struct Validity {
    /// The first moment.
    pub not_before: OffsetDateTime,
    /// The last moment.
    pub not_after: OffsetDateTime,
}

impl Validity {
    /// From an hour before `now`, for clocks that lag, until `days` after it.
    #[must_use]
    pub fn days(now: OffsetDateTime, days: u16) -> Self {
        Self {
            not_before: now - Duration::hours(1),
            not_after: now + Duration::days(i64::from(days)),
        }
    }

    /// The day before yesterday: already over.
    #[must_use]
    pub fn expired(now: OffsetDateTime) -> Self {
        Self {
            not_before: now - Duration::days(3),
            not_after: now - Duration::days(2),
        }
    }

    /// The day after tomorrow: not yet begun.
    #[must_use]
    pub fn not_yet(now: OffsetDateTime) -> Self {
        Self {
            not_before: now + Duration::days(2),
            not_after: now + Duration::days(3),
        }
    }
}

/// Why nothing could be issued.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A root from an earlier run does not fit.
    #[error("{path}: {why}; remove the folder {} to start afresh", folder(path).display())]
    Root {
        /// The root's certificate.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A name is not one that a certificate can hold.
    #[error("{name:?} can't be a name in a certificate")]
    Name {
        /// The name.
        name: String,
    },
    /// The trust domain does not make SPIFFE ids.
    #[error(transparent)]
    TrustDomain(#[from] certs::SpiffeIdError),
    /// The certificate could not be made.
    #[error("can't make a certificate: {0}")]
    Certificate(#[from] rcgen::Error),
}

fn folder(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}

/// Issues every certificate of the stack into `settings.out`.
///
/// Roots that are there already are kept, leaves are always made anew, so running it again renews
/// them; a running tier takes them up by itself. Each file is replaced in one step.
///
/// # Errors
/// [`IssueError`]; what was written before the failure stays.
pub fn development(settings: &Settings) -> Result<(), IssueError> {
    public(settings)?;
    internal(settings)?;
    database(settings)
}

/// The subject that MySQL compares a client's certificate with: `/O=stack.internal/CN=app`.
#[must_use]
pub fn database_subject(trust_domain: &str, account: &str) -> String {
    format!("/O={trust_domain}/CN={account}")
}

/// The issuer that MySQL compares a client's certificate with.
#[must_use]
pub fn database_issuer(trust_domain: &str) -> String {
    database_subject(trust_domain, DATABASE_CA)
}

fn public(settings: &Settings) -> Result<(), IssueError> {
    let dir = settings.out.join("public");
    let ca = root(settings, &dir, "stack public CA")?;
    let names = ["localhost", "127.0.0.1", "::1"]
        .into_iter()
        .map(str::to_owned);
    let leaf = Leaf {
        names: names.chain(settings.public_names.iter().cloned()).collect(),
        ..new_leaf(settings, "localhost", Usage::Server)
    };
    ca.issue(&leaf)?.write(&dir, "web")
}

fn internal(settings: &Settings) -> Result<(), IssueError> {
    let dir = settings.out.join("internal");
    let ca = root(settings, &dir, "stack internal CA")?;
    // The database and the key service are also reached by libraries that name them by address.
    let local: &[&str] = &["localhost", "127.0.0.1", "::1"];
    let identities: [(&str, Usage, &[&str]); 4] = [
        ("web", Usage::Client, &[]),
        ("app", Usage::Server, &[]),
        ("db", Usage::Server, local),
        ("kms", Usage::Server, local),
    ];
    for (workload, usage, more) in identities {
        let own = (usage == Usage::Server).then(|| format!("{workload}.internal"));
        let leaf = Leaf {
            names: own
                .into_iter()
                .chain(more.iter().map(|&name| name.to_owned()))
                .collect(),
            uris: vec![SpiffeId::new(&settings.trust_domain, workload)?.to_string()],
            ..new_leaf(settings, workload, usage)
        };
        ca.issue(&leaf)?.write(&dir, workload)?;
    }
    Ok(())
}

fn database(settings: &Settings) -> Result<(), IssueError> {
    let dir = settings.out.join("database");
    let ca = root(settings, &dir, DATABASE_CA)?;
    for account in DATABASE_ACCOUNTS {
        ca.issue(&new_leaf(settings, account, Usage::Client))?
            .write(&dir, account)?;
    }
    Ok(())
}

fn root(settings: &Settings, dir: &Path, name: &str) -> Result<DevelopmentCa, IssueError> {
    let subject = Subject::new(&settings.trust_domain, name);
    DevelopmentCa::load_or_create(dir, &subject, settings.now)
}

fn new_leaf(settings: &Settings, name: &str, usage: Usage) -> Leaf {
    let subject = Subject::new(&settings.trust_domain, name);
    Leaf::new(subject, usage, Validity::days(settings.now, settings.days))
}

#[cfg(test)]
mod tests;
