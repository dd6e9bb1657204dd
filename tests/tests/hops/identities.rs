//! Certificates, valid and deliberately invalid.

use std::path::PathBuf;

use dev_ca::DevelopmentCa;
use dev_ca::IssuedLeaf;
use dev_ca::Leaf;
use dev_ca::Subject;
use dev_ca::Usage;
use dev_ca::Validity;
use stack::Status;
use tempfile::TempDir;
use time::OffsetDateTime;

/// The trust domain of every stack.
const TRUST_DOMAIN: &str = product::TRUST_DOMAIN;

/// One of the stack's roots, or another root with the same name.
pub(super) struct Authority(DevelopmentCa);

impl Authority {
    /// The root for mTLS between the tiers.
    pub(super) fn internal(status: &Status) -> Self {
        Self::own(status, "internal", "stack internal CA")
    }

    /// The root of database accounts.
    pub(super) fn database(status: &Status) -> Self {
        Self::own(status, "database", "stack database client CA")
    }

    /// Another root with the name of the internal one.
    pub(super) fn other_internal() -> Self {
        Self::other("stack internal CA")
    }

    /// Another root with the name of that of the database accounts.
    pub(super) fn other_database() -> Self {
        Self::other("stack database client CA")
    }

    fn own(status: &Status, folder: &str, name: &str) -> Self {
        let folder = status.certificates.join(folder);
        let subject = Subject::new(TRUST_DOMAIN, name);
        Self(DevelopmentCa::load_or_create(&folder, &subject, now()).unwrap())
    }

    fn other(name: &str) -> Self {
        let subject = Subject::new(TRUST_DOMAIN, name);
        Self(DevelopmentCa::create(&subject, Validity::days(now(), 30)).unwrap())
    }

    /// Issues a leaf.
    pub(super) fn issue(&self, leaf: &Leaf) -> IssuedLeaf {
        self.0.issue(leaf).unwrap()
    }

    /// The root certificate as a file.
    pub(super) fn file(&self) -> Files {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        std::fs::write(&path, self.0.certificate_pem()).unwrap();
        Files {
            certificate: path,
            key: PathBuf::new(),
            _folder: folder,
        }
    }
}

/// The files of a certificate and its key, which are removed when this is dropped.
pub(super) struct Files {
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
    _folder: TempDir,
}

/// Writes a leaf to files.
pub(super) fn files_of(leaf: &IssuedLeaf) -> Files {
    let folder = tempfile::tempdir().unwrap();
    leaf.write(folder.path(), "leaf").unwrap();
    Files {
        certificate: folder.path().join("leaf.pem"),
        key: folder.path().join("leaf.key"),
        _folder: folder,
    }
}

/// A client certificate with web's identity, valid today.
pub(super) fn web() -> Leaf {
    identity("web", Usage::Client)
}

/// A server certificate with app's identity, valid today.
pub(super) fn app() -> Leaf {
    let mut leaf = identity("app", Usage::Server);
    leaf.names.push("app.internal".to_owned());
    leaf
}

/// A client certificate of a database account, valid today.
pub(super) fn account(name: &str) -> Leaf {
    Leaf::new(Subject::new(TRUST_DOMAIN, name), Usage::Client, today())
}

/// The SPIFFE ID of a workload.
pub(super) fn spiffe(workload: &str) -> String {
    format!("spiffe://{TRUST_DOMAIN}/{workload}")
}

/// A validity in the past.
pub(super) fn expired() -> Validity {
    Validity::expired(now())
}

/// A validity in the future.
pub(super) fn not_yet_valid() -> Validity {
    Validity::not_yet(now())
}

fn identity(workload: &str, usage: Usage) -> Leaf {
    let mut leaf = Leaf::new(Subject::new(TRUST_DOMAIN, workload), usage, today());
    leaf.uris.push(spiffe(workload));
    leaf
}

fn today() -> Validity {
    Validity::days(now(), 30)
}

#[expect(
    clippy::disallowed_methods,
    reason = "certificates are judged by today's date"
)]
fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}
