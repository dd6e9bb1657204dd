//! The programs of a stack: built by cargo, or prebuilt in a folder.

use std::collections::BTreeSet;
use std::env;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;

use anyhow::Context;
use anyhow::bail;
use serde::Deserialize;

use crate::workspace;

/// The programs of the stack.
const PROGRAMS: [&str; 3] = ["app", "migrate", "web"];

/// A line of cargo's messages, as far as it matters here.
#[derive(Deserialize)]
struct Message {
    executable: Option<PathBuf>,
}

/// The folder of the programs: `STACK_BIN_DIR` as it is, otherwise what cargo builds now, with its
/// own progress on standard error.
///
/// # Errors
/// When the build fails, or a program is missing.
pub fn obtain(release: bool) -> anyhow::Result<PathBuf> {
    obtain_only(&PROGRAMS, release)
}

/// The same, for some of the programs.
///
/// # Errors
/// See [`obtain`].
pub fn obtain_only(programs: &[&str], release: bool) -> anyhow::Result<PathBuf> {
    let folder = match env::var_os("STACK_BIN_DIR").filter(|folder| !folder.is_empty()) {
        Some(folder) => PathBuf::from(folder),
        None => build(programs, release)?,
    };
    for program in programs {
        if !folder.join(program).is_file() {
            bail!(
                "{} has no program `{program}`: build it with `cargo build --bins`, or unset \
                 STACK_BIN_DIR",
                folder.display()
            );
        }
    }
    Ok(folder)
}

/// The folder of the next release's programs, for the test in which two releases write one database:
/// `STACK_NEXT_BIN_DIR` as it is, otherwise what cargo builds now with the feature `next-release`.
///
/// # Errors
/// When a build fails, or a program cannot be copied.
pub fn obtain_next_release() -> anyhow::Result<PathBuf> {
    const UPGRADED: [&str; 2] = ["app", "migrate"];
    if let Some(folder) = env::var_os("STACK_NEXT_BIN_DIR").filter(|folder| !folder.is_empty()) {
        return Ok(PathBuf::from(folder));
    }
    let built = build_with(&UPGRADED, &["--features", "app/next-release"])?;
    let folder = workspace::root()?.join("target/next-release");
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("the folder {} cannot be made", folder.display()))?;
    for program in UPGRADED {
        std::fs::copy(built.join(program), folder.join(program))
            .with_context(|| format!("{program} cannot be copied to {}", folder.display()))?;
    }
    // Only the crates with the feature were compiled a second time, under names of their own; but cargo puts the
    // programs of either build in one place. This build's are put there again.
    build_with(&UPGRADED, &[])?;
    Ok(folder)
}

fn build(programs: &[&str], release: bool) -> anyhow::Result<PathBuf> {
    let profile: &[&str] = if release { &["--release"] } else { &[] };
    build_with(programs, profile)
}

fn build_with(programs: &[&str], options: &[&str]) -> anyhow::Result<PathBuf> {
    let mut command = Command::new(workspace::cargo());
    command
        .current_dir(workspace::root()?)
        .args([
            "build",
            "--workspace",
            "--message-format=json-render-diagnostics",
        ])
        .args(programs.iter().flat_map(|program| ["--bin", program]))
        .args(options)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit());
    let output = command
        .output()
        .context("cargo cannot be started: is it on the path?")?;
    if !output.status.success() {
        bail!("the build failed; cargo's messages above say where");
    }
    let folders: BTreeSet<PathBuf> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<Message>(line).ok()?.executable)
        .filter_map(|program| program.parent().map(Path::to_path_buf))
        .collect();
    folders
        .into_iter()
        .next()
        .context("cargo does not say where it put the programs")
}
