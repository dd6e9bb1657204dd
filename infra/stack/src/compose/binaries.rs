//! The programs in the images, and where they are compiled.

use std::env;
use std::fs;
use std::process::Command;

use progress::Progress;
use tools::binaries;
use tools::create_private_folder;
use tools::packages::run_quietly;
use tools::workspace;

/// The programs in the images.
const PROGRAMS: [&str; 4] = ["web", "app", "migrate", "issue-development-certificates"];

/// The version of glibc in the images' Debian release: programs that were linked against a later one
/// do not start there.
const C_LIBRARY: (u32, u32) = (2, 36);

/// Where the programs are compiled.
#[derive(Clone, Copy, Debug)]
pub(super) enum Programs {
    /// In the image build.
    Compiled {
        /// With optimizations.
        release: bool,
    },
    /// By the cargo of this machine, which has compiled the dependencies already.
    OfThisMachine,
}

impl Programs {
    /// The choice of the compose step: this machine, if its programs run in the images, because
    /// compiling every dependency a second time takes longer than all other steps.
    /// `STACK_COMPOSE_COMPILE=1` compiles in the image build, as for a user of the compose file.
    pub(super) fn for_tests() -> Self {
        let forced = env::var_os("STACK_COMPOSE_COMPILE").is_some_and(|value| value == "1");
        if !forced && cfg!(target_os = "linux") && c_library().is_some_and(|own| own <= C_LIBRARY) {
            Self::OfThisMachine
        } else {
            Self::Compiled { release: false }
        }
    }
}

/// Compiles the programs and copies them to the folder from which the image build takes them.
pub(super) fn lay_out(progress: Progress) -> anyhow::Result<()> {
    let step = progress.step("compiling the programs for the images");
    let root = workspace::root()?;
    let built = binaries::obtain_only(&PROGRAMS, false)?;
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
