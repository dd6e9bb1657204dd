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

/// The common name of the root that signs the certificates of database clients.
const DATABASE_CA: &str = "stack database client CA";

/// The database accounts that authenticate with a certificate.
const DATABASE_ACCOUNTS: [&str; 4] = ["app", "migrate", "backup", "auditor"];

/// The settings of an issue of all certificates.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The directory in which `public/`, `internal/` and `database/` are created.
    pub out: PathBuf,
    /// The trust domain of the identities, and the organization in every subject.
    pub trust_domain: String,
    /// DNS names and IP addresses of the edge besides `localhost`, `127.0.0.1` and `::1`.
    pub public_names: Vec<String>,
    /// Validity of the leaves, in days; roots are valid for ten years.
    pub days: u16,
    /// The time of issue.
    pub now: OffsetDateTime,
}

impl Settings {
    /// Settings for leaves of 30 days in the trust domain of the product, written to `out`.
    #[must_use]
    pub fn new(out: impl Into<PathBuf>, now: OffsetDateTime) -> Self {
        Self {
            out: out.into(),
            trust_domain: product::TRUST_DOMAIN.to_owned(),
            public_names: Vec::new(),
            days: 30,
            now,
        }
    }

    /// The same in another trust domain.
    #[must_use]
    pub fn in_trust_domain(mut self, trust_domain: &str) -> Self {
        trust_domain.clone_into(&mut self.trust_domain);
        self
    }
}

/// The validity period of a certificate.
#[derive(Clone, Copy, Debug)]
pub struct Validity {
    /// The first moment.
    pub not_before: OffsetDateTime,
    /// The last moment.
    pub not_after: OffsetDateTime,
}

impl Validity {
    /// From one hour before `now`, for peers whose clocks lag, until `days` after it.
    #[must_use]
    pub fn days(now: OffsetDateTime, days: u16) -> Self {
        Self {
            not_before: now - Duration::hours(1),
            not_after: now + Duration::days(i64::from(days)),
        }
    }

    /// An expired period: it ended two days before `now`.
    #[must_use]
    pub fn expired(now: OffsetDateTime) -> Self {
        Self {
            not_before: now - Duration::days(3),
            not_after: now - Duration::days(2),
        }
    }

    /// A future period: it begins two days after `now`.
    #[must_use]
    pub fn not_yet(now: OffsetDateTime) -> Self {
        Self {
            not_before: now + Duration::days(2),
            not_after: now + Duration::days(3),
        }
    }
}

/// A failure to issue certificates.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// The root of an earlier run cannot be used.
    #[error("{path}: {why}; remove the directory {} to create a new root", directory(path).display())]
    Root {
        /// The root's certificate.
        path: PathBuf,
        /// The reason.
        why: &'static str,
    },
    /// The certificate or the key of the root of an earlier run is missing, but not both.
    #[error(
        "{path} is missing beside the other file of the root; restore it, or remove the directory \
         {} to create a new root", directory(path).display()
    )]
    IncompleteRoot {
        /// The missing file.
        path: PathBuf,
    },
    /// A name is not ASCII, as names in a certificate must be.
    #[error("{name:?} cannot be a name in a certificate")]
    Name {
        /// The name.
        name: String,
    },
    /// The trust domain is not valid in a SPIFFE id.
    #[error(transparent)]
    TrustDomain(#[from] certs::SpiffeIdError),
    /// The certificate or its key could not be generated.
    #[error("cannot generate a certificate: {0}")]
    Certificate(#[from] rcgen::Error),
}

fn directory(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}

/// Issues every certificate of the stack into `settings.out`.
///
/// Existing roots are kept. Leaves are always issued again, so another run renews them; running
/// tiers reload them. Each file is replaced atomically.
///
/// # Errors
/// [`IssueError`]; files written before the failure stay.
pub fn development(settings: &Settings) -> Result<(), IssueError> {
    public(settings)?;
    internal(settings)?;
    database(settings)
}

/// The subject that MySQL requires of a client's certificate: `/O=example.internal/CN=app`.
#[must_use]
pub fn database_subject(trust_domain: &str, account: &str) -> String {
    format!("/O={trust_domain}/CN={account}")
}

/// The issuer that MySQL requires of a client's certificate.
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
    // Client libraries also address the database and the key service by localhost or by IP.
    let local: &[&str] = &["localhost", "127.0.0.1", "::1"];
    let identities: [(&str, Usage, &[&str]); 4] = [
        ("web", Usage::Client, &[]),
        ("app", Usage::Server, &[]),
        ("db", Usage::Server, local),
        ("kms", Usage::Server, local),
    ];
    for (workload, usage, local_names) in identities {
        let internal_name = (usage == Usage::Server).then(|| format!("{workload}.internal"));
        let leaf = Leaf {
            names: internal_name
                .into_iter()
                .chain(local_names.iter().map(|&name| name.to_owned()))
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
