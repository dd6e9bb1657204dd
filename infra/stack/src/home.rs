//! The layout of a stack's folder. Everything in it is readable by its owner only.

use std::fs;
use std::io::ErrorKind;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context;
use anyhow::ensure;
use tools::create_private_folder;

/// The files and folders of a stack, and the folder of the stack in containers.
const CONTENTS: [&str; 13] = [
    "authority",
    "certs",
    "compose",
    "demo.json",
    "import",
    "key-service.json",
    "keyring.json",
    "kms",
    "lock",
    "logs",
    "mysql",
    "objects",
    "state.json",
];

/// A stack's folder.
#[derive(Clone, Debug)]
pub struct Home {
    root: PathBuf,
}

impl Home {
    /// Names the folder without touching it.
    ///
    /// # Errors
    /// When the current folder, which a relative path starts from, cannot be read.
    pub fn at(root: &Path) -> anyhow::Result<Self> {
        let root = std::path::absolute(root)
            .with_context(|| format!("{} is no usable path", root.display()))?;
        Ok(Self { root })
    }

    /// Makes the folder and its parts.
    ///
    /// # Errors
    /// When the folder holds something else, or a folder cannot be made; names it.
    pub fn create(&self) -> anyhow::Result<()> {
        self.check_contents()?;
        create_private_folder(&self.root)?;
        fs::set_permissions(&self.root, fs::Permissions::from_mode(0o700))
            .with_context(|| format!("the mode of {} cannot be changed", self.root.display()))?;
        for folder in [self.mysql(), self.logs(), self.kms(), self.imports()] {
            create_private_folder(&folder)?;
        }
        Ok(())
    }

    /// Checks that the folder has nothing but a stack's files, since `reset` removes all of it.
    ///
    /// # Errors
    /// When it has something else; names it.
    pub(crate) fn check_contents(&self) -> anyhow::Result<()> {
        let entries = match fs::read_dir(&self.root) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => {
                return Err(error)
                    .with_context(|| format!("{} cannot be read", self.root.display()));
            }
        };
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let is_foreign = |name: &String| {
            // `write_private` renames such a file.
            let name = name.strip_suffix(".new").unwrap_or(name);
            !CONTENTS.contains(&name)
        };
        let foreign: Vec<String> = names.filter(is_foreign).collect();
        ensure!(
            foreign.is_empty(),
            "{} has files of something else ({}): name a folder of the stack's own with --home, or move them away",
            self.root.display(),
            foreign.join(", ")
        );
        Ok(())
    }

    /// The folder itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Certificates and keys of every identity.
    #[must_use]
    pub fn certificates(&self) -> PathBuf {
        self.root.join("certs")
    }

    /// A file of the certificates, such as `internal/app.pem`.
    #[must_use]
    pub fn certificate(&self, name: &str) -> PathBuf {
        self.certificates().join(name)
    }

    /// The database server's folder.
    #[must_use]
    pub fn mysql(&self) -> PathBuf {
        self.root.join("mysql")
    }

    /// The log files.
    #[must_use]
    pub fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }

    /// The log file of one process.
    #[must_use]
    pub fn log(&self, process: &str) -> PathBuf {
        self.logs().join(format!("{process}.log"))
    }

    /// The development keyring.
    #[must_use]
    pub fn keyring(&self) -> PathBuf {
        self.root.join("keyring.json")
    }

    /// The key service emulator's folder.
    #[must_use]
    pub fn kms(&self) -> PathBuf {
        self.root.join("kms")
    }

    /// The sealed files of bulk exports.
    #[must_use]
    pub fn objects(&self) -> PathBuf {
        self.root.join("objects")
    }

    /// What imports have been acknowledged.
    #[must_use]
    pub fn imports(&self) -> PathBuf {
        self.root.join("import")
    }

    /// What runs, and how it was started.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.root.join("state.json")
    }

    /// The demo accounts with their passwords.
    #[must_use]
    pub fn accounts(&self) -> PathBuf {
        self.root.join("demo.json")
    }

    /// The lock that one running stack holds.
    #[must_use]
    pub fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }
}

/// Writes a file of mode 0600 by renaming: a reader sees the old contents or the new ones, never a part.
///
/// # Errors
/// When the folder cannot be written.
pub fn write_private(path: &Path, contents: &[u8]) -> anyhow::Result<()> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".new");
    let unfinished = PathBuf::from(unfinished);
    let write = || -> std::io::Result<()> {
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&unfinished)?;
        file.write_all(contents)?;
        fs::rename(&unfinished, path)
    };
    write().with_context(|| format!("{} cannot be written", path.display()))
}

/// The message for a file of a stack's folder that this version cannot parse.
pub(crate) fn invalid_json(path: &Path) -> String {
    format!(
        "{} is not valid JSON of this version: `cargo stack reset` makes a new stack",
        path.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_home_and_its_files_are_closed_to_others() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(&folder.path().join("stack")).unwrap();
        home.create().unwrap();
        write_private(&home.accounts(), b"{}").unwrap();
        // A second start finds its own folder.
        home.create().unwrap();
        let other = Home::at(folder.path()).unwrap();
        assert!(other.create().unwrap_err().to_string().contains("--home"));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(home.root()), 0o700);
        assert_eq!(mode(&home.mysql()), 0o700);
        assert_eq!(mode(&home.accounts()), 0o600);
    }
}
