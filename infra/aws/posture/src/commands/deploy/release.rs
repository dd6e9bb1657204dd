//! A release: an archive for each tier, with its programs in `bin/` and `infra/aws/machine` as `machine/`. Equal files make
//! equal archives, and the launch template contains the hash.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;
use anyhow::bail;
use flate2::Compression;
use flate2::GzBuilder;
use sha2::Digest;
use sha2::Sha256;

use super::aws::Aws;
use super::change_set::Parameters;
use super::elf;
use progress::Progress;
use tools::binaries;

/// The tiers and their programs.
const TIERS: [(&str, &[&str]); 2] = [("web", &["web"]), ("app", &["app", "migrate"])];

/// A release in a temporary folder.
#[derive(Debug)]
pub(super) struct Release {
    folder: tempfile::TempDir,
    architecture: String,
    /// The archive's SHA-256 for each tier.
    hashes: Vec<(&'static str, String)>,
    /// The version of the workspace, and a prefix of the hash over all archives.
    version: String,
}

impl Release {
    /// The parameters that name a release.
    pub(super) const PARAMETERS: [&str; 3] =
        ["AppReleaseSha256", "ReleaseVersion", "WebReleaseSha256"];

    /// Builds the programs, or takes them from `STACK_BIN_DIR`, and packs them.
    pub(super) fn build(
        aws: &Path,
        architecture: &str,
        progress: Progress,
    ) -> anyhow::Result<Self> {
        let programs: Vec<&str> = TIERS
            .iter()
            .flat_map(|(_, programs)| programs.iter().copied())
            .collect();
        let built = binaries::obtain_only(&programs, true)?;
        for program in &programs {
            check(&built.join(program), architecture)?;
        }
        let step = progress.step("packing the release");
        let release = Self::pack(&built, &aws.join("machine"), architecture)?;
        step.done();
        Ok(release)
    }

    fn pack(programs: &Path, machine: &Path, architecture: &str) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("a temporary folder cannot be made")?;
        let mut all = Sha256::new();
        let mut hashes = Vec::new();
        for (tier, names) in TIERS {
            let content = folder.path().join(tier);
            fill(&content, programs, names, machine)
                .with_context(|| format!("the release for {tier} cannot be packed"))?;
            let archive = compressed(&archived(&content)?)?;
            let hash = hex::encode(Sha256::digest(&archive));
            let path = folder.path().join(format!("{tier}-{architecture}.tar.gz"));
            fs::write(&path, archive)
                .with_context(|| format!("{} cannot be written", path.display()))?;
            all.update(&hash);
            hashes.push((tier, hash));
        }
        let digest = hex::encode(all.finalize());
        let prefix = digest.get(..12).unwrap_or(&digest);
        Ok(Self {
            folder,
            architecture: architecture.to_owned(),
            hashes,
            version: format!("{}-{prefix}", env!("CARGO_PKG_VERSION")),
        })
    }

    /// Uploads the archives under the keys that the launch templates name.
    pub(super) fn upload(&self, aws: &Aws, bucket: &str, progress: Progress) -> anyhow::Result<()> {
        let step = progress.step(&format!("uploading the release {}", self.version));
        for (tier, _) in &self.hashes {
            let name = format!("{tier}-{}.tar.gz", self.architecture);
            let key = format!("releases/{}/{name}", self.version);
            aws.upload(bucket, &key, &self.folder.path().join(name))?;
        }
        step.done();
        Ok(())
    }

    /// The values of [`Release::PARAMETERS`].
    pub(super) fn parameters(&self) -> Parameters {
        let hash = |(tier, hash): &(&str, String)| {
            let name = if *tier == "web" {
                "WebReleaseSha256"
            } else {
                "AppReleaseSha256"
            };
            (name.to_owned(), Some(hash.clone()))
        };
        let version = ("ReleaseVersion".to_owned(), Some(self.version.clone()));
        self.hashes.iter().map(hash).chain([version]).collect()
    }
}

fn check(program: &Path, architecture: &str) -> anyhow::Result<()> {
    let own = elf::architecture(program)?;
    if own != Some(architecture) {
        bail!(
            "{} is built for {}, but the machines are {architecture}: build the programs for Linux on \
             {architecture} and name their folder in STACK_BIN_DIR",
            program.display(),
            own.unwrap_or("another system")
        );
    }
    Ok(())
}

fn fill(content: &Path, programs: &Path, names: &[&str], machine: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(content.join("bin"))?;
    for name in names {
        fs::copy(programs.join(name), content.join("bin").join(name))?;
    }
    copy_folder(machine, &content.join("machine"))
}

fn copy_folder(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("{} cannot be read", from.display()))? {
        let path: PathBuf = entry?.path();
        let target = to.join(path.file_name().unwrap_or_default());
        if path.is_dir() {
            copy_folder(&path, &target)?;
        } else {
            fs::copy(&path, target)?;
        }
    }
    Ok(())
}

/// A tar archive of a folder, independent of the order, times and owners of its files.
fn archived(content: &Path) -> anyhow::Result<Vec<u8>> {
    let output = Command::new("tar")
        .args(["--create", "--format=ustar", "--sort=name", "--mtime=@0"])
        .args([
            "--owner=0",
            "--group=0",
            "--numeric-owner",
            "--mode=u=rwX,go=rX",
        ])
        .arg("--directory")
        .arg(content)
        .args(["bin", "machine"])
        .output()
        .context("tar cannot be started")?;
    if !output.status.success() {
        bail!(
            "tar failed (GNU tar is required): {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(output.stdout)
}

fn compressed(archive: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut encoder = GzBuilder::new()
        .mtime(0)
        .write(Vec::new(), Compression::default());
    encoder
        .write_all(archive)
        .context("the archive cannot be compressed")?;
    encoder.finish().context("the archive cannot be compressed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_files_make_equal_releases() {
        let folder = tempfile::tempdir().unwrap();
        let machine = folder.path().join("machine");
        fs::create_dir_all(machine.join("units")).unwrap();
        fs::write(machine.join("units/web.service"), "[Service]\n").unwrap();
        for name in ["web", "app", "migrate"] {
            fs::write(folder.path().join(name), name).unwrap();
        }
        let pack = || Release::pack(folder.path(), &machine, "arm64").unwrap();
        let (one, other) = (pack(), pack());
        assert_eq!(one.parameters(), other.parameters());
        fs::write(machine.join("units/web.service"), "[Service]\nUser=web\n").unwrap();
        assert_ne!(pack().parameters(), one.parameters());
    }

    #[test]
    fn a_program_for_another_architecture_is_refused() {
        let own = std::env::current_exe().unwrap();
        let other = if std::env::consts::ARCH == "x86_64" {
            "arm64"
        } else {
            "amd64"
        };
        assert!(check(&own, other).is_err());
    }
}
