//! The secret namespace of an organization, under which the ids of its sources become UUIDs.
//!
//! The UUIDs have the form of version 4 ("random or pseudorandom", RFC 9562 5.4). They are values of HMAC-SHA-256
//! under 32 random bytes: without those they cannot be distinguished from random ones, nor computed from a record number.
//! Version 5 would be a plain hash, and version 8 is reserved for ids that the stack itself derives: if a client
//! could write those, it could write a patient with the id of an organization.

use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::io::Write;
use std::path::Path;

use anyhow::Context;
use anyhow::ensure;
use hmac::Hmac;
use hmac::KeyInit;
use hmac::Mac;
use sha2::Digest;
use sha2::Sha256;
use tempfile::NamedTempFile;
use tools::create_private_folder;
use uuid::Builder;
use uuid::Uuid;
use zeroize::Zeroizing;

/// Separates these values from other uses of a key.
const LABEL: &[u8] = b"import-id/1";
/// Length of the secret in bytes.
const SECRET_BYTES: usize = 32;

/// The secret of one organization.
pub(super) struct Namespace(Zeroizing<[u8; SECRET_BYTES]>);

impl Namespace {
    /// Reads the secret of an organization from a folder, or draws it.
    ///
    /// # Errors
    /// When the file cannot be read or written, or is damaged.
    pub(super) fn open(folder: &Path, organization: &str) -> anyhow::Result<Self> {
        create_private_folder(folder)?;
        let name = hex::encode(Sha256::digest(organization));
        let path = folder.join(format!("{name}.key"));
        if let Some(found) = Self::read(&path)? {
            return Ok(found);
        }
        let mut secret = Zeroizing::new([0; SECRET_BYTES]);
        getrandom::fill(secret.as_mut()).context("the system gives no randomness")?;
        // Mode 0600, whole or not at all. Of two imports that begin together, the second keeps the first's secret.
        let mut file = NamedTempFile::new_in(folder)
            .with_context(|| format!("{} cannot be written", folder.display()))?;
        file.write_all(secret.as_ref())
            .and_then(|()| file.as_file().sync_all())
            .with_context(|| format!("{} cannot be written", path.display()))?;
        match file.persist_noclobber(&path) {
            Ok(_) => Ok(Self(secret)),
            Err(error) if error.error.kind() == ErrorKind::AlreadyExists => {
                Self::read(&path)?.context("the secret of the mapping was removed meanwhile")
            }
            Err(error) => {
                Err(error.error).with_context(|| format!("{} cannot be written", path.display()))
            }
        }
    }

    /// A namespace for a dry run, whose ids are not sent.
    pub(super) fn of_dry_run() -> Self {
        Self(Zeroizing::new([0; SECRET_BYTES]))
    }

    fn read(path: &Path) -> anyhow::Result<Option<Self>> {
        let bytes = match fs::read(path) {
            Ok(bytes) => Zeroizing::new(bytes),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(error).with_context(|| format!("{} cannot be read", path.display()));
            }
        };
        ensure!(
            bytes.len() == SECRET_BYTES,
            "{} is damaged: restore it from a backup. Without it the same ids would become other UUIDs",
            path.display()
        );
        let mut secret = Zeroizing::new([0; SECRET_BYTES]);
        secret.copy_from_slice(&bytes);
        Ok(Some(Self(secret)))
    }

    /// The UUID of a resource of a source.
    pub(super) fn uuid(&self, base: &str, resource_type: &str, id: &str) -> Uuid {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.0.as_ref()) else {
            unreachable!("HMAC takes keys of any length");
        };
        mac.update(LABEL);
        for part in [base, resource_type, id] {
            // Lengths keep `ab` + `c` apart from `a` + `bc`.
            mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            mac.update(part.as_bytes());
        }
        let tag: [u8; 32] = mac.finalize().into_bytes().into();
        let mut half = [0; 16];
        for (to, from) in half.iter_mut().zip(tag) {
            *to = from;
        }
        Builder::from_random_bytes(half).into_uuid()
    }
}

impl fmt::Debug for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Namespace([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::os::unix::fs::PermissionsExt;

    use fhir::ResourceType;

    use super::*;

    #[test]
    fn ids_are_stable_apart_and_accepted_for_patients() {
        let folder = tempfile::tempdir().unwrap();
        let open =
            |organization| Namespace::open(&folder.path().join("ids"), organization).unwrap();
        let mut seen = BTreeSet::new();
        for organization in ["a", "b"] {
            for (base, name, id) in [
                ("https://h/fhir", "Patient", "1"),
                ("https://h/fhir", "Patient", "2"),
                ("https://h/fhir", "Practitioner", "1"),
                ("https://i/fhir", "Patient", "1"),
                ("https://h/fhirP", "atient", "1"),
            ] {
                let uuid = open(organization).uuid(base, name, id);
                assert_eq!(uuid, open(organization).uuid(base, name, id));
                assert!(ResourceType::Patient.check_id(uuid).is_ok(), "{uuid}");
                assert!(seen.insert(uuid));
            }
        }
        assert_eq!(format!("{:?}", open("a")), "Namespace([redacted])");
    }

    #[test]
    fn the_secret_is_closed_to_others_and_a_damaged_one_is_refused() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("ids");
        Namespace::open(&folder, "Riverside").unwrap();
        let path = folder.read_dir().unwrap().next().unwrap().unwrap().path();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&folder), mode(&path)), (0o700, 0o600));
        assert!(!path.to_string_lossy().contains("Riverside"));
        fs::write(&path, b"short").unwrap();
        assert!(Namespace::open(&folder, "Riverside").is_err());
    }
}
