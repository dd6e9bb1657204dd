//! Tests of the issued files: names, modes, renewal and subjects.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tempfile::TempDir;
use x509_parser::parse_x509_certificate;

use super::*;

fn noon() -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(1_800_000_000).unwrap()
}

#[test]
fn every_file_of_the_stack_is_written_and_only_the_owner_may_read_keys() {
    let dir = TempDir::new().unwrap();
    development(&Settings::new(dir.path(), noon())).unwrap();
    for (folder, names) in [
        ("public", &["ca", "web"][..]),
        ("internal", &["ca", "web", "app", "db", "kms"]),
        ("database", &["ca", "app", "migrate", "backup", "auditor"]),
    ] {
        for name in names {
            assert!(
                dir.path()
                    .join(folder)
                    .join(format!("{name}.pem"))
                    .is_file()
            );
            let key = fs::metadata(dir.path().join(folder).join(format!("{name}.key"))).unwrap();
            assert_eq!(
                key.permissions().mode() & 0o777,
                0o600,
                "{folder}/{name}.key"
            );
        }
    }
}

#[test]
fn issuing_again_renews_the_leaves_and_keeps_the_roots() {
    let dir = TempDir::new().unwrap();
    let read = |name: &str| fs::read(dir.path().join("internal").join(name)).unwrap();
    development(&Settings::new(dir.path(), noon())).unwrap();
    let (root, leaf) = (read("ca.pem"), read("app.pem"));
    development(&Settings::new(dir.path(), noon() + Duration::days(20))).unwrap();
    assert_eq!(read("ca.pem"), root);
    assert_ne!(read("app.pem"), leaf);
}

#[test]
fn a_root_of_another_trust_domain_is_refused() {
    let dir = TempDir::new().unwrap();
    development(&Settings::new(dir.path(), noon())).unwrap();
    let other = Settings {
        trust_domain: "other.internal".to_owned(),
        ..Settings::new(dir.path(), noon())
    };
    let error = development(&other).unwrap_err();
    assert!(matches!(error, IssueError::Root { .. }), "{error}");
}

#[test]
fn a_root_of_which_one_file_is_missing_is_refused_and_the_other_file_is_kept() {
    for (missing, kept) in [("ca.key", "ca.pem"), ("ca.pem", "ca.key")] {
        let dir = TempDir::new().unwrap();
        let file = |name: &str| dir.path().join("internal").join(name);
        development(&Settings::new(dir.path(), noon())).unwrap();
        let before = fs::read(file(kept)).unwrap();
        fs::remove_file(file(missing)).unwrap();
        let error = development(&Settings::new(dir.path(), noon())).unwrap_err();
        assert!(
            matches!(&error, IssueError::IncompleteRoot { path } if *path == file(missing)),
            "{error}"
        );
        assert!(error.to_string().contains("restore it"), "{error}");
        assert_eq!(fs::read(file(kept)).unwrap(), before);
        assert!(!file(missing).exists());
    }
}

#[test]
fn a_database_client_has_the_subject_and_the_issuer_that_its_account_requires() {
    let dir = TempDir::new().unwrap();
    development(&Settings::new(dir.path(), noon()).in_trust_domain("example.internal")).unwrap();
    let der = CertificateDer::from_pem_file(dir.path().join("database/app.pem")).unwrap();
    let (_, leaf) = parse_x509_certificate(&der).unwrap();
    let slashes = |name: String| format!("/{}", name.replace(", ", "/"));
    assert_eq!(
        slashes(leaf.subject().to_string()),
        database_subject("example.internal", "app")
    );
    assert_eq!(
        slashes(leaf.issuer().to_string()),
        database_issuer("example.internal")
    );
    assert_eq!(
        database_issuer("example.internal"),
        "/O=example.internal/CN=stack database client CA"
    );
}
