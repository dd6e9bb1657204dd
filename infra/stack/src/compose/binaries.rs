//! Where the programs in the images come from.

use std::env;
use std::fs;
use std::process::Command;
use std::process::Stdio;

use anyhow::Context;
use anyhow::bail;

use crate::home::create_private_folder;
use progress::Progress;
use tools::binaries;
use tools::packages::run_quietly;
use tools::workspace;

/// What goes into the images.
const PROGRAMS: [&str; 4] = ["web", "app", "migrate", "issue-development-certificates"];

/// The C library of the images' Debian release: programs that were linked against a later one do
/// not start there.
const C_LIBRARY: (u32, u32) = (2, 36);

/// Where the programs come from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Programs {
    /// Compiled by the image build itself.
    Compiled {
        /// Optimized.
        release: bool,
    },
    /// Compiled by this machine's cargo, which has its dependencies ready.
    OfThisMachine,
}

impl Programs {
    /// What tests use: this machine's, where they run in the images, because compiling every
    /// dependency a second time takes longer than all other steps. `STACK_COMPOSE_COMPILE=1`
    /// compiles them in the image build, as a user of the compose file does.
    pub(super) fn for_tests() -> Self {
        let asked = env::var_os("STACK_COMPOSE_COMPILE").is_some_and(|value| value == "1");
        if !asked && cfg!(target_os = "linux") && c_library().is_some_and(|own| own <= C_LIBRARY) {
            Self::OfThisMachine
        } else {
            Self::Compiled { release: false }
        }
    }
}

/// Compiles the programs and lays them where the image build takes them from.
pub(super) fn lay_out(progress: Progress) -> anyhow::Result<()> {
    let step = progress.step("compiling the programs for the images");
    let root = workspace::root()?;
    let status = Command::new(workspace::cargo())
        .current_dir(&root)
        .args(["build", "--quiet"])
        .args(PROGRAMS.iter().flat_map(|program| ["--bin", program]))
        .stdin(Stdio::null())
        .status()
        .context("cargo cannot be started: is it on the path?")?;
    if !status.success() {
        bail!("the build failed; cargo's messages above say where");
    }
    let built = binaries::obtain(false)?;
    let folder = root.join("target/binaries");
    let _ = fs::remove_dir_all(&folder);
    create_private_folder(&folder)?;
    for program in PROGRAMS {
        run_quietly(
            Command::new("install")
                .args(["--mode=0755", "--strip"])
                .arg(built.join(program))
                .arg(folder.join(program)),
        )?;
    }
    step.done();
    Ok(())
}

/// The version of this machine's C library, if it is glibc.
fn c_library() -> Option<(u32, u32)> {
    let output = Command::new("getconf")
        .arg("GNU_LIBC_VERSION")
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let (major, minor) = text.trim().strip_prefix("glibc ")?.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}
