//! A key service for development: a file that holds the root keys in the clear.

use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::Read;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::Serialize;
use zeroize::Zeroize;
use zeroize::ZeroizeOnDrop;
use zeroize::Zeroizing;

use super::BranchContext;
use super::RootWrapped;
use super::ServiceError;
use crate::secret::SecretKey;
use crate::wrap;
use phi_types::KeyId;
use phi_types::provider;

/// The value of the file's member `format`. Permanent.
const FORMAT: &str = "phi-development-keyring/1";

/// Root keys and a MAC key in a JSON file of mode 0600.
///
/// Limit: a reader of the file and the database can open everything. The file is for a developer's machine and must
/// never hold keys of real patients.
#[derive(Debug)]
pub struct DevelopmentKeyring {
    /// The root keys: the first one wraps, all of them unwrap.
    roots: Vec<(KeyId, SecretKey)>,
    mac: SecretKey,
}

/// The keyring file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyringFileError {
    /// The file cannot be read or written.
    #[error("the keyring file cannot be read or written")]
    Io(#[from] io::Error),
    /// The file exists. Keys are never overwritten.
    #[error("the keyring file already exists: choose another path, keys are never overwritten")]
    Exists,
    /// The file's mode gives rights to users other than its owner.
    #[error(
        "other users than its owner have rights to the keyring file (mode {0:04o}): chmod 600 it"
    )]
    Exposed(u32),
    /// The file is not a keyring.
    #[error("the file is not a development keyring: create one with `app keyring --out FILE`")]
    Malformed,
}

#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(deny_unknown_fields)]
struct KeyringFile {
    format: String,
    roots: Vec<RootEntry>,
    mac_key: String,
}

#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(deny_unknown_fields)]
struct RootEntry {
    #[zeroize(skip)]
    id: KeyId,
    key: String,
}

impl DevelopmentKeyring {
    /// Makes a new keyring and writes it to `path`. The file must not exist.
    ///
    /// # Errors
    ///
    /// [`KeyringFileError::Exists`] or [`KeyringFileError::Io`].
    pub fn create(path: &Path) -> Result<Self, KeyringFileError> {
        let keyring = Self {
            roots: vec![(KeyId::random(), SecretKey::random())],
            mac: SecretKey::random(),
        };
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .map_err(|error| {
                let exists = error.kind() == io::ErrorKind::AlreadyExists;
                if exists {
                    KeyringFileError::Exists
                } else {
                    error.into()
                }
            })?;
        file.write_all(keyring.to_json()?.as_bytes())?;
        file.sync_all()?;
        Ok(keyring)
    }

    /// Reads the keyring at `path`.
    ///
    /// # Errors
    ///
    /// [`KeyringFileError::Exposed`] if group or others have any right to the file,
    /// [`KeyringFileError::Malformed`] if it is no keyring, [`KeyringFileError::Io`].
    pub fn load(path: &Path) -> Result<Self, KeyringFileError> {
        let mut file = File::open(path)?;
        let mode = file.metadata()?.permissions().mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(KeyringFileError::Exposed(mode));
        }
        // Reserved at once, since a growing buffer leaves unwiped copies. A keyring is far smaller.
        let mut json = Zeroizing::new(String::with_capacity(64 << 10));
        file.read_to_string(&mut json)?;
        let file: KeyringFile = serde_json::from_str(&json)
            .ok()
            .ok_or(KeyringFileError::Malformed)?;
        Self::from_file(&file).ok_or(KeyringFileError::Malformed)
    }

    fn from_file(file: &KeyringFile) -> Option<Self> {
        let roots: Option<Vec<_>> = file
            .roots
            .iter()
            .map(|root| Some((root.id, decode(&root.key)?)))
            .collect();
        let roots = roots.filter(|roots| !roots.is_empty() && file.format == FORMAT)?;
        Some(Self {
            roots,
            mac: decode(&file.mac_key)?,
        })
    }

    fn to_json(&self) -> Result<Zeroizing<String>, KeyringFileError> {
        let roots = self
            .roots
            .iter()
            .map(|(id, key)| RootEntry {
                id: *id,
                key: encode(key),
            })
            .collect();
        let file = KeyringFile {
            format: FORMAT.to_owned(),
            roots,
            mac_key: encode(&self.mac),
        };
        let json = serde_json::to_string_pretty(&file)
            .ok()
            .ok_or(KeyringFileError::Malformed)?;
        Ok(Zeroizing::new(json))
    }

    pub(super) fn wrap(
        &self,
        context: &BranchContext,
        key: &SecretKey,
    ) -> Result<RootWrapped, ServiceError> {
        let (id, root) = self.roots.first().ok_or(ServiceError::Denied)?;
        let bytes = wrap::wrap(root, &associated_data(context), key);
        let bytes = bytes.ok().ok_or(ServiceError::Corrupt)?;
        Ok(RootWrapped {
            root: id.to_string(),
            provider: provider::DEVELOPMENT,
            bytes,
        })
    }

    pub(super) fn unwrap(
        &self,
        wrapped: &RootWrapped,
        context: &BranchContext,
    ) -> Result<SecretKey, ServiceError> {
        if wrapped.provider != provider::DEVELOPMENT {
            return Err(ServiceError::Denied);
        }
        let root = self
            .roots
            .iter()
            .find(|(id, _)| id.to_string() == wrapped.root);
        let (_, root) = root.ok_or(ServiceError::Denied)?;
        let key = wrap::unwrap(root, &associated_data(context), &wrapped.bytes);
        key.ok().ok_or(ServiceError::Corrupt)
    }

    pub(super) fn mac(&self, message: &[u8]) -> [u8; 32] {
        self.mac.hmac(&[message])
    }
}

/// `"phi-root-aad/1" | organization[16] | branch id[16] | version[4] | purpose`.
fn associated_data(context: &BranchContext) -> Vec<u8> {
    [
        &b"phi-root-aad/1"[..],
        context.organization.as_bytes(),
        context.branch.as_bytes(),
        &context.version.to_be_bytes(),
        &[BranchContext::PURPOSE.code()],
    ]
    .concat()
}

fn encode(key: &SecretKey) -> String {
    STANDARD.encode(key.expose())
}

fn decode(text: &str) -> Option<SecretKey> {
    SecretKey::from_slice(&Zeroizing::new(STANDARD.decode(text).ok()?))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use phi_types::OrganizationId;

    fn context() -> BranchContext {
        let (organization, branch) = (OrganizationId::random(), KeyId::random());
        BranchContext {
            organization,
            branch,
            version: 1,
        }
    }

    #[test]
    fn a_keyring_read_back_unwraps_what_it_wrapped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keyring.json");
        let (context, key) = (context(), SecretKey::random());
        let made = DevelopmentKeyring::create(&path).unwrap();
        let wrapped = made.wrap(&context, &key).unwrap();
        let read = DevelopmentKeyring::load(&path).unwrap();
        assert_eq!(
            read.unwrap(&wrapped, &context).unwrap().expose(),
            key.expose()
        );
        assert_eq!(read.mac(b"x"), made.mac(b"x"));
    }

    #[test]
    fn a_wrap_does_not_open_in_another_context() {
        let folder = tempfile::tempdir().unwrap();
        let keyring = DevelopmentKeyring::create(&folder.path().join("keyring.json")).unwrap();
        let context = context();
        let wrapped = keyring.wrap(&context, &SecretKey::random()).unwrap();
        for other in [
            BranchContext {
                organization: OrganizationId::random(),
                ..context
            },
            BranchContext {
                branch: KeyId::random(),
                ..context
            },
            BranchContext {
                version: 2,
                ..context
            },
        ] {
            let opened = keyring.unwrap(&wrapped, &other);
            assert_eq!(opened.unwrap_err(), ServiceError::Corrupt);
        }
    }

    #[test]
    fn a_keyring_is_its_owners_alone_and_never_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keyring.json");
        DevelopmentKeyring::create(&path).unwrap();
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        let again = DevelopmentKeyring::create(&path);
        assert!(matches!(again, Err(KeyringFileError::Exists)));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let exposed = DevelopmentKeyring::load(&path);
        assert!(matches!(exposed, Err(KeyringFileError::Exposed(0o640))));
    }

    #[test]
    fn what_is_no_keyring_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keyring.json");
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .unwrap();
        file.write_all(br#"{"format":"phi-development-keyring/1","roots":[],"mac_key":""}"#)
            .unwrap();
        let loaded = DevelopmentKeyring::load(&path);
        assert!(matches!(loaded, Err(KeyringFileError::Malformed)));
    }
}
